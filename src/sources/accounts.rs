//! Users and their roles, as an archive carries them: names and roles, never a password's hash.
//!
//! They are records of the service and not the manager's state: a restore adds who is unknown, locked, and changes
//! nobody who exists. An archive can't bring in somebody who may log in.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::{SystemRole, TenantName, TenantRole, Timestamp, UserName};
use crate::records::{Membership, Records, RecordsError, User};

use super::{Collected, EntrySink, EntrySource, SourceError};

/// The envelope's name in an archive; `mgmt/00000001.json` holds the tenants.
const ENVELOPE: &str = "mgmt/00000002.json";
/// Cloudify's own restore insists on a text here; this one is no hash of anything.
const NO_PASSWORD: &str = "!";

#[derive(Serialize, Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    items: Vec<Account>,
}

#[derive(Serialize, Deserialize)]
struct Account {
    username: String,
    role: String,
    tenant_roles: Value,
    first_login_at: Option<Timestamp>,
    last_login_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
    #[serde(default)]
    password_hash: String,
}

/// Writes the envelope of users, by name.
///
/// # Errors
/// The records' and the sink's own.
pub fn collect(connection: &Connection, sink: &mut dyn EntrySink) -> Result<Collected, SourceError> {
    let state = |error: RecordsError| SourceError::State(Box::new(error));
    let memberships = Records::memberships(connection, None).map_err(state)?;
    let items: Vec<Account> = Records::users(connection)
        .map_err(state)?
        .into_iter()
        .map(|user| {
            let direct: Map<String, Value> = memberships
                .iter()
                .filter(|membership| membership.username == user.username && membership.confirmed)
                .map(|membership| (membership.tenant_name.to_string(), json!(membership.role.as_str())))
                .collect();
            Account {
                username: user.username.to_string(),
                role: user.role.as_str().to_owned(),
                tenant_roles: json!({ "direct": direct, "groups": {} }),
                first_login_at: user.first_login_at,
                last_login_at: user.last_login_at,
                created_at: Some(user.created_at),
                password_hash: NO_PASSWORD.to_owned(),
            }
        })
        .collect();
    let mut collected = Collected::default();
    collected.count("users", items.len() as u64);
    let envelope = Envelope { kind: "users".to_owned(), items };
    let document = serde_json::to_vec(&envelope).map_err(|error| SourceError::State(Box::new(error)))?;
    sink.bytes(ENVELOPE, &document)?;
    Ok(collected)
}

/// The accounts of an archive, read and judged, ready to be added.
#[derive(Debug, Default)]
pub struct Accounts {
    users: Vec<(User, Vec<(TenantName, TenantRole)>)>,
}

/// Reads the accounts of an archive; none where it has no envelope of users.
///
/// # Errors
/// An envelope that is not what [`collect`] wrote.
pub fn read(source: &dyn EntrySource) -> Result<Accounts, SourceError> {
    if !source.names().contains(&ENVELOPE) {
        return Ok(Accounts::default());
    }
    let wrong = |reason: String| SourceError::Entry { entry: ENVELOPE.to_owned(), reason };
    let envelope: Envelope =
        serde_json::from_slice(&source.bytes(ENVELOPE)?).map_err(|error| wrong(error.to_string()))?;
    let mut users = Vec::new();
    for account in envelope.items {
        let username = UserName::parse(&account.username).map_err(|error| wrong(error.to_string()))?;
        let direct =
            account.tenant_roles.get("direct").and_then(Value::as_object).cloned().unwrap_or_default();
        let roles = direct
            .into_iter()
            .map(|(tenant, role)| {
                let known = role.as_str().and_then(TenantRole::parse);
                let role = known.ok_or_else(|| wrong(format!("`{role}` is no role in a tenant")))?;
                Ok((TenantName::parse(&tenant).map_err(|error| wrong(error.to_string()))?, role))
            })
            .collect::<Result<_, SourceError>>()?;
        let user = User {
            username,
            password_hash: None,
            // An archive must not make an administrator: the role everywhere is given by hand.
            role: SystemRole::Default,
            active: false,
            created_at: account.created_at.unwrap_or_else(Timestamp::now),
            first_login_at: None,
            last_login_at: None,
        };
        users.push((user, roles));
    }
    Ok(Accounts { users })
}

/// What a restore would do to the accounts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Users who are unknown and would be added, locked.
    pub added: Vec<String>,
    /// Users who exist and would be left as they are.
    pub kept: Vec<String>,
}

impl Accounts {
    /// Tells what [`Accounts::restore`] would do to users. Changes nothing.
    ///
    /// # Errors
    /// The records' own.
    pub fn planned(&self, connection: &Connection) -> Result<Planned, RecordsError> {
        let known = Records::users(connection)?;
        let mut planned = Planned::default();
        for (user, _) in &self.users {
            let is_known = known.iter().any(|other| other.username == user.username);
            let list = if is_known { &mut planned.kept } else { &mut planned.added };
            list.push(user.username.to_string());
        }
        Ok(planned)
    }

    /// Adds the users who are unknown here: not active, without a password, with role `default` and their roles in
    /// tenants; lets memberships in tenants that `tenants` does not name sleep. Run twice, the second call changes
    /// nothing.
    ///
    /// # Errors
    /// The records' own.
    pub fn restore(self, connection: &Connection, tenants: &[String]) -> Result<Restored, RecordsError> {
        let mut restored = Restored::default();
        for (user, roles) in self.users {
            if !Records::insert_user(connection, &user)? {
                restored.kept.push(user.username.to_string());
                continue;
            }
            for (tenant_name, role) in roles {
                let membership =
                    Membership { username: user.username.clone(), tenant_name, role, confirmed: true };
                Records::set_membership(connection, &membership)?;
            }
            restored.added.push(user.username.to_string());
        }
        for membership in Records::memberships(connection, None)? {
            if membership.confirmed && !tenants.iter().any(|name| name == membership.tenant_name.as_str()) {
                restored.sleeping.push(format!("{} in {}", membership.username, membership.tenant_name));
                Records::set_membership(connection, &Membership { confirmed: false, ..membership })?;
            }
        }
        Ok(restored)
    }
}

/// What a restore did to the accounts.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Users who were unknown and are there now, locked until an administrator gives them a password.
    pub added: Vec<String>,
    /// Users who exist and were left as they are.
    pub kept: Vec<String>,
    /// Memberships whose tenant is gone: they count again only when an administrator confirms them.
    pub sleeping: Vec<String>,
}
