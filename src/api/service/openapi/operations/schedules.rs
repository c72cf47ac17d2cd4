//! Execution schedules.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{SCHEDULE_CREATE, SCHEDULE_GET, SCHEDULE_LIST};
use crate::manager::EXECUTION_SCHEDULES;

use super::super::operation::Method::{Delete, Get, Patch, Put};
use super::super::operation::{Field, Operation, call, field, flag, list, object, reference, text};
use super::Group;

const NAME: &str = "The schedule's name, one of its own for each deployment.";
const EXAMPLE: &str = "nightly";
const NOT_FOUND: &str = "Requested `ExecutionSchedule` with ID `nightly` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Execution schedules",
        about: "Workflows of deployments that start at times to come, once or again and again. An occurrence starts its \
                execution once: a restart, a restore and a rollback do not start it again. One that was missed, \
                because the service was down or writers were kept out, still starts within its `slip` and a minute.",
        operations: vec![list_all(), get(), create(), change(), delete()],
    }
}

fn example() -> Value {
    json!({
        "visibility": "tenant",
        "created_at": "2026-11-01T08:30:12.123Z",
        "id": EXAMPLE,
        "next_occurrence": "2026-11-03T02:00:00.000Z",
        "since": "2026-11-02T02:00:00.000Z",
        "until": null,
        "rule": { "recurrence": "1 day", "count": null, "weekdays": null },
        "slip": 30,
        "workflow_id": "heal",
        "parameters": {},
        "execution_arguments": {},
        "stop_on_fail": false,
        "enabled": true,
        "deployment_id": "harbour",
        "latest_execution_status": "terminated",
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
        "all_next_occurrences": ["2026-11-03 02:00:00", "2026-11-04 02:00:00"],
        "latest_execution": "019ca6b1-6959-71a1-9ad5-b47f52560783",
        "recurrence": "1 day",
    })
}

fn rule_fields() -> Vec<Field> {
    let moment = || json!({ "type": ["string", "null"], "format": "date-time" });
    vec![
        field("since", moment(), "The earliest occurrence, in UTC."),
        field("until", moment(), "The latest occurrence, in UTC."),
        text(
            "recurrence",
            "The time from one occurrence to the next: a number and `seconds`, `minutes`, `hours`, `days`, `weeks`, `months` or `years`.",
        ),
        field(
            "count",
            json!({ "type": ["integer", "string", "null"] }),
            "How many occurrences there are at the most.",
        ),
        list(
            "weekdays",
            "The weekdays of occurrences: `MO` to `SU`; of months and years also the first (`1MO`) to the fourth and the last (`L-MO`).",
        ),
        text("rrule", "A rule of iCalendar (RFC 5545) in place of `recurrence`, `count` and `weekdays`."),
        field(
            "slip",
            json!({ "type": ["integer", "string", "null"], "minimum": 0 }),
            "How many minutes late an occurrence may still start.",
        ),
        flag("stop_on_fail", false, "Whether the schedule is disabled once an execution has failed."),
        flag("enabled", true, "Whether the schedule is followed."),
    ]
}

/// What can be wrong with a rule, and the query that every call on one schedule needs.
fn of_deployment(operation: Operation) -> Operation {
    operation
        .query("deployment_id", json!({ "type": "string" }), "The deployment to which it belongs. Needed.")
        .fails(
            ErrorCode::BadParameters,
            "The query does not name the deployment.",
            "Missing required parameter deployment_id in the query string",
        )
}

fn takes_rule(operation: Operation) -> Operation {
    operation.fails(
        ErrorCode::BadParameters,
        "The rule can't be followed.",
        "recurrence must be specified for execution count larger than 1",
    )
}

fn list_all() -> Operation {
    call(Get, "/execution-schedules", "List execution schedules.")
        .needs(SCHEDULE_LIST)
        .lists(&EXECUTION_SCHEDULES)
        .of_all_tenants()
        .answers_page("ExecutionSchedule", example())
}

fn get() -> Operation {
    of_deployment(call(Get, "/execution-schedules/{id}", "Get an execution schedule."))
        .needs(SCHEDULE_GET)
        .of(NAME, EXAMPLE)
        .includes(&EXECUTION_SCHEDULES)
        .finds(NOT_FOUND)
        .answers_one("The schedule.", "ExecutionSchedule", example())
}

fn create() -> Operation {
    let mut fields = vec![
        text("workflow_id", "The workflow to start.").required(),
        object("parameters", "The values of the workflow's parameters."),
        object(
            "execution_arguments",
            "`allow_custom_parameters`, `force`, `dry_run`, `wait_after_fail`: how it is started.",
        ),
        text("created_by", "Whose it is; only for sys_admins."),
        text("created_at", "When it was made; only for sys_admins."),
    ];
    fields.extend(rule_fields());
    takes_rule(of_deployment(call(Put, "/execution-schedules/{id}", "Create an execution schedule.")))
        .about("From then on the service starts the workflow at each occurrence.")
        .needs(SCHEDULE_CREATE)
        .of(NAME, EXAMPLE)
        .takes(fields, json!({ "workflow_id": "heal", "since": "2026-11-02T02:00:00", "recurrence": "1 day", "slip": 30 }))
        .fails(
            ErrorCode::NotFound,
            "There is no such deployment.",
            "Requested `Deployment` with ID `harbour` was not found",
        )
        .fails(
            ErrorCode::NonexistentWorkflow,
            "The deployment has no such workflow.",
            "Workflow heal does not exist in deployment harbour",
        )
        .fails(
            ErrorCode::Conflict,
            "The deployment has a schedule of this name.",
            "<ExecutionSchedule id=`nightly` tenant=`default_tenant`> already exists on \
             <Tenant name=`default_tenant`> or with global visibility",
        )
        .writes_manager()
        .answers(201, "The schedule.", reference("ExecutionSchedule"), example())
}

fn change() -> Operation {
    let mut fields = vec![text("workflow_id", "The workflow to start.")];
    fields.extend(rule_fields());
    takes_rule(of_deployment(call(Patch, "/execution-schedules/{id}", "Change an execution schedule.")))
        .about("What is not named stays as it was.")
        .needs(SCHEDULE_CREATE)
        .of(NAME, EXAMPLE)
        .takes(fields, json!({ "enabled": false }))
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::NonexistentWorkflow,
            "The deployment has no such workflow.",
            "Workflow heal does not exist in deployment harbour",
        )
        .writes_manager()
        .answers(201, "The schedule.", reference("ExecutionSchedule"), example())
}

fn delete() -> Operation {
    of_deployment(call(Delete, "/execution-schedules/{id}", "Delete an execution schedule."))
        .about("The executions that it started stay.")
        .needs(SCHEDULE_CREATE)
        .of(NAME, EXAMPLE)
        .finds(NOT_FOUND)
        .writes_manager()
        .answers_nothing("It is gone.")
}
