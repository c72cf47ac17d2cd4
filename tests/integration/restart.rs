//! A server that dies in the middle of its work, and comes back.
//!
//! After any death there is the old state or the new one, whole; nothing half
//! made is left, and every execution has ended.

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
        let execution = server.api().put("snapshots/nightly", &json!({})).expect(201);
        server.wait_until_killed();
        server.restart();

        let api = server.api();
        let ended = api.wait_for_end(&execution);
        assert_eq!(ended["status"], "failed", "{failpoint}: {ended:#}");
        let snapshot = api.get("snapshots/nightly").expect(200);
        assert_eq!(snapshot["status"], "failed", "{failpoint}");
        assert_ne!(snapshot["error"], "", "{failpoint}");
        assert_eq!(server.files_in("tmp"), Vec::<String>::new(), "{failpoint}");
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

        let execution = api.post("snapshots/nightly/restore", &json!({ "force": true })).expect(200);
        server.wait_until_killed();
        server.restart();

        let api = server.api();
        let ended = api.wait_for_end(&execution);
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

    let execution = api.post("/service/rollback", &json!({})).expect(200);
    server.wait_until_killed();
    server.restart();
    let api = server.api();
    assert_eq!(api.wait_for_end(&execution)["status"], "terminated");
    assert_eq!(inventory(&api), later);
    assert_no_restore_runs(&api);
}

fn assert_no_restore_runs(api: &Api) {
    let status: Value = api.get("snapshot-status").expect(200);
    assert_eq!(status, json!({ "status": "not-running" }));
}
