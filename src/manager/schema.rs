//! The tables of a generation of the embedded manager.
//!
//! Times are texts in UTC with milliseconds and `Z`; columns that hold JSON are texts.

mod charts;
mod flows;
mod resources;

use refinery::{Migration, Runner};

use crate::executions::table::{
    LISTING_INDEXES, SCHEMA_GROUPS as EXECUTIONS_OF_GROUPS, SCHEMA_V1 as EXECUTIONS_V1,
};

use super::dependencies::SCHEMA_V5 as DEPENDENCIES_V5;
use super::execution_groups::SCHEMA_V5 as EXECUTION_GROUPS_V5;
use super::groups::SCHEMA_V5 as GROUPS_V5;
use super::modifications::SCHEMA_V9 as MODIFICATIONS_V9;
use super::plugins_updates::SCHEMA_V8 as PLUGINS_UPDATES_V8;
use super::schedules::SCHEMA_V5 as SCHEDULES_V5;
use super::tasks_graphs::SCHEMA_V5 as TASKS_GRAPHS_V5;
use super::updates::SCHEMA_V5 as UPDATES_V5;

/// The version of these tables, written into an archive's metadata and compared at restore: the last one that changed what
/// rows hold. Those that bring only indexes do not count.
pub const SCHEMA_VERSION: u32 = 9;

const V1: &str = "
CREATE TABLE tenants (
    name TEXT PRIMARY KEY NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE blueprints (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT,
    created_by TEXT NOT NULL,
    main_file_name TEXT NOT NULL,
    description TEXT,
    plan TEXT,
    labels TEXT NOT NULL DEFAULT '[]',
    requirements TEXT,
    unresolved_imports TEXT NOT NULL DEFAULT '[]',
    state TEXT NOT NULL,
    error TEXT,
    is_hidden INTEGER NOT NULL DEFAULT 0,
    upload_execution_id TEXT,
    archive_blob TEXT,
    archive_name TEXT NOT NULL DEFAULT '',
    archive_size_bytes INTEGER NOT NULL DEFAULT 0,
    holds_key_material INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant_name, id)
) STRICT;

CREATE TABLE deployments (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    blueprint_id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT,
    created_by TEXT NOT NULL,
    description TEXT,
    inputs TEXT NOT NULL DEFAULT '{}',
    outputs TEXT NOT NULL DEFAULT '{}',
    capabilities TEXT NOT NULL DEFAULT '{}',
    workflows TEXT NOT NULL DEFAULT '[]',
    groups TEXT NOT NULL DEFAULT '{}',
    policy_types TEXT NOT NULL DEFAULT '{}',
    policy_triggers TEXT NOT NULL DEFAULT '{}',
    scaling_groups TEXT NOT NULL DEFAULT '{}',
    labels TEXT NOT NULL DEFAULT '[]',
    resource_tags TEXT NOT NULL DEFAULT '{}',
    site_name TEXT,
    runtime_only_evaluation INTEGER NOT NULL DEFAULT 0,
    create_execution TEXT,
    work_folder TEXT,
    UNIQUE (tenant_name, id)
) STRICT;
-- No foreign key: a global blueprint has deployments in other tenants.
CREATE INDEX deployments_by_blueprint ON deployments(blueprint_id);

CREATE TABLE nodes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_by TEXT NOT NULL,
    host_id TEXT,
    type TEXT NOT NULL,
    type_hierarchy TEXT NOT NULL,
    properties TEXT NOT NULL,
    operations TEXT NOT NULL,
    plugins TEXT NOT NULL,
    plugins_to_install TEXT,
    relationships TEXT NOT NULL,
    number_of_instances INTEGER NOT NULL,
    planned_number_of_instances INTEGER NOT NULL,
    deploy_number_of_instances INTEGER NOT NULL,
    min_number_of_instances INTEGER NOT NULL,
    max_number_of_instances INTEGER NOT NULL,
    UNIQUE (tenant_name, deployment_id, id),
    FOREIGN KEY (tenant_name, deployment_id) REFERENCES deployments(tenant_name, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE node_instances (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_by TEXT NOT NULL,
    host_id TEXT,
    \"index\" INTEGER NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    relationships TEXT NOT NULL,
    runtime_properties TEXT NOT NULL DEFAULT '{}',
    system_properties TEXT NOT NULL DEFAULT '{}',
    scaling_groups TEXT NOT NULL DEFAULT '[]',
    is_status_check_ok INTEGER NOT NULL DEFAULT 1,
    has_configuration_drift INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant_name, id),
    FOREIGN KEY (tenant_name, deployment_id, node_id)
        REFERENCES nodes(tenant_name, deployment_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX node_instances_by_node ON node_instances(tenant_name, deployment_id, node_id);

CREATE TABLE plugins (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    id TEXT NOT NULL UNIQUE,
    visibility TEXT NOT NULL,
    created_by TEXT NOT NULL,
    uploaded_at TEXT NOT NULL,
    archive_name TEXT NOT NULL,
    package_name TEXT NOT NULL,
    package_version TEXT,
    package_source TEXT,
    distribution TEXT,
    distribution_version TEXT,
    distribution_release TEXT,
    supported_platform TEXT,
    supported_py_versions TEXT NOT NULL DEFAULT '[]',
    wheels TEXT NOT NULL DEFAULT '[]',
    excluded_wheels TEXT NOT NULL DEFAULT '[]',
    title TEXT,
    labels TEXT NOT NULL DEFAULT '[]',
    archive_blob TEXT NOT NULL,
    archive_size_bytes INTEGER NOT NULL
) STRICT;

CREATE TABLE secrets (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    key TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT,
    created_by TEXT NOT NULL,
    is_hidden_value INTEGER NOT NULL DEFAULT 0,
    schema TEXT,
    sealed_value BLOB NOT NULL,
    UNIQUE (tenant_name, key)
) STRICT;

CREATE TABLE agents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT,
    created_by TEXT NOT NULL,
    node_instance_id TEXT NOT NULL,
    state TEXT NOT NULL,
    ip TEXT,
    install_method TEXT,
    system TEXT,
    version TEXT,
    rabbitmq_username TEXT,
    rabbitmq_exchange TEXT,
    sealed_rabbitmq_password BLOB,
    sealed_key_file BLOB,
    UNIQUE (tenant_name, id),
    FOREIGN KEY (tenant_name, node_instance_id) REFERENCES node_instances(tenant_name, id) ON DELETE CASCADE
) STRICT;
";

/// The indexes by which entities are listed: in their tenant, over all tenants, and those that are shown everywhere.
/// Each holds what the usual conditions ask for.
const ENTITY_INDEXES: &str = "
CREATE INDEX blueprints_by_time ON blueprints(created_at, number, tenant_name, visibility, created_by, id, is_hidden, state);
CREATE INDEX blueprints_by_tenant ON blueprints(tenant_name, created_at, number, visibility, created_by, id, is_hidden, state);
CREATE INDEX blueprints_global ON blueprints(created_at, number, tenant_name, id, is_hidden, state) WHERE visibility = 'global';
CREATE INDEX blueprints_global_by_name ON blueprints(id, tenant_name) WHERE visibility = 'global';
CREATE INDEX deployments_by_time ON deployments(created_at, number, tenant_name, visibility, created_by, id, blueprint_id, display_name);
CREATE INDEX deployments_by_tenant ON deployments(tenant_name, created_at, number, visibility, created_by, id, blueprint_id, display_name);
CREATE INDEX deployments_global ON deployments(created_at, number, tenant_name, id, blueprint_id, display_name) WHERE visibility = 'global';
CREATE INDEX deployments_global_by_name ON deployments(id, tenant_name) WHERE visibility = 'global';
CREATE INDEX plugins_by_time ON plugins(uploaded_at, number, tenant_name, visibility, created_by, id, package_name);
CREATE INDEX plugins_by_tenant ON plugins(tenant_name, uploaded_at, number, visibility, created_by, id, package_name);
CREATE INDEX plugins_global ON plugins(uploaded_at, number, tenant_name, id, package_name) WHERE visibility = 'global';
CREATE INDEX secrets_by_time ON secrets(created_at, number, tenant_name, visibility, created_by, key);
CREATE INDEX secrets_by_tenant ON secrets(tenant_name, created_at, number, visibility, created_by, key);
CREATE INDEX secrets_global ON secrets(created_at, number, tenant_name, key) WHERE visibility = 'global';
CREATE INDEX secrets_global_by_name ON secrets(key, tenant_name) WHERE visibility = 'global';
CREATE INDEX agents_by_time ON agents(created_at, number, tenant_name, visibility, created_by, id);
CREATE INDEX agents_by_tenant ON agents(tenant_name, created_at, number, visibility, created_by, id);
CREATE INDEX agents_global ON agents(created_at, number, tenant_name, id) WHERE visibility = 'global';
CREATE INDEX agents_global_by_name ON agents(id, tenant_name) WHERE visibility = 'global';
CREATE INDEX nodes_by_tenant ON nodes(tenant_name, number, visibility, created_by, deployment_id, id);
CREATE INDEX nodes_by_deployment ON nodes(tenant_name, deployment_id, number, visibility, created_by, id);
CREATE INDEX nodes_global ON nodes(number, tenant_name, deployment_id, id) WHERE visibility = 'global';
CREATE INDEX node_instances_by_tenant ON node_instances(tenant_name, number, visibility, created_by, deployment_id, node_id, id);
CREATE INDEX node_instances_by_deployment ON node_instances(tenant_name, deployment_id, number, visibility, created_by, node_id, id);
CREATE INDEX node_instances_global ON node_instances(number, tenant_name, deployment_id, node_id, id) WHERE visibility = 'global';
";

/// The migrations of manager.db, oldest first.
pub fn migrations() -> Runner {
    let v1 = format!("{EXECUTIONS_V1}{V1}");
    let v4 = resources::v4();
    let v5 = [
        EXECUTIONS_OF_GROUPS,
        SCHEDULES_V5,
        DEPENDENCIES_V5,
        GROUPS_V5,
        EXECUTION_GROUPS_V5,
        TASKS_GRAPHS_V5,
        UPDATES_V5,
    ]
    .concat();
    let v7 = format!("{LISTING_INDEXES}{ENTITY_INDEXES}");
    let migrations = [
        ("V1__manager", v1.as_str()),
        ("V2__flows", flows::V2),
        ("V3__charts", charts::V3),
        ("V4__resources", v4.as_str()),
        ("V5__many_deployments", v5.as_str()),
        ("V7__listing_indexes", v7.as_str()),
        ("V8__plugins_updates", PLUGINS_UPDATES_V8),
        ("V9__deployment_modifications", MODIFICATIONS_V9),
        ("V10__flows_sorted", flows::V10),
    ];
    Runner::new(
        &migrations.map(|(name, sql)| {
            Migration::unapplied(name, sql).expect("the migrations' names are well formed")
        }),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tables_of_each_version_are_those_that_were_published() {
        crate::database::versions::assert_published("manager", super::migrations);
    }
}
