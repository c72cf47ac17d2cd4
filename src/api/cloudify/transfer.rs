//! Bodies that are files, received and sent in pieces.

use actix_multipart::Multipart;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde_json::{Map, Value};

use crate::api::download::FileBody;
use crate::api::{ApiError, ErrorCode, JsonBody, Listing};
use crate::fetch::{Fetch, FetchError, FetchSettings};
use crate::manager::{Blobs, Download, Incoming, ManagerError, StoredBlob};

/// The longest archive of a blueprint or plugin, in bytes.
const MAX_ARCHIVE_BYTES: u64 = 8 << 30;
/// The longest field of a form that is no file, in bytes.
const MAX_FIELD_BYTES: usize = 1 << 20;

/// A file that a caller sent, and what was said of it.
pub(super) struct Upload {
    /// The parameters: those of the form, else those of the query.
    pub parameters: JsonBody,
    /// The file; none where the body was empty.
    pub archive: Option<StoredBlob>,
}

/// Receives a body that is a file, or a form in which one of `names` is a file and `params` a JSON object. What the
/// body is called matters only where it is called a form.
pub(super) async fn receive(
    request: &HttpRequest,
    payload: web::Payload,
    listing: &Listing,
    fetching: &FetchSettings,
    blobs: &Blobs,
    names: &[&str],
) -> Result<Upload, ApiError> {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("multipart/form-data"));
    let mut parameters: Map<String, Value> =
        listing.parameters().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let url = parameters
        .keys()
        .find(|name| name.ends_with("_archive_url"))
        .and_then(|name| parameters[name].as_str());
    if let Some(url) = url {
        let archive = fetch(fetching, url, blobs).await?;
        return Ok(Upload { parameters: JsonBody(parameters), archive });
    }
    let mut payload = payload.into_inner();
    if !is_form {
        let body = web::Payload::from_request(request, &mut payload).await.map_err(unreadable)?;
        let archive = store(body.map_err(unreadable), blobs).await?;
        return Ok(Upload { parameters: JsonBody(parameters), archive });
    }
    let mut form = Multipart::from_request(request, &mut payload).await.map_err(unreadable)?;
    let mut archive = None;
    while let Some(field) = form.try_next().await.map_err(unreadable)? {
        let name = field.name().unwrap_or_default().to_owned();
        if names.contains(&name.as_str()) {
            archive = store(field.map_err(unreadable), blobs).await?;
        } else if name == "params" {
            match serde_json::from_slice(&text(field).await?) {
                Ok(Value::Object(given)) => parameters.extend(given),
                Ok(_) => return Err(ApiError::bad_parameters("`params` must be a JSON object")),
                Err(error) => return Err(ApiError::bad_parameters(format!("`params` is not JSON: {error}"))),
            }
        } else {
            let value = String::from_utf8(text(field).await?)
                .map_err(|_| ApiError::bad_parameters(format!("`{name}` is not text")))?;
            parameters.insert(name, Value::from(value));
        }
    }
    Ok(Upload { parameters: JsonBody(parameters), archive })
}

fn unreadable(error: impl std::fmt::Display) -> ApiError {
    ApiError::bad_parameters(format!("the body could not be read: {error}"))
}

async fn text(mut field: actix_multipart::Field) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.try_next().await.map_err(unreadable)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_FIELD_BYTES {
            return Err(too_long(MAX_FIELD_BYTES as u64));
        }
    }
    Ok(bytes)
}

async fn store(
    mut content: impl Stream<Item = Result<web::Bytes, ApiError>> + Unpin,
    blobs: &Blobs,
) -> Result<Option<StoredBlob>, ApiError> {
    let failed = |error| ApiError::from(ManagerError::Io(error));
    let mut incoming: Option<Incoming> = None;
    while let Some(chunk) = content.next().await {
        let chunk = chunk?;
        if chunk.is_empty() {
            continue;
        }
        let incoming = match &mut incoming {
            Some(incoming) => incoming,
            none => none.insert(blobs.receive().map_err(failed)?),
        };
        incoming.write(&chunk).await.map_err(failed)?;
        if incoming.size_bytes() > MAX_ARCHIVE_BYTES {
            return Err(too_long(MAX_ARCHIVE_BYTES));
        }
    }
    match incoming {
        None => Ok(None),
        Some(incoming) => incoming.finish().await.map(Some).map_err(failed),
    }
}

/// Fetches a file by its URL, as a body would have brought it.
async fn fetch(settings: &FetchSettings, url: &str, blobs: &Blobs) -> Result<Option<StoredBlob>, ApiError> {
    let refused = |error: FetchError| ApiError::bad_parameters(error.to_string());
    let fetched = Fetch::new(settings, url).map_err(refused)?.start().await.map_err(refused)?;
    let pieces = futures_util::stream::try_unfold(fetched, |mut fetched| async move {
        let piece = fetched.next().await.map_err(|error| ApiError::bad_parameters(error.to_string()))?;
        Ok::<_, ApiError>(piece.map(|bytes| (bytes, fetched)))
    });
    store(Box::pin(pieces), blobs).await
}

fn too_long(limit: u64) -> ApiError {
    ApiError::new(ErrorCode::PayloadTooLarge, format!("the body is longer than {limit} bytes"))
}

/// Sends a file of the manager, whole or a range.
pub(super) fn send(request: &HttpRequest, download: Download) -> Result<HttpResponse, ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let name = download.name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let body = FileBody { file: download.file, sha256: None, name, content_type: "application/octet-stream" };
    Ok(body.respond(request))
}
