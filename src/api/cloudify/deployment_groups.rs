//! `/deployment-groups`.

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value};

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::{DeleteDeployment, GroupChange, Members};

use super::permissions::{
    DEPLOYMENT_GROUP_CREATE, DEPLOYMENT_GROUP_DELETE, DEPLOYMENT_GROUP_GET, DEPLOYMENT_GROUP_LIST,
    DEPLOYMENT_GROUP_UPDATE,
};
use super::provenance::{only_admin, provenance, visibility_of};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/deployment-groups").route(web::get().to(list))).service(
        web::resource("/deployment-groups/{id}")
            .route(web::get().to(get))
            .route(web::put().to(put))
            .route(web::patch().to(change))
            .route(web::delete().to(delete)),
    );
}

/// List deployment groups.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_GROUP_LIST)?;
    let page = service.manager.deployment_groups(caller, listing.query(&[])?).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a deployment group.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_GROUP_GET)?;
    Ok(HttpResponse::Ok().json(service.manager.deployment_group(caller, &id, listing.include()).await?))
}

/// Create a deployment group, or change an existing one.
///
/// Where deployments are named, those that are not leave the group. All or nothing.
async fn put(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_GROUP_CREATE)?;
    let (created_by, created_at) = provenance(&auth, &body)?;
    let creation_counter = body.0.get("creation_counter").and_then(Value::as_i64);
    if creation_counter.is_some() {
        only_admin(&auth, "set_owner")?;
    }
    let change = GroupChange {
        visibility: visibility_of(&auth, &body)?,
        description: body.optional_text("description")?.map(str::to_owned),
        blueprint_id: body.optional_text("blueprint_id")?.filter(|id| !id.is_empty()).map(str::to_owned),
        default_inputs: body.object("default_inputs")?.map(|inputs| Value::Object(inputs.clone())),
        labels: body.list("labels")?,
        members: members(&body)?,
        new_deployments: body.list("new_deployments")?.unwrap_or_default(),
        created_by,
        created_at,
        creation_counter,
    };
    let group = service.manager.put_deployment_group(caller, &id, change).await?;
    service.wake();
    Ok(HttpResponse::Ok().json(group))
}

/// Add deployments to a deployment group, or remove some from it.
async fn change(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_GROUP_UPDATE)?;
    let add = body.object("add")?.map(added).transpose()?;
    let remove = body.object("remove")?.map(|remove| members(&JsonBody(remove.clone()))).transpose()?;
    let group = service.manager.change_group_members(caller, &id, add, remove).await?;
    service.wake();
    Ok(HttpResponse::Ok().json(group))
}

/// Delete a deployment group.
///
/// Its deployments stay, unless `delete_deployments` says that they go with it, all or none.
async fn delete(
    auth: Auth,
    service: web::Data<Service>,
    id: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DEPLOYMENT_GROUP_DELETE)?;
    let options = DeleteDeployment {
        force: listing.boolean("force", false)?,
        delete_logs: listing.boolean("delete_logs", false)?,
    };
    // Nothing is below a deployment here.
    listing.boolean("recursive", false)?;
    let options = listing.boolean("delete_deployments", false)?.then_some(options);
    service.manager.delete_deployment_group(caller, &id, options).await?;
    service.wake();
    Ok(HttpResponse::NoContent().finish())
}

fn added(add: &Map<String, Value>) -> Result<GroupChange, ApiError> {
    let add = JsonBody(add.clone());
    Ok(GroupChange {
        members: members(&add)?,
        new_deployments: add.list("new_deployments")?.unwrap_or_default(),
        ..GroupChange::default()
    })
}

fn members(body: &JsonBody) -> Result<Members, ApiError> {
    let ids = body
        .list("deployment_ids")?
        .map(|ids| {
            ids.into_iter()
                .map(|id| match id {
                    Value::String(id) => Ok(id),
                    other => {
                        Err(ApiError::bad_parameters(format!("deployment_ids must be texts, got {other}")))
                    }
                })
                .collect::<Result<Vec<_>, _>>()
        })
        .transpose()?;
    let text = |name| {
        Ok::<_, ApiError>(body.optional_text(name)?.filter(|text| !text.is_empty()).map(str::to_owned))
    };
    Ok(Members {
        deployment_ids: ids,
        filter_id: text("filter_id")?,
        filter_rules: body.list("filter_rules")?.unwrap_or_default(),
        from_group: text("deployments_from_group")?,
    })
}
