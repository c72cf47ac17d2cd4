//! The temporary database of a comparison: what either side holds, and what differs, to be read in pages.
//!
//! It is a file of the folder of partial files and gone with its handle; a start removes what a crash left. It holds no
//! secret: sealed values are in it as marks under a key that lives in memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use tempfile::TempPath;

use super::super::super::SourceError;
use super::fields::{DigestKey, FieldChange, Fields, compare, json, parse};

/// What is kept of the file in memory, in KiB.
const CACHE_KIB: i64 = 16 * 1024;
/// The same once it is only read.
const KEPT_CACHE_KIB: i64 = 256;

const SCHEMA: &str = "
CREATE TABLE entities (
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    first BLOB,
    second BLOB,
    entry TEXT,
    item INTEGER,
    PRIMARY KEY (kind, tenant, id)
) STRICT, WITHOUT ROWID;

-- The values of entities that can't be read again later.
CREATE TABLE kept (
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    side INTEGER NOT NULL,
    fields TEXT NOT NULL,
    PRIMARY KEY (kind, tenant, id, side)
) STRICT, WITHOUT ROWID;

-- Entities in which private keys stand as placeholders, until the keys are known.
CREATE TABLE waiting (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    fields TEXT NOT NULL
) STRICT;

-- Every difference, in the order in which it is shown; those of one kind and change stand together.
CREATE TABLE changes (
    position INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    change TEXT NOT NULL
) STRICT;
";

/// The two sides of a comparison, in the order in which they are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// An archive; or the live state that a part of an archive is to change.
    First,
    /// The live state, or another archive; or the live state as it was changed.
    Second,
}

impl Side {
    fn column(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }
}

/// What happens to an entity on the way from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the later state has it.
    Added,
    /// Only the earlier one has it.
    Removed,
    /// Both have it, and it is not the same.
    Changed,
}

impl Change {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Added, Self::Removed, Self::Changed];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }

    /// The change by its word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.as_str() == text)
    }
}

/// From which side to which a comparison goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The second side is the later state: a diff.
    FromFirst,
    /// The first side is the later state: a plan of the restore of an archive.
    ToFirst,
}

/// What differs in one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KindSummary {
    /// Entities of the earlier state.
    pub before: u64,
    /// Entities of the later one.
    pub after: u64,
    pub added: u64,
    pub removed: u64,
    pub changed: u64,
}

/// One entity that is not the same in both states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntityChange {
    pub kind: String,
    /// Empty for what belongs to no tenant.
    pub tenant: String,
    pub id: String,
    pub change: Change,
}

/// Where an entity's values stand in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemPlace {
    /// The envelope's name.
    pub entry: String,
    /// The item's place in it, from 0.
    pub item: usize,
}

/// A comparison that is being made, or was made. One thread at a time.
pub struct Index {
    pub(super) connection: Connection,
    pub(super) digests: DigestKey,
    way: Way,
    ranges: Vec<Range>,
    summary: BTreeMap<String, KindSummary>,
    _file: TempPath,
}

/// Where the changes of one sort stand.
#[derive(Clone, Debug)]
struct Range {
    kind: String,
    change: Change,
    first: u64,
    count: u64,
}

impl Index {
    /// An empty comparison in a file of `folder` that is gone with it.
    ///
    /// # Errors
    /// The file system's and the database's own.
    pub fn create(folder: &Path, boot: u64, way: Way) -> Result<Self, SourceError> {
        let file = tempfile::Builder::new()
            .prefix(&format!("boot{boot}-comparison-"))
            .suffix(".db")
            .tempfile_in(folder)?
            .into_temp_path();
        let connection = Connection::open(&file)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        // Nothing in it is worth a log: after a crash it is gone.
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.execute_batch(SCHEMA)?;
        connection.execute_batch("BEGIN")?;
        Ok(Self {
            connection,
            digests: DigestKey::random(),
            way,
            ranges: Vec::new(),
            summary: BTreeMap::new(),
            _file: file,
        })
    }

    /// Whether a side has an entity of this name already.
    pub(super) fn has(
        &self,
        side: Side,
        (kind, tenant, id): (&str, &str, &str),
    ) -> Result<bool, SourceError> {
        let column = side.column();
        let sql =
            format!("SELECT {column} IS NOT NULL FROM entities WHERE kind = ? AND tenant = ? AND id = ?");
        let found = self.connection.prepare_cached(&sql)?.query_row([kind, tenant, id], |row| row.get(0));
        Ok(found.optional()?.unwrap_or(false))
    }

    /// Takes an entity in. Its values are kept where they can't be read again: those of the first side without a place,
    /// those of the second where the first has not the same.
    pub(super) fn add(
        &self,
        side: Side,
        name: (&str, &str, &str),
        fields: &Fields,
        place: Option<(&str, usize)>,
    ) -> Result<(), SourceError> {
        let (kind, tenant, id) = name;
        let text = json(fields);
        let digest = self.digests.digest(text.as_bytes());
        let column = side.column();
        let (entry, item) = place.unzip();
        let item = item.and_then(|item| i64::try_from(item).ok());
        let sql = format!(
            "INSERT INTO entities (kind, tenant, id, {column}, entry, item) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET {column} = ?4 RETURNING first"
        );
        let first: Option<Vec<u8>> = self
            .connection
            .prepare_cached(&sql)?
            .query_row(params![kind, tenant, id, digest.as_slice(), entry, item], |row| row.get(0))?;
        let is_kept = match side {
            Side::First => place.is_none(),
            Side::Second => first.as_deref() != Some(digest.as_slice()),
        };
        if is_kept {
            self.connection
                .prepare_cached("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, ?)")?
                .execute(params![kind, tenant, id, side.number(), text])?;
        }
        Ok(())
    }

    /// Sums up what differs, once both sides were taken in.
    pub(super) fn sum_up(&mut self) -> Result<(), SourceError> {
        let connection = &self.connection;
        let (before, after) = match self.way {
            Way::FromFirst => ("first", "second"),
            Way::ToFirst => ("second", "first"),
        };
        let kinds: Vec<String> = connection
            .prepare("SELECT DISTINCT kind FROM entities ORDER BY kind")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut next = 0_u64;
        for kind in kinds {
            let sql = format!("SELECT count({before}), count({after}) FROM entities WHERE kind = ?");
            let (had, has): (i64, i64) =
                connection.query_row(&sql, [&kind], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let number = |count: i64| u64::try_from(count).unwrap_or(0);
            let mut summary =
                KindSummary { before: number(had), after: number(has), ..KindSummary::default() };
            for change in Change::ALL {
                let condition = match change {
                    Change::Added => format!("{before} IS NULL AND {after} IS NOT NULL"),
                    Change::Removed => format!("{before} IS NOT NULL AND {after} IS NULL"),
                    Change::Changed => format!("{before} <> {after}"),
                };
                let sql = format!(
                    "INSERT INTO changes (kind, tenant, id, change)
                     SELECT kind, tenant, id, ? FROM entities WHERE kind = ? AND {condition} ORDER BY tenant, id"
                );
                let count = connection.execute(&sql, [change.as_str(), &kind])? as u64;
                match change {
                    Change::Added => summary.added = count,
                    Change::Removed => summary.removed = count,
                    Change::Changed => summary.changed = count,
                }
                self.ranges.push(Range { kind: kind.clone(), change, first: next, count });
                next += count;
            }
            self.summary.insert(kind, summary);
        }
        connection.execute_batch(
            "DELETE FROM kept WHERE side = 0 AND EXISTS (
                SELECT 1 FROM entities e WHERE e.kind = kept.kind AND e.tenant = kept.tenant AND e.id = kept.id
                AND e.first IS e.second)",
        )?;
        // From here on it is only read, now and then, and several are kept.
        connection.execute_batch(&format!(
            "COMMIT; DROP TABLE waiting; PRAGMA cache_size = -{KEPT_CACHE_KIB}; PRAGMA shrink_memory;"
        ))?;
        Ok(())
    }

    /// What differs, by kind. Kinds that both states have the same are in it.
    pub fn summary(&self) -> &BTreeMap<String, KindSummary> {
        &self.summary
    }

    /// Some of what differs, of one kind or of all, of one change or of all, and how much there is in all. Reads
    /// what it answers and no more.
    ///
    /// # Errors
    /// The database's own.
    pub fn page(
        &self,
        kind: Option<&str>,
        change: Option<Change>,
        offset: u64,
        size: u64,
    ) -> Result<(Vec<EntityChange>, u64), SourceError> {
        let ranges = self.ranges.iter().filter(|range| {
            kind.is_none_or(|kind| range.kind == kind) && change.is_none_or(|change| range.change == change)
        });
        let (mut passed, mut found) = (0_u64, Vec::new());
        for range in ranges {
            let skipped = offset.saturating_sub(passed).min(range.count);
            let wanted = size.saturating_sub(found.len() as u64).min(range.count - skipped);
            passed += range.count;
            if wanted == 0 {
                continue;
            }
            // Positions begin at 1.
            let first = i64::try_from(range.first + skipped + 1).unwrap_or(i64::MAX);
            let last = first.saturating_add(i64::try_from(wanted).unwrap_or(i64::MAX)) - 1;
            let mut statement = self.connection.prepare_cached(
                "SELECT kind, tenant, id FROM changes WHERE position BETWEEN ? AND ? ORDER BY position",
            )?;
            let rows = statement.query_map([first, last], |row| {
                Ok(EntityChange {
                    kind: row.get(0)?,
                    tenant: row.get(1)?,
                    id: row.get(2)?,
                    change: range.change,
                })
            })?;
            for row in rows {
                found.push(row?);
            }
        }
        Ok((found, passed))
    }

    /// Where the archive that was taken in first has the values of an entity: none where they are kept here, or it has
    /// no such entity.
    ///
    /// # Errors
    /// The database's own.
    pub fn place(&self, kind: &str, tenant: &str, id: &str) -> Result<Option<ItemPlace>, SourceError> {
        let found = self
            .connection
            .query_row(
                "SELECT entry, item FROM entities
                 WHERE kind = ? AND tenant = ? AND id = ? AND first IS NOT NULL AND entry IS NOT NULL",
                [kind, tenant, id],
                |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)),
            )
            .optional()?;
        Ok(found.map(|(entry, item)| ItemPlace { entry, item: usize::try_from(item).unwrap_or(0) }))
    }

    /// What differs in an entity, value by value; none where neither state has it, an empty list where it is the same.
    /// `archived` are its values in the archive, where they are not kept here.
    pub(super) fn changes_of(
        &self,
        (kind, tenant, id): (&str, &str, &str),
        archived: Option<Fields>,
    ) -> Result<Option<Vec<FieldChange>>, SourceError> {
        let is_same: Option<bool> = self
            .connection
            .query_row(
                "SELECT first IS second FROM entities WHERE kind = ? AND tenant = ? AND id = ?",
                [kind, tenant, id],
                |row| row.get(0),
            )
            .optional()?;
        match is_same {
            None => return Ok(None),
            Some(true) => return Ok(Some(Vec::new())),
            Some(false) => {}
        }
        let kept = |side: Side| -> Result<Option<Fields>, SourceError> {
            let text: Option<String> = self
                .connection
                .query_row(
                    "SELECT fields FROM kept WHERE kind = ? AND tenant = ? AND id = ? AND side = ?",
                    params![kind, tenant, id, side.number()],
                    |row| row.get(0),
                )
                .optional()?;
            text.map(|text| parse(&text).map_err(super::super::state)).transpose()
        };
        let archived = match archived {
            Some(fields) => fields,
            None => kept(Side::First)?.unwrap_or_default(),
        };
        let other = kept(Side::Second)?.unwrap_or_default();
        let (before, after) = match self.way {
            Way::FromFirst => (&archived, &other),
            Way::ToFirst => (&other, &archived),
        };
        compare(before, after).map(Some).map_err(super::super::state)
    }
}
