//! A disk whose power can be cut: what was not made durable is gone, as after a real cut.
//!
//! It is an ext4 file system in a file. It must not know what is kept there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Ends the file system at once, without its log being written: `FS_IOC_SHUTDOWN` with `NOLOGFLUSH`.
const CUT: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// A mounted disk. Dropping it unmounts it.
pub struct PowerDisk {
    image: PathBuf,
    folder: PathBuf,
}

impl PowerDisk {
    /// Makes a disk of so many bytes and mounts it at `folder`, which is made.
    pub fn mount(folder: &Path, bytes: u64) -> Self {
        let image = folder.with_extension("image");
        fs::create_dir_all(folder).unwrap();
        File::create_new(&image).unwrap().set_len(bytes).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        let disk = Self { image, folder: folder.to_owned() };
        disk.attach();
        disk
    }

    /// Cuts the power. Whoever writes from now on gets an error.
    pub fn cut(&self) {
        run(Command::new("python3").args(["-c", CUT]).arg(&self.folder));
    }

    /// Gives the power back, when nobody uses the disk any more: what had become durable is there.
    pub fn restore(&self) {
        run(Command::new("umount").arg(&self.folder));
        self.attach();
    }

    fn attach(&self) {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.folder));
    }
}

impl Drop for PowerDisk {
    fn drop(&mut self) {
        // Lazily: a server that was killed a moment ago may still hold it.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: the tests of power cuts have to be run as root: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
