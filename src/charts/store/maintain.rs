//! What a timer does: seals heads that grew or aged, and drops what is past its retention.

use rusqlite::{Connection, Transaction, params};

use super::blocks::Series;
use super::cache::{Cache, Known};
use super::seal::{copy_up, seal_with};
use super::{Level, MetricsStore, StoreError};

const DAY: i64 = 86_400;
/// A head of so many rows is sealed by the timer.
const GROWN_ROWS: i64 = 256;
/// A head whose oldest row is so old is sealed, but for the newest minutes.
const AGED_SECONDS: i64 = 3600;
const OPEN_SECONDS: i64 = 300;
/// How many series one transaction takes in hand; writes of points come between.
const SERIES_AT_ONCE: usize = 32;

/// For how many days each level is kept; 0 keeps it for ever. A coarser level is kept at least as long as a finer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub raw_days: u32,
    pub minute_days: u32,
    pub quarter_hour_days: u32,
    pub hour_days: u32,
}

impl Retention {
    /// Keeps everything.
    pub const FOR_EVER: Self = Self { raw_days: 0, minute_days: 0, quarter_hour_days: 0, hour_days: 0 };

    /// The moment before which a level is dropped: the beginning of a day, so that no bucket is dropped in part.
    fn floor(&self, level: Level, now: i64) -> Option<i64> {
        let days = [self.raw_days, self.minute_days, self.quarter_hour_days, self.hour_days];
        let most = days[..=level.index()].iter().copied().max_by_key(|days| days.wrapping_sub(1))?;
        (most > 0).then(|| (now - i64::from(most) * DAY).div_euclid(DAY) * DAY)
    }
}

/// What a run of [`MetricsStore::maintain_blocking`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Rows that went from the head into blocks.
    pub sealed_rows: u64,
    /// Blocks that were dropped.
    pub dropped_blocks: u64,
}

impl MetricsStore {
    /// Seals heads of at least 256 rows and those older than an hour, and drops what is past its retention at `now`
    /// (seconds since 1970). Every part is a transaction of its own, so a crash between them costs nothing, and
    /// running it twice changes nothing more. Never to be called on a thread of the runtime.
    ///
    /// # Errors
    /// When the database refuses, or a block is damaged.
    pub fn maintain_blocking(&self, now: i64, retention: &Retention) -> Result<Maintained, StoreError> {
        let mut maintained = Maintained::default();
        let heads: Vec<i64> =
            self.database.read_blocking(move |connection| grown_or_aged(connection, now))?;
        for ids in heads.chunks(SERIES_AT_ONCE) {
            let ids = ids.to_vec();
            maintained.sealed_rows += self.change(move |tx, cache| seal_heads(tx, cache, &ids, Some(now)))?;
        }
        for level in Level::ALL {
            let Some(floor) = retention.floor(level, now) else { continue };
            let aged: Vec<i64> =
                self.database.read_blocking(move |connection| past_retention(connection, level, floor))?;
            for ids in aged.chunks(SERIES_AT_ONCE) {
                let ids = ids.to_vec();
                maintained.dropped_blocks += self.change(move |tx, cache| {
                    ids.iter().map(|id| drop_before(tx, cache, *id, level, floor)).sum::<Result<u64, _>>()
                })?;
            }
        }
        Ok(maintained)
    }

    /// Seals all of every head, whatever its size. For a store that takes no more points, and to measure.
    ///
    /// # Errors
    /// When the database refuses, or a block is damaged.
    pub fn seal_blocking(&self) -> Result<u64, StoreError> {
        let heads: Vec<i64> = self.database.read_blocking(|connection| {
            let mut statement = connection.prepare("SELECT DISTINCT series_id FROM head")?;
            Ok::<_, StoreError>(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })?;
        let mut sealed = 0;
        for ids in heads.chunks(SERIES_AT_ONCE) {
            let ids = ids.to_vec();
            sealed += self.change(move |tx, cache| seal_heads(tx, cache, &ids, None))?;
        }
        Ok(sealed)
    }
}

fn grown_or_aged(connection: &Connection, now: i64) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT series_id FROM head GROUP BY series_id HAVING sum(rows) >= ? OR min(first_time) < ?",
    )?;
    Ok(statement
        .query_map(params![GROWN_ROWS, now - AGED_SECONDS], |row| row.get(0))?
        .collect::<Result<_, _>>()?)
}

/// Seals the heads of these series, wholly or, with `now`, but for their newest rows.
fn seal_heads(
    tx: &Transaction<'_>,
    cache: &mut Cache,
    ids: &[i64],
    now: Option<i64>,
) -> Result<u64, StoreError> {
    let mut rows = 0;
    for &id in ids {
        // It may have been deleted since the list was made.
        if !exists(tx, id)? {
            continue;
        }
        let mut known: Known = cache.known(tx, id)?;
        let before = match now {
            None => Some(i64::MAX),
            Some(now) => {
                let (count, oldest): (i64, Option<i64>) = tx
                    .prepare_cached(
                        "SELECT coalesce(sum(rows), 0), min(first_time) FROM head WHERE series_id = ?",
                    )?
                    .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let is_aged = oldest.is_some_and(|oldest| oldest < now - AGED_SECONDS);
                // A grown head keeps its newest rows, an aged one those of the last minutes.
                (is_aged || count < GROWN_ROWS).then_some(now - OPEN_SECONDS)
            }
        };
        rows += seal_with(tx, &mut known, &[], before)?.rows;
        cache.remember(known);
    }
    Ok(rows)
}

fn exists(tx: &Transaction<'_>, id: i64) -> Result<bool, StoreError> {
    Ok(tx.prepare_cached("SELECT 1 FROM series WHERE id = ?")?.exists([id])?)
}

fn past_retention(connection: &Connection, level: Level, floor: i64) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT DISTINCT series_id FROM blocks WHERE level = ? AND last_time < ?")?;
    Ok(statement.query_map(params![level.number(), floor], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Drops the blocks of a level that end before `floor`. What coarser levels read from raw rows that go gets rows of
/// its own first. A series of which nothing is left goes too.
fn drop_before(
    tx: &Transaction<'_>,
    cache: &mut Cache,
    id: i64,
    level: Level,
    floor: i64,
) -> Result<u64, StoreError> {
    if !exists(tx, id)? {
        return Ok(0);
    }
    let mut known = cache.known(tx, id)?;
    let series: &mut Series = &mut known.series;
    let from = &mut series.from[level.index()];
    let former = *from;
    *from = floor.max(former);
    let now_from = *from;
    if level == Level::Raw {
        for coarser in Level::ROLLED_UP.into_iter().filter(|coarser| *coarser <= series.native) {
            copy_up(tx, id, coarser, former, now_from)?;
        }
    }
    series.save(tx)?;
    let dropped = tx
        .prepare_cached("DELETE FROM blocks WHERE series_id = ? AND level = ? AND last_time < ?")?
        .execute(params![id, level.number(), now_from])?;
    cache.remember(known);
    if level == Level::Hour {
        let gone = tx
            .prepare_cached(
                "DELETE FROM series WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM blocks WHERE series_id = ?1)
                 AND NOT EXISTS (SELECT 1 FROM head WHERE series_id = ?1)",
            )?
            .execute([id])?;
        if gone > 0 {
            cache.forget();
        }
    }
    Ok(dropped as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarser_levels_are_kept_at_least_as_long_as_finer() {
        let retention = Retention { raw_days: 7, minute_days: 3, quarter_hour_days: 0, hour_days: 9 };
        let floors = Level::ALL.map(|level| retention.floor(level, 100 * DAY + 5));
        assert_eq!(floors, [Some(93 * DAY), Some(93 * DAY), None, None]);
        assert_eq!(Retention::FOR_EVER.floor(Level::Raw, DAY), None);
    }
}
