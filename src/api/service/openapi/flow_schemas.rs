//! The schemas of what the calls of flows answer: the resources of JSON:API documents, tasks, dead letters, errors.

use serde_json::{Map, Value, json};

use crate::flows::{DeadLetterReason, FlowStatus, FlowType, MapperType};

use super::operation::reference;

/// All of them by name.
pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    for part in [errors(), graph(), flows(), steps(), captures(), workspaces(), tasks(), dead_letters()] {
        schemas.extend(part.as_object().cloned().unwrap_or_default());
    }
    schemas
}

pub(super) fn described(mut schema: Value, about: &str) -> Value {
    schema["description"] = json!(about);
    schema
}

pub(super) fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

pub(super) fn text_or_null(about: &str) -> Value {
    json!({ "type": ["string", "null"], "description": about })
}

pub(super) fn moment(about: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": about })
}

fn moment_or_null(about: &str) -> Value {
    json!({ "type": ["string", "null"], "format": "date-time", "description": about })
}

pub(super) fn count(about: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": about })
}

pub(super) fn claim(about: &str) -> Value {
    json!({ "type": "boolean", "description": about })
}

pub(super) fn word(words: &[&str], about: &str) -> Value {
    json!({ "enum": words, "description": about })
}

/// An object with these properties and no others, all of which are there but the `optional` ones.
pub(super) fn object(about: &str, properties: &Value, optional: &[&str]) -> Value {
    let names = properties.as_object().into_iter().flat_map(Map::keys).map(String::as_str);
    let required: Vec<&str> = names.filter(|name| !optional.contains(name)).collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if !about.is_empty() {
        schema["description"] = json!(about);
    }
    schema
}

/// A resource object of JSON:API with these attributes, all of which are there but the `optional` ones.
fn resource(kind: &str, about: &str, attributes: &Value, optional: &[&str]) -> Value {
    let properties = json!({
        "id": text("Its id."),
        "type": { "const": kind },
        "attributes": object("What it is like.", attributes, optional),
    });
    object(about, &properties, &[])
}

/// The same resource with a link to itself.
fn linked(mut resource: Value) -> Value {
    resource["properties"]["links"] = object("Where it is.", &json!({ "self": text("Its path.") }), &[]);
    push(&mut resource["required"], "links");
    resource
}

/// The same resource with relationships to one resource of each of these types, which are their names too.
fn related(mut resource: Value, kinds: &[&str]) -> Value {
    let mut relationships = Map::new();
    for kind in kinds {
        let identifier = object("", &json!({ "id": text("Its id."), "type": { "const": kind } }), &[]);
        relationships.insert((*kind).to_owned(), object("", &json!({ "data": identifier }), &[]));
    }
    resource["properties"]["relationships"] =
        object("What it belongs to.", &Value::Object(relationships), &[]);
    push(&mut resource["required"], "relationships");
    resource
}

fn push(list: &mut Value, name: &str) {
    if let Some(list) = list.as_array_mut() {
        list.push(json!(name));
    }
}

/// A value that is kept as it was sent.
fn any(about: &str) -> Value {
    json!({ "description": about })
}

fn errors() -> Value {
    let source =
        object("Where the fault is.", &json!({ "pointer": text("A JSON pointer into the body.") }), &[]);
    let error = json!({
        "status": text("The status, as a text."),
        "title": text("What the status is called."),
        "code": text("What is wrong, for programs."),
        "detail": text("What is wrong, for people."),
        "source": source,
    });
    let list = json!({ "type": "array", "items": object("An error.", &error, &["source"]), "minItems": 1 });
    json!({
        "JsonApiErrors": object(
            "What every call below `/v2` answers that fails.",
            &json!({ "errors": described(list, "What is wrong: one error.") }),
            &[],
        ),
        "TaskError": object(
            "What every call below `/v1/tasks` answers that fails.",
            &json!({
                "error": text("What is wrong, for people."),
                "code": text("What is wrong, for programs."),
            }),
            &[],
        ),
        "PageMeta": object(
            "Which page this is.",
            &json!({
                "page": count("Its number; the first is 1."),
                "per_page": count("How many a page has."),
                "total": count("How many there are in all."),
                "total_pages": count("How many pages there are."),
            }),
            &[],
        ),
    })
}

/// What is described here is read; everything else in a graph is kept and answered as it was sent.
fn graph() -> Value {
    json!({
        "FlowGraph": {
            "type": "object",
            "description": "The steps and how they are joined. Members that are not named here are kept as they were sent.",
            "properties": {
                "nodes": {
                    "type": "array",
                    "description": "The steps, at most 10000.",
                    "maxItems": 10_000,
                    "items": {
                        "type": "object",
                        "properties": {
                            "id": {
                                "type": "string",
                                "minLength": 1,
                                "description": "The step's id: any text of at most 1024 bytes, once in the graph.",
                            },
                            "fields": any("What the step's component is configured with."),
                            "is_passthrough": any("Whether messages pass through the step: true or false."),
                        },
                        "required": ["id"],
                    },
                },
                "edges": {
                    "type": ["array", "null"],
                    "description": "Which step gives its messages to which.",
                    "items": {
                        "type": "object",
                        "properties": {
                            "source": text("The id of the step that gives."),
                            "target": text("The id of the step that takes."),
                        },
                        "required": ["source", "target"],
                    },
                },
            },
            "required": ["nodes"],
        },
    })
}

fn flows() -> Value {
    let attributes = json!({
        "name": text("The name that people see."),
        "description": text_or_null("What it is for."),
        "type": word(FlowType::NAMES, "How it is run."),
        "status": word(FlowStatus::NAMES, "Whether it is to run."),
        "current_status": word(FlowStatus::NAMES, "Whether it runs."),
        "reports_current_status": claim(
            "Whether a runtime reports `current_status`; else it follows `status`."
        ),
        "default_mapper_type": word(MapperType::NAMES, "What maps data where a step does not say it."),
        "cron": text_or_null("When it is run, as a cron expression."),
        "graph": reference("FlowGraph"),
        "version": count("How many times it was made or edited."),
        "has_draft": described(json!({ "const": false }), "Always false: there are no drafts here."),
        "created_at": moment("When it was made, in UTC."),
        "updated_at": moment("When it changed last, by whatever call, in UTC."),
        "last_modified": moment("When somebody edited it last, in UTC."),
        "last_start_time": moment_or_null("When it was started last, in UTC."),
        "last_stop_time": moment_or_null("When it was stopped last, in UTC."),
        "orphaned_steps": {
            "type": "array",
            "items": { "type": "string" },
            "description": "The steps that have a snapshot and are not in the graph; only where one flow is retrieved.",
        },
    });
    let flow = resource("flow", "A flow.", &attributes, &["orphaned_steps"]);
    json!({ "Flow": related(linked(flow), &["user", "workspace"]) })
}

fn steps() -> Value {
    let snapshot = json!({ "snapshot": any("The value: any JSON, to the letter as it was sent.") });
    let history = json!({
        "change": text("The change that it belongs to: all that one call wrote."),
        "step": text("The step."),
        "action": word(
            &["create", "edit", "remove", "emit", "merge", "reset", "undo", "restore"],
            "What was done.",
        ),
        "via": word(
            &["api", "amqp", "capture", "snapshot"],
            "By what way: a call, a message of the broker, a capture, a manager snapshot.",
        ),
        "at": moment("When, in UTC."),
        "user": text_or_null("Who did it; null for a message of the broker."),
        "execution_id": text_or_null("The runtime's execution that emitted it, or ours that restored it."),
        "redelivered": claim("Whether the broker had delivered the message before."),
        "undoes": text_or_null("The change that it took back."),
        "undone": claim("Whether a later change took it back."),
        "before": any("The value before; absent where there was none."),
        "after": any("The value after; absent where there is none."),
    });
    let change = json!({
        "action": word(&["reset", "undo", "restore"], "What was done."),
        "steps": {
            "type": "array",
            "items": { "type": "string" },
            "description": "The steps whose value it changed.",
        },
    });
    let mut change = resource("change", "What a call did to the snapshots of a flow.", &change, &[]);
    change["properties"]["id"] =
        text_or_null("Its id, by which it can be undone; null where nothing was to be done.");
    json!({
        "StepSnapshot": linked(resource("snapshot", "What a step emitted last. Its id is the step's.", &snapshot, &[])),
        "HistoryItem": resource(
            "history",
            "What happened to the snapshot of a step.",
            &history,
            &["before", "after"],
        ),
        "Change": change,
    })
}

fn captures() -> Value {
    let capture = json!({
        "flow_name": text("The flow's name at that moment."),
        "description": text_or_null("What it is for."),
        "created_at": moment("The moment, in UTC."),
        "created_by": text("Who asked for it."),
        "execution_id": text_or_null("The execution that took it."),
        "fuzzy": claim("Whether the flow ran: what its components held in memory is not in it."),
        "step_count": count("How many steps have a value in it."),
        "steps": {
            "type": "object",
            "description": "The values by the ids of their steps; only where one capture is retrieved.",
        },
    });
    let capture =
        resource("capture", "The snapshots of all steps of a flow, as of one moment.", &capture, &["steps"]);
    let asked = json!({
        "execution_id": text("The execution that takes it."),
        "status": text("The execution's status."),
    });
    let asked = resource("capture", "A capture that is there when its execution has ended.", &asked, &[]);
    let difference = json!({
        "step": text("The step."),
        "before": any("The value in the capture; absent where it has none."),
        "after": any("The value in the other; absent where it has none."),
    });
    let difference = object("A step whose value is not the same.", &difference, &["before", "after"]);
    let comparison = json!({
        "same": count("How many steps have the same value."),
        "differences": { "type": "array", "items": difference, "description": "The other steps." },
    });
    json!({
        "Capture": related(linked(capture), &["flow", "workspace"]),
        "AskedCapture": linked(asked),
        "Comparison": resource("comparison", "What differs between a capture and another state.", &comparison, &[]),
    })
}

fn workspaces() -> Value {
    let workspace = json!({
        "name": text("Its name, which is its id too."),
        "role": text_or_null("The caller's role in it; null for a sys_admin who is no member."),
    });
    let workspace = resource("workspace", "A workspace, which is a tenant.", &workspace, &[]);
    let caller = json!({
        "username": text("The name."),
        "email": text_or_null("The name, where it is an address."),
        "role": text("The role in the whole manager."),
    });
    json!({
        "Workspace": related(linked(workspace), &["contract"]),
        "Caller": linked(resource("user", "Who calls.", &caller, &[])),
    })
}

fn tasks() -> Value {
    let status = || word(FlowStatus::NAMES, "Whether it is to run.");
    let task = json!({
        "id": text("Its id, which is the flow's."),
        "name": text("The name that people see."),
        "status": status(),
        "cron": text_or_null("When it is run, as a cron expression."),
        "created_at": moment("When it was made, in UTC."),
        "graph": reference("FlowGraph"),
    });
    let step = json!({
        "id": text("The step's id."),
        "config": any("What its component is configured with: the node's `fields`."),
        "variables": described(json!({ "type": "object", "maxProperties": 0 }), "Always empty."),
        "is_passthrough": claim("Whether messages pass through it."),
        "snapshot": any("What it emitted last; absent where there is nothing."),
    });
    json!({
        "Task": object("A flow as a task.", &task, &[]),
        "TaskStatus": object(
            "Whether a task is to run.",
            &json!({ "id": text("The task's id."), "status": status() }),
            &[],
        ),
        "TaskStep": object("A step of a task.", &step, &["snapshot"]),
    })
}

fn dead_letters() -> Value {
    let letter = json!({
        "id": count("Its number; later ones are larger."),
        "received_at": moment("When it was received, in UTC."),
        "reason": word(&reasons(), "Why it could not be used."),
        "flow_id": text_or_null("The flow that it names."),
        "step_id": text_or_null("The step that it names."),
        "routing_key": text("Its routing key."),
        "redelivered": claim("Whether the broker had delivered it before."),
        "size_bytes": count("The length of its body in bytes."),
        "body": text("The first 8 KiB of its body as text; what is no UTF-8 is replaced."),
    });
    let number = || json!({ "type": "integer", "minimum": 0 });
    let pagination = object("", &json!({ "total": number(), "size": number(), "offset": number() }), &[]);
    let counts = json!({
        "type": "object",
        "description": "How many there were ever, by reason.",
        "propertyNames": { "enum": reasons() },
        "additionalProperties": number(),
    });
    let page = json!({
        "items": { "type": "array", "items": reference("DeadLetter") },
        "metadata": object("", &json!({ "pagination": pagination }), &[]),
        "counts": counts,
    });
    json!({
        "DeadLetter": object("A message of the broker that could not be used.", &letter, &[]),
        "DeadLetterPage": object("A page of them, and their counts.", &page, &[]),
    })
}

fn reasons() -> Vec<&'static str> {
    [
        DeadLetterReason::NotJson,
        DeadLetterReason::NoHeaders,
        DeadLetterReason::UnknownFlow,
        DeadLetterReason::UnknownStep,
        DeadLetterReason::TooLarge,
        DeadLetterReason::NotAnObject,
        DeadLetterReason::UnknownEvent,
    ]
    .map(DeadLetterReason::as_str)
    .to_vec()
}
