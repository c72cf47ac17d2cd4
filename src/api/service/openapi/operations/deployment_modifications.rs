//! Deployment modifications.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    DEPLOYMENT_MODIFICATION_FINISH, DEPLOYMENT_MODIFICATION_GET, DEPLOYMENT_MODIFICATION_LIST,
    DEPLOYMENT_MODIFICATION_ROLLBACK, DEPLOYMENT_MODIFY,
};
use crate::manager::DEPLOYMENT_MODIFICATIONS;

use super::super::operation::Method::{Get, Post};
use super::super::operation::{Operation, call, field, object, reference, text};
use super::Group;

const ID: &str = "The modification's id.";
const EXAMPLE: &str = "8c1d1c2e-6c0f-4f0a-9a5e-0d9f6e1a7b55";
const NOT_FOUND: &str =
    "Requested `DeploymentModification` with ID `8c1d1c2e-6c0f-4f0a-9a5e-0d9f6e1a7b55` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Deployment modifications",
        about: "Other numbers of node instances for nodes and scaling groups of a deployment. Whoever starts a modification \
                brings up what comes and takes down what goes, and then finishes it or rolls it back.",
        operations: vec![list(), get(), start(), finish(), roll_back()],
    }
}

fn example() -> Value {
    let came = json!({
        "id": "lamp_x1yz2a",
        "name": "lamp",
        "node_id": "lamp",
        "host_id": null,
        "index": 2,
        "relationships": [],
        "runtime_properties": {},
        "system_properties": {},
        "scaling_groups": [],
        "state": "uninitialized",
        "version": 1,
        "modification": "added",
    });
    json!({
        "visibility": "tenant",
        "created_at": "2026-11-01T08:30:12.123Z",
        "id": EXAMPLE,
        "context": { "why": "a dark winter" },
        "ended_at": null,
        "modified_nodes": { "lamp": { "instances": 2 } },
        "node_instances": {
            "added_and_related": [came],
            "extended_and_related": [],
            "reduced_and_related": [],
            "removed_and_related": [],
            "before_modification": [],
        },
        "status": "started",
        "deployment_id": "harbour",
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
    })
}

fn list() -> Operation {
    call(Get, "/deployment-modifications", "List deployment modifications.")
        .about("A filter on a deployment that there is not is refused.")
        .needs(DEPLOYMENT_MODIFICATION_LIST)
        .lists(&DEPLOYMENT_MODIFICATIONS)
        .of_all_tenants()
        .fails(
            ErrorCode::NotFound,
            "There is no deployment as `deployment_id` names it.",
            "Requested `Deployment` with ID `harbour` was not found",
        )
        .answers_page("DeploymentModification", example())
}

fn get() -> Operation {
    call(Get, "/deployment-modifications/{id}", "Get a deployment modification.")
        .needs(DEPLOYMENT_MODIFICATION_GET)
        .of(ID, EXAMPLE)
        .includes(&DEPLOYMENT_MODIFICATIONS)
        .finds(NOT_FOUND)
        .answers_one("The modification.", "DeploymentModification", example())
}

fn start() -> Operation {
    let ids = json!({ "type": ["array", "null"], "items": { "type": "string" } });
    let nodes = json!({
        "type": ["object", "null"],
        "additionalProperties": {
            "type": "object",
            "properties": {
                "instances": { "type": "integer", "minimum": 0 },
                "removed_ids_include_hint": ids,
                "removed_ids_exclude_hint": ids,
            },
            "required": ["instances"],
        },
    });
    call(Post, "/deployment-modifications", "Start a modification of a deployment.")
        .about(
            "Node instances that come are there at once, uninitialized; those that are to go stay until it is finished. A \
             number is that within each container. Of surplus instances those go first that \
             `removed_ids_include_hint` names, those last that `removed_ids_exclude_hint` names, else the newest; an \
             instance stands for the scaling group that it is in.",
        )
        .needs(DEPLOYMENT_MODIFY)
        .takes(
            vec![
                text("deployment_id", "The deployment.").required(),
                field("nodes", nodes, "By node or scaling group, what is wanted of it."),
                object("context", "Whatever the caller wants to find in the record."),
            ],
            json!({ "deployment_id": "harbour", "nodes": { "lamp": { "instances": 2 } } }),
        )
        .fails(
            ErrorCode::NotFound,
            "There is no such deployment, node or scaling group.",
            "Requested `Node` with ID `lamp` was not found",
        )
        .fails(
            ErrorCode::ExistingStartedDeploymentModification,
            "Another modification of the deployment has not ended.",
            "Cannot start deployment modification while there are existing started deployment modifications. Currently \
             started deployment modifications: 8c1d1c2e-6c0f-4f0a-9a5e-0d9f6e1a7b55",
        )
        .writes_manager()
        .answers(201, "The modification.", reference("DeploymentModification"), example())
}

fn ends(call: Operation, status: &str, message: &'static str) -> Operation {
    let mut ended = example();
    ended["status"] = json!(status);
    ended["ended_at"] = json!("2026-11-01T08:42:55.001Z");
    call.of(ID, EXAMPLE)
        .finds(NOT_FOUND)
        .fails(ErrorCode::DeploymentModificationAlreadyEnded, "It has ended before.", message)
        .writes_manager()
        .answers_one("The modification.", "DeploymentModification", ended)
}

fn finish() -> Operation {
    let title = "Finish a modification: what was to go goes.";
    let call =
        call(Post, "/deployment-modifications/{id}/finish", title).needs(DEPLOYMENT_MODIFICATION_FINISH);
    ends(
        call,
        "finished",
        "Cannot finish deployment modification: 8c1d1c2e-6c0f-4f0a-9a5e-0d9f6e1a7b55. It is already in finished status.",
    )
}

fn roll_back() -> Operation {
    let title = "Roll a modification back: all node instances are as they were before.";
    let call =
        call(Post, "/deployment-modifications/{id}/rollback", title).needs(DEPLOYMENT_MODIFICATION_ROLLBACK);
    ends(
        call,
        "rolledback",
        "Cannot rollback deployment modification: 8c1d1c2e-6c0f-4f0a-9a5e-0d9f6e1a7b55. It is already in rolledback status.",
    )
}
