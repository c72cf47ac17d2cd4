//! Where the reading of a cut puts what is to be written.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::entry::{Entry, Step};
use super::queue::{Gone, Queue, Spool};
use super::wal::Wal;
use crate::causes::is_storage_full;
use crate::executions::Job;
use crate::failpoints;
use crate::manager::Vault;
use crate::model::BlobId;
use crate::sources::{SealedSink, SourceError};

/// How often a reading that waits looks at the logs.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Takes what was read, in the order of the archive. It waits while the writing is behind, unless the databases' logs
/// grow too long meanwhile: what is read then goes to a spool, and nothing waits any more.
pub(in super::super) struct Outlet<'a> {
    pub(super) job: &'a Job,
    pub(super) queue: &'a Queue,
    pub(super) vault: &'a Vault,
    pub(super) wal: &'a Wal,
    /// Where a spool is made.
    pub(super) folder: &'a Path,
    pub(super) wants_files: bool,
    pub(super) rows: u64,
    pub(super) spool: Option<Spool<'a>>,
}

impl Outlet<'_> {
    /// Whether the files of blueprints and plugins are wanted.
    pub fn wants_files(&self) -> bool {
        self.wants_files
    }

    /// Counts one row that was read, and stops where a cancel was asked for.
    ///
    /// # Errors
    /// A cancel.
    pub fn count_row(&mut self) -> Result<(), SourceError> {
        self.rows += 1;
        Ok(self.job.check()?)
    }

    /// A folder that has to exist even when empty.
    ///
    /// # Errors
    /// A cancel; the spool's own.
    pub fn folder(&mut self, name: String) -> Result<(), SourceError> {
        self.put(Entry::Folder(name))
    }

    /// A content that is at hand whole.
    ///
    /// # Errors
    /// A cancel; the spool's own.
    pub fn bytes(&mut self, name: String, content: Vec<u8>) -> Result<(), SourceError> {
        self.put(Entry::Bytes { name, content })
    }

    /// A file of the manager's; `of` says whose it is.
    ///
    /// # Errors
    /// A cancel; the spool's own.
    pub fn blob(&mut self, name: String, blob: BlobId, of: String) -> Result<(), SourceError> {
        self.put(Entry::Blob { name, blob, of })
    }

    /// As [`Outlet::blob`], sealed.
    ///
    /// # Errors
    /// A cancel; the spool's own.
    pub fn sealed_blob(&mut self, name: String, blob: BlobId, of: String) -> Result<(), SourceError> {
        self.put(Entry::SealedBlob { name, blob, of })
    }

    /// A sealed part of contents that `fill` adds.
    ///
    /// # Errors
    /// What `fill` says; a cancel; the spool's own.
    pub fn sealed(
        &mut self,
        name: &str,
        fill: &mut dyn FnMut(&mut dyn SealedSink) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        self.put(Entry::Sealed(name.to_owned()))?;
        fill(&mut Contents(self))?;
        self.put(Entry::SealedEnd)
    }

    fn put(&mut self, entry: Entry) -> Result<(), SourceError> {
        let mut step = Step { rows: self.rows, entry };
        while self.spool.is_none() {
            match self.queue.offer(step, LOOK_EVERY).map_err(|Gone| SourceError::Cancelled)? {
                None => return Ok(()),
                Some(back) => step = back,
            }
            self.job.check()?;
            if self.wal.is_full() {
                failpoints::hit("collect:spooling", self.job)?;
                let spool = Spool::begin(self.queue, self.vault, self.folder).map_err(spooling)?;
                self.spool = Some(spool);
            }
        }
        if self.queue.is_left() {
            return Err(SourceError::Cancelled);
        }
        match &mut self.spool {
            Some(spool) => spool.add(&step).map_err(spooling),
            None => Ok(()),
        }
    }

    /// Hands over what waits; how many bytes went through a spool, where there was one.
    ///
    /// # Errors
    /// The spool's own.
    pub(super) fn finish(mut self) -> Result<Option<u64>, SourceError> {
        if let Some(spool) = &mut self.spool {
            spool.flush().map_err(spooling)?;
            failpoints::hit("collect:spooled", self.job)?;
        }
        self.queue.complete();
        Ok(self.spool.map(|spool| spool.length()))
    }
}

fn spooling(error: std::io::Error) -> SourceError {
    if is_storage_full(&error) {
        return SourceError::Refused(
            "there is not enough space in `tmp` for what waits to be written: the state was read while others wrote, and can't be held in the databases' logs any longer; nothing was kept"
                .to_owned(),
        );
    }
    error.into()
}

struct Contents<'a, 'b>(&'a mut Outlet<'b>);

impl SealedSink for Contents<'_, '_> {
    fn add(&mut self, path: &str, content: &[u8]) -> Result<(), SourceError> {
        self.0.put(Entry::Content { path: path.to_owned(), content: Zeroizing::new(content.to_vec()) })
    }
}
