//! Workflows of deployments: started with their parameters judged, and run step by step.
//!
//! Only the state of node instances is kept here; no operation of a plugin is run, and the execution says so.

use rusqlite::{Connection, OptionalExtension, Transaction};
use serde_json::{Map, Value, json};

use crate::executions::events::NewEvent;
use crate::executions::table::{self, Progress};
use crate::executions::{Job, JobError, JobResult};
use crate::model::{
    Caller, EntityId, Execution, ExecutionId, ExecutionStatus, TenantName, Timestamp, UserName, Workflow,
};

use super::blueprint::{LifecycleStep, WorkflowPlan, is_workflow_available, plan_workflow};
use super::deployments::DEPLOYMENT;
use super::entities::locate;
use super::environment::told;
use super::execution_groups::Place;
use super::nodes::{instances_of, nodes_of};
use super::recording::active_executions;
use super::updates::{UPDATE_WORKFLOW, run_update};
use super::{Manager, ManagerError};

/// How a workflow is to be started.
#[derive(Clone, Debug, Default)]
pub struct StartOptions {
    /// Parameters that the workflow does not declare are taken.
    pub allow_custom_parameters: bool,
    /// It starts although another execution of the deployment runs.
    pub force: bool,
    /// The steps are told and no state changes.
    pub dry_run: bool,
    /// It waits until what it can't run beside has ended.
    pub queue: bool,
    /// The time before which it does not start.
    pub scheduled_for: Option<Timestamp>,
}

impl Manager {
    /// Records an execution of one of a deployment's workflows, and answers it; the engine has to be woken afterwards.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the deployment, [`ManagerError::NonexistentWorkflow`],
    /// [`ManagerError::IllegalExecutionParameters`], and [`ManagerError::ExistingRunningExecution`] where another one
    /// runs and neither force, queue nor schedule was asked for.
    pub async fn start_workflow(
        &self,
        caller: &Caller,
        deployment_id: &str,
        workflow_id: &str,
        parameters: Map<String, Value>,
        options: StartOptions,
    ) -> Result<Execution, ManagerError> {
        let start = Start {
            tenant: caller.tenant.clone(),
            created_by: caller.user.clone(),
            deployment: deployment_id.to_owned(),
            workflow: workflow_id.to_owned(),
        };
        let caller = caller.clone();
        self.write(move |tx| {
            locate(tx, &DEPLOYMENT, &caller, &start.deployment)?;
            record(tx, &start, parameters, &options, None)
        })
        .await
    }
}

/// Which workflow is to be started, where, and for whom.
pub(super) struct Start {
    pub tenant: TenantName,
    pub created_by: UserName,
    pub deployment: String,
    pub workflow: String,
}

impl Start {
    /// The record of its execution, which is not written yet.
    pub fn execution(&self, workflow: Workflow, parameters: Map<String, Value>) -> Execution {
        Execution {
            id: ExecutionId::new(),
            workflow,
            tenant_name: self.tenant.clone(),
            created_by: self.created_by.clone(),
            deployment_id: Some(EntityId::trusted(&*self.deployment)),
            blueprint_id: None,
            snapshot_id: None,
            status: ExecutionStatus::Pending,
            error: String::new(),
            parameters,
            created_at: Timestamp::now(),
            scheduled_for: None,
            is_dry_run: false,
            group: None,
        }
    }
}

/// Records an execution of a workflow, whoever asks for it.
///
/// # Errors
/// As [`Manager::start_workflow`].
pub(super) fn record(
    tx: &Transaction<'_>,
    start: &Start,
    parameters: Map<String, Value>,
    options: &StartOptions,
    place: Option<&Place<'_>>,
) -> Result<Execution, ManagerError> {
    let (workflow, deployment) = (&start.workflow, &start.deployment);
    let (blueprint, workflows): (String, String) = tx
        .query_row(
            "SELECT blueprint_id, workflows FROM deployments WHERE tenant_name = ? AND id = ?",
            (start.tenant.as_str(), deployment),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?
        .ok_or_else(|| DEPLOYMENT.not_found(deployment))?;
    let definition = definition_of(&workflows, deployment, workflow)?;
    let parameters = merged_parameters(workflow, &definition, parameters, options.allow_custom_parameters)?;
    if !matches!(Workflow::of(workflow, true), Workflow::Deployment(_)) {
        return Err(ManagerError::IllegalAction(format!(
            "the workflow `{workflow}` runs when its deployment is made or deleted, and can't be started by itself"
        )));
    }
    let running = active_executions(tx, start.tenant.as_str(), deployment)?;
    let mut execution = start.execution(Workflow::Deployment(workflow.clone()), parameters);
    execution.blueprint_id = Some(EntityId::trusted(blueprint));
    execution.is_dry_run = options.dry_run;
    if options.scheduled_for.is_some() {
        execution.scheduled_for = options.scheduled_for;
        execution.status = ExecutionStatus::Scheduled;
    } else if !running.is_empty() && !options.force {
        if !options.queue {
            if is_being_made(tx, start.tenant.as_str(), deployment)? {
                return Err(ManagerError::EnvironmentInCreation(format!(
                    "The environment of the deployment `{deployment}` is still being made: try again when it is"
                )));
            }
            return Err(ManagerError::ExistingRunningExecution(format!(
                "The following executions are currently running for this deployment: {}. To execute this \
                 workflow anyway, pass \"force=true\" as a query parameter to this request, or \"queue=true\" to \
                 let it wait",
                running.join(", ")
            )));
        }
        execution.status = ExecutionStatus::Queued;
    }
    if let Some(place) = place {
        place.take(&mut execution);
    }
    table::insert(tx, &execution)?;
    Ok(execution)
}

pub(super) fn definition_of(workflows: &str, deployment: &str, name: &str) -> Result<Value, ManagerError> {
    let workflows: Vec<Value> = serde_json::from_str(workflows).unwrap_or_default();
    workflows.into_iter().find(|workflow| workflow["name"] == name).ok_or_else(|| {
        ManagerError::NonexistentWorkflow(format!(
            "Workflow {name} does not exist in deployment {deployment}"
        ))
    })
}

/// The values of a workflow's parameters: what the caller gives, and the defaults.
fn merged_parameters(
    workflow: &str,
    definition: &Value,
    given: Map<String, Value>,
    allow_custom_parameters: bool,
) -> Result<Map<String, Value>, ManagerError> {
    let empty = Map::new();
    let declared = definition["parameters"].as_object().unwrap_or(&empty);
    let is_needed = |declaration: &Value| {
        declaration.get("default").is_none() && declaration.get("required") != Some(&Value::Bool(false))
    };
    let missing: Vec<&str> = declared
        .iter()
        .filter(|(name, declaration)| is_needed(declaration) && !given.contains_key(*name))
        .map(|(name, _)| name.as_str())
        .collect();
    let unknown: Vec<&str> =
        given.keys().filter(|name| !declared.contains_key(*name)).map(String::as_str).collect();
    let mut problems = Vec::new();
    if !missing.is_empty() {
        problems.push(format!(
            "Workflow \"{workflow}\" must be provided with the following parameters to execute: {}",
            missing.join(",")
        ));
    }
    if !unknown.is_empty() && !allow_custom_parameters {
        problems.push(format!(
            "Workflow \"{workflow}\" does not have the following parameters declared: {}. Remove these parameters or use \
             the flag for allowing custom parameters",
            unknown.join(",")
        ));
    }
    for (name, value) in &given {
        let of_type = declared.get(name).and_then(|declaration| declaration["type"].as_str());
        if let Some(of_type) = of_type.filter(|of_type| !is_of_type(value, of_type)) {
            problems.push(format!(
                "Workflow \"{workflow}\": the value of parameter `{name}` has to be of type {of_type}"
            ));
        }
    }
    if !problems.is_empty() {
        return Err(ManagerError::IllegalExecutionParameters(problems.join("\n")));
    }
    let mut values: Map<String, Value> = declared
        .iter()
        .filter_map(|(name, declaration)| Some((name.clone(), declaration.get("default")?.clone())))
        .collect();
    values.extend(given);
    Ok(values)
}

/// Whether a value is of a type of the blueprint language; of other types nothing is known here.
fn is_of_type(value: &Value, of_type: &str) -> bool {
    if value.is_null() {
        return true;
    }
    match of_type {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "float" => value.is_number(),
        "boolean" => value.is_boolean(),
        "list" => value.is_array(),
        "dict" => value.is_object(),
        _ => true,
    }
}

/// Runs a workflow of a deployment: each step in a transaction of its own, with its events. A cancel is honoured
/// between steps. For blocking threads.
///
/// # Errors
/// [`JobError::Failed`] with the reason; [`JobError::Cancelled`].
pub fn run_deployment_workflow(manager: &Manager, job: &Job) -> JobResult {
    let execution = job.execution().clone();
    if execution.workflow.as_str() == UPDATE_WORKFLOW {
        return run_update(manager, job);
    }
    match manager.read_blocking(move |connection| planned(connection, &execution)).map_err(told)? {
        WorkflowPlan::Remote { plugin, operation } => {
            job.warn(format!(
                "the workflow is code of plugin `{plugin}` (`{operation}`), which the embedded manager does not run: \
                 nothing was changed"
            ));
            Ok(None)
        }
        WorkflowPlan::Steps(steps) => run_steps(manager, job, &steps),
    }
}

fn planned(connection: &Connection, execution: &Execution) -> Result<WorkflowPlan, ManagerError> {
    let tenant = execution.tenant_name.as_str();
    let deployment = execution.deployment_id.as_ref().map(|id| id.as_str()).unwrap_or_default();
    let workflows: Option<String> = connection
        .query_row(
            "SELECT workflows FROM deployments WHERE tenant_name = ? AND id = ?",
            (tenant, deployment),
            |row| row.get(0),
        )
        .optional()?;
    let workflows =
        workflows.ok_or_else(|| ManagerError::NotFound { noun: "Deployment", id: deployment.to_owned() })?;
    let definition = definition_of(&workflows, deployment, execution.workflow.as_str())?;
    plan_workflow(
        &definition,
        &execution.parameters,
        &nodes_of(connection, tenant, deployment)?,
        &instances_of(connection, tenant, deployment)?,
    )
    .map_err(|error| ManagerError::IllegalExecutionParameters(error.to_string()))
}

fn run_steps(manager: &Manager, job: &Job, steps: &[LifecycleStep]) -> JobResult {
    let is_dry_run = job.execution().is_dry_run;
    let total_operations = steps.len() as u64;
    job.log(if is_dry_run {
        "dry run: the steps are told, and no state changes"
    } else {
        "the embedded manager keeps the state of node instances; operations of plugins are not run"
    });
    for (finished_operations, step) in (0..).zip(steps) {
        job.check()?;
        job.progress(Progress {
            phase: "running",
            finished_operations,
            total_operations,
            ..Progress::default()
        });
        tell(job, step, step.message_before.as_deref());
        apply(manager, job, step, step.state_before)?;
        if step.has_operation {
            job.event(NewEvent {
                level: Some("info"),
                message: format!(
                    "operation `{}` of plugin `{}` was not run",
                    step.operation.as_deref().unwrap_or_default(),
                    step.plugin.as_deref().unwrap_or_default()
                ),
                ..event_of(step)
            });
        }
        apply(manager, job, step, step.state_after)?;
        tell(job, step, step.message_after.as_deref());
    }
    job.progress(Progress {
        phase: "running",
        finished_operations: total_operations,
        total_operations,
        ..Progress::default()
    });
    if is_dry_run {
        return Ok(None);
    }
    let execution = job.execution().clone();
    manager
        .write_blocking(move |tx| {
            let deployment = execution.deployment_id.as_ref().map(|id| id.as_str()).unwrap_or_default();
            refresh_availability(tx, execution.tenant_name.as_str(), deployment)
        })
        .map_err(told)?;
    Ok(None)
}

fn event_of(step: &LifecycleStep) -> NewEvent {
    let is_link = step.target_instance_id.is_some();
    NewEvent {
        operation: step.operation.clone(),
        node_name: Some(step.node_id.clone()),
        node_instance_id: Some(step.node_instance_id.clone()),
        source_id: is_link.then(|| step.node_instance_id.clone()),
        target_id: step.target_instance_id.clone(),
        ..NewEvent::default()
    }
}

fn tell(job: &Job, step: &LifecycleStep, message: Option<&str>) {
    if let Some(message) = message {
        job.event(NewEvent {
            event_type: Some("workflow_node_event".to_owned()),
            message: message.to_owned(),
            ..event_of(step)
        });
    }
}

fn apply(
    manager: &Manager,
    job: &Job,
    step: &LifecycleStep,
    state: Option<&'static str>,
) -> Result<(), JobError> {
    let Some(state) = state.filter(|_| !job.execution().is_dry_run) else { return Ok(()) };
    let (tenant, instance) = (job.execution().tenant_name.clone(), step.node_instance_id.clone());
    manager
        .write_blocking(move |tx| {
            // What an instance learned as it ran goes with it.
            let changed = tx.execute(
                "UPDATE node_instances SET state = ?3, version = version + 1, runtime_properties =
                 CASE WHEN ?3 = 'deleted' THEN '{}' ELSE runtime_properties END WHERE tenant_name = ?1 AND id = ?2",
                (tenant.as_str(), &instance, state),
            )?;
            if changed == 1 { Ok(()) } else { Err(ManagerError::NotFound { noun: "NodeInstance", id: instance }) }
        })
        .map_err(told)
}

/// Keeps which of a deployment's workflows make sense now that states have changed.
pub(super) fn refresh_availability(
    tx: &Transaction<'_>,
    tenant: &str,
    deployment: &str,
) -> Result<(), ManagerError> {
    let kept: Option<String> = tx
        .query_row(
            "SELECT workflows FROM deployments WHERE tenant_name = ? AND id = ?",
            (tenant, deployment),
            |row| row.get(0),
        )
        .optional()?;
    let Some(kept) = kept else { return Ok(()) };
    let mut workflows: Vec<Value> = serde_json::from_str(&kept).unwrap_or_default();
    let read = |sql: &str, key: &str, is_json: bool| -> Result<Vec<Value>, ManagerError> {
        let values = tx
            .prepare_cached(sql)?
            .query_map((tenant, deployment), |row| row.get::<_, String>(0))?
            .map(|text| {
                let text = text?;
                Ok(match is_json {
                    true => json!({ key: serde_json::from_str::<Value>(&text).unwrap_or_default() }),
                    false => json!({ key: text }),
                })
            })
            .collect::<rusqlite::Result<_>>()?;
        Ok(values)
    };
    let nodes = read(
        "SELECT type_hierarchy FROM nodes WHERE tenant_name = ? AND deployment_id = ?",
        "type_hierarchy",
        true,
    )?;
    let instances =
        read("SELECT state FROM node_instances WHERE tenant_name = ? AND deployment_id = ?", "state", false)?;
    for workflow in &mut workflows {
        workflow["is_available"] =
            Value::Bool(is_workflow_available(&workflow["availability_rules"], &nodes, &instances));
    }
    let workflows = Value::Array(workflows).to_string();
    if workflows != kept {
        tx.execute(
            "UPDATE deployments SET workflows = ?3 WHERE tenant_name = ?1 AND id = ?2",
            (tenant, deployment, workflows),
        )?;
    }
    Ok(())
}

/// Whether a deployment's environment is still being made. The clients wait for it, and try again.
fn is_being_made(connection: &Connection, tenant: &str, deployment: &str) -> Result<bool, ManagerError> {
    Ok(connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM executions WHERE tenant_name = ? AND deployment_id = ? AND ended_at IS NULL
         AND workflow_id = 'create_deployment_environment')",
        [tenant, deployment],
        |row| row.get(0),
    )?)
}
