//! Execution groups: a workflow run on every deployment of a deployment group, so many at a time.
//!
//! The group of an execution stands in its row, where the engine reads how many of it may run beside each other.

mod control;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::database::{Collection, Column, ColumnKind, ListQuery, Page};
use crate::executions::events;
use crate::model::{
    Caller, EntityId, Execution, ExecutionGroup, ExecutionStatus, Timestamp, UserName, Workflow,
};

use super::deployments::DeleteDeployment;
use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, find, locate};
use super::groups::{DEPLOYMENT_GROUP, member_ids};
use super::recording::check_idle;
use super::updates::{GROUP_UPDATE_WORKFLOW, UpdateRequest, record_update};
use super::workflows::{Start, StartOptions, record};
use super::{Manager, ManagerError};

pub use control::{GroupTargets, ended};

/// How many executions of a group run beside each other where nobody says otherwise.
pub const DEFAULT_CONCURRENCY: u32 = 5;
/// How many environments are removed beside each other.
const DELETIONS: u32 = 5;

/// The table of execution groups.
pub const SCHEMA_V5: &str = "
CREATE TABLE execution_groups (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    deployment_group_id TEXT,
    concurrency INTEGER NOT NULL,
    success_group_id TEXT,
    failure_group_id TEXT,
    UNIQUE (tenant_name, id)
) STRICT;
";

/// An execution group as Cloudify 7 lists it, with what Lifeboat adds at the end.
pub const EXECUTION_GROUPS: Collection = Collection {
    noun: "ExecutionGroup",
    table: "execution_groups",
    columns: &[
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("id"),
        Column::text("workflow_id"),
        Column::integer("concurrency"),
        Column::expression(
            "execution_ids",
            "(SELECT json_group_array(e.id) FROM (SELECT id FROM executions WHERE execution_group_id = execution_groups.id
             ORDER BY created_at, id) e)",
            ColumnKind::Json,
        ),
        Column::text("deployment_group_id"),
        // One without executions has nothing left to do.
        Column::expression(
            "status",
            "(SELECT CASE
               WHEN count(*) = 0 THEN 'terminated'
               WHEN sum(e.status <> 'pending') = 0 THEN 'pending'
               WHEN sum(e.status NOT IN ('pending', 'queued', 'scheduled')) = 0 THEN 'queued'
               WHEN sum(e.ended_at IS NULL) > 0 THEN 'started'
               WHEN sum(e.status = 'failed') > 0 THEN 'failed'
               ELSE 'terminated' END
             FROM executions e WHERE e.execution_group_id = execution_groups.id)",
            ColumnKind::Text,
        ),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
        Column::text("success_group_id"),
        Column::text("failure_group_id"),
    ],
    search: &["id"],
    default_sort: "created_at, number",
};

pub(super) const EXECUTION_GROUP: Kind = Kind { collection: &EXECUTION_GROUPS, key: "id" };

/// An execution group that a caller asks for.
#[derive(Clone, Debug, Default)]
pub struct NewExecutionGroup {
    /// The deployment group on whose deployments the workflow is run.
    pub deployment_group_id: String,
    /// The workflow.
    pub workflow_id: String,
    /// Parameters of every execution.
    pub default_parameters: Map<String, Value>,
    /// Parameters by deployment, before the default ones.
    pub parameters: Map<String, Value>,
    /// How many executions run beside each other.
    pub concurrency: u32,
    /// Whether an execution starts although another one of its deployment runs.
    pub force: bool,
    /// Executions that there are already: nothing is started then.
    pub executions: Vec<String>,
    /// Its id, where it had one before.
    pub id: Option<String>,
    /// Whose it is, where that is not the caller.
    pub created_by: Option<UserName>,
    /// When it was made, where that is not now.
    pub created_at: Option<Timestamp>,
}

/// The place of an execution in a group that is being made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub group: &'a str,
    pub concurrency: u32,
    /// How many executions of the group are before it.
    pub number: usize,
}

impl Place<'_> {
    /// Lets an execution be of the group; what is past its concurrency waits.
    pub fn take(&self, execution: &mut Execution) {
        execution.group =
            Some(ExecutionGroup { id: self.group.to_owned(), concurrency: self.concurrency as usize });
        if self.number >= self.concurrency as usize && execution.status == ExecutionStatus::Pending {
            execution.status = ExecutionStatus::Queued;
        }
    }
}

impl Manager {
    /// The execution groups that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn execution_groups(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.page(&EXECUTION_GROUP, caller, query).await
    }

    /// One execution group.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn execution_group(
        &self,
        caller: &Caller,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.one(&EXECUTION_GROUP, caller, id, include).await
    }

    /// Records an execution of a workflow for every deployment of a group, all or none; one that has not the workflow is
    /// told in the group's log. The engine has to be woken afterwards.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the group; parameters that the workflow does not take.
    pub async fn start_execution_group(
        &self,
        caller: &Caller,
        new: NewExecutionGroup,
    ) -> Result<Map<String, Value>, ManagerError> {
        let caller = caller.clone();
        self.write(move |tx| {
            locate(tx, &DEPLOYMENT_GROUP, &caller, &new.deployment_group_id)?;
            let id = insert(tx, &caller, &new)?;
            if new.executions.is_empty() {
                start(tx, &caller, &id, &new)?;
            } else {
                adopt(tx, &caller, &id, &new)?;
            }
            find(tx, &EXECUTION_GROUP, &caller, &id, None)
        })
        .await
    }
}

/// Writes the record of a group, and answers its id. Who sees the deployment group sees it.
pub(super) fn insert(
    tx: &Transaction<'_>,
    caller: &Caller,
    new: &NewExecutionGroup,
) -> Result<String, ManagerError> {
    let id = new.id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    if !matches!(locate(tx, &EXECUTION_GROUP, caller, &id), Err(ManagerError::NotFound { .. })) {
        let tenant = caller.tenant.to_string();
        return Err(ManagerError::Exists { noun: EXECUTION_GROUPS.noun, id, tenant });
    }
    let visibility: Option<String> = tx
        .query_row(
            "SELECT visibility FROM deployment_groups WHERE tenant_name = ? AND id = ?",
            (caller.tenant.as_str(), &new.deployment_group_id),
            |row| row.get(0),
        )
        .optional()?;
    tx.execute(
        "INSERT INTO execution_groups (tenant_name, id, visibility, created_at, created_by, workflow_id,
         deployment_group_id, concurrency) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            caller.tenant.as_str(),
            id,
            visibility.unwrap_or_else(|| "tenant".to_owned()),
            new.created_at.unwrap_or_else(Timestamp::now).to_string(),
            new.created_by.as_ref().unwrap_or(&caller.user).as_str(),
            new.workflow_id,
            new.deployment_group_id,
            new.concurrency,
        ],
    )?;
    Ok(id)
}

fn start(
    tx: &Transaction<'_>,
    caller: &Caller,
    id: &str,
    new: &NewExecutionGroup,
) -> Result<(), ManagerError> {
    let mut number = 0;
    for deployment in member_ids(tx, caller.tenant.as_str(), &new.deployment_group_id)? {
        if new.workflow_id == GROUP_UPDATE_WORKFLOW {
            let place = Place { group: id, concurrency: new.concurrency, number };
            record_update(tx, caller, &deployment, &update_request(&new.default_parameters), Some(&place))?;
            number += 1;
            continue;
        }
        let mut parameters = new.default_parameters.clone();
        if let Some(own) = new.parameters.get(&deployment).and_then(Value::as_object) {
            parameters.extend(own.clone());
        }
        let start = Start {
            tenant: caller.tenant.clone(),
            created_by: caller.user.clone(),
            deployment,
            workflow: new.workflow_id.clone(),
        };
        let options = StartOptions { force: new.force, queue: true, ..StartOptions::default() };
        let place = Place { group: id, concurrency: new.concurrency, number };
        match record(tx, &start, parameters, &options, Some(&place)) {
            Ok(_) => number += 1,
            Err(error @ ManagerError::NonexistentWorkflow(_)) => {
                events::insert_group_log(tx, &caller.tenant, id, &new.workflow_id, &error.to_string())?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a group's parameters say of the update of each of its deployments.
fn update_request(parameters: &Map<String, Value>) -> UpdateRequest {
    let flag = |name: &str| parameters.get(name).and_then(Value::as_bool);
    UpdateRequest {
        blueprint_id: parameters.get("blueprint_id").and_then(Value::as_str).map(str::to_owned),
        inputs: parameters.get("inputs").and_then(Value::as_object).cloned().unwrap_or_default(),
        runtime_only_evaluation: flag("runtime_only_evaluation"),
        skip_install: flag("skip_install").unwrap_or(false),
        force: flag("force").unwrap_or(false) || flag("reevaluate_active_statuses").unwrap_or(false),
    }
}

/// Lets executions that there are already be of the group.
fn adopt(
    tx: &Transaction<'_>,
    caller: &Caller,
    id: &str,
    new: &NewExecutionGroup,
) -> Result<(), ManagerError> {
    for execution in &new.executions {
        let adopted = tx.execute(
            "UPDATE executions SET execution_group_id = ?3, execution_group_concurrency = ?4
             WHERE tenant_name = ?1 AND id = ?2",
            params![caller.tenant.as_str(), execution, id, new.concurrency],
        )?;
        if adopted == 0 {
            return Err(ManagerError::NotFound { noun: "Execution", id: execution.clone() });
        }
    }
    Ok(())
}

/// Records the executions that remove the deployments of a deployment group, as one execution group.
///
/// # Errors
/// [`ManagerError::DependentExists`] where one of them can't go.
pub(super) fn record_deletion(
    tx: &Transaction<'_>,
    caller: &Caller,
    group: &str,
    options: DeleteDeployment,
) -> Result<(), ManagerError> {
    let new = NewExecutionGroup {
        deployment_group_id: group.to_owned(),
        workflow_id: Workflow::DeleteDeploymentEnvironment.as_str().to_owned(),
        concurrency: DELETIONS,
        ..NewExecutionGroup::default()
    };
    let id = insert(tx, caller, &new)?;
    for (number, deployment) in member_ids(tx, caller.tenant.as_str(), group)?.into_iter().enumerate() {
        check_idle(tx, caller, &deployment, options.force)?;
        let place = Place { group: &id, concurrency: DELETIONS, number };
        super::recording::record_deletion(tx, caller, &deployment, options, Some(&place))?;
    }
    Ok(())
}

/// The executions of a group that stand where `condition` says, oldest first.
fn executions_of(connection: &Connection, group: &str, condition: &str) -> Result<Vec<String>, ManagerError> {
    let sql = format!(
        "SELECT id FROM executions WHERE execution_group_id = ? AND {condition} ORDER BY created_at, id"
    );
    let ids = connection
        .prepare_cached(&sql)?
        .query_map([group], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(ids)
}

/// The deployment of an execution, where it has one.
fn deployment_of(execution: &Execution) -> Option<&str> {
    execution.deployment_id.as_ref().map(EntityId::as_str)
}
