//! The keys that seal and sign archives.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::model::Permission;

use super::super::examples::execution;
use super::super::operation::Method::{Delete, Get, Post};
use super::super::operation::{Operation, call, field, flag, reference};
use super::Group;

const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
const FINGERPRINT: &str = "5d1f0b2c9be1f4a8d33c5ab1a5f2c6e7";
const SIGNER: &str = "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

pub(super) fn group() -> Group {
    Group {
        tag: "Keys",
        about: "The keys for which parts of archives are sealed, and the one that signs them.",
        operations: vec![list(), rotate(), remove(), reseal()],
    }
}

fn list() -> Operation {
    call(Get, "/service/keys", "List the public keys.")
        .about(
            "For everybody who may log in: they are public. Another manager seals an archive for this one by the first of \
             `recipients` alone (`seal_for` of a create), and no secret has to travel.",
        )
        .at_root()
        .answers(
            200,
            "The public halves of all keys.",
            reference("PublicKeys"),
            json!({
                "recipients": [{ "recipient": RECIPIENT, "fingerprint": FINGERPRINT, "origin": "own" }],
                "recovery": { "recipient": RECIPIENT, "fingerprint": FINGERPRINT },
                "identities": [{
                    "recipient": RECIPIENT, "fingerprint": FINGERPRINT, "origin": "own",
                    "since": "2026-02-20T01:18:46.123Z", "until": null,
                }],
                "signer": signer(),
                "old_signers": [],
            }),
        )
}

fn rotate() -> Operation {
    call(Post, "/service/keys/rotate", "Rotate the keys.")
        .about(
            "Parts are sealed for a new key from now on. The former one stays, and opens what was sealed for it, until it \
             is removed; `POST /service/snapshots/{id}/reseal` seals an archive for the new one. The recovery key stays. \
             Audited.",
        )
        .at_root()
        .needs(Permission::system("key_rotate"))
        .takes(
            vec![flag(
                "signer",
                false,
                "Whether archives are signed by a new key too. What the former one signed still counts as own.",
            )],
            json!({ "signer": true }),
        )
        .answers(
            200,
            "The keys are rotated.",
            json!({
                "type": "object",
                "properties": {
                    "recipient": recipient(),
                    "fingerprint": fingerprint(),
                    "retired": { "type": "string", "description": "The fingerprint of the former key." },
                    "signer": {
                        "anyOf": [reference("PublicSigner"), { "type": "null" }],
                        "description": "The new signing key, where one was asked for.",
                    },
                },
                "required": ["recipient", "fingerprint", "retired", "signer"],
                "additionalProperties": false,
            }),
            json!({
                "recipient": RECIPIENT, "fingerprint": FINGERPRINT, "retired": "0c3f94ba5a1f6f0a2f7be0d62f2b8b11",
                "signer": signer(),
            }),
        )
}

fn remove() -> Operation {
    call(Delete, "/service/keys/{fingerprint}", "Remove an old key.")
        .about(
            "An identity that a rotation retired, or a signing key: what it signed counts as a stranger's then. An \
             identity is kept while archives are sealed for it and for no other key that is here (the recovery key is \
             elsewhere), unless `force` says otherwise. There is no way back. Audited.",
        )
        .at_root()
        .needs(Permission::system("key_remove"))
        .of("The key's fingerprint.", FINGERPRINT)
        .flag("force", "Whether it goes even if archives stay shut.")
        .finds("there is no key with the fingerprint `5d1f0b2c9be1f4a8d33c5ab1a5f2c6e7` here")
        .fails(
            ErrorCode::Conflict,
            "It is in use, or a file that the settings name holds it.",
            "the key `5d1f0b2c9be1f4a8d33c5ab1a5f2c6e7` is in use: rotate first, then remove it",
        )
        .fails(
            ErrorCode::Conflict,
            "Archives would stay shut, and `force` was not asked for.",
            "no other key here opens the sealed parts of `default_tenant/nightly`: reseal them first, or remove the key \
             with `force`",
        )
        .answers(
            200,
            "It is gone.",
            json!({
                "type": "object",
                "properties": {
                    "fingerprint": fingerprint(),
                    "kind": { "enum": ["identity", "signer"] },
                    "shut": {
                        "type": "array",
                        "items": { "type": "string" },
                        "description": "Snapshots, as `<tenant>/<id>`, whose sealed parts no key here opens now.",
                    },
                },
                "required": ["fingerprint", "kind", "shut"],
                "additionalProperties": false,
            }),
            json!({ "fingerprint": FINGERPRINT, "kind": "identity", "shut": [] }),
        )
}

fn reseal() -> Operation {
    let parameters = json!({ "seal_for": [], "drop": [], "queue": false, "snapshot_id": "nightly" });
    call(Post, "/service/snapshots/{id}/reseal", "Seal a snapshot's archive anew.")
        .about(
            "Records an execution and returns at once. Every sealed part is opened and sealed for the present recipients: \
             the own key, the recovery key, those of the settings and those that the call names; everything else is \
             taken over as the bytes that it is. The new archive is signed anew, says of which it is a copy, and takes the \
             place of the former one when it has been read back; until then nothing changes. Length and hash of the \
             snapshot are those of the new archive. Audited.",
        )
        .at_root()
        .needs(Permission::system("snapshot_reseal"))
        .of("The snapshot's id.", "nightly")
        .takes(
            vec![
                field(
                    "seal_for",
                    json!({ "type": ["array", "null"], "items": { "type": "string" }, "maxItems": 64 }),
                    "Further public keys (`age1…`).",
                ),
                field(
                    "drop",
                    json!({ "type": ["array", "null"], "items": { "type": "string", "pattern": "^[0-9a-f]{32}$" } }),
                    "Fingerprints of keys for which it is not sealed any more. Those that are not among the present \
                     recipients go anyway.",
                ),
                flag("queue", false, "Whether it waits for a restore that is running, instead of being refused."),
            ],
            json!({ "seal_for": [RECIPIENT] }),
        )
        .finds("Requested `Snapshot` with ID `nightly` was not found")
        .fails(
            ErrorCode::BadParameters,
            "A key to seal for or to drop is none, or has to stay.",
            "`drop[0]` can't be used: archives are always sealed for the own key and the recovery key",
        )
        .fails(ErrorCode::SnapshotAction, "It has no archive.", "Failed snapshot cannot be resealed")
        .fails(
            ErrorCode::ExistingRunningExecution,
            "A restore or rollback is active and `queue` was not asked for. No record is left.",
            "Cannot start execution because there are other executions running e.g.: \
             019ca6b1-6959-71a1-9ad5-b47f52560783",
        )
        .answers_one("The execution that seals it.", "Execution", execution("reseal_snapshot", &parameters))
}

/// The schemas that these calls refer to.
pub(in super::super) fn schemas() -> Value {
    let moment = || json!({ "type": ["string", "null"], "format": "date-time" });
    json!({
        "PublicKeys": {
            "type": "object",
            "description": "The public halves of a service's keys.",
            "properties": {
                "recipients": {
                    "type": "array",
                    "description": "For whom parts are sealed beside the recovery key; the service's own first.",
                    "items": object(json!({
                        "recipient": recipient(), "fingerprint": fingerprint(), "origin": { "enum": ["own", "settings"] },
                    })),
                },
                "recovery": object(json!({ "recipient": recipient(), "fingerprint": fingerprint() })),
                "identities": {
                    "type": "array",
                    "description": "What the service opens: the key in use first, older ones, those of the settings.",
                    "items": object(json!({
                        "recipient": recipient(), "fingerprint": fingerprint(),
                        "origin": { "enum": ["own", "old", "settings"] },
                        "since": moment(), "until": moment(),
                    })),
                },
                "signer": reference("PublicSigner"),
                "old_signers": {
                    "type": "array",
                    "description": "Keys that signed before; what they signed still counts as own.",
                    "items": object(json!({
                        "public_key": public_key(), "fingerprint": fingerprint(), "until": moment(),
                    })),
                },
            },
            "required": ["recipients", "recovery", "identities", "signer", "old_signers"],
            "additionalProperties": false,
        },
        "PublicSigner": object(json!({
            "public_key": public_key(), "fingerprint": fingerprint(), "since": moment(),
        })),
    })
}

fn object(properties: Value) -> Value {
    let required: Vec<&String> =
        properties.as_object().into_iter().flat_map(|object| object.keys()).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn recipient() -> Value {
    json!({ "type": "string", "pattern": "^age1[0-9a-z]+$", "description": "The public half, as age writes it." })
}

fn public_key() -> Value {
    json!({ "type": "string", "pattern": "^ed25519:[A-Za-z0-9_-]{43}$" })
}

fn fingerprint() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{32}$", "description": "A short name for people to compare." })
}

fn signer() -> Value {
    json!({ "public_key": SIGNER, "fingerprint": FINGERPRINT, "since": "2026-02-20T01:18:46.123Z" })
}
