//! Measurements of a manager snapshot imported into other people's databases: InfluxDB 1.6 and VictoriaMetrics.
//!
//! There is asked what is asked here, and the answers have to be the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::harness::{
    Api, Influx, TestServer, VictoriaMetrics, entries, gauge, now, other_tenant, series, tagged,
};

/// The files of line protocol in a snapshot, of one tenant.
fn files(server: &TestServer, snapshot: &str, tenant: &str) -> Vec<PathBuf> {
    let prefix = format!("metrics/{tenant}/");
    let mut paths = Vec::new();
    for entry in entries(&server.api().archive(snapshot)) {
        if entry.name.starts_with(&prefix) && entry.content.starts_with(b"# DDL") {
            let path = server.scratch().join(format!("{tenant}-{}.txt", paths.len()));
            fs::write(&path, entry.content).unwrap();
            paths.push(path);
        }
    }
    assert!(!paths.is_empty(), "no line protocol of `{tenant}`");
    paths
}

/// A name as InfluxDB's queries and VictoriaMetrics' selectors quote it.
fn quoted(name: &str) -> String {
    format!("{name:?}")
}

/// Tags without those that a database invents for series that lack them.
fn tags_of(tags: &Value) -> String {
    let mut kept = Map::new();
    for (name, value) in tags.as_object().into_iter().flatten() {
        if name != "__name__" && name != "db" && value != "" {
            kept.insert(name.clone(), value.clone());
        }
    }
    Value::Object(kept).to_string()
}

/// Asserts that two sets of series are the same, numbers to the last few bits.
fn assert_same(there: &Map<String, Value>, here: &Value, claim: &str) {
    let here = here.as_object().unwrap();
    let sorted = |series: &Map<String, Value>| series.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(sorted(there), sorted(here), "{claim}");
    for (tags, points) in here {
        let (points, others) = (points.as_array().unwrap(), there[tags].as_array().unwrap());
        assert_eq!(points.len(), others.len(), "{claim}: {tags}:\n{points:?}\n{others:?}");
        for (point, other) in points.iter().zip(others) {
            assert_eq!(point[0], other[0], "{claim}: {tags}");
            let (value, other) = (point[1].as_f64().unwrap(), other[1].as_f64().unwrap());
            let is_same = (value - other).abs() <= value.abs().max(1e-200) * 1e-12;
            assert!(is_same, "{claim}: {tags} at {}: {value} here, {other} there", point[0]);
        }
    }
}

/// What InfluxDB answers, by tags; `null` stands for no point.
fn influx(database: &Influx, query: &str) -> Map<String, Value> {
    let mut found = Map::new();
    for one in database.query(query) {
        let points: Vec<Value> = one["values"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|point| !point[1].is_null())
            .map(|point| json!([point[0], point[1]]))
            .collect();
        found.insert(tags_of(&one["tags"]), Value::Array(points));
    }
    found
}

/// All samples of a VictoriaMetrics' series, by tags.
fn samples(database: &VictoriaMetrics, name: &str) -> Map<String, Value> {
    let mut found = Map::new();
    for one in database.export(&format!("{{__name__={}}}", quoted(name))) {
        let (times, values) = (one["timestamps"].as_array().unwrap(), one["values"].as_array().unwrap());
        let points: Vec<Value> = times
            .iter()
            .zip(values)
            .map(|(time, value)| json!([time.as_i64().unwrap() / 1000, value]))
            .collect();
        found.insert(tags_of(&one["metric"]), Value::Array(points));
    }
    found
}

/// Values of a wave with a point each ten seconds, of the two hours before `end`.
fn wave(end: i64, phase: f64) -> Vec<(i64, f64)> {
    let value = |n: i32| (f64::from(n) / 40.0 + phase).sin() * 50.0 + 0.125;
    (0..720_i32).map(|n| (end - 7200 + i64::from(n) * 10, value(n))).collect()
}

/// Metrics with names, sources and values of all kinds.
fn fill(api: &Api, end: i64) {
    for (phase, source) in [(0.0, Some("pier")), (1.0, Some("quay, \"No. 2\"=b \u{e9}")), (2.0, None)] {
        gauge(api, "tide.level:cm", source, &wave(end, phase));
    }
    tagged(api, "load", &json!({ "host": "web 1", "zone": "a,b=c\\d" }), &wave(end, 3.0));
    tagged(api, "load", &json!({ "host": "db-1" }), &wave(end, 4.0));
    gauge(api, "edge.huge", None, &[(end - 50, 1e126), (end - 40, -1e126)]);
    gauge(api, "edge.tiny", None, &[(end - 50, 1e-129), (end - 40, -1e-129), (end - 30, 0.0)]);
    gauge(api, "edge.exact", None, &[(end - 50, 0.1), (end - 40, 123_456_789.123_456_78), (end - 30, -7.0)]);
}

#[test]
fn influxdb_answers_the_same_as_the_service() {
    let server = TestServer::start();
    let api = server.api();
    let end = now() / 60 * 60;
    let start = end - 7200;
    fill(&api, end);
    let north = other_tenant(&server, "north");
    gauge(&north, "only.north", None, &[(end - 10, 1.0)]);
    api.create_snapshot("nightly", &json!({ "include_metrics": true }));

    let database = Influx::start();
    for path in files(&server, "nightly", "default_tenant") {
        database.import(&path).success().says(&["Failed 0 inserts"]);
    }
    for name in ["tide.level:cm", "load", "edge.huge", "edge.tiny", "edge.exact"] {
        let from = quoted(name);
        let window = format!("time >= {start}s AND time < {end}s");
        let raw = influx(&database, &format!("SELECT \"value\" FROM {from} WHERE {window} GROUP BY *"));
        assert_same(&raw, &series(&api, name, start, end - 1, 1), name);
        for step in [60, 300, 3600] {
            let query = format!(
                "SELECT mean(\"value\") FROM {from} WHERE {window} GROUP BY time({step}s), * fill(none)"
            );
            let here = series(&api, name, start / step * step, end - 1, step);
            assert_same(&influx(&database, &query), &here, &format!("{name} each {step} s"));
        }
    }
    let foreign = database.query("SHOW SERIES FROM \"only.north\"");
    assert!(foreign.is_empty(), "the other tenant's is in another file: {foreign:?}");
}

#[test]
fn victoria_metrics_answers_the_same_as_the_service() {
    let server = TestServer::start();
    let api = server.api();
    // Whole five minutes of the past: asked for a moment to come, it answers as of the present.
    let end = now() / 300 * 300 - 300;
    let start = end - 7200;
    fill(&api, end);
    api.create_snapshot("nightly", &json!({ "include_metrics": true }));

    let database = VictoriaMetrics::start();
    for path in files(&server, "nightly", "default_tenant") {
        database.write(fs::read(path).unwrap());
    }
    for name in ["tide.level:cm", "load", "edge.huge", "edge.tiny", "edge.exact"] {
        let there = samples(&database, &format!("{name}_value"));
        assert_same(&there, &series(&api, name, start, end - 1, 1), name);
    }
    // A mean of the five minutes that begin at a moment, asked for at their last second.
    let here = series(&api, "load", start / 300 * 300, end - 1, 300);
    for (tags, points) in here.as_object().unwrap() {
        for point in points.as_array().unwrap() {
            let time = point[0].as_i64().unwrap();
            let answer = database.query("avg_over_time({__name__=\"load_value\"}[300s])", time + 299);
            let found = answer.iter().find(|one| tags_of(&one["metric"]) == *tags);
            let found = found.unwrap_or_else(|| panic!("no {tags} at {time}: {answer:?}"));
            let value: f64 = found["value"][1].as_str().unwrap().parse().unwrap();
            assert!((value - point[1].as_f64().unwrap()).abs() < 1e-9, "{tags} at {time}: {value}");
        }
    }
}

#[test]
fn what_was_rolled_up_is_exported_as_aggregates_that_answer_the_same() {
    // It tends its store at the start and then each minute.
    let settings = "[metrics]\nraw_days = 1\nminute_days = 30\nown_seconds = 60";
    let mut server = TestServer::builder().settings(settings).start();
    let end = now() / 86_400 * 86_400 - 3 * 86_400;
    let start = end - 7200;
    gauge(&server.api(), "tide", Some("pier"), &wave(end, 0.0));
    let sums = |n: i64| json!({ "name": "sums", "measure_time": start + n * 60, "count": 3, "sum": 9 + n, "min": 1, "max": 5 + n });
    let body = json!({ "gauges": (0..60).map(sums).collect::<Vec<_>>() });
    server.api().post("/v1/metrics", &body).expect(200);
    server.restart();
    let api = server.api();
    let sources = |api: &Api, metric: &str| {
        let path = format!("/v1/metrics/{metric}?start_time={start}&end_time={}&resolution=60", end - 1);
        api.get(&path).expect(200)["measurements"].take()
    };
    let finest = || {
        api.get(&format!("/v1/metrics/tide?start_time={start}&end_time={}&resolution=1", end - 1)).expect(200)
    };
    crate::harness::eventually("the raw points are dropped", 120, || {
        (finest()["resolution"] == 60).then_some(())
    });
    let here = sources(&api, "tide")["pier"].as_array().unwrap().clone();
    assert_eq!(here.len(), 120);
    api.create_snapshot("nightly", &json!({ "include_metrics": true }));

    let database = Influx::start();
    for path in files(&server, "nightly", "default_tenant") {
        database.import(&path).success().says(&["Failed 0 inserts"]);
    }
    for metric in ["tide", "sums"] {
        let query = format!(
            "SELECT sum(\"sum\"), sum(\"count\"), min(\"min\"), max(\"max\") FROM {metric} \
             WHERE time >= {start}s AND time < {end}s GROUP BY time(60s) fill(none)"
        );
        let there = database.query(&query)[0]["values"].as_array().unwrap().clone();
        let here = sources(&api, metric);
        let here = here.as_object().unwrap().values().next().unwrap().as_array().unwrap().clone();
        assert_eq!(there.len(), here.len());
        for (there, here) in there.iter().zip(&here) {
            assert_eq!(there[0], here["measure_time"]);
            for (index, key) in [(1, "sum"), (2, "count"), (3, "min"), (4, "max")] {
                let (one, other) = (there[index].as_f64().unwrap(), here[key].as_f64().unwrap());
                assert!((one - other).abs() < 1e-9, "{key}: {there} and {here}");
            }
        }
    }

    let second = TestServer::builder().settings(settings).opening_archives_of(&server).start();
    second.api().send_archive("nightly", &api.archive("nightly")).expect(201);
    let ended = second.api().restore_snapshot("nightly", &json!({ "force": true }));
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    for metric in ["tide", "sums"] {
        assert_eq!(sources(&second.api(), metric), sources(&api, metric), "{metric}");
    }
}
