//! `/nodes`, `/node-instances`, and functions evaluated by them.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::{EvaluationContext, InstanceChange};

use super::permissions::{
    FUNCTIONS_EVALUATE, NODE_INSTANCE_GET, NODE_INSTANCE_LIST, NODE_INSTANCE_UPDATE, NODE_LIST,
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/nodes").route(web::get().to(list_nodes)))
        .service(web::resource("/node-instances").route(web::get().to(list_instances)))
        .service(
            web::resource("/node-instances/{id}")
                .route(web::get().to(get_instance))
                .route(web::patch().to(change_instance)),
        )
        .service(web::resource("/evaluate/functions").route(web::post().to(evaluate_functions)));
}

/// List nodes.
async fn list_nodes(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(NODE_LIST)?;
    let query = renamed(&listing, "node_id")?;
    let page = match listing.boolean("_evaluate_functions", false)? {
        true => service.manager.evaluated_nodes(caller, query).await?,
        false => service.manager.nodes(caller, query).await?,
    };
    Ok(HttpResponse::Ok().json(page_json(page)))
}

// The clients filter nodes by `node_id`, which the list calls `id`.
fn renamed(listing: &Listing, name: &str) -> Result<crate::database::ListQuery, ApiError> {
    let mut query = listing.query(&[])?;
    for filter in query.filters.iter_mut().filter(|filter| filter.column == name) {
        filter.column = "id".to_owned();
    }
    Ok(query)
}

/// List node instances.
async fn list_instances(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(NODE_INSTANCE_LIST)?;
    let page = service.manager.node_instances(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a node instance.
async fn get_instance(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(NODE_INSTANCE_GET)?;
    let instance = match listing.boolean("_evaluate_functions", false)? {
        true => service.manager.evaluated_node_instance(caller, &id, listing.include()).await?,
        false => service.manager.node_instance(caller, &id, listing.include()).await?,
    };
    Ok(HttpResponse::Ok().json(instance))
}

/// Change a node instance.
///
/// `version` is the version that the caller has seen; another one now is a 409, unless the query says `force`.
async fn change_instance(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(NODE_INSTANCE_UPDATE)?;
    let version = match body.0.get("version") {
        None | Some(Value::Null) => None,
        Some(version) => Some(version.as_i64().ok_or_else(|| {
            ApiError::bad_parameters(format!("version must be a whole number, got {version}"))
        })?),
    };
    let change = InstanceChange {
        version,
        force: listing.boolean("force", false)?,
        state: body.optional_text("state")?.map(str::to_owned),
        runtime_properties: body.object("runtime_properties")?.cloned(),
        system_properties: body.object("system_properties")?.cloned(),
        relationships: body.list("relationships")?,
    };
    Ok(HttpResponse::Ok().json(service.manager.change_node_instance(caller, &id, change).await?))
}

/// Evaluate functions by a deployment as it is now. Secrets stay references.
///
/// `context` names the node instances that `SELF`, `SOURCE` and `TARGET` mean.
async fn evaluate_functions(
    auth: Auth,
    service: web::Data<Service>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(FUNCTIONS_EVALUATE)?;
    let deployment = body.text("deployment_id")?;
    let payload = body.object("payload")?.cloned().ok_or_else(|| {
        ApiError::bad_parameters(
            "Missing payload in json request body: a dict in which functions are evaluated",
        )
    })?;
    let context = JsonBody(body.object("context")?.cloned().unwrap_or_default());
    let of = |name: &str| Ok::<_, ApiError>(context.optional_text(name)?.map(str::to_owned));
    let context = EvaluationContext { source: of("self")?.or(of("source")?), target: of("target")? };
    let payload =
        service.manager.evaluate_functions(caller, deployment, context, Value::Object(payload)).await?;
    Ok(HttpResponse::Ok().json(json!({ "deployment_id": deployment, "payload": payload })))
}
