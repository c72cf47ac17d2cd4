//! A job as everybody sees it: an execution, its statuses and their legal transitions.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Caller, EntityId, ExecutionId, SnapshotId, TenantName, Timestamp, UserName};

/// Where an execution stands (Cloudify's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionStatus {
    /// Recorded; the worker starts it as soon as its lane is free.
    Pending,
    /// Waits until what it can't run beside has ended.
    Queued,
    /// Waits for its time.
    Scheduled,
    /// Runs.
    Started,
    /// Asked to stop; runs on until the next safe point.
    Cancelling,
    /// Asked again to stop.
    ForceCancelling,
    /// Asked to stop without any further step.
    KillCancelling,
    /// Ended well.
    Terminated,
    /// Ended with an error.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
}

impl ExecutionStatus {
    /// All statuses, in the order of a life.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Queued,
        Self::Scheduled,
        Self::Started,
        Self::Cancelling,
        Self::ForceCancelling,
        Self::KillCancelling,
        Self::Terminated,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The name on the wire and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued => "queued",
            Self::Scheduled => "scheduled",
            Self::Started => "started",
            Self::Cancelling => "cancelling",
            Self::ForceCancelling => "force_cancelling",
            Self::KillCancelling => "kill_cancelling",
            Self::Terminated => "terminated",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status by its name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether nothing follows it.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Terminated | Self::Failed | Self::Cancelled)
    }

    /// Whether it counts as active where executions exclude each other (Cloudify's ACTIVE states).
    pub fn is_active(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Started | Self::Cancelling | Self::ForceCancelling | Self::KillCancelling
        )
    }

    /// The states from which this one may be reached: the one list of legal transitions. An update names these
    /// as the states that it expects.
    pub fn legal_earlier(self) -> &'static [Self] {
        use ExecutionStatus::*;
        match self {
            Pending => &[Scheduled, Queued],
            Queued => &[Pending, Scheduled],
            Scheduled => &[],
            Started => &[Pending, Queued],
            Cancelling => &[Started],
            ForceCancelling => &[Started, Cancelling],
            KillCancelling => &[Started, Cancelling, ForceCancelling],
            Terminated => &[Started, Cancelling],
            Failed => &[Pending, Queued, Scheduled, Started, Cancelling, ForceCancelling, KillCancelling],
            Cancelled => &[Pending, Queued, Scheduled, Started, Cancelling, ForceCancelling, KillCancelling],
        }
    }
}

/// How hard an execution is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CancelMode {
    /// At the next safe point.
    Cancel,
    /// The same, also where a cancel was asked for before.
    Force,
    /// At once.
    Kill,
}

impl CancelMode {
    /// The status of an execution that was asked to stop this way and still runs.
    pub fn status(self) -> ExecutionStatus {
        match self {
            Self::Cancel => ExecutionStatus::Cancelling,
            Self::Force => ExecutionStatus::ForceCancelling,
            Self::Kill => ExecutionStatus::KillCancelling,
        }
    }
}

/// What an execution does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Workflow {
    /// Takes a manager snapshot.
    CreateSnapshot,
    /// Restores one.
    RestoreSnapshot,
    /// Reads a stored archive and says whether it is good.
    VerifySnapshot,
    /// Undoes the last restore.
    Rollback,
    /// Seals a snapshot's archive for other keys.
    ResealSnapshot,
    /// Brings one flow back out of a manager snapshot.
    RestoreFlow,
    /// Tells what a restore of a manager snapshot would change.
    PlanSnapshot,
    /// Compares a manager snapshot with another one, or with the live state.
    DiffSnapshot,
    /// Keeps the snapshots of a flow's steps as one set.
    CaptureFlow,
    /// Draws a chart.
    RenderChart,
    /// Reads a blueprint that was uploaded.
    UploadBlueprint,
    /// Brings a blueprint and its deployments to later plugins.
    UpdatePlugin,
    /// Makes a deployment's nodes and node instances.
    CreateDeploymentEnvironment,
    /// Removes a deployment.
    DeleteDeploymentEnvironment,
    /// A workflow of a deployment: `install`, `uninstall`, or one that its blueprint names.
    Deployment(String),
}

impl Workflow {
    /// The `workflow_id` on the wire and in tables.
    pub fn as_str(&self) -> &str {
        match self {
            Self::CreateSnapshot => "create_snapshot",
            Self::RestoreSnapshot => "restore_snapshot",
            Self::VerifySnapshot => "verify_snapshot",
            Self::Rollback => "rollback",
            Self::ResealSnapshot => "reseal_snapshot",
            Self::RestoreFlow => "restore_flow",
            Self::PlanSnapshot => "plan_snapshot",
            Self::DiffSnapshot => "diff_snapshot",
            Self::CaptureFlow => "capture_flow",
            Self::RenderChart => "render_chart",
            Self::UploadBlueprint => "upload_blueprint",
            Self::UpdatePlugin => "update_plugin",
            Self::CreateDeploymentEnvironment => "create_deployment_environment",
            Self::DeleteDeploymentEnvironment => "delete_deployment_environment",
            Self::Deployment(name) => name,
        }
    }

    /// The workflow with this id of an execution that works on a deployment, or on none. A blueprint may name its
    /// workflows as it likes (`rollback` among them): what works on a deployment is never one of the service's own.
    pub fn of(text: &str, has_deployment: bool) -> Self {
        match (Self::parse(text), has_deployment) {
            (
                Self::CreateSnapshot
                | Self::RestoreSnapshot
                | Self::VerifySnapshot
                | Self::Rollback
                | Self::ResealSnapshot
                | Self::RestoreFlow
                | Self::PlanSnapshot
                | Self::DiffSnapshot
                | Self::CaptureFlow
                | Self::RenderChart
                | Self::UploadBlueprint
                | Self::UpdatePlugin,
                true,
            ) => Self::Deployment(text.to_owned()),
            (workflow, _) => workflow,
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "create_snapshot" => Self::CreateSnapshot,
            "restore_snapshot" => Self::RestoreSnapshot,
            "verify_snapshot" => Self::VerifySnapshot,
            "rollback" => Self::Rollback,
            "reseal_snapshot" => Self::ResealSnapshot,
            "restore_flow" => Self::RestoreFlow,
            "plan_snapshot" => Self::PlanSnapshot,
            "diff_snapshot" => Self::DiffSnapshot,
            "capture_flow" => Self::CaptureFlow,
            "render_chart" => Self::RenderChart,
            "upload_blueprint" => Self::UploadBlueprint,
            "update_plugin" => Self::UpdatePlugin,
            "create_deployment_environment" => Self::CreateDeploymentEnvironment,
            "delete_deployment_environment" => Self::DeleteDeploymentEnvironment,
            other => Self::Deployment(other.to_owned()),
        }
    }

    /// Whether it runs alone: beside nothing that reads or writes the manager's state.
    pub fn is_exclusive(&self) -> bool {
        matches!(self, Self::RestoreSnapshot | Self::Rollback)
    }

    /// Whether its record belongs to the service (records.db) and survives a restore; the others are state of the
    /// manager.
    pub fn is_of_the_service(&self) -> bool {
        matches!(
            self,
            Self::CreateSnapshot
                | Self::RestoreSnapshot
                | Self::VerifySnapshot
                | Self::Rollback
                | Self::ResealSnapshot
                | Self::RestoreFlow
                | Self::PlanSnapshot
                | Self::DiffSnapshot
                | Self::CaptureFlow
                | Self::RenderChart
        )
    }

    /// Whether Cloudify calls it a system workflow, hidden in lists unless asked for.
    pub fn is_system(&self) -> bool {
        self.is_of_the_service() || matches!(self, Self::UploadBlueprint | Self::UpdatePlugin)
    }
}

/// A job's record, as far as code decides by it. Lists and views are read from the row.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// What it does.
    pub workflow: Workflow,
    /// The tenant in which it was asked for.
    pub tenant_name: TenantName,
    /// Who asked for it.
    pub created_by: UserName,
    /// The deployment that it works on, if any.
    pub deployment_id: Option<EntityId>,
    /// The blueprint of that deployment, or the one that is read.
    pub blueprint_id: Option<EntityId>,
    /// The snapshot that is made or restored, if any.
    pub snapshot_id: Option<SnapshotId>,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// Why it failed or was cancelled; empty otherwise.
    pub error: String,
    /// What the caller asked; never a password, never a path of the server.
    pub parameters: Map<String, Value>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// The time before which it must not start, for a scheduled one.
    pub scheduled_for: Option<Timestamp>,
    /// Whether no operation is to be run and no state changed.
    pub is_dry_run: bool,
    /// The execution group that it belongs to, if any.
    pub group: Option<ExecutionGroup>,
}

/// The group of an execution, as far as it decides when the execution starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionGroup {
    /// Its id.
    pub id: String,
    /// How many of its executions run beside each other at the most.
    pub concurrency: usize,
}

impl Execution {
    /// The record of a job that the caller asks for now, in the tenant of the request.
    pub fn new(caller: &Caller, workflow: Workflow, parameters: Map<String, Value>) -> Self {
        Self {
            id: ExecutionId::new(),
            workflow,
            tenant_name: caller.tenant.clone(),
            created_by: caller.user.clone(),
            deployment_id: None,
            blueprint_id: None,
            snapshot_id: None,
            status: ExecutionStatus::Pending,
            error: String::new(),
            parameters,
            created_at: Timestamp::now(),
            scheduled_for: None,
            is_dry_run: false,
            group: None,
        }
    }

    /// Whether an option of this name was asked for.
    pub fn asks_for(&self, option: &str) -> bool {
        self.parameters.get(option).and_then(Value::as_bool).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_an_end_status() {
        for status in ExecutionStatus::ALL {
            for earlier in status.legal_earlier() {
                assert!(!earlier.is_end(), "{} may not follow {}", status.as_str(), earlier.as_str());
            }
        }
    }

    #[test]
    fn every_status_and_workflow_comes_back_from_its_name() {
        for status in ExecutionStatus::ALL {
            assert_eq!(ExecutionStatus::parse(status.as_str()), Some(status));
        }
        for name in [
            "create_snapshot",
            "restore_snapshot",
            "verify_snapshot",
            "rollback",
            "reseal_snapshot",
            "restore_flow",
            "plan_snapshot",
            "diff_snapshot",
            "capture_flow",
            "render_chart",
            "upload_blueprint",
            "update_plugin",
            "install",
            "my_workflow",
        ] {
            assert_eq!(Workflow::parse(name).as_str(), name);
        }
    }
}
