//! Why an operation on flows was refused or failed.

use crate::database::DatabaseError;
use crate::executions::ExecutionError;
use crate::manager::ManagerError;
use crate::records::RecordsError;

/// Why an operation on flows was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// There is none, or the caller is no member of its workspace.
    #[error("there is no {noun} `{id}`")]
    NotFound { noun: &'static str, id: String },
    #[error(
        "the user `{user}` has not the permission `{permission}` in the workspace `{workspace}`: it takes the role {least} or a stronger one there"
    )]
    Forbidden { user: String, permission: &'static str, workspace: String, least: &'static str },
    #[error("the flow `{0}` is running: stop it, and wait until its `current_status` is `inactive`")]
    Running(String),
    #[error("the flow `{flow}` has no step `{step}` in its graph")]
    StepNotInFlow { flow: String, step: String },
    #[error("the step `{step}` of the flow `{flow}` has a snapshot already: edit that one")]
    SnapshotExists { flow: String, step: String },
    #[error("the step `{step}` of the flow `{flow}` has no snapshot")]
    SnapshotNotFound { flow: String, step: String },
    #[error("the snapshot has {bytes} bytes, and the setting `flows.max_snapshot_bytes` allows {max}")]
    SnapshotTooLarge { bytes: usize, max: usize },
    #[error("a merge takes a JSON object: use `emit` for any other value")]
    NotAnObject,
    /// A body that was cut off because it is too long.
    #[error("the body is longer than {max} bytes")]
    BodyTooLong { max: usize },
    /// A document or a parameter that can't be used: where in it, what is wrong, what to do.
    #[error("{detail}")]
    Invalid { pointer: Option<String>, detail: String },
    /// The document is about something else than the address.
    #[error("{detail}")]
    Mismatch { pointer: &'static str, detail: String },
    #[error(
        "the snapshot of the step `{step}` was changed since: undo what came later first, or ask with `force` for the value before the change `{change}`"
    )]
    ChangedSince { step: String, change: i64 },
    #[error("{0}")]
    NothingToUndo(String),
    #[error("{0}")]
    Conflict(String),
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    #[error(transparent)]
    Manager(#[from] ManagerError),
    #[error("failed to use the records of the service")]
    Records(#[from] RecordsError),
    #[error("the service is stopping: send it again")]
    Stopping,
}

impl FlowError {
    /// Something in the caller's document that can't be used; `pointer` says where (RFC 6901).
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid { pointer: Some(pointer.into()), detail: detail.into() }
    }

    /// A parameter of the query that can't be used.
    pub fn parameter(detail: impl Into<String>) -> Self {
        Self::Invalid { pointer: None, detail: detail.into() }
    }
}

impl From<DatabaseError> for FlowError {
    fn from(error: DatabaseError) -> Self {
        Self::Manager(error.into())
    }
}

impl From<rusqlite::Error> for FlowError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Manager(error.into())
    }
}
