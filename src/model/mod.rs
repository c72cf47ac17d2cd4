//! The words of the service: ids, statuses and their legal transitions, roles and permissions.
//!
//! Knows no HTTP, no SQL and nothing else of ours.

mod access;
mod caller;
mod execution;
mod ids;
mod permissions;
mod selection;
mod snapshot;
mod timestamp;

pub use access::{Permission, Role, SystemRole, TenantRole, Visibility};
pub use caller::{Asking, Caller};
pub use execution::{CancelMode, Execution, ExecutionGroup, ExecutionStatus, Workflow};
pub use ids::{BlobId, EntityId, ExecutionId, IdError, SnapshotId, TenantName, UserName};
pub use permissions::{Grants, PERMISSIONS};
pub use selection::{EntityName, IdPattern, Matcher, Selection, SelectionError};
pub use snapshot::{Protection, Snapshot, SnapshotOrigin, SnapshotStatus};
pub use timestamp::Timestamp;
