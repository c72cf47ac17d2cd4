//! A moment as this service writes it: UTC, whole milliseconds, `Z`.

use std::fmt;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC with whole milliseconds.
///
/// Its text form (`2017-05-11T17:04:22.989Z`) is the one Cloudify 4.0 and later write, always has three
/// fractional digits, and sorts as text in the order of time, so it is also the form kept in tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The present moment by the system's clock, cut to milliseconds.
    pub fn now() -> Self {
        Self(Utc::now().trunc_subsecs(3))
    }

    /// Reads RFC 3339, and the form without an offset that Cloudify's clients send, taken as UTC.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text)
            .map(|moment| moment.with_timezone(&Utc))
            .ok()
            .or_else(|| {
                chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                    .or_else(|_| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
                    .or_else(|_| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M"))
                    .map(|naive| naive.and_utc())
                    .ok()
            })
            .map(|moment| Self(moment.trunc_subsecs(3)))
    }

    /// The moment as chrono's type.
    pub fn moment(self) -> DateTime<Utc> {
        self.0
    }

    /// The moment `seconds` later; negative goes back.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0 + chrono::Duration::seconds(seconds))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(moment: DateTime<Utc>) -> Self {
        Self(moment.trunc_subsecs(3))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a time in RFC 3339")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_has_three_digits_and_comes_back() {
        for text in ["2017-05-11T17:04:22.989Z", "2026-01-01T00:00:00.000Z"] {
            assert_eq!(Timestamp::parse(text).map(|moment| moment.to_string()).as_deref(), Some(text));
        }
        let shifted = Timestamp::parse("2026-01-01T02:00:00.1239+02:00").map(|moment| moment.to_string());
        assert_eq!(shifted.as_deref(), Some("2026-01-01T00:00:00.123Z"));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
