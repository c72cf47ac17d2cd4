//! `/plugins-updates`.

use actix_web::{HttpResponse, web};
use serde_json::Value;

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::{NewPluginsUpdate, PluginsChoice, PluginsUpdateRequest};

use super::permissions::{PLUGINS_UPDATE_CREATE, PLUGINS_UPDATE_GET, PLUGINS_UPDATE_LIST};
use super::provenance::{only_admin, provenance};

/// What only the record of another manager's update has.
const OF_A_RECORD: [&str; 8] = [
    "created_by",
    "created_at",
    "update_id",
    "execution_id",
    "state",
    "affected_deployments",
    "deployments_per_tenant",
    "temp_blueprint_id",
];

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/plugins-updates").route(web::get().to(list)))
        .service(web::resource("/plugins-updates/{id}").route(web::get().to(get)))
        .service(web::resource("/plugins-updates/{id}/update/initiate").route(web::post().to(initiate)))
        .service(web::resource("/plugins-updates/{id}/update/finalize").route(web::post().to(finalize)));
}

/// List plugins updates.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLUGINS_UPDATE_LIST)?;
    let page = service.manager.plugins_updates(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a plugins update.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLUGINS_UPDATE_GET)?;
    Ok(HttpResponse::Ok().json(service.manager.plugins_update(caller, &id, listing.include()).await?))
}

/// Update the plugins of a blueprint and of its deployments.
///
/// The blueprint is read anew with the plugins that serve; the execution `update_plugin` brings one deployment after the
/// other to them. With the fields of a record, only the record of another manager's update is kept.
async fn initiate(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLUGINS_UPDATE_CREATE)?;
    let is_record = OF_A_RECORD.iter().any(|name| body.0.get(*name).is_some_and(|value| !value.is_null()));
    if is_record {
        let new = record(&auth, &body)?;
        return Ok(HttpResponse::Ok().json(service.manager.insert_plugins_update(caller, &id, new).await?));
    }
    let request = PluginsUpdateRequest {
        choice: PluginsChoice {
            names: names(&body, "plugin_names")?,
            to_latest: names(&body, "to_latest")?,
            all_to_latest: body.boolean("all_to_latest", false)?,
            to_minor: names(&body, "to_minor")?,
            all_to_minor: body.boolean("all_to_minor", false)?,
            mapping: body.object("mapping")?.cloned().unwrap_or_default(),
        },
        force: body.boolean("force", false)?,
        auto_correct_types: body.boolean("auto_correct_types", false)?,
        reevaluate_active_statuses: body.boolean("reevaluate_active_statuses", false)?,
        all_tenants: body.boolean("all_tenants", false)?,
    };
    let update = service.manager.update_plugins(caller, &id, request, PLUGINS_UPDATE_CREATE).await?;
    service.wake();
    Ok(HttpResponse::Ok().json(update))
}

fn record(auth: &Auth, body: &JsonBody) -> Result<NewPluginsUpdate, ApiError> {
    only_admin(auth, "set_plugin_update_details")?;
    let text = |name: &str| Ok::<_, ApiError>(body.optional_text(name)?.map(str::to_owned));
    let (created_by, created_at) = provenance(auth, body)?;
    Ok(NewPluginsUpdate {
        id: text("update_id")?,
        state: text("state")?.ok_or_else(|| {
            ApiError::bad_parameters("State must be supplied when overriding plugin update settings.")
        })?,
        execution_id: text("execution_id")?,
        temp_blueprint_id: text("temp_blueprint_id")?,
        deployments: body.list("affected_deployments")?,
        deployments_per_tenant: body.object("deployments_per_tenant")?.cloned(),
        forced: body.boolean("force", false)?,
        all_tenants: body.boolean("all_tenants", false)?,
        created_by,
        created_at,
    })
}

fn names(body: &JsonBody, name: &str) -> Result<Vec<String>, ApiError> {
    let list = body.list(name)?.unwrap_or_default();
    list.iter()
        .map(|entry: &Value| {
            entry.as_str().map(str::to_owned).ok_or_else(|| {
                ApiError::bad_parameters(format!("{name} must be a list of package names, got {entry}"))
            })
        })
        .collect()
}

/// Finalize a plugins update.
///
/// Answers 400: its execution does that.
async fn finalize(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLUGINS_UPDATE_CREATE)?;
    service.manager.finalize_plugins_update(caller, &id).await?;
    Ok(HttpResponse::Ok().finish())
}
