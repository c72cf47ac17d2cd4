//! Workspaces and the caller: what clients of flows ask for first.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;

use super::views;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v2/workspaces").route(web::get().to(list)))
        .service(web::resource("/v2/workspaces/{workspace}").route(web::get().to(get)))
        .service(web::resource("/v2/users/me").route(web::get().to(me)));
}

/// List workspaces.
///
/// The tenants of which the caller is a member. All belong to one contract, whose id is the manager's name.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let contract = service.config.manager.name.as_str();
    let is_ours = listing.get("contract_id").is_none_or(|id| id == contract);
    let workspaces = service.flows.workspaces(auth.anyone()).await?;
    let views: Vec<_> = workspaces
        .iter()
        .filter(|_| is_ours)
        .map(|workspace| views::workspace(workspace, contract))
        .collect();
    Ok(views::all(&views))
}

/// Retrieve a workspace.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    workspace: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = service.flows.workspace(auth.anyone(), &workspace).await?;
    Ok(views::one(HttpResponse::Ok(), &views::workspace(&found, &service.config.manager.name)))
}

/// Retrieve the caller.
async fn me(auth: Auth) -> Result<HttpResponse, ApiError> {
    Ok(views::one(HttpResponse::Ok(), &views::user(auth.anyone())))
}
