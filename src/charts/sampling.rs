//! The service measures itself, and tends the stores of measurements.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use crate::database::DatabaseError;

use super::own::metric;
use super::spaces::now;
use super::store::{Measurement, MetricKind, MetricName, Point, Retention, SeriesKey, Tags};
use super::{ChartError, Charts, own_tenant};

/// How often measurements are sealed into blocks and those past their time dropped.
const MAINTENANCE: Duration = Duration::from_secs(60);
/// The statuses of executions that are told, also where there is none.
const STATUSES: [&str; 4] = ["pending", "queued", "scheduled", "started"];

impl Charts {
    /// Measures the service again and again, and tends the stores, until `stop` is true.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let seconds = self.settings().own_seconds;
        // Without measurements of its own the service still tends what others measure.
        let every = if seconds == 0 { MAINTENANCE } else { Duration::from_secs(seconds) };
        let mut since_maintenance = Duration::ZERO;
        while !*stop.borrow() {
            if seconds > 0
                && let Err(error) = self.sample().await
            {
                tracing::warn!(error = %error, "the service could not measure itself: {error}");
            }
            since_maintenance += every;
            if since_maintenance >= MAINTENANCE {
                since_maintenance = Duration::ZERO;
                if let Err(error) = self.maintain().await {
                    tracing::warn!(error = %error, "the measurements could not be tended: {error}");
                }
            }
            let _ = tokio::time::timeout(every, async {
                let _ = stop.wait_for(|stop| *stop).await;
            })
            .await;
        }
    }

    async fn sample(&self) -> Result<(), ChartError> {
        let charts = self.clone();
        let measured = tokio::task::spawn_blocking(move || charts.measure());
        let measurements =
            measured.await.map_err(|_| ChartError::Io(std::io::Error::other("it was interrupted")))??;
        self.inner.own.write(measurements).await?;
        Ok(())
    }

    /// Seals what came into blocks, and drops what is past its time. Waits for a restore, which copies the store.
    async fn maintain(&self) -> Result<(), ChartError> {
        let Ok(guard) = self.inner.manager.enter_metrics().await else { return Ok(()) };
        let (own, retention) = (self.inner.own.clone(), self.settings().retention);
        tokio::task::spawn_blocking(move || {
            guard.store().maintain_blocking(now(), &retention)?;
            own.maintain_blocking(now(), &retention)?;
            Ok::<(), ChartError>(())
        })
        .await
        .map_err(|_| ChartError::Io(std::io::Error::other("it was interrupted")))?
    }

    /// What the service is like at the moment.
    fn measure(&self) -> Result<Vec<Measurement>, ChartError> {
        let mut samples = Samples { time: now(), measurements: Vec::new() };
        let records = self.inner.records.database();
        let generation = self.inner.manager.current();
        let mut by_status = records.read_blocking(open_by_status)?;
        by_status.extend(generation.database.read_blocking(open_by_status)?);
        let count = |status: &str| -> f64 {
            by_status.iter().filter(|(other, _)| other == status).map(|(_, count)| *count as f64).sum()
        };
        for status in STATUSES {
            samples.add(metric::EXECUTIONS, Some(("status", status)), count(status));
        }
        samples.add(metric::QUEUE_DEPTH, None, count("pending") + count("queued"));
        for (name, path) in [
            ("records", records.path()),
            ("manager", generation.database.path()),
            ("metrics", generation.metrics.database().path()),
            ("own metrics", self.inner.own.database().path()),
        ] {
            samples.add(metric::DATABASE_BYTES, Some(("database", name)), database_bytes(path));
        }
        let archives: i64 = records.read_blocking(|connection| {
            let sql = "SELECT coalesce(sum(size_bytes), 0) FROM snapshots";
            Ok::<_, DatabaseError>(connection.query_row(sql, [], |row| row.get(0))?)
        })?;
        samples.add(metric::ARCHIVES_BYTES, None, archives as f64);
        for (face, took) in self.inner.meters.take_requests() {
            let point = Point {
                time: samples.time,
                count: took.count,
                sum: took.sum,
                min: took.min,
                max: took.max,
                sum_squares: None,
                last: took.sum / took.count.max(1) as f64,
            };
            samples.add_point(metric::REQUEST_MILLISECONDS, Some(("face", face)), point);
        }
        for (via, count) in self.inner.meters.take_emits() {
            samples.add(metric::EMITS, Some(("via", via)), count as f64);
        }
        Ok(samples.measurements)
    }
}

struct Samples {
    time: i64,
    measurements: Vec<Measurement>,
}

impl Samples {
    fn add(&mut self, name: &str, tag: Option<(&str, &str)>, value: f64) {
        self.add_point(name, tag, Point::plain(self.time, value));
    }

    fn add_point(&mut self, name: &str, tag: Option<(&str, &str)>, point: Point) {
        let Ok(metric) = MetricName::parse(name) else { return };
        let mut tags = Tags::new();
        // The words are ours, and fit.
        if let Some((name, value)) = tag
            && tags.insert(name, value).is_err()
        {
            return;
        }
        let key = SeriesKey { tenant: own_tenant(), metric, tags };
        self.measurements.push(Measurement { key, kind: Some(MetricKind::Gauge), period: None, point });
    }
}

fn open_by_status(connection: &Connection) -> Result<Vec<(String, i64)>, DatabaseError> {
    let mut statement = connection
        .prepare_cached("SELECT status, count(*) FROM executions WHERE ended_at IS NULL GROUP BY status")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A database's file and its write-ahead log.
fn database_bytes(path: &Path) -> f64 {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    (length(path) + length(Path::new(&log))) as f64
}

/// How long measurements are kept, by the settings.
pub fn retention(settings: &crate::config::MetricsSettings) -> Retention {
    Retention {
        raw_days: settings.raw_days,
        minute_days: settings.minute_days,
        quarter_hour_days: settings.quarter_hour_days,
        hour_days: settings.hour_days,
    }
}
