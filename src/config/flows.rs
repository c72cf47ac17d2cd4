//! The settings of flows: how long step snapshots may be, what is kept of their past, and the broker.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;
use zeroize::Zeroizing;

use super::ConfigError;

/// The most that `flows.max_snapshot_bytes` may be: values are held in memory, many at once.
const MOST_SNAPSHOT_BYTES: usize = 1 << 20;
/// The most that `flows.history_entries` may be.
const MOST_HISTORY_ENTRIES: u32 = 1_000_000;

/// Flows and the snapshots of their steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowsSettings {
    /// The longest step snapshot, in bytes of its text.
    pub max_snapshot_bytes: usize,
    /// How many entries of each step's history are kept.
    pub history_entries: u32,
    /// How many messages that could not be used are kept.
    pub dead_letters: u32,
    /// How long a create with `pause_flows` waits for flows whose runtime reports, in seconds.
    pub pause_seconds: u64,
}

/// The broker to which runtimes publish what components emit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AmqpSettings {
    /// Where it is, `amqp://` or `amqps://`; without it no broker is used.
    pub uri: Option<SecretUri>,
    /// The topic exchange to which sailors publish.
    pub exchange: String,
    /// The queue from which is read.
    pub queue: String,
    /// The routing keys that get into the queue.
    pub binding: String,
    /// How many messages the broker sends ahead of their acknowledgement.
    pub prefetch: u16,
}

/// An address that may hold a password: never shown by `Debug` and not written.
#[derive(Clone)]
pub struct SecretUri(Zeroizing<String>);

impl SecretUri {
    /// The address, for who connects.
    pub fn reveal(&self) -> &Zeroizing<String> {
        &self.0
    }
}

impl std::fmt::Debug for SecretUri {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl Serialize for SecretUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(secret)")
    }
}

impl<'de> Deserialize<'de> for SecretUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl Default for FlowsSettings {
    fn default() -> Self {
        // elastic.io's own limit is 5 KB.
        Self { max_snapshot_bytes: 5120, history_entries: 100, dead_letters: 1000, pause_seconds: 30 }
    }
}

impl Default for AmqpSettings {
    fn default() -> Self {
        Self {
            uri: None,
            exchange: "component-events-collector".to_owned(),
            queue: "flow-snapshots".to_owned(),
            binding: "#.snapshot".to_owned(),
            prefetch: 1000,
        }
    }
}

fn bad(key: &'static str, value: impl ToString, reason: impl Into<String>) -> ConfigError {
    ConfigError::Value { key, value: value.to_string(), reason: reason.into() }
}

impl FlowsSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(1..=MOST_SNAPSHOT_BYTES).contains(&self.max_snapshot_bytes) {
            let reason = format!("it has to be from 1 to {MOST_SNAPSHOT_BYTES}");
            return Err(bad("flows.max_snapshot_bytes", self.max_snapshot_bytes, reason));
        }
        if !(1..=MOST_HISTORY_ENTRIES).contains(&self.history_entries) {
            let reason =
                format!("it has to be from 1 to {MOST_HISTORY_ENTRIES}: without any, nothing can be undone");
            return Err(bad("flows.history_entries", self.history_entries, reason));
        }
        Ok(())
    }
}

impl AmqpSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, name) in
            [("amqp.exchange", &self.exchange), ("amqp.queue", &self.queue), ("amqp.binding", &self.binding)]
        {
            if name.is_empty() || name.len() > 255 {
                return Err(bad(key, name, "it has to have 1 to 255 bytes"));
            }
        }
        if self.prefetch == 0 {
            return Err(bad("amqp.prefetch", 0, "without a limit the broker sends all that it has"));
        }
        if let Some(uri) = &self.uri {
            let is_broker = Url::parse(&uri.0).is_ok_and(|url| {
                matches!(url.scheme(), "amqp" | "amqps")
                    && url.host_str().is_some_and(|host| !host.is_empty())
            });
            if !is_broker {
                let reason = "write it like `amqp://user:password@host:5672/%2f` or with `amqps`";
                return Err(bad("amqp.uri", "(secret)", reason));
            }
        }
        Ok(())
    }
}
