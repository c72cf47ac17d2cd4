//! The manager as a whole, with the real `cfy`: what it is asked of itself is answered, or refused in words.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{
    ADMIN_PASSWORD, Api, SECRET_VALUE, TestServer, add_member, fill, python_common, script,
};

#[test]
fn what_cfy_asks_of_the_manager_itself_is_answered_or_refused_in_words() {
    let server = TestServer::start();
    let cfy = server.cfy();
    for (command, words) in [
        (&["status"][..], &["Lifeboat"][..]),
        (&["cluster", "status"], &["Embedded manager"]),
        (&["managers", "list"], &["lifeboat"]),
        (&["db-nodes", "list"], &["lifeboat"]),
        (&["cluster", "brokers", "list"], &["lifeboat"]),
        (&["cluster", "brokers", "get", "lifeboat"], &["127.0.0.1"]),
        (&["cluster", "update-profile"], &[]),
        (&["idp", "get"], &["local"]),
        (&["ldap", "status"], &["disabled"]),
        (&["license", "list"], &[]),
        (&["license", "check"], &["licensed"]),
        (&["license", "environments", "list"], &["0 of 0"]),
        (&["license", "environments", "count"], &["count: 0"]),
        (&["config", "list"], &[]),
        (&["log-bundles", "list"], &["Showing 0 of 0"]),
        (&["profiles", "list"], &["127.0.0.1"]),
        (&["profiles", "show-current"], &["admin"]),
        (&["auditlog", "list"], &["audit log entries"]),
        // Of these two `cfy` tells a 404 in words of its own.
        (
            &["secrets", "providers", "get", "vault"],
            &["Requested Secrets Provider with name `vault` was not found"],
        ),
        (
            &["secrets", "providers", "delete", "vault"],
            &["Requested Secrets Provider with name `vault` was not found"],
        ),
        (&["secrets", "list", "-p", "vault"], &["Showing 0 of 0 secrets"]),
        (&["permissions", "list"], &["snapshot_create"]),
        (&["users", "get", "admin"], &["sys_admin"]),
        (&["snapshots", "status"], &["No snapshot is currently being restored"]),
    ] {
        cfy.run(command).success().says(words);
    }
    let file = server.scratch().join("license.yaml");
    fs::write(&file, "license: {}\n").unwrap();
    let file = file.to_str().unwrap();
    let community = &["404", "community edition"][..];
    for (command, words) in [
        (&["license", "upload", file][..], community),
        (&["license", "remove"], community),
        (&["ldap", "set", "-s", "ldap://127.0.0.1"], community),
        (&["db-nodes", "update"], community),
        (&["cluster", "remove", "lifeboat"], community),
        (&["cluster", "remove", "nobody"], &["nobody is not a manager in the cluster"]),
        (&["cluster", "brokers", "add", "second", "10.0.0.2"], community),
        (&["cluster", "brokers", "remove", "lifeboat"], community),
        (&["secrets", "providers", "list"], community),
        (&["secrets", "providers", "create", "vault", "-y", "vault"], community),
        (&["secrets", "providers", "update", "vault", "-y", "vault"], community),
        (&["secrets", "providers", "test", "vault"], community),
        (&["secrets", "create", "lamp", "-s", "oil", "-p", "vault"], community),
        (&["secrets", "update", "lamp", "-s", "oil", "-p", "vault"], community),
        (&["config", "update", "{'rest.ldap_username': 'x'}"], &["404", "settings file"]),
        (&["log-bundles", "create", "logs"], &["400", "standard error"]),
        (&["log-bundles", "delete", "logs"], &["404", "LogBundle"]),
        (&["community", "register", "-f", "A", "-l", "B", "-e", "a@example.org", "-p", "1", "-a"], community),
    ] {
        cfy.run(command).refused(words);
    }
}

#[test]
fn users_are_seen_to_by_cfy() {
    let server = TestServer::start();
    let cfy = server.cfy();
    for command in [
        &[
            "users",
            "create",
            "jo",
            "-p",
            "jo-password-1",
            "-r",
            "default",
            "-t",
            "default_tenant",
            "-l",
            "user",
        ][..],
        &["users", "set-password", "jo", "-p", "jo-password-2"],
        &["users", "set-role", "jo", "-r", "sys_admin"],
        &["users", "set-role", "jo", "-r", "default"],
        &["users", "deactivate", "jo"],
    ] {
        cfy.run(command).success();
    }
    let jo = Api::new(server.port()).login("jo", "jo-password-2");
    jo.get("version").expect_error(401, "unauthorized_error");
    // Both 409 are told in words that are `cfy`'s own.
    cfy.run(&["users", "deactivate", "jo"]).success().says(&["User `jo` is already inactive"]);
    cfy.run(&["users", "activate", "jo"]).success().says(&["User activated"]);
    cfy.run(&["users", "activate", "jo"]).success().says(&["User `jo` is already active"]);
    let again = server.api().post("users/active/jo", &json!({ "action": "activate" }));
    again.expect_error(409, "conflict_error");
    jo.get("version").expect(200);
    cfy.run(&["users", "unlock", "jo"]).success().says(&["User `jo` is already unlocked"]);
    let wrong = Api::new(server.port()).login("jo", "not the password");
    (0..4).for_each(|_| wrong.get("version").expect_status(401));
    cfy.run(&["users", "unlock", "jo"]).success().says(&["User unlocked"]);
    cfy.run(&["users", "deactivate", "admin"]).refused(&["400", "sys_admin"]);
    cfy.run(&["users", "delete", "jo"]).success();
    cfy.run(&["users", "get", "jo"]).refused(&["404"]);

    let listed = cfy.json(&["auditlog", "list"]);
    let done: Vec<(&str, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["ref_table"].as_str().unwrap(), line["operation"].as_str().unwrap()))
        .collect();
    assert_eq!(done.first(), Some(&("users", "create")));
    assert!(done.contains(&("tenant_users", "create")) && done.contains(&("users", "delete")), "{done:?}");
    assert!(!listed.to_string().contains("jo-password"), "{listed}");
    cfy.run(&["auditlog", "list", "-c", "nobody"]).success().says(&["Showing 0 of 0"]);
    cfy.run(&["auditlog", "truncate", "-b", "1h"])
        .success()
        .says(&["0 audit log entries have been truncated"]);
    cfy.run(&["auditlog", "truncate", "-b", "now"]).success();
    let left = cfy.json(&["auditlog", "list"]);
    assert!(left.as_array().unwrap().iter().all(|line| line["ref_table"] == "audits"), "{left}");
    let vera = add_member(&server, "vera", "default_tenant", "manager");
    vera.get("audit").expect_error(403, "forbidden_error");
    vera.delete("audit?before=2030-01-01").expect_error(403, "forbidden_error");
}

#[test]
fn tokens_end_when_they_are_to() {
    let server = TestServer::start();
    let (api, cfy) = (server.api(), server.cfy());
    let token = cfy.json(&["tokens", "create", "-e", "+1day+10min", "-d", "backups"]);
    let text = token["value"].as_str().unwrap().to_owned();
    let by_token = Api::new(server.port()).token(&text);
    by_token.get("version").expect(200);
    let id = token["id"].as_str().unwrap();
    let shown = cfy.json(&["tokens", "get", id]);
    assert_eq!(shown["description"], "backups", "{shown}");
    assert!(shown["last_used"].is_string(), "{shown}");
    assert!(
        !api.get("tokens").text().contains(text.rsplit('-').next().unwrap()),
        "the secret part is shown once"
    );
    cfy.run(&["tokens", "create", "-e", "2001-01-01 00:00"]).refused(&["400", "not a time in the future"]);
    cfy.run(&["tokens", "delete", id]).success();
    by_token.get("version").expect_error(401, "unauthorized_error");
    cfy.run(&["tokens", "get", id]).refused(&["404"]);

    let soon = chrono::Utc::now() + chrono::Duration::milliseconds(700);
    let body = json!({ "expiration_date": soon.to_rfc3339() });
    let token = api.post("tokens", &body).expect(200);
    let by_token = Api::new(server.port()).token(token["value"].as_str().unwrap());
    let message = crate::harness::eventually("the token expires", 20, || {
        let reply = by_token.get("version");
        (reply.status == 401).then(|| reply.text())
    });
    assert!(message.contains("Token is expired"), "{message}");

    let vera = add_member(&server, "vera", "default_tenant", "viewer");
    let own = vera.post("tokens", &json!({})).expect(200);
    assert_eq!(vera.get("tokens").items().len(), 1);
    assert_eq!(api.get("tokens").items().len(), 2);
    api.delete("permissions/default/create_token").expect_status(204);
    vera.post("tokens", &json!({})).expect(200);
    for role in ["viewer", "operations", "user", "manager"] {
        api.delete(&format!("permissions/{role}/create_token")).expect_status(204);
    }
    vera.post("tokens", &json!({})).expect_error(403, "forbidden_error");
    vera.delete(&format!("tokens/{}", own["id"].as_str().unwrap())).expect(200);
}

#[test]
fn secrets_leave_and_come_back_in_cloudifys_file() {
    let first = TestServer::start();
    let (api, cfy) = (first.api(), first.cfy());
    fill(&api);
    api.put("secrets/hidden", &json!({ "value": "behind the lamp", "is_hidden_value": true })).expect(200);
    let sealed = first.scratch().join("sealed.json");
    let sealed = sealed.to_str().unwrap();
    cfy.run(&["secrets", "export", "-p", "lamp oil and more", "-o", sealed, "--all-tenants"]).success();
    let text = fs::read_to_string(sealed).unwrap();
    assert!(!text.contains("Sesam") && !text.contains("behind the lamp"), "{text}");
    let items: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(items.as_array().unwrap().len(), 3, "{items:#}");
    cfy.run(&["secrets", "export", "--non-encrypted", "-o", "clear.json"]).success();
    assert!(fs::read_to_string(cfy.home().join("clear.json")).unwrap().contains("Sesam"));

    // Who may not read a value does not get it in a file.
    let ulla = add_member(&first, "ulla", "default_tenant", "user");
    let keys: Vec<Value> = ulla.get("secrets/share/export").json().as_array().unwrap().clone();
    assert_eq!(
        keys.iter().map(|item| item["key"].as_str().unwrap()).collect::<Vec<_>>(),
        ["lamp_passphrase"]
    );
    add_member(&first, "vera", "default_tenant", "viewer")
        .get("secrets/share/export")
        .expect_error(403, "forbidden_error");

    let second = TestServer::start();
    let (api, cfy) = (second.api(), second.cfy());
    cfy.run(&["secrets", "import", "-i", sealed, "-p", "not that one!"])
        .success()
        .says(&["passphrase does not open it"]);
    assert_eq!(api.get("secrets").items().len(), 0);
    cfy.run(&["secrets", "import", "-i", sealed, "-p", "lamp oil and more"])
        .success()
        .says(&["The tenant `north` was not found"]);
    assert_eq!(api.get("secrets/lamp_passphrase").expect(200)["value"], SECRET_VALUE);
    assert_eq!(api.get("secrets/hidden").expect(200)["is_hidden_value"], true);
    api.post("tenants/north", &json!({})).expect(201);
    api.patch("secrets/lamp_passphrase", &json!({ "value": "changed" })).expect(200);
    cfy.run(&["secrets", "import", "-i", sealed, "-p", "lamp oil and more"])
        .success()
        .says(&["were not created because they collided"]);
    assert_eq!(api.get("secrets/lamp_passphrase").expect(200)["value"], "changed");
    assert_eq!(api.get("secrets?_all_tenants=true").items().len(), 3);
    cfy.run(&["secrets", "import", "-i", sealed, "-p", "lamp oil and more", "--override-collisions"])
        .success()
        .says(&["were overridden"]);
    assert_eq!(api.get("secrets/lamp_passphrase").expect(200)["value"], SECRET_VALUE);
    let map = second.scratch().join("map.json");
    fs::write(&map, r#"{"north": "nowhere"}"#).unwrap();
    cfy.run(&["secrets", "import", "-i", sealed, "-p", "lamp oil and more", "-m", map.to_str().unwrap()])
        .refused(&["400", "nowhere"]);

    add_member(&second, "jo", "default_tenant", "user");
    cfy.run(&["secrets", "set-owner", "hidden", "-s", "jo"]).success().says(&["owned by user `jo`"]);
    cfy.run(&["secrets", "set-owner", "hidden", "-s", "nobody"]).refused(&["404"]);
    let audit = api.get("audit").text();
    assert!(audit.contains("secrets") && !audit.contains("Sesam") && !audit.contains("lamp oil"), "{audit}");
    for log in [first.log(), second.log()] {
        assert!(!log.contains("Sesam") && !log.contains("lamp oil"), "a secret is in the log");
    }
}

#[test]
fn the_story_of_access_holds_with_cloudify_common() {
    let server = TestServer::start();
    fill(&server.api());
    let port = server.port().to_string();
    python_common(&[&script("common_access.py"), "--port", &port, "--password", ADMIN_PASSWORD])
        .success()
        .says(&["the story held"]);
}
