//! Which parts of the code know which: the directions of the design, read from the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// What the code of a folder must not name, each with the reason.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    ("api", &["rusqlite", "tokio_postgres", "std::fs", "tokio::fs"], "the API knows no SQL and no file"),
    (
        "sources",
        &["crate::archive", "crate::store", "crate::api", "actix"],
        "a source knows its own system only",
    ),
    (
        "archive",
        &[
            "crate::sources",
            "crate::store",
            "crate::records",
            "crate::api",
            "crate::manager",
            "rusqlite",
            "actix",
        ],
        "the archive reads and writes streams",
    ),
    (
        "store",
        &["crate::archive", "crate::sources", "crate::api", "crate::records", "actix"],
        "the store knows bytes",
    ),
    (
        "model",
        &["crate::a", "crate::d", "crate::e", "crate::r", "crate::s", "actix", "rusqlite"],
        "the words stand alone",
    ),
    (
        "records",
        &["crate::archive", "crate::api", "crate::store", "crate::sources", "actix"],
        "records know rows",
    ),
    ("executions", &["crate::worker", "crate::sources", "crate::api", "actix"], "the engine knows no job"),
    (
        "manager",
        &["crate::archive", "crate::api", "crate::store", "crate::sources", "actix"],
        "the manager knows itself",
    ),
    ("snapshots", &["crate::api", "actix"], "what can be done knows no HTTP"),
    (
        "charts/render",
        &["std::fs", "std::env", "tokio", "crate::", "Utc::now", "Instant", "rusqlite", "actix", "rand"],
        "a picture knows its values only",
    ),
    (
        "charts/store",
        &[
            "crate::a",
            "crate::charts::render",
            "crate::e",
            "crate::manager",
            "crate::records",
            "crate::s",
            "crate::w",
            "actix",
            "std::fs",
        ],
        "the metrics store knows points",
    ),
    (
        "cli",
        &["crate::records", "crate::manager", "crate::worker", "crate::store"],
        "commands know the API only",
    ),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_part_knows_what_it_must_not_know() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut crossed = Vec::new();
    for (folder, forbidden, reason) in FORBIDDEN {
        let mut files = Vec::new();
        sources(&root.join(folder), &mut files);
        assert!(!files.is_empty(), "there is no code in `{folder}`");
        // What stands in folders of tests is no part of the program.
        files.retain(|file| !file.strip_prefix(&root).unwrap().iter().any(|part| part == "tests"));
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            // What stands below the tests of a module, and in comments, is no dependency of the program.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for (number, line) in code.lines().enumerate() {
                let line = line.split("//").next().unwrap();
                for name in *forbidden {
                    if line.contains(name) {
                        let file = file.strip_prefix(&root).unwrap().display().to_string();
                        crossed.push(format!("{file}:{}: `{name}`: {reason}", number + 1));
                    }
                }
            }
        }
    }
    assert_eq!(crossed, Vec::<String>::new());
}

#[test]
fn no_file_holds_a_second_subject() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    let long: Vec<String> = files
        .iter()
        .map(|file| (file, fs::read_to_string(file).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > 550)
        .map(|(file, lines)| format!("{}: {lines} lines", file.strip_prefix(root).unwrap().display()))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}
