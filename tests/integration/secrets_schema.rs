//! Secrets with a JSON schema, by the real clients: what fits is kept as it is, what does not is refused, and neither is
//! ever told.

use serde_json::{Value, json};

use crate::harness::{ADMIN_PASSWORD, Api, TestServer, python_common, python_rest_client, script};

const SCHEMA: &str = r##"{"type":"object","properties":{"port":{"$ref":"#/$defs/port"}},"required":["user"],"$defs":{"port":{"type":"integer","maximum":65535}}}"##;
const VALUE: &str = r#"{"user":"ada-of-lovelace","port":8080,"tags":["x",null,2.5]}"#;

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn value() -> Value {
    serde_json::from_str(VALUE).unwrap()
}

/// Asserts that a secret is refused, and that nothing of its value is in the answer.
fn refused(api: &Api, method: &str, body: &Value, words: &[&str]) {
    let reply = match method {
        "PUT" => api.put("secrets/lamp", body),
        _ => api.patch("secrets/lamp", body),
    };
    let text = reply.text();
    reply.expect_error(400, "bad_parameters_error");
    for word in words {
        assert!(text.contains(word), "{text} does not say {word:?}");
    }
    assert!(!text.contains("ada-of-lovelace") && !text.contains("hush"), "{text}");
}

#[test]
fn a_secret_of_cfy_has_the_schema_that_it_says() {
    let server = TestServer::start();
    let (api, cfy) = (server.api(), server.cfy());
    cfy.run(&["secrets", "create", "lamp", "-s", VALUE, "--schema", SCHEMA]).success();
    let secret = api.get("secrets/lamp").expect(200);
    assert_eq!((&secret["value"], &secret["schema"]), (&value(), &schema()), "{secret:#}");
    let listed = cfy.json(&["secrets", "list"]);
    assert!(!listed.to_string().contains("ada-of-lovelace"), "{listed}");
    cfy.run(&["secrets", "get", "lamp"]).success().says(&["ada-of-lovelace"]);

    let other = r#"{"user":"grace","port":70000}"#;
    let reason =
        ["400", "Error validating secret value", "greater than the maximum of 65535", "/$defs/port/maximum"];
    let told = cfy.run(&["secrets", "update", "lamp", "-s", other]).refused(&reason);
    assert!(!told.all().contains("70000"), "{}", told.all());
    cfy.run(&["secrets", "update", "lamp", "-s", r#"{"user":"grace"}"#]).success();
    assert_eq!(api.get("secrets/lamp").expect(200)["value"], json!({ "user": "grace" }));
    cfy.run(&["secrets", "create", "lamp", "-u", "-s", "plain"]).refused(&["400", "not of type 'object'"]);

    cfy.run(&["secrets", "create", "list", "-s", "[1,2]", "--list"]).success();
    cfy.run(&["secrets", "create", "map", "-s", "{}", "--dict"]).success();
    cfy.run(&["secrets", "create", "word", "-s", "\"on\"", "--schema", r#"{"type":"string"}"#]).success();
    assert_eq!(api.get("secrets/list").expect(200)["value"], json!([1, 2]));
    assert_eq!(api.get("secrets/map").expect(200)["value"], json!({}));
    assert_eq!(api.get("secrets/word").expect(200)["value"], "on");
    cfy.run(&["secrets", "create", "wrong", "-s", "{}", "--list"]).refused(&["400", "not of type 'array'"]);
    cfy.run(&["secrets", "create", "wrong", "-s", "7", "--schema", r#"{"type":"number","maximum":6}"#])
        .refused(&["400", "Error validating secret value", "greater than the maximum"]);
    cfy.run(&["secrets", "create", "wrong", "-s", "7", "--schema", r#"{"type":"numeral"}"#]).refused(&[
        "400",
        "the schema of secret `wrong` can't be used",
        "/type",
    ]);
    api.get("secrets/wrong").expect_status(404);
}

#[test]
fn a_value_that_does_not_fit_changes_nothing_and_is_never_told() {
    let server = TestServer::start();
    let api = server.api();
    api.put("secrets/lamp", &json!({ "value": value(), "schema": schema(), "is_hidden_value": true }))
        .expect(200);
    let before = api.get("secrets/lamp").expect(200);

    for (wrong, words) in [
        (json!("ada-of-lovelace"), &["not of type 'object'"][..]),
        (json!({ "port": "hush" }), &["required"]),
        (json!({ "user": "hush", "port": "hush" }), &["not of type 'integer'", "/$defs/port/type"]),
    ] {
        refused(&api, "PATCH", &json!({ "value": wrong, "visibility": "global" }), words);
        let again = json!({ "value": wrong, "update_if_exists": true });
        refused(&api, "PUT", &again, words);
    }
    assert_eq!(api.get("secrets/lamp").expect(200), before, "a refused change changed something");

    let closed =
        json!({ "type": "object", "additionalProperties": false, "propertyNames": { "maxLength": 3 } });
    let body = json!({ "value": { "hush": 1 }, "schema": closed, "update_if_exists": true });
    refused(&api, "PUT", &body, &["Error validating secret value"]);
    refused(&api, "PUT", &json!({ "value": 7, "update_if_exists": true }), &["not of type 'object'"]);
    refused(&api, "PATCH", &json!({ "schema": { "type": "array" } }), &["can't be changed by itself"]);

    // Another schema comes with a value that fits it.
    let list = json!({ "value": ["a"], "schema": { "type": "array" }, "update_if_exists": true });
    assert_eq!(api.put("secrets/lamp", &list).expect(200)["schema"], json!({ "type": "array" }));
    assert_eq!(api.get("secrets/lamp").expect(200)["value"], json!(["a"]));
    api.put("secrets/text", &json!({ "value": "hush" })).expect(200);
    let reply = api.patch("secrets/text", &json!({ "value": { "a": "hush" } }));
    assert!(!reply.text().contains("hush"), "{}", reply.text());
    reply.expect_error(400, "bad_parameters_error");
}

#[test]
fn a_schema_that_leads_anywhere_else_is_refused_and_nothing_is_fetched() {
    let server = TestServer::start();
    let api = server.api();
    let nested = |depth: usize| {
        (0..depth).fold(json!({ "type": "array" }), |inner, _| json!({ "type": "array", "items": inner }))
    };
    let doubled = |depth: usize| {
        let mut schema = json!({ "type": "object", "$defs": { "d0": { "type": "object" } } });
        for level in 1..=depth {
            let below = json!({ "$ref": format!("#/$defs/d{}", level - 1) });
            schema["$defs"][format!("d{level}")] = json!({ "allOf": [below, below] });
        }
        schema["$ref"] = json!(format!("#/$defs/d{depth}"));
        schema
    };
    for (schema, words) in [
        (json!({ "$ref": "http://127.0.0.1:9/lamp.json" }), "http://127.0.0.1:9/lamp.json"),
        (json!({ "properties": { "a": { "$ref": "file:///etc/hostname" } } }), "file:///etc/hostname"),
        (json!({ "$ref": "other.json#/a" }), "other.json#/a"),
        (json!({ "$ref": "#" }), "leads back to itself"),
        (
            json!({ "allOf": [{ "$ref": "#/$defs/a" }], "$defs": { "a": { "not": { "$ref": "#/$defs/a" } } } }),
            "leads back",
        ),
        (json!({ "properties": { "below": { "$ref": "#" } } }), "leads back to itself"),
        (json!({ "$ref": "#/$defs/none" }), "there is no `#/$defs/none`"),
        (json!({ "$ref": "#anchor" }), "#anchor"),
        (json!({ "$dynamicRef": "#a", "$dynamicAnchor": "a" }), "$dynamicRef"),
        (json!({ "items": { "$id": "https://example.org/x" } }), "$id"),
        (json!({ "$schema": "https://example.org/dialect" }), "https://example.org/dialect"),
        (json!({ "pattern": "(?=a)b" }), "pattern"),
        (json!({ "pattern": "(" }), "pattern"),
        (json!({ "type": 7 }), "/type"),
        (json!({ "enum": ["x".repeat(70_000)] }), "longer than"),
        (nested(60), ""),
        (doubled(20), "more than 1000 schemas"),
    ] {
        let body = json!({ "value": {}, "schema": schema });
        let reply = api.put("secrets/lamp", &body);
        let text = reply.text();
        reply.expect_error(400, "bad_parameters_error");
        assert!(text.contains(words), "{schema}: {text} does not say {words:?}");
    }
    api.get("secrets/lamp").expect_status(404);
    for schema in [json!("object"), json!([]), json!(true)] {
        api.put("secrets/lamp", &json!({ "value": {}, "schema": schema }))
            .expect_error(400, "bad_parameters_error");
    }
    // Patterns take time in proportion to the text.
    let slow = json!({ "value": "a".repeat(50_000), "schema": { "type": "string", "pattern": "^(a+)+$" } });
    api.put("secrets/slow", &slow).expect(200);
    // A schema that says nothing is none.
    let none = api.put("secrets/none", &json!({ "value": "x", "schema": {} })).expect(200);
    assert_eq!(none["schema"], Value::Null);
}

#[test]
fn the_python_clients_keep_what_is_no_text() {
    let server = TestServer::start();
    let port = server.port().to_string();
    let story = script("secret_schemas.py");
    let arguments = [&*story, "--port", &*port, "--password", ADMIN_PASSWORD];
    python_common(&arguments).success().says(&["the story held"]);
    let kept = server.api().get("secrets/point").expect(200);
    assert_eq!(kept["value"], json!({ "x": 1, "y": [true, null] }), "{kept:#}");
    // The older client knows no schema, and reads what is there.
    python_rest_client(&[&arguments[..], &["--reads"]].concat()).success().says(&["the story held"]);
}

#[test]
fn snapshots_exports_and_comparisons_carry_schemas() {
    let first = TestServer::start();
    let second = TestServer::builder().opening_archives_of(&first).start();
    let api = first.api();
    api.put("secrets/lamp", &json!({ "value": value(), "schema": schema() })).expect(200);
    api.put("secrets/text", &json!({ "value": "plain" })).expect(200);
    let whole = api.get("secrets/lamp").expect(200);
    api.create_snapshot("nightly", &json!({}));

    // What changes is told, and the value is not.
    let looser = json!({ "value": value(), "schema": { "type": "object" }, "update_if_exists": true });
    api.put("secrets/lamp", &looser).expect(200);
    let plan = crate::plan::plan(&api, "nightly", &json!({ "force": true }));
    assert_eq!(plan["kinds"]["secrets"]["changed"], 1, "{plan:#}");
    let fields = api
        .get("snapshots/nightly/plan/fields?kind=secrets&tenant=default_tenant&entity_id=lamp")
        .expect(200);
    let pointers: Vec<&str> =
        fields["fields"].as_array().unwrap().iter().map(|field| field["pointer"].as_str().unwrap()).collect();
    assert!(pointers.iter().any(|pointer| pointer.starts_with("/schema")), "{fields:#}");
    assert!(!fields.to_string().contains("ada-of-lovelace"), "{fields:#}");
    let only = json!({ "select": { "kinds": ["secrets"], "ids": ["lamp"] }, "recreate_deployments_envs": false, "force": true });
    let restored = api.restore_snapshot("nightly", &only);
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    let back = api.get("secrets/lamp").expect(200);
    assert_eq!((&back["value"], &back["schema"]), (&whole["value"], &whole["schema"]), "{back:#}");

    let other = second.api();
    other.send_archive("nightly", &api.archive("nightly")).expect_status(201);
    let restored = other.restore_snapshot("nightly", &json!({}));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    assert_eq!(other.get("secrets/lamp").expect(200), whole);
    other.patch("secrets/lamp", &json!({ "value": [] })).expect_error(400, "bad_parameters_error");

    // An export holds the value as a text, and an import brings it back as what it is.
    let cfy = first.cfy();
    cfy.run(&["secrets", "export", "-p", "a passphrase of some length", "-o", "secrets.json"]).success();
    let exported: Value =
        serde_json::from_slice(&std::fs::read(cfy.home().join("secrets.json")).unwrap()).unwrap();
    assert_eq!(exported[0]["schema"], schema(), "{exported:#}");
    assert!(exported[1].get("schema").is_none(), "{exported:#}");
    for key in ["lamp", "text"] {
        api.delete(&format!("secrets/{key}")).expect(200);
    }
    cfy.run(&["secrets", "import", "-p", "a passphrase of some length", "-i", "secrets.json"]).success();
    let back = api.get("secrets/lamp").expect(200);
    assert_eq!((&back["value"], &back["schema"]), (&value(), &schema()), "{back:#}");
    let mut items = api.get("secrets/share/export").expect(200);
    items[0]["value"] = json!("[\"hush\"]");
    items[1]["value"] = json!({ "hush": 1 });
    let answer = api
        .post("secrets/share/import", &json!({ "secrets_list": items, "override_collisions": true }))
        .expect(200);
    assert!(
        answer["secrets_errors"]["0"]["schema"].as_str().unwrap().contains("not of type 'object'"),
        "{answer:#}"
    );
    assert_eq!(answer["secrets_errors"]["1"]["value"], "Not a text", "{answer:#}");
    assert!(!answer.to_string().contains("hush"), "{answer:#}");
}
