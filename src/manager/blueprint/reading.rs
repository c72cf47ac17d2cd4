//! Reading raw values: what kind they are, and refusals that say where.

use serde_json::{Map, Value};

use super::error::BlueprintError;

/// Where a value stands, for messages.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) section: &'a str,
    pub(super) name: &'a str,
}

impl Place<'_> {
    pub(super) fn error(self, problem: impl Into<String>) -> BlueprintError {
        BlueprintError::invalid(self.section, self.name, problem)
    }
}

/// A mapping, which may be absent or empty.
pub(super) fn mapping(value: Option<&Value>, place: Place<'_>) -> Result<Map<String, Value>, BlueprintError> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(entries)) => Ok(entries.clone()),
        Some(other) => Err(place.error(format!("expected a mapping, found {}", kind(other)))),
    }
}

/// A text, which may be absent.
pub(super) fn text(
    value: Option<&Value>,
    key: &str,
    place: Place<'_>,
) -> Result<Option<String>, BlueprintError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(place.error(format!("`{key}` is text, but its value is {}", kind(other)))),
    }
}

/// Refuses keys that have no meaning.
pub(super) fn check_keys(
    entries: &Map<String, Value>,
    known: &[&str],
    place: Place<'_>,
) -> Result<(), BlueprintError> {
    match entries.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(unknown) => {
            Err(place.error(format!("`{unknown}` is not known here; known are {}", known.join(", "))))
        }
    }
}

/// Refuses a type that is derived from itself, or absurdly deep.
pub(super) fn check_path(path: &[String], name: &str, place: Place<'_>) -> Result<(), BlueprintError> {
    if path.iter().any(|seen| seen == name) {
        let path = path.join("` → `");
        return Err(place.error(format!("it is derived from itself: `{path}` → `{name}`")));
    }
    if path.len() > 64 {
        return Err(place.error("it is derived over more than 64 levels"));
    }
    Ok(())
}

/// What a value is, in words; never the value itself, which may be a secret.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a float",
        Value::Number(_) => "an integer",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
