//! The rows of manager snapshots.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;
use uuid::Uuid;

use crate::database::{Collection, Column, ColumnKind};
use crate::model::{
    ExecutionId, Protection, Snapshot, SnapshotId, SnapshotOrigin, SnapshotStatus, TenantName, Timestamp,
    UserName,
};

use super::{Records, RecordsError};

/// A snapshot as Cloudify 7 lists it, with what Lifeboat adds at the end.
pub const SNAPSHOTS: Collection = Collection {
    noun: "Snapshot",
    table: "snapshots",
    columns: &[
        Column::text("created_at"),
        Column::text("id"),
        Column::text("visibility"),
        Column::text("status"),
        Column::text("error"),
        Column::text("tenant_name"),
        Column::text("created_by"),
        Column::expression("resource_availability", "visibility", ColumnKind::Text),
        Column::expression("private_resource", "visibility = 'private'", ColumnKind::Boolean),
        Column::integer("size_bytes"),
        Column::text("sha256"),
        Column::json("contents"),
        Column::text("execution_id"),
        Column::text("verified_at"),
        Column::text("proven_at"),
        Column::boolean("protected"),
        Column::text("origin"),
    ],
    search: &["id"],
    default_sort: "created_at, number",
};

/// What is known of an archive once it is in the store.
#[derive(Clone, Debug)]
pub struct ArchiveFacts {
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// What it holds: counts by kind and what is sealed, as the archive's manifest says.
    pub contents: Value,
    /// When every byte was last read and found good.
    pub verified_at: Option<Timestamp>,
}

const SNAPSHOT: &str =
    "tenant_name, id, created_at, created_by, status, error, execution_id, archive_file, size_bytes, sha256,
     protected, protected_by, protected_at";

impl Records {
    /// Writes the record of a snapshot that is being made; answers false where the tenant has one of this id.
    ///
    /// # Errors
    /// The database's own.
    pub fn insert_snapshot(
        connection: &Connection,
        snapshot: &Snapshot,
        origin: SnapshotOrigin,
    ) -> Result<bool, RecordsError> {
        let inserted = connection.execute(
            "INSERT INTO snapshots (tenant_name, id, created_at, created_by, status, error, execution_id, archive_file, origin)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_name, id) DO NOTHING",
            params![
                snapshot.tenant_name.as_str(),
                snapshot.id.as_str(),
                snapshot.created_at.to_string(),
                snapshot.created_by.as_str(),
                snapshot.status.as_str(),
                snapshot.error,
                snapshot.execution_id.map(|id| id.to_string()),
                snapshot.archive_file.to_string(),
                origin.as_str(),
            ],
        )?;
        Ok(inserted == 1)
    }

    /// The snapshot of this id in the tenant, or none.
    ///
    /// # Errors
    /// The database's own.
    pub fn snapshot(
        connection: &Connection,
        tenant: &TenantName,
        id: &SnapshotId,
    ) -> Result<Option<Snapshot>, RecordsError> {
        connection
            .prepare_cached(&format!("SELECT {SNAPSHOT} FROM snapshots WHERE tenant_name = ? AND id = ?"))?
            .query_row([tenant.as_str(), id.as_str()], |row| Ok(snapshot_from_row(row)))
            .optional()?
            .transpose()
    }

    /// The snapshots whose making was not finished.
    ///
    /// # Errors
    /// The database's own.
    pub fn unfinished_snapshots(connection: &Connection) -> Result<Vec<Snapshot>, RecordsError> {
        connection
            .prepare_cached(&format!(
                "SELECT {SNAPSHOT} FROM snapshots WHERE status IN ('creating', 'uploading') ORDER BY number"
            ))?
            .query_map([], |row| Ok(snapshot_from_row(row)))?
            .map(|snapshot| snapshot.map_err(RecordsError::from).and_then(|snapshot| snapshot))
            .collect()
    }

    /// The names of all archive files that a record names.
    ///
    /// # Errors
    /// The database's own.
    pub fn archive_files(connection: &Connection) -> Result<Vec<(Uuid, SnapshotStatus)>, RecordsError> {
        connection
            .prepare_cached("SELECT archive_file, status FROM snapshots")?
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
            .map(|row| {
                let (file, status) = row?;
                Ok((parse_file(&file)?, parse_status(status)?))
            })
            .collect()
    }

    /// The snapshots that have an archive, oldest first, with its file.
    ///
    /// # Errors
    /// The database's own.
    pub fn archives(connection: &Connection) -> Result<Vec<(TenantName, SnapshotId, Uuid)>, RecordsError> {
        connection
            .prepare_cached(
                "SELECT tenant_name, id, archive_file FROM snapshots WHERE status IN ('created', 'uploaded') ORDER BY number",
            )?
            .query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            })?
            .map(|row| {
                let (tenant, id, file) = row?;
                Ok((TenantName::trusted(tenant), SnapshotId::trusted(id), parse_file(&file)?))
            })
            .collect()
    }

    /// Moves a snapshot to `status` if it stands where that is legal; answers whether it did.
    ///
    /// # Errors
    /// The database's own.
    pub fn set_snapshot_status(
        connection: &Connection,
        tenant: &TenantName,
        id: &SnapshotId,
        status: SnapshotStatus,
        error: &str,
        archive: Option<&ArchiveFacts>,
    ) -> Result<bool, RecordsError> {
        let earlier: Vec<String> =
            status.legal_earlier().iter().map(|earlier| format!("'{}'", earlier.as_str())).collect();
        if earlier.is_empty() {
            return Ok(false);
        }
        let updated = connection.execute(
            &format!(
                "UPDATE snapshots SET status = ?3, error = ?4, size_bytes = ?5, sha256 = ?6, contents = ?7, verified_at = ?8
                 WHERE tenant_name = ?1 AND id = ?2 AND status IN ({})",
                earlier.join(", ")
            ),
            params![
                tenant.as_str(),
                id.as_str(),
                status.as_str(),
                error,
                archive.map(|archive| i64::try_from(archive.size_bytes).unwrap_or(i64::MAX)),
                archive.map(|archive| archive.sha256.as_str()),
                archive.map(|archive| archive.contents.to_string()),
                archive.and_then(|archive| archive.verified_at).map(|moment| moment.to_string()),
            ],
        )?;
        Ok(updated == 1)
    }

    /// Writes what a verify found: when every byte was good, or what is wrong. Only for the archive that was read: an id
    /// may be another snapshot's by now.
    ///
    /// # Errors
    /// The database's own.
    pub fn set_snapshot_verified(
        connection: &Connection,
        tenant: &TenantName,
        id: &SnapshotId,
        archive_file: Uuid,
        verified_at: Option<Timestamp>,
        error: &str,
    ) -> Result<(), RecordsError> {
        connection.execute(
            "UPDATE snapshots SET verified_at = ?4, error = ?5
             WHERE tenant_name = ?1 AND id = ?2 AND archive_file = ?3 AND status IN ('created', 'uploaded')",
            params![
                tenant.as_str(),
                id.as_str(),
                archive_file.to_string(),
                verified_at.map(|moment| moment.to_string()),
                error
            ],
        )?;
        Ok(())
    }

    /// Protects a snapshot from being deleted, or no longer.
    ///
    /// # Errors
    /// The database's own.
    pub fn set_snapshot_protection(
        connection: &Connection,
        tenant: &TenantName,
        id: &SnapshotId,
        protection: Option<&Protection>,
    ) -> Result<(), RecordsError> {
        connection.execute(
            "UPDATE snapshots SET protected = ?3, protected_by = ?4, protected_at = ?5 WHERE tenant_name = ?1 AND id = ?2",
            params![
                tenant.as_str(),
                id.as_str(),
                protection.is_some(),
                protection.map(|protection| protection.by.as_str()),
                protection.map(|protection| protection.at.to_string()),
            ],
        )?;
        Ok(())
    }

    /// Whether a restore or rollback is active.
    ///
    /// # Errors
    /// The database's own.
    pub fn is_restoring(connection: &Connection) -> Result<bool, RecordsError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM executions WHERE ended_at IS NULL
             AND workflow_id IN ('restore_snapshot', 'rollback') AND status NOT IN ('queued', 'scheduled'))";
        Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }

    /// Removes a snapshot's record; answers false where there is none.
    ///
    /// # Errors
    /// The database's own.
    pub fn delete_snapshot(
        connection: &Connection,
        tenant: &TenantName,
        id: &SnapshotId,
    ) -> Result<bool, RecordsError> {
        let deleted = connection.execute(
            "DELETE FROM snapshots WHERE tenant_name = ? AND id = ?",
            (tenant.as_str(), id.as_str()),
        )?;
        Ok(deleted == 1)
    }

    /// Whether an execution that has not ended makes or restores this snapshot, and which.
    ///
    /// # Errors
    /// The database's own.
    pub fn snapshot_user(
        connection: &Connection,
        tenant: &TenantName,
        id: &SnapshotId,
    ) -> Result<Option<(ExecutionId, String)>, RecordsError> {
        connection
            .prepare_cached(
                "SELECT id, workflow_id FROM executions INDEXED BY executions_open WHERE ended_at IS NULL AND tenant_name = ? AND snapshot_id = ? LIMIT 1",
            )?
            .query_row([tenant.as_str(), id.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
            .optional()?
            .map(|(execution, workflow)| {
                let execution = execution
                    .parse()
                    .map_err(|_| RecordsError::Unknown { what: "an execution's id", value: execution })?;
                Ok((execution, workflow))
            })
            .transpose()
    }
}

pub(super) fn parse_file(text: &str) -> Result<Uuid, RecordsError> {
    Uuid::parse_str(text)
        .map_err(|_| RecordsError::Unknown { what: "an archive's name", value: text.to_owned() })
}

fn parse_status(text: String) -> Result<SnapshotStatus, RecordsError> {
    SnapshotStatus::parse(&text).ok_or(RecordsError::Unknown { what: "a snapshot's status", value: text })
}

fn protection_from_row(row: &Row<'_>) -> Result<Option<Protection>, RecordsError> {
    if !row.get::<_, bool>(10)? {
        return Ok(None);
    }
    let at: Option<String> = row.get(12)?;
    let at = at.unwrap_or_default();
    Ok(Some(Protection {
        by: UserName::trusted(row.get::<_, Option<String>>(11)?.unwrap_or_default()),
        at: Timestamp::parse(&at).ok_or(RecordsError::Unknown { what: "a time", value: at })?,
    }))
}

fn snapshot_from_row(row: &Row<'_>) -> Result<Snapshot, RecordsError> {
    let created_at: String = row.get(2)?;
    let execution: Option<String> = row.get(6)?;
    Ok(Snapshot {
        tenant_name: TenantName::trusted(row.get::<_, String>(0)?),
        id: SnapshotId::trusted(row.get::<_, String>(1)?),
        created_at: Timestamp::parse(&created_at)
            .ok_or(RecordsError::Unknown { what: "a time", value: created_at })?,
        created_by: UserName::trusted(row.get::<_, String>(3)?),
        status: parse_status(row.get(4)?)?,
        error: row.get(5)?,
        execution_id: execution.and_then(|id| id.parse().ok()),
        archive_file: parse_file(&row.get::<_, String>(7)?)?,
        size_bytes: row.get::<_, Option<i64>>(8)?.and_then(|size| u64::try_from(size).ok()),
        sha256: row.get(9)?,
        protection: protection_from_row(row)?,
    })
}
