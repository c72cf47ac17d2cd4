//! A disk that fails (EIO) under what is at work: the job or call fails clean or is done, nothing half made stays, no sync
//! that failed is tried again and believed, and the state is readable, at once and after a restart.
//!
//! `strace` lets the calls of the real server fail. That takes root.

use std::path::PathBuf;
use std::sync::OnceLock;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    Api, Call, Connection, State, Strace, TestServer, check_invariants, copy_data, fill, long_archive,
    read_state, wagon,
};

/// The snapshot that is there.
const KEPT: &str = "kept";

/// The data with which each case begins.
struct Scene {
    _folder: TempDir,
    data: PathBuf,
    /// The state of the snapshot, and the live one.
    saved: State,
    live: State,
}

fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut server = TestServer::start();
        let api = server.api();
        fill(&api);
        let saved = read_state(&api);
        api.create_snapshot(KEPT, &json!({}));
        api.put("secrets/later", &json!({ "value": "x" })).expect(200);
        let live = read_state(&api);
        server.terminate();
        copy_data(&server.data(), &data);
        Scene { _folder: folder, data, saved, live }
    })
}

/// What is at work when the disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Create,
    Restore,
    Reseal,
}

/// What fails: a file, or a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The archive in the making.
    Partial,
    /// The folder of archives.
    Archives,
    /// The log of the records.
    Records,
    /// The tables of the state in the making.
    Tables,
    /// The link to the live state, and the one that is to replace it.
    Link,
    /// The folder of that link.
    Manager,
}

const WRITES: &[&str] = &["write", "writev", "pwrite64"];
const READS: &[&str] = &["read", "pread64"];
const SYNCS: &[&str] = &["fsync", "fdatasync"];
const RENAMES: &[&str] = &["rename", "renameat", "renameat2", "link", "linkat"];

struct Case {
    deed: Deed,
    held: &'static str,
    calls: &'static [&'static str],
    place: Place,
    /// Which of the calls; all of them without.
    when: Option<&'static str>,
    /// Whether it is done all the same.
    is_done: bool,
}

const fn fails(deed: Deed, held: &'static str, calls: &'static [&'static str], place: Place) -> Case {
    Case { deed, held, calls, place, when: None, is_done: false }
}

const fn once(deed: Deed, held: &'static str, calls: &'static [&'static str], place: Place) -> Case {
    Case { deed, held, calls, place, when: Some("1"), is_done: false }
}

/// Several times: lines of the log are written beside what has to be.
const fn at_first(deed: Deed, held: &'static str, calls: &'static [&'static str], place: Place) -> Case {
    Case { deed, held, calls, place, when: Some("1..8"), is_done: true }
}

const CASES: &[Case] = &[
    fails(Deed::Create, "create:writing", WRITES, Place::Partial),
    fails(Deed::Create, "create:written", READS, Place::Partial),
    fails(Deed::Create, "create:publishing", SYNCS, Place::Partial),
    fails(Deed::Create, "create:publishing", RENAMES, Place::Partial),
    fails(Deed::Create, "create:publishing", SYNCS, Place::Archives),
    once(Deed::Create, "create:published", WRITES, Place::Records),
    once(Deed::Create, "create:published", SYNCS, Place::Records),
    // The snapshot is there: that its end can't be written at first changes nothing of it.
    at_first(Deed::Create, "create:recorded", SYNCS, Place::Records),
    fails(Deed::Restore, "restore:filling", WRITES, Place::Tables),
    fails(Deed::Restore, "restore:filling", SYNCS, Place::Tables),
    once(Deed::Restore, "restore:staged", WRITES, Place::Records),
    once(Deed::Restore, "restore:staged", SYNCS, Place::Records),
    fails(Deed::Restore, "restore:swapping", RENAMES, Place::Link),
    once(Deed::Restore, "restore:swapping", SYNCS, Place::Manager),
    at_first(Deed::Restore, "restore:swapped", WRITES, Place::Records),
    at_first(Deed::Restore, "restore:swapped", SYNCS, Place::Records),
    fails(Deed::Reseal, "reseal:writing", WRITES, Place::Partial),
    fails(Deed::Reseal, "reseal:verified", SYNCS, Place::Partial),
    fails(Deed::Reseal, "reseal:verified", SYNCS, Place::Archives),
];

/// A call of somebody who has an archive at hand; gives the status of the answer.
type Asking = fn(&Api, &[u8]) -> u16;

fn ask(api: &Api, deed: Deed) -> Value {
    match deed {
        Deed::Create => api.put("snapshots/new", &json!({})).expect(201),
        Deed::Restore => {
            api.post(&format!("snapshots/{KEPT}/restore"), &json!({ "force": true })).expect(200)
        }
        Deed::Reseal => api.post(&format!("/service/snapshots/{KEPT}/reseal"), &json!({})).expect(200),
    }
}

fn paths(server: &TestServer, place: Place) -> Vec<PathBuf> {
    let data = server.data();
    match place {
        Place::Partial => {
            let names = server.files_in("tmp");
            assert_eq!(names.len(), 1, "{names:?}");
            vec![data.join("tmp").join(&names[0])]
        }
        Place::Archives => vec![data.join("archives")],
        Place::Records => vec![data.join("records.db-wal")],
        Place::Tables => {
            let live = std::fs::read_link(data.join("manager/current")).unwrap();
            let names = server.files_in("manager").into_iter();
            let made = names
                .filter(|name| name.starts_with("generation-") && live.to_str() != Some(name))
                .max()
                .expect("a state in the making");
            ["manager.db", "manager.db-wal"].map(|name| data.join("manager").join(&made).join(name)).to_vec()
        }
        Place::Link => ["current", "current.new"].map(|name| data.join("manager").join(name)).to_vec(),
        Place::Manager => vec![data.join("manager")],
    }
}

#[test]
fn a_job_under_which_the_disk_fails_is_done_or_not_done() {
    for case in CASES {
        let claim = format!("{:?} at {}, {:?} of {:?}", case.deed, case.held, case.calls, case.place);
        println!("{claim}");
        let mut server = TestServer::builder().copy_of(&scene().data).holding(case.held).start();
        let api = server.api();
        let execution = ask(&api, case.deed);
        server.wait_until_held(case.held);
        let strace = Strace::inject(&server, case.calls, "EIO", case.when, &paths(&server, case.place));
        server.release();
        let ended = api.wait_for_end(&execution);
        let calls = strace.end();
        let failed: Vec<_> = calls.iter().filter(|call| call.is_injected()).collect();
        assert!(!failed.is_empty(), "{claim}: nothing failed: {calls:?}");
        if case.is_done {
            assert_eq!(ended["status"], "terminated", "{claim}: {ended:#}");
        } else {
            assert_eq!(ended["status"], "failed", "{claim}: {ended:#}");
            assert!(!ended["error"].as_str().unwrap().contains(server.data().to_str().unwrap()), "{ended:#}");
        }
        if case.place == Place::Partial && case.calls == SYNCS {
            assert_eq!(calls.len(), 1, "{claim}: a sync that failed was tried again: {calls:?}");
        }
        let log = server.log();
        assert!(
            log.contains("error 5") || log.contains("disk I/O error"),
            "{claim}: the log does not say why"
        );
        assert!(!log.contains("panicked"), "{claim}");

        let expected = match (case.deed, case.is_done) {
            (Deed::Restore, true) => &scene().saved,
            _ => &scene().live,
        };
        check_invariants(&server, &claim);
        read_state(&api).assert_is(expected, &claim);
        server.kill9();
        server.restart();
        let api = server.api();
        check_invariants(&server, &claim);
        read_state(&api).assert_is(expected, &format!("{claim}, after a restart"));
        if case.deed == Deed::Create {
            let status = if case.is_done { "created" } else { "failed" };
            assert_eq!(api.get("snapshots/new").expect(200)["status"], status, "{claim}");
            api.delete("snapshots/new").expect(200);
        }
        assert_eq!(api.wait_for_end(&ask(&api, case.deed))["status"], "terminated", "{claim}, again");
    }
}

#[test]
fn calls_under_which_the_disk_fails_say_so_and_leave_nothing() {
    let mut server = TestServer::builder().copy_of(&scene().data).start();
    let api = server.api();
    let archive = api.archive(KEPT);
    let data = server.data();
    let live = std::fs::canonicalize(data.join("manager/current")).unwrap();
    let [archives, blobs, records, tables] =
        [data.join("archives"), data.join("blobs"), data.join("records.db-wal"), live.join("manager.db-wal")];
    let upload: Asking = |api, archive| api.send_archive("new", archive).status;
    let plugin: Asking =
        |api, _| api.send(api.request(Method::POST, "plugins?title=new").body(wagon("new", "1"))).status;
    let secret: Asking = |api, _| api.put("secrets/new", &json!({ "value": "x" })).status;
    let create: Asking = |api, _| api.put("snapshots/new", &json!({})).status;
    for (what, call, calls, path) in [
        ("an upload, its folder", upload, SYNCS, &archives),
        ("an upload, its record", upload, SYNCS, &records),
        ("a plugin, its folder", plugin, SYNCS, &blobs),
        ("a plugin, its row", plugin, SYNCS, &tables),
        ("a secret", secret, SYNCS, &tables),
        ("a secret that is not written", secret, WRITES, &tables),
        ("a create", create, WRITES, &records),
    ] {
        println!("{what}");
        let api = server.api();
        let strace = Strace::inject(&server, calls, "EIO", None, std::slice::from_ref(path));
        assert_eq!(call(&api, &archive), 500, "{what}");
        // What only reads goes on.
        assert_eq!(api.get("secrets/later").expect(200)["value"], "x", "{what}");
        assert_eq!(api.get("/service/health").status, 200, "{what}");
        let calls = strace.end();
        assert!(calls.iter().any(Call::is_injected), "{what}: {calls:?}");
        read_state(&api).assert_is(&scene().live, what);
        assert_eq!(api.get("snapshots/new").status, 404, "{what}");
        check_invariants(&server, what);
        server.kill9();
        server.restart();
        let api = server.api();
        read_state(&api).assert_is(&scene().live, &format!("{what}, after a restart"));
        assert_eq!(api.get("snapshots/new").status, 404, "{what}, after a restart");
    }
    assert!(!server.log().contains("panicked"));
}

#[test]
fn an_archive_that_can_not_be_read_is_not_sent_to_its_end() {
    let server = TestServer::start();
    let api = server.api();
    let long = long_archive(40 << 20);
    api.send_archive("long", &long).expect(201);
    api.create_snapshot("short", &json!({}));
    let folder = server.data().join("archives");
    let files: Vec<PathBuf> = server.files_in("archives").iter().map(|name| folder.join(name)).collect();
    let strace = Strace::inject(&server, READS, "EIO", Some("20+"), &files);
    let mut caller =
        Connection::begin(&server, "GET", "/api/v3.1/snapshots/long/archive", &["Connection: close"]);
    let answer = caller.answer().expect("an answer");
    assert_eq!((answer.status, answer.length()), (200, Some(long.len())));
    assert!(answer.body.len() < long.len());
    drop(strace);
    let strace = Strace::inject(&server, READS, "EIO", None, &files);
    for range in ["bytes=0-", "bytes=5-9"] {
        let reply = api.send(api.request(Method::GET, "snapshots/short/archive").header("Range", range));
        reply.expect_error(500, "internal_server_error");
    }
    assert_eq!(api.wait_for_end(&ask_for("verify", &api))["status"], "failed");
    drop(strace);
    assert!(api.archive("long") == long);
    assert_eq!(api.wait_for_end(&ask_for("verify", &api))["status"], "terminated");
    assert!(!server.log().contains("panicked"));
}

fn ask_for(call: &str, api: &Api) -> Value {
    api.post(&format!("snapshots/short/{call}"), &json!({})).expect(200)
}

#[test]
fn a_start_on_a_disk_that_can_not_be_read_ends_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    copy_data(&scene().data, &data);
    for file in ["records.db", "manager/current", "keys/identity.txt"] {
        let path = std::fs::canonicalize(data.join(file)).unwrap();
        let path = if path.is_dir() { path.join("manager.db") } else { path };
        let mut command = Strace::command();
        command.args(["--follow-forks", "--trace=read,pread64", "--inject=read,pread64:error=EIO"]);
        command.arg(format!("--trace-path={}", path.display())).args(["--output", "/dev/null"]);
        command.arg(env!("CARGO_BIN_EXE_lifeboat")).args(["serve", "--listen", "127.0.0.1:0", "--data"]);
        let output = command.arg(&data).current_dir(folder.path()).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        println!("{file}: {}: {said}", output.status);
        assert!(output.status.code().is_some_and(|code| code != 0), "{file}: {}", output.status);
        assert!(said.contains("os error 5") || said.contains("disk I/O error"), "{file}: {said}");
        assert!(!said.contains("panicked"), "{file}: {said}");
    }
    // Nothing was changed by it.
    let server = TestServer::builder().copy_of(&data).start();
    read_state(&server.api()).assert_is(&scene().live, "after starts that failed");
}
