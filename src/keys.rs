//! The keys of an installation, in files of mode 0600 under `keys/`. Their text is never logged.
//!
//! `identity.txt` opens what archives seal (age, X25519), `signing.key` signs archives (Ed25519, 32 bytes in hex),
//! `storage.key` seals values at rest (32 bytes in hex), `recovery.txt` is the secret half of the recovery key until
//! somebody takes it away; `recovery.pub` stays.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::archive::{Identity, KeyError, Recipient, SigningKey};

/// Why the keys can't be used.
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
}

/// The keys of an installation.
pub struct Keys {
    /// Opens sealed parts: the own identity first, then those of the settings.
    pub identities: Vec<Identity>,
    /// Sealed parts are sealed for these: the own key, the recovery key, those of the settings.
    pub recipients: Vec<Recipient>,
    /// Signs archives.
    pub signing: SigningKey,
    /// Seals values at rest.
    pub storage: Zeroizing<[u8; 32]>,
}

impl Keys {
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
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| io_error(folder, source))?;
        let own = open_own(&folder.join("identity.txt"), is_new)?;
        let recovery = open_recovery(folder, is_new)?;
        let mut all_recipients = vec![own.recipient(), recovery];
        all_recipients.extend(recipients.iter().cloned());
        let mut identities = vec![own];
        for file in identity_files {
            let text = read(file)?;
            identities.extend(Identity::parse_file(&text).map_err(|source| damaged(file, source))?);
        }
        let signing = secret_bytes(&folder.join("signing.key"), is_new)?;
        let signing = SigningKey::from_bytes(signing.as_slice())
            .map_err(|source| damaged(&folder.join("signing.key"), source))?;
        let storage = secret_bytes(&folder.join("storage.key"), is_new)?;
        Ok(Self { identities, recipients: all_recipients, signing, storage })
    }
}

fn open_own(path: &Path, is_new: bool) -> Result<Identity, KeysError> {
    if !path.exists() {
        require_new(path, is_new)?;
        write_secret(path, &Identity::generate().to_secret_text())?;
    }
    let text = read(path)?;
    let mut identities = Identity::parse_file(&text).map_err(|source| damaged(path, source))?;
    if identities.is_empty() {
        return Err(KeysError::Gone { file: file_name(path) });
    }
    Ok(identities.remove(0))
}

/// The recovery key's public half; both halves are made where the installation is new.
fn open_recovery(folder: &Path, is_new: bool) -> Result<Recipient, KeysError> {
    let public = folder.join("recovery.pub");
    if !public.exists() {
        require_new(&public, is_new)?;
        let identity = Identity::generate();
        write_secret(&folder.join("recovery.txt"), &identity.to_secret_text())?;
        write_secret(&public, &identity.recipient().to_string())?;
    }
    read(&public)?.trim().parse().map_err(|source| damaged(&public, source))
}

fn secret_bytes(path: &Path, is_new: bool) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    if !path.exists() {
        require_new(path, is_new)?;
        let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
        write_secret(path, &Zeroizing::new(hex::encode(*bytes)))?;
    }
    let text = read(path)?;
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), bytes.as_mut_slice())
        .map_err(|_| KeysError::NotHex { file: file_name(path) })?;
    Ok(bytes)
}

fn require_new(path: &Path, is_new: bool) -> Result<(), KeysError> {
    if is_new { Ok(()) } else { Err(KeysError::Gone { file: file_name(path) }) }
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeysError> {
    fs::read_to_string(path).map(Zeroizing::new).map_err(|source| io_error(path, source))
}

fn write_secret(path: &Path, text: &str) -> Result<(), KeysError> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        if let Some(folder) = path.parent() {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|source| io_error(path, source))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn io_error(path: &Path, source: io::Error) -> KeysError {
    KeysError::Io { file: file_name(path), source }
}

fn damaged(path: &Path, source: KeyError) -> KeysError {
    KeysError::Damaged { file: file_name(path), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_missed_when_gone() {
        let folder = tempfile::tempdir().unwrap();
        let open = |is_new| Keys::open(folder.path(), is_new, &[], &[]);
        assert!(matches!(open(false), Err(KeysError::Gone { .. })));
        let first = open(true).unwrap();
        let second = open(false).unwrap();
        assert_eq!(*first.storage, *second.storage);
        assert_eq!(first.signing.public_key().to_string(), second.signing.public_key().to_string());
        assert_eq!(first.recipients.len(), 2);
        for entry in fs::read_dir(folder.path()).unwrap() {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::remove_file(folder.path().join("storage.key")).unwrap();
        assert!(matches!(open(false), Err(KeysError::Gone { .. })));
    }
}
