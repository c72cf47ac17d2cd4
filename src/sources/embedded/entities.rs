//! What entities are named by, what they need, and whose parts they are: the one place where it is said of every table.
//!
//! A selective restore reads it to take along what is selected needs, and a test compares it with the tables.

/// How an entity belongs to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bond {
    /// It is a part: it comes with the other, and goes where the other is replaced.
    Part,
    /// It tells of the other: it comes along where it is missing, and stays as it is where the other is replaced.
    History,
    /// It refers to the other, and goes its own ways.
    Reference,
}

/// That entities of a table belong to others, without which they can't stand.
#[derive(Debug)]
pub(super) struct Need {
    /// The other kind.
    pub kind: &'static str,
    pub bond: Bond,
    /// SQL: whether a row `t` belongs to the row `o` of the other kind. `{db}` is the database of both.
    pub on: &'static str,
    /// SQL: whether the live row `l` serves in place of `o`; none where only the one of the same name does.
    pub alike: Option<&'static str>,
    /// Whether it can't stand without; else it only comes along with the other.
    pub is_required: bool,
}

/// How the tenant of a row is found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tenancy {
    /// In its column `tenant_name`.
    Column,
    /// It is one.
    Own,
    /// That of the row of a table which has the value of this column as its `id`.
    Of { column: &'static str, table: &'static str },
}

/// One table of the embedded manager as entities: what they are named by and what they need.
#[derive(Debug)]
pub(super) struct Entities {
    /// The table, and the word for its entities in names.
    pub kind: &'static str,
    pub tenancy: Tenancy,
    /// The columns that make up an id in the tenant, with `/` between two. Rows with one id are one entity.
    pub key: &'static [&'static str],
    /// Whether several rows may have one id.
    pub is_group: bool,
    /// SQL: which rows `t` are meant at all.
    pub only: &'static str,
    /// Whether they can be selected; else they come and go with what they are parts of.
    pub is_selectable: bool,
    /// What belongs to this installation, or counts up by itself: no difference between two entities.
    pub ignored: &'static [&'static str],
    /// Numbers that are given anew, each moved by the same distance.
    pub moved: &'static [&'static str],
    pub needs: &'static [Need],
}

const fn part_of(kind: &'static str, on: &'static str) -> Need {
    Need { kind, bond: Bond::Part, on, alike: None, is_required: true }
}
const fn history_of(kind: &'static str, on: &'static str) -> Need {
    Need { kind, bond: Bond::History, on, alike: None, is_required: true }
}
const fn reference(kind: &'static str, on: &'static str) -> Need {
    Need { kind, bond: Bond::Reference, on, alike: None, is_required: true }
}
/// Of an entity with a column `tenant_name`.
const TENANT: Need = reference("tenants", "o.name = t.tenant_name");

const fn entities(kind: &'static str, key: &'static [&'static str], needs: &'static [Need]) -> Entities {
    Entities {
        kind,
        tenancy: Tenancy::Column,
        key,
        is_group: false,
        only: "true",
        is_selectable: true,
        ignored: &["number"],
        moved: &[],
        needs,
    }
}

/// A plugin of the same package and version serves as well, wherever it was uploaded.
const SAME_PACKAGE: Option<&str> = Some(
    "l.package_name = o.package_name AND l.package_version IS o.package_version
     AND (l.tenant_name = o.tenant_name OR l.visibility = 'global')",
);

/// Every manager has the filters of the system.
const NOT_OF_THE_SYSTEM: &str = "t.is_system_filter = 0";

/// Tables whose rows triggers make of the rows of another: the table, the column that holds the other's number, the other.
pub(super) const DERIVED: &[(&str, &str, &str)] =
    &[("blueprint_labels", "owner", "blueprints"), ("deployment_labels", "owner", "deployments")];

/// Tables that no archive carries: what this installation did, which outlives every restore.
#[cfg(test)]
const KEPT: &[&str] = &["fired_schedules"];

/// All tables, in an order in which they can be inserted: what others need stands before them.
pub(super) const ENTITIES: &[Entities] = &[
    Entities { tenancy: Tenancy::Own, ..entities("tenants", &["name"], &[]) },
    entities("sites", &["name"], &[TENANT]),
    entities("plugins", &["id"], &[TENANT]),
    entities("secrets", &["key"], &[TENANT]),
    entities(
        "blueprints",
        &["id"],
        &[
            TENANT,
            Need {
                alike: SAME_PACKAGE,
                ..reference(
                    "plugins",
                    "(o.tenant_name = t.tenant_name OR o.visibility = 'global') AND EXISTS (
                        SELECT 1 FROM json_each(t.plan, '$.nodes') n, json_each(n.value, '$.plugins') p
                        WHERE p.value ->> 'package_name' = o.package_name
                        AND coalesce(p.value ->> 'package_version', o.package_version) IS o.package_version)",
                )
            },
        ],
    ),
    entities(
        "deployments",
        &["id"],
        &[
            TENANT,
            // A global blueprint has deployments in other tenants.
            reference(
                "blueprints",
                "o.id = t.blueprint_id AND (o.tenant_name = t.tenant_name OR o.visibility = 'global')",
            ),
            reference(
                "sites",
                "o.name = t.site_name AND (o.tenant_name = t.tenant_name OR o.visibility = 'global')",
            ),
            reference(
                "secrets",
                "(o.tenant_name = t.tenant_name OR o.visibility = 'global') AND o.key IN (
                    SELECT s.value FROM {db}.blueprints b, json_each(b.requirements, '$.secrets') s
                    WHERE b.id = t.blueprint_id AND (b.tenant_name = t.tenant_name OR b.visibility = 'global'))",
            ),
            reference(
                "deployments",
                "o.tenant_name = t.tenant_name AND o.id <> t.id AND o.id IN (
                    SELECT l.value ->> 'value' FROM json_each(t.labels) l
                    WHERE l.value ->> 'key' = 'csys-obj-parent')",
            ),
        ],
    ),
    entities(
        "inter_deployment_dependencies",
        &["id"],
        &[
            TENANT,
            part_of("deployments", "o.tenant_name = t.tenant_name AND o.id = t.source_deployment_id"),
            reference("deployments", "o.tenant_name = t.tenant_name AND o.id = t.target_deployment_id"),
        ],
    ),
    entities(
        "execution_schedules",
        &["deployment_id", "id"],
        &[TENANT, part_of("deployments", "o.tenant_name = t.tenant_name AND o.id = t.deployment_id")],
    ),
    entities(
        "deployment_groups",
        &["id"],
        &[
            TENANT,
            reference(
                "blueprints",
                "o.id = t.default_blueprint_id AND (o.tenant_name = t.tenant_name OR o.visibility = 'global')",
            ),
        ],
    ),
    Entities {
        is_selectable: false,
        ..entities(
            "deployment_group_members",
            &["group_id", "deployment_id"],
            &[
                part_of("deployment_groups", "o.tenant_name = t.tenant_name AND o.id = t.group_id"),
                reference("deployments", "o.tenant_name = t.tenant_name AND o.id = t.deployment_id"),
            ],
        )
    },
    entities(
        "execution_groups",
        &["id"],
        // It outlives the deployments that it worked on.
        &[
            TENANT,
            Need {
                is_required: false,
                ..reference(
                    "deployment_groups",
                    "o.tenant_name = t.tenant_name AND o.id = t.deployment_group_id",
                )
            },
        ],
    ),
    entities(
        "nodes",
        &["deployment_id", "id"],
        &[
            part_of("deployments", "o.tenant_name = t.tenant_name AND o.id = t.deployment_id"),
            Need {
                alike: SAME_PACKAGE,
                ..reference(
                    "plugins",
                    "(o.tenant_name = t.tenant_name OR o.visibility = 'global') AND EXISTS (
                        SELECT 1 FROM json_each(t.plugins) p
                        WHERE p.value ->> 'package_name' = o.package_name
                        AND coalesce(p.value ->> 'package_version', o.package_version) IS o.package_version)",
                )
            },
        ],
    ),
    entities(
        "node_instances",
        &["id"],
        &[part_of(
            "nodes",
            "o.tenant_name = t.tenant_name AND o.deployment_id = t.deployment_id AND o.id = t.node_id",
        )],
    ),
    entities(
        "agents",
        &["id"],
        &[
            TENANT,
            part_of("node_instances", "o.tenant_name = t.tenant_name AND o.id = t.node_instance_id"),
        ],
    ),
    Entities {
        ignored: &["number", "boot"],
        ..entities(
            "executions",
            &["id"],
            &[
                TENANT,
                history_of("deployments", "o.tenant_name = t.tenant_name AND o.id = t.deployment_id"),
                Need { is_required: false, ..history_of("execution_groups", "o.id = t.execution_group_id") },
            ],
        )
    },
    // Lines of a group that are none of an execution stay with the manager that wrote them.
    Entities {
        is_group: true,
        only: "t.execution_id <> ''",
        ..entities("events", &["execution_id"], &[history_of("executions", "o.id = t.execution_id")])
    },
    entities("tasks_graphs", &["id"], &[part_of("executions", "o.id = t.execution_id")]),
    Entities {
        is_selectable: false,
        ..entities(
            "operations",
            &["id"],
            &[part_of("tasks_graphs", "o.tenant_name = t.tenant_name AND o.id = t.tasks_graph_id")],
        )
    },
    entities(
        "deployment_updates",
        &["id"],
        &[history_of("deployments", "o.tenant_name = t.tenant_name AND o.id = t.deployment_id")],
    ),
    entities(
        "deployment_modifications",
        &["id"],
        // It tells which instances come and go, and is of no use with others.
        &[part_of("deployments", "o.tenant_name = t.tenant_name AND o.id = t.deployment_id")],
    ),
    entities(
        "plugins_updates",
        &["id"],
        &[
            history_of("blueprints", "o.tenant_name = t.tenant_name AND o.id = t.blueprint_id"),
            Need {
                is_required: false,
                ..history_of("blueprints", "o.tenant_name = t.tenant_name AND o.id = t.temp_blueprint_id")
            },
        ],
    ),
    Entities { only: NOT_OF_THE_SYSTEM, ..entities("deployments_filters", &["id"], &[TENANT]) },
    Entities { only: NOT_OF_THE_SYSTEM, ..entities("blueprints_filters", &["id"], &[TENANT]) },
    Entities {
        ignored: &["number", "reports_current_status", "paused_by", "restored_by"],
        ..entities("flows", &["id"], &[TENANT])
    },
    // What graphs say: they come and go with them.
    Entities {
        tenancy: Tenancy::Of { column: "flow_id", table: "flows" },
        is_selectable: false,
        ..entities("flow_steps", &["flow_id", "id"], &[part_of("flows", "o.id = t.flow_id")])
    },
    Entities {
        tenancy: Tenancy::Of { column: "flow_id", table: "flows" },
        ..entities("step_snapshots", &["flow_id", "step_id"], &[part_of("flows", "o.id = t.flow_id")])
    },
    Entities {
        tenancy: Tenancy::Of { column: "flow_id", table: "flows" },
        is_group: true,
        is_selectable: false,
        moved: &["number", "change", "undoes"],
        ..entities("step_history", &["flow_id"], &[history_of("flows", "o.id = t.flow_id")])
    },
    entities(
        "captures",
        &["id"],
        // It outlives its flow.
        &[TENANT, Need { is_required: false, ..history_of("flows", "o.id = t.flow_id") }],
    ),
    Entities {
        tenancy: Tenancy::Of { column: "capture_id", table: "captures" },
        is_selectable: false,
        ..entities("captured_steps", &["capture_id", "step_id"], &[part_of("captures", "o.id = t.capture_id")])
    },
    entities("spaces", &["id"], &[TENANT]),
    Entities {
        tenancy: Tenancy::Of { column: "space_id", table: "spaces" },
        ..entities("charts", &["id"], &[part_of("spaces", "o.id = t.space_id")])
    },
];

/// The kinds of measurements, which have a file of their own.
const OF_METRICS: [&str; 2] = ["metrics", "annotations"];

/// The kinds of entities that can be selected, in their order.
pub fn kinds() -> Vec<&'static str> {
    let selectable = ENTITIES.iter().filter(|entities| entities.is_selectable).map(|entities| entities.kind);
    selectable.chain(OF_METRICS).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rusqlite::Connection;

    use super::*;

    fn names(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn tables() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::manager::schema::migrations().run(&mut connection).unwrap();
        connection
    }

    #[test]
    fn every_table_is_named_and_every_foreign_key_is_a_need() {
        let connection = tables();
        let all = names(
            &connection,
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'refinery_%'",
        );
        for table in all {
            if DERIVED.iter().any(|(derived, ..)| *derived == table) || KEPT.contains(&table.as_str()) {
                continue;
            }
            let entities = ENTITIES.iter().find(|entities| entities.kind == table);
            let entities = entities.unwrap_or_else(|| {
                panic!("`ENTITIES` does not say what the rows of `{table}` are named by and what they need")
            });
            let sql = format!("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list('{table}')");
            for other in names(&connection, &sql) {
                assert!(
                    entities.needs.iter().any(|need| need.kind == other),
                    "a row of `{table}` has a foreign key to `{other}`, and `needs` does not say so"
                );
            }
            let columns: BTreeSet<String> =
                names(&connection, &format!("SELECT name FROM pragma_table_info('{table}')"))
                    .into_iter()
                    .collect();
            for key in entities.key {
                assert!(columns.contains(*key), "`{table}` has no column `{key}`");
            }
        }
    }

    #[test]
    fn what_others_need_stands_before_them_and_is_asked_for_in_words_that_sql_knows() {
        let connection = tables();
        for (index, entities) in ENTITIES.iter().enumerate() {
            for need in entities.needs {
                let place = ENTITIES.iter().position(|other| other.kind == need.kind);
                assert!(
                    place.is_some_and(|place| place <= index),
                    "`{}` stands before `{}`, which it needs",
                    entities.kind,
                    need.kind
                );
                let on = need.on.replace("{db}", "main");
                let (kind, other) = (entities.kind, need.kind);
                connection
                    .prepare(&format!("SELECT 1 FROM {kind} t, {other} o WHERE {on}"))
                    .unwrap_or_else(|error| panic!("{kind} → {other}: {error}"));
                if let Some(alike) = need.alike {
                    connection
                        .prepare(&format!("SELECT 1 FROM {other} o, {other} l WHERE {alike}"))
                        .unwrap_or_else(|error| panic!("{kind} → {other}: {error}"));
                }
            }
        }
    }

    #[test]
    fn every_kind_that_an_archive_carries_can_be_named() {
        let connection = tables();
        let tables = names(&connection, "SELECT name FROM sqlite_schema WHERE type = 'table'");
        for entities in ENTITIES {
            assert!(
                tables.iter().any(|table| table == entities.kind),
                "there is no table `{}`",
                entities.kind
            );
        }
        assert!(kinds().contains(&"blueprints") && kinds().contains(&"metrics"));
        assert!(!kinds().contains(&"captured_steps"));
    }
}
