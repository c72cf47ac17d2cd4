//! Fills the databases of a stopped service with rows as its own calls write them.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use rusqlite::{Connection, Transaction, params};
use sha2::{Digest as _, Sha256};

const TENANT: &str = "default_tenant";
/// A plan of the usual form, as far as lists show it.
const PLAN: &str = r#"{"nodes": [], "inputs": {}, "workflows": {}, "outputs": {}}"#;

/// How much of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Amounts {
    pub snapshots: usize,
    /// Of the service; they have ended.
    pub executions: usize,
    /// Of deployments.
    pub deployment_executions: usize,
    pub events: usize,
    /// Each with an archive of `blob_bytes`.
    pub blueprints: usize,
    pub blob_bytes: usize,
    pub deployments: usize,
    /// Of the first deployments, evenly.
    pub nodes: usize,
    pub node_instances: usize,
    pub flows: usize,
    /// Values of steps; a hundred of each flow.
    pub step_snapshots: usize,
    /// Of the first flows, evenly.
    pub captures: usize,
    /// Drawn, by the executions of the service.
    pub chart_snapshots: usize,
    /// Names without points.
    pub metrics: usize,
    /// A plugin with an archive of so many bytes, where it is not 0.
    pub plugin_bytes: u64,
}

/// A moment, later for a larger number.
fn at(number: usize) -> String {
    let seconds = number / 10;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (month, day) = (days / 28 % 12 + 1, days % 28 + 1);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", number % 10 * 100)
}

fn uuid(kind: u8, number: usize) -> String {
    let hash = Sha256::digest(format!("{kind}-{number}"));
    let text = hex::encode(&hash[..16]);
    format!("{}-{}-4{}-8{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..])
}

/// Writes all of it into the data of `folder`.
pub fn fill(folder: &Path, amounts: &Amounts) -> anyhow::Result<()> {
    let data = folder.join("data");
    let mut records = Connection::open(data.join("records.db"))?;
    let tx = records.transaction()?;
    snapshots(&tx, amounts.snapshots)?;
    executions(&tx, amounts.executions, None)?;
    chart_snapshots(&tx, amounts.chart_snapshots)?;
    tx.commit()?;
    let mut store = Connection::open(data.join("manager/current/metrics.db"))?;
    let tx = store.transaction()?;
    metrics(&tx, amounts.metrics)?;
    tx.commit()?;
    let mut manager = Connection::open(data.join("manager/current/manager.db"))?;
    manager.pragma_update(None, "foreign_keys", true)?;
    let tx = manager.transaction()?;
    blueprints(&tx, &data.join("blobs"), amounts.blueprints, amounts.blob_bytes)?;
    deployments(&tx, amounts)?;
    executions(&tx, amounts.deployment_executions, Some(amounts.deployments.max(1)))?;
    events(&tx, amounts.events)?;
    flows(&tx, amounts.flows)?;
    steps(&tx, amounts.step_snapshots)?;
    captures(&tx, amounts.captures, amounts.flows)?;
    if amounts.plugin_bytes > 0 {
        plugin(&tx, &data.join("blobs"), amounts.plugin_bytes)?;
    }
    tx.commit()?;
    Ok(())
}

fn snapshots(tx: &Transaction<'_>, count: usize) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO snapshots (tenant_name, id, created_at, created_by, status, archive_file, size_bytes, sha256,
         contents, origin) VALUES (?, ?, ?, 'admin', 'created', ?, 1000000, ?, ?, 'create')",
    )?;
    let contents = r#"{"counts": {"blueprints": 12, "deployments": 40, "secrets": 7}, "options": {"include_logs": true}}"#;
    for number in 0..count {
        let sha256 = hex::encode(Sha256::digest(number.to_le_bytes()));
        insert.execute(params![
            TENANT,
            format!("nightly-{number:06}"),
            at(number),
            uuid(0, number),
            sha256,
            contents
        ])?;
    }
    Ok(())
}

/// Executions that have ended: creates of the service, or workflows of `deployments`.
fn executions(tx: &Transaction<'_>, count: usize, deployments: Option<usize>) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO executions (id, workflow_id, tenant_name, created_by, deployment_id, deployment_display_name,
         snapshot_id, status, parameters, is_system_workflow, created_at, started_at, ended_at, report)
         VALUES (?1, ?2, ?3, 'admin', ?4, ?4, ?5, 'terminated', ?6, ?7, ?8, ?8, ?8, ?9)",
    )?;
    let report = r#"{"sources": {"embedded": {"outcome": "done", "counts": {"blueprints": 12}}}}"#;
    for number in 0..count {
        let deployment = deployments.map(|deployments| format!("deployment-{}", number % deployments));
        let (workflow, snapshot, parameters) = match &deployment {
            Some(_) => (["install", "uninstall", "heal"][number % 3], None, "{}"),
            None => {
                ("create_snapshot", Some(format!("nightly-{number:06}")), r#"{"include_credentials": true}"#)
            }
        };
        insert.execute(params![
            uuid(if deployment.is_some() { 1 } else { 2 }, number),
            workflow,
            TENANT,
            deployment,
            snapshot,
            parameters,
            deployment.is_none(),
            at(number),
            deployment.is_none().then_some(report),
        ])?;
    }
    Ok(())
}

fn events(tx: &Transaction<'_>, count: usize) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO events (execution_id, tenant_name, type, event_type, level, logger, message, deployment_id,
         workflow_id, timestamp, reported_timestamp) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'install', ?9, ?9)",
    )?;
    for number in 0..count {
        let is_event = number.is_multiple_of(2);
        insert.execute(params![
            // A tenth of them belong to one execution.
            uuid(1, if number.is_multiple_of(10) { 0 } else { number / 100 }),
            TENANT,
            if is_event { "cloudify_event" } else { "cloudify_log" },
            is_event.then_some("task_succeeded"),
            (!is_event).then_some("info"),
            (!is_event).then_some("ctx.node"),
            format!("Task number {number} of the operation succeeded and has said so"),
            format!("deployment-{}", number / 100),
            at(number),
        ])?;
    }
    Ok(())
}

/// Bytes that do not shrink, others for each number.
fn noise(number: u64, length: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn blueprints(tx: &Transaction<'_>, blobs: &Path, count: usize, blob_bytes: usize) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO blueprints (tenant_name, id, visibility, created_at, created_by, main_file_name, plan, state,
         archive_blob, archive_name, archive_size_bytes) VALUES (?, ?, 'tenant', ?, 'admin', 'blueprint.yaml', ?,
         'uploaded', ?, 'blueprint.tar.gz', ?)",
    )?;
    for number in 0..count {
        let content = noise(number as u64, blob_bytes.max(16));
        let blob = hex::encode(Sha256::digest(&content));
        fs::write(blobs.join(&blob), &content)?;
        insert.execute(params![
            TENANT,
            format!("blueprint-{number}"),
            at(number),
            PLAN,
            blob,
            content.len() as i64
        ])?;
    }
    Ok(())
}

fn deployments(tx: &Transaction<'_>, amounts: &Amounts) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO deployments (tenant_name, id, display_name, blueprint_id, visibility, created_at, created_by, inputs)
         VALUES (?1, ?2, ?2, ?3, 'tenant', ?4, 'admin', '{\"region\": \"eu\"}')",
    )?;
    for number in 0..amounts.deployments {
        let blueprint = format!("blueprint-{}", number % amounts.blueprints.max(1));
        insert.execute(params![TENANT, format!("deployment-{number}"), blueprint, at(number)])?;
    }
    // A tenth of the nodes belong to the first deployment.
    let owner = |number: usize| {
        let number = if number.is_multiple_of(10) { 0 } else { number % amounts.deployments.max(1) };
        format!("deployment-{number}")
    };
    let mut insert = tx.prepare(
        "INSERT INTO nodes (tenant_name, deployment_id, id, visibility, created_by, type, type_hierarchy, properties,
         operations, plugins, relationships, number_of_instances, planned_number_of_instances,
         deploy_number_of_instances, min_number_of_instances, max_number_of_instances)
         VALUES (?, ?, ?, 'tenant', 'admin', 'cloudify.nodes.Compute', '[\"cloudify.nodes.Root\", \"cloudify.nodes.Compute\"]',
         ?, '{}', '[]', '[]', 1, 1, 1, 1, -1)",
    )?;
    for number in 0..amounts.nodes {
        let properties =
            format!(r#"{{"ip": "10.0.{}.{}", "os_family": "linux"}}"#, number / 250 % 250, number % 250);
        insert.execute(params![TENANT, owner(number), format!("node-{number}"), properties])?;
    }
    let mut insert = tx.prepare(
        "INSERT INTO node_instances (tenant_name, deployment_id, node_id, id, visibility, created_by, \"index\", state,
         relationships, runtime_properties) VALUES (?, ?, ?, ?, 'tenant', 'admin', 1, 'started', '[]', ?)",
    )?;
    for number in 0..amounts.node_instances {
        let node = number % amounts.nodes.max(1);
        let properties = format!(r#"{{"pid": {number}, "since": "{}"}}"#, at(number));
        insert.execute(params![
            TENANT,
            owner(node),
            format!("node-{node}"),
            format!("instance-{number}"),
            properties
        ])?;
    }
    Ok(())
}

fn flows(tx: &Transaction<'_>, count: usize) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO flows (tenant_name, id, name, type, status, current_status, default_mapper_type, graph, created_at,
         created_by, updated_at, last_modified) VALUES (?1, ?2, ?3, 'ordinary', 'inactive', 'inactive', 'jsonata',
         '{\"nodes\": [], \"edges\": []}', ?4, 'admin', ?4, ?4)",
    )?;
    for number in 0..count {
        insert.execute(params![TENANT, flow_id(number), format!("flow {number}"), at(number)])?;
    }
    Ok(())
}

/// The id of a flow, as elastic.io's are.
pub fn flow_id(number: usize) -> String {
    hex::encode(&Sha256::digest(number.to_le_bytes())[..12])
}

fn steps(tx: &Transaction<'_>, count: usize) -> anyhow::Result<()> {
    let mut step = tx.prepare("INSERT INTO flow_steps (flow_id, id, position) VALUES (?, ?, ?)")?;
    let mut snapshot =
        tx.prepare("INSERT INTO step_snapshots (flow_id, step_id, value, updated_at) VALUES (?, ?, ?, ?)")?;
    for number in 0..count {
        let (flow, position) = (flow_id(number / 100), number % 100);
        let id = format!("step_{position}");
        step.execute(params![flow, id, position as i64])?;
        let value = format!(r#"{{"lastPoll": "{}", "offset": {number}}}"#, at(number));
        snapshot.execute(params![flow, id, value, at(number)])?;
    }
    Ok(())
}

fn captures(tx: &Transaction<'_>, count: usize, flows: usize) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO captures (tenant_name, id, flow_id, flow_name, is_fuzzy, created_at, created_by)
         VALUES (?, ?, ?, ?, 0, ?, 'admin')",
    )?;
    for number in 0..count {
        let flow = number % flows.clamp(1, 1000);
        let id = hex::encode(&Sha256::digest((number + (1 << 40)).to_le_bytes())[..12]);
        insert.execute(params![TENANT, id, flow_id(flow), format!("flow {flow}"), at(number)])?;
    }
    Ok(())
}

fn chart_snapshots(tx: &Transaction<'_>, count: usize) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO chart_snapshots (tenant_name, execution_id, chart_id, request, end_time, duration, created_at,
         updated_at, created_by, image_key, png_blob, svg_blob)
         VALUES (?1, ?2, 1000, ?3, ?4, 3600, ?4, ?4, 'admin', ?5, ?6, ?6)",
    )?;
    for number in 0..count {
        let time = 1_760_000_000 + number as i64;
        let key = hex::encode(Sha256::digest(number.to_le_bytes()));
        let request = r#"{"definition": {"name": "Latency", "type": "line", "streams": [{"metric": "latency",
            "source": "*", "group_function": "average"}]}, "source": null,
            "size": {"width": 600, "height": 416, "scale": 1, "dark": false}}"#;
        insert.execute(params![TENANT, uuid(2, number), request, time, key, key])?;
    }
    Ok(())
}

fn metrics(tx: &Transaction<'_>, count: usize) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO metrics (tenant_name, name, kind, period, created_at, updated_at) VALUES (?, ?, 'gauge', 60, ?, ?)",
    )?;
    for number in 0..count {
        let time = 1_760_000_000 + number as i64;
        insert.execute(params![TENANT, format!("service-{number:06}.latency"), time, time])?;
    }
    Ok(())
}

fn plugin(tx: &Transaction<'_>, blobs: &Path, length: u64) -> anyhow::Result<()> {
    let partial = blobs.join("partial");
    let mut file = fs::File::create(&partial)?;
    let (mut hash, mut left, mut number) = (Sha256::new(), length, 0);
    while left > 0 {
        let piece = noise(number, usize::try_from(left.min(8 << 20))?);
        hash.update(&piece);
        file.write_all(&piece)?;
        left -= piece.len() as u64;
        number += 1;
    }
    let blob = hex::encode(hash.finalize());
    fs::rename(partial, blobs.join(&blob))?;
    tx.execute(
        "INSERT INTO plugins (tenant_name, id, visibility, created_by, uploaded_at, archive_name, package_name,
         package_version, archive_blob, archive_size_bytes) VALUES (?, ?, 'tenant', 'admin', ?, 'large.wgn', 'large', '1', ?, ?)",
        params![TENANT, uuid(3, 0), at(0), blob, i64::try_from(length)?],
    )?;
    Ok(())
}
