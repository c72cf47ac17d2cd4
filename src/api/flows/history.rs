//! What neither of elastic.io's versions has: the history of step snapshots, reset and undo.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;
use crate::flows::{FLOW_EDIT, FLOW_READ, FlowError, UndoRequest};

use super::document::{Document, paging};
use super::views;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v2/flows/{flow}/history").route(web::get().to(of_flow)))
        .service(web::resource("/v2/flows/{flow}/snapshots/{step}/history").route(web::get().to(of_step)))
        .service(web::resource("/v2/flows/{flow}/reset").route(web::post().to(reset)))
        .service(web::resource("/v2/flows/{flow}/undo").route(web::post().to(undo)));
}

type FlowId = web::Path<String>;

/// List what happened to the snapshots of a flow.
///
/// The newest first; of each step the last entries are kept, as many as the setting `flows.history_entries` says.
async fn of_flow(
    auth: Auth,
    service: web::Data<Service>,
    flow: FlowId,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let paging = paging(&listing, 50, 1000)?;
    let page = service.flows.history(auth.asks(FLOW_READ), &flow, None, paging).await?;
    Ok(views::page(&page, views::history_item))
}

/// List what happened to the snapshot of one step.
///
/// The newest first.
async fn of_step(
    auth: Auth,
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let (flow, step) = path.into_inner();
    let paging = paging(&listing, 50, 1000)?;
    let page = service.flows.history(auth.asks(FLOW_READ), &flow, Some(&step), paging).await?;
    Ok(views::page(&page, views::history_item))
}

/// Reset the snapshots of a flow.
///
/// Removes those of the steps that are named, or of all steps, in one change that can be undone. The flow has to be
/// stopped.
async fn reset(
    auth: Auth,
    service: web::Data<Service>,
    flow: FlowId,
    body: Document,
) -> Result<HttpResponse, ApiError> {
    let steps = read_steps(&body);
    let change = service.flows.reset(auth.asks(FLOW_EDIT), &flow, steps).await?;
    Ok(views::one(HttpResponse::Ok(), &views::change(&change)))
}

/// Undo a change of snapshots.
///
/// Without a change's id the latest one that was not undone: asked again, it goes further back. The undoing of an undo is
/// asked for by that one's id. The flow has to be stopped.
async fn undo(
    auth: Auth,
    service: web::Data<Service>,
    flow: FlowId,
    body: Document,
) -> Result<HttpResponse, ApiError> {
    let request = read_undo(&body);
    let change = service.flows.undo(auth.asks(FLOW_EDIT), &flow, request).await?;
    Ok(views::one(HttpResponse::Ok(), &views::change(&change)))
}

fn read_steps(body: &Document) -> Result<Option<Vec<String>>, FlowError> {
    body.optional_resource()?.attribute("steps", "a list of ids of steps")
}

fn read_undo(body: &Document) -> Result<UndoRequest, FlowError> {
    let resource = body.optional_resource()?;
    let change = match resource.attribute::<String>("change", "the id of a change, a text")? {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            FlowError::invalid("/data/attributes/change", format!("`{text}` is no id of a change"))
        })?),
    };
    Ok(UndoRequest {
        change,
        step: resource.attribute("step", "the id of a step, a text")?,
        force: resource.attribute("force", "true or false")?.unwrap_or(false),
    })
}
