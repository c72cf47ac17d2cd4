//! Chart snapshots and the jobs that draw them.

use serde_json::json;

use crate::api::ErrorCode;
use crate::charts::{ChartError, ChartKind, MAX_DURATION};

use super::super::super::chart_examples::{JOB, SNAPSHOT, chart_snapshot, drawn_snapshot, job};
use super::super::super::operation::Method::{Delete, Get, Post};
use super::super::super::operation::{Operation, choice, field, object_schema, reference, text};
use super::super::Group;
use super::{CHART_READ, SNAPSHOT_CREATE, SNAPSHOT_DELETE, charts_call, claim, moment, not_found, whole};

pub(super) fn group() -> Group {
    Group {
        tag: "Chart snapshots",
        about: "Chart snapshots of Librato's API: pictures of a chart as of a moment, drawn by jobs. They are the service's own: \
                a restore of the manager changes none, and their numbers are never given again. After each creation of a \
                snapshot, each restore and each rollback the service records one of its own.",
        operations: vec![create(), list(), get(), delete(), read_job(), cancel()],
    }
}

impl Operation {
    /// Says that the next part of the path is a chart snapshot.
    fn of_chart_snapshot(self) -> Self {
        self.of("The chart snapshot's number.", SNAPSHOT)
            .meets("There is no such chart snapshot in the tenant.", not_found("snapshot", SNAPSHOT))
    }

    /// Says that the next part of the path is a job.
    fn of_job(self) -> Self {
        self.of("The job's number.", JOB)
            .meets("There is no such job, or it is another tenant's.", not_found("job", JOB))
    }
}

fn create() -> Operation {
    let tags = json!({ "type": ["array", "null"], "items": reference("ChartTag") });
    let chart = object_schema(&[
        field("id", json!({ "type": "integer" }), "The chart's number.").required(),
        choice("type", ChartKind::NAMES, "How it is drawn; as the chart says without it."),
        text("source", "Only sources like this one, with `*` for any characters."),
        field("tags", tags, "Only series with these tags."),
    ]);
    let subject = object_schema(&[field("chart", chart, "The chart.").required()]);
    let size =
        |least: u64, most: u64| json!({ "type": ["integer", "null"], "minimum": least, "maximum": most });
    let fields = vec![
        field("subject", subject, "What it is of.").required(),
        field(
            "duration",
            size(1, MAX_DURATION.unsigned_abs()),
            "The length of the window in seconds; an hour without it.",
        ),
        moment("end_time", "The end of the window, not in the future; now without it."),
        field("width", size(200, 2000), "The width in pixels of CSS; 600 without it."),
        field("height", size(120, 2000), "The height in pixels of CSS; 416 without it."),
        whole("scale", 1, "Pixels of the picture for one of CSS: 1 or 2; 1 without it."),
        claim("retina", "Where it is true, `scale` is 2 unless it is there."),
        choice("look", &["light", "dark"], "What the picture looks like; `light` without it."),
    ];
    charts_call(Post, "/v1/snapshots", "Create a snapshot of a chart.")
        .about(
            "Records a job that draws the picture, and returns at once; the job waits while a restore runs. What is drawn is \
             the chart as it is now, whatever becomes of it. Addresses begin with the setting `server.public_url`, or without \
             it with the request's `Host`.",
        )
        .needs(SNAPSHOT_CREATE)
        .takes_fields(
            fields,
            json!({ "subject": { "chart": { "id": 1000 } }, "duration": 3600, "end_time": "2026-03-01T02:00:00Z" }),
        )
        .meets(
            "A value can't be used.",
            ChartError::parameter("duration", format!("is not from 1 to {MAX_DURATION} seconds")),
        )
        .meets(
            "The subject is an instrument.",
            ChartError::parameter("subject", "names an instrument: they are gone, name a chart"),
        )
        .meets("There is no such chart in the tenant.", not_found("chart", "1000"))
        .meets(
            "1000 pictures wait to be drawn, or as many chart snapshots are kept as the setting `charts.max_snapshots` allows.",
            ChartError::TooMany("1000 pictures wait to be drawn: ask again in a while".to_owned()),
        )
        .answers(202, "The chart snapshot, without a picture yet.", reference("ChartSnapshot"), chart_snapshot())
        .located()
}

fn list() -> Operation {
    charts_call(Get, "/v1/snapshots", "List chart snapshots.")
        .about("The newest first.")
        .needs(CHART_READ)
        .in_parts("With `desc` the newest comes first.", "desc")
        .answers_part("snapshots", "ChartSnapshot", &drawn_snapshot())
}

fn get() -> Operation {
    charts_call(Get, "/v1/snapshots/{snapshot}", "Get a chart snapshot.")
        .about("`image_href` is null until the picture is drawn.")
        .needs(CHART_READ)
        .of_chart_snapshot()
        .answers(200, "The chart snapshot.", reference("ChartSnapshot"), drawn_snapshot())
}

fn delete() -> Operation {
    charts_call(Delete, "/v1/snapshots/{snapshot}", "Delete a chart snapshot with its pictures.")
        .needs(SNAPSHOT_DELETE)
        .of_chart_snapshot()
        .answers_nothing("It is gone.")
}

fn read_job() -> Operation {
    charts_call(Get, "/v1/jobs/{job}", "Get a job.")
        .about("An execution of the service by its number, whatever it does; a sys_admin sees those of all tenants.")
        .needs(CHART_READ)
        .of_job()
        .answers(200, "The job.", reference("ChartJob"), job())
}

fn cancel() -> Operation {
    charts_call(Delete, "/v1/jobs/{job}", "Cancel a job that draws a chart.")
        .about("Its chart snapshot stays, without a picture. Who may not delete chart snapshots cancels only jobs of their own; a sys_admin those of all tenants.")
        .needs(SNAPSHOT_CREATE)
        .of_job()
        .meets(
            "The job draws no chart.",
            ChartError::Forbidden(
                "only jobs that draw charts are cancelled here: cancel the execution instead".to_owned(),
            ),
        )
        .meets(
            "Somebody else asked for the job.",
            ChartError::Forbidden(
                "the job `7` was asked for by `anna`: you may cancel only your own".to_owned(),
            ),
        )
        .fails(
            ErrorCode::IllegalAction,
            "It has ended, or was cancelled before.",
            "Can't cancel execution 019cac3d-5f7b-7aa2-8d0e-5c1f2b3a4d6e because it's in status terminated",
        )
        .answers_nothing("It is cancelled, or stops in a moment.")
}
