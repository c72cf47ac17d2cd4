//! A snapshot archive judged by other people's programs.
//!
//! `unzip`, Python, Java in both of its ways; and by hand, each entry against the
//! manifest. It must not use the library's own reader.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{TestServer, fill, java, python_common, script, unzip};

/// A filled manager's archive, downloaded.
fn archive_of(server: &TestServer, options: &Value) -> PathBuf {
    fill(&server.api());
    server.api().create_snapshot("nightly", options);
    let path = server.scratch().join("nightly.zip");
    fs::write(&path, server.api().get("snapshots/nightly/archive").body).unwrap();
    path
}

#[test]
fn an_archive_is_sound_to_unzip_python_and_java() {
    let server = TestServer::start();
    let options = json!({ "include_credentials": true, "include_metrics": true });
    let path = archive_of(&server, &options);
    let path = path.to_str().unwrap();

    unzip(&["-t", path]).success().says(&["No errors detected in compressed data"]);
    python_common(&[&script("judge_archive.py"), path]).success().says(&["entries are as the manifest says"]);

    let java = java(&[&script("JudgeArchive.java"), path]).success();
    let seen: BTreeMap<&str, &str> = java
        .stdout
        .lines()
        .map(|line| line.split_once("  ").unwrap())
        .map(|(hash, name)| (name, hash))
        .collect();
    let manifest = unzip(&["-p", path, "manifest.json"]).success();
    let manifest: Value = serde_json::from_str(&manifest.stdout).unwrap();
    let entries = manifest["entries"].as_array().unwrap();
    assert_eq!(seen.len(), entries.len() + 2, "and the manifest, and its signature");
    for entry in entries {
        let name = entry["path"].as_str().unwrap();
        assert_eq!(Some(&entry["sha256"].as_str().unwrap()), seen.get(name), "{name}");
    }
}

#[test]
fn unpacked_files_have_the_hashes_of_the_manifest() {
    let server = TestServer::start();
    let path = archive_of(&server, &json!({}));
    let folder = server.scratch().join("unpacked");
    unzip(&["-q", path.to_str().unwrap(), "-d", folder.to_str().unwrap()]).success();

    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    for entry in manifest["entries"].as_array().unwrap() {
        let name = entry["path"].as_str().unwrap();
        if name.ends_with('/') {
            assert!(folder.join(name).is_dir(), "{name}");
            continue;
        }
        let bytes = fs::read(folder.join(name)).unwrap();
        let hash = hex::encode(Sha256::digest(&bytes));
        assert_eq!(entry["sha256"], hash.as_str(), "{name}");
    }
}

#[test]
fn no_secret_stands_in_an_archive_in_clear() {
    let server = TestServer::start();
    let path = archive_of(&server, &json!({ "include_credentials": true }));
    let folder = server.scratch().join("unpacked");
    unzip(&["-q", path.to_str().unwrap(), "-d", folder.to_str().unwrap()]).success();

    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            for secret in ["Sesam", "zweite Zeile", crate::harness::ADMIN_PASSWORD] {
                assert!(!text.contains(secret), "`{}` holds a secret", path.display());
            }
        }
    }
}
