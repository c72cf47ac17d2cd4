//! Captures.

use serde_json::json;
use uuid::Uuid;

use crate::executions::ExecutionError;
use crate::flows::{FLOW_EDIT, FLOW_READ, FlowError};
use crate::model::ExecutionId;

use super::super::super::flow_examples::{
    CAPTURE, FLOW, asked_capture, capture, change, comparison, whole_capture,
};
use super::super::super::operation::Method::{Delete, Get, Post};
use super::super::super::operation::{Operation, field};
use super::super::Group;
use super::{flows_call, not_found};

pub(super) fn group() -> Group {
    Group {
        tag: "Captures",
        about: "The snapshots of all steps of a flow as of one moment, kept as one set that nothing changes: compared, put \
                back. A capture outlives its flow.",
        operations: vec![create(), of_flow(), list(), get(), delete(), compare(), restore()],
    }
}

impl Operation {
    fn of_capture(self) -> Self {
        self.of("The capture's id: 24 hexadecimal digits.", CAPTURE).meets(
            "There is no such capture, or the caller is no member of its workspace.",
            not_found("capture", CAPTURE),
        )
    }
}

fn create() -> Operation {
    let restoring = ExecutionError::Conflict(vec![ExecutionId(Uuid::from_u128(
        0x019c_ac3d_5f7b_7aa2_8d0e_5c1f_2b3a_4d6f,
    ))]);
    flows_call(Post, "/v2/flows/{flow}/captures", "Capture the snapshots of a flow.")
        .about(
            "Records an execution and returns at once; the set is there when that has ended. Allowed while the flow runs: \
             the set is then called fuzzy, as what components hold in memory is not in it.",
        )
        .needs(FLOW_EDIT)
        .of_flow()
        .takes_attributes(
            &[field(
                "description",
                json!({ "type": ["string", "null"], "maxLength": 4096 }),
                "What it is for.",
            )],
            false,
            &json!({ "description": "before the new lamp" }),
        )
        .meets(
            "The description is no text, or too long.",
            FlowError::invalid("/data/attributes/description", "`description` has to be a text or null"),
        )
        .meets("A restore or rollback is active. No record is left.", FlowError::Execution(restoring))
        .answers_resource(202, "What will be the capture.", "AskedCapture", &asked_capture())
}

fn of_flow() -> Operation {
    flows_call(Get, "/v2/flows/{flow}/captures", "List the captures of a flow.")
        .about("The newest first, without values.")
        .needs(FLOW_READ)
        .of_flow()
        .in_pages(100)
        .answers_resource_page("Capture", &capture())
}

fn list() -> Operation {
    flows_call(Get, "/v2/captures", "List captures.")
        .about("The newest first, without values; also those of flows that are gone.")
        .needs(FLOW_READ)
        .query("workspace_id", json!({ "type": "string" }), "Only those of this workspace.")
        .query("filter[flow]", json!({ "type": "string" }), "Only those of this flow.")
        .in_pages(100)
        .meets(
            "There is no such workspace, or the caller is no member of it.",
            not_found("workspace", "harbour"),
        )
        .answers_resource_page("Capture", &capture())
}

fn get() -> Operation {
    flows_call(Get, "/v2/captures/{capture}", "Retrieve a capture with its values.")
        .needs(FLOW_READ)
        .of_capture()
        .answers_resource(200, "The capture.", "Capture", &whole_capture())
}

fn delete() -> Operation {
    flows_call(Delete, "/v2/captures/{capture}", "Delete a capture.")
        .needs(FLOW_EDIT)
        .of_capture()
        .writes_manager()
        .answers_nothing("It is gone.")
}

fn compare() -> Operation {
    flows_call(
        Get,
        "/v2/captures/{capture}/compare",
        "Compare a capture with another one, or with the present.",
    )
    .about("Values are the same where their texts are.")
    .needs(FLOW_READ)
    .of_capture()
    .query(
        "with",
        json!({ "type": "string", "default": "live" }),
        "The other capture's id, or `live` for the present snapshots of the capture's flow.",
    )
    .meets("It is compared with the present, and the flow is gone.", not_found("flow", FLOW))
    .answers_resource(200, "What differs.", "Comparison", &comparison())
}

fn restore() -> Operation {
    flows_call(Post, "/v2/captures/{capture}/restore", "Put a capture back as a whole.")
        .about(
            "Into its own flow, or into another one whose graph has its steps; steps that it has not lose their \
             snapshot. One change, which can be undone. The flow has to be stopped.",
        )
        .needs(FLOW_EDIT)
        .of_capture()
        .of_stopped_flow()
        .takes_attributes(
            &[field(
                "flow",
                json!({ "type": "string" }),
                "The flow's id; the capture's own where it is absent.",
            )],
            false,
            &json!({ "flow": FLOW }),
        )
        .meets(
            "The flow's id is no text.",
            FlowError::invalid("/data/attributes/flow", "`flow` has to be the id of a flow, a text"),
        )
        .meets("There is no such flow, or the caller is no member of its workspace.", not_found("flow", FLOW))
        .meets(
            "The flow's graph lacks steps of the capture.",
            FlowError::Conflict(format!(
                "the graph of the flow `{FLOW}` has not these steps of the capture: `horn`"
            )),
        )
        .writes_manager()
        .answers_resource(200, "The change.", "Change", &change("restore"))
}
