//! The sample state: what a small manager holds, put in over the API as a client or a runtime would.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::access::random_password;
use crate::cli::CliError;
use crate::cli::connection::{Call, Paging, Service};
use crate::cli::output::field;
use crate::model::{TenantName, Timestamp};

use super::host::Host;
use super::{follow, interrupts::Interrupts};

/// The second tenant.
const TENANT: &str = "harbour";
/// The blueprint's id in both tenants.
const BLUEPRINT: &str = "shop";
const BLUEPRINT_FILE: &str = "blueprint.yaml";
/// The files of the blueprint, by their path in its archive.
const FILES: [(&str, &str); 2] = [
    ("shop/blueprint.yaml", include_str!("../../fixtures/quickstart/shop/blueprint.yaml")),
    ("shop/scripts/start.sh", include_str!("../../fixtures/quickstart/shop/scripts/start.sh")),
];
/// The deployments of the first tenant.
const DEPLOYMENTS: [&str; 2] = [INSTALLED, "shop-south"];
/// The deployment that gets installed.
const INSTALLED: &str = "shop-north";

/// The site where the deployments of the first tenant stand.
const SITE: &str = "north-quay";
/// What the deployments of the first tenant are labelled with.
const LABEL: (&str, &str) = ("team", "shop");

/// Fills an empty manager: tenants, users, a plugin, and in each tenant a secret, a blueprint, deployments; one of
/// them installed, with runtime properties and an agent. What belongs to deployments is in the first tenant.
pub(super) fn fill(host: &Host, interrupts: &Interrupts) -> Result<(), CliError> {
    let default = host.api(TenantName::DEFAULT)?;
    post(&default, format!("create tenant `{TENANT}`"), &["tenants", TENANT], json!({}))?;
    add_user(&default, "anna", TenantName::DEFAULT, "manager")?;
    add_user(&default, "piet", TENANT, "viewer")?;
    add_plugin(&default)?;
    let harbour = host.api(TENANT)?;
    put(&default, format!("create site `{SITE}`"), &["sites", SITE], json!({ "location": "53.54,9.98" }))?;
    for (api, deployments) in [(&default, &DEPLOYMENTS[..]), (&harbour, &["kiosk"][..])] {
        let secret = json!({ "value": random_password() });
        put(api, "create a secret".into(), &["secrets", "database_password"], secret)?;
        add_blueprint(api)?;
        for deployment in deployments {
            add_deployment(api, deployment, interrupts)?;
        }
    }
    arrange(&default)?;
    add_flow(&default)?;
    add_chart(&default)?;
    install(&default, interrupts)
}

/// What brings deployments together: where they stand, what they are labelled with, a filter that finds them by that, a
/// group that it fills, and what is to run in one of them every day from tomorrow on.
fn arrange(api: &Service) -> Result<(), CliError> {
    let (key, value) = LABEL;
    for deployment in DEPLOYMENTS {
        let labels = json!({ "labels": [{ key: value }] });
        let doing = format!("label deployment `{deployment}`");
        api.call(Call::new(Method::PATCH, doing, &["deployments", deployment]).body(labels))?;
        let doing = format!("set the site of deployment `{deployment}`");
        let site = json!({ "site_name": SITE });
        post(api, doing, &["deployments", deployment, "set-site"], site)?;
    }
    let rule = json!({ "key": key, "values": [value], "operator": "any_of", "type": "label" });
    let rules = json!({ "filter_rules": [rule] });
    put(api, "create a filter".into(), &["filters", "deployments", "shops"], rules)?;
    let chosen = json!({ "filter_id": "shops", "description": "All shops" });
    put(api, "create a deployment group".into(), &["deployment-groups", "shops"], chosen)?;
    let schedule = json!({
        "workflow_id": "check_status",
        "since": Timestamp::now().plus_seconds(24 * 60 * 60).to_string(),
        "recurrence": "1 day",
    });
    let path = ["execution-schedules", "daily-check"];
    let call = Call::new(Method::PUT, "create an execution schedule", &path).body(schedule);
    api.call(call.query("deployment_id", INSTALLED))?;
    Ok(())
}

/// A flow of two steps, and what their components have emitted.
fn add_flow(api: &Service) -> Result<(), CliError> {
    let doing = "create a flow";
    let flow = json!({ "data": {
        "type": "flow",
        "attributes": {
            "name": "Orders to the warehouse",
            "type": "ordinary",
            "default_mapper_type": "jsonata",
            "cron": "*/5 * * * *",
            "graph": {
                "nodes": [
                    { "id": "orders", "command": "shop:getOrders", "fields": { "page": 100 } },
                    { "id": "warehouse", "command": "warehouse:upsert" },
                ],
                "edges": [{ "source": "orders", "target": "warehouse" }],
            },
        },
        "relationships": { "workspace": { "data": { "id": TenantName::DEFAULT, "type": "workspace" } } },
    } });
    let flow = post(api, doing.to_owned(), &["v2", "flows"], flow)?;
    let id = field(&flow["data"], "id");
    for (step, snapshot) in [
        ("orders", json!({ "since": "2026-03-01T02:00:00.000Z", "last_order": 9_007_199_254_740_993_u64 })),
        ("warehouse", json!({ "upserted": 1204 })),
    ] {
        let path = ["v2", "flows", id.as_str(), "snapshots", step, "emit"];
        post(api, format!("emit the snapshot of step `{step}`"), &path, snapshot)?;
    }
    Ok(())
}

/// A metric of the last hour, and a chart of it.
fn add_chart(api: &Service) -> Result<(), CliError> {
    let now = Timestamp::now().moment().timestamp();
    let measurements: Vec<Value> = (0..60)
        .map(|minute| {
            let orders = 40 + minute * 7 % 23;
            let time = now - 60 * (60 - minute);
            json!({ "name": "shop.orders", "source": "north", "measure_time": time, "value": orders })
        })
        .collect();
    post(api, "submit measurements".into(), &["v1", "metrics"], json!({ "gauges": measurements }))?;
    let space = post(api, "create a space".into(), &["v1", "spaces"], json!({ "name": "Shop" }))?;
    let chart = json!({
        "name": "Orders per minute",
        "type": "line",
        "streams": [{ "metric": "shop.orders", "source": "*", "units_long": "orders" }],
    });
    post(api, "create a chart".into(), &["v1", "spaces", &space["id"].to_string(), "charts"], chart)?;
    Ok(())
}

fn put(api: &Service, doing: String, path: &[&str], body: Value) -> Result<Value, CliError> {
    api.call(Call::new(Method::PUT, doing, path).body(body))
}

fn post(api: &Service, doing: String, path: &[&str], body: Value) -> Result<Value, CliError> {
    api.call(Call::new(Method::POST, doing, path).body(body))
}

fn add_user(api: &Service, name: &str, tenant: &str, role: &str) -> Result<(), CliError> {
    let user = json!({ "username": name, "password": random_password(), "role": "default" });
    put(api, format!("create user `{name}`"), &["users"], user)?;
    let membership = json!({ "username": name, "tenant_name": tenant, "role": role });
    put(api, format!("give user `{name}` a role"), &["tenants", "users"], membership)?;
    Ok(())
}

fn add_plugin(api: &Service) -> Result<(), CliError> {
    let doing = "upload a plugin";
    let archive = plugin().map_err(|error| CliError::from_error(doing, &error))?;
    let query = [("title", "harbour-tools".to_owned()), ("visibility", "tenant".to_owned())];
    api.answer(doing, api.patient_request(Method::POST, &["plugins"], &query).body(archive))?;
    Ok(())
}

fn add_blueprint(api: &Service) -> Result<(), CliError> {
    let doing = format!("upload blueprint `{BLUEPRINT}`");
    let archive = blueprint().map_err(|error| CliError::from_error(&doing, &error))?;
    let query = [("application_file_name", BLUEPRINT_FILE.to_owned())];
    let request = api.patient_request(Method::PUT, &["blueprints", BLUEPRINT], &query).body(archive);
    api.answer(&doing, request)?;
    Ok(())
}

fn add_deployment(api: &Service, id: &str, interrupts: &Interrupts) -> Result<(), CliError> {
    let doing = format!("create deployment `{id}`");
    let body = json!({ "blueprint_id": BLUEPRINT, "inputs": { "greeting": format!("Moin from {id}") } });
    put(api, doing.clone(), &["deployments", id], body)?;
    let call = Call::get(&doing, &["executions"])
        .query("deployment_id", id)
        .query("workflow_id", "create_deployment_environment")
        .query("_include_system_workflows", "true");
    let executions = api.list(call, Paging::default())?.items;
    let execution = executions.first().ok_or_else(|| CliError::failed(&doing, "it has no execution"))?;
    follow(api, &field(execution, "id"), &doing, None, interrupts)
}

/// Runs `install`, then says what plugins and an agent would say of the running machines.
fn install(api: &Service, interrupts: &Interrupts) -> Result<(), CliError> {
    let doing = format!("install deployment `{INSTALLED}`");
    let body = json!({ "deployment_id": INSTALLED, "workflow_id": "install" });
    let execution = post(api, doing.clone(), &["executions"], body)?;
    follow(api, &field(&execution, "id"), &doing, None, interrupts)?;
    let call = Call::get(&doing, &["node-instances"]).query("deployment_id", INSTALLED).query("_sort", "id");
    let mut hosts = Vec::new();
    for (number, instance) in (1_u8..).zip(api.list(call, Paging::default())?.items) {
        let (id, node) = (field(&instance, "id"), field(&instance, "node_id"));
        let ip = format!("192.0.2.{number}");
        let properties = json!({ "ip": ip, "resource_id": format!("{node}-{number}"), "tags": ["sample"] });
        let change = json!({ "version": instance["version"], "runtime_properties": properties });
        let path = ["node-instances", id.as_str()];
        api.call(Call::new(Method::PATCH, format!("change node instance `{id}`"), &path).body(change))?;
        if node == "host" {
            hosts.push((id, ip));
        }
    }
    for (id, ip) in hosts {
        let agent = json!({
            "node_instance_id": id,
            "state": "started",
            "ip": ip,
            "install_method": "remote",
            "system": "debian 12",
            "version": "7.0.5",
        });
        put(api, format!("create agent `{id}`"), &["agents", &id], agent)?;
    }
    Ok(())
}

/// The blueprint's folder as a tar.gz.
fn blueprint() -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, text) in FILES {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(if path.ends_with(".sh") { 0o755 } else { 0o644 });
        archive.append_data(&mut header, path, text.as_bytes())?;
    }
    archive.into_inner()?.finish()
}

/// A plugin without code, in the form of Cloudify's packer `wagon`.
fn plugin() -> Result<Vec<u8>, zip::result::ZipError> {
    let package = json!({
        "archive_name": "harbour_tools-1.0.0-py311-none-any.wgn",
        "package_name": "harbour-tools",
        "package_version": "1.0.0",
        "package_source": ".",
        "supported_platform": "any",
        "supported_python_versions": ["py311"],
        "wheels": [],
    });
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("harbour-tools/package.json", SimpleFileOptions::default())?;
    zip.write_all(package.to_string().as_bytes())?;
    Ok(zip.finish()?.into_inner())
}
