//! The command line: one tree of commands, each a call to a running service or work on files.
//!
//! | exit code | means |
//! |---|---|
//! | 0 | it worked |
//! | 1 | it was tried and failed: an execution failed or was cancelled, an archive is damaged, a file cannot be written |
//! | 2 | the command line cannot be meant |
//! | 3 | the service gave no answer, or does not know the caller |
//! | 4 | the service refused (4xx) |
//! | 130 | Ctrl-C while waiting; the execution goes on |
//!
//! The result goes to stdout, everything else to stderr; `--json` makes the
//! result exactly one JSON document. **Invariant:** commands against a running
//! service know its API and none of its parts.

mod chart;
mod compare;
pub(crate) mod connection;
pub(crate) mod download;
mod error;
mod execution;
mod files;
mod flow;
pub(crate) mod follow;
mod keys;
pub(crate) mod output;
pub(crate) mod progress;
mod prompt;
mod recipients;
mod refusal;
mod reseal;
mod selection;
mod snapshot;
mod token;
pub(crate) mod upload;
mod user;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::Overrides;
use crate::serve::ServeOptions;

pub use error::{CliError, FailureKind};

const EXIT_CODES: &str = "\
Exit codes:
  0    it worked
  1    it was tried and failed: an execution failed or was cancelled, an archive is damaged
  2    the command line cannot be meant
  3    the service gave no answer, or does not know the caller
  4    the service refused
  130  Ctrl-C while waiting; the execution goes on

Variables:
  LIFEBOAT_URL, LIFEBOAT_USER, LIFEBOAT_PASSWORD, LIFEBOAT_TOKEN, LIFEBOAT_TENANT

Examples:
  lifeboat serve --data /var/lib/lifeboat
  lifeboat snapshot create nightly --wait
  lifeboat snapshot download nightly -o /backup/nightly.zip
  lifeboat verify /backup/nightly.zip
  lifeboat snapshot restore nightly --force --wait";

/// Keeps the state of a manager: backs it up, recovers it after a disaster, moves it to another
#[derive(Parser, Debug)]
#[command(name = "lifeboat", version, about, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the service
    Serve(ServeArgs),
    /// See the main job done in a few seconds: one manager's state kept, and brought into another
    Quickstart(QuickstartArgs),
    /// Work with manager snapshots
    Snapshot(snapshot::SnapshotArgs),
    /// Undo the last restore
    #[command(after_help = "Example: lifeboat rollback --yes --wait")]
    Rollback(snapshot::RollbackArgs),
    /// Work with flows: what their steps keep, its history, and captures of it
    Flow(flow::FlowArgs),
    /// See the charts of metrics, and take pictures of them
    Chart(chart::ChartArgs),
    /// Follow and cancel jobs
    Execution(execution::ExecutionArgs),
    /// Manage who may log in
    User(user::UserArgs),
    /// Manage what programs log in with
    Token(token::TokenArgs),
    /// Show and change the keys of a service, and take the recovery key away
    Key(keys::KeyArgs),
    /// Seal an archive file for other keys, without any service
    Reseal(reseal::ResealArgs),
    /// Tell what archive files hold, without any service
    Inspect(files::FilesArgs),
    /// Check every byte of archive files, without any service
    #[command(after_help = "Example: lifeboat verify /backup/*.zip")]
    Verify(files::FilesArgs),
    /// Tell what differs between two archive files, without any service
    #[command(
        after_help = "Example: lifeboat diff /backup/monday.zip /backup/tuesday.zip --identity identity.txt"
    )]
    Diff(compare::FileDiffArgs),
}

/// `lifeboat serve`. What is not given comes from the settings file, the variables or the defaults.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// The settings file
    #[arg(long, value_name = "PATH", env = "LIFEBOAT_CONFIG")]
    pub config: Option<PathBuf>,
    /// The folder that holds all state; created at the first start
    #[arg(long, value_name = "DIR", env = "LIFEBOAT_DATA")]
    pub data: Option<PathBuf>,
    /// Where to listen; port 0 lets the system pick one
    #[arg(long, value_name = "ADDR", env = "LIFEBOAT_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// A file that gets the number of the port once the service answers
    #[arg(long, value_name = "PATH")]
    pub port_file: Option<PathBuf>,
}

/// `lifeboat quickstart`.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct QuickstartArgs {
    /// Keep both managers running, and their data in `lifeboat-quickstart` here, when the tour is over
    #[arg(long)]
    pub keep: bool,
}

/// Reads the command line, does what it says, and tells the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to be told if the output is closed.
            error.print().ok();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("lifeboat: {error}"));
            ExitCode::from(error.kind.exit_code())
        }
    }
}

fn run(command: Command) -> Result<(), CliError> {
    match command {
        Command::Serve(args) => serve(args).map_err(|error| CliError::from_error("serve", error.as_ref())),
        Command::Quickstart(args) => crate::quickstart::run(args.keep),
        Command::Snapshot(args) => snapshot::run(args),
        Command::Rollback(args) => snapshot::rollback(args),
        Command::Flow(args) => flow::run(args),
        Command::Chart(args) => chart::run(args),
        Command::Execution(args) => execution::run(args),
        Command::User(args) => user::run(args),
        Command::Token(args) => token::run(args),
        Command::Key(args) => keys::run(args),
        Command::Reseal(args) => reseal::run(args),
        Command::Inspect(args) => files::run_inspect(args),
        Command::Verify(args) => files::run_verify(args),
        Command::Diff(args) => compare::diff_offline(args),
    }
}

fn serve(args: ServeArgs) -> anyhow::Result<()> {
    crate::serve::serve(ServeOptions {
        config: args.config,
        overrides: Overrides { data: args.data, listen: args.listen },
        port_file: args.port_file,
    })
}
