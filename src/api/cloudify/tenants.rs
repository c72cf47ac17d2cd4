//! `/tenants`, and which users and groups belong to them.

use actix_web::{HttpResponse, web};

use crate::access::Member;
use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::model::TenantRole;

use super::permissions::{
    TENANT_ADD_GROUP, TENANT_ADD_USER, TENANT_CREATE, TENANT_DELETE, TENANT_GET, TENANT_LIST,
    TENANT_LIST_GET_DATA, TENANT_REMOVE_GROUP, TENANT_REMOVE_USER, TENANT_UPDATE_GROUP, TENANT_UPDATE_USER,
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/tenants").route(web::get().to(list)))
        .service(
            web::resource("/tenants/users")
                .route(web::put().to(add_user))
                .route(web::patch().to(update_user))
                .route(web::delete().to(remove_user)),
        )
        .service(
            web::resource("/tenants/user-groups")
                .route(web::put().to(add_group))
                .route(web::patch().to(update_group))
                .route(web::delete().to(remove_group)),
        )
        .service(
            web::resource("/tenants/{name}")
                .route(web::get().to(get))
                .route(web::post().to(create))
                .route(web::delete().to(delete)),
        );
}

/// List the tenants to which the caller belongs; a sys_admin sees all.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(TENANT_LIST)?;
    let with_data = listing.boolean("_get_data", false)?;
    if with_data {
        // Who belongs to the tenants is told to fewer than that they are there.
        auth.allow(TENANT_LIST_GET_DATA)?;
    }
    let page = service.access.tenants(caller, listing.query(&[])?, with_data).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a tenant.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let asking = auth.asks(TENANT_GET);
    let with_data = listing.boolean("_get_data", false)?;
    Ok(HttpResponse::Ok().json(service.access.tenant(asking, &name, with_data).await?))
}

/// Create a tenant.
async fn create(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(TENANT_CREATE)?;
    Ok(HttpResponse::Created().json(service.access.create_tenant(caller, &name).await?))
}

/// Delete a tenant that owns nothing.
async fn delete(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(TENANT_DELETE)?;
    Ok(HttpResponse::Ok().json(service.access.delete_tenant(caller, &name).await?))
}

/// Give a user a role in a tenant; `user` where none is named.
async fn add_user(auth: Auth, service: web::Data<Service>, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let asking = auth.asks(TENANT_ADD_USER);
    let role = body.optional_text("role")?.unwrap_or(TenantRole::User.as_str());
    let (tenant, member) = (body.text("tenant_name")?, Member::User(body.text("username")?.to_owned()));
    Ok(HttpResponse::Ok().json(service.access.set_member(asking, tenant, member, role, true).await?))
}

/// Give a user another role in a tenant.
async fn update_user(
    auth: Auth,
    service: web::Data<Service>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let asking = auth.asks(TENANT_UPDATE_USER);
    let (tenant, member) = (body.text("tenant_name")?, Member::User(body.text("username")?.to_owned()));
    let role = body.text("role")?;
    Ok(HttpResponse::Ok().json(service.access.set_member(asking, tenant, member, role, false).await?))
}

/// Take a user out of a tenant.
async fn remove_user(
    auth: Auth,
    service: web::Data<Service>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let asking = auth.asks(TENANT_REMOVE_USER);
    let (tenant, member) = (body.text("tenant_name")?, Member::User(body.text("username")?.to_owned()));
    Ok(HttpResponse::Ok().json(service.access.remove_member(asking, tenant, member).await?))
}

/// Give a group of users a role in a tenant; `user` where none is named.
async fn add_group(
    auth: Auth,
    service: web::Data<Service>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let asking = auth.asks(TENANT_ADD_GROUP);
    let role = body.optional_text("role")?.unwrap_or(TenantRole::User.as_str());
    let (tenant, member) = (body.text("tenant_name")?, Member::Group(body.text("group_name")?.to_owned()));
    Ok(HttpResponse::Ok().json(service.access.set_member(asking, tenant, member, role, true).await?))
}

/// Give a group of users another role in a tenant.
async fn update_group(
    auth: Auth,
    service: web::Data<Service>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let asking = auth.asks(TENANT_UPDATE_GROUP);
    let (tenant, member) = (body.text("tenant_name")?, Member::Group(body.text("group_name")?.to_owned()));
    let role = body.text("role")?;
    Ok(HttpResponse::Ok().json(service.access.set_member(asking, tenant, member, role, false).await?))
}

/// Take a group of users out of a tenant.
async fn remove_group(
    auth: Auth,
    service: web::Data<Service>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let asking = auth.asks(TENANT_REMOVE_GROUP);
    let (tenant, member) = (body.text("tenant_name")?, Member::Group(body.text("group_name")?.to_owned()));
    Ok(HttpResponse::Ok().json(service.access.remove_member(asking, tenant, member).await?))
}
