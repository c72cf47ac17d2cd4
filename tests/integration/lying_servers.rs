//! Archives that are fetched by URL from servers that lie, never end or never begin, and lead elsewhere: the error
//! says what it was, shows nothing of what they answered, and nothing stays.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, FileServer, Reply, TestServer, fill, head_of_file};

/// What stands in the bodies of these servers, and in no answer of ours.
const CANARY: &str = "canary-7c1f";

/// The longest archive that is taken here.
const MOST_BYTES: usize = 2 << 20;

fn server_with_archive() -> (TestServer, Vec<u8>) {
    let settings = format!(
        "[url_fetch]\nallow = [\"127.0.0.0/8\"]\nidle_seconds = 1\n[archive]\nmax_upload_bytes = {MOST_BYTES}"
    );
    let server = TestServer::builder().settings(&settings).start();
    fill(&server.api());
    server.api().create_snapshot("nightly", &json!({}));
    let archive = server.api().archive("nightly");
    assert!(archive.len() < MOST_BYTES);
    (server, archive)
}

fn fetch(api: &Api, url: &str) -> Reply {
    let escaped: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
    api.send(api.request(Method::PUT, &format!("snapshots/odd/archive?snapshot_archive_url={escaped}")))
}

/// Checks that a URL is refused with words that say all of `words`, at once or nearly so, and that nothing stays.
#[track_caller]
fn refused(server: &TestServer, what: &str, url: &str, status: u16, words: &[&str]) -> String {
    let api = server.api();
    let begun = Instant::now();
    let reply = fetch(&api, url);
    let body = reply.expect(status);
    let message = body["message"].as_str().unwrap().to_owned();
    println!("{what}: {message}");
    assert!(begun.elapsed().as_secs() < 30, "{what}: {:?}", begun.elapsed());
    assert_eq!(body["server_traceback"], Value::Null, "{what}");
    for word in words {
        assert!(message.contains(word), "{what}: does not say {word:?}: {message}");
    }
    assert!(!message.contains(CANARY), "{what}: {message}");
    assert_eq!(api.get("snapshots/odd").status, 404, "{what}");
    server.leaves_nothing_in_tmp();
    assert_eq!(server.files_in("archives").len(), 1, "{what}");
    message
}

fn chunked(pieces: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in pieces {
        bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[test]
fn what_is_shorter_longer_or_endless_is_refused_by_name() {
    let (server, archive) = server_with_archive();
    let files = FileServer::start();
    let half = &archive[..archive.len() / 2];
    let with_length = |length: usize, bytes: &[u8]| [head_of_file(length).as_bytes(), bytes].concat();
    let broke_off = ["Cannot fetch http://127.0.0.1", "broke off"];
    let no_archive = ["no snapshot archive"];
    for (what, url, status, words) in [
        ("half of it", files.half("/half", archive.clone()), 400, &broke_off[..]),
        ("a byte too few", files.bytes("/few", with_length(archive.len() + 1, &archive)), 400, &broke_off),
        ("a length that cuts it", files.bytes("/cut", with_length(half.len(), &archive)), 400, &no_archive),
        ("chunks without an end", files.bytes("/open", chunked(&[&archive])), 400, &broke_off),
        (
            "a chunk without an end",
            files.bytes("/chunk", [chunked(&[half]), b"ffff\r\nPK".to_vec()].concat()),
            400,
            &broke_off,
        ),
        (
            "no end of chunks",
            files.endless("/chunks", &chunked(&[&archive]), &chunk_of_zeros()),
            413,
            &["max_upload_bytes"],
        ),
        (
            "no length and no end",
            files.endless("/zeros", b"HTTP/1.1 200 OK\r\n\r\n", &[0; 4096]),
            413,
            &["max_upload_bytes"],
        ),
        (
            "a length past all bounds",
            files.bytes("/vast", with_length(MOST_BYTES + 1, &archive)),
            413,
            &["max_upload_bytes"],
        ),
        (
            "no end of headers",
            files.endless("/headers", b"HTTP/1.1 200 OK\r\n", b"X-Header: x\r\n"),
            400,
            &["Cannot fetch"],
        ),
        (
            "no HTTP",
            files.bytes("/smtp", format!("220 {CANARY} ESMTP\r\n").into_bytes()),
            400,
            &["Cannot fetch"],
        ),
        ("nothing", files.bytes("/nothing", Vec::new()), 400, &["Cannot fetch"]),
        ("an empty file", files.file("/empty", Vec::new()), 400, &["it is empty"]),
        ("a page", files.file("/page", format!("<html>{CANARY}</html>").into_bytes()), 400, &no_archive),
    ] {
        refused(&server, what, &url, status, words);
    }
    // What comes after the length that was promised is nobody's.
    let longer = files.bytes("/longer", with_length(archive.len(), &[&archive[..], b"more"].concat()));
    assert_eq!(fetch(&server.api(), &longer).expect(201)["size_bytes"], archive.len());
    assert_eq!(server.api().archive("odd"), archive);
}

fn chunk_of_zeros() -> Vec<u8> {
    [b"1000\r\n".to_vec(), vec![0; 4096], b"\r\n".to_vec()].concat()
}

#[test]
fn a_server_that_is_silent_is_given_up_and_said_to_be_so() {
    let (server, archive) = server_with_archive();
    let files = FileServer::start();
    let begun = [head_of_file(archive.len()).as_bytes(), &archive[..archive.len() / 2]].concat();
    for (what, url) in [
        ("never an answer", files.stalled("/never", Vec::new())),
        ("half a head", files.stalled("/head", b"HTTP/1.1 200 OK\r\nContent-".to_vec())),
        ("a head and no body", files.stalled("/body", head_of_file(archive.len()).into_bytes())),
        ("half of it", files.stalled("/half", begun)),
        ("all of it and no end of the chunks", files.stalled("/end", chunked(&[&archive]))),
    ] {
        refused(&server, what, &url, 400, &["Cannot fetch http://127.0.0.1", "silent for too long"]);
    }
    // Nobody listens there: the port was given back.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    refused(&server, "nobody", &format!("http://{gone}/a.zip"), 400, &["the connection failed"]);
    refused(&server, "no such host", "http://nowhere.invalid/a.zip", 400, &["http://nowhere.invalid/a.zip"]);
}

#[test]
fn an_answer_that_is_no_file_is_told_by_its_status_only() {
    let (server, _) = server_with_archive();
    let files = FileServer::start();
    for (status, reason) in
        [(403, "Forbidden"), (404, "Not Found"), (500, "Internal Server Error"), (204, "No Content")]
    {
        let body = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Length: {}\r\nX-Told: {CANARY}\r\n\r\n{CANARY}",
            CANARY.len()
        );
        let url = files.bytes(&format!("/{status}"), body.into_bytes());
        let words =
            if status == 204 { vec!["no snapshot archive"] } else { vec!["the server answered", reason] };
        refused(&server, reason, &url, 400, &words);
    }
}

#[test]
fn a_redirect_leads_nowhere_that_the_caller_could_not_have_named() {
    let (server, archive) = server_with_archive();
    let (files, other) = (FileServer::start(), FileServer::start());
    let good = other.file("/good.zip", archive);
    for (what, to, words) in [
        ("a file of the machine", "file:///etc/passwd", "`file`"),
        ("another scheme", "ftp://127.0.0.1/a.zip", "`ftp`"),
        ("a scheme that carries bytes", "gopher://127.0.0.1:25/_HELO", "`gopher`"),
        ("data", "data:application/zip;base64,UEsFBg==", "`data`"),
        ("a private address", "http://10.0.0.1/a.zip", "10.0.0.1"),
        ("another private address", "http://192.168.1.1:8080/a.zip", "192.168.1.1"),
        ("the metadata of a cloud", "http://169.254.169.254/latest/meta-data/", "169.254.169.254"),
        ("an address within one of the other kind", "http://[::ffff:10.0.0.1]/a.zip", "not public"),
        ("a private address by another name", "http://0xa9fea9fe/", "169.254.169.254"),
        ("an address of its own kind", "http://[fd00::1]/a.zip", "fd00::1"),
        ("the machine by its other address", "http://[::1]/a.zip", "::1"),
    ] {
        let url = files.redirect("/away", to);
        let message =
            refused(&server, what, &url, 400, &["Cannot fetch http://127.0.0.1", "redirect", words]);
        assert!(message.contains("/away"), "it names what was asked for: {message}");
    }
    for (path, line, words) in
        [("/nowhere", "", "does not say where"), ("/odd", "Location: http://[::/\r\n", "leads to no URL")]
    {
        let answer = format!("HTTP/1.1 302 Found\r\n{line}Content-Length: 0\r\nConnection: close\r\n\r\n");
        refused(&server, path, &files.bytes(path, answer.into_bytes()), 400, &[words]);
    }
    let circle = files.redirect("/circle", &files.url("/circle"));
    refused(&server, "a circle", &circle, 400, &["too many redirects"]);
    assert_eq!(files.heads().iter().filter(|head| head.starts_with("GET /circle ")).count(), 6);

    let mut url = good.clone();
    for number in 0..5 {
        url = files.redirect(&format!("/hop{number}"), &url);
    }
    fetch(&server.api(), &url).expect(201);
    server.api().delete("snapshots/odd").expect(200);
    let url = files.redirect("/hop5", &url);
    refused(&server, "one too many", &url, 400, &["too many redirects"]);
}

#[test]
fn a_password_in_a_url_is_for_its_server_alone_and_never_shown() {
    let (server, archive) = server_with_archive();
    let (files, other) = (FileServer::start(), FileServer::start());
    files.file("/good.zip", archive.clone());
    files.redirect("/away.zip", &other.file("/other.zip", archive));
    let api = server.api();
    let with_password = |path: &str| files.url(path).replace("http://", "http://ann:hunter2@");
    for path in ["/good.zip", "/away.zip"] {
        fetch(&api, &with_password(path)).expect(201);
        api.delete("snapshots/odd").expect(200);
    }
    let [first, second] = &files.heads()[..] else { panic!("{:?}", files.heads()) };
    for head in [first, second] {
        assert!(head.to_lowercase().contains("authorization: basic"), "{head}");
    }
    let heads = other.heads();
    assert_eq!(heads.len(), 1);
    assert!(!heads[0].to_lowercase().contains("authorization"), "{}", heads[0]);
    assert!(!heads[0].to_lowercase().contains("referer"), "{}", heads[0]);

    let nothing = with_password("/nothing.zip") + "?signature=hunter3";
    let message = refused(&server, "a refusal", &nothing, 400, &["/nothing.zip", "404"]);
    // What looks like a host before the `@` is a name to log in with.
    let hidden = "http://example.org:hunter2@169.254.169.254/a.zip";
    let inside =
        refused(&server, "an address behind a name", hidden, 400, &["169.254.169.254", "not public"]);
    for text in [message, inside, server.log()] {
        assert!(!text.contains("hunter"), "{text}");
    }
    let records = std::fs::read(server.data().join("records.db-wal")).unwrap();
    assert!(!records.windows(6).any(|window| window == b"hunter"), "the records know no password");
}
