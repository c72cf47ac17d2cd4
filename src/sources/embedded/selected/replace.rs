//! The change itself: what goes, goes; what comes, comes; and a check that it is so.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::executions::Job;

use super::super::super::SourceError;
use super::super::entities::{DERIVED, ENTITIES, Entities};
use super::super::{Counts, state};
use super::compare::columns;
use super::wanted::owner_entities;

/// Entities of a list by kind.
pub(super) fn count(connection: &Connection, from: &str) -> Result<Counts, SourceError> {
    let mut statement =
        connection.prepare(&format!("SELECT kind, count(*) FROM archive.{from} GROUP BY kind"))?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    let counts: Vec<(String, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(counts.into_iter().map(|(kind, count)| (kind, u64::try_from(count).unwrap_or(0))).collect())
}

/// What a change did, in rows by kind.
#[derive(Default)]
struct Moved {
    deleted: BTreeMap<&'static str, i64>,
    inserted: BTreeMap<&'static str, i64>,
}

/// Replaces what differs, adds what is missing, and takes what goes, in the copy of the live state. `kept` are columns
/// that the archive does not carry: the live values stay.
pub(super) fn replace(connection: &Connection, job: &Job, kept: &[(&str, &str)]) -> Result<(), SourceError> {
    let rows = |kind: &str| -> Result<i64, SourceError> {
        Ok(connection.query_row(&format!("SELECT count(*) FROM main.{kind}"), [], |row| row.get(0))?)
    };
    let before: Vec<i64> = ENTITIES.iter().map(|entities| rows(entities.kind)).collect::<Result<_, _>>()?;
    let mut moved = Moved::default();
    connection.execute_batch("BEGIN")?;
    keep_columns(connection, kept)?;
    for entities in ENTITIES.iter().rev() {
        job.check()?;
        let deleted = delete(connection, entities)?;
        moved.deleted.insert(entities.kind, deleted);
    }
    for (table, column, of) in DERIVED {
        // Triggers make them again for what comes.
        connection.execute_batch(&format!(
            "DELETE FROM main.{table} WHERE NOT EXISTS (SELECT 1 FROM main.{of} o WHERE o.number = {column})"
        ))?;
    }
    for entities in ENTITIES {
        job.check()?;
        let inserted = insert(connection, entities)?;
        moved.inserted.insert(entities.kind, inserted);
    }
    put_columns_back(connection, kept)?;
    connection.execute_batch("COMMIT")?;
    for (entities, before) in ENTITIES.iter().zip(before) {
        let kind = entities.kind;
        let expected = before - moved.deleted[kind] + moved.inserted[kind];
        if rows(kind)? != expected {
            return Err(SourceError::Refused(format!(
                "the staged state does not hold as many {kind} as it should: nothing was changed"
            )));
        }
    }
    Ok(())
}

fn keep_columns(connection: &Connection, kept: &[(&str, &str)]) -> Result<(), SourceError> {
    for (table, column) in kept {
        connection.execute_batch(&format!(
            "CREATE TABLE archive.kept_{table}_{column} AS
             SELECT t.tenant_name, t.id, t.{column} AS value FROM main.{table} t JOIN archive.wanted w
             ON w.kind = '{table}' AND w.state = 'differs' AND w.tenant = t.tenant_name AND w.k1 = t.id"
        ))?;
    }
    Ok(())
}

fn put_columns_back(connection: &Connection, kept: &[(&str, &str)]) -> Result<(), SourceError> {
    for (table, column) in kept {
        connection.execute_batch(&format!(
            "UPDATE main.{table} SET {column} = k.value FROM archive.kept_{table}_{column} k
             WHERE k.tenant_name = {table}.tenant_name AND k.id = {table}.id"
        ))?;
    }
    Ok(())
}

fn delete(connection: &Connection, entities: &Entities) -> Result<i64, SourceError> {
    let kind = entities.kind;
    if has_place(connection, entities)? {
        // What is replaced keeps its place in lists.
        connection.execute(
            &format!(
                "INSERT INTO archive.places SELECT ?1, w.tenant, w.id, t.number
                 FROM archive.wanted w JOIN main.{kind} t ON {} WHERE w.kind = ?1 AND w.state = 'differs'",
                entities.is_of("t", "w")
            ),
            [kind],
        )?;
    }
    let mut deleted = 0;
    for (list, condition) in [("wanted", "w.state = 'differs'"), ("going", "true")] {
        deleted += connection.execute(
            &format!(
                "DELETE FROM main.{kind} AS t WHERE EXISTS (
                    SELECT 1 FROM archive.{list} w WHERE w.kind = ?1 AND {} AND {condition})",
                entities.is_of("t", "w")
            ),
            [kind],
        )?;
    }
    i64::try_from(deleted).map_err(state)
}

fn insert(connection: &Connection, entities: &Entities) -> Result<i64, SourceError> {
    let kind = entities.kind;
    let has_place = has_place(connection, entities)?;
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for column in columns(connection, kind)? {
        let is_moved = entities.moved.contains(&column.as_str());
        if column == "number" && !is_moved {
            continue;
        }
        names.push(format!("\"{column}\""));
        values.push(match is_moved {
            true => format!("t.\"{column}\" + ?2"),
            false => format!("t.\"{column}\""),
        });
    }
    if has_place {
        names.push("number".to_owned());
        values.push(
            "(SELECT p.number FROM archive.places p WHERE p.kind = ?1 AND p.tenant = w.tenant AND p.id = w.id)"
                .to_owned(),
        );
    }
    let has_number = columns(connection, kind)?.iter().any(|column| column == "number");
    let order = if has_number { "ORDER BY t.number" } else { "" };
    let offset: i64 = match entities.moved {
        [] => 0,
        // Behind every number that was given here: of two flows' histories none meets the other.
        _ => connection.query_row(
            "SELECT coalesce((SELECT seq FROM main.sqlite_sequence WHERE name = ?), 0)",
            [kind],
            |row| row.get(0),
        )?,
    };
    let sql = format!(
        "INSERT INTO main.{kind} ({}) SELECT {} FROM archive.wanted w JOIN archive.{kind} t ON {}
         WHERE w.kind = ?1 AND w.state IN ('missing', 'differs') AND ?2 >= 0 {order}",
        names.join(", "),
        values.join(", "),
        entities.is_of("t", "w"),
    );
    let inserted = connection.execute(&sql, params![kind, offset]).map_err(|error| match error {
        rusqlite::Error::SqliteFailure(cause, message)
            if cause.code == rusqlite::ErrorCode::ConstraintViolation =>
        {
            SourceError::Refused(format!(
                "the {kind} of the archive can't stand beside those of the manager: {}; nothing was changed",
                message.unwrap_or_else(|| cause.to_string())
            ))
        }
        other => other.into(),
    })?;
    i64::try_from(inserted).map_err(state)
}

/// Whether each entity is one row with a number that says its place in lists.
fn has_place(connection: &Connection, entities: &Entities) -> Result<bool, SourceError> {
    let columns = columns(connection, entities.kind)?;
    Ok(!entities.is_group && columns.iter().any(|column| column == "number"))
}

/// Checks the changed copy: sound, every link kept, what was wanted there as often as in the archive.
pub(super) fn check(connection: &Connection) -> Result<(), SourceError> {
    let verdict: String = connection.query_row("PRAGMA main.integrity_check", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(SourceError::Refused(format!("the staged tables are damaged: {verdict}")));
    }
    {
        let mut statement = connection.prepare("PRAGMA main.foreign_key_check")?;
        let mut orphans = statement.query([])?;
        if let Some(orphan) = orphans.next()? {
            let (table, parent): (String, String) = (orphan.get(0)?, orphan.get(2)?);
            return Err(SourceError::Refused(format!(
                "something of `{table}` would be left without its `{parent}`: nothing was changed"
            )));
        }
    }
    for entities in ENTITIES {
        let kind = entities.kind;
        for need in entities.needs.iter().filter(|need| need.is_required) {
            // What belonged to something in the archive belongs to something now.
            let other = owner_entities(need);
            let alike = need.alike.map_or(String::new(), |alike| format!("OR ({alike})"));
            let sql = format!(
                "SELECT w.tenant || '/' || w.id, {} FROM archive.wanted w
                 JOIN archive.{kind} t ON {} JOIN archive.{} o ON {}
                 WHERE w.kind = ?1 AND NOT EXISTS (SELECT 1 FROM main.{} l WHERE ({}) {alike}) LIMIT 1",
                other.id("o"),
                entities.is_of("t", "w"),
                other.kind,
                need.on("archive"),
                other.kind,
                other.is_same("l", "o"),
            );
            let mut statement = connection.prepare(&sql)?;
            let mut lost = statement.query([kind])?;
            if let Some(row) = lost.next()? {
                let (name, other_id): (String, String) = (row.get(0)?, row.get(1)?);
                return Err(SourceError::Refused(format!(
                    "`{kind}/{name}` would be left without `{other_id}` of {}: nothing was changed",
                    other.kind
                )));
            }
        }
        let rows = |db: &str| -> Result<i64, SourceError> {
            let sql = format!(
                "SELECT count(*) FROM archive.wanted w JOIN {db}.{kind} t ON {} WHERE w.kind = ?1",
                entities.is_of("t", "w")
            );
            Ok(connection.query_row(&sql, [kind], |row| row.get(0))?)
        };
        let (archived, staged) = (rows("archive")?, rows("main")?);
        if archived != staged {
            return Err(SourceError::Refused(format!(
                "{archived} {kind} of the archive are selected and {staged} came out of it: nothing was changed"
            )));
        }
    }
    Ok(())
}
