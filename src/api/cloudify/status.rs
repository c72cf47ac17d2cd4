//! What the clients ask of the manager itself: version, status, the machines it runs on, its settings.
//!
//! Lifeboat is one process: one manager, which is its own broker and database.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use crate::api::{ApiError, Auth, ErrorCode, Listing};
use crate::app::Service;

/// The version whose API is served.
const CLOUDIFY_VERSION: &str = "7.0.5";
/// The one name under which the only machine is known.
const HOST: &str = "lifeboat";
/// Its address as the clients compare it between manager, broker and database.
const ADDRESS: &str = "127.0.0.1";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/version").route(web::get().to(version)))
        .service(web::resource("/status").route(web::get().to(status)))
        .service(web::resource("/cluster-status").route(web::get().to(status)))
        .service(web::resource("/ok").route(web::get().to(ok)))
        .service(web::resource("/managers").route(web::get().to(managers)))
        .service(web::resource("/brokers").route(web::get().to(brokers)))
        .service(web::resource("/db-nodes").route(web::get().to(db_nodes)))
        .service(web::resource("/config").route(web::get().to(settings)))
        .service(web::resource("/provider/context").route(web::get().to(provider_context)))
        .service(web::resource("/license").route(web::get().to(licenses)))
        .service(web::resource("/license-check").route(web::get().to(ok)));
}

/// Get the version.
pub(super) async fn version(_auth: Auth) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "edition": "community",
        "version": CLOUDIFY_VERSION,
        "build": null,
        "date": null,
        "commit": null,
        "distribution": null,
        "distro_release": null,
        "lifeboat_version": env!("CARGO_PKG_VERSION"),
    }))
}

/// Get the status of the manager's parts.
async fn status(
    _auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let is_whole = is_whole(&service).await;
    let word = if is_whole { "Active" } else { "Inactive" };
    let part = json!({ "status": word, "is_remote": false, "extra_info": {} });
    let services = if listing.boolean("summary", false)? {
        json!({})
    } else {
        json!({ "Lifeboat": part.clone(), "Embedded manager": part.clone(), "Job engine": part })
    };
    Ok(HttpResponse::Ok()
        .json(json!({ "status": if is_whole { "OK" } else { "Fail" }, "services": services })))
}

/// Tell whether the manager works, without login.
async fn ok(service: web::Data<Service>) -> HttpResponse {
    match is_whole(&service).await {
        true => HttpResponse::Ok().json("OK"),
        false => HttpResponse::build(StatusCode::INTERNAL_SERVER_ERROR).json("FAIL"),
    }
}

async fn is_whole(service: &Service) -> bool {
    service.manager.tenants().await.is_ok()
}

/// A list of few items, which is never paged.
fn items(items: Value) -> HttpResponse {
    let total = items.as_array().map_or(0, Vec::len);
    HttpResponse::Ok().json(json!({
        "items": items,
        "metadata": { "pagination": { "total": total, "size": 1000, "offset": 0 }, "filtered": null },
    }))
}

/// List the managers: this one.
async fn managers(_auth: Auth, request: HttpRequest) -> HttpResponse {
    let public_ip = request.connection_info().host().split(':').next().unwrap_or(ADDRESS).to_owned();
    items(json!([{
        "id": 0,
        "hostname": HOST,
        "private_ip": ADDRESS,
        "public_ip": public_ip,
        "version": CLOUDIFY_VERSION,
        "edition": "community",
        "distribution": null,
        "distro_release": null,
        "fs_sync_node_id": null,
        "networks": { "default": ADDRESS },
        "ca_cert_content": null,
    }]))
}

/// List the brokers: this manager needs no other.
async fn brokers(_auth: Auth) -> HttpResponse {
    items(json!([{
        "name": HOST,
        "host": ADDRESS,
        "management_host": ADDRESS,
        "port": null,
        "params": null,
        "networks": { "default": ADDRESS },
        "is_external": false,
        "ca_cert_content": null,
    }]))
}

/// List the database's machines: this one.
async fn db_nodes(_auth: Auth) -> HttpResponse {
    items(json!([{ "name": HOST, "host": ADDRESS, "is_external": false }]))
}

/// List the settings that clients go by; none is set, so that they take their own defaults.
async fn settings(_auth: Auth) -> HttpResponse {
    items(json!([]))
}

/// Get the context of a provider: there is none.
async fn provider_context(_auth: Auth) -> Result<HttpResponse, ApiError> {
    Err(ApiError::new(ErrorCode::NotFound, "Provider Context not found"))
}

/// List the licenses: the community edition has none.
async fn licenses(_auth: Auth) -> HttpResponse {
    items(json!([]))
}
