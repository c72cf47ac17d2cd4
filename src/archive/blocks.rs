//! Makes deflate streams that can follow each other (RFC 1951).
//!
//! libdeflate ends whatever it compresses. Where another stream shall go on,
//! its last block must not say that it is the last, and the next one has to
//! begin at a byte's edge. So this walks through the codes of a stream, only to
//! learn where blocks begin and end: bits are counted, nothing is inflated.

/// What ends a stream of joined pieces: an empty last block.
pub(super) const STREAM_END: &[u8] = &[0x03, 0x00];

/// An empty stored block, without the three bits of its header.
const EMPTY_BLOCK: [u8; 4] = [0, 0, 0xff, 0xff];

/// The order in which the lengths of the code for code lengths stand (RFC 1951, 3.2.7).
const LENGTH_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// The longest code.
const MOST_CODE_BITS: usize = 15;
/// Tables are at least so wide, that several short codes are found in one step.
const LEAST_TABLE_BITS: usize = 11;
/// What a length with its distance takes at most, after a literal: so many bits have to be there at each step.
const STEP_BITS: u32 = 48;

/// Lets a stream go on: its last block becomes one like the others, and an empty stored block follows, up to a byte's
/// edge. Ends with [`STREAM_END`], after any number of such pieces.
///
/// `None`, with the stream as it was, where it is no deflate stream from its first to its last byte.
pub(super) fn continue_after(stream: &mut Vec<u8>) -> Option<()> {
    let last = find_last_block(stream)?;
    if last.end.div_ceil(8) != stream.len() {
        return None;
    }
    stream[last.start / 8] &= !(1 << (last.start % 8));
    // The header's three bits are zeros; the last byte may have them as padding already.
    if (8 - last.end % 8) % 8 < 3 {
        stream.push(0);
    }
    stream.extend_from_slice(&EMPTY_BLOCK);
    Some(())
}

/// A block's place, in bits from the start of the stream.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    start: usize,
    end: usize,
}

fn find_last_block(stream: &[u8]) -> Option<Place> {
    let mut bits = Bits::new(stream);
    let mut codes = Codes::default();
    loop {
        let start = bits.position();
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => bits.skip_stored()?,
            1 => {
                codes.set_fixed()?;
                skip_codes(&mut bits, &codes)?;
            }
            2 => {
                codes.read(&mut bits)?;
                skip_codes(&mut bits, &codes)?;
            }
            _ => return None,
        }
        if is_last {
            return Some(Place { start, end: bits.position() });
        }
    }
}

/// Skips literals, lengths and distances up to the end of a block.
fn skip_codes(bits: &mut Bits<'_>, codes: &Codes) -> Option<()> {
    loop {
        bits.fill();
        loop {
            let step = codes.literals.step(bits.buffer);
            bits.skip(step.bits.into())?;
            match step.kind {
                Kind::Literal => {}
                Kind::Length => {
                    let distance = codes.distances.step(bits.buffer);
                    if distance.kind == Kind::None {
                        return None;
                    }
                    bits.skip(distance.bits.into())?;
                }
                Kind::End => return Some(()),
                Kind::None => return None,
            }
            if bits.count < STEP_BITS {
                break;
            }
        }
    }
}

/// Reads bits, the lowest of a byte first.
struct Bits<'a> {
    stream: &'a [u8],
    /// The next byte for the buffer.
    next: usize,
    buffer: u64,
    /// How many bits of the buffer are in it; those above may have any value.
    count: u32,
}

impl<'a> Bits<'a> {
    fn new(stream: &'a [u8]) -> Self {
        Self { stream, next: 0, buffer: 0, count: 0 }
    }

    fn position(&self) -> usize {
        self.next * 8 - self.count as usize
    }

    /// Fills the buffer to at least 56 bits, or with all that is left.
    fn fill(&mut self) {
        if let Some(bytes) = self.stream[self.next..].first_chunk::<8>() {
            self.buffer |= u64::from_le_bytes(*bytes) << self.count;
            self.next += (63 - self.count as usize) / 8;
            self.count |= 56;
            return;
        }
        while self.count <= 56 && self.next < self.stream.len() {
            self.buffer |= u64::from(self.stream[self.next]) << self.count;
            self.next += 1;
            self.count += 8;
        }
    }

    /// Skips bits that the buffer holds.
    fn skip(&mut self, bits: u32) -> Option<()> {
        self.count = self.count.checked_sub(bits)?;
        self.buffer >>= bits;
        Some(())
    }

    /// Takes up to 16 bits.
    fn take(&mut self, bits: u32) -> Option<usize> {
        self.fill();
        let taken = self.buffer & ((1 << bits) - 1);
        self.skip(bits)?;
        usize::try_from(taken).ok()
    }

    /// Skips a stored block, from after its header.
    fn skip_stored(&mut self) -> Option<()> {
        let lengths = self.position().div_ceil(8);
        let [low, high, not_low, not_high] = *self.stream.get(lengths..)?.first_chunk()?;
        let length = u16::from_le_bytes([low, high]);
        if length != !u16::from_le_bytes([not_low, not_high]) {
            return None;
        }
        let end = lengths + 4 + usize::from(length);
        if end > self.stream.len() {
            return None;
        }
        *self = Self { next: end, ..Self::new(self.stream) };
        Some(())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// No code has these bits.
    #[default]
    None,
    /// One literal or several, or a distance: nothing belongs to it that follows.
    Literal,
    /// A length, perhaps after a literal: its distance follows.
    Length,
    /// The end of the block, perhaps after a literal.
    End,
}

/// What the next bits are.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    kind: Kind,
    /// Bits of the code itself.
    code_bits: u8,
    /// Bits to skip: the code's, and those that follow it as part of a length or distance.
    bits: u8,
}

/// The codes of a block.
#[derive(Default)]
struct Codes {
    literals: Table,
    distances: Table,
}

impl Codes {
    /// The codes that the format itself fixes (3.2.6).
    fn set_fixed(&mut self) -> Option<()> {
        let mut lengths = [8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        self.set(&lengths, &[5; 30])
    }

    /// Reads the codes at the head of a block (3.2.7).
    fn read(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let literals = bits.take(5)? + 257;
        let distances = bits.take(5)? + 1;
        let mut length_lengths = [0; 19];
        for place in &LENGTH_ORDER[..bits.take(4)? + 4] {
            length_lengths[*place] = u8::try_from(bits.take(3)?).ok()?;
        }
        // The table of literals serves for the code of lengths first.
        self.literals.set(&length_lengths, |symbol| (Kind::Literal, u8::try_from(symbol).unwrap_or(0)))?;
        let mut lengths = [0; 286 + 32];
        let all = literals + distances;
        let mut at = 0;
        while at < all {
            bits.fill();
            // The symbol stands where other tables have the number of bits that follow.
            let step = self.literals.step(bits.buffer);
            if step.kind == Kind::None {
                return None;
            }
            bits.skip(step.code_bits.into())?;
            let symbol = step.bits - step.code_bits;
            let (value, times) = match symbol {
                16 => (*lengths.get(at.checked_sub(1)?)?, 3 + bits.take(2)?),
                17 => (0, 3 + bits.take(3)?),
                18 => (0, 11 + bits.take(7)?),
                length => (length, 1),
            };
            lengths.get_mut(at..at + times)?.fill(value);
            at += times;
        }
        if at != all || literals > 286 {
            return None;
        }
        self.set(&lengths[..literals], &lengths[literals..all])
    }

    fn set(&mut self, literals: &[u8], distances: &[u8]) -> Option<()> {
        self.literals.set(literals, |symbol| match symbol {
            0..256 => (Kind::Literal, 0),
            256 => (Kind::End, 0),
            257..265 | 285 => (Kind::Length, 0),
            // Groups of four, each with a bit more.
            265..285 => (Kind::Length, u8::try_from((symbol - 261) / 4).unwrap_or(0)),
            _ => (Kind::None, 0),
        })?;
        self.literals.join();
        self.distances.set(distances, |symbol| match symbol {
            0..4 => (Kind::Literal, 0),
            4..30 => (Kind::Literal, u8::try_from(symbol / 2 - 1).unwrap_or(0)),
            _ => (Kind::None, 0),
        })
    }
}

/// A code as a table: what the next bits are, by their value.
#[derive(Default)]
struct Table {
    bits: usize,
    steps: Vec<Step>,
}

impl Table {
    fn step(&self, buffer: u64) -> Step {
        let mask = self.steps.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "the mask takes a few low bits")]
        self.steps[buffer as usize & mask]
    }

    /// Sets the canonical code of these lengths (3.2.2); `meaning` says of a symbol its kind and how many bits follow.
    fn set(&mut self, lengths: &[u8], meaning: impl Fn(usize) -> (Kind, u8)) -> Option<()> {
        let longest = lengths.iter().copied().max().map_or(0, usize::from);
        self.bits = longest.max(LEAST_TABLE_BITS);
        self.steps.clear();
        self.steps.resize(1 << self.bits, Step::default());
        let mut counts = [0; MOST_CODE_BITS + 1];
        for length in lengths {
            *counts.get_mut(usize::from(*length))? += 1;
        }
        counts[0] = 0;
        let mut next = [0u32; MOST_CODE_BITS + 1];
        for length in 1..=MOST_CODE_BITS {
            next[length] = (next[length - 1] + counts[length - 1]) << 1;
        }
        for (symbol, length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let width = usize::from(*length);
            let code = next[width];
            next[width] += 1;
            if code >> width != 0 {
                return None;
            }
            let (kind, more) = meaning(symbol);
            let step = Step { kind, code_bits: *length, bits: *length + more };
            let first = usize::try_from(code.reverse_bits() >> (32 - width)).ok()?;
            for place in self.steps[first..].iter_mut().step_by(1 << width) {
                *place = step;
            }
        }
        Some(())
    }

    /// Joins a literal with the code after it, where both fit into the table's width.
    fn join(&mut self) {
        // From above: what stands at a smaller value is looked at by none that comes later but itself.
        for value in (0..self.steps.len()).rev() {
            let first = self.steps[value];
            if first.kind != Kind::Literal {
                continue;
            }
            let second = self.steps[value >> first.bits];
            if second.kind != Kind::None && usize::from(first.bits + second.code_bits) <= self.bits {
                self.steps[value] = Step {
                    kind: second.kind,
                    code_bits: first.bits + second.code_bits,
                    bits: first.bits + second.bits,
                };
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/blocks.rs"]
mod tests;
