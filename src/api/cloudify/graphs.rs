//! `/tasks_graphs`, `/operations` and `/deployment-modifications`: what other managers keep while code of plugins runs.
//!
//! The embedded manager runs none, so nothing of it is ever kept; what an execution did is told by its events.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;
use crate::executions::ExecutionError;
use crate::model::{Permission, TenantRole};

use super::permissions::DEPLOYMENT_GET;

const OPERATIONS: Permission = Permission::tenant("operations", TenantRole::Viewer);

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/tasks_graphs").route(web::get().to(list_graphs)))
        .service(web::resource("/operations").route(web::get().to(list_operations)))
        .service(web::resource("/deployment-modifications").route(web::get().to(list_modifications)));
}

/// List the tasks graphs of an execution: none are kept.
async fn list_graphs(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    auth.allow(OPERATIONS)?;
    find_execution(&auth, &service, listing.get("execution_id")).await?;
    Ok(HttpResponse::Ok().json(nothing()))
}

/// List the operations of an execution: none are kept.
async fn list_operations(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    auth.allow(OPERATIONS)?;
    find_execution(&auth, &service, listing.get("execution_id")).await?;
    Ok(HttpResponse::Ok().json(nothing()))
}

/// List the modifications of a deployment: none are made.
async fn list_modifications(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_GET)?;
    if let Some(deployment) = listing.get("deployment_id") {
        service.manager.deployment(caller, deployment, None).await?;
    }
    Ok(HttpResponse::Ok().json(nothing()))
}

async fn find_execution(auth: &Auth, service: &Service, id: Option<&str>) -> Result<(), ApiError> {
    let Some(id) = id else { return Ok(()) };
    let execution = id.parse().map_err(|_| ExecutionError::NotFound(id.to_owned()))?;
    service.get_execution(auth.anyone(), execution, None).await?;
    Ok(())
}

fn nothing() -> Value {
    json!({
        "items": [],
        "metadata": { "pagination": { "total": 0, "size": 0, "offset": 0 }, "filtered": null },
    })
}
