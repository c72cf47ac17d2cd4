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

/// A role by which something can be permitted: everywhere, or in a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May do everything everywhere; nothing can be taken from it.
    SysAdmin,
    /// A role in a tenant.
    Tenant(TenantRole),
    /// What every user has.
    Default,
}

impl Role {
    /// All roles, the strongest first.
    pub const ALL: [Self; 6] = [
        Self::SysAdmin,
        Self::Tenant(TenantRole::Manager),
        Self::Tenant(TenantRole::User),
        Self::Tenant(TenantRole::Operations),
        Self::Tenant(TenantRole::Viewer),
        Self::Default,
    ];

    /// The role by its name on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// The name on the wire and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SysAdmin => SystemRole::SysAdmin.as_str(),
            Self::Tenant(role) => role.as_str(),
            Self::Default => SystemRole::Default.as_str(),
        }
    }
}

/// Who has a permission where nobody changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holders {
    SysAdmins,
    Tenant(TenantRole),
    Everyone,
}

/// What a call needs. A permission is checked against the roles of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The name in messages, e.g. `snapshot_create`.
    pub name: &'static str,
    holders: Holders,
}

impl Permission {
    /// Only a sys_admin may.
    pub const fn system(name: &'static str) -> Self {
        Self { name, holders: Holders::SysAdmins }
    }

    /// A sys_admin may, and whoever has this role or a stronger one in the tenant.
    pub const fn tenant(name: &'static str, least: TenantRole) -> Self {
        Self { name, holders: Holders::Tenant(least) }
    }

    /// Every user may.
    pub const fn everyone(name: &'static str) -> Self {
        Self { name, holders: Holders::Everyone }
    }

    /// The least role in the tenant that has it where nobody changed it; `None`: only sys_admin, or everyone.
    pub const fn least(self) -> Option<TenantRole> {
        match self.holders {
            Holders::Tenant(least) => Some(least),
            Holders::SysAdmins | Holders::Everyone => None,
        }
    }

    /// Whether every user has it where nobody changed it.
    pub const fn is_everyones(self) -> bool {
        matches!(self.holders, Holders::Everyone)
    }

    /// Whether a role has it where nobody changed it.
    pub fn is_default_of(self, role: Role) -> bool {
        match (self.holders, role) {
            (_, Role::SysAdmin) | (Holders::Everyone, _) => true,
            (Holders::Tenant(least), Role::Tenant(role)) => role >= least,
            (Holders::Tenant(_) | Holders::SysAdmins, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_role_never_reaches_a_system_permission() {
        let (viewer, operations, manager) = (
            Role::Tenant(TenantRole::Viewer),
            Role::Tenant(TenantRole::Operations),
            Role::Tenant(TenantRole::Manager),
        );
        let create = Permission::system("snapshot_create");
        assert!(create.is_default_of(Role::SysAdmin));
        assert!(!create.is_default_of(manager));
        let read = Permission::tenant("blueprint_list", TenantRole::Viewer);
        assert!(read.is_default_of(viewer));
        assert!(!read.is_default_of(Role::Default));
        let write = Permission::tenant("blueprint_upload", TenantRole::User);
        assert!(!write.is_default_of(operations));
        assert!(Permission::everyone("version_get").is_default_of(Role::Default));
    }
}
