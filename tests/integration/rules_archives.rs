//! Archives as such: what is damaged, what is another program's, and what two of the same state share.
//!
//! An archive that was kept is one that could be restored, or says that it cannot.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::harness::{Api, Entry, TestServer, entries, fill, inventory, write_zip};

fn ids(api: &Api) -> Vec<String> {
    let items = api.get("snapshots").items();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// Sends what must be refused, and looks whether anything of it was kept beside the one good archive.
fn assert_refused(server: &TestServer, what: &str, bytes: &[u8]) {
    let api = server.api();
    let body = api.send_archive("odd", bytes).expect(400);
    let message = body["message"].as_str().unwrap();
    assert!(message.len() > 20, "{what}: no reason in {message:?}");
    assert_eq!(ids(&api), ["nightly"], "{what}");
    server.leaves_nothing_in_tmp();
    assert_eq!(server.files_in("archives").len(), 1, "{what}");
}

#[test]
fn a_damaged_archive_is_refused_and_not_kept() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({ "include_credentials": true }));
    let archive = api.archive("nightly");
    let last = archive.len() - 1;

    let mut places = BTreeSet::from([0, 1, archive.len() / 2, last]);
    // The middle of what each entry holds: secrets and signature among them.
    let all = entries(&archive);
    assert!(all.iter().any(|entry| entry.name.starts_with("credentials/")));
    places.extend(all.iter().filter(|entry| entry.length > 0).map(|entry| entry.start + entry.length / 2));
    // And places that nothing chose: headers, names, the directory.
    places.extend((0..archive.len()).step_by(archive.len() / 40 + 1));
    for place in places {
        let mut damaged = archive.clone();
        damaged[place] ^= 0x01;
        assert_refused(&server, &format!("a changed bit at {place} of {last}"), &damaged);
    }
    for length in [1, 100, archive.len() / 2, last] {
        assert_refused(&server, &format!("cut after {length} bytes"), &archive[..length]);
    }
    assert_refused(&server, "a tail", &[&archive[..], b"x"].concat());
    assert_refused(&server, "a head", &[&b"x"[..], &archive[..]].concat());
    assert_refused(&server, "twice the same", &[&archive[..], &archive[..]].concat());

    assert_eq!(api.send_archive("good", &archive).expect(201)["status"], "uploaded");
}

#[test]
fn a_cloudify_archive_is_kept_and_its_restore_says_that_it_cannot() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    let foreign = write_zip(&[
        ("metadata.json", br#"{"snapshot_version": "5.1.0", "schema_revision": "b92770a7b6ca"}"#),
        ("pg_data", b"-- a dump"),
    ]);
    let snapshot = api.send_archive("old", &foreign).expect(201);
    assert_eq!(snapshot["status"], "uploaded");
    assert_eq!(snapshot["error"], "");
    assert_eq!(api.archive("old"), foreign);

    let before = inventory(&api);
    for force in [false, true] {
        let execution = api.restore_snapshot("old", &json!({ "force": force }));
        assert_eq!(execution["status"], "failed", "{execution:#}");
        let error = execution["error"].as_str().unwrap();
        assert!(error.contains("Cloudify 5.1.0") && error.contains("nothing was changed"), "{error}");
        assert_eq!(inventory(&api), before);
        assert_eq!(api.get("snapshot-status").expect(200), json!({ "status": "not-running" }));
    }
    assert_eq!(api.get("snapshots/old").expect(200)["status"], "uploaded", "it stays for who can read it");
}

/// Every file and folder below that others than its owner may use, or that lends somebody its owner's rights.
fn open_to_others(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let metadata = fs::symlink_metadata(entry.path()).unwrap();
        let mode = metadata.mode() & 0o7777;
        if !metadata.is_symlink() && mode & 0o7077 != 0 {
            found.push(format!("{} {mode:o}", entry.path().display()));
        }
        if metadata.is_dir() {
            open_to_others(&entry.path(), found);
        }
    }
}

#[test]
fn no_file_is_for_others_whatever_an_archive_says() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    let blueprint = b"tosca_definitions_version: cloudify_dsl_1_3\n";
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, mode) in [("all/blueprint.yaml", 0o6777), ("all/run.sh", 0o4755)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(blueprint.len() as u64);
        header.set_mode(mode);
        header.set_uid(0);
        tar.append_data(&mut header, name, &blueprint[..]).unwrap();
    }
    let tar = tar.into_inner().unwrap().finish().unwrap();
    let path = "blueprints/open?application_file_name=blueprint.yaml";
    api.send(api.request(Method::PUT, path).body(tar)).expect(201);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().unix_permissions(0o4777);
    for (name, bytes) in [("metadata.json", &br#"{"snapshot_version": "5.1.0"}"#[..]), ("pg_data", b"x")] {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    api.send_archive("open", &zip.finish().unwrap().into_inner()).expect(201);
    api.create_snapshot("nightly", &json!({ "include_credentials": true, "include_metrics": true }));
    assert_eq!(api.restore_snapshot("nightly", &json!({ "force": true }))["status"], "terminated");
    let mut open = Vec::new();
    open_to_others(&server.data(), &mut open);
    assert_eq!(open, Vec::<String>::new());
    assert_eq!(fs::metadata(server.data()).unwrap().mode() & 0o7777, 0o700);
}

/// Whether an entry's content differs between two archives of one state: ids, times, seals.
fn may_differ(name: &str) -> bool {
    ["metadata.json", "report.json", "lifeboat/manager.json"].contains(&name)
        || name.starts_with("manifest")
        || name.starts_with("credentials/")
}

#[test]
fn same_state_gives_the_same_bytes_but_for_ids_times_and_sealed_parts() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    let options = json!({ "include_credentials": true });
    for id in ["one", "two"] {
        api.create_snapshot(id, &options);
    }
    // A login, an execution of the service and a kept archive are no part of the state either.
    let [one, two] = ["one", "two"].map(|id| entries(&api.archive(id)));
    let names =
        |archive: &[Entry]| -> Vec<String> { archive.iter().map(|entry| entry.name.clone()).collect() };
    assert_eq!(names(&one), names(&two), "the same entries in the same order");
    let mut compared = 0;
    for (first, second) in one.iter().zip(&two).filter(|(entry, _)| !may_differ(&entry.name)) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text(&first.content), text(&second.content), "{}", first.name);
        assert_eq!(first.content, second.content, "{}", first.name);
        compared += 1;
    }
    assert!(compared > 10, "only {compared} of {:?}", names(&one));
    let reports: Vec<Value> = [&one, &two]
        .map(|archive| {
            let entry = archive.iter().find(|entry| entry.name == "report.json").unwrap();
            let mut report: Value = serde_json::from_slice(&entry.content).unwrap();
            report["sources"]["embedded"]["cut_at"] = Value::Null;
            report
        })
        .to_vec();
    assert_eq!(reports[0], reports[1], "but for its time");
}
