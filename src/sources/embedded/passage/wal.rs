//! The logs of the databases that a cut holds: while a moment is read, nothing that is written after it leaves them.

use std::io;

use crate::causes::chain;
use crate::database::Database;
use crate::space::free_bytes;

/// The limit where none is set, unless a tenth of the free space is less …
const MOST_BYTES: u64 = 1 << 30;
const SHARE_OF_SPACE: u64 = 10;
/// … but so much they have while nobody reads.
const LEAST_BYTES: u64 = 16 << 20;

/// How long the databases' logs may grow, all together, while a moment of the manager is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct WalLimit(Option<u64>);

impl WalLimit {
    /// A limit in bytes; where none is set, 1 GiB or a tenth of the free space, whichever is less, but at least 16 MiB.
    pub fn new(bytes: Option<u64>) -> Self {
        Self(bytes)
    }
}

/// The logs, and how long they may be.
pub(in super::super) struct Wal {
    databases: Vec<Database>,
    limit_bytes: u64,
}

impl Wal {
    /// The logs of these databases, which are on one file system.
    ///
    /// # Errors
    /// The file system's own.
    pub fn new(databases: Vec<Database>, limit: WalLimit) -> io::Result<Self> {
        let limit_bytes = match (limit.0, databases.first()) {
            (Some(bytes), _) => bytes,
            (None, Some(database)) => {
                (free_bytes(database.path())? / SHARE_OF_SPACE).clamp(LEAST_BYTES, MOST_BYTES)
            }
            (None, None) => MOST_BYTES,
        };
        Ok(Self { databases, limit_bytes })
    }

    /// How long they may be.
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Whether they are longer than they may be. Cheap: it asks for the lengths of files.
    pub fn is_full(&self) -> bool {
        let length = |database: &Database| database.log_path().metadata().map_or(0, |found| found.len());
        self.databases.iter().map(length).sum::<u64>() > self.limit_bytes
    }

    /// Shortens them to nothing. Where somebody else reads an earlier moment, who ends last does it.
    pub fn empty(&self) {
        for database in &self.databases {
            match database.empty_log_blocking() {
                Ok(true) => {}
                Ok(false) => tracing::debug!("a database's log is still read, and was not shortened"),
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(error = %error, "a database's log could not be shortened; a later write does it: {error}");
                }
            }
        }
    }
}
