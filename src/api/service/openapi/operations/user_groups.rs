//! Groups of users.

use serde_json::{Value, json};

use crate::access::USER_GROUPS;
use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    USER_GROUP_ADD_USER, USER_GROUP_CREATE, USER_GROUP_DELETE, USER_GROUP_GET, USER_GROUP_LIST,
    USER_GROUP_REMOVE_USER, USER_GROUP_UPDATE,
};

use super::super::examples::user_group;
use super::super::operation::Method::{Delete, Get, Post, Put};
use super::super::operation::{Field, Operation, call, choice, field, reference, text};
use super::Group;

const NAME: &str = "The group's name.";
const NOT_FOUND: &str = "Requested `Group` with ID `keepers` was not found";
const DATA: &str = "Whether members and tenants are named, instead of counted.";
const LAST: &str = "This would leave no active user with the role sys_admin; make another one first";

pub(super) fn group() -> Group {
    Group {
        tag: "User groups",
        about: "Groups give their members roles: one everywhere, and one in each tenant to which they belong. What a user \
                may do is what the own roles and those of all groups allow together. Like users, groups are no part of the \
                manager's state.",
        operations: vec![list(), get(), create(), set_role(), delete(), add_user(), remove_user()],
    }
}

fn list() -> Operation {
    call(Get, "/user-groups", "List groups of users.")
        .needs(USER_GROUP_LIST)
        .lists(&USER_GROUPS)
        .flag("_get_data", DATA)
        .answers_page("UserGroup", user_group())
}

fn get() -> Operation {
    call(Get, "/user-groups/{name}", "Get a group of users.")
        .needs(USER_GROUP_GET)
        .of(NAME, "keepers")
        .flag("_get_data", DATA)
        .finds(NOT_FOUND)
        .answers_one("The group.", "UserGroup", user_group())
}

fn create() -> Operation {
    call(Post, "/user-groups", "Create a group of users; with the role `default` where none is named.")
        .needs(USER_GROUP_CREATE)
        .takes(
            vec![
                text("group_name", "The name: 1 to 256 letters, digits and `-._~`, a letter first; not `users`.").required(),
                field(
                    "role",
                    json!({ "enum": ["sys_admin", "default", Value::Null], "default": "default" }),
                    "The role everywhere.",
                ),
                field(
                    "ldap_group_dn",
                    json!({ "type": ["string", "null"] }),
                    "What a directory server calls the group. It is kept and shown; there is no directory server.",
                ),
            ],
            json!({ "group_name": "keepers", "role": "default", "ldap_group_dn": null }),
        )
        .fails(ErrorCode::Conflict, "The name is used.", "<Group name=`keepers`> already exists")
        .answers(201, "The group.", reference("UserGroup"), user_group())
}

fn set_role() -> Operation {
    call(Post, "/user-groups/{name}", "Give the members of a group another role everywhere.")
        .needs(USER_GROUP_UPDATE)
        .of(NAME, "keepers")
        .takes(
            vec![choice("role", &["sys_admin", "default"], "The role everywhere.").required()],
            json!({ "role": "default" }),
        )
        .finds(NOT_FOUND)
        .fails(ErrorCode::IllegalAction, "No active sys_admin would be left.", LAST)
        .answers_one("The group.", "UserGroup", user_group())
}

fn delete() -> Operation {
    call(Delete, "/user-groups/{name}", "Delete a group of users.")
        .about("Its members stay as users, without what it gave them.")
        .needs(USER_GROUP_DELETE)
        .of(NAME, "keepers")
        .finds(NOT_FOUND)
        .fails(ErrorCode::IllegalAction, "No active sys_admin would be left.", LAST)
        .answers_nothing("It is deleted.")
}

fn member() -> Vec<Field> {
    vec![text("group_name", "The group.").required(), text("username", "The user.").required()]
}

fn add_user() -> Operation {
    call(Put, "/user-groups/users", "Make a user a member of a group.")
        .needs(USER_GROUP_ADD_USER)
        .takes(member(), json!({ "group_name": "keepers", "username": "grace" }))
        .fails(ErrorCode::NotFound, "There is no such group or user.", NOT_FOUND)
        .fails(
            ErrorCode::Conflict,
            "The user is a member already.",
            "The user `grace` is already associated with the group `keepers`",
        )
        .answers_one("The group.", "UserGroup", user_group())
}

fn remove_user() -> Operation {
    call(Delete, "/user-groups/users", "Take a user out of a group.")
        .needs(USER_GROUP_REMOVE_USER)
        .takes(member(), json!({ "group_name": "keepers", "username": "grace" }))
        .fails(ErrorCode::NotFound, "There is no such group or member.", NOT_FOUND)
        .fails(ErrorCode::IllegalAction, "No active sys_admin would be left.", LAST)
        .answers_nothing("The user is no member any more.")
}
