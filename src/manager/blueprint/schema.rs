//! Property schemas, data types, and values that must fit them.
//!
//! Knows the primitive types of the language and what a blueprint defines on
//! top. A value that is a function fits every type, for nobody knows it yet.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::error::BlueprintError;
use super::functions::is_function;
use super::reading::{Place, check_keys, check_path, kind, mapping, text};

const PRIMITIVES: &[&str] = &[
    "string",
    "integer",
    "float",
    "boolean",
    "list",
    "dict",
    "regex",
    "textarea",
    "blueprint_id",
    "deployment_id",
    "capability_value",
    "scaling_group",
    "node_id",
    "node_type",
    "node_instance",
    "secret_key",
    "operation_name",
];

/// Whether `name` is a type that the language brings along.
pub(super) fn is_primitive(name: &str) -> bool {
    PRIMITIVES.contains(&name)
}

/// Whether `value` is of the primitive type `name`.
pub(super) fn is_of_primitive(value: &Value, name: &str) -> bool {
    match name {
        "integer" => value.is_i64() || value.is_u64(),
        "float" => value.is_number(),
        "boolean" => value.is_boolean(),
        "list" => value.is_array(),
        "dict" => value.is_object(),
        "regex" => value.is_string(),
        // Text and the names of things take whatever is given, as Cloudify does.
        _ => true,
    }
}

/// The data types that a blueprint defines, with what they inherit.
pub(super) struct DataTypes {
    types: Map<String, Value>,
    /// Whether an import is missing, so that unknown types may be defined there.
    is_partial: bool,
}

/// The keys that a property of a type, an input and a parameter may have.
pub(super) const PROPERTY_KEYS: &[&str] = &["required", "default", "description", "type"];
pub(super) const INPUT_KEYS: &[&str] = &[
    "required",
    "default",
    "description",
    "type",
    "item_type",
    "constraints",
    "display_label",
    "hidden",
    "display",
];
pub(super) const PARAMETER_KEYS: &[&str] =
    &["required", "default", "description", "type", "item_type", "constraints"];

impl DataTypes {
    /// Reads the section `data_types`.
    pub(super) fn read(section: Option<&Value>, is_partial: bool) -> Result<Self, BlueprintError> {
        let raw = mapping(section, Place { section: "data_types", name: "" })?;
        let mut types = Self { types: Map::new(), is_partial };
        for name in raw.keys() {
            types.resolve(name, &raw, &mut Vec::new())?;
        }
        Ok(types)
    }

    /// The types that a plan carries; what it lacks takes any value.
    pub(super) fn of_plan(plan: &Value) -> Self {
        Self { types: plan["data_types"].as_object().cloned().unwrap_or_default(), is_partial: true }
    }

    fn resolve(
        &mut self,
        name: &str,
        raw: &Map<String, Value>,
        path: &mut Vec<String>,
    ) -> Result<(), BlueprintError> {
        let place = Place { section: "data_types", name };
        if self.types.contains_key(name) {
            return Ok(());
        }
        if is_primitive(name) {
            return Err(place.error("a primitive type cannot be defined anew"));
        }
        check_path(path, name, place)?;
        let mut definition = mapping(raw.get(name), place)?;
        check_keys(&definition, &["properties", "description", "derived_from", "version"], place)?;
        let own = mapping(definition.get("properties"), place)?;
        for (property, schema) in &own {
            let within = &mut HashSet::from([name.to_owned()]);
            self.forbid_cycles(property, schema, raw, within, place)?;
        }
        // What it is made of comes first, for its defaults are filled from there.
        path.push(name.to_owned());
        let parent = text(definition.get("derived_from"), "derived_from", place)?;
        let parts = own.values().filter_map(|schema| schema.get("type").and_then(Value::as_str));
        for part in parts.chain(parent.as_deref()) {
            if raw.contains_key(part) {
                self.resolve(part, raw, path)?;
            }
        }
        path.pop();
        let mut properties = self.schema(Value::Object(own.clone()), PROPERTY_KEYS, place)?;
        if let Some(parent) = parent {
            match self.types.get(&parent) {
                Some(base) => {
                    let base = mapping(base.get("properties"), place)?;
                    properties = self.inherit(&base, properties, &own, place)?;
                }
                None if self.is_partial => {}
                None => {
                    let problem = format!("it is derived from the unknown type `{parent}`");
                    return Err(place.error(problem));
                }
            }
        }
        for key in ["description", "derived_from", "version"] {
            definition.entry(key).or_insert(Value::Null);
        }
        definition.insert("properties".to_owned(), Value::Object(properties));
        self.types.insert(name.to_owned(), Value::Object(definition));
        Ok(())
    }

    /// A data type cannot contain itself.
    fn forbid_cycles(
        &self,
        property: &str,
        schema: &Value,
        raw: &Map<String, Value>,
        within: &mut HashSet<String>,
        place: Place<'_>,
    ) -> Result<(), BlueprintError> {
        let Some(of_type) = schema.get("type").and_then(Value::as_str) else {
            return Ok(());
        };
        let Some(inner) = raw.get(of_type) else {
            return Ok(());
        };
        if !within.insert(of_type.to_owned()) {
            let problem = format!("the property `{property}` of type `{of_type}` contains itself");
            return Err(place.error(problem));
        }
        if within.len() > 32 {
            return Err(place.error("data types nest deeper than 32 levels"));
        }
        for (property, schema) in mapping(inner.get("properties"), place)? {
            self.forbid_cycles(&property, &schema, raw, within, place)?;
        }
        within.remove(of_type);
        Ok(())
    }

    /// The types in the form that a plan carries.
    pub(super) fn to_plan(&self) -> Value {
        Value::Object(self.types.clone())
    }

    /// Whether a property may be of type `name`.
    fn knows(&self, name: &str) -> bool {
        is_primitive(name) || self.types.contains_key(name) || self.is_partial
    }

    /// Reads a schema (`name: {type, default, …}`): checks its keys and fills its defaults.
    pub(super) fn schema(
        &self,
        raw: Value,
        keys: &[&str],
        place: Place<'_>,
    ) -> Result<Map<String, Value>, BlueprintError> {
        let mut schema = mapping(Some(&raw), place)?;
        for (property, definition) in &mut schema {
            if definition.is_null() {
                *definition = Value::Object(Map::new());
            }
            let Value::Object(definition) = definition else {
                return Err(place.error(format!("`{property}` is not a mapping of type, default …")));
            };
            check_keys(definition, keys, place).map_err(|error| within(error, property))?;
            let of_type = text(definition.get("type"), "type", place)?;
            for flag in ["required", "hidden"] {
                if definition.get(flag).is_some_and(|flag| !flag.is_boolean()) {
                    return Err(place.error(format!("`{flag}` of `{property}` is not a boolean")));
                }
            }
            let Some(of_type) = of_type else {
                definition.retain(|key, value| key != "type" || !value.is_null());
                continue;
            };
            if !self.knows(&of_type) {
                return Err(place.error(format!("`{property}` has the unknown type `{of_type}`")));
            }
            let default = definition.get("default").filter(|value| !value.is_null());
            let empty = Value::Object(Map::new());
            // A property of a data type is at least what the type makes of nothing.
            let is_own_type = keys == PROPERTY_KEYS && self.types.contains_key(&of_type);
            if let Some(default) = default.or(is_own_type.then_some(&empty)) {
                let filled = self.fit(default, Some(&of_type), None, false, place, property)?;
                definition.insert("default".to_owned(), filled);
            }
        }
        Ok(schema)
    }

    /// The properties of a node or a link: `given`, completed by the defaults of `schema`.
    pub(super) fn properties(
        &self,
        given: &Map<String, Value>,
        schema: &Map<String, Value>,
        place: Place<'_>,
    ) -> Result<Map<String, Value>, BlueprintError> {
        self.complete(given, schema, &defaults(schema), true, place, "")
    }

    fn complete(
        &self,
        given: &Map<String, Value>,
        schema: &Map<String, Value>,
        defaults: &Map<String, Value>,
        is_strict: bool,
        place: Place<'_>,
        path: &str,
    ) -> Result<Map<String, Value>, BlueprintError> {
        if let Some(unknown) = given.keys().find(|key| !schema.contains_key(*key)) {
            let path = join(path, unknown);
            return Err(place.error(format!("its type has no property `{path}`")));
        }
        let value_of = |key: &str| given.get(key).or_else(|| defaults.get(key));
        let external = value_of("use_external_resource");
        if external.is_some_and(is_function) {
            return Err(place.error("`use_external_resource` takes a boolean and no function"));
        }
        let is_external = external.is_some_and(is_true);
        let mut completed = Map::new();
        for (key, definition) in schema {
            let path = join(path, key);
            let Some(value) = value_of(key) else {
                let is_required = definition.get("required").and_then(Value::as_bool) != Some(false);
                if is_required && is_strict && !is_external {
                    return Err(place.error(format!("the mandatory property `{path}` has no value")));
                }
                continue;
            };
            let of_type = definition.get("type").and_then(Value::as_str);
            let value = self.fit(value, of_type, defaults.get(key), is_strict, place, &path)?;
            completed.insert(key.clone(), value);
        }
        Ok(completed)
    }

    /// `value`, checked against a type and completed by the defaults of it.
    ///
    /// `base` is an inherited default, whose entries come before those of the
    /// type. Unless `is_strict`, mandatory properties may be missing.
    pub(super) fn fit(
        &self,
        value: &Value,
        of_type: Option<&str>,
        base: Option<&Value>,
        is_strict: bool,
        place: Place<'_>,
        path: &str,
    ) -> Result<Value, BlueprintError> {
        let Some(of_type) = of_type else {
            return Ok(value.clone());
        };
        if is_function(value) {
            return Ok(value.clone());
        }
        if is_primitive(of_type) {
            if is_of_primitive(value, of_type) {
                return Ok(value.clone());
            }
        } else if let Some(definition) = self.types.get(of_type) {
            if let Value::Object(given) = value {
                let schema = mapping(definition.get("properties"), place)?;
                let mut defaults = defaults(&schema);
                if let Some(Value::Object(base)) = base {
                    defaults.extend(base.clone());
                }
                return self.complete(given, &schema, &defaults, is_strict, place, path).map(Value::Object);
            }
        } else if self.is_partial {
            return Ok(value.clone());
        }
        Err(place.error(format!("`{path}` is of type `{of_type}`, but its value is {}", kind(value))))
    }

    /// The properties of a type on top of those that it inherits.
    ///
    /// Where both have a default of the same data type, the defaults are merged:
    /// what the own type has `written` goes before the inherited default.
    pub(super) fn inherit(
        &self,
        inherited: &Map<String, Value>,
        own: Map<String, Value>,
        written: &Map<String, Value>,
        place: Place<'_>,
    ) -> Result<Map<String, Value>, BlueprintError> {
        let mut merged = own;
        for (key, parent) in inherited {
            let Some(child) = merged.get(key) else {
                merged.insert(key.clone(), parent.clone());
                continue;
            };
            let of_type = child.get("type").and_then(Value::as_str);
            let same = of_type.is_some() && of_type == parent.get("type").and_then(Value::as_str);
            let is_own_type = of_type.is_some_and(|name| self.types.contains_key(name));
            let Some(base) = parent.get("default").filter(|_| same && is_own_type) else {
                continue;
            };
            let empty = Value::Object(Map::new());
            let value = written
                .get(key)
                .and_then(|schema| schema.get("default"))
                .filter(|value| !value.is_null())
                .unwrap_or(&empty);
            let default = self.fit(value, of_type, Some(base), false, place, key)?;
            merged[key]["default"] = default;
        }
        Ok(merged)
    }
}

/// The defaults of a schema; a property without one is not among them.
pub(super) fn defaults(schema: &Map<String, Value>) -> Map<String, Value> {
    schema
        .iter()
        .filter_map(|(key, definition)| Some((key.clone(), definition.get("default")?.clone())))
        .collect()
}

/// Whether Python would take a value for true.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn within(error: BlueprintError, inner: &str) -> BlueprintError {
    match error {
        BlueprintError::Invalid { file, section, name, problem } => {
            BlueprintError::Invalid { file, section, name, problem: format!("`{inner}`: {problem}") }
        }
        other => other,
    }
}
