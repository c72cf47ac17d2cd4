//! How a snapshot's archive is replaced by another file, so that a stop at any moment leaves one of the two.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;
use uuid::Uuid;

use crate::model::{ExecutionId, Snapshot, Timestamp};

use super::{Records, RecordsError};

/// What is known of the archive that takes another's place.
#[derive(Clone, Debug)]
pub struct NewArchive {
    /// Its file in the store.
    pub file: Uuid,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// The fingerprints of the keys that open its sealed parts.
    pub sealed_for: Value,
    /// When every byte was read and found good.
    pub verified_at: Timestamp,
    /// The execution that made it.
    pub execution_id: ExecutionId,
}

impl Records {
    /// Announces a file that is about to appear in the store, and to become the snapshot's archive or to go; answers
    /// whether the snapshot still has the archive that is known.
    ///
    /// # Errors
    /// The database's own.
    pub fn announce_archive(
        connection: &Connection,
        snapshot: &Snapshot,
        file: Uuid,
    ) -> Result<bool, RecordsError> {
        let updated = connection.execute(
            "UPDATE snapshots SET spare_file = ?1 WHERE tenant_name = ?2 AND id = ?3 AND archive_file = ?4
             AND spare_file IS NULL",
            params![
                file.to_string(),
                snapshot.tenant_name.as_str(),
                snapshot.id.as_str(),
                snapshot.archive_file.to_string()
            ],
        )?;
        Ok(updated == 1)
    }

    /// Makes the announced file the snapshot's archive; the former one is to go. A drill of the former proves nothing
    /// of it.
    ///
    /// # Errors
    /// The database's own.
    pub fn replace_archive(
        connection: &Connection,
        snapshot: &Snapshot,
        new: &NewArchive,
    ) -> Result<bool, RecordsError> {
        let updated = connection.execute(
            "UPDATE snapshots SET archive_file = ?1, spare_file = ?2, size_bytes = ?3, sha256 = ?4, verified_at = ?5,
                 proven_at = NULL, contents = json_set(coalesce(contents, '{}'), '$.sealed_for', json(?6)), resealed_by = ?7
             WHERE tenant_name = ?8 AND id = ?9 AND archive_file = ?2 AND spare_file = ?1",
            params![
                new.file.to_string(),
                snapshot.archive_file.to_string(),
                i64::try_from(new.size_bytes).unwrap_or(i64::MAX),
                new.sha256,
                new.verified_at.to_string(),
                new.sealed_for.to_string(),
                new.execution_id.to_string(),
                snapshot.tenant_name.as_str(),
                snapshot.id.as_str(),
            ],
        )?;
        Ok(updated == 1)
    }

    /// Says that a file that was to go is gone.
    ///
    /// # Errors
    /// The database's own.
    pub fn forget_spare(connection: &Connection, file: Uuid) -> Result<(), RecordsError> {
        connection
            .execute("UPDATE snapshots SET spare_file = NULL WHERE spare_file = ?", [file.to_string()])?;
        Ok(())
    }

    /// The files that are no snapshot's archive, not yet or not any more.
    ///
    /// # Errors
    /// The database's own.
    pub fn spare_files(connection: &Connection) -> Result<Vec<Uuid>, RecordsError> {
        connection
            .prepare_cached("SELECT spare_file FROM snapshots WHERE spare_file IS NOT NULL")?
            .query_map([], |row| row.get::<_, String>(0))?
            .map(|file| super::snapshots::parse_file(&file?))
            .collect()
    }

    /// Whether this execution has replaced a snapshot's archive.
    ///
    /// # Errors
    /// The database's own.
    pub fn has_replaced_archive(
        connection: &Connection,
        execution: ExecutionId,
    ) -> Result<bool, RecordsError> {
        let found: Option<i64> = connection
            .query_row("SELECT 1 FROM snapshots WHERE resealed_by = ?", [execution.to_string()], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(found.is_some())
    }
}
