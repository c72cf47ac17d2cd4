//! Who may do what, with the real `cfy`: users, their groups, tenants and permissions.

use serde_json::json;

use crate::harness::{Cfy, TestServer, add_member, fill};
use crate::rules_restore::{DEPLOYMENT as FERRY, add_ferry};

/// A user of a manager who calls by `cfy`.
fn cfy_of(server: &TestServer, user: &str, password: &str, tenant: &str) -> Cfy {
    let cfy = Cfy::new();
    cfy.use_profile(server.port(), user, password, tenant).success();
    cfy
}

#[test]
fn groups_give_their_members_roles() {
    let server = TestServer::start();
    let (api, cfy) = (server.api(), server.cfy());
    fill(&api);
    add_ferry(&api);
    for command in [
        &["users", "create", "jo", "-p", "jo-password-1", "-r", "default"][..],
        &["user-groups", "create", "keepers", "-r", "default"],
        &["user-groups", "create", "guests", "-r", "default", "-l", "cn=guests,dc=example,dc=org"],
        &["tenants", "add-user", "jo", "-t", "default_tenant", "-r", "viewer"],
        &["tenants", "add-user-group", "keepers", "-t", "default_tenant", "-r", "operations"],
        &["tenants", "add-user-group", "keepers", "-t", "north", "-r", "viewer"],
        &["tenants", "update-user-group", "keepers", "-t", "north", "-r", "user"],
        &["user-groups", "add-user", "jo", "-g", "keepers"],
    ] {
        cfy.run(command).success();
    }
    let again = cfy.run(&["user-groups", "add-user", "jo", "-g", "keepers"]).success();
    again.says(&["User `jo` is already associated with user group `keepers`"]);
    cfy.run(&["tenants", "add-user-group", "keepers", "-t", "north", "-r", "user"])
        .success()
        .says(&["User group `keepers` is already associated with tenant `north`"]);
    cfy.run(&["user-groups", "create", "keepers", "-r", "default"]).refused(&["409", "already exists"]);
    cfy.run(&["user-groups", "create", "users", "-r", "default"]).refused(&["400", "is not allowed"]);
    cfy.run(&["user-groups", "get", "nobody"]).refused(&["404", "Requested `Group` with ID `nobody`"]);

    let groups = cfy.json(&["user-groups", "list"]);
    assert_eq!(
        groups,
        json!([
            { "name": "guests", "role": "default", "tenants": 0, "users": 0 },
            { "name": "keepers", "role": "default", "tenants": 2, "users": 1 },
        ])
    );
    let shown = cfy.run(&["user-groups", "get", "keepers", "--get-data"]).success();
    shown.says(&["'default_tenant': 'operations'", "'north': 'user'", "jo"]);
    let group = api.get("user-groups/guests").expect(200);
    assert_eq!(group["ldap_dn"], "cn=guests,dc=example,dc=org");
    cfy.run(&["users", "list", "--get-data"]).success().says(&["{'operations': ['keepers']}", "jo"]);
    cfy.run(&["users", "get", "jo", "--get-data"]).success().says(&["{'user': ['keepers']}"]);
    let tenants = api.get("tenants?_get_data=true").items();
    assert_eq!(tenants[0]["groups"], json!({ "keepers": "operations" }));
    assert_eq!(
        tenants[0]["user_roles"]["groups"],
        json!({ "keepers": { "role": "operations", "users": ["jo"] } })
    );
    cfy.run(&["tenants", "get", "north", "--get-data"])
        .success()
        .says(&["'users': ['jo']", "'role': 'user'"]);
    assert_eq!(cfy.json(&["tenants", "list"])[1]["users"], 1);

    // The own role only reads; the group's runs workflows.
    let jo = cfy_of(&server, "jo", "jo-password-1", "default_tenant");
    assert_eq!(jo.json(&["tenants", "list"]).as_array().unwrap().len(), 2);
    jo.run(&["executions", "start", "install", "-d", FERRY]).success();
    cfy.run(&["user-groups", "remove-user", "jo", "-g", "keepers"]).success();
    cfy.run(&["user-groups", "remove-user", "jo", "-g", "keepers"])
        .success()
        .says(&["User `jo` is not associated with user group `keepers`"]);
    jo.run(&["executions", "start", "uninstall", "-d", FERRY])
        .refused(&["403", "not permitted to perform the action execution_start"]);

    // By a role everywhere.
    cfy.run(&["user-groups", "set-role", "guests", "-r", "sys_admin"]).success();
    jo.run(&["snapshots", "list"]).refused(&["403", "snapshot_list"]);
    cfy.run(&["user-groups", "add-user", "jo", "-g", "guests"]).success();
    jo.run(&["snapshots", "list"]).success();
    cfy.run(&["users", "list"]).success().says(&["'sys_admin': ['guests']"]);
    cfy.run(&["user-groups", "delete", "guests"]).success();
    jo.run(&["snapshots", "list"]).refused(&["403", "snapshot_list"]);
    cfy.run(&["tenants", "remove-user-group", "keepers", "-t", "north"]).success();
    cfy.run(&["tenants", "remove-user-group", "keepers", "-t", "north"])
        .success()
        .says(&["User group `keepers` is not associated with tenant `north`"]);
}

#[test]
fn permissions_are_given_and_taken_at_once() {
    let server = TestServer::start();
    let (api, cfy) = (server.api(), server.cfy());
    let viewer = add_member(&server, "vera", "default_tenant", "viewer");
    let listed = cfy.run(&["permissions", "list", "--role", "viewer"]).success().says(&["blueprint_list"]);
    assert!(!listed.all().contains("secret_create"), "{}", listed.all());
    let secret = json!({ "value": "lamp oil" });
    viewer.put("secrets/lamp", &secret).expect_error(403, "forbidden_error");
    cfy.run(&["permissions", "allow", "--role", "viewer", "--permission", "secret_create"]).success();
    cfy.run(&["permissions", "allow", "--role", "viewer", "--permission", "secret_create"])
        .refused(&["409", "viewer already has permission secret_create"]);
    viewer.put("secrets/lamp", &secret).expect(200);
    cfy.run(&["permissions", "disallow", "--role", "viewer", "--permission", "secret_create"]).success();
    viewer.put("secrets/lamp2", &secret).expect_error(403, "forbidden_error");
    cfy.run(&["permissions", "disallow", "--role", "viewer", "--permission", "secret_create"])
        .refused(&["404"]);

    // What is everybody's can be taken, too, and on the other faces it counts alike.
    viewer.get("version").expect(200);
    for permission in ["version_get", "workspaces.flow.get"] {
        let role = if permission == "version_get" { "default" } else { "viewer" };
        api.delete(&format!("permissions/{role}/{permission}")).expect_status(204);
    }
    for role in ["viewer", "default"] {
        let listed = api.get(&format!("permissions/{role}")).items();
        assert!(
            listed
                .iter()
                .all(|item| item["role"] == role && item["permission"] != "version_get" || role == "viewer")
        );
    }
    viewer.get("/v2/flows?workspace_id=default_tenant").expect_status(403);

    // Nobody is locked out, and nobody but a sys_admin sees the table.
    api.delete("permissions/sys_admin/snapshot_create").expect_error(400, "illegal_action_error");
    api.put("permissions/viewer/fly", &json!({})).expect_error(404, "not_found_error");
    api.put("permissions/captain/user_list", &json!({})).expect_error(404, "not_found_error");
    viewer.get("permissions").expect_error(403, "forbidden_error");
    assert_eq!(api.get("permissions?role=sys_admin&permission=snapshot_create").items().len(), 1);
}

#[test]
fn groups_come_back_and_raise_nobody() {
    let first = TestServer::start();
    let api = first.api();
    for (name, role) in [("keepers", "sys_admin"), ("guests", "default")] {
        api.post("user-groups", &json!({ "group_name": name, "role": role })).expect(201);
        let body = json!({ "group_name": name, "tenant_name": "default_tenant", "role": "user" });
        api.put("tenants/user-groups", &body).expect(200);
    }
    for user in ["jo", "vera"] {
        add_member(&first, user, "default_tenant", "viewer");
        for group in ["keepers", "guests"] {
            api.put("user-groups/users", &json!({ "group_name": group, "username": user })).expect(200);
        }
    }
    api.put("permissions/viewer/user_list", &json!({})).expect(200);
    api.create_snapshot("nightly", &json!({}));
    let archive = api.archive("nightly");

    let second = TestServer::builder().opening_archives_of(&first).start();
    let api = second.api();
    // She exists here, and may less.
    let vera = add_member(&second, "vera", "default_tenant", "viewer");
    api.post("user-groups", &json!({ "group_name": "guests" })).expect(201);
    api.send_archive("nightly", &archive).expect(201);
    let ended = api.restore_snapshot("nightly", &json!({}));
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    let report = &ended["report"]["sources"]["accounts"];
    assert_eq!(report["added"], json!(["jo"]), "{report:#}");
    assert_eq!(report["groups_added"], json!(["keepers"]));
    assert_eq!(report["groups_kept"], json!(["guests"]));
    assert_eq!(report["permissions"], json!(["viewer had user_list"]));
    assert_eq!(
        report["not_applied"],
        json!([
            "the group `keepers` gave its members the role sys_admin",
            "the user `vera` was a member of the group `keepers`",
        ])
    );

    let group = api.get("user-groups/keepers?_get_data=true").expect(200);
    assert_eq!(
        group,
        json!({ "name": "keepers", "ldap_dn": null, "role": "default", "users": ["jo"],
                "tenants": { "default_tenant": "user" } })
    );
    assert_eq!(api.get("user-groups/guests").expect(200)["users"], 0);
    assert_eq!(api.get("users/jo").expect(200)["active"], false);
    vera.put("secrets/lamp", &json!({ "value": "x" })).expect_error(403, "forbidden_error");
    vera.get("users").expect_error(403, "forbidden_error");
}
