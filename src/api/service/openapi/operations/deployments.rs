//! Deployments.

use serde_json::json;

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    DEPLOYMENT_CREATE, DEPLOYMENT_DELETE, DEPLOYMENT_GET, DEPLOYMENT_LIST, DEPLOYMENT_UPDATE,
};
use crate::manager::DEPLOYMENTS;

use super::super::examples::deployment;
use super::super::operation::Method::{Delete, Get, Patch, Post, Put};
use super::super::operation::{Operation, call, flag, labels, object, reference, text};
use super::Group;
use super::blueprints::{visibility_fields, widening};
use super::searches::{choosing_deployments, filtering};

const ID: &str = "The deployment's id.";
const NOT_FOUND: &str = "Requested `Deployment` with ID `harbour` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Deployments",
        about: "What was made from blueprints: nodes, their instances, and the workflows that change them.",
        operations: vec![
            list(),
            get(),
            create(),
            change(),
            delete(),
            outputs(),
            capabilities(),
            set_visibility(),
            set_site(),
        ],
    }
}

fn list() -> Operation {
    choosing_deployments(filtering(call(Get, "/deployments", "List deployments.")))
        .needs(DEPLOYMENT_LIST)
        .lists(&DEPLOYMENTS)
        .of_all_tenants()
        .answers_page("Deployment", deployment())
}

fn get() -> Operation {
    call(Get, "/deployments/{id}", "Get a deployment.")
        .needs(DEPLOYMENT_GET)
        .of(ID, "harbour")
        .includes(&DEPLOYMENTS)
        .finds(NOT_FOUND)
        .answers_one("The deployment.", "Deployment", deployment())
}

fn create() -> Operation {
    let mut fields = vec![
        text("blueprint_id", "The blueprint from which it is made.").required(),
        object("inputs", "The values of the blueprint's inputs."),
        text("display_name", "The name that people see; the id where none is given."),
        labels("Labels beside those of the blueprint, each `{key: value}`."),
        text("site_name", "The site where it stands."),
        flag("runtime_only_evaluation", false, "Whether functions are evaluated only as it runs."),
    ];
    fields.extend(visibility_fields());
    call(Put, "/deployments/{id}", "Create a deployment.")
        .about(
            "The inputs are judged at once; the nodes and node instances are made by the execution \
             `create_deployment_environment`.",
        )
        .needs(DEPLOYMENT_CREATE)
        .of("The id of the new deployment: 1 to 256 letters, digits and `-._~`, a letter first.", "harbour")
        .takes(fields, json!({ "blueprint_id": "lighthouse", "inputs": { "keeper": "nobody" } }))
        .fails(
            ErrorCode::BadParameters,
            "The id can't be one, or an input has a value that it can't have.",
            "The `deployment_id` argument must begin with a letter or a digit.",
        )
        .fails(
            ErrorCode::NotFound,
            "There is no such blueprint or site.",
            "Requested `Blueprint` with ID `lighthouse` was not found",
        )
        .fails(
            ErrorCode::InvalidBlueprint,
            "The blueprint was not read well.",
            "Blueprint `lighthouse` is in state `failed_parsing`; deployments can be created once it is `uploaded`",
        )
        .fails(
            ErrorCode::MissingRequiredDeploymentInput,
            "An input without a default is missing.",
            "Required inputs `keeper` were not specified - expected inputs: keeper",
        )
        .fails(
            ErrorCode::UnknownDeploymentInput,
            "The blueprint has no such input.",
            "Unknown inputs `colour` specified - expected inputs: keeper",
        )
        .fails(
            ErrorCode::Conflict,
            "The id is used.",
            "<Deployment id=`harbour` tenant=`default_tenant`> already exists on <Tenant name=`default_tenant`> or with \
             global visibility",
        )
        .writes_manager()
        .answers(201, "The deployment.", reference("Deployment"), deployment())
}

fn change() -> Operation {
    call(Patch, "/deployments/{id}", "Change a deployment's name, labels or owner, or describe it.")
        .needs(DEPLOYMENT_UPDATE)
        .of(ID, "harbour")
        .takes(
            vec![
                text("display_name", "The name that people see."),
                labels("The labels, all of them; each `{key: value}`."),
                text("creator", "The user whose it is to be; needs the permission `set_owner`."),
                text("description", "What it is, where neither its blueprint nor a caller has said it."),
            ],
            json!({ "display_name": "The harbour" }),
        )
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::Conflict,
            "It has a description, or the call would change what a deployment has from its making.",
            "description is already set",
        )
        .fails(
            ErrorCode::DeploymentParentNotFound,
            "A label names a parent that there is not.",
            "Deployment harbour: is referencing deployments using label `csys-obj-parent` that does not exist, make sure \
             that deployment(s) coast exist before creating deployment",
        )
        .writes_manager()
        .answers_one("The deployment.", "Deployment", deployment())
}

fn delete() -> Operation {
    call(Delete, "/deployments/{id}", "Delete a deployment.")
        .about(
            "Refused while node instances live, unless `force` or `ignore_live_nodes` is given, in the query or the \
             body. The deployment leaves the list when its execution `delete_deployment_environment` has ended.",
        )
        .needs(DEPLOYMENT_DELETE)
        .of(ID, "harbour")
        .flag("force", "Whether it goes although node instances live.")
        .flag("ignore_live_nodes", "The older form of `force`.")
        .flag("delete_logs", "Whether the events and logs of its executions go too.")
        .takes(
            vec![
                flag("force", false, "Whether it goes although node instances live."),
                flag("ignore_live_nodes", false, "The older form of `force`."),
                flag("delete_logs", false, "Whether the events and logs of its executions go too."),
            ],
            json!({ "force": true }),
        )
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::DependentExists,
            "An execution runs, or node instances live.",
            "Can't delete deployment `harbour` - There are live nodes for this deployment. Live nodes ids: tower_vow1bsyg",
        )
        .writes_manager()
        .answers_one("The deployment.", "Deployment", deployment())
}

fn values(section: &str) -> serde_json::Value {
    json!({
        "type": "object",
        "properties": { "deployment_id": { "type": "string" }, section: { "type": "object" } },
        "required": ["deployment_id", section],
        "additionalProperties": false,
    })
}

fn outputs() -> Operation {
    call(Get, "/deployments/{id}/outputs", "Get the values of a deployment's outputs.")
        .about("As they are now. Secrets stay references.")
        .needs(DEPLOYMENT_GET)
        .of(ID, "harbour")
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::BadParameters,
            "An output can't be evaluated.",
            "failed to evaluate `get_attribute` in `outputs.keeper`: there is no node `gate`",
        )
        .answers(
            200,
            "The values by their names.",
            values("outputs"),
            json!({ "deployment_id": "harbour", "outputs": { "keeper": "nobody" } }),
        )
}

fn capabilities() -> Operation {
    call(Get, "/deployments/{id}/capabilities", "Get the values of a deployment's capabilities.")
        .about("As they are now. Secrets stay references.")
        .needs(DEPLOYMENT_GET)
        .of(ID, "harbour")
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::BadParameters,
            "A capability can't be evaluated.",
            "failed to evaluate `get_attribute` in `capabilities.light`: there is no node `gate`",
        )
        .answers(
            200,
            "The values by their names.",
            values("capabilities"),
            json!({ "deployment_id": "harbour", "capabilities": { "light": "Grün & weiß" } }),
        )
}

fn set_visibility() -> Operation {
    let call = call(Patch, "/deployments/{id}/set-visibility", "Let more callers see a deployment.")
        .about("Its nodes and node instances go with it.")
        .needs(DEPLOYMENT_UPDATE)
        .of(ID, "harbour")
        .finds(NOT_FOUND);
    widening(call, "The deployment.", "Deployment", &deployment())
}

fn set_site() -> Operation {
    let mut moved = deployment();
    moved["site_name"] = json!("north");
    call(Post, "/deployments/{id}/set-site", "Set or take away a deployment's site.")
        .needs(DEPLOYMENT_UPDATE)
        .of(ID, "harbour")
        .takes(
            vec![
                text("site_name", "The site where it stands."),
                flag("detach_site", false, "Whether it stands at none; needed where no site is named."),
            ],
            json!({ "site_name": "north" }),
        )
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::IllegalAction,
            "More callers see the deployment than the site.",
            "The visibility of deployment `harbour`: `global` can't be wider than the visibility of its site `north`: \
             `tenant`",
        )
        .writes_manager()
        .answers_one("The deployment.", "Deployment", moved)
}
