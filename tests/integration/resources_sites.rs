//! Sites, summaries, and that a snapshot carries sites, labels and filters.

use serde_json::{Value, json};

use crate::harness::{Api, BLUEPRINT, FERRY, TestServer, deploy, entries, fill, inventory, upload_text};

const TOWER: &str = "deployments/default_tenant-tower";

#[test]
fn deployments_follow_their_site() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    let site = api.put("sites/cape", &json!({ "location": "32.071072,34.787274" })).expect(200);
    assert_eq!(site["location"], "32.071072, 34.787274");
    assert_eq!(site["visibility"], "tenant");
    api.put("sites/cape", &json!({})).expect_error(409, "conflict_error");
    api.put("sites/0", &json!({})).expect_error(400, "bad_parameters_error");
    api.put("sites/dune", &json!({ "location": "north" })).expect_error(400, "bad_parameters_error");
    api.put("sites/dune", &json!({ "visibility": "private" })).expect(200);

    let set_site = |site: &str| api.post(&format!("{TOWER}/set-site"), &json!({ "site_name": site }));
    set_site("nowhere").expect_error(404, "not_found_error");
    set_site("dune").expect_error(400, "illegal_action_error");
    assert_eq!(set_site("cape").expect(200)["site_name"], "cape");
    let body = json!({ "blueprint_id": BLUEPRINT, "site_name": "nowhere" });
    api.put("deployments/second", &body).expect_error(404, "not_found_error");
    let body = json!({ "blueprint_id": BLUEPRINT, "site_name": "cape" });
    api.put("deployments/second", &body).expect(201);

    api.post("sites/cape", &json!({ "new_name": "dune" })).expect_error(409, "conflict_error");
    let renamed = api.post("sites/cape", &json!({ "new_name": "cliff", "location": "" })).expect(200);
    assert_eq!((&renamed["name"], &renamed["location"]), (&json!("cliff"), &Value::Null));
    assert_eq!(api.get(TOWER).expect(200)["site_name"], "cliff");
    api.get("sites/cape").expect_error(404, "not_found_error");
    api.patch(&format!("{TOWER}/set-visibility"), &json!({ "visibility": "global" }))
        .expect_error(400, "illegal_action_error");
    api.post("sites/cliff", &json!({ "visibility": "global" })).expect(200);
    api.post("sites/cliff", &json!({ "visibility": "tenant" })).expect_error(400, "illegal_action_error");

    // What is global has deployments of other tenants.
    let north = api.clone().tenant("north");
    let elsewhere = "deployments/north-tower";
    north.post(&format!("{elsewhere}/set-site"), &json!({ "site_name": "cliff" })).expect(200);
    north.delete("sites/cliff").expect_error(404, "not_found_error");
    api.post("sites/cliff", &json!({ "new_name": "cape" })).expect(200);
    assert_eq!(north.get(elsewhere).expect(200)["site_name"], "cape");
    api.post(&format!("{TOWER}/set-site"), &json!({ "detach_site": true })).expect(200);
    assert_eq!(api.get(TOWER).expect(200)["site_name"], Value::Null);
    api.delete("sites/cape").expect_status(204);
    assert_eq!(north.get(elsewhere).expect(200)["site_name"], Value::Null);
    assert_eq!(api.get("deployments/second").expect(200)["site_name"], Value::Null);
}

fn summary(api: &Api, query: &str) -> Value {
    api.get(&format!("summary/{query}")).expect(200)["items"].clone()
}

#[test]
fn entities_are_counted_by_one_field_or_two() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.put("sites/cape", &json!({})).expect(200);
    let body = json!({ "blueprint_id": BLUEPRINT, "site_name": "cape" });
    api.wait_for_end(&json!({ "id": api.put("deployments/second", &body).expect(201)["create_execution"] }));

    assert_eq!(
        summary(&api, "deployments?_target_field=site_name"),
        json!([{ "site_name": null, "deployments": 1 }, { "site_name": "cape", "deployments": 1 }])
    );
    let by_two =
        summary(&api, "deployments?_target_field=blueprint_id&_sub_field=site_name&_all_tenants=True");
    assert_eq!(
        by_two,
        json!([{
            "blueprint_id": BLUEPRINT, "deployments": 3,
            "by site_name": [{ "site_name": null, "deployments": 2 }, { "site_name": "cape", "deployments": 1 }],
        }])
    );
    assert_eq!(
        summary(&api, "blueprints?_target_field=visibility"),
        json!([{ "visibility": "tenant", "blueprints": 1 }])
    );
    assert_eq!(
        summary(&api, "nodes?_target_field=deployment_id"),
        json!([{ "deployment_id": "default_tenant-tower", "nodes": 2 }, { "deployment_id": "second", "nodes": 2 }])
    );
    assert_eq!(
        summary(&api, "node_instances?_target_field=node_id&_sub_field=state&deployment_id=second"),
        json!([
            { "node_id": "lamp", "node_instances": 2, "by state": [{ "state": "uninitialized", "node_instances": 2 }] },
            { "node_id": "tower", "node_instances": 1, "by state": [{ "state": "uninitialized", "node_instances": 1 }] },
        ])
    );
    api.create_snapshot("nightly", &json!({}));
    // The service may draw charts of its own meanwhile.
    let query = "executions?_target_field=workflow_id&workflow_id=create_deployment_environment&workflow_id=create_snapshot\
                 &workflow_id=upload_blueprint";
    let executions = summary(&api, query);
    assert_eq!(
        executions,
        json!([
            { "workflow_id": "create_deployment_environment", "executions": 2 },
            { "workflow_id": "create_snapshot", "executions": 1 },
            { "workflow_id": "upload_blueprint", "executions": 1 },
        ])
    );
    let page = api.get(&format!("summary/{query}&_size=1&_offset=1")).expect(200);
    assert_eq!(page["items"], json!([executions[1]]));
    assert_eq!(page["metadata"]["pagination"], json!({ "total": 3, "size": 1, "offset": 1 }));

    for (query, reason) in [
        (
            "deployments?_target_field=colour",
            "Field colour is not available for summary. Valid fields are: blueprint_id",
        ),
        ("deployments", "Field None is not available"),
        ("nodes?_target_field=visibility&_sub_field=site_name", "Field site_name is not available"),
        ("nodes?_target_field=visibility&colour=red", "Filter keys"),
    ] {
        let message = api.get(&format!("summary/{query}")).expect_error(400, "bad_parameters_error");
        assert!(message.contains(reason), "{message}");
    }
    api.get("summary/plugins?_target_field=visibility").expect_error(404, "not_found_error");
}

#[test]
fn schedules_are_counted_by_whether_they_come_again() {
    let server = TestServer::start();
    let api = server.api();
    upload_text(&api, "ferry", FERRY);
    deploy(&api, "ferry", "ferry");
    for (id, rule) in [
        ("daily", json!({ "recurrence": "1 day" })),
        ("weekly", json!({ "rrule": "FREQ=WEEKLY;COUNT=12" })),
        ("once", json!({ "count": 1 })),
        ("once-by-rule", json!({ "rrule": "FREQ=DAILY;COUNT=1" })),
    ] {
        let mut body = json!({ "workflow_id": "install", "since": "2100-01-01T00:00:00" });
        body.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
        api.put(&format!("execution-schedules/{id}?deployment_id=ferry"), &body).expect(201);
    }
    // As `cfy deployments schedule summary` asks.
    assert_eq!(
        summary(&api, "execution_schedules?_target_field=deployment_id&_sub_field=recurrence"),
        json!([{
            "deployment_id": "ferry", "execution_schedules": 4,
            "by recurrence": [
                { "recurrence": "recurring", "execution_schedules": 2 },
                { "recurrence": "single", "execution_schedules": 2 },
            ],
        }])
    );
    api.get("summary/execution_schedules?_target_field=recurrence").expect_error(400, "bad_parameters_error");
}

fn all(api: &Api) -> Value {
    let list = |path: &str| api.get(path).expect(200)["items"].clone();
    json!({
        "sites": list("sites"),
        "deployments": list("filters/deployments?is_system_filter=false"),
        "blueprints": list("filters/blueprints"),
        "labels": list("labels/deployments/env"),
    })
}

#[test]
fn sites_filters_and_labels_come_back_with_a_restore() {
    let first = TestServer::start();
    let api = first.api();
    fill(&api);
    for tenant in ["default_tenant", "north"] {
        let api = api.clone().tenant(tenant);
        api.put("sites/cape", &json!({ "location": "1.5,-2", "visibility": "tenant" })).expect(200);
        api.put("sites/dune", &json!({ "visibility": "private" })).expect(200);
        let rule = json!({ "key": "env", "values": ["prod"], "operator": "any_of", "type": "label" });
        api.put("filters/deployments/mine", &json!({ "filter_rules": [rule] })).expect(200);
        api.put("filters/blueprints/mine", &json!({ "filter_rules": [rule] })).expect(200);
        let tower = format!("deployments/{tenant}-tower");
        api.post(&format!("{tower}/set-site"), &json!({ "site_name": "cape" })).expect(200);
        api.patch(&tower, &json!({ "labels": [{ "env": "prod" }, { "env": "eu" }] })).expect(200);
    }
    api.create_snapshot("nightly", &json!({}));
    let archive = api.archive("nightly");
    let mut keys = Vec::new();
    for entry in entries(&archive).iter().filter(|entry| entry.name.starts_with("tenants/north/0")) {
        let envelope: Value = serde_json::from_slice(&entry.content).unwrap();
        let kind = envelope["type"].as_str().unwrap();
        if let Some(item) = envelope["items"].get(0).and_then(Value::as_object)
            && ["sites", "deployments_filters", "blueprints_filters"].contains(&kind)
        {
            keys.push(format!("{kind}: {}", item.keys().cloned().collect::<Vec<_>>().join(" ")));
        }
    }
    assert_eq!(
        keys,
        [
            "sites: name location visibility created_by created_at",
            "deployments_filters: created_at id visibility value created_by",
            "blueprints_filters: created_at id visibility value created_by",
        ],
        "the keys are those of Cloudify's dump"
    );
    let counts = &api.get("snapshots/nightly").expect(200)["contents"]["counts"];
    for kind in ["sites", "deployments_filters", "blueprints_filters"] {
        let expected = if kind == "sites" { 4 } else { 2 };
        assert_eq!(counts[kind], expected, "{counts:#}");
    }

    let second = TestServer::builder().opening_archives_of(&first).start();
    let restored = second.api();
    restored.send_archive("carried", &archive).expect(201);
    let execution = restored.restore_snapshot("carried", &json!({}));
    assert_eq!(execution["status"], "terminated", "{execution:#}");
    assert_eq!(inventory(&restored), inventory(&api));
    for tenant in ["default_tenant", "north"] {
        let (one, other) = (api.clone().tenant(tenant), restored.clone().tenant(tenant));
        assert_eq!(all(&other), all(&one), "{tenant}");
        assert_eq!(all(&one)["labels"], json!(["eu", "prod"]));
    }
    let found = restored.get("deployments?_filter_id=mine").expect(200);
    assert_eq!(found["items"][0]["id"], "default_tenant-tower", "labels of restored deployments are found");
    let system = restored.get("filters/deployments?is_system_filter=true").items();
    assert_eq!(system.len(), 22, "the filters of the system are there once");

    // Nothing of it makes a manager clean.
    let refused = restored.restore_snapshot("carried", &json!({}));
    assert!(refused["error"].as_str().unwrap().contains("non-empty manager"), "{refused:#}");
}
