//! How much memory and time large states take: created, sent, taken, verified, planned, restored.

use std::fs::File;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::seed::{self, Amounts};
use crate::service::{self, Service};

/// Secrets are sealed by the service itself, so they are made by its call.
struct State {
    name: &'static str,
    what: &'static str,
    amounts: Amounts,
    secrets: usize,
    secret_bytes: usize,
}

fn states() -> Vec<State> {
    let entities = Amounts {
        blueprints: 2000,
        blob_bytes: 1_000_000,
        deployments: 4000,
        nodes: 30_000,
        node_instances: 60_000,
        deployment_executions: 20_000,
        events: 80_000,
        flows: 2000,
        ..Amounts::default()
    };
    let entries = Amounts { blueprints: 70_000, blob_bytes: 300, ..Amounts::default() };
    let blob = Amounts { plugin_bytes: 5 << 30, ..Amounts::default() };
    vec![
        State {
            name: "entities",
            what: "200,000 entities, 2,000 blobs of 1 MB, 2,000 secrets of 10 kB",
            amounts: entities,
            secrets: 2000,
            secret_bytes: 10_000,
        },
        State { name: "entries", what: "70,000 entries", amounts: entries, secrets: 0, secret_bytes: 0 },
        State {
            name: "secrets",
            what: "6,000 secrets of 50 kB",
            amounts: Amounts::default(),
            secrets: 6000,
            secret_bytes: 50_000,
        },
        State { name: "blob", what: "one blob of 5 GiB", amounts: blob, secrets: 0, secret_bytes: 0 },
    ]
}

/// Measures all states, or those that `LIFEBOAT_BENCH_STATES` names; prints the table.
pub fn measure() -> anyhow::Result<()> {
    let wanted = std::env::var("LIFEBOAT_BENCH_STATES").ok();
    println!(
        "### States\n\n| State | Step | Seconds | Peak of memory, MiB | Above idle, MiB |\n|---|---|--:|--:|--:|"
    );
    for state in states() {
        if wanted.as_ref().is_none_or(|wanted| wanted.split(',').any(|name| name == state.name)) {
            measure_state(&state).with_context(|| format!("the state `{}`", state.name))?;
        }
    }
    println!();
    Ok(())
}

fn measure_state(state: &State) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    service::prepare(folder.path())?;
    seed::fill(folder.path(), &state.amounts)?;
    let service = Service::start(folder.path())?;
    for number in 0..state.secrets {
        let value = format!("{number:08}").repeat(state.secret_bytes / 8);
        service.send("PUT", &format!("/secrets/secret-{number}"), &json!({ "value": value }))?;
    }
    let before = service.get("/snapshots?_size=1")?;
    ensure!(before["items"].as_array().is_some_and(Vec::is_empty), "the service is not new");
    service.stop()?;
    // Started anew, so that idle is idle.
    let service = Service::start(folder.path())?;
    let (idle, _) = service.mebibytes()?;
    let mut name = state.what;
    let mut step = |what: &str, work: &mut dyn FnMut() -> anyhow::Result<u64>| -> anyhow::Result<()> {
        service.forget_peak()?;
        let begun = Instant::now();
        let bytes = work()?;
        let seconds = begun.elapsed().as_secs_f64();
        let (_, peak) = service.mebibytes()?;
        let size = if bytes > 0 { format!(" ({:.0} MB)", bytes as f64 / 1e6) } else { String::new() };
        println!("| {name} | {what}{size} | {seconds:.1} | {peak:.0} | {:.0} |", peak - idle);
        name = "";
        Ok(())
    };
    let file = folder.path().join("archive.zip");
    step("create", &mut || {
        let execution = service.send("PUT", "/snapshots/large", &json!({ "include_credentials": true }))?;
        service.wait(&execution)?;
        size_of(&service, "large")
    })?;
    step("download", &mut || service.download("/snapshots/large/archive", &file))?;
    // There would not be room for all of it at once.
    service.send("DELETE", "/snapshots/large", &json!({}))?;
    step("upload, with its verification", &mut || {
        service.upload("/snapshots/copy/archive", File::open(&file)?)?;
        size_of(&service, "copy")
    })?;
    std::fs::remove_file(&file)?;
    step("plan", &mut || {
        let execution = service.send("POST", "/snapshots/copy/plan", &json!({ "force": true }))?;
        service.wait(&execution)?;
        Ok(0)
    })?;
    step("restore, with its verification", &mut || {
        let execution = service.send("POST", "/snapshots/copy/restore", &json!({ "force": true }))?;
        service.wait(&execution)?;
        Ok(0)
    })?;
    check(&service, state)?;
    service.stop()
}

fn size_of(service: &Service, id: &str) -> anyhow::Result<u64> {
    service.get(&format!("/snapshots/{id}"))?["size_bytes"].as_u64().context("the snapshot has no size")
}

/// The restored state is there.
fn check(service: &Service, state: &State) -> anyhow::Result<()> {
    let expected = [
        ("blueprints", state.amounts.blueprints),
        ("deployments", state.amounts.deployments),
        ("nodes", state.amounts.nodes),
        ("node-instances", state.amounts.node_instances),
        ("plugins", usize::from(state.amounts.plugin_bytes > 0)),
        ("secrets", state.secrets),
    ];
    for (kind, count) in expected {
        let page = service.get(&format!("/{kind}?_size=1"))?;
        let total = page["metadata"]["pagination"]["total"].as_u64();
        ensure!(total == Some(count as u64), "{kind}: {total:?} restored, {count} were there");
    }
    Ok(())
}
