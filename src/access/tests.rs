//! Tests of users, memberships and tokens, on real records and a real manager.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::*;
use crate::database::ListQuery;
use crate::manager::{Blobs, Vault};
use crate::model::{Asking, Permission, Role, TenantRole};

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

/// An administrator's call for whatever may be asked.
fn asking(caller: &Caller) -> Asking {
    Asking { caller: caller.clone(), permission: Permission::system("tenant_add_user") }
}

fn user(name: &str) -> Member {
    Member::User(name.to_owned())
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
        let admin = access.as_admin(None).await.unwrap();
        let demote = || UserChange { role: Some("default".to_owned()), ..UserChange::default() };
        let disable = || UserChange { active: Some(false), ..UserChange::default() };
        refused(access.change_user(&admin, "admin", demote()).await);
        refused(access.change_user(&admin, "admin", disable()).await);
        refused(access.delete_user(&admin, "admin").await);
        access.create_user(&admin, new("ann", "sys_admin")).await.unwrap();
        access.change_user(&admin, "admin", disable()).await.unwrap();
        refused(access.delete_user(&admin, "ann").await);
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
        access.create_user(&admin, new("ann", "default")).await.unwrap();
        access.set_member(asking(&admin), "north", user("ann"), "viewer", true).await.unwrap();
        assert!(access.set_member(asking(&admin), "north", user("ann"), "viewer", true).await.is_err());
        access.set_member(asking(&admin), "north", user("ann"), "manager", false).await.unwrap();
        let login = || Credentials::Basic {
            username: "ann".to_owned(),
            password: Zeroizing::new("battery staple".to_owned()),
        };
        let ann = access.authenticate(login(), None, Some("north")).await.unwrap();
        assert_eq!(ann.tenant_role, Some(TenantRole::Manager));
        let seen = access.tenants(&ann, ListQuery { size: 9, ..ListQuery::default() }, false).await.unwrap();
        assert_eq!(
            seen.items,
            [json!({ "name": "north", "groups": 0, "users": 1, "user_roles": null })
                .as_object()
                .unwrap()
                .clone()]
        );
        access.remove_member(asking(&admin), "north", user("ann")).await.unwrap();
        assert_eq!(access.authenticate(login(), None, Some("north")).await.unwrap().tenant_role, None);
    });
}

#[test]
fn a_token_is_its_owners_and_works_until_it_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let access = access(folder.path());
    run(async {
        let admin = access.as_admin(None).await.unwrap();
        access.create_user(&admin, new("ann", "default")).await.unwrap();
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

#[test]
fn a_group_gives_its_members_its_roles_until_they_leave_it() {
    let folder = tempfile::tempdir().unwrap();
    let access = access(folder.path());
    run(async {
        let admin = access.as_admin(None).await.unwrap();
        access.create_tenant(&admin, "north").await.unwrap();
        access.create_user(&admin, new("ann", "default")).await.unwrap();
        access.create_user_group(&admin, "keepers", None, None).await.unwrap();
        assert!(access.create_user_group(&admin, "keepers", None, None).await.is_err());
        let keepers = || Member::Group("keepers".to_owned());
        access.set_member(asking(&admin), "north", keepers(), "operations", true).await.unwrap();
        access.set_member(asking(&admin), "north", user("ann"), "viewer", true).await.unwrap();
        let login = async |tenant| {
            let password = Zeroizing::new("battery staple".to_owned());
            let basic = Credentials::Basic { username: "ann".to_owned(), password };
            access.authenticate(basic, None, tenant).await.unwrap()
        };
        assert_eq!(login(Some("north")).await.tenant_role, Some(TenantRole::Viewer));
        access.add_group_member(&admin, "keepers", "ann").await.unwrap();
        let start = Permission::tenant("execution_start", TenantRole::Operations);
        let ann = login(Some("north")).await;
        assert!(ann.may(start) && ann.tenant_role == Some(TenantRole::Operations));

        access.set_user_group_role(&admin, "keepers", "sys_admin").await.unwrap();
        assert!(login(None).await.is_admin());
        let shown = access.user("ann", true).await.unwrap();
        assert_eq!(shown["group_system_roles"], json!({ "sys_admin": ["keepers"] }));
        assert_eq!(
            shown["tenant_roles"],
            json!({ "direct": { "north": "viewer" }, "groups": { "north": { "operations": ["keepers"] } } })
        );
        // Now somebody is left who can repair the service.
        let disable = UserChange { active: Some(false), ..UserChange::default() };
        access.change_user(&admin, "admin", disable).await.unwrap();
        for refused in [
            access.remove_group_member(&admin, "keepers", "ann").await,
            access.delete_user_group(&admin, "keepers").await,
            access.set_user_group_role(&admin, "keepers", "default").await.map(drop),
        ] {
            assert!(matches!(refused, Err(AccessError::Manager(ManagerError::IllegalAction(_)))));
        }
        let enable = UserChange { active: Some(true), ..UserChange::default() };
        access.change_user(&admin, "admin", enable).await.unwrap();
        access.remove_group_member(&admin, "keepers", "ann").await.unwrap();
        let ann = login(Some("north")).await;
        assert!(!ann.may(start) && !ann.is_admin());
    });
}

#[test]
fn a_permission_counts_where_it_was_given_and_makes_nobody_an_administrator() {
    let folder = tempfile::tempdir().unwrap();
    let access = access(folder.path());
    run(async {
        let admin = access.as_admin(None).await.unwrap();
        for tenant in ["north", "south"] {
            access.create_tenant(&admin, tenant).await.unwrap();
        }
        access.create_user(&admin, new("ann", "default")).await.unwrap();
        access.create_user(&admin, new("ben", "default")).await.unwrap();
        access.set_member(asking(&admin), "north", user("ann"), "manager", true).await.unwrap();
        access.set_member(asking(&admin), "south", user("ann"), "viewer", true).await.unwrap();
        for permission in ["tenant_add_user", "user_create", "user_update"] {
            access.grant(&admin, "manager", permission).await.unwrap();
        }
        let login = async || {
            let password = Zeroizing::new("battery staple".to_owned());
            let basic = Credentials::Basic { username: "ann".to_owned(), password };
            access.authenticate(basic, None, Some("north")).await.unwrap()
        };
        let ann = login().await;
        assert!(access.set_member(asking(&ann), "north", user("ben"), "viewer", true).await.is_ok());
        assert!(matches!(
            access.set_member(asking(&ann), "south", user("ben"), "viewer", true).await,
            Err(AccessError::Forbidden { .. })
        ));
        let is_forbidden = |result: Result<Map<String, Value>, AccessError>| {
            matches!(result, Err(AccessError::Manager(ManagerError::Forbidden(_))))
        };
        assert!(is_forbidden(access.create_user(&ann, new("eve", "sys_admin")).await));
        let promote = UserChange { role: Some("sys_admin".to_owned()), ..UserChange::default() };
        assert!(is_forbidden(access.change_user(&ann, "ann", promote).await));
        let take =
            UserChange { password: Some(Zeroizing::new("taken over".to_owned())), ..UserChange::default() };
        assert!(is_forbidden(access.change_user(&ann, "admin", take).await));
        assert!(is_forbidden(access.grant(&ann, "viewer", "user_list").await));
        assert!(access.revoke(&admin, "sys_admin", "user_list").await.is_err());

        access.revoke(&admin, "operations", "execution_cancel").await.unwrap();
        access.grant(&admin, "operations", "execution_cancel").await.unwrap();
        let cancel_system = Permission::system("execution_cancel");
        let grants = access.records.read(Records::grants).await.unwrap();
        assert!(!grants.is_granted(cancel_system, Role::Tenant(TenantRole::Operations)));

        access.revoke(&admin, "manager", "tenant_add_user").await.unwrap();
        let ann = login().await;
        assert!(access.set_member(asking(&ann), "north", user("admin"), "viewer", true).await.is_err());
    });
}
