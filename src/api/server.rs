//! The HTTP server: all faces on one address, what holds for every request, and the end.

use std::any::Any;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use actix_cors::Cors;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpResponse, HttpServer, web};
use socket2::SockRef;

use crate::app::Service;
use crate::descriptors::most_connections;

use super::face::Face;
use super::{ApiError, ErrorCode, charts, cloudify, flows, maintenance, service, unread};

/// How long the headers of a request may take to arrive, in seconds.
const HEADER_SECONDS: u64 = 30;

/// Listens, and serves until the server is stopped. Answers the server and the address it listens on.
///
/// # Errors
/// The address is taken or may not be used.
pub fn listen(service: web::Data<Service>) -> std::io::Result<(actix_web::dev::Server, SocketAddr)> {
    let config = service.config.clone();
    let origins = config.cors.allowed_origins.clone();
    let idle = Duration::from_secs(config.server.idle_seconds);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(service.clone())
            .wrap(from_fn(maintenance::gate))
            .wrap(from_fn(shape_errors))
            .wrap(cors(&origins))
            .wrap(from_fn(log_request))
            .wrap(from_fn(trim_slash))
            .wrap(from_fn(unread::leave_unread))
            .configure(cloudify::configure)
            .configure(flows::configure)
            .configure(charts::configure)
            .configure(service::configure)
            .default_service(web::to(not_found))
    })
    .workers(config.server.workers)
    .max_connections(connections_of_each(config.server.workers))
    .client_request_timeout(Duration::from_secs(HEADER_SECONDS))
    .on_connect(move |connection, _| give_up_where_nothing_is_taken(connection, idle))
    .shutdown_timeout(config.server.shutdown_seconds)
    .disable_signals()
    .bind(config.server.listen)?;
    let address = server.addrs().first().copied().unwrap_or(config.server.listen);
    Ok((server.run(), address))
}

/// How many connections each of so many workers takes; more wait until one is over.
fn connections_of_each(workers: usize) -> usize {
    let most = usize::try_from(most_connections()).unwrap_or(usize::MAX);
    (most / workers).max(1)
}

/// Lets the system end a connection whose caller has taken nothing of an answer for so long. The server itself would
/// wait for ever, and keep open what it sends.
fn give_up_where_nothing_is_taken(connection: &dyn Any, idle: Duration) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(idle)) {
        tracing::warn!("a caller who takes no answer can't be given up: {error}");
    }
}

fn cors(origins: &[String]) -> Cors {
    let mut cors = Cors::default()
        .allowed_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_any_header()
        .expose_headers([
            header::ETAG,
            header::CONTENT_DISPOSITION,
            header::CONTENT_RANGE,
            header::LOCATION,
            header::HeaderName::from_static("repr-digest"),
        ])
        .max_age(3600);
    for origin in origins {
        cors = cors.allowed_origin(origin);
    }
    // A page of another origin that is not listed gets no permission, which its browser enforces; requests without
    // an origin, as all other clients send, are not touched.
    cors.block_on_origin_mismatch(false)
}

async fn not_found(request: actix_web::HttpRequest) -> Result<HttpResponse, ApiError> {
    let message = format!("there is no `{} {}` here", request.method(), request.path());
    Err(ApiError::new(ErrorCode::NotFound, message))
}

/// elastic.io's documents write some paths with a slash at the end and some without: both mean the same.
async fn trim_slash(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let path = request.path();
    let trimmed = path.trim_end_matches('/');
    if Face::of(path) != Face::Cloudify && trimmed.len() < path.len() {
        let query = request.query_string();
        let target = if query.is_empty() { trimmed.to_owned() } else { format!("{trimmed}?{query}") };
        let mut parts = request.head().uri.clone().into_parts();
        if let Ok(target) = target.parse() {
            parts.path_and_query = Some(target);
        }
        if let Ok(uri) = actix_web::http::Uri::from_parts(parts) {
            request.match_info_mut().get_mut().update(&uri);
            request.head_mut().uri = uri;
        }
    }
    next.call(request).await
}

/// Errors are written in the form of their face; those that no handler of ours made (a method that a path has not, a
/// body that a parser refused) get the body of all others.
async fn shape_errors(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let face = Face::of(&path);
    let response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return Ok(response);
    }
    let ours = response.response().error().and_then(|error| error.as_error::<ApiError>());
    let mut shaped = match ours {
        Some(_) if face == Face::Cloudify => return Ok(response),
        Some(error) => face.answer(error),
        None if response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind == "application/json") =>
        {
            return Ok(response);
        }
        None => face.answer(&foreign(status, &method, &path)),
    };
    let (request, response) = response.into_parts();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        shaped.headers_mut().insert(header::ALLOW, allow.clone());
    }
    Ok(ServiceResponse::new(request, shaped))
}

/// What an error means that no handler of ours made.
fn foreign(status: StatusCode, method: &Method, path: &str) -> ApiError {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            ApiError::new(ErrorCode::MethodNotAllowed, format!("`{path}` does not answer to {method}"))
        }
        StatusCode::NOT_FOUND => {
            ApiError::new(ErrorCode::NotFound, format!("there is no `{method} {path}` here"))
        }
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(ErrorCode::PayloadTooLarge, "the body is too long"),
        status if status.is_client_error() => {
            ApiError::bad_parameters(format!("the request can't be read ({status})"))
        }
        _ => ApiError::internal(&std::io::Error::other(format!("{method} {path} ended with {status}"))),
    }
}

/// One line per request, without its query, which may hold what is secret.
async fn log_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let response = next.call(request).await?;
    let took = begun.elapsed();
    if let Some(service) = response.request().app_data::<web::Data<Service>>() {
        service.meters.request(Face::of(&path).as_str(), took);
    }
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    tracing::debug!(%method, path, status, milliseconds, "{method} {path} answered {status}");
    Ok(response)
}
