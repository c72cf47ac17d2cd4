//! Callers who are slow on purpose: they send a byte now and then, or take little or nothing of what they asked for.
//! Everybody else is served meanwhile, memory stays bounded, and a stop ends in its time.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Api, Connection, NameServer, TestServer, eventually, fill, long_archive};

/// More than there are threads for blocking work in all workers together.
const DRIPPING: usize = 600;
/// So long that the buffers between two processes hold a small part of it only.
const LONG_BYTES: usize = 96 << 20;
/// How much more memory than before the service may use, whatever slow callers do.
const MORE_BYTES: u64 = 128 << 20;

/// What somebody else does meanwhile, with a login that has to be checked.
fn others_are_served(server: &TestServer, name: &str, archive: &[u8]) {
    let begun = Instant::now();
    let admin = server.api();
    admin
        .put("users", &json!({ "username": name, "password": "password-123", "role": "sys_admin" }))
        .expect(201);
    let other = Api::new(server.port()).login(name, "password-123");
    other.get("snapshots").expect(200);
    other.create_snapshot(&format!("made-{name}"), &json!({}));
    other.send_archive(&format!("sent-{name}"), archive).expect(201);
    assert!(other.archive(&format!("sent-{name}")) == archive);
    other.delete(&format!("snapshots/sent-{name}")).expect(200);
    assert!(begun.elapsed() < Duration::from_secs(60), "{name} waited for {:?}", begun.elapsed());
}

/// Asks the server to end, which takes no longer because of who is still connected than the settings say.
fn ends_in_time(server: &mut TestServer) {
    let begun = Instant::now();
    server.terminate();
    assert!(begun.elapsed() < Duration::from_secs(20), "it ended after {:?}", begun.elapsed());
}

fn server(settings: &str) -> (TestServer, Vec<u8>) {
    let server =
        TestServer::builder().settings(&format!("[server]\nshutdown_seconds = 2\n{settings}")).start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let archive = api.archive("nightly");
    (server, archive)
}

#[test]
fn callers_who_drip_hold_up_nobody_and_are_given_up_where_a_head_does_not_come() {
    let (mut server, archive) = server("idle_seconds = 5");
    let before = server.memory_bytes();
    let mut heads: Vec<Connection> = (0..50).map(|_| Connection::open(&server)).collect();
    let begun = Instant::now();
    let mut bodies: Vec<Connection> = (0..DRIPPING)
        .map(|number| {
            let target = format!("/api/v3.1/snapshots/slow-{number}/archive");
            let mut caller = Connection::begin(&server, "PUT", &target, &["Content-Length: 1000000"]);
            assert!(caller.send(&archive[..1]));
            caller
        })
        .collect();
    let api = server.api();
    let uploading = || api.get("snapshots?status=uploading&_size=1000").items().len();
    eventually("all uploads have begun", 60, || (uploading() == DRIPPING).then_some(()));

    // A byte of each now and then, for longer than any of them could be silent, or a head may take to come.
    let mut sent = 1;
    while begun.elapsed() < Duration::from_secs(35) {
        for caller in &mut bodies {
            assert!(caller.send(&archive[sent..=sent]));
        }
        for caller in &mut heads {
            caller.send(b"G");
        }
        if sent == 3 {
            others_are_served(&server, "anna", &archive);
        }
        sent += 1;
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(uploading(), DRIPPING, "who goes on sending is not given up");
    for caller in &mut heads {
        assert_eq!(caller.answer().map(|answer| answer.status), Some(408));
    }
    let more = server.memory_bytes().saturating_sub(before);
    println!("{} KiB more with {DRIPPING} uploads", more >> 10);
    assert!(more < MORE_BYTES, "{more} bytes");

    // Who has sent all at last is answered.
    let mut last = bodies.pop().unwrap();
    assert!(last.send(&vec![0; 1_000_000 - sent]));
    assert_eq!(last.answer().unwrap().status, 400);
    others_are_served(&server, "berta", &archive);
    ends_in_time(&mut server);
    server.restart();
    let api = server.api();
    assert_eq!(api.get("snapshots?status=uploading").items().len(), 0);
    assert_eq!(server.files_in("tmp"), Vec::<String>::new());
    assert!(!server.log().contains("panicked"));
}

#[test]
fn a_reader_who_stands_still_is_given_up_and_holds_nothing() {
    let (mut server, archive) = server("idle_seconds = 2");
    let api = server.api();
    api.send_archive("long", &long_archive(LONG_BYTES)).expect(201);
    others_are_served(&server, "anna", &archive);
    let before = server.memory_bytes();
    let ask = |server: &TestServer| -> Vec<Connection> {
        (0..100)
            .map(|_| {
                let mut caller = Connection::begin(server, "GET", "/api/v3.1/snapshots/long/archive", &[]);
                assert!(caller.read(16 << 10).starts_with(b"HTTP/1.1 200 "));
                caller
            })
            .collect()
    };
    let callers = ask(&server);
    others_are_served(&server, "berta", &archive);
    let more = server.memory_bytes().saturating_sub(before);
    println!("{} KiB more with {} readers", more >> 10, callers.len());
    assert!(more < MORE_BYTES, "{more} bytes");
    // What they read is theirs as long as they read it; its name is free at once.
    api.delete("snapshots/long").expect(200);
    eventually("all of them are given up", 60, || (server.open_archives() == 0).then_some(()));
    for mut caller in callers {
        let rest = caller.answer_after(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()).unwrap();
        assert!(rest.body.len() < LONG_BYTES, "nobody takes a part for the whole: {}", rest.body.len());
    }

    api.send_archive("long", &long_archive(LONG_BYTES)).expect(201);
    let callers = ask(&server);
    ends_in_time(&mut server);
    drop(callers);
}

#[test]
fn a_reader_who_is_slow_and_goes_on_gets_the_whole() {
    let (server, _) = server("idle_seconds = 1");
    let api = server.api();
    let long = long_archive(LONG_BYTES);
    api.send_archive("long", &long).expect(201);
    let begun = Instant::now();
    let mut caller = Connection::begin(&server, "GET", "/api/v3.1/snapshots/long/archive", &[]);
    // Between two pieces somebody else is served.
    let mut came = Vec::new();
    while begun.elapsed() < Duration::from_secs(4) {
        came.extend(caller.read(4 << 10));
        api.get("snapshots?_size=1").expect(200);
    }
    println!("{} KiB came in that time", came.len() >> 10);
    assert!(came.len() < LONG_BYTES / 2 + (16 << 20), "it was not slow");
    assert!(caller.answer_after(came).unwrap().body == long);
}

#[test]
fn name_servers_that_are_silent_hold_up_nobody() {
    const NAME: &str = "files.silent.test";
    let names = NameServer::start();
    names.silence(NAME);
    let settings = "[url_fetch]\nconnect_seconds = 20";
    let server = TestServer::builder().settings(settings).asking(&names).start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let archive = api.archive("nightly");
    let mut callers: Vec<Connection> = (0..DRIPPING)
        .map(|number| {
            let target =
                format!("/api/v3.1/snapshots/slow-{number}/archive?snapshot_archive_url=http://{NAME}/a.zip");
            Connection::begin(&server, "PUT", &target, &["Content-Length: 0"])
        })
        .collect();
    let uploading = || api.get("snapshots?status=uploading&_size=1000").items().len();
    eventually("all fetches have begun", 60, || (uploading() == DRIPPING).then_some(()));
    let begun = Instant::now();
    others_are_served(&server, "anna", &archive);
    // A name server is waited for during 30 s.
    assert!(begun.elapsed() < Duration::from_secs(15), "they waited for {:?}", begun.elapsed());
    for caller in &mut callers {
        let answer = caller.answer().unwrap();
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    assert_eq!(uploading(), 0);
}

#[test]
fn connections_that_nobody_uses_leave_files_for_the_work() {
    const DESCRIPTORS: usize = 300;
    let server = TestServer::builder().few_descriptors(DESCRIPTORS as u64).start();
    let api = server.api();
    fill(&api);
    let mut admin = Connection::begin(&server, "PUT", "/api/v3.1/snapshots/nightly", &["Content-Length: 2"]);
    // Nobody logs in, and nobody waits for the beginning of a head that comes after an answer.
    let mut idle: Vec<Connection> = (0..2 * DESCRIPTORS).map(|_| Connection::open(&server)).collect();
    for caller in &mut idle {
        caller.send(b"GET /service/health HTTP/1.1\r\nHost: x\r\n\r\nG");
    }
    let open = || fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    eventually("it takes no more of them", 60, || {
        let before = open();
        std::thread::sleep(Duration::from_secs(1));
        (before > DESCRIPTORS / 3 && open() == before).then_some(())
    });
    assert!(admin.send(b"{}"));
    assert_eq!(admin.answer().unwrap().status, 201);
    eventually("the archive is there", 60, || (server.files_in("archives").len() == 1).then_some(()));
    drop(idle);
    eventually("the snapshot is made", 60, || {
        (api.get("snapshots/nightly").expect(200)["status"] == "created").then_some(())
    });
    let archive = api.archive("nightly");
    others_are_served(&server, "anna", &archive);
    assert!(!server.log().contains("Too many open files"), "{}", server.log());
}
