//! `/searches` and `/workflows`: lists from which rules or constraints choose.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::api::{ApiError, Auth, JsonBody, Listing, list_json, page_json};
use crate::app::Service;
use crate::database::{Filter, ListQuery};
use crate::manager::filters::{Choice, Filtered};
use crate::model::Caller;

use super::permissions::{
    BLUEPRINT_LIST, DEPLOYMENT_GET, DEPLOYMENT_LIST, NODE_INSTANCE_LIST, NODE_LIST, SECRET_LIST,
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/searches/blueprints").route(web::post().to(search_blueprints)))
        .service(web::resource("/searches/deployments").route(web::post().to(search_deployments)))
        .service(web::resource("/searches/nodes").route(web::post().to(search_nodes)))
        .service(web::resource("/searches/node-instances").route(web::post().to(search_instances)))
        .service(web::resource("/searches/secrets").route(web::post().to(search_secrets)))
        .service(web::resource("/searches/node-types").route(web::post().to(search_types)))
        .service(web::resource("/searches/capabilities").route(web::post().to(search_capabilities)))
        .service(web::resource("/searches/scaling-groups").route(web::post().to(search_scaling_groups)))
        .service(web::resource("/searches/workflows").route(web::post().to(search_workflows)))
        .service(web::resource("/workflows").route(web::get().to(list_workflows)));
}

/// Search blueprints.
async fn search_blueprints(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(BLUEPRINT_LIST)?;
    let choice = chosen(&listing, &body)?;
    page(&service, caller, Filtered::Blueprints, choice, listing.query(&[])?).await
}

/// Search deployments.
async fn search_deployments(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_LIST)?;
    let choice = of_deployments(&listing, chosen(&listing, &body)?);
    page(&service, caller, Filtered::Deployments, choice, listing.query(&DEPLOYMENT_PARAMETERS)?).await
}

/// Search nodes.
async fn search_nodes(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(NODE_LIST)?;
    let choice = chosen(&listing, &body)?;
    page(&service, caller, Filtered::Nodes, choice, listing.query(&[])?).await
}

/// Search nodes by their types.
async fn search_types(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(NODE_LIST)?;
    let choice = Choice { by_type: true, ..chosen(&listing, &body)? };
    let mut query = listing.query(&[])?;
    if let Some(of_type) = query.search.take() {
        query.filters.push(Filter { column: "type".to_owned(), values: vec![of_type] });
    }
    page(&service, caller, Filtered::Nodes, choice, query).await
}

/// Search the capabilities of a deployment.
async fn search_capabilities(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_GET)?;
    let constraints = body.object("constraints")?.cloned().unwrap_or_default();
    let (deployment, search) = (listing.get("deployment_id"), listing.get("_search"));
    let found = service.manager.search_capabilities(caller, deployment, &constraints, search).await?;
    Ok(HttpResponse::Ok().json(whole(found)))
}

/// Search the scaling groups of a deployment or a blueprint.
async fn search_scaling_groups(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_GET)?;
    let constraints = body.object("constraints")?.cloned().unwrap_or_default();
    let of = (listing.get("deployment_id"), listing.get("blueprint_id"));
    let search = listing.get("_search");
    let found = service.manager.search_scaling_groups(caller, of, &constraints, search).await?;
    Ok(HttpResponse::Ok().json(whole(found)))
}

/// Search node instances.
async fn search_instances(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(NODE_INSTANCE_LIST)?;
    let choice = chosen(&listing, &body)?;
    page(&service, caller, Filtered::NodeInstances, choice, listing.query(&[])?).await
}

/// Search secrets. Their values are not shown.
async fn search_secrets(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SECRET_LIST)?;
    let choice = chosen(&listing, &body)?;
    page(&service, caller, Filtered::Secrets, choice, listing.query(&[])?).await
}

/// Search the workflows of deployments.
async fn search_workflows(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_LIST)?;
    let choice = chosen(&listing, &body)?;
    let workflows = service.manager.workflows(caller, choice, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(whole(workflows)))
}

/// List the workflows of deployments, each once.
async fn list_workflows(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_LIST)?;
    let workflows = service.manager.workflows(caller, choice(&listing), listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(whole(workflows)))
}

/// One page of the entities that were chosen.
async fn page(
    service: &Service,
    caller: &Caller,
    of: Filtered,
    choice: Choice,
    query: ListQuery,
) -> Result<HttpResponse, ApiError> {
    let page = service.manager.search(caller, of, choice, query).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// The parameters of lists and searches of deployments that [`of_deployments`] reads.
pub(super) const DEPLOYMENT_PARAMETERS: [&str; 1] = ["deployment_group_id"];

/// A choice with what deployments are chosen by beside.
pub(super) fn of_deployments(listing: &Listing, choice: Choice) -> Choice {
    let group = listing.get("_group_id").or_else(|| listing.get("deployment_group_id"));
    Choice {
        search_name: listing.get("_search_name").map(str::to_owned),
        group_id: group.map(str::to_owned),
        needed_by: listing.get("_dependencies_of").map(str::to_owned),
        ..choice
    }
}

/// The saved filter that a list is chosen by, if any.
pub(super) fn choice(listing: &Listing) -> Choice {
    Choice { filter_id: listing.get("_filter_id").map(str::to_owned), ..Choice::default() }
}

/// What a search is chosen by: a saved filter, rules, or constraints.
fn chosen(listing: &Listing, body: &JsonBody) -> Result<Choice, ApiError> {
    let constraints = body.object("constraints")?.cloned().unwrap_or_default();
    Ok(Choice { rules: body.list("filter_rules")?.unwrap_or_default(), constraints, ..choice(listing) })
}

/// A list that always comes whole.
fn whole(items: Vec<serde_json::Value>) -> serde_json::Value {
    let total = items.len();
    let pagination = json!({ "total": total, "size": total, "offset": 0 });
    list_json(items, json!({ "pagination": pagination, "filtered": null }))
}
