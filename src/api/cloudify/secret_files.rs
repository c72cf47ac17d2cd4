//! `/secrets/share`: secrets that leave in a file and come back.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::api::{ApiError, Auth, JsonBody, Listing};
use crate::app::Service;
use crate::manager::{SecretExport, SecretImport};

use super::permissions::{
    CREATE_GLOBAL_RESOURCE, SECRET_CREATE, SECRET_EXPORT, SECRET_IMPORT, SET_OWNER, SET_TIMESTAMP,
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/secrets/share/export").route(web::get().to(export)))
        .service(web::resource("/secrets/share/import").route(web::post().to(import)));
}

/// Export secrets with their values.
///
/// With `_passphrase` the values are sealed as Cloudify does it, else they are in clear.
async fn export(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SECRET_EXPORT)?;
    let passphrase = listing.get("_passphrase").filter(|text| !text.is_empty());
    let export = SecretExport {
        passphrase: passphrase.map(|text| Zeroizing::new(text.to_owned())),
        with_metadata: listing.boolean("_include_metadata", false)?,
        query: listing.query(&[])?,
        permission: SECRET_EXPORT,
    };
    Ok(HttpResponse::Ok().json(service.export_secrets(caller, export).await?))
}

/// Import secrets of an export.
///
/// What can't be taken is named by its place in the list, and the rest is taken.
async fn import(auth: Auth, service: web::Data<Service>, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(SECRET_IMPORT)?;
    let items = body.list("secrets_list")?;
    let import = SecretImport {
        items: items.ok_or_else(|| ApiError::bad_parameters("Missing secrets_list in json request body"))?,
        tenant_map: tenants(&body)?,
        passphrase: passphrase(&body)?,
        override_collisions: body.boolean("override_collisions", false)?,
        create: SECRET_CREATE,
        create_global: CREATE_GLOBAL_RESOURCE,
        set_owner: SET_OWNER,
        set_timestamp: SET_TIMESTAMP,
        users: Vec::new(),
    };
    let imported = service.import_secrets(caller, import).await?;
    Ok(HttpResponse::Ok()
        .json(json!({ "colliding_secrets": imported.colliding, "secrets_errors": imported.errors })))
}

/// The passphrase, which an error never repeats.
fn passphrase(body: &JsonBody) -> Result<Option<Zeroizing<String>>, ApiError> {
    match body.0.get("passphrase") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(Zeroizing::new(text.clone()))),
        Some(_) => Err(ApiError::bad_parameters("passphrase must be a text")),
    }
}

fn tenants(body: &JsonBody) -> Result<BTreeMap<String, String>, ApiError> {
    let Some(map) = body.object("tenant_map")? else { return Ok(BTreeMap::new()) };
    map.iter()
        .map(|(from, to)| match to.as_str() {
            Some(to) => Ok((from.clone(), to.to_owned())),
            None => Err(ApiError::bad_parameters("tenant_map must give each tenant the name of another one")),
        })
        .collect()
}
