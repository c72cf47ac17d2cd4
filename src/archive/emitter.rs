//! The zip structures of format 1, as bytes.
//!
//! Pure: values in, bytes out. The writer writes these bytes; the reader makes
//! them again from what it parsed and compares, so that no byte of a header
//! can differ unseen. Layout after PKWARE's APPNOTE 6.3.

use super::manifest::Method;

const LOCAL_HEADER: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL_RECORD: u32 = 0x0201_4b50;
const ZIP64_END: u32 = 0x0606_4b50;
const ZIP64_LOCATOR: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;

/// The extra field that carries what does not fit in 32 bits.
const ZIP64_EXTRA: u16 = 0x0001;
/// Made by Unix (3), after version 6.3 of the specification.
const MADE_BY: u16 = (3 << 8) | 63;
/// Bit 11: the name is UTF-8.
const FLAG_UTF8: u16 = 1 << 11;
/// Bit 3: CRC and sizes follow the data.
pub(super) const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// 1980-01-01, the first day a zip can name; times of contents are in `tree.jsonl`.
const DATE: u16 = (1 << 5) | 1;
const FILE_ATTRIBUTES: u32 = 0o100_644 << 16;
/// With the DOS bit for a folder, which Java and others look at.
const FOLDER_ATTRIBUTES: u32 = (0o040_755 << 16) | 0x10;

/// What the headers of one entry say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryHeader<'a> {
    pub name: &'a str,
    pub method: Method,
    pub crc32: u32,
    pub compressed_size: u64,
    pub size: u64,
    pub offset: u64,
    /// CRC and sizes stand after the data. Only for entries under 4 GiB.
    pub is_streamed: bool,
}

impl EntryHeader<'_> {
    fn needs_zip64_sizes(&self) -> bool {
        self.size >= u64::from(u32::MAX) || self.compressed_size >= u64::from(u32::MAX)
    }

    fn version_needed(&self) -> u16 {
        let for_method = match self.method {
            Method::Stored if self.name.ends_with('/') => 20,
            Method::Stored => 10,
            Method::Deflate => 20,
            Method::Zstd => 63,
        };
        if self.needs_zip64_sizes() || self.offset >= u64::from(u32::MAX) {
            for_method.max(45)
        } else {
            for_method
        }
    }

    fn flags(&self) -> u16 {
        if self.is_streamed { FLAG_UTF8 | FLAG_DESCRIPTOR } else { FLAG_UTF8 }
    }

    fn name_length(&self) -> u16 {
        u16::try_from(self.name.len()).expect("the writer and the reader limit the length of names")
    }

    /// The header before the data. For a streamed entry only name, method and offset count.
    pub(super) fn local_header(&self) -> Vec<u8> {
        let mut extra = Vec::new();
        let (crc32, compressed_size, size) = if self.is_streamed {
            (0, 0, 0)
        } else if self.needs_zip64_sizes() {
            put_u16(&mut extra, ZIP64_EXTRA);
            put_u16(&mut extra, 16);
            put_u64(&mut extra, self.size);
            put_u64(&mut extra, self.compressed_size);
            (self.crc32, u32::MAX, u32::MAX)
        } else {
            (self.crc32, saturate(self.compressed_size), saturate(self.size))
        };
        // A local header does not say where it stands.
        let version_needed = EntryHeader { offset: 0, ..self.clone() }.version_needed();
        let mut bytes = Vec::with_capacity(30 + self.name.len() + extra.len());
        put_u32(&mut bytes, LOCAL_HEADER);
        put_u16(&mut bytes, version_needed);
        put_u16(&mut bytes, self.flags());
        put_u16(&mut bytes, self.method.code());
        put_u16(&mut bytes, 0);
        put_u16(&mut bytes, DATE);
        put_u32(&mut bytes, crc32);
        put_u32(&mut bytes, compressed_size);
        put_u32(&mut bytes, size);
        put_u16(&mut bytes, self.name_length());
        put_u16(&mut bytes, extra.len() as u16);
        bytes.extend_from_slice(self.name.as_bytes());
        bytes.extend_from_slice(&extra);
        bytes
    }

    /// What follows the data of a streamed entry; always with 4-byte sizes.
    pub(super) fn descriptor(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16);
        put_u32(&mut bytes, DESCRIPTOR);
        put_u32(&mut bytes, self.crc32);
        put_u32(&mut bytes, saturate(self.compressed_size));
        put_u32(&mut bytes, saturate(self.size));
        bytes
    }

    /// The entry's record in the central directory.
    pub(super) fn central_record(&self) -> Vec<u8> {
        let mut large = Vec::new();
        if self.needs_zip64_sizes() {
            put_u64(&mut large, self.size);
            put_u64(&mut large, self.compressed_size);
        }
        if self.offset >= u64::from(u32::MAX) {
            put_u64(&mut large, self.offset);
        }
        let mut extra = Vec::new();
        if !large.is_empty() {
            put_u16(&mut extra, ZIP64_EXTRA);
            put_u16(&mut extra, large.len() as u16);
            extra.extend_from_slice(&large);
        }
        let (compressed_size, size) = if self.needs_zip64_sizes() {
            (u32::MAX, u32::MAX)
        } else {
            (saturate(self.compressed_size), saturate(self.size))
        };
        let mut bytes = Vec::with_capacity(46 + self.name.len() + extra.len());
        put_u32(&mut bytes, CENTRAL_RECORD);
        put_u16(&mut bytes, MADE_BY);
        put_u16(&mut bytes, self.version_needed());
        put_u16(&mut bytes, self.flags());
        put_u16(&mut bytes, self.method.code());
        put_u16(&mut bytes, 0);
        put_u16(&mut bytes, DATE);
        put_u32(&mut bytes, self.crc32);
        put_u32(&mut bytes, compressed_size);
        put_u32(&mut bytes, size);
        put_u16(&mut bytes, self.name_length());
        put_u16(&mut bytes, extra.len() as u16);
        // No comment, first disk, no internal attributes.
        put_u16(&mut bytes, 0);
        put_u16(&mut bytes, 0);
        put_u16(&mut bytes, 0);
        put_u32(&mut bytes, if self.name.ends_with('/') { FOLDER_ATTRIBUTES } else { FILE_ATTRIBUTES });
        put_u32(&mut bytes, saturate(self.offset));
        bytes.extend_from_slice(self.name.as_bytes());
        bytes.extend_from_slice(&extra);
        bytes
    }
}

/// The records after the central directory, which began at `offset` and took `size` bytes.
pub(super) fn end_of_archive(entries: u64, offset: u64, size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let is_zip64 =
        entries >= u64::from(u16::MAX) || offset >= u64::from(u32::MAX) || size >= u64::from(u32::MAX);
    if is_zip64 {
        put_u32(&mut bytes, ZIP64_END);
        // The length of the rest of this record.
        put_u64(&mut bytes, 44);
        put_u16(&mut bytes, MADE_BY);
        put_u16(&mut bytes, 45);
        put_u32(&mut bytes, 0);
        put_u32(&mut bytes, 0);
        put_u64(&mut bytes, entries);
        put_u64(&mut bytes, entries);
        put_u64(&mut bytes, size);
        put_u64(&mut bytes, offset);
        put_u32(&mut bytes, ZIP64_LOCATOR);
        put_u32(&mut bytes, 0);
        put_u64(&mut bytes, offset + size);
        put_u32(&mut bytes, 1);
    }
    let short_entries = u16::try_from(entries).unwrap_or(u16::MAX);
    put_u32(&mut bytes, END);
    put_u16(&mut bytes, 0);
    put_u16(&mut bytes, 0);
    put_u16(&mut bytes, short_entries);
    put_u16(&mut bytes, short_entries);
    put_u32(&mut bytes, saturate(size));
    put_u32(&mut bytes, saturate(offset));
    put_u16(&mut bytes, 0);
    bytes
}

/// The 32-bit field for `value`; all ones where it does not fit.
fn saturate(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn put_u16(bytes: &mut Vec<u8>, value: u16) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn put_u32(bytes: &mut Vec<u8>, value: u32) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn put_u64(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend_from_slice(&value.to_le_bytes());
}
