//! The archive as sources see it: where they stream to, what they are brought back from.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::Path;

use crate::archive::{
    Archive, ArchiveError, ArchiveWriter, BundleWriter, Identity, Recipient, SealedReader, open_sealed,
    read_bundle,
};
use crate::executions::Job;
use crate::executions::table::Progress;
use crate::sources::{EntrySink, EntrySource, SealedSink, SourceError, TakeContent};

use super::sealed::Sealed;

/// The most bytes that one content of a sealed part may have: each is opened in memory.
const SEALED_CONTENT_BYTES: u64 = 256 << 20;

fn carrier(error: ArchiveError) -> SourceError {
    match error {
        ArchiveError::Cancelled => SourceError::Cancelled,
        other => SourceError::Carrier(Box::new(other)),
    }
}

/// The name of a sealed part's entry.
fn sealed_name(name: &str) -> String {
    format!("credentials/{name}.age")
}

/// The file that an archive is written into: counts, tells how far it is, stops where a cancel was asked for.
pub(super) struct Watched<'a> {
    job: &'a Job,
    file: &'a mut File,
    total_bytes: u64,
    written: u64,
}

impl<'a> Watched<'a> {
    pub(super) fn new(job: &'a Job, file: &'a mut File, total_bytes: u64) -> Self {
        Self { job, file, total_bytes, written: 0 }
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.job.is_cancelled() {
            return Err(ArchiveError::Cancelled.into());
        }
        let length = self.file.write(&bytes[..bytes.len().min(1 << 20)])?;
        self.written += length as u64;
        let progress = self.job.current_progress();
        self.job.progress(Progress {
            done_bytes: self.written,
            total_bytes: self.total_bytes.max(self.written),
            ..progress
        });
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The archive that is being written, as a sink.
pub(super) struct ArchiveSink<'a, W: Write> {
    pub writer: ArchiveWriter<W>,
    pub recipients: &'a [Recipient],
    /// Where sealed parts wait, as ciphertext, until their size is known.
    pub partial: &'a Path,
}

struct Bundle<'a, W: Write>(&'a mut BundleWriter<W>);

impl<W: Write> SealedSink for Bundle<'_, W> {
    fn add(&mut self, path: &str, content: &[u8]) -> Result<(), SourceError> {
        self.0.add(path, content).map_err(carrier)
    }
}

impl<W: Write> EntrySink for ArchiveSink<'_, W> {
    fn folder(&mut self, name: &str) -> Result<(), SourceError> {
        self.writer.add_directory(name).map_err(carrier)
    }

    fn bytes(&mut self, name: &str, content: &[u8]) -> Result<(), SourceError> {
        self.writer.add_bytes(name, content).map(drop).map_err(carrier)
    }

    fn file(&mut self, name: &str, file: &mut File) -> Result<(), SourceError> {
        self.writer.add_file(name, file).map(drop).map_err(carrier)
    }

    fn sealed(
        &mut self,
        name: &str,
        fill: &mut dyn FnMut(&mut dyn SealedSink) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        let spool = tempfile::tempfile_in(self.partial)?;
        let mut bundle = BundleWriter::new(io::BufWriter::new(spool), self.recipients).map_err(carrier)?;
        fill(&mut Bundle(&mut bundle))?;
        let spool = bundle.finish().map_err(carrier)?;
        let mut spool = spool.into_inner().map_err(io::IntoInnerError::into_error)?;
        spool.seek(SeekFrom::Start(0))?;
        self.file(&sealed_name(name), &mut spool)
    }

    fn sealed_stream(&mut self, name: &str, content: &mut dyn Read) -> Result<(), SourceError> {
        let mut spool = tempfile::tempfile_in(self.partial)?;
        let mut sealed = SealedReader::new(content, self.recipients).map_err(carrier)?;
        io::copy(&mut sealed, &mut spool)?;
        spool.seek(SeekFrom::Start(0))?;
        self.file(&sealed_name(name), &mut spool)
    }
}

/// An open archive, as what a restore reads.
pub(super) struct ArchiveSource<'a> {
    archive: &'a Archive,
    identities: &'a [Identity],
    sealed: Sealed,
}

impl<'a> ArchiveSource<'a> {
    pub(super) fn new(archive: &'a Archive, identities: &'a [Identity]) -> Self {
        Self { archive, identities, sealed: Sealed::Wanted }
    }

    /// The same archive, whose sealed parts are used as `sealed` says.
    pub(super) fn passing_over(self, sealed: Sealed) -> Self {
        Self { sealed, ..self }
    }

    fn read(&self, name: &str) -> Result<Box<dyn Read + '_>, SourceError> {
        let reader = self.archive.read(name).map_err(carrier)?;
        Ok(Box::new(BufReader::with_capacity(256 << 10, reader)))
    }
}

impl EntrySource for ArchiveSource<'_> {
    fn names(&self) -> Vec<&str> {
        self.archive.entries().iter().map(|entry| entry.path).collect()
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        self.archive.read_bytes(name, crate::archive::Limits::default().json_bytes).map_err(carrier)
    }

    fn sha256(&self, name: &str) -> Option<String> {
        self.archive.sha256_of(name).map(|digest| digest.to_string())
    }

    fn stream(&self, name: &str) -> Result<Box<dyn Read + '_>, SourceError> {
        self.read(name)
    }

    fn is_skipped(&self, name: &str) -> bool {
        self.sealed == Sealed::PassedOver && self.archive.contains(&sealed_name(name))
    }

    fn each_sealed(&self, name: &str, take: &mut TakeContent<'_>) -> Result<bool, SourceError> {
        let name = sealed_name(name);
        if self.sealed == Sealed::PassedOver || !self.archive.contains(&name) {
            return Ok(false);
        }
        let mut refusal = None;
        let read =
            read_bundle(self.read(&name)?, self.identities, SEALED_CONTENT_BYTES, &mut |path, content| {
                match take(path, content) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        refusal = Some(error);
                        ControlFlow::Break(())
                    }
                }
            });
        match refusal {
            Some(error) => Err(error),
            None => read.map(|()| true).map_err(carrier),
        }
    }

    fn sealed_stream(&self, name: &str) -> Result<Option<Box<dyn Read + '_>>, SourceError> {
        let name = sealed_name(name);
        if self.sealed == Sealed::PassedOver || !self.archive.contains(&name) {
            return Ok(None);
        }
        Ok(Some(Box::new(open_sealed(self.read(&name)?, self.identities).map_err(carrier)?)))
    }
}
