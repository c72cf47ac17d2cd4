//! The calls of elastic.io's faces: flows and what belongs to them below `/v2`, tasks below `/v1`.

mod captures;
mod collection;
mod history;
mod snapshots;
mod tasks;
mod workspaces;

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::flows::FlowError;

use super::super::flow_examples::{FLOW, STEP, document, page};
use super::super::operation::{Field, Method, Operation, call, object_schema, reference};
use super::Group;

/// The groups of these calls.
pub(super) fn groups() -> Vec<Group> {
    vec![
        collection::group(),
        snapshots::group(),
        history::group(),
        captures::group(),
        workspaces::group(),
        tasks::group(),
    ]
}

/// Begins the description of a call whose subject tells the tenant.
fn flows_call(method: Method, path: &'static str, summary: &'static str) -> Operation {
    call(method, path, summary).at_root().in_any_tenant()
}

fn not_found(noun: &'static str, id: &str) -> FlowError {
    FlowError::NotFound { noun, id: id.to_owned() }
}

impl Operation {
    /// Says that the next part of the path is a flow.
    fn of_flow(self) -> Self {
        self.of("The flow's id: 24 hexadecimal digits.", FLOW).meets(
            "There is no such flow, or the caller is no member of its workspace.",
            not_found("flow", FLOW),
        )
    }

    /// Says that the next part of the path is a step, which has to be in the flow's graph.
    fn of_step(self) -> Self {
        self.of("The step's id: any text, percent-encoded.", STEP).meets(
            "The flow's graph has no such step.",
            FlowError::StepNotInFlow { flow: FLOW.to_owned(), step: "horn".to_owned() },
        )
    }

    /// Adds the 403 with which it is refused while the flow runs.
    fn of_stopped_flow(self) -> Self {
        self.meets(
            "The flow runs, or is to: `current_status` or `status` is `active`.",
            FlowError::Running(FLOW.to_owned()),
        )
    }

    /// Takes JSON, which may not be too long.
    fn takes_text(self, schema: Value, is_required: bool, example: Value) -> Self {
        self.takes_document(schema, is_required, example)
            .meets("The body is longer than 4 MiB.", FlowError::BodyTooLong { max: 4 << 20 })
    }

    /// Takes a document with a resource of this type, and refuses one of another type.
    fn takes_resource(self, kind: &str, data: &[Field], example: &Value) -> Self {
        let mut data = object_schema(data);
        let own = json!({
            "type": { "const": kind, "description": "What the document is about." },
        });
        data["properties"] = merged(own, &data["properties"]);
        let required = data["required"].as_array().into_iter().flatten().cloned();
        data["required"] = std::iter::once(json!("type")).chain(required).collect();
        let schema = json!({ "type": "object", "properties": { "data": data }, "required": ["data"] });
        self.takes_text(schema, true, json!({ "data": example }))
            .meets(
                "The body is no such document; `source` says where.",
                FlowError::invalid("/data", "the document has to have `data`"),
            )
            .meets(
                "The document is of another type.",
                FlowError::Mismatch {
                    pointer: "/data/type",
                    detail: format!("`type` is `tide`, and here it has to be `{kind}`"),
                },
            )
    }

    /// Takes a document with these attributes.
    fn takes_attributes(self, attributes: &[Field], is_required: bool, example: &Value) -> Self {
        let mut data = json!({ "type": "object", "properties": { "attributes": object_schema(attributes) } });
        if is_required {
            data["required"] = json!(["attributes"]);
        }
        let schema = json!({ "type": "object", "properties": { "data": data }, "required": ["data"] });
        self.takes_text(schema, is_required, json!({ "data": { "attributes": example } })).meets(
            "The body is no such document; `source` says where.",
            FlowError::invalid("/data", "the document has to have `data`"),
        )
    }

    /// Adds the parameters that choose a page of a list.
    fn in_pages(self, most: u64) -> Self {
        self.query(
            "page[number]",
            json!({ "type": "integer", "minimum": 1, "default": 1 }),
            "The page's number; the first is 1.",
        )
        .query(
            "page[size]",
            json!({ "type": "integer", "minimum": 1, "maximum": most, "default": 50 }),
            "How many a page has.",
        )
        .fails(
            ErrorCode::BadParameters,
            "A parameter that can't be used.",
            format!("`page[size]` is `0`, and has to be a number from 1 to {most}"),
        )
    }

    /// Answers a document with one resource.
    fn answers_resource(self, status: u16, outcome: &'static str, noun: &str, example: &Value) -> Self {
        self.answers(status, outcome, document_schema(reference(noun)), document(example))
    }

    /// Answers all resources of a list.
    fn answers_resources(self, outcome: &'static str, noun: &str, example: &Value) -> Self {
        let list = json!({ "type": "array", "items": reference(noun) });
        let example = document(&json!([example]));
        self.answers(200, outcome, document_schema(list), example)
    }

    /// Answers a page of a list.
    fn answers_resource_page(self, noun: &str, example: &Value) -> Self {
        let mut schema = document_schema(json!({ "type": "array", "items": reference(noun) }));
        schema["properties"]["meta"] = reference("PageMeta");
        self.answers(200, "A page of the list.", schema, page(example))
    }
}

fn document_schema(data: Value) -> Value {
    json!({
        "type": "object",
        "properties": { "data": data, "meta": { "type": "object", "maxProperties": 0 } },
        "required": ["data", "meta"],
        "additionalProperties": false,
    })
}

fn merged(mut properties: Value, more: &Value) -> Value {
    if let (Some(all), Some(more)) = (properties.as_object_mut(), more.as_object()) {
        all.extend(more.clone());
    }
    properties
}
