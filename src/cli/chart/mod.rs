//! `lifeboat chart`: the charts of a running service, and pictures of them.
//!
//! Each command is one call of the API of charts, or a few that read.

pub(super) mod picture;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::connection::{Call, ConnectionArgs, Listing, Service};
use super::error::CliError;
use super::output::{Output, field, pairs, table, text};

/// Items asked for at once; the service gives no more.
const PAGE: usize = 100;

/// `lifeboat chart`.
#[derive(Args, Debug)]
pub struct ChartArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: ChartCommand,
}

/// What to do with charts.
#[derive(Subcommand, Debug)]
pub enum ChartCommand {
    /// List spaces and their charts
    List,
    /// Take a snapshot of a chart: a picture of it as of a moment
    #[command(
        after_help = "It waits until the picture is drawn, and saves it where --output is given. Times are seconds since 1970,\n\
                      or like 2026-02-20T01:18:46Z.\n\n\
                      Example: lifeboat chart snapshot 1 --duration 86400 --scale 2 --look dark --output day.png"
    )]
    Snapshot(picture::SnapshotArgs),
    /// Show a chart snapshot, and save its picture
    #[command(after_help = "Example: lifeboat chart show 3 --output day.png")]
    Show(picture::ShowArgs),
    /// List chart snapshots, the newest first
    Snapshots,
    /// Delete a chart snapshot and its pictures
    Delete {
        /// The number of the chart snapshot
        snapshot: u32,
    },
}

/// Runs a `chart` command.
pub fn run(args: ChartArgs) -> Result<(), CliError> {
    let output = Output::new(args.connection.json);
    let service = Service::connect(&args.connection)?;
    match args.command {
        ChartCommand::List => list(&service, &output),
        ChartCommand::Snapshot(snapshot_args) => picture::take(&service, &output, &snapshot_args),
        ChartCommand::Show(show_args) => picture::show(&service, &output, &show_args),
        ChartCommand::Snapshots => list_snapshots(&service, &output),
        ChartCommand::Delete { snapshot } => {
            let number = snapshot.to_string();
            let doing = format!("delete chart snapshot `{number}`");
            service.call(Call::new(Method::DELETE, doing, &["v1", "snapshots", &number]))?;
            output.show(&json!({ "id": snapshot }), |_| format!("chart snapshot `{number}` is deleted"));
            Ok(())
        }
    }
}

/// Lists spaces, each with its charts.
fn list(service: &Service, output: &Output) -> Result<(), CliError> {
    let call = Call::get("list the spaces", &["v1", "spaces"]);
    let mut spaces = read_pages(service, &call, "spaces")?.items;
    for space in &mut spaces {
        let id = field(space, "id");
        let doing = format!("list the charts of space `{id}`");
        space["charts"] = service.call(Call::get(doing, &["v1", "spaces", &id, "charts"]))?;
    }
    output.show(&spaces, |spaces| {
        let rows: Vec<_> = spaces.iter().flat_map(chart_rows).collect();
        let charts: usize = spaces.iter().map(|space| charts_of(space).len()).sum();
        let header = ["CHART", "SPACE", "SPACE NAME", "KIND", "NAME"];
        // The service ships eight charts, in one space.
        let noun = if spaces.len() == 1 { "space" } else { "spaces" };
        format!("{}\n\n{charts} charts in {} {noun}", table(&header, rows), spaces.len())
    });
    Ok(())
}

fn charts_of(space: &Value) -> &[Value] {
    space["charts"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A row for each chart; one without a chart for a space that has none.
fn chart_rows(space: &Value) -> Vec<Vec<String>> {
    let row = |chart: &Value| {
        let (id, kind, name) = (field(chart, "id"), field(chart, "type"), field(chart, "name"));
        vec![id, field(space, "id"), field(space, "name"), kind, name]
    };
    match charts_of(space) {
        [] => vec![row(&Value::Null)],
        charts => charts.iter().map(row).collect(),
    }
}

/// Lists chart snapshots.
fn list_snapshots(service: &Service, output: &Output) -> Result<(), CliError> {
    let call = Call::get("list the chart snapshots", &["v1", "snapshots"]);
    let listing = read_pages(service, &call, "snapshots")?;
    output.show(&listing.items, |snapshots| {
        let rows = snapshots.iter().map(|snapshot| {
            let chart = &snapshot["subject"]["chart"];
            vec![
                number(snapshot),
                field(chart, "id"),
                field(chart, "type"),
                field(snapshot, "end_time"),
                field(snapshot, "duration"),
                field(snapshot, "created_at"),
                field(snapshot, "image_href"),
            ]
        });
        let header = ["ID", "CHART", "KIND", "END", "SECONDS", "CREATED", "IMAGE"];
        format!(
            "{}\n\n{} of {} chart snapshots",
            table(&header, rows.collect()),
            snapshots.len(),
            listing.total
        )
    });
    Ok(())
}

/// Reads a list to its end; `name` is where the items are.
fn read_pages(service: &Service, call: &Call, name: &str) -> Result<Listing, CliError> {
    let mut items: Vec<Value> = Vec::new();
    loop {
        let page = call.clone().query("offset", items.len().to_string()).query("length", PAGE.to_string());
        let mut page = service.call(page)?;
        let total = page["query"]["found"].as_u64().unwrap_or(0);
        let found = match page[name].take() {
            Value::Array(found) => found,
            _ => Vec::new(),
        };
        let is_last = found.is_empty();
        items.extend(found);
        if is_last || items.len() as u64 >= total {
            return Ok(Listing { total: total.max(items.len() as u64), items });
        }
    }
}

/// The number of a chart snapshot: what its address ends in.
fn number(snapshot: &Value) -> String {
    last_part(&snapshot["href"]).to_owned()
}

/// What an address ends in; empty where it is none.
fn last_part(href: &Value) -> &str {
    href.as_str().and_then(|href| href.rsplit('/').next()).unwrap_or_default()
}

/// A chart snapshot for people.
fn snapshot_text(snapshot: &Value) -> String {
    let chart = &snapshot["subject"]["chart"];
    let sources: Vec<_> = chart["sources"].as_array().into_iter().flatten().map(text).collect();
    let mut fields = vec![
        ("chart snapshot", number(snapshot)),
        ("chart", field(chart, "id")),
        ("kind", field(chart, "type")),
        ("sources", sources.join(", ")),
        ("seconds", field(snapshot, "duration")),
        ("end", field(snapshot, "end_time")),
        ("created", field(snapshot, "created_at")),
        ("href", field(snapshot, "href")),
        ("image_href", field(snapshot, "image_href")),
        ("file", field(snapshot, "file")),
    ];
    fields.retain(|(_, value)| !value.is_empty());
    pairs(&fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_without_charts_has_a_row_too() {
        let empty = json!({ "id": 1000, "name": "mine", "charts": [] });
        assert_eq!(chart_rows(&empty), [["", "1000", "mine", "", ""]]);
        let space = json!({ "id": 1, "name": "Manager", "charts": [{ "id": 2, "type": "line", "name": "a\u{1b}[31m" }] });
        insta::assert_snapshot!(table(&["CHART", "SPACE", "SPACE NAME", "KIND", "NAME"], chart_rows(&space)), @r"
         CHART  SPACE  SPACE NAME  KIND  NAME
         2      1      Manager     line  a[31m
        ");
    }

    #[test]
    fn a_chart_snapshot_is_shown_by_its_number_and_its_addresses() {
        let snapshot = json!({
            "href": "http://h/v1/snapshots/12", "job_href": "http://h/v1/jobs/40", "image_href": null, "duration": 3600,
            "end_time": "2026-02-20T01:18:46Z", "created_at": "2026-02-20T01:18:47Z",
            "subject": { "chart": { "id": 1, "sources": ["*"], "type": "stacked" } },
        });
        insta::assert_snapshot!(snapshot_text(&snapshot), @r"
        chart snapshot  12
        chart           1
        kind            stacked
        sources         *
        seconds         3600
        end             2026-02-20T01:18:46Z
        created         2026-02-20T01:18:47Z
        href            http://h/v1/snapshots/12
        ");
    }
}
