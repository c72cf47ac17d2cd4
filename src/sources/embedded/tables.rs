//! How each table of the embedded manager is carried: which columns under Cloudify's dump keys, which beside them.
//!
//! An item in `tenants/<tenant>/NNNNNNNN.json` holds exactly Cloudify 7's keys (an extra key would break its own
//! restore); what our manager knows beyond them is the item at the same place in `lifeboat/<tenant>/NNNNNNNN.json`. A
//! kind that Cloudify's dump has not is there only.

mod many;

/// How a column's value stands in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text, or null.
    Text,
    /// A whole number, or null.
    Integer,
    /// 0 or 1 in the table.
    Boolean,
    /// JSON text in the table.
    Json,
    /// JSON text in the table in which private keys may stand.
    Properties,
}

/// One value of an item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// The key in the item.
    pub key: &'static str,
    /// The column it is restored into; none for a key that only Cloudify needs.
    pub column: Option<&'static str>,
    /// The SQL it is dumped by.
    pub sql: &'static str,
    pub kind: Kind,
}

/// One kind of entity.
#[derive(Debug)]
pub(super) struct Table {
    /// The envelope's `type`.
    pub kind: &'static str,
    pub table: &'static str,
    /// What gives the envelope's `source_id`, if any.
    pub source: Option<&'static str>,
    /// Whether the target table has the source as a column of its own.
    pub source_is_column: bool,
    /// What Cloudify calls the source, for events.
    pub source_kind: Option<&'static str>,
    /// The item's key for the envelope's `latest_timestamp`, if any.
    pub time: Option<&'static str>,
    /// Cloudify's keys; none where its dump has no such kind.
    pub dumped: &'static [Field],
    pub extra: &'static [Field],
    /// Rows of another table that stand within its items, if any.
    pub nested: Option<&'static Nested>,
}

/// Rows of a table that stand as a list within the items of another one.
#[derive(Debug)]
pub(super) struct Nested {
    /// The key of the list in the item.
    pub key: &'static str,
    pub table: &'static str,
    /// The column that names the item, by its `id`.
    pub owner: &'static str,
    /// The columns of a row; where there is one, the list holds its values, else objects.
    pub columns: &'static [Field],
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { key: name, column: Some(name), sql: name, kind }
}
const fn text(name: &'static str) -> Field {
    field(name, Kind::Text)
}
const fn integer(name: &'static str) -> Field {
    field(name, Kind::Integer)
}
const fn boolean(name: &'static str) -> Field {
    field(name, Kind::Boolean)
}
const fn json(name: &'static str) -> Field {
    field(name, Kind::Json)
}
const fn properties(name: &'static str) -> Field {
    field(name, Kind::Properties)
}
/// A key that Cloudify's restore insists on and our tables do not need.
const fn constant(key: &'static str, sql: &'static str, kind: Kind) -> Field {
    Field { key, column: None, sql, kind }
}

/// An event or a log line, of an execution or of a group of them.
const EVENT: &[Field] = &[
    text("timestamp"),
    text("reported_timestamp"),
    text("workflow_id"),
    text("blueprint_id"),
    text("deployment_id"),
    constant("deployment_display_name", "deployment_id", Kind::Text),
    text("message"),
    json("error_causes"),
    text("event_type"),
    text("operation"),
    text("source_id"),
    text("target_id"),
    text("node_instance_id"),
    text("type"),
    text("logger"),
    text("level"),
    constant("manager_name", "NULL", Kind::Text),
    constant("agent_name", "NULL", Kind::Text),
];

/// All kinds, in the order of a dump, which is also the order in which they can be inserted.
pub(super) const TABLES: &[Table] = &[
    Table {
        kind: "sites",
        table: "sites",
        source: None,
        source_is_column: false,
        source_kind: None,
        time: Some("created_at"),
        dumped: &[text("name"), text("location"), text("visibility"), text("created_by"), text("created_at")],
        extra: &[],
        nested: None,
    },
    Table {
        kind: "plugins",
        table: "plugins",
        source: None,
        source_is_column: false,
        source_kind: None,
        time: Some("uploaded_at"),
        dumped: &[text("id"), text("title"), text("visibility"), text("uploaded_at"), text("created_by")],
        extra: &[
            text("archive_name"),
            text("package_name"),
            text("package_version"),
            text("package_source"),
            text("distribution"),
            text("distribution_version"),
            text("distribution_release"),
            text("supported_platform"),
            json("supported_py_versions"),
            json("wheels"),
            json("excluded_wheels"),
            json("labels"),
            json("blueprint_labels"),
            json("resource_tags"),
            text("archive_blob"),
            integer("archive_size_bytes"),
        ],
        nested: None,
    },
    Table {
        kind: "blueprints",
        table: "blueprints",
        source: None,
        source_is_column: false,
        source_kind: None,
        time: Some("created_at"),
        dumped: &[
            text("id"),
            text("visibility"),
            json("labels"),
            text("created_at"),
            text("created_by"),
            text("state"),
            text("main_file_name"),
            properties("plan"),
            text("description"),
            text("error"),
            constant("error_traceback", "NULL", Kind::Text),
            boolean("is_hidden"),
            json("requirements"),
        ],
        extra: &[
            text("updated_at"),
            json("unresolved_imports"),
            text("upload_execution_id"),
            text("archive_blob"),
            text("archive_name"),
            integer("archive_size_bytes"),
            boolean("holds_key_material"),
            text("icon"),
        ],
        nested: None,
    },
    Table {
        kind: "deployments",
        table: "deployments",
        source: None,
        source_is_column: false,
        source_kind: None,
        time: Some("created_at"),
        dumped: &[
            text("id"),
            text("blueprint_id"),
            properties("inputs"),
            text("visibility"),
            json("labels"),
            text("display_name"),
            boolean("runtime_only_evaluation"),
            text("created_by"),
            text("created_at"),
            json("workflows"),
            json("groups"),
            json("policy_triggers"),
            json("policy_types"),
            properties("outputs"),
            properties("capabilities"),
            text("description"),
            json("scaling_groups"),
            json("resource_tags"),
        ],
        extra: &[text("updated_at"), text("site_name"), text("create_execution"), text("work_folder")],
        nested: None,
    },
    many::DEPLOYMENT_GROUPS,
    Table {
        kind: "nodes",
        table: "nodes",
        source: Some("deployment_id"),
        source_is_column: true,
        source_kind: None,
        time: None,
        dumped: &[
            text("id"),
            text("host_id"),
            json("plugins"),
            json("plugins_to_install"),
            properties("properties"),
            integer("max_number_of_instances"),
            integer("min_number_of_instances"),
            integer("planned_number_of_instances"),
            integer("deploy_number_of_instances"),
            properties("relationships"),
            properties("operations"),
            text("type"),
            json("type_hierarchy"),
            text("visibility"),
            text("created_by"),
            integer("number_of_instances"),
        ],
        extra: &[],
        nested: None,
    },
    Table {
        kind: "node_instances",
        table: "node_instances",
        source: Some("deployment_id"),
        source_is_column: true,
        source_kind: None,
        time: None,
        dumped: &[
            text("id"),
            properties("runtime_properties"),
            text("state"),
            json("relationships"),
            properties("system_properties"),
            json("scaling_groups"),
            text("host_id"),
            integer("index"),
            text("visibility"),
            text("node_id"),
            text("created_by"),
            boolean("has_configuration_drift"),
            boolean("is_status_check_ok"),
        ],
        extra: &[integer("version")],
        nested: None,
    },
    Table {
        kind: "agents",
        table: "(SELECT agents.*, (SELECT deployment_id FROM node_instances WHERE node_instances.tenant_name = agents.tenant_name AND node_instances.id = agents.node_instance_id) AS deployment_id FROM agents)",
        source: Some("deployment_id"),
        source_is_column: false,
        source_kind: None,
        time: Some("created_at"),
        dumped: &[
            text("id"),
            text("node_instance_id"),
            text("state"),
            text("created_at"),
            text("created_by"),
            constant("rabbitmq_password", "''", Kind::Text),
            text("rabbitmq_username"),
            text("rabbitmq_exchange"),
            text("version"),
            text("system"),
            text("install_method"),
            text("ip"),
            text("visibility"),
        ],
        extra: &[text("updated_at")],
        nested: None,
    },
    many::DEPENDENCIES,
    Table {
        kind: "executions",
        table: "executions",
        source: None,
        source_is_column: false,
        source_kind: None,
        time: Some("created_at"),
        dumped: &[
            text("deployment_id"),
            text("workflow_id"),
            properties("parameters"),
            boolean("is_dry_run"),
            boolean("allow_custom_parameters"),
            text("status"),
            text("created_by"),
            text("created_at"),
            text("id"),
            text("started_at"),
            text("ended_at"),
            text("error"),
            boolean("is_system_workflow"),
        ],
        extra: &[
            text("visibility"),
            text("deployment_display_name"),
            text("blueprint_id"),
            text("parent_id"),
            text("execution_group_id"),
            integer("execution_group_concurrency"),
            boolean("resumed"),
            text("scheduled_for"),
            text("phase"),
            integer("done_bytes"),
            integer("total_bytes"),
            integer("finished_operations"),
            integer("total_operations"),
            json("report"),
        ],
        nested: None,
    },
    many::EXECUTION_GROUPS,
    Table {
        kind: "events",
        table: "(SELECT * FROM events WHERE execution_group_id IS NULL)",
        source: Some("execution_id"),
        source_is_column: true,
        source_kind: Some("executions"),
        time: Some("timestamp"),
        dumped: EVENT,
        extra: &[text("node_name")],
        nested: None,
    },
    Table {
        kind: "events",
        table: "(SELECT * FROM events WHERE execution_group_id IS NOT NULL)",
        source: Some("execution_group_id"),
        source_is_column: true,
        source_kind: Some("execution_groups"),
        time: Some("timestamp"),
        dumped: EVENT,
        extra: &[text("node_name"), text("execution_id")],
        nested: None,
    },
    many::TASKS_GRAPHS,
    many::DEPLOYMENT_UPDATES,
    many::DEPLOYMENT_MODIFICATIONS,
    many::PLUGINS_UPDATES,
    Table {
        kind: "deployments_filters",
        // Every manager has those of the system.
        table: "(SELECT * FROM deployments_filters WHERE is_system_filter = 0)",
        source: None,
        source_is_column: false,
        source_kind: None,
        time: Some("created_at"),
        dumped: FILTER,
        extra: &[text("updated_at")],
        nested: None,
    },
    Table {
        kind: "blueprints_filters",
        table: "(SELECT * FROM blueprints_filters WHERE is_system_filter = 0)",
        source: None,
        source_is_column: false,
        source_kind: None,
        time: Some("created_at"),
        dumped: FILTER,
        extra: &[text("updated_at")],
        nested: None,
    },
    many::SCHEDULES,
];

/// A saved filter, as Cloudify's dump has it.
const FILTER: &[Field] =
    &[text("created_at"), text("id"), text("visibility"), json("value"), text("created_by")];

impl Table {
    /// Whether Cloudify's dump has such a kind; else it stands in `lifeboat/` alone.
    pub fn is_dumped(&self) -> bool {
        !self.dumped.is_empty()
    }

    /// The table that rows are restored into.
    pub fn target(&self) -> &'static str {
        if self.table.starts_with('(') { self.kind } else { self.table }
    }
}

/// Whether entities of this kind stand in Cloudify's dump.
pub(super) fn is_dumped(kind: &str) -> bool {
    TABLES.iter().any(|table| table.kind == kind && table.is_dumped())
}

/// Whether entities of this kind stand in `lifeboat/` alone.
pub(super) fn is_own(kind: &str) -> bool {
    TABLES.iter().any(|table| table.kind == kind && !table.is_dumped())
}

#[cfg(test)]
mod tests;
