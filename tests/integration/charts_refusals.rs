//! What is refused of metrics and measurements, by name and never with a 5xx; tenants and roles.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Api, TestServer, add_member, gauge, now, other_tenant, refused_parameter, refused_request, send, slope,
};

/// The measurements of a source, of the last two hours as they came: each a value.
fn values(api: &Api, metric: &str, source: &str) -> Vec<f64> {
    let path = format!("/v1/metrics/{metric}?start_time={}&resolution=1", now() - 7200);
    let answer = api.get(&path).expect(200);
    let points = answer["measurements"][source].as_array();
    let points = points.unwrap_or_else(|| panic!("no `{source}`: {answer:#}"));
    points.iter().map(|point| point["value"].as_f64().unwrap()).collect()
}

#[test]
fn a_wrong_measurement_is_refused_by_name_and_nothing_of_its_request_is_kept() {
    let server = TestServer::builder().settings("[metrics]\nown_seconds = 0").start();
    let api = server.api();
    let good = json!({ "name": "good", "value": 1 });
    let with = |bad: Value| json!({ "gauges": [good, bad] });
    let long = "n".repeat(256);
    for (body, name) in [
        (json!({}), "gauges"),
        (json!({ "gauges": 7 }), "gauges"),
        (with(json!(7)), "gauges"),
        (with(json!({ "value": 1 })), "name"),
        (with(json!({ "name": "a b", "value": 1 })), "name"),
        (with(json!({ "name": "", "value": 1 })), "name"),
        (with(json!({ "name": "ünicode", "value": 1 })), "name"),
        (with(json!({ "name": long, "value": 1 })), "name"),
        (with(json!({ "name": "manager.queue.depth", "value": 1 })), "name"),
        (with(json!({ "name": "Manager.x", "value": 1 })), "name"),
        (with(json!({ "name": "m" })), "value"),
        (with(json!({ "name": "m", "value": "high" })), "value"),
        (with(json!({ "name": "m", "value": "NaN" })), "value"),
        (with(json!({ "name": "m", "value": "inf" })), "value"),
        (with(json!({ "name": "m", "value": 1.1e126 })), "value"),
        (with(json!({ "name": "m", "value": -1e200 })), "value"),
        (with(json!({ "name": "m", "sum": 1 })), "count"),
        (with(json!({ "name": "m", "sum": 1, "count": 0 })), "count"),
        (with(json!({ "name": "m", "sum": 1, "count": -3 })), "count"),
        (with(json!({ "name": "m", "sum": 1, "count": 2, "min": 5, "max": 1 })), "min"),
        (with(json!({ "name": "m", "value": 1, "measure_time": "soon" })), "measure_time"),
        (with(json!({ "name": "m", "value": 1, "measure_time": -5 })), "measure_time"),
        // Milliseconds.
        (with(json!({ "name": "m", "value": 1, "measure_time": now() * 1000 })), "measure_time"),
        (with(json!({ "name": "m", "value": 1, "measure_time": i64::MAX })), "measure_time"),
        (with(json!({ "name": "m", "value": 1, "period": -1 })), "period"),
        (with(json!({ "name": "m", "value": 1, "source": "a\u{7}" })), "source"),
        (with(json!({ "name": "m", "value": 1, "source": "s".repeat(256) })), "source"),
        (with(json!({ "name": "m", "value": 1, "source": 7 })), "source"),
    ] {
        let reply = api.post("/v1/metrics", &body);
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        refused_parameter(&reply, name);
    }
    let tags: serde_json::Map<_, _> = (0..51).map(|n| (format!("t{n}"), json!("v"))).collect();
    let with = |bad: Value| json!({ "measurements": [good, bad] });
    for (body, name) in [
        (json!({}), "measurements"),
        (json!({ "measurements": 7 }), "measurements"),
        (with(json!(7)), "measurements"),
        (with(json!({ "value": 1 })), "name"),
        (with(json!({ "name": "manager.x", "value": 1 })), "name"),
        (with(json!({ "name": "m" })), "value"),
        (with(json!({ "name": "m", "value": 1e127 })), "value"),
        (with(json!({ "name": "m", "value": 1, "time": "soon" })), "time"),
        (with(json!({ "name": "m", "value": 1, "tags": [] })), "tags"),
        (with(json!({ "name": "m", "value": 1, "tags": { "a b": "c" } })), "tags"),
        (with(json!({ "name": "m", "value": 1, "tags": { "a": "" } })), "tags"),
        (with(json!({ "name": "m", "value": 1, "tags": { "a": { "b": 1 } } })), "tags"),
        (with(json!({ "name": "m", "value": 1, "tags": { "a".repeat(65): "c" } })), "tags"),
        (with(json!({ "name": "m", "value": 1, "tags": { "a": "c".repeat(256) } })), "tags"),
        (with(json!({ "name": "m", "value": 1, "tags": tags })), "tags"),
    ] {
        let reply = api.post("/v1/measurements", &body);
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        refused_parameter(&reply, name);
    }
    for path in ["/v1/metrics", "/v1/measurements"] {
        for body in ["{", "[]", "a[=1", "null", "{\"gauges\":[{\"name\":\"m\",\"value\":1e999}]}"] {
            let status = send(&api, Method::POST, path, "application/json", body).status;
            assert_eq!(status, 400, "{path}: {body}");
        }
    }
    assert_eq!(api.get("/v1/metrics").expect(200)["query"]["total"], 0, "nothing is kept of them");

    let many = |count: usize| -> Value {
        (0..count).map(|n| json!({ "name": format!("m{n}"), "value": 1 })).collect()
    };
    refused_request(&api.post("/v1/metrics", &json!({ "gauges": many(10_001) })), 400);
    refused_request(&api.post("/v1/measurements", &json!({ "measurements": many(10_001) })), 400);
    let long = format!("{{\"gauges\":[],\"x\":\"{}\"}}", "y".repeat(16 << 20));
    refused_request(&send(&api, Method::POST, "/v1/metrics", "application/json", long), 413);
}

#[test]
fn what_a_query_cannot_mean_is_refused_and_breaks_nothing() {
    let server = TestServer::start();
    let api = server.api();
    gauge(&api, "tide", None, &slope(now(), 10));
    let (least, most) = (i64::MIN, i64::MAX);
    for (query, name) in [
        ("count=0".to_owned(), "count"),
        ("count=-1".to_owned(), "count"),
        (format!("count={most}"), "count"),
        ("count=x".to_owned(), "count"),
        ("count=1&resolution=0".to_owned(), "resolution"),
        (format!("count=1&resolution={most}"), "resolution"),
        ("start_time=soon".to_owned(), "start_time"),
        ("start_time=100&end_time=50".to_owned(), "start_time"),
    ] {
        refused_parameter(&api.get(&format!("/v1/metrics/tide?{query}")), name);
    }
    refused_parameter(&api.get("/v1/measurements/tide"), "start_time");
    refused_parameter(&api.get("/v1/measurements/tide?start_time=1&end_time=2&duration=1"), "duration");
    refused_parameter(&api.get("/v1/measurements/tide?duration=60&compose=s()"), "compose");
    refused_parameter(&api.get("/v1/measurements/tide?duration=60&tags=x"), "tags");
    // Whatever the numbers are, there is an answer, and it is not the caller's business what broke.
    for face in ["metrics", "measurements"] {
        for query in [
            format!("duration={least}"),
            format!("duration={most}"),
            format!("start_time={least}"),
            format!("start_time={most}"),
            format!("start_time=0&end_time={most}"),
            format!("end_time={most}&duration=60"),
            format!("end_time={least}&duration=60"),
            format!("end_time={least}&duration={most}"),
            format!("start_time={least}&end_time={most}&resolution=4294967295"),
            format!("start_time={}&resolution=4294967295", now() - 60),
        ] {
            let path = format!("/v1/{face}/tide?{query}");
            let reply = api.try_get(&path).unwrap_or_else(|error| panic!("{path}: no answer: {error}"));
            assert!(reply.status == 200 || reply.status == 400, "{path}: {} {}", reply.status, reply.text());
        }
    }
    for path in
        ["/v1/metrics/none", "/v1/measurements/none?duration=60", "/v1/metrics/a%2Fb", "/v1/metrics/%00"]
    {
        refused_request(&api.get(path), 404);
    }
    assert_eq!(values(&api, "tide", "unassigned").len(), 10);
}

#[test]
fn tenants_are_apart_and_roles_allow_what_they_should() {
    let server = TestServer::builder().settings("[metrics]\nown_seconds = 0").start();
    let api = server.api();
    let other = other_tenant(&server, "north");
    let time = now() - 60;
    gauge(&api, "tide", Some("pier"), &[(time, 1.0)]);
    gauge(&other, "tide", Some("pier"), &[(time, 2.0)]);
    assert_eq!(values(&api, "tide", "pier"), [1.0]);
    assert_eq!(values(&other, "tide", "pier"), [2.0]);
    assert_eq!(other.delete("/v1/metrics/tide").status, 204);
    refused_request(&other.get("/v1/metrics/tide"), 404);
    assert_eq!(values(&api, "tide", "pier").len(), 1);

    let member = |name: &str, role: &str| add_member(&server, name, "default_tenant", role);
    let (viewer, operator, user) =
        (member("vera", "viewer"), member("olga", "operations"), member("ulla", "user"));
    let submit = json!({ "gauges": [{ "name": "tide", "value": 1 }] });
    let measure = json!({ "measurements": [{ "name": "tide", "value": 1 }] });
    for (caller, submits, edits) in [(&viewer, false, false), (&operator, true, false), (&user, true, true)] {
        caller.get("/v1/metrics").expect(200);
        caller.get("/v1/metrics/tide?count=1").expect(200);
        caller.get("/v1/measurements/tide?duration=60").expect(200);
        let wanted = |allowed: bool, status: u16| if allowed { status } else { 403 };
        assert_eq!(caller.post("/v1/metrics", &submit).status, wanted(submits, 200));
        assert_eq!(caller.post("/v1/measurements", &measure).status, wanted(submits, 202));
        let change = json!({ "type": "gauge", "description": "d" });
        assert_eq!(caller.put("/v1/metrics/tide", &change).status, wanted(edits, 204));
        let extra = caller.put("/v1/metrics/extra", &change).status;
        assert_eq!(extra, wanted(edits, 201));
        assert_eq!(caller.delete("/v1/metrics/extra").status, wanted(edits, 204));
    }
    refused_request(&viewer.post("/v1/metrics", &submit), 403);
    refused_request(&api.nobody().get("/v1/metrics"), 401);
    let wrong = api.nobody().login("admin", "wrong").get("/v1/metrics");
    refused_request(&wrong, 401);
    assert!(wrong.header("www-authenticate").starts_with("Basic"), "{:?}", wrong.headers);
}
