//! Secrets.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    SECRET_CREATE, SECRET_DELETE, SECRET_GET, SECRET_LIST, SECRET_UPDATE,
};
use crate::manager::SECRETS;

use super::super::examples::secret;
use super::super::operation::Method::{Delete, Get, Patch, Put};
use super::super::operation::{Operation, call, field, flag, text};
use super::Group;
use super::blueprints::{visibility_fields, widening};

const KEY: &str = "The secret's name.";
const NOT_FOUND: &str = "Requested `Secret` with ID `lamp_passphrase` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Secrets",
        about: "Values that blueprints refer to by name. Sealed at rest and in archives; lists never show them.",
        operations: vec![list(), get(), create(), change(), delete(), set_visibility()],
    }
}

fn list() -> Operation {
    call(Get, "/secrets", "List secrets, without their values.")
        .needs(SECRET_LIST)
        .lists(&SECRETS)
        .of_all_tenants()
        .answers_page("Secret", secret())
}

fn get() -> Operation {
    let mut with_value = secret();
    with_value["value"] = json!("never trust a lamp");
    call(Get, "/secrets/{key}", "Get a secret with its value.")
        .about("The value is empty where it is hidden from the caller.")
        .needs(SECRET_GET)
        .of(KEY, "lamp_passphrase")
        .finds(NOT_FOUND)
        .answers_one("The secret.", "SecretWithValue", with_value)
}

/// What is refused: secrets that are no plain text.
fn unsupported() -> [super::super::operation::Field; 3] {
    ["schema", "provider_name", "provider_options"]
        .map(|name| field(name, json!({ "type": "null" }), "Only null: secrets are plain texts here."))
}

fn hidden(call: Operation) -> Operation {
    call.fails(
        ErrorCode::Forbidden,
        "Its value is hidden from the caller.",
        "User `grace` is not permitted to modify the hidden value secret `lamp_passphrase`",
    )
    .writes_manager()
}

fn create() -> Operation {
    let mut fields = vec![
        text("value", "The value.").required(),
        flag("is_hidden_value", false, "Whether only the creator, managers and sys_admins get the value."),
        flag("update_if_exists", false, "Whether an existing secret of this name is overwritten."),
    ];
    fields.extend(visibility_fields());
    fields.extend(unsupported());
    let call = call(Put, "/secrets/{key}", "Create a secret.")
        .about("An existing one of this name is overwritten with `update_if_exists`, else it is a conflict.")
        .needs(SECRET_CREATE)
        .of("The name of the new secret: 1 to 256 letters, digits and `-._~`, a letter first.", "lamp_passphrase")
        .takes(fields, json!({ "value": "never trust a lamp" }))
        .fails(
            ErrorCode::BadParameters,
            "The name can't be one.",
            "The `key` argument must begin with a letter.",
        )
        .fails(
            ErrorCode::Conflict,
            "The name is used.",
            "<Secret id=`lamp_passphrase` tenant=`default_tenant`> already exists on <Tenant name=`default_tenant`> or \
             with global visibility",
        );
    hidden(call).answers_one("The secret, without its value.", "Secret", secret())
}

fn change() -> Operation {
    let mut fields = vec![
        text("value", "The value."),
        field(
            "is_hidden_value",
            json!({ "anyOf": [{ "$ref": "#/components/schemas/Flag" }, { "type": "null" }] }),
            "Whether only the creator, managers and sys_admins get the value.",
        ),
        field(
            "visibility",
            json!({ "enum": ["private", "tenant", "global", Value::Null] }),
            "Who is to see it; only more callers than now.",
        ),
    ];
    fields.extend(unsupported());
    let call = call(Patch, "/secrets/{key}", "Change a secret.")
        .about("What is not named stays.")
        .needs(SECRET_UPDATE)
        .of(KEY, "lamp_passphrase")
        .takes(fields, json!({ "value": "trust no lamp at all" }))
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::IllegalAction,
            "More callers see it already, or other tenants have one of this name.",
            "Can't set the visibility of `lamp_passphrase` because it already has wider visibility",
        );
    hidden(call).answers_one("The secret, without its value.", "Secret", secret())
}

fn delete() -> Operation {
    let call = call(Delete, "/secrets/{key}", "Delete a secret.")
        .needs(SECRET_DELETE)
        .of(KEY, "lamp_passphrase")
        .finds(NOT_FOUND);
    hidden(call).answers_one("The secret as it was, without its value.", "Secret", secret())
}

fn set_visibility() -> Operation {
    let call = call(Patch, "/secrets/{key}/set-visibility", "Let more callers see a secret.")
        .needs(SECRET_UPDATE)
        .of(KEY, "lamp_passphrase")
        .finds(NOT_FOUND);
    widening(call, "The secret, without its value.", "Secret", &secret())
}
