//! Upload and download by raw HTTP: every way to send an archive, ranges, and what is refused.
//!
//! The content type of an upload is never looked at; the body decides.

use std::fs;

use reqwest::Method;
use reqwest::blocking::Body;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Api, FileServer, TestServer, fill, form, write_zip};

/// A server with one snapshot `nightly`, and its archive.
fn server_with_archive() -> (TestServer, Vec<u8>) {
    let server = TestServer::builder().fetching_from_loopback().start();
    fill(&server.api());
    server.api().create_snapshot("nightly", &json!({}));
    let archive = server.api().get("snapshots/nightly/archive").body;
    (server, archive)
}

fn ids(api: &Api) -> Vec<String> {
    let items = api.get("snapshots").items();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_download_has_the_headers_that_the_clients_need() {
    let (server, archive) = server_with_archive();
    let api = server.api();
    let reply = api.send(
        api.request(Method::GET, "snapshots/nightly/archive").header("Accept-Encoding", "gzip, deflate"),
    );
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/octet-stream");
    assert_eq!(reply.header("content-length"), archive.len().to_string());
    assert!(reply.headers.get("content-encoding").is_none(), "never compressed again");
    let disposition = reply.header("content-disposition");
    assert!(disposition.starts_with("attachment"), "{disposition}");
    let name = disposition.split("filename=").nth(1).unwrap();
    assert_eq!(name.trim_matches('"'), "nightly.zip");
    assert_eq!(reply.header("accept-ranges"), "bytes");
    assert_eq!(reply.body, archive);
    assert_eq!(reply.body[..4], *b"PK\x03\x04");

    let snapshot = api.get("snapshots/nightly").expect(200);
    assert_eq!(snapshot["size_bytes"], archive.len());
    let digest = Sha256::digest(&archive);
    assert_eq!(snapshot["sha256"], hex::encode(digest));
    assert_eq!(reply.header("etag"), format!("\"{}\"", hex::encode(digest)));
    let digest = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
    assert_eq!(reply.header("repr-digest"), format!("sha-256=:{digest}:"));
    let part = api.send(api.request(Method::GET, "snapshots/nightly/archive").header("Range", "bytes=0-9"));
    assert_eq!(part.header("repr-digest"), reply.header("repr-digest"), "of the whole, also with a part");
}

#[test]
fn parts_of_an_archive_can_be_asked_for() {
    let (server, archive) = server_with_archive();
    let api = server.api();
    let path = "snapshots/nightly/archive";
    let with = |name: &str, value: &str| api.send(api.request(Method::GET, path).header(name, value));
    let length = archive.len();

    for (range, from, to) in [
        ("bytes=0-99".to_owned(), 0, 100),
        ("bytes=100-".to_owned(), 100, length),
        ("bytes=-7".to_owned(), length - 7, length),
        (format!("bytes=10-{}", length * 2), 10, length),
    ] {
        let reply = with("Range", &range);
        assert_eq!(reply.status, 206, "{range}");
        assert_eq!(reply.header("content-range"), format!("bytes {from}-{}/{length}", to - 1));
        assert_eq!(reply.body, archive[from..to], "{range}");
    }
    for range in [format!("bytes={length}-"), format!("bytes={length}-{}", u64::MAX), "bytes=-0".to_owned()] {
        let reply = with("Range", &range);
        reply.expect_error(416, "range_not_satisfiable_error");
        assert_eq!(reply.header("content-range"), format!("bytes */{length}"), "{range}");
    }
    // Several at once, and what is none, get the whole.
    let many: Vec<String> = (0..1000).map(|number| format!("{number}-{number}")).collect();
    let many = format!("bytes={}", many.join(","));
    for range in
        ["bytes=0-1,5-6", &many, "bytes=5-2", "bytes=", "bytes", "bytes=--1", "bytes=0x0-5", "items=0-1"]
    {
        let reply = with("Range", range);
        assert_eq!(reply.status, 200, "{range}");
        assert!(reply.headers.get("content-range").is_none(), "{range}");
        assert!(reply.body == archive, "{range}");
    }

    let head = api.send(api.request(Method::HEAD, path));
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), length.to_string());
    assert!(head.body.is_empty());

    let tag = head.header("etag").to_owned();
    assert_eq!(with("If-None-Match", &tag).status, 304);
    assert_eq!(with("If-None-Match", "\"other\"").status, 200);
    let resumed =
        api.send(api.request(Method::GET, path).header("Range", "bytes=5-").header("If-Range", &tag));
    assert_eq!(resumed.status, 206);
    let changed =
        api.send(api.request(Method::GET, path).header("Range", "bytes=5-").header("If-Range", "\"other\""));
    assert_eq!(changed.status, 200, "the whole, when it is another file");
    assert_eq!(changed.body, archive);
}

#[test]
fn an_archive_can_be_sent_raw_chunked_or_as_a_form_under_any_content_type() {
    let (server, archive) = server_with_archive();
    let api = server.api();
    let path = server.scratch().join("archive.zip");
    fs::write(&path, &archive).unwrap();
    let mut number = 0;
    let mut sent = |describe: &str, build: &dyn Fn(&str) -> reqwest::blocking::RequestBuilder| {
        number += 1;
        let id = format!("{number}-sent");
        let snapshot = api.send(build(&format!("snapshots/{id}/archive"))).expect(201);
        assert_eq!(snapshot["id"], id.as_str(), "{describe}");
        assert_eq!(snapshot["status"], "uploaded", "{describe}");
        assert_eq!(snapshot["error"], "", "{describe}");
        let back = api.get(&format!("snapshots/{id}/archive"));
        assert_eq!(back.body, archive, "{describe}");
    };

    for content_type in [
        Some("application/json"),
        Some("application/octet-stream"),
        Some("application/zip"),
        Some("text/plain; charset=utf-8"),
        Some("application/x-www-form-urlencoded"),
        Some("no type at all"),
        None,
    ] {
        let typed = |path: &str| {
            let request = api.request(Method::PUT, path);
            match content_type {
                Some(content_type) => request.header("Content-Type", content_type),
                None => request,
            }
        };
        sent(&format!("raw, {content_type:?}"), &|path| typed(path).body(archive.clone()));
        sent(&format!("chunked, {content_type:?}"), &|to| {
            typed(to).body(Body::new(fs::File::open(&path).unwrap()))
        });
    }
    for field in ["snapshot_archive", "file", "blueprint_archive"] {
        sent(&format!("a form with `{field}`"), &|to| {
            let (content_type, body) = form(&[(field, Some("archive.zip"), &archive)]);
            api.request(Method::PUT, to).header("Content-Type", content_type).body(body)
        });
    }
}

#[test]
fn what_is_no_archive_is_refused_and_not_kept() {
    let (server, archive) = server_with_archive();
    let api = server.api();
    let mut flipped = archive.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let metadata = br#"{"snapshot_version": "7.0.5"}"#;
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("text", b"hello".to_vec()),
        ("a cut archive", archive[..archive.len() - 30].to_vec()),
        ("a changed byte", flipped),
        ("a tail", [archive.clone(), b"tail".to_vec()].concat()),
        ("no metadata", write_zip(&[("a", b"b")])),
        ("metadata that is no object", write_zip(&[("metadata.json", b"[]")])),
        ("metadata without a version", write_zip(&[("metadata.json", b"{}")])),
        ("a climbing name", write_zip(&[("metadata.json", metadata), ("../x", b"")])),
        ("an absolute name", write_zip(&[("metadata.json", metadata), ("/x", b"")])),
    ] {
        let reply = api.send(api.request(Method::PUT, "snapshots/odd/archive").body(bytes));
        let message = reply.expect(400)["message"].as_str().unwrap().to_owned();
        assert!(!message.is_empty(), "{what}");
        assert_eq!(ids(&api), ["nightly"], "{what}");
        server.leaves_nothing_in_tmp();
        assert_eq!(server.files_in("archives").len(), 1, "{what}");
    }
}

#[test]
fn an_upload_onto_a_used_id_is_refused() {
    let (server, archive) = server_with_archive();
    let api = server.api();
    let request = api.request(Method::PUT, "snapshots/nightly/archive").body(archive);
    api.send(request).expect_error(409, "conflict_error");
}

#[test]
fn a_url_is_taken_from_the_query_or_the_body() {
    let (server, archive) = server_with_archive();
    let api = server.api();
    let files = FileServer::start();
    let url = files.file("/a.zip", archive.clone());
    let escaped: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
    let put = |id: &str, query: &str, body: Option<Value>| {
        let path = format!("snapshots/{id}/archive{query}");
        let request = api.request(Method::PUT, &path);
        match body {
            Some(body) => api.send(request.json(&body)),
            None => api.send(request.header("Content-Type", "application/json")),
        }
    };
    let query = format!("?snapshot_archive_url={escaped}");
    put("python", &query, None).expect(201);
    // CloudifyJS sends the JSON body `false` beside the query.
    put("javascript", &query, Some(json!(false))).expect(201);
    put("braces", &query, Some(json!({}))).expect(201);
    // The document says: in the body.
    let body = json!({ "snapshot_archive_url": url });
    put("document", "", Some(body)).expect(201);
    for id in ["python", "javascript", "braces", "document"] {
        assert_eq!(api.get(&format!("snapshots/{id}/archive")).body, archive, "{id}");
    }

    let redirected = files.redirect("/r.zip", &url);
    put("redirected", &format!("?snapshot_archive_url={redirected}"), None).expect(201);
    let inside = files.redirect("/inside", "http://169.254.169.254/x.zip");
    for url in [
        files.url("/nothing"),
        files.half("/half.zip", archive),
        files.file("/text", b"no zip".to_vec()),
        inside,
        "ftp://127.0.0.1/x".to_owned(),
        "file:///etc/passwd".to_owned(),
        "nonsense".to_owned(),
        "http://user:password@127.0.0.1:1/x".to_owned(),
    ] {
        let reply = put("odd", &format!("?snapshot_archive_url={url}"), None);
        let message = reply.expect_error(400, "bad_parameters_error");
        assert!(!message.contains("password"), "{message}");
        assert_eq!(api.get("snapshots/odd").status, 404, "{url}");
    }
}

#[test]
fn loopback_is_not_fetched_from_unless_it_is_allowed() {
    let server = TestServer::start();
    let api = server.api();
    let files = FileServer::start();
    let port = files.url("").rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0.0.0.0"] {
        let path = format!("snapshots/odd/archive?snapshot_archive_url=http://{host}:{port}/a.zip");
        let reply = api.send(api.request(Method::PUT, &path));
        assert_eq!(reply.status, 400, "{host}: {}", reply.text());
    }
}
