//! Spaces and their charts.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::api::{ApiError, Auth, Listing};
use crate::app::Service;
use crate::charts::{Chart, ChartError, Space};
use crate::model::{Permission, TenantRole};

use super::body::Fields;
use super::parameters::{flag, number, page, slice, text};

pub(super) const READ: Permission = Permission::tenant("chart_get", TenantRole::Viewer);
const EDIT: Permission = Permission::tenant("chart_edit", TenantRole::User);

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/spaces").route(web::get().to(list)).route(web::post().to(create)))
        .service(
            web::resource("/v1/spaces/{space}")
                .route(web::get().to(get))
                .route(web::put().to(rename))
                .route(web::delete().to(delete)),
        )
        .service(
            web::resource("/v1/spaces/{space}/charts")
                .route(web::get().to(list_charts))
                .route(web::post().to(create_chart)),
        )
        .service(
            web::resource("/v1/spaces/{space}/charts/{chart}")
                .route(web::get().to(get_chart))
                .route(web::put().to(edit_chart))
                .route(web::delete().to(delete_chart)),
        );
}

type SpaceId = web::Path<String>;
type ChartOfSpace = web::Path<(String, String)>;

/// List spaces.
///
/// Those of the tenant whose name contains `name`; the space *Manager*, which comes with the service, first.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    let name = listing.get("name").map(str::to_owned);
    let slice = slice(&listing)?;
    let found = service.charts.spaces(caller, name, slice).await?;
    Ok(HttpResponse::Ok().json(page("spaces", slice, &found, view_in_list)))
}

/// Create a space.
async fn create(auth: Auth, service: web::Data<Service>, body: Fields) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EDIT)?;
    let name = text(&body.0, "name")?.ok_or_else(|| ChartError::parameter("name", "is not present"))?;
    let has_tags = flag(&body.0, "tags")?.unwrap_or(false);
    let space = service.charts.create_space(caller, name, has_tags).await?;
    let location = format!("/v1/spaces/{}", space.id);
    Ok(HttpResponse::Created().insert_header(("Location", location)).json(view_in_list(&space)))
}

/// Get a space with the numbers of its charts.
async fn get(auth: Auth, service: web::Data<Service>, space: SpaceId) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    let space = service.charts.space(caller, number("space", &space)?).await?;
    let mut view = view_in_list(&space);
    view["charts"] = space.charts.iter().map(|id| json!({ "id": id })).collect();
    Ok(HttpResponse::Ok().json(view))
}

/// Rename a space.
async fn rename(
    auth: Auth,
    service: web::Data<Service>,
    space: SpaceId,
    body: Fields,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EDIT)?;
    service.charts.rename_space(caller, number("space", &space)?, text(&body.0, "name")?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Delete a space with its charts.
///
/// Their snapshots and pictures stay.
async fn delete(auth: Auth, service: web::Data<Service>, space: SpaceId) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EDIT)?;
    service.charts.delete_space(caller, number("space", &space)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List the charts of a space.
///
/// A bare list, as Librato answers it.
async fn list_charts(
    auth: Auth,
    service: web::Data<Service>,
    space: SpaceId,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    let charts = service.charts.charts(caller, number("space", &space)?).await?;
    Ok(HttpResponse::Ok().json(charts.iter().map(view).collect::<Result<Vec<_>, _>>()?))
}

/// Create a chart.
async fn create_chart(
    auth: Auth,
    service: web::Data<Service>,
    space: SpaceId,
    body: Fields,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EDIT)?;
    let chart = service.charts.create_chart(caller, number("space", &space)?, body.0).await?;
    let location = format!("/v1/spaces/{}/charts/{}", chart.space, chart.id);
    Ok(HttpResponse::Created().insert_header(("Location", location)).json(view(&chart)?))
}

/// Get a chart.
async fn get_chart(
    auth: Auth,
    service: web::Data<Service>,
    path: ChartOfSpace,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(READ)?;
    let chart = service.charts.chart(caller, number("space", &path.0)?, number("chart", &path.1)?).await?;
    Ok(HttpResponse::Ok().json(view(&chart)?))
}

/// Change a chart.
///
/// What is not named stays. Its snapshots and their pictures stay as they are.
async fn edit_chart(
    auth: Auth,
    service: web::Data<Service>,
    path: ChartOfSpace,
    body: Fields,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EDIT)?;
    let (space, chart) = (number("space", &path.0)?, number("chart", &path.1)?);
    let chart = service.charts.edit_chart(caller, space, chart, body.0).await?;
    Ok(HttpResponse::Ok().json(view(&chart)?))
}

/// Delete a chart.
///
/// Its snapshots and their pictures stay.
async fn delete_chart(
    auth: Auth,
    service: web::Data<Service>,
    path: ChartOfSpace,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(EDIT)?;
    service.charts.delete_chart(caller, number("space", &path.0)?, number("chart", &path.1)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn view_in_list(space: &Space) -> Value {
    json!({ "id": space.id, "name": space.name, "tags": space.has_tags })
}

fn view(chart: &Chart) -> Result<Value, ChartError> {
    let mut view = serde_json::to_value(&chart.definition).map_err(|error| ChartError::Io(error.into()))?;
    view["id"] = json!(chart.id);
    Ok(view)
}
