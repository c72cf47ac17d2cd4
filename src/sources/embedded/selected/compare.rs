//! Which of what comes the live state lacks, which it has alike, and which differs.

use std::sync::Arc;

use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, Row, params, params_from_iter};
use serde_json::Value;

use crate::executions::Job;
use crate::manager::{Place, Vault};

use super::super::super::SourceError;
use super::super::entities::{ENTITIES, Entities, Tenancy};
use super::super::sealed::agent_value;
use super::super::state;

/// How many entities are compared in one go.
const BATCH: usize = 500;

/// The vault's word for the values of a column that is sealed at rest; none for any other column.
fn sealed_word(table: &str, column: &str) -> Option<&'static str> {
    match (table, column) {
        ("secrets", "sealed_value") => Some("secret"),
        ("agents", "sealed_rabbitmq_password") => Some(agent_value("rabbitmq_password")),
        ("agents", "sealed_key_file") => Some(agent_value("key_file")),
        _ => None,
    }
}

/// The columns of a table.
pub(super) fn columns(connection: &Connection, table: &str) -> Result<Vec<String>, SourceError> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?)")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// Compares everything that is listed with the live state, and lists how it stands: `missing`, `same`, `differs`.
/// `ignored` are columns that the archive does not carry, each with its table.
pub(super) fn compare(
    connection: &Connection,
    job: &Job,
    vault: &Arc<Vault>,
    ignored: &[(&str, &str)],
) -> Result<(), SourceError> {
    for entities in ENTITIES {
        job.check()?;
        let kind = entities.kind;
        connection.execute(
            &format!(
                "UPDATE archive.wanted SET state = 'missing' WHERE kind = ?1
                 AND NOT EXISTS (SELECT 1 FROM main.{kind} l WHERE {})",
                entities.is_of("l", "wanted")
            ),
            [kind],
        )?;
        // A tenant is its name: when it was made is no difference.
        if matches!(entities.tenancy, Tenancy::Own) {
            connection.execute(
                "UPDATE archive.wanted SET state = 'same' WHERE kind = ?1 AND state IS NULL",
                [kind],
            )?;
            continue;
        }
        let compared: Vec<String> = columns(connection, kind)?
            .into_iter()
            .filter(|column| {
                !entities.ignored.contains(&column.as_str())
                    && !entities.moved.contains(&column.as_str())
                    && !ignored.contains(&(kind, column.as_str()))
            })
            .collect();
        compare_kind(connection, job, vault, entities, &compared)?;
    }
    Ok(())
}

struct Name {
    tenant: String,
    id: String,
    k1: SqlValue,
    k2: SqlValue,
}

fn compare_kind(
    connection: &Connection,
    job: &Job,
    vault: &Vault,
    entities: &Entities,
    compared: &[String],
) -> Result<(), SourceError> {
    let kind = entities.kind;
    let rows_of = |db: &str| {
        let columns: Vec<String> = compared.iter().map(|column| format!("t.\"{column}\"")).collect();
        let order = if entities.is_group { "ORDER BY t.number" } else { "" };
        format!(
            "SELECT {} FROM (SELECT ?1 AS tenant, ?2 AS k1, ?3 AS k2) w JOIN {db}.{kind} t ON {} {order}",
            columns.join(", "),
            entities.is_of("t", "w")
        )
    };
    let mut archived = connection.prepare(&rows_of("archive"))?;
    let mut live = connection.prepare(&rows_of("main"))?;
    let mut set =
        connection.prepare("UPDATE archive.wanted SET state = ? WHERE kind = ? AND tenant = ? AND id = ?")?;
    let mut open = connection.prepare(&format!(
        "SELECT tenant, id, k1, k2 FROM archive.wanted WHERE kind = ?1 AND state IS NULL LIMIT {BATCH}"
    ))?;
    loop {
        let batch = open
            .query_map([kind], |row| {
                Ok(Name { tenant: row.get(0)?, id: row.get(1)?, k1: row.get(2)?, k2: row.get(3)? })
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        if batch.is_empty() {
            return Ok(());
        }
        for name in batch {
            job.check()?;
            let key =
                || params_from_iter([SqlValue::Text(name.tenant.clone()), name.k1.clone(), name.k2.clone()]);
            let (mut ours, mut theirs) = (archived.query(key())?, live.query(key())?);
            let is_same = loop {
                match (ours.next()?, theirs.next()?) {
                    (None, None) => break true,
                    (Some(one), Some(other)) => {
                        if !is_same_row(vault, kind, &name, compared, (one, other))? {
                            break false;
                        }
                    }
                    _ => break false,
                }
            };
            set.execute(params![if is_same { "same" } else { "differs" }, kind, name.tenant, name.id])?;
        }
    }
}

fn is_same_row(
    vault: &Vault,
    kind: &str,
    name: &Name,
    columns: &[String],
    (one, other): (&Row<'_>, &Row<'_>),
) -> Result<bool, SourceError> {
    for (index, column) in columns.iter().enumerate() {
        let (one, other) = (one.get_ref(index)?, other.get_ref(index)?);
        if one == other {
            continue;
        }
        let is_same = match (sealed_word(kind, column), one, other) {
            (Some(word), ValueRef::Blob(one), ValueRef::Blob(other)) => {
                // Twice the same value is sealed to other bytes.
                let place = Place { kind: word, tenant: &name.tenant, key: &name.id };
                vault.open(place, one).map_err(state)? == vault.open(place, other).map_err(state)?
            }
            (_, ValueRef::Text(one), ValueRef::Text(other)) => is_same_json(one, other),
            // A JSON column that holds no text and one that holds `null` mean the same.
            (_, ValueRef::Null, ValueRef::Text(b"null")) | (_, ValueRef::Text(b"null"), ValueRef::Null) => {
                true
            }
            _ => false,
        };
        if !is_same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether two texts are one JSON document, written in two ways.
fn is_same_json(one: &[u8], other: &[u8]) -> bool {
    let is_document = |text: &[u8]| matches!(text.first(), Some(b'{' | b'['));
    if !is_document(one) || !is_document(other) {
        return false;
    }
    match (serde_json::from_slice::<Value>(one), serde_json::from_slice::<Value>(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_the_same_in_whatever_order_their_keys_stand() {
        assert!(is_same_json(br#"{"a":1,"b":[2]}"#, br#"{ "b": [2], "a": 1 }"#));
        assert!(!is_same_json(br#"{"a":1}"#, br#"{"a":2}"#));
        assert!(!is_same_json(b"1", b"1.0"));
    }
}
