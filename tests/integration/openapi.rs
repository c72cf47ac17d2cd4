//! The description of the API, as it is served: valid, and true of a running server.
//!
//! Whether it names every route is proved beside the handlers; here it is held against answers.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, TestServer, fill, python_openapi, script};

const DOCUMENT: &str = "/service/openapi.json";

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
        if item.get("get").is_some() && !path.contains('{') {
            let answer = answer(&api, path, &url);
            let status = answer["status"].as_u64().unwrap();
            assert!(status < 400 || path == "/provider/context", "{path}: {answer:#}");
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

    let file = server.scratch().join("openapi.json");
    fs::write(&file, json!({ "document": document, "answers": answers }).to_string()).unwrap();
    python_openapi(&[&script("check_openapi.py"), file.to_str().unwrap()])
        .success()
        .says(&["the document is sound"]);
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
