//! Secrets: values that only who may see them gets, and that nobody reads in the database file.

use rusqlite::{Connection, params};
use serde_json::{Map, Value};

use crate::database::{Collection, Column, ColumnKind, ListQuery, Page};
use crate::model::{Caller, EntityId, Timestamp, UserName, Visibility};

use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, check_free, find, locate};
use super::{Manager, ManagerError, Place, Vault};

/// A secret as Cloudify 7 lists it: without its value.
pub const SECRETS: Collection = Collection {
    noun: "Secret",
    table: "secrets",
    columns: &[
        Column::text("key"),
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("updated_at"),
        Column::boolean("is_hidden_value"),
        Column::json("schema"),
        Column::expression("provider_name", "NULL", ColumnKind::Text),
        Column::expression("provider_options", "NULL", ColumnKind::Text),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
    ],
    search: &["key"],
    default_sort: "created_at, number",
};

pub(super) const SECRET: Kind = Kind { collection: &SECRETS, key: "key" };

/// A secret that a caller brings. Its value is never shown by `Debug`.
pub struct NewSecret {
    /// The name that the caller gives it.
    pub key: String,
    /// The value.
    pub value: String,
    /// Whether only the creator, managers and sys_admins get the value.
    pub is_hidden_value: bool,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether an existing secret of this name is overwritten.
    pub update_if_exists: bool,
}

/// What is to be changed of a secret; `None` leaves it.
#[derive(Default)]
pub struct SecretChange {
    /// The value.
    pub value: Option<String>,
    /// Whether only the creator, managers and sys_admins get the value.
    pub is_hidden_value: Option<bool>,
    /// Who may see it.
    pub visibility: Option<Visibility>,
    /// Whose it is to be.
    pub owner: Option<UserName>,
}

pub(super) fn place<'a>(tenant: &'a str, key: &'a str) -> Place<'a> {
    Place { kind: "secret", tenant, key }
}

impl Manager {
    /// The secrets that the caller sees, without their values.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn secrets(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.page(&SECRET, caller, query).await
    }

    /// One secret with its value; an empty one where the value is hidden from the caller.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; [`ManagerError::Vault`] where the installation's key was replaced.
    pub async fn secret(&self, caller: &Caller, key: &str) -> Result<Map<String, Value>, ManagerError> {
        let (caller, key, vault) = (caller.clone(), key.to_owned(), self.vault().clone());
        self.read(move |connection| {
            let mut secret = find(connection, &SECRET, &caller, &key, None)?;
            let value = if may_read(&secret, &caller) {
                open(connection, &vault, secret["tenant_name"].as_str().unwrap_or_default(), &key)?
            } else {
                String::new()
            };
            secret.insert("value".to_owned(), Value::from(value));
            Ok(secret)
        })
        .await
    }

    /// Keeps a secret, and answers it without its value.
    ///
    /// # Errors
    /// A key that can't be one; [`ManagerError::Exists`] unless it may be overwritten; [`ManagerError::Forbidden`] where
    /// that one's value is hidden from the caller.
    pub async fn create_secret(
        &self,
        caller: &Caller,
        new: NewSecret,
    ) -> Result<Map<String, Value>, ManagerError> {
        EntityId::parse("key", &new.key)?;
        let sealed = self.vault().seal(place(caller.tenant.as_str(), &new.key), new.value.as_bytes())?;
        let caller = caller.clone();
        self.write(move |tx| {
            let now = Timestamp::now().to_string();
            match locate(tx, &SECRET, &caller, &new.key) {
                Ok(number) if new.update_if_exists => {
                    check_may_read(&find(tx, &SECRET, &caller, &new.key, None)?, &caller)?;
                    tx.execute(
                        "UPDATE secrets SET sealed_value = ?2, is_hidden_value = ?3, updated_at = ?4 WHERE number = ?1",
                        params![number, sealed, new.is_hidden_value, now],
                    )?;
                }
                _ => {
                    check_free(tx, &SECRET, caller.tenant.as_str(), &new.key, new.visibility)?;
                    tx.execute(
                        "INSERT INTO secrets (tenant_name, key, visibility, created_at, updated_at, created_by,
                         is_hidden_value, sealed_value) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)",
                        params![
                            caller.tenant.as_str(),
                            new.key,
                            new.visibility.as_str(),
                            now,
                            caller.user.as_str(),
                            new.is_hidden_value,
                            sealed
                        ],
                    )?;
                }
            }
            find(tx, &SECRET, &caller, &new.key, None)
        })
        .await
    }

    /// Changes a secret, and answers it without its value.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; [`ManagerError::Forbidden`] where its value is hidden from the caller;
    /// [`ManagerError::IllegalAction`] for a narrower visibility.
    pub async fn change_secret(
        &self,
        caller: &Caller,
        key: &str,
        change: SecretChange,
    ) -> Result<Map<String, Value>, ManagerError> {
        let sealed = match &change.value {
            Some(value) => Some(self.vault().seal(place(caller.tenant.as_str(), key), value.as_bytes())?),
            None => None,
        };
        if let Some(visibility) = change.visibility {
            self.widen(&SECRET, caller, key, visibility).await?;
        }
        let (caller, key) = (caller.clone(), key.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &SECRET, &caller, &key)?;
            check_may_read(&find(tx, &SECRET, &caller, &key, None)?, &caller)?;
            tx.execute(
                "UPDATE secrets SET sealed_value = coalesce(?2, sealed_value),
                 is_hidden_value = coalesce(?3, is_hidden_value), updated_at = ?4,
                 created_by = coalesce(?5, created_by) WHERE number = ?1",
                params![
                    number,
                    sealed,
                    change.is_hidden_value,
                    Timestamp::now().to_string(),
                    change.owner.as_ref().map(UserName::as_str)
                ],
            )?;
            find(tx, &SECRET, &caller, &key, None)
        })
        .await
    }

    /// Removes a secret, and answers what it was, without its value.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; [`ManagerError::Forbidden`] where its value is hidden from the caller.
    pub async fn delete_secret(
        &self,
        caller: &Caller,
        key: &str,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, key) = (caller.clone(), key.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &SECRET, &caller, &key)?;
            let secret = find(tx, &SECRET, &caller, &key, None)?;
            check_may_read(&secret, &caller)?;
            tx.execute("DELETE FROM secrets WHERE number = ?", [number])?;
            Ok(secret)
        })
        .await
    }

    /// Lets more callers see a secret.
    ///
    /// # Errors
    /// [`ManagerError::IllegalAction`] where it is seen by more already, or exists in other tenants.
    pub async fn set_secret_visibility(
        &self,
        caller: &Caller,
        key: &str,
        visibility: Visibility,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.widen(&SECRET, caller, key, visibility).await
    }
}

pub(super) fn may_read(secret: &Map<String, Value>, caller: &Caller) -> bool {
    secret["is_hidden_value"] != true || secret["created_by"] == caller.user.as_str() || caller.sees_private()
}

fn check_may_read(secret: &Map<String, Value>, caller: &Caller) -> Result<(), ManagerError> {
    if may_read(secret, caller) {
        return Ok(());
    }
    Err(ManagerError::Forbidden(format!(
        "User `{}` is not permitted to modify the hidden value secret `{}`",
        caller.user,
        secret["key"].as_str().unwrap_or_default()
    )))
}

pub(super) fn open(
    connection: &Connection,
    vault: &Vault,
    tenant: &str,
    key: &str,
) -> Result<String, ManagerError> {
    let sealed: Vec<u8> = connection.query_row(
        "SELECT sealed_value FROM secrets WHERE tenant_name = ? AND key = ?",
        (tenant, key),
        |row| row.get(0),
    )?;
    Ok(vault.open_text(place(tenant, key), &sealed)?)
}
