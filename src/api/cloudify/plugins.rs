//! `/plugins`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::{NewPlugin, PluginChange};

use super::blueprints::{owner, visibility, wider};
use super::permissions::{PLUGIN_DELETE, PLUGIN_DOWNLOAD, PLUGIN_GET, PLUGIN_LIST, PLUGIN_UPLOAD};
use super::provenance::{only_admin, provenance_at};
use super::transfer;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/plugins").route(web::get().to(list)).route(web::post().to(upload)))
        .service(
            web::resource("/plugins/{id}")
                .route(web::get().to(get))
                .route(web::patch().to(change))
                .route(web::delete().to(delete)),
        )
        .service(web::resource("/plugins/{id}/yaml").route(web::get().to(download_yaml)))
        .service(web::resource("/plugins/{id}/archive").route(web::get().to(download)))
        .service(web::resource("/plugins/{id}/set-visibility").route(web::patch().to(set_visibility)));
}

/// List plugins.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLUGIN_LIST)?;
    let page = service.manager.plugins(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a plugin.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLUGIN_GET)?;
    Ok(HttpResponse::Ok().json(service.manager.plugin(caller, &id, listing.include()).await?))
}

/// Upload a plugin.
///
/// The body is a wagon, or a zip that holds one beside its descriptions; or `plugin_archive` in a form.
async fn upload(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLUGIN_UPLOAD)?;
    let names = ["plugin_archive", "plugin"];
    let upload =
        transfer::receive(&request, payload, &listing, &service.fetch, service.manager.blobs(), &names)
            .await?;
    let (created_by, uploaded_at) = provenance_at(&auth, &upload.parameters, "uploaded_at")?;
    let id = upload.parameters.optional_text("id")?.filter(|id| !id.is_empty()).map(str::to_owned);
    if id.is_some() {
        only_admin(&auth, "set_plugin_id")?;
    }
    let visibility = visibility(&auth, &upload.parameters)?;
    let title = upload.parameters.optional_text("title")?.map(str::to_owned);
    let archive =
        upload.archive.ok_or_else(|| ApiError::bad_parameters("Missing plugin archive in request body"))?;
    let new = NewPlugin { id, created_by, uploaded_at, title, ..NewPlugin::new(visibility, archive) };
    Ok(HttpResponse::Created().json(service.manager.create_plugin(caller, new).await?))
}

/// Change a plugin's labels, tags or owner.
async fn change(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLUGIN_UPLOAD)?;
    let change = PluginChange {
        blueprint_labels: body.object("blueprint_labels")?.cloned(),
        labels: body.object("labels")?.cloned(),
        resource_tags: body.object("resource_tags")?.cloned(),
        owner: owner(&auth, &service, body.optional_text("creator")?).await?,
    };
    Ok(HttpResponse::Ok().json(service.manager.change_plugin(caller, &id, change).await?))
}

/// Download the description that was uploaded beside a plugin's wagon.
async fn download_yaml(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLUGIN_DOWNLOAD)?;
    let dsl_version = listing.get("dsl_version").map(str::to_owned);
    transfer::send(&request, service.manager.plugin_yaml(caller, &id, dsl_version).await?)
}

/// Delete a plugin.
///
/// Refused while nodes of deployments use it, unless `force` is given.
async fn delete(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLUGIN_DELETE)?;
    let force = listing.boolean("force", false)? || body.boolean("force", false)?;
    Ok(HttpResponse::Ok().json(service.manager.delete_plugin(caller, &id, force).await?))
}

/// Download a plugin's wagon, or with `full_archive` all that was uploaded.
async fn download(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLUGIN_DOWNLOAD)?;
    let is_full = listing.boolean("full_archive", false)?;
    transfer::send(&request, service.manager.plugin_archive(caller, &id, is_full).await?)
}

/// Let more callers see a plugin.
async fn set_visibility(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLUGIN_UPLOAD)?;
    let visibility = wider(&auth, &body)?;
    Ok(HttpResponse::Ok().json(service.manager.set_plugin_visibility(caller, &id, visibility).await?))
}
