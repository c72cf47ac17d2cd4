//! Annotations: what happened when, in named streams.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::{MetricsStore, StoreError};
use crate::model::TenantName;

/// Where to read more about an annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub rel: String,
    pub href: String,
    pub label: Option<String>,
}

/// Something that happened at a time or during one. As JSON it stands in archives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// Given by the store and never given again; what is passed to [`MetricsStore::add_annotation`] does not count.
    pub id: i64,
    /// The name of its stream; found whatever its case.
    pub stream: String,
    pub title: String,
    pub source: Option<String>,
    pub description: Option<String>,
    /// Seconds since 1970.
    pub start_time: i64,
    pub end_time: Option<i64>,
    pub links: Vec<Link>,
}

const COLUMNS: &str = "id, stream, title, source, description, start_time, end_time, links";

impl MetricsStore {
    /// Adds an annotation; its stream is there from then on. Answers its id. Adding it twice makes two.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn add_annotation(
        &self,
        tenant: TenantName,
        annotation: Annotation,
    ) -> Result<i64, StoreError> {
        self.change_async(move |tx, _| insert(tx, &tenant, None, &annotation)).await
    }

    /// [`MetricsStore::add_annotation`] for blocking threads. Never to be called on a thread of the runtime.
    pub fn add_annotation_blocking(
        &self,
        tenant: TenantName,
        annotation: Annotation,
    ) -> Result<i64, StoreError> {
        self.change(move |tx, _| insert(tx, &tenant, None, &annotation))
    }

    /// Lists the annotations of a stream, or of all, that touch the window from `start` to `end` (exclusive), by their
    /// start.
    /// With `source` only those of that source.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn annotations(
        &self,
        tenant: TenantName,
        stream: Option<String>,
        start: i64,
        end: i64,
        source: Option<String>,
    ) -> Result<Vec<Annotation>, StoreError> {
        self.database
            .read(move |connection| {
                list(connection, &tenant, stream.as_deref(), start, end, source.as_deref())
            })
            .await
    }

    /// [`MetricsStore::annotations`] for blocking threads. Never to be called on a thread of the runtime.
    pub fn annotations_blocking(
        &self,
        tenant: TenantName,
        stream: Option<String>,
        start: i64,
        end: i64,
        source: Option<String>,
    ) -> Result<Vec<Annotation>, StoreError> {
        self.database.read_blocking(move |connection| {
            list(connection, &tenant, stream.as_deref(), start, end, source.as_deref())
        })
    }

    /// The names of the streams that have annotations, in order; with `name_contains` those that have it in their
    /// name, whatever its case.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn annotation_streams(
        &self,
        tenant: TenantName,
        name_contains: Option<String>,
    ) -> Result<Vec<String>, StoreError> {
        self.database
            .read(move |connection| {
                let part = name_contains.unwrap_or_default().to_lowercase();
                let mut statement = connection.prepare_cached(
                    "SELECT stream FROM annotations WHERE tenant_name = ? GROUP BY stream ORDER BY stream",
                )?;
                let names = statement.query_map([tenant.as_str()], |row| row.get::<_, String>(0))?;
                let names = names.collect::<Result<Vec<_>, _>>()?;
                Ok(names.into_iter().filter(|name| name.to_lowercase().contains(&part)).collect())
            })
            .await
    }

    /// One annotation of a stream.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn annotation(
        &self,
        tenant: TenantName,
        stream: String,
        id: i64,
    ) -> Result<Option<Annotation>, StoreError> {
        self.database
            .read(move |connection| {
                let sql = format!(
                    "SELECT {COLUMNS} FROM annotations WHERE tenant_name = ? AND stream = ? AND id = ?"
                );
                let found = connection
                    .prepare_cached(&sql)?
                    .query_row(params![tenant.as_str(), stream, id], annotation_of)
                    .optional()?;
                Ok(found)
            })
            .await
    }

    /// Replaces all of an annotation but its id and stream, by which it is found. Answers whether it was there.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn update_annotation(
        &self,
        tenant: TenantName,
        annotation: Annotation,
    ) -> Result<bool, StoreError> {
        self.change_async(move |tx, _| {
            let changed = tx
                .prepare_cached(
                    "UPDATE annotations SET title = ?4, source = ?5, description = ?6, start_time = ?7,
                     end_time = ?8, links = ?9 WHERE tenant_name = ?1 AND stream = ?2 AND id = ?3",
                )?
                .execute(params![
                    tenant.as_str(),
                    annotation.stream,
                    annotation.id,
                    annotation.title,
                    annotation.source,
                    annotation.description,
                    annotation.start_time,
                    annotation.end_time,
                    serde_json::to_string(&annotation.links)?,
                ])?;
            Ok(changed > 0)
        })
        .await
    }

    /// Deletes an annotation. Answers whether it was there.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn delete_annotation(
        &self,
        tenant: TenantName,
        stream: String,
        id: i64,
    ) -> Result<bool, StoreError> {
        self.change_async(move |tx, _| {
            let deleted = tx
                .prepare_cached("DELETE FROM annotations WHERE tenant_name = ? AND stream = ? AND id = ?")?
                .execute(params![tenant.as_str(), stream, id])?;
            Ok(deleted > 0)
        })
        .await
    }

    /// Deletes a stream with all its annotations. Answers how many there were.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn delete_annotation_stream(
        &self,
        tenant: TenantName,
        stream: String,
    ) -> Result<u64, StoreError> {
        self.change_async(move |tx, _| {
            let deleted = tx
                .prepare_cached("DELETE FROM annotations WHERE tenant_name = ? AND stream = ?")?
                .execute([tenant.as_str(), &stream])?;
            Ok(deleted as u64)
        })
        .await
    }
}

impl MetricsStore {
    /// The last number that an annotation was given, whether it is still there or not; 0 where none was. Never to be
    /// called on a thread of the runtime.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn last_annotation_blocking(&self) -> Result<i64, StoreError> {
        self.database.read_blocking(|connection| {
            let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'annotations'";
            Ok(connection.query_row(sql, [], |row| row.get(0)).optional()?.unwrap_or(0))
        })
    }

    /// Lets no annotation from now on get a number up to `last`. Never to be called on a thread of the runtime.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn reserve_annotations_blocking(&self, last: i64) -> Result<(), StoreError> {
        self.change(move |tx, _| {
            let sql = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'annotations'";
            if tx.execute(sql, [last])? == 0 {
                tx.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('annotations', ?)", [last])?;
            }
            Ok(())
        })
    }
}

fn list(
    connection: &Connection,
    tenant: &TenantName,
    stream: Option<&str>,
    start: i64,
    end: i64,
    source: Option<&str>,
) -> Result<Vec<Annotation>, StoreError> {
    let of_stream = if stream.is_some() { "stream = ?2" } else { "?2 IS NULL" };
    let sql = format!(
        "SELECT {COLUMNS} FROM annotations WHERE tenant_name = ?1 AND {of_stream} AND start_time < ?3
         AND max(start_time, coalesce(end_time, start_time)) >= ?4 AND (?5 IS NULL OR source = ?5)
         ORDER BY start_time, id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![tenant.as_str(), stream, end, start, source], annotation_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn annotation_of(row: &Row<'_>) -> rusqlite::Result<Annotation> {
    let links: String = row.get(7)?;
    Ok(Annotation {
        id: row.get(0)?,
        stream: row.get(1)?,
        title: row.get(2)?,
        source: row.get(3)?,
        description: row.get(4)?,
        start_time: row.get(5)?,
        end_time: row.get(6)?,
        links: serde_json::from_str(&links).unwrap_or_default(),
    })
}

/// The annotation of a number, where the tenant has it.
pub(super) fn annotation_by_id(
    connection: &Connection,
    tenant: &TenantName,
    id: i64,
) -> Result<Option<Annotation>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM annotations WHERE tenant_name = ? AND id = ?");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params![tenant.as_str(), id], annotation_of).optional()?)
}

/// Writes an annotation under the id, or the next free one.
fn insert(
    tx: &Transaction<'_>,
    tenant: &TenantName,
    id: Option<i64>,
    annotation: &Annotation,
) -> Result<i64, StoreError> {
    tx.prepare_cached(
        "INSERT INTO annotations (id, tenant_name, stream, title, source, description, start_time, end_time, links)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        id,
        tenant.as_str(),
        annotation.stream,
        annotation.title,
        annotation.source,
        annotation.description,
        annotation.start_time,
        annotation.end_time,
        serde_json::to_string(&annotation.links)?,
    ])?;
    Ok(tx.last_insert_rowid())
}

/// All annotations of a tenant by id.
pub(super) fn all_annotations(
    connection: &Connection,
    tenant: &TenantName,
    from: i64,
) -> Result<Vec<Annotation>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM annotations WHERE tenant_name = ?
         AND max(start_time, coalesce(end_time, start_time)) >= ? ORDER BY id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_map(params![tenant.as_str(), from], annotation_of)?.collect::<Result<_, _>>()?)
}

/// Puts an exported annotation back under its id, in place of the tenant's own of that id; under a new one where
/// the id is another tenant's.
pub(super) fn put_back(
    tx: &Transaction<'_>,
    tenant: &TenantName,
    annotation: &Annotation,
) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM annotations WHERE id = ? AND tenant_name = ?")?
        .execute(params![annotation.id, tenant.as_str()])?;
    let is_taken = tx.prepare_cached("SELECT 1 FROM annotations WHERE id = ?")?.exists([annotation.id])?;
    let id = (!is_taken && annotation.id > 0).then_some(annotation.id);
    insert(tx, tenant, id, annotation).map(drop)
}
