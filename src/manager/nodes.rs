//! Nodes and node instances: what a deployment consists of, and the state of each part.

use rusqlite::{Connection, params};
use serde_json::{Map, Value};

use crate::database::{Collection, Column, ColumnKind, ListQuery, Page, Scope, list, text};
use crate::model::Caller;

use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, find, locate};
use super::workflows::refresh_availability;
use super::{Manager, ManagerError};

macro_rules! count_instances {
    ($condition:literal) => {
        concat!(
            "(SELECT count(*) FROM node_instances i WHERE i.tenant_name = nodes.tenant_name
             AND i.deployment_id = nodes.deployment_id AND i.node_id = nodes.id AND ",
            $condition,
            ")"
        )
    };
}

/// A node as Cloudify 7 lists it.
pub const NODES: Collection = Collection {
    noun: "Node",
    table: "nodes",
    columns: &[
        Column::text("id"),
        Column::text("deployment_id"),
        Column::expression(
            "blueprint_id",
            "(SELECT d.blueprint_id FROM deployments d WHERE d.tenant_name = nodes.tenant_name
             AND d.id = nodes.deployment_id)",
            ColumnKind::Text,
        ),
        Column::text("host_id"),
        Column::text("type"),
        Column::json("type_hierarchy"),
        Column::integer("number_of_instances"),
        Column::integer("planned_number_of_instances"),
        Column::integer("deploy_number_of_instances"),
        Column::integer("min_number_of_instances"),
        Column::integer("max_number_of_instances"),
        Column::expression("actual_number_of_instances", count_instances!("1"), ColumnKind::Integer),
        Column::json("properties"),
        Column::json("operations"),
        Column::json("plugins"),
        Column::json("plugins_to_install"),
        Column::json("relationships"),
        Column::expression(
            "unavailable_instances",
            count_instances!("i.is_status_check_ok = 0"),
            ColumnKind::Integer,
        ),
        Column::expression(
            "drifted_instances",
            count_instances!("i.has_configuration_drift = 1"),
            ColumnKind::Integer,
        ),
        Column::text("visibility"),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
    ],
    search: &["id"],
    default_sort: "number",
};

/// A node instance as Cloudify 7 lists it.
pub const NODE_INSTANCES: Collection = Collection {
    noun: "NodeInstance",
    table: "node_instances",
    columns: &[
        Column::text("id"),
        Column::text("node_id"),
        Column::text("deployment_id"),
        Column::text("host_id"),
        Column::expression("index", "\"index\"", ColumnKind::Integer),
        Column::json("relationships"),
        Column::json("runtime_properties"),
        Column::json("system_properties"),
        Column::json("scaling_groups"),
        Column::text("state"),
        Column::integer("version"),
        Column::boolean("is_status_check_ok"),
        Column::boolean("has_configuration_drift"),
        Column::text("visibility"),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
    ],
    search: &["id"],
    default_sort: "number",
};

const NODE: Kind = Kind { collection: &NODES, key: "id" };
pub(super) const NODE_INSTANCE: Kind = Kind { collection: &NODE_INSTANCES, key: "id" };

/// The states that a node instance can have (Cloudify's words).
const STATES: [&str; 15] = [
    "uninitialized",
    "initializing",
    "creating",
    "validating",
    "created",
    "configuring",
    "configured",
    "starting",
    "started",
    "stopping",
    "stopped",
    "deleting",
    "deleted",
    "cloning",
    "failed",
];

/// What is to be changed of a node instance; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct InstanceChange {
    /// The version that the caller has seen; none means the first.
    pub version: Option<i64>,
    /// Whether the version is not compared.
    pub force: bool,
    /// The state.
    pub state: Option<String>,
    /// The runtime properties, all of them.
    pub runtime_properties: Option<Map<String, Value>>,
    /// The system properties, all of them.
    pub system_properties: Option<Map<String, Value>>,
    /// The relationships, all of them.
    pub relationships: Option<Vec<Value>>,
}

impl Manager {
    /// The nodes that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn nodes(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.page(&NODE, caller, query).await
    }

    /// The node instances that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn node_instances(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.page(&NODE_INSTANCE, caller, query).await
    }

    /// One node instance.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn node_instance(
        &self,
        caller: &Caller,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.one(&NODE_INSTANCE, caller, id, include).await
    }

    /// Changes a node instance and counts its version up, where nobody changed it since the caller looked.
    ///
    /// # Errors
    /// [`ManagerError::Conflict`] where somebody did; a state that is none; [`ManagerError::NotFound`].
    pub async fn change_node_instance(
        &self,
        caller: &Caller,
        id: &str,
        change: InstanceChange,
    ) -> Result<Map<String, Value>, ManagerError> {
        if let Some(state) = change.state.as_deref().filter(|state| !STATES.contains(state)) {
            return Err(ManagerError::BadParameters(format!(
                "Invalid state: `{state}`. Valid states are: {}",
                STATES.join(", ")
            )));
        }
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &NODE_INSTANCE, &caller, &id)?;
            let (version, deployment): (i64, String) = tx.query_row(
                "SELECT version, deployment_id FROM node_instances WHERE number = ?",
                [number],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            let seen = change.version.unwrap_or(1);
            // `cfy` names the version that the change is to make, other clients the one that they saw.
            if !change.force && seen < version {
                return Err(ManagerError::Conflict(format!(
                    "Node instance update conflict [current version={version}, update version={seen}]"
                )));
            }
            let json = |map: Option<Map<String, Value>>| map.map(|map| Value::Object(map).to_string());
            tx.execute(
                "UPDATE node_instances SET version = version + 1, state = coalesce(?2, state),
                 runtime_properties = coalesce(?3, runtime_properties),
                 system_properties = coalesce(?4, system_properties),
                 relationships = coalesce(?5, relationships) WHERE number = ?1",
                params![
                    number,
                    change.state,
                    json(change.runtime_properties),
                    json(change.system_properties),
                    change.relationships.map(|list| Value::Array(list).to_string()),
                ],
            )?;
            if change.state.is_some() {
                refresh_availability(tx, caller.tenant.as_str(), &deployment)?;
            }
            find(tx, &NODE_INSTANCE, &caller, &id, None)
        })
        .await
    }
}

/// All nodes of a deployment.
pub(super) fn nodes_of(
    connection: &Connection,
    tenant: &str,
    deployment: &str,
) -> Result<Vec<Value>, ManagerError> {
    all_of(connection, &NODES, tenant, deployment)
}

/// All node instances of a deployment.
pub(super) fn instances_of(
    connection: &Connection,
    tenant: &str,
    deployment: &str,
) -> Result<Vec<Value>, ManagerError> {
    all_of(connection, &NODE_INSTANCES, tenant, deployment)
}

fn all_of(
    connection: &Connection,
    collection: &Collection,
    tenant: &str,
    deployment: &str,
) -> Result<Vec<Value>, ManagerError> {
    let scope =
        Scope::everything().and("tenant_name = ? AND deployment_id = ?", [text(tenant), text(deployment)]);
    let query = ListQuery { size: u64::MAX, ..ListQuery::default() };
    let page = list(connection, collection, &query, &scope)?;
    Ok(page.items.into_iter().map(Value::Object).collect())
}
