//! Metrics, charts and chart snapshots as a caller of Librato's API has them.
//!
//! It knows the paths and the documents, and makes no claim about them.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::http::Reply;
use super::{Api, Picture, TestServer, eventually};

/// Seconds that a picture may take, in a debug build on a busy machine.
const PICTURE_SECONDS: u64 = 120;

/// The states in which a job is over.
const END_STATES: [&str; 3] = ["complete", "failed", "canceled"];

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Keeps values of a gauge, each a time and a value, under a source where one is named.
pub fn gauge(api: &Api, name: &str, source: Option<&str>, points: &[(i64, f64)]) {
    let gauges: Vec<Value> = points
        .iter()
        .map(|(time, value)| json!({ "name": name, "source": source, "measure_time": time, "value": value }))
        .collect();
    api.post("/v1/metrics", &json!({ "gauges": gauges })).expect(200);
}

/// Keeps values of a metric with tags.
pub fn tagged(api: &Api, name: &str, tags: &Value, points: &[(i64, f64)]) {
    let measurements: Vec<Value> =
        points.iter().map(|(time, value)| json!({ "name": name, "time": time, "value": value })).collect();
    let body = json!({ "tags": tags, "measurements": measurements });
    api.post("/v1/measurements", &body).expect(202);
}

/// A line of points that rises by one each minute, the last a minute before `end`.
pub fn slope(end: i64, minutes: i64) -> Vec<(i64, f64)> {
    let value = |minute: i64| f64::from(i32::try_from(minute).unwrap());
    (0..minutes).map(|minute| (end - 60 * (minutes - minute), value(minute))).collect()
}

/// The series of a metric by their tags, each as (time, value), of the window from `start` to `end`.
pub fn series(api: &Api, name: &str, start: i64, end: i64, resolution: i64) -> Value {
    let path = format!("/v1/measurements/{name}?start_time={start}&end_time={end}&resolution={resolution}");
    let answer = api.get(&path).expect(200);
    let mut found = Map::new();
    for one in answer["series"].as_array().unwrap_or_else(|| panic!("no series: {answer:#}")) {
        let points: Vec<Value> = one["measurements"]
            .as_array()
            .unwrap_or_else(|| panic!("no measurements: {answer:#}"))
            .iter()
            .map(|point| json!([point["time"], point["value"]]))
            .collect();
        found.insert(one["tags"].to_string(), Value::Array(points));
    }
    Value::Object(found)
}

/// Makes a space, and gives its number.
pub fn create_space(api: &Api, name: &str) -> i64 {
    api.post("/v1/spaces", &json!({ "name": name })).expect(201)["id"].as_i64().expect("a number")
}

/// Makes a chart, and gives its number.
pub fn create_chart(api: &Api, space: i64, chart: &Value) -> i64 {
    let path = format!("/v1/spaces/{space}/charts");
    api.post(&path, chart).expect(201)["id"].as_i64().expect("a number")
}

/// Checks that this refuses a parameter by its name, in the form that the clients read; gives the reason.
pub fn refused_parameter(reply: &Reply, name: &str) -> String {
    let body = reply.expect(400);
    assert!(reply.header("content-type").starts_with("application/json"), "{:?}", reply.headers);
    let params = body["errors"]["params"].as_object().unwrap_or_else(|| panic!("no parameter: {body:#}"));
    assert_eq!(params.keys().collect::<Vec<_>>(), [name], "{body:#}");
    params[name][0].as_str().filter(|reason| !reason.is_empty()).expect("a reason").to_owned()
}

/// Checks that this refuses the request as a whole, in the form that the clients read; gives the reason.
pub fn refused_request(reply: &Reply, status: u16) -> String {
    let body = reply.expect(status);
    assert!(reply.header("content-type").starts_with("application/json"), "{:?}", reply.headers);
    let reason = body["errors"]["request"][0].as_str().unwrap_or_else(|| panic!("no reason: {body:#}"));
    assert_ne!(reason, "");
    reason.to_owned()
}

/// The path of an absolute link to the server that was asked.
pub fn local(api: &Api, href: &Value) -> String {
    let href = href.as_str().unwrap_or_else(|| panic!("no link: {href}"));
    let base = api.url("/");
    let path = href.strip_prefix(base.trim_end_matches('/'));
    path.unwrap_or_else(|| panic!("`{href}` does not lead to `{base}`")).to_owned()
}

/// A chart snapshot and who calls.
#[derive(Clone)]
pub struct ChartSnapshot {
    pub api: Api,
    pub number: i64,
    pub job: i64,
}

impl ChartSnapshot {
    /// Asks for a picture of a chart's last hour.
    pub fn of(api: &Api, chart: i64) -> Self {
        Self::ask(api, &json!({ "subject": { "chart": { "id": chart } } }))
    }

    /// Asks for a picture.
    pub fn ask(api: &Api, body: &Value) -> Self {
        Self::read(api, &api.post("/v1/snapshots", body).expect(202))
    }

    /// The one that a document describes.
    pub fn read(api: &Api, document: &Value) -> Self {
        let number = |href: &Value| -> i64 {
            let text = href.as_str().unwrap_or_else(|| panic!("no link: {document:#}"));
            text.rsplit('/').next().unwrap().parse().expect("links end in the number")
        };
        Self { api: api.clone(), number: number(&document["href"]), job: number(&document["job_href"]) }
    }

    /// Its path.
    pub fn path(&self) -> String {
        format!("/v1/snapshots/{}", self.number)
    }

    /// The resource.
    pub fn get(&self) -> Value {
        self.api.get(&self.path()).expect(200)
    }

    /// The job that draws it.
    pub fn get_job(&self) -> Value {
        self.api.get(&format!("/v1/jobs/{}", self.job)).expect(200)
    }

    /// Cancels the job.
    pub fn cancel(&self) -> Reply {
        self.api.delete(&format!("/v1/jobs/{}", self.job))
    }

    /// Waits until the job is in a state, and gives it.
    pub fn wait_for(&self, state: &str) -> Value {
        eventually(&format!("job {} is {state}", self.job), PICTURE_SECONDS, || {
            let job = self.get_job();
            let is_over = END_STATES.contains(&job["state"].as_str().unwrap());
            assert!(!is_over || job["state"] == state, "{job:#}");
            (job["state"] == state).then_some(job)
        })
    }

    /// Waits until the job is over, however it ended, and gives its state.
    pub fn wait_for_end(&self) -> String {
        eventually(&format!("job {} is over", self.job), PICTURE_SECONDS, || {
            let state = self.get_job()["state"].as_str().unwrap().to_owned();
            END_STATES.contains(&state.as_str()).then_some(state)
        })
    }

    /// Waits until it is drawn, and gives the bytes of the picture, as anybody gets them.
    pub fn png(&self) -> Vec<u8> {
        self.wait_for("complete");
        let reply = self.api.nobody().get(&local(&self.api, &self.get()["image_href"]));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("content-type"), "image/png");
        reply.body
    }

    /// Waits until it is drawn, and gives what the picture shows.
    pub fn picture(&self) -> Picture {
        Picture::decode(&self.png())
    }
}

/// Sends a body under a label.
pub fn send(api: &Api, method: Method, path: &str, label: &str, body: impl Into<Vec<u8>>) -> Reply {
    api.send(api.request(method, path).header("Content-Type", label).body(body.into()))
}

/// A caller in another tenant, which is made.
pub fn other_tenant(server: &TestServer, name: &str) -> Api {
    let api = server.api();
    api.post(&format!("tenants/{name}"), &json!({})).expect(201);
    api.tenant(name)
}
