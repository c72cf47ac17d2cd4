//! Rows of one series and level as the bytes of a block, and of the head.
//!
//! A block is the length of its columns and the columns as one zstd frame. Columns: times, which rows are more than
//! a plain value, the latest value of every row; count, sum, least and greatest of those that are more, and the sums
//! of squares of those that have one.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

use super::columns::{Cursor, put_floats, put_integers, put_varint, take_floats, take_integers};
use super::{Point, StoreError};

const VERSION: u8 = 1;
/// A block of the most rows with the widest columns stays far below.
const MAX_BYTES: usize = 1 << 20;
const MAX_ROWS: usize = 1 << 14;
const COMPRESSION: i32 = 5;

/// What a thread keeps to compress with, since making it takes longer than a block does.
struct Zstd {
    compressor: Compressor<'static>,
    decompressor: Decompressor<'static>,
    columns: Vec<u8>,
}

thread_local! {
    static ZSTD: RefCell<Option<Zstd>> = const { RefCell::new(None) };
}

fn with_zstd<T>(work: impl FnOnce(&mut Zstd) -> Result<T, StoreError>) -> Result<T, StoreError> {
    ZSTD.with_borrow_mut(|kept| {
        if kept.is_none() {
            let mut compressor = Compressor::new(COMPRESSION).map_err(StoreError::Compress)?;
            // The length stands before the frame, where it is judged before anything is made ready for it.
            compressor.set_parameter(CParameter::ContentSizeFlag(false)).map_err(StoreError::Compress)?;
            let decompressor = Decompressor::new().map_err(StoreError::Compress)?;
            *kept = Some(Zstd { compressor, decompressor, columns: Vec::new() });
        }
        work(kept.as_mut().expect("it was made above"))
    })
}

/// Writes rows, whose times rise, as the bytes of a block.
///
/// # Errors
/// When zstd has no memory.
pub(super) fn encode(rows: &[Point]) -> Result<Vec<u8>, StoreError> {
    with_zstd(|zstd| {
        let columns = &mut zstd.columns;
        columns.clear();
        columns.push(VERSION);
        put_varint(columns, rows.len() as u64);
        put_integers(columns, &rows.iter().map(|row| row.time).collect::<Vec<_>>());
        let aggregates: Vec<&Point> = rows.iter().filter(|row| !row.is_plain()).collect();
        put_flags(columns, rows.iter().map(|row| !row.is_plain()), rows.len(), aggregates.len());
        put_floats(columns, &rows.iter().map(|row| row.last).collect::<Vec<_>>());
        put_integers(columns, &aggregates.iter().map(|row| row.count as i64).collect::<Vec<_>>());
        for column in [|row: &Point| row.sum, |row: &Point| row.min, |row: &Point| row.max] {
            put_floats(columns, &aggregates.iter().map(|row| column(row)).collect::<Vec<_>>());
        }
        let squares: Vec<f64> = aggregates.iter().filter_map(|row| row.sum_squares).collect();
        let has_squares = aggregates.iter().map(|row| row.sum_squares.is_some());
        put_flags(columns, has_squares, aggregates.len(), squares.len());
        put_floats(columns, &squares);

        let mut data = Vec::with_capacity(columns.len() / 2);
        put_varint(&mut data, columns.len() as u64);
        data.extend(zstd.compressor.compress(columns).map_err(StoreError::Compress)?);
        Ok(data)
    })
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// When the bytes are damaged.
pub(super) fn decode(data: &[u8]) -> Result<Vec<Point>, StoreError> {
    let mut cursor = Cursor::new(data);
    let length = usize::try_from(cursor.varint()?).unwrap_or(usize::MAX);
    if length > MAX_BYTES {
        return Err(StoreError::Damaged("it says to be too long"));
    }
    let frame = &data[data.len() - cursor.left()..];
    with_zstd(|zstd| {
        let columns = &mut zstd.columns;
        columns.clear();
        columns.resize(length, 0);
        let written = zstd
            .decompressor
            .decompress_to_buffer(frame, &mut columns[..])
            .map_err(|_| StoreError::Damaged("it can't be decompressed"))?;
        if written != length {
            return Err(StoreError::Damaged("it has another length than it says"));
        }
        take_rows(&mut Cursor::new(columns))
    })
}

fn take_rows(cursor: &mut Cursor<'_>) -> Result<Vec<Point>, StoreError> {
    if cursor.byte()? != VERSION {
        return Err(StoreError::Damaged("a newer version of this program wrote it"));
    }
    let count = usize::try_from(cursor.varint()?).unwrap_or(usize::MAX);
    if count > MAX_ROWS {
        return Err(StoreError::Damaged("it says to have too many rows"));
    }
    let times = take_integers(cursor, count)?;
    let is_aggregate = take_flags(cursor, count)?;
    let last = take_floats(cursor, count)?;
    let mut rows: Vec<Point> =
        times.into_iter().zip(last).map(|(time, value)| Point::plain(time, value)).collect();
    let aggregates = is_aggregate.iter().filter(|flag| **flag).count();
    let counts = take_integers(cursor, aggregates)?;
    let (sums, mins, maxs) = (
        take_floats(cursor, aggregates)?,
        take_floats(cursor, aggregates)?,
        take_floats(cursor, aggregates)?,
    );
    let has_squares = take_flags(cursor, aggregates)?;
    let mut squares = take_floats(cursor, has_squares.iter().filter(|flag| **flag).count())?.into_iter();
    if !cursor.is_at_end() {
        return Err(StoreError::Damaged("it goes on after its end"));
    }
    for (at, row) in
        rows.iter_mut().zip(is_aggregate).filter(|(_, flag)| *flag).map(|(row, _)| row).enumerate()
    {
        row.count = counts[at] as u64;
        (row.sum, row.min, row.max) = (sums[at], mins[at], maxs[at]);
        row.sum_squares = if has_squares[at] { squares.next() } else { None };
    }
    Ok(rows)
}

/// None, all, or a bit for each.
fn put_flags(out: &mut Vec<u8>, flags: impl Iterator<Item = bool>, count: usize, set: usize) {
    if set == 0 || set == count {
        return out.push(u8::from(set > 0));
    }
    out.push(2);
    let start = out.len();
    out.resize(start + count.div_ceil(8), 0);
    for (at, flag) in flags.enumerate() {
        out[start + at / 8] |= u8::from(flag) << (at % 8);
    }
}

fn take_flags(cursor: &mut Cursor<'_>, count: usize) -> Result<Vec<bool>, StoreError> {
    match cursor.byte()? {
        flag @ (0 | 1) => Ok(vec![flag == 1; count]),
        2 => {
            let bits = cursor.take(count.div_ceil(8))?;
            Ok((0..count).map(|at| bits[at / 8] >> (at % 8) & 1 == 1).collect())
        }
        _ => Err(StoreError::Damaged("it has unknown flags")),
    }
}

/// Writes rows, whose times rise, as they stand in the head, uncompressed: the distance to the first time together
/// with what follows, and the value, or count, sum, least, greatest, latest and, if known, the sum of squares. SQLite's
/// own numbers would lose the sign of -0.0.
pub(super) fn put_head(out: &mut Vec<u8>, rows: &[Point]) {
    let first_time = rows.first().map_or(0, |row| row.time);
    for row in rows {
        let kind = if row.is_plain() { 0 } else { 1 + u64::from(row.sum_squares.is_some()) };
        put_varint(out, (row.time.wrapping_sub(first_time) as u64) << 2 | kind);
        if kind == 0 {
            out.extend(row.last.to_bits().to_le_bytes());
            continue;
        }
        out.extend(row.count.to_le_bytes());
        for number in [row.sum, row.min, row.max, row.last].into_iter().chain(row.sum_squares) {
            out.extend(number.to_bits().to_le_bytes());
        }
    }
}

/// Reads what [`put_head`] wrote, behind `rows`.
///
/// # Errors
/// When the bytes are damaged.
pub(super) fn take_head(rows: &mut Vec<Point>, first_time: i64, data: &[u8]) -> Result<(), StoreError> {
    let mut cursor = Cursor::new(data);
    while !cursor.is_at_end() {
        let start = cursor.varint()?;
        let time = first_time.wrapping_add((start >> 2) as i64);
        if start & 3 == 0 {
            rows.push(Point::plain(time, f64::from_bits(cursor.word()?)));
            continue;
        }
        let count = cursor.word()?;
        let mut number = || cursor.word().map(f64::from_bits);
        let (sum, min, max, last) = (number()?, number()?, number()?, number()?);
        let sum_squares = if start & 3 == 2 { Some(number()?) } else { None };
        rows.push(Point { time, count, sum, min, max, sum_squares, last });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bits(row: &Point) -> (i64, u64, [u64; 4], Option<u64>) {
        let numbers = [row.sum, row.min, row.max, row.last].map(f64::to_bits);
        (row.time, row.count, numbers, row.sum_squares.map(f64::to_bits))
    }

    /// Any bits, and the decimals and whole numbers that measurements mostly are.
    pub fn numbers() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (-100_000_i64..100_000, 0..6_i32).prop_map(|(whole, power)| whole as f64 / 10_f64.powi(power)),
            prop::sample::select(vec![
                0.0,
                -0.0,
                1e126,
                -1e126,
                f64::MIN_POSITIVE,
                5e-324,
                f64::MAX,
                0.1 + 0.2
            ]),
        ]
    }

    pub fn rows() -> impl Strategy<Value = Vec<Point>> {
        let gap = prop_oneof![8 => Just(60_i64), 1 => 1..100_000_i64];
        let plain = numbers().prop_map(|value| Point::plain(0, value));
        let aggregate =
            (any::<u64>(), numbers(), numbers(), numbers(), numbers(), prop::option::of(numbers())).prop_map(
                |(count, sum, min, max, last, sum_squares)| Point {
                    time: 0,
                    count,
                    sum,
                    min,
                    max,
                    sum_squares,
                    last,
                },
            );
        let point = prop_oneof![3 => plain, 1 => aggregate];
        (-5_000_000_000..5_000_000_000_i64, prop::collection::vec((gap, point), 0..300)).prop_map(
            |(mut time, rows)| {
                let timed = |(gap, point): (i64, Point)| {
                    time += gap;
                    Point { time, ..point }
                };
                rows.into_iter().map(timed).collect()
            },
        )
    }

    proptest! {
        #[test]
        fn blocks_come_back_bit_for_bit(rows in rows()) {
            let back = decode(&encode(&rows).unwrap()).unwrap();
            prop_assert_eq!(back.iter().map(bits).collect::<Vec<_>>(), rows.iter().map(bits).collect::<Vec<_>>());
        }

        #[test]
        fn head_rows_come_back_bit_for_bit(rows in rows()) {
            let (mut data, mut back) = (Vec::new(), Vec::new());
            put_head(&mut data, &rows);
            take_head(&mut back, rows.first().map_or(0, |row| row.time), &data).unwrap();
            prop_assert_eq!(back.iter().map(bits).collect::<Vec<_>>(), rows.iter().map(bits).collect::<Vec<_>>());
            let _ = take_head(&mut back, 0, &data[..data.len() / 2]);
        }

        #[test]
        fn damaged_blocks_are_refused_or_read_but_never_panic(
            rows in rows(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut data = encode(&rows).unwrap();
            let at = at.index(data.len());
            data[at] = byte;
            let _ = decode(&data);
            let _ = decode(&data[..at]);
        }
    }

    #[test]
    fn a_lone_odd_value_does_not_cost_the_column_its_scale() {
        let mut rows: Vec<Point> = (0..1000).map(|n| Point::plain(n, (n % 7) as f64 / 100.0)).collect();
        let without = encode(&rows).unwrap().len();
        rows[500] = Point::plain(500, -0.0);
        rows[700] = Point::plain(700, 1e126);
        assert!(encode(&rows).unwrap().len() < without + 60);
    }
}
