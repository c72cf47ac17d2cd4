//! Flows themselves: their resource, lists, edits, deletes, and the two statuses.

use serde_json::{Value, json};

use crate::harness::{Api, Flow, Reply, TestServer, add_member, flow_body, graph, refused, workspace};

fn names(list: &Value) -> Vec<&str> {
    let names = list["data"].as_array().unwrap_or_else(|| panic!("no list: {list:#}"));
    names.iter().map(|flow| flow["attributes"]["name"].as_str().unwrap()).collect()
}

fn list(api: &Api, query: &str) -> Value {
    api.get(&format!("/v2/flows{query}")).expect(200)
}

fn edit(flow: &Flow, attributes: &Value) -> Reply {
    let body = json!({ "data": { "type": "flow", "id": flow.id, "attributes": attributes } });
    flow.api.patch(&flow.path(""), &body)
}

fn statuses(flow: &Flow) -> (Value, Value) {
    let mut attributes = flow.get()["attributes"].take();
    (attributes["status"].take(), attributes["current_status"].take())
}

#[test]
fn a_flow_has_the_resource_of_the_documentation() {
    let server = TestServer::start();
    let api = server.api();
    let workspace = workspace(&api, "default_tenant");
    let mut body = flow_body(&workspace, "Nightly", &["a", "b"]);
    body["data"]["attributes"]["description"] = json!("each night");
    body["data"]["attributes"]["cron"] = json!("*/5 * * * *");
    let created = api.post("/v2/flows", &body).expect(201);
    assert_eq!(created["meta"], json!({}));
    let flow = &created["data"];
    let id = flow["id"].as_str().unwrap();
    assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(flow["type"], "flow");
    assert_eq!(flow["links"]["self"], format!("/v2/flows/{id}"));
    let attributes = &flow["attributes"];
    for (key, value) in [
        ("name", json!("Nightly")),
        ("description", json!("each night")),
        ("type", json!("ordinary")),
        ("status", json!("inactive")),
        ("current_status", json!("inactive")),
        ("default_mapper_type", json!("jsonata")),
        ("cron", json!("*/5 * * * *")),
        ("graph", graph(&["a", "b"])),
        ("has_draft", json!(false)),
        ("reports_current_status", json!(false)),
        ("last_start_time", Value::Null),
        ("last_stop_time", Value::Null),
    ] {
        assert_eq!(attributes.get(key), Some(&value), "`{key}` of {flow:#}");
    }
    for key in ["created_at", "updated_at", "last_modified"] {
        assert!(attributes[key].as_str().unwrap_or_default().ends_with('Z'), "`{key}` of {flow:#}");
    }
    assert!(attributes["version"].is_number(), "{flow:#}");
    let relationships = &flow["relationships"];
    assert_eq!(relationships["workspace"]["data"], json!({ "id": workspace, "type": "workspace" }));
    assert_eq!(relationships["user"]["data"]["type"], "user");

    let read = api.get(&format!("/v2/flows/{id}")).expect(200);
    assert_eq!(read["data"]["attributes"]["orphaned_steps"], json!([]));
    assert_eq!(read["data"]["attributes"]["graph"], graph(&["a", "b"]));
    let me = api.get("/v2/users/me").expect(200);
    assert_eq!(me["data"]["id"], relationships["user"]["data"]["id"]);
}

#[test]
fn workspaces_are_the_tenants_of_which_one_is_a_member() {
    let server = TestServer::start();
    let api = server.api();
    api.post("tenants/north", &json!({})).expect(201);
    let nora = add_member(&server, "nora", "north", "user");
    let all = api.get("/v2/workspaces").expect(200);
    assert_eq!(all["data"].as_array().unwrap().len(), 2, "{all:#}");
    assert_eq!(all["data"][0]["type"], "workspace");
    let hers = nora.get("/v2/workspaces").expect(200);
    assert_eq!(hers["data"].as_array().unwrap().len(), 1, "{hers:#}");
    let north = workspace(&nora, "north");
    let one = nora.get(&format!("/v2/workspaces/{north}")).expect(200);
    assert_eq!(one["data"]["id"], north.as_str());
    let other = workspace(&api, "default_tenant");
    refused(&nora.get(&format!("/v2/workspaces/{other}")), 404, "NotFound");
    assert_eq!(nora.get("/v2/users/me").expect(200)["data"]["type"], "user");
}

#[test]
fn flows_are_filtered_searched_sorted_and_paged() {
    let server = TestServer::start();
    let api = server.api();
    api.post("tenants/north", &json!({})).expect(201);
    let default = workspace(&api, "default_tenant");
    let north = workspace(&api, "north");
    for name in ["beta", "alpha", "gamma"] {
        Flow::create(&api, name, &["a"]);
    }
    let delta = Flow::create_in(&api, "north", "delta", &["a"]);
    let mut long = flow_body(&default, "omega 100%", &["a"]);
    long["data"]["attributes"]["type"] = json!("long_running");
    api.post("/v2/flows", &long).expect(201);
    delta.start();

    assert_eq!(names(&list(&api, "?sort=name")), ["alpha", "beta", "delta", "gamma", "omega 100%"]);
    assert_eq!(names(&list(&api, "?sort=-name")), ["omega 100%", "gamma", "delta", "beta", "alpha"]);
    let by_time = ["beta", "alpha", "gamma", "delta", "omega 100%"];
    assert_eq!(names(&list(&api, "?sort=created_at")), by_time);
    assert_eq!(names(&list(&api, "?sort=-created_at&page[size]=1")), ["omega 100%"]);
    assert_eq!(names(&list(&api, &format!("?workspace_id={north}"))), ["delta"]);
    let query = format!("?workspace_id={default}&sort=name");
    assert_eq!(names(&list(&api, &query)), ["alpha", "beta", "gamma", "omega 100%"]);
    assert_eq!(names(&list(&api, "?filter[status]=active")), ["delta"]);
    assert_eq!(names(&list(&api, "?filter[status]=inactive")).len(), 4);
    assert_eq!(names(&list(&api, "?filter[type]=long_running")), ["omega 100%"]);
    assert_eq!(names(&list(&api, "?filter[has_draft]=true")), Vec::<&str>::new());
    assert_eq!(names(&list(&api, "?filter%5Bhas_draft%5D=false")).len(), 5);
    let me = api.get("/v2/users/me").expect(200)["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!(names(&list(&api, &format!("?filter[user]={me}"))).len(), 5);
    assert_eq!(names(&list(&api, "?filter[user]=nobody")), Vec::<&str>::new());
    assert_eq!(names(&list(&api, "?search=ALPH")), ["alpha"]);
    assert_eq!(names(&list(&api, "?search=0%25")), ["omega 100%"]);
    assert_eq!(names(&list(&api, "?search=%25a")), Vec::<&str>::new(), "no pattern");

    let page = list(&api, "?sort=name&page[size]=2&page[number]=2");
    assert_eq!(names(&page), ["delta", "gamma"]);
    assert_eq!(page["meta"], json!({ "page": 2, "per_page": 2, "total": 5, "total_pages": 3 }));
    let beyond = list(&api, "?page[size]=2&page[number]=9");
    assert_eq!((names(&beyond).len(), &beyond["meta"]["total"]), (0, &json!(5)));
    let meta = list(&api, "")["meta"].take();
    assert_eq!(meta, json!({ "page": 1, "per_page": 50, "total": 5, "total_pages": 1 }));
    for query in ["?page[size]=x", "?sort=colour"] {
        refused(&api.get(&format!("/v2/flows{query}")), 400, "BadParameters");
    }
}

#[test]
fn a_wrong_flow_is_refused_with_a_pointer_to_what_is_wrong() {
    let server = TestServer::start();
    let api = server.api();
    let good = flow_body(&workspace(&api, "default_tenant"), "Nightly", &["a"]);
    for (pointer, value) in [
        ("/data/attributes/name", json!(5)),
        ("/data/attributes/type", json!("odd")),
        ("/data/attributes/graph", json!([])),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        let error = refused(&api.post("/v2/flows", &bad), 400, "BadParameters");
        let found = error["source"]["pointer"].as_str().unwrap_or_default();
        assert!(found.starts_with(pointer), "{error:#}");
    }
    for key in ["name", "type", "graph"] {
        let mut bad = good.clone();
        bad["data"]["attributes"].as_object_mut().unwrap().remove(key).unwrap();
        let error = refused(&api.post("/v2/flows", &bad), 400, "BadParameters");
        assert_eq!(error["source"]["pointer"], format!("/data/attributes/{key}"));
    }
    // Two steps of one name would share one snapshot.
    let mut twice = good.clone();
    twice["data"]["attributes"]["graph"]["nodes"] = json!([{ "id": "a" }, { "id": "a" }]);
    assert_eq!(api.post("/v2/flows", &twice).status, 400);
    let mut elsewhere = good;
    elsewhere["data"]["relationships"]["workspace"]["data"]["id"] = json!("nowhere");
    assert!(matches!(api.post("/v2/flows", &elsewhere).status, 400 | 403 | 404));
    assert_eq!(list(&api, "")["meta"]["total"], 0);
}

#[test]
fn a_flow_is_edited_in_part_and_its_graph_only_while_it_stands() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a", "b"]);
    flow.create_snapshot("b", "1").expect(201);
    let version = |flow: &Flow| flow.get()["attributes"]["version"].as_u64().unwrap();
    let before = version(&flow);
    let edited = edit(&flow, &json!({ "name": "Daily", "cron": "0 3 * * *" })).expect(200);
    assert_eq!(edited["data"]["attributes"]["name"], "Daily");
    let attributes = flow.get()["attributes"].take();
    assert_eq!((&attributes["name"], &attributes["cron"]), (&json!("Daily"), &json!("0 3 * * *")));
    assert_eq!(attributes["graph"], graph(&["a", "b"]), "what was not named stays");
    assert!(version(&flow) > before);

    flow.start();
    edit(&flow, &json!({ "description": "runs" })).expect(200);
    refused(&edit(&flow, &json!({ "graph": graph(&["a"]) })), 403, "FlowRunning");
    refused(&edit(&flow, &json!({ "type": "long_running" })), 403, "FlowRunning");
    flow.stop();

    // The snapshot of a step that leaves the graph is kept, and said to have no step.
    edit(&flow, &json!({ "graph": graph(&["c", "a"]) })).expect(200);
    assert_eq!(flow.get()["attributes"]["orphaned_steps"], json!(["b"]));
    refused(&flow.edit("b", "2"), 404, "StepNotInFlow");
    edit(&flow, &json!({ "graph": graph(&["b"]) })).expect(200);
    assert_eq!(flow.get()["attributes"]["orphaned_steps"], json!([]));
    assert_eq!(flow.value("b").unwrap(), "1");

    let mut body = json!({ "data": { "type": "flow", "id": "x", "attributes": { "name": "x" } } });
    refused(&flow.api.patch(&flow.path(""), &body), 409, "IdMismatch");
    body["data"]["id"] = json!(flow.id);
    body["data"]["type"] = json!("snapshot");
    refused(&flow.api.patch(&flow.path(""), &body), 409, "IdMismatch");
    refused(&edit(&flow, &json!({ "name": 5 })), 400, "BadParameters");
}

#[test]
fn a_delete_takes_the_snapshots_along_and_not_the_captures() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    flow.create_snapshot("a", "1").expect(201);
    let capture = flow.capture("kept");
    flow.start();
    refused(&flow.api.delete(&flow.path("")), 403, "FlowRunning");
    flow.stop();
    let deleted = flow.api.delete(&flow.path(""));
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    refused(&flow.api.get(&flow.path("")), 404, "NotFound");
    refused(&flow.api.get(&flow.path("/snapshots")), 404, "NotFound");
    refused(&flow.api.delete(&flow.path("")), 404, "NotFound");
    let kept = flow.api.get(&format!("/v2/captures/{capture}")).expect(200);
    assert_eq!(kept["data"]["attributes"]["steps"], json!({ "a": 1 }));
    assert_eq!(kept["data"]["attributes"]["flow_name"], "Nightly");
}

#[test]
fn the_current_status_follows_the_wish_until_a_runtime_reports_it() {
    let server = TestServer::start();
    let flow = Flow::create(&server.api(), "Nightly", &["a"]);
    let (active, inactive) = (json!("active"), json!("inactive"));
    let started = flow.start();
    assert_eq!(started["data"]["id"], flow.id.as_str());
    assert_eq!(started["data"]["attributes"]["status"], "active");
    assert_eq!(statuses(&flow), (active.clone(), active.clone()));
    assert!(flow.get()["attributes"]["last_start_time"].is_string());
    assert_eq!(flow.stop(), json!({ "data": {}, "meta": {} }));
    assert_eq!(statuses(&flow), (inactive.clone(), inactive.clone()));
    assert!(flow.get()["attributes"]["last_stop_time"].is_string());

    let reported = flow.report(inactive.clone()).expect(200);
    assert_eq!(reported["data"]["attributes"]["reports_current_status"], true);
    flow.start();
    assert_eq!(statuses(&flow), (active.clone(), inactive.clone()));
    refused(&flow.create_snapshot("a", "1"), 403, "FlowRunning");
    flow.report(active.clone()).expect(200);
    flow.stop();
    assert_eq!(statuses(&flow), (inactive.clone(), active.clone()));
    refused(&flow.create_snapshot("a", "1"), 403, "FlowRunning");
    refused(&flow.api.delete(&flow.path("")), 403, "FlowRunning");
    flow.report(inactive.clone()).expect(200);
    flow.create_snapshot("a", "1").expect(201);

    flow.report(Value::Null).expect(200);
    assert_eq!(flow.get()["attributes"]["reports_current_status"], false);
    flow.start();
    assert_eq!(statuses(&flow), (active.clone(), active));
    flow.stop();
    assert_eq!(statuses(&flow), (inactive.clone(), inactive));
    refused(&flow.report(json!("odd")), 400, "BadParameters");
    refused(&flow.api.post(&flow.path("/current-status"), &json!({})), 400, "BadParameters");
}
