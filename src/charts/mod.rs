//! Metrics, charts of them, and chart snapshots: pictures of a chart as of a moment, drawn by background jobs.
//!
//! Knows no HTTP. `store` keeps measurements and knows no chart; `render` draws and knows no store.

mod definition;
mod drawing;
mod error;
mod fields;
mod meters;
mod metrics;
mod own;
pub mod render;
mod sampling;
mod snapshots;
mod spaces;
pub mod store;
mod transform;

use std::sync::Arc;

use crate::executions::Engine;
use crate::manager::Manager;
use crate::records::Records;

pub use definition::{ChartDefinition, ChartKind, StreamDefinition, TagCondition, read_tags};
pub use drawing::{Stores, own_tenant};
pub use error::ChartError;
pub use meters::Meters;
pub use metrics::ReadRequest;
pub use own::{OWN_ANNOTATIONS, OWN_PREFIX, metric};
pub use sampling::retention;
pub use snapshots::{
    ChartJob, ChartSnapshot, ImageForm, MAX_DURATION, NewChartSnapshot, PictureSize, draw, record_job_chart,
};
pub use spaces::{Chart, Found, Slice, Space};

use store::{MetricsStore, Retention};

/// What charts need to know of the settings.
#[derive(Clone, Debug)]
pub struct ChartSettings {
    /// How many chart snapshots are kept at the most.
    pub max_snapshots: u64,
    /// How often the service measures itself, in seconds; 0: never.
    pub own_seconds: u64,
    /// How long measurements are kept.
    pub retention: Retention,
}

/// The metrics, charts and chart snapshots of a service. Clones are handles to the same.
#[derive(Clone)]
pub struct Charts {
    inner: Arc<Inner>,
}

struct Inner {
    manager: Manager,
    records: Records,
    engine: Engine,
    own: MetricsStore,
    meters: Arc<Meters>,
    settings: ChartSettings,
}

impl Charts {
    /// The charts of a service with these parts; `own` keeps what the service measures of itself.
    pub fn new(
        manager: Manager,
        records: Records,
        engine: Engine,
        own: MetricsStore,
        meters: Arc<Meters>,
        settings: ChartSettings,
    ) -> Self {
        Self { inner: Arc::new(Inner { manager, records, engine, own, meters, settings }) }
    }

    fn settings(&self) -> &ChartSettings {
        &self.inner.settings
    }

    /// Where measurements are at the moment.
    pub fn stores(&self) -> Stores {
        Stores { own: self.inner.own.clone(), state: self.inner.manager.current().metrics.clone() }
    }

    /// Reads the live state as of one moment.
    async fn read<T, F>(&self, work: F) -> Result<T, ChartError>
    where
        F: FnOnce(&rusqlite::Connection) -> Result<T, ChartError> + Send + 'static,
        T: Send + 'static,
    {
        self.inner.manager.current().database.read(work).await
    }

    /// Changes the live state in one transaction.
    async fn write<T, F>(&self, work: F) -> Result<T, ChartError>
    where
        F: FnOnce(&rusqlite::Transaction<'_>) -> Result<T, ChartError> + Send + 'static,
        T: Send + 'static,
    {
        self.inner.manager.write_with(work).await
    }
}
