//! A real RabbitMQ as a child process, on ports and in folders of its own.
//!
//! It knows how to start and end a broker, and nothing of what goes through it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::clients::installed;
use super::eventually;

/// Seconds that a broker gets to come up or to end, on a machine that is busy.
const BROKER_SECONDS: u64 = 180;

/// How often a broker is started on other ports when somebody was faster to take one.
const ATTEMPTS: u32 = 3;

/// A running broker. Dropping it ends it, with all that it started.
pub struct Broker {
    folder: TempDir,
    ports: Ports,
    /// The port mapper, in which the node is registered; ours, so that none is left behind.
    epmd: Option<Child>,
    node: Option<Child>,
}

struct Ports {
    amqp: u16,
    distribution: u16,
    epmd: u16,
}

impl Broker {
    /// The broker that the tests share who need but names of their own in it.
    ///
    /// It lives as long as one of them holds it: a static is never dropped, and
    /// would leave the broker running.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Broker>> = Mutex::new(Weak::new());
        // A start that failed leaves nothing half made here.
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let broker = Arc::new(Self::start());
            *shared = Arc::downgrade(&broker);
            broker
        })
    }

    /// Starts a broker of the test's own, for tests that stop it.
    pub fn start() -> Self {
        for _ in 1..ATTEMPTS {
            let mut broker = Self::prepare();
            if broker.launch() {
                return broker;
            }
        }
        let mut broker = Self::prepare();
        assert!(broker.launch(), "the broker ended by itself:\n{}", broker.log());
        broker
    }

    /// Where clients connect.
    pub fn uri(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.ports.amqp)
    }

    /// Ends the broker in good order; what is durable and persistent stays in its folder.
    pub fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            end(node, "the broker ends after SIGTERM");
        }
        if let Some(epmd) = self.epmd.take() {
            end(epmd, "the port mapper ends after SIGTERM");
        }
    }

    /// Starts the broker that was stopped, on the same port with the same data.
    pub fn start_again(&mut self) {
        assert!(self.node.is_none(), "the broker was stopped");
        assert!(self.launch(), "the broker ended by itself:\n{}", self.log());
    }

    /// Everything that the broker wrote to its output so far, of all its lives.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("broker.log")).unwrap_or_default()
    }

    fn prepare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        // A disk that is fuller than the broker likes makes it block who publishes.
        let settings = "disk_free_limit.absolute = 1MB\nlog.file = false\nlog.console = true\n";
        fs::write(folder.path().join("rabbitmq.conf"), settings).unwrap();
        let ports = Ports { amqp: free_port(), distribution: free_port(), epmd: free_port() };
        Self { folder, ports, epmd: None, node: None }
    }

    /// Whether the broker takes connections; not when it or its port mapper ended by itself.
    fn launch(&mut self) -> bool {
        let log = File::options().create(true).append(true).open(self.folder.path().join("broker.log"));
        let log = log.unwrap();
        let mut command = self.command(Command::new(installed("LIFEBOAT_TEST_EPMD")), &log);
        command.args(["-port", &self.ports.epmd.to_string(), "-address", "127.0.0.1"]);
        self.epmd = Some(command.spawn().unwrap());
        let epmd = self.ports.epmd;
        if !self.comes_up("the port mapper takes connections", || connect(epmd).is_some()) {
            return false;
        }

        let program = installed("LIFEBOAT_TEST_RABBITMQ").join("rabbitmq-server");
        let mut command = self.command(Command::new(program), &log);
        self.node = Some(command.spawn().unwrap());
        let amqp = self.ports.amqp;
        self.comes_up("the broker takes connections", || greets(amqp))
    }

    fn comes_up(&mut self, claim: &str, is_up: impl Fn() -> bool) -> bool {
        eventually(claim, BROKER_SECONDS, || {
            let children = [self.epmd.as_mut(), self.node.as_mut()];
            let has_ended = |child: &mut Child| child.try_wait().unwrap().is_some();
            if children.into_iter().flatten().any(has_ended) {
                return Some(false);
            }
            is_up().then_some(true)
        })
    }

    /// Gives a program the broker's folders and ports, and none of the machine's settings.
    fn command(&self, mut command: Command, log: &File) -> Command {
        let folder = self.folder.path();
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("HOME", folder.join("home"))
            .env("ERL_EPMD_PORT", self.ports.epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            // The script becomes the node instead of waiting for it: one process to end, by its id.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("RABBITMQ_NODENAME", format!("lifeboat{}@localhost", self.ports.amqp))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.ports.amqp.to_string())
            .env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string())
            .env("RABBITMQ_BASE", folder)
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("none.config"))
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("none"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("no-plugins"))
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
            )
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log.try_clone().unwrap());
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        for child in [self.node.take(), self.epmd.take()].into_iter().flatten() {
            kill(child);
        }
        if std::thread::panicking() {
            eprintln!("---- log of the broker on port {}\n{}---- end", self.ports.amqp, self.log());
        }
    }
}

/// Ends a process at once. What it had started ends by itself when it is gone.
fn kill(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn end(mut child: Child, claim: &str) {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    eventually(claim, BROKER_SECONDS, || child.try_wait().unwrap());
}

fn connect(port: u16) -> Option<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()
}

/// Whether somebody on this port answers the first words of AMQP with a frame of its own.
fn greets(port: u16) -> bool {
    let Some(mut stream) = connect(port) else { return false };
    let mut kind = [0];
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"AMQP\x00\x00\x09\x01").is_ok() && stream.read_exact(&mut kind).is_ok() && kind == [1]
}

/// A port that nobody listens on, and below those that the system gives out by itself.
///
/// A broker that was stopped wants its port back, and no server of another test may have got it.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(41);
    loop {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::SeqCst)) % 12_000;
        let port = 20_000 + u16::try_from(offset).expect("less than 12,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
