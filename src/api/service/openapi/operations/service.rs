//! The service's own calls.

use serde_json::json;

use crate::api::ErrorCode;
use crate::model::Permission;

use super::super::examples::execution;
use super::super::flow_examples::{FLOW, dead_letter};
use super::super::operation::Method::{Delete, Get, Post};
use super::super::operation::{Operation, call, flag, reference, text};
use super::Group;

pub(super) fn group() -> Group {
    Group {
        tag: "Service",
        about: "What Lifeboat adds to Cloudify's calls: its health, the way back from a restore, one flow out of a snapshot, \
                and the broker's messages that could not be used.",
        operations: vec![health(), rollback(), restore_flow(), dead_letters(), forget_dead_letters()],
    }
}

fn health() -> Operation {
    call(Get, "/service/health", "Tell whether the service works.")
        .about(
            "Needs no login. 200 where requests and jobs are served; 503 where a human has to look. `amqp` tells whether \
             the service takes messages from the broker: `off` where none is set. While it is `disconnected` all else is \
             served, and the broker is tried again and again.",
        )
        .at_root()
        .needs_no_login()
        .fails(
            ErrorCode::ServiceUnavailable,
            "A restore was interrupted, and somebody has to decide how to go on.",
            "a restore was interrupted and can't be recovered by itself: see the service's log",
        )
        .answers(
            200,
            "It works.",
            json!({
                "type": "object",
                "properties": {
                    "status": { "const": "ok" },
                    "lifeboat_version": { "type": "string" },
                    "amqp": { "enum": ["off", "connected", "disconnected"] },
                },
                "required": ["status", "lifeboat_version", "amqp"],
                "additionalProperties": false,
            }),
            json!({ "status": "ok", "lifeboat_version": env!("CARGO_PKG_VERSION"), "amqp": "connected" }),
        )
}

fn rollback() -> Operation {
    call(Post, "/service/rollback", "Undo the last restore.")
        .about(
            "The state before it comes back, and what it replaces is kept: the same call again undoes the undoing. \
             Records an execution and returns at once; where there is nothing to undo, that execution fails.",
        )
        .at_root()
        .needs(Permission::system("snapshot_restore"))
        .flag("queue", "Whether it waits for what is running, instead of being refused.")
        .fails(
            ErrorCode::ExistingRunningExecution,
            "Another execution is active and `queue` was not asked for.",
            "Cannot start execution because there are other executions running e.g.: \
             019ca6b1-6959-71a1-9ad5-b47f52560783",
        )
        .answers_one("The execution that undoes it.", "Execution", execution("rollback", &json!({})))
}

fn restore_flow() -> Operation {
    let parameters = json!({ "flow_id": FLOW, "force": false, "snapshot_id": "nightly" });
    call(Post, "/service/snapshots/{id}/restore-flow", "Restore one flow out of a manager snapshot.")
        .about(
            "Records an execution and returns at once. The flow comes back stopped, with the snapshots of its steps and \
             its captures; everything else stays as it is. An existing flow of this id is replaced only with `force`, and \
             only while it is stopped; what happens to its step snapshots is one change, which can be undone. What keeps \
             it from happening fails the execution.",
        )
        .at_root()
        .needs(Permission::system("snapshot_restore"))
        .of("The snapshot's id.", "nightly")
        .takes(
            vec![
                text("flow_id", "The flow's id, as it was in the archive.").required(),
                flag("force", false, "Whether an existing flow of this id is replaced."),
            ],
            json!({ "flow_id": FLOW }),
        )
        .finds("Requested `Snapshot` with ID `nightly` was not found")
        .fails(ErrorCode::SnapshotAction, "It has no archive.", "Failed snapshot cannot be restored")
        .fails(
            ErrorCode::ExistingRunningExecution,
            "A restore or rollback is active. No record is left.",
            "Cannot start execution because there are other executions running e.g.: \
             019ca6b1-6959-71a1-9ad5-b47f52560783",
        )
        .answers_one("The execution that restores the flow.", "Execution", execution("restore_flow", &parameters))
}

fn dead_letters() -> Operation {
    call(Get, "/service/dead-letters", "List messages that could not be used.")
        .about(
            "Messages of the broker. The newest first, with the beginning of their bodies; the last are kept, as many as \
             the setting `flows.dead_letters` says. `counts` tells how many there were ever, by reason.",
        )
        .at_root()
        .needs(Permission::system("dead_letter_list"))
        .in_slices()
        .answers(
            200,
            "A page of the list.",
            reference("DeadLetterPage"),
            json!({
                "items": [dead_letter()],
                "metadata": { "pagination": { "total": 1, "size": 1000, "offset": 0 } },
                "counts": { "not_json": 2, "unknown_step": 1 },
            }),
        )
}

fn forget_dead_letters() -> Operation {
    call(Delete, "/service/dead-letters", "Forget messages that could not be used.")
        .about("The counts stay.")
        .at_root()
        .needs(Permission::system("dead_letter_delete"))
        .answers(
            200,
            "They are gone.",
            json!({
                "type": "object",
                "properties": {
                    "deleted": { "type": "integer", "minimum": 0, "description": "How many there were." },
                },
                "required": ["deleted"],
                "additionalProperties": false,
            }),
            json!({ "deleted": 1 }),
        )
}
