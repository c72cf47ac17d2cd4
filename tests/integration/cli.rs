//! The command line of Lifeboat itself: results, exit codes, pipes and Ctrl-C, by the real binary.
//!
//! It looks at what a shell sees: stdout, stderr and the code.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{
    TestServer, document, eventually, fails, fill, inventory, lifeboat, lifeboat_at, run, stderr, stdout,
};

#[test]
fn a_snapshot_is_made_fetched_sent_and_restored() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    let before = inventory(&api);

    let execution = document(&server, &["snapshot", "create", "nightly", "--wait"]);
    assert_eq!(execution["status"], "terminated");
    let listed = document(&server, &["snapshot", "list"]);
    assert_eq!(listed[0]["id"], "nightly");
    assert_eq!(listed.as_array().unwrap().len(), 1);

    let downloaded = document(&server, &["snapshot", "download", "nightly"]);
    assert_eq!(downloaded["sha256"], listed[0]["sha256"]);
    let file = server.scratch().join("nightly.zip");
    let bytes = fs::read(&file).unwrap();
    fails(lifeboat(&server, &["snapshot", "download", "nightly"]), 1, &["nightly.zip", "--force"]);

    fs::write(server.scratch().join("again.zip.part"), &bytes[..bytes.len() / 2]).unwrap();
    let resumed = document(&server, &["snapshot", "download", "nightly", "-o", "again.zip"]);
    assert_eq!(resumed["resumed_from_bytes"], bytes.len() / 2);
    assert_eq!(fs::read(server.scratch().join("again.zip")).unwrap(), bytes);

    let verified = document(&server, &["verify", "nightly.zip", "again.zip"]);
    assert_eq!(verified[1]["ok"], true);
    let uploaded = document(&server, &["snapshot", "upload", "nightly.zip", "copy"]);
    assert_eq!(uploaded["status"], "uploaded");
    fails(lifeboat(&server, &["snapshot", "upload", "nightly.zip", "copy"]), 4, &["copy", "exists"]);

    api.put("secrets/later", &json!({ "value": "x" })).expect(200);
    let changed = inventory(&api);
    let restore = lifeboat(&server, &["snapshot", "restore", "copy", "--wait"]);
    fails(restore, 1, &["restore snapshot `copy`", "force"]);
    let execution = document(&server, &["snapshot", "restore", "copy", "--force", "--wait"]);
    assert_eq!(execution["status"], "terminated");
    assert_eq!(inventory(&api), before);
    let execution = document(&server, &["rollback", "--yes", "--wait"]);
    assert_eq!(execution["workflow_id"], "rollback");
    assert_eq!(inventory(&api), changed);

    let deleted = document(&server, &["snapshot", "delete", "copy"]);
    assert_eq!(deleted["id"], "copy");
    assert_eq!(document(&server, &["snapshot", "status"])["status"], "not-running");
}

#[test]
fn an_exit_code_says_who_refused() {
    let server = TestServer::start();
    fails(lifeboat(&server, &["snapshot", "get", "nothing"]), 4, &["get snapshot `nothing`", "not found"]);
    fails(lifeboat(&server, &["snapshot", "create", "0"]), 4, &["begin with a letter"]);
    let mut wrong = lifeboat(&server, &["snapshot", "list"]);
    wrong.env("LIFEBOAT_PASSWORD", "not it");
    let printed = fails(wrong, 3, &["list the snapshots", "LIFEBOAT_PASSWORD"]);
    assert_eq!(printed, "");
    fails(lifeboat(&server, &["rollback"]), 2, &["--yes"]);
}

#[test]
fn a_create_that_is_cancelled_meanwhile_exits_1() {
    let server = TestServer::builder().holding("create:collecting").start();
    let mut creating = follow(&server, &["snapshot", "create", "nightly", "--wait", "--json"]);
    let id = wait_for_execution(&server);
    document(&server, &["execution", "cancel", &id]);
    assert_eq!(creating.wait().unwrap().code(), Some(1));
    let mut printed = String::new();
    creating.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    let execution: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(execution["status"], "cancelled", "{execution:#}");
}

#[test]
fn an_interrupt_ends_the_waiting_and_not_the_execution() {
    let server = TestServer::builder().holding("create:collecting").start();
    let mut creating = follow(&server, &["snapshot", "create", "nightly", "--wait"]);
    let mut said = BufReader::new(creating.stderr.take().unwrap());
    let mut line = String::new();
    // The first line of progress comes when Ctrl-C is already heeded.
    said.read_line(&mut line).unwrap();
    kill_process(Pid::from_child(&creating), Signal::INT).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(creating.wait().unwrap().code(), Some(130), "{line}{rest}");
    let id = wait_for_execution(&server);
    assert!(rest.contains("goes on") && rest.contains(&format!("execution tail {id}")), "{rest}");
    server.release();
    let output = run(lifeboat(&server, &["execution", "tail", &id]));
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("succeeded"));
}

#[test]
fn a_tail_prints_each_event_once() {
    let server = TestServer::start();
    let execution = server.api().create_snapshot("nightly", &json!({}));
    let id = execution["id"].as_str().unwrap();
    let query =
        format!("events?execution_id={id}&type=cloudify_event&type=cloudify_log&_sort=reported_timestamp");
    let expected = server.api().get(&query).items();
    assert_eq!(document(&server, &["execution", "tail", id]), Value::Array(expected.clone()));
    let lines = stdout(&run(lifeboat(&server, &["execution", "tail", id])));
    assert_eq!(lines.lines().count(), expected.len());
}

#[test]
fn users_and_tokens_are_managed_without_a_password_on_the_command_line() {
    let server = TestServer::start();
    let with_input = |arguments: &[&str], input: &str| {
        let mut child =
            lifeboat(&server, arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}");
    };
    with_input(&["user", "create", "anna", "--role", "sys_admin", "--password-stdin"], "first one\n");
    with_input(&["user", "set-password", "anna", "--password-stdin"], "second one\n");
    let as_anna = |password: &str| {
        let mut command = lifeboat(&server, &["token", "create", "--description", "tests", "--json"]);
        command.env("LIFEBOAT_USER", "anna").env("LIFEBOAT_PASSWORD", password);
        command
    };
    fails(as_anna("first one"), 3, &["create a token"]);
    let token: Value = serde_json::from_slice(&run(as_anna("second one")).stdout).unwrap();
    let mut by_token = lifeboat(&server, &["user", "list", "--json"]);
    by_token.env_remove("LIFEBOAT_USER").env("LIFEBOAT_TOKEN", token["value"].as_str().unwrap());
    let users: Value = serde_json::from_slice(&run(by_token).stdout).unwrap();
    assert!(users.as_array().unwrap().iter().any(|user| user["username"] == "anna"), "{users:#}");
    document(&server, &["user", "deactivate", "anna"]);
    fails(as_anna("second one"), 3, &[]);
    document(&server, &["user", "delete", "anna"]);
}

#[test]
fn the_keys_of_a_data_folder_are_shown_and_the_recovery_key_leaves_once() {
    let server = TestServer::start();
    let data = server.data();
    let data = data.to_str().unwrap();
    let shown = document(&server, &["key", "show", "--data", data]);
    assert!(shown["recipients"][0]["recipient"].as_str().unwrap().starts_with("age1"), "{shown:#}");
    assert!(shown["signer"]["public_key"].as_str().unwrap().starts_with("ed25519:"), "{shown:#}");
    let taken = document(&server, &["key", "recovery", "--taken", "--data", data]);
    assert!(taken["recovery_key"].as_str().unwrap().starts_with("AGE-SECRET-KEY-1"));
    fails(lifeboat(&server, &["key", "recovery", "--taken", "--data", data]), 1, &["taken away"]);
}

#[test]
fn no_service_is_exit_code_3_and_no_file_is_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    fails(lifeboat_at(&url, &["snapshot", "list"]), 3, &[&url, "refused"]);
    fails(lifeboat_at(&url, &["verify", "/nowhere.zip"]), 1, &["/nowhere.zip"]);
    let password = run(lifeboat_at(&url, &["snapshot", "list", "--password", "x"]));
    assert_eq!(password.status.code(), Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    for arguments in [&["--help"][..], &["verify", "/nowhere.zip", "--json"]] {
        let mut command = lifeboat_at("http://127.0.0.1:9", arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(!stderr(&output).contains("panicked"), "{arguments:?}: {}", stderr(&output));
        // What was found counts, also where nobody reads it.
        assert_eq!(output.status.code(), Some(i32::from(arguments[0] == "verify")), "{arguments:?}");
    }
}

/// Starts a command that waits for the held execution.
fn follow(server: &TestServer, arguments: &[&str]) -> Child {
    lifeboat(server, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The id of the one execution of the service, once it is started.
fn wait_for_execution(server: &TestServer) -> String {
    eventually("the execution is started", 60, || {
        let listed = document(server, &["execution", "list", "--status", "started"]);
        Some(listed.get(0)?["id"].as_str()?.to_owned())
    })
}
