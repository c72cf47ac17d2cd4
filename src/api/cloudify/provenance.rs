//! Whose an entity is and when it was made, where a caller brings it from another manager.

use crate::api::{ApiError, Auth, ErrorCode, JsonBody};
use crate::model::{Timestamp, UserName, Visibility};

use super::permissions::CREATE_GLOBAL_RESOURCE;

/// What the body says of `created_by` and `created_at`; only a sys_admin may say it.
///
/// # Errors
/// 403 for another caller; 400 for what is no name or time.
pub(super) fn provenance(
    auth: &Auth,
    body: &JsonBody,
) -> Result<(Option<UserName>, Option<Timestamp>), ApiError> {
    provenance_at(auth, body, "created_at")
}

/// As [`provenance`], where the time has another name.
///
/// # Errors
/// As that has.
pub(super) fn provenance_at(
    auth: &Auth,
    body: &JsonBody,
    time: &str,
) -> Result<(Option<UserName>, Option<Timestamp>), ApiError> {
    let created_by = match body.optional_text("created_by")? {
        None => None,
        Some(name) => {
            only_admin(auth, "set_owner")?;
            Some(UserName::parse(name).map_err(|error| ApiError::bad_parameters(error.to_string()))?)
        }
    };
    let created_at = moment(body, time)?;
    if created_at.is_some() {
        only_admin(auth, "set_timestamp")?;
    }
    Ok((created_by, created_at))
}

/// A time in the body, or none.
///
/// # Errors
/// 400 for what is no time.
pub(super) fn moment(body: &JsonBody, name: &str) -> Result<Option<Timestamp>, ApiError> {
    body.optional_text(name)?
        .filter(|text| !text.is_empty())
        .map(|text| {
            Timestamp::parse(text)
                .ok_or_else(|| ApiError::bad_parameters(format!("Illegal datetime `{name}`: {text}")))
        })
        .transpose()
}

/// The visibility in the body, or none; what all tenants see is for sys_admins.
///
/// # Errors
/// 400 for what is none; 403.
pub(super) fn visibility_of(auth: &Auth, body: &JsonBody) -> Result<Option<Visibility>, ApiError> {
    let Some(text) = body.optional_text("visibility")? else { return Ok(None) };
    let visibility = Visibility::parse(text).ok_or_else(|| {
        ApiError::bad_parameters(format!(
            "Invalid visibility: `{text}`. Valid visibility's values are: ['private', 'tenant', 'global']"
        ))
    })?;
    if visibility == Visibility::Global {
        auth.allow(CREATE_GLOBAL_RESOURCE)?;
    }
    Ok(Some(visibility))
}

/// What answers to callers who want to write what only executions write.
pub(super) fn only_by_executions(what: &str) -> ApiError {
    ApiError::new(ErrorCode::Forbidden, format!("{what} can only be created or changed by executions"))
}

/// Refuses everybody but a sys_admin.
///
/// # Errors
/// 403.
pub(super) fn only_admin(auth: &Auth, action: &str) -> Result<(), ApiError> {
    let caller = auth.anyone();
    if caller.is_admin() {
        return Ok(());
    }
    let message = format!(
        "User `{}` is not permitted to perform the action {action} in the tenant `{}`",
        caller.user, caller.tenant
    );
    Err(ApiError::new(ErrorCode::Forbidden, message))
}
