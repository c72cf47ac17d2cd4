//! Executions and their events.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::app::Service;
use crate::database::{Filter, ListQuery};
use crate::executions::{EventChoice, ExecutionError};
use crate::manager::Keep;
use crate::model::{CancelMode, ExecutionId, Permission, TenantRole, Timestamp};

use super::super::{ApiError, Auth, JsonBody, Listing, page_json};

const LIST: Permission = Permission::tenant("execution_list", TenantRole::Viewer);
const GET: Permission = Permission::tenant("execution_list", TenantRole::Viewer);
const START: Permission = Permission::tenant("execution_start", TenantRole::Operations);
const CANCEL: Permission = Permission::tenant("execution_cancel", TenantRole::Operations);
const CANCEL_SYSTEM: Permission = Permission::system("execution_cancel");
const DELETE: Permission = Permission::tenant("execution_delete", TenantRole::Operations);
const DELETE_EVENTS: Permission = Permission::tenant("event_delete", TenantRole::Operations);
const EVENTS: Permission = Permission::tenant("event_list", TenantRole::Viewer);

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/executions")
                .route(web::get().to(list))
                .route(web::post().to(start))
                .route(web::delete().to(delete)),
        )
        .service(web::resource("/executions/{id}").route(web::get().to(get)).route(web::post().to(act)))
        .service(
            web::resource("/events").route(web::get().to(events)).route(web::delete().to(delete_events)),
        );
}

/// List executions.
///
/// Those of the service and those of deployments in one list. System workflows are hidden unless
/// `_include_system_workflows` asks for them.
async fn list(service: web::Data<Service>, auth: Auth, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(LIST)?;
    let mut query = listing.query(&[])?;
    if let Some(group) = listing.get("_group_id") {
        query
            .filters
            .push(Filter { column: "execution_group_id".to_owned(), values: vec![group.to_owned()] });
    }
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

/// Cancel or resume an execution.
///
/// `cancel`, `force-cancel` and `kill`; `resume` and `force-resume` let one of a deployment run again that failed or was
/// cancelled.
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
        "resume" | "force-resume" => {
            service.resume_execution(caller, id).await?;
            return Ok(HttpResponse::Ok().json(service.execution_view(id).await?));
        }
        _ => {
            return Err(ApiError::bad_parameters(format!(
                "Invalid action: {action}, Valid action values are: ['cancel', 'force-cancel', 'kill', 'resume', 'force-resume']"
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
    let query = by_node(listing.query(&OF_EVENTS)?);
    let page = service.list_events(caller, query, chosen(&listing)?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// `cfy events list --node` calls the node by its id, which events call its name.
fn by_node(mut query: ListQuery) -> ListQuery {
    for filter in query.filters.iter_mut().filter(|filter| filter.column == "node_id") {
        filter.column = "node_name".to_owned();
    }
    query
}

/// Delete the events and logs of a deployment's executions.
///
/// The same parameters as those of the list choose; events of the service's own executions stay.
async fn delete_events(
    service: web::Data<Service>,
    auth: Auth,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DELETE_EVENTS)?;
    let deployment = listing
        .get("deployment_id")
        .ok_or_else(|| ApiError::bad_parameters("Missing deployment_id in the query"))?;
    let query = by_node(listing.query(&OF_EVENTS)?);
    let count = service.manager.delete_events(caller, deployment, query, chosen(&listing)?).await?;
    Ok(HttpResponse::Ok().json(counted(&json!(count))))
}

/// The parameters of events that are no filters of a list.
const OF_EVENTS: [&str; 7] = [
    "from_datetime",
    "to_datetime",
    "message",
    "message.text",
    "include_logs",
    "store_before",
    "execution_group_id",
];

/// Which events are meant: times by name or as Cloudify's older `_range`, and what the text is like.
fn chosen(listing: &Listing) -> Result<EventChoice, ApiError> {
    let mut choice = EventChoice {
        from: moment("from_datetime", listing.get("from_datetime"))?,
        to: moment("to_datetime", listing.get("to_datetime"))?,
        message: listing.get("message").or(listing.get("message.text")).map(str::to_owned),
        group: listing.get("execution_group_id").map(str::to_owned),
    };
    for range in listing.all("_range") {
        let [field, from, to] = range.split(',').collect::<Vec<_>>()[..] else {
            return Err(ApiError::bad_parameters(format!("_range must be <field>,<from>,<to>, got {range}")));
        };
        if !matches!(field, "@timestamp" | "timestamp" | "reported_timestamp") {
            return Err(ApiError::bad_parameters(format!("_range can't be of {field}")));
        }
        let given =
            |text: &'static str, value| moment(text, Some(value).filter(|value: &&str| !value.is_empty()));
        choice.from = given("_range", from)?.or(choice.from);
        choice.to = given("_range", to)?.or(choice.to);
    }
    Ok(choice)
}

/// How many were deleted, as the one item of a list.
fn counted(item: &Value) -> Value {
    json!({
        "items": [item],
        "metadata": { "pagination": { "total": 1, "size": 1, "offset": 0 }, "filtered": null },
    })
}

/// Delete ended executions.
///
/// `keep_last` keeps the youngest, `to_datetime` those recorded later. The execution that made a deployment stays as long
/// as the deployment does, and so do executions of the service.
async fn delete(
    service: web::Data<Service>,
    auth: Auth,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DELETE)?;
    let last = match body.0.get("keep_last") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
            Some(number.filter(|number| *number > 0).ok_or_else(|| {
                ApiError::bad_parameters(format!(
                    "`keep_last` must be an integer greater than 0, got {value} instead."
                ))
            })?)
        }
    };
    let keep = match (last, moment("to_datetime", body.optional_text("to_datetime")?)?) {
        (Some(last), None) => Keep::Last(last),
        (None, Some(moment)) => Keep::After(moment),
        _ => {
            return Err(ApiError::bad_parameters(
                "Must provide either a `to_datetime` timestamp or a `keep_last` number of executions to keep",
            ));
        }
    };
    let count = service.manager.delete_executions(caller, listing.query(&[])?, keep).await?;
    Ok(HttpResponse::Ok().json(counted(&json!({ "count": count }))))
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
