//! Constraints of inputs: which there are, and whether a value keeps them.
//!
//! Constraints that ask about other things of a manager (`labels`, `tenants`,
//! `filter_id` …) are accepted and not checked: this code knows no manager.

use std::cmp::Ordering;

use serde_json::Value;

use super::functions::is_function;
use super::reading::kind;
use super::schema::is_of_primitive;

/// What a constraint takes as its argument.
fn takes(name: &str, argument: &Value) -> Option<bool> {
    Some(match name {
        "equal" | "greater_than" | "greater_or_equal" | "less_than" | "less_or_equal" | "length"
        | "min_length" | "max_length" => argument.is_number(),
        "in_range" => {
            argument.as_array().is_some_and(|range| range.len() == 2 && range.iter().all(Value::is_number))
        }
        "valid_values" | "labels" | "tenants" => argument.is_array(),
        "pattern" | "filter_id" | "deployment_id" | "blueprint_id" => argument.is_string(),
        "name_pattern" => argument.is_object(),
        _ => return None,
    })
}

/// The constraints of an input: name, argument, and the message of the blueprint for it.
fn of_input(input: &Value) -> impl Iterator<Item = (&str, &Value, Option<&str>)> {
    let list = input.get("constraints").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|constraint| {
        let (name, argument) = constraint.as_object()?.iter().find(|(name, _)| *name != "error_message")?;
        let message = constraint.get("error_message").and_then(Value::as_str);
        Some((name.as_str(), argument, message))
    })
}

/// Checks that the constraints and the item type of an input make sense.
pub(super) fn check_definition(input: &Value) -> Result<(), String> {
    match input.get("constraints") {
        None | Some(Value::Null) => {}
        Some(Value::Array(list)) => {
            for constraint in list {
                let names = constraint
                    .as_object()
                    .map(|constraint| constraint.keys().filter(|name| *name != "error_message").count());
                if names != Some(1) {
                    return Err("a constraint is a mapping with a single name".to_owned());
                }
            }
        }
        Some(_) => return Err("`constraints` is a list".to_owned()),
    }
    for (name, argument, _) in of_input(input) {
        match takes(name, argument) {
            None => return Err(format!("there is no constraint `{name}`")),
            Some(false) if !is_function(argument) => {
                return Err(format!("the constraint `{name}` cannot take {argument}"));
            }
            Some(_) => {}
        }
    }
    let item_type = input.get("item_type").and_then(Value::as_str);
    if let Some(item_type) = item_type {
        if input.get("type") != Some(&Value::from("list")) {
            return Err("`item_type` belongs to inputs of the type `list` only".to_owned());
        }
        if !super::schema::is_primitive(item_type) {
            return Err(format!("`item_type` is the unknown type `{item_type}`"));
        }
    }
    Ok(())
}

/// Checks a value against the constraints and the item type of its input.
///
/// The message never holds the value, which may be a secret.
pub(super) fn check(input: &Value, value: &Value) -> Result<(), String> {
    let item_type = input.get("item_type").and_then(Value::as_str);
    let (Some(item_type), Value::Array(items)) = (item_type, value) else {
        return check_one(input, value);
    };
    for item in items {
        if !is_of_primitive(item, item_type) && !is_function(item) {
            return Err(format!("holds {} where `{item_type}` is expected", kind(item)));
        }
        check_one(input, item)?;
    }
    Ok(())
}

fn check_one(input: &Value, value: &Value) -> Result<(), String> {
    for (name, argument, message) in of_input(input) {
        if is_function(value) {
            return Err("is a function, but the input has constraints".to_owned());
        }
        if is_function(argument) {
            continue;
        }
        let keeps = keeps(name, argument, value)
            .ok_or_else(|| format!("is {}, which `{name}` cannot be applied to", kind(value)))?;
        if !keeps {
            return Err(match message {
                Some(message) => format!("is invalid: {message}"),
                None => format!("violates the constraint `{name}` ({argument})"),
            });
        }
    }
    Ok(())
}

/// Whether a value keeps a constraint; none where the constraint cannot be applied to it.
fn keeps(name: &str, argument: &Value, value: &Value) -> Option<bool> {
    let compare = |wanted: &[Ordering]| {
        let ordering = value.as_f64()?.partial_cmp(&argument.as_f64()?)?;
        Some(wanted.contains(&ordering))
    };
    let length = || match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(entries) => Some(entries.len()),
        _ => None,
    };
    // A length is far below the numbers that a float cannot hold.
    let compare_length = |wanted: &[Ordering]| {
        let ordering = (length()? as f64).partial_cmp(&argument.as_f64()?)?;
        Some(wanted.contains(&ordering))
    };
    use Ordering::{Equal, Greater, Less};
    match name {
        "equal" => Some(same(value, argument)),
        "greater_than" => compare(&[Greater]),
        "greater_or_equal" => compare(&[Greater, Equal]),
        "less_than" => compare(&[Less]),
        "less_or_equal" => compare(&[Less, Equal]),
        "in_range" => {
            let value = value.as_f64()?;
            let bounds = argument.as_array()?;
            Some(bounds.first()?.as_f64()? <= value && value <= bounds.get(1)?.as_f64()?)
        }
        "valid_values" => Some(argument.as_array()?.iter().any(|valid| same(valid, value))),
        "length" => compare_length(&[Equal]),
        "min_length" => compare_length(&[Greater, Equal]),
        "max_length" => compare_length(&[Less, Equal]),
        "pattern" => matches(argument.as_str()?, value.as_str()?),
        _ => Some(true),
    }
}

/// Whether two values are equal as Python sees it: `1` is `1.0`.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// Whether `text` begins with a match of `pattern`.
///
/// Patterns are those of Python. One that needs look-around or back-references
/// cannot be judged here and is taken as kept.
fn matches(pattern: &str, text: &str) -> Option<bool> {
    let anchored = format!(r"\A(?:{pattern})");
    let compiled = regex::RegexBuilder::new(&anchored).size_limit(1 << 20).build();
    Some(compiled.is_ok_and(|pattern| pattern.is_match(text)) || regex::Regex::new(&anchored).is_err())
}
