//! Manager snapshots, as Cloudify's clients and the v2.1 document have them.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use crate::app::Service;
use crate::model::{Permission, SnapshotId, SnapshotStatus};
use crate::snapshots::{Piece, SnapshotError, seal_for};

use super::super::download::FileBody;
use super::super::extract::parse_boolean;
use super::super::{ApiError, Auth, JsonBody, Listing, page_json, selection};

const LIST: Permission = Permission::system("snapshot_list");
const GET: Permission = Permission::system("snapshot_get");
const CREATE: Permission = Permission::system("snapshot_create");
const DELETE: Permission = Permission::system("snapshot_delete");
const UPDATE: Permission = Permission::system("snapshot_status_update");
const RESTORE: Permission = Permission::system("snapshot_restore");
const DOWNLOAD: Permission = Permission::system("snapshot_download");
const UPLOAD: Permission = Permission::system("snapshot_upload");
/// Ours: both change a snapshot's record only.
const VERIFY: Permission = Permission::system("snapshot_verify");
const PROTECT: Permission = Permission::system("snapshot_protect");

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/snapshots").route(web::get().to(list)))
        .service(web::resource("/snapshot-status").route(web::get().to(status)))
        .service(web::resource("/snapshots/{id}/restore").route(web::post().to(restore)))
        .service(web::resource("/snapshots/{id}/verify").route(web::post().to(verify)))
        .service(web::resource("/snapshots/{id}/protect").route(web::post().to(protect)))
        .service(
            web::resource("/snapshots/{id}/archive")
                .route(web::get().to(download))
                .route(web::head().to(download))
                .route(web::put().to(upload)),
        )
        .service(
            web::resource("/snapshots/{id}")
                .route(web::get().to(get))
                .route(web::put().to(create))
                .route(web::patch().to(update))
                .route(web::delete().to(delete)),
        );
}

type Id = web::Path<String>;

/// List snapshots.
async fn list(service: web::Data<Service>, auth: Auth, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(LIST)?;
    let page = service.snapshots.list(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a snapshot.
async fn get(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(GET)?;
    let id = SnapshotId::trusted(id.into_inner());
    Ok(HttpResponse::Ok().json(service.snapshots.get(caller, &id, listing.include()).await?))
}

/// Create a snapshot.
///
/// Records an execution and returns at once; the worker does the rest.
async fn create(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(CREATE)?;
    let id = SnapshotId::for_create(&id).map_err(SnapshotError::from)?;
    let options = Options { listing: &listing, body: &body };
    let mut parameters = Map::new();
    for (name, default) in [
        ("include_metrics", false),
        ("include_credentials", false),
        ("include_logs", true),
        ("include_events", true),
        ("include_flow_history", false),
        ("pause_flows", false),
        ("legacy", false),
    ] {
        parameters.insert(name.to_owned(), Value::Bool(options.boolean(name, default)?));
    }
    let queue = options.boolean("queue", false)?;
    parameters.insert("queue".to_owned(), Value::Bool(queue));
    let named = body.list("seal_for")?.unwrap_or_else(|| listing.words("seal_for"));
    let recipients = seal_for(&named)?;
    if !recipients.is_empty() {
        parameters.insert("seal_for".to_owned(), json!(recipients));
    }
    let has_folder = body.optional_text("tempdir_path")?.is_some_and(|path| !path.is_empty());
    // A path of a server is not repeated in records: only that one was asked for.
    parameters
        .insert("tempdir_path".to_owned(), if has_folder { Value::from("(ignored)") } else { Value::Null });
    parameters.insert("listener_timeout".to_owned(), listener_timeout(&body)?);
    let execution = service.snapshots.create(caller, id, parameters, queue).await?;
    Ok(HttpResponse::Created().json(service.execution_view(execution.id).await?))
}

/// Delete a snapshot.
async fn delete(service: web::Data<Service>, auth: Auth, id: Id) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DELETE)?;
    let id = SnapshotId::trusted(id.into_inner());
    Ok(HttpResponse::Ok().json(service.snapshots.delete(caller, &id).await?))
}

/// Update the status of a snapshot.
///
/// Only what the service itself would do: the present status again, or `failed`.
async fn update(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(UPDATE)?;
    let text = body.text("status")?;
    let status = SnapshotStatus::parse(text).ok_or_else(|| {
        ApiError::bad_parameters(format!(
            "`{text}` is no status of a snapshot: use one of creating, created, failed, uploading, uploaded"
        ))
    })?;
    let error = body.optional_text("error")?.unwrap_or_default().to_owned();
    let id = SnapshotId::trusted(id.into_inner());
    service.snapshots.set_status(caller, &id, status, error).await?;
    Ok(HttpResponse::Ok().json(Value::Null))
}

/// Restore a snapshot.
///
/// Records an execution and returns at once. All or nothing: the manager has the old state or the new one.
async fn restore(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(RESTORE)?;
    let options = Options { listing: &listing, body: &body };
    let mut parameters = Map::new();
    for (name, default) in [
        ("force", false),
        ("recreate_deployments_envs", true),
        ("skip_sealed", false),
        ("restore_certificates", false),
        ("no_reboot", false),
        ("ignore_plugin_failure", false),
    ] {
        parameters.insert(name.to_owned(), Value::Bool(options.boolean(name, default)?));
    }
    if parameters["no_reboot"] == true && parameters["restore_certificates"] == false {
        return Err(ApiError::bad_parameters(
            "`no_reboot` is only relevant when `restore_certificates` is activated",
        ));
    }
    if let Some(timeout) = timeout(&body)? {
        parameters.insert("timeout".to_owned(), timeout);
    }
    if selection::add_to(&mut parameters, &listing, &body)? {
        parameters.insert("dry_run".to_owned(), Value::Bool(options.boolean("dry_run", false)?));
    }
    let queue = options.boolean("queue", false)?;
    let id = SnapshotId::trusted(id.into_inner());
    let execution = service.snapshots.restore(caller, id, parameters, queue).await?;
    Ok(HttpResponse::Ok().json(service.execution_view(execution.id).await?))
}

/// Verify a snapshot.
///
/// Records an execution that reads every byte of the archive, and returns at once.
async fn verify(service: web::Data<Service>, auth: Auth, id: Id) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(VERIFY)?;
    let execution = service.snapshots.verify(caller, SnapshotId::trusted(id.into_inner())).await?;
    Ok(HttpResponse::Ok().json(service.execution_view(execution.id).await?))
}

/// Protect a snapshot from being deleted, or no longer.
async fn protect(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PROTECT)?;
    let protected = Options { listing: &listing, body: &body }.boolean("protected", true)?;
    let id = SnapshotId::trusted(id.into_inner());
    Ok(HttpResponse::Ok().json(service.snapshots.protect(caller, &id, protected).await?))
}

/// Download a snapshot's archive.
///
/// Whole or one range; `ETag` is the archive's SHA-256.
async fn download(
    service: web::Data<Service>,
    auth: Auth,
    request: HttpRequest,
    id: Id,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DOWNLOAD)?;
    let id = SnapshotId::trusted(id.into_inner());
    let download = service.snapshots.download(caller, &id).await?;
    let body = FileBody {
        file: download.file,
        sha256: download.snapshot.sha256,
        name: format!("{id}.zip"),
        content_type: "application/octet-stream",
    };
    Ok(body.respond(&request))
}

/// Upload a snapshot's archive.
///
/// As the body, raw or multipart, whatever its content type says; or by `snapshot_archive_url`, which the service
/// fetches. Answers when the archive was received and judged.
async fn upload(
    service: web::Data<Service>,
    auth: Auth,
    request: HttpRequest,
    id: Id,
    listing: Listing,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(UPLOAD)?;
    let id = SnapshotId::for_upload(&id).map_err(SnapshotError::from)?;
    if let Some(url) = listing.get("snapshot_archive_url") {
        let snapshot = service.snapshots.upload_by_url(caller, id, url).await?;
        return Ok(HttpResponse::Created().json(snapshot));
    }
    let mut body = super::super::body::Body::new(&request, payload)?;
    service.snapshots.require_room(body.length())?;
    let first = body.next().await?;
    if let Some(url) = first.as_deref().and_then(url_in_body) {
        let snapshot = service.snapshots.upload_by_url(caller, id, &url).await?;
        return Ok(HttpResponse::Created().json(snapshot));
    }
    let (sender, received) = service.snapshots.upload(caller, id, body.length()).await?;
    let mut piece = first;
    let mut broken = None;
    while let Some(bytes) = piece {
        if sender.send(Piece::Bytes(bytes)).await.is_err() {
            // It was refused already; the answer says why.
            break;
        }
        piece = match body.next().await {
            Ok(piece) => piece,
            Err(error) => {
                tracing::info!("an upload broke off: {error}");
                broken = Some(error);
                None
            }
        };
    }
    if broken.is_none() {
        let _ = sender.send(Piece::End).await;
    }
    drop(sender);
    match (received.await.unwrap_or(Err(SnapshotError::Incomplete)), broken) {
        (Ok(snapshot), _) => Ok(HttpResponse::Created().json(snapshot)),
        // Whether anybody is left to be told is not known; who still listens learns what broke it off.
        (Err(SnapshotError::Incomplete), Some(error)) => Err(error),
        (Err(error), _) => Err(error.into()),
    }
}

/// Get the status of restores.
///
/// Needs no login, as users may be replaced while one runs; it tells nothing but that.
async fn status(service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    let status = if service.snapshots.is_restoring().await? { "running" } else { "not-running" };
    Ok(HttpResponse::Ok().json(json!({ "status": status })))
}

/// Options from the body, or from the query as CloudifyJS sends them.
pub(super) struct Options<'a> {
    pub listing: &'a Listing,
    pub body: &'a JsonBody,
}

impl Options<'_> {
    pub fn boolean(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        match self.listing.get(name) {
            Some(text) if !self.body.0.contains_key(name) => parse_boolean(name, text),
            _ => self.body.boolean(name, default),
        }
    }
}

/// The URL in a body `{"snapshot_archive_url": …}`, which the document has.
fn url_in_body(bytes: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(bytes).ok()?;
    document.get("snapshot_archive_url")?.as_str().map(str::to_owned)
}

fn listener_timeout(body: &JsonBody) -> Result<Value, ApiError> {
    let wrong = || ApiError::bad_parameters("listener_timeout must a valid floating point number");
    match body.0.get("listener_timeout") {
        None | Some(Value::Null) => Ok(Value::Null),
        Some(Value::Number(number)) => Ok(Value::Number(number.clone())),
        Some(Value::String(text)) if text.is_empty() => Ok(Value::Null),
        Some(Value::String(text)) => text.parse::<f64>().map(Value::from).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

fn timeout(body: &JsonBody) -> Result<Option<Value>, ApiError> {
    match body.0.get("timeout") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
            Ok(Some(Value::Number(number.clone())))
        }
        Some(Value::String(text)) if text.parse::<i64>().is_ok() => {
            Ok(text.parse::<i64>().ok().map(Value::from))
        }
        Some(other) => {
            let shown = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            Err(ApiError::bad_parameters(format!("invalid parameter, should be int, got: {shown}")))
        }
    }
}
