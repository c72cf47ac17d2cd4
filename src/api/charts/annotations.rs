//! Annotations: what happened when, as marks on charts.

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use crate::api::path::segment;
use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;
use crate::charts::ChartError;
use crate::charts::store::{Annotation, Link};

use super::body::Fields;
use super::metrics::{EDIT, READ, SUBMIT, now};
use super::parameters::{items, moment, number, parse_moment, slice, text};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/annotations").route(web::get().to(list)))
        .service(
            web::resource("/v1/annotations/{stream}")
                .route(web::get().to(get))
                .route(web::post().to(create))
                .route(web::delete().to(delete)),
        )
        .service(
            web::resource("/v1/annotations/{stream}/{event}")
                .route(web::get().to(get_event))
                .route(web::put().to(edit_event))
                .route(web::delete().to(delete_event)),
        );
}

/// The longest name of a stream, in characters (Librato's).
const MAX_STREAM_CHARACTERS: usize = 255;

type Stream = web::Path<String>;
type Event = web::Path<(String, String)>;

/// List streams of annotations.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    let slice = slice(&listing)?;
    let mut names = service.charts.annotation_streams(caller).await?;
    let total = names.len();
    let part = listing.get("name").unwrap_or_default().to_lowercase();
    names.retain(|name| name.to_lowercase().contains(&part));
    if slice.descending {
        names.reverse();
    }
    let found = names.len();
    let offset = usize::try_from(slice.offset).unwrap_or(usize::MAX);
    let length = usize::try_from(slice.length).unwrap_or(usize::MAX);
    let items: Vec<Value> = names
        .into_iter()
        .skip(offset)
        .take(length)
        .map(|name| json!({ "name": name, "display_name": name }))
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "query": { "found": found, "length": items.len(), "offset": slice.offset, "total": total },
        "annotations": items,
    })))
}

/// Get the annotations of a stream.
///
/// Those of the window from `start_time` to `end_time`; all without one. With `source` those of that source.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    stream: Stream,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    let bound = |name: &str, default: i64| match listing.get(name) {
        None => Ok(default),
        Some(text) => parse_moment(text).ok_or_else(|| ChartError::parameter(name, "is not a time")),
    };
    let (start, end) = (bound("start_time", 0)?, bound("end_time", i64::MAX)?);
    let source = listing.get("source").map(str::to_owned);
    let found = service.charts.annotations(caller, &stream, start, end, source).await?;
    let mut events: Map<String, Value> = Map::new();
    for annotation in &found {
        let source = annotation.source.clone().unwrap_or_else(|| "unassigned".to_owned());
        if let Value::Array(list) = events.entry(source).or_insert_with(|| json!([])) {
            list.push(view(annotation));
        }
    }
    Ok(HttpResponse::Ok()
        .json(json!({ "name": stream.as_str(), "display_name": stream.as_str(), "events": [events] })))
}

/// Create an annotation.
async fn create(
    auth: Auth,
    service: web::Data<Service>,
    stream: Stream,
    body: Fields,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SUBMIT)?;
    let annotation = read(&stream, 0, &body.0, None)?;
    let id = service.charts.annotate(caller, annotation.clone()).await?;
    let location = format!("/v1/annotations/{}/{id}", segment(&stream));
    Ok(HttpResponse::Created()
        .insert_header(("Location", location))
        .json(view(&Annotation { id, ..annotation })))
}

/// Get an annotation.
async fn get_event(auth: Auth, service: web::Data<Service>, path: Event) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    let annotation = service.charts.annotation(caller, &path.0, number("annotation", &path.1)?).await?;
    let mut view = view(&annotation);
    view["name"] = json!(annotation.stream);
    Ok(HttpResponse::Ok().json(view))
}

/// Change an annotation.
///
/// What is not named stays.
async fn edit_event(
    auth: Auth,
    service: web::Data<Service>,
    path: Event,
    body: Fields,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EDIT)?;
    let id = number("annotation", &path.1)?;
    let former = service.charts.annotation(caller, &path.0, id).await?;
    service.charts.update_annotation(caller, read(&path.0, id, &body.0, Some(former))?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Delete an annotation.
async fn delete_event(
    auth: Auth,
    service: web::Data<Service>,
    path: Event,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EDIT)?;
    service.charts.delete_annotations(caller, &path.0, Some(number("annotation", &path.1)?)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Delete a stream of annotations.
async fn delete(auth: Auth, service: web::Data<Service>, stream: Stream) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EDIT)?;
    service.charts.delete_annotations(caller, &stream, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn view(annotation: &Annotation) -> Value {
    let links: Vec<Value> = annotation
        .links
        .iter()
        .map(|link| json!({ "rel": link.rel, "href": link.href, "label": link.label }))
        .collect();
    json!({
        "id": annotation.id,
        "title": annotation.title,
        "source": annotation.source,
        "description": annotation.description,
        "start_time": annotation.start_time,
        "end_time": annotation.end_time,
        "links": links,
    })
}

fn read(
    stream: &str,
    id: i64,
    fields: &Map<String, Value>,
    former: Option<Annotation>,
) -> Result<Annotation, ChartError> {
    if stream.chars().count() > MAX_STREAM_CHARACTERS || stream.chars().any(char::is_control) {
        let reason =
            format!("is longer than {MAX_STREAM_CHARACTERS} characters, or has control characters in it");
        return Err(ChartError::parameter("name", reason));
    }
    let is_named = |name: &str| fields.contains_key(name);
    let title = match (text(fields, "title")?, &former) {
        (Some(title), _) if !title.trim().is_empty() => title,
        (None, Some(former)) => former.title.clone(),
        _ => return Err(ChartError::parameter("title", "is not present")),
    };
    let start_time = moment(fields, "start_time")?;
    let start_time = start_time.or(former.as_ref().map(|former| former.start_time)).unwrap_or_else(now);
    let end_time = match &former {
        Some(former) if !is_named("end_time") => former.end_time,
        _ => moment(fields, "end_time")?,
    };
    if end_time.is_some_and(|end| end < start_time) {
        return Err(ChartError::parameter("end_time", "is before start_time"));
    }
    let kept =
        |name: &str, former: Option<String>| if is_named(name) { text(fields, name) } else { Ok(former) };
    Ok(Annotation {
        id,
        stream: stream.to_owned(),
        title,
        source: kept("source", former.as_ref().and_then(|former| former.source.clone()))?,
        description: kept("description", former.as_ref().and_then(|former| former.description.clone()))?,
        start_time,
        end_time,
        links: match fields.get("links") {
            None | Some(Value::Null) => former.map(|former| former.links).unwrap_or_default(),
            Some(links) => items(links)
                .ok_or_else(|| ChartError::parameter("links", "is not a list"))?
                .into_iter()
                .map(link)
                .collect::<Result<_, _>>()?,
        },
    })
}

fn link(value: &Value) -> Result<Link, ChartError> {
    let object =
        value.as_object().ok_or_else(|| ChartError::parameter("links", "has an item that is no object"))?;
    let required = |name: &str| {
        text(object, name)?.ok_or_else(|| ChartError::parameter(format!("links.{name}"), "is not present"))
    };
    Ok(Link { rel: required("rel")?, href: required("href")?, label: text(object, "label")? })
}
