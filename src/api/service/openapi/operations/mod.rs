//! The calls, one file for each group of them.
//!
//! What stands here is said by hand and checked against the handlers by this face's tests.

mod agents;
mod audit;
mod blueprints;
mod charts;
mod comparisons;
mod dependencies;
mod deployment_groups;
mod deployment_modifications;
mod deployment_updates;
mod deployments;
mod documentation;
mod execution_groups;
mod executions;
mod filters;
mod flows;
mod grants;
mod keys;
mod maintenance;
mod manager;
mod nodes;
mod plugins;
mod plugins_updates;
mod premium;
mod schedules;
mod searches;
mod secrets;
mod service;
mod sites;
mod snapshots;
mod tasks_graphs;
mod tenants;
mod tokens;
mod user_groups;
mod users;

use super::operation::Operation;

pub(super) use keys::schemas as key_schemas;

/// A group of calls.
pub(super) struct Group {
    /// Its name.
    pub tag: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Its calls.
    pub operations: Vec<Operation>,
}

/// All groups, in the order in which a reader meets them.
pub(super) fn groups() -> Vec<Group> {
    let mut groups =
        vec![snapshots::group(), comparisons::group(), executions::group(), keys::group(), service::group()];
    groups.extend(flows::groups());
    groups.extend(charts::groups());
    groups.extend([
        blueprints::group(),
        deployments::group(),
        schedules::group(),
        deployment_modifications::group(),
        deployment_updates::group(),
        deployment_groups::group(),
        execution_groups::group(),
        tasks_graphs::group(),
        dependencies::group(),
        nodes::group(),
        plugins::group(),
        plugins_updates::group(),
        secrets::group(),
        agents::group(),
        sites::group(),
        filters::group(),
        searches::group(),
        tenants::group(),
        users::group(),
        user_groups::group(),
        grants::group(),
        tokens::group(),
        audit::group(),
        maintenance::group(),
        manager::group(),
        documentation::group(),
    ]);
    for group in &mut groups {
        for operation in &mut group.operations {
            operation.tag = group.tag;
        }
    }
    groups
}
