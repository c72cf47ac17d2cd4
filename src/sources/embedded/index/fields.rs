//! An entity as an index sees it: its values as JSON texts, what is sealed replaced by a mark that tells whether two
//! values are the same and nothing else.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::super::super::{KeyMaterial, PLACEHOLDER_PREFIX, holds_placeholder};
use super::super::tables::{Kind, TABLES};

/// The values of an entity by name, each as its JSON text.
pub(super) type Fields = BTreeMap<String, String>;

/// The key of a mark in an entity's JSON.
const MARK: &str = "lifeboat:mark";
/// The mark of what can't be known or is not to be compared.
const UNKNOWN: &str = "unknown";
/// What stands for a marked value wherever somebody looks.
const SHOWN: &str = "(sealed)";
/// The longest value that is shown whole, in bytes of its JSON text.
const SHOWN_BYTES: usize = 64 << 10;
/// How many fields of an entity are shown at the most.
const SHOWN_FIELDS: usize = 1000;
/// What a restore says in executions that were active at the cut. The time that stands beside it is the restore's own.
pub(super) const INTERRUPTED: &str = "interrupted by a restore";

/// The key of all digests of one index: it lives in memory alone, so that no digest tells a short secret.
pub(super) struct DigestKey(Zeroizing<[u8; 32]>);

impl DigestKey {
    pub fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// A digest that only this index can make.
    pub fn digest(&self, content: &[u8]) -> [u8; 16] {
        self.finish(Sha256::new().chain_update(content))
    }

    /// The digest of what was fed to a hash.
    pub fn finish(&self, hash: Sha256) -> [u8; 16] {
        let outer = Sha256::new().chain_update(self.0.as_slice()).chain_update(hash.finalize()).finalize();
        let mut digest = [0; 16];
        digest.copy_from_slice(&outer[..16]);
        digest
    }

    /// The mark that stands for a value that nobody is to see.
    pub fn mark(&self, content: &[u8]) -> String {
        self.mark_of(self.digest(content))
    }

    /// The mark of what has this digest.
    pub fn mark_of(&self, digest: [u8; 16]) -> String {
        format!("{{\"{MARK}\":\"{}\"}}", hex::encode(digest))
    }
}

/// The values of an item; those of `extra` are what Lifeboat keeps beside it.
pub(super) fn fields(
    item: &BTreeMap<String, &RawValue>,
    extra: Option<&BTreeMap<String, &RawValue>>,
) -> Fields {
    let all = item.iter().chain(extra.into_iter().flatten());
    all.map(|(key, raw)| (key.clone(), raw.get().to_owned())).collect()
}

/// A value that is a text or a number, as a name has it.
pub(super) fn text(fields: &Fields, key: &str) -> Option<String> {
    match serde_json::from_str(fields.get(key)?).ok()? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The entity as one JSON text: what is digested and kept.
pub(super) fn json(fields: &Fields) -> String {
    let mut json = String::with_capacity(fields.values().map(|raw| raw.len() + 24).sum());
    for (key, raw) in fields {
        json.push(if json.is_empty() { '{' } else { ',' });
        json.push_str(&Value::from(key.as_str()).to_string());
        json.push(':');
        json.push_str(raw);
    }
    json.push_str(if json.is_empty() { "{}" } else { "}" });
    json
}

/// Reads what [`json`] wrote.
pub(super) fn parse(json: &str) -> serde_json::Result<Fields> {
    let raw: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
    Ok(fields(&raw, None))
}

/// Takes out what is never the same though the entity is.
pub(super) fn normalize(kind: &str, fields: &mut Fields) {
    let is_interrupted = |fields: &Fields| text(fields, "error").as_deref() == Some(INTERRUPTED);
    if kind == "executions" && is_interrupted(fields) {
        fields.remove("ended_at");
    }
}

/// Changes an entity of an archive into what a restore makes of it.
pub(super) fn settle(kind: &str, fields: &mut Fields) {
    let settled: &[(&str, &str)] = match kind {
        "flows" => &[("status", "inactive"), ("current_status", "inactive")],
        "executions" if is_active(fields) => &[("status", "cancelled"), ("error", INTERRUPTED)],
        "blueprints" if is_unread(fields) => {
            &[("state", "failed_uploading"), ("error", "interrupted by a restore: upload it again")]
        }
        _ => &[],
    };
    for (key, text) in settled {
        fields.insert((*key).to_owned(), Value::from(*text).to_string());
    }
}

/// Changes a blueprint into what a restore makes of it that passes its archive over.
pub(super) fn leave_archive_out(fields: &mut Fields) {
    for (key, raw) in [("archive_blob", "null"), ("archive_size_bytes", "0")] {
        fields.insert(key.to_owned(), raw.to_owned());
    }
}

fn is_active(fields: &Fields) -> bool {
    use crate::model::ExecutionStatus;
    text(fields, "status")
        .and_then(|text| ExecutionStatus::parse(&text))
        .is_some_and(ExecutionStatus::is_active)
}

fn is_unread(fields: &Fields) -> bool {
    let state = text(fields, "state").unwrap_or_default();
    let has_plan = fields.get("plan").is_some_and(|raw| raw != "null");
    !has_plan && !state.starts_with("failed") && state != "invalid"
}

/// Whether private keys stand in an entity as placeholders.
pub(super) fn holds_placeholders(kind: &str, fields: &Fields) -> bool {
    let of_key = |key| parsed_with_placeholders(fields.get(key)?).ok().flatten();
    properties(kind).any(|key| of_key(key).is_some())
}

/// The value of a field in which placeholders stand; none where there are none. Few fields are parsed for it.
fn parsed_with_placeholders(raw: &str) -> serde_json::Result<Option<Value>> {
    if !raw.contains(PLACEHOLDER_PREFIX) {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(raw)?).filter(holds_placeholder))
}

fn properties(kind: &str) -> impl Iterator<Item = &'static str> {
    let table = TABLES.iter().find(|table| table.kind == kind);
    let fields = table.into_iter().flat_map(|table| table.dumped.iter().chain(table.extra));
    fields.filter(|field| field.kind == Kind::Properties).map(|field| field.key)
}

/// Puts a mark in the place of every placeholder: that of the key it stands for, that of itself where the key is not
/// there, or that of the unknown where `keys` is none.
pub(super) fn mark_placeholders(
    kind: &str,
    fields: &mut Fields,
    keys: Option<&KeyMaterial>,
    digests: &DigestKey,
) -> serde_json::Result<()> {
    for key in properties(kind) {
        let Some(raw) = fields.get_mut(key) else { continue };
        let Some(mut value) = parsed_with_placeholders(raw)? else { continue };
        mark_texts(&mut value, keys, digests);
        *raw = value.to_string();
    }
    Ok(())
}

fn mark_texts(value: &mut Value, keys: Option<&KeyMaterial>, digests: &DigestKey) {
    match value {
        Value::String(text) if text.starts_with(PLACEHOLDER_PREFIX) => {
            let mark = match keys {
                None => UNKNOWN.to_owned(),
                Some(keys) => {
                    hex::encode(digests.digest(keys.resolve(text).unwrap_or(text.as_str()).as_bytes()))
                }
            };
            let mut marked = Map::new();
            marked.insert(MARK.to_owned(), Value::from(mark));
            *value = Value::Object(marked);
        }
        Value::Array(members) => members.iter_mut().for_each(|member| mark_texts(member, keys, digests)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| mark_texts(member, keys, digests));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One value that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Where it stands in the entity (RFC 6901).
    pub pointer: String,
    /// What it was; nothing where it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it becomes; nothing where it will not be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What differs between two entities, value by value. Sealed values are told as different and not shown.
pub(super) fn compare(before: &Fields, after: &Fields) -> serde_json::Result<Vec<FieldChange>> {
    let mut changes = Vec::new();
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let (old, new) = (before.get(key), after.get(key));
        if old == new {
            continue;
        }
        let pointer = format!("/{}", escape(key));
        let found = changes.len();
        let parse = |raw: Option<&String>| raw.map(|raw| serde_json::from_str::<Value>(raw)).transpose();
        differ(&pointer, parse(old)?.as_ref(), parse(new)?.as_ref(), &mut changes);
        if changes.len() == found {
            // The same JSON, written in another way: values of flows are kept to the letter.
            let shown = |raw: Option<&String>| raw.map(|raw| cut(Value::from(raw.as_str())));
            changes.push(FieldChange { pointer, before: shown(old), after: shown(new) });
        }
    }
    changes.truncate(SHOWN_FIELDS);
    Ok(changes)
}

fn differ(pointer: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<FieldChange>) {
    if old == new || changes.len() > SHOWN_FIELDS {
        return;
    }
    match (old, new) {
        (Some(Value::Object(one)), Some(Value::Object(other))) if !is_mark(one) && !is_mark(other) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                differ(&format!("{pointer}/{}", escape(key)), one.get(key), other.get(key), changes);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for index in 0..one.len().max(other.len()) {
                differ(&format!("{pointer}/{index}"), one.get(index), other.get(index), changes);
            }
        }
        _ => changes.push(FieldChange {
            pointer: pointer.to_owned(),
            before: old.map(|value| cut(hide(value))),
            after: new.map(|value| cut(hide(value))),
        }),
    }
}

fn is_mark(object: &Map<String, Value>) -> bool {
    object.len() == 1 && object.contains_key(MARK)
}

fn hide(value: &Value) -> Value {
    match value {
        Value::Object(members) if is_mark(members) => Value::from(SHOWN),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, member)| (key.clone(), hide(member))).collect())
        }
        Value::Array(members) => Value::Array(members.iter().map(hide).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// A long value by its first bytes.
fn cut(value: Value) -> Value {
    let text = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.len() <= SHOWN_BYTES {
        return value;
    }
    let mut end = SHOWN_BYTES;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Value::from(format!("{}… ({} bytes in all)", &text[..end], text.len()))
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: &Value) -> Fields {
        parse(&value.to_string()).unwrap()
    }

    #[test]
    fn fields_are_told_by_pointer_and_what_is_sealed_is_not_shown() {
        let digests = DigestKey::random();
        let keys = KeyMaterial::from_json(b"[\"one\",\"two\"]").unwrap();
        let placed = |number: u8| {
            let mut fields = of(&json!({
                "id": "n", "properties": { "a/b": { "key": format!("{PLACEHOLDER_PREFIX}{number}") }, "n": [1, number] },
            }));
            assert!(holds_placeholders("nodes", &fields));
            mark_placeholders("nodes", &mut fields, Some(&keys), &digests).unwrap();
            fields
        };
        let changes = compare(&placed(0), &placed(1)).unwrap();
        let told = serde_json::to_value(&changes).unwrap();
        assert_eq!(
            told,
            json!([
                { "pointer": "/properties/a~1b/key", "before": SHOWN, "after": SHOWN },
                { "pointer": "/properties/n/1", "before": 0, "after": 1 },
            ])
        );
        assert_eq!(compare(&placed(1), &placed(1)).unwrap(), []);
        let changes = compare(&placed(1), &Fields::new()).unwrap();
        assert!(!serde_json::to_string(&changes).unwrap().contains(MARK), "{changes:?}");
    }

    #[test]
    fn the_same_json_written_in_another_way_is_told_by_its_text() {
        let before = BTreeMap::from([("value".to_owned(), "{\"a\": 1}".to_owned())]);
        let after = BTreeMap::from([("value".to_owned(), "{\"a\":1}".to_owned())]);
        let changes = compare(&before, &after).unwrap();
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].before, Some(json!("{\"a\": 1}")));
    }

    #[test]
    fn two_indexes_give_the_same_value_different_marks() {
        assert_ne!(DigestKey::random().mark(b"pin 1234"), DigestKey::random().mark(b"pin 1234"));
    }
}
