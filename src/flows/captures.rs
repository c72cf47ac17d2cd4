//! Captures: the snapshots of all steps of a flow as of one moment, kept as one set that nothing changes.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Map, Value};

use crate::database::text;
use crate::model::{Asking, Execution, ExecutionStatus, TenantName, Timestamp, Workflow};

use super::changes::{Action, Change, ChangeView, Origin, Via, value};
use super::flow::{admit, by_id, find, find_stopped, new_id};
use super::history::snapshot_steps;
use super::listing::{Listed, of_member, page};
use super::steps::has_step;
use super::{FlowError, Flows, JsonText, Paged, Paging};

/// The longest description, in characters.
const MAX_DESCRIPTION_CHARACTERS: usize = 4096;

/// A capture.
#[derive(Clone, Debug)]
pub struct Capture {
    /// 24 hexadecimal digits.
    pub id: String,
    /// The workspace of its flow.
    pub tenant_name: TenantName,
    /// The flow; it may be gone.
    pub flow_id: String,
    /// The flow's name at that moment.
    pub flow_name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether the flow ran at that moment: what its components held in memory is not in it.
    pub is_fuzzy: bool,
    /// The moment.
    pub created_at: String,
    /// Who asked for it.
    pub created_by: String,
    /// The execution that took it.
    pub execution_id: Option<String>,
    /// How many steps had a snapshot.
    pub step_count: i64,
}

/// A capture that was asked for.
#[derive(Clone, Debug)]
pub struct CaptureRequest {
    /// The id that it will have.
    pub id: String,
    /// The execution that takes it.
    pub execution: Execution,
}

/// What differs between a capture and another state of a flow's steps.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// How many steps have the same value in both.
    pub same: usize,
    /// The others, by step.
    pub differences: Vec<Difference>,
}

/// A step whose value is not the same.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The step.
    pub step: String,
    /// The value in the capture; none where it has none.
    pub before: Option<JsonText>,
    /// The value in the other state.
    pub after: Option<JsonText>,
}

/// The values of steps by their ids.
type Values = BTreeMap<String, JsonText>;

const COLUMNS: &str = "id, tenant_name, flow_id, flow_name, description, is_fuzzy, created_at, created_by, \
     execution_id, (SELECT count(*) FROM captured_steps s WHERE s.capture_id = captures.id)";

impl Capture {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            tenant_name: TenantName::trusted(row.get::<_, String>(1)?),
            flow_id: row.get(2)?,
            flow_name: row.get(3)?,
            description: row.get(4)?,
            is_fuzzy: row.get(5)?,
            created_at: row.get(6)?,
            created_by: row.get(7)?,
            execution_id: row.get(8)?,
            step_count: row.get(9)?,
        })
    }
}

fn find_capture(connection: &Connection, asking: &Asking, id: &str) -> Result<Capture, FlowError> {
    let capture = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM captures WHERE id = ?"))?
        .query_row([id], Capture::from_row)
        .optional()?
        .ok_or_else(|| FlowError::NotFound { noun: "capture", id: id.to_owned() })?;
    admit(asking, &capture.tenant_name, "capture", id)?;
    Ok(capture)
}

fn values(connection: &Connection, sql: &str, id: &str) -> Result<Values, FlowError> {
    Ok(connection
        .prepare_cached(sql)?
        .query_map([id], |row| Ok((row.get(0)?, JsonText::trusted(row.get::<_, String>(1)?))))?
        .collect::<rusqlite::Result<_>>()?)
}

fn captured(connection: &Connection, capture: &str) -> Result<Values, FlowError> {
    values(connection, "SELECT step_id, value FROM captured_steps WHERE capture_id = ?", capture)
}

/// Takes the capture that an execution was recorded for, as of the moment of the transaction. Run twice, the second call
/// changes nothing.
///
/// # Errors
/// [`FlowError::NotFound`] where the flow is gone; the database's own.
pub fn take_capture(tx: &Transaction<'_>, execution: &Execution) -> Result<Capture, FlowError> {
    let text = |name: &str| execution.parameters.get(name).and_then(Value::as_str).unwrap_or_default();
    let (flow_id, id) = (text("flow_id"), text("capture_id"));
    let flow = by_id(tx, flow_id)?.ok_or_else(|| super::flow::not_found(flow_id))?;
    let made = tx.execute(
        "INSERT INTO captures (tenant_name, id, flow_id, flow_name, description, is_fuzzy, created_at, created_by,
         execution_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
        params![
            flow.tenant_name.as_str(),
            id,
            flow.id,
            flow.name,
            execution.parameters.get("description").and_then(Value::as_str),
            flow.is_running(),
            Timestamp::now().to_string(),
            execution.created_by.as_str(),
            execution.id.to_string(),
        ],
    )?;
    if made == 1 {
        tx.execute(
            "INSERT INTO captured_steps (capture_id, step_id, value)
             SELECT ?1, step_id, value FROM step_snapshots WHERE flow_id = ?2",
            [id, flow_id],
        )?;
    }
    let sql = format!("SELECT {COLUMNS} FROM captures WHERE id = ?");
    Ok(tx.query_row(&sql, [id], Capture::from_row)?)
}

impl Flows {
    /// Records a capture of a flow's steps; the worker takes it. Allowed while the flow runs.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`], what is wrong with the request; [`FlowError::Execution`] while
    /// a restore is active. No record is left then.
    pub async fn capture(
        &self,
        asking: Asking,
        flow: &str,
        description: Result<Option<String>, FlowError>,
    ) -> Result<CaptureRequest, FlowError> {
        let id = flow.to_owned();
        let asked = asking.clone();
        let flow = self.read(move |connection| find(connection, &asked, &id)).await?;
        let description = description?;
        if description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION_CHARACTERS) {
            return Err(FlowError::invalid(
                "/data/attributes/description",
                format!("a description has at most {MAX_DESCRIPTION_CHARACTERS} characters"),
            ));
        }
        let capture = new_id();
        let mut parameters = Map::new();
        parameters.insert("flow_id".to_owned(), Value::from(flow.id));
        parameters.insert("capture_id".to_owned(), Value::from(capture.clone()));
        parameters.insert("description".to_owned(), description.map_or(Value::Null, Value::from));
        let execution = Execution {
            tenant_name: flow.tenant_name,
            ..Execution::new(&asking.caller, Workflow::CaptureFlow, parameters)
        };
        let execution = self.inner.engine.enqueue(execution, false, |_, _| Ok::<(), FlowError>(())).await?;
        debug_assert_eq!(execution.status, ExecutionStatus::Pending);
        Ok(CaptureRequest { id: capture, execution })
    }

    /// One page of the captures of the caller's workspaces, of one of them, or of one flow; the newest first.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] for a workspace of which the caller is no member.
    pub async fn captures(
        &self,
        asking: Asking,
        workspace: Option<String>,
        flow: Option<String>,
        paging: Paging,
    ) -> Result<Paged<Capture>, FlowError> {
        self.read(move |connection| {
            let mut scope = of_member(&asking.caller);
            if let Some(workspace) = workspace {
                let workspace = super::flow::find_workspace(connection, &asking, &workspace)?;
                scope = scope.and("tenant_name = ?", [text(workspace.as_str())]);
            }
            if let Some(flow) = flow {
                scope = scope.and("flow_id = ?", [text(flow)]);
            }
            let listed = Listed::new("captures", COLUMNS, "number DESC");
            page(connection, listed, scope, paging, Capture::from_row)
        })
        .await
    }

    /// One page of the captures of a flow that is there; the newest first.
    ///
    /// # Errors
    /// [`FlowError::NotFound`].
    pub async fn captures_of(
        &self,
        asking: Asking,
        flow: &str,
        paging: Paging,
    ) -> Result<Paged<Capture>, FlowError> {
        let flow = self.get(asking.clone(), flow).await?;
        self.captures(asking, None, Some(flow.id), paging).await
    }

    /// One capture with the values of its steps.
    ///
    /// # Errors
    /// [`FlowError::NotFound`].
    pub async fn get_capture(&self, asking: Asking, id: &str) -> Result<(Capture, Values), FlowError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let capture = find_capture(connection, &asking, &id)?;
            Ok((capture, captured(connection, &id)?))
        })
        .await
    }

    /// Removes a capture.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`].
    pub async fn delete_capture(&self, asking: Asking, id: &str) -> Result<(), FlowError> {
        let id = id.to_owned();
        self.write(move |tx| {
            find_capture(tx, &asking, &id)?;
            tx.execute("DELETE FROM captures WHERE id = ?", [&id])?;
            Ok(())
        })
        .await
    }

    /// What differs between a capture and another one, or the present snapshots of its flow where `with` is `None`.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] for either capture, or for a flow that is gone.
    pub async fn compare_capture(
        &self,
        asking: Asking,
        id: &str,
        with: Option<String>,
    ) -> Result<Comparison, FlowError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let capture = find_capture(connection, &asking, &id)?;
            let before = captured(connection, &id)?;
            let mut after = match with {
                Some(other) => captured(connection, &find_capture(connection, &asking, &other)?.id)?,
                None => {
                    let flow = find(connection, &asking, &capture.flow_id)?;
                    let sql = "SELECT step_id, value FROM step_snapshots WHERE flow_id = ?";
                    values(connection, sql, &flow.id)?
                }
            };
            let mut comparison = Comparison { same: 0, differences: Vec::new() };
            for (step, before) in before {
                let after = after.remove(&step);
                if after.as_ref() == Some(&before) {
                    comparison.same += 1;
                } else {
                    comparison.differences.push(Difference { step, before: Some(before), after });
                }
            }
            let come =
                after.into_iter().map(|(step, after)| Difference { step, before: None, after: Some(after) });
            comparison.differences.extend(come);
            comparison.differences.sort_by(|one, other| one.step.cmp(&other.step));
            Ok(comparison)
        })
        .await
    }

    /// Puts a capture back as a whole, into its flow or into another one: steps that it has not lose their snapshot.
    /// One change, which can be undone.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] for the capture or the flow; [`FlowError::Forbidden`], [`FlowError::Running`], what is
    /// wrong with the request; [`FlowError::Conflict`] where the flow's graph lacks one of the steps.
    pub async fn restore_capture(
        &self,
        asking: Asking,
        id: &str,
        into: Result<Option<String>, FlowError>,
    ) -> Result<ChangeView, FlowError> {
        let (id, entries) = (id.to_owned(), self.settings().history_entries);
        self.write(move |tx| {
            let capture = find_capture(tx, &asking, &id)?;
            // The flow decides who may write; a request that can't be read is refused after that.
            let (flow, wrong) = match into {
                Ok(Some(flow)) => (flow, None),
                Ok(None) => (capture.flow_id.clone(), None),
                Err(error) => (capture.flow_id.clone(), Some(error)),
            };
            let flow = find_stopped(tx, &asking, &flow)?;
            if let Some(error) = wrong {
                return Err(error);
            }
            let kept = captured(tx, &id)?;
            let mut absent = Vec::new();
            for step in kept.keys() {
                if !has_step(tx, &flow.id, step)? {
                    absent.push(format!("`{step}`"));
                }
            }
            if !absent.is_empty() {
                return Err(FlowError::Conflict(format!(
                    "the graph of the flow `{}` has not these steps of the capture: {}",
                    flow.id,
                    absent.join(", ")
                )));
            }
            let user = asking.caller.user.as_str();
            let origin = Origin {
                via: Via::Capture,
                execution_id: capture.execution_id.as_deref(),
                ..Origin::of_user(Action::Restore, user)
            };
            let mut change = Change::new(tx, &flow.id);
            put_values(tx, &mut change, &flow.id, &kept, origin)?;
            change.finish(Action::Restore, entries)
        })
        .await
    }
}

/// Lets a flow have exactly these values: steps that are not among them lose theirs. What is the same already leaves no
/// entry in the history.
pub(super) fn put_values(
    tx: &Connection,
    change: &mut Change<'_>,
    flow: &str,
    kept: &Values,
    origin: Origin<'_>,
) -> Result<(), FlowError> {
    for step in snapshot_steps(tx, flow)?.iter().filter(|step| !kept.contains_key(*step)) {
        change.write(step, value(tx, flow, step)?.as_deref(), None, origin)?;
    }
    for (step, after) in kept {
        let before = value(tx, flow, step)?;
        if before.as_deref() != Some(after.as_str()) {
            change.write(step, before.as_deref(), Some(after.as_str()), origin)?;
        }
    }
    Ok(())
}
