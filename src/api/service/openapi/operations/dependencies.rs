//! Inter-deployment dependencies.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{DEPENDENCY_CREATE, DEPENDENCY_DELETE, DEPENDENCY_LIST};
use crate::manager::INTER_DEPLOYMENT_DEPENDENCIES;

use super::super::operation::Method::{Delete, Get, Post, Put};
use super::super::operation::{Field, Operation, call, flag, list, object, reference, text};
use super::Group;

const PATH: &str = "/deployments/inter-deployment-dependencies";
const CIRCLE: &str = "cyclic dependency between deployments harbour and lighthouse";

pub(super) fn group() -> Group {
    Group {
        tag: "Inter-deployment dependencies",
        about: "Which deployment needs which other one: made by blueprints that use capabilities of other deployments or \
                are made of components, and by callers. A deployment that another one needs can't be deleted unless \
                that is forced.",
        operations: vec![list_all(), create(), create_many(), rewrite(), delete(), restore()],
    }
}

fn example() -> Value {
    json!({
        "visibility": "tenant",
        "created_at": "2026-11-01T08:30:12.123Z",
        "id": "3f0c9a5e-6f53-4f0e-8d0f-0f2f9a7c2b11",
        "dependency_creator": "nodes.lamp.properties.address.get_capability",
        "target_deployment_func": null,
        "external_source": null,
        "external_target": null,
        "source_deployment_id": "lighthouse",
        "target_deployment_id": "harbour",
        "tenant_name": "default_tenant",
        "created_by": "admin",
        "resource_availability": "tenant",
        "private_resource": false,
    })
}

fn fields() -> Vec<Field> {
    vec![
        text("dependency_creator", "What makes the one need the other.").required(),
        text("source_deployment", "The deployment that needs the other."),
        text("target_deployment", "The deployment that is needed."),
        object("external_source", "A source on another manager."),
        object("external_target", "A target on another manager."),
    ]
}

fn many() -> Field {
    list(
        "inter_deployment_dependencies",
        "The dependencies, each with the fields of a single one but `source_deployment`.",
    )
    .required()
}

fn fails_by_source(operation: Operation) -> Operation {
    operation
        .fails(
            ErrorCode::NotFound,
            "There is no such source.",
            "Given source deployment with ID `lighthouse` does not exist.",
        )
        .fails(ErrorCode::Conflict, "The target needs the source already.", CIRCLE)
        .writes_manager()
}

fn ids() -> Value {
    json!({
        "items": [{ "id": "3f0c9a5e-6f53-4f0e-8d0f-0f2f9a7c2b11" }],
        "metadata": { "pagination": { "total": 1, "size": 1, "offset": 0 }, "filtered": null },
    })
}

fn list_all() -> Operation {
    call(Get, PATH, "List inter-deployment dependencies.")
        .needs(DEPENDENCY_LIST)
        .lists(&INTER_DEPLOYMENT_DEPENDENCIES)
        .of_all_tenants()
        .answers_page("InterDeploymentDependencies", example())
}

fn create() -> Operation {
    let mut fields = fields();
    fields.extend([
        object("target_deployment_func", "The function that says which deployment is needed."),
        text("id", "The id that it had before."),
        text("visibility", "Who sees it; as the source where absent."),
        text("created_by", "Whose it is; only for sys_admins."),
        text("created_at", "When it was made; only for sys_admins."),
    ]);
    let example_body = json!({
        "dependency_creator": "nodes.lamp.properties.address.get_capability",
        "source_deployment": "lighthouse",
        "target_deployment": "harbour",
    });
    fails_by_source(call(Put, PATH, "Create an inter-deployment dependency."))
        .about("As long as it is there, the target can't be deleted unless that is forced.")
        .needs(DEPENDENCY_CREATE)
        .takes(fields, example_body)
        .answers_one("The dependency.", "InterDeploymentDependencies", example())
}

fn create_many() -> Operation {
    let call =
        call(Post, PATH, "Create several inter-deployment dependencies of one deployment, all or none.");
    let example_body = json!({
        "source_deployment_id": "lighthouse",
        "inter_deployment_dependencies": [
            { "dependency_creator": "outputs.address.value.get_capability", "target_deployment": "harbour" },
        ],
    });
    fails_by_source(call)
        .needs(DEPENDENCY_CREATE)
        .takes(
            vec![text("source_deployment_id", "The deployment that needs the others.").required(), many()],
            example_body,
        )
        .answers(200, "Their ids.", reference("IdList"), ids())
}

fn rewrite() -> Operation {
    let path = "/deployments/{id}/inter-deployment-dependencies";
    let example_body = json!({
        "inter_deployment_dependencies": [
            { "dependency_creator": "outputs.address.value.get_capability", "target_deployment": "harbour" },
        ],
    });
    fails_by_source(call(Put, path, "Rewrite all inter-deployment dependencies of a deployment."))
        .needs(DEPENDENCY_CREATE)
        .of("The deployment that needs the others.", "lighthouse")
        .takes(vec![many()], example_body)
        .answers(200, "Their ids.", reference("IdList"), ids())
}

fn delete() -> Operation {
    let mut fields = fields();
    fields.push(flag("is_component_deletion", false, "Whether the target may be gone already."));
    let example_body = json!({
        "dependency_creator": "nodes.lamp.properties.address.get_capability",
        "source_deployment": "lighthouse",
        "target_deployment": "harbour",
    });
    call(Delete, PATH, "Delete an inter-deployment dependency.")
        .needs(DEPENDENCY_DELETE)
        .takes(fields, example_body)
        .fails(
            ErrorCode::NotFound,
            "There is no such dependency, or no such source.",
            "Given source deployment with ID `lighthouse` does not exist.",
        )
        .writes_manager()
        .answers_nothing("It is gone.")
}

fn restore() -> Operation {
    let title =
        "Make the inter-deployment dependencies of a deployment again that follow from its blueprint.";
    call(Post, "/deployments/inter-deployment-dependencies/restore", title)
        .needs(DEPENDENCY_CREATE)
        .takes(
            vec![
                text("deployment_id", "The deployment.").required(),
                flag("update_service_composition", false, "Has no effect: components are found in any case."),
            ],
            json!({ "deployment_id": "lighthouse" }),
        )
        .finds("Requested `Deployment` with ID `lighthouse` was not found")
        .fails(ErrorCode::Conflict, "A target needs the source already.", CIRCLE)
        .writes_manager()
        .answers(200, "They are there.", json!({ "type": "null" }), Value::Null)
}
