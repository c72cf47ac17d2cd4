//! Annotations by raw HTTP: what happened when, as events of a stream.

use serde_json::{Value, json};

use crate::harness::{TestServer, add_member, now, other_tenant, refused_parameter, refused_request};

#[test]
fn events_are_made_read_changed_and_deleted() {
    let server = TestServer::builder().settings("[metrics]\nown_seconds = 0").start();
    let api = server.api();
    let time = now() - 600;
    let links = json!([{ "rel": "commit", "href": "http://example.org/1", "label": "the commit" }]);
    let whole = json!({ "title": "Release <42>", "source": "web", "description": "out it goes",
                        "start_time": time, "end_time": time + 60, "links": links });
    let reply = api.post("/v1/annotations/deploys", &whole);
    let mut made = reply.expect(201);
    let id = made["id"].as_i64().expect("a number");
    assert_eq!(reply.header("location"), format!("/v1/annotations/deploys/{id}"));
    made.as_object_mut().unwrap().remove("id");
    assert_eq!(made, whole);
    let least = api.post("/v1/annotations/deploys", &json!({ "title": "Now" })).expect(201);
    assert!((now() - least["start_time"].as_i64().unwrap()).abs() < 60, "{least:#}");
    assert_eq!(least["end_time"], Value::Null);

    let path = format!("/v1/annotations/deploys/{id}");
    let event = |value: &Value| {
        let mut value = value.clone();
        value["id"] = json!(id);
        value
    };
    let mut one = event(&whole);
    one["name"] = json!("deploys");
    assert_eq!(api.get(&path).expect(200), one);
    let stream = |query: &str| api.get(&format!("/v1/annotations/deploys{query}")).expect(200);
    assert_eq!(
        stream(""),
        json!({ "name": "deploys", "display_name": "deploys",
                "events": [{ "web": [event(&whole)], "unassigned": [least] }] })
    );
    let sources = |query: &str| -> Vec<String> {
        stream(query)["events"][0].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(sources(&format!("?start_time={}&end_time={}", time - 60, time + 30)), ["web"]);
    assert_eq!(sources(&format!("?start_time={}", time + 30)).len(), 2, "one that goes on is in the window");
    assert_eq!(sources(&format!("?start_time={}", time + 300)), ["unassigned"]);
    assert_eq!(sources(&format!("?end_time={}", time - 300)), Vec::<String>::new());

    let changed = api.put(&path, &json!({ "title": "Release 43", "end_time": time + 90 }));
    assert_eq!((changed.status, changed.body.len()), (204, 0));
    let after = api.get(&path).expect(200);
    let mut wanted = one.clone();
    wanted["title"] = json!("Release 43");
    wanted["end_time"] = json!(time + 90);
    assert_eq!(after, wanted, "what is not named stays");

    api.post("/v1/annotations/outages/", &json!({ "title": "Dark" })).expect(201);
    let list = api.get("/v1/annotations").expect(200);
    assert_eq!(list["query"], json!({ "found": 2, "length": 2, "offset": 0, "total": 2 }));
    assert_eq!(list["annotations"][0]["name"], "deploys");
    assert_eq!(list["annotations"][1]["name"], "outages");
    let named = api.get("/v1/annotations?name=OUT").expect(200);
    assert_eq!(named["annotations"].as_array().unwrap().len(), 1, "{named:#}");

    assert_eq!(api.delete(&path).status, 204);
    refused_request(&api.get(&path), 404);
    refused_request(&api.delete(&path), 404);
    assert_eq!(api.delete("/v1/annotations/deploys").status, 204);
    refused_request(&api.delete("/v1/annotations/deploys"), 404);
    assert_eq!(api.get("/v1/annotations").expect(200)["query"]["total"], 1);
}

#[test]
fn what_cannot_be_an_event_is_refused() {
    let server = TestServer::builder().settings("[metrics]\nown_seconds = 0").start();
    let api = server.api();
    for (body, name) in [
        (json!({}), "title"),
        (json!({ "title": " " }), "title"),
        (json!({ "title": 7 }), "title"),
        (json!({ "title": "t", "start_time": "soon" }), "start_time"),
        (json!({ "title": "t", "start_time": 100, "end_time": 50 }), "end_time"),
        (json!({ "title": "t", "links": 7 }), "links"),
        (json!({ "title": "t", "links": [7] }), "links"),
        (json!({ "title": "t", "links": [{ "rel": "a" }] }), "links.href"),
    ] {
        refused_parameter(&api.post("/v1/annotations/deploys", &body), name);
    }
    refused_parameter(&api.post("/v1/annotations/manager.jobs", &json!({ "title": "t" })), "name");
    refused_parameter(&api.delete("/v1/annotations/Manager.jobs"), "name");
    assert_eq!(api.get("/v1/annotations").expect(200)["query"]["total"], 0);
    for path in ["/v1/annotations/deploys/1", "/v1/annotations/deploys/x"] {
        refused_request(&api.get(path), 404);
        refused_request(&api.put(path, &json!({ "title": "t" })), 404);
    }
    // Times out of this world are refused, or kept and drawn past; nothing breaks.
    for time in [i64::MIN, i64::MAX] {
        let reply = api.post("/v1/annotations/far", &json!({ "title": "t", "start_time": time }));
        assert!(reply.status == 201 || reply.status == 400, "{time}: {}", reply.text());
        let read = api.get(&format!("/v1/annotations/far?start_time={time}&end_time={time}"));
        assert!([200, 400, 404].contains(&read.status), "{time}: {}", read.text());
    }
}

#[test]
fn tenants_do_not_see_each_other_s_events() {
    let server = TestServer::start();
    let api = server.api();
    let other = other_tenant(&server, "north");
    let made = api.post("/v1/annotations/deploys", &json!({ "title": "Mine" })).expect(201);
    let path = format!("/v1/annotations/deploys/{}", made["id"]);
    refused_request(&other.get(&path), 404);
    refused_request(&other.put(&path, &json!({ "title": "Yours" })), 404);
    refused_request(&other.delete(&path), 404);
    assert_eq!(api.get(&path).expect(200)["title"], "Mine");

    let viewer = add_member(&server, "vera", "default_tenant", "viewer");
    let operator = add_member(&server, "olga", "default_tenant", "operations");
    viewer.get(&path).expect(200);
    refused_request(&viewer.post("/v1/annotations/deploys", &json!({ "title": "t" })), 403);
    operator.post("/v1/annotations/deploys", &json!({ "title": "t" })).expect(201);
    refused_request(&operator.delete(&path), 403);
}
