//! Workspaces: a manager's tenants, as elastic.io's clients see them.

use crate::manager::tenant_names;
use crate::model::{Caller, TenantName, TenantRole};

use super::{FlowError, Flows};

/// A workspace of the caller's.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The tenant.
    pub tenant_name: TenantName,
    /// The caller's role in it; none for a sys_admin who is no member.
    pub role: Option<TenantRole>,
}

impl Flows {
    /// The workspaces of which the caller is a member, by name; a sys_admin sees all.
    ///
    /// # Errors
    /// The database's own.
    pub async fn workspaces(&self, caller: &Caller) -> Result<Vec<Workspace>, FlowError> {
        let tenants = self.read(|connection| Ok(tenant_names(connection)?)).await?;
        Ok(tenants
            .into_iter()
            .map(|tenant_name| Workspace { role: caller.role_in(&tenant_name), tenant_name })
            .filter(|workspace| caller.is_admin() || workspace.role.is_some())
            .collect())
    }

    /// One of those workspaces.
    ///
    /// # Errors
    /// [`FlowError::NotFound`].
    pub async fn workspace(&self, caller: &Caller, id: &str) -> Result<Workspace, FlowError> {
        let workspaces = self.workspaces(caller).await?;
        workspaces
            .into_iter()
            .find(|workspace| workspace.tenant_name.as_str() == id)
            .ok_or_else(|| FlowError::NotFound { noun: "workspace", id: id.to_owned() })
    }
}
