//! Searches, workflows and summaries.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    BLUEPRINT_LIST, DEPLOYMENT_GET, DEPLOYMENT_LIST, NODE_INSTANCE_LIST, NODE_LIST, SECRET_LIST,
};
use crate::database::Collection;
use crate::manager::{BLUEPRINTS, DEPLOYMENTS, NODE_INSTANCES, NODES, SECRETS, Summarized};
use crate::model::Permission;

use super::super::examples::{blueprint, deployment, node, node_instance, secret};
use super::super::operation::Method::{Get, Post};
use super::super::operation::{Operation, call, object, reference};
use super::super::resource_examples::{rule, whole, workflow};
use super::Group;
use super::filters::{refusing_rules, rules_field};

pub(super) fn group() -> Group {
    Group {
        tag: "Searches and summaries",
        about: "Lists from which rules choose, and how many entities have which values.",
        operations: vec![
            search("/searches/blueprints", "Search blueprints.", BLUEPRINT_LIST, &BLUEPRINTS, blueprint()),
            choosing_deployments(search(
                "/searches/deployments",
                "Search deployments.",
                DEPLOYMENT_LIST,
                &DEPLOYMENTS,
                deployment(),
            )),
            search("/searches/nodes", "Search nodes.", NODE_LIST, &NODES, node()),
            search(
                "/searches/node-instances",
                "Search node instances.",
                NODE_INSTANCE_LIST,
                &NODE_INSTANCES,
                node_instance(),
            ),
            search(
                "/searches/secrets",
                "Search secrets. Their values are not shown.",
                SECRET_LIST,
                &SECRETS,
                secret(),
            ),
            search("/searches/node-types", "Search nodes by their types.", NODE_LIST, &NODES, node()),
            search_capabilities(),
            search_scaling_groups(),
            search_workflows(),
            list_workflows(),
            summarize(),
        ],
    }
}

/// Adds what deployments are chosen by beside rules.
pub(super) fn choosing_deployments(call: Operation) -> Operation {
    let text = || json!({ "type": "string" });
    call.query("_group_id", text(), "The deployment group to which they belong.")
        .query("deployment_group_id", text(), "The same.")
        .query(
            "_search_name",
            text(),
            "Keeps the deployments whose name that people see holds this text, in any case; beside `_search` either is enough.",
        )
        .query(
            "_dependencies_of",
            text(),
            "The deployment that needs them, directly or through others, by inter-deployment dependencies.",
        )
        .fails(
            ErrorCode::NotFound,
            "There is no deployment as `_dependencies_of` names it.",
            "Requested `Deployment` with ID `harbour` was not found",
        )
}

/// Adds the saved filter by which a list can be chosen.
pub(super) fn filtering(call: Operation) -> Operation {
    call.query("_filter_id", json!({ "type": "string" }), "A saved filter whose rules have to hold.").fails(
        ErrorCode::NotFound,
        "There is no such filter, or the caller may not see it.",
        "Requested `DeploymentsFilter` with ID `in-production` was not found",
    )
}

fn choosing(call: Operation) -> Operation {
    let fields = vec![
        rules_field(),
        object(
            "constraints",
            "Constraints of the blueprint language in the place of rules, e.g. `name_pattern`, `valid_values`, `labels`.",
        ),
    ];
    refusing_rules(filtering(call.takes(fields, json!({ "filter_rules": [rule()] })))).fails(
        ErrorCode::BadParameters,
        "Rules beside constraints, or a constraint that there is not.",
        "You should provide either filter_id/filter_rules or DSL constraints, not both",
    )
}

fn search(
    path: &'static str,
    title: &'static str,
    permission: Permission,
    collection: &Collection,
    example: Value,
) -> Operation {
    choosing(call(Post, path, title).needs(permission).lists(collection).of_all_tenants())
        .about("`metadata.filtered` tells how many entities the rules hid.")
        .answers_page(collection.noun, example)
}

fn workflows(call: Operation) -> Operation {
    let schema = json!({
        "type": "object",
        "properties": {
            "items": { "type": "array", "items": { "type": "object" } },
            "metadata": reference("ListMetadata"),
        },
        "required": ["items", "metadata"],
    });
    call.about(
        "Always the whole list, in the order of names; a workflow is available where it is in any of them.",
    )
    .answers(200, "The workflows.", schema, whole(&json!([workflow()])))
}

fn within(call: Operation) -> Operation {
    call.needs(DEPLOYMENT_GET)
        .query("deployment_id", json!({ "type": "string" }), "The deployment; it can stand in the constraints too.")
        .takes(
            vec![object("constraints", "Constraints: `name_pattern`, `valid_values`, `deployment_id`, `blueprint_id`.")],
            json!({ "constraints": { "deployment_id": "harbour", "name_pattern": { "starts_with": "lamp" } } }),
        )
        .fails(
            ErrorCode::BadParameters,
            "Nothing to search in, or a constraint that there is not.",
            "Please provide a valid 'blueprint_id' or 'deployment_id' parameter or have a relevant key in the constraints.",
        )
        .finds("Requested `Deployment` with ID `harbour` was not found")
}

fn items() -> Value {
    json!({
        "type": "object",
        "properties": {
            "items": { "type": "array", "items": { "type": "object" } },
            "metadata": reference("ListMetadata"),
        },
        "required": ["items", "metadata"],
    })
}

fn search_capabilities() -> Operation {
    let call = call(Post, "/searches/capabilities", "Search the capabilities of a deployment.").query(
        "_search",
        json!({ "type": "string" }),
        "The value that is looked for.",
    );
    let found = json!([{
        "deployment_id": "harbour",
        "capabilities": [{ "lamp": { "description": "Where it shines.", "value": "north" } }],
    }]);
    within(call).answers(200, "The deployment with those capabilities, or nothing.", items(), whole(&found))
}

fn search_scaling_groups() -> Operation {
    let call =
        call(Post, "/searches/scaling-groups", "Search the scaling groups of a deployment or a blueprint.")
            .query(
                "blueprint_id",
                json!({ "type": "string" }),
                "The blueprint, where no deployment is named.",
            )
            .query("_search", json!({ "type": "string" }), "The name that is looked for.");
    let found = json!([{
        "deployment_id": "harbour", "name": "lamps", "members": ["lamp"],
        "properties": { "default_instances": 2, "min_instances": 1, "max_instances": -1 },
    }]);
    within(call).answers(200, "The groups.", items(), whole(&found))
}

fn search_workflows() -> Operation {
    let call = call(Post, "/searches/workflows", "Search the workflows of deployments.")
        .needs(DEPLOYMENT_LIST)
        .lists(&DEPLOYMENTS)
        .of_all_tenants();
    workflows(choosing(call))
}

fn list_workflows() -> Operation {
    let call = call(Get, "/workflows", "List the workflows of deployments, each once.")
        .needs(DEPLOYMENT_LIST)
        .lists(&DEPLOYMENTS)
        .of_all_tenants();
    workflows(filtering(call))
}

fn summarize() -> Operation {
    let names = Summarized::ALL.map(Summarized::name);
    let sorted = |of: fn(Summarized) -> &'static [&'static str]| {
        let mut fields: Vec<&str> = Summarized::ALL.into_iter().flat_map(of).copied().collect();
        fields.sort_unstable();
        fields.dedup();
        json!({ "enum": fields })
    };
    let about = format!("What is counted: {}.", names.map(|name| format!("`{name}`")).join(", "));
    let schema = json!({
        "type": "object",
        "description": about,
        "properties": {
            "items": { "type": "array", "items": { "type": "object" } },
            "metadata": reference("ListMetadata"),
        },
        "required": ["items", "metadata"],
    });
    call(Get, "/summary/{kind}", "Count entities by the values of a field.")
        .about(
            "An item for each value of the field, with its count under the name of what is counted; with a second field, \
             under `by <field>` one for each of its values. Every parameter that is named like a field of the list keeps \
             only the entities that have that value; of deployments, `deployment_group_id` those of a group. Who may list \
             the entities may count them.",
        )
        .of("What is counted, e.g. `blueprints` or `node_instances`.", "deployments")
        .query("_target_field", sorted(Summarized::fields), "The field.")
        .query("_sub_field", sorted(Summarized::sub_fields), "A second field, below the first.")
        .in_slices()
        .of_all_tenants()
        .fails(
            ErrorCode::BadParameters,
            "A field by which it can't be counted.",
            "Field colour is not available for summary. Valid fields are: tenant_name, visibility",
        )
        .fails(ErrorCode::NotFound, "It can't be counted.", "`plugins` can't be counted: blueprints")
        .fails(
            ErrorCode::Forbidden,
            "The caller may not list them.",
            "User `ann` is not permitted to perform the action deployment_list in the tenant `default_tenant`",
        )
        .answers(
            200,
            "The counts.",
            schema,
            json!({
                "items": [{
                    "blueprint_id": "lighthouse", "deployments": 2,
                    "by site_name": [
                        { "site_name": null, "deployments": 1 }, { "site_name": "cape", "deployments": 1 },
                    ],
                }],
                "metadata": { "pagination": { "total": 2, "size": 1000, "offset": 0 }, "filtered": null },
            }),
        )
}
