//! `lifeboat chart` by the real binary: charts are listed, drawn and saved, and what is refused.
//!
//! It looks at what a shell sees, and at the head of the file that is saved.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{Api, TestServer, document, eventually, fails, lifeboat, run, stderr, stdout};

/// Makes a space with a chart of one metric that was measured, and gives the numbers of both.
fn create_chart(api: &Api) -> (String, String) {
    let measurements = json!({ "gauges": [{ "name": "cpu.busy", "value": 42, "source": "web1" }] });
    api.post("/v1/metrics", &measurements).expect(200);
    let space = api.post("/v1/spaces", &json!({ "name": "Web" })).expect(201)["id"].to_string();
    let chart =
        json!({ "name": "CPU", "type": "line", "streams": [{ "metric": "cpu.busy", "source": "web*" }] });
    let chart = api.post(&format!("/v1/spaces/{space}/charts"), &chart).expect(201);
    (space, chart["id"].to_string())
}

/// The width and height that the head of a PNG tells.
fn pixels(file: &Path) -> (u32, u32) {
    let bytes = fs::read(file).unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "`{}` is no PNG", file.display());
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn a_chart_is_listed_drawn_and_saved() {
    let server = TestServer::start();
    let (space, chart) = create_chart(&server.api());

    let listed = document(&server, &["chart", "list"]);
    assert_eq!(listed[0]["name"], "Manager");
    assert_eq!(listed[1]["id"].to_string(), space);
    assert_eq!(listed[1]["charts"][0]["id"].to_string(), chart);
    let told = stdout(&run(lifeboat(&server, &["chart", "list"])));
    assert!(told.contains("CPU") && told.contains("9 charts in 2 spaces"), "{told}");

    let arguments = ["chart", "snapshot", &chart, "--duration", "600", "--output", "cpu.png"];
    let taken = run(lifeboat(&server, &arguments));
    assert_eq!(taken.status.code(), Some(0), "{}", stderr(&taken));
    let (told, said) = (stdout(&taken), stderr(&taken));
    assert!(
        told.contains("/v1/snapshots/1\n") && told.contains("/images/") && told.contains("cpu.png"),
        "{told}"
    );
    assert!(said.contains("drawing chart"), "{said}");
    assert_eq!(pixels(&server.scratch().join("cpu.png")), (600, 416));
    fails(lifeboat(&server, &arguments), 1, &["cpu.png", "--force"]);
    assert_eq!(document(&server, &["chart", "snapshots"]).as_array().unwrap().len(), 1, "refused too late");

    let size = ["--width", "300", "--height", "200", "--scale", "2", "--look", "dark", "--type", "stacked"];
    let large = [&arguments[..], &size, &["--end-time", "2026-02-20T01:18:46Z", "--force"]].concat();
    let taken = document(&server, &large);
    assert_eq!(taken["end_time"], "2026-02-20T01:18:46Z");
    assert_eq!(taken["subject"]["chart"]["type"], "stacked");
    assert_eq!(taken["file"], "cpu.png");
    assert_eq!(pixels(&server.scratch().join("cpu.png")), (600, 400));

    let listed = document(&server, &["chart", "snapshots"]);
    assert_eq!(listed[0]["href"], taken["href"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    fs::create_dir(server.scratch().join("pictures")).unwrap();
    let shown = document(&server, &["chart", "show", "2", "-o", "pictures"]);
    assert_eq!(shown["image_href"], taken["image_href"]);
    assert_eq!(pixels(&server.scratch().join("pictures/chart-2.png")), (600, 400));
    document(&server, &["chart", "show", "2", "-o", "cpu.svg"]);
    assert!(fs::read_to_string(server.scratch().join("cpu.svg")).unwrap().starts_with("<svg"));

    document(&server, &["chart", "delete", "2"]);
    fails(lifeboat(&server, &["chart", "show", "2"]), 4, &["get chart snapshot `2`"]);
}

#[test]
fn what_can_t_be_drawn_says_why() {
    let server = TestServer::start();
    for (arguments, words) in [
        (&["chart", "snapshot", "999"][..], &["take a snapshot of chart `999`", "no chart"][..]),
        (&["chart", "snapshot", "1", "--duration", "9000000", "-o", "a.png"], &["`duration`"]),
        (&["chart", "snapshot", "1", "--end-time", "2099-01-01T00:00:00Z"], &["`end_time`", "future"]),
        (&["chart", "snapshot", "1", "--end-time", "soon"], &["`end_time`", "not a time"]),
        (&["chart", "snapshot", "1", "--width", "5", "-o", "a.png"], &["`width`"]),
        (&["chart", "show", "7"], &["get chart snapshot `7`"]),
        (&["chart", "delete", "7"], &["delete chart snapshot `7`"]),
    ] {
        assert_eq!(fails(lifeboat(&server, arguments), 4, words), "", "{arguments:?}");
    }
    assert!(!server.scratch().join("a.png").exists());
    let mut wrong = lifeboat(&server, &["chart", "list"]);
    wrong.env("LIFEBOAT_PASSWORD", "not it");
    fails(wrong, 3, &["list the spaces", "LIFEBOAT_PASSWORD"]);
    fails(
        lifeboat(&server, &["chart", "snapshot", "1", "-o", "nowhere/a.png"]),
        1,
        &["nowhere/a.png", "chart show 1 -o"],
    );
}

#[test]
fn private_pictures_are_saved_all_the_same() {
    let server = TestServer::builder().settings("[charts]\nprivate_images = true").start();
    let taken = document(&server, &["chart", "snapshot", "1", "-o", "a.png"]);
    assert_eq!(pixels(&server.scratch().join("a.png")), (600, 416));
    let name = taken["image_href"].as_str().unwrap().rsplit('/').next().unwrap();
    Api::new(server.port()).get(&format!("/images/{name}")).expect_status(401);
}

#[test]
fn a_drawing_that_is_cancelled_meanwhile_exits_1_and_leaves_no_file() {
    let server = TestServer::builder().holding("render:drawing").start();
    let mut drawing = draw(&server);
    let job = wait_for_job(&server, &mut drawing);
    server.api().delete(&job).expect_status(204);
    server.release();
    let mut said = String::new();
    drawing.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(drawing.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("cancelled"), "{said}");
    assert!(!server.scratch().join("a.png").exists());
}

#[test]
fn an_interrupt_ends_the_waiting_and_not_the_drawing() {
    let server = TestServer::builder().holding("render:drawing").start();
    let mut drawing = draw(&server);
    wait_for_job(&server, &mut drawing);
    let mut said = BufReader::new(drawing.stderr.take().unwrap());
    let mut line = String::new();
    // The first line of progress comes when Ctrl-C is already heeded.
    said.read_line(&mut line).unwrap();
    kill_process(Pid::from_child(&drawing), Signal::INT).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(drawing.wait().unwrap().code(), Some(130), "{line}{rest}");
    assert!(rest.contains("lifeboat chart show 1 -o FILE"), "{rest}");
    server.release();
    eventually("the picture is drawn", 60, || {
        let shown = document(&server, &["chart", "show", "1"]);
        (!shown["image_href"].is_null()).then_some(())
    });
    document(&server, &["chart", "show", "1", "-o", "a.png"]);
    assert_eq!(pixels(&server.scratch().join("a.png")), (600, 416));
}

/// Starts a command that draws a chart.
fn draw(server: &TestServer) -> Child {
    lifeboat(server, &["chart", "snapshot", "1", "-o", "a.png"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The path of the job that draws, once it works.
fn wait_for_job(server: &TestServer, drawing: &mut Child) -> String {
    eventually("the picture is being drawn", 60, || {
        assert!(drawing.try_wait().unwrap().is_none(), "it ended before it was drawn");
        let listed = server.api().get("/v1/snapshots").expect(200);
        let href = listed["snapshots"][0]["job_href"].as_str()?;
        let job = href[href.find("/v1/")?..].to_owned();
        (server.api().get(&job).expect(200)["state"] == "working").then_some(job)
    })
}
