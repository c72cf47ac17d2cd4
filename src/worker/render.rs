//! Drawing charts, and telling the charts of the service what it did.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction};
use serde_json::json;

use crate::causes::chain;
use crate::charts::store::{Annotation, Measurement, MetricKind, MetricName, Point, SeriesKey, Tags};
use crate::charts::{OWN_ANNOTATIONS, Stores, draw, metric, own_tenant, record_job_chart};
use crate::database::DatabaseError;
use crate::executions::table::Progress;
use crate::executions::{Job, JobError, JobResult};
use crate::failpoints;
use crate::model::{Execution, ExecutionStatus, Timestamp, Workflow};
use crate::records::{Records, RecordsError};

use super::SnapshotWorker;

/// The steps of a drawing, for its progress.
const STEPS: u64 = 2;

impl SnapshotWorker {
    /// Draws a chart, and keeps the picture as PNG and as SVG.
    pub(super) fn render_chart(&self, job: &Job) -> JobResult {
        let id = job.execution().id;
        let record = self
            .records
            .database()
            .read_blocking(move |connection| Records::chart_snapshot_of(connection, id))?
            .ok_or_else(|| {
                JobError::Failed("the chart snapshot was deleted before it was drawn".to_owned())
            })?;
        let told = |done| Progress {
            phase: "drawing",
            finished_operations: done,
            total_operations: STEPS,
            ..Progress::default()
        };
        job.progress(told(0));
        failpoints::hit("render:drawing", job)?;
        let stores = Stores { own: self.own_metrics.clone(), state: self.manager.current().metrics.clone() };
        let (png, svg) = draw(&record, &stores)?;
        job.check()?;
        job.progress(told(1));
        let keep = |mut content: &[u8]| {
            let kept = self.manager.blobs().put(&mut content);
            kept.map_err(|error| JobError::internal("failed to keep the picture", &error))
        };
        // Both stay pinned until the record names them.
        let (png, svg) = (keep(&png)?, keep(svg.as_bytes())?);
        failpoints::hit("render:keeping", job)?;
        job.commit()?;
        let (snapshot, at) = (record.id, Timestamp::now().moment().timestamp());
        let (png_blob, svg_blob) = (png.pin.blob().clone(), svg.pin.blob().clone());
        let is_kept = self
            .records
            .database()
            .write_blocking(move |tx| Records::set_chart_pictures(tx, snapshot, &png_blob, &svg_blob, at))?;
        failpoints::here("render:kept");
        if !is_kept {
            return Err(JobError::Failed("the chart snapshot was deleted while it was drawn".to_owned()));
        }
        job.progress(told(STEPS));
        Ok(Some(json!({ "snapshot": record.id, "png_bytes": png.size_bytes, "svg_bytes": svg.size_bytes })))
    }

    /// Marks the end of a backup or a restore on the service's own charts, and records the picture of it as a child. What
    /// goes wrong here is told in the log and fails nothing.
    pub(super) fn mark(
        &self,
        tx: &Transaction<'_>,
        execution: &Execution,
        status: ExecutionStatus,
    ) -> Result<(), DatabaseError> {
        if !matches!(
            execution.workflow,
            Workflow::CreateSnapshot | Workflow::RestoreSnapshot | Workflow::Rollback
        ) {
            return Ok(());
        }
        let now = Timestamp::now();
        // One that never started took no time, and is no mark on any chart.
        let Some(started_at) = started_at(tx, execution)? else { return Ok(()) };
        // The clock may have gone back meanwhile.
        let end = now.max(started_at);
        if let Err(error) = self.measure(tx, execution, status, started_at, end) {
            let chain = chain(&*error);
            tracing::warn!(execution.id = %execution.id, error = %chain, "the end of execution `{}` is not on the charts: {chain}", execution.id);
        }
        match record_job_chart(tx, execution, started_at.moment().timestamp()) {
            Ok(Some((snapshot, child))) => {
                let link = json!({ "chart": { "snapshot": snapshot, "execution_id": child } });
                tx.execute(
                    "UPDATE executions SET report = json_patch(coalesce(report, '{}'), ?2) WHERE id = ?1",
                    [execution.id.to_string(), link.to_string()],
                )?;
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(RecordsError::Database(error)) => Err(error),
            Err(error) => {
                tracing::warn!(error = %error, "no picture is drawn of execution `{}`: {error}", execution.id);
                Ok(())
            }
        }
    }

    fn measure(
        &self,
        tx: &Transaction<'_>,
        execution: &Execution,
        status: ExecutionStatus,
        started_at: Timestamp,
        end: Timestamp,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let seconds = (end.moment() - started_at.moment()).num_milliseconds() as f64 / 1000.0;
        let time = end.moment().timestamp();
        let workflow = execution.workflow.as_str();
        let mut tags = Tags::new();
        tags.insert("workflow", workflow)?;
        let measurement = |name: &str, tags: Tags, value: f64| {
            Ok::<_, Box<dyn std::error::Error>>(Measurement {
                key: SeriesKey { tenant: own_tenant(), metric: MetricName::parse(name)?, tags },
                kind: Some(MetricKind::Gauge),
                period: None,
                point: Point::plain(time, value),
            })
        };
        let mut measurements = vec![measurement(metric::JOB_SECONDS, tags, seconds)?];
        if let (Workflow::CreateSnapshot, Some(id)) = (&execution.workflow, &execution.snapshot_id)
            && let Some(bytes) =
                Records::snapshot(tx, &execution.tenant_name, id)?.and_then(|found| found.size_bytes)
        {
            measurements.push(measurement(metric::SNAPSHOT_BYTES, Tags::new(), bytes as f64)?);
        }
        self.own_metrics.write_blocking(measurements)?;
        let subject = execution.snapshot_id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
        let annotation = Annotation {
            id: 0,
            stream: OWN_ANNOTATIONS.to_owned(),
            title: format!("{}{subject}: {}", workflow.replace('_', " "), status.as_str()),
            source: None,
            description: Some(format!("execution {}", execution.id)),
            start_time: started_at.moment().timestamp(),
            end_time: Some(time),
            links: Vec::new(),
        };
        self.own_metrics.add_annotation_blocking(own_tenant(), annotation)?;
        Ok(())
    }
}

/// What is said of measurements in a report, out of all counts.
pub(super) fn metric_counts(counts: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let kinds = ["metrics", "measurements", "annotations"].map(str::to_owned);
    kinds
        .into_iter()
        .map(|kind| {
            let count = counts.get(&kind).copied().unwrap_or(0);
            (kind, count)
        })
        .collect()
}

fn started_at(tx: &Transaction<'_>, execution: &Execution) -> Result<Option<Timestamp>, DatabaseError> {
    let text: Option<String> = tx
        .query_row("SELECT started_at FROM executions WHERE id = ?", [execution.id.to_string()], |row| {
            row.get(0)
        })
        .optional()?
        .flatten();
    Ok(text.as_deref().and_then(Timestamp::parse))
}
