//! A file on its way to somebody: read in chunks on blocking threads, never held whole.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use sha2::{Digest, Sha256};

/// Bytes that are read at once.
const CHUNK_BYTES: u64 = 256 * 1024;

/// An open file of a known length. It stays readable after its name is gone.
#[derive(Clone, Debug)]
pub struct OpenFile {
    file: Arc<File>,
    length_bytes: u64,
    expected: Option<Arc<Expected>>,
}

/// What a file has to be.
struct Expected {
    /// Its SHA-256, in hex.
    sha256: String,
    /// Called with what is wrong, on a blocking thread.
    tell: Box<dyn Fn(&str) + Send + Sync>,
}

impl fmt::Debug for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Expected").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

impl OpenFile {
    /// Takes a file whose length is what it has now.
    ///
    /// # Errors
    /// The file system's own.
    pub fn new(file: File) -> io::Result<Self> {
        let length_bytes = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), length_bytes, expected: None })
    }

    /// As [`OpenFile::new`], of a file that should have this SHA-256 (in hex). It is hashed while the whole of it is
    /// sent; where it has another, its end is never sent, and `tell` is told.
    ///
    /// # Errors
    /// The file system's own.
    pub fn expecting(
        file: File,
        sha256: String,
        tell: impl Fn(&str) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let expected = Some(Arc::new(Expected { sha256, tell: Box::new(tell) }));
        Ok(Self { expected, ..Self::new(file)? })
    }

    /// Its length.
    pub fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// `length` bytes from `start` on. A file that ends before, or is not what is expected of it, is an error in the
    /// stream, which has to cut the connection: nobody may take a part for the whole.
    pub fn stream(&self, start: u64, length: u64) -> impl Stream<Item = Result<Bytes, io::Error>> + use<> {
        let file = Arc::clone(&self.file);
        let end = start + length;
        let is_whole = start == 0 && length == self.length_bytes;
        let judged = self.expected.clone().filter(|_| is_whole).map(|expected| (expected, Sha256::new()));
        stream::try_unfold((start, judged), move |(position, judged)| {
            let file = Arc::clone(&file);
            async move {
                if position >= end {
                    return Ok(None);
                }
                let length = CHUNK_BYTES.min(end - position);
                let next = position + length;
                let read = tokio::task::spawn_blocking(move || {
                    let mut chunk = vec![0; usize::try_from(length).unwrap_or(0)];
                    let read = file.read_exact_at(&mut chunk, position);
                    let Some((expected, mut hash)) = judged else { return read.map(|()| (chunk, None)) };
                    if let Err(error) = read {
                        (expected.tell)(&format!("it can't be read at byte {position}: {error}"));
                        return Err(error);
                    }
                    hash.update(&chunk);
                    if next == end && hex::encode(hash.clone().finalize()) != expected.sha256 {
                        (expected.tell)("its bytes are not those that were stored: the SHA-256 is another");
                        return Err(io::Error::other("the file is not what was stored"));
                    }
                    Ok((chunk, Some((expected, hash))))
                });
                let (chunk, judged) = read.await.map_err(io::Error::other)??;
                Ok(Some((Bytes::from(chunk), (next, judged))))
            }
        })
    }
}
