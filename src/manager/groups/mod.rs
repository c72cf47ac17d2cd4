//! Deployment groups: deployments that are kept, labelled and worked on together.
//!
//! What is chosen to come in or go out is in `members`, deployments that a group makes are in `making`.

mod making;
mod members;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Map, Value};

use crate::database::{Collection, Column, ColumnKind, ListQuery, Page};
use crate::model::{Caller, EntityId, Timestamp, UserName, Visibility};

use super::blueprints::BLUEPRINT;
use super::deployments::DeleteDeployment;
use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, find, locate};
use super::execution_groups::record_deletion;
use super::labels::labels;
use super::{Manager, ManagerError};

pub use members::Members;

/// The tables of deployment groups.
pub const SCHEMA_V5: &str = "
CREATE TABLE deployment_groups (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    description TEXT,
    default_blueprint_id TEXT,
    default_inputs TEXT,
    labels TEXT NOT NULL DEFAULT '[]',
    creation_counter INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant_name, id)
) STRICT;

CREATE TABLE deployment_group_members (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    group_id TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    UNIQUE (tenant_name, group_id, deployment_id),
    FOREIGN KEY (tenant_name, group_id) REFERENCES deployment_groups(tenant_name, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_name, deployment_id) REFERENCES deployments(tenant_name, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX deployment_group_members_by_deployment ON deployment_group_members(tenant_name, deployment_id);
";

/// A deployment group as Cloudify 7 lists it.
pub const DEPLOYMENT_GROUPS: Collection = Collection {
    noun: "DeploymentGroup",
    table: "deployment_groups",
    columns: &[
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("id"),
        Column::text("description"),
        Column::json("default_inputs"),
        Column::integer("creation_counter"),
        Column::expression(
            "deployment_ids",
            "(SELECT json_group_array(m.deployment_id) FROM (SELECT deployment_id FROM deployment_group_members
             WHERE tenant_name = deployment_groups.tenant_name AND group_id = deployment_groups.id ORDER BY number) m)",
            ColumnKind::Json,
        ),
        Column::text("default_blueprint_id"),
        Column::json("labels"),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
    ],
    search: &["id"],
    default_sort: "created_at, number",
};

pub(super) const DEPLOYMENT_GROUP: Kind = Kind { collection: &DEPLOYMENT_GROUPS, key: "id" };

/// What a caller says of a group; `None` leaves what an existing one has.
#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    /// Who sees it.
    pub visibility: Option<Visibility>,
    /// What it is for.
    pub description: Option<String>,
    /// The blueprint of deployments that it makes.
    pub blueprint_id: Option<String>,
    /// The inputs of deployments that it makes.
    pub default_inputs: Option<Value>,
    /// Its labels, which all its deployments get.
    pub labels: Option<Vec<Value>>,
    /// The deployments that it has; where any are named, others leave it.
    pub members: Members,
    /// Deployments to make in it, each `{id, inputs, labels, display_name, site_name}`.
    pub new_deployments: Vec<Value>,
    /// Whose it is, where that is not the caller.
    pub created_by: Option<UserName>,
    /// When it was made, where that is not now.
    pub created_at: Option<Timestamp>,
    /// How many deployments it has made.
    pub creation_counter: Option<i64>,
}

impl Manager {
    /// The groups that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn deployment_groups(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.page(&DEPLOYMENT_GROUP, caller, query).await
    }

    /// One group.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn deployment_group(
        &self,
        caller: &Caller,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.one(&DEPLOYMENT_GROUP, caller, id, include).await
    }

    /// Makes a group, or changes one, with the deployments that it is to have or to make; all or nothing. The engine has
    /// to be woken afterwards.
    ///
    /// # Errors
    /// An id that can't be one; an absent blueprint, deployment, filter or group; inputs that do not fit the blueprint.
    pub async fn put_deployment_group(
        &self,
        caller: &Caller,
        id: &str,
        change: GroupChange,
    ) -> Result<Map<String, Value>, ManagerError> {
        let id = EntityId::parse("group_id", id)?;
        let making = self.plan_group_deployments(caller, id.as_str(), &change).await?;
        let caller = caller.clone();
        self.write(move |tx| {
            let id = id.as_str();
            let number = match locate(tx, &DEPLOYMENT_GROUP, &caller, id) {
                Ok(number) => number,
                Err(ManagerError::NotFound { .. }) => insert(tx, &caller, id, &change)?,
                Err(error) => return Err(error),
            };
            set_attributes(tx, &caller, number, &change)?;
            if let Some(given) = &change.labels {
                members::relabel(tx, &caller, number, id, labels(caller.user.as_str(), given, &Map::new())?)?;
            }
            if change.members.is_overriding() {
                tx.execute(
                    "DELETE FROM deployment_group_members WHERE tenant_name = ? AND group_id = ?",
                    (caller.tenant.as_str(), id),
                )?;
            }
            members::add(tx, &caller, id, &change.members)?;
            making::make(tx, &caller, id, making)?;
            find(tx, &DEPLOYMENT_GROUP, &caller, id, None)
        })
        .await
    }

    /// Brings deployments into a group, makes some in it, and takes some out of it; all or nothing. The engine has to be
    /// woken afterwards.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; as [`Manager::put_deployment_group`].
    pub async fn change_group_members(
        &self,
        caller: &Caller,
        id: &str,
        add: Option<GroupChange>,
        remove: Option<Members>,
    ) -> Result<Map<String, Value>, ManagerError> {
        // Before what the group would need: one that is not there needs nothing.
        self.one(&DEPLOYMENT_GROUP, caller, id, None).await?;
        let making = match &add {
            Some(change) => self.plan_group_deployments(caller, id, change).await?,
            None => None,
        };
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            locate(tx, &DEPLOYMENT_GROUP, &caller, &id)?;
            if let Some(change) = &add {
                members::add(tx, &caller, &id, &change.members)?;
            }
            if let Some(remove) = &remove {
                members::remove(tx, &caller, &id, remove)?;
            }
            making::make(tx, &caller, &id, making)?;
            find(tx, &DEPLOYMENT_GROUP, &caller, &id, None)
        })
        .await
    }

    /// Removes a group; its deployments stay, unless they are to go with it, all or none. The engine has to be woken
    /// afterwards.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; [`ManagerError::DependentExists`] where one of the deployments can't go.
    pub async fn delete_deployment_group(
        &self,
        caller: &Caller,
        id: &str,
        deployments: Option<DeleteDeployment>,
    ) -> Result<(), ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &DEPLOYMENT_GROUP, &caller, &id)?;
            if let Some(options) = deployments {
                record_deletion(tx, &caller, &id, options)?;
            }
            tx.execute("DELETE FROM deployment_groups WHERE number = ?", [number])?;
            Ok(())
        })
        .await
    }
}

fn insert(tx: &Transaction<'_>, caller: &Caller, id: &str, new: &GroupChange) -> Result<i64, ManagerError> {
    tx.execute(
        "INSERT INTO deployment_groups (tenant_name, id, visibility, created_at, created_by, creation_counter)
         VALUES (?, ?, ?, ?, ?, ?)",
        params![
            caller.tenant.as_str(),
            id,
            new.visibility.unwrap_or(Visibility::Tenant).as_str(),
            new.created_at.unwrap_or_else(Timestamp::now).to_string(),
            new.created_by.as_ref().unwrap_or(&caller.user).as_str(),
            new.creation_counter.unwrap_or(0),
        ],
    )?;
    Ok(tx.last_insert_rowid())
}

fn set_attributes(
    tx: &Transaction<'_>,
    caller: &Caller,
    number: i64,
    change: &GroupChange,
) -> Result<(), ManagerError> {
    if let Some(blueprint) = &change.blueprint_id {
        find(tx, &BLUEPRINT, caller, blueprint, Some(vec!["id".to_owned()]))?;
    }
    tx.execute(
        "UPDATE deployment_groups SET visibility = coalesce(?2, visibility), description = coalesce(?3, description),
         default_blueprint_id = coalesce(?4, default_blueprint_id), default_inputs = coalesce(?5, default_inputs)
         WHERE number = ?1",
        params![
            number,
            change.visibility.map(Visibility::as_str),
            change.description,
            change.blueprint_id,
            change.default_inputs.as_ref().map(Value::to_string),
        ],
    )?;
    Ok(())
}

/// The deployments of a group, in the order in which they came in.
///
/// # Errors
/// The database's own.
pub(super) fn member_ids(
    connection: &Connection,
    tenant: &str,
    group: &str,
) -> Result<Vec<String>, ManagerError> {
    let ids = connection
        .prepare_cached(
            "SELECT deployment_id FROM deployment_group_members WHERE tenant_name = ? AND group_id = ? ORDER BY number",
        )?
        .query_map((tenant, group), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(ids)
}

/// Brings a deployment into a group; does nothing where it is in it, or where one of the two is gone.
///
/// # Errors
/// The database's own.
pub(super) fn join(
    tx: &Transaction<'_>,
    tenant: &str,
    group: &str,
    deployment: &str,
) -> Result<(), ManagerError> {
    let are_there: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM deployment_groups WHERE tenant_name = ?1 AND id = ?2)
               AND EXISTS (SELECT 1 FROM deployments WHERE tenant_name = ?1 AND id = ?3)",
        )?
        .query_row((tenant, group, deployment), |row| row.get(0))
        .optional()?
        .unwrap_or(false);
    if are_there {
        tx.prepare_cached(
            "INSERT INTO deployment_group_members (tenant_name, group_id, deployment_id) VALUES (?, ?, ?)
             ON CONFLICT DO NOTHING",
        )?
        .execute((tenant, group, deployment))?;
    }
    Ok(())
}
