//! While something runs: writers beside a create, cancels, open downloads, a second service.
//!
//! Nothing here may depend on how fast the machine is, but for the one promise of a second.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Api, Connection, FileServer, TestServer, blueprint_archive, eventually, fill, inventory, long_archive,
    plugin_archive,
};

/// The node instance in which the writer counts.
fn counting_instance(api: &Api) -> Value {
    api.get("node-instances?node_id=tower").items().remove(0)
}

/// Counts in two places in turns until told to stop: the instance is never behind, and at most one before.
fn count(api: &Api, steps: &AtomicU64, stop: &AtomicBool) {
    let id = counting_instance(api)["id"].as_str().unwrap().to_owned();
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        number += 1;
        let change = json!({ "runtime_properties": { "count": number } });
        api.patch(&format!("node-instances/{id}?force=true"), &change).expect(200);
        api.patch("secrets/count", &json!({ "value": number.to_string() })).expect(200);
        steps.store(number, Ordering::SeqCst);
    }
}

/// Stops the writer when dropped, a failed claim included: the scope waits for its threads.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn writers_go_on_while_a_create_runs_and_the_cut_is_one_moment() {
    let first = TestServer::builder().holding("create:publishing").start();
    let api = first.api();
    fill(&api);
    // Between the two places in the archive lies much that has to be read.
    for number in 0..200 {
        api.put(&format!("secrets/filler{number}"), &json!({ "value": "x".repeat(100) })).expect(200);
    }
    api.put("secrets/count", &json!({ "value": "0" })).expect(200);
    let instance = counting_instance(&api)["id"].as_str().unwrap().to_owned();
    let change = json!({ "runtime_properties": { "count": 0 } });
    api.patch(&format!("node-instances/{instance}?force=true"), &change).expect(200);

    let (steps, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let ids = ["one", "two", "three", "four"];
    thread::scope(|scope| {
        let stopped = Stop(&stop);
        let writer = scope.spawn(|| count(&api, &steps, &stop));
        // The first create is held when all is read: the writer goes on beside it.
        let held = api.put("snapshots/one", &json!({})).expect(201);
        api.wait_for_status(&held, "started");
        let begun = steps.load(Ordering::SeqCst);
        eventually("writers go on while a create runs", 60, || {
            (steps.load(Ordering::SeqCst) > begun + 10).then_some(())
        });
        assert_eq!(api.get("snapshots/one").expect(200)["status"], "creating");
        first.release();
        assert_eq!(api.wait_for_end(&held)["status"], "terminated");
        for id in &ids[1..] {
            api.create_snapshot(id, &json!({}));
        }
        drop(stopped);
        writer.join().unwrap();
    });

    let second = TestServer::builder().opening_archives_of(&first).start();
    let other = second.api();
    let mut seen = Vec::new();
    for id in ids {
        other.send_archive(id, &api.archive(id)).expect(201);
        let ended = other.restore_snapshot(id, &json!({ "force": true }));
        assert_eq!(ended["status"], "terminated", "{ended:#}");
        let counted = counting_instance(&other)["runtime_properties"]["count"].as_u64().unwrap();
        let secret = other.get("secrets/count").expect(200)["value"].as_str().unwrap().to_owned();
        let secret: u64 = secret.parse().unwrap();
        assert!(counted == secret || counted == secret + 1, "`{id}` holds {counted} and {secret}");
        seen.push(counted);
    }
    assert!(seen.is_sorted() && seen[0] < seen[3], "each create had a moment of its own: {seen:?}");
}

/// The seconds within which a cancel is honoured.
const CANCEL_SECONDS: u64 = 1;

fn cancel_within_a_second(api: &Api, execution: &Value) {
    api.wait_for_status(execution, "started");
    let path = format!("executions/{}", execution["id"].as_str().unwrap());
    let asked = api.post(&path, &json!({ "action": "cancel" })).expect(200);
    assert!(["cancelling", "cancelled"].contains(&asked["status"].as_str().unwrap()), "{asked:#}");
    let ended = eventually("the cancel is honoured", CANCEL_SECONDS, || {
        let execution = api.get(&path).expect(200);
        (!execution["ended_at"].is_null()).then_some(execution)
    });
    assert_eq!(ended["status"], "cancelled", "{ended:#}");
}

#[test]
fn a_cancel_is_honoured_within_a_second() {
    let server = TestServer::builder().holding("create:collecting").start();
    let api = server.api();
    let create = api.put("snapshots/nightly", &json!({})).expect(201);
    cancel_within_a_second(&api, &create);
    let snapshot = api.get("snapshots/nightly").expect(200);
    assert_eq!((&snapshot["status"], &snapshot["error"]), (&json!("failed"), &json!("cancelled")));
    server.leaves_nothing_in_tmp();
    assert_eq!(server.files_in("archives"), Vec::<String>::new());

    for place in ["restore:staging", "restore:staged"] {
        let server = TestServer::builder().holding(place).start();
        let api = server.api();
        fill(&api);
        api.create_snapshot("nightly", &json!({}));
        api.put("secrets/later", &json!({ "value": "x" })).expect(200);
        let before = inventory(&api);
        let generations = server.files_in("manager");
        let restore = api.post("snapshots/nightly/restore", &json!({ "force": true })).expect(200);
        cancel_within_a_second(&api, &restore);
        assert_eq!(inventory(&api), before, "{place}");
        assert_eq!(server.files_in("manager"), generations, "{place}");
        assert_eq!(api.get("snapshot-status").expect(200), json!({ "status": "not-running" }), "{place}");
        api.put("secrets/afterwards", &json!({ "value": "x" })).expect(200);
    }
}

#[test]
fn an_open_download_survives_a_delete() {
    let server = TestServer::start();
    let api = server.api();
    // So long that no buffer between two processes holds it.
    let archive = long_archive(32 << 20);
    api.send_archive("long", &archive).expect(201);

    let mut caller =
        Connection::begin(&server, "GET", "/api/v3.1/snapshots/long/archive", &["Connection: close"]);
    let mut reply = caller.read(64 << 10);
    assert!(reply.starts_with(b"HTTP/1.1 200 "));

    api.delete("snapshots/long").expect(200);
    assert_eq!(api.get("snapshots/long").status, 404);
    assert_eq!(server.files_in("archives"), Vec::<String>::new());
    caller.read_to_end(&mut reply);
    let head = reply.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(reply.len() - head, archive.len());
    assert!(reply[head..] == archive[..], "what came is what was uploaded");
}

#[test]
fn a_second_service_on_the_same_folder_is_refused() {
    let server = TestServer::start();
    fill(&server.api());
    let before = inventory(&server.api());
    let mut second = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(server.data())
        .current_dir(server.scratch())
        .env("LIFEBOAT_ADMIN_PASSWORD", "another-password-9")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = eventually("the second service ends by itself", 60, || second.try_wait().unwrap());
    assert_ne!(status.code(), Some(0));
    let mut said = String::new();
    second.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("in use by another lifeboat"), "{said}");
    assert_eq!(inventory(&server.api()), before, "the first goes on");
    server.api().create_snapshot("nightly", &json!({}));
}

#[test]
fn a_blueprint_and_a_plugin_are_fetched_by_url() {
    let files = FileServer::start();
    let blueprint = files.file("/lighthouse.tar.gz", blueprint_archive());
    let plugin = files.file("/beacon.zip", plugin_archive());
    let nothing = files.url("/nothing");
    let put = |api: &Api, url: &str| {
        let query = format!("blueprint_archive_url={url}&application_file_name=lighthouse.yaml");
        api.send(api.request(Method::PUT, &format!("blueprints/fetched?{query}")))
    };
    let post = |api: &Api, url: &str| {
        api.send(api.request(Method::POST, &format!("plugins?title=beacon&plugin_archive_url={url}")))
    };

    let server = TestServer::builder().fetching_from_loopback().start();
    let api = server.api();
    for reply in [put(&api, &nothing), post(&api, &nothing), put(&api, "file:///etc/passwd")] {
        reply.expect_error(400, "bad_parameters_error");
    }
    let fetched = put(&api, &blueprint).expect(201);
    assert_eq!(fetched["state"], "uploaded", "{fetched:#}");
    assert_eq!(api.get("blueprints/fetched/archive").body, blueprint_archive());
    let fetched = post(&api, &plugin).expect(201);
    assert_eq!(fetched["package_name"], "beacon-plugin", "{fetched:#}");
    let path = format!("plugins/{}/archive?full_archive=true", fetched["id"].as_str().unwrap());
    assert_eq!(api.get(&path).body, plugin_archive());

    // Loopback is not fetched from unless the settings name it.
    let server = TestServer::start();
    let api = server.api();
    for reply in [put(&api, &blueprint), post(&api, &plugin)] {
        reply.expect_error(400, "bad_parameters_error");
    }
    for list in ["blueprints", "plugins"] {
        assert_eq!(api.get(list).items(), Vec::<Value>::new());
    }
}
