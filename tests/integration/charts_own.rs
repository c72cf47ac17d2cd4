//! The service measures itself, marks what it did, and draws a chart of each backup and restore.

use serde_json::{Value, json};

use crate::harness::{
    Api, ChartSnapshot, Picture, TestServer, add_member, create_chart, create_space, eventually, gauge,
    local, now, other_tenant, refused_parameter, refused_request, slope,
};

/// A server that measures itself each second.
fn busy_server() -> TestServer {
    TestServer::builder().settings("[metrics]\nown_seconds = 1").start()
}

/// The series of one of the service's own metrics, of the last ten minutes; none where it is unknown.
fn own_series(api: &Api, metric: &str) -> Vec<Value> {
    let reply = api.get(&format!("/v1/measurements/{metric}?duration=600&resolution=1"));
    if reply.status == 404 {
        return Vec::new();
    }
    reply.expect(200)["series"].as_array().unwrap().clone()
}

/// The latest value of the series whose tag has a value.
fn latest(series: &[Value], tag: &str, value: &str) -> Option<f64> {
    let found = series.iter().find(|one| one["tags"][tag] == value)?;
    found["measurements"].as_array()?.last()?["value"].as_f64()
}

/// The annotations of backups and restores, oldest first.
fn marks(api: &Api) -> Vec<Value> {
    let reply = api.get("/v1/annotations/manager.jobs");
    if reply.status == 404 {
        return Vec::new();
    }
    let events = reply.expect(200)["events"][0].take();
    events["unassigned"].as_array().cloned().unwrap_or_default()
}

/// The chart snapshot that the report of an execution names, and the execution that draws it.
fn chart_of(api: &Api, execution: &Value) -> (ChartSnapshot, Value) {
    let chart = &execution["report"]["chart"];
    let number =
        chart["snapshot"].as_i64().unwrap_or_else(|| panic!("no chart in the report: {execution:#}"));
    let child = json!({ "id": chart["execution_id"] });
    let document = api.get(&format!("/v1/snapshots/{number}")).expect(200);
    (ChartSnapshot::read(api, &document), child)
}

#[test]
fn the_service_measures_itself() {
    let server = busy_server();
    let api = server.api();
    api.create_snapshot("nightly", &json!({}));
    let archive = api.archive("nightly");
    eventually("the service has measured itself", 60, || {
        let databases = own_series(&api, "manager.database.bytes");
        let archives = own_series(&api, "manager.archives.bytes");
        let is_told = |name: &str| latest(&databases, "database", name).is_some_and(|bytes| bytes > 1000.0);
        let size = archives.first()?["measurements"].as_array()?.last()?["value"].as_f64()?;
        #[expect(clippy::cast_precision_loss, reason = "an archive of a test is small")]
        let is_size = (size - archive.len() as f64).abs() < 1.0;
        (is_told("records") && is_told("manager") && is_size).then_some(())
    });
    let seconds = own_series(&api, "manager.job.seconds");
    let took = latest(&seconds, "workflow", "create_snapshot").expect("the create is measured");
    assert!((0.0..60.0).contains(&took), "{took}");
    eventually("requests and executions are measured", 60, || {
        let requests = own_series(&api, "manager.requests.ms");
        latest(&requests, "face", "cloudify").filter(|took| *took > 0.0)?;
        latest(&requests, "face", "charts").filter(|took| *took > 0.0)?;
        latest(&own_series(&api, "manager.executions"), "status", "started")?;
        (!own_series(&api, "manager.queue.depth").is_empty()).then_some(())
    });
    let page = api.get("/v1/metrics?name=manager.").expect(200);
    let names: Vec<_> = page["metrics"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    for name in
        ["executions", "queue.depth", "job.seconds", "snapshot.bytes", "requests.ms", "archives.bytes"]
    {
        assert!(names.contains(&json!(format!("manager.{name}"))), "no `manager.{name}` in {names:?}");
    }

    // They are everybody's to read and nobody's to write.
    let north = other_tenant(&server, "north");
    assert!(!own_series(&north, "manager.database.bytes").is_empty());
    let viewer = add_member(&server, "vera", "default_tenant", "viewer");
    assert!(!own_series(&viewer, "manager.database.bytes").is_empty());
    refused_parameter(&api.put("/v1/metrics/manager.queue.depth", &json!({ "period": 1 })), "name");
    refused_parameter(&api.delete("/v1/metrics/manager.queue.depth"), "name");
    let names = json!({ "names": ["manager.*"] });
    refused_parameter(&api.send(api.request(reqwest::Method::DELETE, "/v1/metrics").json(&names)), "name");
    api.send(api.request(reqwest::Method::DELETE, "/v1/metrics").json(&json!({ "names": ["*"] })))
        .expect_status(204);
    assert!(!own_series(&api, "manager.database.bytes").is_empty());
}

#[test]
fn the_charts_of_the_space_manager_show_something() {
    let server = busy_server();
    let api = server.api();
    api.create_snapshot("nightly", &json!({}));
    eventually("the service has measured itself", 60, || {
        let databases = own_series(&api, "manager.database.bytes");
        (databases.first()?["measurements"].as_array()?.len() >= 3).then_some(())
    });
    for chart in api.get("/v1/spaces/1").expect(200)["charts"].as_array().unwrap() {
        let body = json!({ "subject": { "chart": { "id": chart["id"] } }, "duration": 120 });
        ChartSnapshot::ask(&api, &body).picture().expect_not_empty();
    }
    // A chart of one's own draws them too, whichever tenant it is of.
    let north = other_tenant(&server, "north");
    let stream = json!({ "metric": "manager.database.bytes", "color": "#e6007e", "group_function": "sum" });
    let body = json!({ "name": "n", "type": "stacked", "streams": [stream] });
    let chart = create_chart(&north, create_space(&north, "Mine"), &body);
    let body = json!({ "subject": { "chart": { "id": chart } }, "duration": 60 });
    assert!(ChartSnapshot::ask(&north, &body).picture().count("#e6007e") > 0);
}

#[test]
fn a_backup_is_marked_and_drawn_by_a_child() {
    let server = TestServer::start();
    let api = server.api();
    let before = now();
    let create = api.create_snapshot("nightly", &json!({}));
    let (snapshot, child) = chart_of(&api, &create);
    let child = api.wait_for_end(&child);
    assert_eq!(child["status"], "terminated", "{child:#}");
    assert_eq!(child["workflow_id"], "render_chart");
    assert_eq!(child["parent_id"], create["id"]);
    assert_eq!(child["is_system_workflow"], true);
    let picture = snapshot.picture();
    assert_eq!(picture.size(), (600, 416));
    picture.expect_not_empty();
    let document = snapshot.get();
    let duration = document["duration"].as_i64().unwrap();
    assert!((900..900 + 120).contains(&duration), "from a quarter of an hour before its start: {document:#}");
    let hidden = api.get("executions?workflow_id=render_chart").items();
    assert!(hidden.is_empty(), "lists show pictures only to who asks for them");
    let seen = api.get("executions?_include_system_workflows=true&workflow_id=render_chart").items();
    assert_eq!(seen.len(), 1);

    let mark = &marks(&api)[0];
    let title = mark["title"].as_str().unwrap();
    assert!(title.contains("nightly") && title.contains("terminated"), "{title}");
    assert!(mark["description"].as_str().unwrap().contains(create["id"].as_str().unwrap()), "{mark:#}");
    let (start, end) = (mark["start_time"].as_i64().unwrap(), mark["end_time"].as_i64().unwrap());
    assert!(before <= start && start <= end && end <= now() + 1, "{mark:#}");
    let id = mark["id"].as_i64().unwrap();
    refused_parameter(&api.delete(&format!("/v1/annotations/manager.jobs/{id}")), "name");
    // The job of the create is the execution by its number.
    let jobs: Vec<_> =
        (1..=snapshot.job).map(|job| api.get(&format!("/v1/jobs/{job}")).json()["state"].clone()).collect();
    assert!(jobs.iter().filter(|state| **state == "complete").count() >= 2, "{jobs:?}");
}

#[test]
fn restores_rollbacks_and_failures_are_marked_and_drawn_too() {
    let server = TestServer::start();
    let api = server.api();
    let create = api.create_snapshot("nightly", &json!({}));
    let restore = api.restore_snapshot("nightly", &json!({ "force": true }));
    let rollback = api.wait_for_end(&api.post("/service/rollback", &json!({})).expect(200));
    for execution in [&create, &restore, &rollback] {
        assert_eq!(execution["status"], "terminated", "{execution:#}");
        let (snapshot, child) = chart_of(&api, execution);
        assert_eq!(api.wait_for_end(&child)["status"], "terminated");
        snapshot.picture().expect_not_empty();
    }
    let titles: Vec<_> = marks(&api).iter().map(|mark| mark["title"].as_str().unwrap().to_owned()).collect();
    assert_eq!(titles.len(), 3, "{titles:?}");
    for (title, word) in titles.iter().zip(["create", "restore", "rollback"]) {
        assert!(title.contains(word), "{titles:?}");
    }
    // The mark of a job that failed says so.
    let refused = api.restore_snapshot("nightly", &json!({}));
    if refused["status"] == "failed" {
        let last = marks(&api).pop().unwrap();
        assert!(last["title"].as_str().unwrap().contains("failed"), "{last:#}");
    }
}

#[test]
fn a_picture_that_fails_fails_no_backup() {
    let server = TestServer::builder().failpoint("render:drawing=fail").start();
    let api = server.api();
    let create = api.create_snapshot("nightly", &json!({}));
    let (snapshot, child) = chart_of(&api, &create);
    let child = api.wait_for_end(&child);
    assert_eq!(child["status"], "failed", "{child:#}");
    assert_eq!(snapshot.wait_for_end(), "failed");
    let job = snapshot.get_job();
    assert!(job["errors"]["job"][0].as_str().unwrap().contains("injected"), "{job:#}");
    assert!(job.get("output").is_none(), "{job:#}");
    assert!(snapshot.get()["image_href"].is_null());
    let execution = api.get(&format!("executions/{}", create["id"].as_str().unwrap())).expect(200);
    assert_eq!(execution["status"], "terminated", "{execution:#}");
    assert_eq!(api.get("snapshots/nightly").expect(200)["status"], "created");
    let restore = api.restore_snapshot("nightly", &json!({ "force": true }));
    assert_eq!(restore["status"], "terminated", "{restore:#}");
    assert!(!api.archive("nightly").is_empty());
}

#[test]
fn a_backup_does_not_wait_for_its_picture() {
    let server = TestServer::builder().holding("render:drawing").start();
    let api = server.api();
    let first = api.create_snapshot("first", &json!({}));
    api.create_snapshot("second", &json!({}));
    let (_, child) = chart_of(&api, &first);
    api.wait_for_status(&child, "started");
    assert_eq!(api.delete("snapshots/first").status, 200, "nor does a delete");
    server.release();
    let (snapshot, _) = chart_of(&api, &first);
    snapshot.picture().expect_not_empty();
}

#[test]
fn annotations_are_marks_on_pictures() {
    let server = TestServer::start();
    let api = server.api();
    let end = now();
    gauge(&api, "tide", None, &slope(end, 60));
    let space = create_space(&api, "Harbour");
    let chart = create_chart(&api, space, &json!({ "name": "Tide", "streams": [{ "metric": "tide" }] }));
    let drawn = |chart: i64, end: i64| {
        ChartSnapshot::ask(&api, &json!({ "subject": { "chart": { "id": chart } }, "end_time": end }))
    };
    let svg_of = |snapshot: &ChartSnapshot| {
        let image = local(&api, &snapshot.get()["image_href"]);
        api.get(&image.replace(".png", ".svg")).text()
    };
    let plain = drawn(chart, end).picture();
    for (title, start) in [("Storm", end - 1800), ("Elsewhere", end - 86_400)] {
        let event = json!({ "title": title, "start_time": start, "end_time": start + 300 });
        api.post("/v1/annotations/weather", &event).expect(201);
    }
    let marked = drawn(chart, end);
    assert!(plain.differing(&marked.picture()) > 0);
    let svg = svg_of(&marked);
    assert!(svg.contains("Storm") && !svg.contains("Elsewhere"), "{svg}");

    // Backups and restores are marks on the service's own charts.
    let (backup, _) = chart_of(&api, &api.create_snapshot("nightly", &json!({})));
    backup.wait_for("complete");
    let svg = svg_of(&backup);
    assert!(svg.contains("nightly") && !svg.contains("Storm"), "{svg}");
}

#[test]
fn a_service_that_is_told_not_to_measures_nothing_of_itself() {
    let server = TestServer::builder().settings("[metrics]\nown_seconds = 0").start();
    let api = server.api();
    assert_eq!(api.get("/v1/metrics").expect(200)["query"]["total"], 0);
    refused_request(&api.get("/v1/metrics/manager.queue.depth"), 404);
    // The picture of a backup says that there is nothing, and is drawn.
    let create = api.create_snapshot("nightly", &json!({}));
    let (snapshot, _) = chart_of(&api, &create);
    Picture::decode(&snapshot.png()).expect_not_empty();
}
