//! The end of a zip: where its central directory is and how many entries it has.
//!
//! Read as hostile input; knows nothing of entries.

use std::fs::File;

use super::error::ArchiveError;
use super::slice::read_exact_at;

const ZIP64_END: u32 = 0x0606_4b50;
const ZIP64_LOCATOR: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;

const END_BYTES: u64 = 22;
const LOCATOR_BYTES: u64 = 20;
const ZIP64_END_BYTES: u64 = 56;
/// The end record may be followed by a comment of that length.
const MOST_COMMENT: u64 = 0xffff;

/// What the end of a zip says.
pub(super) struct End {
    pub entries: u64,
    pub offset: u64,
    pub size: u64,
}

/// Finds the end record, which has to end with the file, and the directory it points to.
pub(super) fn find_end(file: &File, length: u64) -> Result<End, ArchiveError> {
    let not_zip = |reason: &str| ArchiveError::NotZip { reason: reason.into() };
    if length < END_BYTES {
        return Err(not_zip("it is shorter than the shortest zip"));
    }
    let mut start = [0; 4];
    read_exact_at(file, &mut start, 0)?;
    let begins_like_zip = start[..2] == *b"PK";
    let tail_length = length.min(END_BYTES + MOST_COMMENT);
    let tail_offset = length - tail_length;
    let mut tail = vec![0; usize::try_from(tail_length).unwrap_or(0)];
    read_exact_at(file, &mut tail, tail_offset)?;
    let found = (0..=tail.len() - END_BYTES as usize).rev().find(|at| {
        let record = &tail[*at..];
        // The comment has to reach the end of the file: else readers disagree on where the end is.
        get_u32(record, 0) == END && usize::from(get_u16(record, 20)) == record.len() - END_BYTES as usize
    });
    let Some(at) = found else {
        return Err(if begins_like_zip {
            ArchiveError::damaged("no end record at its end: it is truncated, or bytes follow it")
        } else {
            not_zip("it neither begins nor ends like one")
        });
    };
    let record = &tail[at..];
    let end_offset = tail_offset + at as u64;
    if get_u16(record, 4) != 0 || get_u16(record, 6) != 0 {
        return Err(ArchiveError::damaged("it spans several disks"));
    }
    if get_u16(record, 8) != get_u16(record, 10) {
        return Err(ArchiveError::damaged("its end record counts entries twice and differently"));
    }
    let short = End {
        entries: get_u16(record, 10).into(),
        size: get_u32(record, 12).into(),
        offset: get_u32(record, 16).into(),
    };
    let is_zip64 = short.entries == u64::from(u16::MAX)
        || short.size == u64::from(u32::MAX)
        || short.offset == u64::from(u32::MAX);
    let (end, directory_end) = match is_zip64 {
        true => read_zip64_end(file, end_offset, short)?,
        false => (short, end_offset),
    };
    if end.offset.checked_add(end.size) != Some(directory_end) {
        return Err(ArchiveError::damaged(
            "its central directory is not where its end record says: truncated, or bytes were put before or into it",
        ));
    }
    Ok(end)
}

/// Gives the end as zip64 has it, and where the zip64 record begins.
fn read_zip64_end(file: &File, end_offset: u64, short: End) -> Result<(End, u64), ArchiveError> {
    let Some(locator_offset) = end_offset.checked_sub(LOCATOR_BYTES) else {
        return Ok((short, end_offset));
    };
    let mut locator = [0; LOCATOR_BYTES as usize];
    read_exact_at(file, &mut locator, locator_offset)?;
    if get_u32(&locator, 0) != ZIP64_LOCATOR {
        // 65,535 entries and no zip64 is possible.
        return Ok((short, end_offset));
    }
    let record_offset = get_u64(&locator, 8);
    if record_offset.checked_add(ZIP64_END_BYTES) != Some(locator_offset) {
        return Err(ArchiveError::damaged("its zip64 end record is not where it should be"));
    }
    let mut record = [0; ZIP64_END_BYTES as usize];
    read_exact_at(file, &mut record, record_offset)?;
    if get_u32(&record, 0) != ZIP64_END
        || get_u64(&record, 4) != ZIP64_END_BYTES - 12
        || get_u32(&record, 16) != 0
        || get_u32(&record, 20) != 0
        || get_u64(&record, 24) != get_u64(&record, 32)
    {
        return Err(ArchiveError::damaged("its zip64 end record makes no sense"));
    }
    let end = End { entries: get_u64(&record, 32), size: get_u64(&record, 40), offset: get_u64(&record, 48) };
    Ok((end, record_offset))
}

pub(super) fn get_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn get_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from(get_u16(bytes, at)) | u32::from(get_u16(bytes, at + 2)) << 16
}

fn get_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from(get_u32(bytes, at)) | u64::from(get_u32(bytes, at + 4)) << 32
}
