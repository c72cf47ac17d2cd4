//! What keeps a snapshot worth having: that it is looked through, and that nobody deletes it by mistake.

use serde_json::{Map, Value, json};

use crate::model::{Caller, Execution, Protection, SnapshotId, Timestamp, Workflow};
use crate::records::Records;

use super::{SnapshotError, Snapshots, require_archive, view};

impl Snapshots {
    /// Records a verify: every byte of the archive is read, and the snapshot's record says what came of it.
    ///
    /// # Errors
    /// No such snapshot, or one without an archive; the records' own. No record is left then.
    pub async fn verify(&self, caller: &Caller, id: SnapshotId) -> Result<Execution, SnapshotError> {
        let tenant = caller.tenant.clone();
        let execution = self.execution(caller, Workflow::VerifySnapshot, Some(id.clone()), Map::new());
        self.engine
            .enqueue(execution, false, move |tx, _| {
                let snapshot = Records::snapshot(tx, &tenant, &id)?
                    .ok_or_else(|| SnapshotError::NotFound(id.clone()))?;
                require_archive(&snapshot, "verified")
            })
            .await
    }

    /// Protects a snapshot from being deleted, or no longer; answers its record. Audited. The same again changes
    /// nothing.
    ///
    /// # Errors
    /// No such snapshot; the records' own.
    pub async fn protect(
        &self,
        caller: &Caller,
        id: &SnapshotId,
        protected: bool,
    ) -> Result<Map<String, Value>, SnapshotError> {
        let (tenant, wanted, user) = (caller.tenant.clone(), id.clone(), caller.user.clone());
        self.records
            .write(move |tx| {
                let snapshot = Records::snapshot(tx, &tenant, &wanted)?
                    .ok_or_else(|| SnapshotError::NotFound(wanted.clone()))?;
                if snapshot.protection.is_some() != protected {
                    let protection = protected.then(|| Protection { by: user.clone(), at: Timestamp::now() });
                    Records::set_snapshot_protection(tx, &tenant, &wanted, protection.as_ref())?;
                    let action = if protected { "snapshot_protect" } else { "snapshot_unprotect" };
                    let details = json!({ "tenant": tenant });
                    Records::audit(tx, &user, action, wanted.as_str(), Some(&details))?;
                }
                Ok(view(tx, &tenant, &wanted, None)?.unwrap_or_default())
            })
            .await
    }
}
