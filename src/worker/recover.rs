//! What a start does about a restore that a crash or a kill interrupted, and about what other jobs left behind.
//!
//! The journal says what stood at each live name before and what is to stand there. What does stand there tells what
//! is left to do: forward, or back where the reversal had begun. It may crash and run again.

use std::collections::HashSet;
use std::time::Duration;

use crate::executions::JobError;
use crate::executions::events;
use crate::executions::table::{self, StatusChange};
use crate::failpoints;
use crate::manager::{Manager, ManagerError};
use crate::model::{BlobId, Execution, ExecutionStatus, SnapshotStatus, Workflow};
use crate::records::{Direction, Identity, Journal, JournalPhase, Records, RecordsError};
use crate::sources::embedded;
use crate::store::DiskStore;

/// How long a file that nothing names any more stays in the trash.
const TRASH_GRACE: Duration = Duration::from_secs(24 * 3600);

/// What a start found to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// A restore was finished: its swap had begun.
    pub went_forward: bool,
    /// A restore was taken back: its swap had not begun, or its reversal had.
    pub went_back: bool,
    /// Somebody else changed a live name: what to do. Writers stay out.
    pub needs_attention: Option<String>,
}

/// Brings the live state to what the journal says, lets executions say so that had written all they do, and removes what
/// nothing names any more. To be called before the engine closes the executions of an earlier boot.
///
/// # Errors
/// The parts' own; the start has to stop then.
pub fn recover(records: &Records, manager: &Manager) -> Result<Recovered, JobError> {
    let mut recovered = Recovered::default();
    let journal = records.database().read_blocking(Records::last_journal)?;
    if let Some(mut journal) = journal {
        recover_journal(records, manager, &mut journal, &mut recovered)?;
    }
    if recovered.needs_attention.is_none() {
        // Past the door, which may still be closed: nobody is served yet.
        let started = manager.current().database.write_blocking(|tx| crate::flows::resume_all(tx))?;
        failpoints::here("recover:resumed");
        if started > 0 {
            tracing::warn!("started {started} flow(s) again that an interrupted snapshot had paused");
        }
        end_written(records, manager)?;
        failpoints::here("recover:written");
        remove_unnamed_generations(records, manager)?;
        failpoints::here("recover:generations");
        collect_garbage(records, manager)?;
        failpoints::here("recover:garbage");
    }
    Ok(recovered)
}

fn recover_journal(
    records: &Records,
    manager: &Manager,
    journal: &mut Journal,
    recovered: &mut Recovered,
) -> Result<(), JobError> {
    let (direction, end) = match journal.phase {
        JournalPhase::Finished | JournalPhase::Undone => return Ok(()),
        JournalPhase::Staging | JournalPhase::Staged | JournalPhase::Unswapping => {
            (Direction::Back, JournalPhase::Undone)
        }
        JournalPhase::Swapping | JournalPhase::Swapped => (Direction::Forward, JournalPhase::Finished),
    };
    failpoints::here("recover:journal");
    let order: Vec<_> = match direction {
        Direction::Forward => journal.sources.iter().collect(),
        Direction::Back => journal.sources.iter().rev().collect(),
    };
    for entry in order {
        if let Err(error) = embedded::swap(manager, &entry.before, &entry.after, direction) {
            let message = error.to_string();
            tracing::error!("a restore was interrupted and can't be recovered by itself: {message}");
            // The journal stays as it is: which way to go is not forgotten until somebody has looked.
            manager.close_blocking()?;
            recovered.needs_attention = Some(message);
            return Ok(());
        }
    }
    failpoints::here("recover:swapped");
    match direction {
        Direction::Forward => {
            drop_old_generations(manager, journal)?;
            recovered.went_forward = true;
            tracing::warn!(execution.id = %journal.execution_id, "finished the restore `{}` that was interrupted in its swap", journal.execution_id);
        }
        Direction::Back => {
            recovered.went_back = true;
            tracing::warn!(execution.id = %journal.execution_id, "took back the restore `{}` that was interrupted: nothing was changed", journal.execution_id);
        }
    }
    failpoints::here("recover:tidied");
    write(records, journal, end)?;
    failpoints::here("recover:journalled");
    end_execution(records, journal, direction)?;
    failpoints::here("recover:ended");
    Ok(())
}

fn write(records: &Records, journal: &mut Journal, phase: JournalPhase) -> Result<(), JobError> {
    journal.phase = phase;
    let row = journal.clone();
    Ok(records.database().write_blocking(move |tx| Records::set_journal(tx, &row))?)
}

/// Lets the execution say what became of the restore: it did happen, or it did not.
fn end_execution(records: &Records, journal: &Journal, direction: Direction) -> Result<(), JobError> {
    let id = journal.execution_id;
    records.database().write_blocking(move |tx| {
        let Some(execution) = table::find(tx, id)? else { return Ok(()) };
        let (status, error, event) = match direction {
            Direction::Forward => {
                let mut event = events::workflow_event(&execution, "workflow_succeeded", "");
                event.message.push_str(": the service stopped in its swap and finished it at its start");
                event.message.push_str(left_undone(&execution));
                (ExecutionStatus::Terminated, "", event)
            }
            Direction::Back => {
                let error = "interrupted: the service stopped while it ran; nothing was changed";
                (ExecutionStatus::Failed, error, events::workflow_event(&execution, "workflow_failed", error))
            }
        };
        let change = StatusChange { error: Some(error), ..StatusChange::default() };
        if table::set_status(tx, id, status, &change)? {
            events::insert_event(tx, &execution, &event)?;
        }
        Ok::<_, RecordsError>(())
    })?;
    Ok(())
}

/// Executions of an earlier boot that had committed all that they do have ended well, though they could not say so. The
/// engine closes the others as failed.
fn end_written(records: &Records, manager: &Manager) -> Result<(), JobError> {
    let boot = records.boot();
    let interrupted =
        records.database().read_blocking(move |connection| table::interrupted(connection, boot))?;
    for execution in interrupted {
        if !is_written(records, manager, &execution)? {
            continue;
        }
        records.database().write_blocking(move |tx| {
            let change = StatusChange { error: Some(""), ..StatusChange::default() };
            if table::set_status(tx, execution.id, ExecutionStatus::Terminated, &change)? {
                let mut event = events::workflow_event(&execution, "workflow_succeeded", "");
                event.message.push_str(": the service stopped right after it");
                event.message.push_str(left_undone(&execution));
                events::insert_event(tx, &execution, &event)?;
            }
            Ok::<_, RecordsError>(())
        })?;
    }
    Ok(())
}

/// What a restore may not have done that happens after it has.
fn left_undone(execution: &Execution) -> &'static str {
    let is_asked =
        execution.parameters.get("recreate_deployments_envs") != Some(&serde_json::Value::Bool(false));
    match execution.workflow {
        Workflow::RestoreSnapshot if is_asked => "; environments of deployments may not have been made again",
        _ => "",
    }
}

/// Whether the one transaction that makes an execution's work stand was committed.
fn is_written(records: &Records, manager: &Manager, execution: &Execution) -> Result<bool, JobError> {
    let row = execution.clone();
    Ok(match execution.workflow {
        Workflow::CreateSnapshot => {
            let Some(id) = row.snapshot_id else { return Ok(false) };
            let tenant = row.tenant_name;
            let snapshot = records
                .database()
                .read_blocking(move |connection| Records::snapshot(connection, &tenant, &id))?;
            snapshot.is_some_and(|snapshot| {
                snapshot.status == SnapshotStatus::Created && snapshot.execution_id == Some(row.id)
            })
        }
        Workflow::RestoreSnapshot | Workflow::Rollback => {
            let journal = records.database().read_blocking(Records::last_journal)?;
            journal.is_some_and(|journal| {
                journal.phase == JournalPhase::Finished && journal.execution_id == row.id
            })
        }
        Workflow::ResealSnapshot => {
            records.database().read_blocking(move |tx| Records::has_replaced_archive(tx, row.id))?
        }
        Workflow::RestoreFlow | Workflow::CaptureFlow => {
            let state = manager.current().database.clone();
            state.read_blocking(move |connection| crate::flows::is_written(connection, &row))?
        }
        _ => false,
    })
}

/// Removes the generations that neither are live nor belong to this restore: what it replaced is kept until the next.
pub(super) fn drop_old_generations(manager: &Manager, journal: &Journal) -> Result<(), JobError> {
    let mut kept: HashSet<u64> = HashSet::from([manager.current().number]);
    for entry in &journal.sources {
        let (Identity::Generation(before), Identity::Generation(after)) = (&entry.before, &entry.after);
        kept.extend([*before, *after]);
    }
    for number in manager.generations().all().map_err(ManagerError::from)? {
        if !kept.contains(&number) {
            manager.generations().remove(number).map_err(ManagerError::from)?;
        }
    }
    Ok(())
}

fn remove_unnamed_generations(records: &Records, manager: &Manager) -> Result<(), JobError> {
    match records.database().read_blocking(Records::last_finished_journal)? {
        Some(journal) => drop_old_generations(manager, &journal),
        None => drop_old_generations(
            manager,
            &Journal {
                execution_id: crate::model::ExecutionId::default(),
                phase: JournalPhase::Finished,
                sources: Vec::new(),
            },
        ),
    }
}

/// Moves the files that nothing names any more to the trash, and empties that of what is old. What runs beside
/// pins the files that it is about to name.
pub(super) fn collect_garbage(records: &Records, manager: &Manager) -> Result<(), JobError> {
    let roots = named_blobs(records, manager)?;
    let moved = manager.blobs().collect_garbage(&roots, TRASH_GRACE).map_err(ManagerError::from)?;
    if moved > 0 {
        tracing::info!("moved {moved} files that nothing names any more to the trash");
    }
    Ok(())
}

/// The files that any generation on disk names, and the pictures of chart snapshots.
fn named_blobs(records: &Records, manager: &Manager) -> Result<HashSet<BlobId>, JobError> {
    let pictures = records.database().read_blocking(Records::chart_pictures)?;
    let mut named: HashSet<BlobId> = pictures.into_iter().collect();
    for number in manager.generations().all().map_err(ManagerError::from)? {
        let live = manager.current();
        if number == live.number {
            named.extend(live.database.read_blocking(crate::manager::named_blobs)?);
            continue;
        }
        let kept = manager.generations().load(number).map_err(ManagerError::from)?;
        let of_kept = kept.database.read_blocking(crate::manager::named_blobs);
        kept.close_blocking();
        named.extend(of_kept?);
    }
    Ok(named)
}

/// Uploads of an earlier boot can't go on; what they, failed creates, reseals and deletes left in the store goes. Another file that
/// no record names is left and told of: it may be somebody's only copy. To be called when the engine has closed the
/// executions of an earlier boot.
///
/// # Errors
/// The parts' own; the start has to stop then.
pub fn tidy_store(records: &Records, store: &DiskStore) -> Result<(), JobError> {
    for file in records.database().read_blocking(Records::spare_files)? {
        store.remove(file)?;
        records.database().write_blocking(move |tx| Records::forget_spare(tx, file))?;
    }
    let files = records.database().write_blocking(|tx| {
        for snapshot in Records::unfinished_snapshots(tx)? {
            if snapshot.status == SnapshotStatus::Uploading {
                let error = "interrupted: the service stopped while it was uploaded";
                let (tenant, id) = (&snapshot.tenant_name, &snapshot.id);
                Records::set_snapshot_status(tx, tenant, id, SnapshotStatus::Failed, error, None)?;
            }
        }
        Records::archive_files(tx)
    })?;
    failpoints::here("recover:uploads");
    for file in store.all()? {
        match files.iter().find(|(named, _)| *named == file) {
            Some((_, SnapshotStatus::Failed)) => {
                store.remove(file)?;
                failpoints::here("recover:removed");
            }
            Some(_) => {}
            None if records.database().read_blocking(move |tx| Records::was_deleted(tx, file))? => {
                store.remove(file)?;
                failpoints::here("recover:removed");
            }
            None => tracing::warn!(
                "the store holds the archive `{file}` that no record names: it is left as it is"
            ),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::manager::{Blobs, Vault};
    use crate::model::ExecutionId;
    use crate::records::SourceEntry;

    struct Fixture {
        _folder: tempfile::TempDir,
        records: Records,
        manager: Manager,
    }

    impl Fixture {
        /// Generations 1 (the first live one), 2 and 3; `live` is the live one, and the journal's row says that 1 was
        /// to be replaced by 2.
        fn new(phase: JournalPhase, live: u64) -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("tmp")).unwrap();
            let records = Records::open(&folder.path().join("records.db")).unwrap();
            let blobs = Blobs::open(&folder.path().join("blobs"), &folder.path().join("tmp")).unwrap();
            let vault = Arc::new(Vault::new(&[1; 32]));
            let manager = Manager::open(&folder.path().join("manager"), blobs, vault).unwrap();
            manager.generations().create().unwrap();
            manager.generations().create().unwrap();
            manager.switch_to(live).unwrap();
            let entry = SourceEntry {
                name: embedded::NAME.to_owned(),
                before: Identity::Generation(1),
                after: Identity::Generation(2),
            };
            let journal = Journal { execution_id: ExecutionId::new(), phase, sources: vec![entry] };
            records.database().write_blocking(move |tx| Records::set_journal(tx, &journal)).unwrap();
            Self { _folder: folder, records, manager }
        }

        fn recover(&self) -> Recovered {
            recover(&self.records, &self.manager).unwrap()
        }

        fn phase(&self) -> JournalPhase {
            self.records.database().read_blocking(Records::last_journal).unwrap().unwrap().phase
        }
    }

    #[test]
    fn what_stands_at_the_live_name_tells_what_is_left_to_do() {
        use JournalPhase::{Finished, Staged, Staging, Swapped, Swapping, Undone, Unswapping};
        for (phase, live, expected, end) in [
            (Staging, 1, 1, Undone),
            (Staged, 1, 1, Undone),
            (Swapping, 1, 2, Finished),
            (Swapping, 2, 2, Finished),
            (Swapped, 2, 2, Finished),
            (Unswapping, 2, 1, Undone),
            (Unswapping, 1, 1, Undone),
            (Finished, 2, 2, Finished),
            (Undone, 1, 1, Undone),
        ] {
            let fixture = Fixture::new(phase, live);
            fixture.recover();
            // It may crash and run again.
            let again = fixture.recover();
            let case = format!("{} with generation {live} live", phase.as_str());
            assert_eq!(fixture.manager.current().number, expected, "{case}");
            assert_eq!(fixture.manager.generations().current().unwrap(), Some(expected), "{case}");
            assert_eq!(fixture.phase(), end, "{case}");
            assert_eq!(again, Recovered::default(), "{case}");
            let kept: &[u64] = if end == Finished { &[1, 2] } else { &[1] };
            assert_eq!(fixture.manager.generations().all().unwrap(), kept, "{case}");
        }
    }

    #[test]
    fn a_live_name_that_somebody_else_changed_keeps_writers_out_until_it_is_put_back() {
        for (phase, expected, end) in [
            (JournalPhase::Swapping, 2, JournalPhase::Finished),
            (JournalPhase::Unswapping, 1, JournalPhase::Undone),
        ] {
            let fixture = Fixture::new(phase, 3);
            assert!(fixture.recover().needs_attention.is_some());
            assert_eq!(fixture.phase(), phase, "which way to go is not forgotten");
            assert!(fixture.manager.is_closed());
            assert_eq!(fixture.manager.generations().all().unwrap(), [1, 2, 3], "nothing is removed");

            fixture.manager.switch_to(2).unwrap();
            assert_eq!(fixture.recover().needs_attention, None);
            assert_eq!((fixture.manager.current().number, fixture.phase()), (expected, end));
        }
    }
}
