//! Deployment environments after a restore: each deployment gets a child execution that brings back what lies
//! outside the manager's tables. Restored nodes, instances and properties stay as they are.
//!
//! The children are records of the service, as their parent is: the restored state stays what the snapshot holds.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::database::DatabaseError;
use crate::executions::events::{self, NewEvent};
use crate::executions::table::{self, Progress, StatusChange};
use crate::executions::{Job, JobError};
use crate::manager::{Manager, ManagerError};
use crate::model::{
    BlobId, EntityId, Execution, ExecutionId, ExecutionStatus, TenantName, Timestamp, UserName, Workflow,
};
use crate::records::Records;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Recreated {
    pub done: u64,
    /// Deployments whose environment could not be made, each with the reason.
    pub failed: Vec<String>,
}

struct Deployment {
    tenant: String,
    id: String,
    blueprint: String,
    created_by: String,
    archive: Option<String>,
    nodes: i64,
    instances: i64,
}

fn deployments(connection: &Connection) -> Result<Vec<Deployment>, ManagerError> {
    let mut statement = connection.prepare(
        "SELECT d.tenant_name, d.id, d.blueprint_id, d.created_by, b.archive_blob,
            (SELECT count(*) FROM nodes n WHERE n.tenant_name = d.tenant_name AND n.deployment_id = d.id),
            (SELECT count(*) FROM node_instances i WHERE i.tenant_name = d.tenant_name AND i.deployment_id = d.id)
         FROM deployments d JOIN blueprints b ON b.tenant_name = d.tenant_name AND b.id = d.blueprint_id
         ORDER BY d.number",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Deployment {
            tenant: row.get(0)?,
            id: row.get(1)?,
            blueprint: row.get(2)?,
            created_by: row.get(3)?,
            archive: row.get(4)?,
            nodes: row.get(5)?,
            instances: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Runs the child executions one after the other; a failed one does not fail the restore, and is named.
/// With `only`, those of these deployments, each by its tenant and id.
pub(super) fn recreate(
    manager: &Manager,
    records: &Records,
    job: &Job,
    only: Option<&BTreeSet<(String, String)>>,
) -> Result<Recreated, JobError> {
    let mut deployments = manager.read_blocking(deployments)?;
    if let Some(only) = only {
        deployments.retain(|deployment| only.contains(&(deployment.tenant.clone(), deployment.id.clone())));
    }
    let total = deployments.len() as u64;
    let mut recreated = Recreated::default();
    for (done, deployment) in deployments.into_iter().enumerate() {
        let missing = match deployment.archive.as_deref().and_then(BlobId::parse) {
            Some(blob) => manager.blobs().read(&blob).err().map(|_| "the archive of its blueprint is gone"),
            None => Some("its blueprint has no archive"),
        };
        let error = missing.map(str::to_owned);
        if let Some(reason) = &error {
            recreated.failed.push(format!("`{}` of tenant `{}`: {reason}", deployment.id, deployment.tenant));
            job.warn(format!(
                "the environment of deployment `{}` was not recreated: {reason}",
                deployment.id
            ));
        } else {
            recreated.done += 1;
        }
        let (parent, boot) = (job.execution().id, job.boot());
        records
            .database()
            .write_blocking(move |tx| record(tx, &deployment, parent, boot, error.as_deref()))?;
        job.progress(Progress {
            phase: "recreating environments",
            finished_operations: done as u64 + 1,
            total_operations: total,
            ..Progress::default()
        });
    }
    Ok(recreated)
}

/// Writes the child execution with what it did, from its start to its end in one transaction.
fn record(
    connection: &Connection,
    deployment: &Deployment,
    parent: ExecutionId,
    boot: u64,
    error: Option<&str>,
) -> Result<(), DatabaseError> {
    let execution = Execution {
        id: ExecutionId::new(),
        workflow: Workflow::CreateDeploymentEnvironment,
        tenant_name: TenantName::trusted(&*deployment.tenant),
        created_by: UserName::trusted(&*deployment.created_by),
        deployment_id: Some(EntityId::trusted(&*deployment.id)),
        blueprint_id: Some(EntityId::trusted(&*deployment.blueprint)),
        snapshot_id: None,
        status: ExecutionStatus::Pending,
        error: String::new(),
        parameters: serde_json::Map::new(),
        created_at: Timestamp::now(),
        scheduled_for: None,
        is_dry_run: false,
        group: None,
    };
    table::insert(connection, &execution)?;
    table::set_parent(connection, execution.id, parent)?;
    let started = StatusChange { boot: Some(boot), ..StatusChange::default() };
    table::set_status(connection, execution.id, ExecutionStatus::Started, &started)?;
    let event = |event_type: &str, error: &str| events::workflow_event(&execution, event_type, error);
    events::insert_event(connection, &execution, &event("workflow_started", ""))?;
    let (status, end) = match error {
        None => {
            let kept = format!(
                "the environment is there again: {} nodes and {} node instances stay as they were restored",
                deployment.nodes, deployment.instances
            );
            let log = NewEvent { level: Some("info"), message: kept, ..NewEvent::default() };
            events::insert_event(connection, &execution, &log)?;
            (ExecutionStatus::Terminated, event("workflow_succeeded", ""))
        }
        Some(reason) => (ExecutionStatus::Failed, event("workflow_failed", reason)),
    };
    events::insert_event(connection, &execution, &end)?;
    let change = StatusChange { error, ..StatusChange::default() };
    table::set_status(connection, execution.id, status, &change)?;
    Ok(())
}
