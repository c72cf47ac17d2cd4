//! The clock of the service jumps while it runs, by a year ahead and by a day back: nothing hangs or is refused for it,
//! nothing is lost, and what is told of times that went backwards makes sense.

use serde_json::{Value, json};

use crate::harness::{
    Api, FERRY, Flow, State, TestServer, all_executions, check_invariants, deploy, fill, gauge, now,
    read_state, series, upload_text,
};

const A_YEAR_AHEAD: &str = "+365d";
const A_DAY_BACK: &str = "-1d";

const MEASURED: [(i64, f64); 3] = [(-1800, 1.0), (-900, 2.0), (-1, 3.0)];

fn restore(api: &Api, snapshot: &str) {
    let options = json!({ "force": true, "recreate_deployments_envs": false });
    let ended = api.restore_snapshot(snapshot, &options);
    assert_eq!(ended["status"], "terminated", "{ended:#}");
}

fn roll_back(api: &Api) {
    let ended = api.wait_for_end(&api.post("/service/rollback", &json!({})).expect(200));
    assert_eq!(ended["status"], "terminated", "{ended:#}");
}

fn ids(api: &Api, path: &str) -> Vec<String> {
    let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
    api.get(path).items().iter().map(id).collect()
}

/// What the plan of a restore says of how long it will take is no less than nothing.
fn plan_makes_sense(api: &Api, snapshot: &str) {
    let planned = api.wait_for_end(&api.post(&format!("snapshots/{snapshot}/plan"), &json!({})).expect(201));
    assert_eq!(planned["status"], "terminated", "{planned:#}");
    let seconds = planned["report"]["duration"]["seconds"].as_f64();
    assert!(seconds.is_none_or(|seconds| (0.0..600.0).contains(&seconds)), "{planned:#}");
}

/// Measurements and annotations of the service itself, of which none took less than no time.
fn marks_make_sense(api: &Api) {
    let marks = api.get("/v1/annotations/manager.jobs").expect(200);
    for event in marks["events"][0]["unassigned"].as_array().unwrap() {
        assert!(event["end_time"].as_i64() >= event["start_time"].as_i64(), "{event:#}");
    }
}

#[test]
fn a_clock_that_jumps_refuses_nothing_and_takes_nothing_away() {
    let mut server = TestServer::builder().own_clock().start();
    let api = server.api();
    fill(&api);
    upload_text(&api, "ferry", FERRY);
    deploy(&api, "ferry", "ferry");
    let schedule =
        json!({ "workflow_id": "install", "since": "2020-01-01T10:00:00", "recurrence": "1 day", "slip": 1 });
    api.put("execution-schedules/daily?deployment_id=ferry", &schedule).expect(201);
    let flow = Flow::create(&api, "lamps", &["lamp"]);
    let points = MEASURED.map(|(ago, value)| (now() + ago, value));
    gauge(&api, "lamps.lit", None, &points);
    let token = |expires: Value| {
        let made = api.post("tokens", &json!({ "description": "x", "expiration_date": expires })).expect(200);
        Api::new(server.port()).token(made["value"].as_str().unwrap())
    };
    let (short, long) = (token(json!("+10h")), token(json!("+800d")));
    let mut made = Vec::new();

    for (number, off) in ["+0", A_YEAR_AHEAD, A_DAY_BACK, "+0"].into_iter().enumerate() {
        println!("the clock is off by {off}");
        server.set_clock(off);
        // Logins go on, and end when their time has come.
        long.get("snapshots").expect(200);
        let expected = if off == A_YEAR_AHEAD { 401 } else { 200 };
        assert_eq!(short.get("snapshots").status, expected, "{off}");

        let snapshot = format!("snapshot-{number}");
        api.put(&format!("secrets/of-{number}"), &json!({ "value": "x" })).expect(200);
        flow.emit("lamp", &number.to_string()).expect_status(200);
        gauge(&api, "lamps.changed", None, &[(now() - 5, 1.0)]);
        let before = read_state(&api);
        api.create_snapshot(&snapshot, &json!({ "include_metrics": true }));
        if number == 0 {
            api.post("snapshots/snapshot-0/protect", &json!({})).expect(200);
        }
        made.push(snapshot);
        api.delete("snapshots/snapshot-0").expect_error(400, "snapshot_action_error");
        // What is live goes away, and comes back.
        restore(&api, "snapshot-0");
        roll_back(&api);
        assert_is_but_schedules(&api, &before, off);
        assert_eq!(flow.value("lamp"), Some(number.to_string()));
        marks_make_sense(&api);
        check_invariants(&server, off);

        // Lists go by the time that was written, and hold each once.
        for path in ["snapshots", "snapshots?_sort=-created_at", "snapshots?_size=1000"] {
            let mut listed = ids(&api, path);
            listed.sort();
            assert_eq!(listed, made, "{off}: {path}");
        }
        for snapshot in &made {
            let verified =
                api.wait_for_end(&api.post(&format!("snapshots/{snapshot}/verify"), &json!({})).expect(200));
            assert_eq!(verified["status"], "terminated", "{verified:#}");
        }
        let schedule = api.get("execution-schedules/daily?deployment_id=ferry").expect(200);
        println!("{schedule:#}");
    }
    let kept = series(&api, "lamps.lit", points[0].0, now() + 60, 1);
    println!("{kept:#}");
    // A start in another time than the last stop was.
    server.set_clock(A_YEAR_AHEAD);
    server.restart();
    server.set_clock(A_DAY_BACK);
    server.restart();
    let api = server.api();
    let mut listed = ids(&api, "snapshots");
    listed.sort();
    assert_eq!(listed, made);
    restore(&api, "snapshot-1");
    check_invariants(&server, "after starts");
    assert!(all_executions(&api).iter().all(|execution| execution["status"] == "terminated"));
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains(" ERROR "), "{log}");
}

/// Schedules look ahead from the time that is now.
fn assert_is_but_schedules(api: &Api, expected: &State, claim: &str) {
    let without = |state: &State| state.without(&["/execution-schedules"]);
    without(&read_state(api)).assert_is(&without(expected), claim);
}

#[test]
fn a_job_in_whose_midst_the_clock_jumps_ends_as_any_other() {
    for (held, off) in [
        ("create:collecting", A_YEAR_AHEAD),
        ("create:written", A_DAY_BACK),
        ("restore:filling", A_DAY_BACK),
        ("restore:swapping", A_YEAR_AHEAD),
        ("restore:swapping", A_DAY_BACK),
    ] {
        println!("{held}: {off}");
        let server = TestServer::builder().own_clock().holding(held).released().start();
        let api = server.api();
        fill(&api);
        api.create_snapshot("first", &json!({}));
        let saved = read_state(&api);
        api.put("secrets/later", &json!({ "value": "x" })).expect(200);
        server.hold();
        let begun = match held.starts_with("restore") {
            true => api.post("snapshots/first/restore", &json!({ "force": true })).expect(200),
            false => api.put("snapshots/new", &json!({})).expect(201),
        };
        server.wait_until_held(held);
        server.set_clock(off);
        server.release();
        let ended = api.wait_for_end(&begun);
        assert_eq!(ended["status"], "terminated", "{held}, {off}: {ended:#}");
        restore(&api, "first");
        read_state(&api).assert_is(&saved, held);
        check_invariants(&server, held);
        marks_make_sense(&api);
        plan_makes_sense(&api, "first");
        assert!(!server.log().contains("panicked"));
    }
}
