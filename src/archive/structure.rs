//! The structure of a zip: its end, its central directory, its local headers.
//!
//! Read as hostile input: every count and offset is checked against the file
//! before it is used. Any safe zip passes [`read_directory`]; format 1 has to
//! pass [`check_layout`], too, which leaves no byte of the structure free.

use std::fs::File;
use std::io::{BufReader, Read};

use super::emitter::{FLAG_DESCRIPTOR, end_of_archive};
use super::end::{find_end, get_u16, get_u32};
use super::error::{ArchiveError, shown};
use super::limits::Limits;
use super::manifest::Method;
use super::names;
use super::slice::{FileSlice, read_exact_at};
use super::table::{EntryTable, Record, Row};

const LOCAL_HEADER: u32 = 0x0403_4b50;
const CENTRAL_RECORD: u32 = 0x0201_4b50;

/// Flag bits 0 (encrypted), 6 (strongly), 13 (headers masked).
const FLAGS_ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;

/// A central directory and where it stands.
#[derive(Debug)]
pub(super) struct Directory {
    pub entries: EntryTable,
    pub offset: u64,
    pub size: u64,
}

/// Reads and checks the central directory of any zip, and the local headers it points to.
pub(super) fn read_directory(file: &File, length: u64, limits: &Limits) -> Result<Directory, ArchiveError> {
    let end = find_end(file, length)?;
    if end.entries > limits.entries {
        return Err(ArchiveError::limit("central directory", "entries", limits.entries));
    }
    let mut bytes = BufReader::with_capacity(64 << 10, FileSlice::new(file, end.offset, end.size));
    let mut left = end.size;
    let mut entries = EntryTable::default();
    for _ in 0..end.entries {
        let (name, row) = read_record(&mut bytes, &mut left, limits)?;
        if entries.name_bytes() as u64 + name.len() as u64 > limits.all_names_bytes {
            return Err(ArchiveError::limit(&name, "bytes in all names together", limits.all_names_bytes));
        }
        entries.claim(&name)?;
        entries.push(row);
    }
    if left != 0 {
        return Err(ArchiveError::damaged("its central directory has more records than its end says"));
    }
    check_sizes(&entries, length, limits)?;
    for number in 0..entries.len() {
        entries.row_mut(number).data_offset = find_data(file, &entries.record(number), end.offset)?;
    }
    check_overlap(&entries, end.offset)?;
    Ok(Directory { entries, offset: end.offset, size: end.size })
}

/// Checks that the file is, byte for byte, what our writer makes of these records:
/// local headers one after the other from 0, then the directory, then the end.
pub(super) fn check_layout(file: &File, length: u64, directory: &Directory) -> Result<(), ArchiveError> {
    let mut position = 0;
    for record in directory.entries.records() {
        let Record { name, row } = record;
        let header = record.header();
        let expected = header.local_header();
        if row.offset != position || row.data_offset != position + expected.len() as u64 {
            return Err(ArchiveError::damaged_entry(
                name,
                format!("it does not begin at byte {position}, where the entry before it ends"),
            ));
        }
        let differs = |what| ArchiveError::damaged_entry(name, format!("its {what} is not of format 1"));
        expect_bytes(file, position, &expected)?.ok_or_else(|| differs("local header"))?;
        position = row.data_offset + row.compressed_size;
        if row.is_streamed {
            let expected = header.descriptor();
            expect_bytes(file, position, &expected)?.ok_or_else(|| differs("descriptor"))?;
            position += expected.len() as u64;
        }
    }
    if position != directory.offset {
        return Err(ArchiveError::damaged(
            "there are bytes between the last entry and the central directory",
        ));
    }
    let mut expected = Vec::new();
    for record in directory.entries.records() {
        expected.extend_from_slice(&record.header().central_record());
        if expected.len() >= 1 << 20 {
            position = expect_tail(file, position, &expected)?;
            expected.clear();
        }
    }
    expected.extend_from_slice(&end_of_archive(
        directory.entries.len() as u64,
        directory.offset,
        directory.size,
    ));
    position = expect_tail(file, position, &expected)?;
    if position != length {
        return Err(ArchiveError::damaged("there are bytes after its end"));
    }
    Ok(())
}

fn expect_tail(file: &File, position: u64, expected: &[u8]) -> Result<u64, ArchiveError> {
    expect_bytes(file, position, expected)?
        .ok_or_else(|| ArchiveError::damaged("its central directory is not of format 1"))?;
    Ok(position + expected.len() as u64)
}

/// `Some` when exactly these bytes stand at `position`.
fn expect_bytes(file: &File, position: u64, expected: &[u8]) -> Result<Option<()>, ArchiveError> {
    let mut found = vec![0; expected.len()];
    read_exact_at(file, &mut found, position)?;
    Ok((found == expected).then_some(()))
}

/// Reads a record: the entry's name and what is said of it.
fn read_record(
    bytes: &mut impl Read,
    left: &mut u64,
    limits: &Limits,
) -> Result<(String, Row), ArchiveError> {
    let mut take = |length: usize| -> Result<Vec<u8>, ArchiveError> {
        *left = left
            .checked_sub(length as u64)
            .ok_or_else(|| ArchiveError::damaged("its central directory ends within a record"))?;
        let mut taken = vec![0; length];
        bytes.read_exact(&mut taken).map_err(ArchiveError::Read)?;
        Ok(taken)
    };
    let fixed = take(46)?;
    if get_u32(&fixed, 0) != CENTRAL_RECORD {
        return Err(ArchiveError::damaged("its central directory has fewer records than its end says"));
    }
    let name = take(get_u16(&fixed, 28).into())?;
    let extra = take(get_u16(&fixed, 30).into())?;
    // The comment says nothing to us.
    take(get_u16(&fixed, 32).into())?;

    let Ok(name) = String::from_utf8(name) else {
        return Err(ArchiveError::BadName { name: "…".into(), reason: "it is not UTF-8" });
    };
    if name.len() > limits.name_bytes {
        return Err(ArchiveError::limit(&name, "bytes in a name", limits.name_bytes as u64));
    }
    names::check(&name)?;
    let depth = name.trim_end_matches('/').split('/').count();
    if depth > limits.depth {
        return Err(ArchiveError::limit(&name, "folders in a name", limits.depth as u64));
    }
    let flags = get_u16(&fixed, 8);
    if flags & FLAGS_ENCRYPTED != 0 {
        return Err(ArchiveError::refused_entry(&name, "it is encrypted by the zip"));
    }
    let code = get_u16(&fixed, 10);
    let method = Method::from_code(code).ok_or_else(|| {
        ArchiveError::refused_entry(&name, format!("compression method {code} is not supported"))
    })?;
    check_kind(&name, get_u32(&fixed, 38))?;
    if get_u16(&fixed, 34) != 0 {
        return Err(ArchiveError::damaged_entry(&name, "it is on another disk"));
    }
    let mut row = Row {
        offset: get_u32(&fixed, 42).into(),
        data_offset: 0,
        compressed_size: get_u32(&fixed, 20).into(),
        size: get_u32(&fixed, 24).into(),
        crc32: get_u32(&fixed, 16),
        method,
        is_streamed: flags & FLAG_DESCRIPTOR != 0,
        sha256: None,
    };
    apply_zip64(&name, &mut row, &extra)?;
    if row.method == Method::Stored && row.size != row.compressed_size {
        return Err(ArchiveError::damaged_entry(&name, "it is stored, and has two sizes"));
    }
    if name.ends_with('/') && row.size != 0 {
        return Err(ArchiveError::refused_entry(&name, "a folder with content"));
    }
    Ok((name, row))
}

/// Files and folders only; whatever system the archive says it comes from.
fn check_kind(name: &str, attributes: u32) -> Result<(), ArchiveError> {
    let kind = match (attributes >> 16) & 0o170_000 {
        0 | 0o100_000 | 0o040_000 => return Ok(()),
        0o120_000 => "a symbolic link",
        0o060_000 | 0o020_000 => "a device",
        0o010_000 => "a named pipe",
        0o140_000 => "a socket",
        _ => "of an unknown kind",
    };
    Err(ArchiveError::refused_entry(name, format!("it is {kind}")))
}

/// Takes what does not fit in 32 bits from the zip64 extra field.
fn apply_zip64(name: &str, row: &mut Row, mut extra: &[u8]) -> Result<(), ArchiveError> {
    let broken = || ArchiveError::damaged_entry(name, "its extra fields are cut");
    let mut large: Option<&[u8]> = None;
    while !extra.is_empty() {
        // Some writers pad with up to three bytes.
        if extra.len() < 4 {
            break;
        }
        let length = usize::from(get_u16(extra, 2));
        let field = extra.get(4..4 + length).ok_or_else(broken)?;
        if get_u16(extra, 0) == 1 {
            if large.is_some() {
                return Err(ArchiveError::damaged_entry(name, "it has two zip64 fields"));
            }
            large = Some(field);
        }
        extra = &extra[4 + length..];
    }
    let Some(mut large) = large else {
        return Ok(());
    };
    for value in [&mut row.size, &mut row.compressed_size, &mut row.offset] {
        if *value == u64::from(u32::MAX) {
            let (first, rest) = large.split_first_chunk::<8>().ok_or_else(broken)?;
            *value = u64::from_le_bytes(*first);
            large = rest;
        }
    }
    Ok(())
}

fn check_sizes(entries: &EntryTable, length: u64, limits: &Limits) -> Result<(), ArchiveError> {
    let mut total: u64 = 0;
    for Record { name, row } in entries.records() {
        if row.size > limits.entry_bytes {
            return Err(ArchiveError::limit(name, "bytes", limits.entry_bytes));
        }
        total = total.saturating_add(row.size);
        if total > limits.total_bytes {
            return Err(ArchiveError::limit(name, "bytes in all entries together", limits.total_bytes));
        }
    }
    if total > limits.ratio_from_bytes && total / length.max(1) >= limits.ratio {
        let worst =
            entries.records().max_by_key(|record| record.row.size / record.row.compressed_size.max(1));
        return Err(ArchiveError::limit(
            worst.map_or("", |record| record.name),
            "times the size of the archive for all entries together",
            limits.ratio,
        ));
    }
    Ok(())
}

/// Reads the local header of an entry; where it speaks otherwise than the directory, readers
/// would disagree on what the entry is.
fn find_data(file: &File, record: &Record<'_>, directory_offset: u64) -> Result<u64, ArchiveError> {
    let Record { name: known_name, row } = *record;
    let differs = |what: &str| {
        ArchiveError::damaged_entry(
            known_name,
            format!("its local header and the central directory have different {what}"),
        )
    };
    let outside = || ArchiveError::damaged_entry(known_name, "it lies outside the archive");
    let fixed_end = row.offset.checked_add(30).ok_or_else(outside)?;
    if fixed_end > directory_offset {
        return Err(outside());
    }
    let mut fixed = [0; 30];
    read_exact_at(file, &mut fixed, row.offset)?;
    if get_u32(&fixed, 0) != LOCAL_HEADER {
        return Err(ArchiveError::damaged_entry(known_name, "it has no local header"));
    }
    let mut name = vec![0; get_u16(&fixed, 26).into()];
    let extra_length = u64::from(get_u16(&fixed, 28));
    let name_end = fixed_end + name.len() as u64;
    if name_end > directory_offset {
        return Err(outside());
    }
    read_exact_at(file, &mut name, fixed_end)?;
    if name != known_name.as_bytes() {
        return Err(differs(&format!("names (`{}`)", shown(&String::from_utf8_lossy(&name)))));
    }
    let flags = get_u16(&fixed, 6);
    let same_flags = FLAGS_ENCRYPTED | FLAG_DESCRIPTOR;
    let own_flags = if row.is_streamed { FLAG_DESCRIPTOR } else { 0 };
    if flags & same_flags != own_flags {
        return Err(differs("flags"));
    }
    if get_u16(&fixed, 8) != row.method.code() {
        return Err(differs("methods"));
    }
    let data_offset = name_end + extra_length;
    if data_offset.checked_add(row.compressed_size).is_none_or(|end| end > directory_offset) {
        return Err(outside());
    }
    Ok(data_offset)
}

/// Two entries that share bytes make a bomb out of little.
fn check_overlap(entries: &EntryTable, directory_offset: u64) -> Result<(), ArchiveError> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_unstable_by_key(|number| {
        let Record { row, .. } = entries.record(*number);
        (row.offset, row.data_offset + row.compressed_size)
    });
    let mut last_end = 0;
    for Record { name, row } in order.into_iter().map(|number| entries.record(number)) {
        if last_end > row.offset {
            return Err(ArchiveError::refused_entry(name, "it overlaps another entry"));
        }
        last_end = row.data_offset + row.compressed_size;
    }
    debug_assert!(last_end <= directory_offset);
    Ok(())
}
