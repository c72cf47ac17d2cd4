//! Inter-deployment dependencies: which deployment needs which other one, and may not lose it.

mod dependents;

use rusqlite::{Connection, OptionalExtension, Transaction, params, params_from_iter};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::database::{Collection, Column, ListQuery, Page, text};
use crate::model::{Caller, Execution, Timestamp, UserName, Visibility};

use super::blueprint::{CapabilityUse, DeploymentPlan, capability_uses, plan_deployment};
use super::blueprints::plan_of;
use super::deployments::{DEPLOYMENT, new_instance_id};
use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, locate};
use super::scope::writable;
use super::{Manager, ManagerError};

pub(super) use dependents::{check_no_dependents, dependents_of};

/// The table of dependencies. A target may be gone or elsewhere; a source that goes takes its dependencies along.
pub const SCHEMA_V5: &str = "
CREATE TABLE inter_deployment_dependencies (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    dependency_creator TEXT NOT NULL,
    source_deployment_id TEXT,
    target_deployment_id TEXT,
    target_deployment_func TEXT,
    external_source TEXT,
    external_target TEXT,
    UNIQUE (tenant_name, id),
    FOREIGN KEY (tenant_name, source_deployment_id) REFERENCES deployments(tenant_name, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX dependencies_by_source ON inter_deployment_dependencies(tenant_name, source_deployment_id);
CREATE INDEX dependencies_by_target ON inter_deployment_dependencies(tenant_name, target_deployment_id);
";

/// A dependency as Cloudify 7 lists it.
pub const INTER_DEPLOYMENT_DEPENDENCIES: Collection = Collection {
    noun: "InterDeploymentDependencies",
    table: "inter_deployment_dependencies",
    columns: &[
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("id"),
        Column::text("dependency_creator"),
        Column::json("target_deployment_func"),
        Column::json("external_source"),
        Column::json("external_target"),
        Column::text("source_deployment_id"),
        Column::text("target_deployment_id"),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
    ],
    search: &["id"],
    default_sort: "created_at, number",
};

const DEPENDENCY: Kind = Kind { collection: &INTER_DEPLOYMENT_DEPENDENCIES, key: "id" };

/// A dependency that a caller asks for, without its source.
#[derive(Clone, Debug, Default)]
pub struct NewDependency {
    /// What makes the source depend on the target, e.g. `nodes.vm.properties.ip.get_capability`.
    pub dependency_creator: String,
    /// The deployment that is needed.
    pub target_deployment: Option<String>,
    /// The function that says which one is needed.
    pub target_deployment_func: Option<Value>,
    /// A source on another manager.
    pub external_source: Option<Value>,
    /// A target on another manager.
    pub external_target: Option<Value>,
    /// Its id, where it had one before.
    pub id: Option<String>,
    /// Who sees it, where that is not who sees the source.
    pub visibility: Option<Visibility>,
    /// When it was made, where that is not now.
    pub created_at: Option<Timestamp>,
    /// Whose it is, where that is not the caller.
    pub created_by: Option<UserName>,
}

/// Which dependency is meant.
#[derive(Clone, Debug)]
pub struct DependencyQuery {
    /// What made it.
    pub dependency_creator: String,
    /// The deployment that needs the other.
    pub source_deployment: String,
    /// The deployment that is needed; any where `None`.
    pub target_deployment: Option<String>,
    /// Whether the target may be gone already.
    pub is_component_deletion: bool,
    /// A source on another manager.
    pub external_source: Option<Value>,
    /// A target on another manager.
    pub external_target: Option<Value>,
}

impl Manager {
    /// The dependencies that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn dependencies(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.page(&DEPENDENCY, caller, query).await
    }

    /// Records a dependency, and answers it.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the source; a target that there is not; [`ManagerError::Conflict`] for a circle.
    pub async fn create_dependency(
        &self,
        caller: &Caller,
        source: &str,
        new: NewDependency,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, source) = (caller.clone(), source.to_owned());
        self.write(move |tx| {
            let needs_target = new.external_target.is_none()
                && new.external_source.is_none()
                && new.target_deployment_func.is_none();
            let is_there = match &new.target_deployment {
                Some(target) => exists(tx, caller.tenant.as_str(), target)?,
                None => false,
            };
            if needs_target && !is_there {
                return Err(ManagerError::Missing(format!(
                    "Given target deployment with ID `{}` does not exist.  Also the target deployment function has \
                     not been provided",
                    new.target_deployment.as_deref().unwrap_or("None")
                )));
            }
            let id = insert(tx, &caller, &source, &new)?;
            super::entities::find(tx, &DEPENDENCY, &caller, &id, None)
        })
        .await
    }

    /// Records several dependencies of one source, all or none, and answers their ids. With `is_rewriting` those that it
    /// had are gone.
    ///
    /// # Errors
    /// As [`Manager::create_dependency`], but that a target may be absent.
    pub async fn create_dependencies(
        &self,
        caller: &Caller,
        source: &str,
        new: Vec<NewDependency>,
        is_rewriting: bool,
    ) -> Result<Vec<String>, ManagerError> {
        let (caller, source) = (caller.clone(), source.to_owned());
        self.write(move |tx| {
            if is_rewriting {
                locate(tx, &DEPLOYMENT, &caller, &source)?;
                tx.execute(
                    "DELETE FROM inter_deployment_dependencies WHERE tenant_name = ? AND source_deployment_id = ?",
                    (caller.tenant.as_str(), &source),
                )?;
            }
            new.iter().map(|new| insert(tx, &caller, &source, new)).collect()
        })
        .await
    }

    /// Removes a dependency.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; a source or target that there is not.
    pub async fn delete_dependency(
        &self,
        caller: &Caller,
        query: DependencyQuery,
    ) -> Result<(), ManagerError> {
        let caller = caller.clone();
        self.write(move |tx| {
            if query.external_source.is_none() && !exists(tx, caller.tenant.as_str(), &query.source_deployment)? {
                return Err(ManagerError::Missing(format!(
                    "Given source deployment with ID `{}` does not exist.",
                    query.source_deployment
                )));
            }
            let (condition, parameters) = writable(&caller).into_sql();
            let sql = format!(
                "SELECT number FROM inter_deployment_dependencies WHERE dependency_creator = ?
                 AND source_deployment_id IS ? AND (? OR target_deployment_id = ?) AND external_source IS ?
                 AND (? OR external_target IS ?) AND {condition} ORDER BY number LIMIT 1"
            );
            let json = |value: &Option<Value>| {
                value.as_ref().map_or(rusqlite::types::Value::Null, |value| text(value.to_string()))
            };
            let optional = |value: Option<&String>| value.map_or(rusqlite::types::Value::Null, text);
            let any_target = query.target_deployment.is_none() || query.is_component_deletion;
            let source = query.external_source.is_none().then_some(&query.source_deployment);
            let own = [
                text(&*query.dependency_creator),
                optional(source),
                i64::from(any_target).into(),
                optional(query.target_deployment.as_ref()),
                json(&query.external_source),
                i64::from(query.external_target.is_none()).into(),
                json(&query.external_target),
            ];
            let number: Option<i64> = tx
                .prepare_cached(&sql)?
                .query_row(params_from_iter(own.into_iter().chain(parameters)), |row| row.get(0))
                .optional()?;
            let number = number.ok_or_else(|| {
                ManagerError::Missing(format!(
                    "Requested Inter-deployment Dependency with params `dependency_creator: {}, source_deployment: {}, \
                     target_deployment: {}` was not found",
                    query.dependency_creator,
                    query.source_deployment,
                    query.target_deployment.as_deref().unwrap_or("None")
                ))
            })?;
            tx.execute("DELETE FROM inter_deployment_dependencies WHERE number = ?", [number])?;
            Ok(())
        })
        .await
    }

    /// Makes the dependencies of a deployment again that follow from its blueprint.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; a blueprint that can't be planned; [`ManagerError::Conflict`] for a circle.
    pub async fn restore_dependencies(&self, caller: &Caller, deployment: &str) -> Result<(), ManagerError> {
        let (caller, deployment) = (caller.clone(), deployment.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &DEPLOYMENT, &caller, &deployment)?;
            let (blueprint, inputs, visibility, created_by): (String, String, String, String) = tx
                .query_row(
                    "SELECT blueprint_id, inputs, visibility, created_by FROM deployments WHERE number = ?",
                    [number],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
                )?;
            let plan = plan_of(tx, caller.tenant.as_str(), &blueprint)?;
            let inputs: Map<String, Value> = serde_json::from_str(&inputs).unwrap_or_default();
            let plan = plan_deployment(&plan, &inputs, &mut new_instance_id)?;
            let source = Source {
                tenant: caller.tenant.as_str(),
                id: &deployment,
                visibility: &visibility,
                created_by: &created_by,
            };
            record_planned(tx, &source, &plan)
        })
        .await
    }
}

/// The deployment that needs others.
pub(super) struct Source<'a> {
    pub tenant: &'a str,
    pub id: &'a str,
    pub visibility: &'a str,
    pub created_by: &'a str,
}

/// Records the dependencies that follow from a deployment's plan, in place of those that followed from an earlier one.
///
/// # Errors
/// [`ManagerError::Conflict`] for a circle; the database's own.
pub(super) fn record_planned(
    tx: &Transaction<'_>,
    source: &Source<'_>,
    plan: &DeploymentPlan,
) -> Result<(), ManagerError> {
    tx.execute(
        "DELETE FROM inter_deployment_dependencies WHERE tenant_name = ? AND source_deployment_id = ?
         AND (dependency_creator LIKE '%.get_capability' OR dependency_creator LIKE 'component.%'
           OR dependency_creator LIKE 'sharedresource.%')",
        (source.tenant, source.id),
    )?;
    for CapabilityUse { place, target } in capability_uses(plan) {
        let literal = match &target {
            Value::String(name) => Some(name.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let target_id = match &literal {
            Some(name) if exists(tx, source.tenant, name)? => literal.clone(),
            _ => None,
        };
        // What can't be told yet is told by the function.
        let func = target_id.is_none().then(|| json!({ "get_capability": [target] }));
        put(tx, source, &place, target_id.as_deref(), func.as_ref())?;
    }
    for instance in &plan.node_instances {
        let node = plan.nodes.iter().find(|node| node["id"] == instance["node_id"]);
        let Some((node, kind)) = node.and_then(|node| Some((node, component_kind(node)?))) else { continue };
        let Some(target) = node["properties"]["resource_config"]["deployment"]["id"].as_str() else {
            continue;
        };
        if exists(tx, source.tenant, target)? {
            let creator = format!("{kind}.{}", instance["id"].as_str().unwrap_or_default());
            put(tx, source, &creator, Some(target), None)?;
        }
    }
    Ok(())
}

/// How Cloudify calls what a node makes of another deployment, where it is such a node.
fn component_kind(node: &Value) -> Option<&'static str> {
    let is_a =
        |name: &str| node["type_hierarchy"].as_array().is_some_and(|types| types.iter().any(|of| of == name));
    if is_a("cloudify.nodes.SharedResource") {
        Some("sharedresource")
    } else if is_a("cloudify.nodes.Component") {
        Some("component")
    } else {
        None
    }
}

fn put(
    tx: &Transaction<'_>,
    source: &Source<'_>,
    creator: &str,
    target: Option<&str>,
    func: Option<&Value>,
) -> Result<(), ManagerError> {
    if let Some(target) = target {
        check_no_circle(tx, source.tenant, source.id, target)?;
    }
    tx.prepare_cached(
        "INSERT INTO inter_deployment_dependencies (tenant_name, id, visibility, created_at, created_by,
         dependency_creator, source_deployment_id, target_deployment_id, target_deployment_func)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        source.tenant,
        Uuid::new_v4().to_string(),
        source.visibility,
        Timestamp::now().to_string(),
        source.created_by,
        creator,
        source.id,
        target,
        func.map(Value::to_string),
    ])?;
    Ok(())
}

fn insert(
    tx: &Transaction<'_>,
    caller: &Caller,
    source: &str,
    new: &NewDependency,
) -> Result<String, ManagerError> {
    let tenant = caller.tenant.as_str();
    let is_external = new.external_source.is_some();
    if !is_external && !exists(tx, tenant, source)? {
        return Err(ManagerError::Missing(format!(
            "Given source deployment with ID `{source}` does not exist."
        )));
    }
    let target = match &new.target_deployment {
        Some(target) if new.external_target.is_none() && exists(tx, tenant, target)? => Some(target),
        _ => None,
    };
    if let (Some(target), false) = (target, is_external) {
        check_no_circle(tx, tenant, source, target)?;
    }
    let visibility: Option<String> = tx
        .query_row(
            "SELECT visibility FROM deployments WHERE tenant_name = ? AND id = ?",
            (tenant, source),
            |row| row.get(0),
        )
        .optional()?;
    let visibility = match new.visibility {
        Some(visibility) => visibility.as_str().to_owned(),
        None => visibility.unwrap_or_else(|| Visibility::Tenant.as_str().to_owned()),
    };
    let id = new.id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let is_taken: bool = tx.query_row(
        "SELECT EXISTS (SELECT 1 FROM inter_deployment_dependencies WHERE tenant_name = ? AND id = ?)",
        (tenant, &id),
        |row| row.get(0),
    )?;
    if is_taken {
        return Err(ManagerError::Exists {
            noun: INTER_DEPLOYMENT_DEPENDENCIES.noun,
            id,
            tenant: tenant.to_owned(),
        });
    }
    let json = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    tx.execute(
        "INSERT INTO inter_deployment_dependencies (tenant_name, id, visibility, created_at, created_by,
         dependency_creator, source_deployment_id, target_deployment_id, target_deployment_func, external_source,
         external_target) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            tenant,
            id,
            visibility,
            new.created_at.unwrap_or_else(Timestamp::now).to_string(),
            new.created_by.as_ref().unwrap_or(&caller.user).as_str(),
            new.dependency_creator,
            (!is_external).then_some(source),
            target,
            json(&new.target_deployment_func),
            json(&new.external_source),
            json(&new.external_target),
        ],
    )?;
    Ok(id)
}

fn exists(connection: &Connection, tenant: &str, deployment: &str) -> Result<bool, ManagerError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM deployments WHERE tenant_name = ? AND id = ?)";
    Ok(connection.prepare_cached(sql)?.query_row((tenant, deployment), |row| row.get(0))?)
}

/// Refuses a dependency whose target needs the source already, over whatever way.
fn check_no_circle(
    connection: &Connection,
    tenant: &str,
    source: &str,
    target: &str,
) -> Result<(), ManagerError> {
    let closes: bool = connection
        .prepare_cached(
            "WITH RECURSIVE needed(id) AS (
               SELECT ?3 UNION
               SELECT d.target_deployment_id FROM inter_deployment_dependencies d JOIN needed ON d.tenant_name = ?1
                 AND d.source_deployment_id = needed.id WHERE d.target_deployment_id IS NOT NULL
             ) SELECT EXISTS (SELECT 1 FROM needed WHERE id = ?2)",
        )?
        .query_row((tenant, source, target), |row| row.get(0))?;
    if closes {
        return Err(ManagerError::Conflict(format!(
            "cyclic dependency between deployments {source} and {target}"
        )));
    }
    Ok(())
}

/// Lets dependencies on a deployment that goes point to nothing, as Cloudify does.
///
/// # Errors
/// The database's own.
pub(super) fn forget_target(
    tx: &Transaction<'_>,
    execution: &Execution,
    deployment: &str,
) -> Result<(), ManagerError> {
    tx.execute(
        "UPDATE inter_deployment_dependencies SET target_deployment_id = NULL WHERE tenant_name = ?
         AND target_deployment_id = ?",
        (execution.tenant_name.as_str(), deployment),
    )?;
    Ok(())
}
