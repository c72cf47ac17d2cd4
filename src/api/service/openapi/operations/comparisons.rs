//! Plans of restores, and diffs of manager snapshots.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::model::Permission;

use super::super::examples::execution;
use super::super::operation::Method::{Get, Post};
use super::super::operation::{Operation, call, choice, flag, reference, selection, text};
use super::Group;

const NOT_FOUND: &str = "Requested `Snapshot` with ID `nightly` was not found";
const ID: &str = "The snapshot's id.";
const EXECUTION: &str = "019ca6b1-6959-71a1-9ad5-b47f52560783";
const DIFF: Permission = Permission::system("snapshot_download");
const PLAN: Permission = Permission::system("snapshot_restore");

pub(super) fn group() -> Group {
    Group {
        tag: "Plans and diffs",
        about: "What a restore would change before it is done, and what differs between a snapshot and another one or the live state: by kind and id, and field by field. Each is made by an execution and can be read for an hour.",
        operations: vec![
            plan(),
            get_plan(),
            plan_changes(),
            plan_fields(),
            diff(),
            get_diff(),
            diff_changes(),
            diff_fields(),
        ],
    }
}

fn plan() -> Operation {
    call(Post, "/snapshots/{id}/plan", "Plan a restore.")
        .about(
            "Records an execution `plan_snapshot` and returns at once; nothing of the manager is touched. When it has \
             ended, its report is the plan: what would be added, removed and changed by kind, what is sealed and \
             whether a key is here, what space it needs, which users would be added, and by which rules the restore \
             would be refused. With `select` it is the plan of a restore of only the entities that it means: what is \
             needed and lacking is in it, and named among the refusals unless `dependencies` is `include`. The query \
             may say the same by `kind`, `tenant`, `id` and `dependencies`. `GET` on the same path answers it too.",
        )
        .needs(PLAN)
        .of(ID, "nightly")
        .takes(
            vec![
                flag("force", false, "Whether the restore will be asked for with `force`."),
                selection(
                    "The entities that will be brought back; all of them without it. What is said of kinds, tenants and \
                     ids narrows each other.",
                ),
                choice(
                    "dependencies",
                    &["refuse", "include"],
                    "What the restore will be asked to do about what selected entities need and the manager lacks. Goes \
                     with `select`.",
                ),
                flag("skip_sealed", false, "Whether it will be asked for with `skip_sealed`."),
                flag("queue", false, "Whether it will be asked for with `queue`."),
            ],
            json!({ "force": true }),
        )
        .finds(NOT_FOUND)
        .fails(
            ErrorCode::BadParameters,
            "An option or the selection can't be read, or names a kind that there is not.",
            "`towers` is no kind of entity: use one of tenants, plugins, secrets, blueprints, deployments",
        )
        .fails(ErrorCode::SnapshotAction, "It has no archive.", "Failed snapshot cannot be planned to be restored")
        .fails(
            ErrorCode::ExistingRunningExecution,
            "A restore or rollback is active.",
            "Cannot start execution because there are other executions running e.g.: \
             019ca6b1-6959-71a1-9ad5-b47f52560783",
        )
        .answers(
            201,
            "The execution that makes the plan.",
            reference("Execution"),
            execution(
                "plan_snapshot",
                &json!({ "force": true, "skip_sealed": false, "queue": false, "snapshot_id": "nightly" }),
            ),
        )
}

fn made(operation: Operation, message: &'static str) -> Operation {
    operation
        .of(ID, "nightly")
        .query(
            "execution_id",
            json!({ "type": "string", "format": "uuid" }),
            "The execution that made it; the latest where it is absent.",
        )
        .fails(
            ErrorCode::BadParameters,
            "A parameter that can't be read.",
            "`nightly` is no id of an execution",
        )
        .fails(ErrorCode::NotFound, "None was made in the last hour, or there is no such snapshot.", message)
}

const NO_PLAN: &str = "there is no plan of a restore of snapshot `nightly` any more, or not yet: make one with `POST /snapshots/nightly/plan`, and read it within an hour";
const NO_DIFF: &str = "there is no such comparison of snapshot `nightly` any more, or not yet: make one with `POST /snapshots/nightly/diff`, and read it within an hour";

fn get_plan() -> Operation {
    made(call(Get, "/snapshots/{id}/plan", "Get the plan of a restore."), NO_PLAN)
        .about("`kinds` has, by kind, how many entities there are before and after, what changes, and the first of each.")
        .needs(PLAN)
        .answers(200, "The plan.", plan_schema(), plan_example())
}

fn plan_changes() -> Operation {
    let list = call(Get, "/snapshots/{id}/plan/changes", "List what a restore would change.");
    changes(made(list, NO_PLAN)).needs(PLAN)
}

fn plan_fields() -> Operation {
    let one = call(Get, "/snapshots/{id}/plan/fields", "Get what a restore would change in one entity.");
    fields(made(one, NO_PLAN)).needs(DIFF)
}

fn diff() -> Operation {
    call(Post, "/snapshots/{id}/diff", "Compare a snapshot.")
        .about(
            "With the live state, or with another snapshot of the tenant. Records an execution `diff_snapshot` and \
             returns at once. What one of the two does not carry is not compared and named in `not_compared`. As it \
             shows what archives hold, it takes the right to download and is audited.",
        )
        .needs(DIFF)
        .of(ID, "nightly")
        .query(
            "with",
            json!({ "type": "string" }),
            "The other snapshot, where the body names none; the live state where neither does.",
        )
        .takes(
            vec![text("with", "The other snapshot; the live state where it is absent.")],
            json!({ "with": "weekly" }),
        )
        .finds(NOT_FOUND)
        .fails(ErrorCode::SnapshotAction, "It has no archive.", "Failed snapshot cannot be compared")
        .fails(
            ErrorCode::ExistingRunningExecution,
            "A restore or rollback is active.",
            "Cannot start execution because there are other executions running e.g.: \
             019ca6b1-6959-71a1-9ad5-b47f52560783",
        )
        .answers(
            201,
            "The execution that compares.",
            reference("Execution"),
            execution("diff_snapshot", &json!({ "with": "weekly", "snapshot_id": "nightly" })),
        )
}

fn compared(operation: Operation) -> Operation {
    made(operation, NO_DIFF)
        .query("with", json!({ "type": "string" }), "The other snapshot; the live state where it is absent.")
        .needs(DIFF)
}

fn get_diff() -> Operation {
    compared(call(Get, "/snapshots/{id}/diff", "Get what differs."))
        .about("`added` is what only the other state has, `removed` what only the snapshot has.")
        .answers(200, "What differs, by kind.", diff_schema(), diff_example())
}

fn diff_changes() -> Operation {
    changes(compared(call(Get, "/snapshots/{id}/diff/changes", "List what differs.")))
}

fn diff_fields() -> Operation {
    fields(compared(call(Get, "/snapshots/{id}/diff/fields", "Get what differs in one entity.")))
}

fn changes(operation: Operation) -> Operation {
    operation
        .about("In the order of kinds; of each the added, the removed, the changed, by tenant and id.")
        .query("kind", json!({ "type": "string" }), "Keeps those of this kind.")
        .query(
            "change",
            json!({ "enum": ["added", "removed", "changed"] }),
            "Keeps those that are this.",
        )
        .in_slices()
        .answers(
            200,
            "A page of the list.",
            json!({
                "type": "object",
                "properties": {
                    "items": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "kind": { "type": "string" },
                                "tenant": { "type": "string" },
                                "id": { "type": "string" },
                                "change": { "enum": ["added", "removed", "changed"] },
                            },
                            "required": ["kind", "tenant", "id", "change"],
                            "additionalProperties": false,
                        },
                    },
                    "metadata": reference("ListMetadata"),
                },
                "required": ["items", "metadata"],
                "additionalProperties": false,
            }),
            json!({
                "items": [{ "kind": "blueprints", "tenant": "default_tenant", "id": "lighthouse", "change": "added" }],
                "metadata": { "pagination": { "total": 1, "size": 1000, "offset": 0 }, "filtered": null },
            }),
        )
}

fn fields(operation: Operation) -> Operation {
    operation
        .about(
            "Each differing value by its JSON pointer, as it was and as it becomes. Secrets and private keys are told \
             as different and never shown. It shows what archives hold, so it takes the right to download and is \
             audited.",
        )
        .query("kind", json!({ "type": "string" }), "The entity's kind. Needed.")
        .query("tenant", json!({ "type": "string" }), "Its tenant. Needed.")
        .query("entity_id", json!({ "type": "string" }), "Its id, as the list has it. Needed.")
        .answers(
            200,
            "What differs.",
            json!({
                "type": "object",
                "properties": {
                    "kind": { "type": "string" },
                    "tenant": { "type": "string" },
                    "id": { "type": "string" },
                    "fields": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": { "pointer": { "type": "string" }, "before": {}, "after": {} },
                            "required": ["pointer"],
                            "additionalProperties": false,
                        },
                    },
                },
                "required": ["kind", "tenant", "id", "fields"],
                "additionalProperties": false,
            }),
            json!({
                "kind": "flows", "tenant": "default_tenant", "id": "6a0c5e1f9d3b7c0012ab34cd",
                "fields": [{ "pointer": "/name", "before": "Orders", "after": "Orders (old)" }],
            }),
        )
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn kinds_schema() -> Value {
    let named = json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": { "tenant": { "type": "string" }, "id": { "type": "string" } },
            "required": ["tenant", "id"],
        },
    });
    json!({
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {
                "before": count(), "after": count(), "added": count(), "removed": count(), "changed": count(),
                "first": {
                    "type": "object",
                    "properties": { "added": named, "removed": named, "changed": named },
                },
            },
            "required": ["before", "after", "added", "removed", "changed", "first"],
        },
    })
}

fn totals_schema() -> Value {
    json!({
        "type": "object",
        "properties": { "added": count(), "removed": count(), "changed": count() },
        "required": ["added", "removed", "changed"],
    })
}

fn plan_schema() -> Value {
    json!({
        "type": "object",
        "description": "What is not known of an archive that can't be restored at all is absent.",
        "properties": {
            "snapshot_id": { "type": "string" },
            "execution_id": { "type": "string", "format": "uuid" },
            "made_at": { "type": "string", "format": "date-time" },
            "can_be_restored": { "type": "boolean" },
            "refusals": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": { "rule": { "type": "string" }, "message": { "type": "string" } },
                    "required": ["rule", "message"],
                },
            },
            "archive": { "type": ["object", "null"] },
            "totals": totals_schema(),
            "kinds": kinds_schema(),
            "force": { "type": "object" },
            "selected": {
                "type": "object",
                "description": "Of the plan of a selective restore: what its report will say of itself.",
            },
            "sealed": {
                "type": "object",
                "description": "With `skip_sealed`: what does not come or comes without something that is sealed, by \
                                kind, tenant and id in `lost`; of the kinds in `unnamed` the names are sealed, too.",
            },
            "accounts": { "type": "object" },
            "executions": { "type": "object" },
            "stays": { "type": "array", "items": { "type": "object" } },
            "space": { "type": "array", "items": { "type": "object" } },
            "duration": { "type": "object" },
        },
        "required": ["snapshot_id", "execution_id", "made_at", "can_be_restored", "refusals", "archive"],
    })
}

fn kinds_example() -> Value {
    json!({
        "blueprints": {
            "before": 1, "after": 2, "added": 1, "removed": 0, "changed": 0,
            "first": { "added": [{ "tenant": "default_tenant", "id": "lighthouse" }], "removed": [], "changed": [] },
        },
    })
}

fn plan_example() -> Value {
    json!({
        "archive": {
            "format": { "kind": "lifeboat1" }, "snapshot_version": "7.0.5", "manager": "lifeboat",
            "size_bytes": 16138, "is_signed_here": true, "sealed_parts": 1, "can_be_opened": true,
        },
        "totals": { "added": 1, "removed": 0, "changed": 0 },
        "kinds": kinds_example(),
        "force": { "is_asked": true, "is_needed": true, "holds": ["1 blueprints"] },
        "executions": { "conflicts": [], "waited_for": [] },
        "space": [{ "places": ["manager", "tmp"], "needed_bytes": 75213, "free_bytes": 48318382080_u64, "is_enough": true }],
        "accounts": { "added": ["anna"], "kept": ["admin"], "sleeping": [] },
        "stays": [{ "source": "metrics", "reason": "the archive holds no measurements: those of the manager stay as they are" }],
        "duration": { "seconds": 1.2, "from": "3 restores", "measured_bytes": 48414, "measured_seconds": 3.6 },
        "refusals": [],
        "snapshot_id": "nightly",
        "execution_id": EXECUTION,
        "made_at": "2026-03-01T02:10:00.000Z",
        "can_be_restored": true,
    })
}

fn diff_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "snapshot_id": { "type": "string" },
            "with": { "type": ["string", "null"], "description": "The other snapshot; null for the live state." },
            "execution_id": { "type": "string", "format": "uuid" },
            "made_at": { "type": "string", "format": "date-time" },
            "totals": totals_schema(),
            "kinds": kinds_schema(),
            "not_compared": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "kinds": { "type": "array", "items": { "type": "string" } },
                        "reason": { "type": "string" },
                    },
                    "required": ["kinds", "reason"],
                },
            },
        },
        "required": ["snapshot_id", "with", "execution_id", "made_at", "totals", "kinds", "not_compared"],
    })
}

fn diff_example() -> Value {
    json!({
        "totals": { "added": 1, "removed": 0, "changed": 0 },
        "kinds": kinds_example(),
        "not_compared": [{ "kinds": ["metrics", "series", "annotations"], "reason": "an archive holds no measurements" }],
        "snapshot_id": "nightly",
        "with": "weekly",
        "execution_id": EXECUTION,
        "made_at": "2026-03-01T02:10:00.000Z",
    })
}
