//! A whole service in this process: a data folder of its own, a port that the system picks, a thread that serves.
//!
//! Nothing of it is special: it is opened and served as `lifeboat serve` does it. Knows nothing of the tour.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use anyhow::Context;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::access::random_password;
use crate::app::Service;
use crate::cli::CliError;
use crate::cli::connection;
use crate::config::Config;
use crate::model::UserName;
use crate::serve::{install_tls, serve_until};

/// Threads of each service that answer requests: the tour is its only caller.
const WORKERS: usize = 2;
/// How long a job may still run when the tour is over, in seconds.
const SHUTDOWN_SECONDS: u64 = 5;

/// A running service. Dropped, it is stopped, and its thread has ended.
pub(super) struct Host {
    name: &'static str,
    data: PathBuf,
    address: SocketAddr,
    password: Zeroizing<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Host {
    /// Starts a service on the folder `data`, which it makes. It opens what is sealed for `identities`, beside what is
    /// sealed for itself.
    pub(super) fn start(name: &'static str, data: &Path, identities: Vec<PathBuf>) -> Result<Self, CliError> {
        let mut config = Config { data: data.to_owned(), ..Config::default() };
        config.server.listen = (Ipv4Addr::LOCALHOST, 0).into();
        config.server.workers = WORKERS;
        config.server.shutdown_seconds = SHUTDOWN_SECONDS;
        config.manager.name = name.to_owned();
        config.encryption.identities = identities;
        let password = Zeroizing::new(random_password());
        let (stop, stopped) = oneshot::channel();
        let (listening, address) = mpsc::channel();
        let thread = thread::spawn({
            let password = password.clone();
            move || serve(config, &password, stopped, listening)
        });
        let Ok(address) = address.recv() else {
            let error = match thread.join() {
                Ok(Err(error)) => error,
                Ok(Ok(())) | Err(_) => anyhow::anyhow!("it ended before it served"),
            };
            return Err(CliError::from_error(format!("start the {name} manager"), error.as_ref()));
        };
        Ok(Self { name, data: data.to_owned(), address, password, stop: Some(stop), thread: Some(thread) })
    }

    /// The name that its archives carry.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Its data folder.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// The file with the key that opens what its archives seal.
    pub(super) fn identity_file(&self) -> PathBuf {
        self.data.join("keys").join("identity.txt")
    }

    /// Where it answers.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The password of its user `admin`.
    pub(super) fn password(&self) -> &str {
        &self.password
    }

    /// A caller as `admin` in a tenant.
    pub(super) fn api(&self, tenant: &str) -> Result<connection::Service, CliError> {
        connection::Service::known(&self.url(), UserName::ADMIN, &self.password, tenant)
    }

    /// Stops it, and says how it ended.
    pub(super) fn stop(mut self) -> Result<(), CliError> {
        self.end()
            .map_err(|error| CliError::from_error(format!("stop the {} manager", self.name), error.as_ref()))
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if let Some(stop) = self.stop.take() {
            // Who does not listen any more has ended by itself.
            stop.send(()).ok();
        }
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(anyhow::anyhow!("its thread broke")),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Another error is on its way to the caller; this one would hide it.
        self.end().ok();
    }
}

fn serve(
    config: Config,
    password: &str,
    stopped: oneshot::Receiver<()>,
    listening: mpsc::Sender<SocketAddr>,
) -> anyhow::Result<()> {
    install_tls();
    let service = Service::open(config, Some(password))?;
    let told = move |address| listening.send(address).context("nobody waits for the address");
    let stop = async move {
        // A sender that is gone wants the end just as well.
        stopped.await.ok();
    };
    actix_web::rt::System::new().block_on(serve_until(service, told, stop))
}
