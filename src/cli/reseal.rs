//! `lifeboat reseal`: an archive file sealed for other keys, without any service.
//!
//! The copy appears when it is whole and was read back; the file that it is a copy of is never touched.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tempfile::NamedTempFile;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::error::CliError;
use super::output::{Output, note, pairs, size};
use super::{progress, recipients};
use crate::archive::{
    Archive, ArchiveError, Fingerprint, Identity, Limits, Recipient, Reseal, SigningKey, processors, reseal,
};
use crate::causes::chain;
use crate::keys::KeyRing;

/// `lifeboat reseal`.
#[derive(Args, Debug)]
#[command(
    after_help = "With --data the copy is sealed for that service's keys and signed by it; without, it is sealed for the\n\
                  --seal-for keys alone and signed by a key of its own, which no service knows.\n\n\
                  Examples:\n  lifeboat reseal nightly.zip -o copy.zip --identity old.txt --seal-for age1…\n  \
                  lifeboat reseal nightly.zip -o copy.zip --data /var/lib/lifeboat"
)]
pub struct ResealArgs {
    /// The archive
    file: PathBuf,
    /// Where the copy goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// A file with an identity that opens the archive, such as the recovery key; may be repeated
    #[arg(long, value_name = "FILE", required_unless_present = "data")]
    identity: Vec<PathBuf>,
    /// Seal for this public key; may be repeated
    #[arg(long, value_name = "AGE1…|FILE", required_unless_present = "data")]
    seal_for: Vec<String>,
    /// Use the keys in this data folder too
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Print exactly one JSON document on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Resealed {
    file: PathBuf,
    archive_id: Uuid,
    resealed_from: Option<Uuid>,
    sealed_for: Vec<Fingerprint>,
    signer: Fingerprint,
    size_bytes: u64,
    sha256: String,
}

/// Runs `reseal`.
///
/// # Errors
/// A damaged archive, one that no key opens, a file that is there; nothing is left at the name of the copy then.
pub fn run(args: ResealArgs) -> Result<(), CliError> {
    let output = Output::new(args.json);
    let doing = format!("reseal `{}`", args.file.display());
    if args.output.exists() && !args.force {
        let reason = format!("`{}` is there: pass --force to replace it", args.output.display());
        return Err(CliError::failed(doing, reason));
    }
    let mut all = recipients::read(&doing, &args.seal_for)?;
    let mut identities = Vec::new();
    for path in &args.identity {
        identities.extend(read_identities(&doing, path)?);
    }
    let mut signing_key = None;
    if let Some(folder) = &args.data {
        let ring = KeyRing::open(&folder.join("keys"), false, &[], &[])
            .map_err(|error| CliError::failed(&doing, chain(&error)))?;
        let keys = ring.current();
        all = keys.recipients_with(&all);
        identities.extend(keys.identities.iter().cloned());
        signing_key = Some(keys.signing.clone());
    }
    if signing_key.is_none() {
        note("lifeboat: the copy is signed by a new key that no service knows");
    }
    let signing_key = signing_key.unwrap_or_else(SigningKey::generate);
    let resealed = copy(&args, &doing, &identities, &all, &signing_key)?;
    output.show(&resealed, |resealed: &Resealed| {
        let mut lines = vec![
            ("file", resealed.file.display().to_string()),
            ("size", size(Some(resealed.size_bytes))),
            ("sha256", resealed.sha256.clone()),
            ("signer", resealed.signer.to_string()),
        ];
        lines.extend(resealed.sealed_for.iter().map(|key| ("sealed for", key.to_string())));
        pairs(&lines)
    });
    Ok(())
}

fn copy(
    args: &ResealArgs,
    doing: &str,
    identities: &[Identity],
    recipients: &[Recipient],
    signing_key: &SigningKey,
) -> Result<Resealed, CliError> {
    let failed = |error: ArchiveError| CliError::failed(doing, chain(&error));
    let in_folder = |error: io::Error| CliError::from_error(doing, &error);
    let file = File::open(&args.file).map_err(in_folder)?;
    let archive = Archive::open(file, Limits::default()).map_err(failed)?;
    read_through(&archive, "checking").map_err(failed)?;

    let folder =
        args.output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut partial = tempfile::Builder::new()
        .prefix(".lifeboat-")
        .suffix(".partial")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(in_folder)?;
    let options =
        Reseal { archive_id: Uuid::now_v7(), identities, recipients, signing_key, spool_dir: folder };
    let mut bar = progress::Bytes::new("sealing", Some(archive.size_bytes()));
    let (_, finished) = reseal(&archive, partial.as_file_mut(), options, &mut |done, _| {
        bar.set(done);
        ControlFlow::Continue(())
    })
    .map_err(failed)?;
    drop(bar);
    let written =
        Archive::open(File::open(partial.path()).map_err(in_folder)?, Limits::default()).map_err(failed)?;
    read_through(&written, "reading back").map_err(failed)?;
    keep(partial, &args.output).map_err(in_folder)?;
    Ok(Resealed {
        file: args.output.clone(),
        archive_id: options.archive_id,
        resealed_from: archive.manifest().map(|manifest| manifest.archive_id),
        sealed_for: recipients.iter().map(Recipient::fingerprint).collect(),
        signer: signing_key.public_key().fingerprint(),
        size_bytes: finished.size_bytes,
        sha256: finished.sha256.to_string(),
    })
}

fn read_through(archive: &Archive, label: &str) -> Result<(), ArchiveError> {
    let mut bar = progress::Bytes::new(label, Some(archive.size_bytes()));
    archive
        .verify(processors(), &mut |done, _| {
            bar.set(done);
            ControlFlow::Continue(())
        })
        .map(drop)
}

fn keep(written: NamedTempFile, target: &Path) -> io::Result<()> {
    written.as_file().sync_all()?;
    written.persist(target).map_err(|error| error.error)?;
    match target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

fn read_identities(doing: &str, path: &Path) -> Result<Vec<Identity>, CliError> {
    let wrong = |reason: String| CliError::failed(doing, format!("`{}`: {reason}", path.display()));
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|error| wrong(error.to_string()))?;
    Identity::parse_file(&text).map_err(|error| wrong(error.to_string()))
}
