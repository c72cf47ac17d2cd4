//! Emits by HTTP, for runtimes that have no AMQP: replace, merge, while the flow runs.
//!
//! What a merge does not touch stays as it was, to the letter.

use std::collections::BTreeMap;

use serde_json::json;
use serde_json::value::RawValue;

use crate::harness::{Flow, TestServer, refused};

/// The members of an object in their order, each with its text.
fn members(object: &str) -> Vec<(String, String)> {
    let texts: BTreeMap<String, &RawValue> = serde_json::from_str(object).unwrap();
    let mut members: Vec<_> = texts.into_iter().collect();
    // Each text is a part of the object's, so where it stands is its place in the order.
    members.sort_by_key(|(_, text)| text.get().as_ptr());
    members.into_iter().map(|(key, text)| (key, text.get().to_owned())).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn an_emit_creates_and_replaces_while_the_flow_runs() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    flow.start();
    flow.emit("a", r#"{"page":1}"#).expect(200);
    assert_eq!(flow.value("a").unwrap(), r#"{"page":1}"#);
    flow.emit("a", "null").expect(200);
    assert_eq!(flow.value("a").unwrap(), "null", "null is a value");
    flow.stop();
    flow.emit("a", "1.0e5").expect(200);
    assert_eq!(flow.value("a").unwrap(), "1.0e5");
}

#[test]
fn an_emit_tells_the_history_who_and_which_execution() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    let path = flow.step_path("a", "/emit?execution_id=exec-7");
    flow.send(reqwest::Method::POST, &path, "1").expect(200);
    let path = flow.step_path("a", "/merge?execution_id=exec-8");
    flow.send(reqwest::Method::POST, &path, r#"{"b":2}"#).expect(200);
    let history = flow.history("a");
    let (merged, emitted) = (&history[0].past, &history[1].past);
    assert_eq!((emitted.action.as_str(), merged.action.as_str()), ("emit", "merge"));
    assert_eq!(emitted.execution_id.as_deref(), Some("exec-7"));
    assert_eq!(merged.execution_id.as_deref(), Some("exec-8"));
    assert_eq!(emitted.texts(), (None, Some("1")));
    assert_eq!(merged.texts().0, Some("1"));
    for past in [emitted, merged] {
        assert_eq!((past.via.as_str(), past.redelivered), ("api", false));
        assert_eq!(past.user.as_deref(), Some("admin"));
    }
}

#[test]
fn a_merge_is_shallow_and_keeps_untouched_members_to_the_letter() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    flow.start();
    flow.merge("a", r#"{"big":9007199254740993}"#).expect(200);
    assert_eq!(members(&flow.value("a").unwrap()), pairs(&[("big", "9007199254740993")]));

    let kept =
        r#"{ "z" : 1.0e5, "$set":{"a.b": 1e400 },"deep":{"x":1,"y":2}, "t":"\u00e4\/", "a":[ 1 , 2 ]}"#;
    flow.emit("a", kept).expect_status(200);
    flow.merge("a", r#"{"deep":{"x":3},"new":-0,"t":null}"#).expect_status(200);
    let wanted = [
        ("z", "1.0e5"),
        ("$set", r#"{"a.b": 1e400 }"#),
        ("deep", r#"{"x":3}"#),
        ("t", "null"),
        ("a", "[ 1 , 2 ]"),
        ("new", "-0"),
    ];
    assert_eq!(members(&flow.value("a").unwrap()), pairs(&wanted));

    // A patch with keys of Mongo's language is a patch like any other.
    flow.merge("a", r#"{"$set":{"z":2},"a.b":1}"#).expect_status(200);
    let value = members(&flow.value("a").unwrap());
    assert_eq!(value[1], ("$set".to_owned(), r#"{"z":2}"#.to_owned()));
    assert_eq!(value[6], ("a.b".to_owned(), "1".to_owned()));
    assert_eq!(value[0].1, "1.0e5");
    flow.merge("a", "{}").expect_status(200);
    assert_eq!(members(&flow.value("a").unwrap()), value);
}

#[test]
fn a_merge_replaces_what_is_no_object_and_takes_none_but_an_object() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    for former in ["null", "0", "\"text\"", "[1,2]", "false"] {
        flow.emit("a", former).expect(200);
        flow.merge("a", r#"{"b":1}"#).expect(200);
        assert_eq!(members(&flow.value("a").unwrap()), pairs(&[("b", "1")]), "{former}");
    }
    for body in ["[1]", "1", "null", "\"x\"", "", "{"] {
        refused(&flow.merge("a", body), 400, "BadParameters");
    }
    refused(&flow.merge("z", "{}"), 404, "StepNotInFlow");
    assert_eq!(members(&flow.value("a").unwrap()), pairs(&[("b", "1")]));
}

#[test]
fn a_sailor_reads_the_step_flat_and_no_snapshot_is_no_key() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b"]);
    let read = |step: &str| flow.api.get(&format!("/v1/tasks/{}/steps/{step}", flow.id)).expect(200);
    let mut step = read("a");
    assert_eq!(step["id"], "a");
    assert_eq!(step["config"], json!({ "prefix": "x" }), "the fields of the graph's node");
    assert_eq!(step["variables"], json!({}));
    assert_eq!(step["is_passthrough"], false);
    assert_eq!(step.get("snapshot"), None);
    for value in [json!(null), json!(false), json!(0), json!(""), json!({ "a": 1 })] {
        flow.emit("a", &value.to_string()).expect(200);
        step = read("a");
        assert_eq!(step.get("snapshot"), Some(&value), "{step:#}");
    }
    assert_eq!(read("b").get("snapshot"), None);
    let unknown = flow.api.get(&format!("/v1/tasks/{}/steps/z", flow.id)).expect(404);
    assert!(unknown["error"].is_string() && unknown["code"].is_string(), "{unknown:#}");
}
