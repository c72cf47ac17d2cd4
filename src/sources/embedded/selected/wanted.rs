//! What comes: the selected entities, their parts, and what they need that the live state lacks.

use rusqlite::{Connection, params};

use crate::executions::Job;
use crate::model::{EntityName, Matcher, Selection};

use super::super::super::SourceError;
use super::super::entities::{Bond, ENTITIES, Entities, Need};

/// How many names a message holds at the most.
pub(super) const NAMED: usize = 20;

/// Lists what the archive holds of a selection.
///
/// # Errors
/// An id that the archive lacks, with its name.
pub(super) fn select(
    connection: &Connection,
    job: &Job,
    selection: &Selection,
    matcher: &mut Matcher<'_>,
) -> Result<u64, SourceError> {
    let mut found = 0;
    for entities in ENTITIES.iter().filter(|entities| entities.is_selectable) {
        let kind = entities.kind;
        if !selection.kinds().is_empty() && !selection.kinds().contains(kind) {
            continue;
        }
        let name = entities.name("archive", "t");
        let mut statement = connection
            .prepare(&format!("SELECT DISTINCT {name} FROM archive.{kind} t WHERE {}", entities.only))?;
        let mut insert = connection.prepare(
            "INSERT INTO archive.wanted (kind, tenant, id, k1, k2, why) VALUES (?, ?, ?, ?, ?, 'selected')",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            job.check()?;
            let (tenant, id) = (row.get_ref(0)?.as_str(), row.get_ref(1)?.as_str());
            let (tenant, id) = (tenant.map_err(rusqlite::Error::from)?, id.map_err(rusqlite::Error::from)?);
            if matcher.matches(kind, tenant, id) {
                let (first, second): (rusqlite::types::Value, rusqlite::types::Value) =
                    (row.get(2)?, row.get(3)?);
                insert.execute(params![kind, tenant, id, first, second])?;
                found += 1;
            }
        }
    }
    Ok(found)
}

/// Lists the parts of what is listed, and what tells of it and is missing.
pub(super) fn add_parts(connection: &Connection, job: &Job) -> Result<(), SourceError> {
    for (entities, need) in bonds(&[Bond::Part, Bond::History]) {
        job.check()?;
        let (kind, other) = (entities.kind, owner(need));
        let missing = match need.bond {
            Bond::Part => String::new(),
            Bond::History | Bond::Reference => {
                format!("AND NOT EXISTS (SELECT 1 FROM main.{kind} l WHERE {})", entities.is_same("l", "t"))
            }
        };
        let why = match need.bond {
            Bond::Part => "part",
            Bond::History | Bond::Reference => "history",
        };
        let sql = format!(
            "INSERT OR IGNORE INTO archive.wanted (kind, tenant, id, k1, k2, why, needed_by)
             SELECT ?1, {}, CASE w.why WHEN 'dependency' THEN 'dependency' ELSE ?3 END,
                CASE w.why WHEN 'dependency' THEN w.needed_by END
             FROM archive.wanted w JOIN archive.{other} o ON {} JOIN archive.{kind} t ON {}
             WHERE w.kind = ?2 {missing}",
            entities.name("archive", "t"),
            owner_entities(need).is_of("o", "w"),
            need.on("archive"),
            other = other,
        );
        connection.execute(&sql, params![kind, other, why])?;
    }
    Ok(())
}

/// Lists what is needed and is neither listed nor live, and what that needs, with its parts.
pub(super) fn add_dependencies(connection: &Connection, job: &Job) -> Result<(), SourceError> {
    loop {
        let mut added = 0;
        for entities in ENTITIES.iter().rev() {
            for need in entities.needs.iter().filter(|need| need.is_required) {
                job.check()?;
                let (kind, other) = (entities.kind, owner_entities(need));
                let alike = need.alike.map_or(String::new(), |alike| {
                    format!("AND NOT EXISTS (SELECT 1 FROM main.{} l WHERE {alike})", other.kind)
                });
                let sql = format!(
                    "INSERT OR IGNORE INTO archive.wanted (kind, tenant, id, k1, k2, why, needed_by)
                     SELECT ?1, {}, 'dependency', ?2 || '/' || w.tenant || '/' || w.id
                     FROM archive.wanted w JOIN archive.{kind} t ON {} JOIN archive.{} o ON {}
                     WHERE w.kind = ?2 AND NOT EXISTS (SELECT 1 FROM main.{} l WHERE {}) {alike}",
                    other.name("archive", "o"),
                    entities.is_of("t", "w"),
                    other.kind,
                    need.on("archive"),
                    other.kind,
                    other.is_same("l", "o"),
                );
                added += connection.execute(&sql, params![other.kind, kind])?;
            }
        }
        if added == 0 {
            return Ok(());
        }
        add_parts(connection, job)?;
    }
}

/// Lists what the live state has of entities that are replaced and the archive has not: their further parts.
pub(super) fn add_going(connection: &Connection, job: &Job) -> Result<(), SourceError> {
    for (entities, need) in bonds(&[Bond::Part]) {
        job.check()?;
        let (kind, other) = (entities.kind, owner_entities(need));
        for list in ["wanted", "going"] {
            let sql = format!(
                "INSERT OR IGNORE INTO archive.going (kind, tenant, id, k1, k2)
                 SELECT ?1, {} FROM archive.{list} w JOIN main.{} o ON {} JOIN main.{kind} t ON {}
                 WHERE w.kind = ?2 AND NOT EXISTS (
                    SELECT 1 FROM archive.wanted x WHERE x.kind = ?1 AND {})",
                entities.name("main", "t"),
                other.kind,
                other.is_of("o", "w"),
                need.on("main"),
                entities.is_of("t", "x"),
            );
            connection.execute(&sql, params![kind, other.kind])?;
        }
    }
    Ok(())
}

/// A name of a list, and what needs it.
pub(super) type Listed = (EntityName, Option<String>);

/// Names of a list, with how many more there are.
pub(super) fn names(
    connection: &Connection,
    from: &str,
    limit: usize,
) -> Result<(Vec<Listed>, u64), SourceError> {
    let needed = if from.contains("wanted") { "needed_by" } else { "NULL" };
    let sql =
        format!("SELECT kind, tenant, id, {needed}, count(*) OVER () FROM archive.{from} LIMIT {limit}");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let (mut names, mut total) = (Vec::new(), 0_i64);
    while let Some(row) = rows.next()? {
        let name = EntityName { kind: row.get(0)?, tenant: row.get(1)?, id: row.get(2)? };
        names.push((name, row.get(3)?));
        total = row.get(4)?;
    }
    let more = u64::try_from(total).unwrap_or(0).saturating_sub(names.len() as u64);
    Ok((names, more))
}

/// The names of a list as the words of a message; none where it is empty.
pub(super) fn told(connection: &Connection, from: &str) -> Result<Option<String>, SourceError> {
    let (names, more) = names(connection, from, NAMED)?;
    if names.is_empty() {
        return Ok(None);
    }
    let mut words: Vec<String> = names
        .into_iter()
        .map(|(name, needed_by)| match needed_by {
            Some(by) => format!("{name} (needed by {by})"),
            None => name.to_string(),
        })
        .collect();
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    Ok(Some(words.join(", ")))
}

/// The bonds of these sorts, owners before their parts.
fn bonds(sorts: &'static [Bond]) -> impl Iterator<Item = (&'static Entities, &'static Need)> {
    ENTITIES.iter().flat_map(move |entities| {
        let needs = entities.needs.iter().filter(|need| sorts.contains(&need.bond));
        needs.map(move |need| (entities, need))
    })
}

fn owner(need: &Need) -> &'static str {
    owner_entities(need).kind
}

/// What is said of the other kind of a need.
pub(super) fn owner_entities(need: &Need) -> &'static Entities {
    ENTITIES.iter().find(|entities| entities.kind == need.kind).expect("a test finds every kind of a need")
}
