//! The job engine: the row is the queue, one scheduler claims, jobs run on blocking threads.
//!
//! Knows neither what a job does nor HTTP.

mod cancel;
mod choice;
mod engine;
pub mod events;
mod job;
mod lanes;
mod listing;
pub mod table;

use crate::database::DatabaseError;
use crate::model::ExecutionId;

pub use cancel::CancelToken;
pub use choice::EventChoice;
pub use engine::{Engine, Homes, Worker};
pub use job::{Job, JobError, JobResult};
pub use lanes::Intake;
pub use lanes::conflicts;
pub use listing::merged_groups;

/// Why an execution can't be recorded, found or stopped. The messages are Cloudify's where it has the case.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    #[error("Requested `Execution` with ID `{0}` was not found")]
    NotFound(String),
    #[error("{0}")]
    Illegal(String),
    #[error("Cannot start execution because there are other executions running e.g.: {}", join(.0))]
    Conflict(Vec<ExecutionId>),
    #[error("failed to use the rows of executions")]
    Database(#[from] DatabaseError),
}

fn join(ids: &[ExecutionId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
