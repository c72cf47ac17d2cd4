//! The only place where sources, archive and store meet: what executions do.

mod carrier;
mod comparisons;
mod create;
mod diff;
mod environments;
mod flows;
mod plan;
mod recover;
mod render;
mod reseal;
mod restore;
mod sealed;
mod selective;
mod stored;
mod verify;

use std::path::PathBuf;

use rusqlite::{Connection, Transaction};

use crate::archive::{ArchiveError, Limits};
use crate::charts::store::MetricsStore;
use crate::database::DatabaseError;
use crate::executions::{Job, JobError, JobResult, Worker};
use crate::failpoints;
use crate::keys::KeyRing;
use crate::manager::{Manager, ManagerError};
use crate::model::{Execution, ExecutionStatus, SnapshotStatus, Workflow};
use crate::records::{Records, RecordsError};
use crate::sources::SourceError;
use crate::sources::embedded::{Embedded, WalLimit};
use crate::store::{DiskStore, StoreError};

pub use comparisons::{Comparison, ComparisonError, Comparisons, Subject};
pub use diff::FileComparison;
pub use recover::{Recovered, recover, tidy_store};

/// What the worker needs to know of the settings.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// The name that archives carry.
    pub manager_name: String,
    /// Threads that compress one archive.
    pub archive_threads: usize,
    /// How long a create waits for flows that it pauses and whose runtime reports, in seconds.
    pub pause_seconds: u64,
    /// How far a snapshot with `include_metrics` reaches back, in days.
    pub metrics_days: u32,
    /// How many entries of each step's history are kept.
    pub history_entries: u32,
    /// What an archive may make us do.
    pub limits: Limits,
    /// The folder of partial files.
    pub partial: PathBuf,
    /// How long the databases' logs may grow while the manager's state is read.
    pub wal_limit: WalLimit,
}

/// Does the work of every execution.
pub struct SnapshotWorker {
    records: Records,
    manager: Manager,
    store: DiskStore,
    keys: std::sync::Arc<KeyRing>,
    /// What the service measures of itself.
    own_metrics: MetricsStore,
    /// What plans and diffs found, to be read later.
    comparisons: Comparisons,
    settings: WorkerSettings,
}

impl SnapshotWorker {
    /// A worker on these parts.
    pub fn new(
        records: Records,
        manager: Manager,
        store: DiskStore,
        keys: std::sync::Arc<KeyRing>,
        own_metrics: MetricsStore,
        comparisons: Comparisons,
        settings: WorkerSettings,
    ) -> Self {
        Self { records, manager, store, keys, own_metrics, comparisons, settings }
    }

    fn embedded(&self) -> Embedded {
        Embedded::new(self.manager.clone(), self.settings.wal_limit)
    }
}

impl Worker for SnapshotWorker {
    fn run(&self, job: &Job) -> JobResult {
        match &job.execution().workflow {
            Workflow::CreateSnapshot => self.create(job),
            Workflow::RestoreSnapshot => self.restore(job),
            Workflow::Rollback => self.rollback(job),
            Workflow::ResealSnapshot => self.reseal(job),
            Workflow::VerifySnapshot => self.verify(job),
            Workflow::RestoreFlow => self.restore_flow(job),
            Workflow::PlanSnapshot => self.plan_snapshot(job),
            Workflow::DiffSnapshot => self.diff_snapshot(job),
            Workflow::CaptureFlow => self.capture_flow(job),
            Workflow::RenderChart => self.render_chart(job),
            Workflow::UploadBlueprint => crate::manager::run_upload_blueprint(&self.manager, job),
            Workflow::UpdatePlugin => crate::manager::run_update_plugin(&self.manager, job),
            Workflow::CreateDeploymentEnvironment => {
                crate::manager::run_create_deployment_environment(&self.manager, job)
            }
            Workflow::DeleteDeploymentEnvironment => {
                crate::manager::run_delete_deployment_environment(&self.manager, job)
            }
            Workflow::Deployment(_) => {
                failpoints::hit("workflow:running", job)?;
                crate::manager::run_deployment_workflow(&self.manager, job)
            }
        }
    }

    fn ended(
        &self,
        tx: &Transaction<'_>,
        execution: &Execution,
        status: ExecutionStatus,
        error: &str,
    ) -> Result<(), DatabaseError> {
        self.mark(tx, execution, status)?;
        crate::manager::execution_ended(tx, execution, status)?;
        if status == ExecutionStatus::Terminated {
            return Ok(());
        }
        match &execution.workflow {
            Workflow::CreateSnapshot => {
                let error = if status == ExecutionStatus::Cancelled { "cancelled" } else { error };
                fail_snapshot(tx, execution, error).map_err(|error| match error {
                    RecordsError::Database(error) => error,
                    _ => DatabaseError::Closed,
                })
            }
            Workflow::UploadBlueprint => crate::manager::fail_upload(tx, execution, error),
            Workflow::RestoreSnapshot
            | Workflow::Rollback
            | Workflow::ResealSnapshot
            | Workflow::VerifySnapshot
            | Workflow::RestoreFlow
            | Workflow::PlanSnapshot
            | Workflow::DiffSnapshot
            | Workflow::CaptureFlow
            | Workflow::RenderChart
            | Workflow::UpdatePlugin
            | Workflow::CreateDeploymentEnvironment
            | Workflow::DeleteDeploymentEnvironment
            | Workflow::Deployment(_) => Ok(()),
        }
    }
}

fn fail_snapshot(connection: &Connection, execution: &Execution, error: &str) -> Result<(), RecordsError> {
    if let Some(id) = &execution.snapshot_id {
        let tenant = &execution.tenant_name;
        Records::set_snapshot_status(connection, tenant, id, SnapshotStatus::Failed, error, None)?;
    }
    Ok(())
}

impl From<SourceError> for JobError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Cancelled => Self::Cancelled,
            SourceError::Refused(reason) => Self::Failed(reason),
            SourceError::Entry { .. } => Self::Failed(error.to_string()),
            SourceError::Carrier(source) => match source.downcast::<ArchiveError>() {
                Ok(source) => (*source).into(),
                Err(other) => Self::internal("failed to write or read the archive", other.as_ref()),
            },
            SourceError::State(_) => Self::internal("failed to use the manager's state", &error),
            SourceError::Io(_) => Self::internal("failed to read or write a file of the manager", &error),
        }
    }
}

impl From<ArchiveError> for JobError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Cancelled => Self::Cancelled,
            ArchiveError::NoKey { .. } => Self::Failed(error.to_string()),
            _ if error.is_refusal() => Self::Failed(error.to_string()),
            _ => Self::internal("failed to write or read the archive", &error),
        }
    }
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSpace { .. } | StoreError::NotFound(_) => Self::Failed(error.to_string()),
            StoreError::TwoFileSystems | StoreError::Io(_) => {
                Self::internal("failed to use the store", &error)
            }
        }
    }
}

impl From<RecordsError> for JobError {
    fn from(error: RecordsError) -> Self {
        Self::internal("failed to use the records of the service", &error)
    }
}

impl From<ManagerError> for JobError {
    fn from(error: ManagerError) -> Self {
        match error {
            ManagerError::Database(_)
            | ManagerError::Metrics(_)
            | ManagerError::Generation(_)
            | ManagerError::Vault(_)
            | ManagerError::Io(_) => Self::internal("failed to use the manager's state", &error),
            other => Self::Failed(other.to_string()),
        }
    }
}
