//! `lifeboat key`: the keys of a running service, or of a data folder without any service.
//!
//! Shows public halves only, but for `recovery`, whose purpose is to hand one
//! secret over.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::connection::{Call, ConnectionArgs, Service};
use super::error::CliError;
use super::output::{Output, field, note, pairs};
use super::prompt;
use crate::archive::{Fingerprint, Identity, Limits};
use crate::causes::chain;
use crate::keys::{KeyRing, KeysError, needs};

/// `lifeboat key`.
#[derive(Args, Debug)]
pub struct KeyArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Work on this data folder, without its service
    #[arg(long, global = true, value_name = "DIR", env = "LIFEBOAT_DATA")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: KeyCommand,
}

/// What to do with keys.
#[derive(Subcommand, Debug)]
pub enum KeyCommand {
    /// Show the public halves of the keys and their fingerprints
    #[command(
        after_help = "Examples:\n  lifeboat key show\n  lifeboat key show --data /var/lib/lifeboat\n  \
                            lifeboat key show --json > for-the-other-manager.json"
    )]
    Show,
    /// Seal what comes for a new key; the former one still opens what was sealed for it
    #[command(
        after_help = "A running service takes the new key at once, also from a data folder that it uses.\n\
                      The recovery key and the key of values at rest stay."
    )]
    Rotate {
        /// Sign what comes by a new key too
        #[arg(long)]
        signer: bool,
    },
    /// Forget a key that a rotation retired
    #[command(
        after_help = "Refused while archives are sealed for it and for no other key that is here, unless --force is \
                      given.\n\nExample: lifeboat key remove 5d1f0b2c9be1f4a8d33c5ab1a5f2c6e7"
    )]
    Remove {
        /// Which, as `key show` names it
        fingerprint: String,
        /// Even if archives can't be opened here any more
        #[arg(long)]
        force: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Print the recovery key, to be kept elsewhere, and remove it from the data folder
    #[command(
        after_help = "The recovery key opens every sealed part of every archive of this service: print it,\n\
                      or keep it in a safe that outlives the machine."
    )]
    Recovery {
        /// Remove it without asking whether it was taken
        #[arg(long)]
        taken: bool,
    },
}

#[derive(Serialize)]
struct Recovery {
    recovery_key: String,
    fingerprint: Fingerprint,
}

/// Where the keys are.
enum Place {
    Service(Box<Service>),
    Folder(PathBuf),
}

/// Runs a `key` command.
pub fn run(args: KeyArgs) -> Result<(), CliError> {
    let output = Output::new(args.connection.json);
    if let KeyCommand::Recovery { taken } = args.command {
        let folder = args.data.unwrap_or_else(|| PathBuf::from("data")).join("keys");
        return recovery(&folder, &output, taken, prompt::can_ask());
    }
    let place = match args.data {
        Some(folder) => Place::Folder(folder),
        None => Place::Service(Box::new(Service::connect(&args.connection)?)),
    };
    match args.command {
        KeyCommand::Show | KeyCommand::Recovery { .. } => {
            let shown = match &place {
                Place::Service(service) => service.call(Call::get("show the keys", &["service", "keys"]))?,
                Place::Folder(folder) => show(&folder.join("keys"))?,
            };
            output.show(&shown, shown_text);
        }
        KeyCommand::Rotate { signer } => {
            let rotated = rotate(&place, signer)?;
            output.show(&rotated, rotated_text);
        }
        KeyCommand::Remove { fingerprint, force, yes } => {
            let doing = format!("remove the key `{fingerprint}`");
            if !yes {
                let warning =
                    "What is sealed for this key only can't be opened here any more. There is no way back.";
                prompt::confirm_or_refuse(&doing, warning, "remove")?;
            }
            let removed = remove(&place, &doing, &fingerprint, force)?;
            output.show(&removed, |removed| match removed["shut"].as_array() {
                Some(shut) if !shut.is_empty() => {
                    format!("the key `{fingerprint}` is gone; {} archive(s) stay shut", shut.len())
                }
                _ => format!("the key `{fingerprint}` is gone"),
            });
        }
    }
    Ok(())
}

/// The keys of a data folder that is there.
fn ring(folder: &Path, doing: &str) -> Result<KeyRing, CliError> {
    // Nothing is made by looking.
    if !folder.join("identity.txt").exists() {
        let reason =
            format!("there is no `identity.txt` in `{}`: name the data folder with --data", folder.display());
        return Err(CliError::failed(doing, reason));
    }
    KeyRing::open(folder, false, &[], &[]).map_err(|error| failed(doing, &error))
}

fn failed(doing: &str, error: &KeysError) -> CliError {
    CliError::failed(doing, chain(error))
}

fn show(folder: &Path) -> Result<Value, CliError> {
    let doing = "show the keys";
    let ring = ring(folder, doing)?;
    let mut shown =
        serde_json::to_value(&ring.current().public).map_err(|error| CliError::from_error(doing, &error))?;
    shown["recovery_is_taken"] = ring.is_recovery_taken().into();
    Ok(shown)
}

fn shown_text(shown: &Value) -> String {
    let mut lines = Vec::new();
    let mut add = |label: &'static str, key: &Value, public: &str| {
        lines.push((label, field(key, public)));
        lines.push(("  fingerprint", field(key, "fingerprint")));
        for (label, name) in [("  since", "since"), ("  until", "until")] {
            if !key[name].is_null() {
                lines.push((label, field(key, name)));
            }
        }
    };
    let list = |name: &str| shown[name].as_array().cloned().unwrap_or_default();
    let identities = list("identities");
    for key in list("recipients") {
        // The own one is an identity as well, which says since when.
        let known = identities.iter().find(|other| other["fingerprint"] == key["fingerprint"]);
        let label = if key["origin"] == "own" { "recipient" } else { "further recipient" };
        add(label, known.unwrap_or(&key), "recipient");
    }
    for key in identities.iter().filter(|key| key["origin"] != "own") {
        let label = if key["origin"] == "old" { "old identity" } else { "further identity" };
        add(label, key, "recipient");
    }
    add("signer", &shown["signer"], "public_key");
    for key in list("old_signers") {
        add("old signer", &key, "public_key");
    }
    add("recovery key", &shown["recovery"], "recipient");
    // Only a data folder tells.
    if let Some(is_taken) = shown["recovery_is_taken"].as_bool() {
        let place = match is_taken {
            true => "taken away",
            false => "still in the data folder: take it away with `lifeboat key recovery`",
        };
        lines.push(("  secret half", place.into()));
    }
    pairs(&lines)
}

fn rotate(place: &Place, signer: bool) -> Result<Value, CliError> {
    let doing = "rotate the keys";
    match place {
        Place::Service(service) => {
            let call = Call::new(Method::POST, doing, &["service", "keys", "rotate"]);
            service.call(call.body(json!({ "signer": signer })))
        }
        Place::Folder(folder) => {
            let rotated = ring(&folder.join("keys"), doing)?.rotate(signer);
            let rotated = rotated.map_err(|error| failed(doing, &error))?;
            serde_json::to_value(&rotated).map_err(|error| CliError::from_error(doing, &error))
        }
    }
}

fn rotated_text(rotated: &Value) -> String {
    let mut lines = vec![
        ("recipient", field(rotated, "recipient")),
        ("  fingerprint", field(rotated, "fingerprint")),
        ("old identity", field(rotated, "retired")),
    ];
    if rotated["signer"].is_object() {
        lines.push(("signer", field(&rotated["signer"], "public_key")));
        lines.push(("  fingerprint", field(&rotated["signer"], "fingerprint")));
    }
    pairs(&lines)
}

fn remove(place: &Place, doing: &str, fingerprint: &str, force: bool) -> Result<Value, CliError> {
    match place {
        Place::Service(service) => {
            let call = Call::new(Method::DELETE, doing, &["service", "keys", fingerprint]);
            service.call(call.query("force", force.to_string()))
        }
        Place::Folder(folder) => remove_offline(folder, doing, fingerprint, force),
    }
}

fn remove_offline(folder: &Path, doing: &str, fingerprint: &str, force: bool) -> Result<Value, CliError> {
    let ring = ring(&folder.join("keys"), doing)?;
    let (key, others) = ring.removable(fingerprint).map_err(|error| failed(doing, &error))?;
    let shut = match key {
        Some(key) => needing(&folder.join("archives"), doing, &key, &others)?,
        None => Vec::new(),
    };
    if !shut.is_empty() && !force {
        let reason = format!(
            "no other key in the data folder opens {} archive(s), `{}` among them: reseal them first, or pass --force",
            shut.len(),
            shut[0]
        );
        return Err(CliError::failed(doing, reason));
    }
    let removed = ring.remove(fingerprint).map_err(|error| failed(doing, &error))?;
    let mut removed = serde_json::to_value(&removed).map_err(|error| CliError::from_error(doing, &error))?;
    removed["shut"] = json!(shut);
    Ok(removed)
}

/// The files of archives that only `key` opens.
fn needing(
    folder: &Path,
    doing: &str,
    key: &Fingerprint,
    others: &[Fingerprint],
) -> Result<Vec<String>, CliError> {
    let wrong =
        |path: &Path, reason: String| CliError::failed(doing, format!("`{}`: {reason}", path.display()));
    let mut needing = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| wrong(folder, error.to_string()))? {
        let path = entry.map_err(|error| wrong(folder, error.to_string()))?.path();
        let archive = File::open(&path).map_err(|error| wrong(&path, error.to_string()))?;
        match needs(archive, &Limits::default(), key, others) {
            Ok(true) => needing.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned()),
            Ok(false) => {}
            // What is damaged opens with no key.
            Err(error) if error.is_refusal() => note(&format!("lifeboat: `{}`: {error}", path.display())),
            Err(error) => return Err(wrong(&path, chain(&error))),
        }
    }
    needing.sort();
    Ok(needing)
}

/// Hands the recovery key over; removes it where somebody `is_there` confirms, or it `is_taken` for sure.
fn recovery(folder: &Path, output: &Output, is_taken: bool, is_there: bool) -> Result<(), CliError> {
    let doing = "take the recovery key";
    let path = folder.join("recovery.txt");
    let Some(identity) = identities(&path)?.and_then(|all| all.into_iter().next()) else {
        let reason = format!(
            "there is none in `{}`: it was taken away, or --data names another folder",
            folder.display()
        );
        return Err(CliError::failed(doing, reason));
    };
    let document =
        Recovery { recovery_key: identity.to_secret_text().to_string(), fingerprint: identity.fingerprint() };
    output.show(&document, |document| document.recovery_key.clone());
    if output.is_closed() {
        return Err(CliError::failed(doing, "it could not be printed, so it stays"));
    }
    if !is_taken && !is_there {
        note("it is still in the data folder: keep it elsewhere, then remove it with --taken");
        return Ok(());
    }
    if !is_taken {
        prompt::confirm(doing, "Keep this elsewhere. It will be removed from the data folder.", "taken")?;
    }
    take_away(&path, folder)
        .map_err(|error| CliError::failed(doing, format!("`{}`: {error}", path.display())))?;
    note("the recovery key is no longer in the data folder");
    Ok(())
}

fn take_away(path: &Path, folder: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    File::open(folder)?.sync_all()
}

/// The identities of a key file, or none where there is no file.
fn identities(path: &Path) -> Result<Option<Vec<Identity>>, CliError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let failed =
        |reason: String| CliError::failed("read the keys", format!("`{}`: {reason}", path.display()));
    let text = std::str::from_utf8(&bytes).map_err(|_| failed("it is not text".into()))?;
    Identity::parse_file(text).map(Some).map_err(|error| failed(error.to_string()))
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, CliError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliError::failed("read the keys", format!("`{}`: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_halves_of_the_service_s_keys_are_shown_and_secret_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(folder.path(), true, &[], &[]).unwrap();
        ring.rotate(true).unwrap();
        let keys = ring.current();
        let shown = show(folder.path()).unwrap();
        let text = shown_text(&shown);
        for text in [&text, &shown.to_string()] {
            for identity in &keys.identities {
                assert!(text.contains(&identity.recipient().to_string()), "{text}");
                assert!(text.contains(identity.fingerprint().as_str()), "{text}");
                assert!(!text.contains(&identity.to_secret_text()[20..40]), "{text}");
            }
            assert!(text.contains(&keys.signing.public_key().to_string()), "{text}");
            assert!(text.contains(&keys.public.old_signers[0].public_key.to_string()), "{text}");
            assert!(text.contains(&keys.recipients[1].to_string()), "{text}");
            assert!(!text.contains("AGE-SECRET-KEY"), "{text}");
        }
        assert_eq!(shown["recovery_is_taken"], false);
    }

    #[test]
    fn the_recovery_key_is_removed_only_when_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recovery.txt");
        fs::write(&path, Identity::generate().to_secret_text().as_bytes()).unwrap();
        let output = Output::new(true);
        // Nobody is there to be asked, so it stays.
        recovery(folder.path(), &output, false, false).unwrap();
        assert!(path.exists());
        recovery(folder.path(), &output, true, false).unwrap();
        assert!(!path.exists());
        assert!(recovery(folder.path(), &output, true, false).is_err());
    }

    #[test]
    fn a_folder_without_keys_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = show(folder.path()).unwrap_err().to_string();
        assert!(error.contains("--data"), "{error}");
    }
}
