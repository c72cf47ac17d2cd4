//! Why an operation on metrics, charts or chart snapshots was refused or failed.

use crate::database::DatabaseError;
use crate::executions::ExecutionError;
use crate::manager::ManagerError;
use crate::records::RecordsError;

use super::store::StoreError;

/// Why an operation on metrics, charts or chart snapshots was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// There is none, or it belongs to another tenant.
    #[error("there is no {noun} `{id}`, or you may not see it")]
    NotFound { noun: &'static str, id: String },
    /// A parameter that can't be used: its name, and what is wrong with it.
    #[error("{name} {reason}")]
    Parameter { name: String, reason: String },
    /// The request as a whole can't be meant.
    #[error("{0}")]
    Request(String),
    #[error("{0}")]
    Forbidden(String),
    /// Too many pictures wait to be drawn, or are kept.
    #[error("{0}")]
    TooMany(String),
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    #[error(transparent)]
    Manager(#[from] ManagerError),
    #[error("failed to use the store of metrics")]
    Store(#[from] StoreError),
    #[error("failed to use the records of the service")]
    Records(#[from] RecordsError),
    #[error("failed to keep or read a picture")]
    Io(#[from] std::io::Error),
}

impl ChartError {
    /// A parameter that can't be used.
    pub fn parameter(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Parameter { name: name.into(), reason: reason.into() }
    }
}

impl From<DatabaseError> for ChartError {
    fn from(error: DatabaseError) -> Self {
        Self::Manager(error.into())
    }
}

impl From<rusqlite::Error> for ChartError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Manager(error.into())
    }
}
