//! What everybody may know of an installation's keys: the public halves. Nothing here can hold a secret.

use serde::Serialize;

use crate::archive::{Fingerprint, PublicKey, Recipient};
use crate::model::Timestamp;

/// How a key came to be among those of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyOrigin {
    /// The installation's own, in use.
    Own,
    /// The installation's own of before a rotation.
    Old,
    /// Named by the settings.
    Settings,
}

/// The public halves of all keys of an installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicKeys {
    /// For whom parts are sealed beside the recovery key; the own one first.
    pub recipients: Vec<PublicRecipient>,
    /// The key that is kept elsewhere; everything is sealed for it too.
    pub recovery: RecoveryRecipient,
    /// What can be opened: the own one in use first, older ones, those of the settings.
    pub identities: Vec<PublicIdentity>,
    /// The key that signs archives.
    pub signer: PublicSigner,
    /// Keys that signed before; what they signed still counts as own.
    pub old_signers: Vec<OldPublicSigner>,
}

/// A key that parts are sealed for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicRecipient {
    pub recipient: Recipient,
    pub fingerprint: Fingerprint,
    pub origin: KeyOrigin,
}

/// The recovery key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecoveryRecipient {
    pub recipient: Recipient,
    pub fingerprint: Fingerprint,
}

/// The public half of a key that opens sealed parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicIdentity {
    pub recipient: Recipient,
    pub fingerprint: Fingerprint,
    pub origin: KeyOrigin,
    /// Since when it is held; not known of those of the settings.
    pub since: Option<Timestamp>,
    /// When another took its place.
    pub until: Option<Timestamp>,
}

/// The public half of the key that signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicSigner {
    pub public_key: PublicKey,
    pub fingerprint: Fingerprint,
    pub since: Option<Timestamp>,
}

/// The public half of a key that signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OldPublicSigner {
    pub public_key: PublicKey,
    pub fingerprint: Fingerprint,
    /// When another took its place.
    pub until: Option<Timestamp>,
}

impl PublicRecipient {
    pub(super) fn new(recipient: Recipient, origin: KeyOrigin) -> Self {
        Self { fingerprint: recipient.fingerprint(), recipient, origin }
    }
}

impl RecoveryRecipient {
    pub(super) fn new(recipient: Recipient) -> Self {
        Self { fingerprint: recipient.fingerprint(), recipient }
    }
}
