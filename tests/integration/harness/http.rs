//! A caller by HTTP who looks at exact codes, headers and bodies.
//!
//! It must not retry, follow redirects, or unpack what the server compressed.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Method;
use reqwest::blocking::{Body, Client, RequestBuilder};
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::eventually;

/// The states in which an execution is over.
const END_STATES: [&str; 3] = ["terminated", "failed", "cancelled"];

/// Seconds that an execution of a test may take, in a debug build on a busy machine.
const EXECUTION_SECONDS: u64 = 120;

/// Someone who calls the server: address, name and tenant.
#[derive(Clone)]
pub struct Api {
    base: String,
    login: Option<(String, String)>,
    token: Option<String>,
    tenant: Option<String>,
}

impl Api {
    /// A caller without a name, who sends no tenant.
    pub fn new(port: u16) -> Self {
        Self { base: format!("http://127.0.0.1:{port}"), login: None, token: None, tenant: None }
    }

    /// The same caller with a name and password.
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.into(), password.into()));
        self
    }

    /// The same caller with a token instead of a name.
    pub fn token(mut self, token: &str) -> Self {
        self.login = None;
        self.token = Some(token.into());
        self
    }

    /// A caller of the same server without a name or a tenant.
    pub fn nobody(&self) -> Self {
        Self { base: self.base.clone(), login: None, token: None, tenant: None }
    }

    /// The same caller, who sends a tenant.
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// The whole address of a path; one that does not begin with `/` is of the API's newest version.
    pub fn url(&self, path: &str) -> String {
        if path.starts_with('/') {
            format!("{}{path}", self.base)
        } else {
            format!("{}/api/v3.1/{path}", self.base)
        }
    }

    /// Begins a request with the caller's credentials and nothing else.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = client().request(method, self.url(path));
        if let Some((user, password)) = &self.login {
            request = request.basic_auth(user, Some(password));
        }
        if let Some(token) = &self.token {
            request = request.header("Authentication-Token", token);
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("Tenant", tenant);
        }
        request
    }

    /// Asks, without a panic when nobody answers.
    pub fn try_get(&self, path: &str) -> reqwest::Result<Reply> {
        Reply::of(self.request(Method::GET, path))
    }

    /// Asks, and sends nothing.
    pub fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path))
    }

    /// Sends a JSON body with PUT.
    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::PUT, path).json(body))
    }

    /// Sends a JSON body with POST.
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).json(body))
    }

    /// Sends a JSON body with PATCH.
    pub fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::PATCH, path).json(body))
    }

    /// Deletes, and sends nothing.
    pub fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path))
    }

    /// Sends a request as it was built.
    pub fn send(&self, request: RequestBuilder) -> Reply {
        Reply::of(request).unwrap()
    }

    /// Sends a file as the clients do: chunked, and called JSON.
    pub fn upload(&self, snapshot: &str, archive: &Path) -> Reply {
        let file = std::fs::File::open(archive).unwrap();
        self.send(
            self.request(Method::PUT, &format!("snapshots/{snapshot}/archive"))
                .header("Content-Type", "application/json")
                .body(Body::new(file)),
        )
    }

    /// Sends an archive that is at hand, under whatever content type.
    pub fn send_archive(&self, snapshot: &str, archive: &[u8]) -> Reply {
        let path = format!("snapshots/{snapshot}/archive");
        self.send(self.request(Method::PUT, &path).body(archive.to_vec()))
    }

    /// The bytes of a snapshot's archive.
    pub fn archive(&self, snapshot: &str) -> Vec<u8> {
        let reply = self.get(&format!("snapshots/{snapshot}/archive"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.body
    }

    /// Creates a snapshot, waits for its end, and panics unless it was made.
    pub fn create_snapshot(&self, snapshot: &str, options: &Value) -> Value {
        let reply = self.put(&format!("snapshots/{snapshot}"), options);
        let execution = self.wait_for_end(&reply.expect(201));
        assert_eq!(execution["status"], "terminated", "{execution:#}");
        execution
    }

    /// Asks for a restore, waits for its end, and gives the ended execution, whatever it came to.
    pub fn restore_snapshot(&self, snapshot: &str, options: &Value) -> Value {
        let reply = self.post(&format!("snapshots/{snapshot}/restore"), options);
        self.wait_for_end(&reply.expect(200))
    }

    /// Waits until an execution is over, and gives it.
    pub fn wait_for_end(&self, execution: &Value) -> Value {
        let id = execution["id"].as_str().expect("an execution has an id");
        eventually("the execution ends", EXECUTION_SECONDS, || {
            let execution = self.get(&format!("executions/{id}")).expect(200);
            let status = execution["status"].as_str()?;
            END_STATES.contains(&status).then(|| execution.clone())
        })
    }

    /// Waits until an execution has a status, and gives it.
    pub fn wait_for_status(&self, execution: &Value, status: &str) -> Value {
        let id = execution["id"].as_str().expect("an execution has an id");
        eventually(&format!("the execution is {status}"), 60, || {
            let execution = self.get(&format!("executions/{id}")).expect(200);
            (execution["status"] == status).then(|| execution.clone())
        })
    }
}

/// What came back.
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    fn of(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send()?;
        Ok(Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes()?.to_vec(),
        })
    }

    /// The JSON body, after checking the code.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "body: {}", self.text());
        self.json()
    }

    /// Checks the code of an answer whose body no parser of ours may read.
    pub fn expect_status(&self, status: u16) {
        assert_eq!(self.status, status, "body: {}", self.text());
    }

    /// Checks that this is an error in the form that the clients read, and gives its message.
    pub fn expect_error(&self, status: u16, code: &str) -> String {
        let body = self.expect(status);
        assert_eq!(body["error_code"], code, "{body:#}");
        assert!(
            body.get("server_traceback").is_some_and(Value::is_null),
            "`server_traceback` must be there and null: {body:#}"
        );
        body["message"].as_str().unwrap_or_else(|| panic!("no message: {body:#}")).to_owned()
    }

    /// The JSON body, whatever the code.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// The body as text, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a header; panics when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no header `{name}` in {:#?}", self.headers))
            .to_str()
            .unwrap()
    }

    /// The items of a list, after checking that it is one as the clients need it.
    pub fn items(&self) -> Vec<Value> {
        let body = self.expect(200);
        for key in ["total", "size", "offset"] {
            assert!(body["metadata"]["pagination"][key].is_u64(), "no `metadata.pagination.{key}`: {body:#}");
        }
        body["items"].as_array().expect("a list of items").clone()
    }
}

fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // Fails only when one was installed before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(120))
            .no_proxy()
            .build()
            .unwrap()
    })
}
