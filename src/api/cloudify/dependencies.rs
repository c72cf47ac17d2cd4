//! `/deployments/inter-deployment-dependencies`.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::{DependencyQuery, NewDependency};

use super::permissions::{DEPENDENCY_CREATE, DEPENDENCY_DELETE, DEPENDENCY_LIST};
use super::provenance::{provenance, visibility_of};

// Registered before `/deployments/{id}`, which would take the name for an id.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/deployments/inter-deployment-dependencies")
                .route(web::get().to(list))
                .route(web::put().to(create))
                .route(web::post().to(create_many))
                .route(web::delete().to(delete)),
        )
        .service(
            web::resource("/deployments/inter-deployment-dependencies/restore")
                .route(web::post().to(restore)),
        )
        .service(
            web::resource("/deployments/{id}/inter-deployment-dependencies").route(web::put().to(rewrite)),
        );
}

/// List inter-deployment dependencies.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPENDENCY_LIST)?;
    let page = service.manager.dependencies(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Create an inter-deployment dependency.
///
/// As long as it is there, the target can't be deleted unless that is forced.
async fn create(auth: Auth, service: web::Data<Service>, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPENDENCY_CREATE)?;
    let new = described(&auth, &body)?;
    let source = match body.optional_text("source_deployment")? {
        Some(source) => source,
        // A source on another manager has no id here.
        None if new.external_source.is_some() => "",
        None => body.text("source_deployment")?,
    };
    Ok(HttpResponse::Ok().json(service.manager.create_dependency(caller, source, new).await?))
}

/// Create several inter-deployment dependencies of one deployment, all or none.
async fn create_many(
    auth: Auth,
    service: web::Data<Service>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPENDENCY_CREATE)?;
    let source = body.text("source_deployment_id")?.to_owned();
    let new = all(&auth, body.list("inter_deployment_dependencies")?)?;
    Ok(HttpResponse::Ok().json(ids(service.manager.create_dependencies(caller, &source, new, false).await?)))
}

/// Rewrite all inter-deployment dependencies of a deployment.
async fn rewrite(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPENDENCY_CREATE)?;
    let new = all(&auth, body.list("inter_deployment_dependencies")?)?;
    Ok(HttpResponse::Ok().json(ids(service.manager.create_dependencies(caller, &id, new, true).await?)))
}

/// Delete an inter-deployment dependency.
async fn delete(auth: Auth, service: web::Data<Service>, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPENDENCY_DELETE)?;
    let external = |name| Ok::<_, ApiError>(body.object(name)?.map(|object| Value::Object(object.clone())));
    let query = DependencyQuery {
        dependency_creator: body.text("dependency_creator")?.to_owned(),
        source_deployment: body.optional_text("source_deployment")?.unwrap_or_default().to_owned(),
        target_deployment: body.optional_text("target_deployment")?.map(str::to_owned),
        is_component_deletion: body.boolean("is_component_deletion", false)?,
        external_source: external("external_source")?,
        external_target: external("external_target")?,
    };
    service.manager.delete_dependency(caller, query).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Make the inter-deployment dependencies of a deployment again that follow from its blueprint.
async fn restore(auth: Auth, service: web::Data<Service>, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPENDENCY_CREATE)?;
    let deployment = body.text("deployment_id")?;
    // Components are found by their nodes in any case.
    body.boolean("update_service_composition", false)?;
    service.manager.restore_dependencies(caller, deployment).await?;
    Ok(HttpResponse::Ok().json(Value::Null))
}

fn all(auth: &Auth, given: Option<Vec<Value>>) -> Result<Vec<NewDependency>, ApiError> {
    let given = given.ok_or_else(|| {
        ApiError::bad_parameters("Missing inter_deployment_dependencies in json request body")
    })?;
    given
        .into_iter()
        .map(|item| match item {
            Value::Object(object) => described(auth, &JsonBody(object)),
            other => Err(ApiError::bad_parameters(format!("a dependency must be a dict, got {other}"))),
        })
        .collect()
}

fn described(auth: &Auth, body: &JsonBody) -> Result<NewDependency, ApiError> {
    let (created_by, created_at) = provenance(auth, body)?;
    let object = |name| Ok::<_, ApiError>(body.object(name)?.map(|object| Value::Object(object.clone())));
    Ok(NewDependency {
        dependency_creator: body.text("dependency_creator")?.to_owned(),
        target_deployment: body.optional_text("target_deployment")?.map(str::to_owned),
        target_deployment_func: body.0.get("target_deployment_func").filter(|func| !func.is_null()).cloned(),
        external_source: object("external_source")?,
        external_target: object("external_target")?,
        id: body.optional_text("id")?.map(str::to_owned),
        visibility: visibility_of(auth, body)?,
        created_at,
        created_by,
    })
}

/// The ids of what was made, as a list.
fn ids(ids: Vec<String>) -> Value {
    let count = ids.len();
    let items: Vec<Value> = ids.into_iter().map(|id| json!({ "id": id })).collect();
    json!({
        "items": items,
        "metadata": { "pagination": { "total": count, "size": count, "offset": 0 }, "filtered": null },
    })
}
