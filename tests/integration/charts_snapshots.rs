//! Chart snapshots and their jobs by raw HTTP: the document, links, lists, refusals, cancels, the queue.

use std::thread;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Api, ChartSnapshot, TestServer, add_member, create_chart, create_space, eventually, gauge, local, now,
    other_tenant, refused_parameter, refused_request, send, slope,
};

const FORM: &str = "application/x-www-form-urlencoded";

/// A line chart of a gauge that rises for an hour.
fn rising_chart(api: &Api) -> i64 {
    gauge(api, "tide", Some("pier"), &slope(now(), 60));
    let space = create_space(api, "Harbour");
    create_chart(api, space, &json!({ "name": "Tide", "streams": [{ "metric": "tide" }] }))
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A moment as this API writes it.
fn written(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[test]
fn a_snapshot_is_answered_at_once_and_drawn_by_a_job() {
    let server = TestServer::builder().holding("render:drawing").start();
    let api = server.api();
    let chart = rising_chart(&api);
    let before = now();
    let reply =
        api.post("/v1/snapshots", &json!({ "subject": { "chart": { "id": chart, "type": "stacked" } } }));
    let body = reply.expect(202);
    let asked = ChartSnapshot::read(&api, &body);
    let (base, number, job) = (api.url("").replace("/api/v3.1/", ""), asked.number, asked.job);
    assert_eq!(reply.header("location"), format!("/v1/snapshots/{number}"));
    let created = text_of(&body["created_at"]);
    let end = text_of(&body["end_time"]);
    assert!(
        written(before).as_str() <= end && end <= created && created <= written(now()).as_str(),
        "{body:#}"
    );
    assert_eq!(
        body,
        json!({
            "href": format!("{base}/v1/snapshots/{number}"),
            "job_href": format!("{base}/v1/jobs/{job}"),
            "image_href": null,
            "duration": 3600,
            "end_time": end,
            "created_at": created,
            "updated_at": created,
            "subject": { "chart": { "id": chart, "sources": ["*"], "type": "stacked" } },
        })
    );
    assert_eq!(asked.get(), body);

    let working = asked.wait_for("working");
    assert_eq!(working["id"], job);
    let progress = working["progress"].as_f64().expect("a number");
    assert!((0.0..100.0).contains(&progress), "{working:#}");
    assert!(working.get("errors").is_none(), "{working:#}");
    server.release();
    let complete = asked.wait_for("complete");
    assert_eq!(complete["progress"], 100.0);

    let mut drawn = asked.get();
    let image = drawn["image_href"].take();
    assert_eq!(complete["output"]["image_href"], image, "{complete:#}");
    let path = local(&api, &image);
    let name = path.strip_prefix("/images/").expect("a picture").strip_suffix(".png").expect("a PNG");
    let (key, end) = name.rsplit_once('-').unwrap();
    assert_eq!((key.len(), end), (24, number.to_string().as_str()), "{name}");
    assert!(key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{name}");
    drawn["updated_at"] = body["updated_at"].clone();
    assert_eq!(drawn, body, "nothing else has changed");
    asked.picture().expect_not_empty();
}

#[test]
fn links_lead_to_the_host_that_was_asked_or_to_the_one_of_the_settings() {
    let server = TestServer::start();
    let api = server.api();
    let chart = rising_chart(&api);
    let body = json!({ "subject": { "chart": { "id": chart } } });
    let request = api.request(Method::POST, "/v1/snapshots").header("Host", "charts.example.org:8443");
    let named = api.send(request.json(&body)).expect(202);
    assert!(text_of(&named["href"]).starts_with("http://charts.example.org:8443/v1/snapshots/"), "{named:#}");
    assert!(text_of(&named["job_href"]).starts_with("http://charts.example.org:8443/v1/jobs/"), "{named:#}");

    let server = TestServer::builder()
        .settings("[server]\npublic_url = \"https://lifeboat.example.org/boats/\"")
        .start();
    let api = server.api();
    let chart = rising_chart(&api);
    let asked = api.post("/v1/snapshots", &json!({ "subject": { "chart": { "id": chart } } })).expect(202);
    let prefix = "https://lifeboat.example.org/boats/";
    assert!(text_of(&asked["href"]).starts_with(&format!("{prefix}v1/snapshots/")), "{asked:#}");
    let snapshot = ChartSnapshot::read(&api, &asked);
    let job = snapshot.wait_for("complete");
    assert!(text_of(&job["output"]["image_href"]).starts_with(&format!("{prefix}images/")), "{job:#}");
    assert!(text_of(&snapshot.get()["image_href"]).starts_with(&format!("{prefix}images/")));
}

#[test]
fn every_shape_of_the_request_means_the_same() {
    let server = TestServer::start();
    let api = server.api();
    let chart = rising_chart(&api);
    let end = now() - 60;
    let ruby = chrono::DateTime::from_timestamp(end, 0).unwrap().format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let object = |end: Value| {
        json!({ "subject": { "chart": { "id": chart, "type": "stacked", "source": "pi*" } },
                "duration": 600, "end_time": end })
        .to_string()
    };
    let brackets = format!(
        "subject[chart][id]={chart}&subject[chart][source]=pi*&subject[chart][type]=stacked&duration=600&end_time="
    );
    let escaped = format!(
        "subject%5Bchart%5D%5Bid%5D={chart}&subject%5Bchart%5D%5Bsource%5D=pi%2A&subject%5Bchart%5D%5Btype%5D=stacked&duration=600&end_time="
    );
    let bodies = [
        ("application/json", object(json!(end))),
        ("application/json; charset=utf-8", object(json!(written(end)))),
        ("application/json", object(json!(ruby))),
        ("application/json", object(json!(end.to_string()))),
        (FORM, object(json!(end))),
        (FORM, format!("  \n{}", object(json!(ruby)))),
        (FORM, format!("{brackets}{end}")),
        (FORM, format!("{escaped}{}", ruby.replace(' ', "+"))),
        ("text/plain", object(json!(end))),
    ];
    for (label, body) in bodies {
        for path in ["/v1/snapshots", "/v1/snapshots/"] {
            let made = send(&api, Method::POST, path, label, body.clone()).expect(202);
            assert_eq!(made["end_time"], written(end), "{label}: {body}");
            assert_eq!(made["duration"], 600, "{label}: {body}");
            let subject = json!({ "chart": { "id": chart, "sources": ["pi*"], "type": "stacked" } });
            assert_eq!(made["subject"], subject, "{label}: {body}");
        }
    }
    // No label at all.
    let request = api.request(Method::POST, "/v1/snapshots").body(object(json!(end)));
    api.send(request).expect(202);
    let tags = json!([{ "name": "berth", "values": ["a*", "b"] }]);
    let body = json!({ "subject": { "chart": { "id": chart, "tags": tags } } });
    let made = api.post("/v1/snapshots", &body).expect(202);
    assert_eq!(made["subject"]["chart"]["tags"], tags, "{made:#}");
}

#[test]
fn what_cannot_be_meant_is_refused_by_name_and_never_with_a_5xx() {
    let server = TestServer::start();
    let api = server.api();
    let chart = rising_chart(&api);
    let post = |body: &Value| api.post("/v1/snapshots", body);
    let with = |name: &str, value: Value| {
        let mut body = json!({ "subject": { "chart": { "id": chart } } });
        body[name] = value;
        body
    };
    for (body, name) in [
        (json!({}), "subject"),
        (json!({ "subject": 7 }), "subject"),
        (json!({ "subject": {} }), "subject"),
        (
            json!({ "subject": { "instrument": { "href": "http://example.org/v1/instruments/42" } } }),
            "subject",
        ),
        (json!({ "subject": { "instrument": { "id": 42 } } }), "subject"),
        (json!({ "subject": { "chart": 42 } }), "subject"),
        (json!({ "subject": { "chart": {} } }), "subject.chart.id"),
        (json!({ "subject": { "chart": { "id": "one" } } }), "subject.chart.id"),
        (json!({ "subject": { "chart": { "id": chart, "type": "pie" } } }), "subject.chart.type"),
        (with("duration", json!(0)), "duration"),
        (with("duration", json!(-1)), "duration"),
        (with("duration", json!(2_419_201)), "duration"),
        (with("duration", json!(i64::MAX)), "duration"),
        (with("duration", json!(i64::MIN)), "duration"),
        (with("duration", json!("long")), "duration"),
        (with("duration", json!(1.5)), "duration"),
        (with("end_time", json!(now() + 3600)), "end_time"),
        (with("end_time", json!(i64::MAX)), "end_time"),
        (with("end_time", json!(i64::MIN)), "end_time"),
        (with("end_time", json!(1e300)), "end_time"),
        (with("end_time", json!("tomorrow")), "end_time"),
        (with("end_time", json!([1])), "end_time"),
        (with("width", json!(0)), "width"),
        (with("width", json!(100_000)), "width"),
        (with("height", json!(-5)), "height"),
        (with("scale", json!(3)), "scale"),
        (with("look", json!("neon")), "look"),
    ] {
        let reply = post(&body);
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        refused_parameter(&reply, name);
    }
    for body in ["{", "[1]", "{\"subject\":", "a[=1", "a=1&a[b]=2", "{\"subject\":{\"chart\":{\"id\":1}"] {
        refused_request(&send(&api, Method::POST, "/v1/snapshots", FORM, body), 400);
    }
    refused_request(&send(&api, Method::POST, "/v1/snapshots", FORM, b"\xff\xfe".to_vec()), 400);
    let deep = "[".repeat(100_000);
    refused_request(&send(&api, Method::POST, "/v1/snapshots", "application/json", deep), 400);
    // The longest window and the one that ends now are taken.
    post(&with("duration", json!(2_419_200))).expect(202);
    post(&with("end_time", json!(now()))).expect(202);

    for path in [
        "/v1/snapshots/424242",
        "/v1/snapshots/0",
        "/v1/snapshots/-1",
        "/v1/snapshots/none",
        "/v1/snapshots/99999999999999999999999",
        "/v1/jobs/424242",
        "/v1/jobs/none",
    ] {
        refused_request(&api.get(path), 404);
        refused_request(&api.delete(path), 404);
    }
    refused_request(&post(&json!({ "subject": { "chart": { "id": 424_242 } } })), 404);
    refused_request(&api.nobody().post("/v1/snapshots", &with("duration", json!(60))), 401);
    refused_request(&send(&api, Method::PATCH, "/v1/snapshots", FORM, ""), 405);
}

#[test]
fn lists_are_paged_newest_first_and_tenants_are_apart() {
    let server = TestServer::start();
    let api = server.api();
    let chart = rising_chart(&api);
    let made: Vec<_> = (0..5).map(|_| ChartSnapshot::of(&api, chart)).collect();
    for snapshot in &made {
        snapshot.wait_for("complete");
    }
    let numbers = |api: &Api, query: &str| -> (Vec<i64>, Value) {
        let page = api.get(&format!("/v1/snapshots{query}")).expect(200);
        let snapshots = page["snapshots"].as_array().unwrap_or_else(|| panic!("no list: {page:#}"));
        (snapshots.iter().map(|one| ChartSnapshot::read(api, one).number).collect(), page["query"].clone())
    };
    let mut newest: Vec<_> = made.iter().map(|snapshot| snapshot.number).collect();
    newest.reverse();
    let whole = json!({ "found": 5, "length": 5, "offset": 0, "total": 5 });
    assert_eq!(numbers(&api, ""), (newest.clone(), whole));
    let page = json!({ "found": 5, "length": 2, "offset": 1, "total": 5 });
    assert_eq!(numbers(&api, "?offset=1&length=2"), (newest[1..3].to_vec(), page));
    let beyond = json!({ "found": 5, "length": 0, "offset": 9, "total": 5 });
    assert_eq!(numbers(&api, "?offset=9"), (Vec::new(), beyond));
    refused_parameter(&api.get("/v1/snapshots?offset=-1"), "offset");

    let other = other_tenant(&server, "north");
    assert!(numbers(&other, "").0.is_empty());
    refused_request(&other.get(&made[0].path()), 404);
    refused_request(&other.delete(&made[0].path()), 404);
    refused_request(&other.post("/v1/snapshots", &json!({ "subject": { "chart": { "id": chart } } })), 404);

    let image = local(&api, &made[0].get()["image_href"]);
    let gone = api.delete(&made[0].path());
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    refused_request(&api.get(&made[0].path()), 404);
    refused_request(&api.get(&image), 404);
    refused_request(&api.delete(&made[0].path()), 404);
    assert_eq!(numbers(&api, "").0.len(), 4);
    made[1].png();
}

#[test]
fn viewers_ask_for_pictures_and_users_delete_them() {
    let server = TestServer::start();
    let api = server.api();
    let chart = rising_chart(&api);
    let viewer = add_member(&server, "vera", "default_tenant", "viewer");
    let user = add_member(&server, "ulla", "default_tenant", "user");
    let snapshot = ChartSnapshot::of(&viewer, chart);
    snapshot.picture().expect_not_empty();
    refused_request(&viewer.delete(&snapshot.path()), 403);
    assert_eq!(user.delete(&snapshot.path()).status, 204);
    let stranger = add_member(&server, "sven", "default_tenant", "viewer").tenant("north");
    api.post("tenants/north", &json!({})).expect(201);
    let status = stranger.get("/v1/snapshots").status;
    assert!([401, 403, 404].contains(&status), "{status}");
}

#[test]
fn a_job_is_cancelled_while_it_draws_and_while_it_waits() {
    let server = TestServer::builder().holding("render:drawing").start();
    let api = server.api();
    let chart = rising_chart(&api);
    let made: Vec<_> = (0..6).map(|_| ChartSnapshot::of(&api, chart)).collect();
    made[0].wait_for("working");
    assert_eq!(made[5].get_job()["state"], "queued");
    // Who may only look cancels nobody else's.
    let viewer = add_member(&server, "vera", "default_tenant", "viewer");
    refused_request(&viewer.delete(&format!("/v1/jobs/{}", made[0].job)), 403);
    assert_eq!(ChartSnapshot::of(&viewer, chart).cancel().status, 204);
    for snapshot in [&made[0], &made[5]] {
        let reply = snapshot.cancel();
        assert_eq!(reply.status, 204, "{}", reply.text());
        let job = snapshot.wait_for("canceled");
        assert!(job.get("output").is_none(), "{job:#}");
        assert!(snapshot.get()["image_href"].is_null());
    }
    // One that is deleted has nothing to be drawn for, and holds up nobody.
    assert_eq!(api.delete(&made[4].path()).status, 204);
    server.release();
    for snapshot in &made[1..4] {
        snapshot.png();
    }
    made[4].wait_for_end();
    let late = made[1].cancel();
    assert!((400..500).contains(&late.status), "{}: {}", late.status, late.text());

    // A backup is no job of this face, and is not cancelled here.
    let create = api.put("snapshots/nightly", &json!({})).expect(201);
    assert_eq!(api.wait_for_end(&create)["status"], "terminated");
    for job in 1..=made[5].job + 3 {
        let path = format!("/v1/jobs/{job}");
        eventually("the job is over", 60, || {
            let state = api.get(&path).json()["state"].take();
            (state != "working" && state != "queued").then_some(())
        });
        let status = api.delete(&path).status;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
}

#[test]
fn past_a_thousand_that_wait_the_next_is_told_to_come_later() {
    let server =
        TestServer::builder().holding("render:drawing").settings("[metrics]\nown_seconds = 0").start();
    let api = server.api();
    let chart = rising_chart(&api);
    let body =
        json!({ "subject": { "chart": { "id": chart } }, "duration": 60, "width": 200, "height": 120 });
    let ask = |count: usize| -> Vec<u16> {
        thread::scope(|scope| {
            let callers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| -> Vec<u16> {
                        (0..count / 8).map(|_| api.post("/v1/snapshots", &body).status).collect()
                    })
                })
                .collect();
            callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
        })
    };
    let statuses = ask(1040);
    let count = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((count(202), count(429)), (1000, 40), "all are taken or told to wait");
    let refused = api.post("/v1/snapshots", &body);
    refused_request(&refused, 429);
    // Backups are not held up by pictures.
    api.create_snapshot("nightly", &json!({}));
    let newest = api.get("/v1/snapshots?length=1").expect(200);
    ChartSnapshot::read(&api, &newest["snapshots"][0]).cancel();
    server.release();
    eventually("the queue is worked off", 300, || {
        (api.post("/v1/snapshots", &body).status == 202).then_some(())
    });
}

#[test]
fn no_more_are_kept_than_the_settings_allow() {
    let server = TestServer::builder().settings("[charts]\nmax_snapshots = 3").start();
    let api = server.api();
    let chart = rising_chart(&api);
    let made: Vec<_> = (0..3).map(|_| ChartSnapshot::of(&api, chart)).collect();
    let body = json!({ "subject": { "chart": { "id": chart } } });
    let reason = refused_request(&api.post("/v1/snapshots", &body), 429);
    assert!(reason.contains("max_snapshots"), "{reason}");
    // Neither other tenants nor backups are held up by them.
    let other = other_tenant(&server, "north");
    ChartSnapshot::of(&other, rising_chart(&other));
    let create = api.create_snapshot("nightly", &json!({}));
    assert!(create["report"]["chart"]["snapshot"].is_i64(), "{create:#}");
    made[0].wait_for("complete");
    assert_eq!(api.delete(&made[0].path()).status, 204);
    let last = ChartSnapshot::ask(&api, &body);
    assert!(last.number > made[2].number);
}
