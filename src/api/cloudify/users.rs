//! `/users` and `/user`.

use actix_web::{HttpResponse, web};
use zeroize::Zeroizing;

use crate::access::{NewUser, UserChange};
use crate::api::{ApiError, Auth, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::model::SystemRole;

use super::permissions::{
    USER_CREATE, USER_DELETE, USER_GET, USER_GET_SELF, USER_LIST, USER_SET_ACTIVATED, USER_UNLOCK,
    USER_UPDATE,
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/user").route(web::get().to(get_self)))
        .service(web::resource("/users").route(web::get().to(list)).route(web::put().to(create)))
        .service(web::resource("/users/active/{username}").route(web::post().to(set_active)))
        .service(web::resource("/users/unlock/{username}").route(web::post().to(unlock)))
        .service(
            web::resource("/users/{username}")
                .route(web::get().to(get))
                .route(web::post().to(change))
                .route(web::delete().to(delete)),
        );
}

/// List users.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    auth.allow(USER_LIST)?;
    let with_data = listing.boolean("_get_data", false)?;
    let page = service.access.users(listing.query(&[])?, with_data).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get a user.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    username: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    auth.allow(USER_GET)?;
    let with_data = listing.boolean("_get_data", false)?;
    Ok(HttpResponse::Ok().json(service.access.user(&username, with_data).await?))
}

/// Get the caller's own user.
async fn get_self(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(USER_GET_SELF)?;
    let with_data = listing.boolean("_get_data", false)?;
    Ok(HttpResponse::Ok().json(service.access.user(caller.user.as_str(), with_data).await?))
}

/// Create a user; with the role `default` where none is named.
async fn create(auth: Auth, service: web::Data<Service>, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(USER_CREATE)?;
    if body.boolean("is_prehashed", false)? {
        return Err(ApiError::bad_parameters("`is_prehashed` is not supported: send the password itself"));
    }
    let new = NewUser {
        username: body.text("username")?.to_owned(),
        password: Zeroizing::new(password(&body)?.to_owned()),
        role: body.optional_text("role")?.unwrap_or(SystemRole::Default.as_str()).to_owned(),
    };
    Ok(HttpResponse::Created().json(service.access.create_user(caller, new).await?))
}

/// Change a user's password or role.
///
/// Every user may change the own password.
async fn change(
    auth: Auth,
    service: web::Data<Service>,
    username: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.anyone();
    let role = body.optional_text("role")?.map(str::to_owned);
    if role.is_some() || caller.user.as_str() != username.as_str() {
        auth.allow(USER_UPDATE)?;
    }
    // Cloudify's page remembers here whether it has greeted the user; there is none.
    let greets = body.0.contains_key("show_getting_started");
    let password = match body.0.get("password") {
        None if role.is_some() || greets => None,
        _ => Some(Zeroizing::new(password(&body)?.to_owned())),
    };
    let change = UserChange { password, role, active: None };
    Ok(HttpResponse::Ok().json(service.access.change_user(caller, &username, change).await?))
}

/// Let a user log in, or no longer: `action` is `activate` or `deactivate`.
async fn set_active(
    auth: Auth,
    service: web::Data<Service>,
    username: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(USER_SET_ACTIVATED)?;
    let active = match body.text("action")? {
        "activate" => true,
        "deactivate" => false,
        other => {
            return Err(ApiError::bad_parameters(format!(
                "Invalid action: {other}, Valid action values are: ['activate', 'deactivate']"
            )));
        }
    };
    let change = UserChange { active: Some(active), ..UserChange::default() };
    Ok(HttpResponse::Ok().json(service.access.change_user(caller, &username, change).await?))
}

/// End the delay that wrong passwords brought upon a user.
async fn unlock(
    auth: Auth,
    service: web::Data<Service>,
    username: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(USER_UNLOCK)?;
    Ok(HttpResponse::Ok().json(service.access.unlock_user(caller, &username).await?))
}

/// Delete a user.
///
/// The last active sys_admin stays.
async fn delete(
    auth: Auth,
    service: web::Data<Service>,
    username: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(USER_DELETE)?;
    Ok(HttpResponse::Ok().json(service.access.delete_user(caller, &username).await?))
}

/// The password, which an error never repeats.
fn password(body: &JsonBody) -> Result<&str, ApiError> {
    match body.0.get("password") {
        None => Err(ApiError::bad_parameters("Missing password in json request body")),
        Some(password) => {
            password.as_str().ok_or_else(|| ApiError::bad_parameters("password must be a text"))
        }
    }
}
