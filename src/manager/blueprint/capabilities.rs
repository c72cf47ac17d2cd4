//! Where a planned deployment uses capabilities of other deployments.

use serde_json::Value;

use super::deployment::DeploymentPlan;
use super::functions::parse;

/// A place where a capability of another deployment is used.
#[derive(Clone, Debug, PartialEq)]
pub struct CapabilityUse {
    /// The place, with the function at its end, e.g. `outputs.url.value.get_capability`.
    pub place: String,
    /// The other deployment: its id, or the function that says it.
    pub target: Value,
}

/// All such places of a plan, in its order.
pub fn capability_uses(plan: &DeploymentPlan) -> Vec<CapabilityUse> {
    let mut uses = Vec::new();
    for node in &plan.nodes {
        let id = node["id"].as_str().unwrap_or_default();
        for section in ["properties", "operations", "relationships"] {
            find(&node[section], &format!("nodes.{id}.{section}"), &mut uses);
        }
    }
    for (name, section) in [("outputs", &plan.outputs), ("capabilities", &plan.capabilities)] {
        for (key, entry) in section {
            find(entry, &format!("{name}.{key}"), &mut uses);
        }
    }
    // Operations are there by their short and by their full name: one of two is enough.
    let mut seen: Vec<(String, Value)> = Vec::new();
    uses.retain(|found: &CapabilityUse| {
        let key =
            (found.place.rsplit(".inputs.").next().unwrap_or_default().to_owned(), found.target.clone());
        let is_of_operation = found.place.contains(".inputs.");
        let is_new = !is_of_operation || !seen.contains(&key);
        seen.push(key);
        is_new
    });
    uses
}

fn find(value: &Value, place: &str, uses: &mut Vec<CapabilityUse>) {
    if let Some(("get_capability", argument)) = parse(value)
        && let Some(target) = argument.get(0)
    {
        uses.push(CapabilityUse { place: format!("{place}.get_capability"), target: target.clone() });
    }
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find(item, &format!("{place}[{index}]"), uses);
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                find(entry, &format!("{place}.{key}"), uses);
            }
        }
        _ => {}
    }
}
