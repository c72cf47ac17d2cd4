//! The structure of a zip: its end, its central directory, its local headers.
//!
//! Read as hostile input: every count and offset is checked against the file
//! before it is used. Any safe zip passes [`read_directory`]; format 1 has to
//! pass [`check_layout`], too, which leaves no byte of the structure free.

use std::fs::File;
use std::io::{BufReader, Read};

use super::emitter::{EntryHeader, FLAG_DESCRIPTOR, end_of_archive};
use super::end::{find_end, get_u16, get_u32};
use super::error::{ArchiveError, shown};
use super::limits::Limits;
use super::manifest::Method;
use super::names::{self, NameSet};
use super::slice::{FileSlice, read_exact_at};

const LOCAL_HEADER: u32 = 0x0403_4b50;
const CENTRAL_RECORD: u32 = 0x0201_4b50;

/// Flag bits 0 (encrypted), 6 (strongly), 13 (headers masked).
const FLAGS_ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;

/// One entry as the central directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub name: String,
    pub method: Method,
    pub crc32: u32,
    pub compressed_size: u64,
    pub size: u64,
    pub offset: u64,
    /// Where the data begins, after the local header.
    pub data_offset: u64,
    pub is_streamed: bool,
}

impl Record {
    fn header(&self) -> EntryHeader<'_> {
        EntryHeader {
            name: &self.name,
            method: self.method,
            crc32: self.crc32,
            compressed_size: self.compressed_size,
            size: self.size,
            offset: self.offset,
            is_streamed: self.is_streamed,
        }
    }
}

/// A central directory and where it stands.
#[derive(Debug)]
pub(super) struct Directory {
    pub records: Vec<Record>,
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
    let mut records = Vec::new();
    let mut names = NameSet::default();
    for _ in 0..end.entries {
        let record = read_record(&mut bytes, &mut left, limits)?;
        names.insert(&record.name)?;
        records.push(record);
    }
    if left != 0 {
        return Err(ArchiveError::damaged("its central directory has more records than its end says"));
    }
    check_sizes(&records, length, limits)?;
    for record in &mut records {
        record.data_offset = find_data(file, record, end.offset)?;
    }
    check_overlap(&records, end.offset)?;
    Ok(Directory { records, offset: end.offset, size: end.size })
}

/// Checks that the file is, byte for byte, what our writer makes of these records:
/// local headers one after the other from 0, then the directory, then the end.
pub(super) fn check_layout(file: &File, length: u64, directory: &Directory) -> Result<(), ArchiveError> {
    let mut position = 0;
    for record in &directory.records {
        let header = record.header();
        let expected = header.local_header();
        if record.offset != position || record.data_offset != position + expected.len() as u64 {
            return Err(ArchiveError::damaged_entry(
                &record.name,
                format!("it does not begin at byte {position}, where the entry before it ends"),
            ));
        }
        let differs =
            |what| ArchiveError::damaged_entry(&record.name, format!("its {what} is not of format 1"));
        expect_bytes(file, position, &expected)?.ok_or_else(|| differs("local header"))?;
        position = record.data_offset + record.compressed_size;
        if record.is_streamed {
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
    for record in &directory.records {
        expected.extend_from_slice(&record.header().central_record());
        if expected.len() >= 1 << 20 {
            position = expect_tail(file, position, &expected)?;
            expected.clear();
        }
    }
    expected.extend_from_slice(&end_of_archive(
        directory.records.len() as u64,
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

fn read_record(bytes: &mut impl Read, left: &mut u64, limits: &Limits) -> Result<Record, ArchiveError> {
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
    let mut record = Record {
        method,
        crc32: get_u32(&fixed, 16),
        compressed_size: get_u32(&fixed, 20).into(),
        size: get_u32(&fixed, 24).into(),
        offset: get_u32(&fixed, 42).into(),
        data_offset: 0,
        is_streamed: flags & FLAG_DESCRIPTOR != 0,
        name,
    };
    apply_zip64(&mut record, &extra)?;
    if record.method == Method::Stored && record.size != record.compressed_size {
        return Err(ArchiveError::damaged_entry(&record.name, "it is stored, and has two sizes"));
    }
    if record.name.ends_with('/') && record.size != 0 {
        return Err(ArchiveError::refused_entry(&record.name, "a folder with content"));
    }
    Ok(record)
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
fn apply_zip64(record: &mut Record, mut extra: &[u8]) -> Result<(), ArchiveError> {
    let broken = |name: &str| ArchiveError::damaged_entry(name, "its extra fields are cut");
    let mut large: Option<&[u8]> = None;
    while !extra.is_empty() {
        // Some writers pad with up to three bytes.
        if extra.len() < 4 {
            break;
        }
        let length = usize::from(get_u16(extra, 2));
        let field = extra.get(4..4 + length).ok_or_else(|| broken(&record.name))?;
        if get_u16(extra, 0) == 1 {
            if large.is_some() {
                return Err(ArchiveError::damaged_entry(&record.name, "it has two zip64 fields"));
            }
            large = Some(field);
        }
        extra = &extra[4 + length..];
    }
    let Some(mut large) = large else {
        return Ok(());
    };
    for value in [&mut record.size, &mut record.compressed_size, &mut record.offset] {
        if *value == u64::from(u32::MAX) {
            let (first, rest) = large.split_first_chunk::<8>().ok_or_else(|| broken(&record.name))?;
            *value = u64::from_le_bytes(*first);
            large = rest;
        }
    }
    Ok(())
}

fn check_sizes(records: &[Record], length: u64, limits: &Limits) -> Result<(), ArchiveError> {
    let mut total: u64 = 0;
    for record in records {
        if record.size > limits.entry_bytes {
            return Err(ArchiveError::limit(&record.name, "bytes", limits.entry_bytes));
        }
        total = total.saturating_add(record.size);
        if total > limits.total_bytes {
            return Err(ArchiveError::limit(
                &record.name,
                "bytes in all entries together",
                limits.total_bytes,
            ));
        }
    }
    if total > limits.ratio_from_bytes && total / length.max(1) >= limits.ratio {
        let worst = records
            .iter()
            .max_by_key(|record| record.size / record.compressed_size.max(1))
            .map_or("", |record| &record.name);
        return Err(ArchiveError::limit(
            worst,
            "times the size of the archive for all entries together",
            limits.ratio,
        ));
    }
    Ok(())
}

/// Reads the local header of an entry; where it speaks otherwise than the directory, readers
/// would disagree on what the entry is.
fn find_data(file: &File, record: &Record, directory_offset: u64) -> Result<u64, ArchiveError> {
    let differs = |what: &str| {
        ArchiveError::damaged_entry(
            &record.name,
            format!("its local header and the central directory have different {what}"),
        )
    };
    let outside = || ArchiveError::damaged_entry(&record.name, "it lies outside the archive");
    let fixed_end = record.offset.checked_add(30).ok_or_else(outside)?;
    if fixed_end > directory_offset {
        return Err(outside());
    }
    let mut fixed = [0; 30];
    read_exact_at(file, &mut fixed, record.offset)?;
    if get_u32(&fixed, 0) != LOCAL_HEADER {
        return Err(ArchiveError::damaged_entry(&record.name, "it has no local header"));
    }
    let mut name = vec![0; get_u16(&fixed, 26).into()];
    let extra_length = u64::from(get_u16(&fixed, 28));
    let name_end = fixed_end + name.len() as u64;
    if name_end > directory_offset {
        return Err(outside());
    }
    read_exact_at(file, &mut name, fixed_end)?;
    if name != record.name.as_bytes() {
        return Err(differs(&format!("names (`{}`)", shown(&String::from_utf8_lossy(&name)))));
    }
    let flags = get_u16(&fixed, 6);
    let same_flags = FLAGS_ENCRYPTED | FLAG_DESCRIPTOR;
    let own_flags = if record.is_streamed { FLAG_DESCRIPTOR } else { 0 };
    if flags & same_flags != own_flags {
        return Err(differs("flags"));
    }
    if get_u16(&fixed, 8) != record.method.code() {
        return Err(differs("methods"));
    }
    let data_offset = name_end + extra_length;
    if data_offset.checked_add(record.compressed_size).is_none_or(|end| end > directory_offset) {
        return Err(outside());
    }
    Ok(data_offset)
}

/// Two entries that share bytes make a bomb out of little.
fn check_overlap(records: &[Record], directory_offset: u64) -> Result<(), ArchiveError> {
    let mut spans: Vec<(u64, u64, &str)> = records
        .iter()
        .map(|record| {
            let end = record.data_offset + record.compressed_size;
            (record.offset, end, record.name.as_str())
        })
        .collect();
    spans.sort_unstable();
    for pair in spans.windows(2) {
        let [(_, end, _), (start, _, name)] = pair else {
            continue;
        };
        if end > start {
            return Err(ArchiveError::refused_entry(name, "it overlaps another entry"));
        }
    }
    debug_assert!(spans.last().is_none_or(|(_, end, _)| *end <= directory_offset));
    Ok(())
}
