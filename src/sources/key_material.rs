//! Private keys that stand as values among a manager's properties.
//!
//! A snapshot never carries them in the open: each is replaced by a placeholder, and the value is sealed or left out.

use serde_json::Value;
use zeroize::Zeroizing;

/// How every placeholder begins; a number follows.
pub const PLACEHOLDER_PREFIX: &str = "lifeboat:private-key:";

/// Whether a placeholder stands somewhere in a value.
pub fn holds_placeholder(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with(PLACEHOLDER_PREFIX),
        Value::Array(members) => members.iter().any(holds_placeholder),
        Value::Object(members) => members.values().any(holds_placeholder),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The private keys found so far, by the number in their placeholder.
#[derive(Default)]
pub struct KeyMaterial {
    values: Vec<Zeroizing<String>>,
    places: Vec<String>,
}

impl KeyMaterial {
    /// Replaces every private key in `value` by its placeholder. `place` says where, for the report.
    pub fn take(&mut self, place: &str, value: &mut Value) {
        match value {
            // A text that only looks like a placeholder is taken too: left as it is, it would get another's key.
            Value::String(text) if is_private_key(text) || text.starts_with(PLACEHOLDER_PREFIX) => {
                let placeholder = format!("{PLACEHOLDER_PREFIX}{}", self.values.len());
                self.values.push(Zeroizing::new(std::mem::replace(text, placeholder)));
                self.places.push(place.to_owned());
            }
            Value::Array(members) => members.iter_mut().for_each(|member| self.take(place, member)),
            Value::Object(members) => {
                for (name, member) in members.iter_mut() {
                    self.take(&format!("{place}.{name}"), member);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// The private key that a placeholder stands for.
    pub fn resolve(&self, placeholder: &str) -> Option<&str> {
        let number: usize = placeholder.strip_prefix(PLACEHOLDER_PREFIX)?.parse().ok()?;
        self.values.get(number).map(|value| value.as_str())
    }

    /// Puts the private keys back where their placeholders stand; answers how many placeholders stayed.
    pub fn put_back(&self, value: &mut Value) -> usize {
        match value {
            Value::String(text) => {
                if !text.starts_with(PLACEHOLDER_PREFIX) {
                    return 0;
                }
                match self.resolve(text).map(str::to_owned) {
                    Some(key) => {
                        *text = key;
                        0
                    }
                    None => 1,
                }
            }
            Value::Array(members) => members.iter_mut().map(|member| self.put_back(member)).sum(),
            Value::Object(members) => members.values_mut().map(|member| self.put_back(member)).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
    }

    /// Where the keys stood.
    pub fn places(&self) -> &[String] {
        &self.places
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The keys as a JSON list, for a sealed part.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let values: Vec<&str> = self.values.iter().map(|value| value.as_str()).collect();
        Zeroizing::new(serde_json::to_vec(&values).expect("a list of texts is JSON"))
    }

    /// Reads what [`KeyMaterial::to_json`] wrote.
    ///
    /// # Errors
    /// Anything but a JSON list of texts.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let values: Vec<String> = serde_json::from_slice(bytes)?;
        Ok(Self { values: values.into_iter().map(Zeroizing::new).collect(), places: Vec::new() })
    }
}

/// Whether a text holds a private key: PEM of any kind (RFC 7468), OpenSSH's, PuTTY's.
fn is_private_key(text: &str) -> bool {
    text.contains("PuTTY-User-Key-File-")
        || text.match_indices("-----BEGIN ").any(|(start, _)| {
            text[start..].lines().next().is_some_and(|line| line.contains("PRIVATE KEY-----"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_taken_out_and_come_back() {
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n";
        let original = json!({
            "agent_config": { "key": pem, "user": "centos" },
            "keys": [pem, "-----BEGIN CERTIFICATE-----\nPRIVATE KEY no\n", 7, null],
        });
        let mut value = original.clone();
        let mut keys = KeyMaterial::default();
        keys.take("node", &mut value);
        assert_eq!(keys.places(), ["node.agent_config.key", "node.keys"]);
        assert!(!value.to_string().contains("MIIE"));
        assert!(holds_placeholder(&value) && !holds_placeholder(&original));
        assert!(!holds_placeholder(&json!({ "a": [format!("no {PLACEHOLDER_PREFIX}0")] })));
        let keys = KeyMaterial::from_json(&keys.to_json()).unwrap();
        assert_eq!(keys.put_back(&mut value), 0);
        assert_eq!(value, original);
        assert_eq!(KeyMaterial::default().put_back(&mut json!(["lifeboat:private-key:0"])), 1);
    }

    #[test]
    fn a_text_that_looks_like_a_placeholder_gets_no_key() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n";
        let original = json!({ "stranger": "lifeboat:private-key:1", "owner": pem });
        let mut value = original.clone();
        let mut keys = KeyMaterial::default();
        keys.take("node", &mut value);
        assert_eq!(keys.put_back(&mut value), 0);
        assert_eq!(value, original);
    }
}
