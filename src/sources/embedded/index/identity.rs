//! What names an entity of a kind: read from the tables themselves, so that a new kind needs no line here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rusqlite::Connection;
use serde_json::Value;

use crate::manager::schema;

use super::super::charts::CHART_TABLES;
use super::super::flows::FLOW_TABLES;
use super::super::rows;
use super::super::tables::{Kind, TABLES};
use super::fields::{Fields, text};

/// One part of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The envelope's `source_id`.
    Source,
    /// A value of the item.
    Field(&'static str),
}

/// What names the entities of a kind in their tenant.
#[derive(Clone, Debug, Default)]
pub(super) struct Naming {
    /// The columns of a unique index; empty where the table has none that is carried.
    parts: Vec<Part>,
    /// Where there is none: the time by which entities are counted.
    time: Option<&'static str>,
    /// What a restore gives values that an archive does not have, as JSON texts: archives of before there were such.
    defaults: Vec<(&'static str, String)>,
    /// Keys that only Cloudify's restore needs: they say nothing of the entity.
    constants: Vec<&'static str>,
}

/// An entity's name in its tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// It has a name of its own.
    Own(String),
    /// It has none: this is what it shares with others, and its number among those is to follow.
    Numbered(String),
}

static NAMINGS: LazyLock<BTreeMap<&'static str, Naming>> = LazyLock::new(|| {
    read_namings().expect("the tables of this version can be made in memory, as every start makes them")
});

/// All kinds that an archive of this version carries in envelopes.
#[cfg(test)]
pub(super) fn kinds() -> Vec<&'static str> {
    NAMINGS.keys().copied().collect()
}

/// The name of an entity of `kind`. One of a kind that this version does not know is named by its `id` or `name`.
pub(super) fn name(kind: &str, source: Option<&str>, fields: &Fields) -> Name {
    let unknown = Naming::default();
    let naming = NAMINGS.get(kind).unwrap_or(&unknown);
    let value = |part: &Part| match part {
        Part::Source => Some(source.unwrap_or_default().to_owned()),
        Part::Field(key) => text(fields, key),
    };
    let parts: Option<Vec<String>> = naming.parts.iter().map(value).collect();
    match parts.as_deref() {
        Some([one]) => return Name::Own(one.clone()),
        Some([]) | None => {}
        Some(several) => return Name::Own(joined(several)),
    }
    if let Some(name) = ["id", "name", "username"].iter().find_map(|key| text(fields, key)) {
        return Name::Own(name);
    }
    let time = naming.time.and_then(|key| text(fields, key)).unwrap_or_default();
    Name::Numbered(joined(&[source.unwrap_or_default().to_owned(), time]))
}

/// Several parts as one name: no two lists of parts have the same.
fn joined(parts: &[String]) -> String {
    let escaped: Vec<String> =
        parts.iter().map(|part| part.replace('%', "%25").replace('/', "%2F")).collect();
    escaped.join("/")
}

fn read_namings() -> Result<BTreeMap<&'static str, Naming>, Box<dyn std::error::Error>> {
    let mut connection = Connection::open_in_memory()?;
    schema::migrations().run(&mut connection)?;
    let mut namings = BTreeMap::new();
    for table in TABLES {
        let part = |column: &str| {
            if table.source == Some(column) && table.source_is_column {
                return Some(Part::Source);
            }
            let fields = table.dumped.iter().chain(table.extra);
            fields.filter(|field| field.column == Some(column)).map(|field| Part::Field(field.key)).next()
        };
        let parts = unique_parts(&connection, table.target(), part)?;
        let mut defaults = Vec::new();
        for field in table.dumped.iter().chain(table.extra) {
            let Some(column) = field.column else { continue };
            if let Some(default) = default(&connection, table.target(), column, field.kind)? {
                defaults.push((field.key, default));
            }
        }
        let constants = table.dumped.iter().filter(|field| field.column.is_none());
        let constants = constants.map(|field| field.key).collect();
        namings.insert(table.kind, Naming { parts, time: table.time, defaults, constants });
    }
    for table in FLOW_TABLES.iter().chain(CHART_TABLES) {
        let part = |column: &str| {
            table.columns.iter().find(|(name, _)| *name == column).map(|(name, _)| Part::Field(name))
        };
        let parts = unique_parts(&connection, table.kind, part)?;
        let null = |kind: &rows::Kind| matches!(kind, rows::Kind::Text | rows::Kind::Integer);
        let columns = table.columns.iter().filter(|(_, kind)| null(kind));
        let defaults = columns.map(|(name, _)| (*name, "null".to_owned())).collect();
        namings.insert(table.kind, Naming { parts, defaults, ..Naming::default() });
    }
    Ok(namings)
}

/// Gives an entity the values that its archive does not have, as a restore does, and takes out what is none of it.
pub(super) fn complete(kind: &str, fields: &mut Fields) {
    let Some(naming) = NAMINGS.get(kind) else { return };
    fields.retain(|key, _| !naming.constants.contains(&key.as_str()));
    for (key, default) in &naming.defaults {
        if !fields.contains_key(*key) {
            fields.insert((*key).to_owned(), default.clone());
        }
    }
}

/// What a column holds where nothing is said, as a JSON text; none where something has to be said.
fn default(
    connection: &Connection,
    table: &str,
    column: &str,
    kind: Kind,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let (must_be, default): (bool, Option<String>) = connection.query_row(
        r#"SELECT "notnull", dflt_value FROM pragma_table_info(?) WHERE name = ?"#,
        [table, column],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Some(default) = default else { return Ok((!must_be).then(|| "null".to_owned())) };
    let sql = format!("SELECT CAST({default} AS TEXT)");
    let value: Option<String> = connection.query_row(&sql, [], |row| row.get(0))?;
    Ok(Some(match (value, kind) {
        (None, _) => "null".to_owned(),
        (Some(text), Kind::Text) => Value::from(text).to_string(),
        (Some(text), Kind::Boolean) => (text != "0").to_string(),
        (Some(text), Kind::Integer | Kind::Json | Kind::Properties) => text,
    }))
}

/// The carried columns of a unique index of a table; one with `id` before others.
fn unique_parts(
    connection: &Connection,
    table: &str,
    part: impl Fn(&str) -> Option<Part>,
) -> rusqlite::Result<Vec<Part>> {
    let names = |sql: &str, name: &str| -> rusqlite::Result<Vec<String>> {
        connection.prepare(sql)?.query_map([name], |row| row.get(0))?.collect()
    };
    let mut sets = vec![names("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", table)?];
    let indexes =
        r#"SELECT name FROM pragma_index_list(?) WHERE "unique" = 1 AND partial = 0 ORDER BY seq DESC"#;
    for index in names(indexes, table)? {
        sets.push(names("SELECT name FROM pragma_index_info(?) ORDER BY seqno", &index)?);
    }
    let mut carried: Vec<(bool, Vec<Part>)> = sets
        .into_iter()
        .filter_map(|set| {
            let own: Vec<&String> = set.iter().filter(|column| *column != "tenant_name").collect();
            let parts: Option<Vec<Part>> = own.iter().map(|column| part(column)).collect();
            Some((!own.iter().any(|column| *column == "id"), parts.filter(|parts| !parts.is_empty())?))
        })
        .collect();
    carried.sort_by_key(|(has_no_id, parts)| (*has_no_id, parts.len()));
    Ok(carried.into_iter().next().map(|(_, parts)| parts).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(kind: &str, source: Option<&str>, fields: &[(&str, &str)]) -> Name {
        let fields = fields.iter().map(|(key, raw)| ((*key).to_owned(), (*raw).to_owned())).collect();
        name(kind, source, &fields)
    }

    #[test]
    fn names_are_those_of_the_tables() {
        let own = |name: &str| Name::Own(name.to_owned());
        assert_eq!(named("blueprints", None, &[("id", "\"a\"")]), own("a"));
        assert_eq!(named("nodes", Some("d"), &[("id", "\"vm\"")]), own("d/vm"));
        assert_eq!(named("nodes", Some("d/e"), &[("id", "\"v%m\"")]), own("d%2Fe/v%25m"));
        assert_eq!(named("charts", None, &[("id", "1007")]), own("1007"));
        assert_eq!(named("step_snapshots", None, &[("flow_id", "\"f\""), ("step_id", "\"s\"")]), own("f/s"));
        assert_eq!(named("step_history", None, &[("number", "3")]), own("3"));
        assert_eq!(
            named("events", Some("e"), &[("timestamp", "\"2026\"")]),
            Name::Numbered("e/2026".to_owned())
        );
        assert_eq!(named("not_known_yet", None, &[("name", "\"x\"")]), own("x"));
    }

    #[test]
    fn values_that_an_archive_does_not_have_are_those_of_a_restore() {
        let mut fields = Fields::from([("id".to_owned(), "\"d\"".to_owned())]);
        complete("deployments", &mut fields);
        assert_eq!(fields["inputs"], "{}");
        assert_eq!(fields["runtime_only_evaluation"], "false");
        assert_eq!(fields["site_name"], "null");
        assert!(!fields.contains_key("blueprint_id"), "that one has to be said");
    }

    #[test]
    fn every_kind_but_events_has_a_name_of_its_own() {
        let nameless: Vec<&str> =
            NAMINGS.iter().filter(|(_, naming)| naming.parts.is_empty()).map(|(kind, _)| *kind).collect();
        assert_eq!(nameless, ["events"]);
        for table in TABLES {
            assert!(kinds().contains(&table.kind), "no index names `{}`", table.kind);
        }
    }
}
