//! `lifeboat serve`: from the settings to a service that listens, and its end on SIGTERM or SIGINT.

use std::fs;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::web;
use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::api::server::listen;
use crate::app::{FirstStart, Service};
use crate::config::{Config, LogFormat, Overrides};
use crate::descriptors::raise_limit;

/// What the command line says of a start.
#[derive(Clone, Debug, Default)]
pub struct ServeOptions {
    /// The settings file.
    pub config: Option<PathBuf>,
    /// What flags say of the settings.
    pub overrides: Overrides,
    /// A file that gets the port once requests are served, written at once and whole.
    pub port_file: Option<PathBuf>,
}

/// Serves until SIGTERM or SIGINT: then no new work, running jobs get some seconds to finish, and it ends well.
///
/// # Errors
/// Settings or a data folder that can't be used; an address that is taken.
pub fn serve(options: ServeOptions) -> anyhow::Result<()> {
    let (config, unknown) = Config::load(options.config.as_deref(), options.overrides)?;
    start_log(&config)?;
    for name in unknown {
        tracing::warn!("the variable `{name}` is none of Lifeboat's and is ignored");
    }
    install_tls();
    if let Err(error) = raise_limit() {
        tracing::warn!("the system gives no more open files than it did: {error}");
    }
    let admin_password =
        std::env::var("LIFEBOAT_ADMIN_PASSWORD").ok().filter(|password| !password.is_empty());
    let service = Service::open(config, admin_password.as_deref())?;
    if let Some(first) = &service.first_start {
        tell_first_start(first)?;
    }
    actix_web::rt::System::new().block_on(run(service, options.port_file))
}

async fn run(service: Service, port_file: Option<PathBuf>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let listening = |address: SocketAddr| match port_file {
        Some(path) => write_port(&path, address).context("failed to write the port file"),
        None => Ok(()),
    };
    serve_until(service, listening, stop).await
}

/// Serves until `stop` is done: then no new work, running jobs get some seconds to finish, and it ends well.
/// `listening` is told the address as soon as requests are taken. To be run in an actix system.
///
/// # Errors
/// An address that is taken; what `listening` says.
pub async fn serve_until(
    service: Service,
    listening: impl FnOnce(SocketAddr) -> anyhow::Result<()>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let grace = Duration::from_secs(service.config.server.shutdown_seconds);
    let address = service.config.server.listen;
    let service = web::Data::new(service);
    let (server, address) =
        listen(service.clone()).with_context(|| format!("failed to listen on {address}"))?;
    let handle = server.handle();
    let engine = service.engine.clone();
    let (stopping, is_stopping) = tokio::sync::watch::channel(false);
    tokio::spawn({
        let flows = service.flows.clone();
        let is_stopping = is_stopping.clone();
        async move { flows.run(is_stopping).await }
    });
    tokio::spawn({
        let charts = service.charts.clone();
        let is_stopping = is_stopping.clone();
        async move { charts.run(is_stopping).await }
    });
    tokio::spawn({
        let service = service.clone();
        async move { service.follow_schedules(is_stopping).await }
    });
    tokio::spawn({
        let maintenance = service.maintenance.clone();
        async move { maintenance.run().await }
    });
    let scheduler = tokio::spawn({
        let engine = engine.clone();
        async move { engine.run().await }
    });
    tokio::spawn(async move {
        stop.await;
        tracing::info!("stopping: running jobs have {} s to finish", grace.as_secs());
        stopping.send_replace(true);
        engine.stop(grace).await;
        handle.stop(true).await;
    });
    listening(address)?;
    tracing::info!(%address, "serving on http://{address}");
    server.await?;
    scheduler.await?;
    tracing::info!("stopped");
    Ok(())
}

/// Whole or not at all: who waits for the file never reads half a number.
fn write_port(path: &Path, address: SocketAddr) -> std::io::Result<()> {
    let partial = path.with_extension("partial");
    fs::write(&partial, format!("{}\n", address.port()))?;
    fs::rename(&partial, path)
}

/// Chooses the cryptography that all TLS of the process uses. Run twice, it changes nothing.
pub fn install_tls() {
    // The only error is that one was chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Starts the log of the process on stderr. Where one runs already, that one stays.
///
/// # Errors
/// A filter that is none.
pub fn start_log(config: &Config) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log.filter).with_context(|| {
        format!("the setting `log.filter` is `{}`, which is no filter", config.log.filter)
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.log.format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // Where a log runs already (several services in one process), it serves this one too.
    let _ = started;
    Ok(())
}

/// Shows once what a first start made: on a terminal, else in files that only the owner reads.
fn tell_first_start(first: &FirstStart) -> anyhow::Result<()> {
    let recovery = first.recovery_file.display();
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() {
        writeln!(terminal, "\nThis is the first start. Shown once:\n")?;
        if let Some(password) = &first.password {
            writeln!(terminal, "  user      admin\n  password  {password}\n")?;
        }
        let key = fs::read_to_string(&first.recovery_file)?;
        writeln!(terminal, "  recovery key, which opens what archives seal when this machine is lost:")?;
        writeln!(terminal, "  {}\n  Keep it elsewhere, then remove {recovery}.\n", key.trim())?;
        return Ok(());
    }
    if let Some(password) = &first.password {
        let file = &first.password_file;
        fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(file)?
            .write_all(format!("{password}\n").as_bytes())?;
        tracing::warn!(
            "first start: the password of `admin` is in `{}`: read it and remove the file",
            file.display()
        );
    }
    tracing::warn!("first start: the recovery key is in `{recovery}`: keep it elsewhere and remove the file");
    Ok(())
}
