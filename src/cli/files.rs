//! `lifeboat inspect` and `lifeboat verify`: archive files, without any service.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::output::{Output, pairs, size, table};
use super::progress;
use crate::archive::{
    Archive, ArchiveError, EntryTable, Format, Inspection, Limits, SignatureState, Verified, inspect,
    processors,
};
use crate::causes::chain;

/// The entry in which a create says what it did.
const REPORT: &str = "report.json";

/// `lifeboat inspect` and `lifeboat verify`.
#[derive(Args, Debug)]
pub struct FilesArgs {
    /// The archives
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print exactly one JSON document on stdout
    #[arg(long)]
    json: bool,
}

/// What was found of one file.
#[derive(Serialize)]
struct Report<T> {
    file: PathBuf,
    ok: bool,
    /// Why it is not a good archive, or could not be read.
    error: Option<String>,
    #[serde(flatten)]
    found: Option<T>,
}

/// What `verify` says of a good archive.
#[derive(Serialize)]
struct Soundness {
    format: Format,
    entries: u64,
    size_bytes: u64,
    content_bytes: u64,
    signature: SignatureState,
}

/// All that `inspect` says of an archive; people are shown its summary.
#[derive(Serialize)]
struct Inspected {
    #[serde(flatten)]
    summary: Inspection,
    /// Each entry: where it stands, how long it is, its hash.
    entry_list: EntryTable,
    /// What the create reported; null where the archive holds no report.
    report: Option<serde_json::Value>,
}

impl Inspected {
    fn of(archive: Archive) -> Result<Self, ArchiveError> {
        let report = match archive.contains(REPORT) {
            true => Some(archive.read_json(REPORT)?),
            false => None,
        };
        Ok(Self { summary: inspect(&archive), entry_list: archive.into_entries(), report })
    }
}

/// Runs `inspect`: what each archive says of itself.
///
/// # Errors
/// Where one cannot be opened; the others are shown all the same.
pub fn run_inspect(args: FilesArgs) -> Result<(), CliError> {
    let output = Output::new(args.json);
    let reports = args.files.iter().map(|file| report(file, Inspected::of)).collect();
    show("inspect", &output, reports, |found| inspection_text(&found.summary))
}

/// Runs `verify`: every byte of each archive against its hashes and its signature.
///
/// # Errors
/// Where one is damaged or cannot be read; the others are shown all the same.
pub fn run_verify(args: FilesArgs) -> Result<(), CliError> {
    let output = Output::new(args.json);
    let reports = args
        .files
        .iter()
        .map(|file| {
            report(file, |archive| {
                let format = archive.format().clone();
                verify(&archive, file).map(|verified| Soundness {
                    format,
                    entries: verified.entries,
                    size_bytes: verified.size_bytes,
                    content_bytes: verified.content_bytes,
                    signature: verified.signature,
                })
            })
        })
        .collect();
    show("verify", &output, reports, soundness_text)
}

fn report<T>(file: &Path, look: impl FnOnce(Archive) -> Result<T, ArchiveError>) -> Report<T> {
    let found = File::open(file)
        .map_err(|error| error.to_string())
        .and_then(|opened| match opened.metadata() {
            Ok(metadata) if metadata.is_dir() => Err("is a folder".into()),
            _ => Ok(opened),
        })
        .and_then(|opened| {
            Archive::open(opened, Limits::default()).and_then(look).map_err(|error| chain(&error))
        });
    let file = file.to_owned();
    match found {
        Ok(found) => Report { file, ok: true, error: None, found: Some(found) },
        Err(error) => Report { file, ok: false, error: Some(error), found: None },
    }
}

fn verify(archive: &Archive, file: &Path) -> Result<Verified, ArchiveError> {
    let mut progress =
        progress::Bytes::new(format!("verifying `{}`", file.display()), Some(archive.size_bytes()));
    archive.verify(processors(), &mut |done, _| {
        progress.set(done);
        ControlFlow::Continue(())
    })
}

fn show<T: Serialize>(
    doing: &str,
    output: &Output,
    reports: Vec<Report<T>>,
    text: impl Fn(&T) -> String,
) -> Result<(), CliError> {
    output.show(&reports, |reports| {
        let texts = reports.iter().map(|report| {
            let text = match (&report.found, &report.error) {
                (Some(found), _) => text(found),
                (None, error) => format!("bad: {}", error.clone().unwrap_or_default()),
            };
            super::output::printable(&report.file.display().to_string()) + ": " + text.trim_end()
        });
        texts.collect::<Vec<_>>().join("\n")
    });
    let bad: Vec<_> =
        reports.iter().filter_map(|report| Some((&report.file, report.error.as_ref()?))).collect();
    match bad.as_slice() {
        [] => Ok(()),
        [(file, error)] => Err(CliError::failed(format!("{doing} `{}`", file.display()), error.as_str())),
        several => {
            let reason = format!("{} of {} archives are not good", several.len(), reports.len());
            Err(CliError::failed(format!("{doing} archives"), reason))
        }
    }
}

fn signature(signature: &SignatureState) -> String {
    match signature {
        SignatureState::Valid { signer } => format!("valid, by {signer}"),
        SignatureState::Invalid => "NOT valid".into(),
        SignatureState::Missing => "none: archives of this format have none".into(),
    }
}

fn format_name(format: &Format) -> String {
    match format {
        Format::Lifeboat1 => "lifeboat 1".into(),
        Format::Foreign { snapshot_version } => format!("of another manager, version {snapshot_version}"),
    }
}

fn soundness_text(found: &Soundness) -> String {
    format!(
        "good: {} entries, {} ({} of contents), format {}, signature {}",
        found.entries,
        size(Some(found.size_bytes)),
        size(Some(found.content_bytes)),
        format_name(&found.format),
        signature(&found.signature),
    )
}

fn inspection_text(found: &Inspection) -> String {
    let shown = |value: Option<String>| value.unwrap_or_else(|| "unknown".into());
    let mut lines = vec![
        ("format", format_name(&found.format)),
        ("version", found.snapshot_version.clone()),
        ("manager", shown(found.manager.clone())),
        ("created", shown(found.created_at.map(|moment| crate::model::Timestamp::from(moment).to_string()))),
        ("made by", shown(found.lifeboat_version.as_ref().map(|version| format!("lifeboat {version}")))),
        ("signature", signature(&found.signature)),
        (
            "size",
            format!("{} ({} of contents)", size(Some(found.size_bytes)), size(Some(found.content_bytes))),
        ),
    ];
    if let Some(id) = found.archive_id {
        lines.push(("archive id", id.to_string()));
    }
    if let Some(id) = found.resealed_from {
        lines.push(("resealed from", id.to_string()));
    }
    if let Some(options) = &found.options {
        let options = serde_json::to_value(options).unwrap_or_default();
        let options: Vec<_> = options
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        lines.push(("options", options.join(", ")));
    }
    for part in &found.sealed_parts {
        lines.push(("sealed", format!("{} ({})", part.path, size(Some(part.size_bytes)))));
    }
    for key in &found.sealed_for {
        lines.push(("sealed for", key.to_string()));
    }
    let counts =
        found.counts.iter().map(|(kind, count)| vec![kind.clone(), count.to_string()]).collect::<Vec<_>>();
    let folders = found.folders.iter().map(|folder| {
        let name = if folder.folder.is_empty() { "(root)" } else { folder.folder.as_str() };
        vec![
            name.to_owned(),
            folder.entries.to_string(),
            size(Some(folder.content_bytes)),
            size(Some(folder.compressed_bytes)),
        ]
    });
    let mut text = format!("\n{}\n\n", pairs(&lines));
    text += &table(&["FOLDER", "ENTRIES", "CONTENTS", "IN THE ARCHIVE"], folders.collect());
    if !counts.is_empty() {
        text += "\n\n";
        text += &table(&["KIND", "COUNT"], counts);
    }
    text + "\n"
}
