//! One flow alone, out of a manager snapshot: its row, the snapshots of its steps, its captures.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use serde_json::{Value, json};

use crate::model::{Execution, TenantName, Timestamp, Workflow};

use super::captures::put_values;
use super::changes::{Action, Change, Origin, Via};
use super::flow::{by_id, set_steps};
use super::{Flow, FlowError, Graph, JsonText};

/// A flow as an archive holds it.
#[derive(Clone, Debug)]
pub struct ArchivedFlow {
    /// Its row.
    pub flow: Flow,
    /// The values of its steps, also of those that its graph has not.
    pub values: BTreeMap<String, JsonText>,
    /// Its captures with their values.
    pub captures: Vec<ArchivedCapture>,
}

/// A capture as an archive holds it.
#[derive(Clone, Debug, Default)]
pub struct ArchivedCapture {
    /// Its id.
    pub id: String,
    /// The flow's name at that moment.
    pub flow_name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether the flow ran at that moment.
    pub is_fuzzy: bool,
    /// The moment.
    pub created_at: String,
    /// Who asked for it.
    pub created_by: String,
    /// The execution that took it.
    pub execution_id: Option<String>,
    /// The values of its steps.
    pub values: BTreeMap<String, JsonText>,
}

/// Brings a flow of an archive into the live state, stopped; an existing one of its id is replaced with `force`. The
/// values of its steps are one change, which can be undone. Answers what was done, for the execution's report.
///
/// # Errors
/// [`FlowError::Conflict`] where its workspace is gone, where it exists and `force` is false, or in another workspace;
/// [`FlowError::Running`]; [`FlowError::Invalid`] for a graph that is none.
pub fn put_back(
    tx: &Transaction<'_>,
    archived: &ArchivedFlow,
    execution: &Execution,
    force: bool,
    history_entries: u32,
) -> Result<Value, FlowError> {
    let flow = &archived.flow;
    let graph = Graph::parse(flow.graph.clone(), "/graph")?;
    require_tenant(tx, &flow.tenant_name)?;
    let existing = by_id(tx, &flow.id)?;
    match &existing {
        Some(live) if live.tenant_name != flow.tenant_name => {
            return Err(FlowError::Conflict(format!(
                "the flow `{}` is in the workspace `{}` now, and was in `{}`: delete it there first",
                flow.id, live.tenant_name, flow.tenant_name
            )));
        }
        Some(_) if !force => {
            return Err(FlowError::Conflict(format!(
                "the flow `{}` exists: ask with `force` to replace it by the archive's",
                flow.id
            )));
        }
        Some(live) if live.is_running() => return Err(FlowError::Running(live.id.clone())),
        Some(_) | None => {}
    }
    let version = existing.as_ref().map_or(flow.version, |live| live.version.max(flow.version) + 1);
    let now = Timestamp::now().to_string();
    tx.execute(
        "INSERT INTO flows (tenant_name, id, name, description, type, status, current_status, default_mapper_type, cron,
         graph, version, created_at, created_by, updated_at, last_modified, last_start_time, last_stop_time, restored_by)
         VALUES (?1, ?2, ?3, ?4, ?5, 'inactive', 'inactive', ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT (id) DO UPDATE SET name = ?3, description = ?4, type = ?5, default_mapper_type = ?6, cron = ?7,
         graph = ?8, version = ?9, updated_at = ?12, last_modified = ?12, restored_by = ?16",
        params![
            flow.tenant_name.as_str(),
            flow.id,
            flow.name,
            flow.description,
            flow.flow_type.as_str(),
            flow.default_mapper_type.as_str(),
            flow.cron,
            graph.text().as_str(),
            version,
            flow.created_at,
            flow.created_by,
            now,
            flow.last_modified,
            flow.last_start_time,
            flow.last_stop_time,
            execution.id.to_string(),
        ],
    )?;
    set_steps(tx, &flow.id, graph.steps())?;
    let execution_id = execution.id.to_string();
    let origin = Origin {
        via: Via::Snapshot,
        execution_id: Some(&execution_id),
        ..Origin::of_user(Action::Restore, execution.created_by.as_str())
    };
    let mut change = Change::new(tx, &flow.id);
    put_values(tx, &mut change, &flow.id, &archived.values, origin)?;
    let change = change.finish(Action::Restore, history_entries)?;
    let mut captures = 0;
    for capture in &archived.captures {
        captures += u64::from(insert_capture(tx, flow, capture)?);
    }
    let orphans: Vec<&String> = archived.values.keys().filter(|step| !graph.steps().contains(step)).collect();
    Ok(json!({
        "flow_id": flow.id,
        "replaced": existing.is_some(),
        "change": change.number.map(|number| number.to_string()),
        "step_snapshots": archived.values.len(),
        "changed_steps": change.steps,
        "captures": captures,
        "orphaned_steps": orphans,
    }))
}

/// Whether what an execution writes about a flow is in the state: it stopped after its commit and before it could say so.
///
/// # Errors
/// The database's own.
pub fn is_written(connection: &Connection, execution: &Execution) -> Result<bool, FlowError> {
    let text = |name: &str| execution.parameters.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = execution.id.to_string();
    let (sql, subject) = match execution.workflow {
        Workflow::CaptureFlow => {
            ("SELECT EXISTS (SELECT 1 FROM captures WHERE id = ? AND execution_id = ?)", text("capture_id"))
        }
        Workflow::RestoreFlow => {
            ("SELECT EXISTS (SELECT 1 FROM flows WHERE id = ? AND restored_by = ?)", text("flow_id"))
        }
        _ => return Ok(false),
    };
    Ok(connection.query_row(sql, [subject, &id], |row| row.get(0))?)
}

fn require_tenant(connection: &Connection, tenant: &TenantName) -> Result<(), FlowError> {
    let exists: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM tenants WHERE name = ?)",
        [tenant.as_str()],
        |row| row.get(0),
    )?;
    if exists {
        return Ok(());
    }
    Err(FlowError::Conflict(format!(
        "the flow belongs to the workspace `{tenant}`, which is not there: create the tenant first"
    )))
}

/// Answers false where a capture of this id is there already: it is the same one, as captures don't change.
fn insert_capture(tx: &Connection, flow: &Flow, capture: &ArchivedCapture) -> Result<bool, FlowError> {
    let made = tx.execute(
        "INSERT INTO captures (tenant_name, id, flow_id, flow_name, description, is_fuzzy, created_at, created_by,
         execution_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
        params![
            flow.tenant_name.as_str(),
            capture.id,
            flow.id,
            capture.flow_name,
            capture.description,
            capture.is_fuzzy,
            capture.created_at,
            capture.created_by,
            capture.execution_id,
        ],
    )?;
    if made == 1 {
        let mut insert =
            tx.prepare_cached("INSERT INTO captured_steps (capture_id, step_id, value) VALUES (?, ?, ?)")?;
        for (step, value) in &capture.values {
            insert.execute([&capture.id, step, value.as_str()])?;
        }
    }
    Ok(made == 1)
}
