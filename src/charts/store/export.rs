//! A store at one moment, written out as line protocol and JSON, and read back.

use std::path::Path;

use rusqlite::{Connection, Transaction};

use super::annotations::{Annotation, all_annotations, put_back};
use super::blocks::{Series, each_head_row, each_row};
use super::line_protocol::{put_line, series_prefix};
use super::metrics::{Metric, all_metrics, matching_series, set_metric};
use super::{Level, MetricsStore, Point, StoreError, TagFilter};
use crate::failpoints;
use crate::model::TenantName;

/// What a file of line protocol begins with, so that `influx -import` takes each alone.
pub const FILE_HEADER: &str = "# DDL\nCREATE DATABASE lifeboat\n# DML\n# CONTEXT-DATABASE: lifeboat\n# CONTEXT-RETENTION-POLICY: autogen\n";

/// What a line takes besides its series' name and tags, as a rule of thumb.
const PLAIN_LINE_BYTES: u64 = 32;
const AGGREGATE_LINE_BYTES: u64 = 85;

/// What an export wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub metrics: u64,
    pub series: u64,
    pub points: u64,
    pub files: u64,
    pub bytes: u64,
}

/// The store as it was when the cut was made, while writes go on. Holds one connection and keeps the file's log from
/// being shortened, so it is not to be kept for long.
pub struct StoreCut {
    connection: Connection,
}

impl MetricsStore {
    /// Takes the moment between two writes. Never to be called on a thread of the runtime.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn cut_blocking(&self) -> Result<StoreCut, StoreError> {
        failpoints::here("cut:measurements");
        let (connection, ()) = self.database.cut_blocking(|_| Ok::<_, StoreError>(()))?;
        Ok(StoreCut { connection })
    }

    /// Writes a copy of the store into a new file, without what it has dropped. Never to be called on a thread of the
    /// runtime.
    ///
    /// # Errors
    /// When there is such a file; when the database refuses.
    pub fn copy_blocking(&self, path: &Path) -> Result<(), StoreError> {
        Ok(self.database.copy_blocking(path)?)
    }

    /// Puts exported metrics back: what is said of them, not their points. Doing it twice changes nothing more.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn import_metrics_blocking(
        &self,
        tenant: TenantName,
        metrics: Vec<Metric>,
    ) -> Result<(), StoreError> {
        self.change(move |tx, _| {
            metrics.iter().try_for_each(|metric| set_metric(tx, &tenant, metric).map(drop))
        })
    }

    /// Puts exported annotations back under their ids, or under new ones where other tenants have those. Doing it
    /// twice changes nothing more, new ids apart.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn import_annotations_blocking(
        &self,
        tenant: TenantName,
        annotations: Vec<Annotation>,
    ) -> Result<(), StoreError> {
        self.change(move |tx: &Transaction<'_>, _| {
            annotations.iter().try_for_each(|annotation| put_back(tx, &tenant, annotation))
        })
    }
}

impl StoreCut {
    /// The tenants that have metrics or annotations, in order.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn tenants(&self) -> Result<Vec<TenantName>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT tenant_name FROM metrics UNION SELECT tenant_name FROM annotations ORDER BY tenant_name",
        )?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?;
        names.map(|name| Ok(TenantName::trusted(name?))).collect()
    }

    /// What is said of a tenant's metrics; as JSON it goes beside the points.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn metrics(&self, tenant: &TenantName) -> Result<Vec<Metric>, StoreError> {
        all_metrics(&self.connection, tenant)
    }

    /// A tenant's annotations that go on at `from` or come later, by id.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn annotations(&self, tenant: &TenantName, from: i64) -> Result<Vec<Annotation>, StoreError> {
        all_annotations(&self.connection, tenant, from)
    }

    /// About how many bytes [`StoreCut::export`] writes, from the sizes of blocks alone.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn estimate_bytes(&self, tenant: &TenantName, from: i64) -> Result<u64, StoreError> {
        let mut bytes = 0;
        for metric in all_metrics(&self.connection, tenant)? {
            for (id, key) in matching_series(&self.connection, tenant, &metric.name, &TagFilter::any())? {
                let series = Series::load(&self.connection, id)?;
                let prefix = series_prefix(&key).len() as u64;
                for (level, start, end) in stretches(&series, from) {
                    let rows: i64 = self
                        .connection
                        .prepare_cached(
                            "SELECT coalesce(sum(rows), 0) FROM blocks
                             WHERE series_id = ? AND level = ? AND last_time >= ? AND first_time < ?",
                        )?
                        .query_row((id, level.number(), start, end), |row| row.get(0))?;
                    let line = if level == Level::Raw { PLAIN_LINE_BYTES } else { AGGREGATE_LINE_BYTES };
                    bytes += rows as u64 * (prefix + line);
                }
                let rows: i64 = self
                    .connection
                    .prepare_cached("SELECT coalesce(sum(rows), 0) FROM head WHERE series_id = ?")?
                    .query_row([id], |row| row.get(0))?;
                bytes += rows as u64 * (prefix + PLAIN_LINE_BYTES);
            }
        }
        Ok(bytes)
    }

    /// Writes a tenant's points since `from` (seconds since 1970) as line protocol and hands them to `each` as whole
    /// files of about `chunk_bytes`, each with the header that `influx -import` wants. Where raw points were dropped,
    /// the buckets of the finest level that is left stand for them as aggregates. Memory: one file and one block.
    ///
    /// # Errors
    /// When the database refuses, a block is damaged, or `each` fails.
    pub fn export<E: From<StoreError>>(
        &self,
        tenant: &TenantName,
        from: i64,
        chunk_bytes: usize,
        each: &mut dyn FnMut(String) -> Result<(), E>,
    ) -> Result<Counts, E> {
        let mut file = File { text: FILE_HEADER.to_owned(), chunk_bytes, counts: Counts::default(), each };
        // What `each` says can't pass through the reading of blocks, so it is kept beside.
        let mut failed = None;
        let written = self.export_series(tenant, from, &mut file, &mut failed);
        if let Some(error) = failed {
            return Err(error);
        }
        written.map_err(E::from)?;
        if file.text.len() > FILE_HEADER.len() {
            file.hand_over()?;
        }
        Ok(file.counts)
    }

    fn export_series<E>(
        &self,
        tenant: &TenantName,
        from: i64,
        file: &mut File<'_, E>,
        failed: &mut Option<E>,
    ) -> Result<(), StoreError> {
        for metric in all_metrics(&self.connection, tenant)? {
            file.counts.metrics += 1;
            for (id, key) in matching_series(&self.connection, tenant, &metric.name, &TagFilter::any())? {
                file.counts.series += 1;
                let prefix = series_prefix(&key);
                let series = Series::load(&self.connection, id)?;
                let mut put = |point: &Point| {
                    file.put(&prefix, point).map_err(|error| {
                        *failed = Some(error);
                        StoreError::Stopped
                    })
                };
                for (level, start, end) in stretches(&series, from) {
                    each_row(&self.connection, id, level, start, end, &mut put)?;
                }
                each_head_row(&self.connection, &series, from, i64::MAX, &mut put)?;
            }
        }
        Ok(())
    }
}

/// Which level is the finest for which stretch of time since `from`, in the order of time.
fn stretches(series: &Series, from: i64) -> impl Iterator<Item = (Level, i64, i64)> + use<> {
    let mut end = i64::MAX;
    let mut found = Vec::new();
    for level in Level::ALL {
        let start = series.from[level.index()].max(from);
        if start < end {
            found.push((level, start, end));
            end = start;
        }
    }
    found.into_iter().rev()
}

/// The file that is being written.
struct File<'a, E> {
    text: String,
    chunk_bytes: usize,
    counts: Counts,
    each: &'a mut dyn FnMut(String) -> Result<(), E>,
}

impl<E> File<'_, E> {
    fn put(&mut self, prefix: &str, point: &Point) -> Result<(), E> {
        put_line(&mut self.text, prefix, point);
        self.counts.points += 1;
        if self.text.len() >= self.chunk_bytes { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> Result<(), E> {
        let text = std::mem::replace(&mut self.text, FILE_HEADER.to_owned());
        self.counts.files += 1;
        self.counts.bytes += text.len() as u64;
        (self.each)(text)
    }
}
