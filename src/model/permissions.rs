//! The permissions there are and who has them where nobody changed it; and what an administrator changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::TenantRole::{Manager, Operations, User, Viewer};
use super::{Permission, Role};

/// Every permission, by name: those of Cloudify's API with its default roles, and ours for what it has not.
pub const PERMISSIONS: &[Permission] = &[
    Permission::tenant("administrators", Manager),
    Permission::tenant("agent_create", Operations),
    Permission::tenant("agent_get", Viewer),
    Permission::tenant("agent_key_file", Manager),
    Permission::tenant("agent_list", Viewer),
    Permission::system("agent_replace_certs"),
    Permission::tenant("agent_update", Operations),
    Permission::system("all_tenants"),
    Permission::system("audit_log_inject"),
    Permission::system("audit_log_truncate"),
    Permission::system("audit_log_view"),
    Permission::tenant("blueprint_delete", User),
    Permission::tenant("blueprint_download", Viewer),
    Permission::tenant("blueprint_get", Viewer),
    Permission::tenant("blueprint_list", Viewer),
    Permission::tenant("blueprint_upload", User),
    Permission::system("broker_credentials"),
    Permission::everyone("broker_get"),
    Permission::system("broker_manage"),
    Permission::tenant("chart_edit", User),
    Permission::tenant("chart_get", Viewer),
    Permission::tenant("chart_snapshot_create", Viewer),
    Permission::tenant("chart_snapshot_delete", User),
    Permission::system("cluster_node_config_update"),
    Permission::tenant("cluster_status_get", Viewer),
    Permission::system("community_contact_create"),
    Permission::system("create_global_resource"),
    Permission::everyone("create_token"),
    Permission::everyone("db_nodes_get"),
    Permission::system("dead_letter_delete"),
    Permission::system("dead_letter_list"),
    Permission::everyone("delete_token"),
    Permission::tenant("deployment_capabilities", Viewer),
    Permission::tenant("deployment_create", Operations),
    Permission::tenant("deployment_delete", Operations),
    Permission::tenant("deployment_get", Viewer),
    Permission::tenant("deployment_group_create", Operations),
    Permission::tenant("deployment_group_delete", Operations),
    Permission::tenant("deployment_group_get", Viewer),
    Permission::tenant("deployment_group_list", Viewer),
    Permission::tenant("deployment_group_update", Operations),
    Permission::tenant("deployment_list", Viewer),
    Permission::tenant("deployment_modification_finish", Operations),
    Permission::tenant("deployment_modification_get", Viewer),
    Permission::tenant("deployment_modification_list", Viewer),
    Permission::tenant("deployment_modification_outputs", Viewer),
    Permission::tenant("deployment_modification_rollback", Operations),
    Permission::tenant("deployment_modify", Operations),
    Permission::tenant("deployment_set_site", Operations),
    Permission::tenant("deployment_set_visibility", Operations),
    Permission::tenant("deployment_update", Operations),
    Permission::tenant("deployment_update_create", Operations),
    Permission::tenant("deployment_update_get", Viewer),
    Permission::tenant("deployment_update_list", Viewer),
    Permission::tenant("deployment_update_update", Operations),
    Permission::tenant("event_create", Operations),
    Permission::tenant("event_delete", Operations),
    Permission::tenant("event_list", Viewer),
    Permission::tenant("execute_global_workflow", Manager),
    Permission::tenant("execution_cancel", Operations),
    Permission::tenant("execution_delete", Operations),
    Permission::tenant("execution_get", Viewer),
    Permission::tenant("execution_group_cancel", Operations),
    Permission::tenant("execution_group_create", Operations),
    Permission::tenant("execution_group_get", Viewer),
    Permission::tenant("execution_group_list", Viewer),
    Permission::tenant("execution_group_update", Operations),
    Permission::tenant("execution_list", Viewer),
    Permission::tenant("execution_schedule_create", Operations),
    Permission::tenant("execution_schedule_get", Viewer),
    Permission::tenant("execution_schedule_list", Viewer),
    Permission::tenant("execution_should_start", Viewer),
    Permission::tenant("execution_start", Operations),
    Permission::tenant("execution_status_update", Operations),
    Permission::tenant("file_server_auth", Viewer),
    Permission::tenant("filter_create", Operations),
    Permission::tenant("filter_delete", Operations),
    Permission::tenant("filter_get", Viewer),
    Permission::tenant("filter_list", Viewer),
    Permission::tenant("filter_update", Operations),
    Permission::tenant("functions_evaluate", Operations),
    Permission::system("get_password_hash"),
    Permission::system("getting_started"),
    Permission::everyone("identity_provider_get"),
    Permission::system("inject_token"),
    Permission::tenant("inter_deployment_dependency_create", Operations),
    Permission::tenant("inter_deployment_dependency_delete", Operations),
    Permission::tenant("inter_deployment_dependency_get", Viewer),
    Permission::tenant("inter_deployment_dependency_list", Viewer),
    Permission::tenant("inter_deployment_dependency_update", Operations),
    Permission::system("key_remove"),
    Permission::system("key_rotate"),
    Permission::tenant("labels_list", Viewer),
    Permission::system("ldap_set"),
    Permission::everyone("ldap_status_get"),
    Permission::everyone("license_list"),
    Permission::system("license_remove"),
    Permission::system("license_upload"),
    Permission::everyone("list_token"),
    Permission::system("log_bundle_create"),
    Permission::system("log_bundle_delete"),
    Permission::system("log_bundle_download"),
    Permission::system("log_bundle_get"),
    Permission::system("log_bundle_list"),
    Permission::system("log_bundle_status_update"),
    Permission::everyone("maintenance_mode_get"),
    Permission::system("maintenance_mode_set"),
    Permission::system("manage_others_tokens"),
    Permission::everyone("manager_config_get"),
    Permission::tenant("manager_config_put", Manager),
    Permission::tenant("manager_get", Viewer),
    Permission::system("manager_manage"),
    Permission::tenant("metric_edit", User),
    Permission::tenant("metric_get", Viewer),
    Permission::tenant("metric_submit", Operations),
    Permission::system("monitoring"),
    Permission::tenant("node_delete", Operations),
    Permission::tenant("node_instance_delete", Operations),
    Permission::tenant("node_instance_get", Viewer),
    Permission::tenant("node_instance_list", Viewer),
    Permission::tenant("node_instance_update", Operations),
    Permission::tenant("node_list", Viewer),
    Permission::tenant("node_update", Operations),
    Permission::tenant("operations", Viewer),
    Permission::tenant("plugin_delete", User),
    Permission::tenant("plugin_download", Viewer),
    Permission::tenant("plugin_get", Viewer),
    Permission::tenant("plugin_list", Viewer),
    Permission::tenant("plugin_upload", User),
    Permission::tenant("plugins_update_create", Operations),
    Permission::tenant("plugins_update_get", Viewer),
    Permission::tenant("plugins_update_list", Viewer),
    Permission::everyone("provider_context_create"),
    Permission::everyone("provider_context_get"),
    Permission::system("resource_set_global"),
    Permission::tenant("resource_set_visibility", User),
    Permission::tenant("secret_create", User),
    Permission::tenant("secret_delete", User),
    Permission::tenant("secret_export", User),
    Permission::tenant("secret_get", Viewer),
    Permission::tenant("secret_import", User),
    Permission::tenant("secret_list", Viewer),
    Permission::tenant("secret_update", User),
    Permission::tenant("secrets_provider_create", User),
    Permission::system("secrets_provider_credentials"),
    Permission::tenant("secrets_provider_delete", User),
    Permission::tenant("secrets_provider_get", Viewer),
    Permission::tenant("secrets_provider_list", Viewer),
    Permission::tenant("secrets_provider_update", User),
    Permission::system("set_execution_details"),
    Permission::system("set_execution_group_details"),
    Permission::system("set_owner"),
    Permission::system("set_plugin_update_details"),
    Permission::system("set_timestamp"),
    Permission::tenant("site_create", User),
    Permission::tenant("site_delete", User),
    Permission::tenant("site_get", Viewer),
    Permission::tenant("site_list", Viewer),
    Permission::tenant("site_update", User),
    Permission::system("snapshot_create"),
    Permission::system("snapshot_delete"),
    Permission::system("snapshot_download"),
    Permission::system("snapshot_get"),
    Permission::system("snapshot_list"),
    Permission::system("snapshot_protect"),
    Permission::system("snapshot_reseal"),
    Permission::system("snapshot_restore"),
    Permission::system("snapshot_status_update"),
    Permission::system("snapshot_upload"),
    Permission::system("snapshot_verify"),
    Permission::everyone("status_get"),
    Permission::system("tenant_add_group"),
    Permission::system("tenant_add_user"),
    Permission::system("tenant_create"),
    Permission::system("tenant_delete"),
    Permission::tenant("tenant_get", Operations),
    Permission::everyone("tenant_list"),
    Permission::system("tenant_list_get_data"),
    Permission::tenant("tenant_rabbitmq_credentials", Operations),
    Permission::system("tenant_remove_group"),
    Permission::system("tenant_remove_user"),
    Permission::system("tenant_update_group"),
    Permission::system("tenant_update_user"),
    Permission::everyone("token_get"),
    Permission::system("user_create"),
    Permission::system("user_delete"),
    Permission::system("user_get"),
    Permission::everyone("user_get_self"),
    Permission::system("user_group_add_user"),
    Permission::system("user_group_create"),
    Permission::system("user_group_delete"),
    Permission::system("user_group_get"),
    Permission::system("user_group_list"),
    Permission::system("user_group_remove_user"),
    Permission::system("user_group_update"),
    Permission::system("user_list"),
    Permission::system("user_set_activated"),
    Permission::system("user_token"),
    Permission::system("user_unlock"),
    Permission::system("user_update"),
    Permission::everyone("version_get"),
    Permission::tenant("workspaces.flow.edit", User),
    Permission::tenant("workspaces.flow.emit", Operations),
    Permission::tenant("workspaces.flow.get", Viewer),
    Permission::tenant("workspaces.flow.toggleStatus", User),
];

/// What an administrator changed of the roles that have a permission; all else is as [`PERMISSIONS`] says. Clones share
/// it.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    changes: Arc<BTreeMap<Role, BTreeMap<String, bool>>>,
}

impl Grants {
    /// The table with these changes: the role, the name of the permission, and whether the role has it.
    pub fn new(changes: impl IntoIterator<Item = (Role, String, bool)>) -> Self {
        let mut table: BTreeMap<Role, BTreeMap<String, bool>> = BTreeMap::new();
        for (role, name, is_granted) in changes {
            table.entry(role).or_default().insert(name, is_granted);
        }
        Self { changes: Arc::new(table) }
    }

    /// Whether a role has a permission. A sys_admin has all of them, whatever was changed.
    pub fn is_granted(&self, permission: Permission, role: Role) -> bool {
        if role == Role::SysAdmin {
            return true;
        }
        let change = self.changes.get(&role).and_then(|names| names.get(permission.name));
        change.copied().unwrap_or_else(|| permission.is_default_of(role))
    }

    /// Every permission that a role has, for each of the roles.
    pub fn table(&self, roles: &[Role]) -> Vec<(Role, Permission)> {
        let mut table = Vec::new();
        for permission in PERMISSIONS {
            let granted = roles.iter().filter(|role| self.is_granted(*permission, **role));
            table.extend(granted.map(|role| (*role, *permission)));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_each_stands_once() {
        assert!(PERMISSIONS.is_sorted_by(|one, other| one.name < other.name));
    }

    #[test]
    fn changes_count_for_their_role_and_never_for_a_sys_admin() {
        let upload = Permission::tenant("blueprint_upload", User);
        let (user, viewer) = (Role::Tenant(User), Role::Tenant(Viewer));
        let change = |role, is_granted| (role, "blueprint_upload".to_owned(), is_granted);
        let grants = Grants::new([change(user, false), change(viewer, true), change(Role::SysAdmin, false)]);
        assert!(!grants.is_granted(upload, user));
        assert!(grants.is_granted(upload, viewer));
        assert!(grants.is_granted(upload, Role::Tenant(Manager)));
        assert!(!grants.is_granted(upload, Role::Tenant(Operations)));
        assert!(grants.is_granted(upload, Role::SysAdmin));
    }
}
