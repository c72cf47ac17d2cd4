//! The parts of a manager's state. Each knows its own system and nothing of the zip, the store or a request.

pub mod accounts;
pub mod embedded;
mod key_material;

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};

use zeroize::Zeroizing;

use crate::database::DatabaseError;
use crate::executions::{Job, JobError};

pub use key_material::{KeyMaterial, PLACEHOLDER_PREFIX, holds_placeholder};

/// Why a source could not be collected or staged.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("cancelled")]
    Cancelled,
    /// The state or the archive does not fit: what is wrong, which entry, what to do.
    #[error("{0}")]
    Refused(String),
    #[error("entry `{entry}` is not what this source wrote: {reason}")]
    Entry { entry: String, reason: String },
    /// What the archive side said.
    #[error(transparent)]
    Carrier(Box<dyn Error + Send + Sync>),
    #[error("failed to use the manager's state")]
    State(#[source] Box<dyn Error + Send + Sync>),
    #[error("failed to read or write a file of the manager")]
    Io(#[from] io::Error),
}

impl From<rusqlite::Error> for SourceError {
    fn from(error: rusqlite::Error) -> Self {
        Self::State(Box::new(error))
    }
}

impl From<DatabaseError> for SourceError {
    fn from(error: DatabaseError) -> Self {
        Self::State(Box::new(error))
    }
}

impl From<crate::charts::store::StoreError> for SourceError {
    fn from(error: crate::charts::store::StoreError) -> Self {
        Self::State(Box::new(error))
    }
}

impl From<JobError> for SourceError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Cancelled => Self::Cancelled,
            JobError::Failed(reason) => Self::Refused(reason),
        }
    }
}

/// What a sealed part is filled through: several named contents, sealed together.
pub trait SealedSink {
    /// Adds one content.
    ///
    /// # Errors
    /// What the archive side says.
    fn add(&mut self, path: &str, content: &[u8]) -> Result<(), SourceError>;
}

/// Where a source streams itself to. Names are those of FORMAT.md, relative to the archive's root.
pub trait EntrySink {
    /// Whether the files of blueprints and plugins are wanted; without them nothing is read from the manager's files.
    fn wants_files(&self) -> bool {
        true
    }

    /// A folder that has to exist even when empty; its name ends with `/`.
    ///
    /// # Errors
    /// What the archive side says.
    fn folder(&mut self, name: &str) -> Result<(), SourceError>;

    /// A content that is at hand whole, of at most some MiB.
    ///
    /// # Errors
    /// What the archive side says.
    fn bytes(&mut self, name: &str, content: &[u8]) -> Result<(), SourceError>;

    /// A file that can be read twice.
    ///
    /// # Errors
    /// What the archive side says.
    fn file(&mut self, name: &str, file: &mut File) -> Result<(), SourceError>;

    /// A sealed part `credentials/<name>.age`, of contents that `fill` adds. Nothing of them is on disk unsealed.
    ///
    /// # Errors
    /// What `fill` and the archive side say.
    fn sealed(
        &mut self,
        name: &str,
        fill: &mut dyn FnMut(&mut dyn SealedSink) -> Result<(), SourceError>,
    ) -> Result<(), SourceError>;

    /// A sealed part `credentials/<name>.age` of one long content.
    ///
    /// # Errors
    /// The reader's and what the archive side says.
    fn sealed_stream(&mut self, name: &str, content: &mut dyn Read) -> Result<(), SourceError>;
}

/// What takes the contents of a sealed part one after the other: path and bytes, which are wiped when dropped.
pub type TakeContent<'a> = dyn FnMut(&str, Zeroizing<Vec<u8>>) -> Result<(), SourceError> + 'a;

/// What a source is brought back from. Every content was checked against the manifest before, and is again while it
/// is read.
pub trait EntrySource {
    /// The names of all entries, in their order.
    fn names(&self) -> Vec<&str>;

    /// A content whole, refused where it is longer than the limit for JSON documents.
    ///
    /// # Errors
    /// What the archive side says.
    fn bytes(&self, name: &str) -> Result<Vec<u8>, SourceError>;

    /// The SHA-256 in hex that is listed for a content which is one entry; none where it is in parts, or not there.
    fn sha256(&self, name: &str) -> Option<String>;

    /// A content as a stream.
    ///
    /// # Errors
    /// What the archive side says.
    fn stream(&self, name: &str) -> Result<Box<dyn Read + '_>, SourceError>;

    /// Whether the sealed part `credentials/<name>.age` is there and is passed over: what reads it gets none.
    fn is_skipped(&self, name: &str) -> bool;

    /// Gives the contents of the sealed part `credentials/<name>.age` one after the other, so that few are in memory at
    /// once; answers whether the archive has the part. What was given counts only once this has ended well: the list of
    /// what has to be there comes last.
    ///
    /// # Errors
    /// None of the known keys opens it; it is damaged; what `take` says.
    fn each_sealed(&self, name: &str, take: &mut TakeContent<'_>) -> Result<bool, SourceError>;

    /// The content of a sealed part of one long content.
    ///
    /// # Errors
    /// None of the known keys opens it; it is damaged.
    fn sealed_stream(&self, name: &str) -> Result<Option<Box<dyn Read + '_>>, SourceError>;
}

/// What a create asks of a source.
#[derive(Clone, Copy, Debug)]
pub struct CollectOptions {
    /// Agents' key files and key values in properties are sealed, else left out and named.
    pub include_credentials: bool,
    /// Log lines are taken.
    pub include_logs: bool,
    /// Events are taken.
    pub include_events: bool,
    /// The history of step snapshots is taken.
    pub include_flow_history: bool,
    /// Measurements since then, in seconds since 1970, are taken; none where nothing is said.
    pub metrics_from: Option<i64>,
}

/// What a source did, for `report.json` and the execution.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Collected {
    /// Entities by kind.
    pub counts: std::collections::BTreeMap<String, u64>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
    /// The flows that ran at the cut.
    pub fuzzy: Vec<String>,
}

impl Collected {
    /// Counts `number` more of a kind.
    pub fn count(&mut self, kind: &str, number: u64) {
        *self.counts.entry(kind.to_owned()).or_default() += number;
    }
}

/// Polls a job while a stream is read, so that a cancel is honoured within a chunk.
pub struct Polled<'a, R> {
    job: &'a Job,
    inner: R,
}

impl<'a, R: Read> Polled<'a, R> {
    /// A reader that fails as soon as the job is asked to stop.
    pub fn new(job: &'a Job, inner: R) -> Self {
        Self { job, inner }
    }
}

impl<R: Read> Read for Polled<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.job.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let length = buffer.len().min(1 << 20);
        self.inner.read(&mut buffer[..length])
    }
}
