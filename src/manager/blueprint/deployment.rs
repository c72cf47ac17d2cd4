//! A deployment, planned from the plan of a blueprint.
//!
//! What is made here is what a manager stores: nodes, instances, outputs,
//! workflows. Ids come from the caller; nothing is run.

use serde_json::{Map, Value, json};

use super::error::DeploymentError;
use super::evaluate::{Evaluator, Scope};
use super::functions::contains_function;
use super::{inputs, instances};

/// What is stored when a deployment is created.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentPlan {
    /// The values of all inputs.
    pub inputs: Map<String, Value>,
    /// Nodes in the form of Cloudify's stored nodes, without what the manager adds (tenant, visibility …).
    pub nodes: Vec<Value>,
    /// Instances, each `uninitialized`, version 1.
    pub node_instances: Vec<Value>,
    /// Outputs: name → `{description?, value}`; see [`evaluate_outputs`].
    pub outputs: Map<String, Value>,
    /// Capabilities, in the form of outputs.
    pub capabilities: Map<String, Value>,
    /// Workflows, as a list of `{name, plugin, operation, parameters, …}`.
    pub workflows: Vec<Value>,
    /// Groups and their policies.
    pub groups: Map<String, Value>,
    /// Groups that scale: name → `{members, properties}`.
    pub scaling_groups: Map<String, Value>,
    /// The kinds of policies that groups refer to.
    pub policy_types: Map<String, Value>,
    /// The kinds of triggers that policies refer to.
    pub policy_triggers: Map<String, Value>,
    /// Labels of the deployment: key → `{values}`.
    pub labels: Map<String, Value>,
    /// Tags of what the deployment creates.
    pub resource_tags: Map<String, Value>,
    /// Settings that the blueprint has for its deployments.
    pub deployment_settings: Map<String, Value>,
    /// What the blueprint says about itself.
    pub description: Option<String>,
}

/// Plans a deployment of the blueprint with this `plan`.
///
/// `ids` makes the id of an instance out of the name of its node or group
/// (e.g. `host_ab12cd`); it is asked again where an id is taken. Functions that
/// only a running deployment can answer stay as they are, secrets among them.
///
/// # Errors
///
/// For inputs that are missing, unknown, of the wrong type or against a
/// constraint, and for functions that cannot be evaluated. No message holds the
/// value of an input.
pub fn plan_deployment(
    plan: &Value,
    inputs: &Map<String, Value>,
    ids: &mut dyn FnMut(&str) -> String,
) -> Result<DeploymentPlan, DeploymentError> {
    let values = inputs::complete(plan, inputs)?;
    let original = plan["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut evaluator = Evaluator::of_plan(&values, original);
    let mut nodes = Vec::new();
    for node in original {
        nodes.push(evaluate_node(node, &mut evaluator)?);
    }
    let mut section = |name: &str| -> Result<Map<String, Value>, DeploymentError> {
        let mut entries = plan[name].as_object().cloned().unwrap_or_default();
        for (key, entry) in &mut entries {
            *entry = evaluator.resolve(entry, Scope::default(), &format!("{name}.{key}"))?;
        }
        Ok(entries)
    };
    let outputs = section("outputs")?;
    let capabilities = section("capabilities")?;
    let scaling_groups = section("scaling_groups")?;
    let labels = section("labels")?;
    let resource_tags = section("resource_tags")?;
    let deployment_settings = section("deployment_settings")?;
    let node_instances = instances::expand(&nodes, &scaling_groups, ids)?;
    let nodes: Vec<Value> = nodes.iter().map(stored_node).collect();
    let copy = |name: &str| plan[name].as_object().cloned().unwrap_or_default();
    let workflows = copy("workflows")
        .iter()
        .map(|(name, workflow)| stored_workflow(name, workflow, &nodes, &node_instances))
        .collect();
    Ok(DeploymentPlan {
        inputs: values,
        workflows,
        nodes,
        node_instances,
        outputs,
        capabilities,
        groups: copy("groups"),
        scaling_groups,
        policy_types: copy("policy_types"),
        policy_triggers: copy("policy_triggers"),
        labels,
        resource_tags,
        deployment_settings,
        description: plan["description"].as_str().map(str::to_owned),
    })
}

fn evaluate_node(node: &Value, evaluator: &mut Evaluator<'_>) -> Result<Value, DeploymentError> {
    let id = node["id"].as_str().unwrap_or_default();
    let scope = Scope { node: Some(id), target: None };
    let mut node = node.clone();
    for key in ["properties", "capabilities"] {
        node[key] = evaluator.resolve(&node[key], scope, &format!("nodes.{id}.{key}"))?;
    }
    evaluate_operations(&mut node["operations"], scope, id, evaluator)?;
    for link in node["relationships"].as_array_mut().into_iter().flatten() {
        let target = link["target_id"].as_str().unwrap_or_default().to_owned();
        let scope = Scope { node: Some(id), target: Some(&target) };
        let place = format!("nodes.{id}.relationships.{target}");
        link["properties"] = evaluator.resolve(&link["properties"], scope, &place)?;
        for key in ["source_operations", "target_operations"] {
            evaluate_operations(&mut link[key], scope, &place, evaluator)?;
        }
    }
    Ok(node)
}

fn evaluate_operations(
    operations: &mut Value,
    scope: Scope<'_>,
    place: &str,
    evaluator: &mut Evaluator<'_>,
) -> Result<(), DeploymentError> {
    for (name, operation) in operations.as_object_mut().into_iter().flatten() {
        let place = format!("{place}.{name}.inputs");
        let inputs = evaluator.resolve(&operation["inputs"], scope, &place)?;
        operation["has_intrinsic_functions"] = Value::Bool(contains_function(&inputs));
        operation["inputs"] = inputs;
    }
    Ok(())
}

/// A node in the form that managers store.
fn stored_node(node: &Value) -> Value {
    let scale = &node["capabilities"]["scalable"]["properties"];
    let links: Vec<Value> = node["relationships"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|link| {
            json!({
                "target_id": link["target_id"],
                "type": link["type"],
                "type_hierarchy": link["type_hierarchy"],
                "properties": link["properties"],
                "source_interfaces": link["source_interfaces"],
                "target_interfaces": link["target_interfaces"],
                "source_operations": link["source_operations"],
                "target_operations": link["target_operations"],
            })
        })
        .collect();
    json!({
        "id": node["id"],
        "type": node["type"],
        "type_hierarchy": node["type_hierarchy"],
        "number_of_instances": scale["current_instances"],
        "planned_number_of_instances": scale["current_instances"],
        "deploy_number_of_instances": scale["default_instances"],
        "min_number_of_instances": scale["min_instances"],
        "max_number_of_instances": scale["max_instances"],
        "host_id": node["host_id"],
        "properties": node["properties"],
        "operations": node["operations"],
        "plugins": node["plugins"],
        "plugins_to_install": node["plugins_to_install"],
        "relationships": links,
    })
}

fn stored_workflow(name: &str, workflow: &Value, nodes: &[Value], instances: &[Value]) -> Value {
    json!({
        "name": name,
        "created_at": null,
        "plugin": workflow["plugin"],
        "operation": workflow["operation"],
        "parameters": workflow["parameters"],
        "is_cascading": workflow["is_cascading"],
        "is_available": is_workflow_available(&workflow["availability_rules"], nodes, instances),
        "availability_rules": workflow["availability_rules"],
    })
}

/// Whether a workflow with these availability rules makes sense now.
///
/// An instance counts as active from `started` on, as long as it is not stopped.
pub fn is_workflow_available(rules: &Value, nodes: &[Value], instances: &[Value]) -> bool {
    if rules["available"] == false {
        return false;
    }
    let active = instances.iter().filter(|instance| instance["state"] == "started").count();
    let state = match active {
        0 => "none",
        all if all == instances.len() => "all",
        _ => "partial",
    };
    let names = |key: &str| rules[key].as_array().filter(|names| !names.is_empty());
    let fits_state =
        names("node_instances_active").is_none_or(|states| states.iter().any(|known| known == state));
    let fits_types = names("node_types_required").is_none_or(|types| {
        types.iter().all(|of_type| {
            nodes.iter().any(|node| {
                node["type_hierarchy"].as_array().is_some_and(|hierarchy| hierarchy.contains(of_type))
            })
        })
    });
    fits_state && fits_types
}

/// The values of outputs or capabilities of a deployment.
///
/// `outputs` maps names to `{value}`. Attributes and properties are looked up;
/// an attribute of a node that has not exactly one instance gives a text
/// `<ERROR: …>`, as clients know it. `get_secret` stays as it is.
///
/// # Errors
///
/// For functions that refer to nodes or properties that do not exist.
pub fn evaluate_outputs(
    outputs: &Map<String, Value>,
    nodes: &[Value],
    node_instances: &[Value],
) -> Result<Value, DeploymentError> {
    let mut evaluator = Evaluator::of_deployment(nodes, node_instances);
    let mut values = Map::new();
    for (name, output) in outputs {
        let place = format!("outputs.{name}");
        let value = evaluator.resolve(&output["value"], Scope::default(), &place)?;
        values.insert(name.clone(), value);
    }
    Ok(Value::Object(values))
}

/// The values of what stands at a node of a deployment as it is now; `SELF` is that node. Inputs were put in when the
/// deployment was made; `get_secret` stays as it is.
///
/// # Errors
///
/// For functions that refer to nodes or properties that do not exist.
pub fn evaluate_properties(
    properties: &Value,
    node: &str,
    nodes: &[Value],
    node_instances: &[Value],
) -> Result<Value, DeploymentError> {
    let scope = Scope { node: Some(node), target: None };
    Evaluator::of_deployment(nodes, node_instances).resolve(properties, scope, &format!("node `{node}`"))
}

/// The values of what a caller wants to know of a deployment as it is now. `SELF` and `SOURCE` are the first of `ends`,
/// `TARGET` is the second, each a node. `get_secret` stays as it is.
///
/// # Errors
///
/// For functions that refer to inputs, nodes or properties that do not exist.
pub fn evaluate_payload(
    payload: &Value,
    ends: (Option<&str>, Option<&str>),
    inputs: &Map<String, Value>,
    nodes: &[Value],
    node_instances: &[Value],
) -> Result<Value, DeploymentError> {
    let scope = Scope { node: ends.0, target: ends.1 };
    Evaluator::of_deployment(nodes, node_instances).with_inputs(inputs).resolve(payload, scope, "payload")
}
