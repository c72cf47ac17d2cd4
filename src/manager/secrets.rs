//! Secrets: values that only who may see them gets, and that nobody reads in the database file.
//!
//! A value is a text; where the secret has a schema, it is the text of a JSON value that fits the schema.

use rusqlite::{Connection, params};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::database::{Collection, Column, ColumnKind, ListQuery, Page};
use crate::model::{Caller, EntityId, Timestamp, UserName, Visibility};

use super::entities::{
    Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, check_free, find, locate, set_visibility,
};
use super::secret_schema::SecretSchema;
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
    /// The value: a text, or with a schema any JSON value.
    pub value: Value,
    /// The JSON schema that the value has to fit. Without one an existing secret keeps its own.
    pub schema: Option<Map<String, Value>>,
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
    /// The value: a text, or with a schema any JSON value.
    pub value: Option<Value>,
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

    /// One secret with its value, which is a JSON value where the secret has a schema; an empty text where the value is
    /// hidden from the caller.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; [`ManagerError::Vault`] where the installation's key was replaced.
    pub async fn secret(&self, caller: &Caller, key: &str) -> Result<Map<String, Value>, ManagerError> {
        let (caller, key, vault) = (caller.clone(), key.to_owned(), self.vault().clone());
        self.read(move |connection| {
            let mut secret = find(connection, &SECRET, &caller, &key, None)?;
            let value = if may_read(&secret, &caller) {
                let text =
                    open(connection, &vault, secret["tenant_name"].as_str().unwrap_or_default(), &key)?;
                shown(&secret, text)
            } else {
                Value::from("")
            };
            secret.insert("value".to_owned(), value);
            Ok(secret)
        })
        .await
    }

    /// Keeps a secret, and answers it without its value.
    ///
    /// # Errors
    /// A key or a schema that can't be one; a value that does not fit the schema; [`ManagerError::Exists`] unless it may
    /// be overwritten; [`ManagerError::Forbidden`] where that one's value is hidden from the caller.
    pub async fn create_secret(
        &self,
        caller: &Caller,
        new: NewSecret,
    ) -> Result<Map<String, Value>, ManagerError> {
        EntityId::parse("key", &new.key)?;
        let schema =
            new.schema.as_ref().map(|document| SecretSchema::parse(&new.key, document)).transpose()?;
        let (caller, vault) = (caller.clone(), self.vault().clone());
        self.write(move |tx| {
            let now = Timestamp::now().to_string();
            let document = new.schema.map(|document| Value::Object(document).to_string());
            let seal = |schema: Option<&SecretSchema>| {
                seal(&vault, (caller.tenant.as_str(), &new.key), &new.value, schema)
            };
            match locate(tx, &SECRET, &caller, &new.key) {
                Ok(number) if new.update_if_exists => {
                    let existing = find(tx, &SECRET, &caller, &new.key, None)?;
                    check_may_read(&existing, &caller)?;
                    let schema = match schema {
                        Some(schema) => Some(schema),
                        None => schema_of(&existing)?,
                    };
                    tx.execute(
                        "UPDATE secrets SET sealed_value = ?2, is_hidden_value = ?3, updated_at = ?4,
                         schema = coalesce(?5, schema) WHERE number = ?1",
                        params![number, seal(schema.as_ref())?, new.is_hidden_value, now, document],
                    )?;
                }
                _ => {
                    check_free(tx, &SECRET, caller.tenant.as_str(), &new.key, new.visibility)?;
                    tx.execute(
                        "INSERT INTO secrets (tenant_name, key, visibility, created_at, updated_at, created_by,
                         is_hidden_value, schema, sealed_value) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8)",
                        params![
                            caller.tenant.as_str(),
                            new.key,
                            new.visibility.as_str(),
                            now,
                            caller.user.as_str(),
                            new.is_hidden_value,
                            document,
                            seal(schema.as_ref())?,
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
    /// [`ManagerError::NotFound`]; [`ManagerError::Forbidden`] where its value is hidden from the caller; a value that
    /// does not fit its schema; [`ManagerError::IllegalAction`] for a narrower visibility.
    pub async fn change_secret(
        &self,
        caller: &Caller,
        key: &str,
        change: SecretChange,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, key, vault) = (caller.clone(), key.to_owned(), self.vault().clone());
        self.write(move |tx| {
            let number = locate(tx, &SECRET, &caller, &key)?;
            let secret = find(tx, &SECRET, &caller, &key, None)?;
            check_may_read(&secret, &caller)?;
            let sealed = match &change.value {
                Some(value) => {
                    let schema = schema_of(&secret)?;
                    Some(seal(&vault, (caller.tenant.as_str(), &key), value, schema.as_ref())?)
                }
                None => None,
            };
            if let Some(visibility) = change.visibility {
                set_visibility(tx, &SECRET, &caller, &key, visibility)?;
            }
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

/// The schema of a secret, if it has one.
fn schema_of(secret: &Map<String, Value>) -> Result<Option<SecretSchema>, ManagerError> {
    let key = secret["key"].as_str().unwrap_or_default();
    secret["schema"].as_object().map(|document| SecretSchema::parse(key, document)).transpose()
}

/// Seals a value that is as it has to be. No message holds it.
fn seal(
    vault: &Vault,
    (tenant, key): (&str, &str),
    value: &Value,
    schema: Option<&SecretSchema>,
) -> Result<Vec<u8>, ManagerError> {
    let text = match (schema, value) {
        (Some(schema), value) => {
            schema.check(value)?;
            Zeroizing::new(value.to_string())
        }
        (None, Value::String(text)) => Zeroizing::new(text.clone()),
        (None, _) => {
            return Err(ManagerError::BadParameters(
                "value must be a text; to keep another JSON value, say by `schema` what it is".to_owned(),
            ));
        }
    };
    Ok(vault.seal(place(tenant, key), text.as_bytes())?)
}

/// A value as callers see it.
fn shown(secret: &Map<String, Value>, text: String) -> Value {
    match secret["schema"].is_object() {
        // What another manager kept beside a schema may be no JSON.
        true => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        false => Value::String(text),
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
