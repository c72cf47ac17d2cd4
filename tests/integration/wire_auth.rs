//! Who may call: passwords, tokens, tenants, roles, and browsers of other origins.
//!
//! Messages are those of Cloudify, since people search for them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;

use crate::harness::{ADMIN_PASSWORD, Api, Connection, TestServer};

#[test]
fn calls_without_or_with_wrong_credentials_get_401() {
    let server = TestServer::start();
    let nobody = Api::new(server.port());
    let message = nobody.get("snapshots").expect_error(401, "unauthorized_error");
    assert_eq!(message, "User unauthorized: No authentication info provided");
    for (user, password) in [("admin", "wrong"), ("ghost", ADMIN_PASSWORD)] {
        let message =
            nobody.clone().login(user, password).get("snapshots").expect_error(401, "unauthorized_error");
        assert_eq!(
            message,
            format!(
                "User unauthorized: Authentication failed for <User username=`{user}`>. \
                 Wrong credentials or locked account"
            )
        );
    }
    for token in ["nonsense", "ctok-00000000-0000", "ctok-abc-def"] {
        nobody.clone().token(token).get("snapshots").expect_error(401, "unauthorized_error");
    }
    for path in ["/api/version", "status", "blueprints", "executions", "version"] {
        assert_eq!(nobody.get(path).status, 401, "{path}");
    }
    assert_eq!(nobody.get("/service/health").status, 200);
}

#[test]
fn many_wrong_passwords_at_once_take_no_more_memory_than_a_few() {
    const GUESSES: usize = 120;
    let server = TestServer::start();
    server.api().get("snapshots").expect(200);
    let before = server.most_memory_bytes();
    let mut callers: Vec<Connection> = (0..GUESSES).map(|_| Connection::open(&server)).collect();
    for (number, caller) in callers.iter_mut().enumerate() {
        let guess = STANDARD.encode(format!("ghost-{number}:guess"));
        let head =
            format!("GET /api/v3.1/snapshots HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {guess}\r\n\r\n");
        assert!(caller.send(head.as_bytes()));
    }
    for caller in &mut callers {
        assert_eq!(caller.answer().unwrap().status, 401);
    }
    // Each takes 19 MiB while it is compared.
    let more = server.most_memory_bytes() - before;
    let at_once = std::thread::available_parallelism().unwrap().get() as u64 + 4;
    assert!(more < at_once * (19 << 20), "{} MiB more", more >> 20);
}

#[test]
fn a_token_stands_for_its_user_until_it_is_taken_away() {
    let server = TestServer::start();
    let api = server.api();
    let token = api.post("tokens", &json!({}));
    assert!(matches!(token.status, 200 | 201), "{}", token.text());
    let token = token.json();
    let value = token["value"].as_str().unwrap();
    assert_eq!(value.split('-').count(), 3, "three parts: {value}");
    assert!(value.starts_with("ctok-"), "{value}");
    assert_eq!(token["username"], "admin");

    let by_token = Api::new(server.port()).token(value);
    by_token.get("snapshots").expect(200);
    // Both are accepted in basic auth.
    Api::new(server.port()).login("admin", value).get("snapshots").expect(200);

    let id = token["id"].as_str().unwrap();
    assert!(matches!(api.delete(&format!("tokens/{id}")).status, 200 | 204));
    by_token.get("snapshots").expect_error(401, "unauthorized_error");
}

#[test]
fn both_alphabets_of_base64_are_taken() {
    let server = TestServer::start();
    // Its encoding has `+` and `/`, which the 4.3.3 client writes as `-` and `_`.
    let password = "ods-~~~???>>>pw";
    let user = json!({ "username": "jo", "password": password, "role": "sys_admin" });
    server.api().put("users", &user).expect(201);
    let standard = base64::engine::general_purpose::STANDARD;
    let url_safe = base64::engine::general_purpose::URL_SAFE;
    for encoded in [
        base64::Engine::encode(&standard, format!("jo:{password}")),
        base64::Engine::encode(&url_safe, format!("jo:{password}")),
    ] {
        let api = Api::new(server.port());
        let request =
            api.request(Method::GET, "snapshots").header("Authorization", format!("Basic {encoded}"));
        assert_eq!(api.send(request).status, 200, "{encoded}");
    }
}

#[test]
fn only_system_administrators_touch_snapshots() {
    let server = TestServer::start();
    let api = server.api();
    api.create_snapshot("nightly", &json!({}));
    for role in ["manager", "user", "operations", "viewer"] {
        let user = json!({ "username": role, "password": "password-123", "role": "default" });
        api.put("users", &user).expect(201);
        let member = json!({ "tenant_name": "default_tenant", "username": role, "role": role });
        api.put("tenants/users", &member).expect(200);
        let caller = Api::new(server.port()).login(role, "password-123").tenant("default_tenant");
        caller.get("blueprints").expect(200);
        for (method, path, permission) in [
            (Method::GET, "snapshots", "snapshot_list"),
            (Method::GET, "snapshots/nightly", "snapshot_get"),
            (Method::PUT, "snapshots/mine", "snapshot_create"),
            (Method::DELETE, "snapshots/nightly", "snapshot_delete"),
            (Method::PATCH, "snapshots/nightly", "snapshot_status_update"),
            (Method::POST, "snapshots/nightly/restore", "snapshot_restore"),
            (Method::GET, "snapshots/nightly/archive", "snapshot_download"),
            (Method::PUT, "snapshots/mine/archive", "snapshot_upload"),
        ] {
            let reply = caller.send(caller.request(method, path).json(&json!({})));
            let message = reply.expect_error(403, "forbidden_error");
            assert_eq!(
                message,
                format!(
                    "User `{role}` is not permitted to perform the action {permission} \
                     in the tenant `default_tenant`"
                )
            );
        }
    }
}

#[test]
fn no_tenant_means_the_default_one_and_an_unknown_one_is_refused() {
    let server = TestServer::start();
    let api = server.api();
    api.create_snapshot("nightly", &json!({}));
    let named = api.clone().tenant("default_tenant");
    assert_eq!(named.get("snapshots").items(), api.get("snapshots").items());
    let message = api.clone().tenant("nowhere").get("snapshots").expect_error(403, "forbidden_error");
    assert_eq!(message, "Authorization failed: Tried to authenticate with invalid tenant name: nowhere");
    // A user who is no member of a tenant sees nothing of it.
    api.post("tenants/north", &json!({})).expect(201);
    let user = json!({ "username": "jo", "password": "password-123", "role": "default" });
    api.put("users", &user).expect(201);
    let jo = Api::new(server.port()).login("jo", "password-123");
    assert_eq!(jo.tenant("north").get("blueprints").status, 403);
}

#[test]
fn a_browser_may_call_from_an_allowed_origin_only() {
    let server =
        TestServer::builder().settings("[cors]\nallowed_origins = [\"https://console.example\"]").start();
    // jQuery's `crossDomain` call with a content type asks first, without credentials.
    let preflight = |origin: &str| -> (u16, HeaderMap) {
        let api = Api::new(server.port());
        let reply = api.send(
            api.request(Method::OPTIONS, "/api/v2.1/snapshots/nightly")
                .header("Origin", origin)
                .header("Access-Control-Request-Method", "PUT")
                .header("Access-Control-Request-Headers", "content-type,authorization,tenant"),
        );
        (reply.status, reply.headers)
    };
    let (status, headers) = preflight("https://console.example");
    assert!(matches!(status, 200 | 204), "{status}");
    assert_eq!(headers["access-control-allow-origin"], "https://console.example");
    let methods = headers["access-control-allow-methods"].to_str().unwrap();
    assert!(methods.contains("PUT"), "{methods}");
    let allowed = headers["access-control-allow-headers"].to_str().unwrap().to_lowercase();
    for name in ["content-type", "authorization", "tenant"] {
        assert!(allowed.contains(name), "{allowed}");
    }
    let (_, headers) = preflight("https://evil.example");
    assert!(headers.get("access-control-allow-origin").is_none());

    let api = server.api();
    let reply = api.send(
        api.request(Method::GET, "/api/v2.1/snapshots")
            .header("Origin", "https://console.example")
            .header("Content-Type", "application/json"),
    );
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("access-control-allow-origin"), "https://console.example");
}
