//! Labels and saved filters.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    FILTER_CREATE, FILTER_DELETE, FILTER_GET, FILTER_LIST, FILTER_UPDATE, LABELS_LIST,
};
use crate::manager::filters::DEPLOYMENTS_FILTERS;

use super::super::operation::Method::{Delete, Get, Patch, Put};
use super::super::operation::{Field, Operation, call, field, reference};
use super::super::resource_examples::{filter, rule, whole};
use super::Group;
use super::blueprints::{optional_visibility_field, visibility_fields};

const RESOURCE: &str = "What is filtered: `blueprints` or `deployments`.";
const ID: &str = "The filter's name.";
const NOT_FOUND: &str = "Requested `DeploymentsFilter` with ID `in-production` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Labels and filters",
        about: "What blueprints and deployments are marked with, and rules that choose among them.",
        operations: vec![list_keys(), list_values(), list(), get(), create(), change(), delete()],
    }
}

/// The rules of a filter in a body.
pub(super) fn rules_field() -> Field {
    let items = json!({ "type": ["array", "null"], "items": reference("FilterRule") });
    field("filter_rules", items, "Rules, all of which have to hold.")
}

/// What a wrong rule is answered with.
pub(super) fn refusing_rules(call: Operation) -> Operation {
    call.fails(
        ErrorCode::InvalidFilterRule,
        "A rule can't be used: `err_filter_rule` is the rule, `err_reason` says why.",
        "The filter rule {\"key\":\"environment\"} is not in the right format. At least one of the entries in the filter \
         rule is missing",
    )
}

fn finds_resource(call: Operation) -> Operation {
    call.of(RESOURCE, "deployments").fails(
        ErrorCode::NotFound,
        "Neither blueprints nor deployments are meant.",
        "`plugins` have no labels or filters: blueprints and deployments do",
    )
}

fn words(example: &Value) -> (Value, Value) {
    let schema = json!({
        "type": "object",
        "properties": {
            "items": { "type": "array", "items": { "type": "string" } },
            "metadata": reference("ListMetadata"),
        },
        "required": ["items", "metadata"],
    });
    (schema, whole(example))
}

fn searching_words(call: Operation) -> Operation {
    call.query("_search", json!({ "type": "string" }), "Keeps what holds this text, in any case.")
        .in_slices()
        .of_all_tenants()
}

fn list_keys() -> Operation {
    let (schema, example) = words(&json!(["environment"]));
    let call = call(Get, "/labels/{resource}", "List the keys of labels.")
        .about("With `_reserved` the keys that the system reserves and everybody may use.")
        .needs(LABELS_LIST)
        .flag("_reserved", "Whether the reserved keys are meant.");
    searching_words(finds_resource(call)).answers(200, "The keys, in their order.", schema, example)
}

fn list_values() -> Operation {
    let (schema, example) = words(&json!(["production", "test"]));
    let call = call(Get, "/labels/{resource}/{key}", "List the values that go with a key of labels.")
        .needs(LABELS_LIST);
    let call = finds_resource(call).of("The key.", "environment");
    searching_words(call).answers(200, "The values, in their order.", schema, example)
}

fn list() -> Operation {
    finds_resource(call(Get, "/filters/{resource}", "List filters."))
        .needs(FILTER_LIST)
        .lists(&DEPLOYMENTS_FILTERS)
        .of_all_tenants()
        .answers_page("DeploymentsFilter", filter())
}

fn get() -> Operation {
    finds_resource(call(Get, "/filters/{resource}/{id}", "Get a filter."))
        .needs(FILTER_GET)
        .of(ID, "in-production")
        .includes(&DEPLOYMENTS_FILTERS)
        .finds(NOT_FOUND)
        .answers_one("The filter.", "DeploymentsFilter", filter())
}

fn create() -> Operation {
    let mut fields = vec![rules_field().required()];
    fields.extend(visibility_fields());
    let call = finds_resource(call(Put, "/filters/{resource}/{id}", "Create a filter."))
        .needs(FILTER_CREATE)
        .of(
            "The name of the new filter: 1 to 256 letters, digits and `-._~`, a letter first.",
            "in-production",
        )
        .takes(fields, json!({ "filter_rules": [rule()] }))
        .fails(
            ErrorCode::BadParameters,
            "The name can't be one, or is reserved.",
            "All filters with a `csys-` prefix are reserved for internal use.",
        )
        .fails(
            ErrorCode::Conflict,
            "The name is used.",
            "<DeploymentsFilter id=`in-production` tenant=`default_tenant`> already exists on <Tenant \
             name=`default_tenant`> or with global visibility",
        );
    refusing_rules(call).writes_manager().answers_one("The filter.", "DeploymentsFilter", filter())
}

fn change() -> Operation {
    let call = finds_resource(call(
        Patch,
        "/filters/{resource}/{id}",
        "Change a filter's rules or visibility.",
    ))
    .about(
        "Rules over labels replace rules over labels, those over attributes replace those over attributes.",
    )
    .needs(FILTER_UPDATE)
    .of(ID, "in-production")
    .takes(vec![rules_field(), optional_visibility_field()], json!({ "filter_rules": [rule()] }))
    .finds(NOT_FOUND);
    refusing_system(refusing_rules(call), "update").writes_manager().answers_one(
        "The filter.",
        "DeploymentsFilter",
        filter(),
    )
}

fn delete() -> Operation {
    let call = finds_resource(call(Delete, "/filters/{resource}/{id}", "Delete a filter."))
        .needs(FILTER_DELETE)
        .of(ID, "in-production")
        .finds(NOT_FOUND);
    refusing_system(call, "delete").writes_manager().answers_nothing("It is gone.")
}

fn refusing_system(call: Operation, action: &str) -> Operation {
    call.fails(
        ErrorCode::IllegalAction,
        "It belongs to the system, or nothing is to be changed.",
        format!("Cannot {action} a system filter"),
    )
}
