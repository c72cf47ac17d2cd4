//! The gate of maintenance before every route, and the way around it.

use actix_web::HttpMessage;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web;

use crate::app::Service;
use crate::maintenance::{Mode, effect};
use crate::manager::bypass;

use super::{ApiError, ErrorCode};

/// The header by which a caller asks to be let through.
const BYPASS: &str = "X-BYPASS-MAINTENANCE";

/// In a request that maintenance refuses and whose caller asks to be let through: how it is refused where that caller
/// may not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused(Mode);

impl Refused {
    /// The refusal.
    pub fn error(self) -> ApiError {
        match self.0 {
            Mode::Activating => ApiError::new(
                ErrorCode::EnteringMaintenanceMode,
                "Your request was rejected since Cloudify manager is currently entering maintenance mode",
            ),
            Mode::Activated | Mode::Deactivated => crate::manager::ManagerError::Maintenance.into(),
        }
    }
}

/// Refuses what maintenance keeps from being called, before anybody is asked who calls. A path that there is not is
/// none in maintenance either.
pub(super) async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let mode = request
        .app_data::<web::Data<Service>>()
        .map_or(Mode::Deactivated, |service| service.maintenance.mode());
    if mode == Mode::Deactivated {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let refuses = request
        .match_pattern()
        .is_some_and(|pattern| effect(request.method().as_str(), &pattern).refuses(mode));
    if !refuses {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let header = request.headers().get(BYPASS).and_then(|value| value.to_str().ok());
    if !header.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(request.error_response(Refused(mode).error()));
    }
    // Whether this caller may is known when the caller is.
    request.extensions_mut().insert(Refused(mode));
    Ok(bypass::with(next.call(request)).await?.map_into_boxed_body())
}
