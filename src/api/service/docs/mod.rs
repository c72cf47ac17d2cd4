//! The page that shows the description of the API: one file of HTML, one of style, one of program, all our own.
//!
//! The page is static. It reads the document, and calls the API only when its user asks it to.

use actix_web::http::header;
use actix_web::{HttpResponse, web};

/// Nothing may be loaded or called but what comes from this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/docs").route(web::get().to(page)))
        .service(web::resource("/docs/app.js").route(web::get().to(program)))
        .service(web::resource("/docs/style.css").route(web::get().to(style)));
}

/// Show the description of the API as a page.
async fn page() -> HttpResponse {
    answer("text/html; charset=utf-8", include_str!("page.html"))
}

/// Get the page's program.
async fn program() -> HttpResponse {
    answer("text/javascript; charset=utf-8", include_str!("app.js"))
}

/// Get the page's style.
async fn style() -> HttpResponse {
    answer("text/css; charset=utf-8", include_str!("style.css"))
}

fn answer(content_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(text)
}
