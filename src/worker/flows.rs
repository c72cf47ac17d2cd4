//! What executions do with flows: captures, one flow out of a manager snapshot, and the pause of a create.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::executions::table::Progress;
use crate::executions::{Job, JobError, JobResult};
use crate::failpoints;
use crate::flows::{FlowError, is_settled, pause_running, put_back, resume, take_capture};
use crate::manager::Manager;
use crate::sources::embedded::read_flow;

use super::SnapshotWorker;
use super::carrier::ArchiveSource;
use super::sealed::Sealed;

/// How often flows are looked at whose runtime has not reported that they stopped.
const SETTLE_INTERVAL: Duration = Duration::from_millis(50);

/// Running flows that are stopped while it lives.
pub(super) struct PausedFlows<'a> {
    manager: &'a Manager,
    execution: String,
    /// How many.
    pub count: u64,
}

impl<'a> PausedFlows<'a> {
    /// Stops all running flows, and waits until those stand still whose runtime reports; one that does not in
    /// `pause_seconds` is left to be called fuzzy.
    pub fn pause(manager: &'a Manager, job: &Job, pause_seconds: u64) -> Result<Self, JobError> {
        job.progress(Progress { phase: "pausing flows", ..Progress::default() });
        let execution = job.execution().id.to_string();
        let name = execution.clone();
        let paused = manager.write_blocking_with(move |tx| pause_running(tx, &name))?;
        // From here on its end starts them again, whatever comes.
        let paused = Self { manager, execution, count: paused.count };
        failpoints::hit("create:paused", job)?;
        let deadline = Instant::now() + Duration::from_secs(pause_seconds);
        loop {
            let name = paused.execution.clone();
            let is_settled =
                manager.current().database.read_blocking(move |connection| is_settled(connection, &name))?;
            if is_settled {
                break;
            }
            if Instant::now() >= deadline {
                job.warn(format!("some flows did not stop within {pause_seconds} s: they are fuzzy"));
                break;
            }
            job.check()?;
            std::thread::sleep(SETTLE_INTERVAL);
        }
        Ok(paused)
    }
}

impl Drop for PausedFlows<'_> {
    fn drop(&mut self) {
        let execution = self.execution.clone();
        if let Err(error) = self.manager.write_blocking_with(move |tx| resume(tx, &execution)) {
            tracing::error!(error = %error, "failed to start the flows again that execution `{}` has paused; the next start does it: {error}", self.execution);
        }
    }
}

/// Of what was counted in a state or an archive, what belongs to flows.
pub(super) fn flow_counts(counts: &BTreeMap<String, u64>) -> BTreeMap<&'static str, u64> {
    ["flows", "step_snapshots", "captures", "step_history"]
        .map(|kind| (kind, counts.get(kind).copied().unwrap_or(0)))
        .into()
}

impl SnapshotWorker {
    /// Keeps the snapshots of a flow's steps as one set, as of one moment.
    pub(super) fn capture_flow(&self, job: &Job) -> JobResult {
        job.progress(Progress { phase: "capturing", ..Progress::default() });
        failpoints::hit("capture:taking", job)?;
        job.commit()?;
        let execution = job.execution().clone();
        let capture = self.manager.write_blocking_with(move |tx| take_capture(tx, &execution))?;
        failpoints::hit("capture:taken", job)?;
        job.log(format!(
            "captured {} step snapshot(s) of the flow `{}` as `{}`",
            capture.step_count, capture.flow_id, capture.id
        ));
        Ok(Some(serde_json::json!({
            "capture_id": capture.id,
            "flow_id": capture.flow_id,
            "steps": capture.step_count,
            "fuzzy": capture.is_fuzzy,
        })))
    }

    /// Brings one flow back out of a manager snapshot, beside everything else that there is.
    pub(super) fn restore_flow(&self, job: &Job) -> JobResult {
        let execution = job.execution();
        let snapshot = self.snapshot_of(execution)?;
        let flow_id = execution
            .parameters
            .get("flow_id")
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
            .to_owned();
        job.log(format!("Restoring flow `{flow_id}` out of snapshot `{}`", snapshot.id));
        let archive = self.open_stored(&snapshot)?;
        let keys = self.keys.current();
        self.judge(job, &archive, &snapshot, &keys, Sealed::Wanted)?;
        let source = ArchiveSource::new(&archive, &keys.identities);
        let archived = read_flow(job, &source, &flow_id)?.ok_or_else(|| {
            JobError::Failed(format!("the snapshot `{}` holds no flow `{flow_id}`", snapshot.id))
        })?;
        failpoints::hit("restore_flow:writing", job)?;
        job.commit()?;
        let (row, force) = (execution.clone(), execution.asks_for("force"));
        let entries = self.settings.history_entries;
        let report =
            self.manager.write_blocking_with(move |tx| put_back(tx, &archived, &row, force, entries))?;
        failpoints::hit("restore_flow:written", job)?;
        for step in report["orphaned_steps"].as_array().into_iter().flatten() {
            job.warn(format!(
                "the graph of the flow has no step {step}: its snapshot was restored, and is shown once the graph has such a step"
            ));
        }
        job.log(format!("Successfully restored flow `{flow_id}`; it is stopped"));
        Ok(Some(report))
    }
}

impl From<FlowError> for JobError {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Manager(error) => error.into(),
            FlowError::Records(error) => error.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}
