//! Comparing a snapshot with another one or with the live state, and two archive files without any service.

use std::fs::File;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::archive::{Archive, ArchiveError, Identity, Limits};
use crate::model::{Caller, Execution, SnapshotId, Workflow};
use crate::records::Records;
use crate::worker::FileComparison;

use super::{SnapshotError, Snapshots, require_archive};

impl Snapshots {
    /// Records the comparison of a snapshot with the live state, or with another snapshot of the tenant. As it shows
    /// what archives hold, it is audited like a download.
    ///
    /// # Errors
    /// No such snapshot, or one without an archive; a restore that is active; the records' own. No record is left then.
    pub async fn diff(
        &self,
        caller: &Caller,
        id: SnapshotId,
        with: Option<SnapshotId>,
    ) -> Result<Execution, SnapshotError> {
        let (tenant, user) = (caller.tenant.clone(), caller.user.clone());
        let mut parameters = Map::new();
        parameters
            .insert("with".to_owned(), with.as_ref().map_or(Value::Null, |id| Value::from(id.as_str())));
        let execution = self.execution(caller, Workflow::DiffSnapshot, Some(id.clone()), parameters);
        self.engine
            .enqueue(execution, false, move |tx, _| {
                for wanted in [Some(&id), with.as_ref()].into_iter().flatten() {
                    let snapshot = Records::snapshot(tx, &tenant, wanted)?
                        .ok_or_else(|| SnapshotError::NotFound(wanted.clone()))?;
                    require_archive(&snapshot, "compared")?;
                }
                let details = with.as_ref().map(|with| json!({ "with": with.as_str() }));
                Records::audit(tx, &user, "snapshot_diff", id.as_str(), details.as_ref())?;
                Ok::<(), SnapshotError>(())
            })
            .await
    }
}

/// Compares two archive files. What is sealed is compared where `identities` open it. The comparison is kept in a file of
/// `folder` that is gone with it.
///
/// # Errors
/// Files that are no archives of Lifeboat; why they can't be compared, for people.
pub fn diff_files(
    (first, second): (&Path, &Path),
    identities: Vec<Identity>,
    folder: &Path,
) -> Result<FileComparison, String> {
    let open = |path: &Path| -> Result<Archive, String> {
        let wrong = |error: String| format!("`{}`: {error}", path.display());
        let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
        Archive::open(file, Limits::default())
            .map_err(|error: ArchiveError| wrong(crate::causes::chain(&error)))
    };
    let (one, other) = (open(first)?, open(second)?);
    FileComparison::new(
        (one, &first.display().to_string()),
        (other, &second.display().to_string()),
        identities,
        folder,
    )
    .map_err(|error| error.to_string())
}
