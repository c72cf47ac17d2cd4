//! Blueprints.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    BLUEPRINT_DELETE, BLUEPRINT_DOWNLOAD, BLUEPRINT_GET, BLUEPRINT_LIST, BLUEPRINT_UPLOAD,
};
use crate::manager::BLUEPRINTS;

use super::super::examples::blueprint;
use super::super::operation::Method::{Delete, Get, Patch, Put};
use super::super::operation::{Field, Form, Operation, call, choice, field, flag, labels, reference, text};
use super::Group;
use super::searches::filtering;

const ID: &str = "The blueprint's id.";
const NOT_FOUND: &str = "Requested `Blueprint` with ID `lighthouse` was not found";
const VISIBILITIES: [&str; 3] = ["private", "tenant", "global"];

pub(super) fn group() -> Group {
    Group {
        tag: "Blueprints",
        about: "What deployments are made from: archives with a description of nodes and workflows.",
        operations: vec![
            list(),
            get(),
            upload(),
            validate(),
            change(),
            delete(),
            download(),
            get_icon(),
            set_icon(),
            set_visibility(),
        ],
    }
}

/// Who may see a new entity.
pub(super) fn visibility_fields() -> [Field; 2] {
    [
        field(
            "visibility",
            json!({ "enum": ["private", "tenant", "global", null], "default": "tenant" }),
            "Who may see it: its creator, its tenant, or every tenant (sys_admin).",
        ),
        flag("private_resource", false, "The older form of `visibility=private`."),
    ]
}

/// Who may see an entity from now on.
pub(super) fn optional_visibility_field() -> Field {
    field("visibility", json!({ "enum": ["private", "tenant", "global", null] }), "Who is to see it.")
}

/// The call that lets more callers see an entity, without its path.
pub(super) fn widening(call: Operation, outcome: &'static str, noun: &str, example: &Value) -> Operation {
    let mut example = example.clone();
    example["visibility"] = json!("global");
    example["resource_availability"] = json!("global");
    call.takes(
        vec![
            choice("visibility", &["tenant", "global"], "Who is to see it; `global` needs a sys_admin.")
                .required(),
        ],
        json!({ "visibility": "global" }),
    )
    .fails(
        ErrorCode::IllegalAction,
        "More callers see it already, or other tenants have one of this id.",
        "Can't set the visibility of `lighthouse` because it already has wider visibility",
    )
    .writes_manager()
    .answers_one(outcome, noun, example)
}

/// What an upload beside its archive refuses.
pub(super) fn refusing_archives(call: Operation) -> Operation {
    call.fails(
        ErrorCode::PayloadTooLarge,
        "The archive is longer than 8 GiB, or a part of the form than 1 MiB.",
        "the body is longer than 8589934592 bytes",
    )
    .writes_manager()
}

fn list() -> Operation {
    filtering(call(Get, "/blueprints", "List blueprints."))
        .needs(BLUEPRINT_LIST)
        .lists(&BLUEPRINTS)
        .of_all_tenants()
        .answers_page("Blueprint", blueprint())
}

fn get() -> Operation {
    call(Get, "/blueprints/{id}", "Get a blueprint.")
        .needs(BLUEPRINT_GET)
        .of(ID, "lighthouse")
        .includes(&BLUEPRINTS)
        .finds(NOT_FOUND)
        .answers_one("The blueprint.", "Blueprint", blueprint())
}

fn upload() -> Operation {
    let mut parameters = vec![
        text("application_file_name", "The main file; `blueprint.yaml` where none is named."),
        labels("Labels, each `{key: value}`; only in the form's `params`."),
        flag("async_upload", false, "Whether the answer comes before the blueprint has been read."),
        flag("skip_execution", false, "Only `false`: every blueprint is read."),
    ];
    parameters.extend(visibility_fields());
    let call = call(Put, "/blueprints/{id}", "Upload a blueprint.")
        .about(
            "The archive (.tar.gz, .tar or .zip) is the body, or `blueprint_archive` in a form beside `params`, a JSON \
             object of parameters; without a form they stand in the query. With `async_upload` the answer comes before \
             the blueprint has been read: its `state` and its `upload_execution` tell the rest. A blueprint whose \
             upload failed is replaced.",
        )
        .needs(BLUEPRINT_UPLOAD)
        .of("The id of the new blueprint: 1 to 256 letters, digits and `-._~`, a letter first.", "lighthouse")
        .query("application_file_name", json!({ "type": "string" }), "The main file, where the body is no form.")
        .query("visibility", json!({ "enum": VISIBILITIES }), "Who may see it, where the body is no form.")
        .flag("private_resource", "The older form of `visibility=private`, where the body is no form.")
        .flag("async_upload", "Whether the answer comes early, where the body is no form.")
        .takes_file("The archive.", Some(Form { file: "blueprint_archive", parameters }))
        .fails(
            ErrorCode::BadParameters,
            "The id can't be one, there is no archive, or it can't be unpacked.",
            "Missing application archive in request body",
        )
        .fails(
            ErrorCode::InvalidBlueprint,
            "The blueprint is wrong; the message says where.",
            "failed to parse `lighthouse.yaml`, line 7: a mapping is not closed",
        )
        .fails(
            ErrorCode::Conflict,
            "The id is used.",
            "<Blueprint id=`lighthouse` tenant=`default_tenant`> already exists on <Tenant name=`default_tenant`> or \
             with global visibility",
        );
    refusing_archives(call).answers(201, "The blueprint.", reference("Blueprint"), blueprint())
}

fn validate() -> Operation {
    let mut parameters = vec![
        text("application_file_name", "The main file; `blueprint.yaml` where none is named."),
        labels("Labels, each `{key: value}`."),
    ];
    parameters.extend(visibility_fields());
    let call = call(Put, "/blueprints/{id}/validate", "Validate a blueprint.")
        .about("It is taken in and read as an upload is, under a name of its own, and removed again.")
        .needs(BLUEPRINT_UPLOAD)
        .of("The id that the blueprint would get.", "lighthouse")
        .query(
            "application_file_name",
            json!({ "type": "string" }),
            "The main file, where the body is no form.",
        )
        .takes_file("The archive.", Some(Form { file: "blueprint_archive", parameters }))
        .fails(
            ErrorCode::BadParameters,
            "There is no archive, or it can't be unpacked.",
            "Missing application archive in request body",
        )
        .fails(
            ErrorCode::InvalidBlueprint,
            "The blueprint is wrong; the message says where.",
            "failed to parse `lighthouse.yaml`, line 7: a mapping is not closed",
        );
    let mut read = blueprint();
    read["id"] = json!("validate-0b8b8f0e-6a0c-4a53-8f9e-9a4f1d1f0c57");
    refusing_archives(call).answers(201, "The blueprint as it was read.", reference("Blueprint"), read)
}

fn change() -> Operation {
    call(Patch, "/blueprints/{id}", "Change a blueprint's labels or owner.")
        .needs(BLUEPRINT_UPLOAD)
        .of(ID, "lighthouse")
        .takes(
            vec![
                labels("The labels, all of them; each `{key: value}`."),
                text("creator", "The user whose it is to be; needs the permission `set_owner`."),
            ],
            json!({ "labels": [{ "environment": "production" }] }),
        )
        .finds(NOT_FOUND)
        .writes_manager()
        .answers_one("The blueprint.", "Blueprint", blueprint())
}

fn delete() -> Operation {
    call(Delete, "/blueprints/{id}", "Delete a blueprint.")
        .about("Refused while it has deployments, and while other blueprints import it unless `force` is given.")
        .needs(BLUEPRINT_DELETE)
        .of(ID, "lighthouse")
        .flag("force", "Whether it goes although other blueprints import it.")
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::DependentExists,
            "It has deployments.",
            "Can't delete blueprint `lighthouse` - There exist deployments for this blueprint; Deployments ids: harbour",
        )
        .fails(
            ErrorCode::BlueprintInUse,
            "Other blueprints import it, and `force` was not asked for.",
            "Blueprint `lighthouse` is currently in use in blueprints: coast. You can \"force\" blueprint removal.",
        )
        .fails(
            ErrorCode::IllegalAction,
            "It is being read.",
            "Blueprint `lighthouse` is being uploaded; wait until that has ended",
        )
        .writes_manager()
        .answers_one("The blueprint as it was.", "Blueprint", blueprint())
}

fn download() -> Operation {
    call(Get, "/blueprints/{id}/archive", "Download a blueprint's archive, as it was uploaded.")
        .needs(BLUEPRINT_DOWNLOAD)
        .of(ID, "lighthouse")
        .finds(NOT_FOUND)
        .answers_file("The archive.", &["application/octet-stream"], true)
}

fn get_icon() -> Operation {
    call(Get, "/blueprints/{id}/icon", "Get a blueprint's picture.")
        .needs(BLUEPRINT_GET)
        .of(ID, "lighthouse")
        .fails(
            ErrorCode::NotFound,
            "There is no such blueprint, or it has no picture.",
            "Requested `Blueprint icon` with ID `lighthouse` was not found",
        )
        .answers_file("The picture.", &["image/png"], false)
}

fn set_icon() -> Operation {
    call(
        Patch,
        "/blueprints/{id}/icon",
        "Set or take away a blueprint's picture: the body, a PNG; without one there is none.",
    )
    .needs(BLUEPRINT_UPLOAD)
    .of(ID, "lighthouse")
    .takes_file("The picture.", None)
    .finds(NOT_FOUND)
    .fails(
        ErrorCode::BadParameters,
        "It is no PNG.",
        "The provided icon file is invalid; a PNG picture is expected",
    )
    .fails(ErrorCode::PayloadTooLarge, "It is longer than 1 MiB.", "the picture is longer than 1048576 bytes")
    .writes_manager()
    .answers_one("The blueprint.", "Blueprint", blueprint())
}

fn set_visibility() -> Operation {
    let call = call(Patch, "/blueprints/{id}/set-visibility", "Let more callers see a blueprint.")
        .needs(BLUEPRINT_UPLOAD)
        .of(ID, "lighthouse")
        .finds(NOT_FOUND);
    widening(call, "The blueprint.", "Blueprint", &blueprint())
}
