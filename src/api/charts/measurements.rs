//! Measurements with tags.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;
use crate::charts::store::{Measurement, MetricName, SeriesKey, Tags};
use crate::charts::{ChartError, ReadRequest};
use crate::model::TenantName;

use super::body::Fields;
use super::metrics::{
    MAX_POINTS, READ, SUBMIT, now, period, point, refuse_composite, resolution, tag_filter, time,
};
use super::parameters::{moment, span, text};

/// The most measurements of one request.
const MAX_MEASUREMENTS: usize = 10_000;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/measurements").route(web::post().to(submit)))
        .service(web::resource("/v1/measurements/{name}").route(web::get().to(get)));
}

/// Submit measurements with tags.
///
/// Tags of a measurement take the place of those of the request. All are kept, or none.
async fn submit(auth: Auth, service: web::Data<Service>, body: Fields) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SUBMIT)?;
    service.charts.submit(read(&body.0, &caller.tenant)?).await?;
    Ok(HttpResponse::Accepted().json(json!({})))
}

/// Get the measurements of a metric, by series.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    request: HttpRequest,
    name: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    refuse_composite(listing.get("compose"))?;
    let fields: Map<String, Value> =
        listing.parameters().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let end = moment(&fields, "end_time")?.unwrap_or_else(now);
    let start = match (moment(&fields, "start_time")?, span(&fields, "duration")?) {
        (Some(_), Some(_)) if fields.contains_key("end_time") => {
            return Err(
                ChartError::parameter("duration", "can't be given beside start_time and end_time").into()
            );
        }
        (Some(start), _) => start,
        (None, Some(duration)) => end - duration,
        (None, None) => {
            return Err(ChartError::parameter("start_time", "is not present, nor is duration").into());
        }
    };
    if start > end {
        return Err(ChartError::parameter("start_time", "is after end_time").into());
    }
    let read = ReadRequest {
        metric: name.to_string(),
        filter: tag_filter(request.query_string())?,
        start,
        end: end + 1,
        resolution: resolution(&fields)?,
        max_points: MAX_POINTS,
    };
    let asked = read.resolution;
    let series = service.charts.measurements(caller, read).await?;
    let views: Vec<Value> = series
        .iter()
        .map(|one| {
            let tags: Map<String, Value> =
                one.key.tags.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
            let points: Vec<Value> = one
                .buckets
                .iter()
                .map(|point| json!({ "time": point.time, "value": point.mean() }))
                .collect();
            json!({ "tags": tags, "measurements": points })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "name": name.as_str(),
        "resolution": series.first().map_or(asked, |one| one.step),
        "series": views,
    })))
}

fn read(fields: &Map<String, Value>, tenant: &TenantName) -> Result<Vec<Measurement>, ChartError> {
    let shared = tags(fields)?.unwrap_or_default();
    let default_time = time(fields, "time", now())?;
    let default_period = period(fields)?;
    let wrong = || ChartError::parameter("measurements", "is not a list of measurements");
    let items: Vec<&Map<String, Value>> = match fields.get("measurements") {
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_object().ok_or_else(wrong)).collect::<Result<_, _>>()?
        }
        Some(Value::Object(items)) => {
            items.values().map(|item| item.as_object().ok_or_else(wrong)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(wrong()),
        None => return Err(ChartError::parameter("measurements", "is not present")),
    };
    if items.len() > MAX_MEASUREMENTS {
        let message = format!("a request has at most {MAX_MEASUREMENTS} measurements");
        return Err(ChartError::Request(message));
    }
    items
        .into_iter()
        .map(|item| {
            let name = text(item, "name")?.ok_or_else(|| ChartError::parameter("name", "is not present"))?;
            let metric =
                MetricName::parse(&name).map_err(|error| ChartError::parameter("name", error.to_string()))?;
            let time = time(item, "time", default_time)?;
            Ok(Measurement {
                key: SeriesKey {
                    tenant: tenant.clone(),
                    metric,
                    tags: tags(item)?.unwrap_or_else(|| shared.clone()),
                },
                kind: None,
                period: period(item)?.or(default_period),
                point: point(item, time)?,
            })
        })
        .collect()
}

fn tags(fields: &Map<String, Value>) -> Result<Option<Tags>, ChartError> {
    let wrong = |reason: String| ChartError::parameter("tags", reason);
    let object = match fields.get("tags") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(object)) if object.is_empty() => return Ok(None),
        Some(Value::Object(object)) => object,
        Some(_) => return Err(wrong("is not an object".to_owned())),
    };
    let mut tags = Tags::new();
    for (name, value) in object {
        let value = match value {
            Value::String(value) => value.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => return Err(wrong(format!("has the value of `{name}` that is not a string"))),
        };
        tags.insert(name, &value).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(Some(tags))
}
