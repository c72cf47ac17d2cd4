//! What components emit: written past the rules for users, in the order in which it came, many in one transaction.
//!
//! Both ways in, the broker's messages and the calls of the API, end here. A commit costs a wait for the disk, so
//! whatever waits at the moment shares one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension};
use tokio::sync::{mpsc, oneshot};

use crate::manager::ManagerError;
use crate::model::{Asking, TenantName, Timestamp};

use super::changes::{Action, Origin, Via, prune, record, set_value, value};
use super::flow::{admit, not_found};
use super::steps::{check_size, has_step};
use super::{FlowError, FlowSettings, Flows, JsonText};

/// How many emits share a transaction at the most, and how many may wait for the next.
pub(super) const BATCH: usize = 1000;

/// What an emit does to the value that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmitKind {
    /// It takes its place (`snapshot`).
    Replace,
    /// Its members are set in it (`updateSnapshot`).
    Merge,
}

/// Who brings an emit.
#[derive(Clone, Debug)]
pub(super) enum Bearer {
    /// A caller, whose permission is checked.
    Caller(Asking),
    /// The broker, which has checked who may publish.
    Broker { is_redelivered: bool },
}

/// One value that a step's component emitted.
#[derive(Debug)]
pub struct Emit {
    pub(super) flow: String,
    pub(super) step: String,
    pub(super) kind: EmitKind,
    pub(super) value: Result<JsonText, FlowError>,
    pub(super) execution_id: Option<String>,
    pub(super) bearer: Bearer,
}

impl Emit {
    /// An emit that a caller brings; a `value` that could not be read is refused when its turn comes.
    pub fn of_caller(
        asking: Asking,
        flow: &str,
        step: &str,
        kind: EmitKind,
        value: Result<JsonText, FlowError>,
        execution_id: Option<String>,
    ) -> Self {
        let (flow, step) = (flow.to_owned(), step.to_owned());
        Self { flow, step, kind, value, execution_id, bearer: Bearer::Caller(asking) }
    }
}

/// An emit whose bearer waits for what becomes of it.
pub(super) struct Waiting {
    emit: Emit,
    answer: oneshot::Sender<Result<JsonText, FlowError>>,
}

impl Flows {
    /// Writes what a component emitted, and answers the step's value after it. Allowed while the flow runs. It is
    /// durable once this answers.
    ///
    /// # Errors
    /// In this order: [`FlowError::NotFound`], [`FlowError::Forbidden`], what is wrong with the value,
    /// [`FlowError::NotAnObject`], [`FlowError::StepNotInFlow`], [`FlowError::SnapshotTooLarge`] also for what a merge
    /// would give.
    pub async fn emit(&self, emit: Emit) -> Result<JsonText, FlowError> {
        let (answer, outcome) = oneshot::channel();
        self.inner.emits.send(Waiting { emit, answer }).await.map_err(|_| FlowError::Stopping)?;
        outcome.await.map_err(|_| FlowError::Stopping)?
    }

    /// Writes emits in their order, in one transaction; answers what became of each. One that can't be used changes
    /// nothing and does not stop the others.
    pub(super) async fn apply(
        &self,
        emits: Vec<Emit>,
    ) -> Result<Vec<Result<JsonText, FlowError>>, FlowError> {
        let settings = self.settings().clone();
        self.write(move |tx| {
            let mut batch = Batch::new(tx, &settings);
            let outcomes = emits.into_iter().map(|emit| batch.apply(emit)).collect::<Result<_, _>>()?;
            batch.finish()?;
            Ok(outcomes)
        })
        .await
    }
}

/// Applies what callers emit, until nobody can emit any more.
pub(super) async fn run(flows: Flows, mut waiting: mpsc::Receiver<Waiting>) {
    let mut taken = Vec::new();
    while waiting.recv_many(&mut taken, BATCH).await > 0 {
        let (emits, answers): (Vec<_>, Vec<_>) =
            taken.drain(..).map(|waiting| (waiting.emit, waiting.answer)).unzip();
        match flows.apply(emits).await {
            Ok(outcomes) => {
                let written = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
                flows.inner.meters.emits(Via::Api.as_str(), written);
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    // Who has hung up does not wait for it; it is written all the same.
                    let _ = answer.send(outcome);
                }
            }
            Err(FlowError::Manager(ManagerError::Maintenance)) => {
                for answer in answers {
                    let _ = answer.send(Err(ManagerError::Maintenance.into()));
                }
            }
            // The first of them tells the log; the others say only that it did not work.
            Err(error) => {
                let mut answers = answers.into_iter();
                if let Some(first) = answers.next() {
                    let _ = first.send(Err(error));
                }
                for answer in answers {
                    let _ = answer.send(Err(FlowError::from(crate::database::DatabaseError::Closed)));
                }
            }
        }
    }
}

/// A step as the emits before have left it.
struct Step {
    is_in_graph: bool,
    value: Option<String>,
    is_changed: bool,
}

/// Emits that share a transaction. What they read of the tables is read once.
struct Batch<'a> {
    tx: &'a Connection,
    settings: &'a FlowSettings,
    at: String,
    flows: HashMap<String, Option<TenantName>>,
    steps: HashMap<(String, String), Step>,
}

impl<'a> Batch<'a> {
    fn new(tx: &'a Connection, settings: &'a FlowSettings) -> Self {
        let at = Timestamp::now().to_string();
        Self { tx, settings, at, flows: HashMap::new(), steps: HashMap::new() }
    }

    /// The outer error ends the batch; the inner one is this emit's own.
    fn apply(&mut self, emit: Emit) -> Result<Result<JsonText, FlowError>, FlowError> {
        let value = match self.judge(&emit)? {
            Ok(value) => value,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (user, is_redelivered, via) = match &emit.bearer {
            Bearer::Caller(asking) => (Some(asking.caller.user.as_str()), false, Via::Api),
            Bearer::Broker { is_redelivered } => (None, *is_redelivered, Via::Amqp),
        };
        let action = match emit.kind {
            EmitKind::Replace => Action::Emit,
            EmitKind::Merge => Action::Merge,
        };
        let execution_id = emit.execution_id.as_deref();
        let origin = Origin { action, via, user, execution_id, is_redelivered, undoes: None };
        let key = (emit.flow, emit.step);
        let Some(step) = self.steps.get_mut(&key) else { return Ok(Ok(value)) };
        record(self.tx, &key.0, &key.1, step.value.as_deref(), Some(value.as_str()), origin, None, &self.at)?;
        step.value = Some(value.as_str().to_owned());
        step.is_changed = true;
        Ok(Ok(value))
    }

    /// The value that the emit gives its step, or why it can't be used.
    fn judge(&mut self, emit: &Emit) -> Result<Result<JsonText, FlowError>, FlowError> {
        let Some(workspace) = self.workspace(&emit.flow)? else { return Ok(Err(not_found(&emit.flow))) };
        if let Bearer::Caller(asking) = &emit.bearer
            && let Err(refusal) = admit(asking, workspace, "flow", &emit.flow)
        {
            return Ok(Err(refusal));
        }
        let sent = match &emit.value {
            Ok(value) => value.clone(),
            Err(FlowError::BodyTooLong { max }) => return Ok(Err(FlowError::BodyTooLong { max: *max })),
            Err(refusal) => return Ok(Err(FlowError::parameter(refusal.to_string()))),
        };
        if emit.kind == EmitKind::Merge && !sent.is_object() {
            return Ok(Err(FlowError::NotAnObject));
        }
        if let Err(refusal) = check_size(&sent, self.settings.max_snapshot_bytes) {
            return Ok(Err(refusal));
        }
        let step = self.step(&emit.flow, &emit.step)?;
        if !step.is_in_graph {
            return Ok(Err(FlowError::StepNotInFlow { flow: emit.flow.clone(), step: emit.step.clone() }));
        }
        let value = match (emit.kind, &step.value) {
            (EmitKind::Replace, _) | (EmitKind::Merge, None) => sent,
            (EmitKind::Merge, Some(before)) => match JsonText::trusted(before.as_str()).merged(&sent) {
                Ok(value) => value,
                Err(error) => return Ok(Err(FlowError::parameter(error.to_string()))),
            },
        };
        Ok(check_size(&value, self.settings.max_snapshot_bytes).map(|()| value))
    }

    fn workspace(&mut self, flow: &str) -> Result<Option<&TenantName>, FlowError> {
        let known = match self.flows.entry(flow.to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let tenant: Option<String> = self
                    .tx
                    .prepare_cached("SELECT tenant_name FROM flows WHERE id = ?")?
                    .query_row([flow], |row| row.get(0))
                    .optional()?;
                unknown.insert(tenant.map(TenantName::trusted))
            }
        };
        Ok(known.as_ref())
    }

    fn step(&mut self, flow: &str, step: &str) -> Result<&mut Step, FlowError> {
        Ok(match self.steps.entry((flow.to_owned(), step.to_owned())) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let is_in_graph = has_step(self.tx, flow, step)?;
                let value = if is_in_graph { value(self.tx, flow, step)? } else { None };
                unknown.insert(Step { is_in_graph, value, is_changed: false })
            }
        })
    }

    /// Writes the values that the emits have left.
    fn finish(self) -> Result<(), FlowError> {
        for ((flow, id), step) in self.steps.iter().filter(|(_, step)| step.is_changed) {
            set_value(self.tx, flow, id, step.value.as_deref(), &self.at)?;
            prune(self.tx, flow, id, self.settings.history_entries)?;
        }
        Ok(())
    }
}
