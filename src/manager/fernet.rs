//! Values sealed with a passphrase, as Cloudify writes and reads them when secrets leave in a file: Fernet with longer
//! keys (AES-256 in CBC mode, HMAC-SHA256), the key made of the passphrase by PBKDF2.
//!
//! The salt is the same for all of Cloudify, so that two files with one passphrase have one key: for nothing else.

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use hmac::{Hmac, Mac};
use sha2_of_fernet::Sha256;
use zeroize::Zeroizing;

const SALT: &[u8] = b"salt_";
const ROUNDS: u32 = 100_000;
const VERSION: u8 = 0x80;
const IV_BYTES: usize = 16;
const MAC_BYTES: usize = 32;
/// The version, the time, the vector.
const HEADER_BYTES: usize = 1 + 8 + IV_BYTES;

/// The key that a passphrase gives. Never shown by `Debug`.
pub struct Passphrase {
    signing: Zeroizing<[u8; 32]>,
    encryption: Zeroizing<[u8; 32]>,
}

impl Passphrase {
    /// Makes the key, which takes a moment. For blocking threads.
    pub fn new(passphrase: &str) -> Self {
        let mut key = Zeroizing::new([0; 64]);
        pbkdf2::pbkdf2_hmac::<Sha256>(passphrase.as_bytes(), SALT, ROUNDS, key.as_mut());
        let (mut signing, mut encryption) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        signing.copy_from_slice(&key[..32]);
        encryption.copy_from_slice(&key[32..]);
        Self { signing, encryption }
    }

    /// Seals a value; twice the same gives different texts.
    pub fn seal(&self, value: &str) -> String {
        let vector: [u8; IV_BYTES] = rand::random();
        let now = u64::try_from(chrono::Utc::now().timestamp()).unwrap_or(0);
        let mut token = vec![VERSION];
        token.extend(now.to_be_bytes());
        token.extend(vector);
        let cipher = cbc::Encryptor::<Aes256>::new((&*self.encryption).into(), &vector.into());
        token.extend(cipher.encrypt_padded_vec_mut::<Pkcs7>(value.as_bytes()));
        let mut mac = self.mac();
        mac.update(&token);
        token.extend(mac.finalize().into_bytes());
        URL_SAFE.encode(token)
    }

    /// Opens what was sealed with the same passphrase; none where it was another one, or is damaged.
    pub fn open(&self, sealed: &str) -> Option<Zeroizing<String>> {
        let token = URL_SAFE.decode(sealed.trim()).ok()?;
        if token.len() < HEADER_BYTES + MAC_BYTES || token[0] != VERSION {
            return None;
        }
        let (signed, code) = token.split_at(token.len() - MAC_BYTES);
        let mut mac = self.mac();
        mac.update(signed);
        mac.verify_slice(code).ok()?;
        let vector: [u8; IV_BYTES] = signed[9..HEADER_BYTES].try_into().ok()?;
        let cipher = cbc::Decryptor::<Aes256>::new((&*self.encryption).into(), &vector.into());
        let value = cipher.decrypt_padded_vec_mut::<Pkcs7>(&signed[HEADER_BYTES..]).ok()?;
        String::from_utf8(value).ok().map(Zeroizing::new)
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&*self.signing).expect("a key of HMAC may have any length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by cloudify-common 7.0.5 with `encrypt("öffne dich", generate_key_using_password("lamp oil"))`.
    const OF_CLOUDIFY: &str = "gAAAAABrBkXeP2JeRHoW2fuC3WLKpM8_8AD0Hsvtyt5q450FPM1svRoCmtXPUAKF8nM_uNMKcRWx-sfuCzbTBE_TcUvXS379Tg==";

    #[test]
    fn what_cloudify_sealed_opens_and_another_passphrase_does_not() {
        let passphrase = Passphrase::new("lamp oil");
        assert_eq!(passphrase.open(OF_CLOUDIFY).as_deref().map(String::as_str), Some("öffne dich"));
        let sealed = passphrase.seal("öffne dich");
        assert_eq!(passphrase.open(&sealed).as_deref().map(String::as_str), Some("öffne dich"));
        assert_ne!(sealed, passphrase.seal("öffne dich"));
        assert!(Passphrase::new("lamp").open(&sealed).is_none());
        // A changed vector changes the value and not its padding: only the code sees it.
        let mut changed = URL_SAFE.decode(&sealed).unwrap();
        changed[10] ^= 1;
        assert!(passphrase.open(&URL_SAFE.encode(changed)).is_none());
        for damaged in ["", "gA==", &sealed[..sealed.len() - 8], "no base64 at all!"] {
            assert!(passphrase.open(damaged).is_none(), "{damaged}");
        }
    }
}
