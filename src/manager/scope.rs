//! Which entities a caller may see and change, by tenant and visibility.

use crate::database::{Scope, text};
use crate::model::{Caller, TenantRole};

/// What the caller may see in the tenant of the request, or in all tenants: what is global, and of each tenant what
/// is not private or the caller's own; a manager of a tenant and a sys_admin see private entities too.
pub fn visible(caller: &Caller, all_tenants: bool) -> Scope {
    if all_tenants {
        if caller.is_admin() {
            return Scope::everything();
        }
        let mut conditions = vec!["visibility = 'global'".to_owned()];
        let mut parameters = Vec::new();
        for (tenant, role) in &caller.tenants {
            let (condition, parameter) = in_tenant(caller, tenant.as_str(), *role == TenantRole::Manager);
            conditions.push(condition);
            parameters.extend(parameter);
        }
        return Scope::everything().and(&conditions.join(" OR "), parameters);
    }
    let global = [text(caller.tenant.as_str())];
    let global = Scope::everything().and("visibility = 'global' AND tenant_name <> ?", global);
    Scope::either(vec![writable(caller), global])
}

/// What the caller may change: what is in the tenant of the request and visible there.
pub fn writable(caller: &Caller) -> Scope {
    let (condition, parameters) = in_tenant(caller, caller.tenant.as_str(), caller.sees_private());
    Scope::everything().and(&condition, parameters)
}

fn in_tenant(caller: &Caller, tenant: &str, sees_private: bool) -> (String, Vec<rusqlite::types::Value>) {
    if sees_private {
        ("(tenant_name = ?)".to_owned(), vec![text(tenant)])
    } else {
        (
            "(tenant_name = ? AND (visibility <> 'private' OR created_by = ?))".to_owned(),
            vec![text(tenant), text(caller.user.as_str())],
        )
    }
}
