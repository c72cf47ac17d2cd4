//! `lifeboat key`: the keys in a data folder, read offline.
//!
//! Shows public halves only, but for `recovery`, whose purpose is to hand one
//! secret over.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use zeroize::Zeroizing;

use super::error::CliError;
use super::output::{Output, note, pairs};
use super::prompt;
use crate::archive::{Fingerprint, Identity, KeyError, PublicKey, Recipient, SigningKey};

/// `lifeboat key`.
#[derive(Args, Debug)]
pub struct KeyArgs {
    /// The data folder of the service
    #[arg(long, global = true, value_name = "DIR", default_value = "data", env = "LIFEBOAT_DATA")]
    data: PathBuf,
    /// Print exactly one JSON document on stdout
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: KeyCommand,
}

/// What to do with keys.
#[derive(Subcommand, Debug)]
pub enum KeyCommand {
    /// Show the public halves of the keys and their fingerprints
    #[command(after_help = "Example: lifeboat key show --data /var/lib/lifeboat")]
    Show,
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

/// The public halves of all keys.
#[derive(Debug, Serialize)]
struct Shown {
    /// For whom parts are sealed; the first is the one in use.
    recipients: Vec<ShownRecipient>,
    signer: Option<ShownSigner>,
    /// The key that is kept elsewhere.
    recovery: Option<ShownRecipient>,
    /// Whether the secret half of the recovery key has left the data folder.
    recovery_is_taken: bool,
}

#[derive(Debug, Serialize)]
struct ShownRecipient {
    recipient: Recipient,
    fingerprint: Fingerprint,
}

#[derive(Debug, Serialize)]
struct ShownSigner {
    public_key: PublicKey,
    fingerprint: Fingerprint,
}

#[derive(Serialize)]
struct Recovery {
    recovery_key: String,
    fingerprint: Fingerprint,
}

impl From<Recipient> for ShownRecipient {
    fn from(recipient: Recipient) -> Self {
        Self { fingerprint: recipient.fingerprint(), recipient }
    }
}

/// Runs a `key` command.
pub fn run(args: KeyArgs) -> Result<(), CliError> {
    let output = Output::new(args.json);
    let folder = args.data.join("keys");
    match args.command {
        KeyCommand::Show => {
            let shown = show(&folder)?;
            output.show(&shown, shown_text);
            Ok(())
        }
        KeyCommand::Recovery { taken } => recovery(&folder, &output, taken, prompt::can_ask()),
    }
}

fn show(folder: &Path) -> Result<Shown, CliError> {
    let identities = identities(&folder.join("identity.txt"))?;
    let Some(identities) = identities else {
        let reason =
            format!("there is no `identity.txt` in `{}`: name the data folder with --data", folder.display());
        return Err(CliError::failed("show the keys", reason));
    };
    let signer = signer(&folder.join("signing.key"))?;
    Ok(Shown {
        recipients: identities.iter().map(|identity| identity.recipient().into()).collect(),
        signer: signer.map(|key| ShownSigner { fingerprint: key.fingerprint(), public_key: key }),
        recovery: recipient(&folder.join("recovery.pub"))?.map(ShownRecipient::from),
        recovery_is_taken: !folder.join("recovery.txt").exists(),
    })
}

fn shown_text(shown: &Shown) -> String {
    let mut lines = Vec::new();
    for key in &shown.recipients {
        lines.push(("recipient", key.recipient.to_string()));
        lines.push(("  fingerprint", key.fingerprint.to_string()));
    }
    if let Some(key) = &shown.signer {
        lines.push(("signer", key.public_key.to_string()));
        lines.push(("  fingerprint", key.fingerprint.to_string()));
    }
    if let Some(key) = &shown.recovery {
        lines.push(("recovery key", key.recipient.to_string()));
        lines.push(("  fingerprint", key.fingerprint.to_string()));
    }
    let place = match shown.recovery_is_taken {
        true => "taken away",
        false => "still in the data folder: take it away with `lifeboat key recovery`",
    };
    lines.push(("  secret half", place.into()));
    pairs(&lines)
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
    remove(&path, folder)
        .map_err(|error| CliError::failed(doing, format!("`{}`: {error}", path.display())))?;
    note("the recovery key is no longer in the data folder");
    Ok(())
}

fn remove(path: &Path, folder: &Path) -> io::Result<()> {
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

/// The public key in a file, or none where there is no file.
fn recipient(path: &Path) -> Result<Option<Recipient>, CliError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    String::from_utf8_lossy(&bytes).parse().map(Some).map_err(|error: KeyError| {
        CliError::failed("read the keys", format!("`{}`: {error}", path.display()))
    })
}

/// The public half of the signing key, kept as its 32 bytes or as their hexadecimal digits.
fn signer(path: &Path) -> Result<Option<PublicKey>, CliError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let decoded = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| hex::decode(text.trim()).ok())
        .map_or_else(|| Zeroizing::new(bytes.to_vec()), Zeroizing::new);
    SigningKey::from_bytes(&decoded)
        .map(|key| Some(key.public_key()))
        .map_err(|error| CliError::failed("read the keys", format!("`{}`: {error}", path.display())))
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
        let keys = crate::keys::Keys::open(folder.path(), true, &[], &[]).unwrap();
        let hex = fs::read(folder.path().join("signing.key")).unwrap();
        for key in [hex, keys.signing.to_secret_bytes().to_vec()] {
            fs::write(folder.path().join("signing.key"), key).unwrap();
            let shown = show(folder.path()).unwrap();
            let text = shown_text(&shown) + &serde_json::to_string(&shown).unwrap();
            for recipient in &keys.recipients {
                assert!(text.contains(&recipient.to_string()), "{text}");
                assert!(text.contains(&recipient.fingerprint().to_string()), "{text}");
            }
            assert!(text.contains(&keys.signing.public_key().to_string()), "{text}");
            assert!(!text.contains("AGE-SECRET-KEY") && !shown.recovery_is_taken, "{text}");
        }
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
