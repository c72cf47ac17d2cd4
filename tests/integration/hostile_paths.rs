//! Ids that are no ids, in the paths of everything that is kept as a file: each call answers that there is no such
//! thing or that it can't be one, in the form of its face, and touches nothing.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Api, Connection, TestServer, blueprint_archive, check_invariants, fill};
use crate::openapi::DOCUMENT;

/// What stands in a path where an id should. None is the id of anything.
fn ids() -> Vec<String> {
    let mut ids: Vec<String> = [
        "..",
        "%2e%2e",
        "%2E%2e",
        ".",
        "..%2f..%2fkeys%2fidentity.txt",
        "..%5c..%5ckeys",
        "%2e%2e%2fkeys%2fsigning.key",
        "%2Fetc%2Fpasswd",
        "%2f%2f%2fetc%2fpasswd",
        "%252e%252e%252fkeys",
        "C%3A%5CWindows",
        "%00",
        "nightly%00",
        "nightly%00.zip",
        "nightly%20",
        "nightly%0a",
        "nightly%0d%0aX-Header:%20x",
        "nightly.",
        "NIGHTLY",
        "Nightly",
        // Letters that look like those, and one that is written in two ways.
        "%EF%BD%8Eightly",
        "n%D1%96ghtly",
        "nightly%CC%81",
        // No text.
        "%ff%fe",
        "%C3%28",
        "%ED%A0%80",
        // No escape.
        "%zz",
        "%",
        "%2",
        "nightly;a=b",
        "nightly'--",
        "%27%20OR%201%3D1--",
        "*",
        "%25",
        "~root",
        "-rf",
        "$(id)",
    ]
    .map(str::to_owned)
    .to_vec();
    ids.push("a".repeat(257));
    ids.push("a".repeat(300));
    ids.push("a".repeat(8000));
    ids.push("%C3%A9".repeat(300));
    ids.push("..%2f".repeat(100));
    ids
}

/// Every file and folder below, but for the databases, which hear of each call.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path.clone());
            }
            let is_database = path.to_str().unwrap().contains(".db");
            let length = if is_database { 0 } else { entry.metadata().unwrap().len() };
            if !path.ends_with("server.log") {
                found.push(format!("{} {length}", path.display()));
            }
        }
    }
    found.sort();
    found
}

/// The calls whose paths name something that is kept as a file, with a place for the id.
fn calls(api: &Api) -> Vec<(String, String)> {
    let document = api.nobody().get(DOCUMENT).expect(200);
    let mut calls = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let is_kept = ["snapshots", "archive", "images", "captures", "blueprints", "plugins"];
        if !path.contains('{') || !is_kept.iter().any(|word| path.contains(word)) {
            continue;
        }
        let target = if item.get("servers").is_some() { path.clone() } else { format!("/api/v3.1{path}") };
        for method in ["get", "head", "put", "post", "patch", "delete"] {
            if item.get(method).is_some() {
                calls.push((method.to_uppercase(), target.clone()));
            }
        }
    }
    assert!(calls.len() > 40, "{calls:?}");
    calls
}

/// The path with the id at each of its places.
fn fill_in(target: &str, id: &str) -> String {
    let mut filled = String::new();
    let mut rest = target;
    while let Some((before, after)) = rest.split_once('{') {
        filled = filled + before + id;
        rest = after.split_once('}').unwrap().1;
    }
    filled + rest
}

/// Whether a body is an error in the form of the face of a path.
fn is_in_form(target: &str, body: &Value) -> bool {
    let has = |pointer: &str| body.pointer(pointer).is_some();
    match target.split('/').nth(1) {
        Some("v2") => has("/errors/0/detail"),
        Some("v1" | "images") => has("/errors/request/0") || has("/errors/params") || has("/error"),
        _ => has("/message") && has("/error_code"),
    }
}

#[test]
fn an_id_that_is_none_is_refused_by_every_call_and_touches_nothing() {
    let server = TestServer::start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let archive = api.archive("nightly");
    let records: Vec<Value> =
        ["snapshots", "blueprints", "plugins"].iter().flat_map(|list| api.get(list).items()).collect();
    // The picture of the create is drawn, too.
    check_invariants(&server, "before");
    let folder = server.data().parent().unwrap().to_owned();
    let before = files(&folder);

    let mut count = 0;
    for (method, target) in calls(&api) {
        for id in ids() {
            let filled = fill_in(&target, &id);
            // Where a file is sent, it is a good one: only the id is wrong.
            let body = match (method.as_str(), target.as_str()) {
                ("PUT", path) if path.contains("/snapshots/") && path.ends_with("/archive") => {
                    archive.clone()
                }
                ("PUT", path) if path.contains("/blueprints/") => blueprint_archive(),
                ("GET" | "HEAD" | "DELETE", _) => Vec::new(),
                _ => b"{}".to_vec(),
            };
            // An id in another case or with another first sign is a fine one for what is new.
            let is_making = method == "PUT" && ["NIGHTLY", "Nightly", "nightly."].contains(&id.as_str());
            if is_making {
                continue;
            }
            let claim = format!("{method} {}", filled.chars().take(120).collect::<String>());
            let mut caller = Connection::begin(
                &server,
                &method,
                &filled,
                &["Connection: close", &format!("Content-Length: {}", body.len())],
            );
            caller.send(&body);
            let answer = caller.answer().unwrap_or_else(|| panic!("{claim}: no answer"));
            assert!((400..500).contains(&answer.status), "{claim}: {} {}", answer.status, answer.json());
            // What is no request at all is answered before anybody knows of faces.
            let is_request = !answer.body.is_empty();
            if method != "HEAD" && is_request {
                assert!(is_in_form(&target, &answer.json()), "{claim}: {} {}", answer.status, answer.json());
            }
            assert_eq!(answer.header("x-header"), None, "{claim}");
            count += 1;
        }
    }
    println!("{count} calls");
    assert_eq!(files(&folder), before);
    let after: Vec<Value> =
        ["snapshots", "blueprints", "plugins"].iter().flat_map(|list| api.get(list).items()).collect();
    assert_eq!(after, records);
    assert_eq!(api.archive("nightly"), archive);
    // Escaped, it is the same id all the same.
    assert_eq!(api.get("snapshots/%6eightly").expect(200)["id"], "nightly");
    assert!(!server.log().contains("panicked"));
    assert!(!server.log().contains(" ERROR "), "{}", server.log());
}
