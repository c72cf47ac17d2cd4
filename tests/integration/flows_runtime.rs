//! The runtime: the real sailor and the real REST client, over a real RabbitMQ.
//!
//! What the broker has confirmed is never lost, whoever dies, and is applied in its order.

use serde_json::{Value, json};

use crate::harness::{
    Broker, EXCHANGE, Flow, Item, Running, Step, TestServer, amqp, eventually, node_client, publish,
};

/// Seconds that thousands of messages may take, in a debug build on a busy machine.
const STREAM_SECONDS: u64 = 300;

/// Lines for a settings file with names in the broker that are this test's own.
fn names(broker: &Broker, name: &str) -> String {
    format!("[amqp]\nuri = {:?}\nexchange = \"{name}\"\nqueue = \"{name}-snapshots\"", broker.uri())
}

fn health(server: &TestServer) -> Value {
    server.api().get("/service/health").json()["amqp"].take()
}

fn wait_for_broker(server: &TestServer) {
    eventually("the service listens", 60, || (health(server) == "connected").then_some(()));
}

/// A message of a step's runtime.
fn message(flow: &Flow, step: &str, event: &str, body: &str) -> Value {
    let headers = json!({ "taskId": flow.id, "stepId": step, "snapshotEvent": event });
    json!({ "key": format!("{}.{step}.snapshot", flow.id), "headers": headers, "text": body })
}

/// The number that a counter has come to.
fn counted(flow: &Flow) -> u64 {
    let read = |text: String| serde_json::from_str::<Value>(&text).unwrap()["n"].as_u64().unwrap();
    flow.value("a").map_or(0, read)
}

/// Panics unless the history, oldest first, holds every number to `last` and begins none too early.
fn assert_complete(history: &[Item], last: u64, is_rewind_allowed: impl Fn(&Item) -> bool) {
    let mut highest = 0;
    let mut number = 0;
    for item in history {
        let text = item.past.texts().1.unwrap();
        number = serde_json::from_str::<Value>(text).unwrap()["n"].as_u64().unwrap();
        assert!(number <= highest + 1, "{number} came right after {highest}");
        assert!(number > highest || is_rewind_allowed(item), "{number} came again: {item:?}");
        highest = highest.max(number);
    }
    assert_eq!((number, highest), (last, last), "the last is the last emit's");
}

#[test]
fn the_documentations_example_counts_on_over_restarts_and_after_a_reset() {
    let broker = Broker::shared();
    // The names that a platform finds when nobody chose others.
    let server = TestServer::builder().settings(&format!("[amqp]\nuri = {:?}", broker.uri())).start();
    wait_for_broker(&server);
    let flow = Flow::create(&server.api(), "Nightly", &["s"]);
    flow.start();
    let step = Step { flow: &flow.id, step: "s", function: "iterate", exchange: EXCHANGE };
    let sailor = step.start_sailor(&server, &broker);
    step.send(&broker, &[json!({}), json!({}), json!({})]);
    flow.wait_for("s", &json!({ "iteration": 3 }), 60);
    drop(sailor);

    let sailor = step.start_sailor(&server, &broker);
    step.send(&broker, &[json!({})]);
    flow.wait_for("s", &json!({ "iteration": 4 }), 60);
    drop(sailor);
    let history = flow.history("s");
    assert_eq!(history.len(), 4);
    for item in &history {
        assert_eq!((item.past.action.as_str(), item.past.via.as_str()), ("emit", "amqp"));
        assert_eq!(item.past.execution_id.as_deref(), Some("exec-of-s"));
        assert_eq!(item.past.user, None);
    }

    flow.stop();
    flow.reset(&[]);
    flow.start();
    let _sailor = step.start_sailor(&server, &broker);
    step.send(&broker, &[json!({})]);
    flow.wait_for("s", &json!({ "iteration": 1 }), 60);
}

#[test]
fn a_component_that_died_goes_on_from_its_snapshot() {
    let broker = Broker::shared();
    let server = TestServer::builder().settings(&names(&broker, "dying")).start();
    wait_for_broker(&server);
    let flow = Flow::create(&server.api(), "Nightly", &["collect"]);
    flow.start();
    let step = Step { flow: &flow.id, step: "collect", function: "collect", exchange: "dying" };
    let mut sailor = step.start_sailor(&server, &broker);
    step.send(&broker, &[json!({ "batch": "b1", "until": 5, "die_at": 3 })]);
    let status = sailor.wait("the component ends its process", 60);
    assert_eq!(status.code(), Some(9), "{}", sailor.log());
    let mut value = json!({
        "batch": "b1", "greeting": "ahoy", "collected": 3, "lives": [0],
        "item_1": "x", "item_2": "x", "item_3": "x"
    });
    flow.wait_for("collect", &value, 60);

    let _sailor = step.start_sailor(&server, &broker);
    for (key, member) in [
        ("collected", json!(5)),
        ("lives", json!([0, 3])),
        ("item_4", json!("x")),
        ("item_5", json!("x")),
        ("done", json!(true)),
    ] {
        value[key] = member;
    }
    flow.wait_for("collect", &value, 60);
    let mut actions: Vec<_> = flow.history("collect").into_iter().map(|item| item.past.action).collect();
    assert_eq!(actions.pop().as_deref(), Some("emit"));
    assert_eq!(actions, ["merge"; 8]);
}

#[test]
fn the_rest_client_lives_the_life_of_a_task() {
    let server = TestServer::start();
    assert_eq!(health(&server), "off", "no broker is asked for that is not set");
    node_client("rest_node_story.js", &server, &[]).success();
    let api = server.api();
    assert_eq!(api.get("/v2/flows").expect(200)["meta"]["total"], 0, "it deleted its task");

    let told = node_client("rest_node_story.js", &server, &["keep"]).success();
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["created"]["name"], "Nightly");
    assert_eq!(told["created"]["status"], "inactive");
    let step = |id: &str, config: Value| json!({ "id": id, "config": config, "variables": {}, "is_passthrough": false });
    assert_eq!(told["first"], step("step_1", json!({ "prefix": "x", "limit": 3 })));
    assert_eq!(told["second"], step("step_2", json!({})));
    let id = told["created"]["id"].as_str().unwrap();
    let flow = Flow { api: api.clone(), id: id.into() };
    let attributes = flow.get()["attributes"].take();
    assert_eq!((&attributes["name"], &attributes["cron"]), (&json!("Nightly"), &json!("*/5 * * * *")));
    let nodes = attributes["graph"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.iter().map(|node| &node["id"]).collect::<Vec<_>>(), ["step_1", "step_2"]);
    flow.create_snapshot("step_2", "1").expect(201);
    assert_eq!(api.get(&format!("/v1/tasks/{id}")).expect(200)["id"], id);
}

#[test]
fn a_service_killed_again_and_again_loses_no_emit_and_keeps_their_order() {
    const LAST: u64 = 10_000;
    let broker = Broker::shared();
    let settings = format!("{}\n[flows]\nhistory_entries = 100000", names(&broker, "killed"));
    let mut server = TestServer::builder().settings(&settings).start();
    wait_for_broker(&server);
    let mut flow = Flow::create(&server.api(), "Nightly", &["a"]);
    flow.start();
    let last = LAST.to_string();
    let mut publisher = Running::amqp(&broker, &["count", "killed", &flow.id, "a", &last, "100"]);
    let mut kills_midway = 0;
    for _ in 0..5 {
        let before = counted(&flow);
        let reached = eventually("emits are applied", STREAM_SECONDS, || {
            let number = counted(&flow);
            (number > before || number == LAST).then_some(number)
        });
        server.kill9();
        kills_midway += u32::from(reached < LAST);
        server.restart();
        flow = flow.by(&server.api());
    }
    assert!(kills_midway >= 2, "the service was faster than the one who kills it");
    publisher.success("all is confirmed", STREAM_SECONDS);
    flow.wait_for("a", &json!({ "n": LAST }), STREAM_SECONDS);

    let mut history = flow.history("a");
    history.reverse();
    // What was applied and not acknowledged came again, in order, and says so.
    assert_complete(&history, LAST, |item| item.past.redelivered);
    assert!(history.iter().all(|item| item.past.via == "amqp"));
}

#[test]
fn a_broker_restarted_in_the_stream_loses_nothing() {
    const LAST: u64 = 5_000;
    let mut broker = Broker::start();
    let settings =
        format!("[amqp]\nuri = {:?}\nprefetch = 50\n[flows]\nhistory_entries = 100000", broker.uri());
    let server = TestServer::builder().settings(&settings).start();
    wait_for_broker(&server);
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b"]);
    let last = LAST.to_string();
    let mut publisher = Running::amqp(&broker, &["count", EXCHANGE, &flow.id, "a", &last, "10"]);
    eventually("emits are applied", STREAM_SECONDS, || (counted(&flow) > 0).then_some(()));
    broker.stop();
    eventually("the service knows", 60, || (health(&server) == "disconnected").then_some(()));
    flow.emit("b", "1").expect(200);
    broker.start_again();
    wait_for_broker(&server);
    publisher.success("all is confirmed", STREAM_SECONDS);
    flow.wait_for("a", &json!({ "n": LAST }), STREAM_SECONDS);
    let mut history = flow.history("a");
    history.reverse();
    assert!(publisher.log().contains("lost after"), "the stream was over before: {}", publisher.log());
    // The publisher too sends again what was not confirmed to it; that is no redelivery.
    assert_complete(&history, LAST, |_| true);
}

#[test]
fn a_message_that_cannot_be_used_stops_nothing_and_is_kept_for_an_administrator() {
    let broker = Broker::shared();
    let settings = format!("{}\n[flows]\ndead_letters = 12", names(&broker, "poisoned"));
    let server = TestServer::builder().settings(&settings).start();
    let api = server.api();
    wait_for_broker(&server);
    let flow = Flow::create(&api, "Nightly", &["a", "b"]);
    let headers = json!({ "taskId": flow.id, "stepId": "a" });
    let large = format!("{:?}", "x".repeat(20_000));
    let unknown = Flow { api: api.clone(), id: "0123456789abcdef01234567".into() };
    let mut messages = vec![message(&flow, "a", "snapshot", r#"{"n":1}"#)];
    let unusable = [
        ("not_json", message(&flow, "a", "snapshot", "{nonsense")),
        ("not_json", message(&flow, "a", "snapshot", "")),
        ("not_json", json!({ "key": "x.y.snapshot", "headers": headers, "base64": "/w==" })),
        ("no_headers", json!({ "key": "x.y.snapshot", "headers": {}, "text": "1" })),
        ("no_headers", json!({ "key": "x.y.snapshot", "headers": { "taskId": flow.id }, "text": "1" })),
        ("unknown_flow", message(&unknown, "a", "snapshot", "1")),
        ("unknown_step", message(&flow, "z", "snapshot", "1")),
        ("too_large", message(&flow, "a", "snapshot", &large)),
        ("not_an_object", message(&flow, "a", "updateSnapshot", "[1]")),
        ("unknown_event", message(&flow, "a", "perhaps", "{}")),
    ];
    messages.extend(unusable.iter().map(|(_, message)| message.clone()));
    // Without an event it is a snapshot; `null` is one.
    messages.push(json!({ "key": "x.y.snapshot", "headers": headers, "text": "null" }));
    messages.push(message(&flow, "a", "updateSnapshot", r#"{"n":2}"#));
    messages.push(message(&flow, "b", "snapshot", r#"{"done":true}"#));
    publish(&broker, "poisoned", &json!(messages));
    flow.wait_for("b", &json!({ "done": true }), 60);
    assert_eq!(flow.value("a").unwrap(), r#"{"n":2}"#);
    let after: Vec<_> =
        flow.history("a").iter().map(|item| item.past.texts().1.unwrap().to_owned()).collect();
    assert_eq!(after, [r#"{"n":2}"#, "null", r#"{"n":1}"#]);

    let letters = api.get("/service/dead-letters").expect(200);
    let items = letters["items"].as_array().unwrap();
    let reasons: Vec<_> = items.iter().map(|item| item["reason"].as_str().unwrap()).collect();
    let wanted: Vec<_> = unusable.iter().rev().map(|(reason, _)| *reason).collect();
    assert_eq!(reasons, wanted, "newest first");
    assert_eq!(letters["metadata"]["pagination"]["total"], 10);
    assert_eq!(letters["counts"]["not_json"], 3, "{letters:#}");
    assert_eq!(letters["counts"]["too_large"], 1);
    let nonsense = &items[9];
    assert_eq!((&nonsense["body"], &nonsense["size_bytes"]), (&json!("{nonsense"), &json!(9)));
    assert_eq!((&nonsense["flow_id"], &nonsense["step_id"]), (&json!(flow.id), &json!("a")));
    assert_eq!(nonsense["routing_key"], format!("{}.a.snapshot", flow.id));
    assert_eq!(nonsense["redelivered"], false);
    let too_large = &items[2];
    assert_eq!(too_large["size_bytes"], 20_002);
    assert_eq!(too_large["body"].as_str().unwrap().len(), 8 << 10);

    let more: Vec<_> =
        (1..=15).map(|number| message(&flow, "a", "snapshot", &format!("bad {number}"))).collect();
    publish(&broker, "poisoned", &json!(more));
    publish(&broker, "poisoned", &json!([message(&flow, "b", "snapshot", "3")]));
    flow.wait_for("b", &json!(3), 60);
    let letters = api.get("/service/dead-letters?_size=2&_offset=1").expect(200);
    assert_eq!(letters["metadata"]["pagination"], json!({ "total": 12, "size": 2, "offset": 1 }));
    assert_eq!(letters["items"].as_array().unwrap().len(), 2);
    assert_eq!(letters["items"][0]["body"], "bad 14");
    assert_eq!(letters["counts"]["not_json"], 18, "what fell out of the table was counted");
    assert!(matches!(api.delete("/service/dead-letters").status, 200 | 204));
    let letters = api.get("/service/dead-letters").expect(200);
    assert_eq!(letters["items"], json!([]));
    assert_eq!(letters["counts"]["not_json"], 18);
    let queue = amqp(&broker, &["depth", "poisoned-snapshots"]);
    assert_eq!(queue, json!({ "messages": 0, "consumers": 1 }));
}

#[test]
fn nothing_is_acknowledged_while_a_restore_runs() {
    let broker = Broker::shared();
    let mut server =
        TestServer::builder().settings(&names(&broker, "restored")).holding("restore:staged").start();
    let api = server.api();
    wait_for_broker(&server);
    let flow = Flow::create(&api, "Nightly", &["a"]);
    flow.emit("a", "\"saved\"").expect(200);
    api.create_snapshot("nightly", &json!({}));
    flow.emit("a", "\"later\"").expect(200);

    let begin = || {
        let restore = api.post("snapshots/nightly/restore", &json!({ "force": true })).expect(200);
        api.wait_for_status(&restore, "started");
        restore
    };
    let restore = begin();
    publish(&broker, "restored", &json!([message(&flow, "a", "snapshot", "\"meanwhile\"")]));
    for _ in 0..20 {
        let reply = api.get(&flow.step_path("a", ""));
        assert!(!reply.text().contains("meanwhile"), "applied to what is about to go");
    }
    server.release();
    let ended = api.wait_for_end(&restore);
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    flow.wait_for("a", &json!("meanwhile"), 60);
    let last = flow.history("a").remove(0).past;
    assert_eq!(last.texts(), (Some("\"saved\""), Some("\"meanwhile\"")), "applied to what was restored");

    // Who dies in a restore has acknowledged nothing either.
    server.hold();
    let restore = begin();
    publish(&broker, "restored", &json!([message(&flow, "a", "snapshot", "\"once more\"")]));
    server.kill9();
    server.release();
    server.restart();
    let api = server.api();
    assert_eq!(api.wait_for_end(&restore)["status"], "failed");
    flow.by(&api).wait_for("a", &json!("once more"), 60);
}
