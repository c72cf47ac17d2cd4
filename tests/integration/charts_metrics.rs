//! Metrics and measurements by raw HTTP: every shape that clients send, reads, attributes, limits of values.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, TestServer, gauge, now, refused_parameter, refused_request, send, series, tagged};

const FORM: &str = "application/x-www-form-urlencoded";

/// The measurements of a source, of the last two hours as they came.
fn raw(api: &Api, metric: &str, source: &str) -> Vec<Value> {
    let path = format!("/v1/metrics/{metric}?start_time={}&resolution=1", now() - 7200);
    let answer = api.get(&path).expect(200);
    let points = answer["measurements"][source].as_array();
    points.unwrap_or_else(|| panic!("no `{source}`: {answer:#}")).clone()
}

/// Times and values.
fn pairs(points: &[Value]) -> Vec<(i64, f64)> {
    points
        .iter()
        .map(|point| (point["measure_time"].as_i64().unwrap(), point["value"].as_f64().unwrap()))
        .collect()
}

fn names(page: &Value) -> Vec<&str> {
    page["metrics"].as_array().unwrap().iter().map(|metric| metric["name"].as_str().unwrap()).collect()
}

#[test]
fn every_shape_of_untagged_measurements_is_kept() {
    let server = TestServer::start();
    let api = server.api();
    let time = now() - 60;
    let item = |value: f64| json!({ "value": value, "measure_time": time });
    let named = |name: &str, value: f64| json!({ "name": name, "value": value, "measure_time": time });
    let bodies = [
        ("list", json!({ "gauges": [named("list", 1.0)] })),
        ("by.name", json!({ "gauges": { "by.name": item(1.0) } })),
        ("by.place", json!({ "gauges": { "0": named("by.place", 1.0), "1": named("other", 2.0) } })),
        ("shared", json!({ "gauges": [{ "name": "shared", "value": 1 }], "measure_time": time })),
        ("text", json!({ "gauges": [{ "name": "text", "value": "1.0", "measure_time": time.to_string() }] })),
        (
            "with.null",
            json!({ "gauges": [{ "name": "with.null", "value": 1, "measure_time": time, "source": null, "period": null }], "counters": [] }),
        ),
        (
            "described",
            json!({ "gauges": [{ "name": "described", "value": 1, "measure_time": time, "description": "d", "attributes": {}, "period": 60 }] }),
        ),
    ];
    for (name, body) in bodies {
        let reply = api.post("/v1/metrics", &body);
        assert_eq!(reply.expect(200), json!({}), "{name}");
        assert_eq!(pairs(&raw(&api, name, "unassigned")), [(time, 1.0)], "{name}");
    }
    assert_eq!(pairs(&raw(&api, "other", "unassigned")), [(time, 2.0)]);

    let form =
        format!("gauges[0][name]=formed&gauges[0][value]=1.5&gauges[0][measure_time]={time}&source=web");
    send(&api, Method::POST, "/v1/metrics", FORM, form).expect(200);
    assert_eq!(pairs(&raw(&api, "formed", "web")), [(time, 1.5)]);
    let mislabelled = json!({ "gauges": [named("mislabelled", 3.0)] }).to_string();
    send(&api, Method::POST, "/v1/metrics", FORM, mislabelled).expect(200);
    assert_eq!(pairs(&raw(&api, "mislabelled", "unassigned")), [(time, 3.0)]);

    let both = json!({
        "source": "web", "measure_time": time,
        "gauges": [{ "name": "g", "value": 1 }, { "name": "g", "value": 2, "source": "db" }],
        "counters": [{ "name": "c", "value": 7 }]
    });
    api.post("/v1/metrics/", &both).expect(200);
    assert_eq!(pairs(&raw(&api, "g", "web")), [(time, 1.0)]);
    assert_eq!(pairs(&raw(&api, "g", "db")), [(time, 2.0)]);
    assert_eq!(pairs(&raw(&api, "c", "web")), [(time, 7.0)]);
    assert_eq!(api.get("/v1/metrics/g").expect(200)["type"], "gauge");
    assert_eq!(api.get("/v1/metrics/c").expect(200)["type"], "counter");

    let summary = json!({ "gauges": [{ "name": "sum", "measure_time": time, "count": 4, "sum": 10, "min": 1,
                                       "max": 4, "sum_squares": 30 }] });
    api.post("/v1/metrics", &summary).expect(200);
    let point = &raw(&api, "sum", "unassigned")[0];
    let wanted = json!({ "measure_time": time, "count": 4, "sum": 10.0, "min": 1.0, "max": 4.0, "value": 2.5,
                         "sum_squares": 30.0 });
    assert_eq!(point, &wanted);
}

#[test]
fn every_shape_of_tagged_measurements_is_kept() {
    let server = TestServer::start();
    let api = server.api();
    let time = now() - 60;
    let read = |name: &str| series(&api, name, time - 60, time + 60, 1);
    let body = json!({
        "tags": { "region": "north", "host": "a" }, "time": time, "period": 30,
        "measurements": [
            { "name": "m", "value": 1 },
            { "name": "m", "value": 2, "tags": { "host": "b" } },
            { "name": "m", "sum": 9, "count": 3, "min": 1, "max": 5, "last": 4, "stddev": 1.2, "tags": { "host": "c" } },
            { "name": "m", "value": 4, "time": time - 1 },
            { "name": "n", "sum": 5, "count": 1 },
        ]
    });
    assert_eq!(api.post("/v1/measurements", &body).expect(202), json!({}));
    assert_eq!(
        read("m"),
        json!({
            // Tags of a measurement take the place of those of the request, all of them.
            r#"{"host":"a","region":"north"}"#: [[time - 1, 4.0], [time, 1.0]],
            r#"{"host":"b"}"#: [[time, 2.0]],
            r#"{"host":"c"}"#: [[time, 3.0]],
        })
    );
    assert_eq!(read("n"), json!({ r#"{"host":"a","region":"north"}"#: [[time, 5.0]] }));
    assert_eq!(api.get("/v1/metrics/m").expect(200)["period"], 30);
    tagged(&api, "untagged", &json!({}), &[(time, 3.0)]);
    assert_eq!(read("untagged"), json!({ "{}": [[time, 3.0]] }));

    let get =
        |query: &str| api.get(&format!("/v1/measurements/m?duration=600&resolution=1&{query}")).expect(200);
    let hosts = |query: &str| -> Vec<Value> {
        get(query)["series"].as_array().unwrap().iter().map(|one| one["tags"]["host"].clone()).collect()
    };
    assert_eq!(hosts("tags[host]=b"), ["b"]);
    assert_eq!(hosts("tags%5Bhost%5D=b"), ["b"]);
    assert_eq!(hosts("tags[host][]=b&tags[host][]=c"), ["b", "c"]);
    assert_eq!(hosts("tags[host]=*&tags[region]=n*"), ["a"]);
    assert_eq!(hosts("tags[host]=z"), Vec::<Value>::new());
    let answer = get("");
    assert_eq!((&answer["name"], &answer["resolution"]), (&json!("m"), &json!(1)));

    // The name of a tag is found however it is written.
    tagged(&api, "cased", &json!({ "Host": "Web1" }), &[(time, 1.0)]);
    for name in ["Host", "host"] {
        let path = format!("/v1/measurements/cased?duration=600&tags[{name}]=web1");
        let other = format!("/v1/measurements/cased?duration=600&tags[{name}]=Web1");
        let found = [path, other].iter().any(|path| api.get(path).expect(200)["series"] != json!([]));
        assert!(found, "tags[{name}] finds nothing");
    }
}

#[test]
fn a_later_value_of_the_same_second_takes_the_place_and_late_ones_find_theirs() {
    let server = TestServer::start();
    let api = server.api();
    let time = now() - 3600;
    gauge(&api, "tide", None, &[(time, 1.0), (time + 10, 2.0)]);
    gauge(&api, "tide", None, &[(time, 3.0), (time + 5, 4.0)]);
    assert_eq!(pairs(&raw(&api, "tide", "unassigned")), [(time, 3.0), (time + 5, 4.0), (time + 10, 2.0)]);
    gauge(&api, "TIDE", None, &[(time + 20, 5.0)]);
    assert_eq!(raw(&api, "tide", "unassigned").len(), 4, "names are the same in either case");
}

#[test]
fn reads_choose_the_last_points_windows_sources_and_a_resolution() {
    let server = TestServer::start();
    let api = server.api();
    let end = now() / 3600 * 3600;
    let points: Vec<_> = (0_i32..720).map(|n| (end - 3600 + i64::from(n) * 5, f64::from(n))).collect();
    gauge(&api, "tide", Some("pier"), &points);
    gauge(&api, "tide", Some("quay"), &points[..10]);
    let get = |query: &str| api.get(&format!("/v1/metrics/tide?{query}")).expect(200);
    let at = |query: &str, source: &str| pairs(get(query)["measurements"][source].as_array().unwrap());

    assert!(get("").get("measurements").is_none(), "none are asked for");
    assert_eq!(at("count=3&resolution=1", "pier"), points[717..]);
    assert_eq!(at("count=3", "pier"), points[717..]);
    let window = format!("start_time={}&end_time={}&resolution=1", points[20].0, points[30].0);
    assert_eq!(at(&window, "pier"), points[20..=30]);
    assert_eq!(get(&window)["resolution"], 1);
    let only = get(&format!("start_time={}&resolution=1&source=quay", end - 3600));
    assert_eq!(only["measurements"].as_object().unwrap().keys().collect::<Vec<_>>(), ["quay"]);
    let minutes = get(&format!("start_time={}&end_time={}&resolution=60&source=pier", end - 3600, end - 1));
    let minutes = minutes["measurements"]["pier"].as_array().unwrap().clone();
    assert_eq!(minutes.len(), 60);
    for (number, minute) in (0_i64..).zip(&minutes) {
        let first = f64::from(i32::try_from(number).unwrap() * 12);
        let wanted = json!({ "measure_time": end - 3600 + number * 60, "count": 12, "sum": first * 12.0 + 66.0,
                             "min": first, "max": first + 11.0, "value": first + 5.5 });
        assert_eq!(minute, &wanted);
    }
    // A source that was heard of days ago has last points too.
    let long_ago: Vec<_> = points[..4].iter().map(|(time, value)| (time - 5 * 86_400, *value)).collect();
    gauge(&api, "tide", Some("wreck"), &long_ago);
    assert_eq!(at("count=1&resolution=1", "pier"), points[719..]);
    let (time, value) = points[3];
    let found = get("count=1&resolution=1")["measurements"]["wreck"].clone();
    assert!(found.is_array(), "no `wreck`");
    assert_eq!(pairs(found.as_array().unwrap()), [(time - 5 * 86_400, value)]);

    // A window of years is answered in coarser steps, not with more points than a picture has.
    let years = get("start_time=0&resolution=1");
    assert!(years["resolution"].as_i64().unwrap() > 60, "{years:#}");
    let total: i64 = years["measurements"]["pier"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["count"].as_i64().unwrap())
        .sum();
    assert_eq!(total, 720, "every point counts in one bucket");
}

#[test]
fn metrics_are_listed_described_and_deleted() {
    let server = TestServer::builder().settings("[metrics]\nown_seconds = 0").start();
    let api = server.api();
    let time = now() - 60;
    let gauges: Vec<_> =
        (0..250).map(|n| json!({ "name": format!("m.{n:03}"), "value": n, "measure_time": time })).collect();
    api.post("/v1/metrics", &json!({ "gauges": gauges })).expect(200);
    api.post("/v1/metrics", &json!({ "counters": [{ "name": "odd", "value": 1 }] })).expect(200);
    let page = |query: &str| api.get(&format!("/v1/metrics{query}")).expect(200);

    let first = page("");
    assert_eq!(first["query"], json!({ "found": 251, "length": 100, "offset": 0, "total": 251 }));
    assert_eq!((names(&first)[0], names(&first)[99]), ("m.000", "m.099"));
    let last = page("?offset=200&length=1000");
    assert_eq!(last["query"], json!({ "found": 251, "length": 51, "offset": 200, "total": 251 }));
    let named = page("?name=M.01&length=3&sort=desc");
    assert_eq!(named["query"], json!({ "found": 10, "length": 3, "offset": 0, "total": 251 }));
    assert_eq!(names(&named), ["m.019", "m.018", "m.017"]);
    let beyond = page("?offset=500&name=odd");
    assert_eq!(beyond["query"], json!({ "found": 1, "length": 0, "offset": 500, "total": 251 }));
    assert_eq!(page("/?orderby=name&length=0")["metrics"], json!([]));
    for (query, name) in [("?offset=x", "offset"), ("?length=-1", "length"), ("?sort=up", "sort")] {
        refused_parameter(&api.get(&format!("/v1/metrics{query}")), name);
    }

    let path = "/v1/metrics/m.000";
    let plain = json!({ "name": "m.000", "display_name": null, "type": "gauge", "period": null,
                        "description": null, "attributes": {} });
    assert_eq!(api.get(path).expect(200), plain);
    let change = json!({ "display_name": "First", "period": 60, "description": "d", "attributes": { "color": "#fff", "n": [1] } });
    let changed = api.put(path, &change);
    assert_eq!((changed.status, changed.body.len()), (204, 0));
    api.put(path, &json!({ "attributes": { "units_short": "cm" }, "description": null })).expect_status(204);
    assert_eq!(
        api.get(path).expect(200),
        json!({ "name": "m.000", "display_name": "First", "type": "gauge", "period": 60, "description": null,
                "attributes": { "color": "#fff", "n": [1], "units_short": "cm" } })
    );
    refused_request(&api.put("/v1/metrics/new", &json!({ "display_name": "x" })), 404);
    let made = api.put("/v1/metrics/new", &json!({ "type": "counter", "period": 5 })).expect(201);
    assert_eq!((&made["name"], &made["type"]), (&json!("new"), &json!("counter")));
    for (body, name) in [
        (json!({ "type": "composite", "composite": "s(\"m\",\"*\")" }), "type"),
        (json!({ "type": "meter" }), "type"),
        (json!({ "period": 0 }), "period"),
        (json!({ "period": "soon" }), "period"),
        (json!({ "attributes": [] }), "attributes"),
        (json!({ "display_name": 7 }), "display_name"),
    ] {
        refused_parameter(&api.put(path, &body), name);
    }

    let gone = api.delete(path);
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    refused_request(&api.get(path), 404);
    refused_request(&api.delete(path), 404);
    let list =
        api.request(Method::DELETE, "/v1/metrics").json(&json!({ "names": ["m.01*", "odd", "unknown"] }));
    api.send(list).expect_status(204);
    let total = page("")["query"]["total"].clone();
    assert_eq!(total, 251 + 1 - 1 - 10 - 1);
    refused_parameter(
        &api.send(api.request(Method::DELETE, "/v1/metrics").json(&json!({ "names": [1] }))),
        "names",
    );
    refused_parameter(&api.send(api.request(Method::DELETE, "/v1/metrics")), "names");
    // A name that was deleted begins anew.
    gauge(&api, "m.000", None, &[(time, 5.0)]);
    assert_eq!(api.get(path).expect(200), plain);
    assert_eq!(raw(&api, "m.000", "unassigned").len(), 1);
}

#[test]
fn the_limits_of_values_are_kept() {
    let server = TestServer::start();
    let api = server.api();
    let time = now() - 600;
    let values = [1e126, -1e126, 1e-131, -1e-131, 1e-129, 0.1, -0.0, 123_456_789.123_456_78];
    let points: Vec<_> = (0_i64..).zip(values).map(|(n, value)| (time + n, value)).collect();
    gauge(&api, "edge", None, &points);
    let kept: Vec<_> = pairs(&raw(&api, "edge", "unassigned")).into_iter().map(|(_, value)| value).collect();
    assert_eq!(kept, [1e126, -1e126, 0.0, 0.0, 1e-129, 0.1, 0.0, 123_456_789.123_456_78]);
    api.get("/v1/metrics/edge?duration=86400&resolution=3600").expect(200);
}
