//! Deployment updates.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    DEPLOYMENT_UPDATE_CREATE, DEPLOYMENT_UPDATE_GET, DEPLOYMENT_UPDATE_LIST, DEPLOYMENT_UPDATE_UPDATE,
};
use crate::manager::DEPLOYMENT_UPDATES;
use crate::model::Permission;

use super::super::operation::Method::{Get, Patch, Post, Put};
use super::super::operation::{Answer, Method, Operation, call, flag, object, text};
use super::Group;

const NAME: &str = "The update's id.";
const EXAMPLE: &str = "harbour-5d1f0c8e-2b7a-4f6d-9f5e-7b8a1c2d3e4f";
const NOT_FOUND: &str =
    "Requested `DeploymentUpdate` with ID `harbour-5d1f0c8e-2b7a-4f6d-9f5e-7b8a1c2d3e4f` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Deployment updates",
        about: "A new blueprint or new inputs for a deployment: compared with what is there, and applied as a whole or not \
                at all. Nodes and node instances come and go with the blueprint; operations of plugins are not run.",
        operations: vec![
            list(),
            get(),
            initiate(),
            finalize(),
            refused(
                Put,
                "/deployment-updates/{id}",
                "Write the record of a deployment update.",
                DEPLOYMENT_UPDATE_CREATE,
            ),
            refused(
                Patch,
                "/deployment-updates/{id}",
                "Change the record of a deployment update.",
                DEPLOYMENT_UPDATE_UPDATE,
            ),
            refused(
                Post,
                "/deployment-updates",
                "Write the records of several deployment updates.",
                DEPLOYMENT_UPDATE_CREATE,
            ),
        ],
    }
}

fn example() -> Value {
    json!({
        "visibility": "tenant",
        "created_at": "2026-11-01T08:30:12.123Z",
        "id": EXAMPLE,
        "deployment_plan": null,
        "deployment_update_node_instances": null,
        "central_plugins_to_uninstall": null,
        "central_plugins_to_install": null,
        "deployment_update_nodes": null,
        "modified_entity_ids": null,
        "old_inputs": { "keeper": "Ada" },
        "new_inputs": { "keeper": "Grace" },
        "state": "updating",
        "runtime_only_evaluation": false,
        "keep_old_deployment_dependencies": false,
        "deployment_id": "harbour",
        "execution_id": "019ca6b1-6959-71a1-9ad5-b47f52560783",
        "old_blueprint_id": "lighthouse",
        "new_blueprint_id": "lighthouse-2",
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
        "steps": [],
        "recursive_dependencies": null,
        "schedules_to_create": null,
        "schedules_to_delete": null,
        "labels_to_create": null,
    })
}

fn list() -> Operation {
    call(Get, "/deployment-updates", "List deployment updates.")
        .needs(DEPLOYMENT_UPDATE_LIST)
        .lists(&DEPLOYMENT_UPDATES)
        .of_all_tenants()
        .answers_page("DeploymentUpdate", example())
}

fn get() -> Operation {
    call(Get, "/deployment-updates/{id}", "Get a deployment update.")
        .needs(DEPLOYMENT_UPDATE_GET)
        .of(NAME, EXAMPLE)
        .includes(&DEPLOYMENT_UPDATES)
        .finds(NOT_FOUND)
        .answers_one("The update.", "DeploymentUpdate", example())
}

fn initiate() -> Operation {
    let without = "Has no effect: it is about operations of plugins.";
    let mut fields = vec![
        text("blueprint_id", "The blueprint that it gets; its own where absent."),
        object("inputs", "The inputs that change."),
        flag("runtime_only_evaluation", false, "Whether functions are evaluated only as it runs."),
        flag("skip_install", false, "Whether new node instances stay uninitialized."),
        flag("preview", false, "Whether it is only told what the update would do."),
        flag("force", false, "Whether it starts although another update of the deployment has not ended."),
        flag("reevaluate_active_statuses", false, "The same as `force`."),
    ];
    for name in [
        "skip_uninstall",
        "skip_reinstall",
        "skip_drift_check",
        "skip_heal",
        "force_reinstall",
        "ignore_failure",
        "install_first",
        "update_plugins",
        "auto_correct_types",
    ] {
        fields.push(flag(name, false, without));
    }
    let title = "Update a deployment, or tell what an update would do.";
    call(Post, "/deployment-updates/{id}/update/initiate", title)
        .about(
            "The execution `csys_new_deployment_update` applies it as a whole or not at all; with `preview` nothing is \
             recorded.",
        )
        .needs(DEPLOYMENT_UPDATE_CREATE)
        .of("The deployment's id.", "harbour")
        .takes(fields, json!({ "blueprint_id": "lighthouse-2", "inputs": { "keeper": "Grace" } }))
        .fails(
            ErrorCode::NotFound,
            "There is no such deployment or blueprint.",
            "Requested `Deployment` with ID `harbour` was not found",
        )
        .fails(
            ErrorCode::Conflict,
            "Another update of the deployment has not ended.",
            "there are deployment updates still active; update IDs: harbour-5d1f0c8e-2b7a-4f6d-9f5e-7b8a1c2d3e4f",
        )
        .fails(
            ErrorCode::MissingRequiredDeploymentInput,
            "An input of the blueprint has no value.",
            "Required inputs keeper were not specified - expected inputs: keeper",
        )
        .fails(
            ErrorCode::UnknownDeploymentInput,
            "The blueprint has no such input.",
            "Unknown input keper specified - expected inputs: keeper",
        )
        .fails(
            ErrorCode::InvalidBlueprint,
            "The blueprint was not read.",
            "Blueprint `lighthouse-2` is in state `parsing`; deployments can be created once it is `uploaded`",
        )
        .writes_manager()
        .answers_one("The update.", "DeploymentUpdate", example())
}

fn finalize() -> Operation {
    call(Post, "/deployment-updates/{id}/update/finalize", "Finalize a deployment update.")
        .about("Does nothing: its execution has done all.")
        .needs(DEPLOYMENT_UPDATE_CREATE)
        .of(NAME, EXAMPLE)
        .finds(NOT_FOUND)
        .answers_one("The update.", "DeploymentUpdate", example())
}

/// A call that is there for Cloudify's own workflows, and refused to everybody.
fn refused(method: Method, path: &'static str, title: &'static str, permission: Permission) -> Operation {
    let mut call =
        call(method, path, title).about("Answers 403: only executions write it.").needs(permission).fails(
            ErrorCode::Forbidden,
            "Always.",
            "Deployment update objects can only be created or changed by executions",
        );
    if path.contains('{') {
        call = call.of(NAME, EXAMPLE);
    }
    call.answer = Answer::Never;
    call
}
