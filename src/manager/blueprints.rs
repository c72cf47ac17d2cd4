//! Blueprints: taken in, listed, handed out again, removed.
//!
//! An upload is a row and an execution that reads the archive; [`super::run_upload_blueprint`] does its work.

use std::io::Read;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Map, Value, json};

use crate::database::{Collection, Column, ColumnKind, ListQuery, Page};
use crate::executions::table;
use crate::files::OpenFile;
use crate::model::{
    BlobId, Caller, EntityId, Execution, ExecutionId, Timestamp, UserName, Visibility, Workflow,
};

use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, check_free, find, locate};
use super::filters::{Choice, Filtered};
use super::labels::{labels, relabelled};
use super::plugins_updates::check_none_active;
use super::{Manager, ManagerError, StoredBlob};

/// The main file where none is named.
const DEFAULT_MAIN_FILE: &str = "blueprint.yaml";
/// How often a caller who waits for an upload looks.
const POLL: Duration = Duration::from_millis(50);

/// A blueprint as Cloudify 7 lists it, with what Lifeboat adds at the end.
pub const BLUEPRINTS: Collection = Collection {
    noun: "Blueprint",
    table: "blueprints",
    columns: &[
        Column::text("id"),
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("main_file_name"),
        Column::json("plan"),
        Column::text("updated_at"),
        Column::text("description"),
        Column::boolean("is_hidden"),
        // A row whose execution ended without a word (the service was killed) has failed.
        Column::expression(
            "state",
            "CASE WHEN state NOT IN ('pending', 'extracting', 'parsing') OR EXISTS (SELECT 1 FROM executions e
             WHERE e.id = upload_execution_id AND e.ended_at IS NULL) THEN state ELSE 'failed_uploading' END",
            ColumnKind::Text,
        ),
        Column::expression(
            "error",
            "CASE WHEN state = 'uploaded' THEN NULL ELSE coalesce(error, (SELECT nullif(e.error, '') FROM executions e
             WHERE e.id = upload_execution_id)) END",
            ColumnKind::Text,
        ),
        Column::expression("error_traceback", "NULL", ColumnKind::Text),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
        Column::json("labels"),
        Column::expression(
            "upload_execution",
            "(SELECT json_object('id', e.id, 'workflow_id', e.workflow_id, 'status', e.status, 'error', e.error,
             'created_at', e.created_at, 'ended_at', e.ended_at) FROM executions e WHERE e.id = upload_execution_id)",
            ColumnKind::Json,
        ),
        Column::json("requirements"),
        Column::json("unresolved_imports"),
        Column::expression("archive_size_bytes", "archive_size_bytes", ColumnKind::Integer),
    ],
    search: &["id"],
    default_sort: "created_at, number",
};

pub(super) const BLUEPRINT: Kind = Kind { collection: &BLUEPRINTS, key: "id" };

/// A blueprint that a caller brings; its archive is stored already.
#[derive(Debug)]
pub struct NewBlueprint {
    /// The id that the caller gives it.
    pub id: String,
    /// Who may see it.
    pub visibility: Visibility,
    /// The main file, relative to the folder of the application; `blueprint.yaml` where none is named.
    pub main_file_name: Option<String>,
    /// Labels, each `{key: value}`.
    pub labels: Vec<Value>,
    /// The archive.
    pub archive: StoredBlob,
}

/// What is to be changed of a blueprint; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct BlueprintChange {
    /// The labels, all of them.
    pub labels: Option<Vec<Value>>,
    /// Whose it is.
    pub owner: Option<UserName>,
}

/// A file that a caller may download.
#[derive(Debug)]
pub struct Download {
    /// The file, to be read from its beginning.
    pub file: OpenFile,
    /// How the caller's copy is to be called.
    pub name: String,
}

impl Manager {
    /// The blueprints that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn blueprints(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.search(caller, Filtered::Blueprints, Choice::default(), query).await
    }

    /// One blueprint.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn blueprint(
        &self,
        caller: &Caller,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.one(&BLUEPRINT, caller, id, include).await
    }

    /// Records a blueprint in state `pending` and the execution that reads its archive; the engine has to be woken
    /// afterwards. A blueprint whose upload failed is replaced.
    ///
    /// # Errors
    /// An id that can't be one, or that is taken.
    pub async fn create_blueprint(
        &self,
        caller: &Caller,
        new: NewBlueprint,
    ) -> Result<(Map<String, Value>, ExecutionId), ManagerError> {
        let id = EntityId::parse("blueprint_id", &new.id)?;
        let labels = labels(caller.user.as_str(), &new.labels, &Map::new())?;
        let extension = extension(self.blobs().read(new.archive.pin.blob())?)?;
        let caller = caller.clone();
        self.write(move |tx| {
            drop_failed(tx, &caller, id.as_str())?;
            check_free(tx, &BLUEPRINT, caller.tenant.as_str(), id.as_str(), new.visibility)?;
            let main_file = new.main_file_name.unwrap_or_else(|| DEFAULT_MAIN_FILE.to_owned());
            let parameters = json!({ "blueprint_id": id, "app_file_name": main_file });
            let mut execution =
                Execution::new(&caller, Workflow::UploadBlueprint, parameters.as_object().cloned().unwrap_or_default());
            execution.blueprint_id = Some(id.clone());
            tx.execute(
                "INSERT INTO blueprints (tenant_name, id, visibility, created_at, created_by, main_file_name, labels,
                 state, upload_execution_id, archive_blob, archive_name, archive_size_bytes)
                 VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?)",
                params![
                    caller.tenant.as_str(),
                    id.as_str(),
                    new.visibility.as_str(),
                    execution.created_at.to_string(),
                    caller.user.as_str(),
                    main_file,
                    labels.to_string(),
                    execution.id.to_string(),
                    new.archive.pin.blob().as_str(),
                    format!("{id}.{extension}"),
                    i64::try_from(new.archive.size_bytes).unwrap_or(i64::MAX),
                ],
            )?;
            table::insert(tx, &execution)?;
            Ok((find(tx, &BLUEPRINT, &caller, id.as_str(), None)?, execution.id))
        })
        .await
    }

    /// Waits until an upload has ended, and answers the blueprint; as it stands where it has not after `patience`.
    /// One that failed is removed, as its caller is told why right away.
    ///
    /// # Errors
    /// [`ManagerError::InvalidBlueprint`] or [`ManagerError::BadParameters`] with what is wrong with the blueprint.
    pub async fn wait_for_blueprint(
        &self,
        caller: &Caller,
        id: &str,
        execution: ExecutionId,
        patience: Duration,
    ) -> Result<Map<String, Value>, ManagerError> {
        let deadline = Instant::now() + patience;
        loop {
            let is_open = self
                .read(move |connection| {
                    let execution = table::find(connection, execution)?;
                    Ok(execution.is_some_and(|execution| !execution.status.is_end()))
                })
                .await?;
            if !is_open {
                break;
            }
            if Instant::now() >= deadline {
                return self.blueprint(caller, id, None).await;
            }
            tokio::time::sleep(POLL).await;
        }
        let blueprint = self.blueprint(caller, id, None).await?;
        if blueprint["state"] == "uploaded" {
            return Ok(blueprint);
        }
        let reason = blueprint["error"].as_str().unwrap_or("the upload failed").to_owned();
        let is_invalid = blueprint["state"] == "failed_parsing";
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| drop_failed(tx, &caller, &id)).await?;
        Err(if is_invalid {
            ManagerError::InvalidBlueprint(reason)
        } else {
            ManagerError::BadParameters(reason)
        })
    }

    /// Removes a blueprint, and answers what it was. `force` removes it although other blueprints import it.
    ///
    /// # Errors
    /// [`ManagerError::DependentExists`] while it has deployments, [`ManagerError::BlueprintInUse`] while it is
    /// imported, [`ManagerError::IllegalAction`] while it is being read.
    pub async fn delete_blueprint(
        &self,
        caller: &Caller,
        id: &str,
        force: bool,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &BLUEPRINT, &caller, &id)?;
            check_unused(tx, &caller, &id, force)?;
            check_none_active(tx, caller.tenant.as_str(), &id)?;
            let blueprint = find(tx, &BLUEPRINT, &caller, &id, None)?;
            if matches!(blueprint["state"].as_str(), Some("pending" | "extracting" | "parsing")) {
                return Err(ManagerError::IllegalAction(format!(
                    "Blueprint `{id}` is being uploaded; wait until that has ended"
                )));
            }
            tx.execute("DELETE FROM blueprints WHERE number = ?", [number])?;
            Ok(blueprint)
        })
        .await
    }

    /// The archive of a blueprint, as it was uploaded.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; the file system's own.
    pub async fn blueprint_archive(&self, caller: &Caller, id: &str) -> Result<Download, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        let (blob, name) = self
            .read(move |connection| {
                let blueprint =
                    find(connection, &BLUEPRINT, &caller, &id, Some(vec!["tenant_name".to_owned()]))?;
                Ok(connection.query_row(
                    "SELECT archive_blob, archive_name FROM blueprints WHERE tenant_name = ? AND id = ?",
                    (blueprint["tenant_name"].as_str(), &id),
                    |row| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, String>(1)?)),
                )?)
            })
            .await?;
        self.open_blob(blob.as_deref(), name)
    }

    /// Opens the blob that a row names, for a download.
    pub(super) fn open_blob(&self, blob: Option<&str>, name: String) -> Result<Download, ManagerError> {
        let blob = blob
            .and_then(BlobId::parse)
            .ok_or_else(|| ManagerError::NotFound { noun: "Archive", id: name.clone() })?;
        Ok(Download { file: OpenFile::new(self.blobs().read(&blob)?)?, name })
    }

    /// Lets more callers see a blueprint.
    ///
    /// # Errors
    /// [`ManagerError::IllegalAction`] where it is seen by more already, or exists in other tenants.
    pub async fn set_blueprint_visibility(
        &self,
        caller: &Caller,
        id: &str,
        visibility: Visibility,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.widen(&BLUEPRINT, caller, id, visibility).await
    }

    /// Changes a blueprint, and answers it.
    ///
    /// # Errors
    /// Labels that are none; [`ManagerError::NotFound`].
    pub async fn change_blueprint(
        &self,
        caller: &Caller,
        id: &str,
        change: BlueprintChange,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &BLUEPRINT, &caller, &id)?;
            let labels = match &change.labels {
                Some(given) => Some(relabelled(tx, "blueprints", number, &caller, given)?.to_string()),
                None => None,
            };
            tx.execute(
                "UPDATE blueprints SET labels = coalesce(?2, labels), created_by = coalesce(?3, created_by), updated_at = ?4
                 WHERE number = ?1",
                (number, labels, change.owner.as_ref().map(UserName::as_str), Timestamp::now().to_string()),
            )?;
            find(tx, &BLUEPRINT, &caller, &id, None)
        })
        .await
    }
}

/// Removes the blueprint of this id where its upload failed.
fn drop_failed(tx: &Transaction<'_>, caller: &Caller, id: &str) -> Result<(), ManagerError> {
    tx.execute(
        "DELETE FROM blueprints WHERE tenant_name = ?1 AND id = ?2 AND state <> 'uploaded' AND NOT EXISTS
         (SELECT 1 FROM executions e WHERE e.id = upload_execution_id AND e.ended_at IS NULL)",
        (caller.tenant.as_str(), id),
    )?;
    Ok(())
}

fn check_unused(connection: &Connection, caller: &Caller, id: &str, force: bool) -> Result<(), ManagerError> {
    let tenant = caller.tenant.as_str();
    let names = |sql: &str| -> Result<Vec<String>, ManagerError> {
        let names = connection
            .prepare_cached(sql)?
            .query_map((tenant, id), |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(names)
    };
    // Deployments of other tenants use it only while it is global, and then its id is unique.
    let deployments = names(
        "SELECT id FROM deployments WHERE blueprint_id = ?2 AND (tenant_name = ?1 OR EXISTS (SELECT 1 FROM blueprints b
         WHERE b.tenant_name = ?1 AND b.id = ?2 AND b.visibility = 'global')) ORDER BY created_at, number LIMIT 20",
    )?;
    if !deployments.is_empty() {
        return Err(ManagerError::DependentExists(format!(
            "Can't delete blueprint `{id}` - There exist deployments for this blueprint; Deployments ids: {}",
            deployments.join(", ")
        )));
    }
    if force {
        return Ok(());
    }
    let importing = names(
        "SELECT b.id FROM blueprints b WHERE b.tenant_name = ?1 AND b.id <> ?2 AND (
           EXISTS (SELECT 1 FROM json_each(b.unresolved_imports) i
                   WHERE i.value = 'blueprint:' || ?2 OR i.value LIKE '%--blueprint:' || ?2)
           OR EXISTS (SELECT 1 FROM json_each(b.plan, '$.imported_blueprints') p WHERE p.value = ?2))
         ORDER BY b.number LIMIT 20",
    )?;
    if importing.is_empty() {
        return Ok(());
    }
    Err(ManagerError::BlueprintInUse(format!(
        "Blueprint `{id}` is currently in use in blueprints: {}. You can \"force\" blueprint removal.",
        importing.join(", ")
    )))
}

/// How an archive's copy is to be called, by its first bytes.
fn extension(mut archive: std::fs::File) -> Result<&'static str, ManagerError> {
    let mut head = [0; 4];
    let mut length = 0;
    while length < head.len() {
        match archive.read(&mut head[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(match head {
        [0x1f, 0x8b, ..] => "tar.gz",
        [b'P', b'K', ..] => "zip",
        _ => "tar",
    })
}

/// The plan of a blueprint that the caller sees and that was read well.
pub(super) fn plan_of(connection: &Connection, tenant: &str, id: &str) -> Result<Value, ManagerError> {
    let found: Option<(String, Option<String>)> = connection
        .prepare_cached(
            "SELECT state, plan FROM blueprints WHERE id = ?2 AND (tenant_name = ?1 OR visibility = 'global')
             ORDER BY tenant_name = ?1 DESC LIMIT 1",
        )?
        .query_row((tenant, id), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        None => Err(BLUEPRINT.not_found(id)),
        Some((state, Some(plan))) if state == "uploaded" => serde_json::from_str(&plan).map_err(|_| {
            ManagerError::InvalidBlueprint(format!("the kept plan of blueprint `{id}` is damaged"))
        }),
        Some((state, _)) => Err(ManagerError::InvalidBlueprint(format!(
            "Blueprint `{id}` is in state `{state}`; deployments can be created once it is `uploaded`"
        ))),
    }
}

/// The blueprint's row that an upload execution is about: its blob and its main file.
pub(super) fn uploading(
    connection: &Connection,
    execution: &Execution,
) -> Result<Option<(BlobId, String)>, ManagerError> {
    let row: Option<(String, String)> = connection
        .query_row(
            "SELECT archive_blob, main_file_name FROM blueprints WHERE upload_execution_id = ?",
            [execution.id.to_string()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(row.and_then(|(blob, main_file)| Some((BlobId::parse(&blob)?, main_file))))
}
