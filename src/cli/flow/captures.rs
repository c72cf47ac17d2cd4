//! `lifeboat flow capture`, `captures`, `compare` and `restore`: what a flow's steps kept at one moment.

use clap::{ArgGroup, Args};
use reqwest::Method;
use serde_json::json;
use serde_json::value::RawValue;

use super::resources::{self, Capture, Comparison, Resource};
use super::text::{cut, told};
use super::{PAGE, show_change};
use crate::cli::connection::{Call, Service, parse_name};
use crate::cli::error::CliError;
use crate::cli::follow::{self, Words};
use crate::cli::output::{Output, field, note, pairs, table};
use crate::cli::prompt;

/// `lifeboat flow capture`.
#[derive(Args, Debug)]
pub struct CaptureArgs {
    /// The flow
    #[arg(value_parser = parse_name)]
    flow: String,
    /// What the capture is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Follow it to its end and show the capture; the exit code says how it ended
    #[arg(long)]
    wait: bool,
}

/// `lifeboat flow captures`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Those of this flow, which may be deleted
    #[arg(value_parser = parse_name)]
    flow: Option<String>,
    /// Those of this workspace, which is a tenant
    #[arg(long, value_name = "NAME")]
    workspace: Option<String>,
}

/// `lifeboat flow compare`.
#[derive(Args, Debug)]
pub struct CompareArgs {
    /// The capture
    #[arg(value_parser = parse_name)]
    capture: String,
    /// Another capture; what the flow keeps now without this
    #[arg(long, value_name = "CAPTURE", value_parser = parse_name)]
    with: Option<String>,
}

/// `lifeboat flow restore`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("from").required(true).args(["capture", "snapshot"])))]
pub struct RestoreArgs {
    /// The flow
    #[arg(value_parser = parse_name)]
    flow: String,
    /// Put this capture back, which may be one of another flow; the flow has to be stopped
    #[arg(long, value_name = "CAPTURE", value_parser = parse_name)]
    capture: Option<String>,
    /// Bring the flow back out of this manager snapshot
    #[arg(long, value_name = "ID", value_parser = parse_name)]
    snapshot: Option<String>,
    /// Replace the flow if it is there; it has to be stopped
    #[arg(short, long, conflicts_with = "capture")]
    force: bool,
    /// Follow it to its end; the exit code says how it ended
    #[arg(long, conflicts_with = "capture")]
    wait: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Takes a capture.
pub fn capture(service: &Service, output: &Output, args: &CaptureArgs) -> Result<(), CliError> {
    let doing = format!("capture flow `{}`", args.flow);
    // The execution runs in the flow's tenant, whichever the settings say.
    let flow = resources::flow(service, &doing, &args.flow)?.parsed;
    let workspace = flow.workspace();
    let service = &if workspace.is_empty() { service.clone() } else { service.in_tenant(workspace)? };
    let mut call = Call::new(Method::POST, &doing, &["v2", "flows", &args.flow, "captures"]);
    if let Some(description) = &args.description {
        call = call.body(json!({ "data": { "attributes": { "description": description } } }));
    }
    let begun: Resource = resources::read(service, call)?;
    let (id, execution) = (begun.id(), begun.attribute("execution_id"));
    if !args.wait {
        output.show(&begun, |_| pairs(&[("capture", id), ("execution", execution.clone())]));
        if !output.is_json() {
            note(&format!("follow it with: {}", follow::tail(service, &execution)));
        }
        return Ok(());
    }
    let ended = follow::wait(service, &execution, &format!("capturing `{}`", args.flow))?;
    let outcome = follow::outcome(&doing, &ended);
    if outcome.is_err() {
        if output.is_json() {
            output.show(&ended, |_| String::new());
        }
        return outcome;
    }
    let taken = resources::read(service, Call::get(format!("get capture `{id}`"), &["v2", "captures", &id]))?;
    output.show(&taken, capture_text);
    Ok(())
}

/// A capture for people: its fields, and what it holds.
fn capture_text(capture: &Resource<Capture>) -> String {
    let Capture { id, attributes } = &capture.parsed;
    let mut fields = vec![
        ("capture", id.clone()),
        ("flow", told(&attributes.flow_name)),
        ("description", told(&attributes.description)),
        ("created", told(&attributes.created_at)),
        ("by", told(&attributes.created_by)),
    ];
    if attributes.fuzzy {
        fields.push(("fuzzy", "the flow was running, so the values may not be of one moment".to_owned()));
    }
    fields.retain(|(_, value)| !value.is_empty());
    let rows = attributes.steps.iter().map(|(step, value)| vec![step.clone(), cut(value.get())]);
    format!("{}\n\n{}", pairs(&fields), table(&["STEP", "SNAPSHOT"], rows.collect()))
}

/// Lists captures, without what they hold.
pub fn list(service: &Service, output: &Output, args: ListArgs) -> Result<(), CliError> {
    let call = Call::get("list the captures", &["v2", "captures"])
        .maybe_query("workspace_id", args.workspace)
        .maybe_query("filter[flow]", args.flow);
    let listing = resources::list::<Resource>(service, &call, PAGE, None)?;
    output.show(&listing.items, |captures| {
        let rows = captures.iter().map(|capture| {
            let is_fuzzy = capture.parsed["attributes"]["fuzzy"] == true;
            vec![
                capture.id(),
                field(&capture.parsed["relationships"]["flow"]["data"], "id"),
                capture.attribute("flow_name"),
                capture.attribute("created_at"),
                capture.attribute("created_by"),
                capture.attribute("step_count"),
                if is_fuzzy { "fuzzy".to_owned() } else { String::new() },
                capture.attribute("description"),
            ]
        });
        let header = ["ID", "FLOW", "NAME", "CREATED", "BY", "STEPS", "NOTE", "DESCRIPTION"];
        format!("{}\n\n{} of {} captures", table(&header, rows.collect()), captures.len(), listing.total)
    });
    Ok(())
}

/// Compares a capture with its flow or with another capture.
pub fn compare(service: &Service, output: &Output, args: &CompareArgs) -> Result<(), CliError> {
    let with = args.with.as_deref().unwrap_or("live");
    let doing = format!("compare capture `{}`", args.capture);
    let call = Call::get(doing, &["v2", "captures", &args.capture, "compare"]).query("with", with);
    output.show(&resources::read(service, call)?, comparison_text);
    Ok(())
}

/// The steps that differ, and how many do not.
fn comparison_text(comparison: &Resource<Comparison>) -> String {
    let found = &comparison.parsed.attributes;
    let count = format!("{} different, {} the same", found.differences.len(), found.same);
    if found.differences.is_empty() {
        return count;
    }
    let value =
        |value: &Option<Box<RawValue>>| value.as_ref().map(|value| cut(value.get())).unwrap_or_default();
    let rows = found
        .differences
        .iter()
        .map(|difference| vec![difference.step.clone(), value(&difference.before), value(&difference.after)]);
    format!("{}\n\n{count}", table(&["STEP", "BEFORE", "AFTER"], rows.collect()))
}

/// Puts a capture back, or brings a flow back out of a manager snapshot.
pub fn restore(service: &Service, output: &Output, args: &RestoreArgs) -> Result<(), CliError> {
    let flow = &args.flow;
    let doing = format!("restore flow `{flow}`");
    let ask = |warning: &str| match args.yes {
        true => Ok(()),
        false => prompt::confirm_or_refuse(&doing, warning, "restore"),
    };
    if let Some(capture) = &args.capture {
        ask(&format!("What the steps of flow `{flow}` keep is replaced by capture `{capture}`."))?;
        let call = Call::new(Method::POST, &doing, &["v2", "captures", capture, "restore"])
            .body(json!({ "data": { "attributes": { "flow": flow } } }));
        show_change(output, flow, &resources::read(service, call)?);
        return Ok(());
    }
    let snapshot = args.snapshot.as_deref().unwrap_or_default();
    let loss = if args.force { ", in place of what is there" } else { "" };
    ask(&format!("Flow `{flow}` comes back as it was in snapshot `{snapshot}`{loss}; it will be inactive."))?;
    let call = Call::new(Method::POST, &doing, &["service", "snapshots", snapshot, "restore-flow"])
        .body(json!({ "flow_id": flow, "force": args.force }));
    let execution = service.call(call)?;
    let words = Words {
        doing: &doing,
        label: &format!("restoring flow `{flow}`"),
        success: &format!("flow `{flow}` is restored and inactive"),
    };
    follow::finish(service, output, &execution, args.wait, &words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_tells_null_from_nothing() {
        let comparison: Resource<Comparison> = serde_json::from_str(
            r#"{"type":"comparison","attributes":{"same":2,"differences":[
                {"step":"a","before":null},{"step":"b","after":9007199254740993},{"step":"c","before":"","after":null}]}}"#,
        )
        .unwrap();
        insta::assert_snapshot!(comparison_text(&comparison), @r#"
         STEP  BEFORE  AFTER
         a     null
         b             9007199254740993
         c     ""      null

        3 different, 2 the same
        "#);
        let same = serde_json::from_str(r#"{"attributes":{"same":3,"differences":[]}}"#).unwrap();
        assert_eq!(comparison_text(&same), "0 different, 3 the same");
    }

    #[test]
    fn a_capture_is_shown_with_what_it_holds() {
        let capture: Resource<Capture> = serde_json::from_str(
            r#"{"id":"7","type":"capture","attributes":{"flow_name":"orders","description":null,"created_at":"2026-01-02T03:04:05Z",
                "created_by":"ann","fuzzy":true,"steps":{"b":{"n":9007199254740993},"a":null},"step_count":2}}"#,
        )
        .unwrap();
        insta::assert_snapshot!(capture_text(&capture), @r#"
        capture  7
        flow     orders
        created  2026-01-02T03:04:05Z
        by       ann
        fuzzy    the flow was running, so the values may not be of one moment

         STEP  SNAPSHOT
         a     null
         b     {"n":9007199254740993}
        "#);
    }
}
