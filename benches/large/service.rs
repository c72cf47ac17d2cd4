//! Lifeboat itself, the release binary as a child process, which can be stopped and started on the same folder.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::Value;

const PASSWORD: &str = "correct-horse-battery";
/// How often its port is looked for, each tenth of a second.
const ATTEMPTS: usize = 600;
/// How long an execution may take.
const MOST_SECONDS: u64 = 3600;

/// A running service.
pub struct Service {
    child: Child,
    client: Client,
    base: String,
    token: String,
    folder: PathBuf,
}

/// Makes the data folder of a new service in `folder`.
pub fn prepare(folder: &Path) -> anyhow::Result<()> {
    Service::start(folder)?.stop()
}

impl Service {
    /// Starts one with its default settings on the data of `folder`, and makes a token there.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(folder, "")
    }

    /// As [`Service::start`], with a file of settings.
    pub fn start_with(folder: &Path, settings: &str) -> anyhow::Result<Self> {
        let path = |name: &str| folder.join(name);
        let _ = fs::remove_file(path("port"));
        fs::write(path("lifeboat.toml"), settings)?;
        let log = File::create(path("log"))?;
        // Another build of it, to compare.
        let binary = std::env::var_os("LIFEBOAT_BENCH_BINARY");
        let child = Command::new(binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_lifeboat").into()))
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(path("lifeboat.toml"))
            .arg("--data")
            .arg(path("data"))
            .arg("--port-file")
            .arg(path("port"))
            .env("LIFEBOAT_ADMIN_PASSWORD", PASSWORD)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("failed to start lifeboat")?;
        // Any will do, as nothing is encrypted here; without one no client can be made.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Bodies of some GiB take their time.
        let client = Client::builder().timeout(None).no_proxy().build()?;
        let (base, token) = (String::new(), String::new());
        let mut service = Self { child, client, base, token, folder: folder.to_owned() };
        service.connect()?;
        Ok(service)
    }

    fn connect(&mut self) -> anyhow::Result<()> {
        for _ in 0..ATTEMPTS {
            if let Some(status) = self.child.try_wait()? {
                bail!("lifeboat ended with {status}: {}", self.log()?);
            }
            let port = fs::read_to_string(self.folder.join("port")).ok();
            if let Some(port) = port.and_then(|text| text.trim().parse::<u16>().ok()) {
                self.base = format!("http://127.0.0.1:{port}");
                let login = self.client.post(format!("{}/api/v3.1/tokens", self.base));
                let token: Value =
                    login.basic_auth("admin", Some(PASSWORD)).json(&Value::Null).send()?.json()?;
                self.token =
                    token["value"].as_str().with_context(|| format!("no token: {token}"))?.to_owned();
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("lifeboat writes no port file")
    }

    fn log(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.folder.join("log"))?)
    }

    /// Ends it as an administrator would.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "lifeboat ended with {status}: {}", self.log()?);
        Ok(())
    }

    fn asked(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("Authentication-Token", &self.token)
    }

    /// Reads a path of the Cloudify face; the answer as text.
    pub fn text(&self, path: &str) -> anyhow::Result<String> {
        let is_other_face = path.starts_with("/v1/") || path.starts_with("/v2/");
        let prefix = if is_other_face { "" } else { "/api/v3.1" };
        let answer = self.asked(self.client.get(format!("{}{prefix}{path}", self.base))).send()?;
        let status = answer.status();
        let text = answer.text()?;
        ensure!(status.is_success(), "GET {path} answered {status}: {text}");
        Ok(text)
    }

    /// Reads a path of the Cloudify face.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.text(path)?)?)
    }

    /// Sends JSON to a path of the Cloudify face.
    pub fn send(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}/api/v3.1{path}", self.base);
        let answer = self.asked(self.client.request(method.parse()?, url)).json(body).send()?;
        let status = answer.status();
        let text = answer.text()?;
        ensure!(status.is_success(), "{method} {path} answered {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Sends a file.
    pub fn upload(&self, path: &str, file: File) -> anyhow::Result<()> {
        let answer =
            self.asked(self.client.put(format!("{}/api/v3.1{path}", self.base))).body(file).send()?;
        let status = answer.status();
        ensure!(status.is_success(), "PUT {path} answered {status}: {}", answer.text()?);
        Ok(())
    }

    /// Receives a file; how many bytes it has.
    pub fn download(&self, path: &str, into: &Path) -> anyhow::Result<u64> {
        let mut answer = self.asked(self.client.get(format!("{}/api/v3.1{path}", self.base))).send()?;
        ensure!(answer.status().is_success(), "GET {path} answered {}", answer.status());
        let mut file = File::create(into)?;
        let length = answer.copy_to(&mut file)?;
        file.flush()?;
        Ok(length)
    }

    /// Waits until an execution has ended well.
    pub fn wait(&self, execution: &Value) -> anyhow::Result<()> {
        let id = execution["id"].as_str().context("the answer names no execution")?;
        let begun = Instant::now();
        while begun.elapsed().as_secs() < MOST_SECONDS {
            let execution = self.get(&format!("/executions/{id}?_include=id,status,error"))?;
            match execution["status"].as_str() {
                Some("terminated") => return Ok(()),
                Some("failed" | "cancelled") => bail!("execution {id}: {}", execution["error"]),
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        bail!("execution {id} does not end")
    }

    /// Memory that the process holds, in MiB: now, and at its peak since the last [`Service::forget_peak`].
    pub fn mebibytes(&self) -> anyhow::Result<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
            kibibytes.map(|kibibytes| kibibytes / 1024.0).context("no such figure")
        };
        Ok((of("VmRSS:")?, of("VmHWM:")?))
    }

    /// Lets the peak begin anew.
    pub fn forget_peak(&self) -> anyhow::Result<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
