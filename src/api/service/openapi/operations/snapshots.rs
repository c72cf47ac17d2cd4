//! Manager snapshots.

use serde_json::json;

use crate::api::ErrorCode;
use crate::model::Permission;
use crate::records::SNAPSHOTS;

use super::super::examples::{execution, snapshot, uploaded_snapshot};
use super::super::operation::Method::{Delete, Get, Head, Patch, Post, Put};
use super::super::operation::{Operation, call, choice, field, flag, selection, text};
use super::Group;

const NOT_FOUND: &str = "Requested `Snapshot` with ID `nightly` was not found";
const ID: &str = "The snapshot's id.";

pub(super) fn group() -> Group {
    Group {
        tag: "Snapshots",
        about: "The state of the whole manager at a time, kept as a zip archive: made, restored, uploaded, downloaded.",
        operations: vec![
            list(),
            get(),
            create(),
            update(),
            delete(),
            restore(),
            verify(),
            protect(),
            download(),
            head(),
            upload(),
            status(),
        ],
    }
}

fn list() -> Operation {
    call(Get, "/snapshots", "List snapshots.")
        .needs(Permission::system("snapshot_list"))
        .lists(&SNAPSHOTS)
        .of_all_tenants()
        .answers_page("Snapshot", snapshot())
}

fn get() -> Operation {
    call(Get, "/snapshots/{id}", "Get a snapshot.")
        .needs(Permission::system("snapshot_get"))
        .of(ID, "nightly")
        .includes(&SNAPSHOTS)
        .finds(NOT_FOUND)
        .answers_one("The snapshot.", "Snapshot", snapshot())
}

fn create() -> Operation {
    let parameters = json!({
        "include_metrics": false, "include_credentials": true, "include_logs": true, "include_events": true,
        "include_flow_history": false, "pause_flows": false, "legacy": false, "queue": false, "tempdir_path": null, "listener_timeout": null, "snapshot_id": "nightly",
    });
    call(Put, "/snapshots/{id}", "Create a snapshot.")
        .about(
            "Records an execution and returns at once; the worker does the rest. Follow the execution until its status \
             is `terminated`; the snapshot is then `created`, and its archive has been read back and found good. A body \
             is not needed; the flags are taken from the query as well. A create runs beside everything but a restore \
             or rollback.",
        )
        .needs(Permission::system("snapshot_create"))
        .of("The id of the new snapshot: 1 to 256 letters, digits and `-._~`, a letter first.", "nightly")
        .takes(
            vec![
                flag("include_metrics", false, "Whether the archive holds the stored metrics."),
                flag("include_credentials", false, "Whether it holds private keys and the agents' key files, sealed."),
                flag("include_logs", true, "Whether it holds the logs of executions."),
                flag("include_events", true, "Whether it holds the events of executions."),
                flag("include_flow_history", false, "Whether it holds the history of step snapshots."),
                flag(
                    "pause_flows",
                    false,
                    "Whether flows that run are stopped before the state is read, and started again when it was.",
                ),
                flag("queue", false, "Whether it waits for a restore that is running, instead of being refused."),
                field(
                    "seal_for",
                    json!({ "type": ["array", "null"], "items": { "type": "string" }, "maxItems": 64 }),
                    "Public keys (`age1…`) for which everything sealed is sealed too: another manager's, so that it can \
                     restore the archive. In the query repeated, or with commas. Audited.",
                ),
                flag("legacy", false, "Has no effect; the execution's log says so."),
                text("tempdir_path", "Has no effect; the execution's log says so."),
                field(
                    "listener_timeout",
                    json!({ "type": ["number", "string", "null"] }),
                    "Has no effect; the execution's log says so. A number, or a text that is one.",
                ),
            ],
            json!({ "include_credentials": true }),
        )
        .fails(
            ErrorCode::BadParameters,
            "The id can't be one.",
            "The `snapshot_id` argument must begin with a letter.",
        )
        .fails(
            ErrorCode::BadParameters,
            "A key to seal for is none.",
            "`seal_for[0]` can't be used: `age1me` is not an age recipient: expected a text that begins with `age1`",
        )
        .fails(
            ErrorCode::Conflict,
            "The id is used.",
            "<Snapshot id=`nightly` tenant=`default_tenant`> already exists on <Tenant name=`default_tenant`> or with \
             global visibility",
        )
        .fails(
            ErrorCode::ExistingRunningExecution,
            "A restore or rollback is active and `queue` was not asked for. No record is left.",
            "Cannot start execution because there are other executions running e.g.: \
             019ca6b1-6959-71a1-9ad5-b47f52560783",
        )
        .answers(
            201,
            "The execution that makes the snapshot.",
            super::super::operation::reference("Execution"),
            execution("create_snapshot", &parameters),
        )
}

fn update() -> Operation {
    call(Patch, "/snapshots/{id}", "Update the status of a snapshot.")
        .about(
            "Only what the service itself would do: the present status again, which changes nothing, or `failed` for a \
             snapshot that no execution works on.",
        )
        .needs(Permission::system("snapshot_status_update"))
        .of(ID, "nightly")
        .takes(
            vec![
                choice(
                    "status",
                    &["creating", "created", "failed", "uploading", "uploaded"],
                    "The status that it is to have.",
                )
                .required(),
                text("error", "The reason of a failure."),
            ],
            json!({ "status": "failed", "error": "its tape was lost" }),
        )
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::SnapshotAction,
            "The status can't follow the present one.",
            "the status of snapshot `nightly` is created and can't be set to creating",
        )
        .answers(200, "The status is as asked.", json!({ "type": "null" }), json!(null))
}

fn delete() -> Operation {
    call(Delete, "/snapshots/{id}", "Delete a snapshot.")
        .about("The record and the archive go. A download that was begun before goes on to its end.")
        .needs(Permission::system("snapshot_delete"))
        .of(ID, "nightly")
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::SnapshotAction,
            "An active or queued execution works on it, or it is being uploaded.",
            "Cannot delete snapshot `nightly` which has an active `create_snapshot` execution",
        )
        .answers_one("The snapshot as it was.", "Snapshot", snapshot())
}

fn restore() -> Operation {
    let parameters = json!({
        "force": true, "recreate_deployments_envs": true, "skip_sealed": false, "restore_certificates": false, "no_reboot": false,
        "ignore_plugin_failure": false, "snapshot_id": "nightly",
    });
    call(Post, "/snapshots/{id}/restore", "Restore a snapshot.")
        .about(
            "Records an execution and returns at once. All or nothing: the manager has the old state or the new one. \
             What keeps the restore from happening (a manager that is not clean, a damaged archive, a missing key) \
             fails the execution before anything is touched. `POST /service/rollback` undoes it. With `select` only \
             the entities that it means are brought back, in a manager that may hold anything; everything else stays \
             as it is. The query may say the same by `kind`, `tenant`, `id` and `dependencies`.",
        )
        .needs(Permission::system("snapshot_restore"))
        .of(ID, "nightly")
        .takes(
            vec![
                flag(
                    "force",
                    false,
                    "Whether a manager that holds something may be overwritten; with `select`, whether selected \
                     entities that exist and differ are replaced.",
                ),
                selection(
                    "The entities that are brought back; all of them without it. What is said of kinds, tenants and ids \
                     narrows each other.",
                ),
                choice(
                    "dependencies",
                    &["refuse", "include"],
                    "What is to be done about what selected entities need and the manager lacks: the restore fails and \
                     names it (the default), or takes it along and reports it. Goes with `select`.",
                ),
                flag(
                    "dry_run",
                    false,
                    "Whether the execution only reports what it would do: all is staged and checked, and dropped. Goes \
                     with `select`.",
                ),
                flag("recreate_deployments_envs", true, "Whether the environments of deployments are made again."),
                flag(
                    "skip_sealed",
                    false,
                    "Whether the sealed parts are left out: secrets, agents' credentials, private keys, and the archives \
                     of blueprints that hold keys. The report says what is missing. Without it a restore fails where no \
                     key opens them.",
                ),
                flag("queue", false, "Whether it waits for what is running, instead of being refused."),
                flag("restore_certificates", false, "Has no effect; the execution's log says so."),
                flag("no_reboot", false, "Has no effect, and needs `restore_certificates`."),
                flag("ignore_plugin_failure", false, "Has no effect; the execution's log says so."),
                field(
                    "timeout",
                    json!({ "type": ["integer", "string", "null"] }),
                    "Has no effect; the execution's log says so. A whole number, or a text that is one.",
                ),
            ],
            json!({ "force": true }),
        )
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::BadParameters,
            "An option or the selection can't be read, or names a kind that there is not.",
            "`towers` is no kind of entity: use one of tenants, plugins, secrets, blueprints, deployments",
        )
        .fails(ErrorCode::SnapshotAction, "It has no archive.", "Failed snapshot cannot be restored")
        .fails(
            ErrorCode::ExistingRunningExecution,
            "Another execution is active and `queue` was not asked for. No record is left.",
            "Cannot start execution because there are other executions running e.g.: \
             019ca6b1-6959-71a1-9ad5-b47f52560783",
        )
        .answers(
            200,
            "The execution that restores the snapshot.",
            super::super::operation::reference("Execution"),
            execution("restore_snapshot", &parameters),
        )
}

fn verify() -> Operation {
    call(Post, "/snapshots/{id}/verify", "Verify a snapshot.")
        .about(
            "Records an execution and returns at once. It reads every byte of the archive against its manifest and \
             signature, parses every document, opens every sealed part, and looks for every file that a record names. \
             A good archive gets a new `verified_at`. Else the execution fails, and the snapshot keeps its status, \
             loses its `verified_at` and says in `error` what is wrong. A verify runs beside everything, and stands \
             still while a restore or rollback runs.",
        )
        .needs(Permission::system("snapshot_verify"))
        .of(ID, "nightly")
        .finds(NOT_FOUND)
        .fails(ErrorCode::SnapshotAction, "It has no archive.", "Failed snapshot cannot be verified")
        .answers_one(
            "The execution that verifies the snapshot.",
            "Execution",
            execution("verify_snapshot", &json!({ "snapshot_id": "nightly" })),
        )
}

fn protect() -> Operation {
    call(Post, "/snapshots/{id}/protect", "Protect a snapshot from being deleted, or no longer.")
        .about("Until the protection is taken away, a delete is refused with the name of who protects it. Audited.")
        .needs(Permission::system("snapshot_protect"))
        .of(ID, "nightly")
        .takes(
            vec![flag("protected", true, "Whether it is protected from now on.")],
            json!({ "protected": true }),
        )
        .finds(NOT_FOUND)
        .answers_one("The snapshot.", "Snapshot", snapshot())
}

fn download() -> Operation {
    call(Get, "/snapshots/{id}/archive", "Download a snapshot's archive.")
        .about(
            "Whole or one range; `ETag` is the archive's SHA-256 in quotes, so a download that broke off can be taken up \
             with `Range` and `If-Range`. Always with a `Content-Length`. An archive that was damaged in the store is \
             refused; a long one is found out while it is sent, and its end is not sent then. Downloads are audited.",
        )
        .needs(Permission::system("snapshot_download"))
        .of(ID, "nightly")
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::ArchiveDamaged,
            "Its file in the store is gone, or is not what was stored.",
            "the archive of snapshot `nightly` can't be downloaded: its file is gone. It was damaged in the store, outside \
             of the service: put a good copy of it back, or delete the snapshot",
        )
        .fails(ErrorCode::SnapshotAction, "It has no archive (yet).", "Failed snapshot cannot be downloaded")
        .answers_file("The zip archive.", &["application/octet-stream"], true)
        .hashed()
}

fn head() -> Operation {
    let mut head = download();
    head.method = Head;
    head.about = "The same headers as `GET`, without the archive: its length and hash.";
    head.outcome = "The headers of the archive.";
    head.answer = super::super::operation::Answer::Headers;
    head
}

fn upload() -> Operation {
    call(Put, "/snapshots/{id}/archive", "Upload a snapshot's archive.")
        .about(
            "As the body, raw or multipart, whatever its content type says; or by `snapshot_archive_url`, which the \
             service fetches. The URL may also stand in a JSON body, `{\"snapshot_archive_url\": …}`. Answers when the \
             archive was received and judged; of one that is refused nothing is kept.",
        )
        .needs(Permission::system("snapshot_upload"))
        .of(
            "The id of the new snapshot: 1 to 256 letters, digits and `-._~`, a letter or digit first.",
            "nightly",
        )
        .query(
            "snapshot_archive_url",
            json!({ "type": "string", "format": "uri" }),
            "Where to fetch the archive, by http or https. Addresses that are not public are refused unless the \
             setting `url_fetch.allow` names their network.",
        )
        .takes_file("The zip archive.", None)
        .fails(
            ErrorCode::BadParameters,
            "The id can't be one, the archive is none or broke off, or the URL can't be fetched.",
            "the body is no snapshot archive: it is no zip file",
        )
        .fails(
            ErrorCode::Conflict,
            "The id is used.",
            "<Snapshot id=`nightly` tenant=`default_tenant`> already exists on <Tenant name=`default_tenant`> or with \
             global visibility",
        )
        .fails(
            ErrorCode::PayloadTooLarge,
            "The archive is longer than the setting `archive.max_upload_bytes`.",
            "the archive is longer than the 1099511627776 bytes that the setting `archive.max_upload_bytes` allows",
        )
        .fails(
            ErrorCode::InsufficientStorage,
            "The disk has no room for it.",
            "there is no space left for the archive: nothing was kept",
        )
        .answers(
            201,
            "The snapshot, `uploaded`.",
            super::super::operation::reference("Snapshot"),
            uploaded_snapshot(),
        )
}

fn status() -> Operation {
    call(Get, "/snapshot-status", "Get the status of restores.")
        .about("Needs no login, as users may be replaced while one runs; it tells nothing but that.")
        .needs_no_login()
        .answers(
            200,
            "Whether a restore or rollback is running.",
            json!({
                "type": "object",
                "properties": { "status": { "enum": ["running", "not-running"] } },
                "required": ["status"],
                "additionalProperties": false,
            }),
            json!({ "status": "not-running" }),
        )
}
