//! Programs on node: scripts of ours, and the real sailor with the component of the tests.
//!
//! It knows what the platform gives a sailor, and not what the component does.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::clients::{Finished, installed, script};
use super::{ADMIN_PASSWORD, Broker, TestServer, eventually};

/// Where snapshots go unless the settings say otherwise.
pub const EXCHANGE: &str = "component-events-collector";

/// Variables that would lead a client to somebody else than the test's own servers.
const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/// The keys of the messages that the platform and a sailor exchange.
const CRYPTO_PASSWORD: &str = "a-password-of-the-tests";
const CRYPTO_IV: &str = "sixteen-bytes-iv";

/// Runs a script of ours in `tests/clients/` and waits for its end.
pub fn node(name: &str, arguments: &[&str]) -> Finished {
    let mut command = node_command(name, arguments);
    let output = command.output().unwrap();
    Finished::of(&command, output)
}

/// Runs a script of ours as a client of a server, as `admin`.
pub fn node_client(name: &str, server: &TestServer, arguments: &[&str]) -> Finished {
    let mut command = node_command(name, arguments);
    let output = command.envs(api_environment(server)).output().unwrap();
    Finished::of(&command, output)
}

/// Asks the broker something by the driver, and reads its answer.
pub fn amqp(broker: &Broker, arguments: &[&str]) -> Value {
    let finished = node("amqp_driver.js", &[&[broker.uri().as_str()], arguments].concat()).success();
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("not JSON ({error}): {}", finished.stdout))
}

/// Publishes messages as they stand in `messages`: `[{key, headers, text | base64, count}]`, in order.
pub fn publish(broker: &Broker, exchange: &str, messages: &Value) {
    amqp(broker, &["publish", exchange, &messages.to_string()]);
}

/// A script that runs beside the test. Dropping it kills it.
pub struct Running {
    child: Child,
    folder: TempDir,
}

impl Running {
    /// Starts the driver with what it is to do.
    pub fn amqp(broker: &Broker, arguments: &[&str]) -> Self {
        let uri = broker.uri();
        Self::start(node_command("amqp_driver.js", &[&[uri.as_str()], arguments].concat()))
    }

    fn start(mut command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { child, folder }
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Waits for its end.
    pub fn wait(&mut self, claim: &str, seconds: u64) -> ExitStatus {
        eventually(claim, seconds, || self.child.try_wait().unwrap())
    }

    /// Waits for its end, and panics unless it exited 0.
    pub fn success(&mut self, claim: &str, seconds: u64) {
        let status = self.wait(claim, seconds);
        assert!(status.success(), "{status}:\n{}", self.log());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- output of process {}\n{}---- end", self.child.id(), self.log());
        }
    }
}

/// One step of a flow as the platform runs it: which trigger, and where its messages come from.
pub struct Step<'a> {
    pub flow: &'a str,
    pub step: &'a str,
    /// The name of a trigger in `tests/clients/component/component.json`.
    pub function: &'a str,
    /// The exchange that the service listens to.
    pub exchange: &'a str,
}

impl Step<'_> {
    /// The queue from which the sailor of this step takes its messages.
    fn queue(&self) -> String {
        format!("{}:{}:messages", self.flow, self.step)
    }

    /// Starts the real sailor of this step; its queue is made when it is not there.
    pub fn start_sailor(&self, server: &TestServer, broker: &Broker) -> Running {
        amqp(broker, &["queue", &self.queue()]);
        let run = modules().join("elasticio-sailor-nodejs/run.js");
        let mut command = bare_command(&run);
        let settings = [
            ("FLOW_ID", self.flow.to_owned()),
            ("STEP_ID", self.step.to_owned()),
            ("EXEC_ID", format!("exec-of-{}", self.step)),
            ("CONTAINER_ID", "container-1".to_owned()),
            ("WORKSPACE_ID", "workspace-1".to_owned()),
            ("USER_ID", "user-1".to_owned()),
            ("COMP_ID", "component-1".to_owned()),
            ("FUNCTION", self.function.to_owned()),
            ("AMQP_URI", broker.uri()),
            ("AMQP_PERSISTENT_MESSAGES", "true".to_owned()),
            ("LISTEN_MESSAGES_ON", self.queue()),
            ("PUBLISH_MESSAGES_TO", self.exchange.to_owned()),
            ("DATA_ROUTING_KEY", format!("{}.{}.message", self.flow, self.step)),
            ("ERROR_ROUTING_KEY", format!("{}.{}.error", self.flow, self.step)),
            ("REBOUND_ROUTING_KEY", format!("{}.{}.rebound", self.flow, self.step)),
            ("SNAPSHOT_ROUTING_KEY", format!("{}.{}.snapshot", self.flow, self.step)),
            ("MESSAGE_CRYPTO_PASSWORD", CRYPTO_PASSWORD.to_owned()),
            ("MESSAGE_CRYPTO_IV", CRYPTO_IV.to_owned()),
        ];
        command
            .envs(settings.map(|(name, value)| (format!("ELASTICIO_{name}"), value)))
            .envs(api_environment(server))
            .env("LOG_LEVEL", "debug")
            // The sailor looks for the component in the folder in which it runs.
            .current_dir(script("component"));
        Running::start(command)
    }

    /// Sends the step messages as the platform does, one for each body.
    pub fn send(&self, broker: &Broker, bodies: &[Value]) {
        let bodies = Value::from(bodies).to_string();
        amqp(broker, &["input", &self.queue(), CRYPTO_PASSWORD, CRYPTO_IV, &bodies]);
    }
}

/// How a client of elastic.io is told which server to call, and as whom.
fn api_environment(server: &TestServer) -> [(&'static str, String); 3] {
    [
        ("ELASTICIO_API_URI", format!("http://127.0.0.1:{}", server.port())),
        ("ELASTICIO_API_USERNAME", "admin".to_owned()),
        ("ELASTICIO_API_KEY", ADMIN_PASSWORD.to_owned()),
    ]
}

fn node_command(name: &str, arguments: &[&str]) -> Command {
    let mut command = bare_command(Path::new(&script(name)));
    command.args(arguments);
    command
}

fn bare_command(script: &Path) -> Command {
    let mut command = Command::new(installed("LIFEBOAT_TEST_NODE"));
    command.arg(script).env("NODE_PATH", modules()).stdin(Stdio::null());
    for name in PROXIES {
        command.env_remove(name);
    }
    command
}

fn modules() -> PathBuf {
    installed("LIFEBOAT_TEST_NODE_MODULES")
}
