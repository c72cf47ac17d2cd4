//! A span of an open file as a reader.
//!
//! Reads by offset, so several readers share one file and none moves another.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use super::error::ArchiveError;

/// Reads `remaining` bytes of a file from `position` on; a file that ends earlier is an error.
pub(super) struct FileSlice<'a> {
    file: &'a File,
    position: u64,
    remaining: u64,
}

impl<'a> FileSlice<'a> {
    pub(super) fn new(file: &'a File, position: u64, length: u64) -> Self {
        Self { file, position, remaining: length }
    }

    /// Where in the file the next byte is.
    pub(super) fn position(&self) -> u64 {
        self.position
    }
}

impl Read for FileSlice<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.remaining).map_or(buffer.len(), |left| left.min(buffer.len()));
        if most == 0 {
            return Ok(0);
        }
        let read = self.file.read_at(&mut buffer[..most], self.position)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += read as u64;
        self.remaining -= read as u64;
        Ok(read)
    }
}

/// Reads exactly `buffer` at `position`; the end of the file means a truncated archive.
pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], position: u64) -> Result<(), ArchiveError> {
    file.read_exact_at(buffer, position).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            ArchiveError::damaged("it ends before its structure does: it is truncated")
        }
        _ => ArchiveError::Read(error),
    })
}
