//! `/audit`: who did what.

use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

use crate::access::{AccessError, AuditQuery};
use crate::api::{ApiError, Auth, Listing, page_json};
use crate::app::Service;
use crate::database::Page;
use crate::model::Timestamp;
use crate::records::AuditFilter;

use super::permissions::{AUDIT_LOG_TRUNCATE, AUDIT_LOG_VIEW};

/// How many lines are answered where no number is asked for.
const PAGE: u64 = 100;

/// After how long without a line an empty one is sent, so that a caller who has gone is noticed.
const QUIET: Duration = Duration::from_secs(15);
/// How long the audit is followed at the most: who may not see it any more does not see it for longer.
const LONGEST: Duration = Duration::from_secs(3600);

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/audit").route(web::get().to(list)).route(web::delete().to(truncate)))
        .service(web::resource("/audit/stream").route(web::get().to(follow)));
}

/// List who did what.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    auth.allow(AUDIT_LOG_VIEW)?;
    let filter = AuditFilter { since: moment("since", listing.get("since"))?, ..who(&listing) };
    let query = AuditQuery {
        filter,
        newest_first: listing.boolean("desc", false)?,
        offset: number("offset", listing.get("offset"), 0)?,
        size: number("size", listing.get("size"), PAGE)?,
    };
    order(listing.get("order_by"))?;
    Ok(answer(service.access.audit_log(query).await?))
}

/// Follow what is done, line by line as it is done.
///
/// Each line is a JSON object; empty lines come between. Lines from before are told where `since` is given. It ends when
/// the service stops, and after an hour.
async fn follow(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    auth.allow(AUDIT_LOG_VIEW)?;
    let filter = AuditFilter { since: moment("since", listing.get("since"))?, ..who(&listing) };
    let follower = service.access.follow_audit_log(filter).await?;
    let (begun, spoken) = (Instant::now(), Instant::now());
    let lines = stream::unfold((follower, spoken), move |(mut follower, spoken)| {
        let engine = service.engine.clone();
        async move {
            while !engine.is_stopping() && begun.elapsed() < LONGEST {
                let text = match follower.look().await {
                    Ok(lines) => {
                        lines.into_iter().map(|line| format!("{}\n\n", json!(line))).collect::<String>()
                    }
                    Err(error) => return Some((Err(error), (follower, spoken))),
                };
                if !text.is_empty() {
                    return Some((Ok(Bytes::from(text)), (follower, Instant::now())));
                }
                if spoken.elapsed() > QUIET {
                    return Some((Ok(Bytes::from_static(b"\n")), (follower, Instant::now())));
                }
            }
            None::<(Result<Bytes, AccessError>, _)>
        }
    });
    Ok(HttpResponse::Ok().content_type("text/event-stream").streaming(lines))
}

/// Delete what is older than a moment. That it was done is kept.
async fn truncate(
    auth: Auth,
    service: web::Data<Service>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(AUDIT_LOG_TRUNCATE)?;
    let before = moment("before", listing.get("before"))?.ok_or_else(|| {
        ApiError::bad_parameters("`before` is missing: the time before which lines are deleted")
    })?;
    let filter = AuditFilter { before: Some(before), ..who(&listing) };
    let deleted = service.access.truncate_audit_log(caller, filter).await?;
    Ok(HttpResponse::Ok().json(json!({ "deleted": deleted })))
}

/// The parameters of its pages have names of their own.
fn answer(page: Page) -> HttpResponse {
    HttpResponse::Ok().json(page_json(page))
}

fn who(listing: &Listing) -> AuditFilter {
    let text = |name: &str| listing.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
    AuditFilter {
        username: text("creator_name"),
        execution_id: text("execution_id"),
        ..AuditFilter::default()
    }
}

fn moment(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    // A day means its beginning.
    let moment =
        Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text} 00:00"))).ok_or_else(|| {
            ApiError::bad_parameters(format!("`{name}` must be a time, e.g. `2027-03-01 14:52`, got {text}"))
        })?;
    Ok(Some(moment))
}

fn number(name: &str, text: Option<&str>, default: u64) -> Result<u64, ApiError> {
    let refused = |text: &str| {
        ApiError::bad_parameters(format!("`{name}` must be a whole number that is not negative, got {text}"))
    };
    text.map_or(Ok(default), |text| text.parse().map_err(|_| refused(text)))
}

/// Lines are ordered by time, as they were written.
fn order(name: Option<&str>) -> Result<(), ApiError> {
    match name {
        None | Some("" | "created_at" | "id") => Ok(()),
        Some(other) => {
            Err(ApiError::bad_parameters(format!("`order_by` must be `created_at` or `id`, got {other}")))
        }
    }
}
