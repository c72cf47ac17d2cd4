//! The one place where every part is built and handed on.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::access::{Access, AccessError, random_password};
use crate::archive::{Limits, Recipient};
use crate::causes::chain;
use crate::charts::store::{MetricsStore, StoreError as MetricsError};
use crate::charts::{ChartSettings, Charts, Meters, retention};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{Groups, ListError, ListQuery, Page, Scope, list, list_both, text};
use crate::executions::events::EVENTS;
use crate::executions::table::EXECUTIONS;
use crate::executions::{Engine, EventChoice, Homes, JobError, merged_groups};
use crate::fetch::{FetchSettings, Lookups};
use crate::flows::{Amqp, FlowSettings, Flows};
use crate::keys::{KeyRing, KeysError};
use crate::maintenance::Maintenance;
use crate::manager::{Blobs, Fired, Manager, ManagerError, NewBlueprint, Summarized, Vault, visible};
use crate::model::{Caller, EntityId, ExecutionId, Timestamp};
use crate::records::{Records, RecordsError};
use crate::snapshots::{SnapshotSettings, Snapshots};
use crate::sources::embedded::WalLimit;
use crate::store::{DiskStore, StoreError};
use crate::worker::{Comparisons, Recovered, SnapshotWorker, WorkerSettings, recover, tidy_store};

/// How often schedules are looked at.
const SCHEDULES_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

/// Why the service could not be built.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("failed to make or use the data folder `{folder}`")]
    Folder { folder: PathBuf, source: io::Error },
    #[error(
        "the data folder `{0}` is in use by another lifeboat: stop that one, or name another folder with --data"
    )]
    InUse(PathBuf),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("failed to open the records of the service")]
    Records(#[from] RecordsError),
    #[error("failed to open the embedded manager")]
    Manager(#[from] ManagerError),
    #[error("failed to open the store of archives")]
    Store(#[from] StoreError),
    #[error("failed to open the service's own measurements")]
    Metrics(#[from] MetricsError),
    #[error("failed to make the user `admin`")]
    Access(#[from] AccessError),
    #[error("failed to recover from the last stop: {0}")]
    Recover(JobError),
    #[error("failed to close what the last stop interrupted")]
    Close(#[from] crate::database::DatabaseError),
    #[error("`{recipient}` in `encryption.recipients` is no age recipient")]
    Recipient { recipient: String, source: crate::archive::KeyError },
}

/// The parts of a running service, as handlers see them.
pub struct Service {
    /// The door.
    pub access: Access,
    /// The embedded manager.
    pub manager: Manager,
    /// What the service knows.
    pub records: Records,
    /// The job engine.
    pub engine: Engine,
    /// What time it is, for what happens at a time.
    pub clock: Clock,
    /// The maintenance mode.
    pub maintenance: Maintenance,
    /// The manager snapshots.
    pub snapshots: Snapshots,
    /// The flows and the snapshots of their steps.
    pub flows: Flows,
    /// How files are fetched by URL.
    pub fetch: FetchSettings,
    /// The metrics, charts and chart snapshots.
    pub charts: Charts,
    /// What is counted of requests and emits.
    pub meters: Arc<Meters>,
    /// The settings it was built by.
    pub config: Config,
    /// What the start found to do.
    pub recovered: Recovered,
    /// What a first start made, to be shown once.
    pub first_start: Option<FirstStart>,
    /// Held for life: one process per folder.
    _lock: File,
}

/// What a first start made.
#[derive(Debug)]
pub struct FirstStart {
    /// The password of `admin`, where none was given.
    pub password: Option<String>,
    /// The file that holds the recovery key until it is taken away.
    pub recovery_file: PathBuf,
    /// The file for the password, where there is no terminal to show it on.
    pub password_file: PathBuf,
}

impl Service {
    /// Opens the data folder, or makes it; recovers what the last stop interrupted. Nothing runs yet.
    ///
    /// # Errors
    /// Whatever keeps the service from being whole; nothing is served then.
    pub fn open(config: Config, admin_password: Option<&str>) -> Result<Self, AppError> {
        let folder = config.data.clone();
        let in_folder = |source| AppError::Folder { folder: folder.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(in_folder)?;
        let lock = lock(&folder)?;
        let partial = folder.join("tmp");
        empty(&partial).map_err(in_folder)?;
        crate::failpoints::here("start:emptied");

        let is_new = !folder.join("records.db").exists();
        let recipients = recipients(&config)?;
        let keys = KeyRing::open(&folder.join("keys"), is_new, &config.encryption.identities, &recipients)?;
        let keys = Arc::new(keys);
        let records = Records::open(&folder.join("records.db"))?;
        let blobs = Blobs::open(&folder.join("blobs"), &partial).map_err(in_folder)?;
        let manager = Manager::open(&folder.join("manager"), blobs, Arc::new(Vault::new(keys.storage())))?;
        let store = DiskStore::open(&folder.join("archives"), &partial)?;
        let recovered = recover(&records, &manager).map_err(AppError::Recover)?;
        let flow_settings = flow_settings(&config);

        let meters = Arc::<Meters>::default();
        let own_metrics = MetricsStore::open(&folder.join("metrics.db"))?;

        let limits = Limits::default();
        let settings = WorkerSettings {
            manager_name: config.manager.name.clone(),
            archive_threads: config.archive.threads,
            pause_seconds: config.flows.pause_seconds,
            metrics_days: config.metrics.snapshot_days,
            history_entries: config.flows.history_entries,
            limits: limits.clone(),
            partial,
            wal_limit: WalLimit::new(config.manager.wal_limit_bytes),
        };
        let comparisons = Comparisons::default();
        let worker = SnapshotWorker::new(
            records.clone(),
            manager.clone(),
            store.clone(),
            Arc::clone(&keys),
            own_metrics.clone(),
            comparisons.clone(),
            settings,
        );
        let state = manager.clone();
        let homes = Homes {
            service: records.database().clone(),
            state: Arc::new(move || state.current().database.clone()),
        };
        let engine = Engine::new(homes, records.boot(), Box::new(worker));
        engine.recover_blocking()?;
        crate::failpoints::here("start:closed");
        tidy_store(&records, &store).map_err(AppError::Recover)?;
        let maintenance = Maintenance::open(records.clone(), manager.clone(), engine.clone())?;
        let access = Access::new(records.clone(), manager.clone());
        let first_start = first_start(&access, &folder, admin_password)?;
        let fetch = FetchSettings {
            allow: config.url_fetch.allow.clone(),
            connect_seconds: config.url_fetch.connect_seconds,
            idle_seconds: config.url_fetch.idle_seconds,
            lookups: Lookups::default(),
        };
        let snapshot_settings = SnapshotSettings {
            limits,
            archive_threads: config.archive.threads,
            max_upload_bytes: config.archive.max_upload_bytes,
            fetch: fetch.clone(),
        };
        let snapshots =
            Snapshots::new(records.clone(), engine.clone(), store, keys, comparisons, snapshot_settings);
        let charts = Charts::new(
            manager.clone(),
            records.clone(),
            engine.clone(),
            own_metrics,
            Arc::clone(&meters),
            ChartSettings {
                max_snapshots: config.charts.max_snapshots,
                own_seconds: config.metrics.own_seconds,
                retention: retention(&config.metrics),
            },
        );
        let flows =
            Flows::new(manager.clone(), records.clone(), engine.clone(), Arc::clone(&meters), flow_settings);
        Ok(Self {
            access,
            manager,
            records,
            engine,
            clock: Clock::system(),
            maintenance,
            snapshots,
            flows,
            charts,
            meters,
            fetch,
            config,
            recovered,
            first_start,
            _lock: lock,
        })
    }

    /// Whether every caller is taken for `admin`: a setting that the start allows on loopback only.
    pub fn auth_is_off(&self) -> bool {
        !self.config.auth.enabled
    }

    /// Tells the engine that there may be something to start.
    pub fn wake(&self) {
        self.engine.wake();
    }

    /// Starts what schedules have come due, until the service stops.
    pub async fn follow_schedules(&self, mut is_stopping: tokio::sync::watch::Receiver<bool>) {
        let mut is_told = false;
        // None before the first look: the clock may have gone back while nobody looked.
        let mut last_look = None;
        while !*is_stopping.borrow() {
            let now = self.clock.now();
            match self.look_at_schedules(now, last_look).await {
                Ok(fired) => {
                    last_look = Some(now);
                    is_told = false;
                    if !fired.executions.is_empty() {
                        self.wake();
                    }
                }
                Err(ManagerError::Maintenance) if is_told => {}
                Err(ManagerError::Maintenance) => {
                    is_told = true;
                    tracing::info!(
                        "schedules have come due, and wait until the manager may be changed again"
                    );
                }
                Err(error) => tracing::error!("failed to follow the execution schedules: {}", chain(&error)),
            }
            let _ = tokio::time::timeout(SCHEDULES_INTERVAL, is_stopping.changed()).await;
        }
    }

    async fn look_at_schedules(
        &self,
        now: Timestamp,
        last_look: Option<Timestamp>,
    ) -> Result<Fired, ManagerError> {
        if last_look.is_none_or(|last_look| now < last_look) {
            self.manager.recount_schedules(now).await?;
        }
        self.manager.fire_schedules(now).await
    }

    /// One page of the executions that the caller may see, of the service and of deployments.
    ///
    /// # Errors
    /// A column that there is not; the databases' own.
    pub async fn list_executions(
        &self,
        caller: &Caller,
        query: ListQuery,
        include_system: bool,
    ) -> Result<Page, ListError> {
        let scope = visible(caller, query.all_tenants);
        let [of_service, of_state] = self.engine.databases();
        if include_system {
            return list_both([of_service, of_state], &EXECUTIONS, query, scope).await;
        }
        // Whatever the service runs for itself is a workflow of the system: none of it would be found.
        let scope = scope.and("is_system_workflow = 0", []);
        of_state.read(move |connection| list(connection, &EXECUTIONS, &query, &scope)).await
    }

    /// Counts the entities of a kind that the caller sees by the values of one or two fields; executions are those of the
    /// service and those of deployments.
    ///
    /// # Errors
    /// A filter on a column that there is not; the databases' own.
    pub async fn summarize(
        &self,
        caller: &Caller,
        kind: Summarized,
        fields: Vec<&'static str>,
        query: ListQuery,
    ) -> Result<Groups, ManagerError> {
        if kind != Summarized::Executions {
            return self.manager.summarize(caller, kind, fields, query).await;
        }
        let scope = visible(caller, query.all_tenants);
        Ok(merged_groups(self.engine.databases(), &EXECUTIONS, fields, query, scope).await?)
    }

    /// Reads a blueprint as an upload does, under a name that nobody else has, and removes it again; answers what it was.
    ///
    /// # Errors
    /// What is wrong with the blueprint.
    pub async fn validate_blueprint(
        &self,
        caller: &Caller,
        mut new: NewBlueprint,
        patience: Duration,
    ) -> Result<Map<String, Value>, ManagerError> {
        EntityId::parse("blueprint_id", &new.id)?;
        new.id = format!("validate-{}", uuid::Uuid::new_v4());
        let id = new.id.clone();
        let (_, execution) = self.manager.create_blueprint(caller, new).await?;
        self.wake();
        let blueprint = self.manager.wait_for_blueprint(caller, &id, execution, patience).await?;
        self.manager.delete_blueprint(caller, &id, true).await?;
        Ok(blueprint)
    }

    /// One execution as its record shows it.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] where there is none that the caller may see; a column that there is not.
    pub async fn get_execution(
        &self,
        caller: &Caller,
        id: ExecutionId,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        let scope = visible(caller, false).and("id = ?", [text(id.to_string())]);
        let query = ListQuery { include, size: 1, ..ListQuery::default() };
        let mut page = list_both(self.engine.databases(), &EXECUTIONS, query, scope).await?;
        page.items.pop().ok_or_else(|| ManagerError::NotFound { noun: "Execution", id: id.to_string() })
    }

    /// An execution as it stands now, for the answer to the call that recorded or changed it.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; the databases' own.
    pub async fn execution_view(&self, id: ExecutionId) -> Result<Map<String, Value>, ManagerError> {
        let scope = Scope::everything().and("id = ?", [text(id.to_string())]);
        let query = ListQuery { size: 1, ..ListQuery::default() };
        let mut page = list_both(self.engine.databases(), &EXECUTIONS, query, scope).await?;
        page.items.pop().ok_or_else(|| ManagerError::NotFound { noun: "Execution", id: id.to_string() })
    }

    /// Lets an execution of a deployment run again that failed or was cancelled.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] where there is none that the caller may see; [`ManagerError::Conflict`] where it stands
    /// otherwise; [`ManagerError::IllegalAction`] for one of the service.
    pub async fn resume_execution(&self, caller: &Caller, id: ExecutionId) -> Result<(), ManagerError> {
        self.get_execution(caller, id, None).await?;
        self.manager.resume_execution(id).await?;
        self.wake();
        Ok(())
    }

    /// One page of the events and logs of the tenants that the caller may see.
    ///
    /// # Errors
    /// A column that there is not; the databases' own.
    pub async fn list_events(
        &self,
        caller: &Caller,
        query: ListQuery,
        choice: EventChoice,
    ) -> Result<Page, ListError> {
        let scope = match (query.all_tenants, caller.is_admin()) {
            (true, true) => Scope::everything(),
            (true, false) => {
                let marks = vec!["?"; caller.tenants.len()].join(", ");
                let names = caller.tenants.iter().map(|(name, _)| text(name.as_str()));
                Scope::everything().and(&format!("tenant_name IN ({marks})"), names)
            }
            (false, _) => Scope::everything().and("tenant_name = ?", [text(caller.tenant.as_str())]),
        };
        list_both(self.engine.databases(), &EVENTS, query, choice.restrict(scope)).await
    }
}

fn lock(folder: &Path) -> Result<File, AppError> {
    let in_folder = |source| AppError::Folder { folder: folder.to_owned(), source };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(folder.join("lock"))
        .map_err(in_folder)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(AppError::InUse(folder.to_owned())),
        Err(error) => Err(in_folder(error.into())),
    }
}

/// What lies in `tmp/` belongs to a process that is gone: the lock says so.
fn empty(partial: &Path) -> io::Result<()> {
    match fs::remove_dir_all(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::DirBuilder::new().mode(0o700).create(partial)
}

fn recipients(config: &Config) -> Result<Vec<Recipient>, AppError> {
    config
        .encryption
        .recipients
        .iter()
        .map(|recipient| {
            recipient.parse().map_err(|source| AppError::Recipient { recipient: recipient.clone(), source })
        })
        .collect()
}

fn flow_settings(config: &Config) -> FlowSettings {
    let amqp = config.amqp.uri.as_ref().map(|uri| Amqp {
        uri: uri.reveal().clone(),
        exchange: config.amqp.exchange.clone(),
        queue: config.amqp.queue.clone(),
        binding: config.amqp.binding.clone(),
        prefetch: config.amqp.prefetch,
    });
    FlowSettings {
        max_snapshot_bytes: config.flows.max_snapshot_bytes,
        history_entries: config.flows.history_entries,
        dead_letters: config.flows.dead_letters,
        amqp,
    }
}

fn first_start(access: &Access, folder: &Path, given: Option<&str>) -> Result<Option<FirstStart>, AppError> {
    if access.has_admin()? {
        return Ok(None);
    }
    let random = given.is_none().then(random_password);
    let password = given.or(random.as_deref()).unwrap_or_default();
    access.found_admin(password)?;
    Ok(Some(FirstStart {
        password: random,
        recovery_file: folder.join("keys").join("recovery.txt"),
        password_file: folder.join("keys").join("admin-password.txt"),
    }))
}
