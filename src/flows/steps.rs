//! The snapshots of a flow's steps, by the rules of elastic.io's API.
//!
//! Each call checks and writes in one transaction: the flow's state, the graph and the snapshot are those of one
//! moment, so neither a start nor another writer comes between.

use rusqlite::Connection;

use crate::model::Asking;

use super::changes::{Action, Change, Origin, value};
use super::flow::{find, find_stopped};
use super::{FlowError, Flows, JsonText};

/// What a step's component emitted last, or a user wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSnapshot {
    /// The step's id, which is the snapshot's too.
    pub step: String,
    /// The value.
    pub value: JsonText,
}

/// Whether a flow's graph has this step.
pub(super) fn has_step(connection: &Connection, flow: &str, step: &str) -> Result<bool, FlowError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM flow_steps WHERE flow_id = ? AND id = ?)";
    Ok(connection.prepare_cached(sql)?.query_row([flow, step], |row| row.get(0))?)
}

/// Judges a snapshot that somebody wants to write, in the order in which the calls say what is wrong.
fn judge(
    connection: &Connection,
    asking: &Asking,
    flow: &str,
    snapshot: Result<StepSnapshot, FlowError>,
    max_bytes: usize,
) -> Result<StepSnapshot, FlowError> {
    find_stopped(connection, asking, flow)?;
    let snapshot = snapshot?;
    check_size(&snapshot.value, max_bytes)?;
    require_step(connection, flow, &snapshot.step)?;
    Ok(snapshot)
}

fn require_step(connection: &Connection, flow: &str, step: &str) -> Result<(), FlowError> {
    if has_step(connection, flow, step)? {
        return Ok(());
    }
    Err(FlowError::StepNotInFlow { flow: flow.to_owned(), step: step.to_owned() })
}

fn require_value(connection: &Connection, flow: &str, step: &str) -> Result<String, FlowError> {
    value(connection, flow, step)?
        .ok_or_else(|| FlowError::SnapshotNotFound { flow: flow.to_owned(), step: step.to_owned() })
}

impl Flows {
    /// The snapshots of all steps of a flow's graph that have one, in the order of the graph.
    ///
    /// # Errors
    /// [`FlowError::NotFound`].
    pub async fn snapshots(&self, asking: Asking, flow: &str) -> Result<Vec<StepSnapshot>, FlowError> {
        let id = flow.to_owned();
        self.read(move |connection| {
            find(connection, &asking, &id)?;
            let mut statement = connection.prepare_cached(
                "SELECT s.step_id, s.value FROM flow_steps p JOIN step_snapshots s ON s.flow_id = p.flow_id
                 AND s.step_id = p.id WHERE p.flow_id = ? ORDER BY p.position",
            )?;
            let rows = statement.query_map([&id], |row| {
                Ok(StepSnapshot { step: row.get(0)?, value: JsonText::trusted(row.get::<_, String>(1)?) })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The snapshot of one step.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::StepNotInFlow`], [`FlowError::SnapshotNotFound`].
    pub async fn snapshot(&self, asking: Asking, flow: &str, step: &str) -> Result<StepSnapshot, FlowError> {
        let (id, step) = (flow.to_owned(), step.to_owned());
        self.read(move |connection| {
            find(connection, &asking, &id)?;
            require_step(connection, &id, &step)?;
            let value = JsonText::trusted(require_value(connection, &id, &step)?);
            Ok(StepSnapshot { step, value })
        })
        .await
    }

    /// Gives a step its first snapshot.
    ///
    /// # Errors
    /// In this order: [`FlowError::NotFound`], [`FlowError::Forbidden`], [`FlowError::Running`], what is wrong with
    /// `snapshot`, [`FlowError::SnapshotTooLarge`], [`FlowError::StepNotInFlow`], [`FlowError::SnapshotExists`].
    pub async fn create_snapshot(
        &self,
        asking: Asking,
        flow: &str,
        snapshot: Result<StepSnapshot, FlowError>,
    ) -> Result<StepSnapshot, FlowError> {
        let (id, settings) = (flow.to_owned(), self.settings().clone());
        self.write(move |tx| {
            let snapshot = judge(tx, &asking, &id, snapshot, settings.max_snapshot_bytes)?;
            if value(tx, &id, &snapshot.step)?.is_some() {
                return Err(FlowError::SnapshotExists { flow: id, step: snapshot.step });
            }
            let origin = Origin::of_user(Action::Create, asking.caller.user.as_str());
            let mut change = Change::new(tx, &id);
            change.write(&snapshot.step, None, Some(snapshot.value.as_str()), origin)?;
            change.finish(Action::Create, settings.history_entries)?;
            Ok(snapshot)
        })
        .await
    }

    /// Replaces the snapshot of a step, wholly.
    ///
    /// # Errors
    /// As [`Flows::create_snapshot`], with [`FlowError::SnapshotNotFound`] where there is none.
    pub async fn edit_snapshot(
        &self,
        asking: Asking,
        flow: &str,
        snapshot: Result<StepSnapshot, FlowError>,
    ) -> Result<StepSnapshot, FlowError> {
        let (id, settings) = (flow.to_owned(), self.settings().clone());
        self.write(move |tx| {
            let snapshot = judge(tx, &asking, &id, snapshot, settings.max_snapshot_bytes)?;
            let before = require_value(tx, &id, &snapshot.step)?;
            let origin = Origin::of_user(Action::Edit, asking.caller.user.as_str());
            let mut change = Change::new(tx, &id);
            change.write(&snapshot.step, Some(&before), Some(snapshot.value.as_str()), origin)?;
            change.finish(Action::Edit, settings.history_entries)?;
            Ok(snapshot)
        })
        .await
    }

    /// Removes the snapshot of a step: its component starts from nothing next time.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`], [`FlowError::Running`], [`FlowError::StepNotInFlow`],
    /// [`FlowError::SnapshotNotFound`].
    pub async fn remove_snapshot(&self, asking: Asking, flow: &str, step: &str) -> Result<(), FlowError> {
        let (id, step, entries) = (flow.to_owned(), step.to_owned(), self.settings().history_entries);
        self.write(move |tx| {
            find_stopped(tx, &asking, &id)?;
            require_step(tx, &id, &step)?;
            let before = require_value(tx, &id, &step)?;
            let origin = Origin::of_user(Action::Remove, asking.caller.user.as_str());
            let mut change = Change::new(tx, &id);
            change.write(&step, Some(&before), None, origin)?;
            change.finish(Action::Remove, entries)?;
            Ok(())
        })
        .await
    }
}

/// Refuses a value whose text is longer than the setting allows.
pub(super) fn check_size(value: &JsonText, max: usize) -> Result<(), FlowError> {
    let bytes = value.len_bytes();
    if bytes > max { Err(FlowError::SnapshotTooLarge { bytes, max }) } else { Ok(()) }
}
