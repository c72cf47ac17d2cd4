//! Measurements with tags.

use serde_json::json;

use crate::charts::ChartError;

use super::super::super::chart_examples::METRIC;
use super::super::super::operation::Method::{Get, Post};
use super::super::super::operation::{Operation, Style, field, object_schema, reference, text};
use super::super::Group;
use super::metrics::nothing;
use super::{METRIC_READ, METRIC_SUBMIT, charts_call, moment, not_found, values, whole};

pub(super) fn group() -> Group {
    Group {
        tag: "Measurements",
        about: "Measurements with tags of Librato's API. The `source` of a measurement without tags is its tag `source`.",
        operations: vec![submit(), get()],
    }
}

fn submit() -> Operation {
    let tags = || {
        let about = "At most 50 tags: names of 1 to 64 letters, digits, `.`, `:`, `-` and `_`; values of 1 to 255 characters.";
        let value = json!({ "type": ["string", "number", "boolean"] });
        let schema =
            json!({ "type": ["object", "null"], "additionalProperties": value, "maxProperties": 50 });
        field("tags", schema, about)
    };
    let mut fields = vec![
        text("name", "The metric: 1 to 255 letters, digits, `.`, `:`, `-` and `_`.").required(),
        tags(),
        moment("time", "When; the time of the request without it, or the present."),
        whole("period", 1, "How many seconds lie between two measurements; that of the request without it."),
    ];
    fields.extend(values());
    let item = object_schema(&fields);
    let items = json!({
        "anyOf": [{ "type": "array", "items": item }, { "type": "object", "additionalProperties": item }],
    });
    let fields = vec![
        field("measurements", items, "The measurements; those of an object count, not its keys.").required(),
        tags(),
        moment("time", "When those were measured that name no time of their own."),
        whole("period", 1, "The interval of those that name none."),
    ];
    let example = json!({
        "tags": { "harbour": "north" },
        "time": 1_772_330_400,
        "measurements": [
            { "name": METRIC, "value": 3.1 },
            { "name": METRIC, "value": 2.9, "tags": { "harbour": "south" } },
        ],
    });
    charts_call(Post, "/v1/measurements", "Submit measurements with tags.")
        .about(
            "At most 10000. Tags of a measurement take the place of those of the request, all of them. All measurements are \
             kept, or none; they are durable when this answers. Times may be up to a year ahead.",
        )
        .needs(METRIC_SUBMIT)
        .takes_fields(fields, example)
        .meets("A measurement can't be used.", ChartError::parameter("name", "is not present"))
        .meets(
            "There are more than 10000.",
            ChartError::Request("a request has at most 10000 measurements".to_owned()),
        )
        .spares_own()
        .writes_manager()
        .answers(202, "They are kept.", nothing(), json!({}))
}

fn get() -> Operation {
    let example = json!({
        "name": METRIC,
        "resolution": 60,
        "series": [{ "tags": { "harbour": "north" }, "measurements": [{ "time": 1_772_330_400, "value": 3.1 }] }],
    });
    charts_call(Get, "/v1/measurements/{name}", "Get the measurements of a metric, by series.")
        .about(
            "`start_time` or `duration` has to be there. A series has at most 10000 measurements, so that the interval may be \
             longer than the one that was asked for.",
        )
        .needs(METRIC_READ)
        .of("The metric's name, in any case.", METRIC)
        .meets("There is no such metric.", not_found("metric", METRIC))
        .in_window()
        .meets(
            "`start_time`, `end_time` and `duration` are all there.",
            ChartError::parameter("duration", "can't be given beside start_time and end_time"),
        )
        .meets(
            "There is no window.",
            ChartError::parameter("start_time", "is not present, nor is duration"),
        )
        .query_of(
            "tags",
            Style::Brackets,
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            "Only series with these tags: `tags[name]=value`, with `*` for any characters. Several values for one tag are \
             `tags[name][]=a&tags[name][]=b`.",
        )
        .refuses_composites()
        .answers(200, "The measurements.", reference("Measurements"), example)
}
