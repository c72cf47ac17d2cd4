//! The table of roles and permissions, as sys_admins see and change it.

use serde_json::{Map, Value, json};

use crate::database::{Collection, Column, ListQuery, Page, list_values};
use crate::manager::ManagerError;
use crate::model::{Caller, Grants, PERMISSIONS, Permission, Role};
use crate::records::{Records, RecordsError};

use super::{Access, AccessError};

/// A permission of a role as Cloudify 7 lists it.
pub const GRANTS: Collection = Collection {
    noun: "Permission",
    table: "permission_changes",
    columns: &[Column::text("role"), Column::text("permission")],
    search: &["permission"],
    default_sort: "permission",
};

impl Access {
    /// The roles that have permissions, one entry for each role of each permission; of one role where it is named.
    ///
    /// # Errors
    /// Who is no sys_admin; a role that is none; columns that there are not; the records' own.
    pub async fn permissions(
        &self,
        caller: &Caller,
        role: Option<&str>,
        query: ListQuery,
    ) -> Result<Page, AccessError> {
        check_admin(caller)?;
        let roles = match role {
            Some(role) => vec![known_role(role)?],
            None => Role::ALL.to_vec(),
        };
        let grants = self.records.read(Records::grants).await?;
        let table = grants.table(&roles);
        let views = table.into_iter().filter_map(|(role, permission)| view(role, permission)).collect();
        Ok(list_values(&GRANTS, views, &query).map_err(RecordsError::from)?)
    }

    /// Gives a role a permission, at once.
    ///
    /// # Errors
    /// Who is no sys_admin; a role or permission that is none; a role that has it already.
    pub async fn grant(
        &self,
        caller: &Caller,
        role: &str,
        permission: &str,
    ) -> Result<Map<String, Value>, AccessError> {
        let (role, permission) = self.change_grant(caller, role, permission, true).await?;
        Ok(view(role, permission).unwrap_or_default())
    }

    /// Takes a permission from a role, at once. A sys_admin keeps all of them.
    ///
    /// # Errors
    /// Who is no sys_admin; a role or permission that is none; a role that has it not; `sys_admin`.
    pub async fn revoke(&self, caller: &Caller, role: &str, permission: &str) -> Result<(), AccessError> {
        self.change_grant(caller, role, permission, false).await.map(drop)
    }

    async fn change_grant(
        &self,
        caller: &Caller,
        role: &str,
        permission: &str,
        is_granted: bool,
    ) -> Result<(Role, Permission), AccessError> {
        check_admin(caller)?;
        let role = known_role(role)?;
        let permission = *PERMISSIONS
            .iter()
            .find(|known| known.name == permission)
            .ok_or_else(|| ManagerError::NotFound { noun: "Permission", id: permission.to_owned() })?;
        let user = caller.user.clone();
        self.records
            .write(move |tx| {
                let grants: Grants = Records::grants(tx)?;
                check_change(&grants, role, permission, is_granted)?;
                // Only what differs is kept: a permission of the same name may ask for more elsewhere.
                let change = (permission.is_default_of(role) != is_granted).then_some(is_granted);
                Records::set_grant(tx, role, permission.name, change)?;
                let action = if is_granted { "permission_create" } else { "permission_delete" };
                let details = json!({ "role": role.as_str() });
                Records::audit(tx, &user, action, permission.name, Some(&details))?;
                Ok::<_, AccessError>(())
            })
            .await?;
        Ok((role, permission))
    }
}

fn check_change(
    grants: &Grants,
    role: Role,
    permission: Permission,
    is_granted: bool,
) -> Result<(), ManagerError> {
    let (role_name, name) = (role.as_str(), permission.name);
    if role == Role::SysAdmin && !is_granted {
        return Err(ManagerError::IllegalAction(format!(
            "Can't disallow {role_name} the permission {name}: a sys_admin always has every permission"
        )));
    }
    match (grants.is_granted(permission, role), is_granted) {
        (true, true) => Err(ManagerError::Conflict(format!("{role_name} already has permission {name}"))),
        (false, false) => {
            Err(ManagerError::NotFound { noun: "Permission", id: format!("{role_name}/{name}") })
        }
        (true, false) | (false, true) => Ok(()),
    }
}

/// The table is what all other checks rest on: no permission opens it.
fn check_admin(caller: &Caller) -> Result<(), AccessError> {
    if caller.is_admin() {
        return Ok(());
    }
    Err(ManagerError::Forbidden("Only admin users are permitted to see or edit permissions".to_owned())
        .into())
}

fn known_role(name: &str) -> Result<Role, ManagerError> {
    Role::parse(name).ok_or_else(|| ManagerError::NotFound { noun: "Role", id: name.to_owned() })
}

fn view(role: Role, permission: Permission) -> Option<Map<String, Value>> {
    json!({ "role": role.as_str(), "permission": permission.name }).as_object().cloned()
}
