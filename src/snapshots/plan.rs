//! Planning a restore: what it would change, what it needs, why it would be refused.

use serde_json::{Map, Value};

use crate::model::{Caller, Execution, SnapshotId, Workflow};
use crate::records::Records;

use super::{SnapshotError, Snapshots, require_archive};

impl Snapshots {
    /// Records the planning of a restore with these options. It runs beside everything but a restore or rollback.
    ///
    /// # Errors
    /// No such snapshot, or one without an archive; a restore that is active; the records' own. No record is left then.
    pub async fn plan(
        &self,
        caller: &Caller,
        id: SnapshotId,
        parameters: Map<String, Value>,
    ) -> Result<Execution, SnapshotError> {
        let (tenant, user) = (caller.tenant.clone(), caller.user.clone());
        let execution = self.execution(caller, Workflow::PlanSnapshot, Some(id.clone()), parameters);
        self.engine
            .enqueue(execution, false, move |tx, _| {
                let snapshot = Records::snapshot(tx, &tenant, &id)?
                    .ok_or_else(|| SnapshotError::NotFound(id.clone()))?;
                require_archive(&snapshot, "planned to be restored")?;
                Records::audit(tx, &user, "snapshot_plan", id.as_str(), None)?;
                Ok::<(), SnapshotError>(())
            })
            .await
    }
}
