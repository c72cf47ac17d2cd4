//! One flow alone, read out of an archive.

use std::collections::{BTreeMap, HashSet};

use crate::executions::Job;
use crate::flows::{ArchivedCapture, ArchivedFlow, JsonText};
use crate::model::TenantName;

use super::super::super::{EntrySource, SourceError};
use super::super::rows::{Envelope, Item, columns, envelope_tenant};
use super::{FLOW_TABLES, FOLDER, flow};

/// Reads one flow of an archive with the snapshots of its steps and its captures; none where the archive has it not.
///
/// # Errors
/// An envelope that is not what [`collect`] wrote.
pub fn read_flow(
    job: &Job,
    entries: &dyn EntrySource,
    id: &str,
) -> Result<Option<ArchivedFlow>, SourceError> {
    let mut found = None;
    let mut values = BTreeMap::new();
    let mut captures: BTreeMap<String, ArchivedCapture> = BTreeMap::new();
    let mut order = Vec::new();
    let names: Vec<&str> =
        entries.names().into_iter().filter(|name| envelope_tenant(FOLDER, name).is_some()).collect();
    for name in names {
        job.check()?;
        let wrong = |reason: String| SourceError::Entry { entry: name.to_owned(), reason };
        let tenant = TenantName::trusted(envelope_tenant(FOLDER, name).unwrap_or_default());
        let bytes = entries.bytes(name)?;
        let envelope: Envelope<'_> =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let text = |item: &Item<'_>, key: &str| -> Option<String> {
            serde_json::from_str::<Option<String>>(item.get(key)?.get()).ok().flatten()
        };
        let value = |item: &Item<'_>| item.get("value").map(|raw| JsonText::from(*raw));
        for item in &envelope.items {
            match envelope.kind.as_str() {
                "flows" if text(item, "id").as_deref() == Some(id) => {
                    let table = &FLOW_TABLES[0];
                    found = Some(flow(&tenant, table, &columns(name, table, item)?).map_err(wrong)?);
                }
                "step_snapshots" if text(item, "flow_id").as_deref() == Some(id) => {
                    if let (Some(step), Some(value)) = (text(item, "step_id"), value(item)) {
                        values.insert(step, value);
                    }
                }
                "captures" if text(item, "flow_id").as_deref() == Some(id) => {
                    let capture = ArchivedCapture {
                        id: text(item, "id").ok_or_else(|| wrong("a capture has no `id`".to_owned()))?,
                        flow_name: text(item, "flow_name").unwrap_or_default(),
                        description: text(item, "description"),
                        is_fuzzy: item.get("is_fuzzy").is_some_and(|raw| raw.get() == "1"),
                        created_at: text(item, "created_at").unwrap_or_default(),
                        created_by: text(item, "created_by").unwrap_or_default(),
                        execution_id: text(item, "execution_id"),
                        values: BTreeMap::new(),
                    };
                    order.push(capture.id.clone());
                    captures.insert(capture.id.clone(), capture);
                }
                "captured_steps" => {
                    let capture = text(item, "capture_id").and_then(|id| captures.get_mut(&id));
                    if let (Some(capture), Some(step), Some(value)) =
                        (capture, text(item, "step_id"), value(item))
                    {
                        capture.values.insert(step, value);
                    }
                }
                _ => {}
            }
        }
    }
    let mut seen = HashSet::new();
    let captures = order
        .into_iter()
        .filter(|id| seen.insert(id.clone()))
        .filter_map(|id| captures.remove(&id))
        .collect();
    Ok(found.map(|flow| ArchivedFlow { flow, values, captures }))
}
