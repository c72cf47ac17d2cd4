//! Labels of blueprints and deployments: how they are written, which are reserved, and which there are.

use icu_normalizer::ComposingNormalizerBorrowed;
use std::sync::LazyLock;

use regex::Regex;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value, json};

use crate::database::{ListQuery, text};
use crate::model::{Caller, Timestamp};

use super::filters::Filtered;
use super::scope::visible;
use super::{Manager, ManagerError};

/// What the keys begin with that only the system may define.
const RESERVED_PREFIX: &str = "csys-";
/// The longest key or value, in characters.
const MAX_LENGTH: usize = 256;

/// The reserved keys that everybody may use.
pub const RESERVED_LABELS: [&str; 11] = [
    "csys-consumer-id",
    "csys-env-type",
    "csys-environment",
    "csys-location-lat",
    "csys-location-long",
    "csys-location-name",
    "csys-obj-name",
    "csys-obj-parent",
    "csys-obj-type",
    "csys-wrcp-group-id",
    "csys-wrcp-services",
];

/// One page of the keys or values that labels have.
#[derive(Debug)]
pub struct Words {
    /// The words, in their order.
    pub items: Vec<String>,
    /// How many there are without paging.
    pub total: u64,
}

impl Manager {
    /// The keys of the labels that entities have which the caller sees, or the values that go with one key.
    ///
    /// # Errors
    /// A kind that has no labels; the database's own.
    pub async fn label_words(
        &self,
        caller: &Caller,
        of: Filtered,
        key: Option<String>,
        query: ListQuery,
    ) -> Result<Words, ManagerError> {
        let Some(labels) = of.labels() else {
            return Err(ManagerError::NotFound { noun: "Label", id: of.name().to_owned() });
        };
        let table = of.collection().table;
        let (scope, mut parameters) = visible(caller, query.all_tenants).into_sql();
        let column = if key.is_some() { "value" } else { "key" };
        let mut condition = format!("owner IN (SELECT number FROM {table} WHERE {scope})");
        if let Some(key) = key {
            condition.push_str(" AND key = ?");
            parameters.push(text(key.to_lowercase()));
        }
        if let Some(search) = query.search.filter(|search| !search.is_empty()) {
            condition.push_str(&format!(" AND holds(?, {column})"));
            parameters.push(text(search));
        }
        self.read(move |connection| {
            let total: i64 = connection
                .prepare_cached(&format!("SELECT count(DISTINCT {column}) FROM {labels} WHERE {condition}"))?
                .query_row(params_from_iter(parameters.iter()), |row| row.get(0))?;
            let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX).into();
            parameters.extend([number(query.size), number(query.offset)]);
            let items = connection
                .prepare_cached(&format!(
                    "SELECT DISTINCT {column} FROM {labels} WHERE {condition} ORDER BY 1 LIMIT ? OFFSET ?"
                ))?
                .query_map(params_from_iter(parameters.iter()), |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok(Words { items, total: u64::try_from(total).unwrap_or(0) })
        })
        .await
    }
}

/// Labels as they are kept: the caller's lists of `{key: value}`, and a plan's `key → {values}`. A label that both name
/// is one.
///
/// # Errors
/// What is no label; keys and values that can't be used; the same label twice in the caller's list.
pub(super) fn labels(
    caller_name: &str,
    given: &[Value],
    of_plan: &Map<String, Value>,
) -> Result<Value, ManagerError> {
    changed_labels(caller_name, given, of_plan, &[])
}

/// [`labels`] that replace others: a label that stays keeps who made it and when.
///
/// # Errors
/// As [`labels`].
pub(super) fn changed_labels(
    caller_name: &str,
    given: &[Value],
    of_plan: &Map<String, Value>,
    kept: &[Value],
) -> Result<Value, ManagerError> {
    let now = Timestamp::now().to_string();
    let mut pairs = pairs(given)?;
    for (key, label) in of_plan {
        for value in label["values"].as_array().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let pair = label_pair(key, &value)?;
            if !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
    }
    Ok(pairs
        .into_iter()
        .map(|(key, value)| {
            let is_same = |label: &&Value| label["key"] == key.as_str() && label["value"] == value.as_str();
            kept.iter().find(is_same).cloned().unwrap_or_else(
                || json!({ "key": key, "value": value, "created_at": now, "created_by": caller_name }),
            )
        })
        .collect())
}

/// The labels that a caller gives an entity in the place of those that it has.
pub(super) fn relabelled(
    connection: &Connection,
    table: &str,
    number: i64,
    caller: &Caller,
    given: &[Value],
) -> Result<Value, ManagerError> {
    let sql = format!("SELECT labels FROM {table} WHERE number = ?");
    let kept: String = connection.query_row(&sql, [number], |row| row.get(0))?;
    let kept: Vec<Value> = serde_json::from_str(&kept).unwrap_or_default();
    changed_labels(caller.user.as_str(), given, &Map::new(), &kept)
}

/// The labels that a caller wrote: each `{key: value}`, `{key: [values]}`, or in the form in which labels are listed.
fn pairs(given: &[Value]) -> Result<Vec<(String, String)>, ManagerError> {
    let malformed = |label: &Value| {
        ManagerError::BadParameters(format!(
            "Labels must be a list of 1-entry dictionaries: [{{<key1>: <value1>}}, {{<key2>: [<value2>, <value3>]}}, \
             ...], got {label}"
        ))
    };
    let mut pairs = Vec::new();
    let mut add = |key: &str, value: &Value, label: &Value| {
        let pair = label_pair(key, value.as_str().ok_or_else(|| malformed(label))?)?;
        if pairs.contains(&pair) {
            return Err(ManagerError::BadParameters("You cannot define the same label twice".to_owned()));
        }
        pairs.push(pair);
        Ok(())
    };
    for label in given {
        let object = label.as_object().ok_or_else(|| malformed(label))?;
        match (object.get("key").and_then(Value::as_str), object.get("value")) {
            (Some(key), Some(value)) => add(key, value, label)?,
            _ => match object.iter().next() {
                Some((key, Value::Array(values))) if object.len() == 1 => {
                    values.iter().try_for_each(|value| add(key, value, label))?;
                }
                Some((key, value)) if object.len() == 1 => add(key, value, label)?,
                _ => return Err(malformed(label)),
            },
        }
    }
    Ok(pairs)
}

/// A label as it is kept: the key in lower case, the value in the one form that Unicode has for it (NFKC).
///
/// # Errors
/// A key or value that is too long or holds what it must not; a reserved key.
pub(super) fn label_pair(key: &str, value: &str) -> Result<(String, String), ManagerError> {
    static CONTROL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"[\p{C}"]"#).expect("the pattern is well formed"));
    let refused = |message: String| Err(ManagerError::BadParameters(message));
    if key.chars().count() > MAX_LENGTH || value.chars().count() > MAX_LENGTH {
        return refused(format!(
            "The key or value is too long. Maximum allowed length is {MAX_LENGTH} characters"
        ));
    }
    if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)) {
        return refused(format!(
            "The key `{key}` contains illegal characters. Only letters, digits and the characters `-`, `.` and `_` are \
             allowed"
        ));
    }
    if CONTROL.is_match(value) {
        return refused(format!(
            "The value `{}` contains illegal characters. Control characters and `\"` are not allowed.",
            value.escape_debug()
        ));
    }
    let key = key.to_lowercase();
    if key.starts_with(RESERVED_PREFIX) && !RESERVED_LABELS.contains(&key.as_str()) {
        return refused(format!(
            "All labels with a `{RESERVED_PREFIX}` prefix are reserved for internal use. Allowed `{RESERVED_PREFIX}` \
             prefixed labels are: {}",
            RESERVED_LABELS.join(", ")
        ));
    }
    Ok((key, ComposingNormalizerBorrowed::new_nfkc().normalize(value).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_kept_in_one_form() {
        let given =
            [json!({ "Env": ["prod", "ﬁne"] }), json!({ "key": "CSYS-obj-type", "value": "environment" })];
        let plan = json!({ "env": { "values": ["prod", "test"] } });
        let labels = labels("jo", &given, plan.as_object().unwrap()).unwrap();
        let pairs: Vec<_> = labels.as_array().unwrap().iter().map(|l| (&l["key"], &l["value"])).collect();
        assert_eq!(
            json!(pairs),
            json!([["env", "prod"], ["env", "fine"], ["csys-obj-type", "environment"], ["env", "test"]])
        );
    }

    #[test]
    fn what_is_no_label_is_refused() {
        for (bad, reason) in [
            (json!("env"), "1-entry dictionaries"),
            (json!({}), "1-entry dictionaries"),
            (json!({ "a": "1", "b": "2" }), "1-entry dictionaries"),
            (json!({ "a": 1 }), "1-entry dictionaries"),
            (json!({ "a b": "1" }), "illegal characters"),
            (json!({ "a": "1\n2" }), "illegal characters"),
            (json!({ "a": "say \"x\"" }), "illegal characters"),
            (json!({ "csys-mine": "1" }), "reserved for internal use"),
            (json!({ "a": "x".repeat(257) }), "too long"),
            (json!({ "a": ["1", "1"] }), "twice"),
        ] {
            let error = labels("jo", std::slice::from_ref(&bad), &Map::new()).unwrap_err().to_string();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }

    #[test]
    fn a_label_that_stays_keeps_who_made_it() {
        let kept = [json!({ "key": "a", "value": "1", "created_at": "then", "created_by": "jo" })];
        let given = [json!({ "a": "1" }), json!({ "a": "2" })];
        let labels = changed_labels("ann", &given, &Map::new(), &kept).unwrap();
        assert_eq!(labels[0], kept[0]);
        assert_eq!(labels[1]["created_by"], "ann");
    }
}
