//! Who needs a deployment, told as Cloudify does.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::super::ManagerError;

/// How many dependents a refusal names.
const NAMED: usize = 3;

/// Refuses where other installations depend on a deployment.
///
/// # Errors
/// [`ManagerError::DependentExists`] with Cloudify's words; the database's own.
pub(in super::super) fn check_no_dependents(
    connection: &Connection,
    tenant: &str,
    deployment: &str,
    action: &str,
) -> Result<(), ManagerError> {
    let dependents = dependents(connection, tenant, deployment)?;
    if dependents.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = (1..)
        .zip(dependents.iter().take(NAMED))
        .map(|(place, line)| format!("[{place}] {}", line.told()))
        .collect();
    Err(ManagerError::DependentExists(format!(
        "Can't {action} deployment {deployment} - the following existing installations depend on it:\n{}",
        lines.join("\n")
    )))
}

/// A deployment that needs another one.
#[derive(Debug)]
struct Dependent {
    deployment: String,
    kind: &'static str,
    node: String,
}

impl Dependent {
    fn of(creator: &str, source: Option<String>, external: Option<String>) -> Self {
        let parts: Vec<&str> = creator.split('.').collect();
        let kind = match parts.first() {
            Some(&"component") if parts.len() > 1 => "component",
            Some(&"sharedresource") if parts.len() > 1 => "sharedresource",
            _ => "deployment",
        };
        let node = parts.get(1).map_or("<unknown node>", |node| node).to_owned();
        let deployment = source
            .or_else(|| external.map(|external| format!("EXTERNAL:{external}")))
            .unwrap_or_else(|| "<unknown deployment>".to_owned());
        Self { deployment, kind, node }
    }

    fn told(&self) -> String {
        let does = match self.kind {
            "component" => "contains",
            "sharedresource" => "uses a shared resource from",
            _ => "uses capabilities of",
        };
        format!("Deployment `{}` {does} the current deployment in its node `{}`", self.deployment, self.node)
    }
}

/// The deployments that need this one.
///
/// # Errors
/// The database's own.
fn dependents(
    connection: &Connection,
    tenant: &str,
    deployment: &str,
) -> Result<Vec<Dependent>, ManagerError> {
    let dependents = connection
        .prepare_cached(
            "SELECT dependency_creator, source_deployment_id, external_source FROM inter_deployment_dependencies
             WHERE tenant_name = ?1 AND target_deployment_id = ?2 AND source_deployment_id IS NOT ?2 ORDER BY number",
        )?
        .query_map((tenant, deployment), |row| {
            Ok(Dependent::of(&row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(dependents)
}

/// The deployments that need this one, as the preview of an update shows them.
///
/// # Errors
/// The database's own.
pub(in super::super) fn dependents_of(
    connection: &Connection,
    tenant: &str,
    deployment: &str,
) -> Result<Vec<Value>, ManagerError> {
    let summary = |dependent: &Dependent| {
        json!({
            "deployment": dependent.deployment, "dependency_type": dependent.kind,
            "dependent_node": dependent.node, "tenant": tenant,
        })
    };
    Ok(dependents(connection, tenant, deployment)?.iter().map(summary).collect())
}
