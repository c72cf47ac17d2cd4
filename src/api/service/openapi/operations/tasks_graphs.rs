//! Tasks graphs and operations.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::TASKS;
use crate::manager::{OPERATIONS, TASKS_GRAPHS};

use super::super::operation::Method::{Delete, Get, Patch, Post, Put};
use super::super::operation::{Field, Operation, call, list, object, reference, text};
use super::Group;

const GRAPH: &str = "5d1f0c8e-2b7a-4f6d-9f5e-7b8a1c2d3e4f";
const ID: &str = "8a6e0804-2bd0-4672-b79d-d97027f9071a";
const EXECUTION: &str = "019ca6b1-6959-71a1-9ad5-b47f52560783";
const NO_OPERATION: &str =
    "Requested `Operation` with ID `8a6e0804-2bd0-4672-b79d-d97027f9071a` was not found";
const NO_GRAPH: &str = "Requested `TasksGraph` with ID `5d1f0c8e-2b7a-4f6d-9f5e-7b8a1c2d3e4f` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Tasks graphs",
        about: "The operations of a workflow as it runs, as the client that runs it stores and reads them.",
        operations: vec![
            list_graphs(),
            create_graph(),
            change_graph(),
            list_operations(),
            update_stored(),
            get(),
            create(),
            change(),
            delete(),
        ],
    }
}

fn graph() -> Value {
    json!({
        "visibility": "tenant",
        "created_at": "2026-11-01T08:30:12.123Z",
        "id": GRAPH,
        "name": "install",
        "execution_id": EXECUTION,
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
    })
}

fn operation() -> Value {
    json!({
        "created_at": "2026-11-01T08:30:12.123Z",
        "id": ID,
        "name": "tool.create",
        "state": "pending",
        "dependencies": [],
        "type": "RemoteWorkflowTask",
        "parameters": {},
        "manager_name": null,
        "agent_name": null,
        "tasks_graph_id": GRAPH,
        "execution_id": EXECUTION,
        "visibility": "tenant",
        "created_by": "admin",
        "tenant_name": "default_tenant",
    })
}

fn fields() -> Vec<Field> {
    vec![
        text("name", "Its name."),
        text("state", "Where it stands; `pending` where nobody says."),
        list("dependencies", "The ids of the operations that come before it."),
        text("type", "What kind of task it is."),
        object("parameters", "What it needs to run."),
        text("manager_name", "The manager that ran it."),
        text("agent_name", "The agent that ran it."),
        text("created_at", "When it was made, where that is not now."),
    ]
}

fn list_graphs() -> Operation {
    call(Get, "/tasks_graphs", "List tasks graphs.")
        .needs(TASKS)
        .lists(&TASKS_GRAPHS)
        .of_all_tenants()
        .answers_page("TasksGraph", graph())
}

fn create_graph() -> Operation {
    call(Post, "/tasks_graphs/{id}", "Store a tasks graph with its operations.")
        .about("The id is `graph_id` of the body, or a new one; that of the path is not looked at.")
        .needs(TASKS)
        .of("Whatever: the clients write `tasks_graphs`.", "tasks_graphs")
        .takes(
            vec![
                text("execution_id", "The execution whose operations it holds.").required(),
                text("name", "Its name, one of its own in the execution.").required(),
                text("graph_id", "The id that it had before."),
                list("operations", "Its operations, each with `id`, `name`, `type`, `parameters`, `dependencies`."),
                text("created_at", "When it was made, where that is not now."),
            ],
            json!({ "execution_id": EXECUTION, "name": "install", "operations": [] }),
        )
        .fails(
            ErrorCode::NotFound,
            "There is no such execution of a deployment.",
            "Requested `Execution` with ID `019ca6b1-6959-71a1-9ad5-b47f52560783` was not found",
        )
        .fails(
            ErrorCode::Conflict,
            "The execution has a graph of this name, or an id is taken.",
            "the execution `019ca6b1-6959-71a1-9ad5-b47f52560783` has a tasks graph `install` already, or the id \
             `5d1f0c8e-2b7a-4f6d-9f5e-7b8a1c2d3e4f` is taken",
        )
        .writes_manager()
        .answers(201, "The graph.", reference("TasksGraph"), graph())
}

fn change_graph() -> Operation {
    call(Patch, "/tasks_graphs/{id}", "Say how a tasks graph stands.")
        .about("Nothing is kept of it: its operations tell how it stands.")
        .needs(TASKS)
        .of("The graph's id.", GRAPH)
        .takes(vec![text("state", "Where it stands.").required()], json!({ "state": "succeeded" }))
        .finds(NO_GRAPH)
        .answers_one("The graph.", "TasksGraph", graph())
}

fn list_operations() -> Operation {
    call(Get, "/operations", "List the operations of a tasks graph or an execution.")
        .needs(TASKS)
        .lists(&OPERATIONS)
        .of_all_tenants()
        .query("graph_id", json!({ "type": "string" }), "The graph.")
        .query("execution_id", json!({ "type": "string" }), "The execution.")
        .flag("skip_internal", "Whether what a workflow does by itself is left out.")
        .answers_page("Operation", operation())
}

fn update_stored() -> Operation {
    let mut call = call(Post, "/operations", "Update the stored inputs of operations.")
        .about("Answers 403: an update of a deployment does this by itself here.")
        .needs(TASKS)
        .takes(vec![text("action", "What to do.").required()], json!({ "action": "update-stored" }))
        .fails(
            ErrorCode::Forbidden,
            "Always.",
            "Stored operations can only be created or changed by executions",
        );
    call.answer = super::super::operation::Answer::Never;
    call
}

fn get() -> Operation {
    call(Get, "/operations/{id}", "Get an operation.")
        .needs(TASKS)
        .of("The operation's id.", ID)
        .finds(NO_OPERATION)
        .answers_one("The operation.", "Operation", operation())
}

fn create() -> Operation {
    let mut all = vec![text("graph_id", "The graph to which it belongs.").required()];
    all.extend(fields());
    call(Put, "/operations/{id}", "Store an operation of a tasks graph.")
        .needs(TASKS)
        .of("The id that the caller gives it.", ID)
        .takes(all, json!({ "graph_id": GRAPH, "name": "tool.create", "type": "RemoteWorkflowTask" }))
        .finds(NO_GRAPH)
        .fails(
            ErrorCode::Conflict,
            "The id is taken.",
            "<Operation id=`8a6e0804-2bd0-4672-b79d-d97027f9071a` tenant=`default_tenant`> already exists on \
             <Tenant name=`default_tenant`> or with global visibility",
        )
        .writes_manager()
        .answers(201, "The operation.", reference("Operation"), operation())
}

fn change() -> Operation {
    call(Patch, "/operations/{id}", "Change where an operation stands.")
        .needs(TASKS)
        .of("The operation's id.", ID)
        .takes(fields(), json!({ "state": "succeeded" }))
        .finds(NO_OPERATION)
        .writes_manager()
        .answers_nothing("It is changed.")
}

fn delete() -> Operation {
    call(Delete, "/operations/{id}", "Delete an operation.")
        .needs(TASKS)
        .of("The operation's id.", ID)
        .finds(NO_OPERATION)
        .writes_manager()
        .answers_nothing("It is gone.")
}
