//! Which role may do what.

use serde_json::json;

use crate::access::GRANTS;
use crate::api::ErrorCode;

use super::super::operation::Method::{Delete, Get, Put};
use super::super::operation::{Operation, call};
use super::Group;

const ROLE: &str =
    "The role: `sys_admin`, `manager`, `user`, `operations`, `viewer` or `default`, which every user has.";
const PERMISSION: &str = "The permission's name.";
const EVERY_ROLE: &str = "One item for each permission of each role, as it holds at this moment.";
const ADMINS: &str = "Only admin users are permitted to see or edit permissions";

pub(super) fn group() -> Group {
    Group {
        tag: "Permissions",
        about: "Which role may do what. Where nothing was changed it is as in Cloudify; changes count at once, for every call \
                on all faces. A sys_admin always has every permission, and only a sys_admin sees or changes the table.",
        operations: vec![list(), list_of_role(), allow(), disallow()],
    }
}

fn admins(call: Operation) -> Operation {
    call.fails(ErrorCode::Forbidden, "The caller is no sys_admin.", ADMINS)
}

fn list() -> Operation {
    admins(
        call(Get, "/permissions", "List which role has which permission.").about(EVERY_ROLE).lists(&GRANTS),
    )
    .answers_page("Permission", example())
}

fn list_of_role() -> Operation {
    admins(
        call(Get, "/permissions/{role}", "List the permissions of a role.")
            .about("One item for each permission that the role has at this moment.")
            .of(ROLE, "user")
            .lists(&GRANTS),
    )
    .finds("Requested `Role` with ID `keeper` was not found")
    .answers_page("Permission", example())
}

fn allow() -> Operation {
    admins(call(Put, "/permissions/{role}/{permission}", "Allow a role something, at once."))
        .about("The next call of everybody who has the role may do it.")
        .of(ROLE, "user")
        .of(PERMISSION, "snapshot_list")
        .finds("Requested `Permission` with ID `fly` was not found")
        .fails(ErrorCode::Conflict, "The role has it.", "user already has permission snapshot_list")
        .answers_one("The permission.", "Permission", example())
}

fn disallow() -> Operation {
    admins(call(Delete, "/permissions/{role}/{permission}", "Disallow a role something, at once."))
        .about("The next call of those who have no other role with it is refused.")
        .of(ROLE, "user")
        .of(PERMISSION, "snapshot_list")
        .finds("Requested `Permission` with ID `user/snapshot_list` was not found")
        .fails(
            ErrorCode::IllegalAction,
            "The role is `sys_admin`.",
            "Can't disallow sys_admin the permission snapshot_list: a sys_admin always has every permission",
        )
        .answers_nothing("The role has it no more.")
}

fn example() -> serde_json::Value {
    json!({ "role": "user", "permission": "snapshot_list" })
}
