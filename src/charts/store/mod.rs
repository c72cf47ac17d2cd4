//! The metrics store: measurements of every tenant in one SQLite file, at a few bytes a point.
//!
//! Points go into the head as they come, and are sealed into compressed blocks, with buckets of a minute, a quarter of
//! an hour and an hour beside them, so that a read takes rows in proportion to the buckets asked for. Annotations
//! live in the same file. Knows no HTTP, no chart and no picture.

mod annotations;
mod blocks;
mod cache;
mod columns;
mod encode;
mod export;
mod ingest;
mod line_protocol;
mod maintain;
mod metrics;
mod names;
mod partial;
mod point;
mod read;
mod schema;
mod seal;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, Transaction};

use crate::database::{Database, DatabaseError};

use cache::{Cache, with_cache};

pub use annotations::{Annotation, Link};
pub use export::{Counts, FILE_HEADER, StoreCut};
pub use ingest::Written;
pub use line_protocol::{LineError, import_line};
pub use maintain::{Maintained, Retention};
pub use metrics::{Metric, MetricKind, MetricPage};
pub use names::{MAX_TAGS, MetricName, NameError, SeriesKey, TagFilter, Tags, glob};
pub use point::{Level, MAX_TIME, Point};
pub use read::{Query, SeriesData};
pub use schema::SCHEMA_VERSION;

/// Why the metrics store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the metrics store refused")]
    Database(#[from] DatabaseError),
    #[error("the metrics store refused")]
    Sqlite(#[from] rusqlite::Error),
    #[error("a block of the metrics store is damaged: {0}")]
    Damaged(&'static str),
    #[error("failed to compress a block")]
    Compress(#[source] std::io::Error),
    #[error("a text of the metrics store is no JSON of ours")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Name(#[from] NameError),
    /// Whoever took the rows wanted no more; what it said stands beside.
    #[error("the rows were no longer wanted")]
    Stopped,
    /// A number that is not finite, or a time too far away.
    #[error(
        "the measurement of `{0}` can't be stored: its numbers have to be finite, its time within 285 years of 1970"
    )]
    NotStorable(MetricName),
}

/// The size of the file's pages. Blocks of any length fill small pages well, and a row for the head dirties little.
const PAGE_BYTES: i64 = 1024;

/// How much of the file the writer keeps in memory: the heads of some thousand series, which every batch touches.
const WRITER_CACHE_KIB: i64 = 32 * 1024;
/// After how many pages the file's log is written back.
const CHECKPOINT_PAGES: i64 = 8192;

/// One measurement of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    pub key: SeriesKey,
    /// What a metric that isn't there yet becomes; a gauge where nothing is said.
    pub kind: Option<MetricKind>,
    /// The period that such a metric gets, in seconds.
    pub period: Option<u32>,
    pub point: Point,
}

/// The store. Clones share the file.
#[derive(Clone)]
pub struct MetricsStore {
    database: Database,
    cache: Arc<Mutex<Cache>>,
}

impl MetricsStore {
    /// Opens or makes the file, and brings its tables up to date.
    ///
    /// # Errors
    /// When it is no such file, is newer than this program, or can't be written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // What is set before the first table is the file's for good; later it does nothing.
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        drop(connection);
        let database = Database::open(path, &schema::migrations())?;
        // The writer's own settings, set before the first write; opening on a thread of the runtime must not wait.
        drop(database.submit_write(|tx| {
            tx.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
            tx.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
            Ok::<_, StoreError>(())
        }));
        Ok(Self { database, cache: Arc::default() })
    }

    /// The database of the store, for those who keep its file.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Closes the file, as [`Database::close_blocking`] does.
    pub fn close_blocking(self) {
        self.database.close_blocking();
    }

    /// The length of the file, in bytes; what waits in its log is not counted.
    pub fn size_bytes(&self) -> u64 {
        self.database.size_bytes()
    }

    /// Stores measurements in one transaction: all of them or, when it fails, none. They may be late, repeated and in
    /// any order; of two with the same series and second the one written later wins. When this has answered they
    /// survive the loss of power. Writing the same again changes nothing, as long as the raw points of its time are
    /// kept; a time whose points were dropped gets them added to its buckets.
    ///
    /// # Errors
    /// When a number is not finite or a time too far away; when the database refuses.
    pub async fn write(&self, measurements: Vec<Measurement>) -> Result<Written, StoreError> {
        check(&measurements)?;
        self.change_async(move |tx, cache| ingest::write(tx, cache, &measurements)).await
    }

    /// [`MetricsStore::write`] for blocking threads. Never to be called on a thread of the runtime.
    pub fn write_blocking(&self, measurements: Vec<Measurement>) -> Result<Written, StoreError> {
        check(&measurements)?;
        self.change(move |tx, cache| ingest::write(tx, cache, &measurements))
    }

    /// Reads the series of a metric, each apart, as at most `max_buckets` buckets. The rows that this takes are in
    /// proportion to the buckets: the coarsest level that the step is made of is read. Buckets of that level which
    /// the ends of the window cut are taken whole. Where raw points of the window's start were dropped, the step is
    /// that of the finest level which still holds it. No series matching is no error.
    ///
    /// # Errors
    /// When the database refuses, or a block is damaged.
    pub async fn read(&self, query: Query) -> Result<Vec<SeriesData>, StoreError> {
        self.database.read(move |connection| read::read(connection, &query)).await
    }

    /// [`MetricsStore::read`] for blocking threads. Never to be called on a thread of the runtime.
    pub fn read_blocking(&self, query: Query) -> Result<Vec<SeriesData>, StoreError> {
        self.database.read_blocking(move |connection| read::read(connection, &query))
    }

    /// Reads the last `count` buckets of `min_step` of each series of a metric in the window of a query, in which
    /// `max_buckets` doesn't count. Each is read back from its own last point.
    ///
    /// # Errors
    /// When the database refuses, or a block is damaged.
    pub async fn read_last(&self, query: Query, count: usize) -> Result<Vec<SeriesData>, StoreError> {
        self.database.read(move |connection| read::read_last(connection, &query, count)).await
    }

    async fn change_async<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut Cache) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let cache = Arc::clone(&self.cache);
        self.database.write(move |tx| with_cache(&cache, tx, |cache| work(tx, cache))).await
    }

    fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut Cache) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let cache = Arc::clone(&self.cache);
        self.database.write_blocking(move |tx| with_cache(&cache, tx, |cache| work(tx, cache)))
    }
}

fn check(measurements: &[Measurement]) -> Result<(), StoreError> {
    match measurements.iter().find(|measurement| !measurement.point.is_storable()) {
        Some(refused) => Err(StoreError::NotStorable(refused.key.metric.clone())),
        None => Ok(()),
    }
}
