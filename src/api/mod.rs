//! HTTP in, HTTP out. One folder per face; no SQL, no file, no decision of the domain.

mod auth;
mod body;
pub mod charts;
pub mod cloudify;
mod download;
mod error;
mod extract;
mod face;
pub mod flows;
mod maintenance;
mod path;
mod selection;
pub mod server;
pub mod service;
mod unread;

pub use auth::Auth;
pub use error::{ApiError, ErrorCode};
pub use extract::{JsonBody, Listing, list_json, page_json, page_size};
