//! Deployment modifications, by the real clients: what comes and goes, what is refused, what snapshots carry.

use serde_json::{Value, json};

use crate::harness::{
    ADMIN_PASSWORD, Api, Finished, TestServer, add_member, assert_hidden, deploy, python_common,
    python_rest_client, script, upload_text,
};

const SHIP: &str = "\
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  hull: { type: cloudify.nodes.Compute }
  lamp:
    type: cloudify.nodes.Root
    relationships:
      - { type: cloudify.relationships.contained_in, target: hull }
      - { type: cloudify.relationships.connected_to, target: harbour }
  harbour: { type: cloudify.nodes.Root }
  sail:
    type: cloudify.nodes.Root
    relationships: [{ type: cloudify.relationships.connected_to, target: mast }]
  mast: { type: cloudify.nodes.Root }
groups: { rig: { members: [sail, mast] } }
policies:
  rigs: { type: cloudify.policies.scaling, properties: { default_instances: 2 }, targets: [rig] }
";

/// A manager with the deployment `ship`.
fn afloat() -> TestServer {
    let server = TestServer::start();
    let api = server.api();
    upload_text(&api, "ship", SHIP);
    deploy(&api, "ship", "ship");
    server
}

fn start(api: &Api, nodes: &Value) -> Value {
    let body = json!({ "deployment_id": "ship", "nodes": nodes, "context": { "why": "storm" } });
    api.post("deployment-modifications", &body).expect(201)
}

fn end(api: &Api, modification: &Value, how: &str) -> Value {
    let id = modification["id"].as_str().unwrap();
    api.post(&format!("deployment-modifications/{id}/{how}"), &json!({})).expect(200)
}

fn instances(api: &Api) -> Vec<Value> {
    let mut items = api.get("node-instances?deployment_id=ship").items();
    items.sort_by_key(|item| item["id"].to_string());
    items
}

fn of<'a>(instances: &'a [Value], node: &str) -> Vec<&'a str> {
    let own = instances.iter().filter(|instance| instance["node_id"] == node);
    own.map(|instance| instance["id"].as_str().unwrap()).collect()
}

fn tell(client: fn(&[&str]) -> Finished) {
    let server = afloat();
    let port = server.port().to_string();
    client(&[&script("modifications.py"), "--port", &port, "--password", ADMIN_PASSWORD])
        .success()
        .says(&["the story held"]);
    server
        .cfy()
        .run(&["deployments", "modifications", "list", "ship"])
        .success()
        .says(&["finished", "rolledback"]);
}

#[test]
fn the_story_holds_with_cloudify_common() {
    tell(python_common);
}

#[test]
fn the_story_holds_with_the_old_rest_client() {
    tell(python_rest_client);
}

#[test]
fn what_cannot_be_modified_is_refused_and_changes_nothing() {
    let server = afloat();
    let api = server.api();
    let before = instances(&api);
    for (body, status, code, words) in [
        (json!({}), 400, "bad_parameters_error", "deployment_id"),
        (json!({ "deployment_id": "boat" }), 404, "not_found_error", "boat"),
        (json!({ "deployment_id": "ship", "nodes": ["hull"] }), 400, "bad_parameters_error", "nodes"),
        (
            json!({ "deployment_id": "ship", "nodes": { "keel": { "instances": 2 } } }),
            404,
            "not_found_error",
            "keel",
        ),
        (
            json!({ "deployment_id": "ship", "nodes": { "hull": {} } }),
            400,
            "bad_parameters_error",
            "nodes.hull.instances",
        ),
        (
            json!({ "deployment_id": "ship", "nodes": { "hull": 2 } }),
            400,
            "bad_parameters_error",
            "nodes.hull.instances",
        ),
        (
            json!({ "deployment_id": "ship", "nodes": { "hull": { "instances": -1 } } }),
            400,
            "bad_parameters_error",
            "got -1",
        ),
        (
            json!({ "deployment_id": "ship", "nodes": { "hull": { "instances": 1, "removed_ids_include_hint": "x" } } }),
            400,
            "bad_parameters_error",
            "removed_ids_include_hint",
        ),
        (
            json!({ "deployment_id": "ship", "nodes": { "hull": { "instances": 1_000_000_000_000_u64 } } }),
            400,
            "bad_parameters_error",
            "more than 10000 instances",
        ),
    ] {
        let message = api.post("deployment-modifications", &body).expect_error(status, code);
        assert!(message.contains(words), "{body}: {message}");
    }
    let vera = add_member(&server, "vera", "default_tenant", "viewer");
    let body = json!({ "deployment_id": "ship", "nodes": {} });
    vera.post("deployment-modifications", &body).expect_error(403, "forbidden_error");
    api.post("deployment-modifications/none/finish", &json!({})).expect_error(404, "not_found_error");
    assert_eq!(api.get("deployment-modifications").items(), Vec::<Value>::new());
    assert_eq!(instances(&api), before);

    let started = start(&api, &json!({ "hull": { "instances": 2 } }));
    let id = started["id"].as_str().unwrap();
    let message = api
        .post("deployment-modifications", &body)
        .expect_error(400, "existing_started_deployment_modification_error");
    assert!(message.contains(id), "{message}");
    vera.get(&format!("deployment-modifications/{id}")).expect(200);
    for how in ["finish", "rollback"] {
        vera.post(&format!("deployment-modifications/{id}/{how}"), &json!({}))
            .expect_error(403, "forbidden_error");
    }
    let finished = end(&api, &started, "finish");
    assert!(finished["ended_at"].is_string(), "{finished:#}");
    for how in ["finish", "rollback"] {
        let message = api
            .post(&format!("deployment-modifications/{id}/{how}"), &json!({}))
            .expect_error(400, "deployment_modification_already_ended_error");
        assert!(message.contains("already in finished status"), "{message}");
    }
}

#[test]
fn a_rollback_brings_back_what_was_and_keeps_agents() {
    let server = afloat();
    let api = server.api();
    let before = instances(&api);
    let hull = of(&before, "hull")[0].to_owned();
    let agent = json!({ "node_instance_id": hull, "state": "started", "rabbitmq_password": "hush" });
    api.put("agents/mate", &agent).expect(200);
    api.send(api.request(reqwest::Method::PUT, "agents/mate/key-file").body("a key")).expect_status(200);

    let started = start(&api, &json!({ "harbour": { "instances": 3 }, "rig": { "instances": 1 } }));
    let lamp = of(&before, "lamp")[0].to_owned();
    let change = json!({ "version": 2, "state": "started", "runtime_properties": { "lit": true } });
    api.patch(&format!("node-instances/{lamp}"), &change).expect(200);
    assert_ne!(instances(&api), before);
    let undone = end(&api, &started, "rollback");
    assert_eq!(undone["status"], "rolledback");
    let lit = undone["node_instances"]["before_rollback"].as_array().unwrap();
    assert!(lit.iter().any(|instance| instance["runtime_properties"]["lit"] == true), "{undone:#}");
    assert_eq!(instances(&api), before);
    let deployment = api.get("deployments/ship").expect(200);
    let numbers = &deployment["scaling_groups"]["rig"]["properties"];
    assert_eq!((&numbers["planned_instances"], &numbers["current_instances"]), (&json!(2), &json!(2)));
    assert_eq!(api.get("agents/mate/key-file").text(), "a key");

    // What goes takes its agent along, at the end and not before.
    let started = start(&api, &json!({ "hull": { "instances": 0 } }));
    assert_eq!(api.get("agents").items().len(), 1);
    end(&api, &started, "finish");
    assert_eq!(api.get("agents").items(), Vec::<Value>::new());
    assert_eq!(of(&instances(&api), "lamp"), Vec::<&str>::new());
}

#[test]
fn a_snapshot_carries_modifications_and_they_go_on_where_it_is_restored() {
    const CANARY: &str = "canaryInTheHullsProperties5a";
    let first = afloat();
    let second = TestServer::builder().opening_archives_of(&first).start();
    let api = first.api();
    let hull = of(&instances(&api), "hull")[0].to_owned();
    let key = format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n");
    api.patch(
        &format!("node-instances/{hull}"),
        &json!({ "version": 1, "runtime_properties": { "key": key } }),
    )
    .expect(200);
    end(&api, &start(&api, &json!({ "harbour": { "instances": 2 } })), "rollback");
    let started = start(&api, &json!({ "hull": { "instances": 0 }, "rig": { "instances": 3 } }));
    let before = (instances(&api), api.get("deployment-modifications").items());
    assert!(started["node_instances"]["before_modification"].to_string().contains(CANARY));
    api.create_snapshot("storm", &json!({ "include_credentials": true }));
    assert_hidden(&api.archive("storm"), CANARY);

    // A comparison knows them, and a restore of the deployment brings its own.
    let same = crate::plan::plan(&api, "storm", &json!({ "force": true }));
    assert_eq!(same["totals"], json!({ "added": 0, "removed": 0, "changed": 0 }), "{same:#}");
    end(&api, &started, "finish");
    let changed = crate::plan::plan(&api, "storm", &json!({ "force": true }));
    assert_eq!(changed["kinds"]["deployment_modifications"]["changed"], 1, "{changed:#}");
    let select = json!({
        "select": { "kinds": ["deployments"], "ids": ["ship"] }, "force": true, "recreate_deployments_envs": false,
    });
    let restored = api.restore_snapshot("storm", &select);
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    assert_eq!((instances(&api), api.get("deployment-modifications").items()), before);

    let other = second.api();
    other.send_archive("storm", &api.archive("storm")).expect_status(201);
    let restored = other.restore_snapshot("storm", &json!({ "recreate_deployments_envs": false }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    assert_eq!((instances(&other), other.get("deployment-modifications").items()), before);
    let finished = end(&other, &started, "finish");
    assert_eq!(finished["status"], "finished");
    let left = instances(&other);
    assert_eq!((of(&left, "hull").len(), of(&left, "lamp").len(), of(&left, "sail").len()), (0, 0, 3));
}
