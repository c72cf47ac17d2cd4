//! The end of a modification: what was to go goes, or all is as it was before.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, Transaction, params};
use serde_json::{Map, Value};

use crate::model::Timestamp;

use super::super::ManagerError;
use super::super::blueprint::WantedInstances;
use super::super::environment::insert_instance;
use super::super::nodes::{instances_of, nodes_of};
use super::{Number, is_marked, owner, set_number, set_relationships, wanted, write_groups};

/// How a modification ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModificationEnd {
    /// What was to go goes.
    Finish,
    /// All is as it was before.
    RollBack,
}

impl ModificationEnd {
    fn verb(self) -> &'static str {
        match self {
            Self::Finish => "finish",
            Self::RollBack => "rollback",
        }
    }

    fn status(self) -> &'static str {
        match self {
            Self::Finish => "finished",
            Self::RollBack => "rolledback",
        }
    }
}

/// A modification that has not ended.
pub(super) struct Started {
    number: i64,
    pub tenant: String,
    pub deployment: String,
    wanted: BTreeMap<String, WantedInstances>,
    node_instances: Map<String, Value>,
}

impl Started {
    /// Reads the modification of this row.
    ///
    /// # Errors
    /// [`ManagerError::ModificationEnded`]; the database's own.
    pub fn read(
        connection: &Connection,
        number: i64,
        id: &str,
        end: ModificationEnd,
    ) -> Result<Self, ManagerError> {
        let (tenant, deployment, status, nodes, instances): (String, String, String, String, String) =
            connection.query_row(
                "SELECT tenant_name, deployment_id, status, modified_nodes, node_instances FROM deployment_modifications
                 WHERE number = ?",
                [number],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )?;
        if status != "started" {
            return Err(ManagerError::ModificationEnded(format!(
                "Cannot {} deployment modification: {id}. It is already in {status} status.",
                end.verb()
            )));
        }
        let nodes: Map<String, Value> = serde_json::from_str(&nodes).unwrap_or_default();
        Ok(Self {
            number,
            tenant,
            deployment,
            wanted: wanted(&nodes)?,
            node_instances: serde_json::from_str(&instances).unwrap_or_default(),
        })
    }

    fn key(&self) -> (&str, &str) {
        (&self.tenant, &self.deployment)
    }

    fn list(&self, name: &str) -> &[Value] {
        self.node_instances.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// Lets go what was to go, and the links to it.
    pub fn finish(&self, tx: &Transaction<'_>) -> Result<(), ManagerError> {
        let (_, mut groups) = owner(tx, &self.tenant, &self.deployment)?;
        for (name, wanted) in &self.wanted {
            set_number(tx, self.key(), &mut groups, name, Number::Current, wanted.instances)?;
        }
        write_groups(tx, self.key(), &groups)?;
        let (removed, related): (Vec<&Value>, Vec<&Value>) =
            self.list("removed_and_related").iter().partition(|instance| is_marked(instance, "removed"));
        for instance in removed {
            self.delete(tx, instance["id"].as_str().unwrap_or_default())?;
        }
        let stored = instances_of(tx, &self.tenant, &self.deployment)?;
        for instance in related {
            let links = |of: &Value| of["relationships"].as_array().cloned().unwrap_or_default();
            let lost = links(instance);
            let Some(now) = stored.iter().find(|now| now["id"] == instance["id"]) else { continue };
            let (dropped, left): (Vec<Value>, Vec<Value>) = links(now)
                .into_iter()
                .partition(|link| lost.iter().any(|lost| lost["target_id"] == link["target_id"]));
            if !dropped.is_empty() {
                set_relationships(tx, &self.tenant, now["id"].as_str().unwrap_or_default(), &left)?;
            }
        }
        self.end(tx, ModificationEnd::Finish, &self.node_instances)
    }

    /// Brings back what was before. Instances that were there then and still are keep their agents.
    pub fn roll_back(&self, tx: &Transaction<'_>) -> Result<(), ManagerError> {
        let (owner, mut groups) = owner(tx, &self.tenant, &self.deployment)?;
        let now = instances_of(tx, &self.tenant, &self.deployment)?;
        let before = self.list("before_modification");
        let ids = |list: &[Value]| -> HashSet<String> {
            list.iter().filter_map(|instance| Some(instance["id"].as_str()?.to_owned())).collect()
        };
        let (ids_before, ids_now) = (ids(before), ids(&now));
        // An update of the deployment may have removed nodes meanwhile.
        let nodes = nodes_of(tx, &self.tenant, &self.deployment)?;
        let has_node = |instance: &&Value| nodes.iter().any(|node| node["id"] == instance["node_id"]);
        for id in ids_now.difference(&ids_before) {
            self.delete(tx, id)?;
        }
        for instance in before.iter().filter(has_node) {
            let id = instance["id"].as_str().unwrap_or_default();
            if !ids_now.contains(id) {
                insert_instance(tx, &owner, instance)?;
            }
            self.bring_back(tx, instance)?;
        }
        for name in self.wanted.keys() {
            if let Some(group) = groups.get_mut(name) {
                let current = group["properties"]["current_instances"].clone();
                group["properties"]["planned_instances"] = current;
            }
            tx.execute(
                "UPDATE nodes SET planned_number_of_instances = number_of_instances
                 WHERE tenant_name = ?1 AND deployment_id = ?2 AND id = ?3",
                (&self.tenant, &self.deployment, name),
            )?;
        }
        write_groups(tx, self.key(), &groups)?;
        let mut node_instances = self.node_instances.clone();
        node_instances.insert("before_rollback".to_owned(), Value::Array(now));
        self.end(tx, ModificationEnd::RollBack, &node_instances)
    }

    fn delete(&self, tx: &Transaction<'_>, id: &str) -> Result<(), ManagerError> {
        tx.prepare_cached(
            "DELETE FROM node_instances WHERE tenant_name = ? AND deployment_id = ? AND id = ?",
        )?
        .execute((&self.tenant, &self.deployment, id))?;
        Ok(())
    }

    /// Lets an instance be what it was, its version among it.
    fn bring_back(&self, tx: &Transaction<'_>, instance: &Value) -> Result<(), ManagerError> {
        tx.prepare_cached(
            "UPDATE node_instances SET host_id = ?4, \"index\" = ?5, state = ?6, version = ?7, relationships = ?8,
             runtime_properties = ?9, system_properties = ?10, scaling_groups = ?11, is_status_check_ok = ?12,
             has_configuration_drift = ?13 WHERE tenant_name = ?1 AND deployment_id = ?2 AND id = ?3",
        )?
        .execute(params![
            self.tenant,
            self.deployment,
            instance["id"].as_str(),
            instance["host_id"].as_str(),
            instance["index"].as_i64(),
            instance["state"].as_str(),
            instance["version"].as_i64(),
            instance["relationships"].to_string(),
            instance["runtime_properties"].to_string(),
            instance["system_properties"].to_string(),
            instance["scaling_groups"].to_string(),
            instance["is_status_check_ok"].as_bool(),
            instance["has_configuration_drift"].as_bool(),
        ])?;
        Ok(())
    }

    fn end(
        &self,
        tx: &Transaction<'_>,
        end: ModificationEnd,
        node_instances: &Map<String, Value>,
    ) -> Result<(), ManagerError> {
        tx.execute(
            "UPDATE deployment_modifications SET status = ?2, ended_at = ?3, node_instances = ?4 WHERE number = ?1",
            params![
                self.number,
                end.status(),
                Timestamp::now().to_string(),
                Value::Object(node_instances.clone()).to_string(),
            ],
        )?;
        Ok(())
    }
}
