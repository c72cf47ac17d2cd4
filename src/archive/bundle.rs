//! Several files sealed as one part: a tar inside the seal.
//!
//! Its last member, `manifest.json`, lists path, size and hash of the others:
//! hashes of short secrets can be guessed from, so they are sealed, too.
//! Contents stay in memory that is wiped, one at a time where they are read one after
//! the other.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::MANIFEST;
use super::digest::Digest;
use super::error::ArchiveError;
use super::keys::{Identity, Recipient};
use super::name_table::NameTable;
use super::names;
use super::seal::{SealWriter, open_sealed};

/// What a tar adds to the sizes of its files at most, for each of them.
const OVERHEAD_BYTES: u64 = 16 << 10;

/// One file of a bundle, as the manifest inside lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InnerFile {
    pub path: String,
    pub size: u64,
    pub sha256: Digest,
}

#[derive(Serialize, Deserialize)]
struct InnerManifest {
    format: u32,
    files: Vec<InnerFile>,
}

/// Seals files one after the other into `sink`.
pub struct BundleWriter<W: Write> {
    tar: tar::Builder<SealWriter<W>>,
    names: NameTable,
    files: Vec<InnerFile>,
}

impl<W: Write> BundleWriter<W> {
    /// Begins a bundle for `recipients`.
    pub fn new(sink: W, recipients: &[Recipient]) -> Result<Self, ArchiveError> {
        Ok(Self {
            tar: tar::Builder::new(SealWriter::new(sink, recipients)?),
            names: NameTable::default(),
            files: Vec::new(),
        })
    }

    /// Adds a file; its path follows the rules of [`names::check`] and is not `manifest.json`.
    pub fn add(&mut self, path: &str, content: &[u8]) -> Result<(), ArchiveError> {
        names::check(path)?;
        if path == MANIFEST || path.ends_with('/') {
            return Err(ArchiveError::CannotAdd {
                entry: path.to_owned(),
                reason: "no file of a bundle has this name".into(),
            });
        }
        self.names.insert(path)?;
        self.append(path, content).map_err(ArchiveError::from_write)?;
        self.files.push(InnerFile {
            path: path.to_owned(),
            size: content.len() as u64,
            sha256: Digest::of(content),
        });
        Ok(())
    }

    /// Writes the manifest inside and the end, and gives the sink back.
    pub fn finish(mut self) -> Result<W, ArchiveError> {
        let manifest = InnerManifest { format: 1, files: std::mem::take(&mut self.files) };
        let document = serde_json::to_vec(&manifest).expect("strings, numbers and hashes always make JSON");
        self.append(MANIFEST, &document).map_err(ArchiveError::from_write)?;
        self.tar.into_inner().map_err(ArchiveError::from_write)?.finish()
    }

    fn append(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(content.len() as u64);
        self.tar.append_data(&mut header, path, content)
    }
}

/// What takes the files of a bundle one after the other: path and content.
pub type TakeFile<'a> = dyn FnMut(&str, Zeroizing<Vec<u8>>) -> ControlFlow<()> + 'a;

/// Opens a bundle and gives its files one after the other, each of at most `max_file_bytes`; breaking
/// ends with [`ArchiveError::Cancelled`].
///
/// What was given counts only once this has ended well: the manifest inside, with which each is
/// compared, is the last that comes, and after it the authenticated end of the ciphertext.
pub fn read_bundle<R: Read>(
    cipher: R,
    identities: &[Identity],
    max_file_bytes: u64,
    take: &mut TakeFile<'_>,
) -> Result<(), ArchiveError> {
    let plain = open_sealed(cipher, identities)?;
    let mut tar = tar::Archive::new(plain);
    let mut names = NameTable::default();
    let mut found: Vec<InnerFile> = Vec::new();
    let mut manifest = None;
    for member in tar.entries().map_err(ArchiveError::from_read)? {
        let mut member = member.map_err(tar_error)?;
        if manifest.is_some() {
            return Err(damaged("a file follows its manifest"));
        }
        if !member.header().entry_type().is_file() {
            return Err(damaged("it holds something that is no file"));
        }
        let path = String::from_utf8(member.path_bytes().into_owned())
            .map_err(|_| damaged("a path in it is not UTF-8"))?;
        names::check(&path)?;
        let is_manifest = path == MANIFEST;
        let most = if is_manifest { OVERHEAD_BYTES * (found.len() as u64 + 1) } else { max_file_bytes };
        if member.size() > most {
            return Err(ArchiveError::limit(&path, "bytes in a sealed bundle", most));
        }
        let size = usize::try_from(member.size()).unwrap_or(0);
        // Sized at once where that is modest, so that no copy of a secret is left behind by growth.
        let mut content = Zeroizing::new(Vec::with_capacity(size.min(16 << 20)));
        member.read_to_end(&mut content).map_err(tar_error)?;
        if is_manifest {
            manifest = Some(content);
            continue;
        }
        names.insert(&path)?;
        found.push(InnerFile { size: content.len() as u64, sha256: Digest::of(&content), path });
        if let Some(file) = found.last()
            && take(&file.path, content).is_break()
        {
            return Err(ArchiveError::Cancelled);
        }
    }
    read_to_end_of_seal(tar)?;
    let manifest = manifest.ok_or_else(|| damaged("it has no manifest inside"))?;
    let manifest: InnerManifest = serde_json::from_slice(&manifest)
        .map_err(|_| damaged("the manifest inside is not what was expected"))?;
    if manifest.format != 1 {
        return Err(ArchiveError::UnknownFormat { format: manifest.format.into() });
    }
    if manifest.files.len() != found.len() {
        return Err(damaged("the manifest inside lists other files"));
    }
    if manifest.files != found {
        return Err(damaged("a file is not what the manifest inside says"));
    }
    Ok(())
}

/// Reads on past the tar, so that the end of the ciphertext is seen to be genuine.
fn read_to_end_of_seal<R: Read>(tar: tar::Archive<R>) -> Result<(), ArchiveError> {
    io::copy(&mut tar.into_inner(), &mut io::sink()).map(drop).map_err(ArchiveError::from_read)
}

/// The tar reader wraps errors of ours, and its own show contents of headers.
fn tar_error(error: io::Error) -> ArchiveError {
    match error.downcast::<ArchiveError>() {
        Ok(own) => own,
        Err(_) => damaged("the tar inside makes no sense"),
    }
}

fn damaged(reason: &str) -> ArchiveError {
    ArchiveError::DamagedSeal { reason: reason.to_owned() }
}

/// Seals `files` into memory; the content of `credentials/<name>.age`.
#[cfg(test)]
pub(super) fn seal_bundle<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    recipients: &[Recipient],
) -> Result<Vec<u8>, ArchiveError> {
    let mut bundle = BundleWriter::new(Vec::new(), recipients)?;
    for (path, content) in files {
        bundle.add(path, content)?;
    }
    bundle.finish()
}

/// The files of a bundle, in the order in which they were sealed.
#[cfg(test)]
pub(super) fn open_bundle<R: Read>(
    cipher: R,
    identities: &[Identity],
    max_file_bytes: u64,
) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
    let mut files = Vec::new();
    read_bundle(cipher, identities, max_file_bytes, &mut |path, content| {
        files.push((path.to_owned(), content.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1 << 20;

    #[test]
    fn files_come_back_as_they_were_sealed() {
        let key = [Identity::generate()];
        let long = format!("keys/{}/id", "long-".repeat(40));
        let files = [("secrets", &b"{}"[..]), (&long, &b""[..]), ("b", &[0xff; 3000])];
        let sealed = seal_bundle(files, &[key[0].recipient()]).unwrap();
        let opened = open_bundle(&sealed[..], &key, 3000).unwrap();
        let expected = files.map(|(path, content)| (path.to_owned(), content.to_vec()));
        assert_eq!(opened, expected);
        let error = open_bundle(&sealed[..], &key, 2999).err().unwrap();
        assert!(matches!(error, ArchiveError::Limit { .. }), "{error}");
        let error = open_bundle(&sealed[..], &[Identity::generate()], LIMIT).err().unwrap();
        assert!(matches!(error, ArchiveError::NoKey { tried: 1 }), "{error}");
    }

    #[test]
    fn an_empty_bundle_is_a_bundle() {
        let key = [Identity::generate()];
        let sealed = seal_bundle([], &[key[0].recipient()]).unwrap();
        assert!(open_bundle(&sealed[..], &key, LIMIT).unwrap().is_empty());
    }

    #[test]
    fn names_that_leave_the_folder_or_come_twice_are_refused() {
        let key = Identity::generate();
        let recipients = [key.recipient()];
        for names in [&["../x"][..], &["a", "a"], &[MANIFEST], &["a/"], &["/a"]] {
            let files = names.iter().map(|name| (*name, &b"x"[..]));
            assert!(seal_bundle(files, &recipients).is_err(), "{names:?}");
        }
    }

    #[test]
    fn a_link_or_a_missing_manifest_inside_is_refused() {
        let key = [Identity::generate()];
        let seal_tar = |kind| {
            let writer = SealWriter::new(Vec::new(), &[key[0].recipient()]).unwrap();
            let mut tar = tar::Builder::new(writer);
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            match kind {
                tar::EntryType::Symlink => tar.append_link(&mut header, "a", "/etc/passwd").unwrap(),
                _ => tar.append_data(&mut header, "a", &b""[..]).unwrap(),
            }
            tar.into_inner().unwrap().finish().unwrap()
        };
        for kind in [tar::EntryType::Symlink, tar::EntryType::Regular] {
            let sealed = seal_tar(kind);
            let error = open_bundle(&sealed[..], &key, LIMIT).err().unwrap();
            assert!(matches!(error, ArchiveError::DamagedSeal { .. }), "{error}");
        }
    }
}
