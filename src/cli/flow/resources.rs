//! What the API of flows answers: JSON:API documents, their pages, and the values in them as they came.
//!
//! A step may keep any JSON. Its text goes from the service to the screen
//! untouched, since numbers past 2^53 do not survive being read.
//! Knows nothing of what is printed.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::cli::connection::{Call, Listing, Service};
use crate::cli::error::CliError;
use crate::cli::output::field;

/// A resource: its text as it came, which is what is printed as JSON, and what was read out of it.
#[derive(Debug)]
pub struct Resource<T = Value> {
    text: Box<RawValue>,
    /// What this program looks at. No [`Value`] where anything that a step keeps is in it: that would refuse 1e400.
    pub parsed: T,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Resource<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let parsed = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        Ok(Self { text, parsed })
    }
}

impl<T> Serialize for Resource<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl Resource<Value> {
    /// The resource's id; empty where it has none.
    pub fn id(&self) -> String {
        field(&self.parsed, "id")
    }

    /// An attribute, as text.
    pub fn attribute(&self, name: &str) -> String {
        field(&self.parsed["attributes"], name)
    }
}

/// A flow.
#[derive(Debug, Deserialize)]
pub struct Flow {
    /// The flow's id.
    pub id: String,
    /// What it is.
    pub attributes: FlowAttributes,
    #[serde(default)]
    relationships: Relationships,
}

impl Flow {
    /// The tenant that the flow lives in; empty where it is not told.
    pub fn workspace(&self) -> &str {
        self.relationships.workspace.as_ref().map_or("", |workspace| &workspace.data.id)
    }
}

/// What a flow is.
#[derive(Debug, Deserialize)]
pub struct FlowAttributes {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The wish: `active` or `inactive`.
    pub status: String,
    /// The fact, which follows the wish.
    pub current_status: Option<String>,
    /// When it runs by itself.
    pub cron: Option<String>,
    /// When it was last changed.
    pub updated_at: Option<String>,
    /// When it was last started.
    pub last_start_time: Option<String>,
    /// When it was last stopped.
    pub last_stop_time: Option<String>,
    /// Its steps.
    pub graph: Option<Graph>,
    /// Steps that keep something and are no longer in the graph.
    #[serde(default)]
    pub orphaned_steps: Vec<String>,
}

/// The steps of a flow.
#[derive(Debug, Deserialize)]
pub struct Graph {
    /// One node a step.
    #[serde(default)]
    pub nodes: Vec<Step>,
}

/// A step of a flow.
#[derive(Debug, Deserialize)]
pub struct Step {
    /// The step's id.
    pub id: String,
    /// The component that runs in it.
    pub command: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Relationships {
    workspace: Option<Relationship>,
}

#[derive(Debug, Deserialize)]
struct Relationship {
    data: Related,
}

#[derive(Debug, Deserialize)]
struct Related {
    id: String,
}

/// What one call or message did to one step.
#[derive(Debug, Deserialize)]
pub struct HistoryEntry {
    /// The entry's id.
    pub id: String,
    /// What it tells.
    pub attributes: HistoryAttributes,
}

/// What an entry of the history tells, but for the values.
#[derive(Debug, Deserialize)]
pub struct HistoryAttributes {
    /// All that one call wrote: what can be undone.
    pub change: Option<String>,
    /// The step.
    pub step: String,
    /// What was done to it.
    pub action: String,
    /// When.
    pub at: Option<String>,
    /// Who called.
    pub user: Option<String>,
    /// The run of the flow that it came from.
    pub execution_id: Option<String>,
    /// Whether the message may have been applied before.
    #[serde(default)]
    pub redelivered: bool,
    /// The change that this one takes back.
    pub undoes: Option<String>,
}

/// What a step keeps.
#[derive(Debug, Deserialize)]
pub struct StepSnapshot {
    /// The step.
    pub id: String,
    attributes: StepValue,
}

#[derive(Debug, Deserialize)]
struct StepValue {
    snapshot: Box<RawValue>,
}

impl StepSnapshot {
    /// The value, as its text.
    pub fn value(&self) -> &str {
        self.attributes.snapshot.get()
    }
}

/// A capture: what all steps of a flow kept at one moment.
#[derive(Debug, Deserialize)]
pub struct Capture {
    /// The capture's id.
    pub id: String,
    /// What it holds.
    pub attributes: CaptureAttributes,
}

/// What a capture holds.
#[derive(Debug, Deserialize)]
pub struct CaptureAttributes {
    /// The flow's name at that time.
    pub flow_name: Option<String>,
    /// What the person who took it wrote to it.
    pub description: Option<String>,
    /// When it was taken.
    pub created_at: Option<String>,
    /// Who took it.
    pub created_by: Option<String>,
    /// Whether the flow was running, so that the values may not be of one moment.
    #[serde(default)]
    pub fuzzy: bool,
    /// The values, by step.
    #[serde(default)]
    pub steps: BTreeMap<String, Box<RawValue>>,
}

/// How a capture differs from what it was compared with.
#[derive(Debug, Deserialize)]
pub struct Comparison {
    /// What was found.
    pub attributes: ComparisonAttributes,
}

/// What a comparison has found.
#[derive(Debug, Deserialize)]
pub struct ComparisonAttributes {
    /// How many steps are the same.
    pub same: u64,
    /// The steps that are not.
    pub differences: Vec<Difference>,
}

/// A step that differs; a side where the step keeps nothing is not there, which is not the same as null.
#[derive(Debug, Deserialize)]
pub struct Difference {
    /// The step.
    pub step: String,
    /// What the capture has.
    #[serde(default, deserialize_with = "present")]
    pub before: Option<Box<RawValue>>,
    /// What the other side has.
    #[serde(default, deserialize_with = "present")]
    pub after: Option<Box<RawValue>>,
}

/// Reads a value that is there, null among it.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Document<T> {
    data: T,
    #[serde(default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    total: Option<u64>,
    total_pages: Option<u64>,
}

/// Makes a call that answers one resource, or a list that has no pages.
pub fn read<T: DeserializeOwned>(service: &Service, call: Call) -> Result<T, CliError> {
    Ok(service.read::<Document<T>>(call)?.data)
}

/// Gets a flow; `doing` is for the message if that fails.
pub fn flow(service: &Service, doing: &str, id: &str) -> Result<Resource<Flow>, CliError> {
    read(service, Call::get(doing, &["v2", "flows", id]))
}

/// Reads a list page by page, to its end or until there are `most`.
pub fn list<T: DeserializeOwned>(
    service: &Service,
    call: &Call,
    page_size: u64,
    most: Option<usize>,
) -> Result<Listing<T>, CliError> {
    let most = most.unwrap_or(usize::MAX);
    let page_size = page_size.min(most as u64);
    let mut items = Vec::new();
    let mut number = 1;
    loop {
        let page =
            call.clone().query("page[number]", number.to_string()).query("page[size]", page_size.to_string());
        let Document { data, meta } = service.read::<Document<Vec<T>>>(page)?;
        let is_last = data.is_empty() || number >= meta.total_pages.unwrap_or(1);
        items.extend(data);
        if is_last || items.len() >= most {
            items.truncate(most);
            let total = meta.total.unwrap_or(items.len() as u64);
            return Ok(Listing { items, total });
        }
        number += 1;
    }
}
