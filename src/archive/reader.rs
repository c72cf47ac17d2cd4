//! Opens an archive and gives access to its entries.
//!
//! Works on one file that was opened once: what was checked is what is read.
//! Opening judges the whole structure; contents are judged while they are read
//! or by [`Archive::verify`].

use std::fs::File;
use std::io::{self, BufReader, Read};

use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::digest::Digest;
use super::entry::{Checked, EntryReader};
use super::error::{ArchiveError, shown};
use super::limits::Limits;
use super::manifest::{Manifest, SignatureState, judge_signature, read_document};
use super::metadata::{Format, Metadata};
use super::slice::read_exact_at;
use super::stream::{part_name, whole_name};
use super::structure::{Directory, check_layout, read_directory};
use super::table::{EntryInfo, EntryTable, Record};
use super::{MANIFEST, METADATA, SIGNATURE};

/// Of `metadata.json`, which is small in every archive.
const MOST_METADATA_BYTES: u64 = 4 << 20;
/// Of `manifest.json` for each entry, without the name; of which an escaped byte takes up to six.
const MOST_LISTED_BYTES: u64 = 512;

/// An open archive. Several threads may read entries of it at once.
#[derive(Debug)]
pub struct Archive {
    pub(super) file: File,
    pub(super) length: u64,
    pub(super) limits: Limits,
    pub(super) directory: Directory,
    metadata: Metadata,
    format: Format,
    manifest: Option<Manifest>,
    /// Of the manifest's document, to see whether the file changed since.
    pub(super) manifest_sha256: Option<Digest>,
    signature: SignatureState,
}

impl Archive {
    /// Opens an archive: a safe zip whose `metadata.json` is an object with `snapshot_version`.
    ///
    /// One of format 1 has to be laid out as our writer does it, and to agree with its manifest;
    /// a signature that does not fit is told by [`Archive::signature`] and is an error of
    /// [`Archive::verify`]. Any other is read by its central directory, within `limits`.
    pub fn open(file: File, limits: Limits) -> Result<Self, ArchiveError> {
        let length = file.metadata().map_err(ArchiveError::Read)?.len();
        let directory = read_directory(&file, length, &limits)?;
        let mut archive = Self {
            file,
            length,
            limits,
            directory,
            metadata: Metadata {
                snapshot_version: String::new(),
                execution_id: None,
                lifeboat: None,
                raw: serde_json::Value::Null,
            },
            format: Format::Lifeboat1,
            manifest: None,
            manifest_sha256: None,
            signature: SignatureState::Missing,
        };
        archive.read_documents()?;
        Ok(archive)
    }

    fn read_documents(&mut self) -> Result<(), ArchiveError> {
        if !self.contains(METADATA) {
            return Err(ArchiveError::NotSnapshot { reason: format!("it has no `{METADATA}` at its root") });
        }
        self.metadata = Metadata::from_json(&self.read_bytes(METADATA, MOST_METADATA_BYTES)?)?;
        if self.metadata.lifeboat.is_none() {
            if self.contains(SIGNATURE) {
                return Err(ArchiveError::NotSnapshot {
                    reason: format!("it has a `{SIGNATURE}`, but `{METADATA}` names no format"),
                });
            }
            self.format = Format::Foreign { snapshot_version: self.metadata.snapshot_version.clone() };
            return Ok(());
        }
        check_layout(&self.file, self.length, &self.directory)?;
        self.check_order()?;
        let (stored, manifest, sha256) = self.read_manifest()?;
        self.check_manifest(&manifest)?;
        let signature = self.read_bytes(SIGNATURE, 1024)?;
        self.signature = judge_signature(&stored, &manifest.signer, &signature);
        self.manifest_sha256 = Some(sha256);
        self.manifest = Some(manifest);
        Ok(())
    }

    /// The manifest's bytes as they stand in the archive, what they say, and the hash of the document they are.
    fn read_manifest(&mut self) -> Result<(Vec<u8>, Manifest, Digest), ArchiveError> {
        let Directory { entries, .. } = &mut self.directory;
        let number = entries.len() - 2;
        let row = *entries.record(number).row;
        let most = (1 << 20) + MOST_LISTED_BYTES * entries.len() as u64 + 6 * entries.name_bytes() as u64;
        let most = most.min(self.limits.manifest_bytes);
        if row.size > most || row.compressed_size > most {
            return Err(ArchiveError::limit(MANIFEST, "bytes", most));
        }
        let too_long = |_| ArchiveError::limit(MANIFEST, "bytes", most);
        let mut stored = vec![0; usize::try_from(row.compressed_size).map_err(too_long)?];
        read_exact_at(&self.file, &mut stored, row.data_offset)?;
        let record = Record { name: MANIFEST, row: &row };
        let content = Checked::new(&stored[..], record, None).map_err(ArchiveError::from_read)?;
        let mut document = Hashing { content, hash: Sha256::new() };
        let reader = BufReader::with_capacity(64 << 10, &mut document);
        let manifest = read_document(reader, entries, number)?;
        // What follows the JSON is looked at, too: the end of the content is where it is judged.
        io::copy(&mut document, &mut io::sink()).map_err(ArchiveError::from_read)?;
        let sha256 = document.hash.into();
        Ok((stored, manifest, sha256))
    }

    /// Checks that the three entries whose place is fixed are in it.
    fn check_order(&self) -> Result<(), ArchiveError> {
        let entries = self.entries();
        let name_at =
            |number: Option<usize>| number.and_then(|number| entries.get(number)).map(|entry| entry.path);
        let from_end = |back| name_at(entries.len().checked_sub(back));
        if name_at(Some(0)) == Some(METADATA)
            && from_end(2) == Some(MANIFEST)
            && from_end(1) == Some(SIGNATURE)
        {
            return Ok(());
        }
        Err(ArchiveError::damaged(format!(
            "format 1 begins with `{METADATA}` and ends with `{MANIFEST}` and `{SIGNATURE}`"
        )))
    }

    fn check_manifest(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        let mismatch = |reason: String| Err(ArchiveError::ManifestMismatch { reason });
        if manifest.format != 1 {
            return Err(ArchiveError::UnknownFormat { format: manifest.format.into() });
        }
        let own_place = self.entries().len() - 2;
        if self.entries().get(own_place).is_none_or(|own| own.offset != manifest.bytes) {
            return mismatch("the manifest does not stand where it says".into());
        }
        if let Some(own) = &self.metadata.lifeboat
            && (own.archive_id != manifest.archive_id || own.signer != manifest.signer)
        {
            return mismatch(format!("`{METADATA}` names another archive or signer"));
        }
        Ok(())
    }

    /// What `metadata.json` says.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Ours, or another manager's.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// The manifest; archives of other managers have none.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// What the signature is worth.
    pub fn signature(&self) -> &SignatureState {
        &self.signature
    }

    /// All entries in the order of the archive, manifest and signature among them.
    pub fn entries(&self) -> &EntryTable {
        &self.directory.entries
    }

    /// The entries without the archive.
    pub fn into_entries(self) -> EntryTable {
        self.directory.entries
    }

    /// The entries of sealed parts, in order. A part that was cut is there several times, as its entries are.
    pub fn sealed_parts(&self) -> impl Iterator<Item = EntryInfo<'_>> {
        self.entries().iter().filter(|entry| is_sealed(entry.path))
    }

    /// Length of the archive in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.length
    }

    /// Whether [`Archive::read`] finds a content of this name, in one entry or in parts.
    pub fn contains(&self, name: &str) -> bool {
        let entries = self.entries();
        entries.find(name).or_else(|| entries.find(&part_name(name, 0))).is_some()
    }

    /// The hash that the manifest lists for a content which is one entry.
    pub fn sha256_of(&self, name: &str) -> Option<Digest> {
        self.entries().find(name).and_then(|number| self.record(number).row.sha256)
    }

    /// Streams a content; joins the parts of one that was cut.
    pub fn read(&self, name: &str) -> Result<EntryReader<'_>, ArchiveError> {
        let entries = self.entries();
        let whole = entries.find(name);
        let mut found: Vec<usize> = whole.into_iter().collect();
        if whole.is_none() {
            let parts = (0..).map_while(|number| entries.find(&part_name(name, number)));
            found.extend(parts);
        }
        if found.is_empty() {
            return Err(ArchiveError::NoEntry(shown(name)));
        }
        let records = found.into_iter().map(|number| self.record(number)).collect();
        Ok(EntryReader::new(&self.file, records))
    }

    /// Reads a content into memory, if it has at most `max` bytes.
    pub fn read_bytes(&self, name: &str, max: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut content = self.read(name)?;
        if content.size_bytes() > max {
            return Err(ArchiveError::limit(name, "bytes", max));
        }
        // Room is made as bytes come: the declared size is not to be trusted.
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(ArchiveError::from_read)?;
        Ok(bytes)
    }

    /// Reads a JSON document of at most [`Limits::json_bytes`].
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, ArchiveError> {
        let bytes = self.read_bytes(name, self.limits.json_bytes)?;
        serde_json::from_slice(&bytes).map_err(|source| ArchiveError::Json { entry: shown(name), source })
    }

    pub(super) fn record(&self, number: usize) -> Record<'_> {
        self.directory.entries.record(number)
    }
}

/// Whether an entry of this name is a sealed part, or a piece of one.
pub(super) fn is_sealed(path: &str) -> bool {
    path.starts_with("credentials/") && whole_name(path).ends_with(".age")
}

/// Hashes what is read.
struct Hashing<R> {
    content: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}
