//! `lifeboat flow`: the flows of a running service, and what their steps keep.
//!
//! Each command is one call of the API, or a few that read. What steps keep is
//! shown as the text that came, see [`resources`].

mod captures;
pub(super) mod resources;
mod text;

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::connection::{Call, ConnectionArgs, Service, parse_name};
use super::error::CliError;
use super::output::{Output, note, table};
use super::prompt;
use resources::{Flow, Resource};
use text::{Shown, change_line, quoted, shown, status_line, told};

/// Flows and captures asked for at once.
const PAGE: u64 = 100;
/// Entries of the history asked for at once.
const HISTORY_PAGE: u64 = 1000;
/// `lifeboat flow`.
#[derive(Args, Debug)]
pub struct FlowArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: FlowCommand,
}

/// What to do with flows.
#[derive(Subcommand, Debug)]
pub enum FlowCommand {
    /// List flows
    #[command(after_help = "Example: lifeboat flow list --status active")]
    List(ListArgs),
    /// Show a flow, and what its steps keep
    #[command(after_help = "Tables show the beginning of a value, --json all of it, as it was sent.\n\n\
                            Example: lifeboat flow show 5d0b1f1e2d3c4b5a69788796 --history 50")]
    Show {
        /// The flow
        #[arg(value_parser = parse_name)]
        flow: String,
        /// Tell the last changes too, 20 unless a number is given
        #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "20",
              value_parser = clap::value_parser!(u32).range(1..))]
        history: Option<u32>,
    },
    /// Start a flow
    Start {
        /// The flow
        #[arg(value_parser = parse_name)]
        flow: String,
    },
    /// Stop a flow
    Stop {
        /// The flow
        #[arg(value_parser = parse_name)]
        flow: String,
    },
    /// Make the steps of a stopped flow forget what they keep
    #[command(after_help = "All steps forget where none is named; `lifeboat flow undo` brings it back.\n\n\
                            Example: lifeboat flow reset 5d0b1f1e2d3c4b5a69788796 step_1 step_2 --yes")]
    Reset {
        /// The flow
        #[arg(value_parser = parse_name)]
        flow: String,
        /// The steps; all without this
        #[arg(value_name = "STEP")]
        steps: Vec<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Take back a change of what the steps of a stopped flow keep
    #[command(
        after_help = "Again and again it walks back; to undo an undo, name it with --change. The changes are in\n\
                      `lifeboat flow show FLOW --history`."
    )]
    Undo {
        /// The flow
        #[arg(value_parser = parse_name)]
        flow: String,
        /// The change; the last one that still stands without this
        #[arg(long, value_name = "ID")]
        change: Option<String>,
        /// Of this step only
        #[arg(long, value_name = "STEP")]
        step: Option<String>,
        /// Also where the steps were changed again since
        #[arg(short, long)]
        force: bool,
    },
    /// Keep what all steps of a flow hold now, to compare with and to go back to
    #[command(
        after_help = "Example: lifeboat flow capture 5d0b1f1e2d3c4b5a69788796 --description 'before the update' --wait"
    )]
    Capture(captures::CaptureArgs),
    /// List captures, those of deleted flows among them
    Captures(captures::ListArgs),
    /// Tell how a capture differs from its flow now, or from another capture
    Compare(captures::CompareArgs),
    /// Put a capture back into a flow, or bring one flow back out of a manager snapshot
    #[command(after_help = "Examples:\n  \
                            lifeboat flow restore 5d0b1f1e2d3c4b5a69788796 --capture 7\n  \
                            lifeboat flow restore 5d0b1f1e2d3c4b5a69788796 --snapshot nightly --wait")]
    Restore(captures::RestoreArgs),
}

/// `lifeboat flow list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Those of this workspace, which is a tenant
    #[arg(long, value_name = "NAME")]
    workspace: Option<String>,
    /// Those that are started, or not
    #[arg(long, value_enum)]
    status: Option<FlowStatus>,
    /// Those whose name contains this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

/// Whether a flow is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FlowStatus {
    /// Started.
    Active,
    /// Stopped.
    Inactive,
}

impl FlowStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }
}

/// Runs a `flow` command.
pub fn run(args: FlowArgs) -> Result<(), CliError> {
    let output = Output::new(args.connection.json);
    let service = Service::connect(&args.connection)?;
    match args.command {
        FlowCommand::List(list_args) => list(&service, &output, list_args),
        FlowCommand::Show { flow, history } => show(&service, &output, &flow, history),
        FlowCommand::Start { flow } => {
            let call =
                Call::new(Method::POST, format!("start flow `{flow}`"), &["v2", "flows", &flow, "start"]);
            output.show(&resources::read(&service, call)?, status_line);
            Ok(())
        }
        FlowCommand::Stop { flow } => stop(&service, &output, &flow),
        FlowCommand::Reset { flow, steps, yes } => reset(&service, &output, &flow, &steps, yes),
        FlowCommand::Undo { flow, change, step, force } => {
            let mut attributes = Map::new();
            attributes.extend(change.map(|change| ("change".to_owned(), change.into())));
            attributes.extend(step.map(|step| ("step".to_owned(), step.into())));
            attributes.extend(force.then(|| ("force".to_owned(), true.into())));
            let mut call = Call::new(
                Method::POST,
                format!("undo a change of flow `{flow}`"),
                &["v2", "flows", &flow, "undo"],
            );
            if !attributes.is_empty() {
                call = call.body(json!({ "data": { "attributes": attributes } }));
            }
            show_change(&output, &flow, &resources::read(&service, call)?);
            Ok(())
        }
        FlowCommand::Capture(capture_args) => captures::capture(&service, &output, &capture_args),
        FlowCommand::Captures(list_args) => captures::list(&service, &output, list_args),
        FlowCommand::Compare(compare_args) => captures::compare(&service, &output, &compare_args),
        FlowCommand::Restore(restore_args) => captures::restore(&service, &output, &restore_args),
    }
}

fn list(service: &Service, output: &Output, args: ListArgs) -> Result<(), CliError> {
    let call = Call::get("list the flows", &["v2", "flows"])
        .query("sort", "created_at")
        .maybe_query("workspace_id", args.workspace)
        .maybe_query("filter[status]", args.status.map(FlowStatus::as_str))
        .maybe_query("search", args.search);
    let listing = resources::list::<Resource<Flow>>(service, &call, PAGE, None)?;
    output.show(&listing.items, |flows| {
        let rows = flows.iter().map(|Resource { parsed: flow, .. }| {
            let attributes = &flow.attributes;
            vec![
                flow.id.clone(),
                told(&attributes.name),
                attributes.status.clone(),
                told(&attributes.current_status),
                flow.workspace().to_owned(),
                told(&attributes.updated_at),
            ]
        });
        let header = ["ID", "NAME", "STATUS", "CURRENT", "WORKSPACE", "UPDATED"];
        format!("{}\n\n{} of {} flows", table(&header, rows.collect()), flows.len(), listing.total)
    });
    Ok(())
}

fn show(service: &Service, output: &Output, id: &str, history: Option<u32>) -> Result<(), CliError> {
    let doing = format!("get flow `{id}`");
    let flow = resources::flow(service, &doing, id)?;
    let call =
        Call::get(format!("get what the steps of flow `{id}` keep"), &["v2", "flows", id, "snapshots"]);
    let snapshots = resources::read(service, call)?;
    let history = match history {
        Some(most) => {
            let doing = format!("get the history of flow `{id}`");
            let call = Call::get(doing, &["v2", "flows", id, "history"]);
            Some(resources::list(service, &call, HISTORY_PAGE, Some(most as usize))?.items)
        }
        None => None,
    };
    output.show(&Shown { flow, snapshots, history }, shown);
    Ok(())
}

/// Stops a flow and shows it as it is then; the call itself answers nothing.
fn stop(service: &Service, output: &Output, id: &str) -> Result<(), CliError> {
    let doing = format!("stop flow `{id}`");
    resources::read::<Value>(service, Call::new(Method::POST, doing, &["v2", "flows", id, "stop"]))?;
    let flow = resources::flow(service, &format!("get flow `{id}` after it was stopped"), id)?;
    output.show(&flow, status_line);
    Ok(())
}

fn reset(
    service: &Service,
    output: &Output,
    id: &str,
    steps: &[String],
    is_agreed: bool,
) -> Result<(), CliError> {
    let doing = format!("reset flow `{id}`");
    if !is_agreed {
        let whose =
            if steps.is_empty() { "All steps".to_owned() } else { format!("The steps {}", quoted(steps)) };
        let warning =
            format!("{whose} of flow `{id}` forget what they keep; `lifeboat flow undo` brings it back.");
        prompt::confirm_or_refuse(&doing, &warning, "reset")?;
    }
    let mut call = Call::new(Method::POST, doing, &["v2", "flows", id, "reset"]);
    if !steps.is_empty() {
        call = call.body(json!({ "data": { "attributes": { "steps": steps } } }));
    }
    show_change(output, id, &resources::read(service, call)?);
    Ok(())
}

/// Shows what a call has changed, and how it is taken back.
fn show_change(output: &Output, flow: &str, change: &Resource) {
    output.show(change, change_line);
    let id = change.id();
    if !id.is_empty() && !output.is_json() {
        note(&format!("take it back with: lifeboat flow undo {flow} --change {id}"));
    }
}
