//! Real databases of measurements as child processes: InfluxDB 1.6 and VictoriaMetrics, on ports and in folders of
//! their own.
//!
//! It knows how to start them and how they are asked, and nothing of what is in them.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::clients::{Finished, installed};
use super::{Api, eventually};

/// Seconds that a database gets to come up, on a machine that is busy.
const START_SECONDS: u64 = 120;

/// How often one is started on other ports when somebody was faster to take one.
const ATTEMPTS: u32 = 3;

/// The database into which files are imported that name none.
const DATABASE: &str = "lifeboat";

/// A running process with a folder. Dropping it ends it.
struct Daemon {
    folder: TempDir,
    child: Child,
    port: u16,
}

impl Daemon {
    /// Starts a program; `prepare` gives the command line for a folder and two free ports, of which callers get the first.
    fn start(health: &str, prepare: impl Fn(&Path, u16, u16) -> Command) -> Self {
        for _ in 0..ATTEMPTS {
            let folder = tempfile::tempdir().unwrap();
            let (port, other) = free_ports();
            let log = File::create(folder.path().join("log")).unwrap();
            let child = prepare(folder.path(), port, other)
                .env_clear()
                .env("HOME", folder.path())
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let mut daemon = Self { folder, child, port };
            if daemon.comes_up(health) {
                return daemon;
            }
            eprintln!("it ended by itself:\n{}", daemon.log());
        }
        panic!("a database did not start {ATTEMPTS} times");
    }

    fn comes_up(&mut self, health: &str) -> bool {
        eventually("the database answers", START_SECONDS, || {
            if self.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            let reply = self.api().try_get(health).ok()?;
            (reply.status < 300).then_some(true)
        })
    }

    fn api(&self) -> Api {
        Api::new(self.port)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- log of the database on port {}\n{}---- end", self.port, self.log());
        }
    }
}

/// An InfluxDB 1.6.
pub struct Influx(Daemon);

impl Influx {
    /// Starts an empty one.
    pub fn start() -> Self {
        Self(Daemon::start("/ping", |folder, port, other| {
            let path = |name: &str| folder.join(name).to_str().expect("temporary paths are UTF-8").to_owned();
            let settings = format!(
                "reporting-disabled = true\nbind-address = \"127.0.0.1:{other}\"\n\
                 [meta]\ndir = {:?}\n[data]\ndir = {:?}\nwal-dir = {:?}\n\
                 [http]\nbind-address = \"127.0.0.1:{port}\"\n[monitor]\nstore-enabled = false\n",
                path("meta"),
                path("data"),
                path("wal")
            );
            fs::write(folder.join("influxdb.conf"), settings).unwrap();
            let mut command = Command::new(installed("LIFEBOAT_TEST_INFLUXD"));
            command.args(["run", "-config"]).arg(folder.join("influxdb.conf"));
            command
        }))
    }

    /// Imports a file as InfluxDB's documentation says, and gives what `influx` said.
    pub fn import(&self, file: &Path) -> Finished {
        let mut command = Command::new(installed("LIFEBOAT_TEST_INFLUX"));
        command
            .args(["-host", "127.0.0.1", "-port", &self.0.port.to_string(), "-import", "-path"])
            .arg(file)
            .env_clear()
            .env("HOME", self.0.folder.path())
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        Finished::of(&command, output)
    }

    /// The series that a query gives, each with `tags`, `columns` and `values`; times are seconds.
    pub fn query(&self, query: &str) -> Vec<Value> {
        let path = with_query("/query", &[("db", DATABASE), ("epoch", "s"), ("q", query)]);
        let mut answer = self.0.api().get(&path).expect(200);
        let mut result = answer["results"][0].take();
        assert!(result["error"].is_null(), "{query}: {result:#}");
        match result["series"].take() {
            Value::Array(series) => series,
            _ => Vec::new(),
        }
    }
}

/// A VictoriaMetrics.
pub struct VictoriaMetrics(Daemon);

impl VictoriaMetrics {
    /// Starts an empty one, which keeps what is years old.
    pub fn start() -> Self {
        Self(Daemon::start("/health", |folder, port, _| {
            let mut command = Command::new(installed("LIFEBOAT_TEST_VICTORIA_METRICS"));
            command
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg(format!("-storageDataPath={}", folder.join("data").display()))
                .args(["-retentionPeriod=100y", "-search.disableCache"]);
            command
        }))
    }

    /// Writes a text of InfluxDB's line protocol, and makes it visible.
    pub fn write(&self, text: Vec<u8>) {
        let api = self.0.api();
        api.send(api.request(reqwest::Method::POST, "/write").body(text)).expect_status(204);
        api.get("/internal/force_flush").expect_status(200);
    }

    /// All samples of the series that a selector names: each with `metric`, `values` and `timestamps` in milliseconds.
    pub fn export(&self, selector: &str) -> Vec<Value> {
        let api = self.0.api();
        let reply = api.get(&with_query("/api/v1/export", &[("match[]", selector)]));
        reply.expect_status(200);
        let text = reply.text();
        text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }

    /// The series that an expression gives at a moment: each with `metric` and `value`.
    pub fn query(&self, expression: &str, time: i64) -> Vec<Value> {
        let api = self.0.api();
        let path = with_query("/api/v1/query", &[("query", expression), ("time", &time.to_string())]);
        let mut answer = api.get(&path).expect(200);
        match answer["data"]["result"].take() {
            Value::Array(series) => series,
            other => panic!("{expression}: {other}"),
        }
    }
}

/// A path with a query, whatever stands in its values.
fn with_query(path: &str, values: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(values).finish();
    format!("{path}?{query}")
}

/// Two ports that nobody listens on.
fn free_ports() -> (u16, u16) {
    let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let [first, second] = listeners.map(|listener| listener.local_addr().unwrap().port());
    (first, second)
}
