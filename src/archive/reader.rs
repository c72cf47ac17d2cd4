//! Opens an archive and gives access to its entries.
//!
//! Works on one file that was opened once: what was checked is what is read.
//! Opening judges the whole structure; contents are judged while they are read
//! or by [`Archive::verify`].

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;

use serde::de::DeserializeOwned;

use super::digest::Digest;
use super::entry::EntryReader;
use super::error::{ArchiveError, shown};
use super::limits::Limits;
use super::manifest::{EntryInfo, Manifest, SignatureState, judge_signature};
use super::metadata::{Format, Metadata};
use super::stream::{part_name, whole_name};
use super::structure::{Directory, Record, check_layout, read_directory};
use super::{MANIFEST, METADATA, SIGNATURE};

/// Of `metadata.json`, which is small in every archive.
const MOST_METADATA_BYTES: u64 = 4 << 20;

/// An open archive. Several threads may read entries of it at once.
#[derive(Debug)]
pub struct Archive {
    pub(super) file: File,
    pub(super) length: u64,
    pub(super) limits: Limits,
    pub(super) directory: Directory,
    entries: Vec<EntryInfo>,
    by_name: HashMap<String, usize>,
    metadata: Metadata,
    format: Format,
    manifest: Option<Manifest>,
    /// Of the manifest's bytes, to see whether the file changed since.
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
        let by_name: HashMap<_, _> = directory
            .records
            .iter()
            .enumerate()
            .map(|(index, record)| (record.name.clone(), index))
            .collect();
        let mut archive = Self {
            file,
            length,
            limits,
            entries: entries_of(&directory),
            directory,
            by_name,
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
        let document = self.read_bytes(MANIFEST, self.limits.manifest_bytes)?;
        let manifest: Manifest = serde_json::from_slice(&document)
            .map_err(|source| ArchiveError::Json { entry: MANIFEST.into(), source })?;
        self.check_manifest(&manifest)?;
        let signature = self.read_bytes(SIGNATURE, 1024)?;
        self.signature = judge_signature(&document, &manifest.signer, &signature);
        self.manifest_sha256 = Some(Digest::of(&document));
        for (entry, listed) in self.entries.iter_mut().zip(&manifest.entries) {
            entry.sha256 = listed.sha256;
        }
        self.manifest = Some(manifest);
        Ok(())
    }

    /// Checks that the three entries whose place is fixed are in it.
    fn check_order(&self) -> Result<(), ArchiveError> {
        let records = &self.directory.records;
        let is_in_order = records.len() >= 3
            && records[0].name == METADATA
            && records[records.len() - 2].name == MANIFEST
            && records[records.len() - 1].name == SIGNATURE;
        if is_in_order {
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
        let listed = self.entries.len() - 2;
        if manifest.entries.len() != listed {
            return mismatch(format!(
                "the manifest lists {} entries, the archive has {listed}",
                manifest.entries.len()
            ));
        }
        for (entry, listed) in self.entries.iter().zip(&manifest.entries) {
            let expected = EntryInfo { sha256: listed.sha256, ..entry.clone() };
            if *listed != expected || listed.sha256.is_none() {
                return mismatch(format!("entry `{}` is not as the manifest lists it", shown(&entry.path)));
            }
        }
        if manifest.bytes != self.entries[listed].offset {
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
    pub fn entries(&self) -> &[EntryInfo] {
        &self.entries
    }

    /// The entries of sealed parts, in order. A part that was cut is there several times, as its entries are.
    pub fn sealed_parts(&self) -> impl Iterator<Item = &EntryInfo> {
        self.entries.iter().filter(|entry| is_sealed(&entry.path))
    }

    /// Length of the archive in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.length
    }

    /// Whether [`Archive::read`] finds a content of this name, in one entry or in parts.
    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name) || self.by_name.contains_key(&part_name(name, 0))
    }

    /// The hash that the manifest lists for a content which is one entry.
    pub fn sha256_of(&self, name: &str) -> Option<Digest> {
        self.by_name.get(name).and_then(|index| self.entries[*index].sha256)
    }

    /// Streams a content; joins the parts of one that was cut.
    pub fn read(&self, name: &str) -> Result<EntryReader<'_>, ArchiveError> {
        let whole = self.by_name.get(name).copied();
        let mut found: Vec<usize> = whole.into_iter().collect();
        if whole.is_none() {
            let parts = (0..).map_while(|number| self.by_name.get(&part_name(name, number)));
            found.extend(parts);
        }
        if found.is_empty() {
            return Err(ArchiveError::NoEntry(shown(name)));
        }
        let records = found.into_iter().map(|index| self.record(index)).collect();
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

    pub(super) fn record(&self, index: usize) -> (&Record, Option<Digest>) {
        (&self.directory.records[index], self.entries[index].sha256)
    }
}

/// Whether an entry of this name is a sealed part, or a piece of one.
pub(super) fn is_sealed(path: &str) -> bool {
    path.starts_with("credentials/") && whole_name(path).ends_with(".age")
}

fn entries_of(directory: &Directory) -> Vec<EntryInfo> {
    directory
        .records
        .iter()
        .zip(0..)
        .map(|(record, order)| EntryInfo {
            path: record.name.clone(),
            order,
            offset: record.offset,
            compressed_size: record.compressed_size,
            size: record.size,
            method: record.method,
            sha256: None,
        })
        .collect()
}
