//! Blobs on their way in: bodies streamed to disk as they come.

use std::io;

use tokio::io::AsyncWriteExt;

use super::{Blobs, StoredBlob};

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

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn a_received_blob_holds_what_was_sent(chunks: Vec<Vec<u8>>) {
            let folder = tempfile::tempdir().unwrap();
            let blobs = Blobs::open(folder.path(), folder.path()).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let stored = runtime.block_on(async {
                let mut incoming = blobs.receive().unwrap();
                for chunk in &chunks {
                    incoming.write(chunk).await.unwrap();
                }
                incoming.finish().await.unwrap()
            });
            let mut kept = Vec::new();
            blobs.read(stored.pin.blob()).unwrap().read_to_end(&mut kept).unwrap();
            prop_assert_eq!(kept, chunks.concat());
        }
    }
}
