//! Deployment groups.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    DEPLOYMENT_GROUP_CREATE, DEPLOYMENT_GROUP_DELETE, DEPLOYMENT_GROUP_GET, DEPLOYMENT_GROUP_LIST,
    DEPLOYMENT_GROUP_UPDATE,
};
use crate::manager::DEPLOYMENT_GROUPS;

use super::super::operation::Method::{Delete, Get, Patch, Put};
use super::super::operation::{Field, Operation, call, field, labels, list, object, text};
use super::Group;

const NAME: &str = "The group's id.";
const EXAMPLE: &str = "coast";
const NOT_FOUND: &str = "Requested `DeploymentGroup` with ID `coast` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Deployment groups",
        about: "Deployments that are kept, labelled and worked on together, and that a group makes from its blueprint.",
        operations: vec![list_all(), get(), put(), change(), delete()],
    }
}

fn example() -> Value {
    json!({
        "visibility": "tenant",
        "created_at": "2026-11-01T08:30:12.123Z",
        "id": EXAMPLE,
        "description": "All along the coast.",
        "default_inputs": { "keeper": "Ada" },
        "creation_counter": 0,
        "deployment_ids": ["harbour", "cape"],
        "default_blueprint_id": "lighthouse",
        "labels": [{ "key": "sea", "value": "north", "created_at": "2026-11-01T08:30:12.123Z", "created_by": "admin" }],
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
    })
}

fn members() -> Vec<Field> {
    vec![
        list("deployment_ids", "Deployments by their ids."),
        text("filter_id", "Deployments that a saved filter chooses."),
        list("filter_rules", "Deployments that these rules choose."),
        text("deployments_from_group", "The deployments of another group."),
        list(
            "new_deployments",
            "Deployments to make from the group's blueprint and inputs, each `{id, inputs, labels, display_name, \
             site_name}`; in ids `{uuid}`, `{count}`, `{group_id}` and `{blueprint_id}` are filled in.",
        ),
    ]
}

fn fails_by_members(operation: Operation) -> Operation {
    operation
        .fails(
            ErrorCode::NotFound,
            "A deployment, filter, group or blueprint that is named is not there.",
            "Requested `Deployment` with ID `cape` was not found",
        )
        .fails(
            ErrorCode::Conflict,
            "Deployments are to be made and the group has no blueprint, or an id is taken.",
            "Cannot create deployments: group coast has no default blueprint set",
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
            "Blueprint `lighthouse` is in state `parsing`; deployments can be created once it is `uploaded`",
        )
        .writes_manager()
}

fn list_all() -> Operation {
    call(Get, "/deployment-groups", "List deployment groups.")
        .needs(DEPLOYMENT_GROUP_LIST)
        .lists(&DEPLOYMENT_GROUPS)
        .of_all_tenants()
        .answers_page("DeploymentGroup", example())
}

fn get() -> Operation {
    call(Get, "/deployment-groups/{id}", "Get a deployment group.")
        .needs(DEPLOYMENT_GROUP_GET)
        .of(NAME, EXAMPLE)
        .includes(&DEPLOYMENT_GROUPS)
        .finds(NOT_FOUND)
        .answers_one("The group.", "DeploymentGroup", example())
}

fn put() -> Operation {
    let mut fields = vec![
        text("visibility", "Who sees it: `private`, `tenant` or `global`."),
        text("description", "What it is for."),
        text("blueprint_id", "The blueprint of deployments that it makes."),
        object("default_inputs", "The inputs of deployments that it makes."),
        labels("Its labels; all its deployments get them."),
        text("created_by", "Whose it is; only for sys_admins."),
        text("created_at", "When it was made; only for sys_admins."),
        field(
            "creation_counter",
            json!({ "type": ["integer", "null"] }),
            "How many deployments it has made; only for sys_admins.",
        ),
    ];
    fields.extend(members());
    fails_by_members(call(
        Put,
        "/deployment-groups/{id}",
        "Create a deployment group, or change an existing one.",
    ))
    .about("Where deployments are named, those that are not leave the group. All or nothing.")
    .needs(DEPLOYMENT_GROUP_CREATE)
    .of(NAME, EXAMPLE)
    .takes(fields, json!({ "description": "All along the coast.", "deployment_ids": ["harbour", "cape"] }))
    .answers_one("The group.", "DeploymentGroup", example())
}

fn change() -> Operation {
    let title = "Add deployments to a deployment group, or remove some from it.";
    fails_by_members(call(Patch, "/deployment-groups/{id}", title))
        .needs(DEPLOYMENT_GROUP_UPDATE)
        .of(NAME, EXAMPLE)
        .takes(
            vec![
                object(
                    "add",
                    "What comes in: `deployment_ids`, `filter_id`, `filter_rules`, `deployments_from_group`, `new_deployments`.",
                ),
                object(
                    "remove",
                    "What leaves: `deployment_ids`, `filter_id`, `filter_rules`, `deployments_from_group`.",
                ),
            ],
            json!({ "add": { "deployment_ids": ["cape"] } }),
        )
        .answers_one("The group.", "DeploymentGroup", example())
}

fn delete() -> Operation {
    call(Delete, "/deployment-groups/{id}", "Delete a deployment group.")
        .about("Its deployments stay, unless `delete_deployments` says that they go with it, all or none.")
        .needs(DEPLOYMENT_GROUP_DELETE)
        .of(NAME, EXAMPLE)
        .flag("delete_deployments", "Whether its deployments are deleted too.")
        .flag("force", "Whether they are deleted although node instances live or others depend on them.")
        .flag("delete_logs", "Whether the events and logs of their executions go too.")
        .flag("recursive", "Has no effect: deployments have none below them.")
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::DependentExists,
            "One of its deployments can't be deleted; none is.",
            "Can't delete deployment `cape` - There are live nodes for this deployment. Live nodes ids: lamp_x1y2z3a4",
        )
        .writes_manager()
        .answers_nothing("It is gone.")
}
