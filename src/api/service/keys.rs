//! The keys that seal and sign archives: their public halves, and how they change.

use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, JsonBody, Listing};
use crate::app::Service;
use crate::model::{Permission, SnapshotId};
use crate::snapshots::{dropped, seal_for};

const ROTATE: Permission = Permission::system("key_rotate");
const REMOVE: Permission = Permission::system("key_remove");
const RESEAL: Permission = Permission::system("snapshot_reseal");

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/keys").route(web::get().to(list)))
        .service(web::resource("/keys/rotate").route(web::post().to(rotate)))
        .service(web::resource("/snapshots/{id}/reseal").route(web::post().to(reseal)))
        .service(web::resource("/keys/{fingerprint}").route(web::delete().to(remove)));
}

/// List the public keys.
///
/// For everybody who may log in: another manager's archives are sealed for this one by its public key alone.
async fn list(service: web::Data<Service>, auth: Auth) -> Result<HttpResponse, ApiError> {
    auth.anyone();
    Ok(HttpResponse::Ok().json(service.snapshots.public_keys().await?))
}

/// Rotate the keys.
///
/// Parts are sealed for a new key from now on; the former one stays, and opens what was sealed for it.
async fn rotate(service: web::Data<Service>, auth: Auth, body: JsonBody) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(ROTATE)?;
    let with_signer = body.boolean("signer", false)?;
    Ok(HttpResponse::Ok().json(service.snapshots.rotate_keys(caller, with_signer).await?))
}

/// Remove an old key.
///
/// Refused where archives are sealed for it and for no other key that is here, unless `force` says so.
async fn remove(
    service: web::Data<Service>,
    auth: Auth,
    fingerprint: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(REMOVE)?;
    let force = listing.boolean("force", false)?;
    Ok(HttpResponse::Ok().json(service.snapshots.remove_key(caller, fingerprint.into_inner(), force).await?))
}

/// Seal a snapshot's archive anew.
///
/// Records an execution and returns at once. The archive is written anew for the present recipients and signed anew; it
/// takes the place of the former one when it has been read back.
async fn reseal(
    service: web::Data<Service>,
    auth: Auth,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(RESEAL)?;
    let further = seal_for(&body.list("seal_for")?.unwrap_or_default())?;
    let dropped = dropped(&body.list("drop")?.unwrap_or_default())?;
    let queue = body.boolean("queue", false)?;
    let id = SnapshotId::trusted(id.into_inner());
    let execution = service.snapshots.reseal(caller, id, &further, &dropped, queue).await?;
    Ok(HttpResponse::Ok().json(service.get_execution(caller, execution.id, None).await?))
}
