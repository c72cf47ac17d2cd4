//! The state of a manager entity by entity, as an archive of it says: to see that nothing but what should change did.
//!
//! It knows the envelopes of an archive; what is sealed is read by the calls that show it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Api, Entry, entries, inventory};

/// Entities by `kind/tenant/id`, each with all that an archive holds of it.
pub type Dump = BTreeMap<String, Value>;

/// Takes a snapshot and reads it.
pub fn dump(api: &Api, snapshot: &str) -> Dump {
    let options =
        json!({ "include_metrics": true, "include_credentials": true, "include_flow_history": true });
    api.create_snapshot(snapshot, &options);
    let mut dump = read(&entries(&api.archive(snapshot)));
    let state = inventory(api);
    for (tenant, state) in state.as_object().unwrap() {
        dump.insert(format!("tenants/{tenant}/{tenant}"), json!({}));
        for (key, secret) in state["secrets"].as_object().unwrap() {
            dump.insert(format!("secrets/{tenant}/{key}"), secret.clone());
        }
    }
    dump
}

/// What differs between two: the names of entities that came, went or changed.
pub fn changes(before: &Dump, after: &Dump) -> Vec<String> {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

fn read(entries: &[Entry]) -> Dump {
    let mut dump = Dump::new();
    for entry in entries {
        let parts: Vec<&str> = entry.name.split('/').collect();
        match parts[..] {
            ["tenants" | "flows" | "charts" | "metrics", tenant, file] if file.ends_with(".json") => {
                let extra = entries.iter().find(|other| {
                    parts[0] == "tenants" && other.name == entry.name.replacen("tenants/", "lifeboat/", 1)
                });
                envelope(&mut dump, tenant, entry, extra);
            }
            ["metrics", tenant, file] if file.ends_with(".txt") => points(&mut dump, tenant, entry),
            _ => {}
        }
    }
    dump
}

fn envelope(dump: &mut Dump, tenant: &str, entry: &Entry, extra: Option<&Entry>) {
    let envelope: Value = serde_json::from_slice(&entry.content).unwrap();
    let extras: Value = extra.map_or(Value::Null, |entry| serde_json::from_slice(&entry.content).unwrap());
    let kind = envelope["type"].as_str().unwrap();
    let source = envelope["source_id"].as_str();
    for (place, item) in envelope["items"].as_array().unwrap().iter().enumerate() {
        let text = |key: &str| item[key].as_str().map_or_else(|| item[key].to_string(), str::to_owned);
        let id = match kind {
            "nodes" => format!("{}/{}", source.unwrap(), text("id")),
            "events" => source.unwrap().to_owned(),
            "step_snapshots" => format!("{}/{}", text("flow_id"), text("step_id")),
            "step_history" => text("flow_id"),
            "captured_steps" => format!("{}/{}", text("capture_id"), text("step_id")),
            "metrics" => text("name"),
            _ => text("id"),
        };
        let mut item = item.clone();
        if kind == "step_history" {
            // Numbers tell the order only, and are given anew where others have them.
            for key in ["number", "change", "undoes"] {
                item.as_object_mut().unwrap().remove(key);
            }
        }
        let whole = json!([item, extras["items"][place]]);
        let name = format!("{kind}/{tenant}/{id}");
        match kind {
            "events" | "step_history" => {
                let list = dump.entry(name).or_insert_with(|| json!([]));
                list.as_array_mut().unwrap().push(whole);
            }
            _ => assert!(dump.insert(name.clone(), whole).is_none(), "`{name}` stands twice in the archive"),
        }
    }
}

/// The points of each metric, as lines.
fn points(dump: &mut Dump, tenant: &str, entry: &Entry) {
    let text = String::from_utf8(entry.content.clone()).unwrap();
    for line in
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("CREATE"))
    {
        let metric = line.split([',', ' ']).next().unwrap();
        let list = dump.entry(format!("points/{tenant}/{metric}")).or_insert_with(|| json!([]));
        list.as_array_mut().unwrap().push(json!(line));
    }
}
