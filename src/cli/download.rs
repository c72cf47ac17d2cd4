//! Fetches an archive or a picture into a file: all of it or none; an archive is checked, and fetched from where an earlier
//! try ended.
//!
//! The bytes are collected in `FILE.part` beside the target, which only gets its
//! name when length and SHA-256 are right.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use reqwest::Method;
use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::connection::{Call, Service};
use super::error::{CliError, FailureKind};
use super::progress;

/// How often in a row a broken transfer is taken up again without having got any further.
const MOST_IDLE_TRIES: u32 = 5;

/// An archive that is on the disk, whole.
#[derive(Debug, Serialize)]
pub struct Downloaded {
    /// The snapshot.
    pub id: String,
    /// The file.
    pub file: PathBuf,
    /// Its length.
    pub size_bytes: u64,
    /// Its hash, in hex.
    pub sha256: String,
    /// Whether the hash was compared with one that the service told.
    pub is_checked: bool,
    /// Bytes that were there from an earlier try.
    pub resumed_from_bytes: u64,
}

/// Downloads the archive of `id` to `target`; replaces a file that is there only with `force`.
///
/// # Errors
/// Where the target exists, the service refuses, the connection stays broken (`FILE.part` is kept
/// and the next try goes on from it), or the bytes are not what the service says they are.
pub fn download(service: &Service, id: &str, target: &Path, force: bool) -> Result<Downloaded, CliError> {
    let doing = format!("download snapshot `{id}`");
    refuse_existing(&doing, target, force)?;
    let record = service.call(Call::get(&doing, &["snapshots", id]))?;
    let part = Part::open(&doing, target)?;
    let label = format!("downloading `{id}`");
    let mut transfer = Transfer {
        service,
        id,
        doing: &doing,
        size_bytes: record["size_bytes"].as_u64(),
        sha256: record["sha256"].as_str().map(str::to_ascii_lowercase),
        progress: progress::Bytes::new(label, record["size_bytes"].as_u64()),
        hasher: Sha256::new(),
        length: 0,
        part,
    };
    transfer.hash_what_is_there()?;
    let mut resumed_from_bytes = transfer.length;
    transfer.fetch_all()?;
    if resumed_from_bytes > 0 && transfer.fault().is_some() {
        // The part may be of another archive that had this id before.
        transfer.begin_anew()?;
        resumed_from_bytes = 0;
        transfer.fetch_all()?;
    }
    if let Some(fault) = transfer.fault() {
        fs::remove_file(&transfer.part.path).map_err(|error| transfer.part.error(&doing, &error))?;
        return Err(CliError::failed(doing, format!("{fault}; nothing was kept, try again")));
    }
    transfer.part.publish(&doing, target, force)?;
    Ok(Downloaded {
        id: id.to_owned(),
        file: target.to_owned(),
        size_bytes: transfer.length,
        sha256: hex::encode(transfer.hasher.finalize()),
        is_checked: transfer.sha256.is_some(),
        resumed_from_bytes,
    })
}

/// Refuses a target that is there already, unless it may be replaced.
///
/// # Errors
/// Where the target exists and `force` is not given.
pub fn refuse_existing(doing: &str, target: &Path, force: bool) -> Result<(), CliError> {
    if !force && fs::symlink_metadata(target).is_ok() {
        let reason =
            format!("`{}` exists; pass --force to replace it, or -o for another name", target.display());
        return Err(CliError::failed(doing, reason));
    }
    Ok(())
}

/// Writes `bytes` to `target`, all of them or nothing; replaces a file that is there only with `force`.
///
/// # Errors
/// Where the target exists or cannot be written. No part is left then.
pub fn keep(doing: &str, bytes: &[u8], target: &Path, force: bool) -> Result<(), CliError> {
    refuse_existing(doing, target, force)?;
    let mut part = Part::open(doing, target)?;
    let written = part.file.set_len(0).and_then(|()| part.file.write_all(bytes));
    let kept =
        written.map_err(|error| part.error(doing, &error)).and_then(|()| part.publish(doing, target, force));
    if kept.is_err() {
        // The failure that is told is the first one.
        fs::remove_file(&part.path).ok();
    }
    kept
}

/// The unfinished file, held alone.
struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    fn open(doing: &str, target: &Path) -> Result<Self, CliError> {
        let Some(name) = target.file_name() else {
            return Err(CliError::usage(doing, format!("`{}` names no file", target.display())));
        };
        let mut name = name.to_owned();
        name.push(".part");
        let path = target.with_file_name(name);
        let failed =
            |error: &dyn std::fmt::Display| CliError::failed(doing, format!("`{}`: {error}", path.display()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0))
            .open(&path)
            .map_err(|error| failed(&error))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| failed(&"another download writes to it"))?;
        Ok(Self { path, file })
    }

    fn error(&self, doing: &str, error: &io::Error) -> CliError {
        CliError::failed(doing, format!("`{}`: {error}", self.path.display()))
    }

    /// Gives the file its name, durably.
    fn publish(&self, doing: &str, target: &Path, force: bool) -> Result<(), CliError> {
        let failed = |error: &io::Error| CliError::failed(doing, format!("`{}`: {error}", target.display()));
        self.file.sync_all().map_err(|error| self.error(doing, &error))?;
        if force {
            fs::rename(&self.path, target).map_err(|error| failed(&error))?;
        } else {
            match renameat_with(CWD, &self.path, CWD, target, RenameFlags::NOREPLACE) {
                Ok(()) => {}
                // Not every file system can do it; the target was not there when we began.
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                    fs::rename(&self.path, target).map_err(|error| failed(&error))?;
                }
                Err(error) => return Err(failed(&error.into())),
            }
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(|error| failed(&error))
    }
}

/// One archive on its way.
struct Transfer<'a> {
    service: &'a Service,
    id: &'a str,
    doing: &'a str,
    size_bytes: Option<u64>,
    sha256: Option<String>,
    progress: progress::Bytes,
    /// Over the first `length` bytes of the part.
    hasher: Sha256,
    length: u64,
    part: Part,
}

impl Transfer<'_> {
    fn hash_what_is_there(&mut self) -> Result<(), CliError> {
        let there = self.part.file.metadata().map_err(|error| self.part.error(self.doing, &error))?.len();
        // Without a hash there is nothing to tell whether the part is of the same archive.
        if self.sha256.is_none() || self.size_bytes.is_some_and(|size| there > size) {
            return self.begin_anew();
        }
        let mut buffer = vec![0; 256 << 10];
        loop {
            match self.part.file.read(&mut buffer).map_err(|error| self.part.error(self.doing, &error))? {
                0 => return Ok(()),
                read => self.count(&buffer[..read]),
            }
        }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        self.progress.set(self.length);
    }

    fn begin_anew(&mut self) -> Result<(), CliError> {
        self.hasher = Sha256::new();
        self.length = 0;
        let rewound = self.part.file.set_len(0).and_then(|()| io::Seek::rewind(&mut self.part.file));
        rewound.map_err(|error| self.part.error(self.doing, &error))
    }

    /// What is wrong with what has been fetched, if anything.
    fn fault(&self) -> Option<String> {
        if let Some(size) = self.size_bytes.filter(|size| *size != self.length) {
            return Some(format!("{} bytes came where the service has {size}", self.length));
        }
        let sha256 = hex::encode(self.hasher.clone().finalize());
        let expected = self.sha256.as_ref().filter(|expected| **expected != sha256)?;
        Some(format!("what came has the SHA-256 {sha256}, not {expected}"))
    }

    /// Fetches the rest, taking a broken transfer up again as long as it gets further.
    fn fetch_all(&mut self) -> Result<(), CliError> {
        let mut idle_tries = 0;
        loop {
            let before = self.length;
            let Err(error) = self.fetch() else { return Ok(()) };
            if !error.is_passing() {
                return Err(error);
            }
            idle_tries = if self.length > before { 0 } else { idle_tries + 1 };
            if idle_tries >= MOST_IDLE_TRIES {
                let advice = "run the command again to go on from there";
                return Err(match self.length {
                    0 => error,
                    length => error.advising(&format!(
                        "{length} bytes are kept in `{}`: {advice}",
                        self.part.path.display()
                    )),
                });
            }
            thread::sleep(Duration::from_millis(100) * 2_u32.pow(idle_tries));
        }
    }

    fn fetch(&mut self) -> Result<(), CliError> {
        let is_whole = self.length > 0 && self.size_bytes == Some(self.length);
        if is_whole {
            return Ok(());
        }
        let mut request = self.service.request(Method::GET, &["snapshots", self.id, "archive"], &[]);
        if let Some(sha256) = self.sha256.as_ref().filter(|_| self.length > 0) {
            request = request
                .header(RANGE, format!("bytes={}-", self.length))
                .header(IF_RANGE, format!("\"{sha256}\""));
        }
        let mut response = self.service.send(self.doing, request)?;
        self.learn(&response)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read = response.read(&mut buffer).map_err(|error| {
                let reason = format!("the connection broke: {}", super::error::innermost(&error));
                CliError::new(FailureKind::Unreachable, self.doing, reason)
            })?;
            if read == 0 {
                break;
            }
            self.part.file.write_all(&buffer[..read]).map_err(|error| self.part.error(self.doing, &error))?;
            self.count(&buffer[..read]);
        }
        match self.size_bytes {
            Some(size) if self.length < size => {
                Err(CliError::new(FailureKind::Unreachable, self.doing, "the connection ended early"))
            }
            _ => Ok(()),
        }
    }

    /// Reads from the answer's head what it will give: from which byte on, how much, of which archive.
    fn learn(&mut self, response: &Response) -> Result<(), CliError> {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let tag = header(ETAG).map(|tag| tag.trim_matches('"').to_ascii_lowercase());
        let tag = tag.filter(|tag| tag.len() == 64 && tag.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if response.status() == StatusCode::PARTIAL_CONTENT {
            let range = header(CONTENT_RANGE).and_then(content_range);
            let Some((_, total)) = range.filter(|(from, _)| *from == self.length) else {
                return Err(CliError::failed(self.doing, "the service sent another part than was asked for"));
            };
            self.size_bytes = Some(total);
        } else {
            self.begin_anew()?;
            if let Some(length) = response.content_length() {
                self.size_bytes = Some(length);
            }
        }
        if let Some(size) = self.size_bytes {
            self.progress.set_total(size);
        }
        if tag.is_some() {
            self.sha256 = tag;
        }
        Ok(())
    }
}

/// The first byte and the whole length in `bytes 5-9/10`.
fn content_range(value: &str) -> Option<(u64, u64)> {
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (from, _) = range.split_once('-')?;
    Some((from.parse().ok()?, total.parse().ok()?))
}
