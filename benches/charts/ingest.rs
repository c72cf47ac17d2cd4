//! The same line protocol to the store, to the service and to InfluxDB, batch by batch in turns.

use std::fmt::Write as _;
use std::time::{Instant, SystemTime};

use anyhow::ensure;
use lifeboat::charts::store::{Measurement, MetricsStore, Retention, import_line};
use serde_json::json;

use crate::influx::{self, Influx};
use crate::machine;
use crate::report::{Spread, thousands};
use crate::service::Service;
use crate::year::{scatter, tenant};

/// How many points a batch has.
const BATCH: usize = 5000;
/// How many series there are.
const SERIES: [usize; 2] = [100, 1000];
/// The seconds between points of a series.
const GAP: i64 = 10;
/// How many batches are written before one counts.
const WARM_UP: usize = 3;
/// After how many batches the store seals heads; the service does so each minute.
const BATCHES_TO_SEAL: usize = 20;

/// Who takes points.
enum Taker {
    Store(MetricsStore),
    Service(Service),
    Influx(Influx),
}

/// A batch in the forms that are sent.
struct Batch {
    lines: String,
    json: String,
    last: i64,
}

impl Taker {
    fn name(&self) -> String {
        match self {
            Self::Store(_) => "Lifeboat's store, line protocol in the process".to_owned(),
            Self::Service(_) => "Lifeboat's service, JSON by HTTP".to_owned(),
            Self::Influx(_) => "InfluxDB, line protocol by HTTP".to_owned(),
        }
    }

    /// Takes a batch; it is durable when this returns.
    fn write(&mut self, batch: &Batch, number: usize) -> anyhow::Result<()> {
        match self {
            Self::Store(store) => {
                let tenant = tenant();
                let lines = batch.lines.lines().filter_map(|line| import_line(&tenant, line).transpose());
                let measurements = lines.collect::<Result<Vec<Measurement>, _>>()?;
                let written = store.write_blocking(measurements)?;
                ensure!(written.stored == BATCH as u64, "not all points were stored");
                if number.is_multiple_of(BATCHES_TO_SEAL) {
                    store.maintain_blocking(batch.last, &Retention::FOR_EVER)?;
                }
                Ok(())
            }
            Self::Service(service) => service.write(&batch.json),
            Self::Influx(influx) => influx.write(&batch.lines),
        }
    }

    fn process(&self) -> String {
        match self {
            Self::Store(_) => "self".to_owned(),
            Self::Service(service) => service.process(),
            Self::Influx(influx) => influx.process(),
        }
    }
}

/// Writes, and prints the table.
pub fn measure(batches: usize) -> anyhow::Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    println!(
        "| Series | Who | min points/s | median | max | of all time | Beside InfluxDB | Peak of memory, MiB |"
    );
    println!("|--:|---|--:|--:|--:|--:|--:|--:|");
    for series in SERIES {
        // So that the last points are of now: the service keeps raw points for two weeks.
        let length = ((batches + WARM_UP) * BATCH / series) as i64 * GAP;
        let start = i64::try_from(now)? / GAP * GAP - length;
        let folder = tempfile::tempdir()?;
        let store = MetricsStore::open(&folder.path().join("metrics.db"))?;
        let mut takers = vec![Taker::Store(store), Taker::Service(Service::start()?)];
        match influx::program() {
            Some(_) => takers.push(Taker::Influx(Influx::start()?)),
            None => eprintln!("charts: InfluxDB is skipped: install the Debian package influxdb"),
        }
        let mut seconds = vec![Vec::new(); takers.len()];
        for number in 0..batches + WARM_UP {
            let batch = batch(number, series, start);
            for turn in 0..takers.len() {
                let at = (number + turn) % takers.len();
                let begun = Instant::now();
                takers[at].write(&batch, number)?;
                if number >= WARM_UP {
                    seconds[at].push(begun.elapsed().as_secs_f64());
                }
            }
        }
        let influx = seconds.get(2).map_or(&[][..], Vec::as_slice);
        for (taker, seconds) in takers.iter().zip(&seconds) {
            let rates: Vec<f64> = seconds.iter().map(|seconds| BATCH as f64 / seconds).collect();
            let whole = (BATCH * batches) as f64 / seconds.iter().sum::<f64>();
            let spread = Spread::of(&rates);
            // What the process of the store has held before is of no interest here.
            let peak = match taker {
                Taker::Store(_) => "–".to_owned(),
                Taker::Service(_) | Taker::Influx(_) => {
                    format!("{:.0}", machine::peak_mebibytes(&taker.process()))
                }
            };
            // Of each batch for itself: what else the machine did then was much the same for both.
            let ratios: Vec<f64> = seconds.iter().zip(influx).map(|(ours, peer)| peer / ours).collect();
            let beside = match taker {
                Taker::Influx(_) => String::new(),
                Taker::Store(_) | Taker::Service(_) if ratios.is_empty() => "–".to_owned(),
                Taker::Store(_) | Taker::Service(_) => format!("{:.2} ×", Spread::of(&ratios).median),
            };
            let rate = |rate: f64| thousands(rate as u64);
            println!(
                "| {series} | {} | {} | {} | {} | {} | {beside} | {peak} |",
                taker.name(),
                rate(spread.min),
                rate(spread.median),
                rate(spread.max),
                rate(whole)
            );
        }
    }
    println!("\n{batches} batches of {BATCH} points, in turns, after {WARM_UP} that don't count.\n");
    Ok(())
}

/// The newest points of all series, as a client sends them.
fn batch(number: usize, series: usize, start: i64) -> Batch {
    let mut lines = String::new();
    let mut items = Vec::with_capacity(BATCH);
    let mut last = start;
    for n in number * BATCH..(number + 1) * BATCH {
        let host = format!("host-{}", n % series);
        last = start + (n / series) as i64 * GAP;
        let noise = scatter(n);
        let value = (noise % 10_000) as f64 / 100.0;
        // Writing into a text can't fail.
        let _ = writeln!(lines, "cpu.load,host={host},region=eu value={value} {last}000000000");
        let tags = json!({ "host": host, "region": "eu" });
        items.push(json!({ "name": "cpu.load", "tags": tags, "time": last, "value": value }));
    }
    Batch { lines, json: json!({ "measurements": items }).to_string(), last }
}
