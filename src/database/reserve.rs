//! Space on the disk that is kept for what has to be written when there is none left: the deletion that frees some, the
//! end of what ran.
//!
//! It is a file without content. It is given up for one write, and taken again from what is free afterwards.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustix::fs::FallocateFlags;

use crate::space::free_bytes;

/// How much is kept.
const RESERVE_BYTES: u64 = 2 << 20;
/// Where less is free than all of it, it is taken in pieces of so much.
const PIECE_BYTES: u64 = 64 << 10;

/// The kept space of one database.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// The space that the file `path` takes; nothing is taken yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Takes back what was given a moment ago, as far as there is space. What can't be had is no error: there is less for
    /// later.
    pub fn take_back(&self) {
        self.take(|_| true);
    }

    /// Takes what lacks of it, and leaves at least as much to others.
    pub fn take_share(&self) {
        self.take(|bytes| free_bytes(&self.path).is_ok_and(|free| free >= 2 * bytes));
    }

    fn take(&self, may: impl Fn(u64) -> bool) {
        let Ok(file) = File::options().create(true).truncate(false).write(true).open(&self.path) else {
            return;
        };
        let _ = file.set_permissions(Permissions::from_mode(0o600));
        let mut held = file.metadata().map_or(0, |metadata| metadata.len());
        while held < RESERVE_BYTES {
            let whole = RESERVE_BYTES - held;
            let more = [whole, PIECE_BYTES.min(whole)].into_iter().find(|bytes| {
                may(*bytes) && rustix::fs::fallocate(&file, FallocateFlags::empty(), held, *bytes).is_ok()
            });
            match more {
                Some(bytes) => held += bytes,
                None => return,
            }
        }
    }

    /// Gives it up; false where there was none.
    pub fn give(&self) -> bool {
        let held = fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        held > 0 && fs::remove_file(&self.path).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn what_is_kept_takes_space_and_is_given_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reserve");
        let reserve = Reserve::new(path.clone());
        assert!(!reserve.give());
        reserve.take_share();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.len(), metadata.blocks() * 512 >= RESERVE_BYTES), (RESERVE_BYTES, true));
        assert!(reserve.give() && !reserve.give());
        assert!(!path.exists());
    }
}
