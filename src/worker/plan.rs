//! The plan of a restore: what it would change, what it needs, and why it would be refused. Nothing is touched.
//!
//! A restore makes the same plan as its first phase, by the same rules, so that it does what was planned.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::archive::{Archive, Format, SignatureState};
use crate::executions::table::{self, Progress};
use crate::executions::{Job, JobError, JobResult, conflicts};
use crate::failpoints;
use crate::keys::Keys;
use crate::model::{Execution, ExecutionStatus, Snapshot, Timestamp, Workflow};
use crate::records::Records;
use crate::sources::embedded::{
    Change, Index, IndexSink, Reading, Side, Way, Wish, blueprints_without_archive, carries_metrics,
    require_known_tables,
};
use crate::sources::{CollectOptions, EntrySource, SourceError, accounts};

use super::SnapshotWorker;
use super::carrier::ArchiveSource;
use super::comparisons::{Comparison, Subject};
use super::diff::{opens, summary, take_in};
use super::restore::{NOT_CLEAN, staged_bytes};
use super::sealed::{self, Sealed};

/// A rule because of which a restore would be refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Refusal {
    /// The rule.
    pub rule: &'static str,
    /// What the restore would fail with.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(rule: &'static str, message: impl Into<String>) -> Self {
        Self { rule, message: message.into() }
    }

    /// A failure as the refusal by a rule; a cancel stays one.
    fn by(rule: &'static str, error: JobError) -> Result<Self, JobError> {
        match error {
            JobError::Failed(message) => Ok(Self::new(rule, message)),
            JobError::Cancelled => Err(JobError::Cancelled),
        }
    }
}

impl SnapshotWorker {
    /// Makes the plan of a restore.
    pub(super) fn plan_snapshot(&self, job: &Job) -> JobResult {
        let execution = job.execution();
        let snapshot = self.snapshot_of(execution)?;
        job.log(format!("Planning the restore of snapshot `{}`", snapshot.id));
        let wish = super::selective::wish(execution)?;
        job.progress(Progress { phase: "planning", ..Progress::default() });
        let (mut plan, index) = match self.open_stored(&snapshot) {
            Ok(archive) => self.plan_of(job, &snapshot, &archive, wish.as_ref())?,
            Err(error) => {
                let refusal = Refusal::by("damaged_archive", error)?;
                let mut plan = Map::new();
                plan.insert("archive".to_owned(), Value::Null);
                plan.insert("refusals".to_owned(), json!([refusal]));
                (plan, None)
            }
        };
        let is_possible = plan["refusals"].as_array().is_some_and(Vec::is_empty);
        plan.insert("snapshot_id".to_owned(), Value::from(snapshot.id.as_str()));
        plan.insert("execution_id".to_owned(), Value::from(execution.id.to_string()));
        plan.insert("made_at".to_owned(), Value::from(Timestamp::now().to_string()));
        plan.insert("can_be_restored".to_owned(), Value::from(is_possible));
        tell(job, &plan);
        for refusal in plan["refusals"].as_array().into_iter().flatten() {
            job.warn(format!(
                "the restore would be refused ({}): {}",
                refusal["rule"].as_str().unwrap_or_default(),
                refusal["message"].as_str().unwrap_or_default()
            ));
        }
        let report = Value::Object(plan);
        let index = match index {
            Some(index) => index,
            None => Index::create(&self.settings.partial, job.boot(), Way::ToFirst)?,
        };
        let of = (snapshot.tenant_name, snapshot.id, snapshot.archive_file);
        self.comparisons.keep(Comparison::new(execution.id, of, Subject::Plan, report.clone(), index));
        Ok(Some(report))
    }

    fn plan_of(
        &self,
        job: &Job,
        snapshot: &Snapshot,
        archive: &Archive,
        wish: Option<&Wish>,
    ) -> Result<(Map<String, Value>, Option<Index>), JobError> {
        let mut plan = Map::new();
        let keys = self.keys.current();
        plan.insert("archive".to_owned(), describe(archive, &keys));
        let sealed = Sealed::of(job.execution());
        if matches!(archive.format(), Format::Lifeboat1)
            && let Err(error) = self.verify_stored(job, archive, snapshot)
        {
            // What else is wrong with it may come of that.
            plan.insert("refusals".to_owned(), json!([Refusal::by("damaged_archive", error)?]));
            return Ok((plan, None));
        }
        let mut refusals = archive_refusals(archive, &keys, sealed);
        if matches!(archive.format(), Format::Foreign { .. }) {
            plan.insert("refusals".to_owned(), json!(refusals));
            return Ok((plan, None));
        }
        job.progress(Progress { phase: "planning", ..Progress::default() });
        failpoints::hit("plan:comparing", job)?;
        let source = ArchiveSource::new(archive, &keys.identities).passing_over(sealed);
        if let Err(error) = require_known_tables(&source) {
            refusals.push(Refusal::by("newer_tables", error.into())?);
        }
        let needed = self.needed_bytes(archive, wish.is_some());
        let in_tmp = if wish.is_some() { self.compared_bytes() } else { 0 };
        let no_space = self.store.require_space(needed.saturating_add(in_tmp)).err();
        let compared = match wish {
            None => self
                .compare_for_restore(job, archive, &keys, sealed)
                .map(|(index, changes)| (Some(index), changes)),
            // It is found out in a copy, for which there has to be room, of what can be opened.
            Some(_) if no_space.is_some() || !refusals.is_empty() => Ok((None, Map::new())),
            Some(wish) => self.plan_selection(job, archive, sealed, wish, &mut refusals),
        };
        let index = match compared {
            Ok((index, changes)) => {
                plan.extend(changes);
                index
            }
            // What the archive says is wrong with the archive; everything else is wrong here.
            Err(error @ (SourceError::Entry { .. } | SourceError::Refused(_) | SourceError::Carrier(_))) => {
                refusals.push(Refusal::by("damaged_contents", error.into())?);
                None
            }
            Err(error) => return Err(error.into()),
        };
        let accounts = match wish {
            None => {
                self.plan_cleanness(job.execution(), &mut plan, &mut refusals)?;
                plan.insert("stays".to_owned(), stays(archive));
                if sealed == Sealed::PassedOver && index.is_some() {
                    let lost = sealed::lost(archive, &keys, sealed)?;
                    plan.insert("sealed".to_owned(), sealed::missing(archive, sealed, &lost));
                }
                self.plan_accounts(&source, index.as_ref())?
            }
            Some(_) => json!({ "added": [], "kept": [], "sleeping": [] }),
        };
        plan.insert("accounts".to_owned(), accounts);
        self.plan_executions(job.execution(), &mut plan, &mut refusals)?;
        plan.insert("space".to_owned(), self.space(needed, in_tmp)?);
        if let Some(error) = no_space {
            refusals.push(Refusal::by("no_space", error.into())?);
        }
        plan.insert("duration".to_owned(), self.duration(snapshot, archive.size_bytes())?);
        plan.insert("refusals".to_owned(), json!(refusals));
        Ok((plan, index))
    }

    /// What a restore of an archive changes: the list, and what is told of it.
    pub(super) fn compare_for_restore(
        &self,
        job: &Job,
        archive: &Archive,
        keys: &Keys,
        sealed: Sealed,
    ) -> Result<(Index, Map<String, Value>), SourceError> {
        // What is passed over on purpose is known to be missing afterwards; what no key opens is not known.
        let is_open = sealed == Sealed::PassedOver || opens(archive, &keys.identities);
        let source = ArchiveSource::new(archive, &keys.identities).passing_over(sealed);
        let has_metrics = carries_metrics(&source.names());
        let mut reading = Reading {
            settled: true,
            without_accounts: true,
            without_archives: blueprints_without_archive(&source),
            ..Reading::default()
        };
        if !is_open {
            reading.without_keys = true;
            reading.skipped.extend(["secrets", "agent_credentials"]);
        }
        let mut index = Index::create(&self.settings.partial, job.boot(), Way::ToFirst)?;
        let (mut done, total) = (0, archive.entries().len() as u64);
        let mut step = || {
            done += 1;
            job.progress(Progress {
                finished_operations: done,
                total_operations: total,
                ..job.current_progress()
            });
            Ok(job.check()?)
        };
        take_in(&mut index, Side::First, &reading, &source, &mut step)?;
        failpoints::hit("plan:read", job)?;
        // All that the manager holds, as all of it is replaced.
        let everything = CollectOptions {
            include_credentials: true,
            include_logs: true,
            include_events: true,
            include_flow_history: true,
            metrics_from: has_metrics.then_some(i64::MIN),
        };
        // The live state is compared as it is: that a restore stops flows is a change, too.
        let reading = Reading { settled: false, without_archives: BTreeSet::new(), ..reading };
        let mut sink = IndexSink::new(&mut index, Side::Second, reading);
        self.embedded().cut()?.collect(job, everything, &mut sink)?;
        sink.finish()?;
        let changes = summary(&index)?;
        Ok((index, changes))
    }

    /// What the manager holds that a restore of all would replace.
    fn plan_cleanness(
        &self,
        execution: &Execution,
        plan: &mut Map<String, Value>,
        refusals: &mut Vec<Refusal>,
    ) -> Result<(), JobError> {
        let made = self.manager.inventory_blocking()?.made();
        let is_forced = execution.asks_for("force");
        if !made.is_empty() && !is_forced {
            refusals.push(Refusal::new("not_clean", format!("{NOT_CLEAN} (it holds {})", made.join(", "))));
        }
        plan.insert(
            "force".to_owned(),
            json!({ "is_asked": is_forced, "is_needed": !made.is_empty(), "holds": made }),
        );
        Ok(())
    }

    /// What runs that a restore minds.
    fn plan_executions(
        &self,
        execution: &Execution,
        plan: &mut Map<String, Value>,
        refusals: &mut Vec<Refusal>,
    ) -> Result<(), JobError> {
        let mut open = self.records.database().read_blocking(table::open)?;
        open.extend(self.manager.current().database.read_blocking(table::open)?);
        open.retain(|other| other.id != execution.id);
        let conflicting: Vec<_> = conflicts(&Workflow::RestoreSnapshot, false, &open);
        let told = |other: &Execution| {
            json!({
                "id": other.id.to_string(),
                "workflow_id": other.workflow.as_str(),
                "status": other.status,
                "tenant_name": other.tenant_name.as_str(),
                "deployment_id": other.deployment_id.as_ref().map(crate::model::EntityId::as_str),
            })
        };
        let is_conflict = |other: &Execution| conflicting.iter().any(|found| found.id == other.id);
        let waits_for = |other: &&Execution| {
            other.status.is_active() && other.status != ExecutionStatus::Pending && !is_conflict(other)
        };
        let waited_for: Vec<Value> = open.iter().filter(waits_for).map(told).collect();
        if !conflicting.is_empty() && !execution.asks_for("queue") {
            let ids: Vec<String> = conflicting.iter().map(|other| other.id.to_string()).collect();
            refusals.push(Refusal::new(
                "running_executions",
                format!(
                    "Cannot start execution because there are other executions running e.g.: {}",
                    ids.join(", ")
                ),
            ));
        }
        let conflicting: Vec<Value> = conflicting.into_iter().map(told).collect();
        plan.insert("executions".to_owned(), json!({ "conflicts": conflicting, "waited_for": waited_for }));
        Ok(())
    }

    /// Bytes that a restore asks for beside what there is; one of a part copies the live tables, too.
    pub(super) fn needed_bytes(&self, archive: &Archive, is_part: bool) -> u64 {
        let live = self.manager.current();
        let copied = if is_part { live.database.size_bytes() } else { 0 };
        staged_bytes(archive).saturating_add(live.metrics.size_bytes()).saturating_add(copied)
    }

    /// Bytes that the plan of a part takes itself: what is compared is kept, the live state as it is and as it would be.
    fn compared_bytes(&self) -> u64 {
        self.manager.current().database.size_bytes().saturating_mul(2)
    }

    fn space(&self, needed: u64, in_tmp: u64) -> Result<Value, JobError> {
        let failed = |error: std::io::Error| JobError::internal("failed to ask for the free space", &error);
        let mut places: Vec<(u64, Vec<&str>, u64)> = Vec::new();
        let generation = self.manager.generations().path(self.manager.current().number);
        for (name, path, needed) in
            [("manager", generation.as_path(), needed), ("tmp", self.settings.partial.as_path(), in_tmp)]
        {
            let device = std::fs::metadata(path).map_err(failed)?.dev();
            match places.iter_mut().find(|(known, ..)| *known == device) {
                Some((_, names, total)) => {
                    names.push(name);
                    *total += needed;
                }
                None => places.push((device, vec![name], needed)),
            }
        }
        let free = |name: &str| match name {
            "manager" => crate::space::free_bytes(&generation),
            _ => crate::space::free_bytes(&self.settings.partial),
        };
        let told: Result<Vec<Value>, JobError> = places
            .into_iter()
            .map(|(_, names, needed_bytes)| {
                let free_bytes = free(names[0]).map_err(failed)?;
                Ok(json!({
                    "places": names,
                    "needed_bytes": needed_bytes,
                    "free_bytes": free_bytes,
                    "is_enough": free_bytes >= needed_bytes,
                }))
            })
            .collect();
        Ok(Value::Array(told?))
    }

    fn plan_accounts(&self, source: &dyn EntrySource, index: Option<&Index>) -> Result<Value, JobError> {
        let found = accounts::read(source)?;
        let mut going = Vec::new();
        if let Some(index) = index {
            let (tenants, _) = index.page(Some("tenants"), Some(Change::Removed), 0, u64::MAX)?;
            going.extend(tenants.into_iter().map(|tenant| tenant.id));
        }
        let (planned, sleeping) = self.records.database().read_blocking(move |connection| {
            let sleeping: Vec<String> = Records::memberships(connection, None)?
                .into_iter()
                .filter(|membership| {
                    membership.confirmed && going.iter().any(|name| name == membership.tenant_name.as_str())
                })
                .map(|membership| format!("{} in {}", membership.username, membership.tenant_name))
                .collect();
            Ok::<_, crate::records::RecordsError>((found.planned(connection)?, sleeping))
        })?;
        Ok(json!({ "added": planned.added, "kept": planned.kept, "sleeping": sleeping }))
    }

    /// How long a restore will take, from what earlier jobs took; unknown where nothing was measured.
    fn duration(&self, snapshot: &Snapshot, size_bytes: u64) -> Result<Value, JobError> {
        let size_bytes = snapshot.size_bytes.unwrap_or(size_bytes);
        let measured = self.records.database().read_blocking(Records::restore_pace)?;
        Ok(match measured {
            None => json!({ "seconds": null, "from": "unknown" }),
            Some(pace) => json!({
                "seconds": pace.seconds_for(size_bytes),
                "from": format!("{} {}", pace.jobs, pace.workflow),
                "measured_bytes": pace.bytes,
                "measured_seconds": pace.seconds,
            }),
        })
    }
}

/// Says in the log what a plan comes to.
pub(super) fn tell(job: &Job, plan: &Map<String, Value>) {
    let Some(kinds) = plan.get("kinds").and_then(Value::as_object) else { return };
    let mut lines = Vec::new();
    for (kind, found) in kinds {
        let counts: Vec<String> = Change::ALL
            .into_iter()
            .filter_map(|change| {
                let count = found[change.as_str()].as_u64().filter(|count| *count > 0)?;
                Some(format!("{count} {}", change.as_str()))
            })
            .collect();
        if !counts.is_empty() {
            lines.push(format!("{kind}: {}", counts.join(", ")));
        }
    }
    match lines.is_empty() {
        true => job.log("the restore changes nothing"),
        false => job.log(format!("the restore changes {}", lines.join("; "))),
    }
}

/// What the archive has not and a restore leaves as it is.
fn stays(archive: &Archive) -> Value {
    let names: Vec<&str> = archive.entries().iter().map(|entry| entry.path).collect();
    match carries_metrics(&names) {
        true => json!([]),
        false => json!([{
            "source": "metrics",
            "reason": "the archive holds no measurements: those of the manager stay as they are",
        }]),
    }
}

/// The rules by which an archive itself is refused, whatever the manager holds.
pub(super) fn archive_refusals(archive: &Archive, keys: &Keys, sealed: Sealed) -> Vec<Refusal> {
    if let Format::Foreign { snapshot_version } = archive.format() {
        return vec![Refusal::new(
            "foreign_archive",
            format!(
                "the archive is one of Cloudify {snapshot_version}, not of Lifeboat: this version restores only archives that a Lifeboat made, and nothing was changed"
            ),
        )];
    }
    let mut refusals = Vec::new();
    if !matches!(archive.signature(), SignatureState::Valid { .. }) {
        refusals.push(Refusal::new("signature", "the archive's signature is not valid: nothing was changed"));
    }
    if let Some(message) = sealed::refusal(archive, keys, sealed) {
        refusals.push(Refusal::new("no_key", message));
    }
    refusals
}

fn describe(archive: &Archive, keys: &Keys) -> Value {
    let found = crate::archive::inspect(archive);
    let held: Vec<_> = keys.identities.iter().map(crate::archive::Identity::fingerprint).collect();
    let is_own =
        matches!(archive.signature(), SignatureState::Valid { signer } if keys.is_own_signer(signer));
    let sealed_for: Vec<Value> = found
        .sealed_for
        .iter()
        .map(|key| json!({ "fingerprint": key, "is_here": held.contains(key) }))
        .collect();
    json!({
        "format": found.format,
        "snapshot_version": found.snapshot_version,
        "archive_id": found.archive_id,
        "manager": found.manager,
        "created_at": found.created_at,
        "lifeboat_version": found.lifeboat_version,
        "options": found.options,
        "size_bytes": found.size_bytes,
        "content_bytes": found.content_bytes,
        "counts": found.counts,
        "signature": found.signature,
        "is_signed_here": is_own,
        "sealed_parts": found.sealed_parts.len(),
        "sealed_for": sealed_for,
        "can_be_opened": opens(archive, &keys.identities),
    })
}
