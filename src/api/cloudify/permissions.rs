//! What the calls of this face need, by Cloudify's names; every one that is not listed here is sys_admin's.

use crate::model::{Permission, TenantRole};

const VIEWER: TenantRole = TenantRole::Viewer;
const OPERATIONS: TenantRole = TenantRole::Operations;
const USER: TenantRole = TenantRole::User;

pub const BLUEPRINT_LIST: Permission = Permission::tenant("blueprint_list", VIEWER);
pub const BLUEPRINT_GET: Permission = Permission::tenant("blueprint_get", VIEWER);
pub const BLUEPRINT_UPLOAD: Permission = Permission::tenant("blueprint_upload", USER);
pub const BLUEPRINT_DOWNLOAD: Permission = Permission::tenant("blueprint_download", VIEWER);
pub const BLUEPRINT_DELETE: Permission = Permission::tenant("blueprint_delete", USER);
pub const DEPLOYMENT_LIST: Permission = Permission::tenant("deployment_list", VIEWER);
pub const DEPLOYMENT_GET: Permission = Permission::tenant("deployment_get", VIEWER);
pub const DEPENDENCY_LIST: Permission = Permission::tenant("inter_deployment_dependency_list", VIEWER);
pub const DEPENDENCY_CREATE: Permission =
    Permission::tenant("inter_deployment_dependency_create", OPERATIONS);
pub const DEPENDENCY_DELETE: Permission =
    Permission::tenant("inter_deployment_dependency_delete", OPERATIONS);
pub const SCHEDULE_LIST: Permission = Permission::tenant("execution_schedule_list", VIEWER);
pub const SCHEDULE_GET: Permission = Permission::tenant("execution_schedule_get", VIEWER);
pub const SCHEDULE_CREATE: Permission = Permission::tenant("execution_schedule_create", OPERATIONS);
pub const DEPLOYMENT_CREATE: Permission = Permission::tenant("deployment_create", OPERATIONS);
pub const DEPLOYMENT_UPDATE: Permission = Permission::tenant("deployment_update", OPERATIONS);
pub const DEPLOYMENT_DELETE: Permission = Permission::tenant("deployment_delete", OPERATIONS);
pub const NODE_LIST: Permission = Permission::tenant("node_list", VIEWER);
pub const NODE_INSTANCE_LIST: Permission = Permission::tenant("node_instance_list", VIEWER);
pub const NODE_INSTANCE_GET: Permission = Permission::tenant("node_instance_get", VIEWER);
pub const NODE_INSTANCE_UPDATE: Permission = Permission::tenant("node_instance_update", OPERATIONS);
pub const PLUGIN_LIST: Permission = Permission::tenant("plugin_list", VIEWER);
pub const PLUGIN_GET: Permission = Permission::tenant("plugin_get", VIEWER);
pub const PLUGIN_UPLOAD: Permission = Permission::tenant("plugin_upload", USER);
pub const PLUGIN_DOWNLOAD: Permission = Permission::tenant("plugin_download", VIEWER);
pub const PLUGIN_DELETE: Permission = Permission::tenant("plugin_delete", USER);
pub const SECRET_LIST: Permission = Permission::tenant("secret_list", VIEWER);
pub const SECRET_GET: Permission = Permission::tenant("secret_get", VIEWER);
pub const SECRET_CREATE: Permission = Permission::tenant("secret_create", USER);
pub const SECRET_UPDATE: Permission = Permission::tenant("secret_update", USER);
pub const SECRET_DELETE: Permission = Permission::tenant("secret_delete", USER);
pub const AGENT_LIST: Permission = Permission::tenant("agent_list", VIEWER);
pub const AGENT_GET: Permission = Permission::tenant("agent_get", VIEWER);
pub const EXECUTION_LIST: Permission = Permission::tenant("execution_list", VIEWER);
pub const SITE_LIST: Permission = Permission::tenant("site_list", VIEWER);
pub const SITE_GET: Permission = Permission::tenant("site_get", VIEWER);
pub const SITE_CREATE: Permission = Permission::tenant("site_create", USER);
pub const SITE_UPDATE: Permission = Permission::tenant("site_update", USER);
pub const SITE_DELETE: Permission = Permission::tenant("site_delete", USER);
pub const LABELS_LIST: Permission = Permission::tenant("labels_list", VIEWER);
pub const FILTER_LIST: Permission = Permission::tenant("filter_list", VIEWER);
pub const FILTER_GET: Permission = Permission::tenant("filter_get", VIEWER);
pub const FILTER_CREATE: Permission = Permission::tenant("filter_create", OPERATIONS);
pub const FILTER_UPDATE: Permission = Permission::tenant("filter_update", OPERATIONS);
pub const FILTER_DELETE: Permission = Permission::tenant("filter_delete", OPERATIONS);
/// To give an entity to another user.
pub const SET_OWNER: Permission = Permission::system("set_owner");
pub const AGENT_CREATE: Permission = Permission::tenant("agent_create", OPERATIONS);
pub const AGENT_UPDATE: Permission = Permission::tenant("agent_update", OPERATIONS);
/// Ours: the key with which an agent's host is reached.
pub const AGENT_KEY_FILE: Permission = Permission::tenant("agent_key_file", TenantRole::Manager);
pub const MAINTENANCE_MODE_GET: Permission = Permission::everyone("maintenance_mode_get");
pub const MAINTENANCE_MODE_SET: Permission = Permission::system("maintenance_mode_set");
pub const TENANT_LIST: Permission = Permission::everyone("tenant_list");
/// Who belongs to the tenants of a list.
pub const TENANT_LIST_GET_DATA: Permission = Permission::system("tenant_list_get_data");
pub const TENANT_GET: Permission = Permission::tenant("tenant_get", OPERATIONS);
pub const TENANT_CREATE: Permission = Permission::system("tenant_create");
pub const TENANT_DELETE: Permission = Permission::system("tenant_delete");
pub const TENANT_ADD_USER: Permission = Permission::system("tenant_add_user");
pub const TENANT_UPDATE_USER: Permission = Permission::system("tenant_update_user");
pub const TENANT_REMOVE_USER: Permission = Permission::system("tenant_remove_user");
pub const TENANT_ADD_GROUP: Permission = Permission::system("tenant_add_group");
pub const TENANT_UPDATE_GROUP: Permission = Permission::system("tenant_update_group");
pub const TENANT_REMOVE_GROUP: Permission = Permission::system("tenant_remove_group");
pub const USER_LIST: Permission = Permission::system("user_list");
pub const USER_GET: Permission = Permission::system("user_get");
pub const USER_CREATE: Permission = Permission::system("user_create");
pub const USER_UPDATE: Permission = Permission::system("user_update");
pub const USER_GET_SELF: Permission = Permission::everyone("user_get_self");
pub const USER_SET_ACTIVATED: Permission = Permission::system("user_set_activated");
pub const USER_UNLOCK: Permission = Permission::system("user_unlock");
pub const USER_DELETE: Permission = Permission::system("user_delete");
pub const USER_GROUP_LIST: Permission = Permission::system("user_group_list");
pub const USER_GROUP_GET: Permission = Permission::system("user_group_get");
pub const USER_GROUP_CREATE: Permission = Permission::system("user_group_create");
pub const USER_GROUP_UPDATE: Permission = Permission::system("user_group_update");
pub const USER_GROUP_DELETE: Permission = Permission::system("user_group_delete");
pub const USER_GROUP_ADD_USER: Permission = Permission::system("user_group_add_user");
pub const USER_GROUP_REMOVE_USER: Permission = Permission::system("user_group_remove_user");
/// For entities that all tenants see.
pub const CREATE_GLOBAL_RESOURCE: Permission = Permission::system("create_global_resource");
