//! The whole story told with the real `cfy` 7.0.5: fill, back up, carry, restore, compare.
//!
//! What `cfy` prints is checked only where an administrator acts on it.

use std::fs;

use serde_json::json;

use crate::harness::{
    Api, BLUEPRINT, Cfy, FileServer, SECRET_VALUE, TestServer, blueprint_file, fill, inventory, write_plugin,
};

/// Fills a manager with every kind of thing, by `cfy` alone.
fn fill_by_cfy(cfy: &Cfy, folder: &std::path::Path) {
    cfy.run(&["tenants", "create", "north"]).success();
    cfy.run(&["users", "create", "jo", "-p", "jo-password-1", "-r", "default"]).success();
    cfy.run(&["tenants", "add-user", "jo", "-t", "north", "-r", "user"]).success();
    for tenant in ["default_tenant", "north"] {
        cfy.run(&["secrets", "create", "lamp_passphrase", "-s", SECRET_VALUE, "-t", tenant])
            .success()
            .says(&["Secret `lamp_passphrase` created"]);
        let file = blueprint_file();
        cfy.run(&["blueprints", "upload", file.to_str().unwrap(), "-b", BLUEPRINT, "-t", tenant])
            .success()
            .says(&["Blueprint uploaded. The blueprint's id is lighthouse"]);
        let deployment = format!("{tenant}-tower");
        cfy.run(&[
            "deployments",
            "create",
            &deployment,
            "-b",
            BLUEPRINT,
            "-i",
            "keeper=Jürgen",
            "-t",
            tenant,
        ])
        .success()
        .says(&[&format!("The deployment's id is {deployment}")]);
    }
    let (wagon, yaml) = write_plugin(folder);
    cfy.run(&["plugins", "upload", &wagon, "-y", &yaml]).success().says(&["Plugin uploaded. Plugin's id is"]);
}

/// The id that stands after the words that `cfy` prints when it started an execution.
fn execution_id(printed: &str) -> String {
    let after = printed
        .split("execution's id is ")
        .nth(1)
        .or_else(|| printed.split("Execution id: ").nth(1))
        .unwrap_or_else(|| panic!("no execution id in:\n{printed}"));
    let id = after.split_whitespace().next().unwrap();
    id.trim_end_matches('.').to_owned()
}

/// Waits for an execution that `cfy` started, and gives it.
fn ended(api: &Api, printed: &str) -> serde_json::Value {
    api.wait_for_end(&json!({ "id": execution_id(printed) }))
}

#[test]
fn a_profile_can_be_used_and_shows_a_healthy_manager() {
    let server = TestServer::start();
    let cfy = server.cfy();

    cfy.run(&["status"]).success();
    cfy.run(&["--version"]).success().says(&["7.0.5"]);
    cfy.run(&["profiles", "show-current"]).success().says(&["127.0.0.1", "default_tenant", "admin"]);
    let tenants = cfy.json(&["tenants", "list"]);
    assert_eq!(tenants[0]["name"], "default_tenant", "{tenants}");
    cfy.run(&["users", "list"]).success().says(&["admin", "sys_admin"]);
    cfy.run(&["snapshots", "status"]).success();
    cfy.run(&["maintenance-mode", "status"]).success();
}

#[test]
fn state_is_carried_to_an_empty_manager() {
    let first = TestServer::start();
    let cfy = first.cfy();
    fill_by_cfy(&cfy, &first.scratch());
    let before = inventory(&first.api());
    assert_eq!(before["north"]["secrets"]["lamp_passphrase"]["whole"]["value"], SECRET_VALUE);
    assert_eq!(before["north"]["node-instances"].as_array().unwrap().len(), 3);
    assert_eq!(before["default_tenant"]["plugins"].as_array().unwrap().len(), 1);

    cfy.run(&["snapshots", "create", "nightly", "-w"])
        .success()
        .says(&["Successfully created snapshot nightly."]);
    let created = cfy.json(&["snapshots", "list"]);
    assert_eq!(created[0]["id"], "nightly", "{created}");
    assert_eq!(created[0]["status"], "created", "{created}");
    cfy.run(&["snapshots", "download", "nightly"]).success().says(&["Snapshot downloaded as"]);
    let archive = cfy.home().join("nightly.zip");
    assert!(archive.exists(), "the file has the name that the server gave");

    let second = TestServer::builder().opening_archives_of(&first).start();
    let cfy = second.cfy();
    cfy.run(&["snapshots", "upload", archive.to_str().unwrap(), "-s", "carried"])
        .success()
        .says(&["The snapshot's id is carried"]);
    let restore = cfy.run(&["snapshots", "restore", "carried"]).success();
    let id = execution_id(&restore.all());
    cfy.run(&["events", "list", &id, "--tail"])
        .success()
        .says(&["Finished executing workflow restore_snapshot"]);
    cfy.run(&["events", "list", &id]).success().says(&["'restore_snapshot' workflow execution succeeded"]);

    assert_eq!(ended(&second.api(), &restore.all())["status"], "terminated");
    assert_eq!(inventory(&second.api()), before);
    cfy.run(&["secrets", "get", "lamp_passphrase", "-t", "north"]).success().says(&["öffne dich"]);
    cfy.run(&["blueprints", "download", BLUEPRINT, "-o", "brought-back.tar.gz"]).success();
    assert_eq!(
        fs::read(cfy.home().join("brought-back.tar.gz")).unwrap(),
        first.api().get("blueprints/lighthouse/archive").body,
        "the blueprint's archive came back to the byte"
    );
    let snapshots = cfy.json(&["snapshots", "list"]);
    assert_eq!(snapshots[0]["id"], "carried", "a restore keeps the list");
}

#[test]
fn events_of_a_create_can_be_followed_and_listed() {
    let server = TestServer::builder().holding("create:collecting").start();
    let cfy = server.cfy();

    let create = cfy.run(&["snapshots", "create", "nightly"]).success();
    let id = execution_id(&create.all());
    let tail = cfy.spawn(&["events", "list", &id, "--tail"]);
    let execution = json!({ "id": id });
    server.api().wait_for_status(&execution, "started");
    server.release();
    ended(&server.api(), &create.all());
    // Whether the tail began before the end or after it, it ends by itself.
    Cfy::wait(tail).success().says(&["Finished executing workflow create_snapshot"]);
    cfy.run(&["events", "list", &id]).success().says(&[
        "Starting 'create_snapshot' workflow execution",
        "'create_snapshot' workflow execution succeeded",
        "Showing ",
    ]);
    cfy.run(&["events", "list", &id, "--no-logs"]).success();
    cfy.run(&["events", "list", &id, "-o", "1", "-s", "1"]).success().says(&["Showing 1 of "]);
    cfy.run(&["executions", "get", &id]).success().says(&["create_snapshot", "completed"]);
    cfy.run(&["executions", "list", "--include-system-workflows"]).success().says(&[&id]);
}

#[test]
fn snapshots_can_be_listed_with_every_option() {
    let server = TestServer::start();
    let cfy = server.cfy();
    for id in ["alpha", "beta", "gamma"] {
        cfy.run(&["snapshots", "create", id, "-w"]).success();
    }
    let ids = |options: &[&str]| -> Vec<String> {
        let list = cfy.json(&[&["snapshots", "list"], options].concat());
        let list = list.as_array().unwrap();
        list.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };

    assert_eq!(ids(&[]), ["alpha", "beta", "gamma"]);
    assert_eq!(ids(&["--sort-by", "id", "--descending"]), ["gamma", "beta", "alpha"]);
    assert_eq!(ids(&["--sort-by", "created_at"]), ["alpha", "beta", "gamma"]);
    assert_eq!(ids(&["--search", "ET"]), ["beta"]);
    assert_eq!(ids(&["-o", "1", "-s", "1"]), ["beta"]);
    assert_eq!(ids(&["-s", "2"]), ["alpha", "beta"]);
    assert_eq!(ids(&["--all-tenants"]), ["alpha", "beta", "gamma"]);
    assert_eq!(ids(&["-t", "default_tenant"]), ["alpha", "beta", "gamma"]);
    cfy.run(&["snapshots", "list"]).success().says(&[
        "   id  ",
        "created_at",
        "status",
        "visibility",
        "tenant_name",
        "created_by",
        "Showing 3 of 3 snapshots",
    ]);
    cfy.run(&["snapshots", "list", "-x"]).success();
    cfy.run(&["snapshots", "list", "--sort-by", "nothing"]).refused(&["400", "Sort keys"]);

    cfy.run(&["snapshots", "delete", "beta"]).success().says(&["Snapshot deleted successfully"]);
    assert_eq!(ids(&[]), ["alpha", "gamma"]);
}

#[test]
fn options_of_create_are_taken() {
    let server = TestServer::start();
    let cfy = server.cfy();
    for options in [
        &["--exclude-credentials"][..],
        &["--exclude-logs", "--exclude-events"],
        &["--no-legacy", "--listener-timeout", "2.5"],
        &["--tempdir-path", "/tmp"],
        &["--queue"],
    ] {
        let create = cfy.run(&[&["snapshots", "create"], options].concat()).success();
        let execution = ended(&server.api(), &create.all());
        assert_eq!(execution["status"], "terminated", "{options:?}: {execution:#}");
    }
    let generated = cfy.json(&["snapshots", "list"]);
    let generated = generated.as_array().unwrap();
    assert_eq!(generated.len(), 5);
    for snapshot in generated {
        let id = snapshot["id"].as_str().unwrap();
        assert!(id.starts_with("snapshot_"), "{id}");
    }
}

#[test]
fn restore_is_refused_on_a_manager_that_is_not_clean_and_done_with_force() {
    let server = TestServer::start();
    let cfy = server.cfy();
    fill(&server.api());
    cfy.run(&["snapshots", "create", "nightly", "-w"]).success();
    let saved = inventory(&server.api());
    cfy.run(&["secrets", "create", "later", "-s", "made after the snapshot"]).success();
    let later = inventory(&server.api());

    let refused = cfy.run(&["snapshots", "restore", "nightly"]).success();
    let execution = ended(&server.api(), &refused.all());
    assert_eq!(execution["status"], "failed");
    let error = execution["error"].as_str().unwrap();
    assert!(error.contains("Snapshot restoration on a non-empty manager is not permitted"), "{error}");
    assert_eq!(inventory(&server.api()), later, "nothing was touched");
    let id = execution_id(&refused.all());
    let tail = cfy.run(&["events", "list", &id]).success();
    tail.says(&["'restore_snapshot' workflow execution failed"]);

    let forced = cfy.run(&["snapshots", "restore", "nightly", "--force"]).success();
    assert_eq!(ended(&server.api(), &forced.all())["status"], "terminated");
    assert_eq!(inventory(&server.api()), saved, "what came later is gone");
    cfy.run(&["snapshots", "status"]).success();
}

#[test]
fn a_snapshot_is_uploaded_from_a_url() {
    let first = TestServer::start();
    fill(&first.api());
    first.api().create_snapshot("nightly", &json!({}));
    let archive = first.api().get("snapshots/nightly/archive").body;

    let files = FileServer::start();
    let url = files.file("/backups/nightly.zip", archive.clone());
    let second = TestServer::builder().opening_archives_of(&first).fetching_from_loopback().start();
    let cfy = second.cfy();
    cfy.run(&["snapshots", "upload", &url, "-s", "fetched"])
        .success()
        .says(&["The snapshot's id is fetched"]);
    assert_eq!(second.api().get("snapshots/fetched/archive").body, archive);
    let restore = cfy.run(&["snapshots", "restore", "fetched"]).success();
    assert_eq!(ended(&second.api(), &restore.all())["status"], "terminated");
    assert_eq!(inventory(&second.api()), inventory(&first.api()));

    cfy.run(&["snapshots", "upload", &files.url("/nothing"), "-s", "absent"]).refused(&["400"]);
    let half = files.half("/half.zip", archive);
    cfy.run(&["snapshots", "upload", &half, "-s", "half"]).refused(&["400"]);
    let ids = cfy.json(&["snapshots", "list"]);
    assert_eq!(ids.as_array().unwrap().len(), 1, "no record is left: {ids}");
}

#[test]
fn deployments_and_blueprints_can_be_deleted_again() {
    let server = TestServer::start();
    let cfy = server.cfy();
    fill(&server.api());

    cfy.run(&["blueprints", "delete", BLUEPRINT]).refused(&["400"]);
    cfy.run(&["deployments", "delete", "default_tenant-tower"]).success().says(&["Deployment deleted"]);
    let left = cfy.json(&["deployments", "list"]);
    assert_eq!(left, json!([]), "it left the list when the command ended");
    cfy.run(&["blueprints", "delete", BLUEPRINT]).success();
    let plugins = cfy.json(&["plugins", "list"]);
    let plugin = plugins[0]["id"].as_str().unwrap();
    cfy.run(&["plugins", "delete", plugin]).success();
    cfy.run(&["secrets", "delete", "lamp_passphrase"]).success();
    assert_eq!(cfy.json(&["secrets", "list"]), json!([]));
}
