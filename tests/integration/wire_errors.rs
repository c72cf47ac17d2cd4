//! What stands around the snapshots: version, status, unknown routes, the form of errors.
//!
//! Every error of this face has the three keys that the clients read.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, TestServer};

#[test]
fn the_version_is_that_of_the_clients() {
    let server = TestServer::start();
    let api = server.api();
    let version = api.get("/api/version").expect(200);
    assert_eq!(version["version"], "7.0.5");
    assert_eq!(version["edition"], "community");
    assert!(version["lifeboat_version"].is_string());
    for key in ["build", "date", "commit", "distribution", "distro_release"] {
        assert!(version.get(key).is_some(), "no `{key}`: {version:#}");
    }
    for prefix in ["/api/v2/version", "/api/v2.1/version", "/api/v3.1/version"] {
        assert_eq!(api.get(prefix).expect(200), version, "{prefix}");
    }
}

#[test]
fn the_status_calls_satisfy_a_new_profile() {
    let server = TestServer::start();
    let api = server.api();
    let status = api.get("status").expect(200);
    assert_eq!(status["status"], "OK");
    let services = status["services"].as_object().unwrap();
    for (name, service) in services {
        assert_eq!(service["status"], "Active", "{name}");
    }
    let maintenance = api.get("maintenance").expect(200);
    assert_eq!(maintenance["status"], "deactivated");
    // One machine that is all in one: cfy compares these addresses and stays silent.
    let managers = api.get("managers").items();
    assert_eq!(managers.len(), 1);
    for list in ["brokers", "db-nodes"] {
        let items = api.get(list).items();
        assert_eq!(items.len(), 1, "{list}");
        assert_eq!(items[0]["host"], managers[0]["private_ip"], "{list}");
    }
    let config = api.get("config?scope=rest");
    assert!(matches!(config.status, 200 | 404), "{}", config.text());
}

#[test]
fn unknown_routes_and_methods_answer_in_the_form_of_the_face() {
    let server = TestServer::start();
    let api = server.api();
    for path in ["nothing", "snapshots/a/nothing", "snapshots/a/b/c"] {
        api.get(path).expect_error(404, "not_found_error");
    }
    let reply = api.send(api.request(Method::POST, "snapshots/a"));
    let body = reply.expect(405);
    assert!(body["message"].is_string() && body["error_code"].is_string(), "{body:#}");
}

#[test]
fn unknown_things_are_named_in_cloudifys_words() {
    let server = TestServer::start();
    let api = server.api();
    let uuid = "00000000-0000-4000-8000-000000000000";
    for (path, words) in [
        ("snapshots/x".to_owned(), "Requested `Snapshot` with ID `x` was not found"),
        ("blueprints/x".to_owned(), "Requested `Blueprint` with ID `x` was not found"),
        ("deployments/x".to_owned(), "Requested `Deployment` with ID `x` was not found"),
        (format!("executions/{uuid}"), "Requested `Execution` with ID `"),
    ] {
        let message = api.get(&path).expect_error(404, "not_found_error");
        assert!(message.contains(words), "{message}");
    }
    for (method, path) in [
        (Method::POST, "snapshots/x/restore"),
        (Method::GET, "snapshots/x/archive"),
        (Method::DELETE, "snapshots/x"),
        (Method::PATCH, "snapshots/x"),
    ] {
        let request = api.request(method, path).json(&json!({ "status": "failed" }));
        api.send(request).expect_error(404, "not_found_error");
    }
}

#[test]
fn a_used_id_is_named_in_cloudifys_words() {
    let server = TestServer::start();
    let api = server.api();
    api.create_snapshot("nightly", &json!({}));
    let message = api.put("snapshots/nightly", &json!({})).expect_error(409, "conflict_error");
    assert!(message.contains("<Snapshot id=`nightly` tenant=`default_tenant`> already exists"), "{message}");
}

#[test]
fn errors_tell_nothing_of_the_server() {
    let server = TestServer::start();
    let api = server.api();
    let folder = server.data();
    let folder = folder.to_str().unwrap();
    let replies = [
        api.get("snapshots/x"),
        api.put("snapshots/0", &json!({})),
        api.send(api.request(Method::PUT, "snapshots/x/archive").body("no zip")),
        Api::new(server.port()).get("snapshots"),
    ];
    for reply in replies {
        let text = reply.text();
        assert!(!text.contains(folder), "{text}");
        for word in ["panicked", "src/", "SELECT", "select "] {
            assert!(!text.contains(word), "{text}");
        }
    }
}

#[test]
fn writes_wait_while_a_restore_runs_and_reads_go_on() {
    let server = TestServer::builder().holding("restore:staging").start();
    let api = server.api();
    api.create_snapshot("nightly", &json!({}));
    let execution = api.post("snapshots/nightly/restore", &json!({})).expect(200);
    let path = format!("executions/{}", execution["id"].as_str().unwrap());
    crate::harness::eventually("the restore stages", 60, || {
        (api.get(&path).expect(200)["phase"] == "staging").then_some(())
    });

    let message =
        api.put("secrets/new", &json!({ "value": "x" })).expect_error(503, "maintenance_mode_active");
    assert!(message.contains("maintenance mode"), "{message}");
    api.get("secrets").expect(200);
    api.get("snapshots").expect(200);
    api.put("snapshots/other", &json!({})).expect_error(400, "existing_running_execution_error");
    assert_eq!(api.get("snapshots/other").status, 404, "no record is left");
    let message = api.delete("snapshots/nightly").expect_error(400, "snapshot_action_error");
    assert!(message.contains("restore_snapshot"), "{message}");

    server.release();
    assert_eq!(api.wait_for_end(&execution)["status"], "terminated");
    api.put("secrets/new", &json!({ "value": "x" })).expect(200);
    let listed: Vec<Value> = api.get("secrets").items();
    assert_eq!(listed.len(), 1);
}
