//! Who is asking.

use super::{Grants, Permission, Role, SystemRole, TenantName, TenantRole, UserName};

/// A user who was recognised, in the tenant that the request names.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user: UserName,
    /// The role everywhere, also by way of a group.
    pub system_role: SystemRole,
    /// The tenant that the request names.
    pub tenant: TenantName,
    /// The strongest role in that tenant.
    pub tenant_role: Option<TenantRole>,
    /// All roles in tenants, of the user and of the user's groups: a tenant stands here once for each role in it, the
    /// strongest first. A sys_admin sees the other tenants too.
    pub tenants: Vec<(TenantName, TenantRole)>,
    /// Who has which permission at the moment.
    pub grants: Grants,
}

impl Caller {
    /// Whether the caller may see and change private entities of others in the tenant of the request.
    pub fn sees_private(&self) -> bool {
        self.is_admin() || self.tenant_role == Some(TenantRole::Manager)
    }

    /// The strongest role in a tenant; none where the caller is no member of it.
    pub fn role_in(&self, tenant: &TenantName) -> Option<TenantRole> {
        self.roles_in(tenant).max()
    }

    fn roles_in(&self, tenant: &TenantName) -> impl Iterator<Item = TenantRole> {
        self.tenants.iter().filter(move |(name, _)| name == tenant).map(|(_, role)| *role)
    }

    /// Whether the caller is a sys_admin.
    pub fn is_admin(&self) -> bool {
        self.system_role == SystemRole::SysAdmin
    }

    /// Whether the caller has `permission` in the tenant of the request.
    pub fn may(&self, permission: Permission) -> bool {
        self.may_in(permission, &self.tenant)
    }

    /// Whether the caller has `permission` in a tenant, whatever the request names.
    pub fn may_in(&self, permission: Permission, tenant: &TenantName) -> bool {
        self.is_admin()
            || self.grants.is_granted(permission, Role::Default)
            || self.roles_in(tenant).any(|role| self.grants.is_granted(permission, Role::Tenant(role)))
    }
}

/// A caller and what the call needs, to be checked where it is known to which tenant its subject belongs.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Who asks.
    pub caller: Caller,
    /// What has to be granted in the subject's tenant.
    pub permission: Permission,
}
