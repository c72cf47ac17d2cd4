//! Keys: age identities and recipients for sealing, Ed25519 for signing.
//!
//! A secret half never shows in `Debug`, `Display` or an error; only methods
//! named for it give it out, in memory that is wiped. Where keys rest is the
//! caller's affair.

use std::fmt;
use std::str::FromStr;

use age::secrecy::ExposeSecret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use super::digest::Digest;

/// Before the base64 of a public signing key.
const PUBLIC_KEY_PREFIX: &str = "ed25519:";

/// Why a text or bytes are no key. Never shows what was given where that may be secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    #[error("not an age identity: expected a text that begins with `AGE-SECRET-KEY-1`")]
    Identity,
    #[error("`{0}` is not an age recipient: expected a text that begins with `age1`")]
    Recipient(String),
    #[error("a signing key has 32 bytes, not {0}")]
    SigningKeyLength(usize),
    #[error("`{0}` is not a public key: expected `ed25519:` and 43 characters of base64")]
    PublicKey(String),
}

/// Names a key without giving it away: 32 hexadecimal digits of the hash of its public text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    fn of(public_text: &str) -> Self {
        Self(hex::encode(&Digest::of(public_text.as_bytes()).0[..16]))
    }

    /// Reads the 32 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then(|| Self(text.to_owned()))
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The secret key that opens what was sealed for its [`Recipient`].
#[derive(Clone)]
pub struct Identity(pub(super) age::x25519::Identity);

impl Identity {
    /// Makes a new one from the system's randomness.
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// The public half.
    pub fn recipient(&self) -> Recipient {
        Recipient(self.0.to_public())
    }

    /// The fingerprint of the public half.
    pub fn fingerprint(&self) -> Fingerprint {
        self.recipient().fingerprint()
    }

    /// The secret text, `AGE-SECRET-KEY-1…`, for a key file or a person to keep.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string().expose_secret().to_owned())
    }

    /// Reads the identities of a key file: one a line, `#` begins a comment.
    pub fn parse_file(text: &str) -> Result<Vec<Self>, KeyError> {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::parse)
            .collect()
    }
}

impl FromStr for Identity {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        text.trim().parse().map(Self).map_err(|_| KeyError::Identity)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Identity({})", self.fingerprint())
    }
}

/// A public key to seal for; `age1…` as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipient(pub(super) age::x25519::Recipient);

impl Recipient {
    /// The name under which `metadata.json` lists it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.to_string())
    }
}

impl FromStr for Recipient {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        text.trim().parse().map(Self).map_err(|_| {
            // Somebody may have pasted the secret half: show nothing of that.
            let is_public = text.trim().starts_with("age1");
            KeyError::Recipient(if is_public { super::error::shown(text) } else { "…".into() })
        })
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Recipient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The secret key that signs manifests.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Makes a new one from the system's randomness.
    pub fn generate() -> Self {
        let seed = Zeroizing::new(rand::random::<[u8; 32]>());
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// Loads one from the 32 bytes of [`SigningKey::to_secret_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let seed = <&[u8; 32]>::try_from(bytes).map_err(|_| KeyError::SigningKeyLength(bytes.len()))?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(seed)))
    }

    /// The 32 secret bytes, for a key file.
    pub fn to_secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half, by which signatures are checked.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.public_key())
    }
}

/// The public half of a [`SigningKey`]; `ed25519:` and base64 as text.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// A short name for people to compare.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.to_string())
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        text.strip_prefix(PUBLIC_KEY_PREFIX)
            .and_then(|encoded| URL_SAFE_NO_PAD.decode(encoded).ok())
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .and_then(|bytes| ed25519_dalek::VerifyingKey::from_bytes(&bytes).ok())
            .map(Self)
            .ok_or_else(|| KeyError::PublicKey(super::error::shown(text)))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PUBLIC_KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({self})")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_keys_are_read_back() {
        let identity = Identity::generate();
        let again: Identity = identity.to_secret_text().parse().unwrap();
        assert_eq!(identity.recipient(), again.recipient());
        let recipient: Recipient = identity.recipient().to_string().parse().unwrap();
        assert_eq!(recipient, identity.recipient());

        let key = SigningKey::generate();
        let again = SigningKey::from_bytes(&*key.to_secret_bytes()).unwrap();
        assert_eq!(key.public_key(), again.public_key());
        let public: PublicKey = key.public_key().to_string().parse().unwrap();
        assert_eq!(public, key.public_key());
        assert_eq!(SigningKey::from_bytes(&[0; 31]).unwrap_err(), KeyError::SigningKeyLength(31));
    }

    #[test]
    fn a_key_file_holds_identities_and_comments() {
        let one = Identity::generate();
        let text = format!("# made today\n\n{}\n", *one.to_secret_text());
        let identities = Identity::parse_file(&text).unwrap();
        assert_eq!(identities.len(), 1);
        assert_eq!(identities[0].fingerprint(), one.fingerprint());
        assert!(Identity::parse_file("nonsense").is_err());
    }

    #[test]
    fn no_secret_shows_in_debug_or_errors() {
        let identity = Identity::generate();
        let secret = identity.to_secret_text();
        assert!(!format!("{identity:?}").contains(&secret[16..]));
        let error = secret.parse::<Recipient>().unwrap_err();
        assert!(!error.to_string().contains(&secret[16..40]), "{error}");
        let error = secret[..60].parse::<Identity>().unwrap_err();
        assert!(!error.to_string().contains(&secret[20..40]), "{error}");

        let key = SigningKey::generate();
        let shown = format!("{key:?}");
        assert!(!shown.contains(&hex::encode(*key.to_secret_bytes())));
        assert!(!shown.contains(&URL_SAFE_NO_PAD.encode(*key.to_secret_bytes())));
    }
}
