//! One internal error → a code and a message, which each face writes in its own form. No handler builds one by hand.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::Value;

use crate::access::AccessError;
use crate::causes::{NO_SPACE, chain, is_storage_full};
use crate::charts::ChartError;
use crate::database::{DatabaseError, ListError};
use crate::executions::ExecutionError;
use crate::flows::FlowError;
use crate::keys::KeysError;
use crate::maintenance::MaintenanceError;
use crate::manager::ManagerError;
use crate::records::RecordsError;
use crate::secret_sharing::SharingError;
use crate::snapshots::SnapshotError;

use super::face::Face;

/// The codes of errors, each with its status: those of Cloudify, and below them those of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    BadParameters,
    InvalidFilterRule,
    NoSuchIncludeField,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    MissingPremiumPackage,
    Conflict,
    SnapshotAction,
    ExistingRunningExecution,
    DeploymentEnvironmentCreationInProgress,
    ExistingStartedDeploymentModification,
    DeploymentModificationAlreadyEnded,
    IllegalAction,
    IllegalExecutionParameters,
    NonexistentWorkflow,
    InvalidBlueprint,
    MissingRequiredDeploymentInput,
    UnknownDeploymentInput,
    DependentExists,
    DeploymentParentNotFound,
    BlueprintInUse,
    PluginInUse,
    MaintenanceModeActive,
    EnteringMaintenanceMode,
    PayloadTooLarge,
    RangeNotSatisfiable,
    InsufficientStorage,
    ServiceUnavailable,
    ArchiveDamaged,
    Internal,
    FlowRunning,
    StepNotInFlow,
    SnapshotNotFound,
    SnapshotExists,
    SnapshotTooLarge,
    IdMismatch,
    ChangedSince,
    NothingToUndo,
    TooManyRequests,
}

impl ErrorCode {
    /// The `error_code` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadParameters => "bad_parameters_error",
            Self::InvalidFilterRule => "invalid_filter_rule",
            Self::NoSuchIncludeField => "no_such_include_field_error",
            Self::Unauthorized => "unauthorized_error",
            Self::Forbidden => "forbidden_error",
            Self::NotFound => "not_found_error",
            Self::MethodNotAllowed => "method_not_allowed_error",
            Self::MissingPremiumPackage => "missing_premium_package_error",
            Self::Conflict => "conflict_error",
            Self::SnapshotAction => "snapshot_action_error",
            Self::ExistingRunningExecution => "existing_running_execution_error",
            Self::DeploymentEnvironmentCreationInProgress => {
                "deployment_environment_creation_in_progress_error"
            }
            Self::ExistingStartedDeploymentModification => "existing_started_deployment_modification_error",
            Self::DeploymentModificationAlreadyEnded => "deployment_modification_already_ended_error",
            Self::IllegalAction => "illegal_action_error",
            Self::IllegalExecutionParameters => "illegal_execution_parameters_error",
            Self::NonexistentWorkflow => "nonexistent_workflow_error",
            Self::InvalidBlueprint => "invalid_blueprint_error",
            Self::MissingRequiredDeploymentInput => "missing_required_deployment_input_error",
            Self::UnknownDeploymentInput => "unknown_deployment_input_error",
            Self::DependentExists => "dependent_exists_error",
            Self::DeploymentParentNotFound => "deployment_parent_not_found_error",
            Self::BlueprintInUse => "blueprint_in_use",
            Self::PluginInUse => "plugin_in_use",
            Self::MaintenanceModeActive => "maintenance_mode_active",
            Self::EnteringMaintenanceMode => "entering_maintenance_mode",
            Self::PayloadTooLarge => "payload_too_large_error",
            Self::RangeNotSatisfiable => "range_not_satisfiable_error",
            Self::InsufficientStorage => "insufficient_storage_error",
            Self::ServiceUnavailable => "service_unavailable_error",
            Self::ArchiveDamaged => "archive_damaged_error",
            Self::Internal => "internal_server_error",
            Self::FlowRunning => "flow_running_error",
            Self::StepNotInFlow => "step_not_in_flow_error",
            Self::SnapshotNotFound => "snapshot_not_found_error",
            Self::SnapshotExists => "snapshot_exists_error",
            Self::SnapshotTooLarge => "snapshot_too_large_error",
            Self::IdMismatch => "id_mismatch_error",
            Self::ChangedSince => "changed_since_error",
            Self::NothingToUndo => "nothing_to_undo_error",
            Self::TooManyRequests => "too_many_requests_error",
        }
    }

    /// The same as JSON:API's clients have it: `FlowRunning`.
    pub fn title_case(self) -> String {
        if self == Self::Internal {
            return "Internal".to_owned();
        }
        let words = self.as_str().trim_end_matches("_error").split('_');
        words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect()
    }

    /// The status that goes with it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadParameters
            | Self::InvalidFilterRule
            | Self::NoSuchIncludeField
            | Self::SnapshotAction
            | Self::ExistingRunningExecution
            | Self::DeploymentEnvironmentCreationInProgress
            | Self::ExistingStartedDeploymentModification
            | Self::DeploymentModificationAlreadyEnded
            | Self::IllegalAction
            | Self::IllegalExecutionParameters
            | Self::NonexistentWorkflow
            | Self::InvalidBlueprint
            | Self::MissingRequiredDeploymentInput
            | Self::UnknownDeploymentInput
            | Self::DependentExists => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::FlowRunning => StatusCode::FORBIDDEN,
            Self::NotFound
            | Self::MissingPremiumPackage
            | Self::DeploymentParentNotFound
            | Self::StepNotInFlow
            | Self::SnapshotNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed | Self::BlueprintInUse | Self::PluginInUse => {
                StatusCode::METHOD_NOT_ALLOWED
            }
            Self::Conflict
            | Self::SnapshotExists
            | Self::IdMismatch
            | Self::ChangedSince
            | Self::NothingToUndo => StatusCode::CONFLICT,
            Self::PayloadTooLarge | Self::SnapshotTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::MaintenanceModeActive | Self::EnteringMaintenanceMode | Self::ServiceUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::InsufficientStorage => StatusCode::INSUFFICIENT_STORAGE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::ArchiveDamaged | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// An error on its way to a caller.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    code: ErrorCode,
    message: String,
    pointer: Option<String>,
    members: Vec<(&'static str, Value)>,
}

impl ApiError {
    /// An error with this code and message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), pointer: None, members: Vec::new() }
    }

    /// Says where in the caller's document the fault is (RFC 6901).
    pub fn at(mut self, pointer: Option<String>) -> Self {
        self.pointer = pointer;
        self
    }

    /// Adds a member to the body that Cloudify's clients read.
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.members.push((name, value));
        self
    }

    /// The members that the body has beside those of every error, on Cloudify's face.
    pub fn members(&self) -> &[(&'static str, Value)] {
        &self.members
    }

    /// Where in the caller's document the fault is.
    pub fn pointer(&self) -> Option<&str> {
        self.pointer.as_deref()
    }

    /// A parameter that can't be used.
    pub fn bad_parameters(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadParameters, message)
    }

    /// Its code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// A failure of ours: the whole chain to the log, and to the caller only that it happened. A full disk is told.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let chain = chain(error);
        if is_storage_full(error) {
            tracing::error!(error = %chain, "a request failed as the disk is full: {chain}");
            return Self::new(
                ErrorCode::InsufficientStorage,
                format!("{NO_SPACE}: free some (delete snapshots), then repeat the call"),
            );
        }
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
        // Where the request is not at hand; the server writes it again in the form of the request's face.
        Face::Cloudify.answer(self)
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
            ManagerError::FilterRule { ref rule, ref reason } => {
                let rule = serde_json::from_str(rule).unwrap_or_default();
                return Self::new(ErrorCode::InvalidFilterRule, error.to_string())
                    .with("err_filter_rule", rule)
                    .with("err_reason", Value::from(reason.as_str()));
            }
            ManagerError::Database(_)
            | ManagerError::Metrics(_)
            | ManagerError::Generation(_)
            | ManagerError::Vault(_)
            | ManagerError::Io(_) => return Self::internal(&error),
            ManagerError::NotFound { .. } | ManagerError::Missing(_) => ErrorCode::NotFound,
            ManagerError::Exists { .. } | ManagerError::Conflict(_) => ErrorCode::Conflict,
            ManagerError::Id(_) | ManagerError::BadParameters(_) => ErrorCode::BadParameters,
            ManagerError::ParentNotFound(_) => ErrorCode::DeploymentParentNotFound,
            ManagerError::InvalidBlueprint(_) => ErrorCode::InvalidBlueprint,
            ManagerError::MissingInputs(_) => ErrorCode::MissingRequiredDeploymentInput,
            ManagerError::UnknownInputs(_) => ErrorCode::UnknownDeploymentInput,
            ManagerError::DependentExists(_) => ErrorCode::DependentExists,
            ManagerError::BlueprintInUse(_) => ErrorCode::BlueprintInUse,
            ManagerError::PluginInUse(_) => ErrorCode::PluginInUse,
            ManagerError::ExistingRunningExecution(_) => ErrorCode::ExistingRunningExecution,
            ManagerError::EnvironmentInCreation(_) => ErrorCode::DeploymentEnvironmentCreationInProgress,
            ManagerError::Forbidden(_) => ErrorCode::Forbidden,
            ManagerError::ModificationStarted(_) => ErrorCode::ExistingStartedDeploymentModification,
            ManagerError::ModificationEnded(_) => ErrorCode::DeploymentModificationAlreadyEnded,
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
            SnapshotError::Keys(error) => return error.into(),
            SnapshotError::KeyNeeded(_) => ErrorCode::Conflict,
            SnapshotError::SealFor { .. } | SnapshotError::Drop { .. } => ErrorCode::BadParameters,
            SnapshotError::Store(_)
            | SnapshotError::Archive(_)
            | SnapshotError::Comparison(_)
            | SnapshotError::Io(_) => {
                return Self::internal(&error);
            }
            SnapshotError::Damaged { .. } => ErrorCode::ArchiveDamaged,
            SnapshotError::NotFound(_) | SnapshotError::NotCompared(_) => ErrorCode::NotFound,
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

impl From<KeysError> for ApiError {
    fn from(error: KeysError) -> Self {
        let code = match error {
            KeysError::Io { .. }
            | KeysError::Damaged { .. }
            | KeysError::NotHex { .. }
            | KeysError::Gone { .. } => return Self::internal(&error),
            KeysError::Unknown(_) => ErrorCode::NotFound,
            KeysError::InUse(_) | KeysError::OfSettings(_) => ErrorCode::Conflict,
        };
        Self::new(code, error.to_string())
    }
}

impl From<FlowError> for ApiError {
    fn from(error: FlowError) -> Self {
        let message = error.to_string();
        let (code, pointer) = match error {
            // To these callers Cloudify's 400 would say that their document is wrong.
            FlowError::Execution(ExecutionError::Conflict(_)) => (ErrorCode::Conflict, None),
            FlowError::Execution(error) => return error.into(),
            FlowError::Manager(error) => return error.into(),
            FlowError::Records(error) => return error.into(),
            FlowError::NotFound { .. } => (ErrorCode::NotFound, None),
            FlowError::Forbidden { .. } => (ErrorCode::Forbidden, None),
            FlowError::Running(_) => (ErrorCode::FlowRunning, None),
            FlowError::StepNotInFlow { .. } => (ErrorCode::StepNotInFlow, None),
            FlowError::SnapshotExists { .. } => (ErrorCode::SnapshotExists, None),
            FlowError::SnapshotNotFound { .. } => (ErrorCode::SnapshotNotFound, None),
            FlowError::SnapshotTooLarge { .. } => (ErrorCode::SnapshotTooLarge, None),
            FlowError::BodyTooLong { .. } => (ErrorCode::PayloadTooLarge, None),
            FlowError::NotAnObject => (ErrorCode::BadParameters, None),
            FlowError::Invalid { pointer, .. } => (ErrorCode::BadParameters, pointer),
            FlowError::Mismatch { pointer, .. } => (ErrorCode::IdMismatch, Some(pointer.to_owned())),
            FlowError::ChangedSince { .. } => (ErrorCode::ChangedSince, None),
            FlowError::NothingToUndo(_) => (ErrorCode::NothingToUndo, None),
            FlowError::Conflict(_) => (ErrorCode::Conflict, None),
            FlowError::Stopping => (ErrorCode::ServiceUnavailable, None),
        };
        Self::new(code, message).at(pointer)
    }
}

impl From<ChartError> for ApiError {
    fn from(error: ChartError) -> Self {
        let message = error.to_string();
        let (code, name) = match error {
            ChartError::Execution(error) => return error.into(),
            ChartError::Manager(error) => return error.into(),
            ChartError::Records(error) => return error.into(),
            ChartError::Store(_) | ChartError::Io(_) => return Self::internal(&error),
            ChartError::NotFound { .. } => (ErrorCode::NotFound, None),
            ChartError::Parameter { name, reason } => {
                return Self::new(ErrorCode::BadParameters, reason).at(Some(name));
            }
            ChartError::Request(_) => (ErrorCode::BadParameters, None),
            ChartError::Forbidden(_) => (ErrorCode::Forbidden, None),
            ChartError::TooMany(_) => (ErrorCode::TooManyRequests, None),
        };
        Self::new(code, message).at(name)
    }
}

impl From<SharingError> for ApiError {
    fn from(error: SharingError) -> Self {
        match error {
            SharingError::Manager(error) => error.into(),
            SharingError::Records(error) => error.into(),
        }
    }
}

impl From<MaintenanceError> for ApiError {
    fn from(error: MaintenanceError) -> Self {
        match error {
            MaintenanceError::Records(error) => error.into(),
            MaintenanceError::Executions(error) => error.into(),
            MaintenanceError::Manager(error) => error.into(),
        }
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
