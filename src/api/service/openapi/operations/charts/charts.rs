//! The charts of a space.

use serde_json::{Value, json};

use crate::charts::{ChartError, ChartKind};

use super::super::super::chart_examples::{CHART, chart, new_chart};
use super::super::super::operation::Method::{Delete, Get, Post, Put};
use super::super::super::operation::{Field, Operation, field, reference, text};
use super::super::Group;
use super::{CHART_EDIT, CHART_READ, charts_call, claim, not_found, number};

pub(super) fn group() -> Group {
    Group {
        tag: "Charts",
        about: "The charts of a space: streams of metrics, and how they look.",
        operations: vec![list(), create(), get(), edit(), delete()],
    }
}

impl Operation {
    /// Says that the next part of the path is a chart.
    fn of_chart(self) -> Self {
        self.of("The chart's number.", CHART)
            .meets("There is no such chart in the space.", not_found("chart", CHART))
    }

    /// Takes a chart, or changes to one.
    fn takes_chart(self, is_new: bool, example: Value) -> Self {
        self.takes_fields(fields(is_new), example)
            .meets(
                "A value can't be used; the name says where it stands.",
                ChartError::parameter("streams[0].metric", "is not present"),
            )
            .meets(
                "A stream is a composite.",
                ChartError::parameter(
                    "streams[0].composite",
                    "can't be drawn: this service has no composite metrics; add a stream for each metric",
                ),
            )
    }
}

fn fields(is_new: bool) -> Vec<Field> {
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 4096 });
    let name = field("name", name, "The name; several charts may have the same.");
    let list = |noun: &str| json!({ "type": ["array", "null"], "items": reference(noun) });
    let mut streams = list("NewChartStream");
    streams["maxItems"] = json!(100);
    vec![
        if is_new { name.required() } else { name },
        field("type", json!({ "enum": ChartKind::NAMES }), "How it looks; a new one without it: `line`."),
        field("streams", streams, "What it draws."),
        number("min", "Where the y axis begins."),
        number("max", "Where the y axis ends; greater than `min`."),
        text("label", "What the y axis says."),
        field(
            "related_space",
            json!({ "type": ["integer", "null"] }),
            "The number of another space to look at.",
        ),
        claim("use_log_yaxis", "Whether the y axis is logarithmic."),
        claim("use_last_value", "Whether a big number is the last value, or the mean of the window."),
        field("thresholds", list("ChartThreshold"), "What colours a big number."),
    ]
}

fn list() -> Operation {
    charts_call(Get, "/v1/spaces/{space}/charts", "List the charts of a space.")
        .about("All of them as a bare list, the oldest first.")
        .needs(CHART_READ)
        .of_space()
        .finds_space()
        .answers(
            200,
            "The charts.",
            json!({ "type": "array", "items": reference("Chart") }),
            json!([chart()]),
        )
}

fn create() -> Operation {
    charts_call(Post, "/v1/spaces/{space}/charts", "Create a chart.")
        .needs(CHART_EDIT)
        .of_space()
        .finds_space()
        .spares_manager()
        .takes_chart(true, new_chart())
        .writes_manager()
        .answers(201, "The chart.", reference("Chart"), chart())
        .located()
}

fn get() -> Operation {
    charts_call(Get, "/v1/spaces/{space}/charts/{chart}", "Get a chart.")
        .needs(CHART_READ)
        .of_space()
        .of_chart()
        .answers(200, "The chart.", reference("Chart"), chart())
}

fn edit() -> Operation {
    let mut changed = chart();
    changed["name"] = json!("Height of the tide");
    charts_call(Put, "/v1/spaces/{space}/charts/{chart}", "Change a chart.")
        .about(
            "What is not named stays; what is null, but for `name` and `type`, goes back to what a new chart has. `streams` and \
             `thresholds` take the place of those that were. Its snapshots and their pictures stay as they are.",
        )
        .needs(CHART_EDIT)
        .of_space()
        .of_chart()
        .spares_manager()
        .takes_chart(false, json!({ "name": "Height of the tide" }))
        .writes_manager()
        .answers(200, "The chart.", reference("Chart"), changed)
}

fn delete() -> Operation {
    charts_call(Delete, "/v1/spaces/{space}/charts/{chart}", "Delete a chart.")
        .about("Its snapshots and their pictures stay.")
        .needs(CHART_EDIT)
        .of_space()
        .of_chart()
        .spares_manager()
        .writes_manager()
        .answers_nothing("It is gone.")
}
