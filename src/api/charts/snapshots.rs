//! Chart snapshots and the jobs that draw them.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;
use crate::charts::render::MAX_SIDE;
use crate::charts::{ChartError, ChartKind, ChartSnapshot, NewChartSnapshot, PictureSize, read_tags};
use crate::model::{Permission, TenantRole};

use super::body::Fields;
use super::parameters::{flag, moment, number, page, slice_of_newest, text, whole, written};
use super::spaces::READ;

const CREATE: Permission = Permission::tenant("chart_snapshot_create", TenantRole::Viewer);
const DELETE: Permission = Permission::tenant("chart_snapshot_delete", TenantRole::User);

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/snapshots").route(web::get().to(list)).route(web::post().to(create)))
        .service(
            web::resource("/v1/snapshots/{snapshot}")
                .route(web::get().to(get))
                .route(web::delete().to(delete)),
        )
        .service(web::resource("/v1/jobs/{job}").route(web::get().to(job)).route(web::delete().to(cancel)));
}

type Number = web::Path<String>;

/// Create a snapshot of a chart.
///
/// Records a job that draws the picture, and returns at once. What is drawn is the chart as it is now, whatever becomes of
/// it.
async fn create(
    auth: Auth,
    service: web::Data<Service>,
    request: HttpRequest,
    body: Fields,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(CREATE)?;
    let snapshot = service.charts.create_snapshot(caller, read(&body.0)?).await?;
    let location = format!("/v1/snapshots/{}", snapshot.id);
    let view = view(&base(&service, &request), &snapshot);
    Ok(HttpResponse::Accepted().insert_header(("Location", location)).json(view))
}

/// List chart snapshots.
///
/// The newest first, unless `sort` is `asc`.
async fn list(
    auth: Auth,
    service: web::Data<Service>,
    request: HttpRequest,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    let slice = slice_of_newest(&listing)?;
    let found = service.charts.snapshots(caller, slice).await?;
    let base = base(&service, &request);
    Ok(HttpResponse::Ok().json(page("snapshots", slice, &found, |snapshot| view(&base, snapshot))))
}

/// Get a chart snapshot.
///
/// `image_href` is null until the picture is drawn.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    request: HttpRequest,
    snapshot: Number,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    let snapshot = service.charts.snapshot(caller, number("snapshot", &snapshot)?).await?;
    Ok(HttpResponse::Ok().json(view(&base(&service, &request), &snapshot)))
}

/// Delete a chart snapshot with its pictures.
async fn delete(auth: Auth, service: web::Data<Service>, snapshot: Number) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DELETE)?;
    service.charts.delete_snapshot(caller, number("snapshot", &snapshot)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Get a job.
///
/// An execution of the service by its number.
async fn job(
    auth: Auth,
    service: web::Data<Service>,
    request: HttpRequest,
    job: Number,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    let job = service.charts.job(caller, number("job", &job)?).await?;
    let mut view = json!({ "id": job.id, "state": job.state, "progress": job.progress });
    if let Some(mut output) = job.output {
        let image =
            output["image"].as_str().map(|name| format!("{}/images/{name}.png", base(&service, &request)));
        output["image_href"] = json!(image);
        output.as_object_mut().map(|output| output.remove("image"));
        view["output"] = output;
    }
    if let Some(error) = job.error {
        view["errors"] = json!({ "job": [error] });
    }
    Ok(HttpResponse::Ok().json(view))
}

/// Cancel a job that draws a chart.
///
/// Who may not delete chart snapshots cancels only those of their own.
async fn cancel(auth: Auth, service: web::Data<Service>, job: Number) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(CREATE)?;
    let of_anybody = caller.may(DELETE);
    service.charts.cancel_job(caller, number("job", &job)?, of_anybody).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The address before the paths of links: what the settings say, else the host that the request names.
pub(super) fn base(service: &Service, request: &HttpRequest) -> String {
    if let Some(url) = &service.config.server.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let host = request.headers().get("Host").and_then(|host| host.to_str().ok());
    let own = service.config.server.listen.to_string();
    format!("http://{}", host.unwrap_or(&own))
}

fn view(base: &str, snapshot: &ChartSnapshot) -> Value {
    let mut chart = json!({
        "id": snapshot.chart,
        "sources": [snapshot.source],
        "type": snapshot.kind.as_str(),
    });
    if !snapshot.tags.is_empty() {
        chart["tags"] = json!(snapshot.tags);
    }
    json!({
        "href": format!("{base}/v1/snapshots/{}", snapshot.id),
        "job_href": format!("{base}/v1/jobs/{}", snapshot.job),
        "image_href": snapshot.image.as_ref().map(|name| format!("{base}/images/{name}.png")),
        "duration": snapshot.duration,
        "end_time": written(snapshot.end_time),
        "created_at": written(snapshot.created_at),
        "updated_at": written(snapshot.updated_at),
        "subject": { "chart": chart },
    })
}

fn read(fields: &Map<String, Value>) -> Result<NewChartSnapshot, ChartError> {
    let wrong = |reason: &str| ChartError::parameter("subject", reason);
    let subject = match fields.get("subject") {
        Some(Value::Object(subject)) => subject,
        Some(_) => return Err(wrong("is not an object")),
        None => return Err(wrong("is not present")),
    };
    if subject.contains_key("instrument") {
        return Err(wrong("names an instrument: they are gone, name a chart"));
    }
    let Some(Value::Object(chart)) = subject.get("chart") else { return Err(wrong("names no chart")) };
    let of_chart = |error: ChartError| match error {
        ChartError::Parameter { name, reason } => {
            ChartError::parameter(format!("subject.chart.{name}"), reason)
        }
        other => other,
    };
    let id = whole(chart, "id")
        .and_then(|id| id.ok_or_else(|| ChartError::parameter("id", "is not present")))
        .map_err(of_chart)?;
    let kind = match text(chart, "type").map_err(of_chart)? {
        None => None,
        Some(word) => Some(ChartKind::parse(&word).ok_or_else(|| {
            ChartError::parameter(
                "subject.chart.type",
                format!("is not one of {}", ChartKind::NAMES.join(", ")),
            )
        })?),
    };
    Ok(NewChartSnapshot {
        chart: id,
        kind,
        source: text(chart, "source").map_err(of_chart)?.filter(|source| source != "*"),
        tags: read_tags(chart, "subject.chart.")?,
        duration: whole(fields, "duration")?,
        end_time: moment(fields, "end_time")?,
        size: size(fields)?,
    })
}

fn size(fields: &Map<String, Value>) -> Result<PictureSize, ChartError> {
    let default = PictureSize::default();
    let within = |name: &str, default: u32, least: u32, most: u32| match whole(fields, name)? {
        None => Ok(default),
        Some(number) => u32::try_from(number)
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| ChartError::parameter(name, format!("is not from {least} to {most}"))),
    };
    let dark = match text(fields, "look")?.as_deref() {
        None | Some("light") => false,
        Some("dark") => true,
        Some(_) => return Err(ChartError::parameter("look", "is not one of light, dark")),
    };
    Ok(PictureSize {
        width: within("width", default.width, 200, MAX_SIDE)?,
        height: within("height", default.height, 120, MAX_SIDE)?,
        scale: within("scale", if flag(fields, "retina")?.unwrap_or(false) { 2 } else { 1 }, 1, 2)?,
        dark,
    })
}
