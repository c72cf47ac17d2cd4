//! What is done with an execution group once it is there: it is cancelled, resumed, and its outcome sorted.

use rusqlite::{Transaction, params};
use serde_json::{Map, Value};

use crate::database::DatabaseError;
use crate::executions::{Engine, ExecutionError, table};
use crate::model::{Caller, CancelMode, Execution, ExecutionId, ExecutionStatus};

use super::super::entities::{find, locate};
use super::super::groups::{DEPLOYMENT_GROUP, join};
use super::super::{Manager, ManagerError};
use super::{EXECUTION_GROUP, deployment_of, executions_of};

/// What is to be changed of an execution group; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct GroupTargets {
    /// The deployment group into which deployments come whose execution ended well.
    pub success_group_id: Option<String>,
    /// The one into which those come whose execution failed.
    pub failure_group_id: Option<String>,
    /// How many executions run beside each other.
    pub concurrency: Option<u32>,
}

impl Manager {
    /// Asks all executions of a group to stop that have not ended. Those that wait are cancelled first, so that none of
    /// them takes the place of one that stops.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; the database's own.
    pub async fn cancel_execution_group(
        &self,
        engine: &Engine,
        caller: &Caller,
        id: &str,
        mode: CancelMode,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (of, group) = (caller.clone(), id.to_owned());
        let open = self
            .read(move |connection| {
                locate(connection, &EXECUTION_GROUP, &of, &group)?;
                let mut open =
                    executions_of(connection, &group, "status IN ('pending', 'queued', 'scheduled')")?;
                let running = executions_of(
                    connection,
                    &group,
                    "ended_at IS NULL AND status NOT IN ('pending', 'queued', 'scheduled')",
                )?;
                open.extend(running);
                Ok(open)
            })
            .await?;
        for execution in open.iter().filter_map(|id| id.parse::<ExecutionId>().ok()) {
            match engine.cancel(execution, mode).await {
                // It ended meanwhile, or was asked before.
                Ok(_) | Err(ExecutionError::Illegal(_) | ExecutionError::NotFound(_)) => {}
                Err(ExecutionError::Conflict(_)) => {}
                Err(ExecutionError::Database(error)) => return Err(error.into()),
            }
        }
        self.execution_group(caller, id, None).await
    }

    /// Lets the executions of a group that failed or were cancelled run again. The engine has to be woken afterwards.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; the database's own.
    pub async fn resume_execution_group(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            locate(tx, &EXECUTION_GROUP, &caller, &id)?;
            for execution in executions_of(tx, &id, "status IN ('failed', 'cancelled')")? {
                table::resume(tx, &execution)?;
            }
            find(tx, &EXECUTION_GROUP, &caller, &id, None)
        })
        .await
    }

    /// Lets an execution of a deployment run again that failed or was cancelled. The engine has to be woken afterwards.
    ///
    /// # Errors
    /// [`ManagerError::Conflict`] where it stands otherwise; [`ManagerError::IllegalAction`] for one of the service.
    pub async fn resume_execution(&self, id: ExecutionId) -> Result<(), ManagerError> {
        self.write(move |tx| {
            let Some(execution) = table::find(tx, id)? else {
                return Err(ManagerError::IllegalAction(format!(
                    "Cannot resume execution: `{id}` is one of the service; ask for it anew"
                )));
            };
            if table::resume(tx, &id.to_string())? {
                return Ok(());
            }
            let status = execution.status.as_str();
            Err(ManagerError::Conflict(format!("Cannot resume execution: `{id}` in state: `{status}`")))
        })
        .await
    }

    /// Changes where the deployments of a group come that ended well or failed, those that have ended among them, and how
    /// many of it run beside each other. The engine has to be woken afterwards.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the group or a target.
    pub async fn change_execution_group(
        &self,
        caller: &Caller,
        id: &str,
        change: GroupTargets,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &EXECUTION_GROUP, &caller, &id)?;
            for (target, ended) in
                [(&change.success_group_id, "terminated"), (&change.failure_group_id, "failed")]
            {
                let Some(target) = target else { continue };
                locate(tx, &DEPLOYMENT_GROUP, &caller, target)?;
                let deployments: Vec<String> = tx
                    .prepare_cached(
                        "SELECT DISTINCT deployment_id FROM executions WHERE execution_group_id = ? AND status = ?
                         AND deployment_id IS NOT NULL",
                    )?
                    .query_map((&id, ended), |row| row.get(0))?
                    .collect::<rusqlite::Result<_>>()?;
                for deployment in deployments {
                    join(tx, caller.tenant.as_str(), target, &deployment)?;
                }
            }
            tx.execute(
                "UPDATE execution_groups SET success_group_id = coalesce(?2, success_group_id),
                 failure_group_id = coalesce(?3, failure_group_id), concurrency = coalesce(?4, concurrency)
                 WHERE number = ?1",
                params![number, change.success_group_id, change.failure_group_id, change.concurrency],
            )?;
            if let Some(concurrency) = change.concurrency {
                tx.execute(
                    "UPDATE executions SET execution_group_concurrency = ?2 WHERE execution_group_id = ?1
                     AND ended_at IS NULL",
                    (&id, concurrency),
                )?;
            }
            find(tx, &EXECUTION_GROUP, &caller, &id, None)
        })
        .await
    }
}

/// Writes what else changes with the end of an execution: the record of the update that it applied, and the group into
/// which its deployment comes for such an end.
///
/// # Errors
/// The database's own.
pub fn ended(
    tx: &Transaction<'_>,
    execution: &Execution,
    status: ExecutionStatus,
) -> Result<(), DatabaseError> {
    super::super::updates::ended(tx, execution, status)?;
    super::super::plugins_updates::ended(tx, execution, status)?;
    let (Some(group), Some(deployment)) = (&execution.group, deployment_of(execution)) else { return Ok(()) };
    let column = match status {
        ExecutionStatus::Terminated => "success_group_id",
        ExecutionStatus::Failed => "failure_group_id",
        _ => return Ok(()),
    };
    let tenant = execution.tenant_name.as_str();
    tx.execute(
        &format!(
            "INSERT INTO deployment_group_members (tenant_name, group_id, deployment_id)
             SELECT g.tenant_name, t.id, d.id FROM execution_groups g
               JOIN deployment_groups t ON t.tenant_name = g.tenant_name AND t.id = g.{column}
               JOIN deployments d ON d.tenant_name = g.tenant_name AND d.id = ?3
             WHERE g.tenant_name = ?1 AND g.id = ?2 ON CONFLICT DO NOTHING"
        ),
        (tenant, &group.id, deployment),
    )?;
    Ok(())
}
