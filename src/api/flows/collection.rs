//! Flows themselves.

use actix_web::{HttpResponse, web};

use crate::api::extract::parse_boolean;
use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;
use crate::flows::{
    CurrentStatus, FLOW_EDIT, FLOW_EMIT, FLOW_READ, FLOW_TOGGLE, FlowChange, FlowError, FlowFilter,
    FlowOrder, FlowStatus, FlowType, Graph, JsonText, MapperType, NewFlow,
};

use super::document::{Document, Resource, paging};
use super::views;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v2/flows").route(web::get().to(list)).route(web::post().to(create)))
        .service(web::resource("/v2/flows/{flow}/start").route(web::post().to(start)))
        .service(web::resource("/v2/flows/{flow}/stop").route(web::post().to(stop)))
        .service(web::resource("/v2/flows/{flow}/current-status").route(web::post().to(report)))
        .service(
            web::resource("/v2/flows/{flow}")
                .route(web::get().to(get))
                .route(web::patch().to(edit))
                .route(web::delete().to(delete)),
        );
}

type FlowId = web::Path<String>;

/// List flows.
///
/// Those of the workspaces of which the caller is a member.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let word = |name: &'static str| listing.get(name).filter(|text| !text.is_empty());
    let status = word("filter[status]").map(|text| {
        FlowStatus::parse(text).ok_or_else(|| unknown("filter[status]", text, FlowStatus::NAMES))
    });
    let flow_type = word("filter[type]")
        .map(|text| FlowType::parse(text).ok_or_else(|| unknown("filter[type]", text, FlowType::NAMES)));
    let has_draft = word("filter[has_draft]").map(|text| parse_boolean("filter[has_draft]", text));
    let order = word("sort")
        .map(|text| FlowOrder::parse(text).ok_or_else(|| unknown("sort", text, FlowOrder::NAMES)));
    let filter = FlowFilter {
        workspace: word("workspace_id").map(str::to_owned),
        status: status.transpose()?,
        flow_type: flow_type.transpose()?,
        user: word("filter[user]").map(str::to_owned),
        has_draft: has_draft.transpose()?,
        search: listing.get("search").map(str::to_owned),
    };
    let paging = paging(&listing, 50, 100)?;
    let order = order.transpose()?.unwrap_or_default();
    let page = service.flows.list(auth.asks(FLOW_READ), filter, order, paging).await?;
    Ok(views::page(&page, views::flow))
}

/// Create a flow.
///
/// It is stopped. Its steps are the nodes of its graph.
async fn create(auth: Auth, service: web::Data<Service>, body: Document) -> Result<HttpResponse, ApiError> {
    let flow = service.flows.create(auth.asks(FLOW_EDIT), read_new(&body)).await?;
    Ok(views::one(HttpResponse::Created(), &views::flow(&flow)))
}

/// Retrieve a flow.
async fn get(auth: Auth, service: web::Data<Service>, flow: FlowId) -> Result<HttpResponse, ApiError> {
    let (flow, orphans) = service.flows.get_with_orphans(auth.asks(FLOW_READ), &flow).await?;
    Ok(views::one(HttpResponse::Ok(), &views::whole_flow(&flow, orphans)))
}

/// Edit a flow.
///
/// What is not named stays. Type and graph change only while the flow is stopped. The snapshots of steps that leave the
/// graph are kept.
async fn edit(
    auth: Auth,
    service: web::Data<Service>,
    flow: FlowId,
    body: Document,
) -> Result<HttpResponse, ApiError> {
    let flow = service.flows.edit(auth.asks(FLOW_EDIT), &flow, read_change(&body, &flow)).await?;
    Ok(views::one(HttpResponse::Ok(), &views::flow(&flow)))
}

/// Delete a flow.
///
/// The flow has to be stopped. The snapshots of its steps and their history go with it, its captures stay.
async fn delete(auth: Auth, service: web::Data<Service>, flow: FlowId) -> Result<HttpResponse, ApiError> {
    service.flows.delete(auth.asks(FLOW_EDIT), &flow).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Start a flow.
///
/// `status` is `active` at once; `current_status` follows, or waits for the runtime that reports it.
async fn start(auth: Auth, service: web::Data<Service>, flow: FlowId) -> Result<HttpResponse, ApiError> {
    let flow = service.flows.start(auth.asks(FLOW_TOGGLE), &flow).await?;
    Ok(views::one(HttpResponse::Accepted(), &views::flow(&flow)))
}

/// Stop a flow.
///
/// `status` is `inactive` at once; `current_status` follows, or waits for the runtime that reports it.
async fn stop(auth: Auth, service: web::Data<Service>, flow: FlowId) -> Result<HttpResponse, ApiError> {
    service.flows.stop(auth.asks(FLOW_TOGGLE), &flow).await?;
    Ok(HttpResponse::Accepted().json(serde_json::json!({ "data": {}, "meta": {} })))
}

/// Report whether a flow runs.
///
/// For runtimes: from now on only reports change `current_status`; null ends that, and it follows `status` again.
async fn report(
    auth: Auth,
    service: web::Data<Service>,
    flow: FlowId,
    body: Document,
) -> Result<HttpResponse, ApiError> {
    let flow = service.flows.report(auth.asks(FLOW_EMIT), &flow, read_status(&body)).await?;
    Ok(views::one(HttpResponse::Ok(), &views::flow(&flow)))
}

fn unknown(name: &str, text: &str, words: &[&str]) -> FlowError {
    FlowError::parameter(format!("`{name}` is `{text}`, and has to be one of {}", words.join(", ")))
}

fn read_new(body: &Document) -> Result<NewFlow, FlowError> {
    let resource = body.resource()?;
    resource.require_type("flow")?;
    let workspace = resource.related("workspace")?.ok_or_else(|| {
        FlowError::invalid("/data/relationships/workspace/data/id", "a flow has to have a workspace")
    })?;
    let absent = |name: &str, words: &[&str]| {
        FlowError::invalid(
            format!("/data/attributes/{name}"),
            format!("`{name}` has to be there: one of {}", words.join(", ")),
        )
    };
    Ok(NewFlow {
        workspace,
        name: resource.required("name", "a text")?,
        description: resource.attribute::<Option<String>>("description", "a text or null")?.flatten(),
        flow_type: resource
            .word("type", FlowType::parse, FlowType::NAMES)?
            .ok_or_else(|| absent("type", FlowType::NAMES))?,
        default_mapper_type: resource
            .word("default_mapper_type", MapperType::parse, MapperType::NAMES)?
            .ok_or_else(|| absent("default_mapper_type", MapperType::NAMES))?,
        cron: resource.attribute::<Option<String>>("cron", "a text or null")?.flatten(),
        graph: graph(&resource)?.ok_or_else(|| {
            FlowError::invalid("/data/attributes/graph", "`graph` has to be there: nodes and edges")
        })?,
    })
}

fn read_change(body: &Document, flow: &str) -> Result<FlowChange, FlowError> {
    const CHANGEABLE: [&str; 6] = ["name", "description", "type", "cron", "default_mapper_type", "graph"];
    let resource = body.resource()?;
    resource.require_type("flow")?;
    resource.check_id(flow)?;
    if let Some(other) = resource.attribute_names().find(|name| !CHANGEABLE.contains(name)) {
        return Err(FlowError::invalid(
            format!("/data/attributes/{other}"),
            format!("`{other}` can't be edited: only {} can", CHANGEABLE.join(", ")),
        ));
    }
    Ok(FlowChange {
        name: resource.attribute("name", "a text")?,
        description: resource.attribute("description", "a text or null")?,
        flow_type: resource.word("type", FlowType::parse, FlowType::NAMES)?,
        default_mapper_type: resource.word("default_mapper_type", MapperType::parse, MapperType::NAMES)?,
        cron: resource.attribute("cron", "a text or null")?,
        graph: graph(&resource)?,
    })
}

fn graph(resource: &Resource<'_>) -> Result<Option<Graph>, FlowError> {
    let graph =
        resource.raw("graph").map(|graph| Graph::parse(JsonText::from(graph), "/data/attributes/graph"));
    graph.transpose()
}

fn read_status(body: &Document) -> Result<CurrentStatus, FlowError> {
    let resource = body.resource()?;
    if resource.raw("current_status").is_some_and(|raw| raw.get() == "null") {
        return Ok(CurrentStatus::Follows);
    }
    let status = resource.word("current_status", FlowStatus::parse, FlowStatus::NAMES)?;
    status.map(CurrentStatus::Reported).ok_or_else(|| {
        let detail = "`current_status` has to be there: `active`, `inactive` or null";
        FlowError::invalid("/data/attributes/current_status", detail)
    })
}
