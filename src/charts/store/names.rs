//! Names of metrics, tags, and the patterns that choose series.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::model::TenantName;

/// How many tags a series has at most.
pub const MAX_TAGS: usize = 50;

/// Why a text can't be the name of a metric or a tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error(
        "`{0}` can't be the name of a metric: use 1 to 255 letters, digits and the characters `.`, `:`, `-` and `_`"
    )]
    Metric(String),
    #[error(
        "`{0}` can't be the name of a tag: use 1 to 64 letters, digits and the characters `.`, `:`, `-` and `_`, and not `time`"
    )]
    TagName(String),
    #[error(
        "the tag `{0}` has a value that can't be stored: use 1 to 255 characters, no control characters, no `\\` at the end"
    )]
    TagValue(String),
    #[error("a series has at most 50 tags")]
    TooManyTags,
}

/// The name of a metric. Kept as it was written; compared, ordered and found without regard to case.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MetricName(String);

impl MetricName {
    /// Judges a name.
    ///
    /// # Errors
    /// When it is empty, longer than 255 characters, or has others than letters, digits, `.`, `:`, `-` and `_`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if is_word(text, 255) { Ok(Self(text.to_owned())) } else { Err(NameError::Metric(shown(text))) }
    }

    /// Takes a name that a table of ours holds already.
    pub(super) fn trusted(text: String) -> Self {
        Self(text)
    }

    /// The name as it was first written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for MetricName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for MetricName {}

impl Hash for MetricName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

impl Ord for MetricName {
    fn cmp(&self, other: &Self) -> Ordering {
        let lower = |name: &'_ str| name.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>();
        lower(&self.0).cmp(&lower(&other.0))
    }
}

impl PartialOrd for MetricName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for MetricName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<MetricName> for String {
    fn from(name: MetricName) -> Self {
        name.0
    }
}

/// The tags of a series, by name, which is kept in small letters. The `source` of older clients is the tag `source`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a tag; a second value for the same name takes the place of the first.
    ///
    /// # Errors
    /// When the name is `time`, empty, longer than 64 or has others than letters, digits, `.`, `:`, `-` and `_`; when the
    /// value is empty, longer than 255 characters, has control characters or ends in a backslash (InfluxDB's line
    /// protocol can't carry those); when there are 50 already.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), NameError> {
        // InfluxDB takes no line with a tag `time`.
        if !is_word(name, 64) || name.eq_ignore_ascii_case("time") {
            return Err(NameError::TagName(shown(name)));
        }
        if value.is_empty()
            || value.ends_with('\\')
            || value.chars().count() > 255
            || value.chars().any(char::is_control)
        {
            return Err(NameError::TagValue(shown(name)));
        }
        let name = name.to_ascii_lowercase();
        if self.0.len() >= MAX_TAGS && !self.0.contains_key(&name) {
            return Err(NameError::TooManyTags);
        }
        self.0.insert(name, value.to_owned());
        Ok(())
    }

    /// The value of a tag.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Names and values in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is no tag.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The form in tables: a JSON object with the names in order, so that equal tags are equal texts.
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(&self.0).expect("a map of texts is always JSON")
    }

    pub(super) fn from_text(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self)
    }
}

/// What tells a series from all others. Tags of different tenants never meet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    pub tenant: TenantName,
    pub metric: MetricName,
    pub tags: Tags,
}

/// Which series of a metric are meant: every named tag has to be there and match one of its patterns, in which `*`
/// stands for any characters. An empty filter matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter(pub Vec<(String, Vec<String>)>);

impl TagFilter {
    /// Matches every series.
    pub fn any() -> Self {
        Self::default()
    }

    /// Whether a series with these tags is meant.
    pub fn matches(&self, tags: &Tags) -> bool {
        self.0.iter().all(|(name, patterns)| {
            tags.get(name).is_some_and(|value| patterns.iter().any(|pattern| glob(pattern, value)))
        })
    }
}

/// Whether `text` is what `pattern` describes, in which `*` stands for any characters, none included. Takes time in
/// proportion to the product of both lengths at most, whatever the pattern.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            p = at + 1;
            t = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

fn is_word(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-_".contains(&byte))
}

/// The beginning of a text that was refused, for a message.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_equal_whatever_their_case() {
        let (left, right) = (MetricName::parse("CPU.load").unwrap(), MetricName::parse("cpu.LOAD").unwrap());
        assert_eq!(left, right);
        assert_eq!(left.cmp(&right), Ordering::Equal);
        assert!(MetricName::parse("").is_err());
        assert!(MetricName::parse("a b").is_err());
        assert!(MetricName::parse(&"a".repeat(256)).is_err());
        assert!(MetricName::parse(&"a".repeat(255)).is_ok());
    }

    #[test]
    fn tags_that_could_not_come_back_are_refused() {
        let mut tags = Tags::new();
        for value in ["", "a\nb", "C:\\", &"ä".repeat(256)] {
            assert!(tags.insert("k", value).is_err(), "`{value}` was taken");
        }
        assert!(tags.insert("a=b", "v").is_err());
        assert!(tags.insert("k", &"ä".repeat(255)).is_ok());
        for number in 1..MAX_TAGS {
            tags.insert(&format!("k{number}"), "v").unwrap();
        }
        assert_eq!(tags.insert("one.more", "v"), Err(NameError::TooManyTags));
        assert!(tags.insert("k", "again").is_ok());
    }

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, expected) in [
            ("prod*", "production", true),
            ("prod*", "prod", true),
            ("prod*", "a-prod", false),
            ("*", "", true),
            ("*.a.*b", "x.a.a.ab", true),
            ("*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("a", "A", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
