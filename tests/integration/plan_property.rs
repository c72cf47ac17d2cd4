//! A plan says exactly what its restore does, on states that chance has made.
//!
//! What the restore did is read from archives of before and after by code of the tests, which knows nothing of how the
//! service compares.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::{
    Api, Dice, Flow, Size, TestServer, create_space, entries, flow_body, from_environment, gauge, generate,
    now,
};
use crate::plan::plan;

/// What every archive of the truth takes.
pub const ALL: [&str; 5] =
    ["include_metrics", "include_credentials", "include_logs", "include_events", "include_flow_history"];
/// What names an item, where it is not its `id`.
const NAMES: [(&str, &[&str]); 6] = [
    ("nodes", &["envelope", "id"]),
    ("step_snapshots", &["flow_id", "step_id"]),
    ("captured_steps", &["capture_id", "step_id"]),
    ("step_history", &["number"]),
    ("metrics", &["name"]),
    ("execution_schedules", &["deployment_id", "id"]),
];
/// Kinds of which archives tell nothing in the open, or that are the service's.
pub const SHUT: [&str; 2] = ["secrets", "agent_credentials"];

pub type Held = BTreeMap<(String, String, String), String>;
pub type Differences = BTreeSet<(String, String, String, String)>;

fn part(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.replace('%', "%25").replace('/', "%2F")
}

/// Everything that stands in the open in an archive.
pub fn held(archive: &[u8]) -> Held {
    let mut held = Held::new();
    let all = entries(archive);
    let of = |name: &str| all.iter().find(|entry| entry.name == name).map(|entry| &entry.content);
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for entry in &all {
        let parts: Vec<&str> = entry.name.split('/').collect();
        let [top, tenant, file] = parts[..] else { continue };
        if file.ends_with(".txt") && top == "metrics" {
            for line in String::from_utf8(entry.content.clone()).unwrap().lines() {
                if line.starts_with('#') || line.starts_with("CREATE DATABASE") {
                    continue;
                }
                // The blank before the fields is the first that no backslash escapes.
                let fields = line.rfind(" value=").or_else(|| line.rfind(" count=")).unwrap();
                let (series, point) = line.split_at(fields);
                let key = ("series".to_owned(), tenant.to_owned(), series.to_owned());
                held.entry(key).or_default().push_str(point);
            }
            continue;
        }
        if !file.ends_with(".json") || !["tenants", "lifeboat", "flows", "charts", "metrics"].contains(&top) {
            continue;
        }
        let document: Value = serde_json::from_slice(&entry.content).unwrap();
        let kind = document["type"].as_str().unwrap();
        if top == "lifeboat" {
            if kind == "tenant" {
                let key = ("tenants".to_owned(), tenant.to_owned(), tenant.to_owned());
                held.insert(key, document["items"][0].to_string());
            }
            // The others stand beside what Cloudify's dump has, and are read with it; of these it has none.
            if kind != "deployment_modifications" {
                continue;
            }
        }
        let beside = of(&entry.name.replacen("tenants/", "lifeboat/", 1)).filter(|_| top == "tenants");
        let beside: Value = beside.map_or(Value::Null, |content| serde_json::from_slice(content).unwrap());
        for (index, item) in document["items"].as_array().unwrap().iter().enumerate() {
            let mut item = item.clone();
            item["envelope"] = document["source_id"].clone();
            item["beside"] =
                if beside["type"] == kind { beside["items"][index].clone() } else { Value::Null };
            let id = if kind == "events" {
                let stem = format!("{}/{}", part(&item["envelope"]), part(&item["timestamp"]));
                let number = times.entry(format!("{tenant} {stem}")).or_default();
                *number += 1;
                format!("{stem}/{number}")
            } else {
                let own: &[&str] =
                    NAMES.iter().find(|(name, _)| *name == kind).map_or(&["id", "name"], |(_, keys)| keys);
                match own {
                    ["id", "name"] | [_] => {
                        let key = own.iter().find(|key| !item[**key].is_null()).unwrap();
                        item[*key].as_str().map_or_else(|| item[*key].to_string(), str::to_owned)
                    }
                    several => several.iter().map(|key| part(&item[*key])).collect::<Vec<_>>().join("/"),
                }
            };
            if item["error"] == "interrupted by a restore" && kind == "executions" {
                item["ended_at"].take();
            }
            let former = held.insert((kind.to_owned(), tenant.to_owned(), id), item.to_string());
            assert!(former.is_none(), "two {kind} of one name: {item:#}");
        }
    }
    held
}

pub fn secrets(api: &Api) -> Held {
    let mut held = Held::new();
    for tenant in api.get("tenants").items() {
        let tenant = tenant["name"].as_str().unwrap();
        let api = api.clone().tenant(tenant);
        for secret in api.get("secrets").items().iter().filter(|secret| secret["tenant_name"] == tenant) {
            let key = secret["key"].as_str().unwrap();
            let whole = api.get(&format!("secrets/{key}")).expect(200).to_string();
            held.insert(("secrets".to_owned(), tenant.to_owned(), key.to_owned()), whole);
        }
    }
    held
}

pub fn differences(before: &Held, after: &Held) -> Differences {
    let mut found = Differences::new();
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for key @ (kind, tenant, id) in keys {
        let change = match (before.get(key), after.get(key)) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(before), Some(after)) if before != after => "changed",
            _ => continue,
        };
        found.insert((kind.clone(), tenant.clone(), id.clone(), change.to_owned()));
    }
    found
}

/// All that a plan lists, page by page.
pub fn planned(api: &Api, snapshot: &str) -> Differences {
    let mut found = Differences::new();
    let mut offset = 0;
    loop {
        let path = format!("snapshots/{snapshot}/plan/changes?_offset={offset}&_size=7");
        let items = api.get(&path).items();
        if items.is_empty() {
            return found;
        }
        offset += items.len();
        for item in items {
            let text = |key: &str| item[key].as_str().unwrap().to_owned();
            let is_new = found.insert((text("kind"), text("tenant"), text("id"), text("change")));
            assert!(is_new, "listed twice: {item:#}");
        }
    }
}

pub fn everything() -> Value {
    ALL.iter().map(|name| ((*name).to_owned(), json!(true))).collect::<serde_json::Map<_, _>>().into()
}

/// Changes a state here and there.
pub fn disturb(api: &Api, seed: u64) {
    let mut dice = Dice::new(seed + 77);
    for tenant in api.get("tenants").items() {
        let tenant = tenant["name"].as_str().unwrap();
        let here = api.clone().tenant(tenant);
        for secret in here.get("secrets").items().iter().filter(|secret| secret["tenant_name"] == tenant) {
            let path = format!("secrets/{}", secret["key"].as_str().unwrap());
            match dice.below(4) {
                0 => here.delete(&path).expect_status(200),
                1 => {
                    let value = json!({ "value": dice.text() });
                    // What has a schema gets another one, which any text fits.
                    let other = json!({ "type": "string" });
                    let body = json!({ "value": value["value"], "schema": other, "update_if_exists": true });
                    match secret["schema"].is_null() {
                        true => here.patch(&path, &value).expect_status(200),
                        false => here.put(&path, &body).expect_status(200),
                    }
                }
                2 => here.patch(&path, &json!({ "is_hidden_value": true })).expect_status(200),
                _ => {}
            }
        }
        here.put("secrets/disturbed", &json!({ "value": "new" })).expect(200);
        let workspace = crate::harness::workspace(api, tenant);
        let flows = api.get(&format!("/v2/flows?workspace_id={workspace}&page[size]=100")).expect(200);
        for flow in flows["data"].as_array().unwrap() {
            let flow = Flow { api: api.clone(), id: flow["id"].as_str().unwrap().to_owned() };
            match dice.below(3) {
                0 => {
                    for (step, _) in flow.values().iter().take(2) {
                        flow.emit(step, &dice.json_text(2)).expect_status(200);
                    }
                }
                1 if flow.get()["attributes"]["status"] == "inactive" => {
                    api.delete(&flow.path("")).expect_status(204);
                }
                _ => {}
            }
        }
        if dice.chance(70) {
            api.post("/v2/flows", &flow_body(&workspace, "disturbed", &["one"])).expect(201);
        }
        create_space(&here, "disturbed");
        gauge(&here, "disturbed.metric", Some("x"), &[(now() - 60, 1.5), (now() - 30, 2.5)]);
    }
}

/// Plans, restores, and compares what was said with what became of it.
#[track_caller]
fn assert_kept(api: &Api, snapshot: &str, options: &Value, claim: &str) -> usize {
    api.create_snapshot("truth_before", &everything());
    let (before, mut secrets_before) = (held(&api.archive("truth_before")), secrets(api));
    let said = plan(api, snapshot, &json!({ "force": true }));
    assert_eq!(said["can_be_restored"], true, "{claim}: {said:#}");
    let listed = planned(api, snapshot);
    for change in ["added", "removed", "changed"] {
        let count = listed.iter().filter(|(.., found)| found == change).count();
        assert_eq!(said["totals"][change], count, "{claim}: {change}");
    }
    let restore = json!({ "force": true, "recreate_deployments_envs": false });
    let restored = api.restore_snapshot(snapshot, &restore);
    assert_eq!(restored["status"], "terminated", "{claim}: {restored:#}");
    for key in ["totals", "kinds"] {
        assert_eq!(restored["report"]["plan"][key], said[key], "{claim}: the restore's own plan");
    }
    api.create_snapshot("truth_after", &everything());
    let (after, secrets_after) = (held(&api.archive("truth_after")), secrets(api));

    let mut truth = differences(&before, &after);
    truth.extend(differences(&secrets_before, &secrets_after));
    secrets_before.clear();
    // Where private keys stand, archives have placeholders whose numbers mean nothing.
    let has_keys = |(kind, tenant, id, _): &(String, String, String, String)| {
        let key = (kind.clone(), tenant.clone(), id.clone());
        [&before, &after]
            .iter()
            .any(|held| held.get(&key).is_some_and(|item| item.contains("lifeboat:private-key:")))
    };
    // Measurements that the archive has not stay; those of a tenant that goes are in no archive any more.
    let is_told = |found: &&(String, String, String, String)| {
        let is_metric = ["metrics", "series", "annotations"].contains(&found.0.as_str());
        let is_shut = SHUT[1..].contains(&found.0.as_str());
        let is_kept = is_metric && options["include_metrics"] == false;
        !(has_keys(found) || is_shut || is_kept)
    };
    let truth: Differences = truth.iter().filter(is_told).cloned().collect();
    let listed: Differences = listed.iter().filter(is_told).cloned().collect();
    let unsaid: Vec<_> = truth.difference(&listed).take(10).collect();
    let undone: Vec<_> = listed.difference(&truth).take(10).collect();
    for (kind, tenant, id, _) in unsaid.iter().chain(&undone) {
        let key = (kind.clone(), tenant.clone(), id.clone());
        println!("{key:?}\nbefore: {:?}\nafter:  {:?}", before.get(&key), after.get(&key));
    }
    assert!(unsaid.is_empty() && undone.is_empty(), "{claim}: not said: {unsaid:#?}\nnot done: {undone:#?}");

    let nothing = plan(api, snapshot, &json!({ "force": true }));
    assert_eq!(
        nothing["totals"],
        json!({ "added": 0, "removed": 0, "changed": 0 }),
        "{claim}: planned again: {:#?}",
        planned(api, snapshot)
    );
    for id in ["truth_before", "truth_after"] {
        api.delete(&format!("snapshots/{id}")).expect_status(200);
    }
    truth.len()
}

#[test]
fn a_restore_does_exactly_what_its_plan_said() {
    let first = from_environment("LIFEBOAT_SEED", 1);
    for seed in first..first + from_environment("LIFEBOAT_STATES", 3) {
        println!("seed {seed}");
        let one = TestServer::start();
        let api = one.api();
        generate(&api, seed, if seed % 3 == 0 { Size::Full } else { Size::Small });
        let mut dice = Dice::new(seed);
        let options: Value = ALL
            .iter()
            .map(|name| ((*name).to_owned(), json!(seed % 2 == 0 || dice.chance(60))))
            .collect::<serde_json::Map<_, _>>()
            .into();
        api.create_snapshot("kept", &options);
        disturb(&api, seed);
        let found = assert_kept(&api, "kept", &options, &format!("seed {seed}: the same manager"));
        assert!(found > 3, "too little was changed");

        let two = TestServer::builder().opening_archives_of(&one).start();
        let other = two.api();
        generate(&other, seed + 1_000_000, Size::Small);
        other.send_archive("carried", &api.archive("kept")).expect(201);
        assert_kept(&other, "carried", &options, &format!("seed {seed}: another manager"));
    }
}
