//! Streams of DEFLATE that are cut into blocks and joined, beside other readers and writers of them.

use std::io::Read;

use libdeflater::{CompressionLvl, Compressor};
use proptest::prelude::*;

use super::*;

fn compress(content: &[u8], level: i32) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
    let mut bytes = vec![0; compressor.deflate_compress_bound(content.len())];
    let length = compressor.deflate_compress(content, &mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

fn inflate(stream: &[u8]) -> (Vec<u8>, u64) {
    let mut inflater = flate2::bufread::DeflateDecoder::new(stream);
    let mut content = Vec::new();
    inflater.read_to_end(&mut content).unwrap();
    (content, inflater.total_in())
}

/// The symbols that have a code, each with its bits, the first of them lowest; none where a code would be the begin of
/// another.
fn codes_of(lengths: &[u8]) -> Option<Vec<(usize, u64)>> {
    let mut symbols: Vec<usize> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
    symbols.sort_by_key(|symbol| (lengths[*symbol], *symbol));
    // Each code begins where the one before it ends, on a line of which every code takes its share.
    let mut begin = 0u64;
    let mut codes = Vec::new();
    for symbol in symbols {
        let length = u32::from(lengths[symbol]);
        let code = begin >> (15 - length);
        codes.push((symbol, code.reverse_bits() >> (64 - length)));
        begin += 1 << (15 - length);
    }
    (begin <= 1 << 15).then_some(codes)
}

/// Writes bits, the lowest of a byte first.
#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    count: usize,
}

impl Written {
    fn put(&mut self, value: usize, bits: usize) {
        for bit in 0..bits {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.len() - 1;
            self.bytes[last] |= u8::try_from(value >> bit & 1).unwrap() << (self.count % 8);
            self.count += 1;
        }
    }
}

/// A last block with nothing in it, whose codes have these lengths: that of two literals, that of its end, and those of
/// distances.
fn block_of_codes(literal: usize, end: usize, distances: &[usize]) -> Vec<u8> {
    let mut written = Written::default();
    written.put(0b101, 3);
    written.put(0, 5);
    written.put(distances.len() - 1, 5);
    // The code for lengths: 0, 1, 2 and 18 with two bits each.
    written.put(14, 4);
    for place in &LENGTH_ORDER[..18] {
        written.put(if [0, 1, 2, 18].contains(place) { 2 } else { 0 }, 3);
    }
    let mut length = |value: usize| {
        let code = [0, 1, 2, 18].iter().position(|known| *known == value).unwrap();
        written.put(code.reverse_bits() >> (usize::BITS - 2), 2);
    };
    (0..65).for_each(|_| length(0));
    length(literal);
    length(literal);
    (67..256).for_each(|_| length(0));
    length(end);
    distances.iter().for_each(|distance| length(*distance));
    // The end of the block, where its code is the shortest one.
    written.put(0, end);
    written.bytes
}

proptest! {
    #[test]
    fn pieces_make_one_stream(
        pieces in prop::collection::vec(
            (prop::collection::vec("[a-p]{1,9}", 0..400), prop::collection::vec(any::<u8>(), 0..400), 0i32..=12),
            0..6,
        ),
        repeated in 1usize..60,
    ) {
        let (mut stream, mut content) = (Vec::new(), Vec::new());
        for (words, noise, level) in &pieces {
            let mut piece = words.concat().repeat(repeated).into_bytes();
            piece.extend(noise);
            let mut bytes = compress(&piece, *level);
            prop_assert!(continue_after(&mut bytes).is_some());
            stream.extend(bytes);
            content.extend(piece);
        }
        stream.extend(STREAM_END);
        let (back, length) = inflate(&stream);
        prop_assert_eq!(back, content);
        prop_assert_eq!(length, stream.len() as u64);
    }

    #[test]
    fn streams_of_another_compressor_are_walked_too(
        words in prop::collection::vec("[a-h]{1,12}", 0..3000),
        level in 0u32..=9,
    ) {
        let content = words.concat().into_bytes();
        let mut stream = Vec::new();
        flate2::bufread::DeflateEncoder::new(&content[..], flate2::Compression::new(level))
            .read_to_end(&mut stream)
            .unwrap();
        prop_assert!(continue_after(&mut stream).is_some());
        stream.extend(STREAM_END);
        prop_assert_eq!(inflate(&stream).0, content);
    }

    #[test]
    fn a_code_is_taken_where_its_lengths_fit_and_each_symbol_is_found_by_its_bits(
        lengths in prop::collection::vec(prop_oneof![1 => Just(0u8), 4 => 1u8..=15, 4 => 4u8..=9], 1..286),
    ) {
        let mut table = Table::default();
        let meaning = |symbol: usize| (Kind::Literal, u8::try_from(symbol % 14).unwrap());
        let is_taken = table.set(&lengths, meaning).is_some();
        let Some(codes) = codes_of(&lengths) else {
            prop_assert!(!is_taken, "codes that have no room were taken: {lengths:?}");
            return Ok(());
        };
        prop_assert!(is_taken, "codes that have room were refused: {lengths:?}");
        for (symbol, code) in codes {
            let found = table.step(code);
            prop_assert_eq!(found.kind, Kind::Literal);
            prop_assert_eq!(found.code_bits, lengths[symbol]);
            prop_assert_eq!(usize::from(found.bits - found.code_bits), symbol % 14);
        }
    }

    #[test]
    fn what_is_no_stream_is_left_as_it_was(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut changed = bytes.clone();
        if continue_after(&mut changed).is_none() {
            prop_assert_eq!(changed, bytes);
        }
    }
}

#[test]
fn codes_that_have_no_room_are_refused_as_another_reader_does() {
    // The lengths of two literals and of the end of the block, and those of the distances.
    for (literal, end, distances, is_good) in [
        (2, 1, &[1][..], true),
        (2, 1, &[1, 1], true),
        (1, 1, &[1], false),
        (1, 2, &[1], false),
        (2, 1, &[1, 1, 1], false),
        (2, 1, &[1, 1, 2], false),
    ] {
        let stream = block_of_codes(literal, end, distances);
        let claim = format!("literals of {literal}, an end of {end}, distances of {distances:?}");
        let mut content = Vec::new();
        let read = flate2::bufread::DeflateDecoder::new(&stream[..]).read_to_end(&mut content);
        assert_eq!(read.is_ok(), is_good, "{claim}: {read:?}");
        assert_eq!(continue_after(&mut stream.clone()).is_some(), is_good, "{claim}");
    }
}

#[test]
fn a_stream_that_is_cut_or_longer_is_refused() {
    let stream = compress(&b"a house, a horse, a hose ".repeat(500), 6);
    for length in 0..stream.len() {
        assert_eq!(continue_after(&mut stream[..length].to_vec()), None, "{length} bytes");
    }
    let mut longer = [&stream[..], b"\0"].concat();
    assert_eq!(continue_after(&mut longer), None);
}
