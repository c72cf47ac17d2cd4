//! Cloudify's API, v2 to v3.1: all versions behave as 7.0.5.

mod agents;
mod blueprints;
mod deployments;
mod nodes;
mod permissions;
mod plugins;
mod secrets;
mod transfer;

use actix_web::web;

/// The versions that are served, each under `/api/<version>`.
pub const VERSIONS: [&str; 4] = ["v2", "v2.1", "v3", "v3.1"];

/// Adds the routes of this face.
pub fn configure(config: &mut web::ServiceConfig) {
    for version in VERSIONS {
        config.service(web::scope(&format!("/api/{version}")).configure(routes));
    }
}

fn routes(config: &mut web::ServiceConfig) {
    config.configure(agents::routes);
    config.configure(blueprints::routes);
    config.configure(deployments::routes);
    config.configure(nodes::routes);
    config.configure(plugins::routes);
    config.configure(secrets::routes);
}
