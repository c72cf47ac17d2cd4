//! Values that must not be readable in the database file: secrets, agents' passwords and key files.
//!
//! XChaCha20-Poly1305 under a key of this installation; the place of a value (tenant, kind, key) is authenticated
//! with it, so that a sealed value moved to another row does not open.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 24;

/// Why a sealed value can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("a sealed value does not open with the storage key of this installation: was `keys/` replaced?")]
    Open,
    #[error("failed to seal a value")]
    Seal,
    #[error("a sealed value is not text")]
    NotText,
}

/// The key that seals values at rest. Never shown by `Debug`.
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Vault")
    }
}

/// Where a sealed value stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// What it is, e.g. `secret`.
    pub kind: &'a str,
    /// Its tenant.
    pub tenant: &'a str,
    /// Its key in the tenant.
    pub key: &'a str,
}

impl Place<'_> {
    fn bytes(self) -> Vec<u8> {
        // A NUL can't occur in a name, so two places never have the same bytes.
        [self.kind, self.tenant, self.key].join("\0").into_bytes()
    }
}

impl Vault {
    /// A vault with this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&Key::from(*key)) }
    }

    /// Seals `value` for its place; twice the same value gives different bytes.
    ///
    /// # Errors
    /// Only where the cipher refuses the length (256 GiB).
    pub fn seal(&self, place: Place<'_>, value: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: value, aad: &place.bytes() })
            .map_err(|_| VaultError::Seal)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Vault::seal`] sealed for this place.
    ///
    /// # Errors
    /// Another key, another place, or damaged bytes.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Open)?;
        self.cipher
            .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: &place.bytes() })
            .map(Zeroizing::new)
            .map_err(|_| VaultError::Open)
    }

    /// [`Vault::open`] for a text.
    ///
    /// # Errors
    /// As [`Vault::open`], and bytes that are not UTF-8.
    pub fn open_text(&self, place: Place<'_>, sealed: &[u8]) -> Result<String, VaultError> {
        let bytes = self.open(place, sealed)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| VaultError::NotText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_opens_at_its_own_place_only(value: Vec<u8>, key in "[a-z]{1,8}", other in "[A-Z]{1,8}") {
            let vault = Vault::new(&[7; 32]);
            let place = Place { kind: "secret", tenant: "t", key: &key };
            let sealed = vault.seal(place, &value).unwrap();
            prop_assert_eq!(&*vault.open(place, &sealed).unwrap(), &value);
            let elsewhere = Place { key: &other, ..place };
            prop_assert!(vault.open(elsewhere, &sealed).is_err());
            prop_assert!(Vault::new(&[8; 32]).open(place, &sealed).is_err());
        }
    }
}
