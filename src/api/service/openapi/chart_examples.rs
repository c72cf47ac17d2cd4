//! One metric and what belongs to it as the service answers them, for the examples of the document.
//!
//! The metric `tide.height` is measured in harbours; the space `Harbour` has one chart of it, `Tides`.

use serde_json::{Value, json};

/// The metric.
pub(super) const METRIC: &str = "tide.height";
/// The stream of annotations.
pub(super) const STREAM: &str = "storms";
/// The number of the space.
pub(super) const SPACE: &str = "1000";
/// The number of the chart.
pub(super) const CHART: &str = "1000";
/// The number of the chart snapshot.
pub(super) const SNAPSHOT: &str = "17";
/// The number of the job that draws it.
pub(super) const JOB: &str = "42";
/// The name of its picture.
pub(super) const IMAGE: &str = "q3k9vz0m1c7xw5d8rt2hb6ya-17.png";

const MOMENT: i64 = 1_772_330_400;

/// The metric.
pub(super) fn metric() -> Value {
    json!({
        "name": METRIC,
        "display_name": "Height of the tide",
        "type": "gauge",
        "period": 60,
        "description": null,
        "attributes": { "display_units_short": "m" },
    })
}

/// A page of a list, on which this is all.
pub(super) fn page(name: &str, item: &Value) -> Value {
    json!({ "query": { "found": 1, "length": 1, "offset": 0, "total": 1 }, name: [item] })
}

/// An annotation.
pub(super) fn annotation() -> Value {
    json!({
        "id": 3,
        "title": "Storm",
        "source": "north",
        "description": null,
        "start_time": MOMENT,
        "end_time": MOMENT + 3600,
        "links": [{ "rel": "report", "href": "https://harbour.example/storms/3", "label": null }],
    })
}

/// The space as it stands in lists.
pub(super) fn space() -> Value {
    json!({ "id": 1000, "name": "Harbour", "tags": false })
}

/// The chart as it is sent.
pub(super) fn new_chart() -> Value {
    json!({
        "name": "Tides",
        "type": "line",
        "streams": [{ "metric": METRIC, "source": "*", "group_function": "breakout", "units_short": "m" }],
        "min": 0,
        "thresholds": [{ "operator": ">", "value": 4.5, "type": "red" }],
    })
}

/// The chart.
pub(super) fn chart() -> Value {
    let mut chart = new_chart();
    chart["id"] = json!(1000);
    chart["min"] = json!(0.0);
    chart["streams"][0]["id"] = json!(1_000_001);
    for name in ["max", "label", "related_space", "use_log_yaxis", "use_last_value"] {
        chart[name] = Value::Null;
    }
    chart
}

/// The chart snapshot, before its picture is drawn.
pub(super) fn chart_snapshot() -> Value {
    json!({
        "href": format!("http://lifeboat.example/v1/snapshots/{SNAPSHOT}"),
        "job_href": format!("http://lifeboat.example/v1/jobs/{JOB}"),
        "image_href": null,
        "duration": 3600,
        "end_time": "2026-03-01T02:00:00Z",
        "created_at": "2026-03-01T02:00:03Z",
        "updated_at": "2026-03-01T02:00:03Z",
        "subject": { "chart": { "id": 1000, "sources": ["*"], "type": "line" } },
    })
}

/// The chart snapshot with its picture.
pub(super) fn drawn_snapshot() -> Value {
    let mut snapshot = chart_snapshot();
    snapshot["image_href"] = json!(format!("http://lifeboat.example/images/{IMAGE}"));
    snapshot["updated_at"] = json!("2026-03-01T02:00:04Z");
    snapshot
}

/// The job when it is done.
pub(super) fn job() -> Value {
    json!({
        "id": 42,
        "state": "complete",
        "progress": 100.0,
        "output": { "snapshot": 17, "image_href": format!("http://lifeboat.example/images/{IMAGE}") },
    })
}
