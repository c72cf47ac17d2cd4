//! Steps on their way from the thread that reads to the one that writes: few in memory, the others in a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use zstd::bulk::{Compressor, Decompressor};

use super::entry::{Step, damaged};
use crate::manager::Vault;
use crate::space::free_bytes;

/// Who reads waits while so much waits in memory.
const MEMORY_BYTES: usize = 4 << 20;
/// Steps are compressed together until they have so many bytes.
const BLOCK_BYTES: usize = 1 << 20;
/// The fastest that still makes rows a tenth.
const COMPRESSION: i32 = 1;
/// What the spool leaves free for those who write meanwhile, unless a quarter of what is free when it begins is less.
const SPARE_BYTES: u64 = 64 << 20;
const SPARE_SHARE: u64 = 4;

/// The other side has ended without being done.
#[derive(Debug)]
pub(super) struct Gone;

/// The way between two threads, one of which reads and the other writes.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    has_changed: Condvar,
    spool: OnceLock<File>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    memory_bytes: usize,
    /// Everything was read.
    is_complete: bool,
    /// One of the two goes on no longer.
    is_left: bool,
}

enum Waiting {
    Step(Step),
    /// Several, in the spool.
    Block {
        offset: u64,
        length: usize,
        /// Before it was compressed.
        content: usize,
    },
}

/// Tells the other side when it is dropped that this one goes on no longer.
pub(super) struct Leaving<'a>(&'a Queue);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.lock().is_left = true;
        self.0.has_changed.notify_all();
    }
}

impl Queue {
    /// Lets the other side know of an end of this one, a panic among them.
    pub fn leaving(&self) -> Leaving<'_> {
        Leaving(self)
    }

    /// Says that everything was read.
    pub fn complete(&self) {
        self.lock().is_complete = true;
        self.has_changed.notify_all();
    }

    /// Hands a step over; gives it back where there was no room for as long as `patience`.
    ///
    /// # Errors
    /// Nobody writes any longer.
    pub fn offer(&self, step: Step, patience: Duration) -> Result<Option<Step>, Gone> {
        let state = self.lock();
        let (mut state, _) = self
            .has_changed
            .wait_timeout_while(state, patience, |state| state.memory_bytes >= MEMORY_BYTES && !state.is_left)
            .unwrap_or_else(PoisonError::into_inner);
        if state.is_left {
            return Err(Gone);
        }
        if state.memory_bytes >= MEMORY_BYTES {
            return Ok(Some(step));
        }
        state.memory_bytes += step.size_bytes();
        state.waiting.push_back(Waiting::Step(step));
        self.has_changed.notify_all();
        Ok(None)
    }

    /// Whether the other side goes on no longer.
    pub fn is_left(&self) -> bool {
        self.lock().is_left
    }

    fn take(&self) -> Result<Option<Waiting>, Gone> {
        let state = self.lock();
        let mut state = self
            .has_changed
            .wait_while(state, |state| state.waiting.is_empty() && !state.is_complete && !state.is_left)
            .unwrap_or_else(PoisonError::into_inner);
        if state.is_left && !state.is_complete {
            return Err(Gone);
        }
        match state.waiting.pop_front() {
            Some(waiting) => {
                if let Waiting::Step(step) = &waiting {
                    state.memory_bytes -= step.size_bytes();
                }
                self.has_changed.notify_all();
                Ok(Some(waiting))
            }
            None => Ok(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the next step can't be had.
#[derive(Debug)]
pub(super) enum TakeError {
    /// Nobody reads any longer, and not everything was read.
    Gone,
    Spool(io::Error),
}

/// The end of the queue from which steps are taken.
pub(super) struct Steps<'a> {
    queue: &'a Queue,
    vault: &'a Vault,
    /// Those of the block that was read last.
    read: VecDeque<Step>,
}

impl<'a> Steps<'a> {
    pub fn new(queue: &'a Queue, vault: &'a Vault) -> Self {
        Self { queue, vault, read: VecDeque::new() }
    }

    /// The next step, once there is one; none after the last one.
    ///
    /// # Errors
    /// Nobody reads any longer; the spool can't be read.
    pub fn next(&mut self) -> Result<Option<Step>, TakeError> {
        loop {
            if let Some(step) = self.read.pop_front() {
                return Ok(Some(step));
            }
            match self.queue.take().map_err(|Gone| TakeError::Gone)? {
                None => return Ok(None),
                Some(Waiting::Step(step)) => return Ok(Some(step)),
                Some(Waiting::Block { offset, length, content }) => {
                    self.read = self.block(offset, length, content).map_err(TakeError::Spool)?;
                }
            }
        }
    }

    fn block(&self, offset: u64, length: usize, content: usize) -> io::Result<VecDeque<Step>> {
        let mut packed = vec![0; length];
        self.queue.spool.get().ok_or_else(damaged)?.read_exact_at(&mut packed, offset)?;
        let bytes = Decompressor::new()?.decompress(&packed, content)?;
        let mut rest = bytes.as_slice();
        let mut steps = VecDeque::new();
        while !rest.is_empty() {
            steps.push_back(Step::take(self.vault, &mut rest)?);
        }
        Ok(steps)
    }
}

/// The file of steps that memory has no room for. It has no name, so that it is gone with whoever made it.
pub(super) struct Spool<'a> {
    queue: &'a Queue,
    vault: &'a Vault,
    folder: &'a Path,
    file: File,
    compressor: Compressor<'static>,
    /// Steps that are not compressed yet.
    block: Vec<u8>,
    length: u64,
    spare_bytes: u64,
}

impl<'a> Spool<'a> {
    /// Begins one in `folder`; what was offered to the queue before stands before it.
    ///
    /// # Errors
    /// The file system's own.
    pub fn begin(queue: &'a Queue, vault: &'a Vault, folder: &'a Path) -> io::Result<Self> {
        Self::over(queue, vault, folder, tempfile::tempfile_in(folder)?)
    }

    fn over(queue: &'a Queue, vault: &'a Vault, folder: &'a Path, file: File) -> io::Result<Self> {
        let mut compressor = Compressor::new(COMPRESSION)?;
        compressor.include_checksum(true)?;
        if queue.spool.set(file.try_clone()?).is_err() {
            return Err(io::Error::other("there is a spool already"));
        }
        let spare_bytes = SPARE_BYTES.min(free_bytes(folder)? / SPARE_SHARE);
        Ok(Self { queue, vault, folder, file, compressor, block: Vec::new(), length: 0, spare_bytes })
    }

    /// Bytes in the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Adds a step; it is handed over with those after it, or by [`Spool::flush`].
    ///
    /// # Errors
    /// `StorageFull` where not enough would stay free; the file system's own.
    pub fn add(&mut self, step: &Step) -> io::Result<()> {
        step.put(self.vault, &mut self.block)?;
        if self.block.len() >= BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what waits and hands it over.
    ///
    /// # Errors
    /// As [`Spool::add`].
    pub fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let packed = self.compressor.compress(&self.block)?;
        if free_bytes(self.folder)? < self.spare_bytes + packed.len() as u64 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all_at(&packed, self.length)?;
        let waiting = Waiting::Block { offset: self.length, length: packed.len(), content: self.block.len() };
        self.length += packed.len() as u64;
        self.block.clear();
        self.queue.lock().waiting.push_back(waiting);
        self.queue.has_changed.notify_all();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use zeroize::Zeroizing;

    use super::super::entry::Entry;
    use super::*;

    const NO_WAIT: Duration = Duration::ZERO;

    /// A step of some 100 kB, told from others by its number.
    fn step(number: u64) -> Step {
        let bytes: Vec<u8> = (0..100_000_u64).map(|at| ((at * at + number) % 251) as u8).collect();
        let entry = match number % 3 {
            0 => Entry::Bytes { name: number.to_string(), content: bytes },
            1 => Entry::Content { path: number.to_string(), content: Zeroizing::new(bytes) },
            _ => Entry::Folder(number.to_string()),
        };
        Step { rows: number, entry }
    }

    #[test]
    fn steps_come_in_their_order_from_memory_and_then_from_the_spool() {
        let folder = tempfile::tempdir().unwrap();
        let (queue, vault) = (Queue::default(), Vault::new(&[3; 32]));
        let mut number = 0;
        while queue.offer(step(number), NO_WAIT).unwrap().is_none() {
            number += 1;
        }
        assert!((40..200).contains(&number), "{number} steps stand in memory");
        let mut spool = Spool::begin(&queue, &vault, folder.path()).unwrap();
        for number in number..300 {
            spool.add(&step(number)).unwrap();
        }
        spool.flush().unwrap();
        queue.complete();
        assert!(spool.length() > 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the spool has a name");
        let mut steps = Steps::new(&queue, &vault);
        for number in 0..300 {
            assert_eq!(steps.next().unwrap(), Some(step(number)));
        }
        assert_eq!(steps.next().unwrap(), None);
    }

    #[test]
    fn a_full_disk_is_told_and_what_lies_in_a_damaged_spool_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::new(&[3; 32]);
        let queue = Queue::default();
        let full = File::options().read(true).write(true).open("/dev/full").unwrap();
        let mut spool = Spool::over(&queue, &vault, folder.path(), full).unwrap();
        spool.add(&step(0)).unwrap();
        assert_eq!(spool.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);

        let queue = Queue::default();
        let file = tempfile::tempfile_in(folder.path()).unwrap();
        let damaged = file.try_clone().unwrap();
        let mut spool = Spool::over(&queue, &vault, folder.path(), file).unwrap();
        spool.add(&step(0)).unwrap();
        spool.flush().unwrap();
        damaged.write_all_at(&[0xff; 8], spool.length() / 2).unwrap();
        assert!(matches!(Steps::new(&queue, &vault).next(), Err(TakeError::Spool(_))));
    }

    #[test]
    fn who_goes_on_no_longer_is_missed_by_the_other_side() {
        let (queue, vault) = (Queue::default(), Vault::new(&[3; 32]));
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let _leaving = queue.leaving();
                queue.offer(step(0), NO_WAIT).unwrap();
            });
            reader.join().unwrap();
            assert!(matches!(Steps::new(&queue, &vault).next(), Err(TakeError::Gone)));
        });
        let queue = Queue::default();
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut number = 0;
                while queue.offer(step(number), Duration::from_secs(60)).is_ok_and(|back| back.is_none()) {
                    number += 1;
                }
                queue.is_left()
            });
            let leaving = queue.leaving();
            let mut steps = Steps::new(&queue, &vault);
            assert_eq!(steps.next().unwrap(), Some(step(0)));
            drop(leaving);
            assert!(reader.join().unwrap(), "it waits for somebody who has left");
        });
    }
}
