//! What belongs to Cloudify's premium edition, and to its maker: Lifeboat is one manager and needs no license.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, ErrorCode};

use super::permissions::{
    BROKER_MANAGE, COMMUNITY_CONTACT_CREATE, LDAP_SET, LICENSE_REMOVE, LICENSE_UPLOAD, MANAGER_MANAGE,
    SECRETS_PROVIDER_CREATE, SECRETS_PROVIDER_DELETE, SECRETS_PROVIDER_GET, SECRETS_PROVIDER_LIST,
    SECRETS_PROVIDER_UPDATE,
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/secrets-providers")
                .route(web::get().to(list_secrets_providers))
                .route(web::put().to(create_secrets_provider)),
        )
        .service(
            web::resource("/secrets-providers/{name}")
                .route(web::get().to(get_secrets_provider))
                .route(web::patch().to(change_secrets_provider))
                .route(web::delete().to(delete_secrets_provider)),
        );
}

/// The refusal of a community edition.
fn missing(what: &str) -> ApiError {
    ApiError::new(
        ErrorCode::MissingPremiumPackage,
        format!(
            "This manager is of the community edition: it has no use for {what}, which is a matter of the premium edition"
        ),
    )
}

/// The refusal of secrets whose values are kept elsewhere.
pub(super) fn missing_secrets_providers() -> ApiError {
    missing("providers of secrets")
}

/// Add a manager to a cluster: there is none.
pub(super) async fn add_manager(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(MANAGER_MANAGE)?;
    Err(missing("a cluster of managers"))
}

/// Change a manager of a cluster: there is none.
pub(super) async fn update_manager(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(MANAGER_MANAGE)?;
    Err(missing("a cluster of managers"))
}

/// Remove a manager from a cluster: there is none.
pub(super) async fn remove_manager(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(MANAGER_MANAGE)?;
    Err(missing("a cluster of managers"))
}

/// Add a broker to a cluster: there is none.
pub(super) async fn add_broker(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(BROKER_MANAGE)?;
    Err(missing("a cluster of managers"))
}

/// Change a broker of a cluster: there is none.
pub(super) async fn update_broker(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(BROKER_MANAGE)?;
    Err(missing("a cluster of managers"))
}

/// Remove a broker from a cluster: there is none.
pub(super) async fn remove_broker(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(BROKER_MANAGE)?;
    Err(missing("a cluster of managers"))
}

/// Look for the machines of a cluster's database: there is none.
pub(super) async fn update_db_nodes(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(MANAGER_MANAGE)?;
    Err(missing("a cluster of managers"))
}

/// Let a directory server tell who users are: there is none.
pub(super) async fn set_ldap(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(LDAP_SET)?;
    Err(missing("a directory server (LDAP)"))
}

/// Upload a license: the community edition has none.
pub(super) async fn upload_license(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(LICENSE_UPLOAD)?;
    Err(missing("a license"))
}

/// Keep the license of a contact: the community edition has none.
pub(super) async fn register_license(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(LICENSE_UPLOAD)?;
    Err(missing("a license"))
}

/// Remove the license: the community edition has none.
pub(super) async fn remove_license(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(LICENSE_REMOVE)?;
    Err(missing("a license"))
}

/// List providers of secrets: there are none.
pub(super) async fn list_secrets_providers(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(SECRETS_PROVIDER_LIST)?;
    Err(missing_secrets_providers())
}

/// Create or try a provider of secrets: there are none.
pub(super) async fn create_secrets_provider(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(SECRETS_PROVIDER_CREATE)?;
    Err(missing_secrets_providers())
}

/// Get a provider of secrets: there are none.
pub(super) async fn get_secrets_provider(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(SECRETS_PROVIDER_GET)?;
    Err(missing_secrets_providers())
}

/// Change a provider of secrets: there are none.
pub(super) async fn change_secrets_provider(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(SECRETS_PROVIDER_UPDATE)?;
    Err(missing_secrets_providers())
}

/// Delete a provider of secrets: there are none.
pub(super) async fn delete_secrets_provider(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(SECRETS_PROVIDER_DELETE)?;
    Err(missing_secrets_providers())
}

/// Register with the maker of Cloudify: nothing is sent to anybody.
pub(super) async fn register_contact(auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.allow(COMMUNITY_CONTACT_CREATE)?;
    Err(missing("a registration"))
}
