//! No damage goes unseen: every byte, every cut, everything put before or after.

use proptest::prelude::*;

use super::*;

#[test]
fn every_changed_byte_is_seen() {
    let bytes = small_archive();
    assert!((15_000..30_000).contains(&bytes.len()), "{}", bytes.len());
    judge(&bytes).unwrap();
    let mut bad = bytes.clone();
    for at in 0..bytes.len() {
        for change in [0x01, 0x80, 0xff] {
            bad[at] ^= change;
            assert!(judge(&bad).is_err(), "byte {at} ^ {change:#x} went unseen");
            bad[at] ^= change;
        }
    }
}

#[test]
fn every_cut_is_seen() {
    let bytes = small_archive();
    for length in 0..bytes.len() {
        assert!(open(&bytes[..length]).is_err(), "a cut after {length} bytes went unseen");
    }
}

#[test]
fn bytes_before_between_or_after_are_seen() {
    let bytes = small_archive();
    for more in [&b"\0"[..], b"PK\x05\x06", &noise(100), &bytes] {
        assert!(judge(&[more, &bytes].concat()).is_err());
        assert!(judge(&[&bytes, more].concat()).is_err());
    }
    for at in [30, 500, bytes.len() - 500, bytes.len() - 22] {
        let mut bad = bytes.clone();
        bad.insert(at, 0);
        assert!(judge(&bad).is_err(), "a byte put in at {at} went unseen");
    }
    // A comment, which the end record announces properly.
    let mut bad = bytes.clone();
    let length = bad.len();
    bad[length - 2] = 2;
    bad.extend_from_slice(b"hi");
    assert!(judge(&bad).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_the_reader_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = small_archive();
        let whole = bytes.clone();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert!(bytes == whole || judge(&bytes).is_err());
    }

    #[test]
    fn no_random_bytes_are_an_archive(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(open(&bytes).is_err());
    }
}

#[test]
fn a_file_that_changes_after_it_was_opened_is_seen() {
    use std::os::unix::fs::FileExt;

    let bytes = small_archive();
    for at in [10, 40, 3000, bytes.len() - 700, bytes.len() - 10] {
        let file = file_of(&bytes);
        let archive = Archive::open(file.try_clone().unwrap(), Limits::default()).unwrap();
        file.write_all_at(&[bytes[at] ^ 1], at as u64).unwrap();
        assert!(verify(&archive).is_err(), "byte {at}");
    }
}

#[test]
fn a_verify_tells_how_far_it_is_and_how_much_it_has_read() {
    let bytes = write(|writer| {
        writer.add_bytes("noise", &noise(3 << 20)).unwrap();
        writer.add_bytes("zeros", &[0; 5 << 20]).unwrap();
        writer.add_bytes("short", b"short").unwrap();
    });
    let archive = open(&bytes).unwrap();
    let sums = |of: fn(EntryInfo<'_>) -> u64| archive.entries().iter().map(of).sum::<u64>();
    let (compressed, contents) = (sums(|entry| entry.compressed_size), sums(|entry| entry.size));
    let size = bytes.len() as u64;
    for threads in [1, 4] {
        let mut told = Vec::new();
        let verified = archive
            .verify(threads, &mut |done, total| {
                assert_eq!(total, size);
                told.push(done);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!((verified.content_bytes, verified.size_bytes), (contents, size));
        assert!(told.is_sorted() && told.len() >= 8, "{told:?}");
        assert_eq!(told[told.len() - 2..], [compressed, size]);
    }
}

#[test]
fn an_archive_of_others_that_changes_after_it_was_opened_is_seen() {
    use std::os::unix::fs::FileExt;

    let with = |name: &str| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let entries = [("metadata.json", r#"{"snapshot_version": "7.0.5"}"#), (name, "the same")];
        for (name, content) in entries {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let (before, after) = (with("one.json"), with("two.json"));
    assert_eq!(before.len(), after.len());
    let file = file_of(&before);
    let archive = Archive::open(file.try_clone().unwrap(), Limits::default()).unwrap();
    verify(&archive).unwrap();
    file.write_all_at(&after, 0).unwrap();
    let error = verify(&archive).unwrap_err();
    assert!(matches!(error, ArchiveError::Damaged { .. }), "{error}");
}

#[test]
fn of_several_damaged_contents_the_first_is_told() {
    let mut bytes = write(|writer| {
        for number in 0..300 {
            writer.add_bytes(&format!("n/{number:03}"), &prose(20_000)).unwrap();
        }
        writer.add_bytes("noise", &noise(3 << 20)).unwrap();
    });
    let archive = open(&bytes).unwrap();
    let middles: Vec<u64> = [40, 41, 42, 170, 301]
        .map(|number| archive.record(number).row)
        .map(|row| row.data_offset + row.compressed_size / 2)
        .into();
    for at in &middles {
        bytes[*at as usize] ^= 0x10;
    }
    for threads in [0, 1, 2, 7, 1000] {
        let error = open(&bytes).unwrap().verify(threads, &mut |_, _| ControlFlow::Continue(())).unwrap_err();
        let ArchiveError::DamagedEntry { entry, .. } = error else { panic!("{error}") };
        assert_eq!(entry, "n/039", "{threads} threads");
    }
}

#[test]
fn a_damaged_content_never_ends_well() {
    use std::io::Read;
    use std::os::unix::fs::FileExt;

    let bytes = small_archive();
    let archive = open(&bytes).unwrap();
    for entry in archive.entries().iter().filter(|entry| entry.size > 0) {
        let record = archive.record(entry.order as usize);
        let at = record.row.data_offset + record.row.compressed_size / 2;
        let file = file_of(&bytes);
        let archive = Archive::open(file.try_clone().unwrap(), Limits::default()).unwrap();
        file.write_all_at(&[bytes[at as usize] ^ 0x10], at).unwrap();
        let mut reader = archive.read(entry.path).unwrap();
        let mut content = Vec::new();
        assert!(reader.read_to_end(&mut content).is_err(), "{}", entry.path);
        assert!(reader.read(&mut [0; 10]).is_err(), "the second read forgot");
    }
}
