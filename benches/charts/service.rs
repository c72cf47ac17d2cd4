//! Lifeboat itself, the release binary as a child process with a data folder of its own.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::http::Http;

const PASSWORD: &str = "correct-horse-battery";
/// How often its port is looked for, each tenth of a second.
const ATTEMPTS: usize = 600;

/// A running service. Dropping it ends it.
pub struct Service {
    child: Child,
    http: Http,
    _folder: TempDir,
}

impl Service {
    /// Starts one with its default settings, and makes a token there.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        fs::write(path("lifeboat.toml"), "")?;
        let log = File::create(path("log"))?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(path("lifeboat.toml"))
            .arg("--data")
            .arg(path("data"))
            .arg("--port-file")
            .arg(path("port"))
            .env("LIFEBOAT_ADMIN_PASSWORD", PASSWORD)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("failed to start lifeboat")?;
        for _ in 0..ATTEMPTS {
            if let Some(status) = child.try_wait()? {
                bail!("lifeboat ended with {status}: {}", fs::read_to_string(path("log"))?);
            }
            if let Some(port) =
                fs::read_to_string(path("port")).ok().and_then(|text| text.trim().parse().ok())
            {
                let http = connect(port)?;
                return Ok(Self { child, http, _folder: folder });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = child.kill();
        let _ = child.wait();
        bail!("lifeboat writes no port file")
    }

    /// Writes measurements with tags, as JSON.
    pub fn write(&mut self, body: &str) -> anyhow::Result<()> {
        self.http.post(202, "/v1/measurements", "application/json", body).map(drop)
    }

    /// The number of its process.
    pub fn process(&self) -> String {
        self.child.id().to_string()
    }
}

fn connect(port: u16) -> anyhow::Result<Http> {
    let login = base64::engine::general_purpose::STANDARD.encode(format!("admin:{PASSWORD}"));
    let mut http = Http::connect(port, &format!("Basic {login}"))?;
    let token: Value =
        serde_json::from_str(&http.post(200, "/api/v3.1/tokens", "application/json", "{}")?)?;
    Http::connect(port, &format!("Bearer {}", token["value"].as_str().context("no token")?))
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
