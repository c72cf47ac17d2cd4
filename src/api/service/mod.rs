//! The service's own calls: health, rollback, the description of the API.

mod docs;
mod openapi;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::app::Service;
use crate::model::Permission;

use super::{ApiError, Auth, ErrorCode, Listing};

const ROLLBACK: Permission = Permission::system("snapshot_restore");

/// Adds the routes of this face.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(web::resource("/").route(web::get().to(home)));
    config.service(
        web::scope("/service")
            .service(web::resource("/health").route(web::get().to(health)))
            .service(web::resource("/rollback").route(web::post().to(rollback)))
            .configure(openapi::routes)
            .configure(docs::routes),
    );
}

/// Tell whether the service works.
///
/// Needs no login. 200 where requests and jobs are served; 503 where a human has to look.
async fn health(service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    if service.recovered.needs_attention.is_some() {
        return Err(ApiError::new(
            ErrorCode::ServiceUnavailable,
            "a restore was interrupted and can't be recovered by itself: see the service's log",
        ));
    }
    service.records.check().await?;
    let body = json!({ "status": "ok", "lifeboat_version": env!("CARGO_PKG_VERSION") });
    Ok(HttpResponse::Ok().json(body))
}

/// Undo the last restore.
///
/// The state before it comes back, and what it replaces is kept: the same call again undoes the undoing.
async fn rollback(
    service: web::Data<Service>,
    auth: Auth,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(ROLLBACK)?;
    let execution = service.snapshots.rollback(caller, listing.boolean("queue", false)?).await?;
    Ok(HttpResponse::Ok().json(service.get_execution(caller, execution.id, None).await?))
}

/// Go to the description of the API.
async fn home() -> HttpResponse {
    HttpResponse::Found().insert_header((header::LOCATION, "/service/docs")).finish()
}
