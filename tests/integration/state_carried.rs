//! Properties of a create and a restore, on states that chance has made.
//!
//! The number of states is `LIFEBOAT_STATES`, the first seed `LIFEBOAT_SEED`; each seed is told before it is used.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{
    Api, Dice, Entry, KINDS, NOT_STATE, Size, State, TestServer, entries, from_environment, generate,
    read_accounts, read_state,
};

/// Which parts a create takes.
const OPTIONS: [&str; 5] =
    ["include_metrics", "include_credentials", "include_logs", "include_events", "include_flow_history"];

#[test]
fn every_collection_is_compared_or_is_no_state() {
    let server = TestServer::start();
    let document = server.api().get("/service/openapi.json").expect(200);
    let mut unknown = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        if operations.get("get").is_none() || path.ends_with('}') {
            continue;
        }
        let is_kind = KINDS.iter().any(|kind| kind.path == path);
        let is_excused = NOT_STATE.iter().any(|(other, reason)| other == path && !reason.is_empty());
        if is_kind == is_excused {
            unknown.push(path);
        }
    }
    assert!(
        unknown.is_empty(),
        "{unknown:?}: a new collection has to be read by `harness/state`, or named there as no state, and not both"
    );
    for path in KINDS.iter().map(|kind| kind.path).chain(NOT_STATE.iter().map(|(path, _)| *path)) {
        assert!(document["paths"].get(path).is_some(), "there is no `{path}` any more");
    }
}

/// The seeds of this run.
fn seeds() -> impl Iterator<Item = u64> {
    let first = from_environment("LIFEBOAT_SEED", 1);
    (first..first + from_environment("LIFEBOAT_STATES", 4)).inspect(|seed| println!("seed {seed}"))
}

fn size(seed: u64) -> Size {
    match seed % 3 {
        0 => Size::Full,
        _ => Size::Small,
    }
}

/// All options for even seeds, else some.
fn options(seed: u64) -> Value {
    let mut dice = Dice::new(seed);
    OPTIONS
        .iter()
        .map(|name| ((*name).to_owned(), json!(seed.is_multiple_of(2) || dice.chance(50))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What of a state is in a snapshot that was made so.
fn taken(state: &State, options: &Value) -> State {
    let is_taken = |name: &str| options[name] == true;
    let mut state = state.clone();
    if !is_taken("include_metrics") {
        state = state.without(&["/v1/metrics", "/v1/annotations"]);
    }
    if !is_taken("include_flow_history") {
        state = state.without(&["/v2/flows/{flow}/history"]);
    }
    if !is_taken("include_credentials") {
        state = state.changed("/agents", |agent| {
            agent["whole/key-file"] = Value::Null;
            for part in ["listed", "whole"] {
                agent[part]["has_key_file"] = json!(false);
            }
        });
    }
    for (option, kind) in [("include_logs", "cloudify_log"), ("include_events", "cloudify_event")] {
        if !is_taken(option) {
            state = state.changed("/events", |events| {
                events.as_array_mut().unwrap().retain(|event| event["type"] != kind);
            });
        }
    }
    state.without_empty("/events")
}

fn restore(api: &Api, id: &str) {
    let options = json!({ "force": true, "recreate_deployments_envs": false });
    let restored = api.restore_snapshot(id, &options);
    assert_eq!(restored["status"], "terminated", "{restored:#}");
}

/// An entry as it is compared between two archives of one state: without ids, times and seals, and what follows from
/// those.
fn comparable(entry: &Entry, is_same_manager: bool) -> Option<Vec<u8>> {
    let of_json = |fields: &[&str]| {
        let mut document: Value = serde_json::from_slice(&entry.content).unwrap();
        for field in fields {
            *document.pointer_mut(field).unwrap_or_else(|| panic!("no `{field}` in `{}`", entry.name)) =
                Value::Null;
        }
        Some(document.to_string().into_bytes())
    };
    match entry.name.as_str() {
        "metadata.json" => of_json(&[
            "/lifeboat/archive_id",
            "/lifeboat/created_at",
            "/lifeboat/signer",
            "/lifeboat/sealed_for",
        ]),
        "lifeboat/manager.json" => of_json(&["/cut_at"]),
        "report.json" => {
            let mut document: Value = serde_json::from_slice(&entry.content).unwrap();
            let sources = &mut document["sources"];
            sources["embedded"]["cut_at"].take();
            sources["metrics"]["from"].take();
            if !is_same_manager {
                // Flows come back stopped, and users are the service's.
                // What was left out once is not there to be left out.
                sources["embedded"]["left_out"].take();
                sources["flows"].take();
                sources["accounts"].take();
            }
            Some(document.to_string().into_bytes())
        }
        "manifest.json" => {
            let document: Value = serde_json::from_slice(&entry.content).unwrap();
            let mut counts = document["counts"].clone();
            if !is_same_manager {
                counts["users"].take();
                counts["user_groups"].take();
            }
            Some(counts.to_string().into_bytes())
        }
        "manifest.sig" => None,
        name if name.starts_with("credentials/") => None,
        // Users are the service's: those of the other manager stay beside those that came.
        name if name.starts_with("mgmt/") && !is_same_manager => None,
        "lifeboat/user_groups.json" if !is_same_manager => None,
        name if name.starts_with("flows/") && !is_same_manager => {
            let text = std::str::from_utf8(&entry.content).unwrap();
            // Flows come back stopped.
            Some(text.replace("status\":\"active\"", "status\":\"inactive\"").into_bytes())
        }
        _ => Some(entry.content.clone()),
    }
}

#[track_caller]
fn assert_same_bytes(one: &[u8], two: &[u8], is_same_manager: bool) {
    let [one, two] = [one, two].map(entries);
    let names = |archive: &[Entry]| archive.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&one), names(&two), "the same entries in the same order");
    let mut compared = 0;
    for (first, second) in one.iter().zip(&two) {
        let [first, second] = [first, second].map(|entry| (comparable(entry, is_same_manager), &entry.name));
        if first != second {
            let text =
                |bytes: Option<Vec<u8>>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
            panic!("`{}` differs:\n{}\n{}", first.1, text(first.0), text(second.0));
        }
        compared += usize::from(first.0.is_some());
    }
    assert!(compared > 5, "only {compared} of {:?}", names(&one));
}

#[test]
fn a_state_comes_back_on_another_manager_and_the_former_one_with_a_rollback() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in seeds() {
        let (one, options) = (TestServer::start(), options(seed));
        let api = one.api();
        generate(&api, seed, size(seed));
        let state = read_state(&api);
        for kind in KINDS {
            *seen.entry(kind.path).or_default() += state.count(kind.path);
        }
        for id in ["one", "two"] {
            api.create_snapshot(id, &options);
        }
        let archive = api.archive("one");
        assert_same_bytes(&archive, &api.archive("two"), true);
        read_state(&api).assert_is(&state, &format!("seed {seed}: a create changes nothing"));

        // Onto a manager that is new, or that holds another state.
        let two = TestServer::builder().opening_archives_of(&one).start();
        let other = two.api();
        generate(&other, seed + 1_000_000, if seed % 4 == 1 { Size::Empty } else { Size::Small });
        let (former, former_accounts) = (read_state(&other), read_accounts(&other));
        other.send_archive("carried", &archive).expect(201);
        restore(&other, "carried");
        let mut expected = taken(&state, &options);
        let restored = read_state(&other);
        let mut found = restored.clone();
        if options["include_metrics"] == false {
            // Measurements that the archive has not stay as they were.
            let metrics = ["/v1/metrics", "/v1/annotations"];
            found.only(&metrics).assert_is(
                &former.only(&metrics).of_tenants_in(&expected),
                &format!("seed {seed}: measurements"),
            );
            (found, expected) = (found.without(&metrics), expected.without(&metrics));
        }
        found.assert_is(&expected, &format!("seed {seed}: restored"));
        let joined = former_accounts.joined_by(&read_accounts(&api));
        assert_eq!(read_accounts(&other), joined, "seed {seed}: users and groups");

        other.create_snapshot("again", &options);
        assert_same_bytes(&archive, &other.archive("again"), false);

        let rolled = other.wait_for_end(&other.post("/service/rollback", &json!({})).expect(200));
        assert_eq!(rolled["status"], "terminated", "{rolled:#}");
        read_state(&other).assert_is(&former, &format!("seed {seed}: rolled back"));
        let rolled = other.wait_for_end(&other.post("/service/rollback", &json!({})).expect(200));
        assert_eq!(rolled["status"], "terminated", "{rolled:#}");
        read_state(&other).assert_is(&restored, &format!("seed {seed}: and back again"));
    }
    println!("{seen:?}");
    let has_full = seeds().any(|seed| size(seed) == Size::Full);
    assert!(!has_full || seen.values().all(|count| *count > 0), "a kind never occurred: {seen:?}");
}
