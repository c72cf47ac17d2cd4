//! Updates of deployments: all of it or nothing.

use super::*;

/// The blueprint `shop` with another host: the net is gone, and two lamps have come.
const SECOND: &str = "\
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  image: {}
  color: { default: white }
node_templates:
  host:
    type: cloudify.nodes.Compute
    properties:
      agent_config: {install_method: none}
      ip: { get_input: image }
  lamp:
    type: cloudify.nodes.Root
    instances: { deploy: 2 }
    relationships:
      - {type: cloudify.relationships.connected_to, target: host}
labels: { sea: { values: [north] } }
outputs:
  color: {value: {get_input: color}}
";

impl Fixture {
    fn with_second() -> Self {
        let fixture = Self::with_deployment();
        let (_, execution) = fixture.upload(&ann(), "second", SECOND).unwrap();
        fixture.execute(execution).unwrap();
        fixture
    }

    fn deployed(&self) -> Map<String, Value> {
        self.run(self.manager.deployment(&ann(), "north", None)).unwrap()
    }

    fn nodes(&self) -> Vec<String> {
        self.ids(self.run(self.manager.nodes(&ann(), all())).unwrap())
    }
}

fn to_second() -> UpdateRequest {
    UpdateRequest { blueprint_id: Some("second".to_owned()), ..UpdateRequest::default() }
}

#[test]
fn a_preview_tells_what_an_update_would_do_and_changes_nothing() {
    let fixture = Fixture::with_second();
    let before = (fixture.deployed(), fixture.instances());
    let preview = fixture.run(fixture.manager.preview_update(&ann(), "north", to_second())).unwrap();
    let steps: Vec<String> = preview["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| ["node", "output", "relationship"].contains(&step["entity_type"].as_str().unwrap()))
        .map(|step| format!("{} {}", step["action"].as_str().unwrap(), step["entity_id"]))
        .collect();
    assert_eq!(
        steps,
        [
            "remove [\"nodes\",\"net\"]",
            "remove [\"nodes\",\"host\",\"relationships\",\"[0]\"]",
            "remove [\"outputs\",\"image\"]",
            "remove [\"outputs\",\"address\"]",
            "add [\"nodes\",\"lamp\"]",
            "add [\"outputs\",\"color\"]",
        ]
    );
    assert_eq!(preview["labels_to_create"][0]["key"], "sea");
    assert_eq!((fixture.deployed(), fixture.instances()), before);
    assert_eq!(fixture.run(fixture.manager.deployment_updates(&ann(), all())).unwrap().total, 0);
}

#[test]
fn an_update_brings_and_takes_nodes_and_what_stays_keeps_its_instances() {
    let fixture = Fixture::with_second();
    fixture
        .manager
        .write_blocking(|tx| {
            Ok(tx.execute(
                "UPDATE node_instances SET state = 'started', runtime_properties = '{\"a\":1}'",
                [],
            )?)
        })
        .unwrap();
    let host = fixture.instances().into_iter().find(|instance| instance["node_id"] == "host").unwrap();
    let update = fixture.run(fixture.manager.update_deployment(&ann(), "north", to_second())).unwrap();
    assert_eq!((&update["state"], &update["old_blueprint_id"]), (&json!("updating"), &json!("shop")));
    let active =
        fixture.run(fixture.manager.update_deployment(&ann(), "north", to_second())).unwrap_err().to_string();
    assert!(active.starts_with("there are deployment updates still active; update IDs: north-"), "{active}");
    fixture.execute_all();
    let id = update["id"].as_str().unwrap();
    let update = fixture.run(fixture.manager.deployment_update(&ann(), id, None)).unwrap();
    assert_eq!(update["state"], "successful", "{update:#?}");
    assert_eq!(update["deployment_update_node_instances"]["added_and_related"].as_array().unwrap().len(), 2);
    assert_eq!(update["deployment_update_node_instances"]["removed_and_related"][0]["node_id"], "net");
    assert_eq!(fixture.nodes(), ["host", "lamp"]);
    let deployment = fixture.deployed();
    assert_eq!(
        (&deployment["blueprint_id"], &deployment["inputs"]["color"]),
        (&json!("second"), &json!("white"))
    );
    assert_eq!(deployment["labels"][0]["value"], "north");
    let instances = fixture.instances();
    let kept = instances.iter().find(|instance| instance["node_id"] == "host").unwrap();
    assert_eq!(
        (&kept["id"], &kept["runtime_properties"], &kept["relationships"]),
        (&host["id"], &json!({ "a": 1 }), &json!([]))
    );
    let lamps: Vec<_> = instances.iter().filter(|instance| instance["node_id"] == "lamp").collect();
    assert_eq!((lamps.len(), &lamps[0]["state"]), (2, &json!("started")));
    assert_eq!(lamps[0]["relationships"][0]["target_id"], host["id"]);
    // And back again, to what the record says was there.
    let back = UpdateRequest { blueprint_id: Some("shop".to_owned()), ..UpdateRequest::default() };
    fixture.run(fixture.manager.update_deployment(&ann(), "north", back)).unwrap();
    fixture.execute_all();
    assert_eq!(fixture.nodes(), ["host", "net"]);
}

#[test]
fn an_update_that_fails_changes_nothing() {
    let fixture = Fixture::with_second();
    let wrong = UpdateRequest { inputs: json!({ "nothing": 1 }).as_object().unwrap().clone(), ..to_second() };
    assert!(matches!(
        fixture.run(fixture.manager.update_deployment(&ann(), "north", wrong)),
        Err(ManagerError::UnknownInputs(_))
    ));
    let before = (fixture.deployed(), fixture.instances(), fixture.nodes());
    let update = fixture.run(fixture.manager.update_deployment(&ann(), "north", to_second())).unwrap();
    // Its last step meets what it can't write: a trigger stands for any fault on the way.
    fixture
        .manager
        .write_blocking(|tx| {
            Ok(tx.execute_batch(
                "CREATE TRIGGER fault BEFORE UPDATE OF blueprint_id ON deployments
                 BEGIN SELECT RAISE(ABORT, 'a fault'); END",
            )?)
        })
        .unwrap();
    let id: ExecutionId = update["execution_id"].as_str().unwrap().parse().unwrap();
    let execution =
        fixture.manager.read_blocking(move |connection| Ok(table::find(connection, id)?)).unwrap().unwrap();
    assert!(fixture.execute(id).is_err());
    fixture
        .manager
        .write_blocking(move |tx| Ok(execution_ended(tx, &execution, ExecutionStatus::Failed)?))
        .unwrap();
    let update_id = update["id"].as_str().unwrap();
    let update = fixture.run(fixture.manager.deployment_update(&ann(), update_id, None)).unwrap();
    assert_eq!((&update["state"], &update["steps"]), (&json!("failed"), &json!([])));
    let mut after = fixture.deployed();
    for key in
        ["latest_execution", "latest_execution_status", "latest_execution_workflow_id", "deployment_status"]
    {
        after.insert(key.to_owned(), before.0[key].clone());
    }
    assert_eq!((after, fixture.instances(), fixture.nodes()), before);
}
