//! How fast the metrics store takes line protocol, how large it gets, and how long reads take.
//!
//! `cargo bench --bench metrics_store -- [POINTS] [SERIES] [BATCH]`. Points are 60 s apart in each series, as clients
//! send them: every batch has the newest points of many series, is read from line protocol and is durable when the
//! next one begins.

use std::fmt::Write;
use std::time::Instant;

use lifeboat::charts::store::{MetricName, MetricsStore, Query, Retention, TagFilter, import_line};
use lifeboat::model::TenantName;

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let (points, series, batch) = (number(0, 2_000_000), number(1, 1000), number(2, 5000));
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let store = MetricsStore::open(&folder.path().join("metrics.db")).expect("the store opens");
    let tenant = TenantName::trusted("default_tenant");
    let start: i64 = 1_699_999_200;

    let (mut writing, mut text, mut state) = (0.0, String::new(), 0x9e37_79b9_u64);
    let mut written = 0;
    while written < points {
        text.clear();
        for n in written..points.min(written + batch) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let time = start + (n / series) as i64 * 60;
            let value = (state % 10_000) as f64 / 100.0;
            let _ =
                writeln!(text, "cpu.load,host=host-{},region=eu value={value} {time}000000000", n % series);
        }
        let before = Instant::now();
        let lines =
            text.lines().filter_map(|line| import_line(&tenant, line).expect("the line is well formed"));
        written += store.write_blocking(lines.collect()).expect("the points are stored").stored as usize;
        writing += before.elapsed().as_secs_f64();
    }
    let end = start + (points / series) as i64 * 60;
    println!(
        "{points} points of {series} series in batches of {batch}: {:.0} points a second",
        points as f64 / writing
    );

    let before = Instant::now();
    store.maintain_blocking(end, &Retention::FOR_EVER).expect("the store is maintained");
    println!("maintained in {:.2} s", before.elapsed().as_secs_f64());
    let bytes = store.database().read_blocking(|connection| {
        let pragma = |name| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        Ok::<_, lifeboat::database::DatabaseError>(
            (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?,
        )
    });
    println!("{:.2} bytes a point", bytes.expect("the pages are counted") as f64 / points as f64);

    for (name, hosts) in [("one series", "host-1"), ("eleven series", "host-1?")] {
        let pattern = hosts.replace('?', "*");
        let before = Instant::now();
        let read = store
            .read_blocking(Query {
                tenant: tenant.clone(),
                metric: MetricName::parse("cpu.load").expect("the name is well formed"),
                filter: TagFilter(vec![("host".into(), vec![pattern])]),
                start,
                end,
                max_buckets: 600,
                min_step: 1,
            })
            .expect("the window is read");
        let rows: u64 = read.iter().map(|series| series.rows_read).sum();
        println!(
            "{name}: {} series, {rows} rows read in {:.1} ms",
            read.len(),
            before.elapsed().as_secs_f64() * 1000.0
        );
    }
}
