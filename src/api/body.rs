//! A body that is a file: raw with or without a length, chunked, or the first file of a form.

use actix_multipart::Multipart;
use actix_web::http::header;
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use futures_util::StreamExt;

use super::ApiError;

/// The pieces of a file in a body.
pub(super) struct Body {
    form: Form,
    length: Option<u64>,
}

enum Form {
    Raw(web::Payload),
    Multipart(Box<Multipart>, Option<Box<actix_multipart::Field>>),
}

impl Body {
    /// Reads the body as what it is: a form only where its content type says `multipart/form-data` with a boundary.
    ///
    /// # Errors
    /// 400 for a `Content-Length` that is no number.
    pub(super) fn new(request: &HttpRequest, payload: web::Payload) -> Result<Self, ApiError> {
        let header =
            |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let content_type = header(header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
        if content_type.starts_with("multipart/form-data") && content_type.contains("boundary=") {
            let form = Box::new(Multipart::new(request.headers(), payload));
            return Ok(Self { form: Form::Multipart(form, None), length: None });
        }
        let length = header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        Ok(Self { form: Form::Raw(payload), length })
    }

    /// The file's length where the caller has told it.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// 400 where the body broke off or is no form.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        match &mut self.form {
            Form::Raw(payload) => match payload.next().await {
                None => Ok(None),
                Some(Ok(bytes)) => Ok(Some(bytes)),
                Some(Err(error)) => Err(broken(&error)),
            },
            Form::Multipart(form, field) => loop {
                if let Some(open) = field {
                    match open.next().await {
                        Some(Ok(bytes)) => return Ok(Some(bytes)),
                        Some(Err(error)) => return Err(broken(&error)),
                        None => return Ok(None),
                    }
                }
                match form.next().await {
                    None => return Err(ApiError::bad_parameters("the form holds no file")),
                    Some(Err(error)) => return Err(broken(&error)),
                    Some(Ok(found)) => {
                        // Fields without a file name are values beside it.
                        let is_file =
                            found.content_disposition().is_some_and(|about| about.get_filename().is_some());
                        if is_file {
                            *field = Some(Box::new(found));
                        }
                    }
                }
            },
        }
    }
}

fn broken(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::bad_parameters(format!("the body could not be read: {error}"))
}
