//! Nodes and node instances as they are with their functions evaluated.

use std::collections::HashMap;

use rusqlite::Connection;
use serde_json::{Map, Value};

use crate::database::{ListQuery, Page, list};
use crate::model::Caller;

use super::blueprint::evaluate_properties;
use super::nodes::{NODE_INSTANCE, NODES, instances_of, nodes_of};
use super::scope::visible;
use super::{Manager, ManagerError};

/// The nodes and node instances of one deployment.
type Topology = (Vec<Value>, Vec<Value>);

impl Manager {
    /// The nodes that the caller sees, with the functions in their properties evaluated as far as can be. Secrets stay
    /// references.
    ///
    /// # Errors
    /// Functions that name what there is not; columns that there are not; the database's own.
    pub async fn evaluated_nodes(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        let scope = visible(caller, query.all_tenants);
        self.read(move |connection| {
            // Whose properties they are is needed, whether it is asked for or not.
            let whole = ListQuery { include: None, ..query.clone() };
            NODES.check_include(query.include.as_deref())?;
            let mut page = list(connection, &NODES, &whole, &scope)?;
            let mut topologies = HashMap::new();
            for node in &mut page.items {
                let id = node["id"].as_str().unwrap_or_default().to_owned();
                evaluate(connection, &mut topologies, node, &id, "properties")?;
                node.retain(|name, _| query.include.as_ref().is_none_or(|include| include.contains(name)));
            }
            Ok(page)
        })
        .await
    }

    /// One node instance, with the functions in its runtime properties evaluated as far as can be.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; as [`Manager::evaluated_nodes`].
    pub async fn evaluated_node_instance(
        &self,
        caller: &Caller,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        NODE_INSTANCE.collection.check_include(include.as_deref())?;
        let mut instance = self.one(&NODE_INSTANCE, caller, id, None).await?;
        self.read(move |connection| {
            let node = instance["node_id"].as_str().unwrap_or_default().to_owned();
            evaluate(connection, &mut HashMap::new(), &mut instance, &node, "runtime_properties")?;
            instance.retain(|name, _| include.as_ref().is_none_or(|include| include.contains(name)));
            Ok(instance)
        })
        .await
    }
}

/// Evaluates what stands under `key` of an entity, for which `SELF` is the node `node`.
fn evaluate(
    connection: &Connection,
    topologies: &mut HashMap<(String, String), Topology>,
    entity: &mut Map<String, Value>,
    node: &str,
    key: &str,
) -> Result<(), ManagerError> {
    let text = |name: &str| entity[name].as_str().unwrap_or_default().to_owned();
    let (tenant, deployment) = (text("tenant_name"), text("deployment_id"));
    let place = (tenant.clone(), deployment.clone());
    if !topologies.contains_key(&place) {
        let topology =
            (nodes_of(connection, &tenant, &deployment)?, instances_of(connection, &tenant, &deployment)?);
        topologies.insert(place.clone(), topology);
    }
    let (nodes, instances) = &topologies[&place];
    let evaluated = evaluate_properties(&entity[key], node, nodes, instances)?;
    entity.insert(key.to_owned(), evaluated);
    Ok(())
}
