//! A flow as a caller of the API has it, with the texts of its values as they came.
//!
//! It knows the paths and the documents of elastic.io's API, and makes no claim about them.

use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::http::Reply;
use super::{Api, TestServer, eventually};

/// The password of the users that [`add_member`] makes.
const MEMBER_PASSWORD: &str = "password-123";

/// A flow and who calls.
#[derive(Clone)]
pub struct Flow {
    pub api: Api,
    pub id: String,
}

impl Flow {
    /// Makes a flow of these steps, one behind the other, in `default_tenant`.
    pub fn create(api: &Api, name: &str, steps: &[&str]) -> Self {
        Self::create_in(api, "default_tenant", name, steps)
    }

    /// Makes a flow in the workspace of a tenant.
    pub fn create_in(api: &Api, tenant: &str, name: &str, steps: &[&str]) -> Self {
        let body = flow_body(&workspace(api, tenant), name, steps);
        let flow = api.post("/v2/flows", &body).expect(201);
        let id = flow["data"]["id"].as_str().unwrap_or_else(|| panic!("no id: {flow:#}")).to_owned();
        Self { api: api.clone(), id }
    }

    /// The same flow, called by somebody else.
    pub fn by(&self, api: &Api) -> Self {
        Self { api: api.clone(), id: self.id.clone() }
    }

    /// The path of something of this flow, which begins with `/` or is empty.
    pub fn path(&self, rest: &str) -> String {
        format!("/v2/flows/{}{rest}", self.id)
    }

    /// The path of a step's snapshot, and what hangs below it.
    pub fn step_path(&self, step: &str, rest: &str) -> String {
        self.path(&format!("/snapshots/{}{rest}", utf8_percent_encode(step, NON_ALPHANUMERIC)))
    }

    /// The flow's resource.
    pub fn get(&self) -> Value {
        self.api.get(&self.path("")).expect(200)["data"].take()
    }

    /// Sends a text as JSON, to the letter.
    pub fn send(&self, method: Method, path: &str, text: &str) -> Reply {
        let request = self.api.request(method, path).header("Content-Type", "application/json");
        self.api.send(request.body(text.to_owned()))
    }

    /// Asks for a step's first snapshot.
    pub fn create_snapshot(&self, step: &str, text: &str) -> Reply {
        self.send(Method::POST, &self.path("/snapshots/"), &snapshot_body(step, text))
    }

    /// Asks for another value of a step.
    pub fn edit(&self, step: &str, text: &str) -> Reply {
        self.send(Method::PATCH, &self.step_path(step, ""), &snapshot_body(step, text))
    }

    /// Asks to take a step's snapshot away.
    pub fn remove(&self, step: &str) -> Reply {
        self.api.delete(&self.step_path(step, ""))
    }

    /// Replaces a step's value as a runtime does.
    pub fn emit(&self, step: &str, text: &str) -> Reply {
        self.send(Method::POST, &self.step_path(step, "/emit"), text)
    }

    /// Merges into a step's value as a runtime does.
    pub fn merge(&self, step: &str, text: &str) -> Reply {
        self.send(Method::POST, &self.step_path(step, "/merge"), text)
    }

    /// The text of a step's value, where there is one.
    pub fn value(&self, step: &str) -> Option<String> {
        let reply = self.api.get(&self.step_path(step, ""));
        if reply.status == 404 {
            return None;
        }
        reply.expect_status(200);
        let document: Document<Snapshot> = read(&reply);
        Some(document.data.attributes.snapshot.get().to_owned())
    }

    /// Step and text of every value, in the order of the list.
    pub fn values(&self) -> Vec<(String, String)> {
        let reply = self.api.get(&self.path("/snapshots"));
        reply.expect_status(200);
        let document: Document<Vec<Snapshot>> = read(&reply);
        let pair = |item: Snapshot| (item.id, item.attributes.snapshot.get().to_owned());
        document.data.into_iter().map(pair).collect()
    }

    /// Waits until a step's value is this one, read as JSON.
    pub fn wait_for(&self, step: &str, value: &Value, seconds: u64) {
        let mut last = None;
        let claim = format!("step `{step}` is {value}");
        eventually(&claim, seconds, || {
            let text = self.value(step);
            if text != last {
                println!("step `{step}`: {text:?}");
                last.clone_from(&text);
            }
            let found: Value = serde_json::from_str(&text?).unwrap();
            (found == *value).then_some(())
        });
    }

    /// What happened to a step, newest first.
    pub fn history(&self, step: &str) -> Vec<Item> {
        self.whole_history(&self.step_path(step, "/history"))
    }

    /// What happened to all steps, newest first.
    pub fn flow_history(&self) -> Vec<Item> {
        self.whole_history(&self.path("/history"))
    }

    /// How many items a step's history has.
    pub fn history_length(&self, step: &str) -> u64 {
        let page = self.api.get(&self.step_path(step, "/history?page[size]=1")).expect(200);
        page["meta"]["total"].as_u64().unwrap_or_else(|| panic!("no total: {page:#}"))
    }

    fn whole_history(&self, path: &str) -> Vec<Item> {
        let mut items = Vec::new();
        for number in 1.. {
            let reply = self.api.get(&format!("{path}?page[number]={number}&page[size]=1000"));
            reply.expect_status(200);
            let page: Document<Vec<Item>> = read(&reply);
            let is_last = page.data.len() < 1000;
            items.extend(page.data);
            if is_last {
                break;
            }
        }
        items
    }

    /// Starts the flow.
    pub fn start(&self) -> Value {
        self.send(Method::POST, &self.path("/start"), "").expect(202)
    }

    /// Stops the flow.
    pub fn stop(&self) -> Value {
        self.send(Method::POST, &self.path("/stop"), "").expect(202)
    }

    /// Says what a runtime says of the flow.
    pub fn report(&self, status: Value) -> Reply {
        let body = json!({ "data": { "attributes": { "current_status": status } } });
        self.api.post(&self.path("/current-status"), &body)
    }

    /// Resets steps, all of them where none is named, and gives the change.
    pub fn reset(&self, steps: &[&str]) -> Value {
        let body = if steps.is_empty() {
            json!({})
        } else {
            json!({ "data": { "attributes": { "steps": steps } } })
        };
        self.api.post(&self.path("/reset"), &body).expect(200)["data"].take()
    }

    /// Asks for an undo with these attributes.
    pub fn undo(&self, attributes: &Value) -> Reply {
        self.api.post(&self.path("/undo"), &json!({ "data": { "attributes": attributes } }))
    }

    /// Captures the flow, waits for the end, and gives the capture's id.
    pub fn capture(&self, description: &str) -> String {
        let body = json!({ "data": { "attributes": { "description": description } } });
        let asked = self.api.post(&self.path("/captures"), &body).expect(202);
        let execution = json!({ "id": asked["data"]["attributes"]["execution_id"] });
        let workspace = self.get()["relationships"]["workspace"]["data"]["id"].take();
        let ended = self.api.clone().tenant(workspace.as_str().unwrap()).wait_for_end(&execution);
        assert_eq!(ended["status"], "terminated", "{ended:#}");
        asked["data"]["id"].as_str().unwrap_or_else(|| panic!("no id: {asked:#}")).to_owned()
    }
}

/// One item of a history.
#[derive(Debug, Deserialize)]
pub struct Item {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(rename = "attributes")]
    pub past: Past,
}

/// What an item of a history tells.
#[derive(Debug, Deserialize)]
pub struct Past {
    pub change: String,
    pub step: String,
    pub action: String,
    pub at: String,
    pub user: Option<String>,
    pub execution_id: Option<String>,
    pub via: String,
    pub redelivered: bool,
    pub undoes: Option<String>,
    /// The text before; none where the key is absent, which is not the value `null`.
    #[serde(default, deserialize_with = "present")]
    pub before: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "present")]
    pub after: Option<Box<RawValue>>,
}

impl Past {
    /// The texts before and after.
    pub fn texts(&self) -> (Option<&str>, Option<&str>) {
        (self.before.as_deref().map(RawValue::get), self.after.as_deref().map(RawValue::get))
    }
}

#[derive(Deserialize)]
struct Document<T> {
    data: T,
}

#[derive(Deserialize)]
struct Snapshot {
    id: String,
    attributes: Attributes,
}

#[derive(Deserialize)]
struct Attributes {
    snapshot: Box<RawValue>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

fn read<T: for<'de> Deserialize<'de>>(reply: &Reply) -> T {
    serde_json::from_slice(&reply.body)
        .unwrap_or_else(|error| panic!("not as documented ({error}): {}", reply.text()))
}

/// The id of the workspace that a tenant is.
pub fn workspace(api: &Api, tenant: &str) -> String {
    let list = api.get("/v2/workspaces").expect(200);
    let workspaces = list["data"].as_array().unwrap_or_else(|| panic!("no list: {list:#}"));
    let is_it = |item: &&Value| item["id"] == tenant || item["attributes"]["name"] == tenant;
    let found = workspaces.iter().find(is_it).unwrap_or_else(|| panic!("no `{tenant}` in {list:#}"));
    found["id"].as_str().unwrap().to_owned()
}

/// The graph of these steps, one behind the other.
pub fn graph(steps: &[&str]) -> Value {
    let node = |step: &&str| {
        json!({
            "id": step, "command": "component:collect", "name": format!("Step {step}"),
            "description": "", "fields": { "prefix": "x" }
        })
    };
    let edge = |pair: &[&str]| json!({ "source": pair[0], "target": pair[1], "config": {} });
    json!({
        "nodes": steps.iter().map(node).collect::<Vec<_>>(),
        "edges": steps.windows(2).map(edge).collect::<Vec<_>>(),
    })
}

/// The document that makes a flow.
pub fn flow_body(workspace: &str, name: &str, steps: &[&str]) -> Value {
    json!({ "data": {
        "type": "flow",
        "attributes": {
            "name": name, "type": "ordinary", "default_mapper_type": "jsonata", "graph": graph(steps)
        },
        "relationships": { "workspace": { "data": { "id": workspace, "type": "workspace" } } }
    } })
}

/// The document that makes or edits a snapshot, with the value's text as it is.
pub fn snapshot_body(step: &str, text: &str) -> String {
    let mut body = String::from(r#"{"data":{"type":"snapshot","id":"#);
    write!(body, r#"{},"attributes":{{"snapshot":{text}}}}}}}"#, json!(step)).unwrap();
    body
}

/// Checks that this is an error in the form of JSON:API, and gives it.
pub fn refused(reply: &Reply, status: u16, code: &str) -> Value {
    let body = reply.expect(status);
    assert!(reply.header("content-type").starts_with("application/json"), "{:?}", reply.headers);
    let error = body["errors"][0].clone();
    assert_eq!(error["code"], code, "{body:#}");
    assert_eq!(error["status"], status.to_string(), "{body:#}");
    for key in ["title", "detail"] {
        assert_ne!(error[key].as_str().unwrap_or_default(), "", "no `{key}`: {body:#}");
    }
    error
}

/// Makes a user with a role in a tenant, and gives them as a caller; the user may be there already.
pub fn add_member(server: &TestServer, name: &str, tenant: &str, role: &str) -> Api {
    let api = server.api();
    if api.get(&format!("users/{name}")).status == 404 {
        let user = json!({ "username": name, "password": MEMBER_PASSWORD, "role": "default" });
        api.put("users", &user).expect(201);
    }
    let member = json!({ "tenant_name": tenant, "username": name, "role": role });
    api.put("tenants/users", &member).expect(200);
    Api::new(server.port()).login(name, MEMBER_PASSWORD)
}
