//! Reseal: an archive sealed for other keys, in the place of the former one or as a copy of a file.

use serde_json::{Value, json};

use crate::harness::{
    Api, SECRET_VALUE, TestServer, assert_hidden, document, entries, fails, fill, inventory, lifeboat,
};

/// Seals a snapshot's archive anew, and waits for the end.
fn reseal(api: &Api, snapshot: &str, options: &Value) -> Value {
    let path = format!("/service/snapshots/{snapshot}/reseal");
    let execution = api.post(&path, options).expect(200);
    api.wait_for_end(&execution)
}

fn own_key(api: &Api) -> (String, String) {
    let keys = api.get("/service/keys").expect(200);
    let text = |name: &str| keys["recipients"][0][name].as_str().unwrap().to_owned();
    (text("recipient"), text("fingerprint"))
}

#[test]
fn a_resealed_archive_opens_with_the_present_keys_only_and_holds_the_same() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    let state = inventory(&api);
    api.create_snapshot("nightly", &json!({ "include_credentials": true }));
    let former = api.archive("nightly");
    let record = api.get("snapshots/nightly").expect(200);
    let (_, old) = own_key(&api);
    api.post("/service/keys/rotate", &json!({ "signer": true })).expect(200);
    let (_, new) = own_key(&api);

    let execution = reseal(&api, "nightly", &json!({}));
    assert_eq!(execution["status"], "terminated", "{execution:#}");
    let report = &execution["report"];
    assert_eq!(report["no_longer_sealed_for"], json!([old]));
    assert_eq!(report["sealed_for"][0], json!(new));

    let archive = api.archive("nightly");
    assert_hidden(&archive, SECRET_VALUE);
    let after = api.get("snapshots/nightly").expect(200);
    assert_eq!(after["size_bytes"], archive.len());
    assert_eq!(after["sha256"], report["sha256"]);
    assert_ne!(after["sha256"], record["sha256"]);
    assert!(after["verified_at"].as_str() > record["verified_at"].as_str());
    assert_eq!((&after["status"], &after["created_at"]), (&record["status"], &record["created_at"]));
    assert_eq!(after["contents"]["counts"], record["contents"]["counts"]);
    assert_eq!(after["contents"]["sealed_for"], report["sealed_for"]);
    assert_eq!(server.files_in("archives").len(), 1, "the former one is gone");
    server.leaves_nothing_in_tmp();

    // What is not sealed is the same, as the bytes that it was.
    let (before, now) = (entries(&former), entries(&archive));
    let names =
        |all: &[crate::harness::Entry]| all.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&before), names(&now));
    for (one, other) in before.iter().zip(&now) {
        let is_new = ["metadata.json", "manifest.json", "manifest.sig"].contains(&one.name.as_str())
            || one.name.starts_with("credentials/");
        let raw =
            |archive: &[u8], entry: &crate::harness::Entry| archive[entry.start..][..entry.length].to_vec();
        assert_eq!(one.content == other.content, !is_new || one.content.is_empty(), "{}", one.name);
        assert_eq!(
            raw(&former, one) == raw(&archive, other),
            !is_new || one.content.is_empty(),
            "{}",
            one.name
        );
    }
    let metadata: Value = serde_json::from_slice(&now[0].content).unwrap();
    let manifest: Value = serde_json::from_slice(&now[now.len() - 2].content).unwrap();
    let first: Value = serde_json::from_slice(&before[0].content).unwrap();
    for document in [&metadata["lifeboat"], &manifest] {
        assert_eq!(document["resealed_from"], first["lifeboat"]["archive_id"]);
        assert_ne!(document["archive_id"], first["lifeboat"]["archive_id"]);
    }

    // The old key is needed no more.
    api.delete(&format!("/service/keys/{old}")).expect(200);
    api.put("secrets/later", &json!({ "value": "x" })).expect(200);
    let restored = api.restore_snapshot("nightly", &json!({ "force": true }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    assert_eq!(inventory(&api), state);
}

#[test]
fn a_reseal_names_further_keys_and_leaves_others_out() {
    let [first, second] = [(); 2].map(|()| TestServer::start());
    let (theirs, their_fingerprint) = own_key(&second.api());
    let api = first.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let said = document(&first, &["snapshot", "reseal", "nightly", "--seal-for", &theirs, "--wait"]);
    assert_eq!(said["status"], "terminated", "{said:#}");
    second.api().send_archive("carried", &api.archive("nightly")).expect(201);
    let restored = second.api().restore_snapshot("carried", &json!({}));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    assert_eq!(inventory(&second.api()), inventory(&api));

    let execution = reseal(&api, "nightly", &json!({ "drop": [their_fingerprint] }));
    assert_eq!(execution["report"]["no_longer_sealed_for"], json!([their_fingerprint]));
    let (_, own) = own_key(&api);
    let refused = api.post("/service/snapshots/nightly/reseal", &json!({ "drop": [own] }));
    assert!(refused.expect_error(400, "bad_parameters_error").contains("always sealed"));
    for (body, word) in
        [(json!({ "drop": ["x"] }), "`drop[0]`"), (json!({ "seal_for": ["age1"] }), "`seal_for[0]`")]
    {
        let refused = api.post("/service/snapshots/nightly/reseal", &body);
        assert!(refused.expect_error(400, "bad_parameters_error").contains(word));
    }
    api.post("/service/snapshots/none/reseal", &json!({})).expect_error(404, "not_found_error");

    // An archive of a stranger is sealed anew, and still told to be a stranger's.
    let recovery = std::fs::read_to_string(second.data().join("keys/identity.txt")).unwrap();
    let copy = first.scratch().join("old-identity.txt");
    std::fs::write(&copy, recovery).unwrap();
    let third = TestServer::builder()
        .settings(&format!("[encryption]\nidentities = [{:?}]", copy.to_str().unwrap()))
        .start();
    second.api().create_snapshot("theirs", &json!({}));
    third.api().send_archive("theirs", &second.api().archive("theirs")).expect(201);
    assert_eq!(reseal(&third.api(), "theirs", &json!({}))["status"], "terminated");
    let restored = third.api().restore_snapshot("theirs", &json!({}));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    let id = restored["id"].as_str().unwrap();
    let said = third.api().get(&format!("events?execution_id={id}&type=cloudify_log")).text();
    assert!(said.contains("by another Lifeboat before it was sealed anew"), "{said}");
}

#[test]
fn a_reseal_without_the_key_or_that_is_cancelled_changes_nothing() {
    let first = TestServer::start();
    fill(&first.api());
    first.api().create_snapshot("nightly", &json!({}));
    let second = TestServer::builder().holding("reseal:writing").start();
    let api = second.api();
    api.send_archive("carried", &first.api().archive("nightly")).expect(201);
    let record = api.get("snapshots/carried").expect(200);
    let execution = reseal(&api, "carried", &json!({}));
    assert_eq!(execution["status"], "failed", "{execution:#}");
    let (_, key) = own_key(&first.api());
    assert!(execution["error"].as_str().unwrap().contains(&key), "{execution:#}");
    assert_eq!(api.get("snapshots/carried").expect(200), record);

    api.create_snapshot("own", &json!({}));
    let record = api.get("snapshots/own").expect(200);
    let archive = api.archive("own");
    let execution = api.post("/service/snapshots/own/reseal", &json!({})).expect(200);
    api.wait_for_status(&execution, "started");
    let deleted = api.delete("snapshots/own");
    assert!(deleted.expect_error(400, "snapshot_action_error").contains("reseal_snapshot"));
    let id = execution["id"].as_str().unwrap();
    api.post(&format!("executions/{id}"), &json!({ "action": "cancel" })).expect(200);
    assert_eq!(api.wait_for_end(&execution)["status"], "cancelled");
    assert_eq!(api.get("snapshots/own").expect(200), record);
    assert_eq!(api.archive("own"), archive);
    second.leaves_nothing_in_tmp();
}

#[test]
fn a_reseal_that_is_killed_leaves_the_former_archive_or_the_new_one() {
    for (point, is_new) in [
        ("reseal:writing", false),
        ("reseal:verified", false),
        ("reseal:announced", false),
        ("reseal:kept", false),
        ("reseal:replaced", true),
    ] {
        let mut server = TestServer::builder().failpoint(&format!("{point}=kill")).start();
        let api = server.api();
        fill(&api);
        api.create_snapshot("nightly", &json!({}));
        let former = api.archive("nightly");
        let state = inventory(&api);
        let request =
            api.request(reqwest::Method::POST, "/service/snapshots/nightly/reseal").json(&json!({}));
        // The kill may come before the answer.
        let _ = request.send();
        server.wait_until_killed();
        server.restart();

        let api = server.api();
        let all = api.get("executions?_include_system_workflows=true&workflow_id=reseal_snapshot").items();
        let ended = api.wait_for_end(&all[0]);
        let expected = if is_new { "terminated" } else { "failed" };
        assert_eq!(ended["status"], expected, "{point}: {ended:#}");
        let archive = api.archive("nightly");
        assert_eq!(archive != former, is_new, "{point}");
        let record = api.get("snapshots/nightly").expect(200);
        assert_eq!(record["size_bytes"], archive.len(), "{point}");
        assert_eq!(server.files_in("archives").len(), 1, "{point}: no file is left over");
        server.leaves_nothing_in_tmp();
        let restored = api.restore_snapshot("nightly", &json!({ "force": true }));
        assert_eq!(restored["status"], "terminated", "{point}: {restored:#}");
        assert_eq!(inventory(&api), state, "{point}");
        assert_eq!(reseal(&api, "nightly", &json!({}))["status"], "terminated", "{point}");
    }
}

#[test]
fn a_file_is_resealed_without_any_service() {
    let [first, second] = [(); 2].map(|()| TestServer::start());
    fill(&first.api());
    first.api().create_snapshot("nightly", &json!({}));
    let scratch = first.scratch();
    std::fs::write(scratch.join("nightly.zip"), first.api().archive("nightly")).unwrap();
    let recovery = first.data().join("keys/recovery.txt");
    let recovery = recovery.to_str().unwrap();
    let (theirs, fingerprint) = own_key(&second.api());

    let line = ["reseal", "nightly.zip", "-o", "copy.zip", "--identity", recovery, "--seal-for", &theirs];
    let said = document(&first, &line);
    assert_eq!(said["sealed_for"], json!([fingerprint]));
    fails(lifeboat(&first, &line), 1, &["copy.zip", "--force"]);
    let copy = std::fs::read(scratch.join("copy.zip")).unwrap();
    assert_eq!(copy.len(), said["size_bytes"].as_u64().unwrap() as usize);
    second.api().send_archive("carried", &copy).expect(201);
    let restored = second.api().restore_snapshot("carried", &json!({}));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    assert_eq!(inventory(&second.api()), inventory(&first.api()));

    // With a data folder the copy is that service's own.
    let data = second.data();
    let line =
        ["reseal", "nightly.zip", "-o", "own.zip", "--identity", recovery, "--data", data.to_str().unwrap()];
    let said = document(&first, &line);
    assert_eq!(said["signer"], second.key_show()["signer"]["fingerprint"]);

    // Without a key that opens it nothing is left.
    let other = second.data().join("keys/recovery.txt");
    let other = other.to_str().unwrap();
    let line = ["reseal", "nightly.zip", "-o", "none.zip", "--identity", other, "--seal-for", &theirs];
    fails(lifeboat(&first, &line), 1, &["nightly.zip"]);
    let mut left: Vec<_> = std::fs::read_dir(&scratch)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["copy.zip", "nightly.zip", "own.zip"]);
}
