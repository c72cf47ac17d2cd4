//! What happens when the time of a schedule has come.
//!
//! The execution, the next occurrence and the note that this one has been are written in one transaction on the live
//! state, so that an occurrence starts its execution once: across a crash, because the row is the memory; across a
//! restore and a rollback, because the notes of both states are put together before the other one becomes live.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Map, Value};

use crate::executions::events;
use crate::executions::table;
use crate::model::{ExecutionId, ExecutionStatus, TenantName, Timestamp, UserName, Workflow};

use super::super::workflows::{Start, StartOptions, record};
use super::super::{Generation, Manager, ManagerError};
use super::Kept;

/// How much later than its time an occurrence may always start, beside its slip: nobody looks more often than that.
const GRACE_SECONDS: i64 = 60;
/// How far ahead of the clock an occurrence may lie that has been already, as the clock was put right. One further ahead
/// is of a clock that was wrong, and does not count.
const AHEAD_SECONDS: i64 = 86_400;

/// What a look at the schedules came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    /// The executions that were recorded; the engine has to be woken for them.
    pub executions: Vec<ExecutionId>,
    /// How many occurrences were passed over: too late, or the execution before still runs.
    pub passed: usize,
}

/// A schedule whose time has come.
struct Due {
    number: i64,
    tenant: String,
    id: String,
    deployment: String,
    created_at: String,
    created_by: String,
    workflow: String,
    parameters: Option<String>,
    arguments: String,
    slip_minutes: i64,
    stop_on_fail: bool,
    occurrence: Timestamp,
    latest_status: Option<String>,
    kept: Kept,
}

impl Manager {
    /// Starts the executions of all schedules whose time has come at `now`. Run twice, it starts none a second time.
    ///
    /// # Errors
    /// [`ManagerError::Maintenance`] while a restore keeps writers out: they wait; the database's own.
    pub async fn fire_schedules(&self, now: Timestamp) -> Result<Fired, ManagerError> {
        // Most of the time nothing is due, and the writer is left alone.
        let is_due = self
            .read(move |connection| {
                let sql = "SELECT EXISTS (SELECT 1 FROM execution_schedules WHERE enabled = 1 AND next_occurrence <= ?)";
                Ok(connection.prepare_cached(sql)?.query_row([now.to_string()], |row| row.get::<_, bool>(0))?)
            })
            .await?;
        if !is_due {
            return Ok(Fired::default());
        }
        self.write(move |tx| {
            let mut fired = Fired::default();
            for due in due(tx, now)? {
                match fire(tx, &due, now)? {
                    Some(execution) => fired.executions.push(execution),
                    None => fired.passed += 1,
                }
            }
            Ok(fired)
        })
        .await
    }

    /// Finds anew when each schedule occurs next, as the clock may have gone back: what was passed over while it was
    /// ahead is still to come. Run twice, it changes nothing.
    ///
    /// # Errors
    /// [`ManagerError::Maintenance`] while a restore keeps writers out; the database's own.
    pub async fn recount_schedules(&self, now: Timestamp) -> Result<(), ManagerError> {
        // Most of the time nothing is to be changed, and the writer is left alone.
        let is_right = self.read(move |connection| Ok(recounted(connection, now)?.is_empty())).await?;
        if is_right {
            return Ok(());
        }
        self.write(move |tx| {
            for (number, next) in recounted(tx, now)? {
                tx.execute(
                    "UPDATE execution_schedules SET next_occurrence = ?2 WHERE number = ?1",
                    (number, next),
                )?;
            }
            let ahead = now.plus_seconds(AHEAD_SECONDS).to_string();
            tx.execute("DELETE FROM fired_schedules WHERE occurrence > ?", [ahead])?;
            Ok(())
        })
        .await
    }
}

/// The schedules whose next occurrence is another one than is kept, and which. What is due already is left as it is.
fn recounted(connection: &Connection, now: Timestamp) -> Result<Vec<(i64, Option<String>)>, ManagerError> {
    let mut statement = connection.prepare_cached(
        "SELECT rule, since, until, number, next_occurrence FROM execution_schedules
         WHERE next_occurrence IS NULL OR next_occurrence > ?",
    )?;
    let kept = statement
        .query_map([now.to_string()], |row| Ok((Kept::from_row(row)?, row.get(3)?, row.get(4)?)))?
        .collect::<rusqlite::Result<Vec<(Kept, i64, Option<String>)>>>()?;
    let next = kept.into_iter().map(|(kept, number, former)| {
        let next = kept.after(now).map(|next| next.to_string());
        (next != former).then_some((number, next))
    });
    Ok(next.flatten().collect())
}

fn due(connection: &Connection, now: Timestamp) -> Result<Vec<Due>, ManagerError> {
    let mut statement = connection.prepare_cached(
        "SELECT rule, since, until, number, tenant_name, id, deployment_id, created_at, created_by, workflow_id,
           parameters, execution_arguments, slip, stop_on_fail, next_occurrence,
           (SELECT e.status FROM executions e WHERE e.id = latest_execution)
         FROM execution_schedules WHERE enabled = 1 AND next_occurrence <= ? ORDER BY next_occurrence, number",
    )?;
    let due = statement
        .query_map([now.to_string()], |row| {
            let occurrence: String = row.get(14)?;
            Ok(Due {
                kept: Kept::from_row(row)?,
                number: row.get(3)?,
                tenant: row.get(4)?,
                id: row.get(5)?,
                deployment: row.get(6)?,
                created_at: row.get(7)?,
                created_by: row.get(8)?,
                workflow: row.get(9)?,
                parameters: row.get(10)?,
                arguments: row.get(11)?,
                slip_minutes: row.get(12)?,
                stop_on_fail: row.get(13)?,
                occurrence: Timestamp::parse(&occurrence).unwrap_or(now),
                latest_status: row.get(15)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(due)
}

/// Starts the execution of one occurrence, or passes it over, and goes on to the next one.
fn fire(tx: &Transaction<'_>, due: &Due, now: Timestamp) -> Result<Option<ExecutionId>, ManagerError> {
    tx.execute(
        "UPDATE execution_schedules SET next_occurrence = ?2 WHERE number = ?1",
        (due.number, due.kept.after(now).map(|next| next.to_string())),
    )?;
    let latest = due.latest_status.as_deref().and_then(ExecutionStatus::parse);
    if latest.is_some_and(|status| !status.is_end()) || has_fired(tx, due)? {
        return Ok(None);
    }
    if due.stop_on_fail && latest == Some(ExecutionStatus::Failed) {
        tx.execute("UPDATE execution_schedules SET enabled = 0 WHERE number = ?", [due.number])?;
        tracing::warn!(
            "schedule `{}` of deployment `{}` is disabled: its execution failed",
            due.id,
            due.deployment
        );
        return Ok(None);
    }
    let latest_moment =
        due.occurrence.plus_seconds(due.slip_minutes.saturating_mul(60).saturating_add(GRACE_SECONDS));
    if now >= latest_moment {
        return Ok(None);
    }
    let execution = start(tx, due)?;
    tx.execute(
        "UPDATE execution_schedules SET latest_execution = ?2 WHERE number = ?1",
        (due.number, execution.to_string()),
    )?;
    note(tx, [&due.tenant, &due.deployment, &due.id, &due.created_at], &due.occurrence.to_string())?;
    Ok(Some(execution))
}

/// Records the execution; where it can't be started, one that has failed, so that it is told where people look.
fn start(tx: &Transaction<'_>, due: &Due) -> Result<ExecutionId, ManagerError> {
    let arguments: Map<String, Value> = serde_json::from_str(&due.arguments).unwrap_or_default();
    let flag = |name: &str| arguments.get(name).and_then(Value::as_bool).unwrap_or(false);
    let parameters: Map<String, Value> =
        due.parameters.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let start = Start {
        tenant: TenantName::trusted(&*due.tenant),
        created_by: UserName::trusted(&*due.created_by),
        deployment: due.deployment.clone(),
        workflow: due.workflow.clone(),
    };
    let options = StartOptions {
        allow_custom_parameters: flag("allow_custom_parameters"),
        force: flag("force"),
        dry_run: flag("is_dry_run"),
        queue: true,
        scheduled_for: None,
    };
    match record(tx, &start, parameters, &options, None) {
        Ok(execution) => Ok(execution.id),
        Err(
            error @ (ManagerError::NonexistentWorkflow(_)
            | ManagerError::IllegalExecutionParameters(_)
            | ManagerError::IllegalAction(_)
            | ManagerError::NotFound { .. }),
        ) => {
            let execution = start.execution(Workflow::of(&due.workflow, true), Map::new());
            let reason = format!("schedule `{}` could not start it: {error}", due.id);
            table::insert(tx, &execution)?;
            events::insert_event(
                tx,
                &execution,
                &events::workflow_event(&execution, "workflow_failed", &reason),
            )?;
            let change = table::StatusChange { error: Some(&reason), ..table::StatusChange::default() };
            table::set_status(tx, execution.id, ExecutionStatus::Failed, &change)?;
            Ok(execution.id)
        }
        Err(error) => Err(error),
    }
}

fn has_fired(connection: &Connection, due: &Due) -> Result<bool, ManagerError> {
    let last: Option<String> = connection
        .prepare_cached(
            "SELECT occurrence FROM fired_schedules WHERE tenant_name = ? AND deployment_id = ? AND schedule_id = ?
             AND created_at = ?",
        )?
        .query_row((&due.tenant, &due.deployment, &due.id, &due.created_at), |row| row.get(0))
        .optional()?;
    Ok(last.is_some_and(|last| last >= due.occurrence.to_string()))
}

fn note(tx: &Transaction<'_>, schedule: [&String; 4], occurrence: &str) -> Result<(), ManagerError> {
    let [tenant, deployment, id, created_at] = schedule;
    tx.prepare_cached(
        "INSERT INTO fired_schedules (tenant_name, deployment_id, schedule_id, created_at, occurrence)
         VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET occurrence = max(occurrence, excluded.occurrence)",
    )?
    .execute(params![tenant, deployment, id, created_at, occurrence])?;
    Ok(())
}

/// Lets another state know which occurrences have started their execution in the live one, before it becomes live. Run
/// twice, it changes nothing. For blocking threads.
///
/// # Errors
/// The databases' own.
pub fn keep_fired(live: &Generation, other: &Generation) -> Result<(), ManagerError> {
    let noted: Vec<([String; 4], String)> = live.database.read_blocking(|connection| {
        let mut statement = connection.prepare(
            "SELECT tenant_name, deployment_id, schedule_id, created_at, occurrence FROM fired_schedules",
        )?;
        let rows = statement
            .query_map([], |row| Ok(([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?], row.get(4)?)))?;
        Ok::<_, ManagerError>(rows.collect::<rusqlite::Result<_>>()?)
    })?;
    other.database.write_blocking(move |tx| {
        for (schedule, occurrence) in &noted {
            note(tx, [&schedule[0], &schedule[1], &schedule[2], &schedule[3]], occurrence)?;
        }
        Ok(())
    })
}
