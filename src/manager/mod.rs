//! The embedded manager: tenants, blueprints, deployments and what belongs to them, in generations.
//!
//! Knows no HTTP and no archive. Its state is read by many at once; every change goes through [`Manager::write`],
//! which a restore can close.

mod agents;
mod blobs;
pub mod blueprint;
mod blueprints;
pub mod bypass;
mod catalog;
mod dependencies;
mod deployment_status;
mod deployments;
mod entities;
mod environment;
mod error;
mod evaluation;
mod execution_groups;
mod fernet;
pub mod filters;
mod generation;
mod groups;
mod hierarchy;
mod icons;
mod incoming;
mod inventory;
mod labels;
mod modifications;
mod nodes;
mod plugins;
mod plugins_updates;
mod recording;
mod removal;
mod schedules;
pub mod schema;
mod scope;
mod secret_files;
mod secret_schema;
mod secrets;
mod sites;
mod summary;
mod tasks_graphs;
mod tenants;
mod updates;
mod upload;
mod vault;
mod wagon;
mod workflows;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use rusqlite::{Connection, Transaction};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use crate::charts::store::MetricsStore;

use crate::database::DatabaseError;
use crate::model::{BlobId, TenantName, Timestamp};

pub use agents::{AGENTS, AgentChange};
pub use blobs::{Blobs, Pin, StoredBlob};
pub use blueprints::{BLUEPRINTS, BlueprintChange, Download, NewBlueprint};
pub use dependencies::{DependencyQuery, INTER_DEPLOYMENT_DEPENDENCIES, NewDependency};
pub use deployments::{DEPLOYMENTS, DeleteDeployment, DeploymentChange, NewDeployment};
pub use environment::{run_create_deployment_environment, run_delete_deployment_environment};
pub use error::ManagerError;
pub use evaluation::EvaluationContext;
pub use execution_groups::{
    DEFAULT_CONCURRENCY, EXECUTION_GROUPS, GroupTargets, NewExecutionGroup, ended as execution_ended,
};
pub use generation::{Generation, GenerationError, Generations};
pub use groups::{DEPLOYMENT_GROUPS, GroupChange, Members};
pub use incoming::Incoming;
pub use inventory::{Counts, Difference, Inventory};
pub use labels::{RESERVED_LABELS, Words};
pub use modifications::{DEPLOYMENT_MODIFICATIONS, ModificationEnd, NewModification};
pub use nodes::{InstanceChange, NODE_INSTANCES, NODES};
pub use plugins::{NewPlugin, PLUGINS, PluginChange};
pub use plugins_updates::{
    NewPluginsUpdate, PLUGINS_UPDATES, PluginsChoice, PluginsUpdateRequest, run_update_plugin,
    settle_plugins_updates,
};
pub use removal::Keep;
pub use schedules::{EXECUTION_SCHEDULES, Fired, NewSchedule, ScheduleChange, keep_fired};
pub use scope::{visible, writable};
pub use secret_files::{ImportedSecrets, SecretExport, SecretImport};
pub use secrets::{NewSecret, SECRETS, SecretChange};
pub use sites::{NewSite, SITES, SiteChange};
pub use summary::Summarized;
pub use tasks_graphs::{NewOperation, NewTasksGraph, OPERATIONS, OperationChoice, TASKS_GRAPHS};
pub use tenants::tenant_names;
pub use updates::{DEPLOYMENT_UPDATES, UpdateRequest};
pub use upload::{fail_upload, run_upload_blueprint};
pub use vault::{Place, Vault, VaultError};
pub use workflows::{StartOptions, run_deployment_workflow};

/// The embedded manager. Clones are handles to the same one.
#[derive(Clone)]
pub struct Manager {
    inner: Arc<Inner>,
}

struct Inner {
    generations: Generations,
    current: ArcSwap<Generation>,
    blobs: Blobs,
    vault: Arc<Vault>,
    closed: AtomicBool,
    /// Maintenance: callers may not write, executions may.
    held: AtomicBool,
    /// Held by who writes measurements, which have a file of their own.
    metrics_gate: Arc<RwLock<()>>,
}

/// Lets measurements be written as long as it lives: a restore waits for it.
pub struct MetricsGuard {
    store: MetricsStore,
    _gate: OwnedRwLockReadGuard<()>,
}

impl MetricsGuard {
    /// The store of the live state.
    pub fn store(&self) -> &MetricsStore {
        &self.store
    }
}

impl Manager {
    /// Opens the live generation under `folder`, or makes the first one with its tenant `default_tenant`.
    ///
    /// # Errors
    /// The file system's and the database's own.
    pub fn open(folder: &Path, blobs: Blobs, vault: Arc<Vault>) -> Result<Self, ManagerError> {
        let generations = Generations::open(folder)?;
        let current = match generations.current()? {
            Some(number) => generations.load(number)?,
            None => {
                let first = generations.create()?;
                first.database.write_blocking(found)?;
                generations.sync(first.number)?;
                generations.set_current(first.number)?;
                first
            }
        };
        Ok(Self {
            inner: Arc::new(Inner {
                generations,
                current: ArcSwap::from_pointee(current),
                blobs,
                vault,
                closed: AtomicBool::new(false),
                held: AtomicBool::new(false),
                metrics_gate: Arc::default(),
            }),
        })
    }

    /// The live generation. Who holds it goes on seeing it after a swap.
    pub fn current(&self) -> Arc<Generation> {
        self.inner.current.load_full()
    }

    /// The folder of generations, for the parts that stage and swap them.
    pub fn generations(&self) -> &Generations {
        &self.inner.generations
    }

    /// The files that rows name.
    pub fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    /// What seals values at rest.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.inner.vault
    }

    /// Reads the live state as of one moment.
    ///
    /// # Errors
    /// Those of `work`, and the database's own.
    pub async fn read<T, F>(&self, work: F) -> Result<T, ManagerError>
    where
        F: FnOnce(&Connection) -> Result<T, ManagerError> + Send + 'static,
        T: Send + 'static,
    {
        self.current().database.read(work).await
    }

    /// [`Manager::read`] for blocking threads.
    ///
    /// # Errors
    /// As [`Manager::read`].
    pub fn read_blocking<T, F>(&self, work: F) -> Result<T, ManagerError>
    where
        F: FnOnce(&Connection) -> Result<T, ManagerError> + Send + 'static,
        T: Send + 'static,
    {
        self.current().database.read_blocking(work)
    }

    /// Changes the live state in one transaction.
    ///
    /// # Errors
    /// [`ManagerError::Maintenance`] while a restore or maintenance keeps writers out; those of `work`; the database's own.
    pub async fn write<T, F>(&self, work: F) -> Result<T, ManagerError>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, ManagerError> + Send + 'static,
        T: Send + 'static,
    {
        self.write_with(work).await
    }

    /// [`Manager::write`] for work that fails in ways of its own.
    ///
    /// # Errors
    /// As [`Manager::write`].
    pub async fn write_with<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<ManagerError> + From<DatabaseError> + Send + 'static,
    {
        let (manager, generation) = (self.clone(), self.current());
        let database = generation.database.clone();
        let bypasses = bypass::is_on();
        database
            .write(move |tx| {
                manager.check_open(&generation)?;
                if !bypasses {
                    manager.check_not_held()?;
                }
                work(tx)
            })
            .await
    }

    /// [`Manager::write`] for blocking threads, on which executions run: maintenance does not keep them out, as it waits
    /// for them.
    ///
    /// # Errors
    /// As [`Manager::write`].
    pub fn write_blocking<T, F>(&self, work: F) -> Result<T, ManagerError>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, ManagerError> + Send + 'static,
        T: Send + 'static,
    {
        self.write_blocking_with(work)
    }

    /// [`Manager::write_with`] for blocking threads.
    ///
    /// # Errors
    /// As [`Manager::write`].
    pub fn write_blocking_with<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<ManagerError> + From<DatabaseError> + Send + 'static,
    {
        let (manager, generation) = (self.clone(), self.current());
        let database = generation.database.clone();
        database.write_blocking(move |tx| {
            manager.check_open(&generation)?;
            work(tx)
        })
    }

    /// Counts what the live state holds, as of one moment. For blocking threads.
    ///
    /// # Errors
    /// The database's own.
    pub fn inventory_blocking(&self) -> Result<Inventory, ManagerError> {
        self.read_blocking(Inventory::read)
    }

    // Both are read on the writer's thread: after `close` has drained that thread, nothing that began before can still
    // be written, and what was on its way to a generation while that was replaced is not written into the kept one.
    fn check_open(&self, generation: &Generation) -> Result<(), ManagerError> {
        let is_live = self.current().number == generation.number;
        if is_live && !self.is_closed() { Ok(()) } else { Err(ManagerError::Maintenance) }
    }

    // Read on the writer's thread, too: after `hold` has drained it, no caller changes anything.
    fn check_not_held(&self) -> Result<(), ManagerError> {
        if self.inner.held.load(Ordering::SeqCst) { Err(ManagerError::Maintenance) } else { Ok(()) }
    }

    /// Lets maintenance keep callers from writing, or no more.
    pub fn set_held(&self, is_held: bool) {
        self.inner.held.store(is_held, Ordering::SeqCst);
    }

    /// Keeps callers from writing from now on, and waits until what they were writing is committed.
    ///
    /// # Errors
    /// The database's own.
    pub async fn hold(&self) -> Result<(), ManagerError> {
        self.set_held(true);
        drop(self.inner.metrics_gate.write().await);
        self.current().database.write(|_| Ok::<(), ManagerError>(())).await
    }

    /// Whether a restore keeps writers out at the moment.
    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::SeqCst)
    }

    /// Keeps writers out from now on, and waits until what was being written is committed. For blocking threads.
    ///
    /// # Errors
    /// The database's own.
    pub fn close_blocking(&self) -> Result<(), ManagerError> {
        self.inner.closed.store(true, Ordering::SeqCst);
        drop(self.inner.metrics_gate.blocking_write());
        self.current().database.write_blocking(|_| Ok::<(), ManagerError>(()))
    }

    /// The way to write measurements of the live state.
    ///
    /// # Errors
    /// [`ManagerError::Maintenance`] while a restore or maintenance keeps writers out.
    pub async fn enter_metrics(&self) -> Result<MetricsGuard, ManagerError> {
        let gate = Arc::clone(&self.inner.metrics_gate).read_owned().await;
        // Read behind the gate: who closes waits there for those who have passed.
        if self.is_closed() {
            return Err(ManagerError::Maintenance);
        }
        if !bypass::is_on() {
            self.check_not_held()?;
        }
        Ok(MetricsGuard { store: self.current().metrics.clone(), _gate: gate })
    }

    /// Lets writers in again.
    pub fn reopen(&self) {
        self.inner.closed.store(false, Ordering::SeqCst);
    }

    /// Lets `number` be the live generation: the link first, durably, then whoever reads from now on.
    ///
    /// # Errors
    /// The file system's and the database's own; the live generation is then the one that `current` names.
    pub fn switch_to(&self, number: u64) -> Result<(), ManagerError> {
        let next = self.inner.generations.load(number)?;
        self.inner.generations.set_current(number)?;
        self.inner.current.store(Arc::new(next));
        Ok(())
    }
}

/// The files that the rows of a state name.
///
/// # Errors
/// The database's own.
pub fn named_blobs(connection: &Connection) -> Result<Vec<BlobId>, ManagerError> {
    let mut statement = connection.prepare(
        "SELECT archive_blob FROM blueprints WHERE archive_blob IS NOT NULL UNION SELECT archive_blob FROM plugins",
    )?;
    let names =
        statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(names.iter().filter_map(|name| BlobId::parse(name)).collect())
}

/// Writes what every manager has from its first moment.
fn found(tx: &Transaction<'_>) -> Result<(), ManagerError> {
    tx.execute(
        "INSERT INTO tenants (name, created_at) VALUES (?, ?)",
        (TenantName::DEFAULT, Timestamp::now().to_string()),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
