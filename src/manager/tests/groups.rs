//! Groups of deployments and of executions.

use super::*;
use crate::model::Workflow;

impl Fixture {
    /// A manager with the deployments `north`, `east` and `west`.
    fn with_deployments() -> Self {
        let fixture = Self::with_deployment();
        for id in ["east", "west"] {
            fixture.run(fixture.manager.create_deployment(&ann(), deployment(id))).unwrap();
        }
        fixture.execute_all();
        fixture
    }

    fn put(&self, id: &str, change: GroupChange) -> Result<Map<String, Value>, ManagerError> {
        self.run(self.manager.put_deployment_group(&ann(), id, change))
    }

    fn start_group(&self, concurrency: u32) -> Map<String, Value> {
        let new = NewExecutionGroup {
            deployment_group_id: "coast".to_owned(),
            workflow_id: "install".to_owned(),
            concurrency,
            ..NewExecutionGroup::default()
        };
        self.run(self.manager.start_execution_group(&ann(), new)).unwrap()
    }

    fn execution_group(&self, id: &Value) -> Map<String, Value> {
        self.run(self.manager.execution_group(&ann(), id.as_str().unwrap(), None)).unwrap()
    }

    fn find(&self, id: &Value) -> Execution {
        let id: ExecutionId = id.as_str().unwrap().parse().unwrap();
        self.manager.read_blocking(move |connection| Ok(table::find(connection, id)?)).unwrap().unwrap()
    }

    /// Ends an execution as the engine does.
    fn end_as(&self, id: &Value, status: ExecutionStatus) {
        let execution = self.find(id);
        self.manager
            .write_blocking(move |tx| {
                table::set_status(tx, execution.id, ExecutionStatus::Started, &StatusChange::default())?;
                table::set_status(tx, execution.id, status, &StatusChange::default())?;
                Ok(execution_ended(tx, &execution, status)?)
            })
            .unwrap();
    }
}

fn of(ids: &[&str]) -> Members {
    Members { deployment_ids: Some(ids.iter().map(|id| (*id).to_owned()).collect()), ..Members::default() }
}

fn with(ids: &[&str]) -> GroupChange {
    GroupChange { members: of(ids), ..GroupChange::default() }
}

#[test]
fn a_group_has_the_deployments_that_are_named_and_gives_them_its_labels() {
    let fixture = Fixture::with_deployments();
    let change = GroupChange { labels: Some(vec![json!({ "sea": "north" })]), ..with(&["west", "north"]) };
    let group = fixture.put("coast", change).unwrap();
    assert_eq!(group["deployment_ids"], json!(["west", "north"]));
    let labels = |id: &str| {
        let deployment = fixture.run(fixture.manager.deployment(&ann(), id, None)).unwrap();
        let labels = deployment["labels"].as_array().unwrap().iter();
        labels.map(|label| format!("{}:{}", label["key"], label["value"])).collect::<Vec<_>>().join(",")
    };
    assert_eq!((labels("west").as_str(), labels("east").as_str()), ("\"sea\":\"north\"", ""));

    // Those of another group come in with its members, and what is taken away goes.
    fixture.put("all", GroupChange::default()).unwrap();
    let add = GroupChange {
        members: Members { from_group: Some("coast".to_owned()), ..of(&["east"]) },
        ..GroupChange::default()
    };
    let all = fixture.run(fixture.manager.change_group_members(&ann(), "all", Some(add), None)).unwrap();
    assert_eq!(all["deployment_ids"], json!(["east", "west", "north"]));
    let gone =
        fixture.run(fixture.manager.change_group_members(&ann(), "all", None, Some(of(&["west"])))).unwrap();
    assert_eq!(gone["deployment_ids"], json!(["east", "north"]));
    let relabelled = GroupChange { labels: Some(vec![json!({ "sea": "south" })]), ..GroupChange::default() };
    assert_eq!(fixture.put("coast", relabelled).unwrap()["deployment_ids"], json!(["west", "north"]));
    assert_eq!(labels("west"), "\"sea\":\"south\"");
    let deployment = fixture.run(fixture.manager.deployment(&ann(), "north", None)).unwrap();
    assert_eq!(deployment["deployment_groups"], json!(["all", "coast"]));

    // A deployment that is not there, and nothing has changed.
    assert!(matches!(fixture.put("coast", with(&["east", "nowhere"])), Err(ManagerError::NotFound { .. })));
    let kept = fixture.run(fixture.manager.deployment_group(&ann(), "coast", None)).unwrap();
    assert_eq!(kept["deployment_ids"], json!(["west", "north"]));
    // A deployment that goes leaves its groups.
    fixture.run(fixture.manager.delete_deployment(&ann(), "west", DeleteDeployment::default())).unwrap();
    fixture.execute_all();
    let kept = fixture.run(fixture.manager.deployment_group(&ann(), "coast", None)).unwrap();
    assert_eq!(kept["deployment_ids"], json!(["north"]));
}

#[test]
fn a_group_makes_deployments_from_its_blueprint_all_or_none() {
    let fixture = Fixture::with_blueprint();
    let make = |new: Vec<Value>| GroupChange { new_deployments: new, ..GroupChange::default() };
    let refused = fixture.put("coast", make(vec![json!({})])).unwrap_err().to_string();
    assert_eq!(refused, "Cannot create deployments: group coast has no default blueprint set");
    let group = GroupChange {
        blueprint_id: Some("shop".to_owned()),
        default_inputs: Some(json!({ "image": "debian" })),
        labels: Some(vec![json!({ "sea": "north" })]),
        ..GroupChange::default()
    };
    fixture.put("coast", group).unwrap();
    let wrong = vec![json!({ "id": "one" }), json!({ "id": "two", "inputs": { "nothing": 1 } })];
    assert!(matches!(fixture.put("coast", make(wrong)), Err(ManagerError::UnknownInputs(_))));
    let made = fixture
        .put("coast", make(vec![json!({ "id": "a-{count}" }), json!({ "inputs": { "image": "ubuntu" } })]))
        .unwrap();
    let ids: Vec<String> =
        made["deployment_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    assert_eq!((ids.len(), ids[0].as_str(), &made["creation_counter"]), (2, "a-0", &json!(2)));
    assert!(ids[1].starts_with("coast-"), "{ids:?}");
    fixture.execute_all();
    let inputs =
        |id: &str| fixture.run(fixture.manager.deployment(&ann(), id, None)).unwrap()["inputs"].clone();
    assert_eq!(
        (inputs(&ids[0]), inputs(&ids[1])),
        (json!({ "image": "debian" }), json!({ "image": "ubuntu" }))
    );
    let groups = fixture.run(fixture.manager.execution_groups(&ann(), all())).unwrap().items;
    assert_eq!(
        (groups.len(), &groups[0]["workflow_id"], &groups[0]["status"]),
        (1, &json!(Workflow::CreateDeploymentEnvironment.as_str()), &json!("terminated"))
    );

    // It goes with its deployments, all or none.
    let delete = |force| {
        let options = DeleteDeployment { force, ..DeleteDeployment::default() };
        fixture.run(fixture.manager.delete_deployment_group(&ann(), "coast", Some(options)))
    };
    fixture
        .manager
        .write_blocking(|tx| Ok(tx.execute("UPDATE node_instances SET state = 'started'", [])?))
        .unwrap();
    assert!(matches!(delete(false), Err(ManagerError::DependentExists(_))));
    fixture.run(fixture.manager.deployment_group(&ann(), "coast", None)).unwrap();
    delete(true).unwrap();
    fixture.execute_all();
    assert_eq!(fixture.run(fixture.manager.deployments(&ann(), all())).unwrap().total, 0);
    assert_eq!(fixture.run(fixture.manager.deployment_groups(&ann(), all())).unwrap().total, 0);
}

#[test]
fn a_workflow_runs_on_every_deployment_of_a_group_and_what_is_over_waits() {
    let fixture = Fixture::with_deployments();
    fixture.put("coast", with(&["north", "east", "west"])).unwrap();
    let group = fixture.start_group(2);
    let ids = group["execution_ids"].as_array().unwrap().clone();
    let statuses = || ids.iter().map(|id| fixture.find(id).status.as_str()).collect::<Vec<_>>();
    assert_eq!(statuses(), ["pending", "pending", "queued"]);
    assert_eq!(group["status"], "queued");
    assert_eq!(fixture.find(&ids[2]).group.unwrap().concurrency, 2);
    let change = GroupTargets { concurrency: Some(3), ..GroupTargets::default() };
    let id = group["id"].as_str().unwrap();
    fixture.run(fixture.manager.change_execution_group(&ann(), id, change)).unwrap();
    assert_eq!(fixture.find(&ids[2]).group.unwrap().concurrency, 3);

    // Where the deployments of those that end come.
    for target in ["lit", "dark"] {
        fixture.put(target, GroupChange::default()).unwrap();
    }
    fixture.end_as(&ids[0], ExecutionStatus::Terminated);
    assert_eq!(fixture.execution_group(&group["id"])["status"], "started");
    let targets = GroupTargets {
        success_group_id: Some("lit".to_owned()),
        failure_group_id: Some("dark".to_owned()),
        concurrency: None,
    };
    fixture.run(fixture.manager.change_execution_group(&ann(), id, targets)).unwrap();
    fixture.end_as(&ids[1], ExecutionStatus::Failed);
    fixture.end_as(&ids[2], ExecutionStatus::Terminated);
    assert_eq!(fixture.execution_group(&group["id"])["status"], "failed");
    let members = |id: &str| {
        fixture.run(fixture.manager.deployment_group(&ann(), id, None)).unwrap()["deployment_ids"].clone()
    };
    assert_eq!((members("lit"), members("dark")), (json!(["north", "west"]), json!(["east"])));

    // What failed runs again, and what ended well does not.
    let resumed = fixture.run(fixture.manager.resume_execution_group(&ann(), id)).unwrap();
    assert_eq!(statuses(), ["terminated", "pending", "terminated"]);
    assert_eq!(resumed["status"], "started");
    let wrong =
        fixture.run(fixture.manager.resume_execution(fixture.find(&ids[0]).id)).unwrap_err().to_string();
    assert!(wrong.ends_with("in state: `terminated`"), "{wrong}");
}

#[test]
fn a_deployment_without_the_workflow_is_told_in_the_log_of_the_group() {
    let fixture = Fixture::with_deployments();
    fixture.put("coast", with(&["north", "east"])).unwrap();
    fixture
        .manager
        .write_blocking(
            |tx| Ok(tx.execute("UPDATE deployments SET workflows = '[]' WHERE id = 'north'", [])?),
        )
        .unwrap();
    let group = fixture.start_group(5);
    assert_eq!(group["execution_ids"].as_array().unwrap().len(), 1);
    let id = group["id"].as_str().unwrap().to_owned();
    let told: String = fixture
        .manager
        .write_blocking(move |tx| {
            Ok(tx.query_row("SELECT message FROM events WHERE execution_group_id = ?", [id], |row| {
                row.get(0)
            })?)
        })
        .unwrap();
    assert_eq!(told, "Workflow install does not exist in deployment north");
}

#[test]
fn tasks_graphs_are_kept_with_their_operations() {
    let fixture = Fixture::with_deployments();
    fixture.put("coast", with(&["north"])).unwrap();
    let execution = fixture.start_group(5)["execution_ids"][0].as_str().unwrap().to_owned();
    let operation = |id: &str, kind: &str| NewOperation {
        id: Some(id.to_owned()),
        name: Some(format!("do {id}")),
        kind: Some(kind.to_owned()),
        parameters: Some(json!({ "info": id })),
        ..NewOperation::default()
    };
    let graph = |name: &str| NewTasksGraph {
        id: None,
        execution_id: execution.clone(),
        name: name.to_owned(),
        operations: vec![operation("one", "RemoteWorkflowTask"), operation("two", "NOPLocalWorkflowTask")],
        created_at: None,
    };
    let made = fixture.run(fixture.manager.create_tasks_graph(&ann(), graph("install"))).unwrap();
    let again = fixture.run(fixture.manager.create_tasks_graph(&ann(), graph("install")));
    assert!(matches!(again, Err(ManagerError::Conflict(_))));
    let taken = fixture.run(fixture.manager.create_tasks_graph(&ann(), graph("other")));
    assert!(matches!(taken, Err(ManagerError::Exists { .. })));
    let choice = OperationChoice { execution_id: Some(execution.clone()), ..OperationChoice::default() };
    let page = fixture.run(fixture.manager.operations(&ann(), choice.clone(), all())).unwrap();
    assert_eq!(fixture.ids(page), ["one", "two"]);
    let remote = OperationChoice { skip_internal: true, ..choice };
    let page = fixture.run(fixture.manager.operations(&ann(), remote, all())).unwrap();
    assert_eq!(fixture.ids(page), ["one"]);
    let change = NewOperation { state: Some("succeeded".to_owned()), ..NewOperation::default() };
    fixture.run(fixture.manager.change_operation(&ann(), "one", change)).unwrap();
    let one = fixture.run(fixture.manager.operation(&ann(), "one")).unwrap();
    assert_eq!((&one["state"], &one["tasks_graph_id"]), (&json!("succeeded"), &made["id"]));
    fixture.run(fixture.manager.delete_operation(&ann(), "one")).unwrap();
    assert!(matches!(
        fixture.run(fixture.manager.operation(&ann(), "one")),
        Err(ManagerError::NotFound { .. })
    ));
}
