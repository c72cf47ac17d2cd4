//! The spaces, charts and measurements of one cut, streamed into an archive.

use rusqlite::Connection;
use serde::Serialize;
use serde_json::json;

use crate::charts::store::StoreCut;
use crate::executions::Job;
use crate::manager::tenant_names;
use crate::model::TenantName;

use super::super::super::{Collected, EntrySink, SourceError};
use super::super::rows::{collect_table, envelope_name};
use super::super::{ENVELOPE_BYTES, ENVELOPE_ITEMS, state};
use super::{CHART_TABLES, CHARTS, METRICS};

/// Streams the spaces and charts of a cut into `sink`.
pub(in super::super) fn collect(
    connection: &Connection,
    job: &Job,
    sink: &mut dyn EntrySink,
    collected: &mut Collected,
) -> Result<(), SourceError> {
    for tenant in tenant_names(connection).map_err(state)? {
        let mut number = 0;
        for table in CHART_TABLES {
            collect_table(connection, job, (CHARTS, &tenant), table, &mut number, sink, collected)?;
        }
    }
    Ok(())
}

/// Streams the measurements of a cut since `from` (seconds since 1970) into `sink`, tenant by tenant.
pub(in super::super) fn collect_metrics(
    connection: &Connection,
    metrics: &StoreCut,
    job: &Job,
    from: i64,
    sink: &mut dyn EntrySink,
    collected: &mut Collected,
) -> Result<(), SourceError> {
    for tenant in tenant_names(connection).map_err(state)? {
        let mut number = 0;
        let said = metrics.metrics(&tenant).map_err(state)?;
        write_items(job, sink, &tenant, &mut number, "metrics", &said)?;
        collected.count("metrics", said.len() as u64);
        let annotations = metrics.annotations(&tenant, from).map_err(state)?;
        if !annotations.is_empty() {
            write_items(job, sink, &tenant, &mut number, "annotations", &annotations)?;
        }
        collected.count("annotations", annotations.len() as u64);
        let written = metrics.export::<SourceError>(&tenant, from, ENVELOPE_BYTES, &mut |file| {
            job.check()?;
            number += 1;
            sink.bytes(&format!("{METRICS}/{tenant}/{number:08}.txt"), file.as_bytes())
        })?;
        collected.count("measurements", written.points);
    }
    Ok(())
}

fn write_items<T: Serialize>(
    job: &Job,
    sink: &mut dyn EntrySink,
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
        sink.bytes(&envelope_name(METRICS, tenant, *number), &document)?;
    }
    Ok(())
}
