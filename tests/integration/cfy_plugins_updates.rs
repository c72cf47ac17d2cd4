//! Updates of plugins by `cfy` 7.0.5 and the Python client, and what a restore and a selective restore make of them.

use serde_json::json;

use crate::harness::{TestServer, eventually, lamps};

#[test]
fn cfy_updates_the_plugins_of_one_blueprint_or_of_all() {
    let server = TestServer::start();
    let (api, cfy) = (server.api(), server.cfy());
    lamps(&api, "lamp", 2);
    cfy.run(&["plugins", "update", "lamp"]).success().says(&["Updating the plugins", "lamp-0", "lamp-1"]);
    for node in api.get("nodes").items() {
        assert_eq!(node["plugins"][0]["package_version"], "2.0.0", "{node:#}");
    }
    cfy.run(&["plugins", "list_updates", "--get-data"]).success().says(&[
        "successful",
        "lamp-0,lamp-1",
        "Showing 1 of 1",
    ]);
    cfy.run(&["plugins", "update", "--all-blueprints", "--all-to-minor", "--plugin-name", "lamp", "--force"])
        .success()
        .says(&["Successfully updated 1 blueprints"]);
    let updates = api.get("plugins-updates?_sort=-created_at").items();
    assert_eq!(updates[0]["state"], "no_changes_required");
    cfy.run(&["plugins", "update", "nowhere"]).refused(&["404", "Requested `Blueprint` with ID `nowhere`"]);
    let id = updates[1]["id"].as_str().unwrap();
    let finalize = api.post(&format!("plugins-updates/{id}/update/finalize"), &json!({}));
    finalize.expect_error(400, "illegal_action_error");
}

#[test]
fn what_cannot_be_used_is_told() {
    let server = TestServer::start();
    let api = server.api();
    lamps(&api, "lamp", 1);
    for (body, status, word) in [
        (json!({ "plugin_names": "lamp" }), 400, "plugin_names must be a list"),
        (json!({ "to_latest": [7] }), 400, "to_latest must be a list of package names"),
        (json!({ "mapping": { "updates": 7 } }), 400, "`updates` is no list"),
        (json!({ "update_id": "x" }), 400, "State must be supplied"),
        (json!({ "state": "sunk" }), 400, "`sunk` is no state"),
        (json!({ "state": "failed", "execution_id": "x" }), 404, "Requested `Execution`"),
        (json!({ "state": "failed", "temp_blueprint_id": "x" }), 404, "Requested `Blueprint`"),
    ] {
        let reply = api.post("plugins-updates/lamp/update/initiate", &body);
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
        assert!(reply.text().contains(word), "{body}: {}", reply.text());
    }
    let record = json!({
        "update_id": "brought", "state": "successful", "affected_deployments": ["lamp-0"], "force": true,
        "created_at": "2020-01-02T03:04:05.678Z", "created_by": "jo",
    });
    let kept = api.post("plugins-updates/lamp/update/initiate", &record).expect(200);
    assert_eq!(
        (&kept["created_at"], &kept["created_by"], &kept["forced"]),
        (&json!("2020-01-02T03:04:05.678Z"), &json!("jo"), &json!(true))
    );
    api.post("plugins-updates/lamp/update/initiate", &record).expect_error(409, "conflict_error");
}

#[test]
fn records_of_updates_go_with_their_blueprint() {
    let server = TestServer::start();
    let api = server.api();
    lamps(&api, "lamp", 1);
    let update =
        api.post("plugins-updates/lamp/update/initiate", &json!({ "all_to_latest": true })).expect(200);
    let execution = api.get(&format!("executions/{}", update["execution_id"].as_str().unwrap())).expect(200);
    api.wait_for_end(&execution);
    api.create_snapshot("kept", &json!({}));
    let update = api.get(&format!("plugins-updates/{}", update["id"].as_str().unwrap())).expect(200);
    api.delete("deployments/lamp-0").expect(200);
    eventually("the deployment is gone", 30, || (api.get("deployments").items().is_empty()).then_some(()));
    api.delete("blueprints/lamp").expect(200);
    assert_eq!(api.get("plugins-updates").items().len(), 0);
    let restore =
        json!({ "select": { "kinds": ["plugins_updates"] }, "dependencies": "include", "force": true });
    assert_eq!(api.restore_snapshot("kept", &restore)["status"], "terminated");
    let restored = api.get(&format!("plugins-updates/{}", update["id"].as_str().unwrap())).expect(200);
    assert_eq!(restored, update);
    assert_eq!(api.get("blueprints/lamp").expect(200)["plan"]["nodes"][0]["properties"]["made_by"], "2.0.0");
}
