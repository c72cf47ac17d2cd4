//! A server that dies or is stopped while pictures are drawn: after the restart each is drawn.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, ChartSnapshot, TestServer, create_chart, create_space, gauge, now, series, slope};

/// A chart of a metric that has values.
fn tide(api: &Api) -> i64 {
    gauge(api, "tide", None, &slope(now(), 60));
    let space = create_space(api, "Harbour");
    create_chart(api, space, &json!({ "name": "Tide", "streams": [{ "metric": "tide" }] }))
}

/// The same chart snapshots on the server as it came up again.
fn after_restart(made: &[ChartSnapshot], server: &TestServer) -> Vec<ChartSnapshot> {
    made.iter().map(|snapshot| ChartSnapshot { api: server.api(), ..snapshot.clone() }).collect()
}

#[test]
fn what_was_being_drawn_when_the_server_died_is_drawn_after_the_restart() {
    for failpoint in ["execution:claimed", "render:drawing", "render:keeping", "render:kept"] {
        let mut server = TestServer::builder().failpoint(&format!("{failpoint}=kill")).start();
        let api = server.api();
        let chart = tide(&api);
        // It may be dead before it has answered, and the later ones find nobody.
        let body = json!({ "subject": { "chart": { "id": chart } } });
        for _ in 0..3 {
            let _ = api.request(Method::POST, "/v1/snapshots").json(&body).send();
        }
        server.wait_until_killed();
        server.restart();

        let api = server.api();
        let list = api.get("/v1/snapshots").expect(200);
        let snapshots = list["snapshots"].as_array().unwrap();
        assert!(!snapshots.is_empty(), "{failpoint}: a snapshot is recorded before it is drawn");
        for document in snapshots {
            let snapshot = ChartSnapshot::read(&api, document);
            assert_eq!(snapshot.wait_for_end(), "complete", "{failpoint}: {:#}", snapshot.get_job());
            snapshot.picture().expect_not_empty();
        }
        // Numbers go on, and the next is drawn.
        let next = ChartSnapshot::of(&api, chart);
        assert!(next.number > ChartSnapshot::read(&api, &snapshots[0]).number);
        next.picture().expect_not_empty();
    }
}

#[test]
fn what_was_drawn_and_what_waited_for_a_place_is_drawn_after_a_kill_or_a_stop() {
    for is_killed in [true, false] {
        let mut server = TestServer::builder()
            .settings("[server]\nshutdown_seconds = 1")
            .holding("render:drawing")
            .start();
        let api = server.api();
        let chart = tide(&api);
        let made: Vec<_> = (0..8).map(|_| ChartSnapshot::of(&api, chart)).collect();
        made[0].wait_for("working");
        assert_eq!(made[7].get_job()["state"], "queued", "more than can be drawn at once");
        match is_killed {
            true => server.kill9(),
            false => server.terminate(),
        }
        server.release();
        server.restart();
        for snapshot in after_restart(&made, &server) {
            let state = snapshot.wait_for_end();
            assert_eq!(state, "complete", "killed: {is_killed}: {:#}", snapshot.get_job());
            snapshot.picture().expect_not_empty();
        }
    }
}

#[test]
fn what_was_asked_to_stop_is_not_drawn_after_a_kill() {
    let mut server = TestServer::builder().blocking("render:drawing", None).start();
    let made = [ChartSnapshot::of(&server.api(), tide(&server.api()))];
    server.wait_until_held("render:drawing");
    made[0].cancel().expect_status(204);
    server.kill9();
    server.release();
    server.restart();
    let [snapshot] = &after_restart(&made, &server)[..] else { unreachable!("one was asked for") };
    assert_eq!(snapshot.wait_for_end(), "failed");
    assert_eq!(snapshot.get()["image_href"], Value::Null);
}

#[test]
fn measurements_and_pictures_survive_a_stop_and_a_kill() {
    let mut server = TestServer::start();
    let api = server.api();
    let end = now();
    gauge(&api, "tide", Some("pier"), &slope(end, 60));
    let space = create_space(&api, "Harbour");
    let chart = create_chart(&api, space, &json!({ "name": "Tide", "streams": [{ "metric": "tide" }] }));
    let snapshot = ChartSnapshot::of(&api, chart);
    let png = snapshot.png();
    let read = |server: &TestServer| series(&server.api(), "tide", end - 7200, end, 1);
    let measured = read(&server);
    assert_eq!(measured.as_object().unwrap().len(), 1, "{measured:#}");

    server.terminate();
    server.restart();
    assert_eq!(read(&server), measured);
    // What was answered is durable: the last thing that is written is there after a kill.
    gauge(&server.api(), "tide", Some("pier"), &[(end, 99.0)]);
    let measured = read(&server);
    server.kill9();
    server.restart();
    assert_eq!(read(&server), measured);
    let snapshot = ChartSnapshot { api: server.api(), ..snapshot };
    assert_eq!(snapshot.png(), png);
}

/// The values of a gauge, and the names of the spaces.
fn state(api: &Api, end: i64) -> Value {
    let spaces = api.get("/v1/spaces").expect(200)["spaces"].take();
    let names: Vec<Value> = spaces.as_array().unwrap().iter().map(|space| space["name"].clone()).collect();
    json!({ "tide": series(api, "tide", end - 7200, end, 1), "spaces": names })
}

#[test]
fn a_restore_that_was_killed_leaves_the_old_measurements_or_the_new_ones() {
    for include_metrics in [true, false] {
        for (failpoint, is_done) in
            [("restore:staged", false), ("restore:swapping", true), ("restore:finishing", true)]
        {
            let claim = format!("{failpoint}, metrics: {include_metrics}");
            let mut server = TestServer::builder().failpoint(&format!("{failpoint}=kill")).start();
            let api = server.api();
            let end = now();
            gauge(&api, "tide", None, &slope(end, 30));
            create_space(&api, "Early");
            api.create_snapshot("nightly", &json!({ "include_metrics": include_metrics }));
            let saved = state(&api, end);
            gauge(&api, "tide", None, &[(end - 1, 99.0)]);
            create_space(&api, "Late");
            let mut wanted = state(&api, end);
            assert_ne!(wanted, saved);
            if is_done {
                wanted["spaces"] = saved["spaces"].clone();
                if include_metrics {
                    wanted["tide"] = saved["tide"].clone();
                }
            }
            let options = json!({ "force": true });
            let _ = api.request(Method::POST, "snapshots/nightly/restore").json(&options).send();
            server.wait_until_killed();
            server.restart();
            let api = server.api();
            assert_eq!(state(&api, end), wanted, "{claim}");
            gauge(&api, "tide", None, &[(end, 100.0)]);
            create_space(&api, "Afterwards");
        }
    }
}
