//! What a call takes in its body, and the keys of it.

use serde_json::{Map, Value, json};

/// What a call takes in its body.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// A JSON object; `example` holds what is typical.
    Json { fields: Vec<Field>, example: Value },
    /// An object, as JSON or as a form with brackets in its names; `example` holds what is typical.
    Fields { fields: Vec<Field>, example: Value },
    /// JSON of this schema.
    Document { schema: Value, is_required: bool, example: Value },
    /// A file as the body itself, or as `form` says in a form.
    File { about: &'static str, form: Option<Form> },
}

/// A key of a JSON body.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// The key.
    pub name: &'static str,
    /// The schema of its value.
    pub schema: Value,
    /// What it does.
    pub about: &'static str,
    /// Whether it has to be there.
    pub is_required: bool,
}

/// A body that is a form with a file.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// The name of the part that is the file.
    pub file: &'static str,
    /// The keys of the JSON object in the part `params`; none where the form has no such part.
    pub parameters: Vec<Field>,
}

/// The schema of an object with these keys.
pub(super) fn object_schema(fields: &[Field]) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let mut schema = field.schema.clone();
        schema["description"] = json!(field.about);
        properties.insert(field.name.to_owned(), schema);
    }
    let mut schema = json!({ "type": "object", "properties": properties });
    let required: Vec<&str> =
        fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// An object as a form has it: `{"a":{"b":1}}` is `a[b]=1`.
pub(super) fn bracketed(object: &Value) -> Map<String, Value> {
    fn put(form: &mut Map<String, Value>, name: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::Object(members) => {
                for (key, member) in members {
                    put(form, &format!("{name}[{key}]"), member);
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    // The items of a plain list have no places.
                    let place = if item.is_object() { place.to_string() } else { String::new() };
                    put(form, &format!("{name}[{place}]"), item);
                }
            }
            Value::String(text) => {
                form.insert(name.to_owned(), json!(text));
            }
            Value::Bool(_) | Value::Number(_) => {
                form.insert(name.to_owned(), json!(value.to_string()));
            }
        }
    }
    let mut form = Map::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        put(&mut form, name, value);
    }
    form
}

/// A key of a body that may be absent.
pub(super) fn field(name: &'static str, schema: Value, about: &'static str) -> Field {
    Field { name, schema, about, is_required: false }
}

/// A text that may be absent or null.
pub(super) fn text(name: &'static str, about: &'static str) -> Field {
    field(name, json!({ "type": ["string", "null"] }), about)
}

/// A flag that may be absent.
pub(super) fn flag(name: &'static str, default: bool, about: &'static str) -> Field {
    field(name, json!({ "$ref": "#/components/schemas/Flag", "default": default }), about)
}

/// A list that may be absent or null.
pub(super) fn list(name: &'static str, about: &'static str) -> Field {
    field(name, json!({ "type": ["array", "null"], "items": {} }), about)
}

/// A list of labels that may be absent or null.
pub(super) fn labels(about: &'static str) -> Field {
    let items = json!({ "type": "object", "additionalProperties": { "type": ["string", "array"] } });
    field("labels", json!({ "type": ["array", "null"], "items": items }), about)
}

/// An object that may be absent or null.
pub(super) fn object(name: &'static str, about: &'static str) -> Field {
    field(name, json!({ "type": ["object", "null"] }), about)
}

/// A text that is one of several.
pub(super) fn choice(name: &'static str, values: &[&str], about: &'static str) -> Field {
    field(name, json!({ "type": "string", "enum": values }), about)
}

/// The entities of a manager or archive that are meant.
pub(super) fn selection(about: &'static str) -> Field {
    let texts = |about: &str| {
        json!({
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" } },
                { "type": "null" },
            ],
            "description": about,
        })
    };
    let schema = json!({
        "type": ["object", "null"],
        "properties": {
            "kinds": texts("The kinds, as the archive calls them; all of them where it is absent."),
            "tenants": texts("The tenants of the archive; all of them where it is absent."),
            "ids": texts("Ids, or full names `kind/tenant/id`; `*` at the end stands for any."),
        },
        "additionalProperties": false,
        "example": { "kinds": ["deployments"], "tenants": ["north"], "ids": ["shop*"] },
    });
    field("select", schema, about)
}

impl Field {
    /// Says that it has to be there; then it can't be null either.
    pub fn required(mut self) -> Self {
        self.is_required = true;
        if let Some(first) = self.schema["type"].get(0).cloned() {
            self.schema["type"] = first;
        }
        self
    }
}
