//! The calls written down as OpenAPI 3.1 has it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::access::AccessError;
use crate::api::cloudify::VERSIONS;
use crate::api::face::Face;
use crate::api::{ApiError, ErrorCode};
use crate::flows::FlowError;
use crate::maintenance::Mode;
use crate::model::{Permission, TenantName, TenantRole, UserName};

use super::operation::{
    Answer, Base, Body, Failure, Form, Method, Need, Operation, Parameter, Style, bracketed, object_schema,
    reference,
};
use super::operations::groups;
use super::schemas::schemas;

const ABOUT: &str = "Lifeboat keeps the state of a manager: it takes snapshots of it, restores them, and moves them to \
another manager. Cloudify's clients work with it as they are, and so do elastic.io's components, clients of its flows, \
and clients of Librato's metrics and charts.\n\nAll versions of Cloudify's API behave as 7.0.5. Every \
call works in the tenant that the header `Tenant` names, `default_tenant` without it. Bodies are JSON whatever their \
`Content-Type` says. Times are UTC with milliseconds.\n\nAn error is JSON with `message`, `error_code` and \
`server_traceback`; an unknown path gives 404 `not_found_error`, a method that a path has not 405 \
`method_not_allowed_error`, a fault of the service 500 `internal_server_error`.\n\nThe paths below `/v2` are \
elastic.io's API of flows: documents of JSON:API, sent and answered as `application/json`. They work in the workspace of the \
flow that they name; a workspace is a tenant, and the header `Tenant` changes nothing. Their errors are \
`{\"errors\":[{\"status\":…,\"title\":…,\"code\":…,\"detail\":…}]}`, with the place of the fault in `source` where there is one. \
The few paths below `/v1/tasks` are its first API, and answer errors as `{\"error\":…,\"code\":…}`. Ids of steps are any text, \
percent-encoded in paths. The value of a step's snapshot is kept and answered as the text that was sent.\n\nThe other paths \
below `/v1` are Librato's API of metrics, annotations, spaces with their charts, and chart snapshots, whose pictures are below \
`/images`. They work in the tenant that the header `Tenant` names. Their bodies are JSON, or forms with brackets in their names \
(`subject[chart][id]=1`); numbers and flags may be written as texts. Times are answered in seconds since 1970, those of chart \
snapshots as `2026-03-01T02:00:00Z`. An error is `{\"errors\":{\"params\":{\"name\":[\"is not present\"]}}}` where a parameter \
can't be used, else `{\"errors\":{\"request\":[\"…\"]}}`.\n\nPaths below `/v1`, `/v2` and `/images` may end in a slash.";

/// The whole document.
pub(super) fn document() -> Value {
    let groups = groups();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    // The order of the groups is that of the reader; within the paths' object it does not matter.
    for operation in groups.iter().flat_map(|group| &group.operations) {
        let item = paths.entry(operation.path).or_default();
        if operation.base == Base::Root {
            item.insert("servers".to_owned(), json!([{ "url": "/" }]));
        }
        item.insert(operation.method.as_str().to_owned(), written(operation));
    }
    let tags: Vec<Value> =
        groups.iter().map(|group| json!({ "name": group.tag, "description": group.about })).collect();
    let newest = VERSIONS[VERSIONS.len() - 1];
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Lifeboat",
            "summary": "Snapshots of a manager's state: taken, kept, checked, restored.",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{
            "url": "/api/{version}",
            "description": "All versions behave alike.",
            "variables": { "version": { "default": newest, "enum": VERSIONS } },
        }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "parameters": {
                "Tenant": {
                    "name": "Tenant",
                    "in": "header",
                    "description": "The tenant in which the call works.",
                    "schema": { "type": "string", "default": "default_tenant" },
                },
            },
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "A user's name and password; a token may stand in the password's place.",
                },
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authentication-Token",
                    "description": "A token, from `POST /tokens`.",
                },
                "bearer": { "type": "http", "scheme": "bearer", "description": "A token." },
            },
        },
        "security": [{ "basic": [] }, { "token": [] }, { "bearer": [] }],
    })
}

fn written(operation: &Operation) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("tags", json!([operation.tag]));
    put("operationId", json!(id(operation)));
    put("summary", json!(operation.summary));
    let about = about(operation);
    if !about.is_empty() {
        put("description", json!(about));
    }
    if let Need::Permission(permission) = operation.need {
        put("x-permission", json!(permission.name));
        put("x-least-tenant-role", json!(permission.least().map(|role| role.as_str())));
        put("x-is-everyones", json!(permission.is_everyones()));
    }
    put("x-maintenance", json!(operation.maintenance().as_str()));
    if matches!(operation.need, Need::Nothing) {
        put("security", json!([]));
    }
    let parameters = parameters(operation);
    if !parameters.is_empty() {
        put("parameters", Value::Array(parameters));
    }
    if let Some(body) = &operation.body {
        put("requestBody", request_body(body));
    }
    put("responses", Value::Object(responses(operation)));
    Value::Object(object)
}

/// A name of the call that is its own: the method and the words of the path.
fn id(operation: &Operation) -> String {
    let words = operation.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let path: Vec<&str> = words.collect();
    let path = if path.is_empty() { "root".to_owned() } else { path.join("_") };
    format!("{}_{path}", operation.method.as_str())
}

fn about(operation: &Operation) -> String {
    let need = match operation.need {
        Need::Permission(permission) => match permission.least() {
            None if permission.is_everyones() => {
                format!(
                    "Needs the permission `{}`, which every user has where nobody changed it.",
                    permission.name
                )
            }
            None => format!("Needs the permission `{}`: role sys_admin.", permission.name),
            Some(role) => {
                let place = match operation.face() {
                    Face::Cloudify | Face::Charts => "tenant",
                    Face::Flows | Face::Tasks => "workspace",
                };
                let (name, role) = (permission.name, role.as_str());
                format!("Needs the permission `{name}`: role {role} in the {place}, or a stronger one.")
            }
        },
        Need::Login | Need::Nothing => String::new(),
    };
    [operation.about, &need].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let mut parameters = Vec::new();
    let names = operation.path.split(['{', '}']).skip(1).step_by(2);
    for (name, (about, example)) in names.zip(&operation.path_parts) {
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": about,
            "schema": { "type": "string" }, "example": example,
        }));
    }
    parameters.extend(operation.parameters.iter().map(parameter));
    if operation.is_in_tenant {
        parameters.push(json!({ "$ref": "#/components/parameters/Tenant" }));
    }
    if let Answer::File { can_be_partial: true, is_hashed, .. } = operation.answer {
        let header = |name: &str, about: &str| json!({ "name": name, "in": "header", "description": about, "schema": { "type": "string" } });
        parameters.push(header("Range", "One range of bytes, e.g. `bytes=1048576-`."));
        if is_hashed {
            parameters
                .push(header("If-Range", "The `ETag` that the range is of; of another file all is sent."));
            parameters
                .push(header("If-None-Match", "The `ETag` that the caller has; the same file is a 304."));
        }
    }
    parameters
}

fn parameter(parameter: &Parameter) -> Value {
    let mut object = json!({
        "name": parameter.name, "in": "query", "description": parameter.about, "schema": parameter.schema,
    });
    if let Some(style) = parameter.style {
        object["style"] = json!(if style == Style::Brackets { "deepObject" } else { "form" });
        object["explode"] = json!(style != Style::Commas);
    }
    object
}

fn request_body(body: &Body) -> Value {
    match body {
        Body::Json { fields, example } => {
            let is_required = fields.iter().any(|field| field.is_required);
            json!({
                "required": is_required,
                "content": { "application/json": { "schema": object_schema(fields), "example": example } },
            })
        }
        Body::Fields { fields, example } => {
            let form = json!({
                "type": "object",
                "description": "The same, with nested names in brackets; values are texts.",
                "additionalProperties": { "type": "string" },
            });
            json!({
                "required": fields.iter().any(|field| field.is_required),
                "content": {
                    "application/json": { "schema": object_schema(fields), "example": example },
                    "application/x-www-form-urlencoded": { "schema": form, "example": bracketed(example) },
                },
            })
        }
        Body::Document { schema, is_required, example } => json!({
            "required": is_required,
            "content": { "application/json": { "schema": schema, "example": example } },
        }),
        Body::File { about, form } => {
            let mut content = Map::new();
            content.insert("application/octet-stream".to_owned(), json!({ "schema": {} }));
            let form = form.as_ref().map(form_schema).unwrap_or_else(|| {
                json!({ "type": "object", "properties": { "file": { "contentMediaType": "application/octet-stream" } } })
            });
            content.insert("multipart/form-data".to_owned(), json!({ "schema": form }));
            json!({ "description": about, "content": content })
        }
    }
}

fn form_schema(form: &Form) -> Value {
    let mut properties = Map::new();
    properties.insert(form.file.to_owned(), json!({ "contentMediaType": "application/octet-stream" }));
    let parameters = object_schema(&form.parameters);
    properties.insert("params".to_owned(), parameters);
    json!({ "type": "object", "properties": properties, "required": [form.file] })
}

fn responses(operation: &Operation) -> Map<String, Value> {
    let mut responses = Map::new();
    let success = operation.status.to_string();
    match &operation.answer {
        Answer::Json { schema, example } => {
            let content = json!({ "application/json": { "schema": schema, "example": example } });
            responses.insert(success, json!({ "description": operation.outcome, "content": content }));
        }
        Answer::File { media_types, can_be_partial, is_hashed } => {
            let content: Map<String, Value> =
                media_types.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": {} }))).collect();
            let headers = file_headers(*can_be_partial, *is_hashed);
            responses.insert(
                success,
                json!({ "description": operation.outcome, "headers": headers, "content": content }),
            );
            if *can_be_partial {
                let part = json!({ "description": "The range that was asked for.", "content": content });
                responses.insert("206".to_owned(), part);
            }
            if *is_hashed {
                responses.insert("304".to_owned(), json!({ "description": "The caller has it already." }));
            }
        }
        Answer::Headers => {
            let headers = file_headers(true, true);
            responses.insert(success, json!({ "description": operation.outcome, "headers": headers }));
        }
        Answer::Redirect(to) => {
            let location = json!({ "schema": { "const": to } });
            responses.insert(
                success,
                json!({ "description": operation.outcome, "headers": { "Location": location } }),
            );
        }
        Answer::Empty => {
            responses.insert(success, json!({ "description": operation.outcome }));
        }
        Answer::Never => {}
    }
    if operation.is_located {
        let location = json!({ "description": "Where it is: its path.", "schema": { "type": "string" } });
        responses[&operation.status.to_string()]["headers"] = json!({ "Location": location });
    }
    if let Some((status, outcome)) = operation.other {
        responses.insert(status.to_string(), json!({ "description": outcome }));
    }
    let mut by_status: BTreeMap<u16, Vec<Failure>> = BTreeMap::new();
    for failure in operation.failures.iter().cloned().chain(implied(operation)) {
        by_status.entry(failure.code.status().as_u16()).or_default().push(failure);
    }
    for (status, failures) in by_status {
        responses.insert(status.to_string(), failed(operation, &failures));
    }
    responses
}

fn file_headers(can_be_partial: bool, is_hashed: bool) -> Value {
    let text = |about: &str| json!({ "description": about, "schema": { "type": "string" } });
    let length = json!({ "description": "The length in bytes.", "schema": { "type": "integer" } });
    let mut headers = json!({ "Content-Length": length });
    if can_be_partial {
        headers["Content-Disposition"] = text("The name for the caller's copy.");
        headers["Accept-Ranges"] = text("`bytes`.");
    }
    if is_hashed {
        headers["ETag"] = text("The archive's SHA-256 in quotes.");
        headers["Repr-Digest"] = text(
            "The same as RFC 9530 has it: `sha-256=:…:`, in base64. Of the whole file, also with a part of it.",
        );
    }
    headers
}

/// What a call with a login can answer beside its own failures.
fn implied(operation: &Operation) -> Vec<Failure> {
    let failure = |code: ErrorCode, when: &'static str, message: &'static str| Failure {
        code,
        when,
        message: message.into(),
        pointer: None,
    };
    let mut failures = Vec::new();
    if !matches!(operation.need, Need::Nothing) {
        failures.push(failure(
            ErrorCode::Unauthorized,
            "No login, a wrong one, or a token that has expired.",
            "User unauthorized: No authentication info provided",
        ));
        failures.push(failure(
            ErrorCode::Forbidden,
            "There is no tenant of the name in the header `Tenant`.",
            "Authorization failed: Tried to authenticate with invalid tenant name: nowhere",
        ));
    }
    if let Need::Permission(permission) = operation.need {
        failures.extend(match operation.face() {
            Face::Cloudify => Some(failure(
                ErrorCode::Forbidden,
                "The caller lacks the permission.",
                "User `grace` is not permitted to perform the action that was asked for in the tenant \
                 `default_tenant`",
            )),
            Face::Charts => Some(refused(permission)),
            Face::Flows | Face::Tasks => lacking(permission),
        });
    }
    if !matches!(operation.method, Method::Get | Method::Head) {
        failures.push(failure(
            ErrorCode::InsufficientStorage,
            "The disk of the service is full. Snapshots can be deleted all the same.",
            "there is no space left on the disk of the service: free some (delete snapshots), then repeat the call",
        ));
    }
    if operation.maintenance().refuses(Mode::Activated) {
        failures.push(failure(
            ErrorCode::MaintenanceModeActive,
            "The manager is in maintenance.",
            "Your request was rejected since Cloudify manager is currently in maintenance mode",
        ));
    }
    if operation.maintenance().refuses(Mode::Activating) {
        failures.push(failure(
            ErrorCode::EnteringMaintenanceMode,
            "Maintenance was asked for, and something still runs.",
            "Your request was rejected since Cloudify manager is currently entering maintenance mode",
        ));
    }
    failures
}

/// What anyone gets who lacks this permission in the tenant of the request; who is no member of it lacks every one.
fn refused(permission: Permission) -> Failure {
    let error = AccessError::Forbidden {
        user: UserName::trusted("grace"),
        action: permission.name,
        tenant: TenantName::trusted(TenantName::DEFAULT),
    };
    Failure {
        code: ErrorCode::Forbidden,
        when: "The caller lacks the permission.",
        message: error.to_string().into(),
        pointer: None,
    }
}

/// What a member of a workspace gets who lacks this permission in it; none where every member has it.
fn lacking(permission: Permission) -> Option<Failure> {
    let least = permission.least().filter(|role| *role > TenantRole::Viewer)?;
    let error = FlowError::Forbidden {
        user: "grace".to_owned(),
        permission: permission.name,
        workspace: "default_tenant".to_owned(),
        least: least.as_str(),
    };
    Some(Failure {
        code: ErrorCode::Forbidden,
        when: "The caller's role in the workspace is too weak.",
        message: error.to_string().into(),
        pointer: None,
    })
}

fn failed(operation: &Operation, failures: &[Failure]) -> Value {
    let face = operation.face();
    let mut examples = Map::new();
    let mut codes: Vec<String> = Vec::new();
    for failure in failures {
        let code = face.code(failure.code);
        codes.push(code.clone());
        let count = codes.iter().filter(|other| **other == code).count();
        let name = if count == 1 { code } else { format!("{code}_{count}") };
        let error = ApiError::new(failure.code, &*failure.message).at(failure.pointer.clone());
        let value = face.body(&error, failure.code.status());
        examples.insert(name, json!({ "summary": failure.when, "value": value }));
    }
    codes.sort_unstable();
    codes.dedup();
    let when = |failure: &Failure| match face {
        // Its errors carry no code.
        Face::Charts => failure.when.to_owned(),
        Face::Cloudify | Face::Flows | Face::Tasks => {
            format!("`{}`: {}", face.code(failure.code), failure.when)
        }
    };
    let whens: Vec<String> = failures.iter().map(when).collect();
    let mut response = json!({ "description": whens.join("\n\n") });
    // An answer to `HEAD` has no body.
    if operation.method != Method::Head {
        let schema = error_schema(face, &codes);
        response["content"] = json!({ "application/json": { "schema": schema, "examples": examples } });
    }
    if failures.iter().any(|failure| failure.code == ErrorCode::Unauthorized) {
        response["headers"] = json!({ "WWW-Authenticate": { "schema": { "type": "string" } } });
    }
    response
}

/// The schema of an error of a face that has one of these codes.
fn error_schema(face: Face, codes: &[String]) -> Value {
    let (noun, properties) = match face {
        Face::Cloudify => ("Error", json!({ "error_code": { "enum": codes } })),
        Face::Flows => {
            let item = json!({ "properties": { "code": { "enum": codes } } });
            ("JsonApiErrors", json!({ "errors": { "items": item } }))
        }
        Face::Tasks => ("TaskError", json!({ "code": { "enum": codes } })),
        // It carries no code: the status and the text say it.
        Face::Charts => return reference("ChartErrors"),
    };
    json!({ "allOf": [reference(noun)], "properties": properties })
}
