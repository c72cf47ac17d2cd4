//! Execution schedules: workflows of deployments that start at times to come.
//!
//! The clock is the caller's. What is due is started by [`fire`].

mod fire;
mod rule;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use crate::database::{Collection, Column, ColumnKind, ListQuery, Page, list, text};
use crate::model::{Caller, EntityId, Timestamp, UserName};

use super::deployments::DEPLOYMENT;
use super::entities::{PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, locate};
use super::scope::{visible, writable};
use super::workflows::definition_of;
use super::{Manager, ManagerError};

use rule::Occurrences;

pub use fire::{Fired, keep_fired};

/// How many of the next occurrences are shown at the most, as Cloudify does.
const SHOWN: usize = 1000;

/// The tables of schedules. Which occurrences have started their execution is kept beside the schedules, because it
/// outlives a restore: what has happened has happened.
pub const SCHEMA_V5: &str = "
CREATE TABLE execution_schedules (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    id TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    parameters TEXT,
    execution_arguments TEXT NOT NULL DEFAULT '{}',
    rule TEXT NOT NULL,
    since TEXT NOT NULL,
    until TEXT,
    slip INTEGER NOT NULL DEFAULT 0,
    stop_on_fail INTEGER NOT NULL DEFAULT 0,
    enabled INTEGER NOT NULL DEFAULT 1,
    next_occurrence TEXT,
    latest_execution TEXT,
    UNIQUE (tenant_name, deployment_id, id),
    FOREIGN KEY (tenant_name, deployment_id) REFERENCES deployments(tenant_name, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX execution_schedules_due ON execution_schedules(next_occurrence) WHERE enabled = 1;

CREATE TABLE fired_schedules (
    tenant_name TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    schedule_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    occurrence TEXT NOT NULL,
    PRIMARY KEY (tenant_name, deployment_id, schedule_id, created_at)
) STRICT, WITHOUT ROWID;
";

/// A schedule as Cloudify 7 lists it, with what Lifeboat adds at the end.
pub const EXECUTION_SCHEDULES: Collection = Collection {
    noun: "ExecutionSchedule",
    table: "execution_schedules",
    columns: &[
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("id"),
        Column::text("next_occurrence"),
        Column::text("since"),
        Column::text("until"),
        Column::json("rule"),
        Column::integer("slip"),
        Column::text("workflow_id"),
        Column::json("parameters"),
        Column::json("execution_arguments"),
        Column::boolean("stop_on_fail"),
        Column::boolean("enabled"),
        Column::text("deployment_id"),
        Column::expression(
            "latest_execution_status",
            "(SELECT e.status FROM executions e WHERE e.id = latest_execution)",
            ColumnKind::Text,
        ),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
        // Filled in afterwards: no table holds what is to come.
        Column::expression("all_next_occurrences", "'[]'", ColumnKind::Json),
        Column::text("latest_execution"),
        Column::expression("recurrence", "rule ->> '$.recurrence'", ColumnKind::Text),
    ],
    search: &["id"],
    default_sort: "created_at, number",
};

/// A schedule that a caller asks for.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    /// The name that the caller gives it; one of its own for each deployment.
    pub id: String,
    /// The deployment whose workflow is started.
    pub deployment_id: String,
    /// The workflow.
    pub workflow_id: String,
    /// The values of the workflow's parameters.
    pub parameters: Option<Map<String, Value>>,
    /// How the execution is started.
    pub arguments: Map<String, Value>,
    /// `rrule`, or `recurrence`, `count` and `weekdays`.
    pub rule: Map<String, Value>,
    /// The earliest occurrence.
    pub since: Timestamp,
    /// The latest one.
    pub until: Option<Timestamp>,
    /// How many minutes late an occurrence may still start.
    pub slip_minutes: i64,
    /// Whether it ends when an execution fails.
    pub stop_on_fail: bool,
    /// Whether it is followed.
    pub enabled: bool,
    /// Whose it is, where that is not the caller.
    pub created_by: Option<UserName>,
    /// When it was made, where that is not now.
    pub created_at: Option<Timestamp>,
}

/// What is to be changed of a schedule; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct ScheduleChange {
    /// The workflow.
    pub workflow_id: Option<String>,
    /// `rrule`, or `recurrence`, `count` and `weekdays`; what is not named stays.
    pub rule: Map<String, Value>,
    /// The earliest occurrence.
    pub since: Option<Timestamp>,
    /// The latest one.
    pub until: Option<Timestamp>,
    /// How many minutes late an occurrence may still start.
    pub slip_minutes: Option<i64>,
    /// Whether it ends when an execution fails.
    pub stop_on_fail: Option<bool>,
    /// Whether it is followed.
    pub enabled: Option<bool>,
}

impl Manager {
    /// The schedules that the caller sees, with their next occurrences from `now` on.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn schedules(
        &self,
        caller: &Caller,
        query: ListQuery,
        now: Timestamp,
    ) -> Result<Page, ManagerError> {
        let scope = visible(caller, query.all_tenants);
        self.read(move |connection| {
            EXECUTION_SCHEDULES.check_include(query.include.as_deref())?;
            let all = ListQuery { include: None, ..query.clone() };
            let mut page = list(connection, &EXECUTION_SCHEDULES, &all, &scope)?;
            for item in &mut page.items {
                show(item, query.include.as_deref(), now);
            }
            Ok(page)
        })
        .await
    }

    /// One schedule of a deployment, with its next occurrences from `now` on.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn schedule(
        &self,
        caller: &Caller,
        deployment_id: &str,
        id: &str,
        include: Option<Vec<String>>,
        now: Timestamp,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, deployment, id) = (caller.clone(), deployment_id.to_owned(), id.to_owned());
        self.read(move |connection| {
            EXECUTION_SCHEDULES.check_include(include.as_deref())?;
            find(connection, &caller, &deployment, &id, include.as_deref(), now)
        })
        .await
    }

    /// Records a schedule, and answers it.
    ///
    /// # Errors
    /// An id that can't be one or is taken; an absent deployment or workflow; a rule that can't be followed.
    pub async fn create_schedule(
        &self,
        caller: &Caller,
        new: NewSchedule,
        now: Timestamp,
    ) -> Result<Map<String, Value>, ManagerError> {
        EntityId::parse("schedule_id", &new.id)?;
        let rule = rule::given(&new.rule, None).map_err(ManagerError::BadParameters)?;
        let next = next_occurrence(&rule, new.since, new.until, now)?;
        let caller = caller.clone();
        self.write(move |tx| {
            let number = locate(tx, &DEPLOYMENT, &caller, &new.deployment_id)?;
            let (workflows, visibility): (String, String) =
                tx.query_row("SELECT workflows, visibility FROM deployments WHERE number = ?", [number], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            definition_of(&workflows, &new.deployment_id, &new.workflow_id)?;
            if number_of(tx, &caller, &new.deployment_id, &new.id)?.is_some() {
                return Err(ManagerError::Exists {
                    noun: EXECUTION_SCHEDULES.noun,
                    id: new.id,
                    tenant: caller.tenant.to_string(),
                });
            }
            tx.execute(
                "INSERT INTO execution_schedules (tenant_name, id, deployment_id, visibility, created_at, created_by,
                 workflow_id, parameters, execution_arguments, rule, since, until, slip, stop_on_fail, enabled,
                 next_occurrence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    caller.tenant.as_str(),
                    new.id,
                    new.deployment_id,
                    visibility,
                    new.created_at.unwrap_or_else(Timestamp::now).to_string(),
                    new.created_by.as_ref().unwrap_or(&caller.user).as_str(),
                    new.workflow_id,
                    new.parameters.map(|parameters| Value::Object(parameters).to_string()),
                    Value::Object(new.arguments).to_string(),
                    rule.to_string(),
                    new.since.to_string(),
                    new.until.map(|until| until.to_string()),
                    new.slip_minutes,
                    new.stop_on_fail,
                    new.enabled,
                    next.map(|next| next.to_string()),
                ],
            )?;
            find(tx, &caller, &new.deployment_id, &new.id, None, now)
        })
        .await
    }

    /// Changes a schedule, and answers it. Its next occurrence is computed anew.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; a workflow that the deployment has not; a rule that can't be followed.
    pub async fn change_schedule(
        &self,
        caller: &Caller,
        deployment_id: &str,
        id: &str,
        change: ScheduleChange,
        now: Timestamp,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, deployment, id) = (caller.clone(), deployment_id.to_owned(), id.to_owned());
        self.write(move |tx| {
            let number = number_of(tx, &caller, &deployment, &id)?.ok_or_else(|| not_found(&id))?;
            if let Some(workflow) = &change.workflow_id {
                let workflows: String = tx.query_row(
                    "SELECT workflows FROM deployments WHERE tenant_name = ? AND id = ?",
                    (caller.tenant.as_str(), &deployment),
                    |row| row.get(0),
                )?;
                definition_of(&workflows, &deployment, workflow)?;
            }
            let kept = tx.query_row(
                "SELECT rule, since, until FROM execution_schedules WHERE number = ?",
                [number],
                Kept::from_row,
            )?;
            let rule = rule::given(&change.rule, Some(&kept.rule)).map_err(ManagerError::BadParameters)?;
            let since = change.since.unwrap_or(kept.since);
            let until = change.until.or(kept.until);
            let next = next_occurrence(&rule, since, until, now)?;
            tx.execute(
                "UPDATE execution_schedules SET workflow_id = coalesce(?2, workflow_id), rule = ?3, since = ?4,
                 until = ?5, slip = coalesce(?6, slip), stop_on_fail = coalesce(?7, stop_on_fail),
                 enabled = coalesce(?8, enabled), next_occurrence = ?9 WHERE number = ?1",
                params![
                    number,
                    change.workflow_id,
                    rule.to_string(),
                    since.to_string(),
                    until.map(|until| until.to_string()),
                    change.slip_minutes,
                    change.stop_on_fail,
                    change.enabled,
                    next.map(|next| next.to_string()),
                ],
            )?;
            find(tx, &caller, &deployment, &id, None, now)
        })
        .await
    }

    /// Removes a schedule; the executions that it started stay.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`].
    pub async fn delete_schedule(
        &self,
        caller: &Caller,
        deployment_id: &str,
        id: &str,
    ) -> Result<(), ManagerError> {
        let (caller, deployment, id) = (caller.clone(), deployment_id.to_owned(), id.to_owned());
        self.write(move |tx| {
            let number = number_of(tx, &caller, &deployment, &id)?.ok_or_else(|| not_found(&id))?;
            tx.execute("DELETE FROM execution_schedules WHERE number = ?", [number])?;
            Ok(())
        })
        .await
    }
}

/// What is kept of when a schedule occurs.
struct Kept {
    rule: Value,
    since: Timestamp,
    until: Option<Timestamp>,
}

impl Kept {
    /// Reads `rule, since, until`.
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let time = |index: usize| -> rusqlite::Result<Option<Timestamp>> {
            Ok(row.get::<_, Option<String>>(index)?.as_deref().and_then(Timestamp::parse))
        };
        let rule: String = row.get(0)?;
        Ok(Self {
            rule: serde_json::from_str(&rule).unwrap_or_default(),
            since: time(1)?.unwrap_or_else(Timestamp::now),
            until: time(2)?,
        })
    }

    /// The next occurrence after a moment. A rule that can't be followed any more has none.
    fn after(&self, now: Timestamp) -> Option<Timestamp> {
        Occurrences::of(&self.rule, self.since, self.until).ok()?.after(now)
    }
}

fn not_found(id: &str) -> ManagerError {
    ManagerError::NotFound { noun: EXECUTION_SCHEDULES.noun, id: id.to_owned() }
}

fn next_occurrence(
    rule: &Value,
    since: Timestamp,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, ManagerError> {
    let occurrences = Occurrences::of(rule, since, until).map_err(ManagerError::BadParameters)?;
    Ok(occurrences.after(now))
}

/// The row of a schedule that the caller may change.
fn number_of(
    connection: &Connection,
    caller: &Caller,
    deployment: &str,
    id: &str,
) -> Result<Option<i64>, ManagerError> {
    let (condition, parameters) = writable(caller).into_sql();
    let sql =
        format!("SELECT number FROM execution_schedules WHERE id = ? AND deployment_id = ? AND {condition}");
    let parameters = [text(id), text(deployment)].into_iter().chain(parameters);
    Ok(connection
        .prepare_cached(&sql)?
        .query_row(rusqlite::params_from_iter(parameters), |row| row.get(0))
        .optional()?)
}

fn find(
    connection: &Connection,
    caller: &Caller,
    deployment: &str,
    id: &str,
    include: Option<&[String]>,
    now: Timestamp,
) -> Result<Map<String, Value>, ManagerError> {
    let query = ListQuery { size: 1, ..ListQuery::default() };
    for scope in [writable(caller), visible(caller, false)] {
        let scope = scope.and("id = ? AND deployment_id = ?", [text(id), text(deployment)]);
        if let Some(mut item) = list(connection, &EXECUTION_SCHEDULES, &query, &scope)?.items.pop() {
            show(&mut item, include, now);
            return Ok(item);
        }
    }
    Err(not_found(id))
}

/// Fills in what is to come, and leaves only what was asked for.
fn show(item: &mut Map<String, Value>, include: Option<&[String]>, now: Timestamp) {
    let is_wanted = |name: &str| include.is_none_or(|names| names.iter().any(|wanted| wanted == name));
    if is_wanted("all_next_occurrences") {
        let time = |name: &str| item[name].as_str().and_then(Timestamp::parse);
        let occurrences =
            time("since").and_then(|since| Occurrences::of(&item["rule"], since, time("until")).ok());
        let upcoming: Vec<Value> = occurrences
            .iter()
            .flat_map(|occurrences| occurrences.upcoming(now).take(SHOWN))
            .map(|moment| json!(moment.moment().format("%Y-%m-%d %H:%M:%S").to_string()))
            .collect();
        item.insert("all_next_occurrences".to_owned(), Value::Array(upcoming));
    }
    item.retain(|name, _| is_wanted(name));
}
