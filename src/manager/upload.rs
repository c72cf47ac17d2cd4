//! The execution `upload_blueprint`: an archive read, its blueprint parsed, the plan kept.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use crate::causes::chain;
use crate::database::DatabaseError;
use crate::executions::events::NewEvent;
use crate::executions::{Job, JobError, JobResult};
use crate::model::{BlobId, Execution, ExecutionId, Timestamp};

use super::blueprint::{
    ArchiveLimits, Blueprint, BlueprintError, contains_key_material, parse_with, read_blueprint_archive,
};
use super::catalog::Plugins;
use super::{Manager, ManagerError, blueprints, labels};

/// Why an upload did not end well, and the state in which it leaves the blueprint.
struct Failure {
    state: &'static str,
    error: JobError,
}

/// Reads the archive of the blueprint that the job is about, and keeps its plan; a blueprint that can't be read is left
/// with the reason. For blocking threads.
///
/// # Errors
/// [`JobError::Failed`] with what is wrong with the blueprint; [`JobError::Cancelled`].
pub fn run_upload_blueprint(manager: &Manager, job: &Job) -> JobResult {
    let execution = job.execution().clone();
    let row = manager
        .read_blocking(move |connection| blueprints::uploading(connection, &execution))
        .map_err(|error| JobError::internal("failed to find the blueprint", &error))?;
    let Some((blob, main_file)) = row else {
        return Err(JobError::Failed("the blueprint was removed before its archive was read".to_owned()));
    };
    match upload(manager, job, &blob, &main_file) {
        Ok(()) => Ok(None),
        Err(Failure { state, error }) => {
            let (id, reason) = (job.execution().id, error.to_string());
            let kept = manager.write_blocking(move |tx| {
                tx.execute(
                    "UPDATE blueprints SET state = ?2, error = ?3, updated_at = ?4 WHERE upload_execution_id = ?1",
                    params![id.to_string(), state, reason, Timestamp::now().to_string()],
                )?;
                Ok(())
            });
            if let Err(kept) = kept {
                tracing::warn!(error = %kept, "the failure of an upload could not be kept with its blueprint");
            }
            Err(error)
        }
    }
}

fn upload(manager: &Manager, job: &Job, blob: &BlobId, main_file: &str) -> Result<(), Failure> {
    let _pin = manager.blobs().pin(blob.clone());
    let stopped = |error| Failure { state: "failed_uploading", error };
    let id = job.execution().id;
    set_state(manager, id, "extracting").map_err(stopped)?;
    let open = || {
        manager
            .blobs()
            .read(blob)
            .map_err(|error| stopped(JobError::internal("failed to read the archive", &error)))
    };
    let unreadable = |error: BlueprintError| Failure { state: "failed_extracting", error: refusal(&error) };
    let limits = ArchiveLimits::default();
    let files = read_blueprint_archive(open()?, &limits).map_err(unreadable)?;
    job.check().map_err(stopped)?;
    let holds_key_material = contains_key_material(open()?, &limits).map_err(unreadable)?;
    job.check().map_err(stopped)?;
    set_state(manager, id, "parsing").map_err(stopped)?;
    let execution = job.execution().clone();
    let plugins = manager
        .read_blocking({
            let manager = manager.clone();
            move |connection| {
                let (tenant, user) = (execution.tenant_name.as_str(), execution.created_by.as_str());
                Plugins::read(connection, &manager, tenant, user)
            }
        })
        .map_err(|error| stopped(JobError::internal("failed to read the plugins", &error)))?;
    let blueprint = parse_with(&files, main_file, &plugins).map_err(|error| {
        // A main file that is not there is the caller's parameter, not the blueprint's fault.
        let state =
            if error.code() == "invalid_blueprint_error" { "failed_parsing" } else { "failed_extracting" };
        Failure { state, error: refusal(&error) }
    })?;
    // What a key or a value may be is no matter of the language.
    labels::labels("", &[], &blueprint.labels).map_err(|error| Failure {
        state: "failed_parsing",
        error: JobError::Failed(format!("blueprint_labels: {error}")),
    })?;
    if holds_key_material {
        job.warn("the archive holds private keys: snapshots carry it sealed");
    }
    for import in &blueprint.unresolved_imports {
        job.event(NewEvent {
            level: Some("warning"),
            message: format!(
                "import `{import}` lies outside of the archive and was not followed; types that only it defines are \
                 taken as they stand"
            ),
            ..NewEvent::default()
        });
    }
    job.check().map_err(stopped)?;
    keep(manager, job, &blueprint, holds_key_material).map_err(stopped)
}

/// Leaves the blueprint of an upload that ended without a verdict as failed; one that has its verdict keeps it.
///
/// # Errors
/// The database's own.
pub fn fail_upload(connection: &Connection, execution: &Execution, error: &str) -> Result<(), DatabaseError> {
    connection.execute(
        "UPDATE blueprints SET state = 'failed_uploading', error = ?3
         WHERE tenant_name = ?1 AND upload_execution_id = ?2 AND state NOT IN ('uploaded', 'invalid')
           AND state NOT LIKE 'failed%'",
        (execution.tenant_name.as_str(), execution.id.to_string(), error),
    )?;
    Ok(())
}

fn refusal(error: &BlueprintError) -> JobError {
    JobError::Failed(chain(error))
}

fn set_state(manager: &Manager, id: ExecutionId, state: &'static str) -> Result<(), JobError> {
    manager
        .write_blocking(move |tx| {
            tx.execute(
                "UPDATE blueprints SET state = ?2 WHERE upload_execution_id = ?1",
                (id.to_string(), state),
            )?;
            Ok(())
        })
        .map_err(|error| JobError::internal("failed to change the blueprint's state", &error))
}

fn keep(
    manager: &Manager,
    job: &Job,
    blueprint: &Blueprint,
    holds_key_material: bool,
) -> Result<(), JobError> {
    let failed = |error: ManagerError| JobError::internal("failed to keep the blueprint's plan", &error);
    let id = job.execution().id;
    let caller_name = job.execution().created_by.to_string();
    let of_blueprint = blueprint.labels.clone();
    let plan = blueprint.plan.to_string();
    let description = blueprint.description.clone();
    let requirements = blueprint.requirements.to_string();
    let unresolved_imports = Value::from(blueprint.unresolved_imports.clone()).to_string();
    manager
        .write_blocking(move |tx| {
            let Some(given) = labels_of(tx, id)? else { return Ok(()) };
            let labels = labels::changed_labels(&caller_name, &given, &of_blueprint, &given)?;
            tx.execute(
                "UPDATE blueprints SET state = 'uploaded', error = NULL, plan = ?2, description = ?3, labels = ?4,
                 requirements = ?5, unresolved_imports = ?6, holds_key_material = ?7, updated_at = ?8
                 WHERE upload_execution_id = ?1",
                params![
                    id.to_string(),
                    plan,
                    description,
                    labels.to_string(),
                    requirements,
                    unresolved_imports,
                    holds_key_material,
                    Timestamp::now().to_string(),
                ],
            )?;
            Ok(())
        })
        .map_err(failed)
}

fn labels_of(connection: &Connection, id: ExecutionId) -> Result<Option<Vec<Value>>, ManagerError> {
    let labels: Option<String> = connection
        .query_row("SELECT labels FROM blueprints WHERE upload_execution_id = ?", [id.to_string()], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(labels.map(|labels| serde_json::from_str(&labels).unwrap_or_default()))
}
