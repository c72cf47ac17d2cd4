//! Updates of deployments: a new blueprint or new inputs, compared with what is there and applied as a whole.
//!
//! What an update means is in `steps`, its work in `apply`.

mod apply;
mod steps;

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::database::{Collection, Column, DatabaseError, ListQuery, Page};
use crate::executions::table;
use crate::model::{Caller, EntityId, Execution, ExecutionStatus, Timestamp, Workflow};

use super::deployments::DEPLOYMENT;
use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, find, locate};
use super::execution_groups::Place;
use super::{Manager, ManagerError};

pub(super) use apply::run_update;

/// The workflow that does the work of an update.
pub(super) const UPDATE_WORKFLOW: &str = "csys_new_deployment_update";
/// The workflow by which a group of deployments is updated.
pub(super) const GROUP_UPDATE_WORKFLOW: &str = "csys_update_deployment";

/// The table of updates.
pub const SCHEMA_V5: &str = "
CREATE TABLE deployment_updates (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    id TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    execution_id TEXT,
    state TEXT NOT NULL,
    old_blueprint_id TEXT,
    new_blueprint_id TEXT,
    old_inputs TEXT,
    new_inputs TEXT,
    runtime_only_evaluation INTEGER NOT NULL DEFAULT 0,
    steps TEXT NOT NULL DEFAULT '[]',
    deployment_plan TEXT,
    deployment_update_nodes TEXT,
    deployment_update_node_instances TEXT,
    modified_entity_ids TEXT,
    labels_to_create TEXT,
    UNIQUE (tenant_name, id),
    FOREIGN KEY (tenant_name, deployment_id) REFERENCES deployments(tenant_name, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX deployment_updates_by_deployment ON deployment_updates(tenant_name, deployment_id);
";

/// An update of a deployment as Cloudify 7 lists it.
pub const DEPLOYMENT_UPDATES: Collection = Collection {
    noun: "DeploymentUpdate",
    table: "deployment_updates",
    columns: &[
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("id"),
        Column::json("deployment_plan"),
        Column::json("deployment_update_node_instances"),
        Column::expression("central_plugins_to_uninstall", "NULL", crate::database::ColumnKind::Json),
        Column::expression("central_plugins_to_install", "NULL", crate::database::ColumnKind::Json),
        Column::json("deployment_update_nodes"),
        Column::json("modified_entity_ids"),
        Column::json("old_inputs"),
        Column::json("new_inputs"),
        Column::text("state"),
        Column::boolean("runtime_only_evaluation"),
        Column::expression("keep_old_deployment_dependencies", "0", crate::database::ColumnKind::Boolean),
        Column::text("deployment_id"),
        Column::text("execution_id"),
        Column::text("old_blueprint_id"),
        Column::text("new_blueprint_id"),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
        Column::json("steps"),
        Column::expression("recursive_dependencies", "NULL", crate::database::ColumnKind::Json),
        Column::expression("schedules_to_create", "NULL", crate::database::ColumnKind::Json),
        Column::expression("schedules_to_delete", "NULL", crate::database::ColumnKind::Json),
        Column::json("labels_to_create"),
    ],
    search: &["id"],
    default_sort: "created_at, number",
};

const UPDATE: Kind = Kind { collection: &DEPLOYMENT_UPDATES, key: "id" };

/// An update that a caller asks for.
#[derive(Clone, Debug, Default)]
pub struct UpdateRequest {
    /// The blueprint that it gets; its own where `None`.
    pub blueprint_id: Option<String>,
    /// Inputs that change.
    pub inputs: Map<String, Value>,
    /// Whether functions are evaluated only as it runs.
    pub runtime_only_evaluation: Option<bool>,
    /// Whether new node instances stay uninitialized.
    pub skip_install: bool,
    /// Whether it starts although another update of the deployment has not ended.
    pub force: bool,
}

impl Manager {
    /// The updates that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn deployment_updates(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.page(&UPDATE, caller, query).await
    }

    /// One update.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn deployment_update(
        &self,
        caller: &Caller,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.one(&UPDATE, caller, id, include).await
    }

    /// Records an update of a deployment and the execution that applies it; the engine has to be woken afterwards. The
    /// inputs are judged at once.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the deployment or blueprint; inputs that do not fit; [`ManagerError::Conflict`]
    /// while another update of the deployment has not ended, unless forced.
    pub async fn update_deployment(
        &self,
        caller: &Caller,
        deployment: &str,
        request: UpdateRequest,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, deployment) = (caller.clone(), deployment.to_owned());
        self.write(move |tx| {
            locate(tx, &DEPLOYMENT, &caller, &deployment)?;
            let (id, _) = record_update(tx, &caller, &deployment, &request, None)?;
            find(tx, &UPDATE, &caller, &id, None)
        })
        .await
    }

    /// What an update would do, without doing it: its record as it would be.
    ///
    /// # Errors
    /// As [`Manager::update_deployment`].
    pub async fn preview_update(
        &self,
        caller: &Caller,
        deployment: &str,
        request: UpdateRequest,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, deployment) = (caller.clone(), deployment.to_owned());
        self.read(move |connection| {
            locate(connection, &DEPLOYMENT, &caller, &deployment)?;
            let tenant = caller.tenant.as_str();
            let former = apply::Former::read(connection, tenant, &deployment)?;
            let blueprint = request.blueprint_id.clone().unwrap_or_else(|| former.blueprint.clone());
            let inputs = former.inputs_with(&request.inputs);
            let plan = apply::plan(connection, tenant, &blueprint, &inputs, &former)?;
            let mut preview = Map::new();
            for column in DEPLOYMENT_UPDATES.columns {
                preview.insert(column.name.to_owned(), Value::Null);
            }
            let known = json!({
                "visibility": former.visibility, "resource_availability": former.visibility, "private_resource": false,
                "created_at": Timestamp::now(), "deployment_id": deployment, "tenant_name": tenant,
                "created_by": caller.user.as_str(), "state": "preview", "old_blueprint_id": former.blueprint,
                "new_blueprint_id": blueprint, "old_inputs": former.inputs, "new_inputs": inputs,
                "runtime_only_evaluation": request.runtime_only_evaluation.unwrap_or(former.runtime_only_evaluation),
                "keep_old_deployment_dependencies": false, "steps": steps::steps(&former, &plan),
                "labels_to_create": apply::labels_to_create(caller.user.as_str(), &former, &plan)?,
                "recursive_dependencies": super::dependencies::dependents_of(connection, tenant, &deployment)?,
                "schedules_to_create": [], "schedules_to_delete": [],
            });
            preview.extend(known.as_object().cloned().unwrap_or_default());
            Ok(preview)
        })
        .await
    }
}

/// Records an update and its execution, and answers the update's id and the execution.
///
/// # Errors
/// As [`Manager::update_deployment`].
pub(super) fn record_update(
    tx: &Transaction<'_>,
    caller: &Caller,
    deployment: &str,
    request: &UpdateRequest,
    place: Option<&Place<'_>>,
) -> Result<(String, Execution), ManagerError> {
    let tenant = caller.tenant.as_str();
    check_none_active(tx, tenant, deployment, request.force)?;
    let former = apply::Former::read(tx, tenant, deployment)?;
    let blueprint = request.blueprint_id.clone().unwrap_or_else(|| former.blueprint.clone());
    let inputs = former.inputs_with(&request.inputs);
    // Judged now, and applied when its turn comes.
    apply::plan(tx, tenant, &blueprint, &inputs, &former)?;
    let id = format!("{deployment}-{}", Uuid::new_v4());
    let parameters = json!({
        "update_id": id, "blueprint_id": blueprint, "inputs": request.inputs, "preview": false,
        "skip_install": request.skip_install,
    });
    let workflow = Workflow::Deployment(UPDATE_WORKFLOW.to_owned());
    let mut execution = Execution::new(caller, workflow, parameters.as_object().cloned().unwrap_or_default());
    execution.deployment_id = Some(EntityId::trusted(deployment));
    execution.blueprint_id = Some(EntityId::trusted(&*blueprint));
    if let Some(place) = place {
        place.take(&mut execution);
    }
    let recorded = Recorded {
        number: 0,
        tenant: tenant.to_owned(),
        deployment: deployment.to_owned(),
        blueprint,
        inputs,
        runtime_only_evaluation: request.runtime_only_evaluation.unwrap_or(former.runtime_only_evaluation),
        skip_install: request.skip_install,
        user: caller.user.to_string(),
    };
    insert(tx, &id, &recorded, &former, &execution)?;
    table::insert(tx, &execution)?;
    Ok((id, execution))
}

/// Lets a deployment follow another blueprint at once, on behalf of an execution that does so with many.
///
/// # Errors
/// As [`Manager::update_deployment`].
pub(super) fn update_now(
    tx: &Transaction<'_>,
    execution: &Execution,
    (tenant, deployment): (&str, &str),
    blueprint: &str,
    force: bool,
) -> Result<(), ManagerError> {
    check_none_active(tx, tenant, deployment, force)?;
    let former = apply::Former::read(tx, tenant, deployment)?;
    let mut recorded = Recorded {
        number: 0,
        tenant: tenant.to_owned(),
        deployment: deployment.to_owned(),
        blueprint: blueprint.to_owned(),
        inputs: former.inputs.clone(),
        runtime_only_evaluation: former.runtime_only_evaluation,
        skip_install: true,
        user: execution.created_by.to_string(),
    };
    let id = format!("{deployment}-{}", Uuid::new_v4());
    recorded.number = insert(tx, &id, &recorded, &former, execution)?;
    apply::apply(tx, &recorded)?;
    Ok(())
}

fn check_none_active(
    tx: &Transaction<'_>,
    tenant: &str,
    deployment: &str,
    force: bool,
) -> Result<(), ManagerError> {
    let active: Vec<String> = tx
        .prepare_cached(
            "SELECT id FROM deployment_updates WHERE tenant_name = ? AND deployment_id = ? AND state = 'updating'",
        )?
        .query_map((tenant, deployment), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if active.is_empty() || force {
        return Ok(());
    }
    Err(ManagerError::Conflict(format!(
        "there are deployment updates still active; update IDs: {}",
        active.join(", ")
    )))
}

/// An update that is recorded, as far as its work needs it.
struct Recorded {
    number: i64,
    tenant: String,
    deployment: String,
    /// The blueprint that the deployment is to follow.
    blueprint: String,
    /// All inputs, those that change among them.
    inputs: Map<String, Value>,
    runtime_only_evaluation: bool,
    skip_install: bool,
    /// Who asked for it.
    user: String,
}

/// Writes the record of an update, and answers its number.
fn insert(
    tx: &Transaction<'_>,
    id: &str,
    recorded: &Recorded,
    former: &apply::Former,
    execution: &Execution,
) -> Result<i64, ManagerError> {
    tx.execute(
        "INSERT INTO deployment_updates (tenant_name, id, deployment_id, visibility, created_at, created_by, execution_id,
         state, old_blueprint_id, new_blueprint_id, old_inputs, new_inputs, runtime_only_evaluation)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'updating', ?, ?, ?, ?, ?)",
        params![
            recorded.tenant,
            id,
            recorded.deployment,
            former.visibility,
            Timestamp::now().to_string(),
            recorded.user,
            execution.id.to_string(),
            former.blueprint,
            recorded.blueprint,
            Value::Object(former.inputs.clone()).to_string(),
            Value::Object(recorded.inputs.clone()).to_string(),
            recorded.runtime_only_evaluation,
        ],
    )?;
    Ok(tx.last_insert_rowid())
}

/// Says of an update whose execution did not end well that it failed: nothing of it was applied.
///
/// # Errors
/// The database's own.
pub(super) fn ended(
    tx: &Transaction<'_>,
    execution: &Execution,
    status: ExecutionStatus,
) -> Result<(), DatabaseError> {
    if execution.workflow.as_str() == UPDATE_WORKFLOW && status != ExecutionStatus::Terminated {
        tx.execute(
            "UPDATE deployment_updates SET state = 'failed' WHERE execution_id = ? AND state = 'updating'",
            [execution.id.to_string()],
        )?;
    }
    Ok(())
}

/// The update that an execution applies.
fn recorded(tx: &Transaction<'_>, execution: &Execution) -> Result<Recorded, ManagerError> {
    tx.query_row(
        "SELECT number, new_blueprint_id, new_inputs, runtime_only_evaluation FROM deployment_updates WHERE execution_id = ?",
        [execution.id.to_string()],
        |row| {
            let inputs: String = row.get(2)?;
            Ok(Recorded {
                number: row.get(0)?,
                tenant: execution.tenant_name.to_string(),
                deployment: execution.deployment_id.as_ref().map(EntityId::to_string).unwrap_or_default(),
                blueprint: row.get(1)?,
                inputs: serde_json::from_str(&inputs).unwrap_or_default(),
                runtime_only_evaluation: row.get(3)?,
                skip_install: execution.asks_for("skip_install"),
                user: execution.created_by.to_string(),
            })
        },
    )
    .optional()?
    .ok_or_else(|| ManagerError::NotFound { noun: DEPLOYMENT_UPDATES.noun, id: execution.id.to_string() })
}
