//! Some entities of a snapshot, brought back: only they, with what they need, all or nothing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Api, BLUEPRINT, Flow, TestServer, changes, create_chart, create_space, document, dump, fails, fill,
    gauge, inventory, lifeboat, now,
};

const TOWER: &str = "north-tower";

/// A manager with entities of every sort in two tenants, and its snapshot `nightly`.
fn filled() -> TestServer {
    let server = TestServer::start();
    prepare(&server);
    server
}

fn prepare(server: &TestServer) {
    let api = server.api();
    fill(&api);
    let flow = Flow::create_in(&api, "north", "orders", &["read", "write"]);
    flow.create_snapshot("read", "{\"last\":7}").expect_status(201);
    let space = create_space(&api, "lamps");
    create_chart(&api, space, &json!({ "name": "light", "type": "line", "streams": [{ "metric": "lux" }] }));
    gauge(&api, "lux", None, &[(now() - 60, 1.5)]);
    gauge(&api, "noise", None, &[(now() - 60, 2.5)]);
    let options =
        json!({ "include_metrics": true, "include_credentials": true, "include_flow_history": true });
    api.create_snapshot("nightly", &options);
}

/// Deletes the deployment of a tenant.
fn delete_tower(api: &Api, id: &str) {
    api.delete(&format!("deployments/{id}?force=true")).expect(200);
    crate::harness::eventually("the deployment is gone", 30, || {
        api.get("deployments").items().iter().all(|deployment| deployment["id"] != id).then_some(())
    });
}

fn restore(api: &Api, select: &Value, options: &Value) -> Value {
    let mut body = json!({ "select": select, "recreate_deployments_envs": false });
    body.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    api.restore_snapshot("nightly", &body)
}

fn ends_well(ended: &Value) {
    assert_eq!(ended["status"], "terminated", "{ended:#}");
}

/// The failure's reason; the restore must have failed.
fn refusal(ended: &Value) -> String {
    assert_eq!(ended["status"], "failed", "{ended:#}");
    let error = ended["error"].as_str().unwrap().to_owned();
    assert!(error.contains("nothing was changed"), "{error}");
    error
}

#[test]
fn a_deleted_deployment_comes_back_with_its_parts_and_nothing_else_changes() {
    let server = filled();
    let api = server.api();
    let north = api.clone().tenant("north");
    let before = dump(&api, "before");
    delete_tower(&north, TOWER);
    api.put("secrets/later", &json!({ "value": "x" })).expect_status(200);
    api.delete("secrets/lamp_passphrase").expect(200);
    let deleted = dump(&api, "deleted");

    let ended = restore(&api, &json!({ "kinds": ["deployments"], "tenants": ["north"] }), &json!({}));
    ends_well(&ended);
    let after = dump(&api, "after");
    for name in changes(&deleted, &after) {
        assert!(name.contains("/north/"), "{name} changed");
        assert_eq!(after.get(&name), before.get(&name), "{name} is as it was");
    }
    for kind in ["deployments", "nodes", "node_instances"] {
        let came: Vec<String> = changes(&deleted, &after)
            .into_iter()
            .filter(|name| name.starts_with(&format!("{kind}/north/")))
            .collect();
        assert!(!came.is_empty(), "no {kind} came back");
    }
    assert_eq!(ended["report"]["selected"]["added"]["deployments"], 1, "{ended:#}");
    assert_eq!(ended["report"]["selected"]["taken_along"], json!([]), "{ended:#}");

    // The whole way back.
    let undone = api.post("/service/rollback", &json!({})).expect(200);
    ends_well(&api.wait_for_end(&undone));
    assert_eq!(changes(&deleted, &dump(&api, "undone")), Vec::<String>::new());
}

#[test]
fn what_a_selected_entity_needs_is_named_or_taken_along() {
    let server = filled();
    let api = server.api();
    let north = api.clone().tenant("north");
    let before = dump(&api, "before");
    delete_tower(&north, TOWER);
    north.delete(&format!("blueprints/{BLUEPRINT}?force=true")).expect(200);
    north.delete("secrets/lamp_passphrase").expect(200);
    let deleted = dump(&api, "deleted");

    let select = json!({ "ids": [format!("deployments/north/{TOWER}")] });
    let error = refusal(&restore(&api, &select, &json!({})));
    let blueprint = format!("blueprints/north/{BLUEPRINT}");
    assert!(error.contains(&blueprint), "{error}");
    assert!(error.contains(&format!("needed by deployments/north/{TOWER}")), "{error}");
    assert_eq!(changes(&deleted, &dump(&api, "refused")), Vec::<String>::new());

    let ended = restore(&api, &select, &json!({ "dependencies": "include" }));
    ends_well(&ended);
    let along = ended["report"]["selected"]["taken_along"].to_string();
    assert!(along.contains(&blueprint), "{along}");
    let after = dump(&api, "after");
    assert_eq!(after[&blueprint], before[&blueprint]);
    for name in changes(&deleted, &after) {
        assert_eq!(after.get(&name), before.get(&name), "{name} is as it was");
    }
    // Its file is there, too.
    north.get(&format!("blueprints/{BLUEPRINT}/archive")).expect_status(200);
    assert!(api.get("secrets/lamp_passphrase").expect(200)["value"].is_string());
}

#[test]
fn what_exists_and_differs_is_replaced_only_by_force() {
    let server = filled();
    let api = server.api();
    let saved = inventory(&api);
    api.patch("secrets/lamp_passphrase", &json!({ "value": "another" })).expect_status(200);
    api.put("secrets/later", &json!({ "value": "x" })).expect_status(200);
    let changed = dump(&api, "changed");

    let select = json!({ "kinds": "secrets", "ids": "lamp*" });
    let error = refusal(&restore(&api, &select, &json!({})));
    assert!(error.contains("secrets/default_tenant/lamp_passphrase"), "{error}");
    assert!(!error.contains("secrets/north/lamp_passphrase"), "that one is the same: {error}");
    assert!(error.contains("force"), "{error}");
    assert_eq!(changes(&changed, &dump(&api, "refused")), Vec::<String>::new());

    let ended = restore(&api, &select, &json!({ "force": true }));
    ends_well(&ended);
    assert_eq!(ended["report"]["selected"]["replaced"], json!({ "secrets": 1 }), "{ended:#}");
    assert_eq!(ended["report"]["selected"]["unchanged"], json!({ "secrets": 1 }), "{ended:#}");
    let after = dump(&api, "after");
    assert_eq!(changes(&changed, &after), ["secrets/default_tenant/lamp_passphrase"]);
    let live = inventory(&api);
    let value =
        |state: &Value| state["default_tenant"]["secrets"]["lamp_passphrase"]["whole"]["value"].clone();
    assert_eq!(value(&live), value(&saved));
}

#[test]
fn every_kind_can_be_selected_alone_and_comes_back_as_it_was() {
    let server = filled();
    let api = server.api();
    let before = dump(&api, "before");
    let kinds = [
        "tenants",
        "plugins",
        "secrets",
        "blueprints",
        "deployments",
        "nodes",
        "node_instances",
        "executions",
        "events",
        "flows",
        "step_snapshots",
        "spaces",
        "charts",
        "metrics",
    ];
    for kind in kinds {
        // Nothing was changed since, so everything but measurements, which are not compared, is the same.
        let force = kind == "metrics";
        let ended = restore(&api, &json!({ "kinds": [kind] }), &json!({ "force": force }));
        ends_well(&ended);
        let selected = &ended["report"]["selected"];
        assert_eq!(selected["added"], json!({}), "{kind}: {selected:#}");
        assert_eq!(selected["replaced"], json!({}), "{kind}: {selected:#}");
        assert_eq!(selected["removed"], json!({}), "{kind}: {selected:#}");
        if kind != "metrics" {
            assert!(selected["unchanged"][kind].as_u64().unwrap() > 0, "{kind}: {selected:#}");
        }
    }
    assert_eq!(changes(&before, &dump(&api, "after")), Vec::<String>::new());
}

#[test]
fn a_flow_a_space_and_a_metric_come_back_alone() {
    let server = filled();
    let api = server.api();
    let before = dump(&api, "before");
    let flow = before.keys().find(|name| name.starts_with("flows/north/")).unwrap().clone();
    let space = before.keys().find(|name| name.starts_with("spaces/")).unwrap().clone();
    let id = |name: &str| name.rsplit('/').next().unwrap().to_owned();
    api.delete(&format!("/v2/flows/{}", id(&flow))).expect_status(204);
    api.delete(&format!("/v1/spaces/{}", id(&space))).expect_status(204);
    for metric in ["lux", "noise"] {
        api.delete(&format!("/v1/metrics/{metric}")).expect_status(204);
    }
    let deleted = dump(&api, "deleted");
    assert!(!deleted.contains_key(&flow) && !deleted.contains_key(&space));

    ends_well(&restore(&api, &json!({ "ids": [flow, space, "metrics/*/lux"] }), &json!({})));
    let after = dump(&api, "after");
    let left = changes(&before, &after);
    assert_eq!(left, ["metrics/default_tenant/noise", "points/default_tenant/noise"]);
    let again = restore(&api, &json!({ "ids": ["metrics/default_tenant/lux"] }), &json!({}));
    assert!(refusal(&again).contains("metrics/default_tenant/lux"));
}

#[test]
fn a_tenant_comes_back_whole() {
    let first = filled();
    let api = first.api();
    let archive = api.archive("nightly");
    let before = dump(&api, "before");

    let second = TestServer::builder().opening_archives_of(&first).start();
    let api = second.api();
    api.put("secrets/own", &json!({ "value": "x" })).expect_status(200);
    api.send_archive("nightly", &archive).expect_status(201);
    let own = dump(&api, "own");
    let error = refusal(&restore(&api, &json!({ "kinds": ["secrets"], "tenants": ["north"] }), &json!({})));
    assert!(error.contains("tenants/north/north"), "{error}");
    let ended = restore(&api, &json!({ "tenants": ["north"] }), &json!({ "dependencies": "include" }));
    ends_well(&ended);
    let after = dump(&api, "after");
    for (name, entity) in &before {
        let is_selected = name.split('/').nth(1) == Some("north");
        let is_along = ended["report"]["selected"]["taken_along"].to_string().contains(name.as_str());
        assert_eq!(
            after.get(name) == Some(entity),
            is_selected || is_along || own.get(name) == Some(entity),
            "{name}"
        );
    }
    for (name, entity) in &own {
        assert_eq!(after.get(name), Some(entity), "{name} stays");
    }
}

#[test]
fn what_the_archive_or_the_service_does_not_know_is_refused_by_name() {
    let server = filled();
    let api = server.api();
    let ask =
        |body: Value| api.post("snapshots/nightly/restore", &body).expect_error(400, "bad_parameters_error");
    let message = ask(json!({ "select": { "kinds": ["towers"] } }));
    assert!(message.contains("`towers`") && message.contains("deployments"), "{message}");
    for body in [
        json!({ "select": {} }),
        json!({ "select": [] }),
        json!({ "select": { "ids": ["a*b"] } }),
        json!({ "select": { "kinds": ["nodes"] }, "dependencies": "maybe" }),
        json!({ "dependencies": "include" }),
    ] {
        ask(body);
    }
    api.post("snapshots/nightly/restore?kind=towers", &json!({})).expect_error(400, "bad_parameters_error");
    for (select, words) in [
        (json!({ "tenants": ["west"] }), &["`west`", "north"][..]),
        (
            json!({ "ids": ["nothing", "north-tower", "secrets/north/no*"] }),
            &["`nothing`", "`secrets/north/no*`"],
        ),
        (json!({ "kinds": ["agents"] }), &["nothing of what is selected"]),
    ] {
        let error = refusal(&restore(&api, &select, &json!({ "force": true })));
        for word in words {
            assert!(error.contains(word), "{error}");
        }
    }
}

#[test]
fn a_selective_restore_that_was_killed_leaves_the_old_state_or_the_new_one() {
    for (failpoint, is_done) in [
        ("restore:selected", false),
        ("restore:staging", false),
        ("restore:staged", false),
        ("restore:swapping", true),
        ("restore:swapped", true),
        ("restore:finishing", true),
    ] {
        let mut server = TestServer::builder().failpoint(&format!("{failpoint}=kill")).start();
        prepare(&server);
        let api = server.api();
        let north = api.clone().tenant("north");
        let saved = dump(&api, "saved");
        north.patch("secrets/lamp_passphrase", &json!({ "value": "another" })).expect_status(200);
        api.put("secrets/later", &json!({ "value": "x" })).expect_status(200);
        let changed = dump(&api, "changed");

        let body =
            json!({ "force": true, "select": { "tenants": ["north"] }, "recreate_deployments_envs": false });
        let request = api.request(Method::POST, "snapshots/nightly/restore").json(&body);
        let _ = request.send();
        server.wait_until_killed();
        server.restart();

        let api = server.api();
        let last = api
            .get("executions?_include_system_workflows=true&workflow_id=restore_snapshot&_sort=-created_at")
            .items()
            .remove(0);
        let ended = api.wait_for_end(&last);
        assert_eq!(ended["status"], if is_done { "terminated" } else { "failed" }, "{failpoint}: {ended:#}");
        let after = dump(&api, "after");
        let differing = changes(&changed, &after);
        if is_done {
            assert_eq!(differing, ["secrets/north/lamp_passphrase"], "{failpoint}");
            assert_eq!(changes(&saved, &after), ["secrets/default_tenant/later"], "{failpoint}");
        } else {
            assert_eq!(differing, Vec::<String>::new(), "{failpoint}");
        }
        let kept = if is_done { 2 } else { 1 };
        let generations =
            server.files_in("manager").into_iter().filter(|name| name.starts_with("generation-"));
        assert_eq!(generations.count(), kept, "{failpoint}: nothing half made is left");
        api.put("secrets/afterwards", &json!({ "value": "x" })).expect_status(200);
    }
}

#[test]
fn the_command_line_selects_the_same() {
    let server = filled();
    let api = server.api();
    api.delete("secrets/lamp_passphrase").expect(200);
    fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["snapshot", "restore", "nightly", "--wait", "--yes"], more].concat()
    }
    fails(lifeboat(&server, &with(&["--kind", "towers"])), 4, &["towers", "deployments"]);
    fails(lifeboat(&server, &with(&["--with-dependencies"])), 2, &["--kind"]);
    let ended = document(
        &server,
        &with(&[
            "--kind",
            "secrets",
            "--of-tenant",
            "default_tenant",
            "--id",
            "lamp*",
            "--with-dependencies",
        ]),
    );
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    assert_eq!(ended["parameters"]["select"]["ids"], json!(["lamp*"]));
    assert_eq!(ended["report"]["selected"]["added"], json!({ "secrets": 1 }), "{ended:#}");
    api.get("secrets/lamp_passphrase").expect_status(200);
}
