//! Generations: each is one whole state of the embedded manager in a folder of its own.
//!
//! `current` is a symbolic link to the live one; replacing it by rename is the swap of a restore. A generation
//! that was replaced is kept until the next restore, so that it can be brought back.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use crate::charts::store::{MetricsStore, StoreError};
use crate::database::{Database, DatabaseError};
use crate::failpoints;

use super::schema;

/// The link that names the live generation.
const CURRENT: &str = "current";
/// The file of tables in a generation's folder.
const TABLES: &str = "manager.db";
/// The file of measurements in a generation's folder.
const METRICS: &str = "metrics.db";

/// Why a generation can't be opened or put in place.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    #[error("failed to read or change the folder of generations")]
    Io(#[from] io::Error),
    #[error("failed to open the tables of generation {number}")]
    Open { number: u64, source: DatabaseError },
    #[error("failed to open the measurements of generation {number}")]
    OpenMetrics { number: u64, source: StoreError },
    #[error("`{0}` does not name a generation")]
    Name(PathBuf),
}

/// One whole state of the embedded manager, opened.
#[derive(Clone)]
pub struct Generation {
    /// Its number; a later one has a larger number.
    pub number: u64,
    /// Its tables.
    pub database: Database,
    /// Its measurements.
    pub metrics: MetricsStore,
}

impl Generation {
    /// Closes its files, also for clones; what their logs hold is written back. Never to be called on a thread of the
    /// runtime.
    pub fn close_blocking(self) {
        self.database.close_blocking();
        self.metrics.close_blocking();
    }
}

/// The folder that holds the generations.
#[derive(Clone, Debug)]
pub struct Generations {
    folder: PathBuf,
}

impl Generations {
    /// Uses `folder`, made where absent.
    ///
    /// # Errors
    /// The file system's own.
    pub fn open(folder: &Path) -> Result<Self, GenerationError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The folder of one generation.
    pub fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("generation-{number}"))
    }

    /// The number at `current`; none on a new installation.
    ///
    /// # Errors
    /// A link that names anything else.
    pub fn current(&self) -> Result<Option<u64>, GenerationError> {
        match fs::read_link(self.folder.join(CURRENT)) {
            Ok(target) => number_of(&target).map(Some).ok_or(GenerationError::Name(target)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The numbers of all generations on disk, smallest first.
    ///
    /// # Errors
    /// The file system's own.
    pub fn all(&self) -> Result<Vec<u64>, GenerationError> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            numbers.extend(number_of(Path::new(&entry?.file_name())));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Makes the folder and the empty tables of a new generation, beside the live one.
    ///
    /// # Errors
    /// The file system's and the database's own.
    pub fn create(&self) -> Result<Generation, GenerationError> {
        let number = self.create_folder()?;
        self.load(number)
    }

    /// As [`Generations::create`], with the measurements of another generation. Nobody may write those meanwhile. A copy
    /// that fails leaves nothing behind.
    ///
    /// # Errors
    /// The file system's and the database's own.
    pub fn create_beside(&self, other: &Generation) -> Result<Generation, GenerationError> {
        let number = self.create_folder()?;
        if let Err(source) = other.metrics.copy_blocking(&self.path(number).join(METRICS)) {
            self.remove(number)?;
            return Err(GenerationError::OpenMetrics { number, source });
        }
        self.load(number)
    }

    /// Makes the folder of a new generation with a copy of another's tables, and of its measurements where they are
    /// wanted. What is written meanwhile may be in the one and not in the other. A copy that fails leaves nothing behind.
    ///
    /// # Errors
    /// The file system's and the database's own.
    pub fn create_copy(&self, other: &Generation, with_metrics: bool) -> Result<u64, GenerationError> {
        let number = self.create_folder()?;
        let tables = other.database.copy_blocking(&self.path(number).join(TABLES));
        let copied = tables.map_err(|source| GenerationError::Open { number, source }).and_then(|()| {
            if !with_metrics {
                return Ok(());
            }
            let metrics = other.metrics.copy_blocking(&self.path(number).join(METRICS));
            metrics.map_err(|source| GenerationError::OpenMetrics { number, source })
        });
        if let Err(error) = copied {
            self.remove(number)?;
            return Err(error);
        }
        Ok(number)
    }

    /// Makes the folder of the next generation. Several may be asked for at once.
    fn create_folder(&self) -> Result<u64, GenerationError> {
        loop {
            let number = self.all()?.last().map_or(1, |last| last + 1);
            match fs::DirBuilder::new().mode(0o700).create(self.path(number)) {
                Ok(()) => return Ok(number),
                // Somebody else has taken the number meanwhile.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Opens the tables of a generation.
    ///
    /// # Errors
    /// The database's own.
    pub fn load(&self, number: u64) -> Result<Generation, GenerationError> {
        let path = self.path(number).join(TABLES);
        let database = Database::open(&path, &schema::migrations())
            .map_err(|source| GenerationError::Open { number, source })?;
        let metrics = MetricsStore::open(&self.path(number).join(METRICS))
            .map_err(|source| GenerationError::OpenMetrics { number, source })?;
        Ok(Generation { number, database, metrics })
    }

    /// Makes what a generation's folder holds durable: every file, and the folders.
    ///
    /// # Errors
    /// The file system's own.
    pub fn sync(&self, number: u64) -> Result<(), GenerationError> {
        let folder = self.path(number);
        for entry in fs::read_dir(&folder)? {
            File::open(entry?.path())?.sync_all()?;
        }
        File::open(&folder)?.sync_all()?;
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    /// Lets `current` name this generation, durably. Readers of the link see the old or the new one. Run twice, it
    /// changes nothing.
    ///
    /// # Errors
    /// The file system's own.
    pub fn set_current(&self, number: u64) -> Result<(), GenerationError> {
        let fresh = self.folder.join("current.new");
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        symlink(format!("generation-{number}"), &fresh)?;
        failpoints::here("swap:linked");
        if let Err(error) = fs::rename(&fresh, self.folder.join(CURRENT)) {
            // The failure that is told is the first one.
            let _ = fs::remove_file(&fresh);
            return Err(error.into());
        }
        failpoints::here("swap:renamed");
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    /// Removes a generation. Refuses the live one.
    ///
    /// # Errors
    /// The file system's own; one that is gone already is none.
    pub fn remove(&self, number: u64) -> Result<(), GenerationError> {
        if self.current()? == Some(number) {
            return Err(GenerationError::Name(self.path(number)));
        }
        failpoints::here("generation:removing");
        match fs::remove_dir_all(self.path(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn number_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("generation-")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_generation_is_the_one_the_link_names_and_cannot_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let generations = Generations::open(folder.path()).unwrap();
        assert_eq!(generations.current().unwrap(), None);
        let first = generations.create().unwrap().number;
        let second = generations.create().unwrap().number;
        generations.set_current(first).unwrap();
        generations.set_current(second).unwrap();
        generations.set_current(second).unwrap();
        assert_eq!(generations.current().unwrap(), Some(second));
        assert!(generations.remove(second).is_err());
        generations.remove(first).unwrap();
        generations.remove(first).unwrap();
        assert_eq!(generations.all().unwrap(), [second]);
    }

    #[test]
    fn a_copy_of_measurements_that_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let generations = Generations::open(folder.path()).unwrap();
        let first = generations.create().unwrap();
        let copy = generations.create_beside(&first).unwrap().number;
        assert_eq!(generations.all().unwrap(), [first.number, copy]);
        // Its file is no database any more.
        fs::remove_file(generations.path(first.number).join(METRICS)).unwrap();
        assert!(generations.create_beside(&first).is_err());
        assert_eq!(generations.all().unwrap(), [first.number, copy]);
    }
}
