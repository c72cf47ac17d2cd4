//! The snapshots of a flow's steps, as elastic.io's document has them; and what runtimes emit by HTTP.

use serde_json::json;

use crate::api::ErrorCode;
use crate::flows::{FLOW_EDIT, FLOW_EMIT, FLOW_READ, FlowError};

use super::super::super::flow_examples::{FLOW, STEP, step_snapshot, value};
use super::super::super::operation::Method::{Delete, Get, Patch, Post};
use super::super::super::operation::{Operation, field, object_schema, text};
use super::super::Group;
use super::collection::other_id;
use super::flows_call;

pub(super) fn group() -> Group {
    Group {
        tag: "Step snapshots",
        about: "What each step of a flow emitted last: read and written by users, emitted by runtimes. Any JSON value, kept \
                as the text that was sent.",
        operations: vec![list(), get(), create(), edit(), remove(), emit(), merge()],
    }
}

fn list() -> Operation {
    flows_call(Get, "/v2/flows/{flow}/snapshots", "Retrieve the snapshots of all steps of a flow.")
        .about("In the order of the graph; steps that have none are left out.")
        .needs(FLOW_READ)
        .of_flow()
        .answers_resources("The snapshots.", "StepSnapshot", &step_snapshot())
}

fn get() -> Operation {
    flows_call(Get, "/v2/flows/{flow}/snapshots/{step}", "Retrieve the snapshot of one step.")
        .needs(FLOW_READ)
        .of_flow()
        .of_step()
        .of_existing()
        .answers_resource(200, "The snapshot.", "StepSnapshot", &step_snapshot())
}

impl Operation {
    fn of_existing(self) -> Self {
        self.meets(
            "The step has no snapshot.",
            FlowError::SnapshotNotFound { flow: FLOW.to_owned(), step: STEP.to_owned() },
        )
    }

    /// Takes a document with a snapshot, whose `id` may be absent where the path has it.
    fn takes_snapshot(self, is_new: bool) -> Self {
        let id = text("id", "The step's id.").required();
        let id = if is_new { id } else { field("id", id.schema, "The same as in the path, if it is there.") };
        let snapshot = field("snapshot", json!({}), "The value: any JSON, `null` among them.").required();
        self.takes_resource(
            "snapshot",
            &[id, field("attributes", object_schema(&[snapshot]), "The snapshot.").required()],
            &json!({ "type": "snapshot", "id": STEP, "attributes": { "snapshot": value() } }),
        )
        .meets(
            "There is no value in it.",
            FlowError::invalid(
                "/data/attributes/snapshot",
                "`snapshot` has to be there: any JSON value, `null` among them",
            ),
        )
        .of_limited_size()
    }

    fn of_limited_size(self) -> Self {
        self.meets(
            "The value's text is longer than the setting `flows.max_snapshot_bytes`.",
            FlowError::SnapshotTooLarge { bytes: 6022, max: 5120 },
        )
    }
}

fn create() -> Operation {
    flows_call(Post, "/v2/flows/{flow}/snapshots", "Create the snapshot of a step.")
        .about("The step has to be in the flow's graph and to have no snapshot, and the flow to be stopped.")
        .needs(FLOW_EDIT)
        .of_flow()
        .of_stopped_flow()
        .takes_snapshot(true)
        .meets(
            "The flow's graph has no such step.",
            FlowError::StepNotInFlow { flow: FLOW.to_owned(), step: "horn".to_owned() },
        )
        .meets(
            "The step has a snapshot already.",
            FlowError::SnapshotExists { flow: FLOW.to_owned(), step: STEP.to_owned() },
        )
        .writes_manager()
        .answers_resource(201, "The snapshot.", "StepSnapshot", &step_snapshot())
}

fn edit() -> Operation {
    flows_call(Patch, "/v2/flows/{flow}/snapshots/{step}", "Edit the snapshot of a step.")
        .about("The value takes the place of the former one, wholly. The flow has to be stopped.")
        .needs(FLOW_EDIT)
        .of_flow()
        .of_step()
        .of_stopped_flow()
        .takes_snapshot(false)
        .meets("The document is about another step.", other_id("signal", STEP))
        .of_existing()
        .writes_manager()
        .answers_resource(200, "The snapshot.", "StepSnapshot", &step_snapshot())
}

fn remove() -> Operation {
    flows_call(Delete, "/v2/flows/{flow}/snapshots/{step}", "Remove the snapshot of a step.")
        .about("Its component starts from nothing next time. The flow has to be stopped. It can be undone.")
        .needs(FLOW_EDIT)
        .of_flow()
        .of_step()
        .of_stopped_flow()
        .of_existing()
        .writes_manager()
        .answers_nothing("It is gone.")
}

/// What emitting and merging have in common.
fn emitted(call: Operation) -> Operation {
    call.needs(FLOW_EMIT)
        .of_flow()
        .of_step()
        .query(
            "execution_id",
            json!({ "type": "string" }),
            "The runtime's execution that emits it; it is kept in the history.",
        )
        .of_limited_size()
        .meets(
            "The body is no JSON.",
            FlowError::parameter("the body is not JSON: EOF while parsing a value at line 1 column 0"),
        )
        .fails(
            ErrorCode::ServiceUnavailable,
            "The service is stopping; it was not written.",
            FlowError::Stopping.to_string(),
        )
        .writes_manager()
        .answers_resource(200, "The snapshot, durable.", "StepSnapshot", &step_snapshot())
}

fn emit() -> Operation {
    let call = flows_call(Post, "/v2/flows/{flow}/snapshots/{step}/emit", "Emit the snapshot of a step.").about(
        "For runtimes: the body is the value itself. It takes the place of the former one, also while the flow runs, and \
         is durable when this answers.",
    );
    let schema = json!({ "description": "The value: any JSON, to the letter." });
    emitted(call).takes_text(schema, true, value())
}

fn merge() -> Operation {
    let call =
        flows_call(Post, "/v2/flows/{flow}/snapshots/{step}/merge", "Merge an object into the snapshot of a step.")
            .about(
                "For runtimes: the members of the body are set in the value that is there; what they do not name stays \
                 to the letter. A value that is no object is replaced. Allowed while the flow runs.",
            );
    let schema = json!({ "type": "object", "description": "The members to set." });
    emitted(call)
        .takes_text(schema, true, json!({ "height_m": 3.1 }))
        .meets("The body is JSON, but no object.", FlowError::NotAnObject)
}
