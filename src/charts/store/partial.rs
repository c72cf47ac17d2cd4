//! Some metrics and annotations by name, for a restore of a part of an archive.

use rusqlite::params;

use super::annotations::annotation_by_id;
use super::{Annotation, MetricName, MetricsStore, StoreError};
use crate::model::TenantName;

impl MetricsStore {
    /// Which of these metrics there are, whatever their case. Never to be called on a thread of the runtime.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn existing_metrics_blocking(
        &self,
        tenant: TenantName,
        names: Vec<MetricName>,
    ) -> Result<Vec<MetricName>, StoreError> {
        self.database.read_blocking(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT 1 FROM metrics WHERE tenant_name = ? AND name = ?")?;
            let mut existing = Vec::new();
            for name in names {
                if statement.exists([tenant.as_str(), name.as_str()])? {
                    existing.push(name);
                }
            }
            Ok(existing)
        })
    }

    /// The annotations of these numbers, as far as the tenant has them. Never to be called on a thread of the runtime.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn existing_annotations_blocking(
        &self,
        tenant: TenantName,
        ids: Vec<i64>,
    ) -> Result<Vec<Annotation>, StoreError> {
        self.database.read_blocking(move |connection| {
            let mut existing = Vec::new();
            for id in ids {
                existing.extend(annotation_by_id(connection, &tenant, id)?);
            }
            Ok(existing)
        })
    }

    /// Removes metrics with all their points. Never to be called on a thread of the runtime.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn remove_metrics_blocking(
        &self,
        tenant: TenantName,
        names: Vec<MetricName>,
    ) -> Result<(), StoreError> {
        self.change(move |tx, cache| {
            for name in &names {
                tx.prepare_cached("DELETE FROM metrics WHERE tenant_name = ? AND name = ?")?
                    .execute(params![tenant.as_str(), name.as_str()])?;
            }
            cache.forget();
            Ok(())
        })
    }
}
