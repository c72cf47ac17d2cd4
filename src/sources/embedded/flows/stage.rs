//! Flows from an archive, written into a generation that waits beside the live one.

use rusqlite::params;
use rusqlite::types::Value as SqlValue;

use crate::executions::Job;
use crate::flows::{FlowStatus, Graph};
use crate::manager::Generation;
use crate::model::TenantName;

use super::super::super::{EntrySource, SourceError};
use super::super::Counts;
use super::super::rows::{Envelope, RowTable, columns, envelope_tenant};
use super::super::stage::insert;
use super::{FLOW_TABLES, FOLDER, flow};

/// How many ids a report names at the most.
const NAMED: usize = 100;

/// Fills the tables of flows of a generation. Flows come back stopped.
pub(in super::super) fn stage(
    generation: &Generation,
    job: &Job,
    entries: &dyn EntrySource,
    counts: &mut Counts,
    notes: &mut Vec<String>,
) -> Result<(), SourceError> {
    let names: Vec<(String, TenantName)> = entries
        .names()
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), TenantName::trusted(envelope_tenant(FOLDER, name)?))))
        .collect();
    for (name, tenant) in names {
        job.check()?;
        let bytes = entries.bytes(&name)?;
        let Rows { table, rows, steps } = read_rows(&name, &tenant, &bytes)?;
        *counts.entry(table.kind.to_owned()).or_default() += rows.len() as u64;
        generation.database.write_blocking(move |tx| {
            let mut columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
            if matches!(table.kind, "flows" | "captures") {
                columns.push("tenant_name");
            }
            for row in rows {
                insert(tx, table.kind, &columns, row)?;
            }
            let mut statement =
                tx.prepare_cached("INSERT INTO flow_steps (flow_id, id, position) VALUES (?, ?, ?)")?;
            for (flow, step, position) in steps {
                statement.execute(params![flow, step, position])?;
            }
            Ok::<(), SourceError>(())
        })?;
    }
    note_orphans(generation, notes)
}

/// A step of a graph: its flow, its id, its place.
type StepRow = (String, String, i64);

/// What an envelope gives its table.
struct Rows {
    table: &'static RowTable,
    rows: Vec<Vec<SqlValue>>,
    /// What the graphs of flows say.
    steps: Vec<StepRow>,
}

fn read_rows(name: &str, tenant: &TenantName, bytes: &[u8]) -> Result<Rows, SourceError> {
    let wrong = |reason: String| SourceError::Entry { entry: name.to_owned(), reason };
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let table = FLOW_TABLES
        .iter()
        .find(|table| table.kind == envelope.kind)
        .ok_or_else(|| wrong(format!("items of type `{}` are not known here", envelope.kind)))?;
    let mut rows = Vec::with_capacity(envelope.items.len());
    let mut steps = Vec::new();
    for item in &envelope.items {
        let mut row = columns(name, table, item)?;
        if table.kind == "flows" {
            let flow = flow(tenant, table, &row).map_err(wrong)?;
            let graph = Graph::parse(flow.graph, "graph").map_err(|error| wrong(error.to_string()))?;
            for (step, position) in graph.steps().iter().zip(0_i64..) {
                steps.push((flow.id.clone(), step.clone(), position));
            }
            for (value, (name, _)) in row.iter_mut().zip(table.columns) {
                if matches!(*name, "status" | "current_status") {
                    *value = SqlValue::Text(FlowStatus::Inactive.as_str().to_owned());
                }
            }
        }
        if matches!(table.kind, "flows" | "captures") {
            row.push(SqlValue::Text(tenant.to_string()));
        }
        rows.push(row);
    }
    Ok(Rows { table, rows, steps })
}

/// Says of snapshots whose step the graph has not that they are there and can't be seen.
fn note_orphans(generation: &Generation, notes: &mut Vec<String>) -> Result<(), SourceError> {
    let orphans = generation.database.read_blocking(|connection| {
        let mut statement = connection.prepare(
            "SELECT flow_id, step_id FROM step_snapshots s WHERE NOT EXISTS
             (SELECT 1 FROM flow_steps p WHERE p.flow_id = s.flow_id AND p.id = s.step_id) ORDER BY 1, 2",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok::<Vec<(String, String)>, SourceError>(rows.collect::<rusqlite::Result<_>>()?)
    })?;
    for (flow, step) in orphans.iter().take(NAMED) {
        notes.push(format!(
            "the graph of the flow `{flow}` has no step `{step}`: its snapshot was restored, and is shown once the graph has such a step"
        ));
    }
    if let Some(more) = orphans.len().checked_sub(NAMED).filter(|more| *more > 0) {
        notes.push(format!("{more} more snapshots of steps that the graphs of their flows have not"));
    }
    Ok(())
}
