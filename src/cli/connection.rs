//! The connection to a running service: settings, calls and what their answers mean.
//!
//! The only place of the command line that speaks HTTP and reads its variables.
//! Credentials never show in an error or in `Debug`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::Method;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::error::{CliError, FailureKind, innermost};
use super::prompt::{self, PasswordSource};
use super::refusal::refusal;

/// Where a service listens if nothing else is said.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";
/// Who logs in where only a password is given.
const DEFAULT_USER: &str = "admin";
/// How long an answer, or the next piece of one, may take; uploads and fetches may take longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Under what Cloudify's calls stand.
const CLOUDIFY: [&str; 2] = ["api", "v3.1"];
/// What a path begins with that stands beside them: calls of the service itself, of flows, and of charts with their pictures.
const OTHER_FACES: [&str; 4] = ["service", "v2", "v1", "images"];
/// Entities asked for at once where a list is read to its end.
const PAGE: u64 = 1000;

/// How to reach a service and how to print: shared by all commands that talk to one.
#[derive(Args, Clone, Debug, Default)]
pub struct ConnectionArgs {
    /// Where the service is [variable: LIFEBOAT_URL; default: http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL", help_heading = "Connection")]
    pub url: Option<String>,
    /// Who logs in [variable: LIFEBOAT_USER; default: admin]; the password is in LIFEBOAT_PASSWORD or asked for
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub user: Option<String>,
    /// A file whose first line is the password to log in with
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub password_file: Option<PathBuf>,
    /// A token in place of user and password [variable: LIFEBOAT_TOKEN]
    #[arg(long, global = true, value_name = "TOKEN", help_heading = "Connection", conflicts_with_all = ["user", "password_file"])]
    pub token: Option<String>,
    /// The tenant to work in [variable: LIFEBOAT_TENANT; default: default_tenant]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub tenant: Option<String>,
    /// Print exactly one JSON document on stdout
    #[arg(long, global = true)]
    pub json: bool,
}

/// How the caller is known.
#[derive(Clone, PartialEq, Eq)]
enum Credentials {
    Token(Zeroizing<String>),
    Password {
        user: String,
        password: Zeroizing<String>,
    },
    /// Works where the service has authentication switched off.
    None,
}

impl ConnectionArgs {
    /// Picks the credentials: a flag counts more than any variable, a token more than a password.
    fn credentials(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Credentials, CliError> {
        if let Some(token) = &self.token {
            return Ok(Credentials::Token(Zeroizing::new(token.clone())));
        }
        let is_named = self.user.is_some() || self.password_file.is_some();
        if let Some(token) = variable("LIFEBOAT_TOKEN").filter(|_| !is_named) {
            return Ok(Credentials::Token(Zeroizing::new(token)));
        }
        let user = self.user.clone().or_else(|| variable("LIFEBOAT_USER"));
        let name = user.clone().unwrap_or_else(|| DEFAULT_USER.to_owned());
        let password = match (&self.password_file, variable("LIFEBOAT_PASSWORD")) {
            (Some(path), _) => prompt::password(&PasswordSource::File(path), &name)?,
            (None, Some(password)) => Zeroizing::new(password),
            (None, None) if user.is_none() => return Ok(Credentials::None),
            (None, None) if prompt::can_ask() => prompt::password(&PasswordSource::Prompt, &name)?,
            (None, None) => {
                let advice = "set LIFEBOAT_PASSWORD or pass --password-file";
                return Err(CliError::usage(format!("log in as `{name}`"), format!("no password: {advice}")));
            }
        };
        Ok(Credentials::Password { user: name, password })
    }

    fn base(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Url, CliError> {
        let given = self.url.clone().or_else(|| variable("LIFEBOAT_URL")).unwrap_or(DEFAULT_URL.into());
        let refuse = |reason: &str| Err(CliError::usage("read the URL of the service", reason));
        let Ok(mut url) = Url::parse(&given) else {
            return refuse(&format!("`{given}` is not a URL: write it like {DEFAULT_URL}"));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("leave user and password out of it: use LIFEBOAT_USER and LIFEBOAT_PASSWORD");
        }
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return refuse(&format!("`{given}` does not begin with http:// or https://"));
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(url)
    }
}

/// One call of the API.
#[derive(Clone)]
pub struct Call {
    doing: String,
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Call {
    /// A call to `path`, below `/api/v3.1` unless it begins with `service`, `v2`, `v1` or `images`; `doing` is for the message if it fails ("list the snapshots").
    pub fn new(method: Method, doing: impl Into<String>, path: &[&str]) -> Self {
        let path = path.iter().map(|segment| (*segment).to_owned()).collect();
        Self { doing: doing.into(), method, path, query: Vec::new(), body: None }
    }

    /// A GET.
    pub fn get(doing: impl Into<String>, path: &[&str]) -> Self {
        Self::new(Method::GET, doing, path)
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Adds a query parameter if there is a value.
    pub fn maybe_query(self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sends a JSON body.
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// Which part of a list is wanted; all of it without a size.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Paging {
    /// Skip so many
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: u64,
    /// Show at most so many; all without this
    #[arg(long, value_name = "N")]
    pub size: Option<u64>,
}

/// Entities of a list, and how many there are in all.
pub struct Listing<T = Value> {
    /// Those that were asked for.
    pub items: Vec<T>,
    /// All that match.
    pub total: u64,
}

/// A service that can be called. Not yet contacted when made.
#[derive(Clone)]
pub struct Service {
    base: Url,
    /// Gives up where an answer takes too long.
    quick: Client,
    /// Waits for as long as a transfer takes.
    patient: Client,
    /// The tenant of all calls, where it is not the one of the settings.
    tenant: Option<HeaderValue>,
}

impl Service {
    /// Reads settings and variables, asks for a password if need be, and prepares the client.
    ///
    /// # Errors
    /// Usage, where a setting cannot be meant.
    pub fn connect(args: &ConnectionArgs) -> Result<Self, CliError> {
        Self::prepare(args, &|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// Prepares the client for a service and a caller that are known already; no variable is read.
    ///
    /// # Errors
    /// Usage, where the address or a name cannot be meant.
    pub fn known(url: &str, user: &str, password: &str, tenant: &str) -> Result<Self, CliError> {
        let args = ConnectionArgs {
            url: Some(url.to_owned()),
            user: Some(user.to_owned()),
            tenant: Some(tenant.to_owned()),
            ..ConnectionArgs::default()
        };
        Self::prepare(&args, &|name| (name == "LIFEBOAT_PASSWORD").then(|| password.to_owned()))
    }

    fn prepare(args: &ConnectionArgs, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, CliError> {
        // Another part of this process may have done it already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let base = args.base(variable)?;
        let tenant = args.tenant.clone().or_else(|| variable("LIFEBOAT_TENANT"));
        let headers = headers(&args.credentials(variable)?, tenant.as_deref())?;
        let client = |timeout: Option<Duration>| {
            let mut builder = Client::builder()
                .default_headers(headers.clone())
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .tcp_keepalive(Duration::from_secs(30))
                .timeout(timeout)
                .user_agent(concat!("lifeboat/", env!("CARGO_PKG_VERSION")));
            if is_loopback(&base) {
                builder = builder.no_proxy();
            }
            builder.build().map_err(|error| CliError::from_error("prepare the connection", &error))
        };
        Ok(Self { quick: client(Some(ANSWER_TIMEOUT))?, patient: client(None)?, base, tenant: None })
    }

    /// The same service, called in the tenant `name` whatever the settings say.
    ///
    /// # Errors
    /// Where the name cannot be the value of a header.
    pub fn in_tenant(&self, name: &str) -> Result<Self, CliError> {
        let tenant = HeaderValue::try_from(name)
            .map_err(|error| CliError::from_error(format!("work in the tenant `{name}`"), &error))?;
        Ok(Self { tenant: Some(tenant), ..self.clone() })
    }

    /// What a command needs in order to see what this service sees: ` --tenant NAME`, or nothing.
    pub fn tenant_flag(&self) -> String {
        let name = self.tenant.as_ref().and_then(|tenant| tenant.to_str().ok());
        name.map(|name| format!(" --tenant {name}")).unwrap_or_default()
    }

    /// Makes a call and reads its JSON answer; null where there is none.
    ///
    /// # Errors
    /// With the kind that the status means; the reason is the service's message.
    pub fn call(&self, call: Call) -> Result<Value, CliError> {
        let (doing, request) = self.prepared(call);
        self.answer(&doing, request)
    }

    /// Makes a call and reads its JSON answer as a `T`: for what must not go through [`Value`], which rounds numbers.
    ///
    /// # Errors
    /// Those of [`Service::call`], and where the answer is no `T`.
    pub fn read<T: DeserializeOwned>(&self, call: Call) -> Result<T, CliError> {
        let (doing, request) = self.prepared(call);
        self.parsed(&doing, request)?.ok_or_else(|| CliError::failed(doing, "the answer is empty"))
    }

    fn prepared(&self, call: Call) -> (String, RequestBuilder) {
        let path: Vec<_> = call.path.iter().map(String::as_str).collect();
        let mut request = self.request(call.method, &path, &call.query);
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        (call.doing, request)
    }

    /// A request whose answer has to come soon: to be sent by [`Service::send`].
    pub fn request(&self, method: Method, path: &[&str], query: &[(&str, String)]) -> RequestBuilder {
        self.tenanted(self.quick.request(method, self.address(path, query)))
    }

    /// A request that may take as long as it wants, for bodies and fetches.
    pub fn patient_request(&self, method: Method, path: &[&str], query: &[(&str, String)]) -> RequestBuilder {
        self.tenanted(self.patient.request(method, self.address(path, query)))
    }

    fn tenanted(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.tenant {
            Some(tenant) => request.header("tenant", tenant),
            None => request,
        }
    }

    /// Sends a request and reads its JSON answer.
    pub fn answer(&self, doing: &str, request: RequestBuilder) -> Result<Value, CliError> {
        Ok(self.parsed(doing, request)?.unwrap_or(Value::Null))
    }

    /// Sends a request and reads its JSON answer; nothing where the answer has no body.
    fn parsed<T: DeserializeOwned>(
        &self,
        doing: &str,
        request: RequestBuilder,
    ) -> Result<Option<T>, CliError> {
        let response = self.send(doing, request)?;
        let bytes = response.bytes().map_err(|error| self.unreachable(doing, error))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let what = if error.is_data() { "not understood" } else { "no JSON" };
            CliError::failed(doing, format!("the answer is {what}: is there a Lifeboat at `{}`?", self.base))
        })
    }

    /// Sends a request; an answer that is not 2xx is an error.
    pub fn send(&self, doing: &str, request: RequestBuilder) -> Result<Response, CliError> {
        let response = request.send().map_err(|error| self.unreachable(doing, error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.bytes().unwrap_or_default();
        Err(refusal(doing, status, &body))
    }

    /// Reads a list: one page if a size is asked for, else all pages.
    pub fn list(&self, call: Call, paging: Paging) -> Result<Listing, CliError> {
        let mut items = Vec::new();
        loop {
            let wanted = paging.size.map_or(PAGE, |size| size.saturating_sub(items.len() as u64));
            let offset = paging.offset + items.len() as u64;
            let page = self.call(Call {
                doing: call.doing.clone(),
                method: call.method.clone(),
                path: call.path.clone(),
                query: [
                    call.query.as_slice(),
                    &[("_offset", offset.to_string()), ("_size", wanted.to_string())],
                ]
                .concat(),
                body: None,
            })?;
            let Some(found) = page["items"].as_array() else {
                return Err(CliError::failed(call.doing, "the answer has no `items`"));
            };
            items.extend(found.iter().cloned());
            let total = page["metadata"]["pagination"]["total"].as_u64().unwrap_or(items.len() as u64);
            let is_done = paging.offset + items.len() as u64 >= total
                || paging.size.is_some_and(|size| items.len() as u64 >= size);
            if found.is_empty() || is_done {
                return Ok(Listing { items, total });
            }
        }
    }

    fn address(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        let stands_beside = path.first().is_some_and(|first| OTHER_FACES.contains(first));
        let face: &[&str] = if stands_beside { &[] } else { &CLOUDIFY };
        url.path_segments_mut().expect("an http URL has a path").pop_if_empty().extend(face).extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query.iter().map(|(name, value)| (*name, value.as_str())));
        }
        url
    }

    /// What it means that no whole answer came.
    pub fn unreachable(&self, doing: &str, error: reqwest::Error) -> CliError {
        let advice = "is the service running? Set --url or LIFEBOAT_URL if it is elsewhere";
        let reason = format!("no answer from `{}`: {}; {advice}", self.base, innermost(&error));
        CliError::new(FailureKind::Unreachable, doing, reason)
    }
}

fn headers(credentials: &Credentials, tenant: Option<&str>) -> Result<HeaderMap, CliError> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &'static str, value: String, is_secret: bool| {
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            CliError::usage(
                "prepare the connection",
                format!("the value for `{name}` has characters no header can carry"),
            )
        })?;
        value.set_sensitive(is_secret);
        headers.insert(HeaderName::from_static(name), value);
        Ok::<_, CliError>(())
    };
    match credentials {
        Credentials::Token(token) => add("authentication-token", token.to_string(), true)?,
        Credentials::Password { user, password } => {
            use base64::Engine as _;
            let pair = Zeroizing::new(format!("{user}:{}", **password));
            let encoded = base64::engine::general_purpose::STANDARD.encode(pair.as_bytes());
            add("authorization", format!("Basic {encoded}"), true)?;
        }
        Credentials::None => {}
    }
    if let Some(tenant) = tenant {
        add("tenant", tenant.to_owned(), false)?;
    }
    Ok(headers)
}

/// Whether the service is on this machine, where no proxy can be meant.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Reads an id or a name: one that could not stand in a path on its own is refused.
pub fn parse_name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty".into()),
        "." | ".." => Err("it would change the path of the call".into()),
        other => Ok(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn a_flag_counts_more_than_a_variable() {
        let both = variables(&[("LIFEBOAT_TOKEN", "t"), ("LIFEBOAT_USER", "u"), ("LIFEBOAT_PASSWORD", "p")]);
        let none = ConnectionArgs::default();
        assert!(
            none.credentials(&both).is_ok_and(|found| found == Credentials::Token("t".to_owned().into()))
        );
        let user = ConnectionArgs { user: Some("v".into()), ..ConnectionArgs::default() };
        let wanted = Credentials::Password { user: "v".into(), password: "p".to_owned().into() };
        assert!(user.credentials(&both).is_ok_and(|found| found == wanted));
        let password = variables(&[("LIFEBOAT_PASSWORD", "p")]);
        let wanted = Credentials::Password { user: "admin".into(), password: "p".to_owned().into() };
        assert!(none.credentials(&password).is_ok_and(|found| found == wanted));
        assert!(none.credentials(&variables(&[])).is_ok_and(|found| found == Credentials::None));
    }

    #[test]
    fn a_url_that_cannot_be_meant_is_refused_without_showing_its_password() {
        for url in ["ftp://a/", "127.0.0.1:8080", "http://", "http://u:hidden@a/"] {
            let args = ConnectionArgs { url: Some(url.into()), ..ConnectionArgs::default() };
            let error = args.base(&variables(&[])).unwrap_err();
            assert_eq!(error.kind, FailureKind::Usage, "{url}");
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }

    #[test]
    fn ids_are_escaped_in_the_path() {
        let args = ConnectionArgs { url: Some("http://h:1/under/".into()), ..ConnectionArgs::default() };
        let service = Service::prepare(&args, &variables(&[])).unwrap();
        let address = service.address(&["snapshots", "a/b?c d"], &[("_search", "x&y".into())]);
        assert_eq!(address.as_str(), "http://h:1/under/api/v3.1/snapshots/a%2Fb%3Fc%20d?_search=x%26y");
        let address =
            service.address(&["v2", "flows", "f", "snapshots", "a/b%"], &[("page[number]", "1".into())]);
        assert_eq!(address.as_str(), "http://h:1/under/v2/flows/f/snapshots/a%2Fb%25?page%5Bnumber%5D=1");
        assert!(parse_name("..").is_err() && parse_name("").is_err() && parse_name("a").is_ok());
    }

    #[test]
    fn a_tenant_of_its_own_is_told_on() {
        let service = Service::prepare(&ConnectionArgs::default(), &variables(&[])).unwrap();
        assert_eq!(service.tenant_flag(), "");
        assert_eq!(service.in_tenant("t").unwrap().tenant_flag(), " --tenant t");
        assert!(service.in_tenant("a\nb").is_err());
    }
}
