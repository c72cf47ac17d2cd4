//! Nodes and node instances.

use serde_json::json;

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    FUNCTIONS_EVALUATE, NODE_INSTANCE_GET, NODE_INSTANCE_LIST, NODE_INSTANCE_UPDATE, NODE_LIST,
};
use crate::manager::{NODE_INSTANCES, NODES};

use super::super::examples::{node, node_instance};
use super::super::operation::Method::{Get, Patch, Post};
use super::super::operation::{Operation, call, field, list as list_field, object, text};
use super::Group;

const ID: &str = "The node instance's id.";
const NOT_FOUND: &str = "Requested `NodeInstance` with ID `tower_vow1bsyg` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Nodes",
        about: "The nodes of deployments and what was made of each, with runtime properties and state.",
        operations: vec![list(), list_instances(), get_instance(), change_instance(), evaluate_functions()],
    }
}

fn list() -> Operation {
    call(Get, "/nodes", "List nodes.")
        .needs(NODE_LIST)
        .lists(&NODES)
        .of_all_tenants()
        .query("node_id", json!({ "type": "string" }), "The same filter as `id`.")
        .flag(
            "_evaluate_functions",
            "Whether functions in the properties are evaluated; secrets stay references.",
        )
        .answers_page("Node", node())
}

fn list_instances() -> Operation {
    call(Get, "/node-instances", "List node instances.")
        .needs(NODE_INSTANCE_LIST)
        .lists(&NODE_INSTANCES)
        .of_all_tenants()
        .answers_page("NodeInstance", node_instance())
}

fn get_instance() -> Operation {
    call(Get, "/node-instances/{id}", "Get a node instance.")
        .needs(NODE_INSTANCE_GET)
        .of(ID, "tower_vow1bsyg")
        .includes(&NODE_INSTANCES)
        .flag("_evaluate_functions", "Whether functions in the runtime properties are evaluated.")
        .finds(NOT_FOUND)
        .answers_one("The node instance.", "NodeInstance", node_instance())
}

fn change_instance() -> Operation {
    call(Patch, "/node-instances/{id}", "Change a node instance.")
        .about("`version` is the version that the caller has seen; another one now is a 409, unless the query says \
                `force`. What is not named stays.")
        .needs(NODE_INSTANCE_UPDATE)
        .of(ID, "tower_vow1bsyg")
        .flag("force", "Whether the version is not compared.")
        .takes(
            vec![
                field("version", json!({ "type": ["integer", "null"], "default": 1 }), "The version that was seen."),
                text("state", "The state, one of Cloudify's words from `uninitialized` to `deleted`."),
                object("runtime_properties", "The runtime properties, all of them."),
                object("system_properties", "The system properties, all of them."),
                list_field("relationships", "The relationships, all of them."),
            ],
            json!({ "version": 1, "state": "started", "runtime_properties": { "lit": true } }),
        )
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::Conflict,
            "Somebody changed it since the caller looked.",
            "Node instance update conflict [current version=3, update version=1]",
        )
        .writes_manager()
        .answers_one("The node instance.", "NodeInstance", node_instance())
}

fn evaluate_functions() -> Operation {
    call(Post, "/evaluate/functions", "Evaluate functions by a deployment as it is now. Secrets stay references.")
        .about("`context` names the node instances that `SELF`, `SOURCE` and `TARGET` mean: in `self`, or in `source` \
                and `target`. What can't be known yet stays as it is.")
        .needs(FUNCTIONS_EVALUATE)
        .takes(
            vec![
                text("deployment_id", "The deployment's id.").required(),
                object("context", "The node instances."),
                object("payload", "In which functions are evaluated.").required(),
            ],
            json!({
                "deployment_id": "tower", "context": { "self": "tower_vow1bsyg" },
                "payload": { "height": { "get_property": ["SELF", "height_m"] } },
            }),
        )
        .finds("Requested `Deployment` with ID `tower` was not found")
        .answers(
            200,
            "The payload with its functions evaluated.",
            json!({
                "type": "object",
                "properties": { "deployment_id": { "type": "string" }, "payload": { "type": "object" } },
                "required": ["deployment_id", "payload"],
                "additionalProperties": false,
            }),
            json!({ "deployment_id": "tower", "payload": { "height": 52 } }),
        )
}
