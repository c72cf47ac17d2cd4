//! One site, one filter and one workflow as the service answers them, for the examples of the document.

use serde_json::{Value, json};

const CREATED: &str = "2026-03-01T02:00:00.121Z";

/// A site.
pub(super) fn site() -> Value {
    json!({
        "name": "cape",
        "location": "32.071072, 34.787274",
        "visibility": "tenant",
        "created_at": CREATED,
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
    })
}

/// A rule over a label.
pub(super) fn rule() -> Value {
    json!({ "key": "environment", "values": ["production"], "operator": "any_of", "type": "label" })
}

/// A filter for deployments.
pub(super) fn filter() -> Value {
    json!({
        "id": "in-production",
        "visibility": "tenant",
        "created_at": CREATED,
        "value": [rule()],
        "updated_at": CREATED,
        "is_system_filter": false,
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
        "labels_filter_rules": [rule()],
        "attrs_filter_rules": [],
    })
}

/// A workflow of a deployment.
pub(super) fn workflow() -> Value {
    json!({
        "name": "install",
        "plugin": "default_workflows",
        "operation": "cloudify.plugins.workflows.install",
        "parameters": {},
        "is_cascading": false,
        "is_available": true,
        "availability_rules": null,
    })
}

/// A list that always comes whole.
pub(super) fn whole(items: &Value) -> Value {
    let total = items.as_array().map_or(0, Vec::len);
    json!({
        "items": items,
        "metadata": { "pagination": { "total": total, "size": total, "offset": 0 }, "filtered": null },
    })
}
