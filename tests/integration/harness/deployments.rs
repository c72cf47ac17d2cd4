//! Deployments of blueprints that a test writes down, with Cloudify's own workflows.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Api, Reply, write_zip};

/// A blueprint of one node that imports Cloudify's types, and so has its workflows.
pub const FERRY: &str = "\
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  name: { default: ferry }
node_templates:
  ferry: { type: cloudify.nodes.Root }
outputs:
  name: { value: { get_input: name } }
";

/// Sends a blueprint of one file, and gives the answer, which comes when it was read.
pub fn send_blueprint(api: &Api, blueprint: &str, text: &str) -> Reply {
    let archive = write_zip(&[("blueprint/blueprint.yaml", text.as_bytes())]);
    api.send(api.request(Method::PUT, &format!("blueprints/{blueprint}")).body(archive))
}

/// Uploads a blueprint of one file, and answers it.
pub fn upload_text(api: &Api, blueprint: &str, text: &str) -> Value {
    let uploaded = send_blueprint(api, blueprint, text).expect(201);
    assert_eq!(uploaded["state"], "uploaded", "{uploaded:#}");
    uploaded
}

/// Makes a deployment, and waits until its nodes are there.
pub fn deploy(api: &Api, blueprint: &str, deployment: &str) {
    api.put(&format!("deployments/{deployment}"), &json!({ "blueprint_id": blueprint })).expect(201);
    let path = format!(
        "executions?deployment_id={deployment}&workflow_id=create_deployment_environment&_include_system_workflows=true&_sort=-created_at"
    );
    let made = api.get(&path).items().remove(0);
    let ended = api.wait_for_end(&made);
    assert_eq!(ended["status"], "terminated", "{ended:#}");
}
