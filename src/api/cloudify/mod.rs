//! Cloudify's API, v2 to v3.1: all versions behave as 7.0.5.

mod agents;
mod audit;
mod blueprints;
mod comparisons;
mod dependencies;
mod deployment_groups;
mod deployment_modifications;
mod deployment_updates;
mod deployments;
mod execution_groups;
mod executions;
mod filters;
mod grants;
mod labels;
mod log_bundles;
mod maintenance;
mod nodes;
pub(super) mod permissions;
mod plugins;
mod plugins_updates;
mod premium;
mod provenance;
mod schedules;
mod searches;
mod secret_files;
mod secrets;
mod sites;
mod snapshots;
mod status;
mod summary;
mod tasks_graphs;
mod tenants;
mod tokens;
mod transfer;
mod user_groups;
mod users;

use actix_web::web;

pub(super) use log_bundles::LOG_BUNDLES;

/// The versions that are served, each under `/api/<version>`.
pub const VERSIONS: [&str; 4] = ["v2", "v2.1", "v3", "v3.1"];

/// Adds the routes of this face.
pub fn configure(config: &mut web::ServiceConfig) {
    for version in VERSIONS {
        config.service(web::scope(&format!("/api/{version}")).configure(routes));
    }
    // The only call that has no version in its path.
    config.service(web::resource("/api/version").route(web::get().to(status::version)));
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(agents::routes)
        .configure(audit::routes)
        .configure(blueprints::routes)
        .configure(comparisons::routes)
        .configure(dependencies::routes)
        .configure(deployment_groups::routes)
        .configure(deployment_modifications::routes)
        .configure(deployment_updates::routes)
        .configure(deployments::routes)
        .configure(execution_groups::routes)
        .configure(executions::routes)
        .configure(filters::routes)
        .configure(labels::routes)
        .configure(grants::routes)
        .configure(log_bundles::routes)
        .configure(maintenance::routes)
        .configure(nodes::routes)
        .configure(plugins::routes)
        .configure(plugins_updates::routes)
        .configure(premium::routes)
        .configure(searches::routes)
        .configure(schedules::routes)
        .configure(secret_files::routes)
        .configure(secrets::routes)
        .configure(sites::routes)
        .configure(snapshots::routes)
        .configure(status::routes)
        .configure(summary::routes)
        .configure(tasks_graphs::routes)
        .configure(tenants::routes)
        .configure(tokens::routes)
        .configure(user_groups::routes)
        .configure(users::routes);
}
