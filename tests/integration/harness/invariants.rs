//! What holds of every server that has nothing to do, whatever was done before.

use std::fs;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Api, TestServer, entries, eventually};

/// The states of an execution that is not over and whose time has come.
const OPEN_STATES: [&str; 6] =
    ["pending", "queued", "started", "cancelling", "force_cancelling", "kill_cancelling"];

/// Checks what holds for every server that has nothing to do.
pub fn check_invariants(server: &TestServer, claim: &str) {
    let api = server.api();
    every_execution_has_ended(&api, claim);
    let archives = snapshots_are_whole(&api, claim);
    assert_eq!(
        server.files_in("archives").len(),
        archives,
        "{claim}: one file for each archive, and no other"
    );
    server.leaves_nothing_in_tmp();
    only_generations(server, claim);
    assert_eq!(api.get("snapshot-status").expect(200)["status"], "not-running", "{claim}");
    let health = api.get("/service/health");
    health.expect_status(200);
}

fn every_execution_has_ended(api: &Api, claim: &str) {
    let open = |status: &&str| {
        let path = format!("executions?_include_system_workflows=true&_size=1&status={status}");
        !api.get(&path).items().is_empty()
    };
    eventually(&format!("{claim}: every execution ends"), 300, || {
        (!OPEN_STATES.iter().any(open)).then_some(())
    });
    for execution in all_executions(api) {
        let has_error = execution["error"].as_str().is_some_and(|error| !error.is_empty());
        match execution["status"].as_str().unwrap() {
            "scheduled" => continue,
            "terminated" => assert!(!has_error, "{claim}: {execution:#}"),
            _ => assert!(has_error, "{claim}: it ended without a reason: {execution:#}"),
        }
        assert!(execution["ended_at"].is_string(), "{claim}: {execution:#}");
    }
}

/// Everything that was ever executed, oldest first.
pub fn all_executions(api: &Api) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let path =
            format!("executions?_include_system_workflows=true&_sort=created_at&_offset={}", all.len());
        let page = api.get(&path).items();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Answers how many snapshots have an archive.
fn snapshots_are_whole(api: &Api, claim: &str) -> usize {
    let mut archives = 0;
    for snapshot in api.get("snapshots").items() {
        let id = snapshot["id"].as_str().unwrap();
        match snapshot["status"].as_str().unwrap() {
            "created" | "uploaded" => {
                let archive = api.archive(id);
                assert_eq!(snapshot["sha256"], hex::encode(Sha256::digest(&archive)), "{claim}: `{id}`");
                assert_eq!(snapshot["size_bytes"], archive.len(), "{claim}: `{id}`");
                assert!(
                    entries(&archive).iter().any(|entry| entry.name == "manifest.sig"),
                    "{claim}: `{id}`"
                );
                archives += 1;
            }
            "failed" => {
                assert_ne!(snapshot["error"], "", "{claim}: {snapshot:#}");
                assert_eq!(api.get(&format!("snapshots/{id}/archive")).status, 400, "{claim}: `{id}`");
            }
            other => panic!("{claim}: the snapshot `{id}` is still {other}"),
        }
    }
    archives
}

/// In the manager's folder are the live generation, the one that it replaced, and the link.
fn only_generations(server: &TestServer, claim: &str) {
    let names = server.files_in("manager");
    let live = fs::read_link(server.data().join("manager/current")).unwrap();
    assert!(names.contains(&live.to_str().unwrap().to_owned()), "{claim}: {names:?}");
    assert!(names.contains(&"current".to_owned()), "{claim}: {names:?}");
    let generations = names.iter().filter(|name| name.starts_with("generation-")).count();
    assert_eq!(generations + 1, names.len(), "{claim}: something is left over: {names:?}");
    assert!(generations <= 2, "{claim}: {names:?}");
}
