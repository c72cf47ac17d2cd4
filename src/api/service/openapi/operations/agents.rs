//! Agents.

use serde_json::json;

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{AGENT_CREATE, AGENT_GET, AGENT_KEY_FILE, AGENT_LIST, AGENT_UPDATE};
use crate::manager::AGENTS;

use super::super::examples::agent;
use super::super::operation::Method::{Get, Patch, Put};
use super::super::operation::{Field, Operation, call, text};
use super::Group;

const NAME: &str = "The agent's name.";
const EXAMPLE: &str = "tower_vow1bsyg";
const NOT_FOUND: &str = "Requested `Agent` with ID `tower_vow1bsyg` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Agents",
        about: "What is known of the agents on hosts, and the key files with which they are reached.",
        operations: vec![list(), get(), create(), change(), get_key_file(), set_key_file()],
    }
}

fn fields() -> Vec<Field> {
    vec![
        text("node_instance_id", "The instance that has it; needed for a new one, and never changed."),
        text("state", "Its state; `creating` for a new one."),
        text("ip", "Its address."),
        text("install_method", "How it was installed."),
        text("system", "The system that it runs on."),
        text("version", "Its version."),
        text("rabbitmq_username", "Its user at the broker."),
        text("rabbitmq_exchange", "Its exchange at the broker."),
        text("rabbitmq_password", "Its password at the broker. Never shown again."),
    ]
}

fn list() -> Operation {
    call(Get, "/agents", "List agents.")
        .needs(AGENT_LIST)
        .lists(&AGENTS)
        .of_all_tenants()
        .query("node_ids", json!({ "type": "string" }), "The same filter as `node`.")
        .query("node_instance_ids", json!({ "type": "string" }), "The same filter as `node_instance_id`.")
        .query("install_methods", json!({ "type": "string" }), "The same filter as `install_method`.")
        .answers_page("Agent", agent())
}

fn get() -> Operation {
    call(Get, "/agents/{name}", "Get an agent.")
        .needs(AGENT_GET)
        .of(NAME, EXAMPLE)
        .includes(&AGENTS)
        .finds(NOT_FOUND)
        .answers_one("The agent.", "Agent", agent())
}

fn create() -> Operation {
    call(Put, "/agents/{name}", "Create an agent, or change an existing one.")
        .about("What is not named stays as it was.")
        .needs(AGENT_CREATE)
        .of("The agent's name: 1 to 256 letters, digits and `-._~`, a letter first.", EXAMPLE)
        .takes(fields(), json!({ "node_instance_id": "tower_vow1bsyg", "state": "started", "ip": "10.0.0.7" }))
        .fails(
            ErrorCode::BadParameters,
            "The name can't be one.",
            "The `name` argument must begin with a letter.",
        )
        .fails(
            ErrorCode::NotFound,
            "The agent is new, and there is no such node instance.",
            "Requested `NodeInstance` with ID `tower_vow1bsyg` was not found",
        )
        .fails(
            ErrorCode::Conflict,
            "An agent of this name is not the caller's to change.",
            "<Agent id=`tower_vow1bsyg` tenant=`default_tenant`> already exists on <Tenant name=`default_tenant`> or \
             with global visibility",
        )
        .writes_manager()
        .answers_one("The agent.", "Agent", agent())
}

fn change() -> Operation {
    call(Patch, "/agents/{name}", "Change an agent.")
        .about("What is not named stays as it was.")
        .needs(AGENT_UPDATE)
        .of(NAME, EXAMPLE)
        .takes(fields(), json!({ "state": "stopped" }))
        .finds(NOT_FOUND)
        .writes_manager()
        .answers_one("The agent.", "Agent", agent())
}

fn get_key_file() -> Operation {
    call(Get, "/agents/{name}/key-file", "Get the key file of an agent, as it was put.")
        .needs(AGENT_KEY_FILE)
        .of(NAME, EXAMPLE)
        .finds("Requested `KeyFile` with ID `tower_vow1bsyg` was not found")
        .answers_file("The key file.", &["application/octet-stream"], false)
}

fn set_key_file() -> Operation {
    let mut with_key_file = agent();
    with_key_file["has_key_file"] = json!(true);
    call(Put, "/agents/{name}/key-file", "Put the key file of an agent: the body, byte for byte.")
        .about("It is sealed at rest, and goes into archives only with `include_credentials`, sealed.")
        .needs(AGENT_KEY_FILE)
        .of(NAME, EXAMPLE)
        .takes_file("The key file.", None)
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::BadParameters,
            "The body broke off.",
            "the body could not be read: a payload is not complete",
        )
        .fails(
            ErrorCode::PayloadTooLarge,
            "The key file is longer than 256 KiB.",
            "the key file is longer than 262144 bytes",
        )
        .writes_manager()
        .answers_one("The agent.", "Agent", with_key_file)
}
