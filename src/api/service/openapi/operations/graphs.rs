//! What other managers keep while code of plugins runs.

use serde_json::json;

use crate::api::cloudify::permissions::DEPLOYMENT_GET;
use crate::model::{Permission, TenantRole};

use super::super::operation::Method::Get;
use super::super::operation::{Operation, call, reference};
use super::super::resource_examples::whole;
use super::Group;

const NO_EXECUTION: &str =
    "Requested `Execution` with ID `019ca6b1-6959-71a1-9ad5-b47f52560783` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Graphs",
        about: "What managers keep while they run the code of plugins. This one runs none, so these lists are empty; what \
                an execution did is told by its events.",
        operations: vec![list_graphs(), list_operations(), list_modifications()],
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

fn of_execution(call: Operation) -> Operation {
    let call = call
        .needs(Permission::tenant("operations", TenantRole::Viewer))
        .query("execution_id", json!({ "type": "string" }), "The execution.")
        .finds(NO_EXECUTION);
    empty(call)
}

fn list_graphs() -> Operation {
    of_execution(call(Get, "/tasks_graphs", "List the tasks graphs of an execution: none are kept."))
}

fn list_operations() -> Operation {
    of_execution(call(Get, "/operations", "List the operations of an execution: none are kept."))
}

fn list_modifications() -> Operation {
    let call =
        call(Get, "/deployment-modifications", "List the modifications of a deployment: none are made.")
            .needs(DEPLOYMENT_GET)
            .query("deployment_id", json!({ "type": "string" }), "The deployment.")
            .finds("Requested `Deployment` with ID `harbour` was not found");
    empty(call)
}
