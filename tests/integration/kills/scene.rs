//! The servers on which everything is tried: one state, made once, of which each case gets a copy.

use std::path::PathBuf;
use std::sync::OnceLock;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::cases::{Case, Deed, Outcome};
use crate::harness::{
    Api, ChartSnapshot, FileServer, Flow, Size, State, TestServer, check_invariants, copy_data, create_chart,
    create_space, gauge, generate, lamps, now, read_state, slope, wagon, workflow_blueprint,
};

/// The snapshot that is there.
pub const KEPT: &str = "kept";
/// The id of what is to be made.
pub const MADE: &str = "made";
/// The state that chance makes.
const SEED: u64 = 11;
/// How many long secrets are there where more is read than memory has room for.
const LONG_SECRETS: usize = 10;

/// What all servers begin with.
pub struct Scene {
    _folder: TempDir,
    /// The data folders: before any restore, and after one.
    fresh: PathBuf,
    restored: PathBuf,
    /// The state of the snapshot, of `fresh`, and of `restored`.
    pub saved: State,
    pub former: State,
    pub later: State,
    archive: Vec<u8>,
    flow: String,
    chart: i64,
}

/// The only one.
pub fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(Scene::new)
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = TestServer::start();
        let api = server.api();
        generate(&api, SEED, Size::Small);
        workflow_blueprint(&api, "runs");
        lamps(&api, "lamp", 2);
        let flow = Flow::create(&api, "Nightly", &["a", "b"]);
        for text in ["1", "2"] {
            flow.emit("a", text).expect(200);
        }
        let ticking = Flow::create(&api, "Ticking", &["a"]);
        gauge(&api, "tide", None, &slope(now(), 30));
        let space = create_space(&api, "Harbour");
        let chart = create_chart(&api, space, &json!({ "name": "Tide", "streams": [{ "metric": "tide" }] }));
        let options =
            json!({ "include_metrics": true, "include_credentials": true, "include_flow_history": true });
        // What parts of a restore bring back, whatever was generated.
        api.put("secrets/kept", &json!({ "value": "x" })).expect(200);
        let saved = read_state(&api);
        api.create_snapshot(KEPT, &options);
        flow.emit("a", "3").expect(200);
        api.put("secrets/later", &json!({ "value": "x" })).expect(200);
        api.send(api.request(Method::POST, "plugins?title=later").body(wagon("later", "1"))).expect(201);
        ticking.start();
        let former = read_state(&api);
        let archive = api.archive(KEPT);
        server.terminate();
        let [fresh, restored] = ["fresh", "restored"].map(|name| folder.path().join(name));
        copy_data(&server.data(), &fresh);
        server.restart();
        let api = server.api();
        assert_eq!(api.restore_snapshot(KEPT, &restoring())["status"], "terminated");
        api.put("secrets/last", &json!({ "value": "x" })).expect(200);
        let later = read_state(&api);
        server.terminate();
        copy_data(&server.data(), &restored);
        Self { _folder: folder, fresh, restored, saved, former, later, archive, flow: flow.id, chart }
    }

    /// Does a deed on a server that is killed in it, and checks what comes up again.
    pub fn play(&self, case: &Case) {
        let is_restored = matches!(case.deed, Deed::Rollback | Deed::RestoreAgain);
        let (data, before) = match is_restored {
            true => (&self.restored, &self.later),
            false => (&self.fresh, &self.former),
        };
        let mut failpoint = format!("{}=kill", case.at);
        // Stands as long as the test runs: nothing is ever written.
        let hold = tempfile::NamedTempFile::new().unwrap();
        if case.deed == Deed::CreateSpooling {
            failpoint.push_str(&format!(",collect:writing=hold:{}", hold.path().display()));
        }
        let mut server = TestServer::builder()
            .copy_of(data)
            .fetching_from_loopback()
            .settings("[manager]\nwal_limit_bytes = 1048576")
            .failpoint(&failpoint)
            .start();
        self.ask(case.deed, &server.api());
        server.wait_until_killed();
        if let Some(then) = case.then {
            server.die_at_start(then);
        }
        server.restart();

        let claim = case.to_string();
        let api = server.api();
        check_invariants(&server, &claim);
        if case.deed == Deed::CreateSpooling {
            for number in 0..LONG_SECRETS {
                api.delete(&format!("secrets/long-{number}")).expect_status(200);
            }
        }
        let state = read_state(&api);
        let is_after = case.outcome == Outcome::After;
        match case.deed {
            Deed::Restore | Deed::RestoreAgain => {
                state.assert_is(if is_after { &self.saved } else { before }, &claim);
                self.ended(&api, "restore_snapshot", is_after, &claim);
            }
            Deed::Rollback => {
                state.assert_is(if is_after { &self.former } else { before }, &claim);
                self.ended(&api, "rollback", is_after, &claim);
            }
            Deed::Capture | Deed::RestoreFlow | Deed::Undo => {
                self.flow_is(case.deed, &api, &state, is_after, &claim)
            }
            Deed::RunWorkflow => {
                let unchanged = |state: &State| {
                    let state = state.without(&["/executions", "/events"]);
                    state.changed("/deployments", |deployment| {
                        for part in ["listed", "whole"] {
                            let fields = deployment[part].as_object_mut().unwrap();
                            fields.retain(|name, _| !name.starts_with("latest_execution"));
                        }
                    })
                };
                unchanged(&state).assert_is(&unchanged(before), &claim);
                self.ended(&api, "install", is_after, &claim);
            }
            Deed::Create | Deed::CreatePausing | Deed::CreateSpooling => {
                // A pause stops flows and starts them again, which they tell.
                let is_pausing = case.deed == Deed::CreatePausing;
                let unchanged = |state: &State| {
                    state.changed("/v2/flows", |flow| {
                        flow.as_object_mut().unwrap().retain(|name, _| !(is_pausing && name == "updated_at"));
                    })
                };
                unchanged(&state).assert_is(&unchanged(before), &claim);
                self.ended(&api, "create_snapshot", is_after, &claim);
                self.snapshot_is(&api, is_after.then_some("created"), &claim);
            }
            Deed::Upload | Deed::Fetch => {
                state.assert_is(before, &claim);
                self.snapshot_is(&api, is_after.then_some("uploaded"), &claim);
            }
            Deed::UploadRefused => {
                state.assert_is(before, &claim);
                self.snapshot_is(&api, None, &claim);
            }
            Deed::Delete => {
                state.assert_is(before, &claim);
                assert_eq!(api.get(&format!("snapshots/{KEPT}")).status, 404, "{claim}");
                assert_eq!(server.files_in("archives"), Vec::<String>::new(), "{claim}");
                api.create_snapshot(KEPT, &json!({}));
            }
            Deed::Render => {
                state.assert_is(before, &claim);
                let list = api.get("/v1/snapshots").expect(200);
                let asked = list["snapshots"].as_array().unwrap().iter();
                for snapshot in asked.map(|document| ChartSnapshot::read(&api, document)) {
                    snapshot.picture().expect_not_empty();
                }
            }
            Deed::Plan | Deed::PlanSelection => {
                state.assert_is(before, &claim);
                self.ended(&api, "plan_snapshot", is_after, &claim);
            }
            Deed::Select => {
                state.assert_is(before, &claim);
                self.ended(&api, "restore_snapshot", is_after, &claim);
            }
            Deed::Verify => {
                state.assert_is(before, &claim);
                self.ended(&api, "verify_snapshot", is_after, &claim);
            }
            Deed::Reseal => {
                state.assert_is(before, &claim);
                self.ended(&api, "reseal_snapshot", is_after, &claim);
                assert_eq!(api.archive(KEPT) != self.archive, is_after, "{claim}");
            }
            Deed::Diff => {
                state.assert_is(before, &claim);
                self.ended(&api, "diff_snapshot", is_after, &claim);
            }
            Deed::AddPlugin => state.assert_is(before, &claim),
            Deed::UpdatePlugins => self.plugins_are(&api, case, &claim),
        }
        if case.deed == Deed::CreatePausing {
            let flows = api.get("/v2/flows?search=Ticking").expect(200);
            assert_eq!(flows["data"][0]["attributes"]["status"], "active", "{claim}: {flows:#}");
        }
        // Writers may come in, and what is made next is whole.
        api.put("secrets/afterwards", &json!({ "value": "x" })).expect(200);
        check_invariants(&server, &claim);
    }

    /// Asks for what kills the server: it may be dead before it has answered.
    fn ask(&self, deed: Deed, api: &Api) {
        let send = |method: Method, path: &str, body: &Value| {
            let _ = api.request(method, path).json(body).send();
        };
        let archive = format!("snapshots/{MADE}/archive");
        let made = format!("snapshots/{MADE}");
        match deed {
            Deed::Create => send(Method::PUT, &made, &json!({})),
            Deed::CreatePausing => send(Method::PUT, &made, &json!({ "pause_flows": true })),
            Deed::CreateSpooling => {
                // They fill memory, and before that the log.
                for number in 0..LONG_SECRETS {
                    let value = format!("{number:08}").repeat(100_000);
                    api.put(&format!("secrets/long-{number}"), &json!({ "value": value })).expect(200);
                }
                send(Method::PUT, &made, &json!({}));
            }
            Deed::Upload => {
                let _ = api.request(Method::PUT, &archive).body(self.archive.clone()).send();
            }
            Deed::UploadRefused => {
                let _ = api.request(Method::PUT, &archive).body("no archive").send();
            }
            Deed::Fetch => {
                let files = FileServer::start();
                let url = files.file("/kept.zip", self.archive.clone());
                send(Method::PUT, &archive, &json!({ "snapshot_archive_url": url }));
            }
            Deed::Delete => send(Method::DELETE, &format!("snapshots/{KEPT}"), &json!({})),
            Deed::Restore | Deed::RestoreAgain => {
                send(Method::POST, &format!("snapshots/{KEPT}/restore"), &restoring());
            }
            Deed::Rollback => send(Method::POST, "/service/rollback", &json!({})),
            Deed::Capture => send(Method::POST, &format!("/v2/flows/{}/captures", self.flow), &json!({})),
            Deed::RestoreFlow => {
                let body = json!({ "flow_id": self.flow, "force": true });
                send(Method::POST, &format!("/service/snapshots/{KEPT}/restore-flow"), &body);
            }
            Deed::Undo => send(Method::POST, &format!("/v2/flows/{}/undo", self.flow), &json!({})),
            Deed::Render => {
                let body = json!({ "subject": { "chart": { "id": self.chart } } });
                send(Method::POST, "/v1/snapshots", &body);
            }
            Deed::RunWorkflow => {
                send(
                    Method::POST,
                    "executions",
                    &json!({ "deployment_id": "runs", "workflow_id": "install" }),
                );
            }
            Deed::Plan => send(Method::POST, &format!("snapshots/{KEPT}/plan"), &json!({})),
            Deed::PlanSelection => {
                let body = json!({ "select": { "kinds": ["secrets"] } });
                send(Method::POST, &format!("snapshots/{KEPT}/plan"), &body);
            }
            Deed::Diff => send(Method::POST, &format!("snapshots/{KEPT}/diff"), &json!({})),
            Deed::Select => {
                let body = json!({ "force": true, "select": { "kinds": ["secrets"] }, "recreate_deployments_envs": false });
                send(Method::POST, &format!("snapshots/{KEPT}/restore"), &body);
            }
            Deed::Verify => send(Method::POST, &format!("snapshots/{KEPT}/verify"), &json!({})),
            Deed::Reseal => send(Method::POST, &format!("/service/snapshots/{KEPT}/reseal"), &json!({})),
            Deed::UpdatePlugins => {
                send(Method::POST, "plugins-updates/lamp/update/initiate", &json!({ "all_to_latest": true }));
            }
            Deed::AddPlugin => {
                let _ = api.request(Method::POST, "plugins?title=made").body(wagon("made", "1")).send();
            }
        }
    }

    /// Checks how the execution of the deed has ended.
    fn ended(&self, api: &Api, workflow: &str, is_after: bool, claim: &str) {
        let list =
            format!("executions?_include_system_workflows=true&workflow_id={workflow}&_sort=-created_at");
        let execution = api.get(&list).items().remove(0);
        let wanted = if is_after { "terminated" } else { "failed" };
        assert_eq!(execution["status"], wanted, "{claim}: {execution:#}");
    }

    /// Checks what has become of an update of plugins: who has come that far follows a copy that is shown, unless all have.
    fn plugins_are(&self, api: &Api, case: &Case, claim: &str) {
        let is_after = case.outcome == Outcome::After;
        self.ended(api, "update_plugin", is_after, claim);
        let update = api.get("plugins-updates?blueprint_id=lamp").items().remove(0);
        assert_eq!(update["state"], if is_after { "successful" } else { "failed" }, "{claim}");
        let followed = |number: usize| {
            let node = api.get(&format!("nodes?deployment_id=lamp-{number}")).items().remove(0);
            let deployment = api.get(&format!("deployments/lamp-{number}")).expect(200);
            (node["properties"]["made_by"].clone(), deployment["blueprint_id"].clone())
        };
        let original = (json!("1.0.0"), json!("lamp"));
        let copied = (json!("2.0.0"), update["temp_blueprint_id"].clone());
        let wanted = match case.at {
            "update_plugin:updated" => [copied, original],
            "update_plugin:finalizing" => [copied.clone(), copied],
            _ => [(json!("2.0.0"), json!("lamp")), (json!("2.0.0"), json!("lamp"))],
        };
        assert_eq!([followed(0), followed(1)], wanted, "{claim}");
        match update["temp_blueprint_id"].as_str() {
            Some(copy) => {
                let copy = api.get(&format!("blueprints/{copy}")).expect(200);
                assert_eq!(copy["is_hidden"], false, "{claim}");
            }
            None => assert!(is_after, "{claim}: the copy is gone"),
        }
    }

    /// Checks what has become of the snapshot that was to be made, and that its id can be used.
    fn snapshot_is(&self, api: &Api, status: Option<&str>, claim: &str) {
        let path = format!("snapshots/{MADE}");
        let reply = api.get(&path);
        match status {
            Some(status) => {
                assert_eq!(reply.expect(200)["status"], status, "{claim}");
                api.delete(&path).expect(200);
            }
            None if reply.status == 404 => {}
            None => {
                assert_eq!(reply.expect(200)["status"], "failed", "{claim}");
                api.delete(&path).expect(200);
            }
        }
        api.create_snapshot(MADE, &json!({}));
    }

    /// Checks what has become of the flow, beside which nothing has changed.
    fn flow_is(&self, deed: Deed, api: &Api, state: &State, is_after: bool, claim: &str) {
        let changing =
            ["/v2/flows", "/v2/flows/{flow}/snapshots", "/v2/flows/{flow}/history", "/v2/captures"];
        state.without(&changing).assert_is(&self.former.without(&changing), claim);
        if !is_after {
            state.assert_is(&self.former, claim);
        }
        let flow = Flow { api: api.clone(), id: self.flow.clone() };
        let captures = state.count("/v2/captures") - self.former.count("/v2/captures");
        let found = (flow.value("a").unwrap(), captures);
        let wanted = match (is_after, deed) {
            (true, Deed::Capture) => ("3", 1),
            (true, _) => ("2", 0),
            (false, _) => ("3", 0),
        };
        assert_eq!((found.0.as_str(), found.1), wanted, "{claim}");
        match deed {
            Deed::Capture => self.ended(api, "capture_flow", is_after, claim),
            Deed::RestoreFlow => self.ended(api, "restore_flow", is_after, claim),
            _ => {}
        }
        flow.capture("afterwards");
    }
}

fn restoring() -> Value {
    json!({ "force": true })
}
