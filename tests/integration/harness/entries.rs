//! What is in an archive, read with a zip reader that is not the service's.
//!
//! It must not know what the entries mean.

use std::io::{Cursor, Read};

use zip::ZipArchive;

/// An entry of an archive, in the order of the archive.
pub struct Entry {
    pub name: String,
    /// What it holds, uncompressed.
    pub content: Vec<u8>,
    /// Where its bytes begin in the archive.
    pub start: usize,
    /// How many bytes of the archive are its own.
    pub length: usize,
}

/// All entries of an archive; panics where it is no zip.
pub fn entries(archive: &[u8]) -> Vec<Entry> {
    let mut zip = ZipArchive::new(Cursor::new(archive)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut file = zip.by_index(index).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            Entry {
                name: file.name().unwrap().into_owned(),
                content,
                start: usize::try_from(file.data_start().unwrap()).unwrap(),
                length: usize::try_from(file.compressed_size()).unwrap(),
            }
        })
        .collect()
}

/// Panics where `canary` stands in the archive: in its raw bytes, in a name, in what an entry holds.
pub fn assert_hidden(archive: &[u8], canary: &str) {
    let holds = |bytes: &[u8]| bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
    assert!(!holds(archive), "`{canary}` stands in the archive's bytes");
    for entry in entries(archive) {
        assert!(!holds(entry.name.as_bytes()), "`{canary}` stands in the name `{}`", entry.name);
        assert!(!holds(&entry.content), "`{canary}` stands in the entry `{}`", entry.name);
    }
}
