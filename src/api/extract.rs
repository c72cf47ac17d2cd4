//! What requests bring: JSON bodies whatever their label says, and the parameters of lists.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde_json::{Map, Value, json};

use crate::database::{Filter, ListQuery, Page, Sort};

use super::{ApiError, ErrorCode};

/// The longest JSON body, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// The size of a page where none is asked for (Cloudify 4 and later).
const DEFAULT_PAGE_SIZE: u64 = 1000;

/// A JSON object in the body. No body, an empty one and `false` (as CloudifyJS sends) are an empty object; the
/// content type is never looked at, as the clients label everything `application/json`.
#[derive(Clone, Debug, Default)]
pub struct JsonBody(pub Map<String, Value>);

impl JsonBody {
    /// A text that has to be there.
    ///
    /// # Errors
    /// 400 where it is absent or no text.
    pub fn text(&self, name: &str) -> Result<&str, ApiError> {
        self.optional_text(name)?
            .ok_or_else(|| ApiError::bad_parameters(format!("Missing {name} in json request body")))
    }

    /// A text, or none where absent or null.
    ///
    /// # Errors
    /// 400 where it is no text.
    pub fn optional_text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(ApiError::bad_parameters(format!("{name} must be a text, got {other}"))),
        }
    }

    /// A boolean: JSON's, or the text `true` or `false` in any case.
    ///
    /// # Errors
    /// 400 with Cloudify's message for anything else.
    pub fn boolean(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(Value::String(text)) => parse_boolean(name, text),
            Some(other) => Err(not_boolean(name, &other.to_string())),
        }
    }

    /// A list, or none where absent or null.
    ///
    /// # Errors
    /// 400 where it is no list.
    pub fn list(&self, name: &str) -> Result<Option<Vec<Value>>, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list.clone())),
            Some(other) => Err(ApiError::bad_parameters(format!("{name} must be a list, got {other}"))),
        }
    }

    /// An object, or none where absent or null.
    ///
    /// # Errors
    /// 400 where it is no object.
    pub fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(other) => Err(ApiError::bad_parameters(format!("{name} must be a dict, got {other}"))),
        }
    }
}

fn not_boolean(name: &str, value: &str) -> ApiError {
    ApiError::bad_parameters(format!("{name} must be <true/false>, got {value}"))
}

/// Reads `true` or `false` in any case (Python's clients write `True`).
///
/// # Errors
/// 400 with Cloudify's message for anything else.
pub fn parse_boolean(name: &str, text: &str) -> Result<bool, ApiError> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(not_boolean(name, text))
    }
}

impl FromRequest for JsonBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let bytes = body
                .await
                .map_err(|error| ApiError::bad_parameters(format!("the body could not be read: {error}")))?
                .to_bytes_limited(MAX_BODY_BYTES)
                .await
                .map_err(|_| {
                    ApiError::new(
                        ErrorCode::PayloadTooLarge,
                        format!("the body is longer than {MAX_BODY_BYTES} bytes"),
                    )
                })?
                .map_err(|error| ApiError::bad_parameters(format!("the body could not be read: {error}")))?;
            if bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Self::default());
            }
            match serde_json::from_slice(&bytes) {
                Ok(Value::Object(object)) => Ok(Self(object)),
                Ok(Value::Bool(false) | Value::Null) => Ok(Self::default()),
                Ok(_) => Err(ApiError::bad_parameters("the body must be a JSON object")),
                Err(error) => Err(ApiError::bad_parameters(format!("the body is not JSON: {error}"))),
            }
        })
    }
}

/// The parameters of a request's query: a list's paging, order, projection, filters; and everything else by name.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    parameters: Vec<(String, String)>,
}

impl Listing {
    /// The last value of a parameter, or none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All parameters as they came, in their order.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be repeated or written with commas.
    pub fn words(&self, name: &str) -> Vec<Value> {
        let values = self.all(name).flat_map(|value| value.split(','));
        values.map(str::trim).filter(|word| !word.is_empty()).map(Value::from).collect()
    }

    /// A boolean parameter.
    ///
    /// # Errors
    /// 400 with Cloudify's message where it is neither `true` nor `false`.
    pub fn boolean(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        self.get(name).map_or(Ok(default), |text| parse_boolean(name.trim_start_matches('_'), text))
    }

    /// What is asked of a list. Parameters that begin with `_` and those in `own`, which the handler reads itself,
    /// are no filters; every other one is a filter on the column of its name.
    ///
    /// # Errors
    /// 400 `bad_parameters_error` for a page or an order that can't be read.
    pub fn query(&self, own: &[&str]) -> Result<ListQuery, ApiError> {
        let number = |name: &'static str, default: u64| {
            match self.get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| {
                ApiError::bad_parameters(format!("Invalid pagination parameter: {name} must be a whole number that is not negative, got {text}"))
            }),
        }
        };
        let size = match self.boolean("_get_all_results", false)? {
            true => u64::MAX,
            false => number("_size", DEFAULT_PAGE_SIZE)?,
        };
        let mut filters: Vec<Filter> = Vec::new();
        for (name, value) in &self.parameters {
            if name.starts_with('_') || own.contains(&name.as_str()) {
                continue;
            }
            match filters.iter_mut().find(|filter| filter.column == *name) {
                Some(filter) => filter.values.push(value.clone()),
                None => filters.push(Filter { column: name.clone(), values: vec![value.clone()] }),
            }
        }
        Ok(ListQuery {
            include: self.include(),
            sort: self.all("_sort").flat_map(|value| value.split(',')).map(sort).collect::<Result<_, _>>()?,
            filters,
            search: self.get("_search").map(str::to_owned),
            offset: number("_offset", 0)?,
            size,
            all_tenants: self.boolean("_all_tenants", false)?,
        })
    }

    /// The names of `_include`, or none where all columns are wanted.
    pub fn include(&self) -> Option<Vec<String>> {
        let names: Vec<String> = self
            .all("_include")
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        (!names.is_empty()).then_some(names)
    }
}

fn sort(text: &str) -> Result<Sort, ApiError> {
    let (descending, name) = match text.strip_prefix('-') {
        Some(name) => (true, name),
        // A plus that was not escaped arrives as a space.
        None => (false, text.trim_start_matches(['+', ' '])),
    };
    let name = name.strip_prefix('@').unwrap_or(name);
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err(ApiError::bad_parameters(format!("Invalid sort parameter: {text}")));
    }
    Ok(Sort { column: name.to_owned(), descending })
}

impl FromRequest for Listing {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parameters = url::form_urlencoded::parse(request.query_string().as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        std::future::ready(Ok(Self { parameters }))
    }
}

/// The size of a page as it is told: of one that was asked to hold everything, how much that is.
pub fn page_size(asked: u64, total: u64) -> u64 {
    if asked == u64::MAX { total } else { asked }
}

/// A page in Cloudify's form.
pub fn page_json(page: Page) -> Value {
    let pagination =
        json!({ "total": page.total, "size": page_size(page.size, page.total), "offset": page.offset });
    let items = page.items.into_iter().map(Value::Object).collect();
    list_json(items, json!({ "pagination": pagination, "filtered": page.filtered }))
}

/// A list in Cloudify's form. The items are moved into it, where `json!` would copy each of them.
pub fn list_json(items: Vec<Value>, metadata: Value) -> Value {
    let mut answer = Map::new();
    answer.insert("items".to_owned(), Value::Array(items));
    answer.insert("metadata".to_owned(), metadata);
    Value::Object(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(query: &str) -> Listing {
        Listing {
            parameters: url::form_urlencoded::parse(query.as_bytes())
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        }
    }

    #[test]
    fn the_parameters_of_the_python_clients_are_understood() {
        let query = listing("_all_tenants=False&_offset=5&_size=7&_sort=-created_at&_sort=%2Bid&_include=a%2Cb&id=x&id=y&own=1")
            .query(&["own"])
            .unwrap();
        assert_eq!(query.include, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!((query.offset, query.size, query.all_tenants), (5, 7, false));
        let sort: Vec<(&str, bool)> = query.sort.iter().map(|s| (s.column.as_str(), s.descending)).collect();
        assert_eq!(sort, [("created_at", true), ("id", false)]);
        assert_eq!(
            query.filters,
            [Filter { column: "id".to_owned(), values: vec!["x".to_owned(), "y".to_owned()] }]
        );
        for bad in ["_offset=-1", "_size=x", "_sort=a;b", "_all_tenants=maybe"] {
            assert!(listing(bad).query(&[]).is_err(), "{bad}");
        }
    }
}
