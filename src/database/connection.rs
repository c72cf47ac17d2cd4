//! Connections as the service opens them, and the transactions of the one that writes.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::causes::is_disk_failure;

use super::{DatabaseError, functions};

/// How many prepared statements a connection keeps.
const STATEMENTS: usize = 256;
/// How long a file's log may stay once all of it was written back: a peak that a long read caused does not stay for good.
const IDLE_LOG_BYTES: i64 = 64 << 20;
/// How long everybody else waits for a lock.
pub(super) const BUSY: Duration = Duration::from_secs(30);

/// Writes the log back; answers whether nobody was in the way.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<bool> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

pub(super) fn begin_read(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open_reader(path)?;
    connection.execute_batch("BEGIN")?;
    // A deferred transaction sees the moment of its first read, so it reads now.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    Ok(connection)
}

pub(super) fn transact<T, E, F>(connection: &mut Connection, work: F) -> Result<T, E>
where
    F: FnOnce(&Transaction<'_>) -> Result<T, E>,
    E: From<DatabaseError>,
{
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| E::from(error.into()))?;
    let value = work(&transaction)?;
    if let Err(error) = transaction.commit() {
        let error = DatabaseError::from(error);
        if is_disk_failure(&error) {
            write_over_failed(connection);
        }
        return Err(error.into());
    }
    Ok(value)
}

/// Writes over what a commit left in the log that could not be made durable: it was answered as failed, and must not come
/// back by the next start, which takes what it finds whole in the log. Nothing has to be durable for that.
fn write_over_failed(connection: &Connection) {
    let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    if let Ok(version) = version {
        // Fails where the disk still does; its page stands in the log all the same.
        let _ = connection.pragma_update(None, "user_version", version);
    }
}

pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE)?;
    configure(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "journal_size_limit", IDLE_LOG_BYTES)?;
    // A commit that was answered has to survive the loss of power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    functions::add(connection)
}

#[cfg(unix)]
pub(super) fn restrict_mode(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    // Best effort: the folder itself is 0700.
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
}
