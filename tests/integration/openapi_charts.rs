//! The description of metrics, charts and chart snapshots, held against the answers of a running server.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, Reply, TestServer, add_member, eventually};
use crate::openapi::{DOCUMENT, Held, judge};

const METRIC: &str = "/v1/metrics/{name}";
const STREAM: &str = "/v1/annotations/{stream}";
const EVENT: &str = "/v1/annotations/{stream}/{event}";
const SPACE: &str = "/v1/spaces/{space}";
const CHARTS: &str = "/v1/spaces/{space}/charts";
const CHART: &str = "/v1/spaces/{space}/charts/{chart}";
const SNAPSHOT: &str = "/v1/snapshots/{snapshot}";
const JOB: &str = "/v1/jobs/{job}";
const IMAGE: &str = "/images/{name}";
/// A moment that is surely past.
const MOMENT: i64 = 1_700_000_000;

fn is_of_charts(path: &str) -> bool {
    path.starts_with("/images/") || path.starts_with("/v1/") && !path.starts_with("/v1/tasks")
}

#[test]
fn the_answers_of_charts_are_as_described() {
    let server = TestServer::start();
    let api = server.api();
    let document = Api::new(server.port()).get(DOCUMENT).expect(200);
    let viewer = add_member(&server, "vera", "default_tenant", "viewer");
    let mut held = Held::default();
    measurements(&mut held, &api);
    metrics(&mut held, &api);
    annotations(&mut held, &api);
    let chart = charts(&mut held, &api);
    snapshots(&mut held, &api, &chart);
    errors_of_metrics(&mut held, &server, &viewer);
    errors_of_charts(&mut held, &api, &viewer, &chart);
    removals(&mut held, &api, &chart);

    let good = held.good();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let call = format!("{method} {path}");
            assert!(
                !is_of_charts(path) || method == "servers" || good.contains(&call),
                "{call} was not tried"
            );
        }
    }
    judge(&server, &document, &held.0);
}

/// Sends a form with brackets in its names.
fn send_form(api: &Api, path: &str, form: &[(&str, &str)]) -> Reply {
    let fields: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
    api.send(api.request(Method::POST, path).body(fields.join("&")))
}

fn delete_with(api: &Api, path: &str, body: &Value) -> Reply {
    api.send(api.request(Method::DELETE, path).json(body))
}

fn measurements(held: &mut Held, api: &Api) {
    let body = json!({
        "source": "north",
        "measure_time": MOMENT,
        "gauges": [
            { "name": "tide.height", "value": 3.1, "period": 60 },
            { "name": "tide.height", "source": "south", "value": "2.9" },
            { "name": "tide.height", "measure_time": MOMENT + 60, "count": 2, "sum": 6, "min": 2.5, "max": 3.5,
              "sum_squares": 18.5, "last": 3.5 },
        ],
        "counters": { "ships": { "value": 17 } },
    });
    held.hold("post /v1/metrics", 200, &api.post("/v1/metrics/", &body));
    let form = [("gauges[0][name]", "wind"), ("gauges[0][value]", "1e-200")];
    held.hold("post /v1/metrics", 200, &send_form(api, "/v1/metrics", &form));
    let body = json!({
        "tags": { "harbour": "north", "berth": 7, "is_open": true },
        "time": "2023-11-14T22:13:20Z",
        "period": 60,
        "measurements": [
            { "name": "ship.length", "value": 120 },
            { "name": "ship.length", "value": 90.5, "tags": { "harbour": "south" }, "time": MOMENT, "period": null },
        ],
    });
    held.hold("post /v1/measurements", 202, &api.post("/v1/measurements", &body));
    let call = "get /v1/measurements/{name}";
    let path =
        format!("/v1/measurements/ship.length?start_time={MOMENT}&end_time={}&resolution=60", MOMENT + 60);
    let all = held.hold(call, 200, &api.get(&path));
    assert_eq!(all["series"].as_array().unwrap().len(), 2, "{all:#}");
    let one = held.hold(call, 200, &api.get(&format!("{path}&tags[harbour]=n*")));
    assert_eq!(one["series"][0]["tags"]["berth"], "7", "{one:#}");
    held.hold(call, 200, &api.get("/v1/measurements/ship.length?duration=60"));
}

fn metrics(held: &mut Held, api: &Api) {
    let list =
        held.hold("get /v1/metrics", 200, &api.get("/v1/metrics?name=TIDE&offset=0&length=5&sort=desc"));
    assert_eq!(list["query"]["found"], 1, "{list:#}");
    held.hold("get /v1/metrics", 200, &api.get("/v1/metrics"));
    let get = format!("get {METRIC}");
    held.hold(&get, 200, &api.get("/v1/metrics/tide.height"));
    let window = format!("start_time={MOMENT}&end_time={}&resolution=1", MOMENT + 60);
    let found = held.hold(&get, 200, &api.get(&format!("/v1/metrics/Tide.Height?{window}")));
    assert_eq!(found["measurements"]["north"].as_array().unwrap().len(), 2, "{found:#}");
    for query in ["count=1&source=north&source=s*", "duration=60", "count=2&sources[]=north"] {
        held.hold(&get, 200, &api.get(&format!("/v1/metrics/tide.height?{query}")));
    }
    let put = format!("put {METRIC}");
    let body =
        json!({ "type": "counter", "period": 60, "display_name": "Lamps", "attributes": { "a": [null] } });
    held.hold(&put, 201, &api.put("/v1/metrics/lamps", &body));
    held.hold(
        &put,
        204,
        &api.put("/v1/metrics/lamps", &json!({ "display_name": null, "description": "lit" })),
    );
}

fn annotations(held: &mut Held, api: &Api) {
    let post = format!("post {STREAM}");
    let body = json!({
        "title": "Storm", "source": "north", "description": "from the west", "start_time": MOMENT,
        "end_time": "2023-11-14 23:13:20 UTC", "links": [{ "rel": "report", "href": "https://harbour.example/1" }],
    });
    let made = api.post("/v1/annotations/storms", &body);
    assert_eq!(made.header("location"), "/v1/annotations/storms/1");
    held.hold(&post, 201, &made);
    held.hold(&post, 201, &send_form(api, "/v1/annotations/storms", &[("title", "Calm")]));
    let list = held.hold("get /v1/annotations", 200, &api.get("/v1/annotations?name=storm&length=1"));
    assert_eq!(list["annotations"][0]["name"], "storms");
    let get = format!("get {STREAM}");
    held.hold(&get, 200, &api.get("/v1/annotations/storms"));
    let query = format!("start_time={MOMENT}&end_time={}&source=north", MOMENT + 1);
    let found = held.hold(&get, 200, &api.get(&format!("/v1/annotations/storms?{query}")));
    assert_eq!(found["events"][0]["north"][0]["title"], "Storm", "{found:#}");
    held.hold(&get, 200, &api.get("/v1/annotations/none"));
    held.hold(&format!("get {EVENT}"), 200, &api.get("/v1/annotations/storms/1"));
    let change = json!({ "end_time": null, "links": [] });
    held.hold(&format!("put {EVENT}"), 204, &api.put("/v1/annotations/storms/1", &change));
}

/// Makes a space and a chart; answers the chart's path.
fn charts(held: &mut Held, api: &Api) -> String {
    let made = api.post("/v1/spaces", &json!({ "name": "Harbour", "tags": true }));
    let space = made.header("location").to_owned();
    held.hold("post /v1/spaces", 201, &made);
    held.hold("get /v1/spaces", 200, &api.get("/v1/spaces?name=a&offset=0&length=100&sort=desc"));
    held.hold(&format!("put {SPACE}"), 204, &api.put(&space, &json!({ "name": "Harbours" })));
    let body = json!({
        "name": "Tides", "type": "stacked", "min": 0, "max": 5, "label": "height", "related_space": 1,
        "use_log_yaxis": false, "use_last_value": true,
        "streams": [
            { "metric": "tide.height", "type": "gauge", "source": "*", "group_function": "breakout",
              "summary_function": "max", "downsample_function": "max", "transform_function": "x*100",
              "color": "#52D74C", "name": "tide", "units_short": "cm", "units_long": "centimetres", "min": 0,
              "max": 900, "period": 60, "gap_detection": false },
            { "metric": "ship.length", "tags": [{ "name": "harbour", "values": ["*"] },
                                                { "name": "berth", "dynamic": true }] },
        ],
        "thresholds": [{ "operator": ">", "value": 4.5, "type": "red" }],
    });
    let made = api.post(&format!("{space}/charts"), &body);
    let chart = made.header("location").to_owned();
    held.hold(&format!("post {CHARTS}"), 201, &made);
    let form = [("name", "Wind"), ("streams[0][metric]", "wind"), ("min", "0"), ("use_log_yaxis", "true")];
    held.hold(&format!("post {CHARTS}"), 201, &send_form(api, &format!("{space}/charts"), &form));
    held.hold(&format!("get {CHARTS}"), 200, &api.get(&format!("{space}/charts")));
    held.hold(&format!("get {CHARTS}"), 200, &api.get("/v1/spaces/1/charts"));
    held.hold(&format!("get {SPACE}"), 200, &api.get(&space));
    held.hold(&format!("get {SPACE}"), 200, &api.get("/v1/spaces/1"));
    held.hold(&format!("get {CHART}"), 200, &api.get(&chart));
    let change = json!({ "max": null, "thresholds": null });
    held.hold(&format!("put {CHART}"), 200, &api.put(&chart, &change));
    chart
}

/// The number at the end of a path.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

fn snapshots(held: &mut Held, api: &Api, chart: &str) {
    let post = "post /v1/snapshots";
    let body = json!({
        "subject": { "chart": { "id": last(chart), "type": "line", "source": "n*",
                                "tags": [{ "name": "harbour", "values": ["north"] }] } },
        "duration": 3600, "end_time": MOMENT + 60, "width": 400, "height": 300, "scale": 2, "look": "dark",
    });
    let made = api.post("/v1/snapshots", &body);
    let path = made.header("location").to_owned();
    let asked = held.hold(post, 202, &made);
    assert_eq!((&asked["image_href"], &asked["end_time"]), (&Value::Null, &json!("2023-11-14T22:14:20Z")));
    let form = [("subject[chart][id]", "1"), ("subject[chart][source]", "*"), ("retina", "true")];
    held.hold(post, 202, &send_form(api, "/v1/snapshots", &form));

    let job = format!("/v1/jobs/{}", last(asked["job_href"].as_str().unwrap()));
    held.hold(&format!("get {JOB}"), 200, &api.get(&job));
    eventually("the picture is drawn", 60, || (api.get(&job).json()["state"] == "complete").then_some(()));
    let done = held.hold(&format!("get {JOB}"), 200, &api.get(&job));
    let image = done["output"]["image_href"].as_str().unwrap();
    let drawn = held.hold(&format!("get {SNAPSHOT}"), 200, &api.get(&path));
    assert_eq!(drawn["image_href"], image);
    held.hold("get /v1/snapshots", 200, &api.get("/v1/snapshots?offset=0&length=1"));

    let nobody = Api::new(image.split(':').nth(2).unwrap().split('/').next().unwrap().parse().unwrap());
    let png = format!("/images/{}", last(image));
    for (path, kind) in [(png.clone(), "image/png"), (png.replace(".png", ".svg"), "image/svg+xml")] {
        let reply = nobody.get(&path);
        assert_eq!((reply.status, reply.header("content-type")), (200, kind), "{path}");
        held.0.push(json!({ "method": "get", "path": IMAGE, "status": 200, "body": null }));
    }
    held.hold(&format!("get {IMAGE}"), 404, &nobody.get("/images/none.png"));
    held.hold(&format!("delete {JOB}"), 400, &api.delete(&job));
    held.hold(&format!("delete {SNAPSHOT}"), 204, &api.delete(&path));
    held.hold(&format!("get {SNAPSHOT}"), 404, &api.get(&path));
}

/// Says under which parameter the fault is.
fn names(body: &Value, parameter: &str) {
    assert!(body["errors"]["params"][parameter][0].is_string(), "{parameter}: {body:#}");
}

fn errors_of_metrics(held: &mut Held, server: &TestServer, viewer: &Api) {
    let api = &server.api();
    held.hold("get /v1/metrics", 401, &Api::new(server.port()).get("/v1/metrics"));
    held.hold("get /v1/metrics", 403, &api.clone().tenant("nowhere").get("/v1/metrics"));
    for (query, parameter) in
        [("sort=up", "sort"), ("offset=-1", "offset"), ("length=all", "length"), ("compose=s(1)", "compose")]
    {
        names(&held.hold("get /v1/metrics", 400, &api.get(&format!("/v1/metrics?{query}"))), parameter);
    }
    let post = "post /v1/metrics";
    for (body, parameter) in [
        (json!({}), "gauges"),
        (json!({ "gauges": 7 }), "gauges"),
        (json!({ "gauges": [{ "name": "a b", "value": 1 }] }), "name"),
        (json!({ "gauges": [{ "name": "manager.a", "value": 1 }] }), "name"),
        (json!({ "gauges": [{ "name": "a", "value": 1e127 }] }), "value"),
        (json!({ "gauges": [{ "name": "a" }] }), "value"),
        (json!({ "gauges": [{ "name": "a", "sum": 1 }] }), "count"),
        (json!({ "gauges": [], "measure_time": "soon" }), "measure_time"),
    ] {
        names(&held.hold(post, 400, &api.post("/v1/metrics", &body)), parameter);
    }
    let list = held.hold(post, 400, &api.post("/v1/metrics", &json!([1])));
    assert_eq!(list["errors"]["request"], json!(["the body must be a JSON object"]));
    held.hold(post, 403, &viewer.post("/v1/metrics", &json!({ "gauges": [] })));
    let measure = "post /v1/measurements";
    names(&held.hold(measure, 400, &api.post("/v1/measurements", &json!({}))), "measurements");
    let read = "get /v1/measurements/{name}";
    held.hold(read, 400, &api.get("/v1/measurements/ship.length"));
    held.hold(read, 404, &api.get("/v1/measurements/none?duration=60"));
    let twice = format!("start_time={MOMENT}&end_time={MOMENT}&duration=60");
    names(&held.hold(read, 400, &api.get(&format!("/v1/measurements/ship.length?{twice}"))), "duration");
    held.hold(&format!("get {METRIC}"), 404, &api.get("/v1/metrics/none"));
    names(&held.hold(&format!("get {METRIC}"), 400, &api.get("/v1/metrics/tide.height?count=0")), "count");
    let put = format!("put {METRIC}");
    held.hold(&put, 404, &api.put("/v1/metrics/none", &json!({})));
    names(&held.hold(&put, 400, &api.put("/v1/metrics/none", &json!({ "type": "composite" }))), "type");
    held.hold(&put, 403, &viewer.put("/v1/metrics/lamps", &json!({})));
    held.hold(&format!("delete {METRIC}"), 404, &api.delete("/v1/metrics/none"));
    held.hold(&format!("delete {METRIC}"), 400, &api.delete("/v1/metrics/manager.emits"));
    held.hold("delete /v1/metrics", 400, &delete_with(api, "/v1/metrics", &json!({})));

    let annotate = format!("post {STREAM}");
    names(&held.hold(&annotate, 400, &api.post("/v1/annotations/storms", &json!({}))), "title");
    let backwards = json!({ "title": "x", "start_time": 2, "end_time": 1 });
    names(&held.hold(&annotate, 400, &api.post("/v1/annotations/storms", &backwards)), "end_time");
    let own = api.post("/v1/annotations/manager.jobs", &json!({ "title": "x" }));
    names(&held.hold(&annotate, 400, &own), "name");
    held.hold(&annotate, 403, &viewer.post("/v1/annotations/storms", &json!({ "title": "x" })));
    let get = format!("get {STREAM}");
    names(&held.hold(&get, 400, &api.get("/v1/annotations/storms?end_time=soon")), "end_time");
    held.hold(&format!("get {EVENT}"), 404, &api.get("/v1/annotations/storms/first"));
    held.hold(&format!("put {EVENT}"), 404, &api.put("/v1/annotations/storms/99", &json!({})));
    held.hold(&format!("delete {STREAM}"), 404, &api.delete("/v1/annotations/none"));
}

fn errors_of_charts(held: &mut Held, api: &Api, viewer: &Api, chart: &str) {
    let charts = chart.rsplit_once('/').unwrap().0;
    names(&held.hold("post /v1/spaces", 400, &api.post("/v1/spaces", &json!({}))), "name");
    held.hold("post /v1/spaces", 403, &viewer.post("/v1/spaces", &json!({ "name": "x" })));
    held.hold(&format!("get {SPACE}"), 404, &api.get("/v1/spaces/none"));
    held.hold(&format!("put {SPACE}"), 403, &api.put("/v1/spaces/1", &json!({ "name": "x" })));
    held.hold(&format!("delete {SPACE}"), 404, &api.delete("/v1/spaces/99"));
    held.hold(&format!("get {CHARTS}"), 404, &api.get("/v1/spaces/99/charts"));
    held.hold(&format!("get {CHART}"), 404, &api.get("/v1/spaces/1/charts/99"));
    let post = format!("post {CHARTS}");
    for (body, parameter) in [
        (json!({}), "name"),
        (json!({ "name": "x", "streams": [{}] }), "streams[0].metric"),
        (json!({ "name": "x", "streams": [{ "composite": "s(1)" }] }), "streams[0].composite"),
        (json!({ "name": "x", "type": "pie" }), "type"),
    ] {
        names(&held.hold(&post, 400, &api.post(charts, &body)), parameter);
    }
    held.hold(&post, 403, &api.post("/v1/spaces/1/charts", &json!({ "name": "x" })));
    names(&held.hold(&format!("put {CHART}"), 400, &api.put(chart, &json!({ "name": "" }))), "name");
    held.hold(&format!("delete {CHART}"), 403, &viewer.delete(chart));

    let post = "post /v1/snapshots";
    for (body, parameter) in [
        (json!({}), "subject"),
        (json!({ "subject": { "instrument": { "id": 1 } } }), "subject"),
        (json!({ "subject": { "chart": {} } }), "subject.chart.id"),
        (json!({ "subject": { "chart": { "id": 1, "type": "pie" } } }), "subject.chart.type"),
        (json!({ "subject": { "chart": { "id": 1 } }, "duration": 2_419_201 }), "duration"),
        (json!({ "subject": { "chart": { "id": 1 } }, "end_time": "2999-01-01T00:00:00Z" }), "end_time"),
        (json!({ "subject": { "chart": { "id": 1 } }, "width": 199 }), "width"),
        (json!({ "subject": { "chart": { "id": 1 } }, "look": "odd" }), "look"),
    ] {
        names(&held.hold(post, 400, &api.post("/v1/snapshots", &body)), parameter);
    }
    let body = |id: i64| json!({ "subject": { "chart": { "id": id } } });
    held.hold(post, 404, &api.post("/v1/snapshots", &body(999)));
    // Viewers may ask for pictures, and not remove them.
    let asked = held.hold(post, 202, &viewer.post("/v1/snapshots", &body(1)));
    let path = format!("/v1/snapshots/{}", last(asked["href"].as_str().unwrap()));
    held.hold(&format!("delete {SNAPSHOT}"), 403, &viewer.delete(&path));
    held.hold(&format!("delete {SNAPSHOT}"), 404, &api.delete("/v1/snapshots/999"));
    held.hold(&format!("get {JOB}"), 404, &api.get("/v1/jobs/999"));
    names(&held.hold("get /v1/snapshots", 400, &api.get("/v1/snapshots?length=x")), "length");
}

fn removals(held: &mut Held, api: &Api, chart: &str) {
    held.hold(&format!("delete {JOB}"), 204, &cancelled(api));
    held.hold(&format!("delete {CHART}"), 204, &api.delete(chart));
    let space = chart.split("/charts").next().unwrap();
    held.hold(&format!("delete {SPACE}"), 204, &api.delete(space));
    held.hold(&format!("delete {EVENT}"), 204, &api.delete("/v1/annotations/storms/1"));
    held.hold(&format!("delete {STREAM}"), 204, &api.delete("/v1/annotations/storms"));
    held.hold(&format!("delete {METRIC}"), 204, &api.delete("/v1/metrics/lamps"));
    held.hold(
        "delete /v1/metrics",
        204,
        &delete_with(api, "/v1/metrics", &json!({ "names": ["tide.*", "none"] })),
    );
}

/// Cancels one of many jobs: two are drawn at once, so that the last one of them waits.
fn cancelled(api: &Api) -> Reply {
    let body = json!({ "subject": { "chart": { "id": 1 } }, "width": 2000, "height": 2000 });
    let jobs: Vec<Value> = (0..8).map(|_| api.post("/v1/snapshots", &body).expect(202)).collect();
    let job = |asked: &Value| format!("/v1/jobs/{}", last(asked["job_href"].as_str().unwrap()));
    let reply = api.delete(&job(jobs.last().unwrap()));
    for other in &jobs[..jobs.len() - 1] {
        api.delete(&job(other));
    }
    reply
}
