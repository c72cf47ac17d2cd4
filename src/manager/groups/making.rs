//! Deployments that a group makes, from its blueprint and inputs.

use rusqlite::{OptionalExtension, Transaction};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::model::{Caller, EntityId, Visibility, Workflow};

use super::super::blueprint::{DeploymentPlan, plan_deployment};
use super::super::blueprints::plan_of;
use super::super::deployments::{NewDeployment, new_instance_id};
use super::super::execution_groups::{NewExecutionGroup, Place, insert};
use super::super::recording::record_deployment;
use super::super::{Manager, ManagerError};
use super::{GroupChange, join, members};

/// How many environments are made beside each other, as Cloudify does.
const CONCURRENCY: u32 = 10;

/// Deployments that were planned, outside of the transaction that writes them.
pub(super) struct Making {
    deployments: Vec<(NewDeployment, DeploymentPlan)>,
}

/// What of a group decides how its deployments are made.
struct Template {
    blueprint: String,
    inputs: Map<String, Value>,
    visibility: Visibility,
    counter: i64,
}

impl Manager {
    /// Plans the deployments that a group is to make.
    pub(super) async fn plan_group_deployments(
        &self,
        caller: &Caller,
        group: &str,
        change: &GroupChange,
    ) -> Result<Option<Making>, ManagerError> {
        if change.new_deployments.is_empty() {
            return Ok(None);
        }
        let (caller, group, change) = (caller.clone(), group.to_owned(), change.clone());
        self.read(move |connection| {
            let template = template(connection, &caller, &group, &change)?;
            let plan = plan_of(connection, caller.tenant.as_str(), &template.blueprint)?;
            let mut deployments = Vec::new();
            for (place, spec) in (0..).zip(&change.new_deployments) {
                let spec = spec.as_object().ok_or_else(|| {
                    ManagerError::BadParameters(format!("a new deployment must be a dict, got {spec}"))
                })?;
                let new = new_deployment(&template, &group, &plan, spec, template.counter + place)?;
                let planned = plan_deployment(&plan, &new.inputs, &mut new_instance_id)?;
                deployments.push((new, planned));
            }
            Ok(Some(Making { deployments }))
        })
        .await
    }
}

fn template(
    connection: &rusqlite::Connection,
    caller: &Caller,
    group: &str,
    change: &GroupChange,
) -> Result<Template, ManagerError> {
    let kept: Option<(Option<String>, Option<String>, String, i64)> = connection
        .query_row(
            "SELECT default_blueprint_id, default_inputs, visibility, creation_counter FROM deployment_groups
             WHERE tenant_name = ? AND id = ?",
            (caller.tenant.as_str(), group),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    let (blueprint, inputs, visibility, counter) = kept.unwrap_or((None, None, String::new(), 0));
    let blueprint = change.blueprint_id.clone().or(blueprint).ok_or_else(|| {
        ManagerError::Conflict(format!(
            "Cannot create deployments: group {group} has no default blueprint set"
        ))
    })?;
    let inputs = match &change.default_inputs {
        Some(inputs) => inputs.as_object().cloned(),
        None => inputs.as_deref().and_then(|text| serde_json::from_str(text).ok()),
    };
    Ok(Template {
        blueprint,
        inputs: inputs.unwrap_or_default(),
        visibility: change
            .visibility
            .or_else(|| Visibility::parse(&visibility))
            .unwrap_or(Visibility::Tenant),
        counter,
    })
}

fn new_deployment(
    template: &Template,
    group: &str,
    plan: &Value,
    spec: &Map<String, Value>,
    count: i64,
) -> Result<NewDeployment, ManagerError> {
    let said = |name: &str| spec.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let setting = |name: &str| plan["deployment_settings"][name].as_str();
    let site = said("site_name");
    let uuid = Uuid::new_v4().to_string();
    let filled = |text: &str| {
        text.replace("{group_id}", group)
            .replace("{uuid}", &uuid)
            .replace("{blueprint_id}", &template.blueprint)
            .replace("{count}", &count.to_string())
            .replace("{site_name}", site.unwrap_or_default())
    };
    let pattern = said("id").or_else(|| setting("id_template")).unwrap_or("{group_id}-{uuid}");
    if said("id").is_none() && !pattern.contains("{uuid}") && !pattern.contains("{count}") {
        return Err(ManagerError::Conflict(
            "When creating new deployments in a group, deployment ID template must contain a variable part, eg. `{uuid}`"
                .to_owned(),
        ));
    }
    let id = filled(pattern);
    EntityId::of_deployment(&id)?;
    let mut inputs = template.inputs.clone();
    match spec.get("inputs") {
        None | Some(Value::Null) => {}
        Some(Value::Object(given)) => inputs.extend(given.clone()),
        Some(other) => {
            return Err(ManagerError::BadParameters(format!("inputs must be a dict, got {other}")));
        }
    }
    let labels = match spec.get("labels") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(labels)) => labels.clone(),
        Some(other) => {
            return Err(ManagerError::BadParameters(format!("labels must be a list, got {other}")));
        }
    };
    Ok(NewDeployment {
        id,
        blueprint_id: template.blueprint.clone(),
        inputs,
        visibility: template.visibility,
        display_name: said("display_name").or_else(|| setting("display_name")).map(filled),
        labels,
        site_name: site.map(str::to_owned),
        runtime_only_evaluation: spec.get("runtime_only_evaluation") == Some(&Value::Bool(true)),
    })
}

/// Records the deployments, and the executions that make their nodes as one execution group.
pub(super) fn make(
    tx: &Transaction<'_>,
    caller: &Caller,
    group: &str,
    making: Option<Making>,
) -> Result<(), ManagerError> {
    let Some(making) = making else { return Ok(()) };
    let labels = members::labels_of(tx, caller, group)?;
    let executions = NewExecutionGroup {
        deployment_group_id: group.to_owned(),
        workflow_id: Workflow::CreateDeploymentEnvironment.as_str().to_owned(),
        concurrency: CONCURRENCY,
        ..NewExecutionGroup::default()
    };
    let executions = insert(tx, caller, &executions)?;
    let made = making.deployments.len();
    for (place, (mut new, plan)) in making.deployments.into_iter().enumerate() {
        new.labels.extend(labels.iter().cloned());
        let place = Place { group: &executions, concurrency: CONCURRENCY, number: place };
        record_deployment(tx, caller, &new, &plan, Some(&place))?;
        join(tx, caller.tenant.as_str(), group, &new.id)?;
    }
    tx.execute(
        "UPDATE deployment_groups SET creation_counter = creation_counter + ?3 WHERE tenant_name = ?1 AND id = ?2",
        (caller.tenant.as_str(), group, i64::try_from(made).unwrap_or(i64::MAX)),
    )?;
    Ok(())
}
