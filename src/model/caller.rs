//! Who is asking.

use super::{Permission, SystemRole, TenantName, TenantRole, UserName};

/// A user who was recognised, in the tenant that the request names.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user: UserName,
    /// The role everywhere.
    pub system_role: SystemRole,
    /// The tenant that the request names.
    pub tenant: TenantName,
    /// The role in that tenant.
    pub tenant_role: Option<TenantRole>,
    /// All tenants in which the user has a role; a sys_admin sees the others too.
    pub tenants: Vec<(TenantName, TenantRole)>,
}

impl Caller {
    /// Whether the caller may see and change private entities of others in the tenant of the request.
    pub fn sees_private(&self) -> bool {
        self.is_admin() || self.tenant_role == Some(TenantRole::Manager)
    }

    /// The role in a tenant; none where the caller is no member of it.
    pub fn role_in(&self, tenant: &TenantName) -> Option<TenantRole> {
        self.tenants.iter().find(|(name, _)| name == tenant).map(|(_, role)| *role)
    }

    /// Whether the caller is a sys_admin.
    pub fn is_admin(&self) -> bool {
        self.system_role == SystemRole::SysAdmin
    }

    /// Whether the caller has `permission` in the tenant of the request.
    pub fn may(&self, permission: Permission) -> bool {
        permission.is_granted(self.system_role, self.tenant_role)
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
