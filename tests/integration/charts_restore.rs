//! Spaces, charts and measurements in manager snapshots: the way onto another server, and what a restore leaves alone.

use serde_json::{Value, json};

use crate::harness::{
    Api, ChartSnapshot, TestServer, create_chart, create_space, entries, gauge, local, now, other_tenant,
    series, slope, tagged,
};

/// All spaces of a tenant with their charts, but the one that comes with the service.
fn spaces(api: &Api) -> Value {
    let list = api.get("/v1/spaces").expect(200);
    let whole = |space: &Value| {
        let path = format!("/v1/spaces/{}", space["id"]);
        json!({ "space": api.get(&path).expect(200), "charts": api.get(&format!("{path}/charts")).expect(200) })
    };
    list["spaces"].as_array().unwrap().iter().filter(|space| space["id"] != 1).map(whole).collect()
}

/// Every metric of a tenant with its points of the window, and every annotation.
fn measured(api: &Api, start: i64, end: i64) -> Value {
    let list = api.get("/v1/metrics").expect(200);
    let is_theirs = |metric: &&Value| !metric["name"].as_str().unwrap().starts_with("manager.");
    let metrics: Vec<Value> = list["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(is_theirs)
        .map(|metric| {
            let name = metric["name"].as_str().unwrap();
            let sources = format!("/v1/metrics/{name}?start_time={start}&end_time={end}&resolution=1");
            json!({ "metric": metric, "raw": series(api, name, start, end, 1),
                    "minutes": series(api, name, start, end, 60),
                    "sources": api.get(&sources).expect(200)["measurements"] })
        })
        .collect();
    let streams = api.get("/v1/annotations").expect(200);
    let annotations: Vec<Value> = streams["annotations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(is_theirs)
        .map(|stream| api.get(&format!("/v1/annotations/{}", stream["name"].as_str().unwrap())).expect(200))
        .collect();
    json!({ "metrics": metrics, "annotations": annotations })
}

/// Measures, annotates and charts in a tenant.
fn fill(api: &Api, end: i64) {
    gauge(api, "tide", Some("pier, \"No. 1\"=a\u{e9}"), &slope(end, 60));
    gauge(api, "tide", None, &[(end - 5, 0.1), (end - 4, -1e126), (end - 3, 1e-129), (end - 2, 0.0)]);
    tagged(api, "load", &json!({ "host": "web 1", "zone": "a,b=c" }), &slope(end, 30));
    let counters = json!([{ "name": "emits", "value": 7, "measure_time": end - 60 }]);
    let sums = json!([{ "name": "sums", "measure_time": end - 60, "count": 4, "sum": 10.5, "min": 1, "max": 4,
                        "sum_squares": 30.25 }]);
    api.post("/v1/metrics", &json!({ "counters": counters, "gauges": sums })).expect(200);
    let about = json!({ "display_name": "The tide", "period": 60, "description": "d", "attributes": { "color": "#fff" } });
    api.put("/v1/metrics/tide", &about).expect_status(204);
    api.put("/v1/metrics/unmeasured", &json!({ "type": "counter" })).expect(201);
    let links = json!([{ "rel": "commit", "href": "http://example.org/1", "label": null }]);
    let event = json!({ "title": "Storm", "source": "pier", "start_time": end - 600, "end_time": end - 300, "links": links });
    api.post("/v1/annotations/weather", &event).expect(201);
    let space = create_space(api, "Harbour");
    create_chart(
        api,
        space,
        &json!({ "name": "Tide", "type": "stacked", "min": 0, "label": "cm",
                 "streams": [{ "metric": "tide", "source": "pier*", "color": "#52D74C" },
                             { "metric": "load", "tags": [{ "name": "host", "values": ["web*"] }] }],
                 "thresholds": [{ "operator": ">", "value": 1, "type": "red" }] }),
    );
    create_space(api, "Harbour");
}

/// Puts a snapshot of one server onto another, which is empty.
fn carry(from: &TestServer, snapshot: &str) -> TestServer {
    let to = TestServer::builder().opening_archives_of(from).start();
    to.api().send_archive(snapshot, &from.api().archive(snapshot)).expect(201);
    let ended = to.api().restore_snapshot(snapshot, &json!({ "force": true }));
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    to
}

fn restore(api: &Api, snapshot: &str) {
    let ended = api.restore_snapshot(snapshot, &json!({ "force": true }));
    assert_eq!(ended["status"], "terminated", "{ended:#}");
}

fn metric_entries(api: &Api, snapshot: &str) -> Vec<String> {
    let names = entries(&api.archive(snapshot)).into_iter().map(|entry| entry.name);
    names.filter(|name| name.starts_with("metrics/") && !name.ends_with('/')).collect()
}

#[test]
fn charts_and_measurements_come_onto_a_second_server() {
    let first = TestServer::start();
    let api = first.api();
    let north = other_tenant(&first, "north");
    let end = now();
    fill(&api, end);
    fill(&north, end - 30);
    gauge(&north, "only.north", None, &[(end - 10, 1.0)]);
    api.create_snapshot("plain", &json!({}));
    let ended = api.create_snapshot("whole", &json!({ "include_metrics": true }));
    println!("{:#}", ended["report"]);
    let window = (end - 7200, end);
    let read = |api: &Api| measured(api, window.0, window.1);
    assert_eq!(metric_entries(&api, "plain"), Vec::<String>::new());
    let names = metric_entries(&api, "whole");
    for tenant in ["default_tenant", "north"] {
        assert!(names.iter().any(|name| name.starts_with(&format!("metrics/{tenant}/"))), "{names:?}");
    }

    let second = carry(&first, "plain");
    let others = [second.api(), second.api().tenant("north")];
    for (from, to) in [&api, &north].into_iter().zip(&others) {
        assert_eq!(spaces(to), spaces(from));
        assert_eq!(read(to)["metrics"], json!([]), "without metrics none come");
    }
    let third = carry(&first, "whole");
    let others = [third.api(), third.api().tenant("north")];
    for (from, to) in [&api, &north].into_iter().zip(&others) {
        assert_eq!(spaces(to), spaces(from));
        assert_eq!(read(to), read(from));
    }
    // What came is drawn, and goes on.
    let chart = spaces(&others[0])[0]["charts"][0]["id"].as_i64().unwrap();
    ChartSnapshot::of(&others[0], chart).picture().expect_not_empty();
    gauge(&others[0], "tide", None, &[(end - 1, 5.0)]);
    let next = create_space(&others[0], "Next");
    let last = |api: &Api| spaces(api).as_array().unwrap().last().unwrap()["space"]["id"].as_i64().unwrap();
    assert!(next > last(&api).max(last(&north)), "numbers go on");
}

#[test]
fn an_archive_without_metrics_leaves_the_live_measurements_alone() {
    let server = TestServer::start();
    let api = server.api();
    let end = now();
    fill(&api, end);
    let saved = spaces(&api);
    api.create_snapshot("plain", &json!({}));
    gauge(&api, "later", None, &[(end - 1, 1.0)]);
    create_space(&api, "Later");
    let live = measured(&api, end - 7200, end);
    restore(&api, "plain");
    assert_eq!(spaces(&api), saved, "charts are state");
    assert_eq!(measured(&api, end - 7200, end), live, "measurements are not asked for");
    gauge(&api, "later", None, &[(end, 2.0)]);
    let rollback = api.wait_for_end(&api.post("/service/rollback", &json!({})).expect(200));
    assert_eq!(rollback["status"], "terminated", "{rollback:#}");
    assert_eq!(spaces(&api).as_array().unwrap().len(), 3);
}

#[test]
fn an_archive_with_metrics_brings_them_back_and_a_rollback_undoes_it() {
    let server = TestServer::start();
    let api = server.api();
    let end = now();
    fill(&api, end);
    let read = || measured(&api, end - 7200, end);
    let saved = read();
    api.create_snapshot("whole", &json!({ "include_metrics": true }));
    gauge(&api, "later", None, &[(end - 1, 1.0)]);
    gauge(&api, "tide", None, &[(end - 5, 77.0)]);
    assert_eq!(api.delete("/v1/metrics/load").status, 204);
    assert_eq!(api.delete("/v1/annotations/weather").status, 204);
    let later = read();
    restore(&api, "whole");
    assert_eq!(read(), saved);
    let rollback = api.wait_for_end(&api.post("/service/rollback", &json!({})).expect(200));
    assert_eq!(rollback["status"], "terminated", "{rollback:#}");
    assert_eq!(read(), later);
    // The other way about, the service's own measurements go on through all of it.
    let own = api.get("/v1/measurements/manager.job.seconds?duration=3600").expect(200);
    let workflows: Vec<_> =
        own["series"].as_array().unwrap().iter().map(|one| one["tags"]["workflow"].clone()).collect();
    assert_eq!(workflows.len(), 3, "create, restore and rollback: {workflows:?}");
}

#[test]
fn numbers_are_not_used_again_and_pictures_survive() {
    let server = TestServer::start();
    let api = server.api();
    let end = now();
    fill(&api, end);
    let chart = spaces(&api)[0]["charts"][0]["id"].as_i64().unwrap();
    let early = ChartSnapshot::of(&api, chart);
    let early_png = early.png();
    api.create_snapshot("nightly", &json!({}));
    let space = create_space(&api, "Later");
    let later_chart = create_chart(&api, space, &json!({ "name": "n", "streams": [{ "metric": "tide" }] }));
    let late = ChartSnapshot::of(&api, later_chart);
    let (late_png, late_document) = (late.png(), late.get());

    restore(&api, "nightly");
    for round in ["restore", "rollback", "restore again"] {
        assert_eq!(early.png(), early_png, "{round}");
        assert_eq!(late.png(), late_png, "{round}");
        assert_eq!(late.get(), late_document, "{round}");
        assert_eq!(api.get(&local(&api, &late_document["job_href"])).expect(200)["state"], "complete");
        let next = ChartSnapshot::of(&api, chart);
        assert!(next.number > late.number && next.job > late.job, "{round}");
        next.png();
        if round == "restore" {
            let rollback = api.wait_for_end(&api.post("/service/rollback", &json!({})).expect(200));
            assert_eq!(rollback["status"], "terminated", "{rollback:#}");
        } else if round == "rollback" {
            restore(&api, "nightly");
        }
    }
    // A link to a chart that the restore took away leads to nothing, and to nothing else later.
    let body = json!({ "subject": { "chart": { "id": later_chart } } });
    assert_eq!(api.post("/v1/snapshots", &body).status, 404);
    let (mut space, mut chart) = (space, later_chart);
    for round in ["restore", "rollback", "restore again"] {
        let new_space = create_space(&api, "New");
        assert!(new_space > space, "{round}: {new_space} after {space}");
        let new_chart = create_chart(&api, new_space, &json!({ "name": "n" }));
        assert!(new_chart > chart, "{round}: {new_chart} after {chart}");
        (space, chart) = (new_space, new_chart);
        if round == "restore" {
            let rollback = api.wait_for_end(&api.post("/service/rollback", &json!({})).expect(200));
            assert_eq!(rollback["status"], "terminated", "{rollback:#}");
        } else {
            restore(&api, "nightly");
        }
    }
}

#[test]
fn measurements_wait_out_a_restore_and_none_is_lost() {
    let server = TestServer::builder().holding("restore:swapped").start();
    let api = server.api();
    let end = now();
    fill(&api, end);
    api.create_snapshot("nightly", &json!({}));
    let restore = api.post("snapshots/nightly/restore", &json!({ "force": true })).expect(200);
    api.wait_for_status(&restore, "started");
    let body =
        |n: i64| json!({ "gauges": [{ "name": "during", "value": n, "measure_time": end - 100 + n }] });
    let mut kept = Vec::new();
    for n in 0..50 {
        let status = api.post("/v1/metrics", &body(n)).status;
        match status {
            200 => kept.push(n),
            503 => {
                if !kept.is_empty() || n > 40 {
                    break;
                }
            }
            other => panic!("{other}"),
        }
    }
    server.release();
    assert_eq!(api.wait_for_end(&restore)["status"], "terminated");
    api.post("/v1/metrics", &body(60)).expect(200);
    kept.push(60);
    let read = series(&api, "during", end - 200, end, 1);
    let wanted: Vec<Value> =
        kept.iter().map(|n| json!([end - 100 + n, f64::from(i32::try_from(*n).unwrap())])).collect();
    assert_eq!(read, json!({ "{}": wanted }), "what was answered with 200 is there");
}
