//! Metrics: their measurements without tags on the way in, and what is known of them.

use serde_json::{Value, json};

use crate::charts::ChartError;

use super::super::super::chart_examples::{METRIC, metric};
use super::super::super::operation::Method::{Delete, Get, Post, Put};
use super::super::super::operation::{
    Operation, Style, choice, field, object, object_schema, reference, text,
};
use super::super::Group;
use super::{METRIC_EDIT, METRIC_READ, METRIC_SUBMIT, charts_call, moment, not_found, values, whole};

pub(super) fn group() -> Group {
    Group {
        tag: "Metrics",
        about: "Metrics of Librato's API: what is measured, and what is known of it. Those whose names begin with \
                `manager.` are what the service measures of itself: every tenant reads them, nobody writes them.",
        operations: vec![list(), submit(), get(), edit(), delete(), delete_many()],
    }
}

impl Operation {
    /// Says that the next part of the path is a metric.
    fn of_metric(self) -> Self {
        self.of("The metric's name, in any case.", METRIC)
    }
}

fn list() -> Operation {
    charts_call(Get, "/v1/metrics", "List metrics.")
        .about("By name; the service's own follow those of the tenant.")
        .needs(METRIC_READ)
        .by_name()
        .in_parts("Whether the names ascend or descend.", "asc")
        .refuses_composites()
        .answers_part("metrics", "Metric", &metric())
}

fn submit() -> Operation {
    let mut fields = vec![
        text(
            "name",
            "The metric: 1 to 255 letters, digits, `.`, `:`, `-` and `_`. Needed in lists; elsewhere the key \
                      stands for it.",
        ),
        text("source", "Where it was measured; that of the request without it."),
        moment("measure_time", "When; the time of the request without it, or the present."),
        whole("period", 1, "How many seconds lie between two measurements."),
    ];
    fields.extend(values());
    let item = object_schema(&fields);
    let items = json!({
        "anyOf": [
            { "type": "array", "items": item },
            { "type": "object", "additionalProperties": item },
            { "type": "null" },
        ],
    });
    let fields = vec![
        field("gauges", items.clone(), "Measurements of values, as a list or by the names of their metrics."),
        field("counters", items, "Measurements of counters, in the same forms."),
        text("source", "Where those were measured that name no source of their own."),
        moment("measure_time", "When those were measured that name no time of their own."),
    ];
    let example = json!({
        "source": "north",
        "measure_time": 1_772_330_400,
        "gauges": [{ "name": METRIC, "value": 3.1 }, { "name": METRIC, "source": "south", "count": 2, "sum": 5.8 }],
    });
    charts_call(Post, "/v1/metrics", "Submit measurements.")
        .about(
            "At most 10000. All of them are kept, or none; they are durable when this answers. `gauges` or `counters` has to \
             be there. Times may be up to a year ahead.",
        )
        .needs(METRIC_SUBMIT)
        .takes_fields(fields, example)
        .meets(
            "A measurement can't be used.",
            ChartError::parameter("value", "is larger than 1e126"),
        )
        .meets(
            "There are more than 10000.",
            ChartError::Request("a request has at most 10000 measurements".to_owned()),
        )
        .spares_own()
        .writes_manager()
        .answers(200, "They are kept.", nothing(), json!({}))
}

/// The schema of an object that is always empty.
pub(super) fn nothing() -> Value {
    json!({ "type": "object", "maxProperties": 0 })
}

fn get() -> Operation {
    let mut example = metric();
    example["measurements"] = json!({ "north": [{
        "measure_time": 1_772_330_400, "value": 3.1, "count": 1, "sum": 3.1, "min": 3.1, "max": 3.1,
    }] });
    example["resolution"] = json!(60);
    charts_call(Get, "/v1/metrics/{name}", "Get a metric.")
        .about(
            "With `count`, `start_time` or `duration` its measurements too, by source; at most 10000 of each combination of \
             tags, so that the interval may be longer than the one that was asked for. Without `start_time` and `duration` \
             all that is kept is looked through.",
        )
        .needs(METRIC_READ)
        .of_metric()
        .meets("There is no such metric.", not_found("metric", METRIC))
        .query(
            "count",
            json!({ "type": "integer", "minimum": 1, "maximum": 10000 }),
            "Only the last so many of each combination of tags.",
        )
        .in_window()
        .query_of(
            "source",
            Style::Repeated,
            json!({ "type": "array", "items": { "type": "string" } }),
            "Only measurements of these sources, in which `*` stands for any characters.",
        )
        .query_of(
            "sources[]",
            Style::Repeated,
            json!({ "type": "array", "items": { "type": "string" } }),
            "The same as `source`.",
        )
        .answers(200, "The metric.", reference("Metric"), example)
}

impl Operation {
    /// Adds what chooses a window of measurements.
    pub(super) fn in_window(self) -> Self {
        self.query_moment("start_time", "The first moment.")
            .query_moment("end_time", "The last moment; the present without it.")
            .query(
                "duration",
                json!({ "type": "integer" }),
                "The length of the window in seconds, where there is no `start_time`.",
            )
            .query(
                "resolution",
                json!({ "type": "integer", "minimum": 1, "default": 1 }),
                "The interval of the measurements in seconds, at least.",
            )
            .meets("The window can't be used.", ChartError::parameter("start_time", "is after end_time"))
    }
}

fn edit() -> Operation {
    let fields = vec![
        choice("type", &["gauge", "counter"], "What its values are; needed for one that is not known yet."),
        whole("period", 1, "How many seconds lie between two measurements; null: nobody says."),
        text("display_name", "The name that people see; null: none."),
        text("description", "What it is; null: nothing."),
        object("attributes", "Whatever clients keep with it; members that are not named stay."),
    ];
    charts_call(Put, "/v1/metrics/{name}", "Write what is known of a metric.")
        .about("What is not named stays. A metric that is not known yet is created where `type` is there.")
        .needs(METRIC_EDIT)
        .of_metric()
        .takes_fields(fields, json!({ "display_name": "Height of the tide", "period": 60 }))
        .meets("A value can't be used.", ChartError::parameter("type", "is not one of gauge, counter"))
        .meets("There is no such metric, and `type` is not there.", not_found("metric", METRIC))
        .spares_own()
        .writes_manager()
        .answers(201, "It is new: the metric.", reference("Metric"), metric())
        .or_answers_nothing("It is changed.")
}

fn delete() -> Operation {
    charts_call(Delete, "/v1/metrics/{name}", "Delete a metric with its measurements.")
        .about("In the name `*` stands for any characters: all metrics that it matches are deleted.")
        .needs(METRIC_EDIT)
        .of_metric()
        .meets("There is no such metric.", not_found("metric", METRIC))
        .spares_own()
        .writes_manager()
        .answers_nothing("It is gone.")
}

fn delete_many() -> Operation {
    let names =
        json!({ "anyOf": [{ "type": "array", "items": { "type": "string" } }, { "type": "string" }] });
    charts_call(Delete, "/v1/metrics", "Delete metrics with their measurements.")
        .about("Names that no metric has are passed over. The service's own stay, whatever matches them.")
        .needs(METRIC_EDIT)
        .takes_fields(
            vec![
                field(
                    "names",
                    names,
                    "Their names, in any case, or one; in them `*` stands for any characters.",
                )
                .required(),
            ],
            json!({ "names": ["tide.*"] }),
        )
        .meets("There are no names.", ChartError::parameter("names", "is not a list of strings"))
        .spares_own()
        .writes_manager()
        .answers_nothing("They are gone.")
}
