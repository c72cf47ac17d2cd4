//! Flows, the snapshots of their steps, captures and, where asked for, history: carried as the texts that were sent.
//!
//! `flows/<tenant>/NNNNNNNN.json` is an envelope like those of `tenants/`; graphs and values stand in its items to the
//! letter. A value that is not there has no key, so that it differs from `null`.

mod collect;
mod one;
mod stage;

use std::collections::{BTreeMap, HashMap};

use rusqlite::types::Value as SqlValue;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::flows::{Flow, FlowStatus, FlowType, JsonText, MapperType};
use crate::model::TenantName;

use super::super::SourceError;

pub(super) use collect::collect;
pub use one::read_flow;
pub(super) use stage::stage;

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
pub(super) struct FlowTable {
    /// The envelope's `type`, and the table.
    pub kind: &'static str,
    /// What follows `FROM` and names the table `t`; has one `?` for the tenant.
    from: &'static str,
    order: &'static str,
    pub columns: &'static [(&'static str, Kind)],
    /// Whether it is carried only where the history is asked for.
    pub is_history: bool,
}

/// All tables, in an order in which they can be inserted.
pub(super) const FLOW_TABLES: &[FlowTable] = &[
    FlowTable {
        kind: "flows",
        from: "flows t WHERE t.tenant_name = ?",
        order: "t.number",
        columns: &[
            ("id", Kind::Text),
            ("name", Kind::Text),
            ("description", Kind::Text),
            ("type", Kind::Text),
            ("status", Kind::Text),
            ("current_status", Kind::Text),
            ("default_mapper_type", Kind::Text),
            ("cron", Kind::Text),
            ("graph", Kind::Raw),
            ("version", Kind::Integer),
            ("created_at", Kind::Text),
            ("created_by", Kind::Text),
            ("updated_at", Kind::Text),
            ("last_modified", Kind::Text),
            ("last_start_time", Kind::Text),
            ("last_stop_time", Kind::Text),
        ],
        is_history: false,
    },
    FlowTable {
        kind: "step_snapshots",
        from: "step_snapshots t JOIN flows f ON f.id = t.flow_id WHERE f.tenant_name = ?",
        order: "f.number, t.step_id",
        columns: &[
            ("flow_id", Kind::Text),
            ("step_id", Kind::Text),
            ("value", Kind::Raw),
            ("updated_at", Kind::Text),
        ],
        is_history: false,
    },
    FlowTable {
        kind: "captures",
        from: "captures t WHERE t.tenant_name = ?",
        order: "t.number",
        columns: &[
            ("id", Kind::Text),
            ("flow_id", Kind::Text),
            ("flow_name", Kind::Text),
            ("description", Kind::Text),
            ("is_fuzzy", Kind::Integer),
            ("created_at", Kind::Text),
            ("created_by", Kind::Text),
            ("execution_id", Kind::Text),
        ],
        is_history: false,
    },
    FlowTable {
        kind: "captured_steps",
        from: "captured_steps t JOIN captures c ON c.id = t.capture_id WHERE c.tenant_name = ?",
        order: "c.number, t.step_id",
        columns: &[("capture_id", Kind::Text), ("step_id", Kind::Text), ("value", Kind::Raw)],
        is_history: false,
    },
    FlowTable {
        kind: "step_history",
        from: "step_history t JOIN flows f ON f.id = t.flow_id WHERE f.tenant_name = ?",
        order: "t.number",
        columns: &[
            ("number", Kind::Integer),
            ("flow_id", Kind::Text),
            ("change", Kind::Integer),
            ("change_steps", Kind::Integer),
            ("step_id", Kind::Text),
            ("action", Kind::Text),
            ("via", Kind::Text),
            ("at", Kind::Text),
            ("username", Kind::Text),
            ("execution_id", Kind::Text),
            ("is_redelivered", Kind::Integer),
            ("undoes", Kind::Integer),
            ("is_undone", Kind::Integer),
            ("value_before", Kind::Raw),
            ("value_after", Kind::Raw),
        ],
        is_history: true,
    },
];

/// The name of an envelope.
fn envelope_name(tenant: &TenantName, number: u32) -> String {
    format!("flows/{tenant}/{number:08}.json")
}

/// The tenant of an envelope of flows.
fn envelope_tenant(name: &str) -> Option<&str> {
    let (tenant, file) = name.strip_prefix("flows/")?.split_once('/')?;
    (!file.contains('/') && file.ends_with(".json")).then_some(tenant)
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

type Item<'a> = BTreeMap<String, &'a RawValue>;

/// The columns of an item, in the order of the table.
fn columns(entry: &str, table: &FlowTable, item: &Item<'_>) -> Result<Vec<SqlValue>, SourceError> {
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

/// A flow's columns, judged.
fn flow(tenant: &TenantName, table: &FlowTable, row: &[SqlValue]) -> Result<Flow, String> {
    let of: HashMap<&str, &SqlValue> = table.columns.iter().map(|(name, _)| *name).zip(row).collect();
    let optional = |name: &str| match of.get(name) {
        Some(SqlValue::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let text = |name: &str| optional(name).ok_or_else(|| format!("a flow has no `{name}`"));
    fn word<T>(name: &str, text: &str, parse: fn(&str) -> Option<T>) -> Result<T, String> {
        parse(text).ok_or_else(|| format!("`{}` is no `{name}` of a flow", text.escape_debug()))
    }
    let id = text("id")?;
    if id.is_empty()
        || id.len() > 256
        || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    {
        return Err(format!("`{}` is no id of a flow", id.escape_debug()));
    }
    Ok(Flow {
        id,
        tenant_name: tenant.clone(),
        name: text("name")?,
        description: optional("description"),
        flow_type: word("type", &text("type")?, FlowType::parse)?,
        status: FlowStatus::Inactive,
        current_status: FlowStatus::Inactive,
        reports_current_status: false,
        default_mapper_type: word("default_mapper_type", &text("default_mapper_type")?, MapperType::parse)?,
        cron: optional("cron"),
        graph: JsonText::trusted(text("graph")?),
        version: match of.get("version") {
            Some(SqlValue::Integer(version)) => *version,
            _ => return Err("a flow has no `version`".to_owned()),
        },
        created_by: text("created_by")?,
        created_at: text("created_at")?,
        updated_at: text("updated_at")?,
        last_modified: text("last_modified")?,
        last_start_time: optional("last_start_time"),
        last_stop_time: optional("last_stop_time"),
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// Columns that are not carried, each with its reason.
    const NOT_CARRIED: &[(&str, &str, &str)] = &[
        ("flows", "number", "given anew in the order of the archive"),
        ("captures", "number", "given anew in the order of the archive"),
        ("flows", "tenant_name", "the folder says it"),
        ("captures", "tenant_name", "the folder says it"),
        ("flows", "reports_current_status", "after a restore no runtime has reported"),
        ("flows", "paused_by", "flows come back stopped"),
        ("flows", "restored_by", "belongs to this installation"),
    ];

    #[test]
    fn every_column_of_the_tables_of_flows_is_carried() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::manager::schema::migrations().run(&mut connection).unwrap();
        for table in FLOW_TABLES {
            let mut statement =
                connection.prepare(&format!("SELECT name FROM pragma_table_info('{}')", table.kind)).unwrap();
            let names: Vec<String> =
                statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
            assert!(!names.is_empty(), "there is no table `{}`", table.kind);
            for column in names {
                let is_carried = table.columns.iter().any(|(name, _)| *name == column);
                let is_excused = NOT_CARRIED.iter().any(|(t, c, _)| *t == table.kind && *c == column);
                assert!(
                    is_carried || is_excused,
                    "no snapshot carries the column `{column}` of `{}`",
                    table.kind
                );
            }
        }
    }

    #[test]
    fn only_envelopes_of_flows_are_read_as_such() {
        assert_eq!(envelope_tenant("flows/north/00000001.json"), Some("north"));
        for other in ["flows/north/a/1.json", "flows/x.json", "tenants/north/1.json", "flows/north/x.bin"] {
            assert_eq!(envelope_tenant(other), None, "{other}");
        }
    }
}
