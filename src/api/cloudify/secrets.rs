//! `/secrets`.

use actix_web::{HttpResponse, web};
use serde_json::Value;

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::{NewSecret, SecretChange};

use super::blueprints::{owner, visibility, wider};
use super::permissions::{SECRET_CREATE, SECRET_DELETE, SECRET_GET, SECRET_LIST, SECRET_UPDATE};
use super::premium::missing_secrets_providers;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/secrets").route(web::get().to(list)))
        .service(
            web::resource("/secrets/{key}")
                .route(web::get().to(get))
                .route(web::put().to(create))
                .route(web::patch().to(change))
                .route(web::delete().to(delete)),
        )
        .service(web::resource("/secrets/{key}/set-visibility").route(web::patch().to(set_visibility)));
}

/// List secrets, without their values.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SECRET_LIST)?;
    let page = service.manager.secrets(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a secret with its value.
///
/// The value is empty where it is hidden from the caller.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    key: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SECRET_GET)?;
    Ok(HttpResponse::Ok().json(service.manager.secret(caller, &key).await?))
}

/// Create a secret.
///
/// An existing one of this name is overwritten with `update_if_exists`, else it is a conflict. With `schema` the value is
/// any JSON value that fits it, else a text.
async fn create(
    auth: Auth,
    service: web::Data<Service>,
    key: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SECRET_CREATE)?;
    check_no_provider(&body)?;
    let new = NewSecret {
        key: key.into_inner(),
        value: value(&body).ok_or_else(|| ApiError::bad_parameters("Missing value in json request body"))?,
        schema: body.object("schema")?.filter(|schema| !schema.is_empty()).cloned(),
        is_hidden_value: body.boolean("is_hidden_value", false)?,
        visibility: visibility(&auth, &body)?,
        update_if_exists: body.boolean("update_if_exists", false)?,
    };
    Ok(HttpResponse::Ok().json(service.manager.create_secret(caller, new).await?))
}

/// Change a secret.
///
/// A value has to fit the secret's schema, where it has one.
async fn change(
    auth: Auth,
    service: web::Data<Service>,
    key: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SECRET_UPDATE)?;
    check_no_provider(&body)?;
    if body.0.get("schema").is_some_and(|schema| !schema.is_null()) {
        return Err(ApiError::bad_parameters(
            "the schema of a secret can't be changed by itself: send it with the value and `update_if_exists` (PUT)",
        ));
    }
    let owner = owner(&auth, &service, body.optional_text("creator")?).await?;
    let change = SecretChange {
        owner,
        value: value(&body),
        is_hidden_value: match body.0.get("is_hidden_value") {
            None | Some(Value::Null) => None,
            Some(_) => Some(body.boolean("is_hidden_value", false)?),
        },
        visibility: match body.optional_text("visibility")? {
            None => None,
            Some(_) => Some(visibility(&auth, &body)?),
        },
    };
    Ok(HttpResponse::Ok().json(service.manager.change_secret(caller, &key, change).await?))
}

/// Delete a secret.
async fn delete(
    auth: Auth,
    service: web::Data<Service>,
    key: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SECRET_DELETE)?;
    Ok(HttpResponse::Ok().json(service.manager.delete_secret(caller, &key).await?))
}

/// Let more callers see a secret.
async fn set_visibility(
    auth: Auth,
    service: web::Data<Service>,
    key: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SECRET_UPDATE)?;
    let visibility = wider(&auth, &body)?;
    Ok(HttpResponse::Ok().json(service.manager.set_secret_visibility(caller, &key, visibility).await?))
}

/// The value, if one is given.
fn value(body: &JsonBody) -> Option<Value> {
    body.0.get("value").filter(|value| !value.is_null()).cloned()
}

/// Refuses what only Cloudify's premium edition has: values that are kept elsewhere.
fn check_no_provider(body: &JsonBody) -> Result<(), ApiError> {
    let is_given = |name: &&str| match body.0.get(*name) {
        None | Some(Value::Null) => false,
        // `cfy secrets update` sends an empty object where nothing is said.
        Some(Value::Object(options)) => !options.is_empty(),
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    };
    if ["provider_name", "provider_options"].iter().any(is_given) {
        return Err(missing_secrets_providers());
    }
    Ok(())
}
