//! What can be told of an archive without any service: for `inspect`, offline.
//!
//! Takes what opening has read already; reads no contents.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::keys::{Fingerprint, PublicKey};
use super::manifest::SignatureState;
use super::metadata::{ArchiveOptions, Format};
use super::reader::Archive;

/// A report on one archive. Absent fields are those that only format 1 has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    pub format: Format,
    pub snapshot_version: String,
    pub archive_id: Option<Uuid>,
    /// The archive of which this one is a copy sealed for other keys.
    pub resealed_from: Option<Uuid>,
    /// The name of the manager whose state it is.
    pub manager: Option<String>,
    pub created_at: Option<DateTime<Utc>>,
    pub lifeboat_version: Option<String>,
    pub options: Option<ArchiveOptions>,
    pub signer: Option<PublicKey>,
    pub signature: SignatureState,
    /// Entities by kind.
    pub counts: BTreeMap<String, u64>,
    /// Number of entries, folders among them.
    pub entries: u64,
    /// Length of the archive.
    pub size_bytes: u64,
    /// Bytes of all contents together.
    pub content_bytes: u64,
    /// By first component of the name; `""` stands for the files at the root.
    pub folders: Vec<FolderSummary>,
    pub sealed_parts: Vec<SealedPart>,
    /// The keys that open the sealed parts.
    pub sealed_for: Vec<Fingerprint>,
}

/// What one folder at the root of an archive holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FolderSummary {
    pub folder: String,
    pub entries: u64,
    /// Bytes of the contents.
    pub content_bytes: u64,
    /// Bytes that they take in the archive.
    pub compressed_bytes: u64,
}

/// An entry that only certain keys open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SealedPart {
    pub path: String,
    /// Bytes of the ciphertext.
    pub size_bytes: u64,
}

/// Reports on an open archive.
pub fn inspect(archive: &Archive) -> Inspection {
    let metadata = archive.metadata();
    let own = metadata.lifeboat.as_ref();
    let manifest = archive.manifest();
    Inspection {
        format: archive.format().clone(),
        snapshot_version: metadata.snapshot_version.clone(),
        archive_id: own.map(|own| own.archive_id),
        resealed_from: manifest.and_then(|manifest| manifest.resealed_from),
        manager: own.map(|own| own.manager.clone()),
        created_at: own.map(|own| own.created_at),
        lifeboat_version: own.map(|own| own.lifeboat_version.clone()),
        options: own.map(|own| own.options),
        signer: manifest.map(|manifest| manifest.signer.clone()),
        signature: archive.signature().clone(),
        counts: manifest.map(|manifest| manifest.counts.clone()).unwrap_or_default(),
        entries: archive.entries().len() as u64,
        size_bytes: archive.size_bytes(),
        content_bytes: archive.entries().iter().map(|entry| entry.size).sum(),
        folders: folders(archive),
        sealed_parts: archive
            .sealed_parts()
            .map(|entry| SealedPart { path: entry.path.to_owned(), size_bytes: entry.size })
            .collect(),
        sealed_for: own.map(|own| own.sealed_for.clone()).unwrap_or_default(),
    }
}

fn folders(archive: &Archive) -> Vec<FolderSummary> {
    let mut folders: BTreeMap<&str, FolderSummary> = BTreeMap::new();
    for entry in archive.entries().iter() {
        let folder = entry.path.split_once('/').map_or("", |(folder, _)| folder);
        let summary = folders
            .entry(folder)
            .or_insert_with(|| FolderSummary { folder: folder.to_owned(), ..FolderSummary::default() });
        summary.entries += 1;
        summary.content_bytes += entry.size;
        summary.compressed_bytes += entry.compressed_size;
    }
    folders.into_values().collect()
}
