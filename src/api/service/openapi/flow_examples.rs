//! One flow and what belongs to it as the service answers them, for the examples of the document.
//!
//! The flow `Tide reports` watches the tides and gives signals: the steps `watch` and `signal`.

use serde_json::{Value, json};

/// The id of the flow.
pub(super) const FLOW: &str = "69a39da0c2d4f5a6b7c8d9e1";
/// The step that has a snapshot.
pub(super) const STEP: &str = "watch";
/// The id of the capture.
pub(super) const CAPTURE: &str = "69a4e6a0d1e2f3a4b5c6d7e8";

const CREATED: &str = "2026-03-01T02:00:00.121Z";
const LATER: &str = "2026-03-02T01:24:00.347Z";
const EXECUTION: &str = "019cac3d-5f7b-7aa2-8d0e-5c1f2b3a4d6e";

/// The graph.
pub(super) fn graph() -> Value {
    json!({
        "nodes": [
            { "id": STEP, "command": "tides:watch", "fields": { "harbour": "north" } },
            { "id": "signal", "command": "lamp:signal", "fields": {} },
        ],
        "edges": [{ "source": STEP, "target": "signal" }],
    })
}

/// The value of the step's snapshot.
pub(super) fn value() -> Value {
    json!({ "last_seen": "2026-03-01T01:58:00Z", "height_m": 3.1 })
}

/// A document with one resource.
pub(super) fn document(data: &Value) -> Value {
    json!({ "data": data, "meta": {} })
}

/// A page of a list, on which this is all.
pub(super) fn page(item: &Value) -> Value {
    json!({ "data": [item], "meta": { "page": 1, "per_page": 50, "total": 1, "total_pages": 1 } })
}

fn leads_to(kind: &str, id: &str) -> Value {
    json!({ "data": { "id": id, "type": kind } })
}

/// The flow, stopped.
pub(super) fn flow() -> Value {
    json!({
        "id": FLOW,
        "type": "flow",
        "links": { "self": format!("/v2/flows/{FLOW}") },
        "attributes": {
            "name": "Tide reports",
            "description": null,
            "type": "ordinary",
            "status": "inactive",
            "current_status": "inactive",
            "reports_current_status": false,
            "default_mapper_type": "jsonata",
            "cron": "*/5 * * * *",
            "graph": graph(),
            "version": 1,
            "has_draft": false,
            "created_at": CREATED,
            "updated_at": CREATED,
            "last_modified": CREATED,
            "last_start_time": null,
            "last_stop_time": null,
        },
        "relationships": {
            "user": leads_to("user", "admin"),
            "workspace": leads_to("workspace", "default_tenant"),
        },
    })
}

/// The flow, started.
pub(super) fn started_flow() -> Value {
    let mut flow = flow();
    flow["attributes"]["status"] = json!("active");
    flow["attributes"]["current_status"] = json!("active");
    flow["attributes"]["updated_at"] = json!(LATER);
    flow["attributes"]["last_start_time"] = json!(LATER);
    flow
}

/// The snapshot of the step.
pub(super) fn step_snapshot() -> Value {
    json!({
        "id": STEP,
        "type": "snapshot",
        "links": { "self": format!("/v2/flows/{FLOW}/snapshots/{STEP}") },
        "attributes": { "snapshot": value() },
    })
}

/// What the step's history has of an emit.
pub(super) fn history_item() -> Value {
    json!({
        "id": "17",
        "type": "history",
        "attributes": {
            "change": "17",
            "step": STEP,
            "action": "emit",
            "via": "amqp",
            "at": LATER,
            "user": null,
            "execution_id": "b4c1f0e29d7a4c35",
            "redelivered": false,
            "undoes": null,
            "undone": false,
            "before": { "last_seen": "2026-02-28T13:41:00Z", "height_m": 2.9 },
            "after": value(),
        },
    })
}

/// What a call did that changes several steps at once.
pub(super) fn change(action: &str) -> Value {
    json!({ "id": "18", "type": "change", "attributes": { "action": action, "steps": [STEP] } })
}

/// The capture, without values.
pub(super) fn capture() -> Value {
    json!({
        "id": CAPTURE,
        "type": "capture",
        "links": { "self": format!("/v2/captures/{CAPTURE}") },
        "attributes": {
            "flow_name": "Tide reports",
            "description": "before the new lamp",
            "created_at": LATER,
            "created_by": "admin",
            "execution_id": EXECUTION,
            "fuzzy": false,
            "step_count": 1,
        },
        "relationships": {
            "flow": leads_to("flow", FLOW),
            "workspace": leads_to("workspace", "default_tenant"),
        },
    })
}

/// The capture with its values.
pub(super) fn whole_capture() -> Value {
    let mut capture = capture();
    capture["attributes"]["steps"] = json!({ STEP: value() });
    capture
}

/// The capture that was asked for and is not there yet.
pub(super) fn asked_capture() -> Value {
    json!({
        "id": CAPTURE,
        "type": "capture",
        "links": { "self": format!("/v2/captures/{CAPTURE}") },
        "attributes": { "execution_id": EXECUTION, "status": "pending" },
    })
}

/// What differs between the capture and the present.
pub(super) fn comparison() -> Value {
    json!({
        "id": format!("{CAPTURE}..live"),
        "type": "comparison",
        "attributes": {
            "same": 0,
            "differences": [
                { "step": "signal", "after": { "lit": true } },
                { "step": STEP, "before": value(), "after": { "last_seen": LATER, "height_m": 2.7 } },
            ],
        },
    })
}

/// A workspace.
pub(super) fn workspace() -> Value {
    json!({
        "id": "default_tenant",
        "type": "workspace",
        "links": { "self": "/v2/workspaces/default_tenant" },
        "attributes": { "name": "default_tenant", "role": "user" },
        "relationships": { "contract": leads_to("contract", "lifeboat") },
    })
}

/// Who calls.
pub(super) fn caller() -> Value {
    json!({
        "id": "grace",
        "type": "user",
        "links": { "self": "/v2/users/me" },
        "attributes": { "username": "grace", "email": null, "role": "default" },
    })
}

/// The flow as a task.
pub(super) fn task() -> Value {
    json!({
        "id": FLOW,
        "name": "Tide reports",
        "status": "inactive",
        "cron": "*/5 * * * *",
        "created_at": CREATED,
        "graph": {
            "nodes": [
                { "id": "step_1", "fields": { "harbour": "north" }, "command": "tides:watch" },
                { "id": "step_2", "fields": {}, "command": "lamp:signal" },
            ],
            "edges": [{ "source": "step_1", "target": "step_2" }],
        },
    })
}

/// The step as a sailor loads it.
pub(super) fn task_step() -> Value {
    json!({
        "id": STEP,
        "config": { "harbour": "north" },
        "variables": {},
        "is_passthrough": false,
        "snapshot": value(),
    })
}

/// A message of the broker that could not be used.
pub(super) fn dead_letter() -> Value {
    json!({
        "id": 3,
        "received_at": LATER,
        "reason": "unknown_step",
        "flow_id": FLOW,
        "step_id": "horn",
        "routing_key": format!("org.{FLOW}.horn.snapshot"),
        "redelivered": false,
        "size_bytes": 15,
        "body": "{\"blown\": true}",
    })
}
