//! `/log-bundles`: the log of a Lifeboat is where its standard error goes, so that there is nothing to bundle.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, ErrorCode, Listing, page_json};
use crate::database::{Collection, Column, list_values};

use super::permissions::{
    LOG_BUNDLE_CREATE, LOG_BUNDLE_DELETE, LOG_BUNDLE_DOWNLOAD, LOG_BUNDLE_GET, LOG_BUNDLE_LIST,
};

/// A log bundle as Cloudify 7 lists it.
pub const LOG_BUNDLES: Collection = Collection {
    noun: "LogBundle",
    table: "log_bundles",
    columns: &[
        Column::text("id"),
        Column::text("created_at"),
        Column::text("status"),
        Column::text("error"),
        Column::text("visibility"),
        Column::text("tenant_name"),
        Column::text("created_by"),
    ],
    search: &["id"],
    default_sort: "created_at",
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/log-bundles").route(web::get().to(list)))
        .service(
            web::resource("/log-bundles/{id}")
                .route(web::get().to(get))
                .route(web::put().to(create))
                .route(web::delete().to(delete)),
        )
        .service(web::resource("/log-bundles/{id}/archive").route(web::get().to(download)));
}

/// List log bundles: there are none.
async fn list(auth: Auth, listing: Listing) -> Result<HttpResponse, ApiError> {
    auth.allow(LOG_BUNDLE_LIST)?;
    let page = list_values(&LOG_BUNDLES, Vec::new(), &listing.query(&[])?)?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a log bundle: there are none.
async fn get(auth: Auth, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    auth.allow(LOG_BUNDLE_GET)?;
    Err(absent(&id))
}

/// Create a log bundle: there is nothing to bundle.
async fn create(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(LOG_BUNDLE_CREATE)?;
    Err(ApiError::new(
        ErrorCode::IllegalAction,
        "Can't create a log bundle: the service keeps no log files; its log goes to its standard error, e.g. to the journal or the container's log",
    ))
}

/// Delete a log bundle: there are none.
async fn delete(auth: Auth, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    auth.allow(LOG_BUNDLE_DELETE)?;
    Err(absent(&id))
}

/// Download a log bundle: there are none.
async fn download(auth: Auth, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    auth.allow(LOG_BUNDLE_DOWNLOAD)?;
    Err(absent(&id))
}

fn absent(id: &str) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("Requested `LogBundle` with ID `{id}` was not found"))
}
