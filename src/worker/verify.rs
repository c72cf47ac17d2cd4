//! Verify: every byte of a stored archive is read, and everything is looked for that a restore would look for.
//!
//! It reads nothing of the manager and changes nothing but the snapshot's record. While a restore runs it stands still.

use std::io::Read;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::archive::{Archive, Format, SignatureState};
use crate::executions::table::Progress;
use crate::executions::{Job, JobError, JobResult};
use crate::failpoints;
use crate::model::{Snapshot, Timestamp};
use crate::records::Records;
use crate::sources::embedded;

use super::SnapshotWorker;
use super::carrier::ArchiveSource;
use super::stored::OTHER_BYTES;

/// How often it asks whether a restore runs.
const ASK_INTERVAL: Duration = Duration::from_millis(250);
/// How long it stands still before it asks again.
const PAUSE: Duration = Duration::from_millis(50);

impl SnapshotWorker {
    /// Verifies a snapshot, and writes into its record that it is good, or what is wrong.
    pub(super) fn verify(&self, job: &Job) -> JobResult {
        let snapshot = self.snapshot_of(job.execution())?;
        job.log(format!("Verifying snapshot `{}`", snapshot.id));
        let judged = self.verify_snapshot(job, &snapshot);
        let error = match &judged {
            Ok(_) => String::new(),
            // It says nothing of the archive.
            Err(JobError::Cancelled) => return Err(JobError::Cancelled),
            Err(JobError::Failed(reason)) => format!("verify: {reason}"),
        };
        let verified_at = judged.is_ok().then(Timestamp::now);
        let (tenant, id, file) = (snapshot.tenant_name.clone(), snapshot.id.clone(), snapshot.archive_file);
        self.records.database().write_blocking(move |tx| {
            Records::set_snapshot_verified(tx, &tenant, &id, file, verified_at, &error)
        })?;
        if judged.is_ok() {
            job.log(format!("Snapshot `{}` is good", snapshot.id));
        }
        judged
    }

    fn verify_snapshot(&self, job: &Job, snapshot: &Snapshot) -> JobResult {
        let mut pause = Pause { worker: self, asked: None };
        let mut file = self.read_stored(snapshot)?;
        failpoints::hit("verify:reading", job)?;
        if let Some(expected) = &snapshot.sha256 {
            let size = snapshot.size_bytes.unwrap_or(0);
            let mut hash = Sha256::new();
            let mut buffer = vec![0; 1 << 20];
            let mut done = 0;
            loop {
                pause.wait(job)?;
                let read = file
                    .read(&mut buffer)
                    .map_err(|error| JobError::internal("failed to read the archive", &error))?;
                if read == 0 {
                    break;
                }
                hash.update(&buffer[..read]);
                done += read as u64;
                job.progress(Progress {
                    phase: "hashing",
                    done_bytes: done,
                    total_bytes: size,
                    ..Progress::default()
                });
            }
            if hex::encode(hash.finalize()) != *expected || done != size {
                return Err(JobError::Failed(OTHER_BYTES.to_owned()));
            }
        }
        failpoints::hit("verify:hashed", job)?;
        let archive = Archive::open(file, self.settings.limits.clone())?;
        let mut stopped = None;
        let verified = archive.verify(self.settings.archive_threads, &mut |done, total| {
            job.progress(Progress {
                phase: "verifying",
                done_bytes: done,
                total_bytes: total,
                ..Progress::default()
            });
            match pause.wait(job) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    stopped = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        if let Some(error) = stopped {
            return Err(error);
        }
        let verified = verified?;
        let Format::Lifeboat1 = archive.format() else {
            job.warn("the archive is not one of Lifeboat: its entries are whole, and nothing signs them");
            return Ok(Some(json!({
                "snapshot_id": snapshot.id, "entries": verified.entries, "size_bytes": verified.size_bytes,
                "content_bytes": verified.content_bytes, "signature": verified.signature, "sealed": null,
            })));
        };
        if matches!(verified.signature, SignatureState::Invalid | SignatureState::Missing) {
            return Err(JobError::Failed("the archive's signature is not valid".to_owned()));
        }
        failpoints::hit("verify:judging", job)?;
        job.progress(Progress { phase: "judging", ..Progress::default() });
        let keys = self.keys.current();
        let source = ArchiveSource::new(&archive, &keys.identities);
        let counts = embedded::judge(job, &source)?;
        let promised = archive.manifest().map(|manifest| manifest.counts.clone()).unwrap_or_default();
        for (kind, found) in &counts {
            // What the manifest does not count is not promised.
            let Some(promised) = promised.get(kind) else { continue };
            if promised != found {
                return Err(JobError::Failed(format!(
                    "the archive promises {promised} {kind} and holds {found}"
                )));
            }
        }
        let sealed = archive.entries().iter().filter(|entry| entry.path.starts_with("credentials/")).count();
        Ok(Some(json!({
            "snapshot_id": snapshot.id,
            "entries": verified.entries,
            "size_bytes": verified.size_bytes,
            "content_bytes": verified.content_bytes,
            "signature": verified.signature,
            "sealed": sealed,
            "counts": counts,
        })))
    }
}

/// Lets a verify stand still while a restore or rollback runs.
struct Pause<'a> {
    worker: &'a SnapshotWorker,
    asked: Option<Instant>,
}

impl Pause<'_> {
    fn wait(&mut self, job: &Job) -> Result<(), JobError> {
        loop {
            job.check()?;
            if self.asked.is_some_and(|asked| asked.elapsed() < ASK_INTERVAL) {
                return Ok(());
            }
            let is_restoring = self.worker.records.database().read_blocking(Records::is_restoring)?;
            if !is_restoring {
                self.asked = Some(Instant::now());
                return Ok(());
            }
            self.asked = None;
            std::thread::sleep(PAUSE);
        }
    }
}
