//! Tenants, and which users and groups belong to them.

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use crate::database::{Collection, Column, Filter, ListQuery, Page, list_values};
use crate::manager::ManagerError;
use crate::model::{Asking, Caller, TenantName, TenantRole, UserName};
use crate::records::{GroupMembership, Membership, Records, RecordsError};

use super::groups::unknown_group;
use super::standing::Everybody;
use super::users::unknown_user;
use super::{Access, AccessError, bad};

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

/// Who is given a role in a tenant.
#[derive(Clone, Debug)]
pub enum Member {
    /// A user, by name.
    User(String),
    /// A group of users, by name.
    Group(String),
}

impl Member {
    /// Whether there is one of this name.
    fn check(&self, connection: &Connection) -> Result<(), AccessError> {
        match self {
            Self::User(name) if Records::user(connection, name)?.is_none() => Err(unknown_user(name)),
            Self::Group(name) if Records::user_group(connection, name)?.is_none() => Err(unknown_group(name)),
            Self::User(_) | Self::Group(_) => Ok(()),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::User(name) | Self::Group(name) => name,
        }
    }

    /// The word in messages.
    fn noun(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Group(_) => "user group",
        }
    }

    fn is_in(&self, connection: &Connection, tenant: &str) -> Result<bool, RecordsError> {
        Ok(match self {
            Self::User(name) => Records::memberships(connection, Some(name))?
                .iter()
                .any(|own| own.tenant_name.as_str() == tenant && own.confirmed),
            Self::Group(name) => Records::user_group(connection, name)?.is_some_and(|group| {
                group.tenants.iter().any(|own| own.tenant_name.as_str() == tenant && own.confirmed)
            }),
        })
    }

    fn set(
        &self,
        connection: &Connection,
        tenant_name: TenantName,
        role: TenantRole,
    ) -> Result<(), RecordsError> {
        match self {
            Self::User(name) => {
                let username = UserName::trusted(name.clone());
                let membership = Membership { username, tenant_name, role, confirmed: true };
                Records::set_membership(connection, &membership)
            }
            Self::Group(name) => {
                let membership = GroupMembership { tenant_name, role, confirmed: true };
                Records::set_group_membership(connection, name, &membership)
            }
        }
    }

    fn remove(&self, connection: &Connection, tenant: &str) -> Result<bool, RecordsError> {
        match self {
            Self::User(name) => Records::delete_membership(connection, name, tenant),
            Self::Group(name) => Records::delete_group_membership(connection, name, tenant),
        }
    }

    fn action(&self, verb: &str) -> String {
        let noun = self.noun().replace(' ', "_");
        format!("tenant_{noun}_{verb}")
    }

    fn not_in(&self, tenant: &str) -> AccessError {
        let noun = match self {
            Self::User(_) => "membership of the user in the tenant",
            Self::Group(_) => "membership of the user group in the tenant",
        };
        ManagerError::NotFound { noun, id: format!("{} in {tenant}", self.name()) }.into()
    }
}

fn tenant_role(text: &str) -> Result<TenantRole, AccessError> {
    TenantRole::parse(text).ok_or_else(|| {
        bad(format!(
            "Invalid role: `{text}`. Valid tenant roles are: ['manager', 'user', 'operations', 'viewer']"
        ))
    })
}

impl Access {
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
        let everybody = self.records.read(Everybody::read).await?;
        let views = names
            .iter()
            .filter(|name| caller.is_admin() || caller.role_in(name).is_some())
            .map(|name| tenant_view(name, &everybody, with_data))
            .collect();
        Ok(list_values(&TENANTS, views, &query).map_err(RecordsError::from)?)
    }

    /// One tenant, where the caller has the permission in it.
    ///
    /// # Errors
    /// [`AccessError::Forbidden`]; no tenant of this name.
    pub async fn tenant(
        &self,
        asking: Asking,
        name: &str,
        with_data: bool,
    ) -> Result<Map<String, Value>, AccessError> {
        require_in(&asking, name)?;
        self.tenant_of(&asking.caller, name, with_data).await
    }

    async fn tenant_of(
        &self,
        caller: &Caller,
        name: &str,
        with_data: bool,
    ) -> Result<Map<String, Value>, AccessError> {
        let filters = vec![Filter { column: "name".to_owned(), values: vec![name.to_owned()] }];
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
        if ["users", "user-groups"].contains(&name) {
            return Err(bad(format!(
                "'{name}' is not allowed as a tenant name because it wouldn't be possible to remove it later due to a conflict with the remove {name} from tenant endpoint"
            )));
        }
        let name = self.manager.create_tenant(name).await?;
        self.audit(caller, "tenant_create", name.as_str(), None).await?;
        let everybody = self.records.read(Everybody::read).await?;
        Ok(tenant_view(&name, &everybody, false))
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
        let tenant = self.tenant_of(caller, name, false).await?;
        self.manager.delete_tenant(name).await?;
        let (user, name) = (caller.user.clone(), name.to_owned());
        self.records
            .write(move |tx| {
                Records::delete_memberships_in(tx, &name)?;
                Records::audit(tx, &user, "tenant_delete", &name, None)
            })
            .await?;
        Ok(tenant)
    }

    /// Gives a user or a group a role in a tenant; `is_new` says whether there must be none yet, or one. Answers the
    /// tenant.
    ///
    /// # Errors
    /// [`AccessError::Forbidden`] in that tenant; no such member or tenant; a role that is none; a membership that is there
    /// already, or not yet.
    pub async fn set_member(
        &self,
        asking: Asking,
        tenant: &str,
        member: Member,
        role: &str,
        is_new: bool,
    ) -> Result<Map<String, Value>, AccessError> {
        require_in(&asking, tenant)?;
        let role = tenant_role(role)?;
        self.tenant_of(&asking.caller, tenant, false).await?;
        let (user, name) = (asking.caller.user.clone(), TenantName::trusted(tenant));
        self.records
            .write(move |tx| {
                member.check(tx)?;
                let is_in = member.is_in(tx, name.as_str())?;
                if is_in && is_new {
                    return Err(ManagerError::Conflict(format!(
                        "The {} `{}` is already associated with the tenant `{name}`",
                        member.noun(),
                        member.name()
                    ))
                    .into());
                }
                if !is_in && !is_new {
                    return Err(member.not_in(name.as_str()));
                }
                member.set(tx, name.clone(), role)?;
                let action = member.action(if is_new { "create" } else { "update" });
                let details = json!({ "tenant_name": name, "role": role.as_str() });
                Ok(Records::audit(tx, &user, &action, member.name(), Some(&details))?)
            })
            .await?;
        self.tenant_of(&asking.caller, tenant, false).await
    }

    /// Takes a user or a group out of a tenant. Answers the tenant.
    ///
    /// # Errors
    /// [`AccessError::Forbidden`] in that tenant; no such tenant or membership.
    pub async fn remove_member(
        &self,
        asking: Asking,
        tenant: &str,
        member: Member,
    ) -> Result<Map<String, Value>, AccessError> {
        require_in(&asking, tenant)?;
        let view = self.tenant_of(&asking.caller, tenant, false).await?;
        let (user, name) = (asking.caller.user.clone(), tenant.to_owned());
        self.records
            .write(move |tx| {
                if !member.remove(tx, &name)? {
                    return Err(member.not_in(&name));
                }
                let details = json!({ "tenant_name": name });
                Ok(Records::audit(tx, &user, &member.action("delete"), member.name(), Some(&details))?)
            })
            .await?;
        match self.tenant_of(&asking.caller, tenant, false).await {
            // Who took the own membership no longer sees the tenant.
            Err(AccessError::Manager(ManagerError::NotFound { .. })) => Ok(view),
            other => other,
        }
    }
}

/// Checks the permission in the tenant that is named, which need not be that of the request.
fn require_in(asking: &Asking, tenant: &str) -> Result<(), AccessError> {
    let tenant = TenantName::trusted(tenant);
    if asking.caller.may_in(asking.permission, &tenant) {
        return Ok(());
    }
    let (user, action) = (asking.caller.user.clone(), asking.permission.name);
    Err(AccessError::Forbidden { user, action, tenant })
}

fn tenant_view(name: &TenantName, everybody: &Everybody, with_data: bool) -> Map<String, Value> {
    let members = everybody.members(name);
    let in_it = |membership: &&GroupMembership| membership.tenant_name == *name && membership.confirmed;
    let groups: Vec<_> = everybody
        .groups
        .iter()
        .filter_map(|group| {
            group.tenants.iter().find(in_it).map(|membership| (group, membership.role.as_str()))
        })
        .collect();
    let view = if with_data {
        let direct: Map<String, Value> = members
            .iter()
            .filter(|(_, roles)| !roles["tenant-role"].is_null())
            .map(|(user, roles)| (user.clone(), roles["tenant-role"].clone()))
            .collect();
        let roles: Map<String, Value> =
            groups.iter().map(|(group, role)| (group.name.clone(), json!(role))).collect();
        let by_groups: Map<String, Value> = groups
            .iter()
            .map(|(group, role)| (group.name.clone(), json!({ "role": role, "users": group.users })))
            .collect();
        json!({
            "name": name,
            "groups": roles,
            "users": members,
            "user_roles": { "direct": direct, "groups": by_groups },
        })
    } else {
        json!({ "name": name, "groups": groups.len(), "users": members.len(), "user_roles": null })
    };
    view.as_object().cloned().unwrap_or_default()
}
