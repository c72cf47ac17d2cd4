//! The audit.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{AUDIT_LOG_TRUNCATE, AUDIT_LOG_VIEW};

use super::super::operation::Method::{Delete, Get};
use super::super::operation::{Operation, call, reference};
use super::Group;

pub(super) fn group() -> Group {
    Group {
        tag: "Audit",
        about: "Who did what that has to be accounted for: users, groups, tenants, permissions, tokens, secrets that left or came \
                in a file, maintenance, downloads and deletes of snapshots.",
        operations: vec![list(), follow(), truncate()],
    }
}

fn who(call: Operation) -> Operation {
    call.query("creator_name", json!({ "type": "string" }), "Only what this user did.").query(
        "execution_id",
        json!({ "type": "string" }),
        "Only what belongs to this execution.",
    )
}

fn list() -> Operation {
    let page = json!({
        "type": "object",
        "properties": {
            "items": { "type": "array", "items": schema() },
            "metadata": reference("ListMetadata"),
        },
        "required": ["items", "metadata"],
        "additionalProperties": false,
    });
    who(call(Get, "/audit", "List who did what.").needs(AUDIT_LOG_VIEW))
        .query("since", json!({ "type": "string" }), "Only what was done from this moment on.")
        .query(
            "order_by",
            json!({ "enum": ["created_at", "id", ""] }),
            "Both are the order in which it was done.",
        )
        .flag("desc", "Whether the newest come first.")
        .query(
            "offset",
            json!({ "type": "integer", "minimum": 0, "default": 0 }),
            "How many lines to pass over.",
        )
        .query(
            "size",
            json!({ "type": "integer", "minimum": 0, "default": 100 }),
            "The most lines to answer; 0: all.",
        )
        .fails(
            ErrorCode::BadParameters,
            "A parameter can't be used.",
            "`since` must be a time, e.g. `2027-03-01 14:52`, got soon",
        )
        .answers(
            200,
            "A part of the audit.",
            page,
            json!({
                "items": [example()],
                "metadata": { "pagination": { "total": 1, "size": 100, "offset": 0 }, "filtered": null },
            }),
        )
}

fn follow() -> Operation {
    who(call(Get, "/audit/stream", "Follow what is done, line by line as it is done.")
        .about("Each line is a JSON object as `/audit` lists it; empty lines come between. Lines from before are told \
                where `since` is given. It ends when the service stops, and after an hour.")
        .needs(AUDIT_LOG_VIEW))
    .query("since", json!({ "type": "string" }), "What was done from this moment on is told first.")
    .fails(
        ErrorCode::BadParameters,
        "The moment is none.",
        "`since` must be a time, e.g. `2027-03-01 14:52`, got soon",
    )
    .answers_file("The lines.", &["text/event-stream"], false)
}

fn truncate() -> Operation {
    who(call(Delete, "/audit", "Delete what is older than a moment. That it was done is kept.")
        .needs(AUDIT_LOG_TRUNCATE))
    .query("before", json!({ "type": "string" }), "The moment; it has to be there.")
    .fails(
        ErrorCode::BadParameters,
        "The moment is missing or none.",
        "`before` is missing: the time before which lines are deleted",
    )
    .answers(
        200,
        "How many lines are deleted.",
        json!({
            "type": "object",
            "properties": { "deleted": { "type": "integer", "minimum": 0 } },
            "required": ["deleted"],
            "additionalProperties": false,
        }),
        json!({ "deleted": 48 }),
    )
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "integer", "description": "Counts up." },
            "ref_table": { "type": "string", "description": "The kind of thing with which something was done." },
            "ref_id": { "type": "integer", "description": "The same as `id`." },
            "ref_identifier": {
                "type": "object",
                "description": "Which one, and in which tenant where it is in one.",
                "properties": { "id": { "type": "string" }, "tenant_name": { "type": ["string", "null"] } },
                "required": ["id"],
                "additionalProperties": false,
            },
            "operation": { "type": "string", "description": "`create`, `update`, `delete`, or what else was done." },
            "creator_name": { "type": "string", "description": "Who did it." },
            "execution_id": { "type": ["string", "null"], "description": "The execution to which it belongs." },
            "created_at": { "type": "string", "description": "When." },
            "details": { "type": ["object", "null"], "description": "What else is to be known." },
        },
        "required": [
            "id", "ref_table", "ref_id", "ref_identifier", "operation", "creator_name", "execution_id", "created_at",
            "details",
        ],
        "additionalProperties": false,
    })
}

fn example() -> Value {
    json!({
        "id": 7, "ref_table": "users", "ref_id": 7, "ref_identifier": { "id": "grace" }, "operation": "create",
        "creator_name": "admin", "execution_id": null, "created_at": "2027-03-01T02:00:00.000Z",
        "details": { "role": "default" },
    })
}
