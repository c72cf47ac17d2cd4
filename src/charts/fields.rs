//! Members of an object that a caller sent: numbers and flags also as texts, lists also as objects by places, as forms
//! have them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::ChartError;

/// The longest name, in characters: names may be long, and are clipped only in pictures.
const MAX_NAME_CHARACTERS: usize = 4096;

/// Reads members of a caller's object, and says which one can't be used.
pub(super) struct Reader<'a> {
    pub object: &'a Map<String, Value>,
    /// Where the object stands, with a `.` at the end where it is not the whole body.
    pub place: String,
}

impl<'a> Reader<'a> {
    pub fn wrong(&self, name: &str, reason: &str) -> ChartError {
        ChartError::parameter(format!("{}{name}", self.place), reason)
    }

    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub fn text(&self, name: &str) -> Result<Option<String>, ChartError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= MAX_NAME_CHARACTERS => {
                Ok(Some(text.clone()))
            }
            Some(Value::String(_)) => Err(self.wrong(name, "is too long")),
            Some(_) => Err(self.wrong(name, "is not a string")),
        }
    }

    pub fn number(&self, name: &str) -> Result<Option<f64>, ChartError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => number(value).map(Some).ok_or_else(|| self.wrong(name, "is not a number")),
        }
    }

    pub fn whole(&self, name: &str) -> Result<Option<i64>, ChartError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .or_else(|| value.as_str()?.parse().ok())
                .map(Some)
                .ok_or_else(|| self.wrong(name, "is not an integer")),
        }
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, ChartError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" => Ok(Some(false)),
            Some(_) => Err(self.wrong(name, "is not a boolean")),
        }
    }

    pub fn word<T>(
        &self,
        name: &str,
        parse: fn(&str) -> Option<T>,
        words: &[&str],
    ) -> Result<Option<T>, ChartError> {
        match self.text(name)? {
            None => Ok(None),
            Some(word) => parse(&word)
                .map(Some)
                .ok_or_else(|| self.wrong(name, &format!("is not one of {}", words.join(", ")))),
        }
    }

    /// A list, or an object whose keys are the places, as brackets in forms give it.
    pub fn list(&self, name: &str) -> Result<Option<Vec<&'a Value>>, ChartError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items.iter().collect())),
            Some(Value::Object(items)) => {
                let mut numbered = BTreeMap::new();
                for (key, item) in items {
                    let number: u32 = key.parse().map_err(|_| self.wrong(name, "is not a list"))?;
                    numbered.insert(number, item);
                }
                Ok(Some(numbered.into_values().collect()))
            }
            Some(_) => Err(self.wrong(name, "is not a list")),
        }
    }

    pub fn objects(&self, name: &str) -> Result<Option<Vec<Reader<'a>>>, ChartError> {
        let Some(items) = self.list(name)? else { return Ok(None) };
        let mut readers = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let object = item.as_object().ok_or_else(|| self.wrong(name, "has an item that is no object"))?;
            readers.push(Reader { object, place: format!("{}{name}[{index}].", self.place) });
        }
        Ok(Some(readers))
    }
}

/// A finite number, also as text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number: &f64| number.is_finite())
}
