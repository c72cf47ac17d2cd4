//! The entries of an archive, as the writer made them or the reader found them.
//!
//! What an archive of many entries costs in memory is what stands here, so it
//! stands here once.

use serde::{Serialize, Serializer};

use super::digest::Digest;
use super::emitter::EntryHeader;
use super::error::ArchiveError;
use super::manifest::Method;
use super::name_table::NameTable;

/// One entry of an archive, as the manifest lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EntryInfo<'a> {
    /// The entry's name; a folder's ends in `/`.
    pub path: &'a str,
    /// Its number, from 0, in the order of the archive.
    pub order: u64,
    /// Where its local header begins, in bytes from the start of the archive.
    pub offset: u64,
    /// Bytes it takes in the archive, without headers.
    pub compressed_size: u64,
    /// Bytes of its content.
    pub size: u64,
    /// How the content is kept.
    pub method: Method,
    /// Hash of the content. Archives that are not ours have none, nor have manifest and signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

impl EntryInfo<'_> {
    /// Whether the entry is a folder, which has no content.
    pub fn is_folder(&self) -> bool {
        self.path.ends_with('/')
    }
}

/// The entries of an archive in its order. As JSON, an array of [`EntryInfo`].
#[derive(Debug, Default)]
pub struct EntryTable {
    names: NameTable,
    rows: Vec<Row>,
}

/// What a directory says of an entry, but for its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub offset: u64,
    /// Where the data begins, after the local header. The writer doesn't keep it.
    pub data_offset: u64,
    pub compressed_size: u64,
    pub size: u64,
    pub crc32: u32,
    pub method: Method,
    pub is_streamed: bool,
    /// Hash of the content, once it is known.
    pub sha256: Option<Digest>,
}

/// An entry with its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub name: &'a str,
    pub row: &'a Row,
}

impl<'a> Record<'a> {
    pub(super) fn header(&self) -> EntryHeader<'a> {
        EntryHeader {
            name: self.name,
            method: self.row.method,
            crc32: self.row.crc32,
            compressed_size: self.row.compressed_size,
            size: self.row.size,
            offset: self.row.offset,
            is_streamed: self.row.is_streamed,
        }
    }
}

impl EntryTable {
    /// Number of entries, folders among them.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// An entry by its number.
    pub fn get(&self, number: usize) -> Option<EntryInfo<'_>> {
        let row = self.rows.get(number)?;
        Some(EntryInfo {
            path: self.names.get(number),
            order: number as u64,
            offset: row.offset,
            compressed_size: row.compressed_size,
            size: row.size,
            method: row.method,
            sha256: row.sha256,
        })
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = EntryInfo<'_>> {
        (0..self.len()).map_while(|number| self.get(number))
    }

    /// The number of the entry of this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        // A name is claimed before its row is known.
        self.names.find(name).filter(|number| *number < self.rows.len())
    }

    /// Bytes of all names together.
    pub(super) fn name_bytes(&self) -> usize {
        self.names.text_bytes()
    }

    /// Takes a name for the entry whose row comes next but for those that are claimed already.
    pub(super) fn claim(&mut self, name: &str) -> Result<(), ArchiveError> {
        self.names.insert(name)
    }

    /// How many names are taken, rows or not.
    pub(super) fn claimed(&self) -> usize {
        self.names.len()
    }

    /// Adds the row of the earliest name that has none.
    pub(super) fn push(&mut self, row: Row) {
        debug_assert!(self.rows.len() < self.names.len());
        self.rows.push(row);
    }

    /// # Panics
    /// There has to be an entry of this number.
    pub(super) fn record(&self, number: usize) -> Record<'_> {
        Record { name: self.names.get(number), row: &self.rows[number] }
    }

    pub(super) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.len()).map(|number| self.record(number))
    }

    pub(super) fn row_mut(&mut self, number: usize) -> &mut Row {
        &mut self.rows[number]
    }

    /// Whether the two are the same but for the hashes of contents.
    pub(super) fn has_same_structure(&self, other: &Self) -> bool {
        let without_hash = |row: &Row| Row { sha256: None, ..*row };
        self.names == other.names
            && self.rows.len() == other.rows.len()
            && self.rows.iter().zip(&other.rows).all(|(one, two)| without_hash(one) == without_hash(two))
    }
}

impl Serialize for EntryTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Row = Row {
        offset: 7,
        data_offset: 40,
        compressed_size: 5,
        size: 5,
        crc32: 9,
        method: Method::Stored,
        is_streamed: false,
        sha256: None,
    };

    fn table(names: &[&str], rows: &[Row]) -> EntryTable {
        let mut table = EntryTable::default();
        names.iter().for_each(|name| table.claim(name).unwrap());
        rows.iter().for_each(|row| table.push(*row));
        table
    }

    #[test]
    fn a_name_is_found_once_its_row_is_known() {
        let mut table = table(&["a", "b"], &[ROW]);
        assert_eq!((table.find("a"), table.find("b"), table.find("c")), (Some(0), None, None));
        assert_eq!((table.len(), table.claimed()), (1, 2));
        table.push(Row { offset: 50, ..ROW });
        assert_eq!((table.find("b"), table.get(1).unwrap().offset), (Some(1), 50));
    }

    #[test]
    fn tables_are_the_same_but_for_hashes() {
        let one = table(&["a", "b"], &[ROW, ROW]);
        let hashed = Row { sha256: Some(Digest::of(b"x")), ..ROW };
        assert!(one.has_same_structure(&table(&["a", "b"], &[ROW, hashed])));
        assert!(!one.has_same_structure(&table(&["a", "c"], &[ROW, ROW])));
        assert!(!one.has_same_structure(&table(&["a", "b"], &[ROW])));
        for other in [
            Row { offset: 8, ..ROW },
            Row { data_offset: 41, ..ROW },
            Row { compressed_size: 6, ..ROW },
            Row { size: 6, ..ROW },
            Row { crc32: 8, ..ROW },
            Row { method: Method::Deflate, ..ROW },
            Row { is_streamed: true, ..ROW },
        ] {
            assert!(!one.has_same_structure(&table(&["a", "b"], &[ROW, other])), "{other:?}");
        }
    }
}
