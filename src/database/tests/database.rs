//! One file: what is written, read, cut and closed.

use super::*;

mod migrations {
    pub fn runner() -> refinery::Runner {
        let migration = refinery::Migration::unapplied("V1__t", "CREATE TABLE t(x INTEGER NOT NULL);")
            .expect("the name is well formed");
        refinery::Runner::new(&[migration])
    }
}

fn open() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("t.db"), &migrations::runner()).unwrap();
    (folder, database)
}

fn count(connection: &Connection) -> Result<i64, DatabaseError> {
    Ok(connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)
}

fn insert(database: &Database) {
    database
        .write_blocking(|tx| Ok::<_, DatabaseError>(tx.execute("INSERT INTO t VALUES (1)", [])?))
        .unwrap();
}

#[test]
fn an_error_or_a_panic_takes_the_transaction_back() {
    let (_folder, database) = open();
    let failed: Result<(), DatabaseError> = database.write_blocking(|tx| {
        tx.execute("INSERT INTO t VALUES (1)", [])?;
        Err(DatabaseError::Closed)
    });
    assert!(failed.is_err());
    let panicked: Result<(), DatabaseError> = database.write_blocking(|tx| {
        tx.execute("INSERT INTO t VALUES (1)", [])?;
        panic!("on purpose")
    });
    assert!(matches!(panicked, Err(DatabaseError::Closed)));
    insert(&database);
    assert_eq!(database.read_blocking(count).unwrap(), 1);
}

#[test]
fn a_cut_does_not_see_what_is_written_after_it() {
    let (_folder, database) = open();
    insert(&database);
    let (cut, pinned) = database.cut_blocking(count).unwrap();
    insert(&database);
    assert_eq!((pinned, count(&cut).unwrap()), (1, 1));
    assert_eq!(database.read_blocking(count).unwrap(), 2);
}

#[test]
fn a_log_is_emptied_once_nobody_reads_an_earlier_moment() {
    let (_folder, database) = open();
    let log_bytes = || database.log_path().metadata().unwrap().len();
    insert(&database);
    let (cut, _) = database.cut_blocking(count).unwrap();
    insert(&database);
    assert!(!database.empty_log_blocking().unwrap());
    assert!(log_bytes() > 0);
    assert_eq!(count(&cut).unwrap(), 1);
    drop(cut);
    assert!(database.empty_log_blocking().unwrap());
    assert_eq!(log_bytes(), 0);
    insert(&database);
    assert_eq!(database.read_blocking(count).unwrap(), 3);
}

#[test]
fn once_it_is_closed_all_is_in_the_file_and_clones_are_told() {
    let (_folder, database) = open();
    let (path, log_path, clone) = (database.path().to_owned(), database.log_path(), database.clone());
    let written =
        database.submit_write(|tx| Ok::<_, DatabaseError>(tx.execute("INSERT INTO t VALUES (1)", [])?));
    assert!(log_path.exists());
    database.close_blocking();
    assert_eq!(written.blocking_recv().unwrap().unwrap(), 1);
    assert!(!log_path.exists());
    assert!(matches!(clone.read_blocking(count), Err(DatabaseError::Closed)));
    assert_eq!(count(&Connection::open(path).unwrap()).unwrap(), 1);
}

#[test]
fn a_reader_cannot_write() {
    let (_folder, database) = open();
    let written: Result<usize, DatabaseError> =
        database.read_blocking(|connection| Ok(connection.execute("INSERT INTO t VALUES (1)", [])?));
    assert!(written.is_err());
}

#[test]
fn what_nobody_waits_for_is_written_or_its_failure_is_told() {
    let (_folder, database) = open();
    let (told, failures) = std::sync::mpsc::channel();
    for sql in ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (NULL)"] {
        let told = told.clone();
        database.submit_unattended(
            move |tx| {
                tx.execute(sql, [])?;
                Ok(())
            },
            move |error| told.send((sql, error.to_string())).unwrap(),
        );
    }
    // What is written next is written after them.
    insert(&database);
    drop(told);
    let failures: Vec<_> = failures.iter().collect();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0].0, "INSERT INTO t VALUES (NULL)");
    assert_eq!(database.read_blocking(count).unwrap(), 2);
}
