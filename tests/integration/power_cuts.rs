//! The power goes: whatever a caller was told is there afterwards, and what had not ended is there whole or not at all.
//!
//! The disk is a real one, an ext4 file system in a file that is shut down without its log. That takes root.

use serde_json::json;

use crate::harness::{TestServer, check_invariants, fill, read_state};

const DISK_BYTES: u64 = 256 << 20;

#[test]
fn what_was_answered_is_there_after_a_power_cut() {
    let mut server = TestServer::builder().power_disk(DISK_BYTES).start();
    fill(&server.api());
    // Each is cut as soon as it was answered.
    server.api().create_snapshot("nightly", &json!({ "include_credentials": true }));
    let saved = read_state(&server.api());
    server.cut_power();
    let api = server.api();
    check_invariants(&server, "a create");
    let archive = api.archive("nightly");
    let verify = api.post("snapshots/nightly/verify", &json!({})).expect(200);
    assert_eq!(api.wait_for_end(&verify)["status"], "terminated");

    api.send_archive("uploaded", &archive).expect(201);
    server.cut_power();
    let api = server.api();
    check_invariants(&server, "an upload");
    assert_eq!(api.archive("uploaded"), archive);

    api.put("secrets/later", &json!({ "value": "x" })).expect(200);
    server.cut_power();
    let api = server.api();
    assert_eq!(api.get("secrets/later").expect(200)["value"], "x");
    let former = read_state(&api);

    assert_eq!(api.restore_snapshot("nightly", &json!({ "force": true }))["status"], "terminated");
    server.cut_power();
    check_invariants(&server, "a restore");
    read_state(&server.api()).assert_is(&saved, "a restore");

    let api = server.api();
    let rollback = api.post("/service/rollback", &json!({})).expect(200);
    assert_eq!(api.wait_for_end(&rollback)["status"], "terminated");
    server.cut_power();
    check_invariants(&server, "a rollback");
    read_state(&server.api()).assert_is(&former, "a rollback");

    server.api().delete("snapshots/uploaded").expect(200);
    server.cut_power();
    check_invariants(&server, "a delete");
    assert_eq!(server.api().get("snapshots/uploaded").status, 404);
}

#[test]
fn what_had_not_ended_at_a_power_cut_is_there_whole_or_not_at_all() {
    for (held, is_restore, is_after) in [
        ("create:written", false, false),
        ("store:synced", false, false),
        ("store:renamed", false, false),
        ("create:published", false, false),
        ("create:recorded", false, true),
        ("restore:filling", true, false),
        ("restore:staged", true, false),
        ("restore:swapping", true, true),
        ("swap:renamed", true, true),
        ("restore:swapped", true, true),
    ] {
        println!("{held}");
        let mut server = TestServer::builder().power_disk(DISK_BYTES).holding(held).released().start();
        let api = server.api();
        fill(&api);
        api.create_snapshot("nightly", &json!({}));
        let saved = read_state(&api);
        api.put("secrets/later", &json!({ "value": "x" })).expect(200);
        let former = read_state(&api);
        server.hold();
        match is_restore {
            true => api.post("snapshots/nightly/restore", &json!({ "force": true })).expect(200),
            false => api.put("snapshots/new", &json!({})).expect(201),
        };
        server.wait_until_held(held);
        server.cut_power();

        let api = server.api();
        check_invariants(&server, held);
        let expected = if is_restore && is_after { &saved } else { &former };
        read_state(&api).assert_is(expected, held);
        if !is_restore {
            let status = if is_after { "created" } else { "failed" };
            assert_eq!(api.get("snapshots/new").expect(200)["status"], status, "{held}");
            api.delete("snapshots/new").expect(200);
        }
        api.create_snapshot("new", &json!({}));
        assert_eq!(
            api.restore_snapshot("nightly", &json!({ "force": true }))["status"],
            "terminated",
            "{held}"
        );
    }
}
