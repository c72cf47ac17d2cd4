//! Reading what plans and diffs found: as a whole, page by page, field by field.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::model::{Caller, ExecutionId, SnapshotId};
use crate::records::Records;
use crate::worker::{Comparison, ComparisonError};

use super::{SnapshotError, Snapshots};

pub use crate::sources::embedded::Change;
pub use crate::worker::Subject;

/// Which comparison is meant.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The snapshot.
    pub id: SnapshotId,
    /// What it was compared with.
    pub subject: Subject,
    /// The execution that made it; the latest one where nothing is said.
    pub execution: Option<ExecutionId>,
}

/// Which of the differences are meant.
#[derive(Clone, Debug, Default)]
pub struct ChangesQuery {
    /// Those of this kind; of all where nothing is said.
    pub kind: Option<String>,
    /// Those that are this; all where nothing is said.
    pub change: Option<Change>,
    /// How many are passed over.
    pub offset: u64,
    /// How many are answered at the most.
    pub size: u64,
}

/// Some of the differences, and how many there are in all.
pub struct Changes {
    /// Each with its kind, tenant, id and what happens to it.
    pub items: Vec<Value>,
    /// All that match.
    pub total: u64,
}

impl Snapshots {
    /// What a plan or diff found, as its execution reports it.
    ///
    /// # Errors
    /// No such snapshot; none that was made of it in the last hour.
    pub async fn comparison(&self, caller: &Caller, wanted: Wanted) -> Result<Value, SnapshotError> {
        Ok(self.find_comparison(caller, &wanted).await?.report.clone())
    }

    /// One page of what differs.
    ///
    /// # Errors
    /// As [`Snapshots::comparison`]; the comparison's own.
    pub async fn changes(
        &self,
        caller: &Caller,
        wanted: Wanted,
        query: ChangesQuery,
    ) -> Result<Changes, SnapshotError> {
        let comparison = self.find_comparison(caller, &wanted).await?;
        blocking(move || {
            let (found, total) = comparison
                .index()
                .page(query.kind.as_deref(), query.change, query.offset, query.size)
                .map_err(ComparisonError::from)?;
            let items = found.iter().map(|change| json!(change)).collect();
            Ok(Changes { items, total })
        })
        .await
    }

    /// What differs in one entity, field by field. It shows what the archive and the manager hold, so it is audited.
    ///
    /// # Errors
    /// As [`Snapshots::comparison`]; an entity that neither state has; the store's own.
    pub async fn changed_fields(
        &self,
        caller: &Caller,
        wanted: Wanted,
        (kind, tenant, id): (String, String, String),
    ) -> Result<Map<String, Value>, SnapshotError> {
        let comparison = self.find_comparison(caller, &wanted).await?;
        let (user, snapshot) = (caller.user.clone(), wanted.id.clone());
        let details = json!({ "kind": kind, "tenant": tenant, "entity_id": id });
        self.records
            .write(move |tx| {
                Records::audit(tx, &user, "snapshot_diff_fields", snapshot.as_str(), Some(&details))
            })
            .await?;
        let (store, limits) = (self.store.clone(), self.settings.limits.clone());
        blocking(move || {
            let found = comparison.fields(&store, &limits, (&kind, &tenant, &id))?;
            let fields = found.ok_or_else(|| {
                SnapshotError::NotCompared(format!("neither state has `{kind}/{tenant}/{id}`"))
            })?;
            let mut answer = Map::new();
            answer.insert("kind".to_owned(), Value::from(kind));
            answer.insert("tenant".to_owned(), Value::from(tenant));
            answer.insert("id".to_owned(), Value::from(id));
            answer.insert("fields".to_owned(), json!(fields));
            Ok(answer)
        })
        .await
    }

    async fn find_comparison(
        &self,
        caller: &Caller,
        wanted: &Wanted,
    ) -> Result<Arc<Comparison>, SnapshotError> {
        let (tenant, id) = (caller.tenant.clone(), wanted.id.clone());
        let snapshot = self
            .records
            .read(move |connection| Records::snapshot(connection, &tenant, &id))
            .await?
            .ok_or_else(|| SnapshotError::NotFound(wanted.id.clone()))?;
        let found = self.comparisons.find(&caller.tenant, &wanted.id, &wanted.subject, wanted.execution);
        found.filter(|comparison| comparison.archive_file == snapshot.archive_file).ok_or_else(|| {
            let (what, call) = match wanted.subject {
                Subject::Plan => ("plan of a restore", "plan"),
                Subject::Live | Subject::Snapshot(_) => ("such comparison", "diff"),
            };
            SnapshotError::NotCompared(format!(
                "there is no {what} of snapshot `{}` any more, or not yet: make one with `POST /snapshots/{}/{call}`, and read it within an hour",
                wanted.id, wanted.id
            ))
        })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, SnapshotError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| SnapshotError::Io(std::io::Error::other("the read was interrupted")))?
}
