//! What the service knows: users, tokens, snapshots, its own executions, the restore journal, the audit.
//!
//! Kept in records.db, which no restore touches. Knows no HTTP, no archive and nothing of the manager's tables.

mod audit;
mod chart_snapshots;
mod dead_letters;
mod grants;
mod journal;
mod maintenance;
mod pace;
mod reseals;
mod schema;
mod snapshots;
mod tokens;
mod user_groups;
mod users;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::database::{Database, DatabaseError, ListError};

pub use audit::{AuditFilter, AuditLine};
pub use chart_snapshots::ChartSnapshotRecord;
pub use dead_letters::{DeadLetter, DeadLetterPage};
pub use journal::{Direction, Identity, Journal, JournalPhase, SourceEntry};
pub use maintenance::MaintenanceRecord;
pub use pace::Pace;
pub use reseals::NewArchive;
#[cfg(test)]
pub(crate) use schema::migrations;
pub use snapshots::{ArchiveFacts, SNAPSHOTS};
pub use tokens::{NewToken, TokenRecord};
pub use user_groups::{GroupMembership, UserGroup};
pub use users::{Membership, User};

/// Why the records refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    #[error(transparent)]
    List(#[from] ListError),
    #[error("failed to use the records of the service")]
    Database(#[from] DatabaseError),
    #[error("the records of the service hold `{value}` as {what}, which this version does not know")]
    Unknown { what: &'static str, value: String },
}

impl From<rusqlite::Error> for RecordsError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The handle to records.db. Clones share it.
#[derive(Clone)]
pub struct Records {
    database: Database,
    boot: u64,
}

impl Records {
    /// Opens or makes records.db and counts this boot of the service.
    ///
    /// # Errors
    /// The database's own.
    pub fn open(path: &Path) -> Result<Self, RecordsError> {
        let reserve = path.with_file_name("reserve");
        let database = Database::open_with_reserve(path, &schema::migrations(), &reserve)?;
        let boot = database.write_blocking(count_boot)?;
        Ok(Self { database, boot })
    }

    /// How many times the service has been started on this folder, this time included. Temporary names and claims
    /// carry it, so that nothing of a dead process is taken for ours.
    pub fn boot(&self) -> u64 {
        self.boot
    }

    /// The database, for the engine of executions.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Reads a row, to know that reading works.
    ///
    /// # Errors
    /// The database's own.
    pub async fn check(&self) -> Result<(), RecordsError> {
        self.read(|connection| Ok(connection.query_row("SELECT 1 FROM service LIMIT 1", [], |_| Ok(()))?))
            .await
    }

    /// Reads as of one moment.
    ///
    /// # Errors
    /// Those of `work`, and the database's own.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        self.database.read(work).await
    }

    /// Changes the records in one transaction.
    ///
    /// # Errors
    /// Those of `work`, and the database's own.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        self.database.write(work).await
    }

    /// [`Records::write`] for what has to go on a full disk too. `work` may run twice.
    pub async fn write_on_reserve<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: std::error::Error + From<DatabaseError> + Send + 'static,
    {
        self.database.write_on_reserve(work).await
    }
}

fn count_boot(tx: &Transaction<'_>) -> Result<u64, RecordsError> {
    let boot: i64 = tx
        .query_row("SELECT CAST(value AS INTEGER) FROM service WHERE name = 'boot'", [], |row| row.get(0))
        .optional()?
        .unwrap_or(0)
        + 1;
    tx.execute(
        "INSERT INTO service (name, value) VALUES ('boot', ?1) ON CONFLICT (name) DO UPDATE SET value = ?1",
        [boot.to_string()],
    )?;
    Ok(u64::try_from(boot).unwrap_or(1))
}
