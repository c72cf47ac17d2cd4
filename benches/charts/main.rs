//! Measures charts and the metrics store beside matplotlib and InfluxDB: `cargo bench --bench charts -- [POINTS]`.
//!
//! A year of POINTS (10,000,000) in four series is written to one store and a tenth of it to another; the chart of the
//! year is drawn from both, in turns with matplotlib. Then the same line protocol goes in turns to the store, to the
//! service and to InfluxDB. All are child processes with folders of their own, except the store that takes points.
//!
//! `LIFEBOAT_BENCH_ROUNDS` (100) and `LIFEBOAT_BENCH_BATCHES` (600) set how often, `LIFEBOAT_BENCH_PYTHON` names a Python
//! that has matplotlib, `LIFEBOAT_BENCH_INFLUXD` the database, `LIFEBOAT_BENCH_KEEP` a folder for the last pictures, and
//! `TMPDIR` says where.

mod http;
mod influx;
mod ingest;
#[path = "../shared/machine.rs"]
mod machine;
mod matplotlib;
mod painter;
mod pictures;
mod report;
mod service;
mod year;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, store] = &arguments[..]
        && command == painter::COMMAND
    {
        return painter::serve(store.as_ref());
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        eprintln!("charts: skipped: it runs with `cargo bench --bench charts`");
        return Ok(());
    }
    let points = arguments.iter().find_map(|text| text.parse().ok()).unwrap_or(10_000_000);
    let (rounds, batches) =
        (machine::number("LIFEBOAT_BENCH_ROUNDS", 100)?, machine::number("LIFEBOAT_BENCH_BATCHES", 600)?);
    let before = machine::load();
    let mut facts = machine::facts()?;
    facts.push(
        influx::version()
            .map_or_else(|| "no InfluxDB".to_owned(), |version| format!("{version} with its defaults")),
    );
    pictures::measure(points, rounds.max(1))?;
    ingest::measure(batches.max(1))?;
    for fact in facts {
        println!("- {fact}");
    }
    println!("- load average {before} before and {} after", machine::load());
    Ok(())
}
