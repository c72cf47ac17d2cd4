//! Who is calling, which tenant, which permission.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use base64::Engine as _;
use zeroize::Zeroizing;

use crate::access::{Access, AccessError, Credentials};
use crate::app::Service;
use crate::model::{Asking, Caller, Permission};

use super::ApiError;
use super::cloudify::permissions::MAINTENANCE_MODE_SET;
use super::maintenance::Refused;

/// The caller of a request, recognised. A handler asks it for the permission that the call needs.
#[derive(Clone, Debug)]
pub struct Auth {
    caller: Caller,
}

impl Auth {
    /// The caller, where the permission is there.
    ///
    /// # Errors
    /// 403 `forbidden_error` where it is not.
    pub fn allow(&self, permission: Permission) -> Result<&Caller, ApiError> {
        if self.caller.may(permission) {
            return Ok(&self.caller);
        }
        Err(AccessError::Forbidden {
            user: self.caller.user.clone(),
            action: permission.name,
            tenant: self.caller.tenant.clone(),
        }
        .into())
    }

    /// The caller with the permission that the call needs, for calls whose subject tells the tenant in which it is
    /// checked.
    pub fn asks(&self, permission: Permission) -> Asking {
        Asking { caller: self.caller.clone(), permission }
    }

    /// The caller, for calls that every user may make.
    pub fn anyone(&self) -> &Caller {
        &self.caller
    }
}

impl FromRequest for Auth {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let service = request.app_data::<web::Data<Service>>().cloned();
        let credentials = credentials(request);
        let address = request.peer_addr().map(|address| address.ip());
        let tenant = request.headers().get("Tenant").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let refused = request.extensions().get::<Refused>().copied();
        Box::pin(async move {
            let service = service.ok_or_else(|| ApiError::bad_parameters("the service is not ready"))?;
            let caller = match service.auth_is_off() {
                true => service.access.as_admin(tenant.as_deref()).await?,
                false => authenticate(&service.access, credentials?, address, tenant.as_deref()).await?,
            };
            match refused {
                Some(refused) if !caller.may(MAINTENANCE_MODE_SET) => Err(refused.error()),
                Some(_) | None => Ok(Self { caller }),
            }
        })
    }
}

async fn authenticate(
    access: &Access,
    credentials: Credentials,
    address: Option<IpAddr>,
    tenant: Option<&str>,
) -> Result<Caller, ApiError> {
    Ok(access.authenticate(credentials, address, tenant).await?)
}

fn credentials(request: &HttpRequest) -> Result<Credentials, ApiError> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(value) = header("Authorization") {
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return basic(rest.trim()).ok_or_else(|| {
                ApiError::new(
                    super::ErrorCode::Unauthorized,
                    "User unauthorized: the `Authorization` header is not base64 of `user:password`",
                )
            });
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Credentials::Token(Zeroizing::new(rest.trim().to_owned())));
        }
    }
    if let Some(value) = header("Authentication-Token") {
        return Ok(Credentials::Token(Zeroizing::new(value.trim().to_owned())));
    }
    Ok(Credentials::None)
}

fn basic(encoded: &str) -> Option<Credentials> {
    // The older Python client writes the alphabet of URLs (RFC 4648, 5).
    let encoded = encoded.replace('-', "+").replace('_', "/");
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    let text = Zeroizing::new(String::from_utf8(decoded).ok()?);
    let (username, password) = text.split_once(':')?;
    Some(Credentials::Basic { username: username.to_owned(), password: Zeroizing::new(password.to_owned()) })
}
