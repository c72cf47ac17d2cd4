//! Flows, the snapshots of their steps, captures and, where asked for, history: carried as the texts that were sent.
//!
//! `flows/<tenant>/NNNNNNNN.json` is an envelope like those of `tenants/`; graphs and values stand in its items to the
//! letter. A value that is not there has no key, so that it differs from `null`.

mod collect;
mod one;
mod stage;

use std::collections::HashMap;

use rusqlite::types::Value as SqlValue;

use crate::flows::{Flow, FlowStatus, FlowType, JsonText, MapperType};
use crate::model::TenantName;

use super::rows::{Kind, RowTable};

pub(super) use collect::collect;
pub use one::read_flow;
pub(super) use stage::stage;

/// The folder of the envelopes.
const FOLDER: &str = "flows";
/// The table that is carried only where the history is asked for.
const HISTORY: &str = "step_history";

/// All tables, in an order in which they can be inserted.
pub(super) const FLOW_TABLES: &[RowTable] = &[
    RowTable {
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
    },
    RowTable {
        kind: "step_snapshots",
        from: "step_snapshots t JOIN flows f ON f.id = t.flow_id WHERE f.tenant_name = ?",
        order: "f.number, t.step_id",
        columns: &[
            ("flow_id", Kind::Text),
            ("step_id", Kind::Text),
            ("value", Kind::Raw),
            ("updated_at", Kind::Text),
        ],
    },
    RowTable {
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
    },
    RowTable {
        kind: "captured_steps",
        from: "captured_steps t JOIN captures c ON c.id = t.capture_id WHERE c.tenant_name = ?",
        order: "c.number, t.step_id",
        columns: &[("capture_id", Kind::Text), ("step_id", Kind::Text), ("value", Kind::Raw)],
    },
    RowTable {
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
    },
];

/// A flow's columns, judged.
fn flow(tenant: &TenantName, table: &RowTable, row: &[SqlValue]) -> Result<Flow, String> {
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
}
