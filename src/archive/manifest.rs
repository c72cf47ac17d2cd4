//! The manifest: every entry with its place and hash, and the signature over it.
//!
//! Knows documents and keys, not how the zip around them is laid out.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};

use chrono::{DateTime, Utc};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::digest::Digest;
use super::error::{ArchiveError, shown};
use super::keys::{PublicKey, SigningKey};
use super::table::{EntryInfo, EntryTable};
use super::{MANIFEST, times};

/// What the signature covers before the manifest's bytes, as they stand in the archive.
const SIGNATURE_CONTEXT: &[u8] = b"lifeboat-archive-1\0";

/// How an entry's bytes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// As they are (zip method 0).
    Stored,
    /// Zip method 8, which everything can read.
    Deflate,
    /// Zip method 93.
    Zstd,
}

impl Method {
    /// The number of the method in a zip.
    pub(super) fn code(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflate => 8,
            Self::Zstd => 93,
        }
    }

    /// The method of a number in a zip, where it is one that is read here.
    pub(super) fn from_code(code: u16) -> Option<Self> {
        match code {
            0 => Some(Self::Stored),
            8 => Some(Self::Deflate),
            93 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// The last entry but one of an archive: what it holds, byte for byte.
///
/// After these fields the document goes on with `entries`, every entry but the manifest and its signature, in order:
/// they are [`Archive::entries`](super::Archive::entries).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// 1.
    pub format: u32,
    pub archive_id: Uuid,
    /// The archive of which this one is a copy sealed for other keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resealed_from: Option<Uuid>,
    /// The key whose signature stands in `manifest.sig`.
    pub signer: PublicKey,
    #[serde(with = "times")]
    pub created_at: DateTime<Utc>,
    /// Entities by kind.
    pub counts: BTreeMap<String, u64>,
    /// Length of all that stands before the manifest's local header.
    pub bytes: u64,
    /// Hash of all that stands before the manifest's local header: headers and compressed
    /// bytes, of which several forms can have the same content.
    pub bytes_sha256: Digest,
}

/// Writes the manifest's document.
pub(super) fn write_document(
    manifest: &Manifest,
    entries: &EntryTable,
    sink: &mut impl Write,
) -> serde_json::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        #[serde(flatten)]
        manifest: &'a Manifest,
        entries: &'a EntryTable,
    }
    serde_json::to_writer(sink, &Document { manifest, entries })
}

/// Reads a manifest's document, compares what it lists with the first `listed` entries, and takes their hashes over.
///
/// The document is never in memory as a whole.
pub(super) fn read_document(
    document: impl Read,
    entries: &mut EntryTable,
    listed: usize,
) -> Result<Manifest, ArchiveError> {
    let mut mismatch = None;
    let mut reader = serde_json::Deserializer::from_reader(document);
    let parsed = ReadDocument { entries, listed, mismatch: &mut mismatch }
        .deserialize(&mut reader)
        .and_then(|manifest| reader.end().map(|()| manifest));
    parsed.map_err(|error| match mismatch {
        Some(reason) => ArchiveError::ManifestMismatch { reason },
        // An error of the reader is one of the archive, where it was made by it.
        None if error.is_io() => ArchiveError::from_read(error.into()),
        None => ArchiveError::Json { entry: MANIFEST.into(), source: error },
    })
}

struct ReadDocument<'a> {
    entries: &'a mut EntryTable,
    listed: usize,
    /// Why the document doesn't fit the archive, where that is the error.
    mismatch: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for ReadDocument<'_> {
    type Value = Manifest;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Manifest, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReadDocument<'_> {
    type Value = Manifest;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a manifest")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Manifest, A::Error> {
        let Self { entries, listed, mismatch } = self;
        let mut fields = serde_json::Map::new();
        let mut has_entries = false;
        while let Some(name) = map.next_key::<String>()? {
            if name != "entries" {
                fields.insert(name, map.next_value()?);
            } else if std::mem::replace(&mut has_entries, true) {
                return Err(de::Error::duplicate_field("entries"));
            } else {
                map.next_value_seed(ReadEntries { entries, listed, mismatch })?;
            }
        }
        if !has_entries {
            return Err(de::Error::missing_field("entries"));
        }
        Manifest::deserialize(serde_json::Value::Object(fields)).map_err(de::Error::custom)
    }
}

struct ReadEntries<'a> {
    entries: &'a mut EntryTable,
    listed: usize,
    mismatch: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for ReadEntries<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ReadEntries<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { entries, listed, mismatch } = self;
        let mut refuse = |reason| {
            *mismatch = Some(reason);
            de::Error::custom("the manifest and the archive do not agree")
        };
        let mut found = 0;
        while let Some(Listed { path, sha256, order, offset, compressed_size, size, method }) =
            list.next_element()?
        {
            let says = EntryInfo { path: &path, sha256: None, order, offset, compressed_size, size, method };
            match entries.get(found).filter(|_| found < listed) {
                Some(entry) if entry == says && sha256.is_some() => entries.row_mut(found).sha256 = sha256,
                Some(entry) => {
                    return Err(refuse(format!(
                        "entry `{}` is not as the manifest lists it",
                        shown(entry.path)
                    )));
                }
                None => {
                    return Err(refuse(format!(
                        "the manifest lists more than the {listed} entries that the archive has"
                    )));
                }
            }
            found += 1;
        }
        if found != listed {
            return Err(refuse(format!("the manifest lists {found} entries, the archive has {listed}")));
        }
        Ok(())
    }
}

/// An entry of the list in a manifest.
#[derive(Deserialize)]
struct Listed {
    path: String,
    order: u64,
    offset: u64,
    compressed_size: u64,
    size: u64,
    method: Method,
    #[serde(default)]
    sha256: Option<Digest>,
}

/// What the signature of an archive is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum SignatureState {
    /// The manifest is as `signer` wrote it. Whether to trust the signer is the caller's affair.
    Valid { signer: PublicKey },
    /// The signature does not fit the manifest.
    Invalid,
    /// The archive is of a format without signatures.
    Missing,
}

/// Signs a manifest's bytes as they stand in the archive, compressed: so no other form of the same content passes.
///
/// 64 bytes, the content of `manifest.sig`.
pub(super) fn sign(manifest: &[u8], key: &SigningKey) -> [u8; 64] {
    key.sign(&signed_message(manifest))
}

/// Judges the content of `manifest.sig` against the manifest's bytes as they stand in the archive.
pub(super) fn judge_signature(manifest: &[u8], signer: &PublicKey, signature: &[u8]) -> SignatureState {
    match <&[u8; 64]>::try_from(signature) {
        Ok(signature) if signer.verifies(&signed_message(manifest), signature) => {
            SignatureState::Valid { signer: signer.clone() }
        }
        _ => SignatureState::Invalid,
    }
}

fn signed_message(manifest: &[u8]) -> Vec<u8> {
    [SIGNATURE_CONTEXT, manifest].concat()
}
