//! A create that takes long while others write: the databases' logs stay short, and the archive is that of one moment.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{
    Api, Dice, Flow, Size, TestServer, assert_hidden, check_invariants, entries, eventually, gauge, generate,
    now, read_state,
};

/// What the logs may have.
const LIMIT_BYTES: u64 = 4 << 20;
/// How much longer they may be while nobody reads: what is written until it is written back.
const SLACK_BYTES: u64 = 24 << 20;
/// Steps of the long flow, whose values alone are more than may wait in memory.
const STEPS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
/// Almost the longest value of a step.
const VALUE_BYTES: usize = 1_000_000;
const SECRET: &str = "canary-of-a-long-secret";

const SETTINGS: &str = "[flows]\nmax_snapshot_bytes = 1048576\nhistory_entries = 3";

fn limited() -> String {
    format!("[manager]\nwal_limit_bytes = {LIMIT_BYTES}")
}

fn options() -> Value {
    json!({ "include_metrics": true, "include_credentials": true, "include_flow_history": true })
}

/// A JSON text of some length that is no other one, and hardly shorter when compressed.
fn value(dice: &mut Dice) -> String {
    let mut text = String::with_capacity(VALUE_BYTES + 32);
    text.push('"');
    while text.len() < VALUE_BYTES {
        text.push_str(&format!("{:016x}", dice.number()));
    }
    text.push('"');
    text
}

/// How long the logs of the manager's databases are together.
fn log_bytes(server: &TestServer) -> u64 {
    let generation = server.data().join("manager/current");
    let length = |name: &str| fs::metadata(generation.join(name)).map_or(0, |found| found.len());
    length("manager.db-wal") + length("metrics.db-wal")
}

/// A server with more state than a create holds in memory; its flow, and its data after it was ended.
fn long_state() -> (TestServer, Flow) {
    let server = TestServer::builder().settings(SETTINGS).start();
    let api = server.api();
    generate(&api, 5, Size::Small);
    let flow = Flow::create(&api, "Long", &STEPS);
    let mut dice = Dice::new(5);
    for step in STEPS {
        flow.emit(step, &value(&mut dice)).expect(200);
    }
    for number in 0..8 {
        let secret = format!("{SECRET}-{number}-").repeat(8000);
        api.put(&format!("secrets/long-{number}"), &json!({ "value": secret })).expect(200);
    }
    (server, flow)
}

/// Somebody who writes while a create is slow.
struct Writer<'a> {
    server: &'a TestServer,
    flow: Flow,
    dice: Dice,
    number: usize,
}

impl<'a> Writer<'a> {
    fn new(server: &'a TestServer, flow: &Flow) -> Self {
        Self { server, flow: flow.by(&server.api()), dice: Dice::new(1000), number: 0 }
    }

    /// Writes some five times the length of a value into a log, and now and then into others; answers how long the logs are.
    fn write(&mut self) -> u64 {
        let number = self.number;
        self.number += 1;
        self.flow.emit(STEPS[number % STEPS.len()], &value(&mut self.dice)).expect(200);
        if number.is_multiple_of(10) {
            let api = &self.flow.api;
            api.put(&format!("secrets/later-{number}"), &json!({ "value": "x" })).expect(200);
            gauge(api, "later", None, &[(now(), 1.0)]);
        }
        log_bytes(self.server)
    }

    /// Writes until an execution has read what was left at once, and has let the logs be shortened; then much more than
    /// they may have.
    fn write_past_the_limit(&mut self, execution: &Value) {
        let mut longest = 0;
        while !has_spooled(&self.flow.api, execution) {
            longest = longest.max(self.write());
            assert!(self.number < 300, "the logs have {longest} bytes, and nothing went through a spool");
        }
        println!("the logs had {longest} bytes until what was left was read");
        assert!(longest > LIMIT_BYTES, "it read what was left before the logs were too long");
        let longest = (0..60).map(|_| self.write()).max().unwrap();
        assert!(longest < LIMIT_BYTES + SLACK_BYTES, "the logs had {longest} bytes, although all was read");
    }
}

/// Asks for a snapshot and waits until its moment was taken.
fn begin(server: &TestServer, api: &Api, id: &str) -> Value {
    let execution = api.put(&format!("snapshots/{id}"), &options()).expect(201);
    eventually("the cut is made", 60, || {
        server.files_in("tmp").iter().any(|name| name.ends_with(".partial")).then_some(())
    });
    execution
}

/// Whether an execution has told that it spooled.
fn has_spooled(api: &Api, execution: &Value) -> bool {
    let path = format!("events?execution_id={}&_size=1000", execution["id"].as_str().unwrap());
    api.get(&path).text().contains("went through a spool")
}

/// What of an archive depends on its moment, and not on when or for whom it was written.
fn contents(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    // Users are told with the times of their logins.
    let own = ["metadata.json", "lifeboat/manager.json", "report.json", "mgmt/00000002.json"];
    let is_own = |name: &str| own.contains(&name) || name.starts_with("manifest");
    let sealed = |name: &str, content: Vec<u8>| if name.ends_with(".age") { Vec::new() } else { content };
    let found = entries(archive).into_iter().filter(|entry| !is_own(&entry.name));
    found.map(|entry| (entry.name.clone(), sealed(&entry.name, entry.content))).collect()
}

#[test]
fn logs_stay_short_while_a_create_is_slow_and_its_archive_is_of_its_moment() {
    let (mut plain, flow) = long_state();
    let api = plain.api();
    api.create_snapshot("plain", &options());
    let wanted = contents(&api.archive("plain"));
    let saved = read_state(&api);
    plain.terminate();

    let server = TestServer::builder()
        .copy_of(&plain.data())
        .settings(SETTINGS)
        .settings(&limited())
        .holding("collect:writing")
        .start();
    let api = server.api();

    // One that is cancelled leaves nothing.
    let cancelled = begin(&server, &api, "cancelled");
    Writer::new(&server, &flow).write_past_the_limit(&cancelled);
    let path = format!("executions/{}", cancelled["id"].as_str().unwrap());
    api.post(&path, &json!({ "action": "cancel" })).expect(200);
    assert_eq!(api.wait_for_end(&cancelled)["status"], "cancelled");
    server.leaves_nothing_in_tmp();
    drop(server);

    let server = TestServer::builder()
        .copy_of(&plain.data())
        .settings(SETTINGS)
        .settings(&limited())
        .holding("collect:writing")
        .start();
    let api = server.api();
    let execution = begin(&server, &api, "spooled");
    Writer::new(&server, &flow).write_past_the_limit(&execution);
    // All was read, and nothing is written yet.
    api.wait_for_status(&execution, "started");
    server.release();
    assert_eq!(api.wait_for_end(&execution)["status"], "terminated");
    let archive = api.archive("spooled");
    assert_hidden(&archive, SECRET);
    let found = contents(&archive);
    let names =
        |contents: &[(String, Vec<u8>)]| contents.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&found), names(&wanted));
    for ((name, found), (_, wanted)) in found.iter().zip(&wanted) {
        assert!(found == wanted, "`{name}` is not what it was at the cut");
    }
    check_invariants(&server, "after a spool");

    let restored = api.restore_snapshot("spooled", &json!({ "force": true }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    read_state(&api).assert_is(&saved, "restored from an archive that went through a spool");
}
