//! HTTP in, HTTP out. One folder per face; no SQL, no file, no decision of the domain.

mod auth;
pub mod cloudify;
mod error;
mod extract;

pub use auth::Auth;
pub use error::{ApiError, ErrorCode};
pub use extract::{JsonBody, Listing, page_json};
