//! What the clients ask of the manager itself.

use serde_json::{Value, json};

use crate::api::ErrorCode;

use super::super::operation::Method::Get;
use super::super::operation::{Operation, call, reference};
use super::Group;

pub(super) fn group() -> Group {
    Group {
        tag: "Manager",
        about: "What clients ask before they work: version, status, the machines of the manager. Lifeboat is one process: \
                one manager, which is its own broker and database.",
        operations: vec![
            version("/version"),
            version("/api/version").at_root(),
            status("/status"),
            status("/cluster-status"),
            ok("/ok"),
            ok("/license-check"),
            managers(),
            brokers(),
            db_nodes(),
            config(),
            provider_context(),
            licenses(),
        ],
    }
}

fn version(path: &'static str) -> Operation {
    let version = env!("CARGO_PKG_VERSION");
    call(Get, path, "Get the version.")
        .about("The version of Cloudify whose API is served, and Lifeboat's own as `lifeboat_version`.")
        .answers(
            200,
            "The version.",
            json!({
                "type": "object",
                "properties": {
                    "edition": { "const": "community" },
                    "version": { "type": "string" },
                    "build": { "type": "null" },
                    "date": { "type": "null" },
                    "commit": { "type": "null" },
                    "distribution": { "type": "null" },
                    "distro_release": { "type": "null" },
                    "lifeboat_version": { "type": "string" },
                },
                "required": ["edition", "version", "lifeboat_version"],
                "additionalProperties": false,
            }),
            json!({
                "edition": "community", "version": "7.0.5", "build": null, "date": null, "commit": null,
                "distribution": null, "distro_release": null, "lifeboat_version": version,
            }),
        )
}

fn status(path: &'static str) -> Operation {
    let part = json!({ "status": "Active", "is_remote": false, "extra_info": {} });
    call(Get, path, "Get the status of the manager's parts.")
        .about("Cloudify's form, with Lifeboat as the one part. For the service itself there is `GET /service/health`.")
        .flag("summary", "Whether the parts are left out.")
        .answers(
            200,
            "The status, also of a manager that does not work.",
            json!({
                "type": "object",
                "properties": {
                    "status": { "enum": ["OK", "Fail"] },
                    "services": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "properties": {
                                "status": { "enum": ["Active", "Inactive"] },
                                "is_remote": { "type": "boolean" },
                                "extra_info": { "type": "object" },
                            },
                            "required": ["status", "is_remote", "extra_info"],
                        },
                    },
                },
                "required": ["status", "services"],
                "additionalProperties": false,
            }),
            json!({ "status": "OK", "services": { "Lifeboat": part } }),
        )
}

fn ok(path: &'static str) -> Operation {
    call(Get, path, "Tell whether the manager works, without login.")
        .about("Where it does not, the answer is 500 with the text `\"FAIL\"` instead of an error.")
        .needs_no_login()
        .answers(200, "It works.", json!({ "const": "OK" }), json!("OK"))
}

/// A list of few objects, which is never paged.
fn few(path: &'static str, summary: &'static str, items: Value) -> Operation {
    let total = items.as_array().map_or(0, Vec::len);
    call(Get, path, summary)
        .about("In Cloudify's form, for clients that ask for it. It is never paged.")
        .answers(
            200,
            "The list, whole.",
            json!({
                "type": "object",
                "properties": {
                    "items": { "type": "array", "items": { "type": "object" }, "maxItems": total },
                    "metadata": reference("ListMetadata"),
                },
                "required": ["items", "metadata"],
                "additionalProperties": false,
            }),
            json!({
                "items": items,
                "metadata": { "pagination": { "total": total, "size": 1000, "offset": 0 }, "filtered": null },
            }),
        )
}

fn managers() -> Operation {
    let manager = json!({
        "id": 0, "hostname": "lifeboat", "private_ip": "127.0.0.1", "public_ip": "backup.example.org",
        "version": "7.0.5", "edition": "community", "distribution": null, "distro_release": null,
        "fs_sync_node_id": null, "networks": { "default": "127.0.0.1" }, "ca_cert_content": null,
    });
    few("/managers", "List the managers: this one.", json!([manager]))
}

fn brokers() -> Operation {
    let broker = json!({
        "name": "lifeboat", "host": "127.0.0.1", "management_host": "127.0.0.1", "port": null, "params": null,
        "networks": { "default": "127.0.0.1" }, "is_external": false, "ca_cert_content": null,
    });
    few("/brokers", "List the brokers: this manager needs no other.", json!([broker]))
}

fn db_nodes() -> Operation {
    let node = json!({ "name": "lifeboat", "host": "127.0.0.1", "is_external": false });
    few("/db-nodes", "List the database's machines: this one.", json!([node]))
}

fn config() -> Operation {
    few(
        "/config",
        "List the settings that clients go by; none is set, so that they take their own defaults.",
        json!([]),
    )
}

fn licenses() -> Operation {
    few("/license", "List the licenses: the community edition has none.", json!([]))
}

fn provider_context() -> Operation {
    let mut call = call(Get, "/provider/context", "Get the context of a provider: there is none.")
        .about("Clients of Cloudify 3 ask for it before all else, and go on without.")
        .fails(ErrorCode::NotFound, "Always.", "Provider Context not found");
    call.answer = super::super::operation::Answer::Never;
    call
}
