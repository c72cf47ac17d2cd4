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
use crate::archive::{Fingerprint, Identity, PublicKey, Recipient, SigningKey};

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
    /// Absent once it has been taken away.
    recovery: Option<ShownRecipient>,
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
    removed: bool,
}

impl From<&Identity> for ShownRecipient {
    fn from(identity: &Identity) -> Self {
        Self { recipient: identity.recipient(), fingerprint: identity.fingerprint() }
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
        KeyCommand::Recovery { taken } => recovery(&folder, &output, taken),
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
    let recovery = self::identities(&folder.join("recovery.txt"))?;
    Ok(Shown {
        recipients: identities.iter().map(ShownRecipient::from).collect(),
        signer: signer.map(|key| ShownSigner { fingerprint: key.fingerprint(), public_key: key }),
        recovery: recovery.as_ref().and_then(|all| all.first()).map(ShownRecipient::from),
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
    match &shown.recovery {
        Some(key) => {
            lines.push(("recovery key", key.recipient.to_string()));
            lines.push(("  fingerprint", key.fingerprint.to_string()));
            lines.push(("", "still in the data folder: take it away with `lifeboat key recovery`".into()));
        }
        None => lines.push(("recovery key", "taken away".into())),
    }
    pairs(&lines)
}

fn recovery(folder: &Path, output: &Output, taken: bool) -> Result<(), CliError> {
    let doing = "take the recovery key";
    let path = folder.join("recovery.txt");
    let Some(identity) = identities(&path)?.and_then(|all| all.into_iter().next()) else {
        let reason = format!(
            "there is none in `{}`: it was taken away, or --data names another folder",
            folder.display()
        );
        return Err(CliError::failed(doing, reason));
    };
    let secret = identity.to_secret_text();
    let is_asked = !taken && prompt::can_ask();
    let show = |removed: bool| {
        let document =
            Recovery { recovery_key: secret.to_string(), fingerprint: identity.fingerprint(), removed };
        output.show(&document, |document| document.recovery_key.clone());
        // What nobody has got must not be removed.
        if output.is_closed() {
            Err(CliError::failed(doing, "it could not be printed, so it stays"))
        } else {
            Ok(())
        }
    };
    if is_asked {
        note(&format!("The recovery key is:\n\n{}\n", secret.as_str()));
        prompt::confirm(doing, "It will be removed from the data folder.", "taken")?;
        remove(&path, folder)
            .map_err(|error| CliError::failed(doing, format!("`{}`: {error}", path.display())))?;
        note("It is removed.");
        return if output.is_json() { show(true) } else { Ok(()) };
    }
    show(taken)?;
    if taken {
        remove(&path, folder)
            .map_err(|error| CliError::failed(doing, format!("`{}`: {error}", path.display())))?;
    } else {
        note("it is still in the data folder: keep it elsewhere, then remove it with --taken");
    }
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
    fn public_halves_are_shown_and_secret_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (identity, recovery, signing) =
            (Identity::generate(), Identity::generate(), SigningKey::generate());
        fs::write(folder.path().join("identity.txt"), identity.to_secret_text().as_bytes()).unwrap();
        fs::write(folder.path().join("recovery.txt"), format!("# keep\n{}\n", *recovery.to_secret_text()))
            .unwrap();
        for key in [signing.to_secret_bytes().to_vec(), hex::encode(*signing.to_secret_bytes()).into_bytes()]
        {
            fs::write(folder.path().join("signing.key"), key).unwrap();
            let shown = show(folder.path()).unwrap();
            let text = shown_text(&shown) + &serde_json::to_string(&shown).unwrap();
            assert!(text.contains(&identity.recipient().to_string()), "{text}");
            assert!(text.contains(&recovery.fingerprint().to_string()), "{text}");
            assert!(text.contains(&signing.public_key().to_string()), "{text}");
            assert!(!text.contains("AGE-SECRET-KEY"), "{text}");
        }
    }

    #[test]
    fn the_recovery_key_is_removed_only_when_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recovery.txt");
        fs::write(&path, Identity::generate().to_secret_text().as_bytes()).unwrap();
        let output = Output::new(true);
        // Without a terminal nobody can be asked, so it stays.
        recovery(folder.path(), &output, false).unwrap();
        assert!(path.exists());
        recovery(folder.path(), &output, true).unwrap();
        assert!(!path.exists());
        assert!(recovery(folder.path(), &output, true).is_err());
    }

    #[test]
    fn a_folder_without_keys_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = show(folder.path()).unwrap_err().to_string();
        assert!(error.contains("--data"), "{error}");
    }
}
