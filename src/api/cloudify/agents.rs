//! `/agents`, with the key files that Lifeboat adds.

use actix_web::http::header;
use actix_web::{HttpResponse, web};

use crate::api::{ApiError, Auth, ErrorCode, JsonBody, Listing, page_json};
use crate::app::Service;
use crate::manager::AgentChange;

use super::permissions::{AGENT_CREATE, AGENT_GET, AGENT_KEY_FILE, AGENT_LIST, AGENT_UPDATE};

/// The longest key file, in bytes.
const MAX_KEY_FILE_BYTES: usize = 256 * 1024;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/agents").route(web::get().to(list)))
        .service(
            web::resource("/agents/{name}")
                .route(web::get().to(get))
                .route(web::put().to(create))
                .route(web::patch().to(change)),
        )
        .service(
            web::resource("/agents/{name}/key-file")
                .route(web::get().to(get_key_file))
                .route(web::put().to(set_key_file)),
        );
}

/// List agents.
async fn list(auth: Auth, service: web::Data<Service>, listing: Listing) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(AGENT_LIST)?;
    let mut query = listing.query(&[])?;
    // The clients send these names, each perhaps several times.
    for filter in &mut query.filters {
        let column = match filter.column.as_str() {
            "node_ids" => "node",
            "node_instance_ids" => "node_instance_id",
            "install_methods" => "install_method",
            other => other,
        };
        filter.column = column.to_owned();
    }
    let page = service.manager.agents(caller, query).await?;
    Ok(HttpResponse::Ok().json(page_json(page)))
}

/// Get an agent.
async fn get(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(AGENT_GET)?;
    Ok(HttpResponse::Ok().json(service.manager.agent(caller, &name, listing.include()).await?))
}

/// Create an agent, or change an existing one.
async fn create(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(AGENT_CREATE)?;
    Ok(HttpResponse::Ok().json(service.manager.put_agent(caller, &name, given(&body)?).await?))
}

/// Change an agent.
async fn change(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(AGENT_UPDATE)?;
    Ok(HttpResponse::Ok().json(service.manager.change_agent(caller, &name, given(&body)?).await?))
}

fn given(body: &JsonBody) -> Result<AgentChange, ApiError> {
    let text = |name| body.optional_text(name).map(|text| text.map(str::to_owned));
    Ok(AgentChange {
        node_instance_id: text("node_instance_id")?,
        state: text("state")?,
        ip: text("ip")?,
        install_method: text("install_method")?,
        system: text("system")?,
        version: text("version")?,
        rabbitmq_username: text("rabbitmq_username")?,
        rabbitmq_exchange: text("rabbitmq_exchange")?,
        rabbitmq_password: text("rabbitmq_password")?,
    })
}

/// Get the key file of an agent, as it was put.
async fn get_key_file(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(AGENT_KEY_FILE)?;
    let key_file = service.manager.agent_key_file(caller, &name).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .body(key_file.to_vec()))
}

/// Put the key file of an agent: the body, byte for byte.
async fn set_key_file(
    auth: Auth,
    service: web::Data<Service>,
    name: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let caller = auth.allow(AGENT_KEY_FILE)?;
    let key_file = payload
        .to_bytes_limited(MAX_KEY_FILE_BYTES)
        .await
        .map_err(|_| {
            ApiError::new(
                ErrorCode::PayloadTooLarge,
                format!("the key file is longer than {MAX_KEY_FILE_BYTES} bytes"),
            )
        })?
        .map_err(|error| ApiError::bad_parameters(format!("the body could not be read: {error}")))?;
    service.manager.set_agent_key_file(caller, &name, &key_file).await?;
    Ok(HttpResponse::Ok().json(service.manager.agent(caller, &name, None).await?))
}
