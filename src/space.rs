//! How much may still be written.

use std::io;
use std::path::Path;

/// How many bytes may be written on the file system of a path.
///
/// # Errors
/// The file system's own.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let space = rustix::fs::statvfs(path).map_err(io::Error::from)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}
