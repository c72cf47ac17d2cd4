//! `metadata.json`, the first entry: Cloudify's keys and ours.
//!
//! Says what an archive is before anything else of it is read. Older managers
//! wrote this file too, with other keys; only `snapshot_version` is common.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::error::ArchiveError;
use super::keys::{Fingerprint, PublicKey};
use super::times;

/// The version that our archives name, so that Cloudify 7 restores them.
const SNAPSHOT_VERSION: &str = "7.0.5";

/// What kind of archive it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Format {
    /// Ours, format 1: every byte is covered by the manifest.
    Lifeboat1,
    /// A manager's own, of the version its metadata names.
    Foreign { snapshot_version: String },
}

/// What `metadata.json` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// The manager version whose layout the archive has; `7.0.5` in ours.
    pub snapshot_version: String,
    /// The execution that wrote it; always absent in ours.
    pub execution_id: Option<String>,
    /// Our own part; absent in archives of other managers.
    pub lifeboat: Option<LifeboatMetadata>,
    /// The whole document, for keys that only some versions know. Null in one made here.
    pub raw: Value,
}

/// Our own part of `metadata.json`. Keys that a later version may add are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeboatMetadata {
    /// 1.
    pub format: u32,
    pub archive_id: Uuid,
    /// The name of the manager whose state it is.
    pub manager: String,
    #[serde(with = "times")]
    pub created_at: DateTime<Utc>,
    pub lifeboat_version: String,
    pub options: ArchiveOptions,
    /// The key that signs the manifest at the end.
    pub signer: PublicKey,
    /// The keys that open the sealed parts; empty where nothing is sealed.
    #[serde(default)]
    pub sealed_for: Vec<Fingerprint>,
    /// The archive of which this one is a copy sealed for other keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resealed_from: Option<Uuid>,
    /// Of such a copy, the key that signed the first archive of its line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_signer: Option<PublicKey>,
}

/// What was asked to be in the archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveOptions {
    pub include_metrics: bool,
    pub include_credentials: bool,
    pub include_logs: bool,
    pub include_events: bool,
    /// Archives of before there were flows do not say it.
    #[serde(default)]
    pub include_flow_history: bool,
}

impl Metadata {
    /// The metadata of a new archive of ours.
    pub fn new(lifeboat: LifeboatMetadata) -> Self {
        Self {
            snapshot_version: SNAPSHOT_VERSION.to_owned(),
            execution_id: None,
            lifeboat: Some(lifeboat),
            raw: Value::Null,
        }
    }

    /// The bytes of `metadata.json`.
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Document<'a> {
            snapshot_version: &'a str,
            execution_id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            lifeboat: Option<&'a LifeboatMetadata>,
        }
        serde_json::to_vec(&Document {
            snapshot_version: &self.snapshot_version,
            execution_id: self.execution_id.as_deref(),
            lifeboat: self.lifeboat.as_ref(),
        })
        .expect("strings, numbers and booleans always make JSON")
    }

    /// Reads the bytes of `metadata.json`; an object with a `snapshot_version` is the least.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let not_snapshot = |reason: String| ArchiveError::NotSnapshot { reason };
        let raw: Value = serde_json::from_slice(bytes)
            .map_err(|error| not_snapshot(format!("`metadata.json` is not JSON ({error})")))?;
        let Value::Object(document) = &raw else {
            return Err(not_snapshot("`metadata.json` is not an object".into()));
        };
        let snapshot_version = match document.get("snapshot_version") {
            Some(Value::String(version)) if !version.is_empty() => version.clone(),
            Some(_) => {
                return Err(not_snapshot("`snapshot_version` in `metadata.json` is not a text".into()));
            }
            None => {
                return Err(not_snapshot("`metadata.json` has no `snapshot_version`".into()));
            }
        };
        let execution_id = document.get("execution_id").and_then(Value::as_str).map(str::to_owned);
        let lifeboat = match document.get("lifeboat") {
            None | Some(Value::Null) => None,
            Some(own) => Some(read_own(own)?),
        };
        Ok(Self { snapshot_version, execution_id, lifeboat, raw })
    }
}

/// Looks at the format before the rest, which a later format may have changed.
fn read_own(own: &Value) -> Result<LifeboatMetadata, ArchiveError> {
    match own.get("format").and_then(Value::as_u64) {
        Some(1) => {}
        Some(format) => return Err(ArchiveError::UnknownFormat { format }),
        None => {
            return Err(ArchiveError::NotSnapshot {
                reason: "`lifeboat.format` in `metadata.json` is not a number".into(),
            });
        }
    }
    LifeboatMetadata::deserialize(own).map_err(|error| ArchiveError::NotSnapshot {
        reason: format!("`lifeboat` in `metadata.json` is not what format 1 has ({error})"),
    })
}
