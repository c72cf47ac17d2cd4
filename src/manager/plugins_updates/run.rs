//! The execution `update_plugin`: one deployment after the other follows the blueprint's hidden copy, then the blueprint
//! itself becomes what the copy is. Also what is left where that does not come to its end.

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::database::DatabaseError;
use crate::executions::events;
use crate::executions::table::{self, Progress, StatusChange};
use crate::executions::{Job, JobError, JobResult};
use crate::failpoints;
use crate::model::{Execution, ExecutionStatus, Timestamp, Workflow};

use super::super::environment::told;
use super::super::updates::update_now;
use super::super::{Manager, ManagerError};
use super::ACTIVE;

/// How often it looks whether what runs on a deployment has ended.
const POLL: Duration = Duration::from_millis(50);

/// An update as its work needs it.
#[derive(Clone)]
struct Work {
    number: i64,
    blueprint: String,
    copy: String,
    force: bool,
    all_tenants: bool,
}

/// What came of one deployment.
enum Turn {
    Updated,
    /// An execution of its own runs.
    Busy,
    Refused(String),
}

/// Does the work of an update of plugins. For blocking threads.
///
/// # Errors
/// [`JobError::Failed`] where a deployment could not be updated; [`JobError::Cancelled`]. Deployments that were updated
/// before follow the copy then, which is shown.
pub fn run_update_plugin(manager: &Manager, job: &Job) -> JobResult {
    let execution = job.execution().clone();
    let id = execution.id.to_string();
    let work = manager.read_blocking(move |connection| work(connection, &id)).map_err(told)?;
    let tenant = execution.tenant_name.to_string();
    if execution.asks_for("auto_correct_types") {
        job.warn("`auto_correct_types` has no effect: inputs are taken as they are");
    }
    let mut pass = Pass { tried: HashSet::new(), refused: Vec::new(), updated: 0 };
    // Those that follow the blueprint since it was gone through come in another turn.
    while pass.go(manager, job, &work, &tenant)? {}
    let refused = pass.refused;
    if !refused.is_empty() {
        return Err(JobError::Failed(format!(
            "these deployments were not updated: {}; those that were follow the blueprint `{}`",
            refused.join(", "),
            work.copy
        )));
    }
    job.commit()?;
    job.progress(Progress { phase: "finalizing", ..Progress::default() });
    failpoints::hit("update_plugin:finalizing", job)?;
    manager.write_blocking(move |tx| finalize(tx, &execution, &work)).map_err(told)?;
    failpoints::hit("update_plugin:finalized", job)?;
    Ok(None)
}

/// How far the deployments were gone through.
struct Pass {
    /// The numbers of those that could not be updated.
    tried: HashSet<i64>,
    /// Their ids.
    refused: Vec<String>,
    updated: u64,
}

impl Pass {
    /// Goes once through the deployments that follow the blueprint, and answers whether there was one that had not been
    /// tried.
    fn go(&mut self, manager: &Manager, job: &Job, work: &Work, tenant: &str) -> Result<bool, JobError> {
        let count = {
            let (work, tenant) = (work.clone(), tenant.to_owned());
            manager.read_blocking(move |connection| count(connection, &tenant, &work)).map_err(told)?
        };
        let total_operations = self.updated + count;
        let (mut last, mut is_new) = (0, false);
        loop {
            job.check()?;
            let next = {
                let (work, tenant) = (work.clone(), tenant.to_owned());
                manager
                    .read_blocking(move |connection| next_following(connection, &tenant, &work, last))
                    .map_err(told)?
            };
            let Some((number, next)) = next else { return Ok(is_new) };
            if self.tried.contains(&number) {
                last = number;
                continue;
            }
            is_new = true;
            job.progress(Progress {
                phase: "updating",
                finished_operations: self.updated,
                total_operations: total_operations.max(self.updated + 1),
                ..Progress::default()
            });
            match update(manager, job, work, &next)? {
                Turn::Busy => {
                    std::thread::sleep(POLL);
                    continue;
                }
                Turn::Updated => {
                    self.updated += 1;
                    job.log(format!("updated the plugins of deployment {} of {}", next.1, next.0));
                    failpoints::hit("update_plugin:updated", job)?;
                }
                Turn::Refused(reason) => {
                    job.warn(format!(
                        "the plugins of deployment {} of {} were not updated: {reason}",
                        next.1, next.0
                    ));
                    self.refused.push(next.1);
                    self.tried.insert(number);
                }
            }
            last = number;
        }
    }
}

fn work(connection: &Connection, execution: &str) -> Result<Work, ManagerError> {
    Ok(connection.query_row(
        "SELECT number, blueprint_id, temp_blueprint_id, forced, all_tenants FROM plugins_updates WHERE execution_id = ?",
        [execution],
        |row| {
            Ok(Work {
                number: row.get(0)?,
                blueprint: row.get(1)?,
                copy: row.get(2)?,
                force: row.get(3)?,
                all_tenants: row.get(4)?,
            })
        },
    )?)
}

/// SQL: whether a deployment follows the blueprint `?2` of the tenant `?1`; those of other tenants where `?3`, and only
/// while it is global, as its id is unique then.
const FOLLOWS: &str = "blueprint_id = ?2 AND (tenant_name = ?1 OR (?3 AND EXISTS (SELECT 1 FROM blueprints b
    WHERE b.tenant_name = ?1 AND b.id = ?2 AND b.visibility = 'global')))";

/// How many deployments follow the blueprint of an update.
fn count(connection: &Connection, tenant: &str, work: &Work) -> Result<u64, ManagerError> {
    let count: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM deployments WHERE {FOLLOWS}"))?
        .query_row((tenant, &work.blueprint, work.all_tenants), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// A deployment: its number, and its tenant and id.
type Numbered = (i64, (String, String));

/// The oldest deployment after the one of this number that follows the blueprint of an update.
fn next_following(
    connection: &Connection,
    tenant: &str,
    work: &Work,
    after: i64,
) -> Result<Option<Numbered>, ManagerError> {
    let sql = format!(
        "SELECT number, tenant_name, id FROM deployments INDEXED BY deployments_by_blueprint
         WHERE {FOLLOWS} AND number > ?4 ORDER BY number LIMIT 1"
    );
    let next = connection
        .prepare_cached(&sql)?
        .query_row((tenant, &work.blueprint, work.all_tenants, after), |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
        })
        .optional()?;
    Ok(next)
}

/// The deployments that follow a blueprint of a tenant, there or everywhere: their tenants and ids.
///
/// # Errors
/// The database's own.
pub(super) fn following(
    connection: &Connection,
    tenant: &str,
    blueprint: &str,
    all_tenants: bool,
) -> Result<Vec<(String, String)>, ManagerError> {
    let deployments = connection
        .prepare_cached(&format!(
            "SELECT tenant_name, id FROM deployments WHERE {FOLLOWS} ORDER BY tenant_name, id"
        ))?
        .query_map((tenant, blueprint, all_tenants), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(deployments)
}

fn update(
    manager: &Manager,
    job: &Job,
    work: &Work,
    (tenant, deployment): &(String, String),
) -> Result<Turn, JobError> {
    let (execution, work) = (job.execution().clone(), work.clone());
    let (tenant, deployment) = (tenant.clone(), deployment.clone());
    let turn = manager.write_blocking(move |tx| {
        // Executions of one deployment run one after the other.
        let runs: bool = tx.query_row(
            "SELECT EXISTS (SELECT 1 FROM executions WHERE tenant_name = ? AND deployment_id = ? AND ended_at IS NULL
             AND started_at IS NOT NULL)",
            (&tenant, &deployment),
            |row| row.get(0),
        )?;
        if runs {
            return Ok(Turn::Busy);
        }
        update_now(tx, &execution, (&tenant, &deployment), &work.copy, work.force).map(|()| Turn::Updated)
    });
    match turn {
        Ok(turn) => Ok(turn),
        Err(
            error @ (ManagerError::Database(_)
            | ManagerError::Generation(_)
            | ManagerError::Io(_)
            | ManagerError::Vault(_)
            | ManagerError::Maintenance),
        ) => Err(told(error)),
        Err(error) => Ok(Turn::Refused(error.to_string())),
    }
}

/// Lets the blueprint be what its copy is, and its deployments follow it again. The execution ends with it: a stop of the
/// service right afterwards does not make it one that failed.
fn finalize(tx: &Transaction<'_>, execution: &Execution, work: &Work) -> Result<(), ManagerError> {
    let tenant = execution.tenant_name.as_str();
    let now = Timestamp::now().to_string();
    tx.execute(
        "UPDATE blueprints SET (plan, requirements, unresolved_imports) = (SELECT plan, requirements, unresolved_imports
         FROM blueprints c WHERE c.tenant_name = ?1 AND c.id = ?3), updated_at = ?4 WHERE tenant_name = ?1 AND id = ?2",
        (tenant, &work.blueprint, &work.copy, &now),
    )?;
    for (owner, deployment) in following(tx, tenant, &work.copy, true)? {
        tx.execute(
            "UPDATE deployments SET blueprint_id = ?3, updated_at = ?4 WHERE tenant_name = ?1 AND id = ?2",
            (owner, deployment, &work.blueprint, &now),
        )?;
    }
    tx.execute("DELETE FROM blueprints WHERE tenant_name = ? AND id = ?", (tenant, &work.copy))?;
    tx.execute(
        "UPDATE plugins_updates SET state = 'successful', temp_blueprint_id = NULL WHERE number = ?",
        [work.number],
    )?;
    let ended = ExecutionStatus::Terminated;
    if table::set_status(tx, execution.id, ended, &StatusChange::default())? {
        events::insert_event(tx, execution, &events::workflow_event(execution, "workflow_succeeded", ""))?;
    }
    Ok(())
}

/// Says of an update whose execution has ended otherwise than well that it failed.
///
/// # Errors
/// The database's own.
pub(in super::super) fn ended(
    tx: &Transaction<'_>,
    execution: &Execution,
    status: ExecutionStatus,
) -> Result<(), DatabaseError> {
    if execution.workflow == Workflow::UpdatePlugin && status != ExecutionStatus::Terminated {
        fail(tx, &format!("execution_id = '{}'", execution.id))?;
    }
    Ok(())
}

/// Says of the updates that nothing carries on that they failed. Does nothing when run twice.
///
/// # Errors
/// The database's own.
pub fn settle(connection: &Connection) -> Result<(), DatabaseError> {
    fail(
        connection,
        "NOT EXISTS (SELECT 1 FROM executions e WHERE e.id = execution_id AND e.ended_at IS NULL)",
    )
}

/// Closes updates: a copy that deployments follow is shown from now on, one that nothing follows goes.
fn fail(connection: &Connection, which: &str) -> Result<(), DatabaseError> {
    let ended = format!(
        "SELECT tenant_name, temp_blueprint_id FROM plugins_updates WHERE state IN {ACTIVE} AND {which}"
    );
    let is_followed = "EXISTS (SELECT 1 FROM deployments d WHERE d.blueprint_id = blueprints.id
         AND (d.tenant_name = blueprints.tenant_name OR blueprints.visibility = 'global'))";
    let copies = format!("(tenant_name, id) IN ({ended})");
    connection
        .execute(&format!("UPDATE blueprints SET is_hidden = 0 WHERE {copies} AND {is_followed}"), [])?;
    connection.execute(&format!("DELETE FROM blueprints WHERE {copies} AND NOT {is_followed}"), [])?;
    connection.execute(
        &format!(
            "UPDATE plugins_updates SET state = 'failed', temp_blueprint_id = (SELECT b.id FROM blueprints b
             WHERE b.tenant_name = plugins_updates.tenant_name AND b.id = temp_blueprint_id)
             WHERE state IN {ACTIVE} AND {which}"
        ),
        [],
    )?;
    Ok(())
}
