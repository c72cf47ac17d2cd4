//! Create: sources → archive → store in one pass, read back before anybody is told that it is good.

use std::io::{Seek, SeekFrom};
use std::ops::ControlFlow;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::archive::{
    Archive, ArchiveOptions, ArchiveWriter, KeyError, LifeboatMetadata, ManifestSeal, Metadata, Recipient,
    Verified, WriterOptions,
};
use crate::executions::table::Progress;
use crate::executions::{Job, JobError, JobResult};
use crate::failpoints;
use crate::model::{Execution, Snapshot, SnapshotStatus, Timestamp};
use crate::records::{ArchiveFacts, Records, RecordsError};
use crate::sources::embedded;
use crate::sources::{CollectOptions, Collected, accounts};

use super::SnapshotWorker;
use super::carrier::{ArchiveSink, Watched};
use super::flows::{PausedFlows, flow_counts};
use super::render::metric_counts;

/// What is asked for free beside the estimate: manifest, headers, padding.
const SPARE_BYTES: u64 = 16 << 20;
const SECONDS_PER_DAY: i64 = 24 * 3600;
/// How many flows a report names at the most.
const NAMED: usize = 100;

/// The options of a create, read from its parameters. They were checked when it was recorded.
pub(super) fn options(execution: &Execution) -> ArchiveOptions {
    let boolean = |name: &str, default: bool| {
        execution.parameters.get(name).and_then(Value::as_bool).unwrap_or(default)
    };
    ArchiveOptions {
        include_metrics: boolean("include_metrics", false),
        include_credentials: boolean("include_credentials", false),
        include_logs: boolean("include_logs", true),
        include_events: boolean("include_events", true),
        include_flow_history: boolean("include_flow_history", false),
    }
}

/// The further keys that everything sealed is sealed for. They were checked when it was recorded.
pub(super) fn seal_for(execution: &Execution) -> Result<Vec<Recipient>, JobError> {
    let named = execution.parameters.get("seal_for").and_then(Value::as_array);
    let named = named.into_iter().flatten().filter_map(Value::as_str);
    named.map(|text| text.parse().map_err(|error: KeyError| JobError::Failed(error.to_string()))).collect()
}

impl SnapshotWorker {
    pub(super) fn create(&self, job: &Job) -> JobResult {
        let execution = job.execution();
        let snapshot = self.snapshot_of(execution)?;
        job.log(format!("Creating snapshot `{}`", snapshot.id));
        self.tell_options_without_effect(job, &["legacy", "tempdir_path", "listener_timeout"]);
        failpoints::hit("create:collecting", job)?;
        job.progress(Progress { phase: "collecting", ..Progress::default() });
        let paused = match execution.asks_for("pause_flows") {
            true => Some(PausedFlows::pause(&self.manager, job, self.settings.pause_seconds)?),
            false => None,
        };
        let options = options(execution);
        let cut = self.embedded().cut()?;
        let cut_at = cut.at();
        failpoints::hit("create:cut", job)?;
        let paused_count = paused.as_ref().map(|paused| paused.count);
        drop(paused);
        job.progress(Progress { phase: "collecting", ..Progress::default() });
        let window = -i64::from(self.settings.metrics_days) * SECONDS_PER_DAY;
        let metrics_from = options.include_metrics.then(|| cut_at.plus_seconds(window));
        let metrics_start = metrics_from.map(|from| from.moment().timestamp());
        let estimate = cut.estimate_bytes(metrics_start)?;
        self.store.require_space(estimate.saturating_add(SPARE_BYTES))?;
        let mut partial = self.store.begin(job.boot())?;
        let spool = partial.path().parent().map(std::path::Path::to_owned);

        let keys = self.keys.current();
        let recipients = keys.recipients_with(&seal_for(execution)?);
        let archive_id = Uuid::now_v7();
        let created_at = Timestamp::now();
        let writer_options = WriterOptions {
            compression_threads: self.settings.archive_threads,
            spool_dir: spool,
            ..WriterOptions::default()
        };
        let mut sink = ArchiveSink {
            writer: ArchiveWriter::new(Watched::new(job, partial.as_file_mut(), estimate), writer_options),
            recipients: &recipients,
            partial: &self.settings.partial,
        };
        sink.writer.add_metadata(&Metadata::new(LifeboatMetadata {
            format: 1,
            archive_id,
            manager: self.settings.manager_name.clone(),
            created_at: created_at.moment(),
            lifeboat_version: env!("CARGO_PKG_VERSION").to_owned(),
            options,
            signer: keys.signing.public_key(),
            sealed_for: recipients.iter().map(|recipient| recipient.fingerprint()).collect(),
            resealed_from: None,
            first_signer: None,
        }))?;
        let collect = CollectOptions {
            include_credentials: options.include_credentials,
            include_logs: options.include_logs,
            include_events: options.include_events,
            include_flow_history: options.include_flow_history,
            metrics_from: metrics_start,
        };
        let (records, ()) = self.records.database().cut_blocking(|_| Ok::<(), RecordsError>(()))?;
        let users = accounts::collect(&records, &mut sink)?;
        drop(records);
        failpoints::hit("create:writing", job)?;
        let state = cut.collect(job, collect, &mut sink)?;
        for line in &state.left_out {
            job.warn(format!("left out: {line}"));
        }
        if !state.fuzzy.is_empty() {
            job.warn(format!(
                "{} flow(s) ran at the cut: what their components hold in memory is not in the snapshot",
                state.fuzzy.len()
            ));
        }
        let report = report(&state, &users, cut_at, metrics_from, paused_count);
        let document = serde_json::to_vec_pretty(&report)
            .map_err(|error| JobError::internal("failed to write the report", &error))?;
        sink.writer.add_bytes("report.json", &document)?;
        let mut counts = state.counts;
        counts.extend(users.counts);
        let seal = ManifestSeal {
            archive_id,
            created_at: created_at.moment(),
            counts: counts.clone(),
            signing_key: &keys.signing,
            resealed_from: None,
        };
        let (_, finished) = sink.writer.finish(seal)?;

        failpoints::hit("create:written", job)?;
        self.read_back(job, partial.as_file_mut(), &finished.sha256)?;
        failpoints::hit("create:publishing", job)?;
        job.commit()?;
        self.store.keep(partial, snapshot.archive_file)?;
        failpoints::here("create:published");
        let facts = ArchiveFacts {
            size_bytes: finished.size_bytes,
            sha256: finished.sha256.to_string(),
            contents: json!({ "counts": counts, "options": options, "left_out": report["sources"][embedded::NAME]["left_out"] }),
            verified_at: Some(Timestamp::now()),
        };
        let (tenant, id) = (snapshot.tenant_name.clone(), snapshot.id.clone());
        let recorded = self.records.database().write_blocking(move |tx| {
            Records::set_snapshot_status(tx, &tenant, &id, SnapshotStatus::Created, "", Some(&facts))
        });
        failpoints::here("create:recorded");
        if !matches!(recorded, Ok(true)) {
            self.store.remove(snapshot.archive_file)?;
            recorded?;
            return Err(JobError::Failed(format!("the record of snapshot `{}` is gone", snapshot.id)));
        }
        job.log(format!("Snapshot created successfully: {} bytes", finished.size_bytes));
        Ok(Some(report))
    }

    /// Reads every byte of what was written, as anybody would who restores it.
    pub(super) fn read_back(
        &self,
        job: &Job,
        file: &mut std::fs::File,
        expected: &crate::archive::Digest,
    ) -> Result<(), JobError> {
        file.seek(SeekFrom::Start(0))
            .map_err(|error| JobError::internal("failed to read the archive back", &error))?;
        let copy = file
            .try_clone()
            .map_err(|error| JobError::internal("failed to read the archive back", &error))?;
        let archive = Archive::open(copy, self.settings.limits.clone())?;
        if self.verify_archive(job, &archive)?.sha256 != *expected {
            return Err(JobError::Failed(
                "the archive on disk is not what was written: check the disk".to_owned(),
            ));
        }
        Ok(())
    }

    pub(super) fn verify_archive(&self, job: &Job, archive: &Archive) -> Result<Verified, JobError> {
        Ok(archive.verify(self.settings.archive_threads, &mut |done, total| {
            let progress = job.current_progress();
            job.progress(Progress { phase: "verifying", done_bytes: done, total_bytes: total, ..progress });
            if job.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?)
    }

    pub(super) fn snapshot_of(&self, execution: &Execution) -> Result<Snapshot, JobError> {
        let id = execution
            .snapshot_id
            .clone()
            .ok_or_else(|| JobError::Failed("the execution names no snapshot".to_owned()))?;
        let (tenant, wanted) = (execution.tenant_name.clone(), id.clone());
        self.records
            .database()
            .read_blocking(move |connection| Records::snapshot(connection, &tenant, &wanted))?
            .ok_or_else(|| JobError::Failed(format!("Requested `Snapshot` with ID `{id}` was not found")))
    }

    /// Says of options that only Cloudify's own implementation needs that they change nothing here.
    pub(super) fn tell_options_without_effect(&self, job: &Job, names: &[&str]) {
        for name in names {
            let is_asked = match job.execution().parameters.get(*name) {
                None | Some(Value::Null | Value::Bool(false)) => false,
                Some(_) => true,
            };
            if is_asked {
                job.log(format!("the option `{name}` has no effect here"));
            }
        }
    }
}

fn report(
    state: &Collected,
    users: &Collected,
    cut_at: Timestamp,
    metrics_from: Option<Timestamp>,
    paused: Option<u64>,
) -> Value {
    let fuzzy: Vec<&String> = state.fuzzy.iter().take(NAMED).collect();
    let metrics = match metrics_from {
        Some(from) => json!({
            "outcome": "done",
            "counts": metric_counts(&state.counts),
            "from": from,
        }),
        None => json!({ "outcome": "skipped", "reason": "not asked for" }),
    };
    json!({
        "sources": {
            embedded::NAME: {
                "outcome": "done",
                "cut_at": cut_at,
                "counts": state.counts,
                "left_out": state.left_out,
            },
            "flows": {
                "outcome": "done",
                "counts": flow_counts(&state.counts),
                "fuzzy": state.fuzzy.len(),
                "fuzzy_flows": fuzzy,
                "paused": paused,
            },
            "accounts": { "outcome": "done", "counts": users.counts },
            "metrics": metrics,
        },
    })
}
