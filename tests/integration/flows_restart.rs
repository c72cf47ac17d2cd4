//! A server that dies while an execution works on a flow, and comes back: it was done wholly and says so, or not at all.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, Flow, TestServer};

/// The last execution of a workflow of the service.
fn last(api: &Api, workflow: &str) -> Value {
    let list = format!("executions?_include_system_workflows=true&workflow_id={workflow}&_sort=-created_at");
    api.get(&list).items().into_iter().next().expect("the execution was recorded before it began")
}

#[test]
fn a_capture_that_was_killed_is_there_and_done_or_not_there_and_failed() {
    for (failpoint, is_done) in [("capture:taking", false), ("capture:taken", true)] {
        let mut server = TestServer::builder().failpoint(&format!("{failpoint}=kill")).start();
        let flow = Flow::create(&server.api(), "Nightly", &["a"]);
        flow.emit("a", "1").expect(200);
        // It may be dead before it has answered.
        let _ = flow.api.request(Method::POST, &flow.path("/captures")).json(&json!({})).send();
        server.wait_until_killed();
        server.restart();

        let api = server.api();
        let ended = api.wait_for_end(&last(&api, "capture_flow"));
        let status = if is_done { "terminated" } else { "failed" };
        assert_eq!(ended["status"], status, "{failpoint}: {ended:#}");
        let captures = api.get("/v2/captures").expect(200);
        assert_eq!(captures["meta"]["total"], u32::from(is_done), "{failpoint}");
        // Nothing of it stands in the way of the next.
        let capture = flow.by(&api).capture("after");
        let values = api.get(&format!("/v2/captures/{capture}")).expect(200);
        assert_eq!(values["data"]["attributes"]["steps"], json!({ "a": 1 }), "{failpoint}");
    }
}

#[test]
fn the_restore_of_one_flow_that_was_killed_has_happened_wholly_or_not_at_all() {
    for (failpoint, is_done) in [("restore_flow:writing", false), ("restore_flow:written", true)] {
        let mut server = TestServer::builder().failpoint(&format!("{failpoint}=kill")).start();
        let api = server.api();
        let flow = Flow::create(&api, "Nightly", &["a", "b"]);
        flow.emit("a", "1").expect(200);
        api.create_snapshot("nightly", &json!({}));
        flow.emit("a", "2").expect(200);
        flow.emit("b", "2").expect(200);
        let body = json!({ "flow_id": flow.id, "force": true });
        let _ = api.request(Method::POST, "/service/snapshots/nightly/restore-flow").json(&body).send();
        server.wait_until_killed();
        server.restart();

        let api = server.api();
        let ended = api.wait_for_end(&last(&api, "restore_flow"));
        let flow = flow.by(&api);
        let present = (flow.value("a"), flow.value("b"));
        let (status, wanted) = match is_done {
            true => ("terminated", (Some("1".to_owned()), None)),
            false => ("failed", (Some("2".to_owned()), Some("2".to_owned()))),
        };
        assert_eq!(ended["status"], status, "{failpoint}: {ended:#}");
        assert_eq!(present, wanted, "{failpoint}");
        if is_done {
            flow.undo(&json!({})).expect(200);
            assert_eq!((flow.value("a").unwrap(), flow.value("b").unwrap()), ("2".into(), "2".into()));
        }
    }
}
