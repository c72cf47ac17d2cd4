//! Ids as their own types, each with the rule that makes it valid.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest id or name that is accepted, in characters (Cloudify 4.6 and later).
const MAX_ID_CHARACTERS: usize = 256;

/// Why a text can't be an id. The messages are Cloudify's own (`bad_parameters_error`, 4.6 and later).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("The `{0}` argument is empty.")]
    Empty(&'static str),
    #[error("The `{0}` argument is too long. Maximum allowed length is 256 characters.")]
    TooLong(&'static str),
    #[error(
        "The `{0}` argument contains illegal characters. Only letters, digits and the characters \"-\", \".\", \"_\" and \"~\" are allowed."
    )]
    IllegalCharacters(&'static str),
    #[error("The `{0}` argument must begin with a letter.")]
    FirstNotALetter(&'static str),
    #[error("The `{0}` argument must begin with a letter or a digit.")]
    FirstNotALetterOrDigit(&'static str),
    #[error("`{0}` is not an id of this kind: it has to be a UUID")]
    NotAUuid(String),
}

/// Which first characters a rule allows.
#[derive(Clone, Copy)]
enum First {
    Letter,
    LetterOrDigit,
}

fn check(argument: &'static str, text: &str, first: First) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty(argument));
    }
    if text.chars().count() > MAX_ID_CHARACTERS {
        return Err(IdError::TooLong(argument));
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)) {
        return Err(IdError::IllegalCharacters(argument));
    }
    match (first, text.chars().next()) {
        (First::Letter, Some(c)) if !c.is_ascii_alphabetic() => Err(IdError::FirstNotALetter(argument)),
        (First::LetterOrDigit, Some(c)) if !c.is_ascii_alphanumeric() => {
            Err(IdError::FirstNotALetterOrDigit(argument))
        }
        _ => Ok(()),
    }
}

macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes a text that a table or an archive of ours holds already, without judging it again.
            pub fn trusted(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// The id that a caller gives a manager snapshot; unique in its tenant. Never the name of a file.
    SnapshotId
}
text_id! {
    /// The id that a caller gives a blueprint, a deployment or another entity of the manager.
    EntityId
}
text_id! {
    /// The name of a tenant.
    TenantName
}
text_id! {
    /// The name of a user; may be an e-mail address.
    UserName
}

impl SnapshotId {
    /// Judges an id for a create: 1–256 of letters, digits, `-._~`, a letter first.
    pub fn for_create(text: &str) -> Result<Self, IdError> {
        check("snapshot_id", text, First::Letter).map(|()| Self(text.to_owned()))
    }

    /// Judges an id for an upload: as for a create, but it may begin with a digit.
    pub fn for_upload(text: &str) -> Result<Self, IdError> {
        check("snapshot_id", text, First::LetterOrDigit).map(|()| Self(text.to_owned()))
    }
}

impl EntityId {
    /// Judges the id of a new entity: 1–256 of letters, digits, `-._~`, a letter first. `argument` is the
    /// word for it in the message, e.g. `blueprint_id`.
    pub fn parse(argument: &'static str, text: &str) -> Result<Self, IdError> {
        check(argument, text, First::Letter).map(|()| Self(text.to_owned()))
    }

    /// Judges the id of a new deployment: as another entity's, but it may begin with a digit, as the UUID does that a
    /// client makes for who has no id in mind.
    pub fn of_deployment(text: &str) -> Result<Self, IdError> {
        check("deployment_id", text, First::LetterOrDigit).map(|()| Self(text.to_owned()))
    }
}

impl TenantName {
    /// The tenant that every manager has and that a request without a `Tenant` header means.
    pub const DEFAULT: &'static str = "default_tenant";

    /// Judges the name of a new tenant: as the id of an entity.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check("tenant_name", text, First::Letter).map(|()| Self(text.to_owned()))
    }

    /// The tenant `default_tenant`.
    pub fn default_tenant() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl UserName {
    /// The user that every installation has.
    pub const ADMIN: &'static str = "admin";

    /// Judges a new user's name: a letter first, then letters, digits and `-._~@+`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let plain: String = text.chars().map(|c| if matches!(c, '@' | '+') { '-' } else { c }).collect();
        check("username", &plain, First::Letter).map(|()| Self(text.to_owned()))
    }
}

/// The id of an execution, a UUID as Cloudify's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionId(pub Uuid);

impl ExecutionId {
    /// A new id; ids made later in one process sort later (UUID version 7, RFC 9562).
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for ExecutionId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for ExecutionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::parse_str(text).map(Self).map_err(|_| IdError::NotAUuid(text.to_owned()))
    }
}

/// The name of a blob: the SHA-256 of its content in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobId(String);

impl BlobId {
    /// Names the content with this SHA-256.
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        Self(hex::encode(digest))
    }

    /// Takes 64 lower-case hex digits; anything else is `None`, so that no text becomes a path.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digest =
            text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        is_digest.then(|| Self(text.to_owned()))
    }

    /// The id as hex.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_ids_follow_the_rule_of_their_call() {
        assert!(SnapshotId::for_create("nightly-2026.11~1_a").is_ok());
        assert_eq!(SnapshotId::for_create("0"), Err(IdError::FirstNotALetter("snapshot_id")));
        assert!(SnapshotId::for_upload("0").is_ok());
        assert_eq!(SnapshotId::for_upload("-a"), Err(IdError::FirstNotALetterOrDigit("snapshot_id")));
        for hostile in ["a b", "../x", "a/b", "a%2e", "ä", "a\0", "a\n"] {
            assert_eq!(
                SnapshotId::for_create(hostile),
                Err(IdError::IllegalCharacters("snapshot_id")),
                "{hostile:?}"
            );
        }
        assert_eq!(SnapshotId::for_create(""), Err(IdError::Empty("snapshot_id")));
        assert!(SnapshotId::for_create(&"a".repeat(256)).is_ok());
        assert_eq!(SnapshotId::for_create(&"a".repeat(257)), Err(IdError::TooLong("snapshot_id")));
    }

    #[test]
    fn a_user_may_be_named_by_an_e_mail_address() {
        assert!(UserName::parse("ann+ops@example.org").is_ok());
        assert!(UserName::parse("1ann").is_err());
        assert!(UserName::parse("ann:x").is_err());
    }

    #[test]
    fn only_a_digest_names_a_blob() {
        assert!(BlobId::parse(&"0a".repeat(32)).is_some());
        assert!(BlobId::parse(&"0A".repeat(32)).is_none());
        assert!(BlobId::parse("../../etc/passwd").is_none());
    }
}
