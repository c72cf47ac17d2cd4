//! What can be done with the flows of a manager and with the snapshots of their steps.
//!
//! A step snapshot is the JSON value that a step's component emitted last. Callers change it by the rules of
//! elastic.io's API; runtimes write it past those rules, by AMQP or by HTTP. Knows no HTTP.

mod captures;
mod changes;
mod consumer;
mod dead_letters;
mod emits;
mod error;
mod flow;
mod graph;
mod history;
mod listing;
mod pause;
mod putting_back;
mod steps;
mod tasks;
mod value;
mod workspaces;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::charts::Meters;
use crate::executions::Engine;
use crate::manager::Manager;
use crate::records::Records;

pub use captures::{Capture, CaptureRequest, Comparison, Difference, take_capture};
pub use changes::{ChangeView, Via};
pub use consumer::{Amqp, ConsumerState};
pub use dead_letters::DeadLetterReason;
pub use emits::{Emit, EmitKind};
pub use error::FlowError;
pub use flow::{
    CurrentStatus, FLOW_EDIT, FLOW_EMIT, FLOW_READ, FLOW_TOGGLE, Flow, FlowChange, FlowStatus, FlowType,
    MapperType, NewFlow,
};
pub use graph::{Graph, StepSettings};
pub use history::{HistoryItem, UndoRequest};
pub use listing::{FlowFilter, FlowOrder, Paged, Paging};
pub use pause::{Paused, is_settled, pause_running, resume, resume_all};
pub use putting_back::{ArchivedCapture, ArchivedFlow, is_written, put_back};
pub use steps::StepSnapshot;
pub use tasks::{NewTask, Task, TaskStep};
pub use value::{JsonError, JsonText};
pub use workspaces::Workspace;

/// What flows need to know of the settings.
#[derive(Clone, Debug)]
pub struct FlowSettings {
    /// The longest step snapshot, in bytes of its text.
    pub max_snapshot_bytes: usize,
    /// How many entries of a step's history are kept.
    pub history_entries: u32,
    /// How many messages that could not be used are kept.
    pub dead_letters: u32,
    /// Where runtimes publish what components emit; none where no broker is used.
    pub amqp: Option<Amqp>,
}

/// The flows of a service. Clones are handles to the same.
#[derive(Clone)]
pub struct Flows {
    inner: Arc<Inner>,
}

struct Inner {
    manager: Manager,
    records: Records,
    engine: Engine,
    meters: Arc<Meters>,
    settings: FlowSettings,
    emits: mpsc::Sender<emits::Waiting>,
    waiting: std::sync::Mutex<Option<mpsc::Receiver<emits::Waiting>>>,
    consumer: watch::Sender<ConsumerState>,
}

impl Flows {
    /// The flows of a service with these parts. Emits are applied once [`Flows::run`] runs.
    pub fn new(
        manager: Manager,
        records: Records,
        engine: Engine,
        meters: Arc<Meters>,
        settings: FlowSettings,
    ) -> Self {
        let (emits, waiting) = mpsc::channel(emits::BATCH);
        let state = if settings.amqp.is_some() { ConsumerState::Disconnected } else { ConsumerState::Off };
        let waiting = std::sync::Mutex::new(Some(waiting));
        let consumer = watch::Sender::new(state);
        Self {
            inner: Arc::new(Inner { manager, records, engine, meters, settings, emits, waiting, consumer }),
        }
    }

    /// Applies what runtimes emit, by HTTP for as long as it is polled and by AMQP until `stop` is true. A second call
    /// does nothing.
    pub async fn run(&self, stop: watch::Receiver<bool>) {
        let waiting = self.inner.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(waiting) = waiting else { return };
        tokio::join!(emits::run(self.clone(), waiting), consumer::run(self.clone(), stop));
    }

    /// Whether the service takes messages from the broker at the moment.
    pub fn consumer_state(&self) -> ConsumerState {
        *self.inner.consumer.borrow()
    }

    fn settings(&self) -> &FlowSettings {
        &self.inner.settings
    }

    /// Reads the live state as of one moment.
    async fn read<T, F>(&self, work: F) -> Result<T, FlowError>
    where
        F: FnOnce(&rusqlite::Connection) -> Result<T, FlowError> + Send + 'static,
        T: Send + 'static,
    {
        self.inner.manager.current().database.read(work).await
    }

    /// Changes the live state in one transaction.
    async fn write<T, F>(&self, work: F) -> Result<T, FlowError>
    where
        F: FnOnce(&rusqlite::Transaction<'_>) -> Result<T, FlowError> + Send + 'static,
        T: Send + 'static,
    {
        self.inner.manager.write_with(work).await
    }
}
