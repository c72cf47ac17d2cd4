//! Flows as tasks: version 1 of elastic.io's API, as `elasticio-rest-node` and the sailor call it.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::api::{ApiError, Auth};
use crate::app::Service;
use crate::flows::{FLOW_EDIT, FLOW_READ, FLOW_TOGGLE, Flow, FlowError, JsonText, NewFlow, NewTask};

use super::document::Document;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/tasks").route(web::post().to(create)))
        .service(web::resource("/v1/tasks/start/{task}").route(web::post().to(start)))
        .service(web::resource("/v1/tasks/stop/{task}").route(web::post().to(stop)))
        .service(web::resource("/v1/tasks/suspend/{task}").route(web::post().to(suspend)))
        .service(web::resource("/v1/tasks/{task}/steps/{step}").route(web::get().to(step)))
        .service(web::resource("/v1/tasks/{task}").route(web::get().to(get)).route(web::delete().to(delete)));
}

type TaskId = web::Path<String>;

/// Create a task.
///
/// A chain of nodes, whose steps are `step_1`, `step_2` and so on, in the tenant of the request. It is stopped.
async fn create(auth: Auth, service: web::Data<Service>, body: Document) -> Result<HttpResponse, ApiError> {
    let new = read(&body, auth.anyone().tenant.as_str());
    let flow = service.flows.create(auth.asks(FLOW_EDIT), new).await?;
    Ok(HttpResponse::Created().json(view(&flow)))
}

/// Get a task.
async fn get(auth: Auth, service: web::Data<Service>, task: TaskId) -> Result<HttpResponse, ApiError> {
    let flow = service.flows.get(auth.asks(FLOW_READ), &task).await?;
    Ok(HttpResponse::Ok().json(view(&flow)))
}

/// Delete a task.
async fn delete(auth: Auth, service: web::Data<Service>, task: TaskId) -> Result<HttpResponse, ApiError> {
    service.flows.delete(auth.asks(FLOW_EDIT), &task).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Start a task.
async fn start(auth: Auth, service: web::Data<Service>, task: TaskId) -> Result<HttpResponse, ApiError> {
    let flow = service.flows.start(auth.asks(FLOW_TOGGLE), &task).await?;
    Ok(HttpResponse::Ok().json(json!({ "id": flow.id, "status": flow.status.as_str() })))
}

/// Stop a task.
async fn stop(auth: Auth, service: web::Data<Service>, task: TaskId) -> Result<HttpResponse, ApiError> {
    let flow = service.flows.stop(auth.asks(FLOW_TOGGLE), &task).await?;
    Ok(HttpResponse::Ok().json(json!({ "id": flow.id, "status": flow.status.as_str() })))
}

/// Suspend a task.
///
/// Here the same as stopping it.
async fn suspend(auth: Auth, service: web::Data<Service>, task: TaskId) -> Result<HttpResponse, ApiError> {
    let flow = service.flows.stop(auth.asks(FLOW_TOGGLE), &task).await?;
    Ok(HttpResponse::Ok().json(json!({ "id": flow.id, "status": flow.status.as_str() })))
}

/// Get a step of a task.
///
/// What a sailor asks for when it starts: how its component is configured, and the snapshot from which it goes on. Without
/// a snapshot the key is absent.
async fn step(
    auth: Auth,
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    #[derive(Serialize)]
    struct View {
        id: String,
        config: Box<RawValue>,
        variables: serde_json::Map<String, serde_json::Value>,
        is_passthrough: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        snapshot: Option<Box<RawValue>>,
    }
    let (task, step) = path.into_inner();
    let found = service.flows.task_step(auth.asks(FLOW_READ), &task, &step).await?;
    let config = found.config.unwrap_or_else(|| JsonText::trusted("{}"));
    Ok(HttpResponse::Ok().json(View {
        id: found.id,
        config: config.to_raw(),
        variables: serde_json::Map::new(),
        is_passthrough: found.is_passthrough,
        snapshot: found.snapshot.map(|value| value.to_raw()),
    }))
}

fn view(flow: &Flow) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct View {
        id: String,
        name: String,
        status: &'static str,
        cron: Option<String>,
        created_at: String,
        graph: Box<RawValue>,
    }
    View {
        id: flow.id.clone(),
        name: flow.name.clone(),
        status: flow.status.as_str(),
        cron: flow.cron.clone(),
        created_at: flow.created_at.clone(),
        graph: flow.graph.to_raw(),
    }
}

fn read(body: &Document, workspace: &str) -> Result<NewFlow, FlowError> {
    let task = body.plain()?;
    let nodes = task
        .member::<Vec<Box<RawValue>>>("nodes", "a list of nodes")?
        .ok_or_else(|| FlowError::invalid("/nodes", "`nodes` has to be there: a list of nodes"))?;
    let new = NewTask {
        name: task
            .member("name", "a text")?
            .ok_or_else(|| FlowError::invalid("/name", "`name` has to be there: a text"))?,
        nodes: nodes.iter().map(|node| JsonText::from(&**node)).collect(),
        cron: task.member::<Option<String>>("cron", "a text or null")?.flatten(),
    };
    new.into_flow(workspace.to_owned())
}
