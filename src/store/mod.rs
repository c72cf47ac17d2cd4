//! Where archives rest. Knows neither what an archive holds nor what a snapshot is.
//!
//! One file per archive, flat, named by a UUID, never by a caller's text. A file appears by one rename, complete and
//! durable, or not at all.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use uuid::Uuid;

use crate::failpoints;
use crate::space::free_bytes;

/// Why the store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("there is no archive `{0}` in the store")]
    NotFound(Uuid),
    #[error("not enough space in `{place}`: {needed_bytes} bytes are needed, {free_bytes} are free")]
    NoSpace { place: &'static str, needed_bytes: u64, free_bytes: u64 },
    #[error("`tmp/` and `archives/` have to be on the same file system")]
    TwoFileSystems,
    #[error("failed to use the store")]
    Io(#[from] io::Error),
}

/// The store on a disk.
#[derive(Clone, Debug)]
pub struct DiskStore {
    archives: PathBuf,
    partial: PathBuf,
}

impl DiskStore {
    /// Uses the folder `archives`, made where absent, and `partial` for files that are being written.
    ///
    /// # Errors
    /// The file system's own; two file systems, between which nothing can be renamed.
    pub fn open(archives: &Path, partial: &Path) -> Result<Self, StoreError> {
        use std::os::unix::fs::MetadataExt;
        for folder in [archives, partial] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        if fs::metadata(archives)?.dev() != fs::metadata(partial)?.dev() {
            return Err(StoreError::TwoFileSystems);
        }
        Ok(Self { archives: archives.to_owned(), partial: partial.to_owned() })
    }

    fn path(&self, file: Uuid) -> PathBuf {
        self.archives.join(format!("{file}.zip"))
    }

    /// A file to write an archive into. Dropped without [`DiskStore::keep`], it is gone.
    ///
    /// # Errors
    /// The file system's own.
    pub fn begin(&self, boot: u64) -> Result<NamedTempFile, StoreError> {
        Ok(tempfile::Builder::new()
            .prefix(&format!("boot{boot}-"))
            .suffix(".partial")
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(&self.partial)?)
    }

    /// Makes a written file the archive of this name: fsync, rename, fsync of the folder. Replaces none.
    ///
    /// # Errors
    /// The file system's own; nothing is left at the name then.
    pub fn keep(&self, written: NamedTempFile, file: Uuid) -> Result<(), StoreError> {
        written.as_file().sync_all()?;
        failpoints::here("store:synced");
        written.persist_noclobber(self.path(file)).map_err(|error| error.error)?;
        failpoints::here("store:renamed");
        if let Err(error) = File::open(&self.archives).and_then(|folder| folder.sync_all()) {
            // Nobody will record it, as nobody knows whether the name would outlive a loss of power.
            let _ = fs::remove_file(self.path(file));
            return Err(error.into());
        }
        Ok(())
    }

    /// Opens an archive. What was opened stays readable after a removal.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and the file system's own.
    pub fn read(&self, file: Uuid) -> Result<File, StoreError> {
        File::open(self.path(file)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::NotFound(file),
            _ => error.into(),
        })
    }

    /// Removes an archive; one that is gone already is no error.
    ///
    /// # Errors
    /// The file system's own.
    pub fn remove(&self, file: Uuid) -> Result<(), StoreError> {
        match fs::remove_file(self.path(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        File::open(&self.archives)?.sync_all()?;
        Ok(())
    }

    /// The names of all archives.
    ///
    /// # Errors
    /// The file system's own.
    pub fn all(&self) -> Result<Vec<Uuid>, StoreError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.archives)? {
            let name = entry?.file_name();
            files.extend(
                name.to_str()
                    .and_then(|name| name.strip_suffix(".zip"))
                    .and_then(|name| Uuid::parse_str(name).ok()),
            );
        }
        Ok(files)
    }

    /// Refuses where less than `needed_bytes` are free, before any byte is written.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] naming the place.
    pub fn require_space(&self, needed_bytes: u64) -> Result<(), StoreError> {
        let free_bytes = free_bytes(&self.archives)?;
        if free_bytes < needed_bytes {
            return Err(StoreError::NoSpace { place: "archives", needed_bytes, free_bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn an_archive_appears_whole_or_not_at_all_and_an_open_one_survives_removal() {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(&folder.path().join("archives"), &folder.path().join("tmp")).unwrap();
        let file = Uuid::now_v7();
        drop(store.begin(1).unwrap());
        let mut partial = store.begin(1).unwrap();
        partial.write_all(b"archive").unwrap();
        assert!(matches!(store.read(file), Err(StoreError::NotFound(_))));
        store.keep(partial, file).unwrap();
        assert_eq!(store.all().unwrap(), [file]);
        let mut open = store.read(file).unwrap();
        store.remove(file).unwrap();
        store.remove(file).unwrap();
        let mut content = String::new();
        open.read_to_string(&mut content).unwrap();
        assert_eq!(content, "archive");
        assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
        assert!(matches!(store.require_space(u64::MAX), Err(StoreError::NoSpace { .. })));
    }
}
