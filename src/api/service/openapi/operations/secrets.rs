//! Secrets.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    SECRET_CREATE, SECRET_DELETE, SECRET_EXPORT, SECRET_GET, SECRET_IMPORT, SECRET_LIST, SECRET_UPDATE,
};
use crate::manager::SECRETS;

use super::super::examples::secret;
use super::super::operation::Method::{Delete, Get, Patch, Post, Put};
use super::super::operation::{Operation, call, field, flag, object, text};
use super::Group;
use super::blueprints::{visibility_fields, widening};

const KEY: &str = "The secret's name.";
const NOT_FOUND: &str = "Requested `Secret` with ID `lamp_passphrase` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Secrets",
        about: "Values that blueprints refer to by name. Sealed at rest and in archives; lists never show them.",
        operations: vec![list(), get(), create(), change(), delete(), set_visibility(), export(), import()],
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
        .about(
            "The value is a text; where the secret has a schema, the JSON value that fits it. Where it is hidden from the \
             caller, it is an empty text.",
        )
        .needs(SECRET_GET)
        .of(KEY, "lamp_passphrase")
        .finds(NOT_FOUND)
        .answers_one("The secret.", "SecretWithValue", with_value)
}

/// What is refused: values that are kept elsewhere.
fn providers() -> [super::super::operation::Field; 2] {
    ["provider_name", "provider_options"].map(|name| {
        field(
            name,
            json!({ "enum": [null, "", {}] }),
            "Only null or empty: providers of secrets are Cloudify's premium edition's.",
        )
    })
}

/// How a value fails.
fn judged(call: Operation) -> Operation {
    call.fails(
        ErrorCode::BadParameters,
        "The value does not fit the secret's schema. The message never tells the value.",
        "Error validating secret value: it is not of type 'object' (schema: `/type`)",
    )
    .fails(
        ErrorCode::MissingPremiumPackage,
        "A provider of secrets is named.",
        "This manager is of the community edition: it has no use for providers of secrets, which is a matter of the premium \
         edition",
    )
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
        field("value", json!({}), "The value: a text, or with a schema any JSON value but null.").required(),
        object(
            "schema",
            "A JSON schema that the value has to fit; without it an existing secret keeps its own.",
        ),
        flag("is_hidden_value", false, "Whether only the creator, managers and sys_admins get the value."),
        flag("update_if_exists", false, "Whether an existing secret of this name is overwritten."),
    ];
    fields.extend(visibility_fields());
    fields.extend(providers());
    let call = call(Put, "/secrets/{key}", "Create a secret.")
        .about(
            "An existing one of this name is overwritten with `update_if_exists`, else it is a conflict. With `schema` the \
             value is any JSON value that fits it, else a text. Of a schema's references only those to places in itself \
             (`#/…`) are followed; a pattern is a regular expression without look-around and back-references.",
        )
        .needs(SECRET_CREATE)
        .of("The name of the new secret: 1 to 256 letters, digits and `-._~`, a letter first.", "lamp_passphrase")
        .takes(fields, json!({ "value": "never trust a lamp" }))
        .fails(
            ErrorCode::BadParameters,
            "The name can't be one.",
            "The `key` argument must begin with a letter.",
        )
        .fails(
            ErrorCode::BadParameters,
            "The schema is none, or refers to what is not in it.",
            "the schema of secret `lamp_passphrase` can't be used: it refers to `https://example.org/lamp.json`: only \
             places in the schema itself, `#/…`, are followed",
        )
        .fails(
            ErrorCode::Conflict,
            "The name is used.",
            "<Secret id=`lamp_passphrase` tenant=`default_tenant`> already exists on <Tenant name=`default_tenant`> or \
             with global visibility",
        );
    hidden(judged(call)).answers_one("The secret, without its value.", "Secret", secret())
}

fn change() -> Operation {
    let mut fields = vec![
        field("value", json!({}), "The value, which has to fit the secret's schema; null leaves it."),
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
        text("creator", "The user whose it is to be; needs the permission `set_owner`."),
    ];
    fields.push(field(
        "schema",
        json!({ "type": "null" }),
        "Only null: a schema is changed with its value (PUT).",
    ));
    fields.extend(providers());
    let call = call(Patch, "/secrets/{key}", "Change a secret.")
        .about("What is not named stays. A value has to fit the secret's schema, where it has one.")
        .needs(SECRET_UPDATE)
        .of(KEY, "lamp_passphrase")
        .takes(fields, json!({ "value": "trust no lamp at all" }))
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::IllegalAction,
            "More callers see it already, or other tenants have one of this name.",
            "Can't set the visibility of `lamp_passphrase` because it already has wider visibility",
        );
    hidden(judged(call)).answers_one("The secret, without its value.", "Secret", secret())
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

fn item() -> Value {
    json!({
        "key": "lamp_passphrase",
        "value": "gAAAAABlZ0…",
        "visibility": "tenant",
        "tenant_name": "default_tenant",
        "is_hidden_value": false,
        "encrypted": true,
    })
}

fn item_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "key": { "type": "string" },
            "value": {
                "type": "string",
                "description": "In clear, or sealed where `encrypted`; with a schema the text of a JSON value.",
            },
            "schema": { "type": ["object", "null"], "description": "The JSON schema of the value; absent for a text." },
            "visibility": { "enum": ["private", "tenant", "global"] },
            "tenant_name": { "type": "string" },
            "is_hidden_value": { "$ref": "#/components/schemas/Flag" },
            "encrypted": { "$ref": "#/components/schemas/Flag" },
            "creator": { "type": ["string", "null"], "description": "Needs the permission `set_owner`." },
            "created_at": { "type": ["string", "null"], "description": "Needs the permission `set_timestamp`." },
            "updated_at": { "type": ["string", "null"], "description": "Needs the permission `set_timestamp`." },
        },
    })
}

fn export() -> Operation {
    call(Get, "/secrets/share/export", "Export secrets with their values.")
        .about(
            "With `_passphrase` the values are sealed as Cloudify does it, so that a Cloudify opens them; else they are in \
             clear. Of what the caller may not read there is nothing. The audit tells how many left.",
        )
        .needs(SECRET_EXPORT)
        .lists(&SECRETS)
        .of_all_tenants()
        .query("_passphrase", json!({ "type": "string", "format": "password" }), "What the values are sealed with.")
        .flag("_include_metadata", "Whether owners and times are told.")
        .answers(
            200,
            "All of them: there are no pages.",
            json!({ "type": "array", "items": item_schema() }),
            json!([item()]),
        )
}

fn import() -> Operation {
    call(Post, "/secrets/share/import", "Import secrets of an export.")
        .about(
            "What can't be taken is named by its place in the list, and the rest is taken. An export of a Cloudify can be \
             imported, too.",
        )
        .needs(SECRET_IMPORT)
        .takes(
            vec![
                field("secrets_list", json!({ "type": "array", "items": {} }), "The items of an export.").required(),
                field(
                    "tenant_map",
                    json!({ "type": ["object", "null"], "additionalProperties": { "type": "string" } }),
                    "To which tenant the secrets of each tenant go; without it to that of the same name.",
                ),
                field(
                    "passphrase",
                    json!({ "type": ["string", "null"], "format": "password" }),
                    "What the values are sealed with.",
                ),
                flag("override_collisions", false, "Whether secrets that exist get the values of the file."),
            ],
            json!({ "secrets_list": [item()], "passphrase": "lamp oil", "override_collisions": false }),
        )
        .fails(
            ErrorCode::BadParameters,
            "A tenant of `tenant_map` is absent.",
            "The following destination tenants do not exist on the Manager: ['north']",
        )
        .writes_manager()
        .answers(
            200,
            "What existed, by tenant, and what is wrong, by the place in the list.",
            json!({
                "type": "object",
                "properties": {
                    "colliding_secrets": {
                        "type": "object",
                        "additionalProperties": { "type": "array", "items": { "type": "string" } },
                    },
                    "secrets_errors": { "type": "object", "additionalProperties": { "type": "object" } },
                },
                "required": ["colliding_secrets", "secrets_errors"],
                "additionalProperties": false,
            }),
            json!({ "colliding_secrets": { "default_tenant": ["lamp_passphrase"] }, "secrets_errors": {} }),
        )
}
