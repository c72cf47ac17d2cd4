//! Plugins updates.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{PLUGINS_UPDATE_CREATE, PLUGINS_UPDATE_GET, PLUGINS_UPDATE_LIST};
use crate::manager::PLUGINS_UPDATES;

use super::super::operation::Method::{Get, Post};
use super::super::operation::{Answer, Operation, call, flag, list, object, text};
use super::Group;

const NAME: &str = "The update's id.";
const EXAMPLE: &str = "5d1f0c8e-2b7a-4f6d-9f5e-7b8a1c2d3e4f";
const NOT_FOUND: &str =
    "Requested `PluginsUpdate` with ID `5d1f0c8e-2b7a-4f6d-9f5e-7b8a1c2d3e4f` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Plugins updates",
        about: "Later plugins for a blueprint and its deployments: the blueprint is read anew with them, and its deployments \
                follow it, one after the other. Operations of plugins are not run.",
        operations: vec![list_updates(), get(), initiate(), finalize()],
    }
}

fn example() -> Value {
    json!({
        "visibility": "tenant",
        "created_at": "2026-11-01T08:30:12.123Z",
        "id": EXAMPLE,
        "state": "executing_workflow",
        "deployments_to_update": ["harbour"],
        "deployments_per_tenant": null,
        "forced": false,
        "all_tenants": false,
        "blueprint_id": "lighthouse",
        "temp_blueprint_id": "plugins-update-20261101T083012123Z-lighthouse",
        "execution_id": "019ca6b1-6959-71a1-9ad5-b47f52560783",
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
    })
}

fn list_updates() -> Operation {
    call(Get, "/plugins-updates", "List plugins updates.")
        .needs(PLUGINS_UPDATE_LIST)
        .lists(&PLUGINS_UPDATES)
        .of_all_tenants()
        .answers_page("PluginsUpdate", example())
}

fn get() -> Operation {
    call(Get, "/plugins-updates/{id}", "Get a plugins update.")
        .needs(PLUGINS_UPDATE_GET)
        .of(NAME, EXAMPLE)
        .includes(&PLUGINS_UPDATES)
        .finds(NOT_FOUND)
        .answers_one("The update.", "PluginsUpdate", example())
}

fn initiate() -> Operation {
    let fields = vec![
        list("plugin_names", "The packages that are updated; all where there is none."),
        flag("all_to_latest", false, "Whether all go to their latest version, but for `to_minor`."),
        list("to_latest", "With `all_to_minor`, packages that go to their latest version."),
        flag("all_to_minor", false, "Whether all stay within their major version, but for `to_latest`."),
        list("to_minor", "Packages that stay within their major version where others go to the latest one."),
        object(
            "mapping",
            "Cloudify's mapping file, which goes before all others: `{\"updates\": [{\"<import>\": {\"plugin_name\": …, \"suggested_version\": …}}]}`.",
        ),
        flag(
            "force",
            false,
            "Whether deployments are updated although another update of theirs has not ended.",
        ),
        flag(
            "auto_correct_types",
            false,
            "Has no effect: inputs are taken as they are, and the execution's log says so.",
        ),
        flag(
            "reevaluate_active_statuses",
            false,
            "Whether updates whose execution has ended are closed before they stand in the way.",
        ),
        flag(
            "all_tenants",
            false,
            "Whether deployments in other tenants are updated, too, where the blueprint is global.",
        ),
        text(
            "update_id",
            "Of another manager's update, whose record is kept and nothing else done: its id. Only for sys_admins.",
        ),
        text(
            "state",
            "Of another manager's update, whose record is kept and nothing else done: how it stands; needed. Only for sys_admins.",
        ),
        text(
            "execution_id",
            "Of another manager's update, whose record is kept and nothing else done: its execution. Only for sys_admins.",
        ),
        list(
            "affected_deployments",
            "Of another manager's update, whose record is kept and nothing else done: its deployments. Only for sys_admins.",
        ),
        object(
            "deployments_per_tenant",
            "Of another manager's update, whose record is kept and nothing else done: its deployments by tenant. Only for sys_admins.",
        ),
        text(
            "temp_blueprint_id",
            "Of another manager's update, whose record is kept and nothing else done: the blueprint's copy. Only for sys_admins.",
        ),
        text(
            "created_by",
            "Of another manager's update, whose record is kept and nothing else done: who asked for it. Only for sys_admins.",
        ),
        text(
            "created_at",
            "Of another manager's update, whose record is kept and nothing else done: when. Only for sys_admins.",
        ),
    ];
    call(Post, "/plugins-updates/{id}/update/initiate", "Update the plugins of a blueprint and of its deployments.")
        .about(
            "The blueprint is read anew with the plugins that serve; where that changes one, the execution `update_plugin` \
             brings one deployment after the other to them. While it runs they follow a hidden copy of the blueprint, which \
             is shown where it fails.",
        )
        .needs(PLUGINS_UPDATE_CREATE)
        .of("The blueprint's id.", "lighthouse")
        .takes(fields, json!({ "all_to_latest": true }))
        .finds("Requested `Blueprint` with ID `lighthouse` was not found")
        .fails(
            ErrorCode::Conflict,
            "Another update of the blueprint's plugins has not ended.",
            "There are plugins updates still active, update IDs: 5d1f0c8e-2b7a-4f6d-9f5e-7b8a1c2d3e4f",
        )
        .fails(
            ErrorCode::InvalidBlueprint,
            "The blueprint can't be read with these plugins.",
            "Couldn't find a plugin for the import `plugin:beacon-plugin` with a version that serves: upload it, or ask for \
             another version",
        )
        .writes_manager()
        .answers_one("The update.", "PluginsUpdate", example())
}

fn finalize() -> Operation {
    let mut call = call(Post, "/plugins-updates/{id}/update/finalize", "Finalize a plugins update.")
        .about("Answers 400: its execution does that.")
        .needs(PLUGINS_UPDATE_CREATE)
        .of(NAME, EXAMPLE)
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::IllegalAction,
            "Always.",
            "Cannot finalize plugins update 5d1f0c8e-2b7a-4f6d-9f5e-7b8a1c2d3e4f, it's not in the executing_workflow state.",
        );
    call.answer = Answer::Never;
    call
}
