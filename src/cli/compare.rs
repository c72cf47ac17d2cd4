//! `lifeboat snapshot plan`, `lifeboat snapshot diff` and `lifeboat diff`: what a restore would change, what differs.
//!
//! The first two have a running service compare; the last compares two files by itself. All show what they found in
//! the same way.

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::connection::{Call, Paging, Service, parse_name};
use super::error::CliError;
use super::follow;
use super::output::{Output, field, pairs, printable, size, table, text};
use super::selection::SelectionArgs;
use crate::archive::Identity;
use crate::snapshots::diff_files;

/// Which of the differences are shown.
#[derive(Args, Clone, Debug, Default)]
pub struct ShownArgs {
    /// List all that differs of this kind
    #[arg(long, value_name = "KIND")]
    list: Option<String>,
    /// Show what differs in one entity, field by field; KIND/TENANT/ID as the list has them
    #[arg(long, value_name = "KIND/TENANT/ID", conflicts_with = "list")]
    fields: Option<String>,
}

/// `lifeboat snapshot plan`.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// The snapshot
    #[arg(value_parser = parse_name)]
    id: String,
    /// Plan a restore with --force
    #[arg(short, long)]
    force: bool,
    /// Plan a restore with --skip-sealed
    #[arg(long)]
    skip_sealed: bool,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Plan a restore with --with-dependencies
    #[arg(long, help_heading = "Selection")]
    with_dependencies: bool,
    #[command(flatten)]
    shown: ShownArgs,
}

/// `lifeboat snapshot diff`.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// The snapshot
    #[arg(value_parser = parse_name)]
    id: String,
    /// The snapshot that it is compared with; the live state without this
    #[arg(value_parser = parse_name)]
    with: Option<String>,
    #[command(flatten)]
    shown: ShownArgs,
}

/// `lifeboat diff`.
#[derive(Args, Debug)]
pub struct FileDiffArgs {
    /// The earlier archive
    #[arg(value_name = "FILE")]
    first: PathBuf,
    /// The later archive
    #[arg(value_name = "FILE")]
    second: PathBuf,
    /// A file with the keys that open what the archives seal; without it secrets are not compared
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    #[command(flatten)]
    shown: ShownArgs,
    /// Print exactly one JSON document on stdout
    #[arg(long)]
    json: bool,
}

/// Runs `snapshot plan`.
///
/// # Errors
/// Where the service refuses, or the plan can't be made. That the restore would be refused is no error.
pub fn plan(service: &Service, output: &Output, args: PlanArgs) -> Result<(), CliError> {
    let doing = format!("plan the restore of snapshot `{}`", args.id);
    let mut body = json!({ "force": args.force, "skip_sealed": args.skip_sealed });
    args.selection.add_to(&mut body, args.with_dependencies, &doing)?;
    let call = Call::new(Method::POST, &doing, &["snapshots", &args.id, "plan"]).body(body);
    let made = Made { service, doing: &doing, path: ["snapshots", &args.id, "plan"], with: None };
    made.show(output, call, &format!("planning `{}`", args.id), &args.shown, plan_text)
}

/// Runs `snapshot diff`.
///
/// # Errors
/// Where the service refuses, or the comparison can't be made. That something differs is no error.
pub fn diff(service: &Service, output: &Output, args: DiffArgs) -> Result<(), CliError> {
    let doing = format!("compare snapshot `{}`", args.id);
    let call =
        Call::new(Method::POST, &doing, &["snapshots", &args.id, "diff"]).body(json!({ "with": args.with }));
    let made =
        Made { service, doing: &doing, path: ["snapshots", &args.id, "diff"], with: args.with.as_deref() };
    made.show(output, call, &format!("comparing `{}`", args.id), &args.shown, comparison_text)
}

/// Runs `diff` on two files.
///
/// # Errors
/// Where a file is no archive of Lifeboat or damaged. That something differs is no error.
pub fn diff_offline(args: FileDiffArgs) -> Result<(), CliError> {
    let output = Output::new(args.json);
    let doing = format!("compare `{}` with `{}`", args.first.display(), args.second.display());
    let failed = |error: String| CliError::failed(&doing, error);
    let identities = match &args.identity {
        Some(path) => identities(path).map_err(failed)?,
        None => Vec::new(),
    };
    let folder = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let found = diff_files((&args.first, &args.second), identities, folder.path()).map_err(failed)?;
    if let Some(name) = &args.shown.fields {
        let (kind, tenant, id) = entity(&doing, name)?;
        let fields = found.fields((kind, tenant, id)).map_err(|error| failed(error.to_string()))?;
        let fields = fields.ok_or_else(|| failed(format!("neither archive has `{name}`")))?;
        output.show(&json!({ "kind": kind, "tenant": tenant, "id": id, "fields": fields }), fields_text);
    } else if let Some(kind) = &args.shown.list {
        let changes = found.changes(Some(kind), None).map_err(|error| failed(error.to_string()))?;
        output.show(&json!(changes), changes_text);
    } else {
        output.show(&found.report, comparison_text);
    }
    Ok(())
}

fn identities(path: &Path) -> Result<Vec<Identity>, String> {
    let text = zeroize::Zeroizing::new(
        std::fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))?,
    );
    Identity::parse_file(&text).map_err(|error| format!("`{}`: {error}", path.display()))
}

/// What the service compares, and where that is to be read.
struct Made<'a> {
    service: &'a Service,
    doing: &'a str,
    path: [&'a str; 3],
    with: Option<&'a str>,
}

impl Made<'_> {
    fn show(
        &self,
        output: &Output,
        call: Call,
        label: &str,
        shown: &ShownArgs,
        text: fn(&Value) -> String,
    ) -> Result<(), CliError> {
        let entity = shown.fields.as_deref().map(|name| entity(self.doing, name)).transpose()?;
        let execution = self.service.call(call)?;
        let id = field(&execution, "id");
        let ended = follow::wait(self.service, &id, label)?;
        follow::outcome(self.doing, &ended)?;
        if let Some((kind, tenant, entity)) = entity {
            let call = self.read("fields", &id);
            let call = call.query("kind", kind).query("tenant", tenant).query("entity_id", entity);
            output.show(&self.service.call(call)?, fields_text);
        } else if let Some(kind) = &shown.list {
            let changes =
                self.service.list(self.read("changes", &id).query("kind", kind), Paging::default())?;
            output.show(&Value::Array(changes.items), changes_text);
        } else {
            output.show(&ended["report"], text);
        }
        Ok(())
    }

    fn read(&self, what: &str, execution: &str) -> Call {
        let [top, id, sort] = self.path;
        Call::get(self.doing, &[top, id, sort, what])
            .query("execution_id", execution)
            .maybe_query("with", self.with)
    }
}

/// The parts of `kind/tenant/id`.
fn entity<'a>(doing: &str, name: &'a str) -> Result<(&'a str, &'a str, &'a str), CliError> {
    let parts = name.split_once('/').and_then(|(kind, rest)| {
        let (tenant, id) = rest.split_once('/')?;
        Some((kind, tenant, id))
    });
    parts.ok_or_else(|| CliError::usage(doing, format!("`{name}` is not KIND/TENANT/ID")))
}

fn changes_text(changes: &Value) -> String {
    let rows = changes.as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = rows
        .map(|change| ["change", "kind", "tenant", "id"].iter().map(|name| field(change, name)).collect())
        .collect();
    if rows.is_empty() {
        "nothing differs".to_owned()
    } else {
        table(&["CHANGE", "KIND", "TENANT", "ID"], rows)
    }
}

fn fields_text(found: &Value) -> String {
    let fields: Vec<&Value> = found["fields"].as_array().into_iter().flatten().collect();
    if fields.is_empty() {
        return "nothing differs".to_owned();
    }
    let shown = |field: &Value, name: &str| field.get(name).map_or("(not there)".to_owned(), text);
    let lines = fields.iter().map(|field| {
        format!(
            "{}\n  - {}\n  + {}",
            printable(&text(&field["pointer"])),
            printable(&shown(field, "before")),
            printable(&shown(field, "after"))
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The kinds in which something differs; how many entities are the same is seen in `--json`.
fn kinds_text(report: &Value) -> String {
    let number = |found: &Value, name: &str| found[name].as_u64().unwrap_or(0);
    let differs = |found: &&Value| ["added", "removed", "changed"].iter().any(|name| number(found, name) > 0);
    let kinds = report["kinds"].as_object();
    let rows: Vec<Vec<String>> = kinds
        .into_iter()
        .flatten()
        .filter(|(_, found)| differs(found))
        .map(|(kind, found)| {
            let counts = ["before", "after", "added", "removed", "changed"];
            let counts = counts.iter().map(|name| number(found, name).to_string());
            [kind.clone()].into_iter().chain(counts).collect()
        })
        .collect();
    match rows.is_empty() {
        true => "nothing differs".to_owned(),
        false => table(&["KIND", "BEFORE", "AFTER", "ADDED", "REMOVED", "CHANGED"], rows),
    }
}

fn first_text(report: &Value) -> String {
    let mut lines = Vec::new();
    for (kind, found) in report["kinds"].as_object().into_iter().flatten() {
        for (change, sign) in [("added", "+"), ("removed", "-"), ("changed", "~")] {
            let named: Vec<&Value> = found["first"][change].as_array().into_iter().flatten().collect();
            for entity in &named {
                let name = format!("{kind}/{}/{}", field(entity, "tenant"), field(entity, "id"));
                lines.push(format!("{sign} {}", printable(&name)));
            }
            let more = found[change].as_u64().unwrap_or(0).saturating_sub(named.len() as u64);
            if more > 0 {
                lines.push(format!("{sign} and {more} more {kind} (--list {kind} shows them)"));
            }
        }
    }
    lines.join("\n")
}

fn comparison_text(report: &Value) -> String {
    let mut parts = vec![kinds_text(report), first_text(report)];
    for told in report["not_compared"].as_array().into_iter().flatten() {
        let kinds: Vec<String> = told["kinds"].as_array().into_iter().flatten().map(text).collect();
        parts.push(format!("not compared: {} ({})", kinds.join(", "), printable(&field(told, "reason"))));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn plan_text(plan: &Value) -> String {
    let list = |pointer: &str| -> Vec<String> {
        plan.pointer(pointer).and_then(Value::as_array).into_iter().flatten().map(text).collect()
    };
    let bytes = |value: &Value| size(value.as_u64());
    let archive = &plan["archive"];
    let mut lines = Vec::new();
    let verdict = if plan["can_be_restored"] == true { "can be restored" } else { "would be REFUSED" };
    lines.push(("restore", verdict.to_owned()));
    for refusal in plan["refusals"].as_array().into_iter().flatten() {
        lines.push(("refused", format!("{}: {}", field(refusal, "rule"), field(refusal, "message"))));
    }
    if !archive.is_null() {
        let manager = field(archive, "manager");
        lines.push((
            "archive",
            format!("{} of `{manager}`, {}", field(archive, "created_at"), bytes(&archive["size_bytes"])),
        ));
        let signer = match (&archive["signature"], archive["is_signed_here"] == true) {
            (_, true) => "this service".to_owned(),
            (signature, false) if !signature["signer"].is_null() => {
                format!("another Lifeboat, {}", field(signature, "signer"))
            }
            _ => "nobody".to_owned(),
        };
        lines.push(("signed by", signer));
        for key in archive["sealed_for"].as_array().into_iter().flatten() {
            let is_here = if key["is_here"] == true { "here" } else { "not here" };
            lines.push(("sealed for", format!("{} ({is_here})", field(key, "fingerprint"))));
        }
    }
    if plan.get("force").is_some() {
        let held = list("/force/holds");
        match plan.get("selected") {
            None if held.is_empty() => lines.push(("manager holds", "nothing that somebody made".to_owned())),
            None => lines.push(("manager holds", held.join(", "))),
            Some(_) if held.is_empty() => lines.push(("force gives up", "nothing".to_owned())),
            Some(_) => lines.push(("force gives up", held.join(", "))),
        }
    }
    for (label, pointer) in [
        ("taken along", "/selected/taken_along"),
        ("users added", "/accounts/added"),
        ("roles that sleep", "/accounts/sleeping"),
    ] {
        let names = list(pointer);
        if !names.is_empty() {
            lines.push((label, names.join(", ")));
        }
    }
    for lost in plan["sealed"]["lost"].as_array().into_iter().flatten() {
        let name = ["kind", "tenant", "id"].map(|key| field(lost, key)).join("/");
        lines.push(match field(lost, "lacks").as_str() {
            "all" => ("does not come", name),
            lacks => ("comes without", format!("{}: {name}", lacks.replace('_', " "))),
        });
    }
    for kind in list("/sealed/unnamed") {
        let count = field(&plan["sealed"]["missing"], &kind);
        lines.push(("does not come", format!("{count} {kind}, whose names are sealed, too")));
    }
    for stays in plan["stays"].as_array().into_iter().flatten() {
        lines.push(("stays", format!("{}: {}", field(stays, "source"), field(stays, "reason"))));
    }
    for space in plan["space"].as_array().into_iter().flatten() {
        let places: Vec<String> = space["places"].as_array().into_iter().flatten().map(text).collect();
        lines.push((
            "space",
            format!(
                "{} needed, {} free ({})",
                bytes(&space["needed_bytes"]),
                bytes(&space["free_bytes"]),
                places.join(", ")
            ),
        ));
    }
    for (label, pointer) in [("conflicts", "/executions/conflicts"), ("waits for", "/executions/waited_for")]
    {
        for execution in plan.pointer(pointer).and_then(Value::as_array).into_iter().flatten() {
            lines.push((label, format!("{} {}", field(execution, "workflow_id"), field(execution, "id"))));
        }
    }
    match plan["duration"]["seconds"].as_f64() {
        Some(seconds) => {
            lines.push(("takes about", format!("{seconds} s (as {} did)", field(&plan["duration"], "from"))))
        }
        None => lines.push(("takes about", "unknown: nothing was measured yet".to_owned())),
    }
    let mut parts = vec![pairs(&lines)];
    if plan.get("kinds").is_some() {
        parts.extend([kinds_text(plan), first_text(plan)]);
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}
