//! Public keys that a command line names: as they are, in a file of keys, or in another Lifeboat's list of its own.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::error::CliError;
use crate::archive::{KeyError, Recipient};

/// The longest file of keys that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Reads what `--seal-for` names, each once: `age1…`, or a file.
///
/// # Errors
/// Usage, where a text is no key and a file holds none or something else.
pub fn read(doing: &str, named: &[String]) -> Result<Vec<Recipient>, CliError> {
    let mut recipients: Vec<Recipient> = Vec::new();
    for text in named {
        let found = match text.starts_with("age1") {
            true => vec![text.parse().map_err(|error: KeyError| CliError::usage(doing, error.to_string()))?],
            false => in_file(doing, Path::new(text))?,
        };
        for recipient in found {
            if !recipients.contains(&recipient) {
                recipients.push(recipient);
            }
        }
    }
    Ok(recipients)
}

/// The keys in a file: one a line as age has them, or what `lifeboat key show --json` says, of which the service's own
/// key is meant.
fn in_file(doing: &str, path: &Path) -> Result<Vec<Recipient>, CliError> {
    let wrong = |reason: String| CliError::usage(doing, format!("`{}`: {reason}", path.display()));
    let length = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if length > MOST_BYTES {
        return Err(wrong("it is too long for a file of keys".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let lines: Vec<String> = match serde_json::from_str::<Value>(&text) {
        Ok(document) => {
            let own = document["recipients"].as_array().into_iter().flatten();
            let own = own.filter(|key| key["origin"] == "own");
            own.filter_map(|key| key["recipient"].as_str()).map(str::to_owned).collect()
        }
        Err(_) => text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect(),
    };
    if lines.is_empty() {
        return Err(wrong("it holds no public key".to_owned()));
    }
    lines.iter().map(|line| line.parse().map_err(|error: KeyError| wrong(error.to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Identity;

    #[test]
    fn keys_are_named_as_they_are_or_by_a_file_of_either_form() {
        let folder = tempfile::tempdir().unwrap();
        let keys = [0; 3].map(|_| Identity::generate().recipient());
        let lines = folder.path().join("keys.txt");
        fs::write(&lines, format!("# ours\n{}\n\n{}\n", keys[0], keys[1])).unwrap();
        let shown = folder.path().join("keys.json");
        let document = serde_json::json!({ "recipients": [
            { "recipient": keys[2], "origin": "own" }, { "recipient": keys[0], "origin": "settings" },
        ]});
        fs::write(&shown, document.to_string()).unwrap();
        let name = |path: &Path| path.to_str().unwrap().to_owned();
        let named = [keys[1].to_string(), name(&lines), name(&shown)];
        let expected = [keys[1].clone(), keys[0].clone(), keys[2].clone()];
        assert_eq!(read("test", &named).unwrap(), expected);
        let secret = folder.path().join("identity.txt");
        let identity = Identity::generate().to_secret_text();
        fs::write(&secret, identity.as_bytes()).unwrap();
        for wrong in ["age1nonsense".to_owned(), name(&secret), name(&folder.path().join("none"))] {
            let error = read("test", &[wrong]).unwrap_err().to_string();
            assert!(!error.contains(&identity[20..40]), "{error}");
        }
    }
}
