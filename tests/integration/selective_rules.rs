//! Selective restores beside what else there is: sealed parts, what runs, what other managers have.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, TestServer, changes, document, dump, fails, fill, lifeboat, write_zip};

const BOAT: &str = "\
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  key: {}
node_types:
  boat.nodes.Hull:
    derived_from: cloudify.nodes.Root
    properties:
      lock: { default: {} }
node_templates:
  hull:
    type: boat.nodes.Hull
    properties:
      lock: { key: { get_input: key } }
";

fn private_key() -> String {
    "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----\n".to_owned()
}

/// A deployment whose properties hold a key, of a blueprint whose archive holds one, with an agent that has one.
fn add_boat(api: &Api) {
    let archive =
        write_zip(&[("boat/boat.yaml", BOAT.as_bytes()), ("boat/id_rsa", private_key().as_bytes())]);
    let upload = api.request(Method::PUT, "blueprints/boat?application_file_name=boat.yaml").body(archive);
    assert_eq!(api.send(upload).expect(201)["state"], "uploaded");
    let body = json!({ "blueprint_id": "boat", "inputs": { "key": private_key() } });
    api.put("deployments/boat", &body).expect(201);
    let made = api.get("executions?deployment_id=boat&_include_system_workflows=true").items().remove(0);
    assert_eq!(api.wait_for_end(&made)["status"], "terminated");
    let instance = api.get("node-instances?deployment_id=boat").items()[0]["id"].clone();
    let agent = json!({ "node_instance_id": instance, "rabbitmq_password": "p", "ip": "10.0.0.7" });
    api.put("agents/keeper", &agent).expect(200);
    let request = api.request(Method::PUT, "agents/keeper/key-file").body(private_key());
    api.send(request).expect(200);
}

fn properties(api: &Api) -> Value {
    api.get("nodes?deployment_id=boat").items().remove(0)["properties"].clone()
}

fn generations(server: &TestServer) -> usize {
    server.files_in("manager").iter().filter(|name| name.starts_with("generation-")).count()
}

#[test]
fn what_is_sealed_comes_with_the_selection() {
    let first = TestServer::start();
    add_boat(&first.api());
    first.api().create_snapshot("nightly", &json!({ "include_credentials": true }));
    let second = TestServer::builder().opening_archives_of(&first).start();
    let api = second.api();
    fill(&api);
    api.send_archive("nightly", &first.api().archive("nightly")).expect(201);
    let before = dump(&api, "before");

    let select = json!({ "ids": ["agents/default_tenant/keeper"] });
    let refused = api.restore_snapshot("nightly", &json!({ "select": select }));
    assert_eq!(refused["status"], "failed");
    for name in [
        "node_instances/default_tenant/hull_",
        "deployments/default_tenant/boat",
        "blueprints/default_tenant/boat",
    ] {
        assert!(refused["error"].as_str().unwrap().contains(name), "{}", refused["error"]);
    }
    let ended = api.restore_snapshot("nightly", &json!({ "select": select, "dependencies": "include" }));
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    assert_eq!(properties(&api), properties(&first.api()));
    assert_eq!(properties(&api)["lock"]["key"], private_key());
    assert_eq!(api.get("agents/keeper/key-file").body, private_key().into_bytes());
    let archive = |api: &Api| api.get("blueprints/boat/archive").body;
    assert_eq!(archive(&api), archive(&first.api()));
    let along = ended["report"]["selected"]["taken_along"].as_array().unwrap();
    assert!(along.contains(&json!("deployments/default_tenant/boat")), "{along:?}");
    let after = dump(&api, "after");
    for (name, entity) in &before {
        assert_eq!(after.get(name), Some(entity), "{name} stays");
    }
    assert_eq!(ended["report"]["environments"]["deployments"], 1, "only that of what came: {ended:#}");
}

#[test]
fn values_that_the_archive_does_not_carry_stay() {
    let server = TestServer::start();
    let api = server.api();
    add_boat(&api);
    api.create_snapshot("nightly", &json!({ "include_credentials": false }));
    let same = api.restore_snapshot("nightly", &json!({ "select": { "kinds": ["agents"] } }));
    assert_eq!(same["status"], "terminated", "what is not carried is no difference: {same:#}");
    api.patch("agents/keeper", &json!({ "state": "stopped" })).expect(200);
    let ended = api.restore_snapshot("nightly", &json!({ "select": { "kinds": ["agents"] }, "force": true }));
    assert_eq!(ended["report"]["selected"]["replaced"], json!({ "agents": 1 }), "{ended:#}");
    assert_ne!(api.get("agents/keeper").expect(200)["state"], "stopped");
    assert_eq!(api.get("agents/keeper/key-file").body, private_key().into_bytes());
}

#[test]
fn sites_and_filters_come_with_what_needs_them_and_those_of_the_system_are_nobodys() {
    let server = TestServer::start();
    let api = server.api();
    add_boat(&api);
    api.put("sites/harbour", &json!({ "location": "50.0,4.0" })).expect(200);
    let site = json!({ "site_name": "harbour", "detach_site": false });
    api.post("deployments/boat/set-site", &site).expect(200);
    let rule = json!({ "key": "a", "values": ["b"], "operator": "any_of", "type": "label" });
    api.put("filters/deployments/mine", &json!({ "filter_rules": [rule] })).expect(200);
    api.create_snapshot("nightly", &json!({}));
    let before = dump(&api, "before");
    api.delete("filters/deployments/mine").expect_status(204);
    api.delete("deployments/boat?force=true").expect(200);
    crate::harness::eventually("the deployment is gone", 30, || {
        api.get("deployments").items().is_empty().then_some(())
    });
    api.delete("sites/harbour").expect_status(204);

    let restore = |select: Value, more: &str| {
        api.restore_snapshot("nightly", &json!({ "select": select, "dependencies": more }))
    };
    let filters = restore(json!({ "kinds": ["deployments_filters"] }), "refuse");
    assert_eq!(filters["report"]["selected"]["added"], json!({ "deployments_filters": 1 }), "{filters:#}");
    let select = json!({ "kinds": ["deployments"] });
    let refused = restore(select.clone(), "refuse");
    assert!(refused["error"].as_str().unwrap().contains("sites/default_tenant/harbour"), "{refused:#}");
    assert_eq!(restore(select, "include")["status"], "terminated");
    let after = dump(&api, "after");
    let left: Vec<String> = changes(&before, &after)
        .into_iter()
        .filter(|name| !name.starts_with("executions/") && !name.starts_with("events/"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "all is back");
}

#[test]
fn it_conflicts_with_what_is_active_and_can_be_cancelled_without_a_trace() {
    let server = TestServer::builder().holding("workflow:running").holding("restore:selected").start();
    let api = server.api();
    add_boat(&api);
    api.create_snapshot("nightly", &json!({}));
    let install =
        api.post("executions", &json!({ "deployment_id": "boat", "workflow_id": "install" })).expect(201);
    api.wait_for_status(&install, "started");
    let body = json!({ "select": { "kinds": ["blueprints"] } });
    api.post("snapshots/nightly/restore", &body).expect_error(400, "existing_running_execution_error");
    server.release();
    api.wait_for_end(&install);

    server.hold();
    let before = dump(&api, "before");
    let body = json!({ "force": true, "select": { "kinds": ["deployments"] } });
    let restore = api.post("snapshots/nightly/restore", &body).expect(200);
    let path = format!("executions/{}", restore["id"].as_str().unwrap());
    crate::harness::eventually("it is staged", 30, || (generations(&server) == 3).then_some(()));
    api.put("secrets/x", &json!({ "value": "x" })).expect_error(503, "maintenance_mode_active");
    api.post(&path, &json!({ "action": "cancel" })).expect(200);
    assert_eq!(api.wait_for_end(&restore)["status"], "cancelled");
    assert_eq!(generations(&server), 1);
    server.release();
    assert_eq!(changes(&before, &dump(&api, "after")), Vec::<String>::new());
}

#[test]
fn a_dry_run_reports_what_would_be_and_changes_nothing() {
    let server = TestServer::start();
    let api = server.api();
    add_boat(&api);
    api.create_snapshot("nightly", &json!({ "include_credentials": true }));
    api.delete("deployments/boat?force=true").expect(200);
    crate::harness::eventually("the deployment is gone", 30, || {
        api.get("deployments").items().is_empty().then_some(())
    });
    let before = dump(&api, "before");
    let restore = ["snapshot", "restore", "nightly", "--wait", "--dry-run", "--kind", "deployments"];
    let ended = document(&server, &restore);
    assert_eq!(ended["report"]["dry_run"], true, "{ended:#}");
    assert_eq!(ended["report"]["selected"]["added"]["deployments"], 1, "{ended:#}");
    assert_eq!(changes(&before, &dump(&api, "after")), Vec::<String>::new());
    assert_eq!(generations(&server), 1);
    fails(lifeboat(&server, &["snapshot", "restore", "nightly", "--dry-run"]), 2, &["snapshot plan"]);
    api.post("snapshots/nightly/restore", &json!({ "dry_run": true }))
        .expect_error(400, "bad_parameters_error");
    api.post("/service/rollback", &json!({})).expect(200);
}
