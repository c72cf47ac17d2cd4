//! Deployments, their nodes and their workflows.

use super::*;

fn start(fixture: &Fixture, workflow: &str, options: StartOptions) -> Result<Execution, ManagerError> {
    fixture.run(fixture.manager.start_workflow(&ann(), "north", workflow, Map::new(), options))
}

#[test]
fn missing_and_unknown_inputs_are_refused_at_once() {
    let fixture = Fixture::with_blueprint();
    let mut new = deployment("north");
    new.inputs.clear();
    let missing = fixture.run(fixture.manager.create_deployment(&ann(), new)).unwrap_err();
    assert!(matches!(missing, ManagerError::MissingInputs(_)), "{missing}");
    let mut new = deployment("north");
    new.inputs.insert("more".to_owned(), json!(1));
    let unknown = fixture.run(fixture.manager.create_deployment(&ann(), new)).unwrap_err();
    assert!(matches!(unknown, ManagerError::UnknownInputs(_)), "{unknown}");
    let mut new = deployment("north");
    new.blueprint_id = "nothing".to_owned();
    let absent = fixture.run(fixture.manager.create_deployment(&ann(), new)).unwrap_err();
    assert_eq!(absent.to_string(), "Requested `Blueprint` with ID `nothing` was not found");
    assert!(fixture.run(fixture.manager.deployments(&ann(), all())).unwrap().items.is_empty());
}

#[test]
fn an_environment_has_nodes_and_instances_and_is_made_once() {
    let fixture = Fixture::with_blueprint();
    let created = fixture.run(fixture.manager.create_deployment(&ann(), deployment("north"))).unwrap();
    assert_eq!(created["inputs"], json!({ "image": "ubuntu" }));
    assert!(fixture.instances().is_empty());
    let id: ExecutionId = created["create_execution"].as_str().unwrap().parse().unwrap();
    assert_eq!(created["latest_execution"], id.to_string());
    fixture.execute(id).unwrap();
    let database = fixture.manager.current().database.clone();
    let execution = database.read_blocking(move |connection| table::find(connection, id)).unwrap().unwrap();
    run_create_deployment_environment(&fixture.manager, &Job::detached(execution, database)).unwrap();
    let nodes = fixture.run(fixture.manager.nodes(&ann(), all())).unwrap();
    assert_eq!((nodes.total, fixture.instances().len()), (2, 2));
    let deployment = fixture.run(fixture.manager.deployment(&ann(), "north", None)).unwrap();
    assert_eq!(deployment["latest_execution_status"], "completed");
    assert_eq!(deployment["installation_status"], "inactive");
    assert_eq!(deployment["deployment_status"], "requires_attention");
}

#[test]
fn install_and_uninstall_move_the_instances_and_run_no_operation() {
    let fixture = Fixture::with_deployment();
    let install = start(&fixture, "install", StartOptions::default()).unwrap();
    fixture.execute(install.id).unwrap();
    assert!(fixture.instances().iter().all(|instance| instance["state"] == "started"));
    assert!(fixture.instances().iter().all(|instance| instance["version"].as_i64() > Some(1)));
    let events = fixture.events(install.id);
    assert!(events.iter().any(|message| message == "Node instance started"), "{events:?}");
    let unrun = "operation `cloudify.interfaces.lifecycle.create` of plugin `tool` was not run";
    assert!(events.iter().any(|message| message == unrun), "{events:?}");
    let deployment = fixture.run(fixture.manager.deployment(&ann(), "north", None)).unwrap();
    assert_eq!(deployment["installation_status"], "active");
    assert_eq!(deployment["deployment_status"], "good");

    let live = fixture.run(fixture.manager.delete_deployment(&ann(), "north", DeleteDeployment::default()));
    assert!(matches!(live, Err(ManagerError::DependentExists(_))));
    let uninstall = start(&fixture, "uninstall", StartOptions::default()).unwrap();
    fixture.execute(uninstall.id).unwrap();
    assert!(fixture.instances().iter().all(|instance| instance["state"] == "deleted"));
    fixture.run(fixture.manager.delete_deployment(&ann(), "north", DeleteDeployment::default())).unwrap();
    assert_eq!(
        fixture.run(fixture.manager.deployments(&ann(), all())).unwrap().total,
        1,
        "it leaves when that ran"
    );
    fixture.execute_all();
    assert_eq!(fixture.run(fixture.manager.deployments(&ann(), all())).unwrap().total, 0);
    assert!(fixture.instances().is_empty());
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let fixture = Fixture::with_deployment();
    let before = fixture.instances();
    let install =
        start(&fixture, "install", StartOptions { dry_run: true, ..StartOptions::default() }).unwrap();
    fixture.execute(install.id).unwrap();
    assert_eq!(fixture.instances(), before);
    assert!(fixture.events(install.id).len() > 3);
}

#[test]
fn a_start_is_judged_by_workflow_parameters_and_what_runs() {
    let fixture = Fixture::with_deployment();
    let unknown = start(&fixture, "dance", StartOptions::default()).unwrap_err();
    assert_eq!(unknown.to_string(), "Workflow dance does not exist in deployment north");
    let missing = start(&fixture, "execute_operation", StartOptions::default()).unwrap_err();
    assert!(matches!(missing, ManagerError::IllegalExecutionParameters(_)), "{missing}");
    assert!(missing.to_string().contains("operation"), "{missing}");
    let custom = json!({ "colour": "red" }).as_object().unwrap().clone();
    let begin = |options| {
        fixture.run(fixture.manager.start_workflow(&ann(), "north", "install", custom.clone(), options))
    };
    assert!(matches!(begin(StartOptions::default()), Err(ManagerError::IllegalExecutionParameters(_))));
    begin(StartOptions { allow_custom_parameters: true, ..StartOptions::default() }).unwrap();

    let second = start(&fixture, "install", StartOptions::default()).unwrap_err();
    assert!(matches!(second, ManagerError::ExistingRunningExecution(_)), "{second}");
    let queued = start(&fixture, "install", StartOptions { queue: true, ..StartOptions::default() }).unwrap();
    assert_eq!(queued.status, ExecutionStatus::Queued);
    let forced = start(&fixture, "install", StartOptions { force: true, ..StartOptions::default() }).unwrap();
    assert_eq!(forced.status, ExecutionStatus::Pending);
    let running = fixture.run(fixture.manager.delete_deployment(
        &ann(),
        "north",
        DeleteDeployment { force: true, ..DeleteDeployment::default() },
    ));
    assert!(matches!(running, Err(ManagerError::DependentExists(_))));
}

#[test]
fn a_version_that_was_seen_by_another_is_a_conflict() {
    let fixture = Fixture::with_deployment();
    let id = fixture.instances()[0]["id"].as_str().unwrap().to_owned();
    let change = |version, lit: bool| InstanceChange {
        version: Some(version),
        runtime_properties: json!({ "lit": lit }).as_object().cloned(),
        state: Some("started".to_owned()),
        ..InstanceChange::default()
    };
    let changed = fixture.run(fixture.manager.change_node_instance(&ann(), &id, change(1, true))).unwrap();
    assert_eq!((&changed["version"], &changed["state"]), (&json!(2), &json!("started")));
    let late = fixture.run(fixture.manager.change_node_instance(&ben(), &id, change(1, false))).unwrap_err();
    assert!(matches!(late, ManagerError::Conflict(_)), "{late}");
    assert_eq!(fixture.instances()[0]["runtime_properties"], json!({ "lit": true }));
    let absurd = InstanceChange { state: Some("asleep".to_owned()), ..InstanceChange::default() };
    let absurd = fixture.run(fixture.manager.change_node_instance(&ann(), &id, absurd));
    assert!(matches!(absurd, Err(ManagerError::BadParameters(_))));
}

#[test]
fn outputs_follow_the_instances() {
    let fixture = Fixture::with_deployment();
    let host = fixture.instances().into_iter().find(|instance| instance["node_id"] == "host").unwrap();
    let change = InstanceChange {
        runtime_properties: json!({ "ip": "10.0.0.7" }).as_object().cloned(),
        ..InstanceChange::default()
    };
    fixture.run(fixture.manager.change_node_instance(&ann(), host["id"].as_str().unwrap(), change)).unwrap();
    let outputs = fixture.run(fixture.manager.deployment_outputs(&ann(), "north")).unwrap();
    let values = json!({ "image": "ubuntu", "address": "10.0.0.7" });
    assert_eq!(outputs, json!({ "deployment_id": "north", "outputs": values }));
}
