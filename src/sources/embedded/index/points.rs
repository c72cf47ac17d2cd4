//! The measurements of a state, series by series: how many, from when to when, and a digest of all of them.

use std::io::{self, BufRead, Read};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::charts::store::FILE_HEADER;

use super::fields::{DigestKey, Fields};

/// A longer line can't be one that a create wrote.
const MAX_LINE_BYTES: u64 = 256 << 10;

/// A line of line protocol, as far as it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point<'a> {
    /// The metric's name and the tags, as they are written.
    pub series: &'a str,
    /// Fields and time.
    rest: &'a str,
    /// Seconds since 1970.
    seconds: i64,
}

/// Reads the next line; answers whether there was one.
pub(super) fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = reader.take(MAX_LINE_BYTES).read_until(b'\n', line)?;
    if read as u64 == MAX_LINE_BYTES && line.last() != Some(&b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of it is too long"));
    }
    Ok(read > 0)
}

/// Reads a line of an export; none where it is a part of the file's header.
pub(super) fn parse(line: &str) -> Result<Option<Point<'_>>, &'static str> {
    let line = line.trim();
    if line.is_empty() || FILE_HEADER.lines().any(|header| header == line) {
        return Ok(None);
    }
    let end = series_end(line).ok_or("a line of it is no measurement")?;
    let (series, rest) = (&line[..end], line[end..].trim_start());
    let time = rest.rsplit_once(' ').and_then(|(_, time)| time.parse::<i64>().ok());
    let seconds = time.ok_or("a line of it has no time")?.div_euclid(1_000_000_000);
    Ok(Some(Point { series, rest, seconds }))
}

/// The first blank that no backslash escapes.
fn series_end(line: &str) -> Option<usize> {
    let mut is_escaped = false;
    line.bytes().position(|byte| {
        let is_end = byte == b' ' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

/// The series that is being read.
#[derive(Default)]
pub(super) struct Points {
    current: Option<Series>,
}

struct Series {
    tenant: String,
    name: String,
    count: u64,
    first: i64,
    last: i64,
    hash: Sha256,
}

impl Points {
    /// Whether the series that is being read is this one.
    pub fn is_of(&self, tenant: &str, series: &str) -> bool {
        self.current.as_ref().is_some_and(|current| current.name == series && current.tenant == tenant)
    }

    /// Begins a series.
    pub fn begin(&mut self, tenant: &str, series: &str) {
        self.current = Some(Series {
            tenant: tenant.to_owned(),
            name: series.to_owned(),
            count: 0,
            first: i64::MAX,
            last: i64::MIN,
            hash: Sha256::new(),
        });
    }

    /// Adds a point of the series that is being read.
    pub fn add(&mut self, point: &Point<'_>) {
        let Some(series) = &mut self.current else { return };
        series.count += 1;
        series.first = series.first.min(point.seconds);
        series.last = series.last.max(point.seconds);
        series.hash.update(point.rest.as_bytes());
        series.hash.update(b"\n");
    }

    /// Ends the series: its tenant, its name and what is told of it.
    pub fn take(&mut self, digests: &DigestKey) -> Option<(String, String, Fields)> {
        let series = self.current.take()?;
        let mut fields: Fields = [("first_time", series.first), ("last_time", series.last)]
            .map(|(key, seconds)| (key.to_owned(), Value::from(seconds).to_string()))
            .into();
        fields.insert("points".to_owned(), series.count.to_string());
        fields.insert("values".to_owned(), digests.mark_of(digests.finish(series.hash)));
        Some((series.tenant, series.name, fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_at_the_blank_that_ends_the_series() {
        let point = parse("cpu\\ load,host=a\\ b value=1.5 1700000000000000000\n").unwrap().unwrap();
        assert_eq!((point.series, point.seconds), ("cpu\\ load,host=a\\ b", 1_700_000_000));
        assert_eq!(point.rest, "value=1.5 1700000000000000000");
        assert!(FILE_HEADER.lines().all(|line| parse(line).unwrap().is_none()));
        assert!(parse("cpu value=1").is_err());
        assert!(parse("cpu").is_err());
    }
}
