//! Who can open an archive: the keys that a restore needs, and how another manager's key is enough.
//!
//! Sealing is proved elsewhere; here is what an administrator meets who moves archives between managers.

use serde_json::{Value, json};

use crate::harness::{Api, TestServer, fill, inventory};

/// Executions of the service's own, newest last.
fn system_executions(api: &Api) -> Vec<Value> {
    api.get("executions?_include_system_workflows=true&is_system_workflow=true").items()
}

#[test]
fn a_restore_without_the_key_stops_before_anything_is_touched_and_names_the_keys() {
    let first = TestServer::start();
    fill(&first.api());
    first.api().create_snapshot("nightly", &json!({ "include_credentials": true }));
    let archive = first.api().archive("nightly");

    let second = TestServer::start();
    let api = second.api();
    fill(&api);
    api.put("secrets/own", &json!({ "value": "stays" })).expect(200);
    let before = inventory(&api);
    let generations = second.files_in("manager");
    assert_eq!(api.send_archive("carried", &archive).expect(201)["status"], "uploaded");

    let execution = api.restore_snapshot("carried", &json!({ "force": true }));
    assert_eq!(execution["status"], "failed", "{execution:#}");
    let error = execution["error"].as_str().unwrap();
    let keys = first.key_show();
    for fingerprint in [&keys["recipients"][0]["fingerprint"], &keys["recovery"]["fingerprint"]] {
        let fingerprint = fingerprint.as_str().unwrap();
        assert!(error.contains(fingerprint), "does not name `{fingerprint}`: {error}");
    }
    assert!(error.contains("`encryption.identities`"), "{error}");
    assert_eq!(inventory(&api), before);
    assert_eq!(second.files_in("manager"), generations, "nothing is staged");
    assert_eq!(api.get("snapshot-status").expect(200), json!({ "status": "not-running" }));
    let children = system_executions(&api).into_iter().filter(|other| other["parent_id"] == execution["id"]);
    // Its picture, and no environment of a deployment.
    assert_eq!(children.filter(|child| child["workflow_id"] != "render_chart").count(), 0);
    // Writers were never shut out, or are let in again.
    api.put("secrets/afterwards", &json!({ "value": "x" })).expect(200);
    assert_eq!(api.get("snapshots/carried").expect(200)["status"], "uploaded");
}

#[test]
fn an_archive_sealed_for_another_managers_key_opens_there() {
    let second = TestServer::start();
    let recipient = second.key_show()["recipients"][0]["recipient"].clone();
    let first = TestServer::builder().settings(&format!("[encryption]\nrecipients = [{recipient}]")).start();
    fill(&first.api());
    first.api().create_snapshot("nightly", &json!({ "include_credentials": true }));

    let api = second.api();
    api.send_archive("carried", &first.api().archive("nightly")).expect(201);
    let execution = api.restore_snapshot("carried", &json!({}));
    assert_eq!(execution["status"], "terminated", "{execution:#}");
    assert_eq!(inventory(&api), inventory(&first.api()), "secrets' values among it");
}

#[test]
fn a_recipient_that_is_none_stops_the_start_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("lifeboat.toml");
    std::fs::write(&settings, "[encryption]\nrecipients = [\"age1nonsense\"]").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(&settings)
        .arg("--data")
        .arg(folder.path().join("data"))
        .output()
        .unwrap();
    assert_ne!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("encryption.recipients"), "{said}");
}
