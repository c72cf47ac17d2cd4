//! `/blueprints`.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::api::{ApiError, Auth, ErrorCode, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::filters::Filtered;
use crate::manager::{BlueprintChange, NewBlueprint};
use crate::model::{Caller, UserName, Visibility};

use super::permissions::{
    BLUEPRINT_DELETE, BLUEPRINT_DOWNLOAD, BLUEPRINT_GET, BLUEPRINT_LIST, BLUEPRINT_UPLOAD,
    CREATE_GLOBAL_RESOURCE, SET_OWNER,
};
use super::searches::choice;
use super::transfer;

/// How long a caller who did not ask for an asynchronous upload waits for the blueprint to be read.
const PATIENCE: Duration = Duration::from_secs(120);

/// The longest picture of a blueprint, in bytes.
const MAX_ICON_BYTES: usize = 1024 * 1024;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/blueprints").route(web::get().to(list)))
        .service(
            web::resource("/blueprints/{id}")
                .route(web::get().to(get))
                .route(web::put().to(upload))
                .route(web::patch().to(change))
                .route(web::delete().to(delete)),
        )
        .service(web::resource("/blueprints/{id}/validate").route(web::put().to(validate)))
        .service(web::resource("/blueprints/{id}/archive").route(web::get().to(download)))
        .service(
            web::resource("/blueprints/{id}/icon")
                .route(web::get().to(get_icon))
                .route(web::patch().to(set_icon)),
        )
        .service(web::resource("/blueprints/{id}/set-visibility").route(web::patch().to(set_visibility)));
}

/// List blueprints.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(BLUEPRINT_LIST)?;
    let page =
        service.manager.search(caller, Filtered::Blueprints, choice(&listing), listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a blueprint.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(BLUEPRINT_GET)?;
    Ok(HttpResponse::Ok().json(service.manager.blueprint(caller, &id, listing.include()).await?))
}

/// Upload a blueprint.
///
/// The archive (.tar.gz, .tar or .zip) is the body, or `blueprint_archive` in a form beside `params`, a JSON object of
/// parameters; without a form they stand in the query. `application_file_name` names the main file. With `async_upload`
/// the answer comes before the blueprint has been read: its `state` and its `upload_execution` tell the rest.
async fn upload(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(BLUEPRINT_UPLOAD)?;
    let names = ["blueprint_archive", "blueprint"];
    let upload =
        transfer::receive(&request, payload, &listing, &service.fetch, service.manager.blobs(), &names)
            .await?;
    let parameters = &upload.parameters;
    if parameters.boolean("skip_execution", false)? {
        return Err(ApiError::bad_parameters("`skip_execution` is not supported: every blueprint is read"));
    }
    let is_async = parameters.boolean("async_upload", false)?;
    let new = given(&auth, id.into_inner(), upload)?;
    let blueprint = record(&service, caller, new, is_async).await?;
    Ok(HttpResponse::Created().json(blueprint))
}

/// Validate a blueprint.
///
/// It is taken in and read as an upload is, under a name of its own, and removed again.
async fn validate(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(BLUEPRINT_UPLOAD)?;
    let names = ["blueprint_archive", "blueprint"];
    let upload =
        transfer::receive(&request, payload, &listing, &service.fetch, service.manager.blobs(), &names)
            .await?;
    let new = given(&auth, id.into_inner(), upload)?;
    Ok(HttpResponse::Created().json(service.validate_blueprint(caller, new, PATIENCE).await?))
}

/// The blueprint that a request brings.
fn given(auth: &Auth, id: String, upload: transfer::Upload) -> Result<NewBlueprint, ApiError> {
    let parameters = upload.parameters;
    Ok(NewBlueprint {
        id,
        visibility: visibility(auth, &parameters)?,
        // The older clients escape the name twice.
        main_file_name: parameters
            .optional_text("application_file_name")?
            .filter(|name| !name.is_empty())
            .map(|name| percent_decode_str(name).decode_utf8_lossy().into_owned()),
        labels: parameters.list("labels")?.unwrap_or_default(),
        archive: upload
            .archive
            .ok_or_else(|| ApiError::bad_parameters("Missing application archive in request body"))?,
    })
}

async fn record(
    service: &Service,
    caller: &Caller,
    new: NewBlueprint,
    is_async: bool,
) -> Result<serde_json::Map<String, Value>, ApiError> {
    let id = new.id.clone();
    let (blueprint, execution) = service.manager.create_blueprint(caller, new).await?;
    service.wake();
    if is_async {
        return Ok(blueprint);
    }
    Ok(service.manager.wait_for_blueprint(caller, &id, execution, PATIENCE).await?)
}

/// Change a blueprint's labels or owner.
async fn change(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(BLUEPRINT_UPLOAD)?;
    let change = BlueprintChange {
        labels: body.list("labels")?,
        owner: owner(&auth, &service, body.optional_text("creator")?).await?,
    };
    Ok(HttpResponse::Ok().json(service.manager.change_blueprint(caller, &id, change).await?))
}

/// Delete a blueprint.
///
/// Refused while it has deployments, and while other blueprints import it unless `force` is given.
async fn delete(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(BLUEPRINT_DELETE)?;
    let force = listing.boolean("force", false)?;
    Ok(HttpResponse::Ok().json(service.manager.delete_blueprint(caller, &id, force).await?))
}

/// Download a blueprint's archive, as it was uploaded.
async fn download(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(BLUEPRINT_DOWNLOAD)?;
    transfer::send(&request, service.manager.blueprint_archive(caller, &id).await?)
}

/// Get a blueprint's picture.
async fn get_icon(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(BLUEPRINT_GET)?;
    let icon = service.manager.blueprint_icon(caller, &id).await?;
    Ok(HttpResponse::Ok().content_type("image/png").body(icon))
}

/// Set or take away a blueprint's picture: the body, a PNG; without one there is none.
async fn set_icon(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(BLUEPRINT_UPLOAD)?;
    let icon = payload
        .to_bytes_limited(MAX_ICON_BYTES)
        .await
        .map_err(|_| {
            ApiError::new(
                ErrorCode::PayloadTooLarge,
                format!("the picture is longer than {MAX_ICON_BYTES} bytes"),
            )
        })?
        .map_err(|error| ApiError::bad_parameters(format!("the body could not be read: {error}")))?;
    service.manager.set_blueprint_icon(caller, &id, &icon).await?;
    Ok(HttpResponse::Ok().json(service.manager.blueprint(caller, &id, None).await?))
}

/// Let more callers see a blueprint.
async fn set_visibility(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(BLUEPRINT_UPLOAD)?;
    let visibility = wider(&auth, &body)?;
    Ok(HttpResponse::Ok().json(service.manager.set_blueprint_visibility(caller, &id, visibility).await?))
}

/// The user to whom an entity is to be given, where one is named.
pub(super) async fn owner(
    auth: &Auth,
    service: &Service,
    name: Option<&str>,
) -> Result<Option<UserName>, ApiError> {
    let Some(name) = name else { return Ok(None) };
    auth.allow(SET_OWNER)?;
    service.access.user(name, false).await?;
    Ok(Some(UserName::trusted(name)))
}

/// Who may see a new entity: `visibility`, or the older `private_resource`; everybody in the tenant where neither says.
pub(super) fn visibility(auth: &Auth, parameters: &JsonBody) -> Result<Visibility, ApiError> {
    let is_private = parameters.boolean("private_resource", false)?;
    match parameters.optional_text("visibility")? {
        None if is_private => Ok(Visibility::Private),
        None => Ok(Visibility::Tenant),
        Some(text) => parse(auth, text, "['private', 'tenant', 'global']"),
    }
}

/// The visibility that an existing entity is to get, where one is named.
pub(super) fn optional_visibility(auth: &Auth, body: &JsonBody) -> Result<Option<Visibility>, ApiError> {
    let parsed = |text| parse(auth, text, "['private', 'tenant', 'global']");
    body.optional_text("visibility")?.map(parsed).transpose()
}

/// The visibility that an existing entity is to get.
pub(super) fn wider(auth: &Auth, body: &JsonBody) -> Result<Visibility, ApiError> {
    parse(auth, body.text("visibility")?, "['tenant', 'global']")
}

fn parse(auth: &Auth, text: &str, allowed: &str) -> Result<Visibility, ApiError> {
    let visibility = Visibility::parse(text).ok_or_else(|| {
        ApiError::bad_parameters(format!(
            "Invalid visibility: `{text}`. Valid visibility's values are: {allowed}"
        ))
    })?;
    if visibility == Visibility::Global {
        auth.allow(CREATE_GLOBAL_RESOURCE)?;
    }
    Ok(visibility)
}
