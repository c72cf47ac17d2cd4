//! The real binary as a child process, with a data folder of its own.
//!
//! It knows the command line and the port file, and nothing of the API but the
//! health call.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::clients::installed;
use super::name_server::{NameServer, asking};
use super::power::PowerDisk;
use super::small_disk::SmallDisk;
use super::{Api, Cfy, eventually};

/// The password of `admin` on every test server.
pub const ADMIN_PASSWORD: &str = "correct-horse-battery";

/// Seconds that a debug build gets to come up, on a machine that is busy.
const START_SECONDS: u64 = 60;

/// The file whose presence holds jobs at their failpoint.
const HOLD_FILE: &str = "hold";

/// The folder in which a small disk is mounted.
const DISK: &str = "disk";

/// The file that says how far the server's clock is off.
const CLOCK_FILE: &str = "clock";

/// The file that lets a job take one step past its failpoint.
const STEP_FILE: &str = "step";

/// How a server differs from the plain one.
#[derive(Default)]
pub struct Builder {
    settings: String,
    environment: Vec<(String, String)>,
    held: Vec<String>,
    blocked: Vec<String>,
    further: Vec<String>,
    is_released: bool,
    stepping: Vec<String>,
    copied: Option<PathBuf>,
    disk: Option<(u64, u64)>,
    power: Option<u64>,
    resolver: Option<String>,
    has_clock: bool,
    descriptors: Option<u64>,
}

impl Builder {
    /// Lets the server have no more than so many files and connections open.
    pub fn few_descriptors(mut self, most: u64) -> Self {
        self.descriptors = Some(most);
        self
    }

    /// Gives the server a clock of its own, which [`TestServer::set_clock`] sets.
    pub fn own_clock(mut self) -> Self {
        self.has_clock = true;
        self
    }

    /// Lets the server ask this name server for all names, and no other. That takes root.
    pub fn asking(mut self, names: &NameServer) -> Self {
        self.resolver = Some(names.configuration());
        self
    }

    /// Begins with a copy of the data folder of a server that was ended.
    pub fn copy_of(mut self, data: &Path) -> Self {
        self.copied = Some(data.to_owned());
        self
    }

    /// Keeps the data on a disk of its own, of so many bytes and at the most so many files.
    pub fn small_disk(mut self, bytes: u64, files: u64) -> Self {
        self.disk = Some((bytes, files));
        self
    }

    /// Keeps the data on a disk of so many bytes whose power can be cut.
    pub fn power_disk(mut self, bytes: u64) -> Self {
        self.power = Some(bytes);
        self
    }

    /// Adds lines to the settings file (TOML; each call must open its own table).
    pub fn settings(mut self, toml: &str) -> Self {
        self.settings.push_str(toml);
        self.settings.push('\n');
        self
    }

    /// Arms a named failpoint, e.g. `restore:swapping=kill`.
    pub fn failpoint(self, failpoint: &str) -> Self {
        self.environment("LIFEBOAT_FAILPOINTS", failpoint)
    }

    /// Makes jobs wait at the failpoint `name` until [`TestServer::release`].
    pub fn holding(mut self, name: &str) -> Self {
        self.held.push(name.into());
        self
    }

    /// As [`Builder::holding`], but the job hears of no cancel meanwhile; where it comes to `fatal` it kills the server.
    pub fn blocking(mut self, name: &str, fatal: Option<&str>) -> Self {
        self.blocked.push(name.into());
        self.further.extend(fatal.map(|fatal| format!("{fatal}=kill")));
        self
    }

    /// Lets nothing wait at the failpoints before the first [`TestServer::hold`].
    pub fn released(mut self) -> Self {
        self.is_released = true;
        self
    }

    /// Makes jobs wait each time they pass the failpoint `name`, until [`TestServer::step`].
    pub fn stepping(mut self, name: &str) -> Self {
        self.stepping.push(name.into());
        self
    }

    /// Sets a variable of the server's environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Lets the server open what `other` sealed.
    pub fn opening_archives_of(self, other: &TestServer) -> Self {
        let identity = other.data().join("keys/identity.txt");
        assert!(identity.exists(), "no `{}`", identity.display());
        self.settings(&format!(
            "[encryption]\nidentities = [{:?}]",
            identity.to_str().expect("temporary paths are UTF-8")
        ))
    }

    /// Allows snapshots to be fetched from this machine's own addresses.
    pub fn fetching_from_loopback(self) -> Self {
        self.settings("[url_fetch]\nallow = [\"127.0.0.0/8\"]")
    }

    /// Starts the server and waits until it is healthy.
    pub fn start(mut self) -> TestServer {
        let folder = tempfile::tempdir().unwrap();
        let [hold, step] = [HOLD_FILE, STEP_FILE].map(|name| folder.path().join(name));
        let is_waiting = !self.held.is_empty() || !self.blocked.is_empty();
        if is_waiting && !self.is_released {
            fs::write(&hold, "").unwrap();
        }
        let held = self.held.iter().map(|name| format!("{name}=hold:{}", hold.display()));
        let blocked = self.blocked.iter().map(|name| format!("{name}=block:{}", hold.display()));
        let stepping = self.stepping.iter().map(|name| format!("{name}=step:{}", step.display()));
        let points: Vec<String> =
            held.chain(blocked).chain(stepping).chain(self.further.iter().cloned()).collect();
        if !points.is_empty() {
            self = self.failpoint(&points.join(","));
        }
        fs::write(folder.path().join("lifeboat.toml"), &self.settings).unwrap();
        let mounted = folder.path().join(DISK);
        let disk = self.disk.map(|(bytes, files)| SmallDisk::mount(&mounted, bytes, files));
        let power = self.power.map(|bytes| PowerDisk::mount(&mounted, bytes));
        if self.has_clock {
            let clock = folder.path().join(CLOCK_FILE);
            fs::write(&clock, "+0").unwrap();
            let library = installed("LIFEBOAT_TEST_FAKETIME");
            self = self
                .environment("LD_PRELOAD", library.to_str().unwrap())
                .environment("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap())
                .environment("FAKETIME_NO_CACHE", "1")
                // What is waited for, and the times of files, are of the machine.
                .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .environment("NO_FAKE_STAT", "1");
        }
        let resolver = self.resolver.map(|text| {
            let path = folder.path().join("resolv.conf");
            fs::write(&path, text).unwrap();
            path
        });
        let mut server = TestServer {
            environment: self.environment,
            child: None,
            port: 0,
            disk,
            power,
            resolver,
            descriptors: self.descriptors,
            folder,
        };
        if let Some(copied) = &self.copied {
            copy_data(copied, &server.data());
        }
        server.launch();
        server
    }
}

/// A running server. Dropping it kills it, and prints its log when the test failed.
pub struct TestServer {
    environment: Vec<(String, String)>,
    child: Option<Child>,
    port: u16,
    disk: Option<SmallDisk>,
    power: Option<PowerDisk>,
    resolver: Option<PathBuf>,
    descriptors: Option<u64>,
    // Dropped after the disks that are mounted in it.
    folder: TempDir,
}

impl TestServer {
    /// Starts a plain server: defaults everywhere.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Begins the description of a server that is not the plain one.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        match self.disk.is_some() || self.power.is_some() {
            true => self.folder.path().join(DISK).join("data"),
            false => self.folder.path().join("data"),
        }
    }

    /// The small disk on which the data is.
    pub fn disk(&self) -> &SmallDisk {
        self.disk.as_ref().expect("the server was started on a small disk")
    }

    /// A folder for the test's own files, gone with the server.
    pub fn scratch(&self) -> PathBuf {
        let scratch = self.folder.path().join("scratch");
        fs::create_dir_all(&scratch).unwrap();
        scratch
    }

    /// Waits until a job is held at the failpoint `name`.
    pub fn wait_until_held(&self, name: &str) {
        let path = self.folder.path().join(format!("{HOLD_FILE}.at"));
        eventually(&format!("a job is held at `{name}`"), 60, || {
            fs::read_to_string(&path).is_ok_and(|at| at == name).then_some(())
        });
    }

    /// Lets held jobs go on, and later ones pass.
    pub fn release(&self) {
        fs::remove_file(self.folder.path().join(HOLD_FILE)).unwrap();
    }

    /// Lets a job take one step; says false, and does nothing, while the last one was not taken.
    pub fn step(&self) -> bool {
        File::create_new(self.folder.path().join(STEP_FILE)).is_ok()
    }

    /// Holds jobs again that were released.
    pub fn hold(&self) {
        fs::write(self.folder.path().join(HOLD_FILE), "").unwrap();
    }

    /// Sets the clock of a running server so far off the machine's, e.g. by `+365d` or `-1d`.
    pub fn set_clock(&self, off: &str) {
        let clock = self.folder.path().join(CLOCK_FILE);
        let fresh = clock.with_extension("new");
        fs::write(&fresh, off).unwrap();
        fs::rename(fresh, clock).unwrap();
    }

    /// What `lifeboat key show` says of the public halves of the server's keys.
    pub fn key_show(&self) -> serde_json::Value {
        let output = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
            .args(["key", "show", "--json", "--data"])
            .arg(self.data())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The names of all files under a folder of the data folder.
    pub fn files_in(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.data().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// What the process uses of memory, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most that the process has used of memory, in bytes.
    pub fn most_memory_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
    }

    /// How many archives the server holds open.
    pub fn open_archives(&self) -> usize {
        let folder = self.data().join("archives");
        let open = fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap();
        open.filter(|entry| {
            fs::read_link(entry.as_ref().unwrap().path()).is_ok_and(|path| path.starts_with(&folder))
        })
        .count()
    }

    /// Waits until nothing is left in the folder of files in the making, through which pictures of jobs pass too.
    pub fn leaves_nothing_in_tmp(&self) {
        eventually("nothing is left in `tmp`", 30, || self.files_in("tmp").is_empty().then_some(()));
    }

    /// The port that the system picked.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server is running").id()
    }

    /// Callers as `admin` in `default_tenant`.
    pub fn api(&self) -> Api {
        Api::new(self.port).login("admin", ADMIN_PASSWORD)
    }

    /// The command line client with a profile that uses this server as `admin`.
    pub fn cfy(&self) -> Cfy {
        let cfy = Cfy::new();
        cfy.use_profile(self.port, "admin", ADMIN_PASSWORD, "default_tenant").success();
        cfy
    }

    /// Everything that the server wrote to its output so far, of all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Ends the process as a power cut would.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("the server is running");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Cuts the power of the disk under the running server, and starts again when it is back.
    pub fn cut_power(&mut self) {
        self.power.as_ref().expect("the server was started on a disk whose power can be cut").cut();
        self.kill9();
        self.power.as_ref().expect("it is still there").restore();
        self.restart();
    }

    /// Asks the process to end, and waits for it; panics unless it exits 0.
    pub fn terminate(&mut self) {
        let mut child = self.child.take().expect("the server is running");
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let status = wait_for_exit(&mut child, "the server ends after SIGTERM");
        assert_eq!(status.code(), Some(0), "after SIGTERM: {status}");
    }

    /// Waits for the server to be killed by a failpoint of its own.
    pub fn wait_until_killed(&mut self) {
        let mut child = self.child.take().expect("the server is running");
        let status = wait_for_exit(&mut child, "the failpoint kills the server");
        assert_eq!(status.signal(), Some(9), "ended otherwise: {status}");
    }

    /// Starts again on the same data folder, with the same settings, without failpoints.
    pub fn restart(&mut self) {
        if self.child.is_some() {
            self.terminate();
        }
        self.environment.retain(|(name, _)| name != "LIFEBOAT_FAILPOINTS");
        self.launch();
    }

    /// Starts again with this failpoint, which has to kill the server on its way up.
    pub fn die_at_start(&mut self, failpoint: &str) {
        self.environment.retain(|(name, _)| name != "LIFEBOAT_FAILPOINTS");
        self.environment.push(("LIFEBOAT_FAILPOINTS".to_owned(), format!("{failpoint}=kill")));
        self.child = Some(self.command(&self.folder.path().join("port")).spawn().unwrap());
        self.wait_until_killed();
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn launch(&mut self) {
        let port_file = self.folder.path().join("port");
        let _ = fs::remove_file(&port_file);
        let child = self.command(&port_file).spawn().unwrap();
        self.child = Some(child);

        let claim = "the server writes its port file";
        self.port = eventually(claim, START_SECONDS, || {
            self.assert_running();
            fs::read_to_string(&port_file).ok()?.trim().parse().ok()
        });
        let api = Api::new(self.port);
        eventually("the server is healthy", START_SECONDS, || {
            self.assert_running();
            let reply = api.try_get("/service/health").ok()?;
            (reply.status == 200).then_some(())
        });
    }

    fn command(&self, port_file: &Path) -> Command {
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let program = env!("CARGO_BIN_EXE_lifeboat");
        let mut command = match (&self.resolver, self.descriptors) {
            (Some(configuration), _) => asking(configuration, program),
            (None, Some(most)) => {
                let mut command = Command::new("prlimit");
                command.arg(format!("--nofile={most}:{most}")).arg(program);
                command
            }
            (None, None) => Command::new(program),
        };
        command
            .arg("serve")
            .arg("--config")
            .arg(self.folder.path().join("lifeboat.toml"))
            .arg("--data")
            .arg(self.data())
            .args(["--listen", "127.0.0.1:0", "--port-file"])
            .arg(port_file)
            .env("LIFEBOAT_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .envs(self.environment.iter().cloned())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command
    }

    fn assert_running(&mut self) {
        let child = self.child.as_mut().expect("the server was started");
        if let Some(status) = child.try_wait().unwrap() {
            panic!("the server ended by itself: {status}");
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("---- log of the server on port {}\n{}---- end", self.port, self.log());
        }
    }
}

/// Copies a data folder as it is, links and times included.
pub fn copy_data(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success(), "`cp` of `{}`: {status}", from.display());
}

fn wait_for_exit(child: &mut Child, claim: &str) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(60);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > deadline {
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    status.unwrap_or_else(|| {
        let _ = child.kill();
        panic!("waited in vain: {claim}");
    })
}
