//! Maintenance mode: what goes on in it, what waits for it, and what it outlives.

use serde_json::{Value, json};

use crate::harness::{Api, TestServer, eventually, fill};
use crate::rules_restore::{DEPLOYMENT as FERRY, add_ferry};

const DOCUMENT: &str = "/service/openapi.json";

/// A call of the API's description, with something in each part of its path.
fn url(path: &str, item: &Value) -> String {
    let mut url = String::new();
    for part in path.split('/').skip(1) {
        url.push('/');
        url.push_str(if part.starts_with('{') { "nothing" } else { part });
    }
    if item.get("servers").is_some() || path.starts_with("/service") {
        url
    } else {
        format!("/api/v3.1{url}")
    }
}

/// Asks all calls of the API's description, and tells which are refused with `code` though it is not described, or the
/// other way round.
fn walk(api: &Api, code: &str, refused: &[&str]) -> Vec<String> {
    let document = api.get(DOCUMENT).expect(200);
    let mut wrong = Vec::new();
    let mut count = (0, 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            // These would end what is tried, or not end themselves.
            let is_left_out =
                ["/maintenance/deactivate", "/service/rollback", "/audit/stream"].contains(&path.as_str());
            if method == "servers" || is_left_out {
                continue;
            }
            let word = operation["x-maintenance"].as_str().unwrap();
            let expected = refused.contains(&word);
            let request = api.request(method.to_uppercase().parse().unwrap(), &url(path, item));
            let reply = api.send(request);
            let is_refused = reply.status == 503
                && (method == "head"
                    || reply.text().contains(code)
                    || reply.text().contains("Cloudify manager is currently"));
            let documented = operation["responses"].get("503").is_some();
            if is_refused != expected || (expected && !documented) || reply.status == 500 {
                wrong.push(format!("{method} {path}: {word}, answers {} {}", reply.status, reply.text()));
            }
            if expected { count.0 += 1 } else { count.1 += 1 }
        }
    }
    assert!(count.0 > 5 && count.1 > 40, "{count:?}");
    wrong
}

fn wait_until_activated(api: &Api) {
    eventually("maintenance begins", 20, || {
        (api.get("maintenance").expect(200)["status"] == "activated").then_some(())
    });
}

#[test]
fn maintenance_does_to_every_call_what_the_description_says() {
    let server = TestServer::start();
    let (api, cfy) = (server.api(), server.cfy());
    fill(&api);
    cfy.run(&["maintenance-mode", "deactivate"]).refused(&["Nothing to modify"]);
    cfy.run(&["maintenance-mode", "activate", "--wait"]).success().says(&["Manager is in maintenance mode."]);
    cfy.run(&["maintenance-mode", "activate"]).refused(&["Nothing to modify"]);
    cfy.run(&["maintenance-mode", "status"]).success().says(&["activated", "Requested By:\tadmin"]);
    cfy.run(&["status"]).success().says(&["Maintenance mode is activated."]);
    cfy.run(&["blueprints", "list"]).refused(&["maintenance mode"]);
    cfy.run(&["snapshots", "list"]).success();
    let wrong = walk(
        &api,
        "maintenance_mode_active",
        &["refused when activated", "refused while activating and when activated"],
    );
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(api.get("no/such/path").status, 404, "what there is not is not in maintenance");

    // Flows and charts are read on, in the errors of their own.
    assert_eq!(api.get("/v2/flows?workspace_id=default_tenant").status, 200);
    let refused = api.post("/v2/flows", &json!({}));
    assert_eq!(
        (refused.status, refused.json()["errors"][0]["code"].as_str()),
        (503, Some("MaintenanceModeActive"))
    );
    assert_eq!(api.get("/v1/spaces").status, 200);
    let refused = api.post("/v1/measurements", &json!({}));
    assert!(refused.status == 503 && refused.json()["errors"]["request"].is_array(), "{}", refused.text());

    // Who may, gets around it.
    let ada = json!({ "username": "ada", "password": "ada-password-1" });
    api.put("users", &ada).expect(201);
    let bypass = |api: &Api| {
        let request =
            api.request("PUT".parse().unwrap(), "secrets/oil").header("X-BYPASS-MAINTENANCE", "True");
        api.send(request.json(&json!({ "value": "of whales" })))
    };
    bypass(&api).expect(200);
    let member = json!({ "username": "ada", "tenant_name": "default_tenant", "role": "manager" });
    let request = api.request("PUT".parse().unwrap(), "tenants/users").header("X-BYPASS-MAINTENANCE", "true");
    api.send(request.json(&member)).expect(200);
    bypass(&Api::new(server.port()).login("ada", "ada-password-1"))
        .expect_error(503, "maintenance_mode_active");

    cfy.run(&["maintenance-mode", "deactivate"]).success();
    assert_eq!(api.get("secrets").items().len(), 2);
    let audit: Vec<Value> =
        api.get("maintenance").expect(200)["status"].as_str().map(Value::from).into_iter().collect();
    assert_eq!(audit, [json!("deactivated")]);
}

#[test]
fn maintenance_waits_for_what_runs_and_keeps_waiting_what_is_queued() {
    let mut server = TestServer::builder().holding("create:publishing").start();
    let (api, cfy) = (server.api(), server.cfy());
    fill(&api);
    let running = api.put("snapshots/nightly", &json!({})).expect(201);
    let queued = api.put("snapshots/later", &json!({ "queue": true })).expect(201);
    assert_eq!(queued["status"], "queued", "{queued:#}");
    let asked = api.post("maintenance/activate", &json!({})).expect(200);
    assert_eq!(asked["status"], "activating", "{asked:#}");
    assert_eq!(asked["remaining_executions"][0]["id"], running["id"]);
    assert_eq!(asked["remaining_executions"].as_array().unwrap().len(), 1);
    cfy.run(&["maintenance-mode", "status", "-v"]).success().says(&["activating", "create_snapshot"]);
    let wrong = walk(
        &api,
        "entering_maintenance_mode",
        &["refused while activating", "refused while activating and when activated"],
    );
    assert_eq!(wrong, Vec::<String>::new());
    cfy.run(&["snapshots", "create", "another"]).refused(&["entering maintenance mode"]);
    api.put("secrets/oil", &json!({ "value": "of whales" })).expect(200);

    server.release();
    api.wait_for_end(&running);
    wait_until_activated(&api);
    // The service's own work goes on in maintenance, deployments' does not.
    assert_eq!(api.wait_for_end(&queued)["status"], "terminated");
    api.put("secrets/oil", &json!({ "value": "x" })).expect_error(503, "maintenance_mode_active");

    server.terminate();
    server.restart();
    let api = server.api();
    let shown = api.get("maintenance").expect(200);
    assert_eq!((&shown["status"], &shown["requested_by"]), (&json!("activated"), &json!("admin")));
    api.get("blueprints").expect_error(503, "maintenance_mode_active");
    let restored = api.restore_snapshot("nightly", &json!({ "force": true }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    assert_eq!(api.get("maintenance").expect(200)["status"], "activated", "a restore does not end it");
    api.post("maintenance/deactivate", &json!({})).expect(200);
    assert_eq!(api.get("blueprints").items().len(), 1);
}

#[test]
fn queued_executions_of_deployments_run_when_maintenance_ends() {
    let server = TestServer::start();
    let api = server.api();
    add_ferry(&api);
    api.post("maintenance/activate", &json!({})).expect(200);
    wait_until_activated(&api);
    let body = json!({ "deployment_id": FERRY, "workflow_id": "install" });
    api.post("executions", &body).expect_error(503, "maintenance_mode_active");
    let request = api.request("POST".parse().unwrap(), "executions").header("X-BYPASS-MAINTENANCE", "true");
    let started = api.send(request.json(&body)).expect(201);
    // Two looks of the scheduler, the second of which is woken by an execution that it runs.
    api.create_snapshot("nightly", &json!({}));
    assert_eq!(
        api.get(&format!("executions/{}", started["id"].as_str().unwrap())).expect(200)["status"],
        "pending"
    );
    api.post("maintenance/deactivate", &json!({})).expect(200);
    assert_eq!(api.wait_for_end(&started)["status"], "terminated");
}
