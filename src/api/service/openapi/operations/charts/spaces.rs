//! Spaces.

use serde_json::json;

use crate::charts::ChartError;

use super::super::super::chart_examples::{CHART, SPACE, space};
use super::super::super::operation::Method::{Delete, Get, Post, Put};
use super::super::super::operation::{Field, Operation, field, reference};
use super::super::Group;
use super::{CHART_EDIT, CHART_READ, charts_call, claim, not_found};

pub(super) fn group() -> Group {
    Group {
        tag: "Spaces",
        about: "Spaces of Librato's API: collections of charts, of the tenant. The space *Manager*, number 1, comes with the \
                service and shows what it measures of itself; it can't be changed.",
        operations: vec![list(), create(), get(), rename(), delete()],
    }
}

impl Operation {
    /// Says that the next part of the path is a space.
    pub(super) fn of_space(self) -> Self {
        self.of("The space's number.", SPACE)
    }

    /// Adds the 404 of a space that is not there.
    pub(super) fn finds_space(self) -> Self {
        self.meets("There is no such space in the tenant.", not_found("space", SPACE))
    }

    /// Adds the 403 of what comes with the service.
    pub(super) fn spares_manager(self) -> Self {
        self.meets(
            "It is the space *Manager*.",
            ChartError::Forbidden(
                "the space `Manager` comes with the service and can't be changed: make a space of your own"
                    .to_owned(),
            ),
        )
    }
}

fn name() -> Field {
    let schema = json!({ "type": "string", "minLength": 1, "maxLength": 4096 });
    field("name", schema, "The name; several spaces may have the same.")
}

fn list() -> Operation {
    charts_call(Get, "/v1/spaces", "List spaces.")
        .about("In the order in which they were made, the space *Manager* first.")
        .needs(CHART_READ)
        .by_name()
        .in_parts("With `desc` the last comes first.", "asc")
        .answers_part("spaces", "Space", &space())
}

fn create() -> Operation {
    charts_call(Post, "/v1/spaces", "Create a space.")
        .needs(CHART_EDIT)
        .takes_fields(
            vec![
                name().required(),
                claim(
                    "tags",
                    "Whether its charts choose series by tags; no without it. It is kept and not judged.",
                ),
            ],
            json!({ "name": "Harbour" }),
        )
        .meets("The name can't be used.", ChartError::parameter("name", "is not present"))
        .writes_manager()
        .answers(201, "The space.", reference("Space"), space())
        .located()
}

fn get() -> Operation {
    let mut found = space();
    let chart: i64 = CHART.parse().unwrap_or_default();
    found["charts"] = json!([{ "id": chart }]);
    charts_call(Get, "/v1/spaces/{space}", "Get a space with the numbers of its charts.")
        .needs(CHART_READ)
        .of_space()
        .finds_space()
        .answers(200, "The space.", reference("Space"), found)
}

fn rename() -> Operation {
    charts_call(Put, "/v1/spaces/{space}", "Rename a space.")
        .needs(CHART_EDIT)
        .of_space()
        .finds_space()
        .spares_manager()
        .takes_fields(vec![name()], json!({ "name": "Harbours" }))
        .meets("The name can't be used.", ChartError::parameter("name", "can't be blank"))
        .writes_manager()
        .answers_nothing("It has the name.")
}

fn delete() -> Operation {
    charts_call(Delete, "/v1/spaces/{space}", "Delete a space with its charts.")
        .about("Their snapshots and pictures stay.")
        .needs(CHART_EDIT)
        .of_space()
        .finds_space()
        .spares_manager()
        .writes_manager()
        .answers_nothing("It is gone.")
}
