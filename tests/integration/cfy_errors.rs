//! What `cfy` says when it is refused: a sentence and an exit code, never a crash.
//!
//! The codes and words are those of Cloudify's table of errors.

use std::fs;

use serde_json::json;

use crate::harness::{ADMIN_PASSWORD, Api, Cfy, TestServer, write_zip};

#[test]
fn unknown_used_and_illegal_ids_are_refused_in_words() {
    let server = TestServer::start();
    let cfy = server.cfy();
    for command in [
        &["snapshots", "delete", "nothing"][..],
        &["snapshots", "restore", "nothing"],
        &["snapshots", "download", "nothing"],
    ] {
        cfy.run(command).refused(&["404", "Requested `Snapshot` with ID `nothing` was not found"]);
    }
    cfy.run(&["snapshots", "create", "nightly", "-w"]).success();
    cfy.run(&["snapshots", "create", "nightly"]).refused(&["409", "already exists"]);
    let archive = server.scratch().join("nightly.zip");
    cfy.run(&["snapshots", "download", "nightly", "-o", archive.to_str().unwrap()]).success();
    cfy.run(&["snapshots", "upload", archive.to_str().unwrap(), "-s", "nightly"])
        .refused(&["409", "already exists"]);
    cfy.run(&["snapshots", "delete", "not/one"]).refused(&["404"]);
    cfy.run(&["executions", "get", "00000000-0000-4000-8000-000000000000"]).refused(&["not found"]);
    cfy.run(&["events", "list", "00000000-0000-4000-8000-000000000000"]).refused(&["not found"]);
}

#[test]
fn what_is_no_snapshot_is_refused_with_the_reason() {
    let server = TestServer::start();
    let cfy = server.cfy();
    let no_version = write_zip(&[("metadata.json", b"{}")]);
    let climbing = write_zip(&[("metadata.json", br#"{"snapshot_version": "7.0.5"}"#), ("../outside", b"x")]);
    for (name, bytes) in [
        ("text.zip", b"This is no zip, and long enough to be sent.".to_vec()),
        ("no-metadata.zip", write_zip(&[("readme", b"hello")])),
        ("no-version.zip", no_version),
        ("climbing.zip", climbing),
    ] {
        let path = server.scratch().join(name);
        fs::write(&path, bytes).unwrap();
        cfy.run(&["snapshots", "upload", path.to_str().unwrap(), "-s", "odd"]).refused(&["400"]);
    }
    assert_eq!(cfy.json(&["snapshots", "list"]), json!([]), "nothing is kept");
}

#[test]
fn urls_that_lead_inside_are_refused() {
    let server = TestServer::start();
    let cfy = server.cfy();
    for url in [
        "http://127.0.0.1:1/x.zip",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/x.zip",
        "ftp://example.invalid/x.zip",
        "file:///etc/passwd",
    ] {
        cfy.run(&["snapshots", "upload", url, "-s", "odd"]).refused(&["400"]);
    }
    assert_eq!(cfy.json(&["snapshots", "list"]), json!([]));
}

#[test]
fn a_wrong_password_is_said_as_such() {
    let server = TestServer::start();
    let cfy = Cfy::new();
    cfy.use_profile(server.port(), "admin", "wrong", "default_tenant").refused(&[
        "Can't use manager",
        "401",
        "User unauthorized",
    ]);
    cfy.use_profile(server.port(), "nobody", ADMIN_PASSWORD, "default_tenant")
        .refused(&["401", "User unauthorized"]);
}

#[test]
fn users_without_the_role_may_look_but_not_touch_snapshots() {
    let server = TestServer::start();
    let admin = server.cfy();
    admin.run(&["users", "create", "jo", "-p", "jo-password-1", "-r", "default"]).success();
    admin.run(&["tenants", "add-user", "jo", "-t", "default_tenant", "-r", "viewer"]).success();
    admin.run(&["snapshots", "create", "nightly", "-w"]).success();

    let jo = Cfy::new();
    jo.use_profile(server.port(), "jo", "jo-password-1", "default_tenant").success();
    for (command, permission) in [
        (&["snapshots", "create", "mine"][..], "snapshot_create"),
        (&["snapshots", "delete", "nightly"], "snapshot_delete"),
        (&["snapshots", "restore", "nightly"], "snapshot_restore"),
        (&["snapshots", "download", "nightly"], "snapshot_download"),
        (&["snapshots", "list"], "snapshot_list"),
    ] {
        jo.run(command)
            .refused(&["403", &format!("User `jo` is not permitted to perform the action {permission}")]);
    }
    jo.run(&["blueprints", "list"]).success();
    admin.run(&["snapshots", "list", "-t", "no-such-tenant"]).refused(&["403", "no-such-tenant"]);
}

#[test]
fn an_execution_that_has_ended_cannot_be_cancelled() {
    let server = TestServer::start();
    let cfy = server.cfy();
    let execution = server.api().create_snapshot("nightly", &json!({}));
    let id = execution["id"].as_str().unwrap();
    cfy.run(&["executions", "cancel", id]).refused(&["400", "Can't cancel execution"]);
    cfy.run(&["executions", "cancel", id, "-f"]).refused(&["400", "Can't force-cancel execution"]);
}

#[test]
fn a_running_create_is_cancelled_and_leaves_nothing() {
    let server = TestServer::builder().holding("create:collecting").start();
    let cfy = server.cfy();
    let api = server.api();
    cfy.run(&["snapshots", "create", "nightly"]).success();
    let execution = create_execution(&api);
    api.wait_for_status(&execution, "started");

    cfy.run(&["snapshots", "download", "nightly"]).refused(&["400"]);
    cfy.run(&["snapshots", "restore", "nightly"]).refused(&["400"]);
    cfy.run(&["snapshots", "delete", "nightly"]).refused(&[
        "400",
        "Cannot delete snapshot `nightly` which has an active `create_snapshot` execution",
    ]);
    let id = execution["id"].as_str().unwrap();
    cfy.run(&["executions", "cancel", id]).success();

    let ended = api.wait_for_end(&execution);
    assert_eq!(ended["status"], "cancelled", "{ended:#}");
    let snapshot = api.get("snapshots/nightly").expect(200);
    assert_eq!(snapshot["status"], "failed");
    assert_eq!(snapshot["error"], "cancelled");
    assert!(server.files_in("archives").is_empty());
    server.leaves_nothing_in_tmp();
    cfy.run(&["snapshots", "download", "nightly"]).refused(&["400", "Failed snapshot cannot be downloaded"]);
    cfy.run(&["snapshots", "restore", "nightly"]).refused(&["400", "Failed snapshot cannot be restored"]);
    cfy.run(&["snapshots", "delete", "nightly"]).success();
}

#[test]
fn a_waiting_create_says_that_it_failed_and_cfy_exits_0() {
    let server = TestServer::builder().holding("create:collecting").start();
    let cfy = server.cfy();
    let api = server.api();
    let waiting = cfy.spawn(&["snapshots", "create", "nightly", "-w"]);
    let execution = crate::harness::eventually("the create has begun", 60, || {
        let found = api.get("executions?_include_system_workflows=true").items();
        found.into_iter().find(|one| one["status"] == "started")
    });
    let id = execution["id"].as_str().unwrap();
    api.post(&format!("executions/{id}"), &json!({ "action": "kill" })).expect(200);
    let finished = Cfy::wait(waiting);
    assert_eq!(finished.code, 0);
    finished.says(&["Snapshot nightly creation failed [error="]);
}

#[test]
fn creates_run_side_by_side_and_a_restore_waits_in_the_queue_or_is_refused() {
    let server = TestServer::builder().holding("create:collecting").start();
    let cfy = server.cfy();
    let api = server.api();
    cfy.run(&["snapshots", "create", "one"]).success();
    cfy.run(&["snapshots", "create", "two"]).success();
    cfy.run(&["snapshots", "create", "three", "--queue"]).success().says(&["`queue` flag was passed"]);
    let archive = write_zip(&[("metadata.json", br#"{"snapshot_version": "7.0.5"}"#)]);
    let path = server.scratch().join("old.zip");
    fs::write(&path, archive).unwrap();
    api.upload("old", &path).expect(201);
    cfy.run(&["snapshots", "restore", "old"])
        .refused(&["400", "Cannot start execution because there are other executions running"]);
    let executions = api.get("executions?_include_system_workflows=true").items();
    assert_eq!(executions.len(), 3, "no record of the refused restore is left");
    let queued: Vec<_> = executions.iter().filter(|one| one["status"] == "queued").collect();
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0]["parameters"]["snapshot_id"], "three");

    server.release();
    for execution in &executions {
        assert_eq!(api.wait_for_end(execution)["status"], "terminated");
    }
}

fn create_execution(api: &Api) -> serde_json::Value {
    let found = api.get("executions?_include_system_workflows=true&workflow_id=create_snapshot").items();
    found.into_iter().next().expect("a create was asked for")
}
