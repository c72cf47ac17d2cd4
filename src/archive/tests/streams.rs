//! Long contents: streamed, cut into parts, stored with their sizes known.

use std::cell::Cell;
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
fn a_content_as_long_as_a_part_is_one_entry_under_its_own_name() {
    for length in [9 << 20, (9 << 20) + 1] {
        let content = prose(length);
        let options = WriterOptions { part_size_bytes: 9 << 20, ..WriterOptions::default() };
        let (_, finished) = write_with(options, |writer| {
            writer.add_stream("stream", &mut &content[..], Some(length as u64)).unwrap();
            writer.add_file("file", &mut file_of(&content)).unwrap();
        });
        let names: Vec<_> = finished.entries.iter().map(|entry| entry.path).collect();
        let expected: &[&str] = match length > 9 << 20 {
            false => &["stream", "file"],
            true => &["stream.0000", "stream.0001", "file.0000", "file.0001"],
        };
        assert_eq!(&names[1..names.len() - 2], expected);
    }
}

#[test]
fn more_parts_than_four_digits_count_are_joined_in_their_order() {
    let content = prose(LONG);
    let options = WriterOptions { part_size_bytes: 900, ..WriterOptions::default() };
    let (bytes, _) = write_with(options, |writer| {
        let added = writer.add_stream("long", &mut &content[..], None).unwrap();
        assert!(added.entries.len() > 10_000);
    });
    let archive = open(&bytes).unwrap();
    verify(&archive).unwrap();
    assert!(archive.read_bytes("long", LONG as u64).unwrap() == content);
}

/// A reader of much, which tells how much was read and is interrupted now and then.
struct Told<'a> {
    read: &'a Cell<u64>,
    length: u64,
    interrupts: bool,
}

impl Read for Told<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupts = !self.interrupts;
        if self.interrupts {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let left = self.length - self.read.get();
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        for (place, byte) in buffer[..length].iter_mut().enumerate() {
            *byte = (self.read.get() as usize + place) as u8;
        }
        self.read.set(self.read.get() + length as u64);
        Ok(length)
    }
}

/// A sink that tells how far it is behind, and changes a file as soon as it is flushed.
#[derive(Default)]
struct Watching<'a> {
    read: Option<&'a Cell<u64>>,
    writes: u64,
    most_ahead: u64,
    flushes: u64,
    changed: Option<File>,
}

impl Write for Watching<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        let read = self.read.map_or(0, Cell::get) >> 20;
        self.most_ahead = self.most_ahead.max(read.saturating_sub(self.writes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes += 1;
        if let Some(file) = self.changed.take() {
            std::os::unix::fs::FileExt::write_all_at(&file, b"other", 0)?;
        }
        Ok(())
    }
}

fn watching(sink: Watching<'_>) -> ArchiveWriter<Watching<'_>> {
    let options = WriterOptions { compression_threads: 2, ..WriterOptions::default() };
    let mut writer = ArchiveWriter::new(sink, options);
    writer.add_metadata(&metadata()).unwrap();
    writer
}

#[test]
fn no_more_is_read_ahead_than_the_threads_have_at_hand() {
    let read = Cell::new(0);
    let mut writer = watching(Watching { read: Some(&read), ..Watching::default() });
    let mut content = Told { read: &read, length: 64 << 20, interrupts: false };
    writer.add_stream("long", &mut content, None).unwrap();
    assert_eq!(read.get(), 64 << 20);
    let ahead = writer.sink.inner.most_ahead;
    // The head by which it is judged whether it shrinks, and two chunks for each thread.
    assert!(ahead <= 8 + 2 * 2 + 1, "{ahead} MiB were read ahead");
}

#[test]
fn a_stream_that_does_not_end_where_it_should_is_not_read_on() {
    let read = Cell::new(0);
    let mut writer = watching(Watching::default());
    let mut content = Told { read: &read, length: 512 << 20, interrupts: false };
    let error = writer.add_stream("long", &mut content, Some(LONG as u64)).unwrap_err();
    assert!(matches!(error, ArchiveError::LengthMismatch { .. }), "{error}");
    assert!(read.get() <= LONG as u64 + (1 << 20), "{} bytes were read", read.get());
}

#[test]
fn a_stored_file_that_changes_between_its_two_readings_is_told_and_the_sink_is_asked_in_the_first() {
    let content = noise(LONG);
    for is_changed in [false, true] {
        let mut file = file_of(&content);
        let changed = is_changed.then(|| file.try_clone().unwrap());
        let mut writer = watching(Watching { changed, ..Watching::default() });
        let added = writer.add_file("long", &mut file);
        match is_changed {
            false => assert_eq!(added.unwrap().sha256, Digest::of(&content)),
            true => assert!(matches!(added, Err(ArchiveError::ContentChanged { .. })), "{added:?}"),
        }
        assert!(writer.sink.inner.flushes >= LONG as u64 >> 20, "{} flushes", writer.sink.inner.flushes);
    }
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
        // Where some of it was written, what the sink holds is no archive any more.
        let next = writer.add_bytes("b", b"");
        match length < LONG {
            true => drop(next.unwrap()),
            false => assert!(matches!(next, Err(ArchiveError::Unfinished)), "{length} {promised}: {next:?}"),
        }
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
