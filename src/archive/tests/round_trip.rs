//! What was written is read back, by us and by the `zip` crate.

use std::io::{Cursor, Read};

use proptest::prelude::*;

use super::*;

fn read_all_by_zip_crate(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut file = zip.by_index(index).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            (file.name().unwrap().into_owned(), content)
        })
        .collect()
}

fn read_all(archive: &Archive) -> Vec<(String, Vec<u8>)> {
    archive
        .entries()
        .iter()
        .map(|entry| {
            let content = archive.read_bytes(entry.path, u64::MAX).unwrap();
            (entry.path.to_owned(), content)
        })
        .collect()
}

fn any_content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..600),
        (0usize..100_000).prop_map(prose),
        (0usize..100_000).prop_map(noise),
        (0usize..100_000, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ]
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 1..20),
        "\\PC{1,20}".prop_map(String::into_bytes),
        "[a-z.]{1,4}(\\.gz|\\.json)?".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_was_written_is_read_back_by_both_readers(
        files in prop::collection::btree_map(any_name(), any_content(), 0..12),
        threads in 0usize..3,
        is_zstd in any::<bool>(),
    ) {
        let options = WriterOptions {
            compression_threads: threads,
            compression: match is_zstd {
                true => Compression::Zstd { level: 3 },
                false => Compression::Deflate { level: 6 },
            },
            ..WriterOptions::default()
        };
        let mut expected = vec![(METADATA.to_owned(), metadata().to_json())];
        let (bytes, finished) = write_with(options, |writer| {
            for (raw, content) in &files {
                let name = format!("files/{}", names::escape_component(raw));
                let added = writer.add_bytes(&name, content).unwrap();
                assert_eq!(added.sha256, Digest::of(content));
                expected.push((name, content.clone()));
            }
        });
        prop_assert_eq!(finished.size_bytes, bytes.len() as u64);
        prop_assert_eq!(finished.sha256, Digest::of(&bytes));

        let archive = open(&bytes).unwrap();
        let ours = read_all(&archive);
        prop_assert_eq!(&ours[..expected.len()], &expected[..]);
        prop_assert_eq!(ours.len(), expected.len() + 2);
        prop_assert_eq!(read_all_by_zip_crate(&bytes), ours);

        let verified = verify(&archive).unwrap();
        prop_assert_eq!(verified.size_bytes, bytes.len() as u64);
        prop_assert_eq!(
            verified.signature,
            SignatureState::Valid { signer: signing_key().public_key() }
        );
        prop_assert_eq!(verify(&archive).unwrap().sha256, finished.sha256);
        prop_assert_eq!(archive.manifest(), Some(&finished.manifest));
    }
}

#[test]
fn same_input_gives_same_bytes_whatever_the_threads() {
    let write_by = |threads| {
        let options = WriterOptions { compression_threads: threads, ..WriterOptions::default() };
        write_with(options, |writer| {
            for number in 0..200_usize {
                let name = format!("a/{number}");
                writer.add_bytes(&name, &prose(number * 97)).unwrap();
            }
            streams::add_as_stream(writer, "stream", &prose(3 << 20));
        })
        .0
    };
    let bytes = write_by(0);
    assert!(bytes == write_by(1));
    assert!(bytes == write_by(4));
}

#[test]
fn metadata_is_read_back_and_has_the_keys_of_cloudify() {
    let archive = open(&small_archive()).unwrap();
    assert_eq!(*archive.format(), Format::Lifeboat1);
    assert_eq!(archive.metadata().lifeboat, metadata().lifeboat);
    let document: serde_json::Value = archive.read_json(METADATA).unwrap();
    assert_eq!(document["snapshot_version"], "7.0.5");
    assert!(document["execution_id"].is_null());
    assert!(document.get("schema_revision").is_none());
    assert_eq!(document["lifeboat"]["created_at"], "2023-11-14T22:13:20.123Z");
}

#[test]
fn the_zip_itself_says_unix_and_0644_or_0755() {
    let bytes = small_archive();
    let mut zip = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    for index in 0..zip.len() {
        let file = zip.by_index(index).unwrap();
        let expected = if file.is_dir() { 0o40_755 } else { 0o100_644 };
        assert_eq!(file.unix_mode(), Some(expected), "{:?}", file.name());
    }
}

#[test]
fn more_entries_than_16_bits_count_are_kept() {
    let bytes = write(|writer| {
        for number in 0..66_000 {
            writer.add_bytes(&format!("n/{number}"), b"").unwrap();
        }
    });
    let archive = open(&bytes).unwrap();
    assert_eq!(archive.entries().len(), 66_003);
    verify(&archive).unwrap();
    let zip = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    assert_eq!(zip.len(), 66_003);
}

#[test]
fn the_writer_keeps_the_order_of_the_format() {
    let mut writer = ArchiveWriter::new(Vec::new(), WriterOptions::default());
    assert!(writer.add_bytes("a", b"").is_err(), "something before metadata.json");
    writer.add_metadata(&metadata()).unwrap();
    for name in [METADATA, MANIFEST, SIGNATURE, "../a", "a/", ""] {
        assert!(writer.add_bytes(name, b"").is_err(), "{name}");
    }
    writer.add_bytes("a", b"").unwrap();
    assert!(writer.add_bytes("a", b"").is_err(), "a name twice");
    assert!(writer.add_directory("a").is_err(), "a folder where a file is");
    let (bytes, _) = writer.finish(manifest_seal(&signing_key())).unwrap();
    judge(&bytes).unwrap();

    let writer = ArchiveWriter::new(Vec::new(), WriterOptions::default());
    assert!(writer.finish(manifest_seal(&signing_key())).is_err());
}

#[test]
fn a_broken_sink_is_told_and_ends_the_archive() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut writer = ArchiveWriter::new(Full(50_000), WriterOptions::default());
    writer.add_metadata(&metadata()).unwrap();
    let error =
        (0..1000).find_map(|number| writer.add_bytes(&format!("{number}"), &noise(1000)).err()).unwrap();
    assert!(matches!(error, ArchiveError::Write(_)), "{error}");
    let error = writer.add_bytes("more", b"").unwrap_err();
    assert!(matches!(error, ArchiveError::Unfinished), "{error}");
    let error = writer.finish(manifest_seal(&signing_key())).err().unwrap();
    assert!(matches!(error, ArchiveError::Unfinished), "{error}");
}

#[test]
fn verify_can_be_cancelled_and_tells_how_far_it_is() {
    let archive = open(&write(|writer| {
        writer.add_bytes("noise", &noise(9 << 20)).unwrap();
        writer.add_bytes("prose", &prose(9 << 20)).unwrap();
    }))
    .unwrap();
    let (mut last, mut calls) = (0, 0);
    archive
        .verify(3, &mut |done, total| {
            assert!(last <= done && done <= total);
            (last, calls) = (done, calls + 1);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(last, archive.size_bytes());
    assert!(calls >= 18, "{calls} calls for 18 MiB");
    for call in 1..=calls {
        let mut left = call;
        let error = archive
            .verify(3, &mut |_, _| {
                left -= 1;
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap_err();
        assert!(matches!(error, ArchiveError::Cancelled), "{error}");
        assert_eq!(left, 0, "it went on after it was cancelled");
    }
}

#[test]
fn an_inspection_tells_what_is_in_it() {
    let key = Identity::generate();
    let mut metadata = metadata();
    let own = metadata.lifeboat.as_mut().unwrap();
    own.sealed_for = vec![key.fingerprint()];
    let mut writer = ArchiveWriter::new(Vec::new(), WriterOptions::default());
    writer.add_metadata(&metadata).unwrap();
    writer.add_bytes("mgmt/00000001.json", b"{}").unwrap();
    writer.add_bytes("mgmt/00000002.json", b"[1]").unwrap();
    let sealed = seal_bundle([("secrets", &b"s"[..])], &[key.recipient()]).unwrap();
    writer.add_bytes("credentials/secrets.age", &sealed).unwrap();
    let (bytes, finished) = writer.finish(manifest_seal(&signing_key())).unwrap();

    let archive = open(&bytes).unwrap();
    let report = inspect(&archive);
    assert_eq!(report.manager.as_deref(), Some("test"));
    assert_eq!(report.counts, finished.manifest.counts);
    assert_eq!(report.sealed_for, [key.fingerprint()]);
    assert_eq!(report.sealed_parts[0].path, "credentials/secrets.age");
    assert_eq!(report.sealed_parts[0].size_bytes, sealed.len() as u64);
    let mgmt = report.folders.iter().find(|folder| folder.folder == "mgmt").unwrap();
    assert_eq!((mgmt.entries, mgmt.content_bytes), (2, 5));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["signature"]["state"], "valid");

    let opened = open_bundle(archive.read("credentials/secrets.age").unwrap(), &[key], 1 << 20);
    assert_eq!(opened.unwrap(), [("secrets".to_owned(), b"s".to_vec())]);
}

#[test]
fn an_archive_signed_by_another_key_than_it_names_is_told() {
    let (bytes, _) = {
        let mut writer = ArchiveWriter::new(Vec::new(), WriterOptions::default());
        writer.add_metadata(&metadata()).unwrap();
        writer.finish(manifest_seal(&SigningKey::generate())).unwrap()
    };
    let error = open(&bytes).unwrap_err();
    assert!(matches!(error, ArchiveError::ManifestMismatch { .. }), "{error}");
}
