//! Cloudify's API, v2 to v3.1: all versions behave as 7.0.5.

<<<<<<< HEAD
mod executions;
mod snapshots;
=======
mod blueprints;
mod deployments;
mod nodes;
mod permissions;
mod transfer;
>>>>>>> inventory

use actix_web::web;
use serde_json::{Map, Value};

use crate::app::Service;
use crate::database::{ListQuery, Scope, text};
use crate::executions::table::EXECUTIONS;
use crate::executions::{ExecutionError, merged};
use crate::model::ExecutionId;

use super::ApiError;

/// The versions that are served, each under `/api/<version>`.
pub const VERSIONS: [&str; 4] = ["v2", "v2.1", "v3", "v3.1"];

/// Adds the routes of this face.
pub fn configure(config: &mut web::ServiceConfig) {
    for version in VERSIONS {
        config.service(web::scope(&format!("/api/{version}")).configure(routes));
    }
}

fn routes(config: &mut web::ServiceConfig) {
<<<<<<< HEAD
    config.configure(snapshots::routes).configure(executions::routes);
}

/// An execution as it stands now, for the answer to the call that recorded or changed it.
async fn execution_json(service: &Service, id: ExecutionId) -> Result<Map<String, Value>, ApiError> {
    let scope = Scope::everything().and("id = ?", [text(id.to_string())]);
    let query = ListQuery { size: 1, ..ListQuery::default() };
    let mut page = merged(service.engine.databases(), &EXECUTIONS, query, scope, "created_at").await?;
    page.items.pop().ok_or_else(|| ExecutionError::NotFound(id.to_string()).into())
=======
    config.configure(blueprints::routes);
    config.configure(deployments::routes);
    config.configure(nodes::routes);
>>>>>>> inventory
}
