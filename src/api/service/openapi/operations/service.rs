//! The service's own calls.

use serde_json::json;

use crate::api::ErrorCode;
use crate::model::Permission;

use super::super::examples::execution;
use super::super::operation::Method::{Get, Post};
use super::super::operation::{Operation, call};
use super::Group;

pub(super) fn group() -> Group {
    Group {
        tag: "Service",
        about: "What Lifeboat adds to Cloudify's calls: its health, and the way back from a restore.",
        operations: vec![health(), rollback()],
    }
}

fn health() -> Operation {
    call(Get, "/service/health", "Tell whether the service works.")
        .about("Needs no login. 200 where requests and jobs are served; 503 where a human has to look.")
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
                "properties": { "status": { "const": "ok" }, "lifeboat_version": { "type": "string" } },
                "required": ["status", "lifeboat_version"],
                "additionalProperties": false,
            }),
            json!({ "status": "ok", "lifeboat_version": env!("CARGO_PKG_VERSION") }),
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
