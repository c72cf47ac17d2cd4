//! The spaces, charts and measurements of one cut, streamed into an archive.

use rusqlite::Connection;
use serde::Serialize;
use serde_json::json;

use crate::charts::store::StoreCut;
use crate::executions::Job;
use crate::manager::tenant_names;
use crate::model::TenantName;

use super::super::super::{Collected, SourceError};
use super::super::passage::Outlet;
use super::super::rows::{collect_table, envelope_name};
use super::super::{ENVELOPE_BYTES, ENVELOPE_ITEMS, state};
use super::{CHART_TABLES, CHARTS, METRICS};

/// Streams the spaces and charts of a cut into `outlet`.
pub(in super::super) fn collect(
    connection: &Connection,
    job: &Job,
    outlet: &mut Outlet<'_>,
    collected: &mut Collected,
) -> Result<(), SourceError> {
    for tenant in tenant_names(connection).map_err(state)? {
        let mut number = 0;
        for table in CHART_TABLES {
            collect_table(connection, job, (CHARTS, &tenant), table, &mut number, outlet, collected)?;
        }
    }
    Ok(())
}

/// Streams the measurements of a cut since `from` (seconds since 1970) into `outlet`, tenant by tenant.
pub(in super::super) fn collect_metrics(
    connection: &Connection,
    metrics: &StoreCut,
    job: &Job,
    from: i64,
    outlet: &mut Outlet<'_>,
    collected: &mut Collected,
) -> Result<(), SourceError> {
    for tenant in tenant_names(connection).map_err(state)? {
        let mut number = 0;
        let said = metrics.metrics(&tenant).map_err(state)?;
        write_items(job, outlet, &tenant, &mut number, "metrics", &said)?;
        collected.count("metrics", said.len() as u64);
        let annotations = metrics.annotations(&tenant, from).map_err(state)?;
        if !annotations.is_empty() {
            write_items(job, outlet, &tenant, &mut number, "annotations", &annotations)?;
        }
        collected.count("annotations", annotations.len() as u64);
        let written = metrics.export::<SourceError>(&tenant, from, ENVELOPE_BYTES, &mut |file| {
            job.check()?;
            number += 1;
            outlet.bytes(format!("{METRICS}/{tenant}/{number:08}.txt"), file.into_bytes())
        })?;
        collected.count("measurements", written.points);
    }
    Ok(())
}

fn write_items<T: Serialize>(
    job: &Job,
    outlet: &mut Outlet<'_>,
    tenant: &TenantName,
    number: &mut u32,
    kind: &str,
    items: &[T],
) -> Result<(), SourceError> {
    let mut chunks: Vec<&[T]> = items.chunks(ENVELOPE_ITEMS).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    for chunk in chunks {
        job.check()?;
        *number += 1;
        let document = serde_json::to_vec(&json!({ "type": kind, "items": chunk })).map_err(state)?;
        outlet.bytes(envelope_name(METRICS, tenant, *number), document)?;
    }
    Ok(())
}
