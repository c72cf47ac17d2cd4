//! Users, and who belongs to which tenant, as administrators see and change them.

use rusqlite::Connection;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::database::{Collection, Column, ListQuery, Page, list_values};
use crate::manager::ManagerError;
use crate::model::{Caller, SystemRole, TenantName, TenantRole, Timestamp, UserName};
use crate::records::{Membership, Records, RecordsError, User};

use super::{Access, AccessError, hash_password};

/// A user as Cloudify 7 lists it.
pub const USERS: Collection = Collection {
    noun: "User",
    table: "users",
    columns: &[
        Column::text("username"),
        Column::text("role"),
        Column::boolean("active"),
        Column::boolean("is_locked"),
        Column::integer("groups"),
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

/// A tenant as Cloudify 7 lists it.
pub const TENANTS: Collection = Collection {
    noun: "Tenant",
    table: "tenants",
    columns: &[
        Column::text("name"),
        Column::json("groups"),
        Column::json("users"),
        Column::json("user_roles"),
    ],
    search: &["name"],
    default_sort: "name",
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

fn bad(message: String) -> AccessError {
    ManagerError::BadParameters(message).into()
}

fn unknown_user(username: &str) -> AccessError {
    ManagerError::NotFound { noun: "User", id: username.to_owned() }.into()
}

fn system_role(text: &str) -> Result<SystemRole, AccessError> {
    SystemRole::parse(text).ok_or_else(|| {
        bad(format!("Invalid role: `{text}`. Valid system roles are: ['sys_admin', 'default']"))
    })
}

fn tenant_role(text: &str) -> Result<TenantRole, AccessError> {
    TenantRole::parse(text).ok_or_else(|| {
        bad(format!(
            "Invalid role: `{text}`. Valid tenant roles are: ['manager', 'user', 'operations', 'viewer']"
        ))
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
        let (users, memberships) = self
            .records
            .read(|connection| {
                Ok::<_, RecordsError>((Records::users(connection)?, Records::memberships(connection, None)?))
            })
            .await?;
        let views = users.iter().map(|user| user_view(user, &memberships, with_data)).collect();
        Ok(list_values(&USERS, views, &query).map_err(RecordsError::from)?)
    }

    /// One user.
    ///
    /// # Errors
    /// No user of this name; the records' own.
    pub async fn user(&self, username: &str, with_data: bool) -> Result<Map<String, Value>, AccessError> {
        let name = username.to_owned();
        let found = self
            .records
            .read(move |connection| {
                let user = Records::user(connection, &name)?;
                Ok::<_, RecordsError>((user, Records::memberships(connection, Some(&name))?))
            })
            .await?;
        match found {
            (Some(user), memberships) => Ok(user_view(&user, &memberships, with_data)),
            (None, _) => Err(unknown_user(username)),
        }
    }

    /// Makes a user.
    ///
    /// # Errors
    /// A name, password or role that can't be one; a name that is taken.
    pub async fn create_user(&self, new: NewUser) -> Result<Map<String, Value>, AccessError> {
        let username = UserName::parse(&new.username)?;
        let user = User {
            username: username.clone(),
            role: system_role(&new.role)?,
            password_hash: Some(hashed(new.password).await?),
            active: true,
            created_at: Timestamp::now(),
            first_login_at: None,
            last_login_at: None,
        };
        if !self.records.write(move |tx| Records::insert_user(tx, &user)).await? {
            return Err(ManagerError::Conflict(format!("<User username=`{username}`> already exists")).into());
        }
        self.user(username.as_str(), false).await
    }

    /// Changes a user.
    ///
    /// # Errors
    /// No user of this name; a password or role that can't be one; the last active sys_admin would be none any more.
    pub async fn change_user(
        &self,
        username: &str,
        change: UserChange,
    ) -> Result<Map<String, Value>, AccessError> {
        let role = change.role.as_deref().map(system_role).transpose()?;
        let hash = match change.password {
            Some(password) => Some(hashed(password).await?),
            None => None,
        };
        let name = username.to_owned();
        self.records
            .write(move |tx| {
                if !Records::update_user(tx, &name, hash.as_deref(), role, change.active)? {
                    return Err(unknown_user(&name));
                }
                check_administered(tx)
            })
            .await?;
        self.user(username, false).await
    }

    /// Removes a user with the memberships and tokens, and answers what it was.
    ///
    /// # Errors
    /// No user of this name; the last active sys_admin.
    pub async fn delete_user(&self, username: &str) -> Result<Map<String, Value>, AccessError> {
        let user = self.user(username, false).await?;
        let name = username.to_owned();
        self.records
            .write(move |tx| {
                if !Records::delete_user(tx, &name)? {
                    return Err(unknown_user(&name));
                }
                check_administered(tx)
            })
            .await?;
        Ok(user)
    }

    /// The tenants that the caller may know: all of them for a sys_admin, else those to which the caller belongs.
    ///
    /// # Errors
    /// Columns that there are not; the records' and the manager's own.
    pub async fn tenants(
        &self,
        caller: &Caller,
        query: ListQuery,
        with_data: bool,
    ) -> Result<Page, AccessError> {
        let names = self.manager.tenants().await?;
        let memberships = self.records.read(|connection| Records::memberships(connection, None)).await?;
        let views = names
            .iter()
            .filter(|name| caller.is_admin() || caller.tenants.iter().any(|(own, _)| own == *name))
            .map(|name| tenant_view(name, &memberships, with_data))
            .collect();
        Ok(list_values(&TENANTS, views, &query).map_err(RecordsError::from)?)
    }

    /// One tenant that the caller may know.
    ///
    /// # Errors
    /// No tenant of this name.
    pub async fn tenant(
        &self,
        caller: &Caller,
        name: &str,
        with_data: bool,
    ) -> Result<Map<String, Value>, AccessError> {
        let filters =
            vec![crate::database::Filter { column: "name".to_owned(), values: vec![name.to_owned()] }];
        let query = ListQuery { filters, size: 1, ..ListQuery::default() };
        self.tenants(caller, query, with_data)
            .await?
            .items
            .pop()
            .ok_or_else(|| ManagerError::NotFound { noun: "Tenant", id: name.to_owned() }.into())
    }

    /// Makes a tenant. Memberships that an earlier tenant of this name left behind do not count in it until they are
    /// given again.
    ///
    /// # Errors
    /// A name that can't be one, or is taken.
    pub async fn create_tenant(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Map<String, Value>, AccessError> {
        let name = self.manager.create_tenant(name).await?;
        self.tenant(caller, name.as_str(), false).await
    }

    /// Removes a tenant that owns nothing, with the memberships in it, and answers what it was.
    ///
    /// # Errors
    /// No tenant of this name; one that owns entities; `default_tenant`.
    pub async fn delete_tenant(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Map<String, Value>, AccessError> {
        let tenant = self.tenant(caller, name, false).await?;
        self.manager.delete_tenant(name).await?;
        let name = name.to_owned();
        self.records
            .write(move |tx| {
                for membership in Records::memberships(tx, None)? {
                    if membership.tenant_name.as_str() == name {
                        Records::delete_membership(tx, membership.username.as_str(), &name)?;
                    }
                }
                Ok::<_, RecordsError>(())
            })
            .await?;
        Ok(tenant)
    }

    /// Gives a user a role in a tenant; `is_new` says whether there must be none yet, or one. Answers the tenant.
    ///
    /// # Errors
    /// No such user or tenant; a role that is none; a membership that is there already, or not yet.
    pub async fn set_member(
        &self,
        caller: &Caller,
        tenant: &str,
        username: &str,
        role: &str,
        is_new: bool,
    ) -> Result<Map<String, Value>, AccessError> {
        self.tenant(caller, tenant, false).await?;
        let membership = Membership {
            username: UserName::trusted(username),
            tenant_name: TenantName::trusted(tenant),
            role: tenant_role(role)?,
            confirmed: true,
        };
        self.records
            .write(move |tx| {
                let (username, tenant) = (membership.username.as_str(), &membership.tenant_name);
                if Records::user(tx, username)?.is_none() {
                    return Err(unknown_user(username));
                }
                let is_member = Records::memberships(tx, Some(username))?
                    .iter()
                    .any(|own| own.tenant_name == *tenant && own.confirmed);
                if is_member && is_new {
                    return Err(ManagerError::Conflict(format!(
                        "The user `{username}` is already associated with the tenant `{tenant}`"
                    ))
                    .into());
                }
                if !is_member && !is_new {
                    return Err(not_a_member(username, tenant.as_str()));
                }
                Ok(Records::set_membership(tx, &membership)?)
            })
            .await?;
        self.tenant(caller, tenant, false).await
    }

    /// Takes a user out of a tenant. Answers the tenant.
    ///
    /// # Errors
    /// No such tenant or membership.
    pub async fn remove_member(
        &self,
        caller: &Caller,
        tenant: &str,
        username: &str,
    ) -> Result<Map<String, Value>, AccessError> {
        self.tenant(caller, tenant, false).await?;
        let (user, from) = (username.to_owned(), tenant.to_owned());
        if !self.records.write(move |tx| Records::delete_membership(tx, &user, &from)).await? {
            return Err(not_a_member(username, tenant));
        }
        self.tenant(caller, tenant, false).await
    }
}

fn not_a_member(username: &str, tenant: &str) -> AccessError {
    AccessError::Manager(ManagerError::NotFound {
        noun: "membership of the user in the tenant",
        id: format!("{username} in {tenant}"),
    })
}

/// Nobody could repair a service without an administrator.
fn check_administered(connection: &Connection) -> Result<(), AccessError> {
    let is_administered = Records::users(connection)?
        .iter()
        .any(|user| user.active && user.role == SystemRole::SysAdmin && user.password_hash.is_some());
    if is_administered {
        return Ok(());
    }
    Err(ManagerError::IllegalAction(
        "This would leave no active user with the role sys_admin; make another one first".to_owned(),
    )
    .into())
}

fn user_view(user: &User, memberships: &[Membership], with_data: bool) -> Map<String, Value> {
    let own =
        memberships.iter().filter(|membership| membership.username == user.username && membership.confirmed);
    let roles: Map<String, Value> = own
        .clone()
        .map(|membership| {
            let role = membership.role.as_str();
            let roles =
                if with_data { json!({ "tenant-role": role, "roles": [role] }) } else { json!([role]) };
            (membership.tenant_name.to_string(), roles)
        })
        .collect();
    let count = own.count();
    let view = json!({
        "username": user.username,
        "role": user.role.as_str(),
        "active": user.active,
        // A user whom a restore brought has no password yet.
        "is_locked": user.password_hash.is_none(),
        "groups": if with_data { json!([]) } else { json!(0) },
        "group_system_roles": {},
        "tenants": if with_data { Value::Object(roles.clone()) } else { json!(count) },
        "tenant_roles": { "direct": roles, "groups": {} },
        "created_at": user.created_at,
        "first_login_at": user.first_login_at,
        "last_login_at": user.last_login_at,
        "show_getting_started": false,
    });
    view.as_object().cloned().unwrap_or_default()
}

fn tenant_view(name: &TenantName, memberships: &[Membership], with_data: bool) -> Map<String, Value> {
    let members =
        memberships.iter().filter(|membership| membership.tenant_name == *name && membership.confirmed);
    let roles: Map<String, Value> = members
        .clone()
        .map(|membership| {
            let role = membership.role.as_str();
            (membership.username.to_string(), json!({ "tenant-role": role, "roles": [role] }))
        })
        .collect();
    let count = members.count();
    let view = if with_data {
        json!({ "name": name, "groups": {}, "users": roles.clone(), "user_roles": { "direct": roles, "groups": {} } })
    } else {
        json!({ "name": name, "groups": 0, "users": count })
    };
    view.as_object().cloned().unwrap_or_default()
}
