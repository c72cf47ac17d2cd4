//! Metrics and their attributes, and the series that belong to them.

use rusqlite::{Connection, OptionalExtension, Row, Rows, Transaction, params};
use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::{MetricName, MetricsStore, SeriesKey, StoreError, TagFilter, Tags, glob};
use crate::model::TenantName;

/// What the values of a metric are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// A value of its time.
    Gauge,
    /// A count that grows; what matters is by how much.
    Counter,
}

impl MetricKind {
    /// The word on the wire and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "gauge" => Some(Self::Gauge),
            "counter" => Some(Self::Counter),
            _ => None,
        }
    }
}

/// A metric of a tenant. As JSON it stands in archives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    pub name: MetricName,
    pub kind: MetricKind,
    /// How many seconds lie between two measurements, as far as somebody said.
    pub period: Option<u32>,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub attributes: serde_json::Map<String, serde_json::Value>,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Seconds since 1970; measurements don't count as updates.
    pub updated_at: i64,
}

/// A page of metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPage {
    pub metrics: Vec<Metric>,
    /// How many match.
    pub found: u64,
    /// How many the tenant has.
    pub total: u64,
}

const COLUMNS: &str = "name, kind, period, display_name, description, attributes, created_at, updated_at";

impl MetricsStore {
    /// Lists metrics whose name has a part, whatever its case, by name.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn metrics(
        &self,
        tenant: TenantName,
        name_contains: Option<String>,
        offset: u64,
        length: u64,
        is_descending: bool,
    ) -> Result<MetricPage, StoreError> {
        self.database
            .read(move |connection| {
                let total: i64 = connection
                    .prepare_cached("SELECT count(*) FROM metrics WHERE tenant_name = ?")?
                    .query_row([tenant.as_str()], |row| row.get(0))?;
                let total = u64::try_from(total).unwrap_or(0);
                let order = if is_descending { "DESC" } else { "ASC" };
                // What is passed over are names in an index, not rows.
                let (ids, found) = match name_contains.filter(|part| !part.is_empty()) {
                    Some(part) => {
                        let sql = format!(
                            "SELECT id FROM metrics WHERE tenant_name = ? AND holds(?, name) ORDER BY name {order}"
                        );
                        let mut statement = connection.prepare_cached(&sql)?;
                        let mut rows = statement.query([tenant.as_str(), part.as_str()])?;
                        page_of(&mut rows, offset, length)?
                    }
                    None => {
                        let sql = format!(
                            "SELECT id FROM metrics WHERE tenant_name = ? ORDER BY name {order} LIMIT ? OFFSET ?"
                        );
                        let mut statement = connection.prepare_cached(&sql)?;
                        let bounded = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
                        let page = params![tenant.as_str(), bounded(length), bounded(offset)];
                        let ids = statement.query_map(page, |row| row.get(0))?;
                        (ids.collect::<Result<_, _>>()?, total)
                    }
                };
                let mut statement =
                    connection.prepare_cached(&format!("SELECT {COLUMNS} FROM metrics WHERE id = ?"))?;
                let metrics = ids.into_iter().map(|id| statement.query_row([id], metric_of));
                Ok(MetricPage { metrics: metrics.collect::<Result<_, _>>()?, found, total })
            })
            .await
    }

    /// One metric by its name, whatever its case.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn metric(&self, tenant: TenantName, name: MetricName) -> Result<Option<Metric>, StoreError> {
        self.database.read(move |connection| metric(connection, &tenant, &name)).await
    }

    /// [`MetricsStore::metric`] for blocking threads. Never to be called on a thread of the runtime.
    pub fn metric_blocking(
        &self,
        tenant: TenantName,
        name: MetricName,
    ) -> Result<Option<Metric>, StoreError> {
        self.database.read_blocking(move |connection| metric(connection, &tenant, &name))
    }

    /// Sets what is said of a metric, or makes it, without points, where there is none. An existing one keeps its
    /// name's spelling and `created_at`. Answers whether it was made.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn set_metric(&self, tenant: TenantName, metric: Metric) -> Result<bool, StoreError> {
        self.change_async(move |tx, _| set_metric(tx, &tenant, &metric)).await
    }

    /// Deletes metrics with all their points, by names in which `*` stands for any characters and case does not
    /// count. Answers how many there were.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn delete_metrics(&self, tenant: TenantName, names: Vec<String>) -> Result<u64, StoreError> {
        self.change_async(move |tx, cache| delete_metrics(tx, cache, &tenant, &names)).await
    }

    /// The series of a metric that a filter means, by their tags.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn series(
        &self,
        tenant: TenantName,
        metric: MetricName,
        filter: TagFilter,
    ) -> Result<Vec<SeriesKey>, StoreError> {
        self.database
            .read(move |connection| {
                let series = matching_series(connection, &tenant, &metric, &filter)?;
                Ok(series.into_iter().map(|(_, key)| key).collect())
            })
            .await
    }
}

/// The ids on a page of what was found, and how many were found in all: every name has to be tried for either.
fn page_of(rows: &mut Rows<'_>, offset: u64, length: u64) -> rusqlite::Result<(Vec<i64>, u64)> {
    let (mut ids, mut found) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        if found >= offset && found - offset < length {
            ids.push(row.get(0)?);
        }
        found += 1;
    }
    Ok((ids, found))
}

fn metric_of(row: &Row<'_>) -> rusqlite::Result<Metric> {
    let kind: String = row.get(1)?;
    let attributes: String = row.get(5)?;
    Ok(Metric {
        name: MetricName::trusted(row.get(0)?),
        kind: MetricKind::parse(&kind).unwrap_or(MetricKind::Gauge),
        period: row.get(2)?,
        display_name: row.get(3)?,
        description: row.get(4)?,
        attributes: serde_json::from_str(&attributes).unwrap_or_default(),
        created_at: row.get(6)?,
        updated_at: row.get(7)?,
    })
}

fn metric(
    connection: &Connection,
    tenant: &TenantName,
    name: &MetricName,
) -> Result<Option<Metric>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM metrics WHERE tenant_name = ? AND name = ?");
    let found = connection.prepare_cached(&sql)?.query_row([tenant.as_str(), name.as_str()], metric_of);
    Ok(found.optional()?)
}

/// All metrics of a tenant by name.
pub(super) fn all_metrics(connection: &Connection, tenant: &TenantName) -> Result<Vec<Metric>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM metrics WHERE tenant_name = ? ORDER BY name");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_map([tenant.as_str()], metric_of)?.collect::<Result<_, _>>()?)
}

pub(super) fn set_metric(
    tx: &Transaction<'_>,
    tenant: &TenantName,
    metric: &Metric,
) -> Result<bool, StoreError> {
    let is_new = self::metric(tx, tenant, &metric.name)?.is_none();
    let attributes = serde_json::to_string(&metric.attributes)?;
    tx.prepare_cached(
        "INSERT INTO metrics (tenant_name, name, kind, period, display_name, description, attributes, created_at,
            updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (tenant_name, name) DO UPDATE SET kind = excluded.kind, period = excluded.period,
            display_name = excluded.display_name, description = excluded.description,
            attributes = excluded.attributes, updated_at = excluded.updated_at",
    )?
    .execute(params![
        tenant.as_str(),
        metric.name.as_str(),
        metric.kind.as_str(),
        metric.period,
        metric.display_name,
        metric.description,
        attributes,
        metric.created_at,
        metric.updated_at,
    ])?;
    Ok(is_new)
}

fn delete_metrics(
    tx: &Transaction<'_>,
    cache: &mut Cache,
    tenant: &TenantName,
    names: &[String],
) -> Result<u64, StoreError> {
    let patterns: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let mut ids = Vec::new();
    {
        let mut statement = tx.prepare_cached("SELECT id, lower(name) FROM metrics WHERE tenant_name = ?")?;
        let mut rows = statement.query([tenant.as_str()])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(1)?;
            if patterns.iter().any(|pattern| glob(pattern, &name)) {
                ids.push(row.get::<_, i64>(0)?);
            }
        }
    }
    for id in &ids {
        tx.prepare_cached("DELETE FROM metrics WHERE id = ?")?.execute([id])?;
    }
    cache.forget();
    Ok(ids.len() as u64)
}

/// The series of a metric that a filter means, with their ids, in the order of their tags. The metric's name in
/// their keys is spelled as it was first written.
pub(super) fn matching_series(
    connection: &Connection,
    tenant: &TenantName,
    metric: &MetricName,
    filter: &TagFilter,
) -> Result<Vec<(i64, SeriesKey)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT series.id, series.tags, metrics.name FROM metrics JOIN series ON series.metric_id = metrics.id
         WHERE metrics.tenant_name = ? AND metrics.name = ? ORDER BY series.tags",
    )?;
    let mut rows = statement.query([tenant.as_str(), metric.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let tags = Tags::from_text(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        if filter.matches(&tags) {
            let metric = MetricName::trusted(row.get(2)?);
            found.push((row.get(0)?, SeriesKey { tenant: tenant.clone(), metric, tags }));
        }
    }
    Ok(found)
}
