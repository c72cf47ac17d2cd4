//! Transfers that are cut in their midst, by either side: nobody takes a part for the whole, and nothing stays of it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::harness::{
    ADMIN_PASSWORD, Cfy, Connection, TestServer, document, eventually, fill, form, lifeboat, long_archive,
};

/// So long that the buffers between two processes hold a small part of it only.
const LONG_BYTES: usize = 96 << 20;

const UPLOAD: &str = "/api/v3.1/snapshots/cut/archive";

#[test]
fn a_caller_who_leaves_a_download_leaves_no_open_archive_behind() {
    let server = TestServer::start();
    let api = server.api();
    let archive = long_archive(LONG_BYTES);
    api.send_archive("long", &archive).expect(201);
    let callers: Vec<Connection> = (0..4)
        .map(|_| {
            let mut caller = Connection::begin(&server, "GET", "/api/v3.1/snapshots/long/archive", &[]);
            assert!(caller.read(64 << 10).starts_with(b"HTTP/1.1 200 "));
            caller
        })
        .collect();
    assert_eq!(server.open_archives(), callers.len());
    for (number, mut caller) in callers.into_iter().enumerate() {
        if number % 2 == 0 {
            caller.reset();
        } else {
            caller.end();
        }
    }
    eventually("the server lets go of the archive", 60, || (server.open_archives() == 0).then_some(()));
    let whole = api.archive("long");
    assert!(whole == archive, "others get the whole");
    assert!(!server.log().contains("panicked"));
}

/// A client on its way, and the file into which it writes.
struct Downloading {
    name: &'static str,
    child: Child,
    file: PathBuf,
}

/// Starts a download of `long` with one of the clients.
fn download(server: &TestServer, cfy: &Cfy, name: &'static str) -> Downloading {
    let folder = server.scratch();
    let url = format!("http://127.0.0.1:{}/api/v3.1/snapshots/long/archive", server.port());
    let (child, file) = match name {
        "cfy" => {
            let file = folder.join("cfy.zip");
            let (_, child) = cfy.spawn(&["snapshots", "download", "long", "-o", file.to_str().unwrap()]);
            (child, file)
        }
        "curl" => {
            let file = folder.join("curl.zip");
            let child = Command::new("curl")
                .args(["--silent", "--show-error", "--user", &format!("admin:{ADMIN_PASSWORD}"), "--output"])
                .arg(&file)
                .arg(url)
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            (child, file)
        }
        _ => {
            let mut command = lifeboat(server, &["snapshot", "download", "long", "-o", "lifeboat.zip"]);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            (child, folder.join("lifeboat.zip.part"))
        }
    };
    Downloading { name, child, file }
}

impl Downloading {
    /// Waits until something has come, and lets no more come for now.
    fn hold(&self) {
        eventually("the download has begun", 60, || {
            let length = fs::metadata(&self.file).map_or(0, |file| file.len());
            (length > 0).then_some(())
        });
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
    }

    /// Lets it go on, and checks that it tells that it has not got the whole.
    fn fails(self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
        let output = self.child.wait_with_output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        println!("{}: {}: {said}", self.name, output.status);
        assert!(output.status.code().is_some_and(|code| code != 0), "{}: {}", self.name, output.status);
        assert!(!said.is_empty(), "{} says why", self.name);
        let came = fs::metadata(&self.file).unwrap().len();
        assert!(came < LONG_BYTES as u64, "{} has got all {came} bytes", self.name);
    }
}

#[test]
fn a_server_that_dies_in_a_download_gives_no_client_a_whole_archive() {
    let mut server = TestServer::start();
    let archive = long_archive(LONG_BYTES);
    server.api().send_archive("long", &archive).expect(201);
    for name in ["cfy", "curl", "lifeboat"] {
        let cfy = server.cfy();
        let downloading = download(&server, &cfy, name);
        downloading.hold();
        server.kill9();
        downloading.fails();
        server.restart();
    }
    // Nothing has its name yet, and what has come is gone on with.
    assert!(!server.scratch().join("lifeboat.zip").exists());
    let done = document(&server, &["snapshot", "download", "long", "-o", "lifeboat.zip"]);
    assert!(done["resumed_from_bytes"].as_u64().unwrap() > 0, "{done:#}");
    assert_eq!(done["sha256"], hex::encode(Sha256::digest(&archive)));
    assert!(fs::read(server.scratch().join("lifeboat.zip")).unwrap() == archive);
}

/// The pieces of a body as chunks, without the last one.
fn chunks(bytes: &[u8]) -> Vec<u8> {
    bytes
        .chunks(10_000)
        .flat_map(|piece| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())
        .collect()
}

#[test]
fn an_upload_is_seen_while_it_arrives_and_not_after_it_broke_off() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let archive = api.archive("nightly");
    let length = format!("Content-Length: {}", archive.len());
    let mut caller = Connection::begin(&server, "PUT", UPLOAD, &[&length]);
    assert!(caller.send(&archive[..archive.len() / 2]));
    eventually("the upload has begun", 30, || {
        let reply = api.get("snapshots/cut");
        (reply.status == 200).then(|| assert_eq!(reply.json()["status"], "uploading"))
    });
    api.delete("snapshots/cut").expect_error(400, "snapshot_action_error");
    api.send_archive("cut", &archive).expect_error(409, "conflict_error");
    caller.reset();
    eventually("the record and the file are gone", 30, || {
        (api.get("snapshots/cut").status == 404 && server.files_in("tmp").is_empty()).then_some(())
    });
    api.send_archive("cut", &archive).expect(201);
}

#[test]
fn an_upload_that_is_not_whole_is_refused_or_dropped_and_its_id_is_free() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let archive = api.archive("nightly");
    let half = &archive[..archive.len() / 2];
    let length = format!("Content-Length: {}", archive.len());
    let chunked = "Transfer-Encoding: chunked";
    let (form_type, whole_form) = form(&[("snapshot_archive", Some("a.zip"), &archive)]);
    let form_type = format!("Content-Type: {form_type}");
    let open_form = &whole_form[..archive.len() + 100];
    let open_length = format!("Content-Length: {}", open_form.len());
    let form_length = format!("Content-Length: {}", whole_form.len());
    let half_length = format!("Content-Length: {}", half.len());

    let cases: [(&str, &[&str], Vec<u8>); 11] = [
        ("half of what was promised", &[&length], half.to_vec()),
        ("nothing of what was promised", &[&length], Vec::new()),
        ("chunks without an end", &[chunked], chunks(&archive)),
        ("chunks that end after half of one", &[chunked], [chunks(half), b"2710\r\nPK".to_vec()].concat()),
        (
            "a chunk whose length is no number",
            &[chunked],
            [chunks(half), b"length\r\nPK\r\n0\r\n\r\n".to_vec()].concat(),
        ),
        ("a chunk longer than numbers go", &[chunked], b"fffffffffffffffff\r\nPK\r\n0\r\n\r\n".to_vec()),
        ("a chunk without a line's end", &[chunked], b"2\r\nPKPK\r\n0\r\n\r\n".to_vec()),
        ("a form without its last line", &[&form_type, &open_length], open_form.to_vec()),
        ("a form that breaks off", &[&form_type, &form_length], open_form[..open_form.len() / 2].to_vec()),
        ("a form without a file", &[&form_type, "Content-Length: 4"], b"none".to_vec()),
        ("more than was promised", &[&half_length], archive.clone()),
    ];
    for is_reset in [false, true] {
        for (number, (what, lines, body)) in cases.iter().enumerate() {
            println!("{what}, reset: {is_reset}");
            // Each has an id of its own, as one may be so slow to begin that nothing is seen of it yet.
            let id = format!("cut-{number}-{is_reset}");
            let target = format!("/api/v3.1/snapshots/{id}/archive");
            let mut caller = Connection::begin(&server, "PUT", &target, lines);
            caller.send(body);
            if is_reset {
                caller.reset();
            } else {
                caller.end();
                if let Some(answer) = caller.answer() {
                    assert_eq!(answer.status, 400, "{what}: {answer:?}");
                    let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
                    assert!(message.len() > 10, "{what}: {answer:?}");
                }
            }
            eventually(&format!("{what}: nothing stays of it"), 20, || {
                let (record, files) = (api.get(&format!("snapshots/{id}")), server.files_in("tmp"));
                (record.status == 404 && files.is_empty()).then_some(())
            });
            assert_eq!(server.files_in("archives").len(), 1, "{what}");
            eventually("the id is free", 60, || {
                (api.send_archive(&id, &archive).status == 201).then_some(())
            });
            assert_eq!(api.get(&format!("snapshots/{id}")).expect(200)["status"], "uploaded");
            api.delete(&format!("snapshots/{id}")).expect(200);
        }
    }
    assert_eq!(api.get("snapshots").items().len(), 1);
    assert!(!server.log().contains("panicked"));
}

#[test]
fn a_length_that_can_not_be_meant_is_refused() {
    let server = TestServer::start();
    let api = server.api();
    let cases: [&[&str]; 9] = [
        &["Content-Length: much"],
        &["Content-Length: -1"],
        &["Content-Length: +5"],
        &["Content-Length: 5, 6"],
        &["Content-Length: 5", "Content-Length: 6"],
        &["Content-Length: 99999999999999999999999"],
        &["Content-Length: 5", "Transfer-Encoding: chunked"],
        &["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        &["Transfer-Encoding: squeezed"],
    ];
    for lines in cases {
        let mut caller = Connection::begin(&server, "PUT", UPLOAD, lines);
        caller.send(b"0\r\n\r\n");
        caller.end();
        if let Some(answer) = caller.answer() {
            assert!((400..500).contains(&answer.status), "{lines:?}: {answer:?}");
        }
        eventually(&format!("{lines:?}: nothing stays of it"), 60, || {
            (api.get("snapshots/cut").status == 404 && server.files_in("tmp").is_empty()).then_some(())
        });
    }
    // More than would ever be taken is refused at once, before a byte of it has come.
    let mut caller = Connection::begin(&server, "PUT", UPLOAD, &["Content-Length: 9223372036854775807"]);
    assert_eq!(caller.answer().unwrap().status, 413);
    assert_eq!(api.get("snapshots/cut").status, 404);
}

#[test]
fn a_server_that_dies_in_an_upload_says_so_and_the_id_is_free_after_a_delete() {
    let first = TestServer::start();
    fill(&first.api());
    first.api().create_snapshot("nightly", &json!({}));
    let archive = first.api().archive("nightly");

    let mut server = TestServer::builder().failpoint("upload:writing=kill").start();
    let file = server.scratch().join("nightly.zip");
    fs::write(&file, &archive).unwrap();
    let cfy = server.cfy();
    let finished = cfy.run(&["snapshots", "upload", file.to_str().unwrap(), "-s", "cut"]);
    assert_ne!(finished.code, 0, "{}", finished.all());
    server.wait_until_killed();
    server.restart();
    let api = server.api();
    let record = api.get("snapshots/cut").expect(200);
    assert_eq!(record["status"], "failed");
    assert!(record["error"].as_str().unwrap().contains("interrupted"), "{record:#}");
    assert_eq!(server.files_in("tmp"), Vec::<String>::new());
    assert_eq!(server.files_in("archives"), Vec::<String>::new());
    let cfy = server.cfy();
    cfy.run(&["snapshots", "download", "cut", "-o", "cut.zip"])
        .refused(&["Failed snapshot cannot be downloaded"]);
    cfy.run(&["snapshots", "delete", "cut"]).success();
    cfy.run(&["snapshots", "upload", file.to_str().unwrap(), "-s", "cut"]).success();
    assert_eq!(api.archive("cut"), archive);
}

#[test]
fn a_body_that_stands_still_is_given_up_and_its_id_is_free() {
    let server = TestServer::builder().settings("[server]\nidle_seconds = 1").start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let archive = api.archive("nightly");
    let half = &archive[..archive.len() / 2];
    let length = format!("Content-Length: {}", archive.len());
    for (target, lines, body) in [
        (UPLOAD, [length.as_str()], half.to_vec()),
        (UPLOAD, ["Transfer-Encoding: chunked"], chunks(&archive)),
        ("/api/v3.1/snapshots/cut", ["Content-Length: 20"], b"{".to_vec()),
    ] {
        let mut caller = Connection::begin(&server, "PUT", target, &lines);
        assert!(caller.send(&body));
        // The caller goes on listening, and sends nothing more.
        let answer = caller.answer().expect("an answer");
        assert_eq!(answer.status, 400, "{answer:?}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("came for 1 s (the setting `server.idle_seconds`)"), "{message}");
        assert_eq!(api.get("snapshots/cut").status, 404, "{lines:?}");
        server.leaves_nothing_in_tmp();
    }
    api.send_archive("cut", &archive).expect(201);
}
