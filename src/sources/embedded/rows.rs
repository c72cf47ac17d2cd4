//! Tables whose rows are carried column by column: those of flows and of charts.
//!
//! `<folder>/<tenant>/NNNNNNNN.json` is an envelope like those of `tenants/`. What is JSON in a table stands in its items
//! to the letter. A value that is not there has no key, so that it differs from `null`.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::Value as SqlValue;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::executions::Job;
use crate::model::TenantName;

use super::super::{Collected, SourceError};
use super::passage::Outlet;
use super::{ENVELOPE_BYTES, ENVELOPE_ITEMS};

/// How a column's value stands in an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text, or null.
    Text,
    /// A whole number, or null.
    Integer,
    /// JSON text, to the letter; without a key where the column is NULL.
    Raw,
}

/// One table, and how its rows are found by tenant.
#[derive(Debug)]
pub(super) struct RowTable {
    /// The envelope's `type`, and the table.
    pub kind: &'static str,
    /// What follows `FROM` and names the table `t`; has one `?` for the tenant.
    pub from: &'static str,
    pub order: &'static str,
    pub columns: &'static [(&'static str, Kind)],
}

/// The name of an envelope.
pub(super) fn envelope_name(folder: &str, tenant: &TenantName, number: u32) -> String {
    format!("{folder}/{tenant}/{number:08}.json")
}

/// The tenant of an envelope of a folder.
pub(super) fn envelope_tenant<'a>(folder: &str, name: &'a str) -> Option<&'a str> {
    let (tenant, file) = name.strip_prefix(folder)?.strip_prefix('/')?.split_once('/')?;
    (!file.contains('/') && file.ends_with(".json")).then_some(tenant)
}

/// An envelope, whose values are kept as the texts that they are.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(borrow)]
    pub items: Vec<Item<'a>>,
}

/// One row: its columns by name.
pub(super) type Item<'a> = BTreeMap<String, &'a RawValue>;

/// The columns of an item, in the order of the table.
pub(super) fn columns(entry: &str, table: &RowTable, item: &Item<'_>) -> Result<Vec<SqlValue>, SourceError> {
    let value = |(name, kind): &(&str, Kind)| {
        let wrong =
            || SourceError::Entry { entry: entry.to_owned(), reason: format!("`{name}` can't be read") };
        let Some(raw) = item.get(*name) else { return Ok(SqlValue::Null) };
        Ok(match kind {
            Kind::Raw => SqlValue::Text(raw.get().to_owned()),
            Kind::Text => serde_json::from_str::<Option<String>>(raw.get())
                .map_err(|_| wrong())?
                .map_or(SqlValue::Null, SqlValue::Text),
            Kind::Integer => serde_json::from_str::<Option<i64>>(raw.get())
                .map_err(|_| wrong())?
                .map_or(SqlValue::Null, SqlValue::Integer),
        })
    };
    table.columns.iter().map(value).collect()
}

/// Streams a tenant's rows of a table into envelopes of a folder; `number` is that of the last one.
pub(super) fn collect_table(
    connection: &Connection,
    job: &Job,
    (folder, tenant): (&str, &TenantName),
    table: &RowTable,
    number: &mut u32,
    outlet: &mut Outlet<'_>,
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
            write(outlet, (folder, tenant), number, &mut document, &head)?;
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
        write(outlet, (folder, tenant), number, &mut document, &head)?;
    }
    Ok(())
}

/// Closes an envelope, writes it and begins the next.
fn write(
    outlet: &mut Outlet<'_>,
    (folder, tenant): (&str, &TenantName),
    number: &mut u32,
    document: &mut String,
    head: &str,
) -> Result<(), SourceError> {
    document.push_str("]}");
    *number += 1;
    let content = std::mem::replace(document, head.to_owned());
    outlet.bytes(envelope_name(folder, tenant, *number), content.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_envelopes_of_the_folder_are_read_as_such() {
        assert_eq!(envelope_tenant("flows", "flows/north/00000001.json"), Some("north"));
        for other in [
            "flows/north/a/1.json",
            "flows/x.json",
            "tenants/north/1.json",
            "flows/north/x.bin",
            "flowsnorth/1.json",
        ] {
            assert_eq!(envelope_tenant("flows", other), None, "{other}");
        }
    }
}
