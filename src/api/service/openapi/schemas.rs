//! The schemas that calls refer to. Those of entities are made from the collections that the lists read.

use serde_json::{Map, Value, json};

use crate::access::{GRANTS, TENANTS, TOKENS, USER_GROUPS, USERS};
use crate::database::{Collection, ColumnKind};
use crate::executions::events::EVENTS;
use crate::executions::table::EXECUTIONS;
use crate::manager::filters::{BLUEPRINTS_FILTERS, DEPLOYMENTS_FILTERS};
use crate::manager::{
    AGENTS, BLUEPRINTS, DEPLOYMENT_GROUPS, DEPLOYMENT_MODIFICATIONS, DEPLOYMENT_UPDATES, DEPLOYMENTS,
    EXECUTION_GROUPS, EXECUTION_SCHEDULES, INTER_DEPLOYMENT_DEPENDENCIES, NODE_INSTANCES, NODES, OPERATIONS,
    PLUGINS, PLUGINS_UPDATES, SECRETS, SITES, TASKS_GRAPHS,
};
use crate::records::SNAPSHOTS;

use super::operation::reference;
use super::operations::key_schemas;
use super::{chart_schemas, fields, flow_schemas};

/// The kinds of entities that lists hold.
pub(super) const COLLECTIONS: &[&Collection] = &[
    &SNAPSHOTS,
    &EXECUTIONS,
    &EVENTS,
    &BLUEPRINTS,
    &DEPLOYMENTS,
    &NODES,
    &NODE_INSTANCES,
    &PLUGINS,
    &PLUGINS_UPDATES,
    &SECRETS,
    &AGENTS,
    &INTER_DEPLOYMENT_DEPENDENCIES,
    &EXECUTION_SCHEDULES,
    &DEPLOYMENT_MODIFICATIONS,
    &DEPLOYMENT_UPDATES,
    &DEPLOYMENT_GROUPS,
    &EXECUTION_GROUPS,
    &TASKS_GRAPHS,
    &OPERATIONS,
    &SITES,
    &BLUEPRINTS_FILTERS,
    &DEPLOYMENTS_FILTERS,
    &TENANTS,
    &USERS,
    &USER_GROUPS,
    &GRANTS,
    &TOKENS,
];

/// All schemas by name.
pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas = common();
    for collection in COLLECTIONS {
        let noun = collection.noun;
        schemas.insert(noun.to_owned(), entity(collection));
        let page = json!({
            "type": "object",
            "properties": {
                "items": { "type": "array", "items": reference(noun) },
                "metadata": reference("ListMetadata"),
            },
            "required": ["items", "metadata"],
            "additionalProperties": false,
        });
        schemas.insert(format!("{noun}Page"), page);
    }
    let mut secret = entity(&SECRETS);
    secret["properties"]["value"] = json!({
        "description": "The value: a text, or with a schema any JSON value; an empty text where it is hidden from the caller.",
    });
    secret["required"] = json!(["value"]);
    schemas.insert("SecretWithValue".to_owned(), secret);
    schemas.extend(key_schemas().as_object().cloned().unwrap_or_default());
    schemas.extend(flow_schemas::schemas());
    schemas.extend(chart_schemas::schemas());
    schemas
}

fn entity(collection: &Collection) -> Value {
    let mut properties = Map::new();
    for column in collection.columns {
        let mut schema = match column.kind {
            ColumnKind::Text => json!({ "type": ["string", "null"] }),
            ColumnKind::Integer => json!({ "type": ["integer", "null"] }),
            ColumnKind::Boolean => json!({ "type": ["boolean", "null"] }),
            ColumnKind::Json => fields::json_schema(collection.noun, column.name),
        };
        if let Some(about) = fields::about(collection.noun, column.name) {
            schema["description"] = Value::from(about);
        }
        properties.insert(column.name.to_owned(), schema);
    }
    // No field is required: `_include` chooses.
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn common() -> Map<String, Value> {
    let count = || json!({ "type": "integer", "minimum": 0 });
    let schemas = json!({
        "Error": {
            "type": "object",
            "description": "What every call answers that fails.",
            "properties": {
                "message": { "type": "string", "description": "What is wrong, for people." },
                "error_code": { "type": "string", "description": "What is wrong, for programs." },
                "server_traceback": { "type": "null", "description": "Always null: older clients look for it." },
                "err_filter_rule": { "description": "The rule of a filter that is wrong." },
                "err_reason": { "type": "string", "description": "What is wrong with it." },
            },
            "required": ["message", "error_code", "server_traceback"],
            "additionalProperties": false,
        },
        "FilterRule": {
            "type": "object",
            "description": "What has to hold of a label or an attribute. Labels: `any_of`, `not_any_of` (another value), \
                            `is_not` (another value or none), `is_null`, `is_not_null`. Attributes: `any_of`, \
                            `not_any_of`, `contains`, `not_contains`, `starts_with`, `ends_with`, `is_not_empty`.",
            "properties": {
                "key": { "type": "string", "description": "The label's key or the attribute." },
                "values": { "type": "array", "items": { "type": "string" }, "description": "Values, for operators that take them." },
                "operator": { "type": "string" },
                "type": { "enum": ["label", "attribute"] },
            },
            "required": ["key", "values", "operator", "type"],
        },
        "Flag": {
            "description": "True or false, also as a text in any case.",
            "anyOf": [{ "type": "boolean" }, reference("FlagText")],
        },
        "FlagText": {
            "type": "string",
            "description": "`true` or `false` in any case.",
            "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$",
        },
        "IdList": {
            "type": "object",
            "properties": {
                "items": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": { "id": { "type": "string" } },
                        "required": ["id"],
                        "additionalProperties": false,
                    },
                },
                "metadata": reference("ListMetadata"),
            },
            "required": ["items", "metadata"],
            "additionalProperties": false,
        },
        "Label": {
            "type": "object",
            "properties": {
                "key": { "type": "string" },
                "value": { "type": "string" },
                "created_at": { "type": "string", "format": "date-time" },
                "created_by": { "type": "string" },
            },
            "required": ["key", "value"],
        },
        "ListMetadata": {
            "type": "object",
            "properties": {
                "pagination": {
                    "type": "object",
                    "properties": { "total": count(), "size": count(), "offset": count() },
                    "required": ["total", "size", "offset"],
                    "additionalProperties": false,
                },
                "filtered": {
                    "type": ["integer", "null"],
                    "description": "How many entities the rules of a filter hid; null where none chose.",
                },
            },
            "required": ["pagination", "filtered"],
            "additionalProperties": false,
        },
    });
    schemas.as_object().cloned().unwrap_or_default()
}
