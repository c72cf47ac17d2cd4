//! Stopping all running flows for the moment of a cut, and starting them again whatever happens.
//!
//! Which flows a create has paused stands in their rows, so that the start after a crash finds them.

use rusqlite::{Connection, params};

use crate::model::Timestamp;

use super::FlowError;

/// Flows that were stopped for a cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    /// How many.
    pub count: u64,
}

/// Stops every flow that is to run, in the name of an execution.
///
/// # Errors
/// The database's own.
pub fn pause_running(tx: &Connection, execution: &str) -> Result<Paused, FlowError> {
    let count = tx.execute(
        "UPDATE flows SET paused_by = ?1, status = 'inactive', updated_at = ?2,
         current_status = CASE WHEN reports_current_status THEN current_status ELSE 'inactive' END
         WHERE status = 'active'",
        params![execution, Timestamp::now().to_string()],
    )?;
    Ok(Paused { count: count as u64 })
}

/// Whether no flow runs that an execution has paused: those whose runtime reports take their time.
///
/// # Errors
/// The database's own.
pub fn is_settled(connection: &Connection, execution: &str) -> Result<bool, FlowError> {
    Ok(connection.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM flows WHERE paused_by = ? AND current_status = 'active')",
        [execution],
        |row| row.get(0),
    )?)
}

/// Starts the flows again that an execution has paused, but for those that somebody has stopped meanwhile. Run twice, it
/// changes nothing.
///
/// # Errors
/// The database's own.
pub fn resume(tx: &Connection, execution: &str) -> Result<u64, FlowError> {
    start(tx, "paused_by = ?1", execution)
}

/// Starts the flows again that any execution of an earlier boot has paused.
///
/// # Errors
/// The database's own.
pub fn resume_all(tx: &Connection) -> Result<u64, FlowError> {
    start(tx, "paused_by IS NOT NULL AND ?1 IS NOT NULL", "")
}

fn start(tx: &Connection, condition: &str, execution: &str) -> Result<u64, FlowError> {
    let sql = format!(
        "UPDATE flows SET status = 'active', paused_by = NULL, updated_at = ?2,
         current_status = CASE WHEN reports_current_status THEN current_status ELSE 'active' END
         WHERE {condition}"
    );
    Ok(tx.execute(&sql, params![execution, Timestamp::now().to_string()])? as u64)
}
