//! Users.

use serde_json::{Value, json};

use crate::access::USERS;
use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    USER_CREATE, USER_DELETE, USER_GET, USER_GET_SELF, USER_LIST, USER_SET_ACTIVATED, USER_UNLOCK,
};

use super::super::examples::user;
use super::super::operation::Method::{Delete, Get, Post, Put};
use super::super::operation::{Operation, call, choice, field, flag, reference, text};
use super::Group;

const NAME: &str = "The user's name.";
const NOT_FOUND: &str = "Requested `User` with ID `grace` was not found";
const DATA: &str = "Whether the tenants are named with the user's roles, instead of counted.";
const LAST: &str = "This would leave no active user with the role sys_admin; make another one first";

pub(super) fn group() -> Group {
    Group {
        tag: "Users",
        about: "Who may use the service. Users are no part of the manager's state: a restore changes no existing one.",
        operations: vec![list(), get(), get_self(), create(), change(), set_active(), unlock(), delete()],
    }
}

fn list() -> Operation {
    call(Get, "/users", "List users.")
        .needs(USER_LIST)
        .lists(&USERS)
        .flag("_get_data", DATA)
        .answers_page("User", user())
}

fn get() -> Operation {
    call(Get, "/users/{username}", "Get a user.")
        .needs(USER_GET)
        .of(NAME, "grace")
        .flag("_get_data", DATA)
        .finds(NOT_FOUND)
        .answers_one("The user.", "User", user())
}

fn get_self() -> Operation {
    call(Get, "/user", "Get the caller's own user.").needs(USER_GET_SELF).flag("_get_data", DATA).answers_one(
        "The user.",
        "User",
        user(),
    )
}

fn create() -> Operation {
    call(Put, "/users", "Create a user; with the role `default` where none is named.")
        .needs(USER_CREATE)
        .takes(
            vec![
                text("username", "The name, which may be an e-mail address.").required(),
                field(
                    "password",
                    json!({ "type": "string", "minLength": 8, "maxLength": 256 }),
                    "The password.",
                )
                .required(),
                field(
                    "role",
                    json!({ "enum": ["sys_admin", "default", Value::Null], "default": "default" }),
                    "The role everywhere.",
                ),
                flag("is_prehashed", false, "Only `false`: send the password itself."),
            ],
            json!({ "username": "grace", "password": "a lamp in every window", "role": "default" }),
        )
        .fails(ErrorCode::Conflict, "The name is used.", "<User username=`grace`> already exists")
        .answers(201, "The user.", reference("User"), user())
}

fn change() -> Operation {
    call(Post, "/users/{username}", "Change a user's password or role.")
        .about("Every user may change the own password; all else needs the permission `user_update` (sys_admin).")
        .of(NAME, "grace")
        .takes(
            vec![
                field("password", json!({ "type": "string", "minLength": 8, "maxLength": 256 }), "The new password."),
                field("role", json!({ "enum": ["sys_admin", "default", Value::Null] }), "The new role everywhere."),
                field("show_getting_started", json!({}), "Has no effect: there is no greeting."),
            ],
            json!({ "password": "two lamps in every window" }),
        )
        .fails(
            ErrorCode::Forbidden,
            "It is another user, or the role is to be changed, and the caller is no sys_admin.",
            "User `grace` is not permitted to perform the action user_update in the tenant `default_tenant`",
        )
        .finds(NOT_FOUND)
        .fails(ErrorCode::IllegalAction, "No active sys_admin would be left.", LAST)
        .answers_one("The user.", "User", user())
}

fn set_active() -> Operation {
    call(
        Post,
        "/users/active/{username}",
        "Let a user log in, or no longer: `action` is `activate` or `deactivate`.",
    )
    .needs(USER_SET_ACTIVATED)
    .of(NAME, "grace")
    .takes(
        vec![choice("action", &["activate", "deactivate"], "What to do.").required()],
        json!({ "action": "deactivate" }),
    )
    .finds(NOT_FOUND)
    .fails(ErrorCode::Conflict, "The user is so already.", "The user `grace` is already inactive")
    .fails(ErrorCode::IllegalAction, "No active sys_admin would be left.", LAST)
    .answers_one("The user.", "User", user())
}

fn unlock() -> Operation {
    call(Post, "/users/unlock/{username}", "End the delay that wrong passwords brought upon a user.")
        .needs(USER_UNLOCK)
        .of(NAME, "grace")
        .finds(NOT_FOUND)
        .fails(ErrorCode::Conflict, "There is no delay.", "The user `grace` is already unlocked")
        .fails(
            ErrorCode::IllegalAction,
            "A restore brought the user, who has no password yet.",
            "The user `grace` has no password yet: set one and activate the user",
        )
        .answers_one("The user.", "User", user())
}

fn delete() -> Operation {
    call(Delete, "/users/{username}", "Delete a user.")
        .about("The last active sys_admin stays. The user's tokens and memberships go too.")
        .needs(USER_DELETE)
        .of(NAME, "grace")
        .finds(NOT_FOUND)
        .fails(ErrorCode::IllegalAction, "No active sys_admin would be left.", LAST)
        .answers_one("The user as it was.", "User", user())
}
