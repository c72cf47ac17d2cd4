//! The five calls of step snapshots by raw HTTP: documents, refusals and their order, exact texts.
//!
//! A value is compared as the text that was sent, never as what a parser makes of it.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, Flow, TestServer, add_member, eventually, refused, snapshot_body};

fn resource(flow: &Flow, step: &str, value: &Value) -> Value {
    json!({
        "id": step,
        "type": "snapshot",
        "links": { "self": format!("/v2/flows/{}/snapshots/{step}", flow.id) },
        "attributes": { "snapshot": value }
    })
}

#[test]
fn the_five_calls_answer_the_documents_of_the_documentation() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["first", "second", "third"]);
    let api = &flow.api;
    let list = flow.path("/snapshots");
    assert_eq!(api.get(&list).expect(200), json!({ "data": [], "meta": {} }));

    let value = json!({ "since": "2017-01-01", "page": 3 });
    let reply = flow.create_snapshot("third", &value.to_string());
    assert_eq!(reply.expect(201), json!({ "data": resource(&flow, "third", &value), "meta": {} }));
    assert!(reply.header("content-type").starts_with("application/json"), "{:?}", reply.headers);
    flow.create_snapshot("first", "[1]").expect(201);
    let one = api.get(&flow.step_path("third", "")).expect(200);
    assert_eq!(one, json!({ "data": resource(&flow, "third", &value), "meta": {} }));

    // In the order of the graph, and without the step that has none.
    let both = [resource(&flow, "first", &json!([1])), resource(&flow, "third", &value)];
    assert_eq!(api.get(&list).expect(200), json!({ "data": both, "meta": {} }));

    // An edit replaces, it merges nothing.
    let edited = flow.edit("third", r#"{"page":4}"#).expect(200);
    assert_eq!(edited, json!({ "data": resource(&flow, "third", &json!({ "page": 4 })), "meta": {} }));
    assert_eq!(flow.value("third").unwrap(), r#"{"page":4}"#);

    let removed = flow.remove("third");
    assert_eq!((removed.status, removed.body.len()), (204, 0));
    refused(&api.get(&flow.step_path("third", "")), 404, "SnapshotNotFound");
    assert_eq!(flow.values(), [("first".to_owned(), "[1]".to_owned())]);
}

#[test]
fn every_call_is_taken_with_and_without_a_slash_at_the_end() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    for slash in ["", "/"] {
        let list = flow.path(&format!("/snapshots{slash}"));
        let one = flow.step_path("a", slash);
        assert_eq!(flow.api.get(&list).expect(200)["data"], json!([]));
        flow.send(Method::POST, &list, &snapshot_body("a", "1")).expect(201);
        assert_eq!(flow.api.get(&list).expect(200)["data"][0]["id"], "a");
        assert_eq!(flow.api.get(&one).expect(200)["data"]["id"], "a");
        flow.send(Method::PATCH, &one, &snapshot_body("a", "2")).expect(200);
        flow.send(Method::POST, &flow.step_path("a", &format!("/emit{slash}")), "3").expect(200);
        flow.send(Method::POST, &flow.step_path("a", &format!("/merge{slash}")), "{}").expect(200);
        flow.api.get(&flow.step_path("a", &format!("/history{slash}"))).expect(200);
        assert_eq!(flow.api.delete(&one).status, 204);
        flow.api.get(&flow.path(slash)).expect(200);
        flow.send(Method::POST, &flow.path(&format!("/start{slash}")), "").expect(202);
        flow.send(Method::POST, &flow.path(&format!("/stop{slash}")), "").expect(202);
        flow.api.get(&format!("/v2/flows{slash}")).expect(200);
        flow.api.get(&format!("/v2/workspaces{slash}")).expect(200);
        flow.api.get(&format!("/v2/users/me{slash}")).expect(200);
    }
}

/// Texts that a parser in between would change or lose.
fn values() -> Vec<String> {
    let mut values: Vec<String> = [
        "null",
        "false",
        "true",
        "0",
        "-0",
        r#""""#,
        "{}",
        "[]",
        "9007199254740993",
        "-123456789012345678901234567890",
        "1.0e5",
        "1E+2",
        "1.10",
        "0.1000000000000000055511151231257827",
        "1e400",
        "-1e-400",
        r#"{"z":1,"a":2,"m":{"y":0,"b":0}}"#,
        r#"{"$set":{"a.b":1},"a.b":2,"":3,"__proto__":4}"#,
        r#"{"a":1,"a":2}"#,
        r#""äöü ☃ 🐙 \u00e4 \ud83d\ude00 \u0000 \/ \" \\ \n""#,
        r#"{"\u0061":"\u0061","a b":"c"}"#,
        "{ \"a\" : [ 1 ,\t2 ],\n  \"b\":\r\n {} }",
    ]
    .map(str::to_owned)
    .into();
    values.push(format!("{}1{}", "[".repeat(200), "]".repeat(200)));
    values.push(format!("{}null{}", r#"{"a":"#.repeat(200), "}".repeat(200)));
    values
}

#[test]
fn any_json_value_comes_back_as_the_text_that_was_sent() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["created", "edited", "emitted"]);
    flow.create_snapshot("edited", "1").expect(201);
    for text in values() {
        flow.create_snapshot("created", &text).expect_status(201);
        flow.edit("edited", &text).expect_status(200);
        flow.emit("emitted", &text).expect_status(200);
        for step in ["created", "edited", "emitted"] {
            assert_eq!(flow.value(step).as_deref(), Some(text.as_str()), "{step}");
            let v1 = flow.api.get(&format!("/v1/tasks/{}/steps/{step}", flow.id));
            v1.expect_status(200);
            assert!(v1.text().contains(&format!(r#""snapshot":{text}"#)), "{step}: {}", v1.text());
        }
        let listed = flow.values();
        assert_eq!(listed.len(), 3);
        assert!(listed.iter().all(|(_, found)| *found == text), "{text}: {listed:?}");
        assert_eq!(flow.remove("created").status, 204);
        let last = flow.history("created").remove(0);
        assert_eq!(last.past.texts(), (Some(text.as_str()), None), "the history keeps the text too");
    }
}

#[test]
fn a_restart_keeps_the_texts() {
    let mut server = TestServer::start();
    let texts = values();
    let steps: Vec<String> = (0..texts.len()).map(|number| format!("step {number}")).collect();
    let names: Vec<&str> = steps.iter().map(String::as_str).collect();
    let flow = Flow::create(&server.api(), "Nightly", &names);
    for (step, text) in steps.iter().zip(&texts) {
        flow.create_snapshot(step, text).expect_status(201);
    }
    let wanted: Vec<_> = steps.into_iter().zip(texts).collect();
    server.kill9();
    server.restart();
    assert_eq!(flow.by(&server.api()).values(), wanted);
}

#[test]
fn a_step_may_be_called_anything() {
    let server = TestServer::start();
    let steps =
        ["a/b", "with space", "ümläut ☃ 🐙", "100%", "%2F", "a?b=c&d#e", "\"quoted\"", "+", "a.b", "~'(x)"];
    let flow = Flow::create(&server.api(), "Nightly", &steps);
    for step in steps {
        let created = flow.create_snapshot(step, "1").expect(201);
        assert_eq!(created["data"]["id"], step);
        let link = created["data"]["links"]["self"].as_str().unwrap();
        assert!(link.is_ascii() && !link.contains([' ', '"', '?', '#']), "{link}");
        assert_eq!(flow.api.get(link).expect(200), created, "the link leads to `{step}`");
        flow.edit(step, "2").expect(200);
        flow.emit(step, "{}").expect(200);
        flow.merge(step, r#"{"a":3}"#).expect(200);
        assert_eq!(flow.value(step).unwrap(), r#"{"a":3}"#);
        assert_eq!(flow.history(step).len(), 4, "{step}");
        assert_eq!(flow.remove(step).status, 204);
        assert_eq!(flow.value(step), None);
    }
}

#[test]
fn what_the_documentation_forbids_is_refused_with_a_code() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b"]);
    flow.create_snapshot("a", "1").expect(201);
    let (list, one) = (flow.path("/snapshots"), flow.step_path("a", ""));

    refused(&flow.create_snapshot("a", "2"), 409, "SnapshotExists");
    refused(&flow.edit("b", "2"), 404, "SnapshotNotFound");
    refused(&flow.remove("b"), 404, "SnapshotNotFound");
    refused(&flow.create_snapshot("c", "2"), 404, "StepNotInFlow");
    refused(&flow.edit("c", "2"), 404, "StepNotInFlow");
    refused(&flow.emit("c", "2"), 404, "StepNotInFlow");
    assert_eq!(flow.api.get(&flow.step_path("c", "")).status, 404);

    let error = refused(&flow.send(Method::PATCH, &one, &snapshot_body("b", "2")), 409, "IdMismatch");
    assert_eq!(error["source"]["pointer"], "/data/id");
    for (method, path) in [(Method::PATCH, &one), (Method::POST, &list)] {
        let body = snapshot_body("a", "2").replace(r#""type":"snapshot""#, r#""type":"flow""#);
        let error = refused(&flow.send(method, path, &body), 409, "IdMismatch");
        assert_eq!(error["source"]["pointer"], "/data/type");
    }

    for body in [
        "",
        "{",
        "[]",
        "1",
        "{}",
        r#"{"data":null}"#,
        r#"{"data":{"type":"snapshot","attributes":{"snapshot":1}}}"#,
        r#"{"data":{"type":"snapshot","id":5,"attributes":{"snapshot":1}}}"#,
        r#"{"data":{"type":"snapshot","id":"b"}}"#,
        r#"{"data":{"type":"snapshot","id":"b","attributes":{}}}"#,
        r#"{"data":{"type":"snapshot","id":"b","attributes":{"snapshot":}}}"#,
        r#"{"data":{"type":"snapshot","id":"b","attributes":{"snapshot":01}}}"#,
        r#"{"data":{"type":"snapshot","id":"b","attributes":{"snapshot":1}}"#,
    ] {
        refused(&flow.send(Method::POST, &list, body), 400, "BadParameters");
    }
    for body in ["", "{", r#"{"data":{"type":"snapshot","id":"a","attributes":{}}}"#] {
        refused(&flow.send(Method::PATCH, &one, body), 400, "BadParameters");
    }
    for body in ["", "{", "undefined", "1 2"] {
        refused(&flow.emit("a", body), 400, "BadParameters");
    }
    assert_eq!(flow.values(), [("a".to_owned(), "1".to_owned())], "nothing was written");
    assert_eq!(flow.history("a").len(), 1);
}

#[test]
fn no_snapshot_is_written_by_hand_while_the_flow_runs() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b"]);
    flow.create_snapshot("a", "1").expect(201);
    let assert_runs = || {
        refused(&flow.create_snapshot("b", "2"), 403, "FlowRunning");
        refused(&flow.edit("a", "2"), 403, "FlowRunning");
        refused(&flow.remove("a"), 403, "FlowRunning");
        assert_eq!(flow.values(), [("a".to_owned(), "1".to_owned())], "and is read");
    };
    flow.start();
    assert_runs();
    // A component that shuts down still runs, whatever was asked for.
    flow.report(json!("active")).expect(200);
    flow.stop();
    assert_runs();
    flow.report(json!("inactive")).expect(200);
    flow.edit("a", "2").expect(200);
}

#[test]
fn the_first_refusal_is_that_of_the_first_check() {
    let server = TestServer::start();
    let api = server.api();
    let flow = Flow::create(&api, "Nightly", &["a"]);
    flow.create_snapshot("a", "1").expect(201);
    let viewer = flow.by(&add_member(&server, "vera", "default_tenant", "viewer"));
    let user = flow.by(&add_member(&server, "uma", "default_tenant", "user"));
    let path = flow.path("/snapshots");

    // Everything is wrong, and less and less.
    let nobody = flow.by(&Api::new(server.port()));
    flow.start();
    let bad = "{";
    refused(&nobody.send(Method::POST, &path, bad), 401, "Unauthorized");
    let unknown = "/v2/flows/0123456789abcdef01234567/snapshots";
    refused(&viewer.send(Method::POST, unknown, bad), 404, "NotFound");
    refused(&viewer.send(Method::POST, &path, bad), 403, "Forbidden");
    refused(&user.send(Method::POST, &path, bad), 403, "FlowRunning");
    flow.stop();
    refused(&user.send(Method::POST, &path, bad), 400, "BadParameters");
    refused(&user.create_snapshot("z", &format!("{:?}", "x".repeat(6000))), 413, "SnapshotTooLarge");
    refused(&user.create_snapshot("z", "1"), 404, "StepNotInFlow");
    refused(&user.create_snapshot("a", "1"), 409, "SnapshotExists");

    flow.start();
    let one = flow.step_path("a", "");
    refused(&user.send(Method::PATCH, &one, &snapshot_body("b", "1")), 403, "FlowRunning");
    refused(&user.remove("z"), 403, "FlowRunning");
    refused(&viewer.remove("z"), 403, "Forbidden");
}

#[test]
fn of_many_creates_at_once_one_is_made() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    let barrier = Barrier::new(24);
    let replies: Vec<(usize, u16)> = thread::scope(|scope| {
        let callers: Vec<_> = (0..24)
            .map(|number: usize| {
                let (flow, barrier) = (&flow, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let reply = flow.create_snapshot("a", &number.to_string());
                    if reply.status != 201 {
                        refused(&reply, 409, "SnapshotExists");
                    }
                    (number, reply.status)
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let made: Vec<_> = replies.iter().filter(|(_, status)| *status == 201).collect();
    assert_eq!(made.len(), 1, "{replies:?}");
    assert_eq!(flow.value("a").unwrap(), made[0].0.to_string(), "the value is that of who was told 201");
    assert_eq!(flow.history("a").len(), 1);
}

/// Sets a flag when dropped, a failed claim included: the scope waits for its threads.
struct SetAtLast<'a>(&'a AtomicBool);

impl Drop for SetAtLast<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn no_edit_is_written_after_a_start_was_answered() {
    let server = TestServer::builder().settings("[flows]\nhistory_entries = 100000").start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    flow.create_snapshot("a", "0").expect(201);
    let written = AtomicU64::new(0);
    for round in 1..=8 {
        let (is_answered, total) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            let answered = SetAtLast(&is_answered);
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut refusals = 0;
                    while refusals < 3 {
                        let is_late = is_answered.load(Ordering::SeqCst);
                        let reply = flow.edit("a", &round.to_string());
                        if is_late || reply.status != 200 {
                            refused(&reply, 403, "FlowRunning");
                            refusals += u8::from(is_late);
                        } else {
                            written.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                });
            }
            let before = flow.history_length("a");
            eventually("the editors are at work", 60, || {
                (flow.history_length("a") >= before + 4).then_some(())
            });
            let started = flow.start();
            assert_eq!(started["data"]["attributes"]["current_status"], "active");
            total.store(flow.history_length("a"), Ordering::SeqCst);
            drop(answered);
        });
        let history = flow.history("a");
        assert_eq!(history.len() as u64, total.into_inner(), "written into a running flow");
        let edits = history.iter().filter(|item| item.past.action == "edit").count();
        assert_eq!(edits as u64, written.load(Ordering::SeqCst), "each answer tells what was done");
        flow.stop();
    }
}
