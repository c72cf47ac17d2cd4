//! elastic.io's API: flows and the snapshots of their steps in version 2 (JSON:API), tasks in version 1.

mod captures;
mod collection;
mod document;
mod history;
mod snapshots;
mod tasks;
mod views;
mod workspaces;

use actix_web::web;

/// Adds the routes of this face.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .configure(history::routes)
        .configure(snapshots::routes)
        .configure(captures::routes)
        .configure(collection::routes)
        .configure(workspaces::routes)
        .configure(tasks::routes);
}
