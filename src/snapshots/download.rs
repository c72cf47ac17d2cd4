//! Downloads: an archive leaves the store as it was stored, or not to its end.
//!
//! A short one is hashed before any byte of it is sent, a long one while it is sent; what differs from the record is
//! told there and in the log.

use std::fs::File;
use std::io::Read;

use sha2::{Digest as _, Sha256};

use crate::files::OpenFile;
use crate::model::{Caller, Snapshot, SnapshotId};
use crate::records::{Records, RecordsError};
use crate::store::StoreError;

use super::{SnapshotError, Snapshots, require_archive};

/// The longest archive that is hashed before it is sent, in bytes: it takes no time that anybody would notice.
const HASHED_FIRST_BYTES: u64 = 32 << 20;

/// What is said of an archive whose length is right.
const OTHER_BYTES: &str = "its bytes are not those that were stored: the SHA-256 is another";

/// An archive that was opened for a download; it stays readable after a delete.
pub struct Download {
    /// The open file. Where the whole of it is sent, its end comes only if its bytes are those that were stored.
    pub file: OpenFile,
    /// Its record.
    pub snapshot: Snapshot,
}

impl Snapshots {
    /// Opens a snapshot's archive. The download is audited. It works on a full disk too.
    ///
    /// # Errors
    /// No such snapshot, or one without an archive; [`SnapshotError::Damaged`]; the store's own.
    pub async fn download(&self, caller: &Caller, id: &SnapshotId) -> Result<Download, SnapshotError> {
        match self.open_archive(caller, id).await {
            // A reseal has put another file in its place since the record was read.
            Err(SnapshotError::Store(StoreError::NotFound(_))) => match self.open_archive(caller, id).await {
                Err(SnapshotError::Store(StoreError::NotFound(_))) => {
                    Err(SnapshotError::Damaged { id: id.clone(), reason: "its file is gone".to_owned() })
                }
                opened => opened,
            },
            opened => opened,
        }
    }

    async fn open_archive(&self, caller: &Caller, id: &SnapshotId) -> Result<Download, SnapshotError> {
        let (tenant, wanted, user) = (caller.tenant.clone(), id.clone(), caller.user.clone());
        let snapshot = self
            .records
            .write_on_reserve(move |tx| {
                let Some(snapshot) = Records::snapshot(tx, &tenant, &wanted)? else { return Ok(None) };
                Records::audit(tx, &user, "snapshot_download", wanted.as_str(), None)?;
                Ok::<_, RecordsError>(Some(snapshot))
            })
            .await?
            .ok_or_else(|| SnapshotError::NotFound(id.clone()))?;
        require_archive(&snapshot, "downloaded")?;
        let snapshots = self.clone();
        tokio::task::spawn_blocking(move || snapshots.open_stored(snapshot))
            .await
            .map_err(|_| SnapshotError::Io(std::io::Error::other("the read was interrupted")))?
    }

    fn open_stored(&self, snapshot: Snapshot) -> Result<Download, SnapshotError> {
        let mut file = self.store.read(snapshot.archive_file)?;
        let (length, stored) = (file.metadata()?.len(), snapshot.size_bytes.unwrap_or(0));
        let fault = match &snapshot.sha256 {
            _ if length != stored => Some(format!("its file has {length} bytes, and {stored} were stored")),
            Some(sha256) if length <= HASHED_FIRST_BYTES && hash(&mut file)? != *sha256 => {
                Some(OTHER_BYTES.to_owned())
            }
            _ => None,
        };
        if let Some(reason) = fault {
            self.tell_damaged(&snapshot, &reason);
            return Err(SnapshotError::Damaged { id: snapshot.id, reason });
        }
        let file = match snapshot.sha256.clone() {
            Some(sha256) if length > HASHED_FIRST_BYTES => {
                let (snapshots, snapshot) = (self.clone(), snapshot.clone());
                OpenFile::expecting(file, sha256, move |reason| snapshots.tell_damaged(&snapshot, reason))?
            }
            _ => OpenFile::new(file)?,
        };
        Ok(Download { file, snapshot })
    }

    /// Says in the log and in the record that an archive is not what was stored. For blocking threads.
    fn tell_damaged(&self, snapshot: &Snapshot, reason: &str) {
        tracing::error!(
            "the archive `{}` of snapshot `{}` is damaged: {reason}",
            snapshot.archive_file,
            snapshot.id
        );
        let (tenant, id, file) = (snapshot.tenant_name.clone(), snapshot.id.clone(), snapshot.archive_file);
        let error = format!("download: {reason}");
        let told = self
            .records
            .database()
            .write_blocking(move |tx| Records::set_snapshot_verified(tx, &tenant, &id, file, None, &error));
        if let Err(error) = told {
            tracing::error!("the record of snapshot `{}` does not say so: {error}", snapshot.id);
        }
    }
}

/// The SHA-256 of a file, in hex.
fn hash(file: &mut File) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            length => hash.update(&buffer[..length]),
        }
    }
}
