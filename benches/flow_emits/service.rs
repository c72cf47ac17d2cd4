//! Lifeboat itself, the release binary as a child process with a data folder of its own.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::eventually;
use crate::http::Http;
use crate::load::{FLOWS, Place, STEPS_EACH};

const PASSWORD: &str = "correct-horse-battery";
const START_SECONDS: u64 = 60;

/// A service that can be stopped and started again. Dropping it ends it.
pub struct Service {
    folder: TempDir,
    child: Option<Child>,
    port: u16,
    authorization: String,
}

impl Service {
    /// Makes a data folder, starts the service on it, and makes a token there.
    pub async fn start(broker: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("lifeboat.toml"), format!("[amqp]\nuri = {broker:?}\n"))?;
        let login = base64::engine::general_purpose::STANDARD.encode(format!("admin:{PASSWORD}"));
        let authorization = format!("Basic {login}");
        let mut service = Self { folder, child: None, port: 0, authorization };
        service.start_again().await?;
        let token = service.connect().await?.send(200, "POST", "/api/v3.1/tokens", "{}").await?;
        let token: Value = serde_json::from_str(&token)?;
        service.authorization = format!("Bearer {}", token["value"].as_str().context("no token")?);
        Ok(service)
    }

    /// Starts it on its data, and waits until it takes messages from the broker.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        ensure!(self.child.is_none(), "the service runs already");
        let port_file = self.path("port");
        let _ = fs::remove_file(&port_file);
        let log = File::options().create(true).append(true).open(self.path("server.log"))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(self.path("lifeboat.toml"))
            .arg("--data")
            .arg(self.path("data"))
            .arg("--port-file")
            .arg(&port_file)
            .env("LIFEBOAT_ADMIN_PASSWORD", PASSWORD)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.child = Some(command.spawn().context("failed to start lifeboat")?);
        self.port = eventually("the service writes its port file", START_SECONDS, || {
            fs::read_to_string(&port_file).ok()?.trim().parse().ok()
        });
        loop {
            let health = self.connect().await?.send(200, "GET", "/service/health", "").await?;
            if serde_json::from_str::<Value>(&health)?["amqp"] == "connected" {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Ends it in good order.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        kill_process(Pid::from_child(&child), Signal::TERM)?;
        let status = child.wait()?;
        ensure!(status.success(), "lifeboat ended with {status}");
        Ok(())
    }

    /// A connection with the token.
    pub async fn connect(&self) -> anyhow::Result<Http> {
        Http::connect(self.port, &self.authorization).await
    }

    /// Makes the flows; gives their steps, those of one flow after those of another.
    pub async fn create_flows(&self) -> anyhow::Result<Vec<Place>> {
        let mut http = self.connect().await?;
        let workspaces: Value = serde_json::from_str(&http.send(200, "GET", "/v2/workspaces", "").await?)?;
        let workspace = &workspaces["data"][0]["id"];
        let mut places = Vec::new();
        for flow in 1..=FLOWS {
            let steps: Vec<String> = (1..=STEPS_EACH).map(|step| format!("step_{step}")).collect();
            let nodes: Vec<Value> =
                steps.iter().map(|id| json!({ "id": id, "command": "component:collect" })).collect();
            let body = json!({ "data": {
                "type": "flow",
                "attributes": {
                    "name": format!("Flow {flow}"), "type": "ordinary", "default_mapper_type": "jsonata",
                    "graph": { "nodes": nodes, "edges": [] }
                },
                "relationships": { "workspace": { "data": { "id": workspace, "type": "workspace" } } }
            } });
            let made: Value =
                serde_json::from_str(&http.send(201, "POST", "/v2/flows", &body.to_string()).await?)?;
            let id = made["data"]["id"].as_str().context("no id of a flow")?;
            let path = format!("/v2/flows/{id}/start");
            http.send(202, "POST", &path, "").await?;
            places.extend(steps.into_iter().map(|step| Place { flow: id.to_owned(), step }));
        }
        Ok(places)
    }

    /// The processor time that the running process has used, in seconds; the kernel counts in hundredths.
    pub fn processor_seconds(&self) -> anyhow::Result<f64> {
        let id = self.child.as_ref().context("the service does not run")?.id();
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        // The name before the last `)` may hold anything; user and system time are the 12th and 13th after it.
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let ticks: f64 =
            fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        Ok(ticks / 100.0)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(self.path("server.log")).unwrap_or_default();
            eprintln!("---- log of lifeboat\n{log}---- end");
        }
    }
}
