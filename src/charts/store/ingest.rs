//! Points as they come: into the head, and past it where they are too many or too late for it.

use rusqlite::{Transaction, params};

use super::cache::{Cache, Known};
use super::encode::put_head;
use super::seal::{put_sealed, seal_with};
use super::{Measurement, Point, StoreError};

/// How many rows of a series the head holds before they are sealed.
pub(super) const HEAD_ROWS: usize = 1024;

/// What became of written measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Points that are stored now, those among them that took the place of another included.
    pub stored: u64,
    /// Points from a time of which even the hours were dropped: they are not stored.
    pub too_old: u64,
}

/// Stores measurements of any order. Of two with one series and time the later in the list wins, and over a stored
/// one too.
pub(super) fn write(
    tx: &Transaction<'_>,
    cache: &mut Cache,
    measurements: &[Measurement],
) -> Result<Written, StoreError> {
    let mut points = Vec::with_capacity(measurements.len());
    for measurement in measurements {
        points.push((cache.id(tx, measurement)?, measurement.point));
    }
    // The sort keeps the order of equals, so the last of a run is the latest.
    points.sort_by_key(|(id, point)| (*id, point.time));
    let mut written = Written::default();
    let mut rows: Vec<Point> = Vec::new();
    for group in points.chunk_by(|left, right| left.0 == right.0) {
        rows.clear();
        for (_, point) in group {
            match rows.last_mut() {
                Some(last) if last.time == point.time => *last = *point,
                _ => rows.push(*point),
            }
        }
        let mut known = cache.known(tx, group[0].0)?;
        written.too_old += write_series(tx, &mut known, &rows)?;
        cache.remember(known);
    }
    written.stored = measurements.len() as u64 - written.too_old;
    Ok(written)
}

/// Stores rows of one series, whose times rise. Answers how many were too old.
fn write_series(tx: &Transaction<'_>, known: &mut Known, rows: &[Point]) -> Result<u64, StoreError> {
    let fresh_from = rows.partition_point(|row| row.time <= known.series.sealed_to);
    let (late, fresh) = rows.split_at(fresh_from);
    let mut too_old = 0;
    if !late.is_empty() {
        // At once, so that what is sealed and what waits in the head never share a bucket's point.
        too_old = put_sealed(tx, &mut known.series, late)?;
        known.series.save(tx)?;
    }
    if known.head_rows + fresh.len() > HEAD_ROWS {
        too_old += seal_with(tx, known, fresh, None)?.too_old;
    } else {
        insert_head(tx, known, fresh)?;
    }
    Ok(too_old)
}

/// Puts rows, whose times rise, into the head; once in a write for each series.
pub(super) fn insert_head(tx: &Transaction<'_>, known: &mut Known, rows: &[Point]) -> Result<(), StoreError> {
    let Some(first) = rows.first() else { return Ok(()) };
    let mut data = Vec::with_capacity(rows.len() * 10);
    put_head(&mut data, rows);
    tx.prepare_cached("INSERT INTO head (series_id, write, first_time, rows, data) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![known.series.id, known.write, first.time, rows.len() as u32, data])?;
    known.head_rows += rows.len();
    Ok(())
}
