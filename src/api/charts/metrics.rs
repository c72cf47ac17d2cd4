//! Metrics: measurements without tags on their way in, and what is known of metrics.

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;
use crate::charts::store::{
    Measurement, Metric, MetricKind, MetricName, Point, SeriesData, SeriesKey, TagFilter, Tags,
};
use crate::charts::{ChartError, ReadRequest};
use crate::model::{Permission, TenantName, TenantRole, Timestamp};

use super::body::{Fields, form};
use super::parameters::{moment, page, slice, span, text, whole};

pub(super) const READ: Permission = Permission::tenant("metric_get", TenantRole::Viewer);
pub(super) const SUBMIT: Permission = Permission::tenant("metric_submit", TenantRole::Operations);
pub(super) const EDIT: Permission = Permission::tenant("metric_edit", TenantRole::User);

/// The largest value, and the smallest that is not taken for zero (Librato's).
const LARGEST: f64 = 1e126;
const SMALLEST: f64 = 1e-130;
/// The most measurements of one request.
const MAX_MEASUREMENTS: usize = 10_000;
/// The most points of a series that one answer holds.
pub(super) const MAX_POINTS: usize = 10_000;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/v1/metrics")
                .route(web::get().to(list))
                .route(web::post().to(submit))
                .route(web::delete().to(delete_many)),
        )
        .service(
            web::resource("/v1/metrics/{name}")
                .route(web::get().to(get))
                .route(web::put().to(edit))
                .route(web::delete().to(delete)),
        );
}

type Name = web::Path<String>;

/// List metrics.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    refuse_composite(listing.get("compose"))?;
    let slice = slice(&listing)?;
    let found = service.charts.metrics(caller, listing.get("name").map(str::to_owned), slice).await?;
    Ok(HttpResponse::Ok().json(page("metrics", slice, &found, view)))
}

/// Submit measurements.
///
/// Gauges and counters, as lists or by their names; all of them are kept, or none.
async fn submit(auth: Auth, service: web::Data<Service>, body: Fields) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SUBMIT)?;
    service.charts.submit(read_all(&body.0, &caller.tenant)?).await?;
    Ok(HttpResponse::Ok().json(json!({})))
}

/// Get a metric.
///
/// With `count`, `start_time` or `duration` its measurements too, by source.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    name: Name,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    let metric = service.charts.metric(caller, &name).await?;
    let mut answer = view(&metric);
    if let Some(request) = window(&name, &listing)? {
        let series = match request.count {
            Some(count) => service.charts.last_measurements(caller, request.read, count).await?,
            None => service.charts.measurements(caller, request.read).await?,
        };
        answer["measurements"] = by_source(&series, request.count);
        answer["resolution"] = json!(series.first().map_or(request.resolution, |one| one.step));
    }
    Ok(HttpResponse::Ok().json(answer))
}

/// Write what is known of a metric.
///
/// Creates it where it is unknown and `type` is there.
async fn edit(
    auth: Auth,
    service: web::Data<Service>,
    name: Name,
    body: Fields,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EDIT)?;
    let former = match service.charts.metric(caller, &name).await {
        Ok(metric) => Some(metric),
        Err(ChartError::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let metric = read_metric(&name, &body.0, former)?;
    let is_new = service.charts.set_metric(caller, metric).await?;
    if is_new {
        let metric = service.charts.metric(caller, &name).await?;
        return Ok(HttpResponse::Created().json(view(&metric)));
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Delete a metric with its measurements.
async fn delete(auth: Auth, service: web::Data<Service>, name: Name) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EDIT)?;
    let deleted = service.charts.delete_metrics(caller, vec![name.to_string()]).await?;
    if deleted == 0 {
        return Err(ChartError::NotFound { noun: "metric", id: name.into_inner() }.into());
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Delete metrics with their measurements.
///
/// Those in `names`, in which `*` stands for any characters.
async fn delete_many(
    auth: Auth,
    service: web::Data<Service>,
    body: Fields,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EDIT)?;
    let names = match body.0.get("names") {
        Some(Value::Array(names)) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
        Some(Value::String(name)) => Some(vec![name.clone()]),
        _ => None,
    };
    let names: Option<Vec<String>> = names;
    let names = names.ok_or_else(|| ChartError::parameter("names", "is not a list of strings"))?;
    service.charts.delete_metrics(caller, names).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) fn refuse_composite(compose: Option<&str>) -> Result<(), ChartError> {
    match compose {
        None => Ok(()),
        Some(_) => {
            Err(ChartError::parameter("compose", "can't be evaluated: this service has no composite metrics"))
        }
    }
}

pub(super) fn now() -> i64 {
    Timestamp::now().moment().timestamp()
}

fn view(metric: &Metric) -> Value {
    json!({
        "name": metric.name.as_str(),
        "display_name": metric.display_name,
        "type": match metric.kind { MetricKind::Gauge => "gauge", MetricKind::Counter => "counter" },
        "period": metric.period,
        "description": metric.description,
        "attributes": metric.attributes,
    })
}

/// A value that can be kept: what is far too small is zero.
pub(super) fn value(value: &Value, name: &str) -> Result<f64, ChartError> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    let number = number
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| ChartError::parameter(name, "is not a number"))?;
    if number.abs() > LARGEST {
        return Err(ChartError::parameter(name, "is larger than 1e126"));
    }
    Ok(if number.abs() < SMALLEST { 0.0 } else { number })
}

/// A point from `value`, or from `count` and `sum` and what goes with them.
pub(super) fn point(fields: &Map<String, Value>, time: i64) -> Result<Point, ChartError> {
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let number = |name: &str| given(name).map(|found| value(found, name)).transpose();
    if let Some(single) = number("value")? {
        return Ok(Point::plain(time, single));
    }
    let absent = |name: &str| ChartError::parameter(name, "is not present");
    let Some(sum) = number("sum")? else { return Err(absent("value")) };
    let count = whole(fields, "count")?.ok_or_else(|| absent("count"))?;
    let count = u64::try_from(count)
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| ChartError::parameter("count", "is not a positive integer"))?;
    #[expect(clippy::cast_precision_loss, reason = "a count of measurements is far below 2^53")]
    let mean = sum / count as f64;
    let min = number("min")?.unwrap_or(mean);
    let max = number("max")?.unwrap_or(mean);
    if min > max {
        return Err(ChartError::parameter("min", "is larger than max"));
    }
    let last = number("last")?.unwrap_or(mean);
    if count == 1 && given("min").is_none() && given("max").is_none() && given("sum_squares").is_none() {
        return Ok(Point::plain(time, sum));
    }
    Ok(Point { time, count, sum, min, max, sum_squares: number("sum_squares")?, last })
}

/// The moment of a measurement; the present where none is given. Wrong units are told from times.
pub(super) fn time(fields: &Map<String, Value>, name: &str, default: i64) -> Result<i64, ChartError> {
    let time = moment(fields, name)?.unwrap_or(default);
    if !(0..=now() + 366 * 86_400).contains(&time) {
        return Err(ChartError::parameter(name, "is not a time in seconds since 1970 up to a year from now"));
    }
    Ok(time)
}

fn read_all(fields: &Map<String, Value>, tenant: &TenantName) -> Result<Vec<Measurement>, ChartError> {
    let default_source = text(fields, "source")?;
    let default_time = time(fields, "measure_time", now())?;
    let mut measurements = Vec::new();
    for (list, kind) in [("gauges", MetricKind::Gauge), ("counters", MetricKind::Counter)] {
        for (name, item) in items(fields, list)? {
            measurements.push(measurement(
                tenant,
                kind,
                name,
                item,
                default_source.as_deref(),
                default_time,
            )?);
        }
    }
    let is_given = |list: &str| fields.get(list).is_some_and(|list| !list.is_null());
    if !is_given("gauges") && !is_given("counters") {
        return Err(ChartError::parameter("gauges", "is not present, nor is counters"));
    }
    if measurements.len() > MAX_MEASUREMENTS {
        let message = format!("a request has at most {MAX_MEASUREMENTS} measurements");
        return Err(ChartError::Request(message));
    }
    Ok(measurements)
}

/// A measurement and the name under which it stands, where it stands under one.
type Named<'a> = (Option<&'a str>, &'a Map<String, Value>);

/// The measurements of a list, or of an object by names or by places.
fn items<'a>(fields: &'a Map<String, Value>, list: &str) -> Result<Vec<Named<'a>>, ChartError> {
    let wrong = || ChartError::parameter(list, "is not a list of measurements");
    match fields.get(list) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_object().map(|item| (None, item)).ok_or_else(wrong)).collect()
        }
        Some(Value::Object(items)) => items
            .iter()
            .map(|(name, item)| item.as_object().map(|item| (Some(name.as_str()), item)).ok_or_else(wrong))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

fn measurement(
    tenant: &TenantName,
    kind: MetricKind,
    name: Option<&str>,
    item: &Map<String, Value>,
    default_source: Option<&str>,
    default_time: i64,
) -> Result<Measurement, ChartError> {
    let own = text(item, "name")?;
    let name = own.as_deref().or(name).ok_or_else(|| ChartError::parameter("name", "is not present"))?;
    let metric = MetricName::parse(name).map_err(|error| ChartError::parameter("name", error.to_string()))?;
    let mut tags = Tags::new();
    if let Some(source) = text(item, "source")?.as_deref().or(default_source) {
        tags.insert("source", source).map_err(|error| ChartError::parameter("source", error.to_string()))?;
    }
    let time = time(item, "measure_time", default_time)?;
    Ok(Measurement {
        key: SeriesKey { tenant: tenant.clone(), metric, tags },
        kind: Some(kind),
        period: period(item)?,
        point: point(item, time)?,
    })
}

pub(super) fn period(fields: &Map<String, Value>) -> Result<Option<u32>, ChartError> {
    match whole(fields, "period")? {
        None => Ok(None),
        Some(seconds) => u32::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds > 0)
            .map(Some)
            .ok_or_else(|| ChartError::parameter("period", "is not a number of seconds")),
    }
}

fn read_metric(
    name: &str,
    fields: &Map<String, Value>,
    former: Option<Metric>,
) -> Result<Metric, ChartError> {
    let kind = match text(fields, "type")?.as_deref() {
        None => None,
        Some("gauge") => Some(MetricKind::Gauge),
        Some("counter") => Some(MetricKind::Counter),
        Some("composite") => {
            return Err(ChartError::parameter("type", "is composite: this service has no composite metrics"));
        }
        Some(_) => return Err(ChartError::parameter("type", "is not one of gauge, counter")),
    };
    let mut metric = match (former, kind) {
        (Some(former), _) => former,
        (None, None) => return Err(ChartError::NotFound { noun: "metric", id: name.to_owned() }),
        (None, Some(kind)) => Metric {
            name: MetricName::parse(name)
                .map_err(|error| ChartError::parameter("name", error.to_string()))?,
            kind,
            period: None,
            display_name: None,
            description: None,
            attributes: Map::new(),
            created_at: now(),
            updated_at: now(),
        },
    };
    metric.kind = kind.unwrap_or(metric.kind);
    if fields.contains_key("period") {
        metric.period = period(fields)?;
    }
    for (name, target) in
        [("display_name", &mut metric.display_name), ("description", &mut metric.description)]
    {
        if fields.contains_key(name) {
            *target = text(fields, name)?;
        }
    }
    match fields.get("attributes") {
        None | Some(Value::Null) => {}
        Some(Value::Object(attributes)) => metric.attributes.extend(attributes.clone()),
        Some(_) => return Err(ChartError::parameter("attributes", "is not an object")),
    }
    metric.updated_at = now();
    Ok(metric)
}

/// A window of measurements that a query asks for.
struct Window {
    read: ReadRequest,
    resolution: u32,
    /// Only the last so many.
    count: Option<usize>,
}

fn window(name: &str, listing: &Listing) -> Result<Option<Window>, ChartError> {
    let fields: Map<String, Value> =
        listing.parameters().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let count = whole(&fields, "count")?;
    let start = moment(&fields, "start_time")?;
    let duration = span(&fields, "duration")?;
    if count.is_none() && start.is_none() && duration.is_none() {
        return Ok(None);
    }
    let resolution = resolution(&fields)?;
    let end = moment(&fields, "end_time")?.unwrap_or_else(now);
    let count = match count {
        None => None,
        Some(count) => Some(
            usize::try_from(count)
                .ok()
                .filter(|count| (1..=MAX_POINTS).contains(count))
                .ok_or_else(|| ChartError::parameter("count", format!("is not from 1 to {MAX_POINTS}")))?,
        ),
    };
    // The last points may be old: without a start, all that is kept is looked through.
    let start = start.or(duration.map(|duration| end - duration)).unwrap_or(0);
    if start > end {
        return Err(ChartError::parameter("start_time", "is after end_time"));
    }
    let mut conditions = Vec::new();
    let sources: Vec<String> =
        listing.all("source").chain(listing.all("sources[]")).map(str::to_owned).collect();
    if !sources.is_empty() && sources != ["*"] {
        conditions.push(("source".to_owned(), sources));
    }
    let read = ReadRequest {
        metric: name.to_owned(),
        filter: TagFilter(conditions),
        start,
        end: end + 1,
        resolution,
        max_points: MAX_POINTS,
    };
    Ok(Some(Window { read, resolution, count }))
}

/// The interval of points that is asked for, in seconds.
pub(super) fn resolution(fields: &Map<String, Value>) -> Result<u32, ChartError> {
    let seconds = whole(fields, "resolution")?.unwrap_or(1);
    u32::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| ChartError::parameter("resolution", "is not a number of seconds"))
}

/// Series by their source, `unassigned` where they have none; those of one source one after the other.
fn by_source(series: &[SeriesData], count: Option<usize>) -> Value {
    let mut sources: Map<String, Value> = Map::new();
    for one in series {
        let source = one.key.tags.get("source").unwrap_or("unassigned").to_owned();
        let skipped = count.map_or(0, |count| one.buckets.len().saturating_sub(count));
        let points: Vec<Value> = one.buckets[skipped..]
            .iter()
            .map(|point| {
                let mut view = json!({
                    "measure_time": point.time,
                    "value": point.mean(),
                    "count": point.count,
                    "sum": point.sum,
                    "min": point.min,
                    "max": point.max,
                });
                if let Some(squares) = point.sum_squares {
                    view["sum_squares"] = json!(squares);
                }
                view
            })
            .collect();
        match sources.entry(source).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(known) => known.extend(points),
            _ => continue,
        }
    }
    Value::Object(sources)
}

/// The conditions on tags that a query has: `tags[name]=value`, also several.
pub(super) fn tag_filter(query: &str) -> Result<TagFilter, ChartError> {
    let fields = form(query)?;
    let mut conditions = Vec::new();
    match fields.get("tags") {
        None => {}
        Some(Value::Object(tags)) => {
            for (name, values) in tags {
                let values = match values {
                    Value::String(value) => vec![value.clone()],
                    Value::Array(values) => {
                        values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
                    }
                    _ => return Err(ChartError::parameter("tags", "is not written as tags[name]=value")),
                };
                conditions.push((name.to_lowercase(), values));
            }
        }
        Some(_) => return Err(ChartError::parameter("tags", "is not written as tags[name]=value")),
    }
    Ok(TagFilter(conditions))
}
