//! Captures: all steps of a flow at one moment, to be listed, compared and put back as a whole.

use serde_json::{Value, json};

use crate::harness::{Api, Flow, Reply, TestServer, refused};

fn restore(api: &Api, capture: &str, attributes: &Value) -> Reply {
    let body = json!({ "data": { "attributes": attributes } });
    api.post(&format!("/v2/captures/{capture}/restore"), &body)
}

fn compare(api: &Api, capture: &str, with: &str) -> Value {
    let path = format!("/v2/captures/{capture}/compare?with={with}");
    let answer = api.get(&path).expect(200);
    assert_eq!(answer["data"]["type"], "comparison", "{answer:#}");
    assert_eq!(answer["data"]["id"], format!("{capture}..{with}"));
    answer["data"]["attributes"].clone()
}

/// A flow of three steps, of which the first two have a value.
fn nightly(server: &TestServer) -> Flow {
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b", "c"]);
    flow.create_snapshot("a", "{ \"page\" : 1.0 }").expect(201);
    flow.create_snapshot("b", "9007199254740993").expect(201);
    flow
}

#[test]
fn a_capture_is_made_by_an_execution_and_holds_all_steps() {
    let server = TestServer::start();
    let flow = nightly(&server);
    let api = &flow.api;
    let asked = api.post(&flow.path("/captures"), &json!({})).expect(202);
    assert_eq!(asked["data"]["type"], "capture");
    assert_eq!(asked["data"]["attributes"]["status"], "pending");
    let execution = json!({ "id": asked["data"]["attributes"]["execution_id"] });
    let ended = api.wait_for_end(&execution);
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    assert_eq!(ended["workflow_id"], "capture_flow");
    let id = asked["data"]["id"].as_str().unwrap();

    let reply = api.get(&format!("/v2/captures/{id}"));
    let capture = reply.expect(200);
    let capture = &capture["data"];
    assert_eq!((&capture["id"], &capture["type"]), (&json!(id), &json!("capture")));
    assert_eq!(capture["links"]["self"], format!("/v2/captures/{id}"));
    let attributes = &capture["attributes"];
    for (key, value) in [
        ("flow_name", json!("Nightly")),
        ("created_by", json!("admin")),
        ("execution_id", execution["id"].clone()),
        ("fuzzy", json!(false)),
        ("step_count", json!(2)),
    ] {
        assert_eq!(attributes[key], value, "`{key}` of {capture:#}");
    }
    assert!(attributes["created_at"].as_str().unwrap().ends_with('Z'));
    let steps = attributes["steps"].as_object().unwrap();
    assert_eq!(steps.keys().collect::<Vec<_>>(), ["a", "b"]);
    for text in ["{ \"page\" : 1.0 }", "9007199254740993"] {
        assert!(reply.text().contains(text), "{}", reply.text());
    }
    assert_eq!(capture["relationships"]["flow"]["data"], json!({ "id": flow.id, "type": "flow" }));
    assert_eq!(capture["relationships"]["workspace"]["data"]["type"], "workspace");
}

#[test]
fn a_capture_of_a_running_flow_says_that_it_is_fuzzy() {
    let server = TestServer::start();
    let flow = nightly(&server);
    flow.start();
    let capture = flow.capture("while it runs");
    let capture = flow.api.get(&format!("/v2/captures/{capture}")).expect(200);
    assert_eq!(capture["data"]["attributes"]["fuzzy"], true);
    assert_eq!(capture["data"]["attributes"]["description"], "while it runs");
}

#[test]
fn captures_are_listed_without_values_and_deleted() {
    let server = TestServer::start();
    let (flow, other) = (nightly(&server), Flow::create(&server.api(), "Other", &["a"]));
    let api = &flow.api;
    let (one, two, third) = (flow.capture("one"), flow.capture("two"), other.capture("three"));
    let ids = |path: &str| {
        let list = api.get(path).expect(200);
        let mut ids = Vec::new();
        for capture in list["data"].as_array().unwrap() {
            assert_eq!(capture["attributes"].get("steps"), None, "{capture:#}");
            ids.push(capture["id"].as_str().unwrap().to_owned());
        }
        ids.sort();
        ids
    };
    let sorted = |mut ids: Vec<&String>| {
        ids.sort();
        ids.into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(ids("/v2/captures"), sorted(vec![&one, &two, &third]));
    assert_eq!(ids(&format!("/v2/captures?filter[flow]={}", flow.id)), sorted(vec![&one, &two]));
    assert_eq!(ids(&flow.path("/captures")), sorted(vec![&one, &two]));
    let page = api.get("/v2/captures?page[size]=2").expect(200);
    assert_eq!(page["meta"], json!({ "page": 1, "per_page": 2, "total": 3, "total_pages": 2 }));

    let path = format!("/v2/captures/{one}");
    assert_eq!(api.delete(&path).status, 204);
    refused(&api.get(&path), 404, "NotFound");
    refused(&api.delete(&path), 404, "NotFound");
    assert_eq!(ids("/v2/captures"), sorted(vec![&two, &third]));
}

#[test]
fn captures_are_compared_with_the_present_and_with_each_other() {
    let server = TestServer::start();
    let flow = nightly(&server);
    let first = flow.capture("first");
    assert_eq!(compare(&flow.api, &first, "live"), json!({ "same": 2, "differences": [] }));
    flow.edit("a", "null").expect(200);
    assert_eq!(flow.remove("b").status, 204);
    flow.create_snapshot("c", "false").expect(201);
    let second = flow.capture("second");
    for with in ["live", &second] {
        let found = compare(&flow.api, &first, with);
        assert_eq!(found["same"], 0);
        let mut differences = found["differences"].as_array().unwrap().clone();
        differences.sort_by_key(|difference| difference["step"].to_string());
        assert_eq!(
            differences,
            [
                json!({ "step": "a", "before": { "page": 1.0 }, "after": null }),
                json!({ "step": "b", "before": 9_007_199_254_740_993_u64 }),
                json!({ "step": "c", "after": false }),
            ]
        );
    }
    refused(&flow.api.get(&format!("/v2/captures/{first}/compare?with=nonsense")), 404, "NotFound");
}

#[test]
fn a_capture_is_put_back_as_a_whole_and_that_can_be_undone() {
    let server = TestServer::start();
    let flow = nightly(&server);
    let captured = flow.values();
    let capture = flow.capture("before");
    flow.edit("a", "2").expect(200);
    assert_eq!(flow.remove("b").status, 204);
    flow.create_snapshot("c", "3").expect(201);
    let later = flow.values();

    flow.start();
    refused(&restore(&flow.api, &capture, &json!({})), 403, "FlowRunning");
    flow.stop();
    let change = restore(&flow.api, &capture, &json!({})).expect(200)["data"].take();
    assert_eq!((&change["type"], &change["attributes"]["action"]), (&json!("change"), &json!("restore")));
    assert_eq!(flow.values(), captured, "to the letter, and `c` is gone");
    let items = flow.flow_history();
    let of_it: Vec<_> = items.iter().filter(|item| item.past.action == "restore").collect();
    assert_eq!(of_it.len(), 3);
    assert!(of_it.iter().all(|item| item.past.change == change["id"].as_str().unwrap()));
    assert!(of_it.iter().all(|item| item.past.via == "capture"), "{of_it:?}");
    assert_eq!(compare(&flow.api, &capture, "live")["differences"], json!([]));

    flow.undo(&json!({ "change": change["id"] })).expect(200);
    assert_eq!(flow.values(), later);
}

#[test]
fn a_capture_is_put_into_another_flow_if_its_steps_are_there() {
    let server = TestServer::start();
    let flow = nightly(&server);
    let capture = flow.capture("to be moved");
    let twin = Flow::create(&server.api(), "Twin", &["b", "x", "a"]);
    twin.create_snapshot("x", "1").expect(201);
    restore(&flow.api, &capture, &json!({ "flow": twin.id })).expect(200);
    let mut values = twin.values();
    values.reverse();
    assert_eq!(values, flow.values());
    assert_eq!(twin.value("x"), None, "what the capture has not is removed");

    let short = Flow::create(&server.api(), "Short", &["b", "x"]);
    short.create_snapshot("x", "1").expect(201);
    let error = refused(&restore(&flow.api, &capture, &json!({ "flow": short.id })), 409, "Conflict");
    assert!(error["detail"].as_str().unwrap().contains("`a`"), "{error:#}");
    assert_eq!(short.values(), [("x".to_owned(), "1".to_owned())], "nothing was written");
    let nowhere = json!({ "flow": "0123456789abcdef01234567" });
    refused(&restore(&flow.api, &capture, &nowhere), 404, "NotFound");
    refused(&restore(&flow.api, "nonsense", &json!({})), 404, "NotFound");

    // A deleted flow's capture has no flow of its own to go back to.
    assert_eq!(flow.api.delete(&flow.path("")).status, 204);
    assert!(matches!(restore(&twin.api, &capture, &json!({})).status, 404 | 409));
    restore(&twin.api, &capture, &json!({ "flow": twin.id })).expect(200);
}
