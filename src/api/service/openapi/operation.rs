//! One call of the API as it is described: where, what for, what goes in, what comes out, what can go wrong.
//!
//! Knows nothing of how OpenAPI writes it down, and nothing of handlers.

use serde_json::{Value, json};

use crate::api::ErrorCode;
use crate::database::Collection;
use crate::model::Permission;

/// The method of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Method {
    Get,
    Head,
    Put,
    Post,
    Patch,
    Delete,
}

impl Method {
    /// The key under which OpenAPI has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::Put => "put",
            Self::Post => "post",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// Below what a path stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// `/api/<version>`, the same in all versions.
    Versions,
    /// The root of the server.
    Root,
}

/// What a caller needs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need {
    /// Not even a login.
    Nothing,
    /// A login.
    Login,
    /// A login with this permission.
    Permission(Permission),
}

/// A parameter in the query.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// The schema of its value.
    pub schema: Value,
    /// What it does.
    pub about: String,
    /// How a list of values is written; `None` for a single value.
    pub style: Option<Style>,
}

/// How a parameter with several values is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `name=a,b`.
    Commas,
    /// `name=a&name=b`; of an object `key=a&other=b`.
    Repeated,
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

/// What a call takes in its body.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// A JSON object; `example` holds what is typical.
    Json { fields: Vec<Field>, example: Value },
    /// A file as the body itself, or as `form` says in a form.
    File { about: &'static str, form: Option<Form> },
}

/// A body that is a form with a file.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// The name of the part that is the file.
    pub file: &'static str,
    /// The keys of the JSON object in the part `params`; none where the form has no such part.
    pub parameters: Vec<Field>,
}

/// What a call answers when all went well.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// JSON of this schema.
    Json { schema: Value, example: Value },
    /// A file; `can_be_partial` where ranges of it may be asked for, `is_hashed` where `ETag` is its hash.
    File { media_type: &'static str, can_be_partial: bool, is_hashed: bool },
    /// Headers only: those of the file.
    Headers,
    /// Nothing: it never goes well.
    Never,
    /// Another address.
    Redirect(&'static str),
}

/// One way in which a call fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    /// Its code, which has its status.
    pub code: ErrorCode,
    /// When it comes.
    pub when: &'static str,
    /// A message as it may read.
    pub message: &'static str,
}

/// One call of the API.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub method: Method,
    pub base: Base,
    /// The path below the base; the part in braces, where there is one, is described by `path_part`.
    pub path: &'static str,
    /// The name of its group.
    pub tag: &'static str,
    /// What it does, as a command: the title.
    pub summary: &'static str,
    /// What the title does not say. Markdown.
    pub about: &'static str,
    pub need: Need,
    /// What the part of the path in braces is, and an example of it.
    pub path_part: Option<(&'static str, &'static str)>,
    pub parameters: Vec<Parameter>,
    pub body: Option<Body>,
    /// The status of success.
    pub status: u16,
    /// What success means.
    pub outcome: &'static str,
    pub answer: Answer,
    pub failures: Vec<Failure>,
}

/// Begins the description of a call below `/api/<version>` that needs a login.
pub(super) fn call(method: Method, path: &'static str, summary: &'static str) -> Operation {
    Operation {
        method,
        base: Base::Versions,
        path,
        tag: "",
        summary,
        about: "",
        need: Need::Login,
        path_part: None,
        parameters: Vec::new(),
        body: None,
        status: 200,
        outcome: "Done.",
        answer: Answer::Json { schema: json!({}), example: Value::Null },
        failures: Vec::new(),
    }
}

impl Operation {
    /// Moves it from below the versions to the root of the server.
    pub fn at_root(mut self) -> Self {
        self.base = Base::Root;
        self
    }

    /// Says more than the title does.
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Asks for a permission.
    pub fn needs(mut self, permission: Permission) -> Self {
        self.need = Need::Permission(permission);
        self
    }

    /// Asks for nothing.
    pub fn needs_no_login(mut self) -> Self {
        self.need = Need::Nothing;
        self
    }

    /// Says what the part of the path in braces is; a `noun` that is not there is a 404.
    pub fn of(mut self, about: &'static str, example: &'static str) -> Self {
        self.path_part = Some((about, example));
        self
    }

    /// Adds the 404 with which an absent entity is answered.
    pub fn finds(self, message: &'static str) -> Self {
        self.fails(ErrorCode::NotFound, "There is none, or the caller may not see it.", message)
    }

    /// Adds a parameter of the query.
    pub fn query(mut self, name: &'static str, schema: Value, about: &str) -> Self {
        self.parameters.push(Parameter { name, schema, about: about.to_owned(), style: None });
        self
    }

    /// Adds a parameter that is `true` or `false`.
    pub fn flag(self, name: &'static str, about: &str) -> Self {
        self.query(name, json!({ "$ref": "#/components/schemas/FlagText", "default": "false" }), about)
            .refuses_flags()
    }

    /// Adds `_include`.
    pub fn includes(mut self, collection: &Collection) -> Self {
        let names: Vec<&str> = collection.columns.iter().map(|column| column.name).collect();
        self.parameters.push(Parameter {
            name: "_include",
            schema: json!({ "type": "array", "items": { "enum": names } }),
            about: "The fields to answer; all of them where it is absent.".to_owned(),
            style: Some(Style::Commas),
        });
        self.fails(
            ErrorCode::NoSuchIncludeField,
            "`_include` names a field that there is not.",
            "Include keys '['colour']' do not exist. Allowed keys are: ['created_at', 'id']",
        )
    }

    /// Adds what every list takes: projection, order, filters, search and paging.
    pub fn lists(self, collection: &Collection) -> Self {
        let names: Vec<&str> = collection.columns.iter().map(|column| column.name).collect();
        let mut filters = serde_json::Map::new();
        for name in &names {
            filters.insert((*name).to_owned(), json!({ "type": "string" }));
        }
        let mut list = self.includes(collection);
        list.parameters.push(Parameter {
            name: "_sort",
            schema: json!({
                "type": "array",
                "items": { "type": "string", "pattern": format!("^[+-]?({})$", names.join("|")) },
            }),
            about: format!(
                "The fields to sort by; with `-` before the name the largest comes first. Without it: `{}`.",
                collection.default_sort
            ),
            style: Some(Style::Repeated),
        });
        list.parameters.push(Parameter {
            name: "filters",
            schema: json!({ "type": "object", "properties": filters, "additionalProperties": false }),
            about: "Every parameter that is named like a field keeps only the entities whose field has that value; \
                    repeated, one of those values."
                .to_owned(),
            style: Some(Style::Repeated),
        });
        let search: Vec<String> = collection.search.iter().map(|name| format!("`{name}`")).collect();
        list.query(
            "_search",
            json!({ "type": "string" }),
            &format!(
                "Keeps the entities in which this text occurs, in any case, in {}.",
                search.join(" or ")
            ),
        )
        .query(
            "_offset",
            json!({ "type": "integer", "minimum": 0, "default": 0 }),
            "How many entities to pass over.",
        )
        .query(
            "_size",
            json!({ "type": "integer", "minimum": 0, "default": 1000 }),
            "The most entities to answer.",
        )
        .fails(
            ErrorCode::BadParameters,
            "A field to sort or filter by that there is not, or a page that is no number.",
            "Filter keys '['colour']' do not exist. Allowed keys are: ['created_at', 'id']",
        )
    }

    /// Adds `_all_tenants`, for lists of what belongs to tenants.
    pub fn of_all_tenants(self) -> Self {
        self.flag("_all_tenants", "Whether entities of all the caller's tenants are meant.")
    }

    /// Takes a JSON object.
    pub fn takes(mut self, fields: Vec<Field>, example: Value) -> Self {
        self.body = Some(Body::Json { fields, example });
        self.fails(
            ErrorCode::BadParameters,
            "The body is no JSON object, or a value in it can't be used.",
            "the body must be a JSON object",
        )
        .fails(
            ErrorCode::PayloadTooLarge,
            "The body is longer than 16 MiB.",
            "the body is longer than 16777216 bytes",
        )
    }

    /// Takes a file.
    pub fn takes_file(mut self, about: &'static str, form: Option<Form>) -> Self {
        self.body = Some(Body::File { about, form });
        self
    }

    /// Answers JSON with this status.
    pub fn answers(mut self, status: u16, outcome: &'static str, schema: Value, example: Value) -> Self {
        self.status = status;
        self.outcome = outcome;
        self.answer = Answer::Json { schema, example };
        self
    }

    /// Answers one entity with status 200.
    pub fn answers_one(self, outcome: &'static str, noun: &str, example: Value) -> Self {
        self.answers(200, outcome, reference(noun), example)
    }

    /// Answers a page of entities, of which one is shown.
    pub fn answers_page(self, noun: &str, example: Value) -> Self {
        let page = json!({
            "items": [example],
            "metadata": { "pagination": { "total": 1, "size": 1000, "offset": 0 }, "filtered": null },
        });
        self.answers(200, "A page of the list.", reference(&format!("{noun}Page")), page)
    }

    /// Answers a file with status 200.
    pub fn answers_file(
        mut self,
        outcome: &'static str,
        media_type: &'static str,
        can_be_partial: bool,
    ) -> Self {
        self.outcome = outcome;
        self.answer = Answer::File { media_type, can_be_partial, is_hashed: false };
        if can_be_partial {
            return self.fails(
                ErrorCode::RangeNotSatisfiable,
                "The range begins past the end.",
                "the range begins past the end: the file has 48213 bytes",
            );
        }
        self
    }

    /// Says that the file's hash is its `ETag`.
    pub fn hashed(mut self) -> Self {
        if let Answer::File { is_hashed, .. } = &mut self.answer {
            *is_hashed = true;
        }
        self
    }

    /// Adds a way to fail.
    pub fn fails(mut self, code: ErrorCode, when: &'static str, message: &'static str) -> Self {
        let is_told = |failure: &Failure| failure.code == code && failure.when == when;
        if !self.failures.iter().any(is_told) {
            self.failures.push(Failure { code, when, message });
        }
        self
    }

    /// Adds that writers are kept out while a restore runs.
    pub fn writes_manager(self) -> Self {
        self.fails(
            ErrorCode::MaintenanceModeActive,
            "A restore or rollback is running; ask again when it has ended.",
            "Your request was rejected since Cloudify manager is currently in maintenance mode",
        )
    }

    fn refuses_flags(self) -> Self {
        self.fails(
            ErrorCode::BadParameters,
            "A flag that is neither true nor false.",
            "force must be <true/false>, got maybe",
        )
    }
}

/// A reference to a schema of the document.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
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
