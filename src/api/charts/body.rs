//! Bodies of this face: JSON whatever its label says, or a form whose names have brackets.
//!
//! `subject[chart][id]=1` is `{"subject":{"chart":{"id":"1"}}}`; values of forms are texts, and readers take numbers
//! that are written as such.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde_json::{Map, Value};

use crate::api::ApiError;
use crate::charts::ChartError;

/// The longest body, in bytes.
const MAX_BODY_BYTES: usize = 16 << 20;
/// How deep brackets may stand behind each other.
const MAX_DEPTH: usize = 16;

/// The object in a body; none and an empty body are an empty object.
pub(super) struct Fields(pub Map<String, Value>);

impl FromRequest for Fields {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let broken = |error: &dyn std::fmt::Display| {
                ApiError::from(ChartError::Request(format!("the body could not be read: {error}")))
            };
            let bytes = body
                .await
                .map_err(|error| broken(&error))?
                .to_bytes_limited(MAX_BODY_BYTES)
                .await
                .map_err(|_| {
                    let message = format!("the body is longer than {MAX_BODY_BYTES} bytes");
                    ApiError::new(crate::api::ErrorCode::PayloadTooLarge, message)
                })?
                .map_err(|error| broken(&error))?;
            Ok(Self(read(&bytes)?))
        })
    }
}

fn read(bytes: &[u8]) -> Result<Map<String, Value>, ChartError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| ChartError::Request("the body is not UTF-8".to_owned()))?
        .trim();
    if text.is_empty() {
        return Ok(Map::new());
    }
    if text.starts_with(['{', '[']) {
        return match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(ChartError::Request("the body must be a JSON object".to_owned())),
            Err(error) => Err(ChartError::Request(format!("the body is not JSON: {error}"))),
        };
    }
    form(text)
}

/// A form, also that of a query, with brackets in its names.
pub(super) fn form(text: &str) -> Result<Map<String, Value>, ChartError> {
    let mut object = Value::Object(Map::new());
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        let path = path(&name).ok_or_else(|| {
            ChartError::Request(format!("the field `{name}` has brackets that can't be read"))
        })?;
        set(&mut object, &path, value.into_owned())
            .ok_or_else(|| ChartError::Request(format!("the field `{name}` is given in two ways")))?;
    }
    match object {
        Value::Object(object) => Ok(object),
        _ => Ok(Map::new()),
    }
}

fn path(name: &str) -> Option<Vec<&str>> {
    let (head, mut rest) = name.split_once('[').map_or((name, ""), |(head, _)| (head, &name[head.len()..]));
    let mut path = vec![head];
    while !rest.is_empty() {
        let (key, after) = rest.strip_prefix('[')?.split_once(']')?;
        path.push(key);
        rest = after;
    }
    (path.len() <= MAX_DEPTH && !head.is_empty()).then_some(path)
}

fn set(value: &mut Value, path: &[&str], text: String) -> Option<()> {
    let Some((key, rest)) = path.split_first() else {
        *value = Value::String(text);
        return Some(());
    };
    if key.is_empty() {
        // `name[]=a&name[]=b`: each is one more item.
        if matches!(value, Value::Null) || value.as_object().is_some_and(Map::is_empty) {
            *value = Value::Array(Vec::new());
        }
        let items = value.as_array_mut()?;
        items.push(Value::Null);
        return set(items.last_mut()?, rest, text);
    }
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    let member = value.as_object_mut()?.entry(*key).or_insert(Value::Null);
    if rest.is_empty() && !member.is_null() && !member.is_string() {
        return None;
    }
    set(member, rest, text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_brackets_mean_the_same() {
        let expected = json!({ "subject": { "chart": { "id": "1", "source": "*", "type": "stacked" } }, "duration": "60" });
        for body in [
            r#" {"subject":{"chart":{"id":"1","source":"*","type":"stacked"}},"duration":"60"}"#,
            "subject[chart][id]=1&subject[chart][source]=*&subject[chart][type]=stacked&duration=60",
            "subject%5Bchart%5D%5Bid%5D=1&subject%5Bchart%5D%5Bsource%5D=%2A&subject%5Bchart%5D%5Btype%5D=stacked&duration=60",
        ] {
            assert_eq!(Value::Object(read(body.as_bytes()).unwrap()), expected, "{body}");
        }
        let list = json!({ "names": ["a", "b"], "gauges": { "0": { "name": "x" } } });
        assert_eq!(Value::Object(read(b"names[]=a&names[]=b&gauges[0][name]=x").unwrap()), list);
        assert!(read(b"").unwrap().is_empty());
    }

    #[test]
    fn what_can_t_be_read_is_refused() {
        for wrong in
            [&b"{"[..], b"[1]", b"\xff", b"a[=1", b"a=1&a[b]=2", b"a[b]=2&a=1", b"[a]=1", b"a[]=1&a[b]=2"]
        {
            assert!(read(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
