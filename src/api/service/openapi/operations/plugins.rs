//! Plugins.

use serde_json::json;

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    PLUGIN_DELETE, PLUGIN_DOWNLOAD, PLUGIN_GET, PLUGIN_LIST, PLUGIN_UPLOAD,
};
use crate::manager::PLUGINS;

use super::super::examples::plugin;
use super::super::operation::Method::{Delete, Get, Patch, Post};
use super::super::operation::{Form, Operation, call, flag, object, reference, text};
use super::Group;
use super::blueprints::{refusing_archives, visibility_fields, widening};

const ID: &str = "The plugin's id, a UUID.";
const EXAMPLE: &str = "3b9f4c2e-2c0e-4a55-9c1f-3a6de4c2f7b1";
const NOT_FOUND: &str = "Requested `Plugin` with ID `3b9f4c2e-2c0e-4a55-9c1f-3a6de4c2f7b1` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Plugins",
        about: "Archives with the code that blueprints name. They are kept; their operations are not run.",
        operations: vec![
            list(),
            upload(),
            get(),
            change(),
            delete(),
            download(),
            download_yaml(),
            set_visibility(),
        ],
    }
}

fn list() -> Operation {
    call(Get, "/plugins", "List plugins.")
        .needs(PLUGIN_LIST)
        .lists(&PLUGINS)
        .of_all_tenants()
        .answers_page("Plugin", plugin())
}

/// What a sys_admin may say of a plugin that comes from another manager.
const FROM_ELSEWHERE: [(&str, &str); 3] = [
    ("id", "The id that it has on another manager, a UUID; for sys_admins."),
    ("uploaded_at", "When it was uploaded there; for sys_admins."),
    ("created_by", "Whose it is; for sys_admins."),
];

fn upload() -> Operation {
    let mut parameters = vec![text("title", "The name that people see; the package's where none is given.")];
    parameters.extend(FROM_ELSEWHERE.map(|(name, what)| text(name, what)));
    parameters.extend(visibility_fields());
    let call = call(Post, "/plugins", "Upload a plugin.")
        .about(
            "The body is a wagon, or a zip that holds one beside its descriptions; or `plugin_archive` in a form. The \
             service gives it an id, unless a sys_admin brings it with its own.",
        )
        .needs(PLUGIN_UPLOAD)
        .query("title", json!({ "type": "string" }), "The name that people see, where the body is no form.")
        .query("id", json!({ "type": "string" }), FROM_ELSEWHERE[0].1)
        .query("uploaded_at", json!({ "type": "string" }), FROM_ELSEWHERE[1].1)
        .query("created_by", json!({ "type": "string" }), FROM_ELSEWHERE[2].1)
        .query(
            "visibility",
            json!({ "enum": ["private", "tenant", "global"] }),
            "Who may see it, where the body is no form.",
        )
        .flag("private_resource", "The older form of `visibility=private`, where the body is no form.")
        .takes_file("The wagon, or a zip that holds one.", Some(Form { file: "plugin_archive", parameters }))
        .fails(
            ErrorCode::BadParameters,
            "There is no archive, it holds no `package.json`, or the id is no UUID.",
            "Missing plugin archive in request body",
        )
        .fails(
            ErrorCode::Conflict,
            "This version of the package for this system is kept already, or a plugin of that id.",
            "a plugin archive by the name of lamp_plugin-1.2.0-py311-none-linux_x86_64.wgn already exists for package \
             with name lamp-plugin and version 1.2.0",
        );
    refusing_archives(call).answers(201, "The plugin.", reference("Plugin"), plugin())
}

fn get() -> Operation {
    call(Get, "/plugins/{id}", "Get a plugin.")
        .needs(PLUGIN_GET)
        .of(ID, EXAMPLE)
        .includes(&PLUGINS)
        .finds(NOT_FOUND)
        .answers_one("The plugin.", "Plugin", plugin())
}

fn change() -> Operation {
    call(Patch, "/plugins/{id}", "Change a plugin's labels, tags or owner.")
        .needs(PLUGIN_UPLOAD)
        .of(ID, EXAMPLE)
        .takes(
            vec![
                object("blueprint_labels", "Labels for blueprints that use it: lists of values by key."),
                object("labels", "Labels for their deployments, in the same form."),
                object("resource_tags", "Tags for what their deployments make."),
                text("creator", "The user whose it is to be; needs the permission `set_owner`."),
            ],
            json!({ "labels": { "environment": ["production"] } }),
        )
        .finds(NOT_FOUND)
        .writes_manager()
        .answers_one("The plugin.", "Plugin", plugin())
}

fn download_yaml() -> Operation {
    call(Get, "/plugins/{id}/yaml", "Download the description that was uploaded beside a plugin's wagon.")
        .needs(PLUGIN_DOWNLOAD)
        .of(ID, EXAMPLE)
        .query(
            "dsl_version",
            json!({ "type": "string" }),
            "The version of the blueprint language, e.g. `cloudify_dsl_1_4`, where there are several.",
        )
        .finds(NOT_FOUND)
        .answers_file("The description.", &["application/octet-stream"], true)
}

fn delete() -> Operation {
    call(Delete, "/plugins/{id}", "Delete a plugin.")
        .about("Refused while nodes of deployments use it, unless `force` is given, in the query or the body.")
        .needs(PLUGIN_DELETE)
        .of(ID, EXAMPLE)
        .flag("force", "Whether it goes although nodes use it.")
        .takes(vec![flag("force", false, "Whether it goes although nodes use it.")], json!({ "force": true }))
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::PluginInUse,
            "Nodes of deployments use it, and `force` was not asked for.",
            "Plugin \"3b9f4c2e-2c0e-4a55-9c1f-3a6de4c2f7b1\" is currently in use in deployments: harbour. You can \
             \"force\" plugin removal if needed.",
        )
        .writes_manager()
        .answers_one("The plugin as it was.", "Plugin", plugin())
}

fn download() -> Operation {
    call(
        Get,
        "/plugins/{id}/archive",
        "Download a plugin's wagon, or with `full_archive` all that was uploaded.",
    )
    .needs(PLUGIN_DOWNLOAD)
    .of(ID, EXAMPLE)
    .flag("full_archive", "Whether all that was uploaded is answered.")
    .finds(NOT_FOUND)
    .answers_file("The wagon, or a zip.", &["application/octet-stream"], true)
}

fn set_visibility() -> Operation {
    let call = call(Patch, "/plugins/{id}/set-visibility", "Let more callers see a plugin.")
        .needs(PLUGIN_UPLOAD)
        .of(ID, EXAMPLE)
        .finds(NOT_FOUND);
    widening(call, "The plugin.", "Plugin", &plugin())
}
