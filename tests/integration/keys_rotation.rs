//! Rotating and removing keys: what a running service does, and a data folder without one.

use serde_json::{Value, json};

use crate::harness::{TestServer, document, fails, fill, inventory, lifeboat, lifeboat_at, run, stdout};

/// Runs a command on the server's data folder, past its service, and reads its document.
fn offline(server: &TestServer, arguments: &[&str]) -> Value {
    let data = server.data();
    let mut all = arguments.to_vec();
    all.extend(["--json", "--data", data.to_str().unwrap()]);
    let output = run(lifeboat_at("http://127.0.0.1:1", &all));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// The keys that the archive of a snapshot says it is sealed for.
fn sealed_for(server: &TestServer, snapshot: &str) -> Vec<Value> {
    let path = server.scratch().join(format!("{snapshot}.zip"));
    std::fs::write(&path, server.api().archive(snapshot)).unwrap();
    let inspected = document(server, &["inspect", path.to_str().unwrap()]);
    inspected[0]["sealed_for"].as_array().unwrap().clone()
}

#[test]
fn a_rotation_counts_at_once_and_old_archives_still_open() {
    let mut server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("before", &json!({}));
    let state = inventory(&api);
    let old = api.get("/service/keys").expect(200);

    let rotated = api.post("/service/keys/rotate", &json!({ "signer": true })).expect(200);
    assert_eq!(rotated["retired"], old["recipients"][0]["fingerprint"]);
    // By the command line as well, past the service that runs.
    let again = offline(&server, &["key", "rotate"]);
    assert_eq!(again["retired"], rotated["fingerprint"]);
    let keys = api.get("/service/keys").expect(200);
    assert_eq!(keys["recipients"][0]["recipient"], again["recipient"]);
    assert_eq!(keys["recovery"], old["recovery"]);
    assert_eq!(keys["signer"], rotated["signer"]);
    assert_eq!(keys["old_signers"][0]["public_key"], old["signer"]["public_key"]);
    let held: Vec<_> = keys["identities"].as_array().unwrap().iter().map(|key| &key["fingerprint"]).collect();
    assert_eq!(held, [&again["fingerprint"], &rotated["fingerprint"], &old["recipients"][0]["fingerprint"]]);

    api.create_snapshot("after", &json!({}));
    assert_eq!(
        sealed_for(&server, "after"),
        [again["fingerprint"].clone(), keys["recovery"]["fingerprint"].clone()]
    );
    for snapshot in ["before", "after"] {
        api.put("secrets/later", &json!({ "value": "x" })).expect(200);
        let restored = api.restore_snapshot(snapshot, &json!({ "force": true }));
        assert_eq!(restored["status"], "terminated", "{restored:#}");
        assert_eq!(inventory(&api), state, "{snapshot}");
        let id = restored["id"].as_str().unwrap();
        let said = api.get(&format!("events?execution_id={id}&type=cloudify_log")).text();
        assert!(!said.contains("another Lifeboat"), "a former key of its own is no stranger's: {said}");
    }
    server.restart();
    assert_eq!(server.api().get("/service/keys").expect(200), keys);
    assert_eq!(server.key_show()["identities"], keys["identities"]);
    assert!(!server.log().contains("AGE-SECRET-KEY"));
}

#[test]
fn a_key_is_removed_when_no_archive_needs_it_or_by_force() {
    let server = TestServer::start();
    let api = server.api();
    api.put("secrets/key", &json!({ "value": "x" })).expect(200);
    api.create_snapshot("before", &json!({}));
    let first = api.get("/service/keys").expect(200)["recipients"][0]["fingerprint"].clone();
    let first = first.as_str().unwrap();
    let path = format!("/service/keys/{first}");
    assert!(api.delete(&path).expect_error(409, "conflict_error").contains("in use"));
    api.delete("/service/keys/0123").expect_error(404, "not_found_error");
    api.post("/service/keys/rotate", &json!({})).expect(200);

    assert!(api.delete(&path).expect_error(409, "conflict_error").contains("`default_tenant/before`"));
    let data = server.data();
    let remove = ["key", "remove", first, "--yes", "--data", data.to_str().unwrap()];
    fails(lifeboat(&server, &remove), 1, &["1 archive", "--force"]);
    assert_eq!(api.restore_snapshot("before", &json!({ "force": true }))["status"], "terminated");

    let removed = api.delete(&format!("{path}?force=true")).expect(200);
    assert_eq!(
        removed,
        json!({ "fingerprint": first, "kind": "identity", "shut": ["default_tenant/before"] })
    );
    assert_eq!(api.get("/service/keys").expect(200)["identities"].as_array().unwrap().len(), 1);
    let refused = api.restore_snapshot("before", &json!({ "force": true }));
    assert_eq!(refused["status"], "failed");
    assert!(refused["error"].as_str().unwrap().contains(first), "{refused:#}");
    assert_eq!(api.get("secrets/key").expect(200)["value"], "x", "nothing was touched");

    // One that no archive needs goes without force.
    let second = api.get("/service/keys").expect(200)["recipients"][0]["fingerprint"].clone();
    offline(&server, &["key", "rotate"]);
    let removed = offline(&server, &["key", "remove", second.as_str().unwrap(), "--yes"]);
    assert_eq!(removed["shut"], json!([]));
}

#[test]
fn a_rotation_that_is_killed_leaves_one_set_that_works() {
    for point in [
        "keys:change:written:identity.txt",
        "keys:change:renamed:identity.txt",
        "keys:change:written:old-signers.txt",
        "keys:change:renamed:old-signers.txt",
        "keys:change:written:signing.key",
        "keys:change:renamed:signing.key",
    ] {
        let mut server = TestServer::builder().failpoint(&format!("{point}=kill")).start();
        let api = server.api();
        api.put("secrets/key", &json!({ "value": "kept" })).expect(200);
        api.create_snapshot("before", &json!({}));
        let request =
            api.request(reqwest::Method::POST, "/service/keys/rotate").json(&json!({ "signer": true }));
        assert!(request.send().is_err(), "{point}: it was killed before it could answer");
        server.wait_until_killed();
        server.restart();

        let api = server.api();
        let keys = api.get("/service/keys").expect(200);
        assert_eq!(server.key_show()["signer"], keys["signer"], "{point}");
        assert!(server.files_in("keys").iter().all(|name| !name.ends_with(".new")), "{point}");
        api.create_snapshot("after", &json!({}));
        for snapshot in ["before", "after"] {
            let restored = api.restore_snapshot(snapshot, &json!({ "force": true }));
            assert_eq!(restored["status"], "terminated", "{point}: {restored:#}");
            assert_eq!(api.get("secrets/key").expect(200)["value"], "kept", "{point}");
        }
        // It can be done again.
        api.post("/service/keys/rotate", &json!({ "signer": true })).expect(200);
    }
}
