//! What passes from the reading of a cut to whom it is written for, and its form in the spool.
//!
//! The form is read by the process that wrote it and by nobody else.

use std::io;

use zeroize::Zeroizing;

use crate::manager::{Place, Vault};
use crate::model::BlobId;

/// One step of the writing, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// How many rows were read until here.
    pub rows: u64,
    pub entry: Entry,
}

/// What is written. Files are only named: the cut keeps them, so they are opened when their turn comes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Folder(String),
    Bytes {
        name: String,
        content: Vec<u8>,
    },
    Blob {
        name: String,
        blob: BlobId,
        /// What it is the archive of, for messages.
        of: String,
    },
    /// A sealed part of one long content.
    SealedBlob {
        name: String,
        blob: BlobId,
        of: String,
    },
    /// A sealed part of several contents begins; they follow, and the end.
    Sealed(String),
    Content {
        path: String,
        content: Zeroizing<Vec<u8>>,
    },
    SealedEnd,
}

/// About how much a step takes in memory beside its content.
const STEP_BYTES: usize = 128;

impl Step {
    /// About how many bytes it holds in memory.
    pub fn size_bytes(&self) -> usize {
        let content = match &self.entry {
            Entry::Bytes { content, .. } => content.len(),
            Entry::Content { content, .. } => content.len(),
            Entry::Folder(_)
            | Entry::Blob { .. }
            | Entry::SealedBlob { .. }
            | Entry::Sealed(_)
            | Entry::SealedEnd => 0,
        };
        content + STEP_BYTES
    }

    /// Appends its form to `out`. What is to be sealed is sealed by `vault`, as it is in the database.
    ///
    /// # Errors
    /// A content that is too long to be sealed.
    pub fn put(&self, vault: &Vault, out: &mut Vec<u8>) -> io::Result<()> {
        out.extend(self.rows.to_le_bytes());
        match &self.entry {
            Entry::Folder(name) => put(out, 0, &[name.as_bytes()]),
            Entry::Bytes { name, content } => put(out, 1, &[name.as_bytes(), content]),
            Entry::Blob { name, blob, of } => {
                put(out, 2, &[name.as_bytes(), blob.as_str().as_bytes(), of.as_bytes()]);
            }
            Entry::SealedBlob { name, blob, of } => {
                put(out, 3, &[name.as_bytes(), blob.as_str().as_bytes(), of.as_bytes()]);
            }
            Entry::Sealed(name) => put(out, 4, &[name.as_bytes()]),
            Entry::Content { path, content } => {
                let sealed = vault.seal(place(path), content).map_err(io::Error::other)?;
                put(out, 5, &[path.as_bytes(), &sealed]);
            }
            Entry::SealedEnd => put(out, 6, &[]),
        }
        Ok(())
    }

    /// Takes one off the beginning of `bytes`.
    ///
    /// # Errors
    /// What [`Step::put`] didn't write.
    pub fn take(vault: &Vault, bytes: &mut &[u8]) -> io::Result<Self> {
        let (rows, rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
        let (kind, rest) = rest.split_first().ok_or_else(damaged)?;
        *bytes = rest;
        let entry = match kind {
            0 => Entry::Folder(text(bytes)?),
            1 => Entry::Bytes { name: text(bytes)?, content: part(bytes)?.to_vec() },
            2 => Entry::Blob { name: text(bytes)?, blob: blob(bytes)?, of: text(bytes)? },
            3 => Entry::SealedBlob { name: text(bytes)?, blob: blob(bytes)?, of: text(bytes)? },
            4 => Entry::Sealed(text(bytes)?),
            5 => {
                let path = text(bytes)?;
                let content = vault.open(place(&path), part(bytes)?).map_err(io::Error::other)?;
                Entry::Content { path, content }
            }
            6 => Entry::SealedEnd,
            _ => return Err(damaged()),
        };
        Ok(Self { rows: u64::from_le_bytes(*rows), entry })
    }
}

fn place(path: &str) -> Place<'_> {
    Place { kind: "spool", tenant: "", key: path }
}

pub(super) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the spool is not what was written")
}

fn put(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    out.push(kind);
    for part in parts {
        out.extend((part.len() as u64).to_le_bytes());
        out.extend(*part);
    }
}

fn part<'a>(bytes: &mut &'a [u8]) -> io::Result<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged())?;
    let (part, rest) = rest.split_at_checked(length).ok_or_else(damaged)?;
    *bytes = rest;
    Ok(part)
}

fn text(bytes: &mut &[u8]) -> io::Result<String> {
    String::from_utf8(part(bytes)?.to_vec()).map_err(|_| damaged())
}

fn blob(bytes: &mut &[u8]) -> io::Result<BlobId> {
    BlobId::parse(&text(bytes)?).ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn one_of_each() -> Vec<Step> {
        let blob = BlobId::from_digest(&[7; 32]);
        let entries = [
            Entry::Folder("tenants/north/".to_owned()),
            Entry::Bytes { name: "tenants/north/1.json".to_owned(), content: b"{}".to_vec() },
            Entry::Blob { name: "a.zip".to_owned(), blob: blob.clone(), of: "plugin `a`".to_owned() },
            Entry::SealedBlob { name: "b".to_owned(), blob, of: "blueprint `b`".to_owned() },
            Entry::Sealed("secrets".to_owned()),
            Entry::Content { path: "x".to_owned(), content: Zeroizing::new(b"canary-hunter2".to_vec()) },
            Entry::SealedEnd,
        ];
        entries.into_iter().enumerate().map(|(rows, entry)| Step { rows: rows as u64, entry }).collect()
    }

    #[test]
    fn what_is_put_is_taken_and_sealed_contents_are_not_to_be_read() {
        let vault = Vault::new(&[1; 32]);
        let mut bytes = Vec::new();
        for step in one_of_each() {
            step.put(&vault, &mut bytes).unwrap();
        }
        assert!(!bytes.windows(6).any(|window| window == b"canary"));
        let mut rest = bytes.as_slice();
        for step in one_of_each() {
            assert_eq!(Step::take(&vault, &mut rest).unwrap(), step);
        }
        assert!(rest.is_empty());
        assert!(Step::take(&vault, &mut rest).is_err());
        // Cut anywhere, it is refused and nothing else.
        for length in 0..bytes.len() {
            let mut rest = &bytes[..length];
            while Step::take(&vault, &mut rest).is_ok() {}
        }
    }
}
