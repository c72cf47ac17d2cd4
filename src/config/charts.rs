//! The settings of metrics and charts: how long measurements are kept, how many pictures, who sees them.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Measurements.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// How long measurements are kept as they came, in days.
    pub raw_days: u32,
    /// How long a row for each minute is kept, in days.
    pub minute_days: u32,
    /// How long a row for each quarter of an hour is kept, in days.
    pub quarter_hour_days: u32,
    /// How long a row for each hour is kept, in days.
    pub hour_days: u32,
    /// How far a manager snapshot with `include_metrics` reaches back, in days.
    pub snapshot_days: u32,
    /// How often the service measures itself, in seconds; 0: never.
    pub own_seconds: u64,
}

/// Charts and their snapshots.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChartsSettings {
    /// Whether pictures take a login, beside the knowledge of their names.
    pub private_images: bool,
    /// How many chart snapshots the users of a tenant may keep.
    pub max_snapshots: u64,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self {
            raw_days: 14,
            minute_days: 60,
            quarter_hour_days: 400,
            hour_days: 1100,
            snapshot_days: 400,
            own_seconds: 10,
        }
    }
}

impl Default for ChartsSettings {
    fn default() -> Self {
        Self { private_images: false, max_snapshots: 10_000 }
    }
}

impl MetricsSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let days = [
            ("metrics.raw_days", self.raw_days),
            ("metrics.minute_days", self.minute_days),
            ("metrics.quarter_hour_days", self.quarter_hour_days),
            ("metrics.hour_days", self.hour_days),
        ];
        for (key, value) in days {
            if value == 0 {
                let reason = "at least one day has to be kept".to_owned();
                return Err(ConfigError::Value { key, value: "0".to_owned(), reason });
            }
        }
        for pair in days.windows(2) {
            if pair[1].1 < pair[0].1 {
                let reason = format!("coarser rows are kept at least as long as finer ones ({})", pair[0].0);
                return Err(ConfigError::Value { key: pair[1].0, value: pair[1].1.to_string(), reason });
            }
        }
        Ok(())
    }
}
