//! A copy of an archive whose sealed parts are sealed for other keys.
//!
//! What is not sealed is taken over as the bytes that it is, neither read nor
//! compressed again; every sealed part is opened and sealed anew, so that only
//! the new keys open it. Plain content of a sealed part is never on a disk.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Value, json};
use uuid::Uuid;

use super::digest::Digest;
use super::error::ArchiveError;
use super::keys::{Identity, Recipient, SigningKey};
use super::options::WriterOptions;
use super::reader::{Archive, is_sealed};
use super::seal::{SealedReader, open_sealed};
use super::slice::FileSlice;
use super::stream::{part_name, whole_name};
use super::table::Record;
use super::writer::{ArchiveWriter, EntrySums, Finished, ManifestSeal, header};
use super::{MANIFEST, METADATA, SIGNATURE};

/// How much is taken over at once.
const CHUNK_BYTES: usize = 256 << 10;

/// What [`reseal`] needs to know.
#[derive(Clone, Copy)]
pub struct Reseal<'a> {
    /// The id of the copy.
    pub archive_id: Uuid,
    /// Open the sealed parts.
    pub identities: &'a [Identity],
    /// Open those of the copy.
    pub recipients: &'a [Recipient],
    /// Signs the copy.
    pub signing_key: &'a SigningKey,
    /// Where a sealed part of the copy waits, as ciphertext, until its size is known.
    pub spool_dir: &'a Path,
}

/// Writes a copy of `archive` whose sealed parts are sealed for other keys into `sink`.
///
/// The copy says of what it is a copy, and who signed the first of its line. `progress` is told bytes done and in all, at
/// least once per chunk; breaking ends with [`ArchiveError::Cancelled`]. Whether the archive is good is the caller's
/// affair, before and after.
///
/// # Errors
/// An archive that no Lifeboat made, or parts that none of the identities opens; the sink's own.
pub fn reseal<W: Write>(
    archive: &Archive,
    sink: W,
    options: Reseal<'_>,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(W, Finished), ArchiveError> {
    let (Some(manifest), Some(_)) = (archive.manifest(), &archive.metadata().lifeboat) else {
        return Err(ArchiveError::NotOurs);
    };
    let writer_options = WriterOptions { compression_threads: 0, ..WriterOptions::default() };
    let mut copy = Copy { archive, options, progress, done: 0 };
    let mut writer = ArchiveWriter::new(sink, writer_options);
    writer.add_bytes(METADATA, &metadata(archive, manifest.archive_id, &options))?;
    for index in 0..archive.entries().len() {
        let record = archive.record(index);
        match record.name {
            METADATA | MANIFEST | SIGNATURE => {}
            name if is_sealed(name) => copy.seal_anew(&mut writer, name)?,
            _ => copy.take_over(&mut writer, record)?,
        }
    }
    writer.finish(ManifestSeal {
        archive_id: options.archive_id,
        created_at: manifest.created_at,
        counts: manifest.counts.clone(),
        signing_key: options.signing_key,
        resealed_from: Some(manifest.archive_id),
    })
}

/// The metadata of the copy: all that stood there, also what a later version may have added, but for what differs.
fn metadata(archive: &Archive, from: Uuid, options: &Reseal<'_>) -> Vec<u8> {
    let mut document = archive.metadata().raw.clone();
    let ours = &mut document["lifeboat"];
    if ours["first_signer"].is_null() {
        ours["first_signer"] = ours["signer"].clone();
    }
    ours["archive_id"] = json!(options.archive_id);
    ours["resealed_from"] = json!(from);
    ours["signer"] = json!(options.signing_key.public_key());
    ours["sealed_for"] = options.recipients.iter().map(|key| json!(key.fingerprint())).collect::<Value>();
    serde_json::to_vec(&document).expect("what was read as JSON can be written as JSON")
}

struct Copy<'a> {
    archive: &'a Archive,
    options: Reseal<'a>,
    progress: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    done: u64,
}

impl Copy<'_> {
    fn advance(&mut self, bytes: usize) -> Result<(), ArchiveError> {
        self.done += bytes as u64;
        let total = self.archive.size_bytes();
        match (self.progress)(self.done.min(total), total) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ArchiveError::Cancelled),
        }
    }

    /// Takes an entry over as it is.
    fn take_over<W: Write>(
        &mut self,
        writer: &mut ArchiveWriter<W>,
        record: Record<'_>,
    ) -> Result<(), ArchiveError> {
        let sha256 = record.row.sha256.ok_or(ArchiveError::NotOurs)?;
        let mut taken = 0;
        writer.add_raw(&self.archive.file, record, sha256, &mut |bytes| {
            taken += bytes;
            self.advance(bytes)
        })
    }

    /// Opens the part that begins with this entry and seals its content for the new keys. An entry that goes on with a
    /// part that was cut was read with its first.
    fn seal_anew<W: Write>(
        &mut self,
        writer: &mut ArchiveWriter<W>,
        entry: &str,
    ) -> Result<(), ArchiveError> {
        let name = whole_name(entry);
        if entry != name && entry != part_name(name, 0) {
            return Ok(());
        }
        let failed = |source| ArchiveError::Spool { entry: name.to_owned(), source };
        let cipher = BufReader::with_capacity(CHUNK_BYTES, self.archive.read(name)?);
        let plain = open_sealed(cipher, self.options.identities)?;
        let mut sealed = SealedReader::new(plain, self.options.recipients)?;
        let mut spool = tempfile::tempfile_in(self.options.spool_dir).map_err(failed)?;
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let read = sealed.read(&mut buffer).map_err(ArchiveError::from_read)?;
            if read == 0 {
                break;
            }
            spool.write_all(&buffer[..read]).map_err(failed)?;
            self.advance(read)?;
        }
        spool.seek(SeekFrom::Start(0)).map_err(failed)?;
        writer.add_file(name, &mut spool).map(drop)
    }
}

impl<W: Write> ArchiveWriter<W> {
    /// Adds an entry of another archive as the bytes that it is. `taken` is told of each piece.
    fn add_raw(
        &mut self,
        file: &File,
        Record { name, row }: Record<'_>,
        sha256: Digest,
        taken: &mut dyn FnMut(usize) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        self.write_pending(0)?;
        self.claim(name)?;
        let sums = EntrySums {
            method: row.method,
            crc32: row.crc32,
            compressed_size: row.compressed_size,
            size: row.size,
            sha256: Some(sha256),
            is_streamed: row.is_streamed,
        };
        self.write_local_header(name, &sums)?;
        let mut data = FileSlice::new(file, row.data_offset, row.compressed_size);
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let read = data.read(&mut buffer).map_err(read_error)?;
            if read == 0 {
                break;
            }
            self.sink.write(&buffer[..read])?;
            taken(read)?;
        }
        if row.is_streamed {
            self.sink.write(&header(name, 0, &sums).descriptor())?;
        }
        self.close_entry(&sums);
        Ok(())
    }
}

fn read_error(error: io::Error) -> ArchiveError {
    ArchiveError::from_read(error)
}
