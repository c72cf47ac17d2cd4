//! The schemas of what the calls of charts answer: metrics, measurements, annotations, spaces, charts, chart snapshots,
//! jobs, errors; and of the streams of charts as callers send them.

use serde_json::{Map, Value, json};

use crate::charts::ChartKind;

use super::flow_schemas::{claim, count, described, moment, object, text, text_or_null, word};
use super::operation::reference;

/// How the series of a stream become one.
pub(super) const GROUP_FUNCTIONS: &[&str] = &["average", "sum", "min", "max", "breakout"];
/// What stands for the measurements of an interval.
pub(super) const SUMMARY_FUNCTIONS: &[&str] = &["average", "sum", "min", "max", "count", "derivative"];
/// When a threshold is reached.
pub(super) const THRESHOLD_OPERATORS: &[&str] = &[">", "<", "="];
/// How bad that is.
pub(super) const THRESHOLD_LEVELS: &[&str] = &["red", "yellow"];

/// All of them by name.
pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    for part in [common(), metrics(), annotations(), spaces(), charts(), snapshots()] {
        schemas.extend(part.as_object().cloned().unwrap_or_default());
    }
    schemas
}

fn number(about: &str) -> Value {
    json!({ "type": "number", "description": about })
}

fn seconds(about: &str) -> Value {
    json!({ "type": "integer", "description": about })
}

fn or_null(mut schema: Value) -> Value {
    schema["type"] = json!([schema["type"], "null"]);
    schema
}

fn list(items: &Value, about: &str) -> Value {
    json!({ "type": "array", "items": items, "description": about })
}

/// A page of a list whose items stand under `name`.
pub(super) fn page_schema(name: &str, noun: &str) -> Value {
    object(
        "",
        &json!({ "query": reference("PageQuery"), name: list(&reference(noun), "What is on it.") }),
        &[],
    )
}

fn common() -> Value {
    let messages = || json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 });
    let params = json!({
        "type": "object",
        "description": "What is wrong with a parameter, by its name.",
        "additionalProperties": messages(),
        "minProperties": 1,
    });
    let request = described(messages(), "What is wrong with the request.");
    json!({
        "ChartErrors": object(
            "What every call of metrics, charts and chart snapshots answers that fails.",
            &json!({ "errors": { "oneOf": [
                object("", &json!({ "params": params }), &[]),
                object("", &json!({ "request": request }), &[]),
            ] } }),
            &[],
        ),
        "PageQuery": object(
            "Which part of the list this is.",
            &json!({
                "found": count("How many match."),
                "length": count("How many are on this page."),
                "offset": count("How many were passed over."),
                "total": count("How many there are."),
            }),
            &[],
        ),
    })
}

fn metrics() -> Value {
    let point = json!({
        "measure_time": seconds("The moment or the start of the interval, in seconds since 1970."),
        "value": number("The mean."),
        "count": count("How many measurements it stands for."),
        "sum": number("Their sum."),
        "min": number("The smallest."),
        "max": number("The largest."),
        "sum_squares": number("The sum of their squares; absent where it is not known."),
    });
    let metric = json!({
        "name": text("The name, as it was first written; found whatever its case."),
        "display_name": text_or_null("The name that people see."),
        "type": word(&["gauge", "counter"], "What its values are."),
        "period": or_null(seconds("How many seconds lie between two measurements, as far as somebody said it.")),
        "description": text_or_null("What it is."),
        "attributes": { "type": "object", "description": "Whatever clients keep with it." },
        "measurements": {
            "type": "object",
            "description": "Its measurements by source, `unassigned` where they have none; only where they were asked for.",
            "additionalProperties": { "type": "array", "items": reference("MetricPoint") },
        },
        "resolution": seconds("The interval of these measurements in seconds; only with them."),
    });
    let tagged = json!({
        "time": seconds("The moment or the start of the interval, in seconds since 1970."),
        "value": number("The mean."),
    });
    let series = json!({
        "tags": {
            "type": "object",
            "description": "The tags.",
            "additionalProperties": { "type": "string" },
        },
        "measurements": list(&object("", &tagged, &[]), "Its measurements, oldest first."),
    });
    let measurements = json!({
        "name": text("The metric, as the path names it."),
        "resolution": seconds("The interval of the measurements in seconds."),
        "series": list(&object("One combination of tags.", &series, &[]), "The series that match."),
    });
    json!({
        "MetricPoint": object("Measurements of a moment or an interval.", &point, &["sum_squares"]),
        "Metric": object("A metric.", &metric, &["measurements", "resolution"]),
        "Measurements": object("The measurements of a metric.", &measurements, &[]),
    })
}

/// The links of an annotation.
pub(super) fn link() -> Value {
    let link = json!({
        "rel": text("What the link is to the annotation."),
        "href": text("Where it leads."),
        "label": text_or_null("What it says."),
    });
    object("Where to read more.", &link, &["label"])
}

fn annotations() -> Value {
    let stream = json!({ "name": text("The name."), "display_name": text("The name.") });
    let annotation = json!({
        "id": count("Its number."),
        "title": text("What happened."),
        "source": text_or_null("Where it happened."),
        "description": text_or_null("What there is to say of it."),
        "start_time": seconds("When it began, in seconds since 1970."),
        "end_time": or_null(seconds("When it ended; null where it is a moment.")),
        "links": list(&link(), "Where to read more."),
        "name": text("Its stream; only where one annotation is retrieved."),
    });
    let by_source = json!({
        "type": "object",
        "additionalProperties": { "type": "array", "items": reference("Annotation") },
    });
    let events = json!({
        "name": text("The stream, as the path names it."),
        "display_name": text("The same."),
        "events": described(
            json!({ "type": "array", "items": by_source, "minItems": 1, "maxItems": 1 }),
            "One object: the annotations by their source, `unassigned` where they have none.",
        ),
    });
    json!({
        "AnnotationStream": object("A stream of annotations.", &stream, &[]),
        "Annotation": object("What happened at a moment, or from one to another.", &annotation, &["name"]),
        "AnnotationEvents": object("The annotations of a stream.", &events, &[]),
    })
}

fn spaces() -> Value {
    let chart = object("", &json!({ "id": count("The chart's number.") }), &[]);
    let space = json!({
        "id": count("Its number."),
        "name": text("The name; several spaces may have the same."),
        "tags": claim("Whether its charts choose series by tags, as the caller said it."),
        "charts": list(&chart, "Its charts; only where one space is retrieved."),
    });
    json!({ "Space": object("A collection of charts.", &space, &["charts"]) })
}

fn tag() -> Value {
    let tag = json!({
        "name": text("The tag's name."),
        "values": list(
            &json!({ "type": "string" }),
            "The values that it may have, with `*` for any characters; none: any value.",
        ),
        "dynamic": claim("Whether the viewer chooses the value; a picture shows all values as one. Absent: no."),
    });
    object("A condition on a tag.", &tag, &["values", "dynamic"])
}

fn stream() -> Value {
    json!({
        "id": count("Its number, which no other stream of the chart has."),
        "metric": text("The metric."),
        "type": text("What the metric is, as the caller says it."),
        "source": text("The sources that are drawn, with `*` for any characters. Where there are `tags`, it is left out."),
        "tags": list(&reference("ChartTag"), "The tags that series have to have."),
        "group_function": word(GROUP_FUNCTIONS, "How the series become one; `breakout` draws each."),
        "summary_function": word(SUMMARY_FUNCTIONS, "What stands for the measurements of an interval."),
        "downsample_function": word(SUMMARY_FUNCTIONS, "The same where intervals are put together."),
        "transform_function": text("An expression over `x`, the value, and `p`, the interval in seconds: `x/p`."),
        "color": {
            "type": "string",
            "pattern": "^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$",
            "description": "The colour.",
        },
        "name": text("What the legend says."),
        "units_short": text("The unit at the axis."),
        "units_long": text("The unit in words."),
        "min": number("The smallest value that is drawn."),
        "max": number("The largest value that is drawn."),
        "period": json!({
            "type": "integer", "minimum": 1, "description": "The interval in which measurements come, in seconds.",
        }),
        "gap_detection": claim("Whether gaps are left where there is no measurement; so where it is absent."),
    })
}

fn charts() -> Value {
    let stream = |about: &str, required: &[&str]| {
        let mut schema = object(about, &stream(), &[]);
        schema["required"] = json!(required);
        schema
    };
    let mut sent = stream("A stream as it is sent. What is not named here is passed over.", &["metric"]);
    if let Some(sent) = sent.as_object_mut() {
        sent.remove("additionalProperties");
    }
    let threshold = json!({
        "operator": word(THRESHOLD_OPERATORS, "When: above, below or at the value."),
        "value": number("The value."),
        "type": word(THRESHOLD_LEVELS, "The colour."),
    });
    let chart = json!({
        "id": count("Its number."),
        "name": text("The name; several charts may have the same."),
        "type": word(ChartKind::NAMES, "How it looks."),
        "streams": list(&reference("ChartStream"), "What it draws."),
        "min": or_null(number("Where the y axis begins.")),
        "max": or_null(number("Where the y axis ends.")),
        "label": text_or_null("What the y axis says."),
        "related_space": or_null(seconds("The number of another space to look at.")),
        "use_log_yaxis": or_null(claim("Whether the y axis is logarithmic.")),
        "use_last_value": or_null(claim("Whether a big number is the last value, or the mean of the window.")),
        "thresholds": {
            "type": ["array", "null"],
            "items": reference("ChartThreshold"),
            "description": "What colours a big number.",
        },
    });
    json!({
        "ChartTag": tag(),
        "ChartStream": stream(
            "Series of one metric, as one line or several.",
            &["id", "metric", "group_function"],
        ),
        "NewChartStream": sent,
        "ChartThreshold": object("A value that colours a big number when it is reached.", &threshold, &[]),
        "Chart": object("A chart.", &chart, &[]),
    })
}

fn snapshots() -> Value {
    let chart = json!({
        "id": count("The chart; it may be gone."),
        "sources": described(
            json!({ "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 1 }),
            "The source that was asked for; `*` where none was.",
        ),
        "type": word(ChartKind::NAMES, "How it is drawn."),
        "tags": list(&reference("ChartTag"), "The tags that were asked for; absent where none were."),
    });
    let subject = json!({ "chart": object("", &chart, &["tags"]) });
    let snapshot = json!({
        "href": text("Its address."),
        "job_href": text("The address of the job that draws it."),
        "image_href": text_or_null("The address of the picture; null until it is drawn. With `.svg` for `.png` it is the same as shapes."),
        "duration": count("The length of the window in seconds."),
        "end_time": moment("The end of the window, in UTC."),
        "created_at": moment("When it was asked for, in UTC."),
        "updated_at": moment("When it changed last, in UTC."),
        "subject": object("What it is of.", &subject, &[]),
    });
    let output = json!({
        "snapshot": count("The number of the chart snapshot."),
        "image_href": text("The address of the picture."),
    });
    let errors = json!({ "job": list(&json!({ "type": "string" }), "Why it failed.") });
    let job = json!({
        "id": count("Its number."),
        "state": word(&["queued", "working", "complete", "failed", "canceled"], "How far it is."),
        "progress": { "type": "number", "minimum": 0, "maximum": 100, "description": "How much is done, in percent." },
        "output": object("What it drew; absent where there is no picture.", &output, &[]),
        "errors": object("Only where it failed.", &errors, &[]),
    });
    json!({
        "ChartSnapshot": object("A picture of a chart as of a moment.", &snapshot, &[]),
        "ChartJob": object("An execution of the service, as Librato's clients see it.", &job, &["output", "errors"]),
    })
}
