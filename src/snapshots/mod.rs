//! What can be done with a manager snapshot: create, restore, upload, download, delete, roll back.
//!
//! Knows no HTTP. Long work is recorded as an execution and answered at once; an upload ends with its judgement.

mod compare;
mod diff;
mod download;
mod keeping;
mod keys;
mod plan;
mod upload;

use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::archive::{ArchiveError, Limits};
use crate::database::{DatabaseError, ListError, ListQuery, Page, Scope, list};
use crate::executions::{Engine, ExecutionError};
use crate::failpoints;
use crate::fetch::{FetchError, FetchSettings};
use crate::keys::{KeyRing, KeysError};
use crate::manager::visible;
use crate::model::{
    Caller, Execution, ExecutionId, IdError, Snapshot, SnapshotId, SnapshotOrigin, SnapshotStatus,
    TenantName, Timestamp, Workflow,
};
use crate::records::{Records, RecordsError, SNAPSHOTS};
use crate::store::{DiskStore, StoreError};
use crate::worker::{ComparisonError, Comparisons};

pub use compare::{Change, Changes, ChangesQuery, Subject, Wanted};
pub use diff::diff_files;
pub use download::Download;
pub use keys::{KeyRemoval, dropped, seal_for};
pub use upload::Piece;

/// Why a snapshot operation failed. The messages are Cloudify's where it has the case.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("Requested `Snapshot` with ID `{0}` was not found")]
    NotFound(SnapshotId),
    #[error(
        "<Snapshot id=`{id}` tenant=`{tenant}`> already exists on <Tenant name=`{tenant}`> or with global visibility"
    )]
    Exists { id: SnapshotId, tenant: TenantName },
    #[error("{0}")]
    Action(String),
    #[error(transparent)]
    Id(#[from] IdError),
    #[error("the body is no snapshot archive: {0}")]
    NotAnArchive(String),
    #[error("the archive is longer than the {0} bytes that the setting `archive.max_upload_bytes` allows")]
    TooLong(u64),
    #[error("the upload ended before the whole archive had arrived: send it again")]
    Incomplete,
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("{0}")]
    NoSpace(String),
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    #[error(transparent)]
    List(#[from] ListError),
    #[error("`seal_for[{index}]` can't be used: {reason}")]
    SealFor { index: usize, reason: String },
    #[error("`drop[{index}]` can't be used: {reason}")]
    Drop { index: usize, reason: String },
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(
        "no other key here opens the sealed parts of {}: reseal them first, or remove the key with `force`",
        named(.0)
    )]
    KeyNeeded(Vec<String>),
    #[error("failed to use the records of the service")]
    Records(#[from] RecordsError),
    #[error("failed to use the store")]
    Store(#[source] StoreError),
    #[error(
        "the archive of snapshot `{id}` can't be downloaded: {reason}. It was damaged in the store, outside of the service: put a good copy of it back, or delete the snapshot"
    )]
    Damaged { id: SnapshotId, reason: String },
    #[error("failed to read an archive")]
    Archive(#[source] ArchiveError),
    #[error("{0}")]
    NotCompared(String),
    #[error("failed to read a comparison")]
    Comparison(#[from] ComparisonError),
    #[error("failed to write an archive")]
    Io(#[from] std::io::Error),
}

impl From<DatabaseError> for SnapshotError {
    fn from(error: DatabaseError) -> Self {
        Self::Records(error.into())
    }
}

impl From<StoreError> for SnapshotError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSpace { .. } => Self::NoSpace(error.to_string()),
            other => Self::Store(other),
        }
    }
}

/// What uploads and fetches need to know of the settings.
#[derive(Clone, Debug)]
pub struct SnapshotSettings {
    /// What an archive may make us do.
    pub limits: Limits,
    /// Threads that verify an archive.
    pub archive_threads: usize,
    /// The longest archive that is accepted, in bytes.
    pub max_upload_bytes: u64,
    /// How archives are fetched.
    pub fetch: FetchSettings,
}

/// The manager snapshots of a service. Clones are handles to the same.
#[derive(Clone)]
pub struct Snapshots {
    records: Records,
    engine: Engine,
    store: DiskStore,
    keys: Arc<KeyRing>,
    comparisons: Comparisons,
    settings: Arc<SnapshotSettings>,
}

impl Snapshots {
    /// The snapshots of a service with these parts.
    pub fn new(
        records: Records,
        engine: Engine,
        store: DiskStore,
        keys: Arc<KeyRing>,
        comparisons: Comparisons,
        settings: SnapshotSettings,
    ) -> Self {
        Self { records, engine, store, keys, comparisons, settings: Arc::new(settings) }
    }

    /// One page of the snapshots that the caller may see.
    ///
    /// # Errors
    /// A column that there is not; the records' own.
    pub async fn list(&self, caller: &Caller, query: ListQuery) -> Result<Page, SnapshotError> {
        let scope = visible(caller, query.all_tenants);
        Ok(self.records.read(move |connection| list(connection, &SNAPSHOTS, &query, &scope)).await?)
    }

    /// One snapshot as its record shows it, in the columns asked for.
    ///
    /// # Errors
    /// [`SnapshotError::NotFound`]; a column that there is not; the records' own.
    pub async fn get(
        &self,
        caller: &Caller,
        id: &SnapshotId,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, SnapshotError> {
        let tenant = caller.tenant.clone();
        let wanted = id.clone();
        let item = self.records.read(move |connection| view(connection, &tenant, &wanted, include)).await?;
        item.ok_or_else(|| SnapshotError::NotFound(id.clone()))
    }

    /// Records a create: the snapshot (`creating`) and its execution, in one transaction. `parameters` are what the
    /// caller asked, checked. For whom else it is sealed is audited.
    ///
    /// # Errors
    /// A taken id; a restore that is active, without `queue`; the records' own. No record is left then.
    pub async fn create(
        &self,
        caller: &Caller,
        id: SnapshotId,
        parameters: Map<String, Value>,
        queue: bool,
    ) -> Result<Execution, SnapshotError> {
        let execution = self.execution(caller, Workflow::CreateSnapshot, Some(id.clone()), parameters);
        let snapshot = self.fresh(caller, id, SnapshotStatus::Creating, Some(execution.id));
        let sealed_for = execution.parameters.get("seal_for").cloned();
        self.engine
            .enqueue(execution, queue, move |tx, _| {
                if let Some(keys) = sealed_for {
                    let details = serde_json::json!({ "seal_for": keys });
                    let (user, id) = (&snapshot.created_by, snapshot.id.as_str());
                    Records::audit(tx, user, "snapshot_seal_for", id, Some(&details))?;
                }
                if Records::insert_snapshot(tx, &snapshot, SnapshotOrigin::Create)? {
                    Ok(())
                } else {
                    Err(SnapshotError::Exists {
                        id: snapshot.id.clone(),
                        tenant: snapshot.tenant_name.clone(),
                    })
                }
            })
            .await
    }

    /// Records a restore.
    ///
    /// # Errors
    /// No such snapshot, or one without an archive; other executions that are active, without `queue`; the records'
    /// own. No record is left then.
    pub async fn restore(
        &self,
        caller: &Caller,
        id: SnapshotId,
        parameters: Map<String, Value>,
        queue: bool,
    ) -> Result<Execution, SnapshotError> {
        let tenant = caller.tenant.clone();
        let execution = self.execution(caller, Workflow::RestoreSnapshot, Some(id.clone()), parameters);
        self.engine
            .enqueue(execution, queue, move |tx, _| {
                let snapshot = Records::snapshot(tx, &tenant, &id)?
                    .ok_or_else(|| SnapshotError::NotFound(id.clone()))?;
                require_archive(&snapshot, "restored")
            })
            .await
    }

    /// Records that one flow is to be brought back out of a snapshot.
    ///
    /// # Errors
    /// No such snapshot, or one without an archive; a restore that is active; the records' own. No record is left then.
    pub async fn restore_flow(
        &self,
        caller: &Caller,
        id: SnapshotId,
        flow_id: String,
        force: bool,
    ) -> Result<Execution, SnapshotError> {
        let tenant = caller.tenant.clone();
        let mut parameters = Map::new();
        parameters.insert("flow_id".to_owned(), Value::from(flow_id));
        parameters.insert("force".to_owned(), Value::from(force));
        let execution = self.execution(caller, Workflow::RestoreFlow, Some(id.clone()), parameters);
        self.engine
            .enqueue(execution, false, move |tx, _| {
                let snapshot = Records::snapshot(tx, &tenant, &id)?
                    .ok_or_else(|| SnapshotError::NotFound(id.clone()))?;
                require_archive(&snapshot, "restored")
            })
            .await
    }

    /// Records a rollback: the state before the last restore comes back.
    ///
    /// # Errors
    /// Other executions that are active, without `queue`; the records' own.
    pub async fn rollback(&self, caller: &Caller, queue: bool) -> Result<Execution, SnapshotError> {
        let execution = self.execution(caller, Workflow::Rollback, None, Map::new());
        self.engine.enqueue(execution, queue, |_, _| Ok::<(), SnapshotError>(())).await
    }

    /// Removes a snapshot and its archive; answers the record as it was. Open downloads go on. It works on a full disk too.
    ///
    /// # Errors
    /// No such snapshot; one that is being made or uploaded, or that an execution works on.
    pub async fn delete(
        &self,
        caller: &Caller,
        id: &SnapshotId,
    ) -> Result<Map<String, Value>, SnapshotError> {
        // It goes on where the caller hangs up: the archive goes with its record.
        let (snapshots, caller, id) = (self.clone(), caller.clone(), id.clone());
        let deleted = tokio::spawn(async move { snapshots.delete_whole(&caller, &id).await });
        deleted.await.map_err(|_| SnapshotError::Io(std::io::Error::other("the removal was interrupted")))?
    }

    async fn delete_whole(
        &self,
        caller: &Caller,
        id: &SnapshotId,
    ) -> Result<Map<String, Value>, SnapshotError> {
        let (tenant, wanted, user) = (caller.tenant.clone(), id.clone(), caller.user.clone());
        let (item, snapshot) = self
            .records
            .write_on_reserve(move |tx| {
                let snapshot = Records::snapshot(tx, &tenant, &wanted)?
                    .ok_or_else(|| SnapshotError::NotFound(wanted.clone()))?;
                if let Some((_, workflow)) = Records::snapshot_user(tx, &tenant, &wanted)? {
                    return Err(SnapshotError::Action(format!(
                        "Cannot delete snapshot `{wanted}` which has an active `{workflow}` execution"
                    )));
                }
                if let Some(protection) = &snapshot.protection {
                    return Err(SnapshotError::Action(format!(
                        "Cannot delete snapshot `{wanted}`: `{}` protects it since {}; take the protection away first (`lifeboat snapshot protect {wanted} --off`)",
                        protection.by, protection.at
                    )));
                }
                if snapshot.status == SnapshotStatus::Uploading {
                    return Err(SnapshotError::Action(format!(
                        "Cannot delete snapshot `{wanted}` while it is being uploaded"
                    )));
                }
                let item = view(tx, &tenant, &wanted, None)?.unwrap_or_default();
                Records::delete_snapshot(tx, &tenant, &wanted)?;
                Records::audit_delete(tx, &user, &wanted, snapshot.archive_file)?;
                Ok((item, snapshot))
            })
            .await?;
        self.comparisons.forget(&caller.tenant, id);
        // The record first, so that there never is one without a file; after a crash between the two the start finds in
        // the audit that the file is to go.
        failpoints::here("delete:recorded");
        let (store, file) = (self.store.clone(), snapshot.archive_file);
        let removed = tokio::task::spawn_blocking(move || store.remove(file)).await;
        if !matches!(removed, Ok(Ok(()))) {
            // The snapshot is deleted all the same: nobody could delete it once more.
            tracing::error!(
                "the archive `{file}` of a deleted snapshot is not gone; the next start removes it"
            );
        }
        failpoints::here("delete:removed");
        self.records.database().keep_reserve();
        Ok(item)
    }

    /// Moves a snapshot's status, as Cloudify's own workflow does (`PATCH`). The same status again changes nothing.
    ///
    /// # Errors
    /// No such snapshot; a status that can't follow the present one, or that only the service may set.
    pub async fn set_status(
        &self,
        caller: &Caller,
        id: &SnapshotId,
        status: SnapshotStatus,
        error: String,
    ) -> Result<(), SnapshotError> {
        let (tenant, wanted) = (caller.tenant.clone(), id.clone());
        self.records
            .write(move |tx| {
                let snapshot = Records::snapshot(tx, &tenant, &wanted)?
                    .ok_or_else(|| SnapshotError::NotFound(wanted.clone()))?;
                if snapshot.status == status {
                    return Ok(());
                }
                // Only a failure may be declared from outside: everything else would promise an archive.
                let is_legal = status == SnapshotStatus::Failed
                    && Records::snapshot_user(tx, &tenant, &wanted)?.is_none()
                    && Records::set_snapshot_status(tx, &tenant, &wanted, status, &error, None)?;
                if is_legal {
                    return Ok(());
                }
                Err(SnapshotError::Action(format!(
                    "the status of snapshot `{wanted}` is {} and can't be set to {}",
                    snapshot.status.as_str(),
                    status.as_str()
                )))
            })
            .await
    }

    /// Whether a restore or rollback is active.
    ///
    /// # Errors
    /// The records' own.
    pub async fn is_restoring(&self) -> Result<bool, SnapshotError> {
        Ok(self.records.read(Records::is_restoring).await?)
    }

    fn execution(
        &self,
        caller: &Caller,
        workflow: Workflow,
        snapshot_id: Option<SnapshotId>,
        mut parameters: Map<String, Value>,
    ) -> Execution {
        if let Some(id) = &snapshot_id {
            parameters.insert("snapshot_id".to_owned(), Value::from(id.as_str()));
        }
        Execution { snapshot_id, ..Execution::new(caller, workflow, parameters) }
    }

    fn fresh(
        &self,
        caller: &Caller,
        id: SnapshotId,
        status: SnapshotStatus,
        execution_id: Option<ExecutionId>,
    ) -> Snapshot {
        Snapshot {
            tenant_name: caller.tenant.clone(),
            id,
            created_at: Timestamp::now(),
            created_by: caller.user.clone(),
            status,
            error: String::new(),
            execution_id,
            archive_file: Uuid::now_v7(),
            size_bytes: None,
            sha256: None,
            protection: None,
        }
    }
}

/// Some of the names, and how many more there are.
fn named(names: &[String]) -> String {
    const MOST: usize = 10;
    let some: Vec<String> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    match names.len().checked_sub(MOST) {
        Some(more) if more > 0 => format!("{} and {more} more", some.join(", ")),
        _ => some.join(", "),
    }
}

/// The kinds of entities that a restore or plan of a part can name.
pub fn selectable_kinds() -> Vec<&'static str> {
    crate::sources::embedded::kinds()
}

fn require_archive(snapshot: &Snapshot, action: &str) -> Result<(), SnapshotError> {
    match snapshot.status {
        SnapshotStatus::Created | SnapshotStatus::Uploaded => Ok(()),
        SnapshotStatus::Failed => Err(SnapshotError::Action(format!("Failed snapshot cannot be {action}"))),
        SnapshotStatus::Creating | SnapshotStatus::Uploading => Err(SnapshotError::Action(format!(
            "snapshot `{}` cannot be {action} while it is {}",
            snapshot.id,
            snapshot.status.as_str()
        ))),
    }
}

fn view(
    connection: &rusqlite::Connection,
    tenant: &TenantName,
    id: &SnapshotId,
    include: Option<Vec<String>>,
) -> Result<Option<Map<String, Value>>, SnapshotError> {
    let scope = Scope::everything().and(
        "tenant_name = ? AND id = ?",
        [crate::database::text(tenant.as_str()), crate::database::text(id.as_str())],
    );
    let query = ListQuery { include, size: 1, ..ListQuery::default() };
    Ok(list(connection, &SNAPSHOTS, &query, &scope)?.items.pop())
}

#[cfg(test)]
mod tests;
