//! Restore, all or nothing, and its undoing: judge, stage, swap under the journal.

use serde_json::{Value, json};

use crate::archive::{Archive, SignatureState};
use crate::executions::table::Progress;
use crate::executions::{Job, JobError, JobResult};
use crate::failpoints;
use crate::keys::Keys;
use crate::manager::{Inventory, Manager};
use crate::model::Snapshot;
use crate::records::{Direction, Identity, Journal, JournalPhase, Records, SourceEntry};
use crate::sources::accounts::{self, Accounts, Restored};
use crate::sources::embedded::{self, Counts, Selected};
use crate::sources::{EntrySource, SourceError};

use super::SnapshotWorker;
use super::carrier::ArchiveSource;
use super::flows::flow_counts;
use super::plan::archive_refusals;
use super::render::metric_counts;
use super::sealed::{self, Sealed};

/// Cloudify's sentence for a restore onto a manager that is in use.
pub(super) const NOT_CLEAN: &str = "Snapshot restoration on a non-empty manager is not permitted. Pass the --force flag to force the restore and delete existing data from the manager";

/// What is asked for free on the manager's disk for entities, as a multiple of their documents: tables with their
/// indexes, and the write-ahead log beside them. Files are taken as they are.
const ENTITIES_FACTOR: u64 = 3;

/// Keeps writers out of the manager while it lives.
struct Closed<'a>(&'a Manager);

impl<'a> Closed<'a> {
    fn new(manager: &'a Manager) -> Result<Self, JobError> {
        // Restores and rollbacks run alone: only a start that needs a human leaves the manager closed.
        if manager.is_closed() {
            return Err(JobError::Failed(
                "an earlier restore was interrupted and can't be recovered by itself: see the service's log, and start it again".to_owned(),
            ));
        }
        let closed = Self(manager);
        manager.close_blocking()?;
        Ok(closed)
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.reopen();
    }
}

/// What a restore did to the accounts, as its report has it.
fn accounts_report(restored: &Restored) -> Value {
    let mut report = json!(restored);
    report["outcome"] = json!("done");
    report
}

/// About how many bytes the restored copy of an archive takes beside the live state.
pub(super) fn staged_bytes(archive: &Archive) -> u64 {
    let bytes = archive.entries().iter().map(|entry| {
        let factor = if entry.path.ends_with(".json") { ENTITIES_FACTOR } else { 1 };
        entry.size.saturating_mul(factor)
    });
    bytes.fold(0, u64::saturating_add)
}

/// What an archive promises and did not come out of it; the kinds of `left_out` were not looked at.
pub(super) fn unkept_promise(
    archive: &Archive,
    sealed: Sealed,
    (counts, accounts): (&Counts, &Accounts),
    left_out: &[&str],
) -> Option<String> {
    archive.manifest()?.counts.iter().find_map(|(kind, count)| {
        let is_elsewhere = kind == "private_keys" || left_out.contains(&kind.as_str());
        let found = counts.get(kind).copied().or_else(|| accounts.count(kind)).unwrap_or(0);
        (!is_elsewhere && sealed.brings(kind) && found != *count).then(|| {
            format!("the archive promises {count} {kind} and {found} came out of it: nothing was changed")
        })
    })
}

impl SnapshotWorker {
    pub(super) fn restore(&self, job: &Job) -> JobResult {
        let execution = job.execution();
        let snapshot = self.snapshot_of(execution)?;
        job.log(format!("Restoring snapshot `{}`", snapshot.id));
        let ignored = ["restore_certificates", "no_reboot", "ignore_plugin_failure", "timeout"];
        self.tell_options_without_effect(job, &ignored);

        let archive = self.open_stored(&snapshot)?;
        let keys = self.keys.current();
        let sealed = Sealed::of(execution);
        self.judge(job, &archive, &snapshot, &keys, sealed)?;
        // From here on nobody changes what is judged to be clean, or is about to be replaced.
        let _closed = Closed::new(&self.manager)?;
        let mut lost = sealed::lost(&archive, &keys, sealed)?;
        let mut wish = super::selective::wish(execution)?;
        if let Some(wish) = &mut wish {
            wish.lost = std::mem::take(&mut lost.named);
        }
        let former = match &wish {
            None => self.require_clean_or_forced(job)?,
            Some(_) => self.manager.inventory_blocking()?,
        };
        self.store.require_space(self.needed_bytes(&archive, wish.is_some()))?;
        // What a part of an archive changes is found out where it is staged, and stands in the report.
        let plan = match &wish {
            None => self.plan_phase(job, &archive, &keys, sealed)?,
            Some(_) => Value::Null,
        };
        let source = ArchiveSource::new(&archive, &keys.identities).passing_over(sealed);
        let accounts = accounts::read(&source)?;

        failpoints::hit("restore:judged", job)?;
        self.set_journal(job, JournalPhase::Staging, Vec::new())?;
        failpoints::hit("restore:journalled", job)?;
        job.progress(Progress { phase: "staging", ..Progress::default() });
        let embedded = self.embedded();
        let entries = &source as &dyn EntrySource;
        let staged = match &wish {
            None => embedded.stage(job, entries).map(|staged| (staged, None)),
            Some(wish) => {
                let staged = embedded.stage_selected(job, entries, wish);
                staged.map(|(staged, selected)| (staged, Some(selected)))
            }
        };
        let (staged, selected) = match staged {
            Ok(staged) => staged,
            Err(error) => {
                self.set_journal(job, JournalPhase::Undone, Vec::new())?;
                return Err(error.into());
            }
        };
        if let Some(selected) = selected.as_ref().filter(|_| execution.asks_for("dry_run")) {
            staged.discard()?;
            self.set_journal(job, JournalPhase::Undone, Vec::new())?;
            job.log("nothing was changed: it was only asked what would be");
            return Ok(Some(super::selective::dry_report(&snapshot.id, archive.signature(), selected)));
        }
        let (before, after) = staged.identities();
        let entry = SourceEntry { name: embedded::NAME.to_owned(), before, after };
        let prepared = self.prepare(job, &archive, &staged, &accounts, selected.as_ref(), &entry);
        let tenants = match prepared {
            Ok(tenants) => tenants,
            Err(error) => {
                staged.discard()?;
                self.set_journal(job, JournalPhase::Undone, Vec::new())?;
                return Err(error);
            }
        };
        // Who may log in is no part of what was selected.
        let accounts = if selected.is_none() { accounts } else { Accounts::default() };
        let (journal, restored) = {
            let journal = self.journal(job, JournalPhase::Swapping, vec![entry.clone()]);
            let row = journal.clone();
            // The point of no return, and the accounts with it.
            let restored = self.records.database().write_blocking(move |tx| {
                Records::set_journal(tx, &row)?;
                accounts.restore(tx, &tenants)
            })?;
            (journal, restored)
        };
        failpoints::hit("restore:swapping", job)?;
        self.swap(job, journal)?;
        for line in staged.notes.iter().chain(&staged.flow_notes) {
            job.warn(line.clone());
        }
        for user in &restored.added {
            job.warn(format!(
                "the user `{user}` came with the archive and is locked: set a password and activate it"
            ));
        }
        for line in &restored.not_applied {
            job.warn(format!(
                "not applied: {line} when the archive was made; give it by hand where it is wanted"
            ));
        }
        if !restored.permissions.is_empty() {
            job.warn(format!(
                "the table of permissions was another one when the archive was made, and is left as it is: {}",
                restored.permissions.join(", ")
            ));
        }
        let metrics = match staged.has_metrics {
            true if selected.is_some() => json!({ "outcome": "done" }),
            true => json!({ "outcome": "done", "counts": metric_counts(&staged.counts) }),
            false => json!({
                "outcome": "skipped",
                "reason": match selected {
                    Some(_) => "no metric was selected: those of the manager stay as they were",
                    None => "the archive holds no measurements: those of the manager stay as they were",
                },
            }),
        };
        failpoints::here("restore:done");
        let environments = self.recreate_environments(job, selected.as_ref()).unwrap_or_else(|error| {
            // The restored state stands, so the restore has not failed.
            job.warn(format!("the environments of deployments were not recreated: {error}"));
            json!({ "outcome": "failed", "reason": error.to_string() })
        });
        failpoints::here("restore:recreated");
        let live = self.manager.inventory_blocking()?;
        job.log(format!("Successfully restored snapshot `{}`", snapshot.id));
        if let Some(selected) = &selected {
            lost.named.clone_from(&selected.lost);
            return Ok(Some(super::selective::report(
                &snapshot.id,
                archive.signature(),
                selected,
                json!({
                    embedded::NAME: { "outcome": "done", "counts": live.counts, "changed": former.compare(&live), "notes": staged.notes },
                    "flows": { "outcome": "done", "counts": flow_counts(&live.counts), "notes": staged.flow_notes },
                    "metrics": metrics,
                    "sealed": sealed::missing(&archive, sealed, &lost),
                }),
                &environments,
            )));
        }
        Ok(Some(json!({
            "snapshot_id": snapshot.id,
            "archive_bytes": archive.size_bytes(),
            "plan": plan,
            "signature": archive.signature(),
            "sources": {
                embedded::NAME: { "outcome": "done", "counts": live.counts, "changed": former.compare(&live), "notes": staged.notes },
                "flows": { "outcome": "done", "counts": flow_counts(&staged.counts), "notes": staged.flow_notes },
                "accounts": accounts_report(&restored),
                "metrics": metrics,
                "sealed": sealed::missing(&archive, sealed, &lost),
            },
            "environments": environments,
        })))
    }

    /// Reads every byte, and refuses what can't be restored before anything is touched.
    pub(super) fn judge(
        &self,
        job: &Job,
        archive: &Archive,
        snapshot: &Snapshot,
        keys: &Keys,
        sealed: Sealed,
    ) -> Result<(), JobError> {
        let refusals = archive_refusals(archive, keys, sealed);
        if let Some(refusal) = refusals.into_iter().find(|found| found.rule == "foreign_archive") {
            return Err(JobError::Failed(refusal.message));
        }
        self.verify_stored(job, archive, snapshot)?;
        if let Some(refusal) = archive_refusals(archive, keys, sealed).into_iter().next() {
            return Err(JobError::Failed(refusal.message));
        }
        if sealed == Sealed::PassedOver && archive.sealed_parts().next().is_some() {
            job.warn("the sealed parts of the archive are left out, as was asked for: secrets, keys and the archives of blueprints that hold keys are not restored");
        }
        let SignatureState::Valid { signer } = archive.signature() else { return Ok(()) };
        let first = archive.metadata().lifeboat.as_ref().and_then(|ours| ours.first_signer.as_ref());
        if !keys.is_own_signer(signer) {
            job.warn(format!("the archive was signed by another Lifeboat: {}", signer.fingerprint()));
        } else if let Some(first) = first.filter(|first| !keys.is_own_signer(first)) {
            let key = first.fingerprint();
            job.warn(format!(
                "the archive was signed by another Lifeboat before it was sealed anew here: {key}"
            ));
        }
        Ok(())
    }

    /// Says what the restore is about to change, while writers are kept out. That it can't be said is no reason not to
    /// restore: the live state may be what is broken.
    fn plan_phase(
        &self,
        job: &Job,
        archive: &Archive,
        keys: &Keys,
        sealed: Sealed,
    ) -> Result<Value, JobError> {
        job.progress(Progress { phase: "planning", ..Progress::default() });
        failpoints::hit("restore:planning", job)?;
        match self.compare_for_restore(job, archive, keys, sealed) {
            Ok((_, changes)) => {
                super::plan::tell(job, &changes);
                Ok(Value::Object(changes))
            }
            Err(SourceError::Cancelled) => Err(JobError::Cancelled),
            Err(error) => {
                let reason = JobError::from(error).to_string();
                job.warn(format!("what the restore changes can't be told: {reason}"));
                Ok(json!({ "outcome": "failed", "reason": reason }))
            }
        }
    }

    /// Answers what the manager holds.
    fn require_clean_or_forced(&self, job: &Job) -> Result<Inventory, JobError> {
        let inventory = self.manager.inventory_blocking()?;
        if inventory.is_clean() {
            return Ok(inventory);
        }
        let made = inventory.made().join(", ");
        if !job.execution().parameters.get("force").and_then(Value::as_bool).unwrap_or(false) {
            return Err(JobError::Failed(format!("{NOT_CLEAN} (it holds {made})")));
        }
        job.warn(format!(
            "Forcing snapshot restoration on a non-empty manager. Existing data will be deleted: {made}"
        ));
        Ok(inventory)
    }

    /// Compares what was staged with what the archive promises, and passes the point of no return.
    fn prepare(
        &self,
        job: &Job,
        archive: &Archive,
        staged: &embedded::StagedGeneration,
        accounts: &Accounts,
        selected: Option<&Selected>,
        entry: &SourceEntry,
    ) -> Result<Vec<String>, JobError> {
        failpoints::hit("restore:staging", job)?;
        let counts = selected.map_or(&staged.counts, |selected| &selected.archived);
        let left_out = selected.map_or(&[][..], |selected| &selected.left_out);
        if let Some(message) =
            unkept_promise(archive, Sealed::of(job.execution()), (counts, accounts), left_out)
        {
            return Err(JobError::Failed(message));
        }
        if staged.counts.values().sum::<u64>() == 0 {
            return Err(JobError::Failed("the archive holds nothing that could be restored".to_owned()));
        }
        let tenants = staged.tenants()?;
        self.set_journal(job, JournalPhase::Staged, vec![entry.clone()])?;
        failpoints::hit("restore:staged", job)?;
        job.commit()?;
        Ok(tenants)
    }

    /// Puts the restored state at the live name, or leaves the former one there: never anything between.
    fn swap(&self, job: &Job, mut journal: Journal) -> Result<(), JobError> {
        job.progress(Progress { phase: "swapping", ..job.current_progress() });
        for entry in &journal.sources {
            if let Err(error) = embedded::swap(&self.manager, &entry.before, &entry.after, Direction::Forward)
            {
                tracing::error!(error = %error, "a swap failed; the former state is put back: {error}");
                self.write_journal(job, &mut journal, JournalPhase::Unswapping)?;
                for entry in journal.sources.iter().rev() {
                    embedded::swap(&self.manager, &entry.before, &entry.after, Direction::Back)?;
                }
                self.write_journal(job, &mut journal, JournalPhase::Undone)?;
                return Err(error.into());
            }
        }
        failpoints::hit("restore:swapped", job)?;
        self.write_journal(job, &mut journal, JournalPhase::Swapped)?;
        failpoints::hit("restore:finishing", job)?;
        // The restore has happened: what is left over of earlier ones is no reason to call it failed.
        let tidied = super::recover::drop_old_generations(&self.manager, &journal)
            .and_then(|()| super::recover::collect_garbage(&self.records, &self.manager));
        if let Err(error) = tidied {
            tracing::warn!("what earlier restores left is not gone; the next start removes it: {error}");
        }
        failpoints::here("restore:tidied");
        self.write_journal(job, &mut journal, JournalPhase::Finished)?;
        failpoints::here("restore:finished");
        Ok(())
    }

    /// Undoes the last restore: the kept state comes back, and what it replaces is kept.
    pub(super) fn rollback(&self, job: &Job) -> JobResult {
        let last = self.records.database().read_blocking(Records::last_finished_journal)?;
        let last = last.ok_or_else(|| JobError::Failed("there is no restore to undo".to_owned()))?;
        let _closed = Closed::new(&self.manager)?;
        let mut sources = Vec::new();
        for entry in &last.sources {
            let (Identity::Generation(kept), Identity::Generation(live)) = (&entry.before, &entry.after);
            if self.manager.current().number != *live
                || !self
                    .manager
                    .generations()
                    .all()
                    .map_err(crate::manager::ManagerError::from)?
                    .contains(kept)
            {
                return Err(JobError::Failed(
                    "the state before the last restore is not kept any more: restore a snapshot instead"
                        .to_owned(),
                ));
            }
            embedded::keep_going(&self.manager, *kept)?;
            sources.push(SourceEntry {
                name: entry.name.clone(),
                before: entry.after.clone(),
                after: entry.before.clone(),
            });
        }
        let journal = self.journal(job, JournalPhase::Swapping, sources);
        job.commit()?;
        let row = journal.clone();
        self.records.database().write_blocking(move |tx| Records::set_journal(tx, &row))?;
        failpoints::hit("rollback:swapping", job)?;
        self.swap(job, journal)?;
        job.log("the state before the last restore is back; another rollback brings the restored one again");
        let live = self.manager.inventory_blocking()?;
        Ok(Some(json!({
            "undone_execution_id": last.execution_id,
            "sources": { embedded::NAME: { "outcome": "done", "counts": live.counts } },
        })))
    }

    fn journal(&self, job: &Job, phase: JournalPhase, sources: Vec<SourceEntry>) -> Journal {
        Journal { execution_id: job.execution().id, phase, sources }
    }

    fn set_journal(&self, job: &Job, phase: JournalPhase, sources: Vec<SourceEntry>) -> Result<(), JobError> {
        let journal = self.journal(job, phase, sources);
        Ok(self.records.database().write_blocking(move |tx| Records::set_journal(tx, &journal))?)
    }

    fn write_journal(&self, job: &Job, journal: &mut Journal, phase: JournalPhase) -> Result<(), JobError> {
        journal.phase = phase;
        let row = journal.clone();
        let goes_on = || !job.is_stopping();
        Ok(self.records.database().insist_blocking(&goes_on, move |tx| Records::set_journal(tx, &row))?)
    }

    /// Makes the environments of restored deployments again, each as a child execution of the restore.
    fn recreate_environments(&self, job: &Job, selected: Option<&Selected>) -> Result<Value, JobError> {
        let parameters = &job.execution().parameters;
        if !parameters.get("recreate_deployments_envs").and_then(Value::as_bool).unwrap_or(true) {
            return Ok(json!({ "outcome": "skipped", "reason": "not asked for" }));
        }
        let made = super::environments::recreate(
            &self.manager,
            &self.records,
            job,
            selected.map(|selected| &selected.deployments),
        )?;
        Ok(json!({ "outcome": "done", "deployments": made.done, "failed": made.failed }))
    }
}
