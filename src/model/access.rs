//! Who may do what: roles and permissions (Cloudify 7's names, as far as its calls are served).

use serde::{Deserialize, Serialize};

/// A role that holds in every tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemRole {
    /// May do everything everywhere.
    SysAdmin,
    /// May do what the roles in tenants allow.
    Default,
}

impl SystemRole {
    /// The role by its name on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "sys_admin" => Some(Self::SysAdmin),
            "default" => Some(Self::Default),
            _ => None,
        }
    }

    /// The name on the wire and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SysAdmin => "sys_admin",
            Self::Default => "default",
        }
    }
}

/// A role in one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantRole {
    /// Reads.
    Viewer,
    /// Reads and runs what exists.
    Operations,
    /// Also makes, changes and removes entities.
    User,
    /// Also sees and changes the private entities of others.
    Manager,
}

impl TenantRole {
    /// The role by its name on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "manager" => Some(Self::Manager),
            "user" => Some(Self::User),
            "operations" => Some(Self::Operations),
            "viewer" => Some(Self::Viewer),
            _ => None,
        }
    }

    /// The name on the wire and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::User => "user",
            Self::Operations => "operations",
            Self::Viewer => "viewer",
        }
    }
}

/// Who may see an entity of the manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// Who made it, the managers of its tenant, and sys_admins.
    Private,
    /// Everybody in its tenant.
    Tenant,
    /// Everybody in every tenant.
    Global,
}

impl Visibility {
    /// The visibility by its name on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "private" => Some(Self::Private),
            "tenant" => Some(Self::Tenant),
            "global" => Some(Self::Global),
            _ => None,
        }
    }

    /// The name on the wire and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Tenant => "tenant",
            Self::Global => "global",
        }
    }
}

/// What a call needs. A permission is checked against the caller's system role and role in the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The name in messages, e.g. `snapshot_create`.
    pub name: &'static str,
    /// The least role in the tenant that has it; `None`: only sys_admin.
    least: Option<TenantRole>,
}

impl Permission {
    /// Only a sys_admin may.
    pub const fn system(name: &'static str) -> Self {
        Self { name, least: None }
    }

    /// A sys_admin may, and whoever has this role or a stronger one in the tenant.
    pub const fn tenant(name: &'static str, least: TenantRole) -> Self {
        Self { name, least: Some(least) }
    }

    /// The least role in the tenant that has it; `None`: only sys_admin.
    pub const fn least(self) -> Option<TenantRole> {
        self.least
    }

    /// Whether somebody with these roles may.
    pub fn is_granted(self, system: SystemRole, tenant: Option<TenantRole>) -> bool {
        match (system, self.least, tenant) {
            (SystemRole::SysAdmin, _, _) => true,
            (SystemRole::Default, Some(least), Some(role)) => role >= least,
            (SystemRole::Default, _, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_role_never_reaches_a_system_permission() {
        let create = Permission::system("snapshot_create");
        assert!(create.is_granted(SystemRole::SysAdmin, None));
        assert!(!create.is_granted(SystemRole::Default, Some(TenantRole::Manager)));
        let read = Permission::tenant("blueprint_list", TenantRole::Viewer);
        assert!(read.is_granted(SystemRole::Default, Some(TenantRole::Viewer)));
        assert!(!read.is_granted(SystemRole::Default, None));
        let write = Permission::tenant("blueprint_upload", TenantRole::User);
        assert!(!write.is_granted(SystemRole::Default, Some(TenantRole::Operations)));
    }
}
