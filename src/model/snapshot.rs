//! A manager snapshot as the service knows it.

use serde::{Deserialize, Serialize};

use super::{ExecutionId, SnapshotId, TenantName, Timestamp, UserName};

/// Where a snapshot stands. `creating` and `uploading` end in one of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotStatus {
    /// Its create execution waits or runs.
    Creating,
    /// Its archive was written, read back and is in the store.
    Created,
    /// Its create or upload failed, or was cancelled; there is no archive.
    Failed,
    /// A body is being received or a URL fetched.
    Uploading,
    /// Its archive came from outside and is in the store.
    Uploaded,
}

impl SnapshotStatus {
    /// The name on the wire and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Failed => "failed",
            Self::Uploading => "uploading",
            Self::Uploaded => "uploaded",
        }
    }

    /// The status by its name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Creating, Self::Created, Self::Failed, Self::Uploading, Self::Uploaded]
            .into_iter()
            .find(|status| status.as_str() == text)
    }

    /// The states from which this one may be reached.
    pub fn legal_earlier(self) -> &'static [Self] {
        match self {
            Self::Creating | Self::Uploading => &[],
            Self::Created => &[Self::Creating],
            Self::Uploaded => &[Self::Uploading],
            Self::Failed => &[Self::Creating, Self::Uploading],
        }
    }
}

/// How a snapshot came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotOrigin {
    /// Made here from the manager's state.
    Create,
    /// Received as a body.
    Upload,
    /// Fetched from a URL.
    Url,
}

impl SnapshotOrigin {
    /// The name on the wire and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Upload => "upload",
            Self::Url => "url",
        }
    }
}

/// Who protects a snapshot from being deleted, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// Who asked for it.
    pub by: UserName,
    /// Since when.
    pub at: Timestamp,
}

/// A manager snapshot's record.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The tenant in which it was asked for; its archive holds all tenants all the same.
    pub tenant_name: TenantName,
    /// The caller's id, unique in the tenant.
    pub id: SnapshotId,
    /// When the create or upload was accepted.
    pub created_at: Timestamp,
    /// Who asked for it.
    pub created_by: UserName,
    /// Where it stands.
    pub status: SnapshotStatus,
    /// Why it failed; empty otherwise.
    pub error: String,
    /// The execution that makes it; none for an upload.
    pub execution_id: Option<ExecutionId>,
    /// The file's name in the store, a UUID given when the record was made.
    pub archive_file: uuid::Uuid,
    /// The archive's length in bytes, once there is one.
    pub size_bytes: Option<u64>,
    /// The archive's SHA-256 in hex, once there is one.
    pub sha256: Option<String>,
    /// Who protects it from being deleted, if anybody does.
    pub protection: Option<Protection>,
}
