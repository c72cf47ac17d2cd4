//! Spaces and charts by raw HTTP: documents, edits, refusals by name, the space that comes with the service.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Api, TestServer, add_member, create_chart, create_space, other_tenant, refused_parameter,
    refused_request, send,
};

fn names(api: &Api, query: &str) -> Vec<String> {
    let list = api.get(&format!("/v1/spaces{query}")).expect(200);
    let spaces = list["spaces"].as_array().unwrap_or_else(|| panic!("no list: {list:#}"));
    spaces.iter().map(|space| space["name"].as_str().unwrap().to_owned()).collect()
}

/// A chart without the numbers that the service gives.
fn without_ids(mut chart: Value) -> Value {
    chart.as_object_mut().unwrap().remove("id").expect("a number");
    for stream in chart["streams"].as_array_mut().expect("streams are a list") {
        stream.as_object_mut().unwrap().remove("id").expect("a number");
    }
    chart
}

#[test]
fn spaces_are_made_listed_renamed_and_deleted() {
    let server = TestServer::start();
    let api = server.api();
    let reply = api.post("/v1/spaces", &json!({ "name": "Harbour" }));
    let made = reply.expect(201);
    let id = made["id"].as_i64().expect("a number");
    assert!(id >= 1000, "{id}");
    assert_eq!(made, json!({ "id": id, "name": "Harbour", "tags": false }));
    assert_eq!(reply.header("location"), format!("/v1/spaces/{id}"));
    let tagged = api.post("/v1/spaces/", &json!({ "name": "Harbour", "tags": true })).expect(201);
    assert_eq!(tagged["tags"], true, "names may repeat: {tagged:#}");
    let formed =
        send(&api, Method::POST, "/v1/spaces", "application/x-www-form-urlencoded", "name=H%C3%A4fen");
    assert_eq!(formed.expect(201)["name"], "Häfen");

    assert_eq!(names(&api, ""), ["Manager", "Harbour", "Harbour", "Häfen"]);
    assert_eq!(names(&api, "?name=hARb"), ["Harbour", "Harbour"]);
    assert_eq!(names(&api, "?sort=desc&length=1"), ["Häfen"]);
    let list = api.get("/v1/spaces?name=harb&offset=1").expect(200);
    assert_eq!(list["query"], json!({ "found": 2, "length": 1, "offset": 1, "total": 4 }));

    let path = format!("/v1/spaces/{id}");
    assert_eq!(
        api.get(&path).expect(200),
        json!({ "id": id, "name": "Harbour", "tags": false, "charts": [] })
    );
    let charts: Vec<_> = (0..3).map(|_| create_chart(&api, id, &json!({ "name": "Tide" }))).collect();
    let wanted: Vec<_> = charts.iter().map(|id| json!({ "id": id })).collect();
    assert_eq!(api.get(&path).expect(200)["charts"], json!(wanted));
    let renamed = api.put(&path, &json!({ "name": "Port" }));
    assert_eq!((renamed.status, renamed.body.len()), (204, 0));
    assert_eq!(api.get(&path).expect(200)["name"], "Port");
    refused_parameter(&api.put(&path, &json!({ "name": "" })), "name");
    for body in [json!({}), json!({ "name": " " }), json!({ "name": 7 }), json!({ "name": "n".repeat(5000) })]
    {
        refused_parameter(&api.post("/v1/spaces", &body), "name");
    }
    refused_parameter(&api.post("/v1/spaces", &json!({ "name": "n", "tags": "some" })), "tags");

    let gone = api.delete(&path);
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    for path in [path.clone(), format!("{path}/charts"), format!("{path}/charts/{}", charts[0])] {
        refused_request(&api.get(&path), 404);
        refused_request(&api.delete(&path), if path.ends_with("charts") { 405 } else { 404 });
    }
    refused_request(&api.put(&path, &json!({ "name": "Port" })), 404);
    refused_request(&api.post(&format!("{path}/charts"), &json!({ "name": "Tide" })), 404);
    let next = create_space(&api, "Next");
    assert!(next > id + 2, "numbers are not used again");
}

#[test]
fn a_chart_keeps_all_that_clients_say_of_it() {
    let server = TestServer::start();
    let api = server.api();
    let space = create_space(&api, "Harbour");
    let charts = format!("/v1/spaces/{space}/charts");
    let plain = api.post(&charts, &json!({ "name": "Plain" })).expect(201);
    assert_eq!(
        without_ids(plain.clone()),
        json!({ "name": "Plain", "type": "line", "streams": [], "min": null, "max": null, "label": null,
                "related_space": null, "use_log_yaxis": null, "use_last_value": null, "thresholds": null })
    );
    let whole = json!({
        "name": "T\u{ef}de \u{1f30a} <b>".repeat(40), "type": "bignumber", "min": -1.5, "max": 10.0, "label": "cm",
        "related_space": space, "use_log_yaxis": true, "use_last_value": false,
        "thresholds": [{ "operator": ">", "value": 90.0, "type": "red" },
                       { "operator": "<", "value": 5.5, "type": "yellow" },
                       { "operator": "=", "value": 7.0, "type": "red" }],
        "streams": [
            { "metric": "tide", "type": "gauge", "source": "pier*", "group_function": "breakout",
              "summary_function": "max", "downsample_function": "min", "transform_function": "x*3600/p",
              "color": "#52D74C", "name": "Pier", "units_short": "cm", "units_long": "centimetres",
              "min": 0.0, "max": 5.0, "period": 60, "gap_detection": true },
            { "metric": "load", "group_function": "sum",
              "tags": [{ "name": "host", "values": ["web*", "db1"] }, { "name": "zone", "values": [], "dynamic": true }] },
        ],
    });
    let reply = api.post(&charts, &whole);
    let made = reply.expect(201);
    let id = made["id"].as_i64().expect("a number");
    assert_eq!(reply.header("location"), format!("{charts}/{id}"));
    assert_eq!(without_ids(made.clone()), whole);
    assert_eq!(api.get(&format!("{charts}/{id}/")).expect(200), made);
    assert_eq!(api.get(&charts).expect(200), json!([plain, made]), "a bare list");

    let changed =
        api.put(&format!("{charts}/{id}"), &json!({ "name": "Tide", "max": null, "thresholds": null }));
    let mut wanted = made.clone();
    wanted["name"] = json!("Tide");
    wanted["max"] = Value::Null;
    wanted["thresholds"] = Value::Null;
    assert_eq!(changed.expect(200), wanted, "what is not named stays");
    let streams = json!([made["streams"][1], { "metric": "wind" }]);
    let changed = api.put(&format!("{charts}/{id}"), &json!({ "streams": streams })).expect(200);
    assert_eq!(changed["streams"][0], made["streams"][1], "a stream keeps its number");
    let ids = |chart: &Value| -> Vec<i64> {
        chart["streams"].as_array().unwrap().iter().map(|stream| stream["id"].as_i64().unwrap()).collect()
    };
    assert!(!ids(&made)[..1].contains(&ids(&changed)[1]), "{changed:#}");
    assert_eq!(changed["streams"][1]["group_function"], "average");
    assert_eq!(api.get(&format!("{charts}/{id}")).expect(200), changed);

    let other = create_space(&api, "Other");
    refused_request(&api.get(&format!("/v1/spaces/{other}/charts/{id}")), 404);
    let gone = api.delete(&format!("{charts}/{id}"));
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    refused_request(&api.get(&format!("{charts}/{id}")), 404);
    assert!(create_chart(&api, space, &json!({ "name": "Next" })) > id, "numbers are not used again");
}

#[test]
fn a_chart_comes_in_brackets_too() {
    let server = TestServer::start();
    let api = server.api();
    let space = create_space(&api, "Harbour");
    let form = "name=Tide&type=stacked&min=0&max=10&use_log_yaxis=true&streams[0][metric]=tide&streams[0][source]=*\
                &streams[1][metric]=load&streams[1][tags][0][name]=host&streams[1][tags][0][values][]=web*\
                &thresholds[0][operator]=%3E&thresholds[0][value]=5&thresholds[0][type]=red";
    let path = format!("/v1/spaces/{space}/charts");
    let made = send(&api, Method::POST, &path, "application/x-www-form-urlencoded", form).expect(201);
    assert_eq!(
        (&made["min"], &made["max"], &made["use_log_yaxis"]),
        (&json!(0.0), &json!(10.0), &json!(true))
    );
    assert_eq!(made["streams"][0]["source"], "*");
    assert_eq!(made["streams"][1]["tags"], json!([{ "name": "host", "values": ["web*"] }]));
    assert_eq!(made["thresholds"], json!([{ "operator": ">", "value": 5.0, "type": "red" }]));
}

#[test]
fn what_a_chart_cannot_be_is_refused_by_name() {
    let server = TestServer::start();
    let api = server.api();
    let space = create_space(&api, "Harbour");
    let path = format!("/v1/spaces/{space}/charts");
    let with = |name: &str, value: Value| json!({ "name": "Tide", name: value });
    let stream =
        |name: &str, value: Value| json!({ "name": "Tide", "streams": [{ "metric": "tide", name: value }] });
    let threshold = |value: Value| with("thresholds", json!([value]));
    let many: Vec<_> = (0..101).map(|_| json!({ "metric": "m" })).collect();
    for (body, name) in [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": 7 }), "name"),
        (json!({ "name": "n".repeat(5000) }), "name"),
        (with("type", json!("pie")), "type"),
        (with("min", json!("low")), "min"),
        (json!({ "name": "n", "min": 5, "max": 5 }), "max"),
        (with("label", json!(7)), "label"),
        (with("use_log_yaxis", json!("perhaps")), "use_log_yaxis"),
        (with("related_space", json!("other")), "related_space"),
        (with("streams", json!(7)), "streams"),
        (with("streams", json!([7])), "streams"),
        (with("streams", json!([{}])), "streams[0].metric"),
        (with("streams", json!([{ "metric": "a b" }])), "streams[0].metric"),
        (
            with("streams", json!([{ "metric": "m" }, { "composite": "s(\"m\",\"*\")" }])),
            "streams[1].composite",
        ),
        (with("streams", json!([{ "composite": "s(\"m\",\"*\")" }])), "streams[0].composite"),
        (with("streams", json!(many)), "streams"),
        (stream("group_function", json!("median")), "streams[0].group_function"),
        (stream("summary_function", json!("median")), "streams[0].summary_function"),
        (stream("transform_function", json!("x+")), "streams[0].transform_function"),
        (stream("transform_function", json!("(".repeat(10_000))), "streams[0].transform_function"),
        (stream("color", json!("red")), "streams[0].color"),
        (stream("period", json!(0)), "streams[0].period"),
        (stream("tags", json!([{}])), "streams[0].tags[0].name"),
        (threshold(json!({ "value": 1, "type": "red" })), "thresholds[0].operator"),
        (threshold(json!({ "operator": ">=", "value": 1, "type": "red" })), "thresholds[0].operator"),
        (threshold(json!({ "operator": ">", "type": "red" })), "thresholds[0].value"),
        (threshold(json!({ "operator": ">", "value": 1, "type": "blue" })), "thresholds[0].type"),
    ] {
        let reply = api.post(&path, &body);
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        refused_parameter(&reply, name);
    }
    assert_eq!(api.get(&path).expect(200), json!([]), "nothing is kept of them");
    let chart = create_chart(&api, space, &json!({ "name": "Tide" }));
    let composite = json!({ "streams": [{ "composite": "s(\"m\",\"*\")" }] });
    refused_parameter(&api.put(&format!("{path}/{chart}"), &composite), "streams[0].composite");
    for path in ["/v1/spaces/x", "/v1/spaces/-1", "/v1/spaces/424242/charts", "/v1/spaces/1/charts/9"] {
        refused_request(&api.get(path), 404);
    }
    refused_request(&api.get(&format!("{path}/x")), 404);
}

#[test]
fn the_space_manager_is_everybody_s_and_nobody_s_to_change() {
    let server = TestServer::start();
    let api = server.api();
    for caller in [api.clone(), other_tenant(&server, "north")] {
        assert_eq!(names(&caller, "?length=1"), ["Manager"]);
        let space = caller.get("/v1/spaces/1").expect(200);
        assert_eq!(space["name"], "Manager");
        assert_eq!(space["charts"].as_array().unwrap().len(), 8);
        let charts = caller.get("/v1/spaces/1/charts").expect(200);
        let charts = charts.as_array().unwrap();
        assert_eq!(charts.len(), 8);
        for chart in charts {
            let path = format!("/v1/spaces/1/charts/{}", chart["id"]);
            assert_eq!(&caller.get(&path).expect(200), chart);
            assert!(chart["streams"][0]["metric"].as_str().unwrap().starts_with("manager."), "{chart:#}");
        }
    }
    for reply in [
        api.put("/v1/spaces/1", &json!({ "name": "Mine" })),
        api.delete("/v1/spaces/1"),
        api.post("/v1/spaces/1/charts", &json!({ "name": "Mine" })),
        api.put("/v1/spaces/1/charts/1", &json!({ "name": "Mine" })),
        api.delete("/v1/spaces/1/charts/1"),
    ] {
        refused_request(&reply, 403);
    }
    // Anybody may draw the service's own metrics in a chart of theirs.
    let space = create_space(&api, "Mine");
    create_chart(&api, space, &json!({ "name": "n", "streams": [{ "metric": "manager.queue.depth" }] }));
}

#[test]
fn tenants_are_apart_and_roles_allow_what_they_should() {
    let server = TestServer::start();
    let api = server.api();
    let other = other_tenant(&server, "north");
    let space = create_space(&api, "Harbour");
    let chart = create_chart(&api, space, &json!({ "name": "Tide" }));
    let (space_path, chart_path) =
        (format!("/v1/spaces/{space}"), format!("/v1/spaces/{space}/charts/{chart}"));
    assert_eq!(names(&other, ""), ["Manager"]);
    for path in [&space_path, &chart_path] {
        refused_request(&other.get(path), 404);
        refused_request(&other.put(path, &json!({ "name": "Mine" })), 404);
        refused_request(&other.delete(path), 404);
    }
    let viewer = add_member(&server, "vera", "default_tenant", "viewer");
    let user = add_member(&server, "ulla", "default_tenant", "user");
    viewer.get(&chart_path).expect(200);
    for reply in [
        viewer.post("/v1/spaces", &json!({ "name": "n" })),
        viewer.put(&space_path, &json!({ "name": "n" })),
        viewer.post(&format!("{space_path}/charts"), &json!({ "name": "n" })),
        viewer.put(&chart_path, &json!({ "name": "n" })),
        viewer.delete(&chart_path),
        viewer.delete(&space_path),
    ] {
        refused_request(&reply, 403);
    }
    user.put(&chart_path, &json!({ "name": "Ebb" })).expect(200);
    assert_eq!(user.delete(&chart_path).status, 204);
    assert_eq!(user.delete(&space_path).status, 204);
    refused_request(&api.nobody().get("/v1/spaces"), 401);
}
