//! The comparisons that were made last, kept for a while so that they can be read page by page.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

use crate::archive::{Archive, ArchiveError, Limits};
use crate::model::{ExecutionId, SnapshotId, TenantName};
use crate::sources::SourceError;
use crate::sources::embedded::{FieldChange, Index};
use crate::store::DiskStore;

use super::carrier::ArchiveSource;

/// How many are kept at the most.
const KEPT: usize = 8;
/// How long one is kept.
const KEPT_FOR: Duration = Duration::from_secs(3600);

/// What a comparison is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// What a restore of the snapshot would change.
    Plan,
    /// What differs between the snapshot and the live state.
    Live,
    /// What differs between the snapshot and another one of its tenant.
    Snapshot(SnapshotId),
}

/// A comparison that was made.
pub struct Comparison {
    /// The execution that made it.
    pub execution_id: ExecutionId,
    /// The tenant of the snapshot's record.
    pub tenant_name: TenantName,
    /// The snapshot.
    pub snapshot_id: SnapshotId,
    /// What it was compared with.
    pub subject: Subject,
    /// The snapshot's file in the store.
    pub archive_file: Uuid,
    /// What the execution reports.
    pub report: Value,
    index: Mutex<Index>,
    made: Instant,
}

/// Why a kept comparison could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ComparisonError {
    #[error("failed to read a comparison")]
    Source(#[from] SourceError),
    #[error("failed to read the archive that was compared")]
    Archive(#[from] ArchiveError),
    #[error("failed to read the archive that was compared")]
    Store(#[from] crate::store::StoreError),
}

impl Comparison {
    /// One that was made just now.
    pub(super) fn new(
        execution_id: ExecutionId,
        (tenant_name, snapshot_id, archive_file): (TenantName, SnapshotId, Uuid),
        subject: Subject,
        report: Value,
        index: Index,
    ) -> Self {
        Self {
            execution_id,
            tenant_name,
            snapshot_id,
            subject,
            archive_file,
            report,
            index: Mutex::new(index),
            made: Instant::now(),
        }
    }

    /// Its list of what differs. For blocking threads.
    pub fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What differs in one entity, value by value; none where neither state has it. For blocking threads.
    ///
    /// # Errors
    /// The store's, the archive's, the database's own.
    pub fn fields(
        &self,
        store: &DiskStore,
        limits: &Limits,
        entity: (&str, &str, &str),
    ) -> Result<Option<Vec<FieldChange>>, ComparisonError> {
        let archive = Archive::open(store.read(self.archive_file)?, limits.clone())?;
        // What is sealed was marked when it was taken in: no key is needed here.
        let source = ArchiveSource::new(&archive, &[]);
        Ok(self.index().fields(&source, self.subject == Subject::Plan, entity)?)
    }
}

/// The comparisons that are kept. Clones share them.
#[derive(Clone, Default)]
pub struct Comparisons {
    kept: Arc<Mutex<Vec<Arc<Comparison>>>>,
}

impl Comparisons {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Comparison>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|comparison| comparison.made.elapsed() < KEPT_FOR);
        kept
    }

    /// Keeps a comparison in the place of the oldest.
    pub(super) fn keep(&self, comparison: Comparison) {
        let mut kept = self.lock();
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push(Arc::new(comparison));
    }

    /// The latest that fits, by whichever execution or by this one.
    pub fn find(
        &self,
        tenant: &TenantName,
        id: &SnapshotId,
        subject: &Subject,
        execution: Option<ExecutionId>,
    ) -> Option<Arc<Comparison>> {
        let kept = self.lock();
        let fits = |comparison: &&Arc<Comparison>| {
            comparison.tenant_name == *tenant
                && comparison.snapshot_id == *id
                && comparison.subject == *subject
                && execution.is_none_or(|execution| comparison.execution_id == execution)
        };
        kept.iter().rev().find(fits).cloned()
    }

    /// Drops what was made of a snapshot, which is gone.
    pub fn forget(&self, tenant: &TenantName, id: &SnapshotId) {
        self.lock().retain(|comparison| {
            let is_other = match &comparison.subject {
                Subject::Snapshot(other) => other == id,
                Subject::Plan | Subject::Live => false,
            };
            comparison.tenant_name != *tenant || (comparison.snapshot_id != *id && !is_other)
        });
    }
}
