//! Rows of a table that stand within the items of another one, as Cloudify's dump has them.

use serde_json::{Map, Value};

use super::super::{KeyMaterial, SourceError};
use super::stage::{Row, sql_value};
use super::tables::Nested;

/// Takes them out of an item. Private keys that the archive has not are told in `notes`.
///
/// # Errors
/// What is no list of such rows.
pub(super) fn nested_rows(
    nested: &'static Nested,
    keys: &mut KeyMaterial,
    (entry, tenant): (&str, &str),
    item: &mut Map<String, Value>,
    notes: &mut Vec<String>,
) -> Result<Vec<Row>, SourceError> {
    let wrong = |reason: String| SourceError::Entry { entry: entry.to_owned(), reason };
    let owner = item.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut list = item.remove(nested.key).unwrap_or_default();
    let missing = keys.put_back(&mut list);
    if missing > 0 {
        notes.push(format!(
            "{missing} private key(s) in `{}` of tenant `{tenant}` were not in the archive: a placeholder stands in their place",
            nested.table
        ));
    }
    let list = match list {
        Value::Array(list) => list,
        Value::Null => Vec::new(),
        _ => return Err(wrong(format!("`{}` is no list", nested.key))),
    };
    let mut rows = Vec::new();
    for value in list {
        let mut row = Row {
            target: nested.table,
            columns: vec!["tenant_name", nested.owner],
            values: vec![tenant.to_owned().into(), owner.clone().into()],
        };
        let mut values = match value {
            Value::Object(object) => object,
            value => nested.columns.iter().map(|field| (field.key.to_owned(), value.clone())).collect(),
        };
        for field in nested.columns {
            let (Some(column), Some(value)) = (field.column, values.remove(field.key)) else { continue };
            row.columns.push(column);
            row.values.push(sql_value(field, value).map_err(wrong)?);
        }
        rows.push(row);
    }
    Ok(rows)
}
