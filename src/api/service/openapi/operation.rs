//! One call of the API as it is described: where, what for, what goes in, what comes out, what can go wrong.
//!
//! Knows nothing of how OpenAPI writes it down, and nothing of handlers.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::api::face::Face;
use crate::api::{ApiError, ErrorCode};
use crate::database::Collection;
use crate::maintenance::{Effect, effect};
use crate::model::Permission;

pub(super) use super::body::{
    Body, Field, Form, bracketed, choice, field, flag, labels, list, object, object_schema, selection, text,
};

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
    /// `name[key]=a&name[other]=b`.
    Brackets,
}

/// What a call answers when all went well.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// JSON of this schema.
    Json { schema: Value, example: Value },
    /// A file of one of these types; `can_be_partial` where ranges of it may be asked for, `is_hashed` where `ETag` is its
    /// hash.
    File { media_types: &'static [&'static str], can_be_partial: bool, is_hashed: bool },
    /// Headers only: those of the file.
    Headers,
    /// Nothing but the status.
    Empty,
    /// Nothing: it never goes well.
    Never,
    /// Another address.
    Redirect(&'static str),
}

/// One way in which a call fails.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// Its code, which has its status.
    pub code: ErrorCode,
    /// When it comes.
    pub when: &'static str,
    /// A message as it may read.
    pub message: Cow<'static, str>,
    /// The place in the body that it names, where it names one.
    pub pointer: Option<String>,
}

/// One call of the API.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub method: Method,
    pub base: Base,
    /// The path below the base; its parts in braces are described by `path_parts`.
    pub path: &'static str,
    /// The name of its group.
    pub tag: &'static str,
    /// What it does, as a command: the title.
    pub summary: &'static str,
    /// What the title does not say. Markdown.
    pub about: &'static str,
    pub need: Need,
    /// Whether it works in the tenant that the header `Tenant` names.
    pub is_in_tenant: bool,
    /// What each part of the path in braces is, and an example of it.
    pub path_parts: Vec<(&'static str, &'static str)>,
    pub parameters: Vec<Parameter>,
    pub body: Option<Body>,
    /// The status of success.
    pub status: u16,
    /// What success means.
    pub outcome: &'static str,
    pub answer: Answer,
    /// Whether `Location` tells where the new entity is.
    pub is_located: bool,
    /// Another status of success, which has no body, and what it means.
    pub other: Option<(u16, &'static str)>,
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
        is_in_tenant: true,
        path_parts: Vec::new(),
        parameters: Vec::new(),
        body: None,
        status: 200,
        outcome: "Done.",
        answer: Answer::Json { schema: json!({}), example: Value::Null },
        is_located: false,
        other: None,
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
        self.is_in_tenant = false;
        self
    }

    /// Says that its subject tells the tenant, whatever the header `Tenant` names.
    pub fn in_any_tenant(mut self) -> Self {
        self.is_in_tenant = false;
        self
    }

    /// The form in which it answers errors.
    pub fn face(&self) -> Face {
        match self.base {
            Base::Versions => Face::Cloudify,
            Base::Root => Face::of(self.path),
        }
    }

    /// Says what the next part of the path in braces is.
    pub fn of(mut self, about: &'static str, example: &'static str) -> Self {
        self.path_parts.push((about, example));
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

    /// Adds a parameter with several values.
    pub fn query_of(mut self, name: &'static str, style: Style, schema: Value, about: &str) -> Self {
        self.parameters.push(Parameter { name, schema, about: about.to_owned(), style: Some(style) });
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
        .slices()
        .fails(
            ErrorCode::BadParameters,
            "A field to sort or filter by that there is not, or a page that is no number.",
            "Filter keys '['colour']' do not exist. Allowed keys are: ['created_at', 'id']",
        )
    }

    /// Adds what chooses a part of a list that is neither sorted nor filtered.
    pub fn in_slices(self) -> Self {
        self.slices().fails(
            ErrorCode::BadParameters,
            "A page that is no number.",
            "Invalid pagination parameter: _size must be a whole number that is not negative, got all",
        )
    }

    fn slices(self) -> Self {
        self.query(
            "_offset",
            json!({ "type": "integer", "minimum": 0, "default": 0 }),
            "How many entities to pass over.",
        )
        .query(
            "_size",
            json!({ "type": "integer", "minimum": 0, "default": 1000 }),
            "The most entities to answer.",
        )
        .flag("_get_all_results", "Whether all entities are answered, whatever `_size` says.")
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

    /// Takes an object, as JSON or as a form with brackets in its names.
    pub fn takes_fields(mut self, fields: Vec<Field>, example: Value) -> Self {
        self.body = Some(Body::Fields { fields, example });
        self.fails(
            ErrorCode::BadParameters,
            "The body is neither a JSON object nor a form.",
            "the body must be a JSON object",
        )
        .fails(
            ErrorCode::PayloadTooLarge,
            "The body is longer than 16 MiB.",
            "the body is longer than 16777216 bytes",
        )
    }

    /// Takes JSON of a schema.
    pub fn takes_document(mut self, schema: Value, is_required: bool, example: Value) -> Self {
        self.body = Some(Body::Document { schema, is_required, example });
        self
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

    /// Answers with status 204, which has no body.
    pub fn answers_nothing(mut self, outcome: &'static str) -> Self {
        self.status = 204;
        self.outcome = outcome;
        self.answer = Answer::Empty;
        self
    }

    /// Says that `Location` tells where the new entity is.
    pub fn located(mut self) -> Self {
        self.is_located = true;
        self
    }

    /// Adds that it can be answered with status 204 too, which has no body.
    pub fn or_answers_nothing(mut self, outcome: &'static str) -> Self {
        self.other = Some((204, outcome));
        self
    }

    /// Adds that it can be answered with status 304, which has no body, where nothing is to be changed.
    pub fn or_unmodified(mut self, outcome: &'static str) -> Self {
        self.other = Some((304, outcome));
        self
    }

    /// What maintenance does to it.
    pub fn maintenance(&self) -> Effect {
        let base = match self.base {
            Base::Versions => "/api/v3.1",
            Base::Root => "",
        };
        effect(&self.method.as_str().to_uppercase(), &format!("{base}{}", self.path))
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
        media_types: &'static [&'static str],
        can_be_partial: bool,
    ) -> Self {
        self.outcome = outcome;
        self.answer = Answer::File { media_types, can_be_partial, is_hashed: false };
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
    pub fn fails(self, code: ErrorCode, when: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        self.fails_by(Failure { code, when, message: message.into(), pointer: None })
    }

    /// Adds an error of the domain as a way to fail.
    pub fn meets(self, when: &'static str, error: impl Into<ApiError>) -> Self {
        let error: ApiError = error.into();
        let message = error.to_string().into();
        let pointer = error.pointer().map(str::to_owned);
        self.fails_by(Failure { code: error.code(), when, message, pointer })
    }

    fn fails_by(mut self, failure: Failure) -> Self {
        let is_told = |told: &Failure| told.code == failure.code && told.when == failure.when;
        if !self.failures.iter().any(is_told) {
            self.failures.push(failure);
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
