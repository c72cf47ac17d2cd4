//! The files under `keys/`: how each is written and read. Each appears whole, by one rename, or stays as it was.
//!
//! Knows texts and files, not what the keys are used for.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::KeysError;
use crate::archive::{Identity, KeyError, PublicKey, Recipient, SigningKey};
use crate::failpoints;
use crate::model::Timestamp;

const IDENTITY: &str = "identity.txt";
const SIGNING: &str = "signing.key";
const OLD_SIGNERS: &str = "old-signers.txt";
const STORAGE: &str = "storage.key";
const RECOVERY_PUBLIC: &str = "recovery.pub";
const RECOVERY: &str = "recovery.txt";
/// What a file is called until it is whole.
const UNFINISHED: &str = ".new";

/// An identity of the installation's own.
#[derive(Clone, Debug)]
pub(super) struct OwnIdentity {
    pub identity: Identity,
    pub since: Option<Timestamp>,
    /// When another took its place; none for the one in use.
    pub until: Option<Timestamp>,
}

/// The key that signs.
#[derive(Clone, Debug)]
pub(super) struct OwnSigner {
    pub key: SigningKey,
    pub since: Option<Timestamp>,
}

/// The public half of a key that signed.
#[derive(Clone, Debug)]
pub(super) struct OldSigner {
    pub key: PublicKey,
    pub until: Option<Timestamp>,
}

/// What the files say, but for the storage key, which stays for life.
pub(super) struct Own {
    /// The one in use first, then older ones.
    pub identities: Vec<OwnIdentity>,
    pub signer: OwnSigner,
    pub old_signers: Vec<OldSigner>,
    pub recovery: Recipient,
}

/// Which files were read: others have another stamp.
pub(super) type Stamp = Vec<Option<(u64, u64, i64, i64)>>;

/// The folder `keys/`.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// Keeps other processes from changing keys while it lives.
pub(super) struct Lock(#[expect(dead_code, reason = "the lock is held while the file is open")] File);

impl Folder {
    /// The folder at `path`, made where it is absent.
    pub fn open(path: &Path) -> Result<Self, KeysError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| io_error(path, source))?;
        Ok(Self(path.to_owned()))
    }

    /// Waits until nobody else changes keys.
    pub fn lock(&self) -> Result<Lock, KeysError> {
        let failed = |source: io::Error| io_error(&self.0, source);
        let file = File::open(&self.0).map_err(failed)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|error| failed(error.into()))?;
        Ok(Lock(file))
    }

    /// Makes the keys of a new installation; those that are there already stay. What an earlier change left
    /// unfinished goes.
    pub fn make(&self) -> Result<(), KeysError> {
        self.remove_unfinished()?;
        let now = Timestamp::now();
        if !self.path(IDENTITY).exists() {
            let own = OwnIdentity { identity: Identity::generate(), since: Some(now), until: None };
            self.write("make", IDENTITY, &identities_text(&[own]))?;
        }
        if !self.path(RECOVERY_PUBLIC).exists() {
            let identity = Identity::generate();
            self.write("make", RECOVERY, &Zeroizing::new(format!("{}\n", *identity.to_secret_text())))?;
            self.write("make", RECOVERY_PUBLIC, &format!("{}\n", identity.recipient()))?;
        }
        if !self.path(SIGNING).exists() {
            self.write(
                "make",
                SIGNING,
                &signer_text(&OwnSigner { key: SigningKey::generate(), since: Some(now) }),
            )?;
        }
        if !self.path(STORAGE).exists() {
            let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
            self.write("make", STORAGE, &Zeroizing::new(format!("{}\n", hex::encode(*bytes))))?;
        }
        Ok(())
    }

    /// Removes what a change that was cut short has left.
    pub fn remove_unfinished(&self) -> Result<(), KeysError> {
        for name in [IDENTITY, SIGNING, OLD_SIGNERS] {
            let path = self.path(&format!("{name}{UNFINISHED}"));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(&path, error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads what can change while the service runs.
    pub fn read(&self) -> Result<Own, KeysError> {
        let path = self.path(IDENTITY);
        let identities = read_identities(&self.text(IDENTITY)?, self.modified(IDENTITY))
            .map_err(|source| damaged(&path, source))?;
        if identities.is_empty() {
            return Err(KeysError::Gone { file: IDENTITY.to_owned() });
        }
        let path = self.path(OLD_SIGNERS);
        let old_signers = match path.exists() {
            true => read_old_signers(&self.text(OLD_SIGNERS)?).map_err(|source| damaged(&path, source))?,
            false => Vec::new(),
        };
        let recovery = self.text(RECOVERY_PUBLIC)?;
        let recovery =
            recovery.trim().parse().map_err(|source| damaged(&self.path(RECOVERY_PUBLIC), source))?;
        Ok(Own { identities, signer: self.signer()?, old_signers, recovery })
    }

    /// Reads the key that seals values at rest.
    pub fn storage(&self) -> Result<Zeroizing<[u8; 32]>, KeysError> {
        hex_bytes(&self.text(STORAGE)?).ok_or(KeysError::NotHex { file: STORAGE.to_owned() })
    }

    /// Whether the secret half of the recovery key has left the folder.
    pub fn is_recovery_taken(&self) -> bool {
        !self.path(RECOVERY).exists()
    }

    /// Replaces the identities.
    pub fn write_identities(&self, identities: &[OwnIdentity]) -> Result<(), KeysError> {
        self.write("change", IDENTITY, &identities_text(identities))
    }

    /// Replaces the signing key.
    pub fn write_signer(&self, signer: &OwnSigner) -> Result<(), KeysError> {
        self.write("change", SIGNING, &signer_text(signer))
    }

    /// Replaces the list of keys that signed.
    pub fn write_old_signers(&self, old: &[OldSigner]) -> Result<(), KeysError> {
        let mut text = String::new();
        for signer in old {
            comment(&mut text, "retired", signer.until);
            let _ = writeln!(text, "{}", signer.key);
        }
        self.write("change", OLD_SIGNERS, &text)
    }

    /// Tells the present files from others.
    pub fn stamp(&self) -> Stamp {
        [IDENTITY, SIGNING, OLD_SIGNERS, RECOVERY_PUBLIC]
            .map(|name| {
                let found = fs::metadata(self.path(name)).ok()?;
                Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
            })
            .to_vec()
    }

    fn signer(&self) -> Result<OwnSigner, KeysError> {
        let path = self.path(SIGNING);
        let text = self.text(SIGNING)?;
        let bytes = hex_bytes(&text).ok_or(KeysError::NotHex { file: SIGNING.to_owned() })?;
        let key = SigningKey::from_bytes(bytes.as_slice()).map_err(|source| damaged(&path, source))?;
        Ok(OwnSigner { key, since: said(&text, "created").or_else(|| self.modified(SIGNING)) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn text(&self, name: &str) -> Result<Zeroizing<String>, KeysError> {
        let path = self.path(name);
        fs::read_to_string(&path).map(Zeroizing::new).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => KeysError::Gone { file: name.to_owned() },
            _ => io_error(&path, error),
        })
    }

    fn modified(&self, name: &str) -> Option<Timestamp> {
        let modified = fs::metadata(self.path(name)).ok()?.modified().ok()?;
        Some(chrono::DateTime::<chrono::Utc>::from(modified).into())
    }

    /// Writes beside the file as part of `step`, then renames: a stop in the middle leaves the old or the new one, whole.
    fn write(&self, step: &str, name: &str, text: &str) -> Result<(), KeysError> {
        let path = self.path(name);
        let unfinished = self.path(&format!("{name}{UNFINISHED}"));
        let write = || -> io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
            self.give_to_owner(&file)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            failpoints::here(&format!("keys:{step}:written:{name}"));
            fs::rename(&unfinished, &path)?;
            File::open(&self.0)?.sync_all()?;
            failpoints::here(&format!("keys:{step}:renamed:{name}"));
            Ok(())
        };
        write().map_err(|source| io_error(&path, source))
    }
}

impl Folder {
    /// Gives a new file to whom the folder belongs: an administrator may change the keys of a service that runs as
    /// somebody else and has to read them.
    fn give_to_owner(&self, file: &File) -> io::Result<()> {
        let (folder, found) = (fs::metadata(&self.0)?, file.metadata()?);
        if (folder.uid(), folder.gid()) == (found.uid(), found.gid()) {
            return Ok(());
        }
        std::os::unix::fs::fchown(file, Some(folder.uid()), Some(folder.gid()))
    }
}

/// The identities of a key file of others, as the setting `encryption.identities` names it.
pub(super) fn read_others(path: &Path) -> Result<Vec<Identity>, KeysError> {
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|source| io_error(path, source))?;
    Identity::parse_file(&text).map_err(|source| damaged(path, source))
}

/// A key file as `age-keygen` writes it, so that other tools read it too.
fn identities_text(identities: &[OwnIdentity]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(256 * identities.len()));
    for own in identities {
        comment(&mut text, "created", own.since);
        comment(&mut text, "retired", own.until);
        let _ = writeln!(text, "# public key: {}", own.identity.recipient());
        let _ = writeln!(text, "{}", *own.identity.to_secret_text());
    }
    text
}

fn read_identities(text: &str, modified: Option<Timestamp>) -> Result<Vec<OwnIdentity>, KeyError> {
    let mut identities = Vec::new();
    let (mut since, mut until) = (None, None);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            since = said(line, "created").or(since);
            until = said(line, "retired").or(until);
            continue;
        }
        // Files of before there was a rotation say nothing: the first one is as old as its file.
        let since = since.take().or_else(|| modified.filter(|_| identities.is_empty()));
        identities.push(OwnIdentity { identity: line.parse()?, since, until: until.take() });
    }
    Ok(identities)
}

fn read_old_signers(text: &str) -> Result<Vec<OldSigner>, KeyError> {
    let mut signers = Vec::new();
    let mut until = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            until = said(line, "retired").or(until);
        } else {
            signers.push(OldSigner { key: line.parse()?, until: until.take() });
        }
    }
    Ok(signers)
}

fn signer_text(signer: &OwnSigner) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(160));
    comment(&mut text, "created", signer.since);
    let _ = writeln!(text, "{}", *Zeroizing::new(hex::encode(*signer.key.to_secret_bytes())));
    text
}

fn comment(text: &mut String, word: &str, moment: Option<Timestamp>) {
    if let Some(moment) = moment {
        let _ = writeln!(text, "# {word}: {moment}");
    }
}

/// The moment that a comment `# word: …` tells.
fn said(text: &str, word: &str) -> Option<Timestamp> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix('#')?.trim().strip_prefix(word)?.strip_prefix(':'))
        .find_map(|moment| Timestamp::parse(moment.trim()))
}

/// The 32 bytes whose hexadecimal digits stand on the first line that is no comment.
fn hex_bytes(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(line, bytes.as_mut_slice()).ok().map(|()| bytes)
}

fn io_error(path: &Path, source: io::Error) -> KeysError {
    KeysError::Io { file: file_name(path), source }
}

fn damaged(path: &Path, source: KeyError) -> KeysError {
    KeysError::Damaged { file: file_name(path), source }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_identities_is_read_back_with_its_times() {
        let moments = ["2026-01-02T03:04:05.678Z", "2026-05-06T07:08:09.123Z"].map(Timestamp::parse);
        let own = |since, until| OwnIdentity { identity: Identity::generate(), since, until };
        let identities = [own(moments[1], None), own(moments[0], moments[1]), own(None, None)];
        let read = read_identities(&identities_text(&identities), Timestamp::parse("2020-01-01T00:00:00Z"));
        for (read, written) in read.unwrap().iter().zip(&identities) {
            assert_eq!(read.identity.fingerprint(), written.identity.fingerprint());
            assert_eq!((read.since, read.until), (written.since, written.until));
        }
        assert!(Identity::parse_file(&identities_text(&identities)).unwrap().len() == 3);
        // One that an earlier version wrote is as old as its file.
        let bare = Identity::generate().to_secret_text();
        assert_eq!(read_identities(&bare, moments[0]).unwrap()[0].since, moments[0]);
        assert!(read_identities("nonsense", None).is_err());
    }
}
