//! A small disk of its own for a server's data, which a test fills to the last byte and frees again.
//!
//! It knows how to mount a file system in memory; it must not know what is kept there.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The file that takes the rest of the space.
const FILLER: &str = "filler";
/// How often it is looked in vain whether space has come back, and how long lies between two looks.
const LOOKS: u32 = 15;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// A mounted disk. Dropping it unmounts it; whatever is on it is gone.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts a disk of so many bytes and files at `path`, which is made.
    pub fn mount(path: &Path, bytes: u64, files: u64) -> Self {
        fs::create_dir_all(path).unwrap();
        let options = format!("size={bytes},nr_inodes={files},mode=0700");
        let output =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).output().unwrap();
        assert!(
            output.status.success(),
            "a small disk can't be mounted: the tests of a full disk have to be run as root: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self(path.to_owned())
    }

    /// Takes all the space that is left, but for this much. What somebody has removed may be given back a moment later:
    /// that is taken too, until nothing has come for a while.
    pub fn fill(&self, spare_bytes: u64) {
        let mut filler = File::options().create(true).append(true).open(self.0.join(FILLER)).unwrap();
        let mut looks_in_vain = 0;
        while looks_in_vain < LOOKS {
            looks_in_vain = if take_all(&mut filler) { 0 } else { looks_in_vain + 1 };
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let length = filler.metadata().unwrap().len();
        filler.set_len(length.saturating_sub(spare_bytes)).unwrap();
    }

    /// Gives back what [`SmallDisk::fill`] took.
    pub fn free(&self) {
        fs::remove_file(self.0.join(FILLER)).unwrap();
    }
}

/// Answers whether there was any space.
fn take_all(filler: &mut File) -> bool {
    let before = filler.metadata().unwrap().len();
    for block in [vec![0; 64 << 10], vec![0; 4 << 10], vec![0; 1]] {
        loop {
            match filler.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("the disk can't be filled: {error}"),
            }
        }
    }
    filler.metadata().unwrap().len() > before
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that was killed a moment ago may still hold it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
