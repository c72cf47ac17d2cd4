//! The tables of what acts on many deployments or later: groups, dependencies, schedules, tasks graphs.

use super::{Kind, Nested, Table, boolean, constant, integer, json, properties, text};

pub(super) const DEPLOYMENT_GROUPS: Table = Table {
    kind: "deployment_groups",
    table: "deployment_groups",
    source: None,
    source_is_column: false,
    source_kind: None,
    time: Some("created_at"),
    dumped: &[
        text("id"),
        text("visibility"),
        text("description"),
        json("labels"),
        text("default_blueprint_id"),
        properties("default_inputs"),
        constant(
            "deployment_ids",
            "(SELECT json_group_array(m.deployment_id) FROM (SELECT deployment_id FROM deployment_group_members
             WHERE tenant_name = deployment_groups.tenant_name AND group_id = deployment_groups.id ORDER BY number) m)",
            Kind::Json,
        ),
        text("created_by"),
        text("created_at"),
        integer("creation_counter"),
    ],
    extra: &[],
    nested: Some(&Nested {
        key: "deployment_ids",
        table: "deployment_group_members",
        owner: "group_id",
        columns: &[text("deployment_id")],
    }),
};

pub(super) const EXECUTION_GROUPS: Table = Table {
    kind: "execution_groups",
    table: "execution_groups",
    source: None,
    source_is_column: false,
    source_kind: None,
    time: Some("created_at"),
    dumped: &[
        text("id"),
        text("created_at"),
        text("workflow_id"),
        constant(
            "execution_ids",
            "(SELECT json_group_array(e.id) FROM (SELECT id FROM executions
             WHERE execution_group_id = execution_groups.id ORDER BY created_at, id) e)",
            Kind::Json,
        ),
        integer("concurrency"),
        text("deployment_group_id"),
        text("created_by"),
    ],
    extra: &[text("visibility"), text("success_group_id"), text("failure_group_id")],
    nested: None,
};

pub(super) const DEPENDENCIES: Table = Table {
    kind: "inter_deployment_dependencies",
    table: "inter_deployment_dependencies",
    source: None,
    source_is_column: false,
    source_kind: None,
    time: Some("created_at"),
    dumped: &[
        text("id"),
        text("visibility"),
        text("created_at"),
        text("created_by"),
        text("dependency_creator"),
        json("target_deployment_func"),
        text("source_deployment_id"),
        text("target_deployment_id"),
        json("external_source"),
        json("external_target"),
    ],
    extra: &[],
    nested: None,
};

pub(super) const TASKS_GRAPHS: Table = Table {
    kind: "tasks_graphs",
    table: "tasks_graphs",
    source: Some("execution_id"),
    source_is_column: true,
    source_kind: None,
    time: Some("created_at"),
    dumped: &[
        text("created_at"),
        constant("execution_id", "execution_id", Kind::Text),
        text("name"),
        text("id"),
        constant(
            "operations",
            "(SELECT json_group_array(json_object('agent_name', o.agent_name, 'created_at', o.created_at,
               'dependencies', json(o.dependencies), 'id', o.id, 'manager_name', o.manager_name, 'name', o.name,
               'parameters', json(o.parameters), 'state', o.state, 'type', o.type))
             FROM (SELECT * FROM operations WHERE tenant_name = tasks_graphs.tenant_name
               AND tasks_graph_id = tasks_graphs.id ORDER BY number) o)",
            Kind::Properties,
        ),
    ],
    extra: &[text("visibility"), text("created_by")],
    nested: Some(&Nested {
        key: "operations",
        table: "operations",
        owner: "tasks_graph_id",
        columns: &[
            text("agent_name"),
            text("created_at"),
            json("dependencies"),
            text("id"),
            text("manager_name"),
            text("name"),
            json("parameters"),
            text("state"),
            text("type"),
        ],
    }),
};

pub(super) const SCHEDULES: Table = Table {
    kind: "execution_schedules",
    table: "execution_schedules",
    source: None,
    source_is_column: false,
    source_kind: None,
    time: Some("created_at"),
    dumped: &[
        text("id"),
        json("rule"),
        text("deployment_id"),
        text("workflow_id"),
        text("created_at"),
        text("since"),
        text("until"),
        boolean("stop_on_fail"),
        properties("parameters"),
        json("execution_arguments"),
        integer("slip"),
        boolean("enabled"),
        text("created_by"),
    ],
    extra: &[text("visibility"), text("next_occurrence"), text("latest_execution")],
    nested: None,
};

pub(super) const DEPLOYMENT_UPDATES: Table = Table {
    kind: "deployment_updates",
    table: "deployment_updates",
    source: None,
    source_is_column: false,
    source_kind: None,
    time: Some("created_at"),
    dumped: &[
        text("id"),
        text("deployment_id"),
        text("new_blueprint_id"),
        text("state"),
        properties("new_inputs"),
        text("created_at"),
        text("created_by"),
        text("execution_id"),
        text("old_blueprint_id"),
        boolean("runtime_only_evaluation"),
        properties("deployment_plan"),
        properties("deployment_update_node_instances"),
        text("visibility"),
        properties("steps"),
        constant("central_plugins_to_uninstall", "NULL", Kind::Json),
        constant("central_plugins_to_install", "NULL", Kind::Json),
        properties("old_inputs"),
        properties("deployment_update_nodes"),
        json("modified_entity_ids"),
    ],
    extra: &[json("labels_to_create")],
    nested: None,
};

pub(super) const PLUGINS_UPDATES: Table = Table {
    kind: "plugins_update",
    table: "plugins_updates",
    source: None,
    source_is_column: false,
    source_kind: None,
    time: Some("created_at"),
    dumped: &[
        text("id"),
        text("state"),
        boolean("forced"),
        boolean("all_tenants"),
        text("blueprint_id"),
        text("execution_id"),
        text("created_by"),
        text("created_at"),
        json("deployments_to_update"),
        json("deployments_per_tenant"),
        text("temp_blueprint_id"),
    ],
    extra: &[text("visibility")],
    nested: None,
};
