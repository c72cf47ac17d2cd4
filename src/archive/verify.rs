//! Reads every byte of an archive and compares it with what it should be.
//!
//! Knows nothing of what entries mean; the sealed ones are checked as
//! ciphertext.

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, SendError, SyncSender};
use std::thread;

use sha2::{Digest as _, Sha256};

use super::MANIFEST;
use super::digest::Digest;
use super::entry::Checked;
use super::error::ArchiveError;
use super::manifest::SignatureState;
use super::reader::Archive;
use super::slice::FileSlice;
use super::structure::{check_layout, read_directory};
use super::table::Record;

/// How much a thread reads or produces before it tells.
const STEP_BYTES: u64 = 1 << 20;
const BUFFER_BYTES: usize = 256 << 10;
/// More do not help: one thread hashes the file behind all of them.
const MOST_THREADS: usize = 16;

/// What was read without a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Number of entries, folders among them.
    pub entries: u64,
    /// Length of the archive.
    pub size_bytes: u64,
    /// Bytes of all contents together.
    pub content_bytes: u64,
    /// Hash of the whole file, as [`Finished::sha256`](super::Finished::sha256) has it.
    pub sha256: Digest,
    /// Valid for format 1; missing for archives of other managers.
    pub signature: SignatureState,
}

impl Archive {
    /// Reads every byte: each content against its CRC and hash, all bytes against the manifest,
    /// the structure again, the signature.
    ///
    /// Contents are judged by up to `threads` threads beside the caller's, which hashes the file right behind them. Of
    /// several damaged entries the first one is told.
    ///
    /// `progress` is called on the caller's thread with the bytes that are done and those in all, at least once for each
    /// MiB that a thread reads or produces; while it doesn't return, all wait. Breaking ends with
    /// [`ArchiveError::Cancelled`].
    pub fn verify(
        &self,
        threads: usize,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Verified, ArchiveError> {
        // The file may have been written to since it was opened.
        if self.manifest().is_some() {
            check_layout(&self.file, self.length, &self.directory)?;
        } else {
            let found = read_directory(&self.file, self.length, &self.limits)?;
            if !found.entries.has_same_structure(self.entries()) {
                return Err(ArchiveError::damaged("it changed since it was opened"));
            }
        }
        let (content_bytes, sha256) = self.verify_contents(threads, progress)?;
        if *self.signature() == SignatureState::Invalid {
            return Err(ArchiveError::BadSignature);
        }
        if progress(self.length, self.length).is_break() {
            return Err(ArchiveError::Cancelled);
        }
        Ok(Verified {
            entries: self.entries().len() as u64,
            size_bytes: self.length,
            content_bytes,
            sha256,
            signature: self.signature().clone(),
        })
    }

    /// The bytes of all contents, and the hash of the file.
    fn verify_contents(
        &self,
        threads: usize,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<(u64, Digest), ArchiveError> {
        let covered = self.manifest().map_or(self.length, |manifest| manifest.bytes);
        let mut bytes_hash = SpanHash::new(&self.file);
        let turns = Turns { next: AtomicUsize::new(0), bad: AtomicUsize::new(usize::MAX) };
        // No more than these wait, so that threads wait for the caller, too.
        let (sender, steps) = mpsc::sync_channel(1);
        thread::scope(|scope| {
            for _ in 0..threads.clamp(1, MOST_THREADS) {
                let (sender, turns) = (sender.clone(), &turns);
                thread::Builder::new()
                    .name("verify".into())
                    .spawn_scoped(scope, move || self.work(turns, &sender))
                    .map_err(ArchiveError::Read)?;
            }
            drop(sender);
            let (mut done, mut content_bytes, mut failure) = (0, 0, None);
            // Threads end when they find nobody to tell.
            let steps = steps;
            while let Ok(step) = steps.recv() {
                match step {
                    Step::Read { position, compressed, produced } => {
                        done += compressed;
                        content_bytes += produced;
                        // What was just read needs not come from the disk again.
                        bytes_hash.read_to(position.min(covered))?;
                    }
                    Step::Failed(number, error) => {
                        if failure.as_ref().is_none_or(|(first, _)| number < *first) {
                            failure = Some((number, error));
                        }
                    }
                }
                if progress(done, self.length).is_break() {
                    return Err(ArchiveError::Cancelled);
                }
            }
            if let Some((_, error)) = failure {
                return Err(error);
            }
            // The manifest comes after all that it covers, and was read.
            if self.manifest().is_some_and(|manifest| bytes_hash.digest() != manifest.bytes_sha256) {
                return Err(ArchiveError::ManifestMismatch {
                    reason: "the bytes of the archive have another SHA-256".into(),
                });
            }
            bytes_hash.read_to(self.length)?;
            Ok((content_bytes, bytes_hash.digest()))
        })
    }

    /// Judges one entry after the other, until there is none left, one was bad or nobody listens.
    fn work(&self, turns: &Turns, steps: &SyncSender<Step>) {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut tally = Tally::default();
        loop {
            let number = turns.next.fetch_add(1, Ordering::Relaxed);
            // An entry before a bad one may be bad, too, and is the one to tell.
            if number >= self.entries().len() || number > turns.bad.load(Ordering::Relaxed) {
                break;
            }
            match self.judge(number, &mut buffer, &mut tally, turns, steps) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return,
                Err(error) => {
                    turns.bad.fetch_min(number, Ordering::Relaxed);
                    // The caller is gone where it was cancelled.
                    let _ = steps.send(Step::Failed(number, error));
                    return;
                }
            }
        }
        let _ = tally.tell(steps);
    }

    /// Breaks when nobody listens any more, or an entry before this one is bad.
    fn judge(
        &self,
        number: usize,
        buffer: &mut [u8],
        tally: &mut Tally,
        turns: &Turns,
        steps: &SyncSender<Step>,
    ) -> Result<ControlFlow<()>, ArchiveError> {
        let record = self.record(number);
        let Record { name, row } = record;
        let sha256 = match name {
            MANIFEST => self.manifest_sha256.or(row.sha256),
            _ => row.sha256,
        };
        let data = FileSlice::new(&self.file, row.data_offset, row.compressed_size);
        let mut content = Checked::new(data, record, sha256).map_err(ArchiveError::from_read)?;
        let mut position = row.data_offset;
        loop {
            let read = content.read(buffer).map_err(ArchiveError::from_read)?;
            let now = content.get_ref().position();
            tally.compressed += now - position;
            tally.produced += read as u64;
            tally.position = now;
            position = now;
            if tally.compressed.max(tally.produced) >= STEP_BYTES
                && (tally.tell(steps).is_err() || number > turns.bad.load(Ordering::Relaxed))
            {
                return Ok(ControlFlow::Break(()));
            }
            if read == 0 {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }
}

/// Who judges which entry.
struct Turns {
    /// The number of the next entry that nobody has taken.
    next: AtomicUsize,
    /// The number of the first bad entry, as far as is known.
    bad: AtomicUsize,
}

/// What a thread tells.
enum Step {
    /// Bytes read and produced since it last told, and how far in the file it is.
    Read { position: u64, compressed: u64, produced: u64 },
    /// An entry is bad.
    Failed(usize, ArchiveError),
}

/// What a thread did and hasn't told yet.
#[derive(Default)]
struct Tally {
    position: u64,
    compressed: u64,
    produced: u64,
}

impl Tally {
    fn tell(&mut self, steps: &SyncSender<Step>) -> Result<(), SendError<Step>> {
        let Self { position, compressed, produced } = std::mem::take(self);
        steps.send(Step::Read { position, compressed, produced })
    }
}

/// The hash of a file's beginning, taken bit by bit.
struct SpanHash<'a> {
    file: &'a File,
    position: u64,
    hash: Sha256,
    buffer: Vec<u8>,
}

impl<'a> SpanHash<'a> {
    fn new(file: &'a File) -> Self {
        Self { file, position: 0, hash: Sha256::new(), buffer: vec![0; BUFFER_BYTES] }
    }

    /// Goes on to `to`, where it is not there already.
    fn read_to(&mut self, to: u64) -> Result<(), ArchiveError> {
        let mut span = FileSlice::new(self.file, self.position, to.saturating_sub(self.position));
        loop {
            match span.read(&mut self.buffer).map_err(ArchiveError::Read)? {
                0 => break,
                read => self.hash.update(&self.buffer[..read]),
            }
        }
        self.position = self.position.max(to);
        Ok(())
    }

    /// The hash of what was read until here.
    fn digest(&self) -> Digest {
        self.hash.clone().into()
    }
}
