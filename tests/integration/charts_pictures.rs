//! Pictures as they are fetched: who may, in which form and size, what they show, and that nothing changes them.

use serde_json::{Value, json};

use crate::harness::{
    Api, ChartSnapshot, Picture, TestServer, create_chart, create_space, gauge, local, now, other_tenant,
    refused_request, slope, tagged,
};

/// A colour that no picture has by itself.
const PINK: &str = "#e6007e";
const OLIVE: &str = "#6b8e23";

/// Makes a chart in a space of its own.
fn chart(api: &Api, chart: &Value) -> i64 {
    let space = create_space(api, "Harbour");
    create_chart(api, space, chart)
}

/// A chart of one stream in pink, of a gauge that rises for an hour.
fn pink_chart(api: &Api, kind: &str) -> i64 {
    gauge(api, "tide", Some("pier"), &slope(now(), 60));
    let stream = json!({ "metric": "tide", "color": PINK, "units_short": "cm" });
    chart(api, &json!({ "name": "Tide", "type": kind, "streams": [stream] }))
}

fn ask(api: &Api, chart: i64, options: &Value) -> ChartSnapshot {
    let mut body = json!({ "subject": { "chart": { "id": chart } } });
    body.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    ChartSnapshot::ask(api, &body)
}

fn image(snapshot: &ChartSnapshot) -> String {
    local(&snapshot.api, &snapshot.get()["image_href"])
}

#[test]
fn a_line_rises_where_the_values_rise() {
    let server = TestServer::start();
    let api = server.api();
    let rising = ask(&api, pink_chart(&api, "line"), &json!({})).picture();
    assert_eq!(rising.size(), (600, 416));
    rising.expect_not_empty();
    assert!(rising.count(PINK) > 200, "{} pixels of the stream", rising.count(PINK));

    // The same window, with the values falling: the line's two halves change places.
    let halves = |picture: &Picture| picture.halves(PINK).expect("the stream is drawn in both halves");
    let (left, right) = halves(&rising);
    assert!(left > right + 20.0, "the left half lies lower: {left} and {right} from the top");
    let falling: Vec<_> = slope(now(), 60).into_iter().map(|(time, value)| (time, 60.0 - value)).collect();
    gauge(&api, "ebb", None, &falling);
    let stream = json!({ "metric": "ebb", "color": PINK });
    let falling = chart(&api, &json!({ "name": "Ebb", "streams": [stream] }));
    let (left, right) = halves(&ask(&api, falling, &json!({})).picture());
    assert!(right > left + 20.0, "the right half lies lower: {left} and {right} from the top");
}

#[test]
fn the_window_and_the_filters_choose_what_is_drawn() {
    let server = TestServer::start();
    let api = server.api();
    let chart = pink_chart(&api, "line");
    let is_drawn = |snapshot: ChartSnapshot| {
        let count = snapshot.picture().count(PINK);
        // The legend shows the colour in any case.
        assert!(!(60..=200).contains(&count), "{count} pixels of the stream");
        count > 200
    };
    assert!(is_drawn(ask(&api, chart, &json!({}))));
    let before = json!({ "end_time": now() - 7200, "duration": 600 });
    assert!(!is_drawn(ask(&api, chart, &before)), "before there was anything");
    let narrowed =
        |subject: Value| is_drawn(ChartSnapshot::ask(&api, &json!({ "subject": { "chart": subject } })));
    assert!(narrowed(json!({ "id": chart, "source": "pi*" })));
    assert!(!narrowed(json!({ "id": chart, "source": "quay" })));

    tagged(&api, "load", &json!({ "host": "web1", "zone": "a" }), &slope(now(), 60));
    let stream = json!({ "metric": "load", "color": PINK, "tags": [{ "name": "host", "values": ["web*"] }] });
    let chart = self::chart(&api, &json!({ "name": "Load", "streams": [stream] }));
    let by_zone = |zone: &str| {
        let tags = json!([{ "name": "zone", "values": [zone] }]);
        narrowed(json!({ "id": chart, "tags": tags }))
    };
    assert!(by_zone("a"));
    assert!(!by_zone("b"));
}

#[test]
fn a_stacked_chart_puts_areas_upon_each_other() {
    let server = TestServer::start();
    let api = server.api();
    let flat =
        |value: f64| -> Vec<_> { slope(now(), 60).into_iter().map(|(time, _)| (time, value)).collect() };
    gauge(&api, "lower", None, &flat(10.0));
    gauge(&api, "upper", None, &flat(30.0));
    let streams = json!([{ "metric": "lower", "color": PINK }, { "metric": "upper", "color": OLIVE }]);
    let stacked = json!({ "name": "Both", "type": "stacked", "streams": streams, "min": 0 });
    let picture = ask(&api, chart(&api, &stacked), &json!({})).picture();
    let (lower, upper) = (picture.middle(PINK).unwrap().1, picture.middle(OLIVE).unwrap().1);
    assert!(lower > upper, "the first stream lies below: {lower} and {upper} from the top");
}

#[test]
fn a_big_number_has_the_colour_of_its_threshold_and_not_of_its_stream() {
    let server = TestServer::start();
    let api = server.api();
    let end = now();
    gauge(&api, "tide", None, &slope(end, 60));
    let drawn = |thresholds: Value| {
        let stream = json!({ "metric": "tide", "color": PINK });
        let body = json!({ "name": "Tide", "type": "bignumber", "streams": [stream],
                           "use_last_value": true, "thresholds": thresholds });
        ask(&api, chart(&api, &body), &json!({ "end_time": end })).picture()
    };
    let threshold = |operator: &str, value: f64, kind: &str| json!([{ "operator": operator, "value": value, "type": kind }]);
    let plain = drawn(json!(null));
    plain.expect_not_empty();
    assert_eq!(plain.count(PINK), 0, "the stream's colour");
    // The last value is 59.
    for thresholds in
        [threshold(">", 59.0, "red"), threshold("<", 59.0, "yellow"), threshold("=", 58.0, "red")]
    {
        assert_eq!(drawn(thresholds.clone()).differing(&plain), 0, "{thresholds}");
    }
    let red = drawn(threshold(">", 58.0, "red"));
    let yellow = drawn(threshold("<", 60.0, "yellow"));
    let equal = drawn(threshold("=", 59.0, "red"));
    let color = red.commonest_but(&plain);
    assert!(color[0] > 150 && color[1] < 100 && color[2] < 100, "{color:?} is no red");
    assert_eq!(equal.commonest_but(&plain), color);
    let color = yellow.commonest_but(&plain);
    assert!(color[0] > 150 && color[1] > 100 && color[2] < 100, "{color:?} is no yellow");
}

#[test]
fn the_options_choose_size_scale_and_look() {
    let server = TestServer::start();
    let api = server.api();
    let chart = pink_chart(&api, "line");
    let end = now();
    let picture = |options: &Value| {
        let mut options = options.clone();
        options["end_time"] = json!(end);
        ask(&api, chart, &options).picture()
    };
    assert_eq!(picture(&json!({ "width": 200, "height": 120 })).size(), (200, 120));
    assert_eq!(picture(&json!({ "width": 1200, "height": 300 })).size(), (1200, 300));
    assert_eq!(picture(&json!({ "scale": 2 })).size(), (1200, 832));
    assert_eq!(picture(&json!({ "retina": true })).size(), (1200, 832));
    // The largest that is taken is drawn as large.
    let largest = [4000, 3000, 2000].into_iter().find(|width| {
        let body = json!({ "subject": { "chart": { "id": chart } }, "width": width, "height": 200 });
        api.post("/v1/snapshots", &body).status == 202
    });
    let width = largest.expect("2000 is not too wide");
    assert_eq!(picture(&json!({ "width": width, "height": 200 })).size(), (width, 200));
    let (light, dark) = (picture(&json!({ "look": "light" })), picture(&json!({ "look": "dark" })));
    let brightness = |picture: &Picture| picture.ground().iter().map(|part| u32::from(*part)).sum::<u32>();
    assert!(brightness(&light) > 600 && brightness(&dark) < 150, "{:?} {:?}", light.ground(), dark.ground());
    assert_eq!(light.differing(&picture(&json!({}))), 0, "light is the usual look");
}

#[test]
fn the_same_question_gives_the_same_bytes_under_another_name() {
    let server = TestServer::start();
    let api = server.api();
    let chart = pink_chart(&api, "stacked");
    let options = json!({ "end_time": now() - 60 });
    let (first, second) = (ask(&api, chart, &options), ask(&api, chart, &options));
    assert_eq!(first.png(), second.png());
    assert_ne!(image(&first), image(&second));
}

#[test]
fn anybody_who_knows_the_name_gets_both_forms_and_nobody_else_any() {
    let server = TestServer::start();
    let api = server.api();
    let snapshot = ask(&api, pink_chart(&api, "line"), &json!({}));
    snapshot.wait_for("complete");
    let image = image(&snapshot);
    let nobody = api.nobody();
    let png = nobody.get(&image);
    assert_eq!((png.status, png.header("content-type")), (200, "image/png"));
    assert_eq!(png.header("x-content-type-options"), "nosniff");
    assert!(png.header("cache-control").contains("immutable"), "{:?}", png.headers);
    let svg = nobody.get(&image.replace(".png", ".svg"));
    assert_eq!((svg.status, svg.header("content-type")), (200, "image/svg+xml"));
    let text = svg.text();
    assert!(text.starts_with("<svg") || text.starts_with("<?xml"), "{text}");
    for word in ["Tide", "cm"] {
        assert!(text.contains(word), "does not say `{word}`");
    }

    let (stem, end) = image.rsplit_once('-').unwrap();
    let mut wrong_key = stem.to_owned();
    let last = wrong_key.pop().unwrap();
    wrong_key.push(if last == 'a' { 'b' } else { 'a' });
    for path in [
        format!("{wrong_key}-{end}"),
        format!("{stem}-{}.png", snapshot.number + 1),
        image.replace(".png", ".gif"),
        image.replace(".png", ""),
        "/images/none.png".to_owned(),
        "/images/..%2f..%2frecords.db".to_owned(),
        "/images/%00-1.png".to_owned(),
    ] {
        refused_request(&nobody.get(&path), 404);
    }
}

#[test]
fn the_setting_makes_pictures_private() {
    let server = TestServer::builder().settings("[charts]\nprivate_images = true").start();
    let api = server.api();
    let snapshot = ask(&api, pink_chart(&api, "line"), &json!({}));
    snapshot.wait_for("complete");
    let image = image(&snapshot);
    refused_request(&api.nobody().get(&image), 401);
    refused_request(&api.nobody().get("/images/none-1.png"), 401);
    let reply = api.get(&image);
    reply.expect_status(200);
    Picture::decode(&reply.body).expect_not_empty();
    let other = other_tenant(&server, "north");
    refused_request(&other.get(&image), 404);
    refused_request(&other.get(&image.replace(".png", ".svg")), 404);
    // What a login protects is kept by nobody on the way.
    assert!(!reply.header("cache-control").contains("public"), "{:?}", reply.headers);
}

#[test]
fn edits_and_deletes_change_no_snapshot_and_no_picture() {
    let server = TestServer::builder().holding("render:drawing").start();
    let api = server.api();
    gauge(&api, "tide", None, &slope(now(), 60));
    gauge(&api, "wind", None, &slope(now(), 60));
    let space = create_space(&api, "Harbour");
    let body = json!({ "name": "Tide", "streams": [{ "metric": "tide", "color": PINK }] });
    let chart = create_chart(&api, space, &body);
    let path = format!("/v1/spaces/{space}/charts/{chart}");
    server.release();
    let end = now();
    let drawn = ask(&api, chart, &json!({ "end_time": end }));
    let (png, mut document) = (drawn.png(), drawn.get());
    server.hold();
    let waiting = ask(&api, chart, &json!({ "end_time": end }));

    let streams = json!([{ "metric": "wind", "color": OLIVE }]);
    api.put(&path, &json!({ "name": "Wind", "type": "bignumber", "streams": streams })).expect(200);
    server.release();
    assert_eq!(waiting.png(), png, "what waits is drawn as the chart was when it was asked for");
    assert_eq!(drawn.png(), png);
    assert_eq!(drawn.get(), document);
    let edited = ask(&api, chart, &json!({ "end_time": end }));
    assert_ne!(edited.png(), png);
    assert_eq!(edited.get()["subject"]["chart"]["type"], "bignumber");

    assert_eq!(api.delete(&path).status, 204);
    assert_eq!(drawn.png(), png);
    assert_eq!(drawn.get(), document);
    refused_request(&api.post("/v1/snapshots", &json!({ "subject": { "chart": { "id": chart } } })), 404);
    assert_eq!(api.delete(&format!("/v1/spaces/{space}")).status, 204);
    assert_eq!(drawn.png(), png);
    assert_eq!(drawn.get(), document);
    assert_eq!(document["subject"]["chart"]["id"].take(), chart, "the number stays");
    assert_eq!(api.delete("/v1/metrics/tide").status, 204);
    assert_eq!(drawn.png(), png);
}

#[test]
fn hostile_names_and_values_are_drawn_all_the_same() {
    let server = TestServer::start();
    let api = server.api();
    let now = now();
    for (metric, values) in [
        ("one", vec![1.0]),
        ("constant", vec![7.0; 30]),
        ("negative", (0..30).map(|value| -f64::from(value)).collect()),
        ("huge", vec![1e126, -1e126, 1e-130]),
        ("none", Vec::new()),
    ] {
        let points: Vec<_> = (1..).zip(&values).map(|(minute, value)| (now - 60 * minute, *value)).collect();
        gauge(&api, metric, Some("<b>&\"'"), &points);
        for kind in ["line", "stacked", "bignumber"] {
            let name = format!("<script>alert(1)</script>\u{202e}\u{0}]]>&amp; {}", "lang ".repeat(200));
            let stream = json!({ "metric": metric, "name": name, "units_short": "</text>", "color": PINK,
                                 "group_function": "breakout" });
            let body = json!({ "name": name, "type": kind, "streams": [stream], "label": name,
                               "use_log_yaxis": true });
            let snapshot = ask(&api, chart(&api, &body), &json!({}));
            snapshot.picture().expect_not_empty();
            let svg = api.get(&image(&snapshot).replace(".png", ".svg")).text();
            assert!(!svg.contains("<script"), "{metric} as {kind}");
        }
    }
}
