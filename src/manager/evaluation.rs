//! Nodes and node instances as they are with their functions evaluated.

use std::collections::HashMap;

use rusqlite::Connection;
use serde_json::{Map, Value};

use crate::database::{ListQuery, Page, list};
use crate::model::Caller;

use super::blueprint::{evaluate_payload, evaluate_properties};
use super::deployments::DEPLOYMENT;
use super::nodes::{NODE_INSTANCE, NODES, instances_of, nodes_of};
use super::scope::visible;
use super::{Manager, ManagerError};

/// The nodes and node instances of one deployment.
type Topology = (Vec<Value>, Vec<Value>);

/// The node instances that `SELF`, `SOURCE` and `TARGET` mean.
#[derive(Clone, Debug, Default)]
pub struct EvaluationContext {
    /// `SELF` or `SOURCE`.
    pub source: Option<String>,
    /// `TARGET`.
    pub target: Option<String>,
}

impl Manager {
    /// `payload` with its functions evaluated by a deployment as it is now, as far as can be. Secrets stay references.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the deployment, or a node instance that it has not; functions that name what there
    /// is not; the database's own.
    pub async fn evaluate_functions(
        &self,
        caller: &Caller,
        deployment: &str,
        context: EvaluationContext,
        payload: Value,
    ) -> Result<Value, ManagerError> {
        let deployment = self.one(&DEPLOYMENT, caller, deployment, None).await?;
        self.read(move |connection| {
            let text = |name: &str| deployment[name].as_str().unwrap_or_default();
            let nodes = nodes_of(connection, text("tenant_name"), text("id"))?;
            let mut instances = instances_of(connection, text("tenant_name"), text("id"))?;
            let source = stand_alone(&mut instances, context.source.as_deref())?;
            let target = stand_alone(&mut instances, context.target.as_deref())?;
            let inputs = deployment["inputs"].as_object().cloned().unwrap_or_default();
            let ends = (source.as_deref(), target.as_deref());
            Ok(evaluate_payload(&payload, ends, &inputs, &nodes, &instances)?)
        })
        .await
    }

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

/// Leaves only this instance of its node, so that the node's attributes are those of the instance. Answers the node.
fn stand_alone(instances: &mut Vec<Value>, instance: Option<&str>) -> Result<Option<String>, ManagerError> {
    let Some(id) = instance else { return Ok(None) };
    let found = instances.iter().find(|instance| instance["id"] == id);
    let node = found
        .map(|instance| instance["node_id"].clone())
        .ok_or_else(|| ManagerError::NotFound { noun: NODE_INSTANCE.collection.noun, id: id.to_owned() })?;
    instances.retain(|instance| instance["node_id"] != node || instance["id"] == id);
    Ok(node.as_str().map(str::to_owned))
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
