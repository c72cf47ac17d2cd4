//! Executions and events by raw HTTP: what is listed, what can be cancelled, what `cfy` indexes.

use serde_json::{Value, json};

use crate::harness::{TestServer, fill};

/// The keys that `cfy` reads from every event without asking whether they are there.
const EVENT_KEYS: [&str; 11] = [
    "deployment_id",
    "execution_id",
    "node_name",
    "operation",
    "workflow_id",
    "node_instance_id",
    "error_causes",
    "message",
    "type",
    "source_id",
    "target_id",
];

#[test]
fn events_of_a_create_have_every_key_that_cfy_reads() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    let execution = api.create_snapshot("nightly", &json!({}));
    let id = execution["id"].as_str().unwrap();
    let query = format!(
        "events?_offset=0&_size=100&execution_id={id}&type=cloudify_event&type=cloudify_log\
         &_sort=reported_timestamp"
    );
    let items = api.get(&query).items();
    for item in &items {
        for key in EVENT_KEYS {
            assert!(item.get(key).is_some(), "no `{key}`: {item:#}");
        }
        assert_eq!(item["execution_id"], id);
        if item["type"] == "cloudify_log" {
            assert!(item["level"].is_string(), "{item:#}");
        }
    }
    let events: Vec<_> = items
        .iter()
        .filter(|item| item["type"] == "cloudify_event")
        .map(|item| (item["event_type"].as_str().unwrap(), item["message"].as_str().unwrap()))
        .collect();
    assert_eq!(events.first(), Some(&("workflow_started", "Starting 'create_snapshot' workflow execution")));
    assert_eq!(
        events.last(),
        Some(&("workflow_succeeded", "'create_snapshot' workflow execution succeeded"))
    );
    let times: Vec<_> = items.iter().map(|item| item["reported_timestamp"].to_string()).collect();
    assert!(times.is_sorted(), "{times:?}");

    let only_events = api.get(&format!("events?execution_id={id}&type=cloudify_event"));
    assert_eq!(only_events.items().len(), events.len());
    let page = api.get(&format!("events?execution_id={id}&_offset=1&_size=1")).expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(page["metadata"]["pagination"]["offset"], 1);
}

#[test]
fn system_workflows_are_listed_only_when_asked_for() {
    let server = TestServer::start();
    let api = server.api();
    let created = api.create_snapshot("nightly", &json!({}));
    assert_eq!(api.get("executions").items(), Vec::<Value>::new());
    for query in [
        "_include_system_workflows=True",
        "_include_system_workflows=true&workflow_id=create_snapshot",
        "is_system_workflow=true",
    ] {
        let mut items = api.get(&format!("executions?{query}")).items();
        // The picture of the create is one of them.
        items.retain(|item| item["workflow_id"] != "render_chart");
        assert_eq!(items, std::slice::from_ref(&created), "{query}");
    }
    let projected = api.get(&format!(
        "executions/{}?_include=id,workflow_id,status_display",
        created["id"].as_str().unwrap()
    ));
    assert_eq!(
        projected.expect(200),
        json!({ "id": created["id"], "workflow_id": "create_snapshot", "status_display": "completed" })
    );
}

#[test]
fn parameters_hold_what_the_caller_asked_and_nothing_of_the_server() {
    let server = TestServer::start();
    let api = server.api();
    let execution = api.create_snapshot(
        "nightly",
        &json!({ "include_credentials": true, "include_logs": false, "queue": false }),
    );
    let parameters = &execution["parameters"];
    assert_eq!(parameters["snapshot_id"], "nightly");
    assert_eq!(parameters["include_credentials"], true);
    assert_eq!(parameters["include_logs"], false);
    let text = execution.to_string();
    for word in ["password", "postgresql", server.data().to_str().unwrap()] {
        assert!(!text.contains(word), "{text}");
    }
}

#[test]
fn cancel_takes_only_known_actions_on_what_can_be_cancelled() {
    let server = TestServer::start();
    let api = server.api();
    let execution = api.create_snapshot("nightly", &json!({}));
    let id = execution["id"].as_str().unwrap();
    let act = |action: &str| api.post(&format!("executions/{id}"), &json!({ "action": action }));
    let message = act("dance").expect_error(400, "bad_parameters_error");
    assert!(message.contains("Invalid action: dance, Valid action values are:"), "{message}");
    for (action, verb) in [("cancel", "cancel"), ("force-cancel", "force-cancel")] {
        let message = act(action).expect_error(400, "illegal_action_error");
        assert!(
            message.contains(&format!("Can't {verb} execution {id} because it's in status terminated")),
            "{message}"
        );
    }
    let after = api.get(&format!("executions/{id}")).expect(200);
    assert_eq!(after["status"], "terminated");
}

#[test]
fn a_queued_create_is_cancelled_before_it_begins() {
    let server = TestServer::builder().holding("create:collecting").start();
    let api = server.api();
    let first = api.put("snapshots/first", &json!({})).expect(201);
    api.wait_for_status(&first, "started");
    let second = api.put("snapshots/second", &json!({ "queue": true })).expect(201);
    assert_eq!(second["status"], "queued");
    let id = second["id"].as_str().unwrap();
    api.post(&format!("executions/{id}"), &json!({ "action": "cancel" })).expect(200);
    let ended = api.wait_for_end(&second);
    assert_eq!(ended["status"], "cancelled", "{ended:#}");
    assert_eq!(api.get("snapshots/second").expect(200)["status"], "failed");
    server.release();
    assert_eq!(api.wait_for_end(&first)["status"], "terminated");
}

#[test]
fn a_restore_is_cancelled_while_it_stages_and_touches_nothing() {
    let server = TestServer::builder().holding("restore:staging").start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    api.put("secrets/later", &json!({ "value": "x" })).expect(200);
    let before = crate::harness::inventory(&api);
    let execution = api.post("snapshots/nightly/restore", &json!({ "force": true })).expect(200);
    api.wait_for_status(&execution, "started");
    let id = execution["id"].as_str().unwrap();
    let cancelled = api.post(&format!("executions/{id}"), &json!({ "action": "cancel" })).expect(200);
    assert!(["cancelling", "cancelled"].contains(&cancelled["status"].as_str().unwrap()), "{cancelled:#}");
    assert_eq!(api.wait_for_end(&execution)["status"], "cancelled");
    assert_eq!(crate::harness::inventory(&api), before);
    api.put("secrets/afterwards", &json!({ "value": "x" })).expect(200);
}
