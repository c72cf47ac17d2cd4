//! Updates of plugins beside what else happens: other tenants, a cancel, a snapshot in their midst.

use serde_json::{Value, json};

use crate::harness::{Api, TestServer, deploy, lamps, read_state, upload_text};

/// A server on which an update waits after it has brought the first deployment to the later plugin.
fn in_its_midst() -> (TestServer, Value) {
    let server = TestServer::builder().holding("update_plugin:updated").start();
    let api = server.api();
    lamps(&api, "lamp", 2);
    let update = initiate(&api, &json!({ "all_to_latest": true }));
    server.wait_until_held("update_plugin:updated");
    (server, update)
}

fn initiate(api: &Api, options: &Value) -> Value {
    api.post("plugins-updates/lamp/update/initiate", options).expect(200)
}

fn ended(api: &Api, update: &Value) -> Value {
    api.wait_for_end(&json!({ "id": update["execution_id"] }))
}

/// Which plugin made the lamp of a deployment, and which blueprint it follows.
fn lamp(api: &Api, deployment: &str) -> (Value, Value) {
    let node = api.get(&format!("nodes?deployment_id={deployment}")).items().remove(0);
    assert_eq!(node["plugins"][0]["package_version"], node["properties"]["made_by"]);
    let deployment = api.get(&format!("deployments/{deployment}")).expect(200);
    (node["properties"]["made_by"].clone(), deployment["blueprint_id"].clone())
}

#[test]
fn deployments_in_other_tenants_are_updated_where_that_is_asked_for_and_allowed() {
    let server = TestServer::start();
    let api = server.api();
    lamps(&api, "lamp", 1);
    let global = json!({ "visibility": "global" });
    for plugin in api.get("plugins").items() {
        let id = plugin["id"].as_str().unwrap();
        api.patch(&format!("plugins/{id}/set-visibility"), &global).expect(200);
    }
    api.patch("blueprints/lamp/set-visibility", &global).expect(200);
    api.post("tenants/north", &json!({})).expect(201);
    let north = api.clone().tenant("north");
    let made = north.put("deployments/northern", &json!({ "blueprint_id": "lamp" })).expect(201);
    north.wait_for_end(&json!({ "id": made["create_execution"] }));

    // Who may update here may not update there.
    let user = json!({ "username": "jo", "password": "password-123", "role": "default" });
    api.put("users", &user).expect(201);
    for (tenant, role) in [("default_tenant", "manager"), ("north", "viewer")] {
        let member = json!({ "tenant_name": tenant, "username": "jo", "role": role });
        api.put("tenants/users", &member).expect(200);
    }
    let jo = Api::new(server.port()).login("jo", "password-123");
    let all = json!({ "all_to_latest": true, "all_tenants": true });
    jo.post("plugins-updates/lamp/update/initiate", &all).expect_error(403, "forbidden_error");
    assert_eq!(api.get("plugins-updates").items().len(), 0, "nothing is left of a refusal");

    let update = initiate(&api, &all);
    assert_eq!(update["all_tenants"], true);
    let covered = json!({ "default_tenant": ["lamp-0"], "north": ["northern"] });
    assert_eq!(update["deployments_per_tenant"], covered, "{update:#}");
    assert_eq!(ended(&api, &update)["status"], "terminated");
    let latest = (json!("2.0.0"), json!("lamp"));
    assert_eq!((lamp(&api, "lamp-0"), lamp(&north, "northern")), (latest.clone(), latest));
    assert_eq!(north.get("deployment-updates").items().len(), 1);

    // Without that, those of the tenant are, and no other.
    let mapping =
        json!({ "updates": [{ "plugin:lamp": { "plugin_name": "lamp", "suggested_version": "1.0.0" } }] });
    let update = initiate(&api, &json!({ "mapping": mapping }));
    assert_eq!(update["deployments_to_update"], json!(["lamp-0"]), "{update:#}");
    assert_eq!(ended(&api, &update)["status"], "terminated");
    assert_eq!(lamp(&api, "lamp-0"), (json!("1.0.0"), json!("lamp")));
    assert_eq!(lamp(&north, "northern"), (json!("2.0.0"), json!("lamp")));
}

#[test]
fn an_update_that_is_cancelled_leaves_a_copy_for_those_that_have_come_that_far() {
    let (server, update) = in_its_midst();
    let api = server.api();
    let path = format!("executions/{}", update["execution_id"].as_str().unwrap());
    let body = json!({ "deployment_id": null, "action": "cancel" });
    api.post(&path, &body).expect(200);
    server.release();
    assert_eq!(ended(&api, &update)["status"], "cancelled");
    let update = api.get(&format!("plugins-updates/{}", update["id"].as_str().unwrap())).expect(200);
    assert_eq!(update["state"], "failed", "{update:#}");
    let copy = update["temp_blueprint_id"].clone();
    let shown = api.get(&format!("blueprints/{}", copy.as_str().unwrap())).expect(200);
    assert_eq!(shown["is_hidden"], false);
    assert_eq!(lamp(&api, "lamp-0"), (json!("2.0.0"), copy));
    assert_eq!(lamp(&api, "lamp-1"), (json!("1.0.0"), json!("lamp")));

    // Another one brings the rest.
    let again = initiate(&api, &json!({ "all_to_latest": true }));
    assert_eq!(again["deployments_to_update"], json!(["lamp-1"]), "{again:#}");
    assert_eq!(ended(&api, &again)["status"], "terminated");
    assert_eq!(lamp(&api, "lamp-1"), (json!("2.0.0"), json!("lamp")));
}

#[test]
fn what_a_snapshot_caught_in_the_midst_of_an_update_comes_back_as_one_that_failed() {
    let (first, update) = in_its_midst();
    let api = first.api();
    let created = api.create_snapshot("midst", &json!({ "include_credentials": true }));
    assert_eq!(created["status"], "terminated", "{created:#}");
    let archive = api.archive("midst");

    let second = TestServer::builder().opening_archives_of(&first).start();
    let other = second.api();
    other.send_archive("midst", &archive).expect(201);
    let restored = other.restore_snapshot("midst", &json!({ "recreate_deployments_envs": false }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    let caught = other.get(&format!("plugins-updates/{}", update["id"].as_str().unwrap())).expect(200);
    assert_eq!(caught["state"], "failed", "{caught:#}");
    let copy = update["temp_blueprint_id"].clone();
    assert_eq!(caught["temp_blueprint_id"], copy);
    assert_eq!(other.get(&format!("blueprints/{}", copy.as_str().unwrap())).expect(200)["is_hidden"], false);
    assert_eq!(lamp(&other, "lamp-0"), (json!("2.0.0"), copy));
    assert_eq!(lamp(&other, "lamp-1"), (json!("1.0.0"), json!("lamp")));
    // Nothing carries it on, and nothing stands in the way of the next one.
    let again = initiate(&other, &json!({ "all_to_latest": true }));
    assert_eq!(ended(&other, &again)["status"], "terminated");
    assert_eq!(lamp(&other, "lamp-1"), (json!("2.0.0"), json!("lamp")));
    // What was restored is carried on like any other state.
    other.create_snapshot("later", &json!({ "include_credentials": true }));
    let state = read_state(&other);
    let restored =
        other.restore_snapshot("later", &json!({ "force": true, "recreate_deployments_envs": false }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    read_state(&other).assert_is(&state, "restored again");

    // Where it began, it goes on to its end.
    first.release();
    assert_eq!(ended(&api, &update)["status"], "terminated");
    assert_eq!(lamp(&api, "lamp-1"), (json!("2.0.0"), json!("lamp")));
}

#[test]
fn a_copy_that_only_deployments_of_another_tenant_have_come_to_stays_for_them() {
    let server = TestServer::builder().holding("update_plugin:updated").start();
    let api = server.api();
    lamps(&api, "lamp", 0);
    let global = json!({ "visibility": "global" });
    for plugin in api.get("plugins").items() {
        let id = plugin["id"].as_str().unwrap();
        api.patch(&format!("plugins/{id}/set-visibility"), &global).expect(200);
    }
    api.patch("blueprints/lamp/set-visibility", &global).expect(200);
    api.post("tenants/north", &json!({})).expect(201);
    let north = api.clone().tenant("north");
    deploy(&north, "lamp", "northern");
    deploy(&api, "lamp", "here");
    let update = initiate(&api, &json!({ "all_to_latest": true, "all_tenants": true }));
    server.wait_until_held("update_plugin:updated");
    let path = format!("executions/{}", update["execution_id"].as_str().unwrap());
    api.post(&path, &json!({ "action": "cancel" })).expect(200);
    server.release();
    assert_eq!(ended(&api, &update)["status"], "cancelled");
    let copy = update["temp_blueprint_id"].clone();
    assert_eq!(lamp(&north, "northern"), (json!("2.0.0"), copy.clone()));
    assert_eq!(lamp(&api, "here"), (json!("1.0.0"), json!("lamp")));
    let shown = api.get(&format!("blueprints/{}", copy.as_str().unwrap())).expect(200);
    assert_eq!((&shown["is_hidden"], &shown["visibility"]), (&json!(false), &json!("global")));
}

#[test]
fn a_deployment_that_comes_to_the_blueprint_in_the_midst_of_an_update_is_updated_with_it() {
    let server = TestServer::builder().holding("update_plugin:updated").start();
    let api = server.api();
    lamps(&api, "lamp", 0);
    let other = "tosca_definitions_version: cloudify_dsl_1_4\n\
        imports: [cloudify/types/types.yaml, 'plugin:lamp?version=1.0.0']\n\
        node_templates:\n  lamp: { type: lamp.nodes.Lamp }\n";
    upload_text(&api, "other", other);
    // Older than the one that the update begins with, so that it has been passed by.
    deploy(&api, "other", "early");
    deploy(&api, "lamp", "late");
    let update = initiate(&api, &json!({ "all_to_latest": true }));
    server.wait_until_held("update_plugin:updated");
    let body = json!({ "blueprint_id": "lamp", "skip_install": true, "skip_uninstall": true });
    let moved = api.post("deployment-updates/early/update/initiate", &body).expect(200);
    assert_eq!(api.wait_for_end(&json!({ "id": moved["execution_id"] }))["status"], "terminated");
    assert_eq!(lamp(&api, "early"), (json!("1.0.0"), json!("lamp")));
    server.release();
    assert_eq!(ended(&api, &update)["status"], "terminated");
    for deployment in ["early", "late"] {
        assert_eq!(lamp(&api, deployment), (json!("2.0.0"), json!("lamp")), "{deployment}");
    }
}

#[test]
fn a_cancel_comes_too_late_once_all_have_come_that_far() {
    let server = TestServer::builder().holding("update_plugin:finalizing").start();
    let api = server.api();
    lamps(&api, "lamp", 1);
    let update = initiate(&api, &json!({ "all_to_latest": true }));
    server.wait_until_held("update_plugin:finalizing");
    let path = format!("executions/{}", update["execution_id"].as_str().unwrap());
    api.post(&path, &json!({ "action": "cancel" })).expect_error(400, "illegal_action_error");
    server.release();
    assert_eq!(ended(&api, &update)["status"], "terminated");
    assert_eq!(lamp(&api, "lamp-0"), (json!("2.0.0"), json!("lamp")));
}
