//! The description of the API, as it is served: valid, and true of a running server.
//!
//! Whether it names every route is proved beside the handlers; here it is held against answers.

use std::collections::BTreeSet;
use std::fs;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Api, Flow, Reply, TestServer, add_member, fill, flow_body, python_openapi, script, snapshot_body,
};

/// Where the description is.
pub const DOCUMENT: &str = "/service/openapi.json";

/// Paths that name one entity, as far as the filled manager has it.
const ENTITIES: [(&str, &str); 9] = [
    ("/snapshots/{id}", "nightly"),
    ("/blueprints/{id}", "lighthouse"),
    ("/deployments/{id}", "default_tenant-tower"),
    ("/deployments/{id}/outputs", "default_tenant-tower"),
    ("/deployments/{id}/capabilities", "default_tenant-tower"),
    ("/secrets/{key}", "lamp_passphrase"),
    ("/tenants/{name}", "default_tenant"),
    ("/users/{username}", "admin"),
    ("/agents/{name}", "nobody"),
];

/// Lists and single things of which there is none, whatever is asked.
const NEVER: [&str; 2] = ["/provider/context", "/secrets-providers"];

/// A call whose answer goes on until the caller has enough; the clients' tests follow it.
const ENDLESS: &str = "/audit/stream";

fn answer(api: &Api, path: &str, url: &str) -> Value {
    let reply = api.get(url);
    let body = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    json!({ "method": "get", "path": path, "status": reply.status, "body": body })
}

#[test]
fn the_document_is_valid_and_true_of_the_answers() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let document = Api::new(server.port()).get(DOCUMENT).expect(200);

    let mut answers = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let url = if item.get("servers").is_some() { path.clone() } else { format!("/api/v3.1{path}") };
        if item.get("get").is_some() && !path.contains('{') && path != ENDLESS {
            let answer = answer(&api, path, &url);
            let status = answer["status"].as_u64().unwrap();
            assert!(status < 400 || NEVER.contains(&path.as_str()), "{path}: {answer:#}");
            answers.push(answer);
        }
    }
    assert!(answers.len() > 25, "the document has lost its calls");
    for (path, name) in ENTITIES {
        let (before, after) = path.split_once('{').unwrap();
        let after = after.split_once('}').unwrap().1;
        answers.push(answer(&api, path, &format!("/api/v3.1{before}{name}{after}")));
    }
    let listed =
        answer(&api, "/executions", "/api/v3.1/executions?_include_system_workflows=true&_include=id,report");
    answers.push(listed);
    answers.push(answer(&api, "/snapshots", "/api/v3.1/snapshots?_include=colour"));

    judge(&server, &document, &answers);
}

/// Holds the document against itself and against answers.
pub fn judge(server: &TestServer, document: &Value, answers: &[Value]) {
    let file = server.scratch().join("openapi.json");
    fs::write(&file, json!({ "document": document, "answers": answers }).to_string()).unwrap();
    python_openapi(&[&script("check_openapi.py"), file.to_str().unwrap()])
        .success()
        .says(&["the document is sound"]);
}

/// Answers, each with the path under which the document has its call.
#[derive(Default)]
pub struct Held(pub Vec<Value>);

impl Held {
    /// Keeps the answer to a call, which has this status.
    pub fn hold(&mut self, call: &str, status: u16, reply: &Reply) -> Value {
        let (method, path) = call.split_once(' ').unwrap();
        assert_eq!(reply.status, status, "{call}: {}", reply.text());
        let body = if reply.body.is_empty() { Value::Null } else { reply.json() };
        self.0.push(json!({ "method": method, "path": path, "status": status, "body": body }));
        body
    }

    /// The calls that went well.
    pub fn good(&self) -> BTreeSet<String> {
        let text = |answer: &Value, key: &str| answer[key].as_str().unwrap().to_owned();
        let good = self.0.iter().filter(|answer| answer["status"].as_u64().unwrap() < 300);
        good.map(|answer| format!("{} {}", text(answer, "method"), text(answer, "path"))).collect()
    }
}

const FLOW: &str = "/v2/flows/{flow}";
const STEP: &str = "/v2/flows/{flow}/snapshots/{step}";

/// Two steps whose names need escapes, and members that nobody asked for.
const GRAPH: &str = r#"{"nodes":[{"id":"a/ ü?#%","command":null,"fields":[1.0e5,{"deep":null}],"is_passthrough":null,
    "position":{"x":-0.0}},{"id":"b\"\\","fields":"text"}],"edges":null,"more":{"nodes":[{}]}}"#;

#[test]
fn the_answers_of_flows_are_as_described() {
    let server = TestServer::start();
    let api = server.api();
    let document = Api::new(server.port()).get(DOCUMENT).expect(200);
    let mut held = Held::default();
    let flow = flows(&mut held, &api);
    steps(&mut held, &flow);
    captures(&mut held, &flow);
    workspaces(&mut held, &api);
    tasks(&mut held, &api);
    let viewer = add_member(&server, "vera", "default_tenant", "viewer");
    errors_of_flows(&mut held, &server, &flow, &viewer);
    errors_of_tasks(&mut held, &server, &flow, &viewer);
    of_the_service(&mut held, &api, &flow);
    held.hold(&format!("delete {FLOW}"), 204, &api.delete(&flow.path("")));

    let good = held.good();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, _) in item.as_object().unwrap() {
            let call = format!("{method} {path}");
            let is_of_flows = path.starts_with("/v2/") || path.starts_with("/v1/tasks");
            assert!(!is_of_flows || method == "servers" || good.contains(&call), "{call} was not tried");
        }
    }
    judge(&server, &document, &held.0);
}

fn flows(held: &mut Held, api: &Api) -> Flow {
    let mut body = flow_body("default_tenant", "Weird ☃", &[]);
    body["data"]["attributes"]["graph"] = serde_json::from_str(GRAPH).unwrap();
    body["data"]["attributes"]["cron"] = json!("*/5 * * * *");
    let made = held.hold("post /v2/flows", 201, &api.post("/v2/flows/", &body));
    let flow = Flow { api: api.clone(), id: made["data"]["id"].as_str().unwrap().to_owned() };
    let change = json!({ "data": { "type": "flow", "id": flow.id, "attributes": { "description": "x", "cron": null } } });
    held.hold(&format!("patch {FLOW}"), 200, &api.patch(&flow.path(""), &change));
    let query = "?workspace_id=default_tenant&filter[status]=inactive&filter[type]=ordinary&filter[user]=admin\
                 &filter[has_draft]=false&search=weird&sort=-updated_at&page[number]=1&page[size]=2";
    let list = held.hold("get /v2/flows", 200, &api.get(&format!("/v2/flows{query}")));
    assert_eq!(list["data"][0]["id"], flow.id);
    held.hold(&format!("post {FLOW}/start"), 202, &flow.send(Method::POST, &flow.path("/start"), ""));
    held.hold(&format!("post {FLOW}/current-status"), 200, &flow.report(json!("active")));
    held.hold(&format!("get {FLOW}"), 200, &api.get(&flow.path("")));
    held.hold(&format!("post {FLOW}/current-status"), 200, &flow.report(Value::Null));
    held.hold(&format!("post {FLOW}/stop"), 202, &flow.send(Method::POST, &flow.path("/stop"), ""));
    flow
}

/// The names of the two steps.
fn names() -> [String; 2] {
    let graph: Value = serde_json::from_str(GRAPH).unwrap();
    [0, 1].map(|index: usize| graph["nodes"][index]["id"].as_str().unwrap().to_owned())
}

fn steps(held: &mut Held, flow: &Flow) {
    let api = &flow.api;
    let [first, second] = names();
    held.hold(&format!("post {FLOW}/snapshots"), 201, &flow.create_snapshot(&first, "null"));
    held.hold(&format!("patch {STEP}"), 200, &flow.edit(&first, r#"[9007199254740993,"é"]"#));
    held.hold(&format!("post {STEP}/emit"), 200, &flow.emit(&first, "17"));
    let path = flow.step_path(&second, "/merge?execution_id=b4c1");
    held.hold(&format!("post {STEP}/merge"), 200, &flow.send(Method::POST, &path, r#"{"a":{}}"#));
    held.hold(&format!("get {STEP}"), 200, &api.get(&flow.step_path(&second, "/")));
    let list = held.hold(&format!("get {FLOW}/snapshots"), 200, &api.get(&flow.path("/snapshots")));
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    held.hold(&format!("delete {STEP}"), 204, &flow.remove(&second));
    held.hold(&format!("post {FLOW}/undo"), 200, &flow.undo(&json!({ "step": second, "force": true })));
    let nothing = flow.send(Method::POST, &flow.path("/reset"), r#"{"data":{"attributes":{"steps":["c"]}}}"#);
    assert_eq!(held.hold(&format!("post {FLOW}/reset"), 200, &nothing)["data"]["id"], Value::Null);
    held.hold(&format!("post {FLOW}/reset"), 200, &flow.send(Method::POST, &flow.path("/reset"), ""));
    held.hold(&format!("post {FLOW}/undo"), 200, &flow.send(Method::POST, &flow.path("/undo"), ""));
    let history = api.get(&flow.path("/history?page[size]=1000"));
    let history = held.hold(&format!("get {FLOW}/history"), 200, &history);
    assert_eq!(history["meta"]["total"], 10, "{history:#}");
    held.hold(&format!("get {STEP}/history"), 200, &api.get(&flow.step_path(&first, "/history")));
}

fn captures(held: &mut Held, flow: &Flow) {
    let api = &flow.api;
    let asked = flow.send(Method::POST, &flow.path("/captures"), "");
    let asked = held.hold(&format!("post {FLOW}/captures"), 202, &asked);
    api.wait_for_end(&json!({ "id": asked["data"]["attributes"]["execution_id"] }));
    let capture = format!("/v2/captures/{}", asked["data"]["id"].as_str().unwrap());
    let other = flow.capture("the other");
    flow.remove(&names()[0]).expect_status(204);

    held.hold(&format!("get {FLOW}/captures"), 200, &api.get(&flow.path("/captures?page[size]=1")));
    let query = format!("?workspace_id=default_tenant&filter[flow]={}", flow.id);
    held.hold("get /v2/captures", 200, &api.get(&format!("/v2/captures{query}")));
    held.hold("get /v2/captures/{capture}", 200, &api.get(&capture));
    let compare = "get /v2/captures/{capture}/compare";
    let live = held.hold(compare, 200, &api.get(&format!("{capture}/compare?with=live")));
    assert_eq!(live["data"]["attributes"]["differences"].as_array().unwrap().len(), 1);
    held.hold(compare, 200, &api.get(&format!("{capture}/compare?with={other}")));
    let restore = "post /v2/captures/{capture}/restore";
    let restored = flow.send(Method::POST, &format!("{capture}/restore"), "");
    assert_eq!(held.hold(restore, 200, &restored)["data"]["attributes"]["steps"], json!([names()[0]]));
    held.hold("delete /v2/captures/{capture}", 204, &api.delete(&capture));

    let elsewhere = Flow::create(api, "Elsewhere", &["a"]);
    let into = json!({ "data": { "attributes": { "flow": elsewhere.id } } });
    held.hold(restore, 409, &api.post(&format!("/v2/captures/{other}/restore"), &into));
    held.hold(compare, 404, &api.get(&format!("/v2/captures/{other}/compare?with=none")));
}

fn workspaces(held: &mut Held, api: &Api) {
    held.hold("get /v2/workspaces", 200, &api.get("/v2/workspaces"));
    held.hold("get /v2/workspaces", 200, &api.get("/v2/workspaces?contract_id=another"));
    held.hold("get /v2/workspaces/{workspace}", 200, &api.get("/v2/workspaces/default_tenant"));
    held.hold("get /v2/workspaces/{workspace}", 404, &api.get("/v2/workspaces/nowhere"));
    held.hold("get /v2/users/me", 200, &api.get("/v2/users/me"));
}

fn tasks(held: &mut Held, api: &Api) {
    let nodes = json!([{ "function": "a:b", "config": { "n": 1 }, "more": [] }, {}]);
    let body = json!({ "name": "Old", "nodes": nodes, "cron": null });
    let made = held.hold("post /v1/tasks", 201, &api.post("/v1/tasks/", &body));
    let id = made["id"].as_str().unwrap();
    let task = format!("/v1/tasks/{id}");
    let flow = Flow { api: api.clone(), id: id.to_owned() };
    held.hold("get /v1/tasks/{task}", 200, &api.get(&task));
    for (word, status) in
        [("start", "active"), ("stop", "inactive"), ("start", "active"), ("suspend", "inactive")]
    {
        let reply = api.post(&format!("/v1/tasks/{word}/{id}"), &json!({}));
        let toggled = held.hold(&format!("post /v1/tasks/{word}/{{task}}"), 200, &reply);
        assert_eq!(toggled["status"], status);
    }
    let step = "get /v1/tasks/{task}/steps/{step}";
    held.hold(step, 200, &api.get(&format!("{task}/steps/step_2")));
    flow.emit("step_2", "[null]").expect(200);
    held.hold(step, 200, &api.get(&format!("{task}/steps/step_2/")));
    held.hold("delete /v1/tasks/{task}", 204, &api.delete(&task));
}

fn errors_of_flows(held: &mut Held, server: &TestServer, flow: &Flow, viewer: &Api) {
    let api = &flow.api;
    let [first, _] = names();
    let get = format!("get {FLOW}");
    held.hold(&get, 401, &Api::new(server.port()).get(&flow.path("")));
    held.hold(&get, 403, &api.clone().tenant("nowhere").get(&flow.path("")));
    held.hold(&get, 404, &api.get("/v2/flows/0123"));
    held.hold(&format!("get {STEP}"), 404, &api.get(&flow.step_path("nowhere", "")));
    held.hold("get /v2/flows", 404, &api.get("/v2/flows?workspace_id=nowhere"));
    for query in ["page[size]=0", "sort=colour", "filter[status]=asleep", "filter[has_draft]=7"] {
        held.hold("get /v2/flows", 400, &api.get(&format!("/v2/flows?{query}")));
    }
    let post = |path: &str, body: &str| flow.send(Method::POST, &flow.path(path), body);
    let mut other = flow_body("default_tenant", "x", &["a", "a"]);
    held.hold("post /v2/flows", 400, &api.post("/v2/flows", &other));
    other["data"]["type"] = json!("snapshot");
    held.hold("post /v2/flows", 409, &api.post("/v2/flows", &other));
    let edit =
        flow.send(Method::PATCH, &flow.path(""), r#"{"data":{"type":"flow","attributes":{"status":"x"}}}"#);
    held.hold(&format!("patch {FLOW}"), 400, &edit);
    held.hold(&format!("post {FLOW}/snapshots"), 400, &post("/snapshots", "{"));
    held.hold(&format!("post {FLOW}/snapshots"), 409, &flow.create_snapshot(&first, "1"));
    held.hold(&format!("post {FLOW}/snapshots"), 404, &flow.create_snapshot("nowhere", "1"));
    let long = json!("x".repeat(6000)).to_string();
    held.hold(&format!("patch {STEP}"), 413, &flow.edit(&first, &long));
    let body = snapshot_body("other", "1");
    held.hold(&format!("patch {STEP}"), 409, &flow.send(Method::PATCH, &flow.step_path(&first, ""), &body));
    held.hold(&format!("post {STEP}/emit"), 400, &flow.emit(&first, ""));
    held.hold(&format!("post {STEP}/merge"), 400, &flow.merge(&first, "[]"));
    held.hold(&format!("post {FLOW}/undo"), 404, &flow.undo(&json!({ "change": "999999" })));
    held.hold(&format!("post {FLOW}/undo"), 409, &flow.undo(&json!({ "change": "1" })));
    held.hold(&format!("post {FLOW}/undo"), 400, &flow.undo(&json!({ "change": "first" })));
    held.hold(&format!("post {FLOW}/reset"), 400, &post("/reset", r#"{"data":{"attributes":{"steps":1}}}"#));
    held.hold(&format!("post {FLOW}/captures"), 400, &post("/captures", "[]"));
    held.hold(&format!("post {FLOW}/current-status"), 400, &flow.report(json!("asleep")));

    let viewer = flow.by(viewer);
    held.hold("get /v2/users/me", 200, &viewer.api.get("/v2/users/me"));
    held.hold(&format!("post {STEP}/emit"), 403, &viewer.emit(&first, "1"));
    held.hold(&format!("delete {FLOW}"), 403, &viewer.api.delete(&flow.path("")));
    held.hold(&format!("post {FLOW}/start"), 403, &viewer.send(Method::POST, &flow.path("/start"), ""));
    held.hold("get /service/dead-letters", 403, &viewer.api.get("/service/dead-letters"));

    flow.start();
    held.hold(&format!("patch {STEP}"), 403, &flow.edit(&first, "1"));
    held.hold(&format!("delete {FLOW}"), 403, &api.delete(&flow.path("")));
    flow.stop();
}

fn errors_of_tasks(held: &mut Held, server: &TestServer, flow: &Flow, viewer: &Api) {
    let (api, task) = (&flow.api, format!("/v1/tasks/{}", flow.id));
    held.hold("get /v1/tasks/{task}", 401, &Api::new(server.port()).get(&task));
    held.hold("get /v1/tasks/{task}", 404, &api.get("/v1/tasks/0123"));
    held.hold("get /v1/tasks/{task}/steps/{step}", 404, &api.get(&format!("{task}/steps/nowhere")));
    held.hold("post /v1/tasks", 400, &api.post("/v1/tasks", &json!({ "nodes": 7 })));
    held.hold("post /v1/tasks", 403, &api.clone().tenant("nowhere").post("/v1/tasks", &json!({})));
    let body = json!({ "name": "x", "nodes": [] });
    held.hold("post /v1/tasks", 403, &viewer.post("/v1/tasks", &body));
    flow.start();
    held.hold("delete /v1/tasks/{task}", 403, &api.delete(&task));
    flow.stop();
}

fn of_the_service(held: &mut Held, api: &Api, flow: &Flow) {
    held.hold("get /service/dead-letters", 200, &api.get("/service/dead-letters?_offset=0&_size=5"));
    held.hold("get /service/dead-letters", 400, &api.get("/service/dead-letters?_size=all"));
    held.hold("delete /service/dead-letters", 200, &api.delete("/service/dead-letters"));
    api.create_snapshot("nightly", &json!({ "include_flow_history": true, "pause_flows": true }));
    let nightly = api.get("snapshots/nightly");
    held.hold("get /snapshots/{id}", 200, &nightly);
    let restore = "post /service/snapshots/{id}/restore-flow";
    let body = json!({ "flow_id": flow.id, "force": true });
    let begun = held.hold(restore, 200, &api.post("/service/snapshots/nightly/restore-flow", &body));
    let ended = api.wait_for_end(&begun);
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    held.hold(
        "get /executions/{id}",
        200,
        &api.get(&format!("executions/{}", ended["id"].as_str().unwrap())),
    );
    held.hold(restore, 404, &api.post("/service/snapshots/none/restore-flow", &body));
    held.hold(restore, 400, &api.post("/service/snapshots/nightly/restore-flow", &json!({})));
}

#[test]
fn who_needs_a_login_is_as_described() {
    let server = TestServer::start();
    let nobody = Api::new(server.port());
    let document = nobody.get(DOCUMENT).expect(200);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method == "servers" {
                continue;
            }
            let url = if item.get("servers").is_some() { path.clone() } else { format!("/api/v3.1{path}") };
            let url = url.replace(['{', '}'], "x");
            let method: Method = method.to_uppercase().parse().unwrap();
            let status = nobody.send(nobody.request(method.clone(), &url)).status;
            let is_open = operation["security"] == json!([]);
            assert_eq!(status != 401, is_open, "{method} {url} without a login: {status}");
        }
    }
}

#[test]
fn the_page_is_served_with_a_policy_that_lets_nothing_else_in() {
    let server = TestServer::start();
    let nobody = Api::new(server.port());
    let home = nobody.get("/");
    assert_eq!((home.status, home.header("location")), (302, "/service/docs"));
    for (path, kind) in [
        ("/service/docs", "text/html; charset=utf-8"),
        ("/service/docs/app.js", "text/javascript; charset=utf-8"),
        ("/service/docs/style.css", "text/css; charset=utf-8"),
    ] {
        let reply = nobody.get(path);
        assert_eq!((reply.status, reply.header("content-type")), (200, kind), "{path}");
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"));
        assert!(!reply.body.is_empty(), "{path}");
    }
}
