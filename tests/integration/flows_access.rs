//! Who may do what with a flow, how big a value may be, and what unknown calls are told.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, Flow, Reply, TestServer, add_member, flow_body, refused, workspace};

/// The text of a JSON string that is so many bytes long, its quotes included.
fn text_of(bytes: usize) -> String {
    format!("{:?}", "x".repeat(bytes - 2))
}

#[test]
fn a_value_may_be_as_big_as_documented_and_no_bigger() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b"]);
    refused(&flow.create_snapshot("a", &text_of(5121)), 413, "SnapshotTooLarge");
    flow.create_snapshot("a", &text_of(5120)).expect(201);
    refused(&flow.edit("a", &text_of(5121)), 413, "SnapshotTooLarge");
    refused(&flow.emit("a", &text_of(5121)), 413, "SnapshotTooLarge");
    assert_eq!(flow.value("a").unwrap(), text_of(5120));

    // What counts is the value that would be stored, not the patch.
    flow.emit("b", &format!(r#"{{"old":{}}}"#, text_of(4000))).expect(200);
    let patch = format!(r#"{{"new":{}}}"#, text_of(2000));
    refused(&flow.merge("b", &patch), 413, "SnapshotTooLarge");
    assert_eq!(flow.value("b").unwrap().len(), 4008);

    let huge = text_of(64 << 20);
    let reply = flow.api.request(Method::POST, &flow.step_path("a", "/emit"));
    // The server may hang up before it has read everything.
    if let Ok(reply) = reply.header("Content-Type", "application/json").body(huge).send() {
        assert_eq!(reply.status(), 413);
    }
    assert_eq!(flow.value("a").unwrap(), text_of(5120));
}

#[test]
fn the_size_of_a_value_is_a_setting() {
    let server = TestServer::builder().settings("[flows]\nmax_snapshot_bytes = 100").start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    flow.create_snapshot("a", &text_of(100)).expect(201);
    // Bytes are counted, not characters.
    refused(
        &flow.edit("a", r#""ääääääääääääääääääääääääääääääääääääääääääääääääää""#),
        413,
        "SnapshotTooLarge",
    );
    let server = TestServer::builder().settings("[flows]\nmax_snapshot_bytes = 100000").start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    flow.create_snapshot("a", &text_of(100_000)).expect(201);
    refused(&flow.edit("a", &text_of(100_001)), 413, "SnapshotTooLarge");
}

#[test]
fn a_role_allows_what_it_is_for() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b"]);
    flow.create_snapshot("a", "{}").expect(201);
    for (role, may_emit, may_edit) in
        [("viewer", false, false), ("operations", true, false), ("user", true, true), ("manager", true, true)]
    {
        flow.emit("a", "{}").expect(200);
        let caller = flow.by(&add_member(&server, role, "default_tenant", role));
        caller.get();
        assert!(!caller.values().is_empty(), "{role}");
        assert!(!caller.history("a").is_empty(), "{role}");
        caller.api.get(&format!("/v1/tasks/{}/steps/a", flow.id)).expect(200);
        caller.api.get(&caller.path("/captures")).expect(200);

        let decide = |is_allowed: bool, reply: &Reply, status: u16| {
            if is_allowed {
                assert_eq!(reply.status, status, "{role}: {}", reply.text());
            } else {
                refused(reply, 403, "Forbidden");
            }
        };
        decide(may_emit, &caller.emit("a", "{}"), 200);
        decide(may_emit, &caller.merge("a", "{}"), 200);
        decide(may_emit, &caller.report(Value::Null), 200);
        decide(may_edit, &caller.create_snapshot("b", "1"), 201);
        decide(may_edit, &caller.edit("a", "1"), 200);
        decide(may_edit, &caller.remove("b"), 204);
        let post = |rest: &str| caller.api.post(&caller.path(rest), &json!({}));
        decide(may_edit, &post("/undo"), 200);
        decide(may_edit, &post("/reset"), 200);
        let capture = post("/captures");
        decide(may_edit, &capture, 202);
        if may_edit {
            let execution = json!({ "id": capture.json()["data"]["attributes"]["execution_id"] });
            server.api().wait_for_end(&execution);
        }
        let rename = json!({ "data": { "type": "flow", "id": flow.id, "attributes": { "name": role } } });
        decide(may_edit, &caller.api.patch(&caller.path(""), &rename), 200);
        decide(may_edit, &post("/start"), 202);
        decide(may_edit, &post("/stop"), 202);
        let body = flow_body(&workspace(&caller.api, "default_tenant"), role, &["a"]);
        decide(may_edit, &caller.api.post("/v2/flows", &body), 201);
        if !may_edit {
            refused(&caller.api.delete(&caller.path("")), 403, "Forbidden");
        }
        assert_eq!(caller.api.get("/service/dead-letters").status, 403, "{role}");
    }
}

#[test]
fn who_is_no_member_of_a_workspace_does_not_learn_of_its_flows() {
    let server = TestServer::start();
    let api = server.api();
    api.post("tenants/north", &json!({})).expect(201);
    let flow = Flow::create_in(&api, "north", "Nightly", &["a"]);
    flow.create_snapshot("a", "1").expect(201);
    let capture = flow.capture("x");
    let stranger = flow.by(&add_member(&server, "sam", "default_tenant", "manager"));
    let unknown = Flow { api: stranger.api.clone(), id: "0123456789abcdef01234567".into() };
    for flow in [&stranger, &unknown] {
        refused(&flow.api.get(&flow.path("")), 404, "NotFound");
        refused(&flow.api.get(&flow.path("/snapshots")), 404, "NotFound");
        refused(&flow.api.get(&flow.step_path("a", "")), 404, "NotFound");
        refused(&flow.api.get(&flow.path("/history")), 404, "NotFound");
        refused(&flow.api.get(&flow.path("/captures")), 404, "NotFound");
        refused(&flow.create_snapshot("a", "1"), 404, "NotFound");
        refused(&flow.edit("a", "1"), 404, "NotFound");
        refused(&flow.remove("a"), 404, "NotFound");
        refused(&flow.emit("a", "1"), 404, "NotFound");
        refused(&flow.merge("a", "{}"), 404, "NotFound");
        refused(&flow.report(json!("active")), 404, "NotFound");
        for rest in ["/start", "/stop", "/reset", "/undo", "/captures"] {
            refused(&flow.api.post(&flow.path(rest), &json!({})), 404, "NotFound");
        }
        refused(&flow.api.delete(&flow.path("")), 404, "NotFound");
        let step = flow.api.get(&format!("/v1/tasks/{}/steps/a", flow.id));
        assert_eq!(step.expect(404)["code"], "NotFound");
    }
    refused(&stranger.api.get(&format!("/v2/captures/{capture}")), 404, "NotFound");
    refused(&stranger.api.delete(&format!("/v2/captures/{capture}")), 404, "NotFound");
    assert_eq!(stranger.api.get("/v2/flows").expect(200)["data"], json!([]));

    // A member of it needs no `Tenant`: the flow's own workspace counts.
    let member = flow.by(&add_member(&server, "nora", "north", "user"));
    member.edit("a", "2").expect(200);
    assert_eq!(flow.value("a").unwrap(), "2");
    for id in ["nonsense", "0", "%2e%2e%2fx"] {
        refused(&api.get(&format!("/v2/flows/{id}")), 404, "NotFound");
    }
}

#[test]
fn a_caller_is_known_by_password_token_or_bearer() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    let token = server.api().post("tokens", &json!({})).json();
    let token = token["value"].as_str().unwrap();
    let nobody = Api::new(server.port());
    // An API key of elastic.io is a token of ours, sent as the password.
    for api in [nobody.clone().login("admin", token), nobody.clone().token(token)] {
        flow.by(&api).get();
    }
    let bearer = format!("Bearer {token}");
    let request = nobody.request(Method::GET, &flow.path("")).header("Authorization", bearer);
    nobody.send(request).expect(200);

    for api in [nobody.clone(), nobody.clone().login("admin", "wrong"), nobody.clone().token("wrong")] {
        let flow = flow.by(&api);
        refused(&api.get("/v2/flows"), 401, "Unauthorized");
        refused(&flow.create_snapshot("a", "1"), 401, "Unauthorized");
        refused(&flow.emit("a", "1"), 401, "Unauthorized");
        let step = api.get(&format!("/v1/tasks/{}/steps/a", flow.id)).expect(401);
        assert_eq!(step["code"], "Unauthorized", "{step:#}");
        assert!(step["error"].is_string(), "{step:#}");
    }
}

#[test]
fn unknown_calls_are_answered_in_the_form_of_their_face() {
    let server = TestServer::start();
    let api = server.api();
    let flow = Flow::create(&api, "Nightly", &["a"]);
    for path in ["/v2/nonsense", "/v2/flows/x/y/z", &flow.path("/nonsense")] {
        refused(&api.get(path), 404, "NotFound");
    }
    for path in ["/v1/nonsense", "/v1/accounts/1", "/v1/tasks/a/b/c/d"] {
        let body = api.get(path).expect(404);
        assert_eq!(body["code"], "NotFound", "{body:#}");
        assert!(body["error"].is_string(), "{body:#}");
    }
    for (method, path) in [
        (Method::PUT, "/v2/flows".to_owned()),
        (Method::DELETE, "/v2/workspaces".to_owned()),
        (Method::PUT, flow.path("")),
        (Method::DELETE, flow.path("/snapshots")),
        (Method::POST, flow.step_path("a", "")),
        (Method::GET, flow.step_path("a", "/emit")),
        (Method::GET, flow.path("/start")),
    ] {
        refused(&api.send(api.request(method, &path).json(&json!({}))), 405, "MethodNotAllowed");
    }
}
