//! Long contents: cut into parts, compressed chunk by chunk, or stored.
//!
//! What cannot be known before the data (CRC, sizes) follows it in a
//! descriptor; a stored entry has to know it before, so its content is read
//! twice or waits in a temporary file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crc32fast::Hasher as Crc;
use sha2::{Digest as _, Sha256};

use super::blocks::STREAM_END;
use super::deflate::Task;
use super::digest::Digest;
use super::error::{ArchiveError, shown};
use super::manifest::Method;
use super::options::Compression;
use super::pool::{Pool, Promise};
use super::writer::{Added, ArchiveWriter, EntrySums, check_length, header};

/// What one compressing thread is given at once.
const CHUNK_BYTES: u64 = 1 << 20;

/// What is known of a content's length before it is read.
#[derive(Clone, Copy)]
pub(super) enum Length {
    Unknown,
    /// Any other length is an error.
    Exactly(u64),
    /// It may have become shorter.
    AtMost(u64),
}

impl<W: Write> ArchiveWriter<W> {
    /// Adds a content longer than what is compressed as a whole.
    pub(super) fn add_long(
        &mut self,
        name: &str,
        content: &mut dyn Read,
        length: Length,
        is_compressed: bool,
    ) -> Result<Added, ArchiveError> {
        self.write_pending(0)?;
        let part_size = self.options.part_size_bytes;
        let (is_single, exact) = match length {
            Length::Unknown => (false, None),
            Length::Exactly(size) => (size <= part_size, Some(size)),
            Length::AtMost(size) => (size <= part_size, None),
        };
        let spool_dir = self.options.spool_dir.clone().filter(|_| is_compressed);
        let compression =
            if is_compressed { Compression::Deflate { level: 0 } } else { self.options.compression };
        let mut source = ChunkSource::new(name, content, exact);
        let mut entries = Vec::new();
        loop {
            let entry = if is_single { name.to_owned() } else { part_name(name, entries.len()) };
            self.claim(&entry)?;
            source.start_part(part_size);
            match &spool_dir {
                Some(dir) => self.write_spooled(&entry, &mut source, dir)?,
                None => self.write_compressed(&entry, &mut source, compression)?,
            }
            entries.push(entry);
            if source.is_at_end()? {
                break;
            }
            if is_single {
                // More than was promised, found at the edge of the part.
                self.is_torn = true;
                check_length(name, exact, source.taken + 1)?;
            }
        }
        let sums = source.finish();
        self.is_torn |= sums.is_err();
        let (size_bytes, sha256) = sums?;
        Ok(Added { path: name.to_owned(), entries, size_bytes, sha256 })
    }

    /// Writes one part, compressed in parallel, its sums in a descriptor.
    fn write_compressed(
        &mut self,
        entry: &str,
        source: &mut ChunkSource<'_>,
        compression: Compression,
    ) -> Result<(), ArchiveError> {
        let method = compression.method();
        let mut sums =
            EntrySums { method, crc32: 0, compressed_size: 0, size: 0, sha256: None, is_streamed: true };
        self.write_local_header(entry, &sums)?;
        let offset_of_data = self.sink.count;
        let mut under_way = UnderWay::default();
        loop {
            let chunk = source.next_chunk()?;
            let is_last = chunk.is_empty();
            if !is_last {
                under_way.start(&mut self.pool, chunk, compression);
            }
            let most = if is_last { 0 } else { 2 * self.pool.width() };
            under_way.take(most, |bytes| self.sink.write(bytes))?;
            if is_last {
                break;
            }
        }
        if method == Method::Deflate {
            self.sink.write(STREAM_END)?;
        }
        sums.crc32 = under_way.crc.finalize();
        sums.compressed_size = self.sink.count - offset_of_data;
        let (size, sha256) = source.finish_part();
        (sums.size, sums.sha256) = (size, Some(sha256));
        self.sink.write(&header(entry, 0, &sums).descriptor())?;
        self.close_entry(&sums);
        Ok(())
    }

    /// Writes one part stored, after it waited in a temporary file for its sums.
    fn write_spooled(
        &mut self,
        entry: &str,
        source: &mut ChunkSource<'_>,
        dir: &Path,
    ) -> Result<(), ArchiveError> {
        let failed = |source| ArchiveError::Spool { entry: shown(entry), source };
        let mut spool = tempfile::tempfile_in(dir).map_err(failed)?;
        let mut crc = Crc::new();
        loop {
            let chunk = source.next_chunk()?;
            if chunk.is_empty() {
                break;
            }
            crc.update(&chunk);
            spool.write_all(&chunk).map_err(failed)?;
            self.sink.flush()?;
        }
        let (size, sha256) = source.finish_part();
        spool.seek(SeekFrom::Start(0)).map_err(failed)?;
        self.write_known(entry, &mut spool, size, crc.finalize(), sha256)
    }

    /// Adds a file stored, in one entry of any length, by reading it twice.
    pub(super) fn add_stored_file(
        &mut self,
        name: &str,
        file: &mut File,
        start: u64,
        length: u64,
    ) -> Result<Added, ArchiveError> {
        let failed = |source| ArchiveError::ReadContent { entry: shown(name), source };
        self.write_pending(0)?;
        self.claim(name)?;
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut crc = Crc::new();
        let mut limited = file.take(length);
        let mut source = ChunkSource::new(name, &mut limited, None);
        source.start_part(u64::MAX);
        loop {
            let chunk = source.next_chunk()?;
            if chunk.is_empty() {
                break;
            }
            crc.update(&chunk);
            self.sink.flush()?;
        }
        let (size_bytes, sha256) = source.finish()?;
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        self.write_known(name, file, size_bytes, crc.finalize(), sha256)?;
        Ok(Added { path: name.to_owned(), entries: vec![name.to_owned()], size_bytes, sha256 })
    }

    /// Writes a stored entry whose sums are known, and checks that the content still has them.
    fn write_known(
        &mut self,
        entry: &str,
        file: &mut File,
        size: u64,
        crc32: u32,
        sha256: Digest,
    ) -> Result<(), ArchiveError> {
        let sums = EntrySums {
            method: Method::Stored,
            crc32,
            compressed_size: size,
            size,
            sha256: Some(sha256),
            is_streamed: false,
        };
        self.write_local_header(entry, &sums)?;
        let mut limited = file.take(size);
        let mut source = ChunkSource::new(entry, &mut limited, None);
        source.start_part(u64::MAX);
        loop {
            let chunk = source.next_chunk()?;
            if chunk.is_empty() {
                break;
            }
            self.sink.write(&chunk)?;
        }
        if source.finish()? != (size, sha256) {
            return Err(ArchiveError::ContentChanged { entry: shown(entry) });
        }
        self.close_entry(&sums);
        Ok(())
    }
}

/// Chunks that are being compressed, in their order, and the CRC of those before them.
#[derive(Default)]
struct UnderWay {
    chunks: VecDeque<Promise>,
    crc: Crc,
}

impl UnderWay {
    fn start(&mut self, pool: &mut Pool, content: Vec<u8>, compression: Compression) {
        let task = Task::Chunk { content, method: compression.method(), level: compression.level() };
        self.chunks.push_back(pool.start(task));
    }

    /// Hands over what is compressed, until at most so many chunks are awaited.
    fn take(
        &mut self,
        most: usize,
        mut write: impl FnMut(&[u8]) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        while self.chunks.len() > most {
            let compressed =
                self.chunks.pop_front().and_then(Promise::wait).ok_or(ArchiveError::Unfinished)?;
            self.crc.combine(&compressed.crc);
            write(&compressed.bytes)?;
        }
        Ok(())
    }
}

/// A content that is compressed chunk by chunk while it is written, and kept compressed.
pub(super) struct Chunks<'a> {
    pool: &'a mut Pool,
    compression: Compression,
    chunk: Vec<u8>,
    under_way: UnderWay,
    bytes: Vec<u8>,
    size: u64,
}

impl<'a> Chunks<'a> {
    /// Deflates, at `level`.
    pub(super) fn new(pool: &'a mut Pool, level: u8) -> Self {
        let compression = Compression::Deflate { level };
        let (chunk, bytes) = (Vec::new(), Vec::new());
        Self { pool, compression, chunk, under_way: UnderWay::default(), bytes, size: 0 }
    }

    /// The deflate stream, and what its header needs to know, without a hash.
    pub(super) fn finish(mut self) -> Result<(Vec<u8>, EntrySums), ArchiveError> {
        self.start();
        self.take(0)?;
        self.bytes.extend_from_slice(STREAM_END);
        let sums = EntrySums {
            method: self.compression.method(),
            crc32: self.under_way.crc.finalize(),
            compressed_size: self.bytes.len() as u64,
            size: self.size,
            sha256: None,
            is_streamed: false,
        };
        Ok((self.bytes, sums))
    }

    fn start(&mut self) {
        let content = std::mem::take(&mut self.chunk);
        self.size += content.len() as u64;
        self.under_way.start(self.pool, content, self.compression);
    }

    fn take(&mut self, most: usize) -> Result<(), ArchiveError> {
        let Self { under_way, bytes, .. } = self;
        under_way.take(most, |compressed| {
            bytes.extend_from_slice(compressed);
            Ok(())
        })
    }
}

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() as u64 >= CHUNK_BYTES {
            self.start();
            self.take(2 * self.pool.width())?;
        }
        self.chunk.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The name of part `number` of a content.
pub(super) fn part_name(name: &str, number: usize) -> String {
    format!("{name}.{number:04}")
}

/// The name of the content that an entry holds, or is a part of: `a.age` of `a.age` and of `a.age.0001`.
pub(super) fn whole_name(entry: &str) -> &str {
    match entry.rsplit_once('.') {
        Some((name, number)) if number.len() >= 4 && number.bytes().all(|digit| digit.is_ascii_digit()) => {
            name
        }
        _ => entry,
    }
}

/// Reads a content in chunks that do not cross the ends of parts, and hashes it and its parts.
struct ChunkSource<'a> {
    name: &'a str,
    content: &'a mut dyn Read,
    exact: Option<u64>,
    /// A byte read ahead to learn whether anything follows a part.
    ahead: Option<u8>,
    taken: u64,
    hash: Sha256,
    parts: u64,
    part_left: u64,
    part_taken: u64,
    /// The first part has the same hash as all that was read so far.
    part_hash: Option<Sha256>,
}

impl<'a> ChunkSource<'a> {
    fn new(name: &'a str, content: &'a mut dyn Read, exact: Option<u64>) -> Self {
        Self {
            name,
            content,
            exact,
            ahead: None,
            taken: 0,
            hash: Sha256::new(),
            parts: 0,
            part_left: 0,
            part_taken: 0,
            part_hash: None,
        }
    }

    fn start_part(&mut self, size: u64) {
        self.part_left = size;
        self.part_taken = 0;
        self.part_hash = (self.parts > 0).then(Sha256::new);
        self.parts += 1;
    }

    /// The next chunk of the part; empty at its end.
    fn next_chunk(&mut self) -> Result<Vec<u8>, ArchiveError> {
        let most = CHUNK_BYTES.min(self.part_left);
        let mut chunk = Vec::with_capacity(usize::try_from(most).unwrap_or(0));
        if most > 0 {
            chunk.extend(self.ahead.take());
        }
        let wanted = most - chunk.len() as u64;
        self.content.take(wanted).read_to_end(&mut chunk).map_err(|source| failed(self.name, source))?;
        let length = chunk.len() as u64;
        self.taken += length;
        self.part_taken += length;
        self.part_left -= length;
        if let Some(exact) = self.exact.filter(|exact| self.taken > *exact) {
            check_length(self.name, Some(exact), self.taken)?;
        }
        self.hash.update(&chunk);
        if let Some(hash) = &mut self.part_hash {
            hash.update(&chunk);
        }
        Ok(chunk)
    }

    /// Size and hash of the part that ended.
    fn finish_part(&mut self) -> (u64, Digest) {
        let hash = self.part_hash.take().unwrap_or_else(|| self.hash.clone());
        (self.part_taken, hash.into())
    }

    fn is_at_end(&mut self) -> Result<bool, ArchiveError> {
        let mut byte = [0];
        let read = loop {
            match self.content.read(&mut byte) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(|source| failed(self.name, source))?,
            }
        };
        self.ahead = (read > 0).then_some(byte[0]);
        Ok(read == 0)
    }

    /// Size and hash of all that was read.
    fn finish(self) -> Result<(u64, Digest), ArchiveError> {
        check_length(self.name, self.exact, self.taken)?;
        Ok((self.taken, self.hash.into()))
    }
}

fn failed(name: &str, source: io::Error) -> ArchiveError {
    ArchiveError::ReadContent { entry: shown(name), source }
}
