//! The rows of executions, in whichever database they belong to, and the tables of their events.
//!
//! records.db and every generation of the embedded manager hold the same two tables: executions of the service are
//! records, executions of deployments are the manager's state. Knows no queue and no worker.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use crate::database::{Collection, Column, ColumnKind, DatabaseError};
use crate::model::{
    EntityId, Execution, ExecutionGroup, ExecutionId, ExecutionStatus, SnapshotId, TenantName, Timestamp,
    UserName, Workflow,
};

/// The two tables, as the first migration of a database that has them makes them.
pub const SCHEMA_V1: &str = "
CREATE TABLE executions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workflow_id TEXT NOT NULL,
    tenant_name TEXT NOT NULL,
    created_by TEXT NOT NULL,
    visibility TEXT NOT NULL DEFAULT 'tenant',
    deployment_id TEXT,
    deployment_display_name TEXT,
    blueprint_id TEXT,
    snapshot_id TEXT,
    parent_id TEXT,
    status TEXT NOT NULL,
    error TEXT NOT NULL DEFAULT '',
    parameters TEXT NOT NULL,
    is_system_workflow INTEGER NOT NULL,
    is_dry_run INTEGER NOT NULL DEFAULT 0,
    allow_custom_parameters INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    scheduled_for TEXT,
    started_at TEXT,
    ended_at TEXT,
    boot INTEGER,
    phase TEXT,
    done_bytes INTEGER NOT NULL DEFAULT 0,
    total_bytes INTEGER NOT NULL DEFAULT 0,
    finished_operations INTEGER NOT NULL DEFAULT 0,
    total_operations INTEGER NOT NULL DEFAULT 0,
    report TEXT
) STRICT;
CREATE INDEX executions_by_time ON executions(created_at, id);
CREATE INDEX executions_by_deployment ON executions(tenant_name, deployment_id);
CREATE INDEX executions_open ON executions(status) WHERE ended_at IS NULL;
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    execution_id TEXT NOT NULL,
    tenant_name TEXT NOT NULL,
    type TEXT NOT NULL,
    event_type TEXT,
    level TEXT,
    logger TEXT,
    message TEXT NOT NULL,
    error_causes TEXT,
    operation TEXT,
    deployment_id TEXT,
    blueprint_id TEXT,
    workflow_id TEXT,
    node_name TEXT,
    node_instance_id TEXT,
    source_id TEXT,
    target_id TEXT,
    timestamp TEXT NOT NULL,
    reported_timestamp TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_execution ON events(execution_id, number);
CREATE INDEX events_by_time ON events(reported_timestamp, number);
";

/// The indexes by which the two tables are listed. Each holds all that a list's usual conditions ask for, so that what
/// is counted or passed over is not read from the table.
pub const LISTING_INDEXES: &str = "
DROP INDEX executions_by_time;
DROP INDEX executions_by_deployment;
CREATE INDEX executions_by_time ON executions(created_at, id, is_system_workflow, tenant_name, visibility, created_by,
    status, workflow_id, deployment_id);
CREATE INDEX executions_by_tenant ON executions(tenant_name, created_at, id, is_system_workflow, visibility, created_by,
    status, workflow_id, deployment_id);
CREATE INDEX executions_by_deployment ON executions(tenant_name, deployment_id, created_at, id, is_system_workflow,
    visibility, created_by, status);
DROP INDEX executions_open;
CREATE INDEX executions_open ON executions(created_at, id, status) WHERE ended_at IS NULL;
CREATE INDEX executions_global ON executions(created_at, id, is_system_workflow, tenant_name, status, workflow_id,
    deployment_id) WHERE visibility = 'global';
DROP INDEX events_by_execution;
DROP INDEX events_by_time;
CREATE INDEX events_by_time ON events(reported_timestamp, number, tenant_name, type);
CREATE INDEX events_by_tenant ON events(tenant_name, reported_timestamp, number, type);
CREATE INDEX events_by_execution ON events(execution_id, reported_timestamp, number, tenant_name, type);
";

/// What executions and events of execution groups have beside that. In the records of the service it stays empty: the two
/// tables are alike in all databases.
pub const SCHEMA_GROUPS: &str = "
ALTER TABLE executions ADD COLUMN execution_group_id TEXT;
ALTER TABLE executions ADD COLUMN execution_group_concurrency INTEGER;
ALTER TABLE executions ADD COLUMN resumed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX executions_by_group ON executions(execution_group_id) WHERE execution_group_id IS NOT NULL;
ALTER TABLE events ADD COLUMN execution_group_id TEXT;
CREATE INDEX events_by_group ON events(execution_group_id) WHERE execution_group_id IS NOT NULL;
";

/// An execution as Cloudify 7 lists it, with what Lifeboat adds at the end.
pub const EXECUTIONS: Collection = Collection {
    noun: "Execution",
    table: "executions",
    columns: &[
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("id"),
        Column::text("ended_at"),
        Column::text("error"),
        Column::boolean("is_system_workflow"),
        Column::json("parameters"),
        Column::text("status"),
        Column::text("workflow_id"),
        Column::text("started_at"),
        Column::text("scheduled_for"),
        Column::boolean("is_dry_run"),
        Column::expression("resume", "resumed", ColumnKind::Boolean),
        Column::integer("total_operations"),
        Column::integer("finished_operations"),
        Column::boolean("allow_custom_parameters"),
        Column::text("blueprint_id"),
        Column::text("deployment_display_name"),
        Column::text("deployment_id"),
        Column::expression(
            "status_display",
            "CASE status WHEN 'terminated' THEN 'completed' ELSE status END",
            ColumnKind::Text,
        ),
        Column::text("created_by"),
        Column::text("tenant_name"),
        Column::expression("resource_availability", "visibility", ColumnKind::Text),
        Column::expression("private_resource", "visibility = 'private'", ColumnKind::Boolean),
        Column::text("snapshot_id"),
        Column::text("parent_id"),
        Column::text("execution_group_id"),
        Column::text("phase"),
        Column::integer("done_bytes"),
        Column::integer("total_bytes"),
        Column::json("report"),
    ],
    search: &["id", "workflow_id", "deployment_id"],
    default_sort: "created_at, id",
};

/// Writes the record of a new execution.
///
/// # Errors
/// An id that exists, or the database's own.
pub fn insert(connection: &Connection, execution: &Execution) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "INSERT INTO executions (id, workflow_id, tenant_name, created_by, deployment_id, deployment_display_name,
             blueprint_id, snapshot_id, status, error, parameters, is_system_workflow, is_dry_run, created_at, scheduled_for,
             execution_group_id, execution_group_concurrency)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            execution.id.to_string(),
            execution.workflow.as_str(),
            execution.tenant_name.as_str(),
            execution.created_by.as_str(),
            execution.deployment_id.as_ref().map(EntityId::as_str),
            execution.blueprint_id.as_ref().map(EntityId::as_str),
            execution.snapshot_id.as_ref().map(SnapshotId::as_str),
            execution.status.as_str(),
            execution.error,
            Value::Object(execution.parameters.clone()).to_string(),
            execution.workflow.is_system(),
            execution.is_dry_run,
            execution.created_at.to_string(),
            execution.scheduled_for.map(|moment| moment.to_string()),
            execution.group.as_ref().map(|group| &group.id),
            execution.group.as_ref().map(|group| i64::try_from(group.concurrency).unwrap_or(i64::MAX)),
        ])?;
    Ok(())
}

/// Names the execution that this one is a part of.
///
/// # Errors
/// The database's own.
pub fn set_parent(
    connection: &Connection,
    id: ExecutionId,
    parent: ExecutionId,
) -> Result<(), DatabaseError> {
    connection
        .prepare_cached("UPDATE executions SET parent_id = ? WHERE id = ?")?
        .execute([parent.to_string(), id.to_string()])?;
    Ok(())
}

const DECIDING: &str = "id, workflow_id, tenant_name, created_by, deployment_id, blueprint_id, snapshot_id, status, error, parameters, created_at, scheduled_for, is_dry_run, execution_group_id, execution_group_concurrency";

/// The execution with this id, or none.
///
/// # Errors
/// The database's own.
pub fn find(connection: &Connection, id: ExecutionId) -> Result<Option<Execution>, DatabaseError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {DECIDING} FROM executions WHERE id = ?"))?
        .query_row([id.to_string()], from_row)
        .optional()?)
}

/// The execution with this number in this database and how much of it is done, 0 to 100; or none.
///
/// # Errors
/// The database's own.
pub fn find_numbered(
    connection: &Connection,
    number: i64,
) -> Result<Option<(Execution, f64)>, DatabaseError> {
    let sql = format!(
        "SELECT {DECIDING}, CASE WHEN total_operations > 0 THEN min(100.0, 100.0 * finished_operations / total_operations)
         WHEN total_bytes > 0 THEN min(100.0, 100.0 * done_bytes / total_bytes) ELSE 0.0 END FROM executions WHERE number = ?"
    );
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([number], |row| Ok((from_row(row)?, row.get(15)?)))
        .optional()?)
}

/// Puts an execution that ran back among those that wait, because it can be done again from its start; answers whether it
/// ran and nobody had asked it to stop.
///
/// # Errors
/// The database's own.
pub fn wait_again(connection: &Connection, id: ExecutionId) -> Result<bool, DatabaseError> {
    let changed = connection
        .prepare_cached(
            "UPDATE executions SET status = 'pending', started_at = NULL, boot = NULL WHERE id = ? AND status = 'started'",
        )?
        .execute([id.to_string()])?;
    Ok(changed == 1)
}

/// The executions that have not ended, oldest first. Read by their own index, however many have ended.
///
/// # Errors
/// The database's own.
pub fn open(connection: &Connection) -> Result<Vec<Execution>, DatabaseError> {
    let sql = format!(
        "SELECT {DECIDING} FROM executions INDEXED BY executions_open WHERE ended_at IS NULL ORDER BY created_at, id"
    );
    let executions =
        connection.prepare_cached(&sql)?.query_map([], from_row)?.collect::<rusqlite::Result<_>>()?;
    Ok(executions)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Execution> {
    let text_error = |index: usize, what: String| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, what.into())
    };
    let id: String = row.get(0)?;
    let status: String = row.get(7)?;
    let parameters: String = row.get(9)?;
    let created_at: String = row.get(10)?;
    Ok(Execution {
        id: id.parse().map_err(|error| text_error(0, format!("{error}")))?,
        workflow: Workflow::of(&row.get::<_, String>(1)?, row.get::<_, Option<String>>(4)?.is_some()),
        tenant_name: TenantName::trusted(row.get::<_, String>(2)?),
        created_by: UserName::trusted(row.get::<_, String>(3)?),
        deployment_id: row.get::<_, Option<String>>(4)?.map(EntityId::trusted),
        blueprint_id: row.get::<_, Option<String>>(5)?.map(EntityId::trusted),
        snapshot_id: row.get::<_, Option<String>>(6)?.map(SnapshotId::trusted),
        status: ExecutionStatus::parse(&status)
            .ok_or_else(|| text_error(7, format!("unknown status `{status}`")))?,
        error: row.get(8)?,
        parameters: serde_json::from_str(&parameters).map_err(|error| text_error(9, error.to_string()))?,
        created_at: Timestamp::parse(&created_at)
            .ok_or_else(|| text_error(10, format!("no time: `{created_at}`")))?,
        scheduled_for: row.get::<_, Option<String>>(11)?.as_deref().and_then(Timestamp::parse),
        is_dry_run: row.get(12)?,
        group: group_of(row)?,
    })
}

/// The group of an execution, read from its row.
fn group_of(row: &Row<'_>) -> rusqlite::Result<Option<ExecutionGroup>> {
    let (id, concurrency): (Option<String>, Option<i64>) = (row.get(13)?, row.get(14)?);
    let concurrency = concurrency.and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX);
    Ok(id.map(|id| ExecutionGroup { id, concurrency }))
}

/// Puts an execution that failed or was cancelled back among those that wait, because somebody asked for it; answers
/// whether it stood so.
///
/// # Errors
/// The database's own.
pub fn resume(connection: &Connection, id: &str) -> Result<bool, DatabaseError> {
    let resumed = connection
        .prepare_cached(
            "UPDATE executions SET status = 'pending', error = '', report = NULL, ended_at = NULL, started_at = NULL,
             boot = NULL, resumed = 1 WHERE id = ? AND status IN ('failed', 'cancelled')",
        )?
        .execute([id])?;
    Ok(resumed == 1)
}

/// What a change of status brings along.
#[derive(Debug, Default)]
pub struct StatusChange<'a> {
    /// The error to keep; unchanged where `None`.
    pub error: Option<&'a str>,
    /// What the execution reports at its end.
    pub report: Option<&'a Value>,
    /// The boot that claims it, when it starts.
    pub boot: Option<u64>,
}

/// Moves an execution to `status` if it stands where that is legal; answers whether it did.
///
/// Run twice, the second call answers false (an end status never changes).
///
/// # Errors
/// The database's own.
pub fn set_status(
    connection: &Connection,
    id: ExecutionId,
    status: ExecutionStatus,
    change: &StatusChange<'_>,
) -> Result<bool, DatabaseError> {
    let earlier: Vec<String> =
        status.legal_earlier().iter().map(|earlier| format!("'{}'", earlier.as_str())).collect();
    if earlier.is_empty() {
        return Ok(false);
    }
    let now = Timestamp::now().to_string();
    let sql = format!(
        "UPDATE executions SET status = ?2,
           error = coalesce(?3, error),
           report = coalesce(?4, report),
           boot = coalesce(?5, boot),
           started_at = CASE WHEN ?2 = 'started' THEN ?6 ELSE started_at END,
           ended_at = CASE WHEN ?7 THEN ?6 ELSE ended_at END
         WHERE id = ?1 AND status IN ({})",
        earlier.join(", ")
    );
    let changed = connection.prepare_cached(&sql)?.execute(params![
        id.to_string(),
        status.as_str(),
        change.error,
        change.report.map(Value::to_string),
        change.boot.map(|boot| i64::try_from(boot).unwrap_or(i64::MAX)),
        now,
        status.is_end(),
    ])?;
    Ok(changed == 1)
}

/// How far a running execution is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing, e.g. `collecting`.
    pub phase: &'static str,
    /// Bytes done of the phase.
    pub done_bytes: u64,
    /// Bytes of the phase, as far as known; 0 where not.
    pub total_bytes: u64,
    /// Operations done of all.
    pub finished_operations: u64,
    /// Operations of all, as far as known.
    pub total_operations: u64,
}

/// Keeps how far a running execution is; does nothing once it has ended.
///
/// # Errors
/// The database's own.
pub fn set_progress(
    connection: &Connection,
    id: ExecutionId,
    progress: &Progress,
) -> Result<(), DatabaseError> {
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "UPDATE executions SET phase = ?2, done_bytes = ?3, total_bytes = ?4, finished_operations = ?5,
             total_operations = ?6 WHERE id = ?1 AND ended_at IS NULL",
        )?
        .execute(params![
            id.to_string(),
            progress.phase,
            number(progress.done_bytes),
            number(progress.total_bytes),
            number(progress.finished_operations),
            number(progress.total_operations),
        ])?;
    Ok(())
}

/// The executions that an earlier boot of the service left running, oldest first.
///
/// # Errors
/// The database's own.
pub fn interrupted(connection: &Connection, boot: u64) -> Result<Vec<Execution>, DatabaseError> {
    let sql = format!(
        "SELECT {DECIDING} FROM executions INDEXED BY executions_open WHERE ended_at IS NULL AND started_at IS NOT NULL
         AND (boot IS NULL OR boot <> ?) ORDER BY created_at, id"
    );
    let interrupted = connection
        .prepare_cached(&sql)?
        .query_map([i64::try_from(boot).unwrap_or(i64::MAX)], from_row)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(interrupted)
}
