//! What keeps snapshots worth having: a verify finds what is wrong with one, and a protected one is not deleted.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Api, TestServer, document, eventually, fails, fill, lifeboat};

fn verify(api: &Api, id: &str) -> Value {
    let execution = api.post(&format!("snapshots/{id}/verify"), &json!({})).expect(200);
    assert_eq!(execution["workflow_id"], "verify_snapshot");
    api.wait_for_end(&execution)
}

fn snapshot(api: &Api, id: &str) -> Value {
    api.get(&format!("snapshots/{id}")).expect(200)
}

/// The file of the only archive.
fn archive_file(server: &TestServer) -> PathBuf {
    let mut names = server.files_in("archives");
    assert_eq!(names.len(), 1);
    server.data().join("archives").join(names.remove(0))
}

#[test]
fn a_good_archive_is_said_to_be_good_and_when() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({ "include_credentials": true, "include_metrics": true }));
    let before = snapshot(&api, "nightly");
    assert_eq!((&before["protected"], &before["proven_at"]), (&json!(false), &Value::Null));
    assert_eq!(before["origin"], "create");
    assert_eq!(before["contents"]["counts"]["deployments"], 2);

    let ended = verify(&api, "nightly");
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    assert_eq!(ended["report"]["size_bytes"], before["size_bytes"]);
    assert_eq!(ended["report"]["counts"]["deployments"], 2);
    assert!(ended["report"]["sealed"].as_u64().unwrap() > 0);
    assert_eq!(ended["done_bytes"], ended["total_bytes"]);
    let after = snapshot(&api, "nightly");
    assert!(after["verified_at"].as_str() > before["verified_at"].as_str());
    assert_eq!((&after["status"], &after["error"]), (&json!("created"), &json!("")));

    let ended = document(&server, &["snapshot", "verify", "nightly", "--wait"]);
    assert_eq!(ended["status"], "terminated");
}

#[test]
fn one_changed_byte_anywhere_is_found_and_told_by_the_record() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({ "include_credentials": true }));
    let file = archive_file(&server);
    let good = fs::read(&file).unwrap();
    let places = (0..16).map(|part| part * (good.len() - 1) / 15);
    for place in places {
        let mut damaged = good.clone();
        damaged[place] ^= 0x10;
        fs::write(&file, &damaged).unwrap();
        let ended = verify(&api, "nightly");
        assert_eq!(ended["status"], "failed", "byte {place}: {ended:#}");
        let record = snapshot(&api, "nightly");
        assert_eq!(record["verified_at"], Value::Null, "byte {place}");
        let error = record["error"].as_str().unwrap();
        assert!(
            error.starts_with("verify: ") && error.ends_with(ended["error"].as_str().unwrap()),
            "{error}"
        );
        assert_eq!(record["status"], "created", "it stays, and can be replaced or deleted");
    }
    fails(lifeboat(&server, &["snapshot", "verify", "nightly", "--wait"]), 1, &["SHA-256"]);
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    assert_eq!(verify(&api, "nightly")["status"], "failed", "a byte is missing");
    fs::remove_file(&file).unwrap();
    assert_eq!(verify(&api, "nightly")["status"], "failed", "the file is gone");

    fs::write(&file, &good).unwrap();
    assert_eq!(verify(&api, "nightly")["status"], "terminated");
    let record = snapshot(&api, "nightly");
    assert!(record["verified_at"].is_string());
    assert_eq!(record["error"], "", "what was wrong is not wrong any more");
}

#[test]
fn an_archive_whose_sealed_parts_no_key_opens_is_not_good() {
    let first = TestServer::start();
    fill(&first.api());
    first.api().create_snapshot("nightly", &json!({}));
    let archive = first.api().archive("nightly");
    let second = TestServer::start();
    second.api().send_archive("strange", &archive).expect(201);
    let ended = verify(&second.api(), "strange");
    assert_eq!(ended["status"], "failed", "{ended:#}");
    assert!(ended["error"].as_str().unwrap().contains("key"), "{ended:#}");
    let third = TestServer::builder().opening_archives_of(&first).start();
    third.api().send_archive("known", &archive).expect(201);
    assert_eq!(verify(&third.api(), "known")["status"], "terminated");
}

#[test]
fn a_verify_runs_beside_everything_and_counts_as_nothing_active() {
    let server = TestServer::builder().holding("verify:reading").start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let verifies: Vec<Value> =
        (0..3).map(|_| api.post("snapshots/nightly/verify", &json!({})).expect(200)).collect();
    api.wait_for_status(&verifies[1], "started");
    api.create_snapshot("later", &json!({}));
    let restored = api.restore_snapshot("nightly", &json!({ "force": true }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    let waiting = api.get(&format!("executions/{}", verifies[2]["id"].as_str().unwrap())).expect(200);
    assert_eq!(waiting["status"], "pending", "only two at a time");
    // What it reads stays.
    let message = api.delete("snapshots/nightly").expect_error(400, "snapshot_action_error");
    assert!(message.contains("verify_snapshot"), "{message}");

    let cancelled = format!("executions/{}", verifies[0]["id"].as_str().unwrap());
    let asked = std::time::Instant::now();
    api.post(&cancelled, &json!({ "action": "cancel" })).expect(200);
    assert_eq!(api.wait_for_end(&verifies[0])["status"], "cancelled");
    assert!(asked.elapsed().as_secs() < 2, "{:?}", asked.elapsed());
    assert_eq!(snapshot(&api, "nightly")["error"], "", "a cancel says nothing of the archive");
    server.release();
    for execution in &verifies[1..] {
        assert_eq!(api.wait_for_end(execution)["status"], "terminated");
    }
}

#[test]
fn a_verify_stands_still_while_a_restore_runs() {
    let server = TestServer::builder().holding("restore:staged").start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let restore = api.post("snapshots/nightly/restore", &json!({ "force": true })).expect(200);
    eventually("the restore is held", 30, || {
        let held = api.get(&format!("executions/{}", restore["id"].as_str().unwrap())).expect(200);
        (held["phase"] == "staging").then_some(())
    });
    let execution = api.post("snapshots/nightly/verify", &json!({})).expect(200);
    api.wait_for_status(&execution, "started");
    // Some calls' worth of time, in which it would long have ended.
    for _ in 0..100 {
        let now = api.get(&format!("executions/{}", execution["id"].as_str().unwrap())).expect(200);
        assert_eq!((&now["status"], &now["done_bytes"]), (&json!("started"), &json!(0)));
    }
    server.release();
    let restore = api.wait_for_end(&restore);
    assert_eq!(restore["status"], "terminated", "{restore:#}");
    let verified = api.wait_for_end(&execution);
    assert_eq!(verified["status"], "terminated", "{verified:#}");
    assert!(verified["ended_at"].as_str() > restore["ended_at"].as_str());
}

#[test]
fn a_protected_snapshot_is_not_deleted_until_somebody_takes_the_protection_away() {
    let server = TestServer::start();
    let api = server.api();
    api.create_snapshot("nightly", &json!({}));
    assert_eq!(api.post("snapshots/nightly/protect", &json!({})).expect(200)["protected"], true);
    assert_eq!(api.post("snapshots/nightly/protect", &json!({})).expect(200)["protected"], true);
    let message = api.delete("snapshots/nightly").expect_error(400, "snapshot_action_error");
    assert!(message.contains("`admin` protects it since 2"), "{message}");
    assert!(message.contains("lifeboat snapshot protect nightly --off"), "{message}");
    server.cfy().run(&["snapshots", "delete", "nightly"]).refused(&["protects it since"]);
    fails(lifeboat(&server, &["snapshot", "delete", "nightly"]), 4, &["protects it since"]);
    assert_eq!(snapshot(&api, "nightly")["protected"], true);
    api.post("snapshots/absent/protect", &json!({})).expect_error(404, "not_found_error");

    let user = json!({ "username": "jo", "password": "jo-password-1", "role": "default" });
    api.put("users", &user).expect(201);
    let jo = Api::new(server.port()).login("jo", "jo-password-1");
    for call in ["protect", "verify"] {
        let status = jo.post(&format!("snapshots/nightly/{call}"), &json!({})).status;
        assert!([401, 403].contains(&status), "{call}: {status}");
    }

    let shown = document(&server, &["snapshot", "protect", "nightly", "--off"]);
    assert_eq!(shown["protected"], false);
    document(&server, &["snapshot", "protect", "nightly"]);
    api.post("snapshots/nightly/protect", &json!({ "protected": false })).expect(200);
    server.cfy().run(&["snapshots", "delete", "nightly"]).success();

    let records = rusqlite::Connection::open(server.data().join("records.db")).unwrap();
    let mut statement =
        records.prepare("SELECT username, action, subject FROM audit WHERE action LIKE 'snapshot_%protect' ORDER BY number").unwrap();
    let lines: Vec<(String, String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let actions: Vec<&str> = lines.iter().map(|line| line.1.as_str()).collect();
    assert_eq!(actions, ["snapshot_protect", "snapshot_unprotect", "snapshot_protect", "snapshot_unprotect"]);
    assert!(lines.iter().all(|line| line.0 == "admin" && line.2 == "nightly"), "{lines:?}");
}
