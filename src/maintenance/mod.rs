//! Maintenance mode: nothing new is started, then nothing runs, then nothing of the manager's state is changed.
//!
//! Who asks for it is answered at once; it is there when what runs has ended, and it outlives a restart. What it does to
//! a call is in [`effect`], to an execution in `executions::lanes`, to a write of the manager in
//! [`Manager::write`], which a restore closes too. Knows no HTTP.

mod effect;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde::Serialize;
use serde_json::json;

use crate::database::DatabaseError;
use crate::executions::{Engine, Intake};
use crate::manager::{Manager, ManagerError};
use crate::model::{Caller, Execution, Timestamp, Workflow};
use crate::records::{MaintenanceRecord, Records, RecordsError};

pub use effect::{Effect, effect};

/// How often it is looked whether all has ended, while it is being entered.
const LOOK: Duration = Duration::from_millis(200);

/// Why the mode could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    #[error("failed to use the records of the service")]
    Records(#[from] RecordsError),
    #[error("failed to read executions")]
    Executions(#[from] DatabaseError),
    #[error(transparent)]
    Manager(#[from] ManagerError),
}

/// The mode, as calls see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All goes on.
    Deactivated,
    /// Nothing new is started, and something still runs.
    Activating,
    /// Nothing of the manager's state is changed.
    Activated,
}

/// An execution for which the mode waits.
#[derive(Clone, Debug, Serialize)]
pub struct Remaining {
    id: String,
    status: &'static str,
    deployment_id: Option<String>,
    workflow_id: String,
}

impl From<Execution> for Remaining {
    fn from(execution: Execution) -> Self {
        Self {
            id: execution.id.to_string(),
            status: execution.status.as_str(),
            deployment_id: execution.deployment_id.map(|id| id.to_string()),
            workflow_id: execution.workflow.as_str().to_owned(),
        }
    }
}

/// The mode as Cloudify shows it; texts are empty where there is nothing to say.
#[derive(Clone, Debug, Serialize)]
pub struct MaintenanceView {
    status: Mode,
    activated_at: String,
    remaining_executions: Option<Vec<Remaining>>,
    requested_by: String,
    activation_requested_at: String,
}

/// The mode of one service. Clones are handles to the same one.
#[derive(Clone)]
pub struct Maintenance {
    inner: Arc<Inner>,
}

struct Inner {
    records: Records,
    manager: Manager,
    engine: Engine,
    current: ArcSwapOption<MaintenanceRecord>,
    /// Two callers at once must not both find it as it was.
    change: tokio::sync::Mutex<()>,
}

impl Maintenance {
    /// The mode as the last stop left it, already in force.
    ///
    /// # Errors
    /// The records' own.
    pub fn open(records: Records, manager: Manager, engine: Engine) -> Result<Self, RecordsError> {
        let current = records.database().read_blocking(Records::maintenance)?;
        let inner = Inner {
            records,
            manager,
            engine,
            current: ArcSwapOption::from_pointee(current),
            change: tokio::sync::Mutex::new(()),
        };
        let maintenance = Self { inner: Arc::new(inner) };
        maintenance.enforce();
        Ok(maintenance)
    }

    /// The mode at the moment.
    pub fn mode(&self) -> Mode {
        match self.inner.current.load().as_deref() {
            None => Mode::Deactivated,
            Some(MaintenanceRecord { activated_at: None, .. }) => Mode::Activating,
            Some(MaintenanceRecord { activated_at: Some(_), .. }) => Mode::Activated,
        }
    }

    /// Tells the engine and the manager what the mode is.
    fn enforce(&self) {
        let (intake, is_held) = match self.mode() {
            Mode::Deactivated => (Intake::Everything, false),
            Mode::Activating => (Intake::Admitted, false),
            Mode::Activated => (Intake::OfTheService, true),
        };
        self.inner.engine.set_intake(intake);
        self.inner.manager.set_held(is_held);
    }

    /// Waits until nothing runs, where the mode is being entered. To be run for as long as the service does.
    pub async fn run(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.mode() == Mode::Activating
                && let Err(error) = self.settle().await
            {
                tracing::error!(error = %error, "failed to see whether maintenance can begin: {error}");
            }
        }
    }

    /// The mode, with the executions for which it waits. While a restore keeps writers out it is shown as activated.
    ///
    /// # Errors
    /// The records' own.
    pub async fn status(&self) -> Result<MaintenanceView, MaintenanceError> {
        if self.mode() == Mode::Activating {
            self.settle().await?;
        }
        self.view().await
    }

    async fn view(&self) -> Result<MaintenanceView, MaintenanceError> {
        let Some(current) = self.inner.current.load_full() else {
            let status = if self.inner.manager.is_closed() { Mode::Activated } else { Mode::Deactivated };
            return Ok(MaintenanceView {
                status,
                activated_at: String::new(),
                remaining_executions: None,
                requested_by: String::new(),
                activation_requested_at: String::new(),
            });
        };
        let remaining = match current.activated_at {
            Some(_) => None,
            None => Some(self.remaining().await?.into_iter().map(Remaining::from).collect()),
        };
        Ok(MaintenanceView {
            status: self.mode(),
            activated_at: current.activated_at.map(|moment| moment.to_string()).unwrap_or_default(),
            remaining_executions: remaining,
            requested_by: current.requested_by.to_string(),
            activation_requested_at: current.requested_at.to_string(),
        })
    }

    /// The executions that have to end first: those that run or are about to. What is queued or scheduled waits until
    /// the mode is left, and pictures are drawn at any time.
    async fn remaining(&self) -> Result<Vec<Execution>, DatabaseError> {
        let mut open = self.inner.engine.open().await?;
        open.retain(|execution| execution.status.is_active() && execution.workflow != Workflow::RenderChart);
        Ok(open)
    }

    /// Asks for maintenance; none where that was done already.
    ///
    /// # Errors
    /// The records' own.
    pub async fn activate(&self, caller: &Caller) -> Result<Option<MaintenanceView>, MaintenanceError> {
        {
            let _change = self.inner.change.lock().await;
            if self.inner.current.load().is_some() {
                return Ok(None);
            }
            let record = MaintenanceRecord {
                requested_by: caller.user.clone(),
                requested_at: Timestamp::now(),
                activated_at: None,
            };
            self.set(Some(record), caller, Mode::Activating).await?;
        }
        self.settle().await?;
        Ok(Some(self.view().await?))
    }

    /// Ends the maintenance: what is queued runs. None where there was no maintenance.
    ///
    /// # Errors
    /// The records' own.
    pub async fn deactivate(&self, caller: &Caller) -> Result<Option<MaintenanceView>, MaintenanceError> {
        {
            let _change = self.inner.change.lock().await;
            if self.inner.current.load().is_none() {
                return Ok(None);
            }
            self.set(None, caller, Mode::Deactivated).await?;
        }
        self.inner.engine.wake();
        Ok(Some(self.view().await?))
    }

    async fn set(
        &self,
        record: Option<MaintenanceRecord>,
        caller: &Caller,
        mode: Mode,
    ) -> Result<(), RecordsError> {
        let (row, user) = (record.clone(), caller.user.clone());
        self.inner
            .records
            .write(move |tx| {
                Records::set_maintenance(tx, row.as_ref())?;
                let details = json!({ "status": mode });
                Records::audit(tx, &user, "maintenance_update", "maintenance", Some(&details))
            })
            .await?;
        self.inner.current.store(record.map(Arc::new));
        self.enforce();
        Ok(())
    }

    /// Begins the maintenance that was asked for, where nothing runs any more.
    async fn settle(&self) -> Result<(), MaintenanceError> {
        let _change = self.inner.change.lock().await;
        let Some(current) = self.inner.current.load_full().filter(|current| current.activated_at.is_none())
        else {
            return Ok(());
        };
        if !self.remaining().await?.is_empty() {
            return Ok(());
        }
        // Writers first: who was let in before may have been recording an execution.
        self.inner.manager.hold().await?;
        if !self.remaining().await?.is_empty() {
            self.inner.manager.set_held(false);
            return Ok(());
        }
        let activated =
            MaintenanceRecord { activated_at: Some(Timestamp::now()), ..current.as_ref().clone() };
        let row = activated.clone();
        if let Err(error) = self.inner.records.write(move |tx| Records::set_maintenance(tx, Some(&row))).await
        {
            self.inner.manager.set_held(false);
            return Err(RecordsError::into(error));
        }
        self.inner.current.store(Some(Arc::new(activated)));
        self.enforce();
        tracing::info!("maintenance mode is active");
        Ok(())
    }
}
