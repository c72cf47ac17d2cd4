//! How flows, snapshots, history and captures stand in JSON:API documents.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::api::path::segment;
use crate::flows::{
    Capture, ChangeView, Comparison, Flow, HistoryItem, JsonText, Paged, StepSnapshot, Workspace,
};
use crate::model::Caller;

/// A resource object.
#[derive(Serialize)]
pub(super) struct Resource {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Value::is_null")]
    links: Value,
    attributes: BTreeMap<&'static str, Box<RawValue>>,
    #[serde(skip_serializing_if = "Value::is_null")]
    relationships: Value,
}

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

impl Resource {
    fn new(kind: &'static str, id: Option<String>) -> Self {
        Self { id, kind, links: Value::Null, attributes: BTreeMap::new(), relationships: Value::Null }
    }

    fn link(mut self, path: String) -> Self {
        self.links = json!({ "self": path });
        self
    }

    fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.insert(name, raw(&value.into()));
        self
    }

    /// A value as it was sent; no attribute where there is none.
    fn with_text(mut self, name: &'static str, value: Option<&JsonText>) -> Self {
        if let Some(value) = value {
            self.attributes.insert(name, value.to_raw());
        }
        self
    }
}

/// An answer with one resource.
pub(super) fn one(mut response: actix_web::HttpResponseBuilder, data: &Resource) -> HttpResponse {
    #[derive(Serialize)]
    struct Document<'a> {
        data: &'a Resource,
        meta: Map<String, Value>,
    }
    response.json(Document { data, meta: Map::new() })
}

/// An answer with a list of resources that has no pages.
pub(super) fn all(data: &[Resource]) -> HttpResponse {
    list(data, json!({}))
}

/// An answer with one page of a list.
pub(super) fn page<T>(page: &Paged<T>, view: impl Fn(&T) -> Resource) -> HttpResponse {
    let data: Vec<Resource> = page.items.iter().map(view).collect();
    let meta = json!({
        "page": page.paging.number,
        "per_page": page.paging.size,
        "total": page.total,
        "total_pages": page.total.div_ceil(page.paging.size),
    });
    list(&data, meta)
}

fn list(data: &[Resource], meta: Value) -> HttpResponse {
    #[derive(Serialize)]
    struct Document<'a> {
        data: &'a [Resource],
        meta: Value,
    }
    HttpResponse::Ok().json(Document { data, meta })
}

fn leads_to(kind: &str, id: &str) -> Value {
    json!({ "data": { "id": id, "type": kind } })
}

/// A step's snapshot.
pub(super) fn snapshot(flow: &str, snapshot: &StepSnapshot) -> Resource {
    Resource::new("snapshot", Some(snapshot.step.clone()))
        .link(format!("/v2/flows/{}/snapshots/{}", segment(flow), segment(&snapshot.step)))
        .with_text("snapshot", Some(&snapshot.value))
}

/// A flow.
pub(super) fn flow(flow: &Flow) -> Resource {
    let mut resource = Resource::new("flow", Some(flow.id.clone()))
        .link(format!("/v2/flows/{}", segment(&flow.id)))
        .with("name", flow.name.as_str())
        .with("description", flow.description.as_deref())
        .with("type", flow.flow_type.as_str())
        .with("status", flow.status.as_str())
        .with("current_status", flow.current_status.as_str())
        .with("reports_current_status", flow.reports_current_status)
        .with("default_mapper_type", flow.default_mapper_type.as_str())
        .with("cron", flow.cron.as_deref())
        .with_text("graph", Some(&flow.graph))
        .with("version", flow.version)
        .with("has_draft", false)
        .with("created_at", flow.created_at.as_str())
        .with("updated_at", flow.updated_at.as_str())
        .with("last_modified", flow.last_modified.as_str())
        .with("last_start_time", flow.last_start_time.as_deref())
        .with("last_stop_time", flow.last_stop_time.as_deref());
    resource.relationships = json!({
        "user": leads_to("user", &flow.created_by),
        "workspace": leads_to("workspace", flow.tenant_name.as_str()),
    });
    resource
}

/// A flow with the steps that have a snapshot and are not in its graph.
pub(super) fn whole_flow(found: &Flow, orphaned_steps: Vec<String>) -> Resource {
    flow(found).with("orphaned_steps", orphaned_steps)
}

/// An entry of a step's history.
pub(super) fn history_item(item: &HistoryItem) -> Resource {
    Resource::new("history", Some(item.number.to_string()))
        .with("change", item.change.to_string())
        .with("step", item.step.as_str())
        .with("action", item.action.as_str())
        .with("via", item.via.as_str())
        .with("at", item.at.as_str())
        .with("user", item.user.as_deref())
        .with("execution_id", item.execution_id.as_deref())
        .with("redelivered", item.is_redelivered)
        .with("undoes", item.undoes.map(|change| change.to_string()))
        .with("undone", item.is_undone)
        .with_text("before", item.before.as_ref())
        .with_text("after", item.after.as_ref())
}

/// What a change did.
pub(super) fn change(change: &ChangeView) -> Resource {
    Resource::new("change", change.number.map(|number| number.to_string()))
        .with("action", change.action)
        .with("steps", change.steps.clone())
}

/// A capture, without values.
pub(super) fn capture(capture: &Capture) -> Resource {
    let mut resource = Resource::new("capture", Some(capture.id.clone()))
        .link(format!("/v2/captures/{}", segment(&capture.id)))
        .with("flow_name", capture.flow_name.as_str())
        .with("description", capture.description.as_deref())
        .with("created_at", capture.created_at.as_str())
        .with("created_by", capture.created_by.as_str())
        .with("execution_id", capture.execution_id.as_deref())
        .with("fuzzy", capture.is_fuzzy)
        .with("step_count", capture.step_count);
    resource.relationships = json!({
        "flow": leads_to("flow", &capture.flow_id),
        "workspace": leads_to("workspace", capture.tenant_name.as_str()),
    });
    resource
}

/// A capture with the values of its steps.
pub(super) fn whole_capture(found: &Capture, values: &BTreeMap<String, JsonText>) -> Resource {
    let values: BTreeMap<&str, Box<RawValue>> =
        values.iter().map(|(step, value)| (step.as_str(), value.to_raw())).collect();
    let mut resource = capture(found);
    if let Ok(steps) = serde_json::value::to_raw_value(&values) {
        resource.attributes.insert("steps", steps);
    }
    resource
}

/// What differs between a capture and another state.
pub(super) fn comparison(id: &str, comparison: &Comparison) -> Resource {
    #[derive(Serialize)]
    struct View<'a> {
        step: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<Box<RawValue>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<Box<RawValue>>,
    }
    let differences: Vec<View<'_>> = comparison
        .differences
        .iter()
        .map(|difference| View {
            step: &difference.step,
            before: difference.before.as_ref().map(JsonText::to_raw),
            after: difference.after.as_ref().map(JsonText::to_raw),
        })
        .collect();
    let mut resource = Resource::new("comparison", Some(id.to_owned())).with("same", comparison.same);
    if let Ok(differences) = serde_json::value::to_raw_value(&differences) {
        resource.attributes.insert("differences", differences);
    }
    resource
}

/// A capture that will be there when its execution has ended.
pub(super) fn asked_capture(request: &crate::flows::CaptureRequest) -> Resource {
    Resource::new("capture", Some(request.id.clone()))
        .link(format!("/v2/captures/{}", segment(&request.id)))
        .with("execution_id", request.execution.id.to_string())
        .with("status", request.execution.status.as_str())
}

/// A workspace.
pub(super) fn workspace(workspace: &Workspace, contract: &str) -> Resource {
    let name = workspace.tenant_name.as_str();
    let mut resource = Resource::new("workspace", Some(name.to_owned()))
        .link(format!("/v2/workspaces/{}", segment(name)))
        .with("name", name)
        .with("role", workspace.role.map(crate::model::TenantRole::as_str));
    resource.relationships = json!({ "contract": leads_to("contract", contract) });
    resource
}

/// The caller as a user.
pub(super) fn user(caller: &Caller) -> Resource {
    let name = caller.user.as_str();
    Resource::new("user", Some(name.to_owned()))
        .link("/v2/users/me".to_owned())
        .with("username", name)
        .with("email", name.contains('@').then_some(name))
        .with("role", caller.system_role.as_str())
}
