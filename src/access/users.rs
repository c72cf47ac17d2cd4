//! Users, as administrators see and change them.

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::database::{Collection, Column, ListQuery, Page, list_values};
use crate::manager::ManagerError;
use crate::model::{Caller, SystemRole, Timestamp, UserName};
use crate::records::{Records, RecordsError, User};

use super::standing::{Everybody, check_administered, check_rank, groups_of};
use super::{Access, AccessError, bad, hash_password};

/// A user as Cloudify 7 lists it.
pub const USERS: Collection = Collection {
    noun: "User",
    table: "users",
    columns: &[
        Column::text("username"),
        Column::text("role"),
        Column::boolean("active"),
        Column::boolean("is_locked"),
        Column::json("groups"),
        Column::json("group_system_roles"),
        Column::json("tenants"),
        Column::json("tenant_roles"),
        Column::text("created_at"),
        Column::text("first_login_at"),
        Column::text("last_login_at"),
        Column::boolean("show_getting_started"),
    ],
    search: &["username"],
    default_sort: "username",
};

/// The fewest characters of a new password.
const MIN_PASSWORD: usize = 8;

/// A user that an administrator makes.
pub struct NewUser {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Zeroizing<String>,
    /// The role everywhere.
    pub role: String,
}

/// What is to be changed of a user; `None` leaves it.
#[derive(Default)]
pub struct UserChange {
    /// The password.
    pub password: Option<Zeroizing<String>>,
    /// The role everywhere.
    pub role: Option<String>,
    /// Whether the user may log in.
    pub active: Option<bool>,
}

pub(super) fn unknown_user(username: &str) -> AccessError {
    ManagerError::NotFound { noun: "User", id: username.to_owned() }.into()
}

pub(super) fn system_role(text: &str) -> Result<SystemRole, AccessError> {
    SystemRole::parse(text).ok_or_else(|| {
        bad(format!("Invalid role: `{text}`. Valid system roles are: ['sys_admin', 'default']"))
    })
}

async fn hashed(password: Zeroizing<String>) -> Result<String, AccessError> {
    let length = password.chars().count();
    if !(MIN_PASSWORD..=256).contains(&length) {
        return Err(bad(format!("a password has {MIN_PASSWORD} to 256 characters; this one has {length}")));
    }
    let hash = tokio::task::spawn_blocking(move || hash_password(&password)).await;
    Ok(hash.map_err(|error| ManagerError::Io(std::io::Error::other(error)))??)
}

impl Access {
    /// The users; the tenants of each by name with `with_data`, else only counted.
    ///
    /// # Errors
    /// Columns that there are not; the records' own.
    pub async fn users(&self, query: ListQuery, with_data: bool) -> Result<Page, AccessError> {
        let everybody = self.records.read(Everybody::read).await?;
        let views = everybody.users.iter().map(|user| user_view(user, &everybody, with_data)).collect();
        Ok(list_values(&USERS, views, &query).map_err(RecordsError::from)?)
    }

    /// One user.
    ///
    /// # Errors
    /// No user of this name; the records' own.
    pub async fn user(&self, username: &str, with_data: bool) -> Result<Map<String, Value>, AccessError> {
        let everybody = self.records.read(Everybody::read).await?;
        let user = everybody.users.iter().find(|user| user.username.as_str() == username);
        user.map(|user| user_view(user, &everybody, with_data)).ok_or_else(|| unknown_user(username))
    }

    /// Makes a user.
    ///
    /// # Errors
    /// A name, password or role that can't be one; a name that is taken; sys_admin by who is none.
    pub async fn create_user(
        &self,
        caller: &Caller,
        new: NewUser,
    ) -> Result<Map<String, Value>, AccessError> {
        let username = UserName::parse(&new.username)?;
        let role = system_role(&new.role)?;
        check_rank(caller, role)?;
        let user = User {
            username: username.clone(),
            role,
            password_hash: Some(hashed(new.password).await?),
            active: true,
            created_at: Timestamp::now(),
            first_login_at: None,
            last_login_at: None,
        };
        let by = caller.user.clone();
        self.records
            .write(move |tx| {
                if !Records::insert_user(tx, &user)? {
                    let taken = format!("<User username=`{}`> already exists", user.username);
                    return Err(AccessError::from(ManagerError::Conflict(taken)));
                }
                let details = json!({ "role": role.as_str() });
                Ok(Records::audit(tx, &by, "user_create", user.username.as_str(), Some(&details))?)
            })
            .await?;
        self.user(username.as_str(), false).await
    }

    /// Changes a user.
    ///
    /// # Errors
    /// No user of this name; a password or role that can't be one; a user who is active, or is not, already; the last
    /// active sys_admin would be none any more; a sys_admin by who is none.
    pub async fn change_user(
        &self,
        caller: &Caller,
        username: &str,
        change: UserChange,
    ) -> Result<Map<String, Value>, AccessError> {
        let role = change.role.as_deref().map(system_role).transpose()?;
        let hash = match change.password {
            Some(password) => Some(hashed(password).await?),
            None => None,
        };
        if let Some(role) = role {
            check_rank(caller, role)?;
        }
        let details = json!({
            "password": hash.is_some(),
            "role": role.map(SystemRole::as_str),
            "active": change.active,
        });
        let (caller, name) = (caller.clone(), username.to_owned());
        self.records
            .write(move |tx| {
                check_rank_of(tx, &caller, &name)?;
                if let Some(active) = change.active {
                    check_not_already(tx, &name, active)?;
                }
                if !Records::update_user(tx, &name, hash.as_deref(), role, change.active)? {
                    return Err(unknown_user(&name));
                }
                check_administered(tx)?;
                Ok(Records::audit(tx, &caller.user, "user_update", &name, Some(&details))?)
            })
            .await?;
        self.user(username, false).await
    }

    /// Ends the delay that wrong passwords brought upon a user.
    ///
    /// # Errors
    /// No user of this name; no delay; a user who has no password yet, which is to be set instead.
    pub async fn unlock_user(
        &self,
        caller: &Caller,
        username: &str,
    ) -> Result<Map<String, Value>, AccessError> {
        let user = self.user(username, false).await?;
        if user["is_locked"] == true {
            return Err(ManagerError::IllegalAction(format!(
                "The user `{username}` has no password yet: set one and activate the user"
            ))
            .into());
        }
        if !self.throttle.forget(username) {
            let already = format!("The user `{username}` is already unlocked");
            return Err(ManagerError::Conflict(already).into());
        }
        self.audit(caller, "user_update", username, Some(json!({ "unlocked": true }))).await?;
        Ok(user)
    }

    /// Removes a user with the memberships and tokens, and answers what it was.
    ///
    /// # Errors
    /// No user of this name; the last active sys_admin; a sys_admin by who is none.
    pub async fn delete_user(
        &self,
        caller: &Caller,
        username: &str,
    ) -> Result<Map<String, Value>, AccessError> {
        let user = self.user(username, false).await?;
        let (caller, name) = (caller.clone(), username.to_owned());
        self.records
            .write(move |tx| {
                check_rank_of(tx, &caller, &name)?;
                if !Records::delete_user(tx, &name)? {
                    return Err(unknown_user(&name));
                }
                check_administered(tx)?;
                Ok(Records::audit(tx, &caller.user, "user_delete", &name, None)?)
            })
            .await?;
        Ok(user)
    }
}

/// Whether the caller may change this user at all.
fn check_rank_of(
    connection: &rusqlite::Connection,
    caller: &Caller,
    username: &str,
) -> Result<(), AccessError> {
    let everybody = Everybody::read(connection)?;
    let user = everybody.users.iter().find(|user| user.username.as_str() == username);
    user.map_or(Ok(()), |user| check_rank(caller, everybody.standing(user).system_role))
}

/// Refuses to activate or deactivate a user who is so already.
fn check_not_already(
    connection: &rusqlite::Connection,
    username: &str,
    active: bool,
) -> Result<(), AccessError> {
    match Records::user(connection, username)? {
        Some(user) if user.active == active => {
            let state = if active { "active" } else { "inactive" };
            Err(ManagerError::Conflict(format!("The user `{username}` is already {state}")).into())
        }
        Some(_) | None => Ok(()),
    }
}

fn user_view(user: &User, everybody: &Everybody, with_data: bool) -> Map<String, Value> {
    let own = everybody
        .memberships
        .iter()
        .filter(|membership| membership.username == user.username && membership.confirmed);
    let direct: Map<String, Value> =
        own.map(|membership| (membership.tenant_name.to_string(), json!(membership.role.as_str()))).collect();
    let mut tenants: Map<String, Value> = Map::new();
    for (tenant, role) in everybody.standing(user).tenants {
        let roles = tenants
            .entry(tenant.as_str())
            .or_insert_with(|| json!({ "tenant-role": direct.get(tenant.as_str()), "roles": [] }));
        if let Some(roles) = roles["roles"].as_array_mut() {
            roles.push(json!(role.as_str()));
        }
    }
    let groups = groups_of(&user.username, &everybody.groups);
    let mut system_roles: Map<String, Value> = Map::new();
    for group in &groups {
        let named = system_roles.entry(group.role.as_str()).or_insert_with(|| json!([]));
        if let Some(named) = named.as_array_mut() {
            named.push(json!(group.name));
        }
    }
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let view = json!({
        "username": user.username,
        "role": user.role.as_str(),
        "active": user.active,
        // A user whom a restore brought has no password yet.
        "is_locked": user.password_hash.is_none(),
        "groups": if with_data { json!(names) } else { json!(names.len()) },
        "group_system_roles": system_roles,
        "tenants": if with_data { Value::Object(tenants.clone()) } else { json!(tenants.len()) },
        "tenant_roles": { "direct": direct, "groups": everybody.group_tenants(&user.username) },
        "created_at": user.created_at,
        "first_login_at": user.first_login_at,
        "last_login_at": user.last_login_at,
        "show_getting_started": false,
    });
    view.as_object().cloned().unwrap_or_default()
}
