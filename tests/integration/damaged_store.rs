//! Archives that were damaged in the store, behind the service's back: none is sent to its end, restored or called good,
//! and each call says what is wrong.

use std::fs;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Connection, TestServer, fails, fill, inventory, lifeboat, long_archive};

fn file_of(server: &TestServer, bytes: &[u8]) -> PathBuf {
    let folder = server.data().join("archives");
    let mut files = server.files_in("archives").into_iter().map(|name| folder.join(name));
    files.find(|file| fs::read(file).unwrap() == bytes).expect("the archive is in the store")
}

/// What somebody did to the file, and a word of what is said of it.
fn damages(good: &[u8], other: &[u8]) -> Vec<(&'static str, Option<Vec<u8>>, &'static str)> {
    let mut flipped = good.to_vec();
    flipped[good.len() / 2] ^= 1;
    vec![
        ("shorter", Some(good[..good.len() - 1].to_vec()), "bytes"),
        ("empty", Some(Vec::new()), "bytes"),
        ("longer", Some([good, b"tail"].concat()), "bytes"),
        ("a changed bit", Some(flipped), "SHA-256"),
        ("zeros", Some(vec![0; good.len()]), "SHA-256"),
        ("another good archive", Some(other.to_vec()), ""),
        ("gone", None, "gone"),
    ]
}

#[test]
fn a_damaged_archive_is_not_sent_and_not_restored_and_each_call_says_why() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    api.put("secrets/later", &json!({ "value": "x" })).expect(200);
    api.create_snapshot("other", &json!({}));
    let (good, other) = (api.archive("nightly"), api.archive("other"));
    let file = file_of(&server, &good);
    let cfy = server.cfy();
    let before = inventory(&api);
    for (what, bytes, word) in damages(&good, &other) {
        println!("{what}");
        match &bytes {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let path = "snapshots/nightly/archive";
        for range in [None, Some("bytes=0-9")] {
            let mut request = api.request(Method::GET, path);
            if let Some(range) = range {
                request = request.header("Range", range);
            }
            let message = api.send(request).expect_error(500, "archive_damaged_error");
            assert!(message.contains("`nightly`") && message.contains(word), "{what}: {message}");
            assert!(!message.contains(server.data().to_str().unwrap()), "{message}");
        }
        assert_eq!(api.send(api.request(Method::HEAD, path)).status, 500, "{what}");
        let record = api.get("snapshots/nightly").expect(200);
        assert_eq!(record["status"], "created", "{what}");
        if bytes.is_some() {
            assert!(record["error"].as_str().unwrap().starts_with("download: "), "{what}: {record:#}");
            assert_eq!(record["verified_at"], Value::Null, "{what}");
        }
        cfy.run(&["snapshots", "download", "nightly", "-o", "damaged.zip"])
            .refused(&["`nightly` can't be downloaded"]);
        assert!(!cfy.home().join("damaged.zip").exists(), "{what}");
        fails(lifeboat(&server, &["snapshot", "download", "nightly"]), 1, &["`nightly` can't be downloaded"]);
        assert!(!server.scratch().join("nightly.zip").exists(), "{what}");

        for (call, options) in [
            ("restore", json!({ "force": true })),
            ("restore", json!({ "force": true, "select": { "kinds": ["secrets"] } })),
            ("verify", json!({})),
        ] {
            let ended =
                api.wait_for_end(&api.post(&format!("snapshots/nightly/{call}"), &options).expect(200));
            assert_eq!(ended["status"], "failed", "{what}, {call}: {ended:#}");
            let error = ended["error"].as_str().unwrap();
            assert!(
                ["archive", "damaged"].iter().any(|word| error.contains(word)),
                "{what}, {call}: {error}"
            );
        }
        let reseal = api.post("/service/snapshots/nightly/reseal", &json!({})).expect(200);
        assert_eq!(api.wait_for_end(&reseal)["status"], "failed", "{what}");
        let plan = api.post("snapshots/nightly/plan", &json!({ "force": true })).expect(201);
        assert_eq!(api.wait_for_end(&plan)["status"], "terminated", "{what}");
        let plan = api.get("snapshots/nightly/plan").expect(200);
        assert_eq!(plan["can_be_restored"], false, "{what}: {plan:#}");
        assert_eq!(plan["refusals"][0]["rule"], "damaged_archive", "{what}: {plan:#}");
        assert_eq!(inventory(&api), before, "{what}");
        assert_eq!(api.archive("other"), other, "the others are as they were");
    }
    // Put back, it is good again, and a verify says so.
    fs::write(&file, &good).unwrap();
    assert_eq!(api.archive("nightly"), good);
    let verify = api.post("snapshots/nightly/verify", &json!({})).expect(200);
    assert_eq!(api.wait_for_end(&verify)["status"], "terminated");
    assert_eq!(api.get("snapshots/nightly").expect(200)["error"], "");
    assert_eq!(api.restore_snapshot("nightly", &json!({ "force": true }))["status"], "terminated");
}

#[test]
fn a_good_archive_that_is_not_the_one_of_its_record_is_not_used() {
    let mut server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let before = inventory(&api);
    server.terminate();
    // As long as the one that was stored, and good: only its hash tells that it is another.
    let records = rusqlite::Connection::open(server.data().join("records.db")).unwrap();
    let other = hex::encode(Sha256::digest(b"another"));
    assert_eq!(records.execute("UPDATE snapshots SET sha256 = ?", [&other]).unwrap(), 1);
    drop(records);
    server.restart();
    let api = server.api();
    api.get("snapshots/nightly/archive").expect_error(500, "archive_damaged_error");
    for (call, options) in [("restore", json!({ "force": true })), ("verify", json!({}))] {
        let ended = api.wait_for_end(&api.post(&format!("snapshots/nightly/{call}"), &options).expect(200));
        assert_eq!(ended["status"], "failed", "{call}: {ended:#}");
        assert!(ended["error"].as_str().unwrap().contains("SHA-256"), "{call}: {ended:#}");
    }
    let reseal = api.wait_for_end(&api.post("/service/snapshots/nightly/reseal", &json!({})).expect(200));
    assert!(reseal["error"].as_str().unwrap().contains("SHA-256"), "{reseal:#}");
    let plan = api.post("snapshots/nightly/plan", &json!({ "force": true })).expect(201);
    assert_eq!(api.wait_for_end(&plan)["report"]["refusals"][0]["rule"], "damaged_archive");
    assert_eq!(inventory(&api), before);
}

/// Longer than what is hashed before it is sent.
const LONG_BYTES: usize = 48 << 20;

/// Reads an answer's head and as much of the body as comes; the promised length and what came.
fn fetched(server: &TestServer, meanwhile: impl FnOnce()) -> (usize, Vec<u8>) {
    let mut caller =
        Connection::begin(server, "GET", "/api/v3.1/snapshots/long/archive", &["Connection: close"]);
    let begun = caller.read(1000);
    meanwhile();
    let answer = caller.answer_after(begun).expect("an answer");
    (answer.length().expect("a length"), answer.body)
}

#[test]
fn the_end_of_a_long_archive_that_was_damaged_is_never_sent() {
    let server = TestServer::start();
    let api = server.api();
    let good = long_archive(LONG_BYTES);
    api.send_archive("long", &good).expect(201);
    let file = file_of(&server, &good);
    let (length, body) = fetched(&server, || {});
    assert!(length == good.len() && body == good, "a good one comes whole");

    let write = |bytes: &[u8]| fs::write(&file, bytes).unwrap();
    for place in [0, good.len() / 2, good.len() - 1] {
        let mut damaged = good.clone();
        damaged[place] ^= 1;
        write(&damaged);
        let (length, body) = fetched(&server, || {});
        assert_eq!(length, good.len());
        assert!(body.len() < length, "byte {place}: all {length} bytes came");
        let record = api.get("snapshots/long").expect(200);
        assert!(record["error"].as_str().unwrap().contains("SHA-256"), "{record:#}");
    }
    server.cfy().run(&["snapshots", "download", "long", "-o", "long.zip"]).says(&["IncompleteRead"]);

    // Cut while it is on its way.
    write(&good);
    let (length, body) = fetched(&server, || {
        fs::File::options().write(true).open(&file).unwrap().set_len(40 << 20).unwrap();
    });
    assert_eq!(length, good.len());
    assert!(body.len() < length, "all {length} bytes came of what was cut");
    let record = api.get("snapshots/long").expect(200);
    assert!(record["error"].as_str().unwrap().contains("can't be read"), "{record:#}");

    write(&good);
    assert!(api.archive("long") == good);
    assert_eq!(hex::encode(Sha256::digest(&good)), api.get("snapshots/long").expect(200)["sha256"]);
}
