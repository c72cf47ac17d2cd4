//! Passwords: Argon2id hashes in the PHC text form.

use std::sync::OnceLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the hash function refused: {0}")]
pub struct PasswordError(argon2::password_hash::Error);

/// Hashes a password with a random salt. Takes tens of milliseconds: for blocking threads.
///
/// # Errors
/// Where the hash function refuses, as for a password of 4 GiB.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(PasswordError)
}

/// Whether the password has this hash. Takes as long as hashing.
pub(super) fn is_right(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Does the work of a comparison that can't succeed.
pub(super) fn spend_time(password: &str) {
    static NOBODY: OnceLock<Option<String>> = OnceLock::new();
    if let Some(hash) = NOBODY.get_or_init(|| hash_password(&random_password()).ok()) {
        is_right(password, hash);
    }
}

/// A password of 24 letters and digits, about 142 bits.
pub fn random_password() -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..24).map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_has_its_hash() {
        let hash = hash_password("correct horse").unwrap();
        assert!(is_right("correct horse", &hash));
        assert!(!is_right("correct hors", &hash));
        assert!(!is_right("correct horse", "not a hash"));
        assert_ne!(random_password(), random_password());
    }
}
