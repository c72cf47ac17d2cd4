//! JSON schemas of secrets: what a value has to be like.
//!
//! Knows no database. A message says what a schema asks for and where in the schema, never what the value is.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

use super::ManagerError;

/// The longest schema, as JSON text in bytes.
const MAX_SCHEMA_BYTES: usize = 64 << 10;
/// How much memory a pattern may take, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// How many schemas may stand in one another, those to which `$ref` leads among them.
const MAX_SUBSCHEMAS: usize = 1000;
/// How many `$ref` may follow one another.
const MAX_REFERENCES: usize = 32;
/// How many parts of values may be compared with how many schemas: what a check costs.
const MAX_COMPARISONS: usize = 10_000_000;

/// Keywords whose value is a schema or a list of them.
const SCHEMAS: [&str; 16] = [
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is an object of schemas.
const NAMED_SCHEMAS: [&str; 6] =
    ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];
/// References that are followed to where only a check can tell.
const DYNAMIC: [&str; 2] = ["$dynamicRef", "$recursiveRef"];

/// A JSON schema by which the value of a secret is judged.
pub(super) struct SecretSchema {
    validator: Validator,
    subschemas: usize,
}

impl SecretSchema {
    /// Reads the schema of the secret `key`.
    ///
    /// # Errors
    /// [`ManagerError::BadParameters`] for what is no JSON schema, refers to anything outside, leads back to itself or is
    /// too large.
    pub fn parse(key: &str, document: &Map<String, Value>) -> Result<Self, ManagerError> {
        let wrong = |reason: String| {
            ManagerError::BadParameters(format!("the schema of secret `{key}` can't be used: {reason}"))
        };
        let document = Value::Object(document.clone());
        if document.to_string().len() > MAX_SCHEMA_BYTES {
            return Err(wrong(format!("it is longer than {MAX_SCHEMA_BYTES} bytes")));
        }
        let mut walk = Walk { root: &document, open: Vec::new(), met: 0 };
        walk.schema(&document).map_err(wrong)?;
        let subschemas = walk.met;
        let validator = jsonschema::options()
            .offline()
            // Takes time in proportion to the text, whatever the pattern.
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN_BYTES))
            .build(&document)
            .map_err(|error| {
                let at = place(error.instance_path().as_str()).to_owned();
                wrong(format!("{} (at `{at}`)", clipped(error.to_string())))
            })?;
        Ok(Self { validator, subschemas })
    }

    /// Judges a value.
    ///
    /// # Errors
    /// [`ManagerError::BadParameters`] where it does not fit, or is too large to be judged.
    pub fn check(&self, value: &Value) -> Result<(), ManagerError> {
        if parts(value).saturating_mul(self.subschemas) > MAX_COMPARISONS {
            return Err(ManagerError::BadParameters(
                "Error validating secret value: it has too many parts to be compared with this schema"
                    .to_owned(),
            ));
        }
        self.validator.validate(value).map_err(|error| {
            ManagerError::BadParameters(format!(
                "Error validating secret value: {} (schema: `{}`)",
                reason(&error),
                place(error.schema_path().as_str())
            ))
        })
    }
}

fn place(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

/// What a schema asks for and a value is not; the value and the names in it stay out of it.
fn reason(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Type { kind } => match kind {
            jsonschema::error::TypeKind::Single(one) => format!("it is not of type '{one}'"),
            jsonschema::error::TypeKind::Multiple(several) => {
                let names: Vec<String> = several.into_iter().map(|one| format!("'{one}'")).collect();
                format!("it is not of type {}", names.join(", "))
            }
        },
        ValidationErrorKind::AdditionalProperties { .. }
        | ValidationErrorKind::UnevaluatedProperties { .. } => {
            "it has properties that are not allowed".to_owned()
        }
        ValidationErrorKind::UnevaluatedItems { .. } => "it has items that are not allowed".to_owned(),
        ValidationErrorKind::PropertyNames { .. } => "the name of a property does not fit".to_owned(),
        _ => clipped(error.masked_with("it").to_string()),
    }
}

/// A message that may repeat a whole schema, short enough to be read.
fn clipped(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(300) {
        message.truncate(end);
        message.push('…');
    }
    message
}

/// How many values there are in a value.
fn parts(value: &Value) -> usize {
    match value {
        Value::Array(members) => 1 + members.iter().map(parts).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(parts).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

/// Goes through a schema as a check of a value does, so that a check ends and costs what is known before.
struct Walk<'a> {
    root: &'a Value,
    /// The places of the references that are being followed.
    open: Vec<String>,
    met: usize,
}

impl<'a> Walk<'a> {
    fn schema(&mut self, at: &'a Value) -> Result<(), String> {
        let Value::Object(schema) = at else { return Ok(()) };
        self.met += 1;
        if self.met > MAX_SUBSCHEMAS {
            return Err(format!(
                "with all to which `$ref` leads it has more than {MAX_SUBSCHEMAS} schemas in it"
            ));
        }
        if let Some(keyword) = DYNAMIC.iter().find(|keyword| schema.contains_key(**keyword)) {
            return Err(format!("`{keyword}` is not followed: use `$ref` to a place in the schema itself"));
        }
        if !std::ptr::eq(at, self.root)
            && ["$id", "id"].iter().any(|key| schema.get(*key).is_some_and(Value::is_string))
        {
            return Err("only the whole of it may have an `$id`".to_owned());
        }
        if let Some(Value::String(reference)) = schema.get("$ref") {
            self.follow(reference)?;
        }
        for keyword in SCHEMAS {
            match schema.get(keyword) {
                Some(Value::Array(list)) => list.iter().try_for_each(|schema| self.schema(schema))?,
                Some(other) => self.schema(other)?,
                None => {}
            }
        }
        for keyword in NAMED_SCHEMAS {
            let named = schema.get(keyword).and_then(Value::as_object);
            named.into_iter().flat_map(Map::values).try_for_each(|schema| self.schema(schema))?;
        }
        Ok(())
    }

    fn follow(&mut self, reference: &str) -> Result<(), String> {
        let outside =
            || format!("it refers to `{reference}`: only places in the schema itself, `#/…`, are followed");
        let pointer = reference.strip_prefix('#').ok_or_else(outside)?;
        let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8().map_err(|_| outside())?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(outside());
        }
        if self.open.iter().any(|open| **open == *pointer) {
            return Err(format!("the reference `{reference}` leads back to itself"));
        }
        if self.open.len() >= MAX_REFERENCES {
            return Err(format!("more than {MAX_REFERENCES} references follow one another"));
        }
        let target = self.root.pointer(&pointer).ok_or_else(|| format!("there is no `{reference}` in it"))?;
        self.open.push(pointer.into_owned());
        self.schema(target)?;
        self.open.pop();
        Ok(())
    }
}
