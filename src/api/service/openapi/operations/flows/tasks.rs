//! Flows as tasks: version 1 of elastic.io's API.

use serde_json::json;

use crate::flows::{FLOW_EDIT, FLOW_READ, FLOW_TOGGLE, FlowError};

use super::super::super::flow_examples::{FLOW, task, task_step};
use super::super::super::operation::Method::{Delete, Get, Post};
use super::super::super::operation::{Operation, field, object_schema, reference, text};
use super::super::Group;
use super::{flows_call, not_found};

pub(super) fn group() -> Group {
    Group {
        tag: "Tasks",
        about: "Flows as version 1 of elastic.io's API has them: what sailors and its older clients call.",
        operations: vec![create(), get(), delete(), start(), stop(), suspend(), step()],
    }
}

impl Operation {
    fn of_task(self) -> Self {
        self.of("The task's id, which is the flow's.", FLOW).meets(
            "There is no such flow, or the caller is no member of its workspace.",
            not_found("flow", FLOW),
        )
    }
}

fn create() -> Operation {
    let node = json!({
        "type": "object",
        "properties": {
            "function": { "type": "string", "description": "The component's function; `command` means the same." },
            "config": { "description": "What the component is configured with." },
        },
    });
    let schema = object_schema(&[
        field("name", json!({ "type": "string", "minLength": 1 }), "The name that people see.").required(),
        field("nodes", json!({ "type": "array", "items": node }), "The nodes, in their order.").required(),
        text("cron", "When it is run, as a cron expression. It is kept and not judged."),
    ]);
    let mut call = flows_call(Post, "/v1/tasks", "Create a task.")
        .about(
            "A chain of nodes, whose steps are `step_1`, `step_2` and so on, in the tenant of the request. It is stopped.",
        )
        .needs(FLOW_EDIT)
        .takes_text(
            schema,
            true,
            json!({
                "name": "Tide reports",
                "nodes": [
                    { "function": "tides:watch", "config": { "harbour": "north" } },
                    { "function": "lamp:signal", "config": {} },
                ],
                "cron": "*/5 * * * *",
            }),
        )
        .meets(
            "The body is no such object.",
            FlowError::invalid("/nodes", "`nodes` has to be there: a list of nodes"),
        )
        .meets("The caller is no member of the tenant.", not_found("workspace", "default_tenant"))
        .writes_manager()
        .answers(201, "The task.", reference("Task"), task());
    call.is_in_tenant = true;
    call
}

fn get() -> Operation {
    flows_call(Get, "/v1/tasks/{task}", "Get a task.").needs(FLOW_READ).of_task().answers(
        200,
        "The task.",
        reference("Task"),
        task(),
    )
}

fn delete() -> Operation {
    flows_call(Delete, "/v1/tasks/{task}", "Delete a task.")
        .needs(FLOW_EDIT)
        .of_task()
        .of_stopped_flow()
        .writes_manager()
        .answers_nothing("It is gone.")
}

fn toggled(call: Operation, status: &str) -> Operation {
    call.needs(FLOW_TOGGLE).of_task().writes_manager().answers(
        200,
        "What the task is to do.",
        reference("TaskStatus"),
        json!({ "id": FLOW, "status": status }),
    )
}

fn start() -> Operation {
    toggled(flows_call(Post, "/v1/tasks/start/{task}", "Start a task."), "active")
}

fn stop() -> Operation {
    toggled(flows_call(Post, "/v1/tasks/stop/{task}", "Stop a task."), "inactive")
}

fn suspend() -> Operation {
    let call = flows_call(Post, "/v1/tasks/suspend/{task}", "Suspend a task.")
        .about("Here the same as stopping it.");
    toggled(call, "inactive")
}

fn step() -> Operation {
    flows_call(Get, "/v1/tasks/{task}/steps/{step}", "Get a step of a task.")
        .about(
            "What a sailor asks for when it starts: how its component is configured, and the snapshot from which it goes \
             on. Without a snapshot the key is absent.",
        )
        .needs(FLOW_READ)
        .of_task()
        .of_step()
        .answers(200, "The step.", reference("TaskStep"), task_step())
}
