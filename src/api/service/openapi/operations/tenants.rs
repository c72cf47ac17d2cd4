//! Tenants, and who belongs to them.

use serde_json::json;

use crate::access::TENANTS;
use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    TENANT_ADD_USER, TENANT_CREATE, TENANT_DELETE, TENANT_GET, TENANT_REMOVE_USER, TENANT_UPDATE_USER,
};

use super::super::examples::tenant;
use super::super::operation::Method::{Delete, Get, Patch, Post, Put};
use super::super::operation::{Field, Operation, call, choice, field, reference, text};
use super::Group;

const NAME: &str = "The tenant's name.";
const NOT_FOUND: &str = "Requested `Tenant` with ID `default_tenant` was not found";
const DATA: &str = "Whether the users are named with their roles, instead of counted.";
const ROLES: [&str; 4] = ["manager", "user", "operations", "viewer"];

pub(super) fn group() -> Group {
    Group {
        tag: "Tenants",
        about: "The parts into which a manager is divided, and the roles of users in them.",
        operations: vec![list(), get(), create(), delete(), add_user(), update_user(), remove_user()],
    }
}

fn list() -> Operation {
    call(Get, "/tenants", "List the tenants to which the caller belongs; a sys_admin sees all.")
        .lists(&TENANTS)
        .flag("_get_data", DATA)
        .answers_page("Tenant", tenant())
}

fn get() -> Operation {
    call(Get, "/tenants/{name}", "Get a tenant.")
        .needs(TENANT_GET)
        .of(NAME, "default_tenant")
        .flag("_get_data", DATA)
        .finds(NOT_FOUND)
        .answers_one("The tenant.", "Tenant", tenant())
}

fn create() -> Operation {
    call(Post, "/tenants/{name}", "Create a tenant.")
        .about("Memberships that an earlier tenant of this name left behind do not count until they are given again.")
        .needs(TENANT_CREATE)
        .of("The name of the new tenant: 1 to 256 letters, digits and `-._~`, a letter first.", "north")
        .fails(
            ErrorCode::BadParameters,
            "The name can't be one.",
            "The `tenant_name` argument must begin with a letter.",
        )
        .fails(ErrorCode::Conflict, "The name is used.", "<Tenant name=`north`> already exists")
        .writes_manager()
        .answers(
            201,
            "The tenant.",
            reference("Tenant"),
            json!({ "name": "north", "groups": 0, "users": 0 }),
        )
}

fn delete() -> Operation {
    call(Delete, "/tenants/{name}", "Delete a tenant that owns nothing.")
        .about("The memberships in it go too.")
        .needs(TENANT_DELETE)
        .of(NAME, "north")
        .finds("Requested `Tenant` with ID `north` was not found")
        .fails(
            ErrorCode::IllegalAction,
            "It owns something, or is `default_tenant`.",
            "Can't delete tenant `north` with existing resources; it still has blueprints",
        )
        .writes_manager()
        .answers_one("The tenant as it was.", "Tenant", json!({ "name": "north", "groups": 0, "users": 0 }))
}

fn member() -> Vec<Field> {
    vec![text("tenant_name", "The tenant.").required(), text("username", "The user.").required()]
}

fn membership(call: Operation, fields: Vec<Field>, example: serde_json::Value) -> Operation {
    call.takes(fields, example)
        .fails(
            ErrorCode::NotFound,
            "There is no such tenant, user or membership.",
            "Requested `User` with ID `grace` was not found",
        )
        .answers_one("The tenant.", "Tenant", tenant())
}

fn add_user() -> Operation {
    let mut fields = member();
    fields.push(field(
        "role",
        json!({ "enum": ["manager", "user", "operations", "viewer", null], "default": "user" }),
        "The role.",
    ));
    let call = call(Put, "/tenants/users", "Give a user a role in a tenant; `user` where none is named.")
        .needs(TENANT_ADD_USER)
        .fails(
            ErrorCode::Conflict,
            "The user belongs to it already.",
            "The user `grace` is already associated with the tenant `default_tenant`",
        );
    membership(
        call,
        fields,
        json!({ "tenant_name": "default_tenant", "username": "grace", "role": "viewer" }),
    )
}

fn update_user() -> Operation {
    let mut fields = member();
    fields.push(choice("role", &ROLES, "The role.").required());
    let call =
        call(Patch, "/tenants/users", "Give a user another role in a tenant.").needs(TENANT_UPDATE_USER);
    membership(
        call,
        fields,
        json!({ "tenant_name": "default_tenant", "username": "grace", "role": "manager" }),
    )
}

fn remove_user() -> Operation {
    let call = call(Delete, "/tenants/users", "Take a user out of a tenant.").needs(TENANT_REMOVE_USER);
    membership(call, member(), json!({ "tenant_name": "default_tenant", "username": "grace" }))
}
