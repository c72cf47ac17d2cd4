//! Archives, made here byte by byte, good and hostile.

use std::io::{Cursor, Write};

use super::super::{ArchiveLimits, contains_key_material, read_blueprint_archive};
use super::{BlueprintError, BlueprintFiles};

const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n";

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_ustar();
        // The name is written as it is, for `set_path` would refuse the hostile ones.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(if name.ends_with('/') {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn read(bytes: Vec<u8>) -> Result<BlueprintFiles, BlueprintError> {
    read_blueprint_archive(Cursor::new(bytes), &ArchiveLimits::default())
}

fn has_key(bytes: Vec<u8>) -> bool {
    contains_key_material(Cursor::new(bytes), &ArchiveLimits::default()).unwrap()
}

#[test]
fn every_kind_of_archive_gives_the_same_files() {
    let entries: &[(&str, &[u8])] =
        &[("shop/blueprint.yaml", b"a: 1"), ("shop/parts/b.yml", b"b: 2"), ("shop/scripts/run.sh", b"echo")];
    let expected = BlueprintFiles::new(
        [("blueprint.yaml".to_owned(), "a: 1".to_owned()), ("parts/b.yml".to_owned(), "b: 2".to_owned())],
        ["scripts/run.sh".to_owned()],
    );
    for bytes in [tar(entries), gzip(&tar(entries)), zip_of(entries)] {
        assert_eq!(read(bytes).unwrap(), expected);
    }
}

#[test]
fn files_without_a_top_folder_keep_their_names() {
    let files = read(tar(&[("blueprint.yaml", b"a: 1"), ("scripts/run.sh", b"x")])).unwrap();
    assert_eq!(files.yaml("blueprint.yaml"), Some("a: 1"));
    assert!(files.names().any(|name| name == "scripts/run.sh"));
}

#[test]
fn other_archives_are_refused_by_name() {
    for (bytes, word) in [
        (b"BZh91AY".to_vec(), "bzip2"),
        (b"\xfd7zXZ\0".to_vec(), "xz"),
        (Vec::new(), "empty"),
        (b"tosca_definitions_version: x".to_vec(), "unrecognized"),
    ] {
        let message = read(bytes).unwrap_err().to_string();
        assert!(message.contains(word) && message.contains(".tar.gz"), "{message}");
    }
}

#[test]
fn names_that_leave_the_archive_are_refused() {
    for name in
        ["../evil.yaml", "a/../../evil.yaml", "/etc/evil.yaml", "a\\b.yaml", "C:evil.yaml", "a\nb.yaml"]
    {
        assert!(matches!(read(tar(&[(name, b"x")])), Err(BlueprintError::UnsafeEntry { .. })), "{name}");
    }
    assert!(read(zip_of(&[("../evil.yaml", b"x")])).is_err());
}

#[test]
fn a_link_out_of_the_archive_is_refused_and_one_within_is_ignored() {
    let link = |target: &str| {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "top/link.yaml", target).unwrap();
        builder.into_inner().unwrap()
    };
    assert!(matches!(read(link("../../etc/passwd")), Err(BlueprintError::UnsafeEntry { .. })));
    assert!(matches!(read(link("/etc/passwd")), Err(BlueprintError::UnsafeEntry { .. })));
    assert_eq!(read(link("other.yaml")).unwrap(), BlueprintFiles::default());
}

#[test]
fn limits_of_entries_and_sizes_hold() {
    let limits = ArchiveLimits { entries: 2, unpacked_bytes: 1000, yaml_file_bytes: 100, yaml_bytes: 150 };
    let read = |bytes: Vec<u8>| read_blueprint_archive(Cursor::new(bytes), &limits);
    let big = [b'x'; 101];
    let half = [b'x'; 90];
    let huge = vec![0_u8; 200_000];
    for make in [tar, zip_of] {
        for entries in [
            &[("a", &b""[..]), ("b", b""), ("c", b"")][..],
            &[("a.yaml", &big[..])],
            &[("a.yaml", &half[..]), ("b.yaml", &half[..])],
            &[("a.bin", &huge[..])],
        ] {
            assert!(matches!(read(make(entries)), Err(BlueprintError::TooLarge { .. })));
        }
    }
}

#[test]
fn a_bomb_in_gzip_ends_at_the_limit() {
    let limits = ArchiveLimits { entries: 10, unpacked_bytes: 1 << 20, ..ArchiveLimits::default() };
    let bomb = gzip(&tar(&[("a.bin", &vec![0_u8; 8 << 20])]));
    let error = read_blueprint_archive(Cursor::new(bomb.clone()), &limits).unwrap_err();
    assert!(matches!(error, BlueprintError::TooLarge { .. }), "{error:?}");
    assert!(contains_key_material(Cursor::new(bomb), &limits).is_err());
}

#[test]
fn a_damaged_archive_is_an_error() {
    let whole = gzip(&tar(&[("a/blueprint.yaml", b"a: 1"), ("a/b.bin", &[7; 5000])]));
    assert!(read(whole[..whole.len() / 2].to_vec()).is_err());
    let whole = zip_of(&[("a/blueprint.yaml", b"a: 1")]);
    assert!(read(whole[..whole.len() - 10].to_vec()).is_err());
    assert!(read(tar(&[("a.yaml", b"\xff\xfe")])).unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn keys_are_found_wherever_they_hide() {
    let openssh = KEY.replace("RSA", "OPENSSH");
    let plain = KEY.replace("RSA ", "");
    let encrypted = KEY.replace("RSA", "ENCRYPTED");
    let late = format!("{}{KEY}", "x".repeat((64 << 10) - 10));
    for content in [KEY, &openssh, &plain, &encrypted, &late, "PuTTY-User-Key-File-2: ssh-rsa\n"] {
        assert!(has_key(gzip(&tar(&[("a/readme.txt", b"x"), ("a/id", content.as_bytes())]))));
        assert!(has_key(zip_of(&[("a/id", content.as_bytes())])));
    }
    assert!(has_key(tar(&[("a/login.PPK", b"")])));
}

#[test]
fn public_keys_and_talk_about_keys_are_no_keys() {
    let public = KEY.replace("PRIVATE", "PUBLIC");
    for content in [
        &public[..],
        "-----BEGIN CERTIFICATE-----",
        "a PRIVATE KEY----- of sorts",
        "-----BEGIN it is a PRIVATE KEY-----",
    ] {
        assert!(!has_key(tar(&[("a/file", content.as_bytes())])), "{content}");
    }
}
