//! Manifests that say something else than the archive, each signed by the archive's own key.

use serde_json::{Value, json};

use super::super::emitter::{EntryHeader, end_of_archive};
use super::super::manifest::{Method, sign};
use super::*;

/// The document of an archive's manifest.
fn document(archive: &Archive) -> Value {
    serde_json::from_slice(&archive.read_bytes(MANIFEST, u64::MAX).unwrap()).unwrap()
}

/// The archive with other bytes as its manifest, of content `size` and `crc32`, and a signature that fits.
fn with_stored(bytes: &[u8], stored: &[u8], method: Method, size: u64, crc32: u32) -> Vec<u8> {
    let archive = open(bytes).unwrap();
    let mut forged = bytes[..archive.manifest().unwrap().bytes as usize].to_vec();
    let signature = sign(stored, &signing_key());
    let ends = [
        (MANIFEST, stored, method, size, crc32),
        (SIGNATURE, &signature[..], Method::Stored, 64, crc32fast::hash(&signature)),
    ];
    let mut directory = Vec::new();
    for number in 0..archive.entries().len() - 2 {
        directory.extend(archive.record(number).header().central_record());
    }
    for (name, content, method, size, crc32) in ends {
        let header = EntryHeader {
            name,
            method,
            crc32,
            compressed_size: content.len() as u64,
            size,
            offset: forged.len() as u64,
            is_streamed: false,
        };
        forged.extend(header.local_header());
        forged.extend_from_slice(content);
        directory.extend(header.central_record());
    }
    let offset = forged.len() as u64;
    forged.extend_from_slice(&directory);
    forged.extend(end_of_archive(archive.entries().len() as u64, offset, directory.len() as u64));
    forged
}

/// The archive with another document as its manifest, not compressed.
fn with_document(bytes: &[u8], document: &[u8]) -> Vec<u8> {
    with_stored(bytes, document, Method::Stored, document.len() as u64, crc32fast::hash(document))
}

fn changed(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Result<Verified, ArchiveError> {
    let mut document = document(&open(bytes).unwrap());
    change(&mut document);
    judge(&with_document(bytes, document.to_string().as_bytes()))
}

#[test]
fn the_manifest_is_compressed() {
    let archive = open(&small_archive()).unwrap();
    let manifest = archive.entries().iter().find(|entry| entry.path == MANIFEST).unwrap();
    assert_eq!(manifest.method, Method::Deflate);
    assert!(manifest.compressed_size < manifest.size);
    assert_eq!(document(&archive)["entries"].as_array().unwrap().len(), archive.entries().len() - 2);
}

#[test]
fn a_manifest_that_is_stored_is_read_too() {
    // So were those of the first builds.
    let verified = changed(&small_archive(), |_| ()).unwrap();
    assert!(matches!(verified.signature, SignatureState::Valid { .. }));
}

#[test]
fn another_form_of_the_same_manifest_has_no_valid_signature() {
    use std::io::Read;

    let bytes = small_archive();
    let document = open(&bytes).unwrap().read_bytes(MANIFEST, u64::MAX).unwrap();
    let other = |level: u32| {
        let mut stored = Vec::new();
        flate2::bufread::DeflateEncoder::new(&document[..], flate2::Compression::new(level))
            .read_to_end(&mut stored)
            .unwrap();
        stored
    };
    let size = document.len() as u64;
    let forged = with_stored(&bytes, &other(1), Method::Deflate, size, crc32fast::hash(&document));
    judge(&forged).unwrap();
    // The signature of that form beside another one.
    let resigned = with_stored(&bytes, &other(9), Method::Deflate, size, crc32fast::hash(&document));
    let signature = open(&forged).unwrap().read_bytes(SIGNATURE, 64).unwrap();
    let own = open(&resigned).unwrap();
    let own_signature = own.read_bytes(SIGNATURE, 64).unwrap();
    assert_ne!(signature, own_signature);
    let mut mixed = resigned.clone();
    let at = mixed.windows(64).position(|window| window == own_signature).unwrap();
    mixed[at..at + 64].copy_from_slice(&signature);
    // CRCs of the signature that fit, so that only the signature itself is left to object.
    let crc = |bytes: &[u8]| crc32fast::hash(bytes).to_le_bytes();
    let (from, to) = (crc(&own_signature), crc(&signature));
    while let Some(at) = mixed.windows(4).position(|window| window == from) {
        mixed[at..at + 4].copy_from_slice(&to);
    }
    assert!(matches!(judge(&mixed), Err(ArchiveError::BadSignature)));
}

#[test]
fn a_manifest_that_lists_other_entries_is_refused() {
    let bytes = small_archive();
    let refused = |change: fn(&mut Value)| match changed(&bytes, change) {
        Err(ArchiveError::ManifestMismatch { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(refused(|document| drop(document["entries"].as_array_mut().unwrap().pop())).contains("lists"));
    assert!(
        refused(|document| {
            let list = document["entries"].as_array_mut().unwrap();
            list.push(list[0].clone());
        })
        .contains("more than")
    );
    assert!(refused(|document| document["entries"].as_array_mut().unwrap().swap(1, 2)).contains("is not as"));
    for (field, value) in [
        ("path", json!("other")),
        ("order", json!(9)),
        ("offset", json!(1)),
        ("size", json!(1)),
        ("compressed_size", json!(1)),
        ("method", json!("zstd")),
    ] {
        let mut document = document(&open(&bytes).unwrap());
        document["entries"][2][field] = value;
        let error = judge(&with_document(&bytes, document.to_string().as_bytes())).unwrap_err();
        assert!(matches!(error, ArchiveError::ManifestMismatch { .. }), "{field}: {error}");
    }
    assert!(
        refused(|document| {
            document["entries"][2].as_object_mut().unwrap().remove("sha256");
        })
        .contains("is not as")
    );
    assert!(refused(|document| document["bytes"] = json!(1)).contains("stand"));
    assert!(refused(|document| document["bytes_sha256"] = json!("0".repeat(64))).contains("SHA-256"));
    assert!(
        refused(|document| document["archive_id"] = json!(Uuid::from_u128(2))).contains("another archive")
    );
    let wrong = changed(&bytes, |document| document["entries"][2]["sha256"] = json!("0".repeat(64)));
    assert!(wrong.unwrap_err().to_string().contains("SHA-256"));
    let newer = changed(&bytes, |document| document["format"] = json!(2));
    assert!(matches!(newer, Err(ArchiveError::UnknownFormat { format: 2 })));
}

#[test]
fn a_document_that_is_no_manifest_is_refused() {
    let bytes = small_archive();
    let whole = document(&open(&bytes).unwrap()).to_string();
    let twice = whole.replacen("\"entries\"", "\"entries\":[],\"entries\"", 1);
    let without = document(&open(&bytes).unwrap());
    let without = json!({ "format": without["format"], "signer": without["signer"] }).to_string();
    for document in
        ["", "{", "[]", "{}", "7", &whole[..whole.len() / 2], &format!("{whole} x"), &twice, &without]
    {
        let error = open(&with_document(&bytes, document.as_bytes())).unwrap_err();
        let is_json = matches!(error, ArchiveError::Json { .. } | ArchiveError::ManifestMismatch { .. });
        assert!(is_json, "{document:.40}: {error}");
    }
}

#[test]
fn a_manifest_longer_than_its_entries_need_is_not_read() {
    let bytes = small_archive();
    let mut document = document(&open(&bytes).unwrap());
    document["entries"][2]["path"] = json!("x".repeat(3 << 20));
    let error = open(&with_document(&bytes, document.to_string().as_bytes())).unwrap_err();
    assert!(matches!(error, ArchiveError::Limit { .. }), "{error}");
}
