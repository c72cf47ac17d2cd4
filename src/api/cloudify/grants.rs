//! `/permissions`: which role may do what.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, Listing, page_json};
use crate::app::Service;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/permissions").route(web::get().to(list)))
        .service(web::resource("/permissions/{role}").route(web::get().to(list_of_role)))
        .service(
            web::resource("/permissions/{role}/{permission}")
                .route(web::put().to(allow))
                .route(web::delete().to(disallow)),
        );
}

/// List which role has which permission.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let page = service.access.permissions(auth.anyone(), None, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// List the permissions of a role.
async fn list_of_role(
    auth: Auth,
    service: web::Data<Service>,
    role: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let page = service.access.permissions(auth.anyone(), Some(&role), listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Allow a role something, at once.
async fn allow(
    auth: Auth,
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (role, permission) = path.into_inner();
    Ok(HttpResponse::Ok().json(service.access.grant(auth.anyone(), &role, &permission).await?))
}

/// Disallow a role something, at once.
async fn disallow(
    auth: Auth,
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (role, permission) = path.into_inner();
    service.access.revoke(auth.anyone(), &role, &permission).await?;
    Ok(HttpResponse::NoContent().finish())
}
