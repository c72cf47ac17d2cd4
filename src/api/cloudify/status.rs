//! What the clients ask of the manager itself: version, status, the machines it runs on, its settings.
//!
//! Lifeboat is one process: one manager, which is its own broker and database.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use crate::api::{ApiError, Auth, ErrorCode, Listing};
use crate::app::Service;

use super::permissions::{
    BROKER_GET, CLUSTER_STATUS_GET, DB_NODES_GET, IDENTITY_PROVIDER_GET, LDAP_STATUS_GET, LICENSE_LIST,
    MANAGER_CONFIG_GET, MANAGER_CONFIG_PUT, MANAGER_GET, PROVIDER_CONTEXT_GET, STATUS_GET, VERSION_GET,
};
use super::premium;

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
        .service(web::resource("/cluster-status").route(web::get().to(cluster_status)))
        .service(web::resource("/ok").route(web::get().to(ok)))
        .service(
            web::resource("/managers")
                .route(web::get().to(managers))
                .route(web::post().to(premium::add_manager)),
        )
        .service(
            web::resource("/managers/{hostname}")
                .route(web::put().to(premium::update_manager))
                .route(web::delete().to(premium::remove_manager)),
        )
        .service(
            web::resource("/brokers")
                .route(web::get().to(brokers))
                .route(web::post().to(premium::add_broker)),
        )
        .service(
            web::resource("/brokers/{name}")
                .route(web::put().to(premium::update_broker))
                .route(web::delete().to(premium::remove_broker)),
        )
        .service(
            web::resource("/db-nodes")
                .route(web::get().to(db_nodes))
                .route(web::post().to(premium::update_db_nodes)),
        )
        .service(
            web::resource("/ldap").route(web::get().to(ldap_status)).route(web::post().to(premium::set_ldap)),
        )
        .service(web::resource("/contacts").route(web::post().to(premium::register_contact)))
        .service(web::resource("/config").route(web::get().to(settings)))
        .service(
            web::resource("/config/{name}")
                .route(web::get().to(setting))
                .route(web::put().to(change_setting)),
        )
        .service(web::resource("/idp").route(web::get().to(identity_provider)))
        .service(web::resource("/provider/context").route(web::get().to(provider_context)))
        .service(
            web::resource("/license")
                .route(web::get().to(licenses))
                .route(web::put().to(premium::upload_license))
                .route(web::post().to(premium::register_license))
                .route(web::delete().to(premium::remove_license)),
        )
        .service(web::resource("/license-check").route(web::get().to(ok)));
}

/// Get the version.
pub(super) async fn version(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(VERSION_GET)?;
    Ok(HttpResponse::Ok().json(json!({
        "edition": "community",
        "version": CLOUDIFY_VERSION,
        "build": null,
        "date": null,
        "commit": null,
        "distribution": null,
        "distro_release": null,
        "lifeboat_version": env!("CARGO_PKG_VERSION"),
    })))
}

/// Get the status of the manager's parts.
async fn status(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    auth.allow(STATUS_GET)?;
    let summary = listing.boolean("summary", false)?;
    Ok(HttpResponse::Ok().json(parts(&service, summary).await))
}

/// Get the status of the cluster's parts, which are those of the manager.
async fn cluster_status(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    auth.allow(CLUSTER_STATUS_GET)?;
    let summary = listing.boolean("summary", false)?;
    Ok(HttpResponse::Ok().json(parts(&service, summary).await))
}

async fn parts(service: &Service, summary: bool) -> Value {
    let is_whole = is_whole(service).await;
    let word = if is_whole { "Active" } else { "Inactive" };
    let part = json!({ "status": word, "is_remote": false, "extra_info": {} });
    let services = match summary {
        true => json!({}),
        false => json!({ "Lifeboat": part.clone(), "Embedded manager": part.clone(), "Job engine": part }),
    };
    json!({ "status": if is_whole { "OK" } else { "Fail" }, "services": services })
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
async fn managers(auth: Auth, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    auth.allow(MANAGER_GET)?;
    let public_ip = request.connection_info().host().split(':').next().unwrap_or(ADDRESS).to_owned();
    Ok(items(json!([{
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
    }])))
}

/// List the brokers: this manager needs no other.
async fn brokers(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(BROKER_GET)?;
    Ok(items(json!([{
        "name": HOST,
        "host": ADDRESS,
        "management_host": ADDRESS,
        "port": null,
        "params": null,
        "networks": { "default": ADDRESS },
        "is_external": false,
        "ca_cert_content": null,
    }])))
}

/// List the database's machines: this one.
async fn db_nodes(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(DB_NODES_GET)?;
    Ok(items(json!([{ "name": HOST, "host": ADDRESS, "is_external": false }])))
}

/// List the settings that clients go by; none is set, so that they take their own defaults.
async fn settings(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(MANAGER_CONFIG_GET)?;
    Ok(items(json!([])))
}

/// Get a setting that clients go by: there is none.
async fn setting(auth: Auth, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    auth.allow(MANAGER_CONFIG_GET)?;
    Err(no_setting(&name))
}

/// Change a setting that clients go by: there is none.
async fn change_setting(auth: Auth, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    auth.allow(MANAGER_CONFIG_PUT)?;
    Err(no_setting(&name))
}

fn no_setting(name: &str) -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        format!(
            "Requested `Config` with ID `{name}` was not found: the settings of a Lifeboat are in its settings file and its environment"
        ),
    )
}

/// Get the context of a provider: there is none.
async fn provider_context(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(PROVIDER_CONTEXT_GET)?;
    Err(ApiError::new(ErrorCode::NotFound, "Provider Context not found"))
}

/// List the licenses: the community edition has none.
async fn licenses(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(LICENSE_LIST)?;
    Ok(items(json!([])))
}

/// Tell whose identities count: the service's own.
async fn identity_provider(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(IDENTITY_PROVIDER_GET)?;
    Ok(HttpResponse::Ok().json("local"))
}

/// Tell whether a directory server is asked who users are: it is not.
async fn ldap_status(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(LDAP_STATUS_GET)?;
    Ok(HttpResponse::Ok().json("disabled"))
}
