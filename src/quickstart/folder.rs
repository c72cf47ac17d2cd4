//! Where a tour keeps its files: a temporary folder that goes, or `lifeboat-quickstart` here, which stays.
//!
//! A folder that a quickstart made has a marker in it, locked while the quickstart runs. Any other folder of that
//! name is left alone.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use crate::cli::CliError;

/// The folder that stays, in the current one.
const KEPT: &str = "lifeboat-quickstart";
/// Says in a folder that a quickstart made it.
const MARKER: &str = "made-by-lifeboat-quickstart";

/// A folder for one tour.
pub(super) enum Folder {
    /// Goes with its content.
    Temporary(TempDir),
    /// Stays; the marker is locked as long as this lives.
    Kept { path: PathBuf, _marker: File },
}

impl Folder {
    /// Makes a folder that goes.
    pub(super) fn temporary() -> Result<Self, CliError> {
        tempfile::Builder::new()
            .prefix("lifeboat-quickstart-")
            .tempdir()
            .map(Self::Temporary)
            .map_err(|error| CliError::from_error("make a temporary folder", &error))
    }

    /// Makes the folder that stays, in the current folder; empties it where an earlier quickstart left it.
    pub(super) fn kept() -> Result<Self, CliError> {
        Self::kept_at(Path::new(KEPT))
    }

    fn kept_at(path: &Path) -> Result<Self, CliError> {
        let doing = format!("make the folder `{}`", path.display());
        let failed = |error: io::Error| CliError::from_error(&doing, &error);
        let marker_path = path.join(MARKER);
        fs::create_dir_all(path).map_err(failed)?;
        let is_empty = fs::read_dir(path).map_err(failed)?.next().is_none();
        if !is_empty && !marker_path.is_file() {
            let reason = "it is there and no quickstart made it; move it away, or run this in another folder";
            return Err(CliError::failed(&doing, reason));
        }
        let options = || File::options().create(true).truncate(false).write(true).open(&marker_path);
        let marker = options().map_err(failed)?;
        flock(&marker, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| CliError::failed(&doing, "another quickstart uses it; stop that one first"))?;
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            if entry.file_name() == MARKER {
                continue;
            }
            if kind.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) }
                .map_err(failed)?;
        }
        Ok(Self::Kept { path: path.to_owned(), _marker: marker })
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept { path, .. } => path,
        }
    }

    /// Takes a temporary folder away, and says where that failed.
    pub(super) fn close(self) -> Result<(), CliError> {
        match self {
            Self::Temporary(folder) => {
                folder.close().map_err(|error| CliError::from_error("remove the temporary folder", &error))
            }
            Self::Kept { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_of_an_earlier_quickstart_is_emptied() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("kept");
        let first = Folder::kept_at(&path).unwrap();
        fs::create_dir(path.join("first")).unwrap();
        let error = Folder::kept_at(&path).err().unwrap().to_string();
        assert!(error.contains("another quickstart"), "{error}");
        assert!(path.join("first").exists(), "a folder in use was emptied");
        drop(first);
        Folder::kept_at(&path).unwrap();
        assert!(!path.join("first").exists());

        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("letter.txt"), "mine").unwrap();
        let error = Folder::kept_at(&other).err().unwrap().to_string();
        assert!(error.contains("no quickstart made it"), "{error}");
        assert_eq!(fs::read_to_string(other.join("letter.txt")).unwrap(), "mine");
    }
}
