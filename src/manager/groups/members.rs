//! Which deployments come into a group or leave it, and the labels that they get from it.

use rusqlite::{Connection, Transaction};
use serde_json::Value;

use crate::model::Caller;

use super::super::ManagerError;
use super::super::deployments::DEPLOYMENT;
use super::super::entities::locate;
use super::super::filters::{Choice, chosen_deployments};
use super::{DEPLOYMENT_GROUP, join, member_ids};

/// Deployments that a caller names, by whatever of these.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// Their ids.
    pub deployment_ids: Option<Vec<String>>,
    /// A saved filter.
    pub filter_id: Option<String>,
    /// Rules of a filter.
    pub filter_rules: Vec<Value>,
    /// Another group.
    pub from_group: Option<String>,
}

impl Members {
    /// Whether those of a group that are not named leave it (as Cloudify has it).
    pub(super) fn is_overriding(&self) -> bool {
        self.deployment_ids.is_some() || self.filter_id.is_some() || self.from_group.is_some()
    }

    /// All of them, in their order; one may come twice.
    fn all(&self, connection: &Connection, caller: &Caller) -> Result<Vec<String>, ManagerError> {
        let mut ids = Vec::new();
        for id in self.deployment_ids.iter().flatten() {
            locate(connection, &DEPLOYMENT, caller, id)?;
            ids.push(id.clone());
        }
        if self.filter_id.is_some() {
            let choice = Choice { filter_id: self.filter_id.clone(), ..Choice::default() };
            ids.extend(chosen_deployments(connection, caller, &choice)?);
        }
        if !self.filter_rules.is_empty() {
            let choice = Choice { rules: self.filter_rules.clone(), ..Choice::default() };
            ids.extend(chosen_deployments(connection, caller, &choice)?);
        }
        if let Some(group) = &self.from_group {
            locate(connection, &DEPLOYMENT_GROUP, caller, group)?;
            ids.extend(member_ids(connection, caller.tenant.as_str(), group)?);
        }
        Ok(ids)
    }
}

pub(super) fn add(
    tx: &Transaction<'_>,
    caller: &Caller,
    group: &str,
    members: &Members,
) -> Result<(), ManagerError> {
    let labels = labels_of(tx, caller, group)?;
    for deployment in members.all(tx, caller)? {
        join(tx, caller.tenant.as_str(), group, &deployment)?;
        change_labels(tx, caller, &deployment, &labels, &[])?;
    }
    Ok(())
}

pub(super) fn remove(
    tx: &Transaction<'_>,
    caller: &Caller,
    group: &str,
    members: &Members,
) -> Result<(), ManagerError> {
    for deployment in members.all(tx, caller)? {
        tx.execute(
            "DELETE FROM deployment_group_members WHERE tenant_name = ? AND group_id = ? AND deployment_id = ?",
            (caller.tenant.as_str(), group, &deployment),
        )?;
    }
    Ok(())
}

/// Gives a group these labels in place of those that it had, and its deployments the same change.
pub(super) fn relabel(
    tx: &Transaction<'_>,
    caller: &Caller,
    number: i64,
    group: &str,
    labels: Value,
) -> Result<(), ManagerError> {
    let before = labels_of(tx, caller, group)?;
    let wanted = labels.as_array().cloned().unwrap_or_default();
    let has = |labels: &[Value], label: &Value| labels.iter().any(|other| is_same(other, label));
    let gone: Vec<Value> = before.iter().filter(|label| !has(&wanted, label)).cloned().collect();
    // What stays keeps when and by whom it was given.
    let kept = before.iter().filter(|label| has(&wanted, label)).cloned();
    let added: Vec<Value> = wanted.iter().filter(|label| !has(&before, label)).cloned().collect();
    let all: Vec<Value> = kept.chain(added.iter().cloned()).collect();
    tx.execute(
        "UPDATE deployment_groups SET labels = ?2 WHERE number = ?1",
        (number, Value::Array(all).to_string()),
    )?;
    for deployment in member_ids(tx, caller.tenant.as_str(), group)? {
        change_labels(tx, caller, &deployment, &added, &gone)?;
    }
    Ok(())
}

/// The labels of a group.
pub(super) fn labels_of(
    connection: &Connection,
    caller: &Caller,
    group: &str,
) -> Result<Vec<Value>, ManagerError> {
    let text: String = connection.query_row(
        "SELECT labels FROM deployment_groups WHERE tenant_name = ? AND id = ?",
        (caller.tenant.as_str(), group),
        |row| row.get(0),
    )?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

fn is_same(one: &Value, other: &Value) -> bool {
    one["key"] == other["key"] && one["value"] == other["value"]
}

fn change_labels(
    tx: &Transaction<'_>,
    caller: &Caller,
    deployment: &str,
    add: &[Value],
    remove: &[Value],
) -> Result<(), ManagerError> {
    if add.is_empty() && remove.is_empty() {
        return Ok(());
    }
    let key = (caller.tenant.as_str(), deployment);
    let text: String =
        tx.query_row("SELECT labels FROM deployments WHERE tenant_name = ? AND id = ?", key, |row| {
            row.get(0)
        })?;
    let before: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
    let mut labels = before.clone();
    labels.retain(|label| !remove.iter().any(|other| is_same(other, label)));
    for label in add {
        if !labels.iter().any(|other| is_same(other, label)) {
            labels.push(label.clone());
        }
    }
    if labels != before {
        tx.execute(
            "UPDATE deployments SET labels = ?3 WHERE tenant_name = ?1 AND id = ?2",
            (key.0, key.1, Value::Array(labels).to_string()),
        )?;
    }
    Ok(())
}
