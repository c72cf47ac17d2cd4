//! The plan of a restore, and diffs: what is said is what happens, nothing secret is shown.

use serde_json::{Value, json};

use crate::harness::{Api, SECRET_VALUE, TestServer, eventually, fill};

/// Makes a plan, and gives it.
pub fn plan(api: &Api, snapshot: &str, options: &Value) -> Value {
    let execution = api.post(&format!("snapshots/{snapshot}/plan"), options).expect(201);
    let ended = api.wait_for_end(&execution);
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    let plan = api.get(&format!("snapshots/{snapshot}/plan")).expect(200);
    assert_eq!(plan, ended["report"]);
    plan
}

fn diff(api: &Api, snapshot: &str, with: Option<&str>) -> Value {
    let execution = api.post(&format!("snapshots/{snapshot}/diff"), &json!({ "with": with })).expect(201);
    let ended = api.wait_for_end(&execution);
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    let query = with.map(|with| format!("?with={with}")).unwrap_or_default();
    let diff = api.get(&format!("snapshots/{snapshot}/diff{query}")).expect(200);
    assert_eq!(diff, ended["report"]);
    diff
}

fn delete_deployment(api: &Api, id: &str) {
    api.delete(&format!("deployments/{id}")).expect_status(200);
    eventually("the deployment is gone", 60, || {
        (api.get(&format!("deployments/{id}")).status == 404).then_some(())
    });
    eventually("its executions have ended", 60, || {
        let list = api.get("executions?_include_system_workflows=true&_size=1000").items();
        list.iter().all(|execution| !execution["ended_at"].is_null()).then_some(())
    });
}

fn names(list: &Value) -> Vec<String> {
    let name =
        |item: &Value| format!("{}/{}", item["tenant"].as_str().unwrap(), item["id"].as_str().unwrap());
    list.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn a_plan_says_what_comes_goes_and_changes_and_the_restore_does_it() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({ "include_credentials": true }));
    let unchanged = plan(&api, "nightly", &json!({ "force": true }));
    assert_eq!(unchanged["totals"], json!({ "added": 0, "removed": 0, "changed": 0 }), "{unchanged:#}");
    assert_eq!(unchanged["can_be_restored"], true, "{unchanged:#}");
    assert_eq!(unchanged["duration"]["from"], "1 creates", "{unchanged:#}");

    let north = api.clone().tenant("north");
    north.delete("secrets/lamp_passphrase").expect_status(200);
    api.put("secrets/fresh", &json!({ "value": "x" })).expect(200);
    api.patch("secrets/lamp_passphrase", &json!({ "value": "another" })).expect_status(200);
    let changed = plan(&api, "nightly", &json!({ "force": true }));
    let secrets = &changed["kinds"]["secrets"];
    assert_eq!(names(&secrets["first"]["added"]), ["north/lamp_passphrase"], "{changed:#}");
    assert_eq!(names(&secrets["first"]["removed"]), ["default_tenant/fresh"], "{changed:#}");
    assert_eq!(names(&secrets["first"]["changed"]), ["default_tenant/lamp_passphrase"], "{changed:#}");
    assert_eq!(changed["totals"], json!({ "added": 1, "removed": 1, "changed": 1 }), "{changed:#}");

    let page = api.get("snapshots/nightly/plan/changes?kind=secrets&_offset=1&_size=1").expect(200);
    assert_eq!(page["metadata"]["pagination"], json!({ "total": 3, "size": 1, "offset": 1 }));
    assert_eq!(
        page["items"],
        json!([{ "kind": "secrets", "tenant": "default_tenant", "id": "fresh", "change": "removed" }])
    );
    let fields = api
        .get("snapshots/nightly/plan/fields?kind=secrets&tenant=default_tenant&entity_id=lamp_passphrase")
        .expect(200);
    let value = fields["fields"].as_array().unwrap().iter().find(|field| field["pointer"] == "/value");
    assert_eq!(
        value,
        Some(&json!({ "pointer": "/value", "before": "(sealed)", "after": "(sealed)" })),
        "{fields:#}"
    );
    for text in [changed.to_string(), fields.to_string()] {
        assert!(!text.contains("another") && !text.contains("Sesam"), "{text}");
    }

    let refused = plan(&api, "nightly", &json!({}));
    assert_eq!(refused["can_be_restored"], false);
    assert_eq!(refused["refusals"][0]["rule"], "not_clean", "{refused:#}");
    let failed = api.restore_snapshot("nightly", &json!({}));
    assert_eq!(failed["error"], refused["refusals"][0]["message"], "the plan says what the restore says");

    let restored =
        api.restore_snapshot("nightly", &json!({ "force": true, "recreate_deployments_envs": false }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    for key in ["totals", "kinds"] {
        assert_eq!(restored["report"]["plan"][key], changed[key]);
    }
    let after = plan(&api, "nightly", &json!({ "force": true }));
    assert_eq!(after["totals"], json!({ "added": 0, "removed": 0, "changed": 0 }), "{after:#}");
    assert_eq!(after["duration"]["from"], "1 restores", "{after:#}");
    assert_eq!(api.get("secrets/lamp_passphrase").expect(200)["value"], SECRET_VALUE);
}

#[test]
fn a_diff_is_empty_with_itself_and_mirrored_the_other_way() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("first", &json!({ "include_credentials": true }));
    api.put("secrets/fresh", &json!({ "value": "x" })).expect(200);
    delete_deployment(&api, "default_tenant-tower");
    api.create_snapshot("second", &json!({ "include_credentials": true }));

    let same = diff(&api, "first", Some("first"));
    assert_eq!(same["totals"], json!({ "added": 0, "removed": 0, "changed": 0 }), "{same:#}");
    let there = diff(&api, "first", Some("second"));
    let back = diff(&api, "second", Some("first"));
    assert_eq!(names(&there["kinds"]["secrets"]["first"]["added"]), ["default_tenant/fresh"]);
    for (kind, found) in there["kinds"].as_object().unwrap() {
        let mirrored = &back["kinds"][kind];
        assert_eq!(found["first"]["added"], mirrored["first"]["removed"], "{kind}");
        assert_eq!(found["first"]["removed"], mirrored["first"]["added"], "{kind}");
        assert_eq!(found["first"]["changed"], mirrored["first"]["changed"], "{kind}");
        assert_eq!((&found["before"], &found["after"]), (&mirrored["after"], &mirrored["before"]), "{kind}");
    }
    let live = diff(&api, "second", None);
    assert_eq!(live["totals"], json!({ "added": 0, "removed": 0, "changed": 0 }), "{live:#}");
}
