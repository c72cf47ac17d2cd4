//! One entity of each kind as the service answers it, for the examples of the document.
//!
//! All belong to one small manager: blueprint `lighthouse`, deployment `harbour`, snapshot `nightly`.

use serde_json::{Value, json};

const CREATED: &str = "2026-03-01T02:00:00.121Z";
const ENDED: &str = "2026-03-01T02:00:04.178Z";

/// A snapshot that was made here.
pub(super) fn snapshot() -> Value {
    json!({
        "created_at": CREATED,
        "id": "nightly",
        "visibility": "private",
        "status": "created",
        "error": "",
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "private",
        "private_resource": true,
        "size_bytes": 16138,
        "sha256": "1e0bfca24295c8e1603c6965fb3b92542fa872b9f7c2f96f9a081c711b352389",
        "contents": {
            "counts": { "blueprints": 1, "deployments": 1, "node_instances": 3, "nodes": 2, "secrets": 1, "tenants": 1 },
            "options": {
                "include_metrics": false, "include_credentials": false, "include_logs": true, "include_events": true,
                "include_flow_history": false,
            },
            "left_out": [],
        },
        "execution_id": "019ca6b1-6959-71a1-9ad5-b47f52560783",
        "verified_at": ENDED,
        "proven_at": null,
        "protected": false,
        "origin": "create",
    })
}

/// A snapshot that was uploaded.
pub(super) fn uploaded_snapshot() -> Value {
    let mut snapshot = snapshot();
    snapshot["status"] = json!("uploaded");
    snapshot["origin"] = json!("upload");
    snapshot["execution_id"] = Value::Null;
    snapshot
}

/// An execution of the service that was just recorded.
pub(super) fn execution(workflow: &str, parameters: &Value) -> Value {
    json!({
        "visibility": "tenant",
        "created_at": CREATED,
        "id": "019ca6b1-6959-71a1-9ad5-b47f52560783",
        "ended_at": null,
        "error": "",
        "is_system_workflow": true,
        "parameters": parameters,
        "status": "pending",
        "workflow_id": workflow,
        "started_at": null,
        "scheduled_for": null,
        "is_dry_run": false,
        "resume": false,
        "total_operations": 0,
        "finished_operations": 0,
        "allow_custom_parameters": false,
        "blueprint_id": null,
        "deployment_display_name": null,
        "deployment_id": null,
        "status_display": "pending",
        "created_by": "admin",
        "tenant_name": "default_tenant",
        "resource_availability": "tenant",
        "private_resource": false,
        "snapshot_id": parameters["snapshot_id"],
        "parent_id": null,
        "phase": null,
        "done_bytes": 0,
        "total_bytes": 0,
        "report": null,
    })
}

/// An execution of a deployment's workflow that was just recorded.
pub(super) fn workflow_execution() -> Value {
    let mut execution = execution("install", &json!({}));
    execution["is_system_workflow"] = json!(false);
    execution["blueprint_id"] = json!("lighthouse");
    execution["deployment_id"] = json!("harbour");
    execution["deployment_display_name"] = json!("harbour");
    execution
}

/// The execution that made [`snapshot`], ended.
pub(super) fn ended_execution() -> Value {
    let mut execution =
        execution("create_snapshot", &json!({ "include_metrics": false, "snapshot_id": "nightly" }));
    execution["status"] = json!("terminated");
    execution["status_display"] = json!("completed");
    execution["started_at"] = json!("2026-03-01T02:00:00.126Z");
    execution["ended_at"] = json!(ENDED);
    execution["phase"] = json!("verifying");
    execution["total_operations"] = json!(14);
    execution["finished_operations"] = json!(14);
    execution["done_bytes"] = json!(16138);
    execution["total_bytes"] = json!(16138);
    execution["report"] =
        json!({ "sources": { "metrics": { "outcome": "skipped", "reason": "not asked for" } } });
    execution
}

/// The event with which an execution ends well.
pub(super) fn event() -> Value {
    json!({
        "timestamp": ENDED,
        "reported_timestamp": ENDED,
        "blueprint_id": null,
        "deployment_id": null,
        "deployment_display_name": null,
        "workflow_id": "create_snapshot",
        "message": "'create_snapshot' workflow execution succeeded",
        "error_causes": null,
        "event_type": "workflow_succeeded",
        "operation": null,
        "source_id": null,
        "target_id": null,
        "node_name": null,
        "node_instance_id": null,
        "execution_id": "019ca6b1-6959-71a1-9ad5-b47f52560783",
        "type": "cloudify_event",
        "logger": null,
        "level": null,
        "manager_name": null,
        "agent_name": null,
        "tenant_name": "default_tenant",
    })
}

/// A blueprint that was read well.
pub(super) fn blueprint() -> Value {
    json!({
        "id": "lighthouse",
        "visibility": "tenant",
        "created_at": CREATED,
        "main_file_name": "lighthouse.yaml",
        "plan": { "description": "A tower that holds two lamps.", "nodes": [] },
        "updated_at": ENDED,
        "description": "A tower that holds two lamps.",
        "is_hidden": false,
        "state": "uploaded",
        "error": null,
        "error_traceback": null,
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
        "labels": [label()],
        "upload_execution": {
            "id": "019ca6b0-5d3b-7425-8432-5e10c2d4fffe", "workflow_id": "upload_blueprint", "status": "terminated",
            "error": "", "created_at": CREATED, "ended_at": ENDED,
        },
        "requirements": { "parent_capabilities": [], "secrets": ["lamp_passphrase"] },
        "unresolved_imports": [],
        "archive_size_bytes": 717,
    })
}

fn label() -> Value {
    json!({ "key": "environment", "value": "production", "created_at": CREATED, "created_by": "admin" })
}

/// A deployment whose nodes are being made.
pub(super) fn deployment() -> Value {
    json!({
        "id": "harbour",
        "visibility": "tenant",
        "created_at": CREATED,
        "description": "A tower that holds two lamps.",
        "inputs": { "keeper": "nobody" },
        "groups": {},
        "permalink": null,
        "policy_triggers": {},
        "policy_types": {},
        "outputs": { "keeper": { "description": "Who looks after the tower.", "value": "nobody" } },
        "capabilities": {},
        "scaling_groups": {},
        "updated_at": null,
        "workflows": [],
        "runtime_only_evaluation": false,
        "installation_status": "inactive",
        "deployment_status": "in_progress",
        "sub_services_status": null,
        "sub_environments_status": null,
        "sub_services_count": 0,
        "sub_environments_count": 0,
        "display_name": "harbour",
        "labels": [label()],
        "blueprint_id": "lighthouse",
        "site_name": null,
        "create_execution": "019ca6b0-5d8a-7050-9a5e-048ac80b05d3",
        "latest_execution": "019ca6b0-5d8a-7050-9a5e-048ac80b05d3",
        "latest_execution_workflow_id": "create_deployment_environment",
        "latest_execution_status": "in_progress",
        "latest_execution_total_operations": 0,
        "latest_execution_finished_operations": 0,
        "deployment_groups": [],
        "schedules": [],
        "environment_type": "",
        "resource_tags": {},
        "unavailable_instances": 0,
        "drifted_instances": 0,
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
    })
}

/// A node of [`deployment`].
pub(super) fn node() -> Value {
    json!({
        "id": "tower",
        "deployment_id": "harbour",
        "blueprint_id": "lighthouse",
        "host_id": null,
        "type": "lighthouse.nodes.Tower",
        "type_hierarchy": ["lighthouse.nodes.Tower"],
        "number_of_instances": 1,
        "planned_number_of_instances": 1,
        "deploy_number_of_instances": 1,
        "min_number_of_instances": 0,
        "max_number_of_instances": -1,
        "actual_number_of_instances": 1,
        "properties": { "height_m": 52, "keeper": "nobody" },
        "operations": {},
        "plugins": [],
        "plugins_to_install": null,
        "relationships": [],
        "unavailable_instances": 0,
        "drifted_instances": 0,
        "visibility": "tenant",
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
    })
}

/// The instance of [`node`].
pub(super) fn node_instance() -> Value {
    json!({
        "id": "tower_vow1bsyg",
        "node_id": "tower",
        "deployment_id": "harbour",
        "host_id": null,
        "index": 1,
        "relationships": [],
        "runtime_properties": { "lit": true },
        "system_properties": {},
        "scaling_groups": [],
        "state": "started",
        "version": 2,
        "is_status_check_ok": true,
        "has_configuration_drift": false,
        "visibility": "tenant",
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
    })
}

/// A plugin.
pub(super) fn plugin() -> Value {
    json!({
        "id": "3b9f4c2e-2c0e-4a55-9c1f-3a6de4c2f7b1",
        "visibility": "tenant",
        "archive_name": "lamp_plugin-1.2.0-py311-none-linux_x86_64.wgn",
        "distribution": "debian",
        "distribution_release": "bookworm",
        "distribution_version": "12",
        "excluded_wheels": [],
        "package_name": "lamp-plugin",
        "package_source": "lamp-plugin==1.2.0",
        "package_version": "1.2.0",
        "supported_platform": "linux_x86_64",
        "supported_py_versions": ["py311"],
        "uploaded_at": CREATED,
        "wheels": ["lamp_plugin-1.2.0-py3-none-any.whl"],
        "title": "Lamps",
        "installation_state": [],
        "labels": null,
        "blueprint_labels": null,
        "resource_tags": null,
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
        "file_server_path": "",
        "yaml_url_path": "",
        "archive_size_bytes": 48213,
    })
}

/// A secret without its value.
pub(super) fn secret() -> Value {
    json!({
        "key": "lamp_passphrase",
        "visibility": "tenant",
        "created_at": CREATED,
        "updated_at": CREATED,
        "is_hidden_value": false,
        "schema": null,
        "provider_name": null,
        "provider_options": null,
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
    })
}

/// An agent.
pub(super) fn agent() -> Value {
    json!({
        "id": "tower_vow1bsyg",
        "name": "tower_vow1bsyg",
        "host_id": "tower_vow1bsyg",
        "ip": "10.0.0.7",
        "install_method": "remote",
        "system": "linux",
        "version": "7.0.5",
        "node": "tower",
        "deployment": "harbour",
        "deployment_id": "harbour",
        "node_instance_id": "tower_vow1bsyg",
        "state": "started",
        "rabbitmq_username": "tower_vow1bsyg",
        "rabbitmq_exchange": "tower_vow1bsyg",
        "created_at": CREATED,
        "updated_at": CREATED,
        "visibility": "tenant",
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
        "has_key_file": false,
    })
}

/// A user who belongs to one tenant.
pub(super) fn user() -> Value {
    json!({
        "username": "grace",
        "role": "default",
        "active": true,
        "is_locked": false,
        "groups": 0,
        "group_system_roles": {},
        "tenants": 1,
        "tenant_roles": { "direct": { "default_tenant": "viewer" }, "groups": {} },
        "created_at": CREATED,
        "first_login_at": null,
        "last_login_at": null,
        "show_getting_started": false,
    })
}

/// A tenant with one user.
pub(super) fn tenant() -> Value {
    json!({ "name": "default_tenant", "groups": 0, "users": 1, "user_roles": null })
}

/// A group with one member.
pub(super) fn user_group() -> Value {
    json!({ "name": "keepers", "ldap_dn": null, "role": "default", "tenants": 1, "users": 1 })
}

/// A token whose secret part was shown before.
pub(super) fn token() -> Value {
    json!({
        "id": "A5aCVoweqH",
        "username": "admin",
        "value": "ctok-A5aCVoweqH-********",
        "role": "sys_admin",
        "description": "the nightly backup",
        "expiration_date": "2027-03-01T00:00:00.000Z",
        "last_used": null,
    })
}
