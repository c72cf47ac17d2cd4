//! Files on their way in and out: bodies streamed into blobs, blobs streamed to callers.

use std::io;

use bytes::Bytes;
use futures_util::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Blobs, Download, StoredBlob};

const CHUNK_BYTES: usize = 256 * 1024;

/// A blob that is being received. Dropped before its end, it leaves nothing.
pub struct Incoming {
    blobs: Blobs,
    partial: tempfile::NamedTempFile,
    file: tokio::fs::File,
    size_bytes: u64,
}

impl Incoming {
    /// How much has been received, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// The file system's own.
    pub async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.size_bytes += chunk.len() as u64;
        self.file.write_all(chunk).await
    }

    /// Makes what was received a blob, durable and pinned.
    ///
    /// # Errors
    /// The file system's own.
    pub async fn finish(mut self) -> io::Result<StoredBlob> {
        self.file.flush().await?;
        drop(self.file);
        tokio::task::spawn_blocking(move || self.blobs.adopt(self.partial)).await.map_err(io::Error::other)?
    }
}

impl Blobs {
    /// Begins to receive a blob.
    ///
    /// # Errors
    /// The file system's own.
    pub fn receive(&self) -> io::Result<Incoming> {
        let partial = tempfile::NamedTempFile::new_in(self.partial_folder())?;
        let file = tokio::fs::File::from_std(partial.reopen()?);
        Ok(Incoming { blobs: self.clone(), partial, file, size_bytes: 0 })
    }
}

impl Download {
    /// The file's content in chunks.
    pub fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> {
        let file = tokio::fs::File::from_std(self.file);
        futures_util::stream::unfold(Some(file), |file| async {
            let mut file = file?;
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            match (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut chunk).await {
                Ok(0) => None,
                Ok(_) => Some((Ok(Bytes::from(chunk)), Some(file))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn what_is_received_is_what_is_sent(chunks: Vec<Vec<u8>>) {
            let folder = tempfile::tempdir().unwrap();
            let blobs = Blobs::open(folder.path(), folder.path()).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let sent = runtime.block_on(async {
                let mut incoming = blobs.receive().unwrap();
                for chunk in &chunks {
                    incoming.write(chunk).await.unwrap();
                }
                let stored = incoming.finish().await.unwrap();
                let file = blobs.read(stored.pin.blob()).unwrap();
                let download = Download { file, name: String::new(), size_bytes: stored.size_bytes };
                let sent: Vec<Bytes> = download.into_stream().try_collect().await.unwrap();
                sent.concat()
            });
            prop_assert_eq!(sent, chunks.concat());
        }
    }
}
