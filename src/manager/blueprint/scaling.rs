//! How many instances of a node or a group there are to be.

use serde_json::{Map, Value, json};

use super::error::BlueprintError;
use super::functions::is_function;
use super::reading::{Place, check_keys, mapping};

/// Without an upper limit.
const UNBOUNDED: i64 = -1;

/// Reads `min_instances`, `max_instances` and `default_instances`, and fills what is missing.
///
/// The planned and the current number are those of the default.
pub(super) fn properties(
    raw: Option<&Value>,
    place: Place<'_>,
) -> Result<Map<String, Value>, BlueprintError> {
    let given = mapping(raw, place)?;
    check_keys(&given, &["min_instances", "max_instances", "default_instances"], place)?;
    let minimum = read(&given, "min_instances", 0, place)?;
    let maximum = read(&given, "max_instances", UNBOUNDED, place)?;
    let default = read(&given, "default_instances", 1, place)?;
    for (name, value) in [("min_instances", &minimum), ("default_instances", &default)] {
        if value.as_i64().is_some_and(|value| value < 0) {
            return Err(place.error(format!("`{name}` is {value}, which is less than none")));
        }
    }
    if maximum.as_i64().is_some_and(|value| value < 1 && value != UNBOUNDED) {
        return Err(place.error(format!("`max_instances` is {maximum}, which is less than one")));
    }
    let ordered = [
        ("min_instances", &minimum, "default_instances", &default),
        ("min_instances", &minimum, "max_instances", &maximum),
        ("default_instances", &default, "max_instances", &maximum),
    ];
    for (lower_name, lower, upper_name, upper) in ordered {
        let (Some(low), Some(high)) = (lower.as_i64(), upper.as_i64()) else {
            continue;
        };
        if high != UNBOUNDED && low > high {
            return Err(
                place.error(format!("`{lower_name}` ({low}) cannot be greater than `{upper_name}` ({high})"))
            );
        }
    }
    Ok(filled(minimum, maximum, default))
}

/// The numbers of a node with `instances: {deploy: N}`, the older way to say it.
pub(super) fn of_deploy(instances: u64) -> Map<String, Value> {
    filled(json!(0), json!(UNBOUNDED), json!(instances))
}

fn filled(minimum: Value, maximum: Value, default: Value) -> Map<String, Value> {
    Map::from_iter([
        ("min_instances".to_owned(), minimum),
        ("max_instances".to_owned(), maximum),
        ("default_instances".to_owned(), default.clone()),
        ("current_instances".to_owned(), default.clone()),
        ("planned_instances".to_owned(), default),
    ])
}

fn read(
    given: &Map<String, Value>,
    name: &str,
    fallback: i64,
    place: Place<'_>,
) -> Result<Value, BlueprintError> {
    match given.get(name) {
        None | Some(Value::Null) => Ok(json!(fallback)),
        Some(Value::String(text)) if name == "max_instances" && text == "UNBOUNDED" => Ok(json!(UNBOUNDED)),
        Some(value) if value.as_i64().is_some() || is_function(value) => Ok(value.clone()),
        Some(value) => Err(place.error(format!("`{name}` is {value}, which is no number of instances"))),
    }
}
