//! A disk without a byte left under everything that writes: what can't be done says so, nothing is lost, nothing half
//! made stays, and what frees space or ends what ran goes through.
//!
//! The disk is a real one, in memory. That takes root.

use std::path::PathBuf;
use std::sync::OnceLock;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    Api, ChartSnapshot, FileServer, Flow, State, TestServer, blueprint_archive, check_invariants, copy_data,
    create_chart, create_space, fill, gauge, now, plugin_archive, read_state, slope,
};

/// The disk, much larger than what is kept on it.
const DISK_BYTES: u64 = 96 << 20;
const DISK_FILES: u64 = 2000;
/// The snapshot that is there.
const KEPT: &str = "kept";

/// The data with which each case begins.
struct Scene {
    _folder: TempDir,
    data: PathBuf,
    /// The state of the snapshot, and the live one.
    saved: State,
    live: State,
    flow: String,
    chart: i64,
}

fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut server = TestServer::start();
        let api = server.api();
        fill(&api);
        let flow = Flow::create(&api, "Nightly", &["a", "b"]);
        flow.emit("a", "1").expect(200);
        gauge(&api, "tide", None, &slope(now(), 30));
        let space = create_space(&api, "Harbour");
        let chart = create_chart(&api, space, &json!({ "name": "Tide", "streams": [{ "metric": "tide" }] }));
        let saved = read_state(&api);
        api.create_snapshot(KEPT, &json!({ "include_metrics": true, "include_flow_history": true }));
        api.put("secrets/later", &json!({ "value": "x" })).expect(200);
        let live = read_state(&api);
        server.terminate();
        copy_data(&server.data(), &data);
        Scene { _folder: folder, data, saved, live, flow: flow.id, chart }
    })
}

/// A server on a disk of its own, which holds jobs at a failpoint where one is named.
fn start(held: Option<&str>) -> TestServer {
    let mut builder = TestServer::builder()
        .copy_of(&scene().data)
        .fetching_from_loopback()
        .small_disk(DISK_BYTES, DISK_FILES);
    if let Some(held) = held {
        builder = builder.holding(held);
    }
    builder.start()
}

/// Checks that this says that the disk is full, in the form of whichever face was called.
#[track_caller]
fn assert_full(what: &str, status: u16, body: &str) {
    assert_eq!(status, 507, "{what}: {body}");
    assert!(body.contains("no space left") || body.contains("not enough space"), "{what}: {body}");
}

#[test]
fn every_write_on_a_full_disk_is_refused_by_name_and_all_is_read_as_before() {
    let server = start(None);
    let api = server.api();
    let scene = scene();
    let files = FileServer::start();
    let archive = api.archive(KEPT);
    let url = files.file("/kept.zip", archive.clone());
    let flow = Flow { api: api.clone(), id: scene.flow.clone() };
    let instance = api.get("node-instances?node_id=tower").items().remove(0)["id"].clone();
    let later = api.get("secrets/later").expect(200);
    server.disk().fill(0);

    let put = |path: &str, body: Vec<u8>| api.send(api.request(Method::PUT, path).body(body));
    for (what, reply) in [
        ("a secret", api.put("secrets/new", &json!({ "value": "x" }))),
        ("a changed secret", api.patch("secrets/later", &json!({ "value": "y" }))),
        ("a deleted secret", api.delete("secrets/later")),
        ("a tenant", api.post("tenants/new", &json!({}))),
        ("a token", api.post("tokens", &json!({}))),
        ("a blueprint", put("blueprints/new?application_file_name=lighthouse.yaml", blueprint_archive())),
        ("a plugin", api.send(api.request(Method::POST, "plugins?title=new").body(plugin_archive()))),
        (
            "runtime properties",
            api.patch(
                &format!("node-instances/{}?force=true", instance.as_str().unwrap()),
                &json!({ "runtime_properties": { "a": 1 } }),
            ),
        ),
        ("a value of a step", flow.emit("a", "2")),
        ("a flow", api.post(&flow.path("/start"), &json!({}))),
        ("a capture", api.post(&flow.path("/captures"), &json!({}))),
        ("a space", api.post("/v1/spaces", &json!({ "name": "new" }))),
        ("a measurement", api.post("/v1/metrics", &json!({ "gauges": [{ "name": "new", "value": 1 }] }))),
        ("a picture", api.post("/v1/snapshots", &json!({ "subject": { "chart": { "id": scene.chart } } }))),
        ("a create", api.put("snapshots/new", &json!({}))),
        ("a restore", api.post(&format!("snapshots/{KEPT}/restore"), &json!({ "force": true }))),
        ("a plan", api.post(&format!("snapshots/{KEPT}/plan"), &json!({}))),
        ("an upload", api.send_archive("new", &archive)),
        ("an upload by URL", put(&format!("snapshots/new/archive?snapshot_archive_url={url}"), Vec::new())),
    ] {
        assert_full(what, reply.status, &reply.text());
    }
    // What only reads goes on, and sees what was there.
    read_state(&api).assert_is(&scene.live, "on a full disk");
    assert_eq!(api.archive(KEPT), archive);
    assert_eq!(api.get("/service/health").status, 200);
    assert_eq!(api.get("secrets/later").expect(200), later);

    server.disk().free();
    api.put("secrets/new", &json!({ "value": "x" })).expect(200);
    api.delete("secrets/new").expect_status(200);
    check_invariants(&server, "after a full disk");
    read_state(&api).assert_is(&scene.live, "after a full disk");
    api.send_archive("new", &archive).expect(201);
}

#[test]
fn an_upload_that_fills_the_disk_is_refused_and_leaves_nothing() {
    let server = start(None);
    let api = server.api();
    // Its length is not told before, so it is found out by writing.
    let path = server.scratch().join("long");
    std::fs::write(&path, vec![7; 4 << 20]).unwrap();
    server.disk().fill(1 << 20);
    let reply = api.upload("new", &path);
    assert_full("a long upload", reply.status, &reply.text());
    assert_eq!(api.get("snapshots/new").status, 404);
    server.leaves_nothing_in_tmp();
    // One that tells its length is refused before a byte of it was read.
    let reply = api.send_archive("new", &vec![7; 4 << 20]);
    assert_full("an upload that tells its length", reply.status, &reply.text());
    api.put("secrets/new", &json!({ "value": "x" })).expect(200);
    check_invariants(&server, "after an upload that filled the disk");
}

#[test]
fn a_snapshot_is_deleted_on_a_full_disk_and_makes_room() {
    let server = start(None);
    let api = server.api();
    server.disk().fill(0);
    assert_full("a secret", api.put("secrets/new", &json!({ "value": "x" })).status, "no space left");
    api.archive(KEPT);
    api.delete(&format!("snapshots/{KEPT}")).expect(200);
    assert_eq!(server.files_in("archives"), Vec::<String>::new());
    api.put("secrets/new", &json!({ "value": "x" })).expect(200);
    check_invariants(&server, "after a delete on a full disk");
}

/// Checks that an execution failed as it would not fit, and gives how many bytes it said that it needs.
#[track_caller]
fn assert_would_not_fit(ended: &Value) -> u64 {
    assert_eq!(ended["status"], "failed", "{ended:#}");
    let error = ended["error"].as_str().unwrap();
    assert!(error.contains("not enough space in `archives`"), "{error}");
    let numbers = error.split(|c: char| !c.is_ascii_digit()).filter_map(|text| text.parse().ok());
    let [needed, free] = numbers.collect::<Vec<u64>>()[..] else { panic!("{error}") };
    assert!(needed > free, "{error}");
    needed
}

fn plan_of_kept(api: &Api, options: &Value) -> Value {
    let asked = api.post(&format!("snapshots/{KEPT}/plan"), options).expect(201);
    assert_eq!(api.wait_for_end(&asked)["status"], "terminated");
    api.get(&format!("snapshots/{KEPT}/plan")).expect(200)
}

#[test]
fn what_would_not_fit_is_refused_before_it_begins() {
    let server = start(None);
    let api = server.api();
    let plan = plan_of_kept(&api, &json!({ "force": true }));
    assert_eq!(plan["space"][0]["is_enough"], true, "{plan:#}");
    let needed = plan["space"][0]["needed_bytes"].as_u64().unwrap();

    // Room enough for what they would write here, and less than they ask for.
    server.disk().fill(8 << 20);
    let create = api.wait_for_end(&ask(&api, Deed::Create));
    assert_would_not_fit(&create);
    assert_eq!(api.get("snapshots/new").expect(200)["error"], create["error"]);
    assert_would_not_fit(&api.wait_for_end(&ask(&api, Deed::Reseal)));
    server.disk().free();

    server.disk().fill(needed - 4096);
    let restore = api.wait_for_end(&ask(&api, Deed::Restore));
    assert_eq!(assert_would_not_fit(&restore), needed, "it needs what its plan says");
    server.disk().free();
    server.disk().fill(needed - 4096);
    let plan = plan_of_kept(&api, &json!({ "force": true }));
    assert_eq!(plan["space"][0]["is_enough"], false, "{plan:#}");
    assert_eq!(plan["refusals"][0]["rule"], "no_space", "{plan:#}");

    read_state(&api).assert_is(&scene().live, "after what would not fit");
    assert_eq!(server.files_in("archives").len(), 1);
    server.disk().free();
    api.delete("snapshots/new").expect(200);
    for deed in [Deed::Create, Deed::Reseal, Deed::Restore] {
        assert_eq!(api.wait_for_end(&ask(&api, deed))["status"], "terminated", "{deed:?}");
    }
}

#[test]
fn the_plan_of_a_part_tells_the_room_that_it_takes_itself() {
    let server = start(None);
    let api = server.api();
    let part = json!({ "force": true, "select": { "kinds": ["secrets"] } });
    let plan = plan_of_kept(&api, &part);
    assert_eq!(plan["space"][0]["is_enough"], true, "{plan:#}");
    let needed = plan["space"][0]["needed_bytes"].as_u64().unwrap();
    let compared = 2 * server.data().join("manager/current/manager.db").metadata().unwrap().len();

    server.disk().fill(needed - 4096);
    let plan = plan_of_kept(&api, &part);
    assert_eq!(plan["space"][0]["needed_bytes"], needed, "{plan:#}");
    assert_eq!(plan["refusals"][0]["rule"], "no_space", "{plan:#}");
    // The restore compares in the copy that becomes live.
    server.disk().free();
    server.disk().fill(needed - compared - 4096);
    let restore = api.wait_for_end(&ask(&api, Deed::Select));
    assert_eq!(assert_would_not_fit(&restore) + compared, needed);
}

/// What runs out of space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Create,
    Restore,
    Select,
    Rollback,
    Plan,
    Reseal,
    Capture,
    RestoreFlow,
    Render,
}

/// Where it is held until there is no space, and whether it is done all the same.
const CASES: &[(Deed, &str, bool)] = &[
    (Deed::Create, "create:collecting", false),
    (Deed::Create, "create:writing", false),
    (Deed::Create, "create:written", false),
    (Deed::Create, "create:published", false),
    (Deed::Restore, "restore:planning", false),
    (Deed::Restore, "restore:journalled", false),
    (Deed::Restore, "restore:filling", false),
    (Deed::Restore, "restore:staged", false),
    (Deed::Restore, "restore:swapping", false),
    (Deed::Restore, "restore:swapped", true),
    (Deed::Restore, "restore:done", true),
    (Deed::Select, "restore:journalled", false),
    (Deed::Rollback, "rollback:swapping", false),
    (Deed::Rollback, "restore:swapped", true),
    (Deed::Plan, "plan:comparing", false),
    (Deed::Reseal, "reseal:writing", false),
    (Deed::Reseal, "reseal:verified", false),
    (Deed::Capture, "capture:taking", false),
    (Deed::RestoreFlow, "restore_flow:writing", false),
    (Deed::Render, "render:drawing", false),
    (Deed::Render, "render:keeping", false),
];

fn ask(api: &Api, deed: Deed) -> Value {
    let flow = Flow { api: api.clone(), id: scene().flow.clone() };
    let of_kept = |what: &str, body: Value| api.post(&format!("snapshots/{KEPT}/{what}"), &body).json();
    match deed {
        Deed::Create => api.put("snapshots/new", &json!({ "include_metrics": true })).expect(201),
        Deed::Restore => of_kept("restore", json!({ "force": true })),
        Deed::Select => of_kept("restore", json!({ "force": true, "select": { "kinds": ["secrets"] } })),
        Deed::Rollback => api.post("/service/rollback", &json!({})).expect(200),
        Deed::Plan => of_kept("plan", json!({ "force": true })),
        Deed::Reseal => api.post(&format!("/service/snapshots/{KEPT}/reseal"), &json!({})).expect(200),
        Deed::Capture => {
            let asked = api.post(&flow.path("/captures"), &json!({})).expect(202);
            json!({ "id": asked["data"]["attributes"]["execution_id"] })
        }
        Deed::RestoreFlow => {
            let body = json!({ "flow_id": flow.id, "force": true });
            api.post(&format!("/service/snapshots/{KEPT}/restore-flow"), &body).expect(200)
        }
        Deed::Render => {
            ChartSnapshot::of(api, scene().chart);
            let query =
                "executions?_include_system_workflows=true&workflow_id=render_chart&_sort=-created_at";
            api.get(query).items().remove(0)
        }
    }
}

#[test]
fn what_runs_out_of_space_in_its_midst_is_done_or_not_done_and_ends_all_the_same() {
    for (deed, held, is_done) in CASES.iter().copied() {
        let claim = format!("{deed:?} at {held}");
        println!("{claim}");
        let server = start(Some(held));
        let api = server.api();
        if deed == Deed::Rollback {
            server.release();
            assert_eq!(api.restore_snapshot(KEPT, &json!({ "force": true }))["status"], "terminated");
            server.hold();
        }
        let before = read_state(&api);
        let execution = ask(&api, deed);
        server.wait_until_held(held);
        server.disk().fill(0);
        server.release();

        // Its end is written although there is no space: that is kept for it.
        let ended = api.wait_for_end(&execution);
        let error = ended["error"].as_str().unwrap_or_default();
        if is_done {
            assert_eq!(ended["status"], "terminated", "{claim}: {ended:#}");
        } else {
            assert_eq!(ended["status"], "failed", "{claim}: {ended:#}");
            assert!(
                error.contains("no space left") || error.contains("not enough space"),
                "{claim}: {error}"
            );
        }
        server.disk().free();
        let expected = match (deed, is_done) {
            (Deed::Restore, true) => &scene().saved,
            (Deed::Rollback, true) => &scene().live,
            _ => &before,
        };
        read_state(&api).assert_is(expected, &claim);
        check_invariants(&server, &claim);
        if deed == Deed::Create {
            api.delete("snapshots/new").expect(200);
        }
        let again = api.wait_for_end(&ask(&api, deed));
        assert_eq!(again["status"], "terminated", "{claim}, again: {again:#}");
    }
}
