//! What a restore does to what ran, to what waits, and to who may log in.
//!
//! The state comes back as it was at the cut; nothing of it begins before the restore is done.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, TestServer, deploy, fill, inventory, read_state, write_zip};

pub const DEPLOYMENT: &str = "ferry";

/// A blueprint with Cloudify's own workflows, which the harness' one has not.
const FERRY: &str = "\
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  ferry: { type: cloudify.nodes.Root }
";

/// Makes the deployment whose workflows are run, in the caller's tenant.
pub fn add_ferry(api: &Api) {
    let archive = write_zip(&[("ferry/ferry.yaml", FERRY.as_bytes())]);
    let upload = api.request(Method::PUT, "blueprints/ferry?application_file_name=ferry.yaml").body(archive);
    assert_eq!(api.send(upload).expect(201)["state"], "uploaded");
    api.put(&format!("deployments/{DEPLOYMENT}"), &json!({ "blueprint_id": "ferry" })).expect(201);
    let made = api.get("executions?deployment_id=ferry&_include_system_workflows=true").items().remove(0);
    assert_eq!(api.wait_for_end(&made)["status"], "terminated");
}

fn start(api: &Api, deployment: &str, options: &Value) -> Value {
    let mut body = json!({ "deployment_id": deployment, "workflow_id": "install" });
    body.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    api.post("executions", &body).expect(201)
}

fn get(api: &Api, execution: &Value) -> Value {
    api.get(&format!("executions/{}", execution["id"].as_str().unwrap())).expect(200)
}

fn time(execution: &Value, key: &str) -> String {
    execution[key].as_str().unwrap_or_else(|| panic!("no `{key}`: {execution:#}")).to_owned()
}

#[test]
fn what_ran_at_the_cut_is_cancelled_after_a_restore_and_what_was_scheduled_waits() {
    let server = TestServer::builder().holding("workflow:running").holding("restore:swapped").start();
    let api = server.api();
    fill(&api);
    let north = api.clone().tenant("north");
    add_ferry(&api);
    add_ferry(&north);
    let running = start(&api, DEPLOYMENT, &json!({}));
    api.wait_for_status(&running, "started");
    let queued = start(&api, DEPLOYMENT, &json!({ "queue": true }));
    assert_eq!(queued["status"], "queued");
    let scheduled = start(&north, DEPLOYMENT, &json!({ "scheduled_time": "209912312359+0000" }));
    assert_eq!(scheduled["status"], "scheduled");
    api.create_snapshot("nightly", &json!({}));
    server.release();
    for execution in [&running, &queued] {
        assert_eq!(api.wait_for_end(execution)["status"], "terminated");
    }

    server.hold();
    let restore = api.post("snapshots/nightly/restore", &json!({ "force": true })).expect(200);
    // The restored state is live now, and the restore has not ended.
    let interrupted = api.wait_for_status(&running, "cancelled");
    assert_eq!(interrupted["error"], "interrupted by a restore");
    assert_eq!(get(&api, &restore)["status"], "started");
    // This wakes the scheduler, which finds the queued execution and must not claim it.
    let create = api.put("snapshots/later", &json!({ "queue": true })).expect(201);
    assert_eq!(get(&api, &queued)["status"], "queued");
    assert_eq!(get(&north, &scheduled)["status"], "scheduled");
    server.release();

    let restore = api.wait_for_end(&restore);
    assert_eq!(restore["status"], "terminated", "{restore:#}");
    let waited = api.wait_for_end(&queued);
    assert_eq!(waited["status"], "terminated", "what was queued runs after the restore");
    assert!(time(&waited, "started_at") >= time(&restore, "ended_at"), "{waited:#}\n{restore:#}");
    assert_eq!(api.wait_for_end(&create)["status"], "terminated");
    assert_eq!(get(&north, &scheduled), scheduled, "its time has not come");
    assert_eq!(get(&api, &running)["status"], "cancelled");
    let notes = restore["report"]["sources"]["embedded"]["notes"].to_string();
    assert!(notes.contains("1 execution(s)"), "{notes}");
}

#[test]
fn a_scheduled_execution_can_be_cancelled_after_a_restore() {
    let server = TestServer::start();
    let api = server.api();
    add_ferry(&api);
    let scheduled = start(&api, DEPLOYMENT, &json!({ "scheduled_time": "2099-12-31T23:59:00Z" }));
    api.create_snapshot("nightly", &json!({}));
    let ended = api.restore_snapshot("nightly", &json!({ "force": true }));
    assert_eq!(ended["status"], "terminated", "{ended:#}");
    let id = scheduled["id"].as_str().unwrap();
    api.post(&format!("executions/{id}"), &json!({ "action": "cancel" })).expect(200);
    assert_eq!(api.wait_for_end(&scheduled)["status"], "cancelled");
}

fn add_user(api: &Api, name: &str, password: &str, role: &str) {
    let body = json!({ "username": name, "password": password, "role": role });
    api.put("users", &body).expect(201);
}

fn add_member(api: &Api, name: &str, tenant: &str, role: &str) {
    let body = json!({ "username": name, "tenant_name": tenant, "role": role });
    api.put("tenants/users", &body).expect(200);
}

fn user(api: &Api, name: &str) -> Value {
    let mut user = api.get(&format!("users/{name}?_get_data=true")).expect(200);
    // A login is no change that a restore makes.
    for key in ["first_login_at", "last_login_at"] {
        user.as_object_mut().unwrap().remove(key);
    }
    user
}

/// Whether a caller of this name and password is let in.
fn may_log_in(server: &TestServer, name: &str, password: &str) -> bool {
    let status = Api::new(server.port()).login(name, password).get("user").status;
    assert!([200, 401].contains(&status), "{status}");
    status == 200
}

#[test]
fn a_restore_makes_unknown_users_locked_and_changes_nobody_who_exists() {
    let first = TestServer::start();
    let api = first.api();
    fill(&api);
    add_user(&api, "ada", "ada-password-1", "sys_admin");
    add_user(&api, "jo", "jo-password-1", "default");
    add_user(&api, "kim", "kim-password-1", "sys_admin");
    add_member(&api, "ada", "north", "viewer");
    add_member(&api, "jo", "north", "manager");
    add_member(&api, "jo", "default_tenant", "operations");
    add_member(&api, "kim", "north", "manager");
    api.create_snapshot("nightly", &json!({ "include_credentials": true }));
    let archive = api.archive("nightly");

    let second = TestServer::builder().opening_archives_of(&first).start();
    let api = second.api();
    for tenant in ["north", "south"] {
        api.post(&format!("tenants/{tenant}"), &json!({})).expect(201);
    }
    add_user(&api, "kim", "kim-password-2", "default");
    add_member(&api, "kim", "north", "viewer");
    add_member(&api, "kim", "south", "user");
    let mut kim = user(&api, "kim");
    let admin = user(&api, "admin");
    api.send_archive("carried", &archive).expect(201);
    let restored = api.restore_snapshot("carried", &json!({ "force": true }));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    assert_eq!(inventory(&api), inventory(&first.api()), "and the state is that of the first");

    let accounts = &restored["report"]["sources"]["accounts"];
    assert_eq!(accounts["added"], json!(["ada", "jo"]), "{accounts:#}");
    assert_eq!(accounts["kept"], json!(["admin", "kim"]), "{accounts:#}");
    assert_eq!(accounts["sleeping"], json!(["kim in south"]), "{accounts:#}");

    // Who came is locked, and an administrator no more.
    for (name, password, tenants) in [
        ("ada", "ada-password-1", json!({ "north": "viewer" })),
        ("jo", "jo-password-1", json!({ "north": "manager", "default_tenant": "operations" })),
    ] {
        let user = user(&api, name);
        assert_eq!(user["role"], "default", "{user:#}");
        assert_eq!((&user["active"], &user["is_locked"]), (&json!(false), &json!(true)), "{user:#}");
        let roles = user["tenant_roles"]["direct"].as_object().unwrap();
        assert_eq!(roles.len(), tenants.as_object().unwrap().len(), "{user:#}");
        for (tenant, role) in tenants.as_object().unwrap() {
            assert_eq!(roles[tenant], *role, "{user:#}");
        }
        assert!(!may_log_in(&second, name, password), "{name}");
        api.post(&format!("users/active/{name}"), &json!({ "action": "activate" })).expect(200);
        for password in [password, "", "!"] {
            assert!(!may_log_in(&second, name, password), "{name} has no password yet");
        }
    }
    let password = json!({ "password": "jo-password-3" });
    api.post("users/jo", &password).expect(200);
    assert!(may_log_in(&second, "jo", "jo-password-3"));
    let north = Api::new(second.port()).login("jo", "jo-password-3").tenant("north");
    assert_eq!(north.get("deployments").items().len(), 1, "with the role that came along");

    // Who was there is as before, but for the tenant that is gone.
    assert_eq!(user(&api, "admin"), admin);
    for key in ["tenants", "/tenant_roles/direct"] {
        let members = if key == "tenants" { kim.get_mut(key) } else { kim.pointer_mut(key) };
        members.unwrap().as_object_mut().unwrap().remove("south").unwrap();
    }
    assert_eq!(user(&api, "kim"), kim);
    assert!(may_log_in(&second, "kim", "kim-password-2"));
    assert!(!may_log_in(&second, "kim", "kim-password-1"));
    // A new tenant of that name is not kim's until somebody says so.
    api.post("tenants/south", &json!({})).expect(201);
    assert_eq!(user(&api, "kim"), kim);
    let south = Api::new(second.port()).login("kim", "kim-password-2").tenant("south");
    assert!([401, 403, 404].contains(&south.get("deployments").status));
    add_member(&api, "kim", "south", "user");
    assert_eq!(south.get("deployments").items(), Vec::<Value>::new());
}

#[test]
fn a_deployment_comes_back_whatever_its_id_may_begin_with() {
    let server = TestServer::start();
    let api = server.api();
    add_ferry(&api);
    for id in ["6ac05d7b-9c91-4244-b3d3-a8a2ad854da5", "7", "b.7~_-"] {
        deploy(&api, "ferry", id);
    }
    let before = read_state(&api);
    api.create_snapshot("nightly", &json!({}));
    assert_eq!(api.restore_snapshot("nightly", &json!({ "force": true }))["status"], "terminated");
    read_state(&api).assert_is(&before, "onto itself");

    let second = TestServer::builder().opening_archives_of(&server).start();
    let other = second.api();
    other.send_archive("carried", &api.archive("nightly")).expect(201);
    let verified = other.post("snapshots/carried/verify", &json!({})).expect(200);
    assert_eq!(other.wait_for_end(&verified)["status"], "terminated");
    assert_eq!(other.restore_snapshot("carried", &json!({}))["status"], "terminated");
    read_state(&other).assert_is(&before, "elsewhere");
}
