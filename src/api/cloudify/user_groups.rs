//! `/user-groups`.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;

use super::permissions::{
    USER_GROUP_ADD_USER, USER_GROUP_CREATE, USER_GROUP_DELETE, USER_GROUP_GET, USER_GROUP_LIST,
    USER_GROUP_REMOVE_USER, USER_GROUP_UPDATE,
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/user-groups").route(web::get().to(list)).route(web::post().to(create)))
        .service(
            web::resource("/user-groups/users")
                .route(web::put().to(add_user))
                .route(web::delete().to(remove_user)),
        )
        .service(
            web::resource("/user-groups/{name}")
                .route(web::get().to(get))
                .route(web::post().to(set_role))
                .route(web::delete().to(delete)),
        );
}

/// List groups of users.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    auth.allow(USER_GROUP_LIST)?;
    let with_data = listing.boolean("_get_data", false)?;
    let page = service.access.user_groups(listing.query(&[])?, with_data).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Create a group of users; with the role `default` where none is named.
async fn create(auth: Auth, service: web::Data<Service>, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(USER_GROUP_CREATE)?;
    let name = body.text("group_name")?;
    let role = body.optional_text("role")?;
    let ldap_dn = body.optional_text("ldap_group_dn")?.map(str::to_owned);
    Ok(HttpResponse::Created().json(service.access.create_user_group(caller, name, role, ldap_dn).await?))
}

/// Get a group of users.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    auth.allow(USER_GROUP_GET)?;
    let with_data = listing.boolean("_get_data", false)?;
    Ok(HttpResponse::Ok().json(service.access.user_group(&name, with_data).await?))
}

/// Give the members of a group another role everywhere.
async fn set_role(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(USER_GROUP_UPDATE)?;
    let role = body.text("role")?;
    Ok(HttpResponse::Ok().json(service.access.set_user_group_role(caller, &name, role).await?))
}

/// Delete a group of users.
///
/// Its members stay as users, without what it gave them.
async fn delete(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(USER_GROUP_DELETE)?;
    service.access.delete_user_group(caller, &name).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Make a user a member of a group.
async fn add_user(auth: Auth, service: web::Data<Service>, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(USER_GROUP_ADD_USER)?;
    let (group, user) = (body.text("group_name")?, body.text("username")?);
    Ok(HttpResponse::Ok().json(service.access.add_group_member(caller, group, user).await?))
}

/// Take a user out of a group.
async fn remove_user(
    auth: Auth,
    service: web::Data<Service>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(USER_GROUP_REMOVE_USER)?;
    let (group, user) = (body.text("group_name")?, body.text("username")?);
    service.access.remove_group_member(caller, group, user).await?;
    Ok(HttpResponse::NoContent().finish())
}
