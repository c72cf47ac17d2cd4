//! The history of step snapshots, reset and undo.

use serde_json::json;

use crate::flows::{FLOW_EDIT, FLOW_READ, FlowError};

use super::super::super::flow_examples::{STEP, change, history_item};
use super::super::super::operation::Method::{Get, Post};
use super::super::super::operation::{Operation, field};
use super::super::Group;
use super::flows_call;

pub(super) fn group() -> Group {
    Group {
        tag: "Step history",
        about: "What happened to the snapshots of a flow's steps; resetting them, and the way back. A change is all that one \
                call wrote, and its id is that of its first entry.",
        operations: vec![of_flow(), of_step(), reset(), undo()],
    }
}

fn of_flow() -> Operation {
    flows_call(Get, "/v2/flows/{flow}/history", "List what happened to the snapshots of a flow.")
        .about(
            "The newest first; of each step the last entries are kept, as many as the setting `flows.history_entries` \
             says.",
        )
        .needs(FLOW_READ)
        .of_flow()
        .in_pages(1000)
        .answers_resource_page("HistoryItem", &history_item())
}

fn of_step() -> Operation {
    flows_call(
        Get,
        "/v2/flows/{flow}/snapshots/{step}/history",
        "List what happened to the snapshot of one step.",
    )
    .about("The newest first. Of a step that was never written it is empty.")
    .needs(FLOW_READ)
    .of_flow()
    .of("The step's id: any text, percent-encoded. It may have left the graph.", STEP)
    .in_pages(1000)
    .answers_resource_page("HistoryItem", &history_item())
}

fn reset() -> Operation {
    let steps = json!({ "type": "array", "items": { "type": "string" } });
    flows_call(Post, "/v2/flows/{flow}/reset", "Reset the snapshots of a flow.")
        .about(
            "Removes those of the steps that are named, or of all steps, also of those that have left the graph, in one \
             change that can be undone. The flow has to be stopped. Where there is nothing to reset, the change's id is \
             null.",
        )
        .needs(FLOW_EDIT)
        .of_flow()
        .of_stopped_flow()
        .takes_attributes(
            &[field("steps", steps, "The ids of the steps; all of them where it is absent.")],
            false,
            &json!({ "steps": [STEP] }),
        )
        .meets(
            "The steps are no list of ids.",
            FlowError::invalid("/data/attributes/steps", "`steps` has to be a list of ids of steps"),
        )
        .writes_manager()
        .answers_resource(200, "The change.", "Change", &change("reset"))
}

fn undo() -> Operation {
    let id = || json!({ "type": "string" });
    flows_call(Post, "/v2/flows/{flow}/undo", "Undo a change of snapshots.")
        .about(
            "Without a change's id the latest one that was not undone: asked again, it goes further back. The undoing of \
             an undo is asked for by that one's id. The flow has to be stopped.",
        )
        .needs(FLOW_EDIT)
        .of_flow()
        .of_stopped_flow()
        .takes_attributes(
            &[
                field("change", id(), "The change's id."),
                field("step", id(), "Only what was done to this step."),
                field(
                    "force",
                    json!({ "type": "boolean", "default": false }),
                    "Whether the value before comes back although the step was changed since.",
                ),
            ],
            false,
            &json!({ "change": "17" }),
        )
        .meets(
            "An attribute can't be used; `source` says which.",
            FlowError::invalid("/data/attributes/change", "`first` is no id of a change"),
        )
        .meets(
            "A step has not the value that the change left, and `force` was not asked for.",
            FlowError::ChangedSince { step: STEP.to_owned(), change: 17 },
        )
        .meets(
            "There is no such change, or none that is kept.",
            FlowError::NotFound { noun: "change", id: "999999".to_owned() },
        )
        .meets(
            "No change is left that could be undone, or this one was undone already.",
            FlowError::NothingToUndo("there is no change that is kept and was not undone".to_owned()),
        )
        .meets(
            "Of a change of several steps, some entries are not kept any more.",
            FlowError::Conflict(
                "of the 3 steps of the change `17`, 1 have no entry any more that is kept: undo the others one by one, \
                 naming the `step`"
                    .to_owned(),
            ),
        )
        .writes_manager()
        .answers_resource(200, "The change that undoes it.", "Change", &change("undo"))
}
