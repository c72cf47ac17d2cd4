//! Writes an archive in one pass: entries in order, nothing patched afterwards.
//!
//! Whole contents are compressed by the pool while the caller goes on; they are
//! written in the order in which they were added. Long streams are in
//! [`stream`](super::stream). Does not know what entries mean, but for the
//! three whose place the format fixes.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Write};

use chrono::{DateTime, Utc};
use crc32fast::Hasher as Crc;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::compressed::is_compressed;
use super::deflate::Task;
use super::digest::Digest;
use super::emitter::{EntryHeader, end_of_archive};
use super::error::{ArchiveError, shown};
use super::keys::SigningKey;
use super::manifest::{Manifest, Method, sign, write_document};
use super::metadata::Metadata;
use super::names;
use super::options::{MOST_PART_BYTES, WriterOptions};
use super::pool::{Pool, Promise};
use super::stream::{Chunks, Length};
use super::table::{EntryTable, Row};
use super::{MANIFEST, METADATA, SIGNATURE};

/// Up to here a content is compressed as a whole, its sizes in the local header.
pub(super) const WHOLE_BYTES: u64 = 8 << 20;
/// How many small entries may wait for their turn.
const MOST_PENDING: usize = 512;
/// The longest entry name; a zip could name more, file systems could not.
const NAME_BYTES: usize = 4096;

/// What became of a content that was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The name under which [`Archive::read`](super::Archive::read) gives the content back.
    pub path: String,
    /// The entries that hold it, in order: `path` itself, or its parts `path.0000`, `path.0001`, ….
    pub entries: Vec<String>,
    /// Bytes of the content.
    pub size_bytes: u64,
    /// Hash of the content.
    pub sha256: Digest,
}

/// What [`ArchiveWriter::finish`] needs to know for the manifest.
#[derive(Clone, Debug)]
pub struct ManifestSeal<'a> {
    pub archive_id: Uuid,
    pub created_at: DateTime<Utc>,
    /// Entities by kind.
    pub counts: BTreeMap<String, u64>,
    pub signing_key: &'a SigningKey,
    /// The archive whose entries these are, sealed for other keys.
    pub resealed_from: Option<Uuid>,
}

/// A finished archive.
#[derive(Debug)]
pub struct Finished {
    pub manifest: Manifest,
    /// All entries, manifest and signature among them.
    pub entries: EntryTable,
    /// Length of the archive.
    pub size_bytes: u64,
    /// Hash of the whole archive, as it was written.
    pub sha256: Digest,
}

/// Writes an archive of format 1 to `sink`, which is never read and never sought in. A sink ends the writing by failing a
/// write or a flush, of which there is one for each MiB that is read.
///
/// After an error of the sink, or one in the middle of an entry, every further call fails with
/// [`ArchiveError::Unfinished`]: what the sink holds is no archive.
pub struct ArchiveWriter<W: Write> {
    pub(super) sink: HashingSink<W>,
    pub(super) pool: Pool,
    pub(super) options: WriterOptions,
    entries: EntryTable,
    pending: VecDeque<Pending>,
    pending_bytes: u64,
    /// The sink ends within an entry, or an entry is not what was promised.
    pub(super) is_torn: bool,
}

/// A whole content that is being compressed.
struct Pending {
    name: String,
    size: u64,
    sha256: Digest,
    compressed: Promise,
}

/// CRC, sizes and hash of an entry, as they are known once it was written.
pub(super) struct EntrySums {
    pub method: Method,
    pub crc32: u32,
    pub compressed_size: u64,
    pub size: u64,
    /// None is kept for manifest and signature, which no manifest lists.
    pub sha256: Option<Digest>,
    pub is_streamed: bool,
}

impl<W: Write> ArchiveWriter<W> {
    /// Starts an archive. The sink is best unbuffered: writes are large.
    pub fn new(sink: W, options: WriterOptions) -> Self {
        Self {
            sink: HashingSink::new(sink),
            pool: Pool::new(options.compression_threads),
            options: WriterOptions {
                part_size_bytes: options.part_size_bytes.clamp(1, MOST_PART_BYTES),
                ..options
            },
            entries: EntryTable::default(),
            pending: VecDeque::new(),
            pending_bytes: 0,
            is_torn: false,
        }
    }

    /// Adds `metadata.json`, which has to be the first entry.
    pub fn add_metadata(&mut self, metadata: &Metadata) -> Result<Added, ArchiveError> {
        self.add_bytes(METADATA, &metadata.to_json())
    }

    /// Adds a folder, with or without `/` at the end of its name.
    pub fn add_directory(&mut self, name: &str) -> Result<(), ArchiveError> {
        let name = format!("{}/", name.strip_suffix('/').unwrap_or(name));
        self.claim(&name)?;
        self.start_whole(name, Vec::new());
        Ok(())
    }

    /// Adds a content that is in memory.
    ///
    /// Up to 8 MiB it may be compressed and written later than this returns; a failure then
    /// shows in a later call.
    pub fn add_bytes(&mut self, name: &str, content: &[u8]) -> Result<Added, ArchiveError> {
        if content.len() as u64 <= WHOLE_BYTES {
            self.check_file_name(name)?;
            return self.add_whole(name, content.to_vec());
        }
        self.add_stream(name, &mut &content[..], Some(content.len() as u64))
    }

    /// Adds a stream.
    ///
    /// With `size_bytes` the stream has to be exactly so long. Without, one longer than 8 MiB is
    /// always kept in parts (perhaps a single one, `name.0000`), because its header is written
    /// before its length is known.
    ///
    /// Errors of `content` come back as [`ArchiveError::ReadContent`].
    pub fn add_stream(
        &mut self,
        name: &str,
        content: &mut dyn Read,
        size_bytes: Option<u64>,
    ) -> Result<Added, ArchiveError> {
        self.check_file_name(name)?;
        let head = read_head(name, content, size_bytes)?;
        if head.len() as u64 <= WHOLE_BYTES {
            check_length(name, size_bytes, head.len() as u64)?;
            return self.add_whole(name, head);
        }
        let is_compressed = is_compressed(name, &head);
        let length = size_bytes.map_or(Length::Unknown, Length::Exactly);
        let mut content = io::Cursor::new(head).chain(content);
        self.add_long(name, &mut content, length, is_compressed)
    }

    /// Adds a file, from where it stands, as long as it is now.
    ///
    /// One that is compressed already and longer than 8 MiB is read twice, to be stored with its
    /// size known; if it changes meanwhile, that is [`ArchiveError::ContentChanged`]. So a file
    /// that may change is better given to [`ArchiveWriter::add_stream`]. Any other may shrink
    /// while it is read; [`Added`] says what was taken.
    pub fn add_file(&mut self, name: &str, file: &mut File) -> Result<Added, ArchiveError> {
        use std::io::Seek;

        self.check_file_name(name)?;
        let failed = |source| ArchiveError::ReadContent { entry: shown(name), source };
        let start = file.stream_position().map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len().saturating_sub(start);
        let head = read_head(name, &mut file.take(length), Some(length))?;
        if head.len() as u64 <= WHOLE_BYTES {
            return self.add_whole(name, head);
        }
        if is_compressed(name, &head) {
            drop(head);
            return self.add_stored_file(name, file, start, length);
        }
        let rest = length - head.len() as u64;
        let mut content = io::Cursor::new(head).chain(file.take(rest));
        self.add_long(name, &mut content, Length::AtMost(length), false)
    }

    /// Bytes that the sink has been given; what is still being compressed is not among them.
    pub fn bytes_written(&self) -> u64 {
        self.sink.count
    }

    /// Writes the manifest, its signature and the central directory, and gives the sink back.
    ///
    /// The sink is flushed, but not synced to a disk.
    pub fn finish(mut self, seal: ManifestSeal<'_>) -> Result<(W, Finished), ArchiveError> {
        self.write_pending(0)?;
        if self.entries.is_empty() {
            return Err(ArchiveError::CannotAdd {
                entry: MANIFEST.into(),
                reason: format!("`{METADATA}` has to be there before it"),
            });
        }
        let manifest = Manifest {
            format: 1,
            archive_id: seal.archive_id,
            resealed_from: seal.resealed_from,
            signer: seal.signing_key.public_key(),
            created_at: seal.created_at,
            counts: seal.counts,
            bytes: self.sink.count,
            bytes_sha256: self.sink.hash.clone().into(),
        };
        let stored = self.write_manifest(&manifest)?;
        self.write_stored(SIGNATURE, &sign(&stored, seal.signing_key))?;
        self.write_directory()?;
        self.sink.flush()?;
        let finished = Finished {
            manifest,
            entries: self.entries,
            size_bytes: self.sink.count,
            sha256: self.sink.hash.into(),
        };
        Ok((self.sink.inner, finished))
    }

    fn check_file_name(&self, name: &str) -> Result<(), ArchiveError> {
        if name.ends_with('/') {
            return Err(ArchiveError::CannotAdd {
                entry: shown(name),
                reason: "the name of a content cannot end in `/`".into(),
            });
        }
        self.check_open()
    }

    fn check_open(&self) -> Result<(), ArchiveError> {
        if self.is_torn { Err(ArchiveError::Unfinished) } else { Ok(()) }
    }

    /// Takes a name for an entry; each only once, and only those that the reader accepts.
    pub(super) fn claim(&mut self, name: &str) -> Result<(), ArchiveError> {
        self.check_open()?;
        let cannot = |reason: String| Err(ArchiveError::CannotAdd { entry: shown(name), reason });
        let is_first = self.entries.claimed() == 0;
        if is_first != (name == METADATA) {
            return cannot(format!("`{METADATA}` is the first entry and no other"));
        }
        if name == MANIFEST || name == SIGNATURE {
            return cannot("the writer itself writes this entry at the end".into());
        }
        if name.len() > NAME_BYTES {
            return cannot(format!("its name has more than {NAME_BYTES} bytes"));
        }
        names::check(name)?;
        self.entries.claim(name)
    }

    fn add_whole(&mut self, name: &str, content: Vec<u8>) -> Result<Added, ArchiveError> {
        self.claim(name)?;
        let size_bytes = content.len() as u64;
        let sha256 = self.start_whole(name.to_owned(), content);
        self.write_pending(self.most_pending_bytes())?;
        Ok(Added { path: name.to_owned(), entries: vec![name.to_owned()], size_bytes, sha256 })
    }

    /// Gives a claimed content to the pool; it is written when its turn comes.
    fn start_whole(&mut self, name: String, content: Vec<u8>) -> Digest {
        let size = content.len() as u64;
        let sha256 = Digest::of(&content);
        let compression = self.options.compression;
        let method = if content.is_empty() || is_compressed(&name, &content) {
            Method::Stored
        } else {
            compression.method()
        };
        let compressed = self.pool.start(Task::Whole { content, method, level: compression.level() });
        self.pending_bytes += size;
        self.pending.push_back(Pending { name, size, sha256, compressed });
        sha256
    }

    fn most_pending_bytes(&self) -> u64 {
        WHOLE_BYTES * (self.pool.width() as u64 + 1)
    }

    /// Writes waiting entries until at most `most_bytes` wait; with 0, all of them.
    pub(super) fn write_pending(&mut self, most_bytes: u64) -> Result<(), ArchiveError> {
        self.check_open()?;
        while self.pending_bytes > most_bytes
            || self.pending.len() > MOST_PENDING
            || most_bytes == 0 && !self.pending.is_empty()
        {
            let Some(pending) = self.pending.pop_front() else {
                break;
            };
            self.pending_bytes -= pending.size;
            self.is_torn = true;
            let compressed = pending.compressed.wait().ok_or(ArchiveError::Unfinished)?;
            let sums = EntrySums {
                method: compressed.method,
                crc32: compressed.crc.finalize(),
                compressed_size: compressed.bytes.len() as u64,
                size: pending.size,
                sha256: Some(pending.sha256),
                is_streamed: false,
            };
            self.write_local_header(&pending.name, &sums)?;
            self.sink.write(&compressed.bytes)?;
            self.close_entry(&sums);
        }
        Ok(())
    }

    /// Writes the manifest, and gives its bytes as they stand in the archive.
    fn write_manifest(&mut self, manifest: &Manifest) -> Result<Vec<u8>, ArchiveError> {
        let mut document = Chunks::new(&mut self.pool, self.options.compression.deflate_level());
        // Strings, numbers and hashes always make JSON, so it can only be a thread that died.
        write_document(manifest, &self.entries, &mut document).map_err(|_| ArchiveError::Unfinished)?;
        let (stored, sums) = document.finish()?;
        self.entries.claim(MANIFEST)?;
        self.write_local_header(MANIFEST, &sums)?;
        self.sink.write(&stored)?;
        self.close_entry(&sums);
        Ok(stored)
    }

    fn write_stored(&mut self, name: &str, content: &[u8]) -> Result<(), ArchiveError> {
        let mut crc = Crc::new();
        crc.update(content);
        let sums = EntrySums {
            method: Method::Stored,
            crc32: crc.finalize(),
            compressed_size: content.len() as u64,
            size: content.len() as u64,
            sha256: None,
            is_streamed: false,
        };
        self.entries.claim(name)?;
        self.write_local_header(name, &sums)?;
        self.sink.write(content)?;
        self.close_entry(&sums);
        Ok(())
    }

    /// Begins an entry. Until [`ArchiveWriter::close_entry`] the archive counts as torn.
    pub(super) fn write_local_header(&mut self, name: &str, sums: &EntrySums) -> Result<(), ArchiveError> {
        self.is_torn = true;
        let header = header(name, self.sink.count, sums).local_header();
        self.sink.entry_offset = self.sink.count;
        self.sink.write(&header)
    }

    /// Ends the entry whose last byte was written; its name was claimed before those of all others that are not written.
    pub(super) fn close_entry(&mut self, sums: &EntrySums) {
        self.entries.push(Row {
            offset: self.sink.entry_offset,
            data_offset: 0,
            compressed_size: sums.compressed_size,
            size: sums.size,
            crc32: sums.crc32,
            method: sums.method,
            is_streamed: sums.is_streamed,
            sha256: sums.sha256,
        });
        self.is_torn = false;
    }

    fn write_directory(&mut self) -> Result<(), ArchiveError> {
        self.is_torn = true;
        let offset = self.sink.count;
        let mut records = Vec::new();
        for entry in self.entries.records() {
            records.extend_from_slice(&entry.header().central_record());
            if records.len() >= 1 << 20 {
                self.sink.write(&records)?;
                records.clear();
            }
        }
        self.sink.write(&records)?;
        let size = self.sink.count - offset;
        let end = end_of_archive(self.entries.len() as u64, offset, size);
        self.sink.write(&end)
    }
}

pub(super) fn header<'a>(name: &'a str, offset: u64, sums: &EntrySums) -> EntryHeader<'a> {
    EntryHeader {
        name,
        method: sums.method,
        crc32: sums.crc32,
        compressed_size: sums.compressed_size,
        size: sums.size,
        offset,
        is_streamed: sums.is_streamed,
    }
}

/// Reads one byte more than a whole content may have, or all there is.
fn read_head(name: &str, content: &mut dyn Read, size_bytes: Option<u64>) -> Result<Vec<u8>, ArchiveError> {
    let most = WHOLE_BYTES + 1;
    let expected = size_bytes.map_or(0, |size| size.min(most));
    // A byte more than expected, so that the end is seen without growing.
    let mut head = Vec::with_capacity(usize::try_from(expected + 1).unwrap_or(0));
    content
        .take(most)
        .read_to_end(&mut head)
        .map_err(|source| ArchiveError::ReadContent { entry: shown(name), source })?;
    Ok(head)
}

pub(super) fn check_length(name: &str, expected: Option<u64>, actual: u64) -> Result<(), ArchiveError> {
    match expected {
        Some(expected) if expected != actual => {
            Err(ArchiveError::LengthMismatch { entry: shown(name), expected, actual })
        }
        _ => Ok(()),
    }
}

/// Counts and hashes what goes to the sink.
pub(super) struct HashingSink<W> {
    pub inner: W,
    hash: Sha256,
    pub count: u64,
    /// Where the entry that is being written began.
    entry_offset: u64,
}

impl<W: Write> HashingSink<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), count: 0, entry_offset: 0 }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.inner.write_all(bytes).map_err(ArchiveError::from_write)?;
        self.hash.update(bytes);
        self.count += bytes.len() as u64;
        Ok(())
    }

    /// Lets the sink say that it was cancelled, where much is done before anything is written.
    pub(super) fn flush(&mut self) -> Result<(), ArchiveError> {
        self.inner.flush().map_err(ArchiveError::from_write)
    }
}
