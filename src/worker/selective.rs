//! A restore of a part of an archive: what was asked for, what its plan and its report say. How it is staged is the
//! source's affair, how it becomes live that of every restore.

use serde_json::{Map, Value, json};

use crate::archive::{Archive, SignatureState};
use crate::executions::{Job, JobError};
use crate::model::{Execution, Selection, SnapshotId};
use crate::sources::embedded::{self, Index, LostMaterial, PlannedSelection, Selected, Way, Wish};
use crate::sources::{SourceError, accounts};

use super::SnapshotWorker;
use super::carrier::ArchiveSource;
use super::diff::summary;
use super::plan::Refusal;
use super::restore::unkept_promise;
use super::sealed::{self, Sealed};

/// What an execution asks to be brought back of its archive; none where it asks for all.
pub(super) fn wish(execution: &Execution) -> Result<Option<Wish>, JobError> {
    let Some(select) = execution.parameters.get("select").filter(|select| !select.is_null()) else {
        return Ok(None);
    };
    let selection = Selection::from_json(select, &embedded::kinds())
        .map_err(|error| JobError::Failed(error.to_string()))?;
    let include_dependencies =
        execution.parameters.get("dependencies").and_then(Value::as_str) == Some("include");
    Ok(Some(Wish { selection, include_dependencies, force: execution.asks_for("force"), lost: Vec::new() }))
}

/// The report of a selective restore that was only to say what it would do.
pub(super) fn dry_report(snapshot: &SnapshotId, signature: &SignatureState, selected: &Selected) -> Value {
    json!({ "snapshot_id": snapshot, "signature": signature, "selected": selected.report, "dry_run": true })
}

/// The report of a selective restore.
pub(super) fn report(
    snapshot: &SnapshotId,
    signature: &SignatureState,
    selected: &Selected,
    mut sources: Value,
    environments: &Value,
) -> Value {
    sources["accounts"] =
        json!({ "outcome": "skipped", "reason": "users are no part of a selection: they stay as they were" });
    json!({
        "snapshot_id": snapshot,
        "signature": signature,
        "selected": selected.report,
        "sources": sources,
        "environments": environments,
    })
}

impl SnapshotWorker {
    /// What a selective restore changes: the list, and what is told of it, by doing it in a copy that goes. Nothing is
    /// listed where it can't be done; `refusals` say why it can't, or would be refused.
    pub(super) fn plan_selection(
        &self,
        job: &Job,
        archive: &Archive,
        sealed: Sealed,
        wish: &Wish,
        refusals: &mut Vec<Refusal>,
    ) -> Result<(Option<Index>, Map<String, Value>), SourceError> {
        let keys = self.keys.current();
        let source = ArchiveSource::new(archive, &keys.identities).passing_over(sealed);
        let material = sealed::lost(archive, &keys, sealed)?;
        let wish = &Wish { lost: material.named, ..wish.clone() };
        let mut index = Index::create(&self.settings.partial, job.boot(), Way::FromFirst)?;
        let PlannedSelection { selected, broken } =
            self.embedded().plan_selected(job, &source, wish, &mut index)?;
        refusals.extend(broken.into_iter().map(|broken| Refusal::new(broken.rule, broken.message)));
        let Some(selected) = selected else { return Ok((None, Map::new())) };
        let counts = (&selected.archived, &accounts::read(&source)?);
        if let Some(message) = unkept_promise(archive, sealed, counts, &selected.left_out) {
            refusals.push(Refusal::new("damaged_contents", message));
        }
        let mut plan = summary(&index)?;
        plan.insert("force".to_owned(), force(wish, &selected));
        plan.insert("stays".to_owned(), stays(&selected));
        if sealed == Sealed::PassedOver {
            let lost = LostMaterial { named: selected.lost, unnamed: material.unnamed };
            plan.insert("sealed".to_owned(), sealed::missing(archive, sealed, &lost));
        }
        plan.insert("selected".to_owned(), selected.report);
        Ok((Some(index), plan))
    }
}

/// What leave a selective restore needs, and what would be replaced or go by it.
fn force(wish: &Wish, selected: &Selected) -> Value {
    let names = ["replaced_names", "removed_names"].into_iter();
    let holds: Vec<&Value> = names.filter_map(|list| selected.report[list].as_array()).flatten().collect();
    json!({ "is_asked": wish.force, "is_needed": selected.needs_force, "holds": holds })
}

/// What is no part of a selection, and what could be and was not selected.
fn stays(selected: &Selected) -> Value {
    let mut stays = vec![json!({
        "source": "accounts",
        "reason": "users are no part of a selection: they stay as they are",
    })];
    if !selected.has_metrics {
        let reason = "no metric is selected: those of the manager stay as they are";
        stays.push(json!({ "source": "metrics", "reason": reason }));
    }
    Value::Array(stays)
}
