//! How many entities of a list have which values of a field, or of two.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};
use serde_json::Value;

use super::listing::{Collection, Column, ListError, ListQuery, Scope, condition, row_object};

/// The entities that have the same values.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The value of each field, in the order in which the fields were named.
    pub values: Vec<Value>,
    /// How many there are.
    pub count: u64,
}

/// Groups that were counted.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// One page of them, in the order of their values.
    pub groups: Vec<Group>,
    /// How many groups there are without paging.
    pub total: u64,
}

/// Counts the entities of a list by the values of one or two of its columns. Only the filters and the page of `query`
/// are looked at; the columns have to be those of the collection.
///
/// # Errors
/// A filter on a column that there is not; the database's own.
pub fn summarize(
    connection: &Connection,
    collection: &Collection,
    fields: &[&str],
    query: &ListQuery,
    scope: &Scope,
) -> Result<Groups, ListError> {
    let (condition, mut parameters) = condition(collection, query, scope)?;
    let columns: Vec<&Column> = fields.iter().filter_map(|field| collection.column(field)).collect();
    let selected: Vec<&str> = columns.iter().map(|column| column.sql).collect();
    let selected = selected.join(", ");
    let places: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
    let places = places.join(", ");
    let (table, end) = (collection.table, columns.len());
    let total: i64 = connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM (SELECT {selected} FROM {table} WHERE {condition} GROUP BY {places})"
        ))?
        .query_row(params_from_iter(parameters.iter()), |row| row.get(0))?;
    let sql = format!(
        "SELECT {selected}, count(*) FROM {table} WHERE {condition} GROUP BY {places} ORDER BY {places} LIMIT ? OFFSET ?"
    );
    let number = |value: u64| SqlValue::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    parameters.extend([number(query.size), number(query.offset)]);
    let groups = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(parameters.iter()), |row| {
            let mut object = row_object(row, &columns)?;
            let values =
                columns.iter().map(|column| object.remove(column.name).unwrap_or_default()).collect();
            Ok(Group { values, count: u64::try_from(row.get::<_, i64>(end)?).unwrap_or(0) })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Groups { groups, total: u64::try_from(total).unwrap_or(0) })
}
