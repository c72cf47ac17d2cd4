//! The flows of one cut, streamed row by row into an archive.

use rusqlite::Connection;
use serde_json::Value;

use crate::executions::Job;
use crate::manager::tenant_names;
use crate::model::TenantName;

use super::super::super::{Collected, EntrySink, SourceError};
use super::super::{ENVELOPE_BYTES, ENVELOPE_ITEMS, state};
use super::{FLOW_TABLES, FlowTable, Kind, envelope_name};

/// Streams the flows of a cut into `sink`. Flows that run at the cut are named in `collected.fuzzy`: what their
/// components hold in memory is not in it.
pub(in super::super) fn collect(
    connection: &Connection,
    job: &Job,
    include_history: bool,
    sink: &mut dyn EntrySink,
    collected: &mut Collected,
) -> Result<(), SourceError> {
    for tenant in tenant_names(connection).map_err(state)? {
        let mut number = 0;
        for table in FLOW_TABLES.iter().filter(|table| include_history || !table.is_history) {
            collect_table(connection, job, &tenant, table, &mut number, sink, collected)?;
        }
    }
    let running = "SELECT id FROM flows WHERE status = 'active' OR current_status = 'active' ORDER BY number";
    let mut statement = connection.prepare(running)?;
    collected.fuzzy = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(())
}

fn collect_table(
    connection: &Connection,
    job: &Job,
    tenant: &TenantName,
    table: &FlowTable,
    number: &mut u32,
    sink: &mut dyn EntrySink,
    collected: &mut Collected,
) -> Result<(), SourceError> {
    let columns: Vec<String> = table.columns.iter().map(|(name, _)| format!("t.\"{name}\"")).collect();
    let sql = format!("SELECT {} FROM {} ORDER BY {}", columns.join(", "), table.from, table.order);
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([tenant.as_str()])?;
    let head = format!("{{\"type\":\"{}\",\"items\":[", table.kind);
    let mut document = head.clone();
    let mut items = 0;
    while let Some(row) = rows.next()? {
        job.check()?;
        if items >= ENVELOPE_ITEMS || document.len() >= ENVELOPE_BYTES {
            write(sink, tenant, number, &mut document, &head)?;
            items = 0;
        }
        document.push(if items == 0 { '{' } else { ',' });
        if items > 0 {
            document.push('{');
        }
        let mut is_first = true;
        for (index, (name, kind)) in table.columns.iter().enumerate() {
            let text = match kind {
                Kind::Text => Value::from(row.get::<_, Option<String>>(index)?).to_string(),
                Kind::Integer => Value::from(row.get::<_, Option<i64>>(index)?).to_string(),
                Kind::Raw => match row.get::<_, Option<String>>(index)? {
                    Some(text) => text,
                    None => continue,
                },
            };
            if !std::mem::replace(&mut is_first, false) {
                document.push(',');
            }
            document.push('"');
            document.push_str(name);
            document.push_str("\":");
            document.push_str(&text);
        }
        document.push('}');
        items += 1;
        collected.count(table.kind, 1);
    }
    if items > 0 {
        write(sink, tenant, number, &mut document, &head)?;
    }
    Ok(())
}

/// Closes an envelope, writes it and begins the next.
fn write(
    sink: &mut dyn EntrySink,
    tenant: &TenantName,
    number: &mut u32,
    document: &mut String,
    head: &str,
) -> Result<(), SourceError> {
    document.push_str("]}");
    *number += 1;
    sink.bytes(&envelope_name(tenant, *number), document.as_bytes())?;
    document.clear();
    document.push_str(head);
    Ok(())
}
