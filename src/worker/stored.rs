//! Archives as they lie in the store: what is opened for work has to be what the snapshot's record says was stored.
//!
//! Somebody may have cut a file there, or put another good archive in its place.

use std::fs::File;

use crate::archive::{Archive, Verified};
use crate::executions::{Job, JobError};
use crate::model::Snapshot;
use crate::store::StoreError;

use super::SnapshotWorker;

/// What is said of an archive that may be good, and is not the one of its record.
pub(super) const OTHER_BYTES: &str =
    "the archive's bytes are not those that were stored: its SHA-256 is another";

impl SnapshotWorker {
    /// The file of a snapshot's archive, if it is there and as long as it should be.
    pub(super) fn read_stored(&self, snapshot: &Snapshot) -> Result<File, JobError> {
        let file = self.store.read(snapshot.archive_file).map_err(|error| match error {
            StoreError::NotFound(_) => {
                JobError::Failed(format!("the archive of snapshot `{}` is gone from the store", snapshot.id))
            }
            other => other.into(),
        })?;
        let length =
            file.metadata().map_err(|error| JobError::internal("failed to read the archive", &error))?.len();
        match snapshot.size_bytes {
            Some(stored) if stored != length => Err(JobError::Failed(format!(
                "the archive of snapshot `{}` has {length} bytes in the store, and {stored} were stored: its SHA-256 is another",
                snapshot.id
            ))),
            _ => Ok(file),
        }
    }

    /// Opens the archive of a snapshot, as [`SnapshotWorker::read_stored`] finds it.
    pub(super) fn open_stored(&self, snapshot: &Snapshot) -> Result<Archive, JobError> {
        Ok(Archive::open(self.read_stored(snapshot)?, self.settings.limits.clone())?)
    }

    /// As [`SnapshotWorker::verify_archive`], and that it is the archive that was stored.
    pub(super) fn verify_stored(
        &self,
        job: &Job,
        archive: &Archive,
        snapshot: &Snapshot,
    ) -> Result<Verified, JobError> {
        let verified = self.verify_archive(job, archive)?;
        match &snapshot.sha256 {
            Some(stored) if *stored != verified.sha256.to_string() => {
                Err(JobError::Failed(OTHER_BYTES.to_owned()))
            }
            _ => Ok(verified),
        }
    }
}
