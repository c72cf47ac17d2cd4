//! The inventory: how many entities of each kind there are, by tenant, and what differs between two inventories.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::model::TenantName;

use super::ManagerError;
use super::tenants::tenant_names;

/// The kinds that are counted, each with what gives a row with a `tenant_name` for one entity.
const KINDS: &[(&str, &str)] = &[
    ("blueprints", "blueprints"),
    ("deployments", "deployments"),
    ("nodes", "nodes"),
    ("node_instances", "node_instances"),
    ("plugins", "plugins"),
    ("secrets", "secrets"),
    ("agents", "agents"),
    ("sites", "sites"),
    ("blueprints_filters", "blueprints_filters WHERE is_system_filter = 0"),
    ("deployments_filters", "deployments_filters WHERE is_system_filter = 0"),
    ("executions", "executions WHERE deployment_id IS NOT NULL"),
    ("deployment_groups", "deployment_groups"),
    ("execution_groups", "execution_groups"),
    ("inter_deployment_dependencies", "inter_deployment_dependencies"),
    ("tasks_graphs", "tasks_graphs"),
    ("deployment_updates", "deployment_updates"),
    ("deployment_modifications", "deployment_modifications"),
    ("plugins_updates", "plugins_updates"),
    ("execution_schedules", "execution_schedules"),
    ("flows", "flows"),
    ("step_snapshots", "step_snapshots JOIN flows ON flows.id = step_snapshots.flow_id"),
    ("captures", "captures"),
    ("spaces", "spaces"),
    ("charts", "charts JOIN spaces ON spaces.id = charts.space_id"),
];
/// The kinds of which a clean manager has none.
const MADE: [&str; 11] = [
    "blueprints",
    "deployments",
    "plugins",
    "secrets",
    "agents",
    "sites",
    "blueprints_filters",
    "deployments_filters",
    "flows",
    "captures",
    "spaces",
];

/// Entities by kind, of one tenant or of all.
pub type Counts = BTreeMap<String, u64>;

/// How many entities a manager holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// By kind, of all tenants; `tenants` among them, `executions` those of deployments.
    pub counts: Counts,
    /// By kind, for each tenant.
    pub tenants: BTreeMap<String, Counts>,
}

/// A count that is not the same in two inventories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The tenant; none for all of them.
    pub tenant: Option<String>,
    /// The kind.
    pub kind: String,
    /// The count in the first inventory.
    pub before: u64,
    /// The count in the second.
    pub after: u64,
}

impl Inventory {
    /// Counts as of the moment that the connection sees.
    ///
    /// # Errors
    /// The database's own.
    pub fn read(connection: &Connection) -> Result<Self, ManagerError> {
        let mut inventory = Self::default();
        let names = tenant_names(connection)?;
        inventory.counts.insert("tenants".to_owned(), names.len() as u64);
        for name in names {
            let counts = KINDS.iter().map(|(kind, _)| ((*kind).to_owned(), 0));
            inventory.tenants.insert(name.to_string(), counts.collect());
        }
        for &(kind, rows) in KINDS {
            let sql = format!("SELECT tenant_name, count(*) FROM {rows} GROUP BY tenant_name");
            let mut total = 0;
            let mut statement = connection.prepare_cached(&sql)?;
            let rows =
                statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
            for row in rows {
                let (tenant, count) = row?;
                let count = u64::try_from(count).unwrap_or(0);
                total += count;
                inventory.tenants.entry(tenant).or_default().insert(kind.to_owned(), count);
            }
            inventory.counts.insert(kind.to_owned(), total);
        }
        Ok(inventory)
    }

    /// Whether nobody has made anything: no blueprint, deployment, plugin, secret, agent, site, filter, flow, capture or
    /// space, and no tenant but `default_tenant`.
    pub fn is_clean(&self) -> bool {
        self.made().is_empty()
    }

    /// What somebody made, in words; empty where the manager is clean.
    pub fn made(&self) -> Vec<String> {
        let tenants = self.tenants.keys().filter(|name| *name != TenantName::DEFAULT).count() as u64;
        MADE.iter()
            .map(|kind| (*kind, self.counts.get(*kind).copied().unwrap_or(0)))
            .chain([("tenants", tenants)])
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect()
    }

    /// What differs between this inventory and a later one; nothing where they are the same.
    pub fn compare(&self, later: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        differ(None, &self.counts, &later.counts, &mut differences);
        let none = Counts::new();
        let tenants: BTreeSet<&String> = self.tenants.keys().chain(later.tenants.keys()).collect();
        for tenant in tenants {
            let (before, after) = (self.tenants.get(tenant), later.tenants.get(tenant));
            differ(Some(tenant), before.unwrap_or(&none), after.unwrap_or(&none), &mut differences);
        }
        differences
    }
}

fn differ(tenant: Option<&String>, before: &Counts, after: &Counts, differences: &mut Vec<Difference>) {
    let kinds: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for kind in kinds {
        let count = |counts: &Counts| counts.get(kind).copied().unwrap_or(0);
        let (before, after) = (count(before), count(after));
        if before != after {
            differences.push(Difference { tenant: tenant.cloned(), kind: kind.clone(), before, after });
        }
    }
}
