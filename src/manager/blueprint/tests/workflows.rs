//! Workflows as steps.

use serde_json::{Value, json};

use super::super::{LifecycleError, LifecycleStep, WorkflowPlan, plan_workflow};
use super::{DeploymentPlan, given, shop_deployment};

fn run(plan: &DeploymentPlan, name: &str, parameters: Value) -> Result<WorkflowPlan, LifecycleError> {
    let workflow = plan.workflows.iter().find(|one| one["name"] == name).unwrap();
    plan_workflow(workflow, &given(parameters), &plan.nodes, &plan.node_instances)
}

fn steps(plan: &DeploymentPlan, name: &str, parameters: Value) -> Vec<LifecycleStep> {
    match run(plan, name, parameters).unwrap() {
        WorkflowPlan::Steps(steps) => steps,
        WorkflowPlan::Remote { .. } => panic!("`{name}` is planned"),
    }
}

/// Applies the states of steps to the instances of a plan.
fn apply(plan: &mut DeploymentPlan, steps: &[LifecycleStep]) {
    for step in steps {
        let instance =
            plan.node_instances.iter_mut().find(|one| one["id"] == *step.node_instance_id).unwrap();
        for state in [step.state_before, step.state_after].into_iter().flatten() {
            instance["state"] = json!(state);
        }
    }
}

fn position(steps: &[LifecycleStep], node: &str, state: &str) -> Vec<usize> {
    (0..steps.len())
        .filter(|at| steps[*at].node_id == node && steps[*at].state_after == Some(state))
        .collect()
}

#[test]
fn install_starts_targets_before_sources() {
    let plan = shop_deployment();
    let steps = steps(&plan, "install", json!({}));
    let net = position(&steps, "net", "started");
    let hosts = position(&steps, "host", "started");
    let apps = position(&steps, "app", "started");
    assert_eq!((net.len(), hosts.len(), apps.len()), (1, 2, 2));
    assert!(net[0] < hosts[0] && hosts[0] < apps[0] && hosts[1] < apps[1]);
    assert_eq!(steps[net[0]].message_after.as_deref(), Some("Node instance started (nothing to do)"));
}

#[test]
fn one_instance_passes_the_states_and_events_of_an_install() {
    let plan = shop_deployment();
    let app = plan.node_instances.iter().find(|one| one["node_id"] == "app").unwrap()["id"].as_str().unwrap();
    let steps = steps(&plan, "install", json!({}));
    let mine: Vec<&LifecycleStep> = steps.iter().filter(|step| step.node_instance_id == app).collect();
    let states: Vec<&str> =
        mine.iter().flat_map(|step| [step.state_before, step.state_after]).flatten().collect();
    assert_eq!(states, ["initializing", "creating", "created", "starting", "started"]);
    let messages: Vec<&str> = mine
        .iter()
        .flat_map(|step| [&step.message_before, &step.message_after])
        .flatten()
        .map(String::as_str)
        .collect();
    assert_eq!(
        messages,
        [
            "Validating node instance before creation: nothing to do",
            "Precreating node instance: nothing to do",
            "Creating node instance",
            "Node instance created",
            "Configuring node instance: nothing to do",
            "Starting node instance",
            "Poststarting node instance: nothing to do",
            "Establishing relationships",
            "Relationships established",
            "Node instance started",
        ]
    );
    let create = mine.iter().find(|step| step.state_before == Some("creating")).unwrap();
    assert_eq!(
        (create.plugin.as_deref(), create.task.as_deref()),
        (Some("script"), Some("script_runner.tasks.run"))
    );
    let establish = mine.iter().find(|step| step.target_instance_id.is_some()).unwrap();
    assert!(establish.target_instance_id.as_deref().unwrap().starts_with("db_"));
}

#[test]
fn uninstall_goes_the_other_way_and_ends_deleted() {
    let mut plan = shop_deployment();
    let installed = steps(&plan, "install", json!({}));
    apply(&mut plan, &installed);
    assert!(plan.node_instances.iter().all(|one| one["state"] == "started"));
    let steps = steps(&plan, "uninstall", json!({}));
    let apps = position(&steps, "app", "deleted");
    let net = position(&steps, "net", "deleted");
    assert!(apps.iter().all(|app| *app < net[0]));
    apply(&mut plan, &steps);
    assert!(plan.node_instances.iter().all(|one| one["state"] == "deleted"));
}

#[test]
fn what_is_installed_is_not_created_again() {
    let mut plan = shop_deployment();
    let installed = steps(&plan, "install", json!({}));
    apply(&mut plan, &installed);
    let again = steps(&plan, "install", json!({}));
    assert!(again.iter().all(|step| step.operation.is_none()), "{again:?}");
}

#[test]
fn reinstall_takes_down_and_brings_up() {
    let mut plan = shop_deployment();
    let installed = steps(&plan, "install", json!({}));
    apply(&mut plan, &installed);
    let again = steps(&plan, "reinstall", json!({}));
    assert!(again.iter().any(|step| step.state_before == Some("creating")));
    apply(&mut plan, &again);
    assert!(plan.node_instances.iter().all(|one| one["state"] == "started"));
}

#[test]
fn a_choice_of_nodes_touches_others_only_by_their_links() {
    let plan = shop_deployment();
    let steps = steps(&plan, "install", json!({"node_ids": ["db"]}));
    assert!(steps.iter().all(|step| step.node_id == "db" || step.node_id == "app"));
    let of_app: Vec<_> = steps.iter().filter(|step| step.node_id == "app").collect();
    assert_eq!(of_app.len(), 2);
    assert!(of_app.iter().all(
        |step| step.operation.as_deref() == Some("cloudify.interfaces.relationship_lifecycle.establish")
    ));
    let by_type = self::steps(&plan, "install", json!({"type_names": ["cloudify.nodes.Network"]}));
    assert!(
        position(&by_type, "net", "started").len() == 1 && position(&by_type, "db", "started").is_empty()
    );
}

#[test]
fn restart_stops_and_starts_without_changing_states() {
    let plan = shop_deployment();
    let steps = steps(&plan, "restart", json!({"node_ids": ["app"]}));
    let operations: Vec<&str> = steps.iter().filter_map(|step| step.operation.as_deref()).collect();
    assert_eq!(operations.len(), 4);
    assert!(operations[..2].iter().all(|name| name.ends_with(".stop")));
    assert!(steps.iter().all(|step| step.state_before.is_none() && step.state_after.is_none()));
    assert_eq!(
        steps[0].message_before.as_deref(),
        Some("Starting operation cloudify.interfaces.lifecycle.stop")
    );
}

#[test]
fn code_of_a_plugin_is_named_and_not_planned() {
    let plan = shop_deployment();
    let expected =
        WorkflowPlan::Remote { plugin: "tools".to_owned(), operation: "workflows.warm_up".to_owned() };
    assert_eq!(run(&plan, "warm_up", json!({})).unwrap(), expected);
    assert!(matches!(run(&plan, "heal", json!({})), Ok(WorkflowPlan::Remote { .. })));
}

#[test]
fn parameters_of_the_wrong_kind_are_refused() {
    let plan = shop_deployment();
    assert!(run(&plan, "install", json!({"node_ids": 3})).is_err());
    assert!(run(&plan, "execute_operation", json!({})).is_err());
    let steps =
        steps(&plan, "execute_operation", json!({"operation": "cloudify.interfaces.lifecycle.start"}));
    assert_eq!(steps.iter().filter(|step| step.has_operation).count(), 2);
}
