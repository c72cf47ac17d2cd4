//! From the head into blocks, and from finer rows into coarser buckets.
//!
//! Sealing is part of one transaction: the rows leave the head and stand in blocks, and the buckets that they touch
//! are made anew from all rows of their time, so that late and repeated points count once.

use rusqlite::{Connection, Transaction};

use super::blocks::{Series, each_row, head_rows, latest_of_each, merge_rows};
use super::cache::Known;
use super::ingest::insert_head;
use super::point::Folder;
use super::{Level, Point, StoreError};

/// How many of the newest rows stay in the head, so that points that come a little out of order find it open.
const KEPT_ROWS: usize = 16;
/// How long a stretch is rolled up at a time, in seconds: a day of raw rows fits a few megabytes.
const STRETCH: i64 = 86_400;
/// How many raw rows a bucket may be made of on reading: below, rows of its own would cost more room than time.
const NATIVE_ROWS: usize = 6;
/// How many buckets are gathered before they are merged into blocks.
const GATHERED: usize = 2048;

/// What sealing did.
#[derive(Clone, Copy, Default)]
pub(super) struct Sealed {
    pub rows: u64,
    pub too_old: u64,
}

/// Seals the head of a series together with `fresh` rows that are not in it yet: what is older than `before`, or, by
/// default, all but the newest few. What isn't sealed is in the head afterwards.
pub(super) fn seal_with(
    tx: &Transaction<'_>,
    known: &mut Known,
    fresh: &[Point],
    before: Option<i64>,
) -> Result<Sealed, StoreError> {
    let id = known.series.id;
    let mut rows = head_rows(tx, id)?;
    rows.extend_from_slice(fresh);
    let rows = latest_of_each(rows);
    let count = match before {
        Some(before) => rows.partition_point(|row| row.time < before),
        None => rows.len().saturating_sub(KEPT_ROWS),
    };
    let (sealed, kept) = rows.split_at(count);
    let Some(last) = sealed.last() else {
        insert_head(tx, known, fresh)?;
        return Ok(Sealed::default());
    };
    tx.prepare_cached("DELETE FROM head WHERE series_id = ?")?.execute([id])?;
    known.head_rows = 0;
    let too_old = put_sealed(tx, &mut known.series, sealed)?;
    known.series.sealed_to = last.time;
    known.series.save(tx)?;
    insert_head(tx, known, kept)?;
    Ok(Sealed { rows: sealed.len() as u64, too_old })
}

/// Puts rows, whose times rise, into the blocks of the finest level that still holds their time, and brings the
/// coarser ones up to date. Answers how many were older than all that is held. Changes `series` without saving it.
pub(super) fn put_sealed(
    connection: &Connection,
    series: &mut Series,
    rows: &[Point],
) -> Result<u64, StoreError> {
    let before = *series;
    let mut too_old = 0;
    for part in rows.chunk_by(|left, right| before.finest_at(left.time) == before.finest_at(right.time)) {
        let Some(level) = before.finest_at(part[0].time) else {
            too_old += part.len() as u64;
            continue;
        };
        match level {
            Level::Raw => merge_rows(connection, series.id, level, part)?,
            Level::Minute | Level::QuarterHour | Level::Hour => {
                add_to_buckets(connection, series.id, level, part)?;
            }
        }
        roll_up(connection, series, level, part)?;
    }
    Ok(too_old)
}

/// Adds points to buckets of a time whose points were dropped. A repeat can't be told from another point there,
/// except that of a whole bucket, which changes nothing: so an export can be read back twice.
fn add_to_buckets(
    connection: &Connection,
    series: i64,
    level: Level,
    rows: &[Point],
) -> Result<(), StoreError> {
    for stretch in
        rows.chunk_by(|left, right| left.time.div_euclid(STRETCH) == right.time.div_euclid(STRETCH))
    {
        let mut added = Vec::new();
        let mut folder = Folder::new(level.seconds(), |bucket| added.push(bucket));
        stretch.iter().for_each(|row| folder.push(row));
        folder.finish();
        let (Some(first), Some(last)) = (added.first(), added.last()) else { continue };
        let mut stored = Vec::new();
        each_row(connection, series, level, first.time, last.time + 1, |row| {
            stored.push(*row);
            Ok(())
        })?;
        for bucket in &mut added {
            if let Ok(at) = stored.binary_search_by_key(&bucket.time, |row| row.time)
                && stored[at] != *bucket
            {
                let mut sum = stored[at];
                sum.add(bucket);
                *bucket = sum.settled();
            }
        }
        merge_rows(connection, series, level, &added)?;
    }
    Ok(())
}

/// Makes the buckets anew that the `touched` rows of the level `base` fall into.
fn roll_up(
    connection: &Connection,
    series: &mut Series,
    base: Level,
    touched: &[Point],
) -> Result<(), StoreError> {
    let hour = |row: &Point| Level::Hour.floor(row.time);
    let mut touched = touched;
    while let Some(first) = touched.first() {
        let start = hour(first);
        // Hours in a row, up to a day of them.
        let mut end = start + Level::Hour.seconds();
        let mut count = 0;
        for row in touched {
            if row.time >= end {
                if hour(row) > end || end - start >= STRETCH {
                    break;
                }
                end += Level::Hour.seconds();
            }
            count += 1;
        }
        touched = &touched[count..];
        roll_up_stretch(connection, series, base, start, end)?;
    }
    Ok(())
}

fn roll_up_stretch(
    connection: &Connection,
    series: &mut Series,
    base: Level,
    start: i64,
    end: i64,
) -> Result<(), StoreError> {
    let mut buckets: [Vec<Point>; 3] = Default::default();
    let most_rows = {
        let [minutes, quarters, hours] = &mut buckets;
        let mut minutes = Folder::new(Level::Minute.seconds(), |bucket| minutes.push(settled(bucket)));
        let mut quarters = Folder::new(Level::QuarterHour.seconds(), |bucket| quarters.push(settled(bucket)));
        let mut hours = Folder::new(Level::Hour.seconds(), |bucket| hours.push(settled(bucket)));
        each_row(connection, series.id, base, start, end, |row| {
            minutes.push(row);
            quarters.push(row);
            hours.push(row);
            Ok(())
        })?;
        [minutes.finish(), quarters.finish(), hours.finish()]
    };
    let rolled = Level::ROLLED_UP.into_iter().zip(&buckets);
    let mut stored_from = base;
    if base == Level::Raw {
        let is_native = |level: &Level| most_rows[level.index() - 1] <= NATIVE_ROWS;
        let native = Level::ROLLED_UP.into_iter().take_while(is_native).last().unwrap_or(Level::Raw);
        if native < series.native {
            let former = std::mem::replace(&mut series.native, native);
            for level in Level::ROLLED_UP.into_iter().filter(|level| *level > native && *level <= former) {
                let raw_from = series.from[Level::Raw.index()];
                copy_up(connection, series.id, level, raw_from, i64::MAX)?;
            }
            // Those were just made anew over all the time of the raw rows.
            stored_from = former;
        } else {
            stored_from = series.native;
        }
    }
    for (level, buckets) in rolled.filter(|(level, _)| *level > stored_from) {
        merge_rows(connection, series.id, level, buckets)?;
    }
    Ok(())
}

/// A bucket of several values is freed of the dust of adding; a lone value stays what it is.
fn settled(bucket: Point) -> Point {
    if bucket.count > 1 { bucket.settled() } else { bucket }
}

/// Makes the buckets of a level from all raw rows between `start` and `end`, in constant memory: what is read from
/// the raw rows as long as there are any gets rows of its own.
pub(super) fn copy_up(
    connection: &Connection,
    series: i64,
    level: Level,
    start: i64,
    end: i64,
) -> Result<(), StoreError> {
    let mut open: Option<Point> = None;
    let mut done = Vec::new();
    each_row(connection, series, Level::Raw, start, end, |row| {
        let time = level.floor(row.time);
        match &mut open {
            Some(open) if open.time == time => open.add(row),
            open => done.extend(open.replace(Point { time, ..*row }).map(settled)),
        }
        if done.len() >= GATHERED {
            merge_rows(connection, series, level, &done)?;
            done.clear();
        }
        Ok(())
    })?;
    done.extend(open.map(settled));
    merge_rows(connection, series, level, &done)
}
