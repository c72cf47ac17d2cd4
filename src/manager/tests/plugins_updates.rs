//! Updates of plugins: a blueprint and its deployments come to later versions.

use super::*;

/// The description of the plugin `lamp`, with the type that this version knows.
fn description(version: &str) -> String {
    format!(
        "\
plugins:
  lamp: {{executor: central_deployment_agent, package_name: lamp, package_version: {version}}}
node_types:
  lamp.nodes.Lamp:
    derived_from: cloudify.nodes.Root
    properties:
      made_by: {{default: {version}}}
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {{implementation: lamp.tasks.light}}
"
    )
}

const LAMPS: &str = "\
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, 'plugin:lamp?version=<3']
node_templates:
  lamp: {type: lamp.nodes.Lamp}
";

fn zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

impl Fixture {
    fn plugin(&self, version: &str) {
        let package = json!({
            "archive_name": format!("lamp-{version}.wgn"), "package_name": "lamp", "package_version": version,
            "supported_platform": "any", "wheels": [],
        });
        let wagon = zip(&[("lamp/package.json".to_owned(), package.to_string().into_bytes())]);
        let archive = zip(&[
            (format!("lamp-{version}.wgn"), wagon),
            ("plugin.yaml".to_owned(), description(version).into_bytes()),
        ]);
        let archive = self.manager.blobs().put(&mut &*archive).unwrap();
        let new = NewPlugin::new(Visibility::Tenant, archive);
        self.run(self.manager.create_plugin(&ann(), new)).unwrap();
    }

    /// A manager with the plugin `lamp` 1.0.0, and the deployments `east` and `west` of a blueprint that imports it.
    fn with_lamps() -> Self {
        let fixture = Self::new();
        fixture.plugin("1.0.0");
        let (_, execution) = fixture.upload(&ann(), "lamps", LAMPS).unwrap();
        fixture.execute(execution).unwrap();
        for id in ["east", "west"] {
            let new =
                NewDeployment { blueprint_id: "lamps".to_owned(), inputs: Map::new(), ..deployment(id) };
            fixture.run(fixture.manager.create_deployment(&ann(), new)).unwrap();
        }
        fixture.execute_all();
        fixture
    }

    fn versions(&self) -> Vec<String> {
        let nodes = self.run(self.manager.nodes(&ann(), all())).unwrap().items;
        nodes
            .iter()
            .map(|node| {
                assert_eq!(node["plugins"][0]["package_version"], node["properties"]["made_by"]);
                format!("{} {}", node["deployment_id"], node["plugins"][0]["package_version"])
                    .replace('"', "")
            })
            .collect()
    }

    fn update(&self, request: PluginsUpdateRequest) -> Result<Map<String, Value>, ManagerError> {
        let permission =
            crate::model::Permission::tenant("plugins_update_create", crate::model::TenantRole::Operations);
        self.run(self.manager.update_plugins(&ann(), "lamps", request, permission))
    }

    fn update_is(&self, update: &Map<String, Value>) -> Map<String, Value> {
        self.run(self.manager.plugins_update(&ann(), update["id"].as_str().unwrap(), None)).unwrap()
    }

    fn blueprint_ids(&self) -> Vec<(String, bool)> {
        let page = self.run(self.manager.blueprints(&ann(), all())).unwrap();
        let of = |item: &Map<String, Value>| {
            (item["id"].as_str().unwrap().to_owned(), item["is_hidden"].as_bool().unwrap())
        };
        page.items.iter().map(of).collect()
    }
}

fn to_latest() -> PluginsUpdateRequest {
    let choice = PluginsChoice { all_to_latest: true, ..PluginsChoice::default() };
    PluginsUpdateRequest { choice, ..PluginsUpdateRequest::default() }
}

fn execution_of(update: &Map<String, Value>) -> ExecutionId {
    ExecutionId(update["execution_id"].as_str().unwrap().parse().unwrap())
}

#[test]
fn a_blueprint_reads_the_description_of_a_plugin_that_it_imports() {
    let fixture = Fixture::with_lamps();
    let blueprint = fixture.run(fixture.manager.blueprint(&ann(), "lamps", None)).unwrap();
    assert_eq!(blueprint["unresolved_imports"], json!([]));
    assert_eq!(blueprint["plan"]["nodes"][0]["properties"]["made_by"], "1.0.0");
    assert_eq!(fixture.versions(), ["east 1.0.0", "west 1.0.0"]);
}

#[test]
fn an_update_brings_the_blueprint_and_all_its_deployments_to_later_plugins() {
    let fixture = Fixture::with_lamps();
    fixture.plugin("2.1.0");
    fixture.plugin("3.0.0");
    let update = fixture.update(to_latest()).unwrap();
    assert_eq!(update["state"], "executing_workflow");
    assert_eq!(update["deployments_to_update"], json!(["east", "west"]));
    let copy = update["temp_blueprint_id"].as_str().unwrap().to_owned();
    assert!(fixture.blueprint_ids().contains(&(copy, true)));
    assert!(matches!(fixture.update(to_latest()), Err(ManagerError::Conflict(_))));
    let deletion = fixture.run(fixture.manager.delete_blueprint(&ann(), "lamps", true));
    assert!(deletion.is_err(), "the blueprint could be taken away");
    fixture.execute(execution_of(&update)).unwrap();
    // What the import asks for still holds: 3.0.0 does not serve.
    assert_eq!(fixture.versions(), ["east 2.1.0", "west 2.1.0"]);
    let update = fixture.update_is(&update);
    assert_eq!((&update["state"], &update["temp_blueprint_id"]), (&json!("successful"), &Value::Null));
    assert_eq!(fixture.blueprint_ids(), [("lamps".to_owned(), false)]);
    let blueprint = fixture.run(fixture.manager.blueprint(&ann(), "lamps", None)).unwrap();
    assert_eq!(blueprint["plan"]["nodes"][0]["properties"]["made_by"], "2.1.0");
    for id in ["east", "west"] {
        let deployment = fixture.run(fixture.manager.deployment(&ann(), id, None)).unwrap();
        assert_eq!(deployment["blueprint_id"], "lamps");
    }
    let updates = fixture.run(fixture.manager.deployment_updates(&ann(), all())).unwrap().items;
    assert!(updates.len() == 2 && updates.iter().all(|update| update["state"] == "successful"));

    let again = fixture.update(to_latest()).unwrap();
    assert_eq!((&again["state"], &again["temp_blueprint_id"]), (&json!("no_changes_required"), &Value::Null));
}

#[test]
fn a_choice_keeps_plugins_where_they_are() {
    let fixture = Fixture::with_lamps();
    fixture.plugin("1.4.0");
    fixture.plugin("2.0.0");
    let others =
        PluginsChoice { names: vec!["buoy".to_owned()], all_to_latest: true, ..PluginsChoice::default() };
    let update =
        fixture.update(PluginsUpdateRequest { choice: others, ..PluginsUpdateRequest::default() }).unwrap();
    assert_eq!(update["state"], "no_changes_required");
    let minor = PluginsChoice { all_to_minor: true, ..PluginsChoice::default() };
    let update =
        fixture.update(PluginsUpdateRequest { choice: minor, ..PluginsUpdateRequest::default() }).unwrap();
    fixture.execute(execution_of(&update)).unwrap();
    assert_eq!(fixture.versions(), ["east 1.4.0", "west 1.4.0"]);
    let mapping = json!({ "updates": [
        { "plugin:lamp?version=<3": { "plugin_name": "lamp", "suggested_version": "1.0.0" } }
    ] });
    let back = PluginsChoice { mapping: mapping.as_object().unwrap().clone(), ..PluginsChoice::default() };
    let update =
        fixture.update(PluginsUpdateRequest { choice: back, ..PluginsUpdateRequest::default() }).unwrap();
    fixture.execute(execution_of(&update)).unwrap();
    assert_eq!(fixture.versions(), ["east 1.0.0", "west 1.0.0"]);
    let mapping = json!({ "updates": [
        { "plugin:lamp?version=<3": { "plugin_name": "lamp", "suggested_version": "9.0" } }
    ] });
    let absent = PluginsChoice { mapping: mapping.as_object().unwrap().clone(), ..PluginsChoice::default() };
    let refused = fixture.update(PluginsUpdateRequest { choice: absent, ..PluginsUpdateRequest::default() });
    assert!(matches!(refused, Err(ManagerError::InvalidBlueprint(_))), "{refused:?}");
}

#[test]
fn where_one_deployment_can_not_follow_the_copy_stays_for_those_that_did() {
    let fixture = Fixture::with_lamps();
    fixture.plugin("2.0.0");
    let request = UpdateRequest::default();
    fixture.run(fixture.manager.update_deployment(&ann(), "west", request)).unwrap();
    let update = fixture.update(to_latest()).unwrap();
    let copy = update["temp_blueprint_id"].as_str().unwrap().to_owned();
    let execution = execution_of(&update);
    let failure = fixture.execute(execution).unwrap_err();
    assert!(failure.to_string().contains("west"), "{failure}");
    // What the engine does with the end of an execution.
    let ended = move |tx: &Transaction<'_>| {
        let execution = table::find(tx, execution)?.unwrap();
        super::execution_ended(tx, &execution, ExecutionStatus::Failed)?;
        Ok(())
    };
    fixture.manager.write_blocking(ended).unwrap();
    assert_eq!(fixture.update_is(&update)["state"], "failed");
    assert_eq!(fixture.update_is(&update)["temp_blueprint_id"], copy.as_str());
    assert_eq!(fixture.blueprint_ids(), [("lamps".to_owned(), false), (copy, false)]);
    assert_eq!(fixture.versions(), ["east 2.0.0", "west 1.0.0"]);
}

#[test]
fn an_update_that_nothing_carries_on_is_settled() {
    let fixture = Fixture::with_lamps();
    fixture.plugin("2.0.0");
    let update = fixture.update(to_latest()).unwrap();
    let id = update["execution_id"].as_str().unwrap().to_owned();
    fixture.manager.write_blocking(|tx| Ok(settle_plugins_updates(tx)?)).unwrap();
    assert_eq!(fixture.update_is(&update)["state"], "executing_workflow", "its execution waits");
    let gone = move |tx: &Transaction<'_>| Ok(tx.execute("DELETE FROM executions WHERE id = ?", [id])?);
    fixture.manager.write_blocking(gone).unwrap();
    assert_eq!(
        fixture.update(to_latest()).unwrap_err().to_string(),
        format!("There are plugins updates still active, update IDs: {}", update["id"].as_str().unwrap())
    );
    let request = PluginsUpdateRequest { reevaluate_active_statuses: true, ..to_latest() };
    assert_eq!(fixture.update(request).unwrap()["state"], "executing_workflow");
    assert_eq!(fixture.update_is(&update)["state"], "failed");
    assert_eq!(fixture.update_is(&update)["temp_blueprint_id"], Value::Null);
}

#[test]
fn a_deployment_on_which_something_runs_is_updated_when_that_has_ended() {
    let fixture = Fixture::with_lamps();
    fixture.plugin("2.0.0");
    let running = Execution {
        deployment_id: Some(crate::model::EntityId::trusted("west")),
        ..Execution::new(&ann(), Workflow::Deployment("heal".to_owned()), Map::new())
    };
    let id = running.id;
    let database = fixture.manager.current().database.clone();
    let begin = move |tx: &Transaction<'_>| {
        table::insert(tx, &running)?;
        table::set_status(tx, id, ExecutionStatus::Started, &StatusChange::default())
    };
    assert!(database.write_blocking(begin).unwrap());
    let update = fixture.update(to_latest()).unwrap();
    let plan = execution_of(&update);
    let (manager, row) = {
        let find = move |connection: &Connection| table::find(connection, plan);
        (fixture.manager.clone(), database.read_blocking(find).unwrap().unwrap())
    };
    let started = move |tx: &Transaction<'_>| {
        table::set_status(tx, plan, ExecutionStatus::Started, &StatusChange::default())
    };
    assert!(database.write_blocking(started).unwrap());
    let job = Job::detached(row, database.clone());
    let work = std::thread::spawn(move || run_update_plugin(&manager, &job));
    let count = || {
        let sql = "SELECT count(*) FROM deployment_updates";
        database
            .read_blocking(|tx| Ok::<_, DatabaseError>(tx.query_row(sql, [], |row| row.get::<_, i64>(0))?))
            .unwrap()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while count() == 0 {
        assert!(std::time::Instant::now() < deadline, "the first deployment is not updated");
        std::thread::yield_now();
    }
    let end = move |tx: &Transaction<'_>| {
        table::set_status(tx, id, ExecutionStatus::Terminated, &StatusChange::default())
    };
    assert!(database.write_blocking(end).unwrap());
    work.join().unwrap().unwrap();
    assert_eq!(fixture.versions(), ["east 2.0.0", "west 2.0.0"]);
    let ended: String = database
        .read_blocking(move |connection| {
            let sql = "SELECT ended_at FROM executions WHERE id = ?";
            Ok::<_, DatabaseError>(connection.query_row(sql, [id.to_string()], |row| row.get(0))?)
        })
        .unwrap();
    let updates = fixture.run(fixture.manager.deployment_updates(&ann(), all())).unwrap().items;
    let west = updates.iter().find(|update| update["deployment_id"] == "west").unwrap();
    assert!(west["created_at"].as_str().unwrap() >= &*ended, "{west:?}, {ended}");
}
