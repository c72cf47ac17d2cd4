//! The whole state of a manager as the faces show it: one document per entity, by tenant, kind and id.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::super::{Api, now, series};
use super::kinds::{KINDS, Kind, Listed, ReadBelow};

/// How many items are asked for at once.
const PAGE: usize = 1000;
/// How far back measurements are read, in seconds.
const MEASURED_SECONDS: i64 = 6 * 3600;
/// The largest number of a space that the service itself brings.
const OWN_SPACES: i64 = 999;
/// A state: what each entity is, under `tenant kind id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State(BTreeMap<String, Value>);

impl State {
    /// How many of them are of the kind at this path.
    pub fn count(&self, path: &str) -> usize {
        self.0.keys().filter(|key| kind_of(key) == path).count()
    }

    /// The same without what is at these paths.
    pub fn without(&self, paths: &[&str]) -> Self {
        let kept = self.0.iter().filter(|(key, _)| !paths.contains(&kind_of(key)));
        Self(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// Only what is at these paths.
    pub fn only(&self, paths: &[&str]) -> Self {
        let kept = self.0.iter().filter(|(key, _)| paths.contains(&kind_of(key)));
        Self(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// Only what belongs to tenants that the other state has.
    pub fn of_tenants_in(&self, other: &Self) -> Self {
        let has = |key: &str| other.0.contains_key(&format!("{} /tenants ", key.split(' ').next().unwrap()));
        let kept = self.0.iter().filter(|(key, _)| has(key));
        Self(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// The same without lists of this kind in which nothing is left.
    pub fn without_empty(&self, path: &str) -> Self {
        let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        let kept = self.0.iter().filter(|(key, value)| kind_of(key) != path || !is_empty(value));
        Self(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// The same, each entity of a kind changed so.
    pub fn changed(&self, path: &str, change: impl Fn(&mut Value)) -> Self {
        let mut state = self.clone();
        for (_, value) in state.0.iter_mut().filter(|(key, _)| kind_of(key) == path) {
            change(value);
        }
        state
    }

    /// Only what another state, which an earlier release read, knows of: its kinds, and the fields of its entities.
    pub fn as_known_by(&self, earlier: &Self) -> Self {
        let kinds: BTreeSet<&str> = earlier.0.keys().map(|key| kind_of(key)).collect();
        let known = self.0.iter().filter(|(key, _)| kinds.contains(kind_of(key)));
        let mut state = Self(known.map(|(key, value)| (key.clone(), value.clone())).collect());
        for (key, value) in &mut state.0 {
            if let Some(earlier) = earlier.0.get(key) {
                keep_known(value, earlier);
            }
        }
        state
    }

    /// Panics with what differs, and with `claim`, unless both are the same.
    #[track_caller]
    pub fn assert_is(&self, expected: &Self, claim: &str) {
        let differences = self.differences(expected);
        assert!(
            differences.is_empty(),
            "{claim}: {} differences:\n{}",
            differences.len(),
            differences.iter().take(12).map(String::as_str).collect::<Vec<_>>().join("\n")
        );
    }

    /// What differs from another state, a line each.
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let keys: BTreeSet<&String> = self.0.keys().chain(expected.0.keys()).collect();
        let mut differences = Vec::new();
        for key in keys {
            match (self.0.get(key), expected.0.get(key)) {
                (Some(found), Some(wanted)) => compare(key, found, wanted, &mut differences),
                (Some(found), None) => differences.push(format!("{key}: too much: {}", short(found))),
                (None, _) => differences.push(format!("{key}: missing")),
            }
        }
        differences
    }
}

fn kind_of(key: &str) -> &str {
    key.split(' ').nth(1).unwrap_or_default()
}

/// Drops the fields that another value has not.
fn keep_known(value: &mut Value, earlier: &Value) {
    match (value, earlier) {
        (Value::Object(value), Value::Object(earlier)) => {
            value.retain(|name, _| earlier.contains_key(name));
            for (name, value) in value {
                keep_known(value, &earlier[name]);
            }
        }
        (Value::Array(values), Value::Array(earlier)) => {
            for (value, earlier) in values.iter_mut().zip(earlier) {
                keep_known(value, earlier);
            }
        }
        _ => {}
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.len() > 300 { format!("{}…", text.chars().take(300).collect::<String>()) } else { text }
}

/// Text by text: numbers that are equal and spelled otherwise are told apart.
fn compare(place: &str, found: &Value, wanted: &Value, differences: &mut Vec<String>) {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            let keys: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
            for key in keys {
                let place = format!("{place} .{key}");
                match (found.get(key), wanted.get(key)) {
                    (Some(found), Some(wanted)) => compare(&place, found, wanted, differences),
                    (found, wanted) => differences.push(format!("{place}: {found:?}, expected {wanted:?}")),
                }
            }
        }
        (Value::Array(found), Value::Array(wanted)) if found.len() == wanted.len() => {
            for (number, (found, wanted)) in found.iter().zip(wanted).enumerate() {
                compare(&format!("{place} [{number}]"), found, wanted, differences);
            }
        }
        _ => {
            let texts = (found.to_string(), wanted.to_string());
            if texts.0 != texts.1 {
                differences.push(format!("{place}: {}, expected {}", short(found), short(wanted)));
            }
        }
    }
}

/// Reads everything that is a manager's state, as an administrator sees it.
pub fn read_state(api: &Api) -> State {
    read_state_measured_until(api, now() + 60)
}

/// As [`read_state`], with the measurements of the hours before a moment (seconds since 1970).
pub fn read_state_measured_until(api: &Api, measured_until: i64) -> State {
    let mut reader = Reader { api, measured_until, found: BTreeMap::new() };
    for tenant in items(api, "tenants") {
        let name = tenant["name"].as_str().unwrap().to_owned();
        // Users and groups are records of the service.
        reader.keep(&name, "/tenants", "", json!({ "name": name }));
        reader.tenant(&name);
    }
    State(reader.found)
}

struct Reader<'a> {
    api: &'a Api,
    measured_until: i64,
    found: BTreeMap<String, Value>,
}

/// All items of a list of Cloudify's face.
fn items(api: &Api, path: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let joint = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = api.get(&format!("{path}{joint}_size={PAGE}&_offset={}", all.len())).items();
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            return all;
        }
    }
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A file by what it is.
fn fingerprint(bytes: &[u8]) -> Value {
    json!({ "length": bytes.len(), "sha256": hex::encode(Sha256::digest(bytes)) })
}

fn exempt(path: &str, value: &mut Value) {
    let kind = KINDS.iter().find(|kind| kind.path == path).unwrap_or_else(|| panic!("`{path}` is no kind"));
    if let Value::Object(object) = value {
        object.retain(|field, _| !kind.exempt.iter().any(|(name, _)| name == field));
    }
}

impl Reader<'_> {
    fn keep(&mut self, tenant: &str, path: &str, id: &str, mut value: Value) {
        exempt(path, &mut value);
        let former = self.found.insert(format!("{tenant} {path} {id}"), value);
        assert!(former.is_none(), "`{id}` stands twice in `{path}` of `{tenant}`");
    }

    fn tenant(&mut self, tenant: &str) {
        let api = self.api.clone().tenant(tenant);
        for kind in KINDS {
            if let Listed::Cloudify(keys) = kind.listed {
                self.cloudify(&api, tenant, kind, keys);
            }
        }
        self.filters(&api, tenant);
        self.executions(&api, tenant);
        self.flows(&api, tenant);
        self.charts(&api, tenant);
        self.metrics(&api, tenant);
    }

    fn cloudify(&mut self, api: &Api, tenant: &str, kind: &Kind, keys: &str) {
        let path = kind.path.trim_start_matches('/');
        for item in items(api, path) {
            // What is global stands in the lists of all tenants.
            if item["tenant_name"] != tenant {
                continue;
            }
            let id: Vec<&str> = keys.split(',').map(|key| item[key].as_str().unwrap()).collect();
            let id = id.join("/");
            let value = self.whole(api, kind, &format!("{path}/{}", segment(&id)), item);
            self.keep(tenant, kind.path, &id, value);
        }
    }

    fn whole(&self, api: &Api, kind: &Kind, path: &str, mut item: Value) -> Value {
        exempt(kind.path, &mut item);
        let mut whole = Map::from_iter([("listed".to_owned(), item)]);
        for below in kind.below {
            let reply = api.get(&format!("{path}{}", below.path));
            let value = match below.read {
                ReadBelow::Document => {
                    let mut value = reply.expect(200);
                    exempt(kind.path, &mut value);
                    value
                }
                ReadBelow::File if reply.status == 200 => fingerprint(&reply.body),
                // An agent without a key file, a blueprint that could not be kept.
                ReadBelow::File => {
                    reply.expect_status(404);
                    Value::Null
                }
            };
            whole.insert(format!("whole{}", below.path), value);
        }
        Value::Object(whole)
    }

    /// Saved filters, but for those that every manager has.
    fn filters(&mut self, api: &Api, tenant: &str) {
        let kind = KINDS.iter().find(|kind| kind.path == "/filters/{resource}").unwrap();
        for resource in ["blueprints", "deployments"] {
            for item in items(api, &format!("filters/{resource}?is_system_filter=false")) {
                if item["tenant_name"] != tenant {
                    continue;
                }
                let id = item["id"].as_str().unwrap().to_owned();
                let path = format!("filters/{resource}/{}", segment(&id));
                let value = self.whole(api, kind, &path, item);
                self.keep(tenant, kind.path, &format!("{resource}/{id}"), value);
            }
        }
    }

    /// Executions of deployments with their events in their order. Those that a restore makes for itself are none.
    fn executions(&mut self, api: &Api, tenant: &str) {
        let kind = KINDS.iter().find(|kind| kind.path == "/executions").unwrap();
        let mut events: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for event in items(api, "events") {
            events.entry(event["execution_id"].as_str().unwrap().to_owned()).or_default().push(event);
        }
        for item in items(api, "executions?_include_system_workflows=true") {
            // System workflows are the service's own, but for the reading of blueprints.
            let is_own = item["is_system_workflow"] == true && item["workflow_id"] != "upload_blueprint";
            if is_own || !item["parent_id"].is_null() || item["tenant_name"] != tenant {
                continue;
            }
            let id = item["id"].as_str().unwrap().to_owned();
            let value = self.whole(api, kind, &format!("executions/{id}"), item);
            self.keep(tenant, "/executions", &id, value);
            if let Some(events) = events.remove(&id) {
                self.keep(tenant, "/events", &id, Value::Array(events));
            }
        }
    }

    fn flows(&mut self, api: &Api, tenant: &str) {
        for flow in resources(api, &format!("/v2/flows?workspace_id={tenant}")) {
            let id = flow.id.clone();
            let below = |rest: &str| format!("/v2/flows/{}{rest}", segment(&id));
            // The whole one says of steps that are in no graph any more.
            let whole = resource(api, &below(""));
            self.keep(tenant, "/v2/flows", &id, whole.to_value());
            for snapshot in resources_at_once(api, &below("/snapshots")) {
                let key = format!("{id}/{}", snapshot.id);
                self.keep(tenant, "/v2/flows/{flow}/snapshots", &key, snapshot.to_value());
            }
            let history: Vec<Value> =
                resources(api, &below("/history")).iter().map(Resource::to_value).collect();
            if !history.is_empty() {
                self.keep(tenant, "/v2/flows/{flow}/history", &id, Value::Array(history));
            }
        }
        for capture in resources(api, &format!("/v2/captures?workspace_id={tenant}")) {
            let whole = resource(api, &format!("/v2/captures/{}", segment(&capture.id)));
            self.keep(tenant, "/v2/captures", &capture.id, whole.to_value());
        }
    }

    fn charts(&mut self, api: &Api, tenant: &str) {
        for space in slices(api, "/v1/spaces", "spaces") {
            let number = space["id"].as_i64().unwrap();
            if number <= OWN_SPACES {
                continue;
            }
            let whole = api.get(&format!("/v1/spaces/{number}")).expect(200);
            self.keep(tenant, "/v1/spaces", &number.to_string(), whole);
            for chart in api.get(&format!("/v1/spaces/{number}/charts")).expect(200).as_array().unwrap() {
                let key = format!("{number}/{}", chart["id"]);
                self.keep(tenant, "/v1/spaces/{space}/charts", &key, chart.clone());
            }
        }
    }

    fn metrics(&mut self, api: &Api, tenant: &str) {
        let end = self.measured_until;
        for metric in slices(api, "/v1/metrics", "metrics") {
            let name = metric["name"].as_str().unwrap().to_owned();
            // What the service measures of itself is no state.
            if name.starts_with("manager.") {
                continue;
            }
            let series = series(api, &name, end - MEASURED_SECONDS, end, 1);
            self.keep(tenant, "/v1/metrics", &name, json!({ "about": metric, "series": series }));
        }
        for stream in slices(api, "/v1/annotations", "annotations") {
            let name = stream["name"].as_str().unwrap().to_owned();
            if name.starts_with("manager") {
                continue;
            }
            let whole = api.get(&format!("/v1/annotations/{}", segment(&name))).expect(200);
            self.keep(tenant, "/v1/annotations", &name, whole);
        }
    }
}

/// All items of a list of the face of charts.
fn slices(api: &Api, path: &str, key: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let page = api.get(&format!("{path}?length=100&offset={}", all.len())).expect(200);
        let items = page[key].as_array().unwrap_or_else(|| panic!("no `{key}`: {page:#}")).clone();
        all.extend(items.iter().cloned());
        if items.is_empty() || all.len() as u64 >= page["query"]["found"].as_u64().unwrap() {
            return all;
        }
    }
}

/// A resource of the face of flows; each attribute is the text that came.
#[derive(Deserialize)]
struct Resource {
    id: String,
    attributes: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    relationships: Value,
}

impl Resource {
    fn to_value(&self) -> Value {
        let attributes = self.attributes.iter().map(|(name, text)| (name.clone(), Value::from(text.get())));
        let mut value: Map<String, Value> = attributes.collect();
        value.insert("relationships".to_owned(), self.relationships.clone());
        Value::Object(value)
    }
}

#[derive(Deserialize)]
struct Document<T> {
    data: T,
}

fn read<T: for<'de> Deserialize<'de>>(api: &Api, path: &str) -> T {
    let reply = api.get(path);
    reply.expect_status(200);
    let document: Document<T> = serde_json::from_slice(&reply.body)
        .unwrap_or_else(|error| panic!("`{path}` is not as documented ({error}): {}", reply.text()));
    document.data
}

fn resource(api: &Api, path: &str) -> Resource {
    read(api, path)
}

fn resources_at_once(api: &Api, path: &str) -> Vec<Resource> {
    read(api, path)
}

fn resources(api: &Api, path: &str) -> Vec<Resource> {
    const SIZE: usize = 100;
    let joint = if path.contains('?') { '&' } else { '?' };
    let mut all = Vec::new();
    for number in 1.. {
        let page: Vec<Resource> = read(api, &format!("{path}{joint}page[size]={SIZE}&page[number]={number}"));
        let is_last = page.len() < SIZE;
        all.extend(page);
        if is_last {
            break;
        }
    }
    all
}
