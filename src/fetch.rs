//! Fetching a file by URL without reaching what the caller could not reach: http and https only; loopback,
//! private, link-local and metadata addresses are refused unless the settings allow their network.
//!
//! Every hop is judged anew; names are resolved by us, each address is judged, and the connection goes to a judged
//! address, so that a name that changes its address between two looks gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::config::Network;

/// Redirects that are followed at the most.
const MAX_HOPS: usize = 5;
/// Names that are looked up at once at the most.
const MAX_LOOKUPS: usize = 16;

/// Why a URL was not fetched. The first two begin as Cloudify's messages do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    #[error("Invalid URL {url}: {reason}")]
    Invalid { url: String, reason: String },
    #[error("Cannot fetch {url}: {reason}")]
    Failed { url: String, reason: String },
}

/// What fetches need to know of the settings.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    /// Networks that may be fetched from although they are not public.
    pub allow: Vec<Network>,
    /// The longest time for a connection, in seconds.
    pub connect_seconds: u64,
    /// The longest pause between two pieces, in seconds.
    pub idle_seconds: u64,
    /// The turns of looking up a name, shared by all fetches.
    pub lookups: Lookups,
}

/// How many names are looked up at once. Each takes a thread for as long as a name server is silent, and others need
/// threads too.
#[derive(Clone, Debug)]
pub struct Lookups(Arc<Semaphore>);

impl Default for Lookups {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_LOOKUPS)))
    }
}

impl Lookups {
    /// The addresses of a name, when its turn has come.
    async fn addresses(self, name: String) -> io::Result<Vec<SocketAddr>> {
        let turn = self.0.acquire_owned().await.map_err(io::Error::other)?;
        // Its thread goes on where nobody waits for it any more, and so does its turn.
        let looked_up = tokio::spawn(async move {
            let addresses = tokio::net::lookup_host((name, 0)).await.map(Iterator::collect);
            drop(turn);
            addresses
        });
        looked_up.await.map_err(io::Error::other)?
    }
}

/// One fetch, judged as far as its URL alone tells.
pub struct Fetch {
    client: reqwest::Client,
    url: Url,
    allow: Arc<[Network]>,
}

/// A file that is arriving.
pub struct Fetched {
    response: reqwest::Response,
    shown: String,
    expected: Option<u64>,
    received: u64,
}

impl Fetch {
    /// Judges the URL; nothing is asked of anybody yet.
    ///
    /// # Errors
    /// [`FetchError::Invalid`] where it is none, or names what may not be fetched.
    pub fn new(settings: &FetchSettings, text: &str) -> Result<Self, FetchError> {
        let invalid = |reason: &str| FetchError::Invalid { url: shown(text), reason: reason.to_owned() };
        let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
        let allow: Arc<[Network]> = settings.allow.clone().into();
        judge(&url, &allow).map_err(|reason| invalid(&reason))?;
        let hops = Arc::clone(&allow);
        let policy = redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > MAX_HOPS {
                return attempt.error("too many redirects");
            }
            match judge(attempt.url(), &hops) {
                Ok(()) => attempt.follow(),
                Err(reason) => attempt.error(reason),
            }
        });
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(policy)
            // Where a redirect leads is not told which address, perhaps with a signature, it came from.
            .referer(false)
            .dns_resolver(Arc::new(JudgingResolver {
                allow: Arc::clone(&allow),
                lookups: settings.lookups.clone(),
            }))
            .connect_timeout(Duration::from_secs(settings.connect_seconds))
            .read_timeout(Duration::from_secs(settings.idle_seconds))
            .build()
            .map_err(|error| invalid(&error.to_string()))?;
        Ok(Self { client, url, allow })
    }

    /// Asks for the file.
    ///
    /// # Errors
    /// [`FetchError::Failed`] where the connection fails, a redirect is refused, or the answer is no success.
    pub async fn start(self) -> Result<Fetched, FetchError> {
        let shown = shown(self.url.as_str());
        let failed = |reason: String| FetchError::Failed { url: shown.clone(), reason };
        let response = self.client.get(self.url).send().await.map_err(|error| failed(chain(&error)))?;
        if response.status().is_redirection() {
            return Err(failed(refused_redirect(&response, &self.allow)));
        }
        if !response.status().is_success() {
            return Err(failed(format!("the server answered {}", response.status())));
        }
        let expected = response.content_length();
        Ok(Fetched { response, shown, expected, received: 0 })
    }
}

impl Fetched {
    /// The length that the server promises, where it does.
    pub fn expected_bytes(&self) -> Option<u64> {
        self.expected
    }

    /// The next piece; none at the end of the whole file.
    ///
    /// # Errors
    /// [`FetchError::Failed`] where the transfer broke off, or ended before the length that was promised.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        let failed = |reason: String| FetchError::Failed { url: self.shown.clone(), reason };
        let piece = self.response.chunk().await.map_err(|error| failed(chain(&error)))?;
        match (&piece, self.expected) {
            (Some(bytes), _) => self.received += bytes.len() as u64,
            (None, Some(expected)) if expected != self.received => {
                return Err(failed(format!(
                    "the server promised {expected} bytes and sent {}",
                    self.received
                )));
            }
            (None, _) => {}
        }
        Ok(piece)
    }
}

/// The URL without what may be secret in it: user, password, query.
fn shown(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) => {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        }
        Err(_) => text.chars().take(200).collect(),
    }
}

/// The causes of an error in one line; the URL is left out, as it may hold a secret.
fn chain(error: &reqwest::Error) -> String {
    let mut text = if error.is_redirect() {
        "a redirect was refused".to_owned()
    } else if error.is_connect() {
        "the connection failed".to_owned()
    } else if error.is_timeout() {
        "the server was silent for too long".to_owned()
    } else {
        "the transfer broke off".to_owned()
    };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Why the client has not even tried where a redirect leads: another scheme, or nowhere.
fn refused_redirect(response: &reqwest::Response, allow: &[Network]) -> String {
    let location = response.headers().get(reqwest::header::LOCATION).and_then(|value| value.to_str().ok());
    match location.map(|location| response.url().join(location)) {
        Some(Ok(to)) => match judge(&to, allow) {
            Err(reason) => format!("a redirect was refused: {reason}"),
            Ok(()) => format!("the server answered {}", response.status()),
        },
        Some(Err(_)) => "a redirect was refused: it leads to no URL".to_owned(),
        None => format!("the server answered {} and does not say where to go", response.status()),
    }
}

fn judge(url: &Url, allow: &[Network]) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the scheme `{}` is not fetched: use http or https", url.scheme()));
    }
    let address = match url.host() {
        None => return Err("it names no host".to_owned()),
        // A resolver is never asked for these, so they are judged here.
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) => return Ok(()),
    };
    judge_address(address, allow)
}

fn judge_address(address: IpAddr, allow: &[Network]) -> Result<(), String> {
    if is_public(address) || allow.iter().any(|network| network.contains(address)) {
        Ok(())
    } else {
        Err(format!(
            "the address {address} is not public: the setting `url_fetch.allow` names networks that may be fetched from all the same"
        ))
    }
}

/// Whether an address is one of the public internet (IANA's registries of special-purpose addresses, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, third, _] = address.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            let is_protocol = first == 192 && second == 0 && (third == 0 || third == 2);
            let is_benchmark = first == 198 && (second == 18 || second == 19);
            !(address.is_unspecified()
                || address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_documentation()
                || is_shared
                || is_protocol
                || is_benchmark
                || first == 0
                || first >= 224)
        }
        IpAddr::V6(address) => {
            let segments = address.segments();
            let is_global = segments[0] & 0xe000 == 0x2000;
            let is_documentation = segments[0] == 0x2001 && segments[1] == 0x0db8;
            // 6to4 and NAT64 carry an IPv4 address, which could be any.
            let is_translated = segments[0] == 0x2002 || (segments[0] == 0x2001 && segments[1] == 0);
            is_global && !is_documentation && !is_translated
        }
    }
}

struct JudgingResolver {
    allow: Arc<[Network]>,
    lookups: Lookups,
}

impl Resolve for JudgingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow, lookups) = (Arc::clone(&self.allow), self.lookups.clone());
        Box::pin(async move {
            let found = lookups.addresses(name.as_str().to_owned()).await?;
            let mut refusal = None;
            let judged: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| match judge_address(address.ip(), &allow) {
                    Ok(()) => true,
                    Err(reason) => {
                        refusal = Some(reason);
                        false
                    }
                })
                .collect();
            match (judged.is_empty(), refusal) {
                (true, Some(reason)) => Err(reason.into()),
                _ => Ok(Box::new(judged.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_fetched_from() {
        let refused = [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fd00::1]/",
            "http://[fe80::1]/",
            "http://10.0.0.1/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1/",
            "http://224.0.0.1/",
            "ftp://example.org/a.zip",
            "file:///etc/passwd",
            "gopher://example.org/",
        ];
        for url in refused {
            assert!(judge(&Url::parse(url).unwrap(), &[]).is_err(), "{url}");
        }
        for url in ["https://93.184.216.34/a.zip", "http://[2606:2800:220:1::1]/", "http://example.org/a.zip"]
        {
            assert!(judge(&Url::parse(url).unwrap(), &[]).is_ok(), "{url}");
        }
        let allow = ["127.0.0.0/8".parse().unwrap()];
        assert!(judge(&Url::parse("http://127.0.0.1:9/").unwrap(), &allow).is_ok());
        assert!(judge(&Url::parse("http://[::ffff:127.0.0.1]/").unwrap(), &allow).is_ok());
    }

    #[test]
    fn secrets_of_a_url_are_not_shown() {
        assert_eq!(shown("https://ann:pw@example.org/a.zip?sig=x#f"), "https://example.org/a.zip");
    }
}
