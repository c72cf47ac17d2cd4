//! `/deployment-modifications`: what other managers keep while code of plugins scales a deployment.
//!
//! The embedded manager runs none, so none is ever kept.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;

use super::permissions::DEPLOYMENT_GET;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/deployment-modifications").route(web::get().to(list_modifications)));
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

fn nothing() -> Value {
    json!({
        "items": [],
        "metadata": { "pagination": { "total": 0, "size": 0, "offset": 0 }, "filtered": null },
    })
}
