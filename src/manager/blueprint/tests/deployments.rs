//! Deployments: inputs, functions, instances, outputs.

use serde_json::{Value, json};

use super::super::{DeploymentError, evaluate_outputs, is_workflow_available, plan_deployment};
use super::{counting, deploy, given, node, read, shop, shop_deployment};

fn of<'a>(instances: &'a [Value], node: &str) -> Vec<&'a Value> {
    instances.iter().filter(|instance| instance["node_id"] == node).collect()
}

fn refusal(inputs: Value) -> DeploymentError {
    plan_deployment(&shop().plan, &given(inputs), &mut counting()).unwrap_err()
}

#[test]
fn inputs_are_completed_by_defaults() {
    let plan = shop_deployment();
    assert_eq!(
        Value::Object(plan.inputs),
        json!({"image": "ubuntu", "flavor": "small", "web_hosts": 2, "debug": null})
    );
}

#[test]
fn missing_and_unknown_inputs_are_all_named() {
    let missing = refusal(json!({}));
    assert_eq!(
        missing.to_string(),
        "Required inputs ['image'] were not specified - expected inputs: ['image', 'flavor', 'web_hosts', 'debug']"
    );
    assert_eq!(missing.code(), "missing_required_deployment_input_error");
    let unknown = refusal(json!({"image": "a", "colour": 1, "shape": 2}));
    assert!(unknown.to_string().starts_with("Unknown inputs ['colour', 'shape'] specified"), "{unknown}");
    assert_eq!(unknown.code(), "unknown_deployment_input_error");
}

#[test]
fn types_and_constraints_hold_and_messages_keep_values_to_themselves() {
    let wrong_type = refusal(json!({"image": "a", "web_hosts": "s3cret"}));
    assert!(matches!(wrong_type, DeploymentError::InputType { .. }));
    let violation = refusal(json!({"image": "a", "flavor": "s3cret"}));
    assert_eq!(violation.code(), "constraint_error");
    for error in [wrong_type, violation] {
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[test]
fn every_constraint_accepts_and_refuses() {
    for (constraint, good, bad) in [
        ("equal: 3", json!(3), json!(4)),
        ("greater_than: 3", json!(4), json!(3)),
        ("greater_or_equal: 3", json!(3), json!(2)),
        ("less_than: 3", json!(2.5), json!(3)),
        ("less_or_equal: 3", json!(3), json!(4)),
        ("in_range: [1, 3]", json!(1), json!(0)),
        ("valid_values: [a, 1]", json!("a"), json!("b")),
        ("length: 2", json!("ab"), json!("a")),
        ("min_length: 2", json!(["a", "b"]), json!(["a"])),
        ("max_length: 2", json!("äß"), json!("abc")),
        ("pattern: '^[a-z]+$'", json!("abc"), json!("a1")),
        ("pattern: 'ab'", json!("abc"), json!("xab")),
    ] {
        let blueprint = read(&format!("inputs: {{a: {{constraints: [{{{constraint}}}]}}}}")).unwrap();
        let plan =
            |value: &Value| plan_deployment(&blueprint.plan, &given(json!({"a": value})), &mut counting());
        assert!(plan(&good).is_ok(), "{constraint}");
        assert!(matches!(plan(&bad), Err(DeploymentError::Constraint { .. })), "{constraint}");
    }
}

#[test]
fn functions_are_resolved_where_they_can_be() {
    let plan = shop_deployment();
    let app = node(&plan.nodes, "app");
    assert_eq!(app["properties"]["image"], "ubuntu");
    assert_eq!(app["properties"]["title"], "shop-small");
    assert_eq!(plan.capabilities["title"]["value"], "shop-small");
    assert_eq!(plan.outputs["address"]["value"], json!({"get_attribute": ["db", "address"]}));
    let start = &app["operations"]["cloudify.interfaces.lifecycle.start"];
    assert_eq!(start["inputs"]["address"], json!({"get_attribute": ["host", "ip"]}));
    assert_eq!(start["has_intrinsic_functions"], true);
    assert_eq!(app["operations"]["cloudify.interfaces.lifecycle.stop"]["has_intrinsic_functions"], false);
    assert_eq!(node(&plan.nodes, "db")["properties"]["resource_id"], json!({"get_secret": "db_id"}));
}

#[test]
fn functions_compute() {
    let blueprint = read(
        "
inputs: {a: {default: {list: [x, y], flag: true}}}
outputs:
  path: {value: {get_input: [a, list, 1]}}
  text: {value: {concat: [n, 1, {get_input: [a, flag]}, {get_input: [a, list]}]}}
  late: {value: {concat: [n, {get_secret: s}]}}
  merged: {value: {merge: [{x: 1}, {y: 2}]}}
  upper: {value: {string_upper: abc}}
  split: {value: {string_split: ['a,b', ',', 1]}}
  found: {value: {string_find: [abc, c]}}
  replaced: {value: {string_replace: [aaa, a, b, 2]}}
",
    )
    .unwrap();
    let plan = deploy(&blueprint, json!({}));
    let values: Vec<Value> = plan.outputs.values().map(|output| output["value"].clone()).collect();
    assert_eq!(
        Value::Array(values),
        json!(["y", "n1True['x', 'y']", {"concat": ["n", {"get_secret": "s"}]}, {"x": 1, "y": 2}, "ABC", "b", 2, "bba"])
    );
}

#[test]
fn functions_that_never_end_or_explode_are_refused() {
    let root = |properties: &str| {
        format!("node_types: {{t: {{properties: {{{}}}}}}}\nnode_templates: {{n: {{type: t}}}}", properties)
    };
    let endless = root("a: {default: {get_property: [SELF, b]}}, b: {default: {get_property: [SELF, a]}}");
    let mut doubling = String::from("p0: {default: xxxxxxxx}");
    for level in 1..40 {
        let below = format!("{{get_property: [SELF, p{}]}}", level - 1);
        doubling.push_str(&format!(", p{level}: {{default: {{concat: [{below}, {below}]}}}}"));
    }
    for text in [endless, root(&doubling)] {
        let blueprint = read(&text).unwrap();
        let error = plan_deployment(&blueprint.plan, &given(json!({})), &mut counting()).unwrap_err();
        assert!(matches!(error, DeploymentError::Function { .. }), "{error}");
    }
}

#[test]
fn contained_nodes_multiply_and_others_are_linked_with_all() {
    let plan = shop_deployment();
    let instances = &plan.node_instances;
    let hosts = of(instances, "host");
    let apps = of(instances, "app");
    assert_eq!((hosts.len(), apps.len(), of(instances, "net").len()), (2, 2, 1));
    for (host, app) in hosts.iter().zip(&apps) {
        assert_eq!(app["relationships"][0]["target_id"], host["id"]);
        assert_eq!(app["host_id"], host["id"]);
        assert_eq!(app["relationships"][1]["target_id"], of(instances, "db")[0]["id"]);
        assert_eq!(host["scaling_groups"][0]["name"], "front");
        assert_eq!(host["state"], "uninitialized");
    }
    assert_eq!(hosts[0]["scaling_groups"], hosts[1]["scaling_groups"]);
    assert_eq!((&hosts[0]["index"], &hosts[1]["index"]), (&json!(1), &json!(2)));
    assert_eq!(node(&plan.nodes, "host")["number_of_instances"], 2);
}

#[test]
fn within_a_scaling_group_each_is_linked_with_its_own() {
    let blueprint = read(
        "
node_templates:
  box: {type: cloudify.nodes.Root}
  a: {type: cloudify.nodes.Root, relationships: [{type: cloudify.relationships.contained_in, target: box}]}
  b:
    type: cloudify.nodes.Root
    relationships: [{type: cloudify.relationships.contained_in, target: box}, {type: cloudify.relationships.connected_to, target: a}]
  one:
    type: cloudify.nodes.Root
    relationships: [{type: cloudify.relationships.connected_to, target: a, properties: {connection_type: all_to_one}}]
groups: {pair: {members: [a, b]}}
policies: {p: {type: cloudify.policies.scaling, properties: {default_instances: 3}, targets: [pair]}}
",
    )
    .unwrap();
    let plan = deploy(&blueprint, json!({}));
    let b = of(&plan.node_instances, "b");
    let a = of(&plan.node_instances, "a");
    assert_eq!((a.len(), b.len()), (3, 3));
    for (a, b) in a.iter().zip(&b) {
        assert_eq!(b["relationships"].as_array().unwrap().len(), 2);
        assert_eq!(b["relationships"][0]["target_name"], "box");
        assert_eq!(b["relationships"][1]["target_id"], a["id"]);
        assert_eq!(b["scaling_groups"], a["scaling_groups"]);
    }
    assert_eq!(of(&plan.node_instances, "one")[0]["relationships"].as_array().unwrap().len(), 1);
}

#[test]
fn ids_that_are_taken_are_asked_for_again() {
    let mut count = 0;
    let mut ids = |name: &str| {
        count += 1;
        format!("{name}_{}", count / 3)
    };
    let plan = plan_deployment(&shop().plan, &given(json!({"image": "a"})), &mut ids).unwrap();
    let ids: std::collections::HashSet<&Value> = plan.node_instances.iter().map(|one| &one["id"]).collect();
    assert_eq!(ids.len(), plan.node_instances.len());
}

#[test]
fn too_many_instances_are_refused() {
    let text = "node_templates: {a: {type: cloudify.nodes.Root, instances: {deploy: 4000000000}}}";
    let error = plan_deployment(&read(text).unwrap().plan, &given(json!({})), &mut counting()).unwrap_err();
    assert!(error.to_string().contains("10000 instances"), "{error}");
}

#[test]
fn outputs_look_attributes_up_and_keep_secrets_closed() {
    let plan = shop_deployment();
    let mut instances = plan.node_instances.clone();
    for instance in &mut instances {
        if instance["node_id"] == "db" {
            instance["runtime_properties"] = json!({"address": {"v4": "10.0.0.9"}});
        }
    }
    let outputs = given(json!({
        "address": {"value": {"get_attribute": ["db", "address", "v4"]}},
        "property": {"value": {"get_attribute": ["app", "title"]}},
        "many": {"value": {"get_attribute": ["host", "ip"]}},
        "list": {"value": {"get_attributes_list": ["host", "ip"]}},
        "url": {"value": {"concat": ["http://", {"get_attribute": ["db", "address", "v4"]}]}},
        "secret": {"value": {"get_secret": "password"}},
        "nothing": {"value": {"get_attribute": ["db", "gone"]}},
    }));
    let values = evaluate_outputs(&outputs, &plan.nodes, &instances).unwrap();
    assert_eq!(values["address"], "10.0.0.9");
    assert_eq!(values["list"], json!(["10.0.0.1", "10.0.0.1"]));
    assert_eq!(values["url"], "http://10.0.0.9");
    assert_eq!(values["secret"], json!({"get_secret": "password"}));
    assert_eq!(values["nothing"], Value::Null);
    assert!(values["many"].as_str().unwrap().starts_with("<ERROR:"));
}

#[test]
fn workflows_are_available_by_the_state_of_the_instances() {
    let plan = shop_deployment();
    let available =
        |name: &str| plan.workflows.iter().find(|one| one["name"] == name).unwrap()["is_available"].clone();
    assert_eq!(
        (available("install"), available("uninstall"), available("ping")),
        (json!(true), json!(false), json!(true))
    );
    let mut instances = plan.node_instances.clone();
    instances.iter_mut().for_each(|one| one["state"] = json!("started"));
    let rules = json!({"node_instances_active": ["all"], "node_types_required": ["cloudify.nodes.Compute"]});
    assert!(is_workflow_available(&rules, &plan.nodes, &instances));
    assert!(!is_workflow_available(&rules, &[], &instances));
}
