//! What this face's calls have in common: pages, times, numbers.

use chrono::{DateTime, NaiveDateTime};
use serde_json::{Map, Value, json};

use crate::api::Listing;
use crate::charts::store::MAX_TIME;
use crate::charts::{ChartError, Found, Slice};

/// The most items on a page, and how many there are where none is asked for (Librato's).
const MAX_LENGTH: u64 = 100;

/// The page that is asked for by `offset`, `length` and `sort`.
pub(super) fn slice(listing: &Listing) -> Result<Slice, ChartError> {
    sorted_slice(listing, false)
}

/// [`slice`] of a list that begins with the last one where no `sort` is asked for.
pub(super) fn slice_of_newest(listing: &Listing) -> Result<Slice, ChartError> {
    sorted_slice(listing, true)
}

fn sorted_slice(listing: &Listing, default: bool) -> Result<Slice, ChartError> {
    let number = |name: &str, default: u64| match listing.get(name) {
        None => Ok(default),
        Some(text) => {
            text.parse().map_err(|_| ChartError::parameter(name, "is not a number that is not negative"))
        }
    };
    let descending = match listing.get("sort") {
        None => default,
        Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(ChartError::parameter("sort", "is not one of asc, desc")),
    };
    let length = number("length", MAX_LENGTH)?.min(MAX_LENGTH);
    Ok(Slice { offset: number("offset", 0)?, length, descending })
}

/// A page in Librato's form, its items under `name`.
pub(super) fn page<T>(name: &str, slice: Slice, found: &Found<T>, view: impl Fn(&T) -> Value) -> Value {
    let items: Vec<Value> = found.items.iter().map(view).collect();
    json!({
        "query": {
            "found": found.found,
            "length": items.len(),
            "offset": slice.offset,
            "total": found.total,
        },
        name: items,
    })
}

/// The number that is a part of a path; anything else is no number of anything.
pub(super) fn number(noun: &'static str, text: &str) -> Result<i64, ChartError> {
    text.parse().map_err(|_| ChartError::NotFound { noun, id: text.to_owned() })
}

/// A whole number, also as text.
pub(super) fn whole(fields: &Map<String, Value>, name: &str) -> Result<Option<i64>, ChartError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .or_else(|| {
                let number = value.as_f64().filter(|number| number.fract() == 0.0);
                // Beyond this, not every whole number is one of these.
                number.filter(|number| number.abs() < 9e15).map(|number| number as i64)
            })
            .or_else(|| value.as_str()?.trim().parse().ok())
            .map(Some)
            .ok_or_else(|| ChartError::parameter(name, "is not an integer")),
    }
}

/// A text.
pub(super) fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, ChartError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(ChartError::parameter(name, "is not a string")),
    }
}

/// A flag, also as text.
pub(super) fn flag(fields: &Map<String, Value>, name: &str) -> Result<Option<bool>, ChartError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) if text == "true" => Ok(Some(true)),
        Some(Value::String(text)) if text == "false" => Ok(Some(false)),
        Some(_) => Err(ChartError::parameter(name, "is not a boolean")),
    }
}

/// A moment in whole seconds since 1970: such a number, what Ruby writes for a time (`2016-02-20 01:18:46 UTC`), or
/// ISO 8601.
pub(super) fn moment(fields: &Map<String, Value>, name: &str) -> Result<Option<i64>, ChartError> {
    let wrong = || {
        ChartError::parameter(name, "is not a time: give seconds since 1970, or e.g. 2016-02-20T01:18:46Z")
    };
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(written)) => parse_moment(written).map(Some).ok_or_else(wrong),
        Some(value) => {
            let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
            seconds.filter(is_moment).map(Some).ok_or_else(wrong)
        }
    }
}

/// A number of seconds that a window spans.
pub(super) fn span(fields: &Map<String, Value>, name: &str) -> Result<Option<i64>, ChartError> {
    match whole(fields, name)? {
        Some(seconds) if !(1..=MAX_TIME).contains(&seconds) => {
            Err(ChartError::parameter(name, format!("is not from 1 to {MAX_TIME}")))
        }
        seconds => Ok(seconds),
    }
}

/// The items of a list, also as an object by places, as forms have it.
pub(super) fn items(list: &Value) -> Option<Vec<&Value>> {
    match list {
        Value::Array(items) => Some(items.iter().collect()),
        Value::Object(items) => {
            let places = items.iter().map(|(place, item)| Some((place.parse::<u32>().ok()?, item)));
            let places: Option<std::collections::BTreeMap<u32, &Value>> = places.collect();
            Some(places?.into_values().collect())
        }
        _ => None,
    }
}

fn is_moment(seconds: &i64) -> bool {
    (-MAX_TIME..=MAX_TIME).contains(seconds)
}

/// [`moment`] of a text.
pub(super) fn parse_moment(text: &str) -> Option<i64> {
    parse_any_moment(text.trim()).filter(is_moment)
}

fn parse_any_moment(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds);
    }
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.timestamp());
    }
    if let Ok(moment) = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %z") {
        return Some(moment.timestamp());
    }
    let plain = text.strip_suffix("UTC").or(text.strip_suffix('Z')).unwrap_or(text).trim();
    ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(plain, form).ok())
        .map(|moment| moment.and_utc().timestamp())
}

/// A moment as this face writes it: ISO 8601 in UTC, whole seconds.
pub(super) fn written(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0)
        .map(|moment| moment.format("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_all_clients_are_read() {
        for text in [
            "1455931126",
            "2016-02-20 01:18:46 UTC",
            "2016-02-20 02:18:46 +0100",
            "2016-02-20T01:18:46Z",
            "2016-02-20T01:18:46.5Z",
            "2016-02-20T01:18:46",
        ] {
            assert_eq!(parse_moment(text), Some(1_455_931_126), "{text}");
        }
        for wrong in ["yesterday", "", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(parse_moment(wrong), None, "{wrong}");
        }
        assert_eq!(written(1_455_931_126), "2016-02-20T01:18:46Z");
    }
}
