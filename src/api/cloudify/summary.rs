//! `/summary`: how many entities have which values of a field.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::api::{ApiError, Auth, ErrorCode, Listing, page_size};
use crate::app::Service;
use crate::database::Groups;
use crate::manager::Summarized;
use crate::model::Permission;

use super::permissions::{
    BLUEPRINT_LIST, DEPLOYMENT_LIST, EXECUTION_LIST, NODE_INSTANCE_LIST, NODE_LIST, SCHEDULE_LIST,
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/summary/{kind}").route(web::get().to(summarize)));
}

/// Count entities by the values of a field.
///
/// `_target_field` names the field, `_sub_field` a second one below it. Who may list the entities may count them.
async fn summarize(
    auth: Auth,
    service: web::Data<Service>,
    kind: web::Path<String>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let kind = Summarized::parse(&kind).ok_or_else(|| {
        ApiError::new(ErrorCode::NotFound, format!("`{kind}` can't be counted: {}", names().join(", ")))
    })?;
    let caller = auth.allow(permission(kind))?;
    let fields = kind.check_fields(listing.get("_target_field"), listing.get("_sub_field"))?;
    let query = listing.query(&[])?;
    let (size, offset) = (query.size, query.offset);
    let groups = service.summarize(caller, kind, fields.clone(), query).await?;
    let pagination =
        json!({ "total": groups.total, "size": page_size(size, groups.total), "offset": offset });
    Ok(HttpResponse::Ok().json(json!({
        "items": items(&groups, kind.name(), &fields),
        "metadata": { "pagination": pagination, "filtered": null },
    })))
}

fn names() -> Vec<&'static str> {
    Summarized::ALL.map(Summarized::name).to_vec()
}

fn permission(kind: Summarized) -> Permission {
    match kind {
        Summarized::Blueprints => BLUEPRINT_LIST,
        Summarized::Deployments => DEPLOYMENT_LIST,
        Summarized::Nodes => NODE_LIST,
        Summarized::NodeInstances => NODE_INSTANCE_LIST,
        Summarized::Executions => EXECUTION_LIST,
        Summarized::ExecutionSchedules => SCHEDULE_LIST,
    }
}

/// The counts in Cloudify's form: one item for each value of the first field, and in it those of the second.
fn items(groups: &Groups, kind: &str, fields: &[&str]) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::new();
    for group in &groups.groups {
        let [target, sub @ ..] = group.values.as_slice() else { continue };
        if items.last().is_none_or(|item| &item[fields[0]] != target) {
            items.push(json!({ fields[0]: target, kind: 0 }));
        }
        let Some(item) = items.last_mut() else { continue };
        item[kind] = json!(item[kind].as_u64().unwrap_or(0) + group.count);
        if let (Some(value), Some(field)) = (sub.first(), fields.get(1)) {
            let below = &mut item[format!("by {field}")];
            if below.is_null() {
                *below = json!([]);
            }
            if let Some(below) = below.as_array_mut() {
                below.push(json!({ *field: value, kind: group.count }));
            }
        }
    }
    items
}
