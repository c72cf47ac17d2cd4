//! The keys of an installation, in files of mode 0600 under `keys/`. Their text is never logged.
//!
//! `identity.txt` opens what archives seal (age, X25519; the one in use first, then older ones), `signing.key` signs
//! archives (Ed25519, 32 bytes in hex), `old-signers.txt` names the keys that signed before, `storage.key` seals values
//! at rest (32 bytes in hex), `recovery.txt` is the secret half of the recovery key until somebody takes it away;
//! `recovery.pub` stays.

mod files;
mod needed;
mod public;
mod ring;

use std::io;

use zeroize::Zeroizing;

use crate::archive::{Identity, KeyError, PublicKey, Recipient, SigningKey};

pub use needed::needs;
pub use public::{
    KeyOrigin, OldPublicSigner, PublicIdentity, PublicKeys, PublicRecipient, PublicSigner, RecoveryRecipient,
};
pub use ring::{KeyRing, Removed, Rotated};

/// Why the keys can't be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("failed to read or write the key file `{file}`")]
    Io { file: String, source: io::Error },
    #[error(
        "the key file `{file}` is damaged: bring it back from your copy, or archives sealed for it stay shut"
    )]
    Damaged { file: String, source: KeyError },
    #[error("the key file `{file}` does not hold 32 bytes in hex")]
    NotHex { file: String },
    #[error("the data folder holds records but the key file `{file}` is gone: bring it back from your copy")]
    Gone { file: String },
    #[error("there is no key with the fingerprint `{0}` here")]
    Unknown(String),
    #[error("the key `{0}` is in use: rotate first, then remove it")]
    InUse(String),
    #[error("the key `{0}` is named by the setting `encryption.identities`: take its file out of there")]
    OfSettings(String),
}

/// The keys of an installation at one moment.
pub struct Keys {
    /// Opens sealed parts: the own identity in use first, then older ones, then those of the settings.
    pub identities: Vec<Identity>,
    /// Sealed parts are sealed for these: the own key, the recovery key, those of the settings.
    pub recipients: Vec<Recipient>,
    /// Signs archives.
    pub signing: SigningKey,
    /// The public halves of all of them.
    pub public: PublicKeys,
}

impl Keys {
    /// Whether this installation signs, or signed, with the key.
    pub fn is_own_signer(&self, key: &PublicKey) -> bool {
        self.public.signer.public_key == *key
            || self.public.old_signers.iter().any(|old| old.public_key == *key)
    }

    /// The recipients with `further` ones, each once.
    pub fn recipients_with(&self, further: &[Recipient]) -> Vec<Recipient> {
        let mut all: Vec<Recipient> = Vec::new();
        for recipient in self.recipients.iter().chain(further) {
            if !all.contains(recipient) {
                all.push(recipient.clone());
            }
        }
        all
    }
}

/// The key that seals values at rest. It never leaves the data folder and is no part of any archive, so it is not
/// rotated: who could read it could read the values beside it.
pub type StorageKey = Zeroizing<[u8; 32]>;
