//! Lists over values that no single table holds, by the same rules as lists over a table.

use serde_json::{Map, Value};

use super::listing::{Collection, ListError, ListQuery, Page, quoted};

/// Reads one page of `items`, which come in the order that holds where none is asked for. The collection's table is not
/// used.
///
/// # Errors
/// A column that the collection has not, named with those that it has.
pub fn list_values(
    collection: &Collection,
    mut items: Vec<Map<String, Value>>,
    query: &ListQuery,
) -> Result<Page, ListError> {
    collection.check_include(query.include.as_deref())?;
    let unknown = |names: Vec<&String>| -> Option<String> {
        let unknown: Vec<&str> =
            names.into_iter().map(String::as_str).filter(|name| collection.column(name).is_none()).collect();
        (!unknown.is_empty()).then(|| quoted(&unknown))
    };
    if let Some(keys) = unknown(query.sort.iter().map(|sort| &sort.column).collect()) {
        return Err(ListError::UnknownSort { keys, allowed: collection.allowed() });
    }
    if let Some(keys) = unknown(query.filters.iter().map(|filter| &filter.column).collect()) {
        return Err(ListError::UnknownFilter { keys, allowed: collection.allowed() });
    }
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        other => other.to_string(),
    };
    items.retain(|item| {
        query.filters.iter().all(|filter| {
            filter.values.iter().any(|value| text(of(item, &filter.column)).eq_ignore_ascii_case(value))
        }) && query.search.as_ref().is_none_or(|search| {
            let search = search.to_lowercase();
            collection.search.iter().any(|column| text(of(item, column)).to_lowercase().contains(&search))
        })
    });
    for sort in query.sort.iter().rev() {
        // The sort is stable, so the last key comes first.
        items.sort_by(|a, b| {
            let order = compare(of(a, &sort.column), of(b, &sort.column));
            if sort.descending { order.reverse() } else { order }
        });
    }
    let total = items.len() as u64;
    let position = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let items = items
        .into_iter()
        .skip(position(query.offset))
        .take(position(query.size))
        .map(|mut item| {
            item.retain(|name, _| {
                query.include.as_ref().is_none_or(|include| include.contains(name))
                    && collection.column(name).is_some()
            });
            item
        })
        .collect();
    Ok(Page { items, total, offset: query.offset, size: query.size, filtered: None })
}

/// What an item has in a column; null where it lacks it, as what has to be asked for may.
fn of<'a>(item: &'a Map<String, Value>, column: &str) -> &'a Value {
    item.get(column).unwrap_or(&Value::Null)
}

fn compare(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_i64().cmp(&b.as_i64()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (a, b) => a.as_str().cmp(&b.as_str()),
    }
}
