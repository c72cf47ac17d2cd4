//! Columns of numbers as bytes that compress well: every column is exact, bit for bit.
//!
//! Whole numbers are turned into small ones (distance to the least, difference, difference of differences, whichever
//! is smallest) and laid out byte by byte: all lowest bytes, then all second ones, and so on. Decimals become whole
//! numbers by a power of ten where that loses nothing; other floats are XORed with their forerunner.

use super::StoreError;

/// The powers of ten that a column of decimals is tried with.
const POWERS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/// The largest whole number up to which every one is a float.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Marks a column of floats that are no decimals.
const XORED: u8 = 0xff;

/// How whole numbers were made small.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    FromLeast = 0,
    Difference = 1,
    DifferenceTwice = 2,
}

/// Reads what the functions here wrote, and refuses whatever ends early.
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], StoreError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(StoreError::Damaged("it ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, StoreError> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn word(&mut self) -> Result<u64, StoreError> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| StoreError::Damaged("it ends early"))?))
    }

    pub(super) fn varint(&mut self) -> Result<u64, StoreError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(StoreError::Damaged("a number has too many bytes"))
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn bits(number: u64) -> u64 {
    u64::from(64 - number.leading_zeros())
}

/// Writes a column of whole numbers.
pub(super) fn put_integers(out: &mut Vec<u8>, numbers: &[i64]) {
    let Some((&first, rest)) = numbers.split_first() else { return };
    let least = numbers.iter().copied().min().unwrap_or(first);
    let mut costs = [bits(first.wrapping_sub(least) as u64), 0, 0];
    let (mut previous, mut difference) = (first, 0);
    for &number in rest {
        let next = number.wrapping_sub(previous);
        costs[0] += bits(number.wrapping_sub(least) as u64);
        costs[1] += bits(zigzag(next));
        costs[2] += bits(zigzag(next.wrapping_sub(difference)));
        (previous, difference) = (number, next);
    }
    let shape = if costs[2] <= costs[1] && costs[2] <= costs[0] {
        Shape::DifferenceTwice
    } else if costs[1] < costs[0] {
        Shape::Difference
    } else {
        Shape::FromLeast
    };
    out.push(shape as u8);
    let mut small = Vec::with_capacity(numbers.len());
    match shape {
        Shape::FromLeast => {
            put_varint(out, zigzag(least));
            small.extend(numbers.iter().map(|number| number.wrapping_sub(least) as u64));
        }
        Shape::Difference | Shape::DifferenceTwice => {
            put_varint(out, zigzag(first));
            let (mut previous, mut difference) = (first, 0);
            for &number in rest {
                let next = number.wrapping_sub(previous);
                small.push(zigzag(next.wrapping_sub(difference)));
                previous = number;
                if shape == Shape::DifferenceTwice {
                    difference = next;
                }
            }
        }
    }
    put_planes(out, &small);
}

/// Reads a column of `count` whole numbers.
pub(super) fn take_integers(cursor: &mut Cursor<'_>, count: usize) -> Result<Vec<i64>, StoreError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let shape = cursor.byte()?;
    let first = unzigzag(cursor.varint()?);
    if shape == Shape::FromLeast as u8 {
        let small = take_planes(cursor, count)?;
        return Ok(small.into_iter().map(|number| first.wrapping_add(number as i64)).collect());
    }
    let twice = match shape {
        1 => false,
        2 => true,
        _ => return Err(StoreError::Damaged("a column has an unknown shape")),
    };
    let small = take_planes(cursor, count - 1)?;
    let mut numbers = Vec::with_capacity(count);
    numbers.push(first);
    let (mut previous, mut difference) = (first, 0_i64);
    for number in small {
        let next = difference.wrapping_add(unzigzag(number));
        previous = previous.wrapping_add(next);
        if twice {
            difference = next;
        }
        numbers.push(previous);
    }
    Ok(numbers)
}

fn put_planes(out: &mut Vec<u8>, numbers: &[u64]) {
    let width = bits(numbers.iter().fold(0, |all, number| all | number)).div_ceil(8);
    out.push(width as u8);
    for plane in 0..width {
        out.extend(numbers.iter().map(|number| (number >> (8 * plane)) as u8));
    }
}

fn take_planes(cursor: &mut Cursor<'_>, count: usize) -> Result<Vec<u64>, StoreError> {
    let width = usize::from(cursor.byte()?);
    if width > 8 {
        return Err(StoreError::Damaged("a column is too wide"));
    }
    let mut numbers = vec![0; count];
    for plane in 0..width {
        for (number, byte) in numbers.iter_mut().zip(cursor.take(count)?) {
            *number |= u64::from(*byte) << (8 * plane);
        }
    }
    Ok(numbers)
}

/// Writes a column of floats.
pub(super) fn put_floats(out: &mut Vec<u8>, numbers: &[f64]) {
    if numbers.is_empty() {
        return;
    }
    let mut whole = Vec::with_capacity(numbers.len());
    let mut exceptions = Vec::new();
    for (power, &scale) in POWERS.iter().enumerate() {
        if scaled(numbers, scale, &mut whole, &mut exceptions) {
            out.push(power as u8);
            put_varint(out, exceptions.len() as u64);
            for &at in &exceptions {
                put_varint(out, at as u64);
                out.extend(numbers[at].to_bits().to_le_bytes());
            }
            return put_integers(out, &whole);
        }
    }
    out.push(XORED);
    let first = numbers[0].to_bits();
    out.extend(first.to_le_bytes());
    let mut previous = first;
    let differences: Vec<u64> = numbers[1..]
        .iter()
        .map(|number| {
            let bits = number.to_bits();
            bits ^ std::mem::replace(&mut previous, bits)
        })
        .collect();
    put_planes(out, &differences);
}

/// Turns the numbers into whole ones by `scale`; where that would lose something, repeats the forerunner and notes
/// the place. Answers whether at most one in 32 was such a place.
fn scaled(numbers: &[f64], scale: f64, whole: &mut Vec<i64>, exceptions: &mut Vec<usize>) -> bool {
    whole.clear();
    exceptions.clear();
    let most = numbers.len() / 32;
    let mut previous = 0;
    for (at, &number) in numbers.iter().enumerate() {
        let near = (number * scale).round();
        // Comparing bits also sends -0.0 and what is not finite to the exceptions.
        if near.abs() <= EXACT && (near as i64 as f64 / scale).to_bits() == number.to_bits() {
            previous = near as i64;
        } else {
            exceptions.push(at);
            if exceptions.len() > most {
                return false;
            }
        }
        whole.push(previous);
    }
    true
}

/// Reads a column of `count` floats.
pub(super) fn take_floats(cursor: &mut Cursor<'_>, count: usize) -> Result<Vec<f64>, StoreError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let power = cursor.byte()?;
    if power == XORED {
        let mut previous = cursor.word()?;
        let mut numbers = Vec::with_capacity(count);
        numbers.push(f64::from_bits(previous));
        for difference in take_planes(cursor, count - 1)? {
            previous ^= difference;
            numbers.push(f64::from_bits(previous));
        }
        return Ok(numbers);
    }
    let scale =
        *POWERS.get(usize::from(power)).ok_or(StoreError::Damaged("a column has an unknown scale"))?;
    let mut exceptions = Vec::new();
    for _ in 0..cursor.varint()? {
        let at = usize::try_from(cursor.varint()?).unwrap_or(usize::MAX);
        exceptions.push((at, f64::from_bits(cursor.word()?)));
    }
    let whole = take_integers(cursor, count)?;
    let mut numbers: Vec<f64> = whole.into_iter().map(|number| number as f64 / scale).collect();
    for (at, number) in exceptions {
        *numbers.get_mut(at).ok_or(StoreError::Damaged("an exception is out of place"))? = number;
    }
    Ok(numbers)
}
