//! The description of the API as an OpenAPI 3.1 document.
//!
//! It stands beside the handlers and is written by hand, as the same handlers serve several versions; the tests of this
//! folder read the handlers' sources and fail where the two differ.

mod body;
mod chart_examples;
mod chart_schemas;
mod document;
mod examples;
mod fields;
mod flow_examples;
mod flow_schemas;
mod operation;
mod operations;
mod resource_examples;
mod schemas;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use bytes::Bytes;

/// The document depends on nothing but the program, so it is written once.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document::document().to_string()));

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/openapi.json").route(web::get().to(openapi)));
}

/// Describe the API (OpenAPI 3.1).
async fn openapi() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(DOCUMENT.clone())
}
