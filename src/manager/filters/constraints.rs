//! Constraints as the blueprint language has them for inputs, read as rules of a filter.

use serde_json::{Map, Value, json};

use crate::manager::ManagerError;

use super::{FilterRule, Filtered};

/// What constraints come to: the filter that they name, and rules.
pub(super) struct Read {
    pub filter_id: Option<String>,
    pub rules: Vec<FilterRule>,
}

/// Reads constraints for values that are names of entities of a kind: `attribute` is what a `name_pattern` and
/// `valid_values` are about.
///
/// # Errors
/// [`ManagerError::BadParameters`] for a constraint that there is not or that has another form;
/// [`ManagerError::FilterRule`] for labels that are none.
pub(super) fn read(
    constraints: &Map<String, Value>,
    of: Filtered,
    attribute: &'static str,
) -> Result<Read, ManagerError> {
    let wrong = |name: &str, value: &Value| {
        ManagerError::BadParameters(format!("The constraint `{name}` can't be {value}"))
    };
    let texts = |name: &str, value: &Value| -> Result<Vec<String>, ManagerError> {
        let list = value.as_array().ok_or_else(|| wrong(name, value))?;
        Ok(list.iter().map(plain).collect())
    };
    let mut read = Read { filter_id: None, rules: Vec::new() };
    for (name, value) in constraints {
        match name.as_str() {
            "deployment_id" if matches!(of, Filtered::Nodes | Filtered::NodeInstances) => {
                read.rules.extend(FilterRule::attribute("deployment_id", "any_of", vec![plain(value)]));
            }
            "filter_id" if of.labels().is_some() => {
                read.filter_id = Some(value.as_str().ok_or_else(|| wrong(name, value))?.to_owned());
            }
            "labels" if of.labels().is_some() => {
                let labels = value.as_array().ok_or_else(|| wrong(name, value))?;
                for label in labels {
                    let label = label.as_object().filter(|label| label.len() == 1);
                    let (key, of_key) =
                        label.and_then(|label| label.iter().next()).ok_or_else(|| wrong(name, value))?;
                    let values: Vec<String> = match of_key {
                        Value::Array(values) => values.iter().map(plain).collect(),
                        value => vec![plain(value)],
                    };
                    let rule = json!({ "key": key, "values": values, "operator": "any_of", "type": "label" });
                    read.rules.extend(FilterRule::parse_all(&[rule], of)?);
                }
            }
            "tenants" if of.labels().is_some() => {
                read.rules.extend(FilterRule::attribute("tenant_name", "any_of", texts(name, value)?));
            }
            "valid_values" => {
                read.rules.extend(FilterRule::attribute(attribute, "any_of", texts(name, value)?));
            }
            "name_pattern" => {
                let pattern = value.as_object().ok_or_else(|| wrong(name, value))?;
                for (operator, value) in pattern {
                    let operator = if operator == "equals_to" { "any_of" } else { operator.as_str() };
                    let rule = FilterRule::attribute(attribute, operator, vec![plain(value)]);
                    read.rules.push(rule.ok_or_else(|| wrong("name_pattern", &json!(pattern)))?);
                }
            }
            _ => {
                return Err(ManagerError::BadParameters(format!(
                    "The constraint `{name}` can't be used for {}",
                    of.name()
                )));
            }
        }
    }
    Ok(read)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
