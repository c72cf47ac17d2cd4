//! Long contents: streamed, cut into parts, stored with their sizes known.

use std::io::{self, Cursor, Read};

use super::*;
use crate::archive::stream::Length;

/// Adds a content as if it were too long to be compressed as a whole.
pub(super) fn add_as_stream(writer: &mut ArchiveWriter<Vec<u8>>, name: &str, content: &[u8]) {
    writer.add_long(name, &mut &content[..], Length::Exactly(content.len() as u64), false).unwrap();
}

const LONG: usize = (9 << 20) + 12_345;

fn by_zip_crate(bytes: &[u8], name: &str) -> Vec<u8> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut content = Vec::new();
    zip.by_name(name).unwrap().read_to_end(&mut content).unwrap();
    content
}

fn entry<'a>(archive: &'a Archive, name: &str) -> EntryInfo<'a> {
    archive.entries().iter().find(|entry| entry.path == name).unwrap()
}

#[test]
fn a_long_stream_of_known_length_is_one_entry() {
    let content = prose(LONG);
    for compression in [Compression::Deflate { level: 4 }, Compression::Zstd { level: 1 }] {
        let options = WriterOptions { compression, ..WriterOptions::default() };
        let (bytes, _) = write_with(options, |writer| {
            let added = writer.add_stream("long", &mut &content[..], Some(LONG as u64)).unwrap();
            assert_eq!(added.entries, ["long"]);
            assert_eq!(added.sha256, Digest::of(&content));
        });
        let archive = open(&bytes).unwrap();
        verify(&archive).unwrap();
        assert!(entry(&archive, "long").compressed_size < LONG as u64 / 2);
        assert!(archive.read_bytes("long", LONG as u64).unwrap() == content);
        assert!(by_zip_crate(&bytes, "long") == content);
    }
}

#[test]
fn a_long_stream_of_unknown_length_is_kept_in_parts_and_joined() {
    let content = prose(LONG);
    for part_size in [1 << 30, 4 << 20, (3 << 20) + 7] {
        let options = WriterOptions { part_size_bytes: part_size, ..WriterOptions::default() };
        let (bytes, finished) = write_with(options, |writer| {
            let added = writer.add_stream("dir/long", &mut &content[..], None).unwrap();
            let parts = (LONG as u64).div_ceil(part_size) as usize;
            assert_eq!(added.entries.len(), parts);
            assert_eq!(added.entries[0], "dir/long.0000");
            assert_eq!(added.size_bytes, LONG as u64);
            assert_eq!(added.sha256, Digest::of(&content));
        });
        for (part, piece) in finished.entries.iter().skip(1).zip(content.chunks(part_size as usize)) {
            assert_eq!(part.sha256, Some(Digest::of(piece)));
        }
        let archive = open(&bytes).unwrap();
        verify(&archive).unwrap();
        assert!(archive.contains("dir/long"));
        assert!(archive.read_bytes("dir/long", LONG as u64).unwrap() == content);
        assert!(by_zip_crate(&bytes, "dir/long.0000") == content[..content.len().min(part_size as usize)]);
    }
}

#[test]
fn a_content_that_ends_at_the_edge_of_a_part_has_no_empty_part() {
    let content = prose(12 << 20);
    let options = WriterOptions { part_size_bytes: 4 << 20, ..WriterOptions::default() };
    let (_, finished) = write_with(options, |writer| {
        writer.add_stream("long", &mut &content[..], None).unwrap();
    });
    let names: Vec<_> = finished.entries.iter().map(|entry| entry.path).collect();
    assert_eq!(names[1..names.len() - 2], ["long.0000", "long.0001", "long.0002"]);
}

#[test]
fn a_short_stream_is_as_if_it_had_been_in_memory() {
    let content = prose(100_000);
    let as_bytes = write(|writer| drop(writer.add_bytes("a", &content).unwrap()));
    for size in [None, Some(100_000)] {
        let as_stream = write(|writer| {
            writer.add_stream("a", &mut &content[..], size).unwrap();
        });
        assert!(as_bytes == as_stream);
    }
}

#[test]
fn a_long_compressed_stream_is_stored_with_its_sizes_known_where_it_can_wait() {
    let content = noise(LONG);
    let options =
        |spool_dir| WriterOptions { spool_dir, part_size_bytes: 6 << 20, ..WriterOptions::default() };
    let (bytes, _) = write_with(options(Some(std::env::temp_dir())), |writer| {
        writer.add_stream("long", &mut &content[..], None).unwrap();
    });
    let archive = open(&bytes).unwrap();
    verify(&archive).unwrap();
    for part in ["long.0000", "long.0001"] {
        assert_eq!(entry(&archive, part).method, Method::Stored);
        assert!(!archive.record(entry(&archive, part).order as usize).row.is_streamed);
    }
    assert!(archive.read_bytes("long", LONG as u64).unwrap() == content);

    let (bytes, _) = write_with(options(None), |writer| {
        writer.add_stream("long", &mut &content[..], None).unwrap();
    });
    let archive = open(&bytes).unwrap();
    verify(&archive).unwrap();
    assert_eq!(entry(&archive, "long.0000").method, Method::Deflate);
    assert!(archive.read_bytes("long", LONG as u64).unwrap() == content);
    assert!(bytes.len() < LONG + LONG / 1000 + 5000);
}

#[test]
fn a_file_is_taken_from_where_it_stands() {
    for (content, method) in
        [(noise(LONG), Method::Stored), (prose(LONG), Method::Deflate), (prose(1000), Method::Deflate)]
    {
        let mut file = file_of(&content);
        file.seek(std::io::SeekFrom::Start(5)).unwrap();
        let (bytes, _) = write_with(WriterOptions::default(), |writer| {
            let added = writer.add_file("file", &mut file).unwrap();
            assert_eq!(added.entries, ["file"]);
            assert_eq!(added.size_bytes, content.len() as u64 - 5);
            assert_eq!(added.sha256, Digest::of(&content[5..]));
        });
        let archive = open(&bytes).unwrap();
        verify(&archive).unwrap();
        assert_eq!(entry(&archive, "file").method, method);
        assert!(archive.read_bytes("file", LONG as u64).unwrap() == content[5..]);
    }
}

#[test]
fn a_stream_of_another_length_than_promised_is_told() {
    let part_size_bytes = LONG as u64;
    for (length, promised) in
        [(10, 11), (11, 10), (10, LONG), (LONG, 10), (LONG, LONG - 1), (LONG, LONG + 1), (LONG + 1, LONG)]
    {
        let options = WriterOptions { part_size_bytes, ..WriterOptions::default() };
        let mut writer = ArchiveWriter::new(Vec::new(), options);
        writer.add_metadata(&metadata()).unwrap();
        let content = prose(length);
        let error = writer.add_stream("a", &mut &content[..], Some(promised as u64)).unwrap_err();
        assert!(matches!(error, ArchiveError::LengthMismatch { .. }), "{length} {promised}: {error}");
    }
}

#[test]
fn a_stream_that_fails_midway_ends_the_archive() {
    struct Failing(u64);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("the disk is gone"));
            }
            let read = buffer.len().min(self.0 as usize);
            buffer[..read].fill(b'x');
            self.0 -= read as u64;
            Ok(read)
        }
    }
    let mut writer = ArchiveWriter::new(Vec::new(), WriterOptions::default());
    writer.add_metadata(&metadata()).unwrap();
    let error = writer.add_stream("early", &mut Failing(100), None).unwrap_err();
    assert!(matches!(error, ArchiveError::ReadContent { .. }), "{error}");
    writer.add_bytes("nothing was written yet", b"").unwrap();
    let error = writer.add_stream("late", &mut Failing(LONG as u64), None).unwrap_err();
    assert!(matches!(error, ArchiveError::ReadContent { .. }), "{error}");
    let error = writer.add_bytes("a", b"").unwrap_err();
    assert!(matches!(error, ArchiveError::Unfinished), "{error}");
}

#[test]
fn a_long_sealed_stream_is_opened_from_the_archive() {
    let key = Identity::generate();
    let content = prose(LONG);
    let (bytes, _) = write_with(WriterOptions::default(), |writer| {
        let mut sealed = SealedReader::new(&content[..], &[key.recipient()]).unwrap();
        writer.add_stream("credentials/keys.age", &mut sealed, None).unwrap();
    });
    let archive = open(&bytes).unwrap();
    let mut plain = Vec::new();
    open_sealed(archive.read("credentials/keys.age").unwrap(), &[key])
        .unwrap()
        .read_to_end(&mut plain)
        .unwrap();
    assert!(plain == content);
}
