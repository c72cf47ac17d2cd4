//! Measurements as InfluxDB's line protocol, and back.
//!
//! The measurement is the metric's name, the tags are the series'. A plain value is the field `value`; an aggregate
//! has `count` (an integer), `sum`, `min`, `max`, `last` and, if known, `sum_squares`. Times are nanoseconds. Numbers
//! are written in as few digits as bring them back bit for bit. Format: InfluxDB 1.6, "Line protocol reference".

use std::fmt::Write;

use super::{Measurement, MetricName, NameError, Point, SeriesKey, Tags};
use crate::model::TenantName;

const NANOSECONDS: i64 = 1_000_000_000;
/// A longer line can't be one of ours: a name, fifty tags and six numbers.
const MAX_LINE: usize = 128 * 1024;

/// Why a line can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("the line is longer than 131,072 bytes")]
    TooLong,
    #[error("the line has no fields: it reads `name,tag=value field=number time`")]
    NoFields,
    #[error("the tag `{0}` has no value")]
    NoTagValue(String),
    #[error("the field `{0}` is none of `value`, `count`, `sum`, `min`, `max`, `last` and `sum_squares`")]
    UnknownField(String),
    #[error("the field `{0}` is no finite number")]
    NotANumber(String),
    #[error("the line has neither `value` nor all of `count`, `sum`, `min`, `max` and `last`")]
    MissingField,
    #[error("the line ends without a time in nanoseconds")]
    NoTime,
    #[error("the line can't be a measurement")]
    Name(#[from] NameError),
}

/// What every line of a series begins with: its name and tags, and the blank behind them.
pub(super) fn series_prefix(key: &SeriesKey) -> String {
    let mut prefix = String::new();
    escape(&mut prefix, key.metric.as_str(), ", ");
    for (name, value) in key.tags.iter() {
        prefix.push(',');
        escape(&mut prefix, name, ",= ");
        prefix.push('=');
        escape(&mut prefix, value, ",= ");
    }
    prefix.push(' ');
    prefix
}

/// Writes a line behind `out`, its end included.
pub(super) fn put_line(out: &mut String, prefix: &str, point: &Point) {
    out.push_str(prefix);
    // Writing into a text can't fail. `{:?}` is the shortest form that reads back as the same number, and turns to
    // exponents where digits would be many.
    if point.is_plain() {
        let _ = write!(out, "value={:?}", point.last);
    } else {
        let Point { count, sum, min, max, last, .. } = point;
        let _ = write!(out, "count={count}i,sum={sum:?},min={min:?},max={max:?},last={last:?}");
        if let Some(sum_squares) = point.sum_squares {
            let _ = write!(out, ",sum_squares={sum_squares:?}");
        }
    }
    let _ = writeln!(out, " {}", point.time * NANOSECONDS);
}

fn escape(out: &mut String, text: &str, special: &str) {
    for character in text.chars() {
        if special.contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
}

/// Reads a line as a measurement of `tenant`. Blank lines, comments and the database's own statements (`CREATE
/// DATABASE …`) are no measurements and give none.
///
/// # Errors
/// When the line is none that an export has: another field, no time, a name that a metric can't have.
pub fn import_line(tenant: &TenantName, line: &str) -> Result<Option<Measurement>, LineError> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') || is_statement(line) {
        return Ok(None);
    }
    if line.len() > MAX_LINE {
        return Err(LineError::TooLong);
    }
    let (series, rest) = split_unescaped(line, b' ').ok_or(LineError::NoFields)?;
    let (name, mut tail) =
        split_unescaped(series, b',').map_or((series, None), |(name, tags)| (name, Some(tags)));
    let metric = MetricName::parse(&unescape(name))?;
    let mut tags = Tags::new();
    while let Some(text) = tail {
        let (tag, next) = split_unescaped(text, b',').map_or((text, None), |(tag, next)| (tag, Some(next)));
        let (name, value) = split_unescaped(tag, b'=').ok_or_else(|| LineError::NoTagValue(unescape(tag)))?;
        tags.insert(&unescape(name), &unescape(value))?;
        tail = next;
    }
    let (fields, time) = rest.trim().rsplit_once(' ').ok_or(LineError::NoTime)?;
    let nanoseconds: i64 = time.parse().map_err(|_| LineError::NoTime)?;
    let point = point_of(fields.trim(), nanoseconds.div_euclid(NANOSECONDS))?;
    let key = SeriesKey { tenant: tenant.clone(), metric, tags };
    Ok(Some(Measurement { key, kind: None, period: None, point }))
}

/// `influx -import` has such lines between `# DDL` and `# DML`. No metric has a blank in its name, so the first word
/// alone would be one.
fn is_statement(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let is = |word: Option<&str>, expected: &[&str]| {
        word.is_some_and(|word| expected.iter().any(|other| word.eq_ignore_ascii_case(other)))
    };
    is(words.next(), &["CREATE", "DROP", "ALTER"]) && is(words.next(), &["DATABASE", "RETENTION"])
}

fn point_of(fields: &str, time: i64) -> Result<Point, LineError> {
    let (mut value, mut count, mut numbers, mut sum_squares) = (None, None, [None; 4], None);
    for field in fields.split(',') {
        let (name, text) = field.split_once('=').ok_or(LineError::NoFields)?;
        let refused = || LineError::NotANumber(name.to_owned());
        if name == "count" {
            let digits = text.trim_end_matches(['i', 'u']);
            count = Some(digits.parse::<u64>().map_err(|_| refused())?);
            continue;
        }
        let number: f64 = text.trim_end_matches(['i', 'u']).parse().map_err(|_| refused())?;
        if !number.is_finite() {
            return Err(refused());
        }
        match name {
            "value" => value = Some(number),
            "sum" => numbers[0] = Some(number),
            "min" => numbers[1] = Some(number),
            "max" => numbers[2] = Some(number),
            "last" => numbers[3] = Some(number),
            "sum_squares" => sum_squares = Some(number),
            _ => return Err(LineError::UnknownField(name.chars().take(80).collect())),
        }
    }
    match (value, count, numbers) {
        (Some(value), None, [None, None, None, None]) => Ok(Point::plain(time, value)),
        (None, Some(count), [Some(sum), Some(min), Some(max), Some(last)]) => {
            Ok(Point { time, count, sum, min, max, sum_squares, last })
        }
        _ => Err(LineError::MissingField),
    }
}

/// Parts at the first `separator` that has no backslash before it.
fn split_unescaped(text: &str, separator: u8) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let at = (0..bytes.len()).find(|&at| bytes[at] == separator && (at == 0 || bytes[at - 1] != b'\\'))?;
    Some((&text[..at], &text[at + 1..]))
}

/// A backslash hides itself only before a character that it protects; elsewhere it is one.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match characters.peek() {
            Some(next) if character == '\\' && ",= ".contains(*next) => {}
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tenant() -> TenantName {
        TenantName::trusted("t")
    }

    fn line(key: &SeriesKey, point: &Point) -> String {
        let mut line = String::new();
        put_line(&mut line, &series_prefix(key), point);
        line
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![any::<f64>().prop_filter("finite", |n| n.is_finite()), Just(-0.0), Just(1e126), Just(0.1)]
    }

    fn points() -> impl Strategy<Value = Point> {
        let aggregate = (0..u64::MAX / 2, number(), number(), number(), number(), prop::option::of(number()));
        let point = prop_oneof![
            number().prop_map(|value| Point::plain(0, value)),
            aggregate.prop_map(|(count, sum, min, max, last, sum_squares)| Point {
                time: 0,
                count,
                sum,
                min,
                max,
                sum_squares,
                last,
            }),
        ];
        (-9_000_000_000..9_000_000_000_i64, point).prop_map(|(time, point)| Point { time, ..point })
    }

    proptest! {
        #[test]
        fn lines_come_back_as_they_were(
            name in "[A-Za-z0-9.:_-]{1,40}",
            tags in prop::collection::btree_map("[A-Za-z0-9.:_-]{1,20}", "\\PC{1,30}", 0..4),
            point in points(),
        ) {
            let mut key =
                SeriesKey { tenant: tenant(), metric: MetricName::parse(&name).unwrap(), tags: Tags::new() };
            for (name, value) in &tags {
                // What can't be stored is refused there and never becomes a line.
                let _ = key.tags.insert(name, value);
            }
            let back = import_line(&tenant(), &line(&key, &point)).unwrap().unwrap();
            prop_assert_eq!(back.key, key);
            prop_assert_eq!(back.point, point);
            prop_assert_eq!(back.point.last.to_bits(), point.last.to_bits());
            prop_assert_eq!(back.point.sum.to_bits(), point.sum.to_bits());
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = import_line(&tenant(), &text);
        }
    }

    #[test]
    fn lines_are_those_that_influxdb_reads() {
        let mut tags = Tags::new();
        tags.insert("rack", "a b,c=d\\e").unwrap();
        tags.insert("host", "über").unwrap();
        let key = SeriesKey { tenant: tenant(), metric: MetricName::parse("cpu.load").unwrap(), tags };
        insta::assert_snapshot!(
            [
                line(&key, &Point::plain(1_700_000_000, 0.1)),
                line(&key, &Point::plain(1, -1e126)),
                line(&key, &Point { count: 3, sum: 6.0, max: 3.0, sum_squares: Some(14.0), ..Point::plain(-60, 1.0) }),
            ]
            .concat(),
            @r"
        cpu.load,host=über,rack=a\ b\,c\=d\e value=0.1 1700000000000000000
        cpu.load,host=über,rack=a\ b\,c\=d\e value=-1e126 1000000000
        cpu.load,host=über,rack=a\ b\,c\=d\e count=3i,sum=6.0,min=1.0,max=3.0,last=1.0,sum_squares=14.0 -60000000000
        ");
    }

    #[test]
    fn what_is_no_measurement_gives_none_and_what_is_wrong_says_so() {
        for line in ["", "  ", "# DDL", "CREATE DATABASE lifeboat", "create retention policy x on y"] {
            assert_eq!(import_line(&tenant(), line), Ok(None), "{line}");
        }
        for (line, error) in [
            ("m", LineError::NoFields),
            ("m value=1", LineError::NoTime),
            ("m value=1 now", LineError::NoTime),
            ("m value=NaN 1", LineError::NotANumber("value".into())),
            ("m value=\"text\" 1", LineError::NotANumber("value".into())),
            ("m count=1i,sum=1 1", LineError::MissingField),
            ("m idle=1 1", LineError::UnknownField("idle".into())),
            ("m,host value=1 1", LineError::NoTagValue("host".into())),
            ("a\\ b value=1 1", LineError::Name(NameError::Metric("a b".into()))),
        ] {
            assert_eq!(import_line(&tenant(), line), Err(error), "{line}");
        }
        // A metric may have the name of a statement's first word.
        assert!(import_line(&tenant(), "create value=1 1").unwrap().is_some());
    }
}
