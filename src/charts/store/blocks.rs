//! The rows of a series in its blocks: how they are found, read, and merged with new ones.
//!
//! The blocks of one series and level never overlap. Everything here works inside a transaction of the caller.

use rusqlite::{Connection, OptionalExtension, params};

use super::encode::{decode, encode, take_head};
use super::{Level, Point, StoreError};

/// What the store knows of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Series {
    pub id: i64,
    /// The latest sealed time: older points are in blocks alone, newer ones in the head alone.
    pub sealed_to: i64,
    /// The coarsest level whose buckets hold few points: up to it they are made from the raw rows on reading.
    pub native: Level,
    /// Per level the time before which it was dropped.
    pub from: [i64; 4],
}

const SERIES_COLUMNS: &str = "id, sealed_to, native, raw_from, minute_from, quarter_hour_from, hour_from";

impl Series {
    /// One without points.
    pub(super) fn new(id: i64) -> Self {
        Self { id, sealed_to: i64::MIN, native: Level::Hour, from: [i64::MIN; 4] }
    }

    /// Reads one by its id.
    pub(super) fn load(connection: &Connection, id: i64) -> Result<Self, StoreError> {
        let sql = format!("SELECT {SERIES_COLUMNS} FROM series WHERE id = ?");
        Ok(connection.prepare_cached(&sql)?.query_row([id], |row| {
            let time =
                |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.unwrap_or(i64::MIN));
            let native: u8 = row.get(2)?;
            Ok(Self {
                id: row.get(0)?,
                sealed_to: time(1)?,
                native: Level::ALL.get(usize::from(native)).copied().unwrap_or(Level::Raw),
                from: [time(3)?, time(4)?, time(5)?, time(6)?],
            })
        })?)
    }

    /// Writes what may have changed.
    pub(super) fn save(&self, connection: &Connection) -> Result<(), StoreError> {
        let known = |time: i64| (time != i64::MIN).then_some(time);
        connection
            .prepare_cached(
                "UPDATE series SET sealed_to = ?2, native = ?3, raw_from = ?4, minute_from = ?5,
                 quarter_hour_from = ?6, hour_from = ?7 WHERE id = ?1",
            )?
            .execute(params![
                self.id,
                known(self.sealed_to),
                self.native.number(),
                known(self.from[0]),
                known(self.from[1]),
                known(self.from[2]),
                known(self.from[3]),
            ])?;
        Ok(())
    }

    /// The finest level that still holds what happened at `time`; none where even hours were dropped.
    pub(super) fn finest_at(&self, time: i64) -> Option<Level> {
        Level::ALL.into_iter().find(|level| time >= self.from[level.index()])
    }
}

/// Hands the stored rows of a level between `start` and `end` (exclusive) to `each`, in the order of time, a block
/// in memory at a time. Answers how many rows were decoded.
pub(super) fn each_row(
    connection: &Connection,
    series: i64,
    level: Level,
    start: i64,
    end: i64,
    mut each: impl FnMut(&Point) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    if start >= end {
        return Ok(0);
    }
    let mut statement = connection.prepare_cached(
        "SELECT data FROM blocks WHERE series_id = ?1 AND level = ?2 AND first_time < ?4 AND first_time >= coalesce(
            (SELECT max(first_time) FROM blocks WHERE series_id = ?1 AND level = ?2 AND first_time <= ?3), ?3)
         AND last_time >= ?3 ORDER BY first_time",
    )?;
    let mut blocks = statement.query(params![series, level.number(), start, end])?;
    let mut decoded = 0;
    while let Some(block) = blocks.next()? {
        let rows = decode(block.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
        decoded += rows.len() as u64;
        let first = rows.partition_point(|row| row.time < start);
        for row in rows[first..].iter().take_while(|row| row.time < end) {
            each(row)?;
        }
    }
    Ok(decoded)
}

/// The rows of a series' head by time, each time once, as it was written last.
pub(super) fn head_rows(connection: &Connection, series: i64) -> Result<Vec<Point>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT first_time, data FROM head WHERE series_id = ? ORDER BY write")?;
    let mut writes = statement.query([series])?;
    let mut rows = Vec::new();
    while let Some(write) = writes.next()? {
        take_head(&mut rows, write.get(0)?, write.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?;
    }
    if !rows.is_sorted_by(|left, right| left.time < right.time) {
        rows = latest_of_each(rows);
    }
    Ok(rows)
}

/// Puts rows into the order of time; of several with one time the last stays.
pub(super) fn latest_of_each(mut rows: Vec<Point>) -> Vec<Point> {
    // The sort keeps the order of equals.
    rows.sort_by_key(|row| row.time);
    rows.reverse();
    rows.dedup_by_key(|row| row.time);
    rows.reverse();
    rows
}

/// Hands the rows of the head between `start` and `end` (exclusive) to `each`. Answers how many the head holds, none
/// where the window ends before it.
pub(super) fn each_head_row(
    connection: &Connection,
    series: &Series,
    start: i64,
    end: i64,
    mut each: impl FnMut(&Point) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    if end <= series.sealed_to {
        return Ok(0);
    }
    let rows = head_rows(connection, series.id)?;
    rows.iter().filter(|row| (start..end).contains(&row.time)).try_for_each(&mut each)?;
    Ok(rows.len() as u64)
}

/// A block without its rows.
struct Entry {
    id: i64,
    first_time: i64,
    last_time: i64,
    rows: usize,
}

fn entry(
    connection: &Connection,
    series: i64,
    level: Level,
    time: i64,
    sql: &str,
) -> Result<Option<Entry>, StoreError> {
    let found = connection.prepare_cached(sql)?.query_row(params![series, level.number(), time], |row| {
        let rows: u32 = row.get(3)?;
        Ok(Entry { id: row.get(0)?, first_time: row.get(1)?, last_time: row.get(2)?, rows: rows as usize })
    });
    Ok(found.optional()?)
}

/// The block that begins at `time` or last before it.
fn block_at(
    connection: &Connection,
    series: i64,
    level: Level,
    time: i64,
) -> Result<Option<Entry>, StoreError> {
    let sql = "SELECT id, first_time, last_time, rows FROM blocks
               WHERE series_id = ? AND level = ? AND first_time <= ? ORDER BY first_time DESC LIMIT 1";
    entry(connection, series, level, time, sql)
}

/// The block that begins first after `time`.
fn block_after(
    connection: &Connection,
    series: i64,
    level: Level,
    time: i64,
) -> Result<Option<Entry>, StoreError> {
    let sql = "SELECT id, first_time, last_time, rows FROM blocks
               WHERE series_id = ? AND level = ? AND first_time > ? ORDER BY first_time LIMIT 1";
    entry(connection, series, level, time, sql)
}

/// Merges rows, whose times rise, into the blocks of a level. A row takes the place of a stored one of its time, so
/// doing it twice changes nothing.
pub(super) fn merge_rows(
    connection: &Connection,
    series: i64,
    level: Level,
    mut rows: &[Point],
) -> Result<(), StoreError> {
    let most = level.block_rows();
    while let Some(first) = rows.first() {
        let owner = block_at(connection, series, level, first.time)?;
        let next = block_after(connection, series, level, first.time)?;
        let before_next =
            next.as_ref().map_or(rows.len(), |next| rows.partition_point(|row| row.time < next.first_time));
        // A bounded part at a time, however many rows come.
        let (part, rest) = rows.split_at(before_next.min(4 * most));
        rows = rest;
        let is_behind = |owner: &Entry| first.time > owner.last_time;
        let target = match owner {
            Some(owner) if !is_behind(&owner) || owner.rows < most => Some(owner),
            // Points that come ever older, and those that fill a gap, join the block behind them while it has room.
            _ => next.filter(|next| next.rows + part.len() <= most),
        };
        let Some(target) = target else {
            write_parts(connection, series, level, None, part, true)?;
            continue;
        };
        let stored = connection
            .prepare_cached("SELECT data FROM blocks WHERE id = ?")?
            .query_row([target.id], |row| Ok(decode(row.get_ref(0)?.as_blob()?)))??;
        let is_append = first.time > target.last_time;
        let merged = if is_append { [stored.as_slice(), part].concat() } else { merge(&stored, part) };
        write_parts(connection, series, level, Some(target.id), &merged, is_append)?;
    }
    Ok(())
}

/// Both in the order of time; of two with one time the new one.
fn merge(stored: &[Point], new: &[Point]) -> Vec<Point> {
    let mut merged = Vec::with_capacity(stored.len() + new.len());
    let (mut left, mut right) = (stored.iter().peekable(), new.iter().peekable());
    while let (Some(old), Some(fresh)) = (left.peek(), right.peek()) {
        if old.time < fresh.time {
            merged.extend(left.next());
        } else {
            if old.time == fresh.time {
                left.next();
            }
            merged.extend(right.next());
        }
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

/// Writes rows as one block, or as several where they are too many: full ones when the series grows at its end,
/// even ones when it grows inside, where more is likely to come. The first takes the place of the block `id`.
fn write_parts(
    connection: &Connection,
    series: i64,
    level: Level,
    mut id: Option<i64>,
    rows: &[Point],
    is_append: bool,
) -> Result<(), StoreError> {
    let most = level.block_rows();
    let parts = rows.len().div_ceil(most).max(1);
    let size = if is_append { most } else { rows.len().div_ceil(parts) };
    for part in rows.chunks(size.max(1)) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
        let data = encode(part)?;
        connection
            .prepare_cached(
                "INSERT INTO blocks (id, series_id, level, first_time, last_time, rows, data)
                 VALUES (?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (id) DO UPDATE SET first_time = excluded.first_time,
                    last_time = excluded.last_time, rows = excluded.rows, data = excluded.data",
            )?
            .execute(params![
                id.take(),
                series,
                level.number(),
                first.time,
                last.time,
                part.len() as u32,
                data
            ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_the_order_and_prefers_the_new() {
        let stored: Vec<Point> = [1, 3, 5].map(|time| Point::plain(time, 0.0)).to_vec();
        let new: Vec<Point> = [0, 3, 4, 9].map(|time| Point::plain(time, 1.0)).to_vec();
        let merged: Vec<(i64, f64)> = merge(&stored, &new).iter().map(|row| (row.time, row.last)).collect();
        assert_eq!(merged, [(0, 1.0), (1, 0.0), (3, 1.0), (4, 1.0), (5, 0.0), (9, 1.0)]);
    }
}
