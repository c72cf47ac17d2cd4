//! Who may log in, from a source of chance: users, groups of them, and which role may do what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::Api;
use super::Dice;

/// The roles in tenants.
const ROLES: [&str; 4] = ["viewer", "operations", "user", "manager"];

/// Makes users and groups with roles in tenants, who come along locked; all sorts of them where `is_whole`.
pub(super) fn accounts(api: &Api, tenants: &[String], is_whole: bool, dice: &mut Dice) {
    let least = usize::from(is_whole);
    let mut users = Vec::new();
    for number in 0..dice.between(least, 2) {
        let name = format!("{}{number}", dice.pick(&["jo", "ada@example.org.", "k-_."]));
        let user = json!({ "username": name, "password": "password-123", "role": "default" });
        api.put("users", &user).expect(201);
        for tenant in tenants {
            if dice.chance(60) {
                let member = json!({ "tenant_name": tenant, "username": name, "role": dice.pick(&ROLES) });
                api.put("tenants/users", &member).expect(200);
            }
        }
        users.push(name);
    }
    for number in 0..dice.between(least, 2) {
        let name = format!("{}{number}", dice.pick(&["keepers", "Z.~", "g-_."]));
        let group = json!({ "group_name": name, "role": dice.pick(&["default", "default", "sys_admin"]) });
        api.post("user-groups", &group).expect(201);
        for user in &users {
            if dice.chance(60) {
                api.put("user-groups/users", &json!({ "group_name": name, "username": user })).expect(200);
            }
        }
        for tenant in tenants {
            if dice.chance(60) {
                let member = json!({ "tenant_name": tenant, "group_name": name, "role": dice.pick(&ROLES) });
                api.put("tenants/user-groups", &member).expect(200);
            }
        }
    }
    if is_whole || dice.chance(30) {
        api.put("permissions/viewer/site_create", &json!({})).expect(200);
    }
}

/// The users and groups of a service, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    users: BTreeMap<String, Value>,
    groups: BTreeMap<String, Value>,
}

/// Reads what a snapshot carries of them.
pub fn read_accounts(api: &Api) -> Accounts {
    let all = |list: &str, name: &str, of: &dyn Fn(&Value) -> Value| {
        let items = api.get(&format!("{list}?_get_data=true&_size=1000")).items();
        items.iter().map(|item| (item[name].as_str().unwrap().to_owned(), of(item))).collect()
    };
    Accounts {
        users: all("users", "username", &|user| {
            let roles = &user["tenant_roles"]["direct"];
            json!({ "role": user["role"], "active": user["active"], "roles": roles })
        }),
        groups: all(
            "user-groups",
            "name",
            &|group| json!({ "role": group["role"], "users": group["users"], "roles": group["tenants"] }),
        ),
    }
}

impl Accounts {
    /// What a restore onto a service with these accounts makes of them, where `carried` came with the archive: who is
    /// there stays; who came is locked, has no role everywhere, and belongs to groups that came.
    pub fn joined_by(&self, carried: &Self) -> Self {
        let mut joined = self.clone();
        for (name, user) in carried.users.iter().filter(|(name, _)| !self.users.contains_key(*name)) {
            let came = json!({ "role": "default", "active": false, "roles": user["roles"] });
            joined.users.insert(name.clone(), came);
        }
        for (name, group) in carried.groups.iter().filter(|(name, _)| !self.groups.contains_key(*name)) {
            let mut came = group.clone();
            came["role"] = json!("default");
            let is_new = |user: &Value| !self.users.contains_key(user.as_str().unwrap());
            came["users"].as_array_mut().unwrap().retain(is_new);
            joined.groups.insert(name.clone(), came);
        }
        joined
    }
}
