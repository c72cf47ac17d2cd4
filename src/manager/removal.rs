//! Executions and events that are removed because they are old: those of the manager's state, never those of the
//! service.

use rusqlite::{Transaction, params_from_iter};

use crate::database::{ListQuery, Scope, condition, text};
use crate::executions::EventChoice;
use crate::executions::events::EVENTS;
use crate::executions::table::EXECUTIONS;
use crate::model::{Caller, Timestamp};

use super::deployments::DEPLOYMENT;
use super::entities::find;
use super::scope::writable;
use super::{Manager, ManagerError};

/// Which ended executions are kept.
#[derive(Clone, Copy, Debug)]
pub enum Keep {
    /// The youngest, so many.
    Last(u64),
    /// Those that were recorded after this moment.
    After(Timestamp),
}

/// What ended and may go: the execution that made a deployment stays as long as the deployment is there.
const REMOVABLE: &str = "ended_at IS NOT NULL AND NOT (workflow_id = 'create_deployment_environment' AND EXISTS (
    SELECT 1 FROM deployments d WHERE d.tenant_name = executions.tenant_name AND d.create_execution = executions.id))";

impl Manager {
    /// Removes ended executions of the caller's tenant, or of all tenants, with their events; answers how many.
    ///
    /// # Errors
    /// [`ManagerError::Forbidden`] for all tenants, unless the caller is an administrator; a filter on a column that
    /// there is not; the database's own.
    pub async fn delete_executions(
        &self,
        caller: &Caller,
        query: ListQuery,
        keep: Keep,
    ) -> Result<u64, ManagerError> {
        let mut scope = removable(caller, query.all_tenants)?.and(REMOVABLE, []);
        let kept = match keep {
            Keep::Last(count) => i64::try_from(count).unwrap_or(i64::MAX),
            Keep::After(moment) => {
                scope = scope.and("created_at <= ?", [text(moment.to_string())]);
                0
            }
        };
        let (condition, mut parameters) = condition(&EXECUTIONS, &query, &scope)?;
        parameters.push(kept.into());
        self.write(move |tx| {
            let chosen = format!(
                "FROM executions WHERE {condition} ORDER BY created_at DESC, number DESC LIMIT -1 OFFSET ?"
            );
            let execute = |tx: &Transaction<'_>, sql: String| {
                tx.prepare_cached(&sql)?.execute(params_from_iter(parameters.iter()))
            };
            execute(tx, format!("DELETE FROM events WHERE execution_id IN (SELECT id {chosen})"))?;
            let removed =
                execute(tx, format!("DELETE FROM executions WHERE number IN (SELECT number {chosen})"))?;
            Ok(removed as u64)
        })
        .await
    }

    /// Removes the events of a deployment's executions that were chosen; answers how many.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the deployment; a filter on a column that there is not; the database's own.
    pub async fn delete_events(
        &self,
        caller: &Caller,
        deployment: &str,
        query: ListQuery,
        choice: EventChoice,
    ) -> Result<u64, ManagerError> {
        let (caller, deployment) = (caller.clone(), deployment.to_owned());
        self.write(move |tx| {
            find(tx, &DEPLOYMENT, &caller, &deployment, Some(vec!["id".to_owned()]))?;
            let scope =
                choice.restrict(Scope::everything().and("tenant_name = ?", [text(caller.tenant.as_str())]));
            let (condition, parameters) = condition(&EVENTS, &query, &scope)?;
            let removed = tx
                .prepare_cached(&format!("DELETE FROM events WHERE {condition}"))?
                .execute(params_from_iter(parameters.iter()))?;
            Ok(removed as u64)
        })
        .await
    }
}

fn removable(caller: &Caller, all_tenants: bool) -> Result<Scope, ManagerError> {
    match (all_tenants, caller.is_admin()) {
        (false, _) => Ok(writable(caller)),
        (true, true) => Ok(Scope::everything()),
        (true, false) => Err(ManagerError::Forbidden(format!(
            "User `{}` is not permitted to perform the action execution_delete in all tenants",
            caller.user
        ))),
    }
}
