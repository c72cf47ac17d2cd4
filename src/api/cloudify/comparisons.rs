//! Plans of restores and diffs of manager snapshots: calls of ours beside Cloudify's.

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use crate::app::Service;
use crate::database::ListQuery;
use crate::model::{Caller, Permission, SnapshotId};
use crate::snapshots::{Change, ChangesQuery, Subject, Wanted};

use super::super::{ApiError, Auth, JsonBody, Listing, selection};
use super::snapshots::Options;

const PLAN: Permission = Permission::system("snapshot_restore");
/// A diff shows what archives hold.
const DIFF: Permission = Permission::system("snapshot_download");
/// What a page has where no size is asked for, and at the most.
const PAGE: u64 = 1000;
/// The parameters of a list of changes that are read here.
const OWN: [&str; 4] = ["kind", "change", "with", "execution_id"];

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/snapshots/{id}/plan").route(web::post().to(plan)).route(web::get().to(get_plan)),
        )
        .service(web::resource("/snapshots/{id}/plan/changes").route(web::get().to(plan_changes)))
        .service(web::resource("/snapshots/{id}/plan/fields").route(web::get().to(plan_fields)))
        .service(
            web::resource("/snapshots/{id}/diff").route(web::post().to(diff)).route(web::get().to(get_diff)),
        )
        .service(web::resource("/snapshots/{id}/diff/changes").route(web::get().to(diff_changes)))
        .service(web::resource("/snapshots/{id}/diff/fields").route(web::get().to(diff_fields)));
}

type Id = web::Path<String>;

/// Plan a restore.
///
/// Records an execution and returns at once; when it has ended, its report is the plan.
async fn plan(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLAN)?;
    let options = Options { listing: &listing, body: &body };
    let mut parameters = Map::new();
    for name in ["force", "skip_sealed", "queue"] {
        parameters.insert(name.to_owned(), Value::Bool(options.boolean(name, false)?));
    }
    selection::add_to(&mut parameters, &listing, &body)?;
    let id = SnapshotId::trusted(id.into_inner());
    let execution = service.snapshots.plan(caller, id, parameters).await?;
    Ok(HttpResponse::Created().json(service.execution_view(execution.id).await?))
}

/// Get the plan of a restore.
async fn get_plan(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLAN)?;
    let wanted = wanted(id, &listing, Subject::Plan)?;
    Ok(HttpResponse::Ok().json(service.snapshots.comparison(caller, wanted).await?))
}

/// List what a restore would change.
async fn plan_changes(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(PLAN)?;
    let query = changes_query(&listing, listing.query(&OWN)?)?;
    changes(&service, caller, wanted(id, &listing, Subject::Plan)?, query).await
}

/// Get what a restore would change in one entity.
async fn plan_fields(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DIFF)?;
    fields(&service, caller, wanted(id, &listing, Subject::Plan)?, &listing).await
}

/// Compare a snapshot.
///
/// With the live state, or with another snapshot. Records an execution and returns at once.
async fn diff(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    listing: Listing,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DIFF)?;
    let with = match body.optional_text("with")? {
        Some(with) => Some(with),
        None => listing.get("with"),
    };
    let with = with.map(SnapshotId::trusted);
    let id = SnapshotId::trusted(id.into_inner());
    let execution = service.snapshots.diff(caller, id, with).await?;
    Ok(HttpResponse::Created().json(service.execution_view(execution.id).await?))
}

/// Get what differs.
async fn get_diff(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DIFF)?;
    let wanted = wanted(id, &listing, diff_subject(&listing))?;
    Ok(HttpResponse::Ok().json(service.snapshots.comparison(caller, wanted).await?))
}

/// List what differs.
async fn diff_changes(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DIFF)?;
    let query = changes_query(&listing, listing.query(&OWN)?)?;
    changes(&service, caller, wanted(id, &listing, diff_subject(&listing))?, query).await
}

/// Get what differs in one entity.
async fn diff_fields(
    service: web::Data<Service>,
    auth: Auth,
    id: Id,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(DIFF)?;
    fields(&service, caller, wanted(id, &listing, diff_subject(&listing))?, &listing).await
}

/// One page of what differs.
async fn changes(
    service: &Service,
    caller: &Caller,
    wanted: Wanted,
    query: ChangesQuery,
) -> Result<HttpResponse, ApiError> {
    let (offset, size) = (query.offset, query.size);
    let changes = service.snapshots.changes(caller, wanted, query).await?;
    Ok(HttpResponse::Ok().json(json!({
        "items": changes.items,
        "metadata": {
            "pagination": { "total": changes.total, "size": size, "offset": offset },
            "filtered": null,
        },
    })))
}

/// What differs in one entity.
async fn fields(
    service: &Service,
    caller: &Caller,
    wanted: Wanted,
    listing: &Listing,
) -> Result<HttpResponse, ApiError> {
    let entity = entity(listing)?;
    Ok(HttpResponse::Ok().json(service.snapshots.changed_fields(caller, wanted, entity).await?))
}

fn diff_subject(listing: &Listing) -> Subject {
    listing.get("with").map_or(Subject::Live, |id| Subject::Snapshot(SnapshotId::trusted(id)))
}

fn wanted(id: Id, listing: &Listing, subject: Subject) -> Result<Wanted, ApiError> {
    let execution = listing
        .get("execution_id")
        .map(|text| {
            text.parse().map_err(|_| ApiError::bad_parameters(format!("`{text}` is no id of an execution")))
        })
        .transpose()?;
    Ok(Wanted { id: SnapshotId::trusted(id.into_inner()), subject, execution })
}

fn changes_query(listing: &Listing, paging: ListQuery) -> Result<ChangesQuery, ApiError> {
    let change = listing
        .get("change")
        .map(|text| {
            Change::parse(text).ok_or_else(|| {
                ApiError::bad_parameters(format!("`{text}` is no change: use one of added, removed, changed"))
            })
        })
        .transpose()?;
    Ok(ChangesQuery {
        kind: listing.get("kind").map(str::to_owned),
        change,
        offset: paging.offset,
        size: paging.size.min(PAGE),
    })
}

fn entity(listing: &Listing) -> Result<(String, String, String), ApiError> {
    let text = |name: &str| {
        listing
            .get(name)
            .map(str::to_owned)
            .ok_or_else(|| ApiError::bad_parameters(format!("the parameter `{name}` is missing")))
    };
    Ok((text("kind")?, text("tenant")?, text("entity_id")?))
}
