//! The functions that a blueprint may contain in place of values.

use serde_json::{Map, Value, json};

const FUNCTIONS: &[&str] = &[
    "get_input",
    "get_sys",
    "get_consumers",
    "get_property",
    "get_attribute",
    "get_attributes_list",
    "get_attributes_dict",
    "get_secret",
    "concat",
    "merge",
    "get_capability",
    "get_group_capability",
    "get_label",
    "get_environment_capability",
    "string_find",
    "string_replace",
    "string_split",
    "string_lower",
    "string_upper",
];

/// The name and the argument of a function, where `value` is one.
///
/// A function is a mapping with its name as the only key, beside an optional `type`.
pub(super) fn parse(value: &Value) -> Option<(&str, &Value)> {
    let entries = value.as_object()?;
    let mut found = None;
    for (key, argument) in entries {
        if key == "type" {
            continue;
        }
        if found.is_some() || !FUNCTIONS.contains(&key.as_str()) {
            return None;
        }
        found = Some((key.as_str(), argument));
    }
    found
}

/// Whether `value` is a function.
pub(super) fn is_function(value: &Value) -> bool {
    parse(value).is_some()
}

/// Whether a function is anywhere within `value`.
pub(super) fn contains_function(value: &Value) -> bool {
    is_function(value)
        || match value {
            Value::Array(items) => items.iter().any(contains_function),
            Value::Object(entries) => entries.values().any(contains_function),
            _ => false,
        }
}

/// Calls `visit` for every function in `value`, the outer ones first.
fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a str, &'a Value)) {
    if let Some((name, argument)) = parse(value) {
        visit(name, argument);
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(entries) => entries.values().for_each(|entry| walk(entry, visit)),
        _ => {}
    }
}

/// The parts of a plan in which functions are looked for.
fn scanned<'a>(plan: &'a Map<String, Value>) -> Vec<&'a Value> {
    let mut parts: Vec<&'a Value> = Vec::new();
    let operations_of = |operations: &'a Value, parts: &mut Vec<&'a Value>| {
        for (name, operation) in operations.as_object().into_iter().flatten() {
            // Every operation is there twice; the full name is always there.
            if name.contains('.') {
                parts.push(&operation["inputs"]);
            }
        }
    };
    for node in plan.get("nodes").and_then(Value::as_array).into_iter().flatten() {
        parts.push(&node["properties"]);
        parts.push(&node["capabilities"]);
        operations_of(&node["operations"], &mut parts);
        for link in node["relationships"].as_array().into_iter().flatten() {
            parts.push(&link["properties"]);
            operations_of(&link["source_operations"], &mut parts);
            operations_of(&link["target_operations"], &mut parts);
        }
    }
    for section in ["outputs", "policies", "scaling_groups", "capabilities", "labels", "deployment_settings"]
    {
        parts.extend(plan.get(section));
    }
    parts
}

/// What a plan needs from outside: secrets, and capabilities of the environment.
pub(super) fn requirements(plan: &Map<String, Value>) -> Value {
    let mut secrets: Vec<Value> = Vec::new();
    let mut capabilities: Vec<Value> = Vec::new();
    for part in scanned(plan) {
        walk(part, &mut |name, argument| match name {
            "get_secret" if !secrets.contains(argument) => secrets.push(argument.clone()),
            "get_environment_capability" => {
                let path = match argument {
                    Value::Array(_) => argument.clone(),
                    other => json!([other]),
                };
                if !capabilities.contains(&path) {
                    capabilities.push(path);
                }
            }
            _ => {}
        });
    }
    json!({"parent_capabilities": capabilities, "secrets": secrets})
}

/// References to inputs and nodes that do not exist: where a function, what it refers to.
pub(super) fn dangling(plan: &Map<String, Value>) -> Option<(String, String)> {
    let inputs = plan.get("inputs").and_then(Value::as_object);
    let nodes = plan.get("nodes").and_then(Value::as_array);
    let mut found = None;
    for part in scanned(plan) {
        walk(part, &mut |name, argument| {
            let subject = match argument {
                Value::Array(items) => items.first().and_then(Value::as_str),
                other => other.as_str(),
            };
            let Some(subject) = subject else {
                return;
            };
            let is_known = match name {
                "get_input" => inputs.is_some_and(|inputs| inputs.contains_key(subject)),
                "get_property" | "get_attribute" | "get_attributes_list" | "get_attributes_dict" => {
                    matches!(subject, "SELF" | "SOURCE" | "TARGET")
                        || nodes.is_some_and(|nodes| nodes.iter().any(|node| node["id"] == subject))
                }
                _ => true,
            };
            if !is_known && found.is_none() {
                found = Some((name.to_owned(), subject.to_owned()));
            }
        });
    }
    found
}
