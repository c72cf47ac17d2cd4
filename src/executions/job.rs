//! A running execution as the code that does its work sees it: what was asked, whether to stop, where to tell.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::causes::{NO_SPACE, chain, is_storage_full};
use crate::database::{Database, DatabaseError};
use crate::model::Execution;

use super::cancel::CancelToken;
use super::events::{self, NewEvent};
use super::table::{self, Progress};

/// How often progress is written at the most; a change of phase is written at once.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(300);

/// Why a job did not end well.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It was asked to stop, and has left nothing behind.
    #[error("cancelled")]
    Cancelled,
    /// It failed; the message is for the caller and never holds a secret, a path of the server or SQL.
    #[error("{0}")]
    Failed(String),
}

impl From<DatabaseError> for JobError {
    fn from(error: DatabaseError) -> Self {
        Self::internal("the database of the service failed", &error)
    }
}

impl JobError {
    /// A failure of ours: the whole chain to the log, `message` to the caller, and a full disk with it.
    pub fn internal(message: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        let chain = chain(error);
        tracing::error!(error = %chain, "{message}: {chain}");
        match is_storage_full(error) {
            true => {
                Self::Failed(format!("{message}: {NO_SPACE}; free some (delete snapshots), then ask again"))
            }
            false => Self::Failed(message.to_owned()),
        }
    }
}

/// What a job that ended well has to report, for its record.
pub type JobResult = Result<Option<Value>, JobError>;

/// A running execution. Its methods block and are for blocking threads, but for those that only look.
pub struct Job {
    execution: Execution,
    cancel: CancelToken,
    home: Database,
    boot: u64,
    stopping: Arc<AtomicBool>,
    written: Mutex<(Progress, Option<Instant>)>,
}

impl Job {
    pub(super) fn new(
        execution: Execution,
        cancel: CancelToken,
        home: Database,
        boot: u64,
        stopping: Arc<AtomicBool>,
    ) -> Self {
        Self { execution, cancel, home, boot, stopping, written: Mutex::new((Progress::default(), None)) }
    }

    /// A job that no engine runs, for tests of the code that does its work.
    #[cfg(test)]
    pub(crate) fn detached(execution: Execution, home: Database) -> Self {
        Self::new(execution, CancelToken::default(), home, 1, Arc::default())
    }

    /// Asks it to stop, as somebody who cancels it does.
    #[cfg(test)]
    pub(crate) fn cancel(&self) {
        self.cancel.request(crate::model::CancelMode::Cancel);
    }

    /// Its record, as of the moment it was claimed.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// The boot of the service that runs it, for temporary names.
    pub fn boot(&self) -> u64 {
        self.boot
    }

    /// Whether it was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_requested()
    }

    /// Answers whether it was asked to stop, for work on other threads and inside of databases.
    pub fn stopper(&self) -> impl FnMut() -> bool + Send + 'static + use<> {
        let cancel = self.cancel.clone();
        move || cancel.is_requested()
    }

    /// Stops the work where it was asked to: to be called at least once per MiB and per step.
    ///
    /// # Errors
    /// [`JobError::Cancelled`] where it was asked to stop.
    pub fn check(&self) -> Result<(), JobError> {
        if self.cancel.is_requested() { Err(JobError::Cancelled) } else { Ok(()) }
    }

    /// Passes the point from which a cancel is refused.
    ///
    /// # Errors
    /// [`JobError::Cancelled`] where it was asked to stop before.
    pub fn commit(&self) -> Result<(), JobError> {
        if self.cancel.commit() { Ok(()) } else { Err(JobError::Cancelled) }
    }

    /// Whether the service is being stopped, which what can't be cancelled any more is told by nothing else.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Keeps how far it is. Cheap: it writes a few times a second at the most, and never waits.
    pub fn progress(&self, progress: Progress) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = written.0.phase != progress.phase
            || written.1.is_none_or(|last| last.elapsed() >= PROGRESS_INTERVAL);
        written.0 = progress.clone();
        if is_due {
            written.1 = Some(Instant::now());
            self.write_progress(progress);
        }
    }

    /// How far it is, as told last.
    pub fn current_progress(&self) -> Progress {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    pub(super) fn flush_progress(&self) {
        let progress = self.current_progress();
        if progress != Progress::default() {
            self.write_progress(progress);
        }
    }

    fn write_progress(&self, progress: Progress) {
        let id = self.execution.id;
        drop(self.home.submit_write(move |tx| table::set_progress(tx, id, &progress)));
    }

    /// Writes an event, after those before it and before the end of the execution. Never waits; one that can't be written
    /// is told in the service's log.
    pub fn event(&self, event: NewEvent) {
        let (execution, id) = (self.execution.clone(), self.execution.id);
        self.home.submit_unattended(
            move |tx| events::insert_event(tx, &execution, &event),
            move |error| {
                let reason = chain(&error);
                tracing::warn!(execution.id = %id, error = %reason, "an event of execution `{id}` was not written: {reason}");
            },
        );
    }

    /// Writes a log line of level `info`.
    pub fn log(&self, message: impl Into<String>) {
        self.event(NewEvent { level: Some("info"), message: message.into(), ..NewEvent::default() });
    }

    /// Writes a log line of level `warning`.
    pub fn warn(&self, message: impl Into<String>) {
        self.event(NewEvent { level: Some("warning"), message: message.into(), ..NewEvent::default() });
    }
}
