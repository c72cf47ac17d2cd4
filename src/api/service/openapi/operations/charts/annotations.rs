//! Annotations and their streams.

use serde_json::{Value, json};

use crate::charts::ChartError;

use super::super::super::chart_examples::{STREAM, annotation};
use super::super::super::chart_schemas::link;
use super::super::super::operation::Method::{Delete, Get, Post, Put};
use super::super::super::operation::{Field, Operation, field, reference, text};
use super::super::Group;
use super::{METRIC_EDIT, METRIC_READ, METRIC_SUBMIT, charts_call, moment, not_found};

pub(super) fn group() -> Group {
    Group {
        tag: "Annotations",
        about: "Annotations of Librato's API: what happened when, in streams. `manager.jobs` is the service's own: its backups \
                and restores, which every tenant reads and nobody writes.",
        operations: vec![list(), get(), create(), get_event(), edit_event(), delete_event(), delete()],
    }
}

impl Operation {
    /// Says that the next part of the path is a stream.
    fn of_stream(self) -> Self {
        self.of("The stream's name, in any case.", STREAM)
    }

    /// Says that the next part of the path is an annotation.
    fn of_annotation(self) -> Self {
        self.of("The annotation's number.", "3")
            .meets("There is no such annotation in the stream.", not_found("annotation", "3"))
    }
}

fn list() -> Operation {
    charts_call(Get, "/v1/annotations", "List streams of annotations.")
        .about("By name; the service's own follow those of the tenant.")
        .needs(METRIC_READ)
        .by_name()
        .in_parts("Whether the names ascend or descend.", "asc")
        .answers_part("annotations", "AnnotationStream", &json!({ "name": STREAM, "display_name": STREAM }))
}

fn get() -> Operation {
    let example = json!({ "name": STREAM, "display_name": STREAM, "events": [{ "north": [annotation()] }] });
    charts_call(Get, "/v1/annotations/{stream}", "Get the annotations of a stream.")
        .about(
            "Those that touch the window from `start_time` to `end_time`, oldest first; all without one. A stream without \
             annotations is answered as an empty one.",
        )
        .needs(METRIC_READ)
        .of_stream()
        .query_moment("start_time", "The first moment.")
        .query_moment("end_time", "The moment after the last.")
        .query("source", json!({ "type": "string" }), "Only those of this source.")
        .meets("A time can't be read.", ChartError::parameter("start_time", "is not a time"))
        .answers(200, "The annotations.", reference("AnnotationEvents"), example)
}

fn fields(is_new: bool) -> Vec<Field> {
    let title = text("title", "What happened.");
    let links = json!({ "type": ["array", "null"], "items": link() });
    vec![
        if is_new { title.required() } else { title },
        text("source", "Where it happened."),
        text("description", "What there is to say of it."),
        moment("start_time", "When it began; a new one without it: now."),
        moment("end_time", "When it ended; absent or null for a moment."),
        field("links", links, "Where to read more."),
    ]
}

fn example() -> Value {
    json!({ "title": "Storm", "source": "north", "start_time": 1_772_330_400, "end_time": 1_772_334_000 })
}

fn wrong_end() -> ChartError {
    ChartError::parameter("end_time", "is before start_time")
}

fn create() -> Operation {
    let mut made = annotation();
    made["links"] = json!([]);
    charts_call(Post, "/v1/annotations/{stream}", "Create an annotation.")
        .about("The stream is there from then on.")
        .needs(METRIC_SUBMIT)
        .of_stream()
        .takes_fields(fields(true), example())
        .meets("There is no title, or it is blank.", ChartError::parameter("title", "is not present"))
        .meets("It ends before it begins.", wrong_end())
        .spares_own()
        .writes_manager()
        .answers(201, "The annotation.", reference("Annotation"), made)
        .located()
}

fn get_event() -> Operation {
    let mut found = annotation();
    found["name"] = json!(STREAM);
    charts_call(Get, "/v1/annotations/{stream}/{event}", "Get an annotation.")
        .needs(METRIC_READ)
        .of_stream()
        .of_annotation()
        .answers(200, "The annotation.", reference("Annotation"), found)
}

fn edit_event() -> Operation {
    charts_call(Put, "/v1/annotations/{stream}/{event}", "Change an annotation.")
        .about("What is not named stays.")
        .needs(METRIC_EDIT)
        .of_stream()
        .of_annotation()
        .takes_fields(fields(false), json!({ "end_time": 1_772_337_600 }))
        .meets("The title is blank.", ChartError::parameter("title", "is not present"))
        .meets("It would end before it begins.", wrong_end())
        .spares_own()
        .writes_manager()
        .answers_nothing("It is changed.")
}

fn delete_event() -> Operation {
    charts_call(Delete, "/v1/annotations/{stream}/{event}", "Delete an annotation.")
        .needs(METRIC_EDIT)
        .of_stream()
        .of_annotation()
        .spares_own()
        .writes_manager()
        .answers_nothing("It is gone.")
}

fn delete() -> Operation {
    charts_call(Delete, "/v1/annotations/{stream}", "Delete a stream of annotations.")
        .needs(METRIC_EDIT)
        .of_stream()
        .meets("The stream has no annotations.", not_found("annotation", STREAM))
        .spares_own()
        .writes_manager()
        .answers_nothing("They are gone.")
}
