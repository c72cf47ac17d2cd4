//! Copies of archives whose sealed parts are sealed for other keys.

use std::io::Read;
use std::ops::ControlFlow;

use super::*;

const BUNDLE: &str = "credentials/secrets.age";
const STREAM: &str = "credentials/blueprints/t/b.tar.gz.age";
const PIECES: &str = "credentials/pieces.age";

/// An archive with one of everything, and three sealed parts, one of them cut into pieces.
fn sealed_archive(key: &Identity) -> Vec<u8> {
    let recipients = [key.recipient()];
    let options = WriterOptions { part_size_bytes: 5 << 20, ..WriterOptions::default() };
    let mut writer = ArchiveWriter::new(Vec::new(), options);
    let mut metadata = metadata();
    metadata.lifeboat.as_mut().unwrap().sealed_for = vec![key.fingerprint()];
    writer.add_metadata(&metadata).unwrap();
    writer.add_directory("tenants/t").unwrap();
    writer.add_bytes("mgmt/00000001.json", &prose(3000)).unwrap();
    writer.add_bytes("plugins/a.zip", &noise(9000)).unwrap();
    streams::add_as_stream(&mut writer, "streamed", &prose(9000));
    let bundle = seal_bundle([("a", &b"one"[..]), ("b", &noise(70_000))], &recipients).unwrap();
    writer.add_bytes(BUNDLE, &bundle).unwrap();
    writer.add_bytes(STREAM, &seal(&noise(200_000)[..], &recipients).unwrap()).unwrap();
    writer.add_bytes("after.json", b"{}").unwrap();
    let long = seal(&noise(9 << 20)[..], &recipients).unwrap();
    writer.add_stream(PIECES, &mut &long[..], None).unwrap();
    writer.finish(manifest_seal(&signing_key())).unwrap().0
}

fn resealed(
    bytes: &[u8],
    identities: &[Identity],
    recipients: &[Recipient],
    key: &SigningKey,
) -> Result<Vec<u8>, ArchiveError> {
    let folder = tempfile::tempdir().unwrap();
    let options = Reseal {
        archive_id: Uuid::from_u128(2),
        identities,
        recipients,
        signing_key: key,
        spool_dir: folder.path(),
    };
    let archive = open(bytes)?;
    let (copy, finished) = reseal(&archive, Vec::new(), options, &mut |_, _| ControlFlow::Continue(()))?;
    assert_eq!(finished.sha256, Digest::of(&copy));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    Ok(copy)
}

/// The compressed bytes of an entry as they stand in the archive.
fn raw<'a>(bytes: &'a [u8], archive: &Archive, path: &str) -> &'a [u8] {
    let index = archive.entries().iter().position(|entry| entry.path == path).unwrap();
    let record = archive.record(index);
    &bytes[record.row.data_offset as usize..][..record.row.compressed_size as usize]
}

fn plain(archive: &Archive, name: &str, key: &Identity) -> Result<Vec<u8>, ArchiveError> {
    let mut plain = Vec::new();
    let cipher = archive.read(name)?;
    open_sealed(cipher, std::slice::from_ref(key))?
        .read_to_end(&mut plain)
        .map_err(ArchiveError::from_read)?;
    Ok(plain)
}

#[test]
fn a_copy_opens_with_the_new_keys_only_and_is_the_same_else() {
    let [old, new, other] = [(); 3].map(|()| Identity::generate());
    let bytes = sealed_archive(&old);
    let signing = SigningKey::generate();
    let identities = [other.clone(), old.clone()];
    let copy = resealed(&bytes, &identities, &[new.recipient(), other.recipient()], &signing).unwrap();

    let (before, after) = (open(&bytes).unwrap(), open(&copy).unwrap());
    let verified = verify(&after).unwrap();
    assert_eq!(verified.signature, SignatureState::Valid { signer: signing.public_key() });
    let ours = after.metadata().lifeboat.clone().unwrap();
    assert_eq!(ours.sealed_for, [new.fingerprint(), other.fingerprint()]);
    assert_eq!(ours.resealed_from, Some(Uuid::from_u128(1)));
    assert_eq!(ours.first_signer, Some(signing_key().public_key()));
    assert_eq!(after.manifest().unwrap().resealed_from, Some(Uuid::from_u128(1)));
    assert_eq!(after.manifest().unwrap().counts, before.manifest().unwrap().counts);
    assert_eq!(after.manifest().unwrap().created_at, before.manifest().unwrap().created_at);

    for entry in before.entries().iter().filter(|entry| {
        ![METADATA, MANIFEST, SIGNATURE].contains(&entry.path) && !reader::is_sealed(entry.path)
    }) {
        let found = after.entries().iter().find(|other| other.path == entry.path).unwrap();
        assert_eq!((found.sha256, found.method), (entry.sha256, entry.method), "{}", entry.path);
        assert_eq!(raw(&bytes, &before, entry.path), raw(&copy, &after, entry.path), "{}", entry.path);
    }
    assert!(before.contains(PIECES) && before.sealed_parts().count() == 4, "the long part was cut");
    for name in [BUNDLE, STREAM, PIECES] {
        let content = plain(&before, name, &old).unwrap();
        assert!(plain(&after, name, &new).unwrap() == content, "{name}");
        assert!(plain(&after, name, &other).unwrap() == content, "{name}");
        assert!(matches!(plain(&after, name, &old), Err(ArchiveError::NoKey { tried: 1 })), "{name}");
    }

    // A copy of the copy still tells who signed first.
    let again = resealed(&copy, &[new], &[other.recipient()], &SigningKey::generate()).unwrap();
    let ours = open(&again).unwrap().metadata().lifeboat.clone().unwrap();
    assert_eq!(ours.first_signer, Some(signing_key().public_key()));
    assert_eq!(ours.resealed_from, Some(Uuid::from_u128(2)));
}

#[test]
fn a_copy_is_not_made_without_the_key_of_a_strangers_archive_or_past_a_cancel() {
    let [old, new] = [(); 2].map(|()| Identity::generate());
    let bytes = sealed_archive(&old);
    let signing = signing_key();
    let recipients = [new.recipient()];
    let identities = std::slice::from_ref(&new);
    assert!(matches!(resealed(&bytes, identities, &recipients, &signing), Err(ArchiveError::NoKey { .. })));

    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(METADATA, zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(br#"{"snapshot_version":"5.0.5"}"#).unwrap();
    let foreign = zip.finish().unwrap().into_inner();
    let identities = std::slice::from_ref(&old);
    assert!(matches!(resealed(&foreign, identities, &recipients, &signing), Err(ArchiveError::NotOurs)));

    let folder = tempfile::tempdir().unwrap();
    let options = Reseal {
        archive_id: Uuid::from_u128(2),
        identities,
        recipients: &recipients,
        signing_key: &signing,
        spool_dir: folder.path(),
    };
    let mut told = 0;
    let cancelled = reseal(&open(&bytes).unwrap(), Vec::new(), options, &mut |done, total| {
        assert!(done <= total);
        told += 1;
        if told > 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(cancelled, Err(ArchiveError::Cancelled)));
}

#[test]
fn a_changed_stanza_of_a_recipient_is_seen_by_verify_and_by_whoever_opens() {
    let [own, other] = [(); 2].map(|()| Identity::generate());
    let recipients = [own.recipient(), other.recipient()];
    let cipher = seal(&b"a secret"[..], &recipients).unwrap();
    let header_end = cipher.windows(4).position(|bytes| bytes == b"\n---").unwrap();
    let stanza = cipher[..header_end].iter().rposition(|byte| *byte == b'\n').unwrap() + 3;
    let mut flipped = cipher.clone();
    flipped[stanza] = if flipped[stanza] == b'A' { b'B' } else { b'A' };
    // Whoever signs it anew can't hide it either: the header is authenticated under each recipient's key.
    let bytes = write(|writer| {
        writer.add_bytes(BUNDLE, &flipped).unwrap();
    });
    let archive = open(&bytes).unwrap();
    verify(&archive).unwrap();
    for key in [&own, &other] {
        let error = plain(&archive, BUNDLE, key).unwrap_err();
        assert!(matches!(error, ArchiveError::NoKey { .. } | ArchiveError::DamagedSeal { .. }), "{error:?}");
        assert!(resealed(&bytes, std::slice::from_ref(key), &recipients, &signing_key()).is_err());
    }
    // In an archive that nobody signed anew, already the hash differs.
    let mut good = write(|writer| {
        writer.add_bytes(BUNDLE, &cipher).unwrap();
    });
    let start = good.windows(cipher.len()).position(|bytes| bytes == cipher).unwrap();
    good[start + stanza] ^= 1;
    assert!(judge(&good).is_err());
}
