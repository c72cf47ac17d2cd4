//! What the entities of a tenant have in common: how they are listed, found, named and shown to others.
//!
//! Knows the tables only through a [`Kind`].

use rusqlite::{Connection, OptionalExtension, Transaction, params_from_iter};
use serde_json::{Map, Value};

use crate::database::{Collection, Column, ColumnKind, Filter, ListQuery, Page, list, text};
use crate::model::{Caller, Visibility};

use super::scope::{visible, writable};
use super::{Manager, ManagerError};

/// The deprecated mirror of `visibility` that Cloudify still shows.
pub(super) const RESOURCE_AVAILABILITY: Column =
    Column::expression("resource_availability", "visibility", ColumnKind::Text);
/// Whether only the creator sees it, as Cloudify still shows it.
pub(super) const PRIVATE_RESOURCE: Column =
    Column::expression("private_resource", "visibility = 'private'", ColumnKind::Boolean);

/// A kind of entity: its table as callers see it, and the column that names one of them in a tenant.
#[derive(Debug)]
pub(super) struct Kind {
    /// What is shown. Its `table` is a plain table with the columns `number`, `tenant_name`, `visibility` and
    /// `created_by`.
    pub collection: &'static Collection,
    /// The column of the name that callers use.
    pub key: &'static str,
}

impl Kind {
    /// The error that there is none of this name.
    pub fn not_found(&self, id: &str) -> ManagerError {
        ManagerError::NotFound { noun: self.collection.noun, id: id.to_owned() }
    }
}

impl Manager {
    /// One page of the entities of a kind that the caller sees.
    pub(super) async fn page(
        &self,
        kind: &'static Kind,
        caller: &Caller,
        query: ListQuery,
    ) -> Result<Page, ManagerError> {
        let scope = visible(caller, query.all_tenants);
        self.read(move |connection| Ok(list(connection, kind.collection, &query, &scope)?)).await
    }

    /// One entity that the caller sees, with the columns of `include`.
    pub(super) async fn one(
        &self,
        kind: &'static Kind,
        caller: &Caller,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.read(move |connection| find(connection, kind, &caller, &id, include)).await
    }

    /// Lets more callers see an entity, and answers it.
    pub(super) async fn widen(
        &self,
        kind: &'static Kind,
        caller: &Caller,
        id: &str,
        visibility: Visibility,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            set_visibility(tx, kind, &caller, &id, visibility)?;
            find(tx, kind, &caller, &id, None)
        })
        .await
    }
}

/// The entity of this name that the caller sees; that of the caller's tenant before a global one.
pub(super) fn find(
    connection: &Connection,
    kind: &Kind,
    caller: &Caller,
    id: &str,
    include: Option<Vec<String>>,
) -> Result<Map<String, Value>, ManagerError> {
    let filters = vec![Filter { column: kind.key.to_owned(), values: vec![id.to_owned()] }];
    let query = ListQuery { include, filters, size: 1, ..ListQuery::default() };
    for scope in [writable(caller), visible(caller, false)] {
        if let Some(item) = list(connection, kind.collection, &query, &scope)?.items.pop() {
            return Ok(item);
        }
    }
    Err(kind.not_found(id))
}

/// The row of an entity that the caller may change.
pub(super) fn locate(
    connection: &Connection,
    kind: &Kind,
    caller: &Caller,
    id: &str,
) -> Result<i64, ManagerError> {
    let (condition, parameters) = writable(caller).into_sql();
    let sql = format!("SELECT number FROM {} WHERE {} = ? AND {condition}", kind.collection.table, kind.key);
    connection
        .prepare_cached(&sql)?
        .query_row(params_from_iter([text(id)].into_iter().chain(parameters)), |row| row.get(0))
        .optional()?
        .ok_or_else(|| kind.not_found(id))
}

/// Checks that no other entity has the name where both could be seen: in its tenant, or anywhere once one is global.
pub(super) fn check_free(
    connection: &Connection,
    kind: &Kind,
    tenant: &str,
    id: &str,
    visibility: Visibility,
) -> Result<(), ManagerError> {
    let (table, key) = (kind.collection.table, kind.key);
    let sql = format!(
        "SELECT tenant_name FROM {table} WHERE {key} = ?1 AND (tenant_name = ?2 OR visibility = 'global' OR ?3) LIMIT 1"
    );
    let is_global = visibility == Visibility::Global;
    let holder: Option<String> =
        connection.prepare_cached(&sql)?.query_row((id, tenant, is_global), |row| row.get(0)).optional()?;
    match holder {
        None => Ok(()),
        Some(tenant) => Err(ManagerError::Exists { noun: kind.collection.noun, id: id.to_owned(), tenant }),
    }
}

/// Lets more callers see an entity. Run twice, it changes nothing.
pub(super) fn set_visibility(
    tx: &Transaction<'_>,
    kind: &Kind,
    caller: &Caller,
    id: &str,
    visibility: Visibility,
) -> Result<(), ManagerError> {
    let number = locate(tx, kind, caller, id)?;
    let (table, key) = (kind.collection.table, kind.key);
    let before: String =
        tx.query_row(&format!("SELECT visibility FROM {table} WHERE number = ?"), [number], |row| {
            row.get(0)
        })?;
    if Visibility::parse(&before).is_some_and(|before| before > visibility) {
        return Err(ManagerError::IllegalAction(format!(
            "Can't set the visibility of `{id}` because it already has wider visibility"
        )));
    }
    let taken: bool = tx.query_row(
        &format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {key} = ?1 AND tenant_name <> ?2)"),
        (id, caller.tenant.as_str()),
        |row| row.get(0),
    )?;
    if visibility == Visibility::Global && taken {
        return Err(ManagerError::IllegalAction(format!(
            "Can't set the visibility of `{id}` to global because it also exists in other tenants"
        )));
    }
    tx.execute(
        &format!("UPDATE {table} SET visibility = ?2 WHERE number = ?1"),
        (number, visibility.as_str()),
    )?;
    Ok(())
}
