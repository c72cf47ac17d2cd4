//! One internal error → the error body of the face. No handler builds one by hand.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use crate::access::AccessError;
use crate::causes::chain;
use crate::database::{DatabaseError, ListError};
use crate::executions::ExecutionError;
use crate::manager::ManagerError;
use crate::records::RecordsError;
use crate::snapshots::SnapshotError;

/// The codes of Cloudify's errors, each with its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    BadParameters,
    NoSuchIncludeField,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    SnapshotAction,
    ExistingRunningExecution,
    IllegalAction,
    IllegalExecutionParameters,
    NonexistentWorkflow,
    InvalidBlueprint,
    MissingRequiredDeploymentInput,
    UnknownDeploymentInput,
    DependentExists,
    BlueprintInUse,
    PluginInUse,
    MaintenanceModeActive,
    PayloadTooLarge,
    RangeNotSatisfiable,
    InsufficientStorage,
    ServiceUnavailable,
    Internal,
}

impl ErrorCode {
    /// The `error_code` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadParameters => "bad_parameters_error",
            Self::NoSuchIncludeField => "no_such_include_field_error",
            Self::Unauthorized => "unauthorized_error",
            Self::Forbidden => "forbidden_error",
            Self::NotFound => "not_found_error",
            Self::MethodNotAllowed => "method_not_allowed_error",
            Self::Conflict => "conflict_error",
            Self::SnapshotAction => "snapshot_action_error",
            Self::ExistingRunningExecution => "existing_running_execution_error",
            Self::IllegalAction => "illegal_action_error",
            Self::IllegalExecutionParameters => "illegal_execution_parameters_error",
            Self::NonexistentWorkflow => "nonexistent_workflow_error",
            Self::InvalidBlueprint => "invalid_blueprint_error",
            Self::MissingRequiredDeploymentInput => "missing_required_deployment_input_error",
            Self::UnknownDeploymentInput => "unknown_deployment_input_error",
            Self::DependentExists => "dependent_exists_error",
            Self::BlueprintInUse => "blueprint_in_use",
            Self::PluginInUse => "plugin_in_use",
            Self::MaintenanceModeActive => "maintenance_mode_active",
            Self::PayloadTooLarge => "payload_too_large_error",
            Self::RangeNotSatisfiable => "range_not_satisfiable_error",
            Self::InsufficientStorage => "insufficient_storage_error",
            Self::ServiceUnavailable => "service_unavailable_error",
            Self::Internal => "internal_server_error",
        }
    }

    /// The status that goes with it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadParameters
            | Self::NoSuchIncludeField
            | Self::SnapshotAction
            | Self::ExistingRunningExecution
            | Self::IllegalAction
            | Self::IllegalExecutionParameters
            | Self::NonexistentWorkflow
            | Self::InvalidBlueprint
            | Self::MissingRequiredDeploymentInput
            | Self::UnknownDeploymentInput
            | Self::DependentExists => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed | Self::BlueprintInUse | Self::PluginInUse => {
                StatusCode::METHOD_NOT_ALLOWED
            }
            Self::Conflict => StatusCode::CONFLICT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::MaintenanceModeActive | Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::InsufficientStorage => StatusCode::INSUFFICIENT_STORAGE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// An error on its way to a caller.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    code: ErrorCode,
    message: String,
}

impl ApiError {
    /// An error with this code and message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A parameter that can't be used.
    pub fn bad_parameters(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadParameters, message)
    }

    /// Its code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// A failure of ours: the whole chain to the log, and to the caller only that it happened.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let chain = chain(error);
        tracing::error!(error = %chain, "a request failed by a fault of the service: {chain}");
        Self::new(
            ErrorCode::Internal,
            "Internal error occurred in manager REST server - see the service's log for the cause",
        )
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if self.code == ErrorCode::Unauthorized {
            response.insert_header(("WWW-Authenticate", "Basic realm=\"lifeboat\""));
        }
        response.json(json!({
            "message": self.message,
            "error_code": self.code.as_str(),
            "server_traceback": null,
        }))
    }
}

impl From<ListError> for ApiError {
    fn from(error: ListError) -> Self {
        match &error {
            ListError::UnknownInclude { .. } => Self::new(ErrorCode::NoSuchIncludeField, error.to_string()),
            ListError::UnknownSort { .. } | ListError::UnknownFilter { .. } => {
                Self::bad_parameters(error.to_string())
            }
            ListError::Database(_) => Self::internal(&error),
        }
    }
}

impl From<DatabaseError> for ApiError {
    fn from(error: DatabaseError) -> Self {
        Self::internal(&error)
    }
}

impl From<RecordsError> for ApiError {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::List(error) => error.into(),
            RecordsError::Database(_) | RecordsError::Unknown { .. } => Self::internal(&error),
        }
    }
}

impl From<ManagerError> for ApiError {
    fn from(error: ManagerError) -> Self {
        let code = match error {
            ManagerError::List(error) => return error.into(),
            ManagerError::Database(_)
            | ManagerError::Generation(_)
            | ManagerError::Vault(_)
            | ManagerError::Io(_) => return Self::internal(&error),
            ManagerError::NotFound { .. } => ErrorCode::NotFound,
            ManagerError::Exists { .. } | ManagerError::Conflict(_) => ErrorCode::Conflict,
            ManagerError::Id(_) | ManagerError::BadParameters(_) => ErrorCode::BadParameters,
            ManagerError::InvalidBlueprint(_) => ErrorCode::InvalidBlueprint,
            ManagerError::MissingInputs(_) => ErrorCode::MissingRequiredDeploymentInput,
            ManagerError::UnknownInputs(_) => ErrorCode::UnknownDeploymentInput,
            ManagerError::DependentExists(_) => ErrorCode::DependentExists,
            ManagerError::BlueprintInUse(_) => ErrorCode::BlueprintInUse,
            ManagerError::PluginInUse(_) => ErrorCode::PluginInUse,
            ManagerError::ExistingRunningExecution(_) => ErrorCode::ExistingRunningExecution,
            ManagerError::Forbidden(_) => ErrorCode::Forbidden,
            ManagerError::IllegalAction(_) => ErrorCode::IllegalAction,
            ManagerError::NonexistentWorkflow(_) => ErrorCode::NonexistentWorkflow,
            ManagerError::IllegalExecutionParameters(_) => ErrorCode::IllegalExecutionParameters,
            ManagerError::Maintenance => ErrorCode::MaintenanceModeActive,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ExecutionError> for ApiError {
    fn from(error: ExecutionError) -> Self {
        let code = match error {
            ExecutionError::Database(_) => return Self::internal(&error),
            ExecutionError::NotFound(_) => ErrorCode::NotFound,
            ExecutionError::Illegal(_) => ErrorCode::IllegalAction,
            ExecutionError::Conflict(_) => ErrorCode::ExistingRunningExecution,
        };
        Self::new(code, error.to_string())
    }
}

impl From<SnapshotError> for ApiError {
    fn from(error: SnapshotError) -> Self {
        let code = match error {
            SnapshotError::Execution(error) => return error.into(),
            SnapshotError::List(error) => return error.into(),
            SnapshotError::Records(error) => return error.into(),
            SnapshotError::Store(_) | SnapshotError::Archive(_) | SnapshotError::Io(_) => {
                return Self::internal(&error);
            }
            SnapshotError::NotFound(_) => ErrorCode::NotFound,
            SnapshotError::Exists { .. } => ErrorCode::Conflict,
            SnapshotError::Action(_) => ErrorCode::SnapshotAction,
            SnapshotError::Id(_)
            | SnapshotError::NotAnArchive(_)
            | SnapshotError::Incomplete
            | SnapshotError::Fetch(_) => ErrorCode::BadParameters,
            SnapshotError::TooLong(_) => ErrorCode::PayloadTooLarge,
            SnapshotError::NoSpace(_) => ErrorCode::InsufficientStorage,
        };
        Self::new(code, error.to_string())
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        let code = match error {
            AccessError::Records(error) => return error.into(),
            AccessError::Manager(error) => return error.into(),
            AccessError::Password(_) => return Self::internal(&error),
            AccessError::NoCredentials
            | AccessError::WrongCredentials(_)
            | AccessError::WrongToken
            | AccessError::ExpiredToken
            | AccessError::MalformedToken => ErrorCode::Unauthorized,
            AccessError::UnknownTenant(_) | AccessError::Forbidden { .. } => ErrorCode::Forbidden,
            AccessError::Id(_) => ErrorCode::BadParameters,
        };
        Self::new(code, error.to_string())
    }
}
