//! `/deployment-modifications`: other numbers of instances, brought up and taken down by whoever began one.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::{ModificationEnd, NewModification};

use super::permissions::{
    DEPLOYMENT_MODIFICATION_FINISH, DEPLOYMENT_MODIFICATION_GET, DEPLOYMENT_MODIFICATION_LIST,
    DEPLOYMENT_MODIFICATION_ROLLBACK, DEPLOYMENT_MODIFY,
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/deployment-modifications")
                .route(web::get().to(list))
                .route(web::post().to(start)),
        )
        .service(web::resource("/deployment-modifications/{id}").route(web::get().to(get)))
        .service(web::resource("/deployment-modifications/{id}/finish").route(web::post().to(finish)))
        .service(web::resource("/deployment-modifications/{id}/rollback").route(web::post().to(roll_back)));
}

/// List deployment modifications.
///
/// A filter on a deployment that there is not is refused.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_MODIFICATION_LIST)?;
    let page = service.manager.deployment_modifications(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a deployment modification.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_MODIFICATION_GET)?;
    let modification = service.manager.deployment_modification(caller, &id, listing.include()).await?;
    Ok(HttpResponse::Ok().json(modification))
}

/// Start a modification of a deployment.
///
/// Node instances that come are there at once, uninitialized; those that are to go stay until it is finished.
async fn start(auth: Auth, service: web::Data<Service>, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_MODIFY)?;
    let new = NewModification {
        deployment_id: body.text("deployment_id")?.to_owned(),
        nodes: body.object("nodes")?.cloned().unwrap_or_default(),
        context: body.object("context")?.cloned().unwrap_or_default(),
    };
    Ok(HttpResponse::Created().json(service.manager.start_modification(caller, new).await?))
}

/// Finish a modification: what was to go goes.
async fn finish(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_MODIFICATION_FINISH)?;
    let modification = service.manager.end_modification(caller, &id, ModificationEnd::Finish).await?;
    Ok(HttpResponse::Ok().json(modification))
}

/// Roll a modification back: all node instances are as they were before.
async fn roll_back(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_MODIFICATION_ROLLBACK)?;
    let modification = service.manager.end_modification(caller, &id, ModificationEnd::RollBack).await?;
    Ok(HttpResponse::Ok().json(modification))
}
