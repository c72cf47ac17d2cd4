//! Schedules fire: each occurrence once, across a restart, a restore and a rollback.
//!
//! The server's clock is a file of the test's, so that nobody waits for a time to come.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Api, FERRY, TestServer, deploy, eventually, upload_text};

const DEPLOYMENT: &str = "ferry";

/// A server whose clock the test sets.
struct Timed {
    server: TestServer,
    clock: PathBuf,
    _folder: tempfile::TempDir,
}

impl Timed {
    fn start(now: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = folder.path().join("clock");
        fs::write(&clock, now).unwrap();
        let server =
            TestServer::builder().environment("LIFEBOAT_CLOCK_FILE", clock.to_str().unwrap()).start();
        upload_text(&server.api(), "ferry", FERRY);
        deploy(&server.api(), "ferry", DEPLOYMENT);
        Self { server, clock, _folder: folder }
    }

    fn api(&self) -> Api {
        self.server.api()
    }

    /// Whole or not at all, as the server may be reading.
    fn set(&self, now: &str) {
        let fresh = self.clock.with_extension("new");
        fs::write(&fresh, now).unwrap();
        fs::rename(fresh, &self.clock).unwrap();
    }

    fn create(&self, id: &str, since: &str, more: Value) -> Value {
        let mut body = json!({ "workflow_id": "install", "since": since, "count": 1, "slip": 60 });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.api().put(&path(id), &body).expect(201)
    }

    /// Lets the server look at all schedules at least once from now on: one that has come due is started.
    fn has_looked(&self, marker: &str, due: &str) {
        self.create(marker, due, json!({ "execution_arguments": { "force": true } }));
        self.set(&format!("{due}.500Z"));
        eventually("the server looks at the schedules", 30, || {
            let latest = self.api().get(&path(marker)).expect(200)["latest_execution"].clone();
            let execution = latest.as_str()?.to_owned();
            self.api().wait_for_end(&json!({ "id": execution }));
            Some(())
        });
    }
}

fn path(id: &str) -> String {
    format!("execution-schedules/{id}?deployment_id={DEPLOYMENT}")
}

/// How often the schedule has started its workflow in the state that is live: markers are forced, it is not.
fn starts(api: &Api, schedule: &str) -> usize {
    let latest = api.get(&path(schedule)).expect(200)["latest_execution"].clone();
    let executions = api.get(&format!("executions?workflow_id=install&deployment_id={DEPLOYMENT}")).items();
    executions.iter().filter(|execution| execution["id"] == latest).count()
}

fn installs(api: &Api) -> usize {
    api.get(&format!("executions?workflow_id=install&deployment_id={DEPLOYMENT}")).items().len()
}

#[test]
fn an_occurrence_starts_its_execution_once_across_a_restart() {
    let mut timed = Timed::start("2030-01-01T00:00:00Z");
    let schedule = timed.create("nightly", "2030-01-01T10:00:00", json!({}));
    assert_eq!(schedule["next_occurrence"], "2030-01-01T10:00:00.000Z");
    assert_eq!(schedule["all_next_occurrences"], json!(["2030-01-01 10:00:00"]));
    timed.set("2030-01-01T10:00:00Z");
    let fired = eventually("the schedule starts its execution", 30, || {
        let schedule = timed.api().get(&path("nightly")).expect(200);
        schedule["latest_execution"].is_string().then_some(schedule)
    });
    assert_eq!(fired["next_occurrence"], Value::Null);
    let execution = timed.api().wait_for_end(&json!({ "id": fired["latest_execution"] }));
    assert_eq!((&execution["status"], &execution["created_by"]), (&json!("terminated"), &json!("admin")));
    timed.server.kill9();
    timed.server.restart();
    timed.has_looked("marker", "2030-01-01T10:00:30");
    assert_eq!(installs(&timed.api()), 2, "the one of the schedule and that of the marker");
}

#[test]
fn an_occurrence_that_was_missed_while_the_server_was_down_starts_within_its_slip() {
    let mut timed = Timed::start("2030-01-01T00:00:00Z");
    timed.create("late", "2030-01-01T10:00:00", json!({ "slip": 60 }));
    timed.create("too-late", "2030-01-01T10:00:00", json!({ "slip": 5 }));
    timed.server.terminate();
    timed.set("2030-01-01T10:40:00Z");
    timed.server.restart();
    timed.has_looked("marker", "2030-01-01T10:41:00");
    assert_eq!((starts(&timed.api(), "late"), starts(&timed.api(), "too-late")), (1, 0));
    assert_eq!(timed.api().get(&path("too-late")).expect(200)["next_occurrence"], Value::Null);
}

#[test]
fn a_clock_that_was_ahead_keeps_no_schedule_from_its_time_when_it_is_put_right() {
    for is_down in [false, true] {
        let mut timed = Timed::start("2030-01-01T00:00:00Z");
        timed.create("once", "2030-01-01T10:00:00", json!({}));
        timed.create("daily", "2030-01-01T10:00:00", json!({ "recurrence": "1 day", "count": null }));
        // This one starts while the clock is a year ahead.
        timed.create("hourly", "2030-01-01T10:00:00", json!({ "recurrence": "1 hour", "count": null }));
        timed.set("2031-01-01T00:00:00Z");
        timed.has_looked("far", "2031-01-01T00:01:00");
        timed.set("2031-01-01T01:00:00Z");
        eventually("an occurrence of the wrong year starts", 30, || {
            (starts(&timed.api(), "hourly") == 1).then_some(())
        });
        assert_eq!(timed.api().get(&path("once")).expect(200)["next_occurrence"], Value::Null);
        assert_eq!(
            timed.api().get(&path("daily")).expect(200)["next_occurrence"],
            "2031-01-01T10:00:00.000Z"
        );

        if is_down {
            timed.server.terminate();
        }
        timed.set("2030-01-01T00:00:00Z");
        if is_down {
            timed.server.restart();
        }
        timed.has_looked("near", "2030-01-01T00:01:00");
        for schedule in ["once", "daily", "hourly"] {
            let schedule = timed.api().get(&path(schedule)).expect(200);
            assert_eq!(schedule["next_occurrence"], "2030-01-01T10:00:00.000Z", "{schedule:#}");
        }
        let before = installs(&timed.api());
        timed.set("2030-01-01T10:00:00Z");
        eventually("all of them start", 60, || (installs(&timed.api()) == before + 3).then_some(()));

        // Put right by a little, the clock comes to a time that has been: what has happened does not happen again.
        timed.set("2030-01-01T09:00:00Z");
        timed.has_looked("again", "2030-01-01T10:00:30");
        assert_eq!(installs(&timed.api()), before + 4, "that of the marker");
    }
}

#[test]
fn an_occurrence_that_falls_into_maintenance_starts_after_it_within_its_slip() {
    let mut timed = Timed::start("2030-01-01T00:00:00Z");
    timed.create("late", "2030-01-01T10:00:00", json!({ "slip": 60 }));
    timed.create("too-late", "2030-01-01T10:00:00", json!({ "slip": 5 }));
    timed.create(
        "daily",
        "2030-01-01T10:00:00",
        json!({ "recurrence": "1 day", "count": null, "slip": 60,
        "execution_arguments": { "force": true } }),
    );
    timed.api().post("maintenance/activate", &json!({})).expect(200);
    eventually("maintenance begins", 20, || {
        (timed.api().get("maintenance").expect(200)["status"] == "activated").then_some(())
    });
    let is_seen = |timed: &Timed| {
        eventually("the server sees that schedules have come due", 30, || {
            timed.server.log().contains("schedules have come due, and wait").then_some(())
        });
    };
    timed.set("2030-01-01T10:00:00Z");
    is_seen(&timed);
    assert_eq!(installs(&timed.api()), 0, "nothing starts in maintenance");
    // Maintenance outlives a restart, and so does what waits for its end.
    timed.server.restart();
    timed.set("2030-01-01T10:40:00Z");
    is_seen(&timed);
    assert_eq!(installs(&timed.api()), 0, "nothing starts in maintenance");
    timed.api().post("maintenance/deactivate", &json!({})).expect(200);
    timed.has_looked("marker", "2030-01-01T10:41:00");
    let api = timed.api();
    let started = ["late", "too-late", "daily"].map(|schedule| starts(&api, schedule));
    assert_eq!(started, [1, 0, 1]);
    assert_eq!(installs(&api), 3, "one of each that was not too late, and that of the marker");
    assert_eq!(api.get(&path("too-late")).expect(200)["next_occurrence"], Value::Null);
    assert_eq!(api.get(&path("daily")).expect(200)["next_occurrence"], "2030-01-02T10:00:00.000Z");
}

#[test]
fn an_occurrence_starts_its_execution_once_across_a_restore_and_a_rollback() {
    let timed = Timed::start("2030-01-01T00:00:00Z");
    let api = timed.api();
    timed.create("nightly", "2030-01-01T10:00:00", json!({ "recurrence": "1 day", "count": null }));
    api.create_snapshot("before", &json!({}));
    timed.set("2030-01-01T10:00:00Z");
    eventually("the schedule starts its execution", 30, || (starts(&api, "nightly") == 1).then_some(()));
    let first = api.get(&path("nightly")).expect(200)["latest_execution"].clone();
    api.wait_for_end(&json!({ "id": first }));

    // The restored state is of before the occurrence, which has happened all the same.
    let restored = api.restore_snapshot("before", &json!({ "force": true }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    timed.has_looked("marker", "2030-01-01T10:00:30");
    let nightly = api.get(&path("nightly")).expect(200);
    assert_eq!(nightly["latest_execution"], Value::Null, "{nightly:#}");
    assert_eq!(nightly["next_occurrence"], "2030-01-02T10:00:00.000Z");
    // The next one is started from the restored state …
    timed.set("2030-01-02T10:00:00Z");
    eventually("the restored schedule goes on", 30, || (starts(&api, "nightly") == 1).then_some(()));
    api.wait_for_end(&json!({ "id": api.get(&path("nightly")).expect(200)["latest_execution"] }));

    // … and not again from the one that a rollback brings back.
    let rollback = api.post("/service/rollback", &json!({})).json();
    assert_eq!(api.wait_for_end(&rollback)["status"], "terminated");
    assert_eq!(api.get(&path("nightly")).expect(200)["latest_execution"], first);
    timed.has_looked("marker", "2030-01-02T10:00:30");
    let nightly = api.get(&path("nightly")).expect(200);
    assert_eq!(
        (&nightly["latest_execution"], &nightly["next_occurrence"]),
        (&first, &json!("2030-01-03T10:00:00.000Z"))
    );
}
