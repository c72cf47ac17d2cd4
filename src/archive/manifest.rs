//! The manifest: every entry with its place and hash, and the signature over it.
//!
//! Knows documents and keys, not how the zip around them is laid out.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::digest::Digest;
use super::keys::{PublicKey, SigningKey};
use super::times;

/// What the signature covers before the manifest's bytes.
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

/// One entry of an archive, as the manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryInfo {
    /// The entry's name; a folder's ends in `/`.
    pub path: String,
    /// Its number, from 0, in the order of the archive.
    pub order: u64,
    /// Where its local header begins, in bytes from the start of the archive.
    pub offset: u64,
    /// Bytes it takes in the archive, without headers.
    pub compressed_size: u64,
    /// Bytes of its content.
    pub size: u64,
    /// How the content is kept.
    pub method: Method,
    /// Hash of the content; archives that are not ours have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

impl EntryInfo {
    /// Whether the entry is a folder, which has no content.
    pub fn is_folder(&self) -> bool {
        self.path.ends_with('/')
    }
}

/// The last entry but one of an archive: what it holds, byte for byte.
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
    /// Every entry but the manifest and its signature, in order.
    pub entries: Vec<EntryInfo>,
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

/// Signs a manifest's bytes; 64 bytes, the content of `manifest.sig`.
pub(super) fn sign(manifest: &[u8], key: &SigningKey) -> [u8; 64] {
    key.sign(&signed_message(manifest))
}

/// Judges the content of `manifest.sig` against the manifest's bytes.
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
