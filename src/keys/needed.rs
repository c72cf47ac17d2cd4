//! Which archives a key is still needed for.

use std::fs::File;

use crate::archive::{Archive, ArchiveError, Fingerprint, Limits};

/// Whether `key` opens the sealed parts of this archive and none of `others` does. The recovery key is kept elsewhere,
/// so it is no other.
///
/// # Errors
/// What opening the archive says.
pub fn needs(
    archive: File,
    limits: &Limits,
    key: &Fingerprint,
    others: &[Fingerprint],
) -> Result<bool, ArchiveError> {
    let archive = Archive::open(archive, limits.clone())?;
    let sealed_for = archive.metadata().lifeboat.as_ref().map_or(&[][..], |own| &own.sealed_for);
    Ok(archive.sealed_parts().next().is_some()
        && sealed_for.contains(key)
        && !others.iter().any(|other| sealed_for.contains(other)))
}
