//! No column of a table is forgotten.

use super::*;
use std::collections::BTreeSet;

/// Columns that are not carried as fields, each with its reason.
const NOT_CARRIED: &[(&str, &str, &str)] = &[
    ("*", "number", "given anew in the order of the archive"),
    ("*", "tenant_name", "the folder says it"),
    ("blueprints_filters", "is_system_filter", "those of the system are in every manager"),
    ("deployments_filters", "is_system_filter", "those of the system are in every manager"),
    ("events", "execution_group_id", "the source of the envelopes of groups' events"),
    ("executions", "boot", "belongs to this installation"),
    ("executions", "snapshot_id", "only executions of the service have one"),
    ("agents", "sealed_rabbitmq_password", "carried in `credentials/agents.age`"),
    ("agents", "sealed_key_file", "carried in `credentials/agents.age`"),
];

#[test]
fn every_column_of_every_table_is_carried() {
    let mut connection = rusqlite::Connection::open_in_memory().unwrap();
    crate::manager::schema::migrations().run(&mut connection).unwrap();
    let names = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let tables = names(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'refinery_%'",
    );
    for table in tables {
        // Tenants are in `mgmt/`, secrets in `credentials/secrets.age`; what schedules have started outlives a restore.
        if ["tenants", "secrets", "fired_schedules"].contains(&table.as_str()) {
            continue;
        }
        // Triggers fill them from the column `labels` of what they belong to.
        if table == "blueprint_labels" || table == "deployment_labels" {
            continue;
        }
        // Those of flows and charts are carried in folders of their own; what graphs say is read from them again.
        let is_of_charts = super::super::charts::CHART_TABLES.iter().any(|spec| spec.kind == table);
        let is_of_flows = super::super::flows::FLOW_TABLES.iter().any(|spec| spec.kind == table);
        if is_of_flows || is_of_charts || table == "flow_steps" {
            continue;
        }
        let nested = TABLES.iter().filter_map(|spec| spec.nested).find(|nested| nested.table == table);
        let spec = TABLES.iter().find(|spec| spec.target() == table);
        assert!(spec.is_some() || nested.is_some(), "no snapshot carries the table `{table}`");
        let fields = spec.iter().flat_map(|spec| spec.dumped.iter().chain(spec.extra));
        let fields = fields.chain(nested.iter().flat_map(|nested| nested.columns));
        let mut carried: BTreeSet<String> =
            fields.filter_map(|field| field.column).map(str::to_owned).collect();
        carried.extend(spec.and_then(|spec| spec.source).map(str::to_owned));
        carried.extend(nested.map(|nested| nested.owner.to_owned()));
        for column in names(&format!("SELECT name FROM pragma_table_info('{table}')")) {
            let is_excused = NOT_CARRIED.iter().any(|(t, c, _)| (*t == "*" || *t == table) && *c == column);
            assert!(
                carried.contains(&column) || is_excused,
                "no snapshot carries the column `{column}` of `{table}`"
            );
        }
    }
}
