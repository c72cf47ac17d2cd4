//! The history of step snapshots, and what it is for: resetting steps, and undoing that and every other change.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::database::{Scope, text};
use crate::failpoints;
use crate::model::Asking;

use super::changes::{Action, Change, ChangeView, Origin, value};
use super::flow::{find, find_stopped};
use super::listing::{Listed, page};
use super::{FlowError, Flows, JsonText, Paged, Paging};

/// One entry: what happened to the snapshot of one step.
#[derive(Clone, Debug)]
pub struct HistoryItem {
    /// Its number; later ones are larger.
    pub number: i64,
    /// The change that it belongs to.
    pub change: i64,
    /// The step.
    pub step: String,
    /// What was done: `create`, `edit`, `remove`, `emit`, `merge`, `reset`, `undo`, `restore`.
    pub action: String,
    /// By what way: `api`, `amqp`, `capture`, `snapshot`.
    pub via: String,
    /// When, UTC with milliseconds.
    pub at: String,
    /// The user who did it; none for a message of the broker.
    pub user: Option<String>,
    /// The runtime's execution that emitted it, or ours that restored it.
    pub execution_id: Option<String>,
    /// Whether the broker had delivered the message before.
    pub is_redelivered: bool,
    /// The change that it took back.
    pub undoes: Option<i64>,
    /// Whether a later change took it back.
    pub is_undone: bool,
    /// The value before; none where there was none.
    pub before: Option<JsonText>,
    /// The value after; none where there is none.
    pub after: Option<JsonText>,
}

/// What is to be undone.
#[derive(Clone, Debug, Default)]
pub struct UndoRequest {
    /// The change; without it the latest one that is no undo and was not undone.
    pub change: Option<i64>,
    /// Only what it did to this step.
    pub step: Option<String>,
    /// Whether the value before the change comes back although the step was changed since.
    pub force: bool,
}

const COLUMNS: &str = "number, change, step_id, action, via, at, username, execution_id, is_redelivered, undoes, \
     is_undone, value_before, value_after";

impl HistoryItem {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let value = |index| -> rusqlite::Result<Option<JsonText>> {
            Ok(row.get::<_, Option<String>>(index)?.map(JsonText::trusted))
        };
        Ok(Self {
            number: row.get(0)?,
            change: row.get(1)?,
            step: row.get(2)?,
            action: row.get(3)?,
            via: row.get(4)?,
            at: row.get(5)?,
            user: row.get(6)?,
            execution_id: row.get(7)?,
            is_redelivered: row.get(8)?,
            undoes: row.get(9)?,
            is_undone: row.get(10)?,
            before: value(11)?,
            after: value(12)?,
        })
    }
}

impl Flows {
    /// One page of what happened to the snapshots of a flow's steps, or of one of them; the newest first.
    ///
    /// # Errors
    /// [`FlowError::NotFound`].
    pub async fn history(
        &self,
        asking: Asking,
        flow: &str,
        step: Option<&str>,
        paging: Paging,
    ) -> Result<Paged<HistoryItem>, FlowError> {
        let (id, step) = (flow.to_owned(), step.map(str::to_owned));
        self.read(move |connection| {
            find(connection, &asking, &id)?;
            let mut scope = Scope::everything().and("flow_id = ?", [text(&*id)]);
            if let Some(step) = step {
                scope = scope.and("step_id = ?", [text(step)]);
            }
            let listed = Listed::new("step_history", COLUMNS, "number DESC");
            page(connection, listed, scope, paging, HistoryItem::from_row)
        })
        .await
    }

    /// Removes the snapshots of these steps, or of all, in one change. Steps that have none are passed over.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`], [`FlowError::Running`], what is wrong with the request.
    pub async fn reset(
        &self,
        asking: Asking,
        flow: &str,
        steps: Result<Option<Vec<String>>, FlowError>,
    ) -> Result<ChangeView, FlowError> {
        let (id, entries) = (flow.to_owned(), self.settings().history_entries);
        self.write(move |tx| {
            find_stopped(tx, &asking, &id)?;
            let steps = match steps? {
                Some(steps) => steps,
                None => snapshot_steps(tx, &id)?,
            };
            let mut change = Change::new(tx, &id);
            for step in steps {
                if let Some(before) = value(tx, &id, &step)? {
                    let origin = Origin::of_user(Action::Reset, asking.caller.user.as_str());
                    change.write(&step, Some(&before), None, origin)?;
                }
            }
            change.finish(Action::Reset, entries)
        })
        .await
    }

    /// Takes a change back: each of its steps gets the value that it had before. That is a change of its own, which can
    /// be undone too. Asked again without naming a change, it goes one change further back.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`], [`FlowError::Running`], what is wrong with the request,
    /// [`FlowError::NothingToUndo`], [`FlowError::Conflict`] where the history of some of its steps is not kept any more,
    /// [`FlowError::ChangedSince`] where a step has not the value that the change left.
    pub async fn undo(
        &self,
        asking: Asking,
        flow: &str,
        request: Result<UndoRequest, FlowError>,
    ) -> Result<ChangeView, FlowError> {
        let (id, entries) = (flow.to_owned(), self.settings().history_entries);
        self.write(move |tx| {
            find_stopped(tx, &asking, &id)?;
            let request = request?;
            let step = request.step.as_deref();
            let undone = match request.change {
                Some(change) => change,
                None => latest(tx, &id, step)?.ok_or_else(|| {
                    FlowError::NothingToUndo("there is no change that is kept and was not undone".to_owned())
                })?,
            };
            let items = items_of(tx, &id, undone, step)?;
            if items.is_empty() {
                return Err(nothing_left(tx, &id, undone, step)?);
            }
            if step.is_none() {
                require_whole(tx, &id, undone)?;
            }
            let mut change = Change::new(tx, &id);
            for item in items {
                let present = value(tx, &id, &item.step)?;
                let left = item.after.as_ref().map(JsonText::as_str);
                if !request.force && present.as_deref() != left {
                    return Err(FlowError::ChangedSince { step: item.step, change: undone });
                }
                let user = asking.caller.user.as_str();
                let origin = Origin { undoes: Some(undone), ..Origin::of_user(Action::Undo, user) };
                let before = item.before.as_ref().map(JsonText::as_str);
                mark_undone(tx, &id, &item)?;
                change.write(&item.step, present.as_deref(), before, origin)?;
            }
            failpoints::here("undo:writing");
            change.finish(Action::Undo, entries)
        })
        .await
        .inspect(|_| failpoints::here("undo:written"))
    }
}

/// The steps of a flow that have a snapshot, also those that its graph has not any more.
pub(super) fn snapshot_steps(connection: &Connection, flow: &str) -> Result<Vec<String>, FlowError> {
    Ok(connection
        .prepare_cached("SELECT step_id FROM step_snapshots WHERE flow_id = ? ORDER BY step_id")?
        .query_map([flow], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?)
}

fn latest(connection: &Connection, flow: &str, step: Option<&str>) -> Result<Option<i64>, FlowError> {
    Ok(connection
        .prepare_cached(
            "SELECT change FROM step_history WHERE flow_id = ?1 AND (?2 IS NULL OR step_id = ?2)
             AND action <> 'undo' AND NOT is_undone ORDER BY number DESC LIMIT 1",
        )?
        .query_row(params![flow, step], |row| row.get(0))
        .optional()?)
}

/// The entries of a change that were not undone.
fn items_of(
    connection: &Connection,
    flow: &str,
    change: i64,
    step: Option<&str>,
) -> Result<Vec<HistoryItem>, FlowError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM step_history WHERE flow_id = ?1 AND change = ?2 AND (?3 IS NULL OR step_id = ?3)
             AND NOT is_undone ORDER BY number"
        ))?
        .query_map(params![flow, change, step], HistoryItem::from_row)?
        .collect::<rusqlite::Result<_>>()?)
}

/// Refuses a change of several steps of which some entries are not kept any more: undone without a word, it would leave
/// a mix of before and after.
fn require_whole(connection: &Connection, flow: &str, change: i64) -> Result<(), FlowError> {
    let (kept, steps): (i64, i64) = connection.query_row(
        "SELECT count(*), coalesce(max(change_steps), 0) FROM step_history WHERE flow_id = ? AND change = ?",
        params![flow, change],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if kept >= steps {
        return Ok(());
    }
    Err(FlowError::Conflict(format!(
        "of the {steps} steps of the change `{change}`, {} have no entry any more that is kept: undo the others one by one, naming the `step`",
        steps - kept
    )))
}

/// Why a change has no entries that can be undone.
fn nothing_left(
    connection: &Connection,
    flow: &str,
    change: i64,
    step: Option<&str>,
) -> Result<FlowError, FlowError> {
    let is_known: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM step_history WHERE flow_id = ? AND change = ?)",
        params![flow, change],
        |row| row.get(0),
    )?;
    Ok(match step {
        _ if !is_known => FlowError::NotFound { noun: "change", id: change.to_string() },
        Some(step) => FlowError::NothingToUndo(format!(
            "the change `{change}` did nothing to the step `{step}`, or that was undone already"
        )),
        None => FlowError::NothingToUndo(format!("the change `{change}` was undone already")),
    })
}

/// Marks an entry as undone. Where it was an undo itself, what it had undone holds again, and so on.
fn mark_undone(connection: &Connection, flow: &str, item: &HistoryItem) -> Result<(), FlowError> {
    let mut change = Some(item.change);
    let mut is_undone = true;
    while let Some(number) = change {
        connection
            .prepare_cached(
                "UPDATE step_history SET is_undone = ?4 WHERE flow_id = ?1 AND change = ?2 AND step_id = ?3",
            )?
            .execute(params![flow, number, item.step, is_undone])?;
        change = connection
            .prepare_cached(
                "SELECT undoes FROM step_history WHERE flow_id = ? AND change = ? AND step_id = ?",
            )?
            .query_row(params![flow, number, item.step], |row| row.get(0))
            .optional()?
            .flatten();
        is_undone = !is_undone;
    }
    Ok(())
}
