//! Execution groups.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    EXECUTION_GROUP_CANCEL, EXECUTION_GROUP_CREATE, EXECUTION_GROUP_GET, EXECUTION_GROUP_LIST,
    EXECUTION_GROUP_UPDATE,
};
use crate::manager::EXECUTION_GROUPS;

use super::super::operation::Method::{Get, Patch, Post};
use super::super::operation::{Field, Operation, call, choice, field, flag, list, object, text};
use super::Group;

const NAME: &str = "The group's id.";
const EXAMPLE: &str = "9f1c1c52-52a5-4d0b-9a58-6f3f1f6f2f10";
const NOT_FOUND: &str =
    "Requested `ExecutionGroup` with ID `9f1c1c52-52a5-4d0b-9a58-6f3f1f6f2f10` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Execution groups",
        about: "A workflow run on every deployment of a deployment group, so many at a time.",
        operations: vec![list_all(), get(), start(), act(), change()],
    }
}

fn example() -> Value {
    json!({
        "visibility": "tenant",
        "created_at": "2026-11-01T08:30:12.123Z",
        "id": EXAMPLE,
        "workflow_id": "install",
        "concurrency": 5,
        "execution_ids": ["019ca6b1-6959-71a1-9ad5-b47f52560783"],
        "deployment_group_id": "coast",
        "status": "started",
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
        "success_group_id": null,
        "failure_group_id": null,
    })
}

fn concurrency() -> Field {
    field(
        "concurrency",
        json!({ "type": ["integer", "string", "null"], "minimum": 1 }),
        "How many executions run beside each other; 5 where absent.",
    )
}

fn list_all() -> Operation {
    call(Get, "/execution-groups", "List execution groups.")
        .needs(EXECUTION_GROUP_LIST)
        .lists(&EXECUTION_GROUPS)
        .of_all_tenants()
        .answers_page("ExecutionGroup", example())
}

fn get() -> Operation {
    call(Get, "/execution-groups/{id}", "Get an execution group.")
        .needs(EXECUTION_GROUP_GET)
        .of(NAME, EXAMPLE)
        .includes(&EXECUTION_GROUPS)
        .finds(NOT_FOUND)
        .answers_one("The group.", "ExecutionGroup", example())
}

fn start() -> Operation {
    call(Post, "/execution-groups", "Start a workflow on every deployment of a deployment group.")
        .about("At most `concurrency` of the executions run beside each other; the others wait as `queued`.")
        .needs(EXECUTION_GROUP_CREATE)
        .takes(
            vec![
                text("deployment_group_id", "The deployment group.").required(),
                text("workflow_id", "The workflow. A deployment that has not this one is told in the group's log.").required(),
                object("default_parameters", "The values of the workflow's parameters."),
                object("parameters", "The same by deployment, before the default ones."),
                concurrency(),
                flag("force", false, "Whether an execution starts although another one of its deployment runs."),
                list("associated_executions", "Executions that there are already: nothing is started; only for sys_admins."),
                text("id", "The id that it had before; only for sys_admins."),
                text("created_by", "Whose it is; only for sys_admins."),
                text("created_at", "When it was made; only for sys_admins."),
            ],
            json!({ "deployment_group_id": "coast", "workflow_id": "install", "concurrency": 5 }),
        )
        .fails(
            ErrorCode::NotFound,
            "There is no such deployment group.",
            "Requested `DeploymentGroup` with ID `coast` was not found",
        )
        .fails(
            ErrorCode::Conflict,
            "The id is taken.",
            "<ExecutionGroup id=`a` tenant=`default_tenant`> already exists on <Tenant name=`default_tenant`> or with \
             global visibility",
        )
        .fails(
            ErrorCode::IllegalExecutionParameters,
            "A parameter is missing, not declared, or of another type: nothing is started.",
            "Workflow \"scale\" must be provided with the following parameters to execute: scalable_entity_name",
        )
        .fails(
            ErrorCode::IllegalAction,
            "The workflow can't be started by itself.",
            "the workflow `create_deployment_environment` runs when its deployment is made or deleted, and can't be \
             started by itself",
        )
        .writes_manager()
        .answers_one("The group.", "ExecutionGroup", example())
}

fn act() -> Operation {
    let actions = ["cancel", "force-cancel", "kill", "resume", "force-resume"];
    call(Post, "/execution-groups/{id}", "Cancel or resume the executions of an execution group.")
        .about("`cancel`, `force-cancel`, `kill`, `resume` and `force-resume`.")
        .needs(EXECUTION_GROUP_CANCEL)
        .of(NAME, EXAMPLE)
        .takes(vec![choice("action", &actions, "What to do.").required()], json!({ "action": "cancel" }))
        .finds(NOT_FOUND)
        .writes_manager()
        .answers_one("The group.", "ExecutionGroup", example())
}

fn change() -> Operation {
    call(Patch, "/execution-groups/{id}", "Change an execution group.")
        .about(
            "Deployments whose execution ended well come into `success_group_id`, those whose execution failed into \
             `failure_group_id`, those that have ended already among them.",
        )
        .needs(EXECUTION_GROUP_UPDATE)
        .of(NAME, EXAMPLE)
        .takes(
            vec![
                text("success_group_id", "The deployment group for those that ended well."),
                text("failure_group_id", "The deployment group for those that failed."),
                concurrency(),
            ],
            json!({ "success_group_id": "lit", "failure_group_id": "dark" }),
        )
        .finds(NOT_FOUND)
        .writes_manager()
        .answers_one("The group.", "ExecutionGroup", example())
}
