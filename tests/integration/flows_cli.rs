//! `lifeboat flow` by the real binary: the story of one flow, and what is refused.
//!
//! The flow lives in a tenant of its own that no command is told, since a flow
//! is found by its id alone.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, TestServer, document, fails, lifeboat, run, stderr, stdout};

/// The tenant of the flow.
const WORKSPACE: &str = "factory";
/// A step whose id has to be escaped in a path.
const ROWS: &str = "copy/rows";
/// A value that only its text tells: a number past 2^53, keys out of order, a zero at the end.
const VALUE: &str = r#"{"z": 9007199254740993, "$set": {"a.b": 1.10}, "a": null}"#;

/// Makes a flow of two steps, and gives its id.
fn create_flow(api: &Api) -> String {
    api.post(&format!("tenants/{WORKSPACE}"), &json!({})).expect(201);
    let graph = json!({
        "nodes": [
            { "id": "timer", "command": "elasticio/timer:timer@latest", "name": "", "description": "", "fields": {} },
            { "id": ROWS, "command": "elasticio/copy:rows@latest", "name": "", "description": "", "fields": {} },
        ],
        "edges": [{ "source": "timer", "target": ROWS, "config": {} }],
    });
    let attributes =
        json!({ "name": "orders", "type": "ordinary", "default_mapper_type": "jsonata", "graph": graph });
    let workspace = json!({ "data": { "id": WORKSPACE, "type": "workspace" } });
    let flow = json!({ "data": {
        "type": "flow",
        "attributes": attributes,
        "relationships": { "workspace": workspace },
    } });
    let made = api.post("/v2/flows", &flow).expect(201);
    made["data"]["id"].as_str().unwrap().to_owned()
}

/// Writes as a component does.
fn emit(api: &Api, flow: &str, step: &str, text: &str) {
    let step = step.replace('/', "%2F");
    let request = api.request(Method::POST, &format!("/v2/flows/{flow}/snapshots/{step}/emit"));
    let reply = api.send(request.header("Content-Type", "application/json").body(text.to_owned()));
    reply.expect(200);
}

/// Runs a command that has to work, and gives the text of the one document that it prints.
fn text_of_document(server: &TestServer, arguments: &[&str]) -> String {
    let output = run(lifeboat(server, &[arguments, &["--json"]].concat()));
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    let text = stdout(&output);
    serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    text
}

/// What a command prints for people, which has to work.
fn printed(server: &TestServer, arguments: &[&str]) -> String {
    let output = run(lifeboat(server, arguments));
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

/// The steps of a flow that keep something.
fn steps(server: &TestServer, flow: &str) -> Vec<String> {
    let shown = document(server, &["flow", "show", flow]);
    let snapshots = shown["snapshots"].as_array().unwrap();
    snapshots.iter().map(|snapshot| snapshot["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_flow_is_shown_started_reset_and_brought_back() {
    let server = TestServer::start();
    let api = server.api();
    let flow = create_flow(&api);
    emit(&api, &flow, ROWS, VALUE);

    let listed = document(&server, &["flow", "list", "--workspace", WORKSPACE, "--status", "inactive"]);
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed:#}");
    assert_eq!(listed[0]["id"], flow.as_str());
    assert_eq!(document(&server, &["flow", "list", "--status", "active"]), json!([]));
    assert!(printed(&server, &["flow", "list", "--search", "order"]).contains("1 of 1 flows"));

    assert!(text_of_document(&server, &["flow", "show", &flow]).contains(VALUE), "the text was changed");
    let shown = printed(&server, &["flow", "show", &flow]);
    for word in ["orders", WORKSPACE, "timer", "elasticio/copy:rows@latest", VALUE] {
        assert!(shown.contains(word), "does not say {word:?}: {shown}");
    }

    assert_eq!(document(&server, &["flow", "start", &flow])["attributes"]["status"], "active");
    emit(&api, &flow, "timer", "17");
    fails(lifeboat(&server, &["flow", "reset", &flow, "--yes"]), 4, &["reset flow", &flow]);
    fails(lifeboat(&server, &["flow", "undo", &flow]), 4, &["undo a change of flow"]);
    let stopped = document(&server, &["flow", "stop", &flow]);
    assert_eq!(stopped["attributes"]["status"], "inactive");

    let reset = document(&server, &["flow", "reset", &flow, ROWS, "--yes"]);
    assert_eq!(reset["attributes"]["steps"], json!([ROWS]));
    assert_eq!(steps(&server, &flow), ["timer"]);
    let undone = document(&server, &["flow", "undo", &flow]);
    assert_eq!(undone["attributes"]["action"], "undo");
    assert!(text_of_document(&server, &["flow", "show", &flow]).contains(VALUE), "the text was changed");

    let shown = document(&server, &["flow", "show", &flow, "--history"]);
    let history = shown["history"].as_array().unwrap();
    let actions: Vec<_> = history.iter().map(|entry| &entry["attributes"]["action"]).collect();
    assert_eq!(actions, ["undo", "reset", "emit", "emit"]);
    assert_eq!(shown["history"][0]["attributes"]["undoes"], reset["id"]);
    let last = document(&server, &["flow", "show", &flow, "--history", "1"]);
    assert_eq!(last["history"].as_array().unwrap().len(), 1);
    assert!(printed(&server, &["flow", "show", &flow, "--history"]).contains("undoes"));

    // Redone by naming the undo, and walked back from there.
    document(&server, &["flow", "undo", &flow, "--change", undone["id"].as_str().unwrap()]);
    assert_eq!(steps(&server, &flow), ["timer"]);
    let first = shown["history"][3]["attributes"]["change"].as_str().unwrap();
    fails(lifeboat(&server, &["flow", "undo", &flow, "--change", first]), 4, &["undo a change of flow"]);
    document(&server, &["flow", "reset", &flow, "--yes"]);
    assert_eq!(steps(&server, &flow), Vec::<String>::new());
    assert!(printed(&server, &["flow", "reset", &flow, "--yes"]).contains("nothing was to be changed"));
}

#[test]
fn a_capture_is_taken_compared_and_put_back() {
    let server = TestServer::start();
    let api = server.api();
    let flow = create_flow(&api);
    emit(&api, &flow, ROWS, VALUE);

    let taken = text_of_document(&server, &["flow", "capture", &flow, "--description", "before", "--wait"]);
    assert!(taken.contains(VALUE), "the text was changed: {taken}");
    let taken: Value = serde_json::from_str(&taken).unwrap();
    assert_eq!(taken["attributes"]["description"], "before");
    let first = taken["id"].as_str().unwrap();

    emit(&api, &flow, ROWS, "9007199254740993");
    emit(&api, &flow, "timer", "null");
    let begun = run(lifeboat(&server, &["flow", "capture", &flow]));
    let told = stdout(&begun);
    let told: Vec<_> = told.split_whitespace().collect();
    let ["capture", second, "execution", execution] = told[..] else { panic!("{told:?}") };
    let hint = format!("execution tail {execution} --tenant {WORKSPACE}");
    assert!(stderr(&begun).contains(&hint), "{}", stderr(&begun));
    let followed = run(lifeboat(&server, &hint.split(' ').collect::<Vec<_>>()));
    assert_eq!(followed.status.code(), Some(0));
    let listed = document(&server, &["flow", "captures", &flow]);
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed:#}");

    let compared = text_of_document(&server, &["flow", "compare", first]);
    assert!(compared.contains(VALUE) && compared.contains("9007199254740993"), "{compared}");
    let compared: Value = serde_json::from_str(&compared).unwrap();
    assert_eq!(compared["attributes"]["differences"].as_array().unwrap().len(), 2);
    assert!(printed(&server, &["flow", "compare", first, "--with", second]).contains("2 different"));
    assert!(printed(&server, &["flow", "compare", second]).contains("0 different, 2 the same"));

    let restored = document(&server, &["flow", "restore", &flow, "--capture", first, "--yes"]);
    assert_eq!(restored["attributes"]["action"], "restore");
    assert_eq!(steps(&server, &flow), [ROWS]);
    assert!(printed(&server, &["flow", "compare", first]).contains("0 different, 1 the same"));
    let undone = document(&server, &["flow", "undo", &flow]);
    assert_eq!(undone["attributes"]["action"], "undo");
    assert_eq!(steps(&server, &flow), ["timer", ROWS]);
}

#[test]
fn a_deleted_flow_comes_back_out_of_a_manager_snapshot() {
    let server = TestServer::start();
    let api = server.api();
    let flow = create_flow(&api);
    emit(&api, &flow, ROWS, VALUE);
    let create = ["snapshot", "create", "nightly", "--pause-flows", "--include-flow-history", "--wait"];
    assert_eq!(document(&server, &create)["status"], "terminated");

    let restore = ["flow", "restore", &flow, "--snapshot", "nightly", "--wait", "--yes"];
    let refused = run(lifeboat(&server, &restore));
    assert!(matches!(refused.status.code(), Some(1 | 4)), "a flow was replaced without --force");
    let reply = api.delete(&format!("/v2/flows/{flow}"));
    assert_eq!(reply.status, 204, "{}", reply.text());
    let execution = document(&server, &restore);
    assert_eq!(execution["workflow_id"], "restore_flow");
    assert!(text_of_document(&server, &["flow", "show", &flow]).contains(VALUE), "the text was changed");
    emit(&api, &flow, ROWS, "1");
    document(&server, &[&restore[..], &["--force"]].concat());
    assert!(text_of_document(&server, &["flow", "show", &flow]).contains(VALUE), "it was not replaced");
}

#[test]
fn an_unknown_flow_is_refused_and_a_loss_needs_a_yes() {
    let server = TestServer::start();
    let flow = create_flow(&server.api());
    let unknown = "000000000000000000000000";
    for arguments in [
        &["flow", "show", unknown][..],
        &["flow", "start", unknown],
        &["flow", "stop", unknown],
        &["flow", "reset", unknown, "--yes"],
        &["flow", "undo", unknown],
        &["flow", "capture", unknown, "--wait"],
        &["flow", "compare", "nothing"],
        &["flow", "restore", &flow, "--capture", "nothing", "--yes"],
        &["flow", "restore", &flow, "--snapshot", "nothing", "--yes"],
        &["flow", "undo", &flow],
    ] {
        let printed = fails(lifeboat(&server, arguments), 4, &[": "]);
        assert_eq!(printed, "", "{arguments:?}");
    }
    for arguments in [
        &["flow", "reset", &flow][..],
        &["flow", "restore", &flow, "--capture", "nothing"],
        &["flow", "restore", &flow, "--snapshot", "nothing"],
    ] {
        fails(lifeboat(&server, arguments), 2, &["--yes"]);
    }
    let mut wrong = lifeboat(&server, &["flow", "list"]);
    wrong.env("LIFEBOAT_PASSWORD", "not it");
    fails(wrong, 3, &["list the flows", "LIFEBOAT_PASSWORD"]);
}
