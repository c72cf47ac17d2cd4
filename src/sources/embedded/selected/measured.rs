//! Metrics and annotations of a selection. A metric comes with its points, in place of those that it has; measurements
//! have a file of their own, and are read from the archive as a stream.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};

use crate::charts::store::{Annotation, Measurement, Metric, MetricName, import_line};
use crate::executions::Job;
use crate::manager::Generation;
use crate::model::{EntityName, Matcher, Selection, TenantName};

use super::super::super::{EntrySource, SourceError};
use super::super::charts::{BATCH, MAX_LINE_BYTES, METRICS, Said, has_metrics, named, points_tenant};
use super::super::rows::envelope_tenant;
use super::super::state;
use super::Wish;
use super::rules::Purpose;
use super::wanted::NAMED;

/// The kinds of a comparison that are measurements.
pub(super) const KINDS: [&str; 3] = ["metrics", "series", "annotations"];

/// Whether measurements of the archive can be meant: else those of the manager need not be looked at.
pub(super) fn may_be_meant(entries: &dyn EntrySource, selection: &Selection) -> bool {
    let kinds = selection.kinds();
    has_metrics(&entries.names())
        && (kinds.is_empty() || ["metrics", "annotations"].iter().any(|kind| kinds.contains(*kind)))
}

/// What came of measurements.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// How many came, by kind; empty where none was meant.
    pub counts: BTreeMap<&'static str, u64>,
    /// Whether they stand in the place of others.
    pub replaces: bool,
}

/// What an archive holds of a selection, of one tenant.
#[derive(Default)]
struct Found {
    metrics: Vec<Metric>,
    annotations: Vec<Annotation>,
}

/// Shows every metric and annotation of the archive to a matcher; answers which it meant.
pub(super) fn match_names(
    job: &Job,
    entries: &dyn EntrySource,
    matcher: &mut Matcher<'_>,
) -> Result<Tenants, SourceError> {
    let mut tenants = Tenants::default();
    each_envelope(job, entries, &mut |tenant, said| {
        let name = tenant.as_str();
        let count = match said {
            Said::Metrics(metrics) => {
                let meant =
                    metrics.iter().filter(|metric| matcher.matches("metrics", name, metric.name.as_str()));
                meant.count()
            }
            Said::Annotations(annotations) => {
                let meant = annotations
                    .iter()
                    .filter(|annotation| matcher.matches("annotations", name, &annotation.id.to_string()));
                meant.count()
            }
        };
        if count > 0 {
            *tenants.0.entry(tenant.clone()).or_default() += count as u64;
        }
        Ok(())
    })?;
    Ok(tenants)
}

/// How many metrics and annotations are meant, by tenant.
#[derive(Default)]
pub(super) struct Tenants(pub BTreeMap<TenantName, u64>);

/// Replaces the selected metrics and annotations in a copy of the live measurements; answers how many came, by kind.
///
/// # Errors
/// What exists already, without the leave to replace it where that ends the work; a name that the archive can't mean.
pub(super) fn replace(
    job: &Job,
    entries: &dyn EntrySource,
    wish: &Wish,
    purpose: &Purpose,
    staged: &Generation,
) -> Result<Measured, SourceError> {
    let mut found: BTreeMap<TenantName, Found> = BTreeMap::new();
    each_envelope(job, entries, &mut |tenant, said| {
        let name = tenant.as_str();
        match said {
            Said::Metrics(metrics) => {
                let meant = metrics
                    .into_iter()
                    .filter(|one| wish.selection.matches("metrics", name, one.name.as_str()));
                let meant: Vec<Metric> = meant.collect();
                if !meant.is_empty() {
                    found.entry(tenant.clone()).or_default().metrics.extend(meant);
                }
            }
            Said::Annotations(annotations) => {
                let meant = annotations
                    .into_iter()
                    .filter(|one| wish.selection.matches("annotations", name, &one.id.to_string()));
                let meant: Vec<Annotation> = meant.collect();
                if !meant.is_empty() {
                    found.entry(tenant.clone()).or_default().annotations.extend(meant);
                }
            }
        }
        Ok(())
    })?;
    if found.is_empty() {
        return Ok(Measured::default());
    }
    let there = existing(&found, staged)?;
    if !there.is_empty() && !wish.force {
        purpose.refuse("needs_force", format!(
            "the manager holds measurements of what is selected: {}. Ask with `force` to put the archive's in their place; nothing was changed",
            there.join(", ")
        ))?;
    }
    let mut counts = BTreeMap::from([("metrics", 0), ("annotations", 0), ("measurements", 0)]);
    let mut names: BTreeMap<TenantName, BTreeSet<String>> = BTreeMap::new();
    for (tenant, found) in found {
        job.check()?;
        let metrics: Vec<MetricName> = found.metrics.iter().map(|metric| metric.name.clone()).collect();
        let lower = metrics.iter().map(|name| name.as_str().to_ascii_lowercase()).collect();
        names.insert(tenant.clone(), lower);
        *counts.entry("metrics").or_default() += metrics.len() as u64;
        *counts.entry("annotations").or_default() += found.annotations.len() as u64;
        staged.metrics.remove_metrics_blocking(tenant.clone(), metrics)?;
        staged.metrics.import_metrics_blocking(tenant.clone(), found.metrics)?;
        staged.metrics.import_annotations_blocking(tenant, found.annotations)?;
    }
    let points = counts.entry("measurements").or_default();
    for (entry, tenant) in named(entries, points_tenant) {
        let Some(names) = names.get(&tenant).filter(|names| !names.is_empty()) else { continue };
        *points += import_points(job, entries, entry, &tenant, names, staged)?;
    }
    Ok(Measured { counts, replaces: !there.is_empty() })
}

/// What the copy has already of what comes, in the words of a message.
fn existing(found: &BTreeMap<TenantName, Found>, staged: &Generation) -> Result<Vec<String>, SourceError> {
    let mut there = Vec::new();
    for (tenant, found) in found {
        let metrics = found.metrics.iter().map(|metric| metric.name.clone()).collect();
        let name =
            |kind: &str, id: String| EntityName { kind: kind.to_owned(), tenant: tenant.to_string(), id };
        for metric in staged.metrics.existing_metrics_blocking(tenant.clone(), metrics)? {
            there.push(name("metrics", metric.as_str().to_owned()));
        }
        let ids = found.annotations.iter().map(|annotation| annotation.id).collect();
        for annotation in staged.metrics.existing_annotations_blocking(tenant.clone(), ids)? {
            if !found.annotations.contains(&annotation) {
                there.push(name("annotations", annotation.id.to_string()));
            }
        }
    }
    let mut words: Vec<String> = there.iter().take(NAMED).map(ToString::to_string).collect();
    if there.len() > NAMED {
        words.push(format!("and {} more", there.len() - NAMED));
    }
    Ok(words)
}

fn each_envelope(
    job: &Job,
    entries: &dyn EntrySource,
    visit: &mut dyn FnMut(&TenantName, Said) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    for (entry, tenant) in named(entries, |name| envelope_tenant(METRICS, name)) {
        job.check()?;
        let said: Said = serde_json::from_slice(&entries.bytes(entry)?)
            .map_err(|error| SourceError::Entry { entry: entry.to_owned(), reason: error.to_string() })?;
        visit(&tenant, said)?;
    }
    Ok(())
}

fn import_points(
    job: &Job,
    entries: &dyn EntrySource,
    entry: &str,
    tenant: &TenantName,
    names: &BTreeSet<String>,
    staged: &Generation,
) -> Result<u64, SourceError> {
    let wrong = |number: u64, reason: String| SourceError::Entry {
        entry: entry.to_owned(),
        reason: format!("line {number}: {reason}"),
    };
    let mut reader = BufReader::new(entries.stream(entry)?);
    let mut batch: Vec<Measurement> = Vec::with_capacity(BATCH);
    let (mut line, mut number, mut points) = (String::new(), 0_u64, 0);
    loop {
        line.clear();
        number += 1;
        let read = reader
            .by_ref()
            .take(MAX_LINE_BYTES)
            .read_line(&mut line)
            .map_err(|error| wrong(number, error.to_string()))?;
        if read > 0 {
            let measurement = import_line(tenant, &line).map_err(|error| wrong(number, error.to_string()))?;
            let is_wanted = |one: &Measurement| names.contains(&one.key.metric.as_str().to_ascii_lowercase());
            batch.extend(measurement.filter(is_wanted));
        }
        if batch.len() >= BATCH || (read == 0 && !batch.is_empty()) {
            job.check()?;
            points += batch.len() as u64;
            staged.metrics.write_blocking(std::mem::take(&mut batch)).map_err(state)?;
        }
        if read == 0 {
            return Ok(points);
        }
    }
}
