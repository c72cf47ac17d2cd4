//! Tests of the embedded manager's entities, on a real database in a folder of its own.

mod blueprints;
mod dependencies;
mod deployments;
mod groups;
mod others;
mod plans;
mod plugins_updates;
mod schedules;
mod updates;

use std::io::Write;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::database::{ListQuery, Page};
use crate::executions::table::{self, StatusChange};
use crate::executions::{Job, JobResult};
use crate::model::{
    Caller, Execution, ExecutionId, ExecutionStatus, Grants, SystemRole, TenantName, TenantRole, UserName,
    Visibility, Workflow,
};

use super::*;

/// A manager, and the folder that goes with it.
struct Fixture {
    manager: Manager,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let partial = folder.path().join("tmp");
        std::fs::create_dir(&partial).unwrap();
        let blobs = Blobs::open(&folder.path().join("blobs"), &partial).unwrap();
        let manager =
            Manager::open(&folder.path().join("manager"), blobs, Arc::new(Vault::new(&[7; 32]))).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { manager, folder, runtime }
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Does the work of an execution as the engine does, and answers how it ended.
    fn execute(&self, id: ExecutionId) -> JobResult {
        let database = self.manager.current().database.clone();
        let execution =
            database.read_blocking(move |connection| table::find(connection, id)).unwrap().unwrap();
        let set = move |status, error: String| {
            let change = move |tx: &Transaction<'_>| {
                table::set_status(
                    tx,
                    id,
                    status,
                    &StatusChange { error: Some(&error), ..StatusChange::default() },
                )
            };
            database.write_blocking(change).unwrap()
        };
        assert!(set(ExecutionStatus::Started, String::new()));
        let job = Job::detached(execution.clone(), self.manager.current().database.clone());
        let result = match execution.workflow {
            Workflow::UploadBlueprint => run_upload_blueprint(&self.manager, &job),
            Workflow::UpdatePlugin => run_update_plugin(&self.manager, &job),
            Workflow::CreateDeploymentEnvironment => run_create_deployment_environment(&self.manager, &job),
            Workflow::DeleteDeploymentEnvironment => run_delete_deployment_environment(&self.manager, &job),
            Workflow::Deployment(_) => run_deployment_workflow(&self.manager, &job),
            other => panic!("`{}` is none of the manager's", other.as_str()),
        };
        match &result {
            Ok(_) => set(ExecutionStatus::Terminated, String::new()),
            Err(error) => set(ExecutionStatus::Failed, error.to_string()),
        };
        result
    }

    /// Does the work of all executions that wait.
    fn execute_all(&self) {
        let database = self.manager.current().database.clone();
        let open: Vec<Execution> = database.read_blocking(table::open).unwrap();
        for execution in open.into_iter().filter(|execution| execution.status == ExecutionStatus::Pending) {
            self.execute(execution.id).unwrap();
        }
    }

    fn upload(
        &self,
        caller: &Caller,
        id: &str,
        text: &str,
    ) -> Result<(Map<String, Value>, ExecutionId), ManagerError> {
        let archive = self.manager.blobs().put(&mut &*archive(text)).unwrap();
        let new = NewBlueprint {
            id: id.to_owned(),
            visibility: Visibility::Tenant,
            main_file_name: None,
            labels: Vec::new(),
            archive,
        };
        self.run(self.manager.create_blueprint(caller, new))
    }

    /// A manager with the blueprint `shop`, read.
    fn with_blueprint() -> Self {
        let fixture = Self::new();
        let (_, execution) = fixture.upload(&ann(), "shop", BLUEPRINT).unwrap();
        fixture.execute(execution).unwrap();
        fixture
    }

    /// A manager with the deployment `north` of the blueprint `shop`, its environment made.
    fn with_deployment() -> Self {
        let fixture = Self::with_blueprint();
        fixture.run(fixture.manager.create_deployment(&ann(), deployment("north"))).unwrap();
        fixture.execute_all();
        fixture
    }

    fn ids(&self, page: Page) -> Vec<String> {
        page.items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }

    fn instances(&self) -> Vec<Map<String, Value>> {
        self.run(self.manager.node_instances(&ann(), all())).unwrap().items
    }

    fn events(&self, execution: ExecutionId) -> Vec<String> {
        self.manager
            .write_blocking(move |tx| {
                let events = tx
                    .prepare("SELECT message FROM events WHERE execution_id = ? ORDER BY number")?
                    .query_map([execution.to_string()], |row| row.get(0))?
                    .collect::<rusqlite::Result<_>>()?;
                Ok(events)
            })
            .unwrap()
    }
}

const BLUEPRINT: &str = "\
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  image: {}
plugins:
  tool: {executor: central_deployment_agent, package_name: beacon, package_version: 1.2.0, install: true}
node_templates:
  net:
    type: cloudify.nodes.Root
  host:
    type: cloudify.nodes.Compute
    properties:
      agent_config: {install_method: none}
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {implementation: tool.tasks.create}
    relationships:
      - {type: cloudify.relationships.connected_to, target: net}
outputs:
  image: {value: {get_input: image}}
  address: {value: {get_attribute: [host, ip]}}
";

fn archive(text: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "app/blueprint.yaml", text.as_bytes()).unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&tar.into_inner().unwrap()).unwrap();
    gz.finish().unwrap()
}

fn deployment(id: &str) -> NewDeployment {
    NewDeployment {
        id: id.to_owned(),
        blueprint_id: "shop".to_owned(),
        inputs: json!({ "image": "ubuntu" }).as_object().unwrap().clone(),
        visibility: Visibility::Tenant,
        display_name: None,
        labels: Vec::new(),
        site_name: None,
        runtime_only_evaluation: false,
    }
}

fn caller(name: &str, tenant: &str, role: TenantRole) -> Caller {
    let tenant = TenantName::trusted(tenant);
    Caller {
        user: UserName::trusted(name),
        system_role: SystemRole::Default,
        tenant: tenant.clone(),
        tenant_role: Some(role),
        tenants: vec![(tenant, role)],
        grants: Grants::default(),
    }
}

/// A user of the tenant that every manager has.
fn ann() -> Caller {
    caller("ann", TenantName::DEFAULT, TenantRole::User)
}

/// Another one.
fn ben() -> Caller {
    caller("ben", TenantName::DEFAULT, TenantRole::User)
}

/// A sys_admin.
fn admin() -> Caller {
    Caller { system_role: SystemRole::SysAdmin, ..caller("admin", TenantName::DEFAULT, TenantRole::Manager) }
}

fn all() -> ListQuery {
    ListQuery { size: 1000, ..ListQuery::default() }
}

/// All bytes of a download.
fn bytes_of(fixture: &Fixture, download: &Download) -> Vec<u8> {
    use futures_util::TryStreamExt;
    let length = download.file.length_bytes();
    let pieces = download.file.stream(0, length);
    let bytes = fixture.runtime.block_on(pieces.try_collect::<Vec<_>>()).unwrap().concat();
    assert_eq!(bytes.len() as u64, length);
    bytes
}
