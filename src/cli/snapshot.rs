//! `lifeboat snapshot`: what can be done with the manager snapshots of a running service.
//!
//! Each command is one call of the API and its result on stdout; `--wait` adds
//! following the execution.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::compare;
use super::connection::{Call, ConnectionArgs, Paging, Service, parse_name};
use super::download::{self, Downloaded};
use super::error::CliError;
use super::follow::{Words, finish};
use super::output::{Output, field, fields, note, pairs, size, table};
use super::prompt;
use super::recipients;
use super::selection::{GOES_WITH, SelectionArgs};
use super::upload;

/// `lifeboat snapshot`.
#[derive(Args, Debug)]
pub struct SnapshotArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: SnapshotCommand,
}

/// What to do with snapshots.
#[derive(Subcommand, Debug)]
pub enum SnapshotCommand {
    /// Take a snapshot of the manager's state
    #[command(after_help = "Example: lifeboat snapshot create nightly --include-metrics --wait")]
    Create(CreateArgs),
    /// List snapshots
    List(ListArgs),
    /// Show one snapshot
    Get {
        /// The snapshot
        #[arg(value_parser = parse_name)]
        id: String,
    },
    /// Fetch a snapshot's archive into a file, going on from an earlier try
    #[command(
        after_help = "The file appears when it is whole and its SHA-256 is right; until then it is FILE.part.\n\n\
                      Example: lifeboat snapshot download nightly -o /backup/nightly.zip"
    )]
    Download(DownloadArgs),
    /// Send an archive from a file, or have the service fetch it from a URL
    #[command(after_help = "Examples:\n  lifeboat snapshot upload /backup/nightly.zip nightly\n  \
                            lifeboat snapshot upload https://backups.example.org/nightly.zip nightly")]
    Upload {
        /// The archive's path, or its http(s) URL
        #[arg(value_name = "FILE|URL")]
        from: String,
        /// The id that the snapshot gets
        #[arg(value_parser = parse_name)]
        id: String,
    },
    /// Put a snapshot's state in place of the manager's, or bring only some of its entities back
    #[command(
        after_help = "The manager has to be empty unless --force is given, which replaces what it holds;\n\
                      with --kind, --of-tenant or --id everything else stays as it is.\n\
                      `lifeboat rollback` undoes it.\n\n\
                      Examples:\n  lifeboat snapshot restore nightly --force --wait\n  \
                      lifeboat snapshot restore nightly --id deployments/north/shop --with-dependencies --wait"
    )]
    Restore(RestoreArgs),
    /// Tell what a restore would change, and whether it would be refused; nothing is touched
    #[command(after_help = "Examples:\n  lifeboat snapshot plan nightly --force\n  \
                            lifeboat snapshot plan nightly --force --list deployments\n  \
                            lifeboat snapshot plan nightly --id deployments/north/shop --with-dependencies\n  \
                            lifeboat snapshot plan nightly --fields flows/default_tenant/6a0c5e1f9d3b7c0012ab34cd")]
    Plan(compare::PlanArgs),
    /// Tell what differs between a snapshot and another one, or the live state
    #[command(
        after_help = "Examples:\n  lifeboat snapshot diff monday tuesday\n  lifeboat snapshot diff monday"
    )]
    Diff(compare::DiffArgs),
    /// Seal a snapshot's archive anew, for the present keys of the service
    #[command(after_help = "Archives of before a rotation need the old key until they are resealed.\n\n\
                      Example: lifeboat snapshot reseal nightly --wait")]
    Reseal(ResealArgs),
    /// Read every byte of a snapshot's archive, and have its record say whether it is good
    Verify {
        /// The snapshot
        #[arg(value_parser = parse_name)]
        id: String,
        /// Follow it to its end; the exit code says how it ended
        #[arg(long)]
        wait: bool,
    },
    /// Keep a snapshot from being deleted
    Protect {
        /// The snapshot
        #[arg(value_parser = parse_name)]
        id: String,
        /// Let it be deleted again
        #[arg(long)]
        off: bool,
    },
    /// Delete a snapshot and its archive
    Delete {
        /// The snapshot
        #[arg(value_parser = parse_name)]
        id: String,
    },
    /// Tell whether a restore is running
    Status,
}

/// `lifeboat snapshot create`.
#[derive(Args, Debug)]
pub struct CreateArgs {
    /// The snapshot's id; `snapshot_` and the time without this
    #[arg(value_parser = parse_name)]
    id: Option<String>,
    /// Take metrics too
    #[arg(long)]
    include_metrics: bool,
    /// Take credentials too, sealed
    #[arg(long)]
    include_credentials: bool,
    /// Leave logs out
    #[arg(long)]
    exclude_logs: bool,
    /// Leave events out
    #[arg(long)]
    exclude_events: bool,
    /// Stop running flows for the cut, and start them again
    #[arg(long)]
    pause_flows: bool,
    /// Take the history of the flows' step snapshots too
    #[arg(long)]
    include_flow_history: bool,
    /// Seal for this public key too, so that its owner can restore the archive; may be repeated
    #[arg(long, value_name = "AGE1…|FILE")]
    seal_for: Vec<String>,
    /// Wait in line for what it cannot run beside, in place of being refused
    #[arg(long)]
    queue: bool,
    /// Follow it to its end; the exit code says how it ended
    #[arg(long)]
    wait: bool,
}

/// `lifeboat snapshot list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Those of all tenants
    #[arg(long)]
    all_tenants: bool,
    /// Those whose id contains this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Sort by this field
    #[arg(long, value_name = "FIELD", default_value = "created_at")]
    sort: String,
    /// The last first
    #[arg(long)]
    descending: bool,
    #[command(flatten)]
    paging: Paging,
}

/// `lifeboat snapshot download`.
#[derive(Args, Debug)]
pub struct DownloadArgs {
    /// The snapshot
    #[arg(value_parser = parse_name)]
    id: String,
    /// Where to, a file or a folder; `ID.zip` here without this
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// `lifeboat snapshot restore`.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// The snapshot
    #[arg(value_parser = parse_name)]
    id: String,
    /// Replace what the manager holds; asks for the id on a terminal
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Take along what the selected entities need and the manager lacks, in place of being refused
    #[arg(long, help_heading = "Selection")]
    with_dependencies: bool,
    /// Only report what would be done
    #[arg(long, help_heading = "Selection")]
    dry_run: bool,
    /// Whether to make the deployments' work folders, agent queues and plugins again
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, conflicts_with = "skip_environments")]
    recreate_deployments_envs: Option<bool>,
    /// The same as --recreate-deployments-envs false
    #[arg(long)]
    skip_environments: bool,
    /// Leave out what is sealed: secrets, agents' credentials, private keys, blueprints that hold keys
    #[arg(long)]
    skip_sealed: bool,
    /// Wait in line for what it cannot run beside, in place of being refused
    #[arg(long)]
    queue: bool,
    /// Follow it to its end; the exit code says how it ended
    #[arg(long)]
    wait: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// `lifeboat snapshot reseal`.
#[derive(Args, Debug)]
pub struct ResealArgs {
    /// The snapshot
    #[arg(value_parser = parse_name)]
    id: String,
    /// Seal for this public key too; may be repeated
    #[arg(long, value_name = "AGE1…|FILE")]
    seal_for: Vec<String>,
    /// Do not seal for the key with this fingerprint any more; may be repeated
    #[arg(long, value_name = "FINGERPRINT")]
    drop: Vec<String>,
    /// Wait in line for a restore, in place of being refused
    #[arg(long)]
    queue: bool,
    /// Follow it to its end; the exit code says how it ended
    #[arg(long)]
    wait: bool,
}

/// `lifeboat rollback`.
#[derive(Args, Debug)]
pub struct RollbackArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Follow it to its end; the exit code says how it ended
    #[arg(long)]
    wait: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Runs a `snapshot` command.
pub fn run(args: SnapshotArgs) -> Result<(), CliError> {
    let output = Output::new(args.connection.json);
    let service = Service::connect(&args.connection)?;
    match args.command {
        SnapshotCommand::Create(create_args) => create(&service, &output, create_args),
        SnapshotCommand::List(list_args) => list(&service, &output, list_args),
        SnapshotCommand::Get { id } => {
            let snapshot = service.call(Call::get(format!("get snapshot `{id}`"), &["snapshots", &id]))?;
            output.show(&snapshot, snapshot_text);
            Ok(())
        }
        SnapshotCommand::Download(download_args) => fetch(&service, &output, download_args),
        SnapshotCommand::Upload { from, id } => {
            let snapshot = upload::upload(&service, &from, &id)?;
            output.show(&snapshot, |snapshot| said(snapshot, "uploaded"));
            Ok(())
        }
        SnapshotCommand::Restore(restore_args) => restore(&service, &output, restore_args),
        SnapshotCommand::Plan(plan_args) => compare::plan(&service, &output, plan_args),
        SnapshotCommand::Diff(diff_args) => compare::diff(&service, &output, diff_args),
        SnapshotCommand::Reseal(reseal_args) => reseal(&service, &output, reseal_args),
        SnapshotCommand::Verify { id, wait } => verify(&service, &output, &id, wait),
        SnapshotCommand::Protect { id, off } => {
            let doing = format!("{} snapshot `{id}`", if off { "unprotect" } else { "protect" });
            let call = Call::new(Method::POST, doing, &["snapshots", &id, "protect"]);
            let snapshot = service.call(call.body(json!({ "protected": !off })))?;
            output.show(&snapshot, |_| match off {
                true => format!("snapshot `{id}` may be deleted"),
                false => format!("snapshot `{id}` is protected from being deleted"),
            });
            Ok(())
        }
        SnapshotCommand::Delete { id } => {
            let call = Call::new(Method::DELETE, format!("delete snapshot `{id}`"), &["snapshots", &id]);
            let snapshot = service.call(call)?;
            output.show(&snapshot, |_| format!("snapshot `{id}` is deleted"));
            Ok(())
        }
        SnapshotCommand::Status => {
            let status = service.call(Call::get("get the status of restores", &["snapshot-status"]))?;
            output.show(&status, |status| field(status, "status"));
            Ok(())
        }
    }
}

/// Runs `rollback`.
pub fn rollback(args: RollbackArgs) -> Result<(), CliError> {
    let doing = "roll the last restore back";
    let output = Output::new(args.connection.json);
    let service = Service::connect(&args.connection)?;
    if !args.yes {
        let warning = "The state before the last restore comes back; changes made since are set aside.";
        prompt::confirm_or_refuse(doing, warning, "rollback")?;
    }
    let call = Call::new(Method::POST, doing, &["service", "rollback"]).body(json!({}));
    let execution = service.call(call)?;
    let words = Words { doing, label: "rolling back", success: "the last restore is undone" };
    finish(&service, &output, &execution, args.wait, &words)
}

fn create(service: &Service, output: &Output, args: CreateArgs) -> Result<(), CliError> {
    let id = args.id.unwrap_or_else(|| generated_id(chrono::Utc::now()));
    let doing = format!("create snapshot `{id}`");
    let mut body = json!({
        "include_metrics": args.include_metrics,
        "include_credentials": args.include_credentials,
        "include_logs": !args.exclude_logs,
        "include_events": !args.exclude_events,
        "pause_flows": args.pause_flows,
        "include_flow_history": args.include_flow_history,
        "queue": args.queue,
    });
    if !args.seal_for.is_empty() {
        body["seal_for"] = json!(recipients::read(&doing, &args.seal_for)?);
    }
    let execution = service.call(Call::new(Method::PUT, &doing, &["snapshots", &id]).body(body))?;
    let words = Words {
        doing: &doing,
        label: &format!("creating `{id}`"),
        success: &format!("snapshot `{id}` is created"),
    };
    finish(service, output, &execution, args.wait, &words)
}

fn restore(service: &Service, output: &Output, args: RestoreArgs) -> Result<(), CliError> {
    let id = &args.id;
    let doing = format!("restore snapshot `{id}`");
    let is_part = args.selection.is_given();
    if args.dry_run && !is_part {
        let plan = format!("--dry-run {GOES_WITH}: use `lifeboat snapshot plan` where everything is meant");
        return Err(CliError::usage(doing, plan));
    }
    let mut body = json!({ "force": args.force, "queue": args.queue, "skip_sealed": args.skip_sealed });
    args.selection.add_to(&mut body, args.with_dependencies, &doing)?;
    if args.force && !args.dry_run && !args.yes && prompt::can_ask() {
        let warning = match is_part {
            true => format!("What is selected is replaced by what snapshot `{id}` holds of it."),
            false => format!("What the manager holds now is replaced by the state in snapshot `{id}`."),
        };
        prompt::confirm(&doing, &warning, id)?;
    }
    if let Some(recreate) = args.recreate_deployments_envs.or(args.skip_environments.then_some(false)) {
        body["recreate_deployments_envs"] = recreate.into();
    }
    if is_part {
        body["dry_run"] = args.dry_run.into();
    }
    let call = Call::new(Method::POST, &doing, &["snapshots", id, "restore"]).body(body);
    let execution = service.call(call)?;
    let success = match is_part {
        true if args.dry_run => {
            format!("what is selected of snapshot `{id}` can be restored; nothing was changed")
        }
        true => format!("what was selected of snapshot `{id}` is restored"),
        false => format!("snapshot `{id}` is restored"),
    };
    let words = Words { doing: &doing, label: &format!("restoring `{id}`"), success: &success };
    finish(service, output, &execution, args.wait, &words)
}

fn reseal(service: &Service, output: &Output, args: ResealArgs) -> Result<(), CliError> {
    let id = &args.id;
    let doing = format!("reseal snapshot `{id}`");
    let body = json!({
        "seal_for": recipients::read(&doing, &args.seal_for)?,
        "drop": args.drop,
        "queue": args.queue,
    });
    let call = Call::new(Method::POST, &doing, &["service", "snapshots", id, "reseal"]).body(body);
    let execution = service.call(call)?;
    let words = Words {
        doing: &doing,
        label: &format!("resealing `{id}`"),
        success: &format!("the archive of snapshot `{id}` is sealed anew"),
    };
    finish(service, output, &execution, args.wait, &words)
}

fn verify(service: &Service, output: &Output, id: &str, wait: bool) -> Result<(), CliError> {
    let doing = format!("verify snapshot `{id}`");
    let call = Call::new(Method::POST, &doing, &["snapshots", id, "verify"]).body(json!({}));
    let execution = service.call(call)?;
    let words = Words {
        doing: &doing,
        label: &format!("verifying `{id}`"),
        success: &format!("snapshot `{id}` is good"),
    };
    finish(service, output, &execution, wait, &words)
}

fn list(service: &Service, output: &Output, args: ListArgs) -> Result<(), CliError> {
    let sign = if args.descending { "-" } else { "" };
    let call = Call::get("list the snapshots", &["snapshots"])
        .query("_all_tenants", args.all_tenants.to_string())
        .query("_sort", format!("{sign}{}", args.sort))
        .maybe_query("_search", args.search);
    let listing = service.list(call, args.paging)?;
    output.show(&listing.items, |items| {
        let rows = items.iter().map(|snapshot| {
            vec![
                field(snapshot, "id"),
                field(snapshot, "created_at"),
                field(snapshot, "status"),
                size(snapshot["size_bytes"].as_u64()),
                field(snapshot, "tenant_name"),
                field(snapshot, "created_by"),
                field(snapshot, "error"),
            ]
        });
        let header = ["ID", "CREATED", "STATUS", "SIZE", "TENANT", "BY", "ERROR"];
        format!("{}\n\n{} of {} snapshots", table(&header, rows.collect()), items.len(), listing.total)
    });
    Ok(())
}

fn fetch(service: &Service, output: &Output, args: DownloadArgs) -> Result<(), CliError> {
    let name = format!("{}.zip", args.id.replace('/', "_"));
    let target = match args.output {
        Some(path) if path.is_dir() => path.join(name),
        Some(path) => path,
        None => PathBuf::from(name),
    };
    let downloaded = download::download(service, &args.id, &target, args.force)?;
    if !downloaded.is_checked {
        note("lifeboat: the service tells no SHA-256, so only the length was checked");
    }
    output.show(&downloaded, |downloaded: &Downloaded| {
        pairs(&[
            ("file", downloaded.file.display().to_string()),
            ("size", size(Some(downloaded.size_bytes))),
            ("sha256", downloaded.sha256.clone()),
        ])
    });
    Ok(())
}

fn said(snapshot: &Value, what: &str) -> String {
    let size = size(snapshot["size_bytes"].as_u64());
    let sha256 = field(snapshot, "sha256");
    let details: Vec<_> = [size, sha256].into_iter().filter(|detail| !detail.is_empty()).collect();
    let details =
        if details.is_empty() { String::new() } else { format!(" ({})", details.join(", SHA-256 ")) };
    format!("snapshot `{}` is {what}{details}", field(snapshot, "id"))
}

/// All fields of a snapshot, its size as people read it.
fn snapshot_text(snapshot: &Value) -> String {
    let mut shown = snapshot.clone();
    if let Some(bytes) = snapshot["size_bytes"].as_u64() {
        shown["size_bytes"] = Value::from(format!("{} ({bytes} bytes)", size(Some(bytes))));
    }
    fields(&shown)
}

/// An id for a snapshot that nobody named, different in every millisecond.
fn generated_id(now: chrono::DateTime<chrono::Utc>) -> String {
    now.format("snapshot_%Y%m%dT%H%M%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SnapshotId;

    #[test]
    fn a_generated_id_is_an_id() {
        let moment = chrono::DateTime::from_timestamp_millis(1_790_000_000_042).unwrap();
        let id = generated_id(moment);
        assert_eq!(id, "snapshot_20260921T141320.042Z");
        assert!(SnapshotId::for_create(&id).is_ok());
    }
}
