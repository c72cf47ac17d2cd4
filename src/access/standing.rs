//! What a user may be said to be: the one place where the user's own roles and those of the user's groups meet.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use crate::manager::ManagerError;
use crate::model::{Caller, SystemRole, TenantName, TenantRole, UserName};
use crate::records::{Membership, Records, RecordsError, User, UserGroup};

use super::AccessError;

/// All roles of one user.
pub(super) struct Standing {
    /// The role everywhere: the stronger one of the own and those of the groups.
    pub system_role: SystemRole,
    /// Each role in a tenant once, the strongest of a tenant first.
    pub tenants: Vec<(TenantName, TenantRole)>,
}

/// The roles of `user`, of all memberships and groups that there are. What is not confirmed does not count.
pub(super) fn standing(user: &User, memberships: &[Membership], groups: &[UserGroup]) -> Standing {
    let own = groups_of(&user.username, groups);
    let is_admin =
        user.role == SystemRole::SysAdmin || own.iter().any(|group| group.role == SystemRole::SysAdmin);
    let direct = memberships
        .iter()
        .filter(|membership| membership.username == user.username && membership.confirmed)
        .map(|membership| (membership.tenant_name.clone(), membership.role));
    let by_groups = own
        .iter()
        .flat_map(|group| &group.tenants)
        .filter(|membership| membership.confirmed)
        .map(|membership| (membership.tenant_name.clone(), membership.role));
    let mut tenants: Vec<(TenantName, TenantRole)> = direct.chain(by_groups).collect();
    tenants.sort_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
    tenants.dedup();
    let system_role = if is_admin { SystemRole::SysAdmin } else { SystemRole::Default };
    Standing { system_role, tenants }
}

/// The groups to which a user belongs.
pub(super) fn groups_of<'a>(username: &UserName, groups: &'a [UserGroup]) -> Vec<&'a UserGroup> {
    groups.iter().filter(|group| group.users.contains(username)).collect()
}

/// All that is known of users and their roles, as of one moment.
pub(super) struct Everybody {
    pub users: Vec<User>,
    pub memberships: Vec<Membership>,
    pub groups: Vec<UserGroup>,
}

impl Everybody {
    /// Reads it.
    pub fn read(connection: &Connection) -> Result<Self, RecordsError> {
        Ok(Self {
            users: Records::users(connection)?,
            memberships: Records::memberships(connection, None)?,
            groups: Records::user_groups(connection, None)?,
        })
    }

    /// The roles of one user.
    pub fn standing(&self, user: &User) -> Standing {
        standing(user, &self.memberships, &self.groups)
    }

    /// The roles of a user in tenants, and by which of the groups: `{tenant: {role: [groups]}}`.
    pub fn group_tenants(&self, username: &UserName) -> Value {
        let mut tenants: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
        for group in groups_of(username, &self.groups) {
            for membership in group.tenants.iter().filter(|membership| membership.confirmed) {
                let roles = tenants.entry(membership.tenant_name.as_str()).or_default();
                roles.entry(membership.role.as_str()).or_default().push(&group.name);
            }
        }
        json!(tenants)
    }

    /// The users who have a role in a tenant: the own one, and all of them.
    pub fn members(&self, tenant: &TenantName) -> Map<String, Value> {
        let mut members = Map::new();
        for user in &self.users {
            let roles: Vec<&str> = self
                .standing(user)
                .tenants
                .iter()
                .filter(|(name, _)| name == tenant)
                .map(|(_, role)| role.as_str())
                .collect();
            if roles.is_empty() {
                continue;
            }
            let direct = self.memberships.iter().find(|membership| {
                membership.username == user.username
                    && membership.tenant_name == *tenant
                    && membership.confirmed
            });
            let direct = direct.map(|membership| membership.role.as_str());
            members.insert(user.username.to_string(), json!({ "tenant-role": direct, "roles": roles }));
        }
        members
    }
}

/// Nobody could repair a service without an administrator.
pub(super) fn check_administered(connection: &Connection) -> Result<(), AccessError> {
    let everybody = Everybody::read(connection)?;
    let is_administered = everybody.users.iter().any(|user| {
        user.active
            && user.password_hash.is_some()
            && everybody.standing(user).system_role == SystemRole::SysAdmin
    });
    if is_administered {
        return Ok(());
    }
    Err(ManagerError::IllegalAction(
        "This would leave no active user with the role sys_admin; make another one first".to_owned(),
    )
    .into())
}

/// Whatever else was granted to others: only a sys_admin makes, changes or removes one.
pub(super) fn check_rank(caller: &Caller, role: SystemRole) -> Result<(), AccessError> {
    if role == SystemRole::SysAdmin && !caller.is_admin() {
        return Err(ManagerError::Forbidden(format!(
            "User `{}` is no sys_admin, and only a sys_admin may give that role or change who has it",
            caller.user
        ))
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::records::GroupMembership;

    #[test]
    fn the_own_roles_and_those_of_groups_count_together_and_sleeping_ones_do_not() {
        let user = User {
            username: UserName::trusted("ann"),
            password_hash: None,
            role: SystemRole::Default,
            active: true,
            created_at: Timestamp::now(),
            first_login_at: None,
            last_login_at: None,
        };
        let north = TenantName::trusted("north");
        let own = Membership {
            username: user.username.clone(),
            tenant_name: north.clone(),
            role: TenantRole::Viewer,
            confirmed: true,
        };
        let group = |name: &str, role, tenant_role, confirmed, member: &str| UserGroup {
            name: name.to_owned(),
            role,
            ldap_dn: None,
            created_at: Timestamp::now(),
            users: vec![UserName::trusted(member)],
            tenants: vec![GroupMembership { tenant_name: north.clone(), role: tenant_role, confirmed }],
        };
        let groups = [
            group("a", SystemRole::Default, TenantRole::Operations, true, "ann"),
            group("b", SystemRole::Default, TenantRole::Manager, false, "ann"),
            group("c", SystemRole::SysAdmin, TenantRole::Manager, true, "ben"),
        ];
        let found = standing(&user, std::slice::from_ref(&own), &groups);
        assert_eq!(found.system_role, SystemRole::Default);
        assert_eq!(
            found.tenants,
            [(north.clone(), TenantRole::Operations), (north.clone(), TenantRole::Viewer)]
        );
        let admins = group("c", SystemRole::SysAdmin, TenantRole::Manager, false, "ann");
        assert_eq!(standing(&user, &[own], &[admins]).system_role, SystemRole::SysAdmin);
    }
}
