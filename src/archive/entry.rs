//! The content of an entry as a stream, checked while it flows.
//!
//! Knows one entry's bytes, or the parts that make one content. Never yields
//! more than the declared size; never ends well unless everything was right.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};

use crc32fast::Hasher as Crc;
use flate2::bufread::DeflateDecoder;
use sha2::{Digest as _, Sha256};

use super::digest::Digest;
use super::error::ArchiveError;
use super::manifest::Method;
use super::slice::FileSlice;
use super::table::Record;

const BUFFER_BYTES: usize = 64 << 10;

/// Streams a content; made by [`Archive::read`](super::Archive::read).
///
/// The last read gives an error, and every one after it, if size, CRC or the manifest's hash are
/// not those of the bytes: so nothing is to be trusted before the end was reached.
pub struct EntryReader<'a> {
    file: &'a File,
    waiting: VecDeque<Record<'a>>,
    current: Option<Checked<'a, FileSlice<'a>>>,
    size_bytes: u64,
    failure: Option<String>,
}

impl<'a> EntryReader<'a> {
    pub(super) fn new(file: &'a File, records: Vec<Record<'a>>) -> Self {
        Self {
            file,
            size_bytes: records.iter().map(|record| record.row.size).sum(),
            waiting: records.into(),
            current: None,
            failure: None,
        }
    }

    /// Declared bytes of the content; it will be exactly so long, or an error.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_on(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(current) = &mut self.current {
                let read = current.read(buffer)?;
                if read > 0 {
                    return Ok(read);
                }
                self.current = None;
            }
            let Some(record) = self.waiting.pop_front() else {
                return Ok(0);
            };
            let data = FileSlice::new(self.file, record.row.data_offset, record.row.compressed_size);
            self.current = Some(Checked::new(data, record, record.row.sha256)?);
        }
    }
}

impl Read for EntryReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if let Some(failure) = &self.failure {
            return Err(io::Error::other(failure.clone()));
        }
        let outcome = self.read_on(buffer);
        if let Err(error) = &outcome
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failure = Some(error.to_string());
        }
        outcome
    }
}

/// One entry's content, decompressed and checked.
pub(super) struct Checked<'a, R: Read> {
    record: Record<'a>,
    decoder: Decoder<R>,
    produced: u64,
    crc: Crc,
    hash: Option<(Sha256, Digest)>,
    is_finished: bool,
}

enum Decoder<R: Read> {
    Stored(BufReader<R>),
    Deflate(Box<DeflateDecoder<BufReader<R>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<R>>>),
}

impl<'a, R: Read> Checked<'a, R> {
    /// Reads from `data`, which has to give the entry's compressed bytes and no more.
    pub(super) fn new(data: R, record: Record<'a>, sha256: Option<Digest>) -> io::Result<Self> {
        let data = BufReader::with_capacity(BUFFER_BYTES, data);
        let decoder = match record.row.method {
            Method::Stored => Decoder::Stored(data),
            Method::Deflate => Decoder::Deflate(Box::new(DeflateDecoder::new(data))),
            Method::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(data)?;
                Decoder::Zstd(Box::new(decoder))
            }
        };
        Ok(Self {
            record,
            decoder,
            produced: 0,
            crc: Crc::new(),
            hash: sha256.map(|expected| (Sha256::new(), expected)),
            is_finished: false,
        })
    }

    /// How far the compressed bytes were read, about.
    pub(super) fn get_ref(&self) -> &R {
        match &self.decoder {
            Decoder::Stored(data) => data.get_ref(),
            Decoder::Deflate(decoder) => decoder.get_ref().get_ref(),
            Decoder::Zstd(decoder) => decoder.get_ref().get_ref(),
        }
    }

    fn decode(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let decoded = match &mut self.decoder {
            Decoder::Stored(data) => return data.read(buffer),
            Decoder::Deflate(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
        };
        // The file is bounded, so whatever a decoder says of its input is the input's fault.
        decoded.map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => self.damaged(format!("its compressed bytes make no sense ({error})")),
        })
    }

    fn finish(&mut self) -> io::Result<()> {
        self.is_finished = true;
        if self.produced != self.record.row.size {
            return Err(self.damaged(format!(
                "it has {} bytes, not the {} it declares",
                self.produced, self.record.row.size
            )));
        }
        if std::mem::take(&mut self.crc).finalize() != self.record.row.crc32 {
            return Err(self.damaged("its CRC differs"));
        }
        if let Decoder::Deflate(decoder) = &self.decoder
            && decoder.total_in() != self.record.row.compressed_size
        {
            return Err(self.damaged("bytes follow the end of its compressed data"));
        }
        if let Some((hash, expected)) = self.hash.take()
            && Digest::from(hash) != expected
        {
            return Err(self.damaged("its SHA-256 is not the one in the manifest"));
        }
        Ok(())
    }

    fn damaged(&self, reason: impl Into<String>) -> io::Error {
        ArchiveError::damaged_entry(self.record.name, reason).into()
    }
}

impl<R: Read> Read for Checked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_finished || buffer.is_empty() {
            return Ok(0);
        }
        let read = self.decode(buffer)?;
        if read == 0 {
            self.finish()?;
            return Ok(0);
        }
        self.produced += read as u64;
        if self.produced > self.record.row.size {
            return Err(
                self.damaged(format!("it produces more than the {} bytes it declares", self.record.row.size))
            );
        }
        self.crc.update(&buffer[..read]);
        if let Some((hash, _)) = &mut self.hash {
            hash.update(&buffer[..read]);
        }
        Ok(read)
    }
}
