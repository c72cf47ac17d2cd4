//! Key material: agents' key files, keys among properties, keys in blueprints' archives.
//!
//! It never lies open in an archive; what is left out of one is named.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, TestServer, assert_hidden, fill};

/// A key that opens nothing, with words in it that can be searched for.
fn private_key(canary: &str) -> String {
    format!("-----BEGIN RSA PRIVATE KEY-----\n{canary}\n-----END RSA PRIVATE KEY-----\n")
}

const FILE_CANARY: &str = "canaryInTheAgentsKeyFile4f1b";
const PASSWORD_CANARY: &str = "canary-of-the-broker-77aa";
const PROPERTY_CANARY: &str = "canaryAmongTheProperties9c2d";
const ARCHIVE_CANARY: &str = "canaryInTheBlueprint83e0";

const BOAT: &str = "\
tosca_definitions_version: cloudify_dsl_1_4
inputs:
  key: {}
node_types:
  boat.nodes.Hull:
    properties:
      name: { default: Möwe }
      lock: { default: {} }
node_templates:
  hull:
    type: boat.nodes.Hull
    properties:
      lock: { key: { get_input: key }, kind: padlock }
";

/// A blueprint whose archive holds a private key, uncompressed so that it could be seen.
fn boat_archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let key = private_key(ARCHIVE_CANARY);
    for (name, content) in [("boat/boat.yaml", BOAT), ("boat/keys/id_rsa", key.as_str())] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

/// What an execution reports as left out, each as a line.
fn left_out(execution: &Value) -> Vec<String> {
    let lines = execution["report"]["sources"]["embedded"]["left_out"].as_array().unwrap_or_else(|| {
        panic!("no list of what was left out: {execution:#}");
    });
    lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

fn messages(api: &Api, execution: &Value) -> String {
    let id = execution["id"].as_str().unwrap();
    let items = api.get(&format!("events?execution_id={id}&type=cloudify_log")).items();
    items.iter().map(|item| format!("{}\n", item["message"].as_str().unwrap())).collect()
}

/// Takes a snapshot of `first` and restores it on a new manager that has its key.
fn carry(first: &TestServer, options: &Value) -> (Value, Vec<u8>, TestServer, Value) {
    let created = first.api().create_snapshot("carried", options);
    let archive = first.api().archive("carried");
    first.api().delete("snapshots/carried").expect(200);
    let second = TestServer::builder().opening_archives_of(first).start();
    second.api().send_archive("carried", &archive).expect(201);
    let restored = second.api().restore_snapshot("carried", &json!({}));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    (created, archive, second, restored)
}

#[test]
fn agents_keys_are_sealed_with_credentials_and_named_when_left_out() {
    let first = TestServer::start();
    let api = first.api();
    fill(&api);
    let instance = api.get("node-instances?node_id=tower").items()[0]["id"].clone();
    let agent =
        json!({ "node_instance_id": instance, "rabbitmq_password": PASSWORD_CANARY, "ip": "10.0.0.7" });
    api.put("agents/keeper", &agent).expect(200);
    let key_file = [private_key(FILE_CANARY).as_bytes(), &[0, 0xff, b'\n']].concat();
    let request = api.request(Method::PUT, "agents/keeper/key-file").body(key_file.clone());
    assert_eq!(api.send(request).expect(200)["has_key_file"], true);
    let shown = api.get("agents/keeper").expect(200);

    let (created, archive, second, _) = carry(&first, &json!({ "include_credentials": true }));
    assert_eq!(left_out(&created), Vec::<String>::new());
    let back = second.api().get("agents/keeper/key-file");
    assert_eq!((back.status, back.body), (200, key_file));
    assert_eq!(second.api().get("agents/keeper").expect(200), shown);
    let counts = &created["report"]["sources"]["embedded"]["counts"];
    assert_eq!(counts["agent_credentials"], 2, "the key file and the password: {counts:#}");
    for canary in [FILE_CANARY, PASSWORD_CANARY] {
        assert_hidden(&archive, canary);
    }
    // What came back can be kept again: the password is there although nobody can see it.
    let again = second.api().create_snapshot("again", &json!({ "include_credentials": true }));
    assert_eq!(again["report"]["sources"]["embedded"]["counts"]["agent_credentials"], 2);

    let (created, archive, second, _) = carry(&first, &json!({ "include_credentials": false }));
    let lines = left_out(&created);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("`keeper`") && lines[0].contains("`default_tenant`"), "{lines:?}");
    assert!(messages(&api, &created).contains(&lines[0]), "the log says it too");
    let mut without = shown;
    without["has_key_file"] = json!(false);
    assert_eq!(second.api().get("agents/keeper").expect(200), without);
    assert_eq!(second.api().get("agents/keeper/key-file").status, 404);
    for canary in [FILE_CANARY, PASSWORD_CANARY] {
        assert_hidden(&archive, canary);
    }
}

/// A deployment's input, the property that it became, and a runtime property: all hold the key.
fn key_values(api: &Api) -> [Value; 3] {
    let deployment = api.get("deployments/boat").expect(200);
    let node = api.get("nodes?deployment_id=boat").items().remove(0);
    let instance = api.get("node-instances?deployment_id=boat").items().remove(0);
    [deployment["inputs"].clone(), node["properties"].clone(), instance["runtime_properties"].clone()]
}

#[test]
fn private_keys_in_properties_and_archives_never_lie_open() {
    let first = TestServer::start();
    let api = first.api();
    fill(&api);
    let archive_of_boat = boat_archive();
    let upload = api
        .request(Method::PUT, "blueprints/boat?application_file_name=boat.yaml")
        .body(archive_of_boat.clone());
    assert_eq!(api.send(upload).expect(201)["state"], "uploaded");
    let key = private_key(PROPERTY_CANARY);
    api.put("deployments/boat", &json!({ "blueprint_id": "boat", "inputs": { "key": key } })).expect(201);
    let made = api.get("executions?deployment_id=boat&_include_system_workflows=true").items().remove(0);
    assert_eq!(api.wait_for_end(&made)["status"], "terminated");
    let instance = api.get("node-instances?deployment_id=boat").items().remove(0);
    let path = format!("node-instances/{}", instance["id"].as_str().unwrap());
    let runtime = json!({ "found": ["nothing", { "there": format!("a key: {key}") }], "n": 1 });
    api.patch(&path, &json!({ "version": instance["version"], "runtime_properties": runtime })).expect(200);
    let values = key_values(&api);
    assert_eq!(values[1]["lock"]["key"], key.as_str(), "{values:#?}");

    let (created, archive, second, _) = carry(&first, &json!({ "include_credentials": true }));
    assert_eq!(left_out(&created), Vec::<String>::new());
    assert_eq!(key_values(&second.api()), values);
    assert_eq!(second.api().get("blueprints/boat/archive").body, archive_of_boat);
    for canary in [PROPERTY_CANARY, ARCHIVE_CANARY] {
        assert_hidden(&archive, canary);
    }

    let (created, archive, second, restored) = carry(&first, &json!({ "include_credentials": false }));
    for canary in [PROPERTY_CANARY, ARCHIVE_CANARY] {
        assert_hidden(&archive, canary);
    }
    let lines = left_out(&created);
    for place in [
        "default_tenant/deployments/boat.inputs.key",
        "default_tenant/nodes/hull.properties.lock.key",
        &format!("{}.runtime_properties.found.there", path.replace("node-instances", "node_instances")),
    ] {
        assert!(lines.iter().any(|line| line.contains(place)), "`{place}` is not named: {lines:#?}");
    }
    let [inputs, properties, runtime] = key_values(&second.api());
    let is_placeholder = |value: &Value| value.as_str().unwrap().starts_with("lifeboat:private-key:");
    assert!(is_placeholder(&inputs["key"]), "{inputs}");
    assert!(is_placeholder(&properties["lock"]["key"]), "{properties}");
    assert!(is_placeholder(&runtime["found"][1]["there"]), "{runtime}");
    assert_eq!(properties["lock"]["kind"], "padlock", "only the key is gone");
    let notes = restored["report"]["sources"]["embedded"]["notes"].to_string();
    for kind in ["`deployments`", "`nodes`", "`node_instances`"] {
        assert!(notes.contains(kind), "the restore does not name {kind}: {notes}");
    }
    assert_eq!(second.api().get("blueprints/boat/archive").body, archive_of_boat, "sealed, never left out");
    let path = "blueprints/lighthouse/archive";
    assert_eq!(second.api().get(path).body, api.get(path).body);
}

#[test]
fn without_the_sealed_parts_all_else_is_restored_and_what_is_missing_is_told() {
    let first = TestServer::start();
    let api = first.api();
    fill(&api);
    let upload =
        api.request(Method::PUT, "blueprints/boat?application_file_name=boat.yaml").body(boat_archive());
    assert_eq!(api.send(upload).expect(201)["state"], "uploaded");
    let key = private_key(PROPERTY_CANARY);
    api.put("deployments/boat", &json!({ "blueprint_id": "boat", "inputs": { "key": key } })).expect(201);
    let made = api.get("executions?deployment_id=boat&_include_system_workflows=true").items().remove(0);
    assert_eq!(api.wait_for_end(&made)["status"], "terminated");
    let secrets = api.get("secrets?_all_tenants=true").items().len();
    api.create_snapshot("carried", &json!({ "include_credentials": true }));

    let second = TestServer::start();
    let other = second.api();
    other.send_archive("carried", &api.archive("carried")).expect(201);
    assert_eq!(other.restore_snapshot("carried", &json!({}))["status"], "failed", "the key is not here");
    let planned = |options: Value| {
        let execution = other.post("snapshots/carried/plan", &options).expect(201);
        other.wait_for_end(&execution)["report"].clone()
    };
    assert_eq!(planned(json!({}))["refusals"][0]["rule"], "no_key");
    let bare = planned(json!({ "skip_sealed": true }));
    assert_eq!(bare["can_be_restored"], true);
    let restored = other.restore_snapshot("carried", &json!({ "skip_sealed": true }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    let sealed = &restored["report"]["sources"]["sealed"];
    assert_eq!(sealed["missing"]["secrets"], secrets, "{sealed:#}");
    assert_eq!(sealed["missing"]["blueprint_archives"], json!(["default_tenant/boat"]));
    assert!(sealed["missing"]["private_keys"].as_u64().unwrap() > 0);
    let boat = |kind: &str, id: &str, lacks: &str| json!({ "kind": kind, "tenant": "default_tenant", "id": id, "lacks": lacks });
    let lost = sealed["lost"].as_array().unwrap();
    for one in [
        boat("blueprints", "boat", "archive"),
        boat("deployments", "boat", "private_keys"),
        boat("nodes", "boat/hull", "private_keys"),
    ] {
        assert!(lost.contains(&one), "{one} is not named: {sealed:#}");
    }
    assert!(!sealed["lost"].to_string().contains("lighthouse"), "{sealed:#}");
    assert_eq!(sealed["unnamed"], json!(["secrets"]), "{sealed:#}");
    assert_eq!(&bare["sealed"], sealed, "the plan names the same");
    let again = planned(json!({ "skip_sealed": true, "force": true }));
    assert_eq!(again["totals"], json!({ "added": 0, "removed": 0, "changed": 0 }), "{again:#}");

    // Where the key is here, what does not come has a name; what would lose something would be changed.
    let execution =
        api.post("snapshots/carried/plan", &json!({ "skip_sealed": true, "force": true })).expect(201);
    let own = api.wait_for_end(&execution)["report"].clone();
    assert_eq!(own["sealed"]["unnamed"], json!([]), "{own:#}");
    let gone = boat("secrets", "lamp_passphrase", "all");
    assert!(own["sealed"]["lost"].as_array().unwrap().contains(&gone), "{own:#}");
    let changed = &own["kinds"]["blueprints"]["first"]["changed"];
    assert_eq!(changed, &json!([{ "tenant": "default_tenant", "id": "boat" }]), "{own:#}");
    let fields = api
        .get("snapshots/carried/plan/fields?kind=blueprints&tenant=default_tenant&entity_id=boat")
        .expect(200);
    let pointers: Vec<&Value> =
        fields["fields"].as_array().unwrap().iter().map(|field| &field["pointer"]).collect();
    assert_eq!(pointers, ["/archive_blob", "/archive_size_bytes"], "{fields:#}");
    // Of a part, only what is in it.
    let select = json!({ "ids": ["deployments/default_tenant/boat"] });
    let body = json!({ "skip_sealed": true, "force": true, "select": select });
    let execution = api.post("snapshots/carried/plan", &body).expect(201);
    let part = api.wait_for_end(&execution)["report"].clone();
    let kinds: Vec<&str> = part["sealed"]["lost"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lost| lost["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["deployments", "nodes"], "{part:#}");
    assert_eq!(sealed["sealed_for"][0], first.key_show()["recipients"][0]["fingerprint"]);
    let notes = restored["report"]["sources"]["embedded"]["notes"].to_string();
    assert!(notes.contains("`boat`") && notes.contains("were not restored"), "{notes}");
    assert_eq!(other.get("secrets?_all_tenants=true").items().len(), 0);
    for list in ["deployments", "nodes", "node-instances", "plugins"] {
        assert_eq!(other.get(list).items().len(), api.get(list).items().len(), "{list}");
    }

    // A blueprint without its archive breaks nothing: it is listed, deployed from, kept and restored.
    let boat = other.get("blueprints/boat").expect(200);
    assert_eq!(boat["state"], "uploaded");
    assert_eq!(boat["archive_size_bytes"], 0);
    other.get("blueprints/boat/archive").expect_error(404, "not_found_error");
    assert_eq!(
        other.get("blueprints/lighthouse/archive").body,
        api.get("blueprints/lighthouse/archive").body
    );
    let body = json!({ "blueprint_id": "boat", "inputs": { "key": "none" } });
    other.put("deployments/tender", &body).expect(201);
    let made = other.get("executions?deployment_id=tender&_include_system_workflows=true").items().remove(0);
    assert_eq!(other.wait_for_end(&made)["status"], "terminated");
    let created = other.create_snapshot("again", &json!({}));
    assert_eq!(created["status"], "terminated", "{created:#}");
    let restored = other.restore_snapshot("again", &json!({ "force": true }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    assert_eq!(other.get("blueprints/boat").expect(200), boat);
    assert!(other.delete("deployments/tender").status < 300);
}
