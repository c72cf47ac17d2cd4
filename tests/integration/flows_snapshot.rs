//! Flows in manager snapshots: a consistent cut, the way onto another server, one flow alone.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, Flow, Item, Reply, TestServer, add_member, eventually, graph};

fn status(flow: &Flow) -> Value {
    flow.get()["attributes"]["status"].take()
}

fn current_status(flow: &Flow) -> Value {
    flow.get()["attributes"]["current_status"].take()
}

/// What makes a flow, without what a restore changes of it.
fn resource(flow: &Flow) -> Value {
    let mut attributes = flow.get()["attributes"].take();
    let names = [
        "name",
        "description",
        "type",
        "cron",
        "default_mapper_type",
        "graph",
        "created_at",
        "orphaned_steps",
    ];
    names.iter().map(|name| ((*name).to_owned(), attributes[*name].take())).collect()
}

fn flows_report(execution: &Value) -> &Value {
    let report = &execution["report"]["sources"]["flows"];
    assert!(report.is_object(), "no report of the flows: {execution:#}");
    report
}

/// The text of a capture's values, as it came.
fn capture_text(api: &Api, capture: &str) -> String {
    let text = api.get(&format!("/v2/captures/{capture}")).text();
    let (_, steps) = text.split_once(r#""steps":"#).unwrap_or_else(|| panic!("no steps: {text}"));
    let (steps, _) = steps.split_once(r#""relationships""#).unwrap_or((steps, ""));
    steps.to_owned()
}

/// Puts a snapshot of one server onto another.
fn carry(from: &TestServer, snapshot: &str) -> (TestServer, Value) {
    let to = TestServer::builder().opening_archives_of(from).start();
    to.api().send_archive(snapshot, &from.api().archive(snapshot)).expect(201);
    let ended = to.api().restore_snapshot(snapshot, &json!({ "force": true }));
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    (to, ended)
}

/// A flow whose values and whose history are not those that a parser would write.
fn odd_flow(api: &Api, tenant: &str, name: &str) -> Flow {
    let flow = Flow::create_in(api, tenant, name, &["z", "a/b", "gone", "empty"]);
    flow.emit("z", "{ \"z\" : 1.0e5, \"a\":9007199254740993,\"$set\":{\"a.b\":1e400} }").expect_status(200);
    flow.emit("a/b", "null").expect(200);
    flow.emit("a/b", "-0").expect(200);
    flow.emit("gone", &format!("{}1{}", "[".repeat(200), "]".repeat(200))).expect_status(200);
    let body = json!({ "data": {
        "type": "flow", "id": flow.id,
        "attributes": { "graph": graph(&["z", "a/b", "empty"]), "cron": "0 3 * * *" }
    } });
    api.patch(&flow.path(""), &body).expect(200);
    flow
}

#[test]
fn flows_come_onto_a_second_server_to_the_letter() {
    let first = TestServer::start();
    let api = first.api();
    api.post("tenants/north", &json!({})).expect(201);
    let flows = [
        odd_flow(&api, "default_tenant", "Nightly"),
        odd_flow(&api, "north", "Orders"),
        Flow::create(&api, "Empty", &[]),
    ];
    let capture = flows[0].capture("before");
    flows[0].emit("z", "2").expect(200);
    api.create_snapshot("plain", &json!({}));
    api.create_snapshot("whole", &json!({ "include_flow_history": true }));

    for (snapshot, has_history) in [("plain", false), ("whole", true)] {
        let (second, ended) = carry(&first, snapshot);
        let other = second.api();
        assert_eq!(other.get("/v2/flows").expect(200)["meta"]["total"], 3);
        for flow in &flows {
            let carried = flow.by(&other);
            assert_eq!(resource(&carried), resource(flow));
            assert_eq!(carried.values(), flow.values(), "to the letter");
            assert_eq!((status(&carried), current_status(&carried)), (json!("inactive"), json!("inactive")));
            let told = |flow: &Flow| -> Vec<(String, String, String, Option<String>)> {
                let mut items = flow.flow_history();
                items.retain(|item| item.past.via != "snapshot");
                let tell = |item: Item| {
                    let after = item.past.texts().1.map(str::to_owned);
                    (item.past.step, item.past.action, item.past.at, after)
                };
                items.into_iter().map(tell).collect()
            };
            let wanted = if has_history { told(flow) } else { Vec::new() };
            assert_eq!(told(&carried), wanted, "{snapshot}");
        }
        // The step that left the graph is not lost, and is named.
        assert_eq!(flows[0].by(&other).get()["attributes"]["orphaned_steps"], json!(["gone"]));
        let notes = flows_report(&ended)["notes"].to_string();
        assert!(notes.contains("gone"), "{notes}");
        assert_eq!(capture_text(&other, &capture), capture_text(&api, &capture));
        let listed = other.get(&flows[0].path("/captures")).expect(200);
        assert_eq!(listed["data"][0]["attributes"]["description"], "before");
    }
}

#[test]
fn a_restore_brings_flows_back_and_takes_later_ones_away() {
    let server = TestServer::start();
    let api = server.api();
    let flow = odd_flow(&api, "default_tenant", "Nightly");
    let (saved, values) = (resource(&flow), flow.values());
    api.create_snapshot("nightly", &json!({}));
    flow.edit("z", "\"later\"").expect(200);
    let later = Flow::create(&api, "Later", &["a"]);
    flow.start();
    let ended = api.restore_snapshot("nightly", &json!({ "force": true }));
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    assert_eq!(flow.values(), values);
    assert_eq!(resource(&flow), saved);
    assert_eq!(status(&flow), "inactive");
    assert_eq!(api.get(&later.path("")).status, 404);
    flow.edit("z", "1").expect(200);
}

#[test]
fn running_flows_are_counted_as_fuzzy_and_come_back_inactive() {
    let first = TestServer::start();
    let api = first.api();
    let running = Flow::create(&api, "Running", &["a"]);
    let standing = Flow::create(&api, "Standing", &["a"]);
    running.start();
    running.emit("a", "1").expect(200);
    let ended = api.create_snapshot("nightly", &json!({}));
    assert_eq!(flows_report(&ended)["fuzzy"], 1, "{ended:#}");
    assert_eq!(status(&running), "active", "nobody stopped it");
    let (second, _) = carry(&first, "nightly");
    for flow in [&running, &standing] {
        let carried = flow.by(&second.api());
        assert_eq!((status(&carried), current_status(&carried)), (json!("inactive"), json!("inactive")));
    }
    assert_eq!(running.by(&second.api()).value("a").unwrap(), "1");
    running.stop();
    let ended = api.create_snapshot("later", &json!({}));
    assert_eq!(flows_report(&ended)["fuzzy"], 0, "{ended:#}");
}

/// A running and a standing flow.
fn two_flows(api: &Api) -> (Flow, Flow) {
    let running = Flow::create(api, "Running", &["a"]);
    running.start();
    (running, Flow::create(api, "Standing", &["a"]))
}

fn assert_as_before(api: &Api, (running, standing): &(Flow, Flow)) {
    let running = running.by(api);
    eventually("the flow runs again", 60, || (status(&running) == "active").then_some(()));
    assert_eq!(current_status(&running), "active");
    let standing = standing.by(api);
    assert_eq!((status(&standing), current_status(&standing)), (json!("inactive"), json!("inactive")));
}

fn wait_until_paused(flow: &Flow) {
    let is_paused = || (current_status(flow) == "inactive").then_some(());
    eventually("the flow is paused", 60, is_paused);
}

#[test]
fn paused_flows_are_started_again_after_the_cut() {
    let server = TestServer::builder().holding("create:paused").start();
    let api = server.api();
    let flows = two_flows(&api);
    let create = api.put("snapshots/nightly", &json!({ "pause_flows": true })).expect(201);
    wait_until_paused(&flows.0);
    server.release();
    let ended = api.wait_for_end(&create);
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    assert_eq!(flows_report(&ended)["fuzzy"], 0, "{ended:#}");
    assert_as_before(&api, &flows);
}

#[test]
fn paused_flows_are_started_again_after_a_cancel() {
    let server = TestServer::builder().holding("create:paused").start();
    let api = server.api();
    let flows = two_flows(&api);
    let create = api.put("snapshots/nightly", &json!({ "pause_flows": true })).expect(201);
    wait_until_paused(&flows.0);
    let path = format!("executions/{}", create["id"].as_str().unwrap());
    api.post(&path, &json!({ "action": "cancel" })).expect(200);
    assert_eq!(api.wait_for_end(&create)["status"], "cancelled");
    assert_as_before(&api, &flows);
}

#[test]
fn paused_flows_are_started_again_after_a_failure() {
    for failpoint in ["create:paused=fail", "create:collecting=fail", "create:publishing=fail"] {
        let server = TestServer::builder().failpoint(failpoint).start();
        let api = server.api();
        let flows = two_flows(&api);
        let create = api.put("snapshots/nightly", &json!({ "pause_flows": true })).expect(201);
        assert_eq!(api.wait_for_end(&create)["status"], "failed", "{failpoint}");
        assert_as_before(&api, &flows);
    }
}

#[test]
fn paused_flows_are_started_again_after_a_kill() {
    for failpoint in ["create:paused=kill", "create:collecting=kill", "create:publishing=kill"] {
        let mut server = TestServer::builder().failpoint(failpoint).start();
        let flows = two_flows(&server.api());
        let options = json!({ "pause_flows": true });
        // It may be dead before it has answered.
        let _ = server.api().request(Method::PUT, "snapshots/nightly").json(&options).send();
        server.wait_until_killed();
        server.restart();
        assert_as_before(&server.api(), &flows);
    }
}

/// Asks for one flow out of a snapshot, and tells whether it came; a refusal may come at once or later.
fn restore_flow(api: &Api, snapshot: &str, flow: &str, force: bool) -> (bool, Value) {
    let path = format!("/service/snapshots/{snapshot}/restore-flow");
    let reply: Reply = api.post(&path, &json!({ "flow_id": flow, "force": force }));
    if reply.status != 200 {
        assert!((400..500).contains(&reply.status), "{}: {}", reply.status, reply.text());
        return (false, reply.json());
    }
    let execution = reply.json();
    assert_eq!(execution["workflow_id"], "restore_flow", "{execution:#}");
    let ended = api.wait_for_end(&execution);
    (ended["status"] == "terminated", ended)
}

#[test]
fn one_flow_alone_comes_back_out_of_a_snapshot() {
    let server = TestServer::start();
    let api = server.api();
    let flow = odd_flow(&api, "default_tenant", "Nightly");
    let other = Flow::create(&api, "Other", &["a"]);
    other.emit("a", "1").expect(200);
    let capture = flow.capture("before");
    let (saved, values, captured) = (resource(&flow), flow.values(), capture_text(&api, &capture));
    api.create_snapshot("nightly", &json!({}));
    other.emit("a", "2").expect(200);

    assert_eq!(api.delete(&flow.path("")).status, 204);
    assert_eq!(api.delete(&format!("/v2/captures/{capture}")).status, 204);
    let (is_done, ended) = restore_flow(&api, "nightly", &flow.id, false);
    assert!(is_done, "{ended:#}");
    assert_eq!(resource(&flow), saved);
    assert_eq!(flow.values(), values, "to the letter");
    assert_eq!(status(&flow), "inactive");
    assert_eq!(capture_text(&api, &capture), captured);
    assert_eq!(other.value("a").unwrap(), "2", "another flow is left alone");

    // One that is there is replaced by force only, and only while it stands.
    flow.edit("z", "\"later\"").expect(200);
    assert!(!restore_flow(&api, "nightly", &flow.id, false).0);
    flow.start();
    assert!(!restore_flow(&api, "nightly", &flow.id, true).0);
    assert_eq!(flow.value("z").unwrap(), "\"later\"");
    assert_eq!(status(&flow), "active");
    flow.stop();
    let (is_done, ended) = restore_flow(&api, "nightly", &flow.id, true);
    assert!(is_done, "{ended:#}");
    assert_eq!(flow.values(), values);

    assert!(!restore_flow(&api, "nightly", "0123456789abcdef01234567", false).0);
    assert!(!restore_flow(&api, "nowhere", &flow.id, true).0);
    let manager = add_member(&server, "max", "default_tenant", "manager");
    let body = json!({ "flow_id": flow.id, "force": true });
    assert_eq!(manager.post("/service/snapshots/nightly/restore-flow", &body).status, 403);
    assert_eq!(other.value("a").unwrap(), "2");
}
