//! `/execution-schedules`.

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::{NewSchedule, ScheduleChange};

use super::permissions::{SCHEDULE_CREATE, SCHEDULE_GET, SCHEDULE_LIST};
use super::provenance::{moment, provenance};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/execution-schedules").route(web::get().to(list))).service(
        web::resource("/execution-schedules/{id}")
            .route(web::get().to(get))
            .route(web::put().to(create))
            .route(web::patch().to(change))
            .route(web::delete().to(delete)),
    );
}

/// List execution schedules.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SCHEDULE_LIST)?;
    let page = service.manager.schedules(caller, listing.query(&[])?, service.clock.now()).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get an execution schedule.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SCHEDULE_GET)?;
    let deployment = deployment(&listing)?;
    let now = service.clock.now();
    let schedule = service.manager.schedule(caller, deployment, &id, listing.include(), now).await?;
    Ok(HttpResponse::Ok().json(schedule))
}

/// Create an execution schedule.
///
/// From then on the service starts the workflow at each occurrence.
async fn create(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SCHEDULE_CREATE)?;
    let (created_by, created_at) = provenance(&auth, &body)?;
    let since = moment(&body, "since")?;
    let new = NewSchedule {
        id: id.into_inner(),
        deployment_id: deployment(&listing)?.to_owned(),
        workflow_id: body.text("workflow_id")?.to_owned(),
        parameters: body.object("parameters")?.cloned(),
        arguments: arguments(&body)?,
        rule: body.0.clone(),
        since: since.ok_or_else(|| ApiError::bad_parameters("Missing since in json request body"))?,
        until: moment(&body, "until")?,
        slip_minutes: slip(&body)?.unwrap_or(0),
        stop_on_fail: body.boolean("stop_on_fail", false)?,
        enabled: body.boolean("enabled", true)?,
        created_by,
        created_at,
    };
    let schedule = service.manager.create_schedule(caller, new, service.clock.now()).await?;
    Ok(HttpResponse::Created().json(schedule))
}

/// Change an execution schedule.
///
/// What is not named stays as it was.
async fn change(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SCHEDULE_CREATE)?;
    let change = ScheduleChange {
        workflow_id: body.optional_text("workflow_id")?.map(str::to_owned),
        rule: body.0.clone(),
        since: moment(&body, "since")?,
        until: moment(&body, "until")?,
        slip_minutes: slip(&body)?,
        stop_on_fail: flag(&body, "stop_on_fail")?,
        enabled: flag(&body, "enabled")?,
    };
    let now = service.clock.now();
    let schedule = service.manager.change_schedule(caller, deployment(&listing)?, &id, change, now).await?;
    Ok(HttpResponse::Created().json(schedule))
}

/// Delete an execution schedule.
///
/// The executions that it started stay.
async fn delete(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SCHEDULE_CREATE)?;
    service.manager.delete_schedule(caller, deployment(&listing)?, &id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The deployment to which a schedule belongs: schedules of two deployments may have the same name.
fn deployment(listing: &Listing) -> Result<&str, ApiError> {
    listing.get("deployment_id").ok_or_else(|| {
        ApiError::bad_parameters("Missing required parameter deployment_id in the query string")
    })
}

fn flag(body: &JsonBody, name: &str) -> Result<Option<bool>, ApiError> {
    match body.0.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => body.boolean(name, false).map(Some),
    }
}

fn slip(body: &JsonBody) -> Result<Option<i64>, ApiError> {
    match body.0.get("slip") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
            number.filter(|number| *number >= 0).map(Some).ok_or_else(|| {
                ApiError::bad_parameters(format!("invalid parameter, should be int, got: {value}"))
            })
        }
    }
}

/// How the executions are started, as Cloudify keeps it.
fn arguments(body: &JsonBody) -> Result<Map<String, Value>, ApiError> {
    let Some(given) = body.object("execution_arguments")?.filter(|given| !given.is_empty()) else {
        return Ok(Map::new());
    };
    let given = JsonBody(given.clone());
    let arguments = json!({
        "allow_custom_parameters": given.boolean("allow_custom_parameters", false)?,
        "force": given.boolean("force", false)?,
        "is_dry_run": given.boolean("dry_run", false)? || given.boolean("is_dry_run", false)?,
        "wait_after_fail": given.0.get("wait_after_fail").cloned().unwrap_or(json!(600)),
    });
    Ok(arguments.as_object().cloned().unwrap_or_default())
}
