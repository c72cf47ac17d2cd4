//! `/sites`.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::{NewSite, SiteChange};

use super::blueprints::{optional_visibility, visibility};
use super::permissions::{SITE_CREATE, SITE_DELETE, SITE_GET, SITE_LIST, SITE_UPDATE};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/sites").route(web::get().to(list))).service(
        web::resource("/sites/{name}")
            .route(web::get().to(get))
            .route(web::put().to(create))
            .route(web::post().to(change))
            .route(web::delete().to(delete)),
    );
}

/// List sites.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SITE_LIST)?;
    let page = service.manager.sites(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a site.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SITE_GET)?;
    Ok(HttpResponse::Ok().json(service.manager.site(caller, &name, listing.include()).await?))
}

/// Create a site.
async fn create(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SITE_CREATE)?;
    let new = NewSite {
        name: name.into_inner(),
        location: body.optional_text("location")?.map(str::to_owned),
        visibility: visibility(&auth, &body)?,
    };
    Ok(HttpResponse::Ok().json(service.manager.create_site(caller, new).await?))
}

/// Change a site's name, location or visibility.
///
/// Deployments that stand there follow its name.
async fn change(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SITE_UPDATE)?;
    let change = SiteChange {
        new_name: body.optional_text("new_name")?.map(str::to_owned),
        location: body.optional_text("location")?.map(str::to_owned),
        visibility: optional_visibility(&auth, &body)?,
    };
    Ok(HttpResponse::Ok().json(service.manager.change_site(caller, &name, change).await?))
}

/// Delete a site.
///
/// Deployments that stood there stand nowhere then.
async fn delete(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SITE_DELETE)?;
    service.manager.delete_site(caller, &name).await?;
    Ok(HttpResponse::NoContent().finish())
}
