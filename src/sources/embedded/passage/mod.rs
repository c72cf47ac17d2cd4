//! From the reading of a cut to the writing: two threads, so that the cut is let go as soon as it was read.
//!
//! Who writes may be slow: it compresses, and copies files of some GiB. Who reads goes ahead by a few MiB and then
//! waits, and holds the cut's moment meanwhile, so that the databases' logs keep growing under those who write. Once
//! they are longer than the limit, it reads the rest at once into a spool, lets the moment go, and shortens the logs.
//! What is written and its order are the same either way.

mod entry;
mod outlet;
mod queue;
mod wal;

use std::fs::File;
use std::io;
use std::panic::resume_unwind;
use std::thread;

pub(super) use outlet::Outlet;
pub use wal::WalLimit;

pub(super) use wal::Wal;

use entry::Entry;
use queue::{Queue, Steps, TakeError};

use super::super::{Polled, SealedSink};
use super::{EntrySink, SourceError};
use crate::executions::Job;
use crate::executions::table::Progress;
use crate::failpoints;
use crate::manager::Manager;
use crate::model::BlobId;

/// Writes to `sink` what `read` puts out on a thread of its own. `moment` is what it reads from; it is dropped as soon as
/// all was read, or nothing more is wanted. `rows` is how many rows there are, for the progress.
///
/// # Errors
/// What `read` and the sink say; a cancel; the spool's own.
pub(super) fn pass<M: Send, T: Send>(
    (manager, job): (&Manager, &Job),
    (moment, wal): (M, &Wal),
    rows: u64,
    sink: &mut dyn EntrySink,
    read: impl FnOnce(&M, &mut Outlet<'_>) -> Result<T, SourceError> + Send,
) -> Result<T, SourceError> {
    let queue = &Queue::default();
    let wants_files = sink.wants_files();
    let reading = move || {
        let leaving = queue.leaving();
        let mut outlet = Outlet {
            job,
            queue,
            vault: manager.vault(),
            wal,
            folder: manager.blobs().partial_folder(),
            wants_files,
            rows: 0,
            spool: None,
        };
        let result = read(&moment, &mut outlet).and_then(|found| Ok((found, outlet.finish()?)));
        drop(leaving);
        drop(moment);
        if wal.is_full() {
            wal.empty();
        }
        let (found, spooled_bytes) = result?;
        if let Some(bytes) = spooled_bytes {
            failpoints::hit("collect:let_go", job)?;
            job.log(format!(
                "the databases' logs were longer than {} bytes: what was left to read went through a spool of {bytes} bytes",
                wal.limit_bytes()
            ));
        }
        Ok(found)
    };
    thread::scope(|scope| {
        let reader = thread::Builder::new().name("collect".to_owned()).spawn_scoped(scope, reading)?;
        let written = {
            let _leaving = queue.leaving();
            let steps = Steps::new(queue, manager.vault());
            Writing { manager, job, rows, steps }.write(sink)
        };
        let found = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
        match (written, found) {
            (Ok(()), found) => found,
            // Who writes ends so where who reads has failed, and the other way round.
            (Err(SourceError::Cancelled), Err(error)) => Err(error),
            (Err(error), _) => Err(error),
        }
    })
}

fn misplaced() -> SourceError {
    io::Error::other("what was read did not come in its order").into()
}

/// The side that writes.
struct Writing<'a> {
    manager: &'a Manager,
    job: &'a Job,
    rows: u64,
    steps: Steps<'a>,
}

impl Writing<'_> {
    fn write(mut self, sink: &mut dyn EntrySink) -> Result<(), SourceError> {
        while let Some(entry) = self.next()? {
            match entry {
                Entry::Folder(name) => sink.folder(&name)?,
                Entry::Bytes { name, content } => sink.bytes(&name, &content)?,
                Entry::Blob { name, blob, of } => sink.file(&name, &mut self.open(&blob, &of)?)?,
                Entry::SealedBlob { name, blob, of } => {
                    let file = self.open(&blob, &of)?;
                    sink.sealed_stream(&name, &mut Polled::new(self.job, file))?;
                }
                Entry::Sealed(name) => sink.sealed(&name, &mut |sealed| self.fill(sealed))?,
                Entry::Content { .. } | Entry::SealedEnd => return Err(misplaced()),
            }
        }
        Ok(())
    }

    fn fill(&mut self, sealed: &mut dyn SealedSink) -> Result<(), SourceError> {
        loop {
            match self.next()? {
                Some(Entry::Content { path, content }) => sealed.add(&path, &content)?,
                Some(Entry::SealedEnd) => return Ok(()),
                _ => return Err(misplaced()),
            }
        }
    }

    fn next(&mut self) -> Result<Option<Entry>, SourceError> {
        failpoints::hit("collect:writing", self.job)?;
        let step = self.steps.next().map_err(|error| match error {
            TakeError::Gone => SourceError::Cancelled,
            TakeError::Spool(error) => error.into(),
        })?;
        let Some(step) = step else { return Ok(None) };
        let progress = self.job.current_progress();
        if progress.finished_operations != step.rows {
            self.job.progress(Progress {
                finished_operations: step.rows,
                total_operations: self.rows,
                ..progress
            });
        }
        Ok(Some(step.entry))
    }

    fn open(&self, blob: &BlobId, of: &str) -> Result<File, SourceError> {
        self.job.check()?;
        self.manager.blobs().read(blob).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => SourceError::Refused(format!(
                "the archive of {of} is gone from the manager's files: upload it again or delete it, then take the snapshot"
            )),
            _ => error.into(),
        })
    }
}
