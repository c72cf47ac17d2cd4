//! Claims about the archive as a whole: written, read, damaged, hostile.

mod damage;
mod hostile;
mod manifests;
mod reseal;
mod round_trip;
mod streams;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, Write};
use std::ops::ControlFlow;

use chrono::DateTime;
use uuid::Uuid;

use super::bundle::{open_bundle, seal_bundle};
use super::*;

/// A signing key that is the same in every run, for bytes that are.
fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32]).unwrap()
}

fn metadata() -> Metadata {
    Metadata::new(LifeboatMetadata {
        format: 1,
        archive_id: Uuid::from_u128(1),
        manager: "test".into(),
        created_at: DateTime::from_timestamp(1_700_000_000, 123_000_000).unwrap(),
        lifeboat_version: "0.1.0".into(),
        options: ArchiveOptions::default(),
        signer: signing_key().public_key(),
        sealed_for: Vec::new(),
        resealed_from: None,
        first_signer: None,
    })
}

fn manifest_seal(key: &SigningKey) -> ManifestSeal<'_> {
    ManifestSeal {
        archive_id: Uuid::from_u128(1),
        created_at: DateTime::from_timestamp(1_700_000_000, 123_000_000).unwrap(),
        counts: BTreeMap::from([("blueprints".into(), 2)]),
        signing_key: key,
        resealed_from: None,
    }
}

/// Writes an archive with `metadata.json` and whatever `fill` adds.
fn write_with(options: WriterOptions, fill: impl FnOnce(&mut ArchiveWriter<Vec<u8>>)) -> (Vec<u8>, Finished) {
    let mut writer = ArchiveWriter::new(Vec::new(), options);
    writer.add_metadata(&metadata()).unwrap();
    fill(&mut writer);
    writer.finish(manifest_seal(&signing_key())).unwrap()
}

fn write(fill: impl FnOnce(&mut ArchiveWriter<Vec<u8>>)) -> Vec<u8> {
    write_with(WriterOptions::default(), fill).0
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn open(bytes: &[u8]) -> Result<Archive, ArchiveError> {
    Archive::open(file_of(bytes), Limits::default())
}

fn verify(archive: &Archive) -> Result<Verified, ArchiveError> {
    archive.verify(2, &mut |_, _| ControlFlow::Continue(()))
}

/// Opens and verifies.
fn judge(bytes: &[u8]) -> Result<Verified, ArchiveError> {
    verify(&open(bytes)?)
}

/// Bytes that do not shrink, the same in every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x1234_5678_9abc_def0_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        })
        .collect()
}

/// Bytes that shrink, but not to nothing.
fn prose(length: usize) -> Vec<u8> {
    noise(length / 5 + 1)
        .iter()
        .flat_map(|byte| format!("{byte:03} {}", byte % 7).into_bytes())
        .take(length)
        .collect()
}

/// Twenty kilobytes with one of everything: folder, stored, deflated, streamed, zstd-less, empty.
fn small_archive() -> Vec<u8> {
    write(|writer| {
        writer.add_directory("tenants/default_tenant").unwrap();
        let envelope = br#"{"type":"sites","items":[]}"#;
        writer.add_bytes("tenants/default_tenant/00000001.json", envelope).unwrap();
        writer.add_bytes("mgmt/00000001.json", &prose(3000)).unwrap();
        writer.add_bytes("plugins/a.zip", &noise(9000)).unwrap();
        writer.add_bytes("empty", b"").unwrap();
        writer.add_bytes("zeros", &[0; 5000]).unwrap();
        streams::add_as_stream(writer, "streamed", &prose(9000));
    })
}
