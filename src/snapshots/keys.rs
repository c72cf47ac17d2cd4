//! What can be done with the keys that seal and sign archives: showing, rotating, removing; and naming further ones.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::archive::{Fingerprint, KeyError, Recipient};
use crate::keys::{PublicKeys, Removed, Rotated, needs};
use crate::model::{Caller, Execution, SnapshotId, Workflow};
use crate::records::Records;
use crate::store::StoreError;

use super::{SnapshotError, Snapshots, require_archive};

/// How many further keys an archive may be sealed for.
const MOST_RECIPIENTS: usize = 64;

/// What a removal took away, and which snapshots can't be opened here any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyRemoval {
    #[serde(flatten)]
    pub removed: Removed,
    /// Snapshots, as `<tenant>/<id>`, whose sealed parts no key here opens now.
    pub shut: Vec<String>,
}

/// Reads the public keys that a caller names, each once.
///
/// # Errors
/// [`SnapshotError::SealFor`] naming the first that is none, or that there are too many.
pub fn seal_for(named: &[Value]) -> Result<Vec<Recipient>, SnapshotError> {
    let mut recipients: Vec<Recipient> = Vec::new();
    for (index, value) in named.iter().enumerate() {
        let wrong = |reason: String| SnapshotError::SealFor { index, reason };
        let text = value.as_str().ok_or_else(|| wrong("it is no text".to_owned()))?;
        let recipient = text.parse().map_err(|error: KeyError| wrong(error.to_string()))?;
        if index >= MOST_RECIPIENTS {
            return Err(wrong(format!("at most {MOST_RECIPIENTS} keys can be named")));
        }
        if !recipients.contains(&recipient) {
            recipients.push(recipient);
        }
    }
    Ok(recipients)
}

/// Reads the fingerprints of keys that an archive is not to be sealed for any more.
///
/// # Errors
/// [`SnapshotError::Drop`] naming the first that is none.
pub fn dropped(named: &[Value]) -> Result<Vec<Fingerprint>, SnapshotError> {
    let read = |(index, value): (usize, &Value)| {
        let parsed = value.as_str().and_then(Fingerprint::parse);
        let reason = "it is no fingerprint: expected 32 hexadecimal digits".to_owned();
        parsed.ok_or(SnapshotError::Drop { index, reason })
    };
    named.iter().enumerate().map(read).collect()
}

impl Snapshots {
    /// The public halves of all keys.
    ///
    /// # Errors
    /// Only where the service is stopping.
    pub async fn public_keys(&self) -> Result<PublicKeys, SnapshotError> {
        let keys = Arc::clone(&self.keys);
        blocking(move || Ok(keys.current().public.clone())).await
    }

    /// Makes a new identity, and a new signing key where `with_signer`. Audited.
    ///
    /// # Errors
    /// The key files' and the records' own.
    pub async fn rotate_keys(&self, caller: &Caller, with_signer: bool) -> Result<Rotated, SnapshotError> {
        let (keys, user) = (Arc::clone(&self.keys), caller.user.clone());
        self.records
            .write(move |tx| {
                // Inside, so that there is no line of a rotation that did not happen.
                let rotated = keys.rotate(with_signer)?;
                let details = json!({ "retired": rotated.retired, "signer": rotated.signer });
                Records::audit(tx, &user, "key_rotate", rotated.fingerprint.as_str(), Some(&details))?;
                Ok(rotated)
            })
            .await
    }

    /// Records that a snapshot's archive is to be sealed anew: for the present recipients and `further` ones, but for those
    /// whose fingerprints are in `dropped`. Audited.
    ///
    /// # Errors
    /// No such snapshot, or one without an archive; the own or the recovery key among the dropped; a restore that is
    /// active, without `queue`. No record is left then.
    pub async fn reseal(
        &self,
        caller: &Caller,
        id: SnapshotId,
        further: &[Recipient],
        dropped: &[Fingerprint],
        queue: bool,
    ) -> Result<Execution, SnapshotError> {
        let keys = self.public_keys().await?;
        for (index, key) in dropped.iter().enumerate() {
            if *key == keys.recipients[0].fingerprint || *key == keys.recovery.fingerprint {
                let reason = "archives are always sealed for the own key and the recovery key".to_owned();
                return Err(SnapshotError::Drop { index, reason });
            }
        }
        let mut parameters = Map::new();
        parameters.insert("seal_for".to_owned(), json!(further));
        parameters.insert("drop".to_owned(), json!(dropped));
        parameters.insert("queue".to_owned(), json!(queue));
        let (tenant, user) = (caller.tenant.clone(), caller.user.clone());
        let details = Value::Object(parameters.clone());
        let execution = self.execution(caller, Workflow::ResealSnapshot, Some(id.clone()), parameters);
        self.engine
            .enqueue(execution, queue, move |tx, _| {
                let snapshot = Records::snapshot(tx, &tenant, &id)?
                    .ok_or_else(|| SnapshotError::NotFound(id.clone()))?;
                require_archive(&snapshot, "resealed")?;
                Ok(Records::audit(tx, &user, "snapshot_reseal", id.as_str(), Some(&details))?)
            })
            .await
    }

    /// Forgets an old identity or an old signer. Audited.
    ///
    /// # Errors
    /// A key that is in use or not known; [`SnapshotError::KeyNeeded`] where archives would stay shut, without `force`.
    pub async fn remove_key(
        &self,
        caller: &Caller,
        fingerprint: String,
        force: bool,
    ) -> Result<KeyRemoval, SnapshotError> {
        let (snapshots, wanted) = (self.clone(), fingerprint.clone());
        let shut = blocking(move || {
            let (key, others) = snapshots.keys.removable(&wanted)?;
            key.map_or_else(|| Ok(Vec::new()), |key| snapshots.needing(&key, &others))
        })
        .await?;
        if !shut.is_empty() && !force {
            return Err(SnapshotError::KeyNeeded(shut));
        }
        let (keys, user) = (Arc::clone(&self.keys), caller.user.clone());
        self.records
            .write(move |tx| {
                let removed = keys.remove(&fingerprint)?;
                let details = json!({ "kind": removed.kind, "shut": shut });
                Records::audit(tx, &user, "key_remove", &fingerprint, Some(&details))?;
                Ok(KeyRemoval { removed, shut })
            })
            .await
    }

    /// The snapshots whose sealed parts only `key` opens.
    fn needing(&self, key: &Fingerprint, others: &[Fingerprint]) -> Result<Vec<String>, SnapshotError> {
        let archives = self.records.database().read_blocking(Records::archives)?;
        let mut needing = Vec::new();
        for (tenant, id, file) in archives {
            let archive = match self.store.read(file) {
                Ok(archive) => archive,
                // It was deleted meanwhile.
                Err(StoreError::NotFound(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            match needs(archive, &self.settings.limits, key, others) {
                Ok(true) => needing.push(format!("{tenant}/{id}")),
                Ok(false) => {}
                // What is damaged opens with no key.
                Err(error) if error.is_refusal() => {
                    tracing::warn!("the archive of snapshot `{tenant}/{id}` can't be read: {error}");
                }
                Err(error) => return Err(SnapshotError::Archive(error)),
            }
        }
        Ok(needing)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, SnapshotError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| SnapshotError::Io(std::io::Error::other("the work was interrupted")))?
}
