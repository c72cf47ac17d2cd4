//! How long the databases' logs grow while a snapshot is created and others write all the time.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::seed::{self, Amounts};
use crate::service::{self, Service};

/// Who write at once.
const WRITERS: u64 = 4;
/// Of which each replaces so many secrets in turns.
const SECRETS: u64 = 10;
const SECRET_BYTES: usize = 100_000;
/// How often the logs are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a run found.
struct Found {
    seconds: f64,
    longest_bytes: u64,
    left_bytes: u64,
    writes: u64,
    slowest: Duration,
    has_spooled: bool,
}

/// Creates a snapshot of the same state under the same writers, with several limits; prints the table.
pub fn measure() -> anyhow::Result<()> {
    println!(
        "### Writers\n\n| `wal_limit_bytes` | Create, s | Logs at the most, MB | After it, MB | Writes/s | Slowest write, ms | Spooled |\n|---|--:|--:|--:|--:|--:|---|"
    );
    let cases = [("none (2^50)", Some(1_u64 << 50)), ("64 MiB", Some(64 << 20)), ("the default", None)];
    // Another build may not know the setting.
    let cases = match std::env::var_os("LIFEBOAT_BENCH_BINARY") {
        Some(_) => vec![("of another build", None)],
        None => cases.to_vec(),
    };
    for (name, limit) in cases {
        let found = run(limit).with_context(|| format!("the limit {name}"))?;
        println!(
            "| {name} | {:.1} | {:.1} | {:.1} | {:.0} | {:.0} | {} |",
            found.seconds,
            found.longest_bytes as f64 / 1e6,
            found.left_bytes as f64 / 1e6,
            found.writes as f64 / found.seconds,
            found.slowest.as_secs_f64() * 1e3,
            if found.has_spooled { "yes" } else { "no" },
        );
    }
    println!();
    Ok(())
}

fn run(limit: Option<u64>) -> anyhow::Result<Found> {
    let folder = tempfile::tempdir()?;
    service::prepare(folder.path())?;
    // Rows before a long file, and more behind it than a create holds in memory.
    let amounts = Amounts { events: 80_000, plugin_bytes: 2 << 30, flows: 40_000, ..Amounts::default() };
    seed::fill(folder.path(), &amounts)?;
    let settings = limit.map(|bytes| format!("[manager]\nwal_limit_bytes = {bytes}\n")).unwrap_or_default();
    let service = Service::start_with(folder.path(), &settings)?;
    let (is_over, longest, writes, slowest) =
        (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (seconds, has_spooled) = thread::scope(|scope| -> anyhow::Result<(f64, bool)> {
        let looker = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                longest.fetch_max(log_bytes(folder.path()), Ordering::Relaxed);
                thread::sleep(LOOK_EVERY);
            }
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (service, is_over, writes, slowest) = (&service, &is_over, &writes, &slowest);
                scope.spawn(move || -> anyhow::Result<()> {
                    let mut number = 0_u64;
                    while !is_over.load(Ordering::Relaxed) {
                        let value = format!("{number:08}").repeat(SECRET_BYTES / 8);
                        let body = json!({ "value": value, "update_if_exists": true });
                        let begun = Instant::now();
                        service.send("PUT", &format!("/secrets/own-{writer}-{}", number % SECRETS), &body)?;
                        let micros = u64::try_from(begun.elapsed().as_micros())?;
                        slowest.fetch_max(micros, Ordering::Relaxed);
                        writes.fetch_add(1, Ordering::Relaxed);
                        number += 1;
                    }
                    Ok(())
                })
            })
            .collect();
        let begun = Instant::now();
        let created = service.send("PUT", "/snapshots/large", &json!({})).and_then(|execution| {
            service.wait(&execution)?;
            Ok(execution)
        });
        let seconds = begun.elapsed().as_secs_f64();
        is_over.store(true, Ordering::Relaxed);
        for writer in writers {
            ensure!(writer.join().is_ok_and(|written| written.is_ok()), "a writer was refused");
        }
        ensure!(looker.join().is_ok(), "the looker ended early");
        let id = created?["id"].as_str().context("the answer names no execution")?.to_owned();
        let events = service.text(&format!("/events?execution_id={id}&_size=1000"))?;
        Ok((seconds, events.contains("went through a spool")))
    })?;
    let found = Found {
        seconds,
        longest_bytes: longest.into_inner(),
        left_bytes: log_bytes(folder.path()),
        writes: writes.into_inner(),
        slowest: Duration::from_micros(slowest.into_inner()),
        has_spooled,
    };
    service.stop()?;
    Ok(found)
}

fn log_bytes(folder: &Path) -> u64 {
    let generation = folder.join("data/manager/current");
    let length = |name: &str| fs::metadata(generation.join(name)).map_or(0, |found| found.len());
    length("manager.db-wal") + length("metrics.db-wal")
}
