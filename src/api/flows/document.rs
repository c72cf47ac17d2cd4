//! What requests of this face bring: JSON:API documents, read member by member so that values stay as they were sent,
//! and the pages of lists.
//!
//! A body is judged after login, flow, permission and status; so reading one never fails before its turn.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::api::{ApiError, Listing};
use crate::flows::{FlowError, JsonText, Paging};

/// The longest body, in bytes: a graph with many steps.
const MAX_BODY_BYTES: usize = 4 << 20;

/// A body as it came. Its content type is never looked at.
pub(super) struct Document(Body);

enum Body {
    Read(Bytes),
    TooLong,
    Broken(String),
}

/// The members of an object by their names.
type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The resource that a document is about.
pub(super) struct Resource<'a> {
    data: Members<'a>,
    attributes: Members<'a>,
}

impl FromRequest for Document {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let Ok(body) = body.await else { return Ok(Self(Body::Broken("it has no body".to_owned()))) };
            Ok(Self(match body.to_bytes_limited(MAX_BODY_BYTES).await {
                Ok(Ok(bytes)) => Body::Read(bytes),
                Ok(Err(error)) => Body::Broken(error.to_string()),
                Err(_) => Body::TooLong,
            }))
        })
    }
}

impl Document {
    fn bytes(&self) -> Result<&Bytes, FlowError> {
        match &self.0 {
            Body::Read(bytes) => Ok(bytes),
            Body::TooLong => Err(FlowError::BodyTooLong { max: MAX_BODY_BYTES }),
            Body::Broken(reason) => {
                Err(FlowError::parameter(format!("the body could not be read: {reason}")))
            }
        }
    }

    /// The body as the value itself.
    pub fn value(&self) -> Result<JsonText, FlowError> {
        JsonText::parse(self.bytes()?)
            .map_err(|error| FlowError::parameter(format!("the body is not JSON: {error}")))
    }

    /// The members of a body that is an object without JSON:API's frame.
    pub fn plain(&self) -> Result<Plain<'_>, FlowError> {
        let raw: &RawValue = serde_json::from_slice(self.bytes()?)
            .map_err(|error| FlowError::parameter(format!("the body is not JSON: {error}")))?;
        Ok(Plain(members(raw, "")?))
    }

    /// The resource in the document's `data`.
    pub fn resource(&self) -> Result<Resource<'_>, FlowError> {
        let document = self.plain()?.0;
        let data = document
            .get("data")
            .ok_or_else(|| FlowError::invalid("/data", "the document has to have `data`"))?;
        let data = members(data, "/data")?;
        let attributes = match data.get("attributes") {
            Some(attributes) => members(attributes, "/data/attributes")?,
            None => Members::new(),
        };
        Ok(Resource { data, attributes })
    }

    /// The resource, or one without anything where there is no body or an empty object.
    pub fn optional_resource(&self) -> Result<Resource<'_>, FlowError> {
        let is_blank = self.bytes()?.iter().all(u8::is_ascii_whitespace);
        if is_blank || self.plain()?.0.is_empty() {
            return Ok(Resource { data: Members::new(), attributes: Members::new() });
        }
        self.resource()
    }
}

fn members<'a>(raw: &'a RawValue, pointer: &str) -> Result<Members<'a>, FlowError> {
    serde_json::from_str(raw.get()).map_err(|_| {
        let place = if pointer.is_empty() { "the document" } else { pointer };
        FlowError::invalid(pointer, format!("{place} has to be an object"))
    })
}

fn read<T: DeserializeOwned>(
    members: &Members<'_>,
    name: &str,
    pointer: &str,
    expected: &str,
) -> Result<Option<T>, FlowError> {
    let Some(raw) = members.get(name) else { return Ok(None) };
    serde_json::from_str(raw.get()).map(Some).map_err(|_| {
        FlowError::invalid(format!("{pointer}/{name}"), format!("`{name}` has to be {expected}"))
    })
}

impl<'a> Resource<'a> {
    /// Checks that the resource is one of this type.
    pub fn require_type(&self, expected: &str) -> Result<(), FlowError> {
        let Some(found) = read::<String>(&self.data, "type", "/data", "a text")? else {
            return Err(FlowError::invalid("/data/type", format!("`type` has to be `{expected}`")));
        };
        if found == expected {
            return Ok(());
        }
        let detail = format!("`type` is `{found}`, and here it has to be `{expected}`");
        Err(FlowError::Mismatch { pointer: "/data/type", detail })
    }

    /// The resource's id, where the caller chooses it.
    pub fn require_id(&self) -> Result<String, FlowError> {
        read(&self.data, "id", "/data", "a text")?
            .ok_or_else(|| FlowError::invalid("/data/id", "the resource has to have an `id`"))
    }

    /// Checks that the id, where there is one, is that of the address.
    pub fn check_id(&self, expected: &str) -> Result<(), FlowError> {
        match read::<String>(&self.data, "id", "/data", "a text")? {
            Some(found) if found != expected => Err(FlowError::Mismatch {
                pointer: "/data/id",
                detail: format!("`id` is `{found}`, and the address names `{expected}`"),
            }),
            _ => Ok(()),
        }
    }

    /// An attribute of a type, or none where it is absent; `null` is a value only where the type takes it.
    pub fn attribute<T: DeserializeOwned>(&self, name: &str, expected: &str) -> Result<Option<T>, FlowError> {
        read(&self.attributes, name, "/data/attributes", expected)
    }

    /// An attribute that has to be there.
    pub fn required<T: DeserializeOwned>(&self, name: &str, expected: &str) -> Result<T, FlowError> {
        self.attribute(name, expected)?.ok_or_else(|| {
            FlowError::invalid(
                format!("/data/attributes/{name}"),
                format!("`{name}` has to be there: {expected}"),
            )
        })
    }

    /// An attribute as it was sent.
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.attributes.get(name).copied()
    }

    /// A word of a fixed list.
    pub fn word<T>(
        &self,
        name: &str,
        parse: fn(&str) -> Option<T>,
        words: &[&str],
    ) -> Result<Option<T>, FlowError> {
        let expected = format!("one of {}", words.join(", "));
        match self.attribute::<String>(name, &expected)? {
            None => Ok(None),
            Some(word) => parse(&word).map(Some).ok_or_else(|| {
                let detail = format!("`{name}` is `{word}`, and has to be {expected}");
                FlowError::invalid(format!("/data/attributes/{name}"), detail)
            }),
        }
    }

    /// The names of the attributes.
    pub fn attribute_names(&self) -> impl Iterator<Item = &str> {
        self.attributes.keys().map(String::as_str)
    }

    /// The id of the resource to which a relationship leads.
    pub fn related(&self, name: &str) -> Result<Option<String>, FlowError> {
        let Some(relationships) = self.data.get("relationships") else { return Ok(None) };
        let pointer = "/data/relationships";
        let Some(relationship) = members(relationships, pointer)?.get(name).copied() else { return Ok(None) };
        let pointer = format!("{pointer}/{name}");
        let Some(data) = members(relationship, &pointer)?.get("data").copied() else { return Ok(None) };
        let pointer = format!("{pointer}/data");
        read(&members(data, &pointer)?, "id", &pointer, "a text")
    }
}

/// An object without JSON:API's frame.
pub(super) struct Plain<'a>(Members<'a>);

impl<'a> Plain<'a> {
    /// A member of a type, or none where it is absent.
    pub fn member<T: DeserializeOwned>(&self, name: &str, expected: &str) -> Result<Option<T>, FlowError> {
        read(&self.0, name, "", expected)
    }
}

/// The page that is asked for by `page[number]` and `page[size]`.
pub(super) fn paging(listing: &Listing, default: u64, most: u64) -> Result<Paging, FlowError> {
    let number = |name: &str, default: u64, most: u64| match listing.get(name) {
        None => Ok(default),
        Some(text) => text.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
            FlowError::parameter(format!("`{name}` is `{text}`, and has to be a number from 1 to {most}"))
        }),
    };
    Ok(Paging { number: number("page[number]", 1, u64::MAX)?, size: number("page[size]", default, most)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &'static str) -> Document {
        Document(Body::Read(Bytes::from_static(text.as_bytes())))
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let pointer = |error: FlowError| match error {
            FlowError::Invalid { pointer, .. } => pointer.unwrap_or_default(),
            FlowError::Mismatch { pointer, .. } => pointer.to_owned(),
            other => panic!("{other}"),
        };
        for (text, place) in [("{}", "/data"), (r#"{"data":[]}"#, "/data"), ("[]", ""), ("{", "")] {
            assert_eq!(pointer(document(text).resource().err().unwrap()), place, "{text}");
        }
        let document = document(
            r#"{"data":{"type":"x","id":7,"attributes":{"name":1},"relationships":{"workspace":{"data":{"id":[]}}}}}"#,
        );
        let resource = document.resource().unwrap();
        assert_eq!(pointer(resource.require_type("flow").unwrap_err()), "/data/type");
        assert_eq!(pointer(resource.require_id().unwrap_err()), "/data/id");
        let name = resource.attribute::<String>("name", "a text").unwrap_err();
        assert_eq!(pointer(name), "/data/attributes/name");
        let workspace = resource.related("workspace").unwrap_err();
        assert_eq!(pointer(workspace), "/data/relationships/workspace/data/id");
    }

    #[test]
    fn a_value_in_a_document_is_the_text_that_was_sent() {
        let document =
            document(r#"{"data":{"attributes":{"snapshot": {"n":1.0e5, "b":9007199254740993} }}}"#);
        let resource = document.resource().unwrap();
        assert_eq!(resource.raw("snapshot").unwrap().get(), r#"{"n":1.0e5, "b":9007199254740993}"#);
        assert!(resource.raw("other").is_none());
    }
}
