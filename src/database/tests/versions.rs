//! The tables of each version of a database as they were published: a migration that was released never changes.
//!
//! `fixtures/schemas/<database>-v<version>.sql` holds what the migrations up to that version make, with the record of
//! them that a start checks. A new version's file is written by a run of its test with `LIFEBOAT_WRITE_FIXTURES=1`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use refinery::{Runner, Target};
use rusqlite::Connection;

/// Checks that the migrations of a database make what the fixtures of all its versions say.
pub(crate) fn assert_published(name: &str, migrations: impl Fn() -> Runner) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/schemas");
    for version in migrations().get_migrations().iter().map(refinery::Migration::version) {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations().set_target(Target::Version(version)).run(&mut connection).unwrap();
        let made = tables(&connection);
        let path = folder.join(format!("{name}-v{version}.sql"));
        if !path.exists() && std::env::var_os("LIFEBOAT_WRITE_FIXTURES").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &made).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("`{}`: {error}; see `database/tests/versions.rs`", path.display())
        });
        assert!(
            made == published,
            "version {version} of `{name}` was published with other tables: add a migration in place of changing one\n{made}"
        );
    }
}

/// Everything that is declared, and the record of the migrations at a time that is always the same.
fn tables(connection: &Connection) -> String {
    let lines = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut text = String::new();
    for sql in lines(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid",
    ) {
        writeln!(text, "{sql};").unwrap();
    }
    for row in lines(
        "SELECT 'INSERT INTO refinery_schema_history VALUES (' || version || ', ''' || name || ''', ''2026-01-01T00:00:00Z'', ''' || checksum || ''');'
         FROM refinery_schema_history ORDER BY version",
    ) {
        writeln!(text, "{row}").unwrap();
    }
    text
}
