//! `lifeboat chart snapshot` and `show`: a picture of a chart, from its job to a file.
//!
//! The picture is fetched from the service that was called, whatever host the addresses in answers name: credentials go
//! nowhere else.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{last_part, number, snapshot_text};
use crate::cli::connection::{Call, Service};
use crate::cli::download::{keep, refuse_existing};
use crate::cli::error::CliError;
use crate::cli::follow::{Watched, watch};
use crate::cli::output::{Output, field, note, text};
use crate::cli::progress::Phases;

/// What a PNG begins with.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// `lifeboat chart snapshot`.
#[derive(Args, Debug)]
pub struct SnapshotArgs {
    /// The number of the chart
    chart: u32,
    /// The length of the window; an hour without this
    #[arg(long, value_name = "SECONDS")]
    duration: Option<u32>,
    /// The end of the window; now without this
    #[arg(long, value_name = "TIME")]
    end_time: Option<String>,
    /// Draw it like this, whatever the chart says
    #[arg(long = "type", value_name = "KIND", value_enum)]
    kind: Option<Kind>,
    /// Only sources like this, with `*` for any characters
    #[arg(long, value_name = "GLOB")]
    source: Option<String>,
    /// The width in pixels; 600 without this
    #[arg(long, value_name = "N")]
    width: Option<u32>,
    /// The height in pixels; 416 without this
    #[arg(long, value_name = "N")]
    height: Option<u32>,
    /// 2 draws it twice as fine
    #[arg(long, value_name = "N")]
    scale: Option<u32>,
    /// Dark on light, or light on dark
    #[arg(long, value_enum)]
    look: Option<Look>,
    #[command(flatten)]
    target: TargetArgs,
}

/// `lifeboat chart show`.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// The number of the chart snapshot
    snapshot: u32,
    #[command(flatten)]
    target: TargetArgs,
}

/// Where a picture goes.
#[derive(Args, Debug)]
struct TargetArgs {
    /// Save the picture, as SVG if the name ends in .svg; in a folder it is `chart-NUMBER.png`
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long, requires = "output")]
    force: bool,
}

/// How a chart is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A line for each stream.
    Line,
    /// Areas on top of each other.
    Stacked,
    /// One number.
    #[value(name = "bignumber")]
    BigNumber,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Stacked => "stacked",
            Self::BigNumber => "bignumber",
        }
    }
}

/// The colours of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Look {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Look {
    fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl SnapshotArgs {
    /// What the service is asked for; what is not given is left to it.
    fn body(&self) -> Value {
        let mut chart = Map::new();
        chart.insert("id".to_owned(), self.chart.into());
        chart.extend(self.kind.map(|kind| ("type".to_owned(), kind.as_str().into())));
        chart.extend(self.source.clone().map(|source| ("source".to_owned(), source.into())));
        let mut body = Map::new();
        body.insert("subject".to_owned(), json!({ "chart": chart }));
        body.extend(self.end_time.clone().map(|time| ("end_time".to_owned(), time.into())));
        body.extend(self.look.map(|look| ("look".to_owned(), look.as_str().into())));
        for (name, value) in [
            ("duration", self.duration),
            ("width", self.width),
            ("height", self.height),
            ("scale", self.scale),
        ] {
            body.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        body.into()
    }
}

/// Takes a chart snapshot, waits until it is drawn, shows it, and saves the picture if that is wanted.
pub fn take(service: &Service, output: &Output, args: &SnapshotArgs) -> Result<(), CliError> {
    let doing = format!("take a snapshot of chart `{}`", args.chart);
    if let Some(target) = args.target.output.as_deref().filter(|target| !target.is_dir()) {
        refuse_existing(&doing, target, args.target.force)?;
    }
    let call = Call::new(Method::POST, &doing, &["v1", "snapshots"]).body(args.body());
    let begun = service.call(call)?;
    let id = number(&begun);
    let job = wait(service, last_part(&begun["job_href"]), &id, args.chart)?;
    let record = service.call(Call::get(format!("get chart snapshot `{id}`"), &["v1", "snapshots", &id]))?;
    let outcome = outcome(&doing, &job);
    if outcome.is_err() {
        if output.is_json() {
            output.show(&record, |_| String::new());
        }
        return outcome;
    }
    // What is drawn is not lost where it can't be saved.
    save_and_show(service, output, record, &args.target).map_err(|error| error.advising(&how_to_get(&id)))
}

/// Shows a chart snapshot, and saves its picture if that is wanted.
pub fn show(service: &Service, output: &Output, args: &ShowArgs) -> Result<(), CliError> {
    let id = args.snapshot.to_string();
    let record = service.call(Call::get(format!("get chart snapshot `{id}`"), &["v1", "snapshots", &id]))?;
    if record["image_href"].is_null() && args.target.output.is_none() && !output.is_json() {
        note(&format!("lifeboat: chart snapshot `{id}` is not drawn"));
    }
    save_and_show(service, output, record, &args.target)
}

/// Waits for the end of a job that draws, showing its progress on stderr; answers its last record.
fn wait(service: &Service, job: &str, snapshot: &str, chart: u32) -> Result<Value, CliError> {
    let mut phases = Phases::new(format!("drawing chart `{chart}`"));
    let advice = format!("it is drawn all the same; {}", how_to_get(snapshot));
    let watched = Watched {
        doing: format!("follow job `{job}`"),
        path: &["v1", "jobs", job],
        is_ended: |job| matches!(job["state"].as_str(), Some("complete" | "failed" | "canceled")),
        on_interrupt: advice.clone(),
        advice,
    };
    watch(service, &watched, &mut |job| {
        phases.show(&json!({ "status": job["state"] }));
        Ok(())
    })
}

fn how_to_get(snapshot: &str) -> String {
    format!("get the picture with `lifeboat chart show {snapshot} -o FILE`")
}

/// Success, or why a job did not draw.
fn outcome(doing: &str, job: &Value) -> Result<(), CliError> {
    let id = field(job, "id");
    match field(job, "state").as_str() {
        "complete" => Ok(()),
        "canceled" => Err(CliError::failed(doing, format!("job `{id}` was cancelled"))),
        state => {
            let reasons: Vec<_> = job["errors"]["job"].as_array().into_iter().flatten().map(text).collect();
            let reason =
                if reasons.is_empty() { format!("job `{id}` is {state}") } else { reasons.join("; ") };
            Err(CliError::failed(doing, reason))
        }
    }
}

fn save_and_show(
    service: &Service,
    output: &Output,
    mut record: Value,
    target: &TargetArgs,
) -> Result<(), CliError> {
    if let Some(path) = &target.output {
        let path =
            if path.is_dir() { path.join(format!("chart-{}.png", number(&record))) } else { path.clone() };
        save(service, &record, &path, target.force)?;
        record["file"] = path.display().to_string().into();
    }
    output.show(&record, snapshot_text);
    Ok(())
}

/// Fetches the picture of a chart snapshot into a file, all of it or nothing.
///
/// # Errors
/// Where it is not drawn, the file exists and may not be replaced, or the connection breaks.
pub fn save(service: &Service, record: &Value, target: &Path, force: bool) -> Result<(), CliError> {
    let doing = format!("save the picture of chart snapshot `{}`", number(record));
    refuse_existing(&doing, target, force)?;
    let Some(stem) = last_part(&record["image_href"]).strip_suffix(".png") else {
        return Err(CliError::failed(doing, "it is not drawn"));
    };
    let is_svg = target.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("svg"));
    let name = format!("{stem}.{}", if is_svg { "svg" } else { "png" });
    let request = service.request(Method::GET, &["images", &name], &[]);
    let response = service.send(&doing, request)?;
    let bytes = response.bytes().map_err(|error| service.unreachable(&doing, error))?;
    if !is_svg && !bytes.starts_with(PNG) {
        return Err(CliError::failed(doing, "what came is no PNG"));
    }
    keep(&doing, &bytes, target, force)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_job_is_a_success() {
        assert!(outcome("x", &json!({ "id": 1, "state": "complete" })).is_ok());
        let failed = json!({ "id": 1, "state": "failed", "errors": { "job": ["no space left"] } });
        assert_eq!(outcome("draw", &failed).unwrap_err().to_string(), "draw: no space left");
        for (state, words) in [("failed", "job `1` is failed"), ("canceled", "job `1` was cancelled")] {
            let error = outcome("draw", &json!({ "id": 1, "state": state })).unwrap_err();
            assert_eq!(error.to_string(), format!("draw: {words}"));
            assert_eq!(error.kind.exit_code(), 1);
        }
    }
}
