//! What differs between a deployment and the plan that it is to follow, step by step.

use serde_json::{Map, Value, json};

use super::super::blueprint::DeploymentPlan;
use super::apply::Former;

/// The steps of an update, in the order in which they are taken: what goes, what comes, what changes.
pub(super) fn steps(former: &Former, plan: &DeploymentPlan) -> Vec<Value> {
    let mut steps = Vec::new();
    for node in &former.nodes {
        if find(&plan.nodes, &node["id"]).is_none() {
            step(&mut steps, "remove", "node", &["nodes", name(node)]);
        }
    }
    for node in &plan.nodes {
        let id = name(node);
        let Some(before) = find(&former.nodes, &node["id"]) else {
            step(&mut steps, "add", "node", &["nodes", id]);
            continue;
        };
        if before["type"] != node["type"] {
            step(&mut steps, "modify", "node", &["nodes", id]);
        }
        for (key, kind) in [("properties", "property"), ("operations", "operation")] {
            entries(&mut steps, kind, &["nodes", id, key], (&before[key], &node[key]));
        }
        relationships(&mut steps, id, before, node);
    }
    let map = |map: &Map<String, Value>| Value::Object(map.clone());
    entries(&mut steps, "output", &["outputs"], (&map(&former.outputs), &map(&plan.outputs)));
    let named = |workflows: &[Value]| -> Value {
        let definition =
            |workflow: &Value| json!([workflow["plugin"], workflow["operation"], workflow["parameters"]]);
        workflows.iter().map(|workflow| (name_of(workflow).to_owned(), definition(workflow))).collect()
    };
    entries(&mut steps, "workflow", &["workflows"], (&named(&former.workflows), &named(&plan.workflows)));
    let rank = |step: &Value| ["remove", "add", "modify"].iter().position(|action| step["action"] == *action);
    steps.sort_by_key(rank);
    steps
}

/// The ids of what an update changes, by kind, as Cloudify keeps them.
pub(super) fn modified(steps: &[Value]) -> Value {
    let mut modified = json!({ "node": [], "relationship": {}, "property": [], "operation": [], "workflow": [], "output": [] });
    for step in steps {
        let (kind, path) = (step["entity_type"].as_str().unwrap_or_default(), &step["entity_id"]);
        let id = if kind == "node" { path[1].clone() } else { path.clone() };
        if let Some(ids) = modified[kind].as_array_mut() {
            ids.push(id);
        }
    }
    modified
}

fn step(steps: &mut Vec<Value>, action: &str, kind: &str, path: &[&str]) {
    steps.push(json!({
        "id": uuid::Uuid::new_v4().to_string(), "action": action, "entity_type": kind, "entity_id": path, "topology_order": 0,
    }));
}

fn entries(steps: &mut Vec<Value>, kind: &str, path: &[&str], (before, after): (&Value, &Value)) {
    let none = Map::new();
    let (before, after) = (before.as_object().unwrap_or(&none), after.as_object().unwrap_or(&none));
    let at = |key: &str, action: &str, steps: &mut Vec<Value>| {
        let whole: Vec<&str> = path.iter().copied().chain([key]).collect();
        step(steps, action, kind, &whole);
    };
    before.keys().filter(|key| !after.contains_key(*key)).for_each(|key| at(key, "remove", steps));
    for (key, value) in after {
        match before.get(key) {
            None => at(key, "add", steps),
            Some(former) if former != value => at(key, "modify", steps),
            Some(_) => {}
        }
    }
}

fn relationships(steps: &mut Vec<Value>, node: &str, before: &Value, after: &Value) {
    let list = |node: &Value| node["relationships"].as_array().cloned().unwrap_or_default();
    let is_same =
        |one: &Value, other: &Value| one["type"] == other["type"] && one["target_id"] == other["target_id"];
    let (before, after) = (list(before), list(after));
    for (from, to, action) in [(&before, &after, "remove"), (&after, &before, "add")] {
        for (index, link) in from.iter().enumerate() {
            if !to.iter().any(|other| is_same(link, other)) {
                step(steps, action, "relationship", &["nodes", node, "relationships", &format!("[{index}]")]);
            }
        }
    }
}

/// The node or instance of this id.
pub(super) fn find<'a>(items: &'a [Value], id: &Value) -> Option<&'a Value> {
    items.iter().find(|item| &item["id"] == id)
}

fn name(node: &Value) -> &str {
    node["id"].as_str().unwrap_or_default()
}

fn name_of(workflow: &Value) -> &str {
    workflow["name"].as_str().unwrap_or_default()
}
