//! Archives from outside: received piece by piece, judged, and only then kept.
//!
//! The work goes on in a task of its own, so that a caller who hangs up leaves nothing half done: without its end
//! an upload is dropped with its record.

use std::io::{Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use crate::archive::{Archive, ArchiveError, Format};
use crate::causes::is_storage_full;
use crate::failpoints;
use crate::fetch::Fetch;
use crate::model::{Caller, Snapshot, SnapshotId, SnapshotOrigin, SnapshotStatus, Timestamp};
use crate::records::{ArchiveFacts, Records};

use super::{SnapshotError, Snapshots, view};

/// How many pieces may wait for the disk.
const WAITING_PIECES: usize = 16;
/// How long the record of a refused upload waits on a full disk until its removal is tried again.
const FORGET_INTERVAL: Duration = Duration::from_secs(1);

/// A part of a body on its way.
#[derive(Debug)]
pub enum Piece {
    /// Some bytes of it.
    Bytes(Bytes),
    /// It has arrived whole. Without this, what came is dropped.
    End,
}

/// The receiving side of an upload; its sender is the caller's body.
#[derive(Debug)]
struct Receiver(mpsc::Receiver<Piece>);

/// A channel for the pieces of one body.
fn channel() -> (mpsc::Sender<Piece>, Receiver) {
    let (sender, receiver) = mpsc::channel(WAITING_PIECES);
    (sender, Receiver(receiver))
}

impl Snapshots {
    /// Records an upload (`uploading`) and answers where its pieces are to be sent, and what will be answered: the
    /// record (`uploaded`), or why it was refused, with no record left.
    ///
    /// # Errors
    /// A taken id; no space; the records' own.
    pub async fn upload(
        &self,
        caller: &Caller,
        id: SnapshotId,
        length: Option<u64>,
    ) -> Result<
        (mpsc::Sender<Piece>, tokio::task::JoinHandle<Result<serde_json::Map<String, Value>, SnapshotError>>),
        SnapshotError,
    > {
        self.require_room(length)?;
        let (sender, receiver) = channel();
        let (snapshots, caller) = (self.clone(), caller.clone());
        // A caller who hangs up at this moment must not leave a record that nobody works on.
        let begun = tokio::spawn(async move {
            let snapshot = snapshots.begin(&caller, id, SnapshotOrigin::Upload).await?;
            failpoints::here("upload:recorded");
            Ok::<_, SnapshotError>(tokio::spawn(async move { snapshots.receive(snapshot, receiver).await }))
        });
        let received = begun.await.unwrap_or(Err(SnapshotError::Incomplete))?;
        Ok((sender, received))
    }

    /// Refuses an archive whose length, where it is known, is past the limit or the free space. Nothing is recorded.
    ///
    /// # Errors
    /// [`SnapshotError::TooLong`], [`SnapshotError::NoSpace`].
    pub fn require_room(&self, length: Option<u64>) -> Result<(), SnapshotError> {
        let Some(length) = length else { return Ok(()) };
        if length > self.settings.max_upload_bytes {
            return Err(SnapshotError::TooLong(self.settings.max_upload_bytes));
        }
        Ok(self.store.require_space(length)?)
    }

    /// Fetches an archive by URL, and keeps it as an upload would. It goes on where the caller hangs up.
    ///
    /// # Errors
    /// A taken id; a URL that may not or can't be fetched; an archive that is refused. No record is left then.
    pub async fn upload_by_url(
        &self,
        caller: &Caller,
        id: SnapshotId,
        url: &str,
    ) -> Result<serde_json::Map<String, Value>, SnapshotError> {
        let fetch = Fetch::new(&self.settings.fetch, url)?;
        let (snapshots, caller) = (self.clone(), caller.clone());
        let task = tokio::spawn(async move {
            let snapshot = snapshots.begin(&caller, id, SnapshotOrigin::Url).await?;
            failpoints::here("fetch:recorded");
            let (sender, receiver) = channel();
            let room = snapshots.clone();
            let fetched = async move {
                let mut fetched = fetch.start().await?;
                room.require_room(fetched.expected_bytes())?;
                while let Some(bytes) = fetched.next().await? {
                    if sender.send(Piece::Bytes(bytes)).await.is_err() {
                        // The receiver has refused it and says why.
                        return Ok::<(), SnapshotError>(());
                    }
                }
                // Without the end, the receiver drops what came.
                let _ = sender.send(Piece::End).await;
                Ok(())
            };
            let (fetched, received) = tokio::join!(fetched, snapshots.receive(snapshot, receiver));
            match (fetched, received) {
                (Err(error), Err(SnapshotError::Incomplete)) => Err(error),
                (_, received) => received,
            }
        });
        task.await.unwrap_or(Err(SnapshotError::Incomplete))
    }

    async fn begin(
        &self,
        caller: &Caller,
        id: SnapshotId,
        origin: SnapshotOrigin,
    ) -> Result<Snapshot, SnapshotError> {
        let snapshot = self.fresh(caller, id, SnapshotStatus::Uploading, None);
        let row = snapshot.clone();
        let is_new = self.records.write(move |tx| Records::insert_snapshot(tx, &row, origin)).await?;
        if is_new {
            Ok(snapshot)
        } else {
            Err(SnapshotError::Exists { id: snapshot.id, tenant: snapshot.tenant_name })
        }
    }

    async fn receive(
        &self,
        snapshot: Snapshot,
        receiver: Receiver,
    ) -> Result<serde_json::Map<String, Value>, SnapshotError> {
        let kept = match self.arrive(receiver).await {
            Ok(arrived) => {
                let (snapshots, row) = (self.clone(), snapshot.clone());
                blocking(move || snapshots.keep(&row, arrived)).await
            }
            Err(error) => Err(error),
        };
        let (tenant, id) = (snapshot.tenant_name.clone(), snapshot.id.clone());
        let error = match kept {
            Ok(facts) => {
                let recorded = self.records.write(move |tx| {
                    let status = SnapshotStatus::Uploaded;
                    Records::set_snapshot_status(tx, &tenant, &id, status, "", Some(&facts))?;
                    view(tx, &tenant, &id, None)?.ok_or(SnapshotError::NotFound(id))
                });
                match recorded.await {
                    Ok(item) => {
                        failpoints::here("upload:ended");
                        return Ok(item);
                    }
                    Err(error) => error,
                }
            }
            Err(error) => {
                failpoints::here("upload:refused");
                error
            }
        };
        self.take_back(snapshot).await;
        Err(error)
    }

    /// Removes what an upload that was not kept has left. Where its record can't be removed yet, as the disk is full, that
    /// goes on without the caller.
    async fn take_back(&self, snapshot: Snapshot) {
        let (store, file) = (self.store.clone(), snapshot.archive_file);
        let removed = tokio::task::spawn_blocking(move || store.remove(file)).await;
        if !matches!(removed, Ok(Ok(()))) {
            tracing::error!(
                "the archive `{file}` of a refused upload is not gone; the next start removes it"
            );
        }
        if let Err(error) = self.forget(&snapshot).await {
            tracing::error!(error = %error, "the record of a refused upload is not gone yet: {error}");
            let snapshots = self.clone();
            tokio::spawn(async move {
                while snapshots.forget(&snapshot).await.is_err() {
                    tokio::time::sleep(FORGET_INTERVAL).await;
                }
            });
        }
    }

    async fn forget(&self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let (tenant, id) = (snapshot.tenant_name.clone(), snapshot.id.clone());
        self.records.write(move |tx| Records::delete_snapshot(tx, &tenant, &id)).await?;
        Ok(())
    }

    /// Takes the pieces as they come. A sender who is slow holds no thread meanwhile: there are some hundred of them, and
    /// others need them to log in.
    async fn arrive(&self, mut receiver: Receiver) -> Result<Arrived, SnapshotError> {
        let (store, boot) = (self.store.clone(), self.records.boot());
        let mut arrived =
            blocking(move || Ok(Arrived { partial: store.begin(boot)?, hash: Sha256::new(), size_bytes: 0 }))
                .await?;
        loop {
            let mut pieces = Vec::with_capacity(WAITING_PIECES);
            if receiver.0.recv_many(&mut pieces, WAITING_PIECES).await == 0 {
                return Err(SnapshotError::Incomplete);
            }
            let is_whole = matches!(pieces.last(), Some(Piece::End));
            let most_bytes = self.settings.max_upload_bytes;
            arrived = blocking(move || arrived.with(pieces, most_bytes)).await?;
            if is_whole {
                return Ok(arrived);
            }
        }
    }

    /// Judges what has arrived whole, and makes it the snapshot's archive.
    fn keep(&self, snapshot: &Snapshot, arrived: Arrived) -> Result<ArchiveFacts, SnapshotError> {
        let Arrived { mut partial, hash, size_bytes } = arrived;
        if size_bytes == 0 {
            return Err(SnapshotError::NotAnArchive("it is empty".to_owned()));
        }
        partial.as_file_mut().seek(SeekFrom::Start(0))?;
        let archive =
            Archive::open(partial.as_file().try_clone()?, self.settings.limits.clone()).map_err(refused)?;
        let contents = match archive.format() {
            Format::Lifeboat1 => {
                // A damaged archive of ours is refused while its sender can still send it again.
                let threads = self.settings.archive_threads;
                archive.verify(threads, &mut |_, _| ControlFlow::Continue(())).map_err(refused)?;
                let counts = archive.manifest().map(|manifest| &manifest.counts);
                let options = archive.metadata().lifeboat.as_ref().map(|ours| ours.options);
                json!({ "counts": counts, "options": options })
            }
            Format::Foreign { snapshot_version } => json!({ "snapshot_version": snapshot_version }),
        };
        let verified_at = matches!(archive.format(), Format::Lifeboat1).then(Timestamp::now);
        drop(archive);
        failpoints::here("upload:judged");
        self.store.keep(partial, snapshot.archive_file)?;
        failpoints::here("upload:kept");
        Ok(ArchiveFacts { size_bytes, sha256: hex::encode(hash.finalize()), contents, verified_at })
    }
}

/// What has arrived of an archive.
struct Arrived {
    partial: NamedTempFile,
    hash: Sha256,
    size_bytes: u64,
}

impl Arrived {
    /// The same with more of it, up to so many bytes. Dropped on an error, it leaves nothing.
    fn with(mut self, pieces: Vec<Piece>, most_bytes: u64) -> Result<Self, SnapshotError> {
        for piece in pieces {
            let Piece::Bytes(bytes) = piece else { break };
            self.size_bytes += bytes.len() as u64;
            if self.size_bytes > most_bytes {
                return Err(SnapshotError::TooLong(most_bytes));
            }
            self.hash.update(&bytes);
            self.partial.as_file_mut().write_all(&bytes).map_err(no_space)?;
            failpoints::here("upload:writing");
        }
        Ok(self)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, SnapshotError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(SnapshotError::Incomplete))
}

fn refused(error: ArchiveError) -> SnapshotError {
    if error.is_refusal() {
        SnapshotError::NotAnArchive(error.to_string())
    } else {
        SnapshotError::Archive(error)
    }
}

fn no_space(error: std::io::Error) -> SnapshotError {
    if is_storage_full(&error) {
        SnapshotError::NoSpace("there is no space left for the archive: nothing was kept".to_owned())
    } else {
        error.into()
    }
}
