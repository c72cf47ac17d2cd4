//! Modifications of deployments: nodes and scaling groups get other numbers of instances, while a workflow brings them up
//! and takes them down.
//!
//! One begins, is run by whoever began it, and is finished or rolled back; what comes and goes is decided in
//! `blueprint`, and what is stored is decided here. How one ends is in `end`.

mod end;

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::database::{Collection, Column, ListQuery, Page, list};
use crate::model::{Caller, Timestamp};

use super::blueprint::{DeploymentError, Modified, WantedInstances, modify_instances};
use super::deployments::{DEPLOYMENT, new_instance_id};
use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, find, locate};
use super::environment::{Owner, insert_instance};
use super::nodes::{instances_of, nodes_of};
use super::scope::visible;
use super::workflows::refresh_availability;
use super::{Manager, ManagerError};
use end::Started;

pub use end::ModificationEnd;

/// The table of modifications.
pub const SCHEMA_V9: &str = "
CREATE TABLE deployment_modifications (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    id TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    ended_at TEXT,
    status TEXT NOT NULL,
    modified_nodes TEXT NOT NULL DEFAULT '{}',
    node_instances TEXT NOT NULL DEFAULT '{}',
    context TEXT NOT NULL DEFAULT '{}',
    UNIQUE (tenant_name, id),
    FOREIGN KEY (tenant_name, deployment_id) REFERENCES deployments(tenant_name, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX deployment_modifications_by_deployment ON deployment_modifications(tenant_name, deployment_id);
CREATE UNIQUE INDEX deployment_modifications_started ON deployment_modifications(tenant_name, deployment_id)
    WHERE status = 'started';
";

/// A modification of a deployment as Cloudify 7 lists it.
pub const DEPLOYMENT_MODIFICATIONS: Collection = Collection {
    noun: "DeploymentModification",
    table: "deployment_modifications",
    columns: &[
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("id"),
        Column::json("context"),
        Column::text("ended_at"),
        Column::json("modified_nodes"),
        Column::json("node_instances"),
        Column::text("status"),
        Column::text("deployment_id"),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
    ],
    search: &["id"],
    default_sort: "created_at, number",
};

const MODIFICATION: Kind = Kind { collection: &DEPLOYMENT_MODIFICATIONS, key: "id" };

/// A modification that a caller begins.
#[derive(Clone, Debug, Default)]
pub struct NewModification {
    /// The deployment.
    pub deployment_id: String,
    /// By node or scaling group, what is wanted of it: `instances`, and which are to go first or last.
    pub nodes: Map<String, Value>,
    /// What the caller wants to find in the record.
    pub context: Map<String, Value>,
}

impl Manager {
    /// The modifications that the caller sees.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for a deployment of the caller's tenant that a filter names; columns that there are not;
    /// the database's own.
    pub async fn deployment_modifications(
        &self,
        caller: &Caller,
        query: ListQuery,
    ) -> Result<Page, ManagerError> {
        let (caller, scope) = (caller.clone(), visible(caller, query.all_tenants));
        self.read(move |connection| {
            let filters = query.filters.iter().filter(|filter| filter.column == "deployment_id");
            for deployment in filters.flat_map(|filter| &filter.values).filter(|_| !query.all_tenants) {
                find(connection, &DEPLOYMENT, &caller, deployment, Some(vec!["id".to_owned()]))?;
            }
            Ok(list(connection, &DEPLOYMENT_MODIFICATIONS, &query, &scope)?)
        })
        .await
    }

    /// One modification.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn deployment_modification(
        &self,
        caller: &Caller,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.one(&MODIFICATION, caller, id, include).await
    }

    /// Begins a modification: what comes is there at once, uninitialized; what is to go stays until the end.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the deployment, a node or group; a number that is none;
    /// [`ManagerError::ModificationStarted`] while another one of the deployment has not ended.
    pub async fn start_modification(
        &self,
        caller: &Caller,
        new: NewModification,
    ) -> Result<Map<String, Value>, ManagerError> {
        let wanted = wanted(&new.nodes)?;
        let caller = caller.clone();
        self.write(move |tx| {
            locate(tx, &DEPLOYMENT, &caller, &new.deployment_id)?;
            check_none_started(tx, caller.tenant.as_str(), &new.deployment_id)?;
            let id = start(tx, &caller, &new, &wanted)?;
            find(tx, &MODIFICATION, &caller, &id, None)
        })
        .await
    }

    /// Ends a modification, one way or the other.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; [`ManagerError::ModificationEnded`] where it has ended before.
    pub async fn end_modification(
        &self,
        caller: &Caller,
        id: &str,
        end: ModificationEnd,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let started = Started::read(tx, locate(tx, &MODIFICATION, &caller, &id)?, &id, end)?;
            match end {
                ModificationEnd::Finish => started.finish(tx)?,
                ModificationEnd::RollBack => started.roll_back(tx)?,
            }
            refresh_availability(tx, &started.tenant, &started.deployment)?;
            find(tx, &MODIFICATION, &caller, &id, None)
        })
        .await
    }
}

/// What is wanted of each node or group.
fn wanted(nodes: &Map<String, Value>) -> Result<BTreeMap<String, WantedInstances>, ManagerError> {
    let mut wanted = BTreeMap::new();
    for (name, asked) in nodes {
        let instances = asked.get("instances").and_then(Value::as_u64).ok_or_else(|| {
            ManagerError::BadParameters(format!(
                "nodes.{name}.instances must be a whole number from 0 on, got {}",
                asked.get("instances").unwrap_or(&Value::Null)
            ))
        })?;
        let names = |key: &str| -> Result<Vec<String>, ManagerError> {
            let wrong = |value: &Value| {
                ManagerError::BadParameters(format!(
                    "nodes.{name}.{key} must be a list of ids of node instances, got {value}"
                ))
            };
            match asked.get(key) {
                None | Some(Value::Null) => Ok(Vec::new()),
                Some(value) => {
                    let list = value.as_array().ok_or_else(|| wrong(value))?;
                    list.iter().map(|id| Ok(id.as_str().ok_or_else(|| wrong(value))?.to_owned())).collect()
                }
            }
        };
        let one = WantedInstances {
            instances,
            first_to_go: names("removed_ids_include_hint")?,
            last_to_go: names("removed_ids_exclude_hint")?,
        };
        wanted.insert(name.clone(), one);
    }
    Ok(wanted)
}

fn check_none_started(connection: &Connection, tenant: &str, deployment: &str) -> Result<(), ManagerError> {
    let started: Vec<String> = connection
        .prepare_cached(
            "SELECT id FROM deployment_modifications WHERE tenant_name = ? AND deployment_id = ? AND status = 'started'",
        )?
        .query_map((tenant, deployment), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if started.is_empty() {
        return Ok(());
    }
    Err(ManagerError::ModificationStarted(format!(
        "Cannot start deployment modification while there are existing started deployment modifications. Currently \
         started deployment modifications: {}",
        started.join(", ")
    )))
}

fn start(
    tx: &Transaction<'_>,
    caller: &Caller,
    new: &NewModification,
    wanted: &BTreeMap<String, WantedInstances>,
) -> Result<String, ManagerError> {
    let (tenant, deployment) = (caller.tenant.as_str(), new.deployment_id.as_str());
    let (owner, mut groups) = owner(tx, tenant, deployment)?;
    let nodes = nodes_of(tx, tenant, deployment)?;
    let before = instances_of(tx, tenant, deployment)?;
    for name in wanted.keys() {
        if !groups.contains_key(name) && !nodes.iter().any(|node| node["id"] == **name) {
            return Err(ManagerError::NotFound { noun: "Node", id: name.clone() });
        }
    }
    let mut taken =
        tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM node_instances WHERE tenant_name = ? AND id = ?)")?;
    let mut ids = |name: &str| loop {
        let id = new_instance_id(name);
        // An id that can't be looked up is judged by the insertion.
        if !taken.query_row((tenant, &id), |row| row.get(0)).unwrap_or(false) {
            return id;
        }
    };
    let modified = modify_instances(&nodes, &groups, &before, wanted, &mut ids).map_err(refusal)?;
    for instance in modified.added_and_related.iter().filter(|instance| is_marked(instance, "added")) {
        insert_instance(tx, &owner, instance)?;
    }
    for (id, links) in &modified.relationships {
        set_relationships(tx, tenant, id, links)?;
    }
    for (name, wanted) in wanted {
        set_number(tx, (tenant, deployment), &mut groups, name, Number::Planned, wanted.instances)?;
    }
    write_groups(tx, (tenant, deployment), &groups)?;
    refresh_availability(tx, tenant, deployment)?;
    let Modified {
        added_and_related, extended_and_related, reduced_and_related, removed_and_related, ..
    } = modified;
    let id = Uuid::new_v4().to_string();
    tx.execute(
        "INSERT INTO deployment_modifications (tenant_name, id, deployment_id, visibility, created_at, created_by, status,
         modified_nodes, node_instances, context) VALUES (?, ?, ?, ?, ?, ?, 'started', ?, ?, ?)",
        params![
            tenant,
            id,
            deployment,
            owner.visibility,
            Timestamp::now().to_string(),
            caller.user.as_str(),
            Value::Object(new.nodes.clone()).to_string(),
            json!({
                "added_and_related": added_and_related, "extended_and_related": extended_and_related,
                "reduced_and_related": reduced_and_related, "removed_and_related": removed_and_related,
                "before_modification": before,
            })
            .to_string(),
            Value::Object(new.context.clone()).to_string(),
        ],
    )?;
    Ok(id)
}

fn refusal(error: DeploymentError) -> ManagerError {
    match error {
        DeploymentError::Plan(reason) => {
            ManagerError::BadParameters(format!("deployment cannot be modified: {reason}"))
        }
        other => other.into(),
    }
}

/// What the rows of a deployment's parts take from it, and its scaling groups.
fn owner(
    connection: &Connection,
    tenant: &str,
    deployment: &str,
) -> Result<(Owner, Map<String, Value>), ManagerError> {
    Ok(connection.query_row(
        "SELECT visibility, created_by, scaling_groups FROM deployments WHERE tenant_name = ? AND id = ?",
        (tenant, deployment),
        |row| {
            let groups: String = row.get(2)?;
            let owner = Owner {
                tenant: tenant.to_owned(),
                deployment: deployment.to_owned(),
                visibility: row.get(0)?,
                created_by: row.get(1)?,
            };
            Ok((owner, serde_json::from_str(&groups).unwrap_or_default()))
        },
    )?)
}

fn is_marked(instance: &Value, mark: &str) -> bool {
    instance["modification"] == mark
}

fn set_relationships(
    tx: &Transaction<'_>,
    tenant: &str,
    id: &str,
    links: &[Value],
) -> Result<(), ManagerError> {
    tx.prepare_cached(
        "UPDATE node_instances SET relationships = ?3, version = version + 1 WHERE tenant_name = ?1 AND id = ?2",
    )?
    .execute((tenant, id, json!(links).to_string()))?;
    Ok(())
}

/// Which number of instances is meant.
#[derive(Clone, Copy)]
enum Number {
    /// How many there are to be.
    Planned,
    /// How many there are.
    Current,
}

/// Says how many instances of a node or group there are, or are to be. What a deployment does not have any more is passed
/// over.
fn set_number(
    tx: &Transaction<'_>,
    (tenant, deployment): (&str, &str),
    groups: &mut Map<String, Value>,
    name: &str,
    number: Number,
    instances: u64,
) -> Result<(), ManagerError> {
    let (of_group, column) = match number {
        Number::Planned => ("planned_instances", "planned_number_of_instances"),
        Number::Current => ("current_instances", "number_of_instances"),
    };
    if let Some(group) = groups.get_mut(name) {
        group["properties"][of_group] = json!(instances);
        return Ok(());
    }
    let sql =
        format!("UPDATE nodes SET {column} = ?4 WHERE tenant_name = ?1 AND deployment_id = ?2 AND id = ?3");
    tx.prepare_cached(&sql)?.execute(params![
        tenant,
        deployment,
        name,
        i64::try_from(instances).unwrap_or(i64::MAX)
    ])?;
    Ok(())
}

fn write_groups(
    tx: &Transaction<'_>,
    (tenant, deployment): (&str, &str),
    groups: &Map<String, Value>,
) -> Result<(), ManagerError> {
    tx.execute(
        "UPDATE deployments SET scaling_groups = ?3 WHERE tenant_name = ?1 AND id = ?2",
        (tenant, deployment, Value::Object(groups.clone()).to_string()),
    )?;
    Ok(())
}
