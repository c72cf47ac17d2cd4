//! Executions and their events.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::executions::events::EVENTS;
use crate::executions::table::EXECUTIONS;
use crate::model::{Permission, TenantRole};

use super::super::examples::{ended_execution, event, workflow_execution};
use super::super::operation::Method::{Delete, Get, Post};
use super::super::operation::{Operation, call, choice, field, flag, object, reference, text};
use super::Group;

const ID: &str = "019ca6b1-6959-71a1-9ad5-b47f52560783";
const NOT_FOUND: &str = "Requested `Execution` with ID `019ca6b1-6959-71a1-9ad5-b47f52560783` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Executions",
        about: "The jobs of the service and the workflows of deployments, with their progress, events and logs.",
        operations: vec![list(), get(), start(), act(), events(), delete(), delete_events()],
    }
}

fn list() -> Operation {
    call(Get, "/executions", "List executions.")
        .about(
            "Those of the service and those of deployments in one list. System workflows are hidden unless \
             `_include_system_workflows` or a filter on `is_system_workflow` asks for them.",
        )
        .needs(Permission::tenant("execution_list", TenantRole::Viewer))
        .lists(&EXECUTIONS)
        .of_all_tenants()
        .query("_group_id", json!({ "type": "string" }), "The execution group to which they belong.")
        .flag("_include_system_workflows", "Whether system workflows (such as `create_snapshot`) are listed.")
        .answers_page("Execution", ended_execution())
}

fn get() -> Operation {
    call(Get, "/executions/{id}", "Get an execution.")
        .about("`phase`, `done_bytes`, `total_bytes` and the operations tell how far it is; `report` what it did.")
        .needs(Permission::tenant("execution_list", TenantRole::Viewer))
        .of("The execution's id.", ID)
        .includes(&EXECUTIONS)
        .finds(NOT_FOUND)
        .answers_one("The execution.", "Execution", ended_execution())
}

fn start() -> Operation {
    call(Post, "/executions", "Start a workflow of a deployment.")
        .about(
            "The embedded manager keeps the states of node instances; operations of plugins are told and not run.",
        )
        .needs(Permission::tenant("execution_start", TenantRole::Operations))
        .takes(
            vec![
                text("deployment_id", "The deployment.").required(),
                text("workflow_id", "The workflow, by its name in the blueprint.").required(),
                object("parameters", "The values of the workflow's parameters."),
                flag("allow_custom_parameters", false, "Whether parameters are taken that are not declared."),
                flag("force", false, "Whether it starts although another execution of the deployment runs."),
                flag("dry_run", false, "Whether its steps are only told."),
                flag("queue", false, "Whether it waits for another execution of the deployment."),
                field(
                    "scheduled_time",
                    json!({ "type": ["string", "null"] }),
                    "When to start: `202612312359+0000`, or in ISO 8601.",
                ),
            ],
            json!({ "deployment_id": "harbour", "workflow_id": "install", "parameters": {} }),
        )
        .fails(
            ErrorCode::NotFound,
            "There is no such deployment.",
            "Requested `Deployment` with ID `harbour` was not found",
        )
        .fails(
            ErrorCode::NonexistentWorkflow,
            "The deployment has no such workflow.",
            "Workflow install does not exist in deployment harbour",
        )
        .fails(
            ErrorCode::IllegalExecutionParameters,
            "A parameter is missing, not declared, or of another type.",
            "Workflow \"scale\" must be provided with the following parameters to execute: scalable_entity_name",
        )
        .fails(
            ErrorCode::ExistingRunningExecution,
            "Another execution of the deployment runs, and neither `force` nor `queue` was asked for.",
            "The following executions are currently running for this deployment: \
             019ca6b1-6959-71a1-9ad5-b47f52560783",
        )
        .fails(
            ErrorCode::DeploymentEnvironmentCreationInProgress,
            "The deployment's environment is still being made, and neither `force` nor `queue` was asked for.",
            "The environment of the deployment `harbour` is still being made: try again when it is",
        )
        .writes_manager()
        .answers(201, "The execution.", reference("Execution"), workflow_execution())
}

fn act() -> Operation {
    let mut cancelling = ended_execution();
    cancelling["status"] = json!("cancelling");
    cancelling["status_display"] = json!("cancelling");
    cancelling["ended_at"] = json!(null);
    cancelling["report"] = json!(null);
    call(Post, "/executions/{id}", "Cancel or resume an execution.")
        .about(
            "`cancel`, `force-cancel` and `kill`. A cancel is honoured within a second and leaves nothing behind. \
             Executions of the service itself can be cancelled only by a sys_admin. `resume` and `force-resume` let one \
             of a deployment run again that failed or was cancelled.",
        )
        .needs(Permission::tenant("execution_cancel", TenantRole::Operations))
        .of("The execution's id.", ID)
        .takes(
            vec![choice("action", &["cancel", "force-cancel", "kill", "resume", "force-resume"], "What to do.").required()],
            json!({ "action": "cancel" }),
        )
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::IllegalAction,
            "It has ended, is being cancelled already, or is past the point from which it can be stopped.",
            "Can't cancel execution 019ca6b1-6959-71a1-9ad5-b47f52560783 because it's in status terminated",
        )
        .fails(
            ErrorCode::Conflict,
            "It is to be resumed and has neither failed nor been cancelled.",
            "Cannot resume execution: `019ca6b1-6959-71a1-9ad5-b47f52560783` in state: `terminated`",
        )
        .answers_one("The execution as it stands now.", "Execution", cancelling)
}

fn events() -> Operation {
    let moment = || json!({ "type": "string", "format": "date-time" });
    call(Get, "/events", "List events and logs.")
        .about(
            "Follow an execution with `execution_id`, `_sort=reported_timestamp` and a growing `_offset`. \
             `type=cloudify_event` leaves the logs out.",
        )
        .needs(Permission::tenant("event_list", TenantRole::Viewer))
        .lists(&EVENTS)
        .of_all_tenants()
        .query("_range", json!({ "type": "string" }), "Both times in one: `@timestamp,<earliest>,<latest>`.")
        .query("node_id", json!({ "type": "string" }), "The same filter as `node_name`.")
        .query("from_datetime", moment(), "The earliest time.")
        .query("to_datetime", moment(), "The latest time.")
        .query(
            "message",
            json!({ "type": "string" }),
            "A text that has to occur in the message, `%` for anything.",
        )
        .query(
            "execution_group_id",
            json!({ "type": "string" }),
            "The execution group to which they or their executions belong.",
        )
        .query("include_logs", json!({ "type": "string" }), "Has no effect; `type` chooses.")
        .answers_page("Event", event())
}

/// A count as the one item of a list.
fn counted(call: Operation, item: &Value) -> Operation {
    let schema = json!({
        "type": "object",
        "properties": { "items": { "type": "array" }, "metadata": reference("ListMetadata") },
        "required": ["items", "metadata"],
    });
    let example = json!({
        "items": [item],
        "metadata": { "pagination": { "total": 1, "size": 1, "offset": 0 }, "filtered": null },
    });
    call.answers(200, "How many were deleted.", schema, example)
}

fn delete() -> Operation {
    let call = call(Delete, "/executions", "Delete ended executions.")
        .about(
            "`keep_last` keeps the youngest, `to_datetime` those recorded later; filters of the list choose among them. The \
             execution that made a deployment stays as long as the deployment does, and so do executions of the service.",
        )
        .needs(Permission::tenant("execution_delete", TenantRole::Operations))
        .lists(&EXECUTIONS)
        .of_all_tenants()
        .takes(
            vec![
                field("keep_last", json!({ "type": ["integer", "string", "null"] }), "How many of them stay."),
                text("to_datetime", "The moment up to which they go."),
            ],
            json!({ "keep_last": 100 }),
        )
        .fails(
            ErrorCode::BadParameters,
            "Neither or both of `keep_last` and `to_datetime`.",
            "Must provide either a `to_datetime` timestamp or a `keep_last` number of executions to keep",
        )
        .writes_manager();
    counted(call, &json!({ "count": 12 }))
}

fn delete_events() -> Operation {
    let moment = || json!({ "type": "string", "format": "date-time" });
    let call = call(Delete, "/events", "Delete the events and logs of a deployment's executions.")
        .about(
            "The same parameters as those of the list choose; events of the service's own executions stay.",
        )
        .needs(Permission::tenant("event_delete", TenantRole::Operations))
        .lists(&EVENTS)
        .query("deployment_id", json!({ "type": "string" }), "The deployment; it has to be named.")
        .query("_range", json!({ "type": "string" }), "Both times in one: `@timestamp,<earliest>,<latest>`.")
        .query("node_id", json!({ "type": "string" }), "The same filter as `node_name`.")
        .query("from_datetime", moment(), "The earliest time.")
        .query("to_datetime", moment(), "The latest time.")
        .query("message", json!({ "type": "string" }), "A text that has to occur, `%` for anything.")
        .fails(
            ErrorCode::NotFound,
            "There is no such deployment.",
            "Requested `Deployment` with ID `harbour` was not found",
        )
        .writes_manager();
    counted(call, &json!(37))
}
