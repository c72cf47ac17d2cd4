//! A restore of a part of an archive: what was asked for, and what its report says. How it is staged is the source's
//! affair, how it becomes live that of every restore.

use serde_json::{Value, json};

use crate::archive::SignatureState;
use crate::executions::JobError;
use crate::model::{Execution, Selection, SnapshotId};
use crate::sources::embedded::{self, Selected, Wish};

/// What an execution asks to be brought back of its archive; none where it asks for all.
pub(super) fn wish(execution: &Execution) -> Result<Option<Wish>, JobError> {
    let Some(select) = execution.parameters.get("select").filter(|select| !select.is_null()) else {
        return Ok(None);
    };
    let selection = Selection::from_json(select, &embedded::kinds())
        .map_err(|error| JobError::Failed(error.to_string()))?;
    let include_dependencies =
        execution.parameters.get("dependencies").and_then(Value::as_str) == Some("include");
    Ok(Some(Wish { selection, include_dependencies, force: execution.asks_for("force") }))
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
