//! Deployments that belong to others, as the label `csys-obj-parent` says: services and environments.

use rusqlite::Connection;
use serde_json::Value;

use crate::database::{Column, ColumnKind};
use crate::model::Caller;

use super::ManagerError;
use super::deployment_status::{execution_status, installation_status, latest_execution, own_status};

/// `below`: those that belong to the deployment, directly or through others, by their numbers; `own`: its own.
macro_rules! below {
    () => {
        "WITH RECURSIVE below(number) AS (
            SELECT c.number FROM deployment_labels l JOIN deployments c ON c.number = l.owner
            WHERE l.key = 'csys-obj-parent' AND l.value = deployments.id
              AND c.tenant_name = deployments.tenant_name
            UNION SELECT c.number FROM below b JOIN deployments p ON p.number = b.number
            JOIN deployment_labels l ON l.key = 'csys-obj-parent' AND l.value = p.id
            JOIN deployments c ON c.number = l.owner AND c.tenant_name = p.tenant_name),
         own(number) AS (SELECT deployments.number) "
    };
}

/// Whether `below b` is an environment, or is none.
macro_rules! environment {
    ($is_environment:literal) => {
        concat!(
            $is_environment,
            " (SELECT 1 FROM deployment_labels t
               WHERE t.owner = b.number AND t.key = 'csys-obj-type' AND t.value = 'environment')"
        )
    };
}

macro_rules! count_below {
    ($is_environment:literal) => {
        concat!("(", below!(), "SELECT count(*) FROM below b WHERE ", environment!($is_environment), ")")
    };
}

/// The worst of the statuses of the deployments whose numbers are asked for; null where there are none. The numbers are
/// asked for beside the table and not within it, where `deployments` would be another row.
macro_rules! worst {
    ($numbers:expr) => {
        concat!(
            "(",
            below!(),
            "SELECT CASE max(CASE status WHEN 'requires_attention' THEN 3 WHEN 'in_progress' THEN 2 ELSE 1 END)
               WHEN 3 THEN 'requires_attention' WHEN 2 THEN 'in_progress' WHEN 1 THEN 'good' END
             FROM (SELECT ",
            own_status!(),
            " AS status FROM (",
            $numbers,
            ") n CROSS JOIN deployments ON deployments.number = n.number))"
        )
    };
}

/// How many services belong to a deployment, directly or through others.
pub(super) const SUB_SERVICES: Column =
    Column::expression("sub_services_count", count_below!("NOT EXISTS"), ColumnKind::Integer);
/// How many environments belong to a deployment, directly or through others.
pub(super) const SUB_ENVIRONMENTS: Column =
    Column::expression("sub_environments_count", count_below!("EXISTS"), ColumnKind::Integer);
/// How the worst of the services is that belong to a deployment.
pub(super) const SUB_SERVICES_STATUS: Column = Column::expression(
    "sub_services_status",
    worst!(concat!("SELECT b.number FROM below b WHERE ", environment!("NOT EXISTS"))),
    ColumnKind::Text,
);
/// How the worst of the environments is that belong to a deployment.
pub(super) const SUB_ENVIRONMENTS_STATUS: Column = Column::expression(
    "sub_environments_status",
    worst!(concat!("SELECT b.number FROM below b WHERE ", environment!("EXISTS"))),
    ColumnKind::Text,
);
/// How a deployment is with all that belongs to it: as the worst of them.
pub(super) const DEPLOYMENT_STATUS: Column = Column::expression(
    "deployment_status",
    worst!("SELECT number FROM below UNION ALL SELECT own.number FROM own"),
    ColumnKind::Text,
);

/// Checks that the deployments exist to which labels say that this one belongs, and that none of them belongs to it.
///
/// # Errors
/// [`ManagerError::ParentNotFound`]; [`ManagerError::Conflict`] for a circle.
pub(super) fn check_parents(
    connection: &Connection,
    caller: &Caller,
    id: &str,
    labels: &Value,
) -> Result<(), ManagerError> {
    let parents = labels
        .as_array()
        .into_iter()
        .flatten()
        .filter(|label| label["key"] == "csys-obj-parent")
        .filter_map(|label| label["value"].as_str());
    let mut missing = Vec::new();
    for parent in parents {
        let above = connection
            .prepare_cached(
                "WITH RECURSIVE above(id) AS (
                   SELECT id FROM deployments WHERE tenant_name = ?1 AND id = ?2
                   UNION SELECT l.value FROM above a JOIN deployments d ON d.tenant_name = ?1 AND d.id = a.id
                     JOIN deployment_labels l ON l.owner = d.number AND l.key = 'csys-obj-parent')
                 SELECT id FROM above",
            )?
            .query_map((caller.tenant.as_str(), parent), |row| row.get::<_, String>(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        if parent == id || above.iter().any(|above| above == id) {
            return Err(ManagerError::Conflict(format!(
                "Deployment {id} can't have the parent {parent}: that would close a circle"
            )));
        }
        if above.is_empty() {
            missing.push(parent);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(ManagerError::ParentNotFound(format!(
        "Deployment {id}: is referencing deployments using label `csys-obj-parent` that does not exist, make sure that \
         deployment(s) {} exist before creating deployment",
        missing.join(",")
    )))
}
