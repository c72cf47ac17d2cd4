//! Who did what that an administrator may have to account for: logins are not here, changes and downloads are.

use rusqlite::Connection;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::model::{SnapshotId, Timestamp, UserName};

use super::{Records, RecordsError};

/// The action of a delete of a snapshot.
const DELETE: &str = "snapshot_delete";

impl Records {
    /// Writes one line of the audit in the transaction of what it tells of. Never a secret in `details`.
    ///
    /// # Errors
    /// The database's own.
    pub fn audit(
        connection: &Connection,
        user: &UserName,
        action: &str,
        subject: &str,
        details: Option<&Value>,
    ) -> Result<(), RecordsError> {
        connection.execute(
            "INSERT INTO audit (at, username, action, subject, details) VALUES (?, ?, ?, ?, ?)",
            (Timestamp::now().to_string(), user.as_str(), action, subject, details.map(Value::to_string)),
        )?;
        Ok(())
    }

    /// Writes that a snapshot was deleted, whose archive is this file of the store: the file goes after the record.
    ///
    /// # Errors
    /// The database's own.
    pub fn audit_delete(
        connection: &Connection,
        user: &UserName,
        snapshot: &SnapshotId,
        file: Uuid,
    ) -> Result<(), RecordsError> {
        Self::audit(connection, user, DELETE, snapshot.as_str(), Some(&json!({ "archive_file": file })))
    }

    /// Whether the snapshot was deleted whose archive is this file: the service stopped before the file was gone.
    ///
    /// # Errors
    /// The database's own.
    pub fn was_deleted(connection: &Connection, file: Uuid) -> Result<bool, RecordsError> {
        Ok(connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM audit WHERE action = ? AND details ->> 'archive_file' = ?)",
            [DELETE, &file.to_string()],
            |row| row.get(0),
        )?)
    }
}
