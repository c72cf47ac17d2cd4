//! Librato's API of version 1: metrics, spaces with their charts, chart snapshots and the jobs that draw them.

mod annotations;
mod body;
mod images;
mod measurements;
mod metrics;
mod parameters;
mod snapshots;
mod spaces;

use actix_web::web;

/// Adds the routes of this face.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .configure(metrics::routes)
        .configure(measurements::routes)
        .configure(annotations::routes)
        .configure(spaces::routes)
        .configure(snapshots::routes)
        .configure(images::routes);
}
