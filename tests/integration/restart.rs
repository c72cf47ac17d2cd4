//! A server that dies in the middle of its work, and comes back.
//!
//! After any death there is the old state or the new one, whole; nothing half
//! made is left, and every execution has ended.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, TestServer, fill, inventory};

#[test]
fn state_and_snapshots_survive_a_stop_and_a_kill() {
    let mut server = TestServer::start();
    fill(&server.api());
    server.api().create_snapshot("nightly", &json!({}));
    let state = inventory(&server.api());
    let archive = server.api().get("snapshots/nightly/archive").body;

    server.terminate();
    server.restart();
    assert_eq!(inventory(&server.api()), state);
    server.kill9();
    server.restart();
    assert_eq!(inventory(&server.api()), state);
    assert_eq!(server.api().get("snapshots/nightly/archive").body, archive);
}

#[test]
fn a_create_that_was_killed_is_failed_and_leaves_nothing() {
    for failpoint in ["create:collecting", "create:publishing"] {
        let mut server = TestServer::builder().failpoint(&format!("{failpoint}=kill")).start();
        ask(&server.api(), Method::PUT, "snapshots/nightly", &json!({}));
        server.wait_until_killed();
        server.restart();

        let api = server.api();
        let ended = api.wait_for_end(&last(&api, "create_snapshot"));
        assert_eq!(ended["status"], "failed", "{failpoint}: {ended:#}");
        let snapshot = api.get("snapshots/nightly").expect(200);
        assert_eq!(snapshot["status"], "failed", "{failpoint}");
        assert_ne!(snapshot["error"], "", "{failpoint}");
        server.leaves_nothing_in_tmp();
        assert_eq!(server.files_in("archives"), Vec::<String>::new(), "{failpoint}");
        api.delete("snapshots/nightly").expect(200);
        api.create_snapshot("nightly", &json!({}));
    }
}

#[test]
fn a_restore_that_was_killed_leaves_the_old_state_or_the_new_one() {
    for (failpoint, is_done) in [
        ("restore:staging", false),
        ("restore:staged", false),
        ("restore:swapping", true),
        ("restore:swapped", true),
        ("restore:finishing", true),
    ] {
        let mut server = TestServer::builder().failpoint(&format!("{failpoint}=kill")).start();
        let api = server.api();
        fill(&api);
        api.create_snapshot("nightly", &json!({}));
        let saved = inventory(&api);
        api.put("secrets/later", &json!({ "value": "x" })).expect(200);
        let later = inventory(&api);

        ask(&api, Method::POST, "snapshots/nightly/restore", &json!({ "force": true }));
        server.wait_until_killed();
        server.restart();

        let api = server.api();
        let ended = api.wait_for_end(&last(&api, "restore_snapshot"));
        let (status, state) = if is_done { ("terminated", &saved) } else { ("failed", &later) };
        assert_eq!(ended["status"], status, "{failpoint}: {ended:#}");
        assert_eq!(&inventory(&api), state, "{failpoint}");
        assert_no_restore_runs(&api);
        api.put("secrets/afterwards", &json!({ "value": "x" })).expect(200);
    }
}

#[test]
fn a_rollback_that_was_killed_in_its_swap_is_finished_at_the_start() {
    let mut server = TestServer::builder().failpoint("rollback:swapping=kill").start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    api.put("secrets/later", &json!({ "value": "x" })).expect(200);
    let later = inventory(&api);
    let restored = api.post("snapshots/nightly/restore", &json!({ "force": true })).expect(200);
    assert_eq!(api.wait_for_end(&restored)["status"], "terminated");
    assert_ne!(inventory(&api), later);

    ask(&api, Method::POST, "/service/rollback", &json!({}));
    server.wait_until_killed();
    server.restart();
    let api = server.api();
    assert_eq!(api.wait_for_end(&last(&api, "rollback"))["status"], "terminated");
    assert_eq!(inventory(&api), later);
    assert_no_restore_runs(&api);
}

#[test]
fn what_waited_runs_after_a_kill_and_what_ran_is_failed() {
    let mut server = TestServer::builder().holding("create:collecting").start();
    let api = server.api();
    let running = api.put("snapshots/running", &json!({})).expect(201);
    let waiting = api.put("snapshots/waiting", &json!({ "queue": true })).expect(201);
    api.wait_for_status(&running, "started");
    server.kill9();
    server.release();
    server.restart();

    let api = server.api();
    assert_eq!(api.wait_for_end(&running)["status"], "failed");
    assert_eq!(api.wait_for_end(&waiting)["status"], "terminated");
    assert_eq!(api.get("snapshots/running").expect(200)["status"], "failed");
    assert_eq!(api.get("snapshots/waiting").expect(200)["status"], "created");
}

#[test]
fn a_stop_closes_what_does_not_finish_in_time_and_ends_well() {
    let mut server =
        TestServer::builder().settings("[server]\nshutdown_seconds = 1").holding("create:collecting").start();
    let execution = server.api().put("snapshots/nightly", &json!({})).expect(201);
    server.api().wait_for_status(&execution, "started");
    server.terminate();
    server.release();
    server.restart();

    let api = server.api();
    let ended = api.wait_for_end(&execution);
    assert_eq!(ended["status"], "failed", "{ended:#}");
    assert!(ended["error"].as_str().unwrap().starts_with("interrupted"), "{ended:#}");
    assert_eq!(api.get("snapshots/nightly").expect(200)["status"], "failed");
    server.leaves_nothing_in_tmp();
}

/// Asks for what kills the server: it may be dead before it has answered.
fn ask(api: &Api, method: Method, path: &str, body: &Value) {
    let _ = api.request(method, path).json(body).send();
}

/// The last execution of a workflow of the service.
fn last(api: &Api, workflow: &str) -> Value {
    let list = format!("executions?_include_system_workflows=true&workflow_id={workflow}&_sort=-created_at");
    api.get(&list).items().into_iter().next().expect("the execution was recorded before it began")
}

fn assert_no_restore_runs(api: &Api) {
    let status: Value = api.get("snapshot-status").expect(200);
    assert_eq!(status, json!({ "status": "not-running" }));
}
