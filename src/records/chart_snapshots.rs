//! Chart snapshots: what was asked for, and the pictures that came of it. They outlive charts and restores.

use std::str::FromStr;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{BlobId, ExecutionId, TenantName, UserName};

use super::{Records, RecordsError};

/// A chart snapshot's record.
#[derive(Clone, Debug)]
pub struct ChartSnapshotRecord {
    /// Its number; 0 before it is written.
    pub id: i64,
    /// The tenant in which it was asked for.
    pub tenant_name: TenantName,
    /// The execution that draws it.
    pub execution_id: ExecutionId,
    /// The number of that execution, which is that of the job; 0 before it is written.
    pub job: i64,
    /// The chart that was asked for; it may be gone.
    pub chart_id: i64,
    /// What is drawn, as JSON: the chart as it was, and what the caller asked.
    pub request: String,
    /// The end of the window, in seconds since 1970.
    pub end_time: i64,
    /// Its length, in seconds.
    pub duration: i64,
    /// When it was asked for, in seconds since 1970.
    pub created_at: i64,
    /// When it changed last.
    pub updated_at: i64,
    /// Who asked for it.
    pub created_by: UserName,
    /// The random part of the picture's name.
    pub image_key: String,
    /// The picture as PNG; none before it is drawn.
    pub png: Option<BlobId>,
    /// The picture as SVG.
    pub svg: Option<BlobId>,
}

const COLUMNS: &str = "s.id, s.tenant_name, s.execution_id, coalesce(e.number, 0), s.chart_id, s.request, s.end_time, \
     s.duration, s.created_at, s.updated_at, s.created_by, s.image_key, s.png_blob, s.svg_blob";
const TABLE: &str = "chart_snapshots s LEFT JOIN executions e ON e.id = s.execution_id";

impl ChartSnapshotRecord {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let blob = |index| -> rusqlite::Result<Option<BlobId>> {
            Ok(row.get::<_, Option<String>>(index)?.as_deref().and_then(BlobId::parse))
        };
        let execution: String = row.get(2)?;
        let execution_id = ExecutionId::from_str(&execution).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(error))
        })?;
        Ok(Self {
            id: row.get(0)?,
            tenant_name: TenantName::trusted(row.get::<_, String>(1)?),
            execution_id,
            job: row.get(3)?,
            chart_id: row.get(4)?,
            request: row.get(5)?,
            end_time: row.get(6)?,
            duration: row.get(7)?,
            created_at: row.get(8)?,
            updated_at: row.get(9)?,
            created_by: UserName::trusted(row.get::<_, String>(10)?),
            image_key: row.get(11)?,
            png: blob(12)?,
            svg: blob(13)?,
        })
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Records {
    /// Writes a chart snapshot, and answers its number. Numbers are never used twice.
    ///
    /// # Errors
    /// The database's own.
    pub fn insert_chart_snapshot(
        connection: &Connection,
        snapshot: &ChartSnapshotRecord,
    ) -> Result<i64, RecordsError> {
        connection.execute(
            "INSERT INTO chart_snapshots (tenant_name, execution_id, chart_id, request, end_time, duration, created_at,
             updated_at, created_by, image_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9)",
            params![
                snapshot.tenant_name.as_str(),
                snapshot.execution_id.to_string(),
                snapshot.chart_id,
                snapshot.request,
                snapshot.end_time,
                snapshot.duration,
                snapshot.created_at,
                snapshot.created_by.as_str(),
                snapshot.image_key,
            ],
        )?;
        Ok(connection.last_insert_rowid())
    }

    /// The chart snapshot of this number in a tenant, or none.
    ///
    /// # Errors
    /// The database's own.
    pub fn chart_snapshot(
        connection: &Connection,
        tenant: &TenantName,
        id: i64,
    ) -> Result<Option<ChartSnapshotRecord>, RecordsError> {
        Ok(connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM {TABLE} WHERE s.id = ? AND s.tenant_name = ?"))?
            .query_row(params![id, tenant.as_str()], ChartSnapshotRecord::from_row)
            .optional()?)
    }

    /// The chart snapshot that an execution draws, or none.
    ///
    /// # Errors
    /// The database's own.
    pub fn chart_snapshot_of(
        connection: &Connection,
        execution: ExecutionId,
    ) -> Result<Option<ChartSnapshotRecord>, RecordsError> {
        Ok(connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM {TABLE} WHERE s.execution_id = ?"))?
            .query_row([execution.to_string()], ChartSnapshotRecord::from_row)
            .optional()?)
    }

    /// The chart snapshot whose picture has this name, whoever may see it.
    ///
    /// # Errors
    /// The database's own.
    pub fn chart_snapshot_by_image(
        connection: &Connection,
        id: i64,
        image_key: &str,
    ) -> Result<Option<ChartSnapshotRecord>, RecordsError> {
        Ok(connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM {TABLE} WHERE s.id = ? AND s.image_key = ?"))?
            .query_row(params![id, image_key], ChartSnapshotRecord::from_row)
            .optional()?)
    }

    /// A part of the chart snapshots of a tenant, the oldest or the newest first, and how many there are.
    ///
    /// # Errors
    /// The database's own.
    pub fn chart_snapshots(
        connection: &Connection,
        tenant: &TenantName,
        offset: u64,
        length: u64,
        is_newest_first: bool,
    ) -> Result<(Vec<ChartSnapshotRecord>, u64), RecordsError> {
        let sql = "SELECT count(*) FROM chart_snapshots WHERE tenant_name = ?";
        let total: i64 = connection.prepare_cached(sql)?.query_row([tenant.as_str()], |row| row.get(0))?;
        let order = if is_newest_first { "DESC" } else { "ASC" };
        let items = connection
            .prepare_cached(&format!(
                // What is passed over are ids of an index, not rows with their executions.
                "SELECT {COLUMNS} FROM {TABLE} WHERE s.id IN
                 (SELECT id FROM chart_snapshots WHERE tenant_name = ? ORDER BY id {order} LIMIT ? OFFSET ?)
                 ORDER BY s.id {order}"
            ))?
            .query_map(
                params![tenant.as_str(), number(length), number(offset)],
                ChartSnapshotRecord::from_row,
            )?
            .collect::<rusqlite::Result<_>>()?;
        Ok((items, u64::try_from(total).unwrap_or(0)))
    }

    /// Names the pictures of a chart snapshot; answers false where it is gone.
    ///
    /// # Errors
    /// The database's own.
    pub fn set_chart_pictures(
        connection: &Connection,
        id: i64,
        png: &BlobId,
        svg: &BlobId,
        at: i64,
    ) -> Result<bool, RecordsError> {
        let changed = connection.execute(
            "UPDATE chart_snapshots SET png_blob = ?2, svg_blob = ?3, updated_at = ?4 WHERE id = ?1",
            params![id, png.as_str(), svg.as_str(), at],
        )?;
        Ok(changed == 1)
    }

    /// Removes a chart snapshot; answers false where there is none. Its pictures go with the next collection of garbage.
    ///
    /// # Errors
    /// The database's own.
    pub fn delete_chart_snapshot(connection: &Connection, id: i64) -> Result<bool, RecordsError> {
        Ok(connection.execute("DELETE FROM chart_snapshots WHERE id = ?", [id])? == 1)
    }

    /// How many chart snapshots the users of a tenant have asked for, and how many of all tenants wait to be drawn. What
    /// jobs drew of themselves is not counted in the first.
    ///
    /// # Errors
    /// The database's own.
    pub fn count_chart_snapshots(
        connection: &Connection,
        tenant: &TenantName,
    ) -> Result<(u64, u64), RecordsError> {
        let asked: i64 = connection.query_row(
            "SELECT count(*) FROM chart_snapshots s LEFT JOIN executions e ON e.id = s.execution_id
             WHERE s.tenant_name = ? AND e.parent_id IS NULL",
            [tenant.as_str()],
            |row| row.get(0),
        )?;
        let waiting: i64 = connection.query_row(
            "SELECT count(*) FROM executions INDEXED BY executions_open WHERE ended_at IS NULL AND workflow_id = 'render_chart'",
            [],
            |row| row.get(0),
        )?;
        Ok((u64::try_from(asked).unwrap_or(0), u64::try_from(waiting).unwrap_or(0)))
    }

    /// Deletes the oldest of the chart snapshots that jobs of a tenant drew of themselves, until `kept` are left.
    ///
    /// # Errors
    /// The database's own.
    pub fn prune_job_charts(
        connection: &Connection,
        tenant: &TenantName,
        kept: u32,
    ) -> Result<usize, RecordsError> {
        Ok(connection.execute(
            "DELETE FROM chart_snapshots WHERE id IN
             (SELECT s.id FROM chart_snapshots s JOIN executions e ON e.id = s.execution_id
              WHERE s.tenant_name = ? AND e.parent_id IS NOT NULL ORDER BY s.id DESC LIMIT -1 OFFSET ?)",
            params![tenant.as_str(), kept],
        )?)
    }

    /// The files that chart snapshots name.
    ///
    /// # Errors
    /// The database's own.
    pub fn chart_pictures(connection: &Connection) -> Result<Vec<BlobId>, RecordsError> {
        let mut statement = connection.prepare(
            "SELECT png_blob FROM chart_snapshots WHERE png_blob IS NOT NULL
             UNION SELECT svg_blob FROM chart_snapshots WHERE svg_blob IS NOT NULL",
        )?;
        let names =
            statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(names.iter().filter_map(|name| BlobId::parse(name)).collect())
    }
}
