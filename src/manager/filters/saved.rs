//! Filters that are saved under a name, for blueprints and for deployments; those of the system among them.

use rusqlite::{Connection, params};
use serde_json::{Map, Value};

use crate::database::{Collection, Column, ColumnKind, ListQuery, Page};
use crate::manager::entities::{
    Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, check_free, find, locate, set_visibility,
};
use crate::manager::{Manager, ManagerError};
use crate::model::{Caller, EntityId, Timestamp, Visibility};

use super::{FilterRule, Filtered};

/// What the names begin with that only the system gives.
const RESERVED_PREFIX: &str = "csys-";

macro_rules! collection {
    ($noun:literal, $table:literal) => {
        Collection {
            noun: $noun,
            table: $table,
            columns: &[
                Column::text("id"),
                Column::text("visibility"),
                Column::text("created_at"),
                Column::json("value"),
                Column::text("updated_at"),
                Column::boolean("is_system_filter"),
                Column::text("tenant_name"),
                Column::text("created_by"),
                RESOURCE_AVAILABILITY,
                PRIVATE_RESOURCE,
                Column::expression(
                    "labels_filter_rules",
                    concat!(
                        "(SELECT json_group_array(json(r.value)) FROM json_each(",
                        $table,
                        ".value) r WHERE r.value ->> '$.type' = 'label')"
                    ),
                    ColumnKind::Json,
                ),
                Column::expression(
                    "attrs_filter_rules",
                    concat!(
                        "(SELECT json_group_array(json(r.value)) FROM json_each(",
                        $table,
                        ".value) r WHERE r.value ->> '$.type' = 'attribute')"
                    ),
                    ColumnKind::Json,
                ),
            ],
            search: &["id"],
            default_sort: "created_at, number",
        }
    };
}

/// A filter for blueprints as Cloudify 7 lists it.
pub const BLUEPRINTS_FILTERS: Collection = collection!("BlueprintsFilter", "blueprints_filters");
/// A filter for deployments as Cloudify 7 lists it.
pub const DEPLOYMENTS_FILTERS: Collection = collection!("DeploymentsFilter", "deployments_filters");

static OF_BLUEPRINTS: Kind = Kind { collection: &BLUEPRINTS_FILTERS, key: "id" };
static OF_DEPLOYMENTS: Kind = Kind { collection: &DEPLOYMENTS_FILTERS, key: "id" };

/// A filter that a caller saves.
#[derive(Clone, Debug)]
pub struct NewFilter {
    /// The name that the caller gives it.
    pub id: String,
    /// The rules, as the caller wrote them.
    pub rules: Vec<Value>,
    /// Who may see it.
    pub visibility: Visibility,
}

/// What is to be changed of a filter; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct FilterChange {
    /// The rules of the types that are given; those of the other type stay, as in Cloudify.
    pub rules: Option<Vec<Value>>,
    /// Who may see it.
    pub visibility: Option<Visibility>,
}

fn kind(of: Filtered) -> Result<&'static Kind, ManagerError> {
    match of {
        Filtered::Blueprints => Ok(&OF_BLUEPRINTS),
        Filtered::Deployments => Ok(&OF_DEPLOYMENTS),
        Filtered::Nodes | Filtered::NodeInstances | Filtered::Secrets => {
            Err(ManagerError::NotFound { noun: "Filter", id: of.name().to_owned() })
        }
    }
}

impl Manager {
    /// The filters for a kind of entities that the caller sees.
    ///
    /// # Errors
    /// A kind for which none can be saved; columns that there are not; the database's own.
    pub async fn filters(
        &self,
        caller: &Caller,
        of: Filtered,
        query: ListQuery,
    ) -> Result<Page, ManagerError> {
        self.page(kind(of)?, caller, query).await
    }

    /// One filter.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn filter(
        &self,
        caller: &Caller,
        of: Filtered,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.one(kind(of)?, caller, id, include).await
    }

    /// Saves a filter, and answers it.
    ///
    /// # Errors
    /// A name that can't be one, is reserved or taken; [`ManagerError::FilterRule`].
    pub async fn create_filter(
        &self,
        caller: &Caller,
        of: Filtered,
        new: NewFilter,
    ) -> Result<Map<String, Value>, ManagerError> {
        let kind = kind(of)?;
        let id = EntityId::parse("filter_id", &new.id)?;
        if id.as_str().to_lowercase().starts_with(RESERVED_PREFIX) {
            return Err(ManagerError::BadParameters(format!(
                "All filters with a `{RESERVED_PREFIX}` prefix are reserved for internal use."
            )));
        }
        let value = kept(&FilterRule::parse_all(&new.rules, of)?);
        let caller = caller.clone();
        self.write(move |tx| {
            check_free(tx, kind, caller.tenant.as_str(), id.as_str(), new.visibility)?;
            let now = Timestamp::now().to_string();
            tx.execute(
                &format!(
                    "INSERT INTO {} (tenant_name, id, visibility, created_at, updated_at, created_by, value)
                     VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6)",
                    kind.collection.table
                ),
                params![
                    caller.tenant.as_str(),
                    id.as_str(),
                    new.visibility.as_str(),
                    now,
                    caller.user.as_str(),
                    value
                ],
            )?;
            find(tx, kind, &caller, id.as_str(), None)
        })
        .await
    }

    /// Changes a filter, and answers it.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; [`ManagerError::IllegalAction`] for one of the system, or where nothing is to be
    /// changed; [`ManagerError::FilterRule`].
    pub async fn change_filter(
        &self,
        caller: &Caller,
        of: Filtered,
        id: &str,
        change: FilterChange,
    ) -> Result<Map<String, Value>, ManagerError> {
        if change.rules.is_none() && change.visibility.is_none() {
            return Err(ManagerError::IllegalAction(
                "Update a filter request must include at least one parameter to update".to_owned(),
            ));
        }
        let kind = kind(of)?;
        let given = match &change.rules {
            Some(rules) => Some(FilterRule::parse_all(rules, of)?),
            None => None,
        };
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = own(tx, kind, &caller, &id, "update")?;
            if let Some(visibility) = change.visibility {
                set_visibility(tx, kind, &caller, &id, visibility)?;
            }
            if let Some(given) = given.filter(|given| !given.is_empty()) {
                let replaced: Vec<bool> = given.iter().map(FilterRule::is_of_label).collect();
                let mut rules = rules_of(tx, &caller, of, &id)?;
                rules.retain(|rule| !replaced.contains(&rule.is_of_label()));
                rules.extend(given);
                tx.execute(
                    &format!("UPDATE {} SET value = ?2 WHERE number = ?1", kind.collection.table),
                    (number, kept(&rules)),
                )?;
            }
            tx.execute(
                &format!("UPDATE {} SET updated_at = ?2 WHERE number = ?1", kind.collection.table),
                (number, Timestamp::now().to_string()),
            )?;
            find(tx, kind, &caller, &id, None)
        })
        .await
    }

    /// Removes a filter.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; [`ManagerError::IllegalAction`] for one of the system.
    pub async fn delete_filter(&self, caller: &Caller, of: Filtered, id: &str) -> Result<(), ManagerError> {
        let kind = kind(of)?;
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = own(tx, kind, &caller, &id, "delete")?;
            tx.execute(&format!("DELETE FROM {} WHERE number = ?", kind.collection.table), [number])?;
            Ok(())
        })
        .await
    }
}

/// The row of a filter that the caller may change: none of the system's, which everybody sees.
fn own(
    connection: &Connection,
    kind: &Kind,
    caller: &Caller,
    id: &str,
    action: &str,
) -> Result<i64, ManagerError> {
    if find(connection, kind, caller, id, None)?["is_system_filter"] == true {
        return Err(ManagerError::IllegalAction(format!("Cannot {action} a system filter")));
    }
    locate(connection, kind, caller, id)
}

fn kept(rules: &[FilterRule]) -> String {
    Value::Array(rules.iter().map(FilterRule::to_json).collect()).to_string()
}

/// The rules of a saved filter that the caller sees.
///
/// # Errors
/// [`ManagerError::NotFound`]; the database's own.
pub(super) fn rules_of(
    connection: &Connection,
    caller: &Caller,
    of: Filtered,
    id: &str,
) -> Result<Vec<FilterRule>, ManagerError> {
    let filter = find(connection, kind(of)?, caller, id, Some(vec!["value".to_owned()]))?;
    FilterRule::parse_all(filter["value"].as_array().map(Vec::as_slice).unwrap_or_default(), of)
}
