//! Blueprints: read from an archive, planned as deployments, run as workflows.
//!
//! Pure functions: bytes and values in, values out. Nothing here knows HTTP,
//! SQL, the clock or the network; ids are handed in by the caller.

mod archive;
mod budget;
mod builtin;
mod constraints;
mod error;
mod functions;
mod groups;
mod imports;
mod interfaces;
mod keys;
mod namespace;
mod nodes;
mod parse;
mod scaling;
mod schema;
mod types;
mod version;
mod yaml;

pub use archive::{
    ArchiveLimits, BlueprintFiles, contains_key_material, read_blueprint_archive,
};
pub use error::{BlueprintError, DeploymentError};
pub use parse::{Blueprint, parse};
