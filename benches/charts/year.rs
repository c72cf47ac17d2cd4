//! A year of measurements in a store: four gauges, each a wave of a day on a wave of a year, and noise.

use std::path::Path;
use std::time::Instant;

use lifeboat::charts::store::{Measurement, MetricName, MetricsStore, Point, Retention, SeriesKey, Tags};
use lifeboat::database::DatabaseError;
use lifeboat::model::TenantName;

/// The metric of all series.
pub const METRIC: &str = "tide.level";
/// The sources, one for each series.
pub const SOURCES: [&str; 4] = ["north", "east", "south", "west"];
/// The beginning of 2025, in seconds since 1970.
pub const START: i64 = 1_735_689_600;
/// The length of that year.
pub const SECONDS: i64 = 365 * 86_400;
/// How many points a transaction gets.
const BATCH: usize = 5000;
/// After how many batches heads are sealed, as the service does by the clock.
const BATCHES_TO_SEAL: usize = 50;

/// How a year was written.
pub struct Filled {
    pub seconds: f64,
    pub bytes: f64,
}

/// Whose the measurements are.
pub fn tenant() -> TenantName {
    TenantName::trusted("default_tenant")
}

/// Writes a year of so many points.
pub fn fill(path: &Path, points: usize) -> anyhow::Result<Filled> {
    let store = MetricsStore::open(path)?;
    let keys = SOURCES.iter().map(|source| key(source)).collect::<Result<Vec<_>, _>>()?;
    let each = points.div_ceil(keys.len()).max(1) as i64;
    let begun = Instant::now();
    for (number, from) in (0..points).step_by(BATCH).enumerate() {
        let batch = (from..points.min(from + BATCH)).map(|n| {
            let time = START + SECONDS * (n / keys.len()) as i64 / each;
            measurement(&keys[n % keys.len()], n, time)
        });
        let batch: Vec<Measurement> = batch.collect();
        let now = batch.last().map_or(START, |last| last.point.time);
        store.write_blocking(batch)?;
        if number.is_multiple_of(BATCHES_TO_SEAL) {
            store.maintain_blocking(now, &Retention::FOR_EVER)?;
        }
    }
    store.maintain_blocking(START + SECONDS, &Retention::FOR_EVER)?;
    let seconds = begun.elapsed().as_secs_f64();
    let bytes = store.database().read_blocking(|connection| {
        let pragma = |name| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        Ok::<_, DatabaseError>((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
    })?;
    Ok(Filled { seconds, bytes: bytes as f64 })
}

fn key(source: &str) -> anyhow::Result<SeriesKey> {
    let mut tags = Tags::new();
    tags.insert("source", source)?;
    Ok(SeriesKey { tenant: tenant(), metric: MetricName::parse(METRIC)?, tags })
}

fn measurement(key: &SeriesKey, number: usize, time: i64) -> Measurement {
    let turn = |period: i64| (time - START) as f64 / period as f64 * std::f64::consts::TAU;
    let noise = scatter(number);
    let base = 20.0 * (number % SOURCES.len()) as f64;
    let value = base + 8.0 * turn(SECONDS).sin() + 3.0 * turn(86_400).sin() + (noise % 400) as f64 / 100.0;
    // In hundredths, as instruments give them.
    let point = Point::plain(time, (value * 100.0).round() / 100.0);
    Measurement { key: key.clone(), kind: None, period: None, point }
}

/// A number that looks like chance, always the same for the same: SplitMix64's finish.
pub fn scatter(number: usize) -> u64 {
    let mut mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
