//! Public keys: who may read them, and an archive that is sealed for another manager by its public key alone.

use serde_json::{Value, json};

use crate::harness::{
    ADMIN_PASSWORD, Api, SECRET_VALUE, TestServer, assert_hidden, document, fails, fill, inventory, lifeboat,
};

/// A service's public key, as it tells it to whoever may log in.
fn recipient(api: &Api) -> String {
    let keys = api.get("/service/keys").expect(200);
    assert_eq!(keys["recipients"][0]["origin"], "own");
    keys["recipients"][0]["recipient"].as_str().unwrap().to_owned()
}

/// Somebody without any role.
fn nobody_special(server: &TestServer) -> Api {
    let body = json!({ "username": "vera", "password": "vera-vera-vera", "role": "default" });
    server.api().put("users", &body).expect(201);
    let member = json!({ "username": "vera", "tenant_name": "default_tenant", "role": "viewer" });
    server.api().put("tenants/users", &member).expect_status(200);
    Api::new(server.port()).login("vera", "vera-vera-vera")
}

#[test]
fn everybody_who_may_log_in_reads_the_public_keys_and_nobody_a_secret_one() {
    let server = TestServer::start();
    let vera = nobody_special(&server);
    let keys = vera.get("/service/keys").expect(200);
    let offline = server.key_show();
    for name in ["recipients", "recovery", "identities", "signer", "old_signers"] {
        assert_eq!(keys[name], offline[name], "{name}");
    }
    assert_eq!(document(&server, &["key", "show"]), keys);
    server.api().nobody().get("/service/keys").expect_error(401, "unauthorized_error");
    vera.post("/service/keys/rotate", &json!({})).expect_error(403, "forbidden_error");
    let own = keys["recipients"][0]["fingerprint"].as_str().unwrap();
    vera.delete(&format!("/service/keys/{own}")).expect_error(403, "forbidden_error");

    let secret = std::fs::read_to_string(server.data().join("keys/identity.txt")).unwrap();
    let secret = secret.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap().to_owned();
    for text in [keys.to_string(), offline.to_string(), server.log()] {
        assert!(!text.contains("AGE-SECRET-KEY-") && !text.contains(&secret));
    }
}

#[test]
fn an_archive_sealed_for_another_managers_public_key_opens_there_and_nowhere_else() {
    let [first, second, third] = [(); 3].map(|()| TestServer::start());
    fill(&first.api());
    let key = recipient(&nobody_special(&second));
    let execution = first
        .api()
        .create_snapshot("carried", &json!({ "include_credentials": true, "seal_for": [key, key] }));
    assert_eq!(execution["status"], "terminated", "{execution:#}");
    assert_eq!(execution["parameters"]["seal_for"], json!([key]), "what was asked is told");
    let archive = first.api().archive("carried");
    assert_hidden(&archive, SECRET_VALUE);

    let api = second.api();
    api.send_archive("carried", &archive).expect(201);
    let restored = api.restore_snapshot("carried", &json!({}));
    assert_eq!(restored["status"], "terminated", "{restored:#}");
    assert_eq!(inventory(&api), inventory(&first.api()), "secrets' values among it");

    let api = third.api();
    api.send_archive("carried", &archive).expect(201);
    let before = inventory(&api);
    let refused = api.restore_snapshot("carried", &json!({}));
    assert_eq!(refused["status"], "failed");
    let error = refused["error"].as_str().unwrap();
    for server in [&first, &second] {
        let keys = server.api().get("/service/keys").expect(200);
        let fingerprint = keys["recipients"][0]["fingerprint"].as_str().unwrap();
        assert!(error.contains(fingerprint), "does not name `{fingerprint}`: {error}");
    }
    assert_eq!(inventory(&api), before);
}

#[test]
fn keys_to_seal_for_are_taken_from_the_query_and_by_the_command_line() {
    let [first, second] = [(); 2].map(|()| TestServer::start());
    let api = first.api();
    api.put("secrets/key", &json!({ "value": SECRET_VALUE })).expect(200);
    let key = recipient(&second.api());
    let other = recipient(&api);
    let execution = api.put(&format!("snapshots/query?seal_for={key},{other}"), &json!({})).expect(201);
    assert_eq!(execution["parameters"]["seal_for"], json!([key, other]));
    api.wait_for_end(&execution);

    let file = first.scratch().join("second.json");
    std::fs::write(&file, second.key_show().to_string()).unwrap();
    let execution = document(
        &first,
        &["snapshot", "create", "line", "--seal-for", "second.json", "--seal-for", &other, "--wait"],
    );
    assert_eq!(execution["parameters"]["seal_for"], json!([key, other]));
    fails(lifeboat(&first, &["snapshot", "create", "none", "--seal-for", "age1none"]), 2, &["age1none"]);

    let fingerprint = second.key_show()["recipients"][0]["fingerprint"].clone();
    for id in ["query", "line"] {
        let archive = first.scratch().join(format!("{id}.zip"));
        std::fs::write(&archive, api.archive(id)).unwrap();
        let inspected = document(&first, &["inspect", archive.to_str().unwrap()]);
        let sealed_for = inspected[0]["sealed_for"].as_array().unwrap();
        assert!(sealed_for.contains(&fingerprint), "{sealed_for:?}");
        assert_eq!(sealed_for.len(), 3, "the own key, the recovery key and the other's: {sealed_for:?}");
    }
}

#[test]
fn a_key_that_is_none_is_named_and_leaves_no_record() {
    let server = TestServer::start();
    let api = server.api();
    let key = recipient(&api);
    let secret = std::fs::read_to_string(server.data().join("keys/identity.txt")).unwrap();
    let secret = secret.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    let many: Vec<Value> = vec![json!(key); 65];
    for (seal_for, word) in [
        (json!([key, "age1nonsense"]), "`seal_for[1]` can't be used: `age1nonsense`"),
        (json!([7]), "`seal_for[0]`"),
        (json!("age1"), "seal_for must be a list"),
        (json!([secret]), "`seal_for[0]`"),
        (json!(many), "at most 64"),
    ] {
        let reply = api.put("snapshots/none", &json!({ "seal_for": seal_for }));
        let message = reply.expect_error(400, "bad_parameters_error");
        assert!(message.contains(word), "{message}");
        assert!(!message.contains(&secret[20..40]), "a secret key is not repeated: {message}");
    }
    api.get("snapshots/none").expect_error(404, "not_found_error");
    assert!(!server.log().contains(ADMIN_PASSWORD) && !server.log().contains(&secret[20..40]));
}
