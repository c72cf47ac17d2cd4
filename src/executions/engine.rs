//! The scheduler: reads what waits, claims what may start, runs it on a blocking thread, writes how it ended.
//!
//! It is woken by a signal and by a timer and reads nothing but the rows, so that a start after a crash is the
//! ordinary path.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Transaction;
use serde_json::Value;
use tokio::sync::Notify;

use crate::database::{Database, DatabaseError};
use crate::failpoints;
use crate::model::{CancelMode, Execution, ExecutionId, ExecutionStatus, Timestamp, Workflow};

use super::cancel::CancelToken;
use super::events;
use super::job::{Job, JobError, JobResult};
use super::table::{self, StatusChange};
use super::{ExecutionError, lanes};

/// How often the rows are read although nobody called.
const TIMER: Duration = Duration::from_secs(1);
/// What an execution says that an earlier boot left running.
const LEFT_RUNNING: &str = "interrupted: the service stopped while it ran";
/// What a cancelled execution says: Cloudify's CLI takes an empty error for a success.
const CANCELLED: &str = "cancelled";
/// What an execution that a stop of the service ended says.
const INTERRUPTED: &str = "interrupted: the service was stopped while it ran";

/// What does the work of executions.
pub trait Worker: Send + Sync + 'static {
    /// Does the work, on a blocking thread. It may be run again after a crash.
    ///
    /// # Errors
    /// Why it did not end well.
    fn run(&self, job: &Job) -> JobResult;

    /// Writes what else changes with the end of an execution, in the same transaction.
    ///
    /// # Errors
    /// The database's own; the end is then not written either.
    fn ended(
        &self,
        tx: &Transaction<'_>,
        execution: &Execution,
        status: ExecutionStatus,
        error: &str,
    ) -> Result<(), DatabaseError>;
}

/// Where rows of executions are: the records of the service, and the live state of the manager.
#[derive(Clone)]
pub struct Homes {
    /// records.db
    pub service: Database,
    /// The tables of the live generation, looked up each time.
    pub state: Arc<dyn Fn() -> Database + Send + Sync>,
}

impl Homes {
    fn of(&self, execution: &Execution) -> Database {
        if execution.workflow.is_of_the_service() { self.service.clone() } else { (self.state)() }
    }
}

/// The job engine. Clones are handles to the same one.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    homes: Homes,
    boot: u64,
    worker: Box<dyn Worker>,
    running: Mutex<HashMap<ExecutionId, Running>>,
    wake: Notify,
    ended: Notify,
    admission: tokio::sync::Mutex<()>,
    stopping: Arc<AtomicBool>,
    intake: Mutex<lanes::Intake>,
}

struct Running {
    execution: Execution,
    cancel: CancelToken,
}

impl Engine {
    /// An engine that does not run yet.
    pub fn new(homes: Homes, boot: u64, worker: Box<dyn Worker>) -> Self {
        Self {
            inner: Arc::new(Inner {
                homes,
                boot,
                worker,
                running: Mutex::default(),
                wake: Notify::new(),
                ended: Notify::new(),
                admission: tokio::sync::Mutex::new(()),
                stopping: Arc::default(),
                intake: Mutex::new(lanes::Intake::Everything),
            }),
        }
    }

    /// The databases that hold rows of executions and events at the moment: records.db and the live generation's.
    pub fn databases(&self) -> [Database; 2] {
        [self.inner.homes.service.clone(), (self.inner.homes.state)()]
    }

    /// Closes what an earlier boot left running, in both homes. To be called before [`Engine::run`].
    ///
    /// # Errors
    /// The databases' own.
    pub fn recover_blocking(&self) -> Result<(), DatabaseError> {
        for database in self.databases() {
            let inner = Arc::clone(&self.inner);
            database.write_blocking(move |tx| {
                for execution in table::interrupted(tx, inner.boot)? {
                    if is_done_again(&execution) && table::wait_again(tx, execution.id)? {
                        continue;
                    }
                    close(tx, &*inner.worker, &execution, ExecutionStatus::Failed, LEFT_RUNNING, None)?;
                    tracing::warn!(execution.id = %execution.id, "closed execution `{}` of an earlier boot as failed", execution.id);
                }
                Ok::<_, DatabaseError>(())
            })?;
        }
        Ok(())
    }

    /// Whether the service is stopping.
    pub fn is_stopping(&self) -> bool {
        self.inner.stopping.load(Ordering::SeqCst)
    }

    /// Schedules until the engine is stopped.
    pub async fn run(&self) {
        while !self.inner.stopping.load(Ordering::SeqCst) {
            if let Err(error) = self.schedule().await {
                tracing::error!(error = %error, "failed to read or claim executions: {error}");
            }
            // A call that comes while rows are read is kept by the notifier and wakes the next wait at once.
            let _ = tokio::time::timeout(TIMER, self.inner.wake.notified()).await;
        }
    }

    /// Says what may start from now on.
    pub fn set_intake(&self, intake: lanes::Intake) {
        *self.inner.intake.lock().unwrap_or_else(PoisonError::into_inner) = intake;
    }

    fn takes_in(&self, candidate: &Execution) -> bool {
        lanes::is_taken_in(candidate, *self.inner.intake.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells the engine that there may be something to start.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    async fn schedule(&self) -> Result<(), DatabaseError> {
        let now = Timestamp::now();
        let open = self.open().await?;
        let mut waiting_before = Vec::new();
        for candidate in open.into_iter().filter(|execution| lanes::is_waiting(execution, now)) {
            if self.inner.stopping.load(Ordering::SeqCst) {
                return Ok(());
            }
            // Who is kept waiting by maintenance keeps nobody else waiting: maintenance may wait for that one.
            if !self.takes_in(&candidate) {
                continue;
            }
            let running = self.running();
            if lanes::may_start(&candidate, &running, &waiting_before) {
                self.start(candidate).await?;
            } else {
                waiting_before.push(candidate);
            }
        }
        Ok(())
    }

    /// The executions that have not ended, of both homes, oldest first.
    ///
    /// # Errors
    /// The databases' own.
    pub async fn open(&self) -> Result<Vec<Execution>, DatabaseError> {
        let mut open = self.inner.homes.service.read(table::open).await?;
        open.extend((self.inner.homes.state)().read(table::open).await?);
        open.sort_by_key(|execution| (execution.created_at, execution.id));
        Ok(open)
    }

    fn running(&self) -> Vec<Execution> {
        let running = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.values().map(|running| running.execution.clone()).collect()
    }

    async fn start(&self, mut execution: Execution) -> Result<(), DatabaseError> {
        let home = self.inner.homes.of(&execution);
        let (id, boot, row) = (execution.id, self.inner.boot, execution.clone());
        let claimed = home
            .write(move |tx| {
                if row.status == ExecutionStatus::Scheduled {
                    table::set_status(tx, id, ExecutionStatus::Pending, &StatusChange::default())?;
                }
                let change = StatusChange { boot: Some(boot), ..StatusChange::default() };
                let claimed = table::set_status(tx, id, ExecutionStatus::Started, &change)?;
                if claimed {
                    events::insert_event(tx, &row, &events::workflow_event(&row, "workflow_started", ""))?;
                }
                Ok::<_, DatabaseError>(claimed)
            })
            .await?;
        if !claimed {
            return Ok(());
        }
        failpoints::here("execution:claimed");
        execution.status = ExecutionStatus::Started;
        let cancel = CancelToken::default();
        let job =
            Job::new(execution.clone(), cancel.clone(), home.clone(), boot, Arc::clone(&self.inner.stopping));
        self.inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, Running { execution: execution.clone(), cancel });
        let engine = self.clone();
        tokio::task::spawn_blocking(move || {
            tracing::info!(execution.id = %id, "started {} `{id}`", execution.workflow.as_str());
            let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| engine.inner.worker.run(&job)))
                .unwrap_or_else(|_| {
                    Err(JobError::Failed("an internal error: see the service's log".to_owned()))
                });
            job.flush_progress();
            engine.finish(&home, &execution, outcome);
        });
        Ok(())
    }

    fn finish(&self, home: &Database, execution: &Execution, outcome: JobResult) {
        let is_stopping = self.inner.stopping.load(Ordering::SeqCst);
        let waits_again =
            is_stopping && matches!(outcome, Err(JobError::Cancelled)) && is_done_again(execution);
        let (status, error, report) = match outcome {
            Ok(report) => (ExecutionStatus::Terminated, String::new(), report),
            Err(JobError::Cancelled) if is_stopping => {
                (ExecutionStatus::Failed, INTERRUPTED.to_owned(), None)
            }
            Err(JobError::Cancelled) => (ExecutionStatus::Cancelled, CANCELLED.to_owned(), None),
            Err(JobError::Failed(error)) => (ExecutionStatus::Failed, error, None),
        };
        let id = execution.id;
        match status {
            _ if waits_again => {
                tracing::info!(execution.id = %id, "{} `{id}` was interrupted: the next start does it again", execution.workflow.as_str())
            }
            ExecutionStatus::Failed => {
                tracing::warn!(execution.id = %id, "{} `{id}` failed: {error}", execution.workflow.as_str())
            }
            _ => {
                tracing::info!(execution.id = %id, "{} `{id}` is {}", execution.workflow.as_str(), status.as_str())
            }
        }
        let (inner, row) = (Arc::clone(&self.inner), execution.clone());
        // Until its end is written it counts as running: nobody would ever end it otherwise.
        let written = home.insist_blocking(&|| !self.inner.stopping.load(Ordering::SeqCst), move |tx| {
            if waits_again && table::wait_again(tx, row.id)? {
                return Ok(true);
            }
            close(tx, &*inner.worker, &row, status, &error, report.as_ref())
        });
        if let Err(error) = written {
            tracing::error!(execution.id = %id, "failed to write the end of execution `{id}`: {error}");
        }
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.inner.ended.notify_waiters();
        self.wake();
    }

    /// Records an execution of the service, with whatever belongs to it in one transaction, and wakes the scheduler.
    /// Where others forbid it to start, it is refused, or recorded as `queued` where `queue` asks for that.
    ///
    /// # Errors
    /// [`ExecutionError::Conflict`], whatever `also` answers, and the database's own; no record is left then.
    pub async fn enqueue<E, F>(&self, mut execution: Execution, queue: bool, also: F) -> Result<Execution, E>
    where
        F: FnOnce(&Transaction<'_>, &Execution) -> Result<(), E> + Send + 'static,
        E: From<ExecutionError> + From<DatabaseError> + Send + 'static,
    {
        // Two callers at once must not both find the lane free.
        let _admission = self.inner.admission.lock().await;
        let open = self.open().await?;
        let conflicts = lanes::conflicts(&execution.workflow, queue, &open);
        if !conflicts.is_empty() {
            if !queue {
                return Err(ExecutionError::Conflict(conflicts.iter().map(|other| other.id).collect()).into());
            }
            execution.status = ExecutionStatus::Queued;
        }
        let row = execution.clone();
        self.inner
            .homes
            .service
            .write(move |tx| {
                also(tx, &row)?;
                table::insert(tx, &row)?;
                Ok::<_, E>(())
            })
            .await?;
        self.wake();
        Ok(execution)
    }

    /// The execution with this id, of whichever home.
    ///
    /// # Errors
    /// [`ExecutionError::NotFound`], and the databases' own.
    pub async fn find(&self, id: ExecutionId) -> Result<Execution, ExecutionError> {
        for database in self.databases() {
            if let Some(execution) = database.read(move |connection| table::find(connection, id)).await? {
                return Ok(execution);
            }
        }
        Err(ExecutionError::NotFound(id.to_string()))
    }

    /// Asks an execution to stop. One that waits is cancelled at once; one that runs stops at its next safe point.
    /// Killing what has ended changes nothing (as Cloudify does).
    ///
    /// # Errors
    /// [`ExecutionError::Illegal`] where it has ended, was asked before, or is past the point of no return.
    pub async fn cancel(&self, id: ExecutionId, mode: CancelMode) -> Result<Execution, ExecutionError> {
        let execution = self.find(id).await?;
        let home = self.inner.homes.of(&execution);
        if matches!(
            execution.status,
            ExecutionStatus::Pending | ExecutionStatus::Queued | ExecutionStatus::Scheduled
        ) {
            let (inner, row) = (Arc::clone(&self.inner), execution.clone());
            let is_cancelled = home
                .write(move |tx| close(tx, &*inner.worker, &row, ExecutionStatus::Cancelled, CANCELLED, None))
                .await?;
            if is_cancelled {
                self.wake();
                return self.find(id).await;
            }
        }
        let execution = self.find(id).await?;
        if execution.status.is_end() {
            return match mode {
                CancelMode::Kill => Ok(execution),
                CancelMode::Cancel | CancelMode::Force => Err(illegal(&execution, mode)),
            };
        }
        if !mode.status().legal_earlier().contains(&execution.status) {
            return Err(illegal(&execution, mode));
        }
        let token = {
            let running = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.get(&id).map(|running| running.cancel.clone())
        };
        match token {
            Some(token) if token.request(mode) => {}
            Some(_) => {
                return Err(ExecutionError::Illegal(format!(
                    "Can't cancel execution {id}: it is past the point from which it can be stopped, and ends by itself in a moment; use `rollback` to undo it"
                )));
            }
            // It ended between the two looks.
            None => return Err(illegal(&self.find(id).await?, mode)),
        }
        home.write(move |tx| table::set_status(tx, id, mode.status(), &StatusChange::default())).await?;
        self.find(id).await
    }

    /// Starts nothing more; gives what runs `grace` to finish, then asks it to stop and waits a little longer. What
    /// is stopped so is closed as interrupted.
    pub async fn stop(&self, grace: Duration) {
        self.inner.stopping.store(true, Ordering::SeqCst);
        self.wake();
        if self.drained(grace).await {
            return;
        }
        for running in self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).values() {
            running.cancel.request(CancelMode::Kill);
        }
        if !self.drained(Duration::from_secs(5)).await {
            tracing::warn!("some executions did not stop in time: the next start closes them as interrupted");
        }
    }

    async fn drained(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let ended = self.inner.ended.notified();
            if self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return true;
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            let _ = tokio::time::timeout(left.min(Duration::from_millis(100)), ended).await;
        }
    }
}

/// Whether it changes nothing but its own record until it has ended well, so that it is simply done again after a stop.
fn is_done_again(execution: &Execution) -> bool {
    execution.workflow == Workflow::RenderChart
}

fn illegal(execution: &Execution, mode: CancelMode) -> ExecutionError {
    let action = match mode {
        CancelMode::Cancel => "cancel",
        CancelMode::Force => "force-cancel",
        CancelMode::Kill => "kill",
    };
    ExecutionError::Illegal(format!(
        "Can't {action} execution {} because it's in status {}",
        execution.id,
        execution.status.as_str()
    ))
}

/// Writes the end of an execution, its last event and what else changes with it. Answers false where it had ended.
fn close(
    tx: &Transaction<'_>,
    worker: &dyn Worker,
    execution: &Execution,
    status: ExecutionStatus,
    error: &str,
    report: Option<&Value>,
) -> Result<bool, DatabaseError> {
    // A job that ran to its end although it was asked to stop has ended well.
    let change = StatusChange { error: Some(error), report, boot: None };
    if status == ExecutionStatus::Terminated {
        for asked in [ExecutionStatus::ForceCancelling, ExecutionStatus::KillCancelling] {
            tx.execute(
                "UPDATE executions SET status = 'cancelling' WHERE id = ? AND status = ?",
                (execution.id.to_string(), asked.as_str()),
            )?;
        }
    }
    if !table::set_status(tx, execution.id, status, &change)? {
        return Ok(false);
    }
    let event_type = match status {
        ExecutionStatus::Failed => "workflow_failed",
        ExecutionStatus::Cancelled => "workflow_cancelled",
        _ => "workflow_succeeded",
    };
    events::insert_event(tx, execution, &events::workflow_event(execution, event_type, error))?;
    worker.ended(tx, execution, status, error)?;
    Ok(true)
}
