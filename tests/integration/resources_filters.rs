//! Labels, filters and searches: what they choose, what they refuse, and who is told of what.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, BLUEPRINT, TestServer, add_member, fill, send_blueprint, upload_text};

/// Deployments beside `default_tenant-tower`, with their labels.
const DEPLOYMENTS: [(&str, &[(&str, &str)]); 4] = [
    ("Alpha_1", &[("env", "prod"), ("env", "eu"), ("team", "red")]),
    ("alpha.2", &[("env", "test")]),
    ("beta", &[("team", "blue, dark"), ("csys-obj-type", "environment")]),
    ("gamma", &[("csys-obj-type", "environment"), ("csys-obj-parent", "beta")]),
];

fn filled() -> TestServer {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    for (id, labels) in DEPLOYMENTS {
        let labels: Vec<Value> = labels.iter().map(|(key, value)| json!({ *key: value })).collect();
        let body = json!({ "blueprint_id": BLUEPRINT, "labels": labels });
        api.put(&format!("deployments/{id}"), &body).expect(201);
    }
    server
}

fn rule(kind: &str, key: &str, operator: &str, values: &[&str]) -> Value {
    json!({ "type": kind, "key": key, "operator": operator, "values": values })
}

fn ids(list: &Value) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// The deployments that rules choose, `default_tenant-tower` left out, and how many were hidden.
fn chosen(api: &Api, rules: &[Value]) -> (Vec<String>, u64) {
    let list = api.post("searches/deployments", &json!({ "filter_rules": rules })).expect(200);
    let mut ids = ids(&list);
    let total = list["metadata"]["pagination"]["total"].as_u64().unwrap();
    assert_eq!(total, ids.len() as u64);
    ids.retain(|id| id != "default_tenant-tower");
    (ids, list["metadata"]["filtered"].as_u64().unwrap())
}

/// A rule's type, key, operator and values, and the deployments that it chooses.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

#[test]
fn every_operator_chooses_what_it_says() {
    let server = filled();
    let api = server.api();
    api.put("sites/cape", &json!({})).expect(200);
    api.post("deployments/beta/set-site", &json!({ "site_name": "cape" })).expect(200);
    let cases: [Case; 21] = [
        ("label", "env", "any_of", &["prod"], &["Alpha_1"]),
        ("label", "ENV", "any_of", &["prod", "test"], &["Alpha_1", "alpha.2"]),
        ("label", "env", "any_of", &["PROD"], &[]),
        // A label with another value is enough, as in Cloudify.
        ("label", "env", "not_any_of", &["prod"], &["Alpha_1", "alpha.2"]),
        ("label", "env", "not_any_of", &["prod", "eu"], &["alpha.2"]),
        ("label", "env", "is_not", &["prod"], &["alpha.2", "beta", "gamma"]),
        ("label", "env", "is_null", &[], &["beta", "gamma"]),
        ("label", "env", "is_not_null", &[], &["Alpha_1", "alpha.2"]),
        ("label", "team", "any_of", &["blue, dark"], &["beta"]),
        ("attribute", "display_name", "any_of", &["beta", "gamma"], &["beta", "gamma"]),
        ("attribute", "display_name", "not_any_of", &["beta", "gamma", "nothing"], &["Alpha_1", "alpha.2"]),
        ("attribute", "display_name", "contains", &["lpha", "mm"], &["Alpha_1", "alpha.2", "gamma"]),
        ("attribute", "display_name", "contains", &["LPHA"], &[]),
        ("attribute", "display_name", "not_contains", &["lpha", "mm"], &["beta"]),
        ("attribute", "display_name", "starts_with", &["ALPHA"], &["Alpha_1", "alpha.2"]),
        ("attribute", "display_name", "starts_with", &["alpha_"], &["Alpha_1"]),
        ("attribute", "display_name", "ends_with", &["a"], &["beta", "gamma"]),
        ("attribute", "site_name", "is_not_empty", &[], &["beta"]),
        // Who has no site is neither at it nor elsewhere, as in Cloudify.
        ("attribute", "site_name", "not_any_of", &["dune"], &["beta"]),
        ("attribute", "schedules", "is_not_empty", &[], &[]),
        ("attribute", "tenant_name", "any_of", &["north"], &[]),
    ];
    for (kind, key, operator, values, expected) in cases {
        let (found, hidden) = chosen(&api, &[rule(kind, key, operator, values)]);
        assert_eq!(found, expected, "{key} {operator} {values:?}");
        assert!(hidden >= (4 - expected.len() as u64), "{key} {operator}: {hidden} hidden");
    }
    let all_of_both =
        [rule("label", "env", "is_null", &[]), rule("attribute", "display_name", "contains", &["m"])];
    assert_eq!(chosen(&api, &all_of_both), (vec!["gamma".to_owned()], 4), "every rule has to hold");
    assert_eq!(chosen(&api, &[rule("label", "env", "any_of", &["' OR 1=1 --"])]).0, Vec::<String>::new());
}

#[test]
fn a_wrong_rule_is_told_with_its_reason() {
    let server = TestServer::start();
    let api = server.api();
    for (rule, reason) in [
        (json!("env=prod"), "not a dictionary"),
        (json!({ "key": "env", "values": [], "operator": "is_null" }), "is missing"),
        (rule("tag", "env", "any_of", &["a"]), "one of label, attribute"),
        (rule("label", "env", "contains", &["a"]), "any_of, not_any_of, is_null, is_not_null, is_not"),
        (rule("label", "env", "any_of", &[]), "at least one item"),
        (rule("label", "env", "is_null", &["a"]), "must be empty"),
        (rule("label", "e nv", "any_of", &["a"]), "illegal characters"),
        (rule("label", "csys-mine", "any_of", &["a"]), "reserved for internal use"),
        (rule("attribute", "colour", "any_of", &["a"]), "Allowed attributes to filter deployments by are"),
        (rule("attribute", "schedules", "any_of", &["a"]), "is_not_empty"),
        (rule("attribute", "display_name", "is_null", &[]), "The operator for filtering by attributes"),
    ] {
        let body = json!({ "filter_rules": [rule] });
        for reply in [api.post("searches/deployments", &body), api.put("filters/deployments/mine", &body)] {
            let message = reply.expect_error(400, "invalid_filter_rule");
            let reply = reply.json();
            assert_eq!(reply["err_filter_rule"], rule);
            assert!(reply["err_reason"].as_str().unwrap().contains(reason), "{reply:#}");
            assert!(message.contains("is not in the right format"), "{message}");
        }
    }
    assert_eq!(api.get("filters/deployments?id=mine").items(), Vec::<Value>::new());
}

#[test]
fn saved_filters_are_used_changed_and_deleted() {
    let server = filled();
    let api = server.api();
    let of_label = rule("label", "env", "any_of", &["prod", "test"]);
    let of_name = rule("attribute", "display_name", "starts_with", &["alpha."]);
    let made =
        api.put("filters/deployments/mine", &json!({ "filter_rules": [of_label, of_label] })).expect(200);
    assert_eq!(made["value"], json!([of_label]), "a rule that comes twice is one");
    assert_eq!(made["is_system_filter"], false);
    api.put("filters/deployments/mine", &json!({ "filter_rules": [] })).expect_error(409, "conflict_error");

    let list = api.get("deployments?_filter_id=mine").expect(200);
    assert_eq!(ids(&list), ["Alpha_1", "alpha.2"]);
    assert_eq!(list["metadata"]["filtered"], 3);
    let both = json!({ "filter_rules": [of_name] });
    assert_eq!(ids(&api.post("searches/deployments?_filter_id=mine", &both).expect(200)), ["alpha.2"]);

    let changed = api.patch("filters/deployments/mine", &both).expect(200);
    assert_eq!(changed["labels_filter_rules"], json!([of_label]), "rules of the other type stay");
    assert_eq!(changed["attrs_filter_rules"], json!([of_name]));
    assert_eq!(ids(&api.get("deployments?_filter_id=mine").expect(200)), ["alpha.2"]);
    api.patch("filters/deployments/mine", &json!({})).expect_error(400, "illegal_action_error");
    api.patch("filters/deployments/mine", &json!({ "visibility": "global" })).expect(200);
    let north = api.clone().tenant("north");
    assert_eq!(ids(&north.get("deployments?_filter_id=mine").expect(200)), Vec::<String>::new());
    north.delete("filters/deployments/mine").expect_error(404, "not_found_error");

    api.get("deployments?_filter_id=none").expect_error(404, "not_found_error");
    api.get("blueprints?_filter_id=mine").expect_error(404, "not_found_error");
    api.delete("filters/deployments/mine").expect_status(204);
    api.get("filters/deployments/mine").expect_error(404, "not_found_error");
    api.get("filters/plugins").expect_error(404, "not_found_error");
    api.put("filters/deployments/csys-mine", &json!({ "filter_rules": [of_label] }))
        .expect_error(400, "bad_parameters_error");

    let jo = add_member(&server, "jo", "default_tenant", "viewer");
    jo.put("filters/deployments/jo", &both).expect_error(403, "forbidden_error");
    assert_eq!(jo.get("filters/deployments/csys-service-filter").expect(200)["is_system_filter"], true);
}

#[test]
fn filters_of_the_system_are_everywhere_and_stay() {
    let server = filled();
    let api = server.api();
    assert_eq!(ids(&api.get("deployments?_filter_id=csys-environment-filter").expect(200)), ["beta"]);
    let services = ids(&api.get("deployments?_filter_id=csys-service-filter").expect(200));
    assert_eq!(services, ["default_tenant-tower", "Alpha_1", "alpha.2"]);
    for tenant in ["default_tenant", "north"] {
        let api = api.clone().tenant(tenant);
        let path = "filters/deployments/csys-environment-filter";
        assert_eq!(api.get(path).expect(200)["visibility"], "global");
        api.delete(path).expect_error(400, "illegal_action_error");
        api.patch(path, &json!({ "visibility": "tenant" })).expect_error(400, "illegal_action_error");
    }
}

#[test]
fn constraints_of_the_blueprint_language_choose_too() {
    let server = filled();
    let api = server.api();
    let search = |path: &str, constraints: Value| {
        ids(&api.post(path, &json!({ "constraints": constraints })).expect(200))
    };
    let pattern = json!({ "name_pattern": { "starts_with": "alpha", "contains": "2" } });
    assert_eq!(search("searches/deployments", pattern), ["alpha.2"]);
    assert_eq!(search("searches/deployments", json!({ "labels": [{ "env": "eu" }] })), ["Alpha_1"]);
    let named = json!({ "filter_id": "csys-environment-filter", "valid_values": ["beta", "gamma"] });
    assert_eq!(search("searches/deployments", named), ["beta"]);
    assert_eq!(
        search("searches/blueprints", json!({ "name_pattern": { "equals_to": BLUEPRINT } })),
        [BLUEPRINT]
    );
    let nodes =
        search("searches/nodes?deployment_id=default_tenant-tower", json!({ "valid_values": ["lamp"] }));
    assert_eq!(nodes, ["lamp"]);
    let nodes = search("searches/nodes", json!({ "valid_values": ["lamp"], "deployment_id": "beta" }));
    assert!(nodes.len() <= 1, "{nodes:?}");
    let typed = json!({ "deployment_id": "default_tenant-tower", "name_pattern": { "ends_with": ".Lamp" } });
    assert_eq!(search("searches/node-types", typed), ["lamp"]);
    assert_eq!(
        search(
            "searches/node-types?_search=lighthouse.nodes.Tower&deployment_id=default_tenant-tower",
            json!({})
        ),
        ["tower"]
    );
    let instances = api.get("node-instances?deployment_id=default_tenant-tower").items();
    let wanted: Vec<&str> = instances.iter().take(2).map(|item| item["id"].as_str().unwrap()).collect();
    let body = json!({ "filter_rules": [rule("attribute", "id", "any_of", &wanted)] });
    assert_eq!(ids(&api.post("searches/node-instances", &body).expect(200)), wanted);
    let secrets =
        api.post("searches/secrets", &json!({ "constraints": { "valid_values": ["lamp_passphrase"] } }));
    assert_eq!(secrets.expect(200)["items"][0]["key"], "lamp_passphrase");
    for bad in [json!({ "colour": 1 }), json!({ "name_pattern": { "like": "a" } }), json!({ "labels": "x" })]
    {
        let reply = api.post("searches/deployments", &json!({ "constraints": bad }));
        reply.expect_error(400, "bad_parameters_error");
    }
    let both = json!({ "constraints": { "valid_values": ["beta"] }, "filter_rules": [rule("label", "a", "is_null", &[])] });
    api.post("searches/deployments", &both).expect_error(400, "bad_parameters_error");
}

#[test]
fn labels_are_listed_by_key_and_value_and_keep_who_made_them() {
    let server = filled();
    let api = server.api();
    let words = |path: &str| api.get(path).expect(200)["items"].clone();
    assert_eq!(words("labels/deployments"), json!(["csys-obj-parent", "csys-obj-type", "env", "team"]));
    assert_eq!(words("labels/deployments/env"), json!(["eu", "prod", "test"]));
    assert_eq!(words("labels/deployments/env?_search=R"), json!(["prod"]));
    assert_eq!(words("labels/deployments?_size=1&_offset=2"), json!(["env"]));
    assert_eq!(words("labels/blueprints"), json!([]));
    assert_eq!(words("labels/deployments?_reserved=True").as_array().unwrap().len(), 11);
    assert_eq!(api.clone().tenant("north").get("labels/deployments").expect(200)["items"], json!([]));
    api.get("labels/plugins").expect_error(404, "not_found_error");

    let jo = add_member(&server, "jo", "default_tenant", "user");
    let labels = json!({ "labels": [{ "env": "test" }, { "Env": "new" }] });
    let changed = jo.patch("deployments/alpha.2", &labels).expect(200);
    let of = |value: &str| {
        let labels = changed["labels"].as_array().unwrap();
        labels.iter().find(|label| label["value"] == value).unwrap()["created_by"].clone()
    };
    assert_eq!((of("test"), of("new")), (json!("admin"), json!("jo")));
    assert_eq!(words("labels/deployments/env"), json!(["eu", "new", "prod", "test"]));
    api.patch("deployments/alpha.2", &json!({ "labels": [] })).expect(200);
    assert_eq!(words("labels/deployments/env"), json!(["eu", "prod"]));
    for bad in [json!([{ "csys-own": "x" }]), json!([{ "a": "b" }, { "A": "b" }]), json!([{ "a": "x\u{7}" }])]
    {
        let body = json!({ "labels": bad });
        api.patch("deployments/alpha.2", &body).expect_error(400, "bad_parameters_error");
        api.patch(&format!("blueprints/{BLUEPRINT}"), &body).expect_error(400, "bad_parameters_error");
    }

    let made = |id: &str, labels: Value| {
        api.put(&format!("deployments/{id}"), &json!({ "blueprint_id": BLUEPRINT, "labels": labels }))
            .expect(201);
    };
    made("below-gamma", json!([{ "csys-obj-parent": "gamma" }, { "csys-obj-parent": "beta" }]));
    let counts = |id: &str| {
        let deployment = api.get(&format!("deployments/{id}")).expect(200);
        (deployment["sub_services_count"].clone(), deployment["sub_environments_count"].clone())
    };
    assert_eq!(counts("beta"), (json!(1), json!(1)), "each is counted once, however it belongs");
    assert_eq!(counts("gamma"), (json!(1), json!(0)));
    assert_eq!(counts("below-gamma"), (json!(0), json!(0)));

    let orphan = json!({ "blueprint_id": BLUEPRINT, "labels": [{ "csys-obj-parent": "nobody" }] });
    api.put("deployments/orphan", &orphan).expect_error(404, "deployment_parent_not_found_error");
    api.patch("deployments/beta", &json!({ "labels": [{ "csys-obj-parent": "gamma" }] }))
        .expect_error(409, "conflict_error");
}

#[test]
fn lists_are_searched_by_the_name_that_people_see_and_answered_whole() {
    let server = filled();
    let api = server.api();
    api.patch("deployments/beta", &json!({ "display_name": "Leuchtturm" })).expect(200);
    assert_eq!(ids(&api.get("deployments?_search_name=leucht").expect(200)), ["beta"]);
    assert_eq!(ids(&api.get("deployments?_search=leucht").expect(200)), Vec::<String>::new());
    assert_eq!(ids(&api.get("deployments?_search=amm&_search_name=leucht").expect(200)), ["beta", "gamma"]);
    let all = api.get("deployments?_size=1&_get_all_results=True").expect(200);
    assert_eq!((ids(&all).len(), all["metadata"]["pagination"]["size"].clone()), (5, json!(5)));
    api.get("deployments?_get_all_results=maybe").expect_error(400, "bad_parameters_error");
}

/// Capabilities and scaling groups to look for.
const HARBOUR: &str = "
tosca_definitions_version: cloudify_dsl_1_4
node_types:
  quay: {}
node_templates:
  north: { type: quay }
  south: { type: quay }
groups:
  all_quays: { members: [north, south] }
policies:
  scale_all:
    type: cloudify.policies.scaling
    targets: [all_quays]
    properties: { default_instances: 2 }
capabilities:
  depth_north: { value: 12, description: In metres. }
  depth_south: { value: 9 }
  name: { value: Hafen }
";

#[test]
fn capabilities_and_scaling_groups_of_one_deployment_are_searched() {
    let server = TestServer::start();
    let api = server.api();
    upload_text(&api, "harbour", HARBOUR);
    api.put("deployments/h", &json!({ "blueprint_id": "harbour" })).expect(201);
    let search = |path: &str, constraints: Value| {
        api.post(&format!("searches/{path}"), &json!({ "constraints": constraints })).expect(200)["items"]
            .clone()
    };
    let deep =
        json!({ "deployment_id": "h", "name_pattern": { "starts_with": "depth" }, "valid_values": [12] });
    assert_eq!(
        search("capabilities", deep),
        json!([{
            "deployment_id": "h",
            "capabilities": [{ "depth_north": { "value": 12, "description": "In metres." } }],
        }])
    );
    assert_eq!(search("capabilities?deployment_id=h&_search=Haven", json!({})), json!([]));
    assert_eq!(
        search("capabilities?deployment_id=h&_search=Hafen", json!({}))[0]["capabilities"][0]["name"]["value"],
        "Hafen"
    );
    for of in [json!({ "deployment_id": "h" }), json!({ "blueprint_id": "harbour" })] {
        let groups = search("scaling-groups", of);
        assert_eq!(
            (&groups[0]["name"], &groups[0]["members"]),
            (&json!("all_quays"), &json!(["north", "south"]))
        );
        assert_eq!(groups[0]["properties"]["default_instances"], 2);
    }
    let none = json!({ "deployment_id": "h", "name_pattern": { "contains": "boats" } });
    assert_eq!(search("scaling-groups", none), json!([]));
    for (path, constraints) in [
        ("capabilities", json!({})),
        ("scaling-groups", json!({ "deployment_id": "h", "colour": 1 })),
        ("capabilities", json!({ "deployment_id": "h", "name_pattern": { "like": "x" } })),
    ] {
        api.post(&format!("searches/{path}"), &json!({ "constraints": constraints }))
            .expect_error(400, "bad_parameters_error");
    }
    api.post("searches/capabilities?deployment_id=none", &json!({})).expect_error(404, "not_found_error");
}

/// Two workflows, one of them only where something is installed.
const WORKFLOWS: &str = "
tosca_definitions_version: cloudify_dsl_1_4
plugins:
  crane:
    executor: central_deployment_agent
    install: false
workflows:
  hoist: crane.hoist
  lower:
    mapping: crane.lower
    parameters:
      depth: { default: 3 }
blueprint_labels:
  Kind: { values: [crane, 'große Last'] }
labels:
  env: { values: [dock] }
";

#[test]
fn workflows_of_the_chosen_deployments_are_listed_once() {
    let server = filled();
    let api = server.api();
    let blueprint = upload_text(&api, "crane", WORKFLOWS);
    assert_eq!(blueprint["state"], "uploaded", "{blueprint:#}");
    for id in ["crane-1", "crane-2"] {
        let labels = json!([{ "env": "dock" }, { "env": id }]);
        let made =
            api.put(&format!("deployments/{id}"), &json!({ "blueprint_id": "crane", "labels": labels }));
        assert_eq!(
            made.expect(201)["labels"].as_array().unwrap().len(),
            2,
            "the blueprint's label is one of them"
        );
    }
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = api.get("workflows").expect(200);
    assert_eq!(names(&all), ["hoist", "lower"]);
    assert_eq!(all["items"][1]["parameters"]["depth"]["default"], 3);
    assert_eq!(names(&api.get("workflows?blueprint_id=lighthouse").expect(200)), Vec::<String>::new());
    let search = |value: &str| {
        let rules = json!({ "filter_rules": [rule("label", "env", "any_of", &[value])] });
        names(&api.post("searches/workflows", &rules).expect(200))
    };
    assert_eq!(search("crane-2"), ["hoist", "lower"]);
    assert_eq!(search("prod"), Vec::<String>::new());

    assert_eq!(api.get("labels/blueprints/kind").expect(200)["items"], json!(["crane", "große Last"]));
    let of_crane = json!({ "filter_rules": [rule("label", "kind", "any_of", &["große Last"])] });
    assert_eq!(ids(&api.post("searches/blueprints", &of_crane).expect(200)), ["crane"]);
    let reserved = WORKFLOWS.replace("Kind:", "csys-mine:");
    let refused = send_blueprint(&api, "reserved", &reserved);
    assert!(refused.expect_error(400, "invalid_blueprint_error").contains("reserved for internal use"));
}

#[test]
fn an_entity_is_given_to_another_user_by_who_may() {
    let server = filled();
    let api = server.api();
    let jo = add_member(&server, "jo", "default_tenant", "user");
    for path in [format!("blueprints/{BLUEPRINT}"), "deployments/beta".to_owned()] {
        let change = json!({ "creator": "jo" });
        jo.patch(&path, &change).expect_error(403, "forbidden_error");
        api.patch(&path, &json!({ "creator": "nobody" })).expect_error(404, "not_found_error");
        assert_eq!(api.patch(&path, &change).expect(200)["created_by"], "jo", "{path}");
        assert_eq!(api.send(api.request(Method::GET, &path)).expect(200)["created_by"], "jo");
    }
}
