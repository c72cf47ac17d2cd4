//! Compression of whole contents and of chunks of a stream.
//!
//! A stream is cut into chunks that are compressed apart from each other, so
//! that several threads can do it, and make one deflate stream when written one
//! after the other: each chunk begins with what came before it as dictionary
//! and ends with a sync flush at a byte's edge.

use std::sync::Arc;

use crc32fast::Hasher;
use flate2::{Compress, FlushCompress, Status};
use libdeflater::{CompressionLvl, Compressor};

use super::manifest::Method;

/// What deflate can look back on.
const WINDOW: usize = 32 << 10;

/// Ends the deflate stream that chunks make: an empty last block.
pub(super) const STREAM_END: &[u8] = &[0x03, 0x00];

/// Work for a compressor.
pub(super) enum Task {
    /// A whole content; stored where it does not shrink.
    Whole { content: Vec<u8>, method: Method, level: u8 },
    /// A chunk of a stream, and the one before it.
    Chunk { content: Arc<Vec<u8>>, before: Option<Arc<Vec<u8>>>, method: Method, level: u8 },
}

/// A compressor's answer.
pub(super) struct Compressed {
    pub bytes: Vec<u8>,
    /// As asked, or stored.
    pub method: Method,
    /// CRC-32 of the content; can be combined with that of the next chunk.
    pub crc: Hasher,
}

/// The state of one compressing thread, kept from task to task because it is costly to make.
#[derive(Default)]
pub(super) struct Machine {
    whole: Option<(u8, Compressor)>,
    chunk: Option<(u8, Compress)>,
}

impl Machine {
    /// Compresses; the same task always gives the same bytes, whoever did what before.
    pub(super) fn run(&mut self, task: Task) -> Compressed {
        match task {
            Task::Whole { content, method, level } => {
                let crc = crc_of(&content);
                let shrunk = match method {
                    Method::Stored => None,
                    Method::Deflate => self.deflate_whole(&content, level),
                    Method::Zstd => zstd_whole(&content, level),
                };
                match shrunk {
                    Some(bytes) => Compressed { bytes, method, crc },
                    None => Compressed { bytes: content, method: Method::Stored, crc },
                }
            }
            Task::Chunk { content, before, method, level } => {
                let crc = crc_of(&content);
                let before = before.as_ref().map(|before| before.as_slice());
                let bytes = match method {
                    Method::Stored => content.to_vec(),
                    Method::Deflate => self.deflate_chunk(&content, before, level),
                    Method::Zstd => zstd_frame(&content, level),
                };
                Compressed { bytes, method, crc }
            }
        }
    }

    fn deflate_whole(&mut self, content: &[u8], level: u8) -> Option<Vec<u8>> {
        if self.whole.as_ref().is_none_or(|(made, _)| *made != level) {
            let checked = CompressionLvl::new(i32::from(level)).unwrap_or_default();
            self.whole = Some((level, Compressor::new(checked)));
        }
        let (_, compressor) = self.whole.as_mut()?;
        // One byte less than the content: what does not shrink does not fit.
        let mut bytes = vec![0; content.len().checked_sub(1)?];
        let length = compressor.deflate_compress(content, &mut bytes).ok()?;
        bytes.truncate(length);
        bytes.shrink_to_fit();
        Some(bytes)
    }

    fn deflate_chunk(&mut self, content: &[u8], before: Option<&[u8]>, level: u8) -> Vec<u8> {
        if self.chunk.as_ref().is_none_or(|(made, _)| *made != level) {
            let made = Compress::new(flate2::Compression::new(u32::from(level)), false);
            self.chunk = Some((level, made));
        }
        let (_, compress) = self.chunk.as_mut().expect("made above where it was absent");
        compress.reset();
        if let Some(before) = before {
            let dictionary = &before[before.len().saturating_sub(WINDOW)..];
            compress.set_dictionary(dictionary).expect("a fresh raw deflate stream takes a dictionary");
        }
        // Room enough that the flush ends in one call: stored blocks and markers cost less.
        let mut bytes = Vec::with_capacity(content.len() + content.len() / 64 + 1024);
        loop {
            let taken = usize::try_from(compress.total_in()).expect("a chunk fits in memory");
            let status = compress
                .compress_vec(&content[taken..], &mut bytes, FlushCompress::Sync)
                .expect("deflate of bytes in memory has no way to fail");
            let is_done = bytes.len() < bytes.capacity() && compress.total_in() == content.len() as u64;
            if is_done || matches!(status, Status::BufError) && bytes.len() < bytes.capacity() {
                bytes.shrink_to_fit();
                return bytes;
            }
            bytes.reserve(64 << 10);
        }
    }
}

fn zstd_whole(content: &[u8], level: u8) -> Option<Vec<u8>> {
    let bytes = zstd_frame(content, level);
    (bytes.len() < content.len()).then_some(bytes)
}

/// One frame; frames after each other are one stream, too.
fn zstd_frame(content: &[u8], level: u8) -> Vec<u8> {
    zstd::bulk::compress(content, i32::from(level))
        .expect("zstd of bytes in memory, into a buffer of its own bound, has no way to fail")
}

fn crc_of(content: &[u8]) -> Hasher {
    let mut crc = Hasher::new();
    crc.update(content);
    crc
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn joined(machine: &mut Machine, content: &[u8], chunk: usize, level: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut before = None;
        for piece in content.chunks(chunk) {
            let content = Arc::new(piece.to_vec());
            let task = Task::Chunk {
                content: content.clone(),
                before: before.replace(content),
                method: Method::Deflate,
                level,
            };
            bytes.extend_from_slice(&machine.run(task).bytes);
        }
        bytes.extend_from_slice(STREAM_END);
        bytes
    }

    proptest! {
        #[test]
        fn chunks_make_one_deflate_stream(
            words in prop::collection::vec("[a-d]{1,9}", 0..2000),
            noise in prop::collection::vec(any::<u8>(), 0..5000),
            chunk in 1usize..50_000,
            level in 0u8..=9,
        ) {
            let mut content = words.concat().into_bytes();
            content.extend(&noise);
            let mut machine = Machine::default();
            let bytes = joined(&mut machine, &content, chunk.max(content.len() / 20 + 1), level);
            let mut inflater = flate2::bufread::DeflateDecoder::new(&bytes[..]);
            let mut back = Vec::new();
            inflater.read_to_end(&mut back).unwrap();
            prop_assert_eq!(back, content);
            prop_assert_eq!(inflater.total_in(), bytes.len() as u64);
        }
    }

    #[test]
    fn a_used_machine_gives_the_same_bytes_as_a_new_one() {
        let content: Vec<u8> = (0..300_000u32).flat_map(|i| (i % 977).to_le_bytes()).collect();
        let mut used = Machine::default();
        joined(&mut used, b"something else before", 7, 9);
        joined(&mut used, &content[1..], 100_000, 6);
        assert_eq!(
            joined(&mut used, &content, 1 << 18, 6),
            joined(&mut Machine::default(), &content, 1 << 18, 6)
        );
    }

    #[test]
    fn what_does_not_shrink_is_stored() {
        for content in [&b""[..], b"a", b"ab", b"\x01\x9f\x77\x20\xe1"] {
            let task = Task::Whole { content: content.to_vec(), method: Method::Deflate, level: 6 };
            let compressed = Machine::default().run(task);
            assert_eq!(compressed.method, Method::Stored);
            assert_eq!(compressed.bytes, content);
        }
    }
}
