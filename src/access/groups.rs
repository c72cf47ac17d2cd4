//! Groups of users, as administrators see and change them.

use serde_json::{Map, Value, json};

use crate::database::{Collection, Column, ListQuery, Page, list_values};
use crate::manager::ManagerError;
use crate::model::{Caller, EntityId, SystemRole, Timestamp};
use crate::records::{Records, RecordsError, UserGroup};

use super::standing::{check_administered, check_rank};
use super::users::{system_role, unknown_user};
use super::{Access, AccessError, bad};

/// A group of users as Cloudify 7 lists it.
pub const USER_GROUPS: Collection = Collection {
    noun: "UserGroup",
    table: "user_groups",
    columns: &[
        Column::text("name"),
        Column::text("ldap_dn"),
        Column::text("role"),
        Column::json("tenants"),
        Column::json("users"),
    ],
    search: &["name"],
    default_sort: "name",
};

pub(super) fn unknown_group(name: &str) -> AccessError {
    ManagerError::NotFound { noun: "Group", id: name.to_owned() }.into()
}

impl Access {
    /// The groups of users; members and tenants by name with `with_data`, else only counted.
    ///
    /// # Errors
    /// Columns that there are not; the records' own.
    pub async fn user_groups(&self, query: ListQuery, with_data: bool) -> Result<Page, AccessError> {
        let groups = self.records.read(|connection| Records::user_groups(connection, None)).await?;
        let views = groups.iter().map(|group| group_view(group, with_data)).collect();
        Ok(list_values(&USER_GROUPS, views, &query).map_err(RecordsError::from)?)
    }

    /// One group of users.
    ///
    /// # Errors
    /// No group of this name; the records' own.
    pub async fn user_group(&self, name: &str, with_data: bool) -> Result<Map<String, Value>, AccessError> {
        let wanted = name.to_owned();
        let group = self.records.read(move |connection| Records::user_group(connection, &wanted)).await?;
        group.map(|group| group_view(&group, with_data)).ok_or_else(|| unknown_group(name))
    }

    /// Makes a group without members.
    ///
    /// # Errors
    /// A name or role that can't be one; a name that is taken; sys_admin by who is none.
    pub async fn create_user_group(
        &self,
        caller: &Caller,
        name: &str,
        role: Option<&str>,
        ldap_dn: Option<String>,
    ) -> Result<Map<String, Value>, AccessError> {
        if name == "users" {
            return Err(bad(
                "'users' is not allowed as a user group name because it wouldn't be possible to remove it later due to a conflict with the remove users from user group endpoint"
                    .to_owned(),
            ));
        }
        let name = EntityId::parse("group_name", name)?.as_str().to_owned();
        let role = role.map_or(Ok(SystemRole::Default), system_role)?;
        check_rank(caller, role)?;
        let group = UserGroup {
            name: name.clone(),
            role,
            ldap_dn,
            created_at: Timestamp::now(),
            users: Vec::new(),
            tenants: Vec::new(),
        };
        let user = caller.user.clone();
        self.records
            .write(move |tx| {
                if !Records::insert_user_group(tx, &group)? {
                    let taken = format!("<Group name=`{}`> already exists", group.name);
                    return Err(AccessError::from(ManagerError::Conflict(taken)));
                }
                let details = json!({ "role": role.as_str() });
                Ok(Records::audit(tx, &user, "user_group_create", &group.name, Some(&details))?)
            })
            .await?;
        self.user_group(&name, false).await
    }

    /// Gives the members of a group another role everywhere.
    ///
    /// # Errors
    /// No group of this name; a role that is none; the last active sys_admin would be none any more; a group of sys_admins
    /// by who is none.
    pub async fn set_user_group_role(
        &self,
        caller: &Caller,
        name: &str,
        role: &str,
    ) -> Result<Map<String, Value>, AccessError> {
        let role = system_role(role)?;
        check_rank(caller, role)?;
        let details = json!({ "role": role.as_str() });
        self.change_group(caller, name, "user_group_update", details, move |tx, group| {
            Records::set_user_group_role(tx, &group.name, role)?;
            Ok(())
        })
        .await?;
        self.user_group(name, false).await
    }

    /// Makes a user a member of a group, and answers the group.
    ///
    /// # Errors
    /// No such group or user; a member already; a group of sys_admins by who is none.
    pub async fn add_group_member(
        &self,
        caller: &Caller,
        name: &str,
        username: &str,
    ) -> Result<Map<String, Value>, AccessError> {
        let member = username.to_owned();
        let details = json!({ "username": username });
        self.change_group(caller, name, "user_group_user_create", details, move |tx, group| {
            if Records::user(tx, &member)?.is_none() {
                return Err(unknown_user(&member));
            }
            if !Records::add_group_member(tx, &group.name, &member)? {
                return Err(ManagerError::Conflict(format!(
                    "The user `{member}` is already associated with the group `{}`",
                    group.name
                ))
                .into());
            }
            Ok(())
        })
        .await?;
        self.user_group(name, false).await
    }

    /// Takes a user out of a group.
    ///
    /// # Errors
    /// No such group or member; the last active sys_admin would be none any more; a group of sys_admins by who is none.
    pub async fn remove_group_member(
        &self,
        caller: &Caller,
        name: &str,
        username: &str,
    ) -> Result<(), AccessError> {
        let member = username.to_owned();
        let details = json!({ "username": username });
        self.change_group(caller, name, "user_group_user_delete", details, move |tx, group| {
            if Records::remove_group_member(tx, &group.name, &member)? {
                return Ok(());
            }
            let id = format!("{member} in {}", group.name);
            Err(ManagerError::NotFound { noun: "membership of the user in the group", id }.into())
        })
        .await
    }

    /// Removes a group; its members stay as users, without what it gave them.
    ///
    /// # Errors
    /// No group of this name; the last active sys_admin would be none any more; a group of sys_admins by who is none.
    pub async fn delete_user_group(&self, caller: &Caller, name: &str) -> Result<(), AccessError> {
        self.change_group(caller, name, "user_group_delete", Value::Null, |tx, group| {
            Records::delete_user_group(tx, &group.name)?;
            Ok(())
        })
        .await
    }

    async fn change_group<F>(
        &self,
        caller: &Caller,
        name: &str,
        action: &'static str,
        details: Value,
        change: F,
    ) -> Result<(), AccessError>
    where
        F: FnOnce(&rusqlite::Transaction<'_>, &UserGroup) -> Result<(), AccessError> + Send + 'static,
    {
        let (caller, name) = (caller.clone(), name.to_owned());
        self.records
            .write(move |tx| {
                let group = Records::user_group(tx, &name)?.ok_or_else(|| unknown_group(&name))?;
                check_rank(&caller, group.role)?;
                change(tx, &group)?;
                check_administered(tx)?;
                let details = (!details.is_null()).then_some(&details);
                Ok(Records::audit(tx, &caller.user, action, &name, details)?)
            })
            .await
    }
}

fn group_view(group: &UserGroup, with_data: bool) -> Map<String, Value> {
    let tenants: Map<String, Value> = group
        .tenants
        .iter()
        .filter(|membership| membership.confirmed)
        .map(|membership| (membership.tenant_name.to_string(), json!(membership.role.as_str())))
        .collect();
    let view = json!({
        "name": group.name,
        "ldap_dn": group.ldap_dn,
        "role": group.role.as_str(),
        "users": if with_data { json!(group.users) } else { json!(group.users.len()) },
        "tenants": if with_data { Value::Object(tenants) } else { json!(tenants.len()) },
    });
    view.as_object().cloned().unwrap_or_default()
}
