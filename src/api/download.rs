//! Files on their way out: whole or one range, with a length, never compressed on the way.

use actix_web::body::SizedStream;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::files::OpenFile;

use super::{ApiError, ErrorCode};

/// A file to be sent.
pub struct FileBody {
    /// The open file.
    pub file: OpenFile,
    /// Its SHA-256 in hex, for `ETag` and `Repr-Digest`; none where it is not known.
    pub sha256: Option<String>,
    /// The name for `Content-Disposition`: of letters, digits and `-._~` only.
    pub name: String,
    /// The media type.
    pub content_type: &'static str,
}

/// The bytes asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u64,
    length: u64,
}

impl FileBody {
    /// The response: the whole file, one range of it, or 304 where the caller has it already. A `HEAD` gets the same
    /// headers. Several ranges at once are answered with the whole file (RFC 9110, 14.2); one that begins past the
    /// end, with 416 and the file's length.
    pub fn respond(self, request: &HttpRequest) -> HttpResponse {
        let whole = self.file.length_bytes();
        let header =
            |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let etag = self.sha256.as_ref().map(|hash| format!("\"{hash}\""));
        let is_known =
            |value: &str| etag.as_ref().is_some_and(|etag| value.split(',').any(|one| one.trim() == etag));
        if header(header::IF_NONE_MATCH).is_some_and(is_known) {
            let mut response = HttpResponse::NotModified();
            response.insert_header((header::ETAG, etag.unwrap_or_default()));
            return response.finish();
        }
        let may_range = header(header::IF_RANGE).is_none_or(is_known);
        let range = header(header::RANGE).filter(|_| may_range);
        let span = match range.map(|range| parse_range(range, whole)) {
            None | Some(Range::Whole) => None,
            Some(Range::One(span)) => Some(span),
            Some(Range::Unsatisfiable) => {
                let error = ApiError::new(
                    ErrorCode::RangeNotSatisfiable,
                    format!("the range begins past the end: the file has {} bytes", whole),
                );
                let mut response = error.error_response();
                if let Ok(value) = header::HeaderValue::try_from(format!("bytes */{}", whole)) {
                    response.headers_mut().insert(header::CONTENT_RANGE, value);
                }
                return response;
            }
        };
        let mut response = HttpResponse::build(span.map_or(StatusCode::OK, |_| StatusCode::PARTIAL_CONTENT));
        response
            .insert_header((header::CONTENT_TYPE, self.content_type))
            .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename={}", self.name)))
            .insert_header(("Content-Description", "File Transfer"))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header((header::ACCEPT_RANGES, "bytes"));
        if let Some(etag) = etag {
            response.insert_header((header::ETAG, etag));
        }
        // Of the whole file, whichever part of it is sent (RFC 9530).
        if let Some(hash) = self.sha256.as_ref().and_then(|hash| hex::decode(hash).ok()) {
            response.insert_header(("Repr-Digest", format!("sha-256=:{}:", STANDARD.encode(hash))));
        }
        if let Some(Span { start, length }) = span {
            let last = start + length.saturating_sub(1);
            response.insert_header((header::CONTENT_RANGE, format!("bytes {start}-{last}/{}", whole)));
        }
        let span = span.unwrap_or(Span { start: 0, length: whole });
        response.body(SizedStream::new(span.length, self.file.stream(span.start, span.length)))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    One(Span),
    Unsatisfiable,
}

/// Reads `bytes=a-b`, `bytes=a-` and `bytes=-n` (RFC 9110, 14.1.2). What can't be read is ignored, as the RFC says.
fn parse_range(text: &str, length: u64) -> Range {
    let Some(spec) = text.strip_prefix("bytes=").map(str::trim) else { return Range::Whole };
    if spec.contains(',') {
        return Range::Whole;
    }
    let Some((first, last)) = spec.split_once('-') else { return Range::Whole };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match (first.trim().is_empty(), number(first), number(last), last.trim().is_empty()) {
        (true, _, Some(0), _) => Range::Unsatisfiable,
        (true, _, Some(suffix), _) if length > 0 => {
            let suffix = suffix.min(length);
            Range::One(Span { start: length - suffix, length: suffix })
        }
        (true, _, Some(_), _) => Range::Unsatisfiable,
        (false, Some(start), None, true) if start < length => {
            Range::One(Span { start, length: length - start })
        }
        (false, Some(start), Some(last), _) if start <= last && start < length => {
            Range::One(Span { start, length: last.min(length - 1) - start + 1 })
        }
        (false, Some(start), None, true) if start >= length => Range::Unsatisfiable,
        (false, Some(start), Some(last), _) if start <= last => Range::Unsatisfiable,
        _ => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let one = |start, length| Range::One(Span { start, length });
        for (text, expected) in [
            ("bytes=0-0", one(0, 1)),
            ("bytes=2-", one(2, 8)),
            ("bytes=-3", one(7, 3)),
            ("bytes=-30", one(0, 10)),
            ("bytes=5-100", one(5, 5)),
            ("bytes=10-", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=10-20", Range::Unsatisfiable),
            ("bytes=0-1,3-4", Range::Whole),
            ("bytes=5-2", Range::Whole),
            ("bytes=a-b", Range::Whole),
            ("bytes=99999999999999999999-", Range::Whole),
            ("items=0-1", Range::Whole),
        ] {
            assert_eq!(parse_range(text, 10), expected, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Range::Unsatisfiable);
    }
}
