//! The sealed parts of an archive that is about to be used: whether a key opens them, or what is missing without them.

use serde_json::{Value, json};

use crate::archive::{Archive, ArchiveError, open_sealed};
use crate::keys::Keys;
use crate::model::Execution;
use crate::sources::SourceError;
use crate::sources::embedded::LostMaterial;

use super::carrier::ArchiveSource;

/// The kinds of entities that only sealed parts hold.
const SEALED_KINDS: [&str; 3] = ["secrets", "agent_credentials", "private_keys"];
/// Where blueprints' archives lie that hold keys.
const BLUEPRINTS: &str = "credentials/blueprints/";

/// How many entities a report names at the most.
const REPORTED: usize = 1000;

/// What is done with the sealed parts of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// They are opened, and nothing is done where no key opens them.
    Wanted,
    /// They are passed over, and what is missing is told.
    PassedOver,
}

impl Sealed {
    /// What the caller of a restore asked for.
    pub fn of(execution: &Execution) -> Self {
        if execution.asks_for("skip_sealed") { Self::PassedOver } else { Self::Wanted }
    }

    /// Whether as many entities of this kind come out of the archive as it promises.
    pub fn brings(self, kind: &str) -> bool {
        self == Self::Wanted || !SEALED_KINDS.contains(&kind)
    }
}

/// Why an archive can't be used whose sealed parts are wanted: no key opens them, or they are damaged.
///
/// What the metadata says of keys may be wrong: the parts themselves are tried, as far as a key is needed for it.
pub(super) fn refusal(archive: &Archive, keys: &Keys, sealed: Sealed) -> Option<String> {
    if sealed == Sealed::PassedOver {
        return None;
    }
    // A piece of a part that was cut tells nothing by itself.
    let mut parts: Vec<&str> = archive.sealed_parts().map(|part| part.path).collect();
    parts.retain(|part| part.ends_with(".age"));
    parts.into_iter().find_map(|part| {
        let opened = archive.read(part).and_then(|cipher| open_sealed(cipher, &keys.identities).map(drop));
        match opened {
            Ok(()) => None,
            Err(ArchiveError::NoKey { .. }) => Some(no_key(archive)),
            Err(error) => {
                Some(format!("the sealed part `{part}` can't be opened: {error}; nothing was changed"))
            }
        }
    })
}

fn no_key(archive: &Archive) -> String {
    let sealed_for = archive.metadata().lifeboat.as_ref().map_or(&[][..], |ours| &ours.sealed_for);
    let keys: Vec<String> = sealed_for.iter().map(ToString::to_string).collect();
    format!(
        "sealed parts of the archive (secrets among them) are sealed for the keys {}, none of which is here: add one of their identity files to `encryption.identities`, or restore without the sealed parts by `skip_sealed`; nothing was changed",
        keys.join(", ")
    )
}

/// What entities of an archive lose, by name; nothing where the sealed parts are wanted.
pub(super) fn lost(archive: &Archive, keys: &Keys, sealed: Sealed) -> Result<LostMaterial, SourceError> {
    if sealed == Sealed::Wanted {
        return Ok(LostMaterial::default());
    }
    let opened = ArchiveSource::new(archive, &keys.identities);
    let entries = ArchiveSource::new(archive, &keys.identities).passing_over(sealed);
    LostMaterial::read(&entries, &opened)
}

/// What a restore without the sealed parts does not bring back; nothing where it brings all. The counts are of the whole
/// archive, `lost` of what comes.
pub(super) fn missing(archive: &Archive, sealed: Sealed, lost: &LostMaterial) -> Value {
    if sealed == Sealed::Wanted {
        return json!({ "outcome": "done" });
    }
    let parts: Vec<&str> = archive.sealed_parts().map(|part| part.path).collect();
    let counts = archive.manifest().map(|manifest| &manifest.counts);
    let count = |kind: &str| counts.and_then(|counts| counts.get(kind)).copied().unwrap_or(0);
    let blueprints = parts.iter().filter_map(|part| {
        let name = part.strip_prefix(BLUEPRINTS)?;
        name.strip_suffix(".tar.gz.age")
    });
    json!({
        "outcome": "skipped",
        "reason": "the restore was asked to leave the sealed parts out",
        "sealed_for": archive.metadata().lifeboat.as_ref().map(|ours| &ours.sealed_for),
        "missing": {
            "secrets": count("secrets"),
            "agent_credentials": count("agent_credentials"),
            "private_keys": count("private_keys"),
            "blueprint_archives": blueprints.collect::<Vec<_>>(),
        },
        "lost": &lost.named[..lost.named.len().min(REPORTED)],
        "lost_more": lost.named.len().saturating_sub(REPORTED),
        "unnamed": lost.unnamed.iter().filter(|kind| count(kind) > 0).collect::<Vec<_>>(),
    })
}
