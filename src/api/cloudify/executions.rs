//! Executions and their events.

use actix_web::{HttpResponse, web};

use crate::app::Service;
use crate::executions::ExecutionError;
use crate::model::{CancelMode, ExecutionId, Permission, TenantRole, Timestamp};

use super::super::{ApiError, Auth, JsonBody, Listing, page_json};

const LIST: Permission = Permission::tenant("execution_list", TenantRole::Viewer);
const GET: Permission = Permission::tenant("execution_list", TenantRole::Viewer);
const START: Permission = Permission::tenant("execution_start", TenantRole::Operations);
const CANCEL: Permission = Permission::tenant("execution_cancel", TenantRole::Operations);
const CANCEL_SYSTEM: Permission = Permission::system("execution_cancel");
const EVENTS: Permission = Permission::tenant("event_list", TenantRole::Viewer);

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/executions").route(web::get().to(list)).route(web::post().to(start)))
        .service(web::resource("/executions/{id}").route(web::get().to(get)).route(web::post().to(act)))
        .service(web::resource("/events").route(web::get().to(events)));
}

/// List executions.
///
/// Those of the service and those of deployments in one list. System workflows are hidden unless
/// `_include_system_workflows` asks for them.
async fn list(service: web::Data<Service>, auth: Auth, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(LIST)?;
    let query = listing.query(&[])?;
    let asks = query.filters.iter().any(|filter| filter.column == "is_system_workflow");
    let include_system = asks || listing.boolean("_include_system_workflows", false)?;
    let page = service.list_executions(caller, query, include_system).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get an execution.
async fn get(
    service: web::Data<Service>,
    auth: Auth,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(GET)?;
    let item = service.get_execution(caller, parse_id(&id)?, listing.include()).await?;
    Ok(HttpResponse::Ok().json(item))
}

/// Start a workflow of a deployment.
async fn start(service: web::Data<Service>, auth: Auth, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(START)?;
    let deployment = body.text("deployment_id")?.to_owned();
    let workflow = body.text("workflow_id")?.to_owned();
    let parameters = body.object("parameters")?.cloned().unwrap_or_default();
    let scheduled_time = match body.optional_text("scheduled_time")? {
        None => None,
        Some(text) => Some(scheduled(text)?),
    };
    let options = crate::manager::StartOptions {
        allow_custom_parameters: body.boolean("allow_custom_parameters", false)?,
        force: body.boolean("force", false)?,
        dry_run: body.boolean("dry_run", false)?,
        queue: body.boolean("queue", false)?,
        scheduled_for: scheduled_time,
    };
    let execution =
        service.manager.start_workflow(caller, &deployment, &workflow, parameters, options).await?;
    service.wake();
    Ok(HttpResponse::Created().json(service.execution_view(execution.id).await?))
}

/// Cancel an execution.
///
/// `cancel`, `force-cancel` and `kill`.
async fn act(
    service: web::Data<Service>,
    auth: Auth,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(CANCEL)?;
    let id = parse_id(&id)?;
    let action = body.text("action")?;
    let mode = match action {
        "cancel" => CancelMode::Cancel,
        "force-cancel" => CancelMode::Force,
        "kill" => CancelMode::Kill,
        _ => {
            return Err(ApiError::bad_parameters(format!(
                "Invalid action: {action}, Valid action values are: ['cancel', 'force-cancel', 'kill']"
            )));
        }
    };
    // Whoever may not see it is not told that it is there.
    service.get_execution(caller, id, None).await?;
    if service.engine.find(id).await?.workflow.is_of_the_service() {
        auth.allow(CANCEL_SYSTEM)?;
    }
    service.engine.cancel(id, mode).await?;
    Ok(HttpResponse::Ok().json(service.execution_view(id).await?))
}

/// List events and logs.
async fn events(service: web::Data<Service>, auth: Auth, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EVENTS)?;
    let own = ["from_datetime", "to_datetime", "message", "include_logs"];
    let query = listing.query(&own)?;
    let between = (listing.get("from_datetime"), listing.get("to_datetime"));
    let between = (moment("from_datetime", between.0)?, moment("to_datetime", between.1)?);
    let message = listing.get("message").map(str::to_owned);
    let page = service.list_events(caller, query, between, message).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

fn parse_id(text: &str) -> Result<ExecutionId, ApiError> {
    // What is no UUID names no execution.
    text.parse().map_err(|_| ExecutionError::NotFound(text.to_owned()).into())
}

fn moment(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    text.map(|text| {
        Timestamp::parse(text)
            .ok_or_else(|| ApiError::bad_parameters(format!("{name} must be a time in ISO 8601, got {text}")))
    })
    .transpose()
}

/// Cloudify's clients write `YYYYMMDDHHMM+HHMM`; ISO 8601 is taken as well.
fn scheduled(text: &str) -> Result<Timestamp, ApiError> {
    chrono::DateTime::parse_from_str(text, "%Y%m%d%H%M%z")
        .map(|moment| moment.with_timezone(&chrono::Utc).into())
        .ok()
        .or_else(|| Timestamp::parse(text))
        .ok_or_else(|| {
            ApiError::bad_parameters(format!(
                "scheduled_time must be a time like 202612312359+0000 or in ISO 8601, got {text}"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_time_are_read() {
        let expected = Timestamp::parse("2026-12-31T22:59:00Z").unwrap();
        assert_eq!(scheduled("202612312359+0100").unwrap(), expected);
        assert_eq!(scheduled("2026-12-31T22:59:00Z").unwrap(), expected);
        assert!(scheduled("tomorrow").is_err());
    }
}
