//! YAML into JSON values, as PyYAML reads it, within limits.
//!
//! Blueprints are written for PyYAML, which follows YAML 1.1: a plain `yes`,
//! `no`, `on` or `off` is a boolean, `0755` is octal, `1:30` counts in sixties,
//! `1e3` is text. Keys that are no text become text as in JSON. The last of two
//! equal keys wins. Dates stay text, for a plan is JSON.
//!
//! Nothing here knows what a blueprint is.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::budget::{Budget, Spent, weight};
use super::error::BlueprintError;

/// How deep lists and mappings may nest.
const MAX_DEPTH: usize = 64;

/// Reads the only document of `text`; an empty text is an empty mapping.
///
/// Every value charges `budget`, and an alias charges what it stands for.
pub(super) fn load(text: &str, file: &str, budget: &mut Budget) -> Result<Value, BlueprintError> {
    let mut composer =
        Composer { parser: Parser::new_from_str(text), anchors: HashMap::new(), budget, file, line: 1 };
    let mut document = None;
    while let Some(event) = composer.next()? {
        match event {
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            _ if document.is_some() => {
                return Err(composer.error("expected a single document"));
            }
            event => document = Some(composer.compose(event, 0)?),
        }
    }
    Ok(match document {
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(value) => value,
    })
}

struct Composer<'text, 'run> {
    parser: Parser<'text, StrInput<'text>>,
    anchors: HashMap<usize, (Value, usize)>,
    budget: &'run mut Budget,
    file: &'run str,
    line: usize,
}

impl<'text> Composer<'text, '_> {
    fn next(&mut self) -> Result<Option<Event<'text>>, BlueprintError> {
        loop {
            match self.parser.next_event() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => {
                    self.line = line_of(&span);
                    return Ok(Some(event));
                }
                Some(Err(error)) => {
                    self.line = error.marker().line();
                    return Err(self.error(error.info()));
                }
            }
        }
    }

    fn error(&self, problem: impl Into<String>) -> BlueprintError {
        BlueprintError::Yaml { file: self.file.to_owned(), line: self.line, problem: problem.into() }
    }

    fn spent(&self, Spent: Spent) -> BlueprintError {
        self.error("the blueprint grows too large; look for aliases of aliases")
    }

    fn compose(&mut self, event: Event<'text>, depth: usize) -> Result<Value, BlueprintError> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.budget.spend_one(text.len()).map_err(|spent| self.spent(spent))?;
                let value = self.scalar(&text, style, tag.as_deref())?;
                self.keep(anchor, &value)?;
                Ok(value)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq")?;
                let value = Value::Array(self.sequence(depth)?);
                self.keep(anchor, &value)?;
                Ok(value)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map")?;
                let value = Value::Object(self.mapping(depth)?);
                self.keep(anchor, &value)?;
                Ok(value)
            }
            Event::Alias(anchor) => {
                let Some((value, weight)) = self.anchors.get(&anchor) else {
                    return Err(self.error("an alias refers to a value that contains it"));
                };
                let value = value.clone();
                let weight = *weight;
                self.budget.spend(weight).map_err(|spent| self.spent(spent))?;
                Ok(value)
            }
            _ => Err(self.error("expected a value")),
        }
    }

    /// Remembers an anchored value; the copy counts, for anchors may nest.
    fn keep(&mut self, anchor: usize, value: &Value) -> Result<(), BlueprintError> {
        if anchor != 0 {
            let weight = weight(value);
            self.budget.spend(weight).map_err(|spent| self.spent(spent))?;
            self.anchors.insert(anchor, (value.clone(), weight));
        }
        Ok(())
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Value>, BlueprintError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Some(Event::SequenceEnd) => return Ok(items),
                Some(event) => items.push(self.compose(event, depth + 1)?),
                None => return Err(self.error("a list does not end")),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Map<String, Value>, BlueprintError> {
        let mut merged = Map::new();
        let mut entries = Map::new();
        loop {
            let key = match self.next()? {
                Some(Event::MappingEnd) => break,
                Some(event) => event,
                None => return Err(self.error("a mapping does not end")),
            };
            let is_merge = matches!(
                &key,
                Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<"
            );
            let key = self.compose(key, depth + 1)?;
            let Some(event) = self.next()? else {
                return Err(self.error("a mapping does not end"));
            };
            let value = self.compose(event, depth + 1)?;
            if is_merge {
                self.merge(&mut merged, value)?;
            } else {
                entries.insert(self.key(key)?, value);
            }
        }
        merged.extend(entries);
        Ok(merged)
    }

    /// Takes in what `<<` names: a mapping, or a list of which the earlier win.
    fn merge(&self, merged: &mut Map<String, Value>, value: Value) -> Result<(), BlueprintError> {
        let sources = match value {
            Value::Array(items) => items,
            single => vec![single],
        };
        for source in sources.into_iter().rev() {
            let Value::Object(source) = source else {
                return Err(self.error("`<<` expects a mapping or a list of mappings"));
            };
            merged.extend(source);
        }
        Ok(())
    }

    fn key(&self, key: Value) -> Result<String, BlueprintError> {
        match key {
            Value::String(text) => Ok(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(key.to_string()),
            Value::Array(_) | Value::Object(_) => Err(self.error("a list or a mapping cannot be a key")),
        }
    }

    fn check_tag(&self, tag: Option<&Tag>, expected: &str) -> Result<(), BlueprintError> {
        match tag {
            None => Ok(()),
            Some(tag) if tag.core_suffix() == Some(expected) => Ok(()),
            Some(tag) => Err(self.error(format!("the tag `{}` is not supported", tag.original()))),
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, BlueprintError> {
        let text_value = || Value::String(text.to_owned());
        let Some(tag) = tag else {
            return if matches!(style, ScalarStyle::Plain) {
                resolve(text).map_err(|problem| self.error(problem))
            } else {
                Ok(text_value())
            };
        };
        let wrong = || self.error(format!("`{text}` does not fit the tag `{}`", tag.original()));
        match tag.core_suffix() {
            Some("str") => Ok(text_value()),
            Some("null") => Ok(Value::Null),
            Some("bool") => boolean(text).map(Value::Bool).ok_or_else(wrong),
            Some("int") => integer(text).map_err(|problem| self.error(problem))?.ok_or_else(wrong),
            Some("float") => float(text).or_else(|| text.parse().ok().and_then(number)).ok_or_else(wrong),
            _ if tag.original() == "!" => Ok(text_value()),
            _ => Err(self.error(format!("the tag `{}` is not supported", tag.original()))),
        }
    }
}

fn line_of(span: &Span) -> usize {
    span.start.line()
}

/// What a plain scalar is in YAML 1.1.
fn resolve(text: &str) -> Result<Value, String> {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Ok(Value::Null);
    }
    if let Some(flag) = boolean(text) {
        return Ok(Value::Bool(flag));
    }
    if let Some(value) = integer(text)? {
        return Ok(value);
    }
    Ok(float(text).unwrap_or_else(|| Value::String(text.to_owned())))
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// Splits the sign off: `true` where it is a minus.
fn signed(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn integer(text: &str) -> Result<Option<Value>, String> {
    let (negative, body) = signed(text);
    let digits_of = |body: &str, allowed: fn(u8) -> bool| {
        (!body.is_empty() && body.bytes().all(|byte| byte == b'_' || allowed(byte)))
            .then(|| body.replace('_', ""))
            .filter(|digits| !digits.is_empty())
    };
    let magnitude = if let Some(rest) = body.strip_prefix("0b") {
        digits_of(rest, |byte| matches!(byte, b'0' | b'1')).map(|digits| radix(&digits, 2))
    } else if let Some(rest) = body.strip_prefix("0x") {
        digits_of(rest, |byte| byte.is_ascii_hexdigit()).map(|digits| radix(&digits, 16))
    } else if body == "0" {
        Some(Some(0))
    } else if let Some(rest) = body.strip_prefix('0') {
        digits_of(rest, |byte| matches!(byte, b'0'..=b'7')).map(|digits| radix(&digits, 8))
    } else if body.contains(':') {
        sexagesimal(body)
    } else if body.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        digits_of(body, |byte| byte.is_ascii_digit()).map(|digits| radix(&digits, 10))
    } else {
        None
    };
    let Some(magnitude) = magnitude else {
        return Ok(None);
    };
    let too_large = || format!("the number `{text}` is too large; quote it to make it text");
    let magnitude = magnitude.ok_or_else(too_large)?;
    let value = if negative { -magnitude } else { magnitude };
    let number = i64::try_from(value)
        .map(Number::from)
        .or_else(|_| u64::try_from(value).map(Number::from))
        .map_err(|_| too_large())?;
    Ok(Some(Value::Number(number)))
}

/// The value of `digits`; none where it does not fit.
fn radix(digits: &str, radix: u32) -> Option<i128> {
    i128::from_str_radix(digits, radix).ok().filter(|value| *value <= i128::from(u64::MAX))
}

/// `190:20:30` as YAML 1.1 counts it; none where it is no such number.
fn sexagesimal(body: &str) -> Option<Option<i128>> {
    let mut parts = body.split(':');
    let first = parts.next()?;
    let starts_well = first.starts_with(|first: char| ('1'..='9').contains(&first))
        && first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if !starts_well {
        return None;
    }
    let mut value = radix(&first.replace('_', ""), 10);
    for part in parts {
        let fits = matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
        let digit = part.parse::<i128>().ok().filter(|_| fits)?;
        value = value
            .and_then(|value| value.checked_mul(60)?.checked_add(digit))
            .filter(|value| *value <= i128::from(u64::MAX));
    }
    Some(value)
}

/// A float of YAML 1.1: it has a point, and a sign in its exponent.
fn float(text: &str) -> Option<Value> {
    let (_, body) = signed(text);
    let has_sign = body.len() < text.len();
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let starts_with_digit = |part: &str| part.starts_with(|first: char| first.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    if !(starts_with_digit(whole) || whole.is_empty() && !has_sign && starts_with_digit(fraction)) {
        return None;
    }
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-'])?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
    }
    text.replace('_', "").parse().ok().and_then(number)
}

/// A float as a JSON number; none where JSON has no such number.
fn number(value: f64) -> Option<Value> {
    Number::from_f64(value).map(Value::Number)
}
