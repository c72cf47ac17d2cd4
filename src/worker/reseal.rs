//! Reseal: a snapshot's archive written anew for other keys, read back, and put in the place of the former one.

use std::ops::ControlFlow;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::archive::{Fingerprint, Recipient, Reseal, reseal};
use crate::executions::table::Progress;
use crate::executions::{Job, JobError, JobResult};
use crate::failpoints;
use crate::keys::Keys;
use crate::model::{Execution, Snapshot, Timestamp};
use crate::records::{NewArchive, Records};

use super::SnapshotWorker;
use super::carrier::Watched;
use super::create::seal_for;
use super::sealed::Sealed;

/// What is asked for free beside the length of the archive.
const SPARE_BYTES: u64 = 16 << 20;

/// For whom the copy is sealed: the present recipients and those that were asked for, but for those that are to go.
fn recipients(execution: &Execution, keys: &Keys) -> Result<Vec<Recipient>, JobError> {
    let dropped = execution.parameters.get("drop").and_then(Value::as_array);
    let dropped: Vec<&str> = dropped.into_iter().flatten().filter_map(Value::as_str).collect();
    let mut all = keys.recipients_with(&seal_for(execution)?);
    all.retain(|recipient| !dropped.contains(&recipient.fingerprint().as_str()));
    Ok(all)
}

impl SnapshotWorker {
    pub(super) fn reseal(&self, job: &Job) -> JobResult {
        let execution = job.execution();
        let snapshot = self.snapshot_of(execution)?;
        job.log(format!("Sealing the archive of snapshot `{}` anew", snapshot.id));
        let archive = self.open_stored(&snapshot)?;
        let keys = self.keys.current();
        self.judge(job, &archive, &snapshot, &keys, Sealed::Wanted)?;
        let recipients = recipients(execution, &keys)?;
        self.store.require_space(archive.size_bytes().saturating_add(SPARE_BYTES))?;
        let mut partial = self.store.begin(job.boot())?;
        job.progress(Progress { phase: "resealing", ..Progress::default() });
        failpoints::hit("reseal:writing", job)?;
        let options = Reseal {
            archive_id: Uuid::now_v7(),
            identities: &keys.identities,
            recipients: &recipients,
            signing_key: &keys.signing,
            spool_dir: &self.settings.partial,
        };
        let sink = Watched::new(job, partial.as_file_mut(), archive.size_bytes());
        // The sink tells how far it is; here only a stop is looked for, also while a long part is sealed.
        let (_, finished) = reseal(&archive, sink, options, &mut |_, _| match job.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })?;
        self.read_back(job, partial.as_file_mut(), &finished.sha256)?;
        let sealed_for: Vec<Fingerprint> = recipients.iter().map(Recipient::fingerprint).collect();
        let new = NewArchive {
            file: Uuid::now_v7(),
            size_bytes: finished.size_bytes,
            sha256: finished.sha256.to_string(),
            sealed_for: json!(sealed_for),
            verified_at: Timestamp::now(),
            execution_id: execution.id,
        };
        failpoints::hit("reseal:verified", job)?;
        job.commit()?;
        self.replace_archive(job, &snapshot, partial, &new)?;

        let former =
            archive.metadata().lifeboat.as_ref().map(|ours| ours.sealed_for.clone()).unwrap_or_default();
        let left: Vec<&Fingerprint> = former.iter().filter(|key| !sealed_for.contains(key)).collect();
        for key in &left {
            job.log(format!("the archive is not sealed for `{key}` any more"));
        }
        job.log(format!(
            "The archive of snapshot `{}` is sealed anew: {} bytes",
            snapshot.id, new.size_bytes
        ));
        Ok(Some(json!({
            "snapshot_id": snapshot.id,
            "archive_id": options.archive_id,
            "resealed_from": archive.manifest().map(|manifest| manifest.archive_id),
            "sealed_for": sealed_for,
            "no_longer_sealed_for": left,
            "size_bytes": new.size_bytes,
            "sha256": new.sha256,
        })))
    }

    /// Puts a written archive in the place of the snapshot's. The record names both files while there are two, so that a
    /// start knows which of them is to go.
    fn replace_archive(
        &self,
        job: &Job,
        snapshot: &Snapshot,
        written: tempfile::NamedTempFile,
        new: &NewArchive,
    ) -> Result<(), JobError> {
        let database = self.records.database();
        let (row, file) = (snapshot.clone(), new.file);
        let is_announced = database.write_blocking(move |tx| Records::announce_archive(tx, &row, file))?;
        if !is_announced {
            return Err(JobError::Failed(format!(
                "the archive of snapshot `{}` was replaced meanwhile",
                snapshot.id
            )));
        }
        let (row, facts) = (snapshot.clone(), new.clone());
        let replaced = failpoints::hit("reseal:announced", job)
            .and_then(|()| Ok(self.store.keep(written, new.file)?))
            .and_then(|()| failpoints::hit("reseal:kept", job))
            .and_then(
                |()| Ok(database.write_blocking(move |tx| Records::replace_archive(tx, &row, &facts))?),
            );
        let gone = match replaced {
            Ok(true) => snapshot.archive_file,
            Ok(false) | Err(_) => new.file,
        };
        failpoints::hit("reseal:replaced", job)?;
        self.store.remove(gone)?;
        database.write_blocking(move |tx| Records::forget_spare(tx, gone))?;
        match replaced {
            Ok(true) => Ok(()),
            Ok(false) => Err(JobError::Failed(format!("the record of snapshot `{}` is gone", snapshot.id))),
            Err(error) => Err(error),
        }
    }
}
