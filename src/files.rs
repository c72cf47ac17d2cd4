//! A file on its way to somebody: read in chunks on blocking threads, never held whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};

/// Bytes that are read at once.
const CHUNK_BYTES: u64 = 256 * 1024;

/// An open file of a known length. It stays readable after its name is gone.
#[derive(Clone, Debug)]
pub struct OpenFile {
    file: Arc<File>,
    length_bytes: u64,
}

impl OpenFile {
    /// Takes a file whose length is what it has now.
    ///
    /// # Errors
    /// The file system's own.
    pub fn new(file: File) -> io::Result<Self> {
        let length_bytes = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), length_bytes })
    }

    /// Its length.
    pub fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// `length` bytes from `start` on. A file that ends before is an error in the stream, which has to cut the
    /// connection: nobody may take a part for the whole.
    pub fn stream(&self, start: u64, length: u64) -> impl Stream<Item = Result<Bytes, io::Error>> + use<> {
        let file = Arc::clone(&self.file);
        let end = start + length;
        stream::try_unfold(start, move |position| {
            let file = Arc::clone(&file);
            async move {
                if position >= end {
                    return Ok(None);
                }
                let length = CHUNK_BYTES.min(end - position);
                let read = tokio::task::spawn_blocking(move || {
                    let mut chunk = vec![0; usize::try_from(length).unwrap_or(0)];
                    file.read_exact_at(&mut chunk, position).map(|()| chunk)
                });
                let chunk = read.await.map_err(io::Error::other)??;
                Ok(Some((Bytes::from(chunk), position + length)))
            }
        })
    }
}
