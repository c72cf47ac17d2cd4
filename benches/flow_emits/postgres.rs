//! A real PostgreSQL as a child process, with a data folder of its own and the settings that `initdb` gives.
//!
//! Clients come by a Unix socket, which is faster than TCP: what is compared has no disadvantage.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

use crate::{clients, eventually};

const START_SECONDS: u64 = 60;

/// The tables of Lifeboat that take part, without what it needs for more than emits.
const SCHEMA: &str = "
CREATE TABLE step_snapshots (
    flow_id text NOT NULL,
    step_id text NOT NULL,
    value json NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (flow_id, step_id)
);
CREATE TABLE step_history (
    number bigserial PRIMARY KEY,
    flow_id text NOT NULL,
    step_id text NOT NULL,
    at timestamptz NOT NULL,
    execution_id text,
    value_before json,
    value_after json
);
CREATE INDEX step_history_by_step ON step_history (flow_id, step_id, number);
";

/// A running PostgreSQL. Dropping it ends it.
pub struct Postgres {
    folder: TempDir,
    child: Child,
}

impl Postgres {
    /// Makes a cluster with our tables, and starts it.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let user = unprivileged()?;
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid))?;
        }
        let log = File::options().create(true).append(true).open(folder.path().join("postgres.log"))?;
        let command = |program: &str| -> anyhow::Result<Command> {
            let mut command = Command::new(bin()?.join(program));
            command
                .arg("-D")
                .arg(folder.path().join("data"))
                .env("LC_ALL", "C.UTF-8")
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log.try_clone()?);
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            Ok(command)
        };
        let status = command("initdb")?.args(["-U", "postgres", "-A", "trust", "-E", "UTF8"]).status()?;
        ensure!(
            status.success(),
            "initdb ended with {status}:\n{}",
            fs::read_to_string(folder.path().join("postgres.log")).unwrap_or_default()
        );
        let child = command("postgres")?
            .args(["-c", "listen_addresses="])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", folder.path().display()))
            .spawn()?;
        let postgres = Self { folder, child };
        let socket = postgres.folder.path().join(".s.PGSQL.5432");
        eventually("PostgreSQL makes its socket", START_SECONDS, || socket.exists().then_some(()));
        let client = postgres.connect().await?;
        client.batch_execute(SCHEMA).await?;
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let value: String = client.query_one(&format!("SHOW {setting}"), &[]).await?.get(0);
            ensure!(value == "on", "`{setting}` is {value}");
        }
        Ok(postgres)
    }

    /// A connection of its own.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        let mut config = Config::new();
        config.host_path(self.folder.path()).port(5432).user("postgres").dbname("postgres");
        // The socket is there a little before it is listened to.
        let mut tries = 0;
        let (client, connection) = loop {
            match config.connect(NoTls).await {
                Ok(connected) => break connected,
                Err(error) if tries == 100 => return Err(error).context("failed to connect to PostgreSQL"),
                Err(_) => tries += 1,
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        };
        // It ends when the client is dropped; the client sees its errors.
        tokio::spawn(connection);
        Ok(client)
    }

    /// Removes what a measurement before has left, and does what the daemon would do at some time.
    pub async fn clear(&self) -> anyhow::Result<()> {
        let client = self.connect().await?;
        client.batch_execute("TRUNCATE step_snapshots, step_history").await?;
        client.batch_execute("CHECKPOINT").await?;
        Ok(())
    }

    /// What it calls itself.
    pub fn version() -> anyhow::Result<String> {
        let output = Command::new(bin()?.join("postgres")).arg("--version").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().replace("postgres (PostgreSQL)", "PostgreSQL"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A fast shutdown: sessions are cut off, the rest is in good order.
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("postgres.log")).unwrap_or_default();
            eprintln!("---- log of PostgreSQL\n{log}---- end");
        }
    }
}

fn bin() -> anyhow::Result<PathBuf> {
    clients::postgres().context("no PostgreSQL")
}

/// As whom it runs where we are root, whom it refuses.
fn unprivileged() -> anyhow::Result<Option<(u32, u32)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let mut fields = users
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).map(Some).context("no user `postgres` or `nobody`")
}
