//! Metrics and annotations of the caller's tenant. Those whose names begin with `manager.` are the service's own: everybody
//! reads them, nobody writes them.

use crate::model::{Caller, TenantName};

use super::own::OWN_PREFIX;
use super::spaces::{Found, Slice};
use super::store::{Annotation, Measurement, Metric, MetricName, MetricsStore, Query, SeriesData, TagFilter};
use super::{ChartError, Charts};

/// What is read of a metric.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The metric.
    pub metric: String,
    /// Which of its series.
    pub filter: TagFilter,
    /// The first moment, in seconds since 1970.
    pub start: i64,
    /// The moment after the last.
    pub end: i64,
    /// The interval that each point stands for, in seconds, at least.
    pub resolution: u32,
    /// How many points are read of a series at the most.
    pub max_points: usize,
}

fn is_own(name: &str) -> bool {
    name.get(..OWN_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN_PREFIX))
}

fn refuse_own(name: &str) -> Result<(), ChartError> {
    if !is_own(name) {
        return Ok(());
    }
    let reason = format!("begins with `{OWN_PREFIX}`: such names are the service's own");
    Err(ChartError::parameter("name", reason))
}

impl Charts {
    fn store_of(&self, caller: &Caller, name: &str) -> (MetricsStore, TenantName) {
        let stores = self.stores();
        let (store, tenant) = stores.of(&caller.tenant, name);
        (store.clone(), tenant)
    }

    /// Keeps measurements, all or none of them. They are durable when this answers.
    ///
    /// # Errors
    /// [`ChartError::Parameter`] for a name that is the service's own; [`crate::manager::ManagerError::Maintenance`] while a restore runs.
    pub async fn submit(&self, measurements: Vec<Measurement>) -> Result<(), ChartError> {
        for measurement in &measurements {
            refuse_own(measurement.key.metric.as_str())?;
        }
        let guard = self.inner.manager.enter_metrics().await?;
        guard.store().write(measurements).await?;
        Ok(())
    }

    /// A part of the metrics of the caller's tenant, the service's own after them, by name.
    ///
    /// # Errors
    /// The store's own.
    pub async fn metrics(
        &self,
        caller: &Caller,
        name: Option<String>,
        slice: Slice,
    ) -> Result<Found<Metric>, ChartError> {
        let stores = self.stores();
        let own = super::own_tenant();
        let mut found = Found { items: Vec::new(), found: 0, total: 0 };
        let (mut offset, mut length) = (slice.offset, slice.length);
        for (store, tenant) in [(&stores.state, caller.tenant.clone()), (&stores.own, own)] {
            let page = store.metrics(tenant, name.clone(), offset, length, slice.descending).await?;
            offset = offset.saturating_sub(page.found);
            length = length.saturating_sub(page.metrics.len() as u64);
            found.items.extend(page.metrics);
            found.found += page.found;
            found.total += page.total;
        }
        Ok(found)
    }

    /// One metric.
    ///
    /// # Errors
    /// [`ChartError::NotFound`].
    pub async fn metric(&self, caller: &Caller, name: &str) -> Result<Metric, ChartError> {
        let (store, tenant) = self.store_of(caller, name);
        let not_found = || ChartError::NotFound { noun: "metric", id: name.to_owned() };
        let metric = MetricName::parse(name).map_err(|_| not_found())?;
        store.metric(tenant, metric).await?.ok_or_else(not_found)
    }

    /// Writes what is known of a metric beside its measurements; answers whether it was new.
    ///
    /// # Errors
    /// [`ChartError::Parameter`] for a name that is the service's own; [`crate::manager::ManagerError::Maintenance`].
    pub async fn set_metric(&self, caller: &Caller, metric: Metric) -> Result<bool, ChartError> {
        refuse_own(metric.name.as_str())?;
        let guard = self.inner.manager.enter_metrics().await?;
        Ok(guard.store().set_metric(caller.tenant.clone(), metric).await?)
    }

    /// Removes metrics with their measurements; names may hold `*`. Answers how many there were.
    ///
    /// # Errors
    /// [`ChartError::Parameter`] for a name that is the service's own; [`crate::manager::ManagerError::Maintenance`].
    pub async fn delete_metrics(&self, caller: &Caller, names: Vec<String>) -> Result<u64, ChartError> {
        for name in &names {
            refuse_own(name)?;
        }
        let guard = self.inner.manager.enter_metrics().await?;
        Ok(guard.store().delete_metrics(caller.tenant.clone(), names).await?)
    }

    /// The measurements of a metric, by series.
    ///
    /// # Errors
    /// [`ChartError::NotFound`] for a metric that is unknown.
    pub async fn measurements(
        &self,
        caller: &Caller,
        request: ReadRequest,
    ) -> Result<Vec<SeriesData>, ChartError> {
        let (store, query) = self.query(caller, request).await?;
        Ok(store.read(query).await?)
    }

    /// The last `count` measurements of each series of a metric in a window, each at the asked resolution as long as
    /// measurements are kept that fine.
    ///
    /// # Errors
    /// As [`Charts::measurements`].
    pub async fn last_measurements(
        &self,
        caller: &Caller,
        request: ReadRequest,
        count: usize,
    ) -> Result<Vec<SeriesData>, ChartError> {
        let (store, query) = self.query(caller, request).await?;
        Ok(store.read_last(query, count).await?)
    }

    async fn query(
        &self,
        caller: &Caller,
        request: ReadRequest,
    ) -> Result<(MetricsStore, Query), ChartError> {
        let metric = self.metric(caller, &request.metric).await?.name;
        let (store, tenant) = self.store_of(caller, &request.metric);
        let query = Query {
            tenant,
            metric,
            filter: request.filter,
            start: request.start,
            end: request.end,
            max_buckets: request.max_points,
            min_step: request.resolution,
        };
        Ok((store, query))
    }

    /// Where annotations of a stream are read.
    fn annotations_of(&self, caller: &Caller, stream: &str) -> (MetricsStore, TenantName) {
        self.store_of(caller, stream)
    }

    /// Keeps an annotation, and answers its number.
    ///
    /// # Errors
    /// [`ChartError::Parameter`] for a stream that is the service's own; [`crate::manager::ManagerError::Maintenance`].
    pub async fn annotate(&self, caller: &Caller, annotation: Annotation) -> Result<i64, ChartError> {
        refuse_own(&annotation.stream)?;
        let guard = self.inner.manager.enter_metrics().await?;
        Ok(guard.store().add_annotation(caller.tenant.clone(), annotation).await?)
    }

    /// The names of all streams of annotations, by name: those of the tenant, then the service's own.
    ///
    /// # Errors
    /// The store's own.
    pub async fn annotation_streams(&self, caller: &Caller) -> Result<Vec<String>, ChartError> {
        let stores = self.stores();
        let mut names = stores.state.annotation_streams(caller.tenant.clone(), None).await?;
        names.extend(stores.own.annotation_streams(super::own_tenant(), None).await?);
        Ok(names)
    }

    /// The annotations of a stream in a window, oldest first; with `source` those of that source.
    ///
    /// # Errors
    /// The store's own.
    pub async fn annotations(
        &self,
        caller: &Caller,
        stream: &str,
        start: i64,
        end: i64,
        source: Option<String>,
    ) -> Result<Vec<Annotation>, ChartError> {
        let (store, tenant) = self.annotations_of(caller, stream);
        Ok(store.annotations(tenant, Some(stream.to_owned()), start, end, source).await?)
    }

    /// One annotation.
    ///
    /// # Errors
    /// [`ChartError::NotFound`].
    pub async fn annotation(&self, caller: &Caller, stream: &str, id: i64) -> Result<Annotation, ChartError> {
        let (store, tenant) = self.annotations_of(caller, stream);
        let found = store.annotation(tenant, stream.to_owned(), id).await?;
        found.ok_or_else(|| ChartError::NotFound { noun: "annotation", id: id.to_string() })
    }

    /// Writes an annotation that is there in place of the former one.
    ///
    /// # Errors
    /// [`ChartError::NotFound`]; [`ChartError::Parameter`] for a stream that is the service's own; [`crate::manager::ManagerError::Maintenance`].
    pub async fn update_annotation(&self, caller: &Caller, annotation: Annotation) -> Result<(), ChartError> {
        refuse_own(&annotation.stream)?;
        let id = annotation.id;
        let guard = self.inner.manager.enter_metrics().await?;
        match guard.store().update_annotation(caller.tenant.clone(), annotation).await? {
            true => Ok(()),
            false => Err(ChartError::NotFound { noun: "annotation", id: id.to_string() }),
        }
    }

    /// Removes an annotation, or a whole stream where `id` is `None`.
    ///
    /// # Errors
    /// [`ChartError::NotFound`]; [`ChartError::Parameter`] for a stream that is the service's own; [`crate::manager::ManagerError::Maintenance`].
    pub async fn delete_annotations(
        &self,
        caller: &Caller,
        stream: &str,
        id: Option<i64>,
    ) -> Result<(), ChartError> {
        refuse_own(stream)?;
        let guard = self.inner.manager.enter_metrics().await?;
        let is_gone = match id {
            Some(id) => guard.store().delete_annotation(caller.tenant.clone(), stream.to_owned(), id).await?,
            None => {
                guard.store().delete_annotation_stream(caller.tenant.clone(), stream.to_owned()).await? > 0
            }
        };
        let (noun, id) = match id {
            Some(id) => ("annotation", id.to_string()),
            None => ("stream of annotations", stream.to_owned()),
        };
        match is_gone {
            true => Ok(()),
            false => Err(ChartError::NotFound { noun, id }),
        }
    }
}
