//! What happened to step snapshots, and how it is taken back: history, reset, undo.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Flow, TestServer, graph, refused};

/// Actions of a history, newest first.
fn actions(flow: &Flow, step: &str) -> Vec<String> {
    flow.history(step).into_iter().map(|item| item.past.action).collect()
}

fn undo(flow: &Flow, attributes: &Value) -> Value {
    flow.undo(attributes).expect(200)["data"].take()
}

#[test]
fn the_history_tells_who_what_when_from_what_to_what() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b"]);
    flow.create_snapshot("a", "null").expect(201);
    flow.edit("a", "{ \"x\":1.0 }").expect(200);
    flow.create_snapshot("b", "7").expect(201);
    assert_eq!(flow.remove("a").status, 204);

    let history = flow.history("a");
    let told: Vec<_> = history.iter().map(|item| (item.past.action.as_str(), item.past.texts())).collect();
    let edited = "{ \"x\":1.0 }";
    assert_eq!(
        told,
        [
            ("remove", (Some(edited), None)),
            ("edit", (Some("null"), Some(edited))),
            ("create", (None, Some("null"))),
        ]
    );
    for item in &history {
        assert_eq!((item.kind.as_str(), item.past.step.as_str()), ("history", "a"));
        assert_eq!(item.past.change, item.id, "a change of one item bears its id");
        assert_eq!(item.past.user.as_deref(), Some("admin"));
        assert_eq!((item.past.via.as_str(), item.past.redelivered), ("api", false));
        assert_eq!((&item.past.execution_id, &item.past.undoes), (&None, &None));
        assert!(item.past.at.ends_with('Z'), "{}", item.past.at);
    }
    assert!(history.windows(2).all(|pair| pair[0].past.at >= pair[1].past.at));

    let whole = flow.flow_history();
    let steps: Vec<_> = whole.iter().map(|item| item.past.step.as_str()).collect();
    assert_eq!(steps, ["a", "b", "a", "a"]);
    let page = flow.api.get(&flow.path("/history?page[number]=2&page[size]=3")).expect(200);
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    assert_eq!(page["data"][0]["id"], whole[3].id.as_str());
    assert_eq!(page["meta"], json!({ "page": 2, "per_page": 3, "total": 4, "total_pages": 2 }));
    let meta = flow.api.get(&flow.path("/history")).expect(200)["meta"].take();
    assert_eq!(meta["per_page"], 50);
}

#[test]
fn the_history_of_a_step_is_bounded_by_the_setting() {
    let server = TestServer::builder().settings("[flows]\nhistory_entries = 3").start();
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b"]);
    flow.create_snapshot("b", "0").expect(201);
    for number in 1..=10 {
        flow.emit("a", &number.to_string()).expect(200);
    }
    let kept: Vec<_> = flow.history("a").iter().map(|item| item.past.texts().1.unwrap().to_owned()).collect();
    assert_eq!(kept, ["10", "9", "8"]);
    assert_eq!(flow.history("b").len(), 1, "each step has its own");
}

#[test]
fn an_undo_takes_every_kind_of_change_back() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    flow.create_snapshot("a", "1").expect(201);
    let change = undo(&flow, &json!({}));
    assert_eq!((&change["type"], &change["attributes"]["action"]), (&json!("change"), &json!("undo")));
    assert_eq!(change["attributes"]["steps"], json!(["a"]));
    assert_eq!(flow.value("a"), None, "a create is undone by a remove");

    flow.create_snapshot("a", "1").expect(201);
    flow.edit("a", "[ 2 ]").expect(200);
    undo(&flow, &json!({}));
    assert_eq!(flow.value("a").unwrap(), "1");
    assert_eq!(flow.remove("a").status, 204);
    undo(&flow, &json!({}));
    assert_eq!(flow.value("a").unwrap(), "1");
    flow.emit("a", "3").expect(200);
    undo(&flow, &json!({}));
    assert_eq!(flow.value("a").unwrap(), "1");
    flow.merge("a", r#"{"b":1}"#).expect(200);
    undo(&flow, &json!({}));
    assert_eq!(flow.value("a").unwrap(), "1");

    let last = flow.history("a").remove(0).past;
    assert_eq!(last.action, "undo");
    let undone = last.undoes.unwrap();
    assert!(flow.history("a").iter().any(|item| item.past.change == undone && item.past.action == "merge"));
}

#[test]
fn repeated_undos_walk_back_and_an_undo_of_an_undo_is_a_redo() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b"]);
    for value in ["1", "2", "3"] {
        flow.emit("a", value).expect(200);
    }
    flow.create_snapshot("b", "9").expect(201);
    undo(&flow, &json!({ "step": "a" }));
    assert_eq!(flow.value("a").unwrap(), "2");
    assert_eq!(flow.value("b").unwrap(), "9", "of another step nothing was undone");
    let second = undo(&flow, &json!({ "step": "a" }));
    assert_eq!(flow.value("a").unwrap(), "1");
    let third = undo(&flow, &json!({ "step": "a" }));
    assert_eq!(flow.value("a"), None);
    refused(&flow.undo(&json!({ "step": "a" })), 409, "NothingToUndo");

    undo(&flow, &json!({ "change": third["id"] }));
    assert_eq!(flow.value("a").unwrap(), "1");
    undo(&flow, &json!({ "change": second["id"] }));
    assert_eq!(flow.value("a").unwrap(), "2");
    undo(&flow, &json!({ "step": "b" }));
    assert_eq!(flow.value("b"), None);
    for change in ["0", "999999", "nonsense"] {
        assert!(matches!(flow.undo(&json!({ "change": change })).status, 400 | 404), "{change}");
    }
}

#[test]
fn what_was_changed_since_is_undone_by_force_only() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    flow.create_snapshot("a", "1").expect(201);
    flow.edit("a", "2").expect(200);
    let edit = flow.history("a").remove(0).past.change;
    flow.edit("a", "3").expect(200);
    refused(&flow.undo(&json!({ "change": edit })), 409, "ChangedSince");
    assert_eq!(flow.value("a").unwrap(), "3");
    undo(&flow, &json!({ "change": edit, "force": true }));
    assert_eq!(flow.value("a").unwrap(), "1");
}

#[test]
fn a_reset_is_one_change_that_can_be_undone() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b", "c"]);
    let texts = [("a", "null"), ("b", "{ \"k\" : 1e400 }")];
    for (step, text) in texts {
        flow.create_snapshot(step, text).expect_status(201);
    }
    let change = flow.reset(&[]);
    assert_eq!(change["attributes"]["action"], "reset");
    let mut steps: Vec<_> = change["attributes"]["steps"].as_array().unwrap().clone();
    steps.sort_by_key(Value::to_string);
    assert_eq!(steps, ["a", "b"]);
    assert!(flow.values().is_empty());
    let items = flow.flow_history();
    let of_it: Vec<_> = items.iter().filter(|item| item.past.action == "reset").collect();
    assert_eq!(of_it.len(), 2);
    assert!(of_it.iter().all(|item| item.past.change == change["id"].as_str().unwrap()));
    let number = |id: &String| id.parse::<u64>().unwrap();
    let first = of_it.iter().map(|item| number(&item.id)).min();
    assert_eq!(first, Some(number(&of_it[0].past.change)), "the id of its first item");

    let nothing = flow.reset(&[]);
    assert_eq!(nothing["id"], Value::Null);
    assert_eq!(nothing["attributes"]["steps"], json!([]));

    undo(&flow, &json!({ "change": change["id"] }));
    assert_eq!(flow.values(), texts.map(|(step, text)| (step.to_owned(), text.to_owned())));

    let change = flow.reset(&["b"]);
    assert_eq!(change["attributes"]["steps"], json!(["b"]));
    assert_eq!(flow.value("a").unwrap(), "null");
    assert_eq!(flow.value("b"), None);
    undo(&flow, &json!({}));
    assert_eq!(flow.value("b").unwrap(), texts[1].1);
    assert_eq!(actions(&flow, "b")[..2], ["undo", "reset"]);
}

#[test]
fn a_reset_takes_what_has_left_the_graph_along() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b"]);
    flow.create_snapshot("b", "1").expect(201);
    let body = json!({ "data": {
        "type": "flow", "id": flow.id, "attributes": { "graph": graph(&["a"]) }
    } });
    flow.api.patch(&flow.path(""), &body).expect(200);
    assert_eq!(flow.get()["attributes"]["orphaned_steps"], json!(["b"]));
    assert_eq!(flow.reset(&[])["attributes"]["steps"], json!(["b"]));
    assert_eq!(flow.get()["attributes"]["orphaned_steps"], json!([]));
}

#[test]
fn nothing_is_taken_back_while_the_flow_runs() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    flow.create_snapshot("a", "1").expect(201);
    flow.start();
    for rest in ["/reset", "/undo"] {
        refused(&flow.send(Method::POST, &flow.path(rest), ""), 403, "FlowRunning");
    }
    assert_eq!(flow.value("a").unwrap(), "1");
    flow.stop();
    // No body at all means what an empty one means.
    flow.send(Method::POST, &flow.path("/reset"), "").expect(200);
    assert_eq!(flow.value("a"), None);
    flow.send(Method::POST, &flow.path("/undo"), "").expect(200);
    assert_eq!(flow.value("a").unwrap(), "1");
    for body in ["{", "[]", r#"{"data":{"attributes":{"steps":"a"}}}"#] {
        refused(&flow.send(Method::POST, &flow.path("/reset"), body), 400, "BadParameters");
    }
}

#[test]
fn a_change_of_which_a_part_is_not_kept_any_more_is_not_undone_in_part() {
    let server = TestServer::builder().settings("[flows]\nhistory_entries = 3").start();
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b"]);
    flow.emit("a", "1").expect(200);
    flow.emit("b", "2").expect(200);
    let reset = flow.reset(&[])["id"].as_str().unwrap().to_owned();
    for number in 0..5 {
        flow.emit("a", &number.to_string()).expect(200);
    }
    let values = flow.values();
    let refusal = flow.undo(&json!({ "change": reset, "force": true }));
    refused(&refusal, 409, "Conflict");
    assert_eq!(flow.values(), values, "nothing was undone");
    undo(&flow, &json!({ "change": reset, "step": "b" }));
    assert_eq!(flow.value("b").unwrap(), "2");
}
