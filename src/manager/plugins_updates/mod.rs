//! Updates of plugins: a blueprint read anew with later plugins, and its deployments brought to them.
//!
//! Which versions serve is in `choice`, the work of the execution in `run`. While that runs, deployments that have come
//! that far follow a hidden copy of the blueprint.

mod choice;
mod run;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::causes::chain;
use crate::database::{Collection, Column, ListQuery, Page};
use crate::executions::events;
use crate::executions::table::{self, StatusChange};
use crate::model::{
    BlobId, Caller, Execution, ExecutionStatus, Permission, TenantName, Timestamp, UserName, Workflow,
};

use super::blueprint::{ArchiveLimits, Blueprint, parse_with, read_blueprint_archive};
use super::blueprints::BLUEPRINT;
use super::catalog::Plugins;
use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, find, locate};
use super::{Manager, ManagerError};

pub use choice::PluginsChoice;
pub(super) use run::ended;
pub use run::{run_update_plugin, settle as settle_plugins_updates};

/// The table of updates of plugins.
pub const SCHEMA_V8: &str = "
CREATE TABLE plugins_updates (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    id TEXT NOT NULL,
    blueprint_id TEXT NOT NULL,
    temp_blueprint_id TEXT,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    execution_id TEXT,
    state TEXT NOT NULL,
    forced INTEGER NOT NULL DEFAULT 0,
    all_tenants INTEGER NOT NULL DEFAULT 0,
    deployments_to_update TEXT,
    deployments_per_tenant TEXT,
    UNIQUE (tenant_name, id),
    FOREIGN KEY (tenant_name, blueprint_id) REFERENCES blueprints(tenant_name, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX plugins_updates_by_blueprint ON plugins_updates(tenant_name, blueprint_id);
";

/// An update of plugins as Cloudify 7 lists it.
pub const PLUGINS_UPDATES: Collection = Collection {
    noun: "PluginsUpdate",
    table: "plugins_updates",
    columns: &[
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("id"),
        Column::text("state"),
        Column::json("deployments_to_update"),
        Column::json("deployments_per_tenant"),
        Column::boolean("forced"),
        Column::boolean("all_tenants"),
        Column::text("blueprint_id"),
        Column::text("temp_blueprint_id"),
        Column::text("execution_id"),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
    ],
    search: &["id"],
    default_sort: "created_at, number",
};

const UPDATE: Kind = Kind { collection: &PLUGINS_UPDATES, key: "id" };

/// SQL: the states of an update that has not ended.
const ACTIVE: &str = "('updating', 'executing_workflow', 'finalizing')";
/// All states.
const STATES: [&str; 6] =
    ["updating", "executing_workflow", "finalizing", "successful", "failed", "no_changes_required"];

/// An update of plugins that a caller asks for.
#[derive(Clone, Debug, Default)]
pub struct PluginsUpdateRequest {
    /// Which plugins, and to which versions.
    pub choice: PluginsChoice,
    /// Whether deployments are updated although another update of theirs has not ended.
    pub force: bool,
    /// Cloudify's parameter of the execution; inputs are never cast here.
    pub auto_correct_types: bool,
    /// Whether updates whose execution has ended are looked at again before they stand in the way.
    pub reevaluate_active_statuses: bool,
    /// Whether deployments in other tenants are updated, too.
    pub all_tenants: bool,
}

/// The record of an update that another manager did.
#[derive(Clone, Debug, Default)]
pub struct NewPluginsUpdate {
    /// Its id; a new one where none is given.
    pub id: Option<String>,
    /// How it stands.
    pub state: String,
    /// The execution that did it.
    pub execution_id: Option<String>,
    /// The hidden blueprint, where there still is one.
    pub temp_blueprint_id: Option<String>,
    /// The deployments in its tenant.
    pub deployments: Option<Vec<Value>>,
    /// The deployments by tenant.
    pub deployments_per_tenant: Option<Map<String, Value>>,
    /// Whether it was forced.
    pub forced: bool,
    /// Whether it was about all tenants.
    pub all_tenants: bool,
    /// Who asked for it, where not the caller.
    pub created_by: Option<UserName>,
    /// When, where not now.
    pub created_at: Option<Timestamp>,
}

/// The blueprint whose plugins are to be updated, as it is.
struct Subject {
    number: i64,
    plan: Value,
    unresolved_imports: Vec<String>,
    main_file: String,
    blob: BlobId,
}

impl Manager {
    /// The updates of plugins that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn plugins_updates(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.page(&UPDATE, caller, query).await
    }

    /// One update of plugins.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn plugins_update(
        &self,
        caller: &Caller,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.one(&UPDATE, caller, id, include).await
    }

    /// Reads a blueprint anew with later plugins, and records an update and the execution that brings its deployments to
    /// them; the engine has to be woken afterwards. Where no plugin changes, both have ended at once.
    ///
    /// # Errors
    /// [`ManagerError::Forbidden`] where the caller lacks `permission` in a tenant whose deployments would be updated;
    /// [`ManagerError::NotFound`] for the blueprint; [`ManagerError::InvalidBlueprint`] where it can't be read with those
    /// plugins; [`ManagerError::Conflict`] while another such update of the blueprint has not ended.
    pub async fn update_plugins(
        &self,
        caller: &Caller,
        blueprint: &str,
        request: PluginsUpdateRequest,
        permission: Permission,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (subject, plugins) = {
            let (manager, caller, id) = (self.clone(), caller.clone(), blueprint.to_owned());
            self.read(move |connection| {
                let subject = subject(connection, &caller, &id)?;
                let plugins =
                    Plugins::read(connection, &manager, caller.tenant.as_str(), caller.user.as_str())?;
                Ok((subject, plugins))
            })
            .await?
        };
        let plugins = plugins
            .constrained(request.choice.constraints(&subject.plan), request.choice.mappings(&subject.plan)?);
        let manager = self.clone();
        let (subject, read) = tokio::task::spawn_blocking(move || {
            let read = read_anew(&manager, &subject, &plugins);
            read.map(|read| (subject, read))
        })
        .await
        .map_err(std::io::Error::other)??;
        let (caller, blueprint) = (caller.clone(), blueprint.to_owned());
        self.write(move |tx| {
            if request.reevaluate_active_statuses {
                run::settle(tx)?;
            }
            check_none_active(tx, caller.tenant.as_str(), &blueprint)?;
            if locate(tx, &BLUEPRINT, &caller, &blueprint)? != subject.number {
                return Err(ManagerError::Conflict(format!(
                    "the blueprint `{blueprint}` was replaced meanwhile: try again"
                )));
            }
            let id = record(tx, (&caller, permission), (&blueprint, &subject), &read, &request)?;
            find(tx, &UPDATE, &caller, &id, None)
        })
        .await
    }

    /// Keeps the record of an update that another manager did; nothing is updated by it.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the blueprint, its copy or the execution; [`ManagerError::BadParameters`] for a state
    /// that is none; [`ManagerError::Exists`].
    pub async fn insert_plugins_update(
        &self,
        caller: &Caller,
        blueprint: &str,
        new: NewPluginsUpdate,
    ) -> Result<Map<String, Value>, ManagerError> {
        if !STATES.contains(&new.state.as_str()) {
            return Err(ManagerError::BadParameters(format!(
                "`{}` is no state of a plugins update: expected is one of {}",
                new.state,
                STATES.join(", ")
            )));
        }
        let (caller, blueprint) = (caller.clone(), blueprint.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &BLUEPRINT, &caller, &blueprint)?;
            if let Some(temp) = &new.temp_blueprint_id {
                locate(tx, &BLUEPRINT, &caller, temp)?;
            }
            let tenant = caller.tenant.as_str();
            if let Some(execution) = &new.execution_id {
                let sql = "SELECT 1 FROM executions WHERE tenant_name = ? AND id = ?";
                let found: Option<i64> =
                    tx.query_row(sql, (tenant, execution), |row| row.get(0)).optional()?;
                if found.is_none() {
                    return Err(ManagerError::NotFound { noun: "Execution", id: execution.clone() });
                }
            }
            let id = new.id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
            if !matches!(locate(tx, &UPDATE, &caller, &id), Err(ManagerError::NotFound { .. })) {
                let tenant = caller.tenant.to_string();
                return Err(ManagerError::Exists { noun: PLUGINS_UPDATES.noun, id, tenant });
            }
            insert(tx, &caller, number, &id, new)?;
            find(tx, &UPDATE, &caller, &id, None)
        })
        .await
    }

    /// Answers why an update can't be finalized by a caller: its execution does so itself.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`], else [`ManagerError::IllegalAction`], always.
    pub async fn finalize_plugins_update(&self, caller: &Caller, id: &str) -> Result<(), ManagerError> {
        let update = self.plugins_update(caller, id, None).await?;
        Err(ManagerError::IllegalAction(if update["state"] == "executing_workflow" {
            format!("Cannot finalize plugins update {id}: its execution {} does that", update["execution_id"])
        } else {
            format!("Cannot finalize plugins update {id}, it's not in the executing_workflow state.")
        }))
    }
}

/// Refuses what would take a blueprint away from under an update of its plugins.
///
/// # Errors
/// [`ManagerError::Conflict`].
pub(super) fn check_none_active(
    connection: &Connection,
    tenant: &str,
    blueprint: &str,
) -> Result<(), ManagerError> {
    let active: Vec<String> = connection
        .prepare_cached(&format!(
            "SELECT id FROM plugins_updates WHERE tenant_name = ? AND blueprint_id = ? AND state IN {ACTIVE} ORDER BY number"
        ))?
        .query_map((tenant, blueprint), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if active.is_empty() {
        return Ok(());
    }
    Err(ManagerError::Conflict(format!(
        "There are plugins updates still active, update IDs: {}",
        active.join(", ")
    )))
}

fn subject(connection: &Connection, caller: &Caller, id: &str) -> Result<Subject, ManagerError> {
    let number = locate(connection, &BLUEPRINT, caller, id)?;
    let plan = super::blueprints::plan_of(connection, caller.tenant.as_str(), id)?;
    let (imports, main_file, blob): (String, String, Option<String>) = connection.query_row(
        "SELECT unresolved_imports, main_file_name, archive_blob FROM blueprints WHERE number = ?",
        [number],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let blob = blob.as_deref().and_then(BlobId::parse).ok_or_else(|| {
        ManagerError::InvalidBlueprint(format!(
            "Blueprint `{id}` has no archive, so it can't be read anew: upload it again"
        ))
    })?;
    let unresolved_imports = serde_json::from_str(&imports).unwrap_or_default();
    Ok(Subject { number, plan, unresolved_imports, main_file, blob })
}

/// Reads the blueprint as an upload does, with the plugins that serve.
fn read_anew(manager: &Manager, subject: &Subject, plugins: &Plugins) -> Result<Blueprint, ManagerError> {
    let _pin = manager.blobs().pin(subject.blob.clone());
    let refused = |error: &(dyn std::error::Error + 'static)| ManagerError::InvalidBlueprint(chain(error));
    let archive = manager.blobs().read(&subject.blob)?;
    let files =
        read_blueprint_archive(archive, &ArchiveLimits::default()).map_err(|error| refused(&error))?;
    let read = parse_with(&files, &subject.main_file, plugins).map_err(|error| refused(&error))?;
    let lost = read.unresolved_imports.iter().find(|import| !subject.unresolved_imports.contains(import));
    match lost {
        None => Ok(read),
        Some(import) => Err(ManagerError::InvalidBlueprint(format!(
            "Couldn't find a plugin for the import `{import}` with a version that serves: upload it, or ask for another version"
        ))),
    }
}

fn record(
    tx: &Transaction<'_>,
    (caller, permission): (&Caller, Permission),
    (blueprint, subject): (&str, &Subject),
    read: &Blueprint,
    request: &PluginsUpdateRequest,
) -> Result<String, ManagerError> {
    let id = Uuid::new_v4().to_string();
    let changes = choice::changes(&read.plan, &subject.plan);
    let mut deployments: Option<Vec<String>> = None;
    let mut per_tenant: Option<Map<String, Value>> = None;
    let mut temporary: Option<String> = None;
    if changes {
        let covered = run::following(tx, caller.tenant.as_str(), blueprint, request.all_tenants)?;
        if request.all_tenants {
            check_may_update(caller, permission, &covered)?;
            let mut by_tenant = Map::new();
            for (tenant, deployment) in &covered {
                let list = by_tenant.entry(tenant.clone()).or_insert_with(|| json!([]));
                list.as_array_mut().expect("each entry is made as a list").push(json!(deployment));
            }
            per_tenant = Some(by_tenant);
        } else {
            deployments = Some(covered.into_iter().map(|(_, deployment)| deployment).collect());
        }
        temporary = Some(copy(tx, caller, blueprint, subject, read)?);
    }
    let parameters = json!({
        "update_id": id, "deployments_to_update": deployments, "deployments_per_tenant": per_tenant,
        "temp_blueprint_id": temporary, "force": request.force, "auto_correct_types": request.auto_correct_types,
        "reevaluate_active_statuses": request.reevaluate_active_statuses,
    });
    let execution =
        Execution::new(caller, Workflow::UpdatePlugin, parameters.as_object().cloned().unwrap_or_default());
    let new = NewPluginsUpdate {
        id: None,
        state: if changes { "executing_workflow" } else { "no_changes_required" }.to_owned(),
        execution_id: Some(execution.id.to_string()),
        temp_blueprint_id: temporary,
        deployments: deployments.map(|ids| ids.into_iter().map(Value::from).collect()),
        deployments_per_tenant: per_tenant,
        forced: request.force,
        all_tenants: request.all_tenants,
        created_by: None,
        created_at: Some(execution.created_at),
    };
    insert(tx, caller, subject.number, &id, new)?;
    table::insert(tx, &execution)?;
    if !changes {
        // There is nothing to run: the execution is there because clients follow it.
        for status in [ExecutionStatus::Started, ExecutionStatus::Terminated] {
            table::set_status(tx, execution.id, status, &StatusChange::default())?;
        }
        events::insert_event(tx, &execution, &events::workflow_event(&execution, "workflow_succeeded", ""))?;
    }
    Ok(id)
}

/// Writes the record of an update of the blueprint in this row.
fn insert(
    tx: &Transaction<'_>,
    caller: &Caller,
    blueprint: i64,
    id: &str,
    new: NewPluginsUpdate,
) -> Result<(), ManagerError> {
    tx.execute(
        "INSERT INTO plugins_updates (tenant_name, id, blueprint_id, temp_blueprint_id, visibility, created_at,
         created_by, execution_id, state, forced, all_tenants, deployments_to_update, deployments_per_tenant)
         SELECT tenant_name, ?2, id, ?3, visibility, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 FROM blueprints
         WHERE number = ?1",
        params![
            blueprint,
            id,
            new.temp_blueprint_id,
            new.created_at.unwrap_or_else(Timestamp::now).to_string(),
            new.created_by.as_ref().unwrap_or(&caller.user).as_str(),
            new.execution_id,
            new.state,
            new.forced,
            new.all_tenants,
            new.deployments.map(|list| Value::Array(list).to_string()),
            new.deployments_per_tenant.map(|map| Value::Object(map).to_string()),
        ],
    )?;
    Ok(())
}

/// Refuses a caller who may not update deployments in one of the tenants.
fn check_may_update(
    caller: &Caller,
    permission: Permission,
    covered: &[(String, String)],
) -> Result<(), ManagerError> {
    for (tenant, _) in covered {
        if !caller.may_in(permission, &TenantName::trusted(tenant)) {
            return Err(ManagerError::Forbidden(format!(
                "User `{}` is not permitted to perform the action {} in the tenant `{tenant}`",
                caller.user, permission.name
            )));
        }
    }
    Ok(())
}

/// Makes the hidden copy of a blueprint that deployments follow until all have come that far.
fn copy(
    tx: &Transaction<'_>,
    caller: &Caller,
    blueprint: &str,
    subject: &Subject,
    read: &Blueprint,
) -> Result<String, ManagerError> {
    let now = Timestamp::now().to_string();
    let moment: String = now.chars().filter(|character| character.is_ascii_alphanumeric()).collect();
    let id = format!("plugins-update-{moment}-{blueprint}");
    let origin = format!("copied from {blueprint} at {now} on plugins update");
    let description = match &read.description {
        Some(own) => format!("{own}\n{origin}"),
        None => origin,
    };
    tx.execute(
        "INSERT INTO blueprints (tenant_name, id, visibility, created_at, updated_at, created_by, main_file_name,
         description, plan, labels, requirements, unresolved_imports, state, is_hidden, archive_blob, archive_name,
         archive_size_bytes, holds_key_material, icon)
         SELECT tenant_name, ?2, visibility, ?3, ?3, ?4, main_file_name, ?5, ?6, labels, ?7, ?8, 'uploaded', 1,
         archive_blob, archive_name, archive_size_bytes, holds_key_material, icon FROM blueprints WHERE number = ?1",
        params![
            subject.number,
            id,
            now,
            caller.user.as_str(),
            description,
            read.plan.to_string(),
            read.requirements.to_string(),
            Value::from(read.unresolved_imports.clone()).to_string(),
        ],
    )?;
    Ok(id)
}
