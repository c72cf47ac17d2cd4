//! What the writer remembers of series between transactions, so that a point costs no look-up in the file.
//!
//! Every write counts the table `writes` up, in the transaction. What is remembered is good only while its count is
//! the file's: a transaction that was taken back, by an error, a panic or a full disk, leaves them apart.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rusqlite::{OptionalExtension, Transaction, params};

use super::blocks::Series;
use super::{Measurement, MetricKind, SeriesKey, StoreError};

/// How many series are remembered; past it all are forgotten and looked up again.
const REMEMBERED: usize = 1 << 16;

/// A series, how many rows of it the head holds, or a few more, and the number of the write that is going on.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub series: Series,
    pub head_rows: usize,
    pub write: i64,
}

/// The remembered series.
#[derive(Default)]
pub(super) struct Cache {
    count: i64,
    ids: HashMap<SeriesKey, i64>,
    known: HashMap<i64, Known>,
}

/// Runs `work` with what is remembered. Every change of the file goes through here.
pub(super) fn with_cache<T>(
    cache: &Mutex<Cache>,
    tx: &Transaction<'_>,
    work: impl FnOnce(&mut Cache) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // A panic of another write left its count behind, so what it left half done is forgotten below.
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    let count: i64 = tx.prepare_cached("SELECT count FROM writes")?.query_row([], |row| row.get(0))?;
    if cache.count != count {
        cache.forget();
    }
    cache.count = count + 1;
    let value = work(&mut cache)?;
    tx.prepare_cached("UPDATE writes SET count = count + 1")?.execute([])?;
    Ok(value)
}

impl Cache {
    /// Forgets everything, since series were deleted or there are too many.
    pub(super) fn forget(&mut self) {
        self.ids.clear();
        self.known.clear();
    }

    /// The id of the series of a measurement; makes the series and its metric where there are none.
    pub(super) fn id(&mut self, tx: &Transaction<'_>, measurement: &Measurement) -> Result<i64, StoreError> {
        let key = &measurement.key;
        if let Some(id) = self.ids.get(key) {
            return Ok(*id);
        }
        if self.ids.len() >= REMEMBERED {
            self.forget();
        }
        let metric = metric_id(tx, measurement)?;
        let tags = key.tags.to_text();
        let found = tx
            .prepare_cached("SELECT id FROM series WHERE metric_id = ? AND tags = ?")?
            .query_row(params![metric, tags], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                tx.prepare_cached("INSERT INTO series (metric_id, tags) VALUES (?, ?)")?
                    .execute(params![metric, tags])?;
                let id = tx.last_insert_rowid();
                self.known.insert(id, Known { series: Series::new(id), head_rows: 0, write: self.count });
                id
            }
        };
        self.ids.insert(key.clone(), id);
        Ok(id)
    }

    /// What is known of a series, read from the file where it isn't remembered.
    pub(super) fn known(&mut self, tx: &Transaction<'_>, id: i64) -> Result<Known, StoreError> {
        if let Some(known) = self.known.get(&id) {
            return Ok(Known { write: self.count, ..*known });
        }
        let head_rows: u32 = tx
            .prepare_cached("SELECT coalesce(sum(rows), 0) FROM head WHERE series_id = ?")?
            .query_row([id], |row| row.get(0))?;
        let series = Series::load(tx, id)?;
        let known = Known { series, head_rows: head_rows as usize, write: self.count };
        self.remember(known);
        Ok(known)
    }

    /// Remembers a series as it is now.
    pub(super) fn remember(&mut self, known: Known) {
        if self.known.len() >= 2 * REMEMBERED {
            self.forget();
        }
        self.known.insert(known.series.id, known);
    }
}

fn metric_id(tx: &Transaction<'_>, measurement: &Measurement) -> Result<i64, StoreError> {
    let key = &measurement.key;
    let found = tx
        .prepare_cached("SELECT id FROM metrics WHERE tenant_name = ? AND name = ?")?
        .query_row([key.tenant.as_str(), key.metric.as_str()], |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    let kind = measurement.kind.unwrap_or(MetricKind::Gauge);
    tx.prepare_cached(
        "INSERT INTO metrics (tenant_name, name, kind, period, created_at, updated_at)
         VALUES (?, ?, ?, ?, unixepoch(), unixepoch())",
    )?
    .execute(params![key.tenant.as_str(), key.metric.as_str(), kind.as_str(), measurement.period])?;
    Ok(tx.last_insert_rowid())
}
