//! Compression of whole contents and of chunks of a stream.
//!
//! A stream is cut into chunks that are compressed apart from each other, so
//! that several threads can do it, and make one deflate stream when written one
//! after the other. None looks back on the one before: that would save less
//! than a compressor that can do it costs.

use crc32fast::Hasher;
use libdeflater::{CompressionLvl, Compressor};

use super::blocks::continue_after;
use super::manifest::Method;

/// Work for a compressor.
pub(super) enum Task {
    /// A whole content; stored where it does not shrink.
    Whole { content: Vec<u8>, method: Method, level: u8 },
    /// A chunk of a stream; a deflate stream of chunks ends with [`STREAM_END`](super::blocks::STREAM_END).
    Chunk { content: Vec<u8>, method: Method, level: u8 },
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
    deflate: Option<(u8, Compressor)>,
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
            Task::Chunk { content, method, level } => {
                let crc = crc_of(&content);
                let bytes = match method {
                    Method::Stored => content,
                    Method::Deflate => self.deflate_chunk(&content, level),
                    Method::Zstd => zstd_frame(&content, level),
                };
                Compressed { bytes, method, crc }
            }
        }
    }

    fn deflate(&mut self, level: u8) -> &mut Compressor {
        if self.deflate.as_ref().is_none_or(|(made, _)| *made != level) {
            let checked = CompressionLvl::new(i32::from(level)).unwrap_or_default();
            self.deflate = Some((level, Compressor::new(checked)));
        }
        let (_, compressor) = self.deflate.as_mut().expect("made above where it was absent");
        compressor
    }

    fn deflate_whole(&mut self, content: &[u8], level: u8) -> Option<Vec<u8>> {
        // One byte less than the content: what does not shrink does not fit.
        let mut bytes = vec![0; content.len().checked_sub(1)?];
        let length = self.deflate(level).deflate_compress(content, &mut bytes).ok()?;
        bytes.truncate(length);
        bytes.shrink_to_fit();
        Some(bytes)
    }

    fn deflate_chunk(&mut self, content: &[u8], level: u8) -> Vec<u8> {
        let compressor = self.deflate(level);
        let mut bytes = vec![0; compressor.deflate_compress_bound(content.len())];
        let length =
            compressor.deflate_compress(content, &mut bytes).expect("the bound is room for any content");
        bytes.truncate(length);
        continue_after(&mut bytes).expect("libdeflate makes streams that can be walked through");
        bytes.shrink_to_fit();
        bytes
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

    use super::super::blocks::STREAM_END;
    use super::*;

    fn joined(machine: &mut Machine, content: &[u8], chunk: usize, level: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in content.chunks(chunk) {
            let task = Task::Chunk { content: piece.to_vec(), method: Method::Deflate, level };
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
