//! The pictures of charts. Who knows a picture's name may see it, as it is pasted into chats and tickets; a setting asks for
//! a login all the same.

use actix_web::body::SizedStream;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};

use crate::api::{ApiError, Auth};
use crate::app::Service;
use crate::charts::{ChartError, ImageForm};

use super::spaces::READ;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/images/{name}").route(web::get().to(image)));
}

/// Show the picture of a chart.
///
/// As `.png`, and as `.svg`. Its name can't be guessed; with the setting `charts.private_images` it takes a login
/// of its tenant too.
async fn image(
    service: web::Data<Service>,
    request: HttpRequest,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let is_private = service.config.charts.private_images;
    let tenant = match is_private {
        true => Some(Auth::extract(&request).await?.allow(READ)?.tenant.clone()),
        false => None,
    };
    let not_found = || ChartError::NotFound { noun: "picture", id: name.to_string() };
    let (stem, ending) = name.rsplit_once('.').ok_or_else(not_found)?;
    let (form, kind) = match ending {
        "png" => (ImageForm::Png, "image/png"),
        "svg" => (ImageForm::Svg, "image/svg+xml"),
        _ => return Err(not_found().into()),
    };
    let file = service.charts.image(stem, form, tenant.as_ref()).await?;
    // A picture never changes under its name.
    let caching = match is_private {
        true => "private, max-age=31536000, immutable",
        false => "public, max-age=31536000, immutable",
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, kind))
        .insert_header((header::CACHE_CONTROL, caching))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"))
        .insert_header(("X-Content-Type-Options", "nosniff"));
    let length = file.length_bytes();
    Ok(response.body(SizedStream::new(length, file.stream(0, length))))
}
