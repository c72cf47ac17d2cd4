//! Why the embedded manager refused or failed. The messages are Cloudify's where it has the case.

use crate::charts::store::StoreError;
use crate::database::{DatabaseError, ListError};
use crate::model::IdError;

use super::{GenerationError, VaultError};

/// Why an operation of the embedded manager failed.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    #[error("Requested `{noun}` with ID `{id}` was not found")]
    NotFound { noun: &'static str, id: String },
    /// What a call needs is not there; said in words of its own.
    #[error("{0}")]
    Missing(String),
    #[error(
        "<{noun} id=`{id}` tenant=`{tenant}`> already exists on <Tenant name=`{tenant}`> or with global visibility"
    )]
    Exists { noun: &'static str, id: String, tenant: String },
    #[error(transparent)]
    Id(#[from] IdError),
    /// A parameter that can't be used: what is wrong, which value, what to do.
    #[error("{0}")]
    BadParameters(String),
    #[error("The filter rule {rule} is not in the right format. {reason}")]
    FilterRule { rule: String, reason: String },
    #[error("{0}")]
    ParentNotFound(String),
    #[error("{0}")]
    InvalidBlueprint(String),
    #[error("{0}")]
    MissingInputs(String),
    #[error("{0}")]
    UnknownInputs(String),
    #[error("{0}")]
    DependentExists(String),
    #[error("{0}")]
    BlueprintInUse(String),
    #[error("{0}")]
    PluginInUse(String),
    #[error("{0}")]
    ExistingRunningExecution(String),
    #[error("{0}")]
    EnvironmentInCreation(String),
    #[error("{0}")]
    ModificationStarted(String),
    #[error("{0}")]
    ModificationEnded(String),
    #[error("{0}")]
    IllegalAction(String),
    #[error("{0}")]
    Forbidden(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    NonexistentWorkflow(String),
    #[error("{0}")]
    IllegalExecutionParameters(String),
    #[error("Your request was rejected since Cloudify manager is currently in maintenance mode")]
    Maintenance,
    #[error(transparent)]
    List(#[from] ListError),
    #[error("failed to use the manager's tables")]
    Database(#[from] DatabaseError),
    #[error("failed to use the manager's generations")]
    Generation(#[from] GenerationError),
    #[error("failed to use the manager's measurements")]
    Metrics(#[from] StoreError),
    #[error("failed to use a value sealed at rest")]
    Vault(#[from] VaultError),
    #[error("failed to read or write a file of the manager")]
    Io(#[from] std::io::Error),
}

impl From<rusqlite::Error> for ManagerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}
