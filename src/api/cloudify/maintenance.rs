//! `/maintenance`.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth};
use crate::app::Service;

use super::permissions::{MAINTENANCE_MODE_GET, MAINTENANCE_MODE_SET};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/maintenance").route(web::get().to(get)))
        .service(web::resource("/maintenance/activate").route(web::post().to(activate)))
        .service(web::resource("/maintenance/deactivate").route(web::post().to(deactivate)));
}

/// Get the maintenance mode.
async fn get(auth: Auth, service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    auth.allow(MAINTENANCE_MODE_GET)?;
    Ok(HttpResponse::Ok().json(service.maintenance.status().await?))
}

/// Ask for maintenance: it is there when what runs has ended.
async fn activate(auth: Auth, service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(MAINTENANCE_MODE_SET)?;
    Ok(match service.maintenance.activate(caller).await? {
        Some(maintenance) => HttpResponse::Ok().json(maintenance),
        None => HttpResponse::NotModified().finish(),
    })
}

/// End the maintenance: what was queued meanwhile runs.
async fn deactivate(auth: Auth, service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(MAINTENANCE_MODE_SET)?;
    Ok(match service.maintenance.deactivate(caller).await? {
        Some(maintenance) => HttpResponse::Ok().json(maintenance),
        None => HttpResponse::NotModified().finish(),
    })
}
