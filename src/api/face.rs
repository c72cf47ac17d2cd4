//! The faces of the API: by the path of a request, the form in which its errors are written.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::{ApiError, ErrorCode};

/// A family of calls whose clients expect errors in one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    /// Cloudify's API, and the service's own calls.
    Cloudify,
    /// elastic.io's API of version 2: JSON:API 1.0.
    Flows,
    /// elastic.io's API of version 1.
    Tasks,
}

impl Face {
    /// The face to which a path belongs, whether there is such a path or not.
    pub fn of(path: &str) -> Self {
        match path.split('/').nth(1) {
            Some("v2") => Self::Flows,
            Some("v1") => Self::Tasks,
            _ => Self::Cloudify,
        }
    }

    /// The answer that an error is, in the form of this face.
    pub fn answer(self, error: &ApiError) -> HttpResponse {
        let status = error.code().status();
        let mut response = HttpResponse::build(status);
        if error.code() == ErrorCode::Unauthorized {
            response.insert_header(("WWW-Authenticate", "Basic realm=\"lifeboat\""));
        }
        response.json(self.body(error, status))
    }

    /// The code of an error as this face has it.
    pub fn code(self, code: ErrorCode) -> String {
        match self {
            Self::Cloudify => code.as_str().to_owned(),
            Self::Flows | Self::Tasks => code.title_case(),
        }
    }

    /// The body of that answer.
    pub fn body(self, error: &ApiError, status: StatusCode) -> Value {
        match self {
            Self::Cloudify => json!({
                "message": error.to_string(),
                "error_code": self.code(error.code()),
                "server_traceback": null,
            }),
            Self::Flows => {
                let mut object = json!({
                    "status": status.as_str(),
                    "title": status.canonical_reason().unwrap_or_default(),
                    "code": self.code(error.code()),
                    "detail": error.to_string(),
                });
                if let Some(pointer) = error.pointer() {
                    object["source"] = json!({ "pointer": pointer });
                }
                json!({ "errors": [object] })
            }
            Self::Tasks => json!({ "error": error.to_string(), "code": self.code(error.code()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_form_of_errors() {
        assert_eq!(Face::of("/v2/flows"), Face::Flows);
        assert_eq!(Face::of("/v2"), Face::Flows);
        assert_eq!(Face::of("/v1/tasks/"), Face::Tasks);
        for path in ["/", "/api/v2/flows", "/service/health", "/v22", ""] {
            assert_eq!(Face::of(path), Face::Cloudify, "{path}");
        }
    }

    #[test]
    fn each_face_writes_the_same_error_in_its_form() {
        let error = ApiError::new(ErrorCode::IdMismatch, "no").at(Some("/data/id".to_owned()));
        let body = |face: Face| face.body(&error, error.code().status());
        assert_eq!(
            body(Face::Flows),
            json!({ "errors": [{ "status": "409", "title": "Conflict", "code": "IdMismatch", "detail": "no",
                                 "source": { "pointer": "/data/id" } }] })
        );
        assert_eq!(body(Face::Tasks), json!({ "error": "no", "code": "IdMismatch" }));
        assert_eq!(body(Face::Cloudify)["error_code"], "id_mismatch_error");
    }
}
