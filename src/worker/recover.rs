//! What a start does about a restore that a crash or a kill interrupted, and about what other jobs left behind.
//!
//! The journal says what stood at each live name before and what is to stand there. What does stand there tells what
//! is left to do: forward, or back where the reversal had begun. It may crash and run again.

use std::collections::HashSet;
use std::time::Duration;

use crate::executions::JobError;
use crate::executions::table::{self, NewEvent, StatusChange};
use crate::manager::{Manager, ManagerError};
use crate::model::{BlobId, ExecutionStatus, SnapshotStatus};
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

/// Brings the live state to what the journal says, removes what nothing names any more, and closes uploads of an
/// earlier boot. To be called before anything is served.
///
/// # Errors
/// The parts' own; the start has to stop then.
pub fn recover(records: &Records, manager: &Manager, store: &DiskStore) -> Result<Recovered, JobError> {
    let mut recovered = Recovered::default();
    let journal = records.database().read_blocking(Records::last_journal)?;
    if let Some(mut journal) = journal {
        recover_journal(records, manager, &mut journal, &mut recovered)?;
    }
    if recovered.needs_attention.is_none() {
        remove_unnamed_generations(records, manager)?;
        collect_garbage(manager)?;
    }
    close_uploads(records, store)?;
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
        JournalPhase::Swapping | JournalPhase::Swapped | JournalPhase::NeedsAttention => {
            (Direction::Forward, JournalPhase::Finished)
        }
    };
    let order: Vec<_> = match direction {
        Direction::Forward => journal.sources.iter().collect(),
        Direction::Back => journal.sources.iter().rev().collect(),
    };
    for entry in order {
        if let Err(error) = embedded::swap(manager, &entry.before, &entry.after, direction) {
            let message = error.to_string();
            tracing::error!("a restore was interrupted and can't be recovered by itself: {message}");
            write(records, journal, JournalPhase::NeedsAttention)?;
            manager.close_blocking()?;
            recovered.needs_attention = Some(message);
            return Ok(());
        }
    }
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
    write(records, journal, end)?;
    end_execution(records, journal, direction)
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
        let workflow = execution.workflow.as_str();
        let (status, error, event_type, message) = match direction {
            Direction::Forward => (
                ExecutionStatus::Terminated,
                String::new(),
                "workflow_succeeded",
                format!("'{workflow}' workflow execution succeeded: the service stopped in its swap and finished it at its start"),
            ),
            Direction::Back => {
                let error = "interrupted: the service stopped while it ran; nothing was changed".to_owned();
                let message = format!("'{workflow}' workflow execution failed: {error}");
                (ExecutionStatus::Failed, error, "workflow_failed", message)
            }
        };
        let change = StatusChange { error: Some(&error), ..StatusChange::default() };
        if table::set_status(tx, id, status, &change)? {
            let event = NewEvent { event_type: Some(event_type.to_owned()), message, ..NewEvent::default() };
            table::insert_event(tx, &execution, &event)?;
        }
        Ok::<_, RecordsError>(())
    })?;
    Ok(())
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

/// Moves the files that no generation names any more to the trash, and empties that of what is old. What runs beside
/// pins the files that it is about to name.
pub(super) fn collect_garbage(manager: &Manager) -> Result<(), JobError> {
    let roots = named_blobs(manager)?;
    let moved = manager.blobs().collect_garbage(&roots, TRASH_GRACE).map_err(ManagerError::from)?;
    if moved > 0 {
        tracing::info!("moved {moved} files that nothing names any more to the trash");
    }
    Ok(())
}

/// The files that any generation on disk names.
fn named_blobs(manager: &Manager) -> Result<HashSet<BlobId>, JobError> {
    let mut named = HashSet::new();
    for number in manager.generations().all().map_err(ManagerError::from)? {
        let generation = if number == manager.current().number {
            (*manager.current()).clone()
        } else {
            manager.generations().load(number).map_err(ManagerError::from)?
        };
        let names = generation.database.read_blocking(|connection| {
            let mut statement = connection.prepare(
                "SELECT archive_blob FROM blueprints WHERE archive_blob IS NOT NULL UNION SELECT archive_blob FROM plugins",
            )?;
            Ok::<Vec<String>, ManagerError>(
                statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?,
            )
        })?;
        named.extend(names.iter().filter_map(|name| BlobId::parse(name)));
    }
    Ok(named)
}

/// Uploads of an earlier boot can't go on; what they and failed creates left in the store goes. A file that no record
/// names is left and told of: it may be somebody's only copy.
fn close_uploads(records: &Records, store: &DiskStore) -> Result<(), JobError> {
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
    for file in store.all()? {
        match files.iter().find(|(named, _)| *named == file) {
            Some((_, SnapshotStatus::Failed)) => store.remove(file)?,
            Some(_) => {}
            None => tracing::warn!(
                "the store holds the archive `{file}` that no record names: it is left as it is"
            ),
        }
    }
    Ok(())
}
