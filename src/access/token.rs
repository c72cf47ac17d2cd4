//! Tokens: `ctok-<id>-<secret>`, the form of Cloudify 7. The secret part is shown once and kept only as a hash.

use serde::Serialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::model::{SystemRole, Timestamp};
use crate::records::TokenRecord;

/// How every token begins.
pub(super) const PREFIX: &str = "ctok-";

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A token in its parts.
pub struct TokenText {
    /// The public part.
    pub id: String,
    secret: Zeroizing<String>,
}

impl TokenText {
    /// A new token: ten characters of id, forty of secret (about 238 bits).
    pub fn random() -> Self {
        let text = |length: usize| -> String {
            (0..length).map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())])).collect()
        };
        Self { id: text(10), secret: Zeroizing::new(text(40)) }
    }

    /// Reads `ctok-<id>-<secret>`; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('-')?;
        let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        (is_plain(id) && is_plain(secret))
            .then(|| Self { id: id.to_owned(), secret: Zeroizing::new(secret.to_owned()) })
    }

    /// The whole token, to be shown once to its owner.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}-{}", self.id, *self.secret)
    }

    /// What is kept of the secret part.
    pub fn secret_sha256(&self) -> String {
        hex::encode(Sha256::digest(self.secret.as_bytes()))
    }

    /// Whether this is the token of the record.
    pub fn is_of(&self, record: &TokenRecord) -> bool {
        // Both sides are hashes: what a comparison's time tells of them is of no use.
        self.id == record.id && self.secret_sha256() == record.secret_sha256
    }
}

/// A token as the API shows it; the value only where it was just made.
#[derive(Debug, Serialize)]
pub struct TokenView {
    /// The public part.
    pub id: String,
    /// Whose it is.
    pub username: String,
    /// The whole token right after it was made, else only its beginning and asterisks.
    pub value: String,
    /// The owner's system role.
    pub role: &'static str,
    /// What it is for.
    pub description: Option<String>,
    /// From when it no longer works.
    pub expiration_date: Option<Timestamp>,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
}

impl TokenView {
    /// The view of a record; `value` where it is just made.
    pub fn new(record: &TokenRecord, role: SystemRole, value: Option<String>) -> Self {
        Self {
            id: record.id.clone(),
            username: record.username.to_string(),
            value: value.unwrap_or_else(|| format!("{PREFIX}{}-********", record.id)),
            role: role.as_str(),
            description: record.description.clone(),
            expiration_date: record.expiration_date,
            last_used: record.last_used,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_its_text_and_has_three_parts() {
        let token = TokenText::random();
        let text = token.reveal();
        assert_eq!(text.split('-').count(), 3);
        let parsed = TokenText::parse(&text).unwrap();
        assert_eq!((parsed.id, parsed.secret.as_str()), (token.id, token.secret.as_str()));
        for malformed in ["", "ctok-", "ctok-a", "ctok-a-", "ctok--b", "ctok-a-b-c", "tok-a-b"] {
            assert!(TokenText::parse(malformed).is_none(), "{malformed}");
        }
    }
}
