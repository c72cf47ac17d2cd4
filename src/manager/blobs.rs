//! Content-addressed files: archives of blueprints and plugins, named by the SHA-256 of their content.
//!
//! A blob never changes. It is on disk, and its folder too, before anybody learns its name. Removal goes through
//! `trash/`, and never takes what a running job has pinned.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::failpoints;
use crate::model::BlobId;

const CHUNK_BYTES: usize = 256 * 1024;

/// The folder of blobs. Clones share the pins.
#[derive(Clone, Debug)]
pub struct Blobs {
    folder: PathBuf,
    partial: PathBuf,
    pins: Arc<Mutex<HashMap<BlobId, usize>>>,
}

/// Keeps a blob from being removed while it lives.
#[derive(Debug)]
pub struct Pin {
    blob: BlobId,
    pins: Arc<Mutex<HashMap<BlobId, usize>>>,
}

impl Pin {
    /// The blob that is kept.
    pub fn blob(&self) -> &BlobId {
        &self.blob
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = pins.get_mut(&self.blob) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.blob);
            }
        }
    }
}

/// A blob that was just stored.
#[derive(Debug)]
pub struct StoredBlob {
    /// Keeps it until the row that names it is committed.
    pub pin: Pin,
    /// Its length in bytes.
    pub size_bytes: u64,
}

impl Blobs {
    /// Uses `folder` (made, with its `trash/`, where absent) and `partial` for files that are being written, which
    /// has to be on the same file system.
    ///
    /// # Errors
    /// The file system's own.
    pub fn open(folder: &Path, partial: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join("trash"))?;
        Ok(Self { folder: folder.to_owned(), partial: partial.to_owned(), pins: Arc::default() })
    }

    /// The folder for files that are being written; what is made there can be adopted.
    pub fn partial_folder(&self) -> &Path {
        &self.partial
    }

    fn path(&self, blob: &BlobId) -> PathBuf {
        self.folder.join(blob.as_str())
    }

    /// Streams `content` into a blob; the same content twice is one blob. What is answered is durable and pinned.
    ///
    /// # Errors
    /// The reader's and the file system's own; nothing is left behind then.
    pub fn put(&self, content: &mut dyn Read) -> io::Result<StoredBlob> {
        let mut file = tempfile::NamedTempFile::new_in(&self.partial)?;
        let (digest, size_bytes) = hash(content, &mut file)?;
        self.keep(file, &digest, size_bytes)
    }

    /// Takes a file that was written under the partial folder.
    ///
    /// # Errors
    /// The file system's own.
    pub fn adopt(&self, mut file: tempfile::NamedTempFile) -> io::Result<StoredBlob> {
        file.as_file_mut().seek(SeekFrom::Start(0))?;
        let (digest, size_bytes) = hash(file.as_file_mut(), &mut io::sink())?;
        self.keep(file, &digest, size_bytes)
    }

    fn keep(
        &self,
        file: tempfile::NamedTempFile,
        digest: &[u8; 32],
        size_bytes: u64,
    ) -> io::Result<StoredBlob> {
        let blob = BlobId::from_digest(digest);
        let pin = self.pin(blob.clone());
        let path = self.path(&blob);
        if !path.exists() {
            file.as_file().sync_all()?;
            failpoints::here("blob:synced");
            file.persist(&path).map_err(|error| error.error)?;
            failpoints::here("blob:renamed");
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(StoredBlob { pin, size_bytes })
    }

    /// Keeps `blob` from being removed until the pin is dropped.
    pub fn pin(&self, blob: BlobId) -> Pin {
        *self.pins.lock().unwrap_or_else(PoisonError::into_inner).entry(blob.clone()).or_default() += 1;
        Pin { blob, pins: Arc::clone(&self.pins) }
    }

    /// Opens a blob for reading.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    pub fn read(&self, blob: &BlobId) -> io::Result<File> {
        File::open(self.path(blob))
    }

    /// Moves every blob that is neither in `roots` nor pinned to the trash, and empties the trash of what has lain
    /// there longer than `grace`. Answers how many were moved. Run twice, it does nothing the second time.
    ///
    /// # Errors
    /// The file system's own.
    pub fn collect_garbage(&self, roots: &HashSet<BlobId>, grace: Duration) -> io::Result<usize> {
        let trash = self.folder.join("trash");
        let mut moved = 0;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Some(blob) = entry.file_name().to_str().and_then(BlobId::parse) else { continue };
            // Under the lock, so that nobody pins it between the look and the move.
            let pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
            if roots.contains(&blob) || pins.contains_key(&blob) {
                continue;
            }
            let target = trash.join(blob.as_str());
            fs::rename(entry.path(), &target)?;
            failpoints::here("garbage:moved");
            File::open(&target)?.set_modified(SystemTime::now())?;
            moved += 1;
        }
        for entry in fs::read_dir(&trash)? {
            let entry = entry?;
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            if age >= grace {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(moved)
    }
}

/// Hashes `content` while it is copied to `copy`; answers the SHA-256 and the length in bytes.
fn hash(content: &mut dyn Read, copy: &mut dyn Write) -> io::Result<([u8; 32], u64)> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut size_bytes = 0;
    loop {
        let length = match content.read(&mut chunk) {
            Ok(0) => return Ok((hash.finalize().into(), size_bytes)),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&chunk[..length]);
        copy.write_all(&chunk[..length])?;
        size_bytes += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_what_nobody_names_or_pins() {
        let folder = tempfile::tempdir().unwrap();
        let partial = folder.path().join("tmp");
        fs::create_dir(&partial).unwrap();
        let blobs = Blobs::open(&folder.path().join("blobs"), &partial).unwrap();
        let named = blobs.put(&mut &b"named"[..]).unwrap().pin.blob().clone();
        let pinned = blobs.put(&mut &b"pinned"[..]).unwrap();
        let lost = blobs.put(&mut &b"lost"[..]).unwrap().pin.blob().clone();
        let again = blobs.put(&mut &b"named"[..]).unwrap();
        assert_eq!(again.pin.blob(), &named);
        drop(again);
        let moved = blobs.collect_garbage(&HashSet::from([named.clone()]), Duration::ZERO).unwrap();
        assert_eq!(moved, 1);
        assert!(blobs.read(&named).is_ok() && blobs.read(pinned.pin.blob()).is_ok());
        assert!(blobs.read(&lost).is_err());
        assert_eq!(fs::read_dir(&partial).unwrap().count(), 0);
    }
}
