//! Filters: rules over labels and attributes, given with a request or saved under a name, that choose entities of a list.
//!
//! A rule becomes a condition of the list's own query; no entity is read to be judged.

mod constraints;
mod parts;
mod rule;
mod saved;
mod search;

use crate::database::Collection;

use super::blueprints::BLUEPRINTS;
use super::deployments::DEPLOYMENTS;
use super::nodes::{NODE_INSTANCES, NODES};
use super::secrets::SECRETS;

pub use rule::FilterRule;
pub use saved::{BLUEPRINTS_FILTERS, DEPLOYMENTS_FILTERS, FilterChange, NewFilter};
pub use search::Choice;
pub(super) use search::{chosen_deployments, in_groups};

/// The kinds of entities that can be filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtered {
    /// Blueprints; filters for them can be saved.
    Blueprints,
    /// Deployments; filters for them can be saved.
    Deployments,
    /// Nodes.
    Nodes,
    /// Node instances.
    NodeInstances,
    /// Secrets.
    Secrets,
}

impl Filtered {
    /// The kind by its name in paths.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Blueprints, Self::Deployments, Self::Nodes, Self::NodeInstances, Self::Secrets]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// The name in paths.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blueprints => "blueprints",
            Self::Deployments => "deployments",
            Self::Nodes => "nodes",
            Self::NodeInstances => "node-instances",
            Self::Secrets => "secrets",
        }
    }

    /// The list that is filtered.
    pub fn collection(self) -> &'static Collection {
        match self {
            Self::Blueprints => &BLUEPRINTS,
            Self::Deployments => &DEPLOYMENTS,
            Self::Nodes => &NODES,
            Self::NodeInstances => &NODE_INSTANCES,
            Self::Secrets => &SECRETS,
        }
    }

    /// The table of its labels, where it has any.
    pub(super) fn labels(self) -> Option<&'static str> {
        match self {
            Self::Blueprints => Some("blueprint_labels"),
            Self::Deployments => Some("deployment_labels"),
            Self::Nodes | Self::NodeInstances | Self::Secrets => None,
        }
    }

    /// The attributes that rules may name, all of them columns of the list.
    fn attributes(self) -> &'static [&'static str] {
        match self {
            Self::Blueprints => &["created_by", "state", "id", "tenant_name"],
            Self::Deployments => &[
                "blueprint_id",
                "created_by",
                "site_name",
                "schedules",
                "tenant_name",
                "display_name",
                "installation_status",
            ],
            Self::Nodes => &["id", "type"],
            Self::NodeInstances => &["id"],
            Self::Secrets => &["key", "provider_name"],
        }
    }
}
