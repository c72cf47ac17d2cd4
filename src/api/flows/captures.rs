//! Captures: the snapshots of all steps of a flow, kept as one set.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;
use crate::flows::{FLOW_EDIT, FLOW_READ, FlowError};

use super::document::{Document, paging};
use super::views;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/v2/flows/{flow}/captures")
                .route(web::get().to(of_flow))
                .route(web::post().to(create)),
        )
        .service(web::resource("/v2/captures").route(web::get().to(list)))
        .service(web::resource("/v2/captures/{capture}/compare").route(web::get().to(compare)))
        .service(web::resource("/v2/captures/{capture}/restore").route(web::post().to(restore)))
        .service(
            web::resource("/v2/captures/{capture}").route(web::get().to(get)).route(web::delete().to(delete)),
        );
}

type Id = web::Path<String>;

/// Capture the snapshots of a flow.
///
/// Records an execution and returns at once; the set is there when that has ended. Allowed while the flow runs: the set is
/// then called fuzzy, as what components hold in memory is not in it.
async fn create(
    auth: Auth,
    service: web::Data<Service>,
    flow: Id,
    body: Document,
) -> Result<HttpResponse, ApiError> {
    let description = read_description(&body);
    let request = service.flows.capture(auth.asks(FLOW_EDIT), &flow, description).await?;
    Ok(views::one(HttpResponse::Accepted(), &views::asked_capture(&request)))
}

/// List the captures of a flow.
///
/// The newest first, without values.
async fn of_flow(
    auth: Auth,
    service: web::Data<Service>,
    flow: Id,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let paging = paging(&listing, 50, 100)?;
    let page = service.flows.captures_of(auth.asks(FLOW_READ), &flow, paging).await?;
    Ok(views::page(&page, views::capture))
}

/// List captures.
///
/// The newest first, without values; also those of flows that are gone.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let word = |name: &'static str| listing.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let workspace = word("workspace_id");
    let flow = word("filter[flow]");
    let paging = paging(&listing, 50, 100)?;
    let page = service.flows.captures(auth.asks(FLOW_READ), workspace, flow, paging).await?;
    Ok(views::page(&page, views::capture))
}

/// Retrieve a capture with its values.
async fn get(auth: Auth, service: web::Data<Service>, capture: Id) -> Result<HttpResponse, ApiError> {
    let (capture, values) = service.flows.get_capture(auth.asks(FLOW_READ), &capture).await?;
    Ok(views::one(HttpResponse::Ok(), &views::whole_capture(&capture, &values)))
}

/// Delete a capture.
async fn delete(auth: Auth, service: web::Data<Service>, capture: Id) -> Result<HttpResponse, ApiError> {
    service.flows.delete_capture(auth.asks(FLOW_EDIT), &capture).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Compare a capture with another one, or with the present.
async fn compare(
    auth: Auth,
    service: web::Data<Service>,
    capture: Id,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let with = listing.get("with").unwrap_or("live");
    let other = (with != "live").then(|| with.to_owned());
    let comparison = service.flows.compare_capture(auth.asks(FLOW_READ), &capture, other).await?;
    let id = format!("{capture}..{with}");
    Ok(views::one(HttpResponse::Ok(), &views::comparison(&id, &comparison)))
}

/// Put a capture back as a whole.
///
/// Into its own flow, or into another one whose graph has its steps; steps that it has not lose their snapshot. One change,
/// which can be undone. The flow has to be stopped.
async fn restore(
    auth: Auth,
    service: web::Data<Service>,
    capture: Id,
    body: Document,
) -> Result<HttpResponse, ApiError> {
    let into = read_flow(&body);
    let change = service.flows.restore_capture(auth.asks(FLOW_EDIT), &capture, into).await?;
    Ok(views::one(HttpResponse::Ok(), &views::change(&change)))
}

fn read_description(body: &Document) -> Result<Option<String>, FlowError> {
    Ok(body.optional_resource()?.attribute::<Option<String>>("description", "a text or null")?.flatten())
}

fn read_flow(body: &Document) -> Result<Option<String>, FlowError> {
    body.optional_resource()?.attribute("flow", "the id of a flow, a text")
}
