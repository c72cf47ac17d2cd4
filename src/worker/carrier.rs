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

    fn check(&self) -> io::Result<()> {
        if self.job.is_cancelled() { Err(ArchiveError::Cancelled.into()) } else { Ok(()) }
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
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
        self.check()?;
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

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::archive::WriterOptions;
    use crate::model::{Caller, Execution, Grants, SystemRole, TenantName, UserName, Workflow};
    use crate::records::Records;

    /// A long content, in the midst of which somebody cancels the job.
    struct CancelledInside<'a> {
        job: &'a Job,
        read: u64,
        cancelled_at: u64,
    }

    impl Read for CancelledInside<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.read >= self.cancelled_at {
                self.job.cancel();
            }
            for (place, byte) in buffer.iter_mut().enumerate() {
                *byte = (self.read as usize + place).to_le_bytes()[0];
            }
            self.read += buffer.len() as u64;
            Ok(buffer.len())
        }
    }

    fn job(records: &Records) -> Job {
        let caller = Caller {
            user: UserName::trusted("admin"),
            system_role: SystemRole::SysAdmin,
            tenant: TenantName::default_tenant(),
            tenant_role: None,
            tenants: Vec::new(),
            grants: Grants::default(),
        };
        let execution = Execution::new(&caller, Workflow::CreateSnapshot, Map::new());
        Job::detached(execution, records.database().clone())
    }

    /// How long the contents are, where the job is cancelled in them, and how much may still be read then.
    const LENGTH: u64 = 128 << 20;
    const CANCELLED_AT: u64 = 20 << 20;
    const MOST_MORE: u64 = 8 << 20;

    #[test]
    fn a_cancel_stops_the_writing_of_a_long_content_in_its_midst() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(&folder.path().join("records.db")).unwrap();
        // One that is compressed, and one that is compressed already and waits in a spool.
        for (name, spool_dir) in [("long.json", None), ("long.zip", Some(folder.path().to_owned()))] {
            let job = job(&records);
            let mut file = tempfile::tempfile().unwrap();
            let options = WriterOptions { compression_threads: 2, spool_dir, ..WriterOptions::default() };
            let mut writer = ArchiveWriter::new(Watched::new(&job, &mut file, LENGTH), options);
            writer.add_bytes("metadata.json", b"{}").unwrap();
            let mut content = CancelledInside { job: &job, read: 0, cancelled_at: CANCELLED_AT };
            let written = writer.add_stream(name, &mut content, Some(LENGTH));
            assert!(matches!(written, Err(ArchiveError::Cancelled)), "{name}: {written:?}");
            let more = content.read - CANCELLED_AT;
            assert!(more <= MOST_MORE, "{name}: {more} bytes were read after the cancel");
        }
    }

    #[test]
    fn a_cancel_stops_the_reading_of_a_long_file_before_anything_of_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(&folder.path().join("records.db")).unwrap();
        for name in ["long.json", "long.zip"] {
            let job = job(&records);
            let mut file = tempfile::tempfile().unwrap();
            let mut writer =
                ArchiveWriter::new(Watched::new(&job, &mut file, LENGTH), WriterOptions::default());
            writer.add_bytes("metadata.json", b"{}").unwrap();
            let mut content = tempfile::tempfile().unwrap();
            content.set_len(LENGTH).unwrap();
            job.cancel();
            let written = writer.add_file(name, &mut content);
            assert!(matches!(written, Err(ArchiveError::Cancelled)), "{name}: {written:?}");
            let read = content.stream_position().unwrap();
            assert!(read <= CANCELLED_AT, "{name}: {read} bytes were read after the cancel");
            assert_eq!(file.metadata().unwrap().len(), 0, "{name}");
        }
    }
}
