//! Events and log lines of executions, in the database of their execution.
//!
//! The table is made beside that of executions, in [`table`](super::table).

use rusqlite::{Connection, params};
use serde_json::Value;

use crate::database::{Collection, Column, ColumnKind, DatabaseError};
use crate::model::{EntityId, Execution, TenantName, Timestamp};

/// An event or log line as Cloudify 7 lists it.
pub const EVENTS: Collection = Collection {
    noun: "Event",
    table: "events",
    columns: &[
        Column::text("timestamp"),
        Column::text("reported_timestamp"),
        Column::text("blueprint_id"),
        Column::text("deployment_id"),
        Column::expression("deployment_display_name", "deployment_id", ColumnKind::Text),
        Column::text("workflow_id"),
        Column::text("message"),
        Column::json("error_causes"),
        Column::text("event_type"),
        Column::text("operation"),
        Column::text("source_id"),
        Column::text("target_id"),
        Column::text("node_name"),
        Column::text("node_instance_id"),
        Column::text("execution_id"),
        Column::text("execution_group_id"),
        Column::text("type"),
        Column::text("logger"),
        Column::text("level"),
        Column::expression("manager_name", "NULL", ColumnKind::Text),
        Column::expression("agent_name", "NULL", ColumnKind::Text),
        Column::text("tenant_name"),
    ],
    search: &["message"],
    default_sort: "reported_timestamp, number",
};

/// One event or log line, before it is written.
#[derive(Clone, Debug, Default)]
pub struct NewEvent {
    /// The type of a Cloudify event, e.g. `workflow_started`; none makes it a log line.
    pub event_type: Option<String>,
    /// The level of a log line, e.g. `info`.
    pub level: Option<&'static str>,
    /// What happened. Never a secret.
    pub message: String,
    /// Cloudify's list of causes, for a failure.
    pub error_causes: Option<Value>,
    /// The operation it is about, e.g. `cloudify.interfaces.lifecycle.create`.
    pub operation: Option<String>,
    /// The node it is about.
    pub node_name: Option<String>,
    /// The node instance it is about.
    pub node_instance_id: Option<String>,
    /// The source instance of a relationship's operation.
    pub source_id: Option<String>,
    /// The target instance of a relationship's operation.
    pub target_id: Option<String>,
}

/// The event of a workflow's start (`workflow_started`) or end (`workflow_succeeded`, `workflow_failed`,
/// `workflow_cancelled`), with the text that Cloudify's clients wait for.
pub fn workflow_event(execution: &Execution, event_type: &str, error: &str) -> NewEvent {
    let workflow = execution.workflow.as_str();
    let message = match event_type {
        "workflow_started" => format!("Starting '{workflow}' workflow execution"),
        "workflow_failed" => format!("'{workflow}' workflow execution failed: {error}"),
        "workflow_cancelled" => format!("'{workflow}' workflow execution cancelled"),
        _ => format!("'{workflow}' workflow execution succeeded"),
    };
    NewEvent { event_type: Some(event_type.to_owned()), message, ..NewEvent::default() }
}

/// Writes an event of an execution; the moment is now.
///
/// # Errors
/// The database's own.
pub fn insert_event(
    connection: &Connection,
    execution: &Execution,
    event: &NewEvent,
) -> Result<(), DatabaseError> {
    let kind = if event.event_type.is_some() { "cloudify_event" } else { "cloudify_log" };
    let level = event.level.unwrap_or("info");
    let now = Timestamp::now().to_string();
    connection
        .prepare_cached(
            "INSERT INTO events (execution_id, tenant_name, type, event_type, level, logger, message, error_causes,
             operation, deployment_id, blueprint_id, workflow_id, node_name, node_instance_id, source_id, target_id,
             timestamp, reported_timestamp)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17)",
        )?
        .execute(params![
            execution.id.to_string(),
            execution.tenant_name.as_str(),
            kind,
            event.event_type,
            event.event_type.is_none().then_some(level),
            event.event_type.is_none().then_some("lifeboat"),
            event.message,
            event.error_causes.as_ref().map(Value::to_string),
            event.operation,
            execution.deployment_id.as_ref().map(EntityId::as_str),
            execution.blueprint_id.as_ref().map(EntityId::as_str),
            execution.workflow.as_str(),
            event.node_name,
            event.node_instance_id,
            event.source_id,
            event.target_id,
            now,
        ])?;
    Ok(())
}

/// Writes a log line of an execution group, which is none of one of its executions; the moment is now.
///
/// # Errors
/// The database's own.
pub fn insert_group_log(
    connection: &Connection,
    tenant: &TenantName,
    group: &str,
    workflow: &str,
    message: &str,
) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "INSERT INTO events (execution_id, execution_group_id, tenant_name, type, level, logger, message,
             workflow_id, timestamp, reported_timestamp)
             VALUES ('', ?1, ?2, 'cloudify_log', 'info', 'lifeboat', ?3, ?4, ?5, ?5)",
        )?
        .execute((group, tenant.as_str(), message, workflow, Timestamp::now().to_string()))?;
    Ok(())
}
