//! `/deployment-updates`.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::UpdateRequest;

use super::permissions::{
    DEPLOYMENT_UPDATE_CREATE, DEPLOYMENT_UPDATE_GET, DEPLOYMENT_UPDATE_LIST, DEPLOYMENT_UPDATE_UPDATE,
};
use super::provenance::only_by_executions;

/// What only executions write.
const RECORDS: &str = "Deployment update objects";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/deployment-updates").route(web::get().to(list)).route(web::post().to(insert)),
        )
        .service(
            web::resource("/deployment-updates/{id}")
                .route(web::get().to(get))
                .route(web::put().to(create))
                .route(web::patch().to(change)),
        )
        .service(web::resource("/deployment-updates/{id}/update/initiate").route(web::post().to(initiate)))
        .service(web::resource("/deployment-updates/{id}/update/finalize").route(web::post().to(finalize)));
}

/// List deployment updates.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_UPDATE_LIST)?;
    let page = service.manager.deployment_updates(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a deployment update.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_UPDATE_GET)?;
    Ok(HttpResponse::Ok().json(service.manager.deployment_update(caller, &id, listing.include()).await?))
}

/// Update a deployment, or tell what an update would do.
///
/// The execution `csys_new_deployment_update` applies it as a whole or not at all; with `preview` nothing is recorded.
async fn initiate(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_UPDATE_CREATE)?;
    let request = UpdateRequest {
        blueprint_id: body.optional_text("blueprint_id")?.filter(|id| !id.is_empty()).map(str::to_owned),
        inputs: body.object("inputs")?.cloned().unwrap_or_default(),
        runtime_only_evaluation: match body.0.get("runtime_only_evaluation") {
            None | Some(serde_json::Value::Null) => None,
            Some(_) => Some(body.boolean("runtime_only_evaluation", false)?),
        },
        skip_install: body.boolean("skip_install", false)?,
        force: body.boolean("force", false)? || body.boolean("reevaluate_active_statuses", false)?,
    };
    // What follows is about operations of plugins, which are not run here.
    for name in [
        "skip_uninstall",
        "skip_reinstall",
        "skip_drift_check",
        "skip_heal",
        "force_reinstall",
        "ignore_failure",
        "install_first",
        "update_plugins",
        "auto_correct_types",
    ] {
        body.boolean(name, false)?;
    }
    if body.boolean("preview", false)? {
        return Ok(HttpResponse::Ok().json(service.manager.preview_update(caller, &id, request).await?));
    }
    let update = service.manager.update_deployment(caller, &id, request).await?;
    service.wake();
    Ok(HttpResponse::Ok().json(update))
}

/// Finalize a deployment update.
///
/// Does nothing: its execution has done all.
async fn finalize(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_UPDATE_CREATE)?;
    Ok(HttpResponse::Ok().json(service.manager.deployment_update(caller, &id, None).await?))
}

/// Write the record of a deployment update.
///
/// Answers 403: only executions write it.
async fn create(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(DEPLOYMENT_UPDATE_CREATE)?;
    Err(only_by_executions(RECORDS))
}

/// Change the record of a deployment update.
///
/// Answers 403: only executions write it.
async fn change(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(DEPLOYMENT_UPDATE_UPDATE)?;
    Err(only_by_executions(RECORDS))
}

/// Write the records of several deployment updates.
///
/// Answers 403: only executions write them.
async fn insert(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(DEPLOYMENT_UPDATE_CREATE)?;
    Err(only_by_executions(RECORDS))
}
