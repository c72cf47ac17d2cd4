//! A JSON value kept as the text that was sent: never parsed into numbers, so nothing of it is lost.
//!
//! Knows no table and no wire.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Any JSON value (RFC 8259) as its text, without white space around it. Number spelling, order of keys, keys that
/// stand twice, depth and white space inside are those that were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText(String);

/// Why a text is no JSON value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

impl JsonText {
    /// Takes exactly one JSON value.
    ///
    /// # Errors
    /// What is no JSON value in UTF-8, or more than one.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        let raw: &RawValue = serde_json::from_slice(bytes).map_err(|error| JsonError(error.to_string()))?;
        Ok(Self::from(raw))
    }

    /// Takes a text that a table of ours holds already, without judging it again.
    pub fn trusted(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its length in bytes.
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }

    /// This value with the members of `patch` set, as lodash's `extend` does it: only at the top, keys that are there
    /// keep their place, others come last. Members that `patch` does not name stay as they were, to the letter.
    /// A value that is no object is replaced by `patch`.
    ///
    /// # Errors
    /// A `patch` that is no object.
    pub fn merged(&self, patch: &Self) -> Result<Self, JsonError> {
        let Some(changes) = members(&patch.0)? else {
            return Err(JsonError("a merge takes a JSON object".to_owned()));
        };
        let Some(mut merged) = members(&self.0)? else { return Ok(patch.clone()) };
        for (key, value) in changes {
            let name = name(key);
            let mut is_set = false;
            // A key that stands twice means its last value; one of them is enough afterwards.
            merged.retain_mut(|(other, old)| {
                if self::name(other) != name {
                    return true;
                }
                *old = value;
                !std::mem::replace(&mut is_set, true)
            });
            if !is_set {
                merged.push((key, value));
            }
        }
        let mut text = String::with_capacity(self.0.len() + patch.0.len());
        for (key, value) in merged {
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push_str(key);
            text.push(':');
            text.push_str(value);
        }
        if text.is_empty() {
            text.push('{');
        }
        text.push('}');
        Ok(Self(text))
    }

    /// The value, to be written into a JSON document as it is.
    pub fn to_raw(&self) -> Box<RawValue> {
        RawValue::from_string(self.0.clone()).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

impl From<&RawValue> for JsonText {
    fn from(raw: &RawValue) -> Self {
        Self(raw.get().to_owned())
    }
}

impl fmt::Display for JsonText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a key means, however it is spelled; a key with a lone surrogate means its own spelling.
fn name(key: &str) -> Cow<'_, str> {
    serde_json::from_str::<String>(key).map_or(Cow::Borrowed(key), Cow::Owned)
}

/// The texts of an object's keys and values in their order; none where the value is no object.
fn members(text: &str) -> Result<Option<Vec<(&str, &str)>>, JsonError> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(&'de str, &'de str)>;
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                members.push((key.get(), value.get()));
            }
            Ok(members)
        }
    }
    if !text.starts_with('{') {
        return Ok(None);
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Members).map(Some).map_err(|error| JsonError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    fn json(text: &str) -> JsonText {
        JsonText::parse(text.as_bytes()).unwrap()
    }

    fn merged(value: &str, patch: &str) -> String {
        json(value).merged(&json(patch)).unwrap().to_string()
    }

    #[test]
    fn any_value_comes_back_as_it_was_sent() {
        let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        for text in [
            "null",
            "false",
            "0",
            "\"\"",
            "-0.0",
            "1.0e5",
            "1e400",
            "9007199254740993",
            "123456789012345678901234567890.10",
            r#"{"b":1,"a":{"$set":2,"a.b": 3},"b":2}"#,
            r#""\ud800 \u0041 ä ✓""#,
            "{ \"x\" :\n [ 1 , 2 ] }",
            &deep,
        ] {
            assert_eq!(json(text).as_str(), text);
            assert_eq!(json(&format!(" \n{text}\t")).as_str(), text);
            assert_eq!(json(text).to_raw().get(), text);
        }
        for wrong in ["", " ", "undefined", "{", "1 2", "'a'", "{a:1}", "NaN", "\"\n\"", "01", "[1,]"] {
            assert!(JsonText::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(JsonText::parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn a_merge_keeps_what_it_does_not_name_to_the_letter() {
        assert_eq!(
            merged(r#"{"big": 9007199254740993,"f":1.0e5 , "n":{"x" : 1}}"#, r#"{"f":2,"new":[1, 2]}"#),
            r#"{"big":9007199254740993,"f":2,"n":{"x" : 1},"new":[1, 2]}"#
        );
        // Only at the top: what was below a named key is gone.
        assert_eq!(merged(r#"{"a":{"x":1,"y":2}}"#, r#"{"a":{"x":3}}"#), r#"{"a":{"x":3}}"#);
        assert_eq!(merged(r#"{"\u0061":1,"c":2,"a":3}"#, r#"{"a":4}"#), r#"{"\u0061":4,"c":2}"#);
        assert_eq!(merged(r#"{"\ud800":1}"#, r#"{"\ud800":2}"#), r#"{"\ud800":2}"#);
        assert_eq!(merged("{}", "{}"), "{}");
        assert_eq!(merged("{ }", r#"{"a":null}"#), r#"{"a":null}"#);
        for other in ["null", "[1]", "\"{}\"", "3"] {
            assert_eq!(merged(other, r#"{ "a": 1 }"#), r#"{ "a": 1 }"#);
            assert!(json("{}").merged(&json(other)).is_err());
        }
    }

    fn object() -> impl Strategy<Value = Map<String, Value>> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        let key = prop_oneof!["[a-d]", ".*"];
        prop::collection::vec((key, leaf), 0..6).prop_map(|pairs| pairs.into_iter().collect())
    }

    proptest! {
        #[test]
        fn a_merge_means_what_extending_the_parsed_object_means(one in object(), two in object()) {
            let text = |object: &Map<String, Value>| json(&Value::Object(object.clone()).to_string());
            let result = text(&one).merged(&text(&two)).unwrap();
            let mut expected = one;
            expected.extend(two);
            prop_assert_eq!(result.as_str(), Value::Object(expected).to_string());
        }
    }
}
