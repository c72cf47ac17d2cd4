//! The snapshots of a flow's steps, as elastic.io's document has them; and what runtimes emit by HTTP.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;
use crate::flows::{Emit, EmitKind, FLOW_EDIT, FLOW_EMIT, FLOW_READ, FlowError, JsonText, StepSnapshot};

use super::document::Document;
use super::views;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/v2/flows/{flow}/snapshots")
                .route(web::get().to(list))
                .route(web::post().to(create)),
        )
        .service(
            web::resource("/v2/flows/{flow}/snapshots/{step}")
                .route(web::get().to(get))
                .route(web::patch().to(edit))
                .route(web::delete().to(remove)),
        )
        .service(web::resource("/v2/flows/{flow}/snapshots/{step}/emit").route(web::post().to(emit)))
        .service(web::resource("/v2/flows/{flow}/snapshots/{step}/merge").route(web::post().to(merge)));
}

type FlowId = web::Path<String>;
type StepOfFlow = web::Path<(String, String)>;

/// Retrieve the snapshots of all steps of a flow.
///
/// In the order of the graph; steps that have none are left out.
async fn list(auth: Auth, service: web::Data<Service>, flow: FlowId) -> Result<HttpResponse, ApiError> {
    let snapshots = service.flows.snapshots(auth.asks(FLOW_READ), &flow).await?;
    let views: Vec<_> = snapshots.iter().map(|snapshot| views::snapshot(&flow, snapshot)).collect();
    Ok(views::all(&views))
}

/// Retrieve the snapshot of one step.
async fn get(auth: Auth, service: web::Data<Service>, path: StepOfFlow) -> Result<HttpResponse, ApiError> {
    let (flow, step) = path.into_inner();
    let snapshot = service.flows.snapshot(auth.asks(FLOW_READ), &flow, &step).await?;
    Ok(views::one(HttpResponse::Ok(), &views::snapshot(&flow, &snapshot)))
}

/// Create the snapshot of a step.
///
/// The step has to be in the flow's graph and to have no snapshot, and the flow to be stopped. Any JSON value is kept as
/// the text that was sent.
async fn create(
    auth: Auth,
    service: web::Data<Service>,
    flow: FlowId,
    body: Document,
) -> Result<HttpResponse, ApiError> {
    let snapshot = read(&body, None);
    let snapshot = service.flows.create_snapshot(auth.asks(FLOW_EDIT), &flow, snapshot).await?;
    Ok(views::one(HttpResponse::Created(), &views::snapshot(&flow, &snapshot)))
}

/// Edit the snapshot of a step.
///
/// The value takes the place of the former one, wholly. The flow has to be stopped.
async fn edit(
    auth: Auth,
    service: web::Data<Service>,
    path: StepOfFlow,
    body: Document,
) -> Result<HttpResponse, ApiError> {
    let (flow, step) = path.into_inner();
    let snapshot = read(&body, Some(&step));
    let snapshot = service.flows.edit_snapshot(auth.asks(FLOW_EDIT), &flow, snapshot).await?;
    Ok(views::one(HttpResponse::Ok(), &views::snapshot(&flow, &snapshot)))
}

/// Remove the snapshot of a step.
///
/// Its component starts from nothing next time. The flow has to be stopped. It can be undone.
async fn remove(auth: Auth, service: web::Data<Service>, path: StepOfFlow) -> Result<HttpResponse, ApiError> {
    let (flow, step) = path.into_inner();
    service.flows.remove_snapshot(auth.asks(FLOW_EDIT), &flow, &step).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Emit the snapshot of a step.
///
/// For runtimes: the body is the value itself. It takes the place of the former one, also while the flow runs, and is
/// durable when this answers.
async fn emit(
    auth: Auth,
    service: web::Data<Service>,
    path: StepOfFlow,
    listing: Listing,
    body: Document,
) -> Result<HttpResponse, ApiError> {
    let asking = auth.asks(FLOW_EMIT);
    let execution_id = listing.get("execution_id").map(str::to_owned);
    let (flow, step) = path.into_inner();
    let emit = Emit::of_caller(asking, &flow, &step, EmitKind::Replace, body.value(), execution_id);
    answer(&service, flow, step, emit).await
}

/// Merge an object into the snapshot of a step.
///
/// For runtimes: the members of the body are set in the value that is there; what they do not name stays to the letter.
/// A value that is no object is replaced.
async fn merge(
    auth: Auth,
    service: web::Data<Service>,
    path: StepOfFlow,
    listing: Listing,
    body: Document,
) -> Result<HttpResponse, ApiError> {
    let asking = auth.asks(FLOW_EMIT);
    let execution_id = listing.get("execution_id").map(str::to_owned);
    let (flow, step) = path.into_inner();
    let emit = Emit::of_caller(asking, &flow, &step, EmitKind::Merge, body.value(), execution_id);
    answer(&service, flow, step, emit).await
}

async fn answer(service: &Service, flow: String, step: String, emit: Emit) -> Result<HttpResponse, ApiError> {
    let value = service.flows.emit(emit).await?;
    Ok(views::one(HttpResponse::Ok(), &views::snapshot(&flow, &StepSnapshot { step, value })))
}

/// The snapshot in a document; its id is that of the step in the address, where one is there.
fn read(body: &Document, step: Option<&str>) -> Result<StepSnapshot, FlowError> {
    let resource = body.resource()?;
    resource.require_type("snapshot")?;
    let step = match step {
        Some(step) => {
            resource.check_id(step)?;
            step.to_owned()
        }
        None => resource.require_id()?,
    };
    let value = resource.raw("snapshot").ok_or_else(|| {
        FlowError::invalid(
            "/data/attributes/snapshot",
            "`snapshot` has to be there: any JSON value, `null` among them",
        )
    })?;
    Ok(StepSnapshot { step, value: JsonText::from(value) })
}
