//! The keys of a running service, which others may change meanwhile; and the ways to change them.
//!
//! The files are the truth: whoever asks gets what they say now, so that a rotation by the command line counts at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::files::{Folder, OldSigner, Own, OwnIdentity, OwnSigner, Stamp, read_others};
use super::public::{
    KeyOrigin, OldPublicSigner, PublicIdentity, PublicKeys, PublicRecipient, PublicSigner, RecoveryRecipient,
};
use super::{Keys, KeysError, StorageKey};
use crate::archive::{Fingerprint, Identity, Recipient, SigningKey};
use crate::model::Timestamp;

/// The keys of an installation, as its files have them now.
pub struct KeyRing {
    folder: Folder,
    storage: StorageKey,
    /// The identities that the settings name.
    others: Vec<Identity>,
    /// The recipients that the settings name.
    further: Vec<Recipient>,
    known: Mutex<(Stamp, Arc<Keys>)>,
}

/// What a rotation changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// The recipient in use from now on.
    pub recipient: Recipient,
    pub fingerprint: Fingerprint,
    /// The one that was in use before; it still opens what was sealed for it.
    pub retired: Fingerprint,
    /// The new signing key, where one was asked for.
    pub signer: Option<PublicSigner>,
}

/// What a removal took away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    pub fingerprint: Fingerprint,
    pub kind: RemovedKind,
}

/// Which kind of key was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovedKind {
    /// One that opened sealed parts.
    Identity,
    /// One that signed.
    Signer,
}

impl KeyRing {
    /// Reads the keys under `folder`, or makes them where `is_new`. Run twice, the second call reads what the first
    /// made.
    ///
    /// # Errors
    /// A file that can't be read, is damaged, or is gone although the installation is not new.
    pub fn open(
        folder: &Path,
        is_new: bool,
        identity_files: &[PathBuf],
        recipients: &[Recipient],
    ) -> Result<Self, KeysError> {
        let folder = Folder::open(folder)?;
        let lock = folder.lock()?;
        match is_new {
            true => folder.make()?,
            false => folder.remove_unfinished()?,
        }
        let storage = folder.storage()?;
        let stamp = folder.stamp();
        let own = folder.read()?;
        drop(lock);
        let mut others = Vec::new();
        for file in identity_files {
            others.extend(read_others(file)?);
        }
        let keys = Arc::new(keys(own, &others, recipients));
        let known = Mutex::new((stamp, keys));
        Ok(Self { folder, storage, others, further: recipients.to_vec(), known })
    }

    /// The keys as the files have them now. While they can't be read, those that were read last.
    pub fn current(&self) -> Arc<Keys> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.folder.stamp();
        if stamp != known.0 {
            match self.folder.read() {
                Ok(own) => {
                    let keys = keys(own, &self.others, &self.further);
                    tracing::info!(
                        "the keys have changed: parts are sealed for `{}`, archives are signed by `{}`",
                        keys.public.recipients[0].fingerprint,
                        keys.public.signer.fingerprint
                    );
                    *known = (stamp, Arc::new(keys));
                }
                Err(error) => {
                    tracing::error!(error = %error, "the keys can't be read any more; those that were read last stay in use: {error}");
                }
            }
        }
        Arc::clone(&known.1)
    }

    /// The key that seals values at rest.
    pub fn storage(&self) -> &StorageKey {
        &self.storage
    }

    /// Whether the secret half of the recovery key has left the data folder.
    pub fn is_recovery_taken(&self) -> bool {
        self.folder.is_recovery_taken()
    }

    /// Makes a new identity for what is sealed from now on, and a new signing key where `with_signer`. The former ones
    /// stay known. A stop in the middle leaves a set that works; run again, it rotates again.
    ///
    /// # Errors
    /// Files that can't be read or written.
    pub fn rotate(&self, with_signer: bool) -> Result<Rotated, KeysError> {
        let _lock = self.folder.lock()?;
        let own = self.folder.read()?;
        let now = Timestamp::now();
        let new = Identity::generate();
        let (recipient, fingerprint) = (new.recipient(), new.fingerprint());
        let retired = own.identities[0].identity.fingerprint();
        let mut identities = vec![OwnIdentity { identity: new, since: Some(now), until: None }];
        identities.extend(own.identities);
        identities[1].until = Some(now);
        self.folder.write_identities(&identities)?;
        let signer = match with_signer {
            true => {
                // The former one is known as old before it is replaced: at no moment is it a stranger's.
                let former = own.signer.key.public_key();
                let mut old = own.old_signers;
                old.retain(|other| other.key != former);
                old.insert(0, OldSigner { key: former, until: Some(now) });
                self.folder.write_old_signers(&old)?;
                let signer = OwnSigner { key: SigningKey::generate(), since: Some(now) };
                self.folder.write_signer(&signer)?;
                Some(public_signer(&signer))
            }
            false => None,
        };
        Ok(Rotated { recipient, fingerprint, retired, signer })
    }

    /// Forgets an old identity or an old signer. Whether archives still need it is the caller's affair.
    ///
    /// # Errors
    /// One that is in use, of the settings, or not known; files that can't be read or written.
    pub fn remove(&self, fingerprint: &str) -> Result<Removed, KeysError> {
        let _lock = self.folder.lock()?;
        let mut own = self.folder.read()?;
        self.check_removable(&own, fingerprint)?;
        let position =
            own.identities.iter().position(|key| key.identity.fingerprint().as_str() == fingerprint);
        if let Some(position) = position {
            let removed = own.identities.remove(position);
            self.folder.write_identities(&own.identities)?;
            return Ok(Removed { fingerprint: removed.identity.fingerprint(), kind: RemovedKind::Identity });
        }
        let position = own.old_signers.iter().position(|old| old.key.fingerprint().as_str() == fingerprint);
        let position = position.ok_or_else(|| KeysError::Unknown(fingerprint.to_owned()))?;
        let removed = own.old_signers.remove(position);
        self.folder.write_old_signers(&own.old_signers)?;
        Ok(Removed { fingerprint: removed.key.fingerprint(), kind: RemovedKind::Signer })
    }

    /// The fingerprint of an old identity that is to be removed, and those of all other identities; nothing of the
    /// first where it names an old signer, which no archive needs.
    ///
    /// # Errors
    /// As [`KeyRing::remove`].
    pub fn removable(&self, fingerprint: &str) -> Result<(Option<Fingerprint>, Vec<Fingerprint>), KeysError> {
        let own = self.folder.read()?;
        self.check_removable(&own, fingerprint)?;
        let all = own.identities.iter().map(|key| &key.identity).chain(&self.others);
        let (removed, others): (Vec<_>, Vec<_>) =
            all.map(Identity::fingerprint).partition(|key| key.as_str() == fingerprint);
        Ok((removed.into_iter().next(), others))
    }

    fn check_removable(&self, own: &Own, fingerprint: &str) -> Result<(), KeysError> {
        let is = |key: Fingerprint| key.as_str() == fingerprint;
        if is(own.identities[0].identity.fingerprint()) || is(own.signer.key.public_key().fingerprint()) {
            return Err(KeysError::InUse(fingerprint.to_owned()));
        }
        if own.identities.iter().any(|key| is(key.identity.fingerprint()))
            || own.old_signers.iter().any(|old| is(old.key.fingerprint()))
        {
            return Ok(());
        }
        match self.others.iter().any(|other| is(other.fingerprint())) {
            true => Err(KeysError::OfSettings(fingerprint.to_owned())),
            false => Err(KeysError::Unknown(fingerprint.to_owned())),
        }
    }
}

fn keys(own: Own, others: &[Identity], further: &[Recipient]) -> Keys {
    let public = public_keys(&own, others, further);
    let mut recipients = vec![own.identities[0].identity.recipient(), own.recovery];
    recipients.extend(further.iter().cloned());
    let identities = own.identities.into_iter().map(|key| key.identity).chain(others.iter().cloned());
    Keys { identities: identities.collect(), recipients, signing: own.signer.key, public }
}

fn public_keys(own: &Own, others: &[Identity], further: &[Recipient]) -> PublicKeys {
    let in_use = own.identities[0].identity.recipient();
    let further = further.iter().map(|key| PublicRecipient::new(key.clone(), KeyOrigin::Settings));
    let identities = own.identities.iter().enumerate().map(|(index, key)| PublicIdentity {
        recipient: key.identity.recipient(),
        fingerprint: key.identity.fingerprint(),
        origin: if index == 0 { KeyOrigin::Own } else { KeyOrigin::Old },
        since: key.since,
        until: key.until,
    });
    let others = others.iter().map(|identity| PublicIdentity {
        recipient: identity.recipient(),
        fingerprint: identity.fingerprint(),
        origin: KeyOrigin::Settings,
        since: None,
        until: None,
    });
    let signer = public_signer(&own.signer);
    let old_signers = own.old_signers.iter().filter(|old| old.key != signer.public_key);
    let old_signers = old_signers.map(|old| OldPublicSigner {
        public_key: old.key.clone(),
        fingerprint: old.key.fingerprint(),
        until: old.until,
    });
    PublicKeys {
        recipients: std::iter::once(PublicRecipient::new(in_use, KeyOrigin::Own)).chain(further).collect(),
        recovery: RecoveryRecipient::new(own.recovery.clone()),
        identities: identities.chain(others).collect(),
        old_signers: old_signers.collect(),
        signer,
    }
}

fn public_signer(signer: &OwnSigner) -> PublicSigner {
    let public_key = signer.key.public_key();
    PublicSigner { fingerprint: public_key.fingerprint(), public_key, since: signer.since }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn open(folder: &Path, is_new: bool) -> Result<KeyRing, KeysError> {
        KeyRing::open(folder, is_new, &[], &[])
    }

    #[test]
    fn keys_are_made_once_and_missed_when_gone() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(open(folder.path(), false), Err(KeysError::Gone { .. })));
        let first = open(folder.path(), true).unwrap();
        let second = open(folder.path(), false).unwrap();
        assert_eq!(**first.storage(), **second.storage());
        assert_eq!(first.current().public, second.current().public);
        assert_eq!(first.current().recipients.len(), 2);
        for entry in fs::read_dir(folder.path()).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        for file in ["storage.key", "identity.txt", "signing.key", "recovery.pub"] {
            let hidden = folder.path().join("hidden");
            fs::rename(folder.path().join(file), &hidden).unwrap();
            assert!(matches!(open(folder.path(), false), Err(KeysError::Gone { .. })), "{file}");
            fs::rename(&hidden, folder.path().join(file)).unwrap();
        }
    }

    #[test]
    fn files_of_before_rotations_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let made = open(folder.path(), true).unwrap().current();
        let bare = made.identities[0].to_secret_text();
        fs::write(folder.path().join("identity.txt"), format!("{}\n", *bare)).unwrap();
        let hex = hex::encode(*made.signing.to_secret_bytes());
        fs::write(folder.path().join("signing.key"), format!("{hex}\n")).unwrap();
        let read = open(folder.path(), false).unwrap().current();
        assert_eq!(read.public.recipients, made.public.recipients);
        assert_eq!(read.public.signer.public_key, made.public.signer.public_key);
        assert!(read.public.identities[0].since.is_some(), "it is as old as its file");
    }

    #[test]
    fn a_rotation_counts_at_once_in_every_holder_and_forgets_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let service = open(folder.path(), true).unwrap();
        let before = service.current();
        let rotated = open(folder.path(), false).unwrap().rotate(true).unwrap();
        let after = service.current();
        assert_eq!(after.recipients[0], rotated.recipient);
        assert_eq!(rotated.retired, before.public.recipients[0].fingerprint);
        assert_eq!(after.recipients[1..], before.recipients[1..], "the recovery key stays");
        assert_eq!(after.identities[1].fingerprint(), before.identities[0].fingerprint());
        assert!(after.public.identities[1].until.is_some());
        assert_eq!(Some(&after.public.signer), rotated.signer.as_ref());
        assert!(after.is_own_signer(&before.signing.public_key()));
        assert!(!after.is_own_signer(&SigningKey::generate().public_key()));
        // Without a new signer, the present one stays.
        service.rotate(false).unwrap();
        assert_eq!(service.current().public.signer, after.public.signer);
        assert_eq!(service.current().identities.len(), 3);
    }

    #[test]
    fn old_keys_are_removed_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let other = Identity::generate();
        let file = folder.path().join("other.txt");
        fs::write(&file, other.to_secret_text().as_bytes()).unwrap();
        let ring = KeyRing::open(&folder.path().join("keys"), true, &[file], &[]).unwrap();
        let first = ring.current().public.clone();
        for key in [&first.recipients[0].fingerprint, &first.signer.fingerprint] {
            assert!(matches!(ring.remove(key.as_str()), Err(KeysError::InUse(_))));
        }
        ring.rotate(true).unwrap();
        let (old, others) = ring.removable(first.recipients[0].fingerprint.as_str()).unwrap();
        assert_eq!(old, Some(first.recipients[0].fingerprint.clone()));
        assert_eq!(others, [ring.current().identities[0].fingerprint(), other.fingerprint()]);
        ring.remove(first.recipients[0].fingerprint.as_str()).unwrap();
        assert_eq!(ring.removable(first.signer.fingerprint.as_str()).unwrap().0, None);
        ring.remove(first.signer.fingerprint.as_str()).unwrap();
        assert_eq!(ring.current().identities.len(), 2);
        assert!(ring.current().public.old_signers.is_empty());
        for key in [&first.recipients[0].fingerprint, &first.signer.fingerprint] {
            assert!(matches!(ring.remove(key.as_str()), Err(KeysError::Unknown(_))));
        }
        let settings = ring.remove(other.fingerprint().as_str());
        assert!(matches!(settings, Err(KeysError::OfSettings(_))));
    }

    #[test]
    fn keys_that_cannot_be_read_any_more_stay_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let ring = open(folder.path(), true).unwrap();
        let before = ring.current().public.clone();
        fs::write(folder.path().join("identity.txt"), "nonsense").unwrap();
        assert_eq!(ring.current().public, before);
        assert!(ring.rotate(false).is_err(), "nothing is written over what can't be read");
        assert_eq!(fs::read_to_string(folder.path().join("identity.txt")).unwrap(), "nonsense");
    }
}
