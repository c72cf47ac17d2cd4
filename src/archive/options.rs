//! Settings of the writer.

use std::path::PathBuf;
use std::thread;

use super::manifest::Method;

/// libdeflate's level 5: archives of mixed contents come out as large as with zlib's level 6, in a third of its time.
const DEFLATE_LEVEL: u8 = 5;

/// How entries are compressed where that is worth while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Levels 0 to 9. What everything reads.
    Deflate { level: u8 },
    /// Levels 1 to 19. Faster and smaller; `unzip`, Java and older Pythons do not read it.
    Zstd { level: u8 },
}

impl Compression {
    pub(super) fn method(self) -> Method {
        match self {
            Self::Deflate { .. } => Method::Deflate,
            Self::Zstd { .. } => Method::Zstd,
        }
    }

    /// The level for what is deflated in any case.
    pub(super) fn deflate_level(self) -> u8 {
        match self {
            Self::Deflate { level } => level.min(9),
            Self::Zstd { .. } => DEFLATE_LEVEL,
        }
    }

    pub(super) fn level(self) -> u8 {
        match self {
            Self::Deflate { level } => level.min(9),
            Self::Zstd { level } => level.clamp(1, 19),
        }
    }
}

/// Settings of a writer. None but `compression` and `part_size_bytes` changes the bytes written.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Threads that compress beside the caller's; 0 compresses on the caller's.
    pub compression_threads: usize,
    /// Where a stream is cut into parts; from 1 byte to 1 GiB.
    pub part_size_bytes: u64,
    pub compression: Compression,
    /// Where long streams that are compressed already wait until their size is known, in files
    /// without a name. Without it they become deflate entries of uncompressed blocks.
    pub spool_dir: Option<PathBuf>,
}

/// How many threads this machine runs at once; what compressing and verifying take where nothing else is said.
pub fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            compression_threads: processors(),
            part_size_bytes: MOST_PART_BYTES,
            compression: Compression::Deflate { level: DEFLATE_LEVEL },
            spool_dir: None,
        }
    }
}

/// Streamed entries have 4-byte sizes after their data; 1 GiB is what the format allows them.
pub(super) const MOST_PART_BYTES: u64 = 1 << 30;
