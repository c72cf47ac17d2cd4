//! The executions `create_deployment_environment` and `delete_deployment_environment`: a deployment's nodes and node
//! instances made, and removed with it.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Map, Value};

use crate::executions::table::Progress;
use crate::executions::{Job, JobError, JobResult};
use crate::model::Execution;

use super::blueprint::{DeploymentPlan, plan_deployment};
use super::blueprints::plan_of;
use super::dependencies::{Source, forget_target, record_planned};
use super::deployments::new_instance_id;
use super::{Manager, ManagerError};

/// What the rows of a deployment's parts take from it.
pub(super) struct Owner {
    pub tenant: String,
    pub deployment: String,
    pub visibility: String,
    pub created_by: String,
}

/// Makes the nodes and node instances of a deployment in one transaction; run again, it makes none a second time. For
/// blocking threads.
///
/// # Errors
/// [`JobError::Failed`] with the reason; [`JobError::Cancelled`] before anything is made.
pub fn run_create_deployment_environment(manager: &Manager, job: &Job) -> JobResult {
    let execution = job.execution().clone();
    let read = execution.clone();
    let plan = manager.read_blocking(move |connection| planned(connection, &read)).map_err(told)?;
    job.check()?;
    let (nodes, instances) = (plan.nodes.len(), plan.node_instances.len());
    job.progress(progress(0));
    manager.write_blocking(move |tx| make(tx, &execution, &plan)).map_err(told)?;
    job.progress(progress(1));
    job.log(format!("made {nodes} nodes and {instances} node instances"));
    Ok(None)
}

/// Removes a deployment with its nodes, node instances and agents; does nothing where it is gone. Its executions stay,
/// and their events unless they were to go. For blocking threads.
///
/// # Errors
/// [`JobError::Failed`]; [`JobError::Cancelled`] before anything is removed.
pub fn run_delete_deployment_environment(manager: &Manager, job: &Job) -> JobResult {
    let execution = job.execution().clone();
    job.commit()?;
    job.progress(progress(0));
    manager
        .write_blocking(move |tx| {
            let deployment = execution.deployment_id.as_ref().map(|id| id.as_str().to_owned());
            let tenant = execution.tenant_name.as_str();
            forget_target(tx, &execution, deployment.as_deref().unwrap_or_default())?;
            tx.execute("DELETE FROM deployments WHERE tenant_name = ? AND id = ?", (tenant, &deployment))?;
            if execution.parameters.get("delete_logs") == Some(&Value::Bool(true)) {
                tx.execute(
                    "DELETE FROM events WHERE tenant_name = ?1 AND deployment_id = ?2 AND execution_id <> ?3",
                    (tenant, &deployment, execution.id.to_string()),
                )?;
            }
            Ok(())
        })
        .map_err(told)?;
    job.progress(progress(1));
    Ok(None)
}

fn progress(finished_operations: u64) -> Progress {
    Progress { phase: "environment", finished_operations, total_operations: 1, ..Progress::default() }
}

/// What a job says of an error: the caller's faults in their own words, ours only that they happened.
pub(super) fn told(error: ManagerError) -> JobError {
    match &error {
        ManagerError::Database(_)
        | ManagerError::Metrics(_)
        | ManagerError::Generation(_)
        | ManagerError::Vault(_)
        | ManagerError::Io(_) => JobError::internal("the embedded manager failed", &error),
        _ => JobError::Failed(error.to_string()),
    }
}

fn planned(connection: &Connection, execution: &Execution) -> Result<DeploymentPlan, ManagerError> {
    let tenant = execution.tenant_name.as_str();
    let deployment = execution.deployment_id.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default();
    let row: Option<(String, String)> = connection
        .query_row(
            "SELECT blueprint_id, inputs FROM deployments WHERE tenant_name = ? AND id = ?",
            (tenant, &deployment),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let (blueprint, inputs) = row.ok_or(ManagerError::NotFound { noun: "Deployment", id: deployment })?;
    let inputs: Map<String, Value> = serde_json::from_str(&inputs).unwrap_or_default();
    let plan = plan_of(connection, tenant, &blueprint)?;
    let mut taken = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM node_instances WHERE tenant_name = ? AND id = ?)")?;
    let mut ids = |name: &str| loop {
        let id = new_instance_id(name);
        // An id that can't be looked up is judged by the insertion.
        if !taken.query_row((tenant, &id), |row| row.get(0)).unwrap_or(false) {
            return id;
        }
    };
    Ok(plan_deployment(&plan, &inputs, &mut ids)?)
}

fn make(tx: &Transaction<'_>, execution: &Execution, plan: &DeploymentPlan) -> Result<(), ManagerError> {
    let tenant = execution.tenant_name.as_str();
    let deployment = execution.deployment_id.as_ref().map(|id| id.as_str()).unwrap_or_default();
    let owner = tx
        .query_row(
            "SELECT visibility, created_by, EXISTS (SELECT 1 FROM nodes n WHERE n.tenant_name = d.tenant_name
             AND n.deployment_id = d.id) FROM deployments d WHERE tenant_name = ? AND id = ?",
            (tenant, deployment),
            |row| {
                let owner = Owner {
                    tenant: tenant.to_owned(),
                    deployment: deployment.to_owned(),
                    visibility: row.get(0)?,
                    created_by: row.get(1)?,
                };
                Ok((owner, row.get::<_, bool>(2)?))
            },
        )
        .optional()?;
    let (owner, is_made) =
        owner.ok_or_else(|| ManagerError::NotFound { noun: "Deployment", id: deployment.to_owned() })?;
    if is_made {
        return Ok(());
    }
    for node in &plan.nodes {
        insert_node(tx, &owner, node)?;
    }
    for instance in &plan.node_instances {
        insert_instance(tx, &owner, instance)?;
    }
    let source = Source {
        tenant: &owner.tenant,
        id: &owner.deployment,
        visibility: &owner.visibility,
        created_by: &owner.created_by,
    };
    record_planned(tx, &source, plan)
}

/// Writes a node of a plan.
///
/// # Errors
/// The database's own.
pub(super) fn insert_node(tx: &Transaction<'_>, owner: &Owner, node: &Value) -> Result<(), ManagerError> {
    tx.prepare_cached(
        "INSERT INTO nodes (tenant_name, deployment_id, id, visibility, created_by, host_id, type, type_hierarchy,
         properties, operations, plugins, plugins_to_install, relationships, number_of_instances,
         planned_number_of_instances, deploy_number_of_instances, min_number_of_instances, max_number_of_instances)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        owner.tenant,
        owner.deployment,
        node["id"].as_str(),
        owner.visibility,
        owner.created_by,
        node["host_id"].as_str(),
        node["type"].as_str(),
        node["type_hierarchy"].to_string(),
        node["properties"].to_string(),
        node["operations"].to_string(),
        node["plugins"].to_string(),
        node["plugins_to_install"].to_string(),
        node["relationships"].to_string(),
        node["number_of_instances"].as_i64(),
        node["planned_number_of_instances"].as_i64(),
        node["deploy_number_of_instances"].as_i64(),
        node["min_number_of_instances"].as_i64(),
        node["max_number_of_instances"].as_i64(),
    ])?;
    Ok(())
}

/// Writes a node instance of a plan.
///
/// # Errors
/// The database's own.
pub(super) fn insert_instance(
    tx: &Transaction<'_>,
    owner: &Owner,
    instance: &Value,
) -> Result<(), ManagerError> {
    tx.prepare_cached(
        "INSERT INTO node_instances (tenant_name, deployment_id, node_id, id, visibility, created_by, host_id,
         \"index\", state, version, relationships, runtime_properties, system_properties, scaling_groups)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        owner.tenant,
        owner.deployment,
        instance["node_id"].as_str(),
        instance["id"].as_str(),
        owner.visibility,
        owner.created_by,
        instance["host_id"].as_str(),
        instance["index"].as_i64(),
        instance["state"].as_str(),
        instance["version"].as_i64(),
        instance["relationships"].to_string(),
        instance["runtime_properties"].to_string(),
        instance["system_properties"].to_string(),
        instance["scaling_groups"].to_string(),
    ])?;
    Ok(())
}
