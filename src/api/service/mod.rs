//! The service's own calls: health, rollback, the description of the API.

mod dead_letters;
mod docs;
mod keys;
mod openapi;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::app::Service;
use crate::model::{Permission, SnapshotId};

use super::{ApiError, Auth, ErrorCode, JsonBody, Listing};

const ROLLBACK: Permission = Permission::system("snapshot_restore");

/// Adds the routes of this face.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(web::resource("/").route(web::get().to(home)));
    config.service(
        web::scope("/service")
            .service(web::resource("/health").route(web::get().to(health)))
            .service(web::resource("/rollback").route(web::post().to(rollback)))
            .service(web::resource("/snapshots/{id}/restore-flow").route(web::post().to(restore_flow)))
            .configure(dead_letters::routes)
            .configure(keys::routes)
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
    let amqp = service.flows.consumer_state().as_str();
    let body = json!({ "status": "ok", "lifeboat_version": env!("CARGO_PKG_VERSION"), "amqp": amqp });
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

/// Restore one flow out of a manager snapshot.
///
/// Records an execution and returns at once. The flow comes back stopped, with the snapshots of its steps and its captures;
/// everything else stays as it is. An existing flow of this id is replaced only with `force`.
async fn restore_flow(
    service: web::Data<Service>,
    auth: Auth,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(ROLLBACK)?;
    let flow_id = body.text("flow_id")?.to_owned();
    let force = body.boolean("force", false)?;
    let id = SnapshotId::trusted(id.into_inner());
    let execution = service.snapshots.restore_flow(caller, id, flow_id, force).await?;
    Ok(HttpResponse::Ok().json(service.get_execution(caller, execution.id, None).await?))
}

/// Go to the description of the API.
async fn home() -> HttpResponse {
    HttpResponse::Found().insert_header((header::LOCATION, "/service/docs")).finish()
}
