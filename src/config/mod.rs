//! Settings: defaults, then the file, then `LIFEBOAT_*` variables, then flags. Read once, here only.
//!
//! An unknown key of the file or of a variable with `__`, or a value that can't be used, stops the start with a
//! message that names it.

mod charts;
mod flows;
mod network;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Deserializer, Serialize};

use crate::archive::processors;

pub use charts::{ChartsSettings, MetricsSettings};
pub use flows::{AmqpSettings, FlowsSettings, SecretUri};
pub use network::Network;

/// Variables that are read but are no settings of the file.
const OTHER_VARIABLES: &[&str] = &[
    "LIFEBOAT_ADMIN_PASSWORD",
    "LIFEBOAT_CONFIG",
    "LIFEBOAT_DATA",
    "LIFEBOAT_CLOCK_FILE",
    "LIFEBOAT_FAILPOINTS",
    "LIFEBOAT_LISTEN",
    "LIFEBOAT_PASSWORD",
    "LIFEBOAT_TENANT",
    "LIFEBOAT_TOKEN",
    "LIFEBOAT_URL",
    "LIFEBOAT_USER",
];

/// The least that logs may be allowed, as they have some MiB before anything is written back.
const LEAST_WAL_LIMIT_BYTES: u64 = 1 << 20;

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("failed to read the settings: {0}")]
    Read(Box<figment::Error>),
    #[error("the settings file `{0}` does not exist")]
    NoFile(PathBuf),
    #[error("the setting `{key}` is `{value}`: {reason}")]
    Value { key: &'static str, value: String, reason: String },
}

/// All settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder of everything the service keeps.
    pub data: PathBuf,
    /// The HTTP server.
    pub server: Server,
    /// The manager that is kept.
    pub manager: ManagerSettings,
    /// Logins.
    pub auth: Auth,
    /// Browsers of other origins.
    pub cors: Cors,
    /// Keys of sealed parts beside the own ones.
    pub encryption: Encryption,
    /// Fetching archives by URL.
    pub url_fetch: UrlFetch,
    /// What an archive may hold.
    pub archive: ArchiveSettings,
    /// Flows and the snapshots of their steps.
    pub flows: FlowsSettings,
    /// The broker to which runtimes publish what components emit.
    pub amqp: AmqpSettings,
    /// Measurements.
    pub metrics: MetricsSettings,
    /// Charts and their snapshots.
    pub charts: ChartsSettings,
    /// The log.
    pub log: Log,
}

/// The HTTP server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// The address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Threads that serve requests.
    pub workers: usize,
    /// The longest pause of a caller in sending a body or in taking an answer, in seconds; then it is given up.
    pub idle_seconds: u64,
    /// How long running jobs may take to finish after SIGTERM, in seconds.
    pub shutdown_seconds: u64,
    /// The address under which callers reach the service, for links; without it, the host of the request.
    pub public_url: Option<String>,
}

/// The manager that is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ManagerSettings {
    /// The name that archives carry.
    pub name: String,
    /// How long the logs of its databases may grow, all together, while its state is read, in bytes; without it, 1 GiB
    /// or a tenth of the free space, whichever is less, but at least 16 MiB.
    pub wal_limit_bytes: Option<u64>,
}

/// Logins.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Whether callers have to log in. Off only where the service listens on a loopback address.
    pub enabled: bool,
}

/// Browsers of other origins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// The origins whose pages may call, e.g. `https://ops.example.org`.
    #[serde(deserialize_with = "list")]
    pub allowed_origins: Vec<String>,
}

/// Keys of sealed parts beside the own ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Encryption {
    /// Files with age identities that open sealed parts of other managers' archives.
    #[serde(deserialize_with = "list")]
    pub identities: Vec<PathBuf>,
    /// age recipients (`age1…`) for which every sealed part is sealed as well.
    #[serde(deserialize_with = "list")]
    pub recipients: Vec<String>,
}

/// Fetching archives by URL.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UrlFetch {
    /// Networks (`10.1.0.0/16`) or hosts' addresses that may be fetched from although they are not public.
    #[serde(deserialize_with = "list")]
    pub allow: Vec<Network>,
    /// The longest time for a connection, in seconds.
    pub connect_seconds: u64,
    /// The longest pause between two pieces, in seconds.
    pub idle_seconds: u64,
}

/// What an archive may hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArchiveSettings {
    /// The longest archive that is accepted, in bytes.
    pub max_upload_bytes: u64,
    /// Threads that compress and verify.
    pub threads: usize,
}

/// The log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` or `json`.
    pub format: LogFormat,
    /// A filter as of tracing, e.g. `info` or `lifeboat=debug`.
    pub filter: String,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            server: Server::default(),
            manager: ManagerSettings::default(),
            auth: Auth { enabled: true },
            cors: Cors::default(),
            encryption: Encryption::default(),
            url_fetch: UrlFetch::default(),
            archive: ArchiveSettings::default(),
            flows: FlowsSettings::default(),
            amqp: AmqpSettings::default(),
            metrics: MetricsSettings::default(),
            charts: ChartsSettings::default(),
            log: Log::default(),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            workers: std::thread::available_parallelism().map_or(2, usize::from).max(2),
            idle_seconds: 60,
            shutdown_seconds: 20,
            public_url: None,
        }
    }
}

impl Default for ManagerSettings {
    fn default() -> Self {
        Self { name: "manager".to_owned(), wal_limit_bytes: None }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for UrlFetch {
    fn default() -> Self {
        Self { allow: Vec::new(), connect_seconds: 10, idle_seconds: 60 }
    }
}

impl Default for ArchiveSettings {
    fn default() -> Self {
        Self { max_upload_bytes: 1 << 40, threads: processors() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info,refinery_core=warn,actix_server=warn,lapin=off,usvg=error".to_owned(),
        }
    }
}

/// What flags say of the settings; each overrides everything else.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<SocketAddr>,
}

impl Config {
    /// Reads the settings. Answers also the names of variables that look like ours and are none, to be warned of.
    ///
    /// # Errors
    /// A file that is absent, an unknown key, a value that can't be used.
    pub fn load(file: Option<&Path>, overrides: Overrides) -> Result<(Self, Vec<String>), ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            if !file.exists() {
                return Err(ConfigError::NoFile(file.to_owned()));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        figment =
            figment.merge(Env::prefixed("LIFEBOAT_").filter(|key| key.as_str().contains("__")).split("__"));
        let mut config: Self = figment.extract().map_err(|error| ConfigError::Read(Box::new(error)))?;
        if let Some(data) = overrides.data {
            config.data = data;
        }
        if let Some(listen) = overrides.listen {
            config.server.listen = listen;
        }
        config.check()?;
        let unknown = std::env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .filter(|name| {
                name.starts_with("LIFEBOAT_")
                    && !name.contains("__")
                    && !OTHER_VARIABLES.contains(&name.as_str())
            })
            .collect();
        Ok((config, unknown))
    }

    fn check(&self) -> Result<(), ConfigError> {
        let bad = |key: &'static str, value: String, reason: &str| {
            Err(ConfigError::Value { key, value, reason: reason.to_owned() })
        };
        if !self.auth.enabled && !self.server.listen.ip().is_loopback() {
            return bad(
                "auth.enabled",
                "false".to_owned(),
                "logins may be off only where `server.listen` is a loopback address",
            );
        }
        if self.server.workers == 0 {
            return bad("server.workers", "0".to_owned(), "at least one thread has to serve");
        }
        if self.server.idle_seconds == 0 {
            return bad("server.idle_seconds", "0".to_owned(), "no body could ever arrive");
        }
        if self.archive.threads == 0 {
            return bad("archive.threads", "0".to_owned(), "at least one thread has to compress and verify");
        }
        if let Some(url) = &self.server.public_url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return bad("server.public_url", url.clone(), "write it like `https://lifeboat.example.org`");
        }
        if let Some(bytes) = self.manager.wal_limit_bytes.filter(|bytes| *bytes < LEAST_WAL_LIMIT_BYTES) {
            return bad(
                "manager.wal_limit_bytes",
                bytes.to_string(),
                "at least 1048576 (1 MiB): a shorter log is reached by any write",
            );
        }
        self.flows.check()?;
        self.amqp.check()?;
        self.metrics.check()?;
        for recipient in &self.encryption.recipients {
            if let Err(error) = recipient.parse::<crate::archive::Recipient>() {
                return bad("encryption.recipients", recipient.clone(), &error.to_string());
            }
        }
        Ok(())
    }
}

/// A list, or a text with commas between its members (the form that suits a variable).
fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Many(Vec<String>),
        One(String),
    }
    let members = match Form::deserialize(deserializer)? {
        Form::Many(members) => members,
        Form::One(text) => {
            text.split(',').map(str::trim).filter(|member| !member.is_empty()).map(str::to_owned).collect()
        }
    };
    members
        .into_iter()
        .map(|member| T::deserialize(serde::de::value::StringDeserializer::new(member)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        Config::load(Some(file.path()), Overrides::default()).map(|(config, _)| config)
    }

    #[test]
    fn an_unknown_key_or_a_bad_value_is_named() {
        assert!(load("").is_ok());
        for (toml, named) in [
            ("[server]\nlissten = \"127.0.0.1:1\"", "lissten"),
            ("[url_fetch]\nallow = [\"10.0.0.0/99\"]", "10.0.0.0/99"),
            ("[auth]\nenabled = false\n[server]\nlisten = \"0.0.0.0:8080\"", "auth.enabled"),
            ("[encryption]\nrecipients = [\"age1nonsense\"]", "age1nonsense"),
            ("[flows]\nhistory_entries = 0", "flows.history_entries"),
            ("[manager]\nwal_limit_bytes = 4096", "manager.wal_limit_bytes"),
            ("[manager]\nwal_limit_bytes = \"much\"", "wal_limit_bytes"),
            ("[flows]\nmax_snapshot_bytes = 99999999", "flows.max_snapshot_bytes"),
            ("[metrics]\nraw_days = 90", "metrics.minute_days"),
            ("[server]\npublic_url = \"ftp://h\"", "server.public_url"),
            ("[server]\nidle_seconds = 0", "server.idle_seconds"),
            ("[amqp]\nqueue = \"\"", "amqp.queue"),
            ("[amqp]\nuri = \"http://h\"", "amqp.uri"),
        ] {
            let error = load(toml).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        // What can't be a broker's address may hold a password all the same.
        let error = load("[amqp]\nuri = \"amqp:canary:hunter2\"").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        let config = load("[url_fetch]\nallow = \"127.0.0.0/8, ::1\"").unwrap();
        assert_eq!(config.url_fetch.allow.len(), 2);
    }

    #[test]
    fn the_example_settings_load_and_name_every_key() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/lifeboat.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let (config, _) = Config::load(Some(&file), Overrides::default()).unwrap();
        let expected = Config { data: PathBuf::from("/var/lib/lifeboat"), ..Config::default() };
        assert_eq!(serde_json::to_value(&config).unwrap(), serde_json::to_value(&expected).unwrap());

        // Taken out of their comments, the other lines have to be settings as well.
        let all = text.lines().map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => setting,
            _ => line,
        });
        let recipient = crate::archive::Identity::generate().recipient().to_string();
        let all = all.collect::<Vec<_>>().join("\n").replace("age1…", &recipient);
        load(&all).unwrap();
        let named: serde_json::Value = Figment::from(Toml::string(&all)).extract().unwrap();
        let readme = std::fs::read_to_string(file.with_file_name("../README.md")).unwrap();
        for pointer in pointers("", &serde_json::to_value(&expected).unwrap()) {
            assert!(named.pointer(&pointer).is_some(), "`{pointer}` is missing in the example settings");
            let setting = format!("`{}`", pointer[1..].replace('/', "."));
            let is_told = readme.lines().any(|line| line.starts_with("| `") && line.contains(&setting));
            assert!(is_told, "{setting} is missing in the table of the README");
        }
    }

    fn pointers(above: &str, value: &serde_json::Value) -> Vec<String> {
        match value {
            serde_json::Value::Object(members) => members
                .iter()
                .flat_map(|(name, member)| pointers(&format!("{above}/{name}"), member))
                .collect(),
            _ => vec![above.to_owned()],
        }
    }
}
