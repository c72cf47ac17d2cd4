//! `/tasks_graphs` and `/operations`.

use actix_web::{HttpResponse, web};
use serde_json::Value;

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::{NewOperation, NewTasksGraph, OperationChoice};

use super::permissions::TASKS;
use super::provenance::moment;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/tasks_graphs").route(web::get().to(list_graphs)))
        // The clients store graphs at this path, whatever the id.
        .service(
            web::resource("/tasks_graphs/{id}")
                .route(web::post().to(create_graph))
                .route(web::patch().to(change_graph)),
        )
        .service(
            web::resource("/operations")
                .route(web::get().to(list_operations))
                .route(web::post().to(update_stored)),
        )
        .service(
            web::resource("/operations/{id}")
                .route(web::get().to(get_operation))
                .route(web::put().to(create_operation))
                .route(web::patch().to(change_operation))
                .route(web::delete().to(delete_operation)),
        );
}

/// List tasks graphs.
async fn list_graphs(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(TASKS)?;
    let page = service.manager.tasks_graphs(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Store a tasks graph with its operations.
///
/// The id is `graph_id` of the body, or a new one; that of the path is not looked at.
async fn create_graph(
    auth: Auth,
    service: web::Data<Service>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(TASKS)?;
    let operations =
        body.list("operations")?.unwrap_or_default().into_iter().map(|operation| match operation {
            Value::Object(operation) => described(&JsonBody(operation), None),
            other => Err(ApiError::bad_parameters(format!("an operation must be a dict, got {other}"))),
        });
    let new = NewTasksGraph {
        id: body.optional_text("graph_id")?.map(str::to_owned),
        execution_id: body.text("execution_id")?.to_owned(),
        name: body.text("name")?.to_owned(),
        operations: operations.collect::<Result<_, _>>()?,
        created_at: moment(&body, "created_at")?,
    };
    Ok(HttpResponse::Created().json(service.manager.create_tasks_graph(caller, new).await?))
}

/// Say how a tasks graph stands.
///
/// Nothing is kept of it: its operations tell how it stands.
async fn change_graph(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(TASKS)?;
    body.text("state")?;
    Ok(HttpResponse::Ok().json(service.manager.tasks_graph(caller, &id).await?))
}

/// List the operations of a tasks graph or an execution.
async fn list_operations(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(TASKS)?;
    let choice = OperationChoice {
        graph_id: listing.get("graph_id").map(str::to_owned),
        execution_id: listing.get("execution_id").map(str::to_owned),
        skip_internal: listing.boolean("skip_internal", false)?,
    };
    let query = listing.query(&["graph_id", "execution_id", "skip_internal"])?;
    let page = service.manager.operations(caller, choice, query).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Update the stored inputs of operations.
///
/// Answers 403: an update of a deployment does this by itself here.
async fn update_stored(auth: Auth, body: JsonBody) -> Result<HttpResponse, ApiError> {
    auth.allow(TASKS)?;
    body.text("action")?;
    Err(super::provenance::only_by_executions("Stored operations"))
}

/// Get an operation.
async fn get_operation(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(TASKS)?;
    Ok(HttpResponse::Ok().json(service.manager.operation(caller, &id).await?))
}

/// Store an operation of a tasks graph.
async fn create_operation(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(TASKS)?;
    let graph = body.text("graph_id")?;
    let new = described(&body, Some(id.into_inner()))?;
    Ok(HttpResponse::Created().json(service.manager.create_operation(caller, graph, new).await?))
}

/// Change where an operation stands.
async fn change_operation(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(TASKS)?;
    service.manager.change_operation(caller, &id, described(&body, None)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Delete an operation.
async fn delete_operation(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(TASKS)?;
    service.manager.delete_operation(caller, &id).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn described(body: &JsonBody, id: Option<String>) -> Result<NewOperation, ApiError> {
    let text = |name| body.optional_text(name).map(|text| text.map(str::to_owned));
    Ok(NewOperation {
        id: match id {
            Some(id) => Some(id),
            None => text("id")?,
        },
        name: text("name")?,
        state: text("state")?,
        dependencies: body.list("dependencies")?,
        kind: text("type")?,
        parameters: body.0.get("parameters").filter(|parameters| !parameters.is_null()).cloned(),
        manager_name: text("manager_name")?,
        agent_name: text("agent_name")?,
        created_at: moment(body, "created_at")?,
    })
}
