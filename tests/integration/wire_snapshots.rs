//! The snapshot calls by raw HTTP: exact codes, fields and list behaviour.
//!
//! What the document's own examples send is sent here, CloudifyJS and jQuery among them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, TestServer};

/// The fields that Cloudify 7.0.5 gives a snapshot.
const SNAPSHOT_FIELDS: [&str; 9] = [
    "id",
    "created_at",
    "status",
    "error",
    "visibility",
    "tenant_name",
    "created_by",
    "resource_availability",
    "private_resource",
];

/// The fields that Cloudify 7.0.5 gives an execution.
const EXECUTION_FIELDS: [&str; 18] = [
    "id",
    "workflow_id",
    "blueprint_id",
    "deployment_id",
    "status",
    "status_display",
    "error",
    "created_at",
    "started_at",
    "ended_at",
    "scheduled_for",
    "parameters",
    "is_system_workflow",
    "is_dry_run",
    "tenant_name",
    "created_by",
    "visibility",
    "private_resource",
];

fn assert_has(fields: &[&str], object: &Value) {
    for field in fields {
        assert!(object.get(field).is_some(), "no `{field}` in {object:#}");
    }
}

/// Whether this is a time as Cloudify writes it: UTC, three digits, `Z`.
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let form = "dddd-dd-ddTdd:dd:dd.dddZ";
    text.len() == form.len()
        && text.chars().zip(form.chars()).all(|(found, wanted)| match wanted {
            'd' => found.is_ascii_digit(),
            other => found == other,
        })
}

fn ids(api: &Api, query: &str) -> Vec<String> {
    api.get(&format!("snapshots{query}"))
        .items()
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn create_get_and_delete_give_the_records_that_cloudify_gives() {
    let server = TestServer::start();
    let api = server.api().tenant("default_tenant");
    let execution = api.put("snapshots/nightly", &json!({ "include_credentials": false })).expect(201);
    assert_has(&EXECUTION_FIELDS, &execution);
    assert_eq!(execution["workflow_id"], "create_snapshot");
    assert_eq!(execution["deployment_id"], Value::Null);
    assert_eq!(execution["blueprint_id"], Value::Null);
    assert_eq!(execution["is_system_workflow"], true);
    assert_eq!(execution["created_by"], "admin");
    assert_eq!(execution["parameters"]["snapshot_id"], "nightly");
    assert!(is_time(&execution["created_at"]), "{execution:#}");
    let ended = api.wait_for_end(&execution);
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    assert_eq!(ended["status_display"], "completed");
    assert!(is_time(&ended["started_at"]) && is_time(&ended["ended_at"]), "{ended:#}");

    let snapshot = api.get("snapshots/nightly").expect(200);
    assert_has(&SNAPSHOT_FIELDS, &snapshot);
    assert_eq!(snapshot["id"], "nightly");
    assert_eq!(snapshot["status"], "created");
    assert_eq!(snapshot["error"], "");
    assert_eq!(snapshot["visibility"], "private");
    assert_eq!(snapshot["resource_availability"], "private");
    assert_eq!(snapshot["private_resource"], true);
    assert_eq!(snapshot["tenant_name"], "default_tenant");
    assert_eq!(snapshot["created_by"], "admin");
    assert!(is_time(&snapshot["created_at"]), "{snapshot:#}");
    assert!(snapshot["size_bytes"].as_u64().unwrap() > 0);
    assert_eq!(snapshot["execution_id"], execution["id"]);

    assert_eq!(api.delete("snapshots/nightly").expect(200), snapshot, "the former record");
    api.get("snapshots/nightly").expect_error(404, "not_found_error");
    api.delete("snapshots/nightly").expect_error(404, "not_found_error");
}

#[test]
fn every_version_of_the_api_answers_alike_but_v1_knows_no_snapshots() {
    let server = TestServer::start();
    let api = server.api();
    api.create_snapshot("nightly", &json!({}));
    let newest = api.get("snapshots/nightly").expect(200);
    for version in ["v2", "v2.1", "v3", "v3.1"] {
        let path = format!("/api/{version}/snapshots");
        assert_eq!(api.get(&format!("{path}/nightly")).expect(200), newest);
        assert_eq!(api.get(&path).items(), std::slice::from_ref(&newest));
    }
    assert_eq!(api.get("/api/v1/snapshots").status, 404);
}

#[test]
fn the_lists_frame_is_that_of_cloudify() {
    let server = TestServer::start();
    let body = server.api().get("snapshots").expect(200);
    assert_eq!(
        body,
        json!({
            "items": [],
            "metadata": {
                "pagination": { "total": 0, "size": 1000, "offset": 0 },
                "filtered": null
            }
        })
    );
}

#[test]
fn lists_are_sorted_paged_filtered_searched_and_projected() {
    let server = TestServer::start();
    let api = server.api();
    for id in ["b1", "a2", "c3"] {
        api.create_snapshot(id, &json!({}));
    }
    assert_eq!(ids(&api, ""), ["b1", "a2", "c3"], "by time of creation");
    assert_eq!(ids(&api, "?_sort=id"), ["a2", "b1", "c3"]);
    assert_eq!(ids(&api, "?_sort=%2Bid"), ["a2", "b1", "c3"]);
    assert_eq!(ids(&api, "?_sort=-id"), ["c3", "b1", "a2"]);
    assert_eq!(ids(&api, "?_sort=status&_sort=-id"), ["c3", "b1", "a2"]);
    assert_eq!(ids(&api, "?_sort=-created_at"), ["c3", "a2", "b1"]);
    assert_eq!(ids(&api, "?id=a2"), ["a2"]);
    assert_eq!(ids(&api, "?id=a2&id=c3"), ["a2", "c3"]);
    assert_eq!(ids(&api, "?id=a2&status=created"), ["a2"]);
    assert_eq!(ids(&api, "?status=failed"), Vec::<String>::new());
    assert_eq!(ids(&api, "?_search=A"), ["a2"]);
    assert_eq!(ids(&api, "?_all_tenants=True&_offset=0&_size=1000&_sort=created_at").len(), 3);
    assert_eq!(ids(&api, "?_all_tenants=false").len(), 3);

    let page = api.get("snapshots?_offset=1&_size=1").expect(200);
    assert_eq!(page["items"][0]["id"], "a2");
    assert_eq!(page["metadata"]["pagination"], json!({ "total": 3, "size": 1, "offset": 1 }));
    assert_eq!(
        api.get("snapshots?_include=id%2Cstatus&id=a2").items(),
        [json!({ "id": "a2", "status": "created" })]
    );
    assert_eq!(api.get("snapshots/a2?_include=id").expect(200), json!({ "id": "a2" }));
}

#[test]
fn wrong_list_parameters_are_named() {
    let server = TestServer::start();
    let api = server.api();
    for (query, code, words) in [
        ("_include=x", "no_such_include_field_error", "Include keys '['x']' do not exist"),
        ("_sort=x", "bad_parameters_error", "Sort keys '['x']' do not exist"),
        ("x=1", "bad_parameters_error", "Filter keys '['x']' do not exist"),
        ("_all_tenants=perhaps", "bad_parameters_error", "all_tenants must be <true/false>, got perhaps"),
    ] {
        let message = api.get(&format!("snapshots?{query}")).expect_error(400, code);
        assert!(message.contains(words), "{message}");
    }
    for query in ["_size=-1", "_size=x", "_offset=-1", "_offset=1.5"] {
        let body = api.get(&format!("snapshots?{query}")).expect(400);
        assert_eq!(body["error_code"], "bad_parameters_error", "{query}: {body:#}");
        assert!(body["message"].is_string(), "{query}: {body:#}");
    }
}

#[test]
fn create_takes_options_from_the_body_or_the_query_in_every_spelling() {
    let server = TestServer::start();
    let api = server.api();
    // The document's curl example sends neither a body nor a content type.
    let bare = api.request(Method::PUT, "/api/v2.1/snapshots/bare");
    api.wait_for_end(&api.send(bare).expect(201));
    // jQuery and Python requests: a content type and no body.
    let typed =
        api.request(Method::PUT, "/api/v2.1/snapshots/typed").header("Content-Type", "application/json");
    api.wait_for_end(&api.send(typed).expect(201));
    // With a charset, which Cloudify itself refuses.
    let charset = api
        .request(Method::PUT, "snapshots/charset")
        .header("Content-Type", "application/json; charset=utf-8")
        .body("{}");
    api.wait_for_end(&api.send(charset).expect(201));
    // CloudifyJS: options in the query, an empty object as the body.
    let javascript =
        api.put("snapshots/javascript?include_metrics=true&include_credentials=false", &json!({}));
    let javascript = api.wait_for_end(&javascript.expect(201));
    assert_eq!(javascript["parameters"]["include_metrics"], true, "{javascript:#}");
    assert_eq!(javascript["parameters"]["include_credentials"], false);
    for (id, value) in [("word", json!("TRUE")), ("truth", json!(true))] {
        let execution = api.put(
            &format!("snapshots/{id}"),
            &json!({ "include_metrics": value, "queue": "false", "unknown": [1] }),
        );
        let execution = api.wait_for_end(&execution.expect(201));
        assert_eq!(execution["parameters"]["include_metrics"], true, "{execution:#}");
        assert_eq!(execution["status"], "terminated");
    }
}

#[test]
fn options_of_a_wrong_type_are_refused_and_leave_no_record() {
    let server = TestServer::start();
    let api = server.api();
    for (field, value, words) in [
        ("include_credentials", json!("perhaps"), "include_credentials must be <true/false>, got perhaps"),
        ("include_metrics", json!(1), "include_metrics must be <true/false>"),
        ("queue", json!("no"), "queue must be <true/false>, got no"),
        ("legacy", json!([]), "legacy must be <true/false>"),
        ("listener_timeout", json!("soon"), "listener_timeout must"),
    ] {
        let message =
            api.put("snapshots/odd", &json!({ field: value })).expect_error(400, "bad_parameters_error");
        assert!(message.contains(words), "{field}: {message}");
    }
    for body in ["{", "[]", "1", "nonsense"] {
        let request =
            api.request(Method::PUT, "snapshots/odd").header("Content-Type", "application/json").body(body);
        assert_eq!(api.send(request).status, 400, "{body}");
    }
    api.create_snapshot("nightly", &json!({}));
    for (field, value, words) in [
        ("force", json!("perhaps"), "force must be <true/false>"),
        ("timeout", json!("x"), "invalid parameter, should be int, got: x"),
        ("no_reboot", json!(true), "`no_reboot` is only relevant when `restore_certificates` is activated"),
    ] {
        let message = api
            .post("snapshots/nightly/restore", &json!({ field: value }))
            .expect_error(400, "bad_parameters_error");
        assert!(message.contains(words), "{field}: {message}");
    }
    assert_eq!(ids(&api, ""), ["nightly"]);
    let mut executions = api.get("executions?_include_system_workflows=true").items();
    executions.retain(|execution| execution["workflow_id"] != "render_chart");
    assert_eq!(executions.len(), 1, "no execution of a refused call is left");
}

#[test]
fn ids_follow_cloudifys_rules() {
    let server = TestServer::start();
    let api = server.api();
    let longest = "a".repeat(256);
    for id in ["A-b.c_d~e", longest.as_str()] {
        api.create_snapshot(id, &json!({}));
        api.delete(&format!("snapshots/{id}")).expect(200);
    }
    let too_long = "a".repeat(257);
    for (id, words) in [
        ("0", "must begin with a letter"),
        ("_a", "must begin with a letter"),
        ("a%20b", "contains illegal characters"),
        ("a%2Fb", "contains illegal characters"),
        ("%C3%A4", "contains illegal characters"),
        ("a%00", "contains illegal characters"),
        (too_long.as_str(), "is too long. Maximum allowed length is 256 characters"),
    ] {
        let message =
            api.put(&format!("snapshots/{id}"), &json!({})).expect_error(400, "bad_parameters_error");
        assert!(message.contains(words), "{id}: {message}");
    }
}

#[test]
fn restore_needs_no_body_and_ignores_what_it_does_not_know() {
    let server = TestServer::start();
    let api = server.api();
    api.create_snapshot("nightly", &json!({}));
    let bare = api.request(Method::POST, "snapshots/nightly/restore");
    let execution = api.send(bare).expect(200);
    assert_has(&EXECUTION_FIELDS, &execution);
    assert_eq!(execution["workflow_id"], "restore_snapshot");
    let ended = api.wait_for_end(&execution);
    assert_eq!(ended["status"], "terminated", "an empty manager is clean: {ended:#}");
    let ended = api.restore_snapshot(
        "nightly",
        &json!({
            "force": "true", "timeout": "300", "restore_certificates": false,
            "ignore_plugin_failure": true, "tenant_name": "x", "unknown": {}
        }),
    );
    assert_eq!(ended["status"], "terminated", "{ended:#}");
}

#[test]
fn a_status_is_set_only_to_what_it_may_become() {
    let server = TestServer::start();
    let api = server.api();
    api.create_snapshot("nightly", &json!({}));
    let same = api.patch("snapshots/nightly", &json!({ "status": "created" }));
    assert_eq!(same.expect(200), Value::Null);
    api.patch("snapshots/nightly", &json!({ "status": "splendid" })).expect(400);
    api.patch("snapshots/nightly", &json!({ "status": "creating" })).expect(400);
    let message = api.patch("snapshots/nightly", &json!({})).expect_error(400, "bad_parameters_error");
    assert!(message.contains("Missing status in json request body"), "{message}");
    assert_eq!(api.get("snapshots/nightly").expect(200)["status"], "created");
}

#[test]
fn the_restore_status_is_open_to_everybody_and_says_nothing_else() {
    let server = TestServer::builder().holding("restore:staging").start();
    let api = server.api();
    let nobody = Api::new(server.port());
    let idle = json!({ "status": "not-running" });
    assert_eq!(nobody.get("snapshot-status").expect(200), idle);

    api.create_snapshot("nightly", &json!({}));
    let execution = api.post("snapshots/nightly/restore", &json!({})).expect(200);
    api.wait_for_status(&execution, "started");
    assert_eq!(nobody.get("snapshot-status").expect(200), json!({ "status": "running" }));
    server.release();
    api.wait_for_end(&execution);
    assert_eq!(nobody.get("snapshot-status").expect(200), idle);
}
