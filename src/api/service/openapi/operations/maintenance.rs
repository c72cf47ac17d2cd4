//! The maintenance mode.

use serde_json::{Value, json};

use crate::api::cloudify::permissions::{MAINTENANCE_MODE_GET, MAINTENANCE_MODE_SET};

use super::super::operation::Method::{Get, Post};
use super::super::operation::{Operation, call};
use super::Group;

pub(super) fn group() -> Group {
    Group {
        tag: "Maintenance",
        about: "In maintenance nothing changes the manager's state but a restore. Who asks for it is answered at once: new work \
                is refused with `entering_maintenance_mode`, and when what runs has ended, most calls are refused with \
                `maintenance_mode_active`; what is queued waits until it ends. `x-maintenance` says of each call what becomes \
                of it. Flows and charts can still be read, not written: runtimes that publish over AMQP are waited for, those \
                that call by HTTP are told to try again. The header `X-BYPASS-MAINTENANCE: true` lets a caller through who \
                has the permission `maintenance_mode_set`. It outlives a restart.",
        operations: vec![get(), activate(), deactivate()],
    }
}

fn get() -> Operation {
    call(Get, "/maintenance", "Get the maintenance mode.")
        .about("While a restore or rollback keeps writers out, `status` is `activated`, too.")
        .needs(MAINTENANCE_MODE_GET)
        .answers(200, "The mode.", schema(), example("deactivated"))
}

fn activate() -> Operation {
    call(Post, "/maintenance/activate", "Ask for maintenance: it is there when what runs has ended.")
        .needs(MAINTENANCE_MODE_SET)
        .answers(200, "The mode.", schema(), example("activated"))
        .or_unmodified("It was asked for already.")
}

fn deactivate() -> Operation {
    call(Post, "/maintenance/deactivate", "End the maintenance: what was queued meanwhile runs.")
        .needs(MAINTENANCE_MODE_SET)
        .answers(200, "The mode.", schema(), example("deactivated"))
        .or_unmodified("There is no maintenance.")
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "status": { "enum": ["activated", "activating", "deactivated"] },
            "activated_at": { "type": "string", "description": "Since when it is there; empty where it is not." },
            "remaining_executions": {
                "type": ["array", "null"],
                "description": "The executions that have to end first, while it is activating.",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": { "type": "string" },
                        "status": { "type": "string" },
                        "deployment_id": { "type": ["string", "null"] },
                        "workflow_id": { "type": "string" },
                    },
                    "required": ["id", "status", "deployment_id", "workflow_id"],
                    "additionalProperties": false,
                },
            },
            "requested_by": { "type": "string", "description": "Who asked for it; empty where nobody did." },
            "activation_requested_at": { "type": "string", "description": "When; empty where nobody did." },
        },
        "required": [
            "status", "activated_at", "remaining_executions", "requested_by", "activation_requested_at"
        ],
        "additionalProperties": false,
    })
}

fn example(status: &str) -> Value {
    let (at, by) = if status == "activated" { ("2027-03-01T02:00:00.000Z", "admin") } else { ("", "") };
    json!({
        "status": status, "activated_at": at, "remaining_executions": null, "requested_by": by,
        "activation_requested_at": at,
    })
}
