//! Messages of the broker that could not be used.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;
use crate::model::Permission;

const LIST: Permission = Permission::system("dead_letter_list");
const DELETE: Permission = Permission::system("dead_letter_delete");

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/dead-letters").route(web::get().to(list)).route(web::delete().to(clear)));
}

/// List messages that could not be used.
///
/// The newest first, with the beginning of their bodies; the last are kept, as many as the setting `flows.dead_letters`
/// says. `counts` tells how many there were ever, by reason.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    auth.allow(LIST)?;
    let query = listing.query(&[])?;
    let page = service.flows.dead_letters(query.offset, query.size).await?;
    Ok(HttpResponse::Ok().json(Value::from(page)))
}

/// Forget messages that could not be used.
///
/// The counts stay.
async fn clear(auth: Auth, service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    auth.allow(DELETE)?;
    let deleted = service.flows.clear_dead_letters().await?;
    Ok(HttpResponse::Ok().json(json!({ "deleted": deleted })))
}
