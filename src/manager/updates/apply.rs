//! The work of an update: the deployment follows the new plan, all of it or nothing.

use std::collections::{HashMap, HashSet, VecDeque};

use rusqlite::{Connection, Transaction, params};
use serde_json::{Map, Value, json};

use crate::executions::table::Progress;
use crate::executions::{Job, JobResult};
use crate::model::Timestamp;

use super::super::blueprint::{DeploymentPlan, plan_deployment};
use super::super::blueprints::plan_of;
use super::super::dependencies::{Source, record_planned};
use super::super::deployments::new_instance_id;
use super::super::environment::{Owner, insert_instance, insert_node, told};
use super::super::labels::labels;
use super::super::nodes::{instances_of, nodes_of};
use super::super::workflows::refresh_availability;
use super::super::{Manager, ManagerError};
use super::steps::{find, modified, steps};
use super::{Recorded, recorded};

/// A deployment as it is before an update.
pub(super) struct Former {
    pub blueprint: String,
    pub inputs: Map<String, Value>,
    pub outputs: Map<String, Value>,
    pub workflows: Vec<Value>,
    pub labels: Vec<Value>,
    pub visibility: String,
    pub created_by: String,
    pub runtime_only_evaluation: bool,
    pub nodes: Vec<Value>,
    pub instances: Vec<Value>,
}

impl Former {
    pub fn read(connection: &Connection, tenant: &str, deployment: &str) -> Result<Self, ManagerError> {
        let former = connection.query_row(
            "SELECT blueprint_id, inputs, outputs, workflows, labels, visibility, created_by, runtime_only_evaluation
             FROM deployments WHERE tenant_name = ? AND id = ?",
            (tenant, deployment),
            |row| {
                let json = |index: usize| -> rusqlite::Result<Value> {
                    Ok(serde_json::from_str(&row.get::<_, String>(index)?).unwrap_or_default())
                };
                let map = |value: Value| value.as_object().cloned().unwrap_or_default();
                let list = |value: Value| value.as_array().cloned().unwrap_or_default();
                Ok(Self {
                    blueprint: row.get(0)?,
                    inputs: map(json(1)?),
                    outputs: map(json(2)?),
                    workflows: list(json(3)?),
                    labels: list(json(4)?),
                    visibility: row.get(5)?,
                    created_by: row.get(6)?,
                    runtime_only_evaluation: row.get(7)?,
                    nodes: Vec::new(),
                    instances: Vec::new(),
                })
            },
        )?;
        Ok(Self {
            nodes: nodes_of(connection, tenant, deployment)?,
            instances: instances_of(connection, tenant, deployment)?,
            ..former
        })
    }

    /// The inputs with those that change.
    pub fn inputs_with(&self, changed: &Map<String, Value>) -> Map<String, Value> {
        let mut inputs = self.inputs.clone();
        inputs.extend(changed.clone());
        inputs
    }
}

/// Plans what the deployment is to be; instances that it has keep their ids.
///
/// # Errors
/// An absent blueprint; inputs that do not fit.
pub(super) fn plan(
    connection: &Connection,
    tenant: &str,
    blueprint: &str,
    inputs: &Map<String, Value>,
    former: &Former,
) -> Result<DeploymentPlan, ManagerError> {
    let blueprint = plan_of(connection, tenant, blueprint)?;
    let mut inputs = inputs.clone();
    // Inputs that the new blueprint does not have any more are dropped, unless they are new themselves.
    if let Some(declared) = blueprint["inputs"].as_object() {
        inputs.retain(|name, _| declared.contains_key(name) || !former.inputs.contains_key(name));
    }
    let mut kept: HashMap<String, VecDeque<String>> = HashMap::new();
    let mut instances = former.instances.clone();
    instances.sort_by_key(|instance| instance["index"].as_i64());
    for instance in &instances {
        let text = |key: &str| instance[key].as_str().unwrap_or_default().to_owned();
        kept.entry(text("node_id")).or_default().push_back(text("id"));
    }
    let mut ids = |name: &str| {
        kept.get_mut(name).and_then(VecDeque::pop_front).unwrap_or_else(|| new_instance_id(name))
    };
    Ok(plan_deployment(&blueprint, &inputs, &mut ids)?)
}

/// The labels of the new plan that the deployment has not yet.
pub(super) fn labels_to_create(
    user: &str,
    former: &Former,
    plan: &DeploymentPlan,
) -> Result<Vec<Value>, ManagerError> {
    let planned = labels(user, &[], &plan.labels)?;
    let has = |label: &Value| {
        former.labels.iter().any(|other| other["key"] == label["key"] && other["value"] == label["value"])
    };
    Ok(planned.as_array().into_iter().flatten().filter(|label| !has(label)).cloned().collect())
}

/// Applies the update of an execution in one transaction. For blocking threads.
///
/// # Errors
/// [`crate::executions::JobError::Failed`] with the reason: nothing has changed then.
pub(in super::super) fn run_update(manager: &Manager, job: &Job) -> JobResult {
    let execution = job.execution().clone();
    job.commit()?;
    job.progress(Progress { phase: "updating", total_operations: 1, ..Progress::default() });
    let applied = manager.write_blocking(move |tx| apply(tx, &recorded(tx, &execution)?)).map_err(told)?;
    job.log(format!(
        "applied {} steps: {} node instances added, {} removed; operations of plugins are not run",
        applied.steps, applied.added, applied.removed
    ));
    job.progress(Progress {
        phase: "updating",
        finished_operations: 1,
        total_operations: 1,
        ..Progress::default()
    });
    Ok(None)
}

/// How much an update changed.
pub(super) struct Applied {
    steps: usize,
    added: usize,
    removed: usize,
}

/// Applies an update that is recorded.
///
/// # Errors
/// The deployment or blueprint is gone; inputs that do not fit.
pub(super) fn apply(tx: &Transaction<'_>, recorded: &Recorded) -> Result<Applied, ManagerError> {
    let (tenant, deployment) = (recorded.tenant.as_str(), recorded.deployment.as_str());
    let former = Former::read(tx, tenant, deployment)?;
    let plan = plan(tx, tenant, &recorded.blueprint, &recorded.inputs, &former)?;
    let steps = steps(&former, &plan);
    let owner = Owner {
        tenant: tenant.to_owned(),
        deployment: deployment.to_owned(),
        visibility: former.visibility.clone(),
        created_by: former.created_by.clone(),
    };
    let (added, removed) = apply_nodes(tx, &owner, &former, &plan, recorded.skip_install)?;
    let new_labels = labels_to_create(&recorded.user, &former, &plan)?;
    apply_deployment(tx, &owner, &former, recorded, &plan, &new_labels)?;
    refresh_availability(tx, tenant, deployment)?;
    let source =
        Source { tenant, id: deployment, visibility: &former.visibility, created_by: &former.created_by };
    record_planned(tx, &source, &plan)?;
    let removed_nodes: Vec<&Value> =
        former.nodes.iter().filter(|node| find(&plan.nodes, &node["id"]).is_none()).collect();
    let kept_nodes: Vec<&Value> =
        former.nodes.iter().filter(|node| find(&plan.nodes, &node["id"]).is_some()).collect();
    tx.execute(
        "UPDATE deployment_updates SET state = 'successful', steps = ?2, deployment_plan = ?3,
         deployment_update_nodes = ?4, deployment_update_node_instances = ?5, modified_entity_ids = ?6,
         labels_to_create = ?7 WHERE number = ?1",
        params![
            recorded.number,
            Value::Array(steps.clone()).to_string(),
            json!({
                "inputs": plan.inputs, "nodes": plan.nodes, "outputs": plan.outputs, "workflows": plan.workflows,
                "description": plan.description,
            })
            .to_string(),
            json!({ "removed": removed_nodes, "before": kept_nodes }).to_string(),
            json!({ "added_and_related": added, "removed_and_related": removed, "before": former.instances }).to_string(),
            modified(&steps).to_string(),
            Value::Array(new_labels).to_string(),
        ],
    )?;
    Ok(Applied { steps: steps.len(), added: added.len(), removed: removed.len() })
}

/// Brings nodes and instances to what the plan says, and answers the instances that came and that went.
fn apply_nodes(
    tx: &Transaction<'_>,
    owner: &Owner,
    former: &Former,
    plan: &DeploymentPlan,
    skip_install: bool,
) -> Result<(Vec<Value>, Vec<Value>), ManagerError> {
    let key = (owner.tenant.as_str(), owner.deployment.as_str());
    let mut removed: Vec<Value> = Vec::new();
    for node in former.nodes.iter().filter(|node| find(&plan.nodes, &node["id"]).is_none()) {
        removed.extend(former.instances.iter().filter(|instance| instance["node_id"] == node["id"]).cloned());
        tx.execute(
            "DELETE FROM nodes WHERE tenant_name = ? AND deployment_id = ? AND id = ?",
            (key.0, key.1, node["id"].as_str()),
        )?;
    }
    // Where the blueprint asks for as many as before, a node that was scaled keeps the instances that it has.
    let mut follows: HashSet<&Value> = HashSet::new();
    for node in &plan.nodes {
        match find(&former.nodes, &node["id"]) {
            None => {
                insert_node(tx, owner, node)?;
                follows.insert(&node["id"]);
            }
            Some(before) => {
                if before["deploy_number_of_instances"] != node["deploy_number_of_instances"] {
                    follows.insert(&node["id"]);
                }
                change_node(tx, owner, node)?;
            }
        }
    }
    let was_started = former.instances.iter().any(|instance| instance["state"] == "started");
    let is_started = was_started && !skip_install;
    let mut added: Vec<Value> = Vec::new();
    let planned: HashSet<&Value> = plan.node_instances.iter().map(|instance| &instance["id"]).collect();
    for instance in &former.instances {
        let is_surplus = follows.contains(&instance["node_id"]) && !planned.contains(&instance["id"]);
        if is_surplus && find(&plan.nodes, &instance["node_id"]).is_some() {
            tx.execute(
                "DELETE FROM node_instances WHERE tenant_name = ? AND id = ?",
                (key.0, instance["id"].as_str()),
            )?;
            removed.push(instance.clone());
        }
    }
    for instance in &plan.node_instances {
        if find(&former.instances, &instance["id"]).is_none() && follows.contains(&instance["node_id"]) {
            let mut instance = instance.clone();
            if is_started {
                instance["state"] = json!("started");
            }
            insert_instance(tx, owner, &instance)?;
            added.push(instance);
        }
    }
    // Links lead to what is there.
    let there: HashSet<String> = tx
        .prepare_cached("SELECT id FROM node_instances WHERE tenant_name = ? AND deployment_id = ?")?
        .query_map(key, |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let is_there = |link: &Value| link["target_id"].as_str().is_some_and(|target| there.contains(target));
    for id in &there {
        let id = json!(id);
        let planned = find(&plan.node_instances, &id);
        let Some(instance) = planned.or_else(|| find(&former.instances, &id)) else { continue };
        let links: Vec<&Value> = instance["relationships"].as_array().into_iter().flatten().collect();
        let links: Vec<&Value> = links.into_iter().filter(|link| is_there(link)).collect();
        tx.execute(
            "UPDATE node_instances SET relationships = ?3, host_id = ?4, version = version + (relationships <> ?3)
             WHERE tenant_name = ?1 AND id = ?2",
            params![key.0, id.as_str(), json!(links).to_string(), instance["host_id"].as_str()],
        )?;
    }
    for node in plan.nodes.iter().filter(|node| follows.contains(&node["id"])) {
        tx.execute(
            "UPDATE nodes SET number_of_instances = ?4, planned_number_of_instances = ?4
             WHERE tenant_name = ?1 AND deployment_id = ?2 AND id = ?3",
            params![key.0, key.1, node["id"].as_str(), node["number_of_instances"].as_i64()],
        )?;
    }
    Ok((added, removed))
}

fn change_node(tx: &Transaction<'_>, owner: &Owner, node: &Value) -> Result<(), ManagerError> {
    tx.prepare_cached(
        "UPDATE nodes SET host_id = ?4, type = ?5, type_hierarchy = ?6, properties = ?7, operations = ?8, plugins = ?9,
         plugins_to_install = ?10, relationships = ?11, deploy_number_of_instances = ?12,
         min_number_of_instances = ?13, max_number_of_instances = ?14
         WHERE tenant_name = ?1 AND deployment_id = ?2 AND id = ?3",
    )?
    .execute(params![
        owner.tenant,
        owner.deployment,
        node["id"].as_str(),
        node["host_id"].as_str(),
        node["type"].as_str(),
        node["type_hierarchy"].to_string(),
        node["properties"].to_string(),
        node["operations"].to_string(),
        node["plugins"].to_string(),
        node["plugins_to_install"].to_string(),
        node["relationships"].to_string(),
        node["deploy_number_of_instances"].as_i64(),
        node["min_number_of_instances"].as_i64(),
        node["max_number_of_instances"].as_i64(),
    ])?;
    Ok(())
}

fn apply_deployment(
    tx: &Transaction<'_>,
    owner: &Owner,
    former: &Former,
    recorded: &Recorded,
    plan: &DeploymentPlan,
    new_labels: &[Value],
) -> Result<(), ManagerError> {
    let json = |map: &Map<String, Value>| Value::Object(map.clone()).to_string();
    let labels: Vec<&Value> = former.labels.iter().chain(new_labels).collect();
    tx.execute(
        "UPDATE deployments SET blueprint_id = ?3, inputs = ?4, outputs = ?5, capabilities = ?6, workflows = ?7,
         groups = ?8, policy_types = ?9, policy_triggers = ?10, scaling_groups = ?11, description = ?12,
         resource_tags = ?13, labels = ?14, runtime_only_evaluation = ?15, updated_at = ?16
         WHERE tenant_name = ?1 AND id = ?2",
        params![
            owner.tenant,
            owner.deployment,
            recorded.blueprint,
            json(&plan.inputs),
            json(&plan.outputs),
            json(&plan.capabilities),
            Value::Array(plan.workflows.clone()).to_string(),
            json(&plan.groups),
            json(&plan.policy_types),
            json(&plan.policy_triggers),
            json(&plan.scaling_groups),
            plan.description,
            json(&plan.resource_tags),
            json!(labels).to_string(),
            recorded.runtime_only_evaluation,
            Timestamp::now().to_string(),
        ],
    )?;
    Ok(())
}
