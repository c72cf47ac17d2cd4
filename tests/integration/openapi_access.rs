//! Who may make which call, walked over the description: a running server does what each call says of itself.
//!
//! That the description has each call is proved beside the handlers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, TestServer, fill};
use crate::openapi::DOCUMENT;

/// Calls whose subject decides who may make them: without one, whoever may not is told that there is none.
fn goes_by_its_subject(operation: &Value) -> bool {
    let parameters = operation["parameters"].as_array();
    !parameters.into_iter().flatten().any(|parameter| parameter["$ref"] == "#/components/parameters/Tenant")
}

#[test]
fn a_viewer_is_refused_what_its_role_does_not_allow() {
    let server = TestServer::start();
    let admin = server.api();
    fill(&admin);
    let user = json!({ "username": "vera", "password": "vera-vera-vera", "role": "default" });
    admin.put("users", &user).expect(201);
    let member = json!({ "username": "vera", "tenant_name": "default_tenant", "role": "viewer" });
    admin.put("tenants/users", &member).expect_status(200);
    let vera = Api::new(server.port()).token(&token(&server, "vera", "vera-vera-vera"));

    let document = admin.get(DOCUMENT).expect(200);
    let mut refused = 0;
    let mut wrong = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "servers") {
            let is_allowed = operation["x-permission"].is_null()
                || operation["x-is-everyones"] == true
                || operation["x-least-tenant-role"] == "viewer";
            if is_allowed {
                continue;
            }
            let url = if item.get("servers").is_some() { path.clone() } else { format!("/api/v3.1{path}") };
            let url = url.replace(['{', '}'], "x");
            let request = vera.request(method.to_uppercase().parse::<Method>().unwrap(), &url);
            // The example names a subject where the body does.
            let content = operation["requestBody"]["content"].as_object().into_iter().flatten();
            let example = content.map(|(_, media)| &media["example"]).find(|example| example.is_object());
            let status = vera.send(request.json(example.unwrap_or(&json!({})))).status;
            let is_right = status == 403 || status == 404 && goes_by_its_subject(operation);
            if is_right {
                refused += 1;
            } else {
                wrong.push(format!("{method} {url} by a viewer: {status}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > 60, "the description has lost its permissions: {refused}");
}

/// A token of a user, so that no password has to be hashed for each call.
pub fn token(server: &TestServer, user: &str, password: &str) -> String {
    let login = Api::new(server.port()).login(user, password);
    login.post("tokens", &json!({})).expect(200)["value"].as_str().unwrap().to_owned()
}
