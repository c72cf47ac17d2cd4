//! What a plan says of archives that can't be restored, and who may make and read plans and diffs.

use serde_json::{Value, json};

use crate::harness::{
    Api, Flow, SECRET_VALUE, TestServer, document, fails, fill, lifeboat, run, stdout, write_zip,
};
use crate::plan::plan;

fn rules(plan: &Value) -> Vec<&str> {
    plan["refusals"].as_array().unwrap().iter().map(|refusal| refusal["rule"].as_str().unwrap()).collect()
}

#[test]
fn a_foreign_archive_gets_a_plan_that_says_what_it_is() {
    let server = TestServer::start();
    let api = server.api();
    let archive = write_zip(&[("metadata.json", br#"{"snapshot_version":"6.4.0"}"#), ("x", b"y")]);
    api.send_archive("old", &archive).expect(201);
    let said = plan(&api, "old", &json!({ "force": true }));
    assert_eq!(
        (&said["can_be_restored"], rules(&said)),
        (&json!(false), vec!["foreign_archive"]),
        "{said:#}"
    );
    assert_eq!(said["archive"]["snapshot_version"], "6.4.0");
    assert!(said.get("kinds").is_none());
    let failed = api.restore_snapshot("old", &json!({ "force": true }));
    assert_eq!(failed["error"], said["refusals"][0]["message"]);
    assert_eq!(api.get("snapshots/old/plan/changes").items(), Vec::<Value>::new());
    let execution = api.post("snapshots/old/diff", &json!({})).expect(201);
    let ended = api.wait_for_end(&execution);
    assert_eq!(ended["status"], "failed");
    assert!(ended["error"].as_str().unwrap().contains("Cloudify 6.4.0"), "{ended:#}");
}

#[test]
fn a_plan_says_for_whom_an_archive_is_sealed_and_compares_what_is_open() {
    let first = TestServer::start();
    fill(&first.api());
    first.api().create_snapshot("nightly", &json!({}));
    let second = TestServer::start();
    let api = second.api();
    api.send_archive("carried", &first.api().archive("nightly")).expect(201);
    let said = plan(&api, "carried", &json!({}));
    assert_eq!(rules(&said), ["no_key"], "{said:#}");
    let keys = said["archive"]["sealed_for"].as_array().unwrap();
    let own = &first.key_show()["recipients"][0]["fingerprint"];
    assert!(keys.iter().any(|key| key["fingerprint"] == *own && key["is_here"] == false), "{said:#}");
    assert_eq!(
        (&said["archive"]["is_signed_here"], &said["archive"]["can_be_opened"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(said["kinds"]["deployments"]["added"], 2, "{said:#}");
    assert!(said["kinds"].get("secrets").is_none(), "they can't be told: {said:#}");
    assert_eq!(said["duration"], json!({ "seconds": null, "from": "unknown" }));
    let failed = api.restore_snapshot("carried", &json!({}));
    assert_eq!(failed["error"], said["refusals"][0]["message"]);
}

#[test]
fn an_archive_that_was_damaged_in_the_store_is_told() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let file = server.data().join("archives").join(&server.files_in("archives")[0]);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&file, bytes).unwrap();
    let said = plan(&api, "nightly", &json!({ "force": true }));
    assert_eq!(rules(&said), ["damaged_archive"], "{said:#}");
    let failed = api.restore_snapshot("nightly", &json!({ "force": true }));
    assert_eq!(failed["status"], "failed");
}

#[test]
fn executions_that_conflict_are_named_and_a_plan_is_in_nobodys_way() {
    let server = TestServer::builder().holding("plan:comparing").holding("create:collecting").start();
    let api = server.api();
    fill(&api);
    server.release();
    api.create_snapshot("nightly", &json!({}));
    server.hold();
    let create = api.put("snapshots/slow", &json!({})).expect(201);
    api.wait_for_status(&create, "started");
    let planning = api.post("snapshots/nightly/plan", &json!({ "force": true })).expect(201);
    api.wait_for_status(&planning, "started");
    // A snapshot that is compared can't be deleted.
    let message = api.delete("snapshots/nightly").expect_error(400, "snapshot_action_error");
    assert!(message.contains("plan_snapshot"), "{message}");
    let other = api.post("snapshots/nightly/plan", &json!({ "force": true })).expect(201);
    let id = other["id"].as_str().unwrap();
    api.wait_for_status(&other, "started");
    api.post(&format!("executions/{id}"), &json!({ "action": "cancel" })).expect(200);
    assert_eq!(api.wait_for_end(&other)["status"], "cancelled");
    // A plan is no reason to refuse a restore, the create is.
    api.post("snapshots/nightly/restore", &json!({ "force": true }))
        .expect_error(400, "existing_running_execution_error");
    server.release();
    let said = api.wait_for_end(&planning)["report"].clone();
    api.wait_for_end(&create);
    if rules(&said).is_empty() {
        // The create may have ended first.
        assert_eq!(said["executions"]["conflicts"], json!([]));
    } else {
        assert_eq!(rules(&said), ["running_executions"], "{said:#}");
        assert_eq!(said["executions"]["conflicts"][0]["id"], create["id"]);
    }
}

#[test]
fn plans_take_the_right_to_restore_and_diffs_the_right_to_download() {
    let server = TestServer::start();
    let api = server.api();
    api.create_snapshot("nightly", &json!({}));
    api.put("users", &json!({ "username": "jo", "password": "jo-password-1", "role": "default" }))
        .expect(201);
    api.put(
        "tenants/users",
        &json!({ "username": "jo", "tenant_name": "default_tenant", "role": "manager" }),
    )
    .expect(200);
    let jo = Api::new(server.port()).login("jo", "jo-password-1");
    for call in ["plan", "diff"] {
        let path = format!("snapshots/nightly/{call}");
        jo.post(&path, &json!({})).expect_error(403, "forbidden_error");
        for rest in ["", "/changes", "/fields?kind=a&tenant=b&entity_id=c"] {
            jo.get(&format!("{path}{rest}")).expect_error(403, "forbidden_error");
        }
        // Nobody has made one yet.
        api.get(&path).expect_error(404, "not_found_error");
        api.post(&format!("snapshots/nothing/{call}"), &json!({})).expect_error(404, "not_found_error");
        api.get(&format!("{path}?execution_id=x")).expect_error(400, "bad_parameters_error");
    }
    plan(&api, "nightly", &json!({}));
    api.get("snapshots/nightly/plan/changes?change=moved").expect_error(400, "bad_parameters_error");
    api.get("snapshots/nightly/plan/fields?kind=flows").expect_error(400, "bad_parameters_error");
    api.get("snapshots/nightly/plan/fields?kind=flows&tenant=t&entity_id=x")
        .expect_error(404, "not_found_error");
    api.delete("snapshots/nightly").expect(200);
    api.create_snapshot("nightly", &json!({}));
    api.get("snapshots/nightly/plan").expect_error(404, "not_found_error");
    server.leaves_nothing_in_tmp();
}

#[test]
fn the_command_line_plans_and_compares_online_and_off() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    let flow = Flow::create(&api, "orders", &["step_1"]);
    flow.emit("step_1", "{\"seen\": 1}").expect_status(200);
    for id in ["monday", "tuesday"] {
        document(&server, &["snapshot", "create", id, "--include-credentials", "--wait"]);
        document(&server, &["snapshot", "download", id]);
        flow.emit("step_1", "{\"seen\": 2}").expect_status(200);
        api.patch("secrets/lamp_passphrase", &json!({ "value": "changed-canary" })).expect(200);
    }
    let said = document(&server, &["snapshot", "plan", "monday", "--force"]);
    // The history was not taken along, so it goes.
    assert_eq!(said["totals"], json!({ "added": 0, "removed": 3, "changed": 2 }), "{said:#}");
    let text = stdout(&run(lifeboat(&server, &["snapshot", "plan", "monday"])));
    for words in ["would be REFUSED", "not_clean", "~ secrets/default_tenant/lamp_passphrase", "takes about"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let step = format!("step_snapshots/default_tenant/{}/step_1", flow.id);
    let expected = json!([{ "pointer": "/value/seen", "before": 1, "after": 2 }]);
    let online = document(&server, &["snapshot", "diff", "monday", "tuesday", "--fields", &step]);
    let value = |found: &Value| -> Value {
        let fields = found["fields"].as_array().unwrap().iter();
        fields.filter(|field| field["pointer"] != "/updated_at").cloned().collect()
    };
    assert_eq!(value(&online), expected);
    let identity = server.data().join("keys/identity.txt");
    let identity = identity.to_str().unwrap();
    let files = ["diff", "monday.zip", "tuesday.zip"];
    let offline = document(&server, &[&files[..], &["--fields", &step]].concat());
    assert_eq!(offline["fields"], online["fields"]);

    let shut = document(&server, &files);
    assert!(shut["kinds"].get("secrets").is_none(), "{shut:#}");
    let kinds = |found: &Value| found["not_compared"].to_string();
    assert!(kinds(&shut).contains("\"secrets\""), "{shut:#}");
    let open = document(&server, &[&files[..], &["--identity", identity]].concat());
    assert_eq!(open["kinds"]["secrets"]["changed"], 1, "{open:#}");
    assert!(!kinds(&open).contains("\"secrets\""), "{open:#}");
    let listed = document(&server, &[&files[..], &["--identity", identity, "--list", "secrets"]].concat());
    assert_eq!(listed[0]["id"], "lamp_passphrase");
    let secret = "secrets/default_tenant/lamp_passphrase";
    let shown = document(&server, &[&files[..], &["--identity", identity, "--fields", secret]].concat());
    let text = format!("{shown}{open}{listed}{said}");
    assert!(
        text.contains("(sealed)") && !text.contains("changed-canary") && !text.contains(SECRET_VALUE),
        "{text}"
    );
    fails(lifeboat(&server, &["diff", "monday.zip", "nothing.zip"]), 1, &["nothing.zip"]);
    fails(lifeboat(&server, &["snapshot", "diff", "monday", "--fields", "x"]), 2, &["KIND/TENANT/ID"]);

    let inspected = document(&server, &["inspect", "monday.zip"])[0].clone();
    assert_eq!(inspected["entries"], inspected["entry_list"].as_array().unwrap().len());
    assert_eq!(inspected["entry_list"][0]["path"], "metadata.json");
    assert_eq!(inspected["report"]["sources"]["embedded"]["outcome"], "done");
    for key in ["counts", "options", "signer", "signature", "sealed_for", "sealed_parts", "folders"] {
        assert!(!inspected[key].is_null(), "{key}");
    }
    let shown = stdout(&run(lifeboat(&server, &["snapshot", "get", "monday"])));
    assert!(shown.contains("KiB ("), "{shown}");
}
