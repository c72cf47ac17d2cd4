//! `/deployments`.

use actix_web::{HttpResponse, web};
use serde_json::Value;

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::filters::Filtered;
use crate::manager::{DeleteDeployment, DeploymentChange, NewDeployment};

use super::blueprints::{owner, visibility, wider};
use super::permissions::{
    DEPLOYMENT_CREATE, DEPLOYMENT_DELETE, DEPLOYMENT_GET, DEPLOYMENT_LIST, DEPLOYMENT_UPDATE,
};
use super::searches::{DEPLOYMENT_PARAMETERS, choice, of_deployments};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/deployments").route(web::get().to(list)))
        .service(
            web::resource("/deployments/{id}")
                .route(web::get().to(get))
                .route(web::put().to(create))
                .route(web::patch().to(change))
                .route(web::delete().to(delete)),
        )
        .service(web::resource("/deployments/{id}/outputs").route(web::get().to(outputs)))
        .service(web::resource("/deployments/{id}/capabilities").route(web::get().to(capabilities)))
        .service(web::resource("/deployments/{id}/set-visibility").route(web::patch().to(set_visibility)))
        .service(web::resource("/deployments/{id}/set-site").route(web::post().to(set_site)));
}

/// List deployments.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_LIST)?;
    let choice = of_deployments(&listing, choice(&listing));
    let query = listing.query(&DEPLOYMENT_PARAMETERS)?;
    let page = service.manager.search(caller, Filtered::Deployments, choice, query).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a deployment.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_GET)?;
    Ok(HttpResponse::Ok().json(service.manager.deployment(caller, &id, listing.include()).await?))
}

/// Create a deployment.
///
/// The inputs are judged at once; the nodes and node instances are made by the execution
/// `create_deployment_environment`.
async fn create(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_CREATE)?;
    let new = NewDeployment {
        id: id.into_inner(),
        blueprint_id: body.text("blueprint_id")?.to_owned(),
        inputs: body.object("inputs")?.cloned().unwrap_or_default(),
        visibility: visibility(&auth, &body)?,
        display_name: body.optional_text("display_name")?.map(str::to_owned),
        labels: body.list("labels")?.unwrap_or_default(),
        site_name: body.optional_text("site_name")?.map(str::to_owned),
        runtime_only_evaluation: body.boolean("runtime_only_evaluation", false)?,
    };
    let deployment = service.manager.create_deployment(caller, new).await?;
    service.wake();
    Ok(HttpResponse::Created().json(deployment))
}

/// Change a deployment's name, labels or owner, or describe it.
async fn change(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_UPDATE)?;
    let change = DeploymentChange {
        display_name: body.optional_text("display_name")?.map(str::to_owned),
        labels: body.list("labels")?,
        site_name: None,
        owner: owner(&auth, &service, body.optional_text("creator")?).await?,
        description: body.optional_text("description")?.map(str::to_owned),
        fixed: DeploymentChange::FIXED.into_iter().find(|name| body.0.contains_key(*name)),
    };
    Ok(HttpResponse::Ok().json(service.manager.change_deployment(caller, &id, change).await?))
}

/// Delete a deployment.
///
/// Refused while node instances live, unless `force` or `ignore_live_nodes` is given. The deployment leaves the list
/// when its execution `delete_deployment_environment` has ended.
async fn delete(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_DELETE)?;
    let flag = |name| Ok::<_, ApiError>(listing.boolean(name, false)? || body.boolean(name, false)?);
    let options = DeleteDeployment {
        force: flag("force")? || flag("ignore_live_nodes")?,
        delete_logs: flag("delete_logs")?,
    };
    let deployment = service.manager.delete_deployment(caller, &id, options).await?;
    service.wake();
    Ok(HttpResponse::Ok().json(deployment))
}

/// Get the values of a deployment's outputs.
async fn outputs(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_GET)?;
    Ok(HttpResponse::Ok().json(service.manager.deployment_outputs(caller, &id).await?))
}

/// Get the values of a deployment's capabilities.
async fn capabilities(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_GET)?;
    Ok(HttpResponse::Ok().json(service.manager.deployment_capabilities(caller, &id).await?))
}

/// Let more callers see a deployment.
async fn set_visibility(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_UPDATE)?;
    let visibility = wider(&auth, &body)?;
    Ok(HttpResponse::Ok().json(service.manager.set_deployment_visibility(caller, &id, visibility).await?))
}

/// Set or take away a deployment's site.
async fn set_site(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_UPDATE)?;
    let site = body.optional_text("site_name")?.map(str::to_owned);
    if site.is_none() && !body.boolean("detach_site", false)? {
        return Err(ApiError::bad_parameters(
            "Must provide either a `site_name` of a valid site or `detach_site` with true value for detaching the current site",
        ));
    }
    let change = DeploymentChange { site_name: Some(site), ..DeploymentChange::default() };
    let deployment = service.manager.change_deployment(caller, &id, change).await?;
    Ok(HttpResponse::Ok().json(Value::Object(deployment)))
}
