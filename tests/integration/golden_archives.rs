//! Archives that earlier releases made, one of each format: this release reads them with all that they hold.
//!
//! `fixtures/archives/format-<n>.zip` holds a generated state with something of every kind, and the few things that are
//! named below. `format-<n>.json.gz` is what the release that made it told of the archive and the state. The sealed parts
//! open with `key-for-tests-only.txt`, which guards nothing. All three are written by a run of this test with
//! `LIFEBOAT_WRITE_FIXTURES=1` where they are absent, and never change.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::harness::{
    Accounts, Flow, KINDS, SECRET_VALUE, Size, State, TestServer, create_chart, create_space, document,
    generate, now, read_accounts, read_state_measured_until,
};

/// The format that this release writes.
const FORMAT: u32 = 1;
/// A seed whose state has something of every kind.
const SEED: u64 = 6;
/// What a create takes when it takes everything.
const EVERYTHING: [&str; 5] =
    ["include_metrics", "include_credentials", "include_logs", "include_events", "include_flow_history"];
/// The value of the flow's step, to the letter.
const STEP_VALUE: &str = "{\"bearing\": 1.50, \"lit\":  true}";
const CHART: &str = "Lamps lit";

/// What the release that made an archive told of it.
#[derive(Serialize, Deserialize)]
struct Golden {
    /// The end of the hours of which measurements were read, in seconds since 1970.
    measured_until: i64,
    /// The id of the flow whose step has [`STEP_VALUE`].
    flow: String,
    /// The number of the space that holds [`CHART`].
    space: i64,
    /// `lifeboat inspect`, without the file's path, and without the list of entries, which `lifeboat verify` reads.
    inspected: Value,
    accounts: Accounts,
    state: State,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/archives")
}

/// What was told of an archive.
fn told(archive: &Path) -> PathBuf {
    archive.with_extension("json.gz")
}

fn key() -> PathBuf {
    folder().join("key-for-tests-only.txt")
}

/// What `lifeboat inspect` says of a file, wherever it lies.
fn inspect(server: &TestServer, archive: &Path) -> Value {
    let path = archive.to_str().unwrap();
    let mut inspected = document(server, &["inspect", path])[0].take();
    assert_eq!(inspected["file"].take(), path);
    assert!(inspected["entry_list"].take().as_array().is_some_and(|entries| entries.len() > 20));
    inspected
}

/// Makes an archive of the present format.
fn write(archive: &Path) {
    let server = TestServer::start();
    let api = server.api();
    generate(&api, SEED, Size::Whole);
    // Updates of deployments take those away that were made before.
    let deployments = api.get("deployments").items();
    let dependency = json!({
        "dependency_creator": "nodes.lamp.get_capability", "source_deployment": deployments[0]["id"],
        "target_deployment": deployments[1]["id"],
    });
    api.put("deployments/inter-deployment-dependencies", &dependency).expect(200);
    api.put("secrets/lamp", &json!({ "value": SECRET_VALUE })).expect(200);
    let flow = Flow::create(&api, "lamps", &["lamp"]);
    flow.emit("lamp", STEP_VALUE).expect_status(200);
    let space = create_space(&api, "Lighthouse");
    create_chart(&api, space, &json!({ "name": CHART, "type": "line", "streams": [] }));

    let options: Value = EVERYTHING.iter().map(|name| ((*name).to_owned(), json!(true))).collect();
    api.create_snapshot("golden", &options);
    fs::create_dir_all(folder()).unwrap();
    fs::write(archive, api.archive("golden")).unwrap();
    let identity = fs::read_to_string(server.data().join("keys/identity.txt")).unwrap();
    fs::write(
        key(),
        format!("# For tests only: it opens the archives of this folder, and guards nothing.\n{identity}"),
    )
    .unwrap();

    let measured_until = now() + 60;
    let golden = Golden {
        measured_until,
        flow: flow.id,
        space,
        inspected: inspect(&server, archive),
        accounts: read_accounts(&api),
        state: read_state_measured_until(&api, measured_until),
    };
    let file = File::create(told(archive)).unwrap();
    let mut compressed = GzEncoder::new(file, Compression::best());
    serde_json::to_writer_pretty(&mut compressed, &golden).unwrap();
    compressed.finish().unwrap();
}

#[test]
fn an_archive_of_every_format_that_was_written_is_restored_with_all_that_it_holds() {
    let present = folder().join(format!("format-{FORMAT}.zip"));
    if !present.exists() && std::env::var_os("LIFEBOAT_WRITE_FIXTURES").is_some() {
        write(&present);
    }
    for format in 1..=FORMAT {
        let archive = folder().join(format!("format-{format}.zip"));
        let golden: Golden =
            serde_json::from_reader(GzDecoder::new(File::open(told(&archive)).unwrap())).unwrap();
        for kind in KINDS {
            assert!(golden.state.count(kind.path) > 0, "it holds no `{}`", kind.path);
        }
        // Measurements are kept as long as there are any years to come.
        let settings =
            "[metrics]\nraw_days = 36500\nminute_days = 36500\nquarter_hour_days = 36500\nhour_days = 36500";
        let identities = format!("[encryption]\nidentities = [{:?}]", key().to_str().unwrap());
        let server = TestServer::builder().settings(settings).settings(&identities).start();
        is_read(&server, &archive, &golden);
        is_restored(&server, &archive, &golden);
    }
}

/// What is told of it offline, by an upload, a verify and a plan.
fn is_read(server: &TestServer, archive: &Path, golden: &Golden) {
    let path = archive.to_str().unwrap();
    let inspected = inspect(server, archive);
    for (field, told) in golden.inspected.as_object().unwrap() {
        assert_eq!(&inspected[field], told, "{field}");
    }
    let verified = document(server, &["verify", path]);
    assert_eq!(verified[0]["ok"], true, "{verified:#}");

    let uploaded = document(server, &["snapshot", "upload", path, "golden"]);
    assert_eq!(uploaded["status"], "uploaded", "{uploaded:#}");
    assert_eq!(uploaded["contents"]["counts"], golden.inspected["counts"]);
    let api = server.api();
    let verify = api.post("snapshots/golden/verify", &json!({})).expect(200);
    assert_eq!(api.wait_for_end(&verify)["status"], "terminated");
    let plan = document(server, &["snapshot", "plan", "golden"]);
    assert_eq!(plan["can_be_restored"], true, "{plan:#}");
    assert_eq!(plan["totals"]["removed"], 0, "{plan:#}");
    let counts = golden.inspected["counts"].as_object().unwrap();
    let planned = counts.iter().filter(|(kind, _)| plan["kinds"].get(kind).is_some());
    let planned =
        planned.inspect(|(kind, count)| assert_eq!(&plan["kinds"][*kind]["after"], *count, "{kind}"));
    assert!(planned.count() > 20, "{plan:#}");
}

fn is_restored(server: &TestServer, archive: &Path, golden: &Golden) {
    let api = server.api();
    let former = read_accounts(&api);
    let restored = api.restore_snapshot("golden", &json!({ "recreate_deployments_envs": false }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");

    let claim = archive.display().to_string();
    let found = read_state_measured_until(&api, golden.measured_until);
    found.as_known_by(&golden.state).assert_is(&golden.state, &claim);
    assert_eq!(read_accounts(&api), former.joined_by(&golden.accounts));
    assert_eq!(api.get("secrets/lamp").expect(200)["value"], SECRET_VALUE);
    let flow = Flow { api: api.clone(), id: golden.flow.clone() };
    assert_eq!(flow.value("lamp").as_deref(), Some(STEP_VALUE));
    let charts = api.get(&format!("/v1/spaces/{}/charts", golden.space)).expect(200);
    assert_eq!(charts[0]["name"], CHART, "{charts:#}");

    // And what was restored is kept as anything else is.
    let options: Value = EVERYTHING.iter().map(|name| ((*name).to_owned(), json!(true))).collect();
    api.create_snapshot("again", &options);
}
