//! Reads every byte of an archive and compares it with what it should be.
//!
//! Knows nothing of what entries mean; the sealed ones are checked as
//! ciphertext.

use std::io::{self, Read};
use std::ops::ControlFlow;

use sha2::{Digest as _, Sha256};

use super::MANIFEST;
use super::digest::Digest;
use super::entry::Checked;
use super::error::ArchiveError;
use super::manifest::SignatureState;
use super::reader::Archive;
use super::slice::FileSlice;
use super::structure::{check_layout, read_directory};
use super::table::Record;

/// What was read without a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Number of entries, folders among them.
    pub entries: u64,
    /// Length of the archive.
    pub size_bytes: u64,
    /// Bytes of all contents together.
    pub content_bytes: u64,
    /// Valid for format 1; missing for archives of other managers.
    pub signature: SignatureState,
}

impl Archive {
    /// Reads every byte: each content against its CRC and hash, all bytes against the manifest,
    /// the structure again, the signature.
    ///
    /// `progress` is told bytes done and in all, at least once per MiB read or produced;
    /// breaking ends with [`ArchiveError::Cancelled`].
    pub fn verify(
        &self,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Verified, ArchiveError> {
        // The file may have been written to since it was opened.
        let is_own = self.manifest().is_some();
        if is_own {
            check_layout(&self.file, self.length, &self.directory)?;
        } else {
            let found = read_directory(&self.file, self.length, &self.limits)?;
            if !found.entries.has_same_structure(self.entries()) {
                return Err(ArchiveError::damaged("it changed since it was opened"));
            }
        }
        let mut content_bytes = 0;
        let mut bytes_hash = Sha256::new();
        let mut hashed = 0;
        for index in 0..self.entries().len() {
            let record = self.record(index);
            let Record { name, row } = record;
            if let Some(manifest) = self.manifest().filter(|_| name == MANIFEST) {
                self.hash_span(&mut bytes_hash, hashed, row.offset)?;
                if std::mem::take(&mut bytes_hash).finalize()[..] != manifest.bytes_sha256.0 {
                    return Err(ArchiveError::ManifestMismatch {
                        reason: "the bytes of the archive have another SHA-256".into(),
                    });
                }
                hashed = row.offset;
            }
            let sha256 = match name {
                MANIFEST => self.manifest_sha256.or(row.sha256),
                _ => row.sha256,
            };
            if is_own {
                self.hash_span(&mut bytes_hash, hashed, row.data_offset)?;
            }
            let data = FileSlice::new(&self.file, row.data_offset, row.compressed_size);
            let mut tee = Tee { data, hash: &mut bytes_hash, position: row.data_offset };
            let mut content = Checked::new(&mut tee, record, sha256).map_err(ArchiveError::from_read)?;
            let mut buffer = vec![0; 256 << 10];
            loop {
                let read = content.read(&mut buffer).map_err(ArchiveError::from_read)?;
                content_bytes += read as u64;
                if progress(content.get_ref().position, self.length).is_break() {
                    return Err(ArchiveError::Cancelled);
                }
                if read == 0 {
                    break;
                }
            }
            drop(content);
            hashed = row.data_offset + row.compressed_size;
        }
        if *self.signature() == SignatureState::Invalid {
            return Err(ArchiveError::BadSignature);
        }
        if progress(self.length, self.length).is_break() {
            return Err(ArchiveError::Cancelled);
        }
        Ok(Verified {
            entries: self.entries().len() as u64,
            size_bytes: self.length,
            content_bytes,
            signature: self.signature().clone(),
        })
    }

    /// Hashes the bytes between two contents, which are headers.
    fn hash_span(&self, hash: &mut Sha256, from: u64, to: u64) -> Result<(), ArchiveError> {
        let mut span = FileSlice::new(&self.file, from, to.saturating_sub(from));
        let mut buffer = [0; 4096];
        loop {
            match span.read(&mut buffer).map_err(ArchiveError::Read)? {
                0 => return Ok(()),
                read => hash.update(&buffer[..read]),
            }
        }
    }
}

/// Hashes compressed bytes on their way to the decoder.
struct Tee<'a> {
    data: FileSlice<'a>,
    hash: &'a mut Sha256,
    position: u64,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.data.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.position += read as u64;
        Ok(read)
    }
}

/// Hashes a whole archive file, as [`Finished::sha256`](super::Finished::sha256) has it.
impl Archive {
    /// The hash of the whole file, read anew.
    pub fn sha256(&self) -> Result<Digest, ArchiveError> {
        let mut span = FileSlice::new(&self.file, 0, self.length);
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        loop {
            match span.read(&mut buffer).map_err(ArchiveError::Read)? {
                0 => return Ok(hash.into()),
                read => hash.update(&buffer[..read]),
            }
        }
    }
}
