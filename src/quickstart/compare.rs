//! Everything that a manager holds, as a caller sees it, and where two of them differ.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use reqwest::Method;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::cli::CliError;
use crate::cli::connection::{Call, Paging, Service};
use crate::cli::output::field;
use crate::model::TenantName;

use super::host::Host;

/// What is compared: what a reader calls it, its list in the API, the fields that name an entity.
const LISTS: [(&str, &str, &[&str]); 11] = [
    ("blueprints", "blueprints", &["id"]),
    ("plugins", "plugins", &["id"]),
    ("sites", "sites", &["name"]),
    ("deployments", "deployments", &["id"]),
    ("deployment groups", "deployment-groups", &["id"]),
    ("deployment filters", "filters/deployments", &["id"]),
    ("execution schedules", "execution-schedules", &["deployment_id", "id"]),
    ("nodes", "nodes", &["deployment_id", "id"]),
    ("node instances", "node-instances", &["id"]),
    ("agents", "agents", &["id"]),
    ("executions", "executions", &["id"]),
];

/// Lists whose entities have an archive, which is compared by its hash.
const WITH_ARCHIVE: [&str; 2] = ["blueprints", "plugins"];

/// All entities of a manager: by kind, then by tenant and name.
pub(super) struct Inventory {
    kinds: Vec<(&'static str, BTreeMap<String, Value>)>,
}

/// What was found of one kind.
pub(super) struct Comparison {
    /// What a reader calls it.
    pub kind: &'static str,
    /// How many the first manager has.
    pub first: usize,
    /// How many the second has.
    pub second: usize,
    /// The names of those that are not the same in both.
    pub differing: Vec<String>,
}

impl Inventory {
    /// Reads every entity of every tenant, the values of secrets and the bytes of archives among them.
    pub(super) fn read(host: &Host) -> Result<Self, CliError> {
        let default = host.api(TenantName::DEFAULT)?;
        let tenants = default.list(Call::get("list the tenants", &["tenants"]), Paging::default())?.items;
        let mut kinds: Vec<_> = LISTS.iter().map(|(kind, ..)| (*kind, BTreeMap::new())).collect();
        let mut names = BTreeMap::new();
        let mut secrets = BTreeMap::new();
        let (mut flows, mut snapshots) = (BTreeMap::new(), BTreeMap::new());
        let (mut charts, mut metrics) = (BTreeMap::new(), BTreeMap::new());
        for tenant in &tenants {
            let tenant = field(tenant, "name");
            let api = host.api(&tenant)?;
            for ((_, list, key), (_, entities)) in LISTS.iter().zip(&mut kinds) {
                entities.extend(read_list(&api, &tenant, list, key)?);
            }
            secrets.extend(read_secrets(&api, &tenant)?);
            read_flows(&api, &tenant, &mut flows, &mut snapshots)?;
            read_charts(&api, &tenant, &mut charts, &mut metrics)?;
            names.insert(tenant.clone(), Value::from(tenant));
        }
        kinds.insert(0, ("tenants", names));
        kinds.push(("secrets", secrets));
        kinds.push(("flows", flows));
        kinds.push(("step snapshots", snapshots));
        kinds.push(("charts", charts));
        kinds.push(("metrics", metrics));
        Ok(Self { kinds })
    }

    /// How many there are of each kind.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.kinds.iter().map(|(kind, entities)| (*kind, entities.len()))
    }

    /// Compares each entity with that of the same tenant and name in the other.
    pub(super) fn compare(&self, other: &Self) -> Vec<Comparison> {
        self.kinds
            .iter()
            .zip(&other.kinds)
            .map(|((kind, ours), (_, theirs))| {
                let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
                let differing = names.into_iter().filter(|name| ours.get(*name) != theirs.get(*name));
                Comparison {
                    kind,
                    first: ours.len(),
                    second: theirs.len(),
                    differing: differing.cloned().collect(),
                }
            })
            .collect()
    }
}

fn read_list(
    api: &Service,
    tenant: &str,
    list: &str,
    key: &[&str],
) -> Result<Vec<(String, Value)>, CliError> {
    let path: Vec<&str> = list.split('/').collect();
    let listing = api.list(Call::get(format!("list the {list}"), &path), Paging::default())?;
    listing
        .items
        .into_iter()
        .filter(|item| is_state(list, item))
        .map(|mut item| {
            if WITH_ARCHIVE.contains(&list) {
                item["archive_sha256"] = archive_sha256(api, list, &field(&item, "id"))?.into();
            }
            let name: Vec<_> = key.iter().map(|key| field(&item, key)).collect();
            Ok((format!("{tenant}/{}", name.join("/")), item))
        })
        .collect()
}

fn archive_sha256(api: &Service, list: &str, id: &str) -> Result<String, CliError> {
    let doing = format!("download the archive of `{id}`");
    let request = api.patient_request(Method::GET, &[list, id, "archive"], &[]);
    let mut response = api.send(&doing, request)?;
    let mut hasher = Hasher(Sha256::new());
    io::copy(&mut response, &mut hasher).map_err(|error| CliError::from_error(&doing, &error))?;
    Ok(hex::encode(hasher.0.finalize()))
}

fn read_secrets(api: &Service, tenant: &str) -> Result<Vec<(String, Value)>, CliError> {
    let listing = api.list(Call::get("list the secrets", &["secrets"]), Paging::default())?;
    listing
        .items
        .iter()
        .map(|secret| {
            let key = field(secret, "key");
            let whole = api.call(Call::get(format!("get secret `{key}`"), &["secrets", &key]))?;
            Ok((format!("{tenant}/{key}"), whole))
        })
        .collect()
}

/// Adds the flows of a tenant, of which there are fewer than a page holds, and the snapshots of their steps.
fn read_flows(
    api: &Service,
    tenant: &str,
    flows: &mut BTreeMap<String, Value>,
    snapshots: &mut BTreeMap<String, Value>,
) -> Result<(), CliError> {
    let doing = "list the flows";
    let call = Call::get(doing, &["v2", "flows"]).query("workspace_id", tenant).query("page[size]", "100");
    let data = |mut document: Value| match document["data"].take() {
        Value::Array(data) => data,
        _ => Vec::new(),
    };
    for flow in data(api.call(call)?) {
        let id = field(&flow, "id");
        let call = Call::get("list the snapshots of a flow", &["v2", "flows", &id, "snapshots"]);
        for snapshot in data(api.call(call)?) {
            snapshots.insert(format!("{tenant}/{id}/{}", field(&snapshot, "id")), snapshot);
        }
        flows.insert(format!("{tenant}/{id}"), flow);
    }
    Ok(())
}

/// Adds the charts of a tenant's spaces, and its metrics with what was measured in a day, both of which are few. What
/// the service ships and measures of itself is left out.
fn read_charts(
    api: &Service,
    tenant: &str,
    charts: &mut BTreeMap<String, Value>,
    metrics: &mut BTreeMap<String, Value>,
) -> Result<(), CliError> {
    let list = |mut document: Value, of: &str| match document[of].take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    let spaces = list(api.call(Call::get("list the spaces", &["v1", "spaces"]))?, "spaces");
    for space in spaces.iter().filter(|space| field(space, "name") != "Manager") {
        let path = ["v1", "spaces", &space["id"].to_string(), "charts"];
        let found = api.call(Call::get("list the charts of a space", &path))?;
        for chart in found.as_array().into_iter().flatten() {
            let name = format!("{tenant}/{}/{}", field(space, "name"), field(chart, "name"));
            charts.insert(name, chart.clone());
        }
    }
    for metric in list(api.call(Call::get("list the metrics", &["v1", "metrics"]))?, "metrics") {
        let name = field(&metric, "name");
        if name.starts_with("manager.") {
            continue;
        }
        let call = Call::get(format!("get metric `{name}`"), &["v1", "metrics", &name]);
        let whole = api.call(call.query("duration", "86400").query("resolution", "60"))?;
        metrics.insert(format!("{tenant}/{name}"), whole);
    }
    Ok(())
}

struct Hasher(Sha256);

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether what a list shows belongs to the manager's state: an execution works on a deployment and is no part of a
/// restore, and a filter is none of those that every manager has.
fn is_state(list: &str, item: &Value) -> bool {
    match list {
        "executions" => !item["deployment_id"].is_null() && item["parent_id"].is_null(),
        "filters/deployments" => item["is_system_filter"] == false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn inventory(entities: &[(&str, Value)]) -> Inventory {
        let entities = entities.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Inventory { kinds: vec![("nodes", entities.collect())] }
    }

    #[test]
    fn an_entity_that_changed_is_gone_or_is_new_differs() {
        let first = inventory(&[("a", json!(1)), ("b", json!(1)), ("c", json!(1))]);
        let second = inventory(&[("a", json!(1)), ("b", json!(2)), ("d", json!(1))]);
        let compared = first.compare(&second);
        assert_eq!(compared[0].differing, ["b", "c", "d"]);
        assert_eq!((compared[0].first, compared[0].second), (3, 3));
        assert!(first.compare(&first)[0].differing.is_empty());
    }
}
