//! Agents: which instance has one, where it is reached, and its key file, sealed at rest.

use rusqlite::{OptionalExtension, params};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::database::{Collection, Column, ColumnKind, ListQuery, Page};
use crate::model::{Caller, EntityId, Timestamp};

use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, check_free, find, locate};
use super::{Manager, ManagerError, Place};

macro_rules! of_instance {
    ($column:literal) => {
        concat!(
            "(SELECT i.",
            $column,
            " FROM node_instances i WHERE i.tenant_name = agents.tenant_name AND i.id = agents.node_instance_id)"
        )
    };
}

/// An agent as Cloudify 7 lists it, without its password and its key file.
pub const AGENTS: Collection = Collection {
    noun: "Agent",
    table: "agents",
    columns: &[
        Column::text("id"),
        Column::expression("name", "id", ColumnKind::Text),
        Column::expression("host_id", of_instance!("host_id"), ColumnKind::Text),
        Column::text("ip"),
        Column::text("install_method"),
        Column::text("system"),
        Column::text("version"),
        Column::expression("node", of_instance!("node_id"), ColumnKind::Text),
        Column::expression("deployment", of_instance!("deployment_id"), ColumnKind::Text),
        Column::expression("deployment_id", of_instance!("deployment_id"), ColumnKind::Text),
        Column::text("node_instance_id"),
        Column::text("state"),
        Column::text("rabbitmq_username"),
        Column::text("rabbitmq_exchange"),
        Column::text("created_at"),
        Column::text("updated_at"),
        Column::text("visibility"),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
        Column::expression("has_key_file", "sealed_key_file IS NOT NULL", ColumnKind::Boolean),
    ],
    search: &["id"],
    default_sort: "created_at, number",
};

const AGENT: Kind = Kind { collection: &AGENTS, key: "id" };

/// What a caller says of an agent; `None` leaves what is kept.
#[derive(Default)]
pub struct AgentChange {
    /// The instance that has it; needed for a new one, and never changed.
    pub node_instance_id: Option<String>,
    /// Its state; `creating` for a new one.
    pub state: Option<String>,
    /// Its address.
    pub ip: Option<String>,
    /// How it was installed.
    pub install_method: Option<String>,
    /// The system that it runs on.
    pub system: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its user at the broker.
    pub rabbitmq_username: Option<String>,
    /// Its exchange at the broker.
    pub rabbitmq_exchange: Option<String>,
    /// Its password at the broker. Never shown again.
    pub rabbitmq_password: Option<String>,
}

fn place<'a>(kind: &'a str, tenant: &'a str, key: &'a str) -> Place<'a> {
    Place { kind, tenant, key }
}

impl Manager {
    /// The agents that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn agents(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.page(&AGENT, caller, query).await
    }

    /// One agent.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn agent(
        &self,
        caller: &Caller,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.one(&AGENT, caller, id, include).await
    }

    /// Keeps an agent, a new one or what is given of an existing one, and answers it.
    ///
    /// # Errors
    /// A name that can't be one; a new agent without an existing node instance.
    pub async fn put_agent(
        &self,
        caller: &Caller,
        id: &str,
        change: AgentChange,
    ) -> Result<Map<String, Value>, ManagerError> {
        EntityId::parse("name", id)?;
        self.keep_agent(caller, id, change, true).await
    }

    /// Changes an agent, and answers it.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; the database's own.
    pub async fn change_agent(
        &self,
        caller: &Caller,
        id: &str,
        change: AgentChange,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.keep_agent(caller, id, change, false).await
    }

    async fn keep_agent(
        &self,
        caller: &Caller,
        id: &str,
        change: AgentChange,
        may_create: bool,
    ) -> Result<Map<String, Value>, ManagerError> {
        let password = match &change.rabbitmq_password {
            Some(password) => {
                let place = place("agent_password", caller.tenant.as_str(), id);
                Some(self.vault().seal(place, password.as_bytes())?)
            }
            None => None,
        };
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let now = Timestamp::now().to_string();
            let number = match locate(tx, &AGENT, &caller, &id) {
                Err(ManagerError::NotFound { .. }) if may_create => {
                    check_free(tx, &AGENT, caller.tenant.as_str(), &id, crate::model::Visibility::Tenant)?;
                    let instance = change.node_instance_id.as_deref().unwrap_or_default();
                    let visibility: Option<String> = tx
                        .query_row(
                            "SELECT visibility FROM node_instances WHERE tenant_name = ? AND id = ?",
                            (caller.tenant.as_str(), instance),
                            |row| row.get(0),
                        )
                        .optional()?;
                    let visibility = visibility
                        .ok_or_else(|| ManagerError::NotFound { noun: "NodeInstance", id: instance.to_owned() })?;
                    tx.execute(
                        "INSERT INTO agents (tenant_name, id, visibility, created_at, created_by, node_instance_id, state)
                         VALUES (?, ?, ?, ?, ?, ?, 'creating')",
                        params![caller.tenant.as_str(), id, visibility, now, caller.user.as_str(), instance],
                    )?;
                    tx.last_insert_rowid()
                }
                found => found?,
            };
            tx.execute(
                "UPDATE agents SET state = coalesce(?2, state), ip = coalesce(?3, ip),
                 install_method = coalesce(?4, install_method), system = coalesce(?5, system),
                 version = coalesce(?6, version), rabbitmq_username = coalesce(?7, rabbitmq_username),
                 rabbitmq_exchange = coalesce(?8, rabbitmq_exchange),
                 sealed_rabbitmq_password = coalesce(?9, sealed_rabbitmq_password), updated_at = ?10
                 WHERE number = ?1",
                params![
                    number,
                    change.state,
                    change.ip,
                    change.install_method,
                    change.system,
                    change.version,
                    change.rabbitmq_username,
                    change.rabbitmq_exchange,
                    password,
                    now
                ],
            )?;
            find(tx, &AGENT, &caller, &id, None)
        })
        .await
    }

    /// Keeps the key file with which an agent is reached, in place of the former one.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; the database's own.
    pub async fn set_agent_key_file(
        &self,
        caller: &Caller,
        id: &str,
        key_file: &[u8],
    ) -> Result<(), ManagerError> {
        let sealed = self.vault().seal(place("agent_key_file", caller.tenant.as_str(), id), key_file)?;
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &AGENT, &caller, &id)?;
            tx.execute(
                "UPDATE agents SET sealed_key_file = ?2, updated_at = ?3 WHERE number = ?1",
                params![number, sealed, Timestamp::now().to_string()],
            )?;
            Ok(())
        })
        .await
    }

    /// The key file with which an agent is reached.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] where there is no agent, or it has none.
    pub async fn agent_key_file(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Zeroizing<Vec<u8>>, ManagerError> {
        let (caller, id, vault) = (caller.clone(), id.to_owned(), self.vault().clone());
        self.read(move |connection| {
            let number = locate(connection, &AGENT, &caller, &id)?;
            let sealed: Option<Vec<u8>> = connection.query_row(
                "SELECT sealed_key_file FROM agents WHERE number = ?",
                [number],
                |row| row.get(0),
            )?;
            let sealed = sealed.ok_or_else(|| ManagerError::NotFound { noun: "KeyFile", id: id.clone() })?;
            Ok(vault.open(place("agent_key_file", caller.tenant.as_str(), &id), &sealed)?)
        })
        .await
    }
}
