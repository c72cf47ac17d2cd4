//! What is durable before what, read from the system calls of the real server: a file's bytes, its name, its folder, and
//! only then the record that promises it.

use std::path::Path;

use reqwest::Method;
use serde_json::json;

use crate::harness::{Call, Strace, TestServer, fill, plugin_archive, write_zip};

/// The calls by which bytes and names become durable.
const CALLS: &[&str] = &[
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "ftruncate",
    "copy_file_range",
    "sendfile",
];
const WRITES: &[&str] = &["write", "writev", "pwrite64", "pwritev", "copy_file_range", "sendfile"];
const SYNCS: &[&str] = &["fsync", "fdatasync"];
const NAMINGS: &[&str] = &["rename", "renameat", "renameat2", "link", "linkat"];

/// The first of the calls that began after `after` had ended.
#[track_caller]
fn first_after<'a>(calls: &'a [Call], after: &Call, what: &str, is_it: impl Fn(&Call) -> bool) -> &'a Call {
    calls
        .iter()
        .find(|call| call.begun > after.ended && is_it(call))
        .unwrap_or_else(|| panic!("no {what} after {after:?}"))
}

/// Checks that the file that got its name in `folder` was durable before its name, its name before `named` was written
/// into `database`, and that this was made durable too.
#[track_caller]
fn assert_published(calls: &[Call], folder: &Path, database: &Path, named: &str) {
    let folder_text = folder.to_str().unwrap();
    let naming = calls
        .iter()
        .find(|call| call.is(NAMINGS, &format!("\"{folder_text}/")))
        .unwrap_or_else(|| panic!("nothing got a name in {folder_text}"));
    assert!(naming.text.ends_with("= 0"), "{naming:?}");
    let partial = naming.text.split('"').nth(1).unwrap();
    let of_file = |call: &&Call| call.text.contains(&format!("<{partial}>"));
    let written = calls.iter().filter(of_file).filter(|call| WRITES.contains(&call.name.as_str()));
    let last = written.max_by_key(|call| call.ended).expect("the file was written");
    assert!(last.ended < naming.begun, "it has its name before its bytes: {last:?} {naming:?}");
    let is_sync = |call: &Call| SYNCS.contains(&call.name.as_str()) && call.text.ends_with("= 0");
    let synced = first_after(calls, last, "sync of the file", |call| is_sync(call) && of_file(&call));
    assert!(synced.ended < naming.begun, "it has its name before it is durable: {synced:?} {naming:?}");
    let folder_synced = first_after(calls, naming, "sync of the folder", |call| {
        is_sync(call) && call.text.contains(&format!("<{folder_text}>"))
    });
    let log = format!("<{}-wal>", database.display());
    let promised = calls
        .iter()
        .find(|call| {
            WRITES.contains(&call.name.as_str()) && call.text.contains(&log) && call.text.contains(named)
        })
        .unwrap_or_else(|| panic!("no record names {named}"));
    assert!(folder_synced.ended < promised.begun, "it is promised before its name is durable: {promised:?}");
    first_after(calls, promised, "sync of the record", |call| is_sync(call) && call.text.contains(&log));
}

/// Whether all that was written to a file before a call was made durable before it; none where nothing was.
fn is_durable(calls: &[Call], file: &Path, before: &Call) -> Option<bool> {
    let file = format!("<{}>", file.display());
    let of_file = calls.iter().filter(|call| call.text.contains(&file) && call.begun < before.begun);
    let (syncs, writes): (Vec<&Call>, Vec<&Call>) = of_file
        .filter(|call| [WRITES, SYNCS].concat().contains(&call.name.as_str()))
        .partition(|call| SYNCS.contains(&call.name.as_str()));
    let last = writes.into_iter().max_by_key(|call| call.ended)?;
    Some(
        syncs
            .iter()
            .any(|sync| sync.begun > last.ended && sync.ended < before.begun && sync.text.ends_with("= 0")),
    )
}

#[test]
fn an_archive_is_durable_before_its_record_promises_it() {
    let server = TestServer::builder().holding("create:collecting").start();
    let api = server.api();
    fill(&api);
    let (archives, records) = (server.data().join("archives"), server.data().join("records.db"));
    let sha256 =
        |id: &str| api.get(&format!("snapshots/{id}")).expect(200)["sha256"].as_str().unwrap().to_owned();

    let create = api.put("snapshots/nightly", &json!({})).expect(201);
    server.wait_until_held("create:collecting");
    let strace = Strace::record(&server, CALLS);
    server.release();
    assert_eq!(api.wait_for_end(&create)["status"], "terminated");
    assert_published(&strace.end(), &archives, &records, &sha256("nightly"));

    let archive = write_zip(&[("metadata.json", br#"{"snapshot_version": "5.1.0"}"#), ("pg_data", b"x")]);
    let strace = Strace::record(&server, CALLS);
    api.send_archive("uploaded", &archive).expect(201);
    let calls = strace.end();
    assert_published(&calls, &archives, &records, &sha256("uploaded"));

    let strace = Strace::record(&server, CALLS);
    let reseal = api.post("/service/snapshots/nightly/reseal", &json!({})).expect(200);
    assert_eq!(api.wait_for_end(&reseal)["status"], "terminated");
    assert_published(&strace.end(), &archives, &records, &sha256("nightly"));
}

#[test]
fn a_blob_is_durable_before_a_row_names_it() {
    let server = TestServer::start();
    let api = server.api();
    let live = std::fs::canonicalize(server.data().join("manager/current")).unwrap();
    let strace = Strace::record(&server, CALLS);
    api.send(api.request(Method::POST, "plugins?title=beacon").body(plugin_archive())).expect(201);
    let calls = strace.end();
    let blobs = server.data().join("blobs");
    let names = server.files_in("blobs");
    let blob = names.iter().find(|name| name.as_str() != "trash").unwrap();
    assert_published(&calls, &blobs, &live.join("manager.db"), blob);
}

#[test]
fn a_restored_state_is_durable_before_the_journal_says_so_and_the_journal_before_the_swap() {
    let server = TestServer::builder().holding("restore:judged").start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({ "include_metrics": true }));
    let restore = api.post("snapshots/nightly/restore", &json!({ "force": true })).expect(200);
    server.wait_until_held("restore:judged");
    let strace = Strace::record(&server, CALLS);
    server.release();
    assert_eq!(api.wait_for_end(&restore)["status"], "terminated");
    let calls = strace.end();

    let manager = server.data().join("manager");
    let is_sync = |call: &Call| SYNCS.contains(&call.name.as_str()) && call.text.ends_with("= 0");
    let swap = calls
        .iter()
        .find(|call| call.is(NAMINGS, &format!("\"{}/current\"", manager.display())))
        .expect("the link is replaced");
    let log = format!("<{}-wal>", server.data().join("records.db").display());
    let journal = |phase: &str| {
        let is_it = |call: &&Call| {
            WRITES.contains(&call.name.as_str()) && call.text.contains(&log) && call.text.contains(phase)
        };
        calls.iter().find(is_it).unwrap_or_else(|| panic!("the journal says {phase}"))
    };
    let swapping = journal("swapping");
    let durable = first_after(&calls, swapping, "sync of the journal", |call| {
        is_sync(call) && call.text.contains(&log)
    });
    assert!(durable.ended < swap.begun, "the swap comes before its journal: {durable:?} {swap:?}");

    // Every file of the new state, and its folder, in its folder.
    let live = std::fs::canonicalize(manager.join("current")).unwrap();
    for name in ["manager.db", "metrics.db"] {
        let [tables, log] = [name.to_owned(), format!("{name}-wal")].map(|name| live.join(name));
        let tables_are = is_durable(&calls, &tables, swapping).expect("the tables are written");
        // What goes from the log to the tables meanwhile stands in the log until it is durable there.
        let log_is = is_durable(&calls, &log, swapping).unwrap_or(false);
        assert!(tables_are || log_is, "{name} is not durable before the journal: {swapping:?}");
    }
    for folder in [&live, &manager] {
        let is_it = |call: &&Call| is_sync(call) && call.text.contains(&format!("<{}>", folder.display()));
        let synced = calls.iter().filter(is_it).any(|call| call.ended < swapping.begun);
        assert!(synced, "the folder {} is not durable before the journal", folder.display());
    }
    let linked = first_after(&calls, swap, "sync of the folder of the link", |call| {
        is_sync(call) && call.text.contains(&format!("<{}>", manager.display()))
    });
    let swapped = calls
        .iter()
        .find(|call| call.begun > swap.begun && call.text.contains(&log) && call.text.contains("swapped"))
        .expect("the journal says swapped");
    assert!(linked.ended < swapped.begun, "the journal says swapped before the link is durable");
}
