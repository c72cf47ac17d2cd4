//! Tests of users, memberships and tokens, on real records and a real manager.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::*;
use crate::database::ListQuery;
use crate::manager::{Blobs, Vault};

fn access(folder: &std::path::Path) -> Access {
    let blobs = Blobs::open(&folder.join("blobs"), folder).unwrap();
    let manager = Manager::open(&folder.join("manager"), blobs, Arc::new(Vault::new(&[1; 32]))).unwrap();
    let access = Access::new(Records::open(&folder.join("records.db")).unwrap(), manager);
    access.found_admin("correct horse").unwrap();
    access
}

fn new(username: &str, role: &str) -> NewUser {
    NewUser {
        username: username.to_owned(),
        password: Zeroizing::new("battery staple".to_owned()),
        role: role.to_owned(),
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn the_last_active_administrator_stays() {
    let folder = tempfile::tempdir().unwrap();
    let access = access(folder.path());
    let refused = |result: Result<Map<String, Value>, AccessError>| {
        assert!(matches!(result, Err(AccessError::Manager(ManagerError::IllegalAction(_)))));
    };
    run(async {
        let demote = || UserChange { role: Some("default".to_owned()), ..UserChange::default() };
        let disable = || UserChange { active: Some(false), ..UserChange::default() };
        refused(access.change_user("admin", demote()).await);
        refused(access.change_user("admin", disable()).await);
        refused(access.delete_user("admin").await);
        access.create_user(new("ann", "sys_admin")).await.unwrap();
        access.change_user("admin", disable()).await.unwrap();
        refused(access.delete_user("ann").await);
        assert_eq!(access.user("ann", false).await.unwrap()["role"], "sys_admin");
    });
}

#[test]
fn a_membership_gives_its_role_until_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let access = access(folder.path());
    run(async {
        let admin = access.as_admin(None).await.unwrap();
        access.create_tenant(&admin, "north").await.unwrap();
        access.create_user(new("ann", "default")).await.unwrap();
        access.set_member(&admin, "north", "ann", "viewer", true).await.unwrap();
        assert!(access.set_member(&admin, "north", "ann", "viewer", true).await.is_err());
        access.set_member(&admin, "north", "ann", "manager", false).await.unwrap();
        let login = || Credentials::Basic {
            username: "ann".to_owned(),
            password: Zeroizing::new("battery staple".to_owned()),
        };
        let ann = access.authenticate(login(), None, Some("north")).await.unwrap();
        assert_eq!(ann.tenant_role, Some(TenantRole::Manager));
        let seen = access.tenants(&ann, ListQuery { size: 9, ..ListQuery::default() }, false).await.unwrap();
        assert_eq!(
            seen.items,
            [json!({ "name": "north", "groups": 0, "users": 1 }).as_object().unwrap().clone()]
        );
        access.remove_member(&admin, "north", "ann").await.unwrap();
        assert_eq!(access.authenticate(login(), None, Some("north")).await.unwrap().tenant_role, None);
    });
}

#[test]
fn a_token_is_its_owners_and_works_until_it_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let access = access(folder.path());
    run(async {
        let admin = access.as_admin(None).await.unwrap();
        access.create_user(new("ann", "default")).await.unwrap();
        let token = access.create_token(&admin, None, Some("+1h")).await.unwrap();
        let login = || Credentials::Token(Zeroizing::new(token.value.clone()));
        assert!(access.authenticate(login(), None, None).await.is_ok());
        let listed = access.token(&admin, &token.id).await.unwrap();
        assert!(
            !listed["value"].as_str().unwrap().contains(&token.value[16..]),
            "the secret part is not kept"
        );
        let basic = Credentials::Basic {
            username: "ann".to_owned(),
            password: Zeroizing::new("battery staple".to_owned()),
        };
        let ann = access.authenticate(basic, None, None).await.unwrap();
        assert!(access.delete_token(&ann, &token.id).await.is_err());
        access.delete_token(&admin, &token.id).await.unwrap();
        assert!(access.authenticate(login(), None, None).await.is_err());
        assert!(access.create_token(&admin, None, Some("2001-01-01 00:00")).await.is_err());
    });
}
