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
pub const DEPLOYMENT_CREATE: Permission = Permission::tenant("deployment_create", USER);
pub const DEPLOYMENT_UPDATE: Permission = Permission::tenant("deployment_update", USER);
pub const DEPLOYMENT_DELETE: Permission = Permission::tenant("deployment_delete", USER);
pub const DEPENDENCY_LIST: Permission = Permission::tenant("inter_deployment_dependency_list", VIEWER);
pub const DEPENDENCY_CREATE: Permission = Permission::tenant("inter_deployment_dependency_create", USER);
pub const DEPENDENCY_DELETE: Permission = Permission::tenant("inter_deployment_dependency_delete", USER);
pub const SCHEDULE_LIST: Permission = Permission::tenant("execution_schedule_list", VIEWER);
pub const SCHEDULE_GET: Permission = Permission::tenant("execution_schedule_get", VIEWER);
pub const SCHEDULE_CREATE: Permission = Permission::tenant("execution_schedule_create", OPERATIONS);
pub const NODE_LIST: Permission = Permission::tenant("node_list", VIEWER);
pub const NODE_INSTANCE_LIST: Permission = Permission::tenant("node_instance_list", VIEWER);
pub const NODE_INSTANCE_GET: Permission = Permission::tenant("node_instance_get", VIEWER);
pub const NODE_INSTANCE_UPDATE: Permission = Permission::tenant("node_instance_update", USER);
pub const PLUGIN_LIST: Permission = Permission::tenant("plugin_list", VIEWER);
pub const PLUGIN_GET: Permission = Permission::tenant("plugin_get", VIEWER);
pub const PLUGIN_UPLOAD: Permission = Permission::tenant("plugin_upload", USER);
pub const PLUGIN_DOWNLOAD: Permission = Permission::tenant("plugin_download", VIEWER);
pub const PLUGIN_DELETE: Permission = Permission::tenant("plugin_delete", USER);
pub const SECRET_LIST: Permission = Permission::tenant("secret_list", VIEWER);
pub const SECRET_GET: Permission = Permission::tenant("secret_get", USER);
pub const SECRET_CREATE: Permission = Permission::tenant("secret_create", USER);
pub const SECRET_UPDATE: Permission = Permission::tenant("secret_update", USER);
pub const SECRET_DELETE: Permission = Permission::tenant("secret_delete", USER);
pub const AGENT_LIST: Permission = Permission::tenant("agent_list", VIEWER);
pub const AGENT_GET: Permission = Permission::tenant("agent_get", VIEWER);
pub const AGENT_CREATE: Permission = Permission::tenant("agent_create", USER);
pub const AGENT_UPDATE: Permission = Permission::tenant("agent_update", USER);
pub const EXECUTION_LIST: Permission = Permission::tenant("execution_list", VIEWER);
pub const SITE_LIST: Permission = Permission::tenant("site_list", VIEWER);
pub const SITE_GET: Permission = Permission::tenant("site_get", VIEWER);
pub const SITE_CREATE: Permission = Permission::tenant("site_create", USER);
pub const SITE_UPDATE: Permission = Permission::tenant("site_update", USER);
pub const SITE_DELETE: Permission = Permission::tenant("site_delete", USER);
pub const LABELS_LIST: Permission = Permission::tenant("labels_list", VIEWER);
pub const FILTER_LIST: Permission = Permission::tenant("filter_list", VIEWER);
pub const FILTER_GET: Permission = Permission::tenant("filter_get", VIEWER);
pub const FILTER_CREATE: Permission = Permission::tenant("filter_create", USER);
pub const FILTER_UPDATE: Permission = Permission::tenant("filter_update", USER);
pub const FILTER_DELETE: Permission = Permission::tenant("filter_delete", USER);
/// To give an entity to another user.
pub const SET_OWNER: Permission = Permission::tenant("set_owner", TenantRole::Manager);
/// Ours: the key with which an agent's host is reached.
pub const AGENT_KEY_FILE: Permission = Permission::tenant("agent_key_file", TenantRole::Manager);
pub const TENANT_GET: Permission = Permission::tenant("tenant_get", TenantRole::Manager);
pub const TENANT_CREATE: Permission = Permission::system("tenant_create");
pub const TENANT_DELETE: Permission = Permission::system("tenant_delete");
pub const TENANT_ADD_USER: Permission = Permission::system("tenant_add_user");
pub const TENANT_UPDATE_USER: Permission = Permission::system("tenant_update_user");
pub const TENANT_REMOVE_USER: Permission = Permission::system("tenant_remove_user");
pub const USER_LIST: Permission = Permission::system("user_list");
pub const USER_GET: Permission = Permission::system("user_get");
pub const USER_CREATE: Permission = Permission::system("user_create");
pub const USER_UPDATE: Permission = Permission::system("user_update");
pub const USER_DELETE: Permission = Permission::system("user_delete");
/// For entities that all tenants see.
pub const CREATE_GLOBAL_RESOURCE: Permission = Permission::system("create_global_resource");
