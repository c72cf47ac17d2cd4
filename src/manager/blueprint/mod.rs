//! Blueprints: read from an archive, planned as deployments, run as workflows.
//!
//! Pure functions: bytes and values in, values out. Nothing here knows HTTP,
//! SQL, the clock or the network; ids are handed in by the caller.

mod archive;
mod budget;
mod builtin;
mod capabilities;
mod catalog;
mod constraints;
mod deployment;
mod error;
mod evaluate;
mod functions;
mod groups;
mod imports;
mod inputs;
mod instances;
mod interfaces;
mod keys;
mod lifecycle;
mod modify;
mod namespace;
mod nodes;
mod parse;
mod reading;
mod scaling;
mod schema;
mod steps;
mod types;
mod version;
mod yaml;

pub use archive::{ArchiveLimits, BlueprintFiles, contains_key_material, read_blueprint_archive};
pub use capabilities::{CapabilityUse, capability_uses};
pub use catalog::{Catalog, Description, NoPlugins};
pub use deployment::{
    DeploymentPlan, evaluate_outputs, evaluate_payload, evaluate_properties, is_workflow_available,
    plan_deployment,
};
pub use error::{BlueprintError, DeploymentError};
pub use lifecycle::{LifecycleError, LifecycleStep, WorkflowPlan, plan_workflow};
pub use modify::{Modified, WantedInstances, modify_instances};
pub use parse::{Blueprint, parse, parse_with};

#[cfg(test)]
mod tests;
