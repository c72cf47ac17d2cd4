//! `lifeboat execution`: the jobs of a running service, and their events as they come.

use std::cell::RefCell;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::connection::{Call, ConnectionArgs, Paging, Service, parse_name};
use super::error::CliError;
use super::follow;
use super::output::{Output, field, fields, printable, table};
use super::progress::{Phases, stage};

/// Events asked for at once.
const PAGE: usize = 100;

/// `lifeboat execution`.
#[derive(Args, Debug)]
pub struct ExecutionArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: ExecutionCommand,
}

/// What to do with executions.
#[derive(Subcommand, Debug)]
pub enum ExecutionCommand {
    /// List executions
    #[command(after_help = "Example: lifeboat execution list --status started --status queued")]
    List(ListArgs),
    /// Show one execution
    Get {
        /// The execution
        #[arg(value_parser = parse_name)]
        id: String,
    },
    /// Ask an execution to stop
    Cancel {
        /// The execution
        #[arg(value_parser = parse_name)]
        id: String,
        /// Also where it was asked before
        #[arg(long)]
        force: bool,
        /// At once, without any further step
        #[arg(long, conflicts_with = "force")]
        kill: bool,
    },
    /// Print the events of an execution as they come, until it has ended
    #[command(after_help = "The exit code says how the execution ended. Ctrl-C ends only the printing.")]
    Tail {
        /// The execution
        #[arg(value_parser = parse_name)]
        id: String,
        /// Leave logs out
        #[arg(long)]
        events_only: bool,
    },
}

/// `lifeboat execution list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Those in this status; may be repeated
    #[arg(long, value_name = "STATUS")]
    status: Vec<String>,
    /// Those of this workflow, such as `create_snapshot`; may be repeated
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Vec<String>,
    /// Those of this deployment; may be repeated
    #[arg(long, value_name = "ID")]
    deployment: Vec<String>,
    /// Those of all tenants
    #[arg(long)]
    all_tenants: bool,
    /// Sort by this field
    #[arg(long, value_name = "FIELD", default_value = "created_at")]
    sort: String,
    /// The last first
    #[arg(long)]
    descending: bool,
    #[command(flatten)]
    paging: Paging,
}

/// Runs an `execution` command.
pub fn run(args: ExecutionArgs) -> Result<(), CliError> {
    let output = Output::new(args.connection.json);
    let service = Service::connect(&args.connection)?;
    match args.command {
        ExecutionCommand::List(list_args) => list(&service, &output, list_args),
        ExecutionCommand::Get { id } => {
            let execution = service.call(Call::get(format!("get execution `{id}`"), &["executions", &id]))?;
            output.show(&execution, fields);
            Ok(())
        }
        ExecutionCommand::Cancel { id, force, kill } => {
            let action = match (force, kill) {
                (_, true) => "kill",
                (true, false) => "force-cancel",
                (false, false) => "cancel",
            };
            let call = Call::new(Method::POST, format!("cancel execution `{id}`"), &["executions", &id]);
            let execution = service.call(call.body(json!({ "action": action })))?;
            output
                .show(&execution, |execution| format!("execution `{id}` is {}", field(execution, "status")));
            Ok(())
        }
        ExecutionCommand::Tail { id, events_only } => tail(&service, &output, &id, events_only),
    }
}

fn list(service: &Service, output: &Output, args: ListArgs) -> Result<(), CliError> {
    let sign = if args.descending { "-" } else { "" };
    let mut call = Call::get("list the executions", &["executions"])
        .query("_include_system_workflows", "true")
        .query("_all_tenants", args.all_tenants.to_string())
        .query("_sort", format!("{sign}{}", args.sort));
    for (name, values) in
        [("status", args.status), ("workflow_id", args.workflow), ("deployment_id", args.deployment)]
    {
        for value in values {
            call = call.query(name, value);
        }
    }
    let listing = service.list(call, args.paging)?;
    output.show(&listing.items, |items| {
        let rows = items.iter().map(|execution| {
            let subject = field(execution, "deployment_id");
            let subject =
                if subject.is_empty() { field(&execution["parameters"], "snapshot_id") } else { subject };
            vec![
                field(execution, "id"),
                field(execution, "workflow_id"),
                subject,
                stage(execution),
                field(execution, "created_at"),
                field(execution, "ended_at"),
                field(execution, "created_by"),
            ]
        });
        let header = ["ID", "WORKFLOW", "OF", "STATUS", "CREATED", "ENDED", "BY"];
        format!("{}\n\n{} of {} executions", table(&header, rows.collect()), items.len(), listing.total)
    });
    Ok(())
}

/// Prints each event once, as it comes. As JSON it is one array, written item by item.
fn tail(service: &Service, output: &Output, id: &str, events_only: bool) -> Result<(), CliError> {
    let mut phases = Phases::new(format!("execution `{id}`"));
    let printed = RefCell::new(0);
    if output.is_json() {
        output.line("[");
    }
    let mut each = |execution: &Value| {
        loop {
            let events = events(service, id, events_only, *printed.borrow())?;
            phases.aside(|| {
                for event in &events {
                    print(output, event, *printed.borrow() == 0);
                    *printed.borrow_mut() += 1;
                }
            });
            if events.len() < PAGE {
                break;
            }
        }
        phases.show(execution);
        if output.is_closed() {
            Err(CliError::failed("print events", "nobody reads any more"))
        } else {
            Ok(())
        }
    };
    let followed = follow::follow(service, id, &mut each);
    drop(phases);
    if output.is_closed() {
        // `| head` has seen what it wanted.
        return Ok(());
    }
    if output.is_json() {
        output.line("]");
    }
    let ended = followed?;
    follow::outcome(&format!("run execution `{id}` ({})", field(&ended, "workflow_id")), &ended)
}

fn events(service: &Service, id: &str, events_only: bool, offset: usize) -> Result<Vec<Value>, CliError> {
    let mut call = Call::get(format!("get the events of execution `{id}`"), &["events"])
        .query("execution_id", id)
        .query("_offset", offset.to_string())
        .query("_size", PAGE.to_string())
        .query("_sort", "reported_timestamp")
        .query("type", "cloudify_event");
    if !events_only {
        call = call.query("type", "cloudify_log");
    }
    let page = service.call(call)?;
    Ok(page["items"].as_array().cloned().unwrap_or_default())
}

fn print(output: &Output, event: &Value, is_first: bool) {
    if output.is_json() {
        let comma = if is_first { "" } else { "," };
        output.line(&format!("{comma}{event}"));
    } else {
        output.line(&event_line(event));
    }
}

/// An event as a line: time, level, message.
fn event_line(event: &Value) -> String {
    let time = Some(field(event, "reported_timestamp")).filter(|time| !time.is_empty());
    let time = time.unwrap_or_else(|| field(event, "timestamp"));
    let level = Some(field(event, "level")).filter(|level| !level.is_empty()).unwrap_or("event".into());
    printable(&format!("{time}  {level:<7}  {}", field(event, "message")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_with_time_level_and_message() {
        let log =
            json!({"timestamp": "a", "reported_timestamp": "b", "level": "warning", "message": "no\nspace"});
        assert_eq!(event_line(&log), "b  warning  no space");
        let event = json!({"timestamp": "a", "reported_timestamp": null, "message": "begins"});
        assert_eq!(event_line(&event), "a  event    begins");
    }
}
