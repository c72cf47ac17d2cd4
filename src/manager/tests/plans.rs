//! How SQLite reads the lists of a manager: by an index that holds all it needs, without sorting.

use rusqlite::Connection;

use crate::database::{Collection, Filter, ListQuery, Scope, Sort, assert_indexed, text};
use crate::executions::events::EVENTS;
use crate::executions::table::EXECUTIONS;
use crate::manager::{agents, blueprints, deployments, nodes, plugins, schema, secrets, visible};
use crate::model::TenantRole;

use super::caller;

fn open() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrations().run(&mut connection).unwrap();
    connection
}

fn filtered(column: &str, value: &str) -> ListQuery {
    let filters = vec![Filter { column: column.to_owned(), values: vec![value.to_owned()] }];
    ListQuery { filters, size: 10, ..ListQuery::default() }
}

fn sorted(column: &str, descending: bool) -> ListQuery {
    ListQuery { sort: vec![Sort { column: column.to_owned(), descending }], size: 10, ..ListQuery::default() }
}

#[test]
fn lists_are_read_from_an_index_in_their_order() {
    let connection = open();
    let mut manager = caller("m", "t", TenantRole::Manager);
    manager.system_role = crate::model::SystemRole::SysAdmin;
    let viewer = caller("v", "t", TenantRole::Viewer);
    let collections: [(&Collection, &str); 8] = [
        (&blueprints::BLUEPRINTS, "created_at"),
        (&deployments::DEPLOYMENTS, "created_at"),
        (&plugins::PLUGINS, "uploaded_at"),
        (&secrets::SECRETS, "created_at"),
        (&agents::AGENTS, "created_at"),
        (&nodes::NODES, ""),
        (&nodes::NODE_INSTANCES, ""),
        (&EXECUTIONS, "created_at"),
    ];
    for (collection, time) in collections {
        for scope in [visible(&manager, false), visible(&viewer, false), visible(&manager, true)] {
            let search = ListQuery { search: Some("x".to_owned()), size: 10, ..ListQuery::default() };
            let mut queries = vec![ListQuery { size: 10, ..ListQuery::default() }];
            if !["Deployment", "Plugin"].contains(&collection.noun) {
                queries.push(search);
            }
            if !time.is_empty() {
                queries.extend([sorted(time, false), sorted(time, true)]);
            }
            // All rows by their number is the table itself, in its order.
            if time.is_empty() && scope.clone().into_sql().0 == "1" {
                continue;
            }
            for query in &queries {
                assert_indexed(&connection, collection, query, &scope);
            }
        }
    }
}

#[test]
fn parts_of_a_deployment_and_events_of_an_execution_are_read_from_an_index() {
    let connection = open();
    let scope = visible(&caller("v", "t", TenantRole::Viewer), false);
    let of_deployment = filtered("deployment_id", "d");
    for collection in [&nodes::NODES, &nodes::NODE_INSTANCES, &EXECUTIONS] {
        assert_indexed(&connection, collection, &of_deployment, &scope);
    }
    let in_tenant = Scope::everything().and("tenant_name = ?", [text("t")]);
    for query in [
        ListQuery { size: 10, ..ListQuery::default() },
        sorted("reported_timestamp", true),
        filtered("type", "cloudify_event"),
        filtered("execution_id", "e"),
    ] {
        assert_indexed(&connection, &EVENTS, &query, &in_tenant);
    }
    let of_execution = in_tenant.and("reported_timestamp >= ?", [text("2026")]);
    assert_indexed(&connection, &EVENTS, &filtered("execution_id", "e"), &of_execution);
    assert_indexed(
        &connection,
        &EVENTS,
        &ListQuery { size: 10, ..ListQuery::default() },
        &Scope::everything(),
    );
}
