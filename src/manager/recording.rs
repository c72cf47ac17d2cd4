//! What is written when a deployment is to be made or removed, and what keeps it from being removed.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Map, Value, json};

use crate::executions::table;
use crate::model::{Caller, EntityId, Execution, Timestamp, Workflow};

use super::ManagerError;
use super::blueprint::DeploymentPlan;
use super::dependencies::check_no_dependents;
use super::deployments::{DEPLOYMENT, DeleteDeployment, NewDeployment};
use super::entities::check_free;
use super::execution_groups::Place;
use super::hierarchy::check_parents;
use super::labels::labels;
use super::sites::check_site;

fn insert(
    tx: &Transaction<'_>,
    caller: &Caller,
    id: &EntityId,
    new: &NewDeployment,
    plan: &DeploymentPlan,
    labels: &Value,
    create_execution: &str,
) -> Result<(), ManagerError> {
    let json = |map: &Map<String, Value>| Value::Object(map.clone()).to_string();
    tx.execute(
        "INSERT INTO deployments (tenant_name, id, display_name, blueprint_id, visibility, created_at, created_by,
         description, inputs, outputs, capabilities, workflows, groups, policy_types, policy_triggers, scaling_groups,
         labels, resource_tags, site_name, runtime_only_evaluation, create_execution)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            caller.tenant.as_str(),
            id.as_str(),
            new.display_name.as_deref().unwrap_or(id.as_str()),
            new.blueprint_id,
            new.visibility.as_str(),
            Timestamp::now().to_string(),
            caller.user.as_str(),
            plan.description,
            json(&plan.inputs),
            json(&plan.outputs),
            json(&plan.capabilities),
            Value::Array(plan.workflows.clone()).to_string(),
            json(&plan.groups),
            json(&plan.policy_types),
            json(&plan.policy_triggers),
            json(&plan.scaling_groups),
            labels.to_string(),
            json(&plan.resource_tags),
            new.site_name,
            new.runtime_only_evaluation,
            create_execution,
        ],
    )?;
    Ok(())
}

/// Records a deployment that was planned, and the execution that makes its nodes.
///
/// # Errors
/// An id that can't be one or is taken; a site or parent that there is not.
pub(super) fn record_deployment(
    tx: &Transaction<'_>,
    caller: &Caller,
    new: &NewDeployment,
    plan: &DeploymentPlan,
    place: Option<&Place<'_>>,
) -> Result<(), ManagerError> {
    let id = EntityId::of_deployment(&new.id)?;
    check_free(tx, &DEPLOYMENT, caller.tenant.as_str(), id.as_str(), new.visibility)?;
    if let Some(site) = &new.site_name {
        check_site(tx, caller, site, (id.as_str(), new.visibility))?;
    }
    let labels = labels(caller.user.as_str(), &new.labels, &plan.labels)?;
    check_parents(tx, caller, id.as_str(), &labels)?;
    let mut execution = Execution::new(caller, Workflow::CreateDeploymentEnvironment, Map::new());
    execution.parameters.insert("deployment_id".to_owned(), json!(id));
    execution.deployment_id = Some(id.clone());
    execution.blueprint_id = Some(EntityId::trusted(new.blueprint_id.clone()));
    if let Some(place) = place {
        place.take(&mut execution);
    }
    insert(tx, caller, &id, new, plan, &labels, &execution.id.to_string())?;
    Ok(table::insert(tx, &execution)?)
}

/// Records the execution that removes a deployment.
///
/// # Errors
/// The database's own.
pub(super) fn record_deletion(
    tx: &Transaction<'_>,
    caller: &Caller,
    id: &str,
    options: DeleteDeployment,
    place: Option<&Place<'_>>,
) -> Result<(), ManagerError> {
    let parameters =
        json!({ "deployment_id": id, "force": options.force, "delete_logs": options.delete_logs });
    let parameters = parameters.as_object().cloned().unwrap_or_default();
    let mut execution = Execution::new(caller, Workflow::DeleteDeploymentEnvironment, parameters);
    execution.deployment_id = Some(EntityId::trusted(id));
    let blueprint: Option<String> = tx
        .query_row(
            "SELECT blueprint_id FROM deployments WHERE tenant_name = ? AND id = ?",
            (caller.tenant.as_str(), id),
            |row| row.get(0),
        )
        .optional()?;
    execution.blueprint_id = blueprint.map(EntityId::trusted);
    if let Some(place) = place {
        place.take(&mut execution);
    }
    Ok(table::insert(tx, &execution)?)
}

/// The executions of a deployment that count as running.
pub(super) fn active_executions(
    connection: &Connection,
    tenant: &str,
    deployment: &str,
) -> Result<Vec<String>, ManagerError> {
    let active = connection
        .prepare_cached(
            "SELECT id FROM executions WHERE tenant_name = ? AND deployment_id = ? AND ended_at IS NULL
             AND status NOT IN ('queued', 'scheduled') ORDER BY created_at, id",
        )?
        .query_map((tenant, deployment), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(active)
}

/// Refuses where a deployment can't go: executions of it run, others depend on it, or node instances live.
///
/// # Errors
/// [`ManagerError::DependentExists`]; the last two are none where it is forced.
pub(super) fn check_idle(
    connection: &Connection,
    caller: &Caller,
    id: &str,
    force: bool,
) -> Result<(), ManagerError> {
    let running = active_executions(connection, caller.tenant.as_str(), id)?;
    if !running.is_empty() {
        return Err(ManagerError::DependentExists(format!(
            "Can't delete deployment `{id}` - There are running executions for this deployment. Running executions ids: {}",
            running.join(", ")
        )));
    }
    if force {
        return Ok(());
    }
    check_no_dependents(connection, caller.tenant.as_str(), id, "delete")?;
    let live: Vec<String> = connection
        .prepare_cached(
            "SELECT id FROM node_instances WHERE tenant_name = ? AND deployment_id = ?
             AND state NOT IN ('uninitialized', 'deleted') ORDER BY number LIMIT 20",
        )?
        .query_map((caller.tenant.as_str(), id), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if live.is_empty() {
        return Ok(());
    }
    Err(ManagerError::DependentExists(format!(
        "Can't delete deployment `{id}` - There are live nodes for this deployment. Live nodes ids: {}",
        live.join(", ")
    )))
}
