//! Other people's code sends what the description allows, and what it does not, and judges each answer by it.
//!
//! What is sent is the same every time. That a call which is allowed does what it says is proved elsewhere.

use serde_json::json;

use crate::harness::{ADMIN_PASSWORD, TestServer, schemathesis, workflow_blueprint};
use crate::openapi::DOCUMENT;
use crate::openapi_access::token;

/// What is judged of each answer.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// How long a run may take; one on a machine of its own takes a third of it.
const SECONDS: u32 = 150;

/// Calls that come last, and from another caller: each would make whatever follows it prove nothing. The last one closes
/// the manager even to methods that a path has not, so it is judged alone.
const LAST: [(&str, &str); 7] = [
    ("POST /users/{username}", "takes the caller's role or password"),
    ("POST /users/active/{username}", "shuts the caller out"),
    ("DELETE /users/{username}", "deletes the caller"),
    ("DELETE /tokens/{id}", "deletes the token with which the caller calls"),
    ("DELETE /tenants/{name}", "deletes the tenant in which all is done"),
    (
        "POST /snapshots/{id}/restore",
        "closes the manager for as long as it takes, and changes all of its state",
    ),
    ("POST /maintenance/activate", "closes the manager to all that would change it"),
];

/// A call whose answer goes on until the caller has enough; the clients' tests follow it.
const ENDLESS: (&str, &str) = ("GET /audit/stream", "does not end by itself");

#[test]
fn no_answer_is_other_than_described() {
    let server = TestServer::start();
    let admin = server.api();
    // Most examples of the description are of this blueprint and deployment.
    workflow_blueprint(&admin, "harbour");
    let user = json!({ "username": "fuzzer", "password": "fuzzer-fuzzer-1", "role": "sys_admin" });
    admin.put("users", &user).expect(201);
    let fuzzer = token(&server, "fuzzer", "fuzzer-fuzzer-1");
    let last = token(&server, "admin", ADMIN_PASSWORD);

    let judge = |token: &str, choice: &str, calls: &[(&str, &str)]| {
        let address = admin.url(DOCUMENT);
        let authorization = format!("Authorization: Bearer {token}");
        let mut arguments = vec!["run", &address, "--header", &authorization];
        // Other callers and tenants than those that there are would be refused by every call, which proves little.
        arguments.extend(["--header", "Tenant: default_tenant"]);
        arguments.extend(["--generation-with-security-parameters", "false"]);
        arguments.extend(["--checks", CHECKS, "--phases", "coverage,fuzzing", "--max-examples", "2"]);
        arguments.extend(["--generation-deterministic"]);
        arguments.extend(["--continue-on-failure", "--no-shrink", "--no-color"]);
        arguments.extend(["--workers", "1", "--request-timeout", "30"]);
        arguments.extend(calls.iter().flat_map(|(name, _)| [choice, name]));
        schemathesis(&server.scratch(), SECONDS, &arguments).success();
        assert!(!server.log().contains("panicked"), "a panic cuts the connection of whoever caused it");
    };
    let left_out: Vec<_> = LAST.into_iter().chain([ENDLESS]).collect();
    judge(&fuzzer, "--exclude-name", &left_out);
    let caller = server.api().get("users/fuzzer").expect(200);
    assert_eq!((&caller["role"], &caller["active"]), (&json!("sys_admin"), &json!(true)), "refused halfway");
    let (others, closing) = LAST.split_at(LAST.len() - 1);
    judge(&last, "--include-name", others);
    judge(&last, "--include-name", closing);
}
