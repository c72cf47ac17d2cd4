//! Archives that mean harm, and archives of others that mean none.

use std::io::Cursor;

use zip::write::SimpleFileOptions;

use super::*;

const CLOUDIFY: &[u8] = br#"{"snapshot_version": "5.1.0", "schema_revision": "62a8d746d13b"}"#;

/// A zip made by the `zip` crate, with the metadata of a manager of another make.
fn foreign(fill: impl FnOnce(&mut zip::ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(METADATA, SimpleFileOptions::default()).unwrap();
    zip.write_all(CLOUDIFY).unwrap();
    fill(&mut zip);
    zip.finish().unwrap().into_inner()
}

/// A zip with one more entry, whose name is then replaced everywhere by one as long.
fn with_name(name: &[u8]) -> Vec<u8> {
    let place = vec![b'Z'; name.len()];
    let mut bytes = foreign(|zip| {
        let place = String::from_utf8(place.clone()).unwrap();
        zip.start_file(place, SimpleFileOptions::default()).unwrap();
        zip.write_all(b"x").unwrap();
    });
    replace(&mut bytes, &place, name);
    bytes
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let found: Vec<usize> =
        (0..=bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at..at + from.len()].copy_from_slice(to);
    }
}

#[test]
fn an_archive_of_another_manager_is_opened() {
    let bytes = foreign(|zip| {
        zip.add_directory("blueprints", SimpleFileOptions::default()).unwrap();
        zip.start_file("pg_data", SimpleFileOptions::default()).unwrap();
        zip.write_all(&prose(10_000)).unwrap();
        zip.set_comment("made by hand").unwrap();
    });
    let archive = open(&bytes).unwrap();
    let expected = Format::Foreign { snapshot_version: "5.1.0".into() };
    assert_eq!(*archive.format(), expected);
    assert_eq!(archive.metadata().raw["schema_revision"], "62a8d746d13b");
    assert_eq!(archive.read_bytes("pg_data", 10_000).unwrap(), prose(10_000));
    let verified = verify(&archive).unwrap();
    assert_eq!((verified.signature, verified.sha256), (SignatureState::Missing, Digest::of(&bytes)));
    assert_eq!(inspect(&archive).snapshot_version, "5.1.0");
}

#[test]
fn what_is_no_snapshot_is_refused_with_the_reason() {
    let reason = |bytes: &[u8]| open(bytes).unwrap_err().to_string();
    assert!(reason(b"").contains("not a zip"));
    assert!(reason(b"<html>not here</html> and some more").contains("not a zip"));
    assert!(reason(&foreign(|_| ())[..60]).contains("truncated"));

    let with_metadata = |metadata: &[u8]| {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(METADATA, SimpleFileOptions::default()).unwrap();
        zip.write_all(metadata).unwrap();
        zip.finish().unwrap().into_inner()
    };
    assert!(reason(&with_metadata(b"{")).contains("is not JSON"));
    assert!(reason(&with_metadata(b"[]")).contains("not an object"));
    assert!(reason(&with_metadata(b"{}")).contains("no `snapshot_version`"));
    assert!(reason(&with_metadata(br#"{"snapshot_version": 7}"#)).contains("not a text"));
    let newer = br#"{"snapshot_version": "7.0.5", "lifeboat": {"format": 2}}"#;
    assert!(reason(&with_metadata(newer)).contains("format 2 is not supported"));
    let ours = br#"{"snapshot_version": "7.0.5", "lifeboat": {"format": 1}}"#;
    assert!(reason(&with_metadata(ours)).contains("not what format 1 has"));
    let deep = "[".repeat(100_000);
    assert!(reason(&with_metadata(deep.as_bytes())).contains("is not JSON"));

    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("dir/metadata.json", SimpleFileOptions::default()).unwrap();
    zip.write_all(CLOUDIFY).unwrap();
    let elsewhere = zip.finish().unwrap().into_inner();
    assert!(reason(&elsewhere).contains("no `metadata.json`"));
}

#[test]
fn ours_without_the_name_of_its_format_is_refused() {
    let bytes = foreign(|zip| {
        zip.start_file(SIGNATURE, SimpleFileOptions::default()).unwrap();
    });
    assert!(open(&bytes).unwrap_err().to_string().contains("names no format"));
}

#[test]
fn names_that_leave_the_folder_or_are_ambiguous_are_refused() {
    for name in [
        &b"../x"[..],
        b"a/../../x",
        b"/etc/passwd",
        b"C:\\x",
        b"c:/x",
        b"a\\b",
        b"a\0b",
        b"./x",
        b"a//b",
        b"..",
        b"a/..",
        b"a\nb",
        b"\xff\xfe",
        b"a/./b",
    ] {
        let error = open(&with_name(name)).unwrap_err();
        assert!(matches!(error, ArchiveError::BadName { .. }), "{name:?}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    open(&with_name(b"fine/name")).unwrap();
}

#[test]
fn two_entries_of_one_name_are_refused() {
    for (first, second) in [("aa", "bb"), ("aa/bb", "cc/dd")] {
        let mut bytes = foreign(|zip| {
            zip.start_file(first, SimpleFileOptions::default()).unwrap();
            zip.start_file(second, SimpleFileOptions::default()).unwrap();
        });
        replace(&mut bytes, second.as_bytes(), first.as_bytes());
        let error = open(&bytes).unwrap_err();
        assert!(matches!(error, ArchiveError::BadName { .. }), "{error}");
    }
    let bytes = foreign(|zip| {
        zip.start_file("a", SimpleFileOptions::default()).unwrap();
        zip.start_file("a/b", SimpleFileOptions::default()).unwrap();
    });
    assert!(open(&bytes).is_err());
}

#[test]
fn links_devices_and_pipes_are_refused() {
    for mode in [0o120_777_u32, 0o060_644, 0o020_644, 0o010_644, 0o140_644] {
        let mut bytes = foreign(|zip| {
            zip.start_file("entry", SimpleFileOptions::default()).unwrap();
        });
        let at = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
        bytes[at + 38..at + 42].copy_from_slice(&(mode << 16).to_le_bytes());
        let error = open(&bytes).unwrap_err();
        assert!(matches!(error, ArchiveError::RefusedEntry { .. }), "{mode:o}: {error}");
    }
    let bytes = foreign(|zip| {
        zip.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    });
    assert!(open(&bytes).unwrap_err().to_string().contains("symbolic link"));
}

#[test]
fn encryption_and_unknown_methods_are_refused() {
    let bytes = foreign(|zip| {
        zip.start_file("entry", SimpleFileOptions::default()).unwrap();
        zip.write_all(b"content").unwrap();
    });
    let local = bytes.windows(4).rposition(|window| window == b"PK\x03\x04").unwrap();
    let central = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    let mut encrypted = bytes.clone();
    encrypted[local + 6] |= 1;
    encrypted[central + 8] |= 1;
    assert!(open(&encrypted).unwrap_err().to_string().contains("encrypted"));
    let mut unknown = bytes.clone();
    unknown[local + 8] = 12;
    unknown[central + 10] = 12;
    assert!(open(&unknown).unwrap_err().to_string().contains("method 12"));
}

#[test]
fn local_and_central_headers_that_differ_are_refused() {
    let bytes = foreign(|zip| {
        zip.start_file("entry", SimpleFileOptions::default()).unwrap();
        zip.write_all(b"content").unwrap();
    });
    let local = bytes.windows(4).rposition(|window| window == b"PK\x03\x04").unwrap();
    for at in [6, 8, 30] {
        let mut bad = bytes.clone();
        bad[local + at] ^= 8;
        let error = open(&bad).unwrap_err();
        assert!(error.to_string().contains("different"), "{error}");
    }
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let mut bytes = foreign(|zip| {
        for name in ["aa", "bb"] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(b"content").unwrap();
        }
    });
    // Both records in the directory point to the first entry.
    let records: Vec<usize> =
        (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(b"PK\x01\x02")).collect();
    let (first, second) = (records[1], records[2]);
    let offset: [u8; 4] = bytes[first + 42..first + 46].try_into().unwrap();
    bytes[second + 42..second + 46].copy_from_slice(&offset);
    assert!(open(&bytes).is_err());
    // Even under the same name it would be, were that not refused before.
    replace(&mut bytes, b"bb", b"aa");
    assert!(open(&bytes).is_err());
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let bomb = foreign(|zip| {
        zip.start_file("bomb", SimpleFileOptions::default()).unwrap();
        zip.write_all(&vec![0; 4 << 20]).unwrap();
    });
    let refusal = |limits: Limits| {
        let error = Archive::open(file_of(&bomb), limits).unwrap_err();
        assert!(matches!(error, ArchiveError::Limit { .. }), "{error}");
        error.to_string()
    };
    open(&bomb).unwrap();
    let small_ratio = Limits { ratio_from_bytes: 1 << 20, ..Limits::default() };
    assert!(refusal(small_ratio).contains("`bomb`"));
    let entry_bytes = Limits { entry_bytes: 1 << 20, ..Limits::default() };
    assert!(refusal(entry_bytes).contains("`bomb`"));
    let total_bytes = Limits { total_bytes: 4 << 20, ..Limits::default() };
    assert!(refusal(total_bytes).contains("`bomb`"));
    let entries = Limits { entries: 1, ..Limits::default() };
    assert!(refusal(entries).contains("1 entries"));
    let name_bytes = Limits { name_bytes: 12, ..Limits::default() };
    assert!(refusal(name_bytes).contains("metadata.json"));
    let all_names_bytes = Limits { all_names_bytes: 16, ..Limits::default() };
    assert!(refusal(all_names_bytes).contains("16 bytes in all names"));
}

#[test]
fn more_folders_than_allowed_are_refused() {
    let deep = "d/".repeat(200) + "file";
    let bytes = foreign(|zip| {
        zip.start_file(deep, SimpleFileOptions::default()).unwrap();
    });
    let error = open(&bytes).unwrap_err();
    assert!(error.to_string().contains("folders in a name"), "{error}");
}

#[test]
fn a_size_that_lies_is_seen_while_bytes_come() {
    for declared in [10_u32, 5_000_000] {
        let mut bytes = foreign(|zip| {
            zip.start_file("liar", SimpleFileOptions::default()).unwrap();
            zip.write_all(&vec![0; 1 << 20]).unwrap();
        });
        let central = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
        bytes[central + 24..central + 28].copy_from_slice(&declared.to_le_bytes());
        let archive = open(&bytes).unwrap();
        let error = archive.read_bytes("liar", u64::MAX).unwrap_err();
        assert!(matches!(error, ArchiveError::DamagedEntry { .. }), "{error}");
        assert!(verify(&archive).is_err());
    }
}

#[test]
fn a_document_longer_than_allowed_is_not_read() {
    let archive = open(&foreign(|zip| {
        zip.start_file("big.json", SimpleFileOptions::default()).unwrap();
        zip.write_all(&vec![b' '; 100_000]).unwrap();
    }))
    .unwrap();
    let error = archive.read_bytes("big.json", 99_999).unwrap_err();
    assert!(matches!(error, ArchiveError::Limit { .. }), "{error}");
    let error = archive.read_bytes("absent", 1).unwrap_err();
    assert!(matches!(error, ArchiveError::NoEntry(_)), "{error}");
}

#[test]
fn a_count_of_entries_that_lies_costs_nothing() {
    let mut bytes = foreign(|_| ());
    let end = bytes.len() - 22;
    for at in [8, 10] {
        bytes[end + at..end + at + 2].copy_from_slice(&60_000_u16.to_le_bytes());
    }
    assert!(open(&bytes).is_err());
}
