//! Tenants, and who belongs to them.

use serde_json::json;

use crate::access::TENANTS;
use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    TENANT_ADD_GROUP, TENANT_ADD_USER, TENANT_CREATE, TENANT_DELETE, TENANT_GET, TENANT_LIST,
    TENANT_REMOVE_GROUP, TENANT_REMOVE_USER, TENANT_UPDATE_GROUP, TENANT_UPDATE_USER,
};
use crate::model::Permission;

use super::super::examples::tenant;
use super::super::operation::Method::{self, Delete, Get, Patch, Post, Put};
use super::super::operation::{Field, Operation, call, choice, field, reference, text};
use super::Group;

const NAME: &str = "The tenant's name.";
const NOT_FOUND: &str = "Requested `Tenant` with ID `default_tenant` was not found";
const DATA: &str = "Whether the users are named with their roles, instead of counted.";
const ROLES: [&str; 4] = ["manager", "user", "operations", "viewer"];

pub(super) fn group() -> Group {
    Group {
        tag: "Tenants",
        about: "The parts into which a manager is divided, and the roles of users and their groups in them.",
        operations: vec![
            list(),
            get(),
            create(),
            delete(),
            add(&USER),
            update(&USER),
            remove(&USER),
            add(&GROUP),
            update(&GROUP),
            remove(&GROUP),
        ],
    }
}

fn list() -> Operation {
    call(Get, "/tenants", "List the tenants to which the caller belongs; a sys_admin sees all.")
        .about("`_get_data` needs the permission `tenant_list_get_data` (sys_admin).")
        .needs(TENANT_LIST)
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
        .fails(
            ErrorCode::BadParameters,
            "The name is a part of another path.",
            "'users' is not allowed as a tenant name because it wouldn't be possible to remove it later due to a conflict \
             with the remove users from tenant endpoint",
        )
        .fails(ErrorCode::Conflict, "The name is used.", "<Tenant name=`north`> already exists")
        .writes_manager()
        .answers(
            201,
            "The tenant.",
            reference("Tenant"),
            json!({ "name": "north", "groups": 0, "users": 0, "user_roles": null }),
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
        .answers_one(
            "The tenant as it was.",
            "Tenant",
            json!({ "name": "north", "groups": 0, "users": 0, "user_roles": null }),
        )
}

/// Who is given a role in a tenant.
struct Member {
    path: &'static str,
    key: &'static str,
    about: &'static str,
    example: &'static str,
    /// The titles and permissions of adding, updating and removing.
    add: (&'static str, Permission),
    update: (&'static str, Permission),
    remove: (&'static str, Permission),
    taken: &'static str,
    absent: &'static str,
}

const USER: Member = Member {
    path: "/tenants/users",
    key: "username",
    about: "The user.",
    example: "grace",
    add: ("Give a user a role in a tenant; `user` where none is named.", TENANT_ADD_USER),
    update: ("Give a user another role in a tenant.", TENANT_UPDATE_USER),
    remove: ("Take a user out of a tenant.", TENANT_REMOVE_USER),
    taken: "The user `grace` is already associated with the tenant `default_tenant`",
    absent: "Requested `User` with ID `grace` was not found",
};

const GROUP: Member = Member {
    path: "/tenants/user-groups",
    key: "group_name",
    about: "The group of users.",
    example: "keepers",
    add: ("Give a group of users a role in a tenant; `user` where none is named.", TENANT_ADD_GROUP),
    update: ("Give a group of users another role in a tenant.", TENANT_UPDATE_GROUP),
    remove: ("Take a group of users out of a tenant.", TENANT_REMOVE_GROUP),
    taken: "The user group `keepers` is already associated with the tenant `default_tenant`",
    absent: "Requested `Group` with ID `keepers` was not found",
};

fn membership(
    method: Method,
    member: &Member,
    (summary, permission): (&'static str, Permission),
    role: Option<Field>,
) -> Operation {
    let mut example = json!({ "tenant_name": "default_tenant", member.key: member.example });
    if role.is_some() {
        example["role"] = json!("viewer");
    }
    let mut fields =
        vec![text("tenant_name", "The tenant.").required(), text(member.key, member.about).required()];
    fields.extend(role);
    call(method, member.path, summary)
        .about("The permission is checked in the tenant that the body names.")
        .needs(permission)
        .takes(fields, example)
        .fails(ErrorCode::NotFound, "There is no such tenant, member or membership.", member.absent)
        .answers_one("The tenant.", "Tenant", tenant())
}

fn add(member: &Member) -> Operation {
    let role = field(
        "role",
        json!({ "enum": ["manager", "user", "operations", "viewer", null], "default": "user" }),
        "The role.",
    );
    membership(Put, member, member.add, Some(role)).fails(
        ErrorCode::Conflict,
        "It belongs to the tenant already.",
        member.taken,
    )
}

fn update(member: &Member) -> Operation {
    membership(Patch, member, member.update, Some(choice("role", &ROLES, "The role.").required()))
}

fn remove(member: &Member) -> Operation {
    membership(Delete, member, member.remove, None)
}
