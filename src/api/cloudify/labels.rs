//! `/labels`: which keys and values the labels of blueprints or deployments have.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::api::{ApiError, Auth, ErrorCode, Listing, page_size};
use crate::app::Service;
use crate::manager::filters::Filtered;
use crate::manager::{RESERVED_LABELS, Words};

use super::permissions::LABELS_LIST;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/labels/{resource}").route(web::get().to(list_keys)))
        .service(web::resource("/labels/{resource}/{key}").route(web::get().to(list_values)));
}

/// List the keys of labels.
///
/// With `_reserved` the keys that the system reserves and everybody may use.
async fn list_keys(
    auth: Auth,
    service: web::Data<Service>,
    resource: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(LABELS_LIST)?;
    let of = labelled(&resource)?;
    let query = listing.query(&[])?;
    if listing.boolean("_reserved", false)? {
        let items: Vec<String> = RESERVED_LABELS.map(str::to_owned).to_vec();
        let total = items.len() as u64;
        return Ok(HttpResponse::Ok().json(words_json(Words { items, total }, total, 0)));
    }
    let (size, offset) = (query.size, query.offset);
    let words = service.manager.label_words(caller, of, None, query).await?;
    Ok(HttpResponse::Ok().json(words_json(words, size, offset)))
}

/// List the values that go with a key of labels.
async fn list_values(
    auth: Auth,
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(LABELS_LIST)?;
    let (resource, key) = path.into_inner();
    let of = labelled(&resource)?;
    let query = listing.query(&[])?;
    let (size, offset) = (query.size, query.offset);
    let words = service.manager.label_words(caller, of, Some(key), query).await?;
    Ok(HttpResponse::Ok().json(words_json(words, size, offset)))
}

/// What a path names that has labels, and filters that can be saved.
pub(super) fn labelled(resource: &str) -> Result<Filtered, ApiError> {
    Filtered::parse(resource)
        .filter(|of| matches!(of, Filtered::Blueprints | Filtered::Deployments))
        .ok_or_else(|| {
            ApiError::new(
                ErrorCode::NotFound,
                format!("`{resource}` have no labels or filters: blueprints and deployments do"),
            )
        })
}

fn words_json(words: Words, size: u64, offset: u64) -> serde_json::Value {
    let size = page_size(size, words.total);
    json!({
        "items": words.items,
        "metadata": {
            "pagination": { "total": words.total, "size": size, "offset": offset },
            "filtered": null,
        },
    })
}
