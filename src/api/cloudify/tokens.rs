//! `/tokens`.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;

use super::permissions::{CREATE_TOKEN, DELETE_TOKEN, LIST_TOKEN};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/tokens").route(web::get().to(list)).route(web::post().to(create)))
        .service(web::resource("/tokens/{id}").route(web::get().to(get)).route(web::delete().to(delete)));
}

/// List the caller's tokens; a sys_admin sees those of all users.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(LIST_TOKEN)?;
    let page = service.access.tokens(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Create a token for the caller.
///
/// `value` is shown this once. `expiration_date` is a time, or relative: `+10h`, `+30 minutes`, `+1day+10min`.
async fn create(auth: Auth, service: web::Data<Service>, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(CREATE_TOKEN)?;
    let description = body.optional_text("description")?.map(str::to_owned);
    let expiration = body.optional_text("expiration_date")?;
    Ok(HttpResponse::Ok().json(service.access.create_token(caller, description, expiration).await?))
}

/// Get a token, without its secret part.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(LIST_TOKEN)?;
    Ok(HttpResponse::Ok().json(service.access.token(caller, &id).await?))
}

/// Delete a token: it no longer works.
async fn delete(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DELETE_TOKEN)?;
    Ok(HttpResponse::Ok().json(service.access.delete_token(caller, &id).await?))
}
