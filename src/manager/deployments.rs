//! Deployments: created from a blueprint, listed, changed, removed.
//!
//! Creating and removing one is a row and an execution; `environment` does their work.

use rusqlite::params;
use serde_json::{Map, Value, json};

use crate::database::{Collection, Column, ColumnKind, ListQuery, Page};
use crate::model::{Caller, EntityId, Timestamp, UserName, Visibility};

use super::blueprint::{DeploymentError, evaluate_outputs, plan_deployment};
use super::blueprints::plan_of;
use super::deployment_status::{execution_status, installation_status, latest_execution};
use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, find, locate, set_visibility};
use super::filters::{Choice, Filtered};
use super::hierarchy::{
    DEPLOYMENT_STATUS, SUB_ENVIRONMENTS, SUB_ENVIRONMENTS_STATUS, SUB_SERVICES, SUB_SERVICES_STATUS,
    check_parents,
};
use super::labels::relabelled;
use super::nodes::{instances_of, nodes_of};
use super::recording::{check_idle, record_deletion, record_deployment};
use super::sites::{check_site, site_of};
use super::{Manager, ManagerError};

macro_rules! count_instances {
    ($condition:literal) => {
        concat!(
            "(SELECT count(*) FROM node_instances i WHERE i.tenant_name = deployments.tenant_name
             AND i.deployment_id = deployments.id AND ",
            $condition,
            ")"
        )
    };
}

/// A deployment as Cloudify 7 lists it.
pub const DEPLOYMENTS: Collection = Collection {
    noun: "Deployment",
    table: "deployments",
    columns: &[
        Column::text("id"),
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("description"),
        Column::json("inputs"),
        Column::json("groups"),
        Column::expression("permalink", "NULL", ColumnKind::Text),
        Column::json("policy_triggers"),
        Column::json("policy_types"),
        Column::json("outputs"),
        Column::json("capabilities"),
        Column::json("scaling_groups"),
        Column::text("updated_at"),
        Column::json("workflows"),
        Column::boolean("runtime_only_evaluation"),
        Column::expression("installation_status", installation_status!(), ColumnKind::Text),
        DEPLOYMENT_STATUS,
        SUB_SERVICES_STATUS,
        SUB_ENVIRONMENTS_STATUS,
        SUB_SERVICES,
        SUB_ENVIRONMENTS,
        Column::text("display_name"),
        Column::json("labels"),
        Column::text("blueprint_id"),
        Column::text("site_name"),
        Column::text("create_execution"),
        Column::expression("latest_execution", latest_execution!("e.id"), ColumnKind::Text),
        Column::expression(
            "latest_execution_workflow_id",
            latest_execution!("e.workflow_id"),
            ColumnKind::Text,
        ),
        Column::expression("latest_execution_status", execution_status!(), ColumnKind::Text),
        Column::expression(
            "latest_execution_total_operations",
            latest_execution!("e.total_operations"),
            ColumnKind::Integer,
        ),
        Column::expression(
            "latest_execution_finished_operations",
            latest_execution!("e.finished_operations"),
            ColumnKind::Integer,
        ),
        Column::expression(
            "deployment_groups",
            "(SELECT json_group_array(m.group_id) FROM (SELECT group_id FROM deployment_group_members
             WHERE tenant_name = deployments.tenant_name AND deployment_id = deployments.id ORDER BY group_id) m)",
            ColumnKind::Json,
        ),
        Column::expression("schedules", "'[]'", ColumnKind::Json),
        Column::expression(
            "environment_type",
            "coalesce((SELECT json_extract(l.value, '$.value') FROM json_each(deployments.labels) l
             WHERE json_extract(l.value, '$.key') = 'csys-env-type' LIMIT 1), '')",
            ColumnKind::Text,
        ),
        Column::json("resource_tags"),
        Column::expression(
            "unavailable_instances",
            count_instances!("i.is_status_check_ok = 0"),
            ColumnKind::Integer,
        ),
        Column::expression(
            "drifted_instances",
            count_instances!("i.has_configuration_drift = 1"),
            ColumnKind::Integer,
        ),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
    ],
    search: &["id", "display_name"],
    default_sort: "created_at, number",
};

pub(super) const DEPLOYMENT: Kind = Kind { collection: &DEPLOYMENTS, key: "id" };

/// A deployment that a caller asks for.
#[derive(Debug)]
pub struct NewDeployment {
    /// The id that the caller gives it.
    pub id: String,
    /// The blueprint that it is made from.
    pub blueprint_id: String,
    /// The values of the blueprint's inputs.
    pub inputs: Map<String, Value>,
    /// Who may see it.
    pub visibility: Visibility,
    /// The name that people see; the id where none is given.
    pub display_name: Option<String>,
    /// Labels beside those of the blueprint, each `{key: value}`.
    pub labels: Vec<Value>,
    /// The site where it stands.
    pub site_name: Option<String>,
    /// Whether functions are evaluated only as it runs.
    pub runtime_only_evaluation: bool,
}

/// How a deployment is to be removed.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeleteDeployment {
    /// Also where node instances live.
    pub force: bool,
    /// The events and logs of its executions go too.
    pub delete_logs: bool,
}

/// What is to be changed of a deployment; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct DeploymentChange {
    /// The name that people see.
    pub display_name: Option<String>,
    /// The labels, all of them.
    pub labels: Option<Vec<Value>>,
    /// The site; `Some(None)` takes it away.
    pub site_name: Option<Option<String>>,
    /// Whose it is.
    pub owner: Option<UserName>,
    /// What it is, where that is not said yet.
    pub description: Option<String>,
    /// Something that was to be changed and has stood since it was made.
    pub fixed: Option<&'static str>,
}

impl DeploymentChange {
    /// What a deployment has from its making, and what only an update changes.
    pub const FIXED: [&str; 8] = [
        "workflows",
        "inputs",
        "policy_types",
        "policy_triggers",
        "groups",
        "scaling_groups",
        "outputs",
        "capabilities",
    ];
}

impl From<DeploymentError> for ManagerError {
    fn from(error: DeploymentError) -> Self {
        match &error {
            DeploymentError::MissingInputs { .. } => Self::MissingInputs(error.to_string()),
            DeploymentError::UnknownInputs { .. } => Self::UnknownInputs(error.to_string()),
            DeploymentError::InputType { .. }
            | DeploymentError::Constraint { .. }
            | DeploymentError::Function { .. }
            | DeploymentError::Plan(_) => Self::BadParameters(error.to_string()),
        }
    }
}

impl Manager {
    /// The deployments that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn deployments(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.search(caller, Filtered::Deployments, Choice::default(), query).await
    }

    /// One deployment.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn deployment(
        &self,
        caller: &Caller,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.one(&DEPLOYMENT, caller, id, include).await
    }

    /// Records a deployment and the execution that makes its nodes and node instances; the engine has to be woken
    /// afterwards. The inputs are judged at once.
    ///
    /// # Errors
    /// An id that can't be one or is taken; an absent or unread blueprint; missing, unknown or wrong inputs.
    pub async fn create_deployment(
        &self,
        caller: &Caller,
        new: NewDeployment,
    ) -> Result<Map<String, Value>, ManagerError> {
        let id = EntityId::of_deployment(&new.id)?;
        let (tenant, blueprint, inputs) =
            (caller.tenant.clone(), new.blueprint_id.clone(), new.inputs.clone());
        // Planned outside of the transaction that writes: it may take a while. The ids of instances are only tried.
        let plan = self
            .read(move |connection| {
                let plan = plan_of(connection, tenant.as_str(), &blueprint)?;
                Ok(plan_deployment(&plan, &inputs, &mut new_instance_id)?)
            })
            .await?;
        let caller = caller.clone();
        self.write(move |tx| {
            // It may have been removed meanwhile.
            plan_of(tx, caller.tenant.as_str(), &new.blueprint_id)?;
            record_deployment(tx, &caller, &new, &plan, None)?;
            find(tx, &DEPLOYMENT, &caller, id.as_str(), None)
        })
        .await
    }

    /// Records the execution that removes a deployment, which stays in the list until that has ended; the engine has to
    /// be woken afterwards. Answers the deployment.
    ///
    /// # Errors
    /// [`ManagerError::DependentExists`] while executions run or node instances live, unless forced.
    pub async fn delete_deployment(
        &self,
        caller: &Caller,
        id: &str,
        options: DeleteDeployment,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            locate(tx, &DEPLOYMENT, &caller, &id)?;
            check_idle(tx, &caller, &id, options.force)?;
            let deployment = find(tx, &DEPLOYMENT, &caller, &id, None)?;
            record_deletion(tx, &caller, &id, options, None)?;
            Ok(deployment)
        })
        .await
    }

    /// Changes a deployment, and answers it.
    ///
    /// # Errors
    /// Labels that are none; [`ManagerError::Conflict`] where a description, or what never changes, is set already;
    /// [`ManagerError::NotFound`].
    pub async fn change_deployment(
        &self,
        caller: &Caller,
        id: &str,
        change: DeploymentChange,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &DEPLOYMENT, &caller, &id)?;
            let labels = match &change.labels {
                Some(given) => {
                    let labels = relabelled(tx, "deployments", number, &caller, given)?;
                    check_parents(tx, &caller, &id, &labels)?;
                    Some(labels.to_string())
                }
                None => None,
            };
            if let Some(Some(site)) = &change.site_name {
                let visibility: String =
                    tx.query_row("SELECT visibility FROM deployments WHERE number = ?", [number], |row| {
                        row.get(0)
                    })?;
                let visibility = Visibility::parse(&visibility).unwrap_or(Visibility::Tenant);
                check_site(tx, &caller, site, (&id, visibility))?;
            }
            let is_described: bool = tx.query_row(
                "SELECT description IS NOT NULL FROM deployments WHERE number = ?",
                [number],
                |row| row.get(0),
            )?;
            let told_again = change.description.as_ref().filter(|_| is_described).map(|_| "description");
            if let Some(name) = change.fixed.or(told_again) {
                return Err(ManagerError::Conflict(format!("{name} is already set")));
            }
            let sets_site = change.site_name.is_some();
            tx.execute(
                "UPDATE deployments SET display_name = coalesce(?2, display_name), labels = coalesce(?3, labels),
                 site_name = CASE WHEN ?4 THEN ?5 ELSE site_name END, updated_at = ?6,
                 created_by = coalesce(?7, created_by), description = coalesce(?8, description) WHERE number = ?1",
                params![
                    number,
                    change.display_name,
                    labels,
                    sets_site,
                    change.site_name.flatten(),
                    Timestamp::now().to_string(),
                    change.owner.as_ref().map(UserName::as_str),
                    change.description,
                ],
            )?;
            find(tx, &DEPLOYMENT, &caller, &id, None)
        })
        .await
    }

    /// Lets more callers see a deployment, its nodes, node instances and modifications.
    ///
    /// # Errors
    /// [`ManagerError::IllegalAction`] where it is seen by more already, or exists in other tenants.
    pub async fn set_deployment_visibility(
        &self,
        caller: &Caller,
        id: &str,
        visibility: Visibility,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &DEPLOYMENT, &caller, &id)?;
            if let Some(site) = site_of(tx, number)? {
                check_site(tx, &caller, &site, (&id, visibility))?;
            }
            set_visibility(tx, &DEPLOYMENT, &caller, &id, visibility)?;
            for table in ["nodes", "node_instances", "deployment_modifications"] {
                tx.execute(
                    &format!(
                        "UPDATE {table} SET visibility = ?3 WHERE tenant_name = ?1 AND deployment_id = ?2"
                    ),
                    (caller.tenant.as_str(), &id, visibility.as_str()),
                )?;
            }
            find(tx, &DEPLOYMENT, &caller, &id, None)
        })
        .await
    }

    /// The values of a deployment's outputs as they are now. Secrets stay references.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; outputs that can't be evaluated.
    pub async fn deployment_outputs(&self, caller: &Caller, id: &str) -> Result<Value, ManagerError> {
        self.evaluated(caller, id, "outputs").await
    }

    /// The values of a deployment's capabilities as they are now. Secrets stay references.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; capabilities that can't be evaluated.
    pub async fn deployment_capabilities(&self, caller: &Caller, id: &str) -> Result<Value, ManagerError> {
        self.evaluated(caller, id, "capabilities").await
    }

    async fn evaluated(
        &self,
        caller: &Caller,
        id: &str,
        section: &'static str,
    ) -> Result<Value, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.read(move |connection| {
            let include = vec![section.to_owned(), "tenant_name".to_owned()];
            let deployment = find(connection, &DEPLOYMENT, &caller, &id, Some(include))?;
            let tenant = deployment["tenant_name"].as_str().unwrap_or_default();
            let values = evaluate_outputs(
                deployment[section].as_object().unwrap_or(&Map::new()),
                &nodes_of(connection, tenant, &id)?,
                &instances_of(connection, tenant, &id)?,
            )?;
            Ok(json!({ "deployment_id": id, section: values }))
        })
        .await
    }
}

/// A new node instance's id for the name of its node: eight random letters and digits make a repetition unlikely.
pub(super) fn new_instance_id(name: &str) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let random: String =
        (0..8).map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())])).collect();
    format!("{name}_{random}")
}
