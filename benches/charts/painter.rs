//! Lifeboat as a child process that draws the chart of the year: this program again, so that what it holds in memory is
//! its own. It knows a store's path and the commands of [`Painter`].

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use lifeboat::charts::store::{MetricName, MetricsStore, Query, SeriesData, TagFilter};
use lifeboat::charts::{Stores, draw};
use lifeboat::model::{ExecutionId, UserName};
use lifeboat::records::ChartSnapshotRecord;
use serde_json::{Value, json};

use crate::machine::peak_mebibytes;
use crate::pictures::{Drawer, Size};
use crate::year::{METRIC, SECONDS, SOURCES, START, tenant};

/// The argument with which this program is the child.
pub const COMMAND: &str = "painter";

/// Starts the child on a store.
pub fn start(store: &Path) -> anyhow::Result<Drawer> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(COMMAND).arg(store);
    Drawer::start(&mut command)
}

/// Answers the commands `{"size": [width, height], "keep": path}`, one a line, with what it took; with `"series"`
/// instead the series themselves.
pub fn serve(path: &Path) -> anyhow::Result<()> {
    let store = MetricsStore::open(path)?;
    let stores = Stores { own: store.clone(), state: store.clone() };
    for line in std::io::stdin().lock().lines() {
        let command: Value = serde_json::from_str(&line?)?;
        let size: Size = serde_json::from_value(command["size"].clone())?;
        let answer = if command["series"] == true {
            let streams = read(&store, size)?.into_iter().map(|series| {
                let points = series.buckets.iter().map(|point| json!([point.time, point.mean()]));
                points.collect::<Vec<_>>()
            });
            json!({ "streams": streams.collect::<Vec<_>>(), "names": SOURCES })
        } else {
            let record = record(size);
            let begun = Instant::now();
            let (png, _) = draw(&record, &stores)?;
            let seconds = begun.elapsed().as_secs_f64();
            let peak = peak_mebibytes("self");
            if let Some(path) = command["keep"].as_str() {
                std::fs::write(path, &png)?;
            }
            let begun = Instant::now();
            let series = read(&store, size)?;
            let reading = begun.elapsed().as_secs_f64();
            let rows: u64 = series.iter().map(|one| one.rows_read).sum();
            json!({
                "seconds": seconds, "bytes": png.len(), "peak": peak, "reading": reading, "rows": rows,
                "points": series.iter().map(|one| one.buckets.len()).sum::<usize>(),
            })
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// What the chart reads: a series for each stream.
fn read(store: &MetricsStore, size: Size) -> anyhow::Result<Vec<SeriesData>> {
    let mut series = Vec::new();
    for source in SOURCES {
        series.extend(store.read_blocking(Query {
            tenant: tenant(),
            metric: MetricName::parse(METRIC)?,
            filter: TagFilter(vec![("source".to_owned(), vec![source.to_owned()])]),
            start: START,
            end: START + SECONDS,
            max_buckets: size.0 as usize,
            min_step: 1,
        })?);
    }
    Ok(series)
}

/// The chart snapshot, as the service keeps one.
fn record((width, height): Size) -> ChartSnapshotRecord {
    let streams = SOURCES.map(
        |source| json!({ "metric": METRIC, "source": source, "name": source, "group_function": "average" }),
    );
    let definition =
        json!({ "name": "Tides of the year", "type": "line", "label": "level", "streams": streams });
    let size = json!({ "width": width, "height": height, "scale": 1, "dark": false });
    ChartSnapshotRecord {
        id: 1,
        tenant_name: tenant(),
        execution_id: ExecutionId::new(),
        job: 1,
        chart_id: 1,
        request: json!({ "definition": definition, "source": null, "tags": [], "size": size }).to_string(),
        end_time: START + SECONDS,
        duration: SECONDS,
        created_at: START,
        updated_at: START,
        created_by: UserName::trusted("admin"),
        image_key: String::new(),
        png: None,
        svg: None,
    }
}
