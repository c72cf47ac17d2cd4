//! A data folder of an earlier version opens, with rows in every table that there was.
//!
//! The tables are those of `fixtures/schemas`, the rows those that the service itself has written, as far as there was
//! room for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{Api, Size, State, TestServer, copy_data, generate, read_state};

/// The collections that came with a version of manager.db.
const CAME: [(u32, &[&str]); 6] = [
    (2, &["/v2/flows", "/v2/flows/{flow}/snapshots", "/v2/flows/{flow}/history", "/v2/captures"]),
    (3, &["/v1/spaces", "/v1/spaces/{space}/charts"]),
    (4, &["/sites", "/filters/{resource}"]),
    (
        5,
        &[
            "/execution-schedules",
            "/deployments/inter-deployment-dependencies",
            "/deployment-groups",
            "/execution-groups",
            "/tasks_graphs",
            "/operations",
            "/deployment-updates",
        ],
    ),
    (8, &["/plugins-updates"]),
    (9, &["/deployment-modifications"]),
];
/// A seed whose state has something of every kind.
const SEED: u64 = 3;

/// The fixtures of a database, by version.
fn fixtures(name: &str) -> BTreeMap<u32, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/schemas");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if let Some(version) = stem.strip_prefix(&format!("{name}-v")) {
            found.insert(version.parse().unwrap(), path);
        }
    }
    assert!(found.len() > 5, "{found:?}");
    found
}

fn names(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Puts a database with the tables of an earlier version, and what fits of the rows, in the place of one.
fn put_back(database: &Path, schema: &Path) {
    let present = database.with_extension("present");
    let connection = Connection::open(database).unwrap();
    connection.pragma_update(None, "journal_mode", "DELETE").unwrap();
    connection.close().unwrap();
    fs::rename(database, &present).unwrap();
    let connection = Connection::open(database).unwrap();
    connection.pragma_update(None, "foreign_keys", "OFF").unwrap();
    connection.execute_batch(&fs::read_to_string(schema).unwrap()).unwrap();
    connection.execute("ATTACH ? AS present", [present.to_str().unwrap()]).unwrap();
    let tables = "SELECT name FROM {db}.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'refinery%'";
    let now = names(&connection, &tables.replace("{db}", "present"));
    connection.execute_batch("BEGIN").unwrap();
    for table in names(&connection, &tables.replace("{db}", "main")) {
        assert!(now.contains(&table), "there is no table `{table}` any more");
        let columns = names(
            &connection,
            &format!(
                "SELECT '\"' || name || '\"' FROM pragma_table_info('{table}', 'main')
                 WHERE name IN (SELECT name FROM pragma_table_info('{table}', 'present'))"
            ),
        )
        .join(", ");
        // Labels are rows of their own by triggers.
        let sql = format!(
            "INSERT OR IGNORE INTO main.\"{table}\" ({columns}) SELECT {columns} FROM present.\"{table}\""
        );
        connection.execute(&sql, []).unwrap_or_else(|error| panic!("`{table}`: {error}"));
    }
    connection.execute_batch("COMMIT; DETACH present").unwrap();
    let orphans: i64 =
        connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(orphans, 0, "rows of the earlier version are without what they belong to");
    connection.close().unwrap();
    fs::remove_file(present).unwrap();
}

/// Gives a field of an entity what it has where nothing was ever said.
fn blank(entity: &mut Value, field: &str, value: &Value) {
    for part in ["listed", "whole"] {
        if let Some(found) = entity[part].get_mut(field) {
            found.clone_from(value);
        }
    }
}

/// What a state was before collections of later versions were there.
fn of_version(state: &State, version: u32) -> State {
    let mut state = state.clone();
    for (came, paths) in CAME {
        if came > version {
            state = state.without(paths);
        }
    }
    if version < 5 {
        state = state
            .changed("/deployments", |deployment| blank(deployment, "deployment_groups", &json!([])))
            .changed("/executions", |execution| blank(execution, "execution_group_id", &Value::Null));
    }
    if version < 4 {
        state = state.changed("/blueprints", |blueprint| blueprint["whole/icon"] = Value::Null).changed(
            "/plugins",
            |plugin| {
                for field in ["blueprint_labels", "resource_tags"] {
                    blank(plugin, field, &Value::Null);
                }
            },
        );
    }
    state
}

/// Checks that a server on an earlier data folder has what is expected, and works.
fn assert_opens(data: &Path, version: u32, expected: &State, claim: &str) {
    let server = TestServer::builder().copy_of(data).start();
    let api = server.api();
    let found = read_state(&api);
    // Deployments named their sites before there were any: these are made.
    let compared = if version < 4 { found.without(&["/sites"]) } else { found.clone() };
    compared.assert_is(expected, claim);
    works(&api, &found, claim);
}

fn works(api: &Api, state: &State, claim: &str) {
    let options =
        json!({ "include_metrics": true, "include_credentials": true, "include_flow_history": true });
    let created = api.create_snapshot("afterwards", &options);
    assert_eq!(created["status"], "terminated", "{claim}: {created:#}");
    api.put("secrets/afterwards", &json!({ "value": "x" })).expect(200);
    let restore = json!({ "force": true, "recreate_deployments_envs": false });
    let restored = api.restore_snapshot("afterwards", &restore);
    assert_eq!(restored["status"], "terminated", "{claim}: {restored:#}");
    read_state(api).assert_is(state, &format!("{claim}, restored"));
}

#[test]
fn a_data_folder_of_every_earlier_version_opens_with_all_that_it_holds() {
    let mut server = TestServer::start();
    let api = server.api();
    generate(&api, SEED, Size::Full);
    api.create_snapshot("kept", &json!({}));
    let state = read_state(&api);
    let snapshots = api.get("snapshots").items().len();
    server.terminate();

    let folder = tempfile::tempdir().unwrap();
    let manager = fixtures("manager");
    let (last, _) = manager.last_key_value().unwrap();
    for (version, schema) in &manager {
        let data = folder.path().join(format!("manager-{version}"));
        copy_data(&server.data(), &data);
        put_back(&data.join("manager/current/manager.db"), schema);
        let expected = of_version(&state, *version);
        assert!(*version == *last || *version > 5 || expected != state, "version {version} lacks something");
        assert_opens(&data, *version, &expected, &format!("manager.db of version {version}"));
    }
    for (version, schema) in fixtures("records") {
        let data = folder.path().join(format!("records-{version}"));
        copy_data(&server.data(), &data);
        put_back(&data.join("records.db"), &schema);
        let claim = format!("records.db of version {version}");
        let server = TestServer::builder().copy_of(&data).start();
        assert_eq!(server.api().get("snapshots").items().len(), snapshots, "{claim}");
        let users = server.api().get("users").items();
        assert!(users.len() > 1, "{claim}: {users:?}");
        drop(server);
        assert_opens(&data, *last, &state, &claim);
    }
}
