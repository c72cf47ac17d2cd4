//! Flows themselves.

use serde_json::{Value, json};

use crate::flows::{
    FLOW_EDIT, FLOW_EMIT, FLOW_READ, FLOW_TOGGLE, FlowError, FlowOrder, FlowStatus, FlowType, MapperType,
};

use super::super::super::flow_examples::{FLOW, document, flow, graph, started_flow};
use super::super::super::operation::Method::{Delete, Get, Patch, Post};
use super::super::super::operation::{Field, Operation, choice, field, object_schema, reference, text};
use super::super::Group;
use super::{flows_call, not_found};

pub(super) fn group() -> Group {
    Group {
        tag: "Flows",
        about: "Flows of elastic.io's API, version 2: their graphs, and whether they run. What their steps remember is in \
                the groups that follow.",
        operations: vec![list(), create(), get(), edit(), delete(), start(), stop(), report()],
    }
}

fn list() -> Operation {
    flows_call(Get, "/v2/flows", "List flows.")
        .about("Those of the workspaces of which the caller is a member; a sys_admin sees all.")
        .needs(FLOW_READ)
        .query("workspace_id", json!({ "type": "string" }), "Only those of this workspace.")
        .query("filter[status]", json!({ "enum": FlowStatus::NAMES }), "Only those that are to run, or not.")
        .query("filter[type]", json!({ "enum": FlowType::NAMES }), "Only those that are run so.")
        .query("filter[user]", json!({ "type": "string" }), "Only those that this user made.")
        .query("filter[has_draft]", reference("FlagText"), "No flow has a draft here, so `true` finds none.")
        .query(
            "search",
            json!({ "type": "string" }),
            "Only those in whose name this text occurs, in any case.",
        )
        .query(
            "sort",
            json!({ "enum": FlowOrder::NAMES }),
            "By what, with `-` before it the largest first; in the order in which they were made without it.",
        )
        .in_pages(100)
        .meets(
            "There is no such workspace, or the caller is no member of it.",
            not_found("workspace", "harbour"),
        )
        .answers_resource_page("Flow", &flow())
}

/// What a caller says of a flow; all of it has to be there that a new one has to have.
fn attributes(is_new: bool) -> Vec<Field> {
    let needed = |field: Field| if is_new { field.required() } else { field };
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 1024 });
    vec![
        needed(field("name", name, "The name that people see.")),
        text("description", "What it is for."),
        needed(choice("type", FlowType::NAMES, "How it is run.")),
        needed(choice(
            "default_mapper_type",
            MapperType::NAMES,
            "What maps data between steps where a step does not say it.",
        )),
        text("cron", "When it is run, as a cron expression. It is kept and not judged."),
        needed(field("graph", reference("FlowGraph"), "Its steps and how they are joined.")),
    ]
}

fn create() -> Operation {
    let identifier = object_schema(&[
        field("type", json!({ "const": "workspace" }), "Always `workspace`."),
        text("id", "The workspace: the tenant's name.").required(),
    ]);
    let workspace = object_schema(&[field("data", identifier, "Which one.").required()]);
    let relationships = object_schema(&[field("workspace", workspace, "Where it belongs.").required()]);
    let example = json!({
        "type": "flow",
        "attributes": {
            "name": "Tide reports", "type": "ordinary", "default_mapper_type": "jsonata", "cron": "*/5 * * * *",
            "graph": graph(),
        },
        "relationships": { "workspace": { "data": { "type": "workspace", "id": "default_tenant" } } },
    });
    flows_call(Post, "/v2/flows", "Create a flow.")
        .about("It is stopped. Its steps are the nodes of its graph.")
        .needs(FLOW_EDIT)
        .takes_resource(
            "flow",
            &[
                field("attributes", object_schema(&attributes(true)), "What it is like.").required(),
                field("relationships", relationships, "What it belongs to.").required(),
            ],
            &example,
        )
        .meets(
            "An attribute or the graph can't be used; `source` says which.",
            FlowError::invalid("/data/attributes/graph/nodes/1/id", "two nodes have the id `watch`"),
        )
        .meets(
            "There is no such workspace, or the caller is no member of it.",
            not_found("workspace", "harbour"),
        )
        .writes_manager()
        .answers_resource(201, "The flow.", "Flow", &flow())
}

fn get() -> Operation {
    let mut found = flow();
    found["attributes"]["orphaned_steps"] = json!([]);
    flows_call(Get, "/v2/flows/{flow}", "Retrieve a flow.")
        .about("`orphaned_steps` are those that have a snapshot and are not in the graph any more.")
        .needs(FLOW_READ)
        .of_flow()
        .answers_resource(200, "The flow.", "Flow", &found)
}

fn edit() -> Operation {
    let mut attributes = object_schema(&attributes(false));
    attributes["additionalProperties"] = json!(false);
    let mut edited = flow();
    edited["attributes"]["description"] = json!("every five minutes");
    edited["attributes"]["version"] = json!(2);
    let example: Value =
        json!({ "type": "flow", "id": FLOW, "attributes": { "description": "every five minutes" } });
    flows_call(Patch, "/v2/flows/{flow}", "Edit a flow.")
        .about(
            "What is not named stays. Type and graph change only while the flow is stopped. The snapshots of steps that \
             leave the graph are kept, for the day on which a step of that id comes back.",
        )
        .needs(FLOW_EDIT)
        .of_flow()
        .takes_resource(
            "flow",
            &[
                field("id", json!({ "type": "string" }), "The same as in the path, if it is there."),
                field("attributes", attributes, "What changes."),
            ],
            &example,
        )
        .meets(
            "An attribute can't be edited, or not to this; `source` says which.",
            FlowError::invalid(
                "/data/attributes/status",
                "`status` can't be edited: only name, description, type, cron, default_mapper_type, graph can",
            ),
        )
        .meets("The document is about another flow.", other_id("69a39da0c2d4f5a6b7c8d9e2", FLOW))
        .meets("The flow runs, and its type or graph is to change.", FlowError::Running(FLOW.to_owned()))
        .writes_manager()
        .answers_resource(200, "The flow.", "Flow", &edited)
}

/// A document whose id is not that of the address.
pub(super) fn other_id(found: &str, expected: &str) -> FlowError {
    FlowError::Mismatch {
        pointer: "/data/id",
        detail: format!("`id` is `{found}`, and the address names `{expected}`"),
    }
}

fn delete() -> Operation {
    flows_call(Delete, "/v2/flows/{flow}", "Delete a flow.")
        .about("The snapshots of its steps and their history go with it, its captures stay.")
        .needs(FLOW_EDIT)
        .of_flow()
        .of_stopped_flow()
        .writes_manager()
        .answers_nothing("It is gone.")
}

fn start() -> Operation {
    flows_call(Post, "/v2/flows/{flow}/start", "Start a flow.")
        .about("`status` is `active` at once; `current_status` follows, or waits for the runtime that reports it.")
        .needs(FLOW_TOGGLE)
        .of_flow()
        .writes_manager()
        .answers_resource(202, "The flow.", "Flow", &started_flow())
}

fn stop() -> Operation {
    let nothing = json!({ "type": "object", "maxProperties": 0 });
    flows_call(Post, "/v2/flows/{flow}/stop", "Stop a flow.")
        .about("`status` is `inactive` at once; `current_status` follows, or waits for the runtime that reports it.")
        .needs(FLOW_TOGGLE)
        .of_flow()
        .writes_manager()
        .answers(202, "It is to stop.", super::document_schema(nothing), document(&json!({})))
}

fn report() -> Operation {
    let status = json!({ "enum": ["active", "inactive", null] });
    flows_call(Post, "/v2/flows/{flow}/current-status", "Report whether a flow runs.")
        .about(
            "For runtimes: from now on only reports change `current_status`; null ends that, and it follows `status` \
             again.",
        )
        .needs(FLOW_EMIT)
        .of_flow()
        .takes_attributes(
            &[field("current_status", status, "Whether it runs.").required()],
            true,
            &json!({ "current_status": "active" }),
        )
        .meets(
            "It is none of these words.",
            FlowError::invalid(
                "/data/attributes/current_status",
                "`current_status` has to be there: `active`, `inactive` or null",
            ),
        )
        .writes_manager()
        .answers_resource(200, "The flow.", "Flow", &{
            let mut flow = started_flow();
            flow["attributes"]["reports_current_status"] = json!(true);
            flow
        })
}
