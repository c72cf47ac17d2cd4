//! How a deployment is, as SQL on a row of the table `deployments`: what was installed, and how its latest execution ended.
//!
//! These are macros, as texts that are put together while compiling can only come from such.

/// The latest execution of a deployment, not one of an earlier deployment of the same id.
macro_rules! latest_execution {
    ($column:literal) => {
        concat!(
            "(SELECT ",
            $column,
            " FROM executions e INDEXED BY executions_by_deployment
             WHERE e.tenant_name = deployments.tenant_name AND e.deployment_id = deployments.id
             AND e.created_at >= deployments.created_at ORDER BY e.created_at DESC, e.id DESC LIMIT 1)"
        )
    };
}

macro_rules! execution_status {
    () => {
        latest_execution!(
            "CASE e.status WHEN 'terminated' THEN 'completed' WHEN 'failed' THEN 'failed' WHEN 'cancelled' THEN 'cancelled'
             WHEN 'scheduled' THEN 'scheduled' ELSE 'in_progress' END"
        )
    };
}

macro_rules! installation_status {
    () => {
        "CASE WHEN EXISTS (SELECT 1 FROM node_instances i WHERE i.tenant_name = deployments.tenant_name
           AND i.deployment_id = deployments.id)
         AND NOT EXISTS (SELECT 1 FROM node_instances i WHERE i.tenant_name = deployments.tenant_name
           AND i.deployment_id = deployments.id AND i.state <> 'started') THEN 'active' ELSE 'inactive' END"
    };
}

/// How a deployment itself is, whatever belongs to it.
macro_rules! own_status {
    () => {
        concat!(
            "(SELECT CASE
               WHEN latest = 'cancelled' AND installed = 'active' THEN 'good'
               WHEN latest = 'in_progress' AND installed = 'inactive' THEN 'in_progress'
               WHEN latest = 'failed' OR installed = 'inactive' THEN 'requires_attention'
               WHEN latest = 'completed' THEN 'good'
               ELSE 'in_progress' END
             FROM (SELECT ",
            execution_status!(),
            " AS latest, ",
            installation_status!(),
            " AS installed))"
        )
    };
}

pub(super) use {execution_status, installation_status, latest_execution, own_status};
