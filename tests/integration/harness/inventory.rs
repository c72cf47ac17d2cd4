//! The whole state of a manager as a caller sees it, to be compared with another's.
//!
//! Only what is the manager's state: the service's own users, snapshots and
//! executions are left out.

use serde_json::{Map, Value, json};

use super::{Api, Flow, workspace};

/// The lists that make up a tenant's state, and the key that names an item of each.
const LISTS: [(&str, &str); 6] = [
    ("blueprints", "id"),
    ("deployments", "id"),
    ("nodes", "id"),
    ("node-instances", "id"),
    ("plugins", "id"),
    ("executions", "id"),
];

/// Reads every entity of every tenant, the values of secrets among them.
pub fn inventory(api: &Api) -> Value {
    let mut tenants = Map::new();
    for tenant in api.get("tenants").items() {
        let name = tenant["name"].as_str().unwrap();
        let mut inventory = tenant_inventory(&api.clone().tenant(name));
        inventory["flows"] = flow_inventory(api, name);
        tenants.insert(name.into(), inventory);
    }
    Value::Object(tenants)
}

fn tenant_inventory(api: &Api) -> Value {
    let mut lists = Map::new();
    for (list, key) in LISTS {
        let mut items = api.get(list).items();
        // Executions of no deployment, and those that are part of another (a restore's), are the service's.
        let is_state = |item: &Value| !item["deployment_id"].is_null() && item["parent_id"].is_null();
        items.retain(|item| list != "executions" || is_state(item));
        items.sort_by_key(|item| item[key].to_string());
        lists.insert(list.into(), Value::Array(items));
    }
    let mut secrets = Map::new();
    for secret in api.get("secrets").items() {
        assert!(secret.get("value").is_none(), "a list shows no value");
        let key = secret["key"].as_str().unwrap();
        let whole = api.get(&format!("secrets/{key}")).expect(200);
        secrets.insert(key.into(), json!({ "listed": secret, "whole": whole }));
    }
    lists.insert("secrets".into(), Value::Object(secrets));
    Value::Object(lists)
}

/// The flows of a tenant with the texts of their values; whether they run is no state to come back.
fn flow_inventory(api: &Api, tenant: &str) -> Value {
    let workspace = workspace(api, tenant);
    let list = api.get(&format!("/v2/flows?workspace_id={workspace}&sort=name&page[size]=100")).expect(200);
    let describe = |flow: &Value| {
        let attributes = &flow["attributes"];
        let id = flow["id"].as_str().expect("a flow has an id").to_owned();
        let values = Flow { api: api.clone(), id: id.clone() }.values();
        json!({
            "id": id, "name": attributes["name"], "type": attributes["type"],
            "graph": attributes["graph"], "values": values
        })
    };
    list["data"].as_array().expect("a list of flows").iter().map(describe).collect()
}
