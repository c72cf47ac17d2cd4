//! Spaces, charts and measurements from an archive, written into a generation that waits beside the live one.

use std::io::{BufRead, BufReader, Read};

use rusqlite::types::Value as SqlValue;
use serde::Deserialize;

use crate::charts::ChartDefinition;
use crate::charts::store::{Annotation, Measurement, Metric, import_line};
use crate::executions::Job;
use crate::manager::Generation;
use crate::model::TenantName;

use super::super::super::{EntrySource, SourceError};
use super::super::rows::{Envelope, RowTable, columns, envelope_tenant};
use super::super::stage::insert;
use super::super::{Counts, state};
use super::{CHART_TABLES, CHARTS, METRICS, points_tenant};

/// Numbers below this one belong to what the service ships.
const FIRST_NUMBER: i64 = 1000;
/// How many measurements are written in one transaction.
pub(in super::super) const BATCH: usize = 10_000;
/// A longer line can't be one that a create wrote.
pub(in super::super) const MAX_LINE_BYTES: u64 = 256 << 10;

fn wrong(entry: &str, reason: impl Into<String>) -> SourceError {
    SourceError::Entry { entry: entry.to_owned(), reason: reason.into() }
}

/// The entries of which `tenant_of` knows the tenant, in their order.
pub(in super::super) fn named<'a>(
    entries: &'a dyn EntrySource,
    tenant_of: impl Fn(&'a str) -> Option<&'a str>,
) -> Vec<(&'a str, TenantName)> {
    let names = entries.names().into_iter();
    names.filter_map(|name| Some((name, TenantName::trusted(tenant_of(name)?)))).collect()
}

/// Fills the tables of spaces and charts of a generation.
pub(in super::super) fn stage(
    generation: &Generation,
    job: &Job,
    entries: &dyn EntrySource,
    counts: &mut Counts,
) -> Result<(), SourceError> {
    for (name, tenant) in named(entries, |name| envelope_tenant(CHARTS, name)) {
        job.check()?;
        let bytes = entries.bytes(name)?;
        let envelope: Envelope<'_> =
            serde_json::from_slice(&bytes).map_err(|error| wrong(name, error.to_string()))?;
        let table = CHART_TABLES
            .iter()
            .find(|table| table.kind == envelope.kind)
            .ok_or_else(|| wrong(name, format!("items of type `{}` are not known here", envelope.kind)))?;
        *counts.entry(table.kind.to_owned()).or_default() += envelope.items.len() as u64;
        let mut rows = Vec::with_capacity(envelope.items.len());
        for item in &envelope.items {
            let mut row = columns(name, table, item)?;
            check(table, &row).map_err(|reason| wrong(name, reason))?;
            if table.kind == "spaces" {
                row.push(SqlValue::Text(tenant.to_string()));
            }
            rows.push(row);
        }
        generation.database.write_blocking(move |tx| {
            let mut columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
            if table.kind == "spaces" {
                columns.push("tenant_name");
            }
            rows.into_iter().try_for_each(|row| insert(tx, table.kind, &columns, row))
        })?;
    }
    Ok(())
}

/// What the API would not have let in does not come in by an archive.
fn check(table: &RowTable, row: &[SqlValue]) -> Result<(), String> {
    for ((name, _), value) in table.columns.iter().zip(row) {
        match (*name, value) {
            ("id", SqlValue::Integer(id)) if *id >= FIRST_NUMBER => {}
            ("id", value) => {
                return Err(format!(
                    "{value:?} is no number of {}: they begin at {FIRST_NUMBER}",
                    table.kind
                ));
            }
            ("definition", SqlValue::Text(text)) => {
                serde_json::from_str::<ChartDefinition>(text).map_err(|error| format!("a chart: {error}"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Lets the numbers of spaces, charts and annotations go on where those of the live state are, so that none is given out
/// twice.
pub(in super::super) fn keep_numbers(live: &Generation, staged: &Generation) -> Result<(), SourceError> {
    let given: Vec<(String, i64)> = live.database.read_blocking(|connection| {
        let mut statement =
            connection.prepare("SELECT name, seq FROM sqlite_sequence WHERE name IN ('spaces', 'charts')")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok::<_, SourceError>(rows.collect::<rusqlite::Result<_>>()?)
    })?;
    staged.database.write_blocking(move |tx| {
        for (table, number) in given {
            tx.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (number, table))?;
        }
        Ok::<(), SourceError>(())
    })?;
    let last = live.metrics.last_annotation_blocking()?;
    Ok(staged.metrics.reserve_annotations_blocking(last)?)
}

/// An envelope of the folder of measurements.
#[derive(Deserialize)]
#[serde(tag = "type", content = "items", rename_all = "snake_case")]
pub(in super::super) enum Said {
    Metrics(Vec<Metric>),
    Annotations(Vec<Annotation>),
}

/// Fills the measurements of a generation: what is said of metrics and annotations first, then the points, a batch in
/// memory at a time.
pub(in super::super) fn stage_metrics(
    generation: &Generation,
    job: &Job,
    entries: &dyn EntrySource,
    counts: &mut Counts,
) -> Result<(), SourceError> {
    let mut count = |kind: &str, number: usize| {
        *counts.entry(kind.to_owned()).or_default() += number as u64;
    };
    for (name, tenant) in named(entries, |name| envelope_tenant(METRICS, name)) {
        job.check()?;
        let said: Said =
            serde_json::from_slice(&entries.bytes(name)?).map_err(|error| wrong(name, error.to_string()))?;
        match said {
            Said::Metrics(metrics) => {
                count("metrics", metrics.len());
                generation.metrics.import_metrics_blocking(tenant, metrics).map_err(state)?;
            }
            Said::Annotations(annotations) => {
                count("annotations", annotations.len());
                generation.metrics.import_annotations_blocking(tenant, annotations).map_err(state)?;
            }
        }
    }
    for (name, tenant) in named(entries, points_tenant) {
        let mut reader = BufReader::new(entries.stream(name)?);
        let mut batch: Vec<Measurement> = Vec::with_capacity(BATCH);
        let mut line = String::new();
        let mut number = 0_u64;
        loop {
            line.clear();
            number += 1;
            let read = reader
                .by_ref()
                .take(MAX_LINE_BYTES)
                .read_line(&mut line)
                .map_err(|error| wrong(name, format!("line {number}: {error}")))?;
            if read > 0 {
                let found = import_line(&tenant, &line);
                batch.extend(found.map_err(|error| wrong(name, format!("line {number}: {error}")))?);
            }
            if batch.len() >= BATCH || (read == 0 && !batch.is_empty()) {
                job.check()?;
                count("measurements", batch.len());
                generation.metrics.write_blocking(std::mem::take(&mut batch)).map_err(state)?;
            }
            if read == 0 {
                break;
            }
        }
    }
    Ok(())
}
