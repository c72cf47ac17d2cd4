//! `/filters`: filters that are saved under a name.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::filters::{FilterChange, NewFilter};

use super::blueprints::{optional_visibility, visibility};
use super::labels::labelled;
use super::permissions::{FILTER_CREATE, FILTER_DELETE, FILTER_GET, FILTER_LIST, FILTER_UPDATE};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/filters/{resource}").route(web::get().to(list))).service(
        web::resource("/filters/{resource}/{id}")
            .route(web::get().to(get))
            .route(web::put().to(create))
            .route(web::patch().to(change))
            .route(web::delete().to(delete)),
    );
}

/// List filters.
async fn list(
    auth: Auth,
    service: web::Data<Service>,
    resource: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(FILTER_LIST)?;
    let page = service.manager.filters(caller, labelled(&resource)?, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a filter.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(FILTER_GET)?;
    let (resource, id) = path.into_inner();
    let filter = service.manager.filter(caller, labelled(&resource)?, &id, listing.include()).await?;
    Ok(HttpResponse::Ok().json(filter))
}

/// Create a filter.
async fn create(
    auth: Auth,
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(FILTER_CREATE)?;
    let (resource, id) = path.into_inner();
    let rules = body
        .list("filter_rules")?
        .ok_or_else(|| ApiError::bad_parameters("Missing filter_rules in json request body"))?;
    let new = NewFilter { id, rules, visibility: visibility(&auth, &body)? };
    Ok(HttpResponse::Ok().json(service.manager.create_filter(caller, labelled(&resource)?, new).await?))
}

/// Change a filter's rules or visibility.
///
/// Rules over labels replace rules over labels, those over attributes replace those over attributes.
async fn change(
    auth: Auth,
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(FILTER_UPDATE)?;
    let (resource, id) = path.into_inner();
    let change =
        FilterChange { rules: body.list("filter_rules")?, visibility: optional_visibility(&auth, &body)? };
    Ok(HttpResponse::Ok()
        .json(service.manager.change_filter(caller, labelled(&resource)?, &id, change).await?))
}

/// Delete a filter.
async fn delete(
    auth: Auth,
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(FILTER_DELETE)?;
    let (resource, id) = path.into_inner();
    service.manager.delete_filter(caller, labelled(&resource)?, &id).await?;
    Ok(HttpResponse::NoContent().finish())
}
