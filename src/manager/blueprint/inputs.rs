//! The values of a deployment's inputs: what is given, and the defaults.

use serde_json::{Map, Value};

use super::constraints;
use super::error::{BlueprintError, DeploymentError};
use super::functions::is_function;
use super::reading::Place;
use super::schema::{DataTypes, is_primitive};

/// The values of all inputs of `plan`.
///
/// Errors name inputs and never repeat a value, which may be a secret.
pub(super) fn complete(
    plan: &Value,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, DeploymentError> {
    let empty = Map::new();
    let definitions = plan["inputs"].as_object().unwrap_or(&empty);
    let types = DataTypes::of_plan(plan);
    let expected = || definitions.keys().cloned().collect();
    let mut values = Map::new();
    let mut missing = Vec::new();
    for (name, definition) in definitions {
        let default = definition.get("default").filter(|value| !value.is_null());
        let of_type = definition.get("type").and_then(Value::as_str);
        let fit = |value: &Value| fit(&types, name, value, of_type);
        let value = if let Some(value) = given.get(name) {
            fit(value)?
        } else if let Some(default) = default {
            fit(default)?
        } else if let Some(value) = of_type
            .filter(|name| !is_primitive(name))
            .and_then(|_| fit(&Value::Object(Map::new())).ok())
            .filter(|value| value.as_object().is_some_and(|value| !value.is_empty()))
        {
            value
        } else if definition.get("required") == Some(&Value::Bool(false)) {
            values.insert(name.clone(), Value::Null);
            continue;
        } else {
            missing.push(name.clone());
            continue;
        };
        constraints::check(definition, &value).map_err(|problem| DeploymentError::Constraint {
            input: name.clone(),
            problem: format!("the value {problem}"),
        })?;
        values.insert(name.clone(), value);
    }
    if !missing.is_empty() {
        return Err(DeploymentError::MissingInputs { missing, expected: expected() });
    }
    let unknown: Vec<String> =
        given.keys().filter(|name| !definitions.contains_key(*name)).cloned().collect();
    if !unknown.is_empty() {
        return Err(DeploymentError::UnknownInputs { unknown, expected: expected() });
    }
    Ok(values)
}

fn fit(
    types: &DataTypes,
    name: &str,
    value: &Value,
    of_type: Option<&str>,
) -> Result<Value, DeploymentError> {
    if is_function(value) {
        return Ok(value.clone());
    }
    let place = Place { section: "inputs", name };
    types.fit(value, of_type, None, true, place, name).map_err(|error| DeploymentError::InputType {
        input: name.to_owned(),
        problem: match error {
            BlueprintError::Invalid { problem, .. } => problem,
            other => other.to_string(),
        },
    })
}
