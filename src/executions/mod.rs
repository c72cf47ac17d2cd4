//! The job engine: the row is the queue, one scheduler claims, jobs run on blocking threads.
//!
//! Knows neither what a job does nor HTTP.

mod cancel;
mod job;
pub mod table;

pub use cancel::CancelToken;
pub use job::{Job, JobError, JobResult};
