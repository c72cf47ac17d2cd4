//! Reading: which level answers a window, and the buckets of its series.

use rusqlite::Connection;

use super::blocks::{Series, each_head_row, each_row};
use super::metrics::matching_series;
use super::point::{Folder, MAX_TIME};
use super::{Level, MetricName, Point, SeriesKey, StoreError, TagFilter};
use crate::model::TenantName;

/// What to read.
#[derive(Clone, Debug)]
pub struct Query {
    pub tenant: TenantName,
    pub metric: MetricName,
    pub filter: TagFilter,
    /// The beginning of the window, in seconds since 1970.
    pub start: i64,
    /// Its end, which is no part of it.
    pub end: i64,
    /// How many buckets a series has at most; less than 2 count as 2, since a window may lie across a boundary.
    pub max_buckets: usize,
    /// The least length of a bucket in seconds.
    pub min_step: u32,
}

/// What was read of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesData {
    pub key: SeriesKey,
    /// The length of a bucket in seconds, a multiple of the level's; of a window, the same for all series of an answer.
    pub step: u32,
    /// The level that was read.
    pub level: Level,
    /// The buckets that have points, in the order of time; a bucket begins at a multiple of `step`.
    pub buckets: Vec<Point>,
    /// How many stored rows were decoded for this.
    pub rows_read: u64,
}

/// Answers a query inside a read transaction.
pub(super) fn read(connection: &Connection, query: &Query) -> Result<Vec<SeriesData>, StoreError> {
    let (start, end) = (query.start.clamp(-MAX_TIME, MAX_TIME), query.end.clamp(-MAX_TIME, MAX_TIME));
    if start >= end {
        return Ok(Vec::new());
    }
    let mut chosen = Vec::new();
    for (id, key) in matching_series(connection, &query.tenant, &query.metric, &query.filter)? {
        chosen.push((Series::load(connection, id)?, key));
    }
    let most = i64::try_from(query.max_buckets).unwrap_or(i64::MAX).max(2);
    let mut step = fitting_step(start, end, most, i64::from(query.min_step.max(1)));
    // A level that was dropped at the start of the window makes the step of all series longer.
    for (series, _) in &chosen {
        let held = held_level(series, start, level_of(step));
        step = step.max(fitting_step(start, end, most, step.max(held.seconds())));
    }
    let mut answer = Vec::with_capacity(chosen.len());
    for (series, key) in chosen {
        let (level, mut buckets) = (level_of(step), Vec::new());
        let rows_read =
            read_series(connection, &series, level, step, start, end, |bucket| buckets.push(bucket))?;
        answer.push(SeriesData {
            key,
            step: u32::try_from(step).unwrap_or(u32::MAX),
            level,
            buckets,
            rows_read,
        });
    }
    Ok(answer)
}

/// The last `count` buckets of `min_step` of each series of a query. Each series is read back from its own last point, so
/// that one which is silent for long still answers; where finer rows were dropped, its buckets are longer.
pub(super) fn read_last(
    connection: &Connection,
    query: &Query,
    count: usize,
) -> Result<Vec<SeriesData>, StoreError> {
    let (start, end) = (query.start.clamp(-MAX_TIME, MAX_TIME), query.end.clamp(-MAX_TIME, MAX_TIME));
    if start >= end {
        return Ok(Vec::new());
    }
    let least = rounded(i64::from(query.min_step.max(1)));
    let hour = Level::Hour.seconds();
    let mut answer = Vec::new();
    for (id, key) in matching_series(connection, &query.tenant, &query.metric, &query.filter)? {
        let series = Series::load(connection, id)?;
        let mut newest = None;
        let mut rows_read = read_series(connection, &series, Level::Hour, hour, start, end, |bucket| {
            newest = Some(bucket.time)
        })?;
        let (mut step, mut buckets) = (least, Vec::new());
        if let Some(newest) = newest {
            let to = end.min(newest + hour);
            let mut span = least.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX));
            loop {
                let from = to.saturating_sub(span).max(start);
                step = rounded(least.max(held_level(&series, from, level_of(least)).seconds()));
                buckets.clear();
                rows_read += read_series(connection, &series, level_of(step), step, from, to, |bucket| {
                    buckets.push(bucket);
                })?;
                if buckets.len() >= count || from == start {
                    break;
                }
                span = span.saturating_mul(4);
            }
            buckets.drain(..buckets.len().saturating_sub(count));
        }
        answer.push(SeriesData {
            key,
            step: u32::try_from(step).unwrap_or(u32::MAX),
            level: level_of(step),
            buckets,
            rows_read,
        });
    }
    Ok(answer)
}

/// The coarsest level whose buckets a step is made of.
fn level_of(step: i64) -> Level {
    Level::ALL.into_iter().rev().find(|level| level.seconds() <= step).unwrap_or(Level::Raw)
}

/// The least step, at least `least` and a multiple of its level's, with which the window has at most `most` buckets.
fn fitting_step(start: i64, end: i64, most: i64, least: i64) -> i64 {
    let length = end - start;
    let mut step = rounded(least.max(ceiling(length, most)));
    if buckets_of(start, end, step) > most {
        // One more bucket for the two that the ends cut.
        step = rounded(step.max(ceiling(length, most - 1)));
    }
    step
}

/// Rounds a step up to a multiple of its level's length, which may make it a step of a coarser level.
fn rounded(step: i64) -> i64 {
    let mut step = step;
    loop {
        let unit = level_of(step).seconds();
        let next = ceiling(step, unit) * unit;
        if next == step {
            return step;
        }
        step = next;
    }
}

fn ceiling(number: i64, by: i64) -> i64 {
    number / by + i64::from(number % by > 0)
}

fn buckets_of(start: i64, end: i64, step: i64) -> i64 {
    (end - 1).div_euclid(step) - start.div_euclid(step) + 1
}

/// The finest level from `level` on that still holds the beginning of the window, or as much of it as any does.
fn held_level(series: &Series, start: i64, level: Level) -> Level {
    let mut held = level;
    let mut next = level.coarser();
    while let Some(coarser) = next {
        let (here, there) = (series.from[held.index()], series.from[coarser.index()]);
        if here <= start {
            break;
        }
        if there < here {
            held = coarser;
        }
        next = coarser.coarser();
    }
    held
}

/// Hands the buckets of a series to `each`, made from rows of `level`. Answers how many rows were decoded.
pub(super) fn read_series(
    connection: &Connection,
    series: &Series,
    level: Level,
    step: i64,
    start: i64,
    end: i64,
    each: impl FnMut(Point),
) -> Result<u64, StoreError> {
    // Buckets of the level that the ends of the window cut are taken whole, whichever rows they are made from.
    let (start, end) = (level.floor(start), level.floor(end - 1) + level.seconds());
    let mut steps = Folder::new(step, each);
    let mut rows_read = 0;
    {
        let mut buckets = Folder::new(level.seconds(), |bucket| steps.push(&bucket));
        let mut push = |row: &Point| {
            buckets.push(row);
            Ok(())
        };
        let raw_from = series.from[Level::Raw.index()];
        let level_from = start.max(series.from[level.index()]);
        if level == Level::Raw || level > series.native {
            rows_read += each_row(connection, series.id, level, level_from, end, &mut push)?;
        } else {
            rows_read += each_row(connection, series.id, level, level_from, end.min(raw_from), &mut push)?;
            rows_read += each_row(connection, series.id, Level::Raw, start.max(raw_from), end, &mut push)?;
        }
        rows_read += each_head_row(connection, series, start, end, &mut push)?;
        buckets.finish();
    }
    steps.finish();
    Ok(rows_read)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_step_fits_the_window_and_its_level(
            start in -4_000_000_000..4_000_000_000_i64,
            length in 1..400_000_000_i64,
            most in 2..5000_i64,
            least in 1..100_000_i64,
        ) {
            let step = fitting_step(start, start + length, most, least);
            prop_assert!(buckets_of(start, start + length, step) <= most);
            prop_assert_eq!(step % level_of(step).seconds(), 0);
            prop_assert!(step >= least);
            // Not longer than needed: twice what was asked for, and the unit of the level.
            prop_assert!(step <= rounded(2 * least.max(ceiling(length, most - 1))));
        }
    }

    #[test]
    fn a_dropped_level_gives_way_to_the_next_that_holds_the_time() {
        let mut series = Series::new(1);
        series.from = [100, 50, 50, i64::MIN];
        assert_eq!(held_level(&series, 100, Level::Raw), Level::Raw);
        assert_eq!(held_level(&series, 99, Level::Raw), Level::Minute);
        assert_eq!(held_level(&series, 49, Level::Raw), Level::Hour);
    }
}
