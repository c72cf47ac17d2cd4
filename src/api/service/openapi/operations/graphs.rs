//! What other managers keep while code of plugins scales a deployment.

use serde_json::json;

use crate::api::cloudify::permissions::DEPLOYMENT_GET;

use super::super::operation::Method::Get;
use super::super::operation::{Operation, call, reference};
use super::super::resource_examples::whole;
use super::Group;

pub(super) fn group() -> Group {
    Group {
        tag: "Deployment modifications",
        about: "What managers keep while the code of plugins scales a deployment. This one runs none, so the list is empty.",
        operations: vec![list_modifications()],
    }
}

fn empty(call: Operation) -> Operation {
    let schema = json!({
        "type": "object",
        "properties": { "items": { "type": "array", "maxItems": 0 }, "metadata": reference("ListMetadata") },
        "required": ["items", "metadata"],
    });
    call.answers(200, "An empty list.", schema, whole(&json!([])))
}

fn list_modifications() -> Operation {
    let call =
        call(Get, "/deployment-modifications", "List the modifications of a deployment: none are made.")
            .needs(DEPLOYMENT_GET)
            .query("deployment_id", json!({ "type": "string" }), "The deployment.")
            .finds("Requested `Deployment` with ID `harbour` was not found");
    empty(call)
}
