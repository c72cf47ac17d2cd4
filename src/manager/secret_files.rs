//! Secrets that leave in a file and come back: Cloudify's export and import.
//!
//! A value leaves in clear only where no passphrase is given. What comes is judged item by item: what can't be taken is
//! named, the rest is taken.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::database::{ListQuery, list};
use crate::model::{Caller, EntityId, Permission, TenantName, Timestamp, UserName, Visibility};

use super::entities::check_free;
use super::fernet::Passphrase;
use super::scope::visible;
use super::secret_schema::SecretSchema;
use super::secrets::{SECRET, SECRETS, may_read, open, place};
use super::tenants::tenant_names;
use super::{Manager, ManagerError};

/// What is wanted of an export.
pub struct SecretExport {
    /// Which secrets.
    pub query: ListQuery,
    /// What the values are sealed with; in clear where there is none.
    pub passphrase: Option<Zeroizing<String>>,
    /// Whether owners and times are told.
    pub with_metadata: bool,
    /// What the caller needs in the tenant of each secret.
    pub permission: Permission,
}

/// What is to be imported, and who may what.
pub struct SecretImport {
    /// The items of an export.
    pub items: Vec<Value>,
    /// To which tenant each one goes; where it is not named, to that of the same name.
    pub tenant_map: BTreeMap<String, String>,
    /// What the values are sealed with.
    pub passphrase: Option<Zeroizing<String>>,
    /// Whether existing secrets get the values of the file.
    pub override_collisions: bool,
    /// What the caller needs in the tenant of each secret.
    pub create: Permission,
    /// What the caller needs for secrets that all tenants see.
    pub create_global: Permission,
    /// What the caller needs to name another owner.
    pub set_owner: Permission,
    /// What the caller needs to name times.
    pub set_timestamp: Permission,
    /// The users there are, as an owner has to be one.
    pub users: Vec<UserName>,
}

/// What an import did.
#[derive(Debug, Default)]
pub struct ImportedSecrets {
    /// The keys that existed, by tenant.
    pub colliding: BTreeMap<String, Vec<String>>,
    /// What is wrong with items, by their place in the file.
    pub errors: BTreeMap<String, Map<String, Value>>,
    /// How many were written.
    pub written: usize,
}

struct Item {
    tenant: TenantName,
    key: String,
    value: Zeroizing<String>,
    schema: Option<Map<String, Value>>,
    visibility: Visibility,
    is_hidden: bool,
    creator: UserName,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Manager {
    /// The secrets that the caller may read, with their values.
    ///
    /// # Errors
    /// Columns that there are not; the database's and the vault's own.
    pub async fn export_secrets(
        &self,
        caller: &Caller,
        export: SecretExport,
    ) -> Result<Vec<Map<String, Value>>, ManagerError> {
        let (caller, vault) = (caller.clone(), self.vault().clone());
        self.read(move |connection| {
            let SecretExport { query, passphrase, with_metadata, permission } = export;
            let scope = visible(&caller, query.all_tenants);
            let query = ListQuery { size: u64::from(u32::MAX), include: None, ..query };
            let key = passphrase.map(|passphrase| Passphrase::new(&passphrase));
            let mut items = Vec::new();
            for secret in list(connection, &SECRETS, &query, &scope)?.items {
                let text = |name: &str| secret[name].as_str().unwrap_or_default().to_owned();
                let tenant = TenantName::trusted(text("tenant_name"));
                let is_global = secret["visibility"] == Visibility::Global.as_str();
                if !may_read(&secret, &caller) || !(is_global || caller.may_in(permission, &tenant)) {
                    continue;
                }
                let value = Zeroizing::new(open(connection, &vault, tenant.as_str(), &text("key"))?);
                let mut item = json!({
                    "key": secret["key"],
                    "value": key.as_ref().map_or_else(|| value.to_string(), |key| key.seal(&value)),
                    "visibility": secret["visibility"],
                    "tenant_name": tenant,
                    "is_hidden_value": secret["is_hidden_value"],
                    "encrypted": key.is_some(),
                });
                // The value is the text of a JSON value then. Cloudify's import passes it over.
                if secret["schema"].is_object() {
                    item["schema"] = secret["schema"].clone();
                }
                if with_metadata {
                    item["creator"] = secret["created_by"].clone();
                    item["created_at"] = secret["created_at"].clone();
                    item["updated_at"] = secret["updated_at"].clone();
                }
                items.extend(item.as_object().cloned());
            }
            Ok(items)
        })
        .await
    }

    /// Takes the secrets of a file, all that can be taken in one transaction.
    ///
    /// # Errors
    /// A tenant that `tenant_map` names and that there is not; the database's and the vault's own.
    pub async fn import_secrets(
        &self,
        caller: &Caller,
        import: SecretImport,
    ) -> Result<ImportedSecrets, ManagerError> {
        let (caller, vault) = (caller.clone(), self.vault().clone());
        let passphrase = import.passphrase.clone();
        let key = tokio::task::spawn_blocking(move || passphrase.map(|text| Passphrase::new(&text)))
            .await
            .map_err(|error| ManagerError::Io(std::io::Error::other(error)))?;
        self.write(move |tx| {
            let tenants = tenant_names(tx)?;
            let absent: Vec<String> = import
                .tenant_map
                .values()
                .filter(|name| !tenants.iter().any(|tenant| tenant.as_str() == *name))
                .map(|name| format!("'{name}'"))
                .collect();
            if !absent.is_empty() {
                return Err(ManagerError::BadParameters(format!(
                    "The following destination tenants do not exist on the Manager: [{}]",
                    absent.join(", ")
                )));
            }
            let mut imported = ImportedSecrets::default();
            for (index, item) in import.items.iter().enumerate() {
                match judge(item, &import, &caller, &tenants, key.as_ref()) {
                    Ok(item) => {
                        let sealed =
                            vault.seal(place(item.tenant.as_str(), &item.key), item.value.as_bytes())?;
                        take(tx, &caller, &item, &sealed, import.override_collisions, &mut imported)?;
                    }
                    Err(errors) => {
                        imported.errors.insert(index.to_string(), errors);
                    }
                }
            }
            Ok(imported)
        })
        .await
    }
}

/// What an item of a file says, or all that is wrong with it. A value is never repeated.
fn judge(
    item: &Value,
    import: &SecretImport,
    caller: &Caller,
    tenants: &[TenantName],
    key: Option<&Passphrase>,
) -> Result<Item, Map<String, Value>> {
    let mut errors = Map::new();
    let mut missing = Vec::new();
    let mut given = |name: &'static str| {
        let value = item.get(name).filter(|value| !value.is_null());
        let is_empty = value.and_then(Value::as_str).is_some_and(|text| text.trim().is_empty());
        if value.is_none() || is_empty {
            missing.push(json!(name));
            return None;
        }
        value
    };
    let (name, hidden, visibility, tenant, encrypted, value) = (
        given("key"),
        given("is_hidden_value"),
        given("visibility"),
        given("tenant_name"),
        given("encrypted"),
        given("value"),
    );
    if !missing.is_empty() {
        errors.insert("missing secret fields".to_owned(), Value::Array(missing));
    }
    let mut wrong = |name: &str, reason: String| errors.insert(name.to_owned(), Value::from(reason));
    let name = name.and_then(Value::as_str).unwrap_or_default();
    if let Err(error) = EntityId::parse("key", name)
        && !name.is_empty()
    {
        wrong("key", error.to_string());
    }
    let hidden = hidden.map(boolean);
    if hidden == Some(None) {
        wrong("is_hidden_value", "Not boolean".to_owned());
    }
    let parsed = visibility.map(|text| text.as_str().and_then(Visibility::parse));
    if parsed == Some(None) {
        wrong("visibility", "Not a valid visibility".to_owned());
    }
    let visibility = parsed.flatten().unwrap_or(Visibility::Tenant);
    let told = tenant.and_then(Value::as_str).unwrap_or_default();
    let tenant = TenantName::trusted(import.tenant_map.get(told).map_or(told, String::as_str));
    let lacks = |permission: Permission| {
        format!(
            "User `{}` is not permitted to perform the action {} in the tenant `{tenant}`",
            caller.user, permission.name
        )
    };
    if !told.is_empty() && !tenants.contains(&tenant) {
        wrong("tenant_name", format!("The tenant `{tenant}` was not found"));
    } else if !told.is_empty() && !caller.may_in(import.create, &tenant) {
        wrong("tenant_name", lacks(import.create));
    }
    if visibility == Visibility::Global && !caller.may_in(import.create_global, &tenant) {
        wrong("visibility", lacks(import.create_global));
    }
    let moment = |name: &str| item.get(name).and_then(Value::as_str).and_then(Timestamp::parse);
    if ["created_at", "updated_at"].iter().any(|name| item.get(*name).is_some_and(|value| !value.is_null()))
        && !caller.may_in(import.set_timestamp, &tenant)
    {
        wrong("timestamp", lacks(import.set_timestamp));
    }
    let creator = match item.get("creator").and_then(Value::as_str) {
        None => caller.user.clone(),
        Some(creator) => {
            if !caller.may_in(import.set_owner, &tenant) {
                wrong("creator", lacks(import.set_owner));
            }
            let creator = UserName::trusted(creator);
            if !import.users.contains(&creator) {
                wrong("creator_valid", format!("There is no user `{creator}`"));
            }
            creator
        }
    };
    let schema = match item.get("schema") {
        None | Some(Value::Null) => None,
        Some(Value::Object(schema)) => Some(schema),
        Some(_) => {
            wrong("schema", "Not a JSON schema".to_owned());
            None
        }
    };
    // Who writes a file by hand may write a JSON value as what it is.
    let value = match value {
        Some(Value::String(text)) => Zeroizing::new(text.clone()),
        Some(value) if schema.is_some() => Zeroizing::new(value.to_string()),
        Some(_) => {
            wrong("value", "Not a text".to_owned());
            Zeroizing::default()
        }
        None => Zeroizing::default(),
    };
    let value = match (encrypted.map(boolean), key) {
        (Some(None), _) => {
            wrong("encrypted", "Not boolean".to_owned());
            None
        }
        (Some(Some(true)), None) => {
            wrong("No passphrase", "The secret is encrypted but no passphrase was given".to_owned());
            None
        }
        (Some(Some(true)), Some(key)) => key.open(&value).or_else(|| {
            wrong("value", "The passphrase does not open it, or it is damaged".to_owned());
            None
        }),
        (Some(Some(false)) | None, _) => Some(value),
    };
    if let (Some(schema), Some(value)) = (schema, &value)
        && let Err(error) = fits(name, schema, value)
    {
        wrong("schema", error.to_string());
    }
    let now = Timestamp::now();
    let created_at = moment("created_at").unwrap_or(now);
    match value {
        Some(value) if errors.is_empty() => Ok(Item {
            tenant,
            key: name.to_owned(),
            value,
            schema: schema.cloned(),
            visibility,
            is_hidden: hidden.flatten().unwrap_or(false),
            creator,
            created_at,
            updated_at: moment("updated_at").unwrap_or(now),
        }),
        Some(_) | None => Err(errors),
    }
}

/// Whether the text of a JSON value fits a schema.
fn fits(key: &str, schema: &Map<String, Value>, text: &str) -> Result<(), ManagerError> {
    let schema = SecretSchema::parse(key, schema)?;
    let value = serde_json::from_str(text).map_err(|_| {
        ManagerError::BadParameters("Error validating secret value: it is not JSON".to_owned())
    })?;
    schema.check(&value)
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn take(
    tx: &Transaction<'_>,
    caller: &Caller,
    item: &Item,
    sealed: &[u8],
    overrides: bool,
    imported: &mut ImportedSecrets,
) -> Result<(), ManagerError> {
    let tenant = item.tenant.as_str();
    let schema = item.schema.clone().map(|schema| Value::Object(schema).to_string());
    match check_free(tx, &SECRET, tenant, &item.key, item.visibility) {
        Ok(()) => {
            tx.execute(
                "INSERT INTO secrets (tenant_name, key, visibility, created_at, updated_at, created_by,
                 is_hidden_value, schema, sealed_value) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    tenant,
                    item.key,
                    item.visibility.as_str(),
                    item.created_at.to_string(),
                    item.updated_at.to_string(),
                    item.creator.as_str(),
                    item.is_hidden,
                    schema,
                    sealed,
                ],
            )?;
            imported.written += 1;
        }
        Err(ManagerError::Exists { .. }) => {
            imported.colliding.entry(tenant.to_owned()).or_default().push(item.key.clone());
            if overrides && may_override(tx, caller, tenant, &item.key)? {
                imported.written += tx.execute(
                    "UPDATE secrets SET sealed_value = ?3, is_hidden_value = ?4, updated_at = ?5, schema = ?6
                     WHERE tenant_name = ?1 AND key = ?2",
                    params![tenant, item.key, sealed, item.is_hidden, Timestamp::now().to_string(), schema],
                )?;
            }
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Whether the caller may change an existing secret: a hidden or private one of somebody else only who sees those.
fn may_override(
    connection: &Connection,
    caller: &Caller,
    tenant: &str,
    key: &str,
) -> Result<bool, ManagerError> {
    let found: Vec<(String, bool, String)> = connection
        .prepare_cached(
            "SELECT created_by, is_hidden_value, visibility FROM secrets WHERE tenant_name = ? AND key = ?",
        )?
        .query_map((tenant, key), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let role = caller.role_in(&TenantName::trusted(tenant));
    let sees_private = caller.is_admin() || role == Some(crate::model::TenantRole::Manager);
    Ok(found.iter().all(|(creator, is_hidden, visibility)| {
        sees_private
            || creator == caller.user.as_str()
            || !(*is_hidden || visibility == Visibility::Private.as_str())
    }))
}
