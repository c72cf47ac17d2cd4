//! What the clients ask of the manager itself.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::LOG_BUNDLES;
use crate::api::cloudify::permissions::{
    BROKER_GET, CLUSTER_STATUS_GET, DB_NODES_GET, IDENTITY_PROVIDER_GET, LDAP_STATUS_GET, LICENSE_LIST,
    LOG_BUNDLE_CREATE, LOG_BUNDLE_DELETE, LOG_BUNDLE_DOWNLOAD, LOG_BUNDLE_GET, LOG_BUNDLE_LIST,
    MANAGER_CONFIG_GET, MANAGER_CONFIG_PUT, MANAGER_GET, PROVIDER_CONTEXT_GET, STATUS_GET, VERSION_GET,
};
use crate::model::Permission;

use super::super::operation::Method::{self, Delete, Get, Put};
use super::super::operation::{Answer, Operation, call, reference};
use super::{Group, premium};

pub(super) fn group() -> Group {
    Group {
        tag: "Manager",
        about: "What clients ask before they work: version, status, the machines of the manager. Lifeboat is one process: \
                one manager, which is its own broker and database.",
        operations: [
            version("/version"),
            version("/api/version").at_root(),
            status("/status", "Get the status of the manager's parts.", STATUS_GET),
            status(
                "/cluster-status",
                "Get the status of the cluster's parts, which are those of the manager.",
                CLUSTER_STATUS_GET,
            ),
            ok("/ok"),
            ok("/license-check"),
            managers(),
            brokers(),
            db_nodes(),
            config(),
            setting(Get, "Get a setting that clients go by: there is none.", MANAGER_CONFIG_GET),
            setting(Put, "Change a setting that clients go by: there is none.", MANAGER_CONFIG_PUT),
            provider_context(),
            licenses(),
            word("/idp", "Tell whose identities count: the service's own.", IDENTITY_PROVIDER_GET, "local"),
            word(
                "/ldap",
                "Tell whether a directory server is asked who users are: it is not.",
                LDAP_STATUS_GET,
                "disabled",
            ),
        ]
        .into_iter()
        .chain(premium::operations())
        .chain(log_bundles())
        .collect(),
    }
}

fn version(path: &'static str) -> Operation {
    let version = env!("CARGO_PKG_VERSION");
    call(Get, path, "Get the version.")
        .needs(VERSION_GET)
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

fn status(path: &'static str, summary: &'static str, permission: Permission) -> Operation {
    let part = json!({ "status": "Active", "is_remote": false, "extra_info": {} });
    call(Get, path, summary)
        .about("Cloudify's form, with Lifeboat as the one part. For the service itself there is `GET /service/health`.")
        .needs(permission).flag("summary", "Whether the parts are left out.").answers(
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
fn few(path: &'static str, summary: &'static str, permission: Permission, items: Value) -> Operation {
    let total = items.as_array().map_or(0, Vec::len);
    call(Get, path, summary)
        .about("In Cloudify's form, for clients that ask for it. It is never paged.")
        .needs(permission)
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
    few("/managers", "List the managers: this one.", MANAGER_GET, json!([manager]))
}

fn brokers() -> Operation {
    let broker = json!({
        "name": "lifeboat", "host": "127.0.0.1", "management_host": "127.0.0.1", "port": null, "params": null,
        "networks": { "default": "127.0.0.1" }, "is_external": false, "ca_cert_content": null,
    });
    few("/brokers", "List the brokers: this manager needs no other.", BROKER_GET, json!([broker]))
}

fn db_nodes() -> Operation {
    let node = json!({ "name": "lifeboat", "host": "127.0.0.1", "is_external": false });
    few("/db-nodes", "List the database's machines: this one.", DB_NODES_GET, json!([node]))
}

fn config() -> Operation {
    few(
        "/config",
        "List the settings that clients go by; none is set, so that they take their own defaults.",
        MANAGER_CONFIG_GET,
        json!([]),
    )
}

fn licenses() -> Operation {
    few("/license", "List the licenses: the community edition has none.", LICENSE_LIST, json!([]))
}

fn provider_context() -> Operation {
    never(
        call(Get, "/provider/context", "Get the context of a provider: there is none.")
            .about("Clients of Cloudify 3 ask for it before all else, and go on without.")
            .needs(PROVIDER_CONTEXT_GET),
        ErrorCode::NotFound,
        "Provider Context not found",
    )
}

fn never(call: Operation, code: ErrorCode, message: &'static str) -> Operation {
    let mut call = call.fails(code, "Always.", message);
    call.answer = Answer::Never;
    call
}

fn setting(method: Method, summary: &'static str, permission: Permission) -> Operation {
    never(
        call(method, "/config/{name}", summary)
            .needs(permission)
            .of("The setting's name.", "rest.default_page_size"),
        ErrorCode::NotFound,
        "Requested `Config` with ID `rest.default_page_size` was not found: the settings of a Lifeboat are in its settings \
         file and its environment",
    )
}

fn word(path: &'static str, summary: &'static str, permission: Permission, word: &'static str) -> Operation {
    call(Get, path, summary).needs(permission).answers(200, "It.", json!({ "const": word }), json!(word))
}

fn log_bundles() -> Vec<Operation> {
    let absent = |method, path, summary, permission| {
        never(
            call(method, path, summary).needs(permission).of("The bundle's id.", "logs"),
            ErrorCode::NotFound,
            "Requested `LogBundle` with ID `logs` was not found",
        )
    };
    let list = call(Get, "/log-bundles", "List log bundles: there are none.")
        .needs(LOG_BUNDLE_LIST)
        .lists(&LOG_BUNDLES)
        .answers(
            200,
            "An empty list.",
            json!({
                "type": "object",
                "properties": {
                    "items": { "type": "array", "maxItems": 0 },
                    "metadata": reference("ListMetadata"),
                },
                "required": ["items", "metadata"],
                "additionalProperties": false,
            }),
            json!({
                "items": [],
                "metadata": { "pagination": { "total": 0, "size": 1000, "offset": 0 }, "filtered": null },
            }),
        );
    let create = never(
        call(Put, "/log-bundles/{id}", "Create a log bundle: there is nothing to bundle.")
            .needs(LOG_BUNDLE_CREATE)
            .of("The bundle's id.", "logs"),
        ErrorCode::IllegalAction,
        "Can't create a log bundle: the service keeps no log files; its log goes to its standard error, e.g. to the journal or \
         the container's log",
    );
    vec![
        list,
        create,
        absent(Get, "/log-bundles/{id}", "Get a log bundle: there are none.", LOG_BUNDLE_GET),
        absent(Delete, "/log-bundles/{id}", "Delete a log bundle: there are none.", LOG_BUNDLE_DELETE),
        absent(
            Get,
            "/log-bundles/{id}/archive",
            "Download a log bundle: there are none.",
            LOG_BUNDLE_DOWNLOAD,
        ),
    ]
}
