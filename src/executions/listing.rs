//! One count of what two databases hold: executions of the service and of the manager's state.

use std::cmp::Ordering;

use serde_json::Value;

use crate::database::{Collection, Database, Group, Groups, ListError, ListQuery, Scope, summarize};

/// Counts what both databases hold by the values of columns. The groups of both are read whole, as the same group may be
/// in both.
///
/// # Errors
/// A filter on a column that there is not; the databases' own.
pub async fn merged_groups(
    databases: [Database; 2],
    collection: &'static Collection,
    fields: Vec<&'static str>,
    query: ListQuery,
    scope: Scope,
) -> Result<Groups, ListError> {
    let mut groups: Vec<Group> = Vec::new();
    for database in databases {
        let asked = ListQuery { offset: 0, size: u64::MAX, ..query.clone() };
        let (scope, fields) = (scope.clone(), fields.clone());
        let found = database
            .read(move |connection| summarize(connection, collection, &fields, &asked, &scope))
            .await?;
        groups.extend(found.groups);
    }
    let order = |one: &Group, other: &Group| {
        let pairs = one.values.iter().zip(&other.values);
        pairs
            .map(|(one, other)| compare_values(Some(one), Some(other)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    };
    groups.sort_by(order);
    groups.dedup_by(|later, earlier| {
        let is_same = later.values == earlier.values;
        earlier.count += if is_same { later.count } else { 0 };
        is_same
    });
    let total = groups.len() as u64;
    let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let groups = groups.into_iter().skip(place(query.offset)).take(place(query.size)).collect();
    Ok(Groups { groups, total })
}

/// The order of SQLite: nothing, then numbers, then texts by their bytes.
fn compare_values(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    match (one, other) {
        (Some(Value::String(one)), Some(Value::String(other))) => one.cmp(other),
        (Some(Value::Number(one)), Some(Value::Number(other))) => {
            one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal)
        }
        (Some(Value::Bool(one)), Some(Value::Bool(other))) => one.cmp(other),
        (one, other) => rank(one).cmp(&rank(other)),
    }
}

fn rank(value: Option<&Value>) -> u8 {
    match value {
        None | Some(Value::Null) => 0,
        Some(Value::Bool(_) | Value::Number(_)) => 1,
        Some(Value::String(_)) => 2,
        Some(Value::Array(_) | Value::Object(_)) => 3,
    }
}
