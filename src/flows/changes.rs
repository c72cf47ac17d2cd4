//! Writing step snapshots: every value that comes or goes leaves an entry in the step's history.
//!
//! A *change* is all that one call writes; its number is that of its first entry.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::Timestamp;

use super::FlowError;

/// What was done to a step snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Edit,
    Remove,
    Emit,
    Merge,
    Reset,
    Undo,
    Restore,
}

impl Action {
    /// The name on the wire and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Edit => "edit",
            Self::Remove => "remove",
            Self::Emit => "emit",
            Self::Merge => "merge",
            Self::Reset => "reset",
            Self::Undo => "undo",
            Self::Restore => "restore",
        }
    }
}

/// By what way a value came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// A call of the API.
    Api,
    /// A message of the broker.
    Amqp,
    /// A capture that was put back.
    Capture,
    /// A manager snapshot, out of which one flow was restored.
    Snapshot,
}

impl Via {
    /// The name on the wire and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Amqp => "amqp",
            Self::Capture => "capture",
            Self::Snapshot => "snapshot",
        }
    }
}

/// Who wrote, how and why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    pub action: Action,
    pub via: Via,
    pub user: Option<&'a str>,
    /// Of the runtime for an emit, else ours.
    pub execution_id: Option<&'a str>,
    /// Whether the broker had delivered the message before.
    pub is_redelivered: bool,
    /// The change that this one takes back.
    pub undoes: Option<i64>,
}

impl<'a> Origin<'a> {
    /// What a user does by a call.
    pub fn of_user(action: Action, user: &'a str) -> Self {
        Self {
            action,
            via: Via::Api,
            user: Some(user),
            execution_id: None,
            is_redelivered: false,
            undoes: None,
        }
    }
}

/// What a change did, for who asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeView {
    /// Its number; none where nothing was to be done.
    pub number: Option<i64>,
    /// What was done: `reset`, `undo`, `restore`.
    pub action: &'static str,
    /// The steps whose value it changed, in their order.
    pub steps: Vec<String>,
}

/// A change of steps of one flow that is being written in a transaction.
pub(super) struct Change<'a> {
    tx: &'a Connection,
    flow: &'a str,
    number: Option<i64>,
    at: String,
    steps: BTreeSet<String>,
}

impl<'a> Change<'a> {
    /// Begins a change that happens now.
    pub fn new(tx: &'a Connection, flow: &'a str) -> Self {
        Self { tx, flow, number: None, at: Timestamp::now().to_string(), steps: BTreeSet::new() }
    }

    /// Gives a step a value, or takes it away, and keeps that in its history.
    pub fn write(
        &mut self,
        step: &str,
        before: Option<&str>,
        after: Option<&str>,
        origin: Origin<'_>,
    ) -> Result<(), FlowError> {
        let number = self.record(step, before, after, origin)?;
        self.number.get_or_insert(number);
        set_value(self.tx, self.flow, step, after, &self.at)?;
        self.steps.insert(step.to_owned());
        Ok(())
    }

    fn record(
        &self,
        step: &str,
        before: Option<&str>,
        after: Option<&str>,
        origin: Origin<'_>,
    ) -> Result<i64, FlowError> {
        record(self.tx, self.flow, step, before, after, origin, self.number, &self.at)
    }

    /// Ends the change: its entries say how many steps it has; of each step's history the last `entries` stay.
    pub fn finish(self, action: Action, entries: u32) -> Result<ChangeView, FlowError> {
        if let Some(number) = self.number.filter(|_| self.steps.len() > 1) {
            self.tx
                .prepare_cached(
                    "UPDATE step_history SET change_steps = ?3 WHERE flow_id = ?1 AND change = ?2",
                )?
                .execute(params![self.flow, number, i64::try_from(self.steps.len()).unwrap_or(i64::MAX)])?;
        }
        for step in &self.steps {
            prune(self.tx, self.flow, step, entries)?;
        }
        Ok(ChangeView {
            number: self.number,
            action: action.as_str(),
            steps: self.steps.into_iter().collect(),
        })
    }
}

/// Writes an entry of a step's history; without a `change` it begins one of its own. Answers the entry's number.
#[expect(clippy::too_many_arguments, reason = "one for each column that differs")]
pub(super) fn record(
    tx: &Connection,
    flow: &str,
    step: &str,
    before: Option<&str>,
    after: Option<&str>,
    origin: Origin<'_>,
    change: Option<i64>,
    at: &str,
) -> Result<i64, FlowError> {
    tx.prepare_cached(
        "INSERT INTO step_history (flow_id, change, step_id, action, via, at, username, execution_id,
         is_redelivered, undoes, value_before, value_after) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        flow,
        change.unwrap_or(0),
        step,
        origin.action.as_str(),
        origin.via.as_str(),
        at,
        origin.user,
        origin.execution_id,
        origin.is_redelivered,
        origin.undoes,
        before,
        after,
    ])?;
    let number = tx.last_insert_rowid();
    if change.is_none() {
        tx.prepare_cached("UPDATE step_history SET change = number WHERE number = ?")?.execute([number])?;
    }
    Ok(number)
}

/// The value of a step, or none.
pub(super) fn value(connection: &Connection, flow: &str, step: &str) -> Result<Option<String>, FlowError> {
    Ok(connection
        .prepare_cached("SELECT value FROM step_snapshots WHERE flow_id = ? AND step_id = ?")?
        .query_row([flow, step], |row| row.get(0))
        .optional()?)
}

/// Writes a step's value, or removes it.
pub(super) fn set_value(
    tx: &Connection,
    flow: &str,
    step: &str,
    value: Option<&str>,
    at: &str,
) -> Result<(), FlowError> {
    match value {
        Some(value) => tx
            .prepare_cached(
                "INSERT INTO step_snapshots (flow_id, step_id, value, updated_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (flow_id, step_id) DO UPDATE SET value = ?3, updated_at = ?4",
            )?
            .execute([flow, step, value, at])?,
        None => tx
            .prepare_cached("DELETE FROM step_snapshots WHERE flow_id = ? AND step_id = ?")?
            .execute([flow, step])?,
    };
    Ok(())
}

/// Removes the oldest entries of a step's history, so that `entries` are left.
pub(super) fn prune(tx: &Connection, flow: &str, step: &str, entries: u32) -> Result<(), FlowError> {
    tx.prepare_cached(
        "DELETE FROM step_history WHERE flow_id = ?1 AND step_id = ?2 AND number <= (SELECT number FROM step_history
         WHERE flow_id = ?1 AND step_id = ?2 ORDER BY number DESC LIMIT 1 OFFSET ?3)",
    )?
    .execute(params![flow, step, entries])?;
    Ok(())
}
