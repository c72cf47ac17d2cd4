//! Private keys among the bytes of a file, found while it streams by.
//!
//! Whoever keeps a blueprint should know that it carries a key. Only enough
//! bytes to see a marker across two reads are kept.

use std::io::{self, Read};

/// What every PEM block begins with.
const BEGIN: &[u8] = b"-----BEGIN ";
/// What the label of a private key ends with; OpenSSH's own form has it too.
const PRIVATE: &[u8] = b"PRIVATE KEY-----";
/// The longest label between the two, e.g. `ENCRYPTED `.
const LONGEST_LABEL: usize = 32;
/// How the files of PuTTY begin.
const PUTTY: &[u8] = b"PuTTY-User-Key-File-";
const WINDOW: usize = BEGIN.len() + LONGEST_LABEL + PRIVATE.len();

/// Reads `reader` to its end and says whether a private key is in it.
pub(super) fn contains_key(mut reader: impl Read) -> io::Result<bool> {
    let mut buffer = vec![0; WINDOW + (64 << 10)];
    let mut kept = 0;
    let mut is_start = true;
    let mut found = false;
    loop {
        let read = match reader.read(&mut buffer[kept..]) {
            Ok(0) => return Ok(found || is_start && buffer[..kept].starts_with(PUTTY)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let filled = kept + read;
        let bytes = &buffer[..filled];
        if is_start && filled >= PUTTY.len() {
            found |= bytes.starts_with(PUTTY);
            is_start = false;
        }
        found |= has_pem(bytes);
        // Before the start is judged, all of it stays; it is shorter than the window.
        kept = filled.min(WINDOW);
        buffer.copy_within(filled - kept..filled, 0);
    }
}

fn has_pem(bytes: &[u8]) -> bool {
    bytes.windows(BEGIN.len()).enumerate().filter(|(_, window)| *window == BEGIN).any(|(at, _)| {
        let rest = &bytes[at + BEGIN.len()..];
        let label = &rest[..rest.len().min(LONGEST_LABEL + PRIVATE.len())];
        label.windows(PRIVATE.len()).position(|window| window == PRIVATE).is_some_and(|end| {
            label[..end]
                .iter()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ')
        })
    })
}
