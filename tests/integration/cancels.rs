//! A cancel that comes in the midst of each phase of a job is honoured before that phase is over, and leaves nothing.
//!
//! The job is stopped at the beginning of the phase, deaf, and goes on when it has been asked to stop: so it is the phase
//! itself that has to listen. Where it comes to the next step all the same, the server dies of it.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Api, Flow, State, TestServer, check_invariants, copy_data, fill, read_state};

/// The snapshot that is there.
const KEPT: &str = "kept";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Create,
    Restore,
    Select,
    Verify,
    Plan,
    PlanSelection,
    Diff,
    Reseal,
    Capture,
    RestoreFlow,
}

/// Where each phase begins, and what it must not come to.
const PHASES: &[(Deed, &str, Option<&str>)] = &[
    (Deed::Create, "create:collecting", Some("create:written")),
    (Deed::Create, "create:writing", Some("create:written")),
    (Deed::Create, "create:written", Some("create:publishing")),
    (Deed::Create, "create:publishing", Some("store:synced")),
    (Deed::Restore, "restore:planning", Some("plan:read")),
    (Deed::Restore, "restore:judged", Some("restore:staging")),
    (Deed::Restore, "restore:filling", Some("restore:staging")),
    (Deed::Restore, "restore:staging", Some("restore:swapping")),
    (Deed::Restore, "restore:staged", Some("restore:swapping")),
    (Deed::Select, "restore:journalled", Some("restore:selected")),
    (Deed::Select, "restore:selected", Some("restore:swapping")),
    (Deed::Restore, "plan:read", Some("restore:judged")),
    (Deed::Verify, "verify:reading", Some("verify:hashed")),
    (Deed::Verify, "verify:hashed", Some("verify:judging")),
    (Deed::Verify, "verify:judging", None),
    (Deed::Plan, "plan:comparing", Some("plan:read")),
    (Deed::Plan, "plan:read", None),
    (Deed::PlanSelection, "plan:comparing", Some("plan:selected")),
    (Deed::PlanSelection, "plan:selected", None),
    (Deed::Diff, "diff:comparing", Some("diff:read")),
    (Deed::Diff, "diff:read", None),
    (Deed::Reseal, "reseal:writing", Some("reseal:verified")),
    (Deed::Reseal, "reseal:verified", Some("reseal:announced")),
    (Deed::Capture, "capture:taking", Some("capture:taken")),
    (Deed::RestoreFlow, "restore_flow:writing", Some("restore_flow:written")),
];

fn ask(api: &Api, flow: &Flow, deed: Deed) -> Value {
    let of_kept = |what: &str, body: Value| api.post(&format!("snapshots/{KEPT}/{what}"), &body).json();
    match deed {
        Deed::Create => api.put("snapshots/new", &json!({})).expect(201),
        Deed::Restore => of_kept("restore", json!({ "force": true })),
        Deed::Select => of_kept("restore", json!({ "force": true, "select": { "kinds": ["secrets"] } })),
        Deed::Verify => of_kept("verify", json!({})),
        Deed::Plan => of_kept("plan", json!({ "force": true })),
        Deed::PlanSelection => of_kept("plan", json!({ "select": { "kinds": ["secrets"] } })),
        Deed::Diff => of_kept("diff", json!({})),
        Deed::Reseal => api.post(&format!("/service/snapshots/{KEPT}/reseal"), &json!({})).expect(200),
        Deed::Capture => {
            let asked = api.post(&flow.path("/captures"), &json!({})).expect(202);
            json!({ "id": asked["data"]["attributes"]["execution_id"] })
        }
        Deed::RestoreFlow => {
            let body = json!({ "flow_id": flow.id, "force": true });
            api.post(&format!("/service/snapshots/{KEPT}/restore-flow"), &body).expect(200)
        }
    }
}

/// The data with which each case begins, and the flow that is in it.
struct Scene {
    _folder: TempDir,
    data: PathBuf,
    state: State,
    flow: String,
}

fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut server = TestServer::start();
        let api = server.api();
        fill(&api);
        let flow = Flow::create(&api, "Nightly", &["a"]);
        flow.emit("a", "1").expect(200);
        api.create_snapshot(KEPT, &json!({ "include_credentials": true }));
        api.put("secrets/later", &json!({ "value": "x" })).expect(200);
        let state = read_state(&api);
        server.terminate();
        copy_data(&server.data(), &data);
        Scene { _folder: folder, data, state, flow: flow.id }
    })
}

#[test]
fn a_cancel_in_the_midst_of_any_phase_is_honoured_in_that_phase() {
    for (deed, held, fatal) in PHASES.iter().copied() {
        let claim = format!("{deed:?} at {held}");
        println!("{claim}");
        let server = TestServer::builder().copy_of(&scene().data).blocking(held, fatal).start();
        let api = server.api();
        let flow = Flow { api: api.clone(), id: scene().flow.clone() };
        let archive = api.archive(KEPT);
        let execution = ask(&api, &flow, deed);
        server.wait_until_held(held);
        let path = format!("executions/{}", execution["id"].as_str().unwrap());
        api.post(&path, &json!({ "action": "cancel" })).expect(200);
        server.release();
        let ended = api.wait_for_end(&execution);
        assert_eq!(ended["status"], "cancelled", "{claim}: {ended:#}");
        read_state(&api).assert_is(&scene().state, &claim);
        check_invariants(&server, &claim);
        assert_eq!(api.archive(KEPT), archive, "{claim}");
    }
}
