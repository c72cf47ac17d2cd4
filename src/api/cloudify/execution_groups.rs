//! `/execution-groups`.

use actix_web::{HttpResponse, web};
use serde_json::Value;

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::{DEFAULT_CONCURRENCY, GroupTargets, NewExecutionGroup};
use crate::model::CancelMode;

use super::permissions::{
    EXECUTION_GROUP_CANCEL, EXECUTION_GROUP_CREATE, EXECUTION_GROUP_GET, EXECUTION_GROUP_LIST,
    EXECUTION_GROUP_UPDATE,
};
use super::provenance::{only_admin, provenance};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/execution-groups").route(web::get().to(list)).route(web::post().to(start)))
        .service(
            web::resource("/execution-groups/{id}")
                .route(web::get().to(get))
                .route(web::post().to(act))
                .route(web::patch().to(change)),
        );
}

/// List execution groups.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EXECUTION_GROUP_LIST)?;
    let page = service.manager.execution_groups(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get an execution group.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EXECUTION_GROUP_GET)?;
    Ok(HttpResponse::Ok().json(service.manager.execution_group(caller, &id, listing.include()).await?))
}

/// Start a workflow on every deployment of a deployment group.
///
/// At most `concurrency` of the executions run beside each other; the others wait as `queued`.
async fn start(auth: Auth, service: web::Data<Service>, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EXECUTION_GROUP_CREATE)?;
    let (created_by, created_at) = provenance(&auth, &body)?;
    let id = body.optional_text("id")?.map(str::to_owned);
    let executions = body.list("associated_executions")?.unwrap_or_default();
    if id.is_some() || !executions.is_empty() {
        only_admin(&auth, "set_execution_group_details")?;
    }
    let new = NewExecutionGroup {
        deployment_group_id: body.text("deployment_group_id")?.to_owned(),
        workflow_id: body.text("workflow_id")?.to_owned(),
        default_parameters: body.object("default_parameters")?.cloned().unwrap_or_default(),
        parameters: body.object("parameters")?.cloned().unwrap_or_default(),
        concurrency: concurrency(&body)?.unwrap_or(DEFAULT_CONCURRENCY),
        force: body.boolean("force", false)?,
        executions: executions.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        id,
        created_by,
        created_at,
    };
    let group = service.manager.start_execution_group(caller, new).await?;
    service.wake();
    Ok(HttpResponse::Ok().json(group))
}

/// Cancel or resume the executions of an execution group.
///
/// `cancel`, `force-cancel`, `kill`, `resume` and `force-resume`.
async fn act(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EXECUTION_GROUP_CANCEL)?;
    let action = body.text("action")?;
    let mode = match action {
        "cancel" => CancelMode::Cancel,
        "force-cancel" => CancelMode::Force,
        "kill" => CancelMode::Kill,
        "resume" | "force-resume" => {
            let group = service.manager.resume_execution_group(caller, &id).await?;
            service.wake();
            return Ok(HttpResponse::Ok().json(group));
        }
        _ => {
            return Err(ApiError::bad_parameters(format!(
                "Invalid action: {action}, Valid action values are: ['cancel', 'force-cancel', 'kill', 'resume', 'force-resume']"
            )));
        }
    };
    let group = service.manager.cancel_execution_group(&service.engine, caller, &id, mode).await?;
    Ok(HttpResponse::Ok().json(group))
}

/// Change an execution group.
///
/// Deployments whose execution ended well come into `success_group_id`, those whose execution failed into
/// `failure_group_id`, those that have ended already among them.
async fn change(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EXECUTION_GROUP_UPDATE)?;
    let change = GroupTargets {
        success_group_id: body.optional_text("success_group_id")?.map(str::to_owned),
        failure_group_id: body.optional_text("failure_group_id")?.map(str::to_owned),
        concurrency: concurrency(&body)?,
    };
    let group = service.manager.change_execution_group(caller, &id, change).await?;
    service.wake();
    Ok(HttpResponse::Ok().json(group))
}

fn concurrency(body: &JsonBody) -> Result<Option<u32>, ApiError> {
    match body.0.get("concurrency") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            number
                .and_then(|number| u32::try_from(number).ok())
                .filter(|number| *number > 0)
                .map(Some)
                .ok_or_else(|| {
                    ApiError::bad_parameters(format!("concurrency must be a positive integer, got {value}"))
                })
        }
    }
}
