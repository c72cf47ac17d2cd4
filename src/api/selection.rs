//! The entities that a request means: `select` in the body, or `kind`, `tenant` and `id` in the query.

use serde_json::{Map, Value};

use crate::model::{Selection, SelectionError};
use crate::snapshots::selectable_kinds;

use super::{ApiError, JsonBody, Listing};

/// Reads what a request selects; none where it selects nothing, which means everything.
fn read(listing: &Listing, body: &JsonBody) -> Result<Option<Selection>, ApiError> {
    let known = selectable_kinds();
    match body.0.get("select") {
        None | Some(Value::Null) => Ok(Selection::from_query(listing.parameters(), &known)?),
        Some(select) => Ok(Some(Selection::from_json(select, &known)?)),
    }
}

/// Adds what a request selects, and what is to be done about what that needs, to the parameters of a restore or of its
/// plan; answers whether it selects anything.
///
/// # Errors
/// 400 for what can't be selected, and for what goes with a selection where there is none.
pub fn add_to(
    parameters: &mut Map<String, Value>,
    listing: &Listing,
    body: &JsonBody,
) -> Result<bool, ApiError> {
    let Some(selected) = read(listing, body)? else {
        require_nothing_else(listing, body)?;
        return Ok(false);
    };
    parameters.insert("select".to_owned(), selected.to_json());
    parameters.insert("dependencies".to_owned(), dependencies(listing, body)?);
    Ok(true)
}

/// Refuses what only goes with a selection, where there is none.
fn require_nothing_else(listing: &Listing, body: &JsonBody) -> Result<(), ApiError> {
    for (name, advice) in [
        ("dependencies", "say which entities are meant"),
        ("dry_run", "ask for a plan where everything is meant"),
    ] {
        if listing.get(name).is_some() || body.0.get(name).is_some_and(|value| !value.is_null()) {
            return Err(ApiError::bad_parameters(format!("`{name}` goes with `select`: {advice}")));
        }
    }
    Ok(())
}

/// What is to be done about what the selection needs: `refuse` or `include`.
fn dependencies(listing: &Listing, body: &JsonBody) -> Result<Value, ApiError> {
    let word =
        body.optional_text("dependencies")?.or_else(|| listing.get("dependencies")).unwrap_or("refuse");
    match word {
        "refuse" | "include" => Ok(Value::from(word)),
        other => Err(ApiError::bad_parameters(format!(
            "dependencies must be <refuse/include>, got {}",
            other.escape_debug()
        ))),
    }
}

impl From<SelectionError> for ApiError {
    fn from(error: SelectionError) -> Self {
        Self::bad_parameters(error.to_string())
    }
}
