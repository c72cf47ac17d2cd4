//! InfluxDB 1.6 as a child process with a folder and ports of its own, and otherwise its defaults.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::http::Http;

/// How often it is asked whether it is up, each tenth of a second.
const ATTEMPTS: usize = 600;

/// A running database. Dropping it ends it.
pub struct Influx {
    child: Child,
    http: Http,
    _folder: TempDir,
}

/// Where Debian's package `influxdb` has it, or the environment.
pub fn program() -> Option<PathBuf> {
    let program =
        std::env::var_os("LIFEBOAT_BENCH_INFLUXD").map_or_else(|| "/usr/bin/influxd".into(), PathBuf::from);
    program.exists().then_some(program)
}

/// What it says of its version.
pub fn version() -> Option<String> {
    let output = Command::new(program()?).arg("version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.split(" (").next().unwrap_or_default().trim().to_owned())
}

impl Influx {
    /// Starts an empty one with a database.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let ports = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
        let [port, other] = [ports[0].local_addr()?.port(), ports[1].local_addr()?.port()];
        drop(ports);
        let settings = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:{other}\"\n[meta]\ndir = {:?}\n\
             [data]\ndir = {:?}\nwal-dir = {:?}\n[http]\nbind-address = \"127.0.0.1:{port}\"\n\
             [monitor]\nstore-enabled = false\n",
            path("meta"),
            path("data"),
            path("wal")
        );
        fs::write(path("influxdb.conf"), settings)?;
        let log = File::create(path("log"))?;
        let mut child = Command::new(program().context("no InfluxDB")?)
            .args(["run", "-config"])
            .arg(path("influxdb.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        for _ in 0..ATTEMPTS {
            if let Some(status) = child.try_wait()? {
                bail!("influxd ended with {status}: {}", fs::read_to_string(path("log"))?);
            }
            if let Ok(mut http) = Http::connect(port, "")
                && http.post(200, "/query?q=CREATE+DATABASE+bench", "text/plain", "").is_ok()
            {
                return Ok(Self { child, http, _folder: folder });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = child.kill();
        let _ = child.wait();
        bail!("influxd does not answer")
    }

    /// Writes lines.
    pub fn write(&mut self, lines: &str) -> anyhow::Result<()> {
        self.http.post(204, "/write?db=bench", "text/plain", lines).map(drop)
    }

    /// The number of its process.
    pub fn process(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Influx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
