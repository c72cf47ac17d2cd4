//! Workspaces and the caller.

use serde_json::json;

use super::super::super::flow_examples::{caller, workspace};
use super::super::super::operation::Method::Get;
use super::super::super::operation::Operation;
use super::super::Group;
use super::{flows_call, not_found};

pub(super) fn group() -> Group {
    Group {
        tag: "Workspaces",
        about: "The manager's tenants as clients of flows see them, and who calls.",
        operations: vec![list(), get(), me()],
    }
}

fn list() -> Operation {
    flows_call(Get, "/v2/workspaces", "List workspaces.")
        .about("The tenants of which the caller is a member. All belong to one contract, whose id is the manager's name.")
        .query("contract_id", json!({ "type": "string" }), "Only those of this contract.")
        .answers_resources("The workspaces.", "Workspace", &workspace())
}

fn get() -> Operation {
    flows_call(Get, "/v2/workspaces/{workspace}", "Retrieve a workspace.")
        .about("A tenant of which the caller is a member.")
        .of("The workspace: the tenant's name.", "default_tenant")
        .meets(
            "There is no such workspace, or the caller is no member of it.",
            not_found("workspace", "default_tenant"),
        )
        .answers_resource(200, "The workspace.", "Workspace", &workspace())
}

fn me() -> Operation {
    flows_call(Get, "/v2/users/me", "Retrieve the caller.")
        .about("For everybody who may log in.")
        .answers_resource(200, "The caller.", "Caller", &caller())
}
